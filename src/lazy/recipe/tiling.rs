//! Whether boxes cover a tensor exactly once.
//!
//! The sum of the boxes' indicator functions is the whole's exactly when their mixed differences are the
//! same, and the mixed difference of a box is a sign at each of its corners. So the signs are counted by
//! corner and sorted: n·2^d·log n for n boxes that are split along d axes, whatever the boxes look like.

use crate::tensor::Shape;

/// Axes along which one tensor may be split. The widest meshes of devices in use have 4.
pub(super) const MAX_SPLIT_AXES: usize = 8;

/// Corners of all parts of one tensor: what is sorted, at 32 bytes each.
pub(super) const MAX_CORNERS: usize = 1 << 22;

/// Why boxes do not cover a tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TilingError {
    /// A box reaches out of the tensor, or has another number of axes.
    #[error("the part at {offsets:?} of sizes {sizes:?} is not inside the tensor's shape {shape}")]
    Outside {
        /// Where it starts.
        offsets: Vec<usize>,
        /// Its sizes.
        sizes: Vec<usize>,
        /// The tensor's shape.
        shape: Box<Shape>,
    },
    /// A place where boxes overlap or the tensor is not covered begins or ends.
    #[error("its parts overlap, or do not cover it, next to the element {place:?} of shape {shape}")]
    Uneven {
        /// The place.
        place: Vec<usize>,
        /// The tensor's shape.
        shape: Box<Shape>,
    },
    /// Split along more axes than any tensor is.
    #[error("its parts split it along {axes} axes; at most {MAX_SPLIT_AXES} are supported")]
    Axes {
        /// How many.
        axes: usize,
    },
    /// More parts than any tensor has.
    #[error("it has {parts} parts, which are more than can be checked")]
    Parts {
        /// How many.
        parts: usize,
    },
}

/// Checks that boxes (offsets and sizes) cover a shape exactly once. Boxes without elements must lie inside,
/// and cover nothing.
pub(super) fn check_tiling<'a>(
    shape: &Shape,
    boxes: impl Iterator<Item = (&'a [usize], &'a [usize])> + Clone,
) -> Result<(), TilingError> {
    let whole = shape.sizes();
    let mut is_split = vec![false; whole.len()];
    let mut parts = 0_usize;
    for (offsets, sizes) in boxes.clone() {
        let is_inside =
            offsets.len() == whole.len()
                && sizes.len() == whole.len()
                && offsets.iter().zip(sizes).zip(whole).all(|((&offset, &size), &whole)| {
                    offset.checked_add(size).is_some_and(|end| end <= whole)
                });
        if !is_inside {
            let (offsets, sizes) = (offsets.to_vec(), sizes.to_vec());
            return Err(TilingError::Outside { offsets, sizes, shape: Box::new(shape.clone()) });
        }
        if !sizes.contains(&0) {
            parts += 1;
            for (is_split, (&size, &whole)) in is_split.iter_mut().zip(sizes.iter().zip(whole)) {
                *is_split |= size != whole;
            }
        }
    }
    if shape.numel() == 0 {
        return Ok(());
    }
    // Along the other axes every box is as long as the whole.
    let axes: Vec<usize> = is_split.iter().enumerate().filter(|(_, is)| **is).map(|(axis, _)| axis).collect();
    if axes.len() > MAX_SPLIT_AXES {
        return Err(TilingError::Axes { axes: axes.len() });
    }
    if parts.saturating_add(1) > MAX_CORNERS >> axes.len() {
        return Err(TilingError::Parts { parts });
    }
    let mut corners: Vec<(u128, i64)> = Vec::with_capacity((parts + 1) << axes.len());
    let zeros = vec![0; whole.len()];
    add_corners(&mut corners, whole, &axes, (&zeros, whole), -1);
    for (offsets, sizes) in boxes.filter(|(_, sizes)| !sizes.contains(&0)) {
        add_corners(&mut corners, whole, &axes, (offsets, sizes), 1);
    }
    corners.sort_unstable_by_key(|&(corner, _)| corner);
    for run in corners.chunk_by(|one, other| one.0 == other.0) {
        if let Some((corner, _)) = run.first()
            && run.iter().map(|(_, sign)| sign).sum::<i64>() != 0
        {
            return Err(TilingError::Uneven {
                place: place(*corner, whole, &axes),
                shape: Box::new(shape.clone()),
            });
        }
    }
    Ok(())
}

/// Adds the corners of one box, each with its sign. A corner is numbered in the grid of `whole` with one more
/// place on every axis: with at most 8 split axes, of a shape whose elements fit in 63 bits, that is below
/// 2^71.
fn add_corners(
    corners: &mut Vec<(u128, i64)>,
    whole: &[usize],
    axes: &[usize],
    (offsets, sizes): (&[usize], &[usize]),
    sign: i64,
) {
    let extent = |axis: usize| {
        let offset = offsets.get(axis).copied().unwrap_or(0);
        (offset, offset + sizes.get(axis).copied().unwrap_or(0))
    };
    for choice in 0..1_usize << axes.len() {
        let mut corner = 0_u128;
        for (bit, &axis) in axes.iter().enumerate() {
            let (start, end) = extent(axis);
            let at = if choice >> bit & 1 == 1 { end } else { start };
            let places = whole.get(axis).copied().unwrap_or(0) as u128 + 1;
            corner = corner * places + at as u128;
        }
        let flips = if choice.count_ones() % 2 == 1 { -sign } else { sign };
        corners.push((corner, flips));
    }
}

