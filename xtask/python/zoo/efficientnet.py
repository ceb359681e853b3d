"""EfficientNet B0 to B7 and V2: with keras.applications, and mirrors."""

import functools
import math
import string

import keras
from keras import layers
import numpy as np

from case import channels_last
from zoo.applications import with_padding_of_torchvision
from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import conv_norm, squeeze_excitation
from zoo.random_weights import EPSILON

# (fused, expansion, kernel, first stride, channels, repeats) of each stage.
B0 = [
    (False, 1, 3, 1, 16, 1), (False, 6, 3, 2, 24, 2), (False, 6, 5, 2, 40, 2), (False, 6, 3, 2, 80, 3),
    (False, 6, 5, 1, 112, 3), (False, 6, 5, 2, 192, 4), (False, 6, 3, 1, 320, 1),
]  # fmt: skip
V2 = {
    "efficientnet_v2_s": (24, [
        (True, 1, 3, 1, 24, 2), (True, 4, 3, 2, 48, 4), (True, 4, 3, 2, 64, 4),
        (False, 4, 3, 2, 128, 6), (False, 6, 3, 1, 160, 9), (False, 6, 3, 2, 256, 15),
    ]),
    "efficientnet_v2_m": (24, [
        (True, 1, 3, 1, 24, 3), (True, 4, 3, 2, 48, 5), (True, 4, 3, 2, 80, 5), (False, 4, 3, 2, 160, 7),
        (False, 6, 3, 1, 176, 14), (False, 6, 3, 2, 304, 18), (False, 6, 3, 1, 512, 5),
    ]),
    "efficientnet_v2_l": (32, [
        (True, 1, 3, 1, 32, 4), (True, 4, 3, 2, 64, 7), (True, 4, 3, 2, 96, 7), (False, 4, 3, 2, 192, 10),
        (False, 6, 3, 1, 224, 19), (False, 6, 3, 2, 384, 25), (False, 6, 3, 1, 640, 7),
    ]),
}  # fmt: skip
# Width and depth, by the paper.
SCALES = {
    "efficientnet_b0": (1.0, 1.0),
    "efficientnet_b1": (1.0, 1.1),
    "efficientnet_b2": (1.1, 1.2),
    "efficientnet_b3": (1.2, 1.4),
    "efficientnet_b4": (1.4, 1.8),
    "efficientnet_b5": (1.6, 2.2),
    "efficientnet_b6": (1.8, 2.6),
    "efficientnet_b7": (2.0, 3.1),
}


def epsilon(name):
    """torchvision's B5, B6, B7 and V2 have TensorFlow's, which is Keras's default."""
    return EPSILON if name in list(SCALES)[:5] else 1e-3


def stages(name):
    """The stem's filters, the stages, and the last convolution's filters."""
    if name in V2:
        return *V2[name], 1280
    width, depth = SCALES[name]

    def rounded(filters):
        scaled = filters * width
        new = max(8, int(scaled + 4) // 8 * 8)
        return new + 8 if new < 0.9 * scaled else new

    scaled = [
        (fused, expansion, kernel, stride, rounded(filters), math.ceil(repeats * depth))
        for fused, expansion, kernel, stride, filters, repeats in B0
    ]
    return rounded(32), scaled, 4 * scaled[-1][4]


def mirror(name, size=SMALL):
    norm = functools.partial(conv_norm, activation="silu", epsilon=epsilon(name))
    first, all_stages, last = stages(name)
    image = keras.Input((*size, 3))
    x = norm(image, first, 3, 2, "features_0")
    for stage, (fused, expansion, kernel, first_stride, out, repeats) in enumerate(all_stages, 1):
        for block in range(repeats):
            shortcut, stride = x, first_stride if block == 0 else 1
            part = iter(f"features_{stage}_{block}_block_{k}" for k in range(4))
            inputs = x.shape[-1]
            expanded = inputs * expansion
            if fused and expansion == 1:
                x = norm(x, out, kernel, stride, next(part))
            else:
                if fused:
                    x = norm(x, expanded, kernel, stride, next(part))
                else:
                    if expansion > 1:
                        x = norm(x, expanded, 1, 1, next(part))
                    x = norm(x, expanded, kernel, stride, next(part), groups=expanded)
                    x = squeeze_excitation(x, max(1, inputs // 4), next(part), activation="silu")
                x = norm(x, out, 1, 1, next(part), activation=None)
            if stride == 1 and inputs == out:
                x = layers.Add()([shortcut, x])
    x = norm(x, last, 1, 1, f"features_{len(all_stages) + 1}")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier_1")(x), name=name)


def application_pairs(name):
    """keras.applications names blocks by stage and letter, and their parts by what they do."""
    _, all_stages, _ = stages(name)
    last = len(all_stages) + 1
    pairs = {"features.0.0": "stem_conv", "features.0.1": "stem_bn", "classifier.1": "predictions"}
    pairs |= {f"features.{last}.0": "top_conv", f"features.{last}.1": "top_bn"}
    depthwise = "dwconv2" if name in V2 else "dwconv"
    for stage, (fused, expansion, _, _, _, repeats) in enumerate(all_stages, 1):
        for block in range(repeats):
            prefix = f"block{stage}{string.ascii_lowercase[block]}_"
            steps = [("project_conv", "project_bn")]
            if not fused:
                steps = [(depthwise, "bn"), ("se_reduce", "se_expand"), *steps]
            if expansion > 1:
                steps = [("expand_conv", "expand_bn"), *steps]
            for k, layer_names in enumerate(steps):
                kinds = ("fc1", "fc2") if layer_names[0] == "se_reduce" else ("0", "1")
                for kind, layer_name in zip(kinds, layer_names):
                    pairs[f"features.{stage}.{block}.block.{k}.{kind}"] = prefix + layer_name
    return pairs


def normalization(_):
    """The variables of a Normalization layer that has not seen data: those of the schema's [[fill]]."""
    mean, variance = np.zeros(3, np.float32), np.ones(3, np.float32)
    return {
        "normalization/mean": mean,
        "normalization/variance": variance,
        "normalization/count": np.zeros((), np.int32),
    }


def pixels(image):
    """The first version divides what it is given by 255."""
    return 255 * channels_last(image)


def application(name, model, size=(128, 192), **options):
    v2 = name in V2
    more = {"include_preprocessing": False} if v2 else {}
    return image_net(
        "keras_" + name,
        48,
        lambda: model(input_shape=(*size, 3), weights=None, **more),
        "keras_efficientnet_v2" if v2 else "keras_efficientnet",
        size,
        variant=name,
        pairs=application_pairs(name),
        adjust=functools.partial(with_padding_of_torchvision, epsilon=epsilon(name)),
        **(options if v2 else options | {"loose": normalization, "to_keras": pixels}),
    )


ALWAYS = ("efficientnet_b0", "efficientnet_v2_s")

CASES = [
    *(
        image_net(name, 47, functools.partial(mirror, name), "efficientnet", by_name=name not in ALWAYS)
        for name in (*SCALES, *V2)
    ),
    *(
        application(name, getattr(keras.applications, model), by_name=name not in ALWAYS)
        for name, model in [(name, f"EfficientNetB{name[-1]}") for name in SCALES]
        + [(name, f"EfficientNetV2{name[-1].upper()}") for name in V2]
    ),
]
