//! `.keras`: a zip archive of the configuration, the weights and what else belongs to the model
//! (`saving_lib.py`).

use serde_json::json;

use crate::lazy::Bytes;

use super::super::archive::{CONFIG, METADATA, WEIGHTS};
use super::super::carried::CarriedDataset;
use super::layout::Source;
use super::{LayoutError, Member, reader, weights};

/// The members, in the order in which Keras writes them.
pub(super) fn members(
    source: &Source<'_>,
    carried: &mut Vec<CarriedDataset>,
) -> Result<Vec<(String, Member)>, LayoutError> {
    let own = &source.architecture.carried;
    let config = own.config.clone().ok_or(LayoutError::NoConfig)?;
    let is_metadata = |name: &str| name == METADATA;
    let metadata = own.members.iter().find(|(name, _)| is_metadata(name));
    let metadata = metadata.map_or_else(|| made_metadata(source), |(_, bytes)| bytes.clone());
    let others = own.members.iter().filter(|(name, _)| !is_metadata(name));
    let first = [
        (METADATA.to_owned(), Member::Bytes(metadata)),
        (CONFIG.to_owned(), Member::Bytes(config)),
        (WEIGHTS.to_owned(), Member::Hdf5(weights::file(source, carried)?)),
    ];
    let others = others.map(|(name, bytes)| (name.clone(), Member::Bytes(bytes.clone())));
    Ok(first.into_iter().chain(others).collect())
}

/// `metadata.json` of an archive that is made from a configuration alone. Keras puts a date beside the version
/// and reads neither; without one, the same inputs make the same bytes.
fn made_metadata(source: &Source<'_>) -> Bytes {
    let version = reader::version(source.architecture, source.form);
    Bytes::held(format!("{{\"keras_version\": {}}}", json!(version)).into_bytes())
}
