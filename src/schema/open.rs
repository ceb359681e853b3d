//! From a file, a name or a text to a schema.

use std::path::Path;
use std::sync::Arc;

use super::bundled::{self, LAYERS};
use super::error::Error;
use super::parse;
use super::position::SourceFile;
use super::reader::near;
use super::rule::Schema;

/// The longest schema, in bytes. The longest of hand are a hundredth of it.
const MAX_LENGTH: u64 = 4 << 20;

impl Schema {
    /// Parses and validates a schema. `name` is what diagnostics call it; `folder` is where
    /// `target.architecture` is looked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with it.
    pub fn parse(name: &str, text: &str, folder: Option<&Path>) -> Result<Self, Error> {
        let layers = SourceFile { name: "bundled:layers".to_owned(), text: LAYERS.to_owned() };
        let builtin = parse::parse(Arc::new(layers), None)?;
        let file = Arc::new(SourceFile { name: name.to_owned(), text: text.to_owned() });
        let mut schema = parse::parse(file, folder)?;
        for (name, class) in builtin.classes {
            schema.classes.entry(name).or_insert(class);
        }
        Ok(schema)
    }

    /// Reads a schema file.
    ///
    /// # Errors
    /// When the file cannot be read, is not UTF-8, is too large, or is not valid.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Io { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(fail)?.len();
        if length > MAX_LENGTH {
            return Err(Error::TooLarge { path: path.to_owned(), length, limit: MAX_LENGTH });
        }
        let text = std::fs::read_to_string(path).map_err(fail)?;
        Self::parse(&path.display().to_string(), &text, path.parent())
    }

    /// A schema that comes with ptw2k: `torchvision/resnet`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn bundled(name: &str) -> Result<Self, Error> {
        match bundled::names().iter().find(|bundled| bundled.name == name) {
            Some(bundled) => Self::parse(&format!("bundled:{name}"), bundled.text, None),
            None => {
                let names = || bundled::names().iter().map(|bundled| bundled.name);
                // `resnet` for `torchvision/resnet`.
                let mut candidates: Vec<&str> =
                    names().filter(|full| full.rsplit('/').next() == Some(name)).collect();
                if candidates.is_empty() {
                    candidates.extend(near(name, names()));
                }
                Err(Error::Unknown { name: name.to_owned(), near: candidates })
            }
        }
    }

    /// A schema by path or name: the file, when it exists or its name ends in `.toml`; else the bundled one.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::bundled`].
    pub fn load(name: &str) -> Result<Self, Error> {
        let path = Path::new(name);
        let is_file = path.extension().is_some_and(|extension| extension == "toml") || path.is_file();
        if is_file { Self::open(path) } else { Self::bundled(name) }
    }
}
