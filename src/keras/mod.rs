//! Keras architectures to ordered lists of variables, and where each variable lies in each file format.
//! Nothing of PyTorch.

mod architecture;
mod archive;
mod archive_check;
mod calls;
mod carried;
mod error;
mod features;
pub mod file_layout;
mod flattening;
mod generation;
mod graph;
mod hdf5;
mod infer;
mod inferred;
mod json;
mod layers;
mod legacy;
mod locality;
mod model;
mod open;
mod outputs;
mod own_classes;
mod places;
mod renumber;
mod sharded;
mod sniff;
mod stored;
mod template;
mod tree;
mod unflattening;
mod variables;
mod weights_file;
mod whole;

pub use architecture::{
    Architecture, FeatureOrder, Generation, KernelAxes, Layer, LegacyNames, Origin, Variable, Weightless,
};
pub use carried::{Carried, CarriedDataset};
pub use error::{CustomLayer, Error, ErrorKind};
#[cfg(test)]
pub(crate) use json::json;
pub use json::{Fields as ConfigFields, Value as ConfigValue};
pub use layers::canonical_class;
pub use weights_file::{StoredVariable, WeightsFile, WeightsForm};
