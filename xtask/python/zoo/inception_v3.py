"""Inception v3: with keras.applications, and a mirror."""

import functools

import keras
from keras import layers

from zoo.applications import as_in_torchvision
from zoo.image_net import IMAGENET_CLASSES, image_net
from zoo.parts import batch_norm, conv, max_pool
from zoo.random_weights import build

EPSILON = 1e-3  # torchvision's too, in this family
SIZE = (128, 160)

# Blocks, the type of each, and what differs between those of a type.
BLOCKS = (
    ("5b", "a", 32), ("5c", "a", 64), ("5d", "a", 64), ("6a", "b", None), ("6b", "c", 128), ("6c", "c", 160),
    ("6d", "c", 160), ("6e", "c", 192), ("7a", "d", None), ("7b", "e", None), ("7c", "e", None),
)  # fmt: skip


def basic(x, filters, kernel, name, stride=1, same=True):
    if same:
        x = conv(x, filters, kernel, stride, f"{name}_conv")
    else:
        x = layers.Conv2D(filters, kernel, strides=stride, use_bias=False, name=f"{name}_conv")(x)
    return layers.ReLU()(batch_norm(x, f"{name}_bn", EPSILON))


def chain(x, name, *steps):
    """Convolutions one behind the other: (name, filters, kernel)."""
    for step, filters, kernel in steps:
        x = basic(x, filters, kernel, name + step)
    return x


def average(x):
    """PyTorch counts the padding, padding="same" does not."""
    return layers.AveragePooling2D(3, strides=1)(layers.ZeroPadding2D(1)(x))


def block_a(x, name, pooled):
    return [
        chain(x, name, ("1x1", 64, 1)),
        chain(x, name, ("5x5_1", 48, 1), ("5x5_2", 64, 5)),
        chain(x, name, ("3x3dbl_1", 64, 1), ("3x3dbl_2", 96, 3), ("3x3dbl_3", 96, 3)),
        chain(average(x), name, ("_pool", pooled, 1)),
    ]


def block_b(x, name, _):
    double = chain(x, name, ("3x3dbl_1", 64, 1), ("3x3dbl_2", 96, 3))
    return [
        basic(x, 384, 3, name + "3x3", 2, same=False),
        basic(double, 96, 3, name + "3x3dbl_3", 2, same=False),
        max_pool(x, 3, 2),
    ]


def block_c(x, name, width):
    wide, high = (1, 7), (7, 1)
    return [
        chain(x, name, ("1x1", 192, 1)),
        chain(x, name, ("7x7_1", width, 1), ("7x7_2", width, wide), ("7x7_3", 192, high)),
        chain(
            x, name, ("7x7dbl_1", width, 1), ("7x7dbl_2", width, high), ("7x7dbl_3", width, wide),
            ("7x7dbl_4", width, high), ("7x7dbl_5", 192, wide),
        ),
        chain(average(x), name, ("_pool", 192, 1)),
    ]  # fmt: skip


def block_d(x, name, _):
    seven = chain(x, name, ("7x7x3_1", 192, 1), ("7x7x3_2", 192, (1, 7)), ("7x7x3_3", 192, (7, 1)))
    return [
        basic(chain(x, name, ("3x3_1", 192, 1)), 320, 3, name + "3x3_2", 2, same=False),
        basic(seven, 192, 3, name + "7x7x3_4", 2, same=False),
        max_pool(x, 3, 2),
    ]


def block_e(x, name, _):
    three = chain(x, name, ("3x3_1", 384, 1))
    double = chain(x, name, ("3x3dbl_1", 448, 1), ("3x3dbl_2", 384, 3))
    return [
        chain(x, name, ("1x1", 320, 1)),
        chain(three, name, ("3x3_2a", 384, (1, 3))),
        chain(three, name, ("3x3_2b", 384, (3, 1))),
        chain(double, name, ("3x3dbl_3a", 384, (1, 3))),
        chain(double, name, ("3x3dbl_3b", 384, (3, 1))),
        chain(average(x), name, ("_pool", 192, 1)),
    ]


KINDS = {"a": block_a, "b": block_b, "c": block_c, "d": block_d, "e": block_e}


def mirror(size=SIZE):
    image = keras.Input((*size, 3))
    x = basic(image, 32, 3, "Conv2d_1a_3x3", 2, same=False)
    x = basic(x, 32, 3, "Conv2d_2a_3x3", same=False)
    x = max_pool(basic(x, 64, 3, "Conv2d_2b_3x3"), 3, 2)
    x = basic(x, 80, 1, "Conv2d_3b_1x1", same=False)
    x = max_pool(basic(x, 192, 3, "Conv2d_4a_3x3", same=False), 3, 2)
    for block, kind, argument in BLOCKS:
        x = layers.Concatenate()(KINDS[kind](x, f"Mixed_{block}_branch", argument))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="fc")(x), name="inception_v3")


def application_pairs(state_dict):
    """keras.applications numbers layers as it makes them, which is torchvision's order."""
    modules = [key.removesuffix(".conv.weight") for key in state_dict if key.endswith(".conv.weight")]
    pairs = {"fc": "predictions"}
    for number, module in enumerate(modules):
        suffix = f"_{number}" if number else ""
        pairs |= {f"{module}.conv": f"conv2d{suffix}", f"{module}.bn": f"batch_normalization{suffix}"}
    return pairs


def without_gamma(seed, name="inception_v3"):
    """As trained without gamma: each is 1."""
    module = build(name, seed, init_weights=False)
    for key, parameter in module.named_parameters():
        if key.endswith(".bn.weight"):
            parameter.data.fill_(1)
    return module


def drop_gamma(tensors):
    for key in [key for key in tensors if key.endswith(".bn.weight")]:
        del tensors[key]
    return {}


def average_as_in_torchvision(model):
    """Its average poolings count the padding."""

    def counting(layer):
        if isinstance(layer, layers.AveragePooling2D):
            pooling = layers.AveragePooling2D(3, strides=1)
            return keras.Sequential([layers.ZeroPadding2D(1), pooling], name=layer.name)
        return type(layer).from_config(layer.get_config())

    changed = keras.models.clone_model(model, clone_function=counting)
    changed.set_weights(model.get_weights())
    return as_in_torchvision(changed, EPSILON)


CASES = [
    image_net(
        "inception_v3",
        50,
        mirror,
        "inception_v3",
        SIZE,
        module=functools.partial(build, "inception_v3", init_weights=False),
        ignored=("AuxLogits.",),
    ),
    image_net(
        "keras_inception_v3",
        51,
        lambda: keras.applications.InceptionV3(input_shape=(*SIZE, 3), weights=None),
        "keras_inception_v3",
        SIZE,
        module=without_gamma,
        pairs=application_pairs,
        loose=drop_gamma,
        ignored=("AuxLogits.",),
        waivers=("--allow-unexpected", "*.bn.weight"),
        adjust=average_as_in_torchvision,
    ),
]
