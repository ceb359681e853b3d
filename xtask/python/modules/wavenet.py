"""A WaveNet: dilated causal convolutions with gates, every weight normalized, in both styles."""

import functools

from case import Case
import keras
from keras import layers
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer, seeded

MEL, FRAMES, CHANNELS, SKIP, CLASSES, UPSAMPLED, DEPTH = 3, 9, 6, 7, 5, 4, 3

# How weight_norm is put on a convolution, and how PyTorch takes it off.
STYLES = {
    "weight_norm": (nn.utils.weight_norm, nn.utils.remove_weight_norm),
    "parametrized": (
        parametrizations.weight_norm,
        lambda conv: parametrize.remove_parametrizations(conv, "weight"),
    ),
}


class Block(nn.Module):
    """Reads two steps of the past, 2ᵏ apart."""

    def __init__(self, k, normalize):
        super().__init__()
        self.filter = normalize(nn.Conv1d(CHANNELS, CHANNELS, 2, dilation=2**k))
        self.gate = normalize(nn.Conv1d(CHANNELS, CHANNELS, 2, dilation=2**k))
        self.residual = normalize(nn.Conv1d(CHANNELS, CHANNELS, 1))
        self.skip = normalize(nn.Conv1d(CHANNELS, SKIP, 1))

    def forward(self, x):
        past = nn.functional.pad(x, (self.filter.dilation[0], 0))
        gated = torch.tanh(self.filter(past)) * torch.sigmoid(self.gate(past))
        return x + self.residual(gated), self.skip(gated)


class WaveNet(nn.Module):
    """From the frames of a spectrogram, one for four samples, to the classes of the samples."""

    def __init__(self, normalize):
        super().__init__()
        self.upsample = normalize(nn.ConvTranspose1d(MEL, MEL + 1, UPSAMPLED, stride=UPSAMPLED))
        self.first = normalize(nn.Conv1d(MEL + 1, CHANNELS, 2))
        self.blocks = nn.ModuleList(Block(k, normalize) for k in range(DEPTH))
        self.last = normalize(nn.Conv1d(SKIP, CLASSES, 1))

    def forward(self, mel):
        x = self.first(nn.functional.pad(self.upsample(mel), (1, 0)))
        skips = []
        for block in self.blocks:
            x, skip = block(x)
            skips.append(skip)
        return self.last(torch.relu(sum(skips)))


def trained(normalize):
    """A norm that is not the vector's own: as it was set, it would do nothing."""
    module = WaveNet(normalize)
    for name, parameter in module.named_parameters():
        if name.endswith(("weight_g", "original0")):
            nn.init.uniform_(parameter, 0.5, 1.5)
    return module


def wavenet():
    mel = keras.Input((FRAMES, MEL))
    x = layers.Conv1DTranspose(MEL + 1, UPSAMPLED, strides=UPSAMPLED, name="upsample")(mel)
    x = layers.Conv1D(CHANNELS, 2, padding="causal", name="first")(x)
    skips = []
    for k in range(DEPTH):
        kept = {"padding": "causal", "dilation_rate": 2**k}
        filtered = layers.Conv1D(CHANNELS, 2, activation="tanh", name=f"block{k}_filter", **kept)(x)
        gate = layers.Conv1D(CHANNELS, 2, activation="sigmoid", name=f"block{k}_gate", **kept)(x)
        gated = layers.Multiply()([filtered, gate])
        skips.append(layers.Conv1D(SKIP, 1, name=f"block{k}_skip")(gated))
        if k < DEPTH - 1:
            x = layers.Add()([x, layers.Conv1D(CHANNELS, 1, name=f"block{k}_residual")(gated)])
    x = layers.ReLU()(layers.Add()(skips))
    return keras.Model(mel, layers.Conv1D(CLASSES, 1, name="last")(x), name="wavenet")


PARTS = ("filter", "gate", "residual", "skip")
# What the last block adds to is not read again, and Keras drops a layer that leads to no output.
UNREAD = f"blocks.{DEPTH - 1}.residual"
PAIRS = {name: name for name in ("upsample", "first", "last")} | {
    f"blocks.{k}.{part}": f"block{k}_{part}"
    for k in range(DEPTH)
    for part in PARTS
    if f"blocks.{k}.{part}" != UNREAD
}
SCHEMA = (
    HEADER
    + f'[source]\nignore = "{UNREAD}.*"\n'
    + NOTHING_FLATTENED
    + layer("upsample", "upsample", "Conv1DTranspose")
    + layer("{x:first|last}", "{x}", "Conv1D")
    + layer("blocks.{k}.{part}", "block{k}_{part:filter|gate|residual|skip}", "Conv1D")
)


def without(build, remove):
    """Takes the normalization off, as one does before the net is used."""

    def plain():
        module = build()
        for part in module.modules():
            if isinstance(part, (nn.Conv1d, nn.ConvTranspose1d)):
                remove(part)
        return module

    return plain


def wavenet_case(style, seed):
    normalize, remove = STYLES[style]
    build = seeded(functools.partial(trained, normalize), seed)
    return Case(
        name=f"wavenet_{style}",
        module=build,
        model=wavenet,
        samples=lambda random: [(random.normal(size=(2, MEL, FRAMES)),)],
        tensors=lambda module: without(build, remove)().state_dict(),
        pairs=PAIRS,
        ignored=(UNREAD + ".",),
        schema=SCHEMA,
    )


CASES = [case for seed, style in enumerate(STYLES, 120) for case in both_forms(wavenet_case(style, seed))]
