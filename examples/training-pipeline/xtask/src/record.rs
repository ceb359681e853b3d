//! Which files an output was made from, and what they held: a text file beside the output.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The record of one output: a line for each file that it was made from, and for each that was made.
pub struct Record {
    path: PathBuf,
    text: String,
}

impl Record {
    /// The one of that output, empty.
    pub fn of(output: &Path) -> Self {
        let mut path = output.as_os_str().to_owned();
        path.push(".made-of");
        Self { path: path.into(), text: made_by() + "\n" }
    }

    /// Whether there is one, and every file in it is as it was. Times do not count: a checkpoint that is trained
    /// again to the same weights, or copied, has not changed.
    pub fn holds(&self) -> bool {
        let Ok(text) = fs::read_to_string(&self.path) else { return false };
        let mut lines = text.lines();
        lines.next() == Some(&made_by())
            && lines.all(|line| {
                let (digest, path) = line.split_once(' ').unwrap_or_default();
                self::digest(Path::new(path)).is_ok_and(|now| now == digest)
            })
    }

    /// Adds files as they are now.
    pub fn add(&mut self, files: &[PathBuf]) -> io::Result<()> {
        for file in files {
            let _ = writeln!(self.text, "{} {}", digest(file)?, file.display());
        }
        Ok(())
    }

    /// Writes it.
    pub fn write(&self) -> io::Result<()> {
        fs::write(&self.path, &self.text)
    }
}

/// The first line.
fn made_by() -> String {
    format!("made by ptw2k {}", ptw2k::VERSION)
}

fn digest(path: &Path) -> io::Result<String> {
    let (mut sha, mut file, mut bytes) = (Sha256::new(), File::open(path)?, vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes)? {
            0 => break,
            read => sha.update(&bytes[..read]),
        }
    }
    Ok(sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
