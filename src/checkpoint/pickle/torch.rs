//! What torch's own globals mean: storages (formats/pytorch.md sections 2.2 and 2.3) and the `_rebuild_*`
//! functions (section 2.4).

use crate::tensor::{Dtype, Printable, Shape, ShapeError, StridedError};

use super::value::{Object, Pickle, Value, ValueId};

/// Why a tensor of the state_dict cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// A kind of tensor that is not supported.
    #[error("{0}")]
    Unsupported(UnsupportedTensor),
    /// The arguments of a rebuild function are not what torch writes.
    #[error("the arguments of {function} are wrong: {what}")]
    Arguments {
        /// The function.
        function: String,
        /// Which one.
        what: &'static str,
    },
    /// The pickle changes the tensor after it was rebuilt.
    #[error("the pickle sets items or a state on the tensor after it was rebuilt, which torch never does")]
    Changed,
    /// The storage has no record.
    #[error("the archive has no record `{record}` for its storage", record = Printable(record))]
    MissingRecord {
        /// The record.
        record: String,
    },
    /// The storage's record has another size than the pickle says.
    #[error(
        "the pickle says that the storage has {numel} elements of {width} bytes, \
         but the record `{record}` has {bytes} bytes", record = Printable(record)
    )]
    RecordSize {
        /// The record.
        record: String,
        /// Elements, by the pickle.
        numel: usize,
        /// Bytes of one.
        width: usize,
        /// Bytes of the record.
        bytes: usize,
    },
    /// The storage's record cannot be read.
    #[error("the record of its storage cannot be read: {0}")]
    Record(crate::checkpoint::ZipError),
    /// The sizes are no shape.
    #[error("{0}")]
    Shape(#[from] ShapeError),
    /// The view reaches past the storage.
    #[error("{0}")]
    View(#[from] StridedError),
    /// A view that repeats its elements is larger than anything that could be written.
    #[error("the view repeats {storage} bytes up to {bytes} bytes; the limit is {limit}")]
    Expanded {
        /// Bytes of the storage.
        storage: usize,
        /// Bytes of the tensor when contiguous.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A big-endian archive whose storage has another element width than the tensor.
    #[error(
        "a big-endian storage of {storage_width}-byte elements is viewed as {dtype}: its bytes have no known order"
    )]
    ByteOrder {
        /// Bytes of an element of the storage.
        storage_width: usize,
        /// The tensor's element type.
        dtype: Dtype,
    },
}

/// The kinds of tensor that are not supported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedTensor {
    /// An element type without a Keras counterpart.
    #[error("its dtype {dtype} is not supported; convert the tensor in PyTorch before saving", dtype = Printable(dtype))]
    Dtype {
        /// The name in torch.
        dtype: String,
    },
    /// A quantized tensor.
    #[error("it is a quantized tensor, which is not supported; call .dequantize() before saving")]
    Quantized,
    /// A sparse tensor.
    #[error("it is a sparse tensor, which is not supported; call .to_dense() before saving")]
    Sparse,
    /// A nested tensor.
    #[error("it is a nested tensor, which is not supported; save its parts, .unbind(), instead")]
    Nested,
    /// A tensor on the meta device.
    #[error("it is a tensor on the meta device: the checkpoint has no values for it")]
    Meta,
    /// A conjugate or negative view.
    #[error("it is a lazy {bit} view, which is not supported; call .resolve_{bit}() before saving")]
    LazyBit {
        /// `conj` or `neg`.
        bit: &'static str,
    },
    /// Metadata that is not known.
    #[error("its metadata has the entry {entry:?}, whose meaning is not known", entry = Printable(entry).to_string())]
    Metadata {
        /// The entry.
        entry: String,
    },
    /// One rank's part of a distributed tensor.
    #[error(
        "it is a DTensor, of which this file has one rank's part; gather it with .full_tensor() before saving"
    )]
    Distributed,
    /// A flat parameter of FSDP, which holds many tensors.
    #[error(
        "it is a flat parameter of FSDP; save with StateDictType.FULL_STATE_DICT so that every tensor has its name"
    )]
    FsdpFlat,
    /// A subclass of `torch.Tensor`.
    #[error("it is a tensor subclass, {class}, which is not supported; save plain tensors")]
    Subclass {
        /// The class.
        class: String,
    },
    /// A function that makes tensors and is not known.
    #[error("it is made by {function}, which is not supported")]
    Function {
        /// The function.
        function: String,
    },
    /// A container or object that holds tensors, where a tensor is expected.
    #[error("it is a {what} that holds tensors; only tensors and dictionaries of tensors can be read")]
    Inside {
        /// What it is.
        what: String,
    },
    /// A pickled module.
    #[error("it is a whole module ({class}), not a tensor; save model.state_dict() instead")]
    Module {
        /// The class.
        class: String,
    },
}

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
    Call { pickle, function: format!("{module}.{name}"), module, name, args }.rebuild()
}

fn raw_storage<'a>(pickle: &Pickle<'a>, id: ValueId) -> Result<TensorSpec<'a>, TensorError> {
    let storage = storage(pickle, id)?;
    let shape = Shape::new(vec![storage.numel])?;
    Ok(TensorSpec { dtype: storage.dtype.unwrap_or(Dtype::U8), offset: 0, strides: vec![1], shape, storage })
}

/// A call of a rebuild function.
struct Call<'p, 'a> {
    pickle: &'p Pickle<'a>,
    function: String,
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
        Ok(Self { pickle, function: pickle.global_name(object.callable), module, name, args })
    }

    fn wrong(&self, what: &'static str) -> TensorError {
        TensorError::Arguments { function: self.function.clone(), what }
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
            return Err(unsupported(UnsupportedTensor::Function { function: self.function.clone() }));
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
        let sizes = self.sizes(arg(2)?).ok_or_else(|| self.wrong("the sizes are no counts"))?;
        let strides = self.sizes(arg(3)?).ok_or_else(|| self.wrong("the strides are no counts"))?;
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
            _ => UnsupportedTensor::Function { function: self.function.clone() },
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

    fn sizes(&self, id: ValueId) -> Option<Vec<usize>> {
        self.pickle.sequence(id)?.iter().map(|&size| self.size(size)).collect()
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
        other => other,
    };
    Err(unsupported(UnsupportedTensor::Dtype { dtype: refused.to_owned() }))
}

const fn unsupported(kind: UnsupportedTensor) -> TensorError {
    TensorError::Unsupported(kind)
}
