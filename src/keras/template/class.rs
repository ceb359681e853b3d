//! What a template tells of classes, and of the names that Keras gives what it puts into its own layers.

use super::super::architecture::KernelAxes;
use super::super::layers::{cell_of, class_of_group, projection_axes};
use super::super::stored::StoredGroup;

/// A class that a template tells.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) class: &'static str,
    /// Only the layer's name tells it, which the model's author may have chosen.
    pub(super) is_from_name: bool,
}

/// The layer above a group.
pub(super) struct Parent {
    found: Option<Found>,
    /// It has the projections of an attention layer.
    is_attention: bool,
}

impl Parent {
    pub(super) fn new(tree: &StoredGroup, found: Option<Found>) -> Self {
        // The attributes may be private, in some classes of KerasHub one of them.
        let has = |name: &str| {
            tree.groups.iter().any(|group| group.name.strip_prefix('_').unwrap_or(&group.name) == name)
        };
        let is_attention = ["query_dense", "key_dense", "value_dense", "output_dense"].into_iter().all(has);
        Self { found, is_attention }
    }
}

fn has_all(tree: &StoredGroup, children: &[&str]) -> bool {
    children.iter().all(|child| tree.groups.iter().any(|group| group.name == *child))
}

/// The class of a layer, when something tells it.
pub(super) fn of(
    tree: &StoredGroup,
    is_listed: bool,
    parent: Option<&Parent>,
    label: Option<&str>,
) -> Option<Found> {
    let certain = |class| Some(Found { class, is_from_name: false });
    let by_name = || {
        // Bidirectional names its two directions after the layer that it was given.
        let name = label?;
        let name = name.strip_prefix("forward_").or_else(|| name.strip_prefix("backward_")).unwrap_or(name);
        class_of_group(name).map(|class| Found { class, is_from_name: true })
    };
    if tree.path.is_empty() {
        return None;
    }
    if is_listed {
        return class_of_group(&tree.name).and_then(certain);
    }
    if parent.is_some_and(|parent| parent.is_attention) && projection(&tree.name).is_some() {
        return certain("EinsumDense");
    }
    if tree.name == "cell"
        && let Some(above) = parent.and_then(|parent| parent.found)
        && let Some((class, _)) = cell_of(above.class)
    {
        return Some(Found { class, is_from_name: above.is_from_name });
    }
    // Under these names the class with public names is the only one (the other has `_query_dense`, as Keras 2
    // had it here too).
    if has_all(tree, &["query_dense", "value_dense"]) {
        return certain("MultiHeadAttention");
    }
    if has_all(tree, &["forward_layer", "backward_layer"]) {
        return certain("Bidirectional");
    }
    by_name()
}

/// The name that Keras gives a layer which it puts into one of its own, by the attribute that holds it.
pub(super) fn fixed_name(attribute: &str, parent: Option<&Parent>) -> Option<&'static str> {
    let parent = parent?;
    if parent.is_attention {
        return projection(attribute);
    }
    // A class by name alone may be another layer's.
    let above = parent.found.filter(|found| !found.is_from_name && attribute == "cell")?;
    cell_of(above.class).map(|(_, name)| name)
}

/// How a projection of an attention layer reads its kernel. Where heads and input are as many, the kernel may as well be
/// one that has the heads first (Gemma's in KerasHub).
pub(super) fn axes_of(attribute: &str, parent: Option<&Parent>, kernel: &[usize]) -> Option<KernelAxes> {
    let name = projection(attribute).filter(|_| parent.is_some_and(|parent| parent.is_attention))?;
    let is_clear = name == "attention_output" || kernel.first() != kernel.get(1);
    (is_clear && kernel.len() == 3).then(|| projection_axes(name, kernel.len()))
}

/// The projections of attention layers (`multi_head_attention.py`, `grouped_query_attention.py`).
fn projection(attribute: &str) -> Option<&'static str> {
    Some(match attribute.strip_prefix('_').unwrap_or(attribute) {
        "query_dense" => "query",
        "key_dense" => "key",
        "value_dense" => "value",
        "gate_dense" => "gate",
        "output_dense" => "attention_output",
        _ => return None,
    })
}
