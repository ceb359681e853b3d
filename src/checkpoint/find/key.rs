//! Paths as `--key` takes them: keys joined by dots; a key with dots can stand in double quotes.

use std::collections::HashSet;

use super::At;
use super::graph::{Step, steps};
use crate::checkpoint::pickle::{Pickle, ValueId};

/// A path as a key: `model.ema`, or `model."a.b"`.
pub(crate) fn as_key(path: &[String]) -> String {
    let part = |key: &String| {
        if key.contains(['.', '"']) {
            format!("\"{}\"", key.replace('\\', r"\\").replace('"', "\\\""))
        } else {
            key.clone()
        }
    };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

/// The values that a key leads to from the root. Without quotes every split of it is tried, because keys may
/// contain dots themselves; one by keys without dots goes before the others.
pub(super) fn follow(pickle: &Pickle<'_>, key: &str) -> Vec<At> {
    if let Some(path) = quoted(key) {
        let found = exact(pickle, &path);
        if !found.is_empty() {
            return found;
        }
    }
    let mut found = any_split(pickle, key);
    if found.iter().any(|(_, path)| is_plain(path)) {
        found.retain(|(_, path)| is_plain(path));
    }
    found
}

fn is_plain(path: &[String]) -> bool {
    path.iter().all(|key| !key.contains('.'))
}

/// The parts of a key with quotes in it; `None` when it has none, or they are not closed.
fn quoted(key: &str) -> Option<Vec<String>> {
    if !key.contains('"') {
        return None;
    }
    let mut path = Vec::new();
    let mut rest = key.chars().peekable();
    loop {
        let mut part = String::new();
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match rest.next()? {
                    '"' => break,
                    '\\' => part.push(rest.next()?),
                    other => part.push(other),
                }
            }
        } else {
            while let Some(letter) = rest.next_if(|&letter| letter != '.') {
                part.push(letter);
            }
        }
        path.push(part);
        match rest.next() {
            None => return Some(path),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

fn exact(pickle: &Pickle<'_>, path: &[String]) -> Vec<At> {
    let mut at = vec![pickle.root()];
    for part in path {
        let mut next = Vec::new();
        for id in at {
            steps(pickle, id, &mut |step, value| {
                if step.text(pickle).is_some_and(|text| text == part.as_str()) && !next.contains(&value) {
                    next.push(value);
                }
            });
        }
        // An integer and a text, or an attribute and an item, of one name.
        next.truncate(MAX_OF_ONE_NAME);
        at = next;
    }
    at.into_iter().map(|id| (id, path.to_vec())).collect()
}

/// Values of one name that are followed.
const MAX_OF_ONE_NAME: usize = 4;

fn any_split(pickle: &Pickle<'_>, key: &str) -> Vec<At> {
    let mut matches: Vec<At> = Vec::new();
    let mut seen = HashSet::new();
    let mut pending = vec![(pickle.root(), key, Vec::<String>::new())];
    if key.is_empty() {
        matches.push((pickle.root(), Vec::new()));
    }
    while let Some((id, rest, path)) = pending.pop() {
        if rest.is_empty() || !seen.insert((id, rest.len())) {
            continue;
        }
        let mut follow = |step: Step, value: ValueId| {
            let Some(text) = step.text(pickle) else { return };
            let Some(after) = rest.strip_prefix(text.as_ref()) else { return };
            let with = |text: &str| path.iter().cloned().chain([text.to_owned()]).collect::<Vec<_>>();
            if after.is_empty() {
                if matches.iter().all(|(known, _)| *known != value) {
                    matches.push((value, with(&text)));
                }
            } else if let Some(after) = after.strip_prefix('.') {
                pending.push((value, after, with(&text)));
            }
        };
        steps(pickle, id, &mut follow);
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_read_back() {
        let path = |parts: &[&str]| parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>();
        for parts in [&["a.b"] as &[&str], &["a", "b.c", "d"], &["a\"b\\.", "", "c"]] {
            assert_eq!(quoted(&as_key(&path(parts))), Some(path(parts)));
        }
        assert_eq!(as_key(&path(&["model", "ema"])), "model.ema");
        for open in ["\"a", "\"a\"b", "a"] {
            assert_eq!(quoted(open), None);
        }
    }
}
