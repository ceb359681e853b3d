//! The architecture: layers and their variables.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::{Dtype, Shape, VariablePath};

use super::archive::{self, Archive};
use super::error::{Error, ErrorKind};
use super::file_layout::{self, Format};
use super::json::MAX_CONFIG_BYTES;
use super::{hdf5, model, template, weights_file};

/// A Keras model, as far as its weights go.
#[derive(Debug)]
pub struct Architecture {
    /// The file it was read from.
    pub path: PathBuf,
    /// What that file is.
    pub origin: Origin,
    /// Every layer that owns variables, and every model or wrapper around one, in the order in which
    /// `.weights.h5` is written (a nested model's layers follow it).
    pub layers: Vec<Layer>,
    /// Every variable, layer by layer, in the order of the layer's `vars` group.
    pub variables: Vec<Variable>,
    /// The layers without variables, in the same order; none in a template.
    pub weightless: Vec<Weightless>,
}

/// What an architecture was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// `model.to_json()`.
    Json,
    /// A `.keras` archive.
    Archive,
    /// A `.weights.h5` of the same model: layer names from the `name` attributes, no configs.
    Template,
}

/// A layer or nested model.
#[derive(Debug)]
pub struct Layer {
    /// Layer names from the root (exclusive), joined by `/`; empty for the root itself.
    pub path: String,
    /// Other paths that lead to the same layer: the attribute path in a template (`conv1` for
    /// `self.conv1`), the further places of a shared layer.
    pub aliases: Vec<String>,
    /// The class (`Conv2D`), or `None` when a template does not tell.
    pub class: Option<String>,
    /// Whether nothing but the layer's name in a template tells the class. Keras names a layer after its class
    /// (`dense_1`), but so may the model's author name another one: the plan must not let such a class choose
    /// among layouts alone.
    pub class_from_name: bool,
    /// The layer's own variables, as a range of [`Architecture::variables`].
    pub variables: Range<usize>,
    /// The layer's group in `.weights.h5`: `layers/conv2d_1`; empty for the root.
    pub group: String,
    /// The layer's `config`, when the architecture has one.
    pub config: Option<serde_json::Value>,
    /// How the features on the last axis of the layer's input are ordered.
    pub features: FeatureOrder,
    /// How the features on the last axis of the layer's output are ordered for what reads them.
    pub outputs: FeatureOrder,
}

/// A layer without variables. Its settings decide what the model computes all the same.
#[derive(Debug, Clone)]
pub struct Weightless {
    /// Layer names from the root, joined by `/`.
    pub path: String,
    /// The class: `MaxPooling2D`.
    pub class: String,
    /// Its `config`.
    pub config: serde_json::Value,
}

/// How the features that a layer reads were put in order, or how those that it makes are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureOrder {
    /// Channels of one position: nothing was flattened, nothing is unflattened.
    Plain,
    /// A feature map of these sizes was flattened in row-major order: `[height, width, channels]` (of any
    /// rank, channels last). PyTorch flattens channels first. Of a layer's output: it becomes such a map.
    Flattened(Vec<usize>),
    /// The graph between the flattening and the layer (or its absence, in a template) does not tell. The
    /// text names the layer that hides it.
    Unknown(String),
}

/// One variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// The layer's path and the variable's name: `encoder/dense_1/kernel`. The index in the layer's `vars`
    /// group stands for a name that is not known.
    pub path: VariablePath,
    /// The layer that owns it, as an index into [`Architecture::layers`].
    pub layer: usize,
    /// The last part of the path: `kernel`, or an index.
    pub name: String,
    /// The index in the layer's `vars` group.
    pub index: usize,
    /// The shape.
    pub shape: Shape,
    /// The element type that the model holds it in.
    pub dtype: Dtype,
    /// Whether it was created trainable (moving statistics are not). Decides the order in legacy files.
    pub trainable: bool,
    /// Its value in the architecture's own file, when that has values.
    pub value: Option<LazyTensor>,
}

