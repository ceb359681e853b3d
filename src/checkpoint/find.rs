//! Finds the state_dict in the object that a checkpoint holds (formats/pytorch.md section 6).

mod aside;
mod entries;
mod graph;
mod key;
mod optimizer;
mod search;
mod trainer;
mod words;

use std::fmt;

use crate::tensor::Printable;

use super::error::ErrorKind;
use super::key_budget::KeyBudget;
use super::pickle::torch::is_tensor;
use super::pickle::{Holders, Pickle, ValueId};
use super::state_dict::{OpenOptions, Warning};

use aside::is_one_element;
pub(super) use entries::{Entries, Entry, EntryKind};
use graph::attribute;
pub(crate) use key::as_key;
pub(super) use optimizer::is_flat_slot;
use search::{Found, MAX_COUNTED, Rank, Search, search};
use trainer::Trainer;
pub(super) use words::is_model;
use words::{LOSS_WEIGHTS, is_ema, is_record};

/// A state_dict found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The keys that lead to it from the root, places in lists as numbers; none for the root itself.
    pub path: Vec<String>,
    /// How many tensors it holds.
    pub tensors: usize,
}

impl Candidate {
    /// Whether the keys say that it is a moving average of weights.
    #[must_use]
    pub fn is_moving_average(&self) -> bool {
        self.path.iter().any(|key| is_ema(key))
    }
}

/// As `--key` takes it, with the count: `model.ema (12 tensors)`.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.tensors == 1 { "" } else { "s" };
        if self.path.is_empty() {
            write!(f, "the root (--key \"\", {} tensor{plural})", self.tensors)
        } else {
            write!(f, "{} ({} tensor{plural})", Printable(&as_key(&self.path)), self.tensors)
        }
    }
}

/// How many containers deep a state_dict may lie, and how deep dictionaries and modules may be nested in it. Each
/// segment of a key is a level of modules: real models need 20, and Python's pickler gives up before 300.
const MAX_DEPTH: usize = 128;

/// The name of a tensor that is the root itself.
const ROOT_TENSOR: &str = "tensor";

/// What was chosen.
pub(super) struct Choice {
    /// A dictionary, module, list or tensor.
    pub(super) node: ValueId,
    pub(super) path: Vec<String>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) warnings: Vec<Warning>,
    /// Whose conventions the file follows.
    pub(super) trainer: Option<String>,
    pub(super) holders: Holders,
}

impl Choice {
    /// What is in it, in order, and what is left for the tensors.
    pub(super) fn entries(&self, pickle: &Pickle<'_>) -> Result<(Entries, KeyBudget), ErrorKind> {
        let name = self.path.last().map_or(ROOT_TENSOR, String::as_str);
        entries::entries(pickle, &self.holders, self.node, name)
    }
}

/// A value and the keys that lead to it.
type At = (ValueId, Vec<String>);

/// Chooses the state_dict: the one at `options.key`, the moving average, or the likeliest.
pub(super) fn choose(pickle: &Pickle<'_>, options: &OpenOptions) -> Result<Choice, ErrorKind> {
    let holders = Holders::of(pickle);
    let all = search(pickle, &holders)?;
    let trainer = trainer::recognise(pickle, &holders);
    let mut warnings = Vec::new();
    let (node, path) = at(pickle, &holders, options, &all, trainer.as_ref(), &mut warnings)?;
    let mut name = None;
    if let Some(trainer) = trainer {
        // An average that was asked for, or not chosen, needs no warning.
        warnings.extend(trainer.warnings.into_iter().filter(|warning| match warning {
            Warning::Averaged { path: average, .. } => !options.ema && path.iter().eq([average]),
            Warning::MovingAverage { path: average } => !options.ema && path == *average,
            _ => true,
        }));
        name = Some(trainer.name);
    }
    let candidates = all.candidates(pickle, &all.found);
    Ok(Choice { node, path, candidates, warnings, trainer: name, holders })
}

fn at(
    pickle: &Pickle<'_>,
    holders: &Holders,
    options: &OpenOptions,
    all: &Search,
    trainer: Option<&Trainer>,
    warnings: &mut Vec<Warning>,
) -> Result<At, ErrorKind> {
    if let Some(key) = &options.key {
        return if options.ema { Err(ErrorKind::KeyAndEma) } else { at_key(pickle, holders, key, all) };
    }
    if let Some(what) = trainer::not_weights(pickle, holders) {
        return Err(ErrorKind::NotWeights(what));
    }
    if options.ema {
        return moving_average(pickle, all, trainer);
    }
    if let Some(at) = by_convention(pickle, holders, trainer) {
        let beside = all.found.iter().filter(|found| found.rank == Rank::Aside);
        warn_of(all.candidates(pickle, beside), warnings);
        return Ok(at);
    }
    if is_tensor(pickle, pickle.root()) {
        return Ok((pickle.root(), Vec::new()));
    }
    let candidates = || all.candidates(pickle, &all.found);
    match likeliest(all).as_slice() {
        [only] => {
            let path = all.path(pickle, only);
            if only.is_ema {
                warnings.push(Warning::MovingAverage { path: path.clone() });
            }
            warn_of(beside(pickle, all, only), warnings);
            Ok((only.id, path))
        }
        [] => Err(ErrorKind::NoStateDict {
            root: pickle.describe(pickle.root()),
            has_arrays: holders.has_arrays(),
            is_quantized: holders.has_packed(),
            candidates: candidates(),
        }),
        several => Err(ErrorKind::Ambiguous { count: several.len(), candidates: candidates() }),
    }
}

