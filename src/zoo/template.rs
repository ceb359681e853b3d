//! Names that are made for each checkpoint: `keras/{parent}.weights.h5`.

use std::path::Path;

/// What the names of a job are made of.
#[derive(Debug)]
pub(super) struct Words<'a> {
    /// The checkpoint's path as the manifest's folder sees it.
    pub(super) path: &'a Path,
    /// The manifest's folder.
    pub(super) base: &'a Path,
    /// What each wildcard of the glob stands for.
    pub(super) captures: &'a [String],
}

/// Why a name cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// `{` without its `}`.
    #[error("`{{` begins a placeholder that does not end; `{{{{` stands for a `{{`")]
    Open,
    /// `}` without its `{`.
    #[error("`}}` ends no placeholder; `}}}}` stands for a `}}`")]
    Stray,
    /// No placeholder of that name.
    #[error(
        "there is no placeholder `{{{name}}}`: there are {{stem}}, {{parent}}, {{folder}}, {{path}}, and {{1}}, {{2}}, … for the wildcards of `checkpoint`"
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// No wildcard of that number.
    #[error("`{{{number}}}` stands for a wildcard of `checkpoint`, which has {}", wildcards(*captures))]
    NoCapture {
        /// The number.
        number: usize,
        /// How many wildcards there are.
        captures: usize,
    },
    /// The root of the file system has no name.
    #[error("{path} has no `{{{name}}}`")]
    Nameless {
        /// The checkpoint.
        path: String,
        /// The placeholder.
        name: &'static str,
    },
}

fn wildcards(captures: usize) -> String {
    match captures {
        0 => "none".to_owned(),
        1 => "one".to_owned(),
        more => format!("{more}"),
    }
}

/// Makes a name.
pub(super) fn fill(template: &str, words: &Words<'_>) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else if let Some(inside) = from.strip_prefix('{') {
            let (name, after) = inside.split_once('}').ok_or(TemplateError::Open)?;
            out.push_str(&words.word(name)?);
            rest = after;
        } else {
            return Err(TemplateError::Stray);
        }
    }
    out.push_str(rest);
    Ok(out)
}

impl Words<'_> {
    fn word(&self, name: &str) -> Result<String, TemplateError> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let nameless = |name| TemplateError::Nameless { path: text(self.path), name };
        match name {
            "path" => Ok(text(self.path)),
            "folder" => match self.path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => Ok(text(folder)),
                _ => Ok(".".to_owned()),
            },
            "stem" => {
                Ok(self.path.file_stem().ok_or_else(|| nameless("stem"))?.to_string_lossy().into_owned())
            }
            "parent" => {
                // A checkpoint beside the manifest is in a folder, too.
                let whole = std::path::absolute(self.base.join(self.path));
                let parent = whole.as_deref().map_or(None, Path::parent).and_then(Path::file_name);
                Ok(parent.ok_or_else(|| nameless("parent"))?.to_string_lossy().into_owned())
            }
            number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                let captures = self.captures.len();
                let number = number.parse().unwrap_or(usize::MAX);
                let capture = number.checked_sub(1).and_then(|at| self.captures.get(at));
                capture.cloned().ok_or(TemplateError::NoCapture { number, captures })
            }
            other => Err(TemplateError::Unknown { name: other.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, TemplateError> {
        let captures = ["runs".to_owned(), "7".to_owned()];
        fill(
            template,
            &Words { path: Path::new("runs/7/best.v2.pt"), base: Path::new("/zoo"), captures: &captures },
        )
    }

    #[test]
    fn fills() {
        let check = |template: &str, expected: &str| assert_eq!(filled(template).as_deref(), Ok(expected));
        check("keras/{stem}.weights.h5", "keras/best.v2.weights.h5");
        check("{parent}-{1}-{2}", "7-runs-7");
        check("{folder}/{stem}|{path}", "runs/7/best.v2|runs/7/best.v2.pt");
        check("{{{stem}}}", "{best.v2}");
        check("plain", "plain");
    }

    #[test]
    fn beside_the_manifest() {
        let words = Words { path: Path::new("best.pt"), base: Path::new("/zoo"), captures: &[] };
        assert_eq!(fill("{parent} {folder}", &words).as_deref(), Ok("zoo ."));
        let root = Words { path: Path::new("/best.pt"), ..words };
        assert_eq!(
            fill("{parent}", &root),
            Err(TemplateError::Nameless { path: "/best.pt".to_owned(), name: "parent" })
        );
    }

    #[test]
    fn refuses() {
        assert_eq!(filled("a{stem"), Err(TemplateError::Open));
        assert_eq!(filled("a}b"), Err(TemplateError::Stray));
        assert_eq!(filled("{stme}"), Err(TemplateError::Unknown { name: "stme".to_owned() }));
        assert_eq!(filled("{}"), Err(TemplateError::Unknown { name: String::new() }));
        assert_eq!(filled("{3}"), Err(TemplateError::NoCapture { number: 3, captures: 2 }));
        assert_eq!(filled("{0}"), Err(TemplateError::NoCapture { number: 0, captures: 2 }));
    }
}
