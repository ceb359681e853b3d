//! Quantized tensors: dequantized, or kept with their parameters beside them.

use super::tensors::{Rebuild, computed, made};
use crate::checkpoint::pickle::torch::{Channels, Quantization, QuantizedSpec};
use crate::checkpoint::pickle::{TensorError, Value, ValueId};
use crate::checkpoint::read::RawTensor;
use crate::checkpoint::state_dict::{Quantized, Role};
use crate::lazy::{Bytes, Dequantize, LazyTensor, QuantizationParameters, Recipe, Storage};
use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

impl Rebuild<'_, '_> {
    /// `float32` values, or by [`Quantized::Keep`] the integers under the key and beside them `<key>.scale`,
    /// `<key>.zero_point` and, of channels, `<key>.axis`.
    pub(super) fn quantized(
        &mut self,
        spec: QuantizedSpec<'_>,
        key: &str,
    ) -> Result<Vec<RawTensor>, TensorError> {
        let (number, integers) = self.view(spec.integers)?;
        let parameters = match spec.quantization {
            Quantization::PerTensor { scale, zero_point } => {
                QuantizationParameters::PerTensor { scale, zero_point }
            }
            Quantization::PerChannel { axis, scales, zero_points, lists_are_f32 } => {
                let [scale, zero_point] =
                    if lists_are_f32 { [Dtype::F32, Dtype::F32] } else { [Dtype::F64, Dtype::I64] };
                let scales = self.channels(scales, scale)?;
                let zero_points = self.channels(zero_points, zero_point)?;
                QuantizationParameters::PerChannel { axis, scales, zero_points }
            }
        };
        let shape = integers.view.shape().clone();
        let recipe = Dequantize::new(integers.clone(), parameters.clone())?;
        if let QuantizationParameters::PerChannel { zero_points, .. } = &parameters {
            self.budget.check(zero_points.byte_len())?;
            recipe.check()?;
        }
        if self.quantized == Quantized::Dequantize {
            return Ok(vec![computed(key, made(Recipe::Dequantize(recipe), shape, Dtype::F32))]);
        }
        let kept =
            RawTensor { key: key.to_owned(), tensor: integers, storage: Some(number), role: Role::Unknown };
        let beside = |name: &str, tensor| computed(format!("{key}.{name}"), tensor);
        Ok(match parameters {
            QuantizationParameters::PerTensor { scale, zero_point } => vec![
                kept,
                beside("scale", scalar(Dtype::F64, &scale.to_le_bytes())),
                beside("zero_point", scalar(Dtype::I64, &zero_point.to_le_bytes())),
            ],
            QuantizationParameters::PerChannel { axis, scales, zero_points } => vec![
                kept,
                beside("scale", scales),
                beside("zero_point", zero_points),
                // An axis is less than a rank.
                beside("axis", scalar(Dtype::I64, &(axis as u64).to_le_bytes())),
            ],
        })
    }

    fn channels(&mut self, channels: Channels<'_>, list_dtype: Dtype) -> Result<LazyTensor, TensorError> {
        match channels {
            Channels::Tensor(spec) => self.part(spec),
            Channels::List(id) => self.list(id, list_dtype),
        }
    }

    /// The numbers of a Python list, as `torch.tensor` makes them.
    fn list(&mut self, id: ValueId, dtype: Dtype) -> Result<LazyTensor, TensorError> {
        if let Some(known) = self.lists.get(&(id, dtype)) {
            return Ok(known.clone());
        }
        let elements = self.pickle.sequence(id).unwrap_or(&[]);
        let mut bytes = Vec::with_capacity(elements.len().saturating_mul(dtype.size()));
        for &element in elements {
            match (dtype, self.pickle.get(element)) {
                (Dtype::I64, &Value::Int(number)) => bytes.extend_from_slice(&number.to_le_bytes()),
                (Dtype::F64, &Value::Float(number)) => bytes.extend_from_slice(&number.to_le_bytes()),
                (Dtype::F32, &Value::Float(number)) => {
                    bytes.extend_from_slice(&(number as f32).to_le_bytes())
                }
                _ => return Err(TensorError::Channels { what: self.pickle.describe(element), dtype }),
            }
        }
        let view = Strided::contiguous(Shape::new([elements.len()])?);
        let storage = Storage::Ready(Bytes::held(bytes));
        let list = LazyTensor { dtype, view, byte_order: ByteOrder::Little, storage };
        self.lists.insert((id, dtype), list.clone());
        Ok(list)
    }
}

fn scalar(dtype: Dtype, bytes: &[u8]) -> LazyTensor {
    let storage = Storage::Ready(Bytes::held(bytes.to_vec()));
    let view = Strided::contiguous(Shape::scalar());
    LazyTensor { dtype, view, byte_order: ByteOrder::Little, storage }
}
