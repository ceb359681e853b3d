//! Attributes that are texts and lists of texts. `hdf5-reader` decodes every attribute of an object at once,
//! and takes what it cannot decode for the text itself; here only those that are asked for are, and a reference
//! that leads nowhere is an error.

use std::collections::HashMap;

use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::attribute::{self, AttributeMessage};
use hdf5_reader::messages::attribute_info::AttributeInfoMessage;
use hdf5_reader::messages::dataspace::DataspaceType;
use hdf5_reader::{Datatype, StringPadding, StringSize, VarLenKind};

use super::super::error::ErrorKind;
use super::{File, at, broken};

/// The attributes of an object.
#[derive(Default)]
pub(in crate::keras) struct TextAttributes {
    /// Those that are one text, by name.
    pub(in crate::keras) texts: Vec<(String, String)>,
    /// The names of the others.
    pub(in crate::keras) others: Vec<String>,
}

impl File {
    /// The value of a text attribute of an object, when it has one.
    pub(in crate::keras) fn text_attribute(
        &self,
        object: u64,
        name: &str,
        path: &str,
    ) -> Result<Option<String>, ErrorKind> {
        let attributes = self.attributes(object, path, &|found| found == name)?;
        let Some(attribute) = attributes.first() else {
            return Ok(None);
        };
        let mut texts = self.texts(attribute, path)?;
        match (texts.pop(), texts.len()) {
            (Some(text), 0) => Ok(Some(text)),
            _ => Err(not_a_text(attribute, path)),
        }
    }

    /// A list of names in an attribute, whole or in numbered parts (`layer_names0`, …).
    pub(in crate::keras) fn list_attribute(
        &self,
        object: u64,
        name: &str,
        path: &str,
    ) -> Result<Option<Vec<String>>, ErrorKind> {
        let attributes = self.attributes(object, path, &|found| found.starts_with(name))?;
        let by_name: HashMap<&str, &AttributeMessage> =
            attributes.iter().map(|attribute| (attribute.name.as_str(), attribute)).collect();
        if let Some(whole) = by_name.get(name) {
            return self.texts(whole, path).map(Some);
        }
        let mut parts: Option<Vec<String>> = None;
        for index in 0..by_name.len() {
            let Some(part) = by_name.get(format!("{name}{index}").as_str()) else { break };
            parts.get_or_insert_default().extend(self.texts(part, path)?);
        }
        Ok(parts)
    }

    /// The attributes of an object that are single texts, by name, in the order of the file.
    pub(in crate::keras) fn text_attributes(
        &self,
        object: u64,
        path: &str,
    ) -> Result<TextAttributes, ErrorKind> {
        let mut found = TextAttributes::default();
        for attribute in self.attributes(object, path, &|_| true)? {
            let is_single = attribute.dataspace.dataspace_type == DataspaceType::Scalar;
            if is_single && is_text(&attribute.datatype) {
                let text = self.texts(&attribute, path)?.pop().ok_or_else(|| not_a_text(&attribute, path))?;
                found.texts.push((attribute.name, text));
            } else {
                found.others.push(attribute.name);
            }
        }
        Ok(found)
    }

