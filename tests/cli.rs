//! The command line as a user meets it: exit code, stdout and stderr of each call.

#[path = "support/run.rs"]
mod run;

use run::Folder;

/// The usage of every command reads on its own.
#[test]
fn help() {
    let folder = Folder::new();
    insta::assert_snapshot!("short-help", folder.run(&["-h"]));
    insta::assert_snapshot!("long-help", folder.run(&["--help"]));
    for command in ["inspect", "plan", "verify", "diff", "schemas", "completions"] {
        insta::assert_snapshot!(format!("help-{command}"), folder.run(&[command, "-h"]));
    }
}

#[test]
fn usage_errors() {
    let folder = Folder::new();
    insta::assert_snapshot!(folder.run(&["weights.pt"]), @"");
    insta::assert_snapshot!(folder.run(&["-q"]), @"");
    insta::assert_snapshot!(folder.run(&["weights.pt", "--schema", "s.toml", "--dtype", "int8"]), @"");
    insta::assert_snapshot!(folder.run(&["weights.pt", "--schema", "s.toml", "-o", "a.keras"]), @"");
    insta::assert_snapshot!(folder.run(&["weights.pt", "--schema", "s.toml", "-o", "a.weights.json"]), @"");
    insta::assert_snapshot!(folder.run(&["weights.pt", "--schema", "s.toml", "-o", "weights"]), @"");
    insta::assert_snapshot!(folder.run(&["..", "--schema", "s.toml"]), @"");
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
