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
        let arithmetic = &binding.arithmetic;
        let steps = |value: f64| arithmetic.offset.unwrap_or(0.0) + value * arithmetic.scale.unwrap_or(1.0);
        let total: Vec<f64> = total.into_iter().map(steps).collect();
        format!("{}: {total:?}", variable.path)
    };
    plan.bindings.iter().map(evaluate).collect()
}

fn element(tensor: &LazyTensor, at: usize) -> f64 {
    f64::from(f32::from_le_bytes(
        tensor.storage.load().unwrap().as_slice()[4 * at..4 * at + 4].try_into().unwrap(),
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

#[test]
fn arithmetic_and_terms() {
    check(
        "torch = 'w'\nkeras = 'm/v'\nscale = 2\noffset = 0.5",
        &[("w", &[3])],
        &[("v", &[3])],
        &["m/v: [0.5, 2.5, 4.5]"],
    );
    // A row for every row.
    check(
        "torch = 'w'\nkeras = 'm/v'\nlayout = 'a b -> b a'\nadd = [{ torch = 'r', layout = 'a -> b a' }]",
        &[("w", &[2, 3]), ("r", &[2])],
        &[("v", &[3, 2])],
        &["m/v: [0.0, 4.0, 1.0, 5.0, 2.0, 6.0]"],
    );
    // Of each pair its own, and of a literal name the one.
    check(
        "torch = 'a.{i}.w'\nkeras = 'm/v{i+1}'\nadd = [{ torch = 'a.{i}.b' }, { torch = 'c' }]",
        &[("a.0.w", &[2]), ("a.0.b", &[2]), ("a.1.w", &[2]), ("a.1.b", &[2]), ("c", &[2])],
        &[("v1", &[2]), ("v2", &[2])],
        &["m/v1: [0.0, 3.0]", "m/v2: [0.0, 3.0]"],
    );
    // Of tensors that are split: split alike, and whole.
    check(
        "torch = 'qkv'\nkeras = 'm/{p:q|k}'\nlayout = '(p h) -> h'\n\
         add = [{ torch = 'b', layout = '(p h) -> h' }, { torch = 'c', layout = 'h -> h' }]",
        &[("qkv", &[4]), ("b", &[4]), ("c", &[2])],
        &[("q", &[2]), ("k", &[2])],
        &["m/q: [0.0, 3.0]", "m/k: [4.0, 7.0]"],
    );
    // Stacked by a capture of its own.
    check(
        "torch = 'w'\nkeras = 'm/v'\nadd = [{ torch = 'e.{e}', layout = 'o -> e o' }]",
        &[("w", &[2, 2]), ("e.0", &[2]), ("e.1", &[2])],
        &[("v", &[2, 2])],
        &["m/v: [0.0, 2.0, 2.0, 4.0]"],
    );
}

#[test]
fn computed() {
    // Magnitudes [0, 1] and directions [[0, 1], [2, 3]].
    let norm = 1.0 / 13_f32.sqrt();
    let expected = format!("m/v: [0.0, 0.0, {:?}, {:?}]", f64::from(2.0 * norm), f64::from(3.0 * norm));
    check(
        "torch = { v = 'w.direction', g = 'w.magnitude' }\nkeras = 'm/v'\ncompute = 'weight_norm'",
        &[("w.direction", &[2, 2]), ("w.magnitude", &[2, 1])],
        &[("v", &[2, 2])],
        &[&expected],
    );
    check(
        "torch = 'w'\nkeras = 'm/v'",
        &[("w_v", &[2, 2]), ("w_g", &[2, 1])],
        &[("v", &[2, 2])],
        &[&expected],
    );
    check(
        "torch = 'p.w'\nkeras = 'm/v'",
        &[("p.w_orig", &[2, 2]), ("p.w_mask", &[2, 2])],
        &[("v", &[2, 2])],
        &["m/v: [0.0, 1.0, 4.0, 9.0]"],
    );
    // u = [0, 1], v = [0, 1, 2]: 4 · 1 + 5 · 2 of the second row.
    let divided: Vec<f64> = (0..6).map(|value| f64::from(value as f32 / 14.0)).collect();
    check(
        "torch = { weight = 'a', u = 'b', v = 'c' }\nkeras = 'm/v'\ncompute = 'spectral_norm'",
        &[("a", &[2, 3]), ("b", &[2]), ("c", &[3])],
        &[("v", &[2, 3])],
        &[&format!("m/v: {divided:?}")],
    );
    // a = [[0, 1, 2]], b = [[0], [1]].
    check(
        "torch = { weight = '{n:x|y}.w', a = '{n}.a', b = '{n}.b' }\nkeras = 'm/{n}'\ncompute = 'lora'\nalpha = 10",
        &[
            ("x.w", &[2, 3]),
            ("x.a", &[1, 3]),
            ("x.b", &[2, 1]),
            ("y.w", &[1, 3]),
            ("y.a", &[1, 3]),
            ("y.b", &[1, 1]),
        ],
        &[("x", &[2, 3]), ("y", &[1, 3])],
        &["m/x: [0.0, 1.0, 2.0, 3.0, 14.0, 25.0]", "m/y: [0.0, 1.0, 2.0]"],
    );
    check(
        "torch = { weight = 'w', a = 'a', b = 'b' }\nkeras = 'm/v'\ncompute = 'lora'\nalpha = 4\n\
         rslora = true\nfan_in_fan_out = true\nlayout = 'i o -> o i'",
        &[("w", &[3, 2]), ("a", &[4, 3]), ("b", &[2, 4])],
        &[("v", &[2, 3])],
        // a = [[0, 1, 2], [3, 4, 5], …], b = [[0, 1, 2, 3], [4, …]]; alpha / √4 is 2.
        &["m/v: [84.0, 98.0, 112.0, 229.0, 275.0, 321.0]"],
    );
}

#[test]
fn computed_along_another_axis() {
    // Magnitudes [[0, 1]]: the second column, [1, 3], is divided by its norm.
    let norm = 1.0 / 10_f32.sqrt();
    let expected = format!("m/v: [0.0, {:?}, 0.0, {:?}]", f64::from(norm), f64::from(3.0 * norm));
    check(
        "torch = 'w'\nkeras = 'm/v'",
        &[("w_v", &[2, 2]), ("w_g", &[1, 2])],
        &[("v", &[2, 2])],
        &[&expected],
    );
}

/// A schema within another, whose keys may have a prefix there or not.
#[test]
fn schemas_of_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let part = "schema = 1\n[source]\nprefix = ['bert.', '']\n[table]\nN = { q = 'query' }\n\
                [[tensor]]\ntorch = '{p:q}.{i}.w'\nkeras = '{N[p]}{i}'\nlayout = 'a b -> b a'\nadd = [{ torch = '{p}.{i}.b', layout = 'a -> b a' }]\n\
                [[tensor]]\ntorch = { weight = 'm.{i}', mask = 'k.{i}' }\nkeras = 'm{i}'\ncompute = 'pruned'\n\
                [[tensor]]\ntorch = 'e.{e}'\nkeras = 'e'\nlayout = 'a -> e a'\n";
    let path = folder.path().join("part.toml");
    std::fs::write(&path, part).unwrap();
    let schema = format!("[[use]]\nschema = '{}'\ntorch = 'net.'\nkeras = 'm/'", path.display());
    for before in ["", "bert."] {
        let names = ["q.3.w", "q.3.b", "m.2", "k.2", "e.1", "e.0"].map(|name| format!("net.{before}{name}"));
        let sizes: [&[usize]; 6] = [&[2, 2], &[2], &[3], &[3], &[2], &[2]];
        let tensors: Vec<(&str, &[usize])> = names.iter().map(String::as_str).zip(sizes).collect();
        let found = values(&schema, &tensors, &[("query3", &[2, 2]), ("m2", &[3]), ("e", &[2, 2])]);
        assert_eq!(
            found,
            ["m/query3: [0.0, 3.0, 1.0, 4.0]", "m/m2: [0.0, 1.0, 4.0]", "m/e: [0.0, 1.0, 0.0, 1.0]"]
        );
    }
}
