//! The progress bar.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::Terminal;

/// Work that is done sooner shows no bar: it would only flicker.
const PATIENCE: Duration = Duration::from_millis(500);

/// A bar on stderr, if that is a terminal and the work takes long enough.
pub(super) struct Bar {
    started: Instant,
    is_shown: bool,
    total: u64,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
}

impl Bar {
    /// For work on so many bytes.
    pub(super) fn new(terminal: Terminal, total: u64) -> Self {
        Self {
            started: Instant::now(),
            is_shown: terminal.shows_progress(),
            total,
            done: AtomicU64::new(0),
            bar: OnceLock::new(),
        }
    }

    /// So many more bytes are done.
    pub(super) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.is_shown && self.started.elapsed() > PATIENCE {
            self.bar.get_or_init(|| self.draw()).set_position(done);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }

    fn draw(&self) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(self.total), ProgressDrawTarget::stderr());
        let template = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        // The template is checked by a test; the plain bar would do.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar
    }
}
