//! Every kind of tensor that a pickle can hold, bit for bit, and those that no program of good will wrote.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/digest.rs"]
mod digest;
#[path = "checkpoint_support/values.rs"]
mod values;
#[path = "checkpoint_support/writer.rs"]
mod writer;

use std::path::Path;

use digest::digest;
use ptw2k::checkpoint::{Checkpoint, ErrorKind, OpenOptions, TensorError, UnsupportedTensor};
use ptw2k::lazy::{Bytes, DensifyError, DequantizeError};
use serde_json::{Value, json};
use values::contiguous;
use writer::{Archive, Entry};

#[test]
fn kinds_agree_with_torch() {
    agrees_with_torch("kinds");
    // NumPy arrays in pickle protocol 5.
    agrees_with_torch("arrays");
    agrees_with_torch("big_endian");
    agrees_with_torch("scripted");
}

fn agrees_with_torch(name: &str) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/checkpoint_kinds"));
    let checkpoint = Checkpoint::open(&folder.join(format!("{name}.pt")), &OpenOptions::default()).unwrap();
    let expected: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()).unwrap();
    let found: Vec<Value> = checkpoint
        .tensors
        .iter()
        .map(|tensor| {
            json!({
                "name": tensor.key.as_str(),
                "dtype": tensor.tensor.dtype.name(),
                "shape": tensor.tensor.view.shape().sizes(),
                "sha256": digest(&contiguous(&tensor.tensor)),
            })
        })
        .collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

/// A storage of `numel` elements; all storages are the one record of 64 bytes.
fn storage(class: &str, numel: usize) -> String {
    format!("(Vstorage\nctorch\n{class}\nV0\nVcpu\nI{numel}\ntQ")
}

/// A tuple of integers.
fn tuple(numbers: &[i64]) -> String {
    format!("({}t", numbers.iter().map(|number| format!("I{number}\n")).collect::<String>())
}

/// A strided tensor over the one record.
fn strided(class: &str, numel: usize, sizes: &[i64], strides: &[i64]) -> String {
    let (storage, sizes, strides) = (storage(class, numel), tuple(sizes), tuple(strides));
    format!("ctorch._utils\n_rebuild_tensor_v2\n({storage}I0\n{sizes}{strides}I00\nNtR")
}

/// Opens a state_dict of one tensor, `w`, over a record of 64 zero bytes.
fn open(tensor: &str) -> Result<Checkpoint, TensorError> {
    let entries = vec![
        Entry::deflated("archive/data.pkl", format!("}}Vw\n{tensor}s.").as_bytes()),
        Entry::stored("archive/data/0", &[0; 64]),
    ];
    let bytes = Bytes::held(Archive { entries, ..Archive::default() }.bytes());
    match Checkpoint::from_bytes(Path::new("model.pt"), &bytes, &OpenOptions::default()) {
        Ok(checkpoint) => Ok(checkpoint),
        Err(error) => match error.kind {
            ErrorKind::Tensor { reason, .. } => Err(reason),
            kind => panic!("{kind:?}: {tensor}"),
        },
    }
}

fn refused(tensor: &str, expected: fn(&TensorError) -> bool) {
    let error = open(tensor).unwrap_err();
    assert!(expected(&error), "{error:?}: {tensor}");
}

const ARGUMENTS: fn(&TensorError) -> bool = |error| matches!(error, TensorError::Arguments { .. });

fn qtensor(class: &str, numel: usize, parameters: &str) -> String {
    let (storage, sizes, strides) = (storage(class, numel), tuple(&[2, 3]), tuple(&[3, 1]));
    format!("ctorch._utils\n_rebuild_qtensor\n({storage}I0\n{sizes}{strides}{parameters}I00\nNtR")
}

