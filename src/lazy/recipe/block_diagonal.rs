//! The weight of a convolution with groups as one without has it: torch's `nn.Conv*d(groups=…)` and
//! `nn.ConvTranspose*d(groups=…)`, for layers that have no groups, as Keras' transposed convolutions.
//!
//! ```text
//! weight (a, b, …)        of G groups: rows g·a/G to (g+1)·a/G are those of group g
//! dense  (a, G·b, …)      dense[r, g·b + c, …] = weight[r, c, …] for g = ⌊r·G/a⌋; all else is zero
//! ```
//!
//! Axis 0 has the outputs of a convolution and the inputs of a transposed one, axis 1 the others: both are one
//! formula. Nothing is computed: elements keep their type and their bits, and a zero has none set.

use crate::lazy::{LazyTensor, LoadError, Recipe, Storage};
use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

use super::FormulaError;
use super::memory::zeros;

/// A weight of groups, and zeros.
#[derive(Debug)]
pub struct BlockDiagonal {
    weight: LazyTensor,
    groups: usize,
    shape: Shape,
}

impl BlockDiagonal {
    /// The weight and how many groups it has: axis 0 is divided into them, axis 1 is one group's.
    ///
    /// # Errors
    /// When the weight has less than two axes, or its first cannot be divided so; when its type has no zero, or there
    /// would be more elements than can be counted.
    pub fn new(weight: LazyTensor, groups: usize) -> Result<Self, FormulaError> {
        let (dtype, shape) = (weight.dtype, weight.view.shape());
        if dtype == Dtype::F8E8m0fnu {
            return Err(FormulaError::Type { role: "weight", dtype, expected: "numbers with a zero" });
        }
        let &[rows, columns, ref inner @ ..] = shape.sizes() else {
            let expected = "two axes or more are needed".to_owned();
            return Err(FormulaError::Shape { role: "weight", shape: shape.clone(), expected });
        };
        if rows.checked_rem(groups) != Some(0) {
            let expected = format!("a first axis that {groups} groups divide is needed");
            return Err(FormulaError::Shape { role: "weight", shape: shape.clone(), expected });
        }
        let mut sizes = vec![rows, columns.checked_mul(groups).ok_or(FormulaError::TooMany)?];
        sizes.extend(inner);
        let shape = Shape::new(sizes).map_err(|_| FormulaError::TooMany)?;
        Ok(Self { weight, groups, shape })
    }

    /// The dense weight as a tensor.
    #[must_use]
    pub fn tensor(self) -> LazyTensor {
        LazyTensor {
            dtype: self.weight.dtype,
            view: Strided::contiguous(self.shape.clone()),
            byte_order: ByteOrder::Little,
            storage: Storage::computed(Recipe::BlockDiagonal(self)),
        }
    }

