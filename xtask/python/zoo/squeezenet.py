"""SqueezeNet 1.0 and 1.1."""

import functools

import keras
from keras import layers

from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import max_pool

# The stem's filters and kernel; where the poolings are, and the squeezed and expanded channels of each Fire.
VERSIONS = {
    "squeezenet1_0": ((96, 7), {2, 6, 11}),
    "squeezenet1_1": ((64, 3), {2, 5, 8}),
}
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))


def mirror(name, size=SMALL):
    (filters, kernel), pools = VERSIONS[name]

    def conv(x, filters, kernel, name, **options):
        return layers.Conv2D(filters, kernel, activation="relu", name=name, **options)(x)

    image = keras.Input((*size, 3))
    x = conv(image, filters, kernel, "features_0", strides=2)
    fires = iter(FIRES)
    for index in range(2, 13):
        if index in pools:
            x = max_pool(x, 3, 2, ceil=True)
            continue
        squeezed, expanded = next(fires)
        prefix = f"features_{index}_"
        x = conv(x, squeezed, 1, prefix + "squeeze")
        small = conv(x, expanded, 1, prefix + "expand1x1")
        large = conv(x, expanded, 3, prefix + "expand3x3", padding="same")
        x = layers.Concatenate()([small, large])
    x = conv(x, IMAGENET_CLASSES, 1, "classifier_1")
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name=name)


CASES = [image_net(name, 40, functools.partial(mirror, name), "squeezenet") for name in VERSIONS]
