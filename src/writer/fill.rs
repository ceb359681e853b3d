//! Values into a laid-out file: workers take tiles, gather each into a buffer of their own and write it where
//! it belongs. What is written does not depend on who writes it, so neither do the file's bytes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::lazy::{Bytes, LazyTensor};
use crate::plan::{Binding, Part, Term, Value};
use crate::tensor::kernel::{ConvertError, convert, gather};
use crate::tensor::{ByteOrder, Dtype, StridedCopy, clip};

use super::tile::{Grid, TILE_BYTES, has_long_runs, packed, target_runs, unpacked};
use super::{Error, Progress, WriteOptions};

/// A dataset to be filled.
#[derive(Debug)]
pub struct Target<'a> {
    /// What with.
    pub binding: &'a Binding,
    /// Elements of the variable.
    pub numel: usize,
    /// Where in the file they start.
    pub offset: u64,
    /// The variable's path, for errors.
    pub name: &'a str,
}

/// Tiles of a dataset that are done in one way.
struct Job<'a> {
    target: &'a Target<'a>,
    work: Work<'a>,
    /// The tiles of all jobs before it.
    before: usize,
    tiles: usize,
    bytes: usize,
}

enum Work<'a> {
    /// From the mapping as it is: bytes of the source, and where in the dataset they go.
    Plain { source: &'a [u8], at: usize },
    /// One part on its own, box by box.
    Boxes { part: &'a Part, grid: Grid },
    /// Everything, range by range of so many elements.
    Ranges { step: usize },
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
}

/// Fills the datasets.
pub(super) fn fill(
    file: &File,
    path: &Path,
    targets: &[Target<'_>],
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let mut jobs = Vec::with_capacity(targets.len());
    for target in targets {
        push_jobs(target, &mut jobs)?;
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
    let mut tiles = 0;
    for job in &mut jobs {
        job.before = tiles;
        tiles += job.tiles;
    }

    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let work = || {
        let mut buffers = Buffers::default();
        while !stop.load(Ordering::Relaxed) {
            let tile = next.fetch_add(1, Ordering::Relaxed);
            if tile >= tiles {
                break;
            }
            let outcome = if progress.is_cancelled() {
                Err(Error::Cancelled)
            } else {
                let job = &jobs[jobs.partition_point(|job| job.before + job.tiles <= tile)];
                let writer = TileWriter { file, path, target: job.target, options, progress };
                writer.run(&job.work, tile - job.before, &mut buffers)
            };
            if let Err(error) = outcome {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or_else(cores).clamp(1, tiles.max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that the system refuses is done without.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn push_jobs<'a>(target: &'a Target<'a>, jobs: &mut Vec<Job<'a>>) -> Result<(), Error> {
    if target.numel == 0 {
        return Ok(());
    }
    let size = target.binding.dtype.size();
    let mut push = |work, tiles, bytes| jobs.push(Job { target, work, before: 0, tiles, bytes });
    if let Value::Gather(terms) = &target.binding.value {
        for part in terms.iter().flat_map(|term| &term.parts) {
            check_target(target, &part.copy)?;
        }
        if let [Term { parts }] = terms.as_slice()
            && parts.iter().all(|part| has_long_runs(&part.copy, size))
        {
            for part in parts {
                let bytes = part.copy.numel() * size;
                if let Some((source, at)) = plain(part, target.binding.dtype) {
                    push(Work::Plain { source, at }, bytes.div_ceil(TILE_BYTES), bytes);
                } else if bytes > 0 {
                    let grid = Grid::new(&part.copy, size.max(part.source.dtype.size()));
                    let tiles = grid.len();
                    push(Work::Boxes { part, grid }, tiles, bytes);
                }
            }
            return Ok(());
        }
    }
    // Wide enough for the sums, which are added as eight bytes.
    let step = TILE_BYTES / 8;
    push(Work::Ranges { step }, target.numel.div_ceil(step), target.numel * size);
    Ok(())
}

/// The bytes of a part that a file holds just as its tensor does, and where they go in bytes.
fn plain(part: &Part, dtype: Dtype) -> Option<(&[u8], usize)> {
    let size = dtype.size();
    let copy = part.copy.collapse();
    let contiguous = match copy.axes.as_slice() {
        [] => true,
        [axis] => axis.source_stride == 1 && axis.target_stride == 1,
        _ => false,
    };
    if !contiguous || !needs_no_conversion(part, dtype) {
        return None;
    }
    let start = copy.source_offset.checked_mul(size)?;
    let end = start.checked_add(copy.numel().checked_mul(size)?)?;
    Some((part.source.storage.ready()?.as_slice().get(start..end)?, copy.target_offset * size))
}

fn needs_no_conversion(part: &Part, dtype: Dtype) -> bool {
    let source = &part.source;
    source.dtype == dtype
        && dtype != Dtype::Bool
        && (source.byte_order == ByteOrder::Little || dtype.size() == 1)
}

/// Whether the copy stays within the variable, so that no dataset is written into another.
fn check_target(target: &Target<'_>, copy: &StridedCopy) -> Result<(), Error> {
    if copy.axes.iter().any(|axis| axis.size == 0) {
        return Ok(());
    }
    let last = copy.axes.iter().try_fold(copy.target_offset, |last, axis| {
        last.checked_add((axis.size - 1).checked_mul(axis.target_stride)?)
    });
    if last.is_some_and(|last| last < target.numel) {
        return Ok(());
    }
    let source = crate::tensor::kernel::GatherError::TargetTooShort {
        bytes: target.numel * target.binding.dtype.size(),
    };
    Err(Error::Gather { variable: target.name.to_owned(), source })
}

/// What writes one tile.
pub(super) struct TileWriter<'a> {
    file: &'a File,
    path: &'a Path,
    pub(super) target: &'a Target<'a>,
    pub(super) options: &'a WriteOptions,
    progress: &'a dyn Progress,
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
        }
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
        let mut element = [0; 8];
        let element = &mut element[..dtype.size()];
        if dtype.is_float() {
            self.convert(&value.to_le_bytes(), Dtype::F64, ByteOrder::Little, element, dtype)?;
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
        if let [term] = terms {
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
                    return self.gather(&copy, dtype.size(), self.load(&part.source)?.as_slice(), out);
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
        self.gather(packed, source.dtype.size(), self.load(source)?.as_slice(), gathered)?;
        if needs_no_conversion(part, dtype) {
            return Ok(gathered);
        }
        converted.resize(numel * dtype.size(), 0);
        self.convert(gathered, source.dtype, source.byte_order, converted, dtype)?;
        Ok(converted)
    }

    fn load(&self, source: &LazyTensor) -> Result<Bytes, Error> {
        source
            .storage
            .load()
            .map_err(|source| Error::Source { variable: self.target.name.to_owned(), source })
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
        write_at(self.file, bytes, self.target.offset + place as u64)
            .map_err(|source| Error::Io { path: self.path.to_owned(), source })?;
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
