//! `ptw2k schemas`.

use serde_json::json;

use super::exit::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{args, table};
use crate::schema::Schema;
use crate::schema::bundled::{self, Bundled};

/// Lists the bundled schemas, or prints one.
///
/// # Errors
/// When there is none of that name, or stdout cannot be written to.
pub fn schemas(args: &args::Schemas, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.name {
        Some(name) => print(name, terminal)?,
        None => list(terminal)?,
    }
    Ok(Exit::Done)
}

fn print(name: &str, terminal: Terminal) -> Result<(), Failure> {
    let Some(found) = bundled::names().iter().find(|found| found.name == name) else {
        // The library's own refusal names the ones that are alike.
        Schema::bundled(name)?;
        return Ok(());
    };
    if terminal.json {
        return terminal
            .json_result(&json!({ "name": found.name, "about": found.about(), "text": found.text }));
    }
    terminal.result(|out| write!(out, "{}", found.text))
}

fn list(terminal: Terminal) -> Result<(), Failure> {
    let schemas = bundled::names().iter();
    if terminal.json {
        let schema = |found: &Bundled| json!({ "name": found.name, "about": found.about() });
        return terminal.json_result(&schemas.map(schema).collect::<serde_json::Value>());
    }
    let rows = schemas.map(|found| vec![found.name.to_owned(), found.about().to_owned()]);
    terminal.result(|out| table::print(out, &["NAME", "ABOUT"], rows))
}
