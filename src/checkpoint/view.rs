//! A tensor in a storage, where a file tells its view in JSON (formats/pytorch.md sections 4.2 and 4.3).

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::lazy::{LazyTensor, Storage};
use crate::tensor::{ByteOrder, Dtype, MAX_RANK, Shape, Strided};

use super::pickle::TensorError;
use super::rebuild::check_expanded;

/// The view of a tensor, all numbers as they stand in the file.
pub(super) struct View<'a> {
    /// What is said to be wrong in an error.
    pub(super) what: &'static str,
    pub(super) dtype: Dtype,
    pub(super) sizes: &'a [Option<i64>],
    pub(super) strides: &'a [Option<i64>],
    pub(super) offset: Option<i64>,
}

impl View<'_> {
    /// The tensor, checked against its storage.
    pub(super) fn of(&self, storage: Storage, byte_order: ByteOrder) -> Result<LazyTensor, TensorError> {
        let sizes = self.counts(self.sizes, "the sizes are no counts")?;
        let strides = self.counts(self.strides, "the strides are no counts")?;
        let offset = self.count(self.offset, "the offset is no count")?;
        let shape = Shape::new(sizes)?;
        let (size, bytes) = (self.dtype.size(), storage.byte_len());
        check_expanded(bytes, shape.numel().saturating_mul(size))?;
        let view = Strided::new(shape, strides, offset, bytes / size)?;
        Ok(LazyTensor { dtype: self.dtype, view, byte_order, storage })
    }

    fn counts(&self, numbers: &[Option<i64>], wrong: &'static str) -> Result<Vec<usize>, TensorError> {
        numbers.iter().map(|&number| self.count(number, wrong)).collect()
    }

    fn count(&self, number: Option<i64>, wrong: &'static str) -> Result<usize, TensorError> {
        let count = number.and_then(|number| usize::try_from(number).ok());
        count.ok_or_else(|| TensorError::Arguments { function: self.what.to_owned(), what: wrong })
    }
}

/// A list of one number for each axis. More than any tensor has are an error before they take memory.
#[derive(Debug)]
pub(super) struct Axes<T>(pub(super) Vec<T>);

impl<T> Default for Axes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Axes<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Numbers<T> {
            type Value = Axes<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a list of at most {MAX_RANK} numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = sequence.next_element()? {
                    if numbers.len() >= MAX_RANK {
                        return Err(serde::de::Error::invalid_length(numbers.len() + 1, &self));
                    }
                    numbers.push(number);
                }
                Ok(Axes(numbers))
            }
        }
        deserializer.deserialize_seq(Numbers(std::marker::PhantomData))
    }
}
