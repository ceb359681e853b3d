//! Settings of a layer with which the same weights compute something else than in PyTorch by default.

use crate::keras::ConfigValue as Value;
use crate::keras::Generation;

/// PyTorch's default epsilon of BatchNorm, LayerNorm, GroupNorm and InstanceNorm
/// (`torch/nn/modules/batchnorm.py`, `normalization.py`).
const TORCH_EPSILON: f64 = 1e-5;

/// Keras' default epsilon of the same (`batch_normalization.py`, `layer_normalization.py`,
/// `group_normalization.py`), for a configuration that leaves it out.
const KERAS_EPSILON: f64 = 1e-3;

/// Keras' default epsilon of RMSNormalization (`rms_normalization.py`). PyTorch's is the machine epsilon of the
/// input's type (`torch/nn/modules/normalization.py`).
const KERAS_RMS_EPSILON: f64 = 1e-6;
const TORCH_RMS_EPSILON: f64 = f32::EPSILON as f64;

/// Keras' momentum that corresponds to PyTorch's default of 0.1 for the new value, and Keras' own default.
const TORCH_MOMENTUM: f64 = 0.9;
const KERAS_MOMENTUM: f64 = 0.99;

/// PyTorch's default slope of LeakyReLU (`torch/nn/modules/activation.py`).
const TORCH_LEAKY_RELU: f64 = 0.01;

/// The slope of Keras' `LeakyReLU` layer, and that of the `leaky_relu` function (`leaky_relu.py`,
/// `activations.py`).
const KERAS_LEAKY_RELU_LAYER: f64 = 0.3;
const KERAS_LEAKY_RELU: f64 = 0.2;

/// What the plan says of a layer of that class, or of an operation that stands in the graph, with these settings. A
/// setting that is left out has Keras' default. `is_backward` tells the second half of a Bidirectional, which has
/// to read from the end.
pub(super) fn numerics(
    class: &str,
    config: &Value,
    generation: Generation,
    is_backward: bool,
) -> Vec<String> {
    let settings = Settings { class, config, generation };
    let mut notes = Vec::new();
    if !is_backward {
        settings.direction(&mut notes);
    }
    settings.normalization(&mut notes);
    settings.padding(&mut notes);
    settings.recurrence(&mut notes);
    settings.activation(&mut notes);
    settings.operation(&mut notes);
    notes
}

struct Settings<'a> {
    class: &'a str,
    config: &'a Value,
    generation: Generation,
}

