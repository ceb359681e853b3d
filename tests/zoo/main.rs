//! `ptw2k zoo`: many conversions in one run, from outside.

#![expect(clippy::unwrap_used, reason = "tests")]
#![cfg_attr(unix, expect(clippy::print_stderr, reason = "what is skipped is said"))]

mod changes;
mod depfile;
#[cfg(unix)]
mod disk;
mod events;
#[cfg(unix)]
mod examples;
#[cfg(unix)]
mod killed;
mod made;
mod manifests;
mod moments;
mod outcomes;
mod shards;
