//! What was nearly right.

use crate::schema::{Pattern, Separator};
use crate::tensor::{Dtype, Shape};

/// The least similarity (Jaro-Winkler, 0 to 1) at which a name is worth suggesting.
const SIMILAR: f64 = 0.75;

/// How many names are suggested at most.
const SUGGESTIONS: usize = 3;

/// The names most similar to a name or pattern.
pub(in crate::plan) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut scored: Vec<(f64, &str)> = names
        .filter(|name| !name.is_empty() && *name != wanted)
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(score, _)| *score >= SIMILAR)
        .collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    scored.dedup_by_key(|(_, name)| *name);
    if scored.is_empty() {
        return None;
    }
    let names: Vec<String> = scored.iter().take(SUGGESTIONS).map(|(_, name)| format!("`{name}`")).collect();
    Some(format!("did you mean {}?", names.join(" or ")))
}

/// What to do about a class without rules: another was meant, where a rule says one that is spelt like it.
pub(in crate::plan) fn unknown_class<'a>(
    name: &str,
    is_told: bool,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let same = known.clone().find(|known| known.eq_ignore_ascii_case(name));
    let meant = match same {
        Some(same) => Some(format!("did you mean `{same}`?")),
        None => nearest(name, known),
    };
    meant.filter(|_| is_told).unwrap_or_else(|| {
        format!("write [class.{name}] in the schema, or [[tensor]] rules for its variables")
    })
}

/// Segments that a prefix may have for a hint: models are some ten deep, and a hostile name has as many as letters.
const MAX_SEGMENTS: usize = 64;

/// What to do about a pattern that matches names once a prefix of theirs, or its own, is left out.
pub(in crate::plan) fn misplaced<'a>(
    pattern: &Pattern,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    let below =
        |name: &'a str| name.match_indices('.').take(MAX_SEGMENTS).map(move |(at, _)| name.split_at(at + 1));
    let lacking = names.clone().flat_map(below).find(|(_, rest)| pattern.matches(rest).is_some());
    if let Some((prefix, rest)) = lacking {
        return Some(format!(
            "`{prefix}{rest}` matches without `{prefix}`: say `prefix = \"{prefix}\"` in [source], or name it whole"
        ));
    }
    let (prefix, rest) = pattern.as_str().split_once('.').filter(|(prefix, _)| !prefix.contains('{'))?;
    let rest = Pattern::parse(rest, Separator::Dot).ok()?;
    let name = names.clone().find(|name| rest.matches(name).is_some())?;
    Some(format!("without its `{prefix}.` the rule matches `{name}`"))
}

/// What to do about a layer that Keras has quantized.
pub(in crate::plan) const QUANTIZED: &str =
    "the Keras model is quantized, and the float model is needed: save the architecture before `quantize`";

/// Whether a variable is of a type that Keras 3 keeps quantized kernels in, and PyTorch no parameter of a float
/// module.
pub(in crate::plan) const fn is_quantized(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::I8 | Dtype::U8)
}

/// What to do where values of one type cannot become values of the other.
pub(in crate::plan) fn conversion(source: Dtype, target: Dtype) -> Option<String> {
    let hint = match (source.is_complex(), target.is_complex()) {
        (true, true) if source == target => "complex tensors are not added; add them before saving",
        (true, false) => {
            "a real variable holds one of the two parts: save `tensor.real` or `tensor.imag` under a name of its own"
        }
        (_, true) => "save the tensor in the variable's type: only equal complex types are copied",
        (false, false) if source.is_float() && is_quantized(target) => QUANTIZED,
        (false, false) if !source.is_float() && matches!(target, Dtype::I32 | Dtype::I64) => {
            return Some(format!(
                "save the tensor as {target}, as by `tensor.to(torch.{target})`, if that holds its values; or give the \
                 variable its value with [[fill]], or with [[keep]] from the architecture's file"
            ));
        }
        (false, false) => return None,
    };
    Some(hint.to_owned())
}

/// How many axes at most are permuted in search of a fit: all orders of more are too many to try.
const PERMUTED_AXES: usize = 5;

/// The permutations of a source's axes that give the target's shape, as a hint.
pub(in crate::plan) fn permutation(source: &Shape, target: &Shape) -> Option<String> {
    let rank = source.rank();
    if rank != target.rank() || !(2..=PERMUTED_AXES).contains(&rank) {
        return None;
    }
    let mut found = Vec::new();
    permute(&mut (0..rank).collect(), 0, &mut |order| {
        if order.iter().zip(target.sizes()).all(|(&axis, &size)| source.sizes()[axis] == size) {
            found.push(order.to_vec());
        }
    });
    let letters: Vec<String> = ('a'..).take(rank).map(String::from).collect();
    let layout = |order: &Vec<usize>| {
        let right: Vec<&str> = order.iter().map(|&axis| letters[axis].as_str()).collect();
        format!("`{} -> {}`", letters.join(" "), right.join(" "))
    };
    match found.as_slice() {
        [] => None,
        [order] if order.is_sorted() => Some("the shapes match as they are, without a layout".to_owned()),
        [order] => Some(format!("the shapes match after transposing: layout = {}", layout(order))),
        [first, .., last] => Some(format!(
            "the shapes match after transposing in more than one way, such as {} and {}",
            layout(first),
            layout(last)
        )),
    }
}

fn permute(order: &mut Vec<usize>, fixed: usize, visit: &mut dyn FnMut(&[usize])) {
    if fixed == order.len() {
        return visit(order);
    }
    for at in fixed..order.len() {
        order.swap(fixed, at);
        permute(order, fixed + 1, visit);
        order.swap(fixed, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &[usize], target: &[usize], expected: Option<&str>) {
        let hint = permutation(&Shape::new(source).unwrap(), &Shape::new(target).unwrap());
        assert_eq!(hint.as_deref(), expected);
    }

    #[test]
    fn conversions() {
        let hint = conversion(Dtype::I64, Dtype::I32).unwrap();
        assert!(hint.starts_with("save the tensor as int32, as by `tensor.to(torch.int32)`"), "{hint}");
        assert_eq!(conversion(Dtype::F32, Dtype::I32), None);
    }

    #[test]
    fn permutations() {
        check(
            &[16, 3, 5, 7],
            &[5, 7, 3, 16],
            Some("the shapes match after transposing: layout = `a b c d -> c d b a`"),
        );
        check(&[16, 3], &[3, 16], Some("the shapes match after transposing: layout = `a b -> b a`"));
        check(&[16, 3], &[3, 15], None);
        check(
            &[3, 3, 2],
            &[2, 3, 3],
            Some(
                "the shapes match after transposing in more than one way, such as `a b c -> c b a` and `a b c -> c a b`",
            ),
        );
    }

    #[test]
    fn suggestions() {
        let names = ["layer1.0.conv1", "layer1.0.conv2", "fc"];
        assert_eq!(
            nearest("layer1.0.conv", names.into_iter()).as_deref(),
            Some("did you mean `layer1.0.conv1` or `layer1.0.conv2`?")
        );
        assert_eq!(nearest("zzz", names.into_iter()), None);
    }
}