impl<'a> Settings<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.config.get(name).filter(|value| !value.is_null())
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    fn normalization(&self, notes: &mut Vec<String>) {
        let (keras, torch) = match self.class {
            "BatchNormalization" | "SyncBatchNormalization" | "LayerNormalization" | "GroupNormalization" => {
                (KERAS_EPSILON, TORCH_EPSILON)
            }
            "RMSNormalization" => (KERAS_RMS_EPSILON, TORCH_RMS_EPSILON),
            _ => return,
        };
        let epsilon = self.number("epsilon").unwrap_or(keras);
        if self.class == "RMSNormalization" && !close(epsilon, torch) {
            notes.push(format!(
                "epsilon is {epsilon:e}; PyTorch's default is the machine epsilon, {torch:.2e} in float32"
            ));
        } else if !close(epsilon, torch) {
            notes.push(format!("epsilon is {epsilon:e}; PyTorch's default is {torch:e}"));
        }
        let momentum = self.number("momentum").unwrap_or(KERAS_MOMENTUM);
        if self.class.ends_with("BatchNormalization") && !close(momentum, TORCH_MOMENTUM) {
            notes.push(format!(
                "momentum is {momentum}; PyTorch's default of 0.1 is {TORCH_MOMENTUM} in Keras (it matters in \
                 training only)"
            ));
        }
    }

    fn padding(&self, notes: &mut Vec<String>) {
        if self.text("padding") != Some("same") {
            return;
        }
        let is_above_one = |value: &Value| value.as_u64() > Some(1);
        let any_above_one = |value: &Value| {
            is_above_one(value) || value.as_array().is_some_and(|sizes| sizes.iter().any(is_above_one))
        };
        // Pooling without strides has those of its window, which is 2 when it is left out. The operations of the
        // graph are `AveragePool` and `MaxPool`.
        let is_pooling = self.class.contains("Pool");
        let strides = self.get("strides").or_else(|| self.get("pool_size"));
        let is_strided = strides.map_or(is_pooling, any_above_one);
        if is_strided && self.class.ends_with("Transpose") {
            notes.push(
                "padding is \"same\" in a transposed convolution: Keras crops to strides × input; PyTorch's \
                 `padding` and `output_padding` may crop other rows"
                    .to_owned(),
            );
        } else if is_strided && self.class.starts_with("MaxPool") {
            // `padding_mode` of PyTorch's pooling is −∞ (`torch/nn/functional.py`).
            notes.push(
                "padding is \"same\" in max pooling with strides above 1: Keras pads more at the end than at the \
                 beginning, PyTorch evenly, both with −∞; padding=\"valid\" agrees with PyTorch after \
                 ZeroPadding where no value is negative (after a ReLU), else after \
                 `keras.ops.pad(…, constant_values=-1e30)`"
                    .to_owned(),
            );
        } else if is_strided {
            notes.push(
                "padding is \"same\" with strides above 1: Keras pads more at the end than at the beginning, \
                 PyTorch evenly; ZeroPadding and padding=\"valid\" agree with PyTorch"
                    .to_owned(),
            );
        }
        if self.class.starts_with("AveragePool") {
            notes.push(
                "padding is \"same\" in an average: Keras does not count the padding; PyTorch does, unless \
                 count_include_pad=False"
                    .to_owned(),
            );
        }
    }

    fn recurrence(&self, notes: &mut Vec<String>) {
        let gate = self.get("recurrent_activation").and_then(function);
        if let Some(gate) = gate.filter(|&gate| gate != "sigmoid") {
            notes.push(format!("recurrent_activation is {gate}; PyTorch uses sigmoid"));
        }
        let is_gru = matches!(self.class, "GRU" | "GRUCell");
        if is_gru && self.get("reset_after") == Some(&Value::Bool(false)) {
            notes.push("reset_after is false; PyTorch resets after the matrix product".to_owned());
        }
        let is_lstm = matches!(self.class, "LSTM" | "LSTMCell");
        let activation = self.get("activation").and_then(function).filter(|_| is_gru || is_lstm);
        if let Some(activation) = activation.filter(|&activation| activation != "tanh") {
            notes.push(format!("activation is {activation}; PyTorch uses tanh"));
        }
        if self.class == "Bidirectional"
            && let Some(mode) = self.text("merge_mode").filter(|&mode| mode != "concat")
        {
            notes.push(format!("merge_mode is {mode}; PyTorch concatenates the two directions"));
        }
    }

    fn direction(&self, notes: &mut Vec<String>) {
        if self.get("go_backwards") == Some(&Value::Bool(true)) {
            notes.push(
                "go_backwards is true: Keras reads the sequence from its end, and returns it in that order; \
                 PyTorch has no such switch"
                    .to_owned(),
            );
        }
    }

    fn activation(&self, notes: &mut Vec<String>) {
        // The layer, and the function where it stands in the graph.
        if let "LeakyReLU" | "LeakyRelu" = self.class {
            // Keras 2 calls it `alpha`.
            let slope = self.number("negative_slope").or_else(|| self.number("alpha"));
            let default = if self.class == "LeakyReLU" { KERAS_LEAKY_RELU_LAYER } else { KERAS_LEAKY_RELU };
            let slope = slope.unwrap_or(default);
            if !close(slope, TORCH_LEAKY_RELU) {
                notes.push(leaky(slope));
            }
        } else if let "ELU" | "Elu" | "Celu" = self.class
            && let Some(alpha) = self.number("alpha").filter(|&alpha| !close(alpha, 1.0))
        {
            notes.push(format!("alpha is {alpha}; PyTorch's default is 1"));
        } else if self.class == "ReLU" {
            for name in ["negative_slope", "threshold"] {
                if let Some(value) = self.number(name).filter(|&value| value != 0.0) {
                    notes.push(format!("{name} of the ReLU is {value}; PyTorch's ReLU has 0"));
                }
            }
        }
        let Some(activation) = self.get("activation") else { return };
        match function(activation) {
            Some("gelu") => notes.push(
                "activation is gelu; make sure that PyTorch's and Keras' `approximate` agree".to_owned(),
            ),
            Some("leaky_relu") => notes.push(leaky(KERAS_LEAKY_RELU)),
            // Keras 3 computes what PyTorch does: relu6(x + 3) / 6.
            Some("hard_sigmoid") if self.generation == Generation::Keras2 => notes.push(
                "activation is hard_sigmoid: Keras 2 has a slope of 0.2, PyTorch and Keras 3 one of 1/6"
                    .to_owned(),
            ),
            // A layer in the place of a function.
            None => {
                let class = activation.get("class_name").and_then(Value::as_str);
                if let (Some(class), Some(config)) = (class, activation.get("config")) {
                    Settings { class, config, ..*self }.activation(notes);
                }
            }
            Some(_) => {}
        }
    }

    /// Functions of `keras.ops` that stand in the graph, with their arguments as settings (`ops/nn.py`,
    /// `ops/numpy.py`).
    fn operation(&self, notes: &mut Vec<String>) {
        if self.class == "Gelu" && self.get("approximate") == Some(&Value::Bool(true)) {
            notes.push("approximate is true in gelu; PyTorch's default is the exact function".to_owned());
        }
        if let "Std" | "Var" = self.class
            && self.config.get("keepdims").is_some()
        {
            notes.push(
                "a standard deviation or variance: Keras divides by the number of values, PyTorch by one less \
                 unless correction=0"
                    .to_owned(),
            );
        }
    }
}

