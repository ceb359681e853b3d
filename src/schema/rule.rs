//! The rules of a schema, validated: what the plan reads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::glob::Glob;
use super::pattern::{Captures, Pattern, Tables};
use super::position::{Position, SourceFile};
use crate::tensor::{Arithmetic, Layout, Slice};

/// A schema: rules in the order of the file, and the classes that its layer rules use.
#[derive(Debug)]
pub struct Schema {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The files that it was read from: its own, and those of the schemas that it is made of. None of bundled ones.
    pub files: Vec<PathBuf>,
    /// `name`.
    pub name: Option<String>,
    /// `about`.
    pub about: Option<String>,
    /// `source.prefix`: the first under which rules match is stripped from the keys. Never empty; `[""]`
    /// by default.
    pub prefixes: Vec<String>,
    /// `source.ignore`: keys left unused on purpose.
    pub ignore: Vec<Glob>,
    /// `target.architecture`, resolved against the schema's folder.
    pub architecture: Option<PathBuf>,
    /// Every rule: those of the schema that it extends first, those of a schema that it uses in the place of the
    /// `[[use]]`.
    pub rules: Vec<Rule>,
    /// What its own rules mean by names.
    pub scope: Arc<Scope>,
}

/// What the rules of a schema mean by names. A schema that another uses has its own.
#[derive(Debug, Default)]
pub struct Scope {
    /// `[table]`.
    pub tables: Tables,
    /// Classes by Keras class name: the built-in ones of `schemas/layers.toml` under the schema's own.
    pub classes: BTreeMap<String, Arc<Class>>,
    /// `source.lora`: of adapters that are merged where a rule names the weight that they change.
    pub low_rank: LowRank,
    /// `target.flatten = []`: in a template, nothing is flattened before a layer whose rule does not say so.
    pub is_nothing_flattened: bool,
    /// `target.unflatten = []`: in a template, no output becomes a map but where its layer's rule says so.
    pub is_nothing_unflattened: bool,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// What it says.
    pub kind: RuleKind,
    /// `optional = true`: it may match nothing.
    pub optional: bool,
    /// The rule's table in the file, from its header to its last line.
    pub position: Position,
    /// What it means by names.
    pub scope: Arc<Scope>,
}

/// The kinds of rule.
#[derive(Debug)]
pub enum RuleKind {
    /// `[[layer]]`: a module to a layer, parameters by the class.
    Layer(LayerRule),
    /// `[[sequence]]`: the n-th matching module to the n-th matching layer.
    Sequence(LayerRule),
    /// `[[tensor]]`: tensors to variables, layout spelled out.
    Tensor(Box<TensorRule>),
    /// `[[fill]]`: a constant.
    Fill(Fill),
    /// `[[keep]]`: the architecture file's own value.
    Keep(Keep),
}

/// `[[layer]]` and `[[sequence]]`.
#[derive(Debug)]
pub struct LayerRule {
    /// The module's prefix, without the last dot; or, with a `{*}`, the keys of its tensors: `rnn.{*}_l{k}`.
    pub torch: Pattern,
    /// The layer's path.
    pub keras: Pattern,
    /// `class`: the layer's class. Needed where the architecture does not tell it; elsewhere it must agree
    /// (and in a sequence it selects the layers).
    pub class: Option<String>,
    /// `flatten = [height, width, channels]`: sizes of the feature map that was flattened before the layer;
    /// none when the rule says that nothing was.
    pub flatten: Option<Vec<usize>>,
    /// `unflatten = [height, width, channels]`: sizes of the feature map that the layer's output becomes;
    /// none when the rule says that it becomes none.
    pub unflatten: Option<Vec<usize>>,
    /// `groups`: of the module, above 1, where the layer has none: the variables that [`ClassVariable::expands`] get
    /// blocks on the diagonal, with zeros elsewhere.
    pub groups: Option<usize>,
}

/// `[[tensor]]`, and each variable of a class.
#[derive(Debug)]
pub struct TensorRule {
    /// The state_dict key.
    pub torch: Pattern,
    /// The variables that receive the value; one or more.
    pub keras: Vec<Pattern>,
    /// The candidate layouts; none for a copy of equal shape. Written as one string or a list.
    pub layouts: Vec<Layout>,
    /// `sizes`: axes whose size is given.
    pub sizes: BTreeMap<String, usize>,
    /// `order`: per axis, which source index each target index reads.
    pub order: BTreeMap<String, Vec<usize>>,
    /// `slice`: per axis, the part that is used.
    pub slice: BTreeMap<String, Slice>,
    /// `take`: per axis, the one index that is used.
    pub take: BTreeMap<String, usize>,
    /// `reduce`.
    pub reduce: Option<Reduce>,
    /// `compute`: the tensor is computed from several; none for `"block_diagonal"`, which has one.
    pub compute: Option<Compute>,
    /// `groups`, above 1, of `compute = "block_diagonal"`: the tensor is the weight of so many, and what counts the
    /// dense weight, computed or not before.
    pub groups: Option<usize>,
    /// `dim`: the axis that vectors of a formula belong to.
    pub dim: Option<usize>,
    /// `add`: further terms; of each, `torch` and what rearranges it.
    pub add: Vec<TensorRule>,
    /// `scale`, `offset` and `round`.
    pub arithmetic: Arithmetic,
    /// Its table, to the end of the last value.
    pub position: Position,
    /// Where `torch`, `keras` and `layout` stand (their values).
    pub torch_position: Position,
    /// Of `keras`.
    pub keras_position: Position,
    /// Of `layout`, when there is one.
    pub layout_position: Option<Position>,
}

