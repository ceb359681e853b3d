//! Whole files from hand-made trees and bindings, read back with an independent reader.
#![expect(clippy::unwrap_used, reason = "tests")]

mod small;

use proptest::prelude::*;
use ptw2k::keras::file_layout::{Attribute, AttributeValue, Content, Dataset, Form, Group, Node};
use ptw2k::lazy::{Bytes, LazyTensor};
use ptw2k::plan::{Binding, Part, Provenance, Term, Value};
use ptw2k::tensor::{Arithmetic, ByteOrder, CopyAxis, Dtype, Shape, StateDictKey, Strided, StridedCopy};
use ptw2k::writer::hdf5::EncodeError;
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
    WriteOptions { form: Form::default(), threads: Some(threads), allow_overflow: false }
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
            storage: Bytes::held(bytes).into(),
        },
        copy: StridedCopy { axes: axes.into(), source_offset: 0, target_offset },
        derivation: None,
    }
}

fn binding(variable: usize, dtype: Dtype, value: Value) -> Binding {
    let provenance = Provenance::Waiver("test".to_owned());
    Binding { variable, dtype, value, arithmetic: Arithmetic::default(), provenance, layout: "".into() }
}

fn one(part: Part) -> Value {
    Value::Gather(vec![Term { parts: vec![part] }])
}

fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|value| value as f32 * 0.5).collect()
}

/// A file of one dataset `d`.
fn one_dataset() -> Group {
    let dataset = Dataset { content: Content::Variable(0), attributes: vec![] };
    Group { children: vec![("d".into(), Node::Dataset(dataset))], ..Group::default() }
}

/// Writes a file of one dataset `d` with one and with several threads, and compares its elements.
fn check(sizes: &[usize], dtype: Dtype, value: impl Fn() -> Value, expected: &[u8]) {
    check_with(sizes, dtype, Arithmetic::default(), value, expected);
}

