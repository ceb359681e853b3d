//! The project's chores: `cargo xtask <command>`.

mod bench;
mod checkpoints;
mod convert;
mod fixtures;
mod fuzz;
mod judges;
mod keras;
mod peers;
mod pipeline;
mod schema_json;
mod schemas;
mod shell;
mod test;
mod tidy;
mod venv;
mod zoo;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <COMMAND>

  test [--no-judges] [--keras all] [--only CASE]...
                                        every check: format, clippy, tidy, fixtures, tests, documentation,
                                        then the judges (PyTorch writes, ptw2k converts, Keras loads), the
                                        pipeline, the checkpoints, a few versions of Keras (or all), and KerasHub's
                                        schemas;
                                        --only runs the judges alone, on those cases
  checkpoints [--seed N] [--keep FOLDER] [CASE]...
                                        PyTorch writes files of every kind, what ptw2k reads is compared
                                        bit for bit; --seed gives the contents of an earlier run again
  peers [--output FILE] [--corpus FOLDER]
                                        the same files read by ptw2k, candle and burn: a table
  keras [--keras VERSION]... [--model NAME]... [--seed N] [families|applications|kerashub|graphs]...
                                        Keras of many versions saves, ptw2k lists and writes, Keras loads:
                                        the table is target/judges/keras-versions.md
  pipeline                              examples/training-pipeline: PyTorch trains, its xtask converts by the
                                        library, Keras checks; what has not changed is not converted again
  convert [--manifest ZOO [OPTION]...]  converts the jobs of a manifest, as `ptw2k zoo`; without one the
  convert [ARGUMENT]...                 README's example, or what the arguments say, as `ptw2k`: with the release
                                        binary of this working tree
  schemas [CASE]...                     KerasHub converts, ptw2k converts by the bundled schemas: the table is
                                        target/judges/kerashub-schemas.md
  tidy                                  the house rules: imports, unsafe, file sizes, style, documents
  editors [--check]                     make schemas/schema.json again, the JSON Schema of the schema
                                        language; --check compares it, and the bundled schemas with it
  fixtures [--check | --hashes]         make testdata again; --check compares hashes, without Python;
                                        --hashes writes the hashes of what is there
  fuzz [--minutes N] [TARGET]...        the parsers of checkpoints under libFuzzer, 20 minutes each
  fuzz --seeds                          makes their seeds alone
  bench [--quick] [--dir FOLDER]        speed and memory beside `cp` and torch + numpy + h5py
  zoo [--quick] [--dir FOLDER]          300 checkpoints by `ptw2k zoo`, a shell loop and a Python loop: time,
                                        memory, SIGKILLs, a full disk
";

/// What a chore ends with; the text of an error is for people.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test", options @ ..] => test::run(options),
        ["checkpoints", options @ ..] => checkpoints::run(options),
        ["peers", options @ ..] => peers::run(options),
        ["keras", options @ ..] => keras::run(options),
        ["schemas", options @ ..] => schemas::run(options),
        ["pipeline"] => pipeline::run(),
        ["convert", arguments @ ..] => convert::run(arguments),
        ["editors"] => schema_json::write(),
        ["editors", "--check"] => schema_json::check(),
        ["tidy"] => tidy::run(),
        ["fixtures"] => fixtures::remake(),
        ["fixtures", "--check"] => fixtures::check(),
        ["fixtures", "--hashes"] => fixtures::write_manifest(),
        ["bench", options @ ..] => bench::run(options),
        ["zoo", options @ ..] => zoo::run(options),
        ["fuzz", options @ ..] => fuzz::run(options),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
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
