//! Every dictionary, module and list of a file that may be a state_dict.

use std::collections::HashSet;

use super::entries::count;
use super::graph::{Module, Step, steps};
use super::optimizer::is_optimizer;
use super::words::{is_aside, is_ema, is_known};
use super::{Candidate, MAX_DEPTH};
use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::pickle::torch::is_tensor;
use crate::checkpoint::pickle::{Holders, Pickle, Value, ValueId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Under a key that says so.
    Known,
    /// Mostly tensors, or a module.
    Mostly,
    /// With some tensors.
    Some,
    /// Tensors without names, or attributes of an object: never chosen unasked, unless it is the root.
    Nameless,
}

/// What may be a state_dict.
pub(super) struct Found {
    pub(super) id: ValueId,
    pub(super) tensors: usize,
    pub(super) rank: Rank,
    pub(super) is_ema: bool,
    node: usize,
}

impl Found {
    /// Whether it is the root of the file.
    pub(super) const fn is_root(&self) -> bool {
        self.node == 0
    }
}

/// What the search found.
pub(super) struct Search {
    /// State_dicts, in the order of the file.
    pub(super) found: Vec<Found>,
    nodes: Vec<Node>,
}

/// Candidates that are listed. A file can hold a million (a replay buffer), and nobody reads more.
const MAX_LISTED: usize = 1 << 10;

/// Bytes of all paths that are listed: keys can be long and shared.
const MAX_LISTED_BYTES: usize = 1 << 18;

/// Values that are looked at to count the tensors of candidates.
pub(super) const MAX_COUNTED: usize = 1 << 18;

/// Containers with tensors in them that any file may have: each takes about 150 bytes of memory.
const MIN_NODES: usize = 1 << 18;

/// Bytes of a large pickle for each such container. Real ones have a tensor, which takes 100 bytes and more.
const BYTES_PER_NODE: usize = 32;

impl Search {
    /// The keys that lead to what was found.
    pub(super) fn path(&self, pickle: &Pickle<'_>, found: &Found) -> Vec<String> {
        let mut path: Vec<String> = self.way(pickle, found).map(|(text, _)| text.into_owned()).collect();
        path.reverse();
        path
    }

    /// What was found as candidates, as many as can be listed.
    pub(super) fn candidates<'f>(
        &self,
        pickle: &Pickle<'_>,
        found: impl IntoIterator<Item = &'f Found>,
    ) -> Vec<Candidate> {
        let mut bytes = MAX_LISTED_BYTES;
        let mut candidates = Vec::new();
        for found in found {
            let length: usize = self.way(pickle, found).map(|(text, _)| text.len()).sum();
            match bytes.checked_sub(length) {
                Some(rest) if candidates.len() < MAX_LISTED => bytes = rest,
                _ => break,
            }
            candidates.push(Candidate { path: self.path(pickle, found), tensors: found.tensors });
        }
        candidates
    }

    /// The steps that lead to what was found, the last first.
    fn way<'s, 'a>(
        &'s self,
        pickle: &'s Pickle<'a>,
        found: &Found,
    ) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, &'s Node)> {
        let mut place = Some(found.node);
        std::iter::from_fn(move || {
            let node = self.nodes.get(place?)?;
            place = node.parent;
            Some((node.step?.text(pickle)?, node))
        })
    }
}

/// A container, and how it was reached.
struct Node {
    id: ValueId,
    parent: Option<usize>,
    /// None for the root.
    step: Option<Step>,
    depth: usize,
    /// Whether the key says it under which it lies, or the list that holds it.
    is_known: bool,
    /// Whether any key on the way says it.
    is_ema: bool,
    /// The nodes under it.
    below: std::ops::Range<usize>,
}

struct Hit {
    node: usize,
    tensors: usize,
    rank: Rank,
    /// Whether it holds tensors itself, and not only its dictionaries.
    is_direct: bool,
}

