//! The shapes that flow through a model, from the shapes of its inputs: what each layer makes of what it reads.
//! A size that is not fixed stays open, and a shape that is not known stays hidden; nothing is guessed.

mod arithmetic;
mod attention;
mod einsum;
mod elementwise;
mod ops;
mod plain;
mod preprocessing;
mod reading;
mod recurrent;
mod run;
mod slices;
mod spatial;
mod tf_ops;

pub(super) use arithmetic::product;
pub(super) use plain::{keeps_shape, target_shape};
pub(super) use run::run;
