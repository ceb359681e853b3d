//! Maps whose keys come from files.

use std::collections::HashMap;

/// A map with a fast hasher. Every map has a random seed, which a file cannot know, so no file can choose keys
/// that collide.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
