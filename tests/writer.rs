//! Whole files from hand-made trees and bindings, read back with an independent reader.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use ptw2k::bytes::{Bytes, LazyTensor};
use ptw2k::keras::file_layout::{Attribute, AttributeValue, Dataset, Format, Group, Node};
use ptw2k::plan::{Binding, Part, Provenance, Term, Value};
use ptw2k::tensor::{ByteOrder, CopyAxis, Dtype, Shape, StateDictKey, Strided, StridedCopy};
use ptw2k::writer::{Error, Progress, WriteOptions, write_tree};

struct Silent {
    cancelled: bool,
}

impl Progress for Silent {
    fn advance(&self, _bytes: u64) {}
    fn is_cancelled(&self) -> bool {
        self.cancelled
    }
}

fn options(threads: usize) -> WriteOptions {
    WriteOptions { format: Format::WeightsH5, threads: Some(threads), allow_overflow: false }
}

fn axis(size: usize, source_stride: usize, target_stride: usize) -> CopyAxis {
    CopyAxis { size, source_stride, target_stride }
}

fn f32_part(values: &[f32], axes: Vec<CopyAxis>, target_offset: usize) -> Part {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Part {
        key: StateDictKey::new("tensor"),
        source: LazyTensor {
            dtype: Dtype::F32,
            view: Strided::contiguous(Shape::new([values.len()]).unwrap()),
            byte_order: ByteOrder::Little,
            bytes: Bytes::held(bytes),
        },
        copy: StridedCopy { axes, source_offset: 0, target_offset },
    }
}

fn binding(variable: usize, dtype: Dtype, value: Value) -> Binding {
    let provenance = Provenance::Waiver("test".to_owned());
    Binding { variable, dtype, value, provenance, layout: String::new() }
}

fn one(part: Part) -> Value {
    Value::Gather(vec![Term { parts: vec![part] }])
}

fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|value| value as f32 * 0.5).collect()
}

/// Writes a file of one dataset `d` with one and with several threads, and compares its elements.
fn check(sizes: &[usize], dtype: Dtype, value: impl Fn() -> Value, expected: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape::new(sizes).unwrap();
    let tree = Group {
        children: vec![("d".to_owned(), Node::Dataset(Dataset { variable: 0, attributes: vec![] }))],
        ..Group::default()
    };
    let write = |threads: usize| {
        let path = folder.path().join(threads.to_string());
        let binding = binding(0, dtype, value());
        let targets = [(&binding, &shape, "d".to_owned())];
        write_tree(&tree, &targets, &path, &options(threads), &Silent { cancelled: false }).unwrap();
        std::fs::read(path).unwrap()
    };
    let bytes = write(1);
    assert_eq!(bytes, write(5));
    let file = hdf5_reader::Hdf5File::from_vec(bytes).unwrap();
    let dataset = file.dataset("/d").unwrap();
    let read: Vec<usize> = dataset.shape().iter().map(|&size| size as usize).collect();
    assert_eq!(read, sizes);
    assert!(dataset.read_raw_bytes().unwrap() == expected, "{sizes:?}");
}

fn f32_bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

#[test]
fn convolution_kernel() {
    let (o, i, hw) = (130, 257, 15);
    let values = ramp(o * i * hw);
    let axes = vec![axis(hw, 1, i * o), axis(i, hw, o), axis(o, i * hw, 1)];
    let expected = f32_bytes((0..hw * i * o).map(|place| {
        let (position, input, output) = (place / (i * o), place / o % i, place % o);
        values[output * i * hw + input * hw + position]
    }));
    check(&[3, 5, i, o], Dtype::F32, || one(f32_part(&values, axes.clone(), 0)), &expected);
}

#[test]
fn copies_plain_values() {
    let values = ramp(700_001);
    let value = || one(f32_part(&values, vec![axis(700_001, 1, 1)], 0));
    check(&[700_001], Dtype::F32, value, &f32_bytes(values.clone()));
    check(&[], Dtype::F32, || one(f32_part(&[2.5], vec![], 0)), &2.5_f32.to_le_bytes());
    check(&[0, 3], Dtype::F32, || one(f32_part(&[], vec![axis(0, 3, 3), axis(3, 1, 1)], 0)), &[]);
}

#[test]
fn converts() {
    let values = ramp(300_000);
    let expected: Vec<u8> = values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
    let value = || one(f32_part(&values, vec![axis(300_000, 1, 1)], 0));
    check(&[300_000], Dtype::F64, value, &expected);
}

#[test]
fn interleaves_parts() {
    let (i, o) = (501, 303);
    let (gate, up) = (ramp(i * o), ramp(2 * i * o).split_off(i * o));
    let axes = vec![axis(i, 1, 2 * o), axis(o, i, 1)];
    let value = || {
        let parts = vec![f32_part(&gate, axes.clone(), 0), f32_part(&up, axes.clone(), o)];
        Value::Gather(vec![Term { parts }])
    };
    let expected = f32_bytes((0..i * 2 * o).map(|place| {
        let (input, group, output) = (place / (2 * o), place / o % 2, place % o);
        if group == 0 { gate[output * i + input] } else { up[output * i + input] }
    }));
    check(&[i, 2 * o], Dtype::F32, value, &expected);
}

