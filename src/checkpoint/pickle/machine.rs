//! The machine: opcodes to values. It is iterative, believes no length before checking it, and calls nothing.

mod scalar;

use std::collections::HashMap;

use super::error::{PickleError, PickleErrorKind as Kind};
use super::globals::{DictClass, dict_class, is_dangerous};
use super::opcode as op;
use super::value::{Dict, Object, Pickle, Value, ValueId};

/// Values that one pickle may make. A tensor of a state_dict takes about 15, so this is room for a million
/// tensors, and at 40 bytes a value the arena stays below a gigabyte.
pub(crate) const MAX_VALUES: usize = 1 << 24;

/// The newest protocol of Python's `pickle`.
const MAX_PROTOCOL: u8 = 5;

/// Reads the first pickle of `bytes`. Bytes after its STOP are left alone, as torch does.
///
/// # Errors
/// When it breaks the rules of the format, uses an opcode that no checkpoint needs, or names a global that
/// only an attack names.
pub(crate) fn parse(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    let mut machine = Machine {
        bytes,
        position: 0,
        values: Vec::new(),
        charged: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
        far_memo: HashMap::new(),
        key_classes: HashMap::new(),
        tuple_classes: HashMap::new(),
    };
    loop {
        let offset = machine.position;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { values: machine.values, root }),
            Err(kind) => return Err(PickleError { offset, kind }),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    values: Vec<Value<'a>>,
    /// Values made and items copied, against [`MAX_VALUES`].
    charged: usize,
    stack: Vec<ValueId>,
    /// Heights of the stack.
    marks: Vec<usize>,
    /// Memo entries from 0 without gaps, as every writer numbers them.
    memo: Vec<ValueId>,
    /// Memo entries with other indices.
    far_memo: HashMap<u32, ValueId>,
    /// Equal keys have one class.
    key_classes: HashMap<Key<'a>, u32>,
    /// The classes of tuples seen as keys, so that shared tuples are hashed once.
    tuple_classes: HashMap<ValueId, u32>,
}

/// What makes a key equal to another: Python's rules, by which `1`, `1.0` and `True` are one key.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    None,
    Int(i64),
    Float(u64),
    Long(&'a [u8]),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Global(&'a str, &'a str),
    Tuple(Box<[u32]>),
    /// Objects, and everything else that is equal to itself alone.
    Identity(ValueId),
}

