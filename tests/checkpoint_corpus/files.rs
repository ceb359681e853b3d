//! Files and folders that real torch wrote.

use super::corpus::{Outcome, folder, names, open, print_row, reads, refused};
use super::expected;

/// What becomes of a file when nothing but its path is given; the tensors are compared with torch's.
fn outcome(name: &str) -> Outcome {
    match name {
        "dcp_single" | "dcp_to_torch_save.pt" | "zip_wrap_compile.pt" => reads("model"),
        "t1121_train.pt"
        | "t100_train.pt"
        | "t160_train.pt"
        | "zip_omegaconf.pt"
        | "zip_wrap_timm_ema.pt" => reads("state_dict"),
        "zip_training.pt" => reads("model_state_dict"),
        // Without tensors.
        "t100_numpy.pt" | "t100py2_numpy.pt" | "t1121_numpy.pt" | "t1131_numpy.pt" | "t160_numpy.pt" => {
            refused("NoStateDict")
        }
        // Tensors in lists and under numbers, deep in other objects: --key chooses.
        "zip_objects_p2.pt" | "zip_objects_p3.pt" | "zip_objects_p4.pt" | "zip_objects_p5.pt" => {
            refused("NoStateDict")
        }
        "ts_frozen.pt" => refused("TorchScript Frozen"),
        "zip_dtensor_rank0.pt" => refused("dt: Distributed"),
        "zip_meta_tensor.pt" => refused("m: Meta"),
        _ => reads(""),
    }
}

#[test]
fn are_read_as_torch_reads_them() {
    let names = names("files");
    assert_eq!(names.len(), 62);
    let mut faults = Vec::new();
    for name in &names {
        let opened = open(&folder("files").join(name));
        let (found, wanted) = (Outcome::of(&opened), outcome(name));
        if found != wanted {
            faults.push(format!("{name}: {found:?} instead of {wanted:?}: {:?}", opened.err()));
            continue;
        }
        match opened {
            Ok(checkpoint) => {
                let tensors = expected::check(name, &checkpoint);
                print_row(name, &checkpoint.form.to_string(), &format!("{tensors} tensors, all equal"));
            }
            Err(error) => print_row(name, &format!("{found:?}"), &error.kind.to_string()),
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
