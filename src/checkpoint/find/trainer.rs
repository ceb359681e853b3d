//! Whose conventions a file follows, by the marks that its root has (formats/pytorch.md section 6).

use super::aside::is_empty;
use super::graph::{Module, attribute, steps};
use super::optimizer::is_optimizer;
use crate::checkpoint::not_weights::NotWeights;
use crate::checkpoint::pickle::{Holders, Pickle, Value, ValueId};
use crate::checkpoint::state_dict::Warning;
use crate::tensor::Printable;

/// A trainer's conventions.
pub(super) struct Trainer {
    /// Its name, and its version where the file has it.
    pub(super) name: String,
    /// The key of the root under which its own loader looks for the weights.
    pub(super) weights: Option<&'static str>,
    /// The key of the root under which the moving average lies, where the key does not say so itself.
    pub(super) average: Option<&'static str>,
    pub(super) warnings: Vec<Warning>,
}

/// How the parts of a model are merged.
const MEGATRON: &str = "Megatron-LM's tools/checkpoint";

/// How they are merged in DeepSpeed.
const DEEPSPEED: &str = "the tools of what trained it (Megatron-DeepSpeed: tools/convert_checkpoint)";

/// Characters of a version that are shown.
const MAX_VERSION: usize = 32;

/// Recognises the trainer that wrote a file.
pub(super) fn recognise(pickle: &Pickle<'_>, holders: &Holders) -> Option<Trainer> {
    let root = Root { pickle, id: pickle.root() };
    let has = |name| root.has(name);
    let mut average = None;
    let mut warnings = Vec::new();
    let (name, version, weights) = if has("pytorch-lightning_version") {
        // Lightning's WeightAveraging puts the average where the weights were.
        if has("current_model_state") {
            average = Some("state_dict");
            warnings.push(Warning::Averaged { path: "state_dict", current: "current_model_state" });
        }
        ("Lightning", root.text("pytorch-lightning_version"), Some("state_dict"))
    } else if has("module") && (has("ds_version") || has("ds_config") || has("param_shapes")) {
        if let Some(Value::Int(ranks)) = root.get("mp_world_size").map(|size| pickle.get(size))
            && *ranks > 1
        {
            warnings.push(Warning::OneRank { ranks: *ranks, is_tensor: true, tool: DEEPSPEED });
        }
        ("DeepSpeed", root.text("ds_version"), Some("module"))
    } else if root.is_ultralytics() {
        // `ckpt.get("ema") or ckpt["model"]`, as its loader has it.
        let holds = |name| root.get(name).is_some_and(|value| holders.holds(value));
        if holds("ema") {
            warnings.push(match holds("model") {
                true => Warning::Averaged { path: "ema", current: "model" },
                false => Warning::MovingAverage { path: vec!["ema".to_owned()] },
            });
        }
        ("ultralytics", root.text("version"), Some(if holds("ema") { "ema" } else { "model" }))
    } else if has("model")
        && (has("args") || has("cfg"))
        && (has("optimizer_history") || has("last_optimizer_state") || has("extra_state"))
    {
        ("fairseq", None, Some("model"))
    } else if has("model") && root.parallel("tensor_model_parallel_size").is_some() {
        for (size, is_tensor) in [
            (root.parallel("tensor_model_parallel_size"), true),
            (root.parallel("pipeline_model_parallel_size"), false),
        ] {
            if let Some(size) = size.filter(|&size| size > 1) {
                warnings.push(Warning::OneRank { ranks: size, is_tensor, tool: MEGATRON });
            }
        }
        ("Megatron-LM", None, Some("model"))
    } else if has("arch") && has("state_dict") && has("version") {
        ("timm", None, Some("state_dict"))
    } else if let Some(meta) = root.get("meta").filter(|_| has("state_dict"))
        && (attribute(pickle, meta, "mmengine_version").is_some()
            || attribute(pickle, meta, "mmcv_version").is_some())
    {
        ("OpenMMLab", None, Some("state_dict"))
    } else if has("dims") && has("model_state_dict") {
        ("Whisper", None, Some("model_state_dict"))
    } else if root.is_basicsr() {
        ("BasicSR", None, has("params").then_some("params"))
    } else {
        return None;
    };
    let shown = version.map(|version| version.chars().take(MAX_VERSION).collect::<String>());
    let name = shown.map_or(name.to_owned(), |version| format!("{name} {}", Printable(&version)));
    Some(Trainer { name, weights, average, warnings })
}

