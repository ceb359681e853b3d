//! A layout encoder for a small, frozen subset of HDF5: a tree of groups, attributes and datasets becomes the
//! bytes of the file's structure and the place of every dataset's elements. The elements are filled in later.
//!
//! The subset is what the C library writes by default, so every version since 1.6 reads it (facts: HDF5 File
//! Format Specification 3.0, sections named at each structure): superblock 0, symbol-table groups, object
//! headers 1, contiguous datasets, hard links, variable-length strings in global heap collections. The nodes of the
//! groups' indexes are smaller than by default, as the superblock tells.
//!
//! Symbol tables, not the compact links of newer versions: for 20,000 datasets in 5,000 layers, `h5dump -H` (the C
//! library, HDF5 1.10) took 1.33 s of processor time with the former and 1.45 s with the latter, best of three, both
//! with nodes of the default size. Through h5py, every dataset by its name takes 1.6 s with small nodes and 1.7 s with
//! those, best of seven, of files of 12.5 and 22.3 MiB.
//!
//! ```text
//! superblock | object headers, group indexes, names | global heap | elements of each dataset …
//! ```

mod encode;
mod error;
mod global_heap;
mod group;
mod message;

pub use encode::{ALIGNMENT, Encoded, Extent, PAGE_BYTES, encode};
pub use error::EncodeError;
