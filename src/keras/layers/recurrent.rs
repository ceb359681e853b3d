//! The variables of the cells of recurrent layers.

use crate::keras::error::ErrorKind;
use crate::keras::json::Config;

use super::shapes::InputShapes;
use super::specs::Specs;

/// The cells of the recurrent layers.
pub(super) fn own(
    specs: &mut Specs<'_>,
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
) -> Result<(), ErrorKind> {
    let units = config.size("units")?;
    let gates = match class {
        "LSTMCell" => 4,
        "GRUCell" => 3,
        _ => 1,
    };
    let width = units.checked_mul(gates).ok_or_else(|| config.wrong("units", "a smaller size"))?;
    specs.weight("kernel", vec![inputs.size(-1, config.layer)?, width])?;
    specs.weight("recurrent_kernel", vec![units, width])?;
    // With `reset_after` the GRU adds the recurrent bias inside the reset, so it keeps two.
    let has_two = class == "GRUCell" && config.flag("reset_after", true)?;
    let bias = if has_two { vec![2, width] } else { vec![width] };
    specs.weight_if(config.flag("use_bias", true)?, "bias", bias)
}

/// The cell that a recurrent layer makes from its own configuration: class and layer name.
pub(in crate::keras) fn cell_of(class: &str) -> Option<(&'static str, &'static str)> {
    Some(match class {
        "LSTM" => ("LSTMCell", "lstm_cell"),
        "GRU" => ("GRUCell", "gru_cell"),
        "SimpleRNN" => ("SimpleRNNCell", "simple_rnn_cell"),
        "ConvLSTM1D" => ("ConvLSTM1DCell", "conv_lstm_cell"),
        "ConvLSTM2D" => ("ConvLSTM2DCell", "conv_lstm_cell"),
        "ConvLSTM3D" => ("ConvLSTM3DCell", "conv_lstm_cell"),
        _ => return None,
    })
}
