//! What rules must say of flattened maps: templates tell nothing, graphs may not be contradicted, and a class
//! without a layout for a map is not used for one.

use ptw2k::keras::{FeatureOrder, Origin};
use ptw2k::plan::{PlanOptions, Value, plan};
use ptw2k::schema::Schema;

use crate::made::{Spec, architecture, checkpoint, layer};

type Sizes = &'static [usize];

/// A layer of the class, its outputs' order, and its variables with the module's tensors.
struct Made {
    path: &'static str,
    class: &'static str,
    features: FeatureOrder,
    outputs: FeatureOrder,
    /// Keras' name and shape, then PyTorch's.
    variables: &'static [(&'static str, Sizes, &'static str, Sizes)],
}

fn made(
    path: &'static str,
    class: &'static str,
    variables: &'static [(&'static str, Sizes, &'static str, Sizes)],
) -> Made {
    Made { path, class, features: FeatureOrder::Plain, outputs: FeatureOrder::Plain, variables }
}

fn reading(features: FeatureOrder, layer: Made) -> Made {
    Made { features, ..layer }
}

fn making(outputs: FeatureOrder, layer: Made) -> Made {
    Made { outputs, ..layer }
}

fn mixed() -> FeatureOrder {
    FeatureOrder::Mixed("the inputs of `concatenate`".to_owned())
}

fn unknown() -> FeatureOrder {
    FeatureOrder::Unknown("a Lambda".to_owned())
}

/// `path layout` of what is bound, or the faults without what follows a colon.
fn check(origin: Origin, schema: &str, layers: &[Made], expected: &[&str]) {
    let schema = format!("schema = 1\n{schema}");
    let schema = Schema::parse("schema.toml", &schema, None).unwrap();
    let keys: Vec<(String, Sizes)> = layers
        .iter()
        .flat_map(|made| {
            made.variables.iter().map(|(_, _, torch, sizes)| (format!("{}.{torch}", made.path), *sizes))
        })
        .collect();
    let tensors: Vec<(&str, &[usize])> = keys.iter().map(|(key, sizes)| (key.as_str(), *sizes)).collect();
    let variables: Vec<Vec<(&str, &[usize])>> = layers
        .iter()
        .map(|made| made.variables.iter().map(|(name, sizes, ..)| (*name, *sizes)).collect())
        .collect();
    let specs: Vec<Spec<'_>> = layers
        .iter()
        .zip(&variables)
        .map(|(made, variables)| Spec(made.path, made.class, made.features.clone(), variables))
        .collect();
    let mut architecture = architecture(origin, &specs);
    for (layer, made) in architecture.layers.iter_mut().zip(layers) {
        layer.outputs = made.outputs.clone();
    }
    let found: Vec<String> = match plan(&checkpoint(&tensors), &schema, architecture, &PlanOptions::default())
    {
        Ok(plan) => plan
            .bindings
            .iter()
            .map(|binding| {
                assert!(matches!(binding.value, Value::Gather(_)));
                let layout = binding.layout.split(',').next().unwrap();
                format!("{} {layout}", plan.architecture.variables[binding.variable].path)
            })
            .collect(),
        Err(faults) => faults
            .faults
            .iter()
            .map(|fault| fault.to_string().split(": ").next().unwrap().to_owned())
            .collect(),
    };
    assert_eq!(found, expected);
}

const ALL: &str = "[[layer]]\ntorch = '{x:*}'\nkeras = '{x}'\n";

fn rule(layers: &str, said: &str) -> String {
    format!("[[layer]]\ntorch = '{{x:{layers}}}'\nkeras = '{{x}}'\n{said}\n")
}

fn conv() -> Made {
    made("conv", "Conv2D", &[("kernel", &[3, 3, 7, 8], "weight", &[8, 7, 3, 3])])
}

