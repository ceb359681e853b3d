//! Strided copies: what every rearrangement of a tensor comes down to.

use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use super::shape::USUAL_RANK;

/// One loop of a [`StridedCopy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyAxis {
    /// How many steps the loop takes.
    pub size: usize,
    /// Elements from one step to the next in the source; 0 repeats.
    pub source_stride: usize,
    /// Elements from one step to the next in the target.
    pub target_stride: usize,
}

/// A copy that uses fewer than one in so many of the elements that it reaches over is not worth reading them all.
const SPARSE: usize = 8;

/// Loops, outermost first.
pub type CopyAxes = SmallVec<[CopyAxis; USUAL_RANK]>;

/// A box of nested loops that moves elements from a source buffer to a target buffer: the element at
/// `source_offset + Σ i_k · source_stride_k` goes to `target_offset + Σ i_k · target_stride_k`.
///
/// No two steps write the same target element. Offsets and strides count elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StridedCopy {
    /// The loops, outermost first; none for a single element.
    pub axes: CopyAxes,
    /// The first source element.
    pub source_offset: usize,
    /// The first target element.
    pub target_offset: usize,
}

impl StridedCopy {
    /// How many elements it moves.
    #[must_use]
    pub fn numel(&self) -> usize {
        self.axes.iter().map(|axis| axis.size).product()
    }

    /// The elements of the source that it reads, from the first to the last; of those between it may leave out some.
    /// None where it moves nothing.
    pub(crate) fn source_range(&self) -> Range<usize> {
        if self.numel() == 0 {
            return self.source_offset..self.source_offset;
        }
        let last = self.axes.iter().fold(self.source_offset, |last, axis| {
            last.saturating_add((axis.size - 1).saturating_mul(axis.source_stride))
        });
        self.source_offset..last.saturating_add(1)
    }

    /// The same range, unless the copy uses too little of it for reading it all.
    pub(crate) fn dense_source_range(&self) -> Option<Range<usize>> {
        let moves = |axis: &&CopyAxis| axis.source_stride > 0;
        let used: usize = self.axes.iter().filter(moves).map(|axis| axis.size).product();
        let range = self.source_range();
        (range.len() <= used.saturating_mul(SPARSE)).then_some(range)
    }

    /// The same copy with the fewest loops: loops of one step dropped, loops ordered by falling target
    /// stride, and neighbours merged wherever both sides step through them as through one loop.
    #[must_use]
    pub fn collapse(&self) -> Self {
        let mut axes: CopyAxes = self.axes.iter().copied().filter(|axis| axis.size != 1).collect();
        axes.sort_by_key(|axis| std::cmp::Reverse(axis.target_stride));
        axes.dedup_by(|axis, outer| {
            let is_one = outer.source_stride == axis.source_stride * axis.size
                && outer.target_stride == axis.target_stride * axis.size;
            if is_one {
                *outer = CopyAxis { size: outer.size * axis.size, ..*axis };
            }
            is_one
        });
        Self { axes, ..*self }
    }
}

/// Calls for the boxes of a copy (loops by falling target stride) whose targets lie in `range`.
pub(crate) fn clip<E>(
    copy: &StridedCopy,
    range: &Range<usize>,
    call: &mut impl FnMut(StridedCopy) -> Result<(), E>,
) -> Result<(), E> {
    let span: usize = copy.axes.iter().map(|axis| (axis.size - 1) * axis.target_stride).sum();
    let (first, last) = (copy.target_offset, copy.target_offset + span);
    if last < range.start || first >= range.end {
        return Ok(());
    }
    if first >= range.start && last < range.end {
        return call(copy.clone());
    }
    let Some((&outer, inner)) = copy.axes.split_first() else { return Ok(()) };
    let inner_span = span - (outer.size - 1) * outer.target_stride;
    let stride = outer.target_stride.max(1);
    // Steps that touch the range at all, and those that lie within it.
    let touch_start = range.start.saturating_sub(first + inner_span).div_ceil(stride);
    let touch_end = (range.end - first).div_ceil(stride).min(outer.size);
    let within_start = range.start.saturating_sub(first).div_ceil(stride).clamp(touch_start, touch_end);
    let within_end = match range.end.checked_sub(first + inner_span) {
        Some(room) => room.div_ceil(stride).clamp(within_start, touch_end),
        None => within_start,
    };
    let at = |step: usize, axes: CopyAxes| StridedCopy {
        axes,
        source_offset: copy.source_offset + step * outer.source_stride,
        target_offset: copy.target_offset + step * outer.target_stride,
    };
    for step in touch_start..within_start {
        clip(&at(step, inner.into()), range, call)?;
    }
    if within_start < within_end {
        let mut axes: CopyAxes = smallvec![CopyAxis { size: within_end - within_start, ..outer }];
        axes.extend_from_slice(inner);
        call(at(within_start, axes))?;
    }
    for step in within_end..touch_end {
        clip(&at(step, inner.into()), range, call)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(size: usize, source_stride: usize, target_stride: usize) -> CopyAxis {
        CopyAxis { size, source_stride, target_stride }
    }

    fn check(axes: &[CopyAxis], expected: &[CopyAxis]) {
        let copy = StridedCopy { axes: axes.into(), source_offset: 3, target_offset: 4 };
        assert_eq!(
            copy.collapse(),
            StridedCopy { axes: expected.into(), source_offset: 3, target_offset: 4 }
        );
    }

    fn reads(axes: &[CopyAxis], expected: Range<usize>) {
        let copy = StridedCopy { axes: axes.into(), source_offset: 3, target_offset: 4 };
        assert_eq!(copy.source_range(), expected);
    }

    fn is_dense(axes: &[CopyAxis], expected: bool) {
        let copy = StridedCopy { axes: axes.into(), source_offset: 3, target_offset: 4 };
        assert_eq!(copy.dense_source_range(), expected.then(|| copy.source_range()), "{axes:?}");
    }

    #[test]
    fn source_ranges() {
        reads(&[], 3..4);
        reads(&[axis(2, 15, 15), axis(3, 0, 5), axis(5, 2, 1)], 3..27);
        reads(&[axis(2, 15, 15), axis(0, 7, 5)], 3..3);
        reads(&[axis(usize::MAX, usize::MAX, 1)], 3..usize::MAX);
        is_dense(&[], true);
        is_dense(&[axis(9, SPARSE, 1)], true);
        is_dense(&[axis(9, SPARSE + 2, 1)], false);
        is_dense(&[axis(100, 0, 9), axis(9, SPARSE + 2, 1)], false);
        is_dense(&[axis(0, 7, 5)], true);
    }

    #[test]
    fn collapses() {
        check(&[axis(2, 15, 15), axis(3, 5, 5), axis(5, 1, 1)], &[axis(30, 1, 1)]);
        check(&[axis(3, 1, 5), axis(5, 3, 1)], &[axis(3, 1, 5), axis(5, 3, 1)]);
        check(&[axis(5, 3, 1), axis(3, 1, 5)], &[axis(3, 1, 5), axis(5, 3, 1)]);
        check(&[axis(1, 9, 9)], &[]);
        check(&[axis(2, 0, 3), axis(3, 0, 1)], &[axis(6, 0, 1)]);
    }
}
