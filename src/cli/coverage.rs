//! Whether the parts of a term give every element of a variable one value.

use crate::plan::Term;
use crate::tensor::StridedCopy;

/// Which elements of a variable have got their value.
pub(super) enum Coverage {
    /// Each is written once: the loops of the only copy enumerate them.
    Whole,
    /// A bit per element.
    Bits { words: Vec<u64>, numel: usize },
}

impl Coverage {
    pub(super) fn of(term: &Term, numel: usize) -> Self {
        if let [part] = term.parts.as_slice()
            && enumerates(&part.copy, numel)
        {
            return Self::Whole;
        }
        Self::Bits { words: vec![0; numel.div_ceil(WORD)], numel }
    }

    /// Takes note of a value. Whether the element exists and had none.
    pub(super) fn is_first(&mut self, at: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Bits { words, numel } => match words.get_mut(at / WORD) {
                Some(word) if at < *numel && *word >> (at % WORD) & 1 == 0 => {
                    *word |= 1 << (at % WORD);
                    true
                }
                _ => false,
            },
        }
    }

    /// How many have none.
    pub(super) fn left(&self) -> usize {
        match self {
            Self::Whole => 0,
            Self::Bits { words, numel } => {
                numel - words.iter().map(|word| word.count_ones() as usize).sum::<usize>()
            }
        }
    }
}

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// Whether a copy's loops write the elements from 0 to `numel`, each once: by rising stride, each stride is as
/// many elements as the loops before it write.
fn enumerates(copy: &StridedCopy, numel: usize) -> bool {
    let mut axes: Vec<_> = copy.axes.iter().filter(|axis| axis.size != 1).collect();
    axes.sort_by_key(|axis| axis.target_stride);
    let written = axes.iter().try_fold(1_usize, |written, axis| {
        if axis.target_stride == written { written.checked_mul(axis.size) } else { None }
    });
    copy.target_offset == 0 && written == Some(numel)
}
