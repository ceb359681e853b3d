//! Tensors that are computed from those of the checkpoint, by a rule's `compute` or because the names tell so.

use std::sync::Arc;

use super::adapter::{self, Adapted, AdapterError, Said};
use super::quant_state::{QuantState, QuantStateError};
use crate::checkpoint::{Checkpoint, Tensor};
use crate::lazy::{
    AbsoluteMaxima, Blockwise, Formula as Computed, FormulaError, LazyTensor, LowRank, Masked, Mxfp4,
    NestedMaxima, Scaled, SpectralNorm, WeightNorm,
};
use crate::plan::claims::expansion::Expansion;
use crate::plan::faults::fault::FaultDetail;
use crate::plan::names::module::Module;
use crate::plan::names::source::Matches;
use crate::plan::names::styles::{MAGNITUDES, Making, Style};
use crate::plan::outcome::Derivation;
use crate::schema::{Captures, Compute, Formula, LowRank as Adapters, Rule, Tables, TensorRule};
use crate::tensor::StateDictKey;

/// What bitsandbytes multiplies by instead of dividing by 127.
const ONE_127TH: f32 = 1.0 / 127.0;

/// A tensor that the checkpoint does not hold as it is. Where tensors are numbered, it comes after all that the
/// checkpoint has.
#[derive(Debug)]
pub(in crate::plan) struct Derived {
    pub(in crate::plan) tensor: Tensor,
    pub(in crate::plan) derivation: Arc<Derivation>,
    /// What it is made of, in the checkpoint.
    pub(in crate::plan) inputs: Vec<usize>,
}

/// Why the tensors of a rule cannot be had.
pub(in crate::plan) struct Refused {
    pub(in crate::plan) detail: FaultDetail,
    pub(in crate::plan) hint: Option<String>,
    /// Tensors that need no other fault.
    pub(in crate::plan) inputs: Vec<usize>,
}

/// The tensors that a rule names, each with its captures.
pub(in crate::plan) type Found = Result<Matches, Box<Refused>>;

/// The axis that a formula's vectors belong to.
#[derive(Clone, Copy)]
pub(in crate::plan) enum Dim {
    /// What the rule says of it, if anything.
    Said(Option<usize>),
    /// What torch takes for modules of the layer's class when it is told none.
    Usual(usize),
}

/// What a formula needs beside its tensors.
#[derive(Clone, Copy)]
struct Beside {
    dim: Dim,
    /// What the rule says of adapters.
    rule: Adapters,
    /// What `source.lora` says.
    source: Adapters,
}

impl Dim {
    const fn axis(self) -> Option<usize> {
        match self {
            Self::Said(axis) => axis,
            Self::Usual(axis) => Some(axis),
        }
    }
}

