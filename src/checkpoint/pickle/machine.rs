//! The machine: opcodes to values. It is iterative, believes no length before checking it, and calls nothing.

mod budget;
mod fill;
mod keys;
mod read;
mod scalar;

pub(super) use keys::Key;

use crate::map::Map;

use super::elements::Elements;
use super::error::{PickleError, PickleErrorKind as Kind};
use super::globals::is_dangerous;
use super::opcode as op;
use super::value::{Pickle, Value, ValueId};

/// Values that one pickle may make. A tensor of a state_dict takes about 12, a chunk of a distributed checkpoint's
/// metadata 17, so this is room for two million of either. What a small file may make is bounded by memory.
pub(crate) const MAX_VALUES: usize = 1 << 25;

/// Opcodes of one pickle. A tensor of a state_dict takes about 45, a chunk 66.
const MAX_OPCODES: usize = 1 << 27;

/// Containers that are open at a time. Python's own recursion limit stops writers at a thousand.
const MAX_MARKS: usize = 1 << 16;

/// Bytes of the module and the name of a global, together. Longer ones are no names.
const MAX_GLOBAL_BYTES: usize = 1 << 12;

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
        values: shared_values(bytes.len()),
        charged: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
        far_memo: Map::default(),
        key_classes: Map::default(),
        known_classes: Map::default(),
    };
    for _ in 0..MAX_OPCODES {
        let offset = machine.position;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                let Machine { values, key_classes, position, charged, .. } = machine;
                return Ok(Pickle { values, key_classes, root, byte_len: position, memory: charged });
            }
            Err(kind) => return Err(PickleError { offset, kind }),
        }
    }
    Err(PickleError { offset: machine.position, kind: Kind::TooManyOpcodes { limit: MAX_OPCODES } })
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    values: Vec<Value<'a>>,
    /// Bytes of memory taken.
    charged: usize,
    stack: Vec<ValueId>,
    /// Heights of the stack.
    marks: Vec<usize>,
    /// Memo entries from 0 without gaps, as every writer numbers them.
    memo: Vec<ValueId>,
    /// Memo entries with other indices.
    far_memo: Map<u32, ValueId>,
    /// Equal keys have one class.
    key_classes: Map<Key<'a>, u32>,
    /// The classes of tuples and long texts seen as keys: a shared one is hashed once.
    known_classes: Map<ValueId, u32>,
}

/// Small integers that are one value each, however often they occur.
const SHARED_INTEGERS: i64 = 256;

/// The tuple without elements, the last of the shared values.
const EMPTY_TUPLE: ValueId = ValueId(3 + SHARED_INTEGERS as u32);

/// Bytes of a pickle for each of its values, or somewhat fewer: a tensor of a state_dict takes 120 bytes and 12 values.
const BYTES_PER_VALUE: usize = 8;

/// Values that there is room for before any was read, at most: those of 20,000 tensors. More cost some copies, and a
/// long pickle may be one text, or have the storages behind it.
const ROOM: usize = 1 << 18;

/// None, False, True, the small integers (the values that [`shared`] finds), and the empty tuple; with room for the values
/// of a pickle of so many bytes.
fn shared_values<'a>(bytes: usize) -> Vec<Value<'a>> {
    let scalars = [Value::None, Value::Bool(false), Value::Bool(true)];
    let tuple = Value::Tuple(Elements::from(&[][..]));
    let shared = EMPTY_TUPLE.0 as usize + 1;
    let mut values = Vec::with_capacity(shared + (bytes / BYTES_PER_VALUE).min(ROOM));
    values.extend(scalars.into_iter().chain((0..SHARED_INTEGERS).map(Value::Int)).chain([tuple]));
    values
}

/// The place of a value that every pickle has already.
fn shared(value: &Value<'_>) -> Option<ValueId> {
    match *value {
        Value::None => Some(ValueId(0)),
        Value::Bool(value) => Some(ValueId(1 + u32::from(value))),
        Value::Int(value @ 0..SHARED_INTEGERS) => Some(ValueId(3 + value as u32)),
        _ => None,
    }
}

