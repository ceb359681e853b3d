//! The report for machines: every measurement, so that two runs can be compared later.

use serde_json::{Map, Value, json};

use super::super::row::Row;
use super::super::spread::Spread;
use super::Report;

impl Report {
    /// As JSON.
    pub(super) fn json(&self) -> String {
        let facts: Map<String, Value> =
            self.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        let report = json!({
            "quick": self.quick,
            "machine": facts,
            "load": { "before": self.load_before, "after": self.load_after },
            "rows": rows,
        });
        format!("{report:#}\n")
    }
}

fn row(row: &Row) -> Value {
    let measured = match &row.result {
        Err(reason) => return json!({ "row": row.case, "what": row.name, "not_run": reason }),
        Ok(measured) => measured,
    };
    json!({
        "row": row.case,
        "what": row.name,
        "unit": measured.unit,
        "ours": measurements(&measured.ours),
        "beside": measured.beside.as_ref().map(|beside| json!({
            "name": beside.name,
            "theirs": measurements(&beside.theirs),
            "ratio": measurements(&beside.ratios),
        })),
        "goal": measured.goal.map(|goal| goal.text()),
        "verdict": row.verdict().map(|verdict| verdict.text()),
        "note": measured.note,
    })
}

fn measurements(all: &[f64]) -> Value {
    let Spread { min, median, max } = Spread::of(all);
    json!({ "min": min, "median": median, "max": max, "all": all })
}
