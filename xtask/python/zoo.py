"""torchvision's classifiers, and the functional Keras models that a user would write to mirror them."""

import functools

from case import Case, unchanged
import keras
from keras import layers
import torch
import torchvision

IMAGENET_CLASSES = 1000
EPSILON = 1e-5  # PyTorch's default; Keras's is 1e-3


def randomised(module, seed):
    """As after training: no statistic, scale or shift keeps its initial 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
            part.running_mean.normal_(0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
        if isinstance(part, (torch.nn.modules.batchnorm._BatchNorm, torch.nn.LayerNorm)):
            torch.nn.init.uniform_(part.weight, 0.8, 1.2, generator=generator)
            torch.nn.init.normal_(part.bias, 0, 0.1, generator=generator)
    return module.eval()


def build(name, seed):
    torch.manual_seed(seed)
    return randomised(getattr(torchvision.models, name)(weights=None), seed)


def batch_norm(x, name):
    return layers.BatchNormalization(epsilon=EPSILON, name=name)(x)


def conv(x, filters, kernel, stride, name):
    """A convolution without bias that pads as PyTorch does: the same amount on both sides."""
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    return layers.Conv2D(filters, kernel, strides=stride, use_bias=False, name=name)(x)


def resnet(blocks, bottleneck):
    """ResNet as torchvision has it (the stride sits on the 3×3 convolution)."""
    image = keras.Input((224, 224, 3))
    x = conv(image, 64, 7, 2, "conv1")
    x = layers.ReLU()(batch_norm(x, "bn1"))
    # Zero padding is as good as PyTorch's minus infinity: nothing is negative after ReLU.
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for stage, count in enumerate(blocks, 1):
        width = 64 * 2 ** (stage - 1)
        for block in range(count):
            name = f"layer{stage}_{block}_"
            stride = 2 if stage > 1 and block == 0 else 1
            shapes = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
            out = width * 4 if bottleneck else width
            shortcut = x
            if block == 0 and (stage > 1 or bottleneck):
                shortcut = conv(x, out, 1, stride, name + "downsample_conv")
                shortcut = batch_norm(shortcut, name + "downsample_bn")
            for n, (kernel, step) in enumerate(shapes, 1):
                last = n == len(shapes)
                x = conv(x, out if last else width, kernel, step, f"{name}conv{n}")
                x = batch_norm(x, f"{name}bn{n}")
                if not last:
                    x = layers.ReLU()(x)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="fc")(x), name="resnet")


def resnet_pairs(blocks, convolutions):
    pairs = {"conv1": "conv1", "bn1": "bn1", "fc": "fc"}
    for stage, count in enumerate(blocks, 1):
        for block in range(count):
            module, layer = f"layer{stage}.{block}.", f"layer{stage}_{block}_"
            for n in range(1, convolutions + 1):
                pairs[f"{module}conv{n}"] = f"{layer}conv{n}"
                pairs[f"{module}bn{n}"] = f"{layer}bn{n}"
            if block == 0 and (stage > 1 or convolutions == 3):
                pairs[f"{module}downsample.0"] = f"{layer}downsample_conv"
                pairs[f"{module}downsample.1"] = f"{layer}downsample_bn"
    return pairs


# (expansion, channels, repeats, first stride), from the paper's table 2.
MOBILENET_V2 = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
]  # fmt: skip


def mobilenet_v2():
    image = keras.Input((224, 224, 3))

    def relu6(x, name):
        return layers.ReLU(6.0)(batch_norm(x, name))

    x = relu6(conv(image, 32, 3, 2, "stem_conv"), "stem_bn")
    block = 0
    for expansion, channels, repeats, first_stride in MOBILENET_V2:
        for repeat in range(repeats):
            block += 1
            name = f"block{block}_"
            stride = first_stride if repeat == 0 else 1
            shortcut, width = x, x.shape[-1] * expansion
            if expansion > 1:
                x = relu6(conv(x, width, 1, 1, name + "expand_conv"), name + "expand_bn")
            x = layers.ZeroPadding2D(1)(x)
            x = layers.DepthwiseConv2D(3, strides=stride, use_bias=False, name=name + "depthwise_conv")(x)
            x = relu6(x, name + "depthwise_bn")
            x = batch_norm(conv(x, channels, 1, 1, name + "project_conv"), name + "project_bn")
            if repeat > 0:
                x = layers.Add()([shortcut, x])
    x = relu6(conv(x, 1280, 1, 1, "head_conv"), "head_bn")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier")(x), name="mobilenet_v2")


def mobilenet_v2_pairs():
    pairs = {"classifier.1": "classifier"}
    for index, name in ((0, "stem"), (18, "head")):
        pairs[f"features.{index}.0"] = f"{name}_conv"
        pairs[f"features.{index}.1"] = f"{name}_bn"
    for block in range(1, 18):
        steps = ["depthwise"] if block == 1 else ["expand", "depthwise"]
        for position, step in enumerate(steps):
            pairs[f"features.{block}.conv.{position}.0"] = f"block{block}_{step}_conv"
            pairs[f"features.{block}.conv.{position}.1"] = f"block{block}_{step}_bn"
        pairs[f"features.{block}.conv.{len(steps)}"] = f"block{block}_project_conv"
        pairs[f"features.{block}.conv.{len(steps) + 1}"] = f"block{block}_project_bn"
    return pairs


def vgg16_pairs():
    modules = iter((0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28))
    pairs = {
        f"features.{next(modules)}": f"block{block}_conv{n}"
        for block, count in enumerate((2, 2, 3, 3, 3), 1)
        for n in range(1, count + 1)
    }
    return pairs | {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"}


def densenet121_pairs():
    pairs = {
        "features.conv0": "conv1_conv",
        "features.norm0": "conv1_bn",
        "features.norm5": "bn",
        "classifier": "predictions",
    }
    for block, count in enumerate((6, 12, 24, 16), 1):
        for n in range(1, count + 1):
            module, layer = f"features.denseblock{block}.denselayer{n}", f"conv{block + 1}_block{n}"
            pairs |= {
                f"{module}.norm1": f"{layer}_0_bn",
                f"{module}.conv1": f"{layer}_1_conv",
                f"{module}.norm2": f"{layer}_1_bn",
                f"{module}.conv2": f"{layer}_2_conv",
            }
        if block < 4:
            pairs[f"features.transition{block}.norm"] = f"pool{block + 1}_bn"
            pairs[f"features.transition{block}.conv"] = f"pool{block + 1}_conv"
    return pairs


def as_in_torchvision(model):
    """Logits instead of probabilities, and PyTorch's epsilon in every normalization."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.epsilon = EPSILON
    model.get_layer("predictions").activation = keras.activations.linear
    return model


