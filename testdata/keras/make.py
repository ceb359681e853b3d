"""Makes the Keras fixtures: architectures, and what real Keras says of their variables.

    KERAS_BACKEND=jax python make.py        # keras 3.15.1, h5py, jax

For each case: `<case>.json` (`model.to_json()`), `<case>.keras` or `<case>.weights.h5`, and
`<case>.expected.json`, a list of [layer path, variable name, shape, dtype, HDF5 path] in the order in which
Keras writes `.weights.h5`, plus the order of the legacy format where Keras can write it. Some have their legacy
weights too: `<case>.legacy.h5`, and `<case>.whole.h5` with the model around them. `unnamed.py` runs in Keras
3.0.5 (`keras-3.0.5` in the environment's folder).
"""

import json
import os
import shutil
import subprocess
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import h5py
import keras
import numpy as np
from keras import Input, Model, Sequential, layers, ops
from keras.src.saving import saving_lib

HERE = os.path.dirname(os.path.abspath(__file__))


def listing(model, path):
    """The variables in the order of the file, by Keras' own walk."""
    names, rows = {}, []
    original = saving_lib._save_state

    def record(saveable, weights_store, assets_store, inner_path, visited_saveables):
        if id(saveable) not in visited_saveables and isinstance(saveable, keras.layers.Layer):
            parts = inner_path.split("/") if inner_path else []
            above = [names["/".join(parts[:n])] for n in range(1, len(parts)) if "/".join(parts[:n]) in names]
            if inner_path:
                names[inner_path] = saveable.name
            layer = "/".join(above + ([saveable.name] if inner_path else []))
            for n, v in enumerate(saveable._trainable_variables + saveable._non_trainable_variables):
                shape = [int(size) for size in v.shape]
                h5 = (inner_path + "/" if inner_path else "") + f"vars/{n}"
                rows.append([layer, v.name, shape, v.dtype, h5])
        return original(saveable, weights_store, assets_store, inner_path, visited_saveables)

    saving_lib._save_state = record
    try:
        model.save_weights(path)
    finally:
        saving_lib._save_state = original
    with h5py.File(path) as file:
        stored = []
        file.visititems(lambda name, item: stored.append(name) if isinstance(item, h5py.Dataset) else None)
    assert sorted(stored) == sorted(row[4] for row in rows), set(stored) ^ {row[4] for row in rows}
    return rows


