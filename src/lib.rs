//! `ptw2k` turns a PyTorch checkpoint into a Keras weight file that lines up, variable by variable, with a
//! Keras architecture.
//!
//! ```text
//! bytes → checkpoint → ┐
//!          schema    → ├→ plan → writer → Keras file
//! keras architecture → ┘
//! ```
//!
//! # Architecture invariants
//!
//! `cargo xtask tidy` checks each of these.
//!
//! - [`tensor`] is the shared vocabulary: it imports no other module of this crate and does no I/O.
//! - [`bytes`] imports `tensor` alone.
//! - [`checkpoint`], [`schema`] and [`keras`] never import one another.
//! - [`plan`] imports all three; none of them imports it.
//! - [`writer`] imports `plan`, and of `keras` only `keras::file_layout` and the architecture it lays out.
//! - The command line sits on top and nothing imports it; the library never prints and never exits.
//! - `unsafe` lives only in `bytes` (the memory map) and in `tensor::kernel` (SIMD), each block with its
//!   `SAFETY:` reason.

#![warn(missing_docs)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("ptw2k maps whole checkpoints into memory and needs a 64-bit target");

pub mod bytes;
pub mod checkpoint;
mod error;
pub mod keras;
pub mod plan;
pub mod schema;
pub mod tensor;
pub mod writer;

#[cfg(feature = "cli")]
pub mod cli;

pub use error::Error;
