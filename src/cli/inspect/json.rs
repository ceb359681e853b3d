//! Everything for machines. The fields are told in README.md; what is there keeps its name and meaning.

use std::fmt::Display;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value as Json, json};

use super::checkpoint::role_name;
use super::values::hex;
use crate::checkpoint::{Candidate, Checkpoint, Tensor, Warning};
use crate::lazy::survey::Survey;
use crate::lazy::{NonFinite, Recipe, Statistics};

/// A checkpoint. It is written as it is read off: a checkpoint can have a million tensors.
pub(super) struct Document<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    /// The groups of tied tensors.
    pub(super) groups: &'a [Option<usize>],
    /// What was found out of the values, if anything.
    pub(super) surveys: &'a [Survey],
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { checkpoint, .. } = self;
        let (elements, bytes) = totals(&checkpoint.tensors);
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("path", &checkpoint.path.to_string_lossy())?;
        document.serialize_entry("form", &Shown(checkpoint.form))?;
        document.serialize_entry("written_by", &checkpoint.written_by)?;
        document.serialize_entry("trainer", &checkpoint.trainer)?;
        document.serialize_entry("state_dict", &checkpoint.state_dict_path)?;
        document.serialize_entry("candidates", &Candidates(&checkpoint.candidates))?;
        document.serialize_entry("stripped", &checkpoint.stripped)?;
        document.serialize_entry("warnings", &Warnings(&checkpoint.warnings))?;
        document.serialize_entry("elements", &elements)?;
        document.serialize_entry("bytes", &bytes)?;
        document.serialize_entry("tensors", &Tensors(self))?;
        document.end()
    }
}

/// As text.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Candidates<'a>(&'a [Candidate]);

impl Serialize for Candidates<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let found = self.0.iter().map(|found| json!({ "path": found.path, "tensors": found.tensors }));
        serializer.collect_seq(found)
    }
}

struct Warnings<'a>(&'a [Warning]);

impl Serialize for Warnings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shown))
    }
}

struct Tensors<'a>(&'a Document<'a>);

impl Serialize for Tensors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document { checkpoint, groups, surveys } = self.0;
        serializer.collect_seq(checkpoint.tensors.iter().enumerate().map(|(place, tensor)| {
            let group = groups.get(place).copied().flatten();
            let first = tensor.tied_to.and_then(|first| checkpoint.tensors.get(first));
            entry(tensor, first, group, surveys.get(place))
        }))
    }
}

fn entry(tensor: &Tensor, first: Option<&Tensor>, group: Option<usize>, survey: Option<&Survey>) -> Json {
    let view = &tensor.tensor.view;
    let mut entry = Map::new();
    let mut set = |name: &str, value: Json| entry.insert(name.to_owned(), value);
    set("key", tensor.key.as_str().into());
    set("dtype", tensor.tensor.dtype.name().into());
    set("shape", view.shape().sizes().into());
    set("strides", view.strides().into());
    set("offset", view.offset().into());
    set("bytes", tensor.tensor.byte_len().into());
    set("role", role_name(tensor.role).map(|role| role.replace(['-', ' '], "_")).into());
    set("tied_to", first.map(|first| first.key.as_str()).into());
    set("tied_group", group.into());
    set("computed", tensor.tensor.storage.recipe().map(Recipe::description).into());
    add_survey(&mut entry, survey);
    Json::Object(entry)
}

/// Elements and bytes; those of tied tensors once.
pub(super) fn totals(tensors: &[Tensor]) -> (u64, u64) {
    let own = tensors.iter().filter(|tensor| tensor.tied_to.is_none());
    own.fold((0, 0), |(elements, bytes): (u64, u64), Tensor { tensor, .. }| {
        let numel = tensor.view.shape().numel() as u64;
        (elements.saturating_add(numel), bytes.saturating_add(tensor.byte_len() as u64))
    })
}

/// Adds what was asked for, and nothing else.
pub(super) fn add_survey(entry: &mut Map<String, Json>, survey: Option<&Survey>) {
    let Some(Survey { statistics, sha256 }) = survey else { return };
    if let Some(found) = statistics {
        entry.insert("statistics".to_owned(), statistics_json(found));
    }
    if let Some(sum) = sha256 {
        entry.insert("sha256".to_owned(), hex(sum).into());
    }
}

/// JSON has neither infinities nor NaN: they become null.
fn statistics_json(found: &Statistics) -> Json {
    let Statistics { count, min, max, mean, std, non_finite, zeros } = found;
    let NonFinite { nan, positive_infinity, negative_infinity } = non_finite;
    json!({
        "count": count,
        "min": min,
        "max": max,
        "mean": mean,
        "std": std,
        "zeros": zeros,
        "nan": nan,
        "positive_infinity": positive_infinity,
        "negative_infinity": negative_infinity,
    })
}
