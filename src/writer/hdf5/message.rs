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

/// The prefix of a header: version, messages, reference count, bytes of messages, padding.
const PREFIX_BYTES: usize = 16;

/// An object header of version 1, which grows at the end of a file.
#[derive(Debug)]
pub(super) struct ObjectHeader<'f> {
    file: &'f mut Vec<u8>,
    /// Where it starts.
    start: usize,
    count: u16,
}

impl<'f> ObjectHeader<'f> {
    /// The header of an object that has so many names (links that lead to it), at the end of a file.
    pub(super) fn new(file: &'f mut Vec<u8>, names: u32) -> Self {
        let start = file.len();
        file.extend_from_slice(&[1, 0, 0, 0]);
        file.extend_from_slice(&names.to_le_bytes());
        file.resize(start + PREFIX_BYTES, 0);
        Self { file, start, count: 0 }
    }

    /// Appends a message of at most [`MAX_MESSAGE_BYTES`], whose body `put` appends, and tells where in the file that
    /// starts, or how many bytes are too many.
    fn push(&mut self, kind: u16, flags: u8, put: impl FnOnce(&mut Vec<u8>)) -> Result<usize, usize> {
        self.file.extend_from_slice(&kind.to_le_bytes());
        let size_at = self.file.len();
        self.file.extend_from_slice(&[0, 0, flags, 0, 0, 0]);
        let start = self.file.len();
        put(self.file);
        let size = self.file.len() - start;
        let padded = pad8(size);
        let counted = u16::try_from(padded).map_err(|_| size)?;
        self.file.resize(start + padded, 0);
        self.file[size_at..size_at + 2].copy_from_slice(&counted.to_le_bytes());
        self.count += 1;
        Ok(start)
    }

    /// A group's index and names.
    pub(super) fn push_symbol_table(&mut self, tree: u64, heap: u64) -> Result<(), usize> {
        let put = |body: &mut Vec<u8>| {
            body.extend_from_slice(&tree.to_le_bytes());
            body.extend_from_slice(&heap.to_le_bytes());
        };
        self.push(SYMBOL_TABLE, 0, put).map(drop)
    }

    /// A dataset's extent, type, fill value (zeros, allocated late) and contiguous layout. Tells where in the
    /// file the address of the elements belongs; it is not set.
    pub(super) fn push_dataset(&mut self, dtype: Dtype, shape: &Shape, bytes: u64) -> Result<usize, usize> {
        self.push(DATASPACE, 0, |body| put_dataspace(body, shape.sizes()))?;
        self.push(DATATYPE, CONSTANT, |body| put_datatype(body, dtype))?;
        self.push(FILL_VALUE, 0, |body| body.extend_from_slice(&[2, 2, 2, 1, 0, 0, 0, 0]))?;
        let layout = self.push(DATA_LAYOUT, 0, |body| {
            body.extend_from_slice(&[3, 1]);
            body.extend_from_slice(&UNDEFINED.to_le_bytes());
            body.extend_from_slice(&bytes.to_le_bytes());
        })?;
        Ok(layout + 2)
    }

    /// An attribute (message version 3: with the name's character set, nothing padded) of the type and the extent that
    /// two functions append. Tells where in the file its data starts, or how many bytes are too many.
    pub(super) fn push_attribute(
        &mut self,
        name: &str,
        put_datatype: impl FnOnce(&mut Vec<u8>),
        put_dataspace: impl FnOnce(&mut Vec<u8>),
        data: &[u8],
    ) -> Result<usize, usize> {
        let name_size = name.len() + 1;
        let counted = u16::try_from(name_size).map_err(|_| name_size + data.len())?;
        let mut data_start = 0;
        self.push(ATTRIBUTE, 0, |body| {
            body.extend_from_slice(&[3, 0]);
            body.extend_from_slice(&counted.to_le_bytes());
            let sizes_at = body.len();
            body.extend_from_slice(&[0, 0, 0, 0, u8::from(!name.is_ascii())]);
            body.extend_from_slice(name.as_bytes());
            body.push(0);
            let datatype_start = body.len();
            put_datatype(body);
            let dataspace_start = body.len();
            put_dataspace(body);
            data_start = body.len();
            body.extend_from_slice(data);
            // Both are a few bytes of ours.
            let sizes = [dataspace_start - datatype_start, data_start - dataspace_start];
            for (place, size) in [sizes_at, sizes_at + 2].into_iter().zip(sizes) {
                body[place..place + 2].copy_from_slice(&(size as u16).to_le_bytes());
            }
        })?;
        Ok(data_start)
    }

