//! `--depfile`: what Make makes of it.

use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::run::{Folder, check};

/// A build that makes one file of a checkpoint with `make`.
struct Build {
    folder: Folder,
    /// The files that it makes.
    made: Vec<&'static str>,
}

impl Build {
    /// Whether there is a `make` to test with.
    fn has_make() -> bool {
        let found = Command::new("make").arg("--version").output();
        found.is_ok_and(|output| output.stdout.starts_with(b"GNU Make"))
    }

    /// Runs `make` until it is done; returns whether it converted.
    fn converts(&self) -> bool {
        let said = self.folder.shell("MAKEFLAGS= make --no-print-directory PTW2K=\"$0\" 2>&1 || echo failed");
        assert!(!said.contains("failed"), "{said}");
        for name in &self.made {
            assert!(self.folder.path(name).is_file(), "{name}: {said}");
        }
        said.contains("--depfile")
    }

    /// Gives a file a later time than what was made has, and all others an earlier one.
    fn touch(&self, touched: &str) {
        let start = SystemTime::now() - Duration::from_secs(1000);
        let set = |name: &str, seconds| {
            let file = std::fs::File::options().append(true).open(self.folder.path(name)).unwrap();
            file.set_modified(start + Duration::from_secs(seconds)).unwrap();
        };
        let names = self.folder.names();
        names.iter().filter(|name| self.folder.path(name).is_file()).for_each(|name| set(name, 0));
        self.made.iter().for_each(|name| set(name, 100));
        set(touched, 200);
    }
}

/// Everything that was read makes Make convert again, and nothing else does.
#[test]
fn make_follows_it() {
    if !Build::has_make() {
        eprintln!("skipped: there is no GNU make");
        return;
    }
    let folder = Folder::with_case("mnist");
    let rules = std::fs::read_to_string(folder.path("schema.toml")).unwrap();
    folder.write("base of $all #1.toml", rules);
    folder.write("schema.toml", "schema = 1\nextends = 'base of $all #1.toml'\n");
    std::fs::rename(folder.path("weights.pt"), folder.path("epoch=3-step=7.ckpt")).unwrap();
    folder.write("other.txt", "");
    let makefile = "out.weights.h5:\n\t$(PTW2K) epoch=3-step=7.ckpt --schema schema.toml -o $@ --depfile out.d -q\n\
                    -include out.d\n";
    folder.write("Makefile", makefile);
    let build = Build { folder, made: vec!["out.weights.h5", "out.d"] };
    assert!(build.converts());
    assert!(!build.converts());
    for name in ["epoch=3-step=7.ckpt", "schema.toml", "base of $all #1.toml", "arch.json"] {
        build.touch(name);
        assert!(build.converts(), "{name}");
        assert!(!build.converts(), "{name}");
    }
    build.touch("other.txt");
    assert!(!build.converts());
}

/// Names, which no other system has, with what means something to Make or Ninja, in the place of the checkpoint.
#[cfg(unix)]
const ODD: [&str; 20] = [
    "a b",
    " a",
    "a  b",
    "a#b",
    "#",
    "a$b",
    "$(a)b",
    "$$",
    "a:b",
    ":a",
    "a: b",
    "50%",
    "%",
    "&",
    "~a",
    "a=b",
    "!a",
    "-a",
    "a'\"",
    "a:b #$c%d",
];

/// Whatever is in a name, Make looks at the file of that name.
#[cfg(unix)]
#[test]
fn make_reads_odd_names() {
    if !Build::has_make() {
        eprintln!("skipped: there is no GNU make");
        return;
    }
    for name in ODD {
        let (checkpoint, folder) = (format!("{name}.pt"), Folder::with_case("mnist"));
        std::fs::rename(folder.path("weights.pt"), folder.path(&checkpoint)).unwrap();
        let quoted = format!("'{}'", checkpoint.replace('\'', r"'\''").replace('$', "$$"));
        let makefile = format!(
            "out.weights.h5:\n\t$(PTW2K) --schema schema.toml -o $@ --depfile out.d -q -- {}\n-include out.d\n",
            quoted,
        );
        folder.write("Makefile", makefile);
        let build = Build { folder, made: vec!["out.weights.h5", "out.d"] };
        assert!(build.converts(), "{name}");
        assert!(!build.converts(), "{name}");
        build.touch(&checkpoint);
        assert!(build.converts(), "{name}");
        build.touch("arch.json");
        assert!(build.converts(), "{name}: what stands behind it");
        assert!(!build.converts(), "{name}");
    }
}

