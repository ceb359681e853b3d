//! How features are ordered on the way to a layer and after it.

use ptw2k::keras::{Architecture, FeatureOrder};
use serde_json::{Value, json};

use crate::listings::{features, outputs};

/// What becomes of the 105 features that a Dense makes, before layers (class and settings).
fn check_outputs(layers: &[(&str, Value)], expected: &FeatureOrder) {
    let layer = |(at, (class, config)): (usize, &(&str, Value))| {
        let mut config = config.clone();
        config["name"] = json!(format!("l{at}"));
        let build = match class {
            &"Conv2D" | &"Conv1D" | &"LSTM" => config["reads"].take(),
            _ => Value::Null,
        };
        json!({"module": "keras.layers", "class_name": class, "config": config,
               "build_config": {"input_shape": build}})
    };
    let mut entries = vec![
        json!({"module": "keras.layers", "class_name": "InputLayer",
               "config": {"batch_shape": [null, 2], "name": "in"}}),
        json!({"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 105}}),
    ];
    entries.extend(layers.iter().enumerate().map(layer));
    let config = json!({"name": "s", "layers": entries});
    let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), model.to_string()).unwrap();
    let found = Architecture::open(file.path()).unwrap();
    match (outputs(&found, "dense"), expected) {
        (FeatureOrder::Unknown(_), FeatureOrder::Unknown(_)) => {}
        (found, expected) => assert_eq!(found, expected, "{layers:?}"),
    }
}

/// What becomes of the 12 channels of a convolution (of 5 × 7 positions) before layers.
#[test]
fn divided_channels() {
    let reshape = |sizes: &[i64]| json!({"class_name": "Reshape", "config": {"target_shape": sizes}});
    let permute = json!({"class_name": "Permute", "config": {"dims": [1, 3, 2, 4, 5]}});
    let relu = json!({"class_name": "ReLU", "config": {}});
    let norm = json!({"class_name": "BatchNormalization", "config": {"axis": -1}});
    let lambda = json!({"class_name": "Lambda", "config": {}});
    let check = |first: &Value, after: &[&Value], is_known: bool| {
        let mut layers =
            vec![json!({"class_name": "InputLayer", "config": {"batch_shape": [null, 5, 7, 2]}})];
        layers.push(first.clone());
        layers.extend(after.iter().copied().cloned());
        for (at, layer) in layers.iter_mut().enumerate() {
            layer["module"] = json!("keras.layers");
            layer["config"]["name"] = json!(format!("l{at}"));
        }
        let config = json!({"name": "s", "layers": layers});
        let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), model.to_string()).unwrap();
        let model = Architecture::open(file.path()).unwrap();
        let found = outputs(&model, "l1");
        assert_eq!(matches!(found, FeatureOrder::Plain), is_known, "{after:?} {found:?}");
    };
    let conv = json!({"class_name": "Conv2D", "config": {"filters": 12, "kernel_size": 1}});
    let dense = json!({"class_name": "Dense", "config": {"units": 12}});
    for first in [&conv, &dense] {
        check(first, &[&reshape(&[5, 7, 2, 2, 3]), &permute, &reshape(&[10, 14, 3])], false);
        check(first, &[&relu, &reshape(&[5, 7, 2, 2, 3])], false);
        check(first, &[&norm, &relu, &reshape(&[5, 7, 4, -1])], false);
        check(first, &[&norm, &relu, &reshape(&[5, 7, 4, 3])], false);
        check(first, &[&reshape(&[-1, 4])], false);
        check(first, &[&lambda], false);
        check(first, &[&reshape(&[35, 12])], true);
        check(first, &[&reshape(&[-1, 12])], true);
        check(first, &[&reshape(&[5, 84])], true);
        check(first, &[&reshape(&[5, 7, 12, 1]), &relu], true);
        check(first, &[&norm, &relu], true);
    }
}

