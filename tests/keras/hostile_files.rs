//! Files that are broken on purpose (`testdata/keras_hostile/make.py`): read in this process for the reason, and
//! by the program in little memory and time for the exit code.

use std::path::{Path, PathBuf};

use ptw2k::keras::{Architecture, ErrorKind, WeightsFile};
use serde_json::Value;

use crate::limited;

/// Seconds of processor time for a file: an unoptimised program on a busy machine takes a part of one.
const SECONDS: u32 = 1;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keras_hostile")
}

/// The reason's name, without what it says of the file.
fn reason(kind: &ErrorKind) -> String {
    let text = format!("{kind:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}

/// The reason for which each is refused.
const REFUSED: &[(&str, &str)] = &[
    ("absolute.weights.json", "ShardPlace"),
    ("bomb.keras", "TooLarge"),
    ("chunk_bomb.weights.h5", "TooLarge"),
    ("committed_type.weights.h5", "Broken"),
    ("config_bomb.keras", "TooLarge"),
    ("cut.keras", "Zip"),
    ("cycle.weights.h5", "Broken"),
    ("deep.weights.h5", "TooMany"),
    ("deflate_bomb.weights.h5", "TooLarge"),
    ("encrypted.keras", "Zip"),
    ("external_link.weights.h5", "Link"),
    ("external_storage.weights.h5", "Broken"),
    ("gap.weights.h5", "MissingDataset"),
    ("huge_shape.weights.h5", "TooLarge"),
    ("itself.weights.json", "Shard"),
    ("lacking_shard.weights.json", "ShardLacks"),
    ("legacy_inside.keras", "LegacyInArchive"),
    ("legacy_no_group.h5", "LegacyGroup"),
    ("legacy_not_utf8.h5", "Attribute"),
    ("legacy_numbers.h5", "Attribute"),
    ("legacy_twice.h5", "LegacyDataset"),
    ("legacy_unlisted.h5", "StrayDataset"),
    ("lost_layout.weights.h5", "Broken"),
    ("many_long_names.h5", "Broken"),
    ("missing_shard.weights.json", "MissingShard"),
    ("name_elsewhere.weights.h5", "Broken"),
    ("name_without_text.weights.h5", "Broken"),
    ("named.weights.h5", "NamedDataset"),
    ("no_layers.weights.h5", "NoVariables"),
    ("no_map.weights.json", "Index"),
    ("npz.keras", "NpzWeights"),
    ("numbers.weights.json", "Index"),
    ("overlap.keras", "ArchiveEntry"),
    ("parent.weights.json", "ShardPlace"),
    ("part_total.weights.json", "ShardTotal"),
    ("same_group.weights.json", "IndexTwice"),
    ("snod_twice.weights.h5", "Broken"),
    ("soft_link.weights.h5", "Link"),
    ("stray.weights.h5", "StrayDataset"),
    ("strings.weights.h5", "ElementType"),
    ("tree_cycle.weights.h5", "Hdf5"),
    ("two_weights.keras", "ArchiveTwice"),
    ("unknown_filter.weights.h5", "Hdf5"),
    ("unlisted.weights.json", "NotInIndex"),
    ("user_block.weights.h5", "NotKeras"),
    ("virtual.weights.h5", "Hdf5"),
    ("wrong_size.keras", "Truncated"),
];

#[test]
fn end_as_they_should() {
    let readme = std::fs::read_to_string(folder().join("README.json")).unwrap();
    let readme: Value = serde_json::from_str(&readme).unwrap();
    let mut faults = Vec::new();
    for (name, case) in readme.as_object().unwrap() {
        let path = folder().join(name);
        let found = Architecture::open(&path).err().map(|error| reason(&error.kind));
        let wanted =
            REFUSED.iter().find(|(listed, _)| listed == name).map(|(_, reason)| (*reason).to_owned());
        assert_eq!(wanted.is_some(), case["expect"] == "refuse", "{name}");
        if found != wanted {
            faults.push(format!("{name}: {found:?} instead of {wanted:?}"));
            continue;
        }
        // Names and gaps are the template's business alone.
        if wanted.is_none() {
            WeightsFile::open(&path).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        let wanted = if wanted.is_none() { 0 } else { 4 };
        for options in [&[][..], &["--hash", "--stats"]] {
            assert_eq!(limited::inspect(&path, options, SECONDS), wanted, "{name} {options:?}");
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(REFUSED.iter().all(|(name, _)| readme.get(name).is_some()));
}

/// What is read of files in other forms of HDF5 is what h5py put there.
#[test]
fn other_forms_of_hdf5_hold_the_same() {
    for name in [
        "libver_earliest.weights.h5",
        "libver_v108.weights.h5",
        "libver_v110.weights.h5",
        "libver_latest.weights.h5",
        "big_endian.weights.h5",
        "good.keras",
        "deflated.keras",
        "streamed.keras",
        "zip64.keras",
        "part.weights.json",
    ] {
        let file = WeightsFile::open(&folder().join(name)).unwrap();
        let kernel = &file.variables[0];
        assert_eq!(kernel.path, "layers/dense/vars/0", "{name}");
        let bytes = kernel.tensor.contiguous().unwrap();
        let values: Vec<f32> =
            bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        assert_eq!(values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{name}");
    }
    let links = WeightsFile::open(&folder().join("hard_links.weights.h5")).unwrap();
    assert_eq!(links.variables.len(), 4);
    assert_eq!(links.aliases.len(), 4);
    let again = "layers/multi_head_attention/_query_dense/vars/0";
    assert_eq!(links.first_name(again).as_deref(), Some("layers/multi_head_attention/query_dense/vars/0"));
    assert_eq!(WeightsFile::open(&folder().join("doubling.weights.h5")).unwrap().variables.len(), 2);
}
