//! Rust source without what is not code: comments and literals blanked, tests cut off. Lines stay in place.

/// `text` with the insides of comments, strings and characters replaced by spaces.
pub(super) fn blank(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = match literal_end(&characters, at) {
            Some(end) => end,
            None => {
                out.push(characters[at]);
                at += 1;
                continue;
            }
        };
        let skipped = characters.get(at..end).unwrap_or_default();
        out.extend(skipped.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `None` when none starts there.
fn literal_end(text: &[char], at: usize) -> Option<usize> {
    let peek = |offset: usize| text.get(at + offset).copied();
    match text.get(at)? {
        '/' if peek(1) == Some('/') => Some(find(text, at, '\n')),
        '/' if peek(1) == Some('*') => Some(block_comment_end(text, at)),
        '"' => Some(string_end(text, at + 1)),
        'r' if !follows_identifier(text, at) => raw_string_end(text, at),
        // `'a'` and `'\n'` are characters, `'a` is a lifetime.
        '\'' if peek(1) == Some('\\') => Some(find(text, at + 3, '\'') + 1),
        '\'' if peek(2) == Some('\'') => Some(at + 3),
        _ => None,
    }
}

fn find(text: &[char], from: usize, wanted: char) -> usize {
    text.iter().skip(from).position(|c| *c == wanted).map_or(text.len(), |offset| from + offset)
}

fn block_comment_end(text: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at < text.len() {
        match (text.get(at), text.get(at + 1)) {
            (Some('/'), Some('*')) => {
                depth += 1;
                at += 2;
            }
            (Some('*'), Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string_end(text: &[char], mut at: usize) -> usize {
    while let Some(c) = text.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn follows_identifier(text: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    // `br"…"` is a raw string too.
    before.is_some_and(|c| (c.is_alphanumeric() && *c != 'b') || *c == '_')
}

fn raw_string_end(text: &[char], at: usize) -> Option<usize> {
    let hashes = text.iter().skip(at + 1).take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return None;
    }
    let closing =
        |quote: usize| text.iter().skip(quote + 1).take(hashes).filter(|c| **c == '#').count() == hashes;
    let mut quote = find(text, open + 1, '"');
    while quote < text.len() && !closing(quote) {
        quote = find(text, quote + 1, '"');
    }
    Some((quote + 1 + hashes).min(text.len()))
}

/// Blanked code with the modules under `#[cfg(test)]` blanked too.
pub(super) fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let rest = out.get(start..).unwrap_or_default();
        let end = start + item_end(rest);
        let blanked: String = out
            .get(start..end)
            .unwrap_or_default()
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..end, &blanked);
    }
    out
}

/// Where the item at the start of `code` ends: at its closing brace, or at a semicolon before any brace.
fn item_end(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => continue,
        }
    }
    code.len()
}

/// The lines of `code` with their numbers.
pub(super) fn lines(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(blank(text).trim_end(), expected, "of {text}");
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        check("a // b", "a");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("x \" y", z)"#, "f(        , z)");
        check(r##"f(r#"a "b" c"#, z)"##, "f(            , z)");
        check(r#"f(br"\", z)"#, "f(b    , z)");
        check(r"f('a', '\'', '\u{1}')", "f(   ,     ,        )");
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("var\"x\"", "var");
        check("\"a\nb\" c", "  \n   c".trim_end());
    }

    #[test]
    fn tests_are_cut_off_and_lines_stay() {
        let code = "a\n#[cfg(test)]\nmod tests {\n  { b }\n}\nc\n#[cfg(test)] use x;\nd";
        let cut = without_tests(code);
        let kept: Vec<(usize, &str)> = lines(&cut).filter(|(_, line)| !line.trim().is_empty()).collect();
        assert_eq!(kept, [(1, "a"), (6, "c"), (8, "d")]);
    }
}
