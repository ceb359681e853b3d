//! Which checkpoint of a folder is meant, by the names in it.

use std::path::Path;

use crate::checkpoint::error::{ErrorKind, NotACheckpoint};
use crate::checkpoint::state_dict::{Warning, listed};

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::checkpoint) enum Folder {
    /// A distributed checkpoint.
    Dcp,
    /// A distributed checkpoint in these safetensors files, sorted.
    DcpSafetensors(Vec<String>),
    /// A file that is a checkpoint, or an index of shards.
    File {
        /// Its name.
        name: String,
        /// Other checkpoints of the folder, which are not read.
        others: Vec<String>,
    },
}

/// Why a folder does not say which checkpoint is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Several checkpoints.
    #[error("it is a folder with {} checkpoints; give one of them: {}", files.len(), listed(files))]
    Several {
        /// The files, sorted.
        files: Vec<String>,
    },
    /// Shards, and no index that says what belongs together.
    #[error(
        "it is a folder with shards of a checkpoint ({}) without their index, which ends in .index.json; get \
         it, too",
        listed(files)
    )]
    NoIndex {
        /// The shards, sorted.
        files: Vec<String>,
    },
    /// No checkpoint, but folders with some.
    #[error(
        "it is a folder without a checkpoint of its own; give one of the folders in it: {}",
        listed(folders)
    )]
    Subfolders {
        /// The names of the folders, sorted.
        folders: Vec<String>,
    },
    /// More entries than are looked at.
    #[error("it is a folder with more than {limit} files; give the file that is meant")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

/// Names of a folder that are looked at: the folders of distributed checkpoints have one for every rank.
const MAX_ENTRIES: usize = 1 << 17;

/// Folders in a folder that are looked into, for a hint.
const MAX_FOLDERS: usize = 64;

/// The names that libraries look for, those of one library together, in the order in which it prefers them:
/// transformers, diffusers and peft.
const FAMILIES: [&[&str]; 3] = [
    &[
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ],
    &[
        "diffusion_pytorch_model.safetensors",
        "diffusion_pytorch_model.safetensors.index.json",
        "diffusion_pytorch_model.bin",
        "diffusion_pytorch_model.bin.index.json",
    ],
    &["adapter_model.safetensors", "adapter_model.bin"],
];

/// How the names of checkpoints end.
const ENDINGS: [&str; 6] = [".pt", ".pth", ".bin", ".safetensors", ".ckpt", ".pth.tar"];

/// How the names of files begin that a trainer keeps beside the weights.
const ASIDE: [&str; 6] = ["optimizer", "scheduler", "scaler", "training_args", "rng_state", "random_states"];

/// Tells what a folder holds.
pub(in crate::checkpoint) fn folder(path: &Path) -> Result<Folder, ErrorKind> {
    let (names, folders) = listing(path)?;
    match choose(names)? {
        Some(folder) => Ok(folder),
        None => {
            let mut with: Vec<String> = Vec::new();
            for name in folders.into_iter().take(MAX_FOLDERS) {
                let has = match listing(&path.join(&name)) {
                    Ok((names, _)) => !matches!(choose(names), Ok(None)),
                    // What cannot be looked into is no hint.
                    Err(_) => false,
                };
                if has {
                    with.push(name);
                }
            }
            Err(if with.is_empty() {
                ErrorKind::NotACheckpoint(NotACheckpoint::Folder)
            } else {
                FolderError::Subfolders { folders: with }.into()
            })
        }
    }
}

/// The names of files and of folders in a folder, each sorted.
fn listing(path: &Path) -> Result<(Vec<String>, Vec<String>), ErrorKind> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for (place, entry) in std::fs::read_dir(path)?.enumerate() {
        if place == MAX_ENTRIES {
            return Err(FolderError::TooMany { limit: MAX_ENTRIES }.into());
        }
        let entry = entry?;
        // A name that is no text is no name of a checkpoint.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_folder = entry.file_type()?.is_dir();
        if is_folder {
            folders.push(name);
        } else if is_of_interest(&name) {
            files.push(name);
        }
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok((files, folders))
}

