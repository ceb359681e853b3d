//! Reads every file of a corpus with `ptw2k` and with other readers, each in a process of its own, and says who
//! read it rightly, who refused it, who was wrong without saying so, and who crashed.
//!
//! ```text
//! peers <CORPUS> <PTW2K> [OUTPUT]     the table, on stdout or into a file
//! peers --read <READER> <FILE> [KEY]  one file with one of the others, in the words of `ptw2k inspect --json`
//! ```

mod child;
mod corpus;
mod readers;
mod table;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use crate::corpus::File;
use crate::readers::Reader;

/// What the program ends with; the text of an error is for people.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The exit code of a reader that refuses a file, as of `ptw2k`.
const REFUSED: u8 = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["--read", reader, file] => return read(reader, file, None),
        ["--read", reader, file, key] => return read(reader, file, Some(key)),
        [corpus, ptw2k] => compare(corpus, ptw2k).map(|table| print!("{table}")),
        [corpus, ptw2k, output] => compare(corpus, ptw2k).and_then(|table| {
            std::fs::write(output, table).map_err(|error| format!("{output}: {error}").into())
        }),
        _ => {
            eprintln!("usage: peers <CORPUS> <PTW2K> [OUTPUT]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Every file with every reader, as two tables.
fn compare(corpus: &str, ptw2k: &str) -> Outcome<String> {
    let (corpus, ptw2k) = (Path::new(corpus), Path::new(ptw2k));
    let files = judged(corpus::files(corpus)?, ptw2k)?;
    let hostile = judged(corpus::hostile(corpus)?, ptw2k)?;
    table::markdown(&files, &hostile, ptw2k)
}

fn judged(files: Vec<File>, ptw2k: &Path) -> Outcome<Vec<table::Row>> {
    let mut rows = Vec::with_capacity(files.len());
    for file in files {
        eprintln!("  {}", file.name);
        let mut verdicts = Vec::new();
        for reader in Reader::ALL {
            verdicts.push(verdict::of(reader, &file, ptw2k)?);
        }
        rows.push((file.name, verdicts));
    }
    Ok(rows)
}

/// The work of a child: reads one file and prints what it found.
fn read(reader: &str, file: &str, key: Option<&str>) -> ExitCode {
    match readers::read(reader, Path::new(file), key) {
        Ok(tensors) => {
            println!("{tensors}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(REFUSED)
        }
    }
}
