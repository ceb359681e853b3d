//! A signal in the middle of a write.
#![cfg(target_os = "linux")]

use std::process::Child;

use crate::run::{Folder, check};

/// Bytes of the kernel: the first that take long enough to be interrupted will do.
const SIZES: [usize; 4] = [1 << 24, 1 << 26, 1 << 28, 1 << 30];

#[test]
fn sigint_leaves_the_old_file() {
    for bytes in SIZES {
        let folder = Folder::new();
        let input = bytes / 4 / OUTPUT;
        folder.write("schema.toml", "schema = 1\n\n[[layer]]\ntorch = \"conv\"\nkeras = \"dense\"\n");
        folder.write("arch.json", dense(input));
        folder.write_safetensors("w.safetensors", &[OUTPUT, input], 1.0);
        folder.write("w.weights.h5", "the old file");
        let names = folder.names();
        let arguments =
            ["w.safetensors", "-s", "schema.toml", "-a", "arch.json", "-t", "1", "--dtype", "float16"];
        let mut child = folder.start(&arguments);
        while child.try_wait().unwrap().is_none() && !is_writing(&child) {
            std::thread::yield_now();
        }
        if child.try_wait().unwrap().is_none() {
            let id = i32::try_from(child.id()).unwrap();
            rustix::process::kill_process(
                rustix::process::Pid::from_raw(id).unwrap(),
                rustix::process::Signal::INT,
            )
            .unwrap();
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            continue;
        }
        check("interrupted", 130, &folder.render(&output));
        assert_eq!(folder.read("w.weights.h5"), b"the old file");
        assert_eq!(folder.names(), names, "something was left behind");
        return;
    }
    panic!("every conversion was done before the signal came");
}

const OUTPUT: usize = 1024;

/// Whether the process holds the unnamed file that becomes the output, or its temporary sibling: from then
/// on signals are listened for.
fn is_writing(child: &Child) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{}/fd", child.id())) else { return false };
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    links
        .map(|link| link.to_string_lossy().into_owned())
        .any(|link| link.ends_with(" (deleted)") || link.contains("/.ptw2k-"))
}

/// A Dense with so many inputs.
fn dense(input: usize) -> String {
    let dtype = "float32";
    serde_json::json!({
        "module": "keras", "class_name": "Sequential", "registered_name": null,
        "build_config": { "input_shape": [null, input] },
        "config": { "name": "sequential", "trainable": true, "dtype": dtype, "layers": [
            { "module": "keras.layers", "class_name": "InputLayer", "registered_name": null,
              "config": { "batch_shape": [null, input], "dtype": dtype, "name": "input" } },
            { "module": "keras.layers", "class_name": "Dense", "registered_name": null,
              "build_config": { "input_shape": [null, input] },
              "config": { "name": "dense", "trainable": true, "dtype": dtype, "units": OUTPUT,
                          "activation": "linear", "use_bias": true } },
        ] },
    })
    .to_string()
}
