//! The schema language, from TOML to values: what each key does to tensors that count 0, 1, 2, ….

use ptw2k::keras::Origin;
use ptw2k::lazy::LazyTensor;
use ptw2k::plan::{PlanOptions, Value, plan};
use ptw2k::schema::Schema;
use ptw2k::tensor::{CopyAxis, StridedCopy};

use crate::made::{architecture, checkpoint, layer};

/// Plans a schema and evaluates every binding with plain loops: variable by variable, `path: values`. What
/// no copy writes shows as NaN.
fn values(schema: &str, tensors: &[(&str, &[usize])], variables: &[(&str, &[usize])]) -> Vec<String> {
    let schema = Schema::parse("schema.toml", &format!("schema = 1\n{schema}"), None).unwrap();
    let specs: Vec<_> =
        variables.iter().map(|variable| layer("m", "Custom", std::slice::from_ref(variable))).collect();
    let plan =
        plan(&checkpoint(tensors), &schema, architecture(Origin::Json, &specs), &PlanOptions::default())
            .unwrap();
    let evaluate = |binding: &ptw2k::plan::Binding| {
        let variable = &plan.architecture.variables[binding.variable];
        let numel = variable.shape.numel();
        let mut total = vec![0.0; numel];
        match &binding.value {
            Value::Fill(value) => total.fill(*value),
            Value::Gather(terms) => {
                for term in terms {
                    let mut values = vec![f64::NAN; numel];
                    for part in &term.parts {
                        apply(&part.copy, &mut |from, to| values[to] = element(&part.source, from));
                    }
                    total.iter_mut().zip(values).for_each(|(total, value)| *total += value);
                }
            }
        }
        format!("{}: {total:?}", variable.path)
    };
    plan.bindings.iter().map(evaluate).collect()
}

fn element(tensor: &LazyTensor, at: usize) -> f64 {
    f64::from(f32::from_le_bytes(
        tensor.storage.ready().unwrap().as_slice()[4 * at..4 * at + 4].try_into().unwrap(),
    ))
}

fn apply(copy: &StridedCopy, visit: &mut dyn FnMut(usize, usize)) {
    fn step(axes: &[CopyAxis], from: usize, to: usize, visit: &mut dyn FnMut(usize, usize)) {
        match axes.split_first() {
            None => visit(from, to),
            Some((axis, rest)) => {
                for i in 0..axis.size {
                    step(rest, from + i * axis.source_stride, to + i * axis.target_stride, visit);
                }
            }
        }
    }
    step(&copy.axes, copy.source_offset, copy.target_offset, visit);
}

/// One `[[tensor]]` rule.
fn check(rule: &str, tensors: &[(&str, &[usize])], variables: &[(&str, &[usize])], expected: &[&str]) {
    assert_eq!(values(&format!("[[tensor]]\n{rule}"), tensors, variables), expected, "{rule}");
}

#[test]
fn layouts() {
    check("torch = 'w'\nkeras = 'm/v'", &[("w", &[3])], &[("v", &[3])], &["m/v: [0.0, 1.0, 2.0]"]);
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = 'a b -> b a'",
        &[("w", &[2, 3])],
        &[("v", &[3, 2])],
        &["m/v: [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]"],
    );
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = '(a b) -> (b a)'\nsizes = { a = 2 }",
        &[("w", &[6])],
        &[("v", &[6])],
        &["m/v: [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]"],
    );
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = ['a b c -> a b c', 'c -> 1 1 c']",
        &[("w", &[2])],
        &[("v", &[1, 1, 2])],
        &["m/v: [0.0, 1.0]"],
    );
}

