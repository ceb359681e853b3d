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
const TILE_BYTES: usize = 1 << 19;

fn main() {
    divan::main();
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
            let copy = StridedCopy { axes: axes.to_vec(), source_offset: tile * step, target_offset: 0 };
            gather(&copy, size, black_box(&source), black_box(&mut target)).expect("the tile is in range");
        }
    });
}

fn axis(size: usize, source_stride: usize, target_stride: usize) -> CopyAxis {
    CopyAxis { size, source_stride, target_stride }
}

/// Rows of a linear layer's kernel: `o i -> i o`, with 2048 of either.
#[divan::bench(args = [1, 2, 4, 8])]
fn linear(bencher: Bencher<'_, '_>, size: usize) {
    let side = 2048;
    let rows = TILE_BYTES / (side * size);
    tiles(bencher, size, &[axis(rows, 1, side), axis(side, side, 1)], rows, side / rows);
}

/// Positions of a convolution's kernel: `o i hw -> hw i o`.
#[divan::bench(args = [2, 4])]
fn convolution(bencher: Bencher<'_, '_>, size: usize) {
    let (side, window, inputs) = (512, 9, 32);
    let axes = [axis(window, 1, inputs * side), axis(inputs, window, side), axis(side, side * window, 1)];
    tiles(bencher, size, &axes, inputs * window, side / inputs);
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
    let strides = if is_turned { vec![1, side] } else { shape.contiguous_strides() };
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
