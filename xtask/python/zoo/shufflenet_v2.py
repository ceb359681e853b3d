"""ShuffleNet V2."""

import functools

import keras
from keras import layers

from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import batch_norm, conv, depthwise, max_pool

WIDTHS = {
    "shufflenet_v2_x0_5": (24, 48, 96, 192, 1024),
    "shufflenet_v2_x1_0": (24, 116, 232, 464, 1024),
    "shufflenet_v2_x1_5": (24, 176, 352, 704, 1024),
    "shufflenet_v2_x2_0": (24, 244, 488, 976, 2048),
}
REPEATS = (4, 8, 4)


def shuffle(x):
    """The channels of both halves in turn."""
    height, width, channels = x.shape[1:]
    x = layers.Reshape((height, width, 2, channels // 2))(x)
    return layers.Reshape((height, width, channels))(layers.Permute((1, 2, 4, 3))(x))


def pointwise(x, filters, name, index):
    x = conv(x, filters, 1, 1, f"{name}_{index}")
    return layers.ReLU()(batch_norm(x, f"{name}_{index + 1}"))


def spatial(x, stride, name, index):
    return batch_norm(depthwise(x, 3, stride, f"{name}_{index}"), f"{name}_{index + 1}")


def mirror(name, size=SMALL):
    widths = WIDTHS[name]
    image = keras.Input((*size, 3))
    x = layers.ReLU()(batch_norm(conv(image, widths[0], 3, 2, "conv1_0"), "conv1_1"))
    x = max_pool(x, 3, 2, padding=1)
    for stage, (count, width) in enumerate(zip(REPEATS, widths[1:]), 2):
        for block in range(count):
            prefix, half = f"stage{stage}_{block}_", width // 2
            if block == 0:
                left = pointwise(spatial(x, 2, prefix + "branch1", 0), half, prefix + "branch1", 2)
                right = x
            else:
                left, right = x[..., :half], x[..., half:]
            right = pointwise(right, half, prefix + "branch2", 0)
            right = spatial(right, 2 if block == 0 else 1, prefix + "branch2", 3)
            right = pointwise(right, half, prefix + "branch2", 5)
            x = shuffle(layers.Concatenate()([left, right]))
    x = layers.ReLU()(batch_norm(conv(x, widths[-1], 1, 1, "conv5_0"), "conv5_1"))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="fc")(x), name="shufflenet")


CASES = [
    image_net(
        name, 41, functools.partial(mirror, name), "shufflenet_v2", by_name=name != "shufflenet_v2_x1_0"
    )
    for name in WIDTHS
]
