//! Where each variable lies in each Keras file format: a tree of groups, attributes and datasets, without
//! bytes. What encodes the tree knows nothing of Keras.

use crate::tensor::{Dtype, VariablePath};

use super::architecture::Architecture;
use super::graph::join;
use super::legacy;

/// The formats that can be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `.weights.h5` of Keras 3.
    WeightsH5,
    /// Weights-only `.h5` of Keras 2, read by all versions.
    LegacyH5,
}

/// A group of an HDF5 file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// The attributes, in the order in which they are written.
    pub attributes: Vec<Attribute>,
    /// The children; names are unique and hold no `/`.
    pub children: Vec<(String, Node)>,
}

/// A child of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A group.
    Group(Group),
    /// A dataset.
    Dataset(Dataset),
}

/// A dataset that holds one variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The variable, as an index into [`Architecture::variables`].
    pub variable: usize,
    /// The attributes: `dtype` = `bfloat16` where the elements are bfloat16, which HDF5 has no type for.
    pub attributes: Vec<Attribute>,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// The value.
    pub value: AttributeValue,
}

/// The kinds of value that Keras reads from attributes.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A scalar variable-length UTF-8 string.
    Text(String),
    /// A one-dimensional array of fixed-length strings, as long as the longest. Empty for a list of no
    /// names, which h5py writes as an array of shape `(0,)`.
    TextList(Vec<String>),
}

/// Why an architecture has no layout in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Legacy files are read by position, and a template does not tell the order of the layers.
    #[error(
        "a legacy `.h5` is read by the position of its layers, and a template does not tell their order: \
         give the architecture as `model.to_json()` or `.keras`, or write a `.weights.h5`"
    )]
    LayerOrder,
    /// bfloat16 in a legacy file cannot be loaded by any version of Keras.
    #[error("Keras cannot load bfloat16 from a legacy `.h5` (variable `{variable}`): write it as float32")]
    Bfloat16 {
        /// The variable.
        variable: VariablePath,
    },
    /// Two things of the file have one name.
    #[error("two datasets or groups of the file are named `{path}`: rename one of the layers")]
    SameName {
        /// The HDF5 path.
        path: String,
    },
}

/// The longest attribute that Keras writes in one piece (`HDF5_OBJECT_HEADER_LIMIT`): an object header
/// message holds 64 KiB.
const MAX_ATTRIBUTE_BYTES: usize = 64512;

/// The version that legacy files name. Keras reads `keras_version` to tell the layouts of Keras 1 apart and
/// takes `3.x` as it is.
const LEGACY_VERSION: &str = "3.0.0";

/// The backend that legacy files name. Keras converts kernels of the backends `theano` and `cntk` alone, and
/// Keras 2 knows no other of today's.
const LEGACY_BACKEND: &str = "tensorflow";

