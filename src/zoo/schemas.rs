//! Schemas that many jobs have in common, read once: to read one takes longer than to convert a small checkpoint.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::job::Named;
use super::stamp::{Stamp, Time};
use crate::schema::{Error, Schema};

/// The schemas that were read.
#[derive(Debug, Default)]
pub(super) struct Schemas(Mutex<HashMap<PathBuf, Known>>);

#[derive(Debug, Clone)]
struct Known {
    schema: Arc<Schema>,
    /// The files that it was read from; none of a bundled one.
    files: Vec<(PathBuf, Stamp)>,
}

impl Schemas {
    /// The schema of that name. One whose files have changed since is read again.
    pub(super) fn load(&self, named: &Named) -> Result<Arc<Schema>, Error> {
        let name = named.as_path();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let is_same = |(path, stamp): &(PathBuf, Stamp)| Stamp::of(path).ok() == Some(*stamp);
        if let Some(known) = known.filter(|known| known.files.iter().all(is_same)) {
            return Ok(known.schema);
        }
        let time = Time::now();
        let schema = Arc::new(match named {
            Named::File(path) => Schema::open(path)?,
            Named::Bundled(name) => Schema::bundled(name)?,
        });
        let stamp = |path: &PathBuf| Some((path.clone(), Stamp::of(path).ok()?));
        let files: Option<Vec<(PathBuf, Stamp)>> = schema.files.iter().map(stamp).collect();
        // What changed while it was read, or so shortly before that it cannot be told, is read again for the next.
        if let Some(files) =
            files.filter(|files| !files.iter().any(|(_, stamp)| stamp.is_changed_since(time)))
        {
            let known = Known { schema: Arc::clone(&schema), files };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), known);
        }
        Ok(schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_once_and_again_when_changed() {
        let schemas = Schemas::default();
        let one = schemas.load(&Named::Bundled("same-names".to_owned())).unwrap();
        assert!(Arc::ptr_eq(&one, &schemas.load(&Named::Bundled("same-names".to_owned())).unwrap()));

        let folder = tempfile::tempdir().unwrap();
        let (path, base) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        std::fs::write(&path, "schema = 1\nextends = \"b.toml\"\n").unwrap();
        std::fs::write(&base, "schema = 1\nname = \"b\"\n").unwrap();
        Stamp::settled(&base).unwrap();
        let one = schemas.load(&Named::File(path.clone())).unwrap();
        assert!(Arc::ptr_eq(&one, &schemas.load(&Named::File(path.clone())).unwrap()));
        std::fs::write(&base, "schema = 1\nname = \"another\"\n").unwrap();
        assert!(!Arc::ptr_eq(&one, &schemas.load(&Named::File(path.clone())).unwrap()));
        std::fs::remove_file(&base).unwrap();
        assert!(schemas.load(&Named::File(path.clone())).is_err());
        assert!(schemas.load(&Named::Bundled("none".to_owned())).is_err());
    }
}
