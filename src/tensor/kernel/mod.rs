//! The kernels that carry out strided copies and conversions of elements.

mod avx2;
mod convert;
mod gather;
mod portable;

pub use convert::{ConvertError, add_whole, convert, convert_whole};
pub use gather::{GatherError, Level, gather, gather_at};
