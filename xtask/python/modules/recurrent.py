"""nn.LSTM, nn.GRU and nn.RNN of several layers: to Bidirectional layers, or to the cells of one layer."""

import functools

from case import Case, unchanged
import keras
from keras import layers
from layers_inside import one_by_one
from torch import nn

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer, seeded

FEATURES, UNITS, STEPS, TOKENS, TAGS = 5, 3, 7, 23, 4

# The PyTorch class, the Keras layer and its cell.
KINDS = {
    "lstm": (nn.LSTM, layers.LSTM, layers.LSTMCell),
    "gru": (nn.GRU, layers.GRU, layers.GRUCell),
    "rnn": (nn.RNN, layers.SimpleRNN, layers.SimpleRNNCell),
}


class Tagger(nn.Module):
    """Tokens to tags, by two layers that read in both directions."""

    def __init__(self, recurrent):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, FEATURES)
        self.encoder = recurrent(FEATURES, UNITS, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * UNITS, TAGS)

    def forward(self, tokens):
        return self.head(self.encoder(self.embedding(tokens))[0])


def tagger(recurrent, one_way):
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(TOKENS, FEATURES, name="embedding")(tokens)
    for k in range(2):
        inside = recurrent(UNITS, return_sequences=True, name=one_way)
        x = layers.Bidirectional(inside, name=f"encoder_{k}")(x)
    x = layers.TimeDistributed(layers.Dense(TAGS, name="dense"), name="head")(x)
    return keras.Model(tokens, x, name="tagger")


TAGGER_SCHEMA = (
    HEADER
    + NOTHING_FLATTENED
    + layer("{x:embedding|head}", "{x}")
    + layer("encoder.{*}_l{k}", "encoder_{k}", "Bidirectional")
)

# A template does not tell what a layer of the user's own name is.
NAMED_SCHEMA = (
    TAGGER_SCHEMA
    + """[class.Bidirectional]
inside = [
    { keras = "forward_{layer:*}", class = "LSTM" },
    { keras = "backward_{layer:*}", class = "LSTM", torch = "{*}_reverse" },
]
"""
)


class Stack(nn.Module):
    """Three layers in one direction, without biases, and the last state of the last."""

    def __init__(self, recurrent, bias):
        super().__init__()
        self.stack = recurrent(FEATURES, UNITS, num_layers=3, bias=bias, batch_first=True)

    def forward(self, x):
        return self.stack(x)[0][:, -1]


def stack(cell, bias):
    cells = [cell(UNITS, use_bias=bias, name=f"cell_{k}") for k in range(3)]
    steps = keras.Input((STEPS, FEATURES))
    return keras.Model(steps, layers.RNN(cells, name="stack")(steps))


def pile(recurrent):
    """The same as layers of their own, of which all but the last return sequences."""
    x = steps = keras.Input((STEPS, FEATURES))
    for k in range(3):
        x = recurrent(UNITS, return_sequences=k < 2, name=f"layer_{k}")(x)
    return keras.Model(steps, x, name="pile")


def sequences(random):
    return [(random.normal(size=(2, STEPS, FEATURES)),)]


def recurrent_case(name, **options):
    return Case(
        name=name,
        tensors=lambda module: one_by_one(module.state_dict()),
        to_keras=unchanged,
        from_torch=unchanged,
        **options,
    )


def tagger_case(name, module, seed, model, schema, **options):
    return recurrent_case(
        name,
        module=seeded(functools.partial(Tagger, module), seed),
        model=model,
        samples=lambda random: [(random.integers(0, TOKENS, size=(3, STEPS)),)],
        pairs={
            "embedding": "embedding",
            "encoder.l0": "encoder_0",
            "encoder.l1": "encoder_1",
            "head": "head",
        },
        schema=schema,
        **options,
    )


def cases():
    for seed, (kind, (module, whole, cell)) in enumerate(KINDS.items(), 60):
        model = functools.partial(tagger, whole, {"rnn": "simple_rnn"}.get(kind, kind))
        yield from both_forms(tagger_case(f"{kind}_tagger", module, seed, model, TAGGER_SCHEMA))
        for bias in (True, False):
            yield recurrent_case(
                f"{kind}_cells" if bias else f"{kind}_cells_no_bias",
                module=seeded(functools.partial(Stack, module, bias), seed + 10),
                model=functools.partial(stack, cell, bias),
                samples=sequences,
                pairs={"stack": "stack"},
                schema="same-names" if bias else HEADER + layer("stack", "stack"),
                template=not bias,
            )
        yield recurrent_case(
            f"{kind}_layers",
            module=seeded(functools.partial(Stack, module, True), seed + 20),
            model=functools.partial(pile, whole),
            samples=sequences,
            pairs={f"stack.l{k}": f"layer_{k}" for k in range(3)},
            schema=HEADER + layer("stack.{*}_l{k}", "layer_{k}"),
        )
    model = functools.partial(tagger, layers.LSTM, "one_way")
    yield tagger_case("lstm_tagger_named", nn.LSTM, 63, model, NAMED_SCHEMA, template=True)


CASES = list(cases())
