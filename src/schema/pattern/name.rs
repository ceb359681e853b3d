//! Patterns: matching names and computing them.

use std::fmt;
use std::sync::Arc;

use super::ambiguity::is_ambiguous;
use super::captures::Captures;
use super::parse::{self, MAX_LENGTH, PARAMETER};
use super::part::{CaptureKind, CaptureValue, Joint, Part, Separator, render};
use super::{EvaluateError, PatternError, PatternErrorKind, Tables, matcher};

/// What the names of captures begin with that stand for the prefix of a schema within another. No letter of a name.
const MOUNT: &str = "^";

/// A parsed name.
///
/// `{i}` captures a decimal integer without leading zeros, `{x:a|b}` one of several texts, `{x:*}` one
/// segment of one or more characters, and `{x:**}` any number of whole segments. It may be none: the
/// separator beside it then falls away, so `{x:**}.weight` matches `weight` too. `{x}` without a kind is
/// whatever `x` is declared as elsewhere in the pattern or on the other side of its rule. Any other text in
/// braces is an expression. `{{` and `}}` are braces in a name.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    separator: Separator,
    parts: Vec<Part>,
    captures: Vec<(String, CaptureKind)>,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    /// No captures and no expressions: the name itself.
    Literal(String),
    /// Captures and letters.
    Captures,
    /// Expressions are left.
    Nothing,
}

impl Pattern {
    /// Parses a name.
    ///
    /// # Errors
    /// When braces do not match, a capture is declared in two ways, an expression is none, or a name could
    /// match in more than one way.
    pub fn parse(text: &str, separator: Separator) -> Result<Self, PatternError> {
        Self::parse_with(text, separator, &[])
    }

    /// Parses a name whose bare captures (`{x}`) are of the kinds declared elsewhere.
    ///
    /// # Errors
    /// As [`Self::parse`]; also when the name declares a capture in another way.
    pub fn parse_with(
        text: &str,
        separator: Separator,
        declared: &[(String, CaptureKind)],
    ) -> Result<Self, PatternError> {
        let parts = parse::parse(text, separator, declared)?;
        Ok(Self::build(text.to_owned(), separator, parts))
    }

    fn build(text: String, separator: Separator, parts: Vec<Part>) -> Self {
        let mut captures: Vec<(String, CaptureKind)> = Vec::new();
        let mut literal = Some(String::new());
        let mut computes = false;
        for part in &parts {
            match (part, &mut literal) {
                (Part::Text(letters), Some(literal)) => literal.push_str(letters),
                (Part::Text(_), None) => {}
                (Part::Capture { name, kind, .. }, _) => {
                    literal = None;
                    if !captures.iter().any(|(known, _)| **known == **name) {
                        captures.push((name.to_string(), kind.clone()));
                    }
                }
                (Part::Expression { .. }, _) => {
                    literal = None;
                    computes = true;
                }
            }
        }
        let matcher = match literal {
            Some(literal) => Matcher::Literal(literal),
            None if computes => Matcher::Nothing,
            None => Matcher::Captures,
        };
        Self { text, separator, parts, captures, matcher }
    }

