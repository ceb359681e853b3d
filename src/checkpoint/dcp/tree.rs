//! The nested dictionaries that were saved: the state_dict in them is found as in any other checkpoint.

use std::collections::HashMap;

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::find::{self, Choice, Entries, is_flat_slot, is_model};
use crate::checkpoint::pickle::{Pickle, Tree, ValueId};
use crate::checkpoint::state_dict::OpenOptions;
use crate::tensor::StateDictKey;

use super::DcpError;
use super::metadata::Metadata;

/// What was chosen of a checkpoint's entries.
pub(super) struct Chosen<'m> {
    pub(super) choice: Choice,
    /// The dictionaries, of which the entries' values are.
    pub(super) pickle: Pickle<'m>,
    /// The entries of the state_dict.
    pub(super) found: Entries,
    /// The place in the metadata of every entry, by its value.
    pub(super) places: HashMap<ValueId, usize>,
}

/// The ways of all entries. Without the planner's, names are whole. Those of an optimizer's state
/// (`optim.state.fc.weight.exp_avg`) are told by themselves. When there are some, and the first parts of all others are
/// names of models (`model.fc.weight`), these are dictionaries of the root too.
pub(super) fn paths<'m>(metadata: &'m Metadata<'_>) -> Vec<Vec<&'m str>> {
    let has_planner = metadata.entries.iter().any(|entry| entry.path.is_some());
    let (slots, weights): (Vec<_>, Vec<_>) = metadata
        .entries
        .iter()
        .filter(|entry| entry.tensor.is_some())
        .map(|entry| entry.name)
        .partition(|name| is_flat_slot(name));
    let splits = !has_planner
        && !slots.is_empty()
        && weights.iter().all(|name| name.split_once('.').is_some_and(|(first, _)| is_model(first)));
    let path = |entry: &'m super::metadata::Entry<'_>| match (&entry.path, entry.name.split_once('.')) {
        (Some(path), _) => path.iter().map(AsRef::as_ref).collect(),
        (None, Some((first, rest))) if splits => match slot(rest) {
            Some((parameter, last)) => vec![first, "state", parameter, last],
            None => vec![first, rest],
        },
        (None, _) => vec![entry.name],
    };
    metadata.entries.iter().map(path).collect()
}

/// The parameter and what is kept for it: `state.fc.weight.exp_avg`.
fn slot(rest: &str) -> Option<(&str, &str)> {
    rest.strip_prefix("state.")?.rsplit_once('.')
}

/// Chooses the state_dict.
pub(super) fn choose<'m>(
    metadata: &Metadata<'_>,
    paths: &[Vec<&'m str>],
    options: &OpenOptions,
) -> Result<Chosen<'m>, ErrorKind> {
    let mut tree = Tree::new();
    let mut places = HashMap::with_capacity(paths.len());
    for (place, (entry, path)) in metadata.entries.iter().zip(paths).enumerate() {
        let leaf = if entry.tensor.is_some() { tree.tensor() } else { tree.other() };
        tree.insert(path, leaf).ok_or_else(|| DcpError::Place { key: StateDictKey::new(entry.name) })?;
        places.insert(leaf, place);
    }
    let pickle = tree.finish();
    let mut choice = find::choose(&pickle, options)?;
    let (mut found, _) = choice.entries(&pickle)?;
    choice.warnings.append(&mut found.warnings);
    Ok(Chosen { choice, pickle, found, places })
}
