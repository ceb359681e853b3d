"""The way by a model: Keras builds it, `set_weights` gives each layer its arrays, `save_weights` writes them.

    keras_weights.py MODEL.pt ARCH.json OUT.weights.h5

Prints the seconds that it takes without the imports.
"""

import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import torch

PERMUTATIONS = {2: (1, 0), 4: (2, 3, 1, 0)}


def convert(checkpoint, architecture, output):
    state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    with open(architecture, encoding="utf-8") as file:
        model = keras.models.model_from_json(file.read())
    for layer in model.layers:
        kind, _, n = layer.name.rpartition("_")
        names = ("weight", "bias", "running_mean", "running_var")[: len(layer.weights)]
        values = [state[f"{kind}.{n}.{name}"].numpy() for name in names]
        if values:
            layer.set_weights([value.transpose(PERMUTATIONS.get(value.ndim, (0,))) for value in values])
    model.save_weights(output)


def main():
    began = time.perf_counter()
    convert(*sys.argv[1:])
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
