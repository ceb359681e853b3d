//! What a `.weights.h5` holds, of one file or of several shards: groups, and the datasets in them. The state of
//! the optimizer and of metrics is apart from the model's variables.

use std::collections::{HashMap, HashSet};

use crate::lazy::LazyTensor;

use super::carried::CarriedDataset;
use super::error::ErrorKind;
use super::graph::join;
use super::hdf5;
use super::weights_file::StoredVariable;

/// The group of a layer's own variables.
pub(super) const VARS: &str = "vars";

/// The name that Keras up to 2.13 gave the group `layers` of a model.
pub(super) const OLD_LAYERS: &str = "_layer_checkpoint_dependencies";

/// The group of a compiled model's optimizer.
const OPTIMIZER: &str = "optimizer";

/// The group of a compiled model's metrics, which Keras 2 saves.
const METRICS: &str = "metrics";

/// The dataset of a lookup layer (`IndexLookup.save_own_variables`): it belongs to the vocabulary, and is no
/// variable.
const LOOKUP: &str = "idf_weights";

/// The model's part of a weights file.
pub(super) struct Stored {
    /// The root group, without the optimizer and the metrics.
    pub(super) root: StoredGroup,
    /// The state of the optimizer.
    pub(super) optimizer: Vec<CarriedDataset>,
    /// The state of metrics.
    pub(super) metrics: Vec<CarriedDataset>,
    /// Further names of groups: the path, and that of the group by its first name.
    pub(super) again: Vec<(String, String)>,
}

/// A group with what is below it.
pub(super) struct StoredGroup {
    /// The path from the root; empty for the root.
    pub(super) path: String,
    /// The last part of the path.
    pub(super) name: String,
    /// The attribute `name`: the layer's name on its `vars` group (Keras 3.6 and later).
    pub(super) label: Option<String>,
    /// The groups below, in the order of Keras' walk.
    pub(super) groups: Vec<StoredGroup>,
    /// The datasets, in natural order: the name and the value.
    pub(super) datasets: Vec<(String, LazyTensor)>,
}

impl Stored {
    /// Reads a file.
    pub(super) fn read(file: &hdf5::File) -> Result<Self, ErrorKind> {
        let tree = file.tree(file.root(), "")?;
        let mut again = Vec::new();
        let mut root = StoredGroup::read(file, tree, &mut again)?;
        let mut apart = |name: &str| {
            let at = root.groups.iter().position(|group| group.name == name);
            let mut found = Vec::new();
            if let Some(group) = at.map(|at| root.groups.remove(at)) {
                group.all(&mut found);
            }
            found
        };
        let (optimizer, metrics) = (apart(OPTIMIZER), apart(METRICS));
        root.modernise();
        Ok(Self { root, optimizer, metrics, again })
    }

    /// Adds what another shard holds.
    pub(super) fn add(&mut self, other: Self) -> Result<(), ErrorKind> {
        let Self { root, optimizer, metrics, again } = other;
        self.root.add(root)?;
        for (ours, theirs) in [(&mut self.optimizer, optimizer), (&mut self.metrics, metrics)] {
            let known: HashSet<&str> = ours.iter().map(|dataset| dataset.path.as_str()).collect();
            if let Some(twice) = theirs.iter().find(|dataset| known.contains(dataset.path.as_str())) {
                return Err(ErrorKind::TwoShards { at: twice.path.clone() });
            }
            ours.extend(theirs);
        }
        self.again.extend(again);
        Ok(())
    }

    /// The model's variables, group by group: a layer's own before those of the layers inside it.
    pub(super) fn variables(&self) -> Vec<StoredVariable> {
        let mut variables = Vec::new();
        self.root.list(&mut variables);
        variables
    }
}

impl StoredGroup {
    fn read(
        file: &hdf5::File,
        tree: hdf5::Group,
        again: &mut Vec<(String, String)>,
    ) -> Result<Self, ErrorKind> {
        let is_vars = tree.name == VARS;
        let label = if is_vars { file.text_attribute(tree.address, "name", &tree.path)? } else { None };
        let datasets = tree
            .datasets
            .into_iter()
            .map(|dataset| Ok((dataset.name.clone(), file.tensor(&dataset)?)))
            .collect::<Result<_, ErrorKind>>()?;
        again.extend(tree.again);
        let groups: Result<_, ErrorKind> =
            tree.groups.into_iter().map(|group| Self::read(file, group, again)).collect();
        Ok(Self { path: tree.path, name: tree.name, label, groups: groups?, datasets })
    }