    /// The name itself when the pattern is literal, else as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.literal().unwrap_or(&self.text)
    }

    /// What stands between the segments.
    #[must_use]
    pub const fn separator(&self) -> Separator {
        self.separator
    }

    /// The captures that the pattern binds when it matches, in order of appearance, each once. Expressions
    /// (`{i+1}`, `{T[i]}`) bind nothing.
    #[must_use]
    pub fn captures(&self) -> &[(String, CaptureKind)] {
        &self.captures
    }

    /// The captures that are written with their kind (`{x:…}`), for the other side of a rule.
    pub(crate) fn declares(&self) -> Vec<(String, CaptureKind)> {
        let declared = |(name, _): &&(String, CaptureKind)| {
            self.parts.iter().any(
                |part| matches!(part, Part::Capture { name: other, is_bare: false, .. } if **other == **name),
            )
        };
        self.captures.iter().filter(declared).cloned().collect()
    }

    /// The names that expressions read (`i` of `{2*i}` and of `{T[i]}`), in order of appearance, each once.
    #[must_use]
    pub fn reads(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in &self.parts {
            if let Part::Expression { tree, .. } = part {
                tree.reads(&mut |name| {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                });
            }
        }
        names
    }

    /// The tables that expressions look up, in order of appearance, each once.
    #[must_use]
    pub fn tables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in &self.parts {
            if let Part::Expression { tree, .. } = part {
                tree.tables(&mut |name| {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                });
            }
        }
        names
    }

    /// The same name with `before` in front of it, and one of `prefixes` between them; `before` and the prefixes are
    /// letters, and end in a separator unless they are empty. Where there are several prefixes, which one it was is
    /// a capture that no rule can name.
    ///
    /// # Errors
    /// When it becomes too long.
    pub(crate) fn mounted(&self, before: &str, prefixes: &[String]) -> Result<Self, PatternErrorKind> {
        let separator = self.separator.as_char();
        let (between, choices) = match prefixes {
            [] => ("", &[][..]),
            [one] => (one.as_str(), &[][..]),
            several => ("", several),
        };
        let mut before = format!("{before}{between}");
        let mut text = format!("{before}{}", self.text);
        let mut parts = self.parts.clone();
        if self.text.is_empty() {
            // The root module's own name is empty; below another it is that one's.
            let own = text.trim_end_matches(separator).len();
            text.truncate(own);
        }
        let lacks_joint = |part: &Part| {
            matches!(part, Part::Capture { kind: CaptureKind::Segments, joint: Joint::None, .. })
        };
        let mut choices: Vec<String> = choices.to_vec();
        if choices.is_empty() && self.text.is_empty() {
            before.clone_from(&text);
        } else if self.text.is_empty() {
            let whole = |choice: &String| format!("{before}{choice}").trim_end_matches(separator).to_owned();
            choices = choices.iter().map(whole).collect();
            before.clear();
        } else if let (Some(Part::Capture { joint, .. }), true) = (
            parts.first_mut().filter(|part| lacks_joint(part)),
            choices.is_empty() && before.ends_with(separator),
        ) {
            // The separator falls away with the segments.
            *joint = Joint::Before;
            before.pop();
        }
        if !choices.is_empty() {
            let hidden = self.captures.iter().filter(|(name, _)| name.starts_with(MOUNT)).count();
            let capture = Part::Capture {
                name: format!("{MOUNT}{hidden}").into(),
                kind: CaptureKind::Alternatives(choices),
                is_bare: false,
                joint: Joint::None,
                range: 0..0,
            };
            parts.insert(0, capture);
        }
        match parts.first_mut() {
            Some(Part::Text(text)) => text.insert_str(0, &before),
            _ if before.is_empty() => {}
            _ => parts.insert(0, Part::Text(before)),
        }
        if text.len() > MAX_LENGTH {
            return Err(PatternErrorKind::TooLong { length: text.len(), limit: MAX_LENGTH });
        }
        Ok(Self::build(text, self.separator, parts))
    }

    /// Whether it has expressions, and so matches nothing until values are put in.
    #[must_use]
    pub const fn computes(&self) -> bool {
        matches!(self.matcher, Matcher::Nothing)
    }

    /// Whether it has neither captures nor expressions.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        matches!(self.matcher, Matcher::Literal(_))
    }

    /// The one name that a literal pattern stands for, escapes resolved.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &self.matcher {
            Matcher::Literal(name) => Some(name),
            Matcher::Captures | Matcher::Nothing => None,
        }
    }

    /// Whether it has `{*}`, which stands for the names of a module's parameters.
    #[must_use]
    pub fn has_parameter(&self) -> bool {
        self.captures.iter().any(|(name, _)| name == PARAMETER)
    }

    /// What stands before and after `{*}`, where that is all that is left to capture.
    #[must_use]
    pub fn around_parameter(&self) -> Option<(&str, &str)> {
        let is_parameter = |part: &Part| matches!(part, Part::Capture { name, .. } if **name == *PARAMETER);
        match self.parts.as_slice() {
            [one] if is_parameter(one) => Some(("", "")),
            [Part::Text(before), one] if is_parameter(one) => Some((before, "")),
            [one, Part::Text(after)] if is_parameter(one) => Some(("", after)),
            [Part::Text(before), one, Part::Text(after)] if is_parameter(one) => Some((before, after)),
            _ => None,
        }
    }

    /// The captures' values when the whole of `name` matches. A pattern that still has expressions matches
    /// nothing, nor does a name with an integer past 2^64 - 1 in the place of `{i}`.
    #[must_use]
    pub fn matches(&self, name: &str) -> Option<Captures> {
        let groups = match &self.matcher {
            Matcher::Literal(literal) => return (literal == name).then(Captures::new),
            Matcher::Nothing => return None,
            Matcher::Captures => matcher::groups(&self.parts, self.separator, name)?,
        };
        let mut captures = Captures::new();
        let parts = self.parts.iter().filter_map(|part| match part {
            Part::Capture { name, kind, .. } => Some((name, kind)),
            Part::Text(_) | Part::Expression { .. } => None,
        });
        for ((name, kind), text) in parts.zip(groups) {
            let value = match kind {
                CaptureKind::Integer => CaptureValue::Integer(text.parse().ok()?),
                CaptureKind::Alternatives(_) | CaptureKind::Segment => CaptureValue::Text(text.to_owned()),
                CaptureKind::Segments => CaptureValue::Text(text.replace(self.separator.as_char(), "/")),
            };
            match captures.get(name) {
                Some(earlier) if *earlier != value => return None,
                Some(_) => {}
                None => {
                    captures.insert(Arc::clone(name), value);
                }
            }
        }
        Some(captures)
    }

    /// The pattern with every capture named in `values` and every expression replaced by its value. What
    /// `values` does not name stays a capture.
    ///
    /// # Errors
    /// When an expression reads a capture that has no value, leaves the integers, or finds no table entry;
    /// also when the values make what is left ambiguous.
    pub fn substitute(&self, values: &Captures, tables: &Tables) -> Result<Self, EvaluateError> {
        let mut parts: Vec<Part> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let letters = match part {
                Part::Text(letters) => letters.clone(),
                Part::Expression { text, tree } => match tree.joins_nothing(values) {
                    // What stands beside it would be left over, as in `encoder_`.
                    Some(name) if self.parts.len() > 1 => {
                        return Err(EvaluateError::NothingToJoin { name: name.to_owned() });
                    }
                    _ => tree.evaluate(values, tables, text)?.to_string(),
                },
                Part::Capture { name, kind, joint, .. } => match values.get(name) {
                    Some(value) => self.spell(value, kind, *joint),
                    None => {
                        parts.push(part.clone());
                        continue;
                    }
                },
            };
            match parts.last_mut() {
                Some(Part::Text(before)) => before.push_str(&letters),
                _ => parts.push(Part::Text(letters)),
            }
        }
        let text = render(&parts, self.separator);
        let fail = |error| EvaluateError::Pattern { text: text.clone(), error };
        // Fixing captures cannot make a pattern ambiguous, but the value of an expression can.
        if self.computes() && parts.len() > 1 {
            if text.len() > MAX_LENGTH {
                return Err(fail(PatternErrorKind::TooLong { length: text.len(), limit: MAX_LENGTH }));
            }
            if is_ambiguous(&parts, self.separator.as_char()) {
                return Err(fail(PatternErrorKind::Ambiguous));
            }
        }
        Ok(Self::build(text, self.separator, parts))
    }

    /// The letters of a capture's value.
    fn spell(&self, value: &CaptureValue, kind: &CaptureKind, joint: Joint) -> String {
        let text = value.to_string();
        if *kind != CaptureKind::Segments {
            return text;
        }
        let separator = self.separator.as_char();
        let text = text.replace('/', separator.encode_utf8(&mut [0; 4]));
        match joint {
            _ if text.is_empty() => text,
            Joint::None => text,
            Joint::Before => format!("{separator}{text}"),
            Joint::After => format!("{text}{separator}"),
        }
    }
}

