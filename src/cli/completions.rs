//! `ptw2k completions`.

use clap::CommandFactory as _;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Prints a shell's completions.
///
/// # Errors
/// When stdout cannot be written to.
pub fn completions(args: &args::Completions, terminal: Terminal) -> Result<Exit, Failure> {
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Invocation::command(), "ptw2k", &mut script);
    terminal.result(|out| out.write_all(&script))?;
    Ok(Exit::Done)
}
