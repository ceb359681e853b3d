//! Finds the state_dict in the object that a checkpoint holds (formats/pytorch.md section 6).

use std::collections::HashSet;
use std::fmt;

use crate::tensor::Printable;

use super::error::ErrorKind;
use super::pickle::torch::{is_tensor, module_class};
use super::pickle::{Dict, Pickle, Value, ValueId};

/// A state_dict found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The keys that lead to it from the root; none for the root itself.
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

/// How many dictionaries deep a state_dict may lie, and how deep its own may be nested. Real files need 4.
const MAX_DEPTH: usize = 16;

/// Entries of one state_dict, nested dictionaries included. Shared dictionaries can multiply to any number.
const MAX_ENTRIES: usize = 1 << 20;

/// Keys under which training scripts keep a state_dict.
const KNOWN: [&str; 22] = [
    "state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
    "generator",
    "discriminator",
    "netG",
    "netD",
    "net_g",
    "net_d",
    "encoder",
    "decoder",
    "student",
    "teacher",
    "g",
    "d",
    "backbone",
    "g_ema",
];

/// Parts of keys under which training scripts keep what is no weight.
const TRAINING: [&str; 6] = ["optim", "sched", "scaler", "callbacks", "loops", "rng_state"];

/// One entry of a chosen state_dict.
pub(super) struct Entry {
    /// The key, with nested dictionaries' keys joined by dots; what it is instead when it is no text.
    pub(super) key: Result<String, String>,
    pub(super) value: ValueId,
    pub(super) kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A tensor, readable or not.
    Tensor,
    /// Something else, which must not hold tensors.
    Other,
    /// Extra state or an optimizer's: no weights, whatever is in it.
    Aside,
}

/// What was chosen.
pub(super) struct Choice {
    pub(super) state_dict: ValueId,
    pub(super) path: Vec<String>,
    pub(super) candidates: Vec<Candidate>,
    /// Whether it is a moving average, there being nothing else.
    pub(super) is_ema: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// Under a key that says so.
    Known,
    /// Mostly tensors.
    Mostly,
    /// With some tensors.
    Some,
}

struct Found {
    id: ValueId,
    candidate: Candidate,
    rank: Rank,
    is_ema: bool,
    /// Whether it holds tensors itself, and not only its dictionaries.
    is_direct: bool,
}

/// Chooses the state_dict: the one at `key`, or the likeliest.
pub(super) fn choose(pickle: &Pickle<'_>, key: Option<&str>) -> Result<Choice, ErrorKind> {
    let (found, modules) = search(pickle);
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

/// Every dictionary that may be a state_dict, in the order of the file, and every pickled module.
fn search(pickle: &Pickle<'_>) -> (Vec<Found>, Vec<(Vec<String>, String)>) {
    let mut found = Vec::new();
    let mut modules = Vec::new();
    let mut seen = HashSet::new();
    let mut pending = vec![(pickle.root(), Vec::<String>::new())];
    while let Some((id, path)) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        if let Some(class) = module_class(pickle, id) {
            modules.push((path, class));
            continue;
        }
        let Some(dict) = pickle.dict(id) else { continue };
        if is_optimizer(pickle, dict) {
            continue;
        }
        let mut children = Vec::new();
        let mut direct = 0;
        for (key, value) in dict.items() {
            let Some(key) = pickle.text(key) else { continue };
            if is_tensor(pickle, value) {
                direct += 1;
            } else if path.len() < MAX_DEPTH && !is_aside(key) {
                let mut path = path.clone();
                path.push(key.to_owned());
                children.push((value, path));
            }
        }
        pending.extend(children.into_iter().rev());
        let known = path.last().is_some_and(|key| is_known(key));
        if direct == 0 && !known {
            continue;
        }
        let tensors = entries(pickle, id).map_or(MAX_ENTRIES, |entries| {
            entries.iter().filter(|entry| entry.kind == EntryKind::Tensor).count()
        });
        if tensors == 0 {
            continue;
        }
        let rank = if known {
            Rank::Known
        } else if 2 * direct > dict.len() {
            Rank::Mostly
        } else {
            Rank::Some
        };
        let is_ema = path.iter().any(|key| is_ema(key));
        found.push(Found { id, candidate: Candidate { path, tensors }, rank, is_ema, is_direct: direct > 0 });
    }
    (without_parts(found), modules)
}

