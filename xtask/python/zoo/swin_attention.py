"""The attention within shifted windows that a user's mirror of Swin needs."""

import math

import keras
from keras import layers, ops
import numpy as np

FAR = -100.0  # what torchvision adds between patches that are no neighbours


def relative_positions(window):
    """For each pair of patches of a window, which row of the bias table holds."""
    places = np.stack(np.meshgrid(np.arange(window), np.arange(window), indexing="ij")).reshape(2, -1)
    apart = places[:, :, None] - places[:, None, :] + window - 1
    return (apart[0] * (2 * window - 1) + apart[1]).reshape(-1)


def coordinates(window):
    """The distances of two patches, on the second version's logarithmic scale."""
    apart = np.arange(1 - window, window, dtype=np.float32)
    table = np.stack(np.meshgrid(apart, apart, indexing="ij"), -1).reshape(-1, 2) / (window - 1) * 8
    return (np.sign(table) * np.log2(np.abs(table) + 1) / 3).astype(np.float32)


def shift_mask(height, width, window, shifts):
    """Keeps apart what lies in one window only by the cyclic shift."""
    regions = np.zeros((height, width), np.float32)
    count = 0
    cuts = [(slice(0, -window), slice(-window, -shift), slice(-shift, None)) for shift in shifts]
    for rows in cuts[0]:
        for columns in cuts[1]:
            regions[rows, columns] = count
            count += 1
    regions = regions.reshape(height // window, window, width // window, window)
    regions = regions.transpose(0, 2, 1, 3).reshape(-1, window * window)
    return np.where(regions[:, None, :] != regions[:, :, None], FAR, 0).astype(np.float32)


@keras.saving.register_keras_serializable("zoo")
class WindowAttention(layers.Layer):
    """torchvision's ShiftedWindowAttention, or its second version, on maps of a known size."""

    def __init__(self, heads, window, shift, v2, **options):
        super().__init__(**options)
        self.heads, self.window, self.shift, self.v2 = heads, window, shift, v2

    def build(self, shape):
        channels = shape[-1]
        self.qkv = layers.Dense(3 * channels, name="qkv")
        self.proj = layers.Dense(channels, name="proj")
        self.qkv.build((None, channels))
        self.proj.build((None, channels))
        if self.v2:
            self.logit_scale = self.add_weight(shape=(self.heads, 1, 1), name="logit_scale")
            self.cpb_mlp_0 = layers.Dense(512, activation="relu", name="cpb_mlp_0")
            self.cpb_mlp_2 = layers.Dense(self.heads, use_bias=False, name="cpb_mlp_2")
            self.cpb_mlp_0.build((None, 2))
            self.cpb_mlp_2.build((None, 512))
        else:
            rows = (2 * self.window - 1) ** 2
            self.relative_position_bias_table = self.add_weight(
                shape=(rows, self.heads), name="relative_position_bias_table"
            )

    def bias(self):
        patches = self.window * self.window
        table = self.cpb_mlp_2(self.cpb_mlp_0(coordinates(self.window))) if self.v2 else None
        table = self.relative_position_bias_table if table is None else table
        bias = ops.take(table, relative_positions(self.window), axis=0)
        bias = ops.transpose(ops.reshape(bias, (patches, patches, self.heads)), (2, 0, 1))
        return 16 * ops.sigmoid(bias) if self.v2 else bias

    def scores(self, query, key):
        if not self.v2:
            return ops.matmul(query * query.shape[-1] ** -0.5, ops.transpose(key, (0, 1, 3, 2)))
        query, key = (x / ops.maximum(ops.norm(x, axis=-1, keepdims=True), 1e-12) for x in (query, key))
        scale = ops.exp(ops.minimum(self.logit_scale, math.log(100.0)))
        return ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * scale

    def call(self, x):
        height, width, channels = x.shape[1:]
        window, heads, patches = self.window, self.heads, self.window**2
        down, right = -height % window, -width % window
        high, wide = height + down, width + right
        shifts = [0 if window >= size else self.shift for size in (high, wide)]
        x = ops.pad(x, ((0, 0), (0, down), (0, right), (0, 0)))
        x = ops.roll(x, (-shifts[0], -shifts[1]), axis=(1, 2))
        x = ops.reshape(x, (-1, high // window, window, wide // window, window, channels))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, patches, channels))

        # The second version leaves the keys' bias out.
        used = np.repeat(np.float32([1, 0 if self.v2 else 1, 1]), channels)
        x = ops.matmul(x, self.qkv.kernel) + self.qkv.bias * used
        x = ops.transpose(ops.reshape(x, (-1, patches, 3, heads, channels // heads)), (2, 0, 3, 1, 4))
        query, key, value = x[0], x[1], x[2]
        scores = self.scores(query, key) + self.bias()
        if any(shifts):
            mask = shift_mask(high, wide, window, shifts)
            scores = ops.reshape(scores, (-1, mask.shape[0], heads, patches, patches)) + mask[:, None]
            scores = ops.reshape(scores, (-1, heads, patches, patches))
        x = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
        x = self.proj(ops.reshape(x, (-1, patches, channels)))

        x = ops.reshape(x, (-1, high // window, wide // window, window, window, channels))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, high, wide, channels))
        return ops.roll(x, shifts, axis=(1, 2))[:, :height, :width]

    def compute_output_shape(self, shape):
        return shape
