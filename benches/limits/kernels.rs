//! The kernels beside `memcpy`, those of lower levels beside the best, and two threads beside one: in pairs, on the same
//! bytes.

use std::hint::black_box;
use std::path::Path;

use ptw2k::lazy::Bytes;
use ptw2k::tensor::StridedCopy;
use ptw2k::tensor::kernel::{Level, gather_at};
use serde_json::{Value, json};

use crate::shapes::{Layer, buffer_len};
use crate::workers;

/// Pairs; a warm-up before them is discarded.
const PAIRS: usize = 5;

/// The part of the source that is used, far more than the caches hold: all of it takes minutes more.
const SOURCE_BYTES: usize = 256 << 20;

/// Layers, and their words in the table.
const LAYERS: [(&str, Layer); 3] = [
    ("conv 512×512×3×3", Layer::Conv { outputs: 512, inputs: 512, window: 9 }),
    ("linear 4096×4096", Layer::Linear { outputs: 4096, inputs: 4096 }),
    ("linear 4096×11008", Layer::Linear { outputs: 11008, inputs: 4096 }),
];

/// Bytes of an element; and whether more is asked of it than its speed beside memcpy's.
const SIZES: [(usize, bool); 4] = [(4, true), (2, true), (1, false), (8, false)];

/// All rows: bytes, and seconds of both contestants.
pub(crate) fn measure(source: &Path) -> Value {
    let source = Bytes::map(source).expect("the source can be mapped");
    let source = source.as_slice();
    let source = &source[..SOURCE_BYTES.min(source.len())];
    let mut rows = Vec::new();
    for (name, layer) in LAYERS {
        for (size, all) in SIZES {
            let tiles = layer.tiles(size, source.len());
            // One tensor of the largest elements is larger than the source, and nothing is promised of it.
            if tiles.is_empty() {
                continue;
            }
            rows.extend(Contest { source, size, tiles }.rows(name, all));
        }
    }
    json!({ "level": format!("{:?}", Level::detect()), "rows": rows })
}

/// Tiles to be done.
struct Contest<'a> {
    source: &'a [u8],
    size: usize,
    tiles: Vec<StridedCopy>,
}

impl Contest<'_> {
    fn rows(&self, layer: &str, all: bool) -> Vec<Value> {
        let bits = 8 * self.size;
        let best = Level::detect();
        let row = |kind: &str, pairs: Vec<(f64, f64)>| {
            let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            json!({
                "kind": kind,
                "layer": layer,
                "bits": bits,
                "bytes": self.bytes(),
                "ours": ours,
                "theirs": theirs,
            })
        };
        let mut rows = vec![row("memcpy", pairs(|| self.gather(best, 1), || self.memcpy(1)))];
        if !all {
            return rows;
        }
        for (level, kind) in [(Level::Sse2, "sse2"), (Level::Portable, "portable")] {
            if level.lowered() == level && level < best {
                rows.push(row(kind, pairs(|| self.gather(level, 1), || self.gather(best, 1))));
            }
        }
        rows.push(row("threads", pairs(|| self.gather(best, 2), || self.gather(best, 1))));
        rows.push(row("memcpy-threads", pairs(|| self.memcpy(2), || self.memcpy(1))));
        rows
    }

    fn bytes(&self) -> usize {
        self.tiles.iter().map(StridedCopy::numel).sum::<usize>() * self.size
    }

    fn largest(&self) -> usize {
        self.tiles.iter().map(buffer_len).max().unwrap_or(0) * self.size
    }

    /// Every tile with a kernel.
    fn gather(&self, level: Level, threads: usize) -> f64 {
        workers::run(threads, self.tiles.len(), self.largest(), |index, buffer| {
            let target = &mut buffer[..buffer_len(&self.tiles[index]) * self.size];
            gather_at(level, &self.tiles[index], self.size, black_box(self.source), black_box(target))
                .expect("the tile is in range");
        })
    }

    /// As many bytes in tiles of the same size, from one place of the source after another.
    fn memcpy(&self, threads: usize) -> f64 {
        let mut at = 0;
        let places: Vec<_> = self
            .tiles
            .iter()
            .map(|tile| {
                let start = at;
                at += tile.numel() * self.size;
                start..at
            })
            .collect();
        workers::run(threads, places.len(), self.largest(), |index, buffer| {
            let place = places[index].clone();
            black_box(&mut *buffer)[..place.len()].copy_from_slice(black_box(&self.source[place]));
        })
    }
}

/// Seconds of both, in alternating order, the first pair discarded.
fn pairs(ours: impl Fn() -> f64, theirs: impl Fn() -> f64) -> Vec<(f64, f64)> {
    let pair = |run: usize| {
        if run.is_multiple_of(2) {
            let seconds = ours();
            (seconds, theirs())
        } else {
            let seconds = theirs();
            (ours(), seconds)
        }
    };
    (0..=PAIRS).map(pair).skip(1).collect()
}
