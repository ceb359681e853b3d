//! The archives of `torch.jit.save` (formats/pytorch.md sections 4.1 and 4.2).
//!
//! ```text
//! since 1.4    data.pkl (objects) + code/*.py (which attribute is what) + data/N     archive, object, code
//! 1.0 to 1.3   model.json (modules) + attributes.pkl + tensors/N                     model_json, attributes
//! ```

mod archive;
mod attributes;
mod code;
mod error;
mod model_json;
mod object;

pub(super) use archive::read;
pub use error::TorchScriptError;
pub(super) use model_json::read as read_model_json;
