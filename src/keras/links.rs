//! Links of HDF5 groups that are no objects of the same file. `hdf5-reader` follows those that it can and
//! leaves out the others, so a variable behind one would be lost without a word. Keras writes none.

use hdf5_reader::Hdf5File;
use hdf5_reader::btree_v1::collect_btree_v1_leaves_storage;
use hdf5_reader::btree_v2::{BTreeV2Header, BTreeV2Record, collect_btree_v2_records_storage};
use hdf5_reader::error::Error;
use hdf5_reader::fractal_heap::FractalHeap;
use hdf5_reader::group::Group;
use hdf5_reader::io::Cursor;
use hdf5_reader::local_heap::LocalHeap;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::{self, LinkMessage, LinkTarget};
use hdf5_reader::messages::link_info::LinkInfoMessage;
use hdf5_reader::messages::symbol_table_msg::SymbolTableMessage;
use hdf5_reader::symbol_table::SymbolTableNode;

/// The cache type of a symbol table entry that is a soft link (HDF5 file format specification, III.C).
const SOFT_LINK: u32 = 2;

/// A link and where it leads.
pub(super) struct ForeignLink {
    pub(super) name: String,
    pub(super) target: String,
}

/// The first soft or external link of a group.
pub(super) fn foreign_link(file: &Hdf5File, group: &Group) -> Result<Option<ForeignLink>, Error> {
    let header = file.get_or_parse_header(group.address())?;
    for message in &header.messages {
        let found = match message {
            HdfMessage::Link(message) => of_message(message),
            HdfMessage::LinkInfo(message) => in_heap(group, message)?,
            HdfMessage::SymbolTable(message) => in_table(group, message)?,
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn of_message(message: &LinkMessage) -> Option<ForeignLink> {
    let target = match &message.target {
        LinkTarget::Hard { .. } => return None,
        LinkTarget::Soft { path } => path.clone(),
        LinkTarget::External { filename, path } => format!("{filename}:{path}"),
    };
    Some(ForeignLink { name: message.name.clone(), target })
}

/// The links of a group of the old form: leaves of a B-tree, with their names in a heap.
fn in_table(group: &Group, table: &SymbolTableMessage) -> Result<Option<ForeignLink>, Error> {
    let (storage, offset, length) = (group.storage(), group.offset_size(), group.length_size());
    let heap = LocalHeap::parse_at_storage(storage, table.heap_address, offset, length)?;
    let leaves =
        collect_btree_v1_leaves_storage(storage, table.btree_address, offset, length, None, &[], None)?;
    for (_, address) in leaves {
        /// Signature, version, a reserved byte and the number of entries.
        const PREFIX: usize = 8;
        let prefix = storage.read_range(address, PREFIX)?;
        let mut cursor = Cursor::new(prefix.as_ref());
        cursor.skip(PREFIX - 2)?;
        // An entry: two offsets, the cache type, a reserved word and a scratch pad.
        let entry = 2 * usize::from(offset) + 4 + 4 + 16;
        let size = PREFIX + usize::from(cursor.read_u16_le()?) * entry;
        let bytes = storage.read_range(address, size)?;
        let node = SymbolTableNode::parse(&mut Cursor::new(bytes.as_ref()), offset, length)?;
        if let Some(entry) = node.entries.iter().find(|entry| entry.cache_type == SOFT_LINK) {
            let name = heap.get_string_storage(entry.link_name_offset, storage)?;
            let target = Cursor::new(&entry.scratch).read_u32_le()?;
            let target = heap.get_string_storage(u64::from(target), storage)?;
            return Ok(Some(ForeignLink { name, target }));
        }
    }
    Ok(None)
}

/// The links of a group of the new form that has many: messages in a heap, with a B-tree over them.
fn in_heap(group: &Group, info: &LinkInfoMessage) -> Result<Option<ForeignLink>, Error> {
    let (storage, offset, length) = (group.storage(), group.offset_size(), group.length_size());
    if Cursor::is_undefined_offset(info.fractal_heap_address, offset) {
        return Ok(None);
    }
    let heap = FractalHeap::parse_at_storage(storage, info.fractal_heap_address, offset, length)?;
    let tree = BTreeV2Header::parse_at_storage(storage, info.btree_name_index_address, offset, length)?;
    let records = collect_btree_v2_records_storage(storage, &tree, offset, length, None, &[], None)?;
    for record in &records {
        let (BTreeV2Record::LinkNameHash { heap_id, .. } | BTreeV2Record::CreationOrder { heap_id, .. }) =
            record
        else {
            continue;
        };
        let bytes = heap.get_object_storage(heap_id, storage, offset, length)?;
        let message = link::parse(&mut Cursor::new(&bytes), offset, length, bytes.len())?;
        if let Some(found) = of_message(&message) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
