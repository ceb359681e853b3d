//! The archive that `torch.export.save` wrote up to 2.7: no folder around its records, and the state_dict a
//! file of `torch.save` in it (formats/pytorch.md section 4.3).

use std::collections::HashMap;

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::read::{RawTensor, Read};
use crate::checkpoint::reading::Reading;
use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::{OpenOptions, Role};
use crate::checkpoint::zip::Archive;

use super::error::ExportError;
use super::pickled::dictionary;
use super::signature;

/// Storages of the constants are numbered from here on: they lie in an archive of their own.
const FIRST_CONSTANT: usize = usize::MAX / 2;

/// Reads it.
pub(in crate::checkpoint) fn read(archive: Archive, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let mut records = Records::new(archive, "");
    let roles = signature::read(&mut records, "serialized_exported_program.json");
    let mut reading = Reading::default();
    // Early releases named files of torch.save `.json`.
    let weights = ["serialized_state_dict.pt", "serialized_state_dict.json"];
    let constants = ["serialized_constants.pt", "serialized_constants.json"];
    take(&mut reading, &mut records, weights, &roles, options, false)?;
    take(&mut reading, &mut records, constants, &roles, options, true)?;
    let mut read = reading.finish(options)?;
    if read.tensors.is_empty() {
        return Err(ExportError::NoWeights.into());
    }
    read.written_by = Some("torch 2.1 to 2.7".to_owned());
    read.warnings.append(&mut records.into_warnings());
    Ok(read)
}

/// Takes the tensors of the first of two records that is there.
pub(super) fn take<'a>(
    reading: &mut Reading,
    records: &mut Records,
    names: impl IntoIterator<Item = &'a str>,
    roles: &HashMap<String, Role>,
    options: &OpenOptions,
    is_constant: bool,
) -> Result<(), ErrorKind> {
    for name in names {
        let Some(mut read) = dictionary(records, name, options)? else { continue };
        reading.read.warnings.append(&mut read.warnings);
        for tensor in read.tensors {
            let role = roles.get(&tensor.key).copied();
            let (role, first) = if is_constant {
                let is_aside = role.is_some_and(|role| !role.is_in_state_dict());
                (role.filter(|_| is_aside).unwrap_or(Role::Attribute), FIRST_CONSTANT)
            } else {
                (role.unwrap_or(Role::Unknown), 0)
            };
            let storage = tensor.storage.map(|storage| storage.saturating_add(first));
            let key = tensor.key.clone();
            reading.take(key, role, Ok(vec![RawTensor { storage, ..tensor }]));
        }
        break;
    }
    Ok(())
}