#[test]
fn adds_terms() {
    let count = 300_007;
    let one: Vec<f32> = (0..count).map(|value| 1.0 + value as f32 * 1.1).collect();
    let two: Vec<f32> = (0..count).map(|value| 1e-3 * value as f32).collect();
    let term = |values: &[f32]| Term { parts: vec![f32_part(values, vec![axis(count, 1, 1)], 0)] };
    let expected = f32_bytes(one.iter().zip(&two).map(|(one, two)| one + two));
    check(&[count], Dtype::F32, || Value::Gather(vec![term(&one), term(&two)]), &expected);
}

#[test]
fn fills_constants() {
    check(&[3], Dtype::F32, || Value::Fill(1.5), &f32_bytes([1.5; 3]));
    check(&[2], Dtype::I16, || Value::Fill(-2.0), &[0xFE, 0xFF, 0xFE, 0xFF]);
}

#[test]
fn leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    std::fs::write(&path, "old").unwrap();
    let shape = Shape::new([1]).unwrap();
    let tree = Group {
        children: vec![("d".to_owned(), Node::Dataset(Dataset { variable: 0, attributes: vec![] }))],
        ..Group::default()
    };
    let run = |value: f32, cancelled: bool| {
        let binding = binding(0, Dtype::F16, one(f32_part(&[value], vec![], 0)));
        let targets = [(&binding, &shape, "dense/kernel".to_owned())];
        write_tree(&tree, &targets, &path, &options(2), &Silent { cancelled })
    };
    assert!(matches!(run(1.0, true), Err(Error::Cancelled)));
    assert!(matches!(run(1e6, false), Err(Error::Convert { variable, .. }) if variable == "dense/kernel"));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Trees whose names are distinct, with the number of datasets.
fn trees() -> impl Strategy<Value = Group> {
    let leaf = prop_oneof![
        2 => Just(Node::Dataset(Dataset { variable: 0, attributes: vec![] })),
        1 => Just(Node::Group(Group::default())),
    ];
    let attributes = prop::collection::btree_map(
        "[a-zé]{1,12}",
        prop_oneof![
            "[^\0]{0,40}".prop_map(AttributeValue::Text),
            prop::collection::vec("[a-zü/]{1,9}", 1..5).prop_map(AttributeValue::TextList),
        ],
        0..3,
    );
    let group = move |children: std::collections::BTreeMap<String, Node>,
                      attributes: std::collections::BTreeMap<_, _>| Group {
        attributes: attributes.into_iter().map(|(name, value)| Attribute { name, value }).collect(),
        children: children.into_iter().collect(),
    };
    let names = "[a-z0-9_ éß漢]{1,10}";
    let inner = leaf.prop_recursive(4, 60, 12, {
        let attributes = attributes.clone();
        move |child| {
            (prop::collection::btree_map(names, child, 0..12), attributes.clone())
                .prop_map(move |(children, attributes)| Node::Group(group(children, attributes)))
        }
    });
    (prop::collection::btree_map(names, inner, 0..40), attributes)
        .prop_map(move |(children, attributes)| group(children, attributes))
}

fn compare(file: &hdf5_reader::Hdf5File, path: &str, expected: &Group) {
    let group = file.group(if path.is_empty() { "/" } else { path }).unwrap();
    for attribute in &expected.attributes {
        let read = group.attribute(&attribute.name).unwrap();
        match &attribute.value {
            AttributeValue::Text(text) => assert_eq!(&read.read_string().unwrap(), text),
            AttributeValue::TextList(texts) => assert_eq!(&read.read_strings().unwrap(), texts),
        }
    }
    let (groups, datasets) = group.member_names().unwrap();
    assert_eq!(groups.len() + datasets.len(), expected.children.len());
    for (name, node) in &expected.children {
        let path = format!("{path}/{name}");
        match node {
            Node::Group(group) => compare(file, &path, group),
            Node::Dataset(_) => assert_eq!(file.dataset(&path).unwrap().shape(), [2, 3]),
        }
    }
}

fn encode(tree: &Group) -> hdf5_reader::Hdf5File {
    let shape = Shape::new([2, 3]).unwrap();
    let extent = |_| Some(ptw2k::writer::hdf5::Extent { dtype: Dtype::Bf16, shape: &shape });
    let encoded = ptw2k::writer::hdf5::encode(tree, &extent).unwrap();
    let mut bytes = encoded.structure;
    bytes.resize(usize::try_from(encoded.len).unwrap(), 0);
    hdf5_reader::Hdf5File::from_vec(bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn trees_are_read_back(tree in trees()) {
        compare(&encode(&tree), "", &tree);
    }
}

#[test]
fn thousands_of_children() {
    let child = |index: usize| {
        (format!("layer_{index}"), Node::Dataset(Dataset { variable: index, attributes: vec![] }))
    };
    let tree = Group { children: (0..9000).map(child).collect(), ..Group::default() };
    compare(&encode(&tree), "", &tree);
}
