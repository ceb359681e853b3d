//! Checksums of records that are views of a file (formats/pytorch.md section 1.5). They are compared by several
//! threads, each of which takes a piece at a time: one record can be most of a file.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Crc;

use super::{Bytes, LazyTensor, Storage};
use crate::crew::{Hands, share};

/// A record of an archive, with its checksum.
#[derive(Debug)]
pub struct Checksummed {
    /// The record's name.
    pub record: String,
    /// What is in it.
    pub bytes: Bytes,
    /// The CRC-32 of the bytes, by the archive.
    pub crc: u32,
}

impl Checksummed {
    /// Whether the bytes have the checksum.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        crc(self.bytes.as_slice()).sum() == self.crc
    }
}

/// A record whose bytes do not have its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The record.
    pub record: String,
    /// The places of the tensors that lie in it, or are computed from it.
    pub tensors: Vec<usize>,
}

/// Bytes that a thread takes at a time.
const PIECE: usize = 4 << 20;

/// Compares the checksums of all records that the tensors lie in or are computed from, in the order of the tensors,
/// by these threads. Compressed records are not among them: theirs are compared whenever they are inflated. Reads all
/// bytes of the records. Ends early, with what is known so far, when `stops` says so.
#[must_use]
pub fn damaged(tensors: &[&LazyTensor], hands: Hands<'_>, stops: &(dyn Fn() -> bool + Sync)) -> Vec<Damage> {
    let records = records(tensors);
    let jobs: Vec<(usize, Range<usize>)> = records
        .iter()
        .enumerate()
        .flat_map(|(place, (record, _))| {
            let len = record.bytes.len();
            (0..len).step_by(PIECE).map(move |start| (place, start..len.min(start.saturating_add(PIECE))))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = |goes_on: &dyn Fn() -> bool| {
        while goes_on() && !stops() {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some((place, range)) = jobs.get(job) else { break };
            let bytes =
                records.get(*place).and_then(|(record, _)| record.bytes.as_slice().get(range.clone()));
            let crc = crc(bytes.unwrap_or(&[]));
            done.lock().unwrap_or_else(PoisonError::into_inner).push((job, crc));
        }
    };
    share(hands, jobs.len(), &work);
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    // The pieces of a record stand in their order.
    done.sort_by_key(|&(job, _)| job);
    let mut sums: Vec<Crc> = records.iter().map(|_| Crc::new()).collect();
    for (job, crc) in done {
        if let Some(sum) = jobs.get(job).and_then(|(place, _)| sums.get_mut(*place)) {
            sum.combine(&crc);
        }
    }
    let pairs = records.into_iter().zip(sums);
    // A record that was not read to its end is not judged. What is counted is counted in 32 bits.
    let wrong = pairs
        .filter(|((record, _), sum)| sum.amount() == record.bytes.len() as u32 && sum.sum() != record.crc);
    wrong.map(|((record, tensors), _)| Damage { record: record.record.clone(), tensors }).collect()
}

/// The records behind tensors, each once, with the places of the tensors.
fn records<'a>(tensors: &[&'a LazyTensor]) -> Vec<(&'a Arc<Checksummed>, Vec<usize>)> {
    let mut places = HashMap::new();
    let mut records: Vec<(&Arc<Checksummed>, Vec<usize>)> = Vec::new();
    for (tensor, source) in tensors.iter().enumerate() {
        let mut open = vec![*source];
        while let Some(source) = open.pop() {
            match &source.storage {
                Storage::Ready(_) => {}
                Storage::Checksummed(record) => {
                    let place = *places.entry(Arc::as_ptr(record)).or_insert_with(|| {
                        records.push((record, Vec::new()));
                        records.len() - 1
                    });
                    if let Some((_, of_record)) = records.get_mut(place)
                        && of_record.last() != Some(&tensor)
                    {
                        of_record.push(tensor);
                    }
                }
                Storage::Computed(_) => {
                    open.extend(source.storage.recipe().map(|recipe| recipe.sources()).unwrap_or_default());
                }
            }
        }
    }
    records
}

fn crc(bytes: &[u8]) -> Crc {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::crew::Crew;
    use crate::lazy::{Recipe, Resolve};
    use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

    fn record(name: &str, len: usize, changes: bool) -> Storage {
        let mut bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let crc = crc(&bytes).sum();
        if changes {
            bytes[len - 1] ^= 4;
        }
        let record = Checksummed { record: name.to_owned(), bytes: Bytes::held(bytes), crc };
        assert_eq!(record.is_intact(), !changes);
        Storage::Checksummed(Arc::new(record))
    }

    fn tensor(storage: &Storage, numel: usize) -> LazyTensor {
        let view = Strided::contiguous(Shape::new([numel]).unwrap());
        LazyTensor { dtype: Dtype::I8, view, byte_order: ByteOrder::Little, storage: storage.clone() }
    }

    fn check(tensors: &[&LazyTensor], expected: &[(&str, &[usize])]) {
        let expected: Vec<Damage> = expected
            .iter()
            .map(|(record, tensors)| Damage { record: (*record).to_owned(), tensors: tensors.to_vec() })
            .collect();
        let crew = Crew::new(NonZeroUsize::MIN.saturating_add(2));
        let _place = crew.enter();
        for hands in [Hands::Own(1), Hands::Own(3), Hands::Crew(&crew)] {
            assert_eq!(damaged(tensors, hands, &|| false), expected, "{hands:?}");
        }
    }

    #[test]
    fn damage_is_named_once() {
        let (whole, small) = (record("data/0", 2 * PIECE + 3, false), record("data/1", 7, true));
        let large = record("data/2", PIECE + 5, true);
        let negative = Recipe::Resolve(Resolve::new(tensor(&small, 7), false, true).unwrap());
        let negative = tensor(&Storage::computed(negative), 7);
        let (one, two, three) = (tensor(&whole, 5), tensor(&large, 5), tensor(&small, 6));
        check(&[&one], &[]);
        check(&[&one, &two, &three, &two], &[("data/2", &[1, 3]), ("data/1", &[2])]);
        check(&[&negative, &one, &three], &[("data/1", &[0, 2])]);
        assert_eq!(damaged(&[&two], Hands::Own(2), &|| true), []);
    }
}
