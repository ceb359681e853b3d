//! Values that do not lie in the checkpoint as a Keras file holds them: small floats, compressed records.

use std::io::{Read as _, Write as _};

use ptw2k::keras::WeightsFile;
use zip::write::SimpleFileOptions;

use crate::run::{Folder, archive, check};

const CONVERT: [&str; 5] = ["w.pt", "--schema", "schema.toml", "-o", "out.weights.h5"];
const VERIFY: [&str; 5] = ["verify", "w.pt", "out.weights.h5", "--schema", "schema.toml"];

/// An entry of a state_dict whose storage has no type of its own, as torch pickles it.
fn entry(key: &str, storage: &str, dtype: &str, bytes: u16, sizes: &[u8]) -> Vec<u8> {
    let tuple = |numbers: &[u8]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|&number| [b'K', number]).collect();
        [&b"("[..], &numbers, b"t"].concat()
    };
    let mut strides = vec![1; sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis] * sizes[axis];
    }
    let text = |text: &str| [&b"V"[..], text.as_bytes(), b"\n"].concat();
    [
        &text(key)[..],
        b"ctorch._utils\n_rebuild_tensor_v3\n((Vstorage\nctorch.storage\nUntypedStorage\n",
        &text(storage),
        b"Vcpu\nM",
        &bytes.to_le_bytes(),
        b"tQK\x00",
        &tuple(sizes),
        &tuple(&strides),
        b"\x89Nctorch\n",
        dtype.as_bytes(),
        b"\ntR",
    ]
    .concat()
}

/// Writes `w.pt` with a kernel and a bias of these types and bytes.
fn write(folder: &Folder, kernel: (&str, &[u8]), bias: (&str, &[u8], u8)) {
    let entries = [
        entry("conv.weight", "0", kernel.0, kernel.1.len() as u16, &[16, 3, 3, 3]),
        entry("conv.bias", "1", bias.0, bias.1.len() as u16, &[bias.2]),
    ];
    let root = [&b"\x80\x02}("[..], &entries.concat(), b"u."].concat();
    let members = [
        ("w/data.pkl", &root[..]),
        ("w/byteorder", b"little"),
        ("w/data/0", kernel.1),
        ("w/data/1", bias.1),
        ("w/version", b"3\n"),
    ];
    folder.write("w.pt", archive(&members));
}

/// The values of a written variable, which is `float32`.
fn floats(folder: &Folder, end: &str) -> Vec<f32> {
    let file = WeightsFile::open(&folder.path("out.weights.h5")).unwrap();
    let stored = file.variables.iter().find(|stored| stored.path.ends_with(end)).unwrap();
    let bytes = stored.tensor.contiguous().unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// `float8_e4m3fn`, from its definition.
fn e4m3fn(code: u8) -> f32 {
    let (exponent, fraction) = (i32::from(code >> 3 & 15), f32::from(code & 7));
    let magnitude = match exponent {
        15 if code & 7 == 7 => f32::NAN,
        0 => fraction / 8.0 * 2_f32.powi(-6),
        _ => (1.0 + fraction / 8.0) * 2_f32.powi(exponent - 7),
    };
    if code < 128 { magnitude } else { -magnitude }
}

fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(|value| if value.is_nan() { u32::MAX } else { value.to_bits() }).collect()
}

#[test]
fn small_floats() {
    let folder = Folder::with_case("simple_conv");
    let kernel: Vec<u8> = (0..432_u32).map(|at| (at * 7 % 256) as u8).collect();
    let halves: Vec<u8> = (0..8).map(|low| low << 1 | (low << 1 | 1) << 4).collect();
    write(&folder, ("float8_e4m3fn", &kernel), ("float4_e2m1fn_x2", &halves, 8));
    let said = folder.run(&CONVERT);
    assert!(said.starts_with("exit 0\n"), "{said}");
    let said = folder.run(&VERIFY);
    assert!(said.starts_with("exit 0\n"), "{said}");
    // o i h w to h w i o.
    let mut expected = Vec::new();
    for hw in 0..9 {
        for i in 0..3 {
            expected.extend((0..16).map(|o| e4m3fn(kernel[(o * 3 + i) * 9 + hw])));
        }
    }
    assert_eq!(bits(floats(&folder, "vars/0")), bits(expected));
    let positive = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let expected = positive.into_iter().chain(positive.map(|number: f32| -number));
    assert_eq!(bits(floats(&folder, "vars/1")), bits(expected));
}