/// 192 features are a map of 6×4 of the convolution's eight channels, or those of another Dense.
fn same_width() -> Vec<Made> {
    let wide = |path| made(path, "Dense", &[("kernel", &[192, 192], "weight", &[192, 192])]);
    let head = made("head", "Dense", &[("kernel", &[192, 11], "weight", &[11, 192])]);
    vec![conv(), wide("a"), wide("b"), head]
}

const UNTOLD_A: &str = "`a/kernel` reads features whose order is not known";
const UNTOLD_B: &str = "`b/kernel` reads features whose order is not known";
const UNTOLD_HEAD: &str = "`head/kernel` reads features whose order is not known";
const CONV: &str = "conv/kernel o i h w -> h w i o";

#[test]
fn a_template_does_not_tell_what_a_dense_reads() {
    let check = |schema: &str, expected: &[&str]| check(Origin::Template, schema, &same_width(), expected);
    check(ALL, &[UNTOLD_A, UNTOLD_B, UNTOLD_HEAD]);
    let plain = [CONV, "a/kernel o i -> i o", "b/kernel o i -> i o", "head/kernel o i -> i o"];
    check(&format!("[target]\nflatten = []\n{ALL}"), &plain);
    check(&format!("{ALL}flatten = []\n"), &plain);
    let rules = |a: &str, b: &str| rule("conv|head", "flatten = []") + &rule("a", a) + &rule("b", b);
    let map = "flatten = [6, 4, 8]\nunflatten = []";
    check(
        &rules(map, "flatten = []\nunflatten = []"),
        &[CONV, "a/kernel o (c h w) -> (h w c) o", "b/kernel o i -> i o", "head/kernel o i -> i o"],
    );
    // What `a` and `b` make is as large as the map, so each rule must say; the schema's word is not enough.
    check(
        &format!("[target]\nunflatten = []\n{}", rules("flatten = [6, 4, 8]", "flatten = []")),
        &[
            "`a/kernel` makes features whose order is not known",
            "`b/kernel` makes features whose order is not known",
        ],
    );
    // One map, two layers that it fits.
    check(
        &(rule("conv|head", "flatten = []") + &rule("a|b", map)),
        &["the rule's `flatten` fits both `a` and `b`, and the template does not tell which is meant"],
    );
}

#[test]
fn a_template_does_not_tell_what_is_no_multiple_of_a_convolutions_channels() {
    // Sixteen and twenty-four channels joined, 7×7 of them; and a prime number of features, which no map has.
    let layers = |features: Sizes, torch: Sizes| {
        let variables = Box::leak(Box::new([("kernel", features, "weight", torch)]));
        [conv(), made("head", "Dense", variables)]
    };
    check(Origin::Template, ALL, &layers(&[1960, 11], &[11, 1960]), &[UNTOLD_HEAD]);
    check(Origin::Template, ALL, &layers(&[1961, 11], &[11, 1961]), &[UNTOLD_HEAD]);
    check(Origin::Template, ALL, &layers(&[1973, 11], &[11, 1973]), &[CONV, "head/kernel o i -> i o"]);
    // Nor where the template does not tell the class.
    let [conv, mut head] = layers(&[1960, 11], &[11, 1960]);
    head.class = "";
    check(
        Origin::Template,
        &(rule("conv", "") + &rule("head", "class = 'Dense'")),
        &[conv, head],
        &[UNTOLD_HEAD],
    );
}

#[test]
fn a_template_without_maps_needs_no_word() {
    let layers = [made("head", "Dense", &[("kernel", &[192, 12], "weight", &[12, 192])])];
    check(Origin::Template, ALL, &layers, &["head/kernel o i -> i o"]);
}

/// A decoder: 192 features that become 6×4 of eight channels.
fn decoder() -> Vec<Made> {
    let dense = made(
        "decode",
        "Dense",
        &[("kernel", &[9, 192], "weight", &[192, 9]), ("bias", &[192], "bias", &[192])],
    );
    let encode = made("encode", "Dense", &[("kernel", &[192, 9], "weight", &[9, 192])]);
    let up = made("up", "Conv2DTranspose", &[("kernel", &[3, 3, 5, 8], "weight", &[8, 5, 3, 3])]);
    vec![encode, dense, up]
}