def image_net(name, seed, model, pairs, schema, adjust=unchanged, **options):
    return Case(
        name=name,
        module=functools.partial(build, name, seed),
        model=model,
        samples=lambda random: [(random.normal(size=(1, 3, 224, 224)),)],
        pairs=pairs,
        schema=f"torchvision/{schema}",
        adjust=adjust,
        **options,
    )


CASES = [
    image_net(
        "resnet18", 10, lambda: resnet((2, 2, 2, 2), False), resnet_pairs((2, 2, 2, 2), 2), "resnet"
    ),
    image_net("resnet50", 11, lambda: resnet((3, 4, 6, 3), True), resnet_pairs((3, 4, 6, 3), 3), "resnet"),
    image_net("mobilenet_v2", 12, mobilenet_v2, mobilenet_v2_pairs(), "mobilenet_v2"),
    image_net(
        "vgg16",
        13,
        lambda: keras.applications.VGG16(weights=None),
        vgg16_pairs(),
        "vgg16",
        as_in_torchvision,
        feature_maps={"classifier.0": (512, 7, 7)},
    ),
    image_net(
        "densenet121",
        14,
        lambda: keras.applications.DenseNet121(weights=None),
        densenet121_pairs(),
        "densenet121",
        as_in_torchvision,
        notes=("epsilon",),
    ),
]
