//! Folders that `torch.distributed.checkpoint` wrote as safetensors files (formats/pytorch.md section 7.4).

use super::error::{ErrorKind, UnsupportedForm};
use super::read::Read;
use super::state_dict::OpenOptions;
use std::path::Path;
/// Reads it.
pub(super) fn read(_folder: &Path, _options: &OpenOptions) -> Result<Read, ErrorKind> {
    Err(ErrorKind::Unsupported(UnsupportedForm::DcpShard))
}
