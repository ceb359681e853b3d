//! Values into a laid-out file: workers take tiles, gather each into a buffer of their own and write it where
//! it belongs. What is written does not depend on who writes it, so neither do the file's bytes.
//!
//! A dataset with a source that has to be computed (an inflated record, a dequantized tensor) is done as one
//! piece, by one worker: it computes the sources, once, writes all tiles, and drops the sources unless its next
//! dataset reads the same. So at any time each worker holds the computed sources of one dataset: the memory
//! that takes is at most the number of threads times the largest sum of the computed storages that one dataset
//! reads.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::crew::share;
use crate::plan::{Binding, LoadedStorages, Part, Term, Value};
use crate::tensor::kernel::{ConvertError, convert, gather};
use crate::tensor::{ByteOrder, Dtype, StridedCopy, clip};

use super::jobs::{Work, needs_no_conversion, push_jobs, sort};
use super::tile::{TILE_BYTES, packed, target_runs, unpacked};
use super::write::hands;
use super::{Error, Progress, WriteOptions};

/// A dataset to be filled.
#[derive(Debug)]
pub struct Target<'a> {
    /// What with.
    pub binding: &'a Binding,
    /// Elements of the variable.
    pub numel: usize,
    /// The file.
    pub file: &'a File,
    /// Its name, for errors.
    pub path: &'a Path,
    /// Where in the file they start.
    pub offset: u64,
    /// The variable's path, for errors.
    pub name: &'a str,
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
    loaded: LoadedStorages,
}

