//! `ptw2k zoo`: many conversions in one run, from outside.

#![expect(clippy::unwrap_used, reason = "tests")]

mod changes;
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
