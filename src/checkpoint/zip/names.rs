//! Records by their names.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::ZipError;
use super::record::Record;

/// The places of records, found by name. The names stay in the records; an index of other names is another
/// index.
#[derive(Debug)]
pub(super) struct Names {
    places: HashTable<u32>,
    /// That of [`crate::map`], with a random seed: no file can choose names that collide.
    hasher: RandomState,
}

impl Names {
    /// The index of records, whose names must differ.
    pub(super) fn of(records: &[Record]) -> Result<Self, ZipError> {
        let hasher = RandomState::default();
        let mut places = HashTable::with_capacity(records.len());
        let name = |place: u32| records.get(place as usize).map_or("", |record| record.name.as_str());
        // More records than u32 counts take more bytes than any disk has.
        for (place, record) in (0_u32..).zip(records) {
            let hash = hasher.hash_one(record.name.as_str());
            if places.find(hash, |&known| name(known) == record.name).is_some() {
                return Err(ZipError::Duplicate { name: record.name.clone() });
            }
            places.insert_unique(hash, place, |&known| hasher.hash_one(name(known)));
        }
        Ok(Self { places, hasher })
    }

    /// The place of the record with a name.
    pub(super) fn find(&self, records: &[Record], name: &str) -> Option<usize> {
        let hash = self.hasher.hash_one(name);
        let is_it = |&place: &u32| records.get(place as usize).is_some_and(|record| record.name == name);
        self.places.find(hash, is_it).map(|&place| place as usize)
    }
}
