//! Folds the repeated blocks of a long list: `layers.0.weight` to `layers.31.weight` become
//! `layers.{0..31}.weight`. Blocks are alike when they hold tensors of the same names that are alike
//! themselves, however deep; only numbers without a gap are folded.
//!
//! A key is parted at its numbers, so `encoder.layers.0.attn.weight` is the entry `encoder.layers` of the root,
//! its block 0, and in that the entry `attn.weight`.

use std::collections::HashMap;
use std::hash::Hash;

/// Numbers of one key that blocks are told by; what follows the last is a name. Models nest blocks four deep
/// at most; the limit bounds the depth of the recursion and the memory that a key can take.
const MAX_NUMBERS: usize = 8;

/// A tensor, or several alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The key, with ranges in braces where there are several.
    pub(super) key: String,
    /// The first of the tensors, by its place.
    pub(super) first: usize,
    /// How many tensors.
    pub(super) count: usize,
}

/// Folds a list of keys, each with what must be the same for tensors to be alike. The rows are in the order
/// of the list but for tensors of one block, which are brought together.
pub(super) fn fold<L: Eq + Hash>(tensors: &[(&str, L)]) -> Vec<Row> {
    let tree = Tree::new(tensors);
    let mut rows = Vec::new();
    tree.add_rows(&tree.kinds(tensors), ROOT, None, 1, &mut rows);
    rows
}

/// What lies between two numbers of a key; `None` where nothing does.
type Name<'a> = Option<&'a str>;

const ROOT: usize = 0;

#[derive(Default)]
struct Tree<'a> {
    /// The root, then every block after those that it is in.
    blocks: Vec<Vec<Entry<'a>>>,
}

/// What a block holds under one name.
struct Entry<'a> {
    name: Name<'a>,
    /// The tensor of just that name, by its place.
    tensor: Option<usize>,
    /// The numbered blocks below it.
    blocks: Vec<(u32, usize)>,
}

/// Blocks with numbers without a gap that are alike.
struct Run {
    /// That of the first number.
    block: usize,
    /// The one that the list has first.
    earliest: usize,
    from: u32,
    to: u32,
    kind: usize,
}