#[test]
fn order_slice_take_reduce() {
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = '(g u) -> (g u)'\nsizes = { g = 3 }\norder = { g = [1, 0, 2] }",
        &[("w", &[6])],
        &[("v", &[6])],
        &["m/v: [2.0, 3.0, 0.0, 1.0, 4.0, 5.0]"],
    );
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = 'v d -> v d'\nslice = { v = '2:' }",
        &[("w", &[4, 1])],
        &[("v", &[2, 1])],
        &["m/v: [2.0, 3.0]"],
    );
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = 'v -> v'\nslice = { v = 'fit' }",
        &[("w", &[4])],
        &[("v", &[3])],
        &["m/v: [0.0, 1.0, 2.0]"],
    );
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = 'p d -> d'\ntake = { p = 1 }",
        &[("w", &[2, 3])],
        &[("v", &[3])],
        &["m/v: [3.0, 4.0, 5.0]"],
    );
    check(
        "torch = 'bias_{b:ih|hh}'\nkeras = 'm/v'\nlayout = 'g -> g'\nreduce = 'sum'",
        &[("bias_ih", &[3]), ("bias_hh", &[3])],
        &[("v", &[3])],
        &["m/v: [0.0, 2.0, 4.0]"],
    );
}

#[test]
fn captures_as_axes() {
    check(
        "torch = 'experts.{e}.w'\nkeras = 'm/v'\nlayout = 'o i -> e i o'",
        &[("experts.1.w", &[1, 2]), ("experts.0.w", &[1, 2])],
        &[("v", &[2, 2, 1])],
        &["m/v: [0.0, 1.0, 0.0, 1.0]"],
    );
    check(
        "torch = 'qkv'\nkeras = 'm/{p:q|k|v}'\nlayout = '(p h) d -> d h'",
        &[("qkv", &[4, 1])],
        &[("q", &[1, 2]), ("k", &[1, 1]), ("v", &[1, 1])],
        &["m/q: [0.0, 1.0]", "m/k: [2.0]", "m/v: [3.0]"],
    );
    check(
        "torch = '{g:gate|up}'\nkeras = 'm/v'\nlayout = 'o i -> i (g o)'",
        &[("up", &[1, 2]), ("gate", &[2, 2])],
        &[("v", &[2, 3])],
        &["m/v: [0.0, 2.0, 0.0, 1.0, 3.0, 1.0]"],
    );
    check(
        "torch = 'n.{w:weight|gamma}'\nkeras = 'm/v'\nlayout = 'c -> c'",
        &[("n.gamma", &[2])],
        &[("v", &[2])],
        &["m/v: [0.0, 1.0]"],
    );
}

#[test]
fn names() {
    let two: &[(&str, &[usize])] = &[("a.0.w", &[1]), ("a.1.w", &[2])];
    check(
        "torch = 'a.{i}.w'\nkeras = 'm/v{2*i+1}'",
        two,
        &[("v1", &[1]), ("v3", &[2])],
        &["m/v1: [0.0]", "m/v3: [0.0, 1.0]"],
    );
    assert_eq!(
        values(
            "[table]\nT = [7, 3]\nN = { x = 'left' }\n[[tensor]]\ntorch = 'a.{i}.w'\nkeras = 'm/v{T[i]}'\n\
             [[tensor]]\ntorch = '{s:x}'\nkeras = 'm/{N[s]}'\n",
            &[("a.0.w", &[1]), ("a.1.w", &[2]), ("x", &[1])],
            &[("v7", &[1]), ("v3", &[2]), ("left", &[1])],
        ),
        ["m/v7: [0.0]", "m/v3: [0.0, 1.0]", "m/left: [0.0]"]
    );
    check(
        "torch = 'w'\nkeras = ['m/v', 'm/u']",
        &[("w", &[2])],
        &[("v", &[2]), ("u", &[2])],
        &["m/v: [0.0, 1.0]", "m/u: [0.0, 1.0]"],
    );
    check(
        "torch = '{x:**}.w'\nkeras = 'm/{x}/v'",
        &[("a.b.w", &[1])],
        &[("a/b/v", &[1])],
        &["m/a/b/v: [0.0]"],
    );
}

#[test]
fn optional_and_fill() {
    assert_eq!(
        values(
            "[[tensor]]\ntorch = 'w'\nkeras = 'm/v'\n[[tensor]]\ntorch = 'absent'\nkeras = 'm/z'\noptional = true\n\
             [[fill]]\nkeras = 'm/u'\nvalue = -1.5\n",
            &[("w", &[1])],
            &[("v", &[1]), ("u", &[2])],
        ),
        ["m/v: [0.0]", "m/u: [-1.5, -1.5]"]
    );
}
