//! The documents name what there is: every command, every module.

use std::path::Path;

use super::Fault;

/// What each document has to mention.
const MENTIONS: [(&str, &[&str]); 2] = [
    (
        "README.md",
        &[
            "ptw2k inspect",
            "ptw2k plan",
            "ptw2k verify",
            "ptw2k diff",
            "ptw2k zoo",
            "ptw2k schemas",
            "ptw2k completions",
            "cargo xtask test",
            "cargo xtask checkpoints",
            "cargo xtask peers",
        ],
    ),
    (
        "ARCHITECTURE.md",
        &[
            "src/tensor",
            "src/lazy",
            "src/checkpoint",
            "src/schema",
            "src/keras",
            "src/plan",
            "src/writer",
            "src/crew.rs",
            "src/zoo",
            "src/cli",
            "cargo xtask test",
            "cargo xtask tidy",
            "cargo xtask fixtures",
            "cargo xtask bench",
            "cargo xtask zoo",
            "cargo xtask checkpoints",
            "cargo xtask peers",
        ],
    ),
];

/// Documents that have to be there; what they say is for people to judge.
const PRESENT: [&str; 5] =
    ["CHANGELOG.md", "CORRECTNESS.md", "LICENSE-MIT", "LICENSE-APACHE", "schemas/README.md"];

/// The faults of the documents.
pub(super) fn check(root: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (file, mentions) in MENTIONS {
        match std::fs::read_to_string(root.join(file)) {
            Ok(text) => faults.extend(unmentioned(file, &text, mentions)),
            Err(error) => faults.push(Fault::new(file, 0, format!("cannot be read: {error}"))),
        }
    }
    let absent = PRESENT.into_iter().filter(|file| !root.join(file).is_file());
    faults.extend(absent.map(|file| Fault::new(file, 0, "is missing")));
    faults
}

fn unmentioned(file: &str, text: &str, mentions: &[&str]) -> Vec<Fault> {
    let absent = mentions.iter().filter(|mention| !text.contains(**mention));
    absent.map(|mention| Fault::new(file, 0, format!("does not mention `{mention}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_mentioned_is_listed() {
        let faults = unmentioned("a.md", "run `x plan`", &["x plan", "x diff", "x verify"]);
        let texts: Vec<&str> = faults.iter().map(|fault| fault.text.as_str()).collect();
        assert_eq!(texts, ["does not mention `x diff`", "does not mention `x verify`"]);
    }
}
