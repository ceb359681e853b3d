//! The minimum supported Rust version holds for the dependencies too.

use serde_json::Value;

use super::Fault;
use crate::{Outcome, shell};

/// The faults of the dependencies, from `cargo metadata`.
pub(super) fn check() -> Outcome<Vec<Fault>> {
    let text = shell::read(&mut shell::cargo(&["metadata", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages =
        metadata.get("packages").and_then(Value::as_array).ok_or("cargo metadata has no packages")?;
    let version = |package: &Value| Some(package.get("rust_version")?.as_str()?.to_owned());
    let ours = packages
        .iter()
        .find(|package| package.get("name").and_then(Value::as_str) == Some("ptw2k"))
        .and_then(version)
        .ok_or("ptw2k states no rust-version")?;
    let too_new = packages.iter().filter_map(|package| {
        let (name, theirs) = (package.get("name")?.as_str()?, version(package)?);
        (numbers(&theirs) > numbers(&ours))
            .then(|| Fault::new("Cargo.toml", 0, format!("{name} needs Rust {theirs}, we promise {ours}")))
    });
    Ok(too_new.collect())
}

/// `1.88` and `1.88.0` alike, for comparison.
fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("1.100") > numbers("1.88"));
        assert_eq!(numbers("1.88"), numbers("1.88.0"));
        assert!(numbers("1.88.1") > numbers("1.88"));
    }
}
