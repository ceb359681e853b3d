//! The variables of a Keras weight file, as they are stored.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::lazy::{Bytes, LazyTensor};

use super::archive::Archive;
use super::error::{Error, ErrorKind};
use super::file_layout::Format;
use super::graph::join;
use super::sniff::{Content, sniff};
use super::stored::Stored;
use super::{hdf5, open, sharded, whole};

/// A weight file's variables, in the order of the file's structure.
#[derive(Debug)]
pub struct WeightsFile {
    /// The file.
    pub path: PathBuf,
    /// What kind of file it is.
    pub form: WeightsForm,
    /// The stored variables of the model: groups in the order in which Keras walks them, with numbers in numeric
    /// order (`vars/2` before `vars/10`), or in the order of `layer_names` and `weight_names` in legacy files.
    pub variables: Vec<StoredVariable>,
    /// The state of the optimizer and of metrics, which are no variables of the model.
    pub state: Vec<StoredVariable>,
    /// Further names of groups, which Keras never writes: by path, that of the group by its first name.
    pub aliases: BTreeMap<String, String>,
    /// The text of the configuration of a whole model.
    pub config: Option<Bytes>,
}

/// The kinds of weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightsForm {
    /// `.weights.h5` of Keras 3, and of Keras 2.12 and later.
    WeightsH5,
    /// The index `.weights.json` of sharded weights.
    Sharded,
    /// Weights-only `.h5` of Keras 2.
    LegacyH5,
    /// A whole model in HDF5: legacy weights in the group `model_weights`.
    WholeH5,
    /// A `.keras` archive: a `model.weights.h5` in it.
    Archive,
    /// An unzipped `.keras` archive.
    Folder,
}

impl WeightsForm {
    /// Whether the weights are in the legacy format, whose order counts and whose names do not.
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        matches!(self, Self::LegacyH5 | Self::WholeH5)
    }

    /// The format in which such a file is written.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::WeightsH5 => Format::WeightsH5,
            Self::Sharded => Format::Sharded,
            Self::LegacyH5 => Format::LegacyH5,
            Self::WholeH5 => Format::WholeH5,
            Self::Archive | Self::Folder => Format::Keras,
        }
    }
}

/// A variable as a file holds it.
#[derive(Debug, Clone)]
pub struct StoredVariable {
    /// The HDF5 path of the dataset, without a leading `/`: `layers/dense/vars/0`, `dense/dense/kernel`; where Keras
    /// up to 2.13 has other names for the layers of a model, those of Keras 3.
    pub path: String,
    /// The layer's name: the `name` attribute of its `vars` group (3.6 and later) or the entry of
    /// `layer_names`, when the file tells it.
    pub layer: Option<String>,
    /// The value, with its shape and element type.
    pub tensor: LazyTensor,
}

impl StoredVariable {
    /// The path as a weight file alone has it: without the group that holds the weights of a whole model.
    #[must_use]
    pub fn place(&self) -> &str {
        let below = self.path.strip_prefix(WHOLE).and_then(|below| below.strip_prefix('/'));
        below.filter(|_| self.layer.is_some()).unwrap_or(&self.path)
    }
}

impl WeightsFile {
    /// The path that a dataset has by the first name of its group, for one that is found by another.
    #[must_use]
    pub fn first_name(&self, path: &str) -> Option<String> {
        path.match_indices('/').find_map(|(end, _)| {
            let (group, below) = path.split_at_checked(end)?;
            Some(format!("{}{below}", self.aliases.get(group)?))
        })
    }

    /// Opens a `.weights.h5`, an index of shards, a legacy or whole-model `.h5` or a `.keras` archive (also
    /// unzipped), told apart by content.
    ///
    /// # Errors
    /// When the file is none of these or breaks their rules.
    pub fn open(path: &Path) -> Result<Self, Error> {
        read(path).map_err(|kind| Error { path: path.to_owned(), kind })
    }

    /// Opens bytes as the file at that path. The shards of an index are files of their own, next to it.
    ///
    /// # Errors
    /// As [`WeightsFile::open`].
    pub fn from_bytes(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        read_bytes(path, bytes).map_err(|kind| Error { path: path.to_owned(), kind })
    }
}

fn read(path: &Path) -> Result<WeightsFile, ErrorKind> {
    if path.is_dir() {
        return read_archive(path, Archive::open_folder(path)?, WeightsForm::Folder);
    }
    read_bytes(path, Bytes::map(path)?)
}

fn read_bytes(path: &Path, bytes: Bytes) -> Result<WeightsFile, ErrorKind> {
    let file = match sniff(bytes.as_slice())? {
        Content::Json => {
            let object = open::parse(bytes.as_slice())?;
            if !sharded::is_index(&object) {
                return Err(ErrorKind::NotWeights);
            }
            return Ok(WeightsFile::of(path, WeightsForm::Sharded, sharded::read(path, &object)?.0));
        }
        Content::Archive => return read_archive(path, Archive::open(bytes)?, WeightsForm::Archive),
        Content::Hdf5 => hdf5::File::open(bytes)?,
    };
    let Some((group, at)) = legacy_group(&file)? else {
        return Ok(WeightsFile::of(path, WeightsForm::WeightsH5, Stored::read(&file)?));
    };
    let layers = stored_legacy(&file, group, at)?;
    let variables = layers.into_iter().flat_map(|layer| {
        let LegacyLayer { name, path, weights } = layer;
        weights.into_iter().map(move |LegacyWeight { name: weight, tensor }| StoredVariable {
            path: join(&path, &weight),
            layer: Some(name.clone()),
            tensor,
        })
    });
    let variables = variables.collect();
    let form = if at.is_empty() { WeightsForm::LegacyH5 } else { WeightsForm::WholeH5 };
    let state = whole::optimizer(&file)?.into_iter();
    let state =
        state.map(|dataset| StoredVariable { path: dataset.path, layer: None, tensor: dataset.tensor });
    let config = whole::config(&file)?.map(|text| Bytes::held(text.into_bytes()));
    let (path, state, aliases) = (path.to_owned(), state.collect(), BTreeMap::new());
    Ok(WeightsFile { path, form, variables, state, aliases, config })
}

