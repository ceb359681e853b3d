//! The scripts in `examples/zoo`, with the variables that each scheduler sets.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::made::Folder;

/// How many processes share the zoo.
const SHARES: u32 = 3;

/// Runs a script once for each share, all at the same time; one is killed and started again. What they make together
/// is what one process makes.
#[track_caller]
fn check(script: &str, variables: impl Fn(u32) -> Vec<(&'static str, String)>, starts: u32) {
    let whole = Folder::new();
    assert_eq!(whole.zoo(&["-q"]).code, Some(0));
    let folder = Folder::new();
    let script = format!("{}/examples/zoo/{script}", env!("CARGO_MANIFEST_DIR"));
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_ptw2k")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let start = |index: u32| {
        let mut command = Command::new("sh");
        command.arg(&script).current_dir(folder.path("")).env("PATH", &path);
        command.envs(variables(index)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut children: Vec<_> = (0..starts).map(start).collect();
    // The scheduler starts it again.
    children[0].kill().unwrap();
    children[0].wait().unwrap();
    children[0] = start(0);
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", folder.said(&output).text());
    }
    assert!(folder.outputs() == whole.outputs());
    folder.check_no_debris();
    assert!(folder.zoo(&[]).stdout.contains("current     6"));
}

#[test]
fn slurm_array() {
    let variables = |index: u32| {
        vec![
            ("SLURM_ARRAY_TASK_ID", (index + 1).to_string()),
            ("SLURM_ARRAY_TASK_COUNT", SHARES.to_string()),
            ("SLURM_CPUS_PER_TASK", "2".to_owned()),
        ]
    };
    check("slurm.sh", variables, SHARES);
}

/// The container's command stands in the manifest of the Job.
#[test]
fn indexed_kubernetes_job() {
    let variables =
        |index: u32| vec![("JOB_COMPLETION_INDEX", index.to_string()), ("COMPLETIONS", SHARES.to_string())];
    check("kubernetes.sh", variables, SHARES);
    let job = include_str!("../../examples/zoo/kubernetes.yaml");
    let script = include_str!("../../examples/zoo/kubernetes.sh");
    let command = script.lines().last().unwrap();
    assert!(job.contains(command), "the Job runs something else than the script: {command}");
}

/// A loop stands in for `parallel`: what it makes of the command line is the same.
#[test]
fn gnu_parallel() {
    let script = include_str!("../../examples/zoo/parallel.sh");
    assert!(script.contains("parallel "), "{script}");
    let folder = Folder::new();
    let stand_in = "#!/bin/sh\n\
        # parallel OPTIONS COMMAND ::: ARGUMENTS, one after the other.\n\
        while [ \"${1#-}\" != \"$1\" ]; do case $1 in --jobs|--retries) shift 2;; *) shift;; esac; done\n\
        template=$1; shift 2\n\
        for argument; do sh -c \"$(echo \"$template\" | sed \"s/{}/$argument/g\")\" || exit 1; done\n";
    folder.write("bin/parallel", stand_in);
    Command::new("chmod").arg("+x").arg(folder.path("bin/parallel")).status().unwrap();
    let stand_in = folder.path("bin");
    let variables = |_| {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_ptw2k")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        vec![
            ("PATH", format!("{}:{}:{path}", stand_in.display(), binary.display())),
            ("SHARES", SHARES.to_string()),
        ]
    };
    check("parallel.sh", variables, 1);
}

/// The document's rules run the zoo where something has changed that was read, and not else.
#[test]
fn make_runs_the_zoo() {
    if !Command::new("make")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.stdout.starts_with(b"GNU Make"))
    {
        eprintln!("SKIPPED: there is no GNU make");
        return;
    }
    let folder = Folder::new();
    let document = include_str!("../../docs/zoo.md");
    let rules = document.split("```make\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    folder.write("Makefile", rules);
    let touch = |name: &str, time: SystemTime| {
        std::fs::File::options().append(true).open(folder.path(name)).unwrap().set_modified(time).unwrap();
    };
    let inputs = ["zoo.toml", "schema.toml", "archs/ant.json", "runs/fox/best.safetensors"];
    for name in folder.files("").keys() {
        touch(name, SystemTime::now() - Duration::from_secs(1000));
    }
    let runs = |is_done: bool| {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_ptw2k")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut make = Command::new("make");
        let output =
            make.current_dir(folder.path("")).env("PATH", path).env("MAKEFLAGS", "").output().unwrap();
        let said = folder.said(&output);
        assert_eq!(output.status.success(), is_done, "{}", said.text());
        said.stdout.contains("ptw2k zoo")
    };
    assert!(runs(true));
    for name in inputs {
        assert!(!runs(true));
        touch(name, SystemTime::now());
        assert!(runs(true), "{name}");
    }
    // One that failed is tried again.
    let whole = folder.read(inputs[3]);
    folder.write(inputs[3], "");
    assert!(runs(false));
    assert!(runs(false));
    folder.write(inputs[3], whole);
    assert!(runs(true));
    assert!(!runs(true));
}
