//! The kernels that carry out strided copies and conversions of elements.

mod avx2;
mod convert;
mod gather;
mod portable;

pub use convert::{ConvertError, convert};
pub use gather::{GatherError, Level, gather, gather_at};
