//! Claims to bindings.
//!
//! ```text
//! binder.rs      layouts solved against shapes (axes.rs: captures that are axes), element types decided
//! solved.rs      each layout once                together.rs   many claims at a time, and while others are made
//! misfit.rs      what keeps a claim from it, and what was tried
//! unpermuted.rs  layouts beside a flattened map that leave its order     explain.rs   one binding in full
//! ```

mod axes;
pub(in crate::plan) mod binder;
mod explain;
mod misfit;
pub(in crate::plan) mod solved;
pub(in crate::plan) mod together;
mod unpermuted;
