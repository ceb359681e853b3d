//! Everything that keeps a plan from being complete, reported together.

use std::fmt;
use std::sync::Arc;

use super::attempt::{Attempt, tried};
use super::wording::{lacking, list, missing_values, no_prefix};
use crate::lazy::FormulaError;
use crate::plan::derived::adapter::AdapterError;
use crate::plan::derived::quant_state::QuantStateError;
use crate::schema::{EvaluateError, Position};
use crate::tensor::{Dtype, Shape, StateDictKey, VariablePath};

/// The complete list of faults of a plan, in the order: rules, bindings, missing, unexpected.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the plan has {} fault{}", .faults.len(), if .faults.len() == 1 { "" } else { "s" })]
pub struct Faults {
    /// The faults; never empty.
    pub faults: Vec<Fault>,
}

/// One fault.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What is wrong.
    pub detail: FaultDetail,
    /// The rule that is to blame, where there is one.
    pub position: Option<Position>,
    /// What to do, or what was nearly right.
    pub hint: Option<String>,
}

/// The groups in which faults are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// A rule that applies to nothing, or that cannot be applied.
    Rule,
    /// A variable that more than one rule claims.
    Duplicate,
    /// More than one reading fits.
    Ambiguous,
    /// Shapes that no layout of the rule brings together.
    Shape,
    /// An element type that cannot be converted.
    Dtype,
    /// A variable without a source.
    Missing,
    /// A tensor without a use.
    Unexpected,
}

