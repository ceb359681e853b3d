//! Files that appear whole or not at all.
//!
//! Where the system has them (Linux), the file has no name until it is complete, so that not even SIGKILL or
//! a crash leaves debris; elsewhere it is a temporary sibling that is removed on failure. Nothing is synced:
//! like `cp`, the file survives the process but not a power cut before the system has written it back.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::outlet::write_at;
use super::{Error, debris};

/// A file in the making.
#[derive(Debug)]
pub(super) struct Draft {
    /// The name as it was given, for errors.
    path: PathBuf,
    /// Where the file goes: links resolved.
    target: PathBuf,
    body: Body,
}

#[derive(Debug)]
enum Body {
    #[cfg(target_os = "linux")]
    Unnamed(File),
    Named(tempfile::NamedTempFile),
}

impl Draft {
    /// Starts a file of `len` bytes, all zeros, that is to stand at `path`. Space is reserved at once.
    pub(super) fn create(path: &Path, len: u64) -> Result<Self, Error> {
        let io_error = |source| Error::Io { path: path.to_owned(), source };
        let (target, old) = place(path)?;
        let folder = folder_of(&target).to_owned();
        check_size_limit(path, len)?;
        let body = Body::create(&folder).map_err(io_error)?;
        let draft = Self { path: path.to_owned(), target, body };
        if let Some(old) = old {
            draft.file().set_permissions(old.permissions()).map_err(io_error)?;
        }
        draft.reserve(&folder, len)?;
        Ok(draft)
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        match &self.body {
            #[cfg(target_os = "linux")]
            Body::Unnamed(file) => file,
            Body::Named(file) => file.as_file(),
        }
    }

    /// The name as it was given.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The place that the file goes to: links resolved.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Writes the whole content.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        check_size_limit(&self.path, bytes.len() as u64)?;
        write_at(self.file(), bytes, 0).map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    /// Puts the file in its place.
    pub(super) fn publish(self) -> Result<(), Error> {
        let Self { path, target, body } = self;
        body.publish(&target).map_err(|source| Error::Io { path, source })
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, folder: &Path, len: u64) -> Result<(), Error> {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        if len == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(self.file(), FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            Err(Errno::NOSPC | Errno::DQUOT) => {
                let available = rustix::fs::statvfs(folder)
                    .map_or(0, |status| status.f_bavail.saturating_mul(status.f_frsize));
                Err(Error::NoSpace { path: self.path.clone(), needed: len, available })
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.set_len(len),
            Err(error) => Err(Error::Io { path: self.path.clone(), source: error.into() }),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _folder: &Path, len: u64) -> Result<(), Error> {
        self.set_len(len)
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.file().set_len(len).map_err(|source| Error::Io { path: self.path.clone(), source })
    }
}

/// Where a file that is to stand at `path` goes, links resolved, and what stands there.
fn place(path: &Path) -> Result<(PathBuf, Option<Metadata>), Error> {
    let io_error = |source| Error::Io { path: path.to_owned(), source };
    let target = if path.is_symlink() && path.exists() {
        path.canonicalize().map_err(io_error)?
    } else {
        path.to_owned()
    };
    let folder = folder_of(&target);
    if !folder.is_dir() {
        return Err(Error::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    let old = match target.metadata() {
        Ok(old) if old.is_file() => Some(old),
        Ok(_) => return Err(Error::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io_error(error)),
    };
    if target.file_name().is_none() {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    Ok((target, old))
}

/// Finds whether a file can be put at a path, as far as that can be told without making one.
///
/// # Errors
/// When its folder is not there, or what stands there is no file.
pub fn check_place(path: &Path) -> Result<(), Error> {
    place(path).map(drop)
}

/// Puts bytes in a file's place, whole or not at all.
///
/// # Errors
/// When the file cannot be written; what stood in its place is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let draft = Draft::create(path, bytes.len() as u64)?;
    draft.write(bytes)?;
    draft.publish()
}

impl Body {
    fn create(folder: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{Mode, OFlags};
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            // As for any new file, less what the umask forbids.
            let mode = Mode::from_raw_mode(0o666);
            // A system that cannot is asked for a named file instead, and its answer counts.
            if let Ok(file) = rustix::fs::open(folder, flags, mode) {
                let file = file.into();
                // It has no name by which another could have it.
                let _ = debris::hold(&file);
                return Ok(Self::Unnamed(file));
            }
        }
        Ok(Self::Named(named(folder)?))
    }

    fn publish(self, target: &Path) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => publish_unnamed(&file, target),
            Self::Named(file) => file.persist(target).map(drop).map_err(|error| error.error),
        }
    }
}

/// Gives the file its name. Where that is taken, a name beside it that then replaces it: linking alone never
/// replaces.
#[cfg(target_os = "linux")]
fn publish_unnamed(file: &File, target: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};
    use rustix::io::Errno;

    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| linkat(CWD, unnamed.as_str(), CWD, name, AtFlags::SYMLINK_FOLLOW);
    match link(target) {
        Ok(()) => return Ok(()),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let linked = tempfile::Builder::new()
        .prefix(PREFIX)
        .make_in(folder_of(target), |name| link(name).map_err(io::Error::from))?;
    linked.into_temp_path().persist(target).map_err(|error| error.error)
}

/// A file that was moved out of the way.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) path: tempfile::TempPath,
    /// Tells other processes that it is no debris.
    pub(super) _held: Option<File>,
}

