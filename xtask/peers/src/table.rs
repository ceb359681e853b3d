//! The report, in Markdown.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::readers::Reader;
use crate::verdict::Verdict;

/// Tells the versions that were built in.
const LOCK: &str = include_str!("../Cargo.lock");

const LEGEND: &str = "\
*right*: every tensor that torch reads, with its name, shape, dtype and bytes, and no other; or a refusal where \
there is nothing to read. *refused*: an error. **wrong**: no error, and yet tensors are missing, too many or \
different; where the reader printed a line about it on stderr, that is noted. **crashed**: a panic, a signal, more \
than 20 s or 1 GiB. *not claimed*: the reader does not say that it reads such files. Readers that choose no \
state_dict themselves are told its key.
";

const HOSTILE_LEGEND: &str = "\
*right*: refused where the file has to be refused, read where it is only strange, either where both will do. \
**wrong**: read without an error, where the file has to be refused.
";

/// A file's name and what each reader made of it.
pub(crate) type Row = (String, Vec<Verdict>);

/// The files of real torch and the hostile ones; totals, versions.
pub(crate) fn markdown(files: &[Row], hostile: &[Row], ptw2k: &Path) -> Outcome<String> {
    let files = table(files, ptw2k)?;
    let hostile = table(hostile, ptw2k)?;
    Ok(format!(
        "## Files that real torch wrote\n\n{files}\n{LEGEND}\n## Hostile files\n\n{hostile}\n{HOSTILE_LEGEND}"
    ))
}

/// A row per file, then the totals.
fn table(rows: &[Row], ptw2k: &Path) -> Outcome<String> {
    let mut out = format!("| {} files |", rows.len());
    for reader in Reader::ALL {
        write!(out, " {} |", version(reader, ptw2k)?)?;
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(Reader::ALL.len()));
    out.push('\n');
    for (name, verdicts) in rows {
        write!(out, "| `{name}` |")?;
        for verdict in verdicts {
            write!(out, " {} |", cell(verdict))?;
        }
        out.push('\n');
    }
    for (word, is_counted) in COUNTED {
        write!(out, "| **{word}** |")?;
        for column in 0..Reader::ALL.len() {
            let verdicts = rows.iter().filter_map(|(_, verdicts)| verdicts.get(column));
            write!(out, " {} |", verdicts.filter(|verdict| is_counted(verdict)).count())?;
        }
        out.push('\n');
    }
    Ok(out)
}

/// A total: its word, and what counts.
type Total = (&'static str, fn(&Verdict) -> bool);

const COUNTED: [Total; 5] = [
    ("right", |verdict| matches!(verdict, Verdict::Right)),
    ("refused", |verdict| matches!(verdict, Verdict::Refused)),
    ("wrong without an error", |verdict| matches!(verdict, Verdict::Wrong(_))),
    ("crashed", |verdict| matches!(verdict, Verdict::Crashed(_))),
    ("not claimed", |verdict| matches!(verdict, Verdict::NotClaimed)),
];

fn cell(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Right => "right".to_owned(),
        Verdict::Refused => "refused".to_owned(),
        Verdict::Wrong(what) => format!("**wrong**: {what}"),
        Verdict::Crashed(how) => format!("**crashed**: {}", how.replace('|', "\\|")),
        Verdict::NotClaimed => "not claimed".to_owned(),
    }
}

fn version(reader: Reader, ptw2k: &Path) -> Outcome<String> {
    if reader == Reader::Ptw2k {
        let said = Command::new(ptw2k).arg("--version").output()?;
        return Ok(String::from_utf8(said.stdout)?.trim().to_owned());
    }
    let name = reader.name();
    let version = LOCK.split("[[package]]").find_map(|package| {
        let rest = package.trim_start().strip_prefix(&format!("name = \"{name}\""))?;
        rest.trim_start().strip_prefix("version = \"")?.split('"').next()
    });
    Ok(format!("{name} {}", version.ok_or("the lock file does not name a reader")?))
}
