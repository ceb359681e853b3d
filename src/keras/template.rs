//! `.weights.h5` templates, whole or in shards: the variables of a model that no configuration describes.
//!
//! Layer names come from the `name` attributes of the `vars` groups (Keras 3.6 and later), else from the
//! groups, without the lists that stand around them (`blocks/block_1/fc1` is the layer `block_1/fc1`, and found
//! by both). What Keras itself puts into a layer has the name that Keras gives it (`query_dense` in an attention
//! layer is `query`), whether the file tells or not. Classes come from the groups' names, which Keras makes from
//! the class inside lists, or from layer names. The latter are certain only where Keras gave them by itself,
//! which the file does not tell, so such a class is marked ([`Layer::class_from_name`]). No class is guessed from
//! shapes.

mod class;
pub(super) mod legacy;

use std::collections::HashSet;
use std::path::Path;

use crate::tensor::{Dtype, VariablePath};

use super::architecture::{Architecture, FeatureOrder, Generation, Layer, Origin, Variable};
use super::carried::Carried;
use super::error::ErrorKind;
use super::graph::join;
use super::layers::variable_names;
use super::stored::{Stored, StoredGroup, VARS, is_lookup};

use class::{Found, Parent};

/// The model of a template.
pub(super) fn read(path: &Path, stored: Stored, origin: Origin) -> Result<Architecture, ErrorKind> {
    let Stored { root, optimizer, .. } = stored;
    let mut carried = Carried { optimizer, ..Carried::default() };
    root.lookups(&mut carried.datasets);
    let mut template = Template { layers: Vec::new(), variables: Vec::new() };
    template.visit(root, &Place::default(), None)?;
    if template.variables.is_empty() {
        return Err(ErrorKind::NoVariables);
    }
    let Template { mut layers, mut variables } = template;
    if !names_are_unique(&variables) {
        for layer in &mut layers {
            layer.path = layer.aliases.pop().unwrap_or_else(|| layer.group.clone());
        }
        for variable in &mut variables {
            let layer = layers.get(variable.layer).map_or("", |layer| layer.path.as_str());
            variable.path = VariablePath::new(join(layer, &variable.name));
        }
    }
    mark_features(&mut layers, &variables);
    Ok(Architecture {
        path: path.to_owned(),
        origin,
        generation: Generation::Keras3,
        layers,
        variables,
        weightless: Vec::new(),
        legacy: None,
        carried,
    })
}

fn names_are_unique(variables: &[Variable]) -> bool {
    let mut seen = HashSet::new();
    variables.iter().all(|variable| seen.insert(variable.path.as_str()))
}

/// A template has no graph, so a Dense may follow a flattened map wherever the model has convolutions. What
/// stands in the file's order says nothing of the order of calls, so every Dense of such a model is marked.
fn mark_features(layers: &mut [Layer], variables: &[Variable]) {
    /// The lowest rank of a convolution's kernel: one spatial axis, two for channels.
    const CONVOLUTION_RANK: usize = 3;
    let is_convolution = |layer: &Layer| {
        let own = variables.get(layer.variables.clone()).unwrap_or(&[]);
        let is_einsum = layer.class.as_deref() == Some("EinsumDense");
        !is_einsum && own.iter().any(|variable| variable.shape.rank() >= CONVOLUTION_RANK)
    };
    if !layers.iter().any(is_convolution) {
        return;
    }
    for layer in layers.iter_mut().filter(|layer| layer.class.as_deref() == Some("Dense")) {
        layer.features = FeatureOrder::Unknown("the template has no graph".to_owned());
    }
}

/// Where a group stands in the tree of layers.
#[derive(Clone, Default)]
struct Place {
    /// Layer names from the root.
    path: String,
    /// The group as Keras 3 calls it.
    group: String,
    /// The group's name is made from the class: it stands in a list.
    is_listed: bool,
}

struct Template {
    layers: Vec<Layer>,
    variables: Vec<Variable>,
}

