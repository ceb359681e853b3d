//! What torch's own globals mean: storages (formats/pytorch.md sections 2.2 and 2.3) and the `_rebuild_*`
//! functions (section 2.4).

use crate::tensor::{Dtype, MAX_RANK, Shape, ShapeError};

use super::script_storage::script_storage_dtype;
use super::tensor_error::{TensorError, UnsupportedTensor};
use super::value::{Object, Pickle, Value, ValueId, shown_global};

/// A tensor as the pickle tells of it; nothing is checked against the storage yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorSpec<'a> {
    pub(crate) storage: StorageSpec<'a>,
    pub(crate) dtype: Dtype,
    pub(crate) offset: usize,
    pub(crate) shape: Shape,
    pub(crate) strides: Vec<usize>,
}

/// A storage, by its persistent id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorageSpec<'a> {
    /// The record's name after `data/`; an opaque text.
    pub(crate) key: &'a str,
    /// The storage's own element type; `None` for untyped storages, which count bytes.
    pub(crate) dtype: Option<Dtype>,
    /// Elements (bytes when untyped).
    pub(crate) numel: usize,
}

impl StorageSpec<'_> {
    /// Bytes of one element of the storage.
    pub(crate) fn width(&self) -> usize {
        self.dtype.map_or(1, Dtype::size)
    }
}

/// Calls around calls that are looked through: a buffer in a subclass in a parameter takes three.
const MAX_WRAPPERS: usize = 8;

/// Bytes of a storage's key. torch writes decimal numbers.
const MAX_STORAGE_KEY: usize = 256;

/// Whether a value stands for a tensor, supported or not.
pub(crate) fn is_tensor(pickle: &Pickle<'_>, id: ValueId) -> bool {
    match pickle.get(id) {
        Value::Persistent(pid) => pickle
            .sequence(*pid)
            .and_then(|elements| elements.first())
            .is_some_and(|&tag| pickle.text(tag) == Some("storage")),
        Value::Object(object) => pickle.global(object.callable).is_some_and(|(module, name)| {
            is_torch(module)
                && (name.starts_with("_rebuild")
                    || (name.ends_with("Tensor") && !module.contains("classes"))
                    || (name == "Parameter" || name == "Buffer"))
        }),
        _ => false,
    }
}

/// The class of a value that is a pickled `nn.Module`: known by its state, since the name is arbitrary.
pub(crate) fn module_class(pickle: &Pickle<'_>, id: ValueId) -> Option<String> {
    let Value::Object(object) = pickle.get(id) else { return None };
    let Value::Dict(state) = pickle.get(object.state?) else { return None };
    ["_parameters", "_buffers", "_modules"]
        .iter()
        .all(|key| pickle.item(state, key).is_some())
        .then(|| pickle.global_name(object.callable))
}

fn is_torch(module: &str) -> bool {
    module == "torch" || module.starts_with("torch.")
}

/// Reads a value that [`is_tensor`].
pub(crate) fn tensor<'a>(pickle: &Pickle<'a>, id: ValueId) -> Result<TensorSpec<'a>, TensorError> {
    let mut object = match pickle.get(id) {
        Value::Object(object) => object,
        _ => return raw_storage(pickle, id),
    };
    for _ in 0..MAX_WRAPPERS {
        let call = Call::of(pickle, object)?;
        let inner = match call.name {
            "_rebuild_parameter" => call.arg(0, 3..=3, "3 are expected")?,
            "_rebuild_parameter_with_state" => call.arg(0, 4..=4, "4 are expected")?,
            "_rebuild_from_type_v2" => return from_type(pickle, &call),
            _ => return call.rebuild(),
        };
        object = match pickle.get(inner) {
            Value::Object(object) => object,
            _ => return Err(call.wrong("the first is no tensor")),
        };
    }
    Err(unsupported(UnsupportedTensor::Function { function: "too many wrapped calls".to_owned() }))
}

/// `_rebuild_from_type_v2(function, class, arguments, state)`: tensors with attributes, and subclasses.
fn from_type<'a>(pickle: &Pickle<'a>, call: &Call<'_, 'a>) -> Result<TensorSpec<'a>, TensorError> {
    let function = call.arg(0, 4..=4, "4 are expected")?;
    let class = call.arg(1, 4..=4, "4 are expected")?;
    let args = call.arg(2, 4..=4, "4 are expected")?;
    match pickle.global(class) {
        Some(("torch" | "torch._tensor" | "torch.tensor", "Tensor"))
        | Some(("torch.nn.parameter" | "torch.nn", "Parameter" | "Buffer")) => {}
        Some((_, "DTensor")) => return Err(unsupported(UnsupportedTensor::Distributed)),
        _ => return Err(unsupported(UnsupportedTensor::Subclass { class: pickle.global_name(class) })),
    }
    let (Some((module, name)), Value::Tuple(args)) = (pickle.global(function), pickle.get(args)) else {
        return Err(call.wrong("the function or its arguments"));
    };
    Call { pickle, module, name, args }.rebuild()
}

