//! Calls that are not made, and the filling of containers.

use super::{Kind, Machine, budget, op};
use crate::checkpoint::pickle::globals::{DictClass, dict_class};
use crate::checkpoint::pickle::value::{Contents, Dict, Object, Value, ValueId};

/// Items that are set before their memory is charged.
const CHARGED_ITEMS: usize = 1 << 12;

impl<'a> Machine<'a> {
    pub(super) fn call(&mut self, byte: u8) -> Result<(), Kind> {
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
        self.object(callable, args, kwargs, byte == op::REDUCE)
    }

    /// INST and OBJ: instances of Python 2's old classes.
    pub(super) fn old_instance(&mut self, byte: u8) -> Result<(), Kind> {
        if byte == op::INST {
            self.global(byte)?;
            let class = self.pop()?;
            let start = self.pop_mark()?;
            self.tuple_from(start)?;
            let args = self.pop()?;
            return self.object(class, args, None, false);
        }
        let items = self.pop_to_mark()?;
        let [class, args @ ..] = items.as_slice() else { return Err(Kind::StackUnderflow) };
        self.push(Value::Tuple(args.into()))?;
        let args = self.pop()?;
        self.object(*class, args, None, false)
    }

    /// The result of a call that is not made.
    fn object(
        &mut self,
        callable: ValueId,
        args: ValueId,
        kwargs: Option<ValueId>,
        is_call: bool,
    ) -> Result<(), Kind> {
        if let Some(&Value::Global { module, name }) = self.value(callable)
            && let Some(class) = dict_class(module, name)
        {
            return self.make_dict(class, args);
        }
        if let Some(sizes) = self.sizes(callable, args).filter(|_| is_call && kwargs.is_none()) {
            return self.repeat(sizes);
        }
        self.push(Value::Object(Box::new(Object::new(callable, args, is_call, kwargs))))
    }

    /// The tuple that a `torch.Size` is: metadata have four for each chunk.
    fn sizes(&self, callable: ValueId, args: ValueId) -> Option<ValueId> {
        let (Some(&Value::Global { module: "torch", name: "Size" }), Some(Value::Tuple(arguments))) =
            (self.value(callable), self.value(args))
        else {
            return None;
        };
        match **arguments {
            [] => Some(args),
            [sizes] => matches!(self.value(sizes), Some(Value::Tuple(_))).then_some(sizes),
            _ => None,
        }
    }

    /// A dictionary of a class of `collections`. Python 2 puts the items into the arguments.
    fn make_dict(&mut self, class: DictClass, args: ValueId) -> Result<(), Kind> {
        let wrong = || Kind::DictArguments { class: class.name() };
        let source = match (self.value(args), class) {
            (Some(Value::Tuple(args)), DictClass::DefaultDict) => match &**args {
                [] | [_] => None,
                [_, items] => Some(*items),
                _ => return Err(wrong()),
            },
            (Some(Value::Tuple(args)), _) => match &**args {
                [] => None,
                [items] => Some(*items),
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        self.push(Value::Dict(Box::new(Dict::of(class))))?;
        let target = self.top()?;
        let Some(source) = source else { return Ok(()) };
        if let Some(Value::Dict(items)) = self.value(source) {
            let items = items.classed_items();
            self.charge(items.len().saturating_mul(budget::ITEM))?;
            let Some(Value::Dict(dict)) = self.values.get_mut(target.0 as usize) else { return Err(wrong()) };
            for (class, key, value) in items {
                dict.insert(class, key, value);
            }
            return Ok(());
        }
        let Some(pairs) = self.elements(source) else { return Err(wrong()) };
        let mut items = Vec::with_capacity(pairs.len().saturating_mul(2));
        for &pair in pairs {
            match self.elements(pair) {
                Some(&[key, value]) => items.extend([key, value]),
                _ => return Err(wrong()),
            }
        }
        self.insert_pairs("REDUCE", target, &items)
    }

    pub(super) fn build(&mut self) -> Result<(), Kind> {
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

    pub(super) fn append(&mut self, byte: u8) -> Result<(), Kind> {
        let items = if byte == op::APPEND { vec![self.pop()?] } else { self.pop_to_mark()? };
        let target = self.top()?;
        match self.values.get_mut(target.0 as usize) {
            Some(Value::List(list)) => list.extend(items),
            Some(Value::Object(object)) => {
                let is_first = object.contents.is_none();
                object.contents.get_or_insert_default().appended.extend(items);
                if is_first {
                    self.charge(budget::ALLOCATION + size_of::<Contents>())?;
                }
            }
            _ => return Err(self.wrong_target("APPEND", target)),
        }
        Ok(())
    }

    pub(super) fn set_items(&mut self, byte: u8) -> Result<(), Kind> {
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

    pub(super) fn insert_pairs(
        &mut self,
        opcode: &'static str,
        target: ValueId,
        items: &[ValueId],
    ) -> Result<(), Kind> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(Kind::OddItems { count: items.len() });
        };
        for pairs in pairs.chunks(CHARGED_ITEMS) {
            self.insert_some(opcode, target, pairs)?;
        }
        Ok(())
    }

    fn insert_some(
        &mut self,
        opcode: &'static str,
        target: ValueId,
        pairs: &[[ValueId; 2]],
    ) -> Result<(), Kind> {
        let mut grown = 0;
        for &[key, value] in pairs {
            let class = self.key_class(key)?;
            let dict = match self.values.get_mut(target.0 as usize) {
                Some(Value::Dict(dict)) => dict,
                Some(Value::Object(object)) => {
                    if object.contents.is_none() {
                        grown += budget::ALLOCATION + size_of::<Contents>();
                    }
                    &mut object.contents.get_or_insert_default().items
                }
                _ => return Err(self.wrong_target(opcode, target)),
            };
            let before = dict.memory();
            dict.insert(class, key, value);
            grown += dict.memory().saturating_sub(before);
        }
        self.charge(grown)
    }
}
