//! Why values cannot be computed.

use crate::tensor::kernel::GatherError;

use super::{DensifyError, DequantizeError, FormulaError};

/// Why the bytes of a storage cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A compressed record does not inflate to what its archive says.
    #[error("the record `{record}` does not inflate to the {announced} bytes that its archive announces")]
    Inflate {
        /// The record.
        record: String,
        /// Bytes, as announced.
        announced: usize,
    },
    /// A compressed record inflates to other bytes than were compressed.
    #[error("the checksum of the record `{record}` is wrong: the file was changed or damaged")]
    Checksum {
        /// The record.
        record: String,
    },
    /// The values are more than the memory that there is.
    #[error("there is no memory for {bytes} bytes of values")]
    Memory {
        /// Bytes that they take.
        bytes: usize,
    },
    /// A view of the source cannot be copied.
    #[error("{0}")]
    Gather(#[from] GatherError),
    /// A quantized tensor breaks the rules.
    #[error("{0}")]
    Dequantize(#[from] DequantizeError),
    /// A sparse tensor breaks the rules.
    #[error("{0}")]
    Densify(#[from] DensifyError),
    /// Tensors do not go together.
    #[error("{0}")]
    Formula(#[from] FormulaError),
}
