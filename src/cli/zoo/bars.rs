//! The lines of a terminal that change: one for each job that takes a while, and below them one for all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::cli::progress::{is_narrow, style};

/// A job that is done sooner gets no line of its own: it would only flicker.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

/// The line for all: how many are done of how many jobs, and of their checkpoints' bytes; and that on a narrow terminal.
const WHOLE: [&str; 2] =
    ["{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}", "{msg} {wide_bar} {eta}"];

/// That of a job.
const JOB: [&str; 2] =
    ["  {wide_msg} {bar:10} {bytes}/{total_bytes} {bytes_per_sec} {eta}", "  {wide_msg} {percent}%"];

/// Columns that the line of a job takes besides its name: a bar, and figures up to `999.99 MiB/999.99 MiB 999.99 MiB/s
/// 59m`; and on a narrow terminal.
const FIGURES: [usize; 2] = [54, 7];

/// The lines.
pub(super) struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    patience: Duration,
    columns: u16,
    running: HashMap<usize, Running>,
}

/// A job that runs.
struct Running {
    since: Instant,
    /// Bytes of its checkpoint, which are its part of the whole.
    weight: u64,
    /// Bytes that are written, of those to be written.
    done: u64,
    total: u64,
    bar: ProgressBar,
    is_shown: bool,
}

impl Bars {
    /// Lines on a terminal of so many columns.
    pub(super) fn new(target: ProgressDrawTarget, columns: u16, patience: Duration) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let whole = all.add(ProgressBar::no_length());
        whole.set_style(style(WHOLE, columns));
        Self { all, whole, patience, columns, running: HashMap::new() }
    }

    /// So many jobs are to be done, whose checkpoints have so many bytes.
    pub(super) fn checked(&self, jobs: usize, bytes: u64) {
        self.whole.set_length(bytes);
        self.whole.set_message(format!("0/{jobs}"));
    }

    pub(super) fn started(&mut self, job: usize, name: &str, weight: u64) {
        // It learns its rate from the beginning, also while it is not shown.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style(JOB, self.columns));
        let [wide, narrow] = FIGURES;
        let figures = if is_narrow(self.columns) { narrow } else { wide };
        bar.set_message(shortened(name, usize::from(self.columns).saturating_sub(figures)));
        let running = Running { since: Instant::now(), weight, done: 0, total: 0, bar, is_shown: false };
        self.running.insert(job, running);
    }

    pub(super) fn writing(&mut self, job: usize, bytes: u64) {
        if let Some(running) = self.running.get_mut(&job) {
            running.total = bytes;
            running.bar.set_length(bytes);
        }
    }

    pub(super) fn advanced(&mut self, job: usize, bytes: u64) {
        let Some(running) = self.running.get_mut(&job) else { return };
        let before = running.part();
        running.done += bytes;
        if !running.is_shown && running.since.elapsed() >= self.patience {
            running.is_shown = true;
            self.all.insert_before(&self.whole, running.bar.clone());
        }
        running.bar.set_position(running.done);
        self.whole.inc(running.part() - before);
    }

    /// A job is done, or will not be: as many as that are.
    pub(super) fn ended(&mut self, job: usize, ended: usize, jobs: usize) {
        if let Some(running) = self.running.remove(&job) {
            if running.is_shown {
                running.bar.finish_and_clear();
                self.all.remove(&running.bar);
            }
            self.whole.inc(running.weight.saturating_sub(running.part()));
        }
        self.whole.set_message(format!("{ended}/{jobs}"));
    }

    /// Says something for good, above the lines.
    pub(super) fn suspend(&self, say: impl FnOnce()) {
        self.all.suspend(say);
    }

    /// Takes the lines away.
    pub(super) fn finish(&self) {
        self.whole.finish_and_clear();
    }
}

impl Running {
    /// What is done, in bytes of the checkpoint.
    fn part(&self) -> u64 {
        let done = u128::from(self.done.min(self.total));
        (u128::from(self.weight) * done / u128::from(self.total.max(1))) as u64
    }
}

