//! Claims that no layout, or more than one, brings together: what is said about them.

use super::binder::{Binder, axes, fault};
use crate::plan::claims::expansion::Claim;
use crate::plan::faults::attempt::Attempt;
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::faults::hints;
use crate::plan::outcome::Provenance;
use crate::schema::ClassVariable;
use crate::tensor::{Capture, Layout, Side, SolveError};

impl Binder<'_> {
    /// What a layout makes of the sizes, of the first tensor and variable that it does not fit.
    pub(super) fn refused(&self, claim: &Claim<'_>, layout: &Layout, reason: SolveError) -> Attempt {
        let (torch, keras) = axes(claim, Some(layout));
        let captures: Vec<Capture> = torch.captures().chain(keras.captures()).collect();
        let given = claim.given();
        let operation = claim.operation(layout, &given, &captures);
        let pairs = claim.sources.iter().flat_map(|(_, tensor)| {
            let source = self.tensor(*tensor).tensor.view.shape();
            claim.targets.iter().map(move |(_, at)| (source, &self.architecture.variables[*at].shape))
        });
        let mut pairs = pairs.peekable();
        let first = pairs.peek().copied();
        let pair = pairs.find(|(source, target)| operation.solved(source, target).is_err()).or(first);
        let is_of_sizes = matches!(
            reason,
            SolveError::Size { .. }
                | SolveError::Indivisible { .. }
                | SolveError::Undetermined { .. }
                | SolveError::Unequal { .. }
                | SolveError::SliceOutOfRange { .. }
        );
        let mut attempt = Attempt {
            layout: layout.as_str().to_owned(),
            reason,
            equations: Vec::new(),
            choices: Vec::new(),
        };
        if let Some((source, target)) = pair.filter(|_| is_of_sizes) {
            attempt.equations = operation.equations(source, target);
            if let SolveError::Undetermined { axis } = &attempt.reason {
                attempt.choices = operation.choices(source, target, axis);
            }
        }
        attempt
    }

    /// Another class than the one that the layer's name tells would read the tensor in another way.
    pub(super) fn untold(&self, claim: &Claim<'_>, first: &str, second: &str) -> Box<Fault> {
        let mut fault = self.several(claim, first, second);
        fault.hint = Some(self.only_named(claim));
        fault
    }

    fn only_named(&self, claim: &Claim<'_>) -> String {
        let (_, target) = self.first_pair(claim);
        let class = self.architecture.layers.get(target.layer).and_then(|layer| layer.class.as_deref());
        format!(
            "only its name says that the layer is of class {}: say the class in the rule, as `class = \"…\"`",
            class.unwrap_or("unknown")
        )
    }

    pub(super) fn several(&self, claim: &Claim<'_>, first: &str, second: &str) -> Box<Fault> {
        let (source, target) = self.first_pair(claim);
        let detail = FaultDetail::SeveralLayouts {
            key: source.key.clone(),
            source_shape: source.tensor.view.shape().clone(),
            variable: target.path.clone(),
            target_shape: target.shape.clone(),
            first: first.to_owned(),
            second: second.to_owned(),
        };
        let hint = "say the one that is meant, as `layout = …` in a [[tensor]] rule".to_owned();
        fault(claim, detail, Some(hint))
    }

    pub(super) fn misfit(&self, claim: &Claim<'_>, mut attempts: Vec<Attempt>) -> Box<Fault> {
        let (source, target) = self.first_pair(claim);
        // A layout for tensors of another rank was not meant, where one for this rank is there.
        let is_of_rank = |error: &SolveError| !matches!(error, SolveError::Rank { side: Side::Source, .. });
        if attempts.iter().any(|attempt| is_of_rank(&attempt.reason)) {
            attempts.retain(|attempt| is_of_rank(&attempt.reason));
        }
        // Within a class there is no layout to be said.
        let is_of_class = matches!(claim.provenance, Provenance::Class { .. });
        let is_open = |attempt: &Attempt| matches!(attempt.reason, SolveError::Undetermined { .. });
        let hint = self.groups_hint(claim).or_else(|| match is_of_class {
            // The reason says what to do.
            _ if attempts.iter().any(|attempt| is_open(attempt) || is_of_part(&attempt.reason)) => None,
            true if self.is_gru_of_one_bias(claim) => Some(
                "`reset_after=False` keeps one bias where PyTorch's GRU has two, and computes something else: build \
                 the layer with `reset_after=True`"
                    .to_owned(),
            ),
            false => self
                .map_layout(claim)
                .or_else(|| self.class_layout(claim))
                .or_else(|| hints::permutation(source.tensor.view.shape(), &target.shape)),
            true if !claim.rivals.is_empty() => Some(self.only_named(claim)),
            true if claim.sizes.is_empty() => hints::permutation(source.tensor.view.shape(), &target.shape)
                .map(|hint| format!("{hint}; the class has another: are two axes exchanged in the model?")),
            true => {
                let sizes: Vec<String> = claim.sizes.values().map(ToString::to_string).collect();
                let product = claim.sizes.values().product::<usize>();
                Some(format!("the flattened map's sizes {} make {product} features", sizes.join(" × ")))
            }
        });
        let detail = FaultDetail::Shape {
            key: source.key.clone(),
            source_shape: source.tensor.view.shape().clone(),
            variable: target.path.clone(),
            target_shape: target.shape.clone(),
            attempts,
        };
        fault(claim, detail, hint)
    }

    /// Whether the variable is the bias of a GRU that adds it before it resets; one that resets after, as PyTorch's
    /// does, has a row for each of its two (`gru.py`).
    fn is_gru_of_one_bias(&self, claim: &Claim<'_>) -> bool {
        let (_, target) = self.first_pair(claim);
        let class = self.architecture.layers.get(target.layer).and_then(|layer| layer.class.as_deref());
        matches!(class, Some("GRU" | "GRUCell")) && target.name == "bias" && target.shape.rank() == 1
    }

    /// The layout of the layer's class, where the rule says another one that does not fit.
    fn class_layout(&self, claim: &Claim<'_>) -> Option<String> {
        let (_, target) = self.first_pair(claim);
        let class = self.architecture.layers.get(target.layer)?.class.as_deref()?;
        let layout =
            self.class_layouts(claim).iter().find(|layout| self.attempt(claim, Some(layout)).is_ok())?;
        Some(format!(
            "`{}` fits, the layout of the `{}` of a {class}: say it in the rule, or pair the module with the layer \
             in a [[layer]] rule",
            layout.as_str(),
            target.name
        ))
    }

    /// The layouts that the layer's class has for the variable of a [[tensor]] rule.
    pub(super) fn class_layouts(&self, claim: &Claim<'_>) -> &[Layout] {
        if matches!(claim.provenance, Provenance::Class { .. }) {
            return &[];
        }
        self.class_variable(claim).map_or(&[], |known| known.rule.layouts.as_slice())
    }

    /// What the layer's class has for the variable.
    pub(in crate::plan) fn class_variable(&self, claim: &Claim<'_>) -> Option<&ClassVariable> {
        let (_, target) = self.first_pair(claim);
        let class = self.architecture.layers.get(target.layer)?.class.as_deref()?;
        self.classes.get(class)?.variables.iter().find(|known| known.name() == target.name)
    }
}

/// Whether what the rule says of parts of an axis is wrong, and not its layout.
fn is_of_part(error: &SolveError) -> bool {
    matches!(
        error,
        SolveError::SliceOutOfRange { .. }
            | SolveError::TakeOutOfRange { .. }
            | SolveError::NotAPermutation { .. }
            | SolveError::UnknownAxis { .. }
    )
}
