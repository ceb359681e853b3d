//! From a file, a name or a text to a schema.

use std::collections::BTreeMap;
use std::path::Path;

use super::bundled::{self, LAYERS};
use super::compose::{Loader, identity};
use super::error::Error;
use super::position::SourceFile;
use super::rule::Schema;

/// The longest schema, in bytes. The longest of hand are a hundredth of it.
const MAX_LENGTH: u64 = 4 << 20;

impl Schema {
    /// Parses and validates a schema. `name` is what diagnostics call it; `folder` is where
    /// `target.architecture` and other schemas are looked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with it.
    pub fn parse(name: &str, text: &str, folder: Option<&Path>) -> Result<Self, Error> {
        Self::parse_as(name.to_owned(), name, text, folder, None)
    }

    /// The same; `identity` tells the schema from those that it is made of, and `own` is its file.
    fn parse_as(
        identity: String,
        name: &str,
        text: &str,
        folder: Option<&Path>,
        own: Option<&Path>,
    ) -> Result<Self, Error> {
        let layers = "bundled:layers";
        let file = SourceFile::new(layers, LAYERS);
        let builtin = Loader::new(BTreeMap::new()).parse(layers.to_owned(), file, None)?.scope.classes;
        let mut loader = Loader::new(builtin);
        let draft = loader.parse(identity, SourceFile::new(name, text), folder)?;
        let mut schema = loader.complete(draft);
        schema.files.extend(own.map(Path::to_owned));
        schema.files.extend(loader.into_files());
        Ok(schema)
    }

    /// Reads a schema file.
    ///
    /// # Errors
    /// When the file cannot be read, is not UTF-8, is too large, or is not valid.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        Self::parse_as(identity(path), &name, &read(path)?, path.parent(), Some(path))
    }

    /// A schema that comes with ptw2k: `torchvision/resnet`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn bundled(name: &str) -> Result<Self, Error> {
        Self::parse(&format!("bundled:{name}"), bundled::find(name)?.text, None)
    }

    /// A schema by path or name: the file, when it exists or its name ends in `.toml`; else the bundled one.
    ///
    /// ```
    /// use ptw2k::schema::Schema;
    ///
    /// let schema = Schema::load("testdata/mnist/schema.toml")?;
    /// assert!(schema.architecture.is_some_and(|path| path.ends_with("arch.json")));
    /// assert!(Schema::load("torchvision/resnet")?.files.is_empty());
    /// # Ok::<(), ptw2k::schema::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::bundled`].
    pub fn load(name: impl AsRef<Path>) -> Result<Self, Error> {
        let path = name.as_ref();
        let is_file = path.extension().is_some_and(|extension| extension == "toml") || path.is_file();
        if is_file { Self::open(path) } else { Self::bundled(&path.to_string_lossy()) }
    }
}

/// The text of a schema file.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let fail = |source| Error::Io { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(fail)?.len();
    if length > MAX_LENGTH {
        return Err(Error::TooLarge { path: path.to_owned(), length, limit: MAX_LENGTH });
    }
    let text = std::fs::read(path).map_err(fail)?;
    String::from_utf8(text).map_err(|_| Error::NotText { path: path.to_owned() })
}