/// The name of an activation function: a text, or a serialized function.
fn function(value: &Value) -> Option<&str> {
    let is_function = value.get("class_name").and_then(Value::as_str) == Some("function");
    value.as_str().or_else(|| value.get("config").filter(|_| is_function).and_then(Value::as_str))
}

fn leaky(slope: f64) -> String {
    format!("the slope of the leaky ReLU is {slope}; PyTorch's default is {TORCH_LEAKY_RELU}")
}

/// Equal but for the rounding of float32, in which Keras 2 keeps some settings.
fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= other.abs() * 1e-6
}

#[cfg(test)]
mod tests {
    use crate::keras::json;

    use super::*;

    /// What is said of a layer: the beginnings of the notes.
    fn check(class: &str, config: Value, expected: &[&str]) {
        check_in(Generation::Keras3, class, config, expected);
    }

    fn check_in(generation: Generation, class: &str, config: Value, expected: &[&str]) {
        let found = numerics(class, &config, generation, false);
        let agrees = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
        assert!(agrees, "{class} {config}: {found:?}");
    }

    #[test]
    fn epsilon() {
        for class in ["LayerNormalization", "GroupNormalization"] {
            check(class, json!({"epsilon": 1e-5}), &[]);
            check(class, json!({"epsilon": 1e-6}), &["epsilon is 1e-6; PyTorch's default is 1e-5"]);
            check(class, json!({}), &["epsilon is 1e-3"]);
        }
        check("RMSNormalization", json!({"epsilon": 1.192_092_9e-7}), &[]);
        check(
            "RMSNormalization",
            json!({}),
            &["epsilon is 1e-6; PyTorch's default is the machine epsilon, 1.19e-7"],
        );
        check("UnitNormalization", json!({"epsilon": 1e-3}), &[]);
    }

    #[test]
    fn momentum() {
        let of = |momentum: Value| json!({"epsilon": 1e-5, "momentum": momentum});
        check("BatchNormalization", of(json!(0.9)), &[]);
        check("BatchNormalization", of(json!(0.8)), &["momentum is 0.8; PyTorch's default of 0.1 is 0.9"]);
        check("BatchNormalization", of(Value::Null), &["momentum is 0.99"]);
        check("BatchNormalization", json!({}), &["epsilon is 1e-3", "momentum is 0.99"]);
        check("LayerNormalization", of(json!(0.8)), &[]);
    }

    #[test]
    fn padding() {
        let strided = ["padding is \"same\" with strides above 1"];
        let average = ["padding is \"same\" in an average"];
        let both = [strided[0], average[0]];
        for class in ["Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv"] {
            check(class, json!({"padding": "same", "strides": [1, 2]}), &strided);
            check(class, json!({"padding": "same", "strides": 2}), &strided);
            check(class, json!({"padding": "same", "strides": [1, 1]}), &[]);
            check(class, json!({"padding": "valid", "strides": [2, 2]}), &[]);
            check(class, json!({"strides": [2, 2]}), &[]);
        }
        check("Conv2D", json!({"padding": "same"}), &[]);
        // PyTorch pads with −∞, so zeros around are another thing.
        let most = ["padding is \"same\" in max pooling with strides above 1"];
        for class in ["MaxPooling2D", "MaxPool"] {
            check(class, json!({"padding": "same", "strides": [1, 2]}), &most);
            check(class, json!({"padding": "same", "strides": null, "pool_size": [3, 3]}), &most);
            check(class, json!({"padding": "same", "strides": null, "pool_size": 3}), &most);
            check(class, json!({"padding": "same", "strides": 1, "pool_size": 3}), &[]);
            check(class, json!({"padding": "valid", "strides": 2, "pool_size": 3}), &[]);
        }
        check("MaxPooling2D", json!({"padding": "same"}), &most);
        for class in ["AveragePooling2D", "AveragePool"] {
            check(class, json!({"padding": "same", "strides": [1, 1]}), &average);
            check(class, json!({"padding": "same", "strides": [2, 2]}), &both);
        }
        let transposed = ["padding is \"same\" in a transposed convolution"];
        check("Conv2DTranspose", json!({"padding": "same", "strides": [2, 2]}), &transposed);
        check("Conv2DTranspose", json!({"padding": "same", "strides": [1, 1]}), &[]);
    }

