//! `ptw2k` turns a PyTorch checkpoint into a Keras weight file that lines up, variable by variable, with a
//! Keras architecture.
//!
//! ```text
//! bytes → checkpoint → ┐
//!          schema    → ├→ plan → writer → Keras file
//! keras architecture → ┘
//! ```
//!
//! In one call, with the Keras architecture that the schema names:
//!
//! ```
//! use ptw2k::convert::{Conversion, convert};
//!
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let output = folder.path().join("mnist.weights.h5");
//! let conversion = Conversion::new("testdata/mnist/weights.pt", "testdata/mnist/schema.toml", &output);
//! let report = convert(&conversion, &())?;
//! assert_eq!(report.variables, 8);
//! # Ok::<(), ptw2k::convert::ConvertError>(())
//! ```
//!
//! In pieces, each of which is of use alone:
//!
//! ```
//! use std::path::Path;
//!
//! use ptw2k::checkpoint::{Checkpoint, OpenOptions};
//! use ptw2k::convert::ConvertError;
//! use ptw2k::keras::Architecture;
//! use ptw2k::keras::file_layout::{Form, Format};
//! use ptw2k::plan::{self, PlanOptions};
//! use ptw2k::schema::Schema;
//! use ptw2k::writer::{self, WriteOptions};
//!
//! fn convert(case: &Path, output: &Path) -> Result<(), ConvertError> {
//!     let checkpoint = Checkpoint::open(&case.join("weights.pt"), &OpenOptions::default())?;
//!     let schema = Schema::open(&case.join("schema.toml"))?;
//!     let architecture = Architecture::open(&case.join("arch.json"))?;
//!     // Every variable and every tensor is accounted for from here on, or the error lists all faults.
//!     let plan = plan::plan(&checkpoint, &schema, architecture, &PlanOptions::default())?;
//!     for note in &plan.notes {
//!         println!("{}: {}", note.about, note.text);
//!     }
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
//! # Ok::<(), ConvertError>(())
//! ```
//!
//! # What is public
//!
//! What this documentation shows. Other items are reachable for the program, the tests and the benches of this
//! repository; they may change with any version. Nothing prints, ends the process or keeps a global state.
//!
//! # Architecture invariants
//!
//! `cargo xtask tidy` checks each of these.
//!
//! - [`tensor`] is the shared vocabulary: it imports no other module of this crate and does no I/O.
//! - [`lazy`] imports `tensor` and `crew` alone.
//! - [`checkpoint`], [`schema`] and [`keras`] never import one another.
//! - [`plan`] imports all three; none of them imports it.
//! - [`writer`] imports `plan`, and of `keras` only `keras::file_layout` and the architecture it lays out.
//! - [`mod@convert`] puts all of them together, and none of them imports it.
//! - [`crew`] imports no other module, and only what works by several threads imports it.
//! - [`mod@zoo`] sits on `convert`.
//! - The command line sits on top and nothing imports it; the library never prints and never exits.
//! - `unsafe` lives only in `lazy::bytes` (the memory map) and in `tensor::kernel` (SIMD), each block with its
//!   `SAFETY:` reason.

#![warn(missing_docs)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("ptw2k maps whole checkpoints into memory and needs a 64-bit target");

pub mod checkpoint;
pub mod convert;
pub mod crew;
pub mod keras;
pub mod lazy;
mod map;
pub mod plan;
pub mod schema;
pub mod tensor;
pub mod writer;
pub mod zoo;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

/// Compiles and runs the examples of the documents.
#[cfg(doctest)]
#[doc = include_str!("../docs/pipelines.md")]
struct Pipelines;

/// This version of the library. Another one may write other bytes: what remembers conversions remembers it too.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[doc(inline)]
pub use convert::{Conversion, ConvertError, convert};