#[test]
fn output_orders() {
    let none = json!({});
    let reshape = |sizes: &[i64]| ("Reshape", json!({"target_shape": sizes}));
    let conv = ("Conv2D", json!({"filters": 2, "kernel_size": 1, "reads": [null, 5, 7, 3]}));
    let first =
        json!({"filters": 2, "kernel_size": 1, "reads": [null, 3, 5, 7], "data_format": "channels_first"});
    let line = ("Conv1D", json!({"filters": 2, "kernel_size": 1, "reads": [null, 21, 5]}));
    let lstm = ("LSTM", json!({"units": 2, "reads": [null, 21, 5]}));
    let map = FeatureOrder::Flattened(vec![5, 7, 3]);
    let unknown = FeatureOrder::Unknown(String::new());
    check_outputs(&[], &FeatureOrder::Plain);
    check_outputs(&[reshape(&[5, 7, 3]), conv.clone()], &map);
    check_outputs(&[reshape(&[5, -1, 3]), ("ReLU", none.clone()), conv.clone()], &map);
    check_outputs(&[("Dropout", none.clone()), reshape(&[1, 105]), reshape(&[5, 7, 3]), conv.clone()], &map);
    check_outputs(&[reshape(&[3, 5, 7]), ("Conv2D", first)], &FeatureOrder::Plain);
    check_outputs(
        &[reshape(&[3, 5, 7]), ("Permute", json!({"dims": [2, 3, 1]})), conv.clone()],
        &FeatureOrder::Plain,
    );
    check_outputs(&[reshape(&[7, 5, 3]), ("Permute", json!({"dims": [2, 1, 3]})), conv.clone()], &unknown);
    check_outputs(&[reshape(&[21, 5]), line], &FeatureOrder::Flattened(vec![21, 5]));
    check_outputs(&[reshape(&[21, 5]), lstm], &FeatureOrder::Plain);
    check_outputs(&[reshape(&[21, 5])], &unknown);
    check_outputs(&[reshape(&[5, 7, 3])], &unknown);
    check_outputs(&[reshape(&[15, 7, 1])], &FeatureOrder::Plain);
    check_outputs(&[("Lambda", none.clone()), reshape(&[5, 7, 3]), conv.clone()], &unknown);
    check_outputs(&[("Lambda", none.clone()), conv], &unknown);
    check_outputs(&[("Lambda", none)], &FeatureOrder::Plain);
}

/// The features that a layer reads behind layers (class and settings), all read from an input of those sizes.
fn check_features(input: &[usize], layers: &[(&str, Value)], expected: &FeatureOrder) {
    let dense = json!({"name": "last", "units": 2});
    check_last(input, layers, ("Dense", dense, json!([null, 3])), expected);
}

/// The features that the last layer (class, settings, the shape that it reads) reads.
fn check_last(
    input: &[usize],
    layers: &[(&str, Value)],
    (class, config, reads): (&str, Value, Value),
    expected: &FeatureOrder,
) {
    let layer = |(at, (class, config)): (usize, &(&str, Value))| {
        let mut config = config.clone();
        config["name"] = json!(format!("l{at}"));
        let reads = config["reads"].take();
        json!({"module": "keras.layers", "class_name": class, "config": config,
               "build_config": {"input_shape": reads}})
    };
    let shape: Vec<Option<usize>> = std::iter::once(None).chain(input.iter().copied().map(Some)).collect();
    let mut entries = vec![json!({"module": "keras.layers", "class_name": "InputLayer",
                                  "config": {"batch_shape": shape, "name": "in"}})];
    entries.extend(layers.iter().enumerate().map(layer));
    entries.push(json!({"module": "keras.layers", "class_name": class, "config": config,
                        "build_config": {"input_shape": reads}}));
    let config = json!({"name": "s", "layers": entries});
    let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), model.to_string()).unwrap();
    let found = Architecture::open(file.path()).unwrap();
    match (features(&found, "last"), expected) {
        (FeatureOrder::Unknown(_), FeatureOrder::Unknown(reason)) if reason.is_empty() => {}
        (found, expected) => assert_eq!(found, expected, "{input:?} {layers:?}"),
    }
}