/// `compute`, with the tensors that `torch` names.
#[derive(Debug)]
pub struct Compute {
    /// The formula.
    pub formula: Formula,
    /// What each tensor is in the formula, with its key; the first is the one whose captures count, and is
    /// [`TensorRule::torch`] too.
    pub inputs: Vec<(&'static str, Pattern)>,
    /// `alpha`, `rslora` and `fan_in_fan_out`.
    pub low_rank: LowRank,
}

/// The formulas of `compute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formula {
    /// `v · (g / ‖v‖)`.
    WeightNorm,
    /// `weight / σ`.
    SpectralNorm,
    /// `weight · mask`.
    Pruned,
    /// `weight + (b a) · alpha / rank`.
    Lora,
    /// Numbers of four bits with powers of two.
    Mxfp4,
    /// `(weight − zero_point) · scale`.
    Dequantize,
}

/// What a checkpoint with low-rank adapters does not tell, as far as a schema says it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LowRank {
    /// `lora_alpha`.
    pub alpha: Option<f64>,
    /// `use_rslora`: it is divided by the root of the rank.
    pub by_root: Option<bool>,
    /// `fan_in_fan_out`: the weights are (in, out).
    pub transposed: Option<bool>,
}

/// How a capture that is absent from the target is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduce {
    /// The values are added.
    Sum,
}

/// `[[fill]]`.
#[derive(Debug)]
pub struct Fill {
    /// The variables.
    pub keras: Vec<Pattern>,
    /// The constant.
    pub value: f64,
}

/// `[[keep]]`.
#[derive(Debug)]
pub struct Keep {
    /// The variables.
    pub keras: Vec<Pattern>,
}

/// `[class.X]`: from a layer's variables to the usual names of the matching `nn.Module`.
#[derive(Debug)]
pub struct Class {
    /// The Keras class.
    pub name: String,
    /// The variables: the layer's own in the order of its `vars` group, and those of layers inside it by their
    /// paths below it (`query/kernel`). A layer need not have them all.
    pub variables: Vec<ClassVariable>,
    /// Layers inside, which go by the rules of their own classes.
    pub inside: Vec<Inside>,
    /// `suffix`: what may stand after the names of the parameters (`_l0`); the first under which there are
    /// tensors is taken. Never empty; `[""]` by default.
    pub suffixes: Vec<String>,
    /// The module's tensors that a Keras layer has no use for (`num_batches_tracked`).
    pub ignore: Vec<Glob>,
    /// Where.
    pub position: Position,
}

/// Layers inside a layer of a class.
#[derive(Debug)]
pub struct Inside {
    /// The path below the layer: `{cell:*}`.
    pub keras: Pattern,
    /// The keys of their tensors, relative to the module: `{*}_reverse`. The capture [`NUMBER`] is the number of the
    /// layer among those that `keras` matches, from 0.
    pub torch: Pattern,
    /// `class`: the class of the layers, where the architecture does not tell it.
    pub class: Option<String>,
}

/// The capture for the number of a layer inside.
pub const NUMBER: &str = "n";

/// A variable of a class.
#[derive(Debug)]
pub struct ClassVariable {
    /// The rule, with names relative to the module and the layer; it has one name of variables.
    pub rule: TensorRule,
    /// The layouts that hold instead when the layer reads flattened features; the one of the flattened
    /// map's rank applies.
    pub flatten: Vec<Layout>,
    /// The same for a layer whose output becomes a map.
    pub unflatten: Vec<Layout>,
    /// `expands`: where the layer's rule says `groups`, the tensor is the weight of so many, and the variable the dense
    /// one.
    pub expands: bool,
}

impl Class {
    /// Whether it speaks of layers inside.
    #[must_use]
    pub fn speaks_of_inside(&self) -> bool {
        !self.inside.is_empty() || self.variables.iter().any(ClassVariable::is_inside)
    }
}

impl ClassVariable {
    /// The variable's name below the layer, as it is written: `kernel`, `{p:query|key|value}/kernel`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.rule.keras.first().map_or("", Pattern::as_str)
    }

    /// Whether it speaks of the variable of that path below the layer.
    #[must_use]
    pub fn matches(&self, path: &str) -> Option<Captures> {
        self.rule.keras.first()?.matches(path)
    }

    /// Whether it is of a layer inside.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.name().contains('/')
    }
}
