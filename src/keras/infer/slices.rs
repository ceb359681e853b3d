//! Indexing with slices, as NumPy defines it.

use crate::keras::calls::Argument;
use crate::keras::json::{InputShape, Value};

use super::arithmetic::bounded;

/// One entry of an index.
enum Entry {
    /// One position: the axis goes.
    Position,
    /// A range of positions.
    Range { start: Option<i64>, stop: Option<i64>, step: Option<i64>, is_computed: bool },
    /// A new axis of size 1.
    NewAxis,
    /// All axes that the other entries leave.
    Ellipsis,
}

/// The shape of an indexed tensor; `None` for indices that are tensors or lists.
pub(super) fn output(shape: &InputShape, index: &Argument) -> Option<InputShape> {
    let entries: Vec<Entry> = match index {
        Argument::List(items) => items.iter().map(of_argument).collect::<Option<_>>()?,
        Argument::Constant(Value::Array(items)) => items.iter().map(of_value).collect::<Option<_>>()?,
        other => vec![of_argument(other)?],
    };
    let used = entries.iter().filter(|entry| matches!(entry, Entry::Position | Entry::Range { .. })).count();
    let left = shape.len().checked_sub(used)?;
    let mut axes = shape.iter().copied();
    let mut indexed = Vec::new();
    for entry in entries {
        match entry {
            Entry::Position => {
                axes.next()?;
            }
            Entry::Range { start, stop, step, is_computed } => {
                let size = axes.next()?;
                indexed.push(if is_computed { None } else { length(size, start, stop, step) });
            }
            Entry::NewAxis => indexed.push(Some(1)),
            Entry::Ellipsis => indexed.extend(axes.by_ref().take(left)),
        }
    }
    indexed.extend(axes);
    bounded(indexed)
}

fn of_argument(argument: &Argument) -> Option<Entry> {
    match argument {
        Argument::Constant(value) => of_value(value),
        // A number that is computed, or a slice with one.
        Argument::Tensor(_) => Some(Entry::Position),
        Argument::Fields(_) => Some(Entry::Range { start: None, stop: None, step: None, is_computed: true }),
        Argument::List(_) => None,
    }
}

fn of_value(value: &Value) -> Option<Entry> {
    match value {
        Value::Number(number) => number.as_i64().map(|_| Entry::Position),
        Value::Null => Some(Entry::NewAxis),
        Value::String(text) if **text == *"..." => Some(Entry::Ellipsis),
        Value::Object(fields) => {
            // Keras 2 writes an ellipsis as `{"class_name": "__ellipsis__"}`.
            if fields.get("class_name").and_then(Value::as_str) == Some("__ellipsis__") {
                return Some(Entry::Ellipsis);
            }
            // Keras 3 has the fields in `config`, Keras 2 has them here.
            let fields = fields.get("config").and_then(Value::as_object).unwrap_or(fields);
            let field = |name: &str| match fields.get(name) {
                None | Some(Value::Null) => Some(None),
                Some(value) => value.as_i64().map(Some),
            };
            let is_slice = ["start", "stop", "step"].iter().any(|name| fields.contains_key(name));
            // A step of zero is an error in NumPy.
            (is_slice && field("step")? != Some(0)).then_some(())?;
            Some(Entry::Range {
                start: field("start")?,
                stop: field("stop")?,
                step: field("step")?,
                is_computed: false,
            })
        }
        Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// How many positions a slice takes of an axis.
fn length(size: Option<usize>, start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Option<usize> {
    let step = step.unwrap_or(1);
    if start.is_none_or(|start| start == 0) && stop.is_none() && step == 1 {
        return size;
    }
    let size = i64::try_from(size?).ok()?;
    let clamp = |bound: i64, low: i64, high: i64| {
        let bound = if bound < 0 { bound.saturating_add(size) } else { bound };
        bound.clamp(low, high)
    };
    let (from, to) = if step > 0 {
        (start.map_or(0, |start| clamp(start, 0, size)), stop.map_or(size, |stop| clamp(stop, 0, size)))
    } else {
        let last = size - 1;
        (start.map_or(last, |start| clamp(start, -1, last)), stop.map_or(-1, |stop| clamp(stop, -1, last)))
    };
    let span = if step > 0 { to.saturating_sub(from) } else { from.saturating_sub(to) };
    if span <= 0 {
        return Some(0);
    }
    let count = span.checked_sub(1)?.checked_div(step.checked_abs()?)?.checked_add(1)?;
    usize::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    fn check(index: Value, expected: Option<&[usize]>) {
        let shape = [7, 8, 9].into_iter().map(Some).collect();
        let expected = expected.map(|sizes| sizes.iter().copied().map(Some).collect::<InputShape>());
        assert_eq!(output(&shape, &Argument::Constant(index.clone())), expected, "{index}");
    }

    #[test]
    fn indexed() {
        let slice =
            |start: Value, stop: Value, step: Value| json!({"start": start, "stop": stop, "step": step});
        let all = || slice(Value::Null, Value::Null, Value::Null);
        check(json!(0), Some(&[8, 9]));
        check(json!([all(), slice(json!(1), Value::Null, Value::Null)]), Some(&[7, 7, 9]));
        check(json!([all(), slice(json!(-3), json!(-1), Value::Null)]), Some(&[7, 2, 9]));
        check(json!([slice(Value::Null, Value::Null, json!(2)), null]), Some(&[4, 1, 8, 9]));
        check(json!([slice(Value::Null, Value::Null, json!(-1))]), Some(&[7, 8, 9]));
        check(json!([slice(json!(5), json!(1), json!(-2))]), Some(&[2, 8, 9]));
        check(json!([slice(json!(6), json!(2), Value::Null)]), Some(&[0, 8, 9]));
        check(json!(["...", 0]), Some(&[7, 8]));
        let keras = json!({"class_name": "__slice__", "config": {"start": 1, "stop": 3, "step": null}});
        check(json!([keras, 0]), Some(&[2, 9]));
        check(json!([0, 0, 0, 0]), None);
        check(json!([[0, 1]]), None);
        check(json!([slice(json!(0), json!(5), json!(0))]), None);
    }
}
