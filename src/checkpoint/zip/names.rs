//! Records by their names.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::ZipError;
use super::record::Record;

/// The places of records, found by name. The names stay in the records, and the index outlives the stripping
/// of their folder: what is hashed is the name without its first folder.
#[derive(Debug)]
pub(super) struct Names {
    places: HashTable<u32>,
    /// Seeded at random: no file can choose names that collide.
    hasher: foldhash::fast::RandomState,
    is_stripped: bool,
}

impl Names {
    /// The index of records, whose names must differ.
    pub(super) fn of(records: &[Record]) -> Result<Self, ZipError> {
        let hasher = foldhash::fast::RandomState::default();
        let mut places = HashTable::with_capacity(records.len());
        let name = |place: u32| records.get(place as usize).map_or("", |record| record.name.as_str());
        // More records than u32 counts take more bytes than any disk has.
        for (place, record) in (0_u32..).zip(records) {
            let hash = hasher.hash_one(without_folder(&record.name));
            if places.find(hash, |&known| name(known) == record.name).is_some() {
                return Err(ZipError::Duplicate { name: record.name.clone() });
            }
            places.insert_unique(hash, place, |&known| hasher.hash_one(without_folder(name(known))));
        }
        Ok(Self { places, hasher, is_stripped: false })
    }

    /// Tells that every record's name has lost its first folder.
    pub(super) const fn strip_folder(&mut self) {
        self.is_stripped = true;
    }

    /// The place of the record with a name.
    pub(super) fn find(&self, records: &[Record], name: &str) -> Option<usize> {
        let hash = self.hasher.hash_one(if self.is_stripped { name } else { without_folder(name) });
        let is_it = |&place: &u32| records.get(place as usize).is_some_and(|record| record.name == name);
        self.places.find(hash, is_it).map(|&place| place as usize)
    }
}

/// A name after its first folder.
fn without_folder(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}
