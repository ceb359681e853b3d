//! `ptw2k zoo`: many conversions in one run.

mod annotations;
mod args;
mod bars;
mod beside;
mod command;
mod depfile;
mod diagnosis;
mod list;
mod report;
mod results;
mod screen;
mod stream;
mod summary;

pub(super) use args::Zoo;
pub use command::zoo;
