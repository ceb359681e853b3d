"""The small nets that wrong schemas are tried on, in sizes that tell axes apart and in sizes that do not."""

import dataclasses
from typing import Callable

from case import channels_last, unchanged
import keras
from keras import layers
import torch
from torch import nn
from zoo import EPSILON

STEPS = 5


@dataclasses.dataclass(frozen=True)
class Net:
    """A module, the Keras model that computes the same, and the shape of an input."""

    module: Callable
    model: Callable
    shape: tuple
    run: Callable = lambda module, x: next(module.children())(x)
    to_keras: Callable = channels_last
    from_torch: Callable = channels_last


def images(name, module, layer, channels, **options):
    """One layer on images."""
    shape = (2, channels, 9, 11)
    return Net(
        lambda: nn.ModuleDict({name: module()}),
        lambda: keras.Sequential([keras.Input((9, 11, channels)), layer(name=name)]),
        shape,
        **options,
    )


def sequences(name, module, layer, features, run=None):
    """One layer on sequences."""
    return Net(
        lambda: nn.ModuleDict({name: module()}),
        lambda: keras.Sequential([keras.Input((STEPS, features)), layer(name=name)]),
        (2, STEPS, features),
        run or (lambda module, x: module[name](x)),
        unchanged,
        unchanged,
    )


def dense(i, o):
    return sequences("fc", lambda: nn.Linear(i, o), lambda name: layers.Dense(o, name=name), i)


def conv(i, o, kernel):
    layer = lambda name: layers.Conv2D(o, kernel, name=name)
    return images("conv", lambda: nn.Conv2d(i, o, kernel), layer, i)


def up(i, o):
    layer = lambda name: layers.Conv2DTranspose(o, (2, 3), name=name)
    return images("up", lambda: nn.ConvTranspose2d(i, o, (2, 3)), layer, i)


def grouped_up(i, o, groups):
    layer = lambda name: layers.Conv2DTranspose(o, (2, 3), name=name)
    return images("up", lambda: nn.ConvTranspose2d(i, o, (2, 3), groups=groups), layer, i)


def depthwise(channels, multiplier):
    return images(
        "dw",
        lambda: nn.Conv2d(channels, channels * multiplier, 3, groups=channels),
        lambda name: layers.DepthwiseConv2D(3, depth_multiplier=multiplier, name=name),
        channels,
    )


def norm(channels):
    return images(
        "bn",
        lambda: nn.BatchNorm2d(channels),
        lambda name: layers.BatchNormalization(epsilon=EPSILON, name=name),
        channels,
    )


def recurrent(module, layer, i, u):
    return sequences(
        "rnn",
        lambda: module(i, u, batch_first=True),
        lambda name: layer(u, return_sequences=True, name=name),
        i,
        lambda modules, x: modules["rnn"](x)[0],
    )


def both_ways(i, u):
    return recurrent(
        lambda i, u, **options: nn.LSTM(i, u, bidirectional=True, **options),
        lambda u, name, **options: layers.Bidirectional(layers.LSTM(u, **options), name=name),
        i,
        u,
    )


def attention(width, heads, kdim=None):
    """Queries over themselves; with `kdim` the keys are their first features alone."""

    def module():
        return nn.MultiheadAttention(width, heads, kdim=kdim, batch_first=True)

    def model():
        x = keras.Input((STEPS, width))
        heads_of = layers.MultiHeadAttention(heads, width // heads, name="attn")
        return keras.Model(x, heads_of(x, x, x[..., :kdim] if kdim else x))

    return Net(
        lambda: nn.ModuleDict({"attn": module()}),
        model,
        (2, STEPS, width),
        lambda module, x: module["attn"](x, x[..., :kdim], x)[0],
        unchanged,
        unchanged,
    )


def flat(channels, height, width):
    """A map that is flattened."""
    features = channels * height * width
    return Net(
        lambda: nn.Sequential(nn.Conv2d(2, channels, 1), nn.Flatten(), nn.Linear(features, 7)),
        lambda: keras.Sequential(
            [
                keras.Input((height, width, 2)),
                layers.Conv2D(channels, 1, name="conv"),
                layers.Flatten(),
                layers.Dense(7, name="fc"),
            ]
        ),
        (2, 2, height, width),
        lambda module, x: module(x),
    )


def blocks(*widths):
    """Dense layers in a row."""
    first, *others = widths

    def module():
        return nn.Sequential(*(nn.Linear(i, o) for i, o in zip(widths, others)))

    def model():
        dense = [layers.Dense(o, name=f"block_{k}") for k, o in enumerate(others)]
        return keras.Sequential([keras.Input((first,)), *dense])

    return Net(lambda: nn.ModuleDict({"blocks": module()}), model, (3, first))


def normalized_dense(i, o):
    return sequences(
        "fc",
        lambda: halved(nn.utils.parametrizations.weight_norm(nn.Linear(i, o))),
        lambda name: layers.Dense(o, name=name),
        i,
    )


def halved(linear):
    """A norm that is not the vector's own."""
    with torch.no_grad():
        linear.parametrizations.weight.original0 *= 0.5
    return linear


class Adapted(nn.Module):
    """A Linear as PEFT adapts it."""

    rank, alpha = 2, 6

    def __init__(self, i, o):
        super().__init__()
        self.base_layer = nn.Linear(i, o)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(i, self.rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(self.rank, o, bias=False)})

    def forward(self, x):
        more = self.lora_B["default"](self.lora_A["default"](x))
        return self.base_layer(x) + more * (self.alpha / self.rank)


def adapted(i, o):
    return sequences("fc", lambda: Adapted(i, o), lambda name: layers.Dense(o, name=name), i)


class ScaleMinusOne(nn.Module):
    """Gemma's normalization."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON) * (1 + self.weight)


def scale_minus_one(width):
    return sequences(
        "norm",
        lambda: ScaleMinusOne(width),
        lambda name: layers.RMSNormalization(epsilon=EPSILON, name=name),
        width,
    )


class Positions(nn.Module):
    """A table of positions whose first two rows stand for nothing."""

    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(STEPS + 2, width)

    def forward(self, x):
        return x + self.embedding.weight[2:]


class AddPositions(layers.Layer):
    """The same without these."""

    def build(self, shape):
        self.embeddings = self.add_weight(shape=shape[1:], name="embeddings")

    def call(self, x):
        return x + self.embeddings


def positions(width):
    return sequences("table", lambda: Positions(width), lambda name: AddPositions(name=name), width)
