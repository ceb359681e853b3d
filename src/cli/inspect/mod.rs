//! `ptw2k inspect`: lists the tensors of a checkpoint or the variables of a Keras file.

mod checkpoint;
mod command;
mod group;
mod json;
mod keras;
mod number;
mod values;

pub use command::inspect;
