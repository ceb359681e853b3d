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
    /// A configuration that Keras 2 wrote.
    #[error(
        "written by Keras 2, which is not supported as an architecture: build the model in Keras 3 and save \
         `model.to_json()` or `model.save_weights(\"template.weights.h5\")`"
    )]
    Keras2,
    /// A legacy weights file tells neither classes nor paths.
    #[error(
        "a legacy weights file, which does not tell the model: save `model.to_json()`, or \
         `model.save_weights(\"template.weights.h5\")` with Keras 3"
    )]
    LegacyWeights,
    /// The index of sharded weights.
    #[error("the index of sharded weights, which is not supported: save the weights as one `.weights.h5`")]
    Sharded,
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
    /// Classes that Keras does not have.
    #[error(
        "{} not layers of Keras, so their variables are unknown: save a template with \
         `model.save_weights(\"template.weights.h5\")` of the built model and give that as the architecture",
        list(layers)
    )]
    CustomClasses {
        /// The layers.
        layers: Vec<CustomLayer>,
    },
    /// Quantized layers hold other variables.
    #[error("`{layer}` is quantized ({policy}), which is not supported: save the model before `quantize`")]
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
    /// The configuration in an archive promises other variables than the archive holds.
    #[error(
        "`{variable}` should be a dataset `{dataset}` of shape {expected}, but the archive's weights {}",
        found.as_ref().map_or_else(|| "have none".to_owned(), |found| format!("have shape {found} there"))
    )]
    ArchiveDiffers {
        /// The variable.
        variable: VariablePath,
        /// Its dataset.
        dataset: Box<str>,
        /// Its shape by the configuration.
        expected: Shape,
        /// The shape that is stored.
        found: Option<Box<Shape>>,
    },
    /// The weights of a whole model are not those of its configuration.
    #[error(
        "the configuration has {expected} variables, but the file holds {found} weights: save the model again"
    )]
    WholeDiffers {
        /// Variables by the configuration.
        expected: usize,
        /// Weights in the file.
        found: usize,
    },
    /// The archive is broken.
    #[error("the archive is not readable")]
    Zip(#[from] zip::result::ZipError),
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
    format!("{} {}", names.join(", "), if layers.len() == 1 { "is" } else { "are" })
}
