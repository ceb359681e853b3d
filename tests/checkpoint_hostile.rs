//! Hostile files through the program, in little memory: each ends by itself, with a message and its code.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/limited.rs"]
mod limited;
#[path = "checkpoint_support/writer.rs"]
mod writer;

use writer::{Archive, Entry};

/// Seconds of processor time that an unoptimised program may take for a file that a few megabytes claim.
const SECONDS: u32 = 10;

/// An archive with a deflated pickle, refused or read by the program.
fn check(pickle: &[&[u8]], expected: i32) {
    check_archive(pickle, &[], &[], expected);
}

/// The same with more records, and with options of the program.
fn check_archive(pickle: &[&[u8]], more: &[(&str, &[u8])], options: &[&str], expected: i32) {
    let mut entries = vec![Entry::stored("archive/data/0", &[1, 2, 3, 4])];
    if !pickle.is_empty() {
        entries.push(Entry::deflated("archive/data.pkl", &pickle.concat()));
    }
    entries.extend(more.iter().map(|(name, bytes)| Entry::deflated(&format!("archive/{name}"), bytes)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    std::fs::write(&path, Archive { entries, ..Archive::default() }.bytes()).unwrap();
    assert_eq!(limited::inspect(&path, options, SECONDS), expected);
}

/// A float32 tensor of one element.
const TENSOR: &[u8] =
    b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\x01tQ\
    K\x00K\x01\x85K\x01\x85\x89NtR";

/// BINUNICODE of `length` times the letter k.
fn long_text(length: u32) -> Vec<u8> {
    let mut text = b"X".to_vec();
    text.extend(length.to_le_bytes());
    text.resize(5 + length as usize, b'k');
    text
}

#[test]
fn a_long_key_many_times() {
    let key = [&long_text(1 << 22), b"q\0".as_slice()].concat();
    // One dictionary gets the same key again and again.
    check(&[b"}", &key, b"Ns", &b"h\0Ns".repeat(50_000), b"."], 3);
    // Many dictionaries have it, in a chain of names that could be a state_dict's.
    let mut many = [key.as_slice(), b"0}("].concat();
    for index in 0..20_000 {
        many.extend(format!("V{index}\n}}h\0").bytes());
        many.extend(TENSOR);
        many.push(b's');
    }
    check(&[&many, b"u."], 3);
}

#[test]
fn shared_dictionaries_multiply() {
    // 14 levels of dictionaries that hold the next one 16 times, under a state_dict's name.
    let mut bomb = [b"}Vw\n", TENSOR, b"sq\0"].concat();
    for _ in 0..14 {
        bomb.extend(b"0}(");
        for key in 0..16 {
            bomb.extend(format!("V{key}\nh\0").bytes());
        }
        bomb.extend(b"uq\0");
    }
    bomb.extend(b"0}Vstate_dict\nh\0s");
    check(&[&bomb, b"."], 3);
    // Many names of state_dicts for one dictionary with many entries.
    let mut many = b"}(".to_vec();
    for key in 0..3_000 {
        many.extend(format!("Vw{key}\n").bytes());
        many.extend(TENSOR);
    }
    many.extend(b"uq\x000}(");
    for key in 0..3_000 {
        many.extend(format!("V{key}.state_dict\n}}Vx\nh\0s").bytes());
    }
    check(&[&many, b"u."], 3);
}

/// A module with parameters and submodules, put into the memo and off the stack.
fn module(parameters: &[u8], children: &[u8], memo: u8) -> Vec<u8> {
    let start = b"cmine\nNet\n)\x81}(V_parameters\n".as_slice();
    [start, parameters, b"V_buffers\n}V_modules\n", children, b"ubq", &[memo], b"0"].concat()
}

#[test]
fn shared_modules_multiply() {
    let parameter = [b"}Vw\n", TENSOR, b"s"].concat();
    // 60 levels of modules that hold the next one twice, at the bottom one with a parameter or without any.
    for bottom in [parameter.as_slice(), b"}"] {
        let mut bomb = module(bottom, b"}", 0);
        for level in 0..60 {
            let children = [b"}(Va\nh".as_slice(), &[level], b"Vb\nh", &[level], b"u"].concat();
            bomb.extend(module(b"}", &children, level + 1));
        }
        check(&[&bomb, b"h\x3c."], 3);
    }
    // A chain of modules whose names are long: every key has all of them.
    let mut long = [long_text(1 << 20).as_slice(), b"q\xff0", &module(&parameter, b"}", 0)].concat();
    for level in 0..100 {
        let children = [b"}h\xffh".as_slice(), &[level], b"s"].concat();
        long.extend(module(&parameter, &children, level + 1));
    }
    check(&[&long, b"h\x64."], 3);
}

#[test]
fn many_candidates() {
    let mut many = [TENSOR, b"q\x000", &long_text(1 << 20), b"q\x010]("].concat();
    for _ in 0..20_000 {
        many.extend(b"}h\x01}Vw\nh\0ss");
    }
    check(&[&many, b"e."], 3);
}

#[test]
fn keys_that_are_no_text() {
    let mut integers = b"}(Vw\n".to_vec();
    integers.extend(TENSOR);
    for key in 0..100_000_u32 {
        integers.push(b'J');
        integers.extend(key.to_le_bytes());
        integers.push(b'N');
    }
    check(&[&integers, b"u."], 0);
}

#[test]
fn one_list_of_sizes_for_many_tensors() {
    let mut sizes = b"(".to_vec();
    sizes.extend(b"K\x01".repeat(100_000));
    sizes.extend(b"tq\x000}(");
    let shared: Vec<u8> = TENSOR
        .windows(3)
        .position(|window| window == b"K\x01\x85")
        .map(|at| [&TENSOR[..at], b"h\0h\0", &TENSOR[at + 6..]].concat())
        .unwrap();
    for key in 0..10_000 {
        sizes.extend(format!("Vw{key}\n").bytes());
        sizes.extend(&shared);
    }
    check(&[&sizes, b"u."], 3);
}

#[test]
fn many_marks() {
    check(&[&b"(".repeat(1 << 22), b"."], 3);
}

/// A deflated storage of so many zero bytes; the program reads its values.
fn check_values(len: u32, expected: i32) {
    let numel = [b"J".as_slice(), &len.to_le_bytes()].concat();
    let start =
        b"}Vw\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nByteStorage\nV0\nVcpu\n".as_slice();
    let pickle = [start, &numel, b"tQK\x00", &numel, b"\x85K\x01\x85\x89NtRs."].concat();
    let entries = vec![
        Entry::stored("archive/data.pkl", &pickle),
        Entry::deflated("archive/data/0", &vec![0; len as usize]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    std::fs::write(&path, Archive { entries, ..Archive::default() }.bytes()).unwrap();
    assert_eq!(limited::inspect(&path, &["--stats"], SECONDS), expected, "{len}");
}

#[test]
fn values_beyond_memory() {
    // Held once, they fit into the memory that there is.
    check_values(140 << 20, 0);
    check_values(300 << 20, 3);
}

/// Names that differ in their folder alone.
#[test]
fn many_folders() {
    let mut entries = vec![Entry::stored("archive/data.pkl", &[b"}Vw\n", TENSOR, b"s."].concat())];
    entries.extend((0..60_000).map(|folder| Entry::stored(&format!("{folder}/x"), b"")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    std::fs::write(&path, Archive { entries, ..Archive::default() }.bytes()).unwrap();
    assert_eq!(limited::inspect(&path, &[], SECONDS), 3);
}

/// A value, and a list in which a list of it so many times is as many times.
fn squared(value: &[u8], times: usize) -> Vec<u8> {
    let inner = [b"](".as_slice(), &b"h\0".repeat(times), b"eq\x010"].concat();
    let outer = [b"](".as_slice(), &b"h\x01".repeat(times), b"e"].concat();
    [value, b"q\x000", &inner, &outer].concat()
}

/// A `quint8` tensor of one element with a scale for its one channel.
fn quantized() -> Vec<u8> {
    let storage = b"((Vstorage\nctorch\nQUInt8Storage\nV0\nVcpu\nK\x04tQK\x00K\x01\x85K\x01\x85";
    let start = b"ctorch._utils\n_rebuild_qtensor\n".as_slice();
    let scheme = b"(ctorch\nper_channel_affine\n](G?\xe0\0\0\0\0\0\0e](K\x00eK\x00t\x89}tR";
    [start, storage, scheme].concat()
}

#[test]
fn shared_lists_multiply_the_tensors_of_a_program() {
    let constants = [("constants.pkl", b").".as_slice())];
    for value in [TENSOR, &quantized()] {
        let one = [b"}Va\n](", value, b"es."].concat();
        check_archive(&[&one], &constants, &["--quantized", "keep"], 0);
        let many = [b"}Va\n".as_slice(), &squared(value, 500), b"s."].concat();
        for options in [&[] as &[&str], &["--quantized", "keep"]] {
            check_archive(&[&many], &constants, options, 3);
        }
    }
}

#[test]
fn shared_dictionaries_multiply_the_tensors_of_a_state_dict() {
    for value in [TENSOR, &quantized()] {
        let names = |letter: &str, value: &str| -> String {
            (0..500).map(|key| format!("V{letter}{key}\n{value}")).collect()
        };
        let inner = names(&"y".repeat(40), "h\0");
        let outer = names(&"z".repeat(40), "h\x01");
        let inner = [value, b"q\x000}(", inner.as_bytes(), b"uq\x010"].concat();
        // Tensors of its own make it a state_dict.
        let own: String = (0..1000).map(|key| format!("Vr{key}\nh\0")).collect();
        let root = [inner.as_slice(), b"}Vstate_dict\n}(", outer.as_bytes(), own.as_bytes(), b"us."].concat();
        for options in [&[] as &[&str], &["--quantized", "keep"]] {
            check_archive(&[&root], &[], options, 3);
        }
    }
}

#[test]
fn many_containers_around_one_tensor() {
    let tuples = b"h\0\x85".repeat(1_400_000);
    check(&[TENSOR, b"q\x000](", &tuples, b"e."], 3);
}

/// A tensor of 2 GiB over one element.
fn expanded() -> Vec<u8> {
    let sizes = b"J\0\x80\0\0J\0\x40\0\0\x86K\0K\0\x86";
    let at = TENSOR.windows(6).position(|window| window == b"K\x01\x85K\x01\x85").unwrap();
    [&TENSOR[..at], sizes, &TENSOR[at + 6..]].concat()
}

#[test]
fn expanded_tensors() {
    for options in [["--hash"], ["--stats"]] {
        check_archive(&[b"}Vw\n", &expanded(), b"s."], &[], &options, 3);
        // Program of torch 1.0: the view stands in JSON.
        let model = r#"{"protoVersion": "2", "mainModule": {"name": "M", "parameters": [
            {"isBuffer": false, "tensorId": "0", "name": "w"}]}, "tensors": [{"dims": ["32768", "16384"],
            "offset": "0", "strides": ["0", "0"], "dataType": "FLOAT", "data": {"key": "data/0"}}]}"#;
        check_archive(&[], &[("model.json", model.as_bytes()), ("version", b"1")], &options, 3);
    }
    // An element expanded to a megabyte, as buffers are, is no attack.
    let few = b"J\0\0\x04\0\x85K\0\x85";
    let at = TENSOR.windows(6).position(|window| window == b"K\x01\x85K\x01\x85").unwrap();
    let tensor = [&TENSOR[..at], few, &TENSOR[at + 6..]].concat();
    check_archive(&[b"}Vw\n", &tensor, b"s."], &[], &["--hash"], 0);
}
