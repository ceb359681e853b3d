//! What becomes of jobs: done, failed, stopped.

use std::num::NonZeroUsize;

use crate::made::{Folder, MODELS, architecture, check, checkpoint, exists, tensors};

#[test]
fn all_are_converted() {
    let folder = Folder::new();
    check("converted", 0, &folder.zoo(&[]));
    let alone = folder.alone();
    assert!(folder.outputs() == alone, "other bytes than those of single conversions");
    folder.check_no_debris();
    check("current", 0, &folder.zoo(&[]));
    check("current_verbose", 0, &folder.zoo(&["-v"]));

    // Whatever the number of threads and the memory.
    for options in [&["-t", "7"][..], &["-t", "2", "--memory", "1MB"], &["--memory", "20MB"]] {
        let other = Folder::new();
        let said = other.run(&[&["zoo", "zoo.toml", "-q"], options].concat());
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "", ""), "{options:?}");
        assert!(other.outputs() == alone, "{options:?}");
    }
}

/// Eight files that are broken in different ways, among those that are not.
fn broken() -> Folder {
    let folder = Folder::new();
    let whole = checkpoint(4, 9, 0.0);
    folder.write("archs/gnu.json", architecture(4, 9));
    folder.write("runs/gnu/best.safetensors", &whole[..whole.len() - 7]);
    folder.write("archs/hen.json", architecture(4, 9));
    folder.write("runs/hen/best.safetensors", "<!DOCTYPE html><html><body>Not found</body></html>");
    folder.write("archs/ibex.json", architecture(4, 9));
    folder.write("runs/ibex/best.safetensors", tensors(&[("fc.bias", &[4], vec![0; 16])]));
    folder.write("archs/jay.json", architecture(4, 10));
    folder.write("runs/jay/best.safetensors", &whole);
    folder.write("archs/kea.json", "{\"class_name\": \"Sequential\"");
    folder.write("runs/kea/best.safetensors", &whole);
    folder.write("archs/lynx.json", architecture(4, 9));
    folder.write("runs/lynx/best.safetensors", "");
    folder.write("broken.toml", "schema = 1\n\n[[layer]]\ntorch = \"fc\"\nkerass = \"dense\"\n");
    folder.write("archs/mole.json", architecture(1, 1));
    folder.write("extra/mole.safetensors", checkpoint(1, 1, 7e9));
    let manifest = String::from_utf8(folder.read("zoo.toml")).unwrap();
    let more = r#"
[[job]]
checkpoint = "extra/mole.safetensors"
arch = "archs/mole.json"
output = "keras/half.weights.h5"
dtype = "float16"

[[job]]
checkpoint = "extra/mole.safetensors"
arch = "archs/mole.json"
schema = "broken.toml"
output = "keras/invalid.weights.h5"
"#;
    folder.write("zoo.toml", format!("{manifest}{more}"));
    folder
}

#[test]
fn one_that_fails_leaves_the_others_alone() {
    let folder = broken();
    let said = folder.zoo(&["--report", "report.json"]);
    check("failures", 10, &said);
    assert!(folder.outputs() == folder.alone());
    folder.check_no_debris();

    let report: serde_json::Value = serde_json::from_slice(&folder.read("report.json")).unwrap();
    assert_eq!(
        report["counts"],
        serde_json::json!({ "written": 6, "current": 0, "planned": 0, "failed": 8, "stopped": 0 })
    );
    let jobs = report["jobs"].as_array().unwrap();
    let codes: Vec<(String, u64)> = jobs
        .iter()
        .filter(|job| job["outcome"] == "failed")
        .map(|job| (job["output"].as_str().unwrap().to_owned(), job["error"]["exit"].as_u64().unwrap()))
        .collect();
    let codes: Vec<(&str, u64)> = codes.iter().map(|(output, code)| (output.as_str(), *code)).collect();
    assert_eq!(
        codes,
        [
            ("keras/gnu.weights.h5", 3),
            ("keras/hen.weights.h5", 3),
            ("keras/ibex.weights.h5", 6),
            ("keras/jay.weights.h5", 6),
            ("keras/kea.weights.h5", 4),
            ("keras/lynx.weights.h5", 3),
            ("keras/half.weights.h5", 7),
            ("keras/invalid.weights.h5", 5),
        ]
    );
    let ibex = jobs.iter().find(|job| job["output"] == "keras/ibex.weights.h5").unwrap();
    insta::assert_json_snapshot!("failure_in_report", ibex);
    // Those that failed are tried again.
    assert!(folder.zoo(&[]).stdout.contains("\ncurrent     6"));
}

