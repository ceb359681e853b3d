//! Keras files: the variables of an architecture, and those of a legacy weight file.

use std::collections::HashMap;

use indicatif::HumanCount;
use serde_json::{Map, Value as Json, json};

use super::{json, values};
use crate::cli::args;
use crate::cli::escape::escape;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::table::{self, Column, count};
use crate::cli::terminal::{HEADING, Terminal};
use crate::keras::file_layout::{Format, dataset_path};
use crate::keras::{Architecture, Origin, Variable, WeightsFile};
use crate::lazy::LazyTensor;
use crate::lazy::survey::Survey;

const fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Json => "Keras model configuration",
        Origin::Archive => "Keras archive",
        Origin::Folder => "unzipped Keras archive",
        Origin::WholeH5 => "whole Keras model",
        Origin::Template => "Keras weights",
        Origin::ShardedTemplate => "sharded Keras weights",
        Origin::LegacyTemplate => "legacy Keras weights",
    }
}

/// Shows the variables of a model, with their values where the file holds them.
pub(super) fn show_architecture(
    args: &args::Inspect,
    architecture: &Architecture,
    terminal: Terminal,
) -> Result<(), Failure> {
    let places: Vec<Option<String>> = (0..architecture.variables.len())
        .map(|at| dataset_path(architecture, Format::WeightsH5, at))
        .collect();
    let surveys = survey_variables(args, architecture, &places, terminal)?;
    if terminal.json {
        let variables = architecture.variables.iter().zip(&places).zip(&surveys);
        let variables = variables.map(|((variable, place), survey)| {
            let class = architecture.layers.get(variable.layer).and_then(|layer| layer.class.as_deref());
            let mut entry = Map::new();
            let mut set = |name: &str, value: Json| entry.insert(name.to_owned(), value);
            set("path", variable.path.as_str().into());
            set("class", class.into());
            set("shape", variable.shape.sizes().into());
            set("dtype", variable.dtype.name().into());
            set("trainable", variable.trainable.into());
            set("weights_h5", place.as_deref().into());
            json::add_survey(&mut entry, survey.as_ref());
            Json::Object(entry)
        });
        return terminal.json_result(&json!({
            "path": architecture.path.to_string_lossy(),
            "form": origin_name(architecture.origin),
            "variables": variables.collect::<Vec<_>>(),
        }));
    }
    terminal.result(|out| {
        let path = escape(&architecture.path.to_string_lossy());
        writeln!(out, "{HEADING}{path}{HEADING:#}: {}\n", origin_name(architecture.origin))?;
        let row = |((variable, place), survey): ((&Variable, &Option<String>), &Option<Survey>)| {
            let layer = architecture.layers.get(variable.layer);
            let class = layer.and_then(|layer| layer.class.clone()).unwrap_or_else(|| "?".to_owned());
            let mut cells = vec![variable.path.to_string(), class];
            cells.extend([variable.shape.to_string(), variable.dtype.to_string()]);
            cells.extend(values::cells(args, survey.as_ref()));
            cells.push(place.clone().unwrap_or_else(String::new));
            cells
        };
        let rows = architecture.variables.iter().zip(&places).zip(&surveys).map(row);
        let mut columns = ["VARIABLE", "CLASS", "SHAPE", "DTYPE"].map(Column::text).to_vec();
        columns.extend(values::columns(args));
        columns.push(Column::text("IN .weights.h5"));
        table::print_columns(out, &columns, rows)?;
        let elements: usize = architecture.variables.iter().map(|variable| variable.shape.numel()).sum();
        let variables = count(architecture.variables.len(), "variable");
        writeln!(out, "\n{variables}, {} elements", HumanCount(elements as u64))
    })
}

/// What was found out of each variable's values: nothing where it is not asked for, or where the file lacks
/// them.
fn survey_variables(
    args: &args::Inspect,
    architecture: &Architecture,
    places: &[Option<String>],
    terminal: Terminal,
) -> Result<Vec<Option<Survey>>, Failure> {
    let mut found = vec![None; places.len()];
    if !args.reads_values() {
        return Ok(found);
    }
    if !architecture.origin.has_values() {
        return Err(Failure::NoValues { path: architecture.path.clone() });
    }
    let file = WeightsFile::open(&architecture.path)?;
    let stored: HashMap<&str, &LazyTensor> =
        file.variables.iter().map(|stored| (stored.path.as_str(), &stored.tensor)).collect();
    let stored: Vec<Option<&LazyTensor>> =
        places.iter().map(|place| stored.get(place.as_deref()?).copied()).collect();
    let tensors: Vec<(&str, &LazyTensor)> = architecture
        .variables
        .iter()
        .zip(&stored)
        .filter_map(|(variable, tensor)| Some((variable.path.as_str(), (*tensor)?)))
        .collect();
    let surveys = values::read(args, &architecture.path, Exit::Architecture, &tensors, terminal)?;
    values::warn(&tensors, &surveys, terminal);
    let there = found.iter_mut().zip(&stored).filter(|(_, tensor)| tensor.is_some());
    there.zip(surveys).for_each(|((place, _), survey)| *place = Some(survey));
    Ok(found)
}

/// Shows the variables of a legacy weight file.
pub(super) fn show_weights(
    args: &args::Inspect,
    file: &WeightsFile,
    terminal: Terminal,
) -> Result<(), Failure> {
    let tensors: Vec<(&str, &LazyTensor)> =
        file.variables.iter().map(|stored| (stored.path.as_str(), &stored.tensor)).collect();
    let surveys = values::read(args, &file.path, Exit::Architecture, &tensors, terminal)?;
    values::warn(&tensors, &surveys, terminal);
    if terminal.json {
        let variables = file.variables.iter().enumerate().map(|(at, stored)| {
            let mut entry = Map::new();
            let mut set = |name: &str, value: Json| entry.insert(name.to_owned(), value);
            set("path", stored.path.as_str().into());
            set("layer", stored.layer.as_deref().into());
            set("shape", stored.tensor.view.shape().sizes().into());
            set("dtype", stored.tensor.dtype.name().into());
            json::add_survey(&mut entry, surveys.get(at));
            Json::Object(entry)
        });
        return terminal.json_result(&json!({
            "path": file.path.to_string_lossy(),
            "form": "legacy Keras weights",
            "variables": variables.collect::<Vec<_>>(),
        }));
    }
    terminal.result(|out| {
        let path = escape(&file.path.to_string_lossy());
        writeln!(out, "{HEADING}{path}{HEADING:#}: legacy Keras weights\n")?;
        let rows = file.variables.iter().enumerate().map(|(at, stored)| {
            let shape = stored.tensor.view.shape().to_string();
            let layer = stored.layer.clone().unwrap_or_else(String::new);
            let mut cells = vec![stored.path.clone(), layer, shape, stored.tensor.dtype.to_string()];
            cells.extend(values::cells(args, surveys.get(at)));
            cells
        });
        let mut columns = ["PATH", "LAYER", "SHAPE", "DTYPE"].map(Column::text).to_vec();
        columns.extend(values::columns(args));
        table::print_columns(out, &columns, rows)?;
        writeln!(out, "\n{}", count(file.variables.len(), "variable"))
    })
}
