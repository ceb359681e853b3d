"""nn.MultiheadAttention with keys and values of other sizes, and attention with fewer heads for these."""

import functools
import math

from case import Case, unchanged
import keras
from keras import layers
import torch
from torch import nn

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer, seeded

WIDTH, HEADS, STEPS, READ = 15, 3, 7, 4


class Cross(nn.Module):
    """A query over keys and values; with `kdim` and `vdim` the three projections are parameters of their own."""

    def __init__(self, bias=True, **sizes):
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, HEADS, bias=bias, batch_first=True, **sizes)

    def forward(self, query, value, key):
        return self.attn(query, key, value)[0]


def cross(bias=True, kdim=WIDTH, vdim=WIDTH):
    query, value, key = (
        keras.Input((steps, size)) for steps, size in ((STEPS, WIDTH), (READ, vdim), (READ, kdim))
    )
    attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, use_bias=bias, name="attn")
    return keras.Model([query, value, key], attention(query, value, key), name="cross")


def cross_case(name, seed, **sizes):
    kdim, vdim = sizes.get("kdim", WIDTH), sizes.get("vdim", WIDTH)
    shapes = ((2, STEPS, WIDTH), (2, READ, vdim), (2, READ, kdim))
    return Case(
        name=name,
        module=seeded(functools.partial(Cross, **sizes), seed),
        model=functools.partial(cross, **sizes),
        samples=lambda random: [tuple(random.normal(size=shape) for shape in shapes)],
        pairs={"attn": "attn"},
        schema=HEADER + NOTHING_FLATTENED + layer("attn", "attn", "MultiHeadAttention"),
        # 3.0.5 wants values as wide as the queries.
        old_keras=vdim == WIDTH,
        to_keras=unchanged,
        from_torch=unchanged,
    )


class Grouped(nn.Module):
    """Six heads that share two heads of keys and values, with the Llama family's names."""

    heads, groups, size = 6, 2, 5

    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, self.heads * self.size)
        self.k_proj = nn.Linear(WIDTH, self.groups * self.size)
        self.v_proj = nn.Linear(WIDTH, self.groups * self.size)
        self.o_proj = nn.Linear(self.heads * self.size, WIDTH)

    def forward(self, x):
        query, key, value = (
            part(x).unflatten(-1, (-1, self.size)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        key, value = (each.repeat_interleave(self.heads // self.groups, 1) for each in (key, value))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.o_proj(mixed.transpose(1, 2).flatten(-2))


def grouped():
    x = keras.Input((STEPS, WIDTH))
    attention = layers.GroupQueryAttention(
        head_dim=Grouped.size,
        num_query_heads=Grouped.heads,
        num_key_value_heads=Grouped.groups,
        name="attn",
    )
    return keras.Model(x, attention(x, x), name="grouped")


class Pixels(nn.Module):
    """Features that become a map of 4×3, attention among its pixels, a map again, and features of that map."""

    channels, height, width = 6, 4, 3

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(10, self.channels * self.height * self.width)
        self.attn = nn.MultiheadAttention(self.channels, 2, batch_first=True)
        self.norm = nn.BatchNorm2d(self.channels)
        self.head = nn.Linear(self.channels * self.height * self.width, 7)

    def forward(self, z):
        x = self.project(z).view(-1, self.channels, self.height, self.width)
        x = x.flatten(2).transpose(1, 2)
        x = self.attn(x, x, x)[0].transpose(1, 2)
        x = self.norm(x.reshape(-1, self.channels, self.height, self.width))
        return self.head(torch.relu(x).flatten(1))


def pixels():
    shape = (Pixels.height, Pixels.width, Pixels.channels)
    z = keras.Input((10,))
    x = layers.Reshape(shape)(layers.Dense(math.prod(shape), name="project")(z))
    x = layers.Reshape((Pixels.height * Pixels.width, Pixels.channels))(x)
    x = layers.MultiHeadAttention(2, Pixels.channels // 2, name="attn")(x, x)
    x = layers.BatchNormalization(epsilon=1e-5, name="norm")(layers.Reshape(shape)(x))
    x = layers.Flatten()(layers.ReLU()(x))
    return keras.Model(z, layers.Dense(7, name="head")(x), name="pixels")


CASES = [
    *both_forms(cross_case("attention", 90)),
    *both_forms(cross_case("attention_kdim_vdim", 91, kdim=8, vdim=10)),
    *both_forms(cross_case("attention_no_bias", 92, bias=False)),
    *both_forms(
        Case(
            name="attention_grouped",
            module=seeded(lambda: nn.ModuleDict({"attn": Grouped()}), 93),
            model=grouped,
            samples=lambda random: [(random.normal(size=(2, STEPS, WIDTH)),)],
            pairs={"attn": "attn"},
            schema=HEADER + NOTHING_FLATTENED + layer("attn", "attn", "GroupedQueryAttention"),
            run=lambda module, x: module["attn"](x),
            to_keras=unchanged,
            from_torch=unchanged,
        )
    ),
    Case(
        name="attention_pixels",
        module=seeded(Pixels, 94),
        model=pixels,
        samples=lambda random: [(random.normal(size=(2, 10)),)],
        pairs={name: name for name in ("project", "attn", "norm", "head")},
        # Attention does not tell whether what it reads is a map; the normalization does, of what is flattened.
        schema=HEADER
        + layer("project", "project")
        + f"unflatten = [{Pixels.height}, {Pixels.width}, {Pixels.channels}]\n"
        + layer("{x:attn|norm|head}", "{x}"),
        feature_maps={"head": (Pixels.channels, Pixels.height, Pixels.width)},
        made_maps={"project": (Pixels.channels, Pixels.height, Pixels.width)},
        to_keras=unchanged,
        from_torch=unchanged,
    ),
]
