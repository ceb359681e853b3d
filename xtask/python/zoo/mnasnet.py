"""MNASNet."""

import functools

import keras
from keras import layers

from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import batch_norm, conv, depthwise

# Channels of the stem, of its projection and of the stacks, by width.
DEPTHS = {
    "mnasnet0_5": (16, 8, 16, 24, 40, 48, 96, 160),
    "mnasnet0_75": (24, 16, 24, 32, 64, 72, 144, 240),
    "mnasnet1_0": (32, 16, 24, 40, 80, 96, 192, 320),
    "mnasnet1_3": (40, 24, 32, 56, 104, 128, 248, 416),
}
# (kernel, first stride, expansion, repeats), from the paper's figure 7.
STACKS = ((3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1))


def mirror(name, size=SMALL):
    depths = DEPTHS[name]

    def norm_relu(x, name):
        return layers.ReLU()(batch_norm(x, name))

    image = keras.Input((*size, 3))
    x = norm_relu(conv(image, depths[0], 3, 2, "layers_0"), "layers_1")
    x = norm_relu(depthwise(x, 3, 1, "layers_3"), "layers_4")
    x = batch_norm(conv(x, depths[1], 1, 1, "layers_6"), "layers_7")
    for stack, ((kernel, first_stride, expansion, repeats), out) in enumerate(zip(STACKS, depths[2:]), 8):
        for block in range(repeats):
            prefix, shortcut = f"layers_{stack}_{block}_layers_", x
            stride = first_stride if block == 0 else 1
            x = norm_relu(conv(x, x.shape[-1] * expansion, 1, 1, prefix + "0"), prefix + "1")
            x = norm_relu(depthwise(x, kernel, stride, prefix + "3"), prefix + "4")
            x = batch_norm(conv(x, out, 1, 1, prefix + "6"), prefix + "7")
            if block > 0:
                x = layers.Add()([shortcut, x])
    x = norm_relu(conv(x, 1280, 1, 1, "layers_14"), "layers_15")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier_1")(x), name="mnasnet")


CASES = [
    image_net(name, 42, functools.partial(mirror, name), "mnasnet", by_name=name != "mnasnet1_0")
    for name in DEPTHS
]
