"""Normalisations, PReLU, and the wrapper that normalises spectra."""

import numpy as np
from keras import Input, Model, layers

from offers import accepts, has
from registry import family


@family()
def normalisations():
    vector, steps, image = (
        Input((6,), name="vector"),
        Input((9, 7), name="steps"),
        Input((5, 8, 12), name="image"),
    )
    outputs = [
        layers.BatchNormalization(name="bn")(image),
        layers.BatchNormalization(scale=False, name="bn_no_scale")(image),
        layers.BatchNormalization(center=False, axis=1, name="bn_first")(image),
        layers.BatchNormalization(center=False, scale=False, name="bn_bare")(vector),
        layers.LayerNormalization(name="ln")(steps),
        layers.LayerNormalization(axis=1, scale=False, name="ln_steps")(steps),
        layers.GroupNormalization(groups=3, name="gn")(image),
        layers.GroupNormalization(groups=-1, axis=1, scale=False, name="gn_instance")(image),
        layers.GroupNormalization(groups=2, center=False, name="gn_no_center")(image),
        layers.UnitNormalization(name="unit")(vector),
        layers.PReLU(name="prelu")(vector),
        layers.PReLU(shared_axes=[1, 2], name="prelu_shared")(image),
        layers.PReLU(shared_axes=[2], name="prelu_one")(image),
    ]
    if accepts("BatchNormalization", "renorm"):
        outputs.append(layers.BatchNormalization(renorm=True, name="bn_renorm")(image))
        outputs.append(
            layers.BatchNormalization(renorm=True, scale=False, center=False, name="bn_renorm_bare")(steps)
        )
    if accepts("LayerNormalization", "rms_scaling"):
        outputs.append(layers.LayerNormalization(rms_scaling=True, name="ln_rms")(vector))
        rms = layers.LayerNormalization(rms_scaling=True, scale=False, center=True, name="ln_rms_center")
        outputs.append(rms(steps))
    if has("RMSNormalization"):
        outputs.append(layers.RMSNormalization(name="rms")(steps))
    return Model([vector, steps, image], outputs, name="normalisation_family")


@family()
def statistics():
    """`Normalization`: adapted, and with its values given."""
    vector, steps, image = (
        Input((6,), name="vector"),
        Input((9, 7), name="steps"),
        Input((5, 8, 3), name="image"),
    )
    random = np.random.default_rng(1)
    outputs = []
    for name, axis, source in [("last", -1, image), ("steps", 1, steps), ("vector", -1, vector)]:
        layer = layers.Normalization(axis=axis, name=f"adapted_{name}")
        layer.adapt(random.normal(size=(4, *source.shape[1:])).astype("float32"))
        outputs.append(layer(source))
    outputs.append(layers.Normalization(axis=-1, name="never_adapted")(steps))
    outputs.append(layers.Normalization(axis=-1, invert=True, name="inverted")(vector))
    given = layers.Normalization(axis=-1, mean=[float(n) for n in range(7)], variance=[2.0] * 7, name="given")
    outputs.append(given(steps))
    return Model([vector, steps, image], outputs, name="statistics_family")


@family()
def several_axes():
    """Variables over two axes, over none, and in an order of their own."""
    steps, image = Input((9, 7), name="steps"), Input((5, 8, 12), name="image")
    two, every = (
        layers.Normalization(axis=(1, 3), name="adapted_two"),
        layers.Normalization(axis=None, name="adapted_all"),
    )
    random = np.random.default_rng(1)
    for layer in (two, every):
        layer.adapt(random.normal(size=(4, *image.shape[1:])).astype("float32"))
    outputs = [
        layers.LayerNormalization(axis=[1, -1], center=False, name="ln_two")(steps),
        layers.LayerNormalization(axis=(3, 1), name="ln_order")(image),
        two(image),
        every(image),
        layers.Normalization(axis=None, mean=1.5, variance=2.0, name="given_scalar")(image),
    ]
    if has("RMSNormalization"):
        outputs.append(layers.RMSNormalization(axis=[1, 2], name="rms_two")(image))
    return Model([steps, image], outputs, name="axes")


@family()
def spectral():
    vector, image, ids = (
        Input((6,), name="vector"),
        Input((5, 8, 3), name="image"),
        Input((4,), dtype="int32", name="ids"),
    )
    wrap = layers.SpectralNormalization
    outputs = [
        wrap(layers.Dense(4, name="inner_dense"), name="sn_dense")(vector),
        wrap(layers.Dense(5, use_bias=False), power_iterations=2, name="sn_no_bias")(vector),
        wrap(layers.Conv2D(4, (3, 2), name="inner_conv"), name="sn_conv")(image),
        wrap(layers.Embedding(11, 5, name="inner_embedding"), name="sn_embedding")(ids),
    ]
    return Model([vector, image, ids], outputs, name="spectral_family")
