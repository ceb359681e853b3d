//! Values into a laid-out file: workers take tiles, gather each into a buffer of their own and write it where
//! it belongs. What is written does not depend on who writes it, so neither do the file's bytes.
//!
//! Terms are added in the type that the types of all of them decide, in their order, and the sum is then
//! converted to the type of the file, whatever that is:
//!
//! | terms | added in |
//! |---|---|
//! | whole numbers and `bool` alone | whole numbers, exactly |
//! | floats of 16 and 32 bits alone | `float32`, every step rounded |
//! | any others | `float64`, every step rounded |
//!
//! So `float32` and `float64` are added as PyTorch does. It rounds sums of the 16-bit floats to 16 bits, adds
//! whole numbers to floats in the float's type, and wraps whole numbers around; here they keep their bits. A
//! sum of finite values that is beyond the type it is added in is an error, unless overflow is allowed; a sum
//! of whole numbers that the file's whole type does not hold always is.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::plan::{Binding, Part, Term, Value};
use crate::tensor::kernel::{ConvertError, add_whole, convert, convert_whole, gather};
use crate::tensor::{ByteOrder, Dtype, StridedCopy};

use super::tile::{Grid, TILE_BYTES, clip, has_long_runs, packed, target_runs, unpacked};
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
struct Buffers {
    gathered: Vec<u8>,
    converted: Vec<u8>,
    term: Vec<u8>,
    sums: Vec<f64>,
    whole_sums: Vec<i128>,
    out: Vec<u8>,
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
    Some((part.source.bytes.as_slice().get(start..end)?, copy.target_offset * size))
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
struct TileWriter<'a> {
    file: &'a File,
    path: &'a Path,
    target: &'a Target<'a>,
    options: &'a WriteOptions,
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
            let mut dtypes = terms.iter().flat_map(|term| &term.parts).map(|part| part.source.dtype);
            if dtypes.clone().any(Dtype::is_float) {
                let narrow = dtypes.all(|dtype| dtype.is_float() && dtype != Dtype::F64);
                let dtype = if narrow { Dtype::F32 } else { Dtype::F64 };
                self.add_floats(terms, range, dtype, buffers)?;
            } else {
                self.add_whole(terms, range, buffers)?;
            }
        }
        self.write(&buffers.out, range.start * self.target.binding.dtype.size())
    }

    /// Adds terms in `float32` or `float64`, and converts the sums.
    fn add_floats(
        &self,
        terms: &[Term],
        range: &Range<usize>,
        dtype: Dtype,
        buffers: &mut Buffers,
    ) -> Result<(), Error> {
        let Buffers { gathered, converted, term: sum_term, sums, out, .. } = buffers;
        sums.clear();
        sums.resize(range.len(), 0.0);
        for (index, term) in terms.iter().enumerate() {
            sum_term.clear();
            sum_term.resize(range.len() * size_of::<f64>(), 0);
            self.assemble(term, range, Dtype::F64, gathered, converted, sum_term)?;
            for (sum, bytes) in sums.iter_mut().zip(sum_term.as_chunks().0) {
                let value = f64::from_le_bytes(*bytes);
                // The first is not added to a zero: -0.0 stays.
                let mut next = if index == 0 { value } else { *sum + value };
                if dtype == Dtype::F32 {
                    // A sum of two `float32` in `float64`, rounded, is their sum in `float32`.
                    next = f64::from(next as f32);
                }
                if !next.is_finite() && sum.is_finite() && value.is_finite() && !self.options.allow_overflow {
                    return Err(self.convert_error(ConvertError::SumOverflow {
                        one: *sum,
                        other: value,
                        dtype,
                    }));
                }
                *sum = next;
            }
        }
        for (bytes, sum) in sum_term.as_chunks_mut().0.iter_mut().zip(sums) {
            *bytes = sum.to_le_bytes();
        }
        let target = self.target.binding.dtype;
        out.clear();
        out.resize(range.len() * target.size(), 0);
        self.convert(sum_term, Dtype::F64, ByteOrder::Little, out, target)
    }

    /// Adds terms of whole numbers, and converts the sums.
    fn add_whole(&self, terms: &[Term], range: &Range<usize>, buffers: &mut Buffers) -> Result<(), Error> {
        let Buffers { gathered, converted, whole_sums: sums, out, .. } = buffers;
        sums.clear();
        sums.resize(range.len(), 0);
        for part in terms.iter().flat_map(|term| &term.parts).filter(|part| part.copy.numel() > 0) {
            clip(&part.copy.collapse(), range, &mut |mut copy| {
                copy.target_offset -= range.start;
                let dtype = part.source.dtype;
                let bytes = self.pack(part, &packed(&copy), dtype, gathered, converted)?;
                let (run, starts) = target_runs(&copy);
                for (bytes, start) in bytes.chunks_exact(run * dtype.size()).zip(starts) {
                    add_whole(bytes, dtype, ByteOrder::Little, &mut sums[start..start + run]);
                }
                Ok::<(), Error>(())
            })?;
        }
        let dtype = self.target.binding.dtype;
        out.clear();
        out.resize(range.len() * dtype.size(), 0);
        convert_whole(sums, out, dtype, self.options.allow_overflow)
            .map_err(|source| self.convert_error(source))
    }

    /// Puts what of a term lies in a range into a buffer for that range.
    fn assemble(
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
                    return self.gather(&copy, dtype.size(), part.source.bytes.as_slice(), out);
                }
                let bytes = self.pack(part, &packed(&copy), dtype, gathered, converted)?;
                self.gather(&unpacked(&copy), dtype.size(), bytes, out)
            })?;
        }
        Ok(())
    }

    /// Gathers into a packed buffer and converts.
    fn pack<'b>(
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
        self.gather(packed, source.dtype.size(), source.bytes.as_slice(), gathered)?;
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

    fn convert(
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

    fn convert_error(&self, source: ConvertError) -> Error {
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
