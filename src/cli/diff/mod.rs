//! `ptw2k diff`: two files of any Keras form, or checkpoints through a schema, variable by variable.

mod command;
mod compare;
mod matching;
mod report;
mod side;

pub use command::diff;
