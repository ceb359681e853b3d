//! The storage classes that TorchScript writes for element types that `torch.save` writes as untyped storages:
//! the name of the type in C++ and `Storage` (torch/csrc/jit/serialization/pickler.cpp).

use crate::tensor::Dtype;

/// The element type of such a class.
pub(super) fn script_storage_dtype(class: &str) -> Option<Dtype> {
    Some(match class {
        "UInt16Storage" => Dtype::U16,
        "UInt32Storage" => Dtype::U32,
        "UInt64Storage" => Dtype::U64,
        "Float8_e4m3fnStorage" => Dtype::F8E4m3fn,
        "Float8_e5m2Storage" => Dtype::F8E5m2,
        "Float8_e4m3fnuzStorage" => Dtype::F8E4m3fnuz,
        "Float8_e5m2fnuzStorage" => Dtype::F8E5m2fnuz,
        "Float8_e8m0fnuStorage" => Dtype::F8E8m0fnu,
        "ComplexHalfStorage" => Dtype::Complex32,
        _ => return None,
    })
}
