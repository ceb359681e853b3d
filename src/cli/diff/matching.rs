//! Which variable of one file is which of the other.

use std::collections::{HashMap, HashSet};

use super::side::{Side, SideVariable};

/// A variable that at least one of the two has, as indices.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// How variables are told apart by their places, the surest first.
const PLACES: [fn(&SideVariable) -> Option<&str>; 2] =
    [|variable| variable.group_place.as_deref(), |variable| variable.legacy_place.as_deref()];

/// Pairs the variables of two files: by the dataset in a `.weights.h5`, by that in a legacy file, by the path in
/// the model, or by their order in two legacy files, whichever both tell and matches all; else whichever matches
/// most. `None` where that is not even half of the smaller file. What only the other has comes last.
pub(super) fn pair(one: &Side, other: &Side) -> Option<Vec<Pair>> {
    let smaller = one.variables.len().min(other.variables.len());
    let are_legacy = one.is_legacy && other.is_legacy;
    let by_order = match (&one.order, &other.order) {
        (Some(ones), Some(others)) if are_legacy && ones.len() == others.len() => {
            Some(ones.iter().copied().zip(others.iter().copied()).collect())
        }
        _ => None,
    };
    let by_place = PLACES.iter().filter_map(|place| by_key(one, other, *place));
    let mut best: Option<HashMap<usize, usize>> = None;
    for found in by_place.chain(by_name(one, other)).chain(by_order) {
        if best.as_ref().is_none_or(|best| found.len() > best.len()) {
            best = Some(found);
        }
        if best.as_ref().is_some_and(|best| best.len() == smaller) {
            break;
        }
    }
    let found = best.filter(|best| best.len() * 2 >= smaller)?;
    let mut taken = vec![false; other.variables.len()];
    let mut pairs: Vec<Pair> = Vec::with_capacity(one.variables.len());
    for at in 0..one.variables.len() {
        let partner = found.get(&at).copied();
        if let Some(taken) = partner.and_then(|partner| taken.get_mut(partner)) {
            *taken = true;
        }
        pairs.push((Some(at), partner));
    }
    pairs.extend(taken.iter().enumerate().filter(|(_, taken)| !**taken).map(|(at, _)| (None, Some(at))));
    Some(pairs)
}

/// The pairs of one key; `None` where a file does not tell it for all of its variables.
fn by_key(one: &Side, other: &Side, key: fn(&SideVariable) -> Option<&str>) -> Option<HashMap<usize, usize>> {
    let others: Option<HashMap<&str, usize>> =
        other.variables.iter().enumerate().map(|(at, variable)| Some((key(variable)?, at))).collect();
    let others = others?;
    let ones: Option<Vec<&str>> = one.variables.iter().map(key).collect();
    let found = ones?.into_iter().enumerate().filter_map(|(at, key)| Some((at, *others.get(key)?)));
    Some(found.collect())
}

/// The pairs by the paths in the model. A template that does not tell a variable's name has its index in the layer
/// instead.
fn by_name(one: &Side, other: &Side) -> Option<HashMap<usize, usize>> {
    let mut found = by_key(one, other, |variable| variable.name.as_deref())?;
    let taken: HashSet<usize> = found.values().copied().collect();
    let mut others: HashMap<(&str, usize), usize> = HashMap::new();
    for (at, variable) in other.variables.iter().enumerate().filter(|(at, _)| !taken.contains(at)) {
        others.insert((variable.layer()?, variable.index), at);
    }
    let is_index = |side: &Side, at: usize| {
        let name = side.variables.get(at).and_then(|variable| variable.name.as_deref()).unwrap_or_default();
        name.rsplit('/').next().is_some_and(|last| last.parse::<usize>().is_ok())
    };
    for (at, variable) in one.variables.iter().enumerate() {
        if found.contains_key(&at) {
            continue;
        }
        let partner = others.get(&(variable.layer()?, variable.index)).copied();
        if let Some(partner) = partner.filter(|&partner| is_index(one, at) || is_index(other, partner)) {
            found.insert(at, partner);
        }
    }
    Some(found)
}
