//! What the names on both sides lead to.
//!
//! ```text
//! source.rs    the checkpoint's, under the schema's prefix (prefix.rs: where none has it); keys.rs and modules.rs
//!              hold them in order, module.rs is what a layer rule names
//! styles.rs    tensors that others stand in place of
//! target.rs    the architecture's; inside.rs the layers inside one
//! ```

pub(in crate::plan) mod inside;
mod keys;
pub(in crate::plan) mod module;
mod modules;
pub(in crate::plan) mod prefix;
pub(in crate::plan) mod source;
pub(in crate::plan) mod styles;
pub(in crate::plan) mod target;
