//! The values of two files.

use std::collections::HashMap;

use rayon::prelude::*;

use super::matching::Pair;
use super::side::{Side, SideVariable};
use crate::cli::element::{self, Number, Raw};
use crate::cli::failure::Failure;
use crate::cli::order::moved;
use crate::lazy::LazyTensor;
use crate::tensor::{Dtype, Shape};

/// A variable that differs.
pub(super) struct Differing {
    /// The name for people.
    pub(super) name: String,
    /// The dataset, where the file tells it.
    pub(super) place: Option<String>,
    pub(super) difference: Difference,
}

/// How a variable differs between two files.
pub(super) enum Difference {
    /// The other lacks it.
    OnlyInOne,
    /// The first lacks it.
    OnlyInOther,
    /// Other shapes.
    Shape { one: Shape, other: Shape },
    /// Other element types.
    Dtype { one: Dtype, other: Dtype },
    /// Other values.
    Values(Values),
    /// Other places among the weights of a legacy file, counted from 0.
    Order { one: usize, other: usize },
}

pub(super) struct Values {
    pub(super) count: usize,
    /// Of those that are numbers.
    pub(super) max_abs: f64,
    pub(super) first: Vec<usize>,
    pub(super) one: String,
    pub(super) other: String,
}

/// Every difference, in the order of the pairs.
pub(super) fn compare(one: &Side, other: &Side, pairs: &[Pair]) -> Result<Vec<Differing>, Failure> {
    let moved = moved_pairs(one, other, pairs);
    let compare = |(number, &(first, second)): (usize, &Pair)| -> Result<Option<Differing>, Failure> {
        let first = first.and_then(|at| one.variables.get(at));
        let second = second.and_then(|at| other.variables.get(at));
        let found = match (first, second) {
            (Some(first), Some(second)) => {
                let (first, second) = (first.tensor(&one.path)?, second.tensor(&other.path)?);
                compare_tensors(first.as_ref(), second.as_ref())
            }
            (Some(_), None) => Some(Difference::OnlyInOne),
            (None, Some(_)) => Some(Difference::OnlyInOther),
            (None, None) => None,
        };
        let found =
            found.or_else(|| moved.get(&number).map(|&(one, other)| Difference::Order { one, other }));
        let Some(difference) = found else { return Ok(None) };
        // Either may know more names; the first file's come first.
        let known = |name: fn(&SideVariable) -> Option<&str>| {
            first.and_then(name).or_else(|| second.and_then(name)).map(str::to_owned)
        };
        let place = known(|variable| variable.place.as_deref());
        let name = known(|variable| variable.name.as_deref());
        let name = name.or_else(|| place.clone()).unwrap_or_default();
        Ok(Some(Differing { name, place, difference }))
    };
    let found: Result<Vec<_>, Failure> = pairs.par_iter().enumerate().map(compare).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// The pairs, as indices, that stand at another place in the order of legacy files, where one of the two is such a
/// file and both tell an order.
fn moved_pairs(one: &Side, other: &Side, pairs: &[Pair]) -> HashMap<usize, (usize, usize)> {
    let (Some(ones), Some(others)) = (&one.order, &other.order) else { return HashMap::new() };
    if !one.is_legacy && !other.is_legacy {
        return HashMap::new();
    }
    let shared = || pairs.iter().enumerate().filter(|(_, (one, other))| one.is_some() && other.is_some());
    let list = |order: &[usize], side: fn(&Pair) -> Option<usize>| -> Vec<usize> {
        let numbers: HashMap<usize, usize> =
            shared().filter_map(|(number, pair)| Some((side(pair)?, number))).collect();
        order.iter().filter_map(|at| numbers.get(at).copied()).collect()
    };
    moved(&list(ones, |pair| pair.0), &list(others, |pair| pair.1))
}

fn compare_tensors(one: &LazyTensor, other: &LazyTensor) -> Option<Difference> {
    let shape = one.view.shape();
    if shape != other.view.shape() {
        return Some(Difference::Shape { one: shape.clone(), other: other.view.shape().clone() });
    }
    if one.dtype != other.dtype {
        return Some(Difference::Dtype { one: one.dtype, other: other.dtype });
    }
    let dtype = one.dtype;
    let mut found: Option<Values> = None;
    for at in 0..shape.numel() {
        let read = |tensor: &LazyTensor| element::read(tensor, element::place(&tensor.view, at));
        let (one_raw, other_raw) = (read(one), read(other));
        if one_raw == other_raw {
            continue;
        }
        // The reader has checked that the files hold every element, so the default stands for none.
        let decode = |raw: Option<Raw>, dtype| element::decode(raw.unwrap_or_default(), dtype);
        let (one, other) = (decode(one_raw, dtype), decode(other_raw, dtype));
        let values = found.get_or_insert_with(|| Values {
            count: 0,
            max_abs: 0.0,
            first: element::index(shape, at),
            one: one.shown(dtype),
            other: other.shown(dtype),
        });
        values.count += 1;
        // `max` passes over NaN.
        values.max_abs = values.max_abs.max(distance(one, other));
    }
    found.map(Difference::Values)
}

#[expect(clippy::cast_precision_loss, reason = "a measure for people")]
fn distance(one: Number, other: Number) -> f64 {
    match (one, other) {
        (Number::Integer(one), Number::Integer(other)) => one.abs_diff(other) as f64,
        (Number::Float(one), Number::Float(other)) => (one - other).abs(),
        (Number::Complex(a, b), Number::Complex(c, d)) => (a - c).hypot(b - d),
        // Both are of one type.
        _ => f64::NAN,
    }
}
