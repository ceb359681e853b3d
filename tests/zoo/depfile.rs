//! `--depfile`: what the outputs of a zoo were made from.

use crate::made::{Folder, check};

/// A build system runs the zoo where something has changed that was read, by whatever run.
#[test]
fn a_rule_for_each_output() {
    let folder = Folder::new();
    folder.write("base.toml", folder.read("schema.toml"));
    folder.write("schema.toml", "schema = 1\nextends = 'base.toml'\n");
    std::fs::rename(folder.path("zoo.toml"), folder.path("archs/zoo.toml")).unwrap();
    let manifest = "[[job]]\ncheckpoint = '../runs/[af]*/best.safetensors'\narch = '{parent}.json'\n\
                    schema = '../schema.toml'\noutput = '../keras/{parent}.weights.json'\n";
    folder.write("archs/zoo.toml", manifest);
    let run = |options: &[&str]| {
        folder.run(&[&["zoo", "archs/zoo.toml", "-t", "1", "-q", "--depfile", "zoo.d"], options].concat())
    };
    let text = || String::from_utf8(folder.read("zoo.d")).unwrap();
    assert_eq!(run(&[]).text(), "exit 0\n----- stdout -----\n----- stderr -----\n");
    let rules = text();
    insta::assert_snapshot!("depfile", rules);
    // Those that are current have them too.
    assert_eq!(run(&["--report", "report.json"]).code, Some(0));
    let report = text();
    assert!(!report.contains("keras/"), "{report}");
    insta::assert_snapshot!("depfile_report", report);

    let base = folder.read("base.toml");
    check("depfile_is_report", 2, &run(&["--report", "./zoo.d"]));
    check("depfile_dry_run", 2, &run(&["-n"]));
    folder.write("archs/zoo.toml", manifest.replace("parent}.weights", "parent}*.weights"));
    check("depfile_name", 2, &run(&[]));
    folder.write("archs/zoo.toml", manifest);
    // What a schema is made of is known in the end.
    let over = folder.run(&["zoo", "archs/zoo.toml", "-q", "--depfile", "base.toml"]);
    check("depfile_is_input", 2, &over);
    assert!(folder.read("base.toml") == base);
    assert_eq!(text(), report);
}
