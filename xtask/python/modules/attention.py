"""nn.MultiheadAttention with keys and values of other sizes, and attention with fewer heads for these."""

import functools

from case import Case, unchanged
import keras
from keras import layers
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
]
