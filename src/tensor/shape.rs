//! Shapes whose element count is known to fit.

use std::fmt::{self, Write as _};

use smallvec::{SmallVec, smallvec};

/// The highest rank accepted. torch stops at 64 in most operations; no layer comes near it.
pub const MAX_RANK: usize = 64;

/// Axes that take no memory of their own: few weights have more.
pub(super) const USUAL_RANK: usize = 4;

/// A number for each axis, outermost first.
pub type Sizes = SmallVec<[usize; USUAL_RANK]>;

/// The sizes of a tensor's axes. The product of the sizes fits in an `isize`, and the rank is at most
/// [`MAX_RANK`], so index arithmetic on a shape cannot overflow.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Shape(Sizes);

/// Why sizes are not a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// More axes than [`MAX_RANK`].
    #[error("{rank} axes are more than the {MAX_RANK} that are supported")]
    Rank {
        /// How many axes there are.
        rank: usize,
    },
    /// The number of elements does not fit.
    #[error("the number of elements of shape {sizes:?} overflows")]
    Overflow {
        /// The sizes given.
        sizes: Vec<usize>,
    },
}

impl Shape {
    /// A shape of these sizes.
    ///
    /// # Errors
    /// When there are too many axes or too many elements. Sizes after a zero still may not overflow.
    pub fn new(sizes: impl AsRef<[usize]>) -> Result<Self, ShapeError> {
        let sizes = sizes.as_ref();
        if sizes.len() > MAX_RANK {
            return Err(ShapeError::Rank { rank: sizes.len() });
        }
        let product = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size.max(1)));
        match product {
            Some(product) if isize::try_from(product).is_ok() => Ok(Self(sizes.into())),
            _ => Err(ShapeError::Overflow { sizes: sizes.to_vec() }),
        }
    }

    /// The shape of a scalar: no axes, one element.
    #[must_use]
    pub const fn scalar() -> Self {
        Self(SmallVec::new_const())
    }

    /// The sizes, outermost axis first.
    #[must_use]
    pub fn sizes(&self) -> &[usize] {
        &self.0
    }

    /// How many axes there are.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// How many elements there are.
    #[must_use]
    pub fn numel(&self) -> usize {
        self.0.iter().product()
    }

    /// The strides, in elements, of a contiguous (row-major) tensor of this shape.
    #[must_use]
    pub fn contiguous_strides(&self) -> Sizes {
        let mut strides: Sizes = smallvec![1; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis] * self.0[axis].max(1);
        }
        strides
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As Python prints it: `()`, `(3,)`, `(3, 5)`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One text: a plan's table shows thousands of shapes.
        let mut text = String::with_capacity(32);
        for (at, size) in self.0.iter().enumerate() {
            write!(text, "{}{size}", if at == 0 { "(" } else { ", " })?;
        }
        f.pad(match self.0.len() {
            0 => "()",
            1 => {
                text.push_str(",)");
                &text
            }
            _ => {
                text.push(')');
                &text
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_overflows() {
        assert_eq!(Shape::new([usize::MAX, 2]), Err(ShapeError::Overflow { sizes: vec![usize::MAX, 2] }));
        assert_eq!(
            Shape::new([0, usize::MAX, 2]),
            Err(ShapeError::Overflow { sizes: vec![0, usize::MAX, 2] })
        );
        assert_eq!(Shape::new(vec![1; 65]), Err(ShapeError::Rank { rank: 65 }));
    }

    #[test]
    fn strides_and_display() {
        let shape = Shape::new([2, 3, 5]).unwrap();
        assert_eq!(*shape.contiguous_strides(), [15, 5, 1]);
        assert_eq!(shape.numel(), 30);
        assert_eq!(shape.to_string(), "(2, 3, 5)");
        assert_eq!(Shape::new([7]).unwrap().to_string(), "(7,)");
        assert_eq!(Shape::scalar().to_string(), "()");
        assert_eq!(Shape::scalar().numel(), 1);
        assert_eq!(Shape::new([0, 4]).unwrap().numel(), 0);
    }
}
