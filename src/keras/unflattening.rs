//! What each layer and operation says of the order of the features that it reads, from what is said of those that
//! it makes. The mirror image of [`super::flattening`].

use super::infer::{keeps_shape, product, target_shape};
use super::json::{Config, InputShape, Value};
use super::locality::{
    ELEMENTWISE, LOCAL, is_channels_first, is_convolution, is_local, normalizes_last, reshape_target,
};

/// What the readers of a tensor say of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Use {
    /// Nothing.
    Open,
    /// PyTorch has its axes in the same order.
    Same,
    /// It is a sequence, features at positions in a row, which PyTorch has in the same order; but the positions
    /// may be those of a map, row by row.
    Sequence,
    /// It is a feature map, channels last; PyTorch has the channels first.
    Map,
    /// Its features stay as they are, but whether its axes are those of a map is not clear.
    Unclear(String),
    /// Its features (on the last axis; the others are 1) become a map of these sizes, channels last.
    Split(Vec<usize>),
    /// Its features, one axis of several, become several axes. PyTorch splits those of a sequence in the same
    /// order, but those of a map (`PixelShuffle`) in another one.
    Divided(String),
    /// What becomes of its features is not known.
    Unknown(String),
}

pub(super) fn merge(a: Use, b: Use, name: &str) -> Use {
    match (a, b) {
        (Use::Open, other) | (other, Use::Open) => other,
        (a, b) if a == b => a,
        (Use::Same, Use::Sequence) | (Use::Sequence, Use::Same) => Use::Same,
        (Use::Unknown(reason), _) | (_, Use::Unknown(reason)) => Use::Unknown(reason),
        (Use::Divided(reason), _) | (_, Use::Divided(reason)) => Use::Divided(reason),
        (Use::Split(_), _) | (_, Use::Split(_)) => Use::Unknown(format!(
            "the readers of `{name}`, which take it both for a map and for features, or for two maps"
        )),
        _ => {
            Use::Unclear(format!("the readers of `{name}`, which take it both for a map and for a sequence"))
        }
    }
}

/// Where all axes but the batch and the last are 1, an order of axes says nothing of the features.
pub(super) fn of_shape(usage: Use, shape: Option<&InputShape>) -> Use {
    match usage {
        Use::Open | Use::Sequence | Use::Map | Use::Unclear(_) if shape.is_some_and(is_vector) => Use::Same,
        other => other,
    }
}

fn is_vector(shape: &InputShape) -> bool {
    let between = shape.get(1..shape.len().saturating_sub(1)).unwrap_or(&[]);
    between.iter().all(|size| *size == Some(1))
}

/// The axes of a map, by the layout that the layer computes in. One spatial axis may be that of a sequence,
/// which PyTorch has with its features last before and after the layer.
fn map_of(config: Config<'_>, made: &Use, rank: usize, name: &str) -> Use {
    match made {
        Use::Sequence if rank == 3 => both(name),
        _ if is_channels_first(config) => Use::Same,
        _ => Use::Map,
    }
}

fn both(name: &str) -> Use {
    Use::Unclear(format!("`{name}`, which reads a map or makes a sequence"))
}

/// What is said of what a layer reads of several axes, when what it makes has one. One axis has but one order.
fn of_more_axes<'a>(made: &'a Use, shape: Option<&InputShape>, output: Option<&InputShape>) -> &'a Use {
    match made {
        Use::Same if output.is_some_and(is_vector) && !shape.is_some_and(is_vector) => &Use::Open,
        made => made,
    }
}

/// A sequence, unless what is made of each of its positions says that they are those of a map.
fn sequence(made: &Use, shape: Option<&InputShape>, output: Option<&InputShape>, name: &str) -> Use {
    if shape.is_some_and(|shape| shape.len() > 3) {
        return Use::Unclear(format!("`{name}`, which reads it"));
    }
    match made {
        _ if output.is_some_and(is_vector) => Use::Sequence,
        Use::Open | Use::Same | Use::Sequence | Use::Divided(_) => Use::Sequence,
        Use::Map | Use::Unclear(_) | Use::Split(_) | Use::Unknown(_) => {
            Use::Unclear(format!("`{name}`, which reads a sequence that may be a map"))
        }
    }
}

