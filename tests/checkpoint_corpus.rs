//! The shared corpus: files that real torch wrote, with what torch reads from them, and hostile files.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use ptw2k::checkpoint::{
    Checkpoint, Error, ErrorKind, NotACheckpoint, OpenOptions, Tensor, TensorError, UnsupportedForm,
    UnsupportedTensor,
};
use serde_json::Value;

#[path = "checkpoint_support/digest.rs"]
mod digest;
#[path = "checkpoint_support/values.rs"]
mod values;

use digest::digest;
use values::contiguous;

fn corpus() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/checkpoints")).to_owned()
}

fn open(path: &Path, key: Option<&str>) -> Result<Checkpoint, Error> {
    Checkpoint::open(path, &OpenOptions { key: key.map(ToOwned::to_owned), ..OpenOptions::default() })
}

/// What is expected of a file.
#[derive(Clone, Copy)]
enum Outcome {
    /// The state_dict at this path, with every tensor that torch finds under it.
    Reads(&'static str),
    /// A refusal.
    Refused(&'static str),
}
use Outcome::{Reads, Refused};

/// A refusal in a few words, for the tables.
fn refusal(error: &Error) -> String {
    match &error.kind {
        ErrorKind::Unsupported(form) => format!("{form:?}"),
        ErrorKind::NotACheckpoint(what) => format!("{what:?}"),
        ErrorKind::Tensor { key, reason: TensorError::Unsupported(kind), .. } => match kind {
            UnsupportedTensor::Dtype { dtype } => format!("{key}: {dtype}"),
            UnsupportedTensor::LazyBit { bit } => format!("{key}: {bit}"),
            UnsupportedTensor::Inside { .. } => format!("{key}: Inside"),
            kind => format!("{key}: {kind:?}"),
        },
        ErrorKind::Tensor { key, reason, .. } => format!("{key}: {}", variant(&format!("{reason:?}"))),
        ErrorKind::Zip(error) => format!("Zip {}", variant(&format!("{error:?}"))),
        ErrorKind::Pickle(error) => format!("Pickle {}", variant(&format!("{:?}", error.kind))),
        ErrorKind::Safetensors(error) => format!("Safetensors {}", variant(&format!("{error:?}"))),
        kind => variant(&format!("{kind:?}")),
    }
}

fn variant(debug: &str) -> String {
    debug.chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn check_tensors(name: &str, checkpoint: &Checkpoint, path: &str) {
    let expected = std::fs::read_to_string(corpus().join(format!("expected/{name}.json"))).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(checkpoint.state_dict_path.join("."), path, "{name}");
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let mut wanted: Vec<&Value> = expected["tensors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|tensor| tensor["name"].as_str().unwrap().starts_with(&prefix))
        .collect();
    let mut tensors: Vec<&Tensor> = checkpoint.tensors.iter().collect();
    if !checkpoint.is_module_order {
        wanted.sort_by_key(|tensor| tensor["name"].to_string());
        tensors.sort_by_key(|tensor| serde_json::json!(tensor.key.as_str()).to_string());
    }
    assert_eq!(tensors.len(), wanted.len(), "{name}");
    let stripped = checkpoint.stripped.concat();
    for (tensor, wanted) in tensors.into_iter().zip(wanted) {
        assert_eq!(format!("{prefix}{stripped}{}", tensor.key.as_str()), wanted["name"], "{name}");
        let lazy = &tensor.tensor;
        assert_eq!(lazy.dtype.name(), wanted["dtype"], "{name} {}", tensor.key);
        assert_eq!(serde_json::json!(lazy.view.shape().sizes()), wanted["shape"], "{name} {}", tensor.key);
        assert_eq!(digest(&contiguous(lazy)), wanted["sha256"], "{name} {}", tensor.key);
    }
}

#[test]
fn files_of_real_torch() {
    let table: &[(&str, Outcome)] = &[
        ("dcp_hf_sharded2", Reads("")),
        ("dcp_single", Reads("model")),
        ("dcp_to_torch_save.pt", Reads("model")),
        ("hf_bin_sharded", Reads("")),
        ("hf_st_sharded", Reads("")),
        ("st_all_dtypes.safetensors", Reads("")),
        ("t100_fullmodule.pt", Refused("Legacy")),
        ("t100_list_param.pt", Refused("Legacy")),
        ("t100_numpy.pt", Refused("Legacy")),
        ("t100_train.pt", Refused("Legacy")),
        ("t100py2_numpy.pt", Refused("Legacy")),
        ("t100py2_statedict.pt", Refused("Legacy")),
        ("t1121_numpy.pt", Refused("NoStateDict")),
        ("t1121_torchscript.pt", Refused("TorchScript")),
        ("t1121_train.pt", Reads("state_dict")),
        ("t1131_fullmodule.pt", Refused("PickledModule")),
        ("t1131_legacy_statedict.pt", Refused("Legacy")),
        ("t1131_numpy.pt", Refused("NoStateDict")),
        ("t1131_quant.pt", Refused("q: Quantized")),
        ("t1131_statedict.pt", Reads("")),
        ("t151_fullmodule.pt", Refused("Legacy")),
        ("t151_list_param.pt", Refused("Legacy")),
        ("t151_quant_dynamic_statedict.pt", Refused("Legacy")),
        ("t151_torchscript.pt", Refused("TorchScript")),
        ("t151_zip_statedict.pt", Reads("")),
        ("t160_fullmodule.pt", Refused("PickledModule")),
        ("t160_legacy_statedict.pt", Refused("Legacy")),
        ("t160_numpy.pt", Refused("NoStateDict")),
        ("t160_quant_dynamic_statedict.pt", Refused("0._packed_params._packed_params: Inside")),
        ("t160_train.pt", Reads("state_dict")),
        ("ts_frozen.pt", Refused("TorchScript")),
        ("zip_align1024.pt", Refused("c: complex64")),
        ("zip_bcomplex.pt", Reads("")),
        ("zip_complex.pt", Refused("c64: complex64")),
        ("zip_conj_neg.pt", Refused("conj: complex64")),
        ("zip_deflated.pt", Refused("c: complex64")),
        ("zip_dtensor_rank0.pt", Refused("dt: Distributed")),
        ("zip_fullmodule.pt", Refused("PickledModule")),
        ("zip_fullmodule_shared_hooks.pt", Refused("PickledModule")),
        ("zip_int_dtypes.pt", Reads("")),
        ("zip_many_keys.pt", Reads("")),
        ("zip_meta_tensor.pt", Refused("m: Meta")),
        ("zip_nested.pt", Refused("nested: Nested")),
        ("zip_no_byteorder.pt", Refused("c: complex64")),
        ("zip_noext", Refused("c: complex64")),
        ("zip_norm_reparam.pt", Reads("")),
        ("zip_numpy2.pt", Reads("")),
        ("zip_objects_p2.pt", Refused("NoStateDict")),
        ("zip_objects_p3.pt", Refused("NoStateDict")),
        ("zip_objects_p4.pt", Refused("NoStateDict")),
        ("zip_objects_p5.pt", Refused("NoStateDict")),
        ("zip_omegaconf.pt", Reads("state_dict")),
        ("zip_other_prefix.pt", Refused("c: complex64")),
        ("zip_raw_storages.pt", Reads("")),
        ("zip_rezipped_stored_unaligned.pt", Refused("c: complex64")),
        ("zip_skip_data.pt", Refused("c: complex64")),
        ("zip_sparse.pt", Refused("coo: Sparse")),
        ("zip_state_dict_nontensor_values.pt", Reads("")),
        ("zip_training.pt", Reads("model_state_dict")),
        ("zip_uint_v3.pt", Reads("")),
        ("zip_wrap_compile.pt", Reads("model")),
        ("zip_wrap_timm_ema.pt", Reads("state_dict")),
    ];
    check_folder("files", table, check_tensors);
}

fn check_folder(folder: &str, table: &[(&str, Outcome)], check: fn(&str, &Checkpoint, &str)) {
    let mut faults = Vec::new();
    let mut names: Vec<String> = std::fs::read_dir(corpus().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.json")
        .collect();
    names.sort();
    for name in &names {
        let expected = table.iter().find(|(listed, _)| listed == name).map(|&(_, outcome)| outcome);
        match (open(&corpus().join(folder).join(name), None), expected) {
            (Ok(checkpoint), Some(Reads(path))) => check(name, &checkpoint, path),
            (Err(error), Some(Refused(reason))) if refusal(&error) == reason => {}
            (Ok(checkpoint), _) => {
                faults.push(format!("(\"{name}\", Reads(\"{}\")),", checkpoint.state_dict_path.join(".")));
            }
            (Err(error), _) => {
                faults.push(format!("(\"{name}\", Refused(\"{}\")), // {}", refusal(&error), error.kind));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert_eq!(names.len(), table.len());
}

#[test]
fn hostile_files() {
    let table: &[(&str, Outcome)] = &[
        ("l_count_huge.pt", Refused("Legacy")),
        ("l_count_mismatch.pt", Refused("Legacy")),
        ("l_keys_dup.pt", Refused("Legacy")),
        ("l_keys_unknown.pt", Refused("Legacy")),
        ("l_protocol_9999.pt", Refused("Legacy")),
        ("l_sysinfo_big_endian.pt", Refused("Legacy")),
        ("pk_bad_utf8_key.pt", Refused("NoStateDict")),
        ("pk_binput_huge_index.pt", Refused("NoStateDict")),
        ("pk_binunicode_huge.pt", Refused("Pickle Truncated")),
        ("pk_deep_tuple1.pt", Refused("NoStateDict")),
        ("pk_dup_keys.pt", Reads("")),
        ("pk_exec_build_setstate.pt", Refused("NoStateDict")),
        ("pk_exec_stack_global.pt", Refused("NoStateDict")),
        ("pk_frame_huge.pt", Refused("Pickle Truncated")),
        ("pk_global_newline_long.pt", Refused("Pickle GlobalTooLong")),
        ("pk_long4_huge.pt", Refused("Pickle Truncated")),
        ("pk_long4_negative.pt", Refused("Pickle NegativeLength")),
        ("pk_long_text_quadratic.pt", Refused("NoStateDict")),
        ("pk_memo_bomb_list.pt", Refused("NoStateDict")),
        ("pk_memo_bomb_tuple.pt", Refused("NoStateDict")),
        ("pk_pop_mark_leak.pt", Refused("Pickle StackUnderflow")),
        ("pk_recursive_tuple.pt", Refused("NoStateDict")),
        ("pk_trailing_after_stop.pt", Reads("")),
        ("pk_two_pickles.pt", Reads("")),
        ("pk_unhashable_key.pt", Refused("Pickle UnhashableKey")),
        ("s_dup_key.safetensors", Refused("Safetensors DuplicateKey")),
        ("s_header_100mb.safetensors", Refused("Safetensors Format")),
        ("s_header_huge.safetensors", Refused("Safetensors Format")),
        ("s_metadata_nonstring.safetensors", Refused("Safetensors Format")),
        ("s_neg_offset.safetensors", Refused("Safetensors Format")),
        ("s_overlap.safetensors", Refused("Safetensors Format")),
        ("s_reversed.safetensors", Refused("Safetensors Format")),
        ("t_args_wrong_types.pt", Refused("w: Arguments")),
        ("t_expand_bomb.pt", Refused("w: Expanded")),
        ("t_negative_stride.pt", Refused("w: Arguments")),
        ("t_numel_gt_record.pt", Refused("w: RecordSize")),
        ("t_numel_huge.pt", Refused("w: RecordSize")),
        ("t_numel_negative.pt", Refused("w: Arguments")),
        ("t_offset_negative.pt", Refused("w: Arguments")),
        ("t_offset_out_of_range.pt", Refused("w: View")),
        ("t_one_past_end.pt", Refused("w: View")),
        ("t_rank_1000.pt", Refused("w: Shape")),
        ("t_same_key_two_dtypes.pt", Reads("")),
        ("t_sparse_oob.pt", Refused("w: Sparse")),
        ("tar_count_huge.pt", Refused("Tar")),
        ("z_byteorder_bad.pt", Refused("ByteOrder")),
        ("z_dup_data_pkl.pt", Refused("Zip Duplicate")),
        ("z_encrypted_flag.pt", Refused("Zip Encrypted")),
        ("z_lfh_name_differs.pt", Refused("Zip HeaderDiffers")),
        ("z_no_pickle.pt", Refused("MissingRecord")),
        ("z_offset_past_eof.pt", Refused("Zip Missing")),
        ("z_only_eocd.pt", Refused("Zip Empty")),
        ("z_prefix_junk.pt", Refused("Unknown { start: [74, 85, 78, 75, 74, 85, 78, 75] }")),
        ("z_truncated_half.pt", Refused("Zip Truncated")),
        ("z_two_roots.pt", Refused("Zip OtherFolder")),
        ("z_version_99.pt", Reads("")),
    ];
    let readme = std::fs::read_to_string(corpus().join("hostile/README.json")).unwrap();
    let readme: Value = serde_json::from_str(&readme).unwrap();
    for (name, outcome) in table {
        match (readme[name]["expect"].as_str().unwrap(), outcome) {
            ("load", outcome) => assert!(matches!(outcome, Reads(_)), "{name}"),
            ("reject with a clear error", outcome) => assert!(matches!(outcome, Refused(_)), "{name}"),
            (expected, _) => assert!(expected.starts_with("either"), "{name}: {expected}"),
        }
    }
    check_folder("hostile", table, |name, checkpoint, path| {
        assert_eq!(checkpoint.state_dict_path.join("."), path, "{name}");
    });
}

#[test]
fn one_rank_of_a_distributed_checkpoint_is_refused() {
    let path = corpus().join("files/dcp_hf_sharded2/shard-00001-model-00001-of-00001.safetensors");
    let kind = open(&path, None).unwrap_err().kind;
    assert!(matches!(kind, ErrorKind::Unsupported(UnsupportedForm::DcpShard)), "{kind:?}");
}

#[test]
fn what_is_no_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |content: &[u8], expected: NotACheckpoint| {
        let path = folder.path().join("model.pt");
        std::fs::write(&path, content).unwrap();
        match open(&path, None).unwrap_err().kind {
            ErrorKind::NotACheckpoint(found) => assert_eq!(found, expected),
            kind => panic!("{kind:?}"),
        }
    };
    check(b"", NotACheckpoint::Empty);
    check(b"<!DOCTYPE html><html>", NotACheckpoint::Html);
    check(b"\n <HTML>", NotACheckpoint::Html);
    check(b"version https://git-lfs.github.com/spec/v1\n", NotACheckpoint::GitLfsPointer);
    check(b"\x1f\x8b\x08\0", NotACheckpoint::Gzip);
    check(b"\x89HDF\r\n\x1a\n\0", NotACheckpoint::Hdf5);
    check(b"hello", NotACheckpoint::Unknown { start: b"hello".to_vec() });
}

/// Small xorshift, so that the same mutations run every time.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn damaged_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut refused = 0;
    for name in [
        "zip_other_prefix.pt",
        "zip_deflated.pt",
        "zip_training.pt",
        "zip_uint_v3.pt",
        "t151_zip_statedict.pt",
    ] {
        let whole = std::fs::read(corpus().join("files").join(name)).unwrap();
        for round in 0..120 {
            let mut bytes = whole.clone();
            if round % 4 == 0 {
                bytes.truncate(next(&mut state) % whole.len());
            }
            for _ in 0..next(&mut state) % 4 {
                let place = next(&mut state) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = next(&mut state).to_le_bytes()[0];
                }
            }
            std::fs::write(&path, &bytes).unwrap();
            match open(&path, None) {
                Ok(checkpoint) => checkpoint.tensors.iter().for_each(|tensor| {
                    contiguous(&tensor.tensor);
                }),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 150, "{refused}");
}
