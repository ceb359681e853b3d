//! `cargo xtask bench`: speed and memory beside `cp`, beside other ways to convert, and beside what the machine
//! can do at all, in paired runs.
//!
//! Everything is written to a temporary folder and removed. A row that cannot be measured says why, a goal that is
//! missed is marked; neither ends the run. `--quick` is for machines that judge changes: few rows, and an error
//! where one is grossly slower than promised.

mod cache;
mod cases;
mod folder;
mod goal;
mod inputs;
mod machine;
pub(crate) mod measure;
mod memory;
mod options;
mod report;
mod row;
mod settle;
pub(crate) mod spread;

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;

use cases::CASES;
use folder::Folder;
use inputs::Input;
use options::Options;
use report::Report;
use row::Row;

use crate::{Outcome, shell, venv};

/// Bytes of the usual input, and of the one of a quick run.
const USUAL: u64 = 1 << 30;
const QUICK: u64 = 256 << 20;

/// What every case needs.
struct Bench {
    /// The usual input, made when it is first asked for. It lies in the folder, so it goes before it.
    mixed: OnceCell<Input>,
    folder: Folder,
    binary: PathBuf,
    environment: venv::Environment,
    quick: bool,
    /// Of the peers that were run.
    versions: RefCell<machine::Facts>,
}

/// Runs the benchmark and says which goals are met.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let options = Options::parse(options)?;
    folder::catch_interrupts()?;
    let bench = Bench {
        mixed: OnceCell::new(),
        binary: shell::release_binary()?,
        environment: venv::newest_only()?,
        folder: Folder::make(options.parent.join(format!("ptw2k-bench-{}", std::process::id())))?,
        quick: options.quick,
        versions: RefCell::default(),
    };
    let mut report = Report {
        facts: machine::facts(&bench),
        quick: options.quick,
        load_before: machine::load(),
        load_after: "the run has not ended".to_owned(),
        rows: Vec::new(),
    };
    for case in CASES.iter().filter(|case| options.chooses(case)) {
        eprintln!("\n== {}: {}", case.name, case.about);
        if let Err(error) = (case.run)(&bench, &mut report.rows) {
            report.rows.push(Row::not_run(case.name, case.about, error));
        }
        report.facts = machine::facts(&bench);
        // After every case: the whole takes long, and what was measured is not lost when it is interrupted.
        report.save(&options)?;
        folder::go_on()?;
    }
    report.load_after = machine::load();
    report.save(&options)?;
    print!("{}", report.text());
    eprintln!("written: {}, {}", options.markdown.display(), options.json.display());
    let regressions: Vec<_> = report.rows.iter().filter(|row| row.is_gross_regression()).collect();
    if options.quick && !regressions.is_empty() {
        let names: Vec<_> = regressions.iter().map(|row| format!("{} ({})", row.name, row.case)).collect();
        return Err(format!("did not run, or far from its goal: {}", names.join("; ")).into());
    }
    Ok(())
}

impl Bench {
    /// The usual input: the mixed model in float32.
    fn mixed(&self) -> Outcome<&Input> {
        if let Some(input) = self.mixed.get() {
            return Ok(input);
        }
        let input = Input::mixed(self, "float32", self.bytes())?;
        Ok(self.mixed.get_or_init(|| input))
    }

    /// Bytes of the usual input.
    const fn bytes(&self) -> u64 {
        if self.quick { QUICK } else { USUAL }
    }

    /// Notes the version of a peer.
    fn note_version(&self, peer: &'static str, version: String) {
        let mut versions = self.versions.borrow_mut();
        if !versions.iter().any(|(name, _)| *name == peer) {
            versions.push((peer, version));
        }
    }
}
