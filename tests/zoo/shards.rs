//! A zoo that several processes share.

use std::collections::BTreeMap;

use crate::made::{Folder, check};

#[test]
fn shares_make_the_whole() {
    let whole = Folder::new();
    assert_eq!(whole.zoo(&["-q"]).code, Some(0));
    for count in [1, 2, 3, 9] {
        let folder = Folder::new();
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        for index in 1..=count {
            let said = folder.zoo(&["--json", "--shard", &format!("{index}/{count}")]);
            assert_eq!(said.code, Some(0), "{}", said.text());
            for event in said.events().iter().filter(|event| event["outcome"] == "written") {
                *done.entry(event["output"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        assert_eq!(done.len(), 6, "{done:?}");
        assert!(done.values().all(|&times| times == 1), "{done:?}");
        assert!(folder.outputs() == whole.outputs(), "{count} shares");
        assert!(folder.zoo(&[]).stdout.contains("current     6"));
    }
}

/// What is wrong with the manifest is told to every process, whatever its share.
#[test]
fn every_share_checks_all() {
    let folder = Folder::new();
    std::fs::remove_file(folder.path("archs/cat.json")).unwrap();
    for index in 1..=3 {
        assert_eq!(folder.zoo(&["--shard", &format!("{index}/3")]).code, Some(9));
    }
}

/// Two processes that do the same at the same time wait for each other, job by job.
#[test]
fn processes_that_do_the_same() {
    let folder = Folder::new();
    let arguments = ["zoo", "zoo.toml", "-t", "2", "-q"];
    let children: Vec<_> = (0..4).map(|_| folder.start(&arguments)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", folder.said(&output).text());
    }
    assert!(folder.outputs() == folder.alone());
    folder.check_no_debris();
    assert!(folder.zoo(&[]).stdout.contains("current     6"));
}

/// A lock that can never be made is told, and not tried for ever.
#[cfg(unix)]
#[test]
fn a_lock_that_leads_nowhere() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("keras/.ptw2k")).unwrap();
    std::os::unix::fs::symlink("none/lock", folder.path("keras/.ptw2k/ant.weights.h5.lock")).unwrap();
    check("lock_that_leads_nowhere", 10, &folder.zoo(&[]));
}
