//! What a state_dict or a module holds.

use std::ops::Range;

use crate::map::Set;

use super::MAX_DEPTH;
use super::graph::{Module, Step, set_elements, steps};
use super::optimizer::{is_flat_slot, is_optimizer, is_slot as names_slot};
use super::words::is_extra_state;
use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::key_budget::KeyBudget;
use crate::checkpoint::pickle::torch::{is_tensor, script_object_state};
use crate::checkpoint::pickle::{Holders, Pickle, Value, ValueId};
use crate::checkpoint::state_dict::{Role, Warning};
use crate::tensor::StateDictKey;

/// One entry of a chosen state_dict.
pub(crate) struct Entry {
    /// Where among [`Entries`]' keys the key is; what it is instead when it is no text.
    key: Result<Range<usize>, String>,
    pub(crate) value: ValueId,
    pub(crate) kind: EntryKind,
    pub(crate) role: Role,
}

impl Entries {
    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// All in order, each with its key, or what that is instead when it is no text.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Result<&str, &str>, &Entry)> {
        self.entries.iter().map(|entry| match &entry.key {
            // It was put there with the entry.
            Ok(range) => (Ok(&self.keys[range.clone()]), entry),
            Err(what) => (Err(what.as_str()), entry),
        })
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// A tensor, readable or not.
    Tensor,
    /// Something else, which must not hold tensors.
    Other,
    /// Extra state: no weights, whatever is in it.
    Aside,
}

/// What [`entries`] finds.
pub(crate) struct Entries {
    entries: Vec<Entry>,
    /// The keys, with nested dictionaries' and modules' keys joined by dots, one after the other.
    keys: String,
    pub(crate) warnings: Vec<Warning>,
}

/// The entries of a state_dict or a module in order. Dictionaries, lists and modules in it that hold tensors are
/// part of it: their keys are joined by dots. A tensor itself is one entry, called `name`.
///
/// From a module it is what `state_dict()` returns: its own parameters, its own buffers, then its submodules,
/// leaving out what is None; and the buffers that are not persistent, by their role.
///
/// With them what is left for the tensors.
pub(crate) fn entries(
    pickle: &Pickle<'_>,
    holders: &Holders,
    id: ValueId,
    name: &str,
) -> Result<(Entries, KeyBudget), ErrorKind> {
    let budget = KeyBudget::of(pickle);
    if is_tensor(pickle, id) {
        let (key, kind) = (Ok(0..name.len()), EntryKind::Tensor);
        let entries = vec![Entry { key, value: id, kind, role: Role::Unknown }];
        return Ok((Entries { entries, keys: name.to_owned(), warnings: Vec::new() }, budget));
    }
    let mut flat = Flat {
        pickle,
        holders,
        budget,
        entries: Vec::new(),
        keys: String::new(),
        frames: Vec::new(),
        hooks: None,
        optimizer: None,
    };
    flat.run(id)?;
    let mut warnings = Vec::new();
    if let Some((first, modules)) = flat.hooks {
        warnings.push(Warning::StateDictHooks { first: StateDictKey::new(first), modules });
    }
    if let Some((first, entries)) = flat.optimizer {
        warnings.push(Warning::OptimizerState { first: StateDictKey::new(first), entries });
    }
    Ok((Entries { entries: flat.entries, keys: flat.keys, warnings }, flat.budget))
}

struct Flat<'p, 'a> {
    pickle: &'p Pickle<'a>,
    holders: &'p Holders,
    budget: KeyBudget,
    entries: Vec<Entry>,
    keys: String,
    /// The containers that are open, outermost first.
    frames: Vec<Frame>,
    /// The first module with hooks on its state_dict, and how many there are.
    hooks: Option<(String, usize)>,
    /// The first entry that is an optimizer's, and how many there are.
    optimizer: Option<(String, usize)>,
}

struct Frame {
    id: ValueId,
    /// Bytes of the prefix within this container.
    prefix: usize,
    items: std::vec::IntoIter<Item>,
}

#[derive(Clone, Copy)]
struct Item {
    step: Step,
    value: ValueId,
    role: Role,
    /// Whether it is a submodule's, a parameter's or a buffer's place, where None stands for nothing.
    is_slot: bool,
}

impl Flat<'_, '_> {
    fn run(&mut self, root: ValueId) -> Result<(), ErrorKind> {
        let mut prefix = String::new();
        self.open(root, &prefix)?;
        while let Some(frame) = self.frames.last_mut() {
            prefix.truncate(frame.prefix);
            match frame.items.next() {
                Some(item) => self.item(item, &mut prefix)?,
                None => {
                    self.frames.pop();
                }
            }
        }
        Ok(())
    }

