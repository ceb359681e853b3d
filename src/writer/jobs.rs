//! How the datasets of a file are cut into jobs, and these into tiles.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::Error;
use super::fill::Target;
use super::grid::{ElementSizes, Grid, TILE_BYTES, has_long_runs};
use crate::lazy::Bytes;
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

    /// Whether something is true of one of the ranges of files that it reads.
    pub(super) fn any_source(&self, is_true: &mut dyn FnMut(&Bytes) -> bool) -> bool {
        match (&self.work, &self.target.binding.value) {
            (Work::Plain { source, .. }, _) => is_true(source),
            (Work::Boxes { part, .. }, _) => any_source(part, is_true),
            (Work::Ranges { .. } | Work::Computed { .. }, Value::Gather(terms)) => {
                terms.iter().flat_map(|term| &term.parts).any(|part| any_source(part, is_true))
            }
            (Work::Ranges { .. } | Work::Computed { .. }, Value::Fill(_)) => false,
        }
    }

    /// How many bytes of its source a tile reads at most, counted from the first that the job reads, where the job has one
    /// source.
    pub(super) fn source_bytes(&self, tile: usize) -> Option<usize> {
        match &self.work {
            Work::Plain { .. } => Some((tile + 1) * TILE_BYTES),
            Work::Boxes { part, grid } => {
                let first = part.copy.source_range().start;
                Some((grid.tile(tile).source_range().end - first) * part.source.dtype.size())
            }
            Work::Ranges { .. } | Work::Computed { .. } => None,
        }
    }
}

/// Whether something is true of one of the ranges of files that a part reads.
fn any_source(part: &Part, is_true: &mut dyn FnMut(&Bytes) -> bool) -> bool {
    let size = part.source.dtype.size();
    let Some(bytes) = part.source.storage.ready() else {
        let mut any = false;
        part.source.each_range(&mut |range| any |= is_true(&range));
        return any;
    };
    let range = part.copy.dense_source_range().and_then(|range| bytes.elements(&range, size));
    range.is_some_and(|range| is_true(&range))
}

/// How.
pub(super) enum Work<'a> {
    /// From the mapping as it is: bytes of the source, and where in the dataset they go.
    Plain { source: Bytes, at: usize },
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
fn plain(part: &Part, copy: &StridedCopy, dtype: Dtype) -> Option<(Bytes, usize)> {
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
    Some((part.source.storage.ready()?.slice(start..end)?, copy.target_offset * size))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lazy::LazyTensor;
    use crate::plan::{Binding, Provenance};
    use crate::tensor::{Arithmetic, CopyAxis, Shape, StateDictKey, Strided};
    use crate::writer::outlet::Outlet;

    /// Where the last byte ends that each tile of the only job reads, counted from the first byte that the job reads: as
    /// told, and as a loop over all elements finds it.
    fn check(axes: &[(usize, usize)], source_offset: usize, dtype: Dtype, tiles: std::ops::Range<usize>) {
        let numel = axes.iter().map(|axis| axis.0).product();
        let shape =
            Shape::new([axes.iter().map(|axis| (axis.0 - 1) * axis.1).sum::<usize>() + 1 + source_offset]);
        let shape = shape.unwrap();
        let source = LazyTensor {
            dtype: Dtype::F32,
            storage: Bytes::held(vec![0; shape.numel() * 4]).into(),
            view: Strided::contiguous(shape),
            byte_order: ByteOrder::Little,
        };
        let mut target_stride = numel;
        let axes = axes.iter().map(|&(size, source_stride)| {
            target_stride /= size;
            CopyAxis { size, source_stride, target_stride }
        });
        let copy = StridedCopy { axes: axes.collect(), source_offset, target_offset: 0 };
        let part = Part { key: StateDictKey::new("x"), source, copy, derivation: None };
        let binding = Binding {
            variable: 0,
            dtype,
            value: Value::Gather(vec![Term { parts: vec![part] }]),
            arithmetic: Arithmetic::default(),
            provenance: Provenance::Waiver(String::new()),
            layout: "".into(),
        };
        let output = tempfile::tempfile().unwrap();
        let outlet = Outlet::new(&output, "out".as_ref());
        let targets = [Target { binding: &binding, numel, outlet: &outlet, offset: 0, name: &"x" }];
        let jobs = jobs(&targets, TILE_BYTES).unwrap();
        let [job] = &*jobs else { panic!("{} jobs", jobs.len()) };
        assert!(tiles.contains(&job.tiles), "{} tiles", job.tiles);
        let mut all = 0;
        job.any_source(&mut |source| {
            all += source.len();
            false
        });
        for tile in 0..job.tiles {
            let expected = match &job.work {
                Work::Plain { source, .. } => source.len().min((tile + 1) * TILE_BYTES),
                Work::Boxes { grid, .. } => {
                    (1 + last(&grid.tile(tile).axes, grid.tile(tile).source_offset) - source_offset) * 4
                }
                Work::Ranges { .. } | Work::Computed { .. } => all,
            };
            let told = job.source_bytes(tile).unwrap_or(all);
            assert_eq!(told.min(all), expected, "tile {tile} of {}", job.tiles);
            assert!(tile + 1 < job.tiles || told >= all);
        }
    }

    /// The last element that loops come to.
    fn last(axes: &[CopyAxis], at: usize) -> usize {
        let Some((axis, inner)) = axes.split_first() else { return at };
        (0..axis.size).map(|step| last(inner, at + step * axis.source_stride)).max().unwrap_or(at)
    }

    #[test]
    fn tiles_tell_how_far_they_read() {
        // As it is, turned, a convolution, and the first two with what stands before them; converted and not.
        for dtype in [Dtype::F32, Dtype::F16] {
            for offset in [0, 37] {
                check(&[(700, 900), (900, 1)], offset, dtype, 2..9);
                check(&[(900, 1), (700, 900)], offset, dtype, 2..99);
                check(&[(9, 1), (96, 9), (384, 864)], offset, dtype, 2..99);
            }
        }
    }
}
