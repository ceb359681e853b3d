"""Classes of the user: their variables are in no JSON."""

import keras
from keras import Input, Model, Sequential, layers

from offers import since
from registry import family


def tf_shape(sizes):
    import tensorflow as tf

    return tf.TensorShape(sizes)


@keras.utils.register_keras_serializable(package="judges")
class Block(layers.Layer):
    """Built-in layers and a variable of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.fc1 = layers.Dense(units, name="fc1")
        self.norm = layers.LayerNormalization(name="norm")
        self.heads = layers.MultiHeadAttention(2, 3, name="heads")

    def build(self, shape):
        self.fc1.build(shape)
        inner = (*shape[:-1], self.units)
        self.norm.build(inner)
        self.scale = self.add_weight(name="scale", shape=(self.units,))
        self.count = self.add_weight(name="count", shape=(2, self.units), trainable=False)
        if since(3):
            self.heads.build(inner, inner)
        else:
            self.heads._build_from_signature(tf_shape(inner), tf_shape(inner))
        super().build(shape)

    def call(self, x):
        y = self.norm(self.fc1(x)) * self.scale
        return self.heads(y, y)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.units)

    def get_config(self):
        return super().get_config() | {"units": self.units}


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.conv1 = layers.Conv1D(4, 3, name="first_conv")
        self.conv2 = layers.Conv1D(5, 2, use_bias=False, name="second_conv")
        self.blocks = [Block(6, name="block_a"), Block(7, name="block_b")]
        self.outlets = {"x": layers.Dense(2, name="x"), "y": layers.Dense(3, name="y")}
        self.bi = layers.Bidirectional(layers.LSTM(3, name="cell"), name="bi")
        self.tower = Sequential(
            [Input((None, 7)), layers.Dense(4, name="low"), layers.BatchNormalization(name="norm")],
            name="tower",
        )

    def call(self, x):
        x = self.conv2(self.conv1(x))
        for block in self.blocks:
            x = block(x)
        x = self.bi(self.tower(x))
        return self.outlets["x"](x), self.outlets["y"](x)


@family(custom=True)
def subclassed():
    import numpy as np

    model = Subclassed()
    model(np.zeros((1, 9, 4), "float32"))
    return model


@family(custom=True)
def custom_layers():
    """A graph of built-in and of own layers."""
    x = Input((9, 4), name="x")
    y = Block(5, name="own")(layers.Dense(6, name="before")(x))
    y = layers.TimeDistributed(layers.Dense(3, name="each"), name="td")(Block(7, name="again")(y))
    return Model(x, layers.LSTM(2, name="end")(y), name="custom")
