"""ResNet, and its wide and ResNeXt relatives."""

import functools

import keras
from keras import layers

from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.parts import batch_norm, conv, max_pool

BASIC = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
# Blocks, groups, and the width of a group in the first stage.
BOTTLENECK = {
    "resnet50": ((3, 4, 6, 3), 1, 64),
    "resnet101": ((3, 4, 23, 3), 1, 64),
    "resnet152": ((3, 8, 36, 3), 1, 64),
    "wide_resnet50_2": ((3, 4, 6, 3), 1, 128),
    "wide_resnet101_2": ((3, 4, 23, 3), 1, 128),
    "resnext50_32x4d": ((3, 4, 6, 3), 32, 4),
    "resnext101_32x8d": ((3, 4, 23, 3), 32, 8),
    "resnext101_64x4d": ((3, 4, 23, 3), 64, 4),
}


def mirror(name, size=SMALL):
    """ResNet as torchvision has it (the stride sits on the 3×3 convolution)."""
    bottleneck = name in BOTTLENECK
    blocks, groups, group_width = BOTTLENECK[name] if bottleneck else (BASIC[name], 1, 64)
    image = keras.Input((*size, 3))
    x = conv(image, 64, 7, 2, "conv1")
    x = layers.ReLU()(batch_norm(x, "bn1"))
    x = max_pool(x, 3, 2, padding=1)
    for stage, count in enumerate(blocks, 1):
        width = groups * group_width * 2 ** (stage - 1)
        out = 64 * 2 ** (stage - 1) * (4 if bottleneck else 1)
        for block in range(count):
            prefix = f"layer{stage}_{block}_"
            stride = 2 if stage > 1 and block == 0 else 1
            steps = [(1, 1, 1), (3, stride, groups), (1, 1, 1)] if bottleneck else [(3, stride, 1), (3, 1, 1)]
            shortcut = x
            if block == 0 and (stage > 1 or bottleneck):
                shortcut = conv(x, out, 1, stride, prefix + "downsample_conv")
                shortcut = batch_norm(shortcut, prefix + "downsample_bn")
            for n, (kernel, step, parts) in enumerate(steps, 1):
                last = n == len(steps)
                x = conv(x, out if last else width, kernel, step, f"{prefix}conv{n}", groups=parts)
                x = batch_norm(x, f"{prefix}bn{n}")
                if not last:
                    x = layers.ReLU()(x)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="fc")(x), name="resnet")


def pairs(state_dict):
    """The modules' paths with `_`, and the downsampling's parts by what they are."""
    modules = dict.fromkeys(key.rpartition(".")[0] for key in state_dict)
    parts = {"downsample.0": "downsample_conv", "downsample.1": "downsample_bn"}
    found = {}
    for module in modules:
        layer = module
        for old, new in parts.items():
            layer = layer.replace(old, new)
        found[module] = layer.replace(".", "_")
    return found


ALWAYS = ("resnet18", "resnet50", "resnext50_32x4d")

CASES = [
    image_net(name, 10, functools.partial(mirror, name), "resnet", pairs=pairs, by_name=name not in ALWAYS)
    for name in (BASIC | BOTTLENECK)
]
