//! What fills one tile.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::plan::{Part, Term, Value};
use crate::tensor::kernel::{ConvertError, convert, gather};
use crate::tensor::{ByteOrder, Dtype, StridedCopy, clip};

use super::fill::{Buffers, Target};
use super::grid::TILE_BYTES;
use super::jobs::{Work, needs_no_conversion, push_jobs};
use super::outbox::Outbox;
use super::outlet::{Outlet, Piece};
use super::tile::{buffer_len, packed, runs, spread, unpacked};
use super::{Error, Progress, WriteOptions};

/// The bytes of a part's source. A dataset whose sources are to be computed is not cut into tiles before they
/// are; no bytes at all would be too few for any gather.
fn ready(part: &Part) -> &[u8] {
    part.source.storage.ready().map_or(&[], |bytes| bytes.as_slice())
}

/// What fills one tile.
pub(super) struct TileWriter<'t, 'o> {
    pub(super) target: &'t Target<'t>,
    /// The target's.
    pub(super) outlet: &'o Outlet<'o>,
    /// Whether the tile is a whole dataset of few bytes, which is written with its neighbours.
    pub(super) is_small: bool,
    /// Bytes of the largest tile.
    pub(super) largest_tile: usize,
    pub(super) options: &'t WriteOptions,
    pub(super) progress: &'t dyn Progress,
    /// Whether another worker has failed.
    pub(super) stop: &'t AtomicBool,
}

