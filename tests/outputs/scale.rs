//! Many datasets, long names, names of all kinds.

use ptw2k::keras::file_layout::{Content, Dataset, Form, Format, Group, Node};
use ptw2k::plan::{Binding, Provenance, Value};
use ptw2k::tensor::{Arithmetic, Dtype, Shape};
use ptw2k::writer::{WriteOptions, write_tree};
use serde_json::json;
use tempfile::TempDir;

use crate::made::{FILL, convert, form, stored};

/// Five thousand layers of four variables.
#[test]
fn twenty_thousand_datasets() {
    const LAYERS: usize = 5000;
    let folder = TempDir::new().unwrap();
    let dataset = |variable| {
        let dataset = Dataset { content: Content::Variable(variable), attributes: vec![] };
        ((variable % 4).to_string().into(), Node::Dataset(dataset))
    };
    let group = |children| Node::Group(Group { children, ..Group::default() });
    let layer = |at: usize| {
        let vars = group((4 * at..4 * at + 4).map(dataset).collect());
        (format!("batch_normalization_{at}").into(), group(vec![("vars".into(), vars)]))
    };
    let layers = group((0..LAYERS).map(layer).collect());
    let tree = Group { children: vec![("layers".into(), layers)], ..Group::default() };
    let shape = Shape::new([3]).unwrap();
    let bindings: Vec<Binding> = (0..4 * LAYERS)
        .map(|variable| Binding {
            variable,
            dtype: Dtype::F32,
            value: Value::Fill(variable as f64),
            arithmetic: Arithmetic::default(),
            provenance: Provenance::Waiver("test".to_owned()),
            layout: "".into(),
        })
        .collect();
    let entries: Vec<_> = bindings.iter().map(|binding| (binding, &shape, String::new())).collect();
    let options = WriteOptions { form: Form::default(), threads: Some(2), allow_overflow: false };
    let path = folder.path().join("out.weights.h5");
    write_tree(tree, &entries, &path, &options, &()).unwrap();
    let mut found = 0;
    for (path, _, bytes) in stored(&path) {
        let (layer, index) = path.split_once("/vars/").unwrap();
        let layer: usize = layer.rsplit('_').next().unwrap().parse().unwrap();
        let expected = (4 * layer + index.parse::<usize>().unwrap()) as f32;
        assert_eq!(bytes, expected.to_le_bytes().repeat(3), "{path}");
        found += 1;
    }
    assert_eq!(found, 4 * LAYERS);
}

/// The names of a file's attributes that list names, with how many each has.
fn lists(group: &hdf5_reader::group::Group) -> Vec<(String, usize)> {
    let attributes = group.attributes().unwrap();
    let lists = attributes.iter().filter(|attribute| attribute.name.contains("_names"));
    lists.map(|attribute| (attribute.name.clone(), attribute.read_strings().unwrap().len())).collect()
}

/// 70,000 bytes of names are split as `numpy.array_split` does, by bytes, not characters.
#[test]
fn names_beyond_an_attribute() {
    // Both alphabets take the same bytes; of the second there are half as many characters.
    for unit in ["nn", "\u{fc}"] {
        let folder = TempDir::new().unwrap();
        let name = |at: usize| format!("{}_{at:03}", unit.repeat(115));
        let input = json!({ "module": "keras.layers", "class_name": "InputLayer",
            "config": { "batch_shape": [null, 5], "dtype": "float32", "name": "x" } });
        let layer = |at: usize| {
            json!({ "module": "keras.layers", "class_name": "BatchNormalization",
                "config": { "name": name(at), "dtype": "float32" }, "build_config": { "input_shape": [null, 5] } })
        };
        let sequential = |name: &str, layers: Vec<serde_json::Value>| {
            let layers: Vec<_> = [input.clone()].into_iter().chain(layers).collect();
            json!({ "module": "keras", "class_name": "Sequential", "build_config": { "input_shape": [null, 5] },
                "config": { "name": name, "layers": layers, "build_input_shape": [null, 5] } })
        };
        let inner = sequential("inner", (400..470).map(layer).collect());
        let outer = sequential("outer", (0..299).map(layer).chain([inner]).collect());
        std::fs::write(folder.path().join("model.json"), outer.to_string()).unwrap();
        let output = folder.path().join("out.h5");
        convert(&folder.path().join("model.json"), FILL, &form(Format::LegacyH5, ""), &output);
        assert_eq!(stored(&output).len(), (299 + 70) * 4);
        let file = hdf5_reader::Hdf5File::open(&output).unwrap();
        let root = file.root_group().unwrap();
        // 300 names of 234 bytes: 70,200.
        assert_eq!(lists(&root), [("layer_names0".to_owned(), 150), ("layer_names1".to_owned(), 150)]);
        // 280 names of `inner/`, 234 bytes, `/moving_variance`: 256 bytes each, 71,680.
        let inner = lists(&root.group("inner").unwrap());
        assert_eq!(inner, [("weight_names0".to_owned(), 140), ("weight_names1".to_owned(), 140)]);
        let short = lists(&root.group(&name(0)).unwrap());
        assert_eq!(short, [("weight_names".to_owned(), 4)]);
    }
}
