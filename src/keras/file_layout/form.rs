//! What a caller wants: a format, and for which Keras.

use std::fmt;
use std::str::FromStr;

use super::DEFAULT_SHARD_BYTES;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// `.weights.h5`: the weights, as Keras 3 writes them.
    #[default]
    WeightsH5,
    /// `.weights.json` with `_00000.weights.h5` and so on beside it: the same in shards (3.10 and later).
    Sharded,
    /// `.h5`: the weights alone, as Keras 2 writes them; read by all versions.
    LegacyH5,
    /// `.h5`: the whole model, as `model.save()` of Keras 2 and 3 writes it.
    WholeH5,
    /// `.keras`: the whole model in a zip archive.
    Keras,
}

impl Format {
    /// Whether the file holds the model's configuration too.
    #[must_use]
    pub const fn is_whole_model(self) -> bool {
        matches!(self, Self::WholeH5 | Self::Keras)
    }

    /// Whether variables are found by position, as in the format of Keras 2, not by group.
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        matches!(self, Self::LegacyH5 | Self::WholeH5)
    }
}

/// An output: its format, and what else the caller decides of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The format.
    pub format: Format,
    /// The Keras that is to read it, where the caller says so. The architecture tells otherwise.
    pub keras: Option<KerasVersion>,
    /// Whether the optimizer's state is carried over from the architecture's file.
    pub optimizer: bool,
    /// The most bytes of variables in one shard.
    pub max_shard_bytes: u64,
}

impl Form {
    /// The format, with nothing else decided.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format, keras: None, optimizer: false, max_shard_bytes: DEFAULT_SHARD_BYTES }
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::new(Format::default())
    }
}

/// A version of Keras; `3` and `3.5` stand for any of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KerasVersion {
    /// 2 or 3.
    pub major: u32,
    /// The 10 in `3.10.0`.
    pub minor: Option<u32>,
    /// The last part.
    pub patch: Option<u32>,
}

impl KerasVersion {
    /// Whether it is surely older than `major.minor`.
    #[must_use]
    pub fn is_before(self, major: u32, minor: u32) -> bool {
        self.major < major || self.major == major && self.minor.is_some_and(|own| own < minor)
    }
}

impl fmt::Display for KerasVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.major)?;
        let rest = [self.minor, self.patch];
        rest.iter().map_while(|part| *part).try_for_each(|part| write!(f, ".{part}"))
    }
}

/// Text that is no version of Keras 2 or 3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a version of Keras 2 or 3, such as 2.15, 3 or 3.10.0")]
pub struct VersionError;

impl FromStr for KerasVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut parts = text.split('.').map(|part| part.parse::<u32>().map_err(|_| VersionError));
        let major = parts.next().unwrap_or(Err(VersionError))?;
        let (minor, patch) = (parts.next().transpose()?, parts.next().transpose()?);
        if !matches!(major, 2 | 3) || parts.next().is_some() {
            return Err(VersionError);
        }
        Ok(Self { major, minor, patch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, expected) in [("3", true), ("3.9.2", true), ("3.10", true), ("2.15.0", true)] {
            let parsed: Result<KerasVersion, _> = text.parse();
            assert_eq!(parsed.is_ok(), expected, "{text}");
            assert_eq!(parsed.map(|version| version.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "1.2", "4", "3.", "3.x", "3.1.2.3", "v3", "-3"] {
            assert_eq!(text.parse::<KerasVersion>(), Err(VersionError), "{text}");
        }
        let before = |text: &str| text.parse::<KerasVersion>().unwrap().is_before(3, 10);
        assert!(before("2") && before("3.9") && before("3.0.5"));
        assert!(!before("3") && !before("3.10.0") && !before("3.15"));
    }
}
