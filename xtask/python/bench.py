"""The benchmark's inputs, and the usual way to convert by hand.

    bench.py make FOLDER quick|full            model.pt, arch.json, schema.toml, many.pt, many.safetensors
    bench.py convert MODEL.pt OUT.weights.h5   with torch, numpy and h5py
"""

import pathlib
import sys

import h5py
import torch
from safetensors.torch import save_file

# Small tensors of the checkpoints that are only opened.
MANY = 10_000

# How many of each; the full size is 1 GiB.
COUNTS = {"full": {"square": 4, "wide": 3, "conv": 28}, "quick": {"square": 1, "wide": 0, "conv": 7}}

# name: (builder's arguments, in torch's order)
SQUARE, WIDE, CONV = (4096, 4096), (4096, 11008), (512, 512, 3)

SCHEMA = """schema = 1
name = "bench"

[[layer]]
torch = "{kind:square|wide|conv|norm}.{n}"
keras = "{kind}_{n}"
"""


class Mixed(torch.nn.Module):
    """Linear layers, convolutions, and a normalization (four small vectors) for each of them."""

    def __init__(self, counts):
        super().__init__()
        repeat = lambda build, count: torch.nn.ModuleList(build() for _ in range(count))
        self.square = repeat(lambda: torch.nn.Linear(*SQUARE), counts["square"])
        self.wide = repeat(lambda: torch.nn.Linear(*WIDE), counts["wide"])
        self.conv = repeat(lambda: torch.nn.Conv2d(*CONV), counts["conv"])
        self.norm = repeat(lambda: torch.nn.BatchNorm1d(SQUARE[0]), sum(counts.values()))


def architecture(counts):
    """The same layers in Keras, each on an input of its own."""
    import case as _  # sets the Keras backend before keras is imported
    import keras
    from keras import layers

    inputs, outputs = [], []

    def add(shape, layer):
        inputs.append(keras.Input(shape))
        outputs.append(layer(inputs[-1]))

    for n in range(counts["square"]):
        add((SQUARE[0],), layers.Dense(SQUARE[1], name=f"square_{n}"))
    for n in range(counts["wide"]):
        add((WIDE[0],), layers.Dense(WIDE[1], name=f"wide_{n}"))
    for n in range(counts["conv"]):
        add((None, None, CONV[0]), layers.Conv2D(CONV[1], CONV[2], padding="same", name=f"conv_{n}"))
    for n in range(sum(counts.values())):
        add((SQUARE[0],), layers.BatchNormalization(epsilon=1e-5, name=f"norm_{n}"))
    return keras.Model(inputs, outputs, name="bench").to_json()


def make(folder, counts):
    torch.manual_seed(0)
    torch.save(Mixed(counts).state_dict(), folder / "model.pt")
    (folder / "arch.json").write_text(architecture(counts))
    (folder / "schema.toml").write_text(SCHEMA)
    many = {f"layers.{n // 10}.experts.{n % 10}.weight": torch.full((4, 3), float(n)) for n in range(MANY)}
    torch.save(many, folder / "many.pt")
    save_file(many, folder / "many.safetensors")


def convert(checkpoint, output):
    """A loop over the layers in Keras's order, written by somebody who knows the file format."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    count = {kind: sum(f"{kind}.{n}.weight" in state for n in range(1000)) for kind in ("square", "wide", "conv")}
    plan = [
        ("dense", [f"square.{n}" for n in range(count["square"])] + [f"wide.{n}" for n in range(count["wide"])]),
        ("conv2d", [f"conv.{n}" for n in range(count["conv"])]),
        ("batch_normalization", [f"norm.{n}" for n in range(sum(count.values()))]),
    ]
    names = {
        "dense": ("weight", "bias"),
        "conv2d": ("weight", "bias"),
        "batch_normalization": ("weight", "bias", "running_mean", "running_var"),
    }
    permutations = {"dense": (1, 0), "conv2d": (2, 3, 1, 0)}
    with h5py.File(output, "w") as file:
        for group, modules in plan:
            for index, module in enumerate(modules):
                path = f"layers/{group}" + (f"_{index}" if index else "") + "/vars"
                layer = file.create_group(path)
                for number, name in enumerate(names[group]):
                    value = state[f"{module}.{name}"].numpy()
                    if name == "weight" and group in permutations:
                        value = value.transpose(permutations[group])
                    layer.create_dataset(str(number), data=value)


def main():
    match sys.argv[1:]:
        case ["make", folder, size]:
            make(pathlib.Path(folder), COUNTS[size])
        case ["convert", checkpoint, output]:
            convert(checkpoint, output)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
