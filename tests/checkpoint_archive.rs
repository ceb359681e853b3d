//! Handmade archives: every form of zip that real files have, with their values, and every broken rule.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/values.rs"]
mod values;
#[path = "checkpoint_support/writer.rs"]
mod writer;

use ptw2k::checkpoint::{
    Checkpoint, ErrorKind, ExportError, NotACheckpoint, OpenOptions, TensorError, Warning, ZipError,
};
use ptw2k::lazy::{Bytes, LoadError};
use ptw2k::tensor::{ByteOrder, Dtype, StateDictKey};
use values::contiguous;
use writer::{Archive, Entry};

/// A call of `_rebuild_tensor_v2`, its numbers below 256.
fn tensor(class: &str, storage: &str, numel: u8, offset: u8, sizes: &[u8], strides: &[u8]) -> Vec<u8> {
    let tuple = |numbers: &[u8]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|&number| [b'K', number]).collect();
        [b"(".as_slice(), &numbers, b"t"].concat()
    };
    let mut pickle =
        format!("ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\n{class}\nV{storage}\nVcpu\nK")
            .into_bytes();
    pickle.extend([numel, b't', b'Q', b'K', offset]);
    pickle.extend(tuple(sizes));
    pickle.extend(tuple(strides));
    pickle.extend(b"\x89NtR");
    pickle
}

fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"}(".to_vec();
    for (key, value) in items {
        bytes.extend(format!("V{key}\n").bytes());
        bytes.extend(value);
    }
    bytes.push(b'u');
    bytes
}

fn pickle(root: &[u8]) -> Vec<u8> {
    [b"\x80\x02", root, b"."].concat()
}

/// A transposed (2, 3) view of 7 floats from the second on, and 3 shorts.
fn state_dict() -> Vec<u8> {
    pickle(&dict(&[
        ("w", tensor("FloatStorage", "0", 7, 1, &[2, 3], &[1, 2])),
        ("n", tensor("ShortStorage", "1", 3, 0, &[3], &[1])),
    ]))
}

/// 7 floats of four different bytes each.
fn floats() -> Vec<u8> {
    (1..=28).collect()
}

const SHORTS: [u8; 6] = [101, 102, 103, 104, 105, 106];

