//! The archive of `torch.jit.save` of 1.0 to 1.3 (formats/pytorch.md section 4.2): a protocol buffer
//! (`caffe2/proto/torch.proto` of those releases), printed as JSON.

use serde::Deserialize;

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::key_budget::KeyBudget;
use crate::checkpoint::pickle::{self, Pickle, TensorError, UnsupportedTensor};
use crate::checkpoint::read::{RawTensor, Read};
use crate::checkpoint::reading::Reading;
use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::{OpenOptions, Role};
use crate::checkpoint::view::{Axes, View};
use crate::checkpoint::zip::Archive;
use crate::tensor::{ByteOrder, Dtype};

use super::attributes::{tensor_number, tensor_numbers};
use super::error::TorchScriptError;

/// Bytes of `model.json`. A tensor takes 250, so this is room for a hundred thousand.
const MAX_BYTES: u64 = 32 << 20;

/// Objects in `model.json`; a tensor takes three. Each takes memory before anything is known of it.
const MAX_OBJECTS: usize = 1 << 19;

/// Bytes of a compressed `attributes.pkl`.
const MAX_ATTRIBUTES_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    main_module: Module,
    #[serde(default)]
    tensors: Vec<Tensor>,
}

/// Modules are nested as deep as `serde_json` lets values be nested, 128.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Module {
    #[serde(default)]
    name: String,
    #[serde(default)]
    parameters: Vec<Parameter>,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    submodules: Vec<Module>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    name: String,
    #[serde(default)]
    is_buffer: bool,
    /// -1 where the module's own `__getstate__` wrote it.
    tensor_id: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    name: String,
    id: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tensor {
    #[serde(default)]
    dims: Axes<Number>,
    #[serde(default)]
    strides: Axes<Number>,
    offset: Option<Number>,
    data_type: String,
    #[serde(default)]
    is_quantized: bool,
    data: Record,
}

#[derive(Deserialize)]
struct Record {
    key: String,
}

