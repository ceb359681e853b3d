//! The storage classes (formats/pytorch.md section 2.3). A class goes by its name alone, as in torch.

use crate::tensor::Dtype;

/// What the elements of a storage are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StorageClass {
    /// Elements of a type.
    Plain(Dtype),
    /// The integers of a quantized type.
    Quantized(Dtype),
    /// Several integers in each byte, of the quantized type with this name.
    Packed(&'static str),
    /// Bytes, whose type each tensor tells.
    Untyped,
}

impl StorageClass {
    /// A class that `torch.save` writes.
    pub(crate) fn saved(class: &str) -> Option<Self> {
        Some(match class {
            "DoubleStorage" => Self::Plain(Dtype::F64),
            "FloatStorage" => Self::Plain(Dtype::F32),
            "HalfStorage" => Self::Plain(Dtype::F16),
            "BFloat16Storage" => Self::Plain(Dtype::Bf16),
            "LongStorage" => Self::Plain(Dtype::I64),
            "IntStorage" => Self::Plain(Dtype::I32),
            "ShortStorage" => Self::Plain(Dtype::I16),
            "CharStorage" => Self::Plain(Dtype::I8),
            "ByteStorage" => Self::Plain(Dtype::U8),
            "BoolStorage" => Self::Plain(Dtype::Bool),
            "ComplexFloatStorage" => Self::Plain(Dtype::Complex64),
            "ComplexDoubleStorage" => Self::Plain(Dtype::Complex128),
            "QInt8Storage" => Self::Quantized(Dtype::I8),
            "QUInt8Storage" => Self::Quantized(Dtype::U8),
            "QInt32Storage" => Self::Quantized(Dtype::I32),
            "QUInt4x2Storage" => Self::Packed("quint4x2"),
            "QUInt2x4Storage" => Self::Packed("quint2x4"),
            "UntypedStorage" | "_UntypedStorage" => Self::Untyped,
            _ => return None,
        })
    }

    /// A class of a zip archive: one that `torch.save` writes, or one that TorchScript makes of a type for which
    /// `torch.save` writes untyped storages: the type's name in C++ and `Storage`
    /// (torch/csrc/jit/serialization/pickler.cpp).
    pub(crate) fn archived(class: &str) -> Option<Self> {
        Self::saved(class).or_else(|| {
            Some(Self::Plain(match class {
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
            }))
        })
    }

    /// Bytes of an element. Untyped storages count bytes.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Plain(dtype) | Self::Quantized(dtype) => dtype.size(),
            Self::Packed(_) | Self::Untyped => 1,
        }
    }
}