fn read_archive(path: &Path, mut archive: Archive, form: WeightsForm) -> Result<WeightsFile, ErrorKind> {
    let config = archive.config()?;
    let file = hdf5::File::open(archive.weights()?)?;
    if legacy_group(&file)?.is_some() {
        return Err(ErrorKind::LegacyInArchive);
    }
    Ok(WeightsFile { config: Some(config), ..WeightsFile::of(path, form, Stored::read(&file)?) })
}

impl WeightsFile {
    fn of(path: &Path, form: WeightsForm, stored: Stored) -> Self {
        let variables = stored.variables();
        let Stored { optimizer, metrics, again, .. } = stored;
        let state = optimizer.into_iter().chain(metrics);
        let state =
            state.map(|dataset| StoredVariable { path: dataset.path, layer: None, tensor: dataset.tensor });
        let (path, state, aliases) = (path.to_owned(), state.collect(), again.into_iter().collect());
        Self { path, form, variables, state, aliases, config: None }
    }
}

/// The group of a whole-model file with the weights.
pub(super) const WHOLE: &str = "model_weights";

/// The group of a legacy file for the variables that the model owns itself.
pub(super) const TOP_LEVEL: &str = "top_level_model_weights";

/// The group of a legacy file that lists the layers: its address, and its path: the root, or `model_weights`.
pub(super) fn legacy_group(file: &hdf5::File) -> Result<Option<(u64, &'static str)>, ErrorKind> {
    let root = file.root();
    if file.list_attribute(root, "layer_names", "")?.is_some() {
        return Ok(Some((root, "")));
    }
    // Any other file may lack that group, or have a layer of that name, which lists no layers.
    let Some(whole) = file.group(root, "", WHOLE)? else { return Ok(None) };
    let lists_layers = file.list_attribute(whole, "layer_names", WHOLE)?.is_some();
    Ok(lists_layers.then_some((whole, WHOLE)))
}

/// A layer of a legacy file.
pub(super) struct LegacyLayer {
    /// The entry of `layer_names`; [`TOP_LEVEL`] for the model itself.
    pub(super) name: String,
    /// The path of its group.
    pub(super) path: String,
    /// Its weights, in their order.
    pub(super) weights: Vec<LegacyWeight>,
}

/// A weight of a legacy file.
pub(super) struct LegacyWeight {
    /// The entry of `weight_names`.
    pub(super) name: String,
    pub(super) tensor: LazyTensor,
}

/// The layers of a legacy file that have weights, in the order of its lists; the variables of the model itself
/// come last.
pub(super) fn stored_legacy(
    file: &hdf5::File,
    group: u64,
    path: &str,
) -> Result<Vec<LegacyLayer>, ErrorKind> {
    let missing =
        |field: &str, at: &str| ErrorKind::MissingField { layer: at.to_owned(), field: field.to_owned() };
    let names =
        file.list_attribute(group, "layer_names", path)?.ok_or_else(|| missing("layer_names", path))?;
    let tree = file.tree(group, path)?;
    let (mut groups, mut datasets) = (HashMap::new(), HashMap::new());
    collect(&tree, &mut groups, &mut datasets);
    let mut layers = Vec::new();
    for (name, is_layer) in names.iter().map(|name| (name.as_str(), true)).chain([(TOP_LEVEL, false)]) {
        let at = below(path, name);
        let Some(own) = groups.remove(at.as_str()) else {
            if is_layer {
                return Err(ErrorKind::LegacyGroup { layer: name.to_owned() });
            }
            continue;
        };
        let mut weights = Vec::new();
        for name in file.list_attribute(own, "weight_names", &at)?.unwrap_or_default() {
            let path = below(&at, &name);
            let dataset = datasets.remove(path.as_str());
            let dataset = dataset.ok_or_else(|| ErrorKind::LegacyDataset { at: path.clone() })?;
            weights.push(LegacyWeight { name, tensor: file.tensor(dataset)? });
        }
        if !weights.is_empty() {
            layers.push(LegacyLayer { name: name.to_owned(), path: at, weights });
        }
    }
    // A dataset that no list names would be lost without a word.
    match datasets.keys().min() {
        Some(stray) => Err(ErrorKind::StrayDataset { at: (*stray).to_owned() }),
        None => Ok(layers),
    }
}

/// What an HDF5 path leads to from a group. Names of layers in Keras 2 may hold a `/`, as those of weights do.
fn below(group: &str, path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).fold(group.to_owned(), |above, part| join(&above, part))
}

fn collect<'a>(
    tree: &'a hdf5::Group,
    groups: &mut HashMap<&'a str, u64>,
    datasets: &mut HashMap<&'a str, &'a hdf5::Dataset>,
) {
    datasets.extend(tree.datasets.iter().map(|dataset| (dataset.path.as_str(), dataset)));
    for group in &tree.groups {
        groups.insert(&group.path, group.address);
        collect(group, groups, datasets);
    }
}
