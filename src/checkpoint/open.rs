//! Opens a checkpoint: tells its form, lets that form's reader read it, and takes the wrappers' names off.

use std::collections::hash_map::Entry;
use std::path::Path;

use crate::lazy::Bytes;
use crate::tensor::{Dtype, StateDictKey};

use super::error::{Error, ErrorKind};
use super::files::Files;
use super::form::Form;
use super::pickle::{TensorError, UnsupportedTensor};
use super::read::{RawTensor, Read};
use super::sharded::ShardError;
use super::sniff::{self, Folder, Sniffed};
use super::state_dict::{Checkpoint, OpenOptions, Tensor, Warning};
use super::zip::Archive;
use super::{
    adapter, dcp, dcp_safetensors, export, legacy, prefix, repeated, safetensors, sharded, tar, torch_save,
    torchscript,
};
use crate::map::Map;

impl Checkpoint {
    /// Opens a checkpoint, a file or a folder, and finds its state_dict. Values are not read.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use ptw2k::checkpoint::{Checkpoint, OpenOptions};
    ///
    /// let checkpoint = Checkpoint::open(Path::new("testdata/mnist/weights.pt"), &OpenOptions::default())?;
    /// let first = &checkpoint.tensors[0];
    /// assert_eq!(first.key.as_str(), "conv1.weight");
    /// assert_eq!(first.tensor.view.shape().sizes(), [6, 1, 3, 3]);
    /// # Ok::<(), ptw2k::checkpoint::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it is not a checkpoint, is not supported, or breaks the rules of its form; when the state_dict is
    /// ambiguous, or one of its tensors cannot be read exactly.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        let read = open(path, options).and_then(|mut checkpoint| {
            checkpoint.adapter = adapter::config(path, &checkpoint.tensors)?;
            checkpoint.files.extend(checkpoint.adapter.iter().map(|config| config.path.clone()));
            Ok(checkpoint)
        });
        read.map_err(|kind| Error { path: path.to_owned(), kind })
    }

    /// Reads the bytes of a checkpoint that is a file, as [`Self::open`] does. `path` only names it, so nothing
    /// beside it is read.
    ///
    /// # Errors
    /// As [`Self::open`]; an index of shards cannot be read from its bytes.
    pub fn from_bytes(path: &Path, bytes: &Bytes, options: &OpenOptions) -> Result<Self, Error> {
        let read = read_file(path, bytes, options);
        read.and_then(|(form, read)| finish(path, form, read))
            .map_err(|kind| Error { path: path.to_owned(), kind })
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<Checkpoint, ErrorKind> {
    if path.is_dir() {
        let (form, read) = read_folder(path, options)?;
        return finish(path, form, read);
    }
    let (form, mut read) = read_file(path, &Bytes::map(path)?, options)?;
    if form != Form::Sharded {
        read.warnings.extend(sniff::one_shard(path));
    }
    finish(path, form, read)
}

fn read_folder(path: &Path, options: &OpenOptions) -> Result<(Form, Read), ErrorKind> {
    let (name, others) = match sniff::folder(path)? {
        Folder::Dcp => return Ok((Form::Dcp, dcp::read(path, options)?)),
        Folder::DcpSafetensors(names) => {
            return Ok((Form::DcpSafetensors, dcp_safetensors::read(path, &names, options)?));
        }
        Folder::File { name, others } => (name, others),
    };
    let mut files = Files::new(path);
    let bytes = files.map(&name)?;
    let inside = |kind| ErrorKind::InFile { file: name.clone(), offset: None, kind: Box::new(kind) };
    let (form, mut read) = read_file(&files.path(&name), &bytes, options).map_err(inside)?;
    if read.files.is_empty() {
        read.files = files.into_paths();
    }
    if !others.is_empty() {
        read.warnings.push(Warning::OtherFiles { file: name, others });
    }
    Ok((form, read))
}

fn read_file(path: &Path, bytes: &Bytes, options: &OpenOptions) -> Result<(Form, Read), ErrorKind> {
    match sniff::file(path, bytes)? {
        Sniffed::Zip => read_archive(bytes, options),
        Sniffed::Legacy => Ok((Form::Legacy, legacy::read(bytes, options)?)),
        Sniffed::Tar => Ok((Form::Tar, tar::read(bytes, options)?)),
        Sniffed::Safetensors => Ok((Form::Safetensors, safetensors::read(bytes, options)?)),
        Sniffed::Index => Ok((Form::Sharded, sharded::read(path, options)?)),
    }
}

/// Reads a file that an index names: one of the forms that hold a state_dict and nothing else, so that no
/// index leads to another.
pub(super) fn read_shard(path: &Path, bytes: &Bytes, options: &OpenOptions) -> Result<Read, ErrorKind> {
    match sniff::file(path, bytes)? {
        Sniffed::Index => return Err(ShardError::Index.into()),
        // A name of a rank's file says that other ranks may have the rest.
        Sniffed::Safetensors if !sniff::is_rank(path) => return dcp_safetensors::read_shard(bytes, options),
        Sniffed::Safetensors | Sniffed::Zip | Sniffed::Legacy | Sniffed::Tar => {}
    }
    match read_file(path, bytes, options)? {
        (Form::Zip | Form::Legacy | Form::Tar | Form::Safetensors, read) => Ok(read),
        (form, _) => Err(ShardError::Form { form }.into()),
    }
}

fn read_archive(bytes: &Bytes, options: &OpenOptions) -> Result<(Form, Read), ErrorKind> {
    let archive = Archive::read(bytes)?;
    let form = sniff::archive(&archive)?;
    let read = match form {
        Form::TorchScript => torchscript::read(archive, options)?,
        Form::TorchScriptJson => torchscript::read_model_json(archive, options)?,
        Form::Export => export::read(archive, options)?,
        Form::OldExport => export::read_old(archive, options)?,
        _ => torch_save::read(archive, options)?,
    };
    Ok((form, read))
}

fn finish(path: &Path, form: Form, mut read: Read) -> Result<Checkpoint, ErrorKind> {
    if let Some(flat) = read.tensors.iter().find(|raw| is_fsdp_flat(&raw.key)) {
        let reason = TensorError::Unsupported(UnsupportedTensor::FsdpFlat);
        return Err(ErrorKind::tensor(flat.key.as_str(), reason));
    }
    repeated::check(&read.tensors)?;
    let mut keys: Vec<String> = read.tensors.iter_mut().map(|raw| std::mem::take(&mut raw.key)).collect();
    // Most keys have no wrappers' names: they are copied, for messages, only where they may change.
    let (originals, stripped) = match prefix::is_any(&keys) {
        true => (keys.clone(), prefix::strip(&mut keys)),
        false => (Vec::new(), Vec::new()),
    };
    check_unique(&originals, &keys)?;
    let ties = ties(&read.tensors);
    let tensors = read.tensors.into_iter().zip(keys).zip(ties).map(|((raw, key), tied_to)| Tensor {
        key: StateDictKey::new(key),
        tensor: raw.tensor,
        storage_number: raw.storage,
        tied_to,
        role: raw.role,
    });
    let tensors: Vec<Tensor> = tensors.collect();
    let mut warnings = read.warnings;
    warnings.extend(adapter::warning(&tensors));
    Ok(Checkpoint {
        path: path.to_owned(),
        files: if read.files.is_empty() { vec![path.to_owned()] } else { read.files },
        form,
        tensors,
        is_module_order: form.is_module_order(),
        state_dict_path: read.path,
        candidates: read.candidates,
        stripped,
        written_by: read.written_by,
        trainer: read.trainer,
        adapter: None,
        warnings,
    })
}

/// FSDP's local flat parameters: many tensors in one, without their names.
fn is_fsdp_flat(key: &str) -> bool {
    key.as_bytes()
        .split(|&byte| byte == b'.')
        .any(|segment| matches!(segment, b"_flat_param" | b"_fpw_module" | b"flat_param_0"))
}

/// Refuses two tensors with one key. `originals` are the keys as they stand in the file, where they differ.
fn check_unique(originals: &[String], keys: &[String]) -> Result<(), ErrorKind> {
    let mut places: Map<&str, usize> = Map::with_capacity_and_hasher(keys.len(), Default::default());
    for (place, key) in keys.iter().enumerate() {
        if let Some(first) = places.insert(key, place) {
            let original = |place| originals.get(place).unwrap_or(key).as_str();
            return Err(ErrorKind::SameKey {
                first: StateDictKey::new(original(first)),
                second: StateDictKey::new(original(place)),
                key: StateDictKey::new(key.as_str()),
            });
        }
    }
    Ok(())
}

/// What makes two tensors one: the storage, the element type and the view.
type Identity<'a> = (usize, Dtype, usize, &'a [usize], &'a [usize]);

/// For each tensor the first one that is the same.
fn ties(tensors: &[RawTensor]) -> Vec<Option<usize>> {
    let shareable = tensors.iter().filter(|raw| raw.storage.is_some()).count();
    let mut firsts = Map::with_capacity_and_hasher(shareable, Default::default());
    tensors.iter().enumerate().map(|(place, raw)| tie(&mut firsts, raw, place)).collect()
}

fn tie<'a>(firsts: &mut Map<Identity<'a>, usize>, raw: &'a RawTensor, place: usize) -> Option<usize> {
    let view = &raw.tensor.view;
    let storage = raw.storage.filter(|_| view.shape().numel() > 0)?;
    let identity = (storage, raw.tensor.dtype, view.offset(), view.shape().sizes(), view.strides());
    match firsts.entry(identity) {
        Entry::Occupied(entry) => Some(*entry.get()),
        Entry::Vacant(entry) => {
            entry.insert(place);
            None
        }
    }
}
