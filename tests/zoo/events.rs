//! `--json`, and what is said elsewhere.

use serde_json::{Value as Json, json};

use crate::made::{Folder, MODELS};

#[test]
fn an_object_for_each_event() {
    let folder = Folder::new();
    folder.write("runs/fox/best.safetensors", "");
    let said = folder.zoo(&["--json", "--memory", "64MB"]);
    assert_eq!(said.code, Some(10), "{}", said.text());
    let mut events = said.events();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let job = ["started", "writing", "ended"];
    let expected: Vec<&str> = ["checked"]
        .into_iter()
        .chain(job.repeat(MODELS.len() - 1))
        .chain(["started", "ended", "summary"])
        .collect();
    assert_eq!(names, expected);
    for event in &mut events {
        let object = event.as_object_mut().unwrap();
        object.entry("seconds").and_modify(|seconds| {
            assert!(seconds.is_f64());
            *seconds = json!("[SECONDS]");
        });
    }
    // The first, those of the last two jobs, and the last.
    let some: Vec<Json> = [&events[..1], &events[events.len() - 6..]].concat();
    insta::assert_json_snapshot!("events", some);
    assert_eq!(
        said.stderr,
        "error: keras/fox.weights.h5: cannot read the checkpoint runs/fox/best.safetensors\n"
    );
}

/// Whoever reads may go before the end: the work is done all the same.
#[cfg(unix)]
#[test]
fn a_closed_pipe_stops_nothing() {
    let folder = Folder::new();
    let script = "(\"$0\" zoo zoo.toml --json; echo $? >code) | true; cat code";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ptw2k")])
        .current_dir(folder.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n");
    assert!(folder.outputs() == folder.alone());
}

#[test]
fn quiet() {
    let folder = Folder::new();
    folder.write("runs/fox/best.safetensors", "");
    let said = folder.zoo(&["-q"]);
    assert_eq!(said.stdout, "");
    insta::assert_snapshot!("quiet", said.stderr);
}

#[test]
fn annotations_of_github() {
    let folder = Folder::new();
    folder.write("runs/fox/best.safetensors", "");
    let said = folder.zoo(&["--format", "github"]);
    insta::assert_snapshot!("github", said.stderr);
}
