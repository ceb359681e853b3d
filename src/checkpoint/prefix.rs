//! The names that wrappers of modules put into the keys (formats/pytorch.md section 6).

/// Prefix of DataParallel and DistributedDataParallel. `module` is an ordinary name as well, so it goes
/// only when every key starts with it.
const PARALLEL: &str = "module";

/// What `torch.optim.swa_utils.AveragedModel` keeps beside its `module`.
const AVERAGED: &str = "n_averaged";

/// Names that only wrappers use; they go wherever they stand in a key.
const WRAPPERS: [&str; 4] =
    ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"];

/// What all of these names have.
const COMMON_PART: &str = "_mod";

/// Whether [`strip`] may change any of the keys.
pub(super) fn is_any(keys: &[String]) -> bool {
    keys.iter().any(|key| key.starts_with(PARALLEL) || key.contains(COMMON_PART))
}

/// Takes the wrappers' names off every key. Returns what was taken, in the order it was found.
pub(super) fn strip(keys: &mut [String]) -> Vec<String> {
    let mut stripped = Vec::new();
    loop {
        let mut start = 0;
        while let Some(prefix) = common(keys, start) {
            start += prefix.len();
            stripped.push(prefix);
        }
        if start > 0 {
            for key in &mut *keys {
                if key != AVERAGED {
                    key.drain(..start);
                }
            }
        }
        let mut inner = Vec::new();
        for key in &mut *keys {
            for name in WRAPPERS {
                if remove_segment(key, name) && !inner.contains(&name) {
                    inner.push(name);
                }
            }
        }
        if inner.is_empty() {
            return stripped;
        }
        stripped.extend(inner.into_iter().map(|name| format!("{name}.")));
    }
}

/// The wrapper's prefix that every key has after its first `start` bytes.
fn common(keys: &[String], start: usize) -> Option<String> {
    let mut wrapped = keys.iter().filter(|key| *key != AVERAGED);
    let first = wrapped.clone().next()?.get(start..)?;
    let prefix = std::iter::once(PARALLEL)
        .chain(WRAPPERS.iter().copied())
        .map(|name| format!("{name}."))
        .find(|prefix| has_prefix(first, prefix))?;
    wrapped.all(|key| key.get(start..).is_some_and(|key| has_prefix(key, &prefix))).then_some(prefix)
}

/// Whether something is left of a key without the prefix.
fn has_prefix(key: &str, prefix: &str) -> bool {
    key.len() > prefix.len() && key.starts_with(prefix)
}

/// Removes a name that stands before the last dot of a key; the last name is the parameter's own.
fn remove_segment(key: &mut String, name: &str) -> bool {
    // Most keys have no wrapper's name; all names have this.
    if !key.contains(COMMON_PART) || !key.contains(name) {
        return false;
    }
    let segments: Vec<&str> = key.split('.').collect();
    let last = segments.len() - 1;
    let kept: Vec<&str> = segments
        .iter()
        .enumerate()
        .filter(|&(index, &segment)| index == last || segment != name)
        .map(|(_, &segment)| segment)
        .collect();
    if kept.len() == segments.len() {
        return false;
    }
    *key = kept.join(".");
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[&str], expected: &[&str], prefixes: &[&str]) {
        let mut keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let stripped = strip(&mut keys);
        assert_eq!(keys, expected);
        assert_eq!(stripped, prefixes);
    }

    #[test]
    fn strips_wrappers() {
        check(&["a.weight", "b"], &["a.weight", "b"], &[]);
        check(&["module.a", "module.b"], &["a", "b"], &["module."]);
        check(&["module.a", "b"], &["module.a", "b"], &[]);
        check(&["module.module.a"], &["a"], &["module.", "module."]);
        check(&["_orig_mod.module.a", "_orig_mod.module.b"], &["a", "b"], &["_orig_mod.", "module."]);
        check(&["module._orig_mod.a", "module._orig_mod.b"], &["a", "b"], &["module.", "_orig_mod."]);
        check(&["net._orig_mod.a", "head.b"], &["net.a", "head.b"], &["_orig_mod."]);
        check(
            &["l.0._fsdp_wrapped_module._checkpoint_wrapped_module.w", "h"],
            &["l.0.w", "h"],
            &["_fsdp_wrapped_module.", "_checkpoint_wrapped_module."],
        );
        check(&["_forward_module.a"], &["a"], &["_forward_module."]);
        check(&["_orig_mod.module.a", "module.b"], &["a", "b"], &["_orig_mod.", "module."]);
        check(&["n_averaged", "module.a"], &["n_averaged", "a"], &["module."]);
        check(&["n_averaged", "b"], &["n_averaged", "b"], &[]);
        check(&["n_averaged"], &["n_averaged"], &[]);
        check(&["module."], &["module."], &[]);
        check(&["a._orig_mod"], &["a._orig_mod"], &[]);
        check(&["my_orig_mod.a"], &["my_orig_mod.a"], &[]);
        check(&[], &[], &[]);
    }
}