impl<'a> Machine<'a> {
    /// Executes one opcode; the root at STOP.
    fn step(&mut self) -> Result<Option<ValueId>, Kind> {
        let byte = self.u8()?;
        match byte {
            op::STOP => return self.pop().map(Some),
            op::MARK => self.mark()?,
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
                self.repeat(top)?;
            }
            op::PROTO => {
                let protocol = self.u8()?;
                if protocol > MAX_PROTOCOL {
                    return Err(Kind::Protocol { protocol });
                }
            }
            op::FRAME => {
                let length = u64::from_le_bytes(self.array()?);
                self.available(length)?;
            }
            op::GLOBAL | op::STACK_GLOBAL => self.global(byte)?,
            op::INST | op::OBJ => self.old_instance(byte)?,
            op::REDUCE | op::NEWOBJ | op::NEWOBJ_EX => self.call(byte)?,
            op::BUILD => self.build()?,
            op::BINPERSID => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))?;
            }
            op::PERSID => {
                let id = scalar::text(self.line()?);
                self.push(id)?;
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
            op::EMPTY_TUPLE => self.repeat(EMPTY_TUPLE)?,
            op::TUPLE1 => self.tuple(1)?,
            op::TUPLE2 => self.tuple(2)?,
            op::TUPLE3 => self.tuple(3)?,
            op::TUPLE => {
                let start = self.pop_mark()?;
                self.tuple_from(start)?;
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
                match shared(&value) {
                    Some(id) => self.repeat(id)?,
                    None => self.push(value)?,
                }
            }
        }
        Ok(None)
    }

    fn global(&mut self, byte: u8) -> Result<(), Kind> {
        let (module, name) = if byte == op::STACK_GLOBAL {
            let name = self.pop()?;
            let module = self.pop()?;
            match (self.value(module), self.value(name)) {
                (Some(&Value::Text(module)), Some(&Value::Text(name))) => (Ok(module), Ok(name)),
                _ => return Err(Kind::GlobalName),
            }
        } else {
            let module = std::str::from_utf8(self.line()?);
            (module, std::str::from_utf8(self.line()?))
        };
        let (Ok(module), Ok(name)) = (module, name) else {
            return Err(Kind::GlobalName);
        };
        if module.len().saturating_add(name.len()) > MAX_GLOBAL_BYTES {
            return Err(Kind::GlobalTooLong { limit: MAX_GLOBAL_BYTES });
        }
        if is_dangerous(module, name) {
            return Err(Kind::DangerousGlobal { global: format!("{module}.{name}") });
        }
        self.push(Value::Global { module, name })
    }

    fn put(&mut self, byte: u8) -> Result<(), Kind> {
        let index = match byte {
            op::BINPUT => self.u8()?.into(),
            op::LONG_BINPUT => u32::from_le_bytes(self.array()?),
            op::MEMOIZE => (self.memo.len() + self.far_memo.len()) as u32,
            _ => self.line_index("PUT")?,
        };
        let value = self.top()?;
        if self.memo.len() + self.far_memo.len() >= MAX_VALUES {
            return Err(Kind::TooManyValues { limit: MAX_VALUES });
        }
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
                self.charge(budget::FAR_MEMO)?;
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
        match self.memo.get(index as usize).or_else(|| self.far_memo.get(&index)) {
            Some(&value) => self.repeat(value),
            None => Err(Kind::MissingMemo { index }),
        }
    }

    fn tuple(&mut self, count: usize) -> Result<(), Kind> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => self.tuple_from(start),
            _ => Err(Kind::StackUnderflow),
        }
    }

    /// Makes a tuple of what the stack has from that height on.
    fn tuple_from(&mut self, start: usize) -> Result<(), Kind> {
        let items = self.stack.get(start..).unwrap_or(&[]).into();
        self.stack.truncate(start);
        self.push(Value::Tuple(items))
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Kind> {
        self.charge(budget::memory(&value))?;
        if self.values.len() >= MAX_VALUES {
            return Err(Kind::TooManyValues { limit: MAX_VALUES });
        }
        // At most MAX_VALUES, which fits in u32.
        let id = ValueId(self.values.len() as u32);
        self.values.push(value);
        self.stack.push(id);
        Ok(())
    }

    /// Pushes a value that there is already.
    fn repeat(&mut self, id: ValueId) -> Result<(), Kind> {
        if self.stack.len() >= MAX_VALUES {
            return Err(Kind::TooManyValues { limit: MAX_VALUES });
        }
        self.stack.push(id);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), Kind> {
        if self.marks.len() >= MAX_MARKS {
            return Err(Kind::TooManyMarks { limit: MAX_MARKS });
        }
        self.marks.push(self.stack.len());
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
        let start = self.pop_mark()?;
        Ok(self.stack.split_off(start))
    }

    /// The height of the stack at the last mark, which is no more.
    fn pop_mark(&mut self) -> Result<usize, Kind> {
        match self.marks.pop() {
            // The stack never falls below the last mark.
            Some(mark) => Ok(mark.min(self.stack.len())),
            None => Err(Kind::NoMark),
        }
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
        let values = std::mem::take(&mut self.values);
        let pickle = Pickle { values, key_classes: Map::default(), root: id, byte_len: 0, memory: 0 };
        let what = pickle.describe(id);
        self.values = pickle.values;
        what
    }

    fn wrong_target(&mut self, opcode: &'static str, target: ValueId) -> Kind {
        Kind::WrongTarget { opcode, what: self.describe(target) }
    }
}
