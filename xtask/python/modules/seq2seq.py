"""Two sequences: nn.Transformer, and a GRU that reads and one that writes with attention between them."""

import functools

from case import Case, unchanged
import keras
from keras import layers
from layers_inside import one_by_one
import torch
from torch import nn

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer, seeded
from modules.transformer import (
    DEPTH,
    HEADS,
    HIDDEN,
    PARTS,
    WIDTH,
    attention,
    block,
    feed_forward,
    norm,
)

SOURCE, TARGET, READ, WRITTEN, UNITS = 29, 37, 8, 5, 6


def samples(random):
    return [(random.integers(0, SOURCE, size=(3, READ)), random.integers(0, TARGET, size=(3, WRITTEN)))]


def inputs():
    return keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")


class Transformer(nn.Module):
    """The target is read as far as it is written."""

    def __init__(self):
        super().__init__()
        self.source = nn.Embedding(SOURCE, WIDTH)
        self.target = nn.Embedding(TARGET, WIDTH)
        self.transformer = nn.Transformer(WIDTH, HEADS, DEPTH, DEPTH, HIDDEN, batch_first=True)
        self.head = nn.Linear(WIDTH, TARGET)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        x = self.transformer(self.source(source), self.target(target), tgt_mask=mask)
        return self.head(x)


def decoder_block(x, memory, name):
    x = norm(layers.Add()([x, attention(x, x, f"{name}_self_attn", causal=True)]), f"{name}_norm1")
    x = norm(layers.Add()([x, attention(x, memory, f"{name}_multihead_attn")]), f"{name}_norm2")
    return norm(layers.Add()([x, feed_forward(x, name, "relu")]), f"{name}_norm3")


def transformer():
    source, target = inputs()
    memory = layers.Embedding(SOURCE, WIDTH, name="source")(source)
    for k in range(DEPTH):
        memory = block(memory, f"transformer_encoder_layers_{k}", "relu", False)
    memory = norm(memory, "transformer_encoder_norm")
    x = layers.Embedding(TARGET, WIDTH, name="target")(target)
    for k in range(DEPTH):
        x = decoder_block(x, memory, f"transformer_decoder_layers_{k}")
    x = norm(x, "transformer_decoder_norm")
    return keras.Model([source, target], layers.Dense(TARGET, name="head")(x), name="transformer")


def transformer_pairs():
    parts = [(side, k, part) for side in ("encoder", "decoder") for k in range(DEPTH) for part in PARTS]
    parts += [("decoder", k, part) for k in range(DEPTH) for part in ("multihead_attn", "norm3")]
    modules = [f"transformer.{side}.layers.{k}.{part}" for side, k, part in parts]
    modules += [f"transformer.{side}.norm" for side in ("encoder", "decoder")]
    return {module: module.replace(".", "_") for module in ["source", "target", "head", *modules]}


SIDE = "transformer.{side:encoder|decoder}"
TRANSFORMER_SCHEMA = (
    HEADER
    + NOTHING_FLATTENED
    + layer("{x:source|target|head}", "{x}")
    + layer(
        f"{SIDE}.layers.{{k}}.{{part:self_attn|multihead_attn}}",
        "transformer_{side}_layers_{k}_{part}",
        "MultiHeadAttention",
    )
    + layer(f"{SIDE}.layers.{{k}}.linear{{n}}", "transformer_{side}_layers_{k}_linear{n}", "Dense")
    + layer(f"{SIDE}.layers.{{k}}.norm{{n}}", "transformer_{side}_layers_{k}_norm{n}", "LayerNormalization")
    + layer(f"{SIDE}.norm", "transformer_{side}_norm", "LayerNormalization")
)


class Translator(nn.Module):
    """Bahdanau's attention: which of the states that were read matter for the one that writes."""

    def __init__(self):
        super().__init__()
        self.source = nn.Embedding(SOURCE, WIDTH)
        self.target = nn.Embedding(TARGET, WIDTH)
        self.encoder = nn.GRU(WIDTH, UNITS, batch_first=True)
        self.decoder = nn.GRU(WIDTH, UNITS, batch_first=True)
        self.query = nn.Linear(UNITS, 7)
        self.key = nn.Linear(UNITS, 7, bias=False)
        self.energy = nn.Linear(7, 1, bias=False)
        self.head = nn.Linear(2 * UNITS, TARGET)

    def forward(self, source, target):
        read, state = self.encoder(self.source(source))
        written, _ = self.decoder(self.target(target), state)
        apart = torch.tanh(self.query(written)[:, :, None] + self.key(read)[:, None])
        context = torch.softmax(self.energy(apart).squeeze(-1), -1) @ read
        return self.head(torch.cat([written, context], -1))


def translator():
    source, target = inputs()
    read, state = layers.GRU(UNITS, return_sequences=True, return_state=True, name="encoder")(
        layers.Embedding(SOURCE, WIDTH, name="source")(source)
    )
    written = layers.GRU(UNITS, return_sequences=True, name="decoder")(
        layers.Embedding(TARGET, WIDTH, name="target")(target), initial_state=state
    )
    query = layers.Dense(7, name="query")(written)
    key = layers.Dense(7, use_bias=False, name="key")(read)
    context = layers.AdditiveAttention(name="energy")([query, read, key])
    x = layers.Concatenate()([written, context])
    return keras.Model([source, target], layers.Dense(TARGET, name="head")(x), name="translator")


TRANSLATOR = ("source", "target", "query", "key", "head")


def energy(tensors):
    return {"energy/scale": tensors.pop("energy.weight")[0]}


TRANSLATOR_SCHEMA = (
    HEADER
    + NOTHING_FLATTENED
    + layer("{x:source|target|query|key|head}", "{x}")
    + layer("{x:encoder|decoder}", "{x}", "GRU")
    + '[[tensor]]\ntorch = "energy.weight"\nkeras = "energy/scale"\nlayout = "1 u -> u"\n'
)

two_sequences = functools.partial(Case, samples=samples, to_keras=unchanged, from_torch=unchanged)

CASES = [
    two_sequences(
        name="transformer_same_names",
        module=seeded(Transformer, 110),
        model=transformer,
        pairs=transformer_pairs(),
        schema="same-names",
    ),
    two_sequences(
        name="transformer_template",
        module=seeded(Transformer, 111),
        model=transformer,
        pairs=transformer_pairs(),
        schema=TRANSFORMER_SCHEMA,
        template=True,
    ),
    *both_forms(
        two_sequences(
            name="translator",
            module=seeded(Translator, 112),
            model=translator,
            tensors=lambda module: one_by_one(module.state_dict()),
            pairs={name: name for name in TRANSLATOR}
            | {"encoder.l0": "encoder", "decoder.l0": "decoder"},
            loose=energy,
            schema=TRANSLATOR_SCHEMA,
            # 3.0.5 gives the attention's output the queries' width.
            old_keras=False,
        )
    ),
]
