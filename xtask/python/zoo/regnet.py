"""RegNet, X and Y (with squeeze and excitation)."""

import functools

import keras
from keras import layers

from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import conv_norm, squeeze_excitation

# Blocks of each stage, widths of each stage, channels of a group.
SIZES = {
    "regnet_x_400mf": ((1, 2, 7, 12), (32, 64, 160, 400), 16),
    "regnet_x_800mf": ((1, 3, 7, 5), (64, 128, 288, 672), 16),
    "regnet_x_1_6gf": ((2, 4, 10, 2), (72, 168, 408, 912), 24),
    "regnet_x_3_2gf": ((2, 6, 15, 2), (96, 192, 432, 1008), 48),
    "regnet_x_8gf": ((2, 5, 15, 1), (80, 240, 720, 1920), 120),
    "regnet_x_16gf": ((2, 6, 13, 1), (256, 512, 896, 2048), 128),
    "regnet_x_32gf": ((2, 7, 13, 1), (336, 672, 1344, 2520), 168),
    "regnet_y_400mf": ((1, 3, 6, 6), (48, 104, 208, 440), 8),
    "regnet_y_800mf": ((1, 3, 8, 2), (64, 144, 320, 784), 16),
    "regnet_y_1_6gf": ((2, 6, 17, 2), (48, 120, 336, 888), 24),
    "regnet_y_3_2gf": ((2, 5, 13, 1), (72, 216, 576, 1512), 24),
    "regnet_y_8gf": ((2, 4, 10, 1), (224, 448, 896, 2016), 56),
    "regnet_y_16gf": ((2, 4, 11, 1), (224, 448, 1232, 3024), 112),
    "regnet_y_32gf": ((2, 5, 12, 1), (232, 696, 1392, 3712), 232),
}
ALWAYS = ("regnet_x_800mf", "regnet_y_800mf")


def mirror(name, size=SMALL):
    depths, widths, group = SIZES[name]
    image = keras.Input((*size, 3))
    x = conv_norm(image, 32, 3, 2, "stem")
    for stage, (count, width) in enumerate(zip(depths, widths), 1):
        for block in range(count):
            prefix = f"trunk_output_block{stage}_block{stage}-{block}_"
            stride, shortcut = 2 if block == 0 else 1, x
            if block == 0:
                shortcut = conv_norm(x, width, 1, stride, prefix + "proj", activation=None)
            squeezed = round(x.shape[-1] / 4)
            x = conv_norm(x, width, 1, 1, prefix + "f_a")
            x = conv_norm(x, width, 3, stride, prefix + "f_b", groups=width // min(group, width))
            if "_y_" in name:
                x = squeeze_excitation(x, squeezed, prefix + "f_se")
            x = conv_norm(x, width, 1, 1, prefix + "f_c", activation=None)
            x = layers.ReLU()(layers.Add()([shortcut, x]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="fc")(x), name="regnet")


CASES = [
    image_net(name, 44, functools.partial(mirror, name), "regnet", by_name=name not in ALWAYS)
    for name in SIZES
]
