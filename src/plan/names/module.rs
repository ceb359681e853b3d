//! Modules of the checkpoint, as layer rules name them: what all keys of one have around its parameters' names.

use std::fmt;

/// The keys of a module's tensors, but for the parameters' names: `rnn.` and nothing, or `rnn.` and `_l0_reverse`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::plan) struct Module {
    /// What stands before them, with the last dot; empty for the root.
    pub(in crate::plan) before: String,
    /// What stands after them.
    pub(super) after: String,
}

impl Module {
    /// The module of that path.
    pub(in crate::plan) fn of(path: &str) -> Self {
        let before = if path.is_empty() { String::new() } else { format!("{path}.") };
        Self { before, after: String::new() }
    }

    /// Its path.
    pub(in crate::plan) fn path(&self) -> &str {
        self.before.rsplit_once('.').map_or("", |(path, _)| path)
    }

    /// The keys inside it that have that around them.
    pub(in crate::plan) fn inside(&self, before: &str, after: &str) -> Self {
        Self { before: format!("{}{before}", self.before), after: format!("{}{after}", self.after) }
    }

    /// The keys that also have a suffix, directly after the parameters' names.
    pub(in crate::plan) fn with_suffix(&self, suffix: &str) -> Self {
        Self { before: self.before.clone(), after: [suffix, &self.after].concat() }
    }

    /// The key of a parameter.
    pub(in crate::plan) fn key(&self, parameter: &str) -> String {
        [&self.before, parameter, &self.after].concat()
    }

    /// The name of the parameter that has a key below it.
    pub(super) fn parameter<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        (!rest.is_empty()).then_some(rest)
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.after.is_empty() && (self.before.is_empty() || self.before.ends_with('.')) {
            f.write_str(self.path())
        } else {
            write!(f, "{}{{*}}{}", self.before, self.after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let check = |module: &Module, shown: &str, key: &str, parameter: Option<&str>| {
            assert_eq!(module.to_string(), shown);
            assert_eq!(module.parameter(key), parameter, "{shown} {key}");
            if let Some(parameter) = parameter {
                assert_eq!(module.key(parameter), key);
            }
        };
        let root = Module::of("");
        check(&root, "", "weight", Some("weight"));
        let rnn = Module::of("a.rnn");
        assert_eq!(rnn.path(), "a.rnn");
        check(&rnn, "a.rnn", "a.rnn.weight_ih_l0", Some("weight_ih_l0"));
        check(&rnn, "a.rnn", "a.rnnx.weight", None);
        let back = rnn.inside("", "_reverse").with_suffix("_l1");
        check(&back, "a.rnn.{*}_l1_reverse", "a.rnn.bias_hh_l1_reverse", Some("bias_hh"));
        check(&back, "a.rnn.{*}_l1_reverse", "a.rnn._l1_reverse", None);
        check(&back, "a.rnn.{*}_l1_reverse", "a.rnn.bias_hh_l1", None);
    }
}
