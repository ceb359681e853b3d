//! The command line: a file per command, and what they share.
//!
//! stdout carries results, stderr everything else. Nothing in the library imports this module.

mod addition;
pub mod args;
mod asked;
mod binary;
mod candidates;
mod cells;
mod completions;
mod convert;
mod coverage;
mod depfile;
mod diff;
mod element;
mod escape;
mod excerpt;
mod exit;
mod expected;
mod explain;
mod failure;
mod faults;
mod github;
mod inputs;
mod inspect;
mod interrupt;
mod invocation;
mod ledger;
mod listener;
mod mistaken;
mod order;
mod plan;
mod progress;
mod schemas;
mod sniff;
mod stdout;
mod table;
mod tell;
mod terminal;
mod verify;
mod warnings;
mod zoo;

pub use args::Command;
pub use completions::completions;
pub use convert::convert;
pub use diff::diff;
pub use exit::Exit;
pub use failure::Failure;
pub use inspect::inspect;
pub use interrupt::exit_as_a_bug_on_panic;
pub use invocation::Invocation;
pub use plan::plan;
pub use schemas::schemas;
pub use terminal::Terminal;
pub use verify::verify;
pub use zoo::zoo;
