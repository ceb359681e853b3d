//! How the bytes of a storage are made that no file holds as they are. A recipe is checked when it is made,
//! and carried out when its values are needed, by the thread that needs them.

mod inflate;
mod kinds;
mod unpack;

pub use inflate::Inflate;
pub use kinds::Recipe;
pub use unpack::Unpack;
