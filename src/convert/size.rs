//! Sizes as people write them.

use std::fmt;

/// Why a text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a size such as 500MB, 2GB or 20KB, 1024 to the next unit")]
pub struct SizeError;

/// The units, with their powers of two.
const UNITS: [(&str, u32); 5] = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10), ("B", 0)];

/// Bytes, shown so that [`size`] reads them again, with one decimal and rounded up: what is said to be enough is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|&(_, bits)| self.0 >> bits > 0);
        let (unit, bits) = unit.unwrap_or(("B", 0));
        let tenths = (u128::from(self.0) * 10).div_ceil(1 << bits);
        match (tenths / 10, tenths % 10) {
            (whole, 0) => write!(f, "{whole}{unit}"),
            (whole, tenth) => write!(f, "{whole}.{tenth}{unit}"),
        }
    }
}

/// Reads a size: a number and its unit, 1024 to the next.
///
/// # Errors
/// When it is not that, or no byte, or more than there can be.
pub fn size(text: &str) -> Result<u64, SizeError> {
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

    #[test]
    fn shown() {
        for (bytes, expected) in [
            (0, "0B"),
            (1, "1B"),
            (1023, "1023B"),
            (1024, "1KB"),
            (1025, "1.1KB"),
            ((1 << 20) - 1, "1024KB"),
            ((41 << 20) / 10, "4.1MB"),
            (3 << 29, "1.5GB"),
            (7 << 40, "7TB"),
        ] {
            assert_eq!(Size(bytes).to_string(), expected);
            assert!(bytes == 0 || size(expected).unwrap() >= bytes, "{expected}");
        }
    }
}