/// What [`state_dict`] holds, little-endian.
fn expected() -> [(&'static str, Vec<u8>); 2] {
    let element = |index: u8| (4 * index + 1)..=(4 * index + 4);
    [("w", [1, 3, 5, 2, 4, 6].into_iter().flat_map(element).collect()), ("n", SHORTS.to_vec())]
}

impl Entry {
    /// The same entry with something changed.
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The records in torch's order, in a folder.
fn entries(folder: &str) -> Vec<Entry> {
    let stored = |name: &str, bytes: &[u8]| Entry::stored(&format!("{folder}/{name}"), bytes);
    vec![
        stored("data.pkl", &state_dict()),
        stored("byteorder", b"little"),
        stored("data/0", &floats()),
        stored("data/1", &SHORTS),
        stored("version", b"3\n"),
    ]
}

fn archive(entries: Vec<Entry>) -> Archive {
    Archive { entries, ..Archive::default() }
}

fn open(bytes: &[u8]) -> Result<Checkpoint, ErrorKind> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    std::fs::write(&path, bytes).unwrap();
    Checkpoint::open(&path, &OpenOptions::default()).map_err(|error| error.kind)
}

/// Opens an archive and compares names and values with [`expected`].
fn check(archive: &Archive) -> Checkpoint {
    let checkpoint = open(&archive.bytes()).unwrap();
    let found: Vec<(&str, Vec<u8>)> =
        checkpoint.tensors.iter().map(|tensor| (tensor.key.as_str(), contiguous(&tensor.tensor))).collect();
    assert_eq!(found, expected());
    checkpoint
}

#[test]
fn every_form_has_the_same_values() {
    let plain = || archive(entries("archive"));
    let each = |change: fn(&mut Entry)| {
        archive(entries("archive").into_iter().map(|entry| entry.with(change)).collect())
    };
    let is_mapped = |archive: &Archive| {
        let checkpoint = check(archive);
        assert_eq!(checkpoint.warnings, []);
        checkpoint.tensors.iter().all(|tensor| tensor.tensor.storage.ready().is_some_and(Bytes::is_mapped))
    };
    assert!(is_mapped(&plain()));
    assert!(is_mapped(&archive(entries("other folder é"))));
    assert!(is_mapped(&Archive { comment: b"a comment, PK\x05\x06 and all".to_vec(), ..plain() }));
    assert!(is_mapped(&Archive { is_zip64: true, ..plain() }));
    assert!(is_mapped(&each(|entry| entry.is_zip64 = true)));
    for padding in 0..8 {
        let padded = entries("archive").into_iter().map(|entry| entry.with(|entry| entry.padding = padding));
        assert!(is_mapped(&archive(padded.collect())));
    }
    let mut deflated = entries("archive");
    for entry in &mut deflated {
        let bytes = entry.bytes.clone();
        *entry = Entry::deflated(&entry.name, &bytes);
    }
    assert!(!is_mapped(&archive(deflated)));
    let mut with_folders = entries("archive");
    with_folders.insert(0, Entry::stored("archive/", b""));
    with_folders.push(Entry::stored("archive/data/", b""));
    assert!(is_mapped(&archive(with_folders)));
    let without = |name: &str| {
        archive(entries("archive").into_iter().filter(|entry| !entry.name.ends_with(name)).collect())
    };
    assert!(is_mapped(&without("byteorder")));
    assert!(is_mapped(&without("version")));
}

#[test]
fn order_prefix_and_dates_say_nothing() {
    let mut reversed = entries("archive");
    reversed.reverse();
    assert_eq!(check(&archive(reversed)).warnings, []);
    // Other records, a folder's entry in the middle, and a name of many bytes.
    let mut more = entries(&"a.b".repeat(99));
    more.insert(3, Entry::stored(&format!("{}/data/", "a.b".repeat(99)), b""));
    more.push(Entry::stored(&format!("{}/.format_version", "a.b".repeat(99)), b"1"));
    more.push(Entry::stored(&format!("{}/.storage_alignment", "a.b".repeat(99)), b"4096"));
    assert_eq!(check(&archive(more)).warnings, []);
    // Every alignment of the data, up to the 4096 that torch can be told to use.
    for alignment in [64, 1024, 4096_usize] {
        let mut aligned: Vec<Entry> = Vec::new();
        for entry in entries("archive") {
            let start = archive(aligned.clone()).directory_offset() + 30 + entry.name.len();
            let padding = start.next_multiple_of(alignment) - start;
            aligned.push(entry.with(|entry| entry.padding = u16::try_from(padding).unwrap()));
        }
        let checkpoint = check(&archive(aligned));
        assert_eq!(checkpoint.warnings, []);
    }
}

impl Archive {
    /// Where the central directory starts.
    fn directory_offset(&self) -> usize {
        let bytes = self.bytes();
        let end = &bytes[bytes.len() - 6..];
        usize::try_from(u32::from_le_bytes(end[..4].try_into().unwrap())).unwrap()
    }
}

#[test]
fn the_writer_is_told() {
    let written_by = |change: fn(&mut Vec<Entry>)| {
        let mut entries = entries("archive");
        change(&mut entries);
        check(&archive(entries)).written_by
    };
    assert_eq!(written_by(|_| ()).as_deref(), Some("torch 2.1 or later"));
    let old = written_by(|entries| entries.retain(|entry| entry.name != "archive/byteorder"));
    assert_eq!(old.as_deref(), Some("torch 1.6 or later"));
    let first = written_by(|entries| {
        entries.retain(|entry| !entry.name.ends_with("byteorder") && !entry.name.ends_with("version"));
        entries.insert(0, Entry::stored("archive/version", b"2\n"));
    });
    assert_eq!(first.as_deref(), Some("torch 1.4 or 1.5"));
    let bare = written_by(|entries| {
        entries.retain(|entry| !entry.name.ends_with("byteorder") && !entry.name.ends_with("version"));
    });
    assert_eq!(bare, None);
}

#[test]
fn a_pickle_that_inflates_too_far_is_refused() {
    let mut bomb = entries("archive");
    let zeros = vec![0; 129 << 20];
    bomb[0] = Entry::deflated("archive/data.pkl", &zeros);
    let expected = ZipError::TooLarge { name: "data.pkl".to_owned(), limit: 8 << 20 };
    assert!(matches!(refuse(&archive(bomb)), ErrorKind::Zip(found) if found == expected));
}

#[test]
fn big_endian_values_are_swapped() {
    let mut big = entries("archive");
    for entry in &mut big {
        let width = match entry.name.as_str() {
            "archive/byteorder" => {
                *entry = Entry::stored("archive/byteorder", b"big");
                continue;
            }
            "archive/data/0" => 4,
            "archive/data/1" => 2,
            _ => continue,
        };
        let swapped: Vec<u8> =
            entry.bytes.chunks(width).flat_map(|element| element.iter().rev().copied()).collect();
        *entry = Entry::stored(&entry.name, &swapped);
    }
    let checkpoint = check(&archive(big));
    for (tensor, (_, little)) in checkpoint.tensors.iter().zip(expected()) {
        let lazy = &tensor.tensor;
        assert_eq!(lazy.byte_order, ByteOrder::Big);
        assert!(!lazy.is_plain());
        if lazy.view.is_contiguous() {
            let mut converted = vec![0; little.len()];
            let (source, dtype) = (lazy.storage.ready().unwrap().as_slice(), lazy.dtype);
            ptw2k::tensor::kernel::convert(source, dtype, lazy.byte_order, &mut converted, dtype, false)
                .unwrap();
            assert_eq!(converted, little);
        }
    }
}

#[test]
fn checksums() {
    let change = |name: &str, crc: fn(u32) -> u32| {
        let mut entries = entries("archive");
        let entry = entries.iter_mut().find(|entry| entry.name.ends_with(name)).unwrap();
        entry.crc = crc(entry.crc);
        check(&archive(entries)).warnings
    };
    let wrong = |record: &str| vec![Warning::Checksum { record: record.to_owned() }];
    assert_eq!(change("data.pkl", |crc| crc ^ 1), wrong("data.pkl"));
    assert_eq!(change("data/0", |crc| crc ^ 1), wrong("data/0"));
    let absent = Warning::NoChecksum { records: 1, first: "data/1".to_owned() };
    assert_eq!(change("data/1", |_| 0), [absent]);
    let all: Vec<Entry> =
        entries("archive").into_iter().map(|entry| entry.with(|entry| entry.crc = 0)).collect();
    let absent = Warning::NoChecksum { records: 2, first: "data/0".to_owned() };
    assert_eq!(check(&archive(all)).warnings, [absent]);
}

/// A record that is too large to be checked on opening.
#[test]
fn checksums_of_large_records() {
    let bytes: Vec<u8> = (0..9_000 * 4).map(|at| (at % 253) as u8).collect();
    let view = |offset: u8| tensor_of("(Vstorage\nctorch\nFloatStorage\nV7\nVcpu\nM\x28\x23tQ", offset);
    let items = [("first", view(3)), ("second", view(200))];
    let check = |change: fn(&mut Entry), expected: &[Warning]| {
        let entry = |name: &str, bytes: &[u8]| Entry::stored(&format!("archive/{name}"), bytes);
        let entries = vec![entry("data.pkl", &pickle(&dict(&items))), entry("data/7", &bytes).with(change)];
        let checkpoint = open(&archive(entries).bytes()).unwrap();
        assert_eq!(checkpoint.check_records(None), expected);
    };
    check(|_| (), &[]);
    check(|entry| entry.crc = 0, &[]);
    let keys = ["first", "second"].map(StateDictKey::new);
    let damaged = Warning::Damaged { record: "data/7".to_owned(), tensors: keys.to_vec() };
    check(|entry| entry.bytes[20_000] ^= 1, &[damaged]);
}

/// 5 elements of a storage.
fn tensor_of(storage: &str, offset: u8) -> Vec<u8> {
    let start = format!("ctorch._utils\n_rebuild_tensor_v2\n({storage}K").into_bytes();
    [start.as_slice(), &[offset], b"K\x05\x85K\x01\x85\x89NtR"].concat()
}

fn refuse(archive: &Archive) -> ErrorKind {
    open(&archive.bytes()).unwrap_err()
}

#[test]
fn broken_archives() {
    let refuse_zip = |archive: &Archive, expected: ZipError| match refuse(archive) {
        ErrorKind::Zip(found) => assert_eq!(found, expected),
        kind => panic!("{kind:?}"),
    };
    let weights = || "archive/data/0".to_owned();
    let changed = |change: fn(&mut Entry)| {
        let mut entries = entries("archive");
        change(&mut entries[2]);
        archive(entries)
    };
    let differs = |field| ZipError::HeaderDiffers { name: weights(), field };
    refuse_zip(&changed(|entry| entry.local_name = "archive/data/9".to_owned()), differs("name"));
    refuse_zip(&changed(|entry| entry.flags = 1), ZipError::Encrypted { name: weights() });
    refuse_zip(&changed(|entry| entry.flags = 1 << 6), ZipError::Encrypted { name: weights() });
    refuse_zip(&changed(|entry| entry.method = 12), ZipError::Method { name: weights(), method: 12 });
    refuse_zip(&changed(|entry| entry.size = 27), ZipError::StoredSize { name: weights() });
    let mut twice = entries("archive");
    twice.push(Entry::stored(&weights(), b"other"));
    refuse_zip(&archive(twice), ZipError::Duplicate { name: weights() });
    let mut roots = entries("archive");
    roots.push(Entry::stored("evil/data.pkl", b"."));
    let other = ZipError::OtherFolder { folder: "archive".to_owned(), name: "evil/data.pkl".to_owned() };
    refuse_zip(&archive(roots), other);
    let mut flat = entries("archive");
    flat.push(Entry::stored("data.pkl", b"."));
    let other = ZipError::OtherFolder { folder: "archive".to_owned(), name: "data.pkl".to_owned() };
    refuse_zip(&archive(flat), other);
    refuse_zip(
        &Archive { more_entries: 1, ..archive(entries("archive")) },
        ZipError::Count { announced: 6, found: 5 },
    );
    let mut gap = Archive { gap: b"gap".to_vec(), ..archive(entries("archive")) };
    let end = gap.bytes().len() as u64 - 22;
    refuse_zip(&gap, ZipError::EndRecord { directory_end: end - 3, end_record: end });
    gap.is_zip64 = true;
    assert!(matches!(refuse(&gap), ErrorKind::Zip(ZipError::EndRecord { .. })));
    let mut truncated = archive(entries("archive")).bytes();
    truncated.truncate(truncated.len() - 23);
    assert!(matches!(open(&truncated), Err(ErrorKind::Zip(ZipError::Truncated))));
}

#[test]
fn entries_that_share_bytes() {
    // The second of two entries of one name length points to the header of the first, under its name.
    let mut shared = entries("archive");
    shared[3] = shared[2].clone().with(|entry| {
        entry.name = "archive/data/1".to_owned();
        entry.reuses_header = true;
    });
    let differs = ZipError::HeaderDiffers { name: "archive/data/1".to_owned(), field: "name" };
    assert!(matches!(refuse(&archive(shared)), ErrorKind::Zip(found) if found == differs));
    // An entry within the bytes of another.
    let inner = archive(vec![Entry::stored("archive/data/1", &SHORTS)]).bytes();
    let header = inner.get(..inner.windows(4).position(|window| window == b"PK\x01\x02").unwrap()).unwrap();
    let mut bytes = archive({
        let mut entries = entries("archive");
        entries[2] = Entry::stored("archive/data/0", header);
        entries
    })
    .bytes();
    let inner_at = bytes.windows(header.len()).position(|window| window == header).unwrap();
    let name_at = (0..bytes.len() - 14).rev().find(|&at| &bytes[at..at + 14] == b"archive/data/1").unwrap();
    bytes[name_at - 4..name_at].copy_from_slice(&u32::try_from(inner_at).unwrap().to_le_bytes());
    let overlap = ZipError::Overlap { name: "archive/data/0".to_owned() };
    assert!(matches!(open(&bytes), Err(ErrorKind::Zip(found)) if found == overlap));
}

#[test]
fn damaged_deflated_records() {
    let inflate = |change: fn(&mut Entry), announced: usize| {
        let mut entries = entries("archive");
        entries[2] = Entry::deflated("archive/data/0", &[7; 28]).with(change);
        // Opening costs no memory for the data, so the damage is found when it is read.
        let checkpoint = open(&archive(entries).bytes()).unwrap();
        let found = checkpoint.tensors[0].tensor.storage.load().unwrap_err();
        assert_eq!(found, LoadError::Inflate { record: "data/0".to_owned(), announced });
    };
    inflate(|entry| entry.bytes = vec![0xff; 9], 28);
    inflate(|entry| entry.bytes.truncate(2), 28);
    inflate(|entry| entry.bytes = Entry::deflated("", &[7; 27]).bytes, 28);
    inflate(|entry| entry.bytes = Entry::deflated("", &[7; 29]).bytes, 28);
    let mut bomb = entries("archive");
    bomb[0] = Entry::deflated("archive/data.pkl", &state_dict()).with(|entry| entry.size = 1 << 31);
    let announced = ZipError::Inflate { name: "data.pkl".to_owned(), announced: 1 << 31 };
    assert!(matches!(refuse(&archive(bomb)), ErrorKind::Zip(found) if found == announced));
}

#[test]
fn records_that_do_not_fit() {
    let with_records = |change: fn(&mut Vec<Entry>)| {
        let mut entries = entries("archive");
        change(&mut entries);
        refuse(&archive(entries))
    };
    let missing = with_records(|entries| drop(entries.remove(3)));
    assert!(
        matches!(missing, ErrorKind::Tensor { key, reason: TensorError::MissingRecord { record }, others }
            if others.count == 0 && key.as_str() == "n" && record == "data/1")
    );
    let short = with_records(|entries| entries[2] = Entry::stored("archive/data/0", &[1; 27]));
    let expected = TensorError::RecordSize { record: "data/0".to_owned(), numel: 7, width: 4, bytes: 27 };
    assert!(matches!(short, ErrorKind::Tensor { reason, .. } if reason == expected));
    let no_pickle = with_records(|entries| drop(entries.remove(0)));
    assert!(matches!(no_pickle, ErrorKind::MissingRecord { record: "data.pkl" }));
    let order = with_records(|entries| entries[1] = Entry::stored("archive/byteorder", b"middle"));
    assert!(matches!(order, ErrorKind::ByteOrder { found } if found == "middle"));
    let script = with_records(|entries| entries.push(Entry::stored("archive/constants.pkl", b".")));
    assert!(matches!(script, ErrorKind::Pickle(_)));
    let export = with_records(|entries| entries.push(Entry::stored("archive/archive_format", b"pt2")));
    assert!(matches!(export, ErrorKind::Export(ExportError::NoWeights)));
    let keras = refuse(&archive(vec![Entry::stored("model.weights.h5", b"x")]));
    assert!(matches!(keras, ErrorKind::NotACheckpoint(NotACheckpoint::KerasArchive)));
}

#[test]
fn big_endian_views_of_another_width_are_refused() {
    // Version 3 has the dtype after the hooks.
    let typed = tensor("HalfStorage", "0", 14, 0, &[7], &[1]);
    let typed = &typed[..typed.len() - 2];
    let v3 = [
        b"ctorch._utils\n_rebuild_tensor_v3\n".as_slice(),
        &typed[b"ctorch._utils\n_rebuild_tensor_v2\n".len()..],
        b"ctorch\nfloat32\ntR",
    ]
    .concat();
    let mut records = entries("archive");
    records[0] = Entry::stored("archive/data.pkl", &pickle(&dict(&[("w", v3)])));
    assert_eq!(open(&archive(records.clone()).bytes()).unwrap().tensors[0].tensor.dtype, Dtype::F32);
    records[1] = Entry::stored("archive/byteorder", b"big");
    let expected = TensorError::ByteOrder { storage_width: 2, dtype: Dtype::F32 };
    assert!(matches!(refuse(&archive(records)), ErrorKind::Tensor { reason, .. } if reason == expected));
}
