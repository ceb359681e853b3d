//! Files of every form, cut and changed at random: each gives an architecture or an error, and soon.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ptw2k::keras::{Architecture, WeightsFile};
use ptw2k::lazy::Bytes;

/// A generator of the same numbers on every run (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// What a mutated file may take. An unoptimised program on a busy machine takes a hundredth.
const PATIENCE: Duration = Duration::from_secs(5);

fn files(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Changes one to eight places: bytes, addresses that lead elsewhere, runs from another place, or the end.
fn change(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(bytes.len());
        match numbers.below(8) {
            0 => bytes.truncate(at.max(64)),
            1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            // Structure is aligned to eight bytes: fields of it take each other's values.
            3 | 4 => {
                let (from, to) = (numbers.below(bytes.len()) & !7, at & !7);
                if from + 8 <= bytes.len() && to + 8 <= bytes.len() {
                    bytes.copy_within(from..from + 8, to);
                }
            }
            5 => {
                let extreme: [u64; 6] = [0, 1, u64::MAX, 1 << 63, u64::from(u32::MAX), 1 << 40];
                let to = at & !7;
                if to + 8 <= bytes.len() {
                    bytes[to..to + 8].copy_from_slice(&extreme[numbers.below(6)].to_le_bytes());
                }
            }
            _ => {
                let (length, from) = (numbers.below(64), numbers.below(bytes.len()));
                if from + length <= bytes.len() && at + length <= bytes.len() {
                    bytes.copy_within(from..from + length, at);
                }
            }
        }
    }
}

/// Opens changed copies; some must be refused, so that the changes are known to reach the structure.
fn mutate(name: &str, times: u64) {
    let original = std::fs::read(files(name)).unwrap();
    let mut refused = 0;
    for seed in 0..times {
        let mut bytes = original.clone();
        change(&mut bytes, &mut Numbers(seed));
        let bytes = Bytes::held(bytes);
        let started = Instant::now();
        let opened = Architecture::from_bytes(Path::new(name), bytes.clone());
        let weights = WeightsFile::from_bytes(Path::new(name), bytes);
        assert!(started.elapsed() < PATIENCE, "{name}, seed {seed}: {:?}", started.elapsed());
        refused += u64::from(opened.is_err());
        // An architecture is read out of what the weight file holds.
        if let (Ok(architecture), Err(error)) = (&opened, &weights) {
            assert!(
                architecture.variables.iter().all(|variable| variable.value.is_none()),
                "{name}: {error:?}"
            );
        }
    }
    assert!(refused > times / 50, "{name}: {refused} of {times} refused");
}

#[test]
fn weights_h5() {
    mutate("keras_files/3.15.1/own.weights.h5", 500);
    mutate("keras_files/2.13.1/own.weights.h5", 300);
    mutate("keras_hostile/libver_latest.weights.h5", 1500);
    mutate("keras_hostile/dense_links.weights.h5", 1000);
    mutate("keras_hostile/hard_links.weights.h5", 500);
    mutate("keras_hostile/compressed.weights.h5", 1000);
    mutate("keras/bfloat16.weights.h5", 500);
}

#[test]
fn legacy_h5() {
    mutate("keras_files/3.15.1/own.legacy.h5", 500);
    mutate("keras_files/2.15.0/trained.legacy.h5", 500);
    mutate("keras_hostile/dense_attributes.h5", 1000);
    mutate("keras_files/3.15.1/trained.whole.h5", 300);
}

#[test]
fn archives() {
    mutate("keras_hostile/good.keras", 1500);
    mutate("keras_hostile/deflated.keras", 1500);
    mutate("keras_hostile/streamed.keras", 500);
    mutate("keras_hostile/zip64.keras", 500);
    mutate("keras_files/3.15.1/trained.keras", 200);
}

/// The index and the shards are files of their own.
#[test]
fn shards() {
    let names = ["part.weights.json", "part_00000.weights.h5", "part_00001.weights.h5"];
    let folder = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for seed in 0..300 {
        let mut numbers = Numbers(seed);
        let changed = numbers.below(names.len());
        for (at, name) in names.iter().enumerate() {
            let mut bytes = std::fs::read(files("keras_hostile").join(name)).unwrap();
            if at == changed {
                change(&mut bytes, &mut numbers);
            }
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let opened = Architecture::open(&folder.path().join(names[0]));
        let weights = WeightsFile::open(&folder.path().join(names[0]));
        assert!(opened.is_err() || weights.is_ok(), "{seed}: {weights:?}");
        refused += u32::from(opened.is_err());
    }
    assert!(refused > 30, "{refused}");
}

/// A file cut at every byte is refused, or reads the same: the end of HDF5 files may be unused.
#[test]
fn cut_anywhere() {
    for name in ["libver_latest.weights.h5", "good.keras", "dense_attributes.h5"] {
        let original = std::fs::read(files("keras_hostile").join(name)).unwrap();
        let listing = |bytes: Vec<u8>| {
            let opened = Architecture::from_bytes(Path::new(name), Bytes::held(bytes));
            opened.ok().map(|model| format!("{:?}", model.variables.len()))
        };
        let whole = listing(original.clone());
        assert!(whole.is_some());
        for length in (0..original.len()).step_by(7) {
            let found = listing(original[..length].to_vec());
            assert!(found.is_none() || found == whole, "{name} cut at {length}: {found:?}");
        }
    }
}
