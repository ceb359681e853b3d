//! From a value to the tensor that it is: looks through parameters, buffers and the like.

use super::call::Call;
use super::kind::is_torch;
use super::spec::{StridedSpec, TensorSpec};
use super::storage::{is_storage, quantized_name, storage};
use super::{array, nested, quantized, sparse, strided, subclass};
use crate::checkpoint::pickle::tensor_error::{TensorError, UnsupportedTensor};
use crate::checkpoint::pickle::value::{Object, Pickle, Value, ValueId};
use crate::tensor::{Dtype, Shape, Sizes};

/// Calls around calls that are looked through: a buffer in a subclass in a parameter takes three.
const MAX_WRAPPERS: usize = 8;

/// What a value is once the calls around it are taken off.
enum Unwrapped<'p, 'a> {
    Storage(ValueId),
    Call(Call<'p, 'a>),
    /// A tensor of torch before 0.1.12: its class, and `(storage, offset, size, stride)`.
    Old {
        class: &'a str,
        state: &'p [ValueId],
    },
}

/// Reads a value that [`super::is_tensor`].
pub(crate) fn tensor<'a>(pickle: &Pickle<'a>, id: ValueId) -> Result<TensorSpec<'a>, TensorError> {
    match unwrap(pickle, id)? {
        Unwrapped::Storage(id) => raw_storage(pickle, id).map(TensorSpec::Strided),
        Unwrapped::Old { class, state } => strided::old(pickle, class, state).map(TensorSpec::Strided),
        Unwrapped::Call(call) => match call.name {
            "_rebuild_qtensor" => quantized::rebuild(&call).map(|spec| TensorSpec::Quantized(Box::new(spec))),
            "_rebuild_sparse_tensor" => sparse::rebuild(&call),
            "_rebuild_nested_tensor" => {
                nested::rebuild(&call).map(|nested| TensorSpec::Nested(Box::new(nested)))
            }
            "_rebuild_device_tensor_from_numpy" | "_rebuild_xla_tensor" => {
                array::rebuild(&call).map(|array| TensorSpec::Array(Box::new(array)))
            }
            "_rebuild_wrapper_subclass" => subclass::rebuild(&call).map(TensorSpec::Strided),
            _ => strided_call(&call).map(TensorSpec::Strided),
        },
    }
}

/// Reads a tensor that must be a plain strided one: the part of another tensor.
pub(super) fn part<'a>(call: &Call<'_, 'a>, id: ValueId) -> Result<StridedSpec<'a>, TensorError> {
    let not_strided = || call.wrong("a part of it is no strided tensor");
    match unwrap(call.pickle, id)? {
        Unwrapped::Call(inner) => match inner.name {
            "_rebuild_qtensor"
            | "_rebuild_sparse_tensor"
            | "_rebuild_nested_tensor"
            | "_rebuild_wrapper_subclass" => Err(not_strided()),
            _ => strided_call(&inner),
        },
        Unwrapped::Old { class, state } => strided::old(call.pickle, class, state),
        Unwrapped::Storage(_) => Err(not_strided()),
    }
}

fn strided_call<'a>(call: &Call<'_, 'a>) -> Result<StridedSpec<'a>, TensorError> {
    match call.name {
        "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" => strided::rebuild(call),
        "_rebuild_meta_tensor_no_storage" => Err(TensorError::Unsupported(UnsupportedTensor::Meta)),
        _ => Err(TensorError::Unsupported(UnsupportedTensor::Function { function: call.function() })),
    }
}

fn unwrap<'p, 'a>(pickle: &'p Pickle<'a>, id: ValueId) -> Result<Unwrapped<'p, 'a>, TensorError> {
    let mut id = id;
    for _ in 0..MAX_WRAPPERS {
        let object = match pickle.get(id) {
            Value::Object(object) => object,
            _ => return Ok(Unwrapped::Storage(id)),
        };
        match old(pickle, object)? {
            Some(Old::Wrapped(inner)) => {
                id = inner;
                continue;
            }
            Some(Old::Tensor { class, state }) => return Ok(Unwrapped::Old { class, state }),
            None => {}
        }
        let call = Call::of(pickle, object)?;
        if !is_torch(call.module) {
            return Err(TensorError::Unsupported(UnsupportedTensor::Function { function: call.function() }));
        }
        id = match call.name {
            "_rebuild_parameter" => call.arg(0, 3..=3, "3 are expected")?,
            "_rebuild_parameter_with_state" => call.arg(0, 4..=4, "4 are expected")?,
            "_rebuild_device_tensor_from_cpu_tensor" => same_dtype(&call)?,
            "_rebuild_from_type_v2" | "_rebuild_from_type" => {
                return from_type(&call).map(Unwrapped::Call);
            }
            _ => return Ok(Unwrapped::Call(call)),
        };
        if !matches!(pickle.get(id), Value::Object(_)) {
            return Err(call.wrong("the first is no tensor"));
        }
    }
    let function = "too many wrapped calls".to_owned();
    Err(TensorError::Unsupported(UnsupportedTensor::Function { function }))
}

