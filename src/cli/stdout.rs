//! Standard output, with styles where it shows them.

use std::io::{StdoutLock, Write};

use anstream::adapter::StripBytes;
use anstream::{AutoStream, ColorChoice};

/// Standard output. Tables of many thousand rows go to files and other programs: what has no style in it is not looked
/// through for one letter by letter.
pub(super) enum Stdout {
    /// Styles are shown, or made so by the system's means.
    Styled(AutoStream<StdoutLock<'static>>),
    /// Styles are left out.
    Plain(Plain<StdoutLock<'static>>),
}

impl Stdout {
    /// As the user wants it.
    pub(super) fn lock() -> Self {
        let stdout = std::io::stdout();
        match AutoStream::choice(&stdout) {
            ColorChoice::Never => Self::Plain(Plain::new(stdout.lock())),
            choice => Self::Styled(AutoStream::new(stdout.lock(), choice)),
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Styled(stream) => stream.write(bytes),
            Self::Plain(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Styled(stream) => stream.flush(),
            Self::Plain(stream) => stream.flush(),
        }
    }
}

/// A stream without styles.
pub(super) struct Plain<W> {
    stream: W,
    strip: StripBytes,
}

impl<W: Write> Plain<W> {
    fn new(stream: W) -> Self {
        Self { stream, strip: StripBytes::new() }
    }
}

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Letters of several bytes may be cut at an end, and are for the one who looks for styles.
        let is_plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
        // It is as new where neither a style nor a letter is open.
        if self.strip == StripBytes::new() && bytes.iter().all(is_plain) {
            return self.stream.write(bytes);
        }
        for printable in self.strip.strip_next(bytes) {
            self.stream.write_all(printable)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However it is cut, nothing is left of the styles, and everything of the rest.
        #[test]
        fn styles_are_left_out(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["a", " b7\n", "größe → ", "\u{1b}[1m", "\u{1b}[0m", "\u{1b}[38;5;9m", "\u{1b}]8;;http://a.b/c\u{7}", "mm", "漢"]),
                0..30,
            ),
            lens in prop::collection::vec(1..9_usize, 1..20),
        ) {
            let text = pieces.concat();
            let mut plain = Plain::new(Vec::new());
            let (mut rest, mut lens) = (text.as_bytes(), lens.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*lens.next().unwrap()));
                plain.write_all(now).unwrap();
                rest = later;
            }
            let expected: String = pieces.into_iter().filter(|piece| !piece.starts_with('\u{1b}')).collect();
            prop_assert_eq!(String::from_utf8(plain.stream).unwrap(), expected);
        }
    }
}
