//! `cargo xtask tidy`: the house rules. Lists every fault, not the first.

mod code;
mod documents;
mod imports;
mod packages;
mod source;
mod tree;

use std::path::Path;

use crate::{Outcome, shell};

/// A broken rule: the file relative to the root, the line from 1 (0 for the whole file), and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    file: String,
    line: usize,
    text: String,
}

impl Fault {
    fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, text: text.into() }
    }
}

/// Checks everything.
pub(crate) fn run() -> Outcome {
    let root = shell::root();
    let files = tree::files(&root)?;
    let mut faults = tree::check(&root, &files)?;
    for file in files.iter().filter(|file| is_rust(file)) {
        let text = std::fs::read_to_string(root.join(file))?;
        faults.extend(source::check(file, &text));
        faults.extend(imports::check(file, &text));
        if let Some(remark) = source::remark(file, &text) {
            println!("note: {remark}");
        }
    }
    faults.extend(documents::check(&root));
    faults.extend(packages::check()?);

    faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    for Fault { file, line, text } in &faults {
        match line {
            0 => eprintln!("{file}: {text}"),
            line => eprintln!("{file}:{line}: {text}"),
        }
    }
    match faults.len() {
        0 => Ok(()),
        count => Err(format!("{count} house rules are broken").into()),
    }
}

fn is_rust(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs")
}