/// `_rebuild_from_type_v2(function, class, arguments, state)`: tensors with attributes, and subclasses.
fn from_type<'p, 'a>(call: &Call<'p, 'a>) -> Result<Call<'p, 'a>, TensorError> {
    let arg = |index| call.arg(index, 4..=4, "4 are expected");
    let (function, class, args, state) = (arg(0)?, arg(1)?, arg(2)?, arg(3)?);
    let pickle = call.pickle;
    let subclass = match pickle.global(class) {
        Some(("torch" | "torch._tensor" | "torch.tensor", "Tensor"))
        | Some(("torch.nn.parameter" | "torch.nn", "Parameter" | "Buffer")) => None,
        Some((_, "DTensor")) => Some((class, state)),
        _ => return Err(subclass::refuse(pickle, class)),
    };
    let (Some((module, name)), Value::Tuple(args)) = (pickle.global(function), pickle.get(args)) else {
        return Err(call.wrong("the function or its arguments"));
    };
    let inner = Call { pickle, module, name, args, subclass };
    if !is_torch(module) || name.starts_with("_rebuild_from_type") || name.starts_with("_rebuild_parameter") {
        let function = inner.function();
        return Err(TensorError::Unsupported(UnsupportedTensor::Function { function }));
    }
    if subclass.is_some() && name != "_rebuild_wrapper_subclass" {
        return Err(subclass::refuse(pickle, class));
    }
    Ok(inner)
}

/// `_rebuild_device_tensor_from_cpu_tensor(tensor, dtype, device, requires_grad)`: torch copies the tensor to
/// the CPU to save it, and leaves its type.
fn same_dtype(call: &Call<'_, '_>) -> Result<ValueId, TensorError> {
    let inner = call.arg(0, 4..=4, "4 are expected")?;
    let dtype = call.dtype(call.arg(1, 4..=4, "4 are expected")?)?;
    if part(call, inner)?.dtype == dtype {
        Ok(inner)
    } else {
        Err(call.wrong("the tensor has another dtype than the call"))
    }
}

/// A value of torch before 0.2.
enum Old<'p, 'a> {
    Wrapped(ValueId),
    Tensor { class: &'a str, state: &'p [ValueId] },
}

/// `torch.FloatTensor` and `Parameter` as instances with a state, before rebuild functions were introduced
/// (torch/tensor.py and torch/autograd/variable.py of 0.1.12).
fn old<'p, 'a>(pickle: &'p Pickle<'a>, object: &'p Object) -> Result<Option<Old<'p, 'a>>, TensorError> {
    let Some((module, name)) = pickle.global(object.callable) else { return Ok(None) };
    let is_variable = matches!(name, "Parameter" | "Variable") && is_torch(module);
    let is_tensor = matches!(module, "torch" | "torch.cuda") && name.ends_with("Tensor");
    if !is_variable && !is_tensor {
        return Ok(None);
    }
    if object.items().len() > 0 || !object.appended().is_empty() || object.kwargs.is_some() {
        return Err(TensorError::Changed);
    }
    let wrong = |what| TensorError::Arguments { function: pickle.global_name(object.callable), what };
    let Value::Tuple(args) = pickle.get(object.args) else { return Err(wrong("they are no tuple")) };
    let state: Option<&[ValueId]> = match object.state.map(|state| pickle.get(state)) {
        None => None,
        Some(Value::Tuple(state)) => Some(state),
        Some(_) => return Err(wrong("the state is no tuple")),
    };
    if is_variable {
        let inner = match (&**args, state) {
            // __setstate__ sets requires_grad, volatile and the hooks.
            ([data], None | Some([_, _, _])) | ([data, _], None) => *data,
            ([], Some([data, _grad, _requires_grad, _volatile, _hooks])) => *data,
            _ => return Err(wrong("neither the arguments nor the state have the values")),
        };
        return match pickle.get(inner) {
            Value::Object(_) => Ok(Some(Old::Wrapped(inner))),
            _ => Err(wrong("the values are no tensor")),
        };
    }
    match (&**args, state) {
        ([], Some(state)) => Ok(Some(Old::Tensor { class: name, state })),
        (args, None) if !args.is_empty() => Ok(Some(Old::Tensor { class: name, state: args })),
        _ => Err(wrong("storage, offset, size and stride are expected")),
    }
}

fn raw_storage<'a>(pickle: &Pickle<'a>, id: ValueId) -> Result<StridedSpec<'a>, TensorError> {
    if !is_storage(pickle, id) {
        return Err(TensorError::Arguments { function: "a tensor".to_owned(), what: "it is none" });
    }
    let storage = storage(pickle, id)?;
    let dtype = storage.dtype.unwrap_or(Dtype::U8);
    if storage.is_quantized {
        let dtype = quantized_name(dtype).to_owned();
        return Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype }));
    }
    let shape = Shape::new(vec![storage.numel])?;
    Ok(StridedSpec {
        dtype,
        offset: 0,
        strides: Sizes::from_slice(&[1]),
        shape,
        storage,
        is_conj: false,
        is_neg: false,
    })
}