/// Drops dictionaries that only lead to known ones, and those that are parts of another.
fn without_parts(found: Vec<Found>) -> Vec<Found> {
    let is_under = |inner: &Found, outer: &Found| {
        inner.candidate.path.len() > outer.candidate.path.len()
            && inner.candidate.path.starts_with(&outer.candidate.path)
    };
    let leads_to_known = |outer: &Found| {
        !outer.is_direct && found.iter().any(|inner| inner.rank == Rank::Known && is_under(inner, outer))
    };
    let wholes: Vec<bool> = found
        .iter()
        .map(|this| {
            let is_part = this.rank != Rank::Known
                && found
                    .iter()
                    .any(|outer| outer.rank != Rank::Some && !leads_to_known(outer) && is_under(this, outer));
            !is_part && !leads_to_known(this)
        })
        .collect();
    found.into_iter().zip(wholes).filter(|(_, is_whole)| *is_whole).map(|(found, _)| found).collect()
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
        let Some(dict) = pickle.dict(id) else { continue };
        for (item_key, value) in dict.items() {
            let Some(item_key) = pickle.text(item_key) else { continue };
            let Some(after) = rest.strip_prefix(item_key) else { continue };
            let mut path = path.clone();
            path.push(item_key.to_owned());
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
    if pickle.dict(id).is_none() || count(pickle, id) == 0 {
        return Err(ErrorKind::NotAStateDict { key, what: pickle.describe(id), candidates });
    }
    Ok(Choice { state_dict: id, path, candidates, is_ema: false })
}

fn count(pickle: &Pickle<'_>, id: ValueId) -> usize {
    entries(pickle, id)
        .map_or(MAX_ENTRIES, |entries| entries.iter().filter(|entry| entry.kind == EntryKind::Tensor).count())
}

/// The entries of a state_dict in order. Dictionaries of tensors in it are part of it: their keys are joined
/// by dots. `None` when there are more than [`MAX_ENTRIES`].
pub(super) fn entries(pickle: &Pickle<'_>, id: ValueId) -> Option<Vec<Entry>> {
    let mut flat = Vec::new();
    let mut budget = MAX_ENTRIES;
    flatten(pickle, id, "", 0, &mut flat, &mut budget)?;
    Some(flat)
}

/// The limit of [`entries`].
pub(super) const fn max_entries() -> usize {
    MAX_ENTRIES
}

/// Whether there was a tensor. Recursive to [`MAX_DEPTH`].
fn flatten(
    pickle: &Pickle<'_>,
    id: ValueId,
    prefix: &str,
    depth: usize,
    flat: &mut Vec<Entry>,
    budget: &mut usize,
) -> Option<bool> {
    let Some(dict) = pickle.dict(id) else { return Some(false) };
    let mut has_tensor = false;
    for (key, value) in dict.items() {
        *budget = budget.checked_sub(1)?;
        let (key, kind) = match pickle.text(key) {
            _ if is_tensor(pickle, value) => {
                has_tensor = true;
                (pickle.text(key).map(|key| format!("{prefix}{key}")), EntryKind::Tensor)
            }
            Some(key) if is_extra_state(key) || (pickle.dict(value).is_some() && is_aside(key)) => {
                (Some(format!("{prefix}{key}")), EntryKind::Aside)
            }
            Some(key) => {
                let whole = format!("{prefix}{key}");
                let nested = pickle.dict(value).filter(|_| depth < MAX_DEPTH);
                match nested {
                    Some(nested) if is_optimizer(pickle, nested) => (Some(whole), EntryKind::Aside),
                    Some(_) => {
                        let start = flat.len();
                        let prefix = format!("{whole}.");
                        if flatten(pickle, value, &prefix, depth + 1, flat, budget)? {
                            has_tensor = true;
                            continue;
                        }
                        flat.truncate(start);
                        (Some(whole), EntryKind::Other)
                    }
                    None => (Some(whole), EntryKind::Other),
                }
            }
            None => (None, EntryKind::Other),
        };
        let key = key.ok_or_else(|| pickle.describe(dict_key(dict, value)));
        flat.push(Entry { key, value, kind });
    }
    Some(has_tensor)
}

/// The key of a value, for a message.
fn dict_key(dict: &Dict, value: ValueId) -> ValueId {
    dict.items().find(|&(_, item)| item == value).map_or(value, |(key, _)| key)
}

/// Whether a value holds a tensor or a module anywhere. `seen` carries over from one call to the next: what
/// was seen before held none.
pub(super) fn holds_tensors(pickle: &Pickle<'_>, id: ValueId, seen: &mut HashSet<ValueId>) -> bool {
    let mut pending = vec![id];
    while let Some(id) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        if is_tensor(pickle, id) || module_class(pickle, id).is_some() {
            return true;
        }
        match pickle.get(id) {
            Value::Tuple(elements) => pending.extend(elements.iter()),
            Value::List(elements) | Value::Set(elements) | Value::FrozenSet(elements) => {
                pending.extend(elements)
            }
            Value::Dict(dict) => pending.extend(dict.items().map(|(_, value)| value)),
            Value::Object(object) => {
                pending.push(object.args);
                pending.extend(object.kwargs);
                pending.extend(object.state);
                pending.extend(&object.appended);
                pending.extend(object.items.items().map(|(_, value)| value));
            }
            Value::Persistent(_)
            | Value::Global { .. }
            | Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Long(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::RawText(_)
            | Value::Bytes(_) => {}
        }
    }
    false
}

/// An optimizer's own state_dict, by its structure: `state` holds as many tensors as the weights.
fn is_optimizer(pickle: &Pickle<'_>, dict: &Dict) -> bool {
    pickle.item(dict, "param_groups").is_some() && pickle.item(dict, "state").is_some()
}

fn is_aside(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    is_extra_state(&key) || TRAINING.iter().any(|part| key.contains(part))
}

fn is_extra_state(key: &str) -> bool {
    key == "_extra_state" || key.ends_with("._extra_state")
}

fn is_known(key: &str) -> bool {
    KNOWN.contains(&key) || key.ends_with("state_dict") || is_ema(key)
}

fn is_ema(key: &str) -> bool {
    key.split(|character: char| !character.is_ascii_alphanumeric())
        .any(|word| word.eq_ignore_ascii_case("ema") || word.eq_ignore_ascii_case("swa"))
}