/// The name, or of one that is too long the end, which tells more.
fn shortened(name: &str, columns: usize) -> String {
    if name.width() <= columns {
        return name.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let fits = |letter: &char| match room.checked_sub(letter.width().unwrap_or(0)) {
        Some(rest) => {
            room = rest;
            true
        }
        None => false,
    };
    let end: Vec<char> = name.chars().rev().take_while(fits).collect();
    std::iter::once('…').chain(end.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    /// Checks what a terminal of so many columns shows after what was done, but for what depends on the time.
    fn check(columns: u16, patience: Duration, act: impl FnOnce(&mut Bars), expected: &[&str]) {
        let terminal = InMemoryTerm::new(24, columns);
        let mut bars =
            Bars::new(ProgressDrawTarget::term_like(Box::new(terminal.clone())), columns, patience);
        act(&mut bars);
        let shown = terminal.contents();
        // What is left for the wide bar and the name depends on the width of the rate.
        let changing = [(r"(\S+ [KMGT]?i?B/s )?\d+[smhd]$", "LEFT"), ("[█░]{11,}", "BAR"), (" +", " ")];
        let changing = changing.map(|(pattern, name)| (regex::Regex::new(pattern).unwrap(), name));
        let filter = |line: &str| {
            changing
                .iter()
                .fold(line.to_owned(), |line, (pattern, name)| pattern.replace_all(&line, *name).into_owned())
        };
        let shown: Vec<String> = shown.lines().map(filter).collect();
        assert_eq!(shown, expected);
        bars.finish();
        bars.running.clear();
        assert_eq!(terminal.contents(), "");
    }

    fn begin(bars: &mut Bars) {
        bars.checked(3, 4000);
        for (job, name) in ["keras/ant.h5", "keras/bee.h5"].into_iter().enumerate() {
            bars.started(job, name, 1000);
            bars.writing(job, 2048);
        }
    }

    #[test]
    fn a_line_for_each_job_and_one_for_all() {
        let act = |bars: &mut Bars| {
            begin(bars);
            bars.advanced(0, 1024);
            bars.advanced(1, 512);
        };
        let jobs = [
            " keras/ant.h5 █████░░░░░ 1.00 KiB/2.00 KiB LEFT",
            " keras/bee.h5 ██░░░░░░░░ 512 B/2.00 KiB LEFT",
        ];
        check(80, Duration::ZERO, act, &[jobs[0], jobs[1], "0/3 BAR 750 B/3.91 KiB LEFT"]);
        let one_ends = |bars: &mut Bars| {
            act(bars);
            bars.ended(0, 1, 3);
        };
        check(80, Duration::ZERO, one_ends, &[jobs[1], "1/3 BAR 1.22 KiB/3.91 KiB LEFT"]);
        // Those that take no while have no line.
        check(80, Duration::MAX, act, &["0/3 BAR 750 B/3.91 KiB LEFT"]);
    }

    #[test]
    fn lines_are_cut() {
        let long = |bars: &mut Bars| {
            bars.checked(1, 100);
            bars.started(0, &format!("keras/{}ant.h5", "a/very/long/folder/".repeat(9)), 100);
            bars.writing(0, 100);
            bars.advanced(0, 50);
        };
        let lines = [
            " …r/a/very/long/folder/a/very/long/folder/a/very/long/folder/ant.h5 █████░░░░░ 50 B/100 B LEFT",
            "0/1 BAR 50 B/100 B LEFT",
        ];
        check(120, Duration::ZERO, long, &lines);
        check(64, Duration::ZERO, long, &[" …er/ant.h5 █████░░░░░ 50 B/100 B LEFT", lines[1]]);
        let lines = [" …ong/folder/a/very/long/folder/a/very/long/folder/ant.h5 50%", "0/1 BAR LEFT"];
        check(63, Duration::ZERO, long, &lines);
        check(24, Duration::ZERO, long, &[" …ng/folder/ant.h5 50%", lines[1]]);
    }

    #[test]
    fn names() {
        let letters = "0123456789".repeat(4);
        assert_eq!(shortened(&letters, 40), letters);
        assert_eq!(shortened(&letters, 39), format!("…{}", &letters[2..]));
        assert_eq!(shortened(&"重".repeat(20), 39), format!("…{}", "重".repeat(19)));
        assert_eq!(shortened(&letters, 0), "…");
    }
}
