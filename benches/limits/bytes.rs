//! Reading, rearranging and writing, each alone, for as many bytes as a file has. Once each: who calls it calls it
//! again between runs of what it is compared with.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use ptw2k::lazy::Bytes;
use ptw2k::tensor::kernel::gather;
use serde_json::{Map, Value, json};

use crate::shapes::{Layer, TILE_BYTES, buffer_len};
use crate::workers;

/// Halves of the bytes are of either, as in the mixed model: linear layers, and convolutions.
const LINEAR: Layer = Layer::Linear { outputs: 4096, inputs: 4096 };
const CONV: Layer = Layer::Conv { outputs: 512, inputs: 512, window: 9 };

/// Bytes of an element.
const SIZE: usize = 4;

/// Seconds, by what was done.
pub(crate) fn measure(source: &Path, output: &Path) -> Value {
    let length = std::fs::metadata(source).expect("the source is there").len();
    let mut seconds = Map::new();
    for (threads, words) in [(1, "1 thread"), (2, "2 threads")] {
        let mut note = |what: &str, value: f64| seconds.insert(format!("{what}, {words}"), json!(value));
        note("read (pread)", read(source, length, threads));
        note("read (mapping)", read_mapped(source, threads));
        note("rearrange linear", rearrange(source, LINEAR, threads));
        note("rearrange conv", rearrange(source, CONV, threads));
        note("write (fallocate, pwrite)", write(output, length, threads, preallocate));
        note("write (set_len, pwrite)", write(output, length, threads, set_length));
        note("write (pwrite)", write(output, length, threads, |_, _| ()));
    }
    #[cfg(target_os = "linux")]
    seconds.insert("copy (copy_file_range), 1 thread".to_owned(), json!(copy(source, output, length)));
    Value::Object(seconds)
}

const fn tiles(length: u64) -> usize {
    (length as usize).div_ceil(TILE_BYTES)
}

fn read(source: &Path, length: u64, threads: usize) -> f64 {
    let file = File::open(source).expect("the source is there");
    workers::run(threads, tiles(length), TILE_BYTES, |index, buffer| {
        read_at(&file, black_box(buffer), (index * TILE_BYTES) as u64);
    })
}

/// From a fresh mapping, whose pages are found on the way.
fn read_mapped(source: &Path, threads: usize) -> f64 {
    let source = Bytes::map(source).expect("the source can be mapped");
    let source = source.as_slice();
    workers::run(threads, tiles(source.len() as u64), TILE_BYTES, |index, buffer| {
        let start = index * TILE_BYTES;
        let tile = &source[start..source.len().min(start + TILE_BYTES)];
        black_box(&mut *buffer)[..tile.len()].copy_from_slice(tile);
    })
}

/// The same, into Keras's layout.
fn rearrange(source: &Path, layer: Layer, threads: usize) -> f64 {
    let source = Bytes::map(source).expect("the source can be mapped");
    let source = source.as_slice();
    let tiles = layer.tiles(SIZE, source.len());
    let largest = tiles.iter().map(|tile| buffer_len(tile) * SIZE).max().unwrap_or(0);
    workers::run(threads, tiles.len(), largest, |index, buffer| {
        gather(&tiles[index], SIZE, source, black_box(buffer)).expect("the tile is in range");
    })
}

/// A constant, to a new file that is prepared first.
fn write(output: &Path, length: u64, threads: usize, prepare: impl Fn(&File, u64)) -> f64 {
    Command::new("sync").status().expect("sync can be run");
    let file = File::create_new(output).expect("the output can be made");
    let started = std::time::Instant::now();
    prepare(&file, length);
    let prepared = started.elapsed().as_secs_f64();
    let seconds = workers::run(threads, tiles(length), TILE_BYTES, |index, buffer| {
        let start = (index * TILE_BYTES) as u64;
        let bytes = TILE_BYTES.min((length - start) as usize);
        write_at(&file, &black_box(&*buffer)[..bytes], start);
    });
    drop(file);
    std::fs::remove_file(output).expect("the output can be removed");
    prepared + seconds
}

/// Within the kernel, as `cp` does.
#[cfg(target_os = "linux")]
fn copy(source: &Path, output: &Path, length: u64) -> f64 {
    Command::new("sync").status().expect("sync can be run");
    let source = File::open(source).expect("the source is there");
    let file = File::create_new(output).expect("the output can be made");
    let started = std::time::Instant::now();
    let mut left = length as usize;
    while left > 0 {
        let copied = rustix::fs::copy_file_range(&source, None, &file, None, left).expect("it can be copied");
        assert!(copied > 0, "the source has its length");
        left -= copied;
    }
    let seconds = started.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(output).expect("the output can be removed");
    seconds
}

fn set_length(file: &File, length: u64) {
    file.set_len(length).expect("the file can have this length");
}

#[cfg(target_os = "linux")]
fn preallocate(file: &File, length: u64) {
    let flags = rustix::fs::FallocateFlags::empty();
    rustix::fs::fallocate(file, flags, 0, length).expect("there is room");
}

#[cfg(not(target_os = "linux"))]
fn preallocate(file: &File, length: u64) {
    set_length(file, length);
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) {
    std::os::unix::fs::FileExt::read_at(file, buffer, place).expect("the source can be read");
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) {
    std::os::windows::fs::FileExt::seek_read(file, buffer, place).expect("the source can be read");
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], place: u64) {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, place).expect("the output can be written");
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], place: u64) {
    let written = std::os::windows::fs::FileExt::seek_write(file, bytes, place);
    assert_eq!(written.expect("the output can be written"), bytes.len());
}