#[test]
fn quantized() {
    let per_tensor = |zero_point: &str| format!("(ctorch\nper_tensor_affine\nF0.5\n{zero_point}t");
    assert!(open(&qtensor("QInt8Storage", 64, &per_tensor("I0\n"))).is_ok());
    let zero_point =
        |error: &TensorError| matches!(error, TensorError::Quantized(DequantizeError::ZeroPoint { .. }));
    refused(&qtensor("QInt8Storage", 64, &per_tensor("I128\n")), zero_point);
    refused(&qtensor("QInt8Storage", 64, &per_tensor("L99999999999999999999L\n")), ARGUMENTS);
    refused(&qtensor("CharStorage", 64, &per_tensor("I0\n")), ARGUMENTS);
    refused(&qtensor("QInt8Storage", 64, "(ctorch\nper_tensor_symmetric\nt"), ARGUMENTS);
    refused(&qtensor("QInt8Storage", 64, "N"), ARGUMENTS);
    let dtype =
        |error: &TensorError| matches!(error, TensorError::Unsupported(UnsupportedTensor::Dtype { .. }));
    refused(&qtensor("QUInt4x2Storage", 64, &per_tensor("I0\n")), dtype);
    refused(&strided("QInt8Storage", 64, &[2], &[1]), dtype);
    refused(&storage("QInt32Storage", 16), dtype);

    let lists = |scales: &str, zero_points: &str, axis: &str| {
        qtensor("QInt8Storage", 64, &format!("(ctorch\nper_channel_affine\n({scales}l({zero_points}l{axis}t"))
    };
    assert!(open(&lists("F0.5\nF1.5\n", "I0\nI1\n", "I0\n")).is_ok());
    refused(&lists("F0.5\nF1.5\n", "I0\nI1\n", "I2\n"), ARGUMENTS);
    refused(&lists("F0.5\nF1.5\n", "I0\nI1\n", "I-1\n"), ARGUMENTS);
    let length =
        |error: &TensorError| matches!(error, TensorError::Quantized(DequantizeError::Length { .. }));
    refused(&lists("F0.5\nF1.5\n", "I0\nI1\n", "I1\n"), length);
    refused(&lists("F0.5\n", "I0\nI1\n", "I0\n"), length);
    let channels = |error: &TensorError| matches!(error, TensorError::Channels { .. });
    refused(&lists("F0.5\nN", "I0\nI1\n", "I0\n"), channels);
    let scales = |sizes: &[i64], strides: &[i64]| {
        let parameters =
            (strided("DoubleStorage", 8, sizes, strides), strided("LongStorage", 8, sizes, strides));
        qtensor(
            "QInt8Storage",
            64,
            &format!("(ctorch\nper_channel_affine\n{}{}I0\nt", parameters.0, parameters.1),
        )
    };
    assert!(open(&scales(&[2], &[1])).is_ok());
    refused(&scales(&[3], &[1]), length);
    refused(&scales(&[2, 1], &[1, 1]), length);
}

fn coo(indices: &str, values: &str, sizes: &[i64]) -> String {
    format!(
        "ctorch._utils\n_rebuild_sparse_tensor\n(ctorch\nsparse_coo\n({indices}{values}{}ttR",
        tuple(sizes)
    )
}

#[test]
fn sparse() {
    let indices = strided("LongStorage", 8, &[2, 3], &[3, 1]);
    let values = strided("FloatStorage", 16, &[3], &[1]);
    assert!(open(&coo(&indices, &values, &[2, 3])).is_ok());
    let part = |error: &TensorError| matches!(error, TensorError::Sparse(DensifyError::Part { .. }));
    refused(&coo(&indices, &strided("FloatStorage", 16, &[4], &[1]), &[2, 3]), part);
    refused(&coo(&indices, &values, &[2]), part);
    refused(&coo(&indices, &values, &[2, 3, 5]), part);
    refused(&coo(&indices, &indices, &[2, 3]), part);
    refused(&coo(&indices, "N", &[2, 3]), ARGUMENTS);
    refused(&coo(&indices, &values, &[-2, 3]), ARGUMENTS);
    // A sparse tensor in a sparse tensor.
    refused(&coo(&indices, &coo(&indices, &values, &[2, 3]), &[2, 3]), ARGUMENTS);
    // Every index is 0, so an axis of none has none.
    let out = |error: &TensorError| matches!(error, TensorError::Sparse(DensifyError::OutOfRange { .. }));
    refused(&coo(&indices, &values, &[2, 0]), out);
    let dense = |error: &TensorError| matches!(error, TensorError::Dense { .. });
    refused(&coo(&indices, &values, &[1 << 20, 1 << 20]), dense);
    refused(&coo(&indices, &values, &[1 << 12, 1 << 13]), dense);
    let expanded = |error: &TensorError| matches!(error, TensorError::Expanded { .. });
    let many = strided("LongStorage", 8, &[2, 1 << 24], &[0, 0]);
    refused(&coo(&many, &strided("FloatStorage", 16, &[1 << 24], &[0]), &[2, 3]), expanded);
    let shape = |error: &TensorError| matches!(error, TensorError::Shape(_));
    refused(&coo(&indices, &values, &[i64::MAX, i64::MAX]), shape);
}

