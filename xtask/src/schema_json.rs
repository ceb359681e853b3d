//! `cargo xtask editors`: the JSON Schema of the schema language, for completion and validation in editors, made of
//! the tables in `schemas/README.md`, which say of every key what it is.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::{Outcome, shell};

/// A row of a table of keys.
struct Key {
    name: String,
    r#type: String,
    default: String,
    meaning: String,
}

/// The keys of a term of `add`.
const TERM: [&str; 6] = ["torch", "layout", "sizes", "order", "slice", "take"];

/// What the keys of a table become.
#[derive(Clone, Default)]
struct Keys {
    properties: Map<String, Value>,
    required: Vec<String>,
}

/// Writes `schemas/schema.json`.
pub(crate) fn write() -> Outcome {
    fs::write(file(), text()?)?;
    Ok(())
}

/// Compares it with what the reference says, and the bundled schemas with it.
pub(crate) fn check() -> Outcome {
    let expected = text()?;
    if fs::read_to_string(file()).ok().as_ref() != Some(&expected) {
        return Err("schemas/schema.json is not what schemas/README.md says: cargo xtask editors".into());
    }
    let schema = serde_json::from_str(&expected)?;
    let validator = jsonschema::validator_for(&schema)?;
    let mut faults = Vec::new();
    for path in schemas(&shell::root().join("schemas"))? {
        let value: Value = toml::from_str(&fs::read_to_string(&path)?)?;
        let wrong = validator.iter_errors(&value).map(|error| format!("{}: {error}", path.display()));
        faults.extend(wrong);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn file() -> PathBuf {
    shell::root().join("schemas/schema.json")
}

/// Every schema in a folder and its folders.
fn schemas(folder: &std::path::Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(schemas(&path)?);
        } else if path.extension().is_some_and(|end| end == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn text() -> Outcome<String> {
    let readme = fs::read_to_string(shell::root().join("schemas/README.md"))?;
    Ok(format!("{:#}\n", document(&readme)?))
}

/// The JSON Schema of a whole schema.
fn document(readme: &str) -> Outcome<Value> {
    let section = |heading: &str| keys(readme, heading);
    let tensor = section("## `[[tensor]]`")?;
    let layer = object(&section("## `[[layer]]`")?)?;
    let fill = section("## `[[fill]]` and `[[keep]]`")?;
    let keep: Vec<&Key> = fill.iter().filter(|key| key.name != "value").collect();
    let formulas = first_column(readme, "| `compute` | `torch` |");
    let mut whole = tensor_keys(&tensor.iter().collect::<Vec<_>>(), &formulas)?;
    let of_a_term = |key: &&Key| TERM.contains(&key.name.as_str());
    let term = keys_of(&tensor.iter().filter(of_a_term).collect::<Vec<_>>())?.finish();
    whole.properties.insert("add".to_owned(), described(list(&term), "further terms"));
    let mut variable =
        tensor_keys(&tensor.iter().filter(|key| key.name != "optional").collect::<Vec<_>>(), &formulas)?;
    variable.properties.insert("add".to_owned(), described(list(&term), "further terms"));
    for (name, meaning) in [
        ("flatten", "the layouts that hold when the layer reads a flattened map"),
        ("unflatten", "the layouts that hold when the layer's output becomes a map"),
    ] {
        variable.properties.insert(name.to_owned(), described(strings(), meaning));
    }
    let expands = "it is the dense weight where the layer's rule says groups";
    variable.properties.insert("expands".to_owned(), described(json!({"type": "boolean"}), expands));
    let inside = json!({
        "type": "object", "additionalProperties": false, "required": ["keras"],
        "properties": {"keras": {"type": "string"}, "torch": {"type": "string"}, "class": {"type": "string"}},
    });
    let mut class = Keys::default();
    for key in section("## `[class.NAME]`")? {
        let shape = match key.name.as_str() {
            "variables" => list(&variable.clone().finish()),
            "inside" => list(&inside),
            _ => shape(&key)?,
        };
        class.properties.insert(key.name.clone(), described(shape, &key.meaning));
    }
    let classes = json!({"type": "object", "additionalProperties": class.finish()});

    let mut root = Keys::default();
    let mut tables: Vec<(String, Keys)> = Vec::new();
    for key in section("## The file")? {
        let rules = [("layer", &layer), ("sequence", &layer)];
        match key.name.as_str() {
            "[[layer]]" => {
                for (name, rule) in rules {
                    root.properties.insert(name.to_owned(), list(rule));
                }
                root.properties.insert("tensor".to_owned(), list(&whole.clone().finish()));
                root.properties.insert("fill".to_owned(), list(&object(&fill)?));
                root.properties.insert("keep".to_owned(), list(&keys_of(&keep)?.finish()));
            }
            "[[use]]" => {
                let uses = object(&section("`[[use]]` puts")?)?;
                root.properties.insert("use".to_owned(), described(list(&uses), &key.meaning));
            }
            "[class.NAME]" => {
                root.properties.insert("class".to_owned(), described(classes.clone(), &key.meaning));
            }
            "table.NAME" => {
                let entries = json!({"type": "object", "additionalProperties": shape(&key)?});
                root.properties.insert("table".to_owned(), described(entries, &key.meaning));
            }
            dotted if dotted.contains('.') => {
                let (table, name) = dotted.split_once('.').unwrap_or_default();
                if tables.last().is_none_or(|(last, _)| last != table) {
                    tables.push((table.to_owned(), Keys::default()));
                }
                if let Some((_, keys)) = tables.last_mut() {
                    keys.properties.insert(name.to_owned(), described(shape(&key)?, &key.meaning));
                }
            }
            _ => root.add(&key)?,
        }
    }
    for (table, keys) in tables {
        root.properties.insert(table, keys.finish());
    }
    let Value::Object(mut document) = root.finish() else { return Err("no object".into()) };
    document.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    document.insert("title".to_owned(), json!("ptw2k schema"));
    Ok(Value::Object(document))
}

impl Keys {
    fn add(&mut self, key: &Key) -> Outcome {
        self.properties.insert(key.name.clone(), described(shape(key)?, &key.meaning));
        if key.default == "required" || key.default == "required in `[[fill]]`" {
            self.required.push(key.name.clone());
        }
        Ok(())
    }

    fn finish(self) -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": self.properties,
            "required": self.required,
        })
    }
}

