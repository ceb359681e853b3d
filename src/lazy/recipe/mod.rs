//! How the bytes of a storage are made that no file holds as they are. A recipe is checked when it is made,
//! and carried out when its values are needed, by the thread that needs them.

mod assemble;
mod inflate;
mod kinds;
mod tiling;

pub use assemble::{Assemble, AssembleError, Part};
pub use inflate::Inflate;
pub use kinds::Recipe;
pub use tiling::TilingError;
