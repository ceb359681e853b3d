//! The values of a pickle, in an arena: containers hold ids, so shared values stay shared, cycles are
//! harmless, and dropping needs no recursion.

use crate::map::Map;
use crate::tensor::Printable;
use std::borrow::Cow;

use super::elements::Elements;
use super::globals::DictClass;
use super::machine::Key;

/// A value's place in its [`Pickle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ValueId(pub(super) u32);

/// What a pickle holds. Texts and bytes lie in the pickle itself.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond `i64`, as the bytes or digits of the pickle.
    Long(&'a [u8]),
    Float(f64),
    Text(&'a str),
    /// A text that is not UTF-8: lone surrogates, or the byte strings of Python 2.
    RawText(&'a [u8]),
    Bytes(&'a [u8]),
    Tuple(Elements),
    List(Vec<ValueId>),
    Set(Vec<ValueId>),
    FrozenSet(Vec<ValueId>),
    Dict(Box<Dict>),
    Global {
        module: &'a str,
        name: &'a str,
    },
    Object(Box<Object>),
    /// A reference to something outside of the pickle: a storage. The id's value.
    Persistent(ValueId),
}

/// A dictionary in insertion order. A key that comes again replaces the value at the first place, as in
/// Python.
#[derive(Debug, Default)]
pub(crate) struct Dict {
    pub(super) class: Option<DictClass>,
    items: Vec<Item>,
    /// Key class to place, once there are more than [`LINEAR_ITEMS`]. Most dictionaries have none, and stay
    /// small.
    places: Option<Box<Map<u32, u32>>>,
    /// The argument of BUILD: attributes, not entries.
    pub(super) state: Option<ValueId>,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    key_class: u32,
    key: ValueId,
    value: ValueId,
}

/// Bytes of an empty map of places, and of a place with its share of the map's spare room.
const PLACES: usize = 64;
const PLACE: usize = 11;

/// Up to this many items a scan is faster than a map, and most dictionaries are smaller.
const LINEAR_ITEMS: usize = 8;

impl Dict {
    /// An empty dictionary of a class of `collections`.
    pub(super) fn of(class: DictClass) -> Self {
        Self { class: Some(class), ..Self::default() }
    }

    /// Keys and values in order.
    pub(crate) fn items(&self) -> impl ExactSizeIterator<Item = (ValueId, ValueId)> + '_ {
        self.items.iter().map(|item| (item.key, item.value))
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// What BUILD gave it: attributes.
    pub(crate) const fn state(&self) -> Option<ValueId> {
        self.state
    }

    /// Sets an item. Keys of one class are equal.
    pub(super) fn insert(&mut self, key_class: u32, key: ValueId, value: ValueId) {
        if let Some(item) = self.place(key_class).and_then(|place| self.items.get_mut(place)) {
            item.value = value;
            return;
        }
        let place = self.items.len();
        self.items.push(Item { key_class, key, value });
        if let Some(places) = &mut self.places {
            // A place per value at most, and MAX_VALUES fits in u32.
            places.insert(key_class, place as u32);
        } else if place == LINEAR_ITEMS {
            let places = self.items.iter().zip(0..).map(|(item, place)| (item.key_class, place));
            self.places = Some(Box::new(places.collect()));
        }
    }

    /// Bytes that the items take.
    pub(super) fn memory(&self) -> usize {
        let places = self.places.as_ref().map_or(0, |places| PLACES + places.capacity() * PLACE);
        self.items.capacity() * size_of::<Item>() + places
    }

    /// Where the item is whose key has this class.
    fn place(&self, key_class: u32) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&key_class).map(|&place| place as usize),
            None => self.items.iter().position(|item| item.key_class == key_class),
        }
    }

    /// Keys (with their classes) and values, to fill another dictionary.
    pub(super) fn classed_items(&self) -> Vec<(u32, ValueId, ValueId)> {
        self.items.iter().map(|item| (item.key_class, item.key, item.value)).collect()
    }
}

/// The result of a call that was not made.
#[derive(Debug)]
pub(crate) struct Object {
    /// What would have been called.
    pub(crate) callable: ValueId,
    /// The tuple of arguments.
    pub(crate) args: ValueId,
    /// Whether it is a plain call (REDUCE) and not the making of an instance (NEWOBJ).
    pub(crate) is_call: bool,
    /// Keyword arguments (NEWOBJ_EX).
    pub(crate) kwargs: Option<ValueId>,
    /// The argument of BUILD.
    pub(crate) state: Option<ValueId>,
    /// What APPEND and SETITEM added; most objects have none, and stay small.
    pub(super) contents: Option<Box<Contents>>,
}

/// The contents of an object that is a list or a dictionary.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) appended: Vec<ValueId>,
    pub(super) items: Dict,
}

/// Of objects without contents.
static EMPTY: Dict = Dict { class: None, items: Vec::new(), places: None, state: None };

