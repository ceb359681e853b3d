//! Object headers and their messages (specification IV.A).

use crate::tensor::{Dtype, Shape};

/// Dataspace.
const DATASPACE: u16 = 0x0001;
/// Datatype.
const DATATYPE: u16 = 0x0003;
/// Fill value.
const FILL_VALUE: u16 = 0x0005;
/// Data layout.
const DATA_LAYOUT: u16 = 0x0008;
/// Attribute.
const ATTRIBUTE: u16 = 0x000C;
/// Symbol table: a group's index and names.
const SYMBOL_TABLE: u16 = 0x0011;
/// The flag of a message that never changes.
const CONSTANT: u8 = 1;

/// An address that is not set.
pub(super) const UNDEFINED: u64 = u64::MAX;
/// A message's size is counted in 16 bits and is a multiple of 8.
pub(super) const MAX_MESSAGE_BYTES: usize = 65_528;
/// What the data of a variable-length string takes in place: length, collection, index.
pub(super) const VARIABLE_LENGTH_BYTES: usize = 16;

/// The next multiple of 8.
pub(super) const fn pad8(len: usize) -> usize {
    len.next_multiple_of(8)
}

/// An object header of version 1 in the making.
#[derive(Debug, Default)]
pub(super) struct ObjectHeader {
    messages: Vec<u8>,
    count: u16,
}

impl ObjectHeader {
    /// The prefix: version, messages, reference count, bytes of messages, padding.
    pub(super) const PREFIX_BYTES: usize = 16;

    /// Appends a message of at most [`MAX_MESSAGE_BYTES`] and tells where in the header its body starts.
    fn push(&mut self, kind: u16, flags: u8, body: &[u8]) -> usize {
        let size = pad8(body.len());
        self.messages.extend(kind.to_le_bytes());
        self.messages.extend(u16::try_from(size).unwrap_or(u16::MAX).to_le_bytes());
        self.messages.extend([flags, 0, 0, 0]);
        let start = Self::PREFIX_BYTES + self.messages.len();
        self.messages.extend(body);
        self.messages.resize(start - Self::PREFIX_BYTES + size, 0);
        self.count += 1;
        start
    }

    /// A group's index and names.
    pub(super) fn push_symbol_table(&mut self, tree: u64, heap: u64) {
        let mut body = Vec::with_capacity(16);
        body.extend(tree.to_le_bytes());
        body.extend(heap.to_le_bytes());
        self.push(SYMBOL_TABLE, 0, &body);
    }

    /// A dataset's extent, type, fill value (zeros, allocated late) and contiguous layout. Tells where in the
    /// header the address of the elements belongs; it is not set.
    pub(super) fn push_dataset(&mut self, dtype: Dtype, shape: &Shape, bytes: u64) -> usize {
        self.push(DATASPACE, 0, &dataspace(shape.sizes()));
        self.push(DATATYPE, CONSTANT, &datatype(dtype));
        self.push(FILL_VALUE, 0, &[2, 2, 2, 1, 0, 0, 0, 0]);
        let mut layout = vec![3, 1];
        layout.extend(UNDEFINED.to_le_bytes());
        layout.extend(bytes.to_le_bytes());
        2 + self.push(DATA_LAYOUT, 0, &layout)
    }

    /// An attribute (message version 3: with the name's character set, nothing padded). Tells where in the
    /// header its data starts, or how many bytes are too many.
    pub(super) fn push_attribute(
        &mut self,
        name: &str,
        datatype: &[u8],
        dataspace: &[u8],
        data: &[u8],
    ) -> Result<usize, usize> {
        let name_size = name.len() + 1;
        let total = 9 + name_size + datatype.len() + dataspace.len() + data.len();
        let (true, Ok(name_size)) = (pad8(total) <= MAX_MESSAGE_BYTES, u16::try_from(name_size)) else {
            return Err(total);
        };
        let mut body = vec![3, 0];
        body.extend(name_size.to_le_bytes());
        // Both are a few bytes of ours.
        body.extend((datatype.len() as u16).to_le_bytes());
        body.extend((dataspace.len() as u16).to_le_bytes());
        body.push(u8::from(!name.is_ascii()));
        body.extend(name.bytes());
        body.push(0);
        body.extend(datatype);
        body.extend(dataspace);
        let data_start = body.len();
        body.extend(data);
        Ok(data_start + self.push(ATTRIBUTE, 0, &body))
    }

