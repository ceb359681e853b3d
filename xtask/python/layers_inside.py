"""The judges' own idea of layers that hold other layers: recurrent ones, attention, wrappers.

Like `layouts`, written out by hand: nothing here reads a schema or a plan.
"""

import re

import numpy as np

import layouts

RECURRENT_TENSOR = re.compile(r"(?P<module>(?:.*\.)?)(?P<name>(?:weight|bias)_[ih]h)_l(?P<k>\d+)(?P<way>_reverse)?")
# Where the gates of PyTorch (i f g o; r z n) stand in Keras (i f c o; z r h).
LSTM_GATES = (0, 1, 2, 3)
GRU_GATES = (1, 0, 2)
# A convolution of PyTorch with the gates i f o g, as most write their ConvLSTM.
CONV_LSTM_GATES = (0, 1, 3, 2)


def one_by_one(tensors):
    """Gives the parameters of an nn.LSTM, nn.GRU or nn.RNN a module for each of its layers and ways.

    `rnn.weight_ih_l1_reverse` becomes `rnn.l1.backward.weight_ih`.
    """
    found = {}
    for key, tensor in tensors.items():
        match = RECURRENT_TENSOR.fullmatch(key)
        if match:
            way = "backward" if match["way"] else "forward"
            key = f"{match['module']}l{match['k']}.{way}.{match['name']}"
        found[key] = tensor
    return found


def holds(layer):
    """Whether the layer is one of those that this file knows."""
    return type(layer).__name__ in LAYERS


def below(tensors, name):
    """The tensors of the module `name`, by their names in it."""
    start = name + "."
    return {key.removeprefix(start): tensors.pop(key) for key in list(tensors) if key.startswith(start)}


def variables(layer, tensors):
    """The pairs of a Keras variable and its value, from the arrays of the PyTorch module by name."""
    left = dict(tensors)
    found = LAYERS[type(layer).__name__](layer, left)
    if left:
        raise ValueError(f"{layer.name}: no variable for {sorted(left)}")
    return found


def any_layer(layer, tensors):
    """A layer inside another, of whatever class."""
    if holds(layer):
        return LAYERS[type(layer).__name__](layer, tensors)
    import torch

    taken = {name: torch.from_numpy(np.array(tensors.pop(name))) for name in list(tensors)}
    values = layouts.variables(type(layer).__name__, taken)
    return [(variable, values[variable.name]) for variable in layer.weights]


def gates(array, order):
    """Blocks of the first axis in another order."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[gate] for gate in order])


def gated_cell(cell, tensors, order):
    """One cell; `order` is that of its gates."""
    found = [
        (cell.kernel, gates(tensors.pop("weight_ih"), order).T),
        (cell.recurrent_kernel, gates(tensors.pop("weight_hh"), order).T),
    ]
    if cell.bias is not None:
        biases = [gates(tensors.pop(name), order) for name in ("bias_ih", "bias_hh")]
        both = np.stack(biases) if len(cell.bias.shape) == 2 else biases[0] + biases[1]
        found.append((cell.bias, both))
    return found


def lstm_cell(layer, tensors):
    return gated_cell(layer, tensors, LSTM_GATES)


def gru_cell(layer, tensors):
    return gated_cell(layer, tensors, GRU_GATES)


def simple_cell(layer, tensors):
    return gated_cell(layer, tensors, (0,))


def recurrent(layer, tensors):
    """One way of one layer; or, for cells in a stack, all of them."""
    if type(layer.cell).__name__ != "StackedRNNCells":
        if any(name.startswith("forward.") for name in tensors):
            tensors.update(below(tensors, "forward"))
        return any_layer(layer.cell, tensors)
    found = []
    for k, one in enumerate(layer.cell.cells):
        found += any_layer(one, below(tensors, f"l{k}.forward"))
    return found


def bidirectional(layer, tensors):
    return any_layer(layer.forward_layer, below(tensors, "forward")) + any_layer(
        layer.backward_layer, below(tensors, "backward")
    )


def conv_lstm(layer, tensors):
    """The convolution reads the input's channels first, then the state's."""
    cell, weight = layer.cell, gates(tensors.pop("conv.weight"), CONV_LSTM_GATES)
    channels = cell.kernel.shape[-2]
    to_keras = layouts.CONVOLUTIONS[f"Conv{weight.ndim - 2}D"]
    return [
        (cell.kernel, weight[:, :channels].transpose(to_keras)),
        (cell.recurrent_kernel, weight[:, channels:].transpose(to_keras)),
        (cell.bias, gates(tensors.pop("conv.bias"), CONV_LSTM_GATES)),
    ]


def attention(layer, tensors):
    """Heads are the slower part of what a projection makes, in PyTorch and in Keras."""
    weights, biases = projections(tensors)
    parts = (layer._query_dense, layer._key_dense, layer._value_dense)
    found = []
    for part, weight, bias in zip(parts, weights, biases):
        features, heads, size = part.kernel.shape
        found.append((part.kernel, weight.reshape(heads, size, features).transpose(2, 0, 1)))
        if part.bias is not None:
            found.append((part.bias, bias.reshape(heads, size)))
    out = layer._output_dense
    (name,) = {key.rpartition(".")[0] for key in tensors}
    found.append((out.kernel, tensors.pop(f"{name}.weight").T.reshape(out.kernel.shape)))
    if out.bias is not None:
        found.append((out.bias, tensors.pop(f"{name}.bias")))
    return found


def projections(tensors):
    """The weights of query, key and value, and their biases, if there are any.

    nn.MultiheadAttention has one tensor for the three, or three parameters; others have modules.
    """
    if "in_proj_weight" in tensors:
        weights = np.split(tensors.pop("in_proj_weight"), 3)
    else:
        end = "_weight" if "q_proj_weight" in tensors else ".weight"
        weights = [tensors.pop(f"{name}_proj{end}") for name in "qkv"]
    if "in_proj_bias" in tensors:
        return weights, np.split(tensors.pop("in_proj_bias"), 3)
    return weights, [tensors.pop(f"{name}_proj.bias", None) for name in "qkv"]


def time_distributed(layer, tensors):
    return any_layer(layer.layer, tensors)


def spectral_normalization(layer, tensors):
    """`weight` is divided by its norm already; Keras keeps that, and `vector_u` of the power iteration."""
    vector = tensors.pop("vector_u").reshape(1, -1)
    return any_layer(layer.layer, tensors) + [(layer.vector_u, vector)]


LAYERS = {
    "LSTM": recurrent,
    "GRU": recurrent,
    "SimpleRNN": recurrent,
    "RNN": recurrent,
    "LSTMCell": lstm_cell,
    "GRUCell": gru_cell,
    "SimpleRNNCell": simple_cell,
    "Bidirectional": bidirectional,
    "ConvLSTM2D": conv_lstm,
    "MultiHeadAttention": attention,
    "GroupedQueryAttention": attention,
    "TimeDistributed": time_distributed,
    "SpectralNormalization": spectral_normalization,
}
