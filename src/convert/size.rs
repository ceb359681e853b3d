//! Sizes as people write them.

/// Why a text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a size such as 500MB, 2GB or 20KB, 1024 to the next unit")]
pub struct SizeError;

/// Reads a size: a number and its unit, 1024 to the next.
///
/// # Errors
/// When it is not that, or no byte, or more than there can be.
pub fn size(text: &str) -> Result<u64, SizeError> {
    const UNITS: [(&str, u32); 5] = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10), ("B", 0)];
    let upper = text.trim().to_ascii_uppercase();
    let unit = UNITS.iter().find_map(|&(unit, bits)| Some((upper.strip_suffix(unit)?, bits)));
    let (number, bits) = unit.unwrap_or((&upper, 0));
    let bytes = number.trim_end().parse::<f64>().map(|number| number * 2_f64.powi(bits as i32));
    match bytes {
        Ok(bytes) if (1.0..u64::MAX as f64).contains(&bytes) => Ok(bytes as u64),
        Ok(_) | Err(_) => Err(SizeError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in
            [("20KB", 20 << 10), ("500mb", 500 << 20), ("1.5 GB", 3 << 29), ("17", 17), ("9B", 9)]
        {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for text in ["", "GB", "0", "-1GB", "1e30GB", "NaN", "inf", "2 G B", "0.1"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
