//! The links of HDF5 groups, read one by one: `hdf5-reader` leaves out those that lead nowhere, follows others
//! through the file, and repeats what a broken index names twice, so a variable could be lost or a small file
//! take hours. Keras writes hard links alone.

use std::collections::HashSet;

use hdf5_reader::btree_v1::collect_btree_v1_leaves_storage;
use hdf5_reader::btree_v2::{BTreeV2Header, BTreeV2Record, collect_btree_v2_records_storage};
use hdf5_reader::fractal_heap::{FractalHeap, FractalHeapDirectBlockCache};
use hdf5_reader::io::Cursor;
use hdf5_reader::local_heap::LocalHeap;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::{self, LinkMessage, LinkTarget};
use hdf5_reader::messages::link_info::LinkInfoMessage;
use hdf5_reader::messages::symbol_table_msg::SymbolTableMessage;
use hdf5_reader::symbol_table::SymbolTableNode;

use super::super::error::ErrorKind;
use super::super::graph::join;
use super::{File, at, broken};

/// The cache type of a symbol table entry that is a soft link (HDF5 file format specification, III.C).
const SOFT_LINK: u32 = 2;

/// A name in a group, and the address of the object that it stands for.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) address: u64,
}

impl File {
    /// The links of a group, in the order of the file. A name that is there twice, or a link to another place
    /// than an object of the same file, is an error.
    pub(super) fn links(&self, address: u64, path: &str) -> Result<Vec<Link>, ErrorKind> {
        let header = self.header(address, path)?;
        let mut links = Vec::new();
        for message in &header.messages {
            if let HdfMessage::Link(message) = message {
                self.add(message, path, &mut links)?;
            } else if let HdfMessage::LinkInfo(message) = message {
                self.in_heap(message, path, &mut links)?;
            } else if let HdfMessage::SymbolTable(message) = message {
                self.in_table(message, path, &mut links)?;
            }
        }
        let mut names = HashSet::with_capacity(links.len());
        if let Some(twice) = links.iter().find(|link| !names.insert(link.name.as_str())) {
            return Err(broken(&join(path, &twice.name), "it is in the group twice"));
        }
        Ok(links)
    }

    fn add(&self, message: &LinkMessage, path: &str, links: &mut Vec<Link>) -> Result<(), ErrorKind> {
        let name = message.name.clone();
        let target = match &message.target {
            LinkTarget::Hard { address } => return self.add_hard(name, *address, path, links),
            LinkTarget::Soft { path } => path.clone(),
            LinkTarget::External { filename, path } => format!("{filename}:{path}"),
        };
        Err(ErrorKind::Link { at: join(path, &name), target })
    }

    fn add_hard(
        &self,
        name: String,
        address: u64,
        path: &str,
        links: &mut Vec<Link>,
    ) -> Result<(), ErrorKind> {
        self.charge(name.len() as u64, path)?;
        if name.is_empty() || name.contains(['/', '\0']) {
            return Err(broken(path, "a link in it has no name, or one with `/`"));
        }
        links.push(Link { name, address });
        Ok(())
    }

    /// The links of a group of the old form: leaves of a B-tree, with their names in a heap.
    fn in_table(
        &self,
        table: &SymbolTableMessage,
        path: &str,
        links: &mut Vec<Link>,
    ) -> Result<(), ErrorKind> {
        let (storage, offset, length) = self.format();
        let at = at(path);
        let heap = LocalHeap::parse_at_storage(storage, table.heap_address, offset, length).map_err(&at)?;
        let leaves =
            collect_btree_v1_leaves_storage(storage, table.btree_address, offset, length, None, &[], None)
                .map_err(&at)?;
        let mut seen = HashSet::with_capacity(leaves.len());
        for (_, address) in leaves {
            if !seen.insert(address) {
                return Err(broken(path, "its index names a part twice"));
            }
            /// Signature, version, a reserved byte and the number of entries.
            const PREFIX: usize = 8;
            let prefix = storage.read_range(address, PREFIX).map_err(&at)?;
            let mut cursor = Cursor::new(prefix.as_ref());
            cursor.skip(PREFIX - 2).map_err(&at)?;
            // An entry: two offsets, the cache type, a reserved word and a scratch pad.
            let entry = 2 * usize::from(offset) + 4 + 4 + 16;
            let size = PREFIX + usize::from(cursor.read_u16_le().map_err(&at)?) * entry;
            self.charge(size as u64, path)?;
            let bytes = storage.read_range(address, size).map_err(&at)?;
            let node = SymbolTableNode::parse(&mut Cursor::new(bytes.as_ref()), offset, length);
            for entry in node.map_err(&at)?.entries {
                let name = heap.get_string_storage(entry.link_name_offset, storage).map_err(&at)?;
                if entry.cache_type == SOFT_LINK {
                    let target = Cursor::new(&entry.scratch).read_u32_le().map_err(&at)?;
                    let target = heap.get_string_storage(u64::from(target), storage).map_err(&at)?;
                    return Err(ErrorKind::Link { at: join(path, &name), target });
                }
                self.add_hard(name, entry.object_header_address, path, links)?;
            }
        }
        Ok(())
    }

    /// The links of a group of the new form that has many: messages in a heap, with a B-tree over them.
    fn in_heap(&self, info: &LinkInfoMessage, path: &str, links: &mut Vec<Link>) -> Result<(), ErrorKind> {
        let offset = self.format().1;
        if Cursor::is_undefined_offset(info.fractal_heap_address, offset) {
            return Ok(());
        }
        let tree = info.btree_name_index_address;
        self.heap_objects(info.fractal_heap_address, tree, path, &mut |bytes| {
            let (_, offset, length) = self.format();
            let message = link::parse(&mut Cursor::new(bytes), offset, length, bytes.len());
            self.add(&message.map_err(at(path))?, path, links)
        })
    }

    /// Calls with every object of a fractal heap that a B-tree names, in the order of the tree.
    pub(super) fn heap_objects(
        &self,
        heap: u64,
        tree: u64,
        path: &str,
        each: &mut dyn FnMut(&[u8]) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind> {
        let (storage, offset, length) = self.format();
        let at = at(path);
        let heap = FractalHeap::parse_at_storage(storage, heap, offset, length).map_err(&at)?;
        if heap.io_filters_len > 0 {
            return Err(broken(path, "its names or attributes are compressed, which Keras never does"));
        }
        let tree = BTreeV2Header::parse_at_storage(storage, tree, offset, length).map_err(&at)?;
        let records = collect_btree_v2_records_storage(storage, &tree, offset, length, None, &[], None);
        let mut blocks = FractalHeapDirectBlockCache::default();
        for record in records.map_err(&at)? {
            let (BTreeV2Record::LinkNameHash { heap_id, .. }
            | BTreeV2Record::CreationOrder { heap_id, .. }
            | BTreeV2Record::AttributeNameHash { heap_id, .. }
            | BTreeV2Record::AttributeCreationOrder { heap_id, .. }) = record
            else {
                return Err(broken(path, "its index is of another kind"));
            };
            let bytes = heap
                .get_object_storage_cached(&heap_id, storage, offset, length, &mut blocks)
                .map_err(&at)?;
            self.charge(bytes.len() as u64, path)?;
            each(&bytes)?;
        }
        Ok(())
    }
}
