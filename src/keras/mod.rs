//! Keras architectures to ordered lists of variables, and where each variable lies in each file format.
//! Nothing of PyTorch.

mod architecture;
mod error;
pub mod file_layout;
mod weights_file;

pub use architecture::{Architecture, FeatureOrder, Layer, Origin, Variable};
pub use error::{Error, ErrorKind};
pub use weights_file::{StoredVariable, WeightsFile, WeightsForm};
