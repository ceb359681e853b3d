//! `ptw2k` turns a PyTorch checkpoint into a Keras weight file that lines up, variable by variable, with a
//! Keras architecture.
//!
//! ```text
//! bytes → checkpoint → ┐
//!          schema    → ├→ plan → writer → Keras file
//! keras architecture → ┘
//! ```
//!
//! The whole way, for a checkpoint, a schema and the text of `model.to_json()`:
//!
//! ```
//! use std::path::Path;
//!
//! use ptw2k::checkpoint::{Checkpoint, OpenOptions};
//! use ptw2k::keras::Architecture;
//! use ptw2k::keras::file_layout::{Form, Format};
//! use ptw2k::plan::{self, PlanOptions};
//! use ptw2k::schema::Schema;
//! use ptw2k::writer::{self, WriteOptions};
//!
//! fn convert(case: &Path, output: &Path) -> Result<(), ptw2k::Error> {
//!     let checkpoint = Checkpoint::open(&case.join("weights.pt"), &OpenOptions::default())?;
//!     let schema = Schema::open(&case.join("schema.toml"))?;
//!     let architecture = Architecture::open(&case.join("arch.json"))?;
//!     // Every variable and every tensor is accounted for from here on, or the error lists all faults.
//!     let plan = plan::plan(&checkpoint, &schema, architecture, &PlanOptions::default())?;
//!     for note in &plan.notes {
//!         println!("{}: {}", note.about, note.text);
//!     }
//!     // `()` listens to no progress; the command line gives its progress bar.
//!     let form = Form::new(Format::WeightsH5);
//!     let options = WriteOptions { form, threads: None, allow_overflow: false };
//!     let written = writer::write(&plan, output, &options, &())?;
//!     assert_eq!(written.variables, 8);
//!     Ok(())
//! }
//!
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let output = folder.path().join("mnist.weights.h5");
//! convert(Path::new("testdata/mnist"), &output)?;
//! # Ok::<(), ptw2k::Error>(())
//! ```
//!
//! # Architecture invariants
//!
//! `cargo xtask tidy` checks each of these.
//!
//! - [`tensor`] is the shared vocabulary: it imports no other module of this crate and does no I/O.
//! - [`lazy`] imports `tensor` alone.
//! - [`checkpoint`], [`schema`] and [`keras`] never import one another.
//! - [`plan`] imports all three; none of them imports it.
//! - [`writer`] imports `plan`, and of `keras` only `keras::file_layout` and the architecture it lays out.
//! - The command line sits on top and nothing imports it; the library never prints and never exits.
//! - `unsafe` lives only in `lazy::bytes` (the memory map) and in `tensor::kernel` (SIMD), each block with its
//!   `SAFETY:` reason.

#![warn(missing_docs)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("ptw2k maps whole checkpoints into memory and needs a 64-bit target");

pub mod checkpoint;
pub mod crew;
mod error;
pub mod keras;
pub mod lazy;
pub mod plan;
pub mod schema;
pub mod tensor;
pub mod writer;

#[cfg(feature = "cli")]
pub mod cli;

pub use error::Error;
