//! An HDF5 file without bytes: groups, datasets, attributes.

use std::borrow::Cow;

use super::LayoutError;
use crate::keras::graph::join;
use crate::map::Map;

/// A group of an HDF5 file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// The attributes, in the order in which they are written.
    pub attributes: Vec<Attribute>,
    /// The children; names are unique and hold no `/`.
    pub children: Vec<(Name, Node)>,
}

/// The name of a group, a dataset or an attribute. Most are of a few that Keras itself gives, and take no memory.
pub type Name = Cow<'static, str>;

/// A child of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A group.
    Group(Group),
    /// A dataset.
    Dataset(Dataset),
    /// The child of that name of the same group, under a second name: a hard link. It is a group or a dataset,
    /// not such a link itself.
    Alias(String),
}

/// A dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What it holds.
    pub content: Content,
    /// The attributes: `dtype` = `bfloat16` where the elements are bfloat16, which HDF5 has no type for.
    pub attributes: Vec<Attribute>,
}

/// What a dataset holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// A variable of the model, as an index into [`Architecture::variables`](super::super::Architecture).
    Variable(usize),
    /// A dataset of the architecture's own file, as an index into [`Layout::carried`](super::Layout).
    Carried(usize),
}

/// An attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The name.
    pub name: Name,
    /// The value.
    pub value: AttributeValue,
}

/// The kinds of value that Keras reads from attributes.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A scalar variable-length UTF-8 string.
    Text(String),
    /// A one-dimensional array of fixed-length strings, as long as the longest. Empty for a list of no
    /// names, which h5py writes as an array of shape `(0,)`.
    TextList(Vec<String>),
}

impl Attribute {
    pub(super) fn text(name: impl Into<Name>, value: &str) -> Self {
        Self { name: name.into(), value: AttributeValue::Text(value.to_owned()) }
    }
}

/// Children that are looked for one by one. Most groups have fewer.
const FEW: usize = 8;

/// Children that a group has room for from the first on.
const USUAL_CHILDREN: usize = 2;

/// The group of a layer's variables.
const VARS: &str = "vars";

/// The names of a layer's first variables, which are its datasets.
const FIRST: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The name of the dataset of a layer's variable.
pub(super) fn numbered(index: usize) -> Name {
    FIRST.get(index).map_or_else(|| Cow::Owned(index.to_string()), |name| Cow::Borrowed(*name))
}

fn named(name: &str) -> Name {
    if name == VARS { Cow::Borrowed(VARS) } else { Cow::Owned(name.to_owned()) }
}

/// A group in the making, which finds its children by name: a model may have tens of thousands.
#[derive(Default)]
pub(super) struct Growing {
    pub(super) attributes: Vec<Attribute>,
    children: Vec<(Name, Child)>,
    /// The place of each child, where there are more than [`FEW`].
    places: Option<Box<Map<Name, usize>>>,
}

enum Child {
    Group(Growing),
    Leaf(Node),
}

impl Growing {
    /// The group of that path below this one, made where there is none yet.
    pub(super) fn group(&mut self, path: &str) -> Result<&mut Self, LayoutError> {
        let mut group = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let at = match group.place(name) {
                Some(at) => at,
                None => group.push(named(name), Child::Group(Self::default())),
            };
            group = match group.children.get_mut(at) {
                Some((_, Child::Group(group))) => group,
                _ => return Err(LayoutError::SameName { path: path.to_owned() }),
            };
        }
        Ok(group)
    }

    /// Adds a dataset at a path below this group.
    pub(super) fn add(&mut self, path: &str, dataset: Dataset) -> Result<(), LayoutError> {
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.group(parents)?.add_child(named(name), dataset, parents)
    }

    /// Makes room for so many more children, and no others.
    pub(super) fn reserve(&mut self, children: usize) {
        self.children.reserve_exact(children);
    }

    /// Adds a dataset directly to this group, whose path below the root is `path`.
    pub(super) fn add_child(&mut self, name: Name, dataset: Dataset, path: &str) -> Result<(), LayoutError> {
        if self.place(&name).is_some() {
            return Err(LayoutError::SameName { path: join(path, &name) });
        }
        self.push(name, Child::Leaf(Node::Dataset(dataset)));
        Ok(())
    }

    /// Gives a child a second name; no more than that name where there is no such child or the name is taken.
    pub(super) fn alias(&mut self, name: &str, of: &str) {
        if self.place(of).is_some() && self.place(name).is_none() {
            self.push(named(name), Child::Leaf(Node::Alias(of.to_owned())));
        }
    }

    fn push(&mut self, name: Name, child: Child) -> usize {
        let at = self.children.len();
        if at == 0 && self.children.capacity() == 0 {
            // Most groups of a layer have its variables, or those of a layer inside.
            self.children.reserve_exact(USUAL_CHILDREN);
        }
        self.children.push((name, child));
        // Those before it too, once there are more.
        let first = if at == FEW { 0 } else { at };
        if at >= FEW {
            let added = self.children.iter().enumerate().skip(first);
            let places = self.places.get_or_insert_default();
            places.extend(added.map(|(at, (name, _))| (name.clone(), at)));
        }
        at
    }

    fn place(&self, name: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(name).copied(),
            None => self.children.iter().position(|(other, _)| other == name),
        }
    }

    /// The group.
    pub(super) fn finish(self) -> Group {
        let children = self.children.into_iter().map(|(name, child)| {
            let node = match child {
                Child::Group(group) => Node::Group(group.finish()),
                Child::Leaf(node) => node,
            };
            (name, node)
        });
        Group { attributes: self.attributes, children: children.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of so many children find each of them, and no name twice.
    #[test]
    fn few_and_many_children() {
        let dataset = || Dataset { content: Content::Variable(0), attributes: Vec::new() };
        for count in 1..=FEW + 3 {
            let mut root = Growing::default();
            for at in 0..count {
                root.add(&format!("g/{at}"), dataset()).expect("a new name");
            }
            for at in 0..count {
                let path = format!("g/{at}");
                let error = root.add(&path, dataset()).expect_err("a name that is there");
                assert!(matches!(error, LayoutError::SameName { path: found } if found == path));
            }
            let group = root.group("g").expect("a group");
            group.alias("second", "0");
            group.alias("second", &(count - 1).to_string());
            group.alias("third", "none");
            let names: Vec<String> = group.children.iter().map(|(name, _)| name.to_string()).collect();
            let expected = (0..count).map(|at| at.to_string()).chain(["second".to_owned()]);
            assert_eq!(names, expected.collect::<Vec<_>>());
        }
    }
}
