"""Run by `make.py` in Keras 3.0.5: a template without `name` attributes, which Keras writes since 3.6.

Writes `unnamed.weights.h5`, and `unnamed.expected.json`: [attribute path, variable name, shape, dtype, HDF5
path] of each variable.
"""

import json
import pathlib

import h5py
import keras
import numpy as np
from keras import layers

HERE = pathlib.Path(__file__).parent


class Block(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.fc1 = layers.Dense(units)
        self.norm = layers.LayerNormalization()

    def call(self, x):
        return self.norm(self.fc1(x))


class Unnamed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv1 = layers.Conv2D(4, 3)
        self.blocks = [Block(6), Block(7)]
        self.tail = keras.Sequential([layers.Dense(5), layers.BatchNormalization(), layers.Dense(2, use_bias=False)])

    def call(self, x):
        x = self.conv1(x)
        for block in self.blocks:
            x = block(x)
        return self.tail(x)


def main():
    assert keras.__version__ == "3.0.5", keras.__version__
    model = Unnamed()
    model(np.zeros((1, 8, 9, 3), "float32"))
    for n, variable in enumerate(model.variables):
        variable.assign(np.arange(np.prod(variable.shape), dtype="float32").reshape(variable.shape) / 8 + n)
    path = HERE / "unnamed.weights.h5"
    model.save_weights(path)
    with h5py.File(path) as file:
        stored = {}
        file.visititems(lambda name, item: stored.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        assert not any("name" in item.attrs for item in _items(file))
    rows = []
    for name, value in stored.items():
        (variable,) = [v for v in model.variables if v.shape == value.shape and np.array_equal(v.numpy(), value)]
        rows.append([name.rsplit("/vars/", 1)[0], variable.name, list(value.shape), str(value.dtype), name])
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    (HERE / "unnamed.expected.json").write_text('{"variables": [\n  ' + lines + "\n]}\n")


def _items(file):
    items = [file]
    file.visititems(lambda _, item: items.append(item))
    return items


main()
