"""Makes a model in every form of file that the Keras at hand writes, in the folder of its version.

    KERAS_BACKEND=numpy python make.py        # the Keras of the pinned environment
    python make.py                            # any other, from 2.12 on, in an environment with that Keras

Per version: `trained` (a compiled model that has been fitted, with nested, recurrent, attention and frozen layers),
`own` (a subclassed model with custom layers) and in Keras 2 `slashed` (names with a slash) and `adapted`, each as `.weights.h5`, legacy `.h5`, whole `.h5`, `.keras`,
folder and shards, where that Keras writes it, and `<model>.expected.json`: per variable its path in the model, its
shape, and the SHA-256 of its little-endian bytes, in the order of `model.variables`.
"""

import hashlib
import json
import os
import pathlib
import shutil

os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
from keras import Input, Model, Sequential, layers

HERE = pathlib.Path(__file__).parent / keras.__version__
IS_OLD = keras.__version__.startswith("2.")
VERSION = tuple(int(part) for part in keras.__version__.split(".")[:2])


class Block(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.fc1 = layers.Dense(units + 1)
        self.more = [layers.Dense(units), layers.LayerNormalization()]

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(self.units,))
        self.fc1.build(input_shape)
        self.more[0].build((None, self.units + 1))
        self.more[1].build((None, self.units))
        super().build(input_shape)

    def call(self, x):
        x = self.fc1(x)
        for layer in self.more:
            x = layer(x)
        return x * self.scale


class Own(Model):
    def __init__(self):
        super().__init__(name="own")
        self.conv1 = layers.Conv2D(4, (3, 2))
        self.blocks = [Block(5), Block(6)]
        self.norm = layers.BatchNormalization()
        self.pool = layers.GlobalAveragePooling2D()
        self.head = layers.Dense(3, name="the_head")

    def call(self, x):
        x = self.pool(self.norm(self.conv1(x)))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def trained():
    entry = Input((7, 6), name="entry")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(entry)
    x = layers.MultiHeadAttention(2, 5, name="heads")(x, x)
    x = layers.GlobalAveragePooling1D()(x)
    inner_entry = Input((6,))
    inner = layers.Dense(4, name="first")(inner_entry)
    inner = layers.BatchNormalization(name="still", trainable=False)(inner)
    inner = layers.Dense(5, name="second")(inner)
    inner = layers.BatchNormalization(name="moving")(inner)
    x = Model(inner_entry, inner, name="inner")(x)
    shared = layers.Dense(5, name="shared")
    x = layers.Concatenate()([shared(x), shared(shared(x))])
    tail = Sequential([Input((10,)), layers.Dense(2, name="last")], name="tail")
    return Model(entry, tail(x), name="trained")


def slashed():
    """Keras 2 lets layers have names with a slash, also such as begin with another's whole name."""
    entry = Input((5, 6, 2), name="entry")
    x = layers.Conv2D(3, (2, 4), name="block/conv")(entry)
    inner_entry = Input((4, 3, 3), name="inner/entry")
    inner = layers.BatchNormalization(name="deep/norm")(inner_entry)
    inner = layers.Conv2D(7, (1, 2), name="deep/conv")(inner)
    x = Model(inner_entry, inner, name="block/inner")(x)
    x = layers.Reshape((4, 14))(x)
    x = layers.Bidirectional(layers.LSTM(3, name="block/lstm"), name="block/both")(x)
    return Model(entry, layers.Dense(11, name="block")(x), name="slashed")


def adapted():
    """A layer of Keras 2 that keeps a summary of the data that it was adapted to."""
    bins = layers.Discretization(num_bins=4, name="bins")
    bins.adapt(np.arange(12, dtype="float32").reshape(4, 3))
    entry = Input((3,), name="entry")
    x = layers.Rescaling(1.0, name="float")(bins(entry))
    return Model(entry, layers.Dense(2, name="o")(x), name="adapted")


def save_legacy(model, path):
    if IS_OLD:
        return model.save_weights(str(path))
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def save(name, model, inputs, is_functional):
    output = np.asarray(model(inputs))
    model.compile("adam", "mse", metrics=["mae"])
    if IS_OLD:
        model.fit(inputs, np.zeros_like(output), verbose=0)
    else:
        # The numpy backend cannot train, but builds the optimizer's state.
        model.optimizer.build(model.trainable_variables)
    rows = []
    for n, variable in enumerate(model.variables):
        values = np.arange(np.prod(variable.shape), dtype="float32").reshape(variable.shape) / 8 + n
        if "float" not in str(getattr(variable.dtype, "name", variable.dtype)):
            continue
        variable.assign(values)
        path = getattr(variable, "path", variable.name)
        digest = hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()
        rows.append([path, list(values.shape), digest])
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    (HERE / f"{name}.expected.json").write_text("[\n  " + lines + "\n]\n")
    model.save_weights(str(HERE / f"{name}.weights.h5"))
    try:
        save_legacy(model, HERE / f"{name}.legacy.h5")
    except ValueError:
        # Keras 2 and 3.0 cannot, where two variables of a layer have one name.
        (HERE / f"{name}.legacy.h5").unlink()
    if VERSION >= (3, 10):
        model.save_weights(str(HERE / f"{name}.weights.json"), max_shard_size=1400 / 1024**3)
    if is_functional and VERSION >= (2, 13):
        (HERE / f"{name}.json").write_text(model.to_json())
        model.save(str(HERE / f"{name}.keras"))
        if VERSION != (3, 0):
            model.save(str(HERE / f"{name}.whole.h5"))
        if VERSION >= (3, 10):
            model.save(str(HERE / f"{name}.folder"), zipped=False)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    save("trained", trained(), np.zeros((1, 7, 6), "float32"), True)
    if IS_OLD:
        save("slashed", slashed(), np.zeros((1, 5, 6, 2), "float32"), True)
        adapted().save(str(HERE / "adapted.keras"))
    save("own", Own(), np.zeros((1, 9, 8, 3), "float32"), False)


main()
