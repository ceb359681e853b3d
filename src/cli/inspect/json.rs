//! Everything for machines. The fields are told in README.md; what is there keeps its name and meaning.

use serde_json::{Map, Value as Json, json};

use super::checkpoint::role_name;
use super::values::hex;
use crate::checkpoint::{Checkpoint, Tensor};
use crate::lazy::survey::Survey;
use crate::lazy::{NonFinite, Statistics};

/// A checkpoint; `groups` are those of tied tensors, `surveys` what was found out of the values, if anything.
pub(super) fn checkpoint(checkpoint: &Checkpoint, groups: &[Option<usize>], surveys: &[Survey]) -> Json {
    let tensors = checkpoint.tensors.iter().enumerate().map(|(place, tensor)| {
        let view = &tensor.tensor.view;
        let first = tensor.tied_to.and_then(|first| checkpoint.tensors.get(first));
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
        set("tied_group", groups.get(place).copied().flatten().into());
        add_survey(&mut entry, surveys.get(place));
        Json::Object(entry)
    });
    let candidates = checkpoint.candidates.iter();
    let (elements, bytes) = totals(&checkpoint.tensors);
    json!({
        "path": checkpoint.path.to_string_lossy(),
        "form": checkpoint.form.to_string(),
        "written_by": checkpoint.written_by,
        "trainer": checkpoint.trainer,
        "state_dict": checkpoint.state_dict_path,
        "candidates": candidates
            .map(|found| json!({ "path": found.path, "tensors": found.tensors }))
            .collect::<Vec<_>>(),
        "stripped": checkpoint.stripped,
        "warnings": checkpoint.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "elements": elements,
        "bytes": bytes,
        "tensors": tensors.collect::<Vec<_>>(),
    })
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
