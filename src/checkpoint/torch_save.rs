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
    let written_by = written_by(&mut records)?;
    let pickled = records.read("data.pkl")?;
    let pickle = pickle::parse(pickled.as_slice())?;
    let mut read = pickled::read(&pickle, &mut records, options)?;
    read.warnings.append(&mut records.into_warnings());
    read.written_by = written_by.map(ToOwned::to_owned);
    Ok(read)
}

/// Which releases write such records (formats/pytorch.md section 1.1; the notes on serialization in PyTorch's
/// documentation have 2.1 for `byteorder`). The names of the storages do not tell more: archives are packed
/// again by other programs, which leave records out.
fn written_by(records: &mut Records) -> Result<Option<&'static str>, ErrorKind> {
    if records.has("byteorder") || records.has(".data/serialization_id") || records.has(".format_version") {
        return Ok(Some("torch 2.1 or later"));
    }
    Ok(match records.word("version")?.as_deref() {
        Some("2") => Some("torch 1.4 or 1.5"),
        Some("3") => Some("torch 1.6 or later"),
        _ => None,
    })
}