#[test]
fn feature_orders() {
    let first = json!({"data_format": "channels_first"});
    let pool = ("MaxPooling2D", json!({"pool_size": 1}));
    let pool_first = ("MaxPooling2D", json!({"pool_size": 1, "data_format": "channels_first"}));
    let conv_first = ("Conv2D", json!({"filters": 3, "kernel_size": 1, "data_format": "channels_first"}));
    let none = json!({});
    let flatten = ("Flatten", none.clone());
    let permute = |axes: &[u8]| ("Permute", json!({"dims": axes}));
    let flat = FeatureOrder::Flattened(vec![5, 7, 3]);
    let unknown = FeatureOrder::Unknown(String::new());
    let plain = FeatureOrder::Plain;
    let (hwc, chw) = ([5, 7, 3], [3, 5, 7]);
    check_features(&hwc, &[pool.clone(), flatten.clone()], &flat);
    let reshape = ("Reshape", json!({"target_shape": [-1]}));
    check_features(&hwc, &[pool.clone(), ("ReLU", none.clone()), reshape], &flat);
    check_features(&chw, &[conv_first.clone(), flatten.clone()], &plain);
    check_features(&chw, &[conv_first, pool_first.clone(), ("Flatten", first.clone())], &flat);
    check_features(&[1, 1, 3], std::slice::from_ref(&flatten), &plain);
    check_features(&hwc, &[("GlobalMaxPooling2D", none.clone())], &plain);
    check_features(&hwc, &[pool.clone(), permute(&[3, 1, 2]), flatten.clone()], &plain);
    check_features(&hwc, &[pool.clone(), flatten.clone(), ("Dropout", none.clone())], &flat);
    check_features(&hwc, &[pool.clone(), flatten.clone(), ("Lambda", none.clone())], &unknown);
    let again = ("Reshape", json!({"target_shape": [5, 7, 3]}));
    check_features(&hwc, &[pool.clone(), flatten.clone(), again, flatten.clone()], &flat);
    let reason = "the output of `l2`, which flattens the axes that `l1` permutes".to_owned();
    let permuted = FeatureOrder::Unknown(reason);
    check_features(&hwc, &[pool, permute(&[2, 1, 3]), flatten], &permuted);
}

/// An input of rank 4 or 5 has its channels where its readers say.
#[test]
fn orders_of_inputs() {
    let none = json!({});
    let flatten = || ("Flatten", json!({}));
    let of_format = |class: &'static str, first: bool| {
        let format = if first { "channels_first" } else { "channels_last" };
        (class, json!({"data_format": format, "pool_size": 1, "size": 1, "padding": 0, "cropping": 0}))
    };
    let plain = FeatureOrder::Plain;
    let unknown = FeatureOrder::Unknown(String::new());
    let reason = "the output of `l0`, which flattens an input of rank 4 with its channels first or last";
    check_features(&[5, 7, 3], &[flatten()], &FeatureOrder::Unknown(reason.to_owned()));
    check_features(&[1, 28, 28], &[flatten()], &unknown);
    check_features(&[2, 5, 7, 3], &[flatten()], &unknown);
    check_features(&[1, 28, 28], &[("ReLU", none.clone()), flatten()], &unknown);
    check_features(&[28, 28, 1], &[flatten()], &plain);
    check_features(&[28, 1, 1], &[flatten()], &plain);
    check_features(&[1, 28, 1], &[flatten()], &plain);
    check_features(&[3, 5, 7], &[of_format("Flatten", true)], &FeatureOrder::Flattened(vec![5, 7, 3]));
    for class in ["AveragePooling2D", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "SpatialDropout2D"] {
        check_features(&[3, 5, 7], &[of_format(class, true), flatten()], &plain);
        let map = FeatureOrder::Flattened(vec![5, 7, 3]);
        check_features(&[5, 7, 3], &[of_format(class, false), flatten()], &map);
        check_features(&[5, 7, 3], &[of_format(class, false), of_format(class, true), flatten()], &unknown);
    }
    let norm = |axis: i64| ("BatchNormalization", json!({"axis": axis}));
    check_features(&[3, 5, 7], &[norm(1), flatten()], &plain);
    check_features(&[5, 7, 3], &[norm(-1), flatten()], &FeatureOrder::Flattened(vec![5, 7, 3]));
    check_features(&[5, 7, 3], &[norm(3), flatten()], &FeatureOrder::Flattened(vec![5, 7, 3]));
    check_features(&[5, 7, 3], &[norm(2), flatten()], &unknown);
    check_features(&[5, 7, 3], &[norm(1), norm(-1), flatten()], &unknown);
}