#[test]
fn compressed() {
    let csr = |pointers: &[i64], plain: &[i64], sizes: &[i64]| {
        let part = |sizes: &[i64]| strided("LongStorage", 8, sizes, &[1]);
        let values = strided("FloatStorage", 16, plain, &[1]);
        let parts = format!("{}{}{values}{}", part(pointers), part(plain), tuple(sizes));
        format!("ctorch._utils\n_rebuild_sparse_tensor\n(ctorch\nsparse_csr\n({parts}ttR")
    };
    assert!(open(&csr(&[3], &[0], &[2, 3])).is_ok());
    let pointers = |error: &TensorError| matches!(error, TensorError::Sparse(DensifyError::Pointers { .. }));
    refused(&csr(&[3], &[1], &[2, 3]), pointers);
    let part = |error: &TensorError| matches!(error, TensorError::Sparse(DensifyError::Part { .. }));
    refused(&csr(&[4], &[0], &[2, 3]), part);
    refused(&csr(&[3], &[0], &[2]), part);
    let dense = |error: &TensorError| matches!(error, TensorError::Dense { .. });
    refused(&csr(&[3], &[0], &[2, 1 << 40]), dense);
    let view = |error: &TensorError| matches!(error, TensorError::View(_) | TensorError::Expanded { .. });
    refused(&csr(&[1 << 40], &[0], &[(1 << 40) - 1, 3]), view);
}

#[test]
fn bits() {
    let v2 = |class: &str, numel: usize, metadata: &str| {
        let storage = storage(class, numel);
        format!("ctorch._utils\n_rebuild_tensor_v2\n({storage}I0\n(I2\nt(I1\ntI00\nN{metadata}tR")
    };
    assert!(open(&v2("ComplexFloatStorage", 8, "}Vconj\nI01\ns")).is_ok());
    assert!(open(&v2("FloatStorage", 16, "}Vneg\nI01\ns")).is_ok());
    let resolve = |error: &TensorError| matches!(error, TensorError::Resolve(_));
    refused(&v2("FloatStorage", 16, "}Vconj\nI01\ns"), resolve);
    refused(&v2("BoolStorage", 64, "}Vneg\nI01\ns"), resolve);
    refused(&v2("FloatStorage", 16, "}Vneg\nI1\ns"), ARGUMENTS);
    refused(&v2("FloatStorage", 16, "(I1\nt"), ARGUMENTS);
    let metadata =
        |error: &TensorError| matches!(error, TensorError::Unsupported(UnsupportedTensor::Metadata { .. }));
    refused(&v2("FloatStorage", 16, "}Vjunk\nI00\ns"), metadata);
}

#[test]
fn nested() {
    let nested = |sizes: &str, strides: &str, offsets: &str| {
        let buffer = strided("FloatStorage", 16, &[6], &[1]);
        format!("ctorch._utils\n_rebuild_nested_tensor\n({buffer}{sizes}{strides}{offsets}tR")
    };
    let longs = |sizes: &[i64], strides: &[i64]| strided("LongStorage", 8, sizes, strides);
    let two = longs(&[2, 1], &[1, 1]);
    let checkpoint = open(&nested(&two, &two, &longs(&[2], &[1]))).unwrap();
    let keys: Vec<&str> = checkpoint.tensors.iter().map(|tensor| tensor.key.as_str()).collect();
    assert_eq!(keys, ["w.0", "w.1"]);
    let wrong = |error: &TensorError| matches!(error, TensorError::Nested { .. });
    refused(&nested(&two, &two, &longs(&[3], &[1])), wrong);
    refused(&nested(&two, &longs(&[2, 2], &[2, 1]), &longs(&[2], &[1])), wrong);
    refused(&nested(&longs(&[2], &[1]), &two, &longs(&[2], &[1])), wrong);
    let floats = strided("FloatStorage", 16, &[2, 1], &[1, 1]);
    refused(&nested(&floats, &floats, &longs(&[2], &[1])), wrong);
    let none = longs(&[0, 1], &[1, 1]);
    refused(&nested(&none, &none, &longs(&[0], &[1])), wrong);
}