fn raw_storage<'a>(pickle: &Pickle<'a>, id: ValueId) -> Result<TensorSpec<'a>, TensorError> {
    let storage = storage(pickle, id)?;
    let shape = Shape::new(vec![storage.numel])?;
    Ok(TensorSpec { dtype: storage.dtype.unwrap_or(Dtype::U8), offset: 0, strides: vec![1], shape, storage })
}

/// A call of a rebuild function.
struct Call<'p, 'a> {
    pickle: &'p Pickle<'a>,
    module: &'a str,
    name: &'a str,
    args: &'p [ValueId],
}

impl<'p, 'a> Call<'p, 'a> {
    fn of(pickle: &'p Pickle<'a>, object: &'p Object) -> Result<Self, TensorError> {
        if object.state.is_some() || object.items.len() > 0 || !object.appended.is_empty() {
            return Err(TensorError::Changed);
        }
        let (Some((module, name)), Value::Tuple(args), true) = (
            pickle.global(object.callable),
            pickle.get(object.args),
            object.is_call && object.kwargs.is_none(),
        ) else {
            let function = pickle.global_name(object.callable);
            return Err(unsupported(UnsupportedTensor::Function { function }));
        };
        Ok(Self { pickle, module, name, args })
    }

    /// The function's name, for a message.
    fn function(&self) -> String {
        shown_global(self.module, self.name)
    }

    fn wrong(&self, what: &'static str) -> TensorError {
        TensorError::Arguments { function: self.function(), what }
    }

    fn arg(
        &self,
        index: usize,
        count: std::ops::RangeInclusive<usize>,
        expected: &'static str,
    ) -> Result<ValueId, TensorError> {
        match self.args.get(index) {
            Some(&arg) if count.contains(&self.args.len()) => Ok(arg),
            _ => Err(self.wrong(expected)),
        }
    }

    /// The functions that make a tensor from a storage; every other one by name.
    fn rebuild(&self) -> Result<TensorSpec<'a>, TensorError> {
        if !is_torch(self.module) {
            return Err(unsupported(UnsupportedTensor::Function { function: self.function() }));
        }
        let (count, expected, metadata) = match self.name {
            "_rebuild_tensor" => (4..=4, "4 are expected", None),
            "_rebuild_tensor_v2" => (6..=7, "6 or 7 are expected", self.args.get(6)),
            "_rebuild_tensor_v3" => (7..=8, "7 or 8 are expected", self.args.get(7)),
            other => return Err(self.refuse(other)),
        };
        let storage_id = self.arg(0, count.clone(), expected)?;
        if !is_storage(self.pickle, storage_id) {
            return Err(self.wrong("the first is no storage"));
        }
        let storage = storage(self.pickle, storage_id)?;
        let dtype = if self.name == "_rebuild_tensor_v3" {
            self.dtype(self.arg(6, count, expected)?)?
        } else {
            storage.dtype.ok_or_else(|| self.wrong("an untyped storage without a dtype"))?
        };
        if let Some(&metadata) = metadata {
            self.check_metadata(metadata)?;
        }
        let arg = |index: usize| self.args.get(index).copied().ok_or_else(|| self.wrong(expected));
        let offset = self.size(arg(1)?).ok_or_else(|| self.wrong("the offset is no count"))?;
        let sizes = self.sizes(arg(2)?, "the sizes are no counts")?;
        let strides = self.sizes(arg(3)?, "the strides are no counts")?;
        Ok(TensorSpec { storage, dtype, offset, shape: Shape::new(sizes)?, strides })
    }

    fn refuse(&self, name: &str) -> TensorError {
        unsupported(match name {
            "_rebuild_qtensor" => UnsupportedTensor::Quantized,
            "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor" => UnsupportedTensor::Sparse,
            "_rebuild_nested_tensor" => UnsupportedTensor::Nested,
            "_rebuild_meta_tensor_no_storage" => UnsupportedTensor::Meta,
            "_rebuild_wrapper_subclass" => UnsupportedTensor::Subclass {
                class: self.args.first().map_or_else(String::new, |&class| self.pickle.global_name(class)),
            },
            _ => UnsupportedTensor::Function { function: self.function() },
        })
    }

    fn dtype(&self, id: ValueId) -> Result<Dtype, TensorError> {
        match self.pickle.global(id) {
            Some(("torch", name)) => Dtype::from_name(name)
                .ok_or_else(|| unsupported(UnsupportedTensor::Dtype { dtype: name.to_owned() })),
            _ => Err(self.wrong("the dtype is none")),
        }
    }

    fn check_metadata(&self, id: ValueId) -> Result<(), TensorError> {
        let dict = match self.pickle.get(id) {
            Value::None => return Ok(()),
            Value::Dict(dict) => dict,
            _ => return Err(self.wrong("the metadata is no dictionary")),
        };
        for (key, value) in dict.items() {
            match (self.pickle.text(key), self.pickle.get(value)) {
                (Some("conj" | "neg"), Value::Bool(false)) => {}
                (Some("conj"), _) => return Err(unsupported(UnsupportedTensor::LazyBit { bit: "conj" })),
                (Some("neg"), _) => return Err(unsupported(UnsupportedTensor::LazyBit { bit: "neg" })),
                (entry, _) => {
                    let entry = entry.map_or_else(|| self.pickle.describe(key), ToOwned::to_owned);
                    return Err(unsupported(UnsupportedTensor::Metadata { entry }));
                }
            }
        }
        Ok(())
    }

    fn size(&self, id: ValueId) -> Option<usize> {
        match self.pickle.get(id) {
            &Value::Int(size) => usize::try_from(size).ok(),
            _ => None,
        }
    }

    /// One count for every axis. A list that is too long is not walked: every tensor may name the same one.
    fn sizes(&self, id: ValueId, wrong: &'static str) -> Result<Vec<usize>, TensorError> {
        let sizes = self.pickle.sequence(id).ok_or_else(|| self.wrong(wrong))?;
        if sizes.len() > MAX_RANK {
            return Err(ShapeError::Rank { rank: sizes.len() }.into());
        }
        sizes.iter().map(|&size| self.size(size).ok_or_else(|| self.wrong(wrong))).collect()
    }
}

