//! Every dictionary, module and list of a file that may be a state_dict.

use crate::map::{Map, Set};

use super::aside::{is_control_state, is_one_element};
use super::entries::count;
use super::graph::{Module, Step, steps};
use super::optimizer::{is_flat_slot, is_optimizer, is_slot};
use super::words::{is_control, is_ema, is_known, is_model, is_part, is_record, is_training};
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
    /// Under a key of an optimizer's or the trainer's: never chosen unasked.
    Aside,
}

/// What may be a state_dict.
pub(super) struct Found {
    pub(super) id: ValueId,
    pub(super) tensors: usize,
    pub(super) rank: Rank,
    pub(super) is_ema: bool,
    /// Whether its key says that it is the whole model.
    pub(super) is_model: bool,
    /// Whether tensors of its own are likely weights: not counters, losses or states of generators.
    pub(super) has_own: bool,
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
    /// Other ways to a node, which say that it is a moving average.
    averages: Vec<(usize, Alias)>,
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

    /// Whether one lies in the other.
    pub(super) fn is_above(&self, outer: &Found, inner: &Found) -> bool {
        let parent = |node: usize| self.nodes.get(node).and_then(|node| node.parent);
        std::iter::successors(parent(inner.node), |&node| parent(node)).any(|node| node == outer.node)
    }

    /// The values that are on the way to what was found, the innermost first.
    pub(super) fn above<'s>(&'s self, found: &Found) -> impl Iterator<Item = Found> + 's {
        let mut place = self.nodes.get(found.node).and_then(|node| node.parent);
        std::iter::from_fn(move || {
            let node = place?;
            let at = self.nodes.get(node)?;
            place = at.parent;
            Some(Found {
                id: at.id,
                tensors: 0,
                rank: Rank::Some,
                is_ema: at.is_ema,
                is_model: at.is_model,
                has_own: false,
                node,
            })
        })
    }

    /// The path of what has another name, which says that it is a moving average.
    pub(super) fn average<'f>(
        &self,
        pickle: &Pickle<'_>,
        found: &'f [Found],
    ) -> Option<(&'f Found, Vec<String>)> {
        let (node, alias) = self.averages.first()?;
        let found = found.iter().find(|found| found.node == *node)?;
        let parent = Found { node: alias.parent, ..*found };
        let mut path = self.path(pickle, &parent);
        path.push(alias.step.text(pickle)?.into_owned());
        Some((found, path))
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
    /// Whether the key says that it is the whole model.
    is_model: bool,
    /// Whether the key says that it is a part of a network.
    is_part: bool,
    /// Whether any key on the way says it.
    is_ema: bool,
    /// Whether its key says that it is no weight.
    aside: Aside,
    /// The nodes under it.
    below: std::ops::Range<usize>,
}

/// What the key of a node says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aside {
    No,
    /// It may be a scheduler or a scaler.
    Perhaps,
    Yes,
}

/// Another way to a node.
struct Alias {
    parent: usize,
    step: Step,
}

struct Hit {
    node: usize,
    tensors: usize,
    rank: Rank,
    /// Whether it holds tensors itself, and not only its dictionaries.
    is_direct: bool,
    has_own: bool,
}

/// Second names of moving averages that are kept.
const MAX_AVERAGES: usize = 16;

/// Records of the training among the tensors of one dictionary that are known by their names: scripts write a few.
const MAX_RECORDS: usize = 1 << 10;

/// Walks from the root wherever there are tensors. Each container is met once, on its shortest way; of ways of
/// one length, on one that says of no moving average.
pub(super) fn search(pickle: &Pickle<'_>, holders: &Holders) -> Result<Search, ErrorKind> {
    let limit = MIN_NODES.max(pickle.byte_len() / BYTES_PER_NODE);
    let (nodes, seen, averages) = (Vec::new(), Map::default(), Vec::new());
    let mut walk = Walk { pickle, holders, limit, nodes, seen, averages };
    walk.nodes.push(Node {
        id: pickle.root(),
        parent: None,
        step: None,
        depth: 0,
        is_known: false,
        is_model: false,
        is_part: false,
        is_ema: false,
        aside: Aside::No,
        below: 0..0,
    });
    walk.seen.insert(pickle.root(), 0);
    let mut hits: Vec<Option<Hit>> = Vec::new();
    // Counts are for messages: many names of one large dictionary must not be counted each.
    let mut budget = MAX_COUNTED;
    while hits.len() < walk.nodes.len() {
        hits.push(walk.visit(hits.len(), &mut budget));
        if walk.nodes.len() > limit {
            return Err(ErrorKind::TooManyContainers { limit });
        }
    }
    let Walk { nodes, averages, .. } = walk;
    let found = wholes(&nodes, in_file_order(&nodes, hits))
        .into_iter()
        .filter_map(|hit| {
            let node = nodes.get(hit.node)?;
            Some(Found {
                id: node.id,
                tensors: hit.tensors,
                rank: hit.rank,
                is_ema: node.is_ema,
                is_model: node.is_model,
                has_own: hit.has_own,
                node: hit.node,
            })
        })
        .collect();
    Ok(Search { found, nodes, averages })
}

struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    holders: &'p Holders,
    /// Nodes that there may be.
    limit: usize,
    nodes: Vec<Node>,
    seen: Map<ValueId, usize>,
    averages: Vec<(usize, Alias)>,
}

impl Walk<'_, '_> {
    /// Meets what a node holds, and tells whether it may be a state_dict.
    fn visit(&mut self, place: usize, budget: &mut usize) -> Option<Hit> {
        let (pickle, holders) = (self.pickle, self.holders);
        let node = self.nodes.get(place)?;
        let (id, is_known, aside) = (node.id, node.is_known, node.aside);
        let is_aside = match aside {
            Aside::No => false,
            Aside::Perhaps => is_control_state(pickle, holders, id, budget),
            Aside::Yes => true,
        };
        if is_aside {
            let is_large = |tensor| !is_one_element(pickle, tensor);
            let tensors = count(pickle, holders, id, budget, &is_large).unwrap_or(1);
            let hit = Hit { node: place, tensors, rank: Rank::Aside, is_direct: true, has_own: true };
            return (tensors > 0).then_some(hit);
        }
        let is_module = Module::of(pickle, id).is_some();
        let mut tally = Tally::default();
        if !is_module {
            let start = self.nodes.len();
            steps(pickle, id, &mut |step, value| {
                tally.items += 1;
                if is_tensor(pickle, value) {
                    tally.add(pickle, step, value);
                } else if is_searched(pickle, holders, value) {
                    self.child(place, step, value, &mut tally);
                }
                // An optimizer without momentum holds no tensors.
                if !tally.has_optimizer
                    && matches!(pickle.get(value), Value::Dict(_) | Value::Object(_))
                    && !is_tensor(pickle, value)
                {
                    tally.has_optimizer = step.word(pickle).is_some_and(is_training);
                }
            });
            let end = self.nodes.len();
            if let Some(node) = self.nodes.get_mut(place) {
                node.below = start..end;
            }
        }
        let is_dict = pickle.dict(id).is_some();
        if !is_module && tally.tensors == 0 && !(is_known && is_dict) {
            return None;
        }
        let tensors = count(pickle, holders, id, budget, &|_| true).unwrap_or_else(|| tally.tensors.max(1));
        let is_direct = is_module || tally.tensors > 0;
        let has_own = is_module || tally.has_own();
        let rank = tally.rank(is_known, is_module, is_dict);
        (tensors > 0).then_some(Hit { node: place, tensors, rank, is_direct, has_own })
    }

