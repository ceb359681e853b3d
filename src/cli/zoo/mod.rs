//! `ptw2k zoo`: many conversions in one run.

mod args;
mod command;
mod diagnosis;
mod list;
mod report;
mod results;
mod screen;
mod stream;
mod summary;

pub(super) use args::Zoo;
pub use command::zoo;
