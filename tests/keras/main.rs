//! Keras files and architectures.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture fails")]

mod hostile;
mod listings;
mod orders;
mod shapes;
