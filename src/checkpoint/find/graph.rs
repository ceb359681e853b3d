//! The ways from one value of a pickle to the next: keys, places and attributes.

use std::borrow::Cow;

use crate::checkpoint::pickle::{Dict, Object, Pickle, Value, ValueId};

/// One step of a path.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// A key of a dictionary or the name of an attribute, by the value that it is.
    Key(ValueId),
    /// A place in a list, or of an argument.
    Place(usize),
}

impl Step {
    /// As `--key` takes it: a text, an integer's or a place's digits.
    pub(super) fn text<'a>(self, pickle: &Pickle<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Key(key) => pickle.step(key),
            Self::Place(place) => Some(Cow::Owned(place.to_string())),
        }
    }

    /// The text of a key that is one. Numbers name no tensors of a model.
    pub(super) fn word<'a>(self, pickle: &Pickle<'a>) -> Option<&'a str> {
        match self {
            Self::Key(key) => pickle.text(key),
            Self::Place(_) => None,
        }
    }
}

/// Every step from a value: keys, places, attributes; from a module also the names of its parameters, buffers
/// and submodules; from an object that was made of arguments alone (a named tuple) their places.
pub(super) fn steps(pickle: &Pickle<'_>, id: ValueId, visit: &mut dyn FnMut(Step, ValueId)) {
    if let Some(elements) = pickle.sequence(id) {
        return places(elements, visit);
    }
    if let Value::Dict(dict) = pickle.get(id) {
        return items(dict, visit);
    }
    let Value::Object(object) = pickle.get(id) else { return };
    if let Some(module) = Module::of(pickle, id) {
        [module.parameters, module.buffers, module.children].into_iter().for_each(|dict| items(dict, visit));
    }
    attributes(pickle, object).for_each(|dict| items(dict, visit));
    items(object.items(), visit);
    places(object.appended(), visit);
    match object.state.map(|state| pickle.get(state)) {
        // A frozen dataclass with slots has its values there, without their names.
        Some(Value::List(elements)) => places(elements, visit),
        None => places(pickle.sequence(object.args).unwrap_or(&[]), visit),
        Some(_) => {}
    }
}

fn items(dict: &Dict, visit: &mut dyn FnMut(Step, ValueId)) {
    dict.items().for_each(|(key, value)| visit(Step::Key(key), value));
}

fn places(elements: &[ValueId], visit: &mut dyn FnMut(Step, ValueId)) {
    elements.iter().enumerate().for_each(|(place, &value)| visit(Step::Place(place), value));
}

/// The attributes of an instance: BUILD's dictionary, or two of them where the class has slots.
pub(super) fn attributes<'p>(pickle: &'p Pickle<'_>, object: &Object) -> impl Iterator<Item = &'p Dict> {
    let state = object.state.map(|state| pickle.get(state));
    let pair: &[ValueId] = match state {
        Some(Value::Tuple(pair)) if pair.len() == 2 => pair,
        _ => &[],
    };
    let in_pair = pair.iter().map(|&part| pickle.get(part));
    state.into_iter().chain(in_pair).filter_map(|value| match value {
        Value::Dict(dict) => Some(&**dict),
        _ => None,
    })
}

/// An attribute of an instance, or an item of a dictionary.
pub(super) fn attribute(pickle: &Pickle<'_>, id: ValueId, name: &str) -> Option<ValueId> {
    match pickle.get(id) {
        Value::Dict(dict) => pickle.item(dict, name),
        Value::Object(object) => attributes(pickle, object)
            .find_map(|dict| pickle.item(dict, name))
            .or_else(|| pickle.item(object.items(), name)),
        _ => None,
    }
}

/// A pickled `nn.Module` (formats/pytorch.md section 5), known by its three dictionaries: the name of its class
/// can be any.
pub(super) struct Module<'p> {
    pub(super) parameters: &'p Dict,
    pub(super) buffers: &'p Dict,
    /// The submodules.
    pub(super) children: &'p Dict,
    /// Names of buffers that the state_dict leaves out. torch before 1.6 has no such buffers.
    pub(super) not_persistent: Option<ValueId>,
    /// Whether hooks change the state_dict.
    pub(super) has_hooks: bool,
}

/// How often a module may be compiled again that is compiled already.
const MAX_COMPILED: usize = 8;

impl<'p> Module<'p> {
    /// A value as a module, when it is one.
    pub(super) fn of(pickle: &'p Pickle<'_>, mut id: ValueId) -> Option<Self> {
        for _ in 0..MAX_COMPILED {
            let Value::Object(object) = pickle.get(id) else { return None };
            let mut argument = None;
            if object.is_call
                && let Some(&[first, ..]) = pickle.sequence(object.args)
            {
                // `torch.compile` wraps a module by a call. The name `_orig_mod` goes for every reader.
                if let Some(("torch._dynamo.eval_frame", "OptimizedModule")) = pickle.global(object.callable)
                {
                    id = first;
                    continue;
                }
                // `torch.fx.GraphModule` is made by a call that takes the attributes.
                argument = match pickle.get(first) {
                    Value::Dict(dict) => Some(&**dict),
                    _ => None,
                };
            }
            return attributes(pickle, object)
                .chain(argument)
                .find_map(|state| Self::of_attributes(pickle, state));
        }
        None
    }

    fn of_attributes(pickle: &'p Pickle<'_>, state: &Dict) -> Option<Self> {
        let part = |name| match pickle.get(pickle.item(state, name)?) {
            Value::Dict(dict) => Some(&**dict),
            _ => None,
        };
        let is_set = |name| {
            let mut hooks = part(name).into_iter().flat_map(Dict::items);
            hooks.any(|(_, hook)| !is_version_hook(pickle, hook))
        };
        Some(Self {
            parameters: part("_parameters")?,
            buffers: part("_buffers")?,
            children: part("_modules")?,
            not_persistent: pickle.item(state, "_non_persistent_buffers_set"),
            has_hooks: is_set("_state_dict_hooks") || is_set("_state_dict_pre_hooks"),
        })
    }
}

/// Whether a hook of a state_dict is `torch.nn.utils.spectral_norm`'s, which adds a version to the metadata alone.
fn is_version_hook(pickle: &Pickle<'_>, hook: ValueId) -> bool {
    let Value::Object(object) = pickle.get(hook) else { return false };
    pickle.global(object.callable) == Some(("torch.nn.utils.spectral_norm", "SpectralNormStateDictHook"))
}

/// The elements of a set, of any protocol: a set, or the call that makes one of a list.
pub(super) fn set_elements<'p>(pickle: &'p Pickle<'_>, id: ValueId) -> &'p [ValueId] {
    match pickle.get(id) {
        Value::Set(elements) | Value::FrozenSet(elements) | Value::List(elements) => elements,
        Value::Object(object) => match pickle.sequence(object.args) {
            Some(&[elements]) => pickle.sequence(elements).unwrap_or(&[]),
            _ => &[],
        },
        _ => &[],
    }
}