impl<'a> Tree<'a> {
    fn new<L>(tensors: &[(&'a str, L)]) -> Self {
        let mut tree = Self { blocks: vec![Vec::new()] };
        let mut entries: HashMap<(usize, Name<'a>), usize> = HashMap::new();
        let mut numbered: HashMap<(usize, usize, u32), usize> = HashMap::new();
        for (place, (key, _)) in tensors.iter().enumerate() {
            let mut at = ROOT;
            for (name, number) in parts(key) {
                let next = tree.blocks.len();
                let Some(block) = tree.blocks.get_mut(at) else { break };
                let entry_at = *entries.entry((at, name)).or_insert(block.len());
                if entry_at == block.len() {
                    block.push(Entry { name, tensor: None, blocks: Vec::new() });
                }
                let Some(entry) = block.get_mut(entry_at) else { break };
                let Some(number) = number else {
                    entry.tensor = Some(place);
                    break;
                };
                let below = *numbered.entry((at, entry_at, number)).or_insert(next);
                if below == next {
                    entry.blocks.push((number, below));
                    tree.blocks.push(Vec::new());
                }
                at = below;
            }
        }
        for entry in tree.blocks.iter_mut().flatten() {
            entry.blocks.sort_unstable();
        }
        tree
    }

    /// A number for each block, the same for those that are alike.
    fn kinds<L: Eq + Hash>(&self, tensors: &[(&'a str, L)]) -> Vec<usize> {
        let mut likenesses: HashMap<&L, usize> = HashMap::new();
        let mut known: HashMap<Vec<_>, usize> = HashMap::new();
        let mut kinds = vec![0; self.blocks.len()];
        // What is in a block comes after it.
        for (at, block) in self.blocks.iter().enumerate().rev() {
            let mut content: Vec<_> = block
                .iter()
                .map(|entry| {
                    let tensor = entry.tensor.and_then(|place| tensors.get(place)).map(|(_, likeness)| {
                        let next = likenesses.len();
                        *likenesses.entry(likeness).or_insert(next)
                    });
                    let kind = |&(number, block): &(u32, usize)| (number, kinds.get(block).copied());
                    (entry.name, tensor, entry.blocks.iter().map(kind).collect::<Vec<_>>())
                })
                .collect();
            content.sort_unstable();
            let next = known.len();
            let kind = *known.entry(content).or_insert(next);
            if let Some(place) = kinds.get_mut(at) {
                *place = kind;
            }
        }
        kinds
    }

    /// Recursive to [`MAX_NUMBERS`].
    fn add_rows(
        &self,
        kinds: &[usize],
        block: usize,
        prefix: Option<&str>,
        count: usize,
        rows: &mut Vec<Row>,
    ) {
        for entry in self.blocks.get(block).into_iter().flatten() {
            let path = match (prefix, entry.name) {
                (Some(prefix), Some(name)) => Some(format!("{prefix}.{name}")),
                (prefix, name) => prefix.or(name).map(str::to_owned),
            };
            if let Some(first) = entry.tensor {
                rows.push(Row { key: path.clone().unwrap_or_else(String::new), first, count });
            }
            for run in runs(&entry.blocks, kinds) {
                let numbers = if run.from == run.to {
                    run.from.to_string()
                } else {
                    format!("{{{}..{}}}", run.from, run.to)
                };
                let path = path.as_ref().map_or_else(|| numbers.clone(), |path| format!("{path}.{numbers}"));
                let times = (run.to - run.from) as usize + 1;
                self.add_rows(kinds, run.block, Some(&path), count * times, rows);
            }
        }
    }
}

/// Blocks in order of their numbers to runs in the order of the list.
fn runs(blocks: &[(u32, usize)], kinds: &[usize]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &(number, block) in blocks {
        let Some(&kind) = kinds.get(block) else { continue };
        match runs.last_mut() {
            Some(run) if run.kind == kind && run.to.checked_add(1) == Some(number) => {
                run.to = number;
                run.earliest = run.earliest.min(block);
            }
            _ => runs.push(Run { block, earliest: block, from: number, to: number, kind }),
        }
    }
    runs.sort_by_key(|run| run.earliest);
    runs
}

/// The names of a key, each with the number that follows it; the last has none.
fn parts(key: &str) -> Vec<(Name<'_>, Option<u32>)> {
    let mut parts = Vec::new();
    let mut name_start = None;
    let mut start = 0_usize;
    for segment in key.split('.') {
        match number(segment) {
            Some(number) if parts.len() < MAX_NUMBERS => {
                // The name ends before the dot in front of the number.
                let name = name_start.take().and_then(|from| key.get(from..start.saturating_sub(1)));
                parts.push((name, Some(number)));
            }
            Some(_) | None => {
                name_start.get_or_insert(start);
            }
        }
        start += segment.len() + 1;
    }
    parts.push((name_start.and_then(|from| key.get(from..)), None));
    parts
}

/// A number as a list of modules writes it: no sign, no leading zeros.
fn number(segment: &str) -> Option<u32> {
    let is_plain =
        segment.bytes().all(|byte| byte.is_ascii_digit()) && (segment == "0" || !segment.starts_with('0'));
    if is_plain { segment.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys with a likeness after a blank, and what they fold to: rows of key and count.
    #[track_caller]
    fn check(tensors: &[&str], expected: &[&str]) {
        let tensors: Vec<(&str, &str)> =
            tensors.iter().map(|text| text.split_once(' ').unwrap_or((text, ""))).collect();
        let rows: Vec<String> =
            fold(&tensors).into_iter().map(|row| format!("{} {}", row.key, row.count)).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn folds_what_is_alike() {
        check(&["a.0.w", "a.0.b", "a.1.w", "a.1.b", "z"], &["a.{0..1}.w 2", "a.{0..1}.b 2", "z 1"]);
        check(&["a.0", "a.1", "a.2"], &["a.{0..2} 3"]);
        check(&["0.w", "1.w"], &["{0..1}.w 2"]);
        check(&["3", "4"], &["{3..4} 2"]);
        check(&["a.0.1.w", "a.0.2.w", "a.1.1.w", "a.1.2.w"], &["a.{0..1}.{1..2}.w 4"]);
    }

    #[test]
    fn the_order_within_a_block_is_none_of_its_likeness() {
        check(&["a.0.w", "a.0.b", "a.1.b", "a.1.w"], &["a.{0..1}.w 2", "a.{0..1}.b 2"]);
        check(
            &["a.0", "a.1", "a.10", "a.2", "a.3", "a.4", "a.5", "a.6", "a.7", "a.8", "a.9"],
            &["a.{0..10} 11"],
        );
    }

    #[test]
    fn keeps_apart_what_differs() {
        // The number, the likeness, the names, the blocks within.
        check(&["a.0.w", "a.2.w"], &["a.0.w 1", "a.2.w 1"]);
        check(&["a.0.w x", "a.1.w y", "a.2.w y"], &["a.0.w 1", "a.{1..2}.w 2"]);
        check(&["a.0.w", "a.1.w", "a.1.b"], &["a.0.w 1", "a.1.w 1", "a.1.b 1"]);
        check(&["a.0.1.w", "a.1.2.w"], &["a.0.1.w 1", "a.1.2.w 1"]);
        check(&["a.0.w", "b.1.w"], &["a.0.w 1", "b.1.w 1"]);
        check(&["a.0.w", "a.01.w", "a.-1.w"], &["a.0.w 1", "a.01.w 1", "a.-1.w 1"]);
        check(&["a.4294967295.w", "a.4294967296.w"], &["a.4294967295.w 1", "a.4294967296.w 1"]);
    }

    #[test]
    fn odd_keys() {
        check(&["", ".", "..0", ".0.", "a..0"], &[" 1", ".0. 1", ". 1", "..0 1", "a..0 1"]);
        check(&["0", ".0"], &["0 1", ".0 1"]);
        check(&["a", "a.0", "a.0.0"], &["a 1", "a.0 1", "a.0.0 1"]);
        check(
            &["1.2.3.4.5.6.7.8.9.10", "1.2.3.4.5.6.7.8.9.11"],
            &["1.2.3.4.5.6.7.8.9.10 1", "1.2.3.4.5.6.7.8.9.11 1"],
        );
    }

    /// All keys that a folded one stands for.
    fn unfold(key: &str) -> Vec<String> {
        let Some((before, rest)) = key.split_once('{') else { return vec![key.to_owned()] };
        let (range, after) = rest.split_once('}').unwrap();
        let (from, to) = range.split_once("..").unwrap();
        let (from, to): (u32, u32) = (from.parse().unwrap(), to.parse().unwrap());
        (from..=to).flat_map(|number| unfold(&format!("{before}{number}{after}"))).collect()
    }

    proptest! {
        #[test]
        fn stands_for_the_same_keys(
            tensors in prop::collection::btree_map("([ab0-3]?(\\.[ab0-3]?){0,4})", 0..2_u8, 0..60)
        ) {
            let tensors: Vec<(&str, u8)> = tensors.iter().map(|(key, &likeness)| (key.as_str(), likeness)).collect();
            let mut found = Vec::new();
            for row in fold(&tensors) {
                let keys = unfold(&row.key);
                prop_assert_eq!(keys.len(), row.count);
                prop_assert!(keys.iter().any(|key| key == tensors[row.first].0));
                let likeness = tensors[row.first].1;
                found.extend(keys.into_iter().map(|key| (key, likeness)));
            }
            found.sort();
            let expected: Vec<(String, u8)> =
                tensors.iter().map(|&(key, likeness)| (key.to_owned(), likeness)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
