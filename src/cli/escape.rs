//! Names from files, safe to print.

use std::fmt::Write as _;

/// The text with every character escaped that could move the cursor, colour the terminal, end the line or
/// change the direction of writing: names in checkpoints are whatever someone wrote into them.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    escape_but(text, |_| false)
}

/// As [`escape`], for whole messages: line ends stay.
#[must_use]
pub(super) fn escape_message(text: &str) -> String {
    escape_but(text, |letter| letter == '\n')
}

/// Whether a text is of such bytes alone as nearly all names are: nothing in it is ever escaped.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn escape_but(text: &str, keep: impl Fn(char) -> bool) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unsafe(letter) && !keep(letter) {
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
        assert_eq!(escape_message("a\nb\r"), "a\nb\\r");
    }
}
