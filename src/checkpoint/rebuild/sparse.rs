//! Sparse tensors, made dense.

use super::tensors::{Rebuild, made};
use crate::checkpoint::pickle::TensorError;
use crate::checkpoint::pickle::torch::{CompressedSpec, CooSpec};
use crate::lazy::{DensifyCompressed, DensifyCoo, LazyTensor, Recipe, Storage};

/// Bytes of a compressed record that are inflated on opening to check the indices in it. Larger ones are
/// checked when the values are computed.
const MAX_INFLATED_INDICES: usize = 16 << 20;

impl Rebuild<'_, '_> {
    pub(super) fn coo(&mut self, spec: CooSpec<'_>) -> Result<LazyTensor, TensorError> {
        let (indices, values) = (self.part(spec.indices)?, self.part(spec.values)?);
        let (shape, dtype) = (spec.shape.clone(), values.dtype);
        let checks = self.checks(&[&indices]);
        let bytes = indices.byte_len();
        let densify = DensifyCoo::new(indices, values, spec.shape, spec.is_coalesced)?;
        self.budget.densify(densify.byte_len())?;
        if checks {
            self.budget.check(bytes)?;
            densify.check()?;
        }
        Ok(made(Recipe::DensifyCoo(densify), shape, dtype))
    }

    pub(super) fn compressed(&mut self, spec: CompressedSpec<'_>) -> Result<LazyTensor, TensorError> {
        let (compressed, plain) = (self.part(spec.compressed)?, self.part(spec.plain)?);
        let values = self.part(spec.values)?;
        let (shape, dtype) = (spec.shape.clone(), values.dtype);
        let checks = self.checks(&[&compressed, &plain]);
        let bytes = compressed.byte_len().saturating_add(plain.byte_len());
        let densify = DensifyCompressed::new(spec.layout, compressed, plain, values, spec.shape)?;
        self.budget.densify(densify.byte_len())?;
        if checks {
            self.budget.check(bytes)?;
            densify.check()?;
        }
        Ok(made(Recipe::DensifyCompressed(densify), shape, dtype))
    }

    /// Whether indices can be read on opening.
    fn checks(&self, indices: &[&LazyTensor]) -> bool {
        indices.iter().all(|tensor| match &tensor.storage {
            Storage::Ready(_) | Storage::Checksummed(_) => true,
            computed @ Storage::Computed(_) => computed.byte_len() <= MAX_INFLATED_INDICES,
        })
    }
}
