//! The progress bar.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::{Terminal, columns};

/// Work that is done sooner shows no bar: it would only flicker.
const PATIENCE: Duration = Duration::from_millis(500);

/// The line; and that on a narrow terminal.
const BAR: [&str; 2] = ["{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}", "{wide_bar} {eta}"];

/// Columns of a terminal that has room for figures, which take up to 42, and a bar beside them.
const NARROW: u16 = 64;

/// Columns where a terminal does not tell how many it has.
const UNTOLD: u16 = 80;

/// A bar on stderr, if that is a terminal and the work takes long enough.
pub(super) struct Bar {
    started: Instant,
    patience: Duration,
    done: AtomicU64,
    /// On a terminal.
    bar: Option<ProgressBar>,
}

impl Bar {
    /// For work on so many bytes.
    pub(super) fn new(terminal: Terminal, total: u64) -> Self {
        Self::on(terminal.shows_progress().then(ProgressDrawTarget::stderr), width(), PATIENCE, total)
    }

    fn on(target: Option<ProgressDrawTarget>, columns: u16, patience: Duration, total: u64) -> Self {
        let bar = target.map(|target| ProgressBar::with_draw_target(Some(total), target));
        let bar = bar.inspect(|bar| bar.set_style(style(BAR, columns)));
        Self { started: Instant::now(), patience, done: AtomicU64::new(0), bar }
    }

    /// So many more bytes are done.
    pub(super) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(bar) = &self.bar
            && self.started.elapsed() >= self.patience
        {
            bar.set_position(done);
        }
    }

    /// Says something, on lines of its own.
    pub(super) fn suspend(&self, say: impl FnOnce()) {
        match self.bar.as_ref().filter(|bar| bar.position() > 0) {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Takes the bar away, if it was shown.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.as_ref().filter(|bar| bar.position() > 0) {
            bar.finish_and_clear();
        }
    }
}

/// Columns of the terminal that shows progress.
pub(super) fn width() -> u16 {
    columns(std::io::stderr()).unwrap_or(UNTOLD)
}

/// Whether figures have no room.
pub(super) const fn is_narrow(columns: u16) -> bool {
    columns < NARROW
}

/// A line with a bar. The templates are checked by tests; the plain bar would do.
pub(super) fn style([wide, narrow]: [&str; 2], columns: u16) -> ProgressStyle {
    let template = if is_narrow(columns) { narrow } else { wide };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    /// Checks what is shown at half of the work, but for what depends on the time.
    fn check(columns: u16, patience: Duration, expected: &str) {
        let terminal = InMemoryTerm::new(24, columns);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bar = Bar::on(Some(target), columns, patience, 4096);
        bar.advance(1024);
        bar.advance(1024);
        let rate = regex::Regex::new(r"█+░+ (?:(.+ )\S+ [KMGT]?i?B/s )?\d+[smhd]").unwrap();
        assert_eq!(rate.replace(&terminal.contents(), "BAR ${1}LEFT"), expected);
        bar.finish();
        assert_eq!(terminal.contents(), "");
        assert!(expected.is_empty() == terminal.moves_since_last_check().is_empty(), "nothing to take away");
    }

    #[test]
    fn a_line_that_goes() {
        check(80, Duration::ZERO, "BAR 2.00 KiB/4.00 KiB LEFT");
        check(64, Duration::ZERO, "BAR 2.00 KiB/4.00 KiB LEFT");
        check(63, Duration::ZERO, "BAR LEFT");
        check(12, Duration::ZERO, "BAR LEFT");
        check(80, Duration::MAX, "");
        // Piped, there is none.
        Bar::on(None, UNTOLD, Duration::ZERO, 1).advance(1);
    }
}