    /// The attributes of an object that are wanted, by their names, not decoded. One object can be reached by many
    /// links, so what is taken of it is charged each time.
    fn attributes(
        &self,
        object: u64,
        path: &str,
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<AttributeMessage>, ErrorKind> {
        let header = self.header(object, path)?;
        let mut found = Vec::new();
        for message in &header.messages {
            if let HdfMessage::Attribute(attribute) = message {
                if is_wanted(&attribute.name) {
                    self.charge(attribute.raw_data.len() as u64, path)?;
                    found.push(attribute.clone());
                }
            } else if let HdfMessage::AttributeInfo(info) = message {
                self.dense_attributes(info, path, is_wanted, &mut found)?;
            }
        }
        Ok(found)
    }

    /// The attributes of an object that has many: messages in a heap, with a B-tree over them.
    fn dense_attributes(
        &self,
        info: &AttributeInfoMessage,
        path: &str,
        is_wanted: &dyn Fn(&str) -> bool,
        found: &mut Vec<AttributeMessage>,
    ) -> Result<(), ErrorKind> {
        let (_, offset, length) = self.format();
        if Cursor::is_undefined_offset(info.fractal_heap_address, offset) {
            return Ok(());
        }
        self.heap_objects(info.fractal_heap_address, info.btree_name_index_address, path, &mut |bytes| {
            let message = attribute::parse(&mut Cursor::new(bytes), offset, length, bytes.len());
            let message = message.map_err(at(path))?;
            self.charge(bytes.len() as u64, path)?;
            if is_wanted(&message.name) {
                found.push(message);
            }
            Ok(())
        })
    }

    /// The texts that an attribute holds.
    fn texts(&self, attribute: &AttributeMessage, path: &str) -> Result<Vec<String>, ErrorKind> {
        let count = match attribute.dataspace.dataspace_type {
            DataspaceType::Null => 0,
            DataspaceType::Scalar => 1,
            DataspaceType::Simple => {
                let dims = &attribute.dataspace.dims;
                dims.iter().try_fold(1_u64, |count, &size| count.checked_mul(size)).unwrap_or(u64::MAX)
            }
        };
        // h5py writes an empty list as an empty array of numbers.
        if count == 0 {
            return Ok(Vec::new());
        }
        let not_a_text = || not_a_text(attribute, path);
        let raw = attribute.raw_data.as_slice();
        let pieces = |width: usize| {
            let count = usize::try_from(count).ok().filter(|_| width > 0);
            let length = count.and_then(|count| count.checked_mul(width));
            length.and_then(|length| raw.get(..length)).ok_or_else(not_a_text)
        };
        let decode = |bytes: &[u8], padding: StringPadding| {
            self.charge(bytes.len() as u64, path)?;
            String::from_utf8(unpadded(bytes, padding).to_vec()).map_err(|_| not_a_text())
        };
        match &attribute.datatype {
            Datatype::String { size: StringSize::Fixed(width), padding, .. } => {
                let width = usize::try_from(*width).map_err(|_| not_a_text())?;
                pieces(width)?.chunks_exact(width).map(|bytes| decode(bytes, *padding)).collect()
            }
            Datatype::String { size: StringSize::Variable, padding, .. }
            | Datatype::VarLen { kind: VarLenKind::String, padding, .. } => {
                // A length, the address of a collection, and the index of the text in it.
                let width = 4 + usize::from(self.format().1) + 4;
                let read = |reference: &[u8]| decode(self.in_collection(reference, path)?, *padding);
                pieces(width)?.chunks_exact(width).map(read).collect()
            }
            _ => Err(not_a_text()),
        }
    }

    /// What a reference into the global heap leads to (HDF5 file format specification, III.E).
    fn in_collection(&self, reference: &[u8], path: &str) -> Result<&[u8], ErrorKind> {
        let offset = self.format().1;
        let mut cursor = Cursor::new(reference);
        let at = at(path);
        let length = cursor.read_u32_le().map_err(&at)?;
        let address = cursor.read_offset(offset).map_err(&at)?;
        let index = cursor.read_u32_le().map_err(&at)?;
        if length == 0 || address == 0 || Cursor::is_undefined_offset(address, offset) {
            return Ok(&[]);
        }
        let nowhere = || broken(path, "the text of an attribute is not where it should be");
        let place = self.place_in_collection(address, index, path)?.ok_or_else(nowhere)?;
        let bytes = self.bytes.as_slice().get(place).ok_or_else(nowhere)?;
        let length = usize::try_from(length).map_err(|_| nowhere())?;
        bytes.get(..length).ok_or_else(nowhere)
    }

    /// The place of an object of a collection in the file. Each collection is read once.
    fn place_in_collection(
        &self,
        address: u64,
        index: u32,
        path: &str,
    ) -> Result<Option<std::ops::Range<usize>>, ErrorKind> {
        if let Some(places) = self.collections.borrow().get(&address) {
            return Ok(places.get(&index).cloned());
        }
        let places = self.read_collection(address, path)?;
        let found = places.get(&index).cloned();
        self.collections.borrow_mut().insert(address, places);
        Ok(found)
    }

    fn read_collection(
        &self,
        address: u64,
        path: &str,
    ) -> Result<HashMap<u32, std::ops::Range<usize>>, ErrorKind> {
        let wrong = || broken(path, "the collection of texts that an attribute refers to is damaged");
        let width = usize::from(self.format().2);
        let start = usize::try_from(address).map_err(|_| wrong())?;
        let all = self.bytes.as_slice().get(start..).ok_or_else(wrong)?;
        /// Signature and version, and three reserved bytes.
        const HEAD: usize = 8;
        let mut cursor = Cursor::new(all);
        let head = cursor.read_bytes(HEAD).map_err(at(path))?;
        let size = cursor.read_length(self.format().2).map_err(at(path))?;
        let size = usize::try_from(size).map_err(|_| wrong())?;
        if !head.starts_with(b"GCOL\x01") || size > all.len() {
            return Err(wrong());
        }
        self.charge(size as u64, path)?;
        let mut places = HashMap::new();
        let mut position = HEAD + width;
        // An object: its index, a count, four reserved bytes, its size, and its bytes up to a multiple of eight.
        while position.saturating_add(HEAD + width) <= size {
            let mut cursor = Cursor::new(all.get(position..size).ok_or_else(wrong)?);
            let index = cursor.read_u16_le().map_err(at(path))?;
            cursor.skip(HEAD - 2).map_err(at(path))?;
            let length = cursor.read_length(self.format().2).map_err(at(path))?;
            // The free space is the last.
            if index == 0 {
                break;
            }
            let length = usize::try_from(length).map_err(|_| wrong())?;
            let first = position + HEAD + width;
            let end = first.checked_add(length).filter(|&end| end <= size).ok_or_else(wrong)?;
            let shift = |place: usize| start.checked_add(place).ok_or_else(wrong);
            places.insert(u32::from(index), shift(first)?..shift(end)?);
            position = end.checked_next_multiple_of(8).ok_or_else(wrong)?;
        }
        Ok(places)
    }
}

const fn is_text(datatype: &Datatype) -> bool {
    matches!(datatype, Datatype::String { .. } | Datatype::VarLen { kind: VarLenKind::String, .. })
}

fn not_a_text(attribute: &AttributeMessage, path: &str) -> ErrorKind {
    ErrorKind::Attribute {
        at: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        name: attribute.name.clone(),
    }
}

/// A text without what fills it up.
fn unpadded(bytes: &[u8], padding: StringPadding) -> &[u8] {
    match padding {
        StringPadding::NullTerminate => bytes.split(|&byte| byte == 0).next().unwrap_or(bytes),
        StringPadding::NullPad => trim_end(bytes, 0),
        StringPadding::SpacePad => trim_end(bytes, b' '),
    }
}

fn trim_end(bytes: &[u8], fill: u8) -> &[u8] {
    let kept = bytes.iter().rposition(|&byte| byte != fill).map_or(0, |last| last + 1);
    bytes.get(..kept).unwrap_or(bytes)
}
