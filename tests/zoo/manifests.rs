//! What is found before anything runs.

use crate::made::{Folder, Said, check, exists};

/// Checks what is said of a manifest that cannot run, and that nothing did.
#[track_caller]
fn refused(name: &str, manifest: &str) {
    let folder = Folder::new();
    folder.write("zoo.toml", manifest);
    said(name, &folder, &folder.zoo(&[]));
}

#[track_caller]
fn said(name: &str, folder: &Folder, said: &Said) {
    check(&format!("refused_{name}"), 9, said);
    assert!(!exists(&folder.path("keras")), "something ran");
}

const JOB: &str = "[[job]]\ncheckpoint = \"runs/ant/best.safetensors\"\n";

#[test]
fn texts() {
    refused("not_toml", "[[job]\ncheckpoint = 1\n");
    refused("empty", "");
    refused(
        "unknown_keys",
        "[default]\n[[job]]\ncheckpoints = \"a\"\nallow_missing = \"b\"\nschema = \"schema.toml\"\n",
    );
    refused(
        "types",
        "[defaults]\nschema = 7\nema = \"yes\"\nallow-missing = [1]\nmax-shard-size = true\n[[job]]\ncheckpoint = [\"a\"]\n",
    );
    refused(
        "values",
        "[[job]]\ncheckpoint = \"runs/ant/best.safetensors\"\nschema = \"schema.toml\"\narch = \"archs/ant.json\"\n\
         dtype = \"int8\"\nquantized = \"guess\"\nkeras = \"four\"\nsave = \"all\"\nmax-shard-size = \"2 bananas\"\n\
         allow-missing = \"[a\"\n",
    );
    refused("no_schema", JOB);
    refused("one_job", "job = 1\n");
}

#[test]
fn names() {
    let job = |rest: &str| format!("{JOB}schema = \"schema.toml\"\n{rest}");
    refused("placeholder", &job("arch = \"archs/{parnet}.json\"\n"));
    refused("capture", &job("arch = \"archs/{1}.json\"\n"));
    refused("open", &job("arch = \"archs/{parent.json\"\n"));
    refused("glob", "[[job]]\ncheckpoint = \"runs/[a/best.safetensors\"\nschema = \"schema.toml\"\n");
    refused("format", &job("arch = \"archs/ant.json\"\noutput = \"keras/{parent}.pt\"\n"));
    refused(
        "options",
        &format!(
            "[defaults]\nschema = \"schema.toml\"\narch = \"archs/ant.json\"\n\
             {JOB}output = \"keras/a.keras\"\nsave = \"weights\"\n\
             {JOB}output = \"keras/b.weights.h5\"\nsave = \"model\"\n\
             {JOB}max-shard-size = \"2KB\"\n"
        ),
    );
    let folder = Folder::new();
    folder.write("runs/a[1]/best.pt", "");
    folder.write("zoo.toml", "[[job]]\ncheckpoint = \"runs/a[1]/best.pt\"\nschema = \"schema.toml\"\n");
    said("literal", &folder, &folder.zoo(&[]));
    refused("no_match", "[[job]]\ncheckpoint = \"runs/*/last.pt\"\nschema = \"schema.toml\"\n");
}

#[test]
fn what_is_missing() {
    refused(
        "missing",
        "[defaults]\nschema = \"schema.toml\"\narch = \"archs/{parent}.jsno\"\n\
         [[job]]\ncheckpoint = \"runs/ant/best.safetensors\"\n\
         [[job]]\ncheckpoint = \"runs/ape/best.safetensors\"\narch = \"archs/ant.json\"\n\
         [[job]]\ncheckpoint = \"runs/bee/best.safetensors\"\narch = \"archs/bee.json\"\nschema = \"shema.toml\"\n\
         [[job]]\ncheckpoint = \"runs/bee/best.safetensors\"\narch = \"archs/bee.json\"\nschema = \"resnet\"\n",
    );
    refused("no_architecture", &format!("{JOB}schema = \"schema.toml\"\n"));
    // A mistake in the defaults is one in every job, and is not told forty times.
    let folder = Folder::new();
    for number in 0..40 {
        folder.write(&format!("many/{number:02}.pt"), "");
    }
    folder.write(
        "zoo.toml",
        "[[job]]\ncheckpoint = \"many/*.pt\"\nschema = \"schema.toml\"\narch = \"{stem}.json\"\n",
    );
    let found = folder.zoo(&[]);
    assert!(found.stderr.contains("… and 30 more of them"), "{}", found.text());
}

#[test]
fn a_manifest_that_cannot_be_read() {
    let folder = Folder::new();
    said("absent", &folder, &folder.run(&["zoo", "zo.toml"]));
    folder.write("zoo.toml", [0xff, 0xfe]);
    said("not_text", &folder, &folder.zoo(&[]));
    said("folder", &folder, &folder.run(&["zoo", "runs"]));
}

