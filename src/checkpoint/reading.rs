//! The tensors that the reader of an archive has read so far, and those that cannot be.

use crate::tensor::StateDictKey;

use super::error::ErrorKind;
use super::find::Candidate;
use super::pickle::TensorError;
use super::read::{RawTensor, Read};
use super::state_dict::{OpenOptions, Role, Warning};
use super::unreadable::Unreadable;

/// The tensors read so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) read: Read,
    unreadable: Unreadable,
}

impl Reading {
    /// Takes a tensor (or the several that it is read as), or a note that it cannot be read: an error, unless
    /// it is of a kind that is not supported and the state_dict would not hold it.
    pub(super) fn take(&mut self, key: String, role: Role, tensors: Result<Vec<RawTensor>, TensorError>) {
        match tensors {
            Ok(tensors) => {
                self.read.tensors.extend(tensors.into_iter().map(|tensor| RawTensor { role, ..tensor }));
            }
            Err(reason @ TensorError::Unsupported(_)) if !role.is_in_state_dict() => {
                self.read.warnings.push(Warning::LeftOut { key: StateDictKey::new(key), reason });
            }
            Err(reason) => self.unreadable.add(StateDictKey::new(key), reason),
        }
    }

    /// Takes note of something that is no tensor.
    pub(super) fn leave_out(&mut self, key: String, what: String) {
        self.read.warnings.push(Warning::NotATensor { key: StateDictKey::new(key), what });
    }

    /// What was read, unless a tensor could not be, or `options` ask for one of several state_dicts.
    pub(super) fn finish(self, options: &OpenOptions) -> Result<Read, ErrorKind> {
        let Self { mut read, unreadable } = self;
        let candidates = only_root(read.tensors.len(), options)?;
        unreadable.finish()?;
        read.candidates = candidates;
        Ok(read)
    }
}

/// The candidates of a form that holds one state_dict, at the root, of so many tensors.
///
/// # Errors
/// When `options` ask for another one.
pub(super) fn only_root(tensors: usize, options: &OpenOptions) -> Result<Vec<Candidate>, ErrorKind> {
    let candidates = vec![Candidate { path: Vec::new(), tensors }];
    match &options.key {
        Some(_) if options.ema => Err(ErrorKind::KeyAndEma),
        Some(key) if !key.is_empty() => Err(ErrorKind::NoSuchKey { key: key.clone(), candidates }),
        _ if options.ema => Err(ErrorKind::NoMovingAverage { candidates }),
        _ => Ok(candidates),
    }
}
