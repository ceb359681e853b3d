//! Strided copies between byte buffers.
//!
//! A copy is collapsed first. What is then contiguous on both sides is copied; what is contiguous on both
//! sides but along different axes is a transposition; the rest goes element by element.

use crate::tensor::{CopyAxes, CopyAxis, StridedCopy};

use super::portable;
use super::transpose::transpose;

/// Why a copy cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The copy reaches past the end of the source.
    #[error("the copy reaches past the {bytes} bytes of its source")]
    SourceTooShort {
        /// Bytes of the source.
        bytes: usize,
    },
    /// The copy reaches past the end of the target.
    #[error("the copy reaches past the {bytes} bytes of its target")]
    TargetTooShort {
        /// Bytes of the target.
        bytes: usize,
    },
    /// Elements take 1, 2, 4, 8 or 16 bytes.
    #[error("elements of {size} bytes are not supported")]
    ElementSize {
        /// The size asked for.
        size: usize,
    },
}

/// The instructions that a gather may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// What every machine has.
    Portable,
    /// SSE2, which every machine of x86-64 has.
    Sse2,
    /// AVX2.
    Avx2,
}

impl Level {
    /// All, the worst first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Sse2, Self::Avx2];

    /// The best that this machine has.
    #[must_use]
    pub fn detect() -> Self {
        Self::Avx2.lowered()
    }