fn is_of_interest(name: &str) -> bool {
    is_dcp(name) || is_index(name) || is_checkpoint(name)
}

fn is_dcp(name: &str) -> bool {
    name == ".metadata" || name.ends_with(".distcp")
}

/// `model.safetensors.index.json`, and with a variant `model.safetensors.index.fp16.json`.
fn is_index(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(|stem| stem.ends_with(".index") || stem.contains(".index."))
}

fn is_checkpoint(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.starts_with('.')
}

/// The checkpoint that is meant, of the sorted names in a folder.
fn choose(names: Vec<String>) -> Result<Option<Folder>, FolderError> {
    if names.iter().any(|name| is_dcp(name)) {
        return Ok(Some(Folder::Dcp));
    }
    let has_index = names.iter().any(|name| is_index(name));
    let ranks: Vec<String> = names.iter().filter(|name| is_rank_name(name)).cloned().collect();
    if !ranks.is_empty() && !has_index {
        return Ok(Some(Folder::DcpSafetensors(ranks)));
    }
    // A shard that is the only one is a checkpoint by itself, unless an index names it.
    let is_shard = |name: &String| shard_count(name).is_some_and(|shards| shards > 1 || has_index);
    let (shards, names): (Vec<String>, Vec<String>) = names.into_iter().partition(is_shard);
    let families: Vec<&str> = FAMILIES
        .iter()
        .filter_map(|family| family.iter().find(|&&wanted| names.iter().any(|name| name == wanted)))
        .copied()
        .collect();
    let is_aside = |name: &String| ASIDE.iter().any(|aside| name.starts_with(aside));
    let of_weights: Vec<String> = names.iter().filter(|name| !is_aside(name)).cloned().collect();
    // A trainer's files are the checkpoint where there is nothing else.
    let names = if of_weights.is_empty() { names } else { of_weights };
    match (families.as_slice(), names.as_slice()) {
        ([name], _) => {
            let others = names.iter().filter(|other| other != name).cloned().collect();
            Ok(Some(Folder::File { name: (*name).to_owned(), others }))
        }
        ([], [only]) => Ok(Some(Folder::File { name: only.clone(), others: Vec::new() })),
        ([], []) if shards.is_empty() => Ok(None),
        ([], []) => Err(FolderError::NoIndex { files: shards }),
        _ => Err(FolderError::Several { files: names }),
    }
}

/// Whether a file is one rank's, by its name.
pub(in crate::checkpoint) fn is_rank(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(is_rank_name)
}

/// Whether a name is that of one rank's file: `shard-00001-model-00001-of-00001.safetensors`.
fn is_rank_name(name: &str) -> bool {
    name.starts_with("shard-") && name.ends_with(".safetensors") && shard_count(name).is_some()
}

/// How many shards there are, by the name of one: `model-00001-of-00003.safetensors`, and with a variant
/// `model.fp16-00001-of-00003.safetensors` or `model-00001-of-00003.fp16.safetensors`.
fn shard_count(name: &str) -> Option<usize> {
    let (before, after) = name.rsplit_once("-of-")?;
    let (_, number) = before.rsplit_once('-')?;
    let (count, _) = after.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(number) && is_number(count) { count.parse().ok() } else { None }
}

