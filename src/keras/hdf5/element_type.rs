//! The element types of datasets.

use hdf5_reader::Datatype;

use super::super::error::ErrorKind;
use super::{Dataset, File, at};
use crate::tensor::{ByteOrder, Dtype};

/// The longest description of a type in a message.
const SHOWN: usize = 120;

impl File {
    /// The type and byte order of a dataset's elements, as variables have them.
    pub(super) fn element_type(
        &self,
        dataset: &Dataset,
        datatype: &Datatype,
    ) -> Result<(Dtype, ByteOrder), ErrorKind> {
        let order = |order: &hdf5_reader::ByteOrder| match order {
            hdf5_reader::ByteOrder::LittleEndian => ByteOrder::Little,
            hdf5_reader::ByteOrder::BigEndian => ByteOrder::Big,
        };
        let path = dataset.path.as_str();
        let unsupported = || {
            let found: String = format!("{datatype:?}").chars().take(SHOWN).collect();
            ErrorKind::ElementType { at: path.into(), found }
        };
        Ok(match datatype {
            Datatype::FixedPoint { size, signed, byte_order } => {
                let dtype = match (size, signed) {
                    (1, true) => Dtype::I8,
                    (1, false) => Dtype::U8,
                    (2, true) => Dtype::I16,
                    (2, false) => Dtype::U16,
                    (4, true) => Dtype::I32,
                    (4, false) => Dtype::U32,
                    (8, true) => Dtype::I64,
                    (8, false) => Dtype::U64,
                    _ => return Err(unsupported()),
                };
                (dtype, order(byte_order))
            }
            Datatype::FloatingPoint { size, byte_order } => {
                let dtype = match size {
                    2 => self.half_type(dataset)?.ok_or_else(unsupported)?,
                    4 => Dtype::F32,
                    8 => Dtype::F64,
                    _ => return Err(unsupported()),
                };
                (dtype, order(byte_order))
            }
            // Keras marks bfloat16 with an attribute, for HDF5 before 2.0 has no type for it.
            Datatype::Opaque { size: 2, .. } => match self.text_attribute(dataset.address, "dtype", path)? {
                Some(mark) if mark == "bfloat16" => (Dtype::Bf16, ByteOrder::Little),
                Some(_) => return Err(unsupported()),
                None => return Err(ErrorKind::UnmarkedBfloat16 { at: path.into() }),
            },
            // h5py writes complex numbers as a compound of `r` and `i`.
            Datatype::Compound { size: size @ (8 | 16), fields } => {
                let half = size / 2;
                let part = |name: &str, offset: u32| {
                    fields.iter().find_map(|field| match &field.datatype {
                        Datatype::FloatingPoint { size, byte_order }
                            if *size as u64 == u64::from(half)
                                && field.name == name
                                && field.byte_offset == offset =>
                        {
                            Some(order(byte_order))
                        }
                        _ => None,
                    })
                };
                let dtype = if *size == 8 { Dtype::Complex64 } else { Dtype::Complex128 };
                match (part("r", 0), part("i", half)) {
                    (Some(real), Some(imaginary)) if real == imaginary && fields.len() == 2 => (dtype, real),
                    _ => return Err(unsupported()),
                }
            }
            // h5py writes booleans as an enumeration of `FALSE` and `TRUE`.
            Datatype::Enum { base, .. } if matches!(**base, Datatype::FixedPoint { size: 1, .. }) => {
                (Dtype::Bool, ByteOrder::Little)
            }
            _ => return Err(unsupported()),
        })
    }

    /// Which of the two-byte floats a dataset holds, by the size of the exponent, which the library does not
    /// tell: byte 13 of the message (class and flags take 4, the size 4, offset and precision 2 each, the
    /// exponent's location 1).
    fn half_type(&self, dataset: &Dataset) -> Result<Option<Dtype>, ErrorKind> {
        let message = self.opened(dataset)?.raw_datatype().map_err(at(&dataset.path))?;
        Ok(match message.get(13) {
            Some(5) => Some(Dtype::F16),
            Some(8) => Some(Dtype::Bf16),
            _ => None,
        })
    }
}
