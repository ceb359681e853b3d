//! A checkpoint for people: what it is, then its tensors.

use std::io::Write;

use indicatif::{HumanBytes, HumanCount};

use super::group::{self, Row};
use super::{json, values};
use crate::checkpoint::{Checkpoint, Role, Tensor, as_key};
use crate::cli::asked::Asked;
use crate::cli::escape::escape;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::table::{self, Column, count};
use crate::cli::terminal::{HEADING, PLACE, Terminal};
use crate::cli::{args, candidates, warnings};
use crate::lazy::survey::Survey;
use crate::lazy::{LazyTensor, Recipe};
use crate::tensor::Dtype;

/// Rows that are shown as they are: what fits on a screen.
const MAX_UNFOLDED: usize = 40;

/// Tensors that are folded, which takes some hundred bytes for each. The largest known models, of experts in
/// shards, have about 150,000.
const MAX_FOLDED: usize = 1 << 18;

/// Columns of the labels in front of what the checkpoint is.
const LABEL: usize = 12;

/// Shows a checkpoint.
pub(super) fn show(args: &args::Inspect, terminal: Terminal) -> Result<(), Failure> {
    let mut checkpoint = Checkpoint::open(&args.file, &args.open_options())?;
    if args.reads_values() {
        let damage = checkpoint.check_records(args.threads);
        checkpoint.warnings.extend(damage);
    }
    let tensors: Vec<(&str, &LazyTensor)> =
        checkpoint.tensors.iter().map(|tensor| (tensor.key.as_str(), &tensor.tensor)).collect();
    let surveys = values::read(args, &checkpoint.path, Exit::Checkpoint, &tensors, terminal)?;
    let groups = tied_groups(&checkpoint.tensors);
    if terminal.json {
        terminal.json_result(&json::Document {
            checkpoint: &checkpoint,
            groups: &groups,
            surveys: &surveys,
        })?;
    } else {
        let list =
            List { checkpoint: &checkpoint, groups, surveys: &surveys, args, verbose: terminal.verbose };
        terminal.result(|out| {
            print_facts(&checkpoint, out)?;
            list.print(out)
        })?;
    }
    warnings::print(&checkpoint.warnings, terminal);
    values::warn(&tensors, &surveys, terminal);
    Ok(())
}

/// For each tensor the number, from 1 on, of its group of tied tensors, if it is in one.
fn tied_groups(tensors: &[Tensor]) -> Vec<Option<usize>> {
    let mut groups = vec![None; tensors.len()];
    let mut number = 0;
    for (place, tensor) in tensors.iter().enumerate() {
        let Some(first) = tensor.tied_to else { continue };
        let Some(group) = groups.get_mut(first) else { continue };
        let group = *group.get_or_insert_with(|| {
            number += 1;
            number
        });
        if let Some(own) = groups.get_mut(place) {
            *own = Some(group);
        }
    }
    groups
}

fn print_facts(checkpoint: &Checkpoint, out: &mut dyn Write) -> std::io::Result<()> {
    let Checkpoint { path, form, tensors, state_dict_path, candidates: found, stripped, .. } = checkpoint;
    let path = escape(&path.to_string_lossy());
    writeln!(out, "{HEADING}{path}{HEADING:#}: {form}")?;
    let mut fact =
        |label: &str, text: String| writeln!(out, "  {PLACE}{label:LABEL$}{PLACE:#}{}", escape(&text));
    if let Some(writer) = &checkpoint.written_by {
        fact("written by", writer.clone())?;
    }
    if let Some(trainer) = &checkpoint.trainer {
        fact("trainer", trainer.clone())?;
    }
    let place = if state_dict_path.is_empty() {
        "the root".to_owned()
    } else {
        format!("`{}`", as_key(state_dict_path))
    };
    fact("state_dict", place)?;
    if !stripped.is_empty() {
        let prefixes: Vec<String> = stripped.iter().map(|prefix| format!("`{prefix}`")).collect();
        fact("stripped", format!("{} from the keys", prefixes.join(", ")))?;
    }
    fact("tensors", totals(tensors))?;
    let dtypes = histogram(tensors.iter().map(|tensor| tensor.tensor.dtype), Dtype::name);
    fact("dtypes", dtypes)?;
    if tensors.iter().any(|tensor| tensor.role != Role::Unknown) {
        let role = |tensor: &Tensor| role_name(tensor.role).unwrap_or("unknown");
        fact("roles", histogram(tensors.iter().map(role), |role| role))?;
    }
    if found.len() > 1 {
        writeln!(out, "\nIt holds {}:", count(found.len(), "state_dict"))?;
        for line in candidates::lines(found, Some(state_dict_path), Asked::Options) {
            writeln!(out, "  {line}")?;
        }
    }
    writeln!(out)
}

/// `7: 510 elements, 2.05 KiB`; tied tensors are counted once.
fn totals(tensors: &[Tensor]) -> String {
    let (elements, bytes) = json::totals(tensors);
    let tied = tensors.iter().filter(|tensor| tensor.tied_to.is_some()).count();
    let once = if tied > 0 {
        format!("; {} of them tied to others, not counted again", HumanCount(tied as u64))
    } else {
        String::new()
    };
    let (number, elements) = (HumanCount(tensors.len() as u64), HumanCount(elements));
    format!("{number}: {elements} elements, {}{once}", HumanBytes(bytes))
}

