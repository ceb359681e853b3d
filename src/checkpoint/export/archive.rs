//! The archive of `torch.export.save` since 2.8 (formats/pytorch.md section 4.3).

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::read::Read;
use crate::checkpoint::reading::Reading;
use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::{OpenOptions, Role, Warning};
use crate::checkpoint::zip::Archive;

use super::error::ExportError;
use super::payload::read_all;
use super::pickled::Pickled;
use super::{config, old, signature};

/// The value of the record `archive_format`.
const FORMAT: &str = "pt2";

/// The value of the record `archive_version`.
const VERSION: &str = "0";

const WEIGHTS: &str = "data/weights/";
const CONSTANTS: &str = "data/constants/";

/// Programs of one archive that a message lists.
const MAX_PROGRAMS: usize = 16;

/// Reads it.
pub(in crate::checkpoint) fn read(archive: Archive, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let mut records = Records::new(archive.strip_folder()?, "");
    records.read_words()?;
    if let Some(found) = records.word("archive_format")?.filter(|found| found != FORMAT) {
        return Err(ExportError::Format { found }.into());
    }
    let programs = programs(&records);
    let (program, path) = choose(&programs, &records, options)?;
    let roles = signature::read(&mut records, &format!("models/{program}.json"));

    let mut reading = Reading::default();
    if let Some(version) = records.word("archive_version")?.filter(|version| version != VERSION) {
        reading.read.warnings.push(Warning::ExportVersion { version });
    }
    let mut pickled = Pickled::new(options);
    if let Some(payloads) = config::read(&mut records, &format!("{WEIGHTS}{program}_weights_config.json"))? {
        read_all(payloads, WEIGHTS, &mut records, &mut pickled, &mut reading, |_, payload| {
            if payload.is_param { Role::Parameter } else { Role::Buffer }
        })?;
    }
    if let Some(payloads) =
        config::read(&mut records, &format!("{CONSTANTS}{program}_constants_config.json"))?
    {
        read_all(payloads, CONSTANTS, &mut records, &mut pickled, &mut reading, |key, _| {
            let role = roles.get(key).copied().filter(|role| !role.is_in_state_dict());
            role.unwrap_or(Role::Attribute)
        })?;
    }
    // Archives of 2.8 have a file of torch.save in place of each configuration.
    let (weights, constants) = (format!("{WEIGHTS}{program}.pt"), format!("{CONSTANTS}{program}.pt"));
    old::take(&mut reading, &mut records, [weights.as_str()], &roles, options, false)?;
    old::take(&mut reading, &mut records, [constants.as_str()], &roles, options, true)?;

    reading.read.warnings.append(&mut pickled.warnings);
    let mut read = reading.finish(&OpenOptions { key: None, ..options.clone() })?;
    if read.tensors.is_empty() {
        return Err(ExportError::NoWeights.into());
    }
    for candidate in &mut read.candidates {
        candidate.path.clone_from(&path);
    }
    read.path = path;
    read.written_by = Some("torch 2.8 or later".to_owned());
    read.warnings.append(&mut records.into_warnings());
    Ok(read)
}

/// The names of the programs that have weights or constants, in the order of the archive.
fn programs(records: &Records) -> Vec<String> {
    let mut programs: Vec<String> = Vec::new();
    for name in records.names() {
        let program = if let Some(name) = name.strip_prefix(WEIGHTS) {
            name.strip_suffix("_weights_config.json").or_else(|| name.strip_suffix(".pt"))
        } else if let Some(name) = name.strip_prefix(CONSTANTS) {
            name.strip_suffix("_constants_config.json").or_else(|| name.strip_suffix(".pt"))
        } else {
            None
        };
        if let Some(program) = program
            && programs.len() < MAX_PROGRAMS
            && !programs.iter().any(|known| known == program)
        {
            programs.push(program.to_owned());
        }
    }
    programs
}

/// The program that is meant, and the path that leads to it where there are several.
fn choose(
    programs: &[String],
    records: &Records,
    options: &OpenOptions,
) -> Result<(String, Vec<String>), ErrorKind> {
    match (programs, options.key.as_deref()) {
        ([], _) if records.names().any(|name| name.starts_with("data/aotinductor/")) => {
            Err(ExportError::AotInductor.into())
        }
        ([], _) => Err(ExportError::NoWeights.into()),
        ([only], None | Some("")) => Ok((only.clone(), Vec::new())),
        (_, None) => Err(ExportError::SeveralPrograms { programs: programs.to_vec() }.into()),
        (_, Some(key)) if programs.iter().any(|program| program == key) => {
            Ok((key.to_owned(), vec![key.to_owned()]))
        }
        (_, Some(key)) => {
            let key = key.to_owned();
            Err(ExportError::NoSuchProgram { key, programs: programs.to_vec() }.into())
        }
    }
}
