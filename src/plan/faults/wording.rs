//! Lists of names in the messages of faults.

use crate::tensor::StateDictKey;

pub(super) fn list(keys: &[StateDictKey]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// `` `a`, `b` or `c`, none of which the architecture has ``.
pub(super) fn lacking(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    match quoted.as_slice() {
        [others @ .., last] if !others.is_empty() => {
            format!("{} or {last}, none of which the architecture has", others.join(", "))
        }
        quoted => format!("{}, which the architecture does not have", quoted.join(", ")),
    }
}

/// `` no key begins with `module.`; all 17 begin with `model.` ``.
pub(super) fn no_prefix(prefixes: &[String], keys: usize, common: Option<&str>) -> String {
    let prefixes: Vec<String> = prefixes.iter().map(|prefix| format!("`{prefix}`")).collect();
    let others = match common {
        Some(common) => format!("; all {keys} begin with `{common}`"),
        None => String::new(),
    };
    format!("no key begins with {}{others}", prefixes.join(" or "))
}

pub(super) fn missing_values(values: &[String]) -> String {
    let verb = if values.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "))
}
