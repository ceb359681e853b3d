//! Outputs in every format, whole: what the files hold, what is carried over, what is refused.

#![expect(clippy::unwrap_used, reason = "tests")]

mod archive;
mod legacy;
mod made;
mod readers;
mod scale;
mod shards;
mod whole;
