//! The archive of `torch.jit.save` of 1.0 and 1.1 (formats/pytorch.md section 4.2).

use super::error::{ErrorKind, UnsupportedForm};
use super::read::Read;
use super::state_dict::OpenOptions;
use super::zip::Archive;
/// Reads it.
pub(super) fn read(_archive: Archive, _options: &OpenOptions) -> Result<Read, ErrorKind> {
    Err(ErrorKind::Unsupported(UnsupportedForm::TorchScript))
}
