//! Files beside an output: the report, the depfile.

use std::path::Path;

use super::Error;
use super::atomic::Draft;

/// A file that is begun before it is known what is in it, so that a folder that cannot be written to is found before
/// the work.
#[derive(Debug)]
pub struct Begun(Draft);

/// Begins a file that is to stand at a path. Nothing is there before it is finished.
///
/// # Errors
/// When it cannot be made.
pub fn begin(path: &Path) -> Result<Begun, Error> {
    Draft::create(path, 0).map(Begun)
}

impl Begun {
    /// Puts it in its place with these bytes.
    ///
    /// # Errors
    /// When it cannot be written; what stood in its place is then untouched.
    pub fn finish(self, bytes: &[u8]) -> Result<(), Error> {
        let Self(draft) = self;
        draft.write(bytes)?;
        draft.publish()
    }
}
