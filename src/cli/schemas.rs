//! `ptw2k schemas`.

use super::exit::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{args, inputs, table};
use crate::schema::{Schema, bundled};

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
    let found = inputs::find_bundled(name)?;
    if terminal.json {
        return terminal.json_result(&serde_json::json!({ "name": found.name, "text": found.text }));
    }
    terminal.result(|out| write!(out, "{}", found.text))
}

fn list(terminal: Terminal) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for entry in bundled() {
        let about = Schema::open_bundled(entry)?.about;
        rows.push((entry.name, about));
    }
    if terminal.json {
        let rows = rows.iter().map(|(name, about)| serde_json::json!({ "name": name, "about": about }));
        return terminal.json_result(&rows.collect());
    }
    let rows = rows.into_iter().map(|(name, about)| vec![name.to_owned(), about.unwrap_or_else(String::new)]);
    terminal.result(|out| table::print(out, &["NAME", "ABOUT"], rows))
}
