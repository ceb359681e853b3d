//! What changes while a zoo reads it.

use std::io::Write as _;
use std::sync::Mutex;

use ptw2k::convert::ConvertError;
use ptw2k::zoo::{Event, JobError, Listener, Outcome, RunOptions, Zoo, run};

use crate::made::{Folder, checkpoint};

/// Makes its change when the event comes for the first time.
struct Meddler<'m> {
    event: &'m str,
    change: Mutex<Option<&'m (dyn Fn() + Sync)>>,
    outcome: Mutex<Option<Outcome>>,
}

impl Listener for Meddler<'_> {
    fn hear(&self, event: &Event<'_>) {
        let name = match event {
            Event::Checked { .. } => "checked",
            Event::Started { .. } => "started",
            Event::Warned { .. } => "warned",
            Event::Writing { .. } => "writing",
            Event::Advanced { .. } => "advanced",
            _ => "other",
        };
        if name == self.event
            && let Some(change) = self.change.lock().unwrap().take()
        {
            change();
        }
    }

    fn ended(&self, _job: usize, outcome: Outcome) {
        *self.outcome.lock().unwrap() = Some(outcome);
    }
}

/// At every event a file of the checkpoint becomes another. What is written is made of the one or of the other, and
/// no record says of the one that it was the other. The checkpoint's reader has a warning, which comes when it has just
/// been opened.
#[test]
fn a_checkpoint_that_changes_at_any_moment() {
    let index = r#"{"metadata": {"total_size": 1}, "weight_map": {"fc.weight": "a.safetensors", "fc.bias": "a.safetensors"}}"#;
    let [old, new] = [1.5, 2.5].map(|first| checkpoint(40, 7, first));
    for (named, file) in
        [("one-00001-of-00002.safetensors", "one-00001-of-00002.safetensors"), ("hub", "hub/a.safetensors")]
    {
        for event in ["checked", "started", "warned", "writing", "advanced"] {
            for is_renamed in [true, false] {
                let case = format!("{named}, {event}, {is_renamed}");
                let folder = Folder::new();
                folder.write("hub/model.safetensors.index.json", index);
                folder.write(file, &old);
                let output = "out/a.weights.h5";
                let job =
                    format!("checkpoint = \"{named}\"\narch = \"archs/bee.json\"\noutput = \"{output}\"\n");
                folder.write("zoo.toml", format!("[[job]]\nschema = \"schema.toml\"\n{job}"));
                let alone = |name: &str| {
                    let arguments = [named, "-s", "schema.toml", "-a", "archs/bee.json", "-q", "-o", name];
                    assert_eq!(folder.run(&arguments).code, Some(0));
                    folder.read(name)
                };
                let of_old = alone("old.weights.h5");
                folder.write("new.safetensors", &new);
                let change = || {
                    if is_renamed {
                        std::fs::rename(folder.path("new.safetensors"), folder.path(file)).unwrap();
                    } else {
                        let mut file = std::fs::File::options().write(true).open(folder.path(file)).unwrap();
                        file.write_all(&new).unwrap();
                    }
                };
                let meddler = Meddler { event, change: Mutex::new(Some(&change)), outcome: Mutex::default() };
                let zoo = Zoo::open(&folder.path("zoo.toml")).unwrap();
                let _ = run(&zoo.jobs, &RunOptions::default(), &meddler);
                assert!(meddler.change.lock().unwrap().is_none(), "{case}: no such event");

                let of_new = alone("new.weights.h5");
                assert!(of_old != of_new);
                match meddler.outcome.lock().unwrap().take() {
                    Some(Outcome::Written(_)) => {
                        let found = folder.read(output);
                        assert!(found == of_old || found == of_new, "{case}: of both");
                    }
                    Some(Outcome::Failed(error)) => {
                        assert!(
                            matches!(*error, JobError::Convert(ConvertError::Changed { .. })),
                            "{case}: {error}"
                        );
                        assert!(!folder.path(output).exists(), "{case}");
                    }
                    other => panic!("{case}: {other:?}"),
                }
                assert_eq!(folder.zoo(&["-q"]).code, Some(0), "{case}");
                assert!(folder.read(output) == of_new, "{case}: the record says what is not so");
            }
        }
    }
}
