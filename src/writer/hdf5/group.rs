//! A group's names and index: local heap, symbol table nodes, version 1 B-tree (specification III.A to III.D).

use smallvec::SmallVec;

use super::message::{UNDEFINED, pad8};

/// Symbols of a node are at most twice this (`group leaf node K` in the superblock; the C library's default).
pub(super) const LEAF_K: u16 = 2;
/// Children of a B-tree node are at most twice this (`group internal node K`; the default).
pub(super) const INTERNAL_K: u16 = 4;

const NODE_SYMBOLS: usize = 2 * LEAF_K as usize;
const NODE_CHILDREN: usize = 2 * INTERNAL_K as usize;
const SYMBOL_BYTES: usize = 40;
/// Signature, type, level, entries used, left and right sibling; then keys and children in turns.
const TREE_NODE_BYTES: usize = 24 + 8 * (NODE_CHILDREN + 1) + 8 * NODE_CHILDREN;
const SYMBOL_NODE_BYTES: usize = 8 + SYMBOL_BYTES * NODE_SYMBOLS;
/// Where a local heap's list of free blocks starts when it has none (`H5HL_FREE_NULL`).
const NO_FREE_BLOCK: u64 = 1;

/// The index and the names of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupIndex {
    pub(super) tree: u64,
    pub(super) heap: u64,
}

/// A named object, for the symbol table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol<'a> {
    pub(super) name: &'a str,
    pub(super) header: u64,
    /// Its index, when it is a group: kept beside the name so that a reader need not open the header.
    pub(super) index: Option<GroupIndex>,
}

/// Nodes of one depth, each with the last name that it holds. Most groups have one.
type Level = SmallVec<[(u64, u64); 2]>;

/// Appends the index of a group whose children are sorted by name.
pub(super) fn push_index(file: &mut Vec<u8>, symbols: &[Symbol<'_>]) -> GroupIndex {
    let heap = file.len() as u64;
    file.extend_from_slice(b"HEAP\0\0\0\0");
    let size_at = file.len();
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&NO_FREE_BLOCK.to_le_bytes());
    file.extend_from_slice(&(heap + 32).to_le_bytes());
    let names = file.len();
    // The empty name, which stands for "before every child", lies at 0.
    file.extend_from_slice(&[0; 8]);
    let mut name_offsets: SmallVec<[u64; NODE_SYMBOLS]> = SmallVec::with_capacity(symbols.len());
    for symbol in symbols {
        name_offsets.push((file.len() - names) as u64);
        file.extend_from_slice(symbol.name.as_bytes());
        file.push(0);
        file.resize(names + pad8(file.len() - names), 0);
    }
    let size = (file.len() - names) as u64;
    file[size_at..size_at + 8].copy_from_slice(&size.to_le_bytes());

    let mut level = Level::new();
    for (symbols, offsets) in symbols.chunks(NODE_SYMBOLS).zip(name_offsets.chunks(NODE_SYMBOLS)) {
        level.push((push_symbol_node(file, symbols, offsets), offsets.last().copied().unwrap_or(0)));
    }
    let mut depth = 0;
    loop {
        level = push_tree_level(file, &level, depth);
        depth += 1;
        if let [(tree, _)] = level[..] {
            return GroupIndex { tree, heap };
        }
    }
}

/// A symbol table entry (III.C).
pub(super) fn symbol_entry(name: u64, header: u64, index: Option<GroupIndex>) -> [u8; SYMBOL_BYTES] {
    let mut entry = [0; SYMBOL_BYTES];
    entry[..8].copy_from_slice(&name.to_le_bytes());
    entry[8..16].copy_from_slice(&header.to_le_bytes());
    if let Some(index) = index {
        entry[16] = 1;
        entry[24..32].copy_from_slice(&index.tree.to_le_bytes());
        entry[32..].copy_from_slice(&index.heap.to_le_bytes());
    }
    entry
}

fn push_symbol_node(file: &mut Vec<u8>, symbols: &[Symbol<'_>], names: &[u64]) -> u64 {
    let start = file.len();
    file.extend_from_slice(b"SNOD\x01\0");
    file.extend_from_slice(&(symbols.len() as u16).to_le_bytes());
    for (symbol, &name) in symbols.iter().zip(names) {
        file.extend_from_slice(&symbol_entry(name, symbol.header, symbol.index));
    }
    file.resize(start + SYMBOL_NODE_BYTES, 0);
    start as u64
}

/// Appends the nodes over `children`, at least one, and returns them. The key before a child is the last name
/// of the child before it.
fn push_tree_level(file: &mut Vec<u8>, children: &[(u64, u64)], depth: u8) -> Level {
    let base = file.len();
    let count = children.len().div_ceil(NODE_CHILDREN).max(1);
    let place = |node: usize| (base + node * TREE_NODE_BYTES) as u64;
    let mut nodes = Level::with_capacity(count);
    let mut key = 0_u64;
    for node in 0..count {
        let first = node * NODE_CHILDREN;
        let own = &children[first..children.len().min(first + NODE_CHILDREN)];
        file.extend_from_slice(b"TREE\0");
        file.push(depth);
        file.extend_from_slice(&(own.len() as u16).to_le_bytes());
        let left = if node == 0 { UNDEFINED } else { place(node - 1) };
        let right = if node + 1 == count { UNDEFINED } else { place(node + 1) };
        file.extend_from_slice(&left.to_le_bytes());
        file.extend_from_slice(&right.to_le_bytes());
        file.extend_from_slice(&key.to_le_bytes());
        for &(child, last) in own {
            file.extend_from_slice(&child.to_le_bytes());
            file.extend_from_slice(&last.to_le_bytes());
            key = last;
        }
        file.resize(base + (node + 1) * TREE_NODE_BYTES, 0);
        nodes.push((place(node), key));
    }
    nodes
}
