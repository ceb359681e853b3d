//! The tensors in the objects of a TorchScript pickle, with the paths of attributes that lead to them
//! (formats/pytorch.md section 4.1).

use std::borrow::Cow;
use std::collections::HashSet;

use super::code::Code;
use super::error::TorchScriptError;
use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::key_budget::KeyBudget;
use crate::checkpoint::pickle::torch::is_tensor;
use crate::checkpoint::pickle::{Pickle, Value, ValueId};
use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::Role;

/// How deep objects and containers may be nested. Real modules need a dozen.
const MAX_DEPTH: usize = 256;

/// Attributes and items that are looked at, on all paths together. Shared objects can multiply to any number;
/// a vocabulary as an attribute may have a million items.
const MAX_ATTRIBUTES: usize = 1 << 24;

/// How many attributes going into a container costs as much as: shared ones are gone into a million times at
/// most, which takes less than a second.
const CONTAINER_COST: usize = 16;

/// Calls around a container that are looked through: `restore_type_tag(build_tensorlist(…))`.
const MAX_WRAPPERS: usize = 4;

/// A tensor, readable or not.
pub(super) struct Found {
    pub(super) key: String,
    pub(super) value: ValueId,
    pub(super) role: Role,
}

/// What the walk found, in the order of torch's state_dict: of each module first the parameters, then the
/// buffers, then its other attributes, then its submodules.
pub(super) struct Tensors {
    pub(super) found: Vec<Found>,
    /// Objects of classes in C++ whose state holds no tensors, and what they are.
    pub(super) opaque: Vec<(String, String)>,
}

/// Walks the objects from `root`, whose own path is `path`. `role` is that of tensors that no class tells of.
pub(super) fn tensors(
    pickle: &Pickle<'_>,
    records: &mut Records,
    code: &mut Code,
    root: ValueId,
    path: &str,
    role: Role,
    budget: &mut KeyBudget,
) -> Result<Tensors, ErrorKind> {
    let tensors = Tensors { found: Vec::new(), opaque: Vec::new() };
    let mut walk = Walk {
        pickle,
        records,
        code,
        budget,
        attributes: MAX_ATTRIBUTES,
        path: path.to_owned(),
        within: HashSet::new(),
        stack: Vec::new(),
        tensors,
    };
    walk.visit(root, role, path.len())?;
    while let Some(frame) = walk.stack.last_mut() {
        let Some(child) = frame.children.next() else {
            walk.path.truncate(frame.path);
            walk.within.remove(&frame.value);
            walk.stack.pop();
            continue;
        };
        let parent = walk.path.len();
        walk.budget.take_bytes(child.segment.len())?;
        if parent > 0 {
            walk.path.push('.');
        }
        walk.path.push_str(&child.segment);
        walk.visit(child.value, child.role, parent)?;
    }
    Ok(walk.tensors)
}

/// An attribute of an object or an item of a container.
struct Child<'a> {
    segment: Cow<'a, str>,
    value: ValueId,
    role: Role,
}

/// A container on the path.
struct Frame<'a> {
    value: ValueId,
    /// Length of the path of its parent.
    path: usize,
    children: std::vec::IntoIter<Child<'a>>,
}

struct Walk<'w, 'p, 'a> {
    pickle: &'p Pickle<'a>,
    records: &'w mut Records,
    code: &'w mut Code,
    budget: &'w mut KeyBudget,
    /// How many may still be looked at.
    attributes: usize,
    /// The attributes from the root, joined by dots.
    path: String,
    /// The containers on the path: a cycle ends at them.
    within: HashSet<ValueId>,
    stack: Vec<Frame<'a>>,
    tensors: Tensors,
}

impl<'a> Walk<'_, '_, 'a> {
    /// Takes a tensor, or goes into a container. The path is cut to `parent` when done with it.
    fn visit(&mut self, value: ValueId, role: Role, parent: usize) -> Result<(), ErrorKind> {
        let value = unwrapped(self.pickle, value);
        if is_tensor(self.pickle, value) {
            self.budget.take_entry(self.path.len())?;
            self.tensors.found.push(Found { key: self.path.clone(), value, role });
            self.path.truncate(parent);
            return Ok(());
        }
        self.charge(CONTAINER_COST)?;
        let children = if self.within.contains(&value) { Vec::new() } else { self.children(value, role)? };
        if children.is_empty() {
            if self.is_opaque(value) {
                self.budget.take_entry(self.path.len())?;
                self.tensors.opaque.push((self.path.clone(), self.pickle.describe(value)));
            }
            self.path.truncate(parent);
            return Ok(());
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(TorchScriptError::TooDeep { limit: MAX_DEPTH }.into());
        }
        self.within.insert(value);
        self.stack.push(Frame { value, path: parent, children: children.into_iter() });
        Ok(())
    }

    fn is_opaque(&self, value: ValueId) -> bool {
        let class = object_class(self.pickle, value);
        class.is_some_and(|(module, _)| module.starts_with("__torch__.torch.classes"))
    }

