//! `compute`: tensors that are computed from several, and what the formulas need beside them.

use toml::Spanned;
use toml::de::DeValue;

use super::pair;
use crate::schema::error::FaultKind;
use crate::schema::pattern::{Pattern, Separator};
use crate::schema::reader::{Faults, Table, listed, near, number, string, wrong_type};
use crate::schema::rule::{Compute, Formula, LowRank};

/// A formula: its name, the tensors that it needs, those that it may have. The first is the one that a rule's
/// captures are taken from.
type Known = (&'static str, Formula, &'static [&'static str], &'static [&'static str]);

const FORMULAS: &[Known] = &[
    ("weight_norm", Formula::WeightNorm, &["v", "g"], &[]),
    ("spectral_norm", Formula::SpectralNorm, &["weight", "u", "v"], &[]),
    ("pruned", Formula::Pruned, &["weight", "mask"], &[]),
    ("lora", Formula::Lora, &["weight", "a", "b"], &[]),
    ("mxfp4", Formula::Mxfp4, &["blocks", "scales"], &[]),
    ("dequantize", Formula::Dequantize, &["weight", "scale"], &["zero_point"]),
];

/// The keys of `compute = "lora"`, and of `source.lora`.
pub(super) const LOW_RANK_KEYS: &[&str] = &["alpha", "rslora", "fan_in_fan_out"];

/// `compute` and the texts of its tensors.
pub(super) struct Texts {
    formula: Formula,
    name: &'static str,
    inputs: Vec<(&'static str, Spanned<String>)>,
}

impl Texts {
    /// The name that the rule's captures are taken from.
    pub(super) fn first(&self) -> Option<Spanned<String>> {
        self.inputs.first().map(|(_, text)| text.clone())
    }
}

/// Reads `compute` and the table `torch`; `None` without the key, or after a fault.
pub(super) fn texts(table: &Table<'_>, faults: &mut Faults) -> Option<Texts> {
    let value = table.get("compute")?;
    let text = string("compute", value, "a string", faults)?;
    let names: Vec<&str> = FORMULAS.iter().map(|(name, ..)| *name).collect();
    let Some(&(name, formula, needed, optional)) = FORMULAS.iter().find(|(name, ..)| name == text.get_ref())
    else {
        let help = match near(text.get_ref(), names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the formulas are {}", listed(&names)),
        };
        faults.add(value.span(), FaultKind::UnknownFormula(text.into_inner())).help(help);
        return None;
    };
    let roles: Vec<&str> = needed.iter().chain(optional).copied().collect();
    let example = needed.iter().map(|role| format!("{role} = \"…\"")).collect::<Vec<_>>().join(", ");
    let torch = table.required("torch", faults)?;
    let DeValue::Table(_) = torch.get_ref() else {
        faults.add(torch.span(), FaultKind::TensorsOf(name)).help(format!("write `torch = {{ {example} }}`"));
        return None;
    };
    let torch = Table::of("torch", torch, "`torch`", faults)?;
    torch.check_keys(&roles, faults);
    let mut inputs = Vec::new();
    let before = faults.list.len();
    for &role in needed.iter().chain(optional) {
        match torch.string(role, faults) {
            Some(text) => inputs.push((role, text)),
            None if torch.get(role).is_none() && needed.contains(&role) => {
                faults
                    .add(torch.span(), FaultKind::Missing { key: role, table: "`torch`" })
                    .help(format!("`{name}` is computed from `torch = {{ {example} }}`"));
            }
            None => {}
        }
    }
    (faults.list.len() == before).then_some(Texts { formula, name, inputs })
}

/// Parses the names of the other tensors, whose captures are those of the first.
pub(super) fn compute(
    texts: Texts,
    first: &Pattern,
    table: &Table<'_>,
    faults: &mut Faults,
) -> Option<Compute> {
    let before = faults.list.len();
    let mut inputs = Vec::new();
    for (place, (role, text)) in texts.inputs.iter().enumerate() {
        let Some(pattern) = pair::name(text, Separator::Dot, first.captures(), faults) else { continue };
        if place > 0 && pattern.computes() {
            faults.add(text.span(), FaultKind::TorchComputes);
        }
        for (name, _) in pattern.captures() {
            if !first.captures().iter().any(|(known, _)| known == name) {
                let main = texts.inputs.first().map_or("", |(role, _)| *role);
                faults
                    .add(text.span(), FaultKind::Unbound(name.clone()))
                    .help(format!("the tensors are found by the captures of `{main}`"));
            }
        }
        inputs.push((*role, pattern));
    }
    let low_rank = low_rank(table, faults);
    of_another(table, texts.formula, texts.name, faults);
    (faults.list.len() == before).then_some(Compute { formula: texts.formula, inputs, low_rank })
}

/// Adds a fault for every key that another formula has.
fn of_another(table: &Table<'_>, formula: Formula, name: &'static str, faults: &mut Faults) {
    let lora = formula == Formula::Lora;
    let dim = matches!(formula, Formula::SpectralNorm | Formula::Dequantize);
    let keys = LOW_RANK_KEYS.iter().map(|key| (*key, lora, "\"lora\""));
    for (key, is_known, of) in keys.chain([("dim", dim, "\"spectral_norm\" or \"dequantize\"")]) {
        if let Some(value) = table.get(key).filter(|_| !is_known) {
            faults.add(value.span(), FaultKind::OtherFormula { key: key.to_owned(), of, name });
        }
    }
}

/// Adds a fault for every key that a rule without `compute` has no use for.
pub(super) fn without(table: &Table<'_>, faults: &mut Faults) {
    for key in LOW_RANK_KEYS {
        if let Some(value) = table.get(key) {
            faults
                .add(value.span(), FaultKind::OtherFormula { key: (*key).to_owned(), of: "\"lora\"", name: "" })
                .help("of adapters that the checkpoint's names tell, say it in `[source]`: `lora = { alpha = 16 }`");
        }
    }
}

/// `alpha`, `rslora` and `fan_in_fan_out`.
pub(super) fn low_rank(table: &Table<'_>, faults: &mut Faults) -> LowRank {
    let alpha = table.get("alpha").and_then(|value| positive("alpha", value, faults));
    LowRank {
        alpha,
        by_root: table.boolean("rslora", faults),
        transposed: table.boolean("fan_in_fan_out", faults),
    }
}

fn positive(key: &str, value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<f64> {
    let found = number(key, value, faults)?;
    if found.is_finite() && found > 0.0 {
        return Some(found);
    }
    faults.add(value.span(), FaultKind::Value { key: key.to_owned(), expected: "a number above 0" });
    None
}

/// `source.lora`.
pub(super) fn of_source(table: &Table<'_>, faults: &mut Faults) -> LowRank {
    let Some(value) = table.get("lora") else { return LowRank::default() };
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        wrong_type("lora", value.span(), "a table, as in `{ alpha = 16 }`", value.get_ref(), faults);
        return LowRank::default();
    }
    let Some(table) = Table::of("lora", value, "`source.lora`", faults) else { return LowRank::default() };
    table.check_keys(LOW_RANK_KEYS, faults);
    low_rank(&table, faults)
}
