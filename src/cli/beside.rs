//! Files beside an output: the report, the depfile.

use std::io::Write as _;
use std::path::Path;

use super::failure::Failure;
use crate::writer;

/// A file in the making: it appears whole or not at all, and a folder that cannot be written to is found before the
/// work.
pub(super) struct Beside<'a> {
    path: &'a Path,
    file: tempfile::NamedTempFile,
}

impl<'a> Beside<'a> {
    pub(super) fn start(path: &'a Path) -> Result<Self, Failure> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        if !folder.is_dir() {
            return Err(writer::Error::NoFolder { path: path.to_owned(), folder: folder.to_owned() }.into());
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".ptw2k-beside-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As for any new file, less what the umask forbids.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder);
        Ok(Self { path, file: file.map_err(|source| failure(path, source))? })
    }

    pub(super) fn publish(mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(|source| failure(self.path, source))?;
        self.file.persist(self.path).map_err(|error| failure(self.path, error.error))?;
        Ok(())
    }
}

fn failure(path: &Path, source: std::io::Error) -> Failure {
    Failure::Beside { path: path.to_owned(), source }
}
