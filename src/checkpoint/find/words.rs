//! What keys say about what is under them (formats/pytorch.md section 6).

/// Bytes of a key that can say something.
const MAX_WORD: usize = 256;

/// Keys under which training scripts keep the state_dict of the whole model.
const MODELS: [&str; 8] =
    ["state_dict", "model_state", "model", "module", "net", "network", "weights", "params"];

/// Keys under which they keep one network of several.
const NETWORKS: [&str; 11] =
    ["generator", "discriminator", "netG", "netD", "net_g", "net_d", "student", "teacher", "g", "d", "g_ema"];

/// Keys of parts of one network.
const PARTS: [&str; 3] = ["encoder", "decoder", "backbone"];

/// Words for what optimizers and trainers keep: no weights, whatever it holds.
const TRAINING: [&str; 8] =
    ["optim", "optims", "optimizer", "optimizers", "optimiser", "optimisers", "callbacks", "loops"];

/// Words for what has few tensors or none; a part of a model can be called so too.
const CONTROL: [&str; 8] =
    ["sched", "scheds", "scheduler", "schedulers", "scaler", "scalers", "scheduling", "warmup"];

/// What a scheduler or a gradient scaler keeps.
const CONTROL_MARKS: [&str; 8] = [
    "last_epoch",
    "_step_count",
    "base_lrs",
    "_last_lr",
    "growth_factor",
    "backoff_factor",
    "_growth_factor",
    "cur_scale",
];

/// Words for tensors and numbers that training scripts keep beside the weights.
const RECORDS: [&str; 45] = [
    "epoch",
    "epochs",
    "step",
    "steps",
    "iter",
    "iters",
    "iteration",
    "iterations",
    "loss",
    "losses",
    "acc",
    "acc1",
    "acc5",
    "top1",
    "top5",
    "accuracy",
    "best",
    "metric",
    "metrics",
    "score",
    "scores",
    "rng",
    "random",
    "seed",
    "lr",
    "lrs",
    "time",
    "history",
    "fitness",
    "psnr",
    "ssim",
    "fid",
    "iou",
    "miou",
    "map",
    "f1",
    "auc",
    "perplexity",
    "ppl",
    "wer",
    "bleu",
    "confusion",
    "args",
    "config",
    "updates",
];

/// Keys of tensors that weigh classes and examples in the loss.
pub(super) const LOSS_WEIGHTS: [&str; 5] =
    ["class_weight", "class_weights", "pos_weight", "pos_weights", "sample_weights"];

/// Whether a key says that what is under it belongs to an optimizer or the trainer.
pub(super) fn is_training(key: &str) -> bool {
    is_extra_state(key) || has_word(key, &TRAINING)
}

/// Whether a key says that a scheduler or a gradient scaler may be under it.
pub(super) fn is_control(key: &str) -> bool {
    has_word(key, &CONTROL)
}

/// Whether an attribute tells a scheduler or a gradient scaler.
pub(super) const fn control_marks() -> &'static [&'static str] {
    &CONTROL_MARKS
}

/// Whether a key says that a tensor records how the training went.
pub(super) fn is_record(key: &str) -> bool {
    LOSS_WEIGHTS.contains(&key) || has_word(key, &RECORDS)
}

/// What a module keeps beside its tensors (`get_extra_state`).
pub(super) fn is_extra_state(key: &str) -> bool {
    key == "_extra_state" || key.ends_with("._extra_state")
}

/// Whether a key says that the whole model is under it.
pub(in crate::checkpoint) fn is_model(key: &str) -> bool {
    MODELS.contains(&key) || key.ends_with("state_dict") || is_ema(key)
}

/// Whether a key says that a state_dict is under it.
pub(super) fn is_known(key: &str) -> bool {
    is_model(key) || NETWORKS.contains(&key) || PARTS.contains(&key)
}

/// Whether a key says that a part of a network is under it.
pub(super) fn is_part(key: &str) -> bool {
    PARTS.contains(&key)
}

/// Words of keys that say that a moving average of the weights is there.
const AVERAGES: [&str; 5] = ["ema", "swa", "averaged", "polyak", "shadow"];

/// Whether a key says that a moving average is under it.
pub(super) fn is_ema(key: &str) -> bool {
    has_word(key, &AVERAGES)
}

/// Whether one of the words of a key is in a list: words end at signs, and where a capital follows a small
/// letter (`optimizerG`).
fn has_word(key: &str, words: &[&str]) -> bool {
    if key.len() > MAX_WORD {
        return false;
    }
    let is = |word: &str| {
        let stem = word.trim_end_matches(|last: char| last.is_ascii_digit());
        let is_one = |known: &&str| word.eq_ignore_ascii_case(known) || stem.eq_ignore_ascii_case(known);
        words.iter().any(is_one)
    };
    key.split(|character: char| !character.is_ascii_alphanumeric()).any(|run| {
        let bytes = run.as_bytes();
        let hump = bytes.windows(2).position(|pair| {
            matches!(pair, [small, capital]
            if small.is_ascii_lowercase() && capital.is_ascii_uppercase())
        });
        let (first, rest) = hump.and_then(|at| run.split_at_checked(at + 1)).unwrap_or((run, ""));
        is(run) || is(first) || (!rest.is_empty() && is(rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole() {
        let all = |is: fn(&str) -> bool, keys: &[&str], expected| {
            for key in keys {
                assert_eq!(is(key), expected, "{key}");
            }
        };
        all(is_training, &["optimizer", "optimizerG", "optim_D", "optimizer_state_dict", "Optimizer2"], true);
        all(is_training, &["optimal", "optimus", "loopsy", "upscaler", "proj"], false);
        all(is_control, &["scheduler", "lr_scheduler", "amp_scaler", "lrScheduler", "scaler"], true);
        all(is_control, &["upscaler", "rescheduler", "rescaler"], false);
        all(is_ema, &["ema", "model_ema", "modelEma", "ema_state_dict"], true);
        all(is_ema, &["schema", "lemma", "cinema.weight"], false);
        all(is_record, &["epoch", "best_acc1", "rng_state", "global_step", "class_weights"], true);
        all(is_record, &["cls_token", "pos_embed", "w", "weight"], false);
    }
}
