//! A checkpoint whose values were changed since it was written: its archive's checksums tell.

use crate::run::{Folder, check};

const CONVERT: [&str; 3] = ["weights.pt", "--schema", "schema.toml"];

#[test]
fn a_changed_value_is_told() {
    let folder = Folder::with_case("mnist");
    folder.run(&[&CONVERT[..], &["-o", "whole.weights.h5"]].concat());
    let mut bytes = folder.read("weights.pt");
    // In the record data/4, the weight of fc1.
    bytes[20_000] ^= 1;
    folder.write("weights.pt", bytes);
    check("damaged_convert", 0, &folder.run(&[&CONVERT[..], &["-o", "out.weights.h5"]].concat()));
    // Damage is not for `--quiet` to hide.
    let said = folder.run(&[&CONVERT[..], &["-o", "out.weights.h5", "-q"]].concat());
    assert!(said.contains("warning: the checksum of the record `data/4` is wrong"), "{said}");
    let verify = |file: &'static str| ["verify", "weights.pt", file, "--schema", "schema.toml"];
    check("damaged_verify", 0, &folder.run(&verify("out.weights.h5")));
    check("damaged_verify_whole", 8, &folder.run(&verify("whole.weights.h5")));
    check("damaged_inspect", 0, &folder.run(&["inspect", "weights.pt"]));
    check("damaged_inspect_hash", 0, &folder.run(&["inspect", "weights.pt", "--hash"]));
    check("damaged_inspect_stats", 0, &folder.run(&["inspect", "weights.pt", "--stats"]));
}