/// Layers of every class that read what a Reshape or Flatten merged with channels.
#[test]
fn merged_channels() {
    let conv = || ("Conv2D", json!({"filters": 3, "kernel_size": 1}));
    let reshape = |sizes: &[i64]| ("Reshape", json!({"target_shape": sizes}));
    let unknown = FeatureOrder::Unknown(String::new());
    let map = FeatureOrder::Flattened(vec![5, 7, 3]);
    let line = || ("Conv1D", json!({"name": "last", "filters": 2, "kernel_size": 1}), json!([null, 5, 21]));
    let map_conv =
        || ("Conv2D", json!({"name": "last", "filters": 2, "kernel_size": 1}), json!([null, 5, 7, 1]));
    check_last(&[5, 7, 2], &[conv(), reshape(&[5, 21])], line(), &unknown);
    for class in ["RMSNormalization", "LayerNormalization", "BatchNormalization"] {
        let norm = |reads: Value| (class, json!({"name": "last", "axis": -1}), reads);
        check_last(&[5, 7, 2], &[conv(), reshape(&[5, 21])], norm(json!([null, 5, 21])), &unknown);
        check_last(&[5, 7, 2], &[conv(), reshape(&[105])], norm(json!([null, 105])), &map);
    }
    let einsum = json!({"name": "last", "equation": "ab,bc->ac", "output_shape": 7});
    check_last(
        &[5, 7, 2],
        &[conv(), ("Flatten", json!({}))],
        ("EinsumDense", einsum, json!([null, 105])),
        &map,
    );
    // Channels that stay an axis of their own.
    let positions = ("Dense", json!({"name": "last", "units": 2}), json!([null, 35, 3]));
    check_last(&[5, 7, 2], &[conv(), reshape(&[35, 3])], positions, &FeatureOrder::Plain);
    check_last(&[5, 7], &[reshape(&[5, 7, 1])], map_conv(), &FeatureOrder::Plain);
    check_last(&[35], &[reshape(&[5, 7, 1])], map_conv(), &FeatureOrder::Plain);
    check_last(&[5, 7, 2], &[("Dense", json!({"units": 3})), ("Flatten", json!({}))], line(), &unknown);
    let each = |layer: Value| ("TimeDistributed", json!({"layer": layer}));
    let keras =
        |class: &str, config: Value| json!({"module": "keras.layers", "class_name": class, "config": config});
    let each_conv = each(keras("Conv2D", json!({"name": "c", "filters": 3, "kernel_size": 1})));
    let each_pool = each(keras("GlobalMaxPooling2D", json!({"name": "p"})));
    let each_flatten = each(keras("Flatten", json!({"name": "f"})));
    let lstm = |features: u8| ("LSTM", json!({"name": "last", "units": 2}), json!([null, 4, features]));
    let [mut conv, mut pool, mut flatten] = [each_conv, each_pool, each_flatten];
    conv.1["reads"] = json!([null, 4, 5, 7, 2]);
    pool.1["reads"] = json!([null, 4, 5, 7, 3]);
    flatten.1["reads"] = json!([null, 4, 5, 7, 3]);
    check_last(&[4, 5, 7, 2], &[conv.clone(), pool], lstm(3), &FeatureOrder::Plain);
    check_last(&[4, 5, 7, 2], &[conv.clone(), flatten.clone()], lstm(105), &map);
    flatten.0 = "Flatten";
    check_features(&[4, 5, 7, 2], &[conv, flatten], &unknown);
    // A recurrent convolution makes maps in time.
    let recurrent = |sequences: bool| {
        let config = json!({"filters": 3, "kernel_size": 1, "return_sequences": sequences});
        ("ConvLSTM2D", config)
    };
    for sequences in [true, false] {
        check_features(&[2, 5, 7, 3], &[recurrent(sequences), ("Flatten", json!({}))], &unknown);
    }
}