impl Template {
    /// Lists a layer (a group that has `vars`) or container and all below. The depth is bounded when the tree
    /// is read.
    fn visit(
        &mut self,
        mut tree: StoredGroup,
        place: &Place,
        parent: Option<&Parent>,
    ) -> Result<(), ErrorKind> {
        let is_root = tree.path.is_empty();
        let is_layer = tree.vars().is_some() && !is_root;
        let mut below = place.clone();
        let mut this = None;
        if let Some(at) = tree.groups.iter().position(|group| group.name == VARS) {
            let vars = tree.groups.remove(at);
            let label = vars.label.as_deref().filter(|name| !name.is_empty() && !name.contains('/'));
            let found = class::of(&tree, place.is_listed, parent, label);
            if !is_root {
                let named = class::fixed_name(&tree.name, parent);
                below.path = join(&place.path, label.or(named).unwrap_or(&tree.name));
            }
            self.layer(&tree, vars, &below, parent, found)?;
            this = Some(Parent::new(&tree, found));
        }
        if let Some((name, _)) = tree.datasets.first() {
            return Err(ErrorKind::StrayDataset { at: join(&tree.path, name) });
        }
        // Keras gives every layer a `vars` group, so a group without one is a list or dictionary of layers.
        // Groups in a container are named by class; those in a layer, by attribute.
        below.is_listed = !is_layer && !is_root;
        for group in tree.groups {
            let place = Place { group: join(&below.group, &group.name), ..below.clone() };
            self.visit(group, &place, this.as_ref())?;
        }
        Ok(())
    }

    /// Lists a layer that has variables, or one inside that does.
    fn layer(
        &mut self,
        tree: &StoredGroup,
        vars: StoredGroup,
        place: &Place,
        parent: Option<&Parent>,
        found: Option<Found>,
    ) -> Result<(), ErrorKind> {
        if let Some(group) = vars.groups.first() {
            return Err(ErrorKind::StrayGroup { at: group.path.clone() });
        }
        let own: Vec<_> = vars.datasets.into_iter().filter(|(name, _)| !is_lookup(VARS, name)).collect();
        if own.is_empty() && !tree.groups.iter().any(StoredGroup::has_datasets) {
            return Ok(());
        }
        let first = self.variables.len();
        let layer = self.layers.len();
        // Quantized layers have other variables, which are not told by their number.
        let is_quantized = own.iter().any(|(_, tensor)| matches!(tensor.dtype, Dtype::I8 | Dtype::U8));
        let found_names = found.filter(|_| !is_quantized);
        let names = found_names.map_or_else(Vec::new, |found| variable_names(found.class, own.len()));
        for (index, (dataset, tensor)) in own.into_iter().enumerate() {
            let at = || join(&vars.path, &dataset);
            // The n-th dataset is the n-th variable: a gap is a variable that the file lost.
            if dataset != index.to_string() {
                let (is_number, at) = (dataset.bytes().all(|byte| byte.is_ascii_digit()), at());
                return Err(match is_number {
                    true => ErrorKind::MissingDataset { at },
                    false => ErrorKind::NamedDataset { at },
                });
            }
            let known = names.get(index).copied().flatten();
            let name = known.map_or(dataset, ToOwned::to_owned);
            self.variables.push(Variable {
                path: VariablePath::new(join(&place.path, &name)),
                layer,
                trainable: !is_statistic(&name),
                name: name.into(),
                index,
                shape: tensor.view.shape().clone(),
                dtype: tensor.dtype,
                initial: None,
                value: Some(Box::new(tensor)),
            });
        }
        let kernel = self.variables.get(first).map_or(&[][..], |first| first.shape.sizes());
        let kernel_axes = class::axes_of(&tree.name, parent, kernel);
        let attribute = place.group.strip_prefix("layers/").unwrap_or(&place.group);
        let has_alias = !place.group.is_empty() && attribute != place.path;
        self.layers.push(Layer {
            path: place.path.clone(),
            name: place.path.rsplit('/').next().unwrap_or_default().to_owned(),
            aliases: if has_alias { vec![attribute.to_owned()] } else { vec![] },
            class: found.map(|found| found.class.to_owned()),
            class_from_name: found.is_some_and(|found| found.is_from_name),
            kernel_axes,
            variables: first..self.variables.len(),
            group: place.group.clone(),
            inside: Vec::new(),
            config: None,
            features: FeatureOrder::Plain,
            outputs: FeatureOrder::Plain,
        });
        Ok(())
    }
}

/// Whether a variable of that name is not trained.
fn is_statistic(name: &str) -> bool {
    matches!(
        name,
        "moving_mean"
            | "moving_variance"
            | "moving_stddev"
            | "renorm_mean"
            | "renorm_stddev"
            | "vector_u"
            | "mean"
            | "variance"
            | "count"
    )
}