#[test]
fn the_report_tells_every_job() {
    let folder = Folder::new();
    let said = folder.zoo(&["--report", "report.json", "-q"]);
    assert_eq!(said.code, Some(0), "{}", said.text());
    let mut report: serde_json::Value = serde_json::from_slice(&folder.read("report.json")).unwrap();
    let jobs = report["jobs"].as_array_mut().unwrap();
    assert_eq!(jobs.len(), MODELS.len());
    jobs.truncate(1);
    jobs[0]["seconds"] = "[SECONDS]".into();
    report["seconds"] = "[SECONDS]".into();
    insta::assert_json_snapshot!("report", report);
}

#[test]
fn fail_fast_begins_no_more() {
    let folder = Folder::new();
    // The largest is the first.
    let largest = folder.read("runs/elk/best.safetensors");
    folder.write("runs/elk/best.safetensors", &largest[..largest.len() - 1]);
    check("fail_fast", 10, &folder.zoo(&["--fail-fast"]));
    assert!(folder.outputs().is_empty());
    // And nothing is left of it, not even the folder that was made.
    assert!(!exists(&folder.path("keras")));
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = broken();
    let before = folder.files("");
    check("dry_run", 10, &folder.zoo(&["--dry-run"]));
    assert!(folder.files("") == before);

    let folder = Folder::new();
    folder.zoo(&["-q"]);
    folder.write("runs/cat/best.safetensors", checkpoint(300, 11, 2.5));
    std::fs::remove_file(folder.path("keras/dog.weights.h5")).unwrap();
    std::fs::remove_file(folder.path("keras/.ptw2k/fox.weights.h5.json")).unwrap();
    let before = folder.files("");
    check("dry_run_states", 0, &folder.zoo(&["-n"]));
    assert!(folder.files("") == before);
    // Only the report is.
    assert_eq!(folder.zoo(&["-n", "-q", "--report", "report.json"]).code, Some(0));
    let report: serde_json::Value = serde_json::from_slice(&folder.read("report.json")).unwrap();
    assert_eq!(report["states"], serde_json::json!({ "new": 0, "stale": 3, "current": 3 }));
    assert!(report["jobs"].as_array().unwrap().iter().all(|job| job["outcome"] == "planned"));
    std::fs::remove_file(folder.path("report.json")).unwrap();
    assert!(folder.files("") == before);
}

/// More shares than jobs leave some without any.
#[test]
fn a_share_without_jobs() {
    let folder = Folder::new();
    let mut shares = (1..=40).map(|index| folder.zoo(&["--shard", &format!("{index}/40")]));
    let empty = shares.find(|said| !said.stdout.contains("written")).unwrap();
    let (said, share) = empty.stdout.split_once(" share ").unwrap();
    assert_eq!(said, "nothing to do: none of 6 jobs belongs to the");
    assert!(share.ends_with("/40\n"), "{share}");
    assert_eq!((empty.code, empty.stderr.as_str()), (Some(0), ""));
}