#[test]
fn a_template_does_not_tell_what_a_dense_makes() {
    let untold = [
        "`decode/kernel` makes features whose order is not known",
        "`decode/bias` makes features whose order is not known",
    ];
    let check = |schema: &str, expected: &[&str]| check(Origin::Template, schema, &decoder(), expected);
    check(&format!("{ALL}flatten = []\n"), &untold);
    let encode = rule("encode", "flatten = [6, 4, 8]") + &rule("up", "");
    check(&(encode.clone() + &rule("decode", "flatten = []")), &untold);
    check(&format!("[target]\nflatten = []\nunflatten = []\n{encode}{}", rule("decode", "")), &untold);
    check(
        &(encode + &rule("decode", "flatten = []\nunflatten = [6, 4, 8]")),
        &[
            "encode/kernel o (c h w) -> (h w c) o",
            "decode/kernel (c h w) i -> i (h w c)",
            "decode/bias (c h w) -> (h w c)",
            "up/kernel i o h w -> h w o i",
        ],
    );
    check(
        &format!("[target]\nflatten = []\nunflatten = []\n{ALL}"),
        &[
            "encode/kernel o i -> i o",
            "decode/kernel o i -> i o",
            "decode/bias o -> o",
            "up/kernel i o h w -> h w o i",
        ],
    );
}

#[test]
fn a_template_does_not_tell_of_an_image() {
    let layers = [
        made("decode", "Dense", &[("kernel", &[7, 192], "weight", &[192, 7])]),
        made("conv", "Conv2D", &[("kernel", &[5, 5, 3, 4], "weight", &[4, 3, 5, 5])]),
    ];
    check(Origin::Template, ALL, &layers, &["`decode/kernel` makes features whose order is not known"]);
}

#[test]
fn a_template_does_not_tell_what_a_normalization_reads() {
    let layers = [
        conv(),
        made("norm", "BatchNormalization", &[("gamma", &[192], "weight", &[192])]),
        made("head", "Dense", &[("kernel", &[192, 11], "weight", &[11, 192])]),
    ];
    let check = |said: &str, expected: &[&str]| {
        let rules = rule("conv", "") + &rule("head", "flatten = [6, 4, 8]") + &rule("norm", said);
        check(Origin::Template, &format!("[target]\nflatten = []\n{rules}"), &layers, expected);
    };
    check("", &["`norm/gamma` reads features whose order is not known"]);
    let head = "head/kernel o (c h w) -> (h w c) o";
    check("flatten = [6, 4, 8]", &[CONV, "norm/gamma (c h w) -> (h w c)", head]);
    check("flatten = []\nunflatten = []", &[CONV, "norm/gamma c -> c", head]);
}

#[test]
fn a_graph_is_not_contradicted() {
    let dense: fn() -> Made = || made("fc", "Dense", &[("kernel", &[24, 12], "weight", &[12, 24])]);
    let map = || FeatureOrder::Flattened(vec![2, 3, 4]);
    let input = |layer: Made, said: &str, expected: &str| {
        check(Origin::Json, &format!("{ALL}{said}\n"), &[layer], &[expected]);
    };
    let flattened = "fc/kernel o (c h w) -> (h w c) o";
    input(reading(map(), dense()), "flatten = [2, 3, 4]", flattened);
    input(reading(unknown(), dense()), "flatten = [2, 3, 4]", flattened);
    input(
        reading(map(), dense()),
        "flatten = [3, 2, 4]",
        flattened, // Six positions all the same.
    );
    for (found, said, message) in [
        (
            map(),
            "[4, 3, 2]",
            "the rule says `flatten = [4, 3, 2]` for layer `fc`, and the architecture `flatten = [2, 3, 4]`",
        ),
        (
            map(),
            "[]",
            "the rule says `flatten = []` for layer `fc`, and the architecture `flatten = [2, 3, 4]`",
        ),
        (
            FeatureOrder::Plain,
            "[2, 3, 4]",
            "the rule says `flatten = [2, 3, 4]` for layer `fc`, and the architecture `flatten = []`",
        ),
    ] {
        input(reading(found, dense()), &format!("flatten = {said}"), message);
    }
    // What is mixed has no order that a word could say.
    for said in ["", "flatten = []", "flatten = [2, 3, 4]"] {
        input(reading(mixed(), dense()), said, "`fc/kernel` reads features whose order is not known");
    }
    for said in ["", "unflatten = []", "unflatten = [2, 3, 2]"] {
        input(making(mixed(), dense()), said, "`fc/kernel` makes features whose order is not known");
    }
    input(
        making(FeatureOrder::Flattened(vec![2, 3, 2]), dense()),
        "unflatten = []",
        "the rule says `unflatten = []` for layer `fc`, and the architecture `unflatten = [2, 3, 2]`",
    );
}

