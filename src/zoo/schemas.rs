//! Schemas that many jobs have in common, read once: to read one takes longer than to convert a small checkpoint.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::job::Named;
use super::stamp::Stamp;
use crate::schema::{Error, Schema};

/// The schemas that were read.
#[derive(Debug, Default)]
pub(super) struct Schemas(Mutex<HashMap<PathBuf, Known>>);

/// A schema that was read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) schema: Arc<Schema>,
    /// The files that it was read from, as they were before; none of a bundled one. One without a stamp was not
    /// looked at before.
    pub(super) files: Vec<(PathBuf, Option<Stamp>)>,
}

impl Schemas {
    /// The schema of that name. One whose files have changed since is read again.
    pub(super) fn load(&self, named: &Named) -> Result<Known, Error> {
        let name = named.as_path();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known.filter(Known::is_current) {
            return Ok(known);
        }
        let known = Known::read(named)?;
        // What changes while it is read is read again for the next.
        if known.is_current() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), known.clone());
        }
        Ok(known)
    }
}

impl Known {
    fn read(named: &Named) -> Result<Self, Error> {
        let path = match named {
            Named::Bundled(name) => {
                return Ok(Self { schema: Arc::new(Schema::bundled(name)?), files: Vec::new() });
            }
            Named::File(path) => path,
        };
        // Only who has read it knows which files it is made of: these are looked at, and it is read again.
        let files = Schema::open(path)?.files;
        let stamps: HashMap<PathBuf, Option<Stamp>> = files
            .into_iter()
            .map(|path| (Stamp::settled(&path), path))
            .map(|(stamp, path)| (path, stamp.ok()))
            .collect();
        let schema = Schema::open(path)?;
        let files = schema.files.iter();
        let files = files.map(|path| (path.clone(), stamps.get(path).copied().flatten())).collect();
        Ok(Self { schema: Arc::new(schema), files })
    }

    fn is_current(&self) -> bool {
        self.files.iter().all(|(path, stamp)| stamp.is_some() && Stamp::of(path).ok() == *stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_once_and_again_when_changed() {
        let schemas = Schemas::default();
        let load = |named: &Named| schemas.load(named).unwrap().schema;
        let bundled = Named::Bundled("same-names".to_owned());
        assert!(Arc::ptr_eq(&load(&bundled), &load(&bundled)));

        let folder = tempfile::tempdir().unwrap();
        let (path, base) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        std::fs::write(&path, "schema = 1\nextends = \"b.toml\"\n").unwrap();
        std::fs::write(&base, "schema = 1\nname = \"b\"\n").unwrap();
        let named = Named::File(path.clone());
        let one = load(&named);
        assert!(Arc::ptr_eq(&one, &load(&named)));
        std::fs::write(&base, "schema = 1\nname = \"another\"\n").unwrap();
        assert!(!Arc::ptr_eq(&one, &load(&named)));
        std::fs::remove_file(&base).unwrap();
        assert!(schemas.load(&named).is_err());
        assert!(schemas.load(&Named::Bundled("none".to_owned())).is_err());
    }
}