/// Notes are told when they are asked for, also those of earlier runs.
#[test]
fn notes() {
    let folder = Folder::new();
    let manifest = "[[job]]\ncheckpoint = \"runs/fox/best.safetensors\"\narch = \"archs/fox.json\"\n\
                    schema = \"schema.toml\"\noutput = \"keras/fox.weights.h5\"\ndtype = \"float16\"\n";
    folder.write("zoo.toml", manifest);
    check("notes_planned", 0, &folder.zoo(&["-n", "-v"]));
    check("notes", 0, &folder.zoo(&[]));
    check("notes_current", 0, &folder.zoo(&["-v"]));
}

#[test]
fn every_option_of_a_conversion() {
    let folder = Folder::new();
    folder.write(
        "zoo.toml",
        r#"
[defaults]
schema = "schema.toml"
arch = "archs/{parent}.json"
dtype = "float16"
allow-overflow = true

[[job]]
checkpoint = "runs/ant/best.safetensors"
output = "out/{stem}-{parent}.keras"
keras = "3.10"

[[job]]
checkpoint = "runs/bee/best.safetensors"
output = "out/{path}.weights.json"
dtype = "float32"
max-shard-size = "2KB"
allow-missing = "nothing"
allow-unexpected = ["nothing.*", "else"]

[[job]]
checkpoint = "runs/cat/best.safetensors"
output = "out/{folder}.h5"
save = "model"
"#,
    );
    let said = folder.zoo(&[]);
    assert_eq!(said.code, Some(0), "{}", said.text());
    let single = |arguments: &[&str]| {
        let said = folder.run(&[arguments, &["-s", "schema.toml", "-q"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.text());
    };
    let half = ["--dtype", "float16", "--allow-overflow"];
    std::fs::create_dir(folder.path("single")).unwrap();
    single(
        &[
            &["runs/ant/best.safetensors", "-a", "archs/ant.json", "-o", "single/a.keras", "--keras", "3.10"],
            &half[..],
        ]
        .concat(),
    );
    single(&[
        "runs/bee/best.safetensors",
        "-a",
        "archs/bee.json",
        "-o",
        "single/best.safetensors.weights.json",
        "--max-shard-size",
        "2KB",
    ]);
    single(
        &[
            &["runs/cat/best.safetensors", "-a", "archs/cat.json", "-o", "single/c.h5", "--save", "model"],
            &half[..],
        ]
        .concat(),
    );
    for (one, other) in [
        ("out/best-ant.keras", "single/a.keras"),
        ("out/runs/bee/best.safetensors.weights.json", "single/best.safetensors.weights.json"),
        ("out/runs/bee/best.safetensors_00000.weights.h5", "single/best.safetensors_00000.weights.h5"),
        ("out/runs/cat.h5", "single/c.h5"),
    ] {
        assert!(folder.read(one) == folder.read(other), "{one} and {other}");
    }
    assert!(folder.zoo(&[]).stdout.contains("\ncurrent     3"));
}

/// A library user's way.
#[test]
fn in_the_library() {
    use ptw2k::zoo::{Event, Listener, Outcome, RunOptions, State, Zoo, run};

    struct Counting(std::sync::atomic::AtomicUsize);
    impl Listener for Counting {
        fn hear(&self, _event: &Event<'_>) {}
        fn ended(&self, _job: usize, outcome: Outcome) {
            assert!(matches!(outcome, Outcome::Written(_)), "{outcome:?}");
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let folder = Folder::new();
    let zoo = Zoo::open(&folder.path("zoo.toml")).unwrap();
    assert_eq!(zoo.jobs.len(), MODELS.len());
    let listener = Counting(Default::default());
    let options = RunOptions { threads: NonZeroUsize::new(3), ..RunOptions::default() };
    let summary = run(&zoo.jobs, &options, &listener);
    assert!(summary.is_success());
    assert!(summary.states.iter().all(|state| matches!(state, State::New)));
    assert_eq!(listener.0.into_inner(), MODELS.len());
    // By whatever path the manifest is named, the records are the same.
    assert!(folder.zoo(&[]).stdout.contains("current     6"));
}
