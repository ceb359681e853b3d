//! Reads the bytes of every tensor of a file with burn's reader, to be timed.
//!
//! ```text
//! reader <FILE>            reads, and says how many bytes
//! reader --hash <FILE>     reads, and says the SHA-256 of each tensor, as JSON
//! reader --version
//! ```

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;

use pytorch_reader::PytorchReader;
use sha2::{Digest, Sha256};

/// What the program ends with; the text of an error is for people.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The versions that it was built with.
const LOCK: &str = include_str!("../../Cargo.lock");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = match arguments.as_slice() {
        ["--version"] => version(),
        ["--hash", file] => hashes(file),
        [file] => bytes(file),
        _ => Err("usage: reader [--hash] <FILE>".into()),
    };
    match said {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One tensor after the other, as burn's stores read them: none is kept.
fn bytes(file: &str) -> Outcome<String> {
    let reader = PytorchReader::new(file)?;
    let mut total = 0;
    for tensor in reader.tensors().values() {
        total += black_box(tensor.read()?).len();
    }
    Ok(total.to_string())
}

fn hashes(file: &str) -> Outcome<String> {
    let reader = PytorchReader::new(file)?;
    let mut hashes = BTreeMap::new();
    for (name, tensor) in reader.tensors() {
        let digest = Sha256::digest(tensor.read()?);
        hashes.insert(name, digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    Ok(serde_json::to_string(&hashes)?)
}

fn version() -> Outcome<String> {
    let version = LOCK.split("[[package]]").find_map(|package| {
        let rest = package.trim_start().strip_prefix("name = \"pytorch-reader\"")?;
        rest.trim_start().strip_prefix("version = \"")?.split('"').next()
    });
    Ok(format!("pytorch-reader {}", version.ok_or("the lock file does not name the reader")?))
}
