//! Shards with an index (formats/pytorch.md section 7.1). `path` is the index.

use super::error::{ErrorKind, UnsupportedForm};
use super::read::Read;
use super::state_dict::OpenOptions;
use std::path::Path;
/// Reads it.
pub(super) fn read(_path: &Path, _options: &OpenOptions) -> Result<Read, ErrorKind> {
    Err(ErrorKind::Unsupported(UnsupportedForm::ShardIndex))
}
