//! The values that a plan gives a variable, one by one: plain loops over indices, which share nothing with the
//! kernels that write them.

use super::addition::Addition;
use super::coverage::Coverage;
use super::element::{self, Number, Raw};
use crate::lazy::{Bytes, LazyTensor};
use crate::plan::{Binding, LoadedStorages, Term, Unreadable, Value};
use crate::tensor::{Arithmetic, ByteOrder, Dtype, Shape, Strided};

/// A value that a plan gives an element.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// The bytes of an element of the variable's type.
    Raw(Raw),
    /// A number, to be rounded to the variable's type.
    Number(Number),
}

impl Expected {
    /// The element of that type; `None` where it has none for the number.
    pub(super) fn encode(self, dtype: Dtype) -> Option<Raw> {
        match self {
            Self::Raw(raw) => Some(raw),
            Self::Number(number) => element::encode(number, dtype),
        }
    }

    /// As a number.
    pub(super) fn number(self, dtype: Dtype) -> Number {
        match self {
            Self::Raw(raw) => element::decode(raw, dtype),
            Self::Number(number) => number,
        }
    }
}

/// Calls with every element of a variable and its value. Returns how many elements got no value, or more than
/// one, or one that the checkpoint does not have.
pub(super) fn each(
    binding: &Binding,
    shape: &Shape,
    mut each: impl FnMut(usize, Expected),
) -> Result<usize, Unreadable> {
    let dtype = binding.dtype;
    let binding = &binding.loaded(&mut LoadedStorages::default())?;
    Ok(match &binding.value {
        Value::Fill(value) => {
            (0..shape.numel()).for_each(|at| each(at, Expected::Number(Number::Float(*value))));
            0
        }
        Value::Gather(terms) => match terms.as_slice() {
            [term] if !binding.arithmetic.is_none() => {
                let arithmetic = &binding.arithmetic;
                let addition = Addition::of(terms, arithmetic);
                for_each_element(term, shape, |at, raw, source| {
                    let number = addition.apply(element::decode(raw, source), arithmetic);
                    each(at, Expected::Number(number));
                })
            }
            [term] => for_each_element(term, shape, |at, raw, source| {
                let is_same = source == dtype && source != Dtype::Bool;
                let number = || Expected::Number(element::decode(raw, source));
                each(at, if is_same { Expected::Raw(raw) } else { number() });
            }),
            terms => each_sum(terms, &binding.arithmetic, shape, each),
        },
    })
}

/// Sums; they are of biases, so the few values are held.
fn each_sum(
    terms: &[Term],
    arithmetic: &Arithmetic,
    shape: &Shape,
    mut each: impl FnMut(usize, Expected),
) -> usize {
    let addition = Addition::of(terms, arithmetic);
    let mut sums: Vec<Option<Number>> = vec![None; shape.numel()];
    let mut uncovered = 0;
    for term in terms {
        uncovered += for_each_element(term, shape, |at, raw, source| {
            let value = element::decode(raw, source);
            if let Some(sum) = sums.get_mut(at) {
                *sum = Some(sum.map_or(value, |sum| addition.add(sum, value)));
            }
        });
    }
    let all = sums.into_iter().enumerate();
    all.for_each(|(at, sum)| {
        if let Some(sum) = sum {
            let sum = if arithmetic.is_none() { sum } else { addition.apply(sum, arithmetic) };
            each(at, Expected::Number(sum));
        }
    });
    uncovered
}

/// Calls with the place in the variable, the bytes and the type of every element of a term. Returns how many
/// elements of the variable got no value, or more than one, or one that the checkpoint does not have.
fn for_each_element(term: &Term, shape: &Shape, mut each: impl FnMut(usize, Raw, Dtype)) -> usize {
    let mut coverage = Coverage::of(term, shape.numel());
    let mut wrong = 0;
    for part in &term.parts {
        for step in 0..part.copy.numel() {
            let (from, to) = element::step(&part.copy, step);
            match element::read(&part.source, from) {
                Some(raw) if coverage.is_first(to) => each(to, raw, part.source.dtype),
                _ => wrong += 1,
            }
        }
    }
    wrong + coverage.left()
}

