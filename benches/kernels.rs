//! Throughput of the kernels beside `memcpy`: `cargo bench`. Bytes are counted once, as those written.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run stops")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ptw2k::lazy::survey::{SurveyOptions, survey};
use ptw2k::lazy::{Bytes, LazyTensor};
use ptw2k::tensor::kernel::{convert, gather};
use ptw2k::tensor::{ByteOrder, CopyAxis, Dtype, Shape, Strided, StridedCopy};

/// Bytes of a source: more than the second-level cache holds.
const SOURCE_BYTES: usize = 64 << 20;

/// Bytes gathered at a time, like a tile of the writer's.
const TILE_BYTES: usize = 1 << 20;

/// Bytes of an element.
const SIZES: [usize; 4] = [1, 2, 4, 8];

fn main() {
    divan::main();
}

/// Small numbers of a type.
fn numbers(dtype: Dtype, bytes: usize) -> Vec<u8> {
    let doubles: Vec<u8> =
        (0..bytes / dtype.size()).flat_map(|place| ((place % 61) as f64 / 7.0).to_le_bytes()).collect();
    let mut numbers = vec![0; bytes];
    convert(&doubles, Dtype::F64, ByteOrder::Little, &mut numbers, dtype, false)
        .expect("no value is too large");
    numbers
}

fn source() -> Vec<u8> {
    (0..SOURCE_BYTES).map(|place| (place % 251) as u8).collect()
}

/// Gathers the same tile from one place of the source after another, `step` elements apart.
fn tiles(bencher: Bencher<'_, '_>, size: usize, axes: &[CopyAxis], step: usize, count: usize) {
    let source = source();
    let bytes = axes.iter().map(|axis| axis.size).product::<usize>() * size;
    let mut target = vec![0; bytes];
    bencher.counter(BytesCount::new(bytes * count)).bench_local(|| {
        for tile in 0..count {
            let copy = StridedCopy { axes: axes.into(), source_offset: tile * step, target_offset: 0 };
            gather(&copy, size, black_box(&source), black_box(&mut target)).expect("the tile is in range");
        }
    });
}

fn axis(size: usize, source_stride: usize, target_stride: usize) -> CopyAxis {
    CopyAxis { size, source_stride, target_stride }
}

/// Rows of a linear layer's kernel: `o i -> i o`, with 2048 of either.
#[divan::bench(args = SIZES)]
fn linear(bencher: Bencher<'_, '_>, size: usize) {
    let side = 2048;
    let rows = TILE_BYTES / (side * size);
    tiles(bencher, size, &[axis(rows, 1, side), axis(side, side, 1)], rows, side / rows);
}

/// Rows of an LSTM's kernel: `(g h) i -> i (g h)`, four gates of 512 and 256 inputs, a few tensors of it.
#[divan::bench(args = SIZES)]
fn lstm(bencher: Bencher<'_, '_>, size: usize) {
    let (gates, inputs) = (4 * 512, 256);
    let axes = [axis(inputs, 1, gates), axis(gates, inputs, 1)];
    tiles(bencher, size, &axes, gates * inputs, SOURCE_BYTES / (gates * inputs * size));
}

/// Outputs and inputs of a convolution, and positions of its window.
const SIDE: usize = 512;
const WINDOW: usize = 9;

/// A range of the inputs of its kernel, `o i hw -> hw i o`, and how many inputs.
fn convolution_tile(size: usize) -> (Vec<CopyAxis>, usize) {
    let inputs = TILE_BYTES / (SIDE * WINDOW * size);
    let axes = vec![axis(WINDOW, 1, inputs * SIDE), axis(inputs, WINDOW, SIDE), axis(SIDE, SIDE * WINDOW, 1)];
    (axes, inputs)
}

/// A convolution's kernel, range by range.
#[divan::bench(args = SIZES)]
fn convolution(bencher: Bencher<'_, '_>, size: usize) {
    let (axes, inputs) = convolution_tile(size);
    tiles(bencher, size, &axes, inputs * WINDOW, SIDE / inputs);
}

/// The same of a tensor that torch holds as `channels_last`: `o hw i -> hw i o`.
#[divan::bench(args = SIZES)]
fn convolution_channels_last(bencher: Bencher<'_, '_>, size: usize) {
    let inputs = TILE_BYTES / (SIDE * WINDOW * size);
    let axes = [axis(WINDOW, SIDE, inputs * SIDE), axis(inputs, 1, SIDE), axis(SIDE, SIDE * WINDOW, 1)];
    tiles(bencher, size, &axes, inputs, SIDE / inputs);
}

