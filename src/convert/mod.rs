//! The whole way in one call: a checkpoint, a schema and an architecture to a Keras file.
//!
//! ```
//! use ptw2k::convert::{Conversion, convert};
//!
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let output = folder.path().join("mnist.weights.h5");
//! // The schema names the architecture; otherwise `conversion.source.architecture` does.
//! let conversion = Conversion::new("testdata/mnist/weights.pt", "testdata/mnist/schema.toml", &output);
//! // `()` listens to nothing.
//! let report = convert(&conversion, &())?;
//! assert_eq!(report.files, [output]);
//! assert_eq!(report.variables, 8);
//! // What has to be watched to know when to convert again.
//! assert_eq!(report.inputs.len(), 3);
//! # Ok::<(), ptw2k::convert::ConvertError>(())
//! ```
//!
//! In steps, each of which can be the last:
//!
//! ```text
//! Conversion ── plan ──→ Planned ── check ──→ what keeps it from being written
//!     │                     │
//!   source                write ──→ Report
//!     │
//!   open ──→ Opened ── plan ──→ Plan           for any form, without an output
//! ```
//!
//! A [`Progress`] hears of each, and stops it.

mod better;
mod conversion;
mod error;
mod form;
mod identity;
mod memory;
mod outputs;
mod planned;
mod progress;
mod records;
mod seen;
mod size;
mod source;

pub use conversion::{Conversion, convert};
pub use error::ConvertError;
pub use form::Saved;
#[cfg(feature = "cli")]
pub(crate) use identity::is_same_file;
pub(crate) use identity::{Identity, identities, place};
pub use memory::WORKER_BYTES;
pub(crate) use outputs::{Outputs, Shards};
pub use planned::{Planned, Report};
pub use progress::Progress;
pub use records::check_records;
pub(crate) use size::Size;
pub use size::{SizeError, size};
pub use source::{Opened, Source};
