//! The state_dicts of a checkpoint, as `--key` takes them.

use super::escape::escape;
use super::table::count;
use super::terminal::{ERROR, Terminal};
use crate::checkpoint::{Candidate, ErrorKind, article, as_key};
use crate::tensor::Printable;

/// State_dicts that are listed for people.
const MAX_SHOWN: usize = 32;

/// A line for each: `--key model.ema    12 tensors`. The one at `chosen` is marked.
pub(super) fn lines(candidates: &[Candidate], chosen: Option<&[String]>) -> Vec<String> {
    let shown = candidates.iter().take(MAX_SHOWN);
    let options: Vec<String> = shown.clone().map(|candidate| option(&candidate.path)).collect();
    let width = options.iter().map(|option| option.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = shown
        .zip(options)
        .map(|(candidate, option)| {
            let mark = if chosen == Some(candidate.path.as_slice()) { "  (this one)" } else { "" };
            format!("{option:width$}  {}{mark}", count(candidate.tensors, "tensor"))
        })
        .collect();
    if candidates.len() > MAX_SHOWN {
        lines.push(format!("and {} more", candidates.len() - MAX_SHOWN));
    }
    lines
}

/// Says on stderr why none was chosen, and lists them.
pub(super) fn report(kind: &ErrorKind, terminal: Terminal) {
    terminal.label(ERROR, "  caused by", why(kind));
    let lines = lines(kind.candidates(), None);
    terminal.error_text(&lines.iter().map(|line| format!("    {line}\n")).collect::<String>());
}

/// Why none was chosen.
pub(super) fn why(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Ambiguous { count, .. } => {
            let all = kind.candidates().len();
            let of_all = if *count < all { format!("{count} of its {all}") } else { format!("its {count}") };
            format!("{of_all} state_dicts are equally likely, and nothing tells which is meant")
        }
        ErrorKind::NoMovingAverage { .. } => {
            "it holds no moving average of the weights; there are".to_owned()
        }
        ErrorKind::NoSuchKey { key, .. } => {
            format!("no state_dict at the key `{}`; the file holds", Printable(key))
        }
        ErrorKind::NotAStateDict { key, what, .. } => {
            format!(
                "at the key `{}` there is no state_dict but {}; the file holds",
                Printable(key),
                article(what)
            )
        }
        other => other.to_string(),
    }
}

/// How to choose.
pub(super) fn hint(kind: &ErrorKind) -> String {
    let candidates = kind.candidates();
    if matches!(kind, ErrorKind::NoMovingAverage { .. }) {
        return "leave out --ema, or choose one with --key".to_owned();
    }
    let averages = candidates.iter().filter(|found| found.is_moving_average()).count();
    // Of several, none is the one.
    let has_average = averages == 1 && candidates.len() > 1;
    let average = if has_average { "; --ema reads the moving average of the weights" } else { "" };
    format!("choose one with --key, as above{average}")
}

/// `--key` with its value, as a shell takes it.
fn option(path: &[String]) -> String {
    let key = as_key(path);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/:@+=%,".contains(letter);
    if !key.is_empty() && key.chars().all(is_plain) {
        format!("--key {key}")
    } else {
        escape(&format!("--key '{}'", key.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_shell_takes_them() {
        let candidate = |path: &[&str], tensors| Candidate {
            path: path.iter().map(|&key| key.to_owned()).collect(),
            tensors,
        };
        let candidates = [
            candidate(&["model", "ema"], 12),
            candidate(&[], 1),
            candidate(&["it's $HOME"], 3),
            candidate(&["\u{1b}[2J"], 4),
            candidate(&["a.b"], 5),
        ];
        let expected = [
            "--key model.ema        12 tensors  (this one)",
            "--key ''               1 tensor",
            r"--key 'it'\''s $HOME'  3 tensors",
            r"--key '\u{1b}[2J'      4 tensors",
            "--key '\"a.b\"'          5 tensors",
        ];
        assert_eq!(lines(&candidates, Some(&candidates[0].path)), expected);
    }
}
