//! Both sides accounted for.
//!
//! ```text
//! ledger.rs    every variable has one value, every tensor one reason
//! notes.rs     what the weights alone cannot make equal (numerics.rs: settings of layers)
//! ```

pub(in crate::plan) mod ledger;
pub(in crate::plan) mod notes;
mod numerics;
