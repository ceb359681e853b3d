//! Keras files: the variables of an architecture, with their values where the file holds them.

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
use crate::keras::{Architecture, Generation, Origin, Variable};
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

/// Where a variable lies.
struct Place {
    /// The dataset in a `.weights.h5`.
    weights_h5: Option<String>,
    /// The dataset in a legacy `.h5`.
    legacy: Option<String>,
    /// Its place in the order of a legacy `.h5`, from 0.
    legacy_index: Option<usize>,
}

fn places(architecture: &Architecture) -> Vec<Place> {
    let order = architecture.legacy_order().unwrap_or_default();
    let order: HashMap<usize, usize> = order.into_iter().enumerate().map(|(place, at)| (at, place)).collect();
    let both = architecture.weights_h5_places().into_iter().zip(architecture.legacy_places());
    both.enumerate()
        .map(|(at, (weights_h5, legacy))| Place { weights_h5, legacy, legacy_index: order.get(&at).copied() })
        .collect()
}

/// Shows the variables of a model.
pub(super) fn show(
    args: &args::Inspect,
    architecture: &Architecture,
    terminal: Terminal,
) -> Result<(), Failure> {
    let surveys = survey_variables(args, architecture, terminal)?;
    let rows = Rows { architecture, places: places(architecture), surveys };
    if terminal.json {
        return terminal.json_result(&json!({
            "path": architecture.path.to_string_lossy(),
            "form": origin_name(architecture.origin),
            "keras": match architecture.generation {
                Generation::Keras2 => 2,
                Generation::Keras3 => 3,
            },
            "variables": rows.each().map(|row| row.to_json(architecture)).collect::<Vec<_>>(),
        }));
    }
    terminal.result(|out| {
        let path = escape(&architecture.path.to_string_lossy());
        writeln!(out, "{HEADING}{path}{HEADING:#}: {}\n", origin_name(architecture.origin))?;
        let has_groups = architecture.origin != Origin::LegacyTemplate;
        let mut columns = ["VARIABLE", "CLASS", "SHAPE", "DTYPE"].map(Column::text).to_vec();
        columns.extend(values::columns(args));
        if terminal.verbose {
            columns.push(Column::text("TRAINABLE"));
        }
        if has_groups {
            columns.push(Column::text("IN .weights.h5"));
        }
        if !has_groups || terminal.verbose {
            columns.push(Column::text("IN LEGACY .h5"));
        }
        let cells = rows.each().map(|row| {
            let Row { variable, place, survey } = row;
            let class = row.class(architecture).unwrap_or("?").to_owned();
            let mut cells = vec![variable.path.to_string(), class];
            cells.extend([variable.shape.to_string(), variable.dtype.to_string()]);
            cells.extend(values::cells(args, survey.as_ref()));
            if terminal.verbose {
                cells.push(if variable.trainable { "yes" } else { "no" }.to_owned());
            }
            if has_groups {
                cells.push(place.weights_h5.clone().unwrap_or_else(String::new));
            }
            if !has_groups || terminal.verbose {
                cells.push(place.legacy.clone().unwrap_or_else(String::new));
            }
            cells
        });
        table::print_columns(out, &columns, cells)?;
        let elements: usize = architecture.variables.iter().map(|variable| variable.shape.numel()).sum();
        let variables = count(architecture.variables.len(), "variable");
        writeln!(out, "\n{variables}, {} elements", HumanCount(elements as u64))
    })
}

struct Rows<'a> {
    architecture: &'a Architecture,
    places: Vec<Place>,
    surveys: Vec<Option<Survey>>,
}

impl Rows<'_> {
    fn each(&self) -> impl Iterator<Item = Row<'_>> + Clone {
        let all = self.architecture.variables.iter().zip(&self.places).zip(&self.surveys);
        all.map(|((variable, place), survey)| Row { variable, place, survey })
    }
}

struct Row<'a> {
    variable: &'a Variable,
    place: &'a Place,
    survey: &'a Option<Survey>,
}

impl Row<'_> {
    fn class<'a>(&self, architecture: &'a Architecture) -> Option<&'a str> {
        architecture.layers.get(self.variable.layer).and_then(|layer| layer.class.as_deref())
    }

    fn to_json(&self, architecture: &Architecture) -> Json {
        let Self { variable, place, survey } = self;
        let mut entry = Map::new();
        let mut set = |name: &str, value: Json| entry.insert(name.to_owned(), value);
        set("path", variable.path.as_str().into());
        set("class", self.class(architecture).into());
        set("shape", variable.shape.sizes().into());
        set("dtype", variable.dtype.name().into());
        set("trainable", variable.trainable.into());
        set("weights_h5", place.weights_h5.as_deref().into());
        set("legacy", place.legacy.as_deref().into());
        set("legacy_index", place.legacy_index.into());
        json::add_survey(&mut entry, survey.as_ref());
        Json::Object(entry)
    }
}

/// What was found out of each variable's values: nothing where it is not asked for.
fn survey_variables(
    args: &args::Inspect,
    architecture: &Architecture,
    terminal: Terminal,
) -> Result<Vec<Option<Survey>>, Failure> {
    let mut found = vec![None; architecture.variables.len()];
    if !args.reads_values() {
        return Ok(found);
    }
    if !architecture.origin.has_values() {
        return Err(Failure::NoValues { path: architecture.path.clone() });
    }
    let held = architecture.variables.iter().enumerate();
    let held =
        held.filter_map(|(at, variable)| Some((at, variable.path.as_str(), variable.value.as_deref()?)));
    let (held, tensors): (Vec<usize>, Vec<(&str, &LazyTensor)>) =
        held.map(|(at, path, tensor)| (at, (path, tensor))).unzip();
    let surveys = values::read(args, &architecture.path, Exit::Architecture, &tensors, terminal)?;
    values::warn(&tensors, &surveys, terminal);
    for (at, survey) in held.into_iter().zip(surveys) {
        if let Some(place) = found.get_mut(at) {
            *place = Some(survey);
        }
    }
    Ok(found)
}
