//! Processes that are ended in the middle.

use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use crate::made::{Folder, architecture, checkpoint, wait_for};

fn send(child: &std::process::Child, signal: Signal) {
    // One that has ended by itself is as good.
    let _ = kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal);
}

/// At every event there is, the process is killed, and the next one goes on.
#[test]
fn sigkill_leaves_the_old_or_the_new() {
    let folder = Folder::new();
    let alone = folder.alone();
    // Old outputs, which are replaced: all of them are stale.
    assert_eq!(folder.zoo(&["-q"]).code, Some(0));
    let old = folder.outputs();
    assert!(old == alone);
    let manifest = String::from_utf8(folder.read("zoo.toml")).unwrap();
    let mut expected = Vec::new();
    for dtype in ["float16", "float32"] {
        let other = Folder::new();
        other.write(
            "zoo.toml",
            manifest
                .replace("[defaults]", &format!("[defaults]\nallow-overflow = true\ndtype = \"{dtype}\"")),
        );
        assert_eq!(other.zoo(&["-q"]).code, Some(0));
        expected.push((other.read("zoo.toml"), other.outputs()));
    }
    for (event, times) in [
        ("checked", 1),
        ("started", 1),
        ("writing", 2),
        ("ended", 1),
        ("started", 3),
        ("ended", 4),
        ("writing", 6),
    ] {
        for (manifest, outputs) in &expected {
            folder.write("zoo.toml", manifest);
            let before = folder.outputs();
            let mut child = folder.start(&["zoo", "zoo.toml", "-t", "2", "--json", "--force"]);
            assert!(wait_for(&mut child, event, times), "no {event}");
            send(&child, Signal::KILL);
            child.wait().unwrap();
            for (name, found) in folder.outputs() {
                assert!(found == before[&name] || found == outputs[&name], "{name} is half written");
            }
            let said = folder.zoo(&[]);
            assert_eq!(said.code, Some(0), "{}", said.text());
            assert!(folder.outputs() == *outputs, "after {event} {times}");
            folder.check_no_debris();
            assert!(folder.zoo(&[]).stdout.contains("current     6"));
        }
    }
}

/// A file that somebody left hours ago, as it must be on some file systems.
fn leave(folder: &Folder, name: &str) {
    folder.write(name, "left");
    let file = std::fs::File::options().write(true).open(folder.path(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
}

/// What a killed process may have left is removed, and what another holds is not.
#[test]
fn debris_is_removed() {
    let folder = Folder::new();
    for name in ["keras/.ptw2k-abcdef", "keras/.ptw2k/.ptw2k-ABC123", "keras/.ptw2k/ant.weights.h5.lock"] {
        leave(&folder, name);
    }
    assert_eq!(folder.zoo(&["-n"]).code, Some(0));
    assert_eq!(folder.files("keras").len(), 3, "a dry run writes nothing");
    assert_eq!(folder.zoo(&["-q"]).code, Some(0));
    folder.check_no_debris();
    // Also of jobs that have nothing to do any more.
    folder.write("keras/.ptw2k/bee.weights.h5.lock", "");
    assert_eq!(folder.zoo(&["-q"]).code, Some(0));
    folder.check_no_debris();
}

/// An output in shards is replaced in steps: the old files, out of the way, go when the new ones are there.
#[test]
fn old_shards_are_removed() {
    let folder = Folder::new();
    let manifest = String::from_utf8(folder.read("zoo.toml")).unwrap();
    folder.write("zoo.toml", manifest.replace(".weights.h5", ".weights.json"));
    let old = [
        "keras/.ptw2k-old-ant.weights.json-abcdef",
        "keras/.ptw2k-old-ant_00003.weights.h5-ABC123",
        "keras/.ptw2k-old-other.weights.json-abcdef",
    ];
    let left = || old.map(|name| folder.path(name).exists());
    old.iter().for_each(|name| leave(&folder, name));
    let broken = folder.read("archs/ant.json");
    folder.write("archs/ant.json", "{");
    assert_eq!(folder.zoo(&["-q"]).code, Some(10));
    assert_eq!(left(), [true, true, true], "nothing stands in their place yet");
    folder.write("archs/ant.json", broken);
    assert_eq!(folder.zoo(&["-q"]).code, Some(0));
    assert_eq!(left(), [false, false, true]);
}

#[test]
fn sigint_stops_cleanly() {
    // Large enough to be still in the making when the signal comes; or else larger.
    for outputs in [3000, 12_000, 48_000] {
        let folder = Folder::new();
        folder.write("archs/yak.json", architecture(outputs, 1009));
        folder.write("runs/yak/best.safetensors", checkpoint(outputs, 1009, 0.5));
        let mut child = folder.start(&["zoo", "zoo.toml", "-t", "1", "--json"]);
        assert!(wait_for(&mut child, "writing", 1));
        send(&child, Signal::INT);
        let status = child.wait().unwrap();
        if status.success() {
            continue;
        }
        assert_eq!(status.code(), Some(130));
        assert!(!folder.path("keras/yak.weights.h5").exists());
        folder.check_no_debris();
        let said = folder.zoo(&[]);
        assert_eq!(said.code, Some(0), "{}", said.text());
        assert!(said.stdout.contains("written     7"), "{}", said.stdout);
        return;
    }
    panic!("every zoo was done before the signal came");
}
