//! The archives of `torch.export.save` (formats/pytorch.md section 4.3).
//!
//! ```text
//! since 2.8   data/weights/*_weights_config.json + raw storages      archive, config, payload
//! before      serialized_state_dict.pt, a file of torch.save         old, pickled
//! both        the program as JSON, which tells the buffers apart     signature
//! ```

mod archive;
mod config;
mod error;
mod old;
mod payload;
mod pickled;
mod signature;

pub(super) use archive::read;
pub use error::ExportError;
pub(super) use old::read as read_old;
