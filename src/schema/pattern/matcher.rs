//! Matching a name with the parts of a pattern.
//!
//! As a regular expression would, the first capture is tried as long as it can be, and alternatives in their order. A
//! schema has hundreds of patterns, each layer makes more of them, and most meet a few names: compiling an expression
//! for each took two thirds of the time of a small conversion.

use super::part::{CaptureKind, Joint, Part, Separator};
use crate::map::Set;

/// The texts of the captures, one for each part that is a capture, where the parts make up the whole of `name`. A
/// `{x:**}` that stands for no segment has an empty one. Expressions match nothing.
pub(super) fn groups<'n>(parts: &[Part], separator: Separator, name: &'n str) -> Option<Vec<&'n str>> {
    if !has_texts(parts, name) {
        return None;
    }
    let mut search =
        Search { parts, separator: separator.as_char(), name, groups: Vec::new(), failed: Set::default() };
    search.matches(0, 0).then_some(search.groups)
}

/// Whether the name begins and ends as the parts do, and has their texts in between, in this order. Most names that do
/// not match fail here.
fn has_texts(parts: &[Part], name: &str) -> bool {
    let is_end = |part: Option<&Part>, fits: &dyn Fn(&str) -> bool| match part {
        Some(Part::Text(text)) => fits(text),
        _ => true,
    };
    if !is_end(parts.first(), &|text| name.starts_with(text))
        || !is_end(parts.last(), &|text| name.ends_with(text))
    {
        return false;
    }
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Capture { .. } | Part::Expression { .. } => None,
    });
    let mut rest = name;
    for text in texts {
        let Some(at) = rest.find(text) else { return false };
        rest = &rest[at + text.len()..];
    }
    true
}

struct Search<'p, 'n> {
    parts: &'p [Part],
    separator: char,
    name: &'n str,
    /// Of the parts that have matched so far.
    groups: Vec<&'n str>,
    /// Captures, by part and place in the name, from where nothing matches to the end: so that none is tried twice, and
    /// the work is bounded by parts times letters.
    failed: Set<(usize, usize)>,
}

impl<'n> Search<'_, 'n> {
    /// Whether the parts from one on match the name from a place on.
    fn matches(&mut self, part: usize, at: usize) -> bool {
        let rest = self.name.get(at..).unwrap_or_default();
        match self.parts.get(part) {
            None => rest.is_empty(),
            Some(Part::Text(text)) => {
                rest.starts_with(text.as_str()) && self.matches(part + 1, at + text.len())
            }
            Some(Part::Expression { .. }) => false,
            Some(Part::Capture { kind, joint, .. }) => {
                if self.failed.contains(&(part, at)) {
                    return false;
                }
                let found = self.capture(part, at, rest, kind, *joint);
                if !found {
                    self.failed.insert((part, at));
                }
                found
            }
        }
    }

    fn capture(&mut self, part: usize, at: usize, rest: &'n str, kind: &CaptureKind, joint: Joint) -> bool {
        let separator = self.separator;
        let mut takes = |group: &'n str, length: usize| {
            self.groups.push(group);
            let found = self.matches(part + 1, at + length);
            if !found {
                self.groups.pop();
            }
            found
        };
        match kind {
            CaptureKind::Integer => {
                // No leading zeros.
                let most = if rest.starts_with('0') { 1 } else { digits(rest) };
                (1..=most).rev().any(|length| takes(&rest[..length], length))
            }
            CaptureKind::Alternatives(all) => all
                .iter()
                .any(|text| rest.starts_with(text.as_str()) && takes(&rest[..text.len()], text.len())),
            CaptureKind::Segment => {
                let most = rest.find(separator).unwrap_or(rest.len());
                lengths(rest, most).any(|length| takes(&rest[..length], length))
            }
            CaptureKind::Segments => {
                let joint_length = if joint == Joint::None { 0 } else { separator.len_utf8() };
                let start = if joint == Joint::Before { joint_length } else { 0 };
                let is_open = joint != Joint::Before || rest.starts_with(separator);
                let inner = if is_open { &rest[start..] } else { "" };
                let whole = |length: &usize| {
                    !inner[..*length].ends_with(separator)
                        && (joint != Joint::After || inner[*length..].starts_with(separator))
                };
                lengths(inner, segments(inner, separator))
                    .filter(whole)
                    .any(|length| takes(&inner[..length], length + joint_length))
                    || takes("", 0)
            }
        }
    }
}