/// So does Ninja, which tells what it has read.
#[cfg(unix)]
#[test]
fn ninja_reads_odd_names() {
    if !Command::new("ninja").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no ninja");
        return;
    }
    for name in ODD {
        let (checkpoint, folder) = (format!("{name}.pt"), Folder::with_case("mnist"));
        std::fs::rename(folder.path("weights.pt"), folder.path(&checkpoint)).unwrap();
        let options = ["-s", "schema.toml", "-q", "-o", "out.weights.h5", "--depfile", "out.d", "--"];
        let said = folder.run(&[&options[..], &[&checkpoint]].concat());
        assert_eq!(said, "exit 0\n", "{name}");
        let rules = "rule copy\n  command = cp out.d $out.d && touch $out\n  depfile = $out.d\n  deps = gcc\n\
                     build out.weights.h5: copy\n";
        folder.write("build.ninja", rules);
        let said = folder.shell("ninja >log && ninja -t deps out.weights.h5");
        let mut known: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        known.sort_by_key(|name| ["schema.toml", "arch.json"].contains(name));
        assert_eq!(known, [checkpoint.as_str(), "schema.toml", "arch.json"], "{said}");
    }
}

/// The document's rules work as they stand.
#[test]
fn the_documents_makefile_works() {
    if !Build::has_make() {
        eprintln!("skipped: there is no GNU make");
        return;
    }
    let document = include_str!("../../docs/pipelines.md");
    let rules = document.split("```make\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = Folder::with_case("mnist");
    folder.write(
        "Makefile",
        format!(
            "{rules}\nPATH := $(dir $(PTW2K)):$(PATH)\nall: models/mnist.weights.h5\n.DEFAULT_GOAL := all\n"
        ),
    );
    std::fs::create_dir(folder.path("checkpoints")).unwrap();
    std::fs::rename(folder.path("weights.pt"), folder.path("checkpoints/mnist.pt")).unwrap();
    let build = Build { folder, made: vec!["models/mnist.weights.h5", "models/mnist.weights.h5.d"] };
    assert!(build.converts());
    assert!(!build.converts());
    for name in ["schema.toml", "arch.json", "checkpoints/mnist.pt"] {
        build.touch(name);
        assert!(build.converts(), "{name}");
        assert!(!build.converts(), "{name}");
    }
}

/// Each shard is a target, and stands for all.
#[test]
fn make_knows_shards() {
    if !Build::has_make() {
        eprintln!("skipped: there is no GNU make");
        return;
    }
    let folder = Folder::with_case("mnist");
    let shards = ["out:1.weights.json", "out:1_00000.weights.h5", "out:1_00001.weights.h5"];
    let makefile = "out\\:1.weights.json:\n\t$(PTW2K) weights.pt --schema schema.toml -o $@ --max-shard-size 36KB \
                    --depfile out.d -q\n-include out.d\n";
    folder.write("Makefile", makefile);
    let build = Build { folder, made: [&shards[..], &["out.d"]].concat() };
    assert!(build.converts());
    let depfile = String::from_utf8(build.folder.read("out.d")).unwrap();
    let targets = "out\\:1.weights.json out\\:1_00001.weights.h5 out\\:1_00000.weights.h5:";
    assert!(depfile.starts_with(targets), "{depfile}");
    assert!(!build.converts());
    build.touch("weights.pt");
    assert!(build.converts());
}

#[test]
fn what_is_said() {
    let folder = Folder::with_case("mnist");
    let convert = |options: &[&str]| {
        folder.run(
            &[&["weights.pt", "--schema", "schema.toml", "-o", "out.weights.h5", "-q"], options].concat(),
        )
    };
    assert_eq!(convert(&["--depfile", "out.d"]), "exit 0\n");
    let depfile = "out.weights.h5: \\\n  weights.pt \\\n  schema.toml \\\n  arch.json\n\
                   weights.pt:\nschema.toml:\narch.json:\n";
    assert_eq!(String::from_utf8(folder.read("out.d")).unwrap(), depfile);

    let before = folder.names();
    check("depfile_is_output", 2, &convert(&["--depfile", "out.weights.h5"]));
    check("depfile_is_report", 2, &convert(&["--depfile", "a.json", "--report", "./a.json"]));
    check("depfile_is_input", 7, &convert(&["--depfile", "arch.json"]));
    check("depfile_folder", 7, &convert(&["--depfile", "no/out.d"]));
    std::fs::create_dir(folder.path("sub")).unwrap();
    check("depfile_is_folder", 7, &convert(&["--depfile", "sub"]));
    check("report_is_folder", 7, &convert(&["--report", "sub"]));
    std::fs::remove_dir(folder.path("sub")).unwrap();
    check("depfile_dry_run", 2, &convert(&["--depfile", "a.d", "--dry-run"]));
    assert_eq!(folder.names(), before);
    #[cfg(unix)]
    {
        // Links are of no help.
        std::os::unix::fs::symlink(".", folder.path("again")).unwrap();
        check("depfile_is_output_by_a_link", 2, &convert(&["--depfile", "again/out.weights.h5"]));
        check(
            "depfile_is_report_by_a_link",
            2,
            &convert(&["--depfile", "a.json", "--report", "again/a.json"]),
        );
        std::fs::remove_file(folder.path("again")).unwrap();
    }
    let unsayable = ["weights.pt", "-s", "schema.toml", "-o", "a*b.weights.h5", "--depfile", "a.d"];
    check("depfile_name", 2, &folder.run(&unsayable));
    assert_eq!(folder.names(), before);
}
