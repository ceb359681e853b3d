//! Which values of a pickle hold tensors, told of all at once: values are shared and cyclic, so that asking one
//! by one could take time that grows with the square of the file.

use super::torch::is_tensor;
use super::value::{Object, Pickle, Value, ValueId};

/// Which values hold a tensor, at any depth.
pub(crate) struct Holders {
    holds: Vec<bool>,
    has_arrays: bool,
    has_packed: bool,
}

impl Holders {
    /// Goes from the tensors up, once along every reference.
    pub(crate) fn of(pickle: &Pickle<'_>) -> Self {
        let mut holds = Vec::with_capacity(pickle.values.len());
        let mut has_arrays = false;
        let mut has_packed = false;
        for (id, value) in numbered(pickle) {
            holds.push(is_tensor(pickle, id));
            has_arrays |= matches!(value, Value::Object(object) if is_array(pickle, object));
            has_packed |= matches!(value, Value::Global { module, name } if is_packed(module, name));
        }
        let mut holders = Self { holds, has_arrays, has_packed };
        // Nearly every value comes after those that it holds, or holds a tensor itself.
        let mut before_theirs = Vec::new();
        for (id, value) in numbered(pickle) {
            if holders.holds(id) {
                continue;
            }
            if any_child(value, |child| holders.holds(child)) {
                holders.mark(id);
            } else if any_child(value, |child| child > id) {
                before_theirs.push(value);
            }
        }
        // What comes before its own children may have been asked too early. If none of these was, nothing is missing.
        if !before_theirs.into_iter().any(|value| any_child(value, |child| holders.holds(child))) {
            return holders;
        }
        let Some(parents) = Parents::of(pickle, &holders) else { return holders };
        let mut pending: Vec<ValueId> =
            numbered(pickle).map(|(id, _)| id).filter(|&id| holders.holds(id)).collect();
        while let Some(id) = pending.pop() {
            for &parent in parents.of_child(id) {
                if !holders.holds(parent) {
                    holders.mark(parent);
                    pending.push(parent);
                }
            }
        }
        holders
    }

    fn mark(&mut self, id: ValueId) {
        if let Some(holds) = self.holds.get_mut(id.0 as usize) {
            *holds = true;
        }
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

fn is_array(pickle: &Pickle<'_>, object: &Object) -> bool {
    pickle.global(object.callable).is_some_and(|(module, name)| {
        module.starts_with("numpy.") && (name == "_reconstruct" || name == "_frombuffer")
    })
}

/// Whether a class is one of torch's quantized modules.
fn is_packed(module: &str, class: &str) -> bool {
    class.contains("PackedParams")
        || module.starts_with("torch.ao.nn.quantized")
        || module.starts_with("torch.nn.quantized")
}

/// The references from values that are not known to hold a tensor, in one array, sorted by what they refer to.
struct Parents {
    starts: Vec<u32>,
    parents: Vec<ValueId>,
}

impl Parents {
    /// None where there are none.
    fn of(pickle: &Pickle<'_>, known: &Holders) -> Option<Self> {
        let mut starts = vec![0_u32; pickle.values.len() + 1];
        let mut edges = 0_u32;
        each_edge(pickle, known, |_, child| {
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
        if edges == 0 {
            return None;
        }
        let mut parents = vec![ValueId(0); edges as usize];
        each_edge(pickle, known, |parent, child| {
            if let Some(start) = starts.get_mut(child.0 as usize) {
                *start = start.saturating_sub(1);
                if let Some(slot) = parents.get_mut(*start as usize) {
                    *slot = parent;
                }
            }
        });
        Some(Self { starts, parents })
    }

    fn of_child(&self, id: ValueId) -> &[ValueId] {
        let place = id.0 as usize;
        match (self.starts.get(place), self.starts.get(place + 1)) {
            (Some(&start), Some(&end)) => self.parents.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}

/// Every reference to a value that can hold a tensor, from one that is not known to hold any.
fn each_edge(pickle: &Pickle<'_>, known: &Holders, mut visit: impl FnMut(ValueId, ValueId)) {
    for (parent, value) in numbered(pickle).filter(|&(id, _)| !known.holds(id)) {
        any_child(value, |child| {
            if is_holder(pickle.get(child)) {
                visit(parent, child);
            }
            false
        });
    }
}

/// Whether something is so of any value that a value refers to. Keys of dictionaries are none: a tensor there is a
/// name (an optimizer's state has them), not a weight.
fn any_child(value: &Value<'_>, mut is: impl FnMut(ValueId) -> bool) -> bool {
    match value {
        Value::Tuple(elements) => elements.iter().copied().any(is),
        Value::List(elements) | Value::Set(elements) | Value::FrozenSet(elements) => {
            elements.iter().copied().any(is)
        }
        Value::Dict(dict) => dict.items().map(|(_, value)| value).chain(dict.state()).any(is),
        Value::Object(object) => {
            is(object.callable)
                || is(object.args)
                || object.kwargs.into_iter().chain(object.state).any(&mut is)
                || object.appended().iter().copied().any(&mut is)
                || object.items().items().any(|(_, value)| is(value))
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
        | Value::Bytes(_) => false,
    }
}

/// The values of a pickle with their places.
fn numbered<'p, 'a>(pickle: &'p Pickle<'a>) -> impl Iterator<Item = (ValueId, &'p Value<'a>)> {
    // At most MAX_VALUES, which fits in u32.
    (0..).map(ValueId).zip(&pickle.values)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::pickle::parse;

    const LISTS: u8 = 12;
    const TENSORS: u8 = 3;

    /// Lists that hold one another and some tensors in any order, in circles too: the values of a memo, which a list
    /// holds that is the root.
    fn pickle(holds: &[(u8, u8)]) -> Vec<u8> {
        let mut bytes = b"\x80\x02".to_vec();
        for place in 0..LISTS + TENSORS {
            // Tensors come between the lists.
            let tensor = &b"ctorch._utils\n_rebuild_tensor_v2\n)Rq"[..];
            bytes.extend_from_slice(if place % 5 == 4 { tensor } else { b"]q" });
            bytes.extend_from_slice(&[place, b'0']);
        }
        for &(list, item) in holds.iter().filter(|(list, _)| list % 5 != 4) {
            bytes.extend_from_slice(&[b'h', list, b'h', item, b'a', b'0']);
        }
        bytes.push(b']');
        for place in 0..LISTS + TENSORS {
            bytes.extend_from_slice(&[b'h', place, b'a']);
        }
        bytes.push(b'.');
        bytes
    }

    proptest! {
        /// As asking every value until none changes its answer.
        #[test]
        fn all_that_hold_tensors(holds in prop::collection::vec((0..LISTS + TENSORS, 0..LISTS + TENSORS), 0..30)) {
            let bytes = pickle(&holds);
            let pickle = parse(&bytes).unwrap();
            let found = Holders::of(&pickle);
            let mut expected: Vec<bool> = numbered(&pickle).map(|(id, _)| is_tensor(&pickle, id)).collect();
            prop_assert_eq!(expected.iter().filter(|holds| **holds).count(), usize::from(TENSORS));
            loop {
                let before = expected.clone();
                for (id, value) in numbered(&pickle) {
                    let holds = any_child(value, |child| before[child.0 as usize]);
                    expected[id.0 as usize] |= holds;
                }
                if expected == before {
                    break;
                }
            }
            prop_assert_eq!(found.holds, expected);
        }
    }
}
