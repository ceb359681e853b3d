//! The command line as a user meets it: exit code, stdout and stderr of each call.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod computed;
mod damage;
mod depfile;
mod forms;
mod github;
mod good_input;
mod inspect;
mod interrupt;
mod outputs;
mod run;
mod several_files;
mod stable;
mod values;

use ptw2k::schema::Schema;
use run::{Folder, check};

/// The help of every command reads on its own.
#[test]
fn help() {
    let folder = Folder::new();
    check("short_help", 0, &folder.run(&["-h"]));
    check("long_help", 0, &folder.run(&["--help"]));
    for command in ["inspect", "plan", "verify", "diff", "schemas", "completions"] {
        check(&format!("help_{command}"), 0, &folder.run(&[command, "-h"]));
    }
}

#[test]
fn usage_errors() {
    let folder = Folder::new();
    let usage = |name: &str, arguments: &[&str]| check(&format!("usage_{name}"), 2, &folder.run(arguments));
    usage("nothing", &[]);
    usage("no_schema", &["weights.pt"]);
    usage("no_such_command", &["inspct", "weights.pt"]);
    usage("options_of_conversion", &["--dry-run", "inspect", "weights.pt"]);
    usage("reading_options_of_conversion", &["--ema", "inspect", "weights.pt"]);
    usage("quantized", &["inspect", "weights.pt", "--quantized", "guess"]);
    usage("dry_run_with_report", &["w.pt", "-s", "s.toml", "--dry-run", "--report", "r.json"]);
    usage("threads", &["w.pt", "-s", "s.toml", "--threads", "0"]);
    usage("options_alone", &["-q"]);
    usage("dtype", &["weights.pt", "--schema", "s.toml", "--dtype", "int8"]);
    usage("no_format", &["weights.pt", "--schema", "s.toml", "-o", "weights"]);
    usage("no_stem", &["..", "--schema", "s.toml"]);
    usage("glob", &["plan", "weights.pt", "--schema", "s.toml", "--allow-missing", "[a"]);
    usage("quiet_and_verbose", &["schemas", "-q", "-v"]);
}

/// What the README shows is what is said today.
#[test]
fn the_readme_is_true() {
    let readme = include_str!("../../README.md");
    let folder = Folder::with_case("mnist");
    let said = folder.run(&["plan", "weights.pt", "--schema", "schema.toml"]);
    let table = said.strip_prefix("exit 0\n----- stdout -----\n").unwrap();
    assert!(
        readme.contains(&format!("$ ptw2k plan weights.pt --schema schema.toml\n{table}```\n")),
        "{table}"
    );

    let to = ["--arch", "arch.json", "-o", "mnist.weights.h5"];
    let said = folder.run(&[&["weights.pt", "--schema", "schema.toml"], &to[..]].concat());
    let line = said.strip_prefix("exit 0\n----- stdout -----\n").unwrap();
    assert!(folder.filter(readme).contains(&format!("```text\n{line}```\n")), "{line}");

    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let (manifests, blocks): (Vec<&str>, Vec<&str>) =
        blocks.into_iter().partition(|block| block.contains("[[job]]"));
    assert_eq!((manifests.len(), blocks.len()), (1, 3));
    let rules = blocks[0].find("[[layer]]").map(|at| &blocks[0][at..]).unwrap();
    assert!(include_str!("../../testdata/mnist/schema.toml").ends_with(rules));
    for block in blocks {
        Schema::parse("README.md", block, None).unwrap();
    }
}

/// Whoever reads may go before the end.
#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = Folder::new();
    let script = "(\"$0\" completions bash; echo $? >code) | true; cat code";
    assert_eq!(folder.shell(script), "0\n");
}

#[test]
fn completions() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = folder.run(&["completions", shell]);
        assert!(output.starts_with("exit 0\n"), "{output}");
        assert!(output.contains("allow-missing"), "{shell} does not complete options:\n{output}");
    }
}
