//! The `.metadata` of a distributed checkpoint: the input is the pickle, beside one file of items.

#![no_main]

use std::cell::OnceCell;

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

/// Items of a real checkpoint, which the seeds' metadata describe.
const ITEMS: &[u8] = include_bytes!("../../testdata/corpus/files/dcp_single/__0_0.distcp");

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| {
            let memory = std::path::Path::new("/dev/shm");
            let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            let folder = folder.expect("a temporary folder");
            std::fs::write(folder.path().join("__0_0.distcp"), ITEMS).expect("a file");
            folder
        });
        std::fs::write(folder.path().join(".metadata"), input).expect("a file");
        ptw2k_fuzz::open_path(folder.path());
    });
});
