"""MobileNetV2: with keras.applications, and a mirror."""

import keras
from keras import layers

from zoo.applications import with_padding_of_torchvision
from zoo.image_net import FULL, IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import batch_norm, conv, depthwise

# (expansion, channels, repeats, first stride), from the paper's table 2.
BLOCKS = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
]  # fmt: skip


def mirror(size=SMALL):
    image = keras.Input((*size, 3))

    def relu6(x, name):
        return layers.ReLU(6.0)(batch_norm(x, name))

    x = relu6(conv(image, 32, 3, 2, "stem_conv"), "stem_bn")
    block = 0
    for expansion, channels, repeats, first_stride in BLOCKS:
        for repeat in range(repeats):
            block += 1
            name = f"block{block}_"
            stride = first_stride if repeat == 0 else 1
            shortcut, width = x, x.shape[-1] * expansion
            if expansion > 1:
                x = relu6(conv(x, width, 1, 1, name + "expand_conv"), name + "expand_bn")
            x = relu6(depthwise(x, 3, stride, name + "depthwise_conv"), name + "depthwise_bn")
            x = batch_norm(conv(x, channels, 1, 1, name + "project_conv"), name + "project_bn")
            if repeat > 0:
                x = layers.Add()([shortcut, x])
    x = relu6(conv(x, 1280, 1, 1, "head_conv"), "head_bn")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier")(x), name="mobilenet_v2")


def pairs(ends, block_name, conv_name, norm_name):
    """By the names of the stem and the head, and of a block's parts."""
    found = dict(ends)
    for block in range(1, 18):
        steps = ["depthwise"] if block == 1 else ["expand", "depthwise"]
        for position, step in enumerate(steps):
            found[f"features.{block}.conv.{position}.0"] = block_name(block) + step + conv_name
            found[f"features.{block}.conv.{position}.1"] = block_name(block) + step + norm_name
        found[f"features.{block}.conv.{len(steps)}"] = block_name(block) + "project" + conv_name
        found[f"features.{block}.conv.{len(steps) + 1}"] = block_name(block) + "project" + norm_name
    return found


MIRROR_ENDS = {
    "features.0.0": "stem_conv",
    "features.0.1": "stem_bn",
    "features.18.0": "head_conv",
    "features.18.1": "head_bn",
    "classifier.1": "classifier",
}
APPLICATION_ENDS = {
    "features.0.0": "Conv1",
    "features.0.1": "bn_Conv1",
    "features.18.0": "Conv_1",
    "features.18.1": "Conv_1_bn",
    "classifier.1": "predictions",
}


def application_block(block):
    return "expanded_conv_" if block == 1 else f"block_{block - 1}_"


CASES = [
    image_net(
        "mobilenet_v2",
        12,
        mirror,
        "mobilenet_v2",
        pairs=pairs(MIRROR_ENDS, lambda block: f"block{block}_", "_conv", "_bn"),
    ),
    image_net(
        "keras_mobilenet_v2",
        37,
        lambda: keras.applications.MobileNetV2(weights=None),
        "keras_mobilenet_v2",
        FULL,
        variant="mobilenet_v2",
        pairs=pairs(APPLICATION_ENDS, application_block, "", "_BN"),
        adjust=with_padding_of_torchvision,
        notes=("epsilon",),
    ),
]