#[test]
fn jobs_that_do_not_go_together() {
    let two = |first: &str, second: &str| {
        format!(
            "[defaults]\nschema = \"schema.toml\"\narch = \"archs/{{parent}}.json\"\n\
             {JOB}{first}\n[[job]]\ncheckpoint = \"runs/bee/best.safetensors\"\n{second}\n"
        )
    };
    refused(
        "same_output",
        &two("output = \"keras/a.weights.h5\"", "output = \"keras/../keras/./a.weights.h5\""),
    );
    refused(
        "same_output_of_a_glob",
        "[[job]]\ncheckpoint = \"runs/[ab]*/best.safetensors\"\nschema = \"schema.toml\"\narch = \"archs/{parent}.json\"\n",
    );
    refused(
        "output_is_checkpoint",
        &two("output = \"runs/bee/best.safetensors\"", "output = \"keras/b.h5\""),
    );
    refused("output_is_its_own_architecture", &two("output = \"archs/ant.json\"", "output = \"keras/b.h5\""));
    refused("output_is_architecture_to_be", &two("output = \"keras/a.keras\"", "arch = \"keras/a.keras\""));
    refused("output_is_schema", &two("output = \"schema.toml\"", "output = \"keras/b.h5\""));
    refused("output_is_manifest", &two("output = \"zoo.toml\"", "output = \"keras/b.h5\""));
    refused(
        "output_is_shard",
        &two("output = \"keras/a.weights.json\"", "output = \"keras/../keras/a_00001.weights.h5\""),
    );
    refused(
        "same_output_of_the_defaults",
        &two("", "").replace("[defaults]", "[defaults]\noutput = \"keras/{stem}.h5\""),
    );
    let folder = Folder::new();
    folder.write("hub/model.safetensors", folder.read("runs/bee/best.safetensors"));
    folder.write("whole/config.json", "{}");
    folder.write(
        "zoo.toml",
        two(
            "output = \"hub/a.weights.h5\"",
            "output = \"whole/assets/b.h5\"\narch = \"whole\"\n\
             [[job]]\ncheckpoint = \"hub\"\noutput = \"hub/c.h5\"\narch = \"archs/bee.json\"",
        ),
    );
    said("output_in_folder", &folder, &folder.zoo(&[]));
}

/// Names that only look like those of shards are no shards, and a folder that is a checkpoint may hold its own output.
#[test]
fn jobs_that_go_together() {
    let folder = Folder::new();
    folder.write("hub/model.safetensors", folder.read("runs/bee/best.safetensors"));
    folder.write(
        "zoo.toml",
        format!(
            "[defaults]\nschema = \"schema.toml\"\narch = \"archs/ant.json\"\n\
             {JOB}output = \"keras/a.weights.json\"\n{JOB}output = \"keras/a_best.weights.h5\"\n\
             [[job]]\ncheckpoint = \"hub\"\noutput = \"hub/model.weights.h5\"\narch = \"archs/bee.json\"\n"
        ),
    );
    assert_eq!(folder.zoo(&["-q"]).code, Some(0));
    assert!(folder.zoo(&[]).stdout.contains("current     3"));
}

#[cfg(unix)]
#[test]
fn links_that_make_one_file_of_two() {
    let folder = Folder::new();
    let manifest = "[defaults]\nschema = \"schema.toml\"\narch = \"archs/{parent}.json\"\noutput = \"out/{parent}.h5\"\n\
                    [[job]]\ncheckpoint = \"runs/ant/best.safetensors\"\n\
                    [[job]]\ncheckpoint = \"runs/bee/best.safetensors\"\n";
    folder.write("zoo.toml", manifest);
    folder.write("out/ant.h5", "old");
    std::fs::hard_link(folder.path("out/ant.h5"), folder.path("out/bee.h5")).unwrap();
    said("hard_link", &folder, &folder.zoo(&[]));
    std::fs::remove_file(folder.path("out/bee.h5")).unwrap();
    std::os::unix::fs::symlink("ant.h5", folder.path("out/bee.h5")).unwrap();
    said("symbolic_link", &folder, &folder.zoo(&[]));
    std::fs::remove_file(folder.path("out/bee.h5")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path("runs/bee/best.pt")).unwrap();
    folder.write("zoo.toml", manifest.replace("runs/bee/best.safetensors", "runs/bee/best.pt"));
    said("broken_link", &folder, &folder.zoo(&[]));
    folder.write("zoo.toml", manifest.replace("runs/ant/best.safetensors", "runs/*/best.pt"));
    said("broken_link_of_a_glob", &folder, &folder.zoo(&[]));
}