    /// Completes it, and tells where it starts.
    pub(super) fn finish(self) -> u64 {
        let Self { file, start, count } = self;
        let len = u32::try_from(file.len() - start - PREFIX_BYTES).unwrap_or(u32::MAX);
        file[start + 2..start + 4].copy_from_slice(&count.to_le_bytes());
        file[start + 8..start + 12].copy_from_slice(&len.to_le_bytes());
        start as u64
    }
}

/// A dataspace of version 1 (IV.A.2.b); no axes for a scalar.
pub(super) fn put_dataspace(bytes: &mut Vec<u8>, sizes: &[usize]) {
    // A shape has at most 64 axes.
    bytes.extend_from_slice(&[1, sizes.len() as u8, 0, 0, 0, 0, 0, 0]);
    for &size in sizes {
        bytes.extend_from_slice(&(size as u64).to_le_bytes());
    }
}

/// The datatype of an element (IV.A.2.d), version 1. `bool` is the enumeration that h5py writes for NumPy's;
/// `bfloat16` is opaque bytes, as Keras stores it; so would be what [`Dtype::is_loaded_by_keras`] leaves out.
pub(super) fn put_datatype(bytes: &mut Vec<u8>, dtype: Dtype) {
    match dtype {
        Dtype::Bool => {
            bytes.extend_from_slice(&[0x18, 2, 0, 0, 1, 0, 0, 0]);
            put_integer(bytes, 1, true);
            bytes.extend_from_slice(b"FALSE\0\0\0TRUE\0\0\0\0\0\x01");
        }
        Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => put_integer(bytes, dtype.size(), false),
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => put_integer(bytes, dtype.size(), true),
        Dtype::F16 => put_float(bytes, 16, 5, 10),
        Dtype::F32 => put_float(bytes, 32, 8, 23),
        Dtype::F64 => put_float(bytes, 64, 11, 52),
        Dtype::Complex64 => put_complex(bytes, 8, |part| put_float(part, 32, 8, 23)),
        Dtype::Complex128 => put_complex(bytes, 16, |part| put_float(part, 64, 11, 52)),
        Dtype::Bf16
        | Dtype::F8E4m3fn
        | Dtype::F8E5m2
        | Dtype::F8E4m3fnuz
        | Dtype::F8E5m2fnuz
        | Dtype::F8E8m0fnu
        | Dtype::F4E2m1fnX2
        | Dtype::Complex32
        | Dtype::Bcomplex32 => bytes.extend_from_slice(&[0x15, 0, 0, 0, dtype.size() as u8, 0, 0, 0]),
    }
}

/// The compound of `size` bytes that h5py writes for NumPy's complex numbers: `r`, then `i`, each of the datatype that
/// `put_part` appends.
fn put_complex(bytes: &mut Vec<u8>, size: u8, put_part: impl Fn(&mut Vec<u8>)) {
    bytes.extend_from_slice(&[0x16, 2, 0, 0, size, 0, 0, 0]);
    for (name, offset) in [(b'r', 0), (b'i', size / 2)] {
        bytes.extend_from_slice(&[name, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[offset, 0, 0, 0]);
        // No array of the member's type: no axes, no permutation, four unused sizes.
        bytes.extend_from_slice(&[0; 28]);
        put_part(bytes);
    }
}

/// A fixed-length, NUL-padded string.
pub(super) fn put_fixed_string(bytes: &mut Vec<u8>, len: usize, ascii: bool) {
    let character_set = if ascii { 0x00 } else { 0x10 };
    bytes.extend_from_slice(&[0x13, 0x01 | character_set, 0, 0]);
    bytes.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// A variable-length, NUL-terminated UTF-8 string.
pub(super) fn put_variable_string(bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&[0x19, 0x01, 0x01, 0, VARIABLE_LENGTH_BYTES as u8, 0, 0, 0]);
    put_integer(bytes, 1, false);
}

/// A little-endian integer: size, bit offset 0, all bits.
fn put_integer(bytes: &mut Vec<u8>, size: usize, signed: bool) {
    let size = size as u8;
    let sign = if signed { 0x08 } else { 0 };
    bytes.extend_from_slice(&[0x10, sign, 0, 0, size, 0, 0, 0, 0, 0, size * 8, 0]);
}

/// A little-endian IEEE float with an implied leading bit.
fn put_float(bytes: &mut Vec<u8>, bits: u8, exponent_bits: u8, mantissa_bits: u8) {
    let bias = (1_u32 << (exponent_bits - 1)) - 1;
    bytes.extend_from_slice(&[0x11, 0x20, bits - 1, 0, bits / 8, 0, 0, 0]);
    bytes.extend_from_slice(&[0, 0, bits, 0, mantissa_bits, exponent_bits, 0, mantissa_bits]);
    bytes.extend_from_slice(&bias.to_le_bytes());
}
