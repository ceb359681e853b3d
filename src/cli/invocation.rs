//! What the process is asked to do: its arguments together, and what is said when they are wrong.

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};

use super::args::{Command, Global, Output, Source};

/// Turns a PyTorch checkpoint into a Keras weight file.
///
/// Reads a PyTorch checkpoint (a file or a folder), a schema that says which tensor becomes which
/// variable in which layout, and a Keras architecture; writes a weight file that `model.load_weights()`
/// reads. Every tensor and every variable is accounted for, or nothing is written. Nothing in a checkpoint
/// is ever executed.
#[derive(Debug, Parser)]
#[command(
    name = "ptw2k",
    version,
    arg_required_else_help = true,
    subcommand_negates_reqs = true,
    override_usage = "ptw2k <CHECKPOINT> --schema <FILE|NAME> [--arch <FILE>] [-o <OUT>]\n       ptw2k <COMMAND>",
    after_help = "See --help for examples and exit codes.",
    after_long_help = AFTER_LONG_HELP
)]
pub struct Invocation {
    /// What to do; to convert, if nothing else.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to convert.
    #[command(flatten)]
    pub source: Option<Source>,
    /// Where to.
    #[command(flatten)]
    pub output: Output,
    /// For every command.
    #[command(flatten)]
    pub global: Global,
}

impl Invocation {
    /// The process' arguments; ends the process when they are wrong, or ask for help.
    #[must_use]
    pub fn from_process() -> Self {
        let check = |invocation: Self| invocation.check();
        let first = || std::env::args_os().nth(1).and_then(|word| word.to_str().map(str::to_owned));
        Self::try_parse().and_then(check).unwrap_or_else(|error| explain(error, first()).exit())
    }

    /// Options of the conversion mean nothing to a command: clap lets them stand in front of its name, since
    /// the options of every command may stand there too.
    fn check(self) -> Result<Self, clap::Error> {
        if self.command.is_some() && (self.source.is_some() || self.output.is_given()) {
            let message = "options of the conversion stand before a command; options of the command stand after \
                           its name";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(self)
    }
}

/// What a mistyped command is taken for is a checkpoint, and then it is the rest that seems to be wrong.
fn explain(error: clap::Error, first: Option<String>) -> clap::Error {
    /// The least similarity (Jaro-Winkler, 0 to 1) at which a word is taken for a command.
    const SIMILAR: f64 = 0.8;
    let is_about_the_rest =
        matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument);
    // Commands are plain words, files hardly ever.
    let Some(word) = first.filter(|word| is_about_the_rest && word.chars().all(char::is_alphanumeric)) else {
        return error;
    };
    let mut command = Invocation::command();
    let names = command.get_subcommands().map(|known| (strsim::jaro_winkler(known.get_name(), &word), known));
    let nearest =
        names.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(score, known)| (score, known.get_name()));
    match nearest {
        Some((score, name)) if score >= SIMILAR && name != word => {
            let message = format!("there is no command `{word}`; did you mean `{name}`?");
            command.error(ErrorKind::InvalidSubcommand, message)
        }
        _ => error,
    }
}

const AFTER_LONG_HELP: &str = "\
Examples:
  Convert with a schema of your own, which names the architecture:
      ptw2k weights.pt --schema schema.toml
  Convert with a bundled schema, for the model saved with `model.to_json()`:
      ptw2k resnet50.pth --schema torchvision/resnet --arch model.json -o resnet50.weights.h5
  See which tensor would become which variable, and every fault:
      ptw2k plan weights.pt --schema schema.toml
  List a checkpoint's tensors, the start of every schema:
      ptw2k inspect weights.pt
  Use the result:
      model.load_weights(\"weights.weights.h5\")

Exit codes:
    0  done
    1  internal error: a bug in ptw2k
    2  the command line is wrong
    3  the checkpoint cannot be read
    4  the architecture, or another Keras file, cannot be read
    5  the schema is not valid
    6  the plan has faults; nothing was written
    7  the output cannot be written
    8  verify or diff found a difference
    9  the manifest of a zoo cannot run; nothing was written
   10  jobs of a zoo failed, or were not done
  130  interrupted; what was being written was not

A checkpoint that is named like a command is given as ./plan.";

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::checkpoint::{OpenOptions, Quantized};

    #[test]
    fn consistent() {
        Invocation::command().debug_assert();
    }

    #[test]
    fn converts_by_default() {
        let args = Invocation::try_parse_from(["ptw2k", "w.pt", "--schema", "s.toml", "-n"]).unwrap();
        assert!(args.command.is_none());
        assert_eq!(args.source.unwrap().checkpoint, PathBuf::from("w.pt"));
        assert!(args.output.dry_run);
    }

    #[test]
    fn commands_need_no_schema() {
        let args = Invocation::try_parse_from(["ptw2k", "inspect", "w.pt", "--json"]).unwrap();
        assert!(matches!(args.command, Some(Command::Inspect(_))));
        assert!(args.source.is_none());
        assert!(args.global.json);
    }

    #[test]
    fn options_of_every_command_stand_anywhere() {
        for line in ["ptw2k -q inspect w.pt", "ptw2k inspect -q w.pt", "ptw2k inspect w.pt -q"] {
            let args = Invocation::try_parse_from(line.split(' ')).and_then(Invocation::check).unwrap();
            assert!(args.global.quiet && matches!(args.command, Some(Command::Inspect(_))), "{line}");
        }
    }

    #[test]
    fn options_of_the_conversion_belong_to_it() {
        for line in ["ptw2k -n inspect w.pt", "ptw2k -o a.h5 inspect w.pt", "ptw2k w.pt -s s inspect w.pt"] {
            assert!(
                Invocation::try_parse_from(line.split(' ')).and_then(Invocation::check).is_err(),
                "{line}"
            );
        }
    }

    #[test]
    fn reading_options_are_of_every_command_that_reads_a_checkpoint() {
        let check = |line: &str, open_options: &dyn Fn(Invocation) -> OpenOptions| {
            let line = format!("ptw2k {line} -k a.b --ema --quantized keep");
            let options = open_options(Invocation::try_parse_from(line.split(' ')).unwrap());
            assert_eq!(options.key.as_deref(), Some("a.b"), "{line}");
            assert!(options.ema && options.quantized == Quantized::Keep, "{line}");
        };
        let of = |args: Invocation| match args.command.unwrap() {
            Command::Inspect(args) => args.open_options(),
            Command::Plan(args) => args.source.open_options(),
            Command::Verify(args) => args.source.open_options(),
            Command::Diff(args) => args.open_options(),
            Command::Zoo(_) | Command::Schemas(_) | Command::Completions(_) => unreachable!(),
        };
        check("w.pt -s s.toml", &|args| args.source.unwrap().open_options());
        for line in
            ["inspect w.pt", "plan w.pt -s s.toml", "verify w.pt w.h5 -s s.toml", "diff w.pt w.h5 -s s.toml"]
        {
            check(line, &of);
        }
    }

    #[test]
    fn names_of_commands_as_paths() {
        let args = Invocation::try_parse_from(["ptw2k", "./plan", "--schema", "s.toml"]).unwrap();
        assert_eq!(args.source.unwrap().checkpoint, PathBuf::from("./plan"));
    }
}
