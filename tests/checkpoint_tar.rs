//! Tar checkpoints: one that torch 2.15 reads, handmade ones, and every rule broken.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/values.rs"]
mod values;

use std::path::Path;

use ptw2k::checkpoint::{Checkpoint, ErrorKind, Form, OpenOptions, StreamError, TarError};
use ptw2k::lazy::Bytes;
use values::contiguous;

/// A header, and the content up to whole blocks.
fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sign(&mut block);
    block.extend(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

/// Sets the checksum of the first header.
fn sign(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[derive(Clone)]
struct Tar {
    storages: Vec<u8>,
    tensors: Vec<u8>,
    pickle: Vec<u8>,
}

impl Tar {
    fn members(&self) -> Vec<Vec<u8>> {
        [("sys_info", &b"}.".to_vec()), ("pickle", &self.pickle), ("tensors", &self.tensors)]
            .into_iter()
            .chain([("storages", &self.storages)])
            .map(|(name, content)| member(name, b'0', content))
            .collect()
    }

    fn bytes(&self) -> Vec<u8> {
        [self.members().concat(), vec![0; 1024]].concat()
    }
}

fn storage(id: &str, class: &str, count: i64, bytes: &[u8]) -> Vec<u8> {
    let pickle = format!("(I{id}\nVcpu\nctorch\n{class}\nt.");
    [pickle.as_bytes(), &count.to_le_bytes(), bytes].concat()
}

/// The rank, sizes, strides and offset of a tensor.
fn tensor(id: &str, storage: &str, rank: i32, numbers: &[i64]) -> Vec<u8> {
    let mut bytes = format!("(I{id}\nI{storage}\nctorch\nShortTensor\nt.").into_bytes();
    bytes.extend(rank.to_le_bytes());
    bytes.extend([0xaa; 4]);
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

const SHORTS: [u8; 6] = [1, 2, 3, 4, 5, 6];
const BYTES: [u8; 3] = [7, 8, 9];

/// Two shorts `w` from the second on, all bytes `n`, and the last byte `v` in a view.
fn tar() -> Tar {
    Tar {
        storages: [
            b"I2\n.".as_slice(),
            &storage("11", "ShortStorage", 3, &SHORTS),
            &storage("12", "ByteStorage", 3, &BYTES),
            b"](I13\nI12\nI2\nI1\nta.",
        ]
        .concat(),
        tensors: [
            b"I3\n.".as_slice(),
            &tensor("21", "11", 1, &[2, 1, 1]),
            &tensor("22", "12", 1, &[3, 1, 0]),
            &tensor("23", "13", 1, &[1, 1, 0]),
        ]
        .concat(),
        pickle: b"}(Vw\nP21\nVn\nV22\nQVv\nP23\nVagain\nP21\nu.".to_vec(),
    }
}

fn open(bytes: &[u8]) -> Result<Checkpoint, ErrorKind> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    std::fs::write(&path, bytes).unwrap();
    Checkpoint::open(&path, &OpenOptions::default()).map_err(|error| error.kind)
}

fn check(bytes: &[u8]) {
    let checkpoint = open(bytes).unwrap();
    assert_eq!(checkpoint.form, Form::Tar);
    assert_eq!(checkpoint.written_by.as_deref(), Some("torch before 0.1.10 (tar)"));
    let found: Vec<(&str, Vec<u8>, Option<usize>)> = checkpoint
        .tensors
        .iter()
        .map(|tensor| (tensor.key.as_str(), contiguous(&tensor.tensor), tensor.tied_to))
        .collect();
    let w = SHORTS[2..].to_vec();
    assert_eq!(
        found,
        [("w", w.clone(), None), ("n", BYTES.to_vec(), None), ("v", vec![9], None), ("again", w, Some(0))]
    );
    assert!(
        checkpoint.tensors.iter().all(|tensor| tensor.tensor.storage.ready().is_some_and(Bytes::is_mapped))
    );
}

fn refuse_bytes(bytes: &[u8], expected: &TarError) {
    match open(bytes).unwrap_err() {
        ErrorKind::Tar(found) => assert_eq!(found, *expected),
        kind => panic!("{kind:?}"),
    }
}

fn refuse(change: impl FnOnce(&mut Tar), expected: &TarError) {
    let mut changed = tar();
    change(&mut changed);
    refuse_bytes(&changed.bytes(), expected);
}

#[test]
fn agrees_with_torch() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/old_checkpoint/tar.pt"));
    let checkpoint = Checkpoint::open(path, &OpenOptions::default()).unwrap();
    let floats = |values: &[u8]| -> Vec<u8> {
        values.iter().flat_map(|&value| f32::from(value).to_le_bytes()).collect()
    };
    let found: Vec<(&str, &[usize], Vec<u8>)> = checkpoint
        .tensors
        .iter()
        .map(|tensor| (tensor.key.as_str(), tensor.tensor.view.shape().sizes(), contiguous(&tensor.tensor)))
        .collect();
    let w = floats(&[0, 2, 4, 1, 3, 5]);
    let n = [-7_i64, 8].into_iter().flat_map(i64::to_le_bytes).collect();
    let expected: [(&str, &[usize], Vec<u8>); 4] =
        [("w", &[2, 3], w.clone()), ("n", &[2], n), ("view", &[2], floats(&[2, 4])), ("again", &[2, 3], w)];
    assert_eq!(found, expected);
}

#[test]
fn every_form_has_the_same_values() {
    check(&tar().bytes());
    let members = tar().members();
    // In another order, without the empty blocks at the end, and with a folder before the names.
    check(&members.iter().rev().flatten().copied().collect::<Vec<u8>>());
    let mut dotted = members.clone();
    for member in &mut dotted {
        member.copy_within(0..98, 2);
        member[..2].copy_from_slice(b"./");
        sign(member);
    }
    check(&dotted.concat());
    // Extended headers, as Python's tarfile writes for fractions of seconds, and for sizes.
    let mut extended = Vec::new();
    for plain in &members {
        let size = usize::from_str_radix(std::str::from_utf8(&plain[124..135]).unwrap(), 8).unwrap();
        let size = format!(" size={size}\n");
        let header = format!("22 mtime=1480000000.25\n{}{size}", size.len() + 2);
        let header = header.replace("22 mtime", "23 mtime");
        extended.extend(member("PaxHeader/x", b'x', header.as_bytes()));
        let mut plain = plain.clone();
        plain[124..136].copy_from_slice(b"00000000007\0");
        sign(&mut plain);
        extended.extend(plain);
    }
    check(&extended);
}

#[test]
fn what_is_no_plain_file_is_refused() {
    for (kind, what) in [
        (b'1', "a hard link"),
        (b'2', "a symbolic link"),
        (b'3', "a device"),
        (b'5', "a folder"),
        (b'g', "of another kind"),
        (b'L', "of another kind"),
        (b'S', "of another kind"),
    ] {
        let bytes = [member("storages", kind, b""), tar().bytes()].concat();
        refuse_bytes(&bytes, &TarError::NotAFile { name: "storages".to_owned(), what });
    }
}

#[test]
fn broken_headers() {
    let header = |offset, what| TarError::Header { offset, what };
    let mut sum = tar().bytes();
    sum[0] = b'S';
    refuse_bytes(&sum, &header(0, "its checksum is wrong"));
    let twice = [member("pickle", 0, b"N."), tar().bytes()].concat();
    refuse_bytes(&twice, &TarError::DuplicateMember { name: "pickle".to_owned() });
    let missing = tar().members()[..3].concat();
    refuse_bytes(&missing, &TarError::MissingMember { name: "storages" });
    refuse_bytes(&tar().bytes()[..600], &TarError::MissingMember { name: "storages" }.clone());
    let mut huge = tar().bytes();
    huge[124..136].copy_from_slice(b"77777777777\0");
    sign(&mut huge);
    let (needed, available) = (0o77_777_777_777, huge.len() - 512);
    refuse_bytes(&huge, &TarError::Truncated { name: "sys_info".to_owned(), needed, available });
    let mut bad = tar().bytes();
    bad[124..136].copy_from_slice(b"-0000000007\0");
    sign(&mut bad);
    refuse_bytes(&bad, &header(0, "its size is no octal number"));
    for (text, what) in [
        ("16 path=storages\n", "the extended header has a key that torch never writes"),
        ("20 linkpath=../x\n", "the extended header is no list of keys and values"),
        ("99 size=1\n", "the extended header is no list of keys and values"),
        ("0 size=1\n", "the extended header is no list of keys and values"),
        ("9 size=x\n", "the extended header is no list of keys and values"),
    ] {
        let text = if text.contains("path=s") { "17 path=storages\n" } else { text };
        let bytes = [member("x", b'x', text.as_bytes()), tar().bytes()].concat();
        refuse_bytes(&bytes, &header(512, what));
    }
}

#[test]
fn broken_members() {
    let content = |member, what| TarError::Content { member, what };
    refuse(|tar| tar.storages = b"N.".to_vec(), &content("storages", "it does not start with a count"));
    refuse(|tar| tar.storages.push(0), &content("storages", "bytes follow its end"));
    refuse(|tar| tar.tensors.push(0), &content("tensors", "bytes follow its end"));
    let one_storage = |storage: Vec<u8>| [b"I1\n.".as_slice(), &storage, b"]."].concat();
    let negative = one_storage(storage("11", "ShortStorage", -3, &SHORTS));
    let what = "the number of a storage's elements is negative";
    refuse(|tar| tar.storages = negative, &content("storages", what));
    let class = one_storage(storage("11", "WideStorage", 3, &SHORTS));
    refuse(|tar| tar.storages = class, &TarError::StorageClass { id: 11, class: "WideStorage".to_owned() });
    let huge = one_storage(storage("11", "ShortStorage", 1 << 40, &SHORTS));
    let (offset, available) = (huge.len() - 8, 8);
    let error = StreamError::Truncated { what: "a storage", offset, needed: 1 << 41, available };
    refuse(|tar| tar.storages = huge, &TarError::Stream { member: "storages", error });
    let mut views = tar().storages;
    views.truncate(views.len() - b"](I13\nI12\nI2\nI1\nta.".len());
    let with_view = |view: &str| [&views, b"](".as_slice(), view.as_bytes(), b"ta."].concat();
    refuse(|tar| tar.storages = with_view("I13\nI12\nI2\nI2\n"), &TarError::View { id: 13 });
    refuse(|tar| tar.storages = with_view("I13\nI12\nI-1\nI2\n"), &TarError::View { id: 13 });
    refuse(|tar| tar.storages = with_view("I11\nI12\nI0\nI2\n"), &TarError::DuplicateId { id: 11 });
    refuse(|tar| tar.storages = with_view("I13\nI99\nI0\nI2\n"), &TarError::UnknownId { id: 99 });
    let one_tensor = |tensor: Vec<u8>| [b"I1\n.".as_slice(), &tensor].concat();
    for rank in [-1, i32::MIN, i32::MAX, 65] {
        let tensors = one_tensor(tensor("21", "11", rank, &[1; 131]));
        refuse(|tar| tar.tensors = tensors, &TarError::Rank { id: 21, rank });
    }
    refuse(|tar| tar.tensors = one_tensor(tensor("21", "99", 1, &[1; 3])), &TarError::UnknownId { id: 99 });
    refuse(|tar| tar.tensors = one_tensor(tensor("12", "11", 1, &[1; 3])), &TarError::DuplicateId { id: 12 });
    refuse(|tar| tar.pickle = b"}Vw\nP77\ns.".to_vec(), &TarError::UnknownId { id: 77 });
    let what = "a persistent id is neither a number nor a class";
    refuse(|tar| tar.pickle = b"}Vw\nPstorage\ns.".to_vec(), &content("pickle", what));
    refuse(|tar| tar.pickle = b"}Vw\n)Qs.".to_vec(), &content("pickle", what));
    for numbers in [[-2, 1, 1], [2, -1, 1], [2, 1, -1], [2, 1, 2], [i64::MAX, 1, 0]] {
        let mut changed = tar();
        changed.tensors = one_tensor(tensor("21", "11", 1, &numbers));
        changed.pickle = b"}Vw\nP21\ns.".to_vec();
        let kind = open(&changed.bytes()).unwrap_err();
        assert!(matches!(kind, ErrorKind::Tensor { .. }), "{numbers:?}: {kind:?}");
    }
}
