//! What sums over products make, by their equation.

use crate::keras::json::InputShape;

use super::arithmetic::{bounded, broadcast};

/// The output of `einsum`: each letter has the size that any operand gives it, and an ellipsis the axes that the
/// letters leave, broadcast.
pub(super) fn output(equation: &str, operands: &[InputShape]) -> Option<InputShape> {
    let equation = equation.replace(' ', "");
    let (inputs, output) = equation.split_once("->")?;
    let inputs: Vec<&str> = inputs.split(',').collect();
    if inputs.len() != operands.len() {
        return None;
    }
    let mut sizes: Vec<(char, Option<usize>)> = Vec::new();
    let mut elided: InputShape = Vec::new();
    for (letters, shape) in inputs.iter().zip(operands) {
        let (before, after) = letters.split_once("...").unwrap_or((letters, ""));
        let (before, after): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
        let between = shape.len().checked_sub(before.len().checked_add(after.len())?)?;
        let has_ellipsis = letters.contains("...");
        if between > 0 && !has_ellipsis {
            return None;
        }
        let (first, rest) = shape.split_at_checked(before.len())?;
        let (middle, last) = rest.split_at_checked(between)?;
        elided = broadcast(&elided, middle);
        for (&letter, &size) in before.iter().zip(first).chain(after.iter().zip(last)) {
            match sizes.iter_mut().find(|(other, _)| *other == letter) {
                Some((_, known)) => *known = size.filter(|&size| size != 1).or(*known).or(size),
                None => sizes.push((letter, size)),
            }
        }
    }
    let (before, after) = output.split_once("...").unwrap_or((output, ""));
    let find = |letter: char| sizes.iter().find(|(other, _)| *other == letter).map(|&(_, size)| size);
    let mut shape: InputShape = before.chars().map(find).collect::<Option<_>>()?;
    if output.contains("...") {
        shape.extend(elided);
    }
    shape.extend(after.chars().map(find).collect::<Option<Vec<_>>>()?);
    bounded(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(equation: &str, operands: &[&[usize]], expected: &[usize]) {
        let some = |sizes: &[usize]| sizes.iter().copied().map(Some).collect::<InputShape>();
        let operands: Vec<InputShape> = operands.iter().map(|sizes| some(sizes)).collect();
        assert_eq!(output(equation, &operands), Some(some(expected)), "{equation}");
    }

    #[test]
    fn outputs() {
        check("abc, cd -> abd", &[&[2, 3, 4], &[4, 5]], &[2, 3, 5]);
        check("...c,cd->...d", &[&[2, 3, 4], &[4, 5]], &[2, 3, 5]);
        check("bhqd,bhkd->bhqk", &[&[2, 3, 4, 5], &[2, 3, 7, 5]], &[2, 3, 4, 7]);
        check("ab->", &[&[2, 3]], &[]);
        assert_eq!(output("ab,c->ac", &[vec![Some(2)], vec![Some(3)]]), None);
        assert_eq!(output("ab->c", &[vec![Some(2), Some(3)]]), None);
    }
}
