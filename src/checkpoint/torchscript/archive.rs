//! The archive of `torch.jit.save` since 1.4 (formats/pytorch.md section 4.1).

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::key_budget::KeyBudget;
use crate::checkpoint::pickle::{self, Pickle};
use crate::checkpoint::read::Read;
use crate::checkpoint::reading::Reading;
use crate::checkpoint::rebuild::{Budget, Rebuild};
use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::{OpenOptions, Role};
use crate::checkpoint::zip::Archive;

use super::code::Code;
use super::error::TorchScriptError;
use super::object::{self, Found, Tensors};

/// Bytes of a compressed `constants.pkl`; torch does not compress it.
const MAX_CONSTANTS_BYTES: u64 = 64 << 20;

/// Reads it.
pub(in crate::checkpoint) fn read(archive: Archive, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let mut records = Records::new(archive.strip_folder()?, "data/");
    records.read_words()?;
    let mut code = Code::new();
    let mut reading = Reading::default();
    let pickled = records.read("data.pkl")?;
    let pickle = pickle::parse(pickled.as_slice())?;
    let (mut keys, mut budget) = (KeyBudget::of(&pickle), Budget::default());
    let tensors =
        object::tensors(&pickle, &mut records, &mut code, pickle.root(), "", Role::Unknown, &mut keys)?;
    let has_tensors = !tensors.found.is_empty();
    read_tensors(
        &mut reading,
        Rebuild::new(&pickle, &mut records, options, &mut budget),
        tensors,
        &mut keys,
    )?;

    if let Some(pickled) = records.find("constants.pkl", MAX_CONSTANTS_BYTES)? {
        let pickle = pickle::parse(pickled.as_slice())?;
        records.set_folder("constants/");
        keys.add(&pickle);
        let tensors = constants(&pickle, &mut records, &mut code, &mut keys)?;
        if !has_tensors && !tensors.found.is_empty() {
            return Err(TorchScriptError::Frozen { constants: tensors.found.len() }.into());
        }
        let rebuild = Rebuild::new(&pickle, &mut records, options, &mut budget);
        read_tensors(&mut reading, rebuild, tensors, &mut keys)?;
    }
    let mut read = reading.finish(options)?;
    if read.tensors.is_empty() {
        return Err(TorchScriptError::NoTensors.into());
    }
    read.written_by = writer(&mut records)?;
    read.warnings.append(&mut records.into_warnings());
    Ok(read)
}

/// The constants of the program, by the names that its code has for them: `CONSTANTS.c0`.
fn constants(
    pickle: &Pickle<'_>,
    records: &mut Records,
    code: &mut Code,
    keys: &mut KeyBudget,
) -> Result<Tensors, ErrorKind> {
    let mut all = object::tensors(pickle, records, code, pickle.root(), "CONSTANTS", Role::Attribute, keys)?;
    for found in &mut all.found {
        if let Some(place) = found.key.strip_prefix("CONSTANTS.") {
            found.key = format!("CONSTANTS.c{place}");
        }
        found.role = Role::Attribute;
    }
    // Objects of classes in C++ are no constants of the model.
    all.opaque.clear();
    Ok(all)
}

/// Which torch wrote the archive, by the records that came with new versions (formats/pytorch.md section 1.1).
fn writer(records: &mut Records) -> Result<Option<String>, ErrorKind> {
    let has_byte_order = records.size("byteorder").is_some();
    Ok(match records.word("version")?.as_deref() {
        _ if has_byte_order => Some("torch 2.1 or later".to_owned()),
        Some("2") => Some("torch 1.4 or 1.5".to_owned()),
        Some(_) => Some("torch 1.6 to 2.0".to_owned()),
        None => None,
    })
}

fn read_tensors(
    reading: &mut Reading,
    mut rebuild: Rebuild<'_, '_>,
    tensors: Tensors,
    keys: &mut KeyBudget,
) -> Result<(), ErrorKind> {
    for (key, what) in tensors.opaque {
        reading.leave_out(key, what);
    }
    for Found { key, value, role } in tensors.found {
        let mut tensors = Vec::new();
        let result = rebuild.add(value, &key, &mut tensors);
        keys.take_tensors(&tensors)?;
        reading.take(key, role, result.map(|()| tensors));
    }
    Ok(())
}
