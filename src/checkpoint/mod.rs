//! PyTorch checkpoints to ordered lists of named lazy tensors. Nothing in a checkpoint is ever executed.

mod error;
mod state_dict;

pub use error::Error;
pub use state_dict::{Candidate, Checkpoint, Form, OpenOptions, Tensor, Warning};
