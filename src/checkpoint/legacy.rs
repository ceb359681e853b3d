//! The stream of pickles that `torch.save` wrote before 1.6 (formats/pytorch.md section 3.1).

use super::error::{ErrorKind, UnsupportedForm};
use super::read::Read;
use super::state_dict::OpenOptions;
use crate::lazy::Bytes;
/// Reads it.
pub(super) fn read(_bytes: &Bytes, _options: &OpenOptions) -> Result<Read, ErrorKind> {
    Err(ErrorKind::Unsupported(UnsupportedForm::Legacy))
}
