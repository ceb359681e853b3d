//! What makes a job stale, and what does not.

use std::time::{Duration, SystemTime};

use crate::made::{Folder, architecture, checkpoint};

/// Does a change to a finished zoo, and checks the reasons for which jobs are done again, job by job.
#[track_caller]
fn check(change: impl FnOnce(&Folder), options: &[&str], expected: &[(&str, &str)]) {
    let folder = Folder::new();
    folder.write("base.toml", folder.read("schema.toml"));
    folder.write("schema.toml", "schema = 1\nextends = \"base.toml\"\n");
    wait_for_the_clock();
    assert_eq!(folder.zoo(&["-q"]).code, Some(0));
    change(&folder);
    wait_for_the_clock();
    let said = folder.zoo(&[&["--json"], options].concat());
    assert_eq!(said.code, Some(0), "{}", said.text());
    let ended = said.events().into_iter().filter(|event| event["event"] == "ended");
    let mut done: Vec<(String, String)> = ended
        .filter(|event| event["outcome"] != "current")
        .map(|event| {
            let output = event["output"].as_str().unwrap();
            let name = output.strip_prefix("keras/").and_then(|name| name.strip_suffix(".weights.h5"));
            let reasons: Vec<&str> =
                event["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect();
            (
                name.unwrap_or(output).to_owned(),
                format!("{}: {}", event["state"].as_str().unwrap(), reasons.join("; ")),
            )
        })
        .collect();
    done.sort();
    let expected: Vec<(String, String)> =
        expected.iter().map(|(job, reason)| ((*job).to_owned(), (*reason).to_owned())).collect();
    assert_eq!(done, expected);
    // What was done is done.
    let again = folder.zoo(&[]);
    assert!(!again.stdout.contains("written"), "{}", again.text());
    folder.check_no_debris();
}

/// What changed within a tick of the file system's clock before it is read may change again unseen, so it is done again
/// in the next run.
fn wait_for_the_clock() {
    let until = SystemTime::now() + Duration::from_millis(20);
    while SystemTime::now() < until {
        std::thread::yield_now();
    }
}

/// All six, for one reason.
fn all(reason: &str) -> Vec<(&'static str, &str)> {
    ["ant", "bee", "cat", "dog", "elk", "fox"].into_iter().map(|job| (job, reason)).collect()
}

#[test]
fn nothing_changed() {
    check(|_| {}, &[], &[]);
}

#[test]
fn times_are_no_content() {
    check(
        |folder| {
            for name in ["runs/ant/best.safetensors", "schema.toml", "archs/bee.json"] {
                let file = std::fs::File::options().write(true).open(folder.path(name)).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
            }
        },
        &[],
        &[],
    );
}

#[test]
fn a_file_with_other_content_of_the_same_length_and_time() {
    check(
        |folder| {
            let path = folder.path("runs/cat/best.safetensors");
            let modified = path.metadata().unwrap().modified().unwrap();
            folder.write("runs/cat/best.safetensors", checkpoint(300, 11, 2.5));
            std::fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
        },
        &[],
        &[("cat", "stale: runs/cat/best.safetensors changed")],
    );
}

#[test]
fn a_schema_and_one_that_it_is_made_of() {
    let change = |name: &'static str| {
        move |folder: &Folder| {
            let text = String::from_utf8(folder.read(name)).unwrap();
            folder.write(name, format!("# A remark.\n{text}"));
        }
    };
    check(change("schema.toml"), &[], &all("stale: schema.toml changed"));
    check(change("base.toml"), &[], &all("stale: base.toml changed"));
}

#[test]
fn an_architecture() {
    check(
        |folder| folder.write("archs/dog.json", format!("{} ", architecture(33, 500))),
        &[],
        &[("dog", "stale: archs/dog.json changed")],
    );
}

#[test]
fn a_manifest() {
    let manifest = |from: &'static str, to: &'static str| {
        move |folder: &Folder| {
            let text = String::from_utf8(folder.read("zoo.toml")).unwrap();
            assert!(text.contains(from));
            folder.write("zoo.toml", text.replace(from, to));
        }
    };
    check(
        manifest("[defaults]\n", "[defaults]\ndtype = \"bfloat16\"\nallow-missing = \"x\"\n"),
        &[],
        &all("stale: dtype, allow-missing changed"),
    );
    // What is said and is so anyway is no change.
    check(
        manifest("[defaults]\n", "# A remark.\n[defaults]\nema = false\nquantized = \"dequantize\"\n"),
        &[],
        &[],
    );
    check(
        manifest("schema = \"schema.toml\"", "schema = \"base.toml\""),
        &[],
        &all("stale: the schema is another"),
    );
}