    /// Calls the groups as Keras 3 does. Keras up to 2.13 had each layer with weights twice in the list of a model's
    /// layers, so that its groups are `dense`, `dense_2`, `dense_4`; each layer has a group, so their order tells
    /// the numbers.
    fn modernise(&mut self) {
        for group in &mut self.groups {
            if group.name == OLD_LAYERS {
                group.name = "layers".to_owned();
                let mut counts: HashMap<String, usize> = HashMap::new();
                for layer in &mut group.groups {
                    let class = match layer.name.rsplit_once('_') {
                        Some((class, number)) if number.parse::<usize>().is_ok() => class.to_owned(),
                        _ => layer.name.clone(),
                    };
                    let count = counts.entry(class.clone()).or_insert(0);
                    layer.name = if *count == 0 { class } else { format!("{class}_{count}") };
                    *count += 1;
                }
            }
            group.path = join(&self.path, &group.name);
            group.modernise();
        }
    }

    /// The layer's own variables, when it is one.
    pub(super) fn vars(&self) -> Option<&Self> {
        self.groups.iter().find(|group| group.name == VARS)
    }

    /// Whether there are datasets in it or below.
    pub(super) fn has_datasets(&self) -> bool {
        !self.datasets.is_empty() || self.groups.iter().any(Self::has_datasets)
    }

    fn add(&mut self, other: Self) -> Result<(), ErrorKind> {
        self.label = self.label.take().or(other.label);
        let mut names: HashMap<String, usize> =
            self.groups.iter().enumerate().map(|(at, group)| (group.name.clone(), at)).collect();
        for group in other.groups {
            match names.get(&group.name).and_then(|&at| self.groups.get_mut(at)) {
                Some(ours) => ours.add(group)?,
                None => {
                    names.insert(group.name.clone(), self.groups.len());
                    self.groups.push(group);
                }
            }
        }
        let known: HashSet<&str> = self.datasets.iter().map(|(name, _)| name.as_str()).collect();
        if let Some((twice, _)) = other.datasets.iter().find(|(name, _)| known.contains(name.as_str())) {
            return Err(ErrorKind::TwoShards { at: join(&self.path, twice) });
        }
        self.datasets.extend(other.datasets);
        Ok(())
    }

    /// Brings what shards had apart into the order of one file.
    pub(super) fn sort(&mut self) {
        self.groups.sort_by(|a, b| hdf5::walked(&a.name).cmp(&hdf5::walked(&b.name)));
        self.datasets.sort_by(|(a, _), (b, _)| hdf5::natural(a).cmp(&hdf5::natural(b)));
        self.groups.iter_mut().for_each(Self::sort);
    }

    fn list(&self, variables: &mut Vec<StoredVariable>) {
        for (name, tensor) in &self.datasets {
            if is_lookup(&self.name, name) {
                continue;
            }
            let path = join(&self.path, name);
            variables.push(StoredVariable { path, layer: self.label.clone(), tensor: tensor.clone() });
        }
        let (own, below): (Vec<_>, Vec<_>) = self.groups.iter().partition(|group| group.name == VARS);
        own.into_iter().chain(below).for_each(|group| group.list(variables));
    }

    /// Everything in it, in the order of the file.
    fn all(&self, found: &mut Vec<CarriedDataset>) {
        for (name, tensor) in &self.datasets {
            found.push(CarriedDataset { path: join(&self.path, name), tensor: tensor.clone() });
        }
        self.groups.iter().for_each(|group| group.all(found));
    }

    /// The datasets of lookup layers in it.
    pub(super) fn lookups(&self, found: &mut Vec<CarriedDataset>) {
        for (name, tensor) in &self.datasets {
            if is_lookup(&self.name, name) {
                found.push(CarriedDataset { path: join(&self.path, name), tensor: tensor.clone() });
            }
        }
        self.groups.iter().for_each(|group| group.lookups(found));
    }
}

