//! Every dictionary of a file that may be a state_dict.

use std::collections::{HashMap, HashSet};

use super::entries::{MAX_ENTRIES, count, is_optimizer};
use super::words::{is_aside, is_ema, is_known};
use super::{Candidate, MAX_DEPTH};
use crate::checkpoint::pickle::torch::{is_tensor, module_class};
use crate::checkpoint::pickle::{Pickle, ValueId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Under a key that says so.
    Known,
    /// Mostly tensors.
    Mostly,
    /// With some tensors.
    Some,
}

/// A dictionary that holds tensors.
pub(super) struct Found {
    pub(super) id: ValueId,
    pub(super) candidate: Candidate,
    pub(super) rank: Rank,
    pub(super) is_ema: bool,
}

/// What the search found.
#[derive(Default)]
pub(super) struct Search {
    /// State_dicts, in the order of the file.
    pub(super) found: Vec<Found>,
    /// Pickled modules: where, and of which class.
    pub(super) modules: Vec<(Vec<String>, String)>,
}

/// A step of the walk: the container, and how it was reached.
struct Node {
    id: ValueId,
    parent: Option<usize>,
    key: Step,
    depth: usize,
}

/// A key, by the value that it is, or a place in a list.
enum Step {
    Root,
    Key(ValueId),
    Place(usize),
}

struct Hit {
    node: usize,
    tensors: usize,
    rank: Rank,
    /// Whether it holds tensors itself, and not only its dictionaries.
    is_direct: bool,
}

/// Walks dictionaries, lists and tuples from the root. Each is met once, on its shortest way.
pub(super) fn search(pickle: &Pickle<'_>) -> Search {
    let mut nodes = vec![Node { id: pickle.root(), parent: None, key: Step::Root, depth: 0 }];
    let mut seen = HashSet::from([pickle.root()]);
    let mut pending = vec![0];
    let mut hits = Vec::new();
    let mut modules = Vec::new();
    // Counts are for messages: many names of one large dictionary must not be counted each.
    let mut budget = MAX_ENTRIES;
    while let Some(place) = pending.pop() {
        let Some(&Node { id, depth, .. }) = nodes.get(place) else { continue };
        if let Some(class) = module_class(pickle, id) {
            modules.push((path(pickle, &nodes, place), class));
            continue;
        }
        let start = nodes.len();
        let mut visit = |value: ValueId, key: Step| {
            if depth < MAX_DEPTH && is_container(pickle, value) && seen.insert(value) {
                nodes.push(Node { id: value, parent: Some(place), key, depth: depth + 1 });
            }
        };
        if let Some(dict) = pickle.dict(id) {
            if is_optimizer(pickle, dict) {
                continue;
            }
            let mut direct = 0;
            for (key, value) in dict.items() {
                if is_tensor(pickle, value) {
                    direct += usize::from(pickle.text(key).is_some());
                } else if pickle.step(key).is_some_and(|key| !is_aside(&key)) {
                    visit(value, Step::Key(key));
                }
            }
            let is_known = named(pickle, &nodes, place, is_known);
            if direct > 0 || is_known {
                let tensors = count(pickle, id, &mut budget).unwrap_or(MAX_ENTRIES);
                let rank = match (is_known, 2 * direct > dict.len()) {
                    (true, _) => Rank::Known,
                    (false, true) => Rank::Mostly,
                    (false, false) => Rank::Some,
                };
                if tensors > 0 {
                    hits.push(Hit { node: place, tensors, rank, is_direct: direct > 0 });
                }
            }
        } else if let Some(elements) = pickle.sequence(id) {
            for (place, &value) in elements.iter().enumerate() {
                visit(value, Step::Place(place));
            }
        }
        pending.extend((start..nodes.len()).rev());
    }
    let found = wholes(&nodes, hits)
        .into_iter()
        .map(|hit| {
            let path = path(pickle, &nodes, hit.node);
            let is_ema = path.iter().any(|key| is_ema(key));
            let id = nodes.get(hit.node).map_or_else(|| pickle.root(), |node| node.id);
            Found { id, candidate: Candidate { path, tensors: hit.tensors }, rank: hit.rank, is_ema }
        })
        .collect();
    Search { found, modules }
}

/// Whether a value can hold a state_dict, or is a module.
fn is_container(pickle: &Pickle<'_>, id: ValueId) -> bool {
    pickle.dict(id).is_some() || pickle.sequence(id).is_some() || module_class(pickle, id).is_some()
}

/// Whether the key says it under which a container lies, or the list that holds it.
fn named(pickle: &Pickle<'_>, nodes: &[Node], place: usize, says: fn(&str) -> bool) -> bool {
    let mut place = Some(place);
    while let Some(node) = place.and_then(|place| nodes.get(place)) {
        match node.key {
            Step::Root => return false,
            Step::Key(key) => return pickle.step(key).is_some_and(|key| says(&key)),
            Step::Place(_) => place = node.parent,
        }
    }
    false
}

/// The keys that lead to a container.
fn path(pickle: &Pickle<'_>, nodes: &[Node], place: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut place = Some(place);
    while let Some(node) = place.and_then(|place| nodes.get(place)) {
        match node.key {
            Step::Root => {}
            Step::Key(key) => path.extend(pickle.step(key).map(std::borrow::Cow::into_owned)),
            Step::Place(index) => path.push(index.to_string()),
        }
        place = node.parent;
    }
    path.reverse();
    path
}

/// Drops dictionaries that only lead to known ones, and those that are parts of another.
fn wholes(nodes: &[Node], hits: Vec<Hit>) -> Vec<Hit> {
    let parent = |node: usize| nodes.get(node).and_then(|node| node.parent);
    let above = |node: usize| std::iter::successors(parent(node), move |&node| parent(node));
    let over_known: HashSet<usize> =
        hits.iter().filter(|hit| hit.rank == Rank::Known).flat_map(|hit| above(hit.node)).collect();
    let leads_to_known = |hit: &Hit| !hit.is_direct && over_known.contains(&hit.node);
    let whole_at: HashMap<usize, bool> =
        hits.iter().map(|hit| (hit.node, hit.rank != Rank::Some && !leads_to_known(hit))).collect();
    let is_part =
        |hit: &Hit| hit.rank != Rank::Known && above(hit.node).any(|node| whole_at.get(&node) == Some(&true));
    let keep: Vec<bool> = hits.iter().map(|hit| !is_part(hit) && !leads_to_known(hit)).collect();
    hits.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(hit, _)| hit).collect()
}
