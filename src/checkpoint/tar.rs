//! The tar file that `torch.save` wrote before 0.1.10 (formats/pytorch.md section 3.3).

mod error;
mod members;
mod tables;

pub use error::TarError;

use crate::lazy::Bytes;

use super::error::ErrorKind;
use super::pickle::{Object, Pickle, PickleError, PickleErrorKind, Value, ValueId};
use super::pickled;
use super::read::Read;
use super::state_dict::OpenOptions;
use super::stream::{Stream, StreamError};
use crate::map::Map;
use members::Members;
use tables::Tables;

/// The member with the saved object.
const PICKLE: &str = "pickle";

/// The releases that wrote this form.
const WRITTEN_BY: &str = "torch before 0.1.10 (tar)";

/// Reads it. The storages are ranges of the file.
pub(super) fn read(bytes: &Bytes, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let members = Members::read(bytes)?;
    let mut tables = Tables::read(&members)?;
    let mut stream = Stream::new(members.get(PICKLE)?);
    let mut pickle = stream.pickle("the saved object").map_err(in_pickle)?;
    resolve(&mut pickle, &tables)?;
    let mut read = pickled::read(&pickle, &mut tables, options)?;
    read.written_by = Some(WRITTEN_BY.to_owned());
    Ok(read)
}

/// Gives the persistent ids the form that later files have: a tensor is a call of `_rebuild_tensor`, a storage
/// a persistent id with its class and size, and a module's is replaced by the class.
fn resolve<'b>(pickle: &mut Pickle<'b>, tables: &Tables<'b>) -> Result<(), TarError> {
    let mut calls = Map::default();
    for (id, persistent) in pickle.persistent_ids() {
        if let Some(&[class, _file, _source]) = pickle.sequence(persistent) {
            let &Value::Global { module, name } = pickle.get(class) else { return Err(wrong()) };
            pickle.replace(id, Value::Global { module, name });
            continue;
        }
        let text = pickle.text(persistent).ok_or_else(wrong)?;
        let number: i64 = text.parse().map_err(|_| wrong())?;
        let value = match tables.tensors.get(&number) {
            None => storage(pickle, tables, text, number)?,
            // A tensor that is named again costs an object, and no more.
            Some(_) if calls.contains_key(&number) => call(calls.get(&number)),
            Some(tensor) => {
                let storage = storage(pickle, tables, text, tensor.storage)?;
                let mut elements = vec![add(pickle, storage)?, add(pickle, Value::Int(tensor.offset))?];
                for numbers in [&tensor.sizes, &tensor.strides] {
                    let axes: Vec<ValueId> = numbers
                        .iter()
                        .map(|&number| add(pickle, Value::Int(number)))
                        .collect::<Result<_, _>>()?;
                    elements.push(add(pickle, Value::Tuple(axes.as_slice().into()))?);
                }
                let args = add(pickle, Value::Tuple(elements.as_slice().into()))?;
                let callable = Value::Global { module: "torch._utils", name: "_rebuild_tensor" };
                let made = (add(pickle, callable)?, args);
                calls.insert(number, made);
                call(Some(&made))
            }
        };
        pickle.replace(id, value);
    }
    Ok(())
}

/// A call that is not made, of a function with arguments.
fn call<'b>(made: Option<&(ValueId, ValueId)>) -> Value<'b> {
    let Some(&(callable, args)) = made else { return Value::None };
    Value::Object(Box::new(Object::new(callable, args, true, None)))
}

/// The persistent id that later files have for a storage, with `text` as its key.
fn storage<'b>(
    pickle: &mut Pickle<'b>,
    tables: &Tables<'b>,
    text: &'b str,
    id: i64,
) -> Result<Value<'b>, TarError> {
    let storage = tables.storages.get(&id).ok_or(TarError::UnknownId { id })?;
    let (module, name) = storage.class;
    // A storage's bytes are in the file, so their number fits.
    let numel = Value::Int(storage.numel as i64);
    let elements =
        [Value::Text("storage"), Value::Global { module, name }, Value::Text(text), Value::None, numel];
    let elements: Vec<ValueId> =
        elements.into_iter().map(|element| add(pickle, element)).collect::<Result<_, _>>()?;
    Ok(Value::Persistent(add(pickle, Value::Tuple(elements.as_slice().into()))?))
}

fn add<'b>(pickle: &mut Pickle<'b>, value: Value<'b>) -> Result<ValueId, TarError> {
    pickle.add(value).map_err(|kind: PickleErrorKind| {
        in_pickle(StreamError::Pickle {
            what: "the saved object",
            start: 0,
            error: Box::new(PickleError { offset: 0, kind }),
        })
    })
}

const fn in_pickle(error: StreamError) -> TarError {
    TarError::Stream { member: PICKLE, error }
}

const fn wrong() -> TarError {
    TarError::Content { member: PICKLE, what: "a persistent id is neither a number nor a class" }
}
