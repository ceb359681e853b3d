//! Two rules for one target, as far as that shows without an architecture.

use std::collections::HashMap;
use std::ops::Range;

use super::error::FaultKind;
use super::pattern::Pattern;
use super::reader::Faults;
use super::rule::{Rule, RuleKind};

/// Adds a fault for every literal target that an earlier rule has. Rules with `optional = true` may be
/// alternatives to each other and are left to the plan, which sees whether both apply.
pub(super) fn check(rules: &[Rule], faults: &mut Faults) {
    // By whether the target is a layer, and its name.
    let mut seen: HashMap<(bool, &str), Range<usize>> = HashMap::new();
    for rule in rules.iter().filter(|rule| !rule.optional) {
        let position = &rule.position;
        let one;
        let (patterns, is_layer, span): (&[Pattern], bool, &Range<usize>) = match &rule.kind {
            RuleKind::Layer(layer) => {
                one = std::slice::from_ref(&layer.keras);
                (one, true, &position.span)
            }
            // A sequence has many layers.
            RuleKind::Sequence(_) => continue,
            RuleKind::Tensor(tensor) => (&tensor.keras, false, &tensor.keras_position.span),
            RuleKind::Fill(fill) => (&fill.keras, false, &position.span),
            RuleKind::Keep(keep) => (&keep.keras, false, &position.span),
        };
        for name in patterns.iter().filter_map(|pattern| pattern.literal()) {
            if let Some(first) = seen.get(&(is_layer, name)) {
                faults
                    .add(span.clone(), FaultKind::DuplicateTarget(name.to_owned()))
                    .other(first.clone(), "written here")
                    .help("remove one, or mark both `optional = true` if a checkpoint has only one of them");
            } else {
                seen.insert((is_layer, name), span.clone());
            }
        }
    }
}
