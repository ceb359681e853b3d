//! Same inputs, same bytes; and what is said when all is well.

use std::time::{Duration, SystemTime};

use crate::run::Folder;

/// The files that a conversion makes, with their bytes.
fn made(folder: &Folder, script: &str) -> Vec<(String, Vec<u8>)> {
    let before = folder.names();
    let said = folder.run_shell(script);
    assert_eq!(said, "exit 0\n", "{script}");
    let names = folder.names().into_iter().filter(|name| !before.contains(name));
    names.map(|name| (name.clone(), folder.read(&name))).collect()
}

/// Whatever the threads, the time, the zone, the language, the folder and the way to it.
#[test]
fn bytes_depend_on_inputs_alone() {
    let check = |output: &str, options: &str, files: usize| {
        let (one, other) = (Folder::with_case("mnist"), Folder::with_case("mnist"));
        let inputs = ["weights.pt", "schema.toml", "arch.json"];
        for (at, name) in inputs.into_iter().enumerate() {
            let past = SystemTime::now() - Duration::from_secs(1000 + 100_000 * at as u64);
            std::fs::File::options().append(true).open(other.path(name)).unwrap().set_modified(past).unwrap();
        }
        let here = format!("TZ=UTC LC_ALL=C \"$0\" weights.pt --schema schema.toml -o {output} --threads 1");
        let there = format!(
            "mkdir sub; cd sub; umask 077; export TZ=Asia/Tokyo LC_ALL=tr_TR.UTF-8 HOME=/nowhere; \"$0\" \
             \"$PWD/../weights.pt\" --schema ../schema.toml --arch \"$PWD/../arch.json\" -o ../{output} --threads 5"
        );
        let first = made(&one, &format!("{here} -q {options}"));
        let second = made(&other, &format!("{there} -q {options}; code=$?; cd ..; rmdir sub; exit $code"));
        let names =
            |made: &[(String, Vec<u8>)]| made.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&first).len(), files, "{options}");
        assert_eq!(names(&first), names(&second), "{options}");
        assert!(first == second, "{options}");
    };
    check("out.weights.h5", "", 1);
    check("out.weights.json", "--max-shard-size 36KB", 3);
    check("out.h5", "", 1);
    check("out.h5", "--save model", 1);
    check("out.keras", "", 1);
    check("out.keras", "--dtype bfloat16", 1);
}

/// A `.keras` made of `model.to_json()` has no time: neither in the archive nor in its metadata.
#[test]
fn an_archive_has_no_time() {
    let folder = Folder::with_case("mnist");
    made(&folder, "\"$0\" weights.pt --schema schema.toml -o out.keras -q");
    let file = std::fs::File::open(folder.path("out.keras")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    for at in 0..archive.len() {
        let member = archive.by_index(at).unwrap();
        let time = member.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day(), time.hour()), (1980, 1, 1, 0), "member {at}");
    }
    let metadata: serde_json::Value =
        serde_json::from_reader(archive.by_name("metadata.json").unwrap()).unwrap();
    assert_eq!(metadata.as_object().unwrap().keys().collect::<Vec<_>>(), ["keras_version"]);
}

/// One line on stdout, remarks on stderr, no bar where nobody watches; with `--quiet` nothing, unless it is asked for.
#[test]
fn what_is_said() {
    let folder = Folder::with_case("conv_block");
    let streams = |options: &str| {
        let run = format!("\"$0\" weights.pt --schema schema.toml -o out.weights.h5 {options}");
        [" 2>/dev/null", " 2>&1 >/dev/null"].map(|to| folder.shell(&format!("{run}{to}")))
    };
    let [out, err] = streams("");
    assert!(out.starts_with("out.weights.h5: 6 variables, ") && out.lines().count() == 1, "{out}");
    assert!(err.starts_with("note: bn: ") && err.lines().count() == 1, "{err}");
    assert_eq!(streams("--quiet"), ["", ""]);
    let [out, err] = streams("--quiet --json");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["variables"], 6);
    assert_eq!(err, "");
    // Errors are no remarks.
    let [out, err] = streams("--quiet --dtype float8_e4m3fn");
    assert_eq!(out, "");
    assert!(err.starts_with("error: "), "{err}");
}
