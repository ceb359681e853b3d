//! The grammar of patterns: letters, `{captures}`, `{expressions}`.

use std::ops::Range;

use super::ambiguity::is_ambiguous;
use super::expression::Expression;
use super::part::{CaptureKind, Joint, Part, Separator};
use super::{PatternError, PatternErrorKind};

/// The longest pattern, in bytes. Names are a tenth of it; the search for ambiguity takes time in its square.
pub(super) const MAX_LENGTH: usize = 1024;

/// The capture `{*}`: the name of a parameter in the key of a tensor.
pub(crate) const PARAMETER: &str = "*";

/// The parts of a text, with the kinds that another pattern declares for bare captures.
pub(super) fn parse(
    text: &str,
    separator: Separator,
    declared: &[(String, CaptureKind)],
) -> Result<Vec<Part>, PatternError> {
    if text.len() > MAX_LENGTH {
        let kind = PatternErrorKind::TooLong { length: text.len(), limit: MAX_LENGTH };
        return Err(PatternError { range: 0..text.len(), kind });
    }
    let mut parts = scan(text)?;
    agree(&mut parts, declared)?;
    join(&mut parts, separator.as_char())?;
    if is_ambiguous(&parts, separator.as_char()) {
        let mut braces = parts.iter().filter_map(|part| match part {
            Part::Capture { range, .. } => Some(range.clone()),
            Part::Text(_) | Part::Expression { .. } => None,
        });
        let start = braces.next().map_or(0, |range| range.start);
        let end = braces.next_back().map_or(text.len(), |range| range.end);
        return Err(PatternError { range: start..end, kind: PatternErrorKind::Ambiguous });
    }
    Ok(parts)
}

/// Splits a text at its braces.
fn scan(text: &str) -> Result<Vec<Part>, PatternError> {
    let mut parts = Vec::new();
    let mut letters = String::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            letters.push(c);
            at += 2;
        } else if c == '{' {
            let end = rest.find('}').map(|length| at + length);
            let (Some(end), inner) = (end, &rest[1..]) else {
                return Err(PatternError { range: at..at + 1, kind: PatternErrorKind::Unbalanced });
            };
            let inner = &inner[..end - at - 1];
            if inner.contains('{') {
                return Err(PatternError { range: at..at + 1, kind: PatternErrorKind::Unbalanced });
            }
            if !letters.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut letters)));
            }
            parts.push(braces(inner, at..end + 1)?);
            at = end + 1;
        } else if c == '}' {
            return Err(PatternError { range: at..at + 1, kind: PatternErrorKind::Unbalanced });
        } else {
            letters.push(c);
            at += c.len_utf8();
        }
    }
    if !letters.is_empty() {
        parts.push(Part::Text(letters));
    }
    Ok(parts)
}

/// What stands in braces; `range` includes the braces.
fn braces(inner: &str, range: Range<usize>) -> Result<Part, PatternError> {
    let fail = |kind| Err(PatternError { range: range.clone(), kind });
    if inner.trim().is_empty() {
        return fail(PatternErrorKind::Empty);
    }
    let capture = |name: &str, kind, is_bare, range| Part::Capture {
        name: name.into(),
        kind,
        is_bare,
        joint: Joint::None,
        range,
    };
    if inner == PARAMETER {
        return Ok(capture(inner, CaptureKind::Segment, false, range));
    }
    if is_name(inner) {
        return Ok(capture(inner, CaptureKind::Integer, true, range));
    }
    let Some((name, kind)) = inner.split_once(':') else {
        let tree = Expression::parse(inner, range.start + 1)?;
        return Ok(Part::Expression { text: inner.to_owned(), tree });
    };
    if !is_name(name) {
        return fail(PatternErrorKind::CaptureName { name: name.to_owned() });
    }
    let kind = match kind {
        "*" => CaptureKind::Segment,
        "**" => CaptureKind::Segments,
        alternatives => {
            let mut list: Vec<String> = Vec::new();
            for alternative in alternatives.split('|') {
                if alternative.is_empty() {
                    return fail(PatternErrorKind::EmptyAlternative);
                }
                let alternative = alternative.to_owned();
                if list.contains(&alternative) {
                    return fail(PatternErrorKind::RepeatedAlternative { alternative });
                }
                list.push(alternative);
            }
            CaptureKind::Alternatives(list)
        }
    };
    Ok(capture(name, kind, false, range))
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Gives bare captures the kind that is declared for their name, here or in `declared`.
fn agree(parts: &mut [Part], declared: &[(String, CaptureKind)]) -> Result<(), PatternError> {
    let mut kinds: Vec<(String, CaptureKind)> = declared.to_vec();
    for part in &*parts {
        let Part::Capture { name, kind, is_bare: false, range, .. } = part else { continue };
        match kinds.iter().find(|(known, _)| **known == **name) {
            Some((_, known)) if known != kind => {
                let kind = PatternErrorKind::KindsDiffer { name: name.to_string() };
                return Err(PatternError { range: range.clone(), kind });
            }
            Some(_) => {}
            None => kinds.push((name.to_string(), kind.clone())),
        }
    }
    for part in parts {
        if let Part::Capture { name, kind, is_bare: true, .. } = part
            && let Some((_, declared)) = kinds.iter().find(|(known, _)| **known == **name)
        {
            *kind = declared.clone();
        }
    }
    Ok(())
}

/// Gives every `{x:**}` one of the separators beside it, so that it can stand for nothing.
fn join(parts: &mut Vec<Part>, separator: char) -> Result<(), PatternError> {
    for index in 0..parts.len() {
        let Some(Part::Capture { name, kind: CaptureKind::Segments, range, .. }) = parts.get(index) else {
            continue;
        };
        let range = range.clone();
        let kind = PatternErrorKind::PartOfSegment { name: name.to_string() };
        let before = index.checked_sub(1).and_then(|index| parts.get(index));
        let has_before = match before {
            None | Some(Part::Capture { joint: Joint::After, .. }) => true,
            // Nothing is left of a text only when the capture before it took the separator.
            Some(Part::Text(text)) => text.is_empty() || text.ends_with(separator),
            Some(Part::Capture { .. } | Part::Expression { .. }) => false,
        };
        let has_after = match parts.get(index + 1) {
            None => true,
            Some(Part::Text(text)) => text.starts_with(separator),
            Some(Part::Capture { .. } | Part::Expression { .. }) => false,
        };
        if !has_before || !has_after {
            return Err(PatternError { range, kind });
        }
        let chosen = if let Some(Part::Text(text)) = parts.get_mut(index + 1) {
            text.remove(0);
            Joint::After
        } else if let Some(Part::Text(text)) = index.checked_sub(1).and_then(|index| parts.get_mut(index))
            && text.pop().is_some()
        {
            Joint::Before
        } else {
            Joint::None
        };
        if let Some(Part::Capture { joint, .. }) = parts.get_mut(index) {
            *joint = chosen;
        }
    }
    parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    Ok(())
}
