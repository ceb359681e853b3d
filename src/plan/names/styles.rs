//! Tensors that a state_dict holds others in place of: what the names of PyTorch's reparametrizations, of PEFT and
//! of quantizers tell.
//!
//! | names | the tensor |
//! |---|---|
//! | `x_g`, `x_v` | `x`, by `torch.nn.utils.weight_norm` |
//! | `parametrizations.x.original0`, `.original1` | `x`, by `torch.nn.utils.parametrizations.weight_norm` |
//! | `x_orig`, `x_u`, `x_v` | `x`, by `torch.nn.utils.spectral_norm` |
//! | `parametrizations.x.original`, `.0._u`, `.0._v` | `x`, by `torch.nn.utils.parametrizations.spectral_norm` |
//! | `x_orig`, `x_mask` | `x`, by `torch.nn.utils.prune` |
//! | `base_layer.x`, and of a weight `lora_A.a.weight`, `lora_B.a.weight` | `x`, by PEFT |
//! | `base_layer.weight`, `lora_embedding_A.a`, `lora_embedding_B.a` | the same of an embedding |
//! | `base_layer.weight` and `lora_magnitude_vector.a.weight` | `weight`, by DoRA, which is refused |
//! | `x_blocks`, `x_scales` of bytes | `x`, as gpt-oss stores it |
//! | `weight` of int8, `SCB` | `weight`, by bitsandbytes' `Linear8bitLt` |
//! | `x` of bytes, `x.absmax`, `x.quant_map`, `x.quant_state.bitsandbytes__nf4` or `__fp4` | `x`, by its `Linear4bit` |

use std::collections::{BTreeMap, BTreeSet};

use super::keys::Keys;
use crate::checkpoint::Tensor;
use crate::lazy::{FormulaError, Mxfp4, SpectralNorm, WeightNorm};
use crate::schema::Formula;
use crate::tensor::Dtype;

/// The name of `DoRA`'s magnitudes beside a base layer (peft/tuners/lora/dora.py).
pub(in crate::plan) const MAGNITUDES: &str = "lora_magnitude_vector";

/// How a tensor is made of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Making {
    /// By a formula of the language.
    Formula(Formula),
    /// The tensor of that name in the base layer of an adapter that does not change it.
    Base,
    /// `LoRA` of an embedding: the factors are those of the transposed weight.
    LoraEmbedding,
    /// `DoRA`: `LoRA` with magnitudes beside its factors, which is not computed.
    Dora,
    /// int8 with `SCB`.
    Int8,
    /// Numbers of four bits with a table of values.
    FourBit,
}

/// A tensor that is made of others.
#[derive(Debug, Clone)]
pub(in crate::plan) struct Style {
    pub(in crate::plan) making: Making,
    /// What each tensor is in the formula, with its place in the checkpoint.
    pub(in crate::plan) inputs: Vec<(&'static str, usize)>,
    /// Axes that it has.
    pub(in crate::plan) rank: usize,
}

impl Style {
    /// Whether it takes the name of a tensor that the checkpoint has, and that means nothing by itself.
    pub(in crate::plan) const fn overrides(&self) -> bool {
        matches!(self.making, Making::Int8 | Making::FourBit)
    }
}

/// All that the names tell.
#[derive(Debug, Default)]
pub(in crate::plan) struct Styles {
    /// By the name that the tensor has for rules; more than one is ambiguous.
    pub(in crate::plan) by_key: BTreeMap<String, Vec<Style>>,
    /// Every tensor that another is made of.
    pub(in crate::plan) inputs: BTreeSet<usize>,
}

impl Styles {
    /// Looks at the names under the schema's prefix.
    pub(super) fn find(keys: &Keys<'_>, tensors: &[Tensor]) -> Self {
        let finder = Finder { keys, tensors };
        let mut styles = Self::default();
        for &name in keys.names() {
            for (key, style) in finder.at(name) {
                styles.inputs.extend(style.inputs.iter().map(|(_, at)| *at));
                styles.by_key.entry(key).or_default().push(style);
            }
        }
        styles
    }
}

struct Finder<'a> {
    keys: &'a Keys<'a>,
    tensors: &'a [Tensor],
}