/// Why a variable of a plan has no values.
pub(super) enum NoValues {
    /// They cannot be read.
    Unreadable(Unreadable),
    /// The plan gives an element no value, or more than one, or a number that the variable's type does not have.
    Unfit,
}

/// All values of a variable as the plan makes them.
pub(super) fn tensor(binding: &Binding, shape: &Shape) -> Result<LazyTensor, NoValues> {
    let (dtype, size) = (binding.dtype, binding.dtype.size());
    let mut bytes = vec![0; shape.numel().saturating_mul(size)];
    let mut is_unfit = false;
    let uncovered = each(binding, shape, |at, expected| match expected.encode(dtype) {
        Some(raw) => {
            let start = at.saturating_mul(size);
            let place = bytes.get_mut(start..start.saturating_add(size)).unwrap_or_default();
            place.iter_mut().zip(raw).for_each(|(to, from)| *to = from);
        }
        None => is_unfit = true,
    });
    if uncovered.map_err(NoValues::Unreadable)? > 0 || is_unfit {
        return Err(NoValues::Unfit);
    }
    Ok(LazyTensor {
        dtype,
        view: Strided::contiguous(shape.clone()),
        byte_order: ByteOrder::Little,
        storage: Bytes::held(bytes).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Part;
    use crate::tensor::{CopyAxis, StateDictKey, StridedCopy};

    fn part(dtype: Dtype, numel: usize, axes: &[(usize, usize)], target_offset: usize) -> Part {
        let axes: Vec<_> = axes
            .iter()
            .map(|&(size, target_stride)| CopyAxis { size, source_stride: 1, target_stride })
            .collect();
        Part {
            key: StateDictKey::new("tensor"),
            source: LazyTensor {
                dtype,
                view: Strided::contiguous(Shape::new([numel]).unwrap()),
                byte_order: ByteOrder::Little,
                storage: Bytes::held(vec![0; numel * dtype.size()]).into(),
            },
            copy: StridedCopy { axes: axes.into(), source_offset: 0, target_offset },
            derivation: None,
        }
    }

    fn check_coverage(parts: Vec<Part>, sizes: &[usize], is_whole: bool, expected: usize) {
        let term = Term { parts };
        let shape = Shape::new(sizes).unwrap();
        let mut called = 0;
        assert_eq!(matches!(Coverage::of(&term, shape.numel()), Coverage::Whole), is_whole);
        assert_eq!(for_each_element(&term, &shape, |_, _, _| called += 1), expected);
        if expected == 0 {
            assert_eq!(called, shape.numel());
        }
    }

    #[test]
    fn coverage() {
        let part = |axes: &[(usize, usize)], offset| part(Dtype::F32, 400, axes, offset);
        check_coverage(vec![part(&[(5, 1), (3, 35), (7, 5)], 0)], &[3, 7, 5], true, 0);
        check_coverage(vec![part(&[(1, 99), (3, 1)], 0)], &[3], true, 0);
        check_coverage(vec![part(&[(3, 1)], 1)], &[3], false, 2);
        check_coverage(vec![part(&[(3, 5), (4, 1)], 0)], &[3, 5], false, 3);
        check_coverage(vec![part(&[(3, 4), (5, 1)], 0)], &[3, 5], false, 4);
        check_coverage(vec![part(&[(70, 2)], 0), part(&[(70, 2)], 1)], &[140], false, 0);
        check_coverage(vec![part(&[(70, 2)], 0), part(&[(69, 2)], 1)], &[140], false, 1);
        check_coverage(vec![part(&[(70, 1)], 0), part(&[(71, 1)], 69)], &[140], false, 1);
    }
}