/// Fills the datasets.
pub(super) fn fill(
    targets: &[Target<'_>],
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let mut jobs = Vec::with_capacity(targets.len());
    for target in targets {
        push_jobs(target, &mut jobs)?;
    }
    sort(&mut jobs);
    let mut tiles = 0;
    for job in &mut jobs {
        job.before = tiles;
        tiles += job.tiles;
    }

    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    // Of several tiles that fail at once the first is told, whoever was faster: tiles are taken in order.
    let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let work = |goes_on: &dyn Fn() -> bool| {
        let mut buffers = Buffers::default();
        while goes_on() && !stop.load(Ordering::Relaxed) {
            let tile = next.fetch_add(1, Ordering::Relaxed);
            if tile >= tiles {
                break;
            }
            let outcome = if progress.is_cancelled() {
                Err(Error::Cancelled)
            } else {
                let job = &jobs[jobs.partition_point(|job| job.before + job.tiles <= tile)];
                let writer = TileWriter { target: job.target, options, progress, stop: &stop };
                writer.run(&job.work, tile - job.before, &mut buffers)
            };
            if let Err(error) = outcome {
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                if failure.as_ref().is_none_or(|&(first, _)| tile < first) {
                    *failure = Some((tile, error));
                }
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    share(hands(options, progress), tiles, &work);
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), |(_, error)| Err(error))
}

/// The bytes of a part's source. A dataset whose sources are to be computed is not cut into tiles before they
/// are; no bytes at all would be too few for any gather.
fn ready(part: &Part) -> &[u8] {
    part.source.storage.ready().map_or(&[], |bytes| bytes.as_slice())
}

/// What writes one tile.
pub(super) struct TileWriter<'a> {
    pub(super) target: &'a Target<'a>,
    pub(super) options: &'a WriteOptions,
    progress: &'a dyn Progress,
    /// Whether another worker has failed.
    stop: &'a AtomicBool,
}

impl TileWriter<'_> {
    fn run(&self, work: &Work<'_>, index: usize, buffers: &mut Buffers) -> Result<(), Error> {
        match work {
            Work::Plain { source, at } => {
                let start = index * TILE_BYTES;
                let end = source.len().min(start + TILE_BYTES);
                self.write(&source[start..end], at + start)
            }
            Work::Boxes { part, grid } => self.write_box(part, &grid.tile(index), buffers),
            Work::Ranges { step } => {
                let start = index * step;
                let range = start..self.target.numel.min(start + step);
                match &self.target.binding.value {
                    Value::Fill(value) => self.write_constant(*value, &range, buffers),
                    Value::Gather(terms) => self.write_range(terms, &range, buffers),
                }
            }
            Work::Computed { .. } => self.write_computed(buffers),
        }
    }

    /// Writes a whole dataset whose sources are computed first.
    fn write_computed(&self, buffers: &mut Buffers) -> Result<(), Error> {
        let binding = self
            .target
            .binding
            .loaded(&mut buffers.loaded)
            .map_err(|source| Error::Source { variable: self.target.name.to_owned(), source })?;
        let target = Target { binding: &binding, ..*self.target };
        let writer = TileWriter { target: &target, ..*self };
        let mut jobs = Vec::new();
        push_jobs(&target, &mut jobs)?;
        for job in &jobs {
            for tile in 0..job.tiles {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                if self.progress.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                writer.run(&job.work, tile, buffers)?;
            }
        }
        Ok(())
    }

    fn write_box(&self, part: &Part, copy: &StridedCopy, buffers: &mut Buffers) -> Result<(), Error> {
        let dtype = self.target.binding.dtype;
        let packed = packed(copy);
        let bytes = self.pack(part, &packed, dtype, &mut buffers.gathered, &mut buffers.converted)?;
        let size = dtype.size();
        let (run, starts) = target_runs(copy);
        for (run, start) in bytes.chunks_exact(run * size).zip(starts) {
            self.write(run, start * size)?;
        }
        Ok(())
    }

    fn write_constant(&self, value: f64, range: &Range<usize>, buffers: &mut Buffers) -> Result<(), Error> {
        let dtype = self.target.binding.dtype;
        let mut element = [0; 16];
        let element = &mut element[..dtype.size()];
        let part = match dtype {
            // The imaginary part is left zero.
            Dtype::Complex64 => Dtype::F32,
            Dtype::Complex128 => Dtype::F64,
            _ => dtype,
        };
        if part.is_float() {
            let real = &mut element[..part.size()];
            self.convert(&value.to_le_bytes(), Dtype::F64, ByteOrder::Little, real, part)?;
        } else if part.is_complex() || part.is_small_float() {
            let source_dtype = Dtype::F64;
            return Err(self.convert_error(ConvertError::Unsupported { source_dtype, target: dtype }));
        } else {
            let whole = value as i64;
            if whole as f64 != value || i128::from(whole) != clamp_integer(whole, dtype) {
                let target = dtype;
                return Err(self.convert_error(ConvertError::Overflow { index: 0, value, target }));
            }
            element.copy_from_slice(&whole.to_le_bytes()[..dtype.size()]);
        }
        buffers.out.clear();
        for _ in range.clone() {
            buffers.out.extend_from_slice(element);
        }
        self.write(&buffers.out, range.start * dtype.size())
    }

    fn write_range(&self, terms: &[Term], range: &Range<usize>, buffers: &mut Buffers) -> Result<(), Error> {
        if let [term] = terms
            && self.target.binding.arithmetic.is_none()
        {
            let Buffers { gathered, converted, out, .. } = buffers;
            let dtype = self.target.binding.dtype;
            out.clear();
            out.resize(range.len() * dtype.size(), 0);
            self.assemble(term, range, dtype, gathered, converted, out)?;
        } else {
            self.add(terms, range, buffers)?;
        }
        self.write(&buffers.out, range.start * self.target.binding.dtype.size())
    }

    /// Puts what of a term lies in a range into a buffer for that range.
    pub(super) fn assemble(
        &self,
        term: &Term,
        range: &Range<usize>,
        dtype: Dtype,
        gathered: &mut Vec<u8>,
        converted: &mut Vec<u8>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        for part in &term.parts {
            let copy = part.copy.collapse();
            if copy.numel() == 0 {
                continue;
            }
            clip(&copy, range, &mut |mut copy| {
                copy.target_offset -= range.start;
                if needs_no_conversion(part, dtype) {
                    return self.gather(&copy, dtype.size(), ready(part), out);
                }
                let bytes = self.pack(part, &packed(&copy), dtype, gathered, converted)?;
                self.gather(&unpacked(&copy), dtype.size(), bytes, out)
            })?;
        }
        Ok(())
    }

    /// Gathers into a packed buffer and converts.
    pub(super) fn pack<'b>(
        &self,
        part: &Part,
        packed: &StridedCopy,
        dtype: Dtype,
        gathered: &'b mut Vec<u8>,
        converted: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Error> {
        let (numel, source) = (packed.numel(), &part.source);
        let len = numel * source.dtype.size();
        if gathered.len() < len {
            gathered.resize(len, 0);
        }
        let gathered = &mut gathered[..len];
        self.gather(packed, source.dtype.size(), ready(part), gathered)?;
        if needs_no_conversion(part, dtype) {
            return Ok(gathered);
        }
        converted.resize(numel * dtype.size(), 0);
        self.convert(gathered, source.dtype, source.byte_order, converted, dtype)?;
        Ok(converted)
    }

    fn gather(&self, copy: &StridedCopy, size: usize, source: &[u8], target: &mut [u8]) -> Result<(), Error> {
        gather(copy, size, source, target)
            .map_err(|source| Error::Gather { variable: self.target.name.to_owned(), source })
    }

    pub(super) fn convert(
        &self,
        source: &[u8],
        from: Dtype,
        order: ByteOrder,
        target: &mut [u8],
        to: Dtype,
    ) -> Result<(), Error> {
        convert(source, from, order, target, to, self.options.allow_overflow)
            .map_err(|source| self.convert_error(source))
    }

    pub(super) fn convert_error(&self, source: ConvertError) -> Error {
        Error::Convert { variable: self.target.name.to_owned(), source }
    }

    /// Writes to a place of the dataset.
    fn write(&self, bytes: &[u8], place: usize) -> Result<(), Error> {
        let Target { file, path, offset, .. } = *self.target;
        write_at(file, bytes, offset + place as u64)
            .map_err(|source| Error::Io { path: path.to_owned(), source })?;
        self.progress.advance(bytes.len() as u64);
        Ok(())
    }
}

