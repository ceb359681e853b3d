//! Nested tensors: each part is a tensor of its own, `<key>.0`, `<key>.1`, ….

use super::budget::check_expanded;
use super::tensors::Rebuild;
use crate::checkpoint::pickle::TensorError;
use crate::checkpoint::pickle::torch::NestedSpec;
use crate::checkpoint::read::RawTensor;
use crate::checkpoint::state_dict::Role;
use crate::lazy::LazyTensor;
use crate::tensor::{Dtype, Shape, Strided};

impl Rebuild<'_, '_> {
    pub(super) fn nested(&mut self, spec: NestedSpec<'_>, key: &str) -> Result<Vec<RawTensor>, TensorError> {
        let wrong = |what| TensorError::Nested { what };
        if spec.buffer.is_conj || spec.buffer.is_neg {
            return Err(TensorError::PartBits);
        }
        let (number, buffer) = self.view(spec.buffer)?;
        let available = match (buffer.view.shape().sizes(), buffer.view.is_contiguous()) {
            (&[elements], true) => elements,
            _ => return Err(wrong("the buffer is not one row of elements")),
        };
        let (sizes, strides, offsets) =
            (self.part(spec.sizes)?, self.part(spec.strides)?, self.part(spec.offsets)?);
        let (&[parts, rank], &[offset_parts]) = (sizes.view.shape().sizes(), offsets.view.shape().sizes())
        else {
            return Err(wrong("sizes and offsets have not two axes and one"));
        };
        if strides.view.shape() != sizes.view.shape() || offset_parts != parts {
            return Err(wrong("there are not as many strides and offsets as sizes"));
        }
        if parts == 0 {
            return Err(wrong("it has no parts"));
        }
        self.budget.parts(parts)?;
        // A part without axes costs no bytes of sizes and strides, but its offset does.
        self.budget.check(sizes.byte_len().saturating_mul(2).saturating_add(offsets.byte_len()))?;
        let (sizes, strides, offsets) = (counts(&sizes)?, counts(&strides)?, counts(&offsets)?);
        let mut tensors = Vec::with_capacity(parts);
        for (part, &offset) in offsets.iter().enumerate() {
            let row = part * rank..(part + 1) * rank;
            let (Some(sizes), Some(strides)) = (sizes.get(row.clone()), strides.get(row)) else {
                return Err(wrong("there are not as many strides and offsets as sizes"));
            };
            let shape = Shape::new(sizes)?;
            let size = buffer.dtype.size();
            let bytes = shape.numel().saturating_mul(size);
            check_expanded(available.saturating_mul(size), bytes)?;
            // Checked against the buffer, which is a part of the storage.
            let view = Strided::new(shape, strides, offset, available)?;
            let storage_elements = buffer.storage.byte_len() / size;
            let offset = buffer.view.offset().saturating_add(view.offset());
            let view = Strided::new(view.shape().clone(), view.strides(), offset, storage_elements)?;
            let tensor = LazyTensor { view, ..buffer.clone() };
            let key = format!("{key}.{part}");
            tensors.push(RawTensor { key, tensor, storage: Some(number), role: Role::Unknown });
        }
        Ok(tensors)
    }
}

/// The elements of an `int64` tensor, none of them negative.
fn counts(tensor: &LazyTensor) -> Result<Vec<usize>, TensorError> {
    if tensor.dtype != Dtype::I64 {
        return Err(TensorError::Nested { what: "sizes, strides and offsets are not int64" });
    }
    let bytes = tensor.contiguous()?;
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers
        .iter()
        .map(|&number| usize::try_from(i64::from_le_bytes(number)))
        .collect::<Result<_, _>>()
        .map_err(|_| TensorError::Nested { what: "a size, stride or offset is negative" })
}
