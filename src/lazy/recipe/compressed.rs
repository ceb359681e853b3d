//! Sparse tensors with compressed rows or columns, of elements or of blocks.

use super::densify::{DensifyError, adder, check_dtypes, dense_len, on_axis};
use super::indices::Indices;
use super::memory::zeros;
use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape};

/// Which axis is compressed, and whether the elements are blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressedLayout {
    /// `torch.sparse_csr`: rows.
    Csr,
    /// `torch.sparse_csc`: columns.
    Csc,
    /// `torch.sparse_bsr`: rows of blocks.
    Bsr,
    /// `torch.sparse_bsc`: columns of blocks.
    Bsc,
}

impl CompressedLayout {
    const fn has_blocks(self) -> bool {
        matches!(self, Self::Bsr | Self::Bsc)
    }

    const fn compresses_rows(self) -> bool {
        matches!(self, Self::Csr | Self::Bsr)
    }
}

/// A sparse tensor with compressed rows or columns.
#[derive(Debug)]
pub struct DensifyCompressed {
    layout: CompressedLayout,
    compressed: LazyTensor,
    plain: LazyTensor,
    values: LazyTensor,
    shape: Shape,
    counts: Counts,
}

/// The sizes of a compressed tensor.
#[derive(Debug, Clone, Copy)]
struct Counts {
    batches: usize,
    /// Axes before the rows.
    batch_rank: usize,
    /// Rows (of blocks) or columns, by the layout.
    compressed: usize,
    /// The other of the two.
    plain: usize,
    /// Stored elements of one batch.
    elements: usize,
    /// Rows and columns of a block.
    block: [usize; 2],
    /// Columns of the tensor.
    columns: usize,
    /// Rows of the tensor.
    rows: usize,
    /// Elements of the dense axes.
    dense: usize,
}