/// What is wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FaultDetail {
    /// A rule matches no tensor or no variable.
    #[error("the rule for `{pattern}` matches {}", if *.keras { "no variable of the architecture" } else { "no tensor of the checkpoint" })]
    UnusedRule {
        /// The pattern that matches nothing.
        pattern: String,
        /// Whether it is the keras side that matches nothing.
        keras: bool,
    },
    /// A rule computes a path that the architecture lacks; several rules one each for the same module or tensor.
    #[error("`{torch}` goes to {}", lacking(.keras))]
    UnknownTarget {
        /// The module or tensor.
        torch: String,
        /// The path, or those of each rule.
        keras: Vec<String>,
    },
    /// A path that leads to more than one layer.
    #[error("`{path}` names more than one layer of the architecture; use its group's path")]
    AmbiguousPath {
        /// The path.
        path: String,
    },
    /// A keras path cannot be computed.
    #[error("the keras path of `{torch}` cannot be computed: {source}")]
    Evaluate {
        /// The module or tensor.
        torch: String,
        /// The reason.
        source: EvaluateError,
    },
    /// No key has a prefix of the schema.
    #[error("{}", no_prefix(.prefixes, *.keys, .common.as_deref()))]
    NoPrefix {
        /// The schema's.
        prefixes: Vec<String>,
        /// How many keys there are.
        keys: usize,
        /// The first segment of all, with its dot.
        common: Option<String>,
    },
    /// All keys have a prefix that the schema does not strip.
    #[error("all {keys} keys begin with `{prefix}`, and no rule leads from there to a layer")]
    UnstrippedPrefix {
        /// The prefix.
        prefix: String,
        /// How many keys there are.
        keys: usize,
    },
    /// A layer whose class has no rules.
    #[error("layer `{layer}` is a `{class}`, for which there are no class rules")]
    UnknownClass {
        /// The layer.
        layer: String,
        /// Its class.
        class: String,
    },
    /// A layer without variables of its own, whose class has no rules.
    #[error(
        "layer `{layer}` is a `{class}`, a model of its own: its variables are those of the layers inside"
    )]
    Container {
        /// The layer.
        layer: String,
        /// Its class.
        class: String,
    },
    /// A layer whose class is not known.
    #[error("the architecture does not tell the class of layer `{layer}`")]
    UntoldClass {
        /// The layer.
        layer: String,
    },
    /// The rule says another class than the architecture.
    #[error("layer `{layer}` is a `{found}`, and the rule says `{expected}`")]
    ClassMismatch {
        /// The layer.
        layer: String,
        /// The architecture's class.
        found: String,
        /// The rule's class.
        expected: String,
    },
    /// The rule says `groups`, and the layer's class does nothing with them.
    #[error(
        "the rule says `groups` for layer `{layer}`, and class `{class}` has no variable for a dense weight of them"
    )]
    NoGroups {
        /// The layer.
        layer: String,
        /// Its class.
        class: String,
    },
    /// The rule says `groups`, and the layer has some itself.
    #[error("the rule says `groups = {said}` for layer `{layer}`, which has {own} groups itself")]
    OwnGroups {
        /// The layer.
        layer: String,
        /// What the rule says.
        said: usize,
        /// The layer's own.
        own: u64,
    },
    /// A layer has a variable that its class' rules do not know.
    #[error("the rules of class `{class}` have nothing for variable `{variable}`")]
    UnknownVariable {
        /// The variable.
        variable: VariablePath,
        /// The class.
        class: String,
    },
    /// A sequence pairs different numbers of modules and layers.
    #[error("the sequence pairs {modules} modules with {layers} layers")]
    SequenceLength {
        /// Modules found.
        modules: usize,
        /// Layers found.
        layers: usize,
    },
    /// A sequence needs an order that a file does not have.
    #[error("`{pattern}` captures text, and this {file} is sorted by name: it has no order to follow")]
    SequenceOrder {
        /// The pattern.
        pattern: String,
        /// `checkpoint` or `template`.
        file: &'static str,
    },
    /// Two rules bind one variable.
    #[error("`{variable}` is bound twice, by {} and by {}", place(.first), place(.second))]
    Duplicate {
        /// The variable.
        variable: VariablePath,
        /// The first rule.
        first: Position,
        /// The second.
        second: Position,
    },
    /// Several tensors for one variable.
    #[error("`{variable}` could take its value from any of {}", list(.keys))]
    SeveralSources {
        /// The variable.
        variable: VariablePath,
        /// The tensors.
        keys: Vec<StateDictKey>,
    },
    /// Two layouts that both fit and differ.
    #[error(
        "`{first}` and `{second}` both fit `{key}` {source_shape} to `{variable}` {target_shape}, and differ"
    )]
    SeveralLayouts {
        /// The tensor.
        key: StateDictKey,
        /// Its shape.
        source_shape: Shape,
        /// The variable.
        variable: VariablePath,
        /// Its shape.
        target_shape: Shape,
        /// One layout.
        first: String,
        /// The other.
        second: String,
    },
    /// The order of a layer's input features is not known.
    #[error("`{variable}` reads features whose order is not known: {reason}")]
    FeatureOrder {
        /// The variable.
        variable: VariablePath,
        /// What hides it.
        reason: String,
    },
    /// What becomes of a layer's output features is not known, or no layout of the class agrees with it.
    #[error("`{variable}` makes features whose order is not known: {reason}")]
    OutputOrder {
        /// The variable.
        variable: VariablePath,
        /// What hides it.
        reason: String,
    },
    /// A map was flattened before the layer, and its output becomes one: a layout for each, none for both.
    #[error("`{variable}` reads a flattened map and makes one, and its class has no layout for both")]
    BothOrders {
        /// The variable.
        variable: VariablePath,
    },
    /// The equation of an `EinsumDense` reads its kernel in a way of its own.
    #[error("the equation of the layer of `{variable}` is not of an nn.Linear's kind: {reason}")]
    Equation {
        /// The variable.
        variable: VariablePath,
        /// What is not.
        reason: &'static str,
    },
    /// The rule says another order of features than the architecture's graph.
    #[error("the rule says `{key} = {said:?}` for layer `{layer}`, and the architecture `{key} = {found:?}`")]
    OrderContradiction {
        /// The layer.
        layer: String,
        /// `flatten` or `unflatten`.
        key: &'static str,
        /// The rule's sizes.
        said: Vec<usize>,
        /// The architecture's; none for no map.
        found: Vec<usize>,
    },
    /// Two layers of a template that the one map of a rule fits.
    #[error(
        "the rule's `{key}` fits both `{first}` and `{second}`, and the template does not tell which is meant"
    )]
    SeveralMaps {
        /// `flatten` or `unflatten`.
        key: &'static str,
        /// One layer.
        first: String,
        /// The other.
        second: String,
    },
    /// A tensor that is there in more than one form.
    #[error("`{key}` is there in several forms: {}", forms.join("; "))]
    SeveralForms {
        /// The tensor.
        key: String,
        /// What it could be made of.
        forms: Vec<String>,
    },
    /// Tensors do not go together in the formula that computes one from them.
    #[error("`{key}` cannot be computed by {formula}: {source}")]
    Uncomputable {
        /// The tensor to be computed.
        key: StateDictKey,
        /// The formula.
        formula: &'static str,
        /// The reason.
        source: FormulaError,
    },
    /// The description of a quantized tensor is none that is known.
    #[error("`{key}` cannot be dequantized: its `quant_state` is not understood: {source}")]
    QuantState {
        /// The tensor.
        key: StateDictKey,
        /// What is wrong with it; shared, as a reader's error is not copied.
        source: Arc<QuantStateError>,
    },
    /// Nothing tells how much of an adapter is added.
    #[error("`{key}` is changed by an adapter (LoRA), whose alpha the checkpoint does not tell")]
    UntoldAlpha {
        /// The tensor.
        key: StateDictKey,
    },
    /// What `adapter_config.json` says cannot be followed.
    #[error("`{key}` is changed by an adapter (LoRA), and {source}")]
    Adapter {
        /// The tensor.
        key: StateDictKey,
        /// What it says.
        source: AdapterError,
    },
    /// An adapter that is not merged.
    #[error(
        "`{key}` is changed by a DoRA adapter (`{magnitudes}`), which is not merged: it is more than the sum of LoRA"
    )]
    Dora {
        /// The tensor.
        key: StateDictKey,
        /// The tensor that tells.
        magnitudes: StateDictKey,
    },
    /// A formula lacks a tensor.
    #[error("there is no tensor `{key}`, the `{role}` that the rule computes with")]
    MissingInput {
        /// What it would be in the formula.
        role: &'static str,
        /// The tensor.
        key: String,
    },
    /// A sum lacks a term.
    #[error("no tensor is `{pattern}`, which the rule adds")]
    MissingTerm {
        /// The pattern.
        pattern: String,
    },
    /// Arithmetic on whole numbers.
    #[error("`{variable}` is {dtype}, and `scale`, `offset` and `round` are for floats")]
    Arithmetic {
        /// The variable.
        variable: VariablePath,
        /// Its element type.
        dtype: Dtype,
    },
    /// Alternatives of a capture that is an axis are missing.
    #[error("`{variable}` joins the tensors of `{capture}`, of which {} missing", missing_values(.missing))]
    IncompleteCapture {
        /// The variable.
        variable: VariablePath,
        /// The capture.
        capture: String,
        /// The values without a tensor.
        missing: Vec<String>,
    },
    /// No layout brings the shapes together.
    #[error("`{key}` {source_shape} does not fit `{variable}` {target_shape}{}", tried(.attempts))]
    Shape {
        /// The (first) tensor.
        key: StateDictKey,
        /// Its shape.
        source_shape: Shape,
        /// The (first) variable.
        variable: VariablePath,
        /// Its shape.
        target_shape: Shape,
        /// Each layout that was tried; none for a copy of equal shape.
        attempts: Vec<Attempt>,
    },
    /// An element type that cannot become the variable's.
    #[error("`{key}` is {source_dtype}, which cannot become {target_dtype} for `{variable}`")]
    Dtype {
        /// The tensor.
        key: StateDictKey,
        /// Its element type.
        source_dtype: Dtype,
        /// The variable.
        variable: VariablePath,
        /// The element type to write.
        target_dtype: Dtype,
    },
    /// A variable of an element type that Keras cannot load.
    #[error("`{variable}` is {dtype}, which Keras cannot load from a weight file")]
    Unloadable {
        /// The variable.
        variable: VariablePath,
        /// Its element type.
        dtype: Dtype,
    },
    /// A variable to be kept that the architecture file has no value of.
    #[error("`{variable}` is to be kept, but the architecture file holds no values")]
    NothingToKeep {
        /// The variable.
        variable: VariablePath,
    },
    /// A module that rules lead to two layers whose paths are spellings of one name.
    #[error("module `{module}` is named like two layers, `{first}` and `{second}`")]
    SeveralLayers {
        /// The module.
        module: String,
        /// A layer.
        first: String,
        /// Another.
        second: String,
    },
    /// A waived variable of a layer whose others have values.
    #[error(
        "`{variable}` would be left out, and Keras loads a layer whole or not at all: `{other}` would not be loaded either"
    )]
    PartlyFilled {
        /// The variable.
        variable: VariablePath,
        /// Another of the same layer.
        other: VariablePath,
    },
    /// A variable without a source.
    #[error("`{variable}` {shape} gets no value")]
    Missing {
        /// The variable.
        variable: VariablePath,
        /// Its shape.
        shape: Shape,
    },
    /// A tensor without a use.
    #[error("`{key}` {shape} {dtype} has no use")]
    Unexpected {
        /// The tensor.
        key: StateDictKey,
        /// Its shape.
        shape: Shape,
        /// Its element type.
        dtype: Dtype,
    },
}

