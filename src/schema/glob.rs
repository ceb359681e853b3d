//! Globs over whole names.

use std::sync::Arc;

use regex::Regex;

use super::position::{Position, SourceFile};

/// A glob over whole names, as the shell's `fnmatch` has them: `*` stands for any characters, separators
/// included, and `?` for one. So `*.position_ids` covers `embeddings.position_ids` and
/// `bert.embeddings.position_ids`. `**` means the same as `*`.
#[derive(Debug, Clone)]
pub struct Glob {
    /// As it was written.
    pub text: String,
    /// Where.
    pub position: Position,
    matcher: Regex,
}

/// Why a text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// Nothing.
    #[error("a glob cannot be empty")]
    Empty,
    /// A character that other globs give a meaning.
    #[error("`{found}` has no meaning in a glob: there are `*` for any characters and `?` for one")]
    Reserved {
        /// The character.
        found: char,
    },
    /// Longer than any name.
    #[error("a glob of {length} bytes is longer than the {limit} that are supported", limit = MAX_LENGTH)]
    TooLong {
        /// Its length.
        length: usize,
    },
}

/// The longest glob, in bytes: as for patterns.
const MAX_LENGTH: usize = 1024;

impl Glob {
    /// A glob that stands in no file: of the command line.
    ///
    /// # Errors
    /// When the text is empty, too long, or has brackets or braces.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        let file = Arc::new(SourceFile::new("command line", text));
        Self::parse(text, Position { file, span: 0..text.len() })
    }

    /// A glob that stands at `position`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn parse(text: &str, position: Position) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if let Some(found) = text.chars().find(|c| "[]{}".contains(*c)) {
            return Err(GlobError::Reserved { found });
        }
        let too_long = GlobError::TooLong { length: text.len() };
        if text.len() > MAX_LENGTH {
            return Err(too_long);
        }
        let mut pattern = String::from(r"(?s)\A");
        for c in text.chars() {
            match c {
                '*' => pattern.push_str(".*"),
                '?' => pattern.push('.'),
                other => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
            }
        }
        pattern.push_str(r"\z");
        // The only failure of such a regex: its compiled size.
        let matcher = Regex::new(&pattern).map_err(|_| too_long)?;
        Ok(Self { text: text.to_owned(), position, matcher })
    }

    /// Whether the whole of `name` matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(glob: &str, name: &str, expected: bool) {
        assert_eq!(Glob::new(glob).unwrap().matches(name), expected, "{glob} on {name}");
    }

    #[test]
    fn matches_whole_names() {
        check("*.position_ids", "bert.embeddings.position_ids", true);
        check("*.position_ids", "position_ids", false);
        check("*.position_ids", "a.position_ids.b", false);
        check("cls.**", "cls.predictions.bias", true);
        check("cls.**", "clsx", false);
        check("num_batches_tracked", "num_batches_tracked", true);
        check("a?c", "a.c", true);
        check("a?c", "ac", false);
        check("a+b", "aab", false);
    }

    #[test]
    fn refuses() {
        let error = |text: &str| Glob::new(text).unwrap_err();
        assert_eq!(error(""), GlobError::Empty);
        assert_eq!(error("a[0]"), GlobError::Reserved { found: '[' });
        assert_eq!(error("{a,b}"), GlobError::Reserved { found: '{' });
        assert_eq!(error(&"a".repeat(1025)), GlobError::TooLong { length: 1025 });
    }
}