#[test]
fn another_architecture_of_the_same_content() {
    check(
        |folder| {
            folder.write("archs/2/ant.json", architecture(2, 3));
            folder.write("archs/2/bee.json", architecture(40, 7));
            let text = String::from_utf8(folder.read("zoo.toml")).unwrap();
            let more = "\n[[job]]\ncheckpoint = \"runs/bee/best.safetensors\"\narch = \"archs/2/bee.json\"\n";
            folder.write(
                "zoo.toml",
                text.replace("runs/*/best", "runs/[!b]*/best").replace("{1}", "{parent}") + more,
            );
        },
        &[],
        &[("bee", "stale: the architecture is another")],
    );
}

#[test]
fn an_output() {
    let remove = |folder: &Folder| std::fs::remove_file(folder.path("keras/elk.weights.h5")).unwrap();
    check(remove, &[], &[("elk", "stale: keras/elk.weights.h5 is missing")]);
    let change = |folder: &Folder| {
        let mut bytes = folder.read("keras/elk.weights.h5");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        folder.write("keras/elk.weights.h5", bytes);
    };
    check(change, &[], &[("elk", "stale: keras/elk.weights.h5 was changed")]);
}

#[test]
fn a_record() {
    let record = "keras/.ptw2k/fox.weights.h5.json";
    let remove = |folder: &Folder| std::fs::remove_file(folder.path(record)).unwrap();
    check(remove, &[], &[("fox", "stale: the output has no record")]);
    let both = |folder: &Folder| {
        remove(folder);
        std::fs::remove_file(folder.path("keras/fox.weights.h5")).unwrap();
    };
    check(both, &[], &[("fox", "new: ")]);
    let cut = |folder: &Folder| {
        let bytes = folder.read(record);
        folder.write(record, &bytes[..bytes.len() / 2]);
    };
    check(cut, &[], &[("fox", "stale: the record cannot be read")]);
    let replace = |from: &'static str, to: &'static str| {
        move |folder: &Folder| {
            let text = String::from_utf8(folder.read(record)).unwrap();
            assert!(text.contains(from), "{text}");
            folder.write(record, text.replace(from, to));
        }
    };
    check(replace("{\"record\":1,", "{\"record\":2,"), &[], &[("fox", "stale: the record cannot be read")]);
    let version = concat!("\"ptw2k\":\"", env!("CARGO_PKG_VERSION"), "\"");
    check(replace(version, "\"ptw2k\":\"0.0.9\""), &[], &[("fox", "stale: done by version 0.0.9")]);
}

#[test]
fn a_file_that_would_have_been_read() {
    check(
        |folder| folder.write("runs/dog/adapter_config.json", "{}"),
        &[],
        &[("dog", "stale: runs/dog/adapter_config.json is new")],
    );
}

#[test]
fn forced() {
    check(|_| {}, &["--force"], &all("stale: forced"));
}

/// A checkpoint of several files is as new as the newest, and so is a folder of them.
#[test]
fn a_checkpoint_of_several_files() {
    let folder = Folder::new();
    let parts = |first: f32| {
        let values = |count: usize| -> Vec<u8> {
            (0..count).flat_map(|at| (first + at as f32).to_le_bytes()).collect()
        };
        (
            crate::made::tensors(&[("fc.weight", &[2, 3], values(6))]),
            crate::made::tensors(&[("fc.bias", &[2], values(2))]),
        )
    };
    let (weight, bias) = parts(1.0);
    folder.write("hub/model-1-of-2.safetensors", weight);
    folder.write("hub/model-2-of-2.safetensors", bias);
    let index = r#"{"metadata": {}, "weight_map": {"fc.weight": "model-1-of-2.safetensors", "fc.bias": "model-2-of-2.safetensors"}}"#;
    folder.write("hub/model.safetensors.index.json", index);
    folder.write(
        "zoo.toml",
        "[defaults]\nschema = \"schema.toml\"\narch = \"archs/ant.json\"\n\
         [[job]]\ncheckpoint = \"hub\"\noutput = \"keras/folder.weights.h5\"\n\
         [[job]]\ncheckpoint = \"hub/*.index.json\"\noutput = \"keras/index.weights.h5\"\n",
    );
    let outcomes = |expected: &str| {
        let said = folder.zoo(&["-n"]);
        let states: Vec<&str> =
            said.stdout.lines().skip(1).take(2).map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(states.join(" "), expected, "{}", said.text());
        assert_eq!(folder.zoo(&["-q"]).code, Some(0));
    };
    outcomes("new new");
    outcomes("current current");
    folder.write("hub/model-2-of-2.safetensors", parts(2.0).1);
    outcomes("stale stale");
    assert!(folder.read("keras/folder.weights.h5") == folder.read("keras/index.weights.h5"));
    // A name that is new may make another checkpoint of the folder, also one that is hidden; not one in a folder in it.
    for name in ["hub/notes.txt", "hub/.notes"] {
        folder.write(name, "");
        outcomes("stale current");
    }
    folder.write("hub/more/notes.txt", "");
    outcomes("current current");
}
