"""nn.TransformerEncoder, and the layers that a user writes for it."""

import functools

from case import Case, unchanged
import keras
from keras import layers
from torch import nn
from zoo import EPSILON

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer, seeded

WIDTH, HEADS, HIDDEN, STEPS, TOKENS, CLASSES = 12, 3, 20, 7, 31, 5
DEPTH = 2


def norm(x, name):
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def attention(query, value, name, causal=False):
    heads = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name=name)
    return heads(query, value, use_causal_mask=causal)


def feed_forward(x, name, activation):
    x = layers.Dense(HIDDEN, activation=activation, name=f"{name}_linear1")(x)
    return layers.Dense(WIDTH, name=f"{name}_linear2")(x)


def block(x, name, activation, norm_first):
    """nn.TransformerEncoderLayer, with the normalization behind each part or before it."""
    if norm_first:
        y = norm(x, f"{name}_norm1")
        x = layers.Add()([x, attention(y, y, f"{name}_self_attn")])
        return layers.Add()([x, feed_forward(norm(x, f"{name}_norm2"), name, activation)])
    x = norm(layers.Add()([x, attention(x, x, f"{name}_self_attn")]), f"{name}_norm1")
    return norm(layers.Add()([x, feed_forward(x, name, activation)]), f"{name}_norm2")


class Classifier(nn.Module):
    """Tokens to classes by two layers; `norm_first` has a normalization at the end."""

    def __init__(self, activation, norm_first):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        one = nn.TransformerEncoderLayer(
            WIDTH, HEADS, HIDDEN, activation=activation, batch_first=True, norm_first=norm_first
        )
        last = nn.LayerNorm(WIDTH) if norm_first else None
        self.encoder = nn.TransformerEncoder(one, DEPTH, norm=last, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens):
        return self.head(self.encoder(self.embedding(tokens)).mean(1))


def classifier(activation, norm_first):
    """Its layers have the modules' names, with `_` for each dot."""
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(TOKENS, WIDTH, name="embedding")(tokens)
    for k in range(DEPTH):
        x = block(x, f"encoder_layers_{k}", activation, norm_first)
    x = norm(x, "encoder_norm") if norm_first else x
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, layers.Dense(CLASSES, name="head")(x), name="classifier")


def pairs(norm_first):
    parts = [f"layers.{k}.{name}" for k in range(DEPTH) for name in PARTS]
    modules = ["embedding", "head", *(f"encoder.{part}" for part in parts)]
    modules += ["encoder.norm"] if norm_first else []
    return {module: module.replace(".", "_") for module in modules}


PARTS = ("self_attn", "linear1", "linear2", "norm1", "norm2")

# As one writes it by hand, for the same names.
SCHEMA = (
    HEADER
    + NOTHING_FLATTENED
    + layer("{x:embedding|head}", "{x}")
    + layer("encoder.layers.{i}.self_attn", "encoder_layers_{i}_self_attn", "MultiHeadAttention")
    + layer("encoder.layers.{i}.linear{n:1|2}", "encoder_layers_{i}_linear{n}", "Dense")
    + layer("encoder.layers.{i}.norm{n:1|2}", "encoder_layers_{i}_norm{n}", "LayerNormalization")
)
FINAL_NORM = layer("encoder.norm", "encoder_norm", "LayerNormalization")


def encoder_case(name, seed, activation, norm_first, **options):
    return Case(
        name=name,
        module=seeded(functools.partial(Classifier, activation, norm_first), seed),
        model=functools.partial(classifier, activation, norm_first),
        samples=lambda random: [(random.integers(0, TOKENS, size=(3, STEPS)),)],
        pairs=pairs(norm_first),
        to_keras=unchanged,
        from_torch=unchanged,
        **options,
    )


CASES = [
    *both_forms(encoder_case("encoder_same_names", 80, "gelu", False, schema="same-names")),
    *both_forms(encoder_case("encoder_relu", 81, "relu", False, schema=SCHEMA)),
    *both_forms(encoder_case("encoder_norm_first", 82, "gelu", True, schema=SCHEMA + FINAL_NORM)),
]