/// The element that a corner's number stands for.
fn place(mut corner: u128, whole: &[usize], axes: &[usize]) -> Vec<usize> {
    let mut place = vec![0; whole.len()];
    for &axis in axes.iter().rev() {
        let places = whole.get(axis).copied().unwrap_or(0) as u128 + 1;
        if let Some(at) = place.get_mut(axis) {
            // Below `places`, which is one more than a usize.
            *at = (corner % places) as usize;
        }
        corner /= places;
    }
    place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Boxes = Vec<(Vec<usize>, Vec<usize>)>;

    fn tiles(sizes: &[usize], boxes: &Boxes) -> Result<(), TilingError> {
        let boxes = boxes.iter().map(|(offsets, sizes)| (offsets.as_slice(), sizes.as_slice()));
        check_tiling(&Shape::new(sizes).unwrap(), boxes)
    }

    fn boxes(list: &[(&[usize], &[usize])]) -> Boxes {
        list.iter().map(|(offsets, sizes)| (offsets.to_vec(), sizes.to_vec())).collect()
    }

    #[test]
    fn covers() {
        let check = |sizes: &[usize], list: &[(&[usize], &[usize])], expected: bool| {
            assert_eq!(tiles(sizes, &boxes(list)).is_ok(), expected, "{sizes:?} {list:?}");
        };
        check(&[], &[(&[], &[])], true);
        check(&[], &[], false);
        check(&[], &[(&[], &[]), (&[], &[])], false);
        check(&[0, 3], &[], true);
        check(&[0, 3], &[(&[0, 1], &[0, 2])], true);
        check(&[0, 3], &[(&[0, 1], &[0, 3])], false);
        check(&[5, 4], &[(&[0, 0], &[3, 4]), (&[3, 0], &[2, 4])], true);
        check(&[5, 4], &[(&[0, 0], &[3, 4]), (&[3, 0], &[2, 4]), (&[5, 0], &[0, 4])], true);
        check(&[5, 4], &[(&[0, 0], &[3, 4]), (&[2, 0], &[2, 4])], false);
        check(&[5, 4], &[(&[0, 0], &[3, 4]), (&[3, 0], &[3, 4])], false);
        check(&[5, 4], &[(&[0, 0], &[3, 4])], false);
        check(&[5, 4], &[(&[0], &[5])], false);
        check(&[2], &[(&[usize::MAX], &[2])], false);
        // The volume is right and the places are not.
        check(&[2, 2], &[(&[0, 0], &[1, 1]), (&[0, 0], &[1, 1]), (&[1, 0], &[1, 2])], false);
        // A pinwheel: no cut goes through the whole.
        let pinwheel: &[(&[usize], &[usize])] = &[
            (&[0, 0], &[1, 2]),
            (&[0, 2], &[2, 1]),
            (&[2, 1], &[1, 2]),
            (&[1, 0], &[2, 1]),
            (&[1, 1], &[1, 1]),
        ];
        check(&[3, 3], pinwheel, true);
        check(&[3, 3], &pinwheel[..4], false);
    }

    #[test]
    fn limits() {
        let halves: Boxes = vec![(vec![0; 9], vec![1; 9]); 2];
        assert_eq!(tiles(&[2; 9], &halves), Err(TilingError::Axes { axes: 9 }));
    }

    proptest! {
        /// Agrees with counting how often each element is covered.
        #[test]
        fn agrees_with_painting(
            sizes in prop::collection::vec(1_usize..4, 3),
            list in prop::collection::vec((prop::collection::vec(0_usize..3, 3), prop::collection::vec(0_usize..4, 3)), 0..6),
            cuts in prop::collection::vec((0_usize..3, 1_usize..3), 0..5),
            is_cut in any::<bool>(),
        ) {
            // Half of the cases are boxes cut from the whole, which cover it.
            let list: Boxes = if is_cut {
                let mut list: Boxes = vec![(vec![0; 3], sizes.clone())];
                for (axis, at) in cuts {
                    let Some(place) = list.iter().position(|(_, sizes)| sizes[axis] > at) else { continue };
                    let (offsets, sizes) = list.remove(place);
                    let (mut low, mut high) = (sizes.clone(), sizes);
                    low[axis] = at;
                    high[axis] -= at;
                    let mut moved = offsets.clone();
                    moved[axis] += at;
                    list.push((offsets, low));
                    list.push((moved, high));
                }
                list
            } else {
                list
            };
            let mut counts = vec![0; sizes.iter().product()];
            let mut inside = true;
            for (offsets, extent) in &list {
                inside &= (0..3).all(|axis| offsets[axis] + extent[axis] <= sizes[axis]);
                for flat in 0..extent.iter().product() {
                    let place: Vec<usize> = vec![
                        offsets[0] + flat / (extent[1] * extent[2]),
                        offsets[1] + flat / extent[2] % extent[1],
                        offsets[2] + flat % extent[2],
                    ];
                    if (0..3).all(|axis| place[axis] < sizes[axis]) {
                        counts[(place[0] * sizes[1] + place[1]) * sizes[2] + place[2]] += 1;
                    }
                }
            }
            prop_assert_eq!(tiles(&sizes, &list).is_ok(), inside && counts.iter().all(|&count| count == 1));
        }
    }
}
