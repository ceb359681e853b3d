"""Schemas with one mistake each, and what the tool is expected to make of them."""

import dataclasses

from keras import layers
from torch import nn
import wrong_nets as nets

# Whether the sizes tell the axes apart.
APART, ALIKE, ANY = "all different", "some equal", "any"


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A rule as it should be and as it is."""

    name: str
    net: nets.Net
    right: str
    wrong: str
    # The rules beside it.
    rest: str = ""
    sizes: str = ANY
    template: bool = False
    # The kinds of the faults; none when the schema is carried out.
    refused: tuple = ()


def apart_and_alike(name, apart, alike, right, wrong, rest=""):
    """A mistake that shapes show where sizes differ, and hide where they do not."""
    return [
        Mistake(name, apart, right, wrong, rest, sizes=APART, refused=("shape",)),
        Mistake(name, alike, right, wrong, rest, sizes=ALIKE),
    ]


def tensor(source, target, layout=None, more=""):
    text = f'[[tensor]]\ntorch = "{source}"\nkeras = "{target}"\n'
    return text + (f'layout = "{layout}"\n' if layout else "") + more


def layer(source, target, more=""):
    return f'[[layer]]\ntorch = "{source}"\nkeras = "{target}"\n{more}\n'


def source(text):
    return f"[source]\n{text}\n"


def kernel(name, layout):
    return tensor(f"{name}.weight", f"{name}/kernel", layout)


def bias(name):
    return tensor(f"{name}.bias", f"{name}/bias")


def gated(cell, more):
    """Both kernels of a recurrent layer."""
    return "".join(
        tensor(f"rnn.{name}_l0", f"rnn/{cell}/{variable}", "(g u) i -> i (g u)", more)
        for variable, name in (("kernel", "weight_ih"), ("recurrent_kernel", "weight_hh"))
    )


def projections(query, key):
    """Three projections that are parameters of their own."""
    return "".join(
        tensor(f"attn.{name}_proj_weight", f"attn/{part}/kernel", "(h d) e -> e h d")
        for part, name in ((query, "q"), (key, "k"), ("value", "v"))
    )


def ways(forward, backward):
    inside = (("forward", forward), ("backward", backward))
    tables = ", ".join(f'{{ keras = "{way}_{{layer:*}}", torch = "{{*}}{end}" }}' for way, end in inside)
    return f"[class.Bidirectional]\ninside = [{tables}]\n"


LSTM, GRU = nets.recurrent(nn.LSTM, layers.LSTM, 5, 3), nets.recurrent(nn.GRU, layers.GRU, 5, 3)
BOTH_BIASES = "rnn.bias_{b:ih|hh}_l0"
LSTM_BIAS = tensor(BOTH_BIASES, "rnn/lstm_cell/bias", "g -> g", 'reduce = "sum"\n')
GRU_ORDER = "sizes = { g = 3 }\norder = { g = [1, 0, 2] }\n"
GRU_BIAS = tensor(BOTH_BIASES, "rnn/gru_cell/bias", "(g u) -> b (g u)", GRU_ORDER)
LSTM_KERNELS, GRU_KERNELS = gated("lstm_cell", "sizes = { g = 4 }\n"), gated("gru_cell", GRU_ORDER)

RECURRENT = [
    Mistake(
        "an LSTM's gates in another order",
        LSTM,
        LSTM_KERNELS,
        gated("lstm_cell", "sizes = { g = 4 }\norder = { g = [0, 1, 3, 2] }\n"),
        LSTM_BIAS,
    ),
    Mistake(
        "a GRU's gates in PyTorch's order", GRU, GRU_KERNELS, gated("gru_cell", "sizes = { g = 3 }\n"), GRU_BIAS
    ),
    Mistake(
        "a GRU's two biases added",
        GRU,
        GRU_BIAS,
        GRU_BIAS.replace("-> b (g u)", "-> (g u)") + 'reduce = "sum"\n',
        GRU_KERNELS,
        refused=("shape",),
    ),
    Mistake(
        "one of an LSTM's two biases left out",
        LSTM,
        LSTM_BIAS,
        source('ignore = "*.bias_hh_l0"') + tensor("rnn.bias_ih_l0", "rnn/lstm_cell/bias"),
        LSTM_KERNELS,
    ),
    Mistake(
        "forward and backward exchanged",
        nets.both_ways(5, 3),
        ways("", "_reverse"),
        ways("_reverse", ""),
        layer("rnn", "rnn"),
    ),
]

IN_KERNEL = tensor("attn.in_proj_weight", "attn/{p:query|key|value}/kernel", "(p h d) e -> e h d")
OUT_KERNEL = tensor("attn.out_proj.weight", "attn/attention_output/kernel", "e (h d) -> h d e")
ATTENTION_BIASES = tensor("attn.in_proj_bias", "attn/{p:query|key|value}/bias", "(p h d) -> h d") + tensor(
    "attn.out_proj.bias", "attn/attention_output/bias"
)

ATTENTION = [
    Mistake(
        "query and key exchanged",
        nets.attention(6, 2, kdim=4),
        projections("query", "key"),
        projections("key", "query"),
        ATTENTION_BIASES + OUT_KERNEL,
        sizes=APART,
        refused=("shape",),
    ),
    Mistake(
        "query and key exchanged",
        nets.attention(6, 2),
        IN_KERNEL,
        IN_KERNEL.replace("query|key", "key|query"),
        ATTENTION_BIASES + OUT_KERNEL,
        sizes=ALIKE,
    ),
    Mistake(
        "the numbers within a head before the heads",
        nets.attention(6, 2),
        IN_KERNEL,
        IN_KERNEL.replace("(p h d)", "(p d h)"),
        ATTENTION_BIASES + OUT_KERNEL,
    ),
    Mistake(
        "an attention's output not transposed",
        nets.attention(6, 2),
        OUT_KERNEL,
        OUT_KERNEL.replace("e (h d)", "(h d) e"),
        ATTENTION_BIASES + IN_KERNEL,
    ),
]

KERNELS = [
    *apart_and_alike(
        "a Dense kernel not transposed",
        nets.dense(5, 7),
        nets.dense(6, 6),
        kernel("fc", "o i -> i o"),
        kernel("fc", "o i -> o i"),
        bias("fc"),
    ),
    *apart_and_alike(
        "height and width exchanged",
        nets.conv(3, 5, (2, 4)),
        nets.conv(3, 5, (3, 3)),
        kernel("conv", "o i h w -> h w i o"),
        kernel("conv", "o i h w -> w h i o"),
        bias("conv"),
    ),
    *apart_and_alike(
        "input and output channels exchanged",
        nets.conv(3, 5, (2, 4)),
        nets.conv(4, 4, (2, 3)),
        kernel("conv", "o i h w -> h w i o"),
        kernel("conv", "o i h w -> h w o i"),
        bias("conv"),
    ),
    *apart_and_alike(
        "a transposed convolution's channels exchanged",
        nets.up(3, 5),
        nets.up(4, 4),
        kernel("up", "i o h w -> h w o i"),
        kernel("up", "i o h w -> h w i o"),
        bias("up"),
    ),
    *(
        Mistake(
            name,
            nets.grouped_up(6, 9, 3),
            layer("up", "up", "groups = 3"),
            layer("up", "up", wrong),
            refused=("shape",),
        )
        for name, wrong in (("groups not said", ""), ("another number of groups", "groups = 2"))
    ),
    Mistake(
        "a depthwise kernel's multiplier before its channels",
        nets.depthwise(5, 2),
        kernel("dw", "(c m) 1 h w -> h w c m"),
        kernel("dw", "(m c) 1 h w -> h w c m"),
        bias("dw"),
    ),
]


def flattened(size):
    return layer("0", "conv", 'class = "Conv2D"') + layer("2", "fc", f'class = "Dense"\nflatten = {size}')


# The graph tells what is flattened; a template has none.
FLATTENED = [
    Mistake(
        f"{what}, {form}",
        nets.flat(3, 4, 5),
        flattened([4, 5, 3]),
        flattened(size),
        template=not refused,
        refused=refused,
    )
    for what, size in (
        ("a flattened map with its channels first", [3, 4, 5]),
        ("a flattened map not named", []),
    )
    for form, refused in (("with the graph", ("rule",)), ("a template", ()))
]

BLOCKS = layer("blocks.{k}", "block_{k}")
FURTHER = layer("blocks.{k}", "block_{k+1}")
NAMES = [
    Mistake(
        "every block one further",
        nets.blocks(4, 5, 6, 7),
        BLOCKS,
        FURTHER,
        sizes=APART,
        refused=("rule", "shape", "missing"),
    ),
    Mistake(
        "every block one further",
        nets.blocks(5, 5, 5, 5),
        BLOCKS,
        FURTHER,
        sizes=ALIKE,
        refused=("rule", "missing"),
    ),
    *apart_and_alike(
        "every block one further, the last one first",
        nets.blocks(4, 5, 6, 7),
        nets.blocks(5, 5, 5, 5),
        BLOCKS,
        layer("blocks.{k}", "block_{(k+1)%3}"),
    ),
    Mistake(
        "a rule forgotten",
        nets.dense(5, 7),
        bias("fc"),
        "",
        kernel("fc", "o i -> i o"),
        refused=("missing", "unexpected"),
    ),
    Mistake(
        "two rules for one variable",
        nets.blocks(5, 5, 5),
        BLOCKS,
        BLOCKS + layer("blocks.1", "block_0"),
        refused=("duplicate",),
    ),
]

SCALES = tensor("bn.weight", "bn/gamma") + tensor("bn.bias", "bn/beta")
STATISTICS = tensor("bn.running_mean", "bn/moving_mean") + tensor("bn.running_var", "bn/moving_variance")
COUNTED = source('ignore = "bn.num_batches_tracked"')
ADAPTED = source("lora = { alpha = 6 }") + layer("fc", "fc")


def table(part):
    return tensor("table.embedding.weight", "table/0", "p e -> p e", part)


VALUES = [
    Mistake(
        "gamma and beta exchanged",
        nets.norm(5),
        SCALES,
        tensor("bn.weight", "bn/beta") + tensor("bn.bias", "bn/gamma"),
        COUNTED + STATISTICS,
    ),
    Mistake(
        "mean and variance exchanged",
        nets.norm(5),
        STATISTICS,
        tensor("bn.running_mean", "bn/moving_variance") + tensor("bn.running_var", "bn/moving_mean"),
        COUNTED + SCALES,
    ),
    Mistake(
        "the vector of a weight_norm taken for the weight",
        nets.normalized_dense(5, 7),
        kernel("fc", "o i -> i o"),
        source('ignore = "*.original0"')
        + tensor("fc.parametrizations.weight.original1", "fc/kernel", "o i -> i o"),
        bias("fc"),
    ),
    Mistake(
        "an adapter left out",
        nets.adapted(5, 7),
        ADAPTED,
        source('ignore = "*.lora_*"') + layer("fc.base_layer", "fc"),
    ),
    Mistake("another alpha", nets.adapted(5, 7), ADAPTED, ADAPTED.replace("6", "12")),
    Mistake(
        "a scale stored minus one, taken as it is",
        nets.scale_minus_one(6),
        tensor("norm.weight", "norm/scale", more="offset = 1.0\n"),
        tensor("norm.weight", "norm/scale"),
    ),
    Mistake(
        "the last rows of a table left out, not the first",
        nets.positions(6),
        table('slice = { p = "2:" }\n'),
        table(f'slice = {{ p = ":{nets.STEPS}" }}\n'),
        template=True,
    ),
    Mistake(
        "no rows of a table left out",
        nets.positions(6),
        table('slice = { p = "2:" }\n'),
        table(""),
        template=True,
        refused=("shape",),
    ),
    Mistake(
        "a constant in place of a bias",
        nets.dense(5, 7),
        bias("fc"),
        source('ignore = "fc.bias"') + '[[fill]]\nkeras = "fc/bias"\nvalue = 0.0\n',
        kernel("fc", "o i -> i o"),
    ),
]

MISTAKES = KERNELS + ATTENTION + RECURRENT + FLATTENED + NAMES + VALUES