impl Expansion<'_> {
    /// The tensors that a rule names relative to a module, computed where the checkpoint holds others in their place.
    /// `groups` is what a layer's rule says of a weight that its class makes a dense one of.
    pub(in crate::plan) fn tensors_of(
        &mut self,
        module: &Module,
        rule: &TensorRule,
        of: &Rule,
        dim: Dim,
        groups: Option<usize>,
    ) -> Found {
        let source = of.scope.low_rank;
        let found = match &rule.compute {
            Some(compute) => {
                self.computed(module, rule, compute, Beside { dim, rule: compute.low_rank, source })?
            }
            None => self.named(module, rule, Beside { dim, rule: Adapters::default(), source })?,
        };
        match rule.groups.or(groups) {
            Some(groups) => self.dense(found, groups),
            None => Ok(found),
        }
    }

    /// The tensors of the checkpoint that tensors are made of; themselves, where they are such.
    pub(in crate::plan) fn inputs_of(&self, tensors: &[(Captures, usize)]) -> Vec<usize> {
        let count = self.checkpoint.tensors.len();
        tensors.iter().flat_map(|(_, at)| inputs_of(&self.derived, count, at)).copied().collect()
    }

    fn named(&mut self, module: &Module, rule: &TensorRule, beside: Beside) -> Found {
        let mut found = self.source.matching(module, &rule.torch);
        for (captures, key) in self.source.matching_styles(module, &rule.torch) {
            let Some(styles) = self.source.styles.by_key.get(&key) else { continue };
            let real: Vec<usize> =
                found.iter().map(|(_, at)| *at).filter(|&at| self.source.keys[at] == key).collect();
            let inputs = || styles.iter().flat_map(|style| style.inputs.iter().map(|(_, at)| *at));
            let style = match styles.as_slice() {
                [style] if real.is_empty() || style.overrides() => style.clone(),
                styles => {
                    let forms = real.iter().map(|&at| self.checkpoint.tensors[at].key.to_string());
                    let made = styles.iter().map(|style| self.form(style));
                    let detail = FaultDetail::SeveralForms { key, forms: forms.chain(made).collect() };
                    let hint = "write a [[tensor]] rule that says how it is computed, with `compute`, and list the \
                                others in `source.ignore`";
                    let inputs = inputs().chain(real).collect();
                    return Err(Box::new(Refused { detail, hint: Some(hint.to_owned()), inputs }));
                }
            };
            found.retain(|(_, at)| !real.contains(at));
            found.push((captures, self.derive(&key, &style, beside)?));
        }
        // Where tensors are computed, they come in the order of the names.
        Ok(found)
    }

    fn computed(&mut self, module: &Module, rule: &TensorRule, compute: &Compute, beside: Beside) -> Found {
        let mut found = Matches::new();
        for (captures, at) in self.source.matching(module, &rule.torch) {
            let mut inputs = Vec::new();
            for (role, pattern) in &compute.inputs {
                // The captures are those of the first name, so no pattern is left.
                let name = pattern.substitute(&captures, &Tables::new());
                let name = name.map_or_else(|_| pattern.as_str().to_owned(), |name| name.as_str().to_owned());
                let key = module.key(&name);
                match self.source.one(&key) {
                    Some(input) => inputs.push((*role, input)),
                    None => {
                        let detail = FaultDetail::MissingInput { role, key: key.clone() };
                        let hint = self.nearest(&key, self.source.keys.iter().copied());
                        return Err(Box::new(Refused { detail, hint, inputs: vec![at] }));
                    }
                }
            }
            let rank = self.checkpoint.tensors[at].tensor.view.shape().rank();
            let style = Style { making: Making::Formula(compute.formula), inputs, rank };
            let key = self.source.keys[at].to_owned();
            found.push((captures, self.derive(&key, &style, beside)?));
        }
        Ok(found)
    }

    /// A form that a tensor is there in: `weight_norm(conv.weight_g, conv.weight_v)`.
    fn form(&self, style: &Style) -> String {
        let keys: Vec<String> =
            style.inputs.iter().map(|(_, at)| self.checkpoint.tensors[*at].key.to_string()).collect();
        match style.making {
            Making::Base => keys.join(", "),
            making => format!("{}({})", name(making), keys.join(", ")),
        }
    }

    /// Adds a tensor, and says which it is.
    fn derive(&mut self, key: &str, style: &Style, beside: Beside) -> Result<usize, Box<Refused>> {
        let inputs: Vec<usize> = style.inputs.iter().map(|(_, at)| *at).collect();
        let refused = |detail, hint: Option<&str>| {
            Box::new(Refused { detail, hint: hint.map(str::to_owned), inputs: inputs.clone() })
        };
        let first = &self.checkpoint.tensors[inputs[0]];
        // The prefix that the schema strips from the keys stays a part of the name.
        let prefix = first.key.as_str().strip_suffix(self.source.keys[inputs[0]]).unwrap_or("");
        let key = StateDictKey::new(format!("{prefix}{key}"));
        let Built { tensor, formula, remark } = match self.build(style, beside) {
            Ok(built) => built,
            Err(Failure::Alpha) => {
                let hint = "put PEFT's adapter_config.json beside the checkpoint, or say its `lora_alpha` in the \
                            schema: `lora = { alpha = 16 }` in [source]";
                return Err(refused(FaultDetail::UntoldAlpha { key }, Some(hint)));
            }
            Err(Failure::Adapter(source)) => {
                let hint = source.hint();
                return Err(refused(FaultDetail::Adapter { key, source }, Some(hint)));
            }
            Err(Failure::Dora(at)) => {
                let magnitudes = self.checkpoint.tensors[at].key.clone();
                let mut refused = refused(FaultDetail::Dora { key, magnitudes }, Some(adapter::MERGE_FIRST));
                refused.inputs.push(at);
                return Err(refused);
            }
            Err(Failure::Formula(source)) => {
                let hint = match &source {
                    FormulaError::Dim { .. } => Some(
                        "say it in the rule: `dim = 1` for a transposed convolution, `dim = 0` for any other module, \
                         as torch has it"
                            .to_owned(),
                    ),
                    FormulaError::AnotherDim { made, .. } => Some(format!(
                        "the module was normalized with `dim={made}`: write a [[tensor]] rule for the weight, with \
                         `dim = {made}` and its layout"
                    )),
                    _ => None,
                };
                let detail = FaultDetail::Uncomputable { key, formula: name(style.making), source };
                return Err(refused(detail, hint.as_deref()));
            }
            Err(Failure::State(source)) => {
                return Err(refused(FaultDetail::QuantState { key, source: Arc::new(source) }, None));
            }
        };
        let sources = inputs.iter().map(|&at| {
            let tensor = &self.checkpoint.tensors[at];
            (tensor.key.clone(), tensor.tensor.clone())
        });
        let derivation = Arc::new(Derivation { formula, sources: sources.collect(), dense: None });
        self.remarks.adapted.extend(remark.map(|remark| (remark, key.clone())));
        let tensor = Tensor { key, tensor, storage_number: None, tied_to: None, role: first.role };
        self.derived.push(Derived { tensor, derivation, inputs });
        Ok(self.checkpoint.tensors.len() + self.derived.len() - 1)
    }

    fn build(&self, style: &Style, beside: Beside) -> Result<Built, Failure> {
        let find = |role: &str| {
            let at = style.inputs.iter().find(|(other, _)| *other == role).map(|(_, at)| *at)?;
            Some(self.checkpoint.tensors[at].tensor.clone())
        };
        // A style has the tensors of its formula.
        let input = |role: &'static str| {
            find(role).ok_or(Failure::Formula(FormulaError::Length { role, found: 0, expected: 1 }))
        };
        let roles: Vec<&str> =
            style.inputs.iter().map(|(role, _)| *role).filter(|role| !role.is_empty()).collect();
        let mut formula = format!("{}({})", name(style.making), roles.join(", "));
        let mut note = |text: String| {
            formula.pop();
            formula.push_str(&format!("; {text})"));
        };
        let mut remark = None;
        let computed = match style.making {
            Making::Base => {
                return Ok(Built { tensor: input("")?, formula: "base_layer".to_owned(), remark: None });
            }
            Making::Dora => return Err(self.dora(style).map_or(Failure::Alpha, Failure::Dora)),
            Making::Formula(Formula::WeightNorm) => {
                Computed::WeightNorm(WeightNorm::new(input("g")?, input("v")?)?)
            }
            Making::Formula(Formula::SpectralNorm) => {
                let norm = SpectralNorm::new(input("weight")?, input("u")?, input("v")?, beside.dim.axis())?;
                if matches!(beside.dim, Dim::Usual(_)) {
                    // Tensors that cannot be read are told of where they are needed.
                    if let Ok(Some(made)) = norm.made_along_another() {
                        return Err(FormulaError::AnotherDim { made, usual: norm.dim() }.into());
                    }
                }
                note(format!("dim {}", norm.dim()));
                Computed::SpectralNorm(norm)
            }
            Making::Formula(Formula::Pruned) => {
                Computed::Masked(Masked::new(input("weight")?, input("mask")?)?)
            }
            Making::Formula(Formula::Mxfp4) => {
                Computed::Mxfp4(Mxfp4::new(input("blocks")?, input("scales")?)?)
            }
            Making::Formula(Formula::Lora) | Making::LoraEmbedding => {
                if let Some(magnitudes) = self.dora(style) {
                    return Err(Failure::Dora(magnitudes));
                }
                let (weight, a, b) = (input("weight")?, input("a")?, input("b")?);
                let adapted = Adapted {
                    key: self.input_key(style, "weight"),
                    axes: weight.view.shape().rank(),
                    is_embedding: style.making == Making::LoraEmbedding,
                    rank: a.view.shape().sizes().first().copied().unwrap_or(0),
                };
                let said = Said {
                    rule: beside.rule,
                    source: beside.source,
                    config: self.checkpoint.adapter.as_ref(),
                };
                let (scale, is_read) = adapter::scale(said, adapted)?.ok_or(Failure::Alpha)?;
                let low_rank = LowRank::new(weight, a, b, scale)?;
                let root = if scale.by_root { "√" } else { "" };
                note(format!("{} / {root}{}", scale.alpha, low_rank.rank()));
                remark = is_read.then(|| adapter::remark(scale, low_rank.rank()));
                Computed::LowRank(low_rank)
            }
            Making::Formula(Formula::Dequantize) => {
                let dim = beside.dim.axis().unwrap_or(0);
                let (weight, scale) = (input("weight")?, input("scale")?);
                Computed::Scaled(Scaled::new(weight, scale, find("zero_point"), dim, None)?)
            }
            Making::Int8 => {
                Computed::Scaled(Scaled::new(input("weight")?, input("scale")?, None, 0, Some(ONE_127TH))?)
            }
            Making::FourBit => {
                let state = QuantState::read(&input("state")?).map_err(Failure::State)?;
                let absmax = input("absmax")?;
                let maxima = match state.nested {
                    None => AbsoluteMaxima::Plain(absmax),
                    Some((block, offset)) => AbsoluteMaxima::Nested(Box::new(NestedMaxima {
                        codes: absmax,
                        table: input("nested_quant_map")?,
                        maxima: input("nested_absmax")?,
                        block,
                        offset,
                    })),
                };
                let (weight, table) = (input("weight")?, input("quant_map")?);
                note(format!("{}, blocks of {}", state.kind, state.block));
                Computed::Blockwise(Box::new(Blockwise::new(
                    weight,
                    table,
                    maxima,
                    state.block,
                    state.shape,
                    state.dtype,
                )?))
            }
        };
        Ok(Built { tensor: computed.tensor(), formula, remark })
    }

    /// The key of a tensor of a formula.
    fn input_key(&self, style: &Style, role: &str) -> &str {
        let at = style.inputs.iter().find(|(other, _)| *other == role).map(|(_, at)| *at);
        at.map_or("", |at| self.checkpoint.tensors[at].key.as_str())
    }

    /// `DoRA`'s magnitudes beside the tensors of a style, if there are any.
    fn dora(&self, style: &Style) -> Option<usize> {
        style.inputs.iter().find_map(|(_, at)| {
            let (module, _) = self.source.keys[*at].rsplit_once('.').unwrap_or(("", ""));
            let base = module.strip_suffix("base_layer")?;
            let start = format!("{base}{MAGNITUDES}");
            self.source.keys.iter().position(|key| key.starts_with(&start))
        })
    }
}