    /// The bytes of the header of an object that has so many names: links that lead to it.
    pub(super) fn finish(self, names: u32) -> Vec<u8> {
        let mut bytes = vec![1, 0];
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(names.to_le_bytes());
        bytes.extend(u32::try_from(self.messages.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.messages);
        bytes
    }
}

/// A dataspace of version 1 (IV.A.2.b); no axes for a scalar.
pub(super) fn dataspace(sizes: &[usize]) -> Vec<u8> {
    // A shape has at most 64 axes.
    let mut bytes = vec![1, sizes.len() as u8, 0, 0, 0, 0, 0, 0];
    for &size in sizes {
        bytes.extend((size as u64).to_le_bytes());
    }
    bytes
}

/// The datatype of an element (IV.A.2.d), version 1. `bool` is the enumeration that h5py writes for NumPy's;
/// `bfloat16` is opaque bytes, as Keras stores it; so would be what [`Dtype::is_loaded_by_keras`] leaves out.
pub(super) fn datatype(dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::Bool => {
            let mut bytes = vec![0x18, 2, 0, 0, 1, 0, 0, 0];
            bytes.extend(integer(1, true));
            bytes.extend(b"FALSE\0\0\0TRUE\0\0\0\0\0\x01");
            bytes
        }
        Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => integer(dtype.size(), false),
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => integer(dtype.size(), true),
        Dtype::F16 => float(16, 5, 10),
        Dtype::F32 => float(32, 8, 23),
        Dtype::F64 => float(64, 11, 52),
        Dtype::Complex64 => complex(&float(32, 8, 23)),
        Dtype::Complex128 => complex(&float(64, 11, 52)),
        Dtype::Bf16
        | Dtype::F8E4m3fn
        | Dtype::F8E5m2
        | Dtype::F8E4m3fnuz
        | Dtype::F8E5m2fnuz
        | Dtype::F8E8m0fnu
        | Dtype::F4E2m1fnX2
        | Dtype::Complex32
        | Dtype::Bcomplex32 => vec![0x15, 0, 0, 0, dtype.size() as u8, 0, 0, 0],
    }
}

/// The compound that h5py writes for NumPy's complex numbers: `r`, then `i`, each of the datatype `part`.
fn complex(part: &[u8]) -> Vec<u8> {
    // Byte 4 of a datatype is its size, of a float at most 8.
    let size = part.get(4).copied().unwrap_or_default();
    let mut bytes = vec![0x16, 2, 0, 0, 2 * size, 0, 0, 0];
    for (name, offset) in [(b'r', 0), (b'i', size)] {
        bytes.extend([name, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([offset, 0, 0, 0]);
        // No array of the member's type: no axes, no permutation, four unused sizes.
        bytes.extend([0; 28]);
        bytes.extend(part);
    }
    bytes
}

/// A fixed-length, NUL-padded string.
pub(super) fn fixed_string(len: usize, ascii: bool) -> Vec<u8> {
    let character_set = if ascii { 0x00 } else { 0x10 };
    let mut bytes = vec![0x13, 0x01 | character_set, 0, 0];
    bytes.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    bytes
}

/// A variable-length, NUL-terminated UTF-8 string.
pub(super) fn variable_string() -> Vec<u8> {
    let mut bytes = vec![0x19, 0x01, 0x01, 0, VARIABLE_LENGTH_BYTES as u8, 0, 0, 0];
    bytes.extend(integer(1, false));
    bytes
}

/// A little-endian integer: size, bit offset 0, all bits.
fn integer(size: usize, signed: bool) -> Vec<u8> {
    let size = size as u8;
    vec![0x10, if signed { 0x08 } else { 0 }, 0, 0, size, 0, 0, 0, 0, 0, size * 8, 0]
}

/// A little-endian IEEE float with an implied leading bit.
fn float(bits: u8, exponent_bits: u8, mantissa_bits: u8) -> Vec<u8> {
    let bias = (1_u32 << (exponent_bits - 1)) - 1;
    let mut bytes = vec![0x11, 0x20, bits - 1, 0, bits / 8, 0, 0, 0];
    bytes.extend([0, 0, bits, 0, mantissa_bits, exponent_bits, 0, mantissa_bits]);
    bytes.extend(bias.to_le_bytes());
    bytes
}
