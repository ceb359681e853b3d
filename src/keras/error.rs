//! Why an architecture or a Keras file cannot be read.

use std::fmt;
use std::path::PathBuf;

use crate::tensor::{Shape, ShapeError, VariablePath};

/// A Keras file that cannot be read: the file and the reason.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    #[source]
    pub kind: ErrorKind,
}

/// A layer whose class Keras does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomLayer {
    /// The layer, from the root.
    pub layer: String,
    /// Its class, as the file names it.
    pub class: String,
}

impl fmt::Display for CustomLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.layer, self.class)
    }
}

impl ErrorKind {
    /// Whether a configuration that is sound does not tell the variables of the model: the file may hold them all
    /// the same ([`Architecture::of_weights`](super::Architecture::of_weights)).
    #[must_use]
    pub const fn is_untold(&self) -> bool {
        matches!(
            self,
            Self::CustomClasses { .. }
                | Self::CustomModel { .. }
                | Self::Subclassed { .. }
                | Self::Quantized { .. }
                | Self::NotBuilt { .. }
                | Self::HiddenShape { .. }
                | Self::OpenSize { .. }
        )
    }
}

/// The reasons.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Nothing that Keras writes.
    #[error(
        "neither JSON nor HDF5 nor a zip archive ({found}): give `model.to_json()`, a `.keras` file or a \
         `.weights.h5`"
    )]
    NotKeras {
        /// What it looks like.
        found: &'static str,
    },
    /// Larger than any such part of a real model.
    #[error("{part} of {bytes} bytes is larger than the {limit} that are read")]
    TooLarge {
        /// Which part.
        part: &'static str,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The JSON text is broken, or nested deeper than 128 levels.
    #[error("the configuration is not valid JSON: save `model.to_json()` again")]
    Json(#[from] serde_json::Error),
    /// A configuration where values are wanted.
    #[error("a configuration, which holds no values: give a `.weights.h5`, `.h5` or `.keras` file")]
    NotWeights,
    /// A subclassed model's configuration does not list its layers.
    #[error(
        "`{class}` is a subclassed model, whose configuration does not list its layers: build it, save a \
         template with `model.save_weights(\"template.weights.h5\")` and give that as the architecture"
    )]
    Subclassed {
        /// The model's class.
        class: String,
    },
    /// A layer has no input shape, so its variables have none.
    #[error(
        "`{layer}` is not built, so its variables have no shapes: call the model on an input, or \
         `model.build(input_shape)`, and save it again"
    )]
    NotBuilt {
        /// The layer, from the root.
        layer: String,
    },
    /// A layer's variables depend on a shape that nothing tells.
    #[error(
        "the variables of `{layer}` depend on the shape of what `{by}` ({class}) makes, which the configuration does \
         not tell: save `model.to_json()` of the built model with Keras 3, which writes it down, or give a template \
         (`model.save_weights(\"template.weights.h5\")`) as the architecture"
    )]
    HiddenShape {
        /// The layer, from the root.
        layer: String,
        /// The layer or operation whose output shape is unknown.
        by: String,
        /// Its class, or the function that it calls.
        class: String,
    },
    /// A layer's variables depend on a size that is not fixed.
    #[error(
        "the variables of `{layer}` depend on a size of its input, {shape}, that the configuration leaves open: fix \
         the sizes of the model's inputs and save it again, or give a template \
         (`model.save_weights(\"template.weights.h5\")`) as the architecture"
    )]
    OpenSize {
        /// The layer, from the root.
        layer: String,
        /// The input's shape, `?` for an open size.
        shape: String,
    },
    /// Classes that Keras does not have.
    #[error(
        "{} unknown: save a template with \
         `model.save_weights(\"template.weights.h5\")` of the built model and give that as the architecture",
        list(layers)
    )]
    CustomClasses {
        /// The layers.
        layers: Vec<CustomLayer>,
    },
    /// A model of the user's class that lists its layers, which may have others too.
    #[error(
        "the model is a `{class}`, which is not a class of Keras, so its variables are unknown: save a template with \
         `model.save_weights(\"template.weights.h5\")` of the built model and give that as the architecture"
    )]
    CustomModel {
        /// The class, as the file names it.
        class: String,
    },
    /// Quantized layers hold other variables.
    #[error(
        "`{layer}` is quantized ({policy}), and quantized variables cannot be made from a float checkpoint: save the \
         architecture of the float model, before `quantize`, and quantize in Keras after loading the weights"
    )]
    Quantized {
        /// The layer.
        layer: String,
        /// The policy.
        policy: String,
    },
    /// An unknown dtype policy.
    #[error("`{layer}` has the dtype policy `{policy}`, which is not supported")]
    DtypePolicy {
        /// The layer.
        layer: String,
        /// The policy.
        policy: String,
    },
    /// A field is not there.
    #[error("the configuration of `{layer}` has no `{field}`")]
    MissingField {
        /// The layer, from the root; empty for the root itself.
        layer: String,
        /// The field.
        field: String,
    },
    /// A field has a value that Keras would refuse.
    #[error("`{field}` in the configuration of `{layer}` should be {expected}")]
    WrongField {
        /// The layer, from the root.
        layer: String,
        /// The field.
        field: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A shape is too large.
    #[error("a variable of `{layer}` cannot be so large")]
    VariableShape {
        /// The layer.
        layer: String,
        /// The reason.
        #[source]
        source: ShapeError,
    },
    /// The graph refers to a call that does not exist.
    #[error("the graph of `{model}` reads call {node} of `{layer}`, which does not exist")]
    UnknownCall {
        /// The model.
        model: String,
        /// The layer.
        layer: String,
        /// The call's index.
        node: usize,
    },
    /// The graph has a cycle.
    #[error("the graph of `{model}` leads back to `{layer}`")]
    Cycle {
        /// The model.
        model: String,
        /// A layer on the cycle.
        layer: String,
    },
    /// A layer's name cannot be part of a path.
    #[error("`{name}` cannot be the name of a layer: it is empty, or holds `/`")]
    LayerName {
        /// The name.
        name: String,
    },
    /// Two variables of the model have one path.
    #[error("two variables have the path `{path}`: give their layers different names")]
    DuplicatePath {
        /// The path.
        path: String,
    },
    /// The HDF5 structure is broken or not supported.
    #[error("the HDF5 structure is not readable at `{at}`")]
    Hdf5 {
        /// The group or dataset.
        at: String,
        /// The reason.
        #[source]
        source: Box<hdf5_reader::error::Error>,
    },
    /// A group has a soft or external link, which Keras never writes: what is behind it may be missing.
    #[error(
        "`{at}` is a link to `{target}`: save the weights with Keras again, or replace the links by what they lead to"
    )]
    Link {
        /// The link.
        at: String,
        /// Where it leads; an external one: the file, `:` and the path.
        target: String,
    },
    /// Something that Keras never writes, and that hides or repeats what is in the file.
    #[error("`{at}` is damaged: {reason}; save the weights with Keras again")]
    Broken {
        /// The group or dataset.
        at: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// An attribute that should be a text, or a list of them.
    #[error("the attribute `{name}` of `{at}` is not a text")]
    Attribute {
        /// The group or dataset.
        at: String,
        /// The attribute.
        name: String,
    },
    /// A dataset that is in no group of variables.
    #[error(
        "`{at}` is a dataset where Keras keeps no variables, so it would be lost: is it a file of Keras?"
    )]
    StrayDataset {
        /// The dataset.
        at: String,
    },
    /// A group among the variables of a layer.
    #[error("`{at}` is a group where Keras keeps variables: the dataset that should be there is damaged")]
    StrayGroup {
        /// The group.
        at: String,
    },
    /// The variables of a layer are numbered, and a number is left out.
    #[error("the datasets before `{at}` are not all there: the file lost some; save the weights again")]
    MissingDataset {
        /// The first after the gap.
        at: String,
    },
    /// A layer that saves its variables by code of its own.
    #[error(
        "`{at}` has a name instead of a number: the layer saves its variables by a `save_own_variables` of its own, \
         which is not supported; let it save them as Keras does"
    )]
    NamedDataset {
        /// The dataset.
        at: String,
    },
    /// The group of a layer that a legacy file lists is not there.
    #[error("`layer_names` lists `{layer}`, but the file has no such group: save the weights again")]
    LegacyGroup {
        /// The layer.
        layer: String,
    },
    /// A dataset that a legacy file lists is not there, or listed twice.
    #[error(
        "`weight_names` lists `{at}`, but the file has no such dataset, or lists it twice: save it again"
    )]
    LegacyDataset {
        /// The dataset.
        at: String,
    },
    /// Legacy weights in an archive.
    #[error("the archive's weights are in the legacy format, which Keras does not read there: save it again")]
    LegacyInArchive,
    /// An index of shards breaks its rules.
    #[error("not an index of sharded weights: {what}")]
    Index {
        /// Which rule.
        what: &'static str,
    },
    /// An index names a group twice.
    #[error("the index names `{group}` twice")]
    IndexTwice {
        /// The group.
        group: String,
    },
    /// A shard that is not next to its index.
    #[error("the index names the shard `{shard}`, which is no file of its own folder")]
    ShardPlace {
        /// The shard.
        shard: String,
    },
    /// A shard is not there.
    #[error("the shard `{shard}` is missing: put it next to the index")]
    MissingShard {
        /// The shard.
        shard: String,
    },
    /// A shard cannot be read.
    #[error("the shard `{shard}`: {source}")]
    Shard {
        /// The shard.
        shard: String,
        /// The reason.
        #[source]
        source: Box<ErrorKind>,
    },
    /// A shard lacks what the index says it holds.
    #[error(
        "the index says that `{shard}` holds variables of `{group}`, and it does not: are they of one model?"
    )]
    ShardLacks {
        /// The shard.
        shard: String,
        /// The group.
        group: String,
    },
    /// A shard holds what the index does not name.
    #[error("`{shard}` holds variables of `{group}`, which the index does not name: are they of one model?")]
    NotInIndex {
        /// The shard.
        shard: String,
        /// The group.
        group: String,
    },
    /// A dataset in two shards.
    #[error("two shards hold `{at}`: are they of one model?")]
    TwoShards {
        /// The dataset.
        at: String,
    },
    /// The shards hold another number of bytes than the index says.
    #[error(
        "the shards hold variables of {found} bytes, and the index says {expected}: are they of one model?"
    )]
    ShardTotal {
        /// By the index.
        expected: f64,
        /// In the shards.
        found: f64,
    },
    /// bfloat16 that Keras itself cannot load.
    #[error(
        "`{at}` holds elements of two bytes without a type: bfloat16 as Keras 2 and the legacy format store it, and \
         no Keras loads it; save the model's weights as float32, or with Keras 3 as `.weights.h5`"
    )]
    UnmarkedBfloat16 {
        /// The dataset.
        at: String,
    },
    /// A dataset whose element type is no variable's.
    #[error("`{at}` holds elements of an unsupported type: {found}")]
    ElementType {
        /// The dataset.
        at: String,
        /// The HDF5 type.
        found: String,
    },
    /// A dataset whose data lies outside the file.
    #[error("the data of `{at}` reaches past the end of the file: it is cut short; get it again")]
    Truncated {
        /// The dataset.
        at: String,
    },
    /// More groups, or deeper ones, than any model has.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A `.weights.h5` without variables.
    #[error("no variables in it: save the weights of a built model with Keras 3")]
    NoVariables,
    /// The configuration in a file promises other variables than the file holds.
    #[error(
        "`{variable}` should be a dataset `{dataset}` of shape {expected}, but the file's weights {}: save the model again",
        found.as_ref().map_or_else(|| "have none".to_owned(), |found| format!("have shape {found} there"))
    )]
    WeightsDiffer {
        /// The variable.
        variable: VariablePath,
        /// Its dataset.
        dataset: Box<str>,
        /// Its shape by the configuration.
        expected: Box<Shape>,
        /// The shape that is stored.
        found: Option<Box<Shape>>,
    },
    /// The weights of a whole model are not those of its configuration.
    #[error(
        "by its configuration the model has {expected} layers with weights, but the file holds weights of {found}: save \
         the model again"
    )]
    WholeDiffers {
        /// Layers with weights by the configuration.
        expected: usize,
        /// Layers with weights in the file.
        found: usize,
    },
    /// The weights of a layer are not those of its configuration.
    #[error(
        "by its configuration the layer `{layer}` has {expected} weights, but the file's `{stored}`, which is at its \
         place, holds {found}: save the model again"
    )]
    WholeLayerDiffers {
        /// The layer.
        layer: String,
        /// Its weights.
        expected: usize,
        /// The layer of the file at the same place.
        stored: String,
        /// Its weights.
        found: usize,
    },
    /// A member of the archive is not what was put into it.
    #[error("the checksum of `{member}` in the archive is wrong: the file is damaged; get it again")]
    Checksum {
        /// The member.
        member: String,
    },
    /// The archive is broken.
    #[error("the archive is not readable")]
    Zip(#[from] zip::result::ZipError),
    /// An archive with two members of one name.
    #[error("the archive has two members `{member}`: which one is meant is not told; save the model again")]
    ArchiveTwice {
        /// The member.
        member: String,
    },
    /// A member whose own header says something else than the directory.
    #[error("the archive's directory and its member `{member}` do not agree: it is damaged; get it again")]
    ArchiveEntry {
        /// The member.
        member: String,
    },
    /// Keras writes this where h5py is not installed.
    #[error(
        "the archive holds its weights as `model.weights.npz`, which Keras writes where h5py is missing, and which is \
         not supported: install h5py and save the model again"
    )]
    NpzWeights,
    /// The archive lacks a member.
    #[error(
        "the archive has no `{member}`, so it is not a `.keras` file: give `model.to_json()`, a `.keras` file or a \
         `.weights.h5`"
    )]
    NoMember {
        /// The member.
        member: &'static str,
    },
}

fn list(layers: &[CustomLayer]) -> String {
    /// Names shown; a model of a hundred blocks need not list them all.
    const SHOWN: usize = 8;
    let mut names: Vec<String> = layers.iter().take(SHOWN).map(ToString::to_string).collect();
    if layers.len() > SHOWN {
        names.push(format!("{} more", layers.len() - SHOWN));
    }
    let rest = match layers {
        [_] => "is not a layer of Keras, so its variables are",
        _ => "are not layers of Keras, so their variables are",
    };
    format!("{} {rest}", names.join(", "))
}
