//! Values into a laid-out file: workers take tiles, gather each into a buffer of their own and write it where
//! it belongs. What is written does not depend on who writes it, so neither do the file's bytes.
//!
//! Large tiles are taken one at a time. Small datasets come last, in the order of the file, and a worker takes a turn of
//! many at a time: what follows one another in the file is written with one call.
//!
//! A dataset with a source that has to be computed (an inflated record, a dequantized tensor) is done as one
//! piece, by one worker: it computes the sources, once, writes all tiles, and drops the sources unless its next
//! dataset reads the same. So at any time each worker holds the computed sources of one dataset: the memory
//! that takes is at most the number of threads times the largest sum of the computed storages that one dataset
//! reads.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::crew::share;
use crate::plan::{Binding, LoadedStorages};

use super::ahead::Ahead;
use super::jobs::Job;
use super::outbox::Outbox;
use super::outlet::Outlet;
use super::tile_writer::TileWriter;
use super::write::hands;
use super::{Error, Progress, WriteOptions};

/// Bytes that another thread is begun for: beginning one takes as long as writing a few hundred kilobytes.
const WORTH_A_THREAD_BYTES: usize = 1 << 20;

/// Bytes that are written in the time that finding out what a tile is takes.
const TILE_COSTS_BYTES: usize = 4 << 10;

/// Small datasets that a worker takes at a time: they follow one another in the file, and are written together.
const SMALL_AT_A_TIME: usize = 256;

/// A dataset to be filled.
pub(super) struct Target<'a> {
    /// What with.
    pub(super) binding: &'a Binding,
    /// Elements of the variable.
    pub(super) numel: usize,
    /// The file.
    pub(super) outlet: &'a Outlet<'a>,
    /// Where in the file they start.
    pub(super) offset: u64,
    /// The variable's path, for errors.
    pub(super) name: &'a (dyn Display + Sync),
}

/// A worker's memory, kept from tile to tile.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) gathered: Vec<u8>,
    pub(super) converted: Vec<u8>,
    pub(super) term: Vec<u8>,
    pub(super) sums: Vec<f64>,
    pub(super) whole_sums: Vec<i128>,
    pub(super) out: Vec<u8>,
    pub(super) loaded: LoadedStorages,
}

