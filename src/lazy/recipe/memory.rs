//! Memory for what recipes make. A small file can announce much, so that there is too little memory is an error
//! like any other; an allocation that cannot fail would end the process.

use crate::lazy::LoadError;

/// An empty vector with room for so many elements.
pub(super) fn reserve<T>(elements: usize) -> Result<Vec<T>, LoadError> {
    let mut room = Vec::new();
    let bytes = elements.saturating_mul(size_of::<T>());
    room.try_reserve_exact(elements).map_err(|_| LoadError::Memory { bytes })?;
    Ok(room)
}

/// So many zeros.
pub(super) fn zeros(bytes: usize) -> Result<Vec<u8>, LoadError> {
    let mut zeros = reserve(bytes)?;
    zeros.resize(bytes, 0);
    Ok(zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much() {
        assert_eq!(zeros(3), Ok(vec![0; 3]));
        assert_eq!(zeros(1 << 62), Err(LoadError::Memory { bytes: 1 << 62 }));
        assert_eq!(reserve::<u64>(1 << 59), Err(LoadError::Memory { bytes: 1 << 62 }));
        assert_eq!(reserve::<u64>(1 << 62), Err(LoadError::Memory { bytes: usize::MAX }));
    }
}
