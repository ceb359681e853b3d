//! TOML to a validated schema: every fault is found before the first is reported.

mod class;
mod document;
mod pair;
mod rules;
mod tensor;

pub(super) use document::parse;
