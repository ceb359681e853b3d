//! Where everything lies in each Keras file format: files, in them trees of groups, attributes and datasets,
//! without bytes. What encodes the trees knows nothing of Keras.
//!
//! ```text
//! form.rs      which format, for which reader        check.rs    what a reader could not load
//! reader.rs    what a reader makes of it
//! layout.rs    the files of an output                tree.rs     groups, datasets, attributes
//! weights.rs   .weights.h5, whole or in shards       legacy.rs   .h5, weights alone or a whole model
//! shards.rs    which variables go to which shard     archive.rs  .keras
//! place.rs     where one variable lies
//! ```

mod archive;
mod check;
mod error;
mod form;
mod layout;
mod legacy;
mod place;
mod reader;
mod shards;
mod since;
mod tree;
mod weights;

#[doc(hidden)]
pub use super::carried::CarriedDataset;
pub use error::LayoutError;
pub use form::{Form, Format, KerasVersion, VersionError};
#[doc(hidden)]
pub use layout::{Body, Layout, Member, OutputFile, lay_out};
#[doc(hidden)]
pub use place::dataset_aliases;
pub(super) use place::dataset_path;
pub(super) use place::weight_name;
#[doc(hidden)]
pub use reader::{remarks, stored_dtype};
#[doc(hidden)]
pub use shards::{DEFAULT_SHARD_BYTES, index_of_shard, named_shards, shard_name};
#[doc(hidden)]
pub use tree::{Attribute, AttributeValue, Content, Dataset, Group, Name, Node};
