//! Names from files, safe to print.

use std::fmt::Write as _;

/// The text with every character escaped that could move the cursor, colour the terminal, end the line or
/// change the direction of writing: names in checkpoints are whatever someone wrote into them.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    escape_but(text, |_, _| false)
}

/// As [`escape`], for whole messages: their own line ends stay. What goes on in another line is indented, or comes after an
/// empty one; a line that begins otherwise is in some name, and would look like a message of its own.
#[must_use]
pub(super) fn escape_message(text: &str) -> String {
    escape_but(text, |letter, rest| {
        letter == '\n' && (rest.is_empty() || rest.starts_with("  ") || rest.starts_with('\n'))
    })
}

/// The same where a line that begins in a name can look like nothing else.
#[must_use]
pub(super) fn escape_lines(text: &str) -> String {
    escape_but(text, |letter, _| letter == '\n')
}

/// Whether a text is of such bytes alone as nearly all names are: nothing in it is ever escaped.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn escape_but(text: &str, keep: impl Fn(char, &str) -> bool) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let rest = || text.get(at + letter.len_utf8()..).unwrap_or_default();
        if is_unsafe(letter) && !keep(letter, rest()) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "{}", letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Control characters, and Unicode's bidirectional controls (UAX #9, table of explicit formatting
/// characters) and line separators.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(escape(text), expected);
    }

    #[test]
    fn escapes() {
        check("layer.0.weight", "layer.0.weight");
        check("größe", "größe");
        check("a\x1b[31mb", "a\\u{1b}[31mb");
        check("a\nb\r\t\0", "a\\nb\\r\\t\\u{0}");
        check("a\u{202e}b\u{9b}", "a\\u{202e}b\\u{9b}");
        let message = "a\n  b\r\n\n    c\n";
        assert_eq!(escape_message(message), message.replace('\r', "\\r"));
        assert_eq!(escape_message("a\nerror: b\n::error::c"), "a\\nerror: b\\n::error::c");
    }
}