fn keys_of(keys: &[&Key]) -> Outcome<Keys> {
    let mut found = Keys::default();
    keys.iter().try_for_each(|key| found.add(key))?;
    Ok(found)
}

/// The keys of `[[tensor]]`, or some of them; those that other tables tell of are put in.
fn tensor_keys(keys: &[&Key], formulas: &[String]) -> Outcome<Keys> {
    let plain: Vec<&Key> = keys.iter().copied().filter(|key| key.name != "add").collect();
    let mut found = keys_of(&plain)?;
    if let Some(compute) = found.properties.get_mut("compute") {
        compute["enum"] = json!(formulas);
    }
    Ok(found)
}

fn object(keys: &[Key]) -> Outcome<Value> {
    Ok(keys_of(&keys.iter().collect::<Vec<_>>())?.finish())
}

fn list(item: &Value) -> Value {
    json!({"type": "array", "items": item})
}

fn strings() -> Value {
    json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
}

fn described(mut shape: Value, meaning: &str) -> Value {
    shape["description"] = json!(meaning.replace('`', ""));
    shape
}

/// What a key's type means.
fn shape(key: &Key) -> Outcome<Value> {
    let map = |values: Value| json!({"type": "object", "additionalProperties": values});
    let natural = json!({"type": "integer", "minimum": 0});
    Ok(match key.r#type.as_str() {
        "`1`" => json!({"const": 1}),
        "string" | "name" => json!({"type": "string"}),
        "string or list" | "glob or list" | "name or list" | "layout or list" => strings(),
        "name, or table of names" => json!({"anyOf": [{"type": "string"}, map(json!({"type": "string"}))]}),
        "boolean" => json!({"type": "boolean"}),
        "integer" => natural,
        "integer above 1" => json!({"type": "integer", "minimum": 2}),
        "number" => json!({"type": "number"}),
        "number other than 0" => json!({"type": "number", "not": {"const": 0}}),
        "number above 0" => json!({"type": "number", "exclusiveMinimum": 0}),
        "`[]`" => json!({"type": "array", "maxItems": 0}),
        "list or table" => json!({"anyOf": [{"type": "array"}, {"type": "object"}]}),
        "list of 2 to 4 sizes, or `[]`" => {
            json!({"type": "array", "maxItems": 4, "items": {"type": "integer", "minimum": 1}})
        }
        "table of integers" => map(natural),
        "table of permutations" => map(list(&natural)),
        "table of slices" => map(json!({"type": "string"})),
        "table of `alpha`, `rslora`, `fan_in_fan_out`" => json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "alpha": {"type": "number", "exclusiveMinimum": 0},
                "rslora": {"type": "boolean"},
                "fan_in_fan_out": {"type": "boolean"},
            },
        }),
        listed if listed.starts_with("`\"") => {
            let texts: Vec<&str> =
                listed.split(", ").map(|text| text.trim_matches(|edge| edge == '`' || edge == '"')).collect();
            json!({"enum": texts})
        }
        other => {
            return Err(format!("schemas/README.md: `{}` is of an unknown type: {other}", key.name).into());
        }
    })
}

/// The rows of the first table of keys behind a heading.
fn keys(readme: &str, heading: &str) -> Outcome<Vec<Key>> {
    let (_, rest) =
        readme.split_once(heading).ok_or_else(|| format!("schemas/README.md lacks `{heading}`"))?;
    let (_, rest) =
        rest.split_once("| key | type | default | meaning |").ok_or("a table of keys is missing")?;
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let key = |line: &str| {
        let cells: Vec<String> = cells(line);
        let [names, r#type, default, meaning] = cells.as_slice() else { return None };
        let name = names.split('`').nth(1)?.to_owned();
        let (r#type, default, meaning) = (r#type.clone(), default.clone(), meaning.clone());
        Some(Key { name, r#type, default, meaning })
    };
    rows.map(|line| key(line).ok_or_else(|| format!("schemas/README.md: no row of keys: {line}").into()))
        .collect()
}

/// The cells of a row; `\|` is no border.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{1}");
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// What stands in quotes in the first column of a table.
fn first_column(readme: &str, head: &str) -> Vec<String> {
    let rest = readme.split_once(head).map_or("", |(_, rest)| rest);
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
}
