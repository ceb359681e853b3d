//! What people hear while the library works: warnings, and the progress bar.

use std::sync::OnceLock;

use super::escape::escape;
use super::progress::Bar;
use super::terminal::{Terminal, WARNING};
use super::{interrupt, warnings};
use crate::checkpoint::{Checkpoint, OpenOptions, Warning, as_key};
use crate::convert::Progress;

/// Says on stderr what is worth knowing, shows how far it is, and has an ear for signals.
pub(super) struct Listener {
    terminal: Terminal,
    /// Whether the state_dict was not chosen by an option.
    names_others: bool,
    bar: OnceLock<Bar>,
}

impl Listener {
    /// For a checkpoint that is read in that way.
    pub(super) fn new(terminal: Terminal, reading: &OpenOptions) -> Self {
        Self { terminal, names_others: reading.key.is_none() && !reading.ema, bar: OnceLock::new() }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish();
        }
    }
}

impl Progress for Listener {
    fn opened(&self, checkpoint: &Checkpoint) {
        warnings::print(&checkpoint.warnings, self.terminal);
        if self.names_others {
            name_the_others(checkpoint, self.terminal);
        }
    }

    fn warned(&self, warning: &Warning) {
        let warn = || self.terminal.warn(warning);
        match self.bar.get() {
            Some(bar) => bar.suspend(warn),
            None => warn(),
        }
    }

    fn started(&self, bytes: u64) {
        self.bar.get_or_init(|| Bar::new(self.terminal, bytes));
    }

    fn advanced(&self, bytes: u64) {
        if let Some(bar) = self.bar.get() {
            bar.advance(bytes);
        }
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_interrupted()
    }
}

/// Says which state_dict was chosen where the file holds more (averaged weights, a discriminator).
fn name_the_others(checkpoint: &Checkpoint, terminal: Terminal) {
    let joined = |path: &[String]| if path.is_empty() { "the root".to_owned() } else { as_key(path) };
    let others: Vec<String> = checkpoint
        .candidates
        .iter()
        .filter(|candidate| candidate.path != checkpoint.state_dict_path)
        .map(|candidate| format!("`{}`", escape(&joined(&candidate.path))))
        .collect();
    if !others.is_empty() {
        let chosen = joined(&checkpoint.state_dict_path);
        let text = format!("read `{}`; there is also {} (--key)", escape(&chosen), others.join(", "));
        terminal.remark(WARNING, "note", text);
    }
}
