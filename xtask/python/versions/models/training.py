"""What training leaves behind: frozen layers, element types, an optimizer, and names."""

import keras
from keras import Input, Model, Sequential, layers

from offers import since
from registry import family


@family()
def frozen():
    """Trainable variables come first in the legacy format, so freezing moves them."""

    def block(name, **options):
        return Sequential(
            [
                Input((5,)),
                layers.Dense(5, name="d"),
                layers.BatchNormalization(name="bn1"),
                layers.BatchNormalization(name="bn2"),
            ],
            name=name,
            **options,
        )

    part, off, wholly = block("part"), block("off"), block("wholly")
    part.layers[1].trainable = False
    off.trainable = False
    for layer in wholly.layers:
        layer.trainable = False
    x = Input((5,), name="x")
    y = wholly(off(part(block("on")(x))))
    rnn = layers.Bidirectional(layers.LSTM(3), name="both")
    rnn.trainable = False
    heads = layers.MultiHeadAttention(2, 3, name="heads")
    heads.trainable = False
    constructor = layers.Dense(4, trainable=False, name="from_the_start")
    z = layers.RepeatVector(4)(y)
    return Model(x, [constructor(y), rnn(z), heads(z, z)], name="freezing")


@family()
def frozen_root():
    model = Sequential(
        [
            Input((6,)),
            layers.Dense(4, name="d"),
            layers.BatchNormalization(name="bn1"),
            layers.BatchNormalization(name="bn2"),
        ],
        name="wholly_frozen",
    )
    model.trainable = False
    return model


@family()
def dtypes():
    """Every type of a variable, and policies that compute in another type than they store."""
    x, outputs = Input((6,), name="x"), []
    for units, dtype in enumerate(
        ("float32", "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"), 2
    ):
        y = layers.Dense(units, dtype=dtype, name=f"dense_{dtype}")(x)
        outputs.append(layers.BatchNormalization(dtype=dtype, name=f"norm_{dtype}")(y))
    return Model(x, outputs, name="types")


def under_policy(policy, build):
    """A model built while that policy holds for all layers."""
    mixed = keras.mixed_precision
    before = (
        keras.config.dtype_policy()
        if since(3, 3)
        else mixed.global_policy()
        if not since(3)
        else mixed.dtype_policy()
    )
    choose = (
        keras.config.set_dtype_policy
        if since(3, 3)
        else mixed.set_global_policy
        if not since(3)
        else mixed.set_dtype_policy
    )
    choose(policy)
    try:
        return build()
    finally:
        choose(before)


def small():
    x = Input((9, 5), name="x")
    # Not every backend makes an orthogonal matrix of every type.
    y = layers.LSTM(4, recurrent_initializer="zeros", name="lstm")(
        layers.MultiHeadAttention(2, 3, name="heads")(x, x)
    )
    return Model(x, layers.BatchNormalization(name="norm")(layers.Dense(3, name="head")(y)), name="small")


@family()
def policy_mixed():
    return under_policy("mixed_float16", small)


@family()
def policy_float16():
    return under_policy("float16", small)


@family()
def policy_bfloat16():
    return under_policy("bfloat16", small)


@family()
def compiled():
    """An optimizer with slots beside the model's own variables."""
    model = Sequential(
        [
            Input((6,)),
            layers.Dense(4, name="d"),
            layers.BatchNormalization(name="bn"),
            layers.Dense(2, name="head"),
        ],
        name="trained",
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    return model


@family()
def names():
    """Names beyond ASCII, which TensorFlow refuses, dots and spaces, and the name of the container."""
    said = (
        ("größe", "层", "with space", "a.b", "layers", "vars", "модель")
        if since(3)
        else ("d1", "d2", "d3", "a.b", "layers", "vars", "m")
    )
    x = y = Input((5,), name="x")
    for units, name in enumerate(said[:3], 2):
        y = layers.Dense(units, name=name)(y)
    y = layers.BatchNormalization(name=said[3])(y)
    for units, name in enumerate(said[4:6], 5):
        y = layers.Dense(units, name=name)(y)
    inner = Sequential(
        [Input((6,)), layers.Dense(7, name="layers"), layers.Dense(2, name="a{b}" if since(3) else "ab")],
        name=said[6],
    )
    return Model(x, inner(y), name="names")


@family()
def long_names():
    """70,000 bytes of layer names: the legacy format splits such an attribute."""
    x = Input((3,), name="x")
    y = x
    for number in range(28):
        y = layers.Dense(2 + number % 3, name=f"{number:02}_" + "n" * 2497)(y)
    return Model(x, y, name="long_names")


@family()
def many_of_a_class():
    """More than ten of a class, and a layer with more than ten variables below it."""
    x = Input((3,), name="x")
    y = x
    for number in range(23):
        y = layers.Dense(2 + number % 5)(y)
        if number % 4 == 0:
            y = layers.BatchNormalization()(y)
    return Model(x, y, name="many")
