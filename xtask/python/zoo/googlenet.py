"""GoogLeNet."""

import functools

import keras
from keras import layers

from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import batch_norm, conv, max_pool
from zoo.random_weights import build

# 1×1, 3×3 reduced and full, "5×5" (3×3 in torchvision) reduced and full, after the pooling.
BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
# Poolings behind a block: kernel and strides.
POOLS = {"3b": (3, 2), "4e": (2, 2)}


def basic(x, filters, kernel, name, stride=1):
    x = batch_norm(conv(x, filters, kernel, stride, f"{name}_conv"), f"{name}_bn", epsilon=1e-3)
    return layers.ReLU()(x)


def mirror(size=SMALL):
    image = keras.Input((*size, 3))
    x = max_pool(basic(image, 64, 7, "conv1", stride=2), 3, 2, ceil=True)
    x = basic(basic(x, 64, 1, "conv2"), 192, 3, "conv3")
    x = max_pool(x, 3, 2, ceil=True)
    for block, (one, three_in, three, five_in, five, pooled) in BLOCKS.items():
        name = f"inception{block}_branch"
        x = layers.Concatenate()(
            [
                basic(x, one, 1, f"{name}1"),
                basic(basic(x, three_in, 1, f"{name}2_0"), three, 3, f"{name}2_1"),
                basic(basic(x, five_in, 1, f"{name}3_0"), five, 3, f"{name}3_1"),
                basic(max_pool(x, 3, 1, padding=1), pooled, 1, f"{name}4_1"),
            ]
        )
        if block in POOLS:
            x = max_pool(x, *POOLS[block], ceil=True)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="fc")(x), name="googlenet")


CASES = [
    image_net(
        "googlenet",
        43,
        mirror,
        "googlenet",
        module=functools.partial(build, "googlenet", init_weights=False),
        ignored=("aux1.", "aux2."),
    )
]
