//! What a caller hears, and how it stops what goes on.

use crate::checkpoint::{Checkpoint, Warning};
use crate::crew::Crew;
use crate::writer;

use super::seen::Seen;

/// What a caller hears of a conversion, and how it stops it. Called from many threads; every method has a
/// default that does nothing.
///
/// ```
/// use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
///
/// use ptw2k::convert::{Conversion, ConvertError, Progress, convert};
///
/// #[derive(Default)]
/// struct Watched {
///     written: AtomicU64,
///     stop: AtomicBool,
/// }
///
/// impl Progress for Watched {
///     fn advanced(&self, bytes: u64) {
///         self.written.fetch_add(bytes, Ordering::Relaxed);
///     }
///
///     fn is_cancelled(&self) -> bool {
///         self.stop.load(Ordering::Relaxed)
///     }
/// }
///
/// # let folder = tempfile::tempdir().expect("a temporary folder");
/// # let output = folder.path().join("mnist.weights.h5");
/// let conversion = Conversion::new("testdata/mnist/weights.pt", "testdata/mnist/schema.toml", &output);
/// let watched = Watched::default();
/// // Another thread may do this at any time.
/// watched.stop.store(true, Ordering::Relaxed);
/// assert!(matches!(convert(&conversion, &watched), Err(ConvertError::Cancelled { .. })));
/// assert!(!output.exists());
/// watched.stop.store(false, Ordering::Relaxed);
/// convert(&conversion, &watched)?;
/// assert!(watched.written.into_inner() >= 40_716);
/// # Ok::<(), ConvertError>(())
/// ```
pub trait Progress: Sync {
    /// The checkpoint was opened; its [`warnings`](Checkpoint::warnings) are known. What else is read, and
    /// the plan, may still fail.
    fn opened(&self, _checkpoint: &Checkpoint) {}

    /// Something turned up while values were read.
    fn warned(&self, _warning: &Warning) {}

    /// The writing begins: so many bytes are to be written, or a little more.
    fn started(&self, _bytes: u64) {}

    /// So many more bytes were written.
    fn advanced(&self, _bytes: u64) {}

    /// Whether to stop; the output is then abandoned, and what stood in its place is untouched.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// The crew in which the caller holds a place, where several conversions are made at a time: who is free there
    /// helps with the writing, and [`Conversion::threads`](super::Conversion::threads) does not count.
    fn crew(&self) -> Option<&Crew> {
        None
    }
}

/// Nobody listens, and nobody stops it.
impl Progress for () {}

/// What the writer tells.
pub(super) struct Writing<'a> {
    pub(super) progress: &'a dyn Progress,
    pub(super) seen: &'a Seen,
}

impl writer::Progress for Writing<'_> {
    fn advance(&self, bytes: u64) {
        self.progress.advanced(bytes);
    }

    fn is_cancelled(&self) -> bool {
        self.progress.is_cancelled()
    }

    fn crew(&self) -> Option<&Crew> {
        self.progress.crew()
    }

    fn is_wanted(&self) -> bool {
        self.seen.changed().is_none()
    }
}
