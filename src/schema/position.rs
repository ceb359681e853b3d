//! Places in schemas.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A schema's text and where it came from, for diagnostics.
#[derive(Debug)]
pub struct SourceFile {
    /// The file's path, or `bundled:torchvision/resnet`.
    pub name: String,
    /// The whole text, which stays as it is: where its lines end is remembered.
    pub text: String,
    /// Where another schema names it.
    pub used_by: Option<Position>,
    /// Where its lines end, in order; found when a line is first asked for.
    ends: OnceLock<Vec<usize>>,
}

impl SourceFile {
    /// That text, which no other schema names.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), used_by: None, ends: OnceLock::new() }
    }

    /// The number of the line that a byte lies in, from 1.
    fn line(&self, at: usize) -> usize {
        let ends =
            || self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        1 + self.ends.get_or_init(ends).partition_point(|&end| end < at)
    }

    /// Who names the schema, where another does: `, used by a.toml:3`, and who names that one.
    #[must_use]
    pub fn user(&self) -> String {
        self.used_by.as_ref().map_or_else(String::new, |position| {
            format!(", used by {}:{}{}", position.file.name, position.line(), position.file.user())
        })
    }
}

/// Quotes the text under the file's name.
impl miette::SourceCode for SourceFile {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let contents = self.text.read_span(span, lines_before, lines_after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.clone(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}

/// A place in a schema. Displays as `file:line:column`.
#[derive(Debug, Clone)]
pub struct Position {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The bytes of its text.
    pub span: Range<usize>,
}

impl Position {
    /// The line of the first byte, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.file.line(self.span.start)
    }

    /// The column of the first byte in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        let line = self.before().rsplit('\n').next().unwrap_or("");
        1 + line.chars().count()
    }

    /// The text of the place; empty when the span is not one of the file's.
    #[must_use]
    pub fn snippet(&self) -> &str {
        self.file.text.get(self.span.clone()).unwrap_or("")
    }

    /// Another place in the same file.
    #[must_use]
    pub fn at(&self, span: Range<usize>) -> Self {
        Self { file: Arc::clone(&self.file), span }
    }

    /// The value of a key, where the place is a table with a header and a line of it begins with the key.
    #[must_use]
    pub fn value_of(&self, key: &str) -> Option<Self> {
        let table = self.snippet();
        let mut end = self.span.start;
        for line in table.split_inclusive('\n').take_while(|_| table.starts_with('[')) {
            end += line.len();
            let value =
                line.trim_start().strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix('='));
            if let Some(value) = value.map(str::trim_start) {
                let start = end - value.len();
                return Some(self.at(start..start + value.trim_end().len()));
            }
        }
        None
    }

    /// The lines of the file that the place begins and ends in, whole, each with its number from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let start = self.before().rfind('\n').map_or(0, |end| end + 1);
        let rest = self.file.text.get(start..).unwrap_or("");
        let count = 1 + self.snippet().matches('\n').count();
        (self.line()..).zip(rest.lines()).take(count)
    }

    fn before(&self) -> &str {
        self.file.text.get(..self.span.start).unwrap_or(&self.file.text)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.name, self.line(), self.column())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let text = "a = 1\né = \"x\"\n".to_owned();
        let file = Arc::new(SourceFile::new("s.toml", text));
        let check = |span: Range<usize>, place: &str, snippet: &str| {
            let position = Position { file: Arc::clone(&file), span };
            assert_eq!(position.to_string(), place);
            assert_eq!(position.snippet(), snippet);
        };
        check(0..1, "s.toml:1:1", "a");
        check(4..5, "s.toml:1:5", "1");
        check(6..8, "s.toml:2:1", "é");
        check(11..14, "s.toml:2:5", "\"x\"");
        check(90..91, "s.toml:3:1", "");
    }

    #[test]
    fn values_and_lines() {
        let text = "# rules\n[[layer]]\ntorch = 'a'\nkerasier = 2\n  keras=  'é'  \n".to_owned();
        let file = Arc::new(SourceFile::new("s.toml", text));
        let table = Position { file, span: 8..60 };
        let value = |key: &str| table.value_of(key).map(|at| format!("{at} {}", at.snippet()));
        assert_eq!(value("torch").as_deref(), Some("s.toml:3:9 'a'"));
        assert_eq!(value("keras").as_deref(), Some("s.toml:5:11 'é'"));
        assert_eq!(value("layout"), None);
        let of = |position: &Position| {
            position.lines().map(|(at, line)| format!("{at} {line}")).collect::<Vec<_>>()
        };
        assert_eq!(of(&table.at(26..29)), ["3 torch = 'a'"]);
        assert_eq!(of(&table.at(12..40)), ["2 [[layer]]", "3 torch = 'a'", "4 kerasier = 2"]);
        // A place within a line has no keys.
        assert!(table.at(18..30).value_of("torch").is_none());
    }
}
