//! `--depfile`: what an output was made from, for Make and Ninja.
//!
//! ```text
//! mnist.weights.h5: \
//!   weights.pt \
//!   schema.toml \
//!   arch.json
//! ```
//!
//! Both read the same text, by rules of their own (GNU make manual, "Rule Syntax" and "Using Wildcard Characters";
//! ninja `src/depfile_parser.in.cc`). Names that one of them would take for something else are refused: a dependency
//! that is silently lost is a build that is silently stale.

use std::path::{Path, PathBuf};

/// Characters that neither can say, or that mean something to one of them, escaped or not: Make takes `*?[]` for a
/// pattern and `;` for the end of the names, and Ninja ends a name at the others.
const UNSAYABLE: [char; 10] = ['*', '?', '[', ']', ';', '<', '>', '|', '^', '`'];

/// A name that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot stand in a depfile: {reason}", path.display())]
pub struct DepfileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with its name.
    pub reason: NameError,
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not UTF-8.
    #[error("its name is not UTF-8")]
    NotText,
    /// A character that Make or Ninja cannot be told.
    #[error("Make or Ninja would read another name, for the {0:?} in it")]
    Character(char),
    /// A character that Make or Ninja takes for something else at the end of a name.
    #[error("Make or Ninja would read another name, for the {0:?} at its end")]
    Ending(char),
    /// Make takes `a=b: c` for an assignment, and `a: b=c` and `a: b =c` too.
    #[error("Make would read an assignment, for the '=' in it")]
    Assignment,
    /// Make takes `%` in a target for a pattern.
    #[error("Make would read a pattern, for the '%' in it")]
    Pattern,
    /// Make takes `a(b)` for a member of an archive.
    #[error("Make would read a member of an archive, for the parentheses in it")]
    Member,
}

/// The rule that says that `outputs` are made from `inputs`. The first of the outputs is the one that Ninja knows.
///
/// # Errors
/// When a name cannot be said.
pub(super) fn rule(outputs: &[PathBuf], inputs: &[PathBuf]) -> Result<String, DepfileError> {
    let fail = |path: &Path, reason| DepfileError { path: path.to_owned(), reason };
    let mut targets = Vec::new();
    for path in outputs {
        targets.push(target(path).map_err(|reason| fail(path, reason))?);
    }
    if let (Some(path), Some(target)) = (outputs.first(), targets.first())
        && target.contains('=')
    {
        return Err(fail(path, NameError::Assignment));
    }
    let mut names = Vec::new();
    for path in inputs {
        names.push((name(path).map_err(|reason| fail(path, reason))?, path));
    }
    // Behind a first name without one, it makes no assignment; trainers name checkpoints `epoch=3.ckpt`.
    names.sort_by_key(|(name, _)| name.contains('='));
    if let Some((first, path)) = names.first()
        && first.contains('=')
    {
        return Err(fail(path, NameError::Assignment));
    }
    let mut text = format!("{}:", targets.join(" "));
    for (name, _) in names {
        text.push_str(" \\\n  ");
        text.push_str(&name);
    }
    text.push('\n');
    Ok(text)
}

/// A rule for each input that makes nothing: an input that is gone then counts as new, where Make would ask who makes
/// it. Names that Make reads otherwise as targets have none.
pub(super) fn phony(inputs: &[PathBuf]) -> String {
    let names = inputs.iter().filter_map(|path| target(path).ok());
    names.filter(|name| !name.contains('=')).map(|name| format!("{name}:\n")).collect()
}

fn target(path: &Path) -> Result<String, NameError> {
    let name = name(path)?;
    if name.contains('%') { Err(NameError::Pattern) } else { Ok(name) }
}

/// A name as both read it.
fn name(path: &Path) -> Result<String, NameError> {
    let text = path.to_str().ok_or(NameError::NotText)?;
    // Both take either slash there, and a backslash for the beginning of an escape.
    let text = if cfg!(windows) { text.replace('\\', "/") } else { text.to_owned() };
    if text.ends_with(')') && text.contains('(') {
        return Err(NameError::Member);
    }
    // Make reads `a\ ` and the end of the line as one blank; Ninja reads `a\:` and a blank as the end of the targets.
    if let Some(end) = text.chars().next_back().filter(|end| matches!(end, ' ' | ':')) {
        return Err(NameError::Ending(end));
    }
    if ["=", "+=", "!="].iter().any(|operator| text.starts_with(operator)) {
        return Err(NameError::Assignment);
    }
    let mut said = String::with_capacity(text.len());
    if text.starts_with('~') {
        // Make takes it for a home.
        said.push_str("./");
    }
    for (at, character) in text.char_indices() {
        match character {
            ' ' | '#' => said.extend(['\\', character]),
            // A drive's letter, which both know.
            ':' if cfg!(windows) && at == 1 => said.push(':'),
            ':' => said.push_str("\\:"),
            '$' => said.push_str("$$"),
            '\\' => return Err(NameError::Character(character)),
            _ if character.is_control() || UNSAYABLE.contains(&character) => {
                return Err(NameError::Character(character));
            }
            _ => said.push(character),
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outputs: &[&str], inputs: &[&str], expected: Result<&str, NameError>) {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let found = rule(&paths(outputs), &paths(inputs)).map_err(|error| error.reason);
        assert_eq!(found, expected.map(str::to_owned), "{outputs:?} {inputs:?}");
    }

    #[test]
    fn rules() {
        check(&["a.h5"], &["a.pt", "b c.toml"], Ok("a.h5: \\\n  a.pt \\\n  b\\ c.toml\n"));
        check(&["a.json", "a_0.h5"], &["$x#1.pt"], Ok("a.json a_0.h5: \\\n  $$x\\#1.pt\n"));
        check(&["~a"], &["d/~b"], Ok("./~a: \\\n  d/~b\n"));
        check(&["o"], &["epoch=3.ckpt", "s.toml"], Ok("o: \\\n  s.toml \\\n  epoch=3.ckpt\n"));
        check(&["a (1).h5"], &["50%.pt"], Ok("a\\ (1).h5: \\\n  50%.pt\n"));
        if cfg!(unix) {
            check(&["o"], &["a:b"], Ok("o: \\\n  a\\:b\n"));
            check(&["o"], &["a\\b"], Err(NameError::Character('\\')));
        }
    }

    #[test]
    fn refused() {
        for character in ['\n', '\r', '\t', '\0', '*', '?', '[', ';', '|', '`'] {
            check(&["o"], &[&format!("a{character}b")], Err(NameError::Character(character)));
            check(&[&format!("a{character}b")], &["i"], Err(NameError::Character(character)));
        }
        check(&["o"], &["epoch=3.ckpt"], Err(NameError::Assignment));
        check(&["epoch=3.h5"], &["i"], Err(NameError::Assignment));
        check(&["50%.h5"], &["i"], Err(NameError::Pattern));
        check(&["o"], &["a(b)"], Err(NameError::Member));
        check(&["o"], &["a "], Err(NameError::Ending(' ')));
        check(&["o", "a:"], &["i"], Err(NameError::Ending(':')));
        for name in ["=a", "+=a", "!=a"] {
            check(&["o"], &["i", name], Err(NameError::Assignment));
        }
    }
}
