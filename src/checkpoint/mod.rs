//! PyTorch checkpoints to ordered lists of named lazy tensors. Nothing in a checkpoint is ever executed.
//!
//! One file per form ([`Form`]); a form that is recognised and not read is refused by name
//! ([`UnsupportedForm`]).

mod error;
mod find;
mod pickle;
mod prefix;
mod safetensors;
mod sniff;
mod state_dict;
mod torch_save;
mod zip;

pub use error::{Error, ErrorKind, NotACheckpoint, UnsupportedForm};
pub use find::Candidate;
pub use pickle::{PickleError, PickleErrorKind, TensorError, UnsupportedTensor};
pub use safetensors::SafetensorsError;
pub use state_dict::{Checkpoint, Form, OpenOptions, Tensor, Warning};
pub use zip::ZipError;
