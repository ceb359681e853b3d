//! Strided views of a flat buffer of elements, as torch keeps its tensors.

use super::{Shape, Sizes};

/// A view: element `(i0, i1, …)` lies at `offset + Σ i_k · strides[k]` of a buffer. Every element of a view
/// lies within the number of elements that it was checked against when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strided {
    shape: Shape,
    strides: Sizes,
    offset: usize,
}

/// Why a view does not fit its buffer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StridedError {
    /// As many strides as axes are needed.
    #[error("{strides} strides for {rank} axes")]
    RankMismatch {
        /// Axes of the shape.
        rank: usize,
        /// Strides given.
        strides: usize,
    },
    /// An element lies outside the buffer, or so far out that its place cannot be computed.
    #[error(
        "shape {shape} with strides {strides:?} from element {offset} reaches past the {available} elements there are"
    )]
    OutOfBounds {
        /// The shape.
        shape: Box<Shape>,
        /// The strides, in elements.
        strides: Vec<usize>,
        /// The first element, in elements.
        offset: usize,
        /// Elements in the buffer.
        available: usize,
    },
}

impl Strided {
    /// A view of a buffer of `available` elements.
    ///
    /// A view without elements fits any buffer, whatever its offset (torch writes such views).
    ///
    /// # Errors
    /// When the numbers of axes and strides differ or an element lies outside the buffer.
    pub fn new(
        shape: Shape,
        strides: impl AsRef<[usize]>,
        offset: usize,
        available: usize,
    ) -> Result<Self, StridedError> {
        let strides = Sizes::from(strides.as_ref());
        if strides.len() != shape.rank() {
            return Err(StridedError::RankMismatch { rank: shape.rank(), strides: strides.len() });
        }
        if shape.numel() == 0 {
            let strides = shape.contiguous_strides();
            return Ok(Self { shape, strides, offset: 0 });
        }
        let last = shape
            .sizes()
            .iter()
            .zip(&strides)
            .try_fold(offset, |last, (&size, &stride)| last.checked_add((size - 1).checked_mul(stride)?));
        match last {
            Some(last) if last < available => Ok(Self { shape, strides, offset }),
            _ => Err(StridedError::OutOfBounds {
                shape: Box::new(shape),
                strides: strides.into_vec(),
                offset,
                available,
            }),
        }
    }

    /// The whole of a buffer that holds exactly the elements of `shape` in row-major order.
    #[must_use]
    pub fn contiguous(shape: Shape) -> Self {
        let strides = shape.contiguous_strides();
        Self { shape, strides, offset: 0 }
    }

    /// The sizes of the axes.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The strides, in elements.
    #[must_use]
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// The first element's place, in elements.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the elements lie in row-major order without gaps (axes of size one may have any stride).
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        if self.shape.numel() == 0 {
            return true;
        }
        let expected = self.shape.contiguous_strides();
        self.shape
            .sizes()
            .iter()
            .zip(self.strides.iter().zip(&expected))
            .all(|(&size, (stride, expected))| size == 1 || stride == expected)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A view is made exactly when a loop over all its indices stays in the buffer.
        #[test]
        fn agrees_with_a_naive_loop(
            axes in prop::collection::vec((0_usize..5, 0_usize..9), 0..5),
            offset in 0_usize..12,
            available in 0_usize..60,
        ) {
            let (sizes, strides): (Vec<usize>, Vec<usize>) = axes.iter().copied().unzip();
            let mut places = vec![offset];
            for &(size, stride) in &axes {
                places = places
                    .iter()
                    .flat_map(|place| (0..size).map(move |index| place + index * stride))
                    .collect();
            }
            let view = Strided::new(Shape::new(sizes).unwrap(), strides, offset, available);
            prop_assert_eq!(view.is_ok(), places.iter().all(|&place| place < available));
            if let Ok(view) = view {
                prop_assert_eq!(view.shape().numel(), places.len());
                let in_order = places.iter().copied().eq(view.offset()..view.offset() + places.len());
                prop_assert_eq!(view.is_contiguous(), in_order);
            }
        }
    }

    fn check(sizes: &[usize], strides: &[usize], offset: usize, available: usize, fits: bool) {
        let view = Strided::new(Shape::new(sizes).unwrap(), strides, offset, available);
        assert_eq!(view.is_ok(), fits, "{view:?}");
    }

    #[test]
    fn bounds() {
        check(&[2, 3], &[3, 1], 0, 6, true);
        check(&[2, 3], &[3, 1], 1, 6, false);
        check(&[2, 3], &[1, 2], 0, 6, true);
        check(&[2, 3], &[3], 0, 6, false);
        check(&[], &[], 0, 1, true);
        check(&[], &[], 0, 0, false);
        check(&[0, 3], &[7, 9], 99, 0, true);
        check(&[1, 3], &[usize::MAX, 1], 0, 3, true);
        check(&[2, 3], &[usize::MAX, 1], 0, 3, false);
        check(&[5], &[0], 2, 3, true);
    }

    #[test]
    fn contiguity() {
        let view = |sizes: &[usize], strides: &[usize]| {
            Strided::new(Shape::new(sizes).unwrap(), strides, 0, 1000).unwrap().is_contiguous()
        };
        assert!(view(&[2, 3, 5], &[15, 5, 1]));
        assert!(view(&[2, 1, 5], &[5, 99, 1]));
        assert!(!view(&[2, 3, 5], &[15, 1, 3]));
        assert!(view(&[0, 3], &[1, 1]));
    }
}