    /// Meets a container that holds tensors.
    fn child(&mut self, place: usize, step: Step, value: ValueId, tally: &mut Tally) {
        let pickle = self.pickle;
        let Some(text) = step.text(pickle) else { return };
        let Some(parent) = self.nodes.get(place) else { return };
        tally.has_optimizer |= is_optimizer(pickle, value);
        if self.nodes.len() > self.limit
            || parent.depth >= MAX_DEPTH
            || is_slot(&text)
            || is_optimizer(pickle, value)
        {
            return;
        }
        let is_place = matches!(step, Step::Place(_));
        let aside = match () {
            () if is_place => Aside::No,
            () if is_training(&text) => Aside::Yes,
            () if is_control(&text) => Aside::Perhaps,
            () => Aside::No,
        };
        let node = Node {
            id: value,
            parent: Some(place),
            step: Some(step),
            depth: parent.depth + 1,
            is_known: if is_place { parent.is_known } else { is_known(&text) },
            is_model: if is_place { parent.is_model } else { is_model(&text) },
            is_part: !is_place && is_part(&text),
            is_ema: parent.is_ema || (!is_place && is_ema(&text)),
            aside,
            below: 0..0,
        };
        if aside == Aside::No && !is_place {
            tally.parts += 1;
            tally.has_model |= node.is_model;
        }
        let Some(&known) = self.seen.get(&value) else {
            self.seen.insert(value, self.nodes.len());
            self.nodes.push(node);
            return;
        };
        let next = self.averages.len() < MAX_AVERAGES;
        match self.nodes.get_mut(known) {
            // Not visited yet, so it is not above this one.
            Some(average) if average.is_ema && !node.is_ema && known > place => {
                let old = std::mem::replace(average, node);
                if let (true, Some(parent), Some(step)) = (next, old.parent, old.step) {
                    self.averages.push((known, Alias { parent, step }));
                }
            }
            Some(plain) if !plain.is_ema && node.is_ema && next => {
                self.averages.push((known, Alias { parent: place, step }));
            }
            Some(_) | None => {}
        }
    }
}

/// What a container holds itself.
#[derive(Default)]
struct Tally {
    items: usize,
    tensors: usize,
    named: usize,
    /// Containers under text keys that hold tensors and are not set aside.
    parts: usize,
    /// Whether one of them is called the whole model.
    has_model: bool,
    /// Whether there is an optimizer beside, as in a script's dictionary and in no model.
    has_optimizer: bool,
    /// Whether a tensor of several elements is none of the training's records.
    has_large: bool,
    /// The same of one element.
    has_small: bool,
    /// Tensors with names like those of records.
    records: usize,
}

impl Tally {
    fn add(&mut self, pickle: &Pickle<'_>, step: Step, tensor: ValueId) {
        self.tensors += 1;
        let Some(word) = step.word(pickle) else { return };
        if is_flat_slot(word) {
            return;
        }
        self.named += 1;
        if self.has_large {
            return;
        }
        if self.records < MAX_RECORDS && is_record(word) {
            self.records += 1;
        } else if is_one_element(pickle, tensor) {
            self.has_small = true;
        } else {
            self.has_large = true;
        }
    }

    /// Whether its own tensors are likely weights. Beside a model and its optimizer they are told, and not read.
    const fn has_own(&self) -> bool {
        match (self.has_model, self.has_optimizer) {
            (true, true) => false,
            (true, false) => self.has_large,
            (false, _) => self.has_large || self.has_small,
        }
    }

    fn rank(&self, is_known: bool, is_module: bool, is_dict: bool) -> Rank {
        let is_nameless = self.tensors > 0 && (self.named == 0 || !is_dict);
        // Dictionaries beside weights are parts of one whole; beside counters and losses they are not.
        let is_mostly = match self.parts {
            0 => 2 * self.named > self.items,
            parts => self.has_own() && 2 * self.named.saturating_add(parts) > self.items,
        };
        match (is_known, is_module, is_mostly) {
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

/// Drops dictionaries that only lead to known ones, and those that are parts of another. An encoder in a model
/// is a part of it.
fn wholes(nodes: &[Node], hits: Vec<Hit>) -> Vec<Hit> {
    let parent = |node: usize| nodes.get(node).and_then(|node| node.parent);
    let above = |node: usize| std::iter::successors(parent(node), move |&node| parent(node));
    let is_part_name = |hit: &Hit| nodes.get(hit.node).is_some_and(|node| node.is_part);
    let is_known = |hit: &Hit| hit.rank == Rank::Known && !is_part_name(hit);
    let over_known: Set<usize> =
        hits.iter().filter(|hit| is_known(hit)).flat_map(|hit| above(hit.node)).collect();
    let leads_to_known = |hit: &Hit| !hit.is_direct && over_known.contains(&hit.node);
    let is_whole = |hit: &Hit| matches!(hit.rank, Rank::Known | Rank::Mostly) && !leads_to_known(hit);
    let whole_at: Set<usize> = hits.iter().filter(|hit| is_whole(hit)).map(|hit| hit.node).collect();
    let is_part = |hit: &Hit| !is_known(hit) && above(hit.node).any(|node| whole_at.contains(&node));
    let keep: Vec<bool> = hits.iter().map(|hit| !is_part(hit) && !leads_to_known(hit)).collect();
    hits.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(hit, _)| hit).collect()
}