/// What a layer, of whose output `made` is said, says of an input.
pub(super) fn of_layer(
    class: &str,
    config: &Value,
    name: &str,
    made: &Use,
    shape: Option<&InputShape>,
    output: Option<&InputShape>,
) -> Use {
    let Ok(config) = Config::new(config, name) else { return other(made, shape, output, name) };
    let rank = shape.map_or(0, Vec::len);
    let made = of_more_axes(made, shape, output);
    match class {
        // What acts on each feature alone hands on that the features are split.
        _ if matches!(made, Use::Divided(_)) && (keeps_shape(class) || is_local(class)) => made.clone(),
        "BatchNormalization" | "SyncBatchNormalization" | "GroupNormalization" if rank > 2 => match made {
            Use::Sequence if rank == 3 => both(name),
            _ => normalized_axis(config, rank, name),
        },
        "LayerNormalization" | "RMSNormalization"
            if rank > 2 && normalizes_last(config, shape.map(Vec::len)) =>
        {
            match made {
                Use::Map => Use::Unclear(format!("`{name}`, which reads it with its features last")),
                made => elementwise(made, shape),
            }
        }
        "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" => elementwise(made, shape),
        _ if keeps_shape(class) => elementwise(made, shape),
        "Concatenate" => concatenate(made, name),
        "Flatten" => reshape(made, shape, Some(&[None]), name),
        "Reshape" => reshape(made, shape, target_shape(config).as_deref(), name),
        "Permute" => permute(made, config, shape, name),
        // A 1x1 convolution of a map, or features of a sequence.
        "Dense" | "EinsumDense" if rank > 3 => match made {
            Use::Map => Use::Map,
            _ => Use::Unclear(format!("`{name}`, which reads it")),
        },
        "Dense"
        | "EinsumDense"
        | "Embedding"
        | "ReversibleEmbedding"
        | "RepeatVector"
        | "LSTM"
        | "GRU"
        | "SimpleRNN"
        | "RNN"
        | "Bidirectional"
        | "TimeDistributed"
        | "MultiHeadAttention"
        | "GroupedQueryAttention"
        | "Attention"
        | "AdditiveAttention" => sequence(made, shape, output, name),
        _ if class.starts_with("ConvLSTM") => {
            Use::Unclear(format!("`{name}`, which reads a sequence of maps"))
        }
        // The same of a sequence and of a map.
        _ if class.starts_with("Global") && rank == 3 && !is_channels_first(config) => Use::Open,
        _ if class.starts_with("Global") || is_convolution(class) || is_local(class) => {
            map_of(config, made, rank, name)
        }
        "Lambda" if rank > 3 && shape != output => Use::Divided(hidden(name)),
        _ => other(made, shape, output, name),
    }
}

fn hidden(name: &str) -> String {
    format!("what `{name}` makes of a map, which may have its channels split")
}

/// PyTorch normalizes axis 1.
fn normalized_axis(config: Config<'_>, rank: usize, name: &str) -> Use {
    let last = i64::try_from(rank).map_or(-1, |rank| rank - 1);
    match config.axes("axis").ok().flatten().as_deref() {
        None | Some([-1]) => Use::Map,
        Some([1]) => Use::Same,
        Some([axis]) if *axis == last => Use::Map,
        _ => Use::Unclear(format!("`{name}`, which normalizes another axis")),
    }
}

/// The inputs are as the output, if they are not broadcast.
fn elementwise(made: &Use, shape: Option<&InputShape>) -> Use {
    match made {
        Use::Split(_) if shape.is_some_and(|shape| shape.last() == Some(&Some(1))) => Use::Same,
        other => other.clone(),
    }
}

fn concatenate(made: &Use, name: &str) -> Use {
    match made {
        Use::Split(_) => Use::Unknown(format!("`{name}`, which joins features that become a map")),
        other => other.clone(),
    }
}

fn reshape(made: &Use, shape: Option<&InputShape>, target: Option<&[Option<usize>]>, name: &str) -> Use {
    let unknown = || match made {
        Use::Same => Use::Same,
        Use::Sequence if target.is_some_and(|target| target.len() < 3) => Use::Sequence,
        _ => Use::Unknown(format!("`{name}`, which reshapes features")),
    };
    let (Some(shape), Some(target)) = (shape, target) else { return unknown() };
    let Some(features) = shape.last().copied().flatten() else { return unknown() };
    if !is_vector(shape) {
        return reshape_axes(made, shape, features, target, name);
    }
    let known = target.iter().flatten().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let open = known.and_then(|known| features.checked_div(known));
    let Some(sizes) = target.iter().map(|size| size.or(open)).collect::<Option<Vec<_>>>() else {
        return unknown();
    };
    let fixed: Vec<Option<usize>> = sizes.iter().copied().map(Some).collect();
    let Some((&channels, positions)) = sizes.split_last() else { return unknown() };
    if product(&fixed) != Some(features) {
        return unknown();
    }
    if positions.iter().all(|&size| size == 1) {
        return of_shape(made.clone(), Some(&vec![None, Some(channels)]));
    }
    match made {
        _ if channels == 1 => Use::Same,
        Use::Same => Use::Same,
        Use::Sequence if long(&fixed) < 3 => Use::Same,
        Use::Map => Use::Split(sizes),
        Use::Open => Use::Unknown(format!("`{name}`, which makes a map or a sequence")),
        Use::Unclear(reason) => {
            Use::Unknown(format!("`{name}`, which makes a map or a sequence (for {reason})"))
        }
        Use::Sequence | Use::Divided(_) | Use::Split(_) | Use::Unknown(_) => unknown(),
    }
}

/// How many axes there are; those of size 1 come and go.
fn long(axes: &[Option<usize>]) -> usize {
    axes.iter().filter(|size| **size != Some(1)).count()
}

