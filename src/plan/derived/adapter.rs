//! How much of a low-rank adapter is added: by the rule, by `source.lora`, or by what PEFT keeps beside the checkpoint.

use crate::checkpoint::AdapterConfig;
use crate::lazy::LowRankScale;
use crate::schema::LowRank;

/// What the base model is called in the model that PEFT makes (peft/peft_model.py).
const BASE_MODEL: &str = "base_model.model.";

/// The file, as messages call it.
const FILE: &str = "adapter_config.json";

/// Why what `adapter_config.json` says cannot be followed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// Another adapter than the sum of the weight and the product of two factors.
    #[error("{FILE} says `{option}`, which is not merged: it is more than the sum of LoRA")]
    Variant {
        /// The option.
        option: &'static str,
    },
    /// The schema and the file contradict one another.
    #[error(
        "the schema's [source] says `{key} = {said}`, and {FILE} beside the checkpoint `{option}` {found}"
    )]
    Contradiction {
        /// The key of `source.lora`.
        key: &'static str,
        /// Its value.
        said: String,
        /// The key of the file.
        option: &'static str,
        /// Its value for this tensor.
        found: String,
    },
    /// The tensors have another rank than the file says.
    #[error(
        "its rank is {found}, where {FILE} beside the checkpoint says {said}: the file is another checkpoint's"
    )]
    Rank {
        /// By the file.
        said: usize,
        /// By the tensors.
        found: usize,
    },
    /// A regular expression that is not read.
    #[error(
        "{FILE} may say another value for it by `{pattern}` in `{option}`, a regular expression that is not read"
    )]
    Pattern {
        /// `alpha_pattern` or `rank_pattern`.
        option: &'static str,
        /// The expression.
        pattern: String,
    },
}

/// What to do about an adapter that is not merged.
pub(super) const MERGE_FIRST: &str = "merge it first, in Python, where PEFT can: `model.merge_and_unload()`, and save \
                                      the `state_dict()` of what that returns";

impl AdapterError {
    /// What to do about it.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::Variant { .. } => MERGE_FIRST,
            Self::Contradiction { .. } => {
                "leave it out of `source.lora` if the file belongs to the checkpoint, and move the file away if not; \
                 a [[tensor]] rule with `compute = \"lora\"` counts before the file"
            }
            Self::Rank { .. } => {
                "put the checkpoint's own file beside it, or move it away and say `lora = { alpha = 16 }` in [source]"
            }
            Self::Pattern { .. } => {
                "say alpha of this weight in a [[tensor]] rule with `compute = \"lora\"`, which counts before the file"
            }
        }
    }
}

/// What is said of an adapter, the nearest first.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    /// By the rule that computes it.
    pub(super) rule: LowRank,
    /// By `source.lora`.
    pub(super) source: LowRank,
    /// By PEFT.
    pub(super) config: Option<&'a AdapterConfig>,
}

/// An adapted weight.
#[derive(Clone, Copy)]
pub(super) struct Adapted<'a> {
    /// The key of the base layer's weight.
    pub(super) key: &'a str,
    /// Its axes.
    pub(super) axes: usize,
    /// Whether it is an embedding's, whose factors are those of the transposed weight.
    pub(super) is_embedding: bool,
    /// The first size of its `a`.
    pub(super) rank: usize,
}

/// How much is added, and whether any of it was read from PEFT's file; `None` where nothing says alpha.
pub(super) fn scale(
    said: Said<'_>,
    adapted: Adapted<'_>,
) -> Result<Option<(LowRankScale, bool)>, AdapterError> {
    // What the rule says of its formula is said of this tensor, and needs no file.
    let config = said.config.filter(|_| said.rule.alpha.is_none());
    let read = config.map(|config| read(config, adapted)).transpose()?;
    let own = LowRank {
        alpha: said.rule.alpha.or(said.source.alpha),
        by_root: said.rule.by_root.or(said.source.by_root),
        transposed: said.rule.transposed.or(said.source.transposed),
    };
    if let Some(read) = read {
        if said.rule.by_root.is_none() {
            agree("rslora", "use_rslora", said.source.by_root, read.by_root)?;
        }
        if said.rule.transposed.is_none() && adapted.axes == 2 && !adapted.is_embedding {
            agree("fan_in_fan_out", "fan_in_fan_out", said.source.transposed, read.transposed)?;
        }
        agree("alpha", "lora_alpha", own.alpha, read.alpha)?;
    }
    let Some(alpha) = own.alpha.or(read.map(|read| read.alpha)) else { return Ok(None) };
    let by_root = own.by_root.or(read.map(|read| read.by_root)) == Some(true);
    let transposed = own.transposed.or(read.map(|read| read.transposed)) == Some(true);
    let scale = LowRankScale { alpha, by_root, transposed: transposed || adapted.is_embedding };
    let is_new = |own: Option<bool>, read: bool| own.is_none() && read;
    let is_read = own.alpha.is_none()
        || read
            .is_some_and(|read| is_new(own.by_root, read.by_root) || is_new(own.transposed, read.transposed));
    Ok(Some((scale, is_read)))
}

/// What a plan says of weights whose scale was read.
pub(super) fn remark(scale: LowRankScale, rank: usize) -> String {
    let LowRankScale { alpha, by_root, .. } = scale;
    let root = if by_root { "the root of " } else { "" };
    format!(
        "an adapter is added with alpha {alpha} over {root}its rank {rank}, as {FILE} beside the checkpoint says"
    )
}