impl DensifyCompressed {
    /// The layout's name in torch, without `sparse_`.
    pub(super) const fn layout_name(&self) -> &'static str {
        match self.layout {
            CompressedLayout::Csr => "csr",
            CompressedLayout::Csc => "csc",
            CompressedLayout::Bsr => "bsr",
            CompressedLayout::Bsc => "bsc",
        }
    }

    /// A recipe for the shapes that torch's `sparse_compressed_tensor` takes: compressed (batch …, rows + 1),
    /// plain (batch …, elements), values (batch …, elements, [rows and columns of a block,] dense …). The
    /// indices themselves are checked by [`Self::check`].
    ///
    /// # Errors
    /// When the parts do not go together, or torch could not make the tensor dense.
    pub fn new(
        layout: CompressedLayout,
        compressed: LazyTensor,
        plain: LazyTensor,
        values: LazyTensor,
        shape: Shape,
    ) -> Result<Self, DensifyError> {
        check_dtypes(&[compressed.dtype, plain.dtype], &[Dtype::I64, Dtype::I32], values.dtype)?;
        let wrong = |part, found: &LazyTensor| DensifyError::Part {
            part,
            found: Box::new(found.view.shape().clone()),
        };
        let (Some((&pointers, batch)), Some((&elements, plain_batch))) =
            (compressed.view.shape().sizes().split_last(), plain.view.shape().sizes().split_last())
        else {
            return Err(wrong("compressed indices", &compressed));
        };
        if plain_batch != batch {
            return Err(wrong("plain indices", &plain));
        }
        let (Some((found_batch, [rows, columns, dense @ ..])), Some((value_batch, value_rest))) = (
            shape.sizes().split_at_checked(batch.len()),
            values.view.shape().sizes().split_at_checked(batch.len()),
        ) else {
            return Err(wrong("values", &values));
        };
        let (block, value_dense) = match (layout.has_blocks(), value_rest) {
            (false, [found, rest @ ..]) if *found == elements => ([1, 1], rest),
            (true, [found, height, width, rest @ ..]) if *found == elements => ([*height, *width], rest),
            _ => return Err(wrong("values", &values)),
        };
        let [height, width] = block;
        if found_batch != batch || value_batch != batch || value_dense != dense || height == 0 || width == 0 {
            return Err(wrong("values", &values));
        }
        if rows % height != 0 || columns % width != 0 {
            return Err(wrong("values", &values));
        }
        let (block_rows, block_columns) = (rows / height, columns / width);
        let (along, across) =
            if layout.compresses_rows() { (block_rows, block_columns) } else { (block_columns, block_rows) };
        if pointers.checked_sub(1) != Some(along) {
            return Err(wrong("compressed indices", &compressed));
        }
        let counts = Counts {
            batches: batch.iter().product(),
            batch_rank: batch.len(),
            compressed: along,
            plain: across,
            elements,
            block,
            columns: *columns,
            rows: *rows,
            dense: dense.iter().product(),
        };
        Ok(Self { layout, compressed, plain, values, shape, counts })
    }

    /// Reads the indices and checks them.
    ///
    /// # Errors
    /// When they break the rules of the layout: pointers that fall, indices that are unsorted, come twice, or
    /// are outside of the tensor; when they cannot be loaded.
    pub fn check(&self) -> Result<(), LoadError> {
        self.each_block(|_, _, _, _| ())
    }

    /// Bytes of the dense tensor.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        dense_len(&self.shape, self.values.dtype)
    }

    /// The tensors that it is made of.
    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.compressed, &self.plain, &self.values]
    }

    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        let add = adder(self.values.dtype)?;
        let values = self.values.contiguous()?;
        let mut dense = zeros(self.byte_len())?;
        if dense.is_empty() {
            self.check()?;
            return Ok(dense);
        }
        let Counts { rows, columns, block: [height, width], dense: inner, .. } = self.counts;
        let size = inner.saturating_mul(self.values.dtype.size());
        self.each_block(|batch, element, block_row, block_column| {
            for row in 0..height {
                // One row of a block lies together on both sides. The numbers of elements fit, so these do.
                let from = (element * height + row) * width * size;
                let to = ((batch * rows + block_row * height + row) * columns + block_column * width) * size;
                let length = width * size;
                if let (Some(target), Some(value)) =
                    (dense.get_mut(to..to + length), values.get(from..from + length))
                {
                    add(target, value);
                }
            }
        })?;
        Ok(dense)
    }

    /// Calls `visit` with the batch, the number of the stored element, and the row and column of its block.
    fn each_block(&self, mut visit: impl FnMut(usize, usize, usize, usize)) -> Result<(), LoadError> {
        let (pointers, plain) = (Indices::load(&self.compressed)?, Indices::load(&self.plain)?);
        let counts = self.counts;
        let (by_pointer, by_element) = (pointers.stride(counts.batch_rank), plain.stride(counts.batch_rank));
        for batch in 0..counts.batches {
            let index = self.batch_index(batch);
            let (pointers_at, plain_at) =
                (pointers.place(index.iter().copied()), plain.place(index.iter().copied()));
            let first = pointers.at(pointers_at);
            if first != 0 {
                return Err(DensifyError::Pointers { place: 0, pointer: first }.into());
            }
            let mut element = 0;
            for along in 0..counts.compressed {
                let place = along + 1;
                let pointer = pointers.at(pointers_at.wrapping_add(place.wrapping_mul(by_pointer)));
                let end = match usize::try_from(pointer) {
                    Ok(end) if (element..=counts.elements).contains(&end) => end,
                    _ => return Err(DensifyError::Pointers { place, pointer }.into()),
                };
                let mut before = None;
                while element < end {
                    let index = plain.at(plain_at.wrapping_add(element.wrapping_mul(by_element)));
                    let across = on_axis(element, index, counts.plain)?;
                    if before.is_some_and(|before| across <= before) {
                        return Err(DensifyError::Unsorted { element }.into());
                    }
                    before = Some(across);
                    let stored = batch * counts.elements + element;
                    if self.layout.compresses_rows() {
                        visit(batch, stored, along, across);
                    } else {
                        visit(batch, stored, across, along);
                    }
                    element += 1;
                }
            }
            if element != counts.elements {
                let pointer = i64::try_from(element).unwrap_or(i64::MAX);
                return Err(DensifyError::Pointers { place: counts.compressed, pointer }.into());
            }
        }
        Ok(())
    }

    /// The index of a batch on the batch axes.
    fn batch_index(&self, batch: usize) -> Vec<usize> {
        let sizes = self.shape.sizes().get(..self.counts.batch_rank).unwrap_or(&[]);
        let mut rest = batch;
        let mut index: Vec<usize> = sizes
            .iter()
            .rev()
            .map(|&size| {
                let at = rest % size.max(1);
                rest /= size.max(1);
                at
            })
            .collect();
        index.reverse();
        index
    }
}