/// A tensor of several axes whose last one may be kept, split or joined with others.
fn reshape_axes(
    made: &Use,
    shape: &InputShape,
    features: usize,
    target: &[Option<usize>],
    name: &str,
) -> Use {
    let known = target.iter().flatten().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let all = shape.get(1..).and_then(product);
    let open = all.zip(known).and_then(|(all, known)| all.checked_div(known));
    // Some last axes of the target take exactly the features.
    let keeps = (0..target.len()).any(|at| product(target.get(at..).unwrap_or(&[])) == Some(features));
    // The last axis takes all of the features, alone or with others, unless they are split.
    let last = target.iter().rev().find(|size| **size != Some(1)).copied();
    let splits = match last {
        Some(Some(last)) => last % features.max(1) != 0,
        Some(None) => open.is_none_or(|last| last % features.max(1) != 0),
        None => false,
    };
    let first = target.first().map(|size| size.or(open));
    let keeps_positions = first.is_some() && first.as_ref() == shape.get(1);
    let more_axes = long(shape.get(1..).unwrap_or(&[])) > 2 || long(target) > 2;
    match made {
        Use::Unknown(reason) => Use::Unknown(reason.clone()),
        // Channels of a map among the features, or positions of one in the sequence.
        Use::Map if splits => Use::Unknown(format!("`{name}`, which makes a map of features")),
        _ if splits && long(target) > 2 && !keeps_positions => {
            Use::Unknown(format!("`{name}`, which makes a map or a sequence"))
        }
        _ if splits => Use::Divided(format!("`{name}`, which splits the channels")),
        Use::Sequence | Use::Open if more_axes => {
            Use::Unclear(format!("`{name}`, which reshapes a sequence that may be a map"))
        }
        Use::Same | Use::Sequence | Use::Open | Use::Divided(_) => made.clone(),
        Use::Map | Use::Split(_) if !keeps => Use::Unknown(format!("`{name}`, which reshapes features")),
        Use::Map | Use::Split(_) | Use::Unclear(_) => Use::Unclear(format!("`{name}`, which reshapes it")),
    }
}

fn permute(made: &Use, config: Config<'_>, shape: Option<&InputShape>, name: &str) -> Use {
    let axes = config.axes("dims").ok().flatten().unwrap_or_default();
    let rank = i64::try_from(axes.len()).unwrap_or(i64::MAX);
    let first_to_last: Vec<i64> = (2..=rank).chain(std::iter::once(1)).collect();
    let keeps_last = axes.last() == Some(&rank);
    match made {
        Use::Open | Use::Divided(_) => made.clone(),
        // The map is made channels first, as in PyTorch.
        Use::Map if axes == first_to_last => Use::Same,
        Use::Split(_) | Use::Unknown(_) if shape.is_some_and(is_vector) && keeps_last => made.clone(),
        Use::Split(_) | Use::Unknown(_) => {
            Use::Unknown(format!("`{name}`, which moves the features to another axis"))
        }
        Use::Same | Use::Sequence | Use::Map | Use::Unclear(_) => {
            Use::Unclear(format!("`{name}`, which permutes the axes"))
        }
    }
}

/// A function of which nothing is known: it may hide a reshape when it makes several axes of one.
fn other(made: &Use, shape: Option<&InputShape>, output: Option<&InputShape>, name: &str) -> Use {
    let last = |shape: Option<&InputShape>| shape.and_then(|shape| shape.last().copied().flatten());
    let between = || Use::Unknown(format!("`{name}`, which stands before the map"));
    match made {
        Use::Split(_) | Use::Unknown(_) => between(),
        Use::Same | Use::Sequence | Use::Open | Use::Divided(_) => made.clone(),
        Use::Map | Use::Unclear(_) if shape.is_some() && shape == output => made.clone(),
        Use::Map | Use::Unclear(_) if shape.is_none_or(is_vector) && last(shape) != last(output) => between(),
        Use::Map | Use::Unclear(_) => Use::Unclear(format!("`{name}`, which reads it")),
    }
}

pub(super) fn operation(
    class: &str,
    config: &Value,
    name: &str,
    made: &Use,
    shape: Option<&InputShape>,
    output: Option<&InputShape>,
) -> Use {
    let made = of_more_axes(made, shape, output);
    match (class, Config::new(config, name)) {
        _ if ELEMENTWISE.contains(&class) => elementwise(made, shape),
        ("Concatenate", _) => concatenate(made, name),
        ("DepthToSpace", _) => Use::Divided(hidden(name)),
        ("Reshape", Ok(config)) => reshape(made, shape, reshape_target(config).as_deref(), name),
        ("ExpandDims" | "Squeeze", _) if shape.is_some_and(is_vector) && output.is_some_and(is_vector) => {
            made.clone()
        }
        _ if LOCAL.contains(&class) && shape.map(Vec::len) == output.map(Vec::len) => match made {
            Use::Split(_) | Use::Unknown(_) => other(made, shape, output, name),
            _ => made.clone(),
        },
        _ => other(made, shape, output, name),
    }
}
