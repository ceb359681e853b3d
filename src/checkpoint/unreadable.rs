//! The tensors of a checkpoint that cannot be read.

use std::fmt;

use crate::tensor::StateDictKey;

use super::error::ErrorKind;
use super::pickle::TensorError;

/// Keys that one message lists besides the first.
const MAX_SHOWN: usize = 8;

/// The tensors that cannot be read besides the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// Their keys, of the first eight.
    pub keys: Vec<StateDictKey>,
    /// How many there are.
    pub count: usize,
}

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = match self.count {
            0 => return Ok(()),
            1 => " (and 1 other tensor: ".to_owned(),
            count => format!(" (and {count} other tensors: "),
        };
        for key in &self.keys {
            write!(f, "{before}`{key}`")?;
            ", ".clone_into(&mut before);
        }
        f.write_str(if self.keys.len() < self.count { ", …)" } else { ")" })
    }
}

/// Takes note of tensors that cannot be read.
#[derive(Default)]
pub(super) struct Unreadable {
    first: Option<(StateDictKey, TensorError)>,
    others: Others,
}

impl Unreadable {
    /// One more tensor.
    pub(super) fn add(&mut self, key: StateDictKey, reason: TensorError) {
        if self.first.is_none() {
            self.first = Some((key, reason));
            return;
        }
        self.others.count += 1;
        if self.others.keys.len() < MAX_SHOWN {
            self.others.keys.push(key);
        }
    }

    /// The error when there was one: the first and its reason, and the others.
    pub(super) fn finish(self) -> Result<(), ErrorKind> {
        match self.first {
            None => Ok(()),
            Some((key, reason)) => Err(ErrorKind::Tensor { key, reason, others: Box::new(self.others) }),
        }
    }
}

impl ErrorKind {
    /// One tensor that cannot be read.
    pub(super) fn tensor(key: &str, reason: TensorError) -> Self {
        Self::Tensor { key: StateDictKey::new(key), reason, others: Box::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_eight_others() {
        let check = |count: usize, expected: &str| {
            let mut unreadable = Unreadable::default();
            for place in 0..=count {
                unreadable.add(StateDictKey::new(place.to_string()), TensorError::PartBits);
            }
            match unreadable.finish() {
                Err(ErrorKind::Tensor { key, others, .. }) => {
                    assert_eq!((key.as_str(), others.to_string().as_str()), ("0", expected));
                }
                other => panic!("{other:?}"),
            }
        };
        check(0, "");
        check(1, " (and 1 other tensor: `1`)");
        check(3, " (and 3 other tensors: `1`, `2`, `3`)");
        check(9, " (and 9 other tensors: `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, …)");
    }
}