/// Shards are called after the index, wherever a link to their folder is.
#[cfg(unix)]
#[test]
fn links_to_a_folder_of_shards() {
    let folder = Folder::new();
    folder.write("keras/old.h5", "");
    std::os::unix::fs::symlink("keras", folder.path("linked")).unwrap();
    folder.write(
        "zoo.toml",
        format!(
            "[defaults]\nschema = \"schema.toml\"\narch = \"archs/ant.json\"\n\
             {JOB}output = \"keras/a.weights.json\"\n{JOB}output = \"linked/a_00000.weights.h5\"\n\
             {JOB}output = \"keras/b.weights.json\"\n{JOB}arch = \"linked/b_00000.weights.h5\"\n\
             {JOB}output = \"linked/c_00003.weights.h5\"\n{JOB}output = \"d.h5\"\narch = \"keras/c.weights.json\"\n"
        ),
    );
    folder.write("keras/c.weights.json", "{}");
    check("refused_linked_shards", 9, &folder.zoo(&[]));
    for report in ["linked/a_00000.weights.h5", "keras/../linked/a.weights.json"] {
        folder.write(
            "zoo.toml",
            format!(
                "[[job]]\nschema = \"schema.toml\"\narch = \"archs/ant.json\"\noutput = \"keras/a.weights.json\"\n{}",
                JOB.replace("[[job]]", "")
            ),
        );
        assert_eq!(folder.zoo(&["--report", report]).code, Some(2), "{report}");
    }
}

#[test]
fn reports_that_would_replace_something() {
    let folder = Folder::new();
    for (code, report) in [
        (2, "keras/ant.weights.h5"),
        (7, "zoo.toml"),
        (7, "schema.toml"),
        (7, "runs/elk/best.safetensors"),
        (7, "none/report.json"),
        (7, "runs"),
    ] {
        let said = folder.zoo(&["--report", report]);
        assert_eq!(said.code, Some(code), "{report}: {}", said.text());
        assert!(!exists(&folder.path("keras")), "something ran");
    }
}

/// What only the reading of a job tells may be any file: a report replaces nothing but a report.
#[test]
fn reports_and_depfiles_replace_their_own_alone() {
    let folder = Folder::new();
    folder.write("base.toml", folder.read("schema.toml"));
    folder.write("schema.toml", "schema = 1\nextends = 'base.toml'\n");
    folder.write("notes.txt", "mine\n");
    std::fs::create_dir_all(folder.path("archs/whole/assets")).unwrap();
    let before = folder.files("");
    for (option, name) in ["--report", "--depfile"]
        .iter()
        .flat_map(|option| ["base.toml", "notes.txt", "archs/ant.json"].map(|name| (*option, name)))
    {
        let said = folder.zoo(&[option, name]);
        assert!(matches!(said.code, Some(2 | 7)), "{option} {name}: {}", said.text());
        assert!(folder.files("") == before, "{option} {name}");
    }
    check("report_is_foreign", 2, &folder.zoo(&["--report", "notes.txt"]));
    folder.write("empty", "");
    for _ in 0..2 {
        assert_eq!(folder.zoo(&["--report", "r.json", "--depfile", "zoo.d"]).code, Some(0));
        assert_eq!(folder.zoo(&["--report", "empty"]).code, Some(0));
    }
    check("depfile_is_foreign", 2, &folder.zoo(&["--depfile", "r.json"]));
    assert_eq!(folder.zoo(&["--report", "zoo.d"]).code, Some(2));

    let job = JOB.replace("[[job]]", "");
    folder.write(
        "zoo.toml",
        format!("[[job]]\nschema = \"schema.toml\"\narch = \"archs/whole\"\noutput = \"k/a.h5\"\n{job}"),
    );
    check("report_in_input", 2, &folder.zoo(&["--report", "archs/whole/assets/r.json"]));
}

/// A budget that is too small is told once, with one that is enough.
#[test]
fn memory_that_is_too_little() {
    let warnings = |memory: &str| -> Vec<String> {
        let folder = Folder::new();
        let said = folder.zoo(&["--json", "--memory", memory]);
        assert_eq!(said.code, Some(0), "{}", said.text());
        let events = said.events().into_iter().filter(|event| event["event"] == "warning");
        events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
    };
    insta::assert_debug_snapshot!(warnings("1MB"), @r#"
    [
        "runs alone, as does any other that needs too much memory: all may take 1MB, and --memory 10.1MB would be enough for it",
    ]
    "#);
    assert!(warnings("10.1MB").is_empty());
}

#[test]
fn arguments() {
    let folder = Folder::new();
    for arguments in [
        &["zoo"][..],
        &["zoo", "zoo.toml", "--shard", "0/4"],
        &["zoo", "zoo.toml", "--shard", "4"],
        &["zoo", "zoo.toml", "--memory", "lots"],
        &["zoo", "zoo.toml", "-n", "--force"],
        &["zoo", "zoo.toml", "-t", "0"],
    ] {
        assert_eq!(folder.run(arguments).code, Some(2), "{arguments:?}");
    }
    check("help", 0, &folder.run(&["zoo", "--help"]));
}
