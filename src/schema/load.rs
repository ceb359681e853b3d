//! Where schemas come from: files, the bundled ones, and globs of the command line.

use std::path::Path;

use super::{Error, Glob, PatternError, Schema};

/// A schema that is part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundled {
    /// The name by which it is chosen: `torchvision/resnet`.
    pub name: &'static str,
    /// The whole text.
    pub text: &'static str,
}

/// The bundled schemas, ordered by name.
#[must_use]
pub fn bundled() -> &'static [Bundled] {
    &[]
}

impl Schema {
    /// Reads a schema's text. A relative architecture is one of `folder`.
    ///
    /// # Errors
    /// When it is not a valid schema.
    pub fn parse(_name: &str, _text: &str, _folder: Option<&Path>) -> Result<Self, Error> {
        unimplemented!()
    }

    /// Reads a schema file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a valid schema.
    pub fn open(_path: &Path) -> Result<Self, Error> {
        unimplemented!()
    }

    /// Reads a bundled schema.
    ///
    /// # Errors
    /// When it is not valid, which the tests rule out.
    pub fn open_bundled(_bundled: &Bundled) -> Result<Self, Error> {
        unimplemented!()
    }
}

impl Glob {
    /// A glob that stands outside any schema: an argument.
    ///
    /// # Errors
    /// When the text is not a glob.
    pub fn parse(_text: &str) -> Result<Self, PatternError> {
        unimplemented!()
    }
}
