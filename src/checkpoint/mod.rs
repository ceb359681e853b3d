//! PyTorch checkpoints to ordered lists of named lazy tensors. Nothing in a checkpoint is ever executed.
//!
//! One file per form ([`Form`]); a form that is recognised and not read is refused by name
//! ([`UnsupportedForm`]).

mod dcp;
mod dcp_safetensors;
mod error;
mod export;
mod files;
mod find;
mod form;
mod json;
mod legacy;
mod old_export;
mod open;
mod pickle;
mod pickled;
mod prefix;
mod read;
mod records;
mod safetensors;
mod sharded;
mod sniff;
mod state_dict;
mod tar;
mod torch_save;
mod torchscript;
mod torchscript_json;
mod zip;

pub use dcp::DcpError;
pub use error::{Error, ErrorKind, NotACheckpoint, UnsupportedForm};
pub use files::FileError;
pub use find::Candidate;
pub use form::Form;
pub use pickle::{PickleError, PickleErrorKind, TensorError, UnsupportedTensor};
pub use safetensors::SafetensorsError;
pub use sharded::ShardError;
pub use sniff::FolderError;
pub use state_dict::{Checkpoint, OpenOptions, Quantized, Role, Tensor, Warning};
pub use zip::ZipError;
