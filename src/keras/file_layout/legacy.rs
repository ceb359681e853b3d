//! `.h5` of Keras 2, weights alone or a whole model: lists of layers and of their weights in attributes, read
//! by position (`legacy_h5_format.py`).

use super::super::architecture::{Architecture, LegacyNames, Origin};
use super::super::carried::CarriedDataset;
use super::super::places::legacy_names;
use super::super::weights_file::{TOP_LEVEL, WHOLE};
use super::layout::Source;
use super::tree::Growing;
use super::weights::mark;
use super::{Attribute, AttributeValue, Content, Dataset, Group, LayoutError, Name, reader};

/// The longest attribute that Keras writes in one piece (`HDF5_OBJECT_HEADER_LIMIT`): an object header
/// message holds 64 KiB.
const MAX_ATTRIBUTE_BYTES: usize = 64512;

/// The backend that files name. Keras converts kernels of the backends `theano` and `cntk` alone, and Keras 2
/// knows no other of today's.
const BACKEND: &str = "tensorflow";

/// The attribute of a whole model's root that holds the configuration.
const MODEL_CONFIG: &str = "model_config";

/// The group of a whole model for the optimizer's state.
const OPTIMIZER_WEIGHTS: &str = "optimizer_weights";

/// A file of weights alone.
pub(super) fn weights_file(source: &Source<'_>) -> Result<Group, LayoutError> {
    let mut root = Growing::default();
    put_layers(source, &mut root)?;
    Ok(root.finish())
}

/// A whole model.
pub(super) fn whole_file(
    source: &Source<'_>,
    carried: &mut Vec<CarriedDataset>,
) -> Result<Group, LayoutError> {
    let architecture = source.architecture;
    let own = &architecture.carried;
    let config = own.config.as_ref().ok_or(LayoutError::NoConfig)?;
    let config = std::str::from_utf8(config.as_slice()).map_err(|_| LayoutError::NoConfig)?;
    let mut root = Growing::default();
    root.attributes.push(Attribute::text(MODEL_CONFIG, config));
    if architecture.origin == Origin::WholeH5 {
        for (name, text) in &own.attributes {
            root.attributes.push(Attribute::text(name.to_owned(), text));
        }
    } else {
        root.attributes.extend(marks(source));
    }
    put_layers(source, root.group(WHOLE)?)?;
    if source.form.optimizer {
        let group = root.group(OPTIMIZER_WEIGHTS)?;
        let mut names = Vec::new();
        for dataset in &own.optimizer {
            let name = dataset.path.strip_prefix(OPTIMIZER_WEIGHTS).unwrap_or(&dataset.path);
            let name = name.trim_start_matches('/');
            let content = Content::Carried(carried.len());
            group.add(name, Dataset { content, attributes: mark(dataset.tensor.dtype) })?;
            names.push(name.to_owned());
            carried.push(dataset.clone());
        }
        group.attributes.extend(name_list("weight_names", names));
    }
    Ok(root.finish())
}

/// The backend, and the version of Keras.
fn marks(source: &Source<'_>) -> [Attribute; 2] {
    let version = reader::version(source.architecture, source.form);
    [Attribute::text("backend", BACKEND), Attribute::text("keras_version", &version)]
}

/// The lists of layers and of their weights, and the weights.
fn put_layers(source: &Source<'_>, root: &mut Growing) -> Result<(), LayoutError> {
    let names = names(source.architecture)?;
    let (own, layers): (Vec<_>, Vec<_>) = names.into_iter().partition(|layer| layer.layer == TOP_LEVEL);
    root.attributes
        .extend(name_list("layer_names", layers.iter().map(|layer| layer.layer.clone()).collect()));
    root.attributes.extend(marks(source));
    for layer in layers {
        put_layer(source, root.group(&layer.layer)?, layer.weights)?;
    }
    put_layer(source, root.group(TOP_LEVEL)?, own.into_iter().flat_map(|own| own.weights).collect())
}

fn put_layer(
    source: &Source<'_>,
    group: &mut Growing,
    weights: Vec<(String, usize)>,
) -> Result<(), LayoutError> {
    let mut names = Vec::new();
    for (name, index) in weights {
        if (source.written)(index).is_some() {
            group.add(&name, Dataset { content: Content::Variable(index), attributes: Vec::new() })?;
            names.push(name);
        }
    }
    group.attributes.extend(name_list("weight_names", names));
    Ok(())
}

/// The layers and their weights: as the architecture's own file lists them, or in the order that Keras gives
/// them.
fn names(architecture: &Architecture) -> Result<Vec<LegacyNames>, LayoutError> {
    legacy_names(architecture).ok_or(LayoutError::LayerOrder)
}

/// A list of names as one attribute, or as the fewest numbered ones that fit (`numpy.array_split`).
fn name_list(name: &'static str, names: Vec<String>) -> Vec<Attribute> {
    let list =
        |name: Name, names: &[String]| Attribute { name, value: AttributeValue::TextList(names.to_vec()) };
    let width = names.iter().map(String::len).max().unwrap_or(0).max(1);
    let per_part = (MAX_ATTRIBUTE_BYTES / width).max(1);
    if names.len() <= per_part {
        return vec![list(name.into(), &names)];
    }
    let parts = names.len().div_ceil(per_part);
    let (size, longer) = (names.len() / parts, names.len() % parts);
    let mut rest = names.as_slice();
    (0..parts)
        .map(|part| {
            let (these, others) = rest.split_at((size + usize::from(part < longer)).min(rest.len()));
            rest = others;
            list(format!("{name}{part}").into(), these)
        })
        .collect()
}
