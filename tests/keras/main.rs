//! Keras files and architectures.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture fails")]

mod forms;
mod hostile;
mod hostile_files;
#[path = "../checkpoint_support/limited.rs"]
mod limited;
mod listings;
mod mutations;
mod orders;
mod orders_in_graphs;
mod shapes;
