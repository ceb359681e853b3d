//! A disk that is full.

use crate::made::{Folder, MODELS, Said, check};

/// A limit on the length of files is a disk that is full for large ones.
#[test]
fn a_full_disk_is_told_and_recovered_from() {
    let folder = Folder::new();
    let names = |folder: &Folder| folder.outputs().into_keys().collect::<Vec<_>>();
    let script = "ulimit -f 200 && exec \"$0\" zoo zoo.toml -t 1";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_ptw2k")]).current_dir(folder.path("")).env("NO_COLOR", "1");
    check("full_disk", 10, &folder.said(&shell.output().unwrap()));
    assert_eq!(names(&folder).len(), 5);
    folder.check_no_debris();
    let said = folder.zoo(&[]);
    assert_eq!(said.code, Some(0), "{}", said.text());
    assert!(
        said.stdout.contains("written     1") && said.stdout.contains("current     5"),
        "{}",
        said.stdout
    );
    assert!(folder.outputs() == folder.alone());
    folder.check_no_debris();
}

/// Whether a file system of one's own can be mounted here.
fn can_mount(folder: &Folder) -> bool {
    let mut command = std::process::Command::new("unshare");
    command.args(["-Urm", "mount", "-t", "tmpfs", "-o", "size=64k", "none"]).arg(folder.path("runs"));
    let can = command.output().is_ok_and(|output| output.status.success());
    if !can {
        eprintln!(
            "SKIPPED: `unshare -Urm` is refused here, so no disk could be filled; a limit of length stands in"
        );
    }
    can
}

/// Runs the zoo with its outputs on a file system of so many KiB, and again when that has more room. What it said
/// the first time; the folder has the outputs of the second, and `first` those of the first.
fn on_a_small_disk(folder: &Folder, kib: u32, threads: &str) -> Said {
    let script = "mkdir keras && mount -t tmpfs -o size=${1}k none keras || exit 99\n\
                  \"$0\" zoo zoo.toml -t \"$2\"; code=$?; cp -a keras first\n\
                  mount -o remount,size=16m keras && \"$0\" zoo zoo.toml -q || exit 98\n\
                  cp -a keras second; exit $code";
    let mut command = std::process::Command::new("unshare");
    command.args(["-Urm", "sh", "-c", script, env!("CARGO_BIN_EXE_ptw2k"), &kib.to_string(), threads]);
    command.current_dir(folder.path("")).env("NO_COLOR", "1");
    let said = folder.said(&command.output().unwrap());
    // What was mounted has gone with its process.
    let place = |name: &str| {
        std::fs::remove_dir_all(folder.path("keras")).unwrap();
        std::fs::rename(folder.path(name), folder.path("keras")).unwrap();
    };
    place("first");
    folder.check_no_debris();
    let (some, alone) = (folder.outputs(), folder.alone());
    assert!(some.len() < MODELS.len(), "all of them fit");
    assert!(some.iter().all(|(name, bytes)| alone.get(name) == Some(bytes)), "a part of an output");
    place("second");
    folder.check_no_debris();
    assert!(folder.outputs() == alone);
    said
}

/// A file system that is really full.
#[test]
fn no_space_is_told_and_recovered_from() {
    let folder = Folder::new();
    if !can_mount(&folder) {
        return;
    }
    check("no_space", 10, &on_a_small_disk(&folder, 1024, "1"));
    // The less there is, the more is in the way: outputs, records, locks, the folder for them.
    for (kib, threads) in [(160, "2"), (64, "2"), (20, "1"), (12, "2"), (8, "1"), (4, "1")] {
        let said = on_a_small_disk(&Folder::new(), kib, threads);
        assert_eq!(said.code, Some(10), "{kib}: {}", said.text());
        let told = ["are free; make room", "No space left on device"];
        assert!(told.iter().any(|told| said.stderr.contains(told)), "{kib}: {}", said.text());
    }
}
