"""The Vision Transformer."""

import functools

import keras
from keras import layers, ops
import numpy as np
import torch
import torchvision

from zoo.image_net import FULL, IMAGENET_CLASSES, image_net
from zoo.random_weights import randomised

EPSILON = 1e-6  # torchvision's, in this family

# Patch, layers, heads, width, width of the MLP.
SIZES = {
    "vit_b_16": (16, 12, 12, 768, 3072),
    "vit_b_32": (32, 12, 12, 768, 3072),
    "vit_l_16": (16, 24, 16, 1024, 4096),
    "vit_l_32": (32, 24, 16, 1024, 4096),
    "vit_h_14": (14, 32, 16, 1280, 5120),
}
# The real architecture, but few and narrow layers. Torchvision's takes square images alone.
SLIM, SLIM_IMAGE = (16, 3, 5, 40, 104), (64, 64)


@keras.saving.register_keras_serializable("zoo")
class ClassToken(layers.Layer):
    """Puts a token in front of the patches."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1)

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] + 1, shape[2])


@keras.saving.register_keras_serializable("zoo")
class PositionEmbedding(layers.Layer):
    """Adds a vector to each position."""

    def build(self, shape):
        self.positions = self.add_weight(shape=(1, *shape[1:]), name="positions")

    def call(self, x):
        return x + self.positions


def norm(x, name):
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def mirror(sizes, size=FULL):
    patch, count, heads, width, hidden = sizes
    image = keras.Input((*size, 3))
    x = layers.Conv2D(width, patch, strides=patch, name="conv_proj")(image)
    x = layers.Reshape((-1, width))(x)
    x = PositionEmbedding(name="encoder_pos_embedding")(ClassToken(name="class_token")(x))
    for index in range(count):
        name = f"encoder_layers_encoder_layer_{index}_"
        y = norm(x, name + "ln_1")
        attention = layers.MultiHeadAttention(heads, width // heads, name=name + "self_attention")
        x = layers.Add()([x, attention(y, y)])
        y = norm(x, name + "ln_2")
        y = layers.Dense(hidden, activation="gelu", name=name + "mlp_0")(y)
        x = layers.Add()([x, layers.Dense(width, name=name + "mlp_3")(y)])
    x = norm(x, "encoder_ln")[:, 0]
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="heads_head")(x), name="vit")


def loose(heads, tensors):
    """The tokens, and each attention's projections: rows of three matrices, of `heads` heads each."""
    found = {
        "class_token/token": tensors.pop("class_token"),
        "encoder_pos_embedding/positions": tensors.pop("encoder.pos_embedding"),
    }
    for key in [key for key in tensors if key.endswith("in_proj_weight")]:
        module = key.removesuffix(".in_proj_weight")
        layer = module.replace(".", "_")
        weights = np.split(tensors.pop(key).numpy(), 3)
        biases = np.split(tensors.pop(f"{module}.in_proj_bias").numpy(), 3)
        for part, weight, bias in zip(("query", "key", "value"), weights, biases):
            found[f"{layer}/{part}/kernel"] = weight.T.reshape(weight.shape[1], heads, -1)
            found[f"{layer}/{part}/bias"] = bias.reshape(heads, -1)
        out = tensors.pop(f"{module}.out_proj.weight").numpy()
        found[f"{layer}/attention_output/kernel"] = out.T.reshape(heads, -1, out.shape[0])
        found[f"{layer}/attention_output/bias"] = tensors.pop(f"{module}.out_proj.bias")
    return found


def slim(seed):
    patch, count, heads, width, hidden = SLIM
    torch.manual_seed(seed)
    return randomised(
        torchvision.models.VisionTransformer(SLIM_IMAGE[0], patch, count, heads, width, hidden), seed
    )


def case(name, sizes, size, **options):
    return image_net(
        name,
        55,
        functools.partial(mirror, sizes, size),
        "vision_transformer",
        size,
        loose=functools.partial(loose, sizes[2]),
        template=True,
        **options,
    )


CASES = [
    case("vision_transformer", SLIM, SLIM_IMAGE, module=slim),
    *(case(name, sizes, FULL, by_name=True) for name, sizes in SIZES.items()),
]
