//! The archive that `torch.export.save` wrote up to 2.7 (formats/pytorch.md section 4.3).

use super::error::{ErrorKind, UnsupportedForm};
use super::read::Read;
use super::state_dict::OpenOptions;
use super::zip::Archive;
/// Reads it.
pub(super) fn read(_archive: Archive, _options: &OpenOptions) -> Result<Read, ErrorKind> {
    Err(ErrorKind::Unsupported(UnsupportedForm::Export))
}
