//! The same through the graph of a functional model, where orders meet.

use ptw2k::keras::{Architecture, FeatureOrder};
use serde_json::{Value, json};

/// The layers of a functional model so far, with the shapes that they make.
struct Graph {
    layers: Vec<Value>,
    shapes: Vec<(String, Value)>,
}

impl Graph {
    fn of(input: &[usize]) -> Self {
        let mut shape = vec![Value::Null];
        shape.extend(input.iter().map(|size| json!(size)));
        let shape = json!(shape);
        let layer = json!({"module": "keras.layers", "class_name": "InputLayer", "name": "in",
                           "config": {"batch_shape": shape.clone(), "name": "in"}, "inbound_nodes": []});
        Self { layers: vec![layer], shapes: vec![("in".to_owned(), shape)] }
    }

    /// A layer that makes tensors of that shape.
    fn layer(mut self, name: &str, class: &str, config: Value, reads: &[&str], makes: &[usize]) -> Self {
        let tensor = |name: &&str| {
            let shape = &self.shapes.iter().find(|(known, _)| known == name).unwrap().1;
            json!({"class_name": "__keras_tensor__",
                   "config": {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]}})
        };
        let tensors: Vec<Value> = reads.iter().map(tensor).collect();
        let args = if matches!(class, "Add" | "Concatenate") { json!([tensors]) } else { json!(tensors) };
        let build = self.shapes.iter().find(|(known, _)| known == reads[0]).unwrap().1.clone();
        let mut config = config;
        config["name"] = json!(name);
        self.layers.push(
            json!({"module": "keras.layers", "class_name": class, "name": name, "config": config,
                                "build_config": {"input_shape": build},
                                "inbound_nodes": [{"args": args, "kwargs": {}}]}),
        );
        let mut shape = vec![Value::Null];
        shape.extend(makes.iter().map(|size| json!(size)));
        self.shapes.push((name.to_owned(), json!(shape)));
        self
    }

    fn dense(self, name: &str, reads: &str, units: usize) -> Self {
        self.layer(name, "Dense", json!({"units": units}), &[reads], &[units])
    }

    fn reshape(self, name: &str, reads: &str, sizes: &[usize]) -> Self {
        self.layer(name, "Reshape", json!({"target_shape": sizes}), &[reads], sizes)
    }

    fn attention(self, name: &str, reads: &str, sizes: &[usize]) -> Self {
        let config = json!({"num_heads": 2, "key_dim": 3});
        self.layer(name, "MultiHeadAttention", config, &[reads, reads], sizes)
    }

    fn same(self, name: &str, class: &str, reads: &str, sizes: &[usize]) -> Self {
        self.layer(name, class, json!({"axis": -1}), &[reads], sizes)
    }

    fn conv(self, name: &str, reads: &str, positions: &[usize]) -> Self {
        let class = format!("Conv{}D", positions.len());
        let makes: Vec<usize> = positions.iter().copied().chain([6]).collect();
        self.layer(name, &class, json!({"filters": 6, "kernel_size": 1}), &[reads], &makes)
    }

    /// What becomes of what one layer makes, and what another reads; the latter is the model's output.
    #[track_caller]
    fn check(self, (made, outputs_of): (&str, Option<&[usize]>), (last, reads): (&str, Option<&[usize]>)) {
        let config = json!({"name": "f", "layers": self.layers, "input_layers": [["in", 0, 0]],
                            "output_layers": [[last, 0, 0]]});
        let model = json!({"module": "keras", "class_name": "Functional", "config": config});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), model.to_string()).unwrap();
        let found = Architecture::open(file.path()).unwrap();
        let layer = |name: &str| found.layers.iter().find(|layer| layer.path == name);
        let orders = [
            (layer(made).map(|layer| &layer.outputs), outputs_of),
            (layer(last).map(|layer| &layer.features), reads),
        ];
        for (order, expected) in orders {
            // A layer without variables needs no order.
            let Some(order) = order else {
                assert_eq!(expected, PLAIN);
                continue;
            };
            match (order, expected) {
                (FeatureOrder::Unknown(_), None) => {}
                (FeatureOrder::Mixed(_), MIXED) => {}
                (FeatureOrder::Plain, Some([])) => {}
                (FeatureOrder::Flattened(sizes), Some(expected)) => assert_eq!(sizes, expected),
                (order, expected) => panic!("{order:?} is not {expected:?}"),
            }
        }
    }
}