/// Does the jobs, which are sorted, in tiles of no more than `largest_tile` bytes.
pub(super) fn fill(
    jobs: &[Job<'_>],
    largest_tile: usize,
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let tiles = jobs.last().map_or(0, |last| last.before + last.tiles);
    let large = jobs.iter().rev().find(|job| !job.is_small()).map_or(0, |last| last.before + last.tiles);
    let turns = large + (tiles - large).div_ceil(SMALL_AT_A_TIME);
    let tiles_of = |turn: usize| match turn.checked_sub(large) {
        None => turn..turn + 1,
        Some(small) => {
            let first = large + small * SMALL_AT_A_TIME;
            first..tiles.min(first + SMALL_AT_A_TIME)
        }
    };

    let hands = hands(options, progress);
    let ahead = hands.are_several().then(|| Ahead::of(jobs)).flatten();
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    // Of several tiles that fail at once the first is told, whoever was faster: turns are taken in order, and one that
    // is taken is done up to its own failure, whatever others meet. (A tile that cannot be written may be told of as a
    // later one.)
    let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let work = |goes_on: &dyn Fn() -> bool| {
        let mut buffers = Buffers::default();
        let mut outbox = Outbox::new(progress, largest_tile);
        let fail = |tile, error| {
            let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
            if failure.as_ref().is_none_or(|&(first, _)| tile < first) {
                *failure = Some((tile, error));
            }
            stop.store(true, Ordering::Relaxed);
        };
        while goes_on() && !stop.load(Ordering::Relaxed) {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= turns {
                break;
            }
            for tile in tiles_of(turn) {
                let place = jobs.partition_point(|job| job.before + job.tiles <= tile);
                let job = &jobs[place];
                if let Some(ahead) = &ahead {
                    ahead.wait(place, job.source_bytes(tile - job.before));
                }
                let outcome = if progress.is_cancelled() {
                    Err(Error::Cancelled)
                } else {
                    let writer = TileWriter {
                        target: job.target,
                        outlet: job.target.outlet,
                        is_small: job.is_small(),
                        largest_tile,
                        options,
                        progress,
                        stop: &stop,
                    };
                    writer.run(&job.work, tile - job.before, &mut buffers, &mut outbox)
                };
                if let Err(error) = outcome {
                    fail(tile, error);
                    break;
                }
            }
        }
        if !stop.load(Ordering::Relaxed) {
            // What was held back is told of only now, and may be what the caller stops for.
            let stops = || if progress.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) };
            if let Err(error) = outbox.finish().and_then(|()| stops()) {
                fail(tiles, error);
            }
        }
    };
    // No more threads than are worth beginning.
    let bytes = jobs.iter().map(|job| job.bytes).sum::<usize>() + tiles * TILE_COSTS_BYTES;
    let fill = || share(hands, turns.min(1 + bytes / WORTH_A_THREAD_BYTES), &work);
    match &ahead {
        Some(ahead) => {
            ahead.read_beside(&|| stop.load(Ordering::Relaxed) || progress.is_cancelled(), fill);
        }
        None => fill(),
    }
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), |(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::jobs::jobs;
    use super::super::write_tree;
    use super::*;
    use crate::keras::file_layout::{Content, Dataset, Form, Group, Node};
    use crate::lazy::{Bytes, LazyTensor, LoadError, Recipe, Resolve, Storage};
    use crate::plan::{Part, Provenance, Term, Unreadable, Value};
    use crate::tensor::{Arithmetic, ByteOrder, CopyAxis, Dtype, Shape, StateDictKey, Strided, StridedCopy};

    const ROWS: usize = 170;
    const COLUMNS: usize = 1300;

    /// A matrix of `float32` over a computed storage, turned or not.
    fn part(storage: &Storage, turned: bool) -> Part {
        let shape = Shape::new([ROWS, COLUMNS]).unwrap();
        let (rows, columns) = if turned { (1, ROWS) } else { (COLUMNS, 1) };
        let axis = |size, source_stride, target_stride| CopyAxis { size, source_stride, target_stride };
        Part {
            key: StateDictKey::new("matrix"),
            source: LazyTensor {
                dtype: Dtype::F32,
                view: Strided::contiguous(shape),
                byte_order: ByteOrder::Little,
                storage: storage.clone(),
            },
            copy: StridedCopy {
                axes: vec![axis(ROWS, rows, COLUMNS), axis(COLUMNS, columns, 1)].into(),
                source_offset: 0,
                target_offset: 0,
            },
            derivation: None,
        }
    }

    /// A variable that is the sum of these parts.
    fn binding(variable: usize, parts: Vec<Part>, dtype: Dtype) -> Binding {
        let terms = parts.into_iter().map(|part| Term { parts: vec![part] }).collect();
        Binding {
            variable,
            dtype,
            value: Value::Gather(terms),
            arithmetic: Arithmetic::default(),
            provenance: Provenance::Waiver("test".to_owned()),
            layout: "".into(),
        }
    }

    /// Writes variables, each the sum of these parts.
    fn write(variables: Vec<Vec<Part>>, dtype: Dtype, threads: usize) -> Result<Vec<u8>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let shape = Shape::new([ROWS, COLUMNS]).unwrap();
        let bindings: Vec<_> =
            variables.into_iter().enumerate().map(|(at, parts)| binding(at, parts, dtype)).collect();
        let dataset =
            |variable| Node::Dataset(Dataset { content: Content::Variable(variable), attributes: vec![] });
        let children = (0..bindings.len()).map(|at| (at.to_string().into(), dataset(at))).collect();
        let tree = Group { children, ..Group::default() };
        let targets: Vec<_> =
            bindings.iter().map(|binding| (binding, &shape, binding.variable.to_string())).collect();
        let options = WriteOptions { form: Form::default(), threads: Some(threads), allow_overflow: false };
        let path = folder.path().join("out.h5");
        let outcome = write_tree(tree, &targets, &path, &options, &());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), usize::from(outcome.is_ok()));
        outcome.map(|_| std::fs::read(path).unwrap())
    }

    /// The same file as from bytes that are there, with sources computed so often at most.
    fn check(variables: &[&[(usize, bool)]], dtype: Dtype, threads: usize, times: usize) {
        let bytes = |which: usize| -> Vec<u8> {
            (0..ROWS * COLUMNS).flat_map(|at| ((at % 911 + which) as f32).to_le_bytes()).collect()
        };
        let count = Arc::new(AtomicUsize::new(0));
        let computed: Vec<Storage> =
            (0..3).map(|at| Storage::computed(Recipe::Counted(bytes(at), Arc::clone(&count)))).collect();
        let ready: Vec<Storage> = (0..3).map(|at| Bytes::held(bytes(at)).into()).collect();
        let of = |storages: &[Storage]| -> Vec<Vec<Part>> {
            let parts = |parts: &&[(usize, bool)]| {
                parts.iter().map(|&(at, turned)| part(&storages[at], turned)).collect()
            };
            variables.iter().map(parts).collect()
        };
        let expected = write(of(&ready), dtype, 1).unwrap();
        assert!(write(of(&computed), dtype, threads).unwrap() == expected, "{variables:?}");
        let found = count.load(Ordering::Relaxed);
        assert_eq!(found, times, "{variables:?} as {dtype} by {threads}");
    }

    #[test]
    fn sources_are_computed_once_for_a_variable() {
        for dtype in [Dtype::F32, Dtype::Bf16] {
            for threads in [1, 3] {
                check(&[&[(0, false)]], dtype, threads, 1);
                check(&[&[(0, true)], &[(1, false)]], dtype, threads, 2);
                check(&[&[(0, true), (0, false), (1, true)]], dtype, threads, 2);
            }
            // One worker holds what its next variable reads too.
            check(&[&[(0, true)], &[(1, false)], &[(0, false)], &[(2, true)], &[(1, true)]], dtype, 1, 3);
        }
    }

    /// The same file from files that were put out of the page cache, whatever is done with them.
    #[cfg(target_os = "linux")]
    #[test]
    fn cold_input() {
        let folder = tempfile::tempdir().unwrap();
        let cold = |which: usize| -> Storage {
            let bytes: Vec<u8> =
                (0..ROWS * COLUMNS).flat_map(|at| ((at % 977 + which) as f32).to_le_bytes()).collect();
            crate::lazy::evicted(&folder.path().join(which.to_string()), &bytes).into()
        };
        let whole = |storage: &Storage| -> Storage {
            Bytes::held(storage.load().unwrap().as_slice().to_vec()).into()
        };
        let variables = |storages: &[Storage]| -> Vec<Vec<Part>> {
            let [one, two, three] = storages else { unreachable!() };
            let opposite = Resolve::new(part(three, false).source, false, true).unwrap();
            let negative = part(&Storage::computed(Recipe::Resolve(opposite)), true);
            vec![
                vec![part(one, false)],
                vec![part(two, true)],
                vec![part(one, true), part(three, false)],
                vec![negative],
            ]
        };
        for threads in [2, 3] {
            for dtype in [Dtype::F32, Dtype::F16] {
                let storages: Vec<Storage> = (0..3).map(cold).collect();
                let written = write(variables(&storages), dtype, threads).unwrap();
                let ready: Vec<Storage> = storages.iter().map(whole).collect();
                assert!(written == write(variables(&ready), dtype, 1).unwrap(), "{dtype} by {threads}");
            }
        }
    }

    /// What is not in the page cache is read ahead, whatever is done with it; what is, is not.
    #[cfg(target_os = "linux")]
    #[test]
    fn cold_input_is_read_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![7; ROWS * COLUMNS * 4];
        let part_of = |file: &Bytes, turned| part(&file.clone().into(), turned);
        let warm = |turned| part_of(&Bytes::held(bytes.clone()), turned);
        let of = |parts: Vec<Part>, dtype| {
            let binding = binding(0, parts, dtype);
            let output = tempfile::tempfile().unwrap();
            let outlet = Outlet::new(&output, folder.path());
            let targets =
                [Target { binding: &binding, numel: ROWS * COLUMNS, outlet: &outlet, offset: 0, name: &"x" }];
            Ahead::of(&jobs(&targets, 1 << 19).unwrap()).is_some()
        };
        for dtype in [Dtype::F32, Dtype::Bf16] {
            for turned in [false, true] {
                assert!(!of(vec![warm(turned)], dtype));
                let alone = |file: &Bytes| vec![part_of(file, turned)];
                let one_of_two = |file: &Bytes| vec![warm(true), part_of(file, turned)];
                let computed = |file: &Bytes| {
                    let opposite = Resolve::new(part_of(file, false).source, false, true).unwrap();
                    vec![part(&Storage::computed(Recipe::Resolve(opposite)), turned)]
                };
                crate::lazy::check_cold(folder.path(), &bytes, |file| of(alone(file), dtype));
                crate::lazy::check_cold(folder.path(), &bytes, |file| of(one_of_two(file), dtype));
                crate::lazy::check_cold(folder.path(), &bytes, |file| of(computed(file), dtype));
            }
        }
    }

    #[test]
    fn damage_leaves_nothing_behind() {
        let damaged = crate::lazy::Inflate {
            record: "data/0".to_owned(),
            compressed: Bytes::held(vec![7; 99]),
            byte_len: ROWS * COLUMNS * 4,
            crc: None,
        };
        let damaged = Storage::computed(Recipe::Inflate(damaged));
        let whole = Bytes::held(vec![0; ROWS * COLUMNS * 4]).into();
        let variables = vec![vec![part(&whole, true)], vec![part(&damaged, false)]];
        let error = write(variables, Dtype::F32, 2).unwrap_err();
        let Error::Source { variable, source: Unreadable { key, source } } = error else {
            panic!("{error}");
        };
        assert_eq!((variable.as_str(), key.to_string().as_str()), ("1", "matrix"));
        assert!(matches!(source, LoadError::Inflate { .. }));
    }
}
