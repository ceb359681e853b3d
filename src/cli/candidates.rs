//! The state_dicts of a checkpoint, as `--key` takes them, or `key` in a manifest.

use super::asked::Asked;
use super::escape::escape;
use super::table::count;
use super::terminal::{ERROR, Terminal};
use crate::checkpoint::{Candidate, ErrorKind, article};
use crate::tensor::Printable;

/// State_dicts that are listed for people.
const MAX_SHOWN: usize = 32;

/// A line for each: `--key model.ema    12 tensors`. The one at `chosen` is marked.
pub(super) fn lines(candidates: &[Candidate], chosen: Option<&[String]>, asked: Asked) -> Vec<String> {
    let shown = candidates.iter().take(MAX_SHOWN);
    let options: Vec<String> = shown.clone().map(|candidate| escape(&asked.key(&candidate.path))).collect();
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
    let lines = lines(kind.candidates(), None, terminal.asked);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_below_the_other() {
        let candidate = |path: &[&str], tensors| Candidate {
            path: path.iter().map(|&key| key.to_owned()).collect(),
            tensors,
        };
        let candidates = [candidate(&["model", "ema"], 12), candidate(&[], 1), candidate(&["\u{1b}[2J"], 4)];
        let check = |asked, expected: [&str; 3]| {
            assert_eq!(lines(&candidates, Some(&candidates[0].path), asked), expected);
        };
        check(
            Asked::Options,
            [
                "--key model.ema    12 tensors  (this one)",
                "--key ''           1 tensor",
                r"--key '\u{1b}[2J'  4 tensors",
            ],
        );
        check(
            Asked::Keys,
            [
                "key = \"model.ema\"  12 tensors  (this one)",
                "key = \"\"           1 tensor",
                r#"key = "\u001b[2J"  4 tensors"#,
            ],
        );
    }
}
