//! The variables of `EinsumDense` (Keras' `einsum_dense.py`).

use crate::keras::architecture::{Generation, KernelAxes};
use crate::keras::error::ErrorKind;
use crate::keras::json::{Config, InputShape};

use super::shapes::{InputShapes, open_size};

/// The letters of an equation of one input and one kernel.
struct Letters {
    input: Vec<char>,
    kernel: Vec<char>,
    output: Vec<char>,
    /// Input and output start with an ellipsis.
    is_left_elided: bool,
    /// Input and output end with one.
    is_right_elided: bool,
}

impl Letters {
    fn read(config: Config<'_>) -> Result<Self, ErrorKind> {
        let expected = "an equation such as `abc,cd->abd`";
        let wrong = || config.wrong("equation", expected);
        let equation = config.text("equation")?.ok_or_else(wrong)?.replace(' ', "");
        let (operands, output) = equation.split_once("->").ok_or_else(wrong)?;
        let (input, kernel) = operands.split_once(',').ok_or_else(wrong)?;
        let is_left_elided = input.starts_with("...") && output.starts_with("...");
        let is_right_elided = input.ends_with("...") && output.ends_with("...");
        let letters = |text: &str| -> Result<Vec<char>, ErrorKind> {
            let text = if is_left_elided { text.strip_prefix("...") } else { None }.unwrap_or(text);
            let text = if is_right_elided { text.strip_suffix("...") } else { None }.unwrap_or(text);
            if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphabetic()) {
                return Err(wrong());
            }
            Ok(text.chars().collect())
        };
        let (input, kernel, output) = (letters(input)?, letters(kernel)?, letters(output)?);
        Ok(Self { input, kernel, output, is_left_elided, is_right_elided })
    }
}

/// How the equation reads the kernel.
pub(in crate::keras) fn kernel_axes(config: Config<'_>) -> Result<KernelAxes, ErrorKind> {
    let Letters { input, kernel, output, .. } = Letters::read(config)?;
    let of_kernel = |letters: &[char], others: &[char]| -> Vec<usize> {
        let own = letters.iter().filter(|letter| !others.contains(letter));
        own.filter_map(|letter| kernel.iter().position(|other| other == letter)).collect()
    };
    let made: Vec<char> = output.iter().copied().filter(|letter| !input.contains(letter)).collect();
    let bias_axes = config.text("bias_axes")?.unwrap_or_default();
    let has_plain_bias = bias_axes.chars().all(|letter| made.contains(&letter));
    Ok(KernelAxes { input: of_kernel(&input, &output), output: of_kernel(&output, &input), has_plain_bias })
}

/// An equation of one input and one kernel, and the shapes of its input and output.
struct Equation<'a> {
    layer: &'a str,
    input: Vec<char>,
    kernel: Vec<char>,
    output: Vec<char>,
    input_shape: &'a InputShape,
    /// The shape of the output as far as the configuration tells it: the batch, the axes that an ellipsis on the
    /// left stands for, `output_shape`, the axes of an ellipsis on the right.
    output_shape: InputShape,
    /// Axes before those of the letters.
    skipped: usize,
    /// Axes behind those of the letters.
    behind: usize,
}

impl<'a> Equation<'a> {
    fn read(
        config: Config<'a>,
        input_shape: &'a InputShape,
        generation: Generation,
    ) -> Result<Self, ErrorKind> {
        let Letters { input, kernel, output, is_left_elided, is_right_elided } = Letters::read(config)?;
        let elided = input_shape.len().checked_sub(input.len());
        let elided = elided.ok_or_else(|| open_size(config.layer, input_shape))?;
        let mut output_shape: InputShape = vec![input_shape.first().copied().flatten()];
        if is_left_elided {
            output_shape.extend(input_shape.iter().take(elided).skip(1));
            // Keras 3 tells the graph a shape with each of them put right behind the batch, so that they end up in
            // reverse order. Keras 2 takes the shape from TensorFlow.
            if let Some(elided) = output_shape.get_mut(1..).filter(|_| generation == Generation::Keras3) {
                elided.reverse();
            }
        }
        output_shape.extend(config.shape("output_shape")?.unwrap_or_default());
        if is_right_elided {
            output_shape.extend(input_shape.iter().skip(input.len()));
        }
        let (skipped, behind) = if is_left_elided { (elided, 0) } else { (0, elided) };
        Ok(Self { layer: config.layer, input, kernel, output, input_shape, output_shape, skipped, behind })
    }

    fn find(&self, letters: &[char], shape: &InputShape, letter: char) -> Option<usize> {
        let at = letters.iter().position(|&other| other == letter)?;
        shape.get(at.checked_add(self.skipped)?).copied().flatten()
    }

