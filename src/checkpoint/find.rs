//! Finds the state_dict in the object that a checkpoint holds (formats/pytorch.md section 6).

mod entries;
mod search;
mod words;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use crate::tensor::Printable;

use super::error::ErrorKind;
use super::pickle::torch::module_class;
use super::pickle::{Pickle, ValueId};

pub(super) use entries::{Entry, EntryKind, entries, holds_tensors};
use search::{Found, Rank, Search, search};
pub(super) use words::is_aside;
use words::is_known;

/// A state_dict found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The keys that lead to it from the root, places in lists as numbers; none for the root itself.
    pub path: Vec<String>,
    /// How many tensors it holds.
    pub tensors: usize,
}

/// As `--key` takes it, with the count: `model.ema (12 tensors)`.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.tensors == 1 { "" } else { "s" };
        if self.path.is_empty() {
            write!(f, "the root (--key \"\", {} tensor{plural})", self.tensors)
        } else {
            write!(f, "{} ({} tensor{plural})", Printable(&self.path.join(".")), self.tensors)
        }
    }
}

/// How many containers deep a state_dict may lie, and how deep its own dictionaries may be nested. Real files
/// need 4.
const MAX_DEPTH: usize = 16;

/// What was chosen.
pub(super) struct Choice {
    pub(super) state_dict: ValueId,
    pub(super) path: Vec<String>,
    pub(super) candidates: Vec<Candidate>,
    /// Whether it is a moving average, there being nothing else.
    pub(super) is_ema: bool,
}

/// Chooses the state_dict: the one at `key`, or the likeliest.
pub(super) fn choose(pickle: &Pickle<'_>, key: Option<&str>) -> Result<Choice, ErrorKind> {
    let Search { found, modules } = search(pickle);
    let candidates: Vec<Candidate> = found.iter().map(|found| found.candidate.clone()).collect();
    if let Some(key) = key {
        return at_key(pickle, key, candidates);
    }
    let is_known_module = |path: &[String]| path.last().is_none_or(|key| is_known(key));
    let mut tiers = vec![];
    for is_ema in [false, true] {
        for rank in [Rank::Known, Rank::Mostly, Rank::Some] {
            let tier: Vec<&Found> =
                found.iter().filter(|found| found.rank == rank && found.is_ema == is_ema).collect();
            tiers.push(tier);
        }
    }
    // A state_dict beside a root that is mostly tensors itself: either may be meant.
    if let [known, mostly, ..] = tiers.as_mut_slice()
        && mostly.iter().any(|found| found.candidate.path.is_empty())
    {
        known.append(mostly);
    }
    let has_known = tiers.first().is_some_and(|tier| !tier.is_empty());
    if let Some((path, class)) = modules.iter().find(|(path, _)| found.is_empty() || is_known_module(path))
        && !has_known
    {
        return Err(ErrorKind::PickledModule { class: class.clone(), path: path.clone() });
    }
    match tiers.into_iter().find(|tier| !tier.is_empty()).as_deref() {
        Some([only]) => Ok(Choice {
            state_dict: only.id,
            path: only.candidate.path.clone(),
            is_ema: only.is_ema,
            candidates,
        }),
        Some(_) => Err(ErrorKind::Ambiguous { candidates }),
        None => Err(ErrorKind::NoStateDict { root: pickle.describe(pickle.root()) }),
    }
}

/// Follows a key from the root. Keys may contain dots themselves, so every split of it is tried.
fn at_key(pickle: &Pickle<'_>, key: &str, candidates: Vec<Candidate>) -> Result<Choice, ErrorKind> {
    let mut matches: Vec<(ValueId, Vec<String>)> = Vec::new();
    let mut seen = HashSet::new();
    let mut pending = vec![(pickle.root(), key, Vec::<String>::new())];
    if key.is_empty() {
        matches.push((pickle.root(), Vec::new()));
    }
    while let Some((id, rest, path)) = pending.pop() {
        if rest.is_empty() || !seen.insert((id, rest.len())) {
            continue;
        }
        for (item_key, value) in steps(pickle, id) {
            let Some(after) = rest.strip_prefix(item_key.as_ref()) else { continue };
            let mut path = path.clone();
            path.push(item_key.into_owned());
            if after.is_empty() {
                if matches.iter().all(|(known, _)| *known != value) {
                    matches.push((value, path));
                }
            } else if let Some(after) = after.strip_prefix('.') {
                pending.push((value, after, path));
            }
        }
    }
    let key = key.to_owned();
    let (id, path) = match matches.as_slice() {
        [] => return Err(ErrorKind::NoSuchKey { key, candidates }),
        [only] => only.clone(),
        _ => {
            let candidates = matches
                .into_iter()
                .map(|(id, path)| Candidate { path, tensors: count(pickle, id) })
                .collect();
            return Err(ErrorKind::Ambiguous { candidates });
        }
    };
    if let Some(class) = module_class(pickle, id) {
        return Err(ErrorKind::PickledModule { class, path });
    }
    if count(pickle, id) == 0 {
        return Err(ErrorKind::NotAStateDict { key, what: pickle.describe(id), candidates });
    }
    Ok(Choice { state_dict: id, path, candidates, is_ema: false })
}

/// The steps that lead on from a container: keys of a dictionary, places in a list.
fn steps<'p>(pickle: &'p Pickle<'_>, id: ValueId) -> impl Iterator<Item = (Cow<'p, str>, ValueId)> + 'p {
    let keys = pickle.dict(id).into_iter().flat_map(|dict| dict.items());
    let keys = keys.filter_map(|(key, value)| Some((pickle.step(key)?, value)));
    let places = pickle.sequence(id).unwrap_or(&[]).iter().enumerate();
    keys.chain(places.map(|(place, &value)| (Cow::Owned(place.to_string()), value)))
}

fn count(pickle: &Pickle<'_>, id: ValueId) -> usize {
    let mut budget = entries::MAX_ENTRIES;
    entries::count(pickle, id, &mut budget).unwrap_or(entries::MAX_ENTRIES)
}