/// Patterns are equal when they match the same names and compute the same ones.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.separator == other.separator && self.text == other.text && self.parts == other.parts
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, Separator::Dot).unwrap()
    }

    /// `expected`: the values as `name=value`, joined by blanks.
    fn check(text: &str, name: &str, expected: Option<&str>) {
        let values = pattern(text).matches(name).map(|captures| {
            captures.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(values.as_deref(), expected, "{text} on {name}");
    }

    fn check_error(text: &str, range: Range<usize>, kind: PatternErrorKind) {
        let error = Pattern::parse(text, Separator::Dot).unwrap_err();
        assert_eq!(error, PatternError { range, kind }, "{text}");
        assert!(!error.help().is_empty());
    }

    #[test]
    fn integers() {
        check("layer.{i}.weight", "layer.0.weight", Some("i=0"));
        check("layer.{i}.weight", "layer.12.weight", Some("i=12"));
        check("layer.{i}.weight", "layer.012.weight", None);
        check("layer.{i}.weight", "layer.-1.weight", None);
        check("layer.{i}.weight", "layer.٣.weight", None);
        check("layer.{i}.weight", "layer.18446744073709551615.weight", Some("i=18446744073709551615"));
        check("layer.{i}.weight", "layer.18446744073709551616.weight", None);
        check("layer.{i}.weight", "xlayer.1.weight", None);
        check("layer.{i}.weight", "layer.1.weight\n", None);
        check("layerx{i}", "layer.1", None);
        check("a.b", "axb", None);
    }

    #[test]
    fn texts() {
        check("self.{p:query|key}.weight", "self.key.weight", Some("p=key"));
        check("self.{p:query|key}.weight", "self.value.weight", None);
        check("{a:x|xy}{b:z|w}", "xyz", Some("a=xy b=z"));
        check("{p:a.b|c+}.weight", "a.b.weight", Some("p=a.b"));
        check("{p:a.b|c+}.weight", "axb.weight", None);
        check("{p:a.b|c+}.weight", "cc.weight", None);
        check("{m:*}.weight", "a.weight", Some("m=a"));
        check("{m:*}.weight", ".weight", None);
        check("{m:*}.weight", "a.b.weight", None);
        check("conv{x:*}_{i}", "conv_a_1_2", Some("i=2 x=_a_1"));
        check("{{{i}}}", "{3}", Some("i=3"));
    }

    #[test]
    fn segments() {
        check("{m:**}.weight", "a.b.weight", Some("m=a/b"));
        check("{m:**}.weight", "weight", Some("m="));
        check("{m:**}.weight", ".weight", None);
        check("{m:**}.weight", "a..weight", None);
        check("a.{m:**}.w", "a.w", Some("m="));
        check("a.{m:**}.w", "a.b.c.w", Some("m=b/c"));
        check("a.{m:**}", "a", Some("m="));
        check("a.{m:**}", "a.b", Some("m=b"));
        check("a.{m:**}", "a.", None);
        check("{m:**}", "", Some("m="));
        check("{m:**}", "a.b", Some("m=a/b"));
        check("{m:**}.{n:*}", "a.b.c", Some("m=a/b n=c"));
    }

    #[test]
    fn repeated_captures_agree() {
        check("{i}.x{i}", "3.x3", Some("i=3"));
        check("{i}.x{i}", "3.x4", None);
        check("{p:a|b}.{p}", "b.b", Some("p=b"));
        check("{p}.{p:a|b}", "b.a", None);
    }

    #[test]
    fn refuses() {
        use PatternErrorKind as Kind;
        check_error("a{i", 1..2, Kind::Unbalanced);
        check_error("a}i", 1..2, Kind::Unbalanced);
        check_error("a{i{j}}", 1..2, Kind::Unbalanced);
        check_error("a{}", 1..3, Kind::Empty);
        check_error("{1x:a}", 0..6, Kind::CaptureName { name: "1x".into() });
        check_error("{x:}", 0..4, Kind::EmptyAlternative);
        check_error("{x:a|}", 0..6, Kind::EmptyAlternative);
        check_error("{x:a|b|a}", 0..9, Kind::RepeatedAlternative { alternative: "a".into() });
        check_error("{x:a|b}.{x:*}", 8..13, Kind::KindsDiffer { name: "x".into() });
        check_error("a{x:**}.b", 1..7, Kind::PartOfSegment { name: "x".into() });
        check_error("a.{x:**}b", 2..8, Kind::PartOfSegment { name: "x".into() });
        check_error("{i}{j}", 0..6, Kind::Ambiguous);
        check_error("é{i}0{j}.w", 2..9, Kind::Ambiguous);
        check_error("{x:*}_{y:*}", 0..11, Kind::Ambiguous);
        check_error("{x:*}{i}", 0..8, Kind::Ambiguous);
        check_error("{x:**}.{y:**}", 0..13, Kind::Ambiguous);
        check_error("a.{x:**}.{y:*}.{z:**}", 2..21, Kind::Ambiguous);
        check_error("{x:a|ab}{y:bc|c}", 0..16, Kind::Ambiguous);
        check_error("x{i /2}", 4..5, Kind::Expression { found: "`/`".into() });
        check_error(&"a".repeat(1025), 0..1025, Kind::TooLong { length: 1025, limit: 1024 });
    }

    #[test]
    fn accepts_what_only_looks_ambiguous() {
        for text in ["{i}_{j}", "{x:*}_{i}", "{i}{x:a|b}", "{x:**}.{i}.{y:*}", "{p:q|k}{i}{x:_a|_b}"] {
            assert_eq!(Pattern::parse(text, Separator::Dot).map(|_| ()), Ok(()), "{text}");
        }
    }

    #[test]
    fn describes_itself() {
        let pattern = Pattern::parse("b{i}/{p:a|b}/{T[i+j]}_{2*i}", Separator::Slash).unwrap();
        let alternatives = CaptureKind::Alternatives(vec!["a".into(), "b".into()]);
        assert_eq!(pattern.captures(), [("i".into(), CaptureKind::Integer), ("p".into(), alternatives)]);
        assert_eq!(pattern.reads(), ["i", "j"]);
        assert_eq!(pattern.tables(), ["T"]);
        assert_eq!(pattern.declares().len(), 1);
        assert!(pattern.computes() && !pattern.is_literal());
        assert_eq!(pattern.matches("b1/a/x_2"), None);
        assert_eq!(self::pattern("a{{b}}").literal(), Some("a{b}"));
    }

    #[test]
    fn substitutes() {
        let check = |text: &str, values: &[(&str, CaptureValue)], expected: &str| {
            let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            let tables = Tables::from([(
                "T".to_owned(),
                vec![(CaptureValue::Text("q".into()), CaptureValue::Text("query".into()))],
            )]);
            let pattern = Pattern::parse(text, Separator::Slash).unwrap();
            let result = pattern.substitute(&values, &tables);
            let result = result.map_or_else(|error| error.to_string(), |pattern| pattern.to_string());
            assert_eq!(result, expected);
        };
        let integer = CaptureValue::Integer;
        let string = |text: &str| CaptureValue::Text(text.to_owned());
        check("block_{i+1}/{T[p]}", &[("i", integer(0)), ("p", string("q"))], "block_1/query");
        check("b{i}/{p:a|b}/{{", &[("i", integer(4))], "b4/{p:a|b}/{{");
        check("b{i}/{{", &[("i", integer(4))], "b4/{");
        check("{m:**}/kernel", &[("m", string("a/b"))], "a/b/kernel");
        check("{m:**}/kernel", &[("m", string(""))], "kernel");
        check("a/{m:**}", &[("m", string(""))], "a");
        check("a/{m:**}/{i}", &[("i", integer(3))], "a/{m:**}/3");
        check("{i-1}", &[("i", integer(0))], "`{i-1}` leaves the integers from 0 to 2^64 - 1");
        check(
            "{p:*}{i+1}_{q:*}",
            &[("i", integer(1))],
            "with its values put in, the pattern becomes `{p:*}2_{q:*}`: names can match this in more than one \
             way: the captures run into each other",
        );
    }

    #[test]
    fn segments_change_their_separator() {
        let torch = pattern("enc.{m:**}.weight");
        let keras = Pattern::parse_with("e/{m}/kernel", Separator::Slash, &torch.declares()).unwrap();
        let values = torch.matches("enc.a.b.weight").unwrap();
        let path = keras.substitute(&values, &Tables::new()).unwrap();
        assert_eq!(path.literal(), Some("e/a/b/kernel"));
        assert_eq!(keras.matches("e/a/b/kernel"), Some(values));
    }

    proptest! {
        #[test]
        fn matching_undoes_substitution(
            i in any::<u64>(),
            p in prop::sample::select(vec!["query", "key", "v.x"]),
            m in "[a-z_0-9]{1,8}",
            s in prop::collection::vec("[a-zé{}]{1,3}", 0..4),
        ) {
            let pattern = pattern("x{i}.{p:query|key|v.x}.{{{m:*}.{s:**}.w{i}");
            let values = Captures::from([
                ("i".to_owned(), CaptureValue::Integer(i)),
                ("p".to_owned(), CaptureValue::Text(p.to_owned())),
                ("m".to_owned(), CaptureValue::Text(m)),
                ("s".to_owned(), CaptureValue::Text(s.join("/"))),
            ]);
            let name = pattern.substitute(&values, &Tables::new()).unwrap();
            prop_assert_eq!(pattern.matches(name.literal().unwrap()), Some(values));
        }

        #[test]
        fn parsing_and_matching_never_panic(
            text in "[ai{}:|*.+/0é\\[\\] ]{0,24}",
            name in "[ai.0é]{0,12}",
        ) {
            if let Ok(pattern) = Pattern::parse(&text, Separator::Dot)
                && let Some(values) = pattern.matches(&name)
            {
                let again = pattern.substitute(&values, &Tables::new()).unwrap();
                prop_assert_eq!(again.literal(), Some(name.as_str()));
            }
        }
    }
}