/// A 64-bit integer, which protocol buffers print as text; `None` is one that does not fit.
#[derive(Deserialize)]
#[serde(from = "Printed")]
struct Number(Option<i64>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Printed {
    Text(String),
    Number(i64),
}

impl From<Printed> for Number {
    fn from(printed: Printed) -> Self {
        match printed {
            Printed::Text(text) => Self(text.parse().ok()),
            Printed::Number(number) => Self(Some(number)),
        }
    }
}

/// Reads it.
pub(in crate::checkpoint) fn read(archive: Archive, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let mut records = Records::new(archive.strip_folder()?, "tensors/");
    records.read_words()?;
    let (model, mut budget) = parse(&mut records)?;
    let attributes = records.find("attributes.pkl", MAX_ATTRIBUTES_BYTES)?;
    let attributes = attributes.as_ref().map(|pickled| pickle::parse(pickled.as_slice())).transpose()?;
    if let Some(attributes) = &attributes {
        budget.add(attributes);
    }
    let mut named = Vec::new();
    name(&model.main_module, "", attributes.as_ref(), &mut named, &mut budget)?;

    let mut reading = Reading::default();
    for (key, role, number) in named {
        let tensor = read_tensor(&model.tensors, &mut records, number, &key);
        let tensors = tensor.map(|tensor| vec![tensor]);
        if let Ok(tensors) = &tensors {
            budget.take_tensors(tensors)?;
        }
        reading.take(key, role, tensors);
    }
    let mut read = reading.finish(options)?;
    if read.tensors.is_empty() {
        return Err(TorchScriptError::NoTensors.into());
    }
    read.written_by = Some("torch 1.0 to 1.3".to_owned());
    read.warnings.append(&mut records.into_warnings());
    Ok(read)
}

fn parse(records: &mut Records) -> Result<(Model, KeyBudget), ErrorKind> {
    let size = records.size("model.json").unwrap_or_default();
    if size > MAX_BYTES {
        return Err(TorchScriptError::TooLarge { bytes: size, limit: MAX_BYTES }.into());
    }
    let text = records.read("model.json")?;
    let objects = text.as_slice().iter().filter(|&&byte| byte == b'{').count();
    if objects > MAX_OBJECTS {
        return Err(TorchScriptError::TooManyObjects { limit: MAX_OBJECTS }.into());
    }
    let budget = KeyBudget::of_text(text.len(), objects.saturating_mul(size_of::<Tensor>()));
    Ok((serde_json::from_slice(text.as_slice()).map_err(TorchScriptError::Json)?, budget))
}

/// The key, role and number of each tensor of a module: parameters and buffers, then attributes (since 1.2
/// the buffers are among them), then submodules.
fn name(
    module: &Module,
    prefix: &str,
    attributes: Option<&Pickle<'_>>,
    named: &mut Vec<(String, Role, Option<usize>)>,
    budget: &mut KeyBudget,
) -> Result<(), ErrorKind> {
    let mut add = |name: &str, role, number| {
        budget.take_entry(prefix.len().saturating_add(name.len()))?;
        named.push((format!("{prefix}{name}"), role, number));
        Ok::<(), ErrorKind>(())
    };
    for is_buffer in [false, true] {
        for parameter in module.parameters.iter().filter(|parameter| parameter.is_buffer == is_buffer) {
            let role = if is_buffer { Role::Buffer } else { Role::Parameter };
            let number = parameter.tensor_id.0.and_then(|number| usize::try_from(number).ok());
            add(&parameter.name, role, number)?;
        }
    }
    for Attribute { name, id } in &module.attributes {
        let (Some(pickle), Some(id)) = (attributes, id.0) else { continue };
        if let Some(number) = tensor_number(pickle, id) {
            add(name, Role::Unknown, Some(number))?;
        }
        for (place, number) in tensor_numbers(pickle, id) {
            add(&format!("{name}.{place}"), Role::Attribute, Some(number))?;
        }
    }
    for submodule in &module.submodules {
        budget.take_bytes(prefix.len().saturating_add(submodule.name.len()))?;
        name(submodule, &format!("{prefix}{}.", submodule.name), attributes, named, budget)?;
    }
    Ok(())
}

fn read_tensor(
    table: &[Tensor],
    records: &mut Records,
    number: Option<usize>,
    key: &str,
) -> Result<RawTensor, TensorError> {
    let what = "model.json";
    let wrong = |what| TensorError::Arguments { function: "model.json".to_owned(), what };
    let number = number.ok_or_else(|| wrong("the module's own __getstate__ wrote the tensor"))?;
    let tensor = table.get(number).ok_or_else(|| wrong("the number of the tensor is not in the table"))?;
    if tensor.is_quantized {
        return Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: "quantized".to_owned() }));
    }
    let dtype = dtype(&tensor.data_type)?;
    let (storage, bytes) = records.storage_at(&tensor.data.key)?;
    let numbers = |axes: &Axes<Number>| axes.0.iter().map(|number| number.0).collect::<Vec<_>>();
    let offset = tensor.offset.as_ref().map_or(Some(0), |offset| offset.0);
    let (sizes, strides) = (numbers(&tensor.dims), numbers(&tensor.strides));
    let view = View { what, dtype, sizes: &sizes, strides: &strides, offset };
    let tensor = view.of(bytes, ByteOrder::Little)?;
    Ok(RawTensor { key: key.to_owned(), tensor, storage: Some(storage), role: Role::Unknown })
}

/// `caffe2.TensorProto.DataType`.
fn dtype(name: &str) -> Result<Dtype, TensorError> {
    Ok(match name {
        "FLOAT" => Dtype::F32,
        "DOUBLE" => Dtype::F64,
        "FLOAT16" => Dtype::F16,
        "INT64" => Dtype::I64,
        "INT32" => Dtype::I32,
        "INT16" => Dtype::I16,
        "INT8" => Dtype::I8,
        "UINT8" | "BYTE" => Dtype::U8,
        "BOOL" => Dtype::Bool,
        other => {
            return Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: other.to_owned() }));
        }
    })
}
