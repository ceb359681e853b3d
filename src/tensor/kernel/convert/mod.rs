//! Conversion of elements between types, from either byte order.

mod any;
mod chunks;
mod element;
mod error;
mod float;
#[cfg(test)]
mod tests;
mod whole;

pub use any::convert;
pub use error::ConvertError;
pub use whole::{add_whole, convert_whole};