/// A convolution's kernel, gathered and then converted, as the writer does for `--dtype`.
#[divan::bench(args = ["float32 float16", "float32 bfloat16", "float16 float32", "bfloat16 float32"])]
fn convolution_converted(bencher: Bencher<'_, '_>, types: &str) {
    let (from, to) = types.split_once(' ').expect("two types");
    let dtype = |name: &str| Dtype::from_name(name).expect("a type");
    let (from, to) = (dtype(from), dtype(to));
    let source = numbers(from, SOURCE_BYTES);
    let (axes, inputs) = convolution_tile(from.size().max(to.size()));
    let numel = axes.iter().map(|axis| axis.size).product::<usize>();
    let (mut gathered, mut target) = (vec![0; numel * from.size()], vec![0; numel * to.size()]);
    let count = SIDE / inputs;
    bencher.counter(BytesCount::new(target.len() * count)).bench_local(|| {
        for tile in 0..count {
            let source_offset = tile * inputs * WINDOW;
            let copy = StridedCopy { axes: axes.clone().into(), source_offset, target_offset: 0 };
            gather(&copy, from.size(), black_box(&source), &mut gathered).expect("the tile is in range");
            convert(&gathered, from, ByteOrder::Little, black_box(&mut target), to, false)
                .expect("no value is too large");
        }
    });
}

/// What needs no permutation.
#[divan::bench]
fn plain(bencher: Bencher<'_, '_>) {
    let elements = TILE_BYTES / 4;
    tiles(bencher, 4, &[axis(elements, 1, 1)], elements, SOURCE_BYTES / TILE_BYTES);
}

#[divan::bench]
fn memcpy(bencher: Bencher<'_, '_>) {
    let source = source();
    let mut target = vec![0; TILE_BYTES];
    bencher.counter(BytesCount::new(SOURCE_BYTES)).bench_local(|| {
        for tile in source.chunks_exact(TILE_BYTES) {
            black_box(&mut target).copy_from_slice(black_box(tile));
        }
    });
}

#[divan::bench(args = ["float16 float32", "bfloat16 float32", "float32 float16", "float32 bfloat16", "float64 float32"])]
fn conversion(bencher: Bencher<'_, '_>, types: &str) {
    let (from, to) = types.split_once(' ').expect("two types");
    let dtype = |name: &str| Dtype::from_name(name).expect("a type");
    let (from, to) = (dtype(from), dtype(to));
    let source = source();
    let source = &source[..TILE_BYTES];
    let mut target = vec![0; TILE_BYTES / from.size() * to.size()];
    bencher.counter(BytesCount::new(target.len())).bench_local(|| {
        convert(black_box(source), from, ByteOrder::Little, black_box(&mut target), to, true)
            .expect("overflow is allowed");
    });
}

/// A tensor of the source's bytes, by one thread.
fn survey_one(bencher: Bencher<'_, '_>, dtype: Dtype, is_turned: bool, options: SurveyOptions) {
    // Distinct and finite, of any type.
    let bytes: Vec<u8> = (0..SOURCE_BYTES).map(|place| (place % 61) as u8).collect();
    let side = 1024;
    let shape = Shape::new([side, SOURCE_BYTES / dtype.size() / side]).expect("a shape");
    let numel = shape.numel();
    let strides = if is_turned { vec![1, side] } else { shape.contiguous_strides().into_vec() };
    let view = Strided::new(shape, strides, 0, numel).expect("a view");
    let storage = Bytes::held(bytes).into();
    let tensor = LazyTensor { dtype, view, byte_order: ByteOrder::Little, storage };
    let options = SurveyOptions { threads: std::num::NonZeroUsize::new(1), ..options };
    bencher
        .counter(BytesCount::new(SOURCE_BYTES))
        .bench_local(|| survey(black_box(&[&tensor]), &options, &|_| ()));
}

const SURVEYED: [Dtype; 8] = [
    Dtype::F32,
    Dtype::Bf16,
    Dtype::F16,
    Dtype::F64,
    Dtype::I64,
    Dtype::U8,
    Dtype::F8E4m3fn,
    Dtype::Complex64,
];

/// Statistics of what lies contiguous.
#[divan::bench(args = SURVEYED)]
fn statistics(bencher: Bencher<'_, '_>, dtype: Dtype) {
    survey_one(bencher, dtype, false, SurveyOptions { statistics: true, ..SurveyOptions::default() });
}

/// Statistics of a transposed matrix.
#[divan::bench(args = [Dtype::F32, Dtype::Bf16])]
fn statistics_turned(bencher: Bencher<'_, '_>, dtype: Dtype) {
    survey_one(bencher, dtype, true, SurveyOptions { statistics: true, ..SurveyOptions::default() });
}

/// SHA-256.
#[divan::bench]
fn checksum(bencher: Bencher<'_, '_>) {
    survey_one(bencher, Dtype::F32, false, SurveyOptions { hash: true, ..SurveyOptions::default() });
}
