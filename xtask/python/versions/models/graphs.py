"""Graphs: shared and nested models, dict inputs and outputs, operations between layers."""

import keras
from keras import Input, Model, Sequential, layers

from offers import since
from registry import family


def part(name, size, units):
    x = Input((size,), name=f"{name}_input")
    y = layers.Dense(units, name=f"{name}_dense")(layers.BatchNormalization(name=f"{name}_norm")(x))
    return Model(x, y, name=name)


@family()
def graph():
    """Shared layers and models, an input nobody reads, a dict of outputs, lists of inputs."""
    image, other, unused = (
        Input((8, 6, 3), name="image"),
        Input((4,), name="other"),
        Input((2,), name="unused"),
    )
    shared, inner = layers.Dense(5, name="shared"), part("inner", 5, 7)
    tower = Sequential(
        [Input((8, 6, 3)), layers.Conv2D(4, 3, name="conv"), layers.Flatten(), layers.Dense(5, name="top")],
        name="tower",
    )
    y = layers.Conv2D(4, 3, strides=2, name="stem")(image)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(y)
    gate = layers.Conv2D(4, 1, activation="sigmoid", name="excite")(gate)
    flat = layers.Flatten(name="flat")(layers.Multiply(name="scale")([y, gate]))
    after = layers.Dense(5, name="after_flat")(layers.Dropout(0.1)(flat))
    first, second = inner(after), inner(shared(other))
    third = layers.Dense(7, name="to_seven")(shared(layers.Dense(4, name="to_four")(tower(image))))
    mix = layers.Concatenate(name="mix")([first, second, third])
    outputs = {
        "z": layers.Dense(2, name="z")(mix),
        "a": layers.Dense(3, name="a")(layers.Concatenate()([flat, other])),
    }
    # Keras 3.10 to 3.12 refuse such a model.
    unread = [unused] if since(3, 13) or not since(3, 10) else []
    return Model([image, other, *unread], outputs, name="net")


@family(first=(3,))
def dict_inputs():
    inputs = {
        "right": Input((5,), name="right"),
        "left": Input((4,), name="left"),
        "ids": Input((3,), dtype="int32", name="ids"),
    }
    x = layers.Embedding(11, 2, name="table")(inputs["ids"])
    x = layers.Concatenate()([layers.Flatten()(x), layers.Dense(6, name="of_left")(inputs["left"])])
    y = layers.Dense(3, name="of_right")(inputs["right"])
    return Model(
        inputs, {"y": y, "x": layers.Dense(2, name="both")(layers.Concatenate()([x, y]))}, name="dicts"
    )


@family()
def nested():
    """Models in models: a Sequential in a Functional in a Sequential, and one of them used twice."""
    x = Input((5,), name="outer_input")
    deep = Sequential(
        [
            Input((5,)),
            layers.Dense(6, name="low"),
            Sequential(
                [Input((6,)), layers.Dense(4, name="lowest"), layers.BatchNormalization(name="norm")],
                name="deepest",
            ),
            layers.Dense(5, name="up"),
        ],
        name="deep",
    )
    inner = part("inner", 5, 5)
    y = inner(deep(x))
    z = deep(layers.Dense(5, name="between")(y))
    middle = Model(x, [layers.Dense(3, name="end")(z), y], name="middle")
    a = Input((7,), name="a")
    first, second = middle(layers.Dense(5, name="enter")(a))
    tail = Sequential([Input((3,)), layers.Dense(2, name="tail_dense")], name="tail")
    return Model(a, [tail(first), layers.Dense(4, name="side")(second)], name="nest")


@family()
def nested_sequential():
    """The root and all in it are Sequentials."""
    block = Sequential(
        [
            Input((9, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(2),
        ],
        name="block",
    )
    head = Sequential(
        [
            Input((36,)),
            layers.Dense(5, name="hidden"),
            Sequential([Input((5,)), layers.Dense(2, name="out")], name="last"),
        ],
        name="head",
    )
    return Sequential([Input((9, 8, 3)), block, layers.Flatten(), head], name="stack")


@family()
def sequential():
    return Sequential(
        [
            Input((11, 13, 3)),
            layers.Conv2D(4, (3, 2), name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(5, 3, padding="same", use_bias=False, name="second"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(7, name="hidden"),
            layers.Dense(2, name="head"),
        ],
        name="cnn",
    )


@family()
def built_later():
    """A Sequential without an Input, built by its first batch."""
    model = Sequential(
        [
            layers.Conv1D(4, 3, name="conv"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(6, name="hidden"),
            layers.Dense(2, name="head"),
        ],
        name="late",
    )
    model.build((None, 9, 5))
    return model


@family()
def operations():
    """Operations between layers: TFOpLambda layers in Keras 2, nodes without a group in Keras 3."""
    x, y = Input((6,), name="x"), Input((6,), name="y")
    z = x * 2.0 + y
    z = layers.Dense(4, name="after_add")(z)
    z = layers.Dense(5, name="after_slice")((z - 1.0)[:, 1:] / 3.0)
    if since(3):
        ops = keras.ops
        w = ops.concatenate([z, ops.relu(y)], axis=-1)
        v = ops.transpose(ops.reshape(w, (-1, 11, 1)), (0, 2, 1))
        w = layers.Dense(3, name="after_concatenate")(w)
        v = layers.Conv1D(2, 1, name="after_transpose")(v)
        u = layers.Dense(2, name="after_mean")(ops.mean(ops.stack([x, y], axis=1), axis=1))
        m = layers.Dense(3, name="after_matmul")(ops.matmul(ops.expand_dims(x, 2), ops.expand_dims(z, 1)))
        outputs = [w, v, u, m, ops.sigmoid(ops.add(x, y))]
    else:
        import tensorflow as tf

        w = layers.Dense(3, name="after_concatenate")(tf.concat([z, tf.nn.relu(y)], axis=-1))
        v = tf.transpose(tf.reshape(tf.concat([z, y], axis=-1), (-1, 11, 1)), (0, 2, 1))
        v = layers.Conv1D(2, 1, name="after_transpose")(v)
        outputs = [w, v, layers.Dense(2, name="after_mean")(tf.reduce_mean(tf.stack([x, y], axis=1), axis=1))]
    return Model([x, y], outputs, name="operations_between")


@family()
def shared_across():
    """One layer in two models: the file has it once, where it is first reached."""
    shared = layers.Dense(4, name="shared")

    def side(name):
        x = Input((4,), name=f"{name}_input")
        return Model(x, layers.Dense(4, name=f"{name}_own")(shared(x)), name=name)

    x = Input((4,), name="x")
    return Model(x, layers.Dense(3, name="end")(side("b")(side("a")(shared(x)))), name="across")
