//! `ptw2k plan`.

use std::num::NonZeroUsize;

use super::args::{self, Output, Source};
use super::convert::convert;
use super::exit::{Exit, leave_to_the_system};
use super::failure::Failure;
use super::terminal::Terminal;
use super::{explain as explanation, inputs, ledger};
use crate::crew::Hands;
use crate::keras::file_layout::Form;
use crate::plan::{Plan, PlanOptions};

/// Shows what would be written; the faults, if there are any, are the failure.
///
/// # Errors
/// When an input cannot be read or the plan has faults.
pub fn plan(args: &args::Plan, terminal: Terminal) -> Result<Exit, Failure> {
    let args::Plan { source, target, explain } = args;
    if target.is_given() {
        let output = Output { target: target.clone(), dry_run: true, ..Output::default() };
        return convert(source, &output, terminal);
    }
    let options = inputs::options(source, Form { keras: source.keras, ..Form::default() })?;
    let options = PlanOptions { explain: explain.is_some(), ..options };
    let plan = inputs::plan(&inputs::source(source), &options, terminal)?;
    let exit = match explain {
        Some(variable) => explanation::explain(&plan, variable, terminal).map(|()| Exit::Done),
        None => show(&plan, source, None, terminal),
    };
    leave_to_the_system(plan);
    exit
}

/// Shows a plan, by so many threads at most.
pub(super) fn show(
    plan: &Plan,
    source: &Source,
    threads: Option<NonZeroUsize>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    if terminal.json {
        terminal.json_result(&ledger::to_json(plan, source))?;
    } else {
        terminal.result(|out| ledger::print(plan, Hands::own(threads), out))?;
        ledger::remark(&plan.notes, terminal);
    }
    Ok(Exit::Done)
}