/// What a file is that belongs to a training run and holds no weights.
pub(super) fn not_weights(pickle: &Pickle<'_>, holders: &Holders) -> Option<NotWeights> {
    let root = Root { pickle, id: pickle.root() };
    let has = |name| root.has(name);
    let holds = holders.holds(root.id);
    if is_optimizer(pickle, root.id) {
        return Some(NotWeights::Optimizer);
    }
    if has("optimizer_state_dict") && !has("module") && (has("ds_version") || has("ds_config")) {
        return Some(NotWeights::DeepSpeedOptimizer);
    }
    if (has("python") && has("numpy") && has("cpu")) || (has("random_state") && has("numpy_random_seed")) {
        return Some(NotWeights::RandomState);
    }
    if !holds && has("last_epoch") && (has("_step_count") || has("base_lrs")) {
        return Some(NotWeights::Scheduler);
    }
    if !holds && has("growth_factor") && has("backoff_factor") {
        return Some(NotWeights::GradScaler);
    }
    if let Value::Object(object) = pickle.get(root.id)
        && let Some((_, class)) = pickle.global(object.callable)
        && !holds
        && (class.ends_with("TrainingArguments") || class.ends_with("Config"))
    {
        return Some(NotWeights::TrainingArguments);
    }
    is_zero3(&root).then_some(NotWeights::Zero3)
}

/// Whether DeepSpeed's stage 3 left only placeholders: tensors without elements where `param_shapes` lists
/// some.
fn is_zero3(root: &Root<'_, '_>) -> bool {
    let pickle = root.pickle;
    let (Some(module), Some(groups)) = (root.get("module"), root.get("param_shapes")) else { return false };
    let Some(module) = pickle.dict(module) else { return false };
    let groups = match pickle.sequence(groups) {
        Some(groups) => groups.to_vec(),
        None => vec![groups],
    };
    let (mut listed, mut there) = (0, 0);
    for group in groups {
        let Some(group) = pickle.dict(group) else { continue };
        for (name, shape) in group.items() {
            let Some(name) = pickle.text(name) else { continue };
            if has_zero(pickle, shape) {
                continue;
            }
            listed += 1;
            let tensor = pickle.item(module, name);
            there += usize::from(tensor.is_some_and(|tensor| !is_empty(pickle, tensor)));
        }
    }
    listed > 0 && there == 0
}

/// Whether a size is zero.
fn has_zero(pickle: &Pickle<'_>, sizes: ValueId) -> bool {
    let sizes = pickle.sequence(sizes).unwrap_or(&[]);
    sizes.iter().any(|&size| matches!(pickle.get(size), Value::Int(0)))
}

struct Root<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: ValueId,
}

impl<'a> Root<'_, 'a> {
    fn get(&self, name: &str) -> Option<ValueId> {
        self.pickle.dict(self.id).and_then(|dict| self.pickle.item(dict, name))
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.pickle.text(self.get(name)?)
    }

    /// A number among the arguments of Megatron-LM.
    fn parallel(&self, name: &str) -> Option<i64> {
        match self.pickle.get(attribute(self.pickle, self.get("args")?, name)?) {
            Value::Int(size) => Some(*size),
            _ => None,
        }
    }

    /// Whether it has the keys that ultralytics writes, and modules: other scripts have a model and an average too.
    fn is_ultralytics(&self) -> bool {
        let is_module = |name| self.get(name).is_some_and(|value| Module::of(self.pickle, value).is_some());
        self.has("model")
            && self.has("ema")
            && (self.has("train_args")
                || self.has("train_results")
                || (self.has("date") && self.has("version")))
            && (is_module("model") || is_module("ema"))
    }

    /// Whether `params` and `params_ema` are all there is.
    fn is_basicsr(&self) -> bool {
        let mut all = true;
        let mut any = false;
        steps(self.pickle, self.id, &mut |step, _| {
            let name = step.word(self.pickle);
            all &= matches!(name, Some("params" | "params_ema"));
            any = true;
        });
        all && any
    }
}