    /// Bytes of the dense weight. While it is made, those of the groups are held too.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.shape.numel().saturating_mul(self.weight.dtype.size())
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.weight]
    }

    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        let sizes = self.weight.view.shape().sizes();
        let rows = sizes.first().copied().unwrap_or(0);
        let of_a_group = rows.checked_div(self.groups).unwrap_or(0);
        // A row of the weight is one block's row of the dense one.
        let block = sizes.iter().skip(1).product::<usize>().saturating_mul(self.weight.dtype.size());
        let weight = self.weight.contiguous()?;
        let mut dense = zeros(self.byte_len())?;
        let targets = dense.chunks_exact_mut(block.saturating_mul(self.groups).max(1));
        let group_of_each = (0..self.groups).flat_map(|group| std::iter::repeat_n(group, of_a_group));
        for ((row, target), group) in weight.chunks_exact(block.max(1)).zip(targets).zip(group_of_each) {
            if let Some(target) = target.chunks_exact_mut(block.max(1)).nth(group) {
                target.copy_from_slice(row);
            }
        }
        Ok(dense)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lazy::Bytes;

    /// A tensor whose axes lie in memory in that order, the first outermost; each byte of it is another.
    fn tensor(dtype: Dtype, sizes: &[usize], order: &[usize], byte_order: ByteOrder) -> LazyTensor {
        let mut strides = vec![0; sizes.len()];
        let mut numel = 1;
        for &axis in order.iter().rev() {
            strides[axis] = numel;
            numel *= sizes[axis];
        }
        let view = Strided::new(Shape::new(sizes).unwrap(), strides, 0, numel).unwrap();
        // No byte is zero, so that what is left out shows.
        let bytes = (0..numel * dtype.size()).map(|at| (at * 7 % 251) as u8 + 1).collect();
        LazyTensor { dtype, view, byte_order, storage: Bytes::held(bytes).into() }
    }

    /// Element by element: of each place in the dense weight, where it lies in the weight.
    fn naive(weight: &LazyTensor, groups: usize) -> Vec<u8> {
        let [rows, columns, inner @ ..] = weight.view.shape().sizes() else { panic!("two axes") };
        let (inner, size) = (inner.iter().product::<usize>(), weight.dtype.size());
        let bytes = weight.contiguous().unwrap();
        let mut dense = Vec::new();
        for row in 0..*rows {
            for column in 0..groups * columns {
                for at in 0..inner {
                    let is_own = column / columns == row / (rows / groups);
                    let place = (row * columns + column % columns) * inner + at;
                    match is_own {
                        true => dense.extend(&bytes[place * size..][..size]),
                        false => dense.extend(vec![0; size]),
                    }
                }
            }
        }
        dense
    }

    fn check(weight: LazyTensor, groups: usize) {
        let (expected, dtype) = (naive(&weight, groups), weight.dtype);
        let mut sizes = weight.view.shape().sizes().to_vec();
        sizes[1] *= groups;
        let dense = BlockDiagonal::new(weight, groups).unwrap().tensor();
        assert_eq!((dense.dtype, dense.view.shape().sizes()), (dtype, sizes.as_slice()));
        assert_eq!(dense.storage.byte_len(), expected.len());
        assert_eq!(dense.contiguous().unwrap(), expected, "{dtype} {sizes:?} {groups}");
    }

    #[test]
    fn blocks() {
        let weight = LazyTensor {
            dtype: Dtype::I8,
            view: Strided::contiguous(Shape::new([4, 3]).unwrap()),
            byte_order: ByteOrder::Little,
            storage: Bytes::held((1..=12).collect()).into(),
        };
        let dense = BlockDiagonal::new(weight, 2).unwrap().tensor();
        #[rustfmt::skip]
        let expected = [
            1, 2, 3, 0, 0, 0,
            4, 5, 6, 0, 0, 0,
            0, 0, 0, 7, 8, 9,
            0, 0, 0, 10, 11, 12,
        ];
        assert_eq!(dense.contiguous().unwrap(), expected);
    }

    #[test]
    fn every_type() {
        for dtype in Dtype::ALL.iter().copied().filter(|&dtype| dtype != Dtype::F8E8m0fnu) {
            for byte_order in [ByteOrder::Little, ByteOrder::Big] {
                check(tensor(dtype, &[6, 2, 5], &[2, 0, 1], byte_order), 3);
            }
        }
    }

    #[test]
    fn no_elements() {
        for sizes in [[0, 3, 2], [4, 0, 2], [4, 3, 0]] {
            check(tensor(Dtype::F32, &sizes, &[0, 1, 2], ByteOrder::Little), 2);
        }
    }

    #[test]
    fn no_dense_weight() {
        let refused = |dtype, sizes: &[usize], groups| {
            let view = Strided::new(Shape::new(sizes).unwrap(), vec![0; sizes.len()], 0, 1).unwrap();
            let storage = Bytes::held(vec![0; 16]).into();
            let weight = LazyTensor { dtype, view, byte_order: ByteOrder::Little, storage };
            BlockDiagonal::new(weight, groups).unwrap_err().to_string()
        };
        assert_eq!(refused(Dtype::F32, &[], 2), "`weight` has shape (), where two axes or more are needed");
        assert_eq!(
            refused(Dtype::F32, &[4], 2),
            "`weight` has shape (4,), where two axes or more are needed"
        );
        assert_eq!(
            refused(Dtype::F32, &[5, 3], 2),
            "`weight` has shape (5, 3), where a first axis that 2 groups divide is needed"
        );
        assert_eq!(
            refused(Dtype::F32, &[4, 3], 0),
            "`weight` has shape (4, 3), where a first axis that 0 groups divide is needed"
        );
        assert_eq!(
            refused(Dtype::F8E8m0fnu, &[4, 3], 2),
            "`weight` is float8_e8m0fnu, where numbers with a zero are needed"
        );
        assert_eq!(
            refused(Dtype::F32, &[1 << 31, 1 << 30], 1 << 31),
            "it would have more values than can be counted"
        );
    }

    /// Sizes, how many groups, and in which order the axes lie in memory.
    fn weights() -> impl Strategy<Value = (Vec<usize>, usize, Vec<usize>)> {
        let sizes = (1..4_usize, 1..5_usize, prop::collection::vec(1..4_usize, 1..5));
        sizes.prop_flat_map(|(of_a_group, groups, mut sizes)| {
            sizes.insert(0, of_a_group * groups);
            let order: Vec<usize> = (0..sizes.len()).collect();
            (Just(sizes), Just(groups), Just(order).prop_shuffle())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]
        #[test]
        fn agrees_with_the_index_loop(
            (sizes, groups, order) in weights(),
            dtype in prop::sample::select(vec![Dtype::I8, Dtype::F16, Dtype::F32, Dtype::Complex128]),
        ) {
            check(tensor(dtype, &sizes, &order, ByteOrder::Little), groups);
        }
    }
}
