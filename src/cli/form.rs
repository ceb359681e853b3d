//! What the output's name and the options say about its form.

use std::path::Path;

use super::args::{Saved, Source, Target};
use super::failure::Failure;
use crate::keras::file_layout::{Form, Format, shard_name};
use crate::keras::{Architecture, Origin};

/// What is known before the architecture is read.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The format that the name tells; `None` for an `.h5`, which is one of two.
    format: Option<Format>,
    form: Form,
    saved: Option<Saved>,
}

impl Wanted {
    /// The form that the name stands for, as in Keras (`saving_api.py`), and the options.
    pub(super) fn new(path: &Path, source: &Source, target: &Target) -> Result<Self, Failure> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let ends = |end: &str| name.as_ref().is_some_and(|name| name.ends_with(end));
        let format = match () {
            () if ends(".weights.h5") => Some(Format::WeightsH5),
            () if ends(".weights.json") => Some(Format::Sharded),
            () if ends(".keras") => Some(Format::Keras),
            () if ends(".h5") => None,
            () => return Err(Failure::UnknownFormat { path: path.to_owned() }),
        };
        let held = format.map(|format| if format.is_whole_model() { Saved::Model } else { Saved::Weights });
        if let (Some(held), Some(saved)) = (held, target.save)
            && held != saved
        {
            return Err(Failure::SavedAs { path: path.to_owned(), held });
        }
        if target.max_shard_size.is_some() && format != Some(Format::Sharded) {
            return Err(Failure::NotSharded { path: path.to_owned() });
        }
        let default = Form::default();
        let form = Form {
            keras: source.keras,
            optimizer: target.optimizer,
            max_shard_bytes: target.max_shard_size.unwrap_or(default.max_shard_bytes),
            ..default
        };
        Ok(Self { format, form, saved: target.save })
    }

    /// The form, for that architecture: an `.h5` is what --save says, or else a whole model where the
    /// architecture's file is one too.
    pub(super) fn of(&self, architecture: &Architecture) -> Form {
        let like_its_own = || architecture.origin == Origin::WholeH5;
        let is_whole = || self.saved.map_or_else(like_its_own, |saved| saved == Saved::Model);
        let h5 = || if is_whole() { Format::WholeH5 } else { Format::LegacyH5 };
        Form { format: self.format.unwrap_or_else(h5), ..self.form.clone() }
    }

    /// Whether a file would be one of the output's shards.
    pub(super) fn may_be_shard(&self, output: &Path, file: &Path) -> bool {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(index), Some(other), Some(Format::Sharded)) = (name(output), name(file), self.format)
        else {
            return false;
        };
        let (start, end) = ("00000", ".weights.h5");
        let first = shard_name(&index, 0);
        let stem = first.strip_suffix(end).and_then(|rest| rest.strip_suffix(start)).unwrap_or(&first);
        other.starts_with(stem) && other.ends_with(end)
    }
}

/// `--max-shard-size`: a number and its unit, 1024 to the next.
pub(super) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 5] = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10), ("B", 0)];
    let upper = text.trim().to_ascii_uppercase();
    let unit = UNITS.iter().find_map(|&(unit, bits)| Some((upper.strip_suffix(unit)?, bits)));
    let (number, bits) = unit.unwrap_or((&upper, 0));
    let bytes = number.trim_end().parse::<f64>().map(|number| number * 2_f64.powi(bits as i32));
    match bytes {
        Ok(bytes) if (1.0..u64::MAX as f64).contains(&bytes) => Ok(bytes as u64),
        Ok(_) | Err(_) => Err("a size such as 500MB, 2GB or 20KB, 1024 to the next unit".to_owned()),
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
