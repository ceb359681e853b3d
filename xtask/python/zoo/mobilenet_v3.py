"""MobileNetV3, small and large: with keras.applications, and mirrors."""

import functools

import keras
from keras import layers

from zoo.applications import with_padding_of_torchvision
from zoo.image_net import FULL, IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import conv_norm, squeeze_excitation

EPSILON = 1e-3  # torchvision's too, in this family

# (kernel, expanded, out, squeezed or 0, activation, stride), from the paper's tables 1 and 2.
BLOCKS = {
    "mobilenet_v3_small": [
        (3, 16, 16, 8, "relu", 2), (3, 72, 24, 0, "relu", 2), (3, 88, 24, 0, "relu", 1),
        (5, 96, 40, 24, "hard_silu", 2), (5, 240, 40, 64, "hard_silu", 1), (5, 240, 40, 64, "hard_silu", 1),
        (5, 120, 48, 32, "hard_silu", 1), (5, 144, 48, 40, "hard_silu", 1), (5, 288, 96, 72, "hard_silu", 2),
        (5, 576, 96, 144, "hard_silu", 1), (5, 576, 96, 144, "hard_silu", 1),
    ],
    "mobilenet_v3_large": [
        (3, 16, 16, 0, "relu", 1), (3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1),
        (5, 72, 40, 24, "relu", 2), (5, 120, 40, 32, "relu", 1), (5, 120, 40, 32, "relu", 1),
        (3, 240, 80, 0, "hard_silu", 2), (3, 200, 80, 0, "hard_silu", 1), (3, 184, 80, 0, "hard_silu", 1),
        (3, 184, 80, 0, "hard_silu", 1), (3, 480, 112, 120, "hard_silu", 1), (3, 672, 112, 168, "hard_silu", 1),
        (5, 672, 160, 168, "hard_silu", 2), (5, 960, 160, 240, "hard_silu", 1), (5, 960, 160, 240, "hard_silu", 1),
    ],
}  # fmt: skip
LAST = {"mobilenet_v3_small": 1024, "mobilenet_v3_large": 1280}


def mirror(name, size=SMALL):
    norm = functools.partial(conv_norm, epsilon=EPSILON)
    image = keras.Input((*size, 3))
    x = norm(image, 16, 3, 2, "features_0", "hard_silu")
    for block, (kernel, expanded, out, squeezed, activation, stride) in enumerate(BLOCKS[name], 1):
        shortcut, part = x, iter(f"features_{block}_block_{k}" for k in range(4))
        if expanded != x.shape[-1]:
            x = norm(x, expanded, 1, 1, next(part), activation)
        x = norm(x, expanded, kernel, stride, next(part), activation, groups=expanded)
        if squeezed:
            x = squeeze_excitation(x, squeezed, next(part), gate="hard_sigmoid")
        x = norm(x, out, 1, 1, next(part), None)
        if stride == 1 and out == shortcut.shape[-1]:
            x = layers.Add()([shortcut, x])
    x = norm(x, 6 * x.shape[-1], 1, 1, f"features_{len(BLOCKS[name]) + 1}", "hard_silu")
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(LAST[name], activation="hard_silu", name="classifier_0")(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier_3")(x), name=name)


def application_pairs(name):
    """keras.applications counts blocks from 0 and leaves the first one's number out."""
    last = len(BLOCKS[name]) + 1
    pairs = {
        "features.0.0": "conv",
        "features.0.1": "conv_bn",
        f"features.{last}.0": "conv_1",
        f"features.{last}.1": "conv_1_bn",
        "classifier.0": "conv_2",
        "classifier.3": "logits",
    }
    for block, (_, _, _, squeezed, _, _) in enumerate(BLOCKS[name]):
        prefix = f"expanded_conv_{block}_" if block else "expanded_conv_"
        part = iter(f"features.{block + 1}.block.{k}" for k in range(4))
        if block:
            module = next(part)
            pairs |= {f"{module}.0": prefix + "expand", f"{module}.1": prefix + "expand_bn"}
        module = next(part)
        pairs |= {f"{module}.0": prefix + "depthwise", f"{module}.1": prefix + "depthwise_bn"}
        if squeezed:
            module = next(part)
            pairs[f"{module}.fc1"] = prefix + "squeeze_excite_conv"
            pairs[f"{module}.fc2"] = prefix + "squeeze_excite_conv_1"
        module = next(part)
        pairs |= {f"{module}.0": prefix + "project", f"{module}.1": prefix + "project_bn"}
    return pairs


def application(name, model, **options):
    return image_net(
        "keras_" + name,
        46,
        lambda: model(input_shape=(*FULL, 3), include_preprocessing=False, weights=None),
        "keras_" + name,
        FULL,
        variant=name,
        pairs=application_pairs(name),
        adjust=functools.partial(with_padding_of_torchvision, epsilon=EPSILON),
        **options,
    )


CASES = [
    image_net("mobilenet_v3_small", 45, functools.partial(mirror, "mobilenet_v3_small"), "mobilenet_v3"),
    image_net("mobilenet_v3_large", 45, functools.partial(mirror, "mobilenet_v3_large"), "mobilenet_v3"),
    application("mobilenet_v3_small", keras.applications.MobileNetV3Small),
    application("mobilenet_v3_large", keras.applications.MobileNetV3Large),
]