    #[test]
    fn recurrence() {
        for class in ["GRU", "GRUCell"] {
            check(class, json!({"reset_after": false}), &["reset_after is false"]);
            check(class, json!({"reset_after": true}), &[]);
            check(class, json!({}), &[]);
        }
        check("LSTM", json!({"reset_after": false}), &[]);
        let hard = json!({"recurrent_activation": "hard_sigmoid"});
        for class in ["LSTM", "GRU", "LSTMCell", "ConvLSTM2D"] {
            check(class, hard.clone(), &["recurrent_activation is hard_sigmoid; PyTorch uses sigmoid"]);
            check(class, json!({"recurrent_activation": "sigmoid", "activation": "tanh"}), &[]);
        }
        check("LSTM", json!({"activation": "relu"}), &["activation is relu; PyTorch uses tanh"]);
        check("SimpleRNN", json!({"activation": "relu"}), &[]);
        check("Bidirectional", json!({"merge_mode": "sum"}), &["merge_mode is sum"]);
        check("Bidirectional", json!({"merge_mode": "concat"}), &[]);
        check("Bidirectional", json!({"merge_mode": null}), &[]);
        for class in ["LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM2D"] {
            check(class, json!({"go_backwards": true}), &["go_backwards is true: Keras reads"]);
            check(class, json!({"go_backwards": false}), &[]);
            assert!(numerics(class, &json!({"go_backwards": true}), Generation::Keras3, true).is_empty());
        }
    }

    /// Functions that stand in the graph, with the settings that Keras writes for them.
    #[test]
    fn operations() {
        let slope = ["the slope of the leaky ReLU is 0.2"];
        check("LeakyRelu", json!({"negative_slope": 0.2}), &slope);
        check("LeakyRelu", json!({}), &slope);
        check("LeakyRelu", json!({"negative_slope": 0.01}), &[]);
        for class in ["Elu", "Celu"] {
            check(class, json!({"alpha": 0.3}), &["alpha is 0.3; PyTorch's default is 1"]);
            check(class, json!({"alpha": 1.0}), &[]);
        }
        check("Gelu", json!({"approximate": true}), &["approximate is true in gelu"]);
        check("Gelu", json!({"approximate": false}), &[]);
        check("Std", json!({"axis": 1, "keepdims": false}), &["a standard deviation or variance"]);
        check("Var", json!({"axis": 1, "keepdims": false}), &["a standard deviation or variance"]);
        // Layers of one's own may have such names.
        check("Var", json!({}), &[]);
        check("Gelu", json!({}), &[]);
    }

    #[test]
    fn activations() {
        let of = |activation: Value| json!({ "activation": activation });
        let serialized = json!({"module": "builtins", "class_name": "function", "config": "gelu"});
        for class in ["Dense", "Activation", "Conv2D"] {
            check(class, of(json!("gelu")), &["activation is gelu"]);
            check(class, of(serialized.clone()), &["activation is gelu"]);
            check(class, of(json!("leaky_relu")), &["the slope of the leaky ReLU is 0.2"]);
            for same in
                ["relu", "relu6", "silu", "elu", "selu", "mish", "hard_silu", "hard_sigmoid", "softplus"]
            {
                check(class, of(json!(same)), &[]);
            }
        }
        let keras_2 = ["activation is hard_sigmoid: Keras 2 has a slope of 0.2"];
        check_in(Generation::Keras2, "Dense", of(json!("hard_sigmoid")), &keras_2);
        let layer = json!({"class_name": "LeakyReLU", "config": {"negative_slope": 0.25}});
        check("Dense", of(layer), &["the slope of the leaky ReLU is 0.25"]);
        check("LeakyReLU", json!({}), &["the slope of the leaky ReLU is 0.3"]);
        check("LeakyReLU", json!({"negative_slope": 0.01}), &[]);
        check_in(Generation::Keras2, "LeakyReLU", json!({"alpha": 0.009_999_999_776}), &[]);
        check("ELU", json!({"alpha": 0.5}), &["alpha is 0.5; PyTorch's default is 1"]);
        check("ELU", json!({"alpha": 1.0}), &[]);
        check("ReLU", json!({"negative_slope": 0.1}), &["negative_slope of the ReLU is 0.1; PyTorch's"]);
        check("ReLU", json!({"threshold": 0.5}), &["threshold of the ReLU is 0.5; PyTorch's"]);
        check("ReLU", json!({"negative_slope": 0.0, "threshold": 0.0, "max_value": 6.0}), &[]);
    }
}
