//! How the datasets of a file are cut into jobs, and these into tiles.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::Error;
use super::fill::Target;
use super::grid::{ElementSizes, Grid, TILE_BYTES, has_long_runs};
use crate::plan::{Part, Term, Value};
use crate::tensor::{ByteOrder, Dtype, StridedCopy};

/// Bytes of a dataset that is not worth a call of the system of its own: copying them takes a fraction of one.
const SMALL_BYTES: usize = 16 * 1024;

/// Tiles of a dataset that are done in one way.
pub(super) struct Job<'a> {
    pub(super) target: &'a Target<'a>,
    pub(super) work: Work<'a>,
    /// The tiles of all jobs before it.
    pub(super) before: usize,
    pub(super) tiles: usize,
    pub(super) bytes: usize,
}

impl Job<'_> {
    /// Whether it fills a whole dataset of few bytes.
    pub(super) fn is_small(&self) -> bool {
        let whole = self.target.numel * self.target.binding.dtype.size();
        whole <= SMALL_BYTES && self.bytes == whole && !matches!(self.work, Work::Computed { .. })
    }
}

/// How.
pub(super) enum Work<'a> {
    /// From the mapping as it is: bytes of the source, and where in the dataset they go.
    Plain { source: &'a [u8], at: usize },
    /// One part on its own, box by box.
    Boxes { part: &'a Part, grid: Grid },
    /// Everything, range by range of so many elements.
    Ranges { step: usize },
    /// Everything as one tile, from sources that are computed first: this one and perhaps others.
    Computed { first: usize },
}

/// The jobs of all datasets, in the order in which they are to be done, in tiles of no more than `largest` bytes.
pub(super) fn jobs<'a>(targets: &'a [Target<'a>], largest: usize) -> Result<Vec<Job<'a>>, Error> {
    let mut jobs = Vec::with_capacity(targets.len());
    for target in targets {
        push_jobs(target, largest, &mut jobs)?;
    }
    sort(&mut jobs);
    let mut tiles = 0;
    for job in &mut jobs {
        job.before = tiles;
        tiles += job.tiles;
    }
    Ok(jobs)
}

/// The largest first, so that the workers end at about the same time; but those that read the same computed
/// source follow each other. The small ones come last, as they lie in the file.
fn sort(jobs: &mut [Job<'_>]) {
    jobs.sort_by_key(|job| std::cmp::Reverse(if job.is_small() { 0 } else { job.bytes }));
    let mut ranks = BTreeMap::new();
    for (place, job) in jobs.iter().enumerate() {
        if let Work::Computed { first } = job.work {
            ranks.entry(first).or_insert(place);
        }
    }
    if !ranks.is_empty() {
        let mut place = 0;
        jobs.sort_by_cached_key(|job| {
            place += 1;
            match job.work {
                Work::Computed { first } => ranks.get(&first).map_or(place - 1, |&rank| rank),
                Work::Plain { .. } | Work::Boxes { .. } | Work::Ranges { .. } => place - 1,
            }
        });
    }
}

/// Adds the jobs of a dataset.
pub(super) fn push_jobs<'a>(
    target: &'a Target<'a>,
    largest: usize,
    jobs: &mut Vec<Job<'a>>,
) -> Result<(), Error> {
    if target.numel == 0 {
        return Ok(());
    }
    let size = target.binding.dtype.size();
    let mut push = |work, tiles, bytes| jobs.push(Job { target, work, before: 0, tiles, bytes });
    if let Value::Gather(terms) = &target.binding.value {
        for part in terms.iter().flat_map(|term| &term.parts) {
            check_target(target, &part.copy)?;
        }
        if let Some(first) = target.binding.first_computed() {
            push(Work::Computed { first }, 1, target.numel * size);
            return Ok(());
        }
        if let [Term { parts }] = terms.as_slice()
            && target.binding.arithmetic.is_none()
            && let copies = parts.iter().map(|part| part.copy.collapse()).collect::<SmallVec<[_; 1]>>()
            && copies.iter().all(|copy| has_long_runs(copy, size))
        {
            for (part, copy) in parts.iter().zip(copies) {
                let bytes = copy.numel() * size;
                if let Some((source, at)) = plain(part, &copy, target.binding.dtype) {
                    push(Work::Plain { source, at }, bytes.div_ceil(TILE_BYTES), bytes);
                } else if bytes > 0 {
                    let sizes = ElementSizes { source: part.source.dtype.size(), target: size };
                    let grid = Grid::new(copy, sizes, largest);
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

/// The bytes of a part, whose copy was collapsed, that a file holds just as its tensor does, and where they go in bytes.
fn plain<'p>(part: &'p Part, copy: &StridedCopy, dtype: Dtype) -> Option<(&'p [u8], usize)> {
    let size = dtype.size();
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

/// Whether the elements of a part's source are those of the file.
pub(super) fn needs_no_conversion(part: &Part, dtype: Dtype) -> bool {
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
    Err(Error::Gather { variable: target.name.to_string(), source })
}
