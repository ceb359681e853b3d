//! Whole models in `.h5`.

use ptw2k::keras::Architecture;
use ptw2k::keras::file_layout::{Form, Format, LayoutError};
use tempfile::TempDir;

use crate::made::{FILL, KEEP, convert, form, own, plan, refusal, sorted, stored, testdata};

/// The same file again: attributes, names and order as Keras wrote them.
#[test]
fn of_a_whole_model() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.h5");
    let whole = folder.path().join("whole.h5");
    convert(&testdata("sequential_cnn.keras"), KEEP, &form(Format::WholeH5, "3.15.1"), &whole);
    convert(&whole, KEEP, &form(Format::WholeH5, ""), &output);
    let (before, after) = (Architecture::open(&whole).unwrap(), Architecture::open(&output).unwrap());
    assert_eq!(after.legacy, before.legacy);
    assert_eq!(after.carried.attributes, before.carried.attributes);
    assert_eq!(after.carried.attributes[1], ("keras_version".to_owned(), "3.15.1".to_owned()));
    let text =
        |architecture: &Architecture| architecture.carried.config.as_ref().unwrap().as_slice().to_vec();
    assert_eq!(text(&after), text(&before));
    assert_eq!(stored(&output), stored(&whole));
}

#[test]
fn of_a_configuration() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.h5");
    let archive = testdata("sequential_cnn.keras");
    convert(&archive, KEEP, &form(Format::WholeH5, ""), &output);
    assert_eq!(sorted(stored(&output)), sorted(own(&archive, Format::WholeH5)));
    let file = hdf5_reader::Hdf5File::open(&output).unwrap();
    let attribute = |name: &str| file.root_group().unwrap().attribute(name).unwrap().read_string().unwrap();
    let config = Architecture::open(&archive).unwrap().carried.config.unwrap();
    assert_eq!(attribute("model_config").as_bytes(), config.as_slice());
    assert_eq!((attribute("backend").as_str(), attribute("keras_version").as_str()), ("tensorflow", "3.0.0"));
}

/// One value of a variable that a layer holds twice.
#[test]
fn shared_kernels() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.h5");
    let layers = testdata("all_layers.json");
    convert(&layers, FILL, &form(Format::LegacyH5, ""), &output);
    let architecture = Architecture::open(&layers).unwrap();
    let copies =
        architecture.layers.iter().filter(|layer| layer.class.as_deref() == Some("SpectralNormalization"));
    assert_eq!(stored(&output).len(), architecture.variables.len() - copies.count());
}

/// What the architecture's file has beside Keras' own is left out, and not without a word.
#[test]
fn what_is_left_out() {
    let form = form(Format::WholeH5, "");
    let plan = plan(&testdata("annotated.whole.h5"), KEEP, &form, None);
    let said: Vec<&str> = plan.notes.iter().map(|note| note.text.as_str()).collect();
    for left in ["attribute epoch", "mine"] {
        let remark =
            format!("`{left}` of the architecture's file is no variable of the model, and is left out");
        assert!(said.contains(&remark.as_str()), "{said:?}");
    }
}

/// A layer that several models share: Keras reads as many from an `.h5` with the configuration of a `.keras`.
#[test]
fn a_layer_of_several_models() {
    let whole = form(Format::WholeH5, "");
    let error = refusal("shared_across.keras", KEEP, &whole, "out.h5");
    assert!(matches!(error, LayoutError::SharedAcross { .. }), "{error}");
}

#[test]
fn refuses() {
    let optimizer = Form { optimizer: true, ..Form::new(Format::LegacyH5) };
    assert_eq!(refusal("sequential_cnn.keras", KEEP, &optimizer, "out.h5"), LayoutError::NoOptimizer);
    let whole = |architecture, keras| refusal(architecture, FILL, &form(Format::WholeH5, keras), "out.h5");
    assert_eq!(whole("subclassed.weights.h5", ""), LayoutError::NoConfig);
    assert!(matches!(whole("all_layers.json", "2.15"), LayoutError::OtherGeneration { own: 3, .. }));
    assert!(matches!(whole("all_layers.json", "3.0.5"), LayoutError::Misloaded { .. }));
    assert!(matches!(whole("frozen.json", "3.12.0"), LayoutError::ConfigTooNew { .. }));
    let legacy = refusal("subclassed.weights.h5", FILL, &form(Format::LegacyH5, ""), "out.h5");
    assert_eq!(legacy, LayoutError::LayerOrder);
    assert!(plan(&testdata("all_layers.json"), FILL, &form(Format::WholeH5, ""), None).notes.len() < 40);
}