#[test]
fn a_class_without_a_layout_for_a_map_is_refused() {
    let conv = || made("c", "Conv1D", &[("kernel", &[2, 20, 7], "weight", &[7, 20, 2])]);
    let reads = "`c/kernel` reads features whose order is not known";
    let plain = "c/kernel o i w -> w i o";
    let one = |layer: Made, said: &str, expected: &str| {
        check(Origin::Json, &format!("{ALL}{said}\n"), &[layer], &[expected]);
    };
    one(conv(), "", plain);
    one(reading(FeatureOrder::Flattened(vec![4, 5]), conv()), "", reads);
    one(reading(FeatureOrder::Flattened(vec![1, 20]), conv()), "", plain);
    one(reading(unknown(), conv()), "", reads);
    one(reading(unknown(), conv()), "flatten = []", plain);
    one(reading(unknown(), conv()), "flatten = [4, 5]", reads);
    one(reading(mixed(), conv()), "flatten = []", reads);
    one(making(mixed(), conv()), "unflatten = []", "`c/kernel` makes features whose order is not known");
    one(making(unknown(), conv()), "", "`c/kernel` makes features whose order is not known");
    one(making(unknown(), conv()), "unflatten = []", plain);
    let group = made("c", "GroupNormalization", &[("gamma", &[24], "weight", &[24])]);
    one(
        reading(FeatureOrder::Flattened(vec![2, 3, 4]), group),
        "",
        "`c/gamma` reads features whose order is not known",
    );
    // An Embedding reads no features.
    let embedding = made("c", "Embedding", &[("embeddings", &[24, 5], "weight", &[24, 5])]);
    one(reading(unknown(), embedding), "", "c/embeddings v e -> v e");
}

#[test]
fn flattened_features_of_other_classes() {
    let map = || FeatureOrder::Flattened(vec![2, 3, 4]);
    let one = |layer: Made, expected: &str| check(Origin::Json, ALL, &[reading(map(), layer)], &[expected]);
    one(made("n", "RMSNormalization", &[("scale", &[24], "weight", &[24])]), "n/scale (c h w) -> (h w c)");
    let einsum = |kernel: Sizes| {
        made("e", "EinsumDense", Box::leak(Box::new([("kernel", kernel, "weight", [7, 24].as_slice())])))
    };
    let einsum_square = made("e", "EinsumDense", &[("kernel", &[24, 24], "weight", &[24, 24])]);
    one(einsum(&[24, 7]), "e/kernel o (c h w) -> (h w c) o");
    one(einsum(&[7, 24]), "e/kernel o (c h w) -> o (h w c)");
    one(
        einsum_square,
        "`o (c h w) -> (h w c) o` and `o (c h w) -> o (h w c)` both fit `e.weight` (24, 24) to `e/kernel` (24, 24), and differ",
    );
}

