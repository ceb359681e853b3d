//! Files of `torch.save` within an archive: one tensor, or a dictionary of them. Such a file is never read as
//! another archive of torch.export, so they nest no deeper.

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::pickle::{self, TensorError};
use crate::checkpoint::read::{RawTensor, Read};
use crate::checkpoint::rebuild::{Budget, Rebuild};
use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::{OpenOptions, Warning};
use crate::checkpoint::torch_save;
use crate::checkpoint::zip::Archive;
use crate::lazy::Bytes;

use super::error::ExportError;

/// Bytes of all pickles of single tensors in one archive. One takes a few hundred; tensor subclasses of which
/// it is worth to pickle each are quantized weights, a thousand in a model.
const MAX_PICKLED_BYTES: u64 = 16 << 20;

/// Bytes of a compressed record that holds a file of torch.save; torch compresses none.
const MAX_INFLATED_BYTES: u64 = 64 << 20;

/// Reads files of torch.save that hold one tensor.
pub(super) struct Pickled<'o> {
    options: &'o OpenOptions,
    budget: u64,
    /// What all of them may claim together.
    claims: Budget,
    /// What was found on the way.
    pub(super) warnings: Vec<Warning>,
}

impl<'o> Pickled<'o> {
    /// Nothing was read yet.
    pub(super) fn new(options: &'o OpenOptions) -> Self {
        Self { options, budget: MAX_PICKLED_BYTES, claims: Budget::default(), warnings: Vec::new() }
    }

    /// The tensor in a record.
    pub(super) fn tensor(
        &mut self,
        records: &mut Records,
        record: &str,
        key: &str,
    ) -> Result<Result<RawTensor, TensorError>, ErrorKind> {
        let Some(bytes) = records.find(record, MAX_INFLATED_BYTES)? else {
            return Ok(Err(TensorError::MissingRecord { record: record.to_owned() }));
        };
        let mut records = Records::new(Archive::read(&bytes)?.strip_folder()?, "data/");
        records.read_words()?;
        let size = records.size("data.pkl").unwrap_or_default();
        self.budget =
            self.budget.checked_sub(size).ok_or(ExportError::TooMuchPickled { limit: MAX_PICKLED_BYTES })?;
        let pickled = records.read("data.pkl")?;
        let pickle = pickle::parse(pickled.as_slice())?;
        let tensor =
            Rebuild::new(&pickle, &mut records, self.options, &mut self.claims).one(pickle.root(), key);
        self.warnings.append(&mut records.into_warnings());
        Ok(tensor)
    }
}

/// The dictionary of tensors in a record, if there is the record.
pub(super) fn dictionary(
    records: &mut Records,
    record: &str,
    options: &OpenOptions,
) -> Result<Option<Read>, ErrorKind> {
    let Some(bytes) = records.find(record, MAX_INFLATED_BYTES)? else { return Ok(None) };
    state_dict(&bytes, options).map(Some)
}

fn state_dict(bytes: &Bytes, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let options = OpenOptions { key: Some(String::new()), ..options.clone() };
    match torch_save::read(Archive::read(bytes)?, &options) {
        // A program without weights, or without constants.
        Err(ErrorKind::NotAStateDict { .. }) => Ok(Read::default()),
        read => read,
    }
}
