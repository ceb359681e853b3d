//! `ptw2k plan`.

use super::args::Source;
use super::exit::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{args, explain, inputs, ledger};
use crate::keras::Architecture;
use crate::keras::file_layout::Form;
use crate::plan::Plan;

/// Shows what would be written; the faults, if there are any, are the failure.
///
/// # Errors
/// When an input cannot be read or the plan has faults.
pub fn plan(args: &args::Plan, terminal: Terminal) -> Result<Exit, Failure> {
    let source = &args.source;
    let form = |_: &Architecture| Form { keras: source.keras, ..Form::default() };
    let Some(variable) = &args.explain else {
        return show(&inputs::plan(source, &form, terminal)?, source, terminal);
    };
    explain::explain(&inputs::explained(source, &form, terminal)?, variable, terminal)?;
    Ok(Exit::Done)
}

/// Shows a plan.
pub(super) fn show(plan: &Plan, source: &Source, terminal: Terminal) -> Result<Exit, Failure> {
    if terminal.json {
        terminal.json_result(&ledger::to_json(plan, source))?;
    } else {
        terminal.result(|out| ledger::print(plan, out))?;
        ledger::remark(&plan.notes, terminal);
    }
    Ok(Exit::Done)
}
