//! The storage classes (formats/pytorch.md section 2.3).

/// Bytes of an element of a storage class, which goes by its name alone, as in torch. Untyped storages count
/// bytes.
pub(crate) fn storage_width(class: &str) -> Option<usize> {
    Some(match class {
        "ComplexDoubleStorage" => 16,
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
        "FloatStorage" | "IntStorage" | "QInt32Storage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "CharStorage" | "ByteStorage" | "BoolStorage" | "QInt8Storage" | "QUInt8Storage"
        | "QUInt4x2Storage" | "QUInt2x4Storage" | "UntypedStorage" | "_UntypedStorage" => 1,
        _ => return None,
    })
}
