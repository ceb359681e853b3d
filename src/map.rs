//! Maps and sets whose keys come from files.

use std::collections::{HashMap, HashSet};

/// A map with a fast hasher. Every map has a random seed, which a file cannot know, so no file can choose keys
/// that collide.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The same without values.
pub(crate) type Set<K> = HashSet<K, foldhash::fast::RandomState>;