def legacy(model, path):
    """[layer, [variable shapes]] in the order of the legacy format."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    with h5py.File(path) as file:
        order = []
        for name in file.attrs["layer_names"]:
            name = name.decode() if isinstance(name, bytes) else name
            weights = [w.decode() if isinstance(w, bytes) else w for w in file[name].attrs["weight_names"]]
            if weights:
                order.append([name, [[w.split("/")[-1], list(file[name][w].shape)] for w in weights]])
    return order


def case(name, model, json_file=True, archive=False, template=False, with_legacy=True,
         legacy_files=False):
    for n, v in enumerate(model.variables):
        if v.dtype in ("float32", "float16", "bfloat16"):
            v.assign(np.arange(np.prod(v.shape), dtype="float32").reshape(v.shape) / 8 + n)
    path = os.path.join(HERE, name + ".weights.h5")
    expected = {"variables": listing(model, path)}
    if not template:
        os.remove(path)
    if with_legacy:
        path = os.path.join(HERE, name + ".legacy.h5")
        expected["legacy"] = legacy(model, path)
        if legacy_files:
            model.save(os.path.join(HERE, name + ".whole.h5"))
        else:
            os.remove(path)
    if json_file:
        with open(os.path.join(HERE, name + ".json"), "w") as file:
            file.write(model.to_json())
    if archive:
        model.save(os.path.join(HERE, name + ".keras"))
    with open(os.path.join(HERE, name + ".expected.json"), "w") as file:
        rows = ",\n  ".join(json.dumps(row) for row in expected["variables"])
        order = ",\n  ".join(json.dumps(row) for row in expected.get("legacy", []))
        file.write('{"variables": [\n  ' + rows + '\n], "legacy": [\n  ' + order + "\n]}\n")


def sequential_cnn():
    return Sequential([
        Input((11, 13, 3)), layers.Conv2D(4, (3, 2), name="first"), layers.BatchNormalization(),
        layers.ReLU(), layers.MaxPooling2D(2), layers.Conv2D(5, 3, padding="same", use_bias=False, name="second"),
        layers.Flatten(), layers.Dropout(0.5), layers.Dense(7, name="hidden"), layers.Dense(2, name="head")],
        name="cnn")


def functional():
    x = Input((8, 6, 3), name="image")
    other = Input((4,), name="other")
    unused = Input((2,), name="unused")
    shared = layers.Dense(5, name="shared")
    inner_in = Input((5,), name="inner_in")
    inner = Model(inner_in, layers.Dense(5, name="inner_dense")(layers.BatchNormalization(name="inner_bn")(inner_in)),
                  name="inner")
    tower = Sequential([Input((8, 6, 3)), layers.Conv2D(4, 3, name="conv"), layers.Flatten(), layers.Dense(5, name="d")],
                       name="tower")
    y = layers.Conv2D(4, 3, strides=2, name="stem")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(y)
    gate = layers.Conv2D(4, 1, activation="sigmoid", name="excite")(gate)
    y = layers.Multiply(name="scale")([y, gate])
    y = ops.relu(y * 2.0 + 1.0)
    flat = layers.Flatten(name="flat")(y)
    after = layers.Dense(5, name="after_flat")(layers.Dropout(0.1)(flat))
    a = inner(after)
    b = inner(shared(other))
    c = shared(layers.Dense(4, name="to_four")(tower(x)))
    mix = layers.Concatenate(name="mix")([a, b, c])
    mixed = layers.Concatenate(name="flat_mix")([flat, other])
    outputs = {"z": layers.Dense(2, name="z")(mix), "a": layers.Dense(3, name="a")(mixed)}
    return Model([x, other, unused], outputs, name="net")


@keras.saving.register_keras_serializable(package="fixtures")
class Block(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.fc1 = layers.Dense(units)
        self.norm = layers.LayerNormalization(name="norm")

    def build(self, shape):
        self.fc1.build(shape)
        self.norm.build((None, self.units))
        self.scale = self.add_weight(name="scale", shape=(self.units,))

    def call(self, x):
        return self.norm(self.fc1(x)) * self.scale


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.conv1 = layers.Conv2D(4, 3)
        self.conv2 = layers.Conv2D(5, 2, use_bias=False, name="second_conv")
        self.blocks = [Block(6), Block(7)]
        self.heads = {"x": layers.Dense(2, name="x"), "y": layers.Dense(3, name="y")}
        self.bi = layers.Bidirectional(layers.LSTM(3), name="bi")
        self.mha = layers.MultiHeadAttention(2, 3, name="mha")

    def call(self, x):
        x = self.conv2(self.conv1(x))
        x = ops.mean(x, axis=1)
        for block in self.blocks:
            x = block(x)
        x = self.mha(x, x)
        x = self.bi(x)
        return self.heads["x"](x), self.heads["y"](x)


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 8, 9, 3), "float32"))
    return model


def all_layers():
    keras.backend.clear_session()
    image, seq, ids = Input((9, 8, 6), name="image"), Input((9, 6), name="seq"), Input((9,), dtype="int32", name="ids")
    volume, vector = Input((6, 5, 7, 2), name="volume"), Input((6,), name="vector")
    frames, heads = Input((4, 9, 8, 3), name="frames"), Input((5, 4), name="heads")
    out = [
        layers.Conv2D(4, (3, 2), groups=2)(image), layers.Conv2DTranspose(5, (3, 2))(image),
        layers.DepthwiseConv2D((3, 2), depth_multiplier=2)(image),
        layers.SeparableConv2D(5, (3, 2), depth_multiplier=2)(image), layers.Conv1D(4, 3)(seq),
        layers.Conv1DTranspose(4, 3, use_bias=False)(seq), layers.DepthwiseConv1D(3)(seq),
        layers.SeparableConv1D(5, 3, use_bias=False)(seq), layers.Conv3D(4, (3, 2, 1))(volume),
        layers.Conv3DTranspose(3, 2)(volume), layers.BatchNormalization(scale=False)(image),
        layers.BatchNormalization(axis=1, center=False)(image), layers.BatchNormalization(renorm=True)(vector),
        layers.LayerNormalization(axis=[1, -1], center=False)(seq), layers.LayerNormalization(rms_scaling=True)(vector),
        layers.GroupNormalization(groups=3)(image), layers.RMSNormalization()(vector),
        layers.PReLU(shared_axes=[1, 2])(image), layers.PReLU()(vector), layers.Embedding(11, 5)(ids),
        layers.ReversibleEmbedding(11, 5, tie_weights=False)(ids), layers.Normalization(axis=-1)(image),
        layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")(seq),
        layers.EinsumDense("...x,xy->...y", 3)(vector), layers.LSTM(5)(seq), layers.GRU(5)(seq),
        layers.GRU(4, reset_after=False)(seq), layers.SimpleRNN(5, use_bias=False)(seq),
        layers.Bidirectional(layers.GRU(3, name="g"), name="bi")(seq),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(5)], name="stack")(seq),
        layers.TimeDistributed(layers.Conv2D(4, 3), name="td")(frames), layers.ConvLSTM2D(4, (3, 2))(frames),
        layers.MultiHeadAttention(2, 3, value_dim=5, name="mha")(seq, seq),
        layers.MultiHeadAttention(2, 3, output_shape=(7,), use_bias=False, use_gate=True, name="mha2")(seq, heads),
        layers.GroupQueryAttention(3, 4, 2, name="gqa")(seq, seq), layers.Attention(use_scale=True, score_mode="concat")([seq, seq]),
        layers.AdditiveAttention()([seq, seq]), layers.SpectralNormalization(layers.Dense(4, name="wrapped"), name="sn")(vector),
        layers.Conv2D(4, 3, dtype="mixed_float16")(image),
    ]
    return Model([image, seq, ids, volume, vector, frames, heads], out, name="all")


def bfloat16():
    return Sequential([Input((5,)), layers.Dense(3, name="d"), layers.BatchNormalization(name="bn"),
                       layers.Dense(2, dtype="float16", name="h")], name="half")


def frozen():
    def block(name):
        return Sequential([Input((5,)), layers.Dense(5, name="d"), layers.BatchNormalization(name="bn1"),
                           layers.BatchNormalization(name="bn2")], name=name)

    part = block("part")
    part.layers[1].trainable = False
    off = block("off")
    off.trainable = False
    return Sequential([Input((5,)), block("on"), part, off], name="freezing")


def quantized():
    """A model that was quantized before its weights were saved as a template."""
    model = Sequential([Input((6,)), layers.Dense(5, name="conv"), layers.Dense(3, name="head")])
    model.quantize("int8")
    model.save_weights(os.path.join(HERE, "quantized.weights.h5"))


def annotated():
    """A whole model to which somebody has added what Keras does not write."""
    path = os.path.join(HERE, "annotated.whole.h5")
    shutil.copy(os.path.join(HERE, "frozen.whole.h5"), path)
    with h5py.File(path, "a") as file:
        file.attrs["epoch"] = 7
        file.create_group("mine")["losses"] = [0.5, 0.25]


def frozen_inside():
    """Layers around others that were made with `trainable=False`, in a model that is trained: those inside are."""
    x = Input((4, 6))
    y = layers.TimeDistributed(layers.Dense(6, name="step"), trainable=False, name="steps")(x)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="lstm"), trainable=False, name="both")(y)
    y = layers.LSTM(6, return_sequences=True, trainable=False, name="frozen_lstm")(y)
    y = layers.RNN(layers.GRUCell(6, name="cell"), return_sequences=True, trainable=False, name="cells")(y)
    chain = Sequential([Input((4, 6)), layers.Dense(6, name="free"), layers.BatchNormalization(name="norm")],
                       name="chain", trainable=False)
    y = layers.Dense(6, name="last")(chain(y))
    inner_in = Input((4, 6))
    inner = Model(inner_in, layers.Dense(6, name="inner_dense")(inner_in), name="inner")
    inner.trainable = False
    sub = Model(x, layers.Dense(6, name="after")(inner(y)), name="sub")
    x = Input((4, 6))
    return Model(x, layers.Dense(2, name="head")(sub(x)), name="frozen_inside")


def generator():
    """Noise and a class to an image: what is unflattened, by which readers, and what is not."""
    noise, label = Input((9,), name="noise"), Input((), dtype="int32", name="label")
    x = layers.Dense(60, name="project")(noise)
    x = layers.Activation("relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.Reshape((5, 3, 4))(x)
    y = layers.Reshape((5, 3, 2))(layers.Embedding(7, 30, name="classes")(label))
    mask = layers.Reshape((5, 3, 1))(layers.Dense(15, name="mask")(noise))
    image = layers.Concatenate()([layers.Conv2D(4, 1, name="mixed")(x), y, mask])
    image = layers.Conv2DTranspose(3, 2, strides=2, name="up")(image)
    first = layers.Reshape((4, 5, 3))(layers.Dense(60, name="permuted")(noise))
    first = layers.Conv2D(2, 1, name="after_permute")(layers.Permute((2, 3, 1))(first))
    steps = layers.LSTM(3, name="steps")(layers.Reshape((5, 4))(layers.Dense(20, name="sequence")(noise)))
    audio = layers.Conv1D(3, 2, name="audio")(layers.Reshape((5, 4))(layers.Dense(20, name="line")(noise)))
    boxes = layers.Reshape((5, 4), name="boxes")(layers.Dense(20, name="untold")(noise))
    both = layers.Dense(60, name="both")(noise)
    other = layers.Dense(2, name="other")(both)
    both = layers.Conv2D(2, 1, name="of_both")(layers.Reshape((5, 3, 4))(both))
    return Model([noise, label], [image, first, steps, audio, boxes, other, both], name="generator")


def nested_twice():
    """One layer in two models, which `to_json` writes as two: the model that Keras reads back."""
    shared = layers.Dense(4, name="shared")

    def part(name):
        x = Input((4,))
        return Model(x, layers.Dense(4, name=name + "_own")(shared(x)), name=name)

    x = Input((4,))
    model = Model(x, part("b")(part("a")(x)), name="twice")
    again = keras.models.model_from_json(model.to_json())
    assert (len(model.variables), len(again.variables)) == (6, 8)
    assert again.to_json() == model.to_json()
    # What is written for the two layers loads into the model of one.
    path = os.path.join(HERE, "again.weights.h5")
    again.save_weights(path)
    model.load_weights(path)
    os.remove(path)
    for path in ("a/shared", "a/a_own", "b/b_own"):
        part, layer = path.split("/")
        pair = [m.get_layer(part).get_layer(layer).kernel for m in (model, again)]
        assert np.array_equal(*pair), path
    return again


def shared_across():
    """One layer outside of two nested models and in both: `.keras` has it once, the legacy format in each."""
    from keras.src.legacy.saving import legacy_h5_format

    shared = layers.Dense(4, name="shared")

    def part(name):
        x = Input((4,))
        y = layers.BatchNormalization(name=name + "_norm")(shared(x))
        return Model(x, layers.Dense(4, name=name + "_own")(y), name=name)

    x = Input((4,))
    model = Model(x, layers.Dense(3, name="head")(part("b")(part("a")(shared(x)))), name="across")
    for n, v in enumerate(model.variables):
        v.assign(np.arange(np.prod(v.shape), dtype="float32").reshape(v.shape) / 8 + n)
    model.save(os.path.join(HERE, "shared_across.keras"))
    with h5py.File(os.path.join(HERE, "shared_across.legacy.h5"), "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def unnamed():
    old = {"PYTHONPATH": os.path.join(sys.prefix, "keras-3.0.5"), "KERAS_BACKEND": "numpy"}
    subprocess.run([sys.executable, os.path.join(HERE, "unnamed.py")], env=os.environ | old, check=True)


def links():
    """Links that are no objects of the same file, in each form of group that HDF5 has for them."""
    directory = os.path.join(HERE, "links")
    os.makedirs(directory, exist_ok=True)
    for name, link, count in [
        ("soft", h5py.SoftLink("/elsewhere"), 1),
        ("external", h5py.ExternalLink("other.h5", "/x"), 1),
        ("many", h5py.SoftLink("/vars"), 11),
    ]:
        libver = "latest" if name == "many" else "earliest"
        with h5py.File(os.path.join(directory, f"{name}.weights.h5"), "w", libver=libver) as file:
            file.create_group("vars")
            group = file.create_group("layers/dense/vars")
            for index in range(count):
                group[str(index)] = np.zeros(3, "float32")
            group[str(count)] = link


CASES = {
    "sequential_cnn": lambda: case("sequential_cnn", sequential_cnn(), archive=True),
    "functional": lambda: case("functional", functional()),
    "subclassed": lambda: case("subclassed", subclassed(), template=True, with_legacy=False),
    "all_layers": lambda: case("all_layers", all_layers()),
    "frozen": lambda: (case("frozen", frozen(), legacy_files=True), annotated()),
    "frozen_inside": lambda: case("frozen_inside", frozen_inside()),
    "generator": lambda: case("generator", generator()),
    "nested_twice": lambda: case("nested_twice", nested_twice()),
    "shared_across": shared_across,
    "unnamed": unnamed,
    "links": links,
    "quantized": quantized,
}


def main():
    for name, make in CASES.items():
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            keras.backend.clear_session()
            make()
    if len(sys.argv) < 2 or "bfloat16" in sys.argv[1:]:
        keras.backend.clear_session()
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("bfloat16")
        case("bfloat16", bfloat16(), template=True)
        keras.config.set_dtype_policy(policy)


main()
