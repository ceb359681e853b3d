//! What reports look like.

use serde_json::{Value, json};

use super::super::goal::Goal;
use super::super::measure::Pairs;
use super::super::row::{Ratio, Row};
use super::*;

fn report() -> Report {
    let pairs = || Pairs { ours: vec![1.5, 1.0, 2.0], theirs: vec![1.0, 1.0, 1.0] };
    let rows = vec![
        Row::beside("float32", "mixed", pairs(), "cp", Ratio::OursToTheirs)
            .goal(Goal::at_most(0.9).or_gate(1.5))
            .note("a note"),
        Row::beside("numpy", "a|b", pairs(), "numpy", Ratio::TheirsToOurs).goal(Goal::at_least(0.5)),
        Row::new("tiny", "a tiny model", "s", vec![0.004]),
        Row::not_run("cold", "not in the page cache", "fincore: not found"),
    ];
    Report {
        facts: vec![("cores", "2".to_owned()), ("cp", "cp 9.1".to_owned())],
        quick: false,
        load_before: "0.1".to_owned(),
        load_after: "1.9".to_owned(),
        rows,
    }
}

#[test]
fn text() {
    insta::assert_snapshot!(report().text(), @"

    cores: 2
    cp: cp 9.1
    load before: 0.1
    load after: 1.9

    row      what                   unit  min      median   max      beside  its median  ratio (min–max)     goal             verdict
    float32  mixed                  s     1.00     1.50     2.00     cp      1.00        1.50 (1.00–2.00)    ≤ 0.9, gate 1.5  MISSED, gate met; a note
    numpy    a|b                    s     1.00     1.50     2.00     numpy   1.00        0.667 (0.500–1.00)  ≥ 0.5            met
    tiny     a tiny model           s     0.00400  0.00400  0.00400
    cold     not in the page cache                                                                                            not run: fincore: not found
    ");
}

#[test]
fn markdown() {
    insta::assert_snapshot!(report().markdown(), @r"
    # Benchmark

    - cores: 2
    - cp: cp 9.1
    - load before: 0.1
    - load after: 1.9

    | row | what | unit | min | median | max | beside | its median | ratio (min–max) | goal | verdict |
    |---|---|---|---|---|---|---|---|---|---|---|
    | float32 | mixed | s | 1.00 | 1.50 | 2.00 | cp | 1.00 | 1.50 (1.00–2.00) | ≤ 0.9, gate 1.5 | MISSED, gate met; a note |
    | numpy | a\|b | s | 1.00 | 1.50 | 2.00 | numpy | 1.00 | 0.667 (0.500–1.00) | ≥ 0.5 | met |
    | tiny | a tiny model | s | 0.00400 | 0.00400 | 0.00400 |  |  |  |  |  |
    | cold | not in the page cache |  |  |  |  |  |  |  |  | not run: fincore: not found |
    ");
}

/// As values: the order of keys is not ours.
#[test]
fn json() {
    let report: Value = serde_json::from_str(&report().json()).unwrap();
    assert_eq!(report["machine"], json!({ "cores": "2", "cp": "cp 9.1" }));
    assert_eq!(report["load"], json!({ "before": "0.1", "after": "1.9" }));
    let numpy = json!({
        "row": "numpy",
        "what": "a|b",
        "unit": "s",
        "ours": { "min": 1.0, "median": 1.5, "max": 2.0, "all": [1.5, 1.0, 2.0] },
        "beside": {
            "name": "numpy",
            "theirs": { "min": 1.0, "median": 1.0, "max": 1.0, "all": [1.0, 1.0, 1.0] },
            "ratio": { "min": 0.5, "median": 1.0 / 1.5, "max": 1.0, "all": [1.0 / 1.5, 1.0, 0.5] },
        },
        "goal": "≥ 0.5",
        "verdict": "met",
        "note": null,
    });
    assert_eq!(report["rows"][1], numpy);
    let cold = json!({ "row": "cold", "what": "not in the page cache", "not_run": "fincore: not found" });
    assert_eq!(report["rows"][3], cold);
}
