//! What a reader made of a file.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitStatus;

use serde_json::Value;

use crate::corpus::{Expected, File, Tensor};
use crate::readers::Reader;
use crate::{Outcome, REFUSED, child};

/// The exit code of a Rust program that panics.
const PANICKED: i32 = 101;

/// One cell of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every tensor that torch reads, and no other; or a refusal where one is due.
    Right,
    /// An error, where torch reads tensors.
    Refused,
    /// No error, and yet something is missing, too much, or different.
    Wrong(String),
    /// A panic, a signal, or no end.
    Crashed(String),
    /// The reader does not say that it reads such files.
    NotClaimed,
}

/// Has a file read, in a process of its own.
pub(crate) fn of(reader: Reader, file: &File, ptw2k: &Path) -> Outcome<Verdict> {
    if !reader.claims(&file.path) {
        return Ok(Verdict::NotClaimed);
    }
    let this = std::env::current_exe()?;
    let path = file.path.as_os_str();
    let ended = if reader == Reader::Ptw2k {
        child::run(ptw2k.as_os_str(), &["inspect".as_ref(), "--json".as_ref(), "--hash".as_ref(), path])?
    } else {
        let mut arguments: Vec<&OsStr> = vec!["--read".as_ref(), reader.name().as_ref(), path];
        arguments.extend(file.key.as_deref().map(OsStr::new));
        child::run(this.as_os_str(), &arguments)?
    };
    let Some(status) = ended.status else { return Ok(Verdict::Crashed("no end".to_owned())) };
    let refused = status.code() == Some(i32::from(REFUSED));
    if !status.success() && !refused {
        return Ok(Verdict::Crashed(crash(status, &ended.stderr)));
    }
    let verdict = match &file.expected {
        Expected::Refusal | Expected::Nothing | Expected::Survival if refused => Verdict::Right,
        _ if refused => Verdict::Refused,
        Expected::Anything | Expected::Survival => Verdict::Right,
        expected => {
            let said: Value = serde_json::from_slice(&ended.stdout)?;
            match (expected, rows(&said).len()) {
                (Expected::Tensors(tensors), _) => compared(&said, tensors, file.key.as_deref(), false),
                (Expected::Program(tensors), _) => compared(&said, tensors, file.key.as_deref(), true),
                (Expected::Nothing, 0) => Verdict::Right,
                (_, found) => Verdict::Wrong(format!("{found} tensors where it has to be refused")),
            }
        }
    };
    Ok(match verdict {
        Verdict::Wrong(what) if !ended.stderr.trim().is_empty() => {
            Verdict::Wrong(format!("{what}, a line on stderr"))
        }
        verdict => verdict,
    })
}

fn crash(status: ExitStatus, stderr: &str) -> String {
    if status.code() == Some(PANICKED) {
        let place = stderr.lines().find(|line| line.contains("panicked at"));
        return place.map_or("panic", |line| line.rsplit('/').next().unwrap_or(line)).to_owned();
    }
    status.to_string()
}

fn rows(said: &Value) -> &[Value] {
    said.get("tensors").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn texts(said: &Value, field: &str) -> Vec<String> {
    let items = said.get(field).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The tensors that were read beside those that had to be. Order does not count: the others have none.
fn compared(said: &Value, expected: &[Tensor], key: Option<&str>, may_be_more: bool) -> Verdict {
    let chosen = texts(said, "state_dict").join(".");
    if chosen != key.unwrap_or("") {
        return Verdict::Wrong(format!("reads `{chosen}` instead of `{}`", key.unwrap_or("")));
    }
    let stripped = texts(said, "stripped").concat();
    let mut found: HashMap<String, &Value> = HashMap::new();
    for row in rows(said) {
        // What is no part of the state_dict, and is said to be none, is not too much.
        let role = row.get("role").and_then(Value::as_str).unwrap_or("");
        let name = format!("{stripped}{}", row.get("key").and_then(Value::as_str).unwrap_or(""));
        let is_in_state_dict = matches!(role, "" | "unknown" | "parameter" | "buffer");
        if is_in_state_dict || expected.iter().any(|tensor| tensor.name == name) {
            found.insert(name, row);
        }
    }
    let (mut absent, mut different) = (Vec::new(), Vec::new());
    for tensor in expected {
        match found.remove(&tensor.name) {
            None if tensor.is_optional => continue,
            None => absent.push(tensor.name.as_str()),
            Some(row) if !is_equal(row, tensor) => different.push(tensor.name.as_str()),
            Some(_) => continue,
        }
    }
    if may_be_more {
        found.clear();
    }
    let mut faults = Vec::new();
    for (count, what, example) in [
        (absent.len(), "missing", absent.first().map(|name| (*name).to_owned())),
        (different.len(), "different", different.first().map(|name| (*name).to_owned())),
        (found.len(), "too many", found.into_keys().min()),
    ] {
        if let Some(example) = example {
            faults.push(format!("{count} of {} {what} (`{example}`)", expected.len()));
        }
    }
    if faults.is_empty() { Verdict::Right } else { Verdict::Wrong(faults.join(", ")) }
}

fn is_equal(row: &Value, tensor: &Tensor) -> bool {
    let text = |field| row.get(field).and_then(Value::as_str);
    tensor.dtypes.iter().any(|dtype| text("dtype") == Some(dtype))
        && row.get("shape") == Some(&tensor.shape)
        && tensor.sha256.as_deref().is_none_or(|digest| text("sha256") == Some(digest))
}