/// What the file says of one weight.
fn read(config: &AdapterConfig, adapted: Adapted<'_>) -> Result<LowRankScale, AdapterError> {
    if let Some(option) = config.variant {
        return Err(AdapterError::Variant { option });
    }
    let module = module(adapted.key);
    let rank = by_pattern("rank_pattern", &config.rank_pattern, module)?.unwrap_or(config.rank);
    if rank != adapted.rank {
        return Err(AdapterError::Rank { said: rank, found: adapted.rank });
    }
    let alpha = by_pattern("alpha_pattern", &config.alpha_pattern, module)?.unwrap_or(config.alpha);
    // PEFT turns matrices alone (peft/tuners/lora/layer.py, `get_delta_weight`).
    let transposed = config.transposed && adapted.axes == 2;
    Ok(LowRankScale { alpha, by_root: config.by_root, transposed })
}

fn agree<T: PartialEq + ToString>(
    key: &'static str,
    option: &'static str,
    said: Option<T>,
    found: T,
) -> Result<(), AdapterError> {
    match said {
        Some(said) if said != found => {
            Err(AdapterError::Contradiction { key, said: said.to_string(), option, found: found.to_string() })
        }
        _ => Ok(()),
    }
}

/// The name that a module has for PEFT, by the key of its base layer's weight.
fn module(key: &str) -> &str {
    let name = key.strip_suffix(".weight").unwrap_or(key);
    let name = name.strip_suffix(".base_layer").unwrap_or(name);
    let starts = name.match_indices(BASE_MODEL).map(|(at, _)| at);
    let start =
        starts.filter(|&at| at == 0 || name.get(..at).is_some_and(|before| before.ends_with('.'))).last();
    start.and_then(|at| name.get(at + BASE_MODEL.len()..)).unwrap_or(name)
}

/// The value of the first expression that the end of the name matches, from a dot or the beginning on
/// (peft/utils/other.py, `get_pattern_key`).
fn by_pattern<T: Copy>(
    option: &'static str,
    pattern: &[(String, T)],
    module: &str,
) -> Result<Option<T>, AdapterError> {
    for (text, value) in pattern {
        let unread = || AdapterError::Pattern { option, pattern: text.clone() };
        let (characters, is_whole) = expression(text).ok_or_else(unread)?;
        let mut starts = std::iter::once(module)
            .chain(module.match_indices('.').filter_map(|(at, _)| module.get(at + 1..)));
        if starts.by_ref().take(if is_whole { 1 } else { usize::MAX }).any(|end| is_match(&characters, end)) {
            return Ok(Some(*value));
        }
    }
    Ok(None)
}

/// The characters of a regular expression that says one after the other, `None` being any, and whether it begins
/// with the name; nothing for an expression that says more.
fn expression(text: &str) -> Option<(Vec<Option<char>>, bool)> {
    let rest = text.strip_prefix('^');
    let is_whole = rest.is_some();
    let rest = rest.unwrap_or(text);
    let mut rest = rest.strip_suffix('$').unwrap_or(rest).chars();
    let mut characters = Vec::new();
    while let Some(character) = rest.next() {
        characters.push(match character {
            '.' => None,
            '\\' if rest.clone().next() == Some('.') => rest.next(),
            '_' | '-' | '/' => Some(character),
            _ if character.is_alphanumeric() => Some(character),
            _ => return None,
        });
    }
    Some((characters, is_whole))
}

fn is_match(characters: &[Option<char>], text: &str) -> bool {
    let mut found = text.chars();
    characters.iter().all(|wanted| match (wanted, found.next()) {
        (_, None) => false,
        (None, Some(found)) => found != '\n',
        (Some(wanted), Some(found)) => *wanted == found,
    }) && found.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules() {
        for (key, expected) in [
            ("base_model.model.a.b.base_layer.weight", "a.b"),
            ("tower.base_model.model.a.base_layer.weight", "a"),
            ("my_base_model.model.a.base_layer.weight", "my_base_model.model.a"),
            ("a.base_layer.weight", "a"),
            ("a.weight", "a"),
        ] {
            assert_eq!(module(key), expected, "{key}");
        }
    }

    /// What `re.match(rf"(.*\.)?({key})$", module)` says in Python.
    #[test]
    fn patterns() {
        let check = |pattern: &str, module: &str, expected: Option<bool>| {
            let found = by_pattern("alpha_pattern", &[(pattern.to_owned(), ())], module);
            assert_eq!(found.map(|value| value.is_some()).ok(), expected, "{pattern} {module}");
        };
        check("q_proj", "layers.0.q_proj", Some(true));
        check("q_proj", "q_proj", Some(true));
        check("q_proj", "layers.0.my_q_proj", Some(false));
        check("0.q_proj", "layers.0.q_proj", Some(true));
        check("0.q_proj", "layers.10.q_proj", Some(false));
        check("0.q_proj", "layers.0_q_proj", Some(true));
        check("layers.0.q", "layers_0_q", Some(true));
        check("layers\\.0\\.q", "layers_0_q", Some(false));
        check("layers\\.0\\.q$", "m.layers.0.q", Some(true));
        check("^0.q", "0.q", Some(true));
        check("^0.q", "1.0.q", Some(false));
        check("q", "q.x", Some(false));
        for pattern in ["layers.\\d+.q", ".*q", "q|v", "(q)", "[qv]", "q?", "a^b", "a$b"] {
            check(pattern, "layers.0.q", None);
        }
        let first = [("v".to_owned(), 1), ("q".to_owned(), 2), ("0.q".to_owned(), 3)];
        assert_eq!(by_pattern("alpha_pattern", &first, "0.q"), Ok(Some(2)));
    }
}
