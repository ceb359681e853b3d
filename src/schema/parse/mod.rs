//! TOML to a validated schema: every fault is found before the first is reported.

mod arithmetic;
mod class;
mod compute;
mod document;
mod pair;
mod rules;
mod tensor;
mod uses;

pub(super) use document::parse;
