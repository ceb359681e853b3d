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


def around(freeze):
    """Layers around others, in a model that is trained, each frozen in one way."""
    x = Input((4, 6), name="x")
    sub_x = Input((4, 6), name="sub_x")
    y = freeze(layers.TimeDistributed, layers.Dense(6, name="step"), name="steps")(sub_x)
    y = freeze(layers.Bidirectional, layers.LSTM(3, return_sequences=True, name="lstm"), name="both")(y)
    y = freeze(layers.LSTM, 6, return_sequences=True, name="cells")(y)
    y = freeze(layers.RNN, layers.GRUCell(5, name="cell"), return_sequences=True, name="cell_inside")(y)
    y = layers.Dense(6, name="free")(y)
    y = freeze(layers.BatchNormalization, name="norm")(y)
    sub = Model(sub_x, layers.Dense(5, name="after")(y), name="sub")
    return Model(x, layers.Dense(2, name="head")(sub(x)), name="around")


@family()
def frozen_by_constructors():
    """In Keras 3 the layers inside are trained all the same."""
    return around(lambda layer, *arguments, **options: layer(*arguments, trainable=False, **options))


@family()
def frozen_by_setters():
    def freeze(layer, *arguments, **options):
        made = layer(*arguments, **options)
        made.trainable = False
        return made

    return around(freeze)


@family()
def slashes():
    """Keras 2 lets names have slashes, also such as begin with another's whole name."""
    slash = "_" if since(3) else "/"
    named = lambda name: name.replace("/", slash)
    entry = Input((5, 6, 2), name="entry")
    x = layers.Conv2D(3, (2, 4), name=named("block/conv"))(entry)
    inner_entry = Input((4, 3, 3), name="inner_entry")
    y = layers.BatchNormalization(name=named("deep/norm"))(inner_entry)
    y = layers.Conv2D(7, (1, 2), name=named("deep/conv"))(y)
    x = layers.Reshape((4, 14))(Model(inner_entry, y, name=named("block/inner"))(x))
    x = layers.Bidirectional(layers.LSTM(3, name=named("block/lstm")), name=named("block/both"))(x)
    return Model(entry, layers.Dense(11, name="block")(x), name="slashes")


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