#[test]
fn a_prelu_of_channels_on_either_side() {
    let prelu =
        |sizes: Sizes| made("p", "PReLU", Box::leak(Box::new([("alpha", sizes, "weight", [5].as_slice())])));
    let one = |sizes, expected: &str| check(Origin::Json, ALL, &[prelu(sizes)], &[expected]);
    one(&[3, 4, 5], "p/alpha c -> h w c");
    one(&[5, 3, 4], "p/alpha c -> c h w");
    one(
        &[5, 4, 5],
        "`c -> h w c` and `c -> c h w` both fit `p.weight` (5,) to `p/alpha` (5, 4, 5), and differ",
    );
}

/// One number has no order: beside a map, of a map that is not told, and for each of its channels or for all.
#[test]
fn a_prelu_of_one_number() {
    let prelu =
        |sizes: Sizes| made("p", "PReLU", Box::leak(Box::new([("alpha", sizes, "weight", [1].as_slice())])));
    let map = || FeatureOrder::Flattened(vec![2, 3, 4]);
    for (sizes, layout) in [
        ([1].as_slice(), "p/alpha c -> c"),
        ([24].as_slice(), "p/alpha 1 -> c"),
        ([1, 1, 4].as_slice(), "p/alpha c -> c h w"),
    ] {
        for order in [map(), unknown(), FeatureOrder::Plain] {
            check(Origin::Json, ALL, &[reading(order.clone(), prelu(sizes))], &[layout]);
            check(Origin::Json, ALL, &[making(order, prelu(sizes))], &[layout]);
        }
    }
    // A number for each feature has an order, and a template's rules name the map.
    let each = || made("p", "PReLU", &[("alpha", &[24], "weight", &[24])]);
    check(Origin::Json, ALL, &[reading(map(), each())], &["p/alpha (c h w) -> (h w c)"]);
    let head = || made("head", "Dense", &[("kernel", &[24, 11], "weight", &[11, 24])]);
    let rules = rule("head", "flatten = [2, 3, 4]") + &rule("p", "");
    let layers = |alpha: Made| [alpha, head()];
    let told = "head/kernel o (c h w) -> (h w c) o";
    check(Origin::Template, &rules, &layers(prelu(&[24])), &["p/alpha 1 -> c", told]);
    check(Origin::Template, &rules, &layers(each()), &["`p/alpha` reads features whose order is not known"]);
}

#[test]
fn a_schema_says_only_that_nothing_is_flattened() {
    let error = Schema::parse("s.toml", "schema = 1\n[target]\nflatten = [2, 3, 4]\n", None).unwrap_err();
    let message = format!("{error:?}");
    assert!(message.contains("`[]`: sizes of a map belong to the rule of one layer"), "{message}");
}

#[test]
fn hints_show_every_way() {
    let hint = |origin, features| {
        let layers = [
            layer("conv", "Conv2D", &[("kernel", &[3, 3, 7, 8])]),
            Spec("fc", "Dense", features, &[("kernel", &[192, 11])]),
        ];
        let schema = format!("schema = 1\n{}", rule("conv|fc", ""));
        let schema = Schema::parse("schema.toml", &schema, None).unwrap();
        let tensors = checkpoint(&[("conv.weight", &[8, 7, 3, 3]), ("fc.weight", &[11, 192])]);
        let faults =
            plan(&tensors, &schema, architecture(origin, &layers), &PlanOptions::default()).unwrap_err();
        faults.faults[0].hint.clone().unwrap()
    };
    let graph = hint(Origin::Json, unknown());
    let template = hint(Origin::Template, FeatureOrder::Plain);
    for part in
        ["`flatten = [height, width, channels]`", "`flatten = []`", "[[tensor]]", "o (c h w) -> (h w c) o"]
    {
        assert!(graph.contains(part) && template.contains(part), "{part}: {graph} / {template}");
    }
    let mixed = hint(Origin::Json, mixed());
    assert!(mixed.contains("`Permute`") && !mixed.contains("[height"), "{mixed}");
    assert!(
        template.contains("`flatten = []` in [target]") && template.contains("`model.to_json()`"),
        "{template}"
    );
}
