//! Whether what a plan reads is what was once saved.

use std::num::NonZeroUsize;

use super::progress::Progress;
use crate::checkpoint::{self, Warning};
use crate::crew::Hands;
use crate::plan::Plan;

/// Compares the checksums of all records that the plan reads, and warns of those that are wrong, as far as the
/// checkpoint's form has checksums. The caller's crew does it, where there is one. Ends early when it is stopped.
pub fn check_records(plan: &Plan, threads: Option<NonZeroUsize>, progress: &dyn Progress) -> Vec<Warning> {
    let parts = plan.bindings.iter().flat_map(|binding| binding.parts());
    let tensors: Vec<_> = parts.map(|part| (&part.key, &part.source)).collect();
    let hands = progress.crew().map_or_else(|| Hands::own(threads), Hands::Crew);
    let warnings = checkpoint::check_records(&tensors, hands, &|| progress.is_cancelled());
    warnings.iter().for_each(|warning| progress.warned(warning));
    warnings
}
