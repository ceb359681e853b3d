//! Where output goes, and how much of it.

use std::fmt::Display;
use std::io::{BufWriter, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};

use super::args::{ColorWhen, Format, Global};
use super::asked::Asked;
use super::escape::escape_message;
use super::failure::Failure;
use super::github::{self, Annotation, Level};
use super::stdout::Stdout;
use crate::checkpoint::Warning;

/// `error:`
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:` and `note:`
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// `hint:`
pub(super) const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Headings.
pub(super) const HEADING: Style = Style::new().bold();
/// Places.
pub(super) const PLACE: Style = Style::new().dimmed();

/// What is written to stdout at a time: the tables of large models have megabytes.
const STDOUT_BYTES: usize = 64 * 1024;

/// The two streams, and what the user asked of them.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Results as JSON.
    pub(super) json: bool,
    /// Errors alone on stderr.
    pub(super) quiet: bool,
    /// More than usual.
    pub(super) verbose: bool,
    /// Errors, warnings and notes as annotations of GitHub.
    pub(super) github: bool,
    /// How what can be chosen is called.
    pub(super) asked: Asked,
}

impl Terminal {
    /// As the options say. Colours are decided for the whole process.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let choice = match global.color {
            Some(ColorWhen::Always) => anstream::ColorChoice::Always,
            Some(ColorWhen::Never) => anstream::ColorChoice::Never,
            Some(ColorWhen::Auto) | None => anstream::ColorChoice::Auto,
        };
        choice.write_global();
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            github: global.format == Some(Format::Github),
            asked: Asked::Options,
        }
    }

    /// The same, for what a manifest asks for.
    pub(super) const fn in_a_manifest(self) -> Self {
        Self { asked: Asked::Keys, ..self }
    }

    /// Writes the result to stdout.
    ///
    /// # Errors
    /// When stdout cannot be written to; a reader that has gone (`| head`) is told apart by its exit.
    pub(super) fn result(
        self,
        print: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let mut stdout = BufWriter::with_capacity(STDOUT_BYTES, Stdout::lock());
        let printed = if self.github {
            // GitHub looks for commands on this stream too, and names can look like them.
            let inert = if self.json { github::inert_json } else { github::inert };
            let mut text = Vec::new();
            let print = print(&mut text);
            print.and_then(|()| stdout.write_all(inert(&String::from_utf8_lossy(&text)).as_bytes()))
        } else {
            print(&mut stdout)
        };
        printed.and_then(|()| stdout.flush()).map_err(Failure::Stdout)
    }

    /// Writes a JSON document to stdout.
    ///
    /// # Errors
    /// As [`Terminal::result`].
    pub(super) fn json_result(self, value: &impl serde::Serialize) -> Result<(), Failure> {
        self.result(|out| {
            serde_json::to_writer_pretty(&mut *out, value)?;
            writeln!(out)
        })
    }

    /// A line on stderr that begins with a coloured label; nothing if quiet.
    pub(super) fn remark(self, style: Style, label: &str, text: impl Display) {
        if self.quiet {
            return;
        }
        if self.github {
            return self.annotate(&Annotation::new(Level::of(label), "", text.to_string()));
        }
        self.label(style, label, text);
    }

    /// A warning of a checkpoint. One of damage is told even if quiet.
    pub(super) fn warn(self, warning: &Warning) {
        let quiet = self.quiet && !warning.is_damage();
        Self { quiet, ..self }.remark(WARNING, "warning", warning);
    }

    /// A line on stderr that begins with a coloured label, quiet or not.
    pub(super) fn label(self, style: Style, label: &str, text: impl Display) {
        let text = escape_message(&self.asked.says(&text.to_string()));
        self.error_text(&format!("{style}{label}:{style:#} {text}\n"));
    }

    /// Marks differences that were found as an error of a run of GitHub's. Others have the result.
    pub(super) fn differs(self, summary: &str) {
        if self.github {
            self.annotate(&Annotation::new(Level::Error, ": difference", summary));
        }
    }

    /// Marks something in a run of GitHub's.
    #[expect(clippy::unused_self, reason = "the counterpart of the other streams")]
    pub(super) fn annotate(self, annotation: &Annotation) {
        write_error(&annotation.to_string());
    }

    /// Text on stderr that is safe as it is.
    pub(super) fn error_text(self, text: &str) {
        if self.github { write_error(&github::inert(text)) } else { write_error(text) }
    }

    /// Whether somebody watches stderr.
    #[must_use]
    pub(super) fn shows_progress(self) -> bool {
        !self.quiet && !self.github && std::io::stderr().is_terminal()
    }
}

/// Nobody is left to be told when stderr is closed.
fn write_error(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// What a panic adds to its message.
pub(super) fn report_bug() {
    let _ = writeln!(
        anstream::stderr().lock(),
        "{ERROR}error:{ERROR:#} this is a bug in ptw2k {}; nothing was written\n{HINT}hint:{HINT:#} please \
         report it with the message above and the command you ran",
        env!("CARGO_PKG_VERSION")
    );
}

/// Columns of the terminal that the stream leads to, or `None` when it leads elsewhere.
#[cfg(unix)]
pub(super) fn columns(stream: impl std::os::fd::AsFd) -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Columns of the terminal, which only Unix tells without further libraries.
#[cfg(not(unix))]
pub(super) fn columns<S>(_stream: S) -> Option<u16> {
    None
}
