//! The kernels that carry out strided copies and conversions of elements.

mod convert;
mod gather;
mod moments;
mod portable;
pub(crate) mod small_float;
mod strips;
mod transpose;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use convert::{ConvertError, add_whole, convert, convert_whole};
pub use gather::{GatherError, Level, gather, gather_at};
pub use moments::{BLOCK, Moments, add_moments};
pub use transpose::ALIAS;