fn is_storage(pickle: &Pickle<'_>, id: ValueId) -> bool {
    matches!(pickle.get(id), Value::Persistent(_))
}

/// `('storage', class, key, location, numel)`. The class goes by its name alone, as in torch, and the
/// location (a device) says nothing about the bytes.
fn storage<'a>(pickle: &Pickle<'a>, id: ValueId) -> Result<StorageSpec<'a>, TensorError> {
    let wrong = |what| TensorError::Arguments { function: "a storage".to_owned(), what };
    let Value::Persistent(pid) = pickle.get(id) else { return Err(wrong("it is none")) };
    let elements = pickle.sequence(*pid).ok_or_else(|| wrong("the persistent id is no tuple"))?;
    let [tag, class, key, _location, numel] = *elements else {
        return Err(wrong("the persistent id has not 5 elements"));
    };
    if pickle.text(tag) != Some("storage") {
        return Err(wrong("the persistent id is no storage's"));
    }
    let (_, class) = pickle.global(class).ok_or_else(|| wrong("the class is no global"))?;
    let key = pickle.text(key).ok_or_else(|| wrong("the key is no text"))?;
    if key.len() > MAX_STORAGE_KEY {
        return Err(wrong("the key is longer than any that torch writes"));
    }
    let numel = match pickle.get(numel) {
        &Value::Int(numel) => usize::try_from(numel).ok(),
        _ => None,
    };
    let numel = numel.ok_or_else(|| wrong("the number of elements is no count"))?;
    Ok(StorageSpec { key, dtype: storage_dtype(class)?, numel })
}

/// The element type of a storage class; `None` for the untyped ones.
fn storage_dtype(class: &str) -> Result<Option<Dtype>, TensorError> {
    let refused = match class {
        "DoubleStorage" => return Ok(Some(Dtype::F64)),
        "FloatStorage" => return Ok(Some(Dtype::F32)),
        "HalfStorage" => return Ok(Some(Dtype::F16)),
        "BFloat16Storage" => return Ok(Some(Dtype::Bf16)),
        "LongStorage" => return Ok(Some(Dtype::I64)),
        "IntStorage" => return Ok(Some(Dtype::I32)),
        "ShortStorage" => return Ok(Some(Dtype::I16)),
        "CharStorage" => return Ok(Some(Dtype::I8)),
        "ByteStorage" => return Ok(Some(Dtype::U8)),
        "BoolStorage" => return Ok(Some(Dtype::Bool)),
        "UntypedStorage" | "_UntypedStorage" => return Ok(None),
        "ComplexFloatStorage" => "complex64",
        "ComplexDoubleStorage" => "complex128",
        "QInt8Storage" => "qint8",
        "QUInt8Storage" => "quint8",
        "QInt32Storage" => "qint32",
        "QUInt4x2Storage" => "quint4x2",
        "QUInt2x4Storage" => "quint2x4",
        other => match script_storage_dtype(other) {
            Some(dtype) => return Ok(Some(dtype)),
            None => other,
        },
    };
    Err(unsupported(UnsupportedTensor::Dtype { dtype: refused.to_owned() }))
}

const fn unsupported(kind: UnsupportedTensor) -> TensorError {
    TensorError::Unsupported(kind)
}