/// The warning that a file is one shard of several, by its name.
pub(in crate::checkpoint) fn one_shard(path: &Path) -> Option<Warning> {
    let name = path.file_name()?.to_str()?;
    let shards = shard_count(name).filter(|&shards| shards > 1)?;
    let (stem, _) = name.rsplit_once("-of-")?;
    let (stem, _) = stem.rsplit_once('-')?;
    let stem = stem.split_once('.').map_or(stem, |(stem, _)| stem);
    let (files, _) = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => listing(folder),
        _ => listing(Path::new(".")),
    }
    .unwrap_or_default();
    let index = files
        .into_iter()
        .find(|file| is_index(file) && file.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.')));
    Some(Warning::OneShard { shards, index })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: Result<Option<Folder>, FolderError>) {
        let mut sorted: Vec<String> =
            names.iter().filter(|name| is_of_interest(name)).map(ToString::to_string).collect();
        sorted.sort_unstable();
        assert_eq!(choose(sorted), expected, "{names:?}");
    }

    fn file(name: &str, others: &[&str]) -> Result<Option<Folder>, FolderError> {
        Ok(Some(Folder::File { name: name.to_owned(), others: owned(others) }))
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn chooses() {
        check(&[], Ok(None));
        check(&["config.json", "README.md", "checkpoint", "events.out"], Ok(None));
        check(&["config.json", "best.pt"], file("best.pt", &[]));
        check(&["best.pt", "last.pt"], Err(FolderError::Several { files: owned(&["best.pt", "last.pt"]) }));
        check(&["pytorch_model.bin", "model.safetensors"], file("model.safetensors", &["pytorch_model.bin"]));
        check(
            &["pytorch_model.bin", "model.safetensors.index.json", "model-00001-of-00002.safetensors"],
            file("model.safetensors.index.json", &["pytorch_model.bin"]),
        );
        check(&["pytorch_model.bin", "pytorch_model.bin.index.json"], {
            file("pytorch_model.bin", &["pytorch_model.bin.index.json"])
        });
        check(&["model.fp16.safetensors"], file("model.fp16.safetensors", &[]));
        check(&["model.safetensors", "model.fp16.safetensors"], {
            file("model.safetensors", &["model.fp16.safetensors"])
        });
        check(&["model.safetensors.index.fp16.json", "model.fp16-00001-of-00002.safetensors"], {
            file("model.safetensors.index.fp16.json", &[])
        });
        check(&["model.safetensors", "optimizer.pt", "rng_state_0.pth"], file("model.safetensors", &[]));
        check(&["optimizer.pt"], file("optimizer.pt", &[]));
        check(&["adapter_model.bin", "training_args.bin"], file("adapter_model.bin", &[]));
        check(
            &["adapter_model.bin", "model.safetensors"],
            Err(FolderError::Several { files: owned(&["adapter_model.bin", "model.safetensors"]) }),
        );
        check(&["model-00001-of-00001.safetensors"], file("model-00001-of-00001.safetensors", &[]));
        check(&["model-00001-of-00001.safetensors", "model.safetensors.index.json"], {
            file("model.safetensors.index.json", &[])
        });
        let shards = ["a-00001-of-00002.bin", "a-00002-of-00002.bin"];
        check(&shards, Err(FolderError::NoIndex { files: owned(&shards) }));
        check(&[".metadata", "__0_0.distcp", "x.pt"], Ok(Some(Folder::Dcp)));
        check(&["__0_0.distcp"], Ok(Some(Folder::Dcp)));
        let ranks =
            ["shard-00001-model-00001-of-00001.safetensors", "shard-00002-model-00001-of-00001.safetensors"];
        check(&ranks, Ok(Some(Folder::DcpSafetensors(owned(&ranks)))));
    }

    #[test]
    fn counts_shards() {
        let check = |name: &str, expected: Option<usize>| assert_eq!(shard_count(name), expected, "{name}");
        check("model-00001-of-00003.safetensors", Some(3));
        check("pytorch_model-00002-of-00002.bin", Some(2));
        check("model-00001-of-.bin", None);
        check("model-of-00001.bin", None);
        check("-of-.bin", None);
        check("model.bin", None);
        check("model-1-of-99999999999999999999999.bin", None);
        check("model.fp16-00001-of-00002.safetensors", Some(2));
        check("state-of-art-00001-of-00002.fp16.bin", Some(2));
    }
}