impl Finder<'_> {
    /// The one tensor of a name.
    fn one(&self, key: &str) -> Option<usize> {
        self.keys.one(key)
    }

    /// What follows `start` in the names that begin with it.
    fn below(&self, start: &str) -> impl Iterator<Item = &str> {
        self.keys.below(start).filter_map(move |(name, _)| name.strip_prefix(start))
    }

    fn tensor(&self, at: usize) -> &crate::lazy::LazyTensor {
        &self.tensors[at].tensor
    }

    fn rank(&self, at: usize) -> usize {
        self.tensor(at).view.shape().rank()
    }

    /// What is made of the tensor of this name and others; of several that belong together only the first tells.
    fn at(&self, name: &str) -> Vec<(String, Style)> {
        let (module, last) = name.rsplit_once('.').unwrap_or(("", name));
        let mut found = Vec::new();
        found.extend(self.parametrized(module, last));
        found.extend(self.suffixed(name));
        if let Some(base) =
            module.strip_suffix("base_layer").filter(|base| base.is_empty() || base.ends_with('.'))
        {
            found.extend(self.adapted(name, base, last));
        }
        found.extend(self.quantized(name, module, last));
        found
    }

    fn style(&self, making: Making, like: usize, inputs: &[(&'static str, usize)]) -> Style {
        Style { making, inputs: inputs.to_vec(), rank: self.rank(like) }
    }

    /// `p.parametrizations.x.original…`, if nothing else is below.
    fn parametrized(&self, module: &str, last: &str) -> Option<(String, Style)> {
        if last != "original" && last != "original0" {
            return None;
        }
        let (parent, name) = module.rsplit_once('.')?;
        let parent = parent.strip_suffix("parametrizations")?;
        if !(parent.is_empty() || parent.ends_with('.')) {
            return None;
        }
        let below = format!("{module}.");
        let count = self.below(&below).take(4).count();
        let at = |rest: &str| self.one(&format!("{module}.{rest}"));
        let style = if last == "original0" && count == 2 {
            let (g, v) = (at("original0")?, at("original1")?);
            self.style(Making::Formula(Formula::WeightNorm), v, &[("g", g), ("v", v)])
        } else if last == "original" && count == 3 {
            let (weight, u, v) = (at("original")?, at("0._u")?, at("0._v")?);
            let inputs = [("weight", weight), ("u", u), ("v", v)];
            self.style(Making::Formula(Formula::SpectralNorm), weight, &inputs)
        } else {
            return None;
        };
        Some((format!("{parent}{name}"), style))
    }

    /// `x_g`, `x_orig` and `x_blocks`. Any tensor may end like that, so the shapes have to fit too.
    fn suffixed(&self, name: &str) -> Option<(String, Style)> {
        let with = |key: &str, suffix: &str| self.one(&format!("{key}_{suffix}"));
        let tensor = |at: usize| self.tensor(at).clone();
        if let Some(key) = name.strip_suffix("_g") {
            let (g, v) = (with(key, "g")?, with(key, "v")?);
            WeightNorm::new(tensor(g), tensor(v)).ok()?;
            let style = self.style(Making::Formula(Formula::WeightNorm), v, &[("g", g), ("v", v)]);
            return Some((key.to_owned(), style));
        }
        if let Some(key) = name.strip_suffix("_orig") {
            let weight = with(key, "orig")?;
            let (u, v, mask) = (with(key, "u"), with(key, "v"), with(key, "mask"));
            let style = match (u, v, mask) {
                (Some(u), Some(v), None) => {
                    let fits = SpectralNorm::new(tensor(weight), tensor(u), tensor(v), None);
                    if !matches!(fits, Ok(_) | Err(FormulaError::Dim { .. })) {
                        return None;
                    }
                    let inputs = [("weight", weight), ("u", u), ("v", v)];
                    self.style(Making::Formula(Formula::SpectralNorm), weight, &inputs)
                }
                (None, None, Some(mask)) => {
                    let inputs = [("weight", weight), ("mask", mask)];
                    self.style(Making::Formula(Formula::Pruned), weight, &inputs)
                }
                _ => return None,
            };
            return Some((key.to_owned(), style));
        }
        let key = name.strip_suffix("_blocks")?;
        let (blocks, scales) = (with(key, "blocks")?, with(key, "scales")?);
        Mxfp4::new(tensor(blocks), tensor(scales)).ok()?;
        let inputs = [("blocks", blocks), ("scales", scales)];
        let mut style = self.style(Making::Formula(Formula::Mxfp4), blocks, &inputs);
        style.rank -= 1;
        Some((key.to_owned(), style))
    }

    /// A tensor of a base layer, with each of its adapters.
    fn adapted(&self, name: &str, base: &str, last: &str) -> Vec<(String, Style)> {
        let Some(weight) = self.one(name) else { return Vec::new() };
        let key = format!("{base}{last}");
        let plain = || vec![(key.clone(), self.style(Making::Base, weight, &[("", weight)]))];
        if last != "weight" {
            return plain();
        }
        if self.below(&format!("{base}{MAGNITUDES}")).next().is_some() {
            let start = format!("{base}lora_");
            let parts = self.below(&start).filter_map(|rest| self.one(&format!("{start}{rest}")));
            let inputs: Vec<_> = std::iter::once(weight).chain(parts).map(|at| ("", at)).collect();
            return vec![(key, self.style(Making::Dora, weight, &inputs))];
        }
        let mut found = Vec::new();
        for (first, second, end, making) in [
            ("lora_A.", "lora_B.", ".weight", Making::Formula(Formula::Lora)),
            ("lora_embedding_A.", "lora_embedding_B.", "", Making::LoraEmbedding),
        ] {
            let start = format!("{base}{first}");
            for adapter in self.below(&start).filter_map(|name| name.strip_suffix(end)) {
                let a = self.one(&format!("{start}{adapter}{end}"));
                let b = self.one(&format!("{base}{second}{adapter}{end}"));
                if let (Some(a), Some(b)) = (a, b) {
                    let inputs = [("weight", weight), ("a", a), ("b", b)];
                    found.push((key.clone(), self.style(making, weight, &inputs)));
                }
            }
        }
        if found.is_empty() { plain() } else { found }
    }

    /// What bitsandbytes stores beside a weight.
    fn quantized(&self, name: &str, module: &str, last: &str) -> Option<(String, Style)> {
        let weight = self.one(name)?;
        let beside = |rest: &str| self.one(&format!("{name}.{rest}"));
        if last == "weight" && self.tensor(weight).dtype == Dtype::I8 {
            let sibling = |name: &str| {
                self.one(&if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") })
            };
            let mut inputs = vec![("weight", weight), ("scale", sibling("SCB")?)];
            // Which way the weight is tiled; only rows in order are ever saved.
            inputs.extend(sibling("weight_format").map(|at| ("", at)));
            return Some((name.to_owned(), self.style(Making::Int8, weight, &inputs)));
        }
        if self.tensor(weight).dtype != Dtype::U8 {
            return None;
        }
        let state =
            beside("quant_state.bitsandbytes__nf4").or_else(|| beside("quant_state.bitsandbytes__fp4"))?;
        let mut inputs = vec![
            ("weight", weight),
            ("state", state),
            ("absmax", beside("absmax")?),
            ("quant_map", beside("quant_map")?),
        ];
        inputs.extend(beside("nested_absmax").map(|at| ("nested_absmax", at)));
        inputs.extend(beside("nested_quant_map").map(|at| ("nested_quant_map", at)));
        // The packed weight is a column; what it stands for is a matrix.
        Some((name.to_owned(), Style { making: Making::FourBit, inputs, rank: 2 }))
    }
}
