//! A group's names and index: local heap, symbol table nodes, version 1 B-tree (specification III.A to III.D).

use smallvec::SmallVec;

use super::message::{UNDEFINED, pad8};

/// Symbols of a node are at most twice this (`group leaf node K` in the superblock). The C library's default is 4, and a
/// node takes room for all of them: most groups are a layer's, and have one to four children.
pub(super) const LEAF_K: u16 = 2;
/// Children of a B-tree node are at most twice this (`group internal node K`; the default is 16), for the same reason. A
/// group of 5,000 layers has four levels of nodes instead of three.
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

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::super::{Extent, encode};
    use crate::keras::file_layout::{Content, Dataset, Group, Node};
    use crate::tensor::{Dtype, Shape};

    /// The structure of a file, read with nothing but what its superblock says.
    struct File {
        bytes: Vec<u8>,
        /// The nodes and heaps that were met.
        ranges: Vec<Range<usize>>,
    }

    impl File {
        fn number<const N: usize>(&self, place: usize) -> usize {
            let bytes = self.bytes[place..place + N].iter().rev();
            bytes.fold(0, |number, &byte| number << 8 | usize::from(byte))
        }

        fn meet(&mut self, start: usize, signature: &[u8], len: usize) {
            assert_eq!(&self.bytes[start..start + signature.len()], signature);
            assert!(start.is_multiple_of(8) && start + len <= self.bytes.len());
            self.ranges.push(start..start + len);
        }

        fn name(&self, heap: usize, offset: usize) -> String {
            let start = self.number::<8>(heap + 24) + offset;
            let name = self.bytes[start..].split(|&byte| byte == 0).next().unwrap();
            String::from_utf8(name.to_vec()).unwrap()
        }

        /// The names below a node of an index, in order.
        fn names(&mut self, node: usize, heap: usize, level: Option<usize>) -> Vec<String> {
            let internal_k = self.number::<2>(18);
            self.meet(node, b"TREE\0", 24 + (4 * internal_k + 1) * 8);
            let found = self.number::<1>(node + 5);
            assert!(level.is_none_or(|level| level == found));
            let used = self.number::<2>(node + 6);
            assert!(used <= 2 * internal_k);
            let mut names = Vec::new();
            for child in 0..used {
                let key = node + 24 + 16 * child;
                let (before, at, last) =
                    (self.number::<8>(key), self.number::<8>(key + 8), self.number::<8>(key + 16));
                let mut own =
                    if found == 0 { self.symbols(at, heap) } else { self.names(at, heap, Some(found - 1)) };
                assert!(own.first().is_none_or(|first| self.name(heap, before) < *first));
                assert_eq!(own.last().map_or("", String::as_str), self.name(heap, last));
                names.append(&mut own);
            }
            names
        }

        fn symbols(&mut self, node: usize, heap: usize) -> Vec<String> {
            let leaf_k = self.number::<2>(16);
            self.meet(node, b"SNOD\x01\0", 8 + 2 * leaf_k * 40);
            let used = self.number::<2>(node + 6);
            assert!(used <= 2 * leaf_k);
            (0..used).map(|symbol| self.name(heap, self.number::<8>(node + 8 + 40 * symbol))).collect()
        }
    }

    fn check(children: usize) {
        let shape = Shape::new([2, 3]).unwrap();
        let dataset = || Node::Dataset(Dataset { content: Content::Variable(0), attributes: vec![] });
        let names: Vec<String> = (0..children).map(|at| format!("d{at}")).collect();
        let tree = Group {
            children: names.iter().map(|name| (name.clone().into(), dataset())).collect(),
            ..Group::default()
        };
        let encoded = encode(&tree, &|_| Some(Extent { dtype: Dtype::F32, shape: &shape })).unwrap();
        let mut file = File { bytes: encoded.structure, ranges: Vec::new() };
        // The root's entry in the superblock has its index.
        let (tree, heap) = (file.number::<8>(56 + 24), file.number::<8>(56 + 32));
        file.meet(heap, b"HEAP", 32 + file.number::<8>(heap + 8));
        let mut expected = names;
        expected.sort();
        assert_eq!(file.names(tree, heap, None), expected);
        file.ranges.sort_by_key(|range| range.start);
        assert!(file.ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{children} children");
    }

    /// Nodes take the room that the superblock says, and hold the names in order.
    #[test]
    fn nodes_are_as_large_as_the_superblock_says() {
        for children in [0, 1, 4, 5, 32, 33, 34, 256, 257, 3000] {
            check(children);
        }
    }
}
