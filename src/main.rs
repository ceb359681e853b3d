//! The command line of `ptw2k`.

use std::process::ExitCode;

use ptw2k::cli::{self, Command, Exit, Failure, Invocation, Terminal};

fn main() -> ExitCode {
    cli::exit_as_a_bug_on_panic();
    let invocation = Invocation::from_process();
    let terminal = Terminal::new(&invocation.global);
    match run(&invocation, terminal) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report(terminal);
            failure.exit().into()
        }
    }
}

fn run(invocation: &Invocation, terminal: Terminal) -> Result<Exit, Failure> {
    match (&invocation.command, &invocation.source) {
        (Some(Command::Inspect(args)), _) => cli::inspect(args, terminal),
        (Some(Command::Plan(args)), _) => cli::plan(args, terminal),
        (Some(Command::Verify(args)), _) => cli::verify(args, terminal),
        (Some(Command::Diff(args)), _) => cli::diff(args, terminal),
        (Some(Command::Zoo(args)), _) => cli::zoo(args, terminal),
        (Some(Command::Schemas(args)), _) => cli::schemas(args, terminal),
        (Some(Command::Completions(args)), _) => cli::completions(args, terminal),
        (None, Some(source)) => cli::convert(source, &invocation.output, terminal),
        (None, None) => Err(Failure::NothingToDo),
    }
}
