//! Files to architectures: each form to its reader.

use std::path::Path;

use crate::lazy::Bytes;

use super::architecture::{Architecture, Origin};
use super::archive::Archive;
use super::carried::Carried;
use super::error::ErrorKind;
use super::file_layout;
use super::json::{MAX_CONFIG_BYTES, Value, from_python};
use super::sniff::{Content, UTF8_MARK, sniff};
use super::stored::{Places, Stored};
use super::weights_file::{legacy_group, stored_legacy};
use super::{hdf5, model, sharded, template, whole};

/// Reads an architecture.
pub(super) fn read(path: &Path) -> Result<Architecture, ErrorKind> {
    if path.is_dir() {
        return read_archive(path, Archive::open_folder(path)?, Origin::Folder);
    }
    read_bytes(path, Bytes::map(path)?)
}

/// Reads the bytes of a file.
pub(super) fn read_bytes(path: &Path, bytes: Bytes) -> Result<Architecture, ErrorKind> {
    match sniff(bytes.as_slice())? {
        Content::Json => read_json(path, bytes.as_slice()),
        Content::Archive => read_archive(path, Archive::open(bytes)?, Origin::Archive),
        Content::Hdf5 => {
            let file = hdf5::File::open(bytes)?;
            if let Some(text) = whole::config(&file)? {
                return whole::read(path, &file, &parse(text.as_bytes())?, &text);
            }
            read_template(path, &file)
        }
    }
}

/// Reads the weights in a file of a whole model, as a template.
pub(super) fn read_weights(path: &Path) -> Result<Architecture, ErrorKind> {
    let bytes = if path.is_dir() {
        Archive::open_folder(path)?.weights()?
    } else {
        let bytes = Bytes::map(path)?;
        match sniff(bytes.as_slice())? {
            Content::Json => return Err(ErrorKind::NotWeights),
            Content::Archive => Archive::open(bytes)?.weights()?,
            Content::Hdf5 => bytes,
        }
    };
    read_template(path, &hdf5::File::open(bytes)?)
}

fn read_template(path: &Path, file: &hdf5::File) -> Result<Architecture, ErrorKind> {
    match legacy_group(file)? {
        Some((group, at)) => template::legacy::read(path, stored_legacy(file, group, at)?),
        None => template::read(path, Stored::read(file)?, Origin::Template),
    }
}

fn read_json(path: &Path, text: &[u8]) -> Result<Architecture, ErrorKind> {
    let (object, text) = parse_text(text)?;
    if sharded::is_index(&object) {
        let (stored, files) = sharded::read(path, &object)?;
        let mut architecture = template::read(path, stored, Origin::ShardedTemplate)?;
        architecture.carried.files = files;
        return Ok(architecture);
    }
    let (tree, root) = model::read(&object)?;
    let mut architecture = tree.into_architecture(root, path, Origin::Json)?;
    architecture.carried = Carried { config: Some(Bytes::held(text)), ..Carried::default() };
    Ok(architecture)
}

fn read_archive(path: &Path, mut archive: Archive, origin: Origin) -> Result<Architecture, ErrorKind> {
    let config = archive.config()?;
    let object = parse(config.as_slice())?;
    let (tree, root) = model::read(&object)?;
    let mut architecture = tree.into_architecture(root, path, origin)?;
    let file = hdf5::File::open(archive.weights()?)?;
    if legacy_group(&file)?.is_some() {
        return Err(ErrorKind::LegacyInArchive);
    }
    let stored = Stored::read(&file)?;
    let mut places = Places::of(&stored);
    for at in 0..architecture.variables.len() {
        let dataset = file_layout::dataset_path(&architecture, at);
        let value = dataset.as_deref().and_then(|dataset| places.take(dataset));
        let Some(variable) = architecture.variables.get_mut(at) else { continue };
        match (&value, dataset) {
            (Some(value), _) if *value.view.shape() == variable.shape => variable.take(value.clone()),
            (_, dataset) => {
                return Err(ErrorKind::WeightsDiffer {
                    variable: variable.path.clone(),
                    dataset: dataset.unwrap_or_else(String::new).into(),
                    expected: Box::new(variable.shape.clone()),
                    found: value.map(|value| Box::new(value.view.shape().clone())),
                });
            }
        }
    }
    let (datasets, mut left) = places.rest();
    left.extend(stored.metrics.into_iter().map(|dataset| dataset.path));
    architecture.carried = Carried {
        config: Some(config),
        datasets,
        left,
        optimizer: stored.optimizer,
        ..Carried::of_archive(&mut archive)?
    };
    Ok(architecture)
}

/// The object that a configuration's text describes.
pub(super) fn parse(text: &[u8]) -> Result<Value, ErrorKind> {
    parse_text(text).map(|(object, _)| object)
}

/// The object that a configuration's text describes, and the text that describes it and nothing else.
fn parse_text(text: &[u8]) -> Result<(Value, Vec<u8>), ErrorKind> {
    let bytes = text.len() as u64;
    if bytes > MAX_CONFIG_BYTES {
        return Err(ErrorKind::TooLarge { part: "the configuration", bytes, limit: MAX_CONFIG_BYTES });
    }
    let text = text.strip_prefix(UTF8_MARK).unwrap_or(text);
    let value = from_python(text)?;
    // `json.dump(model.to_json())` makes a text of the text.
    Ok(match value {
        Value::String(inner) => (from_python(inner.as_bytes())?, inner.as_bytes().to_vec()),
        value => (value, text.to_vec()),
    })
}