/// `5 float32, 2 int64`, in the order of first appearance.
fn histogram<T: PartialEq + Copy>(values: impl Iterator<Item = T>, name: fn(T) -> &'static str) -> String {
    let mut counts: Vec<(T, u64)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    let parts = counts.into_iter().map(|(value, count)| format!("{} {}", HumanCount(count), name(value)));
    parts.collect::<Vec<_>>().join(", ")
}

/// What the role is called; `None` where the file does not tell.
pub(super) const fn role_name(role: Role) -> Option<&'static str> {
    match role {
        Role::Unknown => None,
        Role::Parameter => Some("parameter"),
        Role::Buffer => Some("buffer"),
        Role::NonPersistentBuffer => Some("non-persistent buffer"),
        Role::Attribute => Some("attribute"),
    }
}

/// The table of the tensors.
struct List<'a> {
    checkpoint: &'a Checkpoint,
    groups: Vec<Option<usize>>,
    surveys: &'a [Survey],
    args: &'a args::Inspect,
    verbose: bool,
}

impl List<'_> {
    fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let tensors = &self.checkpoint.tensors;
        let rows = self.rows();
        let mut columns = vec![Column::text("KEY"), Column::number(""), Column::text("DTYPE")];
        columns.extend([Column::text("SHAPE"), Column::text("BYTES")]);
        columns.extend(values::columns(self.args));
        columns.push(Column::text("REMARK"));
        let rows_cells = rows.iter().filter_map(|row| Some(self.cells(row, tensors.get(row.first)?)));
        table::print_columns(out, &columns, rows_cells)?;
        if rows.len() < tensors.len() {
            let tensors = count(tensors.len(), "tensor");
            writeln!(out, "\n{tensors} in {}; --all shows every one", count(rows.len(), "row"))?;
        }
        Ok(())
    }

    /// Every tensor; of a long list, blocks that are alike once. Values differ, and so does what is said of
    /// them.
    fn rows(&self) -> Vec<Row> {
        let tensors = &self.checkpoint.tensors;
        let every = self.verbose || self.args.all || self.args.reads_values();
        if !every && (MAX_UNFOLDED + 1..=MAX_FOLDED).contains(&tensors.len()) {
            let keys = tensors.iter().zip(&self.groups);
            let keys: Vec<_> =
                keys.map(|(tensor, group)| (tensor.key.as_str(), Likeness::of(tensor, *group))).collect();
            let rows = group::fold(&keys);
            // Where nothing is alike, the order of the file stays.
            if rows.len() < tensors.len() {
                return rows;
            }
        }
        let row =
            |(first, tensor): (usize, &Tensor)| Row { key: tensor.key.as_str().to_owned(), first, count: 1 };
        tensors.iter().enumerate().map(row).collect()
    }

    fn cells(&self, row: &Row, tensor: &Tensor) -> Vec<String> {
        let lazy = &tensor.tensor;
        let times =
            if row.count > 1 { format!("{} ×", HumanCount(row.count as u64)) } else { String::new() };
        let bytes = (lazy.byte_len() as u64).saturating_mul(row.count as u64);
        let mut cells = vec![row.key.clone(), times, lazy.dtype.to_string(), lazy.view.shape().to_string()];
        cells.push(HumanBytes(bytes).to_string());
        cells.extend(values::cells(self.args, self.surveys.get(row.first)));
        cells.push(self.remarks(row, tensor).join("; "));
        cells
    }

    fn remarks(&self, row: &Row, tensor: &Tensor) -> Vec<String> {
        let view = &tensor.tensor.view;
        let mut remarks = Vec::new();
        match tensor.role {
            Role::Unknown | Role::Parameter => {}
            Role::Buffer | Role::NonPersistentBuffer | Role::Attribute => {
                remarks.extend(role_name(tensor.role).map(str::to_owned));
            }
        }
        if let Some(group) = self.groups.get(row.first).copied().flatten() {
            let first = tensor.tied_to.and_then(|first| self.checkpoint.tensors.get(first));
            // A folded row of tied tensors may hold the first itself.
            remarks.push(match first.filter(|_| row.count == 1) {
                Some(first) => format!("tied group {group} (the same as {})", first.key),
                None => format!("tied group {group}"),
            });
        }
        remarks.extend(tensor.tensor.storage.recipe().map(Recipe::description));
        if self.verbose || !view.is_contiguous() {
            remarks.push(format!("strides {:?}", view.strides()));
        }
        if self.verbose {
            remarks.push(format!("offset {}", view.offset()));
        }
        remarks
    }
}

/// What is said of a tensor besides its key: rows that are folded say it once.
#[derive(PartialEq, Eq, Hash)]
struct Likeness<'a> {
    dtype: Dtype,
    sizes: &'a [usize],
    /// Where the tensor is not contiguous.
    strides: Option<&'a [usize]>,
    role: Option<&'static str>,
    tied_group: Option<usize>,
    /// How its values are computed.
    recipe: Option<String>,
}

impl<'a> Likeness<'a> {
    fn of(tensor: &'a Tensor, tied_group: Option<usize>) -> Self {
        let view = &tensor.tensor.view;
        Self {
            dtype: tensor.tensor.dtype,
            sizes: view.shape().sizes(),
            strides: (!view.is_contiguous()).then(|| view.strides()),
            role: role_name(tensor.role),
            tied_group,
            recipe: tensor.tensor.storage.recipe().map(Recipe::description),
        }
    }
}