/// The datasets of a file by their paths, for a model whose configuration tells where each should be.
pub(super) struct Places {
    /// In the order of the file; none for one that has been taken.
    datasets: Vec<(String, Option<LazyTensor>)>,
    by_path: HashMap<String, usize>,
    /// Further names of groups.
    again: HashMap<String, String>,
}

impl Places {
    /// Those of a file.
    pub(super) fn of(stored: &Stored) -> Self {
        let mut datasets: Vec<CarriedDataset> = Vec::new();
        stored.root.all(&mut datasets);
        let by_path = datasets.iter().enumerate().map(|(at, dataset)| (dataset.path.clone(), at)).collect();
        let datasets = datasets.into_iter().map(|dataset| (dataset.path, Some(dataset.tensor))).collect();
        Self { datasets, by_path, again: stored.again.iter().cloned().collect() }
    }

    /// The value at the path that Keras 3 would use, or that an older Keras used for it: attention layers had
    /// `_query_dense` in Keras 2, which Keras 3 reads as well.
    pub(super) fn take(&mut self, path: &str) -> Option<LazyTensor> {
        let at = self.find(path).or_else(|| {
            let (above, last) = projection(path)?;
            self.find(&format!("{above}_{last}"))
        })?;
        self.datasets.get_mut(at)?.1.take()
    }

    fn find(&self, path: &str) -> Option<usize> {
        if let Some(&at) = self.by_path.get(path) {
            return Some(at);
        }
        let ends = path.match_indices('/').map(|(end, _)| end);
        let first = ends.filter_map(|end| Some((end, self.again.get(path.get(..end)?)?))).next()?;
        let (end, first) = first;
        self.by_path.get(&format!("{first}{}", path.get(end..)?)).copied()
    }

    /// What has not been taken, in the order of the file: what layers keep of the data that they were adapted to,
    /// and the paths of what no layer of the model reads. The other name of a projection is none of both.
    pub(super) fn rest(self) -> (Vec<CarriedDataset>, Vec<String>) {
        let (mut lookups, mut unread) = (Vec::new(), Vec::new());
        for (path, tensor) in self.datasets {
            let Some(tensor) = tensor else { continue };
            let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let is_adapted = is_lookup(above.rsplit('/').next().unwrap_or(above), name) || is_summary(&path);
            if is_adapted {
                lookups.push(CarriedDataset { path, tensor });
            } else if !is_old_projection(&path) {
                unread.push(path);
            }
        }
        (lookups, unread)
    }
}

/// The path up to the group of a projection of an attention layer, and the rest: `a/query_dense/vars/0` is
/// `a/` and `query_dense/vars/0`.
fn projection(path: &str) -> Option<(&str, &str)> {
    const GROUPS: [&str; 4] = ["/query_dense/", "/key_dense/", "/value_dense/", "/output_dense/"];
    let at = GROUPS.iter().filter_map(|group| path.rfind(group)).max()?;
    path.split_at_checked(at + 1)
}

/// Whether a path leads through a projection's group by its name in Keras 2.
fn is_old_projection(path: &str) -> bool {
    const GROUPS: [&str; 4] = ["/_query_dense/", "/_key_dense/", "/_value_dense/", "/_output_dense/"];
    GROUPS.iter().any(|group| path.contains(group))
}

/// Whether a dataset is what `Discretization` of Keras 2 was adapted to: its summary of the data
/// (`discretization.py`).
fn is_summary(path: &str) -> bool {
    let layer = path.strip_suffix("/vars/0").map(|layer| layer.rsplit('/').next().unwrap_or(layer));
    let number = layer.and_then(|layer| layer.strip_prefix("discretization"));
    number.is_some_and(|number| {
        let digits = number.strip_prefix('_').unwrap_or("");
        number.is_empty() || !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Whether a dataset of a group is a lookup layer's.
pub(super) fn is_lookup(group: &str, name: &str) -> bool {
    group == VARS && name == LOOKUP
}
