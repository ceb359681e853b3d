//! One of two files that are compared: its variables by every name under which the other may have them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::cli::expected::{self, NoValues};
use crate::cli::failure::Failure;
use crate::convert::ConvertError;
use crate::keras::{Architecture, Origin, WeightsFile};
use crate::lazy::LazyTensor;
use crate::plan::{Binding, Plan};
use crate::tensor::Shape;

/// One of two files.
pub(super) struct Side {
    pub(super) path: PathBuf,
    pub(super) variables: Vec<SideVariable>,
    /// The file is a legacy one, which Keras reads by order.
    pub(super) is_legacy: bool,
    /// The variables in the order of a legacy file: of this one, or of one that Keras writes of the model. `None`
    /// where nothing tells it.
    pub(super) order: Option<Vec<usize>>,
}

/// A variable by its names.
pub(super) struct SideVariable {
    /// The path in the model, as `inspect` shows it.
    pub(super) name: Option<String>,
    /// Its number among the variables of its layer.
    pub(super) index: usize,
    /// The dataset in a `.weights.h5` as Keras 3 calls it.
    pub(super) group_place: Option<String>,
    /// The dataset in a legacy `.h5`.
    pub(super) legacy_place: Option<String>,
    /// The dataset in the file itself; for a checkpoint, where it would be.
    pub(super) place: Option<String>,
    value: Value,
}

enum Value {
    Stored(LazyTensor),
    Planned(Box<Binding>, Shape),
}

impl Side {
    /// A Keras file with values. Where nothing tells the model, its datasets.
    pub(super) fn of_keras(path: &Path) -> Result<Self, Failure> {
        let file = WeightsFile::open(path)?;
        match Architecture::open(path) {
            Ok(architecture) if architecture.variables.iter().all(|variable| variable.value.is_some()) => {
                Ok(Self::of_architecture(path, architecture))
            }
            _ => Ok(Self::of_datasets(path, file)),
        }
    }

    fn of_architecture(path: &Path, architecture: Architecture) -> Self {
        let is_legacy = matches!(architecture.origin, Origin::WholeH5 | Origin::LegacyTemplate);
        let order = architecture.legacy_order();
        let places = architecture.weights_h5_places().into_iter().zip(architecture.legacy_places());
        let variables = architecture.variables.into_iter().zip(places).filter_map(|(variable, places)| {
            let (group_place, legacy_place) = places;
            Some(SideVariable {
                name: Some(variable.path.as_str().to_owned()),
                index: variable.index,
                place: if is_legacy { legacy_place.clone() } else { group_place.clone() },
                group_place: group_place.map(plain),
                legacy_place,
                value: Value::Stored(*variable.value?),
            })
        });
        Self { path: path.to_owned(), variables: variables.collect(), is_legacy, order }
    }

    fn of_datasets(path: &Path, file: WeightsFile) -> Self {
        let is_legacy = file.form.is_legacy();
        let order = is_legacy.then(|| (0..file.variables.len()).collect());
        let variables = file.variables.into_iter().map(|stored| {
            let place = stored.place().to_owned();
            SideVariable {
                name: None,
                index: 0,
                place: Some(place.clone()),
                group_place: (!is_legacy).then(|| plain(place.clone())),
                legacy_place: is_legacy.then_some(place),
                value: Value::Stored(stored.tensor),
            }
        });
        Self { path: path.to_owned(), variables: variables.collect(), is_legacy, order }
    }

    /// What a checkpoint becomes.
    pub(super) fn of_plan(path: &Path, plan: Plan) -> Self {
        let Plan { architecture, bindings, .. } = plan;
        let (group_places, legacy_places) = (architecture.weights_h5_places(), architecture.legacy_places());
        // Variables without a value are none of the side's.
        let numbers: HashMap<usize, usize> =
            bindings.iter().enumerate().map(|(number, binding)| (binding.variable, number)).collect();
        let order = architecture.legacy_order();
        let order = order.map(|all| all.iter().filter_map(|at| numbers.get(at).copied()).collect());
        let variables = bindings.into_iter().filter_map(|binding| {
            let at = binding.variable;
            let variable = architecture.variables.get(at)?;
            let group_place = group_places.get(at).cloned().flatten();
            let legacy_place = legacy_places.get(at).cloned().flatten();
            Some(SideVariable {
                name: Some(variable.path.as_str().to_owned()),
                index: variable.index,
                place: group_place.clone().or_else(|| legacy_place.clone()),
                group_place: group_place.map(plain),
                legacy_place,
                value: Value::Planned(Box::new(binding), variable.shape.clone()),
            })
        });
        Self { path: path.to_owned(), variables: variables.collect(), is_legacy: false, order }
    }
}

impl SideVariable {
    /// The path of its layer in the model; empty for the model itself.
    pub(super) fn layer(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        Some(name.rsplit_once('/').map_or("", |(layer, _)| layer))
    }

    /// The values.
    pub(super) fn tensor(&self, path: &Path) -> Result<Cow<'_, LazyTensor>, Failure> {
        match &self.value {
            Value::Stored(tensor) => Ok(Cow::Borrowed(tensor)),
            Value::Planned(binding, shape) => match expected::tensor(binding, shape) {
                Ok(tensor) => Ok(Cow::Owned(tensor)),
                Err(NoValues::Unreadable(source)) => {
                    Err(ConvertError::Unreadable { path: path.to_owned(), source }.into())
                }
                Err(NoValues::Unfit) => {
                    let variable = self.shown().to_owned();
                    Err(Failure::NoValue { path: path.to_owned(), variable, dtype: binding.dtype })
                }
            },
        }
    }

    /// The name for people.
    pub(super) fn shown(&self) -> &str {
        self.name.as_deref().or(self.place.as_deref()).unwrap_or_default()
    }
}

/// A dataset's path under the names of Keras 3: attention layers had `_query_dense` in Keras 2. Both sides are told so, and so are layers that Keras 3 calls by such a name.
fn plain(place: String) -> String {
    const PROJECTIONS: [&str; 4] = ["_query_dense", "_key_dense", "_value_dense", "_output_dense"];
    let part = |part: &str| match part {
        part if PROJECTIONS.contains(&part) => part.trim_start_matches('_').to_owned(),
        part => part.to_owned(),
    };
    place.split('/').map(part).collect::<Vec<_>>().join("/")
}