    /// Opens a container, whose entries' keys start with `prefix`.
    fn open(&mut self, id: ValueId, prefix: &str) -> Result<(), ErrorKind> {
        let pickle = self.pickle;
        let mut items = Vec::new();
        if let Some(module) = Module::of(pickle, id) {
            let count = module.parameters.len() + module.buffers.len() + module.children.len();
            let left_out = module.not_persistent.map_or(&[][..], |set| set_elements(pickle, set));
            self.budget.take_entries(count.saturating_add(left_out.len()))?;
            let left_out: Set<&str> = left_out.iter().filter_map(|&name| pickle.text(name)).collect();
            let buffer = |name| match pickle.text(name) {
                Some(name) if left_out.contains(name) => Role::NonPersistentBuffer,
                _ => Role::Buffer,
            };
            let slot = |(key, value), role| Item { step: Step::Key(key), value, role, is_slot: true };
            items.extend(module.parameters.items().map(|item| slot(item, Role::Parameter)));
            items.extend(module.buffers.items().map(|item| slot(item, buffer(item.0))));
            items.extend(module.children.items().map(|item| slot(item, Role::Unknown)));
            if module.has_hooks {
                self.hooks.get_or_insert_with(|| (prefix.trim_end_matches('.').to_owned(), 0)).1 += 1;
            }
        } else {
            let most = self.budget.most_entries();
            steps(pickle, id, &mut |step, value| {
                if items.len() <= most {
                    items.push(Item { step, value, role: Role::Unknown, is_slot: false });
                }
            });
            self.budget.take_entries(items.len())?;
        }
        self.frames.push(Frame { id, prefix: prefix.len(), items: items.into_iter() });
        Ok(())
    }

    fn item(&mut self, item: Item, prefix: &mut String) -> Result<(), ErrorKind> {
        let Item { step, value, role, is_slot } = item;
        let pickle = self.pickle;
        // The packed weights of a quantized cell are an object around a tuple of tensors.
        let value = script_object_state(pickle, value).unwrap_or(value);
        let nothing = is_slot
            && (matches!(pickle.get(value), Value::None)
                || (!self.holders.holds(value) && Module::of(pickle, value).is_some()));
        if nothing {
            return Ok(());
        }
        let is_tensor = is_tensor(pickle, value);
        let Some(text) = step.text(pickle) else {
            let what = match step {
                Step::Key(key) => pickle.describe(key),
                Step::Place(_) => String::new(),
            };
            let kind = if is_tensor { EntryKind::Tensor } else { EntryKind::Other };
            self.entries.push(Entry { key: Err(what), value, kind, role });
            return Ok(());
        };
        self.budget.take_bytes(prefix.len().saturating_add(text.len()))?;
        prefix.push_str(&text);
        // Only what is an optimizer's by its own keys is left out: a name says little within a model.
        let is_optimizers = (!is_slot && is_flat_slot(prefix))
            || (!is_tensor
                && self.holders.holds(value)
                && (is_optimizer(pickle, value) || (!is_slot && names_slot(&text))));
        if is_optimizers {
            self.optimizer.get_or_insert_with(|| (prefix.clone(), 0)).1 += 1;
            return Ok(());
        }
        let kind = if is_tensor {
            EntryKind::Tensor
        } else if !is_slot && is_extra_state(&text) {
            EntryKind::Aside
        } else if !self.holders.holds(value) {
            EntryKind::Other
        } else if Module::of(pickle, value).is_some() {
            if self.frames.iter().any(|frame| frame.id == value) || self.frames.len() >= MAX_DEPTH {
                return Err(ErrorKind::ModuleInItself { module: StateDictKey::new(prefix.as_str()) });
            }
            prefix.push('.');
            return self.open(value, prefix);
        } else if (pickle.dict(value).is_some() || pickle.sequence(value).is_some())
            && self.frames.len() < MAX_DEPTH
            && self.frames.iter().all(|frame| frame.id != value)
        {
            prefix.push('.');
            return self.open(value, prefix);
        } else {
            EntryKind::Other
        };
        let start = self.keys.len();
        self.keys.push_str(prefix);
        self.entries.push(Entry { key: Ok(start..self.keys.len()), value, kind, role });
        Ok(())
    }
}

/// How many tensors a state_dict or a module holds, as [`entries`] has them; `None` when `budget` does not
/// suffice to tell. Only tensors that `counts` lets pass.
pub(super) fn count(
    pickle: &Pickle<'_>,
    holders: &Holders,
    id: ValueId,
    budget: &mut usize,
    counts: &dyn Fn(ValueId) -> bool,
) -> Option<usize> {
    if is_tensor(pickle, id) {
        return Some(usize::from(counts(id)));
    }
    let mut tensors = 0;
    let mut pending = vec![(id, 0)];
    while let Some((id, depth)) = pending.pop() {
        let module = Module::of(pickle, id);
        let mut visit = |step: Step, value: ValueId| {
            *budget = budget.saturating_sub(1);
            if *budget == 0 {
                return;
            }
            if is_tensor(pickle, value) {
                let is_flat = module.is_none() && step.word(pickle).is_some_and(is_flat_slot);
                tensors += usize::from(!is_flat && counts(value));
            } else if holders.holds(value)
                && depth < MAX_DEPTH
                && (pickle.dict(value).is_some()
                    || pickle.sequence(value).is_some()
                    || Module::of(pickle, value).is_some())
                && (module.is_some()
                    || step.text(pickle).is_some_and(|key| !is_extra_state(&key) && !names_slot(&key)))
                && !is_optimizer(pickle, value)
            {
                pending.push((value, depth + 1));
            }
        };
        match &module {
            Some(module) => {
                for dict in [module.parameters, module.buffers, module.children] {
                    dict.items().for_each(|(key, value)| visit(Step::Key(key), value));
                }
            }
            None => steps(pickle, id, &mut visit),
        }
        if *budget == 0 {
            return None;
        }
    }
    Some(tensors)
}