/// The same with arithmetic on the values.
fn check_with(
    sizes: &[usize],
    dtype: Dtype,
    arithmetic: Arithmetic,
    value: impl Fn() -> Value,
    expected: &[u8],
) {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape::new(sizes).unwrap();
    let tree = one_dataset();
    let write = |threads: usize| {
        let path = folder.path().join(threads.to_string());
        let binding = Binding { arithmetic, ..binding(0, dtype, value()) };
        let targets = [(&binding, &shape, "d".to_owned())];
        write_tree(tree.clone(), &targets, &path, &options(threads), &Silent { cancelled: false }).unwrap();
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

/// A term of one tensor of these elements.
fn term(dtype: Dtype, elements: &[&[u8]]) -> Term {
    let bytes = elements.concat();
    assert_eq!(bytes.len(), elements.len() * dtype.size());
    let source = LazyTensor {
        dtype,
        view: Strided::contiguous(Shape::new([elements.len()]).unwrap()),
        byte_order: ByteOrder::Little,
        storage: Bytes::held(bytes).into(),
    };
    let axes = vec![axis(elements.len(), 1, 1)];
    let copy = StridedCopy { axes: axes.into(), source_offset: 0, target_offset: 0 };
    Term { parts: vec![Part { key: StateDictKey::new("tensor"), source, copy, derivation: None }] }
}

/// The types of the terms decide the type they are added in, whatever the type of the file.
#[test]
fn adds_in_the_type_of_the_terms() {
    let low = 2_f64.powi(-24);
    let single = |value: f64| term(Dtype::F32, &[&(value as f32).to_le_bytes()]);
    let double = |value: f64| term(Dtype::F64, &[&value.to_le_bytes()]);
    let sum = |terms: &dyn Fn() -> Vec<Term>, dtype: Dtype, expected: &[u8]| {
        check(&[1], dtype, || Value::Gather(terms()), expected);
    };
    // Each of the small terms is lost in float32, and none in float64.
    let small = || vec![single(1.0), single(low), single(low)];
    sum(&small, Dtype::F32, &1_f32.to_le_bytes());
    sum(&small, Dtype::F64, &1_f64.to_le_bytes());
    let wide = || vec![double(1.0), single(low), double(low)];
    sum(&wide, Dtype::F64, &(1.0 + 2.0 * low).to_le_bytes());
    sum(&wide, Dtype::F32, &(1.0 + 2.0_f32.powi(-23)).to_le_bytes());
    // Just above a tie of float16, in float64 only.
    let above = || vec![double(1.0 + 2_f64.powi(-11)), double(2_f64.powi(-40))];
    sum(&above, Dtype::F16, &[0x01, 0x3C]);
    // More than float16 holds: in float32.
    let half = |bits: u16| term(Dtype::F16, &[&bits.to_le_bytes()]);
    let halves = || vec![half(0x3C00), half(0x0002)];
    sum(&halves, Dtype::F32, &(1.0 + 2_f32.powi(-23)).to_le_bytes());
    sum(&halves, Dtype::F16, &[0x00, 0x3C]);
    // Exactly: float64 has no odd numbers of this size.
    let large = || term(Dtype::I64, &[&((1_i64 << 53) + 1).to_le_bytes()]);
    let byte = || term(Dtype::U8, &[&[2]]);
    sum(&|| vec![large(), byte()], Dtype::I64, &((1_i64 << 53) + 3).to_le_bytes());
    sum(&|| vec![large(), large(), byte()], Dtype::F64, &(2_f64.powi(54) + 4.0).to_le_bytes());
    sum(&|| vec![single(1.0), large()], Dtype::F64, &9_007_199_254_740_992_f64.to_le_bytes());
}

/// Scale, offset and rounding follow the sum, each step in its type.
#[test]
fn computes_with_values() {
    let arithmetic =
        |scale: Option<f64>, offset: Option<f64>, round: Option<Dtype>| Arithmetic { scale, offset, round };
    // More than a tile, transposed.
    let (rows, columns) = (701, 503);
    let values: Vec<f32> = (0..rows * columns).map(|value| value as f32 * 1.1 - 9.0).collect();
    let value = || one(f32_part(&values, vec![axis(columns, 1, rows), axis(rows, columns, 1)], 0));
    let turned = (0..rows * columns).map(|at| values[at % rows * columns + at / rows]);
    let expected = f32_bytes(turned.map(|value| value * 0.3_f32 + 1.7_f32));
    check_with(&[columns, rows], Dtype::F32, arithmetic(Some(0.3), Some(1.7), None), value, &expected);

    let single = |value: f64| term(Dtype::F32, &[&(value as f32).to_le_bytes()]);
    let double = |value: f64| term(Dtype::F64, &[&value.to_le_bytes()]);
    let case = |terms: &dyn Fn() -> Vec<Term>, dtype, arithmetic, expected: &[u8]| {
        check_with(&[1], dtype, arithmetic, || Value::Gather(terms()), expected);
    };
    // In float32 the product is rounded before the offset is added, whatever the file holds.
    let (low, third) = (2_f64.powi(-23), 1.0 / 3.0);
    let one = || vec![single(1.0 + low)];
    let product = (1.0 + low) as f32 * third as f32;
    case(&one, Dtype::F64, arithmetic(Some(third), None, None), &f64::from(product).to_le_bytes());
    let product = (1.0 + low) * third;
    case(
        &|| vec![double(1.0 + low)],
        Dtype::F64,
        arithmetic(Some(third), None, None),
        &product.to_le_bytes(),
    );
    // The sum first.
    let two = || vec![single(1.0), single(2.0)];
    case(&two, Dtype::F32, arithmetic(Some(2.0), Some(-1.0), None), &5_f32.to_le_bytes());
    // A whole number is a float64.
    let whole = || vec![term(Dtype::I32, &[&16_777_217_i32.to_le_bytes()])];
    case(&whole, Dtype::F64, arithmetic(Some(1.0), None, None), &16_777_217_f64.to_le_bytes());
    // Through a smaller type and back: 1 + 2^-11 is a tie, that goes to the even of both.
    let tie = || vec![single(1.0 + 2_f64.powi(-11))];
    case(&tie, Dtype::F32, arithmetic(None, None, Some(Dtype::F16)), &1_f32.to_le_bytes());
    let tie = || vec![single(1.0 + 3.0 * 2_f64.powi(-8))];
    let expected = (1.0 + 2_f32.powi(-6)).to_le_bytes();
    case(&tie, Dtype::F32, arithmetic(None, None, Some(Dtype::Bf16)), &expected);
    case(
        &tie,
        Dtype::F32,
        arithmetic(None, Some(0.0), Some(Dtype::F16)),
        &(1.0 + 3.0 * 2_f32.powi(-8)).to_le_bytes(),
    );
    let zero = || vec![single(-0.0)];
    case(&zero, Dtype::F32, arithmetic(Some(2.0), None, None), &(-0_f32).to_le_bytes());
}

/// Whole numbers of any layout, over more than one tile.
#[test]
fn adds_whole_numbers() {
    let (rows, columns) = (701, 503);
    let value = || {
        let term_of = |shift: i32| {
            let elements: Vec<[u8; 4]> =
                (0..rows * columns).map(|at| (at as i32 - shift).to_le_bytes()).collect();
            let elements: Vec<&[u8]> = elements.iter().map(<[u8; 4]>::as_slice).collect();
            term(Dtype::I32, &elements)
        };
        let mut transposed = term_of(7);
        transposed.parts[0].copy.axes = [axis(columns, 1, rows), axis(rows, columns, 1)].as_slice().into();
        Value::Gather(vec![term_of(5), transposed])
    };
    let expected: Vec<u8> = (0..rows * columns)
        .flat_map(|at| ((at + at % rows * columns + at / rows) as i64 - 12).to_le_bytes())
        .collect();
    check(&[columns, rows], Dtype::I64, value, &expected);
}

#[test]
fn fills_constants() {
    check(&[3], Dtype::F32, || Value::Fill(1.5), &f32_bytes([1.5; 3]));
    check(&[2], Dtype::I16, || Value::Fill(-2.0), &[0xFE, 0xFF, 0xFE, 0xFF]);
    check(&[2], Dtype::Complex64, || Value::Fill(1.5), &f32_bytes([1.5, 0.0, 1.5, 0.0]));
}

#[test]
fn refuses_what_keras_cannot_load() {
    for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_loaded_by_keras()) {
        let folder = tempfile::tempdir().unwrap();
        let shape = Shape::new([2]).unwrap();
        let tree = one_dataset();
        let binding = binding(0, dtype, Value::Fill(1.0));
        let targets = [(&binding, &shape, "d".to_owned())];
        let silent = Silent { cancelled: false };
        let outcome = write_tree(tree.clone(), &targets, &folder.path().join("out.h5"), &options(1), &silent);
        let object = "/d".to_owned();
        let expected = EncodeError::ElementType { object, dtype };
        assert!(matches!(outcome, Err(Error::Encode(error)) if error == expected), "{dtype}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    std::fs::write(&path, "old").unwrap();
    let shape = Shape::new([1]).unwrap();
    let tree = one_dataset();
    let run = |value: f32, cancelled: bool| {
        let binding = binding(0, Dtype::F16, one(f32_part(&[value], vec![], 0)));
        let targets = [(&binding, &shape, "dense/kernel".to_owned())];
        write_tree(tree.clone(), &targets, &path, &options(2), &Silent { cancelled })
    };
    assert!(matches!(run(1.0, true), Err(Error::Cancelled)));
    assert!(matches!(run(1e6, false), Err(Error::Convert { variable, .. }) if variable == "dense/kernel"));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Writes a file of one dataset with one element; the error, or nothing.
fn write_one(binding: &Binding, allow_overflow: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape::new([1]).unwrap();
    let dataset = Dataset { content: Content::Variable(0), attributes: vec![] };
    let tree = Group { children: vec![("d".into(), Node::Dataset(dataset))], ..Group::default() };
    let targets = [(binding, &shape, "dense/bias".to_owned())];
    let options = WriteOptions { allow_overflow, ..options(1) };
    let path = folder.path().join("out.h5");
    match write_tree(tree, &targets, &path, &options, &Silent { cancelled: false }) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn arithmetic_beyond_its_type() {
    let run = |value: f32, arithmetic: Arithmetic, allow_overflow: bool| {
        let value = one(f32_part(&[value], vec![], 0));
        write_one(&Binding { arithmetic, ..binding(0, Dtype::F64, value) }, allow_overflow)
    };
    let scale = Arithmetic { scale: Some(4.0), ..Arithmetic::default() };
    let offset = Arithmetic { offset: Some(3e38), ..Arithmetic::default() };
    let round = Arithmetic { round: Some(Dtype::F16), ..Arithmetic::default() };
    for (value, arithmetic, dtype) in
        [(1e38, scale, "float32"), (3e38, offset, "float32"), (1e5, round, "float16")]
    {
        let message = run(value, arithmetic, false);
        assert!(message.starts_with("variable dense/bias: the value "), "{message}");
        assert!(message.ends_with(&format!("does not fit in {dtype}")), "{message}");
        assert_eq!(run(value, arithmetic, true), "");
        assert_eq!(run(f32::INFINITY, arithmetic, false), "");
    }
}

#[test]
fn sums_beyond_their_type() {
    let run = |terms: Vec<Term>, dtype: Dtype, allow_overflow: bool| {
        write_one(&binding(0, dtype, Value::Gather(terms)), allow_overflow)
    };
    let single = |value: f32| term(Dtype::F32, &[&value.to_le_bytes()]);
    let large = || vec![single(3e38), single(3e38), single(-3e38)];
    let message = run(large(), Dtype::F32, false);
    assert!(message.starts_with("variable dense/bias: the values 3"), "{message}");
    assert!(message.ends_with("have no sum in float32"), "{message}");
    assert_eq!(run(large(), Dtype::F64, false), message);
    assert_eq!(run(large(), Dtype::F32, true), "");
    // What is infinite already is none of the sum's doing.
    assert_eq!(run(vec![single(f32::INFINITY), single(1.0)], Dtype::F32, false), "");
    let byte = || term(Dtype::I8, &[&[100]]);
    for allow in [false, true] {
        assert_eq!(
            run(vec![byte(), byte()], Dtype::I8, allow),
            "variable dense/bias: the value 200 does not fit in int8"
        );
        assert_eq!(run(vec![byte(), byte()], Dtype::I16, allow), "");
    }
}

/// Trees whose names are distinct, with the number of datasets.
fn trees() -> impl Strategy<Value = Group> {
    let leaf = prop_oneof![
        2 => Just(Node::Dataset(Dataset { content: Content::Variable(0), attributes: vec![] })),
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
                      attributes: std::collections::BTreeMap<String, AttributeValue>| {
        // The first child has a second name.
        let alias = children.keys().next().map(|name| ("~".to_owned(), Node::Alias(name.clone())));
        Group {
            attributes: attributes
                .into_iter()
                .map(|(name, value)| Attribute { name: name.into(), value })
                .collect(),
            children: children.into_iter().chain(alias).map(|(name, node)| (name.into(), node)).collect(),
        }
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
            Node::Alias(of) => {
                let (_, node) = expected.children.iter().find(|(name, _)| name == of).unwrap();
                match node {
                    Node::Group(group) => compare(file, &path, group),
                    Node::Dataset(_) | Node::Alias(_) => {
                        assert_eq!(file.dataset(&path).unwrap().shape(), [2, 3]);
                    }
                }
            }
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
        (
            format!("layer_{index}").into(),
            Node::Dataset(Dataset { content: Content::Variable(index), attributes: vec![] }),
        )
    };
    let tree = Group { children: (0..9000).map(child).collect(), ..Group::default() };
    compare(&encode(&tree), "", &tree);
}