/// Moves a file out of the way, to a temporary sibling that goes when it is dropped, and that is called after the file,
/// should a crash leave it.
pub(super) fn aside(path: &Path) -> io::Result<Aside> {
    // What cannot be read can be moved all the same.
    let held = File::open(path).ok().filter(debris::hold);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = if name.len() > MAX_ASIDE_NAME { "-".into() } else { format!("{name}-") };
    let moved =
        tempfile::Builder::new().prefix(&format!("{ASIDE}{name}")).make_in(folder_of(path), |name| {
            if name.exists() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(path, name)
        })?;
    Ok(Aside { path: moved.into_temp_path(), _held: held })
}

/// How the names of files begin that were moved out of the way. They are what stood there before, so they are debris
/// only when something else stands there again.
pub(super) const ASIDE: &str = ".ptw2k-old-";

/// The longest name that goes into that of the file out of the way: file systems allow 255 bytes.
const MAX_ASIDE_NAME: usize = 230;

/// How the names of temporary siblings begin.
pub(super) const PREFIX: &str = ".ptw2k-";

fn named(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(folder)?;
        // Another process may have taken it for debris before it was held, or be about to remove it.
        if debris::hold(file.as_file()) && file.path().exists() {
            return Ok(file);
        }
    }
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().map_or(Path::new("."), openable)
}

/// A folder by a name that can be opened: that of a bare file name is empty.
pub(super) fn openable(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Beyond the limit the system kills the process (SIGXFSZ), so it is looked up first.
fn check_size_limit(path: &Path, needed: u64) -> Result<(), Error> {
    #[cfg(unix)]
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Fsize).current
        && needed > limit
    {
        return Err(Error::FileSizeLimit { path: path.to_owned(), needed, limit });
    }
    Ok(())
}

/// Refuses an output that is one of the inputs, by whatever names.
///
/// # Errors
/// [`Error::OutputIsInput`], or when a file that exists cannot be looked up.
pub fn check_not_input(output: &Path, input: &Path) -> Result<(), Error> {
    let metadata = |path: &Path| match path.metadata() {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path: path.to_owned(), source }),
    };
    if let (Some(one), Some(other)) = (metadata(output)?, metadata(input)?)
        && is_same_file((output, &one), (input, &other))
    {
        return Err(Error::OutputIsInput { output: output.to_owned(), input: input.to_owned() });
    }
    Ok(())
}

#[cfg(unix)]
fn is_same_file((_, one): (&Path, &Metadata), (_, other): (&Path, &Metadata)) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file((one, _): (&Path, &Metadata), (other, _): (&Path, &Metadata)) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_when_published() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.h5");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        let write = |content: &[u8], named_body: bool| {
            let mut draft = Draft::create(&path, content.len() as u64).unwrap();
            if named_body {
                draft.body = Body::Named(named(folder.path()).unwrap());
            }
            io::Write::write_all(&mut draft.file(), content).unwrap();
            draft
        };
        drop(write(b"first", false));
        drop(write(b"first", true));
        assert_eq!(names(), 0);
        for (content, named_body) in [(b"1", false), (b"2", false), (b"3", true)] {
            write(content, named_body).publish().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
            assert_eq!(names(), 1);
        }
        drop(write(b"fourth", false));
        assert_eq!(std::fs::read(&path).unwrap(), b"3");
    }

    #[test]
    fn refuses() {
        let folder = tempfile::tempdir().unwrap();
        let create = |path: &Path, len| Draft::create(path, len).map(drop).unwrap_err();
        assert!(matches!(create(folder.path(), 1), Error::NotAFile { .. }));
        assert!(matches!(create(&folder.path().join("no/out"), 1), Error::NoFolder { .. }));
        let input = folder.path().join("input");
        std::fs::write(&input, "x").unwrap();
        let link = folder.path().join("link");
        std::fs::hard_link(&input, &link).unwrap();
        assert!(matches!(check_not_input(&link, &input), Err(Error::OutputIsInput { .. })));
        check_not_input(&folder.path().join("new"), &input).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn keeps_permissions_and_links() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Draft::create(&link, 2).unwrap().publish().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), [0, 0]);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }
}
