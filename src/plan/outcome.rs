//! A plan: where every byte of every variable comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::checkpoint::Role;
use crate::keras::Architecture;
use crate::lazy::{Bytes, LazyTensor, LoadError, Storage};
use crate::schema::Position;
use crate::tensor::{Arithmetic, Dtype, Nature, Shape, StateDictKey, StridedCopy};

/// A plan without faults.
#[derive(Debug)]
pub struct Plan {
    /// The architecture.
    pub architecture: Arc<Architecture>,
    /// The checkpoint's files, which the tensors are read from: no output may replace them.
    pub sources: Vec<PathBuf>,
    /// The prefix of the schema that was stripped from the keys.
    pub prefix: String,
    /// A binding for every variable to be written, in the architecture's order. A waived variable without a
    /// value has none.
    pub bindings: Vec<Binding>,
    /// Tensors that no variable reads, each with the reason.
    pub unused: Vec<(StateDictKey, Provenance)>,
    /// Variables that are left out because `--allow-missing` waived them, as indices.
    pub left_out: Vec<usize>,
    /// What the weights alone cannot make equal, and other remarks.
    pub notes: Vec<Note>,
    /// How bindings came about, by variable, where that was asked for.
    pub details: BTreeMap<usize, Detail>,
}

/// How a binding came about.
#[derive(Debug, Clone)]
pub struct Detail {
    /// What the layer's class says of the variable, where its rule goes by the class.
    pub entry: Option<Position>,
    /// The captures of its rule, with their values.
    pub captures: Vec<(String, String)>,
    /// The sizes of the layout's axes; in the tensor, of an axis that is cut.
    pub sizes: Vec<(String, usize)>,
    /// What the layout does to the elements; none for a copy of equal shape.
    pub nature: Option<Nature>,
}

/// What a variable is made of.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The variable, as an index into the architecture's variables.
    pub variable: usize,
    /// The element type that the file is to hold.
    pub dtype: Dtype,
    /// The value.
    pub value: Value,
    /// What is done to each of the gathered values; nothing to a constant.
    pub arithmetic: Arithmetic,
    /// The rule that says so.
    pub provenance: Provenance,
    /// The layout that was used, for people; empty for a copy of equal shape.
    pub layout: Arc<str>,
}

/// A variable's value.
#[derive(Debug, Clone)]
pub enum Value {
    /// The sum of the terms; one term for anything that is not a reduction. Each term covers the whole
    /// variable.
    Gather(Vec<Term>),
    /// A constant.
    Fill(f64),
}

/// Parts that together write every element of the variable exactly once.
#[derive(Debug, Clone)]
pub struct Term {
    /// The parts.
    pub parts: Vec<Part>,
}

/// One strided copy from one tensor.
#[derive(Debug, Clone)]
pub struct Part {
    /// The tensor's name (empty for the architecture's own value).
    pub key: StateDictKey,
    /// The tensor. `copy`'s source offset and strides count elements of `source.storage`: the tensor's own
    /// offset and strides are already in them.
    pub source: LazyTensor,
    /// From the tensor to the variable's row-major elements.
    pub copy: StridedCopy,
    /// How the tensor is computed, where the checkpoint does not hold it as it is.
    pub derivation: Option<Arc<Derivation>>,
}

/// How a tensor is computed from those of the checkpoint.
#[derive(Debug)]
pub struct Derivation {
    /// The formula, with what it is applied to: `weight_norm(weight_g, weight_v)`.
    pub formula: String,
    /// The tensors of the checkpoint.
    pub sources: Vec<(StateDictKey, LazyTensor)>,
    /// Where what the formula makes is the weight of several groups, and the tensor the dense one: those.
    pub dense: Option<Dense>,
}

/// The weight of groups that a dense one is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dense {
    /// How many: each is a block on the diagonal, and all else is zero.
    pub groups: usize,
    /// Its shape.
    pub shape: Shape,
}

/// Where a decision came from.
#[derive(Debug, Clone)]
pub enum Provenance {
    /// A rule of the schema.
    Rule(Position),
    /// A rule of the schema, through the rules of a Keras class.
    Class {
        /// The class.
        class: Arc<str>,
        /// The layer's rule.
        rule: Position,
    },
    /// A waiver on the command line.
    Waiver(String),
    /// The checkpoint itself: the module's state_dict would not hold the tensor.
    Role(Role),
    /// Keras itself: the variable is bookkeeping that no checkpoint has.
    Initial,
}

/// A remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The layers, variables or tensors it is about.
    pub about: String,
    /// The remark, a whole sentence.
    pub text: String,
}

/// The computed storages of a binding, and their bytes.
#[derive(Debug, Default)]
pub struct LoadedStorages(BTreeMap<usize, Bytes>);

/// A tensor whose values cannot be computed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the values of `{key}` cannot be read")]
pub struct Unreadable {
    /// The tensor.
    pub key: StateDictKey,
    /// The reason.
    pub source: LoadError,
}

impl Plan {
    /// How many bytes the variables take.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        let bytes = |binding: &Binding| {
            let variable = self.architecture.variables.get(binding.variable)?;
            Some((variable.shape.numel() * binding.dtype.size()) as u64)
        };
        self.bindings.iter().filter_map(bytes).sum()
    }
}

impl Binding {
    /// The parts, of all terms; none of a constant.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let terms = match &self.value {
            Value::Gather(terms) => terms.as_slice(),
            Value::Fill(_) => &[],
        };
        terms.iter().flat_map(|term| &term.parts)
    }

    /// The first of the storages that are to be computed; none where all bytes are there.
    #[must_use]
    pub fn first_computed(&self) -> Option<usize> {
        self.parts().find_map(|part| part.source.storage.computed_id())
    }

    /// The same binding over bytes that are there. Each computed storage is computed once, however many parts
    /// read it, or taken from `loaded` where the binding before read it too; what of `loaded` this binding
    /// does not read is dropped first. It takes as much memory as the computed storages of the binding
    /// ([`Storage::byte_len`]), for as long as `loaded` is kept.
    ///
    /// # Errors
    /// When the values of a tensor cannot be computed: the checkpoint is damaged.
    pub fn loaded(&self, loaded: &mut LoadedStorages) -> Result<Self, Unreadable> {
        let wanted: BTreeSet<usize> =
            self.parts().filter_map(|part| part.source.storage.computed_id()).collect();
        loaded.0.retain(|id, _| wanted.contains(id));
        let mut binding = self.clone();
        if let Value::Gather(terms) = &mut binding.value {
            for part in terms.iter_mut().flat_map(|term| &mut term.parts) {
                let Some(id) = part.source.storage.computed_id() else { continue };
                let bytes = match loaded.0.get(&id) {
                    Some(bytes) => bytes.clone(),
                    None => {
                        let bytes = part.source.storage.load();
                        let bytes = bytes.map_err(|source| Unreadable { key: part.key.clone(), source })?;
                        loaded.0.insert(id, bytes.clone());
                        bytes
                    }
                };
                part.source.storage = Storage::Ready(bytes);
            }
        }
        Ok(binding)
    }
}

impl Provenance {
    /// The rule, unless it was the command line.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        match self {
            Self::Rule(position) | Self::Class { rule: position, .. } => Some(position),
            Self::Waiver(_) | Self::Role(_) | Self::Initial => None,
        }
    }
}
