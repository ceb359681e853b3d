//! The story of a plan: rules make claims, claims become bindings, and what is left over is accounted for.

use std::sync::Arc;

use super::account::ledger::Ledger;
use super::account::notes;
use super::bindings::binder::Binder;
use super::bindings::solved::Solved;
use super::claims::expansion::Expansion;
use super::claims::sequence;
use super::faults::fault::Faults;
use super::names::prefix;
use super::names::source::SourceNames;
use super::names::target::TargetNames;
use super::options::PlanOptions;
use super::outcome::{Binding, Plan};
use crate::checkpoint::{Checkpoint, Tensor};
use crate::crew::{Belt, Hands, beside};
use crate::keras::Architecture;
use crate::schema::{RuleKind, Schema};
use crate::tensor::Dtype;

/// Tensors whose names are sorted while the variables' are: a thousand take half a millisecond, a thread begins in a
/// fraction of that.
const MANY_TENSORS: usize = 1000;

/// Variables that are bound while others are still claimed, for the same reason.
const MANY_VARIABLES: usize = 1000;

/// Binds every variable of the architecture, which the plan then shares, or reports everything that keeps it from being bound.
///
/// ```
/// use std::path::Path;
///
/// use ptw2k::ConvertError;
/// use ptw2k::checkpoint::{Checkpoint, OpenOptions};
/// use ptw2k::keras::Architecture;
/// use ptw2k::plan::{FaultKind, PlanOptions, plan};
/// use ptw2k::schema::Schema;
///
/// let checkpoint = Checkpoint::open(Path::new("testdata/mnist/weights.pt"), &OpenOptions::default())?;
/// let schema = Schema::parse("one rule", "schema = 1\n[[layer]]\ntorch = 'fc2'\nkeras = 'fc2'\n", None)?;
/// let architecture = Architecture::open(Path::new("testdata/mnist/arch.json"))?;
/// // Six variables of the other layers get no value, and their six tensors have no use.
/// let faults = plan(&checkpoint, &schema, architecture, &PlanOptions::default()).unwrap_err().faults;
/// let missing = faults.iter().filter(|fault| fault.kind() == FaultKind::Missing);
/// assert_eq!((faults.len(), missing.count()), (12, 6));
/// # Ok::<(), ConvertError>(())
/// ```
///
/// # Errors
/// All faults together. Nothing is written for a plan with faults.
pub fn plan(
    checkpoint: &Checkpoint,
    schema: &Schema,
    architecture: impl Into<Arc<Architecture>>,
    options: &PlanOptions,
) -> Result<Plan, Faults> {
    plan_for(checkpoint, schema, architecture.into(), options)
}

fn plan_for(
    checkpoint: &Checkpoint,
    schema: &Schema,
    architecture: Arc<Architecture>,
    options: &PlanOptions,
) -> Result<Plan, Faults> {
    let unpacked = unpack(checkpoint);
    let checkpoint = unpacked.as_ref().unwrap_or(checkpoint);
    if let Some(fault) = prefix::lacking(checkpoint, schema) {
        return Err(Faults { faults: vec![fault] });
    }
    let is_worth = checkpoint.tensors.len() >= MANY_TENSORS && Hands::own(options.threads).are_several();
    let target_names = || TargetNames::new(&architecture);
    let (target, source) = beside(is_worth, target_names, || SourceNames::new(checkpoint, schema));
    let target = target.unwrap_or_else(target_names);
    let binder = |derived| Binder {
        checkpoint,
        derived,
        architecture: &architecture,
        classes: &schema.scope.classes,
        options,
        solved: Solved::default(),
    };
    let is_worth =
        architecture.variables.len() >= MANY_VARIABLES && Hands::own(options.threads).are_several();
    let belt = is_worth.then(|| Arc::new(Belt::new()));
    let names = (&source, &target);
    let mut expansion =
        Expansion::new(checkpoint, schema, &architecture, names, options.explain, belt.clone());
    // No claim that goes ahead needs a tensor that is computed.
    let bind = || belt.as_ref().map_or_else(Vec::new, |belt| binder(&[]).bind_batches(belt));
    let (others, claimed) = beside(is_worth, bind, || {
        let end = belt.as_ref().map(|belt| belt.end());
        claim(&mut expansion)?;
        drop(end);
        // What is left when all are made is for as many as there are, of which one is at it already.
        let hands = Hands::own(options.threads).but_one();
        let left = belt.as_ref().map(|belt| binder(&[]).bind_left(belt, hands));
        Ok::<_, Faults>(left.unwrap_or_default())
    });
    let mut batches = claimed?;
    batches.extend(others.into_iter().flatten());

    let derived = std::mem::take(&mut expansion.derived);
    let mut ledger = Ledger::new(expansion, binder(&derived));
    ledger.bind_claims(batches, options.threads);
    ledger.bind_constants();
    ledger.account_for_variables(options);
    let unused = ledger.account_for_tensors(options);
    ledger.report_strays();

    let Ledger { expansion, bindings, left_out, details, faults, .. } = ledger;
    let remarks = expansion.remarks;
    if !faults.is_empty() {
        return Err(Faults { faults });
    }
    let bindings: Vec<Binding> = bindings.into_iter().flatten().collect();
    let notes = notes::notes(&architecture, &bindings, &remarks, &left_out, options);
    let prefix = source.prefix.to_owned();
    let sources = checkpoint.files.clone();
    Ok(Plan { architecture, sources, prefix, bindings, unused, left_out, notes, details })
}

/// Makes the claims of all rules.
fn claim(expansion: &mut Expansion<'_>) -> Result<(), Faults> {
    let (checkpoint, schema) = (expansion.checkpoint, expansion.schema);
    for rule in &schema.rules {
        match &rule.kind {
            RuleKind::Layer(layer) => expansion.layers(rule, layer),
            RuleKind::Sequence(layer) => sequence::expand(expansion, rule, layer),
            RuleKind::Tensor(tensor) => expansion.tensors(rule, tensor),
            // Constants come when every claim is known.
            RuleKind::Fill(_) | RuleKind::Keep(_) => {}
        }
    }
    let leads_nowhere = expansion.claimed() == 0 && !expansion.strays.is_empty();
    let unstripped = || prefix::unstripped(checkpoint, schema, expansion.target);
    if let Some(fault) = leads_nowhere.then(unstripped).flatten() {
        return Err(Faults { faults: vec![fault] });
    }
    expansion.report_refusals();
    Ok(())
}

/// The checkpoint with the numbers of its `float4_e2m1fn_x2` tensors taken out of their bytes: their shapes
/// count numbers from here on. `None` where it has none.
fn unpack(checkpoint: &Checkpoint) -> Option<Checkpoint> {
    let is_packed = |tensor: &Tensor| tensor.tensor.dtype == Dtype::F4E2m1fnX2;
    if !checkpoint.tensors.iter().any(is_packed) {
        return None;
    }
    let mut unpacked = checkpoint.clone();
    for tensor in &mut unpacked.tensors {
        // One with too many numbers stays as it is, and cannot become anything.
        if let Some(numbers) = tensor.tensor.unpacked() {
            tensor.tensor = numbers;
        }
    }
    Some(unpacked)
}
