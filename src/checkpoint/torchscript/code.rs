//! Which attributes of a class are parameters and which are buffers: two lines of its code, which is never run
//! (formats/pytorch.md section 4.1).
//!
//! ```text
//! class Linear(Module):
//!   __parameters__ = ["weight", "bias", ]
//!   __buffers__ = []
//! ```

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::checkpoint::records::Records;

/// Bytes of one record of code. That of the largest models has a few megabytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Bytes of all records of code that are looked at. Beyond them nothing is known of a class.
const MAX_CODE_BYTES: u64 = 32 << 20;

/// What the code tells of a class.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// Whether it is a module; other classes have attributes alone.
    pub(super) is_module: bool,
    /// The names of its parameters.
    pub(super) parameters: Option<HashSet<String>>,
    /// The names of its buffers; torch up to 1.5 does not tell them.
    pub(super) buffers: Option<HashSet<String>>,
}

/// The classes of the records of code that were looked at.
pub(super) struct Code {
    /// By the name of the Python module, then by that of the class; `None` for a name that comes twice.
    modules: HashMap<String, HashMap<String, Option<Class>>>,
    /// Bytes that may still be looked at.
    budget: u64,
}

impl Code {
    /// Nothing was looked at yet.
    pub(super) fn new() -> Self {
        Self { modules: HashMap::new(), budget: MAX_CODE_BYTES }
    }

    /// What is known of a class; nothing where its code is missing, too long, damaged, or of another form.
    pub(super) fn class(&mut self, records: &mut Records, module: &str, name: &str) -> Option<&Class> {
        if !self.modules.contains_key(module) {
            let classes = self.read(records, module).unwrap_or_default();
            self.modules.insert(module.to_owned(), classes);
        }
        self.modules.get(module)?.get(name)?.as_ref()
    }

    fn read(&mut self, records: &mut Records, module: &str) -> Option<HashMap<String, Option<Class>>> {
        let record = format!("code/{}.py", module.replace('.', "/"));
        let size = records.size(&record)?;
        self.budget = self.budget.checked_sub(size)?;
        let text = records.find(&record, MAX_FILE_BYTES).ok()??;
        if text.len() as u64 > MAX_FILE_BYTES {
            return None;
        }
        Some(classes(std::str::from_utf8(text.as_slice()).ok()?))
    }
}

/// The classes of a text, by name.
fn classes(text: &str) -> HashMap<String, Option<Class>> {
    let mut classes = HashMap::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, is_module)) = class_line(line) else { continue };
        let mut list = |name| {
            let names = lines.peek().and_then(|line| names(line, name))?;
            lines.next();
            Some(names)
        };
        let class = Class { is_module, parameters: list("__parameters__"), buffers: list("__buffers__") };
        match classes.entry(name.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(Some(class));
            }
            Entry::Occupied(mut entry) => {
                entry.insert(None);
            }
        }
    }
    classes
}

/// The name in `class Name(Module):` or `class Name:`, and whether it is a module's.
fn class_line(line: &str) -> Option<(&str, bool)> {
    let head = line.strip_prefix("class ")?.strip_suffix(':')?;
    match head.strip_suffix("(Module)") {
        Some(name) => Some((name, true)),
        None => Some((head.split('(').next()?, false)),
    }
}

/// The texts of a line `  <name> = ["a", "b", ]`.
fn names(line: &str, name: &str) -> Option<HashSet<String>> {
    let mut rest = line.strip_prefix("  ")?.strip_prefix(name)?.strip_prefix(" = [")?.strip_suffix(']')?;
    let mut names = HashSet::new();
    while !rest.is_empty() {
        let (name, after) = rest.strip_prefix('"')?.split_once("\", ")?;
        if name.contains(['"', '\\']) {
            return None;
        }
        names.insert(name.to_owned());
        rest = after;
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_a_class() {
        let set = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<HashSet<_>>());
        let check = |text: &str, expected: Option<Class>| {
            let mut classes = classes(text);
            assert_eq!(classes.remove("Linear").flatten(), expected, "{text}");
        };
        let class = |is_module, parameters, buffers| Some(Class { is_module, parameters, buffers });
        check(
            "op_version_set = 1\nclass Linear(Module):\n  __parameters__ = [\"w\", \"b\", ]\n  __buffers__ = []\n  w : Tensor",
            class(true, set(&["w", "b"]), set(&[])),
        );
        check("class Linear(Module):\n  __parameters__ = []\n  w : Tensor", class(true, set(&[]), None));
        check("class Linear(Module):\n  w : Tensor", class(true, None, None));
        check("class Linear:\n  w : Tensor", class(false, None, None));
        check("class Linear(NamedTuple):\n  w : Tensor", class(false, None, None));
        check("class Other(Module):\n  __parameters__ = [\"w\", ]\n", None);
        // Lines within a method or of another form say nothing.
        check("class Linear(Module):\n  def f():\n  __parameters__ = [\"w\", ]", class(true, None, None));
        check("class Linear(Module):\n  __parameters__ = [\"w\"]", class(true, None, None));
        check("class Linear(Module):\n  __parameters__ = [\"w\\\", ]", class(true, None, None));
        check("class Linear(Module):\nclass Linear(Module):\n", None);
        check(" class Linear(Module):\n", None);
    }
}
