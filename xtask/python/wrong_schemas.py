"""Schemas with one mistake each: which of them the tool refuses, and which it carries out as they say.

Called by `judge.py`. What a schema says may be possible and still not be what the module computes; then the outputs
of both models show it, and nothing else does.
"""

import dataclasses
import re
import subprocess

import compare
import keras
import numpy as np
import torch
import wrong_nets as nets
from keras import layers
from torch import nn
from zoo import randomised

SEED = 30
TOLERANCE = 1e-5
# What a mistake does to the outputs, at least; less would be no mistake.
VISIBLE = 1e-3
TIMEOUT_SECONDS = 60
# How the list of one kind of faults begins.
KIND = re.compile(r"^(\w+): .*\(\d+\)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A rule as it should be and as it is; `rest` are the rules beside it."""

    name: str
    # Whether the sizes tell the axes apart, in words.
    sizes: str
    net: nets.Net
    right: str
    wrong: str
    rest: str = ""
    template: bool = False
    # The kinds of the faults; none when the schema is carried out.
    refused: tuple = ()


def tensor(source, target, layout=None, more=""):
    text = f'[[tensor]]\ntorch = "{source}"\nkeras = "{target}"\n'
    return text + (f'layout = "{layout}"\n' if layout else "") + more + "\n"


def layer(source, target, more=""):
    return f'[[layer]]\ntorch = "{source}"\nkeras = "{target}"\n{more}\n'


def kernel(name, layout, more=""):
    return tensor(f"{name}.weight", f"{name}/kernel", layout, more)


def bias(name):
    return tensor(f"{name}.bias", f"{name}/bias")


def gates(letter, layout, order):
    source = {"kernel": "weight_ih", "recurrent_kernel": "weight_hh"}
    return "".join(
        tensor(f"rnn.{name}_l0", f"rnn/{letter}_cell/{variable}", layout, order)
        for variable, name in source.items()
    )


LSTM_BIAS = tensor("rnn.bias_{b:ih|hh}_l0", "rnn/lstm_cell/bias", "g -> g", 'reduce = "sum"\n')
GRU_BIAS = tensor(
    "rnn.bias_{b:ih|hh}_l0",
    "rnn/gru_cell/bias",
    "(g u) -> b (g u)",
    "sizes = { g = 3 }\norder = { g = [1, 0, 2] }\n",
)
LSTM_GATES = "sizes = { g = 4 }\n"
GRU_GATES = "sizes = { g = 3 }\norder = { g = [1, 0, 2] }\n"
STATISTICS = tensor("bn.running_mean", "bn/moving_mean") + tensor("bn.running_var", "bn/moving_variance")
SCALES = tensor("bn.weight", "bn/gamma") + tensor("bn.bias", "bn/beta")
COUNTED = '[source]\nignore = "bn.num_batches_tracked"\n'
OUT = tensor("attn.out_proj.bias", "attn/attention_output/bias")
OUT_KERNEL = tensor("attn.out_proj.weight", "attn/attention_output/kernel", "e (h d) -> h d e")
IN_BIAS = tensor("attn.in_proj_bias", "attn/{p:query|key|value}/bias", "(p h d) -> h d")
IN_KERNEL = tensor("attn.in_proj_weight", "attn/{p:query|key|value}/kernel", "(p h d) e -> e h d")


def projections(query, key):
    names = {query: "q", key: "k", "value": "v"}
    return "".join(
        tensor(f"attn.{name}_proj_weight", f"attn/{part}/kernel", "(h d) e -> e h d")
        for part, name in names.items()
    )


def ways(forward, backward):
    inside = (("forward", forward), ("backward", backward))
    tables = ", ".join(f'{{ keras = "{way}_{{layer:*}}", torch = "{{*}}{end}" }}' for way, end in inside)
    return f"[class.Bidirectional]\ninside = [{tables}]\n"


def flattened(size):
    return layer("0", "conv", 'class = "Conv2D"') + layer("2", "fc", f'class = "Dense"\nflatten = {size}')


APART, ALIKE, ANY = "all different", "some equal", "any"

MISTAKES = [
    *(
        Mistake("a Dense kernel not transposed", sizes, net, kernel("fc", "o i -> i o"), kernel("fc", "o i -> o i"),
                bias("fc"), refused=refused)
        for sizes, net, refused in ((APART, nets.dense(5, 7), ("shape",)), (ALIKE, nets.dense(6, 6), ()))
    ),
    *(
        Mistake("height and width exchanged", sizes, net, kernel("conv", "o i h w -> h w i o"),
                kernel("conv", "o i h w -> w h i o"), bias("conv"), refused=refused)
        for sizes, net, refused in (
            (APART, nets.conv(3, 5, (2, 4)), ("shape",)), (ALIKE, nets.conv(3, 5, (3, 3)), ()),
        )
    ),
    *(
        Mistake("input and output channels exchanged", sizes, net, kernel("conv", "o i h w -> h w i o"),
                kernel("conv", "o i h w -> h w o i"), bias("conv"), refused=refused)
        for sizes, net, refused in (
            (APART, nets.conv(3, 5, (2, 4)), ("shape",)), (ALIKE, nets.conv(4, 4, (2, 3)), ()),
        )
    ),
    *(
        Mistake("a transposed convolution taken for a convolution", sizes, net, kernel("up", "i o h w -> h w o i"),
                kernel("up", "o i h w -> h w o i"), bias("up"), refused=refused)
        for sizes, net, refused in ((APART, nets.up(3, 5), ("shape",)), (ALIKE, nets.up(4, 4), ()))
    ),
    Mistake("a depthwise kernel's multiplier before its channels", ANY, nets.depthwise(5, 2),
            kernel("dw", "(c m) 1 h w -> h w c m"), kernel("dw", "(m c) 1 h w -> h w c m"), bias("dw")),
    Mistake("query and key exchanged", APART, nets.attention(6, 2, 4), projections("query", "key"),
            projections("key", "query"), IN_BIAS + OUT + OUT_KERNEL, refused=("shape",)),
    Mistake("query and key exchanged", ALIKE, nets.attention(6, 2), IN_KERNEL,
            IN_KERNEL.replace("query|key", "key|query"), IN_BIAS + OUT + OUT_KERNEL),
    Mistake("the numbers within a head before the heads", ANY, nets.attention(6, 2), IN_KERNEL,
            IN_KERNEL.replace("(p h d)", "(p d h)"), IN_BIAS + OUT + OUT_KERNEL),
    Mistake("an attention's output not transposed", ANY, nets.attention(6, 2), OUT_KERNEL,
            OUT_KERNEL.replace("e (h d)", "(h d) e"), IN_BIAS + OUT + IN_KERNEL),
    Mistake("an LSTM's gates in another order", ANY, nets.recurrent(nn.LSTM, layers.LSTM, 5, 3),
            gates("lstm", "(g u) i -> i (g u)", LSTM_GATES),
            gates("lstm", "(g u) i -> i (g u)", LSTM_GATES + "order = { g = [0, 1, 3, 2] }\n"), LSTM_BIAS),
    Mistake("a GRU's gates in PyTorch's order", ANY, nets.recurrent(nn.GRU, layers.GRU, 5, 3),
            gates("gru", "(g u) i -> i (g u)", GRU_GATES),
            gates("gru", "(g u) i -> i (g u)", "sizes = { g = 3 }\n"), GRU_BIAS),
    Mistake("a GRU's two biases added", ANY, nets.recurrent(nn.GRU, layers.GRU, 5, 3), GRU_BIAS,
            GRU_BIAS.replace("-> b (g u)", "-> (g u)") + 'reduce = "sum"\n',
            gates("gru", "(g u) i -> i (g u)", GRU_GATES), refused=("shape",)),
    Mistake("one of an LSTM's two biases left out", ANY, nets.recurrent(nn.LSTM, layers.LSTM, 5, 3), LSTM_BIAS,
            '[source]\nignore = "*.bias_hh_l0"\n' + tensor("rnn.bias_ih_l0", "rnn/lstm_cell/bias"),
            gates("lstm", "(g u) i -> i (g u)", LSTM_GATES)),
    Mistake("forward and backward exchanged", ANY, nets.both_ways(5, 3), ways("", "_reverse"),
            ways("_reverse", ""), layer("rnn", "rnn")),
    *(
        Mistake("every block one further", sizes, net, layer("blocks.{k}", "block_{k}"),
                layer("blocks.{k}", "block_{k+1}"), refused=refused)
        for sizes, net, refused in (
            (APART, nets.blocks(4, 5, 6, 7), ("rule", "shape", "missing")),
            (ALIKE, nets.blocks(5, 5, 5, 5), ("rule", "missing")),
        )
    ),
    *(
        Mistake("every block one further, the last first", sizes, net, layer("blocks.{k}", "block_{k}"),
                layer("blocks.{k}", "block_{(k+1)%3}"), refused=refused)
        for sizes, net, refused in (
            (APART, nets.blocks(4, 5, 6, 7), ("shape",)), (ALIKE, nets.blocks(5, 5, 5, 5), ()),
        )
    ),
    Mistake("gamma and beta exchanged", ANY, nets.norm(5), SCALES,
            tensor("bn.weight", "bn/beta") + tensor("bn.bias", "bn/gamma"), COUNTED + STATISTICS),
    Mistake("mean and variance exchanged", ANY, nets.norm(5), STATISTICS,
            tensor("bn.running_mean", "bn/moving_variance") + tensor("bn.running_var", "bn/moving_mean"),
            COUNTED + SCALES),
    *(
        Mistake(f"{what}, {'a template' if template else 'with the graph'}", ANY, nets.flat(3, 4, 5),
                flattened([4, 5, 3]), flattened(size), template=template, refused=refused)
        for what, size in (
            ("a flattened map's channels first, as in PyTorch", [3, 4, 5]), ("a flattened map not named", []),
        )
        for template, refused in ((False, ("rule",)), (True, ()))
    ),
    Mistake("a vector taken for the weight that weight_norm makes", ANY, nets.normalized_dense(5, 7),
            kernel("fc", "o i -> i o"),
            '[source]\nignore = "*.original0"\n'
            + tensor("fc.parametrizations.weight.original1", "fc/kernel", "o i -> i o"), bias("fc")),
    Mistake("adapters left out", ANY, nets.adapted(5, 7), "[source]\nlora = { alpha = 6 }\n" + layer("fc", "fc"),
            '[source]\nignore = "*.lora_*"\n' + layer("fc.base_layer", "fc")),
    Mistake("another alpha", ANY, nets.adapted(5, 7), "[source]\nlora = { alpha = 6 }\n" + layer("fc", "fc"),
            "[source]\nlora = { alpha = 12 }\n" + layer("fc", "fc")),
    Mistake("a scale stored minus one, taken as it is", ANY, nets.scale_minus_one(6),
            tensor("norm.weight", "norm/scale", more="offset = 1.0\n"), tensor("norm.weight", "norm/scale")),
    Mistake("the last rows of a table left out, not the first", ANY, nets.positions(6),
            tensor("table.embedding.weight", "table/0", "p e -> p e", 'slice = { p = "2:" }\n'),
            tensor("table.embedding.weight", "table/0", "p e -> p e", 'slice = { p = ":-2" }\n'),
            template=True),
    Mistake("no rows of a table left out", ANY, nets.positions(6),
            tensor("table.embedding.weight", "table/0", "p e -> p e", 'slice = { p = "2:" }\n'),
            tensor("table.embedding.weight", "table/0", "p e -> p e"), template=True, refused=("shape",)),
    Mistake("a constant in place of a bias", ANY, nets.dense(5, 7), bias("fc"),
            '[source]\nignore = "fc.bias"\n[[fill]]\nkeras = "fc/bias"\nvalue = 0.0\n', kernel("fc", "o i -> i o")),
    Mistake("a rule forgotten", ANY, nets.dense(5, 7), bias("fc"), "", kernel("fc", "o i -> i o"),
            refused=("missing", "unexpected")),
    Mistake("two rules for one variable", ANY, nets.blocks(5, 5, 5), layer("blocks.{k}", "block_{k}"),
            layer("blocks.{k}", "block_{k}") + layer("blocks.1", "block_0"), refused=("duplicate",)),
]


def attempt(mistake, text, module, model, folder, binary):
    """What the tool says of a schema: the kinds of its faults, and by how much the outputs differ."""
    checkpoint, schema, output = (folder / name for name in ("weights.pt", "schema.toml", "out.weights.h5"))
    schema.write_text("schema = 1\n" + text + mistake.rest)
    torch.save(module.state_dict(), checkpoint)
    architecture = folder / ("template.weights.h5" if mistake.template else "arch.json")
    if mistake.template:
        model.save_weights(architecture)
    else:
        architecture.write_text(model.to_json())
    sides = ["--schema", str(schema), "--arch", str(architecture)]

    def run(*arguments):
        command = [str(part) for part in (binary, *arguments, *sides)]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)

    done = run(checkpoint, "-o", output)
    if done.returncode not in (0, 6):
        raise RuntimeError(f"{mistake.name}: exit code {done.returncode}\n{done.stderr}")
    if done.returncode == 6:
        return tuple(dict.fromkeys(KIND.findall(done.stderr))), None
    if run("verify", checkpoint, output).returncode != 0:
        raise RuntimeError(f"{mistake.name}: verify finds other values than the plan's")
    model.load_weights(output)
    return (), outputs_differ_by(mistake.net, module, model)