/// A power of two of eight bits has no counterpart in `float16`; its neighbour has.
#[test]
fn small_floats_that_do_not_fit() {
    let folder = Folder::with_case("simple_conv");
    let kernel = [0x38; 432];
    for (code, exit) in [(142, "exit 0\n"), (143, "exit 7\n")] {
        write(&folder, ("float8_e5m2", &kernel), ("float8_e8m0fnu", &[code; 16], 16));
        let said = folder.run(&[&CONVERT[..], &["--dtype", "float16"]].concat());
        assert!(said.starts_with(exit), "{said}");
    }
}

/// What is complex becomes nothing that is not.
#[test]
fn complex_values() {
    let folder = Folder::with_case("simple_conv");
    write(&folder, ("float8_e5m2", &[0; 432]), ("complex64", &[0; 128], 16));
    let names = folder.names();
    check("bad_complex", 6, &folder.run(&CONVERT));
    assert_eq!(folder.names(), names);
}

/// What is complex becomes what is complex in the same way, and Keras holds it as h5py does: a compound.
#[test]
fn complex_variables() {
    let folder = Folder::with_case("simple_conv");
    let architecture = String::from_utf8(folder.read("arch.json")).unwrap();
    for (dtype, exit) in [("complex64", "exit 0\n"), ("complex128", "exit 6\n")] {
        folder.write("arch.json", architecture.replace("float32", dtype));
        let numbers: Vec<f32> = (0..864_u16).map(|at| f32::from(at) - 99.5).collect();
        let kernel: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        write(&folder, ("complex64", &kernel), ("complex64", &kernel[..128], 16));
        let said = folder.run(&CONVERT);
        assert!(said.starts_with(exit), "{said}");
        if exit == "exit 0\n" {
            let said = folder.run(&VERIFY);
            assert!(said.starts_with("exit 0\n"), "{said}");
            assert_eq!(floats(&folder, "vars/1"), numbers[..32]);
            let kernel = floats(&folder, "vars/0");
            // h 0, w 0, i 1, o 2 of the file.
            assert_eq!(kernel[2 * (16 + 2)..][..2], numbers[2 * (2 * 27 + 9)..][..2]);
        }
    }
}

/// Keras stores such variables, and cannot load them.
#[test]
fn variables_that_keras_cannot_load() {
    let folder = Folder::with_case("simple_conv");
    let architecture = String::from_utf8(folder.read("arch.json")).unwrap();
    folder.write("arch.json", architecture.replace("float32", "float8_e4m3fn"));
    write(&folder, ("float8_e4m3fn", &[0x38; 432]), ("float8_e4m3fn", &[0x38; 16], 16));
    let names = folder.names();
    check("bad_float8_variables", 6, &folder.run(&CONVERT));
    assert_eq!(folder.names(), names);
}

/// The checkpoint of a case with every record compressed.
fn deflated(folder: &Folder) -> Vec<u8> {
    let mut stored = zip::ZipArchive::new(std::io::Cursor::new(folder.read("weights.pt"))).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for at in 0..stored.len() {
        let mut member = stored.by_index(at).unwrap();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        let name = member.name().unwrap().into_owned();
        zip.start_file(name, options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn compressed_records() {
    for case in ["simple_conv", "mnist"] {
        let folder = Folder::with_case(case);
        let schema = ["--schema", "schema.toml"];
        folder.write("w.pt", deflated(&folder));
        for (from, to) in [("weights.pt", "one.weights.h5"), ("w.pt", "out.weights.h5")] {
            let said = folder.run(&[&[from, "-o", to], &schema[..]].concat());
            assert!(said.starts_with("exit 0\n"), "{said}");
        }
        assert!(folder.read("one.weights.h5") == folder.read("out.weights.h5"));
        let said = folder.run(&VERIFY);
        assert!(said.starts_with("exit 0\n"), "{said}");
    }
}

#[test]
fn damaged_records() {
    let folder = Folder::with_case("simple_conv");
    let mut bytes = deflated(&folder);
    folder.write("w.pt", &bytes);
    folder.run(&CONVERT);
    // The checksum, in the record's own header and in the directory.
    let name = b"/data/0";
    let ends = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(name)).collect::<Vec<_>>();
    for end in ends {
        let mut start = end;
        while &bytes[start - 30..start - 26] != b"PK\x03\x04"
            && &bytes[start - 46..start - 42] != b"PK\x01\x02"
        {
            start -= 1;
        }
        let is_local = &bytes[start - 30..start - 26] == b"PK\x03\x04";
        bytes[if is_local { start - 16 } else { start - 30 }] ^= 1;
    }
    folder.write("w.pt", &bytes);
    let old = folder.read("out.weights.h5");
    let names = folder.names();
    check("bad_damaged_record", 3, &folder.run(&CONVERT));
    check("bad_damaged_record_verify", 3, &folder.run(&VERIFY));
    assert_eq!(folder.names(), names);
    assert!(folder.read("out.weights.h5") == old);
}
