//! How what can be chosen is called: by the options of the command line, or in a zoo by the keys of its manifest.

use crate::checkpoint::as_key;

/// The options that are keys of a manifest too, and whether they take no value.
const KEYS: [(&str, bool); 13] = [
    ("schema", false),
    ("arch", false),
    ("key", false),
    ("ema", true),
    ("quantized", false),
    ("dtype", false),
    ("keras", false),
    ("save", false),
    ("max-shard-size", false),
    ("optimizer", true),
    ("allow-missing", false),
    ("allow-unexpected", false),
    ("allow-overflow", true),
];

/// Where somebody asks for what can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// On the command line.
    Options,
    /// In the manifest of a zoo.
    Keys,
}

impl Asked {
    /// A message, which names options as the command line has them: `--dtype` is `dtype` in a manifest.
    pub(super) fn says(self, text: &str) -> String {
        if self == Self::Options {
            return text.to_owned();
        }
        let mut said = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, option)) = rest.split_once("--") {
            said.push_str(before);
            let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            let (name, after) =
                option.split_at(option.find(|letter| !is_name(letter)).unwrap_or(option.len()));
            // Within a word, it is of a name.
            let begins = said.chars().next_back().is_none_or(|letter| " (".contains(letter));
            match KEYS.iter().find(|(key, _)| begins && *key == name) {
                Some((key, true)) => said.extend(["`", key, " = true`"]),
                Some((key, false)) if after.starts_with(" \"") => said.extend([key, " ="]),
                Some((key, false)) => said.extend(["`", key, "`"]),
                None => said.extend(["--", name]),
            }
            rest = after;
        }
        said + rest
    }

    /// The choice of a state_dict, as a shell or a manifest takes it.
    pub(super) fn key(self, path: &[String]) -> String {
        let key = as_key(path);
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/:@+=%,".contains(letter);
        match self {
            Self::Options if !key.is_empty() && key.chars().all(is_plain) => format!("--key {key}"),
            Self::Options => format!("--key '{}'", key.replace('\'', r"'\''")),
            // Braces stand for a placeholder there; what JSON escapes, TOML does too.
            Self::Keys => {
                format!("key = {}", serde_json::json!(key.replace('{', "{{").replace('}', "}}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(Asked::Keys.says(text), expected);
        assert_eq!(Asked::Options.says(text), text);
    }

    /// Those of a manifest, but for the output, which no message speaks of as an option.
    #[test]
    fn every_key_is_known() {
        let keys: Vec<&str> = crate::zoo::KEYS.iter().copied().filter(|key| *key != "output").collect();
        assert_eq!(KEYS.map(|(key, _)| key).as_slice(), keys);
    }

    #[test]
    fn options_are_keys() {
        check("write a larger type with --dtype, or more", "write a larger type with `dtype`, or more");
        check("let it be with --allow-overflow", "let it be with `allow-overflow = true`");
        check("chosen (--key); --ema reads", "chosen (`key`); `ema = true` reads");
        check("the root (--key \"\", 3 tensors)", "the root (key = \"\", 3 tensors)");
        check("--max-shard-size", "`max-shard-size`");
        // Of the run, or of a name.
        check(
            "they may take 3 (--memory); `--json` lists all",
            "they may take 3 (--memory); `--json` lists all",
        );
        check("a--key `--key` -- --", "a--key `--key` -- --");
    }

    #[test]
    fn keys() {
        let check = |path: &[&str], option: &str, key: &str| {
            let path: Vec<String> = path.iter().map(|&part| part.to_owned()).collect();
            assert_eq!([Asked::Options, Asked::Keys].map(|asked| asked.key(&path)), [option, key]);
        };
        check(&["model", "ema"], "--key model.ema", "key = \"model.ema\"");
        check(&[], "--key ''", "key = \"\"");
        check(&["it's {a}"], r"--key 'it'\''s {a}'", "key = \"it's {{a}}\"");
        check(&["a.b"], "--key '\"a.b\"'", r#"key = "\"a.b\"""#);
    }
}