/// The tree of a file of that format. `written` tells the element type that the file is to hold for a
/// variable, or `None` for one that is left out (waived).
///
/// # Errors
/// When the format cannot hold the architecture so that Keras reads it.
pub fn lay_out(
    architecture: &Architecture,
    format: Format,
    written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<Group, LayoutError> {
    match format {
        Format::WeightsH5 => lay_out_weights(architecture, written),
        Format::LegacyH5 => lay_out_legacy(architecture, written),
    }
}

/// The path of a variable's dataset in a file of that format, without a leading `/`:
/// `layers/dense/vars/0`, `dense/dense/kernel`. `None` when there is no such variable.
///
/// In a legacy file the copy of a kernel that `SpectralNormalization` keeps is the wrapped layer's own.
#[must_use]
pub fn dataset_path(architecture: &Architecture, format: Format, variable: usize) -> Option<String> {
    let variable = architecture.variables.get(variable)?;
    let layer = architecture.layers.get(variable.layer)?;
    Some(match format {
        Format::WeightsH5 => join(&join(&layer.group, "vars"), &variable.index.to_string()),
        Format::LegacyH5 => {
            let is_copy = layer.class.as_deref() == Some("SpectralNormalization") && variable.index == 0;
            let wrapped = architecture.layers.get(variable.layer + 1).filter(|_| is_copy);
            let original = wrapped.and_then(|wrapped| {
                let own = architecture.variables.get(wrapped.variables.clone())?;
                own.iter().find(|variable| matches!(variable.name.as_str(), "kernel" | "embeddings"))
            });
            let path = original.unwrap_or(variable).path.as_str();
            if layer.path.is_empty() {
                join(TOP_LEVEL, path)
            } else {
                join(path.split('/').next().unwrap_or(path), path)
            }
        }
    })
}

/// The group of a legacy file for the variables that the model owns itself.
const TOP_LEVEL: &str = "top_level_model_weights";

fn lay_out_weights(
    architecture: &Architecture,
    written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<Group, LayoutError> {
    let mut root = Group::default();
    // Keras up to 3.5 looks for the root's own group, though it is empty.
    root.group("vars")?;
    for layer in &architecture.layers {
        let mut group = &mut root;
        for part in layer.group.split('/').filter(|part| !part.is_empty()) {
            group = group.group(part)?;
        }
        let vars = group.group("vars")?;
        if let Some(name) = layer.path.rsplit('/').next().filter(|name| !name.is_empty()) {
            vars.attributes.push(Attribute::text("name", name));
        }
        for index in layer.variables.clone() {
            let (Some(variable), Some(dtype)) = (architecture.variables.get(index), written(index)) else {
                continue;
            };
            let mark = (dtype == Dtype::Bf16).then(|| Attribute::text("dtype", Dtype::Bf16.name()));
            let dataset = Dataset { variable: index, attributes: mark.into_iter().collect() };
            vars.add(variable.index.to_string(), Node::Dataset(dataset))?;
        }
    }
    Ok(root)
}

fn lay_out_legacy(
    architecture: &Architecture,
    written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<Group, LayoutError> {
    if architecture.origin.is_template() {
        return Err(LayoutError::LayerOrder);
    }
    let layers = legacy::layers(architecture);
    let mut root = Group::default();
    let names = layers.iter().map(|layer| layer.name.clone()).collect();
    root.attributes.extend(name_list("layer_names", names));
    root.attributes.push(Attribute::text("backend", LEGACY_BACKEND));
    root.attributes.push(Attribute::text("keras_version", LEGACY_VERSION));
    for layer in layers {
        let group = root.group(&layer.name)?;
        lay_out_legacy_layer(architecture, group, &layer.variables, written)?;
    }
    let own: Vec<usize> = architecture.layers.first().map_or(0..0, |root| root.variables.clone()).collect();
    lay_out_legacy_layer(architecture, root.group(TOP_LEVEL)?, &own, written)?;
    Ok(root)
}

fn lay_out_legacy_layer(
    architecture: &Architecture,
    group: &mut Group,
    variables: &[usize],
    written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<(), LayoutError> {
    let mut names = Vec::new();
    for &index in variables {
        let (Some(variable), Some(dtype)) = (architecture.variables.get(index), written(index)) else {
            continue;
        };
        if dtype == Dtype::Bf16 {
            return Err(LayoutError::Bfloat16 { variable: variable.path.clone() });
        }
        let name = variable.path.as_str();
        let (parents, last) = name.rsplit_once('/').unwrap_or(("", name));
        let mut parent = &mut *group;
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            parent = parent.group(part)?;
        }
        parent.add(last.to_owned(), Node::Dataset(Dataset { variable: index, attributes: vec![] }))?;
        names.push(name.to_owned());
    }
    let lists = name_list("weight_names", names);
    group.attributes.extend(lists);
    Ok(())
}

/// A list of names as one attribute, or as the fewest numbered ones that fit (`numpy.array_split`).
fn name_list(name: &str, names: Vec<String>) -> Vec<Attribute> {
    let list =
        |name: String, names: &[String]| Attribute { name, value: AttributeValue::TextList(names.to_vec()) };
    let width = names.iter().map(String::len).max().unwrap_or(0).max(1);
    let per_part = (MAX_ATTRIBUTE_BYTES / width).max(1);
    if names.len() <= per_part {
        return vec![list(name.to_owned(), &names)];
    }
    let parts = names.len().div_ceil(per_part);
    let (size, longer) = (names.len() / parts, names.len() % parts);
    let mut rest = names.as_slice();
    (0..parts)
        .map(|part| {
            let (these, others) = rest.split_at((size + usize::from(part < longer)).min(rest.len()));
            rest = others;
            list(format!("{name}{part}"), these)
        })
        .collect()
}

impl Attribute {
    fn text(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: AttributeValue::Text(value.to_owned()) }
    }
}

impl Group {
    /// The group of that name, made where there is none yet.
    fn group(&mut self, name: &str) -> Result<&mut Self, LayoutError> {
        let at = match self.children.iter().rposition(|(other, _)| other == name) {
            Some(at) => at,
            None => {
                self.children.push((name.to_owned(), Node::Group(Self::default())));
                self.children.len() - 1
            }
        };
        match self.children.get_mut(at) {
            Some((_, Node::Group(group))) => Ok(group),
            _ => Err(LayoutError::SameName { path: name.to_owned() }),
        }
    }

    fn add(&mut self, name: String, node: Node) -> Result<(), LayoutError> {
        if self.children.iter().any(|(other, _)| *other == name) {
            return Err(LayoutError::SameName { path: name });
        }
        self.children.push((name, node));
        Ok(())
    }
}