const PLAIN: Option<&[usize]> = Some(&[]);
/// No map has so large an axis.
const MIXED: Option<&[usize]> = Some(&[usize::MAX]);
const MAP: [usize; 3] = [4, 3, 6];
const ROW: [usize; 2] = [12, 6];

/// Attention reads a sequence, whose positions may be those of a map that a Dense makes.
#[test]
fn features_of_pixels() {
    let dense = || Graph::of(&[5]).dense("d", "in", 72);
    let map = || dense().reshape("map", "d", &MAP);
    let pixels = |graph: Graph, of: &str| graph.reshape("row", of, &ROW).attention("a", "row", &ROW);
    let again = |graph: Graph| graph.reshape("again", "a", &MAP);
    let conv = |graph: Graph| graph.conv("c", "again", &[4, 3]);
    // Nothing tells: not a convolution of what was made of the pixels, not a pooling, and no one Reshape less.
    conv(again(pixels(map(), "map"))).check(("d", None), ("c", PLAIN));
    again(pixels(map(), "map"))
        .layer("g", "GlobalAveragePooling2D", json!({}), &["again"], &[6])
        .check(("d", None), ("g", PLAIN));
    conv(again(dense().reshape("row", "d", &ROW).attention("a", "row", &ROW)))
        .check(("d", None), ("c", PLAIN));
    again(pixels(map(), "map")).reshape("end", "again", &ROW).check(("d", None), ("end", PLAIN));
    pixels(map(), "map").dense("e", "a", 5).check(("d", None), ("e", PLAIN));
    // What reads the map itself tells.
    for class in ["GroupNormalization", "BatchNormalization", "MaxPooling2D"] {
        let told = conv(again(pixels(map().same("n", class, "map", &MAP), "n")));
        told.check(("d", Some(&MAP)), ("c", PLAIN));
    }
    // A normalization of the features of each pixel does not.
    let norm = map().reshape("r", "map", &ROW).same("row", "LayerNormalization", "r", &ROW);
    conv(again(norm.attention("a", "row", &ROW))).check(("d", None), ("c", PLAIN));
    // A sequence of features, and nothing else.
    dense().reshape("row", "d", &ROW).attention("a", "row", &ROW).check(("d", PLAIN), ("a", PLAIN));
    // One axis of positions, which a convolution reads.
    let line = |graph: Graph| graph.conv("c", "a", &[12]);
    line(dense().reshape("row", "d", &ROW).attention("a", "row", &ROW)).check(("d", None), ("c", PLAIN));
}

/// What attention makes of a map's pixels is flattened as the map, or as a sequence.
#[test]
fn flattened_pixels() {
    let conv = || Graph::of(&[4, 3, 2]).conv("c", "in", &[4, 3]);
    let pixels = || conv().reshape("row", "c", &ROW).attention("a", "row", &ROW);
    let again = || pixels().reshape("again", "a", &MAP);
    let flat =
        |graph: Graph, of: &str| graph.layer("f", "Flatten", json!({}), &[of], &[72]).dense("d", "f", 5);
    let told = Some(&MAP[..]);
    flat(again(), "again").check(("c", PLAIN), ("d", None));
    flat(pixels(), "a").check(("c", PLAIN), ("d", None));
    again().reshape("f", "again", &[72]).dense("d", "f", 5).check(("c", PLAIN), ("d", None));
    for class in ["BatchNormalization", "GroupNormalization", "MaxPooling2D"] {
        flat(again().same("n", class, "again", &MAP), "n").check(("c", PLAIN), ("d", told));
    }
    flat(again().layer("s", "Add", json!({}), &["again", "c"], &MAP), "s").check(("c", PLAIN), ("d", told));
    // A map that has one order with what is no map has that order.
    let row = Graph::of(&[12, 2]).conv("c", "in", &[12]).attention("a", "c", &ROW);
    flat(row.layer("s", "Add", json!({}), &["a", "c"], &ROW), "s").check(("c", PLAIN), ("d", None));
    // A sequence from the start.
    let sequence = || Graph::of(&ROW).attention("a", "in", &ROW);
    flat(sequence(), "a").check(("a", PLAIN), ("d", PLAIN));
    flat(sequence().reshape("again", "a", &MAP), "again").check(("a", PLAIN), ("d", None));
    let told = sequence().reshape("again", "a", &MAP).same("n", "BatchNormalization", "again", &MAP);
    flat(told, "n").check(("a", PLAIN), ("d", Some(&MAP)));
    // An input times one value for each of its channels is the input still.
    let gate = Graph::of(&MAP).layer("g", "GlobalAveragePooling2D", json!({}), &["in"], &[6]).reshape(
        "r",
        "g",
        &[1, 1, 6],
    );
    flat(gate.layer("s", "Multiply", json!({}), &["in", "r"], &MAP), "s").check(("g", PLAIN), ("d", None));
}

