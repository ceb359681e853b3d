"""keras.applications as torchvision computes: what weights cannot carry, changed in the built model."""

import keras
from keras import layers

from zoo.random_weights import EPSILON


def set_epsilon(model, epsilon=EPSILON):
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.epsilon = epsilon


def as_in_torchvision(model, epsilon=EPSILON):
    """Logits instead of probabilities, and PyTorch's epsilon in every normalization."""
    set_epsilon(model, epsilon)
    model.get_layer("predictions").activation = keras.activations.linear
    return model


def pads_both_sides(layer):
    """A layer like `layer` that pads as PyTorch does: the same amount on both sides."""
    config = layer.get_config()
    if isinstance(layer, layers.ZeroPadding2D):
        most = max(max(sides) for sides in layer.padding)
        return layers.ZeroPadding2D(most, name=layer.name)
    convolves = isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D))
    if convolves and layer.padding == "same" and max(layer.strides) > 1:
        convolution = type(layer).from_config(config | {"padding": "valid"})
        padding = [kernel // 2 for kernel in layer.kernel_size]
        return keras.Sequential([layers.ZeroPadding2D(padding), convolution], name=layer.name)
    return type(layer).from_config(config)


def with_padding_of_torchvision(model, epsilon=EPSILON):
    """As `as_in_torchvision`, and every convolution with a stride pads both sides alike."""
    changed = keras.models.clone_model(model, clone_function=pads_both_sides)
    changed.set_weights(model.get_weights())
    return as_in_torchvision(changed, epsilon)
