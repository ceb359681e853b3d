"""VGG: with keras.applications, and mirrors with and without batch normalization."""

import functools

import keras
from keras import layers
import torch

from zoo.applications import as_in_torchvision
from zoo.image_net import FULL, IMAGENET_CLASSES, image_net
from zoo.parts import batch_norm, max_pool
from zoo.random_weights import build, randomised

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
FEATURE_MAP = (512, 7, 7)


def mirror(depth, normalized, hidden=4096):
    """Layers are named by the indices of the modules: a convolution, its normalization, ReLU, the poolings."""
    image = x = keras.Input((*FULL, 3))
    index = 0
    for count, width in zip(DEPTHS[depth], WIDTHS):
        for _ in range(count):
            x = layers.Conv2D(width, 3, padding="same", name=f"features_{index}")(x)
            if normalized:
                x = batch_norm(x, f"features_{index + 1}")
            x = layers.ReLU()(x)
            index += 3 if normalized else 2
        x = max_pool(x, 2, 2)
        index += 1
    x = layers.Flatten()(x)
    x = layers.Dense(hidden, activation="relu", name="classifier_0")(x)
    x = layers.Dense(hidden, activation="relu", name="classifier_3")(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier_6")(x), name="vgg")


def narrow(name, seed, hidden):
    """A classifier of `hidden` units instead of 4096, which are most of the file."""
    module = build(name, seed)
    module.classifier[0] = torch.nn.Linear(module.classifier[0].in_features, hidden)
    module.classifier[3] = torch.nn.Linear(hidden, hidden)
    module.classifier[6] = torch.nn.Linear(hidden, IMAGENET_CLASSES)
    return randomised(module, seed)


def mirrored(depth, normalized, seed, **options):
    name = f"vgg{depth}_bn" if normalized else f"vgg{depth}"
    model = functools.partial(mirror, depth, normalized)
    case = "vgg_mirror_" + name
    return image_net(
        case, seed, model, "vgg", FULL, variant=name, feature_maps={"classifier.0": FEATURE_MAP}, **options
    )


def application_pairs(state_dict):
    """keras.applications counts blocks and the convolutions within."""
    convolutions = [key.removesuffix(".weight") for key in state_dict if key.startswith("features")]
    modules = iter(key for key in convolutions if not key.endswith(".bias"))
    depths = DEPTHS[{13: 16, 16: 19}[len(convolutions) // 2]]
    pairs = {
        next(modules): f"block{block}_conv{n}"
        for block, count in enumerate(depths, 1)
        for n in range(1, count + 1)
    }
    return pairs | {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"}


def application(name, model, seed, **options):
    return image_net(
        name,
        seed,
        lambda: model(weights=None),
        "vgg16",
        FULL,
        pairs=application_pairs,
        adjust=as_in_torchvision,
        feature_maps={"classifier.0": FEATURE_MAP},
        **options,
    )


CASES = [
    application("vgg16", keras.applications.VGG16, 13),
    application("vgg19", keras.applications.VGG19, 31, by_name=True),
    image_net(
        "vgg11_bn",
        32,
        functools.partial(mirror, 11, True, 24),
        "vgg",
        FULL,
        module=lambda seed: narrow("vgg11_bn", seed, 24),
        feature_maps={"classifier.0": FEATURE_MAP},
    ),
    image_net(
        "vgg11",
        33,
        functools.partial(mirror, 11, False, 24),
        "vgg",
        FULL,
        module=lambda seed: narrow("vgg11", seed, 24),
        feature_maps={"classifier.0": FEATURE_MAP},
    ),
    *(mirrored(depth, normalized, 34, by_name=True) for depth in DEPTHS for normalized in (False, True)),
]
