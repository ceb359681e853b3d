//! Which values of a pickle hold tensors, told of all at once: values are shared and cyclic, so that asking one
//! by one could take time that grows with the square of the file.

use super::torch::is_tensor;
use super::value::{Pickle, Value, ValueId};

/// Which values hold a tensor, at any depth.
pub(crate) struct Holders {
    holds: Vec<bool>,
    has_arrays: bool,
    has_packed: bool,
}

impl Holders {
    /// Goes from the tensors up, once along every reference.
    pub(crate) fn of(pickle: &Pickle<'_>) -> Self {
        let parents = Parents::of(pickle);
        let mut holds = vec![false; pickle.values.len()];
        let mut pending = Vec::new();
        let mut has_arrays = false;
        let mut has_packed = false;
        for index in 0..pickle.values.len() {
            // At most MAX_VALUES, which fits in u32.
            let id = ValueId(index as u32);
            if is_tensor(pickle, id)
                && let Some(holds) = holds.get_mut(index)
            {
                *holds = true;
                pending.push(id);
            }
            has_arrays |= is_array(pickle, id);
            has_packed |= is_packed(pickle, id);
        }
        while let Some(id) = pending.pop() {
            for &parent in parents.of_child(id) {
                if let Some(holds) = holds.get_mut(parent.0 as usize)
                    && !std::mem::replace(holds, true)
                {
                    pending.push(parent);
                }
            }
        }
        Self { holds, has_arrays, has_packed }
    }

    /// Whether a value is or holds a tensor.
    pub(crate) fn holds(&self, id: ValueId) -> bool {
        self.holds.get(id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether there is a NumPy array anywhere.
    pub(crate) const fn has_arrays(&self) -> bool {
        self.has_arrays
    }

    /// Whether there are packed weights of quantized modules anywhere.
    pub(crate) const fn has_packed(&self) -> bool {
        self.has_packed
    }
}

fn is_array(pickle: &Pickle<'_>, id: ValueId) -> bool {
    let Value::Object(object) = pickle.get(id) else { return false };
    pickle.global(object.callable).is_some_and(|(module, name)| {
        module.starts_with("numpy.") && (name == "_reconstruct" || name == "_frombuffer")
    })
}

/// Whether a value names a class of torch's quantized modules.
fn is_packed(pickle: &Pickle<'_>, id: ValueId) -> bool {
    let name = match pickle.get(id) {
        Value::Global { .. } => pickle.global(id),
        _ => None,
    };
    name.is_some_and(|(module, class)| {
        class.contains("PackedParams")
            || module.starts_with("torch.ao.nn.quantized")
            || module.starts_with("torch.nn.quantized")
    })
}

/// The references to every value, in one array, sorted by what they refer to.
struct Parents {
    starts: Vec<u32>,
    parents: Vec<ValueId>,
}

impl Parents {
    fn of(pickle: &Pickle<'_>) -> Self {
        let mut starts = vec![0_u32; pickle.values.len() + 1];
        let mut edges = 0_u32;
        each_edge(pickle, |_, child| {
            if let Some(count) = starts.get_mut(child.0 as usize) {
                *count += 1;
                edges += 1;
            }
        });
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        let mut parents = vec![ValueId(0); edges as usize];
        each_edge(pickle, |parent, child| {
            if let Some(start) = starts.get_mut(child.0 as usize) {
                *start = start.saturating_sub(1);
                if let Some(slot) = parents.get_mut(*start as usize) {
                    *slot = parent;
                }
            }
        });
        Self { starts, parents }
    }

    fn of_child(&self, id: ValueId) -> &[ValueId] {
        let place = id.0 as usize;
        match (self.starts.get(place), self.starts.get(place + 1)) {
            (Some(&start), Some(&end)) => self.parents.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}

/// Every reference from a value to one that can hold a tensor. Keys of dictionaries are none: a tensor there is
/// a name (an optimizer's state has them), not a weight.
fn each_edge(pickle: &Pickle<'_>, mut visit: impl FnMut(ValueId, ValueId)) {
    for (index, value) in pickle.values.iter().enumerate() {
        let parent = ValueId(index as u32);
        let mut edge = |child: ValueId| {
            if is_holder(pickle.get(child)) {
                visit(parent, child);
            }
        };
        match value {
            Value::Tuple(elements) => elements.iter().copied().for_each(edge),
            Value::List(elements) | Value::Set(elements) | Value::FrozenSet(elements) => {
                elements.iter().copied().for_each(edge);
            }
            Value::Dict(dict) => {
                dict.items().map(|(_, value)| value).chain(dict.state()).for_each(edge);
            }
            Value::Object(object) => {
                edge(object.callable);
                edge(object.args);
                object.kwargs.into_iter().chain(object.state).for_each(&mut edge);
                object.appended().iter().copied().for_each(&mut edge);
                object.items().items().for_each(|(_, value)| edge(value));
            }
            Value::Persistent(_)
            | Value::Global { .. }
            | Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Long(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::RawText(_)
            | Value::Bytes(_) => {}
        }
    }
}

/// Whether a value can be or hold a tensor.
const fn is_holder(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Tuple(_)
            | Value::List(_)
            | Value::Set(_)
            | Value::FrozenSet(_)
            | Value::Dict(_)
            | Value::Object(_)
            | Value::Persistent(_)
    )
}
