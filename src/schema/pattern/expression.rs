//! What the Keras side may compute: `i+1`, `(i+1)*2`, `TABLE[i]`, `m|_`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::parse::is_name;
use super::{CaptureValue, Captures, EvaluateError, PatternError, PatternErrorKind};

/// The look-up tables of a schema, by name; an entry per key, in order. A list's keys are the integers from
/// zero.
pub type Tables = BTreeMap<String, Vec<(CaptureValue, CaptureValue)>>;

/// Parentheses and brackets that may stand within one another. The parser recurses; names need two or three.
const MAX_DEPTH: usize = 32;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Integer(u64),
    Capture(String),
    Binary(Box<Expression>, Operator, Box<Expression>),
    Lookup(String, Box<Expression>),
    /// The segments of a capture, with another separator between them.
    Join(String, char),
}

/// What may stand between the segments of a capture that is joined.
const JOINTS: [char; 3] = ['_', '.', '-'];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Expression {
    /// Parses an expression that starts at byte `start` of its pattern.
    pub(super) fn parse(text: &str, start: usize) -> Result<Self, PatternError> {
        if let Some((name, joint)) = text.split_once('|')
            && let &[joint] = joint.chars().collect::<Vec<_>>().as_slice()
            && is_name(name)
            && JOINTS.contains(&joint)
        {
            return Ok(Self::Join(name.to_owned(), joint));
        }
        let mut parser = Parser { text, start, at: 0 };
        let expression = parser.sum(0)?;
        match parser.peek() {
            Token::End => Ok(expression),
            _ => Err(parser.unexpected()),
        }
    }

    /// Calls `visit` with every capture that is read, in order.
    pub(super) fn reads<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match self {
            Self::Integer(_) => {}
            Self::Capture(name) | Self::Join(name, _) => visit(name),
            Self::Binary(left, _, right) => {
                left.reads(visit);
                right.reads(visit);
            }
            Self::Lookup(_, index) => index.reads(visit),
        }
    }

    /// Calls `visit` with every table that is looked up, in order.
    pub(super) fn tables<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match self {
            Self::Integer(_) | Self::Capture(_) | Self::Join(..) => {}
            Self::Binary(left, _, right) => {
                left.tables(visit);
                right.tables(visit);
            }
            Self::Lookup(table, index) => {
                visit(table);
                index.tables(visit);
            }
        }
    }

    /// The capture that it joins, where that has no segments.
    pub(super) fn joins_nothing(&self, values: &Captures) -> Option<&str> {
        match self {
            Self::Join(name, _) if values.get(name).is_some_and(|value| value.to_string().is_empty()) => {
                Some(name)
            }
            _ => None,
        }
    }

    /// The value; `text` is the expression as written, for errors.
    pub(super) fn evaluate(
        &self,
        values: &Captures,
        tables: &Tables,
        text: &str,
    ) -> Result<CaptureValue, EvaluateError> {
        match self {
            Self::Integer(value) => Ok(CaptureValue::Integer(*value)),
            Self::Capture(name) => {
                values.get(name).cloned().ok_or_else(|| EvaluateError::Unbound { name: name.clone() })
            }
            Self::Join(name, joint) => {
                let value = values.get(name).ok_or_else(|| EvaluateError::Unbound { name: name.clone() })?;
                // Segments are kept with slashes between them.
                let joined = value.to_string().replace('/', joint.encode_utf8(&mut [0; 4]));
                Ok(CaptureValue::Text(joined))
            }
            Self::Binary(left, operator, right) => {
                let integer = |side: &Self| {
                    let value = side.evaluate(values, tables, text)?;
                    value.integer().ok_or_else(|| EvaluateError::NotInteger {
                        expression: text.to_owned(),
                        value: value.to_string(),
                    })
                };
                let (left, right) = (integer(left)?, integer(right)?);
                let result = match operator {
                    Operator::Divide | Operator::Remainder if right == 0 => {
                        return Err(EvaluateError::DivisionByZero { expression: text.to_owned() });
                    }
                    Operator::Add => left.checked_add(right),
                    Operator::Subtract => left.checked_sub(right),
                    Operator::Multiply => left.checked_mul(right),
                    Operator::Divide => left.checked_div(right),
                    Operator::Remainder => left.checked_rem(right),
                };
                result
                    .map(CaptureValue::Integer)
                    .ok_or_else(|| EvaluateError::OutOfRange { expression: text.to_owned() })
            }
            Self::Lookup(name, index) => {
                let key = index.evaluate(values, tables, text)?.to_string();
                let table = tables.get(name).ok_or_else(|| EvaluateError::NoTable { table: name.clone() })?;
                let entry = table.iter().find(|(candidate, _)| candidate.to_string() == key);
                match entry {
                    Some((_, value)) => Ok(value.clone()),
                    None => Err(EvaluateError::NoEntry { table: name.clone(), key }),
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Integer(&'a str),
    Name(&'a str),
    Symbol(&'a str),
    End,
}

struct Parser<'a> {
    text: &'a str,
    start: usize,
    at: usize,
}

impl<'a> Parser<'a> {
    /// The next token and its place in the expression.
    fn token(&self) -> (Token<'a>, Range<usize>) {
        let rest = self.text.get(self.at..).unwrap_or("");
        let begin = self.text.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let run = |accept: fn(char) -> bool| rest.find(|c| !accept(c)).unwrap_or(rest.len());
        let (token, length) = match rest.chars().next() {
            None => (Token::End, 0),
            Some(c) if c.is_ascii_digit() => {
                let length = run(|c| c.is_ascii_digit());
                (Token::Integer(&rest[..length]), length)
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let length = run(|c| c.is_ascii_alphanumeric() || c == '_');
                (Token::Name(&rest[..length]), length)
            }
            Some(_) if rest.starts_with("//") => (Token::Symbol("//"), 2),
            Some(c) => (Token::Symbol(&rest[..c.len_utf8()]), c.len_utf8()),
        };
        (token, begin..begin + length)
    }

    fn peek(&self) -> Token<'a> {
        self.token().0
    }

    fn skip(&mut self) {
        self.at = self.token().1.end;
    }

    fn error(&self, kind: PatternErrorKind) -> PatternError {
        let range = self.token().1;
        PatternError { range: self.start + range.start..self.start + range.end, kind }
    }

    fn unexpected(&self) -> PatternError {
        let found = match self.peek() {
            Token::Integer(text) | Token::Name(text) | Token::Symbol(text) => format!("`{text}`"),
            Token::End => "the end".to_owned(),
        };
        self.error(PatternErrorKind::Expression { found })
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, PatternError> {
        if depth > MAX_DEPTH {
            return Err(self.error(PatternErrorKind::TooDeep));
        }
        let mut left = self.product(depth)?;
        loop {
            let operator = match self.peek() {
                Token::Symbol("+") => Operator::Add,
                Token::Symbol("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.skip();
            left = Expression::Binary(Box::new(left), operator, Box::new(self.product(depth)?));
        }
    }

    fn product(&mut self, depth: usize) -> Result<Expression, PatternError> {
        let mut left = self.operand(depth)?;
        loop {
            let operator = match self.peek() {
                Token::Symbol("*") => Operator::Multiply,
                Token::Symbol("//") => Operator::Divide,
                Token::Symbol("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            self.skip();
            left = Expression::Binary(Box::new(left), operator, Box::new(self.operand(depth)?));
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Expression, PatternError> {
        match self.peek() {
            Token::Integer(digits) => {
                let value = digits.parse().map_err(|_| self.unexpected())?;
                self.skip();
                Ok(Expression::Integer(value))
            }
            Token::Name(name) => {
                self.skip();
                if self.peek() != Token::Symbol("[") {
                    return Ok(Expression::Capture(name.to_owned()));
                }
                let index = self.enclosed("]", depth)?;
                Ok(Expression::Lookup(name.to_owned(), Box::new(index)))
            }
            Token::Symbol("(") => self.enclosed(")", depth),
            Token::Symbol(_) | Token::End => Err(self.unexpected()),
        }
    }

    /// An opening bracket, an expression and the bracket that closes it.
    fn enclosed(&mut self, close: &str, depth: usize) -> Result<Expression, PatternError> {
        self.skip();
        let inner = self.sum(depth + 1)?;
        if self.peek() != Token::Symbol(close) {
            return Err(self.unexpected());
        }
        self.skip();
        Ok(inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(text: &str) -> Result<CaptureValue, EvaluateError> {
        let values = Captures::from([
            ("i".to_owned(), CaptureValue::Integer(7)),
            ("p".to_owned(), CaptureValue::Text("key".to_owned())),
            ("k".to_owned(), CaptureValue::Text("3".to_owned())),
        ]);
        let integer = CaptureValue::Integer;
        let string = |text: &str| CaptureValue::Text(text.to_owned());
        let tables = Tables::from([
            ("T".to_owned(), vec![(integer(0), integer(10)), (integer(1), integer(20))]),
            ("M".to_owned(), vec![(string("key"), string("k_proj")), (string("10"), integer(5))]),
        ]);
        Expression::parse(text, 0).unwrap().evaluate(&values, &tables, text)
    }

    fn check(text: &str, expected: u64) {
        assert_eq!(evaluate(text), Ok(CaptureValue::Integer(expected)), "{text}");
    }

    #[test]
    fn arithmetic() {
        check("i+1", 8);
        check(" 2 * i ", 14);
        check("i - 2 - 1", 4);
        check("1 + 2 * 3", 7);
        check("(i+1)*2", 16);
        check("i // 2", 3);
        check("i % 4 * 2", 6);
        check("T[i - 6] + 1", 21);
        check("M[T[0]]", 5);
        check("k * 2", 6);
    }

    #[test]
    fn no_value() {
        let expression = |text: &str| text.to_owned();
        assert_eq!(evaluate("M[p]"), Ok(CaptureValue::Text("k_proj".into())));
        assert_eq!(evaluate("i-8"), Err(EvaluateError::OutOfRange { expression: expression("i-8") }));
        assert_eq!(
            evaluate("i*18446744073709551615"),
            Err(EvaluateError::OutOfRange { expression: expression("i*18446744073709551615") })
        );
        assert_eq!(evaluate("i//0"), Err(EvaluateError::DivisionByZero { expression: expression("i//0") }));
        assert_eq!(evaluate("j+1"), Err(EvaluateError::Unbound { name: "j".into() }));
        assert_eq!(evaluate("X[1]"), Err(EvaluateError::NoTable { table: "X".into() }));
        assert_eq!(evaluate("T[i]"), Err(EvaluateError::NoEntry { table: "T".into(), key: "7".into() }));
        assert_eq!(
            evaluate("p+1"),
            Err(EvaluateError::NotInteger { expression: expression("p+1"), value: "key".into() })
        );
    }

    #[test]
    fn refuses() {
        let check = |text: &str, range: Range<usize>, found: &str| {
            let kind = PatternErrorKind::Expression { found: found.to_owned() };
            assert_eq!(
                Expression::parse(text, 10),
                Err(PatternError { range: 10 + range.start..10 + range.end, kind })
            );
        };
        check("i/2", 1..2, "`/`");
        check("i+", 2..2, "the end");
        check("(i", 2..2, "the end");
        check("T[i)", 3..4, "`)`");
        check("-1", 0..1, "`-`");
        check("2i", 1..2, "`i`");
        check("99999999999999999999", 0..20, "`99999999999999999999`");
        let deep = "(".repeat(100) + "i";
        assert_eq!(Expression::parse(&deep, 0).unwrap_err().kind, PatternErrorKind::TooDeep);
    }
}
