//! Names on the two sides, kept apart by type.

use std::borrow::Borrow;
use std::fmt;

/// A text from a file, displayed with its control characters escaped (`\u{1b}`), so that no name can move
/// the cursor of a terminal, forge a line of a report, or turn the direction of the text.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Most names are plain, which bytes tell faster than characters.
        let is_plain = self.0.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if is_plain || !self.0.contains(is_unprintable) {
            return f.pad(self.0);
        }
        let mut escaped = String::with_capacity(self.0.len() + 16);
        for character in self.0.chars() {
            if is_unprintable(character) {
                escaped.extend(character.escape_default());
            } else {
                escaped.push(character);
            }
        }
        f.pad(&escaped)
    }
}

/// Control characters, line separators, and the marks that change the direction of the text.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name, as it stands in the file.
            #[must_use]
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Printable(&self.0), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_type! {
    /// The key of a tensor in a PyTorch state_dict: `layer1.0.conv1.weight`.
    StateDictKey
}

name_type! {
    /// The path of a Keras variable relative to its model: `encoder/dense_1/kernel`. The root model's own
    /// name is never part of it.
    VariablePath
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_escapes_what_a_terminal_obeys() {
        assert_eq!(StateDictKey::new("a\u{1b}[2J\nb").to_string(), "a\\u{1b}[2J\\nb");
        assert_eq!(StateDictKey::new("größe.0").to_string(), "größe.0");
        assert_eq!(format!("{:5}|", StateDictKey::new("ab")), "ab   |");
        assert_eq!(Printable("a\u{202e}b").to_string(), "a\\u{202e}b");
    }
}