impl Fault {
    /// The group in which it is reported.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self.detail {
            FaultDetail::UnusedRule { .. }
            | FaultDetail::NoPrefix { .. }
            | FaultDetail::UnstrippedPrefix { .. }
            | FaultDetail::UnknownTarget { .. }
            | FaultDetail::AmbiguousPath { .. }
            | FaultDetail::Evaluate { .. }
            | FaultDetail::UnknownClass { .. }
            | FaultDetail::UntoldClass { .. }
            | FaultDetail::Container { .. }
            | FaultDetail::ClassMismatch { .. }
            | FaultDetail::UnknownVariable { .. }
            | FaultDetail::NoGroups { .. }
            | FaultDetail::OwnGroups { .. }
            | FaultDetail::SequenceLength { .. }
            | FaultDetail::SequenceOrder { .. }
            | FaultDetail::OrderContradiction { .. }
            | FaultDetail::UntoldAlpha { .. }
            | FaultDetail::Adapter { .. }
            | FaultDetail::Dora { .. }
            | FaultDetail::QuantState { .. }
            | FaultDetail::NothingToKeep { .. } => FaultKind::Rule,
            FaultDetail::Duplicate { .. } => FaultKind::Duplicate,
            FaultDetail::SeveralSources { .. }
            | FaultDetail::SeveralLayouts { .. }
            | FaultDetail::FeatureOrder { .. }
            | FaultDetail::OutputOrder { .. }
            | FaultDetail::BothOrders { .. }
            | FaultDetail::SeveralForms { .. }
            | FaultDetail::SeveralLayers { .. }
            | FaultDetail::SeveralMaps { .. } => FaultKind::Ambiguous,
            FaultDetail::MissingInput { .. }
            | FaultDetail::MissingTerm { .. }
            | FaultDetail::IncompleteCapture { .. }
            | FaultDetail::PartlyFilled { .. }
            | FaultDetail::Missing { .. } => FaultKind::Missing,
            FaultDetail::Shape { .. } | FaultDetail::Uncomputable { .. } | FaultDetail::Equation { .. } => {
                FaultKind::Shape
            }
            FaultDetail::Arithmetic { .. } | FaultDetail::Dtype { .. } | FaultDetail::Unloadable { .. } => {
                FaultKind::Dtype
            }
            FaultDetail::Unexpected { .. } => FaultKind::Unexpected,
        }
    }
}

/// The message alone: the position and the hint are shown beside it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.detail, f)
    }
}

/// `schema.toml:12`.
pub(crate) fn place(position: &Position) -> String {
    format!("{}:{}{}", position.file.name, position.line(), position.file.user())
}