/// From the longest to one letter.
fn lengths(text: &str, most: usize) -> impl Iterator<Item = usize> {
    (1..=most).rev().filter(|&length| text.is_char_boundary(length))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Up to where segments follow each other, none of them empty.
fn segments(text: &str, separator: char) -> usize {
    let mut end = 0;
    for segment in text.split(separator) {
        if segment.is_empty() {
            break;
        }
        end += segment.len() + separator.len_utf8();
    }
    end.saturating_sub(separator.len_utf8())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// The regular expression of parts without expressions.
    fn regex(parts: &[Part], separator: Separator) -> Regex {
        let separator = regex::escape(&separator.as_char().to_string());
        let segment = format!("[^{separator}]+");
        let segments = format!("({segment}(?:{separator}{segment})*)");
        let of = |part: &Part| match part {
            Part::Text(text) => regex::escape(text),
            Part::Expression { .. } => String::new(),
            Part::Capture { kind, joint, .. } => match (kind, joint) {
                (CaptureKind::Integer, _) => "(0|[1-9][0-9]*)".to_owned(),
                (CaptureKind::Segment, _) => format!("({segment})"),
                (CaptureKind::Alternatives(all), _) => {
                    let all: Vec<String> = all.iter().map(|text| regex::escape(text)).collect();
                    format!("({})", all.join("|"))
                }
                (CaptureKind::Segments, Joint::None) => format!("{segments}?"),
                (CaptureKind::Segments, Joint::Before) => format!("(?:{separator}{segments})?"),
                (CaptureKind::Segments, Joint::After) => format!("(?:{segments}{separator})?"),
            },
        };
        Regex::new(&format!(r"\A{}\z", parts.iter().map(of).collect::<String>())).unwrap()
    }

    fn part() -> impl Strategy<Value = Part> {
        let text = prop::sample::select(vec!["a", ".", "0", "1", "é", "a.", ".b"]);
        let kind = prop_oneof![
            Just(CaptureKind::Integer),
            Just(CaptureKind::Segment),
            Just(CaptureKind::Segments),
            prop::sample::subsequence(vec!["a", "", "ab", "a.b", "é", "1"], 1..5)
                .prop_map(|all| CaptureKind::Alternatives(all.into_iter().map(str::to_owned).collect())),
        ];
        let joint = prop::sample::select(vec![Joint::None, Joint::Before, Joint::After]);
        prop_oneof![
            text.prop_map(|text| Part::Text(text.to_owned())),
            (kind, joint).prop_map(|(kind, joint)| Part::Capture {
                name: "x".into(),
                kind,
                is_bare: false,
                joint,
                range: 0..0
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Also where the parts match in several ways.
        #[test]
        fn as_a_regular_expression(parts in prop::collection::vec(part(), 0..6), name in "[ab01.é]{0,10}") {
            let expected = regex(&parts, Separator::Dot).captures(&name).map(|groups| {
                groups.iter().skip(1).map(|group| group.map_or("", |group| group.as_str())).collect::<Vec<_>>()
            });
            prop_assert_eq!(groups(&parts, Separator::Dot, &name), expected);
        }
    }

    #[test]
    fn no_place_is_tried_twice() {
        let capture = || Part::Capture {
            name: "x".into(),
            kind: CaptureKind::Segments,
            is_bare: false,
            joint: Joint::None,
            range: 0..0,
        };
        let mut parts: Vec<Part> = (0..200).map(|_| capture()).collect();
        parts.extend([Part::Text("b".to_owned()), capture(), Part::Text("b".to_owned())]);
        assert_eq!(groups(&parts, Separator::Dot, &format!("{}b", "a".repeat(200))), None);
    }
}
