//! Small datasets, which are written with their neighbours.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Counts bytes, and stops after so many.
struct Counter {
    bytes: AtomicU64,
    most: u64,
}

impl Progress for Counter {
    fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
    fn is_cancelled(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.most
    }
}

/// Datasets of so many bytes each, and their shapes.
fn tree_of(lens: &[usize]) -> (Group, Vec<Shape>) {
    let dataset = |at: usize| {
        (at.to_string().into(), Node::Dataset(Dataset { content: Content::Variable(at), attributes: vec![] }))
    };
    let tree = Group { children: (0..lens.len()).map(dataset).collect(), ..Group::default() };
    (tree, lens.iter().map(|&len| Shape::new([len]).unwrap()).collect())
}

/// None of them is zero, as what is between datasets.
fn values_of(at: usize, len: usize) -> Vec<u8> {
    (0..len).map(|byte| (byte * 7 + at) as u8 | 1).collect()
}

/// Writes datasets of bytes of these lengths, and returns the file's bytes and what was counted.
fn write_many(lens: &[usize], threads: usize, most: u64) -> (Result<Vec<u8>, Error>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (tree, shapes) = tree_of(lens);
    let value = |at: usize, len: usize| {
        let bytes = values_of(at, len);
        let source = LazyTensor {
            dtype: Dtype::U8,
            view: Strided::contiguous(shapes[at].clone()),
            byte_order: ByteOrder::Little,
            storage: Bytes::held(bytes).into(),
        };
        let copy = StridedCopy { axes: vec![axis(len, 1, 1)].into(), source_offset: 0, target_offset: 0 };
        one(Part { key: StateDictKey::new("t"), source, copy, derivation: None })
    };
    let bindings: Vec<Binding> =
        lens.iter().enumerate().map(|(at, &len)| binding(at, Dtype::U8, value(at, len))).collect();
    let targets: Vec<_> = bindings
        .iter()
        .map(|binding| (binding, &shapes[binding.variable], binding.variable.to_string()))
        .collect();
    let path = folder.path().join("many.h5");
    let counter = Counter { bytes: AtomicU64::new(0), most };
    let written = write_tree(tree, &targets, &path, &options(threads), &counter);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), usize::from(written.is_ok()));
    (written.map(|_| std::fs::read(path).unwrap()), counter.bytes.into_inner())
}

/// Datasets on either side of what is small, which are written with their neighbours, and of a line, with others
/// between them: every byte of the file, those between datasets too, is as without neighbours.
#[test]
fn small_datasets() {
    let mut lens =
        vec![1, 63, 64, 65, 0, 16 << 10, (16 << 10) - 1, (16 << 10) + 1, 9, 300_000, 7, 128, 0, 127];
    // More than are written at a time, and more than are taken at a time.
    lens.extend((0..900).map(|at| at % 1201 + 1));
    let (bytes, counted) = write_many(&lens, 1, u64::MAX);
    let bytes = bytes.unwrap();
    assert_eq!(counted, lens.iter().sum::<usize>() as u64);
    let (tree, shapes) = tree_of(&lens);
    let extent = |content| match content {
        Content::Variable(at) => Some(ptw2k::writer::hdf5::Extent { dtype: Dtype::U8, shape: &shapes[at] }),
        Content::Carried(_) => None,
    };
    let encoded = ptw2k::writer::hdf5::encode(&tree, &extent).unwrap();
    let mut expected = encoded.structure;
    expected.resize(usize::try_from(encoded.len).unwrap(), 0);
    for (content, place) in encoded.datasets {
        let Content::Variable(at) = content else { panic!("{content:?}") };
        let place = usize::try_from(place).unwrap();
        expected[place..place + lens[at]].copy_from_slice(&values_of(at, lens[at]));
    }
    assert!(bytes == expected);
    for threads in [2, 3, 8] {
        let (other, counted) = write_many(&lens, threads, u64::MAX);
        assert!(other.unwrap() == bytes, "{threads} threads");
        assert_eq!(counted, lens.iter().sum::<usize>() as u64);
    }
}

/// Also where all that is counted was held back up to the end.
#[test]
fn stops_by_what_was_counted() {
    for lens in [&[9, 5][..], &[400_000, 9], &[9; 3000]] {
        for threads in [1, 4] {
            let (written, _) = write_many(lens, threads, 0);
            assert!(matches!(written, Err(Error::Cancelled)), "{lens:?} by {threads}");
        }
    }
}

/// Whole, and small, and of rows that are far apart in the worker's buffer.
#[test]
fn a_small_dataset_of_several_pieces() {
    for (rows, columns) in [(4, 1024), (1024, 4), (2, 2048)] {
        let values = ramp(rows * columns);
        let axes = vec![axis(columns, 1, rows), axis(rows, columns, 1)];
        let turned = (0..rows * columns).map(|place| values[place % rows * columns + place / rows]);
        let expected = f32_bytes(turned);
        check(&[columns, rows], Dtype::F32, || one(f32_part(&values, axes.clone(), 0)), &expected);
    }
}