impl<'a> Machine<'a> {
    /// Executes one opcode; the root at STOP.
    fn step(&mut self) -> Result<Option<ValueId>, Kind> {
        let byte = self.u8()?;
        match byte {
            op::STOP => return self.pop().map(Some),
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            op::POP_MARK => {
                self.pop_to_mark()?;
            }
            op::DUP => {
                let top = self.top()?;
                self.stack.push(top);
            }
            op::PROTO => {
                let protocol = self.u8()?;
                if protocol > MAX_PROTOCOL {
                    return Err(Kind::Protocol { protocol });
                }
            }
            op::FRAME => {
                let length = u64::from_le_bytes(self.array()?);
                self.check_available(length)?;
            }
            op::GLOBAL | op::STACK_GLOBAL => self.global(byte)?,
            op::REDUCE | op::NEWOBJ | op::NEWOBJ_EX => self.call(byte)?,
            op::BUILD => self.build()?,
            op::BINPERSID => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))?;
            }
            op::PUT | op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.put(byte)?,
            op::GET | op::BINGET | op::LONG_BINGET => self.recall(byte)?,
            op::APPEND | op::APPENDS => self.append(byte)?,
            op::SETITEM | op::SETITEMS => self.set_items(byte)?,
            op::ADDITEMS => {
                let items = self.pop_to_mark()?;
                let target = self.top()?;
                match self.values.get_mut(target.0 as usize) {
                    Some(Value::Set(set)) => set.extend(items),
                    _ => return Err(self.wrong_target("ADDITEMS", target)),
                }
            }
            op::EMPTY_TUPLE => self.push(Value::Tuple(Box::new([])))?,
            op::TUPLE1 => self.tuple(1)?,
            op::TUPLE2 => self.tuple(2)?,
            op::TUPLE3 => self.tuple(3)?,
            op::TUPLE => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items.into()))?;
            }
            op::EMPTY_LIST => self.push(Value::List(Vec::new()))?,
            op::LIST => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            op::EMPTY_DICT => self.push(Value::Dict(Box::default()))?,
            op::DICT => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(Box::default()))?;
                let dict = self.top()?;
                self.insert_pairs("DICT", dict, &items)?;
            }
            op::EMPTY_SET => self.push(Value::Set(Vec::new()))?,
            op::FROZENSET => {
                let items = self.pop_to_mark()?;
                self.push(Value::FrozenSet(items))?;
            }
            _ => {
                let value = self.scalar(byte)?;
                self.push(value)?;
            }
        }
        Ok(None)
    }

    fn global(&mut self, byte: u8) -> Result<(), Kind> {
        let (module, name) = if byte == op::GLOBAL {
            let module = std::str::from_utf8(self.line()?);
            (module, std::str::from_utf8(self.line()?))
        } else {
            let name = self.pop()?;
            let module = self.pop()?;
            match (self.value(module), self.value(name)) {
                (Some(&Value::Text(module)), Some(&Value::Text(name))) => (Ok(module), Ok(name)),
                _ => return Err(Kind::GlobalName),
            }
        };
        let (Ok(module), Ok(name)) = (module, name) else {
            return Err(Kind::GlobalName);
        };
        if is_dangerous(module, name) {
            return Err(Kind::DangerousGlobal { global: format!("{module}.{name}") });
        }
        self.push(Value::Global { module, name })
    }

    fn call(&mut self, byte: u8) -> Result<(), Kind> {
        let opcode = match byte {
            op::REDUCE => "REDUCE",
            op::NEWOBJ => "NEWOBJ",
            _ => "NEWOBJ_EX",
        };
        let kwargs = if byte == op::NEWOBJ_EX { Some(self.pop()?) } else { None };
        let args = self.pop()?;
        let callable = self.pop()?;
        if !matches!(self.value(args), Some(Value::Tuple(_))) {
            return Err(Kind::Arguments { opcode, what: self.describe(args) });
        }
        if let Some(&Value::Global { module, name }) = self.value(callable)
            && let Some(class) = dict_class(module, name)
        {
            return self.make_dict(class, args);
        }
        self.push(Value::Object(Box::new(Object {
            callable,
            args,
            is_call: byte == op::REDUCE,
            kwargs,
            state: None,
            appended: Vec::new(),
            items: Dict::default(),
        })))
    }

    /// A dictionary of a class of `collections`. Python 2 puts the items into the arguments.
    fn make_dict(&mut self, class: DictClass, args: ValueId) -> Result<(), Kind> {
        let wrong = Kind::DictArguments { class: class.name() };
        let source = match (self.value(args), class) {
            (Some(Value::Tuple(args)), DictClass::DefaultDict) => match args.as_ref() {
                [] | [_] => None,
                [_, items] => Some(*items),
                _ => return Err(wrong),
            },
            (Some(Value::Tuple(args)), _) => match args.as_ref() {
                [] => None,
                [items] => Some(*items),
                _ => return Err(wrong),
            },
            _ => return Err(wrong),
        };
        self.push(Value::Dict(Box::new(Dict::of(class))))?;
        let target = self.top()?;
        let Some(source) = source else { return Ok(()) };
        if let Some(Value::Dict(items)) = self.value(source) {
            let items = items.classed_items();
            self.charge(items.len())?;
            let Some(Value::Dict(dict)) = self.values.get_mut(target.0 as usize) else { return Err(wrong) };
            for (class, key, value) in items {
                dict.insert(class, key, value);
            }
            return Ok(());
        }
        let Some(pairs) = self.elements(source) else { return Err(wrong) };
        let mut items = Vec::with_capacity(pairs.len().saturating_mul(2));
        for &pair in pairs {
            match self.elements(pair) {
                Some(&[key, value]) => items.extend([key, value]),
                _ => return Err(wrong),
            }
        }
        self.charge(items.len())?;
        self.insert_pairs("REDUCE", target, &items)
    }

    fn build(&mut self) -> Result<(), Kind> {
        let state = self.pop()?;
        let target = self.top()?;
        let slot = match self.values.get_mut(target.0 as usize) {
            Some(Value::Object(object)) => &mut object.state,
            Some(Value::Dict(dict)) => &mut dict.state,
            _ => return Err(self.wrong_target("BUILD", target)),
        };
        if slot.replace(state).is_some() {
            return Err(self.wrong_target("a second BUILD", target));
        }
        Ok(())
    }

    fn append(&mut self, byte: u8) -> Result<(), Kind> {
        let items = if byte == op::APPEND { vec![self.pop()?] } else { self.pop_to_mark()? };
        let target = self.top()?;
        match self.values.get_mut(target.0 as usize) {
            Some(Value::List(list)) => list.extend(items),
            Some(Value::Object(object)) => object.appended.extend(items),
            _ => return Err(self.wrong_target("APPEND", target)),
        }
        Ok(())
    }

    fn set_items(&mut self, byte: u8) -> Result<(), Kind> {
        let items = if byte == op::SETITEM {
            let value = self.pop()?;
            let key = self.pop()?;
            vec![key, value]
        } else {
            self.pop_to_mark()?
        };
        let target = self.top()?;
        self.insert_pairs("SETITEM", target, &items)
    }

    fn insert_pairs(&mut self, opcode: &'static str, target: ValueId, items: &[ValueId]) -> Result<(), Kind> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(Kind::OddItems { count: items.len() });
        };
        for &[key, value] in pairs {
            let class = self.key_class(key)?;
            match self.values.get_mut(target.0 as usize) {
                Some(Value::Dict(dict)) => dict.insert(class, key, value),
                Some(Value::Object(object)) => object.items.insert(class, key, value),
                _ => return Err(self.wrong_target(opcode, target)),
            }
        }
        Ok(())
    }

    /// The class of a key: tuples by their elements, bottom up, each tuple once.
    fn key_class(&mut self, key: ValueId) -> Result<u32, Kind> {
        let mut pending = vec![key];
        let mut class = 0;
        while let Some(&id) = pending.last() {
            let Some(Value::Tuple(elements)) = self.value(id) else {
                class = self.atom_class(id)?;
                pending.pop();
                continue;
            };
            if let Some(&known) = self.tuple_classes.get(&id) {
                class = known;
                pending.pop();
                continue;
            }
            let elements = elements.clone();
            let depth = pending.len();
            let mut classes = Vec::with_capacity(elements.len());
            for &element in &elements {
                match self.value(element) {
                    Some(Value::Tuple(_)) => match self.tuple_classes.get(&element) {
                        Some(&known) => classes.push(known),
                        None => pending.push(element),
                    },
                    _ => classes.push(self.atom_class(element)?),
                }
            }
            if pending.len() == depth {
                class = self.class_of(Key::Tuple(classes.into()));
                self.tuple_classes.insert(id, class);
                pending.pop();
            }
        }
        Ok(class)
    }

    fn atom_class(&mut self, id: ValueId) -> Result<u32, Kind> {
        let key = match self.value(id) {
            Some(Value::None) => Key::None,
            Some(&Value::Bool(value)) => Key::Int(value.into()),
            Some(&Value::Int(value)) => Key::Int(value),
            Some(&Value::Long(digits)) => Key::Long(digits),
            Some(&Value::Float(value)) => float_key(id, value),
            Some(&Value::Text(text)) => Key::Text(text.as_bytes()),
            Some(&Value::RawText(text)) => Key::Text(text),
            Some(&Value::Bytes(bytes)) => Key::Bytes(bytes),
            Some(&Value::Global { module, name }) => Key::Global(module, name),
            Some(Value::List(_) | Value::Set(_) | Value::Dict(_)) | None => {
                return Err(Kind::UnhashableKey { what: self.describe(id) });
            }
            Some(Value::Tuple(_) | Value::FrozenSet(_) | Value::Object(_) | Value::Persistent(_)) => {
                Key::Identity(id)
            }
        };
        Ok(self.class_of(key))
    }

    fn class_of(&mut self, key: Key<'a>) -> u32 {
        // A class per value at most, and MAX_VALUES fits in u32.
        let next = self.key_classes.len() as u32;
        *self.key_classes.entry(key).or_insert(next)
    }

    fn put(&mut self, byte: u8) -> Result<(), Kind> {
        let index = match byte {
            op::BINPUT => self.u8()?.into(),
            op::LONG_BINPUT => u32::from_le_bytes(self.array()?),
            op::MEMOIZE => (self.memo.len() + self.far_memo.len()) as u32,
            _ => self.line_index("PUT")?,
        };
        let value = self.top()?;
        let next = self.memo.len();
        match self.memo.get_mut(index as usize) {
            Some(slot) => *slot = value,
            None if index as usize == next => {
                self.memo.push(value);
                if !self.far_memo.is_empty() {
                    self.far_memo.remove(&index);
                }
            }
            None => {
                self.far_memo.insert(index, value);
            }
        }
        Ok(())
    }

    fn recall(&mut self, byte: u8) -> Result<(), Kind> {
        let index = match byte {
            op::BINGET => self.u8()?.into(),
            op::LONG_BINGET => u32::from_le_bytes(self.array()?),
            _ => self.line_index("GET")?,
        };
        let value = self.memo.get(index as usize).or_else(|| self.far_memo.get(&index));
        self.stack.push(*value.ok_or(Kind::MissingMemo { index })?);
        Ok(())
    }

    fn line_index(&mut self, opcode: &'static str) -> Result<u32, Kind> {
        let line = self.line()?;
        std::str::from_utf8(line)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| scalar::bad_number(opcode, line))
    }

    fn tuple(&mut self, count: usize) -> Result<(), Kind> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => {
                let items = self.stack.split_off(start);
                self.push(Value::Tuple(items.into()))
            }
            _ => Err(Kind::StackUnderflow),
        }
    }

    fn charge(&mut self, count: usize) -> Result<(), Kind> {
        self.charged = self.charged.saturating_add(count);
        if self.charged > MAX_VALUES { Err(Kind::TooManyValues { limit: MAX_VALUES }) } else { Ok(()) }
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Kind> {
        self.charge(1)?;
        // At most MAX_VALUES, which fits in u32.
        let id = ValueId(self.values.len() as u32);
        self.values.push(value);
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<ValueId, Kind> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<ValueId, Kind> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&top) if self.stack.len() > floor => Ok(top),
            _ => Err(Kind::StackUnderflow),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<ValueId>, Kind> {
        let mark = self.marks.pop().ok_or(Kind::NoMark)?;
        // The stack never falls below the last mark.
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn value(&self, id: ValueId) -> Option<&Value<'a>> {
        self.values.get(id.0 as usize)
    }

    fn elements(&self, id: ValueId) -> Option<&[ValueId]> {
        match self.value(id) {
            Some(Value::Tuple(elements)) => Some(elements),
            Some(Value::List(elements)) => Some(elements),
            _ => None,
        }
    }

    fn describe(&mut self, id: ValueId) -> String {
        // Only on the way out with an error: the values move into a pickle that can describe them.
        let pickle = Pickle { values: std::mem::take(&mut self.values), root: id };
        let what = pickle.describe(id);
        self.values = pickle.values;
        what
    }

    fn wrong_target(&mut self, opcode: &'static str, target: ValueId) -> Kind {
        Kind::WrongTarget { opcode, what: self.describe(target) }
    }

    fn check_available(&self, needed: u64) -> Result<usize, Kind> {
        let available = self.bytes.len() - self.position;
        match usize::try_from(needed) {
            Ok(length) if length <= available => Ok(length),
            _ => Err(Kind::Truncated { needed, available }),
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Kind> {
        let length = self.check_available(length)?;
        let start = self.position;
        self.position += length;
        self.bytes
            .get(start..self.position)
            .ok_or(Kind::Truncated { needed: length as u64, available: self.bytes.len() - start })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Kind> {
        let available = self.bytes.len() - self.position;
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| Kind::Truncated { needed: N as u64, available })
    }

    fn u8(&mut self) -> Result<u8, Kind> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn signed_length(&mut self) -> Result<u64, Kind> {
        let length = i32::from_le_bytes(self.array()?);
        u64::try_from(length).map_err(|_| Kind::NegativeLength { length })
    }

    /// The bytes up to the end of the line, without it.
    fn line(&mut self) -> Result<&'a [u8], Kind> {
        let rest = self.bytes.get(self.position..).unwrap_or(&[]);
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or(Kind::Truncated { needed: rest.len() as u64 + 1, available: rest.len() })?;
        let line = self.take(end as u64)?;
        self.position += 1;
        Ok(line)
    }
}

/// `1.0` is the key `1`, `-0.0` is `0`, and a NaN is equal to itself alone when it is the same object.
fn float_key<'a>(id: ValueId, value: f64) -> Key<'a> {
    let integer = value as i64;
    if value.is_nan() {
        Key::Identity(id)
    } else if integer as f64 == value && integer != i64::MAX {
        Key::Int(integer)
    } else {
        Key::Float(value.to_bits())
    }
}
