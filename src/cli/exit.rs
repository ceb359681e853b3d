//! Exit codes.

/// What the process' exit code says. Scripts rely on the numbers: a number never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A bug in this program.
    Bug = 1,
    /// The command line is wrong (clap's own code for it).
    Usage = 2,
    /// The checkpoint cannot be read.
    Checkpoint = 3,
    /// The architecture, or another Keras file, cannot be read.
    Architecture = 4,
    /// The schema is not valid.
    Schema = 5,
    /// The plan has faults.
    Faults = 6,
    /// The output cannot be written.
    Output = 7,
    /// `verify` or `diff` found a difference.
    Difference = 8,
    /// A zoo's manifest is not valid, or its jobs do not go together.
    Manifest = 9,
    /// Jobs of a zoo failed, or were not done since one had failed.
    Jobs = 10,
    /// Interrupted; as shells report a process that SIGINT ended (128 + 2).
    Interrupted = 130,
}

impl Exit {
    /// Every code, in rising order.
    pub const ALL: [Self; 12] = [
        Self::Done,
        Self::Bug,
        Self::Usage,
        Self::Checkpoint,
        Self::Architecture,
        Self::Schema,
        Self::Faults,
        Self::Output,
        Self::Difference,
        Self::Manifest,
        Self::Jobs,
        Self::Interrupted,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The meaning, as the help text has it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Bug => "internal error: a bug in ptw2k",
            Self::Usage => "the command line is wrong",
            Self::Checkpoint => "the checkpoint cannot be read",
            Self::Architecture => "the architecture, or another Keras file, cannot be read",
            Self::Schema => "the schema is not valid",
            Self::Faults => "the plan has faults; nothing was written",
            Self::Output => "the output cannot be written",
            Self::Difference => "verify or diff found a difference",
            Self::Manifest => "the manifest of a zoo cannot run; nothing was written",
            Self::Jobs => "jobs of a zoo failed, or were not done",
            Self::Interrupted => "interrupted; what was being written was not",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Leaves something large to the system, as the process ends: taking it apart would only take time.
pub(super) fn leave_to_the_system<T>(thing: T) {
    std::mem::forget(thing);
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn numbers_are_kept() {
        let codes = Exit::ALL.map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
    }

    #[test]
    fn the_documents_tell_every_code() {
        let document = include_str!("../../docs/pipelines.md");
        let rows = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| code"));
        let expected = Exit::ALL.map(|exit| format!("| {} | {} |", exit.code(), exit.meaning()));
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn help_tells_every_code() {
        let help = super::super::Invocation::command().render_long_help().to_string();
        for exit in Exit::ALL {
            let line = format!("{:>5}  {}", exit.code(), exit.meaning());
            assert!(help.lines().any(|found| found.trim_end() == line), "no {line:?} in\n{help}");
        }
    }
}
