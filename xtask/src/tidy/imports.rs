//! The architecture invariants of `src/lib.rs`: which module may name which.

use super::Fault;
use super::code::{blank, without_tests};

/// What each module may name of this crate. `cli` and the crate's root may name everything.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("map", &[]),
    ("tensor", &[]),
    ("lazy", &["tensor", "crew"]),
    ("checkpoint", &["map", "tensor", "lazy", "crew"]),
    ("schema", &["map", "tensor"]),
    ("keras", &["map", "tensor", "lazy"]),
    ("plan", &["map", "tensor", "lazy", "checkpoint", "schema", "keras", "crew"]),
    ("writer", &["tensor", "lazy", "plan", "keras", "crew"]),
    ("crew", &[]),
    ("convert", &["tensor", "lazy", "checkpoint", "schema", "keras", "plan", "writer", "crew"]),
    ("zoo", &["tensor", "lazy", "checkpoint", "schema", "keras", "plan", "writer", "crew", "convert"]),
];

/// What the writer may name of `keras`: the file layout, and the architecture that it lays out.
const WRITER_MAY_USE_OF_KERAS: [&str; 4] = ["file_layout", "Architecture", "Layer", "Variable"];

/// The faults of one file of `src`, tests aside: they may import what they compare with.
pub(super) fn check(file: &str, text: &str) -> Vec<Fault> {
    let Some(inside) = file.strip_prefix("src/") else { return Vec::new() };
    let module = inside.split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else { return Vec::new() };

    let code = without_tests(&blank(text));
    let mut faults = Vec::new();
    for edge in edges(&code, depth(inside)) {
        let Some(target) = edge.path.first() else { continue };
        if target == module || target == "macros" {
            continue;
        }
        if !allowed.contains(&target.as_str()) {
            let text = format!("`{module}` must not import `crate::{target}`");
            faults.push(Fault::new(file, edge.line, text));
        } else if module == "writer" && target == "keras" {
            let item = edge.path.get(1).map_or("", String::as_str);
            if !WRITER_MAY_USE_OF_KERAS.contains(&item) {
                let text = format!("`writer` must not import `keras::{item}`, only its file layout");
                faults.push(Fault::new(file, edge.line, text));
            }
        }
    }
    faults
}

/// Modules between the crate's root and the file's items: 1 for `tensor/mod.rs`, 2 for `tensor/dtype.rs`.
fn depth(inside: &str) -> usize {
    inside.split('/').filter(|part| *part != "mod.rs").count()
}

/// A path from the crate's root that the code names.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    line: usize,
    path: Vec<String>,
}

/// Every path that starts at the root: `crate::a::b`, `crate::{a, b::{c, d}}`, and `super::` far enough up.
fn edges(code: &str, depth: usize) -> Vec<Edge> {
    let mut found = Vec::new();
    for (start, tail) in roots(code, depth) {
        let line = code.get(..start).unwrap_or_default().matches('\n').count() + 1;
        for path in leaves(tail) {
            found.push(Edge { line, path });
        }
    }
    found
}

/// Where paths from the root start, each with the text behind the root.
fn roots(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for root in ["crate::", climb.as_str()].into_iter().filter(|root| !root.is_empty()) {
        for (start, _) in code.match_indices(root) {
            let before = code.get(..start).unwrap_or_default();
            let continues = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            // `$crate::` in a macro names the same crate.
            if !continues {
                found.push((start, code.get(start + root.len()..).unwrap_or_default()));
            }
        }
    }
    found.sort_by_key(|(start, _)| *start);
    found
}

/// The paths of a `use` tree or a plain path, up to their second segment.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    if let Some(group) = tree.strip_prefix('{') {
        return members(group).into_iter().flat_map(leaves).collect();
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    if name.is_empty() {
        return Vec::new();
    }
    match rest.trim_start().strip_prefix("::") {
        Some(rest) => {
            let inner = leaves(rest);
            let first = |path: Vec<String>| std::iter::once(name.to_owned()).chain(path).take(2).collect();
            if inner.is_empty() {
                vec![vec![name.to_owned()]]
            } else {
                inner.into_iter().map(first).collect()
            }
        }
        None => vec![vec![name.to_owned()]],
    }
}

/// The members of a braced group whose opening brace has been read.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                found.extend(group.get(start..at));
                break;
            }
            ',' if depth == 0 => {
                found.extend(group.get(start..at));
                start = at + 1;
            }
            _ => continue,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_edges(code: &str, depth: usize, expected: &[&str]) {
        let found: Vec<String> =
            edges(code, depth).iter().map(|edge| format!("{} {}", edge.line, edge.path.join("::"))).collect();
        assert_eq!(found, expected, "of {code}");
    }

    #[test]
    fn edges_of_every_way_to_name_a_module() {
        check_edges("use crate::plan::Plan;", 1, &["1 plan::Plan"]);
        check_edges(
            "use crate::{plan::{self, Plan}, bytes};",
            1,
            &["1 plan::self", "1 plan::Plan", "1 bytes"],
        );
        check_edges("\nlet x = crate::keras::Error::Io;", 1, &["2 keras::Error"]);
        check_edges("pub(crate) fn f() {}", 1, &[]);
        check_edges("use super::error::Error;", 2, &[]);
        check_edges("use super::super::plan::Plan;", 2, &["1 plan::Plan"]);
        check_edges("use super::plan::Plan;", 1, &["1 plan::Plan"]);
        check_edges("use serde::{self}; use other_crate::x;", 1, &[]);
    }

    #[test]
    fn broken_invariants_are_all_found() {
        let cases: [(&str, &str, usize); 10] = [
            ("src/tensor/dtype.rs", "use crate::lazy::Mapped;", 1),
            ("src/tensor/dtype.rs", "use crate::tensor::Shape;", 0),
            ("src/checkpoint/zip.rs", "use crate::{schema, keras, lazy};", 2),
            ("src/schema/rule.rs", "fn f(x: crate::checkpoint::Open) {}", 1),
            ("src/plan/bindings/binder.rs", "use crate::{schema, keras, checkpoint, writer};", 1),
            ("src/writer/fill.rs", "use crate::keras::file_layout::Group;", 0),
            ("src/writer/fill.rs", "use crate::keras::json::parse;", 1),
            ("src/keras/json.rs", "use crate::cli::Args; use crate::Error;", 2),
            ("src/cli/mod.rs", "use crate::{writer, plan};", 0),
            ("src/keras/json.rs", "#[cfg(test)]\nmod tests { use crate::plan::Plan; }", 0),
        ];
        for (file, text, expected) in cases {
            let faults = check(file, text);
            assert_eq!(faults.len(), expected, "{file}: {text}: {faults:?}");
        }
    }
}
