//! What a checkpoint warns of, on stderr: a file can give cause for hundred thousands of warnings.

use std::collections::HashMap;
use std::mem::discriminant;

use super::table::count;
use super::terminal::{Terminal, WARNING};
use crate::checkpoint::Warning;

/// Warnings of one kind that are shown, unless all are asked for.
const MAX_OF_A_KIND: usize = 20;

/// Says them in order, the first of each kind.
pub(super) fn print(warnings: &[Warning], terminal: Terminal) {
    let mut kinds = HashMap::new();
    let mut more = 0;
    for warning in warnings {
        let of_its_kind = kinds.entry(kind(warning)).or_insert(0_usize);
        *of_its_kind += 1;
        if terminal.verbose || *of_its_kind <= MAX_OF_A_KIND {
            terminal.warn(warning);
        } else {
            more += 1;
        }
    }
    if more > 0 {
        let text = format!("and {} like these; --verbose shows all", count(more, "more warning"));
        terminal.remark(WARNING, "warning", text);
    }
}

fn kind(mut warning: &Warning) -> std::mem::Discriminant<Warning> {
    while let Warning::InFile { warning: inner, .. } = warning {
        warning = inner;
    }
    discriminant(warning)
}
