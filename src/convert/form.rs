//! What the output's name and the caller say about its form.

use std::path::Path;

use super::conversion::Conversion;
use super::error::ConvertError;
use crate::keras::file_layout::{Form, Format};
use crate::keras::{Architecture, Origin};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// The whole model, as `model.save()` writes it.
    Model,
    /// The weights alone, as `model.save_weights()` writes them.
    Weights,
}

impl Saved {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Model => "a whole model",
            Self::Weights => "weights alone",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Model => Self::Weights,
            Self::Weights => Self::Model,
        }
    }
}

/// What is known before the architecture is read.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The format that the name tells; `None` for an `.h5`, which is one of two.
    format: Option<Format>,
    form: Form,
    saved: Option<Saved>,
}

impl Wanted {
    /// The form that the name stands for, as in Keras (`saving_api.py`), and what else is decided.
    pub(super) fn new(conversion: &Conversion) -> Result<Self, ConvertError> {
        let path = &conversion.output;
        let format = format(path)?;
        let held = format.map(|format| if format.is_whole_model() { Saved::Model } else { Saved::Weights });
        if let (Some(held), Some(saved)) = (held, conversion.save)
            && held != saved
        {
            return Err(ConvertError::SavedAs { path: path.clone(), held });
        }
        if conversion.max_shard_bytes.is_some() && format != Some(Format::Sharded) {
            return Err(ConvertError::NotSharded { path: path.clone() });
        }
        let default = Form::default();
        let form = Form {
            keras: conversion.keras,
            optimizer: conversion.optimizer,
            max_shard_bytes: conversion.max_shard_bytes.unwrap_or(default.max_shard_bytes),
            ..default
        };
        Ok(Self { format, form, saved: conversion.save })
    }

    /// The form, for that architecture: an `.h5` is what was asked for, or else a whole model where the
    /// architecture's file is one too.
    pub(super) fn of(&self, architecture: &Architecture) -> Form {
        let like_its_own = || architecture.origin == Origin::WholeH5;
        let is_whole = || self.saved.map_or_else(like_its_own, |saved| saved == Saved::Model);
        let h5 = || if is_whole() { Format::WholeH5 } else { Format::LegacyH5 };
        Form { format: self.format.unwrap_or_else(h5), ..self.form.clone() }
    }
}

/// The format that a name stands for; `None` for an `.h5`, which is one of two.
pub(super) fn format(path: &Path) -> Result<Option<Format>, ConvertError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let ends = |end: &str| name.as_ref().is_some_and(|name| name.ends_with(end));
    Ok(match () {
        () if ends(".weights.h5") => Some(Format::WeightsH5),
        () if ends(".weights.json") => Some(Format::Sharded),
        () if ends(".keras") => Some(Format::Keras),
        () if ends(".h5") => None,
        () => return Err(ConvertError::UnknownFormat { path: path.to_owned() }),
    })
}
