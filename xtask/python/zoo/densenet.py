"""DenseNet: with keras.applications, and mirrors."""

import functools

import keras
from keras import layers

from zoo.applications import as_in_torchvision
from zoo.image_net import FULL, IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import batch_norm, conv, max_pool

# Growth rate, layers of each block, filters of the stem.
SIZES = {
    "densenet121": (32, (6, 12, 24, 16), 64),
    "densenet161": (48, (6, 12, 36, 24), 96),
    "densenet169": (32, (6, 12, 32, 32), 64),
    "densenet201": (32, (6, 12, 48, 32), 64),
}


def mirror(name, size=SMALL):
    growth, blocks, filters = SIZES[name]

    def norm(x, name):
        return layers.ReLU()(batch_norm(x, name))

    image = keras.Input((*size, 3))
    x = norm(conv(image, filters, 7, 2, "features_conv0"), "features_norm0")
    x = max_pool(x, 3, 2, padding=1)
    for b, count in enumerate(blocks, 1):
        for n in range(1, count + 1):
            prefix = f"features_denseblock{b}_denselayer{n}_"
            new = conv(norm(x, prefix + "norm1"), 4 * growth, 1, 1, prefix + "conv1")
            new = conv(norm(new, prefix + "norm2"), growth, 3, 1, prefix + "conv2")
            x = layers.Concatenate()([x, new])
        if b < len(blocks):
            prefix = f"features_transition{b}_"
            x = conv(norm(x, prefix + "norm"), x.shape[-1] // 2, 1, 1, prefix + "conv")
            x = layers.AveragePooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(norm(x, "features_norm5"))
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier")(x), name="densenet")


def application_pairs(blocks):
    pairs = {
        "features.conv0": "conv1_conv",
        "features.norm0": "conv1_bn",
        "features.norm5": "bn",
        "classifier": "predictions",
    }
    for block, count in enumerate(blocks, 1):
        for n in range(1, count + 1):
            module, layer = f"features.denseblock{block}.denselayer{n}", f"conv{block + 1}_block{n}"
            pairs |= {
                f"{module}.norm1": f"{layer}_0_bn",
                f"{module}.conv1": f"{layer}_1_conv",
                f"{module}.norm2": f"{layer}_1_bn",
                f"{module}.conv2": f"{layer}_2_conv",
            }
        if block < len(blocks):
            pairs[f"features.transition{block}.norm"] = f"pool{block + 1}_bn"
            pairs[f"features.transition{block}.conv"] = f"pool{block + 1}_conv"
    return pairs


def application(name, model, **options):
    return image_net(
        name,
        14,
        lambda: model(weights=None),
        "densenet121",
        FULL,
        pairs=application_pairs(SIZES[name][1]),
        adjust=as_in_torchvision,
        notes=("epsilon",),
        **options,
    )


CASES = [
    application("densenet121", keras.applications.DenseNet121),
    application("densenet169", keras.applications.DenseNet169, by_name=True),
    application("densenet201", keras.applications.DenseNet201, by_name=True),
    image_net("densenet161", 35, functools.partial(mirror, "densenet161"), "densenet"),
    *(
        image_net(
            f"{name}_mirror", 36, functools.partial(mirror, name), "densenet", variant=name, by_name=True
        )
        for name in ("densenet121", "densenet169", "densenet201")
    ),
]
