"""The usual way to convert by hand, with torch, numpy and h5py.

    numpy_h5py.py MODEL.pt OUT.weights.h5

A loop over the layers in Keras's order, written by somebody who knows the file format. Prints the seconds that it
takes without the imports.
"""

import sys
import time

import h5py
import torch

NAMES = {
    "dense": ("weight", "bias"),
    "conv2d": ("weight", "bias"),
    "batch_normalization": ("weight", "bias", "running_mean", "running_var"),
}
PERMUTATIONS = {"dense": (1, 0), "conv2d": (2, 3, 1, 0)}


def convert(checkpoint, output):
    state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    of = lambda kind: [key.removesuffix(".weight") for key in state if key.startswith(kind) and key.endswith("weight")]
    plan = {"dense": of("square.") + of("wide."), "conv2d": of("conv."), "batch_normalization": of("norm.")}
    with h5py.File(output, "w") as file:
        for group, modules in plan.items():
            for index, module in enumerate(modules):
                layer = file.create_group(f"layers/{group}" + (f"_{index}" if index else "") + "/vars")
                for number, name in enumerate(NAMES[group]):
                    value = state[f"{module}.{name}"].numpy()
                    if name == "weight" and group in PERMUTATIONS:
                        value = value.transpose(PERMUTATIONS[group])
                    layer.create_dataset(str(number), data=value)


def main():
    began = time.perf_counter()
    convert(*sys.argv[1:])
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