/// Walks from the root wherever there are tensors. Each container is met once, on its shortest way.
pub(super) fn search(pickle: &Pickle<'_>, holders: &Holders) -> Result<Search, ErrorKind> {
    let root = Node {
        id: pickle.root(),
        parent: None,
        step: None,
        depth: 0,
        is_known: false,
        is_ema: false,
        below: 0..0,
    };
    let mut nodes = vec![root];
    let mut seen = HashSet::from([pickle.root()]);
    let mut hits: Vec<Option<Hit>> = Vec::new();
    // Counts are for messages: many names of one large dictionary must not be counted each.
    let mut budget = MAX_COUNTED;
    let limit = MIN_NODES.max(pickle.byte_len() / BYTES_PER_NODE);
    let mut place = 0;
    while let Some(node) = nodes.get(place) {
        let (id, depth, start) = (node.id, node.depth, nodes.len());
        let (is_known_here, is_ema_here) = (node.is_known, node.is_ema);
        let is_module = Module::of(pickle, id).is_some();
        let mut tally = Tally::default();
        if !is_module {
            steps(pickle, id, &mut |step, value| {
                tally.add(is_tensor(pickle, value), step.word(pickle).is_some());
                if is_tensor(pickle, value) || depth >= MAX_DEPTH || !is_searched(pickle, holders, value) {
                    return;
                }
                let Some(text) = step.text(pickle).filter(|_| nodes.len() <= limit) else { return };
                if is_aside(&text) || is_optimizer(pickle, value) || !seen.insert(value) {
                    return;
                }
                let is_place = matches!(step, Step::Place(_));
                nodes.push(Node {
                    id: value,
                    parent: Some(place),
                    step: Some(step),
                    depth: depth + 1,
                    is_known: if is_place { is_known_here } else { is_known(&text) },
                    is_ema: is_ema_here || (!is_place && is_ema(&text)),
                    below: 0..0,
                });
            });
        }
        let is_dict = pickle.dict(id).is_some();
        let mut hit = None;
        if is_module || tally.tensors > 0 || (is_known_here && is_dict) {
            let tensors = count(pickle, holders, id, &mut budget).unwrap_or_else(|| tally.tensors.max(1));
            if tensors > 0 {
                let is_direct = is_module || tally.tensors > 0;
                hit = Some(Hit {
                    node: place,
                    tensors,
                    rank: tally.rank(is_known_here, is_module, is_dict),
                    is_direct,
                });
            }
        }
        hits.push(hit);
        if nodes.len() > limit {
            return Err(ErrorKind::TooManyContainers { limit });
        }
        let end = nodes.len();
        if let Some(node) = nodes.get_mut(place) {
            node.below = start..end;
        }
        place += 1;
    }
    let found = wholes(&nodes, in_file_order(&nodes, hits))
        .into_iter()
        .filter_map(|hit| {
            let node = nodes.get(hit.node)?;
            let (id, is_ema) = (node.id, node.is_ema);
            Some(Found { id, tensors: hit.tensors, rank: hit.rank, is_ema, node: hit.node })
        })
        .collect();
    Ok(Search { found, nodes })
}

/// What a container holds itself.
#[derive(Default)]
struct Tally {
    items: usize,
    tensors: usize,
    named: usize,
}

impl Tally {
    fn add(&mut self, is_tensor: bool, is_named: bool) {
        self.items += 1;
        self.tensors += usize::from(is_tensor);
        self.named += usize::from(is_tensor && is_named);
    }

    fn rank(&self, is_known: bool, is_module: bool, is_dict: bool) -> Rank {
        let is_nameless = self.tensors > 0 && (self.named == 0 || !is_dict);
        match (is_known, is_module, 2 * self.named > self.items) {
            (true, true, _) => Rank::Known,
            (false, true, _) => Rank::Mostly,
            _ if is_nameless => Rank::Nameless,
            (true, ..) => Rank::Known,
            (.., true) => Rank::Mostly,
            (.., false) => Rank::Some,
        }
    }
}

/// Whether a value can hold a state_dict, or is a module.
fn is_searched(pickle: &Pickle<'_>, holders: &Holders, id: ValueId) -> bool {
    holders.holds(id)
        && matches!(pickle.get(id), Value::Tuple(_) | Value::List(_) | Value::Dict(_) | Value::Object(_))
}

/// Hits, which lie in the order of their depths, in the order in which the file names them.
fn in_file_order(nodes: &[Node], mut hits: Vec<Option<Hit>>) -> Vec<Hit> {
    let mut ordered = Vec::new();
    let mut pending = vec![0];
    while let Some(place) = pending.pop() {
        ordered.extend(hits.get_mut(place).and_then(Option::take));
        pending.extend(nodes.get(place).map_or(0..0, |node| node.below.clone()).rev());
    }
    ordered
}

/// Drops dictionaries that only lead to known ones, and those that are parts of another.
fn wholes(nodes: &[Node], hits: Vec<Hit>) -> Vec<Hit> {
    let parent = |node: usize| nodes.get(node).and_then(|node| node.parent);
    let above = |node: usize| std::iter::successors(parent(node), move |&node| parent(node));
    let over_known: HashSet<usize> =
        hits.iter().filter(|hit| hit.rank == Rank::Known).flat_map(|hit| above(hit.node)).collect();
    let leads_to_known = |hit: &Hit| !hit.is_direct && over_known.contains(&hit.node);
    let is_whole = |hit: &Hit| matches!(hit.rank, Rank::Known | Rank::Mostly) && !leads_to_known(hit);
    let whole_at: HashSet<usize> = hits.iter().filter(|hit| is_whole(hit)).map(|hit| hit.node).collect();
    let is_part = |hit: &Hit| hit.rank != Rank::Known && above(hit.node).any(|node| whole_at.contains(&node));
    let keep: Vec<bool> = hits.iter().map(|hit| !is_part(hit) && !leads_to_known(hit)).collect();
    hits.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(hit, _)| hit).collect()
}
