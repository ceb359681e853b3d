//! Hostile files: read in this process for the reason, and by the program in little memory and time for the exit
//! code.

use serde_json::Value;

use super::corpus::{Outcome, folder, names, open, print_row, reads, refused};
use super::limited;

/// Seconds of processor time for a file: a busy machine takes longer by the clock.
const SECONDS: u32 = 1;

fn outcomes() -> Vec<(&'static str, Outcome)> {
    vec![
        ("l_count_huge.pt", refused("Legacy Stream")),
        ("l_count_mismatch.pt", refused("Legacy Count")),
        ("l_keys_dup.pt", refused("Legacy DuplicateKey")),
        ("l_keys_unknown.pt", refused("Legacy UnknownKey")),
        ("l_protocol_9999.pt", refused("Legacy Protocol")),
        ("l_sysinfo_big_endian.pt", reads("")),
        ("pk_bad_utf8_key.pt", refused("TensorKey")),
        ("pk_binput_huge_index.pt", refused("NoStateDict")),
        ("pk_binunicode_huge.pt", refused("Pickle Truncated")),
        ("pk_deep_tuple1.pt", refused("NoStateDict")),
        ("pk_dup_keys.pt", reads("")),
        ("pk_exec_build_setstate.pt", refused("NoStateDict")),
        ("pk_exec_stack_global.pt", refused("NoStateDict")),
        ("pk_frame_huge.pt", refused("Pickle Truncated")),
        ("pk_global_newline_long.pt", refused("Pickle GlobalTooLong")),
        ("pk_long4_huge.pt", refused("Pickle Truncated")),
        ("pk_long4_negative.pt", refused("Pickle NegativeLength")),
        ("pk_long_text_quadratic.pt", refused("NoStateDict")),
        ("pk_memo_bomb_list.pt", refused("NoStateDict")),
        ("pk_memo_bomb_tuple.pt", refused("NoStateDict")),
        ("pk_pop_mark_leak.pt", refused("Pickle StackUnderflow")),
        ("pk_recursive_tuple.pt", refused("NoStateDict")),
        ("pk_trailing_after_stop.pt", reads("")),
        ("pk_two_pickles.pt", reads("")),
        ("pk_unhashable_key.pt", refused("Pickle UnhashableKey")),
        ("s_dup_key.safetensors", refused("Safetensors DuplicateKey")),
        ("s_header_100mb.safetensors", refused("Safetensors Format")),
        ("s_header_huge.safetensors", refused("Safetensors Format")),
        ("s_metadata_nonstring.safetensors", refused("Safetensors Header")),
        ("s_neg_offset.safetensors", refused("Safetensors Header")),
        ("s_overlap.safetensors", refused("Safetensors Format")),
        ("s_reversed.safetensors", refused("Safetensors Format")),
        ("t_args_wrong_types.pt", refused("w: Arguments")),
        ("t_expand_bomb.pt", refused("w: Expanded")),
        ("t_negative_stride.pt", refused("w: Arguments")),
        ("t_numel_gt_record.pt", refused("w: RecordSize")),
        ("t_numel_huge.pt", refused("w: RecordSize")),
        ("t_numel_negative.pt", refused("w: Arguments")),
        ("t_offset_negative.pt", refused("w: Arguments")),
        ("t_offset_out_of_range.pt", refused("w: View")),
        ("t_one_past_end.pt", refused("w: View")),
        ("t_rank_1000.pt", refused("w: Shape")),
        ("t_same_key_two_dtypes.pt", reads("")),
        ("t_sparse_oob.pt", refused("w: Sparse")),
        ("tar_count_huge.pt", refused("Tar Stream")),
        ("z_byteorder_bad.pt", refused("ByteOrder")),
        ("z_dup_data_pkl.pt", refused("Zip Duplicate")),
        ("z_encrypted_flag.pt", refused("Zip Encrypted")),
        ("z_lfh_name_differs.pt", refused("Zip HeaderDiffers")),
        ("z_no_pickle.pt", refused("MissingRecord")),
        ("z_offset_past_eof.pt", refused("Zip Missing")),
        ("z_only_eocd.pt", refused("Zip Empty")),
        ("z_prefix_junk.pt", refused("Unknown")),
        ("z_truncated_half.pt", refused("Zip Truncated")),
        ("z_two_roots.pt", refused("Zip OtherFolder")),
        ("z_version_99.pt", reads("")),
    ]
}

#[test]
fn end_as_they_should() {
    let readme = std::fs::read_to_string(folder("hostile").join("README.json")).unwrap();
    let readme: Value = serde_json::from_str(&readme).unwrap();
    let names = names("hostile");
    assert_eq!(names.len(), 56);
    let mut faults = Vec::new();
    for name in &names {
        let path = folder("hostile").join(name);
        let opened = open(&path);
        let found = Outcome::of(&opened);
        let wanted = outcomes().into_iter().find(|(listed, _)| listed == name).map(|(_, outcome)| outcome);
        if wanted.as_ref() != Some(&found) {
            faults.push(format!("{name}: {found:?} instead of {wanted:?}: {:?}", opened.err()));
            continue;
        }
        let is_read = matches!(found, Outcome::Reads(_));
        match readme[name]["expect"].as_str().unwrap() {
            "load" => assert!(is_read, "{name}"),
            "reject with a clear error" => assert!(!is_read, "{name}"),
            expected => assert!(expected.starts_with("either"), "{name}: {expected}"),
        }
        let code = limited::inspect(&path, &[], SECONDS);
        assert_eq!(code, if is_read { 0 } else { 3 }, "{name}");
        let why = opened.err().map_or_else(String::new, |error| error.kind.to_string());
        print_row(name, &format!("{found:?}, exit code {code}"), &why);
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