#[test]
fn arrays() {
    let tensor = |array: &str, dtype: &str| {
        format!("ctorch._utils\n_rebuild_device_tensor_from_numpy\n({array}ctorch\n{dtype}\nVxla:0\nI00\ntR")
    };
    let element = |kind: &str, state: &str| format!("cnumpy\ndtype\n(V{kind}\nI00\nI01\ntR({state}tb");
    let plain = |order: &str| format!("I3\nV{order}\nNNNI-1\nI-1\nI0\n");
    let bytes = |text: &str| format!("c_codecs\nencode\n(V{text}\nVlatin1\ntR");
    let array = |sizes: &str, element: &str, bytes: &str| {
        format!(
            "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR(I1\n{sizes}{element}I00\n{bytes}tb"
        )
    };
    let floats = |sizes: &[i64], order: &str, text: &str, dtype: &str| {
        tensor(&array(&tuple(sizes), &element("f4", &plain(order)), &bytes(text)), dtype)
    };
    let values = |tensor: &str| contiguous(&open(tensor).unwrap().tensors[0].tensor);
    assert_eq!(values(&floats(&[1], "<", "abcd", "float32")), *b"abcd");
    assert_eq!(values(&floats(&[1], ">", "abcd", "float32")), *b"dcba");
    assert_eq!(values(&floats(&[0], "<", "", "float32")), *b"");
    let wide = "c_codecs\nencode\n(X\u{4}\0\0\0ab\0\0Vlatin1\ntR";
    let wide = tensor(&array("(t", &element("f4", &plain(">")), wide), "bfloat16");
    assert_eq!(values(&wide), *b"ba");
    refused(&floats(&[1], "<", "abcd", "bfloat16"), ARGUMENTS);
    refused(&floats(&[1], "<", "abcd", "float64"), ARGUMENTS);
    refused(&floats(&[1], "|", "abcd", "float32"), ARGUMENTS);
    refused(&floats(&[1], "<", "abcde", "float32"), ARGUMENTS);
    refused(&floats(&[2], "<", "abcd", "float32"), ARGUMENTS);
    refused(&floats(&[1 << 62], "<", "abcd", "float32"), ARGUMENTS);
    refused(&floats(&[-1], "<", "abcd", "float32"), ARGUMENTS);
    let one = tuple(&[1]);
    // Objects as elements, elements that are arrays, and values that are none.
    let objects = array(&one, &element("O8", "I3\nV|\nNNNI-1\nI-1\nI63\n"), "(I1\nl");
    refused(&tensor(&objects, "float32"), ARGUMENTS);
    let structured = element("f4", "I3\nV<\nN(Va\ntNI-1\nI-1\nI0\n");
    refused(&tensor(&array(&one, &structured, &bytes("abcd")), "float32"), ARGUMENTS);
    refused(&tensor(&array(&one, &element("f4", &plain("<")), "(I1\nl"), "float32"), ARGUMENTS);
    refused(&tensor(&strided("FloatStorage", 16, &[1], &[1]), "float32"), ARGUMENTS);
}

#[test]
fn tuples_of_tensors() {
    let tensor = strided("FloatStorage", 16, &[2], &[1]);
    let keys = |value: &str| -> Vec<String> {
        let first = strided("FloatStorage", 16, &[1], &[1]);
        let checkpoint = open(&format!("{first}sVp\n{value}")).unwrap();
        checkpoint.tensors.iter().map(|tensor| tensor.key.as_str().to_owned()).collect()
    };
    assert_eq!(keys(&format!("({tensor}Nt")), ["w", "p.0"]);
    assert_eq!(keys(&format!("(N({tensor}{tensor}lt")), ["w", "p.1.0", "p.1.1"]);
    // One tuple twice, and a list that holds itself.
    assert_eq!(keys(&format!("({tensor}Ntp9\nsVq\ng9\n")), ["w", "p.0", "q.0"]);
    assert_eq!(keys("(lp9\ng9\na"), ["w"]);
    let inside =
        |error: &TensorError| matches!(error, TensorError::Unsupported(UnsupportedTensor::Inside { .. }));
    let first = strided("FloatStorage", 16, &[1], &[1]);
    refused(&format!("{first}sVp\n(lp9\ng9\na{tensor}a"), inside);
    assert_eq!(keys(&format!("({tensor}}}I1\n{tensor}st")), ["w", "p.0", "p.1.1"]);
}

#[test]
fn tensors_of_old_torch() {
    let state = format!("({}I1\n(I2\nt(I1\ntt", storage("FloatStorage", 16));
    let tensor = format!("ctorch\nFloatTensor\n)R{state}b");
    assert!(open(&tensor).is_ok());
    assert!(open(&format!("ctorch.nn.parameter\nParameter\n({tensor}tR(I01\nI00\nNtb")).is_ok());
    assert!(open(&format!("ctorch.nn.parameter\nParameter\n)R({tensor}NI01\nI00\nNtb")).is_ok());
    refused(&format!("ctorch\nDoubleTensor\n)R{state}b"), ARGUMENTS);
    refused("ctorch\nFloatTensor\n)R", ARGUMENTS);
    refused("ctorch.nn.parameter\nParameter\n)R", ARGUMENTS);
    refused("ctorch.nn.parameter\nParameter\n(I1\ntR", ARGUMENTS);
}
