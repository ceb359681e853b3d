//! PyTorch checkpoints to ordered lists of named lazy tensors. Nothing in a checkpoint is ever executed.
//!
//! One file per form ([`Form`]); a form that is recognised and not read is refused by name
//! ([`UnsupportedForm`]).

mod adapter;
mod check;
mod dcp;
mod dcp_safetensors;
mod error;
mod export;
mod files;
mod find;
mod form;
mod json;
mod key_budget;
mod legacy;
mod not_weights;
mod open;
mod pickle;
mod pickled;
mod prefix;
mod read;
mod reading;
mod rebuild;
mod records;
mod repeated;
mod safetensors;
mod sharded;
mod sniff;
mod state_dict;
mod stream;
mod tar;
mod torch_save;
mod torchscript;
mod unreadable;
mod view;
mod zip;

pub use adapter::{ADAPTER_CONFIG, AdapterConfig, AdapterConfigError};
#[doc(hidden)]
pub use check::check_records;
pub use dcp::DcpError;
#[cfg(feature = "cli")]
pub(crate) use error::article;
pub use error::{Error, ErrorKind, NotACheckpoint, UnsupportedForm};
pub use export::ExportError;
pub use files::FileError;
pub use find::Candidate;
#[cfg(feature = "cli")]
pub(crate) use find::as_key;
pub use form::Form;
pub use legacy::LegacyError;
pub use not_weights::NotWeights;
pub use pickle::{PickleError, PickleErrorKind, TensorError, UnsupportedTensor};
pub use safetensors::SafetensorsError;
pub use sharded::ShardError;
pub use sniff::FolderError;
pub use state_dict::{Checkpoint, OpenOptions, Quantized, Role, Tensor, Warning};
pub use stream::StreamError;
pub use tar::TarError;
pub use torchscript::TorchScriptError;
pub use unreadable::Others;
pub use zip::ZipError;
