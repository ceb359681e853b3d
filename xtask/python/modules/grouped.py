"""Convolutions with groups, transposed ones too, to Keras layers without: their kernels are dense."""

import functools

from case import Case
import keras
from keras import layers
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer, seeded

READ, MADE, UP = 4, 6, 9
# Of the convolution, and of the transposed one.
GROUPS, UP_GROUPS = 2, 3
SPACE = (5, 7, 4)
KERNEL, UP_KERNEL, STRIDE = (3, 2, 1), (2, 4, 3), 2


class Net(nn.Module):
    """A convolution and a transposed one, over maps of 1 to 3 axes."""

    def __init__(self, rank, normalize=lambda module: module):
        super().__init__()
        conv, up = ((nn.Conv1d, nn.ConvTranspose1d), (nn.Conv2d, nn.ConvTranspose2d), (nn.Conv3d, nn.ConvTranspose3d))[
            rank - 1
        ]
        self.conv = normalize(conv(READ, MADE, KERNEL[:rank], groups=GROUPS))
        self.up = normalize(up(MADE, UP, UP_KERNEL[:rank], stride=STRIDE, groups=UP_GROUPS))

    def forward(self, x):
        return self.up(torch.relu(self.conv(x)))


def model(rank):
    conv, up = (
        (layers.Conv1D, layers.Conv1DTranspose),
        (layers.Conv2D, layers.Conv2DTranspose),
        (layers.Conv3D, layers.Conv3DTranspose),
    )[rank - 1]
    return keras.Sequential(
        [
            keras.Input((*SPACE[:rank], READ)),
            conv(MADE, KERNEL[:rank], activation="relu", name="conv"),
            up(UP, UP_KERNEL[:rank], strides=STRIDE, name="up"),
        ]
    )


def schema(rank):
    return (
        HEADER
        + NOTHING_FLATTENED
        + layer("conv", "conv", f"Conv{rank}D")
        + f"groups = {GROUPS}\n"
        + layer("up", "up", f"Conv{rank}DTranspose")
        + f"groups = {UP_GROUPS}\n"
    )


def dense(weight, groups):
    """A block on the diagonal for each group, by hand."""
    rows, columns = weight.shape[0] // groups, weight.shape[1]
    whole = torch.zeros(weight.shape[0], groups * columns, *weight.shape[2:])
    for group in range(groups):
        own = slice(group * rows, (group + 1) * rows)
        whole[own, group * columns : (group + 1) * columns] = weight[own]
    return whole


def tensors(build, remove):
    def plain(_):
        module = build()
        for part in (module.conv, module.up):
            remove(part)
        found = dict(module.state_dict())
        for name, groups in (("conv", GROUPS), ("up", UP_GROUPS)):
            found[f"{name}.weight"] = dense(found[f"{name}.weight"], groups)
        return found

    return plain


def case(name, rank, seed, normalize=lambda module: module, remove=lambda part: None, **options):
    build = seeded(functools.partial(Net, rank, normalize), seed)
    return Case(
        name=f"grouped_{name}",
        module=build,
        model=functools.partial(model, rank),
        samples=lambda random: [(random.normal(size=(2, READ, *SPACE[:rank])),)],
        pairs={"conv": "conv", "up": "up"},
        tensors=tensors(build, remove),
        schema=schema(rank),
        **options,
    )


def unparametrized(part):
    parametrize.remove_parametrizations(part, "weight")


CASES = [
    *(one for rank in (1, 2, 3) for one in both_forms(case(f"{rank}d", rank, 160 + rank))),
    case("weight_norm", 1, 164, nn.utils.weight_norm, nn.utils.remove_weight_norm),
    # Sums are added in float64 and rounded once; torch's order depends on the machine.
    case("spectral_norm", 2, 165, parametrizations.spectral_norm, unparametrized, computed={"*/kernel": 4}),
]
