//! The zip archive of `torch.save` (formats/pytorch.md section 1).

use super::error::ErrorKind;
use super::pickle;
use super::pickled;
use super::read::Read;
use super::records::Records;
use super::state_dict::OpenOptions;
use super::zip::Archive;

/// Reads an archive's state_dict.
pub(super) fn read(archive: Archive, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let mut records = Records::new(archive.strip_folder()?, "data/");
    records.read_words()?;
    let pickled = records.read("data.pkl")?;
    let pickle = pickle::parse(pickled.as_slice())?;
    let mut read = pickled::read(&pickle, &mut records, options)?;
    read.warnings.append(&mut records.into_warnings());
    Ok(read)
}
