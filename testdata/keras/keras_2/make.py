"""A model of Keras 2.15 with the layers that only it has, or saves otherwise than Keras 3: `model.json`, and in
`expected.json` what it says of each variable (layer names, name, shape, type, dataset in `.weights.h5`).

`python make.py` with Keras 2.15.
"""

import json
import os

import h5py
import keras
import tensorflow as tf
from keras import Input, Model, Sequential, layers
from keras.src.saving import saving_lib

HERE = os.path.dirname(os.path.abspath(__file__))
image, steps, vector = Input((9, 8, 6), name="image"), Input((9, 6), name="steps"), Input((6,), name="vector")
shared = layers.Dense(6, name="shared")
inner_in = Input((6,), name="inner_in")
inner = Model(inner_in, layers.Dense(5, name="inner_dense")(shared(inner_in)), name="inner")
head = Sequential([layers.Dense(4, input_shape=(5,), name="a"), layers.Dense(3, name="b")], name="head")
out = [
    layers.LocallyConnected1D(4, 3, strides=2, name="local1")(steps),
    layers.LocallyConnected1D(4, 3, implementation=2, padding="same", name="local1_two")(steps),
    layers.LocallyConnected1D(4, 3, implementation=3, use_bias=False, name="local1_three")(steps),
    layers.LocallyConnected2D(4, (3, 2), name="local2")(image),
    layers.LocallyConnected2D(4, (3, 2), implementation=2, name="local2_two")(image),
    layers.experimental.SyncBatchNormalization(name="sync")(image),
    layers.MultiHeadAttention(2, 3, value_dim=4, output_shape=(5,), name="heads")(steps, steps),
    layers.Bidirectional(layers.LSTM(4, name="one"), backward_layer=layers.LSTM(4, go_backwards=True, name="other"), name="both")(steps),
    layers.RNN([layers.LSTMCell(3), layers.GRUCell(5)], name="stack")(steps),
    layers.SpectralNormalization(layers.Conv2D(4, 3, name="wrapped"), name="spectral")(image),
    layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(image),
    layers.SeparableConv1D(5, 3, name="separable")(steps),
    layers.TimeDistributed(layers.Dense(4, name="each"), name="time")(steps),
    layers.ThresholdedReLU(name="thresholded")(layers.PReLU(shared_axes=[1, 2], name="prelu")(image)),
    layers.BatchNormalization(dtype="float16", name="half")(vector),
    layers.Normalization(name="statistics")(image),
    # Functions of TensorFlow on the way to layers with variables.
    layers.Dense(3, name="behind_functions")(tf.reshape(tf.transpose(tf.nn.relu(image * 2.0 + 1.0), [0, 3, 1, 2]), [-1, 6, 72])),
    layers.Dense(3, name="behind_concat")(tf.concat([tf.reduce_mean(image, [1, 2]), 1.0 - vector], axis=-1)),
    # Shared across models: Keras 2 leaves what it has saved out of the count. `to_json` does not tell that both are one.
    layers.Dense(2, name="after")(shared(vector)), layers.Dense(3, name="last")(head(inner(vector))),
]
model = Model([image, steps, vector], out, name="old")
for n, v in enumerate(model.weights):
    v.assign(tf.cast(tf.fill(v.shape, n % 100), v.dtype))

rows, names = [], {}
original = saving_lib._save_state


def record(trackable, weights_store, assets_store, inner_path, visited_trackables):
    if id(trackable) not in visited_trackables and isinstance(trackable, layers.Layer):
        parts = inner_path.split("/") if inner_path else []
        above = [names["/".join(parts[:n])] for n in range(1, len(parts)) if "/".join(parts[:n]) in names]
        if inner_path:
            names[inner_path] = trackable.name
        for n, v in enumerate(trackable._trainable_weights + trackable._non_trainable_weights):
            name = v.name.split(":")[0].split("/")[-1]
            path = (inner_path + "/" if inner_path else "") + f"vars/{n}"
            layer = "/".join(above + ([trackable.name] if inner_path else []))
            rows.append([layer, name, [int(size) for size in v.shape], v.dtype.name, path])
    return original(trackable, weights_store, assets_store, inner_path, visited_trackables)


saving_lib._save_state = record
path = os.path.join(HERE, "made.weights.h5")
model.save_weights(path)
stored = []
with h5py.File(path) as file:
    file.visititems(lambda name, item: stored.append(name) if isinstance(item, h5py.Dataset) else None)
    assert sorted(name for name in stored if not name.startswith("metrics")) == sorted(row[4] for row in rows), set(stored) ^ {row[4] for row in rows}
os.remove(path)
with open(os.path.join(HERE, "model.json"), "w") as file:
    file.write(model.to_json() + "\n")
with open(os.path.join(HERE, "expected.json"), "w") as file:
    file.write('{"variables": [\n  ' + ",\n  ".join(json.dumps(row) for row in rows) + '\n], "legacy": []}\n')
