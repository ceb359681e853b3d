//! `ptw2k plan`.

use super::args::Source;
use super::exit::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{inputs, ledger};
use crate::keras::Architecture;
use crate::keras::file_layout::Form;

/// Shows what would be written; the faults, if there are any, are the failure.
///
/// # Errors
/// When an input cannot be read or the plan has faults.
pub fn plan(source: &Source, terminal: Terminal) -> Result<Exit, Failure> {
    show(source, &|_| Form { keras: source.keras, ..Form::default() }, terminal)
}

/// Shows what would be written in a form.
pub(super) fn show(
    source: &Source,
    form: &dyn Fn(&Architecture) -> Form,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let plan = inputs::plan(source, form, terminal)?;
    if terminal.json {
        terminal.json_result(&ledger::to_json(&plan, source))?;
    } else {
        terminal.result(|out| ledger::print(&plan, out))?;
        ledger::remark(&plan.notes, terminal);
    }
    Ok(Exit::Done)
}
