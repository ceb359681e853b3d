//! What a safetensors header may say.

use ptw2k::checkpoint::{ErrorKind, SafetensorsError, TensorError, UnsupportedTensor};

use crate::made::{folder, open};

/// A file whose only tensor has that type, that shape and that many bytes.
fn check(dtype: &str, shape: &[usize], bytes: usize, expected: fn(&Result<Vec<usize>, ErrorKind>) -> bool) {
    let info = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [0, bytes] });
    let header = serde_json::json!({ "__metadata__": { "shape": "a text" }, "a": info }).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.resize(file.len() + bytes, 0x21);
    let folder = folder(&[("model.safetensors", &file)]);
    let found = open(&folder.path().join("model.safetensors"))
        .map(|checkpoint| checkpoint.tensors[0].tensor.view.shape().sizes().to_vec());
    assert!(expected(&found), "{dtype} {shape:?}: {found:?}");
}

fn is_refused_type(found: &Result<Vec<usize>, ErrorKind>) -> bool {
    let dtype =
        |reason: &TensorError| matches!(reason, TensorError::Unsupported(UnsupportedTensor::Dtype { .. }));
    matches!(found, Err(ErrorKind::Tensor { reason, .. }) if dtype(reason))
}

#[test]
fn types_and_shapes() {
    check("F4", &[3, 4], 6, |found| found.as_ref().is_ok_and(|sizes| sizes == &[3, 2]));
    check("F4", &[4, 3], 6, is_refused_type);
    check("F6_E2M3", &[4], 3, is_refused_type);
    check("F6_E3M2", &[4], 3, is_refused_type);
    check("C64", &[2, 3], 48, |found| found.as_ref().is_ok_and(|sizes| sizes == &[2, 3]));
    check("F32", &[1; 64], 4, |found| found.as_ref().is_ok_and(|sizes| sizes.len() == 64));
    check("F32", &[1; 65], 4, |found| {
        matches!(found, Err(ErrorKind::Safetensors(SafetensorsError::Header(_))))
    });
}

/// The length stands before the header, in bytes that begin as a pickle does for some.
#[test]
fn lengths_that_look_like_a_pickle() {
    for length in [0x0280, 0x0380, 0x0480, 0x0580] {
        let header = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
        let header = format!("{header:length$}");
        let file = [&(length as u64).to_le_bytes(), header.as_bytes(), &[0; 12]].concat();
        let folder = folder(&[("model.bin", &file)]);
        let checkpoint = open(&folder.path().join("model.bin")).unwrap();
        assert_eq!(checkpoint.tensors[0].tensor.view.shape().sizes(), [3], "{length}");
    }
}
