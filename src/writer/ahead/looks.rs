//! Whether input is in the page cache.

use crate::lazy::{Bytes, PageReader};

/// Bytes between two places that are looked at to find out whether the input is in the page cache. A look takes half a
/// microsecond.
const LOOK_EVERY: usize = 1 << 20;

/// Places that are looked at at most: jobs can name the same bytes any number of times.
const MOST_LOOKS: usize = 100_000;

/// Looks at places of what jobs read.
#[derive(Default)]
pub(super) struct Looks {
    pages: PageReader,
    looks: usize,
    /// Bytes up to the next place.
    until_next: usize,
}

impl Looks {
    /// Whether a place in these bytes is not in the page cache.
    pub(super) fn are_cold(&mut self, bytes: &Bytes) -> bool {
        let mut at = self.until_next;
        while at < bytes.len() && self.looks < MOST_LOOKS {
            self.looks += 1;
            if !self.pages.is_resident(bytes, at) {
                return true;
            }
            at += LOOK_EVERY;
        }
        self.until_next = at.saturating_sub(bytes.len());
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn cold() {
        let are_cold = |runs: &[&Bytes]| {
            let mut looks = Looks::default();
            runs.iter().any(|run| looks.are_cold(run))
        };
        let held = Bytes::held(vec![1; 9]);
        assert!(!are_cold(&[]) && !are_cold(&[&held]));
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![3; 3 * LOOK_EVERY];
        let part = |file: &Bytes| file.slice(5..2 * LOOK_EVERY).unwrap();
        crate::lazy::check_cold(folder.path(), &bytes, |file| are_cold(&[&held, &part(file)]));
        let part = part(&crate::lazy::evicted(&folder.path().join("input"), &bytes));
        PageReader::default().fetch(&part, 0..part.len());
        assert!(!are_cold(&[&part, &held, &part]));
    }
}
