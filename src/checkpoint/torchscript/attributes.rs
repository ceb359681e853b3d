//! `attributes.pkl` of `torch.jit.save` 1.1 to 1.3: attributes by number, their tensors by number in the
//! table of `model.json` (formats/pytorch.md section 4.2).

use crate::checkpoint::pickle::{Pickle, Value, ValueId};

use super::object::unwrapped;

/// The number in the table of tensors, where an attribute is a tensor.
pub(super) fn tensor_number(pickle: &Pickle<'_>, attribute: i64) -> Option<usize> {
    number(pickle, element(pickle, attribute)?)
}

fn element(pickle: &Pickle<'_>, attribute: i64) -> Option<ValueId> {
    let place = usize::try_from(attribute).ok()?;
    pickle.sequence(pickle.root())?.get(place).copied()
}

/// The numbers of the tensors in an attribute that is a list, a tuple or a dictionary of tensors, with what
/// stands after the attribute's name in their keys.
pub(super) fn tensor_numbers(pickle: &Pickle<'_>, attribute: i64) -> Vec<(String, usize)> {
    let Some(value) = element(pickle, attribute) else { return Vec::new() };
    let value = unwrapped(pickle, value);
    if let Some(dict) = pickle.dict(value) {
        let items = dict.items();
        return items
            .filter_map(|(key, value)| Some((pickle.step(key)?.into_owned(), number(pickle, value)?)))
            .collect();
    }
    let items = pickle.sequence(value).unwrap_or(&[]).iter().enumerate();
    items.filter_map(|(place, &value)| Some((place.to_string(), number(pickle, value)?))).collect()
}

/// `build_tensor_from_id(number)`, or in 1.1 an instance of `TensorID` whose state is the number.
fn number(pickle: &Pickle<'_>, value: ValueId) -> Option<usize> {
    let Value::Object(object) = pickle.get(value) else { return None };
    let number = match pickle.global(object.callable)? {
        (_, "build_tensor_from_id") => *pickle.sequence(object.args)?.first()?,
        (_, "TensorID") => object.state?,
        _ => return None,
    };
    match pickle.get(number) {
        &Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}
