"""Layers of a Keras mirror, padded as PyTorch pads: the same amount on both sides."""

from keras import layers

from zoo.random_weights import EPSILON


def batch_norm(x, name, epsilon=EPSILON):
    return layers.BatchNormalization(epsilon=epsilon, name=name)(x)


def pad(x, kernel):
    """Half of the kernel on each side."""
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    return layers.ZeroPadding2D((height // 2, width // 2))(x) if max(height, width) > 1 else x


def conv(x, filters, kernel, stride, name, use_bias=False, groups=1):
    return layers.Conv2D(
        filters, kernel, strides=stride, groups=groups, use_bias=use_bias, name=name
    )(pad(x, kernel))


def depthwise(x, kernel, stride, name, use_bias=False):
    return layers.DepthwiseConv2D(kernel, strides=stride, use_bias=use_bias, name=name)(pad(x, kernel))


def conv_norm(x, filters, kernel, stride, name, activation="relu", epsilon=EPSILON, groups=1):
    """torchvision's Conv2dNormActivation: `{name}_0`, which is depthwise in as many groups as filters, `{name}_1`."""
    if groups == filters > 1:
        x = depthwise(x, kernel, stride, f"{name}_0")
    else:
        x = conv(x, filters, kernel, stride, f"{name}_0", groups=groups)
    x = batch_norm(x, f"{name}_1", epsilon)
    return layers.Activation(activation)(x) if activation else x


def squeeze_excitation(x, squeezed, name, activation="relu", gate="sigmoid"):
    """torchvision's SqueezeExcitation: the 1×1 convolutions `{name}_fc1` and `{name}_fc2`."""
    scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
    scale = layers.Conv2D(squeezed, 1, activation=activation, name=f"{name}_fc1")(scale)
    scale = layers.Conv2D(x.shape[-1], 1, activation=gate, name=f"{name}_fc2")(scale)
    return layers.Multiply()([x, scale])


def max_pool(x, kernel, stride, padding=0, ceil=False):
    """Max pooling of values that are not negative, where a zero is as good as PyTorch's minus infinity."""
    if padding:
        x = layers.ZeroPadding2D(padding)(x)
    if ceil:
        # PyTorch's ceil_mode: the last window may reach over the edge.
        over = [-(size - kernel) % stride for size in x.shape[1:3]]
        if any(over):
            x = layers.ZeroPadding2D(tuple((0, more) for more in over))(x)
    return layers.MaxPooling2D(kernel, strides=stride)(x)