def outputs_differ_by(net, module, model):
    x = np.random.default_rng(SEED).normal(size=net.shape).astype(np.float32)
    with torch.no_grad():
        want = net.from_torch(net.run(module, torch.from_numpy(x)).numpy())
    return compare.relative_difference(model(net.to_keras(x), training=False), want)


def judge(mistake, folder, binary):
    """The faults and the difference; raises when the right schema fails, or the wrong one does not do as expected."""
    torch.manual_seed(SEED)
    module = randomised(mistake.net.module(), SEED)
    keras.utils.set_random_seed(SEED)
    model = mistake.net.model()
    refused, difference = attempt(mistake, mistake.right, module, model, folder, binary)
    if refused or not difference <= TOLERANCE:
        raise RuntimeError(f"{mistake.name}: the right schema is {refused}, outputs differ by {difference}")
    refused, difference = attempt(mistake, mistake.wrong, module, model, folder, binary)
    if refused != mistake.refused:
        raise RuntimeError(f"{mistake.name}, sizes {mistake.sizes}: {refused} instead of {mistake.refused}")
    if not refused and difference <= VISIBLE:
        raise RuntimeError(f"{mistake.name}: outputs differ by {difference} only")
    return refused, difference


def table(work, binary):
    """Prints what becomes of each mistake; the faults of this judge."""
    faults, caught = [], 0
    work.mkdir(parents=True, exist_ok=True)
    width = max(len(mistake.name) for mistake in MISTAKES)
    print(f"{'one mistake in a schema':{width}} {'sizes':13} {'ptw2k':30} outputs differ by")
    for mistake in MISTAKES:
        try:
            refused, difference = judge(mistake, work, binary)
        except Exception as fault:  # the others are still tried
            faults.append(f"wrong schema: {fault}")
            print(f"{mistake.name:{width}} {mistake.sizes:13} FAILED")
            continue
        caught += bool(refused)
        said = f"refuses: {', '.join(refused)}" if refused else "carries it out; verify agrees"
        apart = "" if refused else f"{difference:.1e}" if np.isfinite(difference) else "no number"
        print(f"{mistake.name:{width}} {mistake.sizes:13} {said:30} {apart}")
        keras.utils.clear_session()
    print(f"\n{len(MISTAKES)} wrong schemas, {caught} refused, {len(faults)} not as expected")
    return faults
