//! What keys say about what is under them (formats/pytorch.md section 6).

/// Bytes of a key that can say something.
const MAX_WORD: usize = 256;

/// Keys under which training scripts keep a state_dict.
const KNOWN: [&str; 22] = [
    "state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
    "generator",
    "discriminator",
    "netG",
    "netD",
    "net_g",
    "net_d",
    "encoder",
    "decoder",
    "student",
    "teacher",
    "g",
    "d",
    "backbone",
    "g_ema",
];

/// Parts of keys under which training scripts keep what is no weight.
const TRAINING: [&str; 6] = ["optim", "sched", "scaler", "callbacks", "loops", "rng_state"];

/// Whether a key says that what is under it is no weight.
pub(in crate::checkpoint) fn is_aside(key: &str) -> bool {
    if key.len() > MAX_WORD {
        return false;
    }
    let key = key.to_ascii_lowercase();
    is_extra_state(&key) || TRAINING.iter().any(|part| key.contains(part))
}

/// What a module keeps beside its tensors (`get_extra_state`).
pub(super) fn is_extra_state(key: &str) -> bool {
    key == "_extra_state" || key.ends_with("._extra_state")
}

/// Whether a key says that a state_dict is under it.
pub(super) fn is_known(key: &str) -> bool {
    KNOWN.contains(&key) || key.ends_with("state_dict") || is_ema(key)
}

/// Parts of keys that say that a moving average of the weights is there.
const AVERAGES: [&str; 5] = ["ema", "swa", "averaged", "polyak", "shadow"];

/// Whether a key says that a moving average is under it.
pub(super) fn is_ema(key: &str) -> bool {
    key.len() <= MAX_WORD
        && key
            .split(|character: char| !character.is_ascii_alphanumeric())
            .any(|word| AVERAGES.iter().any(|average| word.eq_ignore_ascii_case(average)))
}