    fn open_or_size(&self, letter: char) -> Option<usize> {
        self.find(&self.output, &self.output_shape, letter)
            .or_else(|| self.find(&self.input, self.input_shape, letter))
    }

    fn size(&self, letter: char) -> Result<usize, ErrorKind> {
        self.open_or_size(letter).ok_or_else(|| open_size(self.layer, self.input_shape))
    }
}

/// The shapes of the kernel and, when the layer has one, the bias.
pub(super) fn shapes(
    config: Config<'_>,
    inputs: &InputShapes,
) -> Result<(Vec<usize>, Option<Vec<usize>>), ErrorKind> {
    // The letters of the variables are behind the axes that differ.
    let equation = Equation::read(config, inputs.first(config.layer)?, Generation::Keras3)?;
    let size = |letter: char| equation.size(letter);
    let kernel_shape = equation.kernel.iter().map(|&letter| size(letter)).collect::<Result<Vec<_>, _>>()?;
    let Some(bias_axes) = config.text("bias_axes")?.filter(|axes| !axes.is_empty()) else {
        return Ok((kernel_shape, None));
    };
    let output = &equation.output;
    let first = output.iter().position(|&letter| bias_axes.contains(letter));
    let first = first.ok_or_else(|| config.wrong("bias_axes", "letters of the equation's output"))?;
    let mut bias_shape = output
        .iter()
        .skip(first)
        .map(|&letter| if bias_axes.contains(letter) { size(letter) } else { Ok(1) })
        .collect::<Result<Vec<_>, _>>()?;
    bias_shape.extend(std::iter::repeat_n(1, equation.behind));
    Ok((kernel_shape, Some(bias_shape)))
}

/// The shape of the layer's output; `None` for an equation that does not fit the input.
pub(in crate::keras) fn einsum_output(
    config: Config<'_>,
    input: &InputShape,
    generation: Generation,
) -> Option<InputShape> {
    let equation = Equation::read(config, input, generation).ok()?;
    let mut shape = equation.output_shape.clone();
    for (at, &letter) in equation.output.iter().enumerate() {
        if let Some(size) = shape.get_mut(at.checked_add(equation.skipped)?) {
            *size = size.or(equation.open_or_size(letter));
        }
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    fn check(
        equation: &str,
        output: &[Option<usize>],
        bias: Option<&str>,
        expected: (&[usize], Option<&[usize]>),
    ) {
        let object = json!({"config": {"equation": equation, "output_shape": output, "bias_axes": bias}});
        let inputs = InputShapes::of([Ok(vec![None, Some(5), Some(4)])]);
        let (kernel, bias) = shapes(Config::of(&object, "e").unwrap(), &inputs).unwrap();
        assert_eq!((kernel.as_slice(), bias.as_deref()), expected, "{equation}");
    }

    fn check_axes(equation: &str, bias: Option<&str>, expected: (&[usize], &[usize], bool)) {
        let object = json!({"config": {"equation": equation, "bias_axes": bias}});
        let found = kernel_axes(Config::of(&object, "e").unwrap()).unwrap();
        assert_eq!((&*found.input, &*found.output, found.has_plain_bias), expected, "{equation}");
    }

    #[test]
    fn how_kernels_are_read() {
        check_axes("abc,cd->abd", None, (&[0], &[1], true));
        check_axes("abc,dc->abd", Some("d"), (&[1], &[0], true));
        check_axes("abc,ced->abde", Some("de"), (&[0], &[2, 1], true));
        check_axes("abc,cde->abed", None, (&[0], &[2, 1], true));
        check_axes("btnh,hnd->btd", None, (&[1, 0], &[2], true));
        check_axes("btd,ndh->btnh", None, (&[1], &[0, 2], true));
        check_axes("...x,xy->...y", Some("y"), (&[0], &[1], true));
        check_axes("abc,cd->abd", Some("b"), (&[0], &[1], false));
        check_axes("abc,bcd->abd", None, (&[1], &[2], true));
    }

    #[test]
    fn shapes_of_both_variables() {
        check("abc,cde->abde", &[None, Some(2), Some(3)], Some("de"), (&[4, 2, 3], Some(&[2, 3])));
        check("abc,cde->abde", &[Some(5), Some(2), Some(3)], Some("d"), (&[4, 2, 3], Some(&[2, 1])));
        check("abc,cd->abd", &[Some(5), Some(3)], Some("b"), (&[4, 3], Some(&[5, 1])));
        check("abc,cd->abd", &[None, Some(3)], None, (&[4, 3], None));
        check("...x,xy->...y", &[Some(3)], Some("y"), (&[4, 3], Some(&[3])));
    }
}
