//! `--json`, and what is said elsewhere.

use serde_json::{Value as Json, json};

use crate::made::{Folder, MODELS, architecture, checkpoint};

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

/// On a terminal there is a line for the whole, which goes in the end, and no line for each job that was quick.
#[cfg(unix)]
#[test]
fn on_a_terminal() {
    let command = |folder: &Folder, options: &str| {
        let run = format!("stty cols 80 && '{}' zoo zoo.toml -t 1 {options}", env!("CARGO_BIN_EXE_ptw2k"));
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &run, "/dev/null"]).current_dir(folder.path("")).env("TERM", "xterm");
        script.output()
    };
    let folder = Folder::new();
    let Ok(output) = command(&folder, "") else {
        eprintln!("SKIPPED: there is no `script` that makes a terminal");
        return;
    };
    let said = folder.said(&output);
    assert_eq!(said.code, Some(0), "{}", said.text());
    // As the terminal is told: a line, and that it goes.
    assert!(said.stdout.contains("0/6 ") && said.stdout.contains("/1.71 MiB"), "{}", said.text());
    assert!(!said.stdout.contains("keras/ant"), "{}", said.text());
    let quiet = folder.said(&command(&folder, "--quiet --force").unwrap());
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(0), ""));
}

#[test]
fn quiet() {
    let folder = Folder::new();
    folder.write("runs/fox/best.safetensors", "");
    let said = folder.zoo(&["-q"]);
    assert_eq!(said.stdout, "");
    insta::assert_snapshot!("quiet", said.stderr);
}

/// The annotations among lines.
fn annotations(text: &str) -> String {
    text.lines().filter(|line| line.starts_with("::")).map(|line| format!("{line}\n")).collect()
}

/// One for what jobs have in common, and the log has the whole of each.
#[test]
fn annotations_of_github() {
    let folder = Folder::new();
    folder.write("runs/fox/best.safetensors", "");
    // One rule is to blame in all of these, whose shapes differ.
    for (name, inputs) in [("gnu", 8), ("hen", 8), ("ibex", 7), ("jay", 6), ("kea", 5)] {
        folder.write(&format!("archs/{name}.json"), architecture(4, 9));
        folder.write(&format!("runs/{name}/best.safetensors"), checkpoint(4, inputs, 1.0));
    }
    let said = folder.zoo(&["--format", "github"]);
    assert_eq!(said.code, Some(10), "{}", said.text());
    insta::assert_snapshot!("github", said.stderr);
    // Beside events, the same.
    let beside = folder.zoo(&["--format", "github", "--json"]);
    assert_eq!(annotations(&beside.stderr), annotations(&said.stderr));
    assert_eq!(annotations(&beside.stdout), "");
    assert_eq!(beside.events().last().unwrap()["jobs"]["failed"], 6);
}

/// Faults of a manifest are marked at their lines, and those of many jobs at one line are one. No other system has such
/// names.
#[cfg(unix)]
#[test]
fn annotations_of_a_manifest() {
    let folder = Folder::new();
    let manifest = "[defaults]\nschema = \"schema.toml\"\narch = \"no/{parent}.json\"\ndtpye = \"float16\"\n\
                    [[job]]\ncheckpoint = \"runs/*/best.safetensors\"\noutput = \"{parent}.h5\"\n\
                    [[job]]\ncheckpoint = \"a\\nb.pt\"\narch = \"archs/ant.json\"\n";
    let name = "50%, a\n::error::b.toml";
    folder.write(name, manifest);
    let said = folder.run(&["zoo", name, "--format", "github"]);
    assert_eq!(said.code, Some(9), "{}", said.text());
    insta::assert_snapshot!("github_manifest", said.stderr);
}
