//! Rules for one Rust file: its size, its documentation, where `unsafe` may stand, and what is not written.

use super::Fault;
use super::code::{blank, lines, without_tests};

/// Non-test lines of a file that ask for a split.
const LINES_WANTED: usize = 300;

/// Non-test lines of a file that no reader should meet.
const LINES_ALLOWED: usize = 600;

/// The only places of `unsafe`: the memory map and the SIMD kernels.
const UNSAFE_ALLOWED: [&str; 3] = ["src/lazy/bytes.rs", "src/tensor/kernel.rs", "src/tensor/kernel/"];

/// How many lines above an `unsafe` its `SAFETY:` may start.
const SAFETY_REACH: usize = 8;

/// What is written nowhere, and what to write instead.
const FORBIDDEN: [(&str, &str); 7] = [
    ("_ => {}", "name the cases that need nothing"),
    ("_ => ()", "name the cases that need nothing"),
    (".ok();", "handle the error"),
    ("todo!", "finish it"),
    ("unimplemented!", "finish it"),
    ("#[allow(", "use `#[expect(.., reason = \"..\")]`"),
    ("#![allow(", "use `#![expect(.., reason = \"..\")]`"),
];

/// What the library leaves to the command line.
const COMMAND_LINE_ONLY: [&str; 5] = ["println!", "eprintln!", "process::exit", " print!", "dbg!"];

/// The faults of a Rust file.
pub(super) fn check(file: &str, text: &str) -> Vec<Fault> {
    let code = without_tests(&blank(text));
    let mut faults = Vec::new();

    let count = non_test_lines(text, &code);
    if count > LINES_ALLOWED {
        faults.push(Fault::new(file, 0, format!("has {count} non-test lines, more than {LINES_ALLOWED}")));
    }
    let described = text.lines().find(|line| !line.trim().is_empty()).is_some_and(|l| l.starts_with("//!"));
    if !described {
        faults.push(Fault::new(file, 1, "starts with no `//!` that says what it is for"));
    }
    for (line, text) in lines(&code) {
        for (pattern, instead) in FORBIDDEN {
            if text.contains(pattern) {
                faults.push(Fault::new(file, line, format!("`{pattern}`: {instead}")));
            }
        }
        if text.contains("#[expect(") && !text.contains("reason") && ends_without_reason(&code, line) {
            faults.push(Fault::new(file, line, "`#[expect(..)]` gives no reason"));
        }
    }
    if file.starts_with("src/") {
        faults.extend(check_library(file, text, &code));
    }
    faults
}

/// Rules for the library alone.
fn check_library(file: &str, text: &str, code: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let on_the_command_line = file.starts_with("src/cli/") || file == "src/main.rs";
    let originals: Vec<&str> = text.lines().collect();
    for (line, code) in lines(code) {
        if !on_the_command_line {
            for pattern in COMMAND_LINE_ONLY.into_iter().filter(|pattern| code.contains(pattern)) {
                faults.push(Fault::new(
                    file,
                    line,
                    format!("`{pattern}`: the library never prints or exits"),
                ));
            }
        }
        if file.ends_with("/mod.rs") && has_function(code) {
            faults.push(Fault::new(file, line, "a function in mod.rs: give it a file of its own"));
        }
        if names_unsafe(code) {
            if !UNSAFE_ALLOWED.iter().any(|place| file.starts_with(place)) {
                faults.push(Fault::new(file, line, "`unsafe` outside the memory map and the kernels"));
            }
            let above = originals.get(line.saturating_sub(SAFETY_REACH)..line).unwrap_or_default();
            let is_block = code.contains("unsafe {") || code.contains("unsafe impl");
            if is_block && !above.iter().any(|line| line.contains("SAFETY:")) {
                faults.push(Fault::new(file, line, "`unsafe` without its `SAFETY:` reason"));
            }
        }
    }
    faults
}

/// A remark on a file that is allowed but grows too long.
pub(super) fn remark(file: &str, text: &str) -> Option<String> {
    let count = non_test_lines(text, &without_tests(&blank(text)));
    (LINES_WANTED < count && count <= LINES_ALLOWED).then(|| format!("{file} has {count} non-test lines"))
}

