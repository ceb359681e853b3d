"""Swin, first and second version."""

import functools

import keras
from keras import layers
import torch
import torchvision
from torchvision.models import swin_transformer

from zoo.image_net import FULL, IMAGENET_CLASSES, SMALL, image_net
from zoo.random_weights import EPSILON, randomised
from zoo.swin_attention import WindowAttention

# Width, depths, heads and window.
SIZES = {
    "swin_t": (96, (2, 2, 6, 2), (3, 6, 12, 24), 7),
    "swin_s": (96, (2, 2, 18, 2), (3, 6, 12, 24), 7),
    "swin_b": (128, (2, 2, 18, 2), (4, 8, 16, 32), 7),
    "swin_v2_t": (96, (2, 2, 6, 2), (3, 6, 12, 24), 8),
    "swin_v2_s": (96, (2, 2, 18, 2), (3, 6, 12, 24), 8),
    "swin_v2_b": (128, (2, 2, 18, 2), (4, 8, 16, 32), 8),
}
# The real architecture, but few and narrow blocks; the first stage's windows are shifted and padded.
SLIM = (20, (2, 1), (2, 5), 7)


def norm(x, name):
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def merged(x, v2, name):
    """Each 2×2 patch becomes one: rows fastest, as torchvision has them."""
    x = layers.ZeroPadding2D(((0, x.shape[1] % 2), (0, x.shape[2] % 2)))(x)
    corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    x = layers.Concatenate()(corners)
    reduce = layers.Dense(x.shape[-1] // 2, use_bias=False, name=f"{name}_reduction")
    return norm(reduce(x), f"{name}_norm") if v2 else reduce(norm(x, f"{name}_norm"))


def mirror(sizes, v2, size=SMALL):
    width, depths, all_heads, window = sizes
    image = keras.Input((*size, 3))
    x = norm(layers.Conv2D(width, 4, strides=4, name="features_0_0")(image), "features_0_2")
    for stage, (count, heads) in enumerate(zip(depths, all_heads)):
        if stage:
            x = merged(x, v2, f"features_{2 * stage}")
        for block in range(count):
            name = f"features_{2 * stage + 1}_{block}"
            shift = window // 2 if block % 2 else 0
            attention = WindowAttention(heads, window, shift, v2, name=f"{name}_attn")
            hidden = layers.Dense(4 * x.shape[-1], activation="gelu", name=f"{name}_mlp_0")
            out = layers.Dense(x.shape[-1], name=f"{name}_mlp_3")
            if v2:
                x = layers.Add()([x, norm(attention(x), f"{name}_norm1")])
                x = layers.Add()([x, norm(out(hidden(x)), f"{name}_norm2")])
            else:
                x = layers.Add()([x, attention(norm(x, f"{name}_norm1"))])
                x = layers.Add()([x, out(hidden(norm(x, f"{name}_norm2")))])
    x = layers.GlobalAveragePooling2D()(norm(x, "norm"))
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="head")(x), name="swin")


def loose(tensors):
    """Each attention's own parameters, and its layers within; buffers are computed."""
    found = {}
    for key in [key for key in tensors if ".attn." in key]:
        module, part = key.split(".attn.")
        tensor, layer = tensors.pop(key), f"{module.replace('.', '_')}_attn"
        if part in ("relative_position_bias_table", "logit_scale"):
            found[f"{layer}/{part}"] = tensor
        elif part.endswith(".weight"):
            name = part.removesuffix(".weight").replace(".", "_")
            found[f"{layer}/{name}/kernel"] = tensor.T
        elif part.endswith(".bias"):
            name = part.removesuffix(".bias").replace(".", "_")
            found[f"{layer}/{name}/bias"] = tensor
    return found


def slim(v2, seed):
    width, depths, heads, window = SLIM
    torch.manual_seed(seed)
    parts = {}
    if v2:
        parts = {
            "block": swin_transformer.SwinTransformerBlockV2,
            "downsample_layer": swin_transformer.PatchMergingV2,
        }
    module = torchvision.models.SwinTransformer(
        [4, 4], width, list(depths), list(heads), [window, window], **parts
    )
    return randomised(module, seed)


def case(name, sizes, v2, size, **options):
    return image_net(
        name,
        57,
        functools.partial(mirror, sizes, v2, size),
        "swin_v2" if v2 else "swin",
        size,
        loose=loose,
        template=True,
        **options,
    )


CASES = [
    case("swin", SLIM, False, SMALL, module=functools.partial(slim, False)),
    case("swin_v2", SLIM, True, SMALL, module=functools.partial(slim, True)),
    *(case(name, sizes, "_v2" in name, FULL, by_name=True) for name, sizes in SIZES.items()),
]
