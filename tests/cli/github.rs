//! `--format github`: annotations.

use crate::run::{Folder, check};

fn github(name: &str, code: u8, folder: &Folder, arguments: &[&str]) -> String {
    let said = folder.run(&[arguments, &["--format", "github"]].concat());
    check(&format!("github_{name}"), code, &said);
    said
}

/// Each rule that is to blame has its annotation, at what of it is to blame.
#[test]
fn faults_of_a_plan() {
    let folder = Folder::with_case("mnist");
    let schema = "schema = 1\n[target]\narchitecture = 'arch.json'\n\
                  [[layer]]\ntorch = 'conv9'\nkeras = 'conv1'\n\
                  [[layer]]\ntorch = 'fc{i}'\nkeras = 'fc{i+1}'\n\
                  [[tensor]]\ntorch = 'conv2.bias'\nkeras = 'conv2/bias'\n\
                  [[tensor]]\ntorch = 'conv1.bias'\nkeras = 'conv2/bias'\noptional = true\n";
    folder.write("a,b.toml", schema);
    let said = github("faults", 6, &folder, &["weights.pt", "--schema", "a,b.toml"]);
    let annotations: Vec<&str> = said.lines().filter(|line| line.starts_with("::")).collect();
    assert!(annotations.iter().all(|line| line.starts_with("::error ") && line.contains("title=ptw2k%3A ")));
    for (line, key) in [(5, "torch = 'conv9'"), (9, "keras = 'fc{i+1}'")] {
        assert_eq!(schema.lines().nth(line - 1), Some(key));
        let place = format!("file=a%2Cb.toml,line={line},col=9,");
        assert_eq!(annotations.iter().filter(|line| line.contains(&place)).count(), 1, "{place} {said}");
    }
}

/// The file that is to blame may be another than the one that was named; a bundled one is none of the repository's.
#[test]
fn schemas() {
    let folder = Folder::with_case("mnist");
    folder.write("base.toml", "schema = 1\n[[layer]]\ntorch = 'conv{'\nkeras = 'x'\nlayuot = 'a'\n");
    folder.write("own.toml", "schema = 1\nextends = 'base.toml'\n");
    github("schema", 5, &folder, &["weights.pt", "--schema", "own.toml"]);
    github("no_schema", 5, &folder, &["weights.pt", "--schema", "no.toml"]);
    let bundled = ["weights.pt", "--schema", "torchvision/vgg16", "--arch", "arch.json"];
    github("bundled", 6, &folder, &bundled);
}

/// What is wrong elsewhere, what is only worth a warning, and what goes to stdout.
#[test]
fn others() {
    let folder = Folder::with_case("mnist");
    folder.write("bad.pt", "<html>");
    github("checkpoint", 3, &folder, &["bad.pt", "--schema", "schema.toml"]);
    github("architecture", 4, &folder, &["weights.pt", "--schema", "schema.toml", "--arch", "bad.pt"]);
    let one = ["inspect", "weights.pt", "--key", "a", "-q"];
    github("candidates", 3, &folder, &one);
    let noted = Folder::with_case("conv_block");
    github("notes", 0, &noted, &["weights.pt", "--schema", "schema.toml"]);
    let index = serde_json::json!({ "weight_map": { "conv1.weight": "weights.pt" } });
    folder.write("model.bin.index.json", index.to_string());
    github("warnings", 0, &folder, &["model.bin.index.json", "--schema", "schema.toml", "-o", "out.h5"]);
    let quiet = ["model.bin.index.json", "--schema", "schema.toml", "-o", "out.h5", "--quiet"];
    github("quiet", 0, &folder, &quiet);
}

/// Other values are an error of the run.
#[test]
fn differences() {
    let folder = Folder::with_case("mnist");
    for (output, options) in [("a.weights.h5", &[][..]), ("b.weights.h5", &["--dtype", "float16"])] {
        let said = folder.run(&[&["weights.pt", "-s", "schema.toml", "-q", "-o", output], options].concat());
        assert_eq!(said, "exit 0\n");
    }
    let verify = ["verify", "weights.pt", "b.weights.h5", "-s", "schema.toml"];
    github("verify_equal", 0, &folder, &["verify", "weights.pt", "a.weights.h5", "-s", "schema.toml"]);
    for (command, expected) in [
        (&verify[..], "b.weights.h5: 8 of 8 variables differ"),
        (&["diff", "a.weights.h5", "b.weights.h5"], "a.weights.h5 and b.weights.h5: 8 variables differ"),
    ] {
        let said = folder.run(&[command, &["--format", "github"]].concat());
        assert!(said.starts_with("exit 8\n"), "{said}");
        assert!(said.ends_with(&format!("\n::error title=ptw2k%3A difference::{expected}\n")), "{said}");
    }
}

/// Results for machines stay what they are, the faults among them.
#[test]
fn beside_json() {
    let folder = Folder::with_case("mnist");
    folder.write("none.toml", "schema = 1\n[source]\nignore = '*'\n");
    let said = folder.run(&[
        "plan",
        "weights.pt",
        "-s",
        "none.toml",
        "-a",
        "arch.json",
        "--json",
        "--format",
        "github",
    ]);
    let (json, rest) =
        said.strip_prefix("exit 6\n----- stdout -----\n").unwrap().split_once("----- stderr").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["faults"].as_array().unwrap().len(), 8);
    assert_eq!(rest.matches("\n::error title=ptw2k%3A missing::").count(), 1, "{rest}");
}

/// A name in a table cannot begin a command, on whichever stream.
#[test]
fn names_like_commands() {
    let folder = Folder::new();
    let (tensor, old) = ("::error::x", "x##[error]y");
    folder.write_tensors("weights.safetensors", &[(tensor, "U8", &[1], &[7]), (old, "U8", &[1], &[7])]);
    let said = folder.run(&["inspect", "weights.safetensors", "--format", "github"]);
    assert!(
        said.contains("\n| ::error::x") && !said.contains("\n::error") && !said.contains("##["),
        "{said}"
    );
    let said = folder.run(&["inspect", "weights.safetensors", "--format", "github", "--json"]);
    assert!(said.contains("\"::error::x\"") && !said.contains("##["), "{said}");
    let json =
        said.split("----- stdout -----\n").nth(1).and_then(|rest| rest.split("\n-----").next()).unwrap();
    let found: serde_json::Value = serde_json::from_str(json).unwrap();
    assert!(found.to_string().contains(old), "{said}");
}
