//! The cells of the table.

use super::super::row::{Measured, Row};
use super::super::spread::Spread;

/// Of a row: its name, ours, the other's, the ratio, the goal, the verdict, and a note.
const COLUMNS: usize = 11;

const HEAD: [&str; COLUMNS] = [
    "row",
    "what",
    "unit",
    "min",
    "median",
    "max",
    "beside",
    "its median",
    "ratio (min–max)",
    "goal",
    "verdict",
];

/// Digits that tell measurements apart.
const DIGITS: usize = 3;

/// The head, and a line for every row.
pub(super) fn cells(rows: &[Row]) -> Vec<[String; COLUMNS]> {
    let head = HEAD.map(str::to_owned);
    std::iter::once(head).chain(rows.iter().map(cells_of)).collect()
}

/// The width of each column.
pub(super) fn widths(cells: &[[String; COLUMNS]]) -> Vec<usize> {
    let width =
        |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    (0..COLUMNS).filter_map(width).collect()
}

fn cells_of(row: &Row) -> [String; COLUMNS] {
    let mut cells = [const { String::new() }; COLUMNS];
    cells[0] = row.case.to_owned();
    cells[1].clone_from(&row.name);
    match &row.result {
        Err(reason) => cells[COLUMNS - 1] = format!("not run: {}", reason.replace('\n', " ")),
        Ok(measured) => fill(&mut cells, row, measured),
    }
    cells
}

fn fill(cells: &mut [String; COLUMNS], row: &Row, measured: &Measured) {
    let ours = Spread::of(&measured.ours);
    cells[2] = measured.unit.to_owned();
    cells[3] = number(ours.min);
    cells[4] = number(ours.median);
    cells[5] = number(ours.max);
    if let Some(beside) = &measured.beside {
        let ratio = Spread::of(&beside.ratios);
        cells[6].clone_from(&beside.name);
        cells[7] = number(Spread::of(&beside.theirs).median);
        cells[8] = format!("{} ({}–{})", number(ratio.median), number(ratio.min), number(ratio.max));
    }
    if let Some(goal) = &measured.goal {
        cells[9] = goal.text();
    }
    let verdict = row.verdict().map(|verdict| verdict.text());
    let parts: Vec<&str> = verdict.into_iter().chain(measured.note.as_deref()).collect();
    cells[10] = parts.join("; ");
}

/// With three digits that count, and never an exponent.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let whole = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let decimals = usize::try_from(DIGITS as i32 - 1 - whole).unwrap_or(0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, expected) in [
            (0.0, "0.00"),
            (0.004_561, "0.00456"),
            (0.7654, "0.765"),
            (9.876, "9.88"),
            (31.46, "31.5"),
            (12345.6, "12346"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
