//! Conjugate and negative views, with their bits carried out: torch's `resolve_conj` and `resolve_neg`
//! (formats/pytorch.md section 2.4).
//!
//! A negative has the other sign, of zeros and NaNs too. So has torch's of real values; of complex ones torch's
//! vector instructions subtract from zero, and the sign of its zeros depends on the machine and on the place in
//! the tensor.

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::Dtype;

/// A tensor whose values are to be conjugated, negated, or both.
#[derive(Debug)]
pub struct Resolve {
    source: LazyTensor,
    is_conj: bool,
    is_neg: bool,
}

/// Why a bit cannot be carried out: torch cannot either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{dtype} values cannot be {}", if *is_conj { "conjugated" } else { "negated" })]
pub struct ResolveError {
    /// The type.
    pub dtype: Dtype,
    /// Whether the conjugate was asked for; else the negative.
    pub is_conj: bool,
}

impl Resolve {
    /// A recipe for a view with these bits.
    ///
    /// # Errors
    /// Only complex values are conjugated; `bool` and floats of one byte are not negated.
    pub fn new(source: LazyTensor, is_conj: bool, is_neg: bool) -> Result<Self, ResolveError> {
        let dtype = source.dtype;
        if is_conj && !dtype.is_complex() {
            return Err(ResolveError { dtype, is_conj: true });
        }
        if is_neg && (dtype == Dtype::Bool || dtype.is_small_float()) {
            return Err(ResolveError { dtype, is_conj: false });
        }
        Ok(Self { source, is_conj, is_neg })
    }

    pub(super) const fn description(&self) -> &'static str {
        match (self.is_conj, self.is_neg) {
            (true, true) => "conjugate and negative view",
            (true, false) => "conjugate view",
            _ => "negative view",
        }
    }

    /// As many bytes as the view has.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.source.byte_len()
    }

    pub(super) const fn source(&self) -> &LazyTensor {
        &self.source
    }

    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        let mut bytes = self.source.contiguous()?;
        let dtype = self.source.dtype;
        if dtype.is_complex() {
            // Both bits together leave the imaginary part as it is.
            let component = dtype.swapped_size();
            for element in bytes.chunks_exact_mut(dtype.size()) {
                let (real, imaginary) = element.split_at_mut(component);
                flip_sign(real, self.is_neg);
                flip_sign(imaginary, self.is_neg != self.is_conj);
            }
        } else if dtype.is_float() {
            bytes.chunks_exact_mut(dtype.size()).for_each(|element| flip_sign(element, self.is_neg));
        } else if self.is_neg {
            bytes.chunks_exact_mut(dtype.size()).for_each(negate);
        }
        Ok(bytes)
    }
}

/// Flips the sign of a little-endian float: its last bit.
fn flip_sign(float: &mut [u8], flips: bool) {
    if let Some(last) = float.last_mut() {
        *last ^= u8::from(flips) << 7;
    }
}

/// The two's complement of a little-endian integer, as torch has it for unsigned ones too.
fn negate(integer: &mut [u8]) {
    let mut carries = true;
    for byte in integer {
        (*byte, carries) = (!*byte).overflowing_add(u8::from(carries));
    }
}
