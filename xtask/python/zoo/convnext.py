"""ConvNeXt: with keras.applications, and a mirror."""

import functools
import inspect

import keras
from keras import layers
import torch
import torchvision

from zoo.image_net import IMAGENET_CLASSES, SMALL, image_net
from zoo.random_weights import build, randomised

EPSILON = 1e-6  # torchvision's, in this family

SIZES = {
    "convnext_tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnext_small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "convnext_base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "convnext_large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
}
# The real architecture, but few and narrow blocks.
SLIM = ((2, 1, 2, 1), (12, 20, 28, 44))


@keras.saving.register_keras_serializable("zoo")
class LayerScale(layers.Layer):
    """As a user would write it."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), name="gamma")

    def call(self, x):
        return x * self.gamma


def norm(x, name):
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def mirror(sizes, size=SMALL):
    depths, widths = sizes
    image = keras.Input((*size, 3))
    x = norm(layers.Conv2D(widths[0], 4, strides=4, name="features_0_0")(image), "features_0_1")
    for stage, (count, width) in enumerate(zip(depths, widths)):
        if stage:
            x = norm(x, f"features_{2 * stage}_0")
            x = layers.Conv2D(width, 2, strides=2, name=f"features_{2 * stage}_1")(x)
        for block in range(count):
            name, shortcut = f"features_{2 * stage + 1}_{block}", x
            x = layers.DepthwiseConv2D(7, padding="same", name=f"{name}_block_0")(x)
            x = norm(x, f"{name}_block_2")
            x = layers.Dense(4 * width, activation="gelu", name=f"{name}_block_3")(x)
            x = layers.Dense(width, name=f"{name}_block_5")(x)
            x = layers.Add()([shortcut, LayerScale(name=f"{name}_layer_scale")(x)])
    x = norm(layers.GlobalAveragePooling2D()(x), "classifier_0")
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier_2")(x), name="convnext")


def mirror_scales(tensors):
    keys = [key for key in tensors if key.endswith(".layer_scale")]
    return {f"{key.replace('.', '_')}/gamma": tensors.pop(key).flatten() for key in keys}


def application_pairs(state_dict):
    """keras.applications counts stages and blocks, and names what is in them."""
    pairs = {
        "features.0.0": "convnext_stem/convnext_stem_conv",
        "features.0.1": "convnext_stem/convnext_stem_layernorm",
        "classifier.0": "convnext_head_layernorm",
        "classifier.2": "convnext_head_dense",
    }
    for down in range(3):
        path = f"convnext_downsampling_block_{down}/convnext_downsampling"
        pairs[f"features.{2 * down + 2}.0"] = f"{path}_layernorm_{down}"
        pairs[f"features.{2 * down + 2}.1"] = f"{path}_conv_{down}"
    parts = {"0": "depthwise_conv", "2": "layernorm", "3": "pointwise_conv_1", "5": "pointwise_conv_2"}
    for key in state_dict:
        if ".block." in key and key.endswith(".weight"):
            _, stage, block, _, part, _ = key.split(".")
            layer = f"convnext_stage_{int(stage) // 2}_block_{block}_{parts[part]}"
            pairs[f"features.{stage}.{block}.block.{part}"] = layer
    return pairs


def application_scales(tensors):
    keys = [key for key in tensors if key.endswith(".layer_scale")]
    found = {}
    for key in keys:
        _, stage, block, _ = key.split(".")
        layer = f"convnext_stage_{int(stage) // 2}_block_{block}_layer_scale"
        found[f"{layer}/gamma"] = tensors.pop(key).flatten()
    return found


def slim_module(seed):
    config = torchvision.models.convnext.CNBlockConfig
    depths, widths = SLIM
    blocks = [config(width, out, count) for count, width, out in zip(depths, widths, (*widths[1:], None))]
    torch.manual_seed(seed)
    return randomised(torchvision.models.ConvNeXt(blocks), seed)


def application(name, build_model, module, size, **options):
    return image_net(
        name,
        53,
        build_model,
        "keras_convnext",
        size,
        module=module,
        pairs=application_pairs,
        loose=application_scales,
        **options,
    )


def application_model(make, *sizes):
    """The model as the schema needs it; older Kerases call the model's name otherwise."""
    parameters = inspect.signature(make).parameters
    return make(
        *sizes,
        weights=None,
        input_shape=(*SMALL, 3),
        include_preprocessing=False,
        classifier_activation=None,
        **{"name" if "name" in parameters else "model_name": "convnext"},
    )


def by_name(name):
    make = getattr(keras.applications, "ConvNeXt" + name.removeprefix("convnext_").title())
    return application(
        "keras_" + name,
        functools.partial(application_model, make),
        functools.partial(build, name),
        SMALL,
        by_name=True,
    )


CASES = [
    image_net(
        "convnext", 52, functools.partial(mirror, SLIM), "convnext", module=slim_module, loose=mirror_scales,
        template=True,
    ),
    *(
        image_net(
            name, 52, functools.partial(mirror, SIZES[name]), "convnext", loose=mirror_scales, template=True,
            by_name=True,
        )
        for name in SIZES
    ),
    application(
        "keras_convnext",
        lambda: application_model(keras.src.applications.convnext.ConvNeXt, *SLIM),
        slim_module,
        SMALL,
    ),
    *map(by_name, SIZES),
]  # fmt: skip
