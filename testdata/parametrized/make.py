"""Modules whose weights are computed from other tensors, and what torch makes of them.

PEFT is not installed: the adapted modules have its names, and its merge is written out. The quantized tensors are
taken apart by plain NumPy.
"""

import os
import pathlib
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
ALPHA = 6
E2M1 = numpy.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], "float32")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.normed = weight_norm(nn.Conv2d(5, 7, (2, 3)))
        self.normed_too = parametrizations.weight_norm(nn.Linear(37, 6))
        self.normed_whole = weight_norm(nn.Linear(11, 6), dim=None)
        self.normed_columns = parametrizations.weight_norm(nn.Linear(11, 6), dim=1)
        self.spectral = spectral_norm(nn.Linear(11, 6))
        self.spectral_too = parametrizations.spectral_norm(nn.Conv1d(3, 4, 2, bias=False))
        # As many inputs as outputs: only the class tells the axis.
        self.spectral_up = spectral_norm(nn.ConvTranspose2d(4, 4, (2, 3)))
        self.spectral_up_too = parametrizations.spectral_norm(nn.ConvTranspose1d(4, 4, 3))
        self.pruned = prune.random_unstructured(nn.Linear(11, 6), "weight", 0.5)


def fill(module, random):
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not name.endswith(("_mask", "_u", "_v")) or name.endswith("weight_v"):
                value.copy_(torch.from_numpy(random.normal(size=tuple(value.shape)).astype("float32")))


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(5)
    random = numpy.random.default_rng(5)
    net = Net()
    fill(net, random)
    # The vectors of spectral normalization are those of a step of training.
    net.train()
    with torch.no_grad():
        net.spectral(torch.ones(1, 11))
        net.spectral_too(torch.ones(1, 3, 2))
        net.spectral_up(torch.ones(1, 4, 2, 2))
        net.spectral_up_too(torch.ones(1, 4, 2))
    net.eval()
    state_dict = dict(net.state_dict())
    with torch.no_grad():
        net.spectral(torch.ones(1, 11))
        net.spectral_up(torch.ones(1, 4, 2, 2))
        net.normed(torch.ones(1, 5, 2, 3))
        net.normed_whole(torch.ones(1, 11))
        net.pruned(torch.ones(1, 11))
    weights = {name: module.weight.detach() for name, module in net.named_children()}
    biases = {name: module.bias.detach() for name, module in net.named_children() if module.bias is not None}

    def tensor(*shape):
        return torch.from_numpy(random.normal(size=shape).astype("float32"))

    # PEFT: a linear layer, a convolution, an embedding, and a layer that is wrapped and not adapted.
    for name, base, first, second in [
        ("adapted", (6, 13), (4, 13), (6, 4)),
        ("adapted_conv", (6, 5, 2, 3), (4, 5, 2, 3), (6, 4, 1, 1)),
    ]:
        weight, a, b = tensor(*base), tensor(*first), tensor(*second)
        state_dict[f"{name}.base_layer.weight"] = weight
        state_dict[f"{name}.base_layer.bias"] = biases[name] = tensor(base[0])
        state_dict[f"{name}.lora_A.default.weight"] = a
        state_dict[f"{name}.lora_B.default.weight"] = b
        if len(base) == 2:
            delta = b @ a
        else:
            delta = torch.nn.functional.conv2d(a.permute(1, 0, 2, 3), b).permute(1, 0, 2, 3)
        weights[name] = weight + delta * (ALPHA / 4)
    weight, a, b = tensor(9, 6), tensor(4, 9), tensor(6, 4)
    state_dict["adapted_table.base_layer.weight"] = weight
    state_dict["adapted_table.lora_embedding_A.default"] = a
    state_dict["adapted_table.lora_embedding_B.default"] = b
    weights["adapted_table"] = weight + (b @ a).T * (ALPHA / 4)

    # gpt-oss: a matrix of (out, in), 32 numbers of an output in a block.
    blocks = random.integers(0, 256, (3, 2, 16)).astype("uint8")
    scales = random.integers(120, 134, (3, 2)).astype("uint8")
    state_dict["experts.proj_blocks"] = torch.from_numpy(blocks)
    state_dict["experts.proj_scales"] = torch.from_numpy(scales)
    numbers = numpy.stack([E2M1[blocks & 15], E2M1[blocks >> 4]], -1).reshape(3, 2, 32)
    numbers = numbers * numpy.exp2(scales.astype("float32") - 127)[..., None]
    weights["experts"] = torch.from_numpy(numbers.reshape(3, 64).astype("float32"))

    # int8 with a scale and a zero point for each output.
    integers = random.integers(-128, 128, (6, 11)).astype("int8")
    scale, zero = tensor(6).abs() / 100, random.integers(-9, 9, 6).astype("int8")
    state_dict["quantized.weight_int8"] = torch.from_numpy(integers)
    state_dict["quantized.scale"] = scale
    state_dict["quantized.zero_point"] = torch.from_numpy(zero)
    weights["quantized"] = (torch.from_numpy(integers.astype("float32") - zero[:, None])) * scale[:, None]

    # Arithmetic: a table with a row added to each of its rows, scaled, shifted and rounded.
    state_dict["table"], state_dict["row"] = tensor(9, 6), tensor(1, 6)
    values = (state_dict["table"] + state_dict["row"]) * 0.3 + 1.7
    weights["table"] = values.bfloat16().float()

    def of(layer, *shape):
        inputs = keras.Input(shape)
        return inputs, layer(inputs)

    layers = keras.layers
    pairs = [
        of(layers.Conv2D(7, (2, 3), name="normed"), 4, 4, 5),
        of(layers.Dense(6, name="normed_too"), 37),
        of(layers.Dense(6, name="normed_whole"), 11),
        of(layers.Dense(6, name="normed_columns"), 11),
        of(layers.Dense(6, name="spectral"), 11),
        of(layers.Conv1D(4, 2, use_bias=False, name="spectral_too"), 5, 3),
        of(layers.Conv2DTranspose(4, (2, 3), name="spectral_up"), 4, 4, 4),
        of(layers.Conv1DTranspose(4, 3, name="spectral_up_too"), 4, 4),
        of(layers.Dense(6, name="pruned"), 11),
        of(layers.Dense(6, name="adapted"), 13),
        of(layers.Conv2D(6, (2, 3), name="adapted_conv"), 4, 4, 5),
        of(layers.Embedding(9, 6, name="adapted_table"), 2),
        of(layers.Dense(3, use_bias=False, name="experts"), 64),
        of(layers.Dense(6, use_bias=False, name="quantized"), 11),
        of(layers.Embedding(9, 6, name="table"), 2),
    ]
    model = keras.Model([inputs for inputs, _ in pairs], [outputs for _, outputs in pairs])
    (FOLDER / "arch.json").write_text(model.to_json())
    torch.save(state_dict, FOLDER / "weights.pt")

    expected = {}
    for layer in model.layers:
        for variable in layer.weights:
            value = (weights if variable.name in ("kernel", "embeddings") else biases)[layer.name].numpy()
            if variable.name == "kernel":
                # (in, out, …) of the transposed ones becomes (…, out, in) by the same permutation.
                value = value.transpose(*range(2, value.ndim), 1, 0)
            assert value.shape == tuple(variable.shape), (layer.name, value.shape, variable.shape)
            expected[f"{layer.name}/{variable.name}"] = torch.from_numpy(numpy.ascontiguousarray(value))
    torch.save(expected, FOLDER / "expected.pt")


if __name__ == "__main__":
    main()
