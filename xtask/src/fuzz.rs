//! Fuzzing the parsers of checkpoints and of Keras files: seeds from the corpus, then each target for so many minutes.

use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use crate::{Outcome, shell};

/// What there is in `fuzz/fuzz_targets`.
const TARGETS: [&str; 10] = [
    "pickle",
    "zip",
    "legacy",
    "tar",
    "safetensors_header",
    "dcp_metadata",
    "torchscript_json",
    "keras_config",
    "keras_h5",
    "keras_archive",
];

/// How long a target is fuzzed when the caller does not say.
const MINUTES: NonZeroU64 = NonZeroU64::new(20).unwrap();

/// Where real and hostile checkpoints lie, from the root.
const CORPUS: &str = "testdata";

/// Memory in MiB that an input may take: what the reader promises for any small file, and the fuzzer's own.
const MEMORY: u64 = 512;

/// The largest file that becomes a seed: larger ones only slow the fuzzer down.
const MAX_SEED: u64 = 64 << 10;

/// Bytes of a legacy stream before its fourth pickle, as torch writes them, by how its third one ends.
const LEGACY_START: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46";

/// Makes the seeds, and runs the targets one after another.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let mut minutes = MINUTES;
    let mut targets = Vec::new();
    let mut rest = options.iter();
    while let Some(&option) = rest.next() {
        match option {
            "--minutes" => minutes = rest.next().ok_or("--minutes needs a number")?.parse::<NonZeroU64>()?,
            "--seeds" => {
                println!("{} seeds in fuzz/corpus", seed()?);
                return Ok(());
            }
            target if TARGETS.contains(&target) => targets.push(target),
            other => return Err(format!("no target `{other}`; there are {}", TARGETS.join(", ")).into()),
        }
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    if !shell::succeeds(shell::cargo(&["fuzz", "--version"]).env("RUSTC_BOOTSTRAP", "1")) {
        return Err("cargo-fuzz is not installed: cargo install cargo-fuzz".into());
    }
    let seeds = seed()?;
    eprintln!("{seeds} seeds in fuzz/corpus");
    for target in targets {
        let seconds = format!("-max_total_time={}", minutes.get() * 60);
        let memory = format!("-rss_limit_mb={MEMORY}");
        let fuzz = ["fuzz", "run", "--sanitizer", "none", target, "--"];
        let limits =
            [seconds.as_str(), memory.as_str(), "-timeout=30", "-print_final_stats=1", "-verbosity=0"];
        // libFuzzer needs a nightly compiler's flags; the stable compiler has them behind this variable.
        shell::run(shell::cargo(&fuzz).args(limits).env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}

/// Puts the seeds where each target looks for them: those written by hand, and parts of the corpus' files.
fn seed() -> Outcome<usize> {
    let folder = shell::root().join("fuzz/corpus");
    for target in TARGETS {
        std::fs::create_dir_all(folder.join(target))?;
    }
    let mut count = 0;
    for target in TARGETS {
        let written = shell::root().join("fuzz/seeds").join(target);
        if written.is_dir() {
            for entry in std::fs::read_dir(written)? {
                let entry = entry?;
                std::fs::copy(entry.path(), folder.join(target).join(entry.file_name()))?;
                count += 1;
            }
        }
    }
    for path in files()? {
        let bytes = std::fs::read(&path)?;
        let parts = parts(&path, &bytes);
        for (target, seed) in parts {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            std::fs::write(folder.join(target).join(format!("{count}-{name}")), seed)?;
            count += 1;
        }
    }
    Ok(count)
}

fn files() -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut pending = vec![shell::root().join(CORPUS)];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.metadata()?.len() <= MAX_SEED {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What of a file is an input of which target: each gets what is behind the part that it adds itself.
fn parts<'b>(path: &Path, bytes: &'b [u8]) -> Vec<(&'static str, std::borrow::Cow<'b, [u8]>)> {
    let mut parts = Vec::new();
    if let Some(rest) = bytes.strip_prefix(b"\x89HDF\r\n\x1a\n") {
        parts.push(("keras_h5", rest.into()));
    } else if path.extension().is_some_and(|extension| extension == "keras") {
        let rest = bytes.strip_prefix(b"PK\x03\x04").unwrap_or(bytes);
        parts.push(("keras_archive", rest.into()));
    } else if bytes.starts_with(b"{") && is_of_keras(path) {
        parts.push(("keras_config", bytes.into()));
    } else if let Some(rest) = bytes.strip_prefix(b"PK\x03\x04") {
        parts.push(("zip", rest.into()));
        for (record, target) in [("/data.pkl", "pickle"), ("/model.json", "torchscript_json")] {
            if let Some(record) = record_of(path, record) {
                parts.push((target, record.into()));
            }
        }
    } else if bytes.starts_with(LEGACY_START) {
        // The head is three pickles; a fourth begins behind the third STOP that PROTO follows.
        let starts: Vec<usize> = bytes
            .windows(3)
            .enumerate()
            .filter(|(_, at)| at.starts_with(b".\x80"))
            .map(|(at, _)| at + 1)
            .collect();
        if let Some(rest) = starts.get(2).and_then(|&start| bytes.get(start..)) {
            parts.push(("legacy", rest.into()));
        }
    } else if bytes.get(257..262) == Some(b"ustar") {
        parts.push(("tar", bytes.into()));
    } else if path.ends_with(".metadata") {
        parts.push(("dcp_metadata", bytes.into()));
    } else if bytes.get(8) == Some(&b'{') {
        let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(8);
        let header = bytes.get(8..end).unwrap_or_default();
        let values = bytes.get(end..).unwrap_or_default();
        parts.push(("safetensors_header", [header, b"\0", values].concat().into()));
    }
    parts
}

/// Whether a file lies in a folder of Keras files, and is no table of what is expected of one.
fn is_of_keras(path: &Path) -> bool {
    let is_expected = path.to_string_lossy().ends_with(".expected.json");
    !is_expected && path.iter().any(|part| part.to_string_lossy().starts_with("keras"))
}

/// The record whose name ends so; `None` where the archive is too damaged to tell.
fn record_of(path: &Path, end: &str) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(File::open(path).ok()?).ok()?;
    let name = archive.file_names().flatten().find(|name| name.ends_with(end))?.into_owned();
    let mut bytes = Vec::new();
    archive.by_name(&name).ok()?.take(MAX_SEED).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
