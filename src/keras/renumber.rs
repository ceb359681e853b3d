//! The names of groups as Keras 2 counts them.
//!
//! Keras 2 leaves a layer that it has saved already out of the count of its class (`_save_container_state` in
//! `saving_lib.py` of 2.15); Keras 3 counts it.

use crate::map::Set;

use super::tree::{Groups, NodeId, Tree};

/// Renames the groups of the layers in every list, in the order in which Keras 2 saves. The recursion is as deep
/// as the configuration nests, which the JSON reader bounds.
pub(super) fn as_keras_2(tree: &mut Tree, root: NodeId) {
    save(tree, root, &mut Set::default());
}

fn save(tree: &mut Tree, id: NodeId, saved: &mut Set<NodeId>) {
    saved.insert(id);
    let Some(node) = tree.nodes.get_mut(id) else { return };
    let mut children = std::mem::take(&mut node.children);
    let mut groups = Groups::default();
    for (group, child) in &mut children {
        if saved.contains(child) {
            continue;
        }
        if let Some((list, _)) = group.split_once('/') {
            *group = format!("{list}/{}", groups.next(tree.class(*child)));
        }
        save(tree, *child, saved);
    }
    if let Some(node) = tree.nodes.get_mut(id) {
        node.children = children;
    }
}
