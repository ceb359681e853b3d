//! Comparing the checksums of the records that tensors lie in. PyTorch never does (formats/pytorch.md section
//! 1.5).

use std::num::NonZeroUsize;

use crate::crew::Hands;
use crate::lazy::{LazyTensor, damaged};
use crate::tensor::StateDictKey;

use super::state_dict::{Checkpoint, Warning};

impl Checkpoint {
    /// Compares the checksums of all records that the tensors lie in, which reads all their bytes: a
    /// [`Warning::Damaged`] for each that is wrong. Those of small records are compared on opening.
    #[must_use]
    pub fn check_records(&self, threads: Option<NonZeroUsize>) -> Vec<Warning> {
        let tensors: Vec<_> = self.tensors.iter().map(|tensor| (&tensor.key, &tensor.tensor)).collect();
        check_records(&tensors, Hands::own(threads), &|| false)
    }
}

/// As [`Checkpoint::check_records`], for some tensors of a checkpoint; a tensor may come several times. Ends
/// early when `stops` says so.
#[must_use]
pub fn check_records(
    tensors: &[(&StateDictKey, &LazyTensor)],
    hands: Hands<'_>,
    stops: &(dyn Fn() -> bool + Sync),
) -> Vec<Warning> {
    let values: Vec<&LazyTensor> = tensors.iter().map(|&(_, tensor)| tensor).collect();
    let key = |place: usize| tensors.get(place).map(|&(key, _)| key.clone());
    let warnings = damaged(&values, hands, stops).into_iter().map(|damage| {
        let mut keys: Vec<StateDictKey> = damage.tensors.into_iter().filter_map(key).collect();
        keys.dedup();
        Warning::Damaged { record: damage.record, tensors: keys }
    });
    warnings.collect()
}
