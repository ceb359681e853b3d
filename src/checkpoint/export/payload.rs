//! One tensor of a configuration.

use std::collections::HashMap;

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::pickle::{TensorError, UnsupportedTensor};
use crate::checkpoint::pickled::Storages;
use crate::checkpoint::read::RawTensor;
use crate::checkpoint::reading::Reading;
use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::Role;
use crate::checkpoint::view::{Axes, View};
use crate::tensor::{ByteOrder, Dtype};

use super::config::{Payload, Payloads, SymInt, TensorMeta};
use super::pickled::Pickled;

/// `Layout.Strided` of `torch/_export/serde/schema.py`.
const STRIDED: u32 = 7;

/// Storages of pickled tensors are numbered from here on: they are no records themselves.
const FIRST_PICKLED: usize = usize::MAX / 2;

/// Reads the tensors of a configuration into `reading`; `role` tells what each is.
pub(super) fn read_all(
    payloads: Payloads,
    folder: &str,
    records: &mut Records,
    pickled: &mut Pickled<'_>,
    reading: &mut Reading,
    role: impl Fn(&str, &Payload) -> Role,
) -> Result<(), ErrorKind> {
    // One record may have many names.
    let mut unpickled: HashMap<String, RawTensor> = HashMap::new();
    for (key, payload) in payloads.0 {
        let role = role(&key, &payload);
        let record = format!("{folder}{}", payload.path_name);
        if !payload.use_pickle {
            let tensor = read_raw(&payload, &record, records, &key);
            reading.take(key, role, tensor.map(|tensor| vec![tensor]));
        } else if payload.tensor_meta.is_none() {
            reading.leave_out(key, "pickled object".to_owned());
        } else if let Some(known) = unpickled.get(&record) {
            let tensor = RawTensor { key: key.clone(), tensor: known.tensor.clone(), ..*known };
            reading.take(key, role, Ok(vec![tensor]));
        } else {
            let number = FIRST_PICKLED.saturating_add(unpickled.len());
            let tensor = pickled
                .tensor(records, &record, &key)?
                .map(|tensor| RawTensor { storage: Some(number), ..tensor });
            if let Ok(tensor) = &tensor {
                let known = RawTensor { key: String::new(), tensor: tensor.tensor.clone(), ..*tensor };
                unpickled.insert(record, known);
            }
            reading.take(key, role, tensor.map(|tensor| vec![tensor]));
        }
    }
    Ok(())
}

/// A tensor whose record is its storage.
fn read_raw(
    payload: &Payload,
    record: &str,
    records: &mut Records,
    key: &str,
) -> Result<RawTensor, TensorError> {
    let what = "tensor_meta";
    let wrong = |what| TensorError::Arguments { function: "tensor_meta".to_owned(), what };
    let meta = payload.tensor_meta.as_ref().ok_or_else(|| wrong("there is none"))?;
    let TensorMeta { dtype, sizes, strides, storage_offset, layout } = meta;
    if *layout != STRIDED {
        return Err(TensorError::Unsupported(UnsupportedTensor::Layout));
    }
    let dtype = dtype_of(*dtype)?;
    let (storage, bytes) = records.storage_at(record)?;
    if bytes.byte_len() % dtype.size() != 0 {
        return Err(wrong("the record has no whole number of elements"));
    }
    let numbers = |axes: &Axes<SymInt>| axes.0.iter().map(|number| number.as_int).collect::<Vec<_>>();
    let (sizes, strides) = (numbers(sizes), numbers(strides));
    let view = View { what, dtype, sizes: &sizes, strides: &strides, offset: storage_offset.as_int };
    let byte_order = if dtype.size() == 1 { ByteOrder::Little } else { records.byte_order() };
    let tensor = view.of(bytes, byte_order)?;
    Ok(RawTensor { key: key.to_owned(), tensor, storage: Some(storage), role: Role::Unknown })
}

/// `ScalarType` of `torch/_export/serde/schema.py`.
fn dtype_of(number: u32) -> Result<Dtype, TensorError> {
    Ok(match number {
        1 => Dtype::U8,
        2 => Dtype::I8,
        3 => Dtype::I16,
        4 => Dtype::I32,
        5 => Dtype::I64,
        6 => Dtype::F16,
        7 => Dtype::F32,
        8 => Dtype::F64,
        9 => Dtype::Complex32,
        10 => Dtype::Complex64,
        11 => Dtype::Complex128,
        12 => Dtype::Bool,
        13 => Dtype::Bf16,
        28 => Dtype::U16,
        29 => Dtype::F8E4m3fn,
        30 => Dtype::F8E5m2,
        31 => Dtype::F8E4m3fnuz,
        32 => Dtype::F8E5m2fnuz,
        33 => Dtype::F8E8m0fnu,
        34 => Dtype::U32,
        35 => Dtype::U64,
        other => {
            let dtype = format!("number {other}");
            return Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype }));
        }
    })
}
