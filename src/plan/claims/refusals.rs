//! Tensors of rules that cannot be had: what is the same of many of one rule is said once.

use std::collections::BTreeSet;

use super::expansion::Expansion;
use crate::plan::derived::derive::Refused;
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::schema::Rule;

/// A fault of one rule, of one or several of its tensors.
pub(in crate::plan) struct Refusal {
    fault: Fault,
    /// What is wrong, without the tensor's name; none for what is said of each.
    reason: Option<String>,
    /// The tensors that it is said of.
    keys: BTreeSet<String>,
}

impl Expansion<'_> {
    /// Takes note of why the tensors of a rule cannot be had.
    pub(super) fn refuse(&mut self, rule: &Rule, refused: Refused) {
        let Refused { detail, hint, inputs } = refused;
        self.excused_tensors.extend(inputs);
        let (key, reason) = match subject(&detail) {
            Some((key, reason)) => (key, Some(reason)),
            None => (String::new(), None),
        };
        let is_same = |other: &&mut Refusal| {
            let position = other.fault.position.as_ref();
            reason.is_some()
                && other.reason == reason
                && position.is_some_and(|at| {
                    at.span == rule.position.span && at.file.name == rule.position.file.name
                })
        };
        if let Some(first) = self.refusals.iter_mut().find(is_same) {
            first.keys.insert(key);
            return;
        }
        let fault = Fault { detail, position: Some(rule.position.clone()), hint };
        self.refusals.push(Refusal { fault, reason, keys: BTreeSet::from([key]) });
    }

    /// Reports them, each with the number of tensors that it is true of.
    pub(in crate::plan) fn report_refusals(&mut self) {
        for Refusal { mut fault, mut keys, .. } in std::mem::take(&mut self.refusals) {
            if let Some((first, _)) = subject(&fault.detail) {
                keys.remove(&first);
            }
            if let Some(last) = keys.last().filter(|key| !key.is_empty()) {
                let others = match keys.len() {
                    1 => format!("the same is true of `{last}`, by the same rule"),
                    count => {
                        format!("the same is true of {count} more tensors of the rule, such as `{last}`")
                    }
                };
                fault.hint =
                    Some(fault.hint.map_or_else(|| others.clone(), |hint| format!("{hint}; {others}")));
            }
            self.faults.push(fault);
        }
    }
}

/// The tensor that a fault is about, and what is wrong with it.
fn subject(detail: &FaultDetail) -> Option<(String, String)> {
    Some(match detail {
        FaultDetail::UntoldAlpha { key } => (key.to_string(), "alpha".to_owned()),
        FaultDetail::Adapter { key, source } => (key.to_string(), source.to_string()),
        FaultDetail::Dora { key, .. } => (key.to_string(), "DoRA".to_owned()),
        FaultDetail::Uncomputable { key, formula, source } => {
            (key.to_string(), format!("{formula}: {source}"))
        }
        FaultDetail::QuantState { key, source } => (key.to_string(), source.to_string()),
        FaultDetail::SeveralForms { key, .. } => (key.clone(), "forms".to_owned()),
        FaultDetail::MissingInput { key, role } => (key.clone(), (*role).to_owned()),
        _ => return None,
    })
}