impl Architecture {
    /// Reads an architecture: `.json`, `.keras` or a `.weights.h5` template, told apart by content.
    ///
    /// # Errors
    /// When the file is none of these, breaks their rules, or does not tell the model's variables.
    pub fn open(path: &Path) -> Result<Self, Error> {
        read(path).map_err(|kind| Error { path: path.to_owned(), kind })
    }
}

fn read(path: &Path) -> Result<Architecture, ErrorKind> {
    let bytes = Bytes::map(path)?;
    match sniff(bytes.as_slice())? {
        Content::Json => read_json(path, bytes.as_slice()),
        Content::Archive => read_archive(path, bytes),
        Content::Hdf5 => template::read(path, bytes),
    }
}

fn read_json(path: &Path, text: &[u8]) -> Result<Architecture, ErrorKind> {
    let object = parse(text)?;
    if object.get("weight_map").is_some() {
        return Err(ErrorKind::Sharded);
    }
    let (tree, root) = model::read(&object)?;
    tree.into_architecture(root, path, Origin::Json)
}

fn read_archive(path: &Path, bytes: Bytes) -> Result<Architecture, ErrorKind> {
    let mut archive = Archive::open(bytes)?;
    let object = parse(&archive.config()?)?;
    let (tree, root) = model::read(&object)?;
    let mut architecture = tree.into_architecture(root, path, Origin::Archive)?;
    let file = hdf5::File::open(archive.weights()?)?;
    let stored = weights_file::stored(&file)?;
    let mut values: HashMap<String, LazyTensor> =
        stored.into_iter().map(|variable| (variable.path, variable.tensor)).collect();
    for at in 0..architecture.variables.len() {
        let dataset = file_layout::dataset_path(&architecture, Format::WeightsH5, at);
        let value = dataset.as_deref().and_then(|dataset| values.remove(dataset));
        let Some(variable) = architecture.variables.get_mut(at) else { continue };
        match (&value, dataset) {
            (Some(value), _) if *value.view.shape() == variable.shape => variable.value = Some(value.clone()),
            (_, dataset) => {
                return Err(ErrorKind::ArchiveDiffers {
                    variable: variable.path.clone(),
                    dataset: dataset.unwrap_or_else(String::new).into(),
                    expected: variable.shape.clone(),
                    found: value.map(|value| Box::new(value.view.shape().clone())),
                });
            }
        }
    }
    Ok(architecture)
}

fn parse(text: &[u8]) -> Result<serde_json::Value, ErrorKind> {
    let bytes = text.len() as u64;
    if bytes > MAX_CONFIG_BYTES {
        return Err(ErrorKind::TooLarge { part: "the configuration", bytes, limit: MAX_CONFIG_BYTES });
    }
    let text = text.strip_prefix(UTF8_MARK).unwrap_or(text);
    let value: serde_json::Value = serde_json::from_slice(text)?;
    // `json.dump(model.to_json())` makes a text of the text.
    Ok(match value {
        serde_json::Value::String(inner) => serde_json::from_str(&inner)?,
        value => value,
    })
}

/// The mark that some editors put before UTF-8.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file holds, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    Archive,
    Hdf5,
}

/// Tells the kinds of file apart.
pub(super) fn sniff(bytes: &[u8]) -> Result<Content, ErrorKind> {
    if bytes.starts_with(hdf5::MAGIC) {
        return Ok(Content::Hdf5);
    }
    if bytes.starts_with(archive::MAGIC) {
        return Ok(Content::Archive);
    }
    let text = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes).trim_ascii_start();
    let found = match text.first() {
        Some(b'{' | b'"') => return Ok(Content::Json),
        None => "empty",
        Some(b'<') => "HTML or XML",
        Some(_) if text.starts_with(b"version https://git-lfs") => "a git-lfs pointer: run `git lfs pull`",
        Some(_) => "other content",
    };
    Err(ErrorKind::NotKeras { found })
}
