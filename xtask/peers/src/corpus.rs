//! The corpus: `files/<name>` with `expected/<name>.json`, what torch itself reads from it, and `hostile/<name>`
//! with `hostile/README.json`, what a reader has to make of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Outcome;

/// The usual keys of a state_dict in a file that holds more, in the order of preference.
const STATE_DICT_KEYS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// A file of the corpus.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Where the state_dict lies; every reader that has to be told is told.
    pub(crate) key: Option<String>,
    pub(crate) expected: Expected,
}

/// What a reader has to do with it.
pub(crate) enum Expected {
    /// Find exactly these.
    Tensors(Vec<Tensor>),
    /// Find these, and perhaps more: programs of torch 1.5 do not tell their buffers, which torch then leaves out.
    Program(Vec<Tensor>),
    /// Say that there is nothing, by an error or by an empty list.
    Nothing,
    /// Say that it cannot: what is there has no values, or no names, or is hostile.
    Refusal,
    /// Read it, whatever is in it: a hostile file that is no worse than strange.
    Anything,
    /// Read it or refuse it, but end.
    Survival,
}

/// A tensor that torch reads.
pub(crate) struct Tensor {
    /// Without the file's `key`.
    pub(crate) name: String,
    /// Both the stored one and the one of the values, when they differ (quantized tensors).
    pub(crate) dtypes: Vec<String>,
    pub(crate) shape: Value,
    /// Of the contiguous little-endian bytes; the corpus has none for the values of quantized tensors.
    pub(crate) sha256: Option<String>,
    /// Whether a state_dict does without it: a buffer that is not persistent, a storage without a tensor.
    pub(crate) is_optional: bool,
}

/// All files, by name.
pub(crate) fn files(corpus: &Path) -> Outcome<Vec<File>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(corpus.join("files"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names.into_iter().map(|name| file(corpus, name)).collect()
}

/// All hostile files, by name.
pub(crate) fn hostile(corpus: &Path) -> Outcome<Vec<File>> {
    let text = std::fs::read_to_string(corpus.join("hostile/README.json"))?;
    let readme: BTreeMap<String, Value> = serde_json::from_str(&text)?;
    let file = |(name, about): (String, Value)| {
        let expected = match text_of(&about, "expect") {
            "load" => Expected::Anything,
            text if text.starts_with("reject") => Expected::Refusal,
            text if text.starts_with("either") => Expected::Survival,
            text => return Err(format!("{name}: no one knows what `{text}` means").into()),
        };
        Ok(File { path: corpus.join("hostile").join(&name), name, key: None, expected })
    };
    readme.into_iter().map(file).collect()
}

fn file(corpus: &Path, name: String) -> Outcome<File> {
    let text = std::fs::read_to_string(corpus.join("expected").join(format!("{name}.json")))?;
    let json: Value = serde_json::from_str(&text)?;
    let tensors = json.get("tensors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let form = text_of(&json, "form");
    let key = STATE_DICT_KEYS.into_iter().find(|key| {
        let roots = json.get("root_keys").and_then(Value::as_array);
        let is_root = roots.is_some_and(|roots| roots.iter().any(|root| root == key)) || form.contains("dcp");
        is_root && tensors.iter().any(|tensor| text_of(tensor, "name").starts_with(&format!("{key}.")))
    });
    let prefix = key.map_or_else(String::new, |key| format!("{key}."));
    let under = tensors.iter().filter(|tensor| text_of(tensor, "name").starts_with(&prefix));
    let expected = if tensors.iter().any(|tensor| tensor.get("meta").is_some() || is_one_rank(tensor)) {
        Expected::Refusal
    } else if tensors.is_empty() {
        if form == "torchscript" { Expected::Refusal } else { Expected::Nothing }
    } else {
        let tensors = under.flat_map(|tensor| expand(tensor, prefix.len())).collect();
        if form == "torchscript" { Expected::Program(tensors) } else { Expected::Tensors(tensors) }
    };
    Ok(File { path: corpus.join("files").join(&name), name, key: key.map(str::to_owned), expected })
}

/// One tensor; the parts of a nested one, which are numbered.
fn expand(json: &Value, skip: usize) -> Vec<Tensor> {
    let name = text_of(json, "name").get(skip..).unwrap_or("").to_owned();
    let Some(parts) = json.get("nested").and_then(Value::as_array) else {
        return vec![tensor(json, name)];
    };
    parts.iter().enumerate().map(|(at, part)| tensor(part, format!("{name}.{at}"))).collect()
}

fn tensor(json: &Value, name: String) -> Tensor {
    let mut dtypes = vec![text_of(json, "dtype").to_owned()];
    if json.get("qscheme").is_some() {
        dtypes.push("float32".to_owned());
    }
    let sha256 = json.get("sha256").or_else(|| json.get("dense_sha256")).and_then(Value::as_str);
    let shape = json.get("shape").cloned().unwrap_or(Value::Null);
    let is_optional = matches!(text_of(json, "kind"), "nonpersistent_buffer" | "raw_storage");
    Tensor { name, dtypes, shape, sha256: sha256.map(str::to_owned), is_optional }
}

/// One rank's part of a tensor whose other parts lie in other files.
fn is_one_rank(json: &Value) -> bool {
    json.get("global_shape").is_some_and(|whole| Some(whole) != json.get("shape"))
}

fn text_of<'a>(json: &'a Value, field: &str) -> &'a str {
    json.get(field).and_then(Value::as_str).unwrap_or("")
}