    /// What may hold tensors in a container.
    fn children(&mut self, value: ValueId, role: Role) -> Result<Vec<Child<'a>>, ErrorKind> {
        let Value::Object(object) = self.pickle.get(value) else { return self.items(value, role) };
        let Some(state) = object.state.map(|state| unwrapped(self.pickle, state)) else {
            // A named tuple: its class, called with its fields.
            let mut children = self.items(object.args, role)?;
            self.charge(object.appended().len())?;
            children.extend(self.listed(object.appended(), role));
            return Ok(children);
        };
        if !matches!(self.pickle.get(state), Value::Dict(_)) {
            // What the class's own `__getstate__` returned: only its code knows what is what.
            let children = self.items(state, Role::Unknown)?;
            let is_single = matches!(self.pickle.get(state), Value::Object(_) | Value::Persistent(_));
            let single = || Child { segment: Cow::Borrowed("state"), value: state, role: Role::Unknown };
            return Ok(if is_single { vec![single()] } else { children });
        }
        let mut children = self.items(state, Role::Unknown)?;
        let Some((module, name)) = object_class(self.pickle, value) else { return Ok(children) };
        let Some(class) = self.code.class(self.records, module, name) else { return Ok(children) };
        let has = |names: &Option<HashSet<String>>, name: &str| {
            names.as_ref().is_some_and(|names| names.contains(name))
        };
        let knows_all = !class.is_module || class.parameters.is_some() && class.buffers.is_some();
        for child in &mut children {
            child.role = if has(&class.parameters, &child.segment) {
                Role::Parameter
            } else if has(&class.buffers, &child.segment) {
                Role::Buffer
            } else if knows_all {
                Role::Attribute
            } else {
                Role::Unknown
            };
        }
        children.sort_by_key(|child| match child.role {
            _ if object_class(self.pickle, child.value).is_some() => 3,
            Role::Parameter => 0,
            Role::Buffer => 1,
            _ => 2,
        });
        Ok(children)
    }

    /// The items of a container that is no object.
    fn items(&mut self, value: ValueId, role: Role) -> Result<Vec<Child<'a>>, ErrorKind> {
        let pickle = self.pickle;
        match pickle.get(value) {
            Value::Dict(dict) => {
                self.charge(dict.len())?;
                let items = dict.items().enumerate().filter(|(_, (_, value))| may_hold(pickle, *value));
                Ok(items
                    .map(|(place, (key, value))| {
                        let segment = pickle.step(key).unwrap_or_else(|| Cow::Owned(place.to_string()));
                        Child { segment, value, role }
                    })
                    .collect())
            }
            Value::Tuple(items) => {
                self.charge(items.len())?;
                Ok(self.listed(items, role))
            }
            Value::List(items) | Value::Set(items) | Value::FrozenSet(items) => {
                self.charge(items.len())?;
                Ok(self.listed(items, role))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn listed(&self, items: &[ValueId], role: Role) -> Vec<Child<'a>> {
        let items = items.iter().enumerate().filter(|(_, value)| may_hold(self.pickle, **value));
        items.map(|(place, &value)| Child { segment: Cow::Owned(place.to_string()), value, role }).collect()
    }

    fn charge(&mut self, count: usize) -> Result<(), ErrorKind> {
        self.attributes = self
            .attributes
            .checked_sub(count)
            .ok_or(TorchScriptError::TooManyAttributes { limit: MAX_ATTRIBUTES })?;
        Ok(())
    }
}

/// The class of a TorchScript object: module and name.
fn object_class<'a>(pickle: &Pickle<'a>, value: ValueId) -> Option<(&'a str, &'a str)> {
    let Value::Object(object) = pickle.get(value) else { return None };
    pickle.global(object.callable).filter(|(module, _)| {
        !object.is_call
            && module.strip_prefix("__torch__").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Whether a value is more than a number or a text.
fn may_hold(pickle: &Pickle<'_>, value: ValueId) -> bool {
    matches!(
        pickle.get(value),
        Value::Dict(_)
            | Value::Tuple(_)
            | Value::List(_)
            | Value::Set(_)
            | Value::FrozenSet(_)
            | Value::Object(_)
            | Value::Persistent(_)
    )
}

/// The value in the calls that TorchScript puts around lists and dictionaries.
pub(super) fn unwrapped(pickle: &Pickle<'_>, value: ValueId) -> ValueId {
    let mut value = value;
    for _ in 0..MAX_WRAPPERS {
        let Value::Object(object) = pickle.get(value) else { break };
        let Some(("torch.jit._pickle", name)) = pickle.global(object.callable) else { break };
        let is_wrapper = name == "restore_type_tag" || name.starts_with("build_") && name.ends_with("list");
        let Some(&inner) = pickle.sequence(object.args).and_then(<[ValueId]>::first) else { break };
        if !is_wrapper || !object.is_call || object.state.is_some() {
            break;
        }
        value = inner;
    }
    value
}
