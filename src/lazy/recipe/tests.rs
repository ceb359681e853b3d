//! Recipes against naive loops.

use proptest::prelude::*;

use super::*;
use crate::lazy::{Bytes, LazyTensor, LoadError, Storage};
use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

fn tensor(dtype: Dtype, sizes: &[usize], bytes: Vec<u8>) -> LazyTensor {
    let shape = Shape::new(sizes).unwrap();
    assert_eq!(bytes.len(), shape.numel() * dtype.size());
    let storage = Storage::Ready(Bytes::held(bytes));
    LazyTensor { dtype, view: Strided::contiguous(shape), byte_order: ByteOrder::Little, storage }
}

fn longs(sizes: &[usize], numbers: &[i64]) -> LazyTensor {
    tensor(Dtype::I64, sizes, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

fn floats(sizes: &[usize], numbers: &[f32]) -> LazyTensor {
    tensor(Dtype::F32, sizes, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

fn doubles(sizes: &[usize], numbers: &[f64]) -> LazyTensor {
    tensor(Dtype::F64, sizes, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

fn to_floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&float| f32::from_le_bytes(float)).collect()
}

/// The same tensor with its first two axes swapped in memory and every number big-endian.
fn stored_otherwise(source: &LazyTensor) -> LazyTensor {
    let (sizes, size) = (source.view.shape().sizes(), source.dtype.size());
    let bytes = source.contiguous().unwrap();
    let [rows, columns] = [sizes[0], sizes[1]];
    let inner: usize = sizes[2..].iter().product();
    let mut stored = vec![0; size];
    for column in 0..columns {
        for row in 0..rows {
            let start = (row * columns + column) * inner * size;
            stored.extend_from_slice(&bytes[start..start + inner * size]);
        }
    }
    stored.chunks_exact_mut(source.dtype.swapped_size()).for_each(<[u8]>::reverse);
    let mut strides = source.view.shape().contiguous_strides();
    (strides[0], strides[1]) = (inner, rows * inner);
    let available = stored.len() / size;
    let view = Strided::new(source.view.shape().clone(), strides, 1, available).unwrap();
    let storage = Storage::Ready(Bytes::held(stored));
    LazyTensor { dtype: source.dtype, view, byte_order: ByteOrder::Big, storage }
}

proptest! {
    #[test]
    fn coordinates(
        elements in prop::collection::vec((0_usize..3, 0_usize..5, [-9.0_f32..9.0, -9.0_f32..9.0]), 0..12),
        is_stored_otherwise in any::<bool>(),
    ) {
        let rows = elements.iter().map(|&(row, ..)| row as i64);
        let columns = elements.iter().map(|&(_, column, _)| column as i64);
        let mut indices = longs(&[2, elements.len()], &rows.chain(columns).collect::<Vec<_>>());
        let values: Vec<f32> = elements.iter().flat_map(|&(.., values)| values).collect();
        let mut values = floats(&[elements.len(), 2], &values);
        if is_stored_otherwise && !elements.is_empty() {
            (indices, values) = (stored_otherwise(&indices), stored_otherwise(&values));
        }
        let mut expected = vec![0.0_f32; 30];
        for &(row, column, values) in &elements {
            for (place, value) in values.iter().enumerate() {
                expected[(row * 5 + column) * 2 + place] += value;
            }
        }
        let densify = DensifyCoo::new(indices, values, Shape::new([3, 5, 2]).unwrap(), false).unwrap();
        densify.check().unwrap();
        prop_assert_eq!(densify.byte_len(), 120);
        prop_assert_eq!(to_floats(&densify.compute().unwrap()), expected);
    }

    #[test]
    fn compressed(
        present in prop::collection::vec(any::<bool>(), 2 * 3 * 4),
        is_row in any::<bool>(),
        has_blocks in any::<bool>(),
    ) {
        // Two batches of 3 × 4 (blocks of 2 × 5), with as many elements as the fuller of the two.
        let (height, width) = if has_blocks { (2, 5) } else { (1, 1) };
        let per_batch = present.chunks(12).map(|batch| batch.iter().filter(|&&is| is).count()).max().unwrap();
        let mut present = present;
        for batch in present.chunks_mut(12) {
            for place in 0..12 {
                if batch.iter().filter(|&&is| is).count() < per_batch {
                    batch[place] = true;
                }
            }
        }
        let (along, across) = if is_row { (3, 4) } else { (4, 3) };
        let (mut pointers, mut plain, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut expected = vec![0.0_f32; 2 * 3 * height * 4 * width];
        for (number, batch) in present.chunks(12).enumerate() {
            let mut count = 0;
            pointers.push(0);
            for first in 0..along {
                for second in 0..across {
                    let (row, column) = if is_row { (first, second) } else { (second, first) };
                    if !batch[row * 4 + column] {
                        continue;
                    }
                    count += 1;
                    plain.push(second as i64);
                    for y in 0..height {
                        for x in 0..width {
                            let value = values.len() as f32 + 1.0;
                            values.push(value);
                            let place = (number * 3 * height + row * height + y) * 4 * width + column * width + x;
                            expected[place] = value;
                        }
                    }
                }
                pointers.push(count);
            }
        }
        let layout = match (is_row, has_blocks) {
            (true, false) => CompressedLayout::Csr,
            (false, false) => CompressedLayout::Csc,
            (true, true) => CompressedLayout::Bsr,
            (false, true) => CompressedLayout::Bsc,
        };
        let value_sizes: &[usize] =
            if has_blocks { &[2, per_batch, height, width] } else { &[2, per_batch] };
        let densify = DensifyCompressed::new(
            layout,
            longs(&[2, along + 1], &pointers),
            longs(&[2, per_batch], &plain),
            floats(value_sizes, &values),
            Shape::new([2, 3 * height, 4 * width]).unwrap(),
        ).unwrap();
        densify.check().unwrap();
        prop_assert_eq!(to_floats(&densify.compute().unwrap()), expected);
    }

    #[test]
    fn channels(integers in prop::collection::vec(any::<i8>(), 30), axis in 0_usize..3) {
        let size = [2, 3, 5][axis];
        let scales = &[0.1, 3.7, 1e-3, 0.25, 1.9][..size];
        let zero_points = &[3, -7, 0, 100, -128][..size];
        let parameters = QuantizationParameters::PerChannel {
            axis,
            scales: doubles(&[size], scales),
            zero_points: longs(&[size], zero_points),
        };
        let bytes = integers.iter().map(|q| q.to_le_bytes()[0]).collect();
        let source = stored_otherwise(&tensor(Dtype::I8, &[2, 3, 5], bytes));
        let recipe = Dequantize::new(source, parameters).unwrap();
        let expected: Vec<f32> = integers.iter().enumerate().map(|(place, &q)| {
            let channel = [place / 15, place / 5 % 3, place % 5][axis];
            ((i64::from(q) - zero_points[channel]) as f64 * scales[channel]) as f32
        }).collect();
        prop_assert_eq!(to_floats(&recipe.compute().unwrap()), expected);
    }

    #[test]
    fn bits(numbers in prop::collection::vec(any::<f32>(), 24), is_conj in any::<bool>(), is_neg in any::<bool>()) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let source = stored_otherwise(&tensor(Dtype::Complex64, &[3, 4], bytes));
        let resolved = Resolve::new(source, is_conj, is_neg).unwrap().compute().unwrap();
        let expected: Vec<u32> = numbers.iter().enumerate().map(|(place, &number)| {
            let flips = is_neg != (is_conj && place % 2 == 1);
            if flips { (-number).to_bits() } else { number.to_bits() }
        }).collect();
        prop_assert_eq!(to_floats(&resolved).iter().map(|f| f.to_bits()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn negative_integers(numbers in prop::collection::vec(any::<i64>(), 6)) {
        let resolved = Resolve::new(longs(&[6], &numbers), false, true).unwrap().compute().unwrap();
        let expected: Vec<u8> = numbers.iter().flat_map(|number| number.wrapping_neg().to_le_bytes()).collect();
        prop_assert_eq!(resolved, expected);
    }
}

/// Zeros get the signs that torch's scalar code gives them, wherever in the tensor they are.
#[test]
fn signs_of_zeros() {
    let check = |is_conj, is_neg, expected: [f64; 2]| {
        let bytes: Vec<u8> = [0_f64; 20].iter().flat_map(|number| number.to_le_bytes()).collect();
        let resolved = Resolve::new(tensor(Dtype::Complex128, &[2, 5], bytes), is_conj, is_neg).unwrap();
        let expected: Vec<u8> = [expected; 10].as_flattened().iter().flat_map(|f| f.to_le_bytes()).collect();
        assert_eq!(resolved.compute().unwrap(), expected);
    };
    check(true, false, [0.0, -0.0]);
    check(false, true, [-0.0, -0.0]);
    check(true, true, [-0.0, 0.0]);
}

/// Values that torch 2.15 gives where the arithmetic of the schemes differs.
#[test]
fn arithmetic_of_torch() {
    let check = |q: i32, zero_point: i64, of_tensor: f32, of_channel: f32| {
        let integers = || tensor(Dtype::I32, &[1], q.to_le_bytes().to_vec());
        let parameters = QuantizationParameters::PerTensor { scale: 1.0, zero_point };
        let recipe = Dequantize::new(integers(), parameters).unwrap();
        assert_eq!(to_floats(&recipe.compute().unwrap()), [of_tensor]);
        let (scales, zero_points) = (doubles(&[1], &[1.0]), longs(&[1], &[zero_point]));
        let parameters = QuantizationParameters::PerChannel { axis: 0, scales, zero_points };
        let recipe = Dequantize::new(integers(), parameters).unwrap();
        assert_eq!(to_floats(&recipe.compute().unwrap()), [of_channel]);
    };
    check(i32::MAX, -2, -2_147_483_648.0, 2_147_483_648.0);
    check(i32::MIN, 5, 2_147_483_648.0, -2_147_483_648.0);
    check(i32::MAX, i64::from(i32::MIN), -1.0, 4_294_967_296.0);
    check(16_777_219, 2, 16_777_216.0, 16_777_218.0);
    check(33_554_435, 1, 33_554_432.0, 33_554_436.0);
}

#[test]
fn half_sums_are_rounded_at_every_step() {
    let values = [2048.0_f32, 1.0, 1.0].map(|value| half::f16::from_f32(value).to_le_bytes());
    let densify = |dtype, values: Vec<u8>, sizes: &[usize]| {
        let elements = sizes[0];
        let indices = longs(&[1, elements], &vec![0; elements]);
        DensifyCoo::new(indices, tensor(dtype, sizes, values), Shape::new([1]).unwrap(), false)
            .unwrap()
            .compute()
            .unwrap()
    };
    assert_eq!(densify(Dtype::F16, values.concat(), &[3]), half::f16::from_f32(2048.0).to_le_bytes());
    assert_eq!(densify(Dtype::Bool, vec![7, 0, 1], &[3]), [1]);
    assert_eq!(densify(Dtype::U8, vec![200, 100], &[2]), [44]);
    assert_eq!(densify(Dtype::F32, (-0.0_f32).to_le_bytes().to_vec(), &[1]), [0; 4]);
}

fn coo_fault(indices: LazyTensor, values: LazyTensor, shape: &[usize], is_coalesced: bool) -> DensifyError {
    match DensifyCoo::new(indices, values, Shape::new(shape).unwrap(), is_coalesced) {
        Err(error) => error,
        Ok(densify) => match densify.check() {
            Err(LoadError::Densify(error)) => error,
            other => panic!("{other:?}"),
        },
    }
}

#[test]
fn faults_of_coordinates() {
    let values = || floats(&[2], &[1.0, 2.0]);
    let check = |indices: LazyTensor, values, is_coalesced, expected: fn(&DensifyError) -> bool| {
        let error = coo_fault(indices, values, &[2, 3], is_coalesced);
        assert!(expected(&error), "{error:?}");
    };
    let out = |error: &DensifyError| matches!(error, DensifyError::OutOfRange { .. });
    check(longs(&[2, 2], &[0, 1, 2, 3]), values(), false, out);
    check(longs(&[2, 2], &[0, -1, 2, 0]), values(), false, out);
    check(longs(&[2, 2], &[0, 1, 2, i64::MAX]), values(), false, out);
    let unsorted = |error: &DensifyError| matches!(error, DensifyError::Unsorted { element: 1 });
    check(longs(&[2, 2], &[1, 0, 0, 0]), values(), true, unsorted);
    check(longs(&[2, 2], &[1, 1, 2, 2]), values(), true, unsorted);
    let part = |error: &DensifyError| matches!(error, DensifyError::Part { .. });
    check(longs(&[2, 3], &[0; 6]), values(), false, part);
    check(longs(&[1, 2], &[0; 2]), values(), false, part);
    check(longs(&[3, 2], &[0; 6]), values(), false, part);
    check(longs(&[4], &[0; 4]), values(), false, part);
    check(longs(&[2, 2], &[0; 4]), floats(&[], &[1.0]), false, part);
    let dtype = |error: &DensifyError| matches!(error, DensifyError::Indices { .. });
    check(floats(&[2, 2], &[0.0; 4]), values(), false, dtype);
    let value = |error: &DensifyError| matches!(error, DensifyError::Values { .. });
    check(longs(&[2, 2], &[0; 4]), tensor(Dtype::U16, &[2], vec![0; 4]), false, value);
}

#[test]
fn elements_without_bytes_cost_no_time() {
    let empty = |sizes: &[usize]| longs(sizes, &[]);
    let shape = Shape::new([0, 7]).unwrap();
    let values = floats(&[1 << 60, 0, 7], &[]);
    let densify = DensifyCoo::new(empty(&[0, 1 << 60]), values, shape, false).unwrap();
    assert!(densify.compute().unwrap().is_empty());
}

#[test]
fn faults_of_compressed_rows() {
    let check = |pointers: LazyTensor, plain: LazyTensor, values, expected: fn(&DensifyError) -> bool| {
        let shape = Shape::new([2, 3]).unwrap();
        let error = match DensifyCompressed::new(CompressedLayout::Csr, pointers, plain, values, shape) {
            Err(error) => error,
            Ok(densify) => match densify.check() {
                Err(LoadError::Densify(error)) => error,
                other => panic!("{other:?}"),
            },
        };
        assert!(expected(&error), "{error:?}");
    };
    let (values, plain) = (|| floats(&[2], &[1.0, 2.0]), || longs(&[2], &[0, 2]));
    let pointers = |error: &DensifyError| matches!(error, DensifyError::Pointers { .. });
    check(longs(&[3], &[1, 1, 2]), plain(), values(), pointers);
    check(longs(&[3], &[0, 2, 1]), plain(), values(), pointers);
    check(longs(&[3], &[0, 1, i64::MAX]), plain(), values(), pointers);
    check(longs(&[3], &[0, -1, 2]), plain(), values(), pointers);
    check(longs(&[3], &[0, 1, 1]), plain(), values(), pointers);
    let unsorted = |error: &DensifyError| matches!(error, DensifyError::Unsorted { .. });
    check(longs(&[3], &[0, 2, 2]), longs(&[2], &[1, 1]), values(), unsorted);
    check(longs(&[3], &[0, 2, 2]), longs(&[2], &[1, 0]), values(), unsorted);
    let out = |error: &DensifyError| matches!(error, DensifyError::OutOfRange { .. });
    check(longs(&[3], &[0, 1, 2]), longs(&[2], &[0, 3]), values(), out);
    check(longs(&[3], &[0, 1, 2]), longs(&[2], &[-1, 0]), values(), out);
    let part = |error: &DensifyError| matches!(error, DensifyError::Part { .. });
    check(longs(&[4], &[0, 1, 2, 2]), plain(), values(), part);
    check(longs(&[3], &[0, 1, 2]), longs(&[3], &[0; 3]), values(), part);
    check(longs(&[], &[0]), plain(), values(), part);
    check(longs(&[3], &[0, 1, 2]), plain(), floats(&[2, 2], &[0.0; 4]), part);
}

#[test]
fn faults_of_quantized_tensors() {
    let integers = || tensor(Dtype::U8, &[2, 3], vec![0; 6]);
    let check = |axis, scales, zero_points, expected: fn(&DequantizeError) -> bool| {
        let parameters = QuantizationParameters::PerChannel { axis, scales, zero_points };
        let error = match Dequantize::new(integers(), parameters) {
            Err(error) => error,
            Ok(recipe) => match recipe.check() {
                Err(LoadError::Dequantize(error)) => error,
                other => panic!("{other:?}"),
            },
        };
        assert!(expected(&error), "{error:?}");
    };
    let axis = |error: &DequantizeError| matches!(error, DequantizeError::Axis { .. });
    check(2, doubles(&[2], &[1.0; 2]), longs(&[2], &[0; 2]), axis);
    let length = |error: &DequantizeError| matches!(error, DequantizeError::Length { .. });
    check(0, doubles(&[3], &[1.0; 3]), longs(&[2], &[0; 2]), length);
    check(1, doubles(&[3], &[1.0; 3]), longs(&[2], &[0; 2]), length);
    check(1, doubles(&[3, 1], &[1.0; 3]), longs(&[3], &[0; 3]), length);
    let types = |error: &DequantizeError| matches!(error, DequantizeError::ParameterTypes { .. });
    check(1, floats(&[3], &[1.0; 3]), longs(&[3], &[0; 3]), types);
    let zero = |error: &DequantizeError| matches!(error, DequantizeError::ZeroPoint { zero_point: -1, .. });
    check(1, doubles(&[3], &[1.0; 3]), longs(&[3], &[0, -1, 0]), zero);
    for (dtype, zero_point, fits) in [(Dtype::U8, 256, false), (Dtype::U8, 255, true), (Dtype::F32, 0, false)]
    {
        let source = tensor(dtype, &[1], vec![0; dtype.size()]);
        let parameters = QuantizationParameters::PerTensor { scale: 1.0, zero_point };
        assert_eq!(Dequantize::new(source, parameters).is_ok(), fits);
    }
}

#[test]
fn bits_that_torch_does_not_have() {
    assert!(Resolve::new(floats(&[1], &[1.0]), true, false).is_err());
    assert!(Resolve::new(tensor(Dtype::Bool, &[1], vec![1]), false, true).is_err());
    assert!(Resolve::new(tensor(Dtype::F8E4m3fnuz, &[1], vec![1]), false, true).is_err());
}