    /// This level, or the best below it that this machine has.
    #[must_use]
    pub fn lowered(self) -> Self {
        let is_there = |level: &Self| match level {
            Self::Portable => true,
            Self::Sse2 => cfg!(target_arch = "x86_64"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => super::x86::has_avx2(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        };
        Self::ALL
            .into_iter()
            .filter(|level| *level <= self && is_there(level))
            .max()
            .unwrap_or(Self::Portable)
    }
}

/// Carries out a copy of elements of `size` bytes with the best instructions there are.
///
/// # Errors
/// When a buffer is too short for the copy, or the size is not 1, 2, 4, 8 or 16. Nothing is then written.
pub fn gather(copy: &StridedCopy, size: usize, source: &[u8], target: &mut [u8]) -> Result<(), GatherError> {
    gather_at(Level::detect(), copy, size, source, target)
}

/// Carries out a copy with the instructions of a level; one that the machine lacks is lowered.
///
/// # Errors
/// As [`gather`].
pub fn gather_at(
    level: Level,
    copy: &StridedCopy,
    size: usize,
    source: &[u8],
    target: &mut [u8],
) -> Result<(), GatherError> {
    if !matches!(size, 1 | 2 | 4 | 8 | 16) {
        return Err(GatherError::ElementSize { size });
    }
    if copy.axes.iter().any(|axis| axis.size == 0) {
        return Ok(());
    }
    let fits = |len: usize, offset: usize, stride: fn(&CopyAxis) -> usize| {
        copy.axes
            .iter()
            .try_fold(offset, |last, axis| last.checked_add((axis.size - 1).checked_mul(stride(axis))?))
            .is_some_and(|last| last < len / size)
    };
    if !fits(source.len(), copy.source_offset, |axis| axis.source_stride) {
        return Err(GatherError::SourceTooShort { bytes: source.len() });
    }
    if !fits(target.len(), copy.target_offset, |axis| axis.target_stride) {
        return Err(GatherError::TargetTooShort { bytes: target.len() });
    }
    let copy = copy.collapse();
    let level = level.lowered();
    match size {
        1 => run::<1>(level, &copy, source, target),
        2 => run::<2>(level, &copy, source, target),
        4 => run::<4>(level, &copy, source, target),
        8 => run::<8>(level, &copy, source, target),
        _ => run::<16>(level, &copy, source, target),
    }
    Ok(())
}

/// Loops over the outer axes of a checked copy.
fn run<const SIZE: usize>(level: Level, copy: &StridedCopy, source: &[u8], target: &mut [u8]) {
    let mut outer = copy.axes.clone();
    let inner = outer.pop().unwrap_or(CopyAxis { size: 1, source_stride: 1, target_stride: 1 });
    if inner.target_stride == 1 && inner.source_stride > 1 {
        let rows = take_rows(&mut outer);
        if !rows.is_empty() {
            each(&outer, copy.source_offset, copy.target_offset, &mut |source_at, target_at| {
                transpose::<SIZE>(
                    level,
                    &rows,
                    inner,
                    &source[source_at * SIZE..],
                    &mut target[target_at * SIZE..],
                );
            });
            return;
        }
    }
    each(&outer, copy.source_offset, copy.target_offset, &mut |source_at, target_at| {
        portable::line::<SIZE>(inner, &source[source_at * SIZE..], &mut target[target_at * SIZE..]);
    });
}

/// Takes out the axes that together walk through contiguous source elements, innermost first.
fn take_rows(axes: &mut CopyAxes) -> CopyAxes {
    let mut rows = CopyAxes::new();
    let mut stride = 1;
    while let Some(found) = axes.iter().position(|axis| axis.source_stride == stride) {
        let axis = axes.remove(found);
        stride *= axis.size;
        rows.push(axis);
    }
    rows
}

/// Calls for the place of every combination of steps, in order.
fn each(axes: &[CopyAxis], source: usize, target: usize, call: &mut dyn FnMut(usize, usize)) {
    let Some((axis, inner)) = axes.split_first() else {
        return call(source, target);
    };
    for step in 0..axis.size {
        each(inner, source + step * axis.source_stride, target + step * axis.target_stride, call);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A source of distinct bytes (as far as there are), one byte off any alignment.
    fn source(elements: usize, size: usize) -> Vec<u8> {
        (0..elements * size + 1).map(|place| (place * 7 + place / 251) as u8).collect()
    }

    fn check(copy: &StridedCopy, size: usize) {
        let end = |offset: usize, stride: fn(&CopyAxis) -> usize| {
            offset + copy.axes.iter().map(|axis| (axis.size - 1) * stride(axis)).sum::<usize>() + 1
        };
        let source = source(end(copy.source_offset, |axis| axis.source_stride), size);
        let source = &source[1..];
        let mut expected = vec![0xAA; end(copy.target_offset, |axis| axis.target_stride) * size];
        let blank = expected.clone();
        each(&copy.axes, copy.source_offset, copy.target_offset, &mut |from, to| {
            expected[to * size..(to + 1) * size].copy_from_slice(&source[from * size..(from + 1) * size]);
        });
        for level in Level::ALL {
            // One byte off any alignment too.
            for skip in [0, 1] {
                let mut target = [&[0xAA; 1][..skip], &blank].concat();
                gather_at(level, copy, size, source, &mut target[skip..]).unwrap();
                assert_eq!(target[skip..], expected, "{level:?} {size} {copy:?}");
            }
        }
        assert_eq!(
            gather(copy, size, &source[..source.len() - 1], &mut blank.clone()),
            Err(GatherError::SourceTooShort { bytes: source.len() - 1 })
        );
        let mut short = blank[..blank.len() - 1].to_vec();
        assert_eq!(
            gather(copy, size, source, &mut short),
            Err(GatherError::TargetTooShort { bytes: blank.len() - 1 })
        );
    }

    /// A copy whose target is dense (stretched by `gap`) and whose source is the same box with the axes in
    /// another order, each perhaps repeated (stride 0) or skipping.
    fn copies() -> impl Strategy<Value = StridedCopy> {
        prop::collection::vec((prop_oneof![1..5_usize, 7..10_usize, 15..35_usize], 0..8_u8), 0..4)
            .prop_flat_map(|axes| {
                let order: Vec<usize> = (0..axes.len()).collect();
                (Just(axes), Just(order).prop_shuffle(), 0..5_usize, 0..5_usize, 1..3_usize)
            })
            .prop_map(|(sizes, order, source_offset, target_offset, gap)| {
                let mut axes: Vec<CopyAxis> = sizes
                    .iter()
                    .map(|&(size, _)| CopyAxis { size, source_stride: 0, target_stride: 0 })
                    .collect();
                let mut stride = 1;
                for axis in axes.iter_mut().rev() {
                    axis.target_stride = stride;
                    stride *= axis.size;
                    if axis.target_stride == 1 {
                        stride *= gap;
                    }
                }
                let mut stride = 1;
                for &place in &order {
                    match sizes[place].1 {
                        0 => {}
                        1 => {
                            axes[place].source_stride = stride * 2;
                            stride *= axes[place].size * 2;
                        }
                        _ => {
                            axes[place].source_stride = stride;
                            stride *= axes[place].size;
                        }
                    }
                }
                StridedCopy { axes: axes.into(), source_offset, target_offset }
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn equals_the_naive_loop(copy in copies(), size in prop::sample::select(vec![1_usize, 2, 4, 8, 16])) {
            check(&copy, size);
        }
    }

    #[test]
    fn block_edges() {
        let sides = [
            (8, 16),
            (16, 8),
            (8, 8),
            (7, 9),
            (17, 33),
            (9, 65),
            (257, 19),
            (263, 8),
            (300, 16),
            (1, 40),
            (40, 1),
        ];
        for (rows, columns) in sides {
            let copy = StridedCopy {
                axes: vec![
                    CopyAxis { size: rows, source_stride: 1, target_stride: columns },
                    CopyAxis { size: columns, source_stride: rows, target_stride: 1 },
                ]
                .into(),
                source_offset: 0,
                target_offset: 0,
            };
            for size in [1, 2, 4, 8, 16] {
                check(&copy, size);
            }
        }
    }

    /// Rows of the target that begin at each element of a line.
    #[test]
    fn line_edges() {
        let (rows, columns) = (11, 150);
        for size in [1, 2, 4, 8, 16] {
            for target_offset in 0..64 / size {
                // Rows that stand alike in their lines, and rows that do not.
                for target_stride in [192, 157] {
                    let copy = StridedCopy {
                        axes: vec![
                            CopyAxis { size: rows, source_stride: 1, target_stride },
                            CopyAxis { size: columns, source_stride: rows, target_stride: 1 },
                        ]
                        .into(),
                        source_offset: 0,
                        target_offset,
                    };
                    check(&copy, size);
                }
            }
        }
    }

    /// Columns that begin at the same place of a line, which are staged: whole pieces, pieces that overlap the one
    /// before, several panels, and strips that are narrower than a line.
    #[test]
    fn columns_in_step() {
        let rows = [16_usize, 17, 35, 43, 64, 67, 131, 256 + 35, 256 + 67, 300];
        for (rows, columns) in rows.into_iter().zip([16, 9, 70, 33].into_iter().cycle()) {
            for size in [1_usize, 2, 4, 8, 16] {
                // The fewest lines that hold them, and pages.
                let lines = (rows * size).next_multiple_of(64);
                for stride in [lines, (rows * size).next_multiple_of(4096)] {
                    for source_offset in [0, 1, 7 % (64 / size)] {
                        let copy = StridedCopy {
                            axes: vec![
                                CopyAxis { size: rows, source_stride: 1, target_stride: columns + 5 },
                                CopyAxis { size: columns, source_stride: stride / size, target_stride: 1 },
                            ]
                            .into(),
                            source_offset,
                            target_offset: 2,
                        };
                        check(&copy, size);
                    }
                }
            }
        }
    }

    #[test]
    fn levels() {
        for level in Level::ALL {
            assert!(level.lowered() <= level, "{level:?}");
            assert_eq!(level.lowered().lowered(), level.lowered());
        }
        assert_eq!(Level::Portable.lowered(), Level::Portable);
        assert_eq!(Level::detect(), Level::Avx2.lowered());
    }

    #[test]
    fn convolution() {
        let (o, i, hw) = (24, 30, 9);
        let copy = StridedCopy {
            axes: vec![
                CopyAxis { size: hw, source_stride: 1, target_stride: i * o },
                CopyAxis { size: i, source_stride: hw, target_stride: o },
                CopyAxis { size: o, source_stride: i * hw, target_stride: 1 },
            ]
            .into(),
            source_offset: 0,
            target_offset: 0,
        };
        check(&copy, 4);
    }

    #[test]
    fn nothing_to_do() {
        let copy = StridedCopy {
            axes: vec![CopyAxis { size: 0, source_stride: 9, target_stride: 9 }].into(),
            source_offset: 99,
            target_offset: 99,
        };
        assert_eq!(gather(&copy, 4, &[], &mut []), Ok(()));
        assert_eq!(gather(&copy, 3, &[], &mut []), Err(GatherError::ElementSize { size: 3 }));
    }
}
