//! `.weights.h5` templates: the variables of a model that no configuration describes.
//!
//! Layer names come from the `name` attributes of the `vars` groups (Keras 3.6 and later), else from the
//! groups, without the lists that stand around them (`blocks/block_1/fc1` is the layer `block_1/fc1`, and found
//! by both). Classes come from the groups' names, which Keras makes from the class inside lists, or from layer
//! names. The latter are certain only where Keras gave them by itself, which the file does not tell, so such a
//! class is marked ([`Layer::class_from_name`]). No class is guessed from shapes.

use std::collections::HashSet;
use std::path::Path;

use crate::tensor::VariablePath;

use super::architecture::{Architecture, FeatureOrder, Generation, Layer, Origin, Variable};
use super::carried::Carried;
use super::error::ErrorKind;
use super::graph::join;
use super::hdf5::{self, Tree};
use super::layers::{class_of_group, projection_class, variable_names};
use super::weights_file::{OPTIMIZER, legacy_group};

/// Reads a template.
pub(super) fn read(path: &Path, file: &hdf5::File) -> Result<Architecture, ErrorKind> {
    if legacy_group(file)?.is_some() {
        return Err(ErrorKind::LegacyWeights);
    }
    let tree = file.tree(file.root()?, "")?;
    let mut template = Template { file, layers: Vec::new(), variables: Vec::new() };
    template.visit(&tree, &Place::default(), None)?;
    if template.variables.is_empty() {
        return Err(ErrorKind::NoVariables);
    }
    let Template { mut layers, mut variables, .. } = template;
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
        origin: Origin::Template,
        generation: Generation::Keras3,
        layers,
        variables,
        weightless: Vec::new(),
        legacy: None,
        carried: Carried::default(),
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
    /// The group's name is made from the class: it stands in a list.
    is_listed: bool,
}

struct Template<'a> {
    file: &'a hdf5::File,
    layers: Vec<Layer>,
    variables: Vec<Variable>,
}

impl Template<'_> {
    /// Lists a layer (a group that has `vars`) or container and all below. The depth is bounded when the tree
    /// is read. `parent` is the class of the layer above.
    fn visit(&mut self, tree: &Tree, place: &Place, parent: Option<&str>) -> Result<(), ErrorKind> {
        let is_root = tree.path.is_empty();
        let vars = tree.groups.iter().find(|group| group.name == "vars");
        let is_layer = vars.is_some() && !is_root;
        let mut below = place.clone();
        let mut class = None;
        if let Some(vars) = vars {
            let name = hdf5::text_attribute(&vars.group, "name", &vars.path)?;
            let name = name.filter(|name| !name.is_empty() && !name.contains('/'));
            let found = class_of(tree, place, parent, name.as_deref());
            if !is_root {
                below.path = join(&place.path, name.as_deref().unwrap_or(&tree.name));
            }
            self.layer(tree, vars, &below.path, found)?;
            class = found.map(|found| found.class);
        }
        // Keras gives every layer a `vars` group, so a group without one is a list or dictionary of layers.
        // Groups in a container are named by class; those in a layer, by attribute.
        below.is_listed = !is_layer && !is_root;
        for group in tree.groups.iter().filter(|group| group.name != "vars" && group.path != OPTIMIZER) {
            let place = Place { is_listed: below.is_listed, path: below.path.clone() };
            self.visit(group, &place, class)?;
        }
        Ok(())
    }

    fn layer(
        &mut self,
        tree: &Tree,
        vars: &Tree,
        path: &str,
        found: Option<FoundClass>,
    ) -> Result<(), ErrorKind> {
        let has_variables_below = tree.groups.iter().any(has_datasets);
        if vars.datasets.is_empty() && !has_variables_below {
            return Ok(());
        }
        let first = self.variables.len();
        let layer = self.layers.len();
        let names = found.map_or_else(Vec::new, |found| variable_names(found.class, vars.datasets.len()));
        for (index, dataset) in vars.datasets.iter().enumerate() {
            let at = join(&vars.path, dataset.name());
            let tensor = self.file.tensor(dataset, &at)?;
            let index = dataset.name().parse().unwrap_or(index);
            let known = names.get(index).copied().flatten();
            let name = known.map_or_else(|| dataset.name().to_owned(), ToOwned::to_owned);
            self.variables.push(Variable {
                path: VariablePath::new(join(path, &name)),
                layer,
                trainable: !is_statistic(&name),
                name,
                index,
                shape: tensor.view.shape().clone(),
                dtype: tensor.dtype,
                value: Some(tensor),
            });
        }
        let attribute = tree.path.strip_prefix("layers/").unwrap_or(&tree.path);
        let aliases = if attribute == path { vec![] } else { vec![attribute.to_owned()] };
        self.layers.push(Layer {
            path: path.to_owned(),
            aliases: if tree.path.is_empty() { vec![] } else { aliases },
            class: found.map(|found| found.class.to_owned()),
            class_from_name: found.is_some_and(|found| found.is_from_name),
            variables: first..self.variables.len(),
            group: tree.path.clone(),
            config: None,
            features: FeatureOrder::Plain,
            outputs: FeatureOrder::Plain,
        });
        Ok(())
    }
}

fn has_datasets(tree: &Tree) -> bool {
    !tree.datasets.is_empty() || tree.groups.iter().any(has_datasets)
}

/// A class that a template tells.
#[derive(Clone, Copy)]
struct FoundClass {
    class: &'static str,
    /// Only the layer's name tells it, which the model's author may have chosen.
    is_from_name: bool,
}

/// The class of a layer, when something tells it.
fn class_of(tree: &Tree, place: &Place, parent: Option<&str>, name: Option<&str>) -> Option<FoundClass> {
    let has = |child: &str| tree.groups.iter().any(|group| group.name == child);
    let by_name = || {
        // Bidirectional names its two directions after the layer that it was given.
        let name = name?;
        let name = name.strip_prefix("forward_").or_else(|| name.strip_prefix("backward_")).unwrap_or(name);
        class_of_group(name).map(|class| FoundClass { class, is_from_name: true })
    };
    let by_place = if tree.path.is_empty() {
        return None;
    } else if let Some(class) = projection_class(&tree.name, parent) {
        Some(class)
    } else if place.is_listed {
        class_of_group(&tree.name)
    } else if has("query_dense") && has("value_dense") {
        Some("MultiHeadAttention")
    } else if has("forward_layer") && has("backward_layer") {
        Some("Bidirectional")
    } else {
        return by_name();
    };
    by_place.map(|class| FoundClass { class, is_from_name: false })
}

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
