"""Loads the converted weights into KerasHub's backbones and compares what they compute with PyTorch.

python outputs.py FOLDER [CASE]...
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import families
import inputs
import keras_hub
import numpy as np


def difference(case, folder):
    """The largest difference of the output, relative to its largest value."""
    saved = np.load(folder / "torch.npz")
    # In float64, like PyTorch's: what differs then is no rounding.
    build = getattr(keras_hub.models, case.backbone).from_preset
    backbone = build(str(folder), load_weights=False, dtype="float64")
    backbone.load_weights(folder / "out.weights.h5")
    output = backbone(inputs.keras_inputs(case.inputs, saved), training=False)
    got = np.asarray(output[case.output] if case.output else output)
    want = saved["output"]
    if got.shape != want.shape:
        raise ValueError(f"{case.name}: output shapes differ: Keras {got.shape}, PyTorch {want.shape}")
    if not np.isfinite(want).all() or np.abs(want).max() == 0:
        raise ValueError(f"{case.name}: the PyTorch output says nothing: it is zero or not finite")
    return float(np.abs(got - want).max() / np.abs(want).max())


def main():
    work, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    for case in families.chosen(names):
        folder = work / case.name
        (folder / "difference.json").write_text(json.dumps(difference(case, folder)))


if __name__ == "__main__":
    main()