impl<'o> TileWriter<'_, 'o> {
    /// Fills a tile of a job, and posts it.
    pub(super) fn run(
        &self,
        work: &Work<'_>,
        index: usize,
        buffers: &mut Buffers,
        outbox: &mut Outbox<'o>,
    ) -> Result<(), Error> {
        match work {
            Work::Plain { source, at } => {
                let start = index * TILE_BYTES;
                let end = source.len().min(start + TILE_BYTES);
                let (source, place) = (&source.as_slice()[start..end], self.place(at + start));
                if self.is_small {
                    return outbox.add(self.outlet, source, place);
                }
                outbox.post_bytes(self.outlet, source, place)
            }
            Work::Boxes { part, grid } => self.write_box(part, &grid.tile(index), buffers, outbox),
            Work::Ranges { step } => {
                let start = index * step;
                let range = start..self.target.numel.min(start + step);
                buffers.out = outbox.empty(range.len() * self.target.binding.dtype.size());
                match &self.target.binding.value {
                    Value::Fill(value) => self.fill_constant(*value, &range, &mut buffers.out)?,
                    Value::Gather(terms) => self.fill_range(terms, &range, buffers)?,
                }
                let out = std::mem::take(&mut buffers.out);
                let place = self.place(range.start * self.target.binding.dtype.size());
                let piece = Piece { from: 0, len: out.len(), place };
                self.post(out, vec![piece], outbox)
            }
            Work::Computed { .. } => self.write_computed(buffers, outbox),
        }
    }

    /// Writes a whole dataset whose sources are computed first.
    fn write_computed(&self, buffers: &mut Buffers, outbox: &mut Outbox<'o>) -> Result<(), Error> {
        let binding = self
            .target
            .binding
            .loaded(&mut buffers.loaded)
            .map_err(|source| Error::Source { variable: self.target.name.to_string(), source })?;
        let target = Target { binding: &binding, ..*self.target };
        let writer = TileWriter { target: &target, ..*self };
        let mut jobs = Vec::new();
        push_jobs(&target, self.largest_tile, &mut jobs)?;
        for job in &jobs {
            for tile in 0..job.tiles {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                if self.progress.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                writer.run(&job.work, tile, buffers, outbox)?;
            }
        }
        Ok(())
    }

    fn write_box(
        &self,
        part: &Part,
        copy: &StridedCopy,
        buffers: &mut Buffers,
        outbox: &mut Outbox<'o>,
    ) -> Result<(), Error> {
        let dtype = self.target.binding.dtype;
        let size = dtype.size();
        let source = &part.source;
        let gathered = spread(copy, source.dtype.size());
        let len = buffer_len(&gathered) * source.dtype.size();
        let (out, filled) = if needs_no_conversion(part, dtype) {
            let mut out = outbox.buffer(len);
            self.gather(&gathered, size, ready(part), &mut out)?;
            (out, gathered)
        } else {
            buffers.gathered.reserve_exact(len.saturating_sub(buffers.gathered.len()));
            buffers.gathered.resize(len, 0);
            self.gather(&gathered, source.dtype.size(), ready(part), &mut buffers.gathered)?;
            let converted = packed(copy);
            let mut out = outbox.buffer(buffer_len(&converted) * size);
            let (run, starts) = runs(&converted, &gathered);
            for (from, to) in starts {
                let from = &buffers.gathered[from * source.dtype.size()..][..run * source.dtype.size()];
                let to = &mut out[to * size..(to + run) * size];
                self.convert(from, source.dtype, source.byte_order, to, dtype)?;
            }
            (out, converted)
        };
        let (run, starts) = runs(copy, &filled);
        let piece = |(from, to)| Piece { from: from * size, len: run * size, place: self.place(to * size) };
        self.post(out, starts.into_iter().map(piece).collect(), outbox)
    }

    fn post(&self, buffer: Vec<u8>, pieces: Vec<Piece>, outbox: &mut Outbox<'o>) -> Result<(), Error> {
        if !self.is_small {
            return outbox.post(self.outlet, buffer, pieces);
        }
        for Piece { from, len, place } in pieces {
            outbox.add(self.outlet, &buffer[from..from + len], place)?;
        }
        outbox.take_back(buffer);
        Ok(())
    }

    /// Where in the file a byte of the dataset lies.
    const fn place(&self, byte: usize) -> u64 {
        self.target.offset + byte as u64
    }

    fn fill_constant(&self, value: f64, range: &Range<usize>, out: &mut Vec<u8>) -> Result<(), Error> {
        let dtype = self.target.binding.dtype;
        let mut element = [0; 16];
        let element = &mut element[..dtype.size()];
        let part = match dtype {
            // The imaginary part is left zero.
            Dtype::Complex64 => Dtype::F32,
            Dtype::Complex128 => Dtype::F64,
            _ => dtype,
        };
        if part.is_float() {
            let real = &mut element[..part.size()];
            self.convert(&value.to_le_bytes(), Dtype::F64, ByteOrder::Little, real, part)?;
        } else if part.is_complex() || part.is_small_float() {
            let source_dtype = Dtype::F64;
            return Err(self.convert_error(ConvertError::Unsupported { source_dtype, target: dtype }));
        } else {
            let whole = value as i64;
            if whole as f64 != value || i128::from(whole) != clamp_integer(whole, dtype) {
                let target = dtype;
                return Err(self.convert_error(ConvertError::Overflow { index: 0, value, target }));
            }
            element.copy_from_slice(&whole.to_le_bytes()[..dtype.size()]);
        }
        out.clear();
        for _ in range.clone() {
            out.extend_from_slice(element);
        }
        Ok(())
    }

    fn fill_range(&self, terms: &[Term], range: &Range<usize>, buffers: &mut Buffers) -> Result<(), Error> {
        if let [term] = terms
            && self.target.binding.arithmetic.is_none()
        {
            let Buffers { gathered, converted, out, .. } = buffers;
            let dtype = self.target.binding.dtype;
            out.clear();
            out.resize(range.len() * dtype.size(), 0);
            self.assemble(term, range, dtype, gathered, converted, out)
        } else {
            self.add(terms, range, buffers)
        }
    }

    /// Puts what of a term lies in a range into a buffer for that range.
    pub(super) fn assemble(
        &self,
        term: &Term,
        range: &Range<usize>,
        dtype: Dtype,
        gathered: &mut Vec<u8>,
        converted: &mut Vec<u8>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        for part in &term.parts {
            let copy = part.copy.collapse();
            if copy.numel() == 0 {
                continue;
            }
            clip(&copy, range, &mut |mut copy| {
                copy.target_offset -= range.start;
                if needs_no_conversion(part, dtype) {
                    return self.gather(&copy, dtype.size(), ready(part), out);
                }
                let bytes = self.pack(part, &packed(&copy), dtype, gathered, converted)?;
                self.gather(&unpacked(&copy), dtype.size(), bytes, out)
            })?;
        }
        Ok(())
    }

    /// Gathers into a packed buffer and converts.
    pub(super) fn pack<'b>(
        &self,
        part: &Part,
        packed: &StridedCopy,
        dtype: Dtype,
        gathered: &'b mut Vec<u8>,
        converted: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Error> {
        let (numel, source) = (packed.numel(), &part.source);
        let len = numel * source.dtype.size();
        if gathered.len() < len {
            gathered.resize(len, 0);
        }
        let gathered = &mut gathered[..len];
        self.gather(packed, source.dtype.size(), ready(part), gathered)?;
        if needs_no_conversion(part, dtype) {
            return Ok(gathered);
        }
        converted.resize(numel * dtype.size(), 0);
        self.convert(gathered, source.dtype, source.byte_order, converted, dtype)?;
        Ok(converted)
    }

    fn gather(&self, copy: &StridedCopy, size: usize, source: &[u8], target: &mut [u8]) -> Result<(), Error> {
        gather(copy, size, source, target)
            .map_err(|source| Error::Gather { variable: self.target.name.to_string(), source })
    }

    pub(super) fn convert(
        &self,
        source: &[u8],
        from: Dtype,
        order: ByteOrder,
        target: &mut [u8],
        to: Dtype,
    ) -> Result<(), Error> {
        convert(source, from, order, target, to, self.options.allow_overflow)
            .map_err(|source| self.convert_error(source))
    }

    pub(super) fn convert_error(&self, source: ConvertError) -> Error {
        Error::Convert { variable: self.target.name.to_string(), source }
    }
}

/// The nearest value that an integer type holds.
fn clamp_integer(value: i64, dtype: Dtype) -> i128 {
    let value = i128::from(value);
    match dtype {
        Dtype::Bool => value.clamp(0, 1),
        Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => {
            value.clamp(0, (1_i128 << (8 * dtype.size())) - 1)
        }
        _ => {
            let end = 1_i128 << (8 * dtype.size() - 1);
            value.clamp(-end, end - 1)
        }
    }
}