/// The candidates of the best rank there is. A moving average only when there is nothing else; tensors without
/// names only when they are the root.
fn likeliest(all: &Search) -> Vec<&Found> {
    let mut tiers = Vec::new();
    for is_ema in [false, true] {
        for rank in [Rank::Known, Rank::Mostly, Rank::Some] {
            let tier: Vec<&Found> =
                all.found.iter().filter(|found| found.rank == rank && found.is_ema == is_ema).collect();
            tiers.push(tier);
        }
    }
    tiers.push(all.found.iter().filter(|found| found.rank == Rank::Nameless && found.is_root()).collect());
    // One network of several, or a part of one, beside other state_dicts: all of them may be meant.
    if let [known, mostly, ..] = tiers.as_mut_slice()
        && known.iter().all(|found| !found.is_model)
    {
        known.append(mostly);
    }
    let mut likeliest = tiers.into_iter().find(|tier| !tier.is_empty()).unwrap_or_default();
    // A state_dict in a dictionary with weights of its own: either may be meant.
    if let [only] = *likeliest {
        likeliest.extend(all.found.iter().filter(|found| found.has_own && all.is_above(found, only)));
    }
    likeliest
}

/// What may be weights and lies beside the one that was chosen.
fn beside(pickle: &Pickle<'_>, all: &Search, chosen: &Found) -> Vec<Candidate> {
    let is_beside = |found: &&Found| {
        let is_likely = match found.rank {
            Rank::Known | Rank::Mostly | Rank::Aside => found.has_own || found.is_model,
            Rank::Some => found.has_own && all.path(pickle, found).last().is_none_or(|key| !is_record(key)),
            Rank::Nameless => false,
        };
        is_likely
            && !found.is_ema
            && found.id != chosen.id
            && !all.is_above(found, chosen)
            && !all.is_above(chosen, found)
    };
    let mut beside = all.candidates(pickle, all.found.iter().filter(is_beside));
    for outer in all.above(chosen) {
        let Some(dict) = pickle.dict(outer.id) else { continue };
        let path = all.path(pickle, &outer);
        for (key, value) in dict.items() {
            if beside.len() >= MAX_BESIDE {
                break;
            }
            if let Some(key) = pickle.text(key)
                && is_tensor(pickle, value)
                && (!is_record(key) || (LOSS_WEIGHTS.contains(&key) && !is_one_element(pickle, value)))
            {
                let path = path.iter().cloned().chain([key.to_owned()]).collect();
                beside.push(Candidate { path, tensors: 1 });
            }
        }
    }
    beside
}

/// What one warning names.
const MAX_BESIDE: usize = 64;

fn warn_of(beside: Vec<Candidate>, warnings: &mut Vec<Warning>) {
    if !beside.is_empty() {
        warnings.push(Warning::NotRead { beside });
    }
}

/// Where the trainer's own loader looks, when there are weights.
fn by_convention(pickle: &Pickle<'_>, holders: &Holders, trainer: Option<&Trainer>) -> Option<At> {
    let weights = trainer?.weights?;
    let node = attribute(pickle, pickle.root(), weights)?;
    let is_readable = !is_tensor(pickle, node) && count(pickle, holders, node) > 0;
    is_readable.then(|| (node, vec![weights.to_owned()]))
}

/// The one moving average.
fn moving_average(pickle: &Pickle<'_>, all: &Search, trainer: Option<&Trainer>) -> Result<At, ErrorKind> {
    if let Some(average) = trainer.and_then(|trainer| trainer.average)
        && let Some(node) = attribute(pickle, pickle.root(), average)
    {
        return Ok((node, vec![average.to_owned()]));
    }
    let averages: Vec<&Found> = all.found.iter().filter(|found| found.is_ema).collect();
    match averages.as_slice() {
        // The average may be another name of the weights themselves.
        [] => match all.average(pickle, &all.found) {
            Some((found, path)) => Ok((found.id, path)),
            None => Err(ErrorKind::NoMovingAverage { candidates: all.candidates(pickle, &all.found) }),
        },
        [only] => Ok((only.id, all.path(pickle, only))),
        several => {
            let candidates = all.candidates(pickle, several.iter().copied());
            Err(ErrorKind::Ambiguous { count: several.len(), candidates })
        }
    }
}

/// Follows a key from the root.
fn at_key(pickle: &Pickle<'_>, holders: &Holders, key: &str, all: &Search) -> Result<At, ErrorKind> {
    let matches = key::follow(pickle, key);
    let key = key.to_owned();
    let candidates = all.candidates(pickle, &all.found);
    let at = match matches.as_slice() {
        [] => return Err(ErrorKind::NoSuchKey { key, candidates }),
        [only] => only.clone(),
        several => {
            let count_of = |id| count(pickle, holders, id);
            let candidates: Vec<Candidate> = several
                .iter()
                .map(|(id, path)| Candidate { path: path.clone(), tensors: count_of(*id) })
                .collect();
            return Err(ErrorKind::Ambiguous { count: candidates.len(), candidates });
        }
    };
    if count(pickle, holders, at.0) == 0 {
        return Err(ErrorKind::NotAStateDict { key, what: pickle.describe(at.0), candidates });
    }
    Ok(at)
}

fn count(pickle: &Pickle<'_>, holders: &Holders, id: ValueId) -> usize {
    let mut budget = MAX_COUNTED;
    entries::count(pickle, holders, id, &mut budget, &|_| true).unwrap_or(MAX_COUNTED)
}