/// A tensor, how it is computed, and what there is to say about that.
struct Built {
    tensor: LazyTensor,
    formula: String,
    remark: Option<String>,
}

/// Why a tensor cannot be computed.
enum Failure {
    Formula(FormulaError),
    Alpha,
    Adapter(AdapterError),
    /// With the place of its magnitudes.
    Dora(usize),
    State(QuantStateError),
}

impl From<AdapterError> for Failure {
    fn from(error: AdapterError) -> Self {
        Self::Adapter(error)
    }
}

impl From<FormulaError> for Failure {
    fn from(error: FormulaError) -> Self {
        Self::Formula(error)
    }
}

/// The tensor of that number: of the checkpoint, or computed.
pub(in crate::plan) fn tensor<'t>(
    checkpoint: &'t Checkpoint,
    derived: &'t [Derived],
    at: usize,
) -> &'t Tensor {
    let computed = at.checked_sub(checkpoint.tensors.len()).and_then(|at| derived.get(at));
    computed.map_or_else(|| &checkpoint.tensors[at], |derived| &derived.tensor)
}

/// The tensors of the checkpoint, `count` in number, that a tensor is made of: the number itself, which is why it is
/// borrowed, where it is one of them.
pub(in crate::plan) fn inputs_of<'t>(derived: &'t [Derived], count: usize, at: &'t usize) -> &'t [usize] {
    let derived = at.checked_sub(count).and_then(|at| derived.get(at));
    derived.map_or(std::slice::from_ref(at), |derived| &derived.inputs)
}

const fn name(making: Making) -> &'static str {
    match making {
        Making::Formula(Formula::WeightNorm) => "weight_norm",
        Making::Formula(Formula::SpectralNorm) => "spectral_norm",
        Making::Formula(Formula::Pruned) => "pruned",
        Making::Formula(Formula::Lora) | Making::LoraEmbedding => "lora",
        Making::Formula(Formula::Mxfp4) => "mxfp4",
        Making::Formula(Formula::Dequantize) | Making::Int8 | Making::FourBit => "dequantize",
        Making::Dora => "dora",
        Making::Base => "base_layer",
    }
}
