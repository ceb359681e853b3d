//! Keras architectures to ordered lists of variables, and where each variable lies in each file format.
//! Nothing of PyTorch.

mod architecture;
mod archive;
mod error;
mod features;
pub mod file_layout;
mod flattening;
mod graph;
mod hdf5;
mod infer;
mod json;
mod layers;
mod legacy;
mod links;
mod model;
mod outputs;
mod template;
mod tree;
mod weights_file;

pub use architecture::{Architecture, FeatureOrder, Layer, Origin, Variable, Weightless};
pub use error::{CustomLayer, Error, ErrorKind};
pub use weights_file::{StoredVariable, WeightsFile, WeightsForm};
