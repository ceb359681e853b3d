//! Kernels of `EinsumDense`: the equation tells how they are read, a template does not.

use ptw2k::keras::{Architecture, Origin};
use ptw2k::plan::PlanOptions;
use serde_json::json;

use crate::made::{architecture, checkpoint, layer};
use crate::rules::render;

const RULE: &str = "[[layer]]\ntorch = 'f'\nkeras = 'e'\n";

/// What a layer of an equation, which reads 4 features (of 5 positions) or 2 × 3 heads, gets of an nn.Linear.
fn check(equation: &str, bias: Option<&str>, output: &[usize], weight: [usize; 2], expected: &str) {
    let input = if equation.starts_with("btnh") { json!([null, 5, 2, 3]) } else { json!([null, 5, 4]) };
    let einsum = json!({"module": "keras.layers", "class_name": "EinsumDense",
        "config": {"name": "e", "equation": equation, "output_shape": output, "bias_axes": bias}});
    let start = json!({"module": "keras.layers", "class_name": "InputLayer", "config": {"name": "i", "batch_shape": input}});
    let model = json!({"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [start, einsum]}});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), model.to_string()).unwrap();
    let mut tensors: Vec<(&str, &[usize])> = vec![("f.weight", &weight)];
    if bias.is_some() {
        tensors.push(("f.bias", &weight[..1]));
    }
    let found = render(
        RULE,
        &checkpoint(&tensors),
        Architecture::open(file.path()).unwrap(),
        &PlanOptions::default(),
    );
    assert!(found.contains(expected), "{equation}: {found}");
}

#[test]
fn the_equation_tells() {
    let plain = "[(h k) i -> i h k]";
    check("abc,cde->abde", Some("de"), &[5, 2, 3], [6, 4], plain);
    check("abc,cde->abed", Some("de"), &[5, 3, 2], [6, 4], "[(h k) i -> i k h]");
    check("abc,ced->abde", Some("de"), &[5, 2, 3], [6, 4], "[(h k) i -> i k h]");
    check("abc,dec->abde", None, &[5, 2, 3], [6, 4], "[(h k) i -> h k i]");
    check("btd,ndh->btnh", Some("nh"), &[5, 4, 3], [12, 4], "[(h k) i -> h i k]");
    check("btd,dnh->btnh", None, &[5, 4, 3], [12, 4], plain);
    check("btnh,nhd->btd", Some("d"), &[5, 7], [7, 6], "[o (h k) -> h k o]");
    check("btnh,hnd->btd", Some("d"), &[5, 7], [7, 6], "[o (h k) -> k h o]");
    check("btnh,dnh->btd", None, &[5, 7], [7, 6], "[o (h k) -> o h k]");
    check("abc,cd->abd", Some("d"), &[5, 4], [4, 4], "[o i -> i o]");
    check("abc,dc->abd", Some("d"), &[5, 4], [4, 4], "[o i -> o i]");
}

#[test]
fn what_is_no_linear() {
    check("abc,bcd->abd", None, &[5, 4], [4, 4], "`e/kernel` is not of an nn.Linear's kind");
    check("abc,cd->abd", Some("b"), &[5, 5], [5, 4], "the bias is not of the features that the kernel makes");
    let hint = "`layout = \"(b c d) (a) -> a b c d\"`";
    check("abc,cdef->abdef", None, &[5, 2, 3, 2], [12, 4], hint);
}

/// Without the equation, shapes never tell the order of heads and the numbers in them.
#[test]
fn a_template_does_not() {
    let of_shape = |kernel: &[usize], weight: &[usize], expected: &str| {
        let made = architecture(Origin::Template, &[layer("e", "EinsumDense", &[("kernel", kernel)])]);
        let schema = format!("[target]\nflatten = []\nunflatten = []\n{RULE}");
        let found = render(&schema, &checkpoint(&[("f.weight", weight)]), made, &PlanOptions::default());
        assert!(found.contains(expected), "{found}");
    };
    of_shape(&[4, 6], &[6, 4], "[o i -> i o]");
    of_shape(&[6, 4], &[6, 4], "[o i -> o i]");
    of_shape(&[4, 4], &[4, 4], "both fit");
    of_shape(&[4, 2, 3], &[6, 4], "`(h k) i -> i h k` and `(h k) i -> i k h` both fit");
    of_shape(&[2, 3, 7], &[7, 6], "both fit");
}
