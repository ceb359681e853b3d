//! The corpus of `testdata/corpus`: files that real torch wrote, with what torch reads from them, and hostile files.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod corpus;
#[path = "../checkpoint_support/digest.rs"]
mod digest;
mod expected;
mod files;
mod hostile;
#[path = "../checkpoint_support/limited.rs"]
mod limited;
mod others;
#[path = "../checkpoint_support/values.rs"]
mod values;
