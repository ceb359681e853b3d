"""Layers whose variables a quantization has replaced."""

from keras import Input, Model, layers

from registry import family


def small():
    ids, vector = Input((4,), dtype="int32", name="ids"), Input((6,), name="vector")
    steps = layers.Embedding(13, 5, name="table")(ids)
    outputs = [
        layers.EinsumDense("abc,cd->abd", (None, 7), bias_axes="d", name="einsum")(steps),
        layers.Dense(3, use_bias=False, name="no_bias")(steps),
        layers.Dense(4, name="plain")(vector),
    ]
    return Model([ids, vector], outputs, name="quantized")


def quantized(model, mode):
    model.quantize(mode)
    return model


@family(first=(3, 3), refused="int8")
def quantized_int8():
    return quantized(small(), "int8")


@family(first=(3, 12), refused="int4")
def quantized_int4():
    return quantized(small(), "int4")


@family(first=(3, 5), told_since=(3, 12))
def quantized_float8():
    """Keeps its kernels, and has scales beside them.

    Keras before 3.12 makes the scales before the kernel when it reads its own configuration, after it in
    `quantize`, and forgets the length of what it keeps.
    """
    vector, steps = Input((6,), name="vector"), Input((9, 5), name="steps")
    outputs = [
        layers.Dense(4, name="plain")(vector),
        layers.EinsumDense("abc,cd->abd", (None, 7), bias_axes="d", name="einsum")(steps),
        layers.Dense(3, use_bias=False, name="no_bias")(steps),
    ]
    return quantized(Model([vector, steps], outputs, name="scaled"), "float8")