impl Object {
    /// A call that nothing was done with yet.
    pub(crate) const fn new(
        callable: ValueId,
        args: ValueId,
        is_call: bool,
        kwargs: Option<ValueId>,
    ) -> Self {
        Self { callable, args, is_call, kwargs, state: None, contents: None }
    }

    /// What APPEND and APPENDS added.
    pub(crate) fn appended(&self) -> &[ValueId] {
        self.contents.as_ref().map_or(&[], |contents| &contents.appended)
    }

    /// What SETITEM and SETITEMS set.
    pub(crate) fn items(&self) -> &Dict {
        self.contents.as_ref().map_or(&EMPTY, |contents| &contents.items)
    }
}

/// The values of one pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(super) values: Vec<Value<'a>>,
    /// The class of every key that a dictionary of this pickle has.
    pub(super) key_classes: Map<Key<'a>, u32>,
    pub(super) root: ValueId,
    /// Bytes from the first opcode to the end of STOP.
    pub(super) byte_len: usize,
    /// Bytes of memory that the values take.
    pub(super) memory: usize,
}

/// Characters of a class name that a message shows.
const MAX_SHOWN_NAME: usize = 120;

impl<'a> Pickle<'a> {
    /// The value that the pickle is.
    pub(crate) const fn root(&self) -> ValueId {
        self.root
    }

    /// Bytes that the pickle takes: another one, or raw data, may follow.
    pub(crate) const fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Bytes of memory that the values take.
    pub(crate) const fn memory(&self) -> usize {
        self.memory
    }

    /// A value.
    pub(crate) fn get(&self, id: ValueId) -> &Value<'a> {
        // Ids are made by this arena alone, and it never shrinks.
        self.values.get(id.0 as usize).unwrap_or(&Value::None)
    }

    /// The text of a value that is one.
    pub(crate) fn text(&self, id: ValueId) -> Option<&'a str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Module and name of a value that is a global.
    pub(crate) fn global(&self, id: ValueId) -> Option<(&'a str, &'a str)> {
        match self.get(id) {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// The items of a dictionary, or of an object that was given items (a subclass of `dict`).
    pub(crate) fn dict(&self, id: ValueId) -> Option<&Dict> {
        match self.get(id) {
            Value::Dict(dict) => Some(dict),
            Value::Object(object) if object.items().len() > 0 => Some(object.items()),
            _ => None,
        }
    }

    /// A key as `--key` takes it: a text, or an integer's digits.
    pub(crate) fn step(&self, key: ValueId) -> Option<Cow<'a, str>> {
        match self.get(key) {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Int(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    /// The value of a text key.
    pub(crate) fn item(&self, dict: &Dict, key: &str) -> Option<ValueId> {
        let class = *self.key_classes.get(&Key::Text(key.as_bytes()))?;
        let place = dict.place(class)?;
        dict.items.get(place).map(|item| item.value)
    }

    /// The elements of a tuple, a list, or a `torch.Size`.
    pub(crate) fn sequence(&self, id: ValueId) -> Option<&[ValueId]> {
        match self.get(id) {
            Value::Tuple(elements) => Some(elements),
            Value::List(elements) => Some(elements),
            Value::Object(object) if self.global(object.callable) == Some(("torch", "Size")) => {
                match self.get(object.args) {
                    Value::Tuple(args) => match &**args {
                        [] => Some(&[]),
                        [sizes] => match self.get(*sizes) {
                            Value::Tuple(elements) => Some(elements),
                            Value::List(elements) => Some(elements),
                            _ => None,
                        },
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What a value is, for a message: `int`, `dict`, `argparse.Namespace object`.
    pub(crate) fn describe(&self, id: ValueId) -> String {
        let plain = match self.get(id) {
            Value::None => "None",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Long(_) => "int",
            Value::Float(_) => "float",
            Value::Text(_) | Value::RawText(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::Tuple(_) => "tuple",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::FrozenSet(_) => "frozenset",
            Value::Dict(dict) => dict.class.map_or("dict", DictClass::name),
            Value::Persistent(_) => "storage",
            Value::Global { .. } => return self.global_name(id),
            Value::Object(object) => return format!("{} object", self.global_name(object.callable)),
        };
        plain.to_owned()
    }

    /// Module and name of a global, joined by a dot, cut to a length that a message can hold.
    pub(crate) fn global_name(&self, id: ValueId) -> String {
        let Some((module, name)) = self.global(id) else {
            return "computed".to_owned();
        };
        shown_global(module, name)
    }
}

/// A global's module and name for a message.
pub(super) fn shown_global(module: &str, name: &str) -> String {
    let full = Printable(&format!("{module}.{name}")).to_string();
    match full.char_indices().nth(MAX_SHOWN_NAME) {
        Some((end, _)) => format!("{}…", full.get(..end).unwrap_or_default()),
        None => full,
    }
}