/// PyTorch moves the channels to the end for `nn.LayerNorm`, and flattens or makes a map before or after.
#[test]
fn features_normalized_last() {
    let conv = || Graph::of(&[4, 3, 2]).conv("c", "in", &[4, 3]);
    let flat =
        |graph: Graph, of: &str| graph.layer("f", "Flatten", json!({}), &[of], &[72]).dense("d", "f", 5);
    for class in ["LayerNormalization", "RMSNormalization"] {
        let norm = |graph: Graph, of: &str| graph.same("n", class, of, &MAP);
        flat(norm(conv(), "c"), "n").check(("c", PLAIN), ("d", None));
        let pool = norm(conv(), "c").same("p", "MaxPooling2D", "n", &MAP);
        flat(pool, "p").check(("c", PLAIN), ("d", Some(&MAP)));
        let made = norm(Graph::of(&[5]).dense("d", "in", 72).reshape("m", "d", &MAP), "m");
        made.conv("c", "n", &[4, 3]).check(("d", None), ("c", PLAIN));
    }
    // All of an image at once.
    let all = conv().layer("n", "LayerNormalization", json!({"axis": [1, 2, 3]}), &["c"], &MAP);
    flat(all, "n").check(("c", PLAIN), ("d", Some(&MAP)));
}

/// Features at each position, divided among the columns and channels of a map whose rows the positions are.
#[test]
fn divided_features_of_a_sequence() {
    let lstm = || {
        let config = json!({"units": 24, "return_sequences": true});
        Graph::of(&[5, 7]).layer("r", "LSTM", config, &["in"], &[5, 24])
    };
    let map = [5, 8, 3];
    lstm().reshape("m", "r", &map).conv("c", "m", &[5, 8]).check(("r", None), ("c", PLAIN));
    // Heads.
    lstm().reshape("m", "r", &map).check(("r", PLAIN), ("m", PLAIN));
    // Positions too: pixels of four times as many.
    lstm().reshape("m", "r", &[10, 4, 3]).check(("r", None), ("m", PLAIN));
}

/// Where features of several orders meet, no map's order is theirs, and nobody can say one.
#[test]
fn features_of_several_orders() {
    let conv = || Graph::of(&[4, 3, 2]).conv("c", "in", &[4, 3]);
    let flat = || conv().layer("f", "Flatten", json!({}), &["c"], &[72]);
    let joined = |graph: Graph, reads: &[&str], width: usize| {
        graph.layer("j", "Concatenate", json!({"axis": -1}), reads, &[width]).dense("d", "j", 5)
    };
    joined(flat().dense("e", "f", 7), &["f", "e"], 79).check(("c", PLAIN), ("d", MIXED));
    joined(flat(), &["f", "f"], 144).check(("c", PLAIN), ("d", MIXED));
    joined(flat(), &["f"], 72).check(("c", PLAIN), ("d", MIXED));
    let added = flat().dense("e", "f", 72).layer("j", "Add", json!({}), &["f", "e"], &[72]);
    added.dense("d", "j", 5).check(("c", PLAIN), ("d", MIXED));
    let dropped = joined(flat().dense("e", "f", 7), &["f", "e"], 79);
    dropped.same("b", "BatchNormalization", "j", &[79]).check(("c", PLAIN), ("b", MIXED));
    // A layer that nobody knows may have put them in order.
    let lambda = flat().dense("e", "f", 72).layer("j", "Add", json!({}), &["f", "e"], &[72]);
    lambda.layer("l", "Lambda", json!({}), &["j"], &[72]).dense("d", "l", 5).check(("c", PLAIN), ("d", None));
    // One order: that of vectors.
    let vectors = Graph::of(&[5]).dense("e", "in", 7);
    joined(vectors, &["in", "e"], 12).check(("e", PLAIN), ("d", PLAIN));
}