/// The nearest value that an integer type holds.
fn clamp_integer(value: i64, dtype: Dtype) -> i128 {
    let value = i128::from(value);
    match dtype {
        Dtype::Bool => value.clamp(0, 1),
        Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => {
            value.clamp(0, (1_i128 << (8 * dtype.size())) - 1)
        }
        _ => {
            let end = 1_i128 << (8 * dtype.size() - 1);
            value.clamp(-end, end - 1)
        }
    }
}

/// Writes at a place of the file, from any thread.
#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, place)
}

/// Writes at a place of the file, from any thread.
#[cfg(windows)]
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut place: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, place)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                place += written as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::write_tree;
    use super::*;
    use crate::keras::file_layout::{Content, Dataset, Form, Group, Node};
    use crate::lazy::{LazyTensor, LoadError, Recipe, Storage};
    use crate::plan::{Provenance, Unreadable};
    use crate::tensor::{Arithmetic, CopyAxis, Shape, StateDictKey, Strided};

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
                axes: vec![axis(ROWS, rows, COLUMNS), axis(COLUMNS, columns, 1)],
                source_offset: 0,
                target_offset: 0,
            },
            derivation: None,
        }
    }

    /// Writes variables, each the sum of these parts.
    fn write(variables: Vec<Vec<Part>>, dtype: Dtype, threads: usize) -> Result<Vec<u8>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let shape = Shape::new([ROWS, COLUMNS]).unwrap();
        let binding = |(variable, parts): (usize, Vec<Part>)| {
            let terms = parts.into_iter().map(|part| Term { parts: vec![part] }).collect();
            let provenance = Provenance::Waiver("test".to_owned());
            Binding {
                variable,
                dtype,
                value: Value::Gather(terms),
                arithmetic: Arithmetic::default(),
                provenance,
                layout: String::new(),
            }
        };
        let bindings: Vec<_> = variables.into_iter().enumerate().map(binding).collect();
        let dataset =
            |variable| Node::Dataset(Dataset { content: Content::Variable(variable), attributes: vec![] });
        let children = (0..bindings.len()).map(|at| (at.to_string(), dataset(at))).collect();
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
        let ready: Vec<Storage> = (0..3).map(|at| crate::lazy::Bytes::held(bytes(at)).into()).collect();
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

    #[test]
    fn damage_leaves_nothing_behind() {
        let damaged = crate::lazy::Inflate {
            record: "data/0".to_owned(),
            compressed: crate::lazy::Bytes::held(vec![7; 99]),
            byte_len: ROWS * COLUMNS * 4,
            crc: None,
        };
        let damaged = Storage::computed(Recipe::Inflate(damaged));
        let whole = crate::lazy::Bytes::held(vec![0; ROWS * COLUMNS * 4]).into();
        let variables = vec![vec![part(&whole, true)], vec![part(&damaged, false)]];
        let error = write(variables, Dtype::F32, 2).unwrap_err();
        let Error::Source { variable, source: Unreadable { key, source } } = error else {
            panic!("{error}");
        };
        assert_eq!((variable.as_str(), key.to_string().as_str()), ("1", "matrix"));
        assert!(matches!(source, LoadError::Inflate { .. }));
    }
}