/// The lines of a file without its tests.
fn non_test_lines(text: &str, code: &str) -> usize {
    let all = text.lines().count();
    let tests: usize = lines(&blank(text)).zip(lines(code)).filter(|((_, a), (_, b))| a != b).count();
    all - tests
}

/// Whether the attribute that starts on `line` closes before a reason is named.
fn ends_without_reason(code: &str, line: usize) -> bool {
    let rest = lines(code).skip_while(|(number, _)| *number < line);
    for (_, text) in rest {
        if text.contains("reason") {
            return false;
        }
        if text.contains(']') {
            return true;
        }
    }
    true
}

/// A function with a body; a trait's declaration ends in a semicolon.
fn has_function(line: &str) -> bool {
    let line = line.trim_start();
    let words = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "async fn ", "const fn "];
    words.iter().any(|word| line.starts_with(word)) && !line.trim_end().ends_with(';')
}

fn names_unsafe(line: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices("unsafe").any(|(at, word)| {
        let before = line.get(..at).is_some_and(|text| text.ends_with(is_word));
        let after = line.get(at + word.len()..).is_some_and(|text| text.starts_with(is_word));
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_texts(file: &str, text: &str, expected: &[&str]) {
        let found = check(file, text);
        let found: Vec<String> =
            found.iter().map(|fault| format!("{}: {}", fault.line, fault.text)).collect();
        assert_eq!(found.len(), expected.len(), "of {text}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
    }

    #[test]
    fn forbidden_patterns() {
        check_texts("src/a.rs", "//! A.\nmatch x { _ => {} }\n", &["2: `_ => {}`"]);
        check_texts("src/a.rs", "//! A.\nf().ok();\ntodo!()\n", &["2: `.ok();`", "3: `todo!`"]);
        check_texts("src/a.rs", "//! A.\n// _ => {}\nlet s = \"todo!\";\n", &[]);
        check_texts("src/a.rs", "//! A.\n#[allow(dead_code)]\n", &["2: `#[allow(`"]);
        check_texts("src/a.rs", "//! A.\n#[expect(dead_code)]\nfn f() {}\n", &["2: `#[expect(..)]`"]);
        check_texts(
            "src/a.rs",
            "//! A.\n#[expect(\n    dead_code,\n    reason = \"r\"\n)]\nfn f() {}\n",
            &[],
        );
        check_texts("src/a.rs", "fn f() {}\n", &["1: starts with no"]);
    }

    #[test]
    fn unsafe_has_its_places_and_reasons() {
        check_texts("src/lazy/bytes.rs", "//! B.\n// SAFETY: mapped.\nunsafe { f() }\n", &[]);
        check_texts("src/lazy/bytes.rs", "//! B.\nunsafe { f() }\n", &["2: `unsafe` without"]);
        check_texts("src/plan/a.rs", "//! A.\n// SAFETY: no.\nunsafe { f() }\n", &["3: `unsafe` outside"]);
        check_texts("src/plan/a.rs", "//! A.\nlet unsafe_code = 1;\n", &[]);
    }

    #[test]
    fn the_library_is_silent_and_mod_files_are_tables_of_contents() {
        check_texts("src/plan/a.rs", "//! A.\nprintln!();\n", &["2: `println!`"]);
        check_texts("src/cli/a.rs", "//! A.\nprintln!();\n", &[]);
        check_texts("src/plan/mod.rs", "//! A.\npub fn f() {\n}\n", &["2: a function in mod.rs"]);
        check_texts("src/plan/mod.rs", "//! A.\ntrait T {\n    fn f();\n}\n", &[]);
    }

    #[test]
    fn only_lines_outside_tests_count() {
        let body = "x;\n".repeat(LINES_ALLOWED - 1);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "y;\n".repeat(100));
        check_texts("src/a.rs", &format!("//! A.\n{body}{tests}"), &[]);
        check_texts("src/a.rs", &format!("//! A.\n{body}x;\n{tests}"), &["0: has 601 non-test lines"]);
        assert!(remark("src/a.rs", &format!("//! A.\n{body}")).is_some());
        assert_eq!(remark("src/a.rs", "//! A.\n"), None);
    }
}
