//! The elements of a tuple.

use std::ops::Deref;

use super::value::ValueId;

/// Elements that lie in the value itself, which is so large anyway. The tuples that every tensor has are as short:
/// the arguments of the call, the storage's id, the sizes and strides.
const FEW: usize = 7;

/// The elements of a tuple, which never change.
#[derive(Debug, Clone)]
pub(crate) enum Elements {
    Few { count: u8, ids: [ValueId; FEW] },
    Many(Box<[ValueId]>),
}

impl From<&[ValueId]> for Elements {
    fn from(elements: &[ValueId]) -> Self {
        let mut ids = [ValueId(0); FEW];
        match ids.get_mut(..elements.len()) {
            Some(slots) => {
                slots.copy_from_slice(elements);
                // At most FEW.
                Self::Few { count: elements.len() as u8, ids }
            }
            None => Self::Many(elements.into()),
        }
    }
}

impl Deref for Elements {
    type Target = [ValueId];

    fn deref(&self) -> &[ValueId] {
        match self {
            Self::Few { count, ids } => ids.get(..usize::from(*count)).unwrap_or(ids),
            Self::Many(ids) => ids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::pickle::value::Value;

    #[test]
    fn all_of_them() {
        for count in 0..=FEW as u32 + 2 {
            let ids: Vec<ValueId> = (0..count).map(ValueId).collect();
            assert_eq!(*Elements::from(ids.as_slice()), *ids);
        }
    }

    /// Where pointers are half as large, it is the elements that a value is as large as.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn few_take_no_room() {
        let without = size_of::<(u8, &str, &str)>();
        assert_eq!(size_of::<Value<'_>>(), without);
    }
}
