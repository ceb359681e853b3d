//! The grammar: two sides of axes, each a name, a unit `1`, or a group in parentheses.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A parsed layout expression: `left -> right`, where the left side names the axes of the source and the
/// right side those of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    text: Arc<str>,
    left: Vec<Group>,
    right: Vec<Group>,
}

/// One axis of a tensor, as the row-major product of named axes; no names for a unit axis.
pub(crate) type Group = Vec<String>;

/// Why a text is not a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct LayoutError {
    /// The part of the text that is wrong, in bytes.
    pub range: Range<usize>,
    /// What is wrong with it.
    pub kind: LayoutErrorKind,
}

/// What is wrong with a text that is not a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutErrorKind {
    /// Not exactly one arrow.
    #[error("a layout has one `->` between the source's axes and the target's, as in `o i -> i o`")]
    Arrow,
    /// A closing parenthesis without an opening one, or the other way round.
    #[error("this parenthesis has no partner")]
    Unbalanced,
    /// A group in a group.
    #[error("groups do not nest: write `(a b c)`")]
    Nested,
    /// A group without names.
    #[error("a group holds at least one axis; write `1` for an axis of size one")]
    EmptyGroup,
    /// Neither a name nor `1`.
    #[error(
        "`{0}` is not an axis: a name is a letter followed by letters, digits or `_`; `1` is a unit axis"
    )]
    Name(String),
    /// A side that names an axis twice.
    #[error("the axis `{0}` stands twice on this side")]
    Repeated(String),
}

impl Layout {
    /// Parses an expression.
    ///
    /// # Errors
    /// When it is not `left -> right`, parentheses do not match, or a side names an axis twice.
    pub fn parse(text: &str) -> Result<Self, LayoutError> {
        let arrows: Vec<usize> = text.match_indices("->").map(|(at, _)| at).collect();
        let &[arrow] = arrows.as_slice() else {
            return Err(LayoutError { range: 0..text.len(), kind: LayoutErrorKind::Arrow });
        };
        let (left, right) = (&text[..arrow], &text[arrow + 2..]);
        Ok(Self { text: text.into(), left: parse_side(left, 0)?, right: parse_side(right, arrow + 2)? })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, shared.
    pub(crate) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The same with the sides exchanged.
    #[must_use]
    pub fn turned(&self) -> Self {
        let (left, right) = self.text.split_once("->").unwrap_or((&self.text, ""));
        let text = format!("{} -> {}", right.trim(), left.trim()).into();
        Self { text, left: self.right.clone(), right: self.left.clone() }
    }

    /// The groups of the left side, one per source axis.
    pub(crate) fn left(&self) -> &[Group] {
        &self.left
    }

    /// The groups of the right side, one per target axis.
    pub(crate) fn right(&self) -> &[Group] {
        &self.right
    }

    /// Every axis named on the left, in order.
    pub fn left_axes(&self) -> impl Iterator<Item = &str> {
        self.left.iter().flatten().map(String::as_str)
    }

    /// Every axis named on the right, in order.
    pub fn right_axes(&self) -> impl Iterator<Item = &str> {
        self.right.iter().flatten().map(String::as_str)
    }

    /// Whether the left side names this axis.
    #[must_use]
    pub fn has_left(&self, axis: &str) -> bool {
        self.left_axes().any(|name| name == axis)
    }

    /// Whether the right side names this axis.
    #[must_use]
    pub fn has_right(&self, axis: &str) -> bool {
        self.right_axes().any(|name| name == axis)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Parses one side, which starts at byte `start` of the expression.
fn parse_side(side: &str, start: usize) -> Result<Vec<Group>, LayoutError> {
    let fail =
        |range: Range<usize>, kind| Err(LayoutError { range: start + range.start..start + range.end, kind });
    let mut groups: Vec<Group> = Vec::new();
    // The opening parenthesis and the names since it.
    let mut open: Option<(usize, Group)> = None;
    let mut seen: Vec<&str> = Vec::new();
    for (range, token) in tokens(side) {
        match token {
            "(" if open.is_some() => return fail(range, LayoutErrorKind::Nested),
            "(" => open = Some((range.start, Group::new())),
            ")" => match open.take() {
                None => return fail(range, LayoutErrorKind::Unbalanced),
                Some((at, group)) if group.is_empty() => {
                    return fail(at..range.end, LayoutErrorKind::EmptyGroup);
                }
                Some((_, group)) => groups.push(group),
            },
            "1" if open.is_none() => groups.push(Group::new()),
            name if is_name(name) => {
                if seen.contains(&name) {
                    return fail(range, LayoutErrorKind::Repeated(name.to_owned()));
                }
                seen.push(name);
                match &mut open {
                    Some((_, group)) => group.push(name.to_owned()),
                    None => groups.push(vec![name.to_owned()]),
                }
            }
            other => return fail(range, LayoutErrorKind::Name(other.to_owned())),
        }
    }
    match open {
        Some((at, _)) => fail(at..at + 1, LayoutErrorKind::Unbalanced),
        None => Ok(groups),
    }
}

/// Parentheses, and whatever stands between them and white space.
fn tokens(side: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + side[rest..].find(|c: char| !c.is_whitespace())?;
        let tail = &side[start..];
        let length = match tail.find(|c: char| c.is_whitespace() || c == '(' || c == ')') {
            Some(0) => 1,
            Some(length) => length,
            None => tail.len(),
        };
        rest = start + length;
        Some((start..rest, &side[start..rest]))
    })
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic())
        && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, left: &[&[&str]], right: &[&[&str]]) {
        let layout = Layout::parse(text).unwrap();
        assert_eq!(layout.left(), left);
        assert_eq!(layout.right(), right);
        assert_eq!(layout.as_str(), text);
    }

    fn check_error(text: &str, range: Range<usize>, kind: LayoutErrorKind) {
        assert_eq!(Layout::parse(text), Err(LayoutError { range, kind }));
    }

    #[test]
    fn parses() {
        check("o i h w -> h w i o", &[&["o"], &["i"], &["h"], &["w"]], &[&["h"], &["w"], &["i"], &["o"]]);
        check("(h d) e->e h d", &[&["h", "d"], &["e"]], &[&["e"], &["h"], &["d"]]);
        check("c -> 1 1 c", &[&["c"]], &[&[], &[], &["c"]]);
        check("->", &[], &[]);
        check("(head_1 d2) -> head_1 d2", &[&["head_1", "d2"]], &[&["head_1"], &["d2"]]);
    }

    #[test]
    fn refuses() {
        check_error("o i", 0..3, LayoutErrorKind::Arrow);
        check_error("a -> b -> c", 0..11, LayoutErrorKind::Arrow);
        check_error("a -> (b", 5..6, LayoutErrorKind::Unbalanced);
        check_error("a) -> b", 1..2, LayoutErrorKind::Unbalanced);
        check_error("((a b)) -> c", 1..2, LayoutErrorKind::Nested);
        check_error("a -> ( ) a", 5..8, LayoutErrorKind::EmptyGroup);
        check_error("a b a -> b", 4..5, LayoutErrorKind::Repeated("a".into()));
        check_error("a 2 -> a", 2..3, LayoutErrorKind::Name("2".into()));
        check_error("a é -> a", 2..4, LayoutErrorKind::Name("é".into()));
        check_error("(1 a) -> a", 1..2, LayoutErrorKind::Name("1".into()));
    }
}
