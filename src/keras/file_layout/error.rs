//! Why an architecture has no layout in a format.

use crate::tensor::VariablePath;

use super::{Format, KerasVersion};

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
    /// A frozen layer in a nested model: one of attention, or any where Keras before 3.3 reads.
    #[error(
        "the layer `{layer}` is frozen in a nested model, and the order of that model's weights in a legacy `.h5` \
         depends on how it was frozen, which no configuration tells: write a `.weights.h5`, or save the \
         architecture with the layer trainable"
    )]
    UntoldFreezing {
        /// The layer.
        layer: String,
    },
    /// Legacy weights as a template do not tell the groups of the other formats.
    #[error(
        "legacy weights do not tell the groups of {}: write a legacy `.h5`, or give the architecture as \
         `model.to_json()`, `.keras` or a `.weights.h5` of the same model",
        describe(*.format)
    )]
    Groups {
        /// The format.
        format: Format,
    },
    /// A reader that does not understand the bytes of bfloat16.
    #[error(
        "{reader} load bfloat16 from such a file (variable `{variable}`): leave --dtype out, and float32 holds \
         the values exactly, or write a `.weights.h5` for Keras 3"
    )]
    Bfloat16 {
        /// The variable.
        variable: VariablePath,
        /// `no Keras can`, `Keras 2 cannot`.
        reader: &'static str,
    },
    /// Two things of the file have one name.
    #[error("two datasets or groups of the file are named `{path}`: rename one of the layers")]
    SameName {
        /// The HDF5 path.
        path: String,
    },
    /// A whole model is to be written, and the architecture has no configuration.
    #[error(
        "a whole model holds the model's configuration, which the architecture's file does not have: give the \
         architecture as `model.to_json()`, `.keras` or a whole-model `.h5`, or write the weights alone"
    )]
    NoConfig,
    /// A configuration that no Keras reads from a `.keras`.
    #[error(
        "the architecture's configuration does not name the modules of its objects, without which no Keras loads \
         a `.keras` (an `.h5` and `to_json()` of Keras 2 lack them): give a `.keras` as the architecture, or \
         write a whole-model `.h5` or the weights alone"
    )]
    NoModules,
    /// A layer of several models, whose configuration has modules, in an `.h5`.
    #[error(
        "several models share the layer `{layer}`, and Keras makes a layer for each of them when it reads this \
         configuration from an `.h5`: write a `.keras`, or the weights alone"
    )]
    SharedAcross {
        /// The layer.
        layer: String,
    },
    /// float8 for a Keras that has its variables in another order.
    #[error(
        "Keras {version} orders the variables of float8 in `{layer}` otherwise than 3.12 and later, and no \
         configuration tells which is meant: give a template of that Keras \
         (`model.save_weights(\"template.weights.h5\")`) as the architecture"
    )]
    Float8Order {
        /// The layer.
        layer: String,
        /// The reader.
        version: KerasVersion,
    },
    /// A layer that keeps what it was adapted to, which the architecture's file or the format does not hold.
    #[error(
        "`{layer}` ({class}) keeps what it was adapted to beside the model's variables, and without that no Keras \
         loads {}: give the `.keras` of the adapted model as the architecture, and write a `.keras` or a \
         `.weights.h5`",
        describe(*.format)
    )]
    Adapted {
        /// The layer, from the root.
        layer: String,
        /// Its class.
        class: String,
        /// The format.
        format: Format,
    },
    /// A version that does not know the format.
    #[error("Keras {version} cannot read {}, which came with {since}: write a {}", describe(*.format), older(*.format))]
    ReaderTooOld {
        /// The format.
        format: Format,
        /// The reader.
        version: KerasVersion,
        /// The first that can.
        since: String,
    },
    /// A whole model for a Keras that does not know what its configuration says.
    #[error(
        "the architecture's configuration has {what}, which came with Keras {since}, and Keras {version} does not load \
         it: write the weights alone, or save the architecture with Keras {version}"
    )]
    ConfigTooNew {
        /// What is too new, such as an argument of a class.
        what: String,
        /// The version that brought it.
        since: String,
        /// The reader.
        version: KerasVersion,
    },
    /// A whole model for the other generation of Keras.
    #[error(
        "the architecture's configuration is one of Keras {own}, which Keras {version} cannot be relied on to \
         load: write the weights alone, and build the model in Keras {version}"
    )]
    OtherGeneration {
        /// The configuration's.
        own: u32,
        /// The reader.
        version: KerasVersion,
    },
    /// A layer that Keras 3.0 loads wrongly, or not at all, as a part of a whole model.
    #[error(
        "Keras {version} does not load a whole model with the layer `{layer}` right, not even its own: write the \
         weights alone"
    )]
    Misloaded {
        /// The layer: a `Bidirectional`, or a frozen one in a nested model.
        layer: String,
        /// The reader.
        version: KerasVersion,
    },
    /// A layer that is larger than a shard may be.
    #[error(
        "`{group}` takes {bytes} bytes, more than the {limit} of a shard, and Keras 3.10 reads no layer from two: \
         set --max-shard-size to at least {bytes}"
    )]
    ShardTooSmall {
        /// The largest of the groups that are too large.
        group: String,
        /// Its bytes.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// There is no optimizer's state.
    #[error(
        "the architecture's file holds no optimizer's state: leave --optimizer out, or give a compiled model that \
         was saved as `.keras` or whole-model `.h5`"
    )]
    NoOptimizer,
    /// The optimizer's state has another form in the output.
    #[error(
        "the optimizer's state of an `.h5` goes into a whole-model `.h5` alone, and that of a `.keras` into \
         `.keras`, `.weights.h5` or `.weights.json`: leave --optimizer out, or write the form that the \
         architecture's file has"
    )]
    OptimizerForm,
}

/// The format that an older Keras reads instead.
const fn older(format: Format) -> &'static str {
    match format {
        Format::Sharded | Format::Keras => "`.weights.h5`",
        Format::WeightsH5 | Format::LegacyH5 | Format::WholeH5 => "`.h5`",
    }
}

/// The format, for a sentence.
fn describe(format: Format) -> &'static str {
    match format {
        Format::WeightsH5 => "a `.weights.h5`",
        Format::Sharded => "sharded weights",
        Format::LegacyH5 => "a legacy `.h5`",
        Format::WholeH5 => "a whole-model `.h5`",
        Format::Keras => "a `.keras`",
    }
}
