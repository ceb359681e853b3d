"""Whatever changes a shape, with something behind it whose variables tell which shape came."""

from keras import Input, Model, layers

from offers import has, since
from registry import family


def dense(x, units):
    """Every size of `x` is in its kernel."""
    return layers.Dense(units)(layers.Flatten()(x))


@family()
def pools():
    line, image, volume = (
        Input((13, 6), name="line"),
        Input((11, 9, 5), name="image"),
        Input((7, 6, 8, 4), name="volume"),
    )
    first_image = Input((5, 11, 9), name="first_image")
    sources, outputs = {1: line, 2: image, 3: volume}, []
    for rank, source in sources.items():
        for kind in ("Max", "Average"):
            pool = getattr(layers, f"{kind}Pooling{rank}D")
            outputs += [
                dense(pool(2)(source), 2),
                dense(pool(3, strides=2, padding="same")(source), 3),
                dense(pool(2, strides=1)(source), 4),
                dense(pool(3, padding="same")(source), 5),
            ]
            globally = getattr(layers, f"Global{kind}Pooling{rank}D")
            outputs += [dense(globally()(source), 6), dense(globally(keepdims=True)(source), 7)]
    first = {"data_format": "channels_first"}
    outputs += [
        dense(layers.MaxPooling2D((3, 2), **first)(first_image), 2),
        dense(layers.AveragePooling2D(2, strides=(1, 3), **first)(first_image), 3),
        dense(layers.GlobalMaxPooling2D(**first)(first_image), 4),
        dense(layers.GlobalAveragePooling2D(keepdims=True, **first)(first_image), 5),
    ]
    for name, rank in (("AdaptiveMaxPooling", 2), ("AdaptiveAveragePooling", 2)):
        if has(f"{name}{rank}D"):
            outputs.append(dense(getattr(layers, f"{name}{rank}D")((3, 4))(image), 8))
            outputs.append(dense(getattr(layers, f"{name}1D")(5)(line), 9))
            outputs.append(dense(getattr(layers, f"{name}3D")((2, 3, 4))(volume), 10))
    return Model([line, image, volume, first_image], outputs, name="pooling")


@family()
def reshapes():
    vector, line, image, volume = (
        Input((12,), name="vector"),
        Input((13, 6), name="line"),
        Input((11, 9, 5), name="image"),
        Input((7, 6, 8, 2), name="volume"),
    )
    first_image = Input((5, 11, 9), name="first_image")
    first = {"data_format": "channels_first"}
    outputs = [
        dense(layers.ZeroPadding1D((1, 2))(line), 2),
        dense(layers.ZeroPadding2D(((1, 2), (3, 4)))(image), 3),
        dense(layers.ZeroPadding2D((2, 1))(image), 4),
        dense(layers.ZeroPadding3D((1, 2, 3))(volume), 2),
        dense(layers.Cropping1D((2, 1))(line), 5),
        dense(layers.Cropping2D(((1, 2), (3, 1)))(image), 6),
        dense(layers.Cropping3D((1, 2, 1))(volume), 3),
        dense(layers.UpSampling1D(3)(line), 2),
        dense(layers.UpSampling2D((2, 3), interpolation="bilinear")(image), 2),
        dense(layers.UpSampling3D((1, 2, 1))(volume), 2),
        dense(layers.ZeroPadding2D(2, **first)(first_image), 3),
        dense(layers.Cropping2D(((1, 0), (2, 2)), **first)(first_image), 4),
        dense(layers.UpSampling2D(2, **first)(first_image), 2),
        layers.Conv1D(3, 2)(layers.Reshape((4, 3))(vector)),
        layers.Conv1D(4, 2)(layers.Reshape((-1, 6))(vector)),
        layers.Dense(5)(layers.Permute((2, 1))(line)),
        layers.Conv2D(2, 1)(layers.Permute((3, 1, 2))(image)),
        layers.LSTM(3)(layers.RepeatVector(4)(vector)),
        layers.PReLU()(layers.Reshape((2, 3, 2))(vector)),
        dense(layers.Flatten(**first)(first_image), 7),
        layers.Dense(3)(layers.Reshape((6, 2))(vector)),
        layers.LayerNormalization(axis=[1, 2, 3])(layers.ZeroPadding2D(1)(image)),
    ]
    return Model([vector, line, image, volume, first_image], outputs, name="reshaping")


@family()
def convolution_shapes():
    """Output sizes of convolutions: padding, strides, dilation, transposition."""
    line, image, volume = (
        Input((13, 6), name="line"),
        Input((11, 10, 5), name="image"),
        Input((7, 6, 8, 2), name="volume"),
    )
    outputs = [
        dense(layers.Conv1D(2, 3, strides=2)(line), 2),
        dense(layers.Conv1D(2, 3, strides=2, padding="same")(line), 3),
        dense(layers.Conv1D(2, 3, padding="causal", dilation_rate=2)(line), 4),
        dense(layers.Conv2D(3, (3, 2), strides=(2, 3))(image), 5),
        dense(layers.Conv2D(3, 3, dilation_rate=(2, 3))(image), 2),
        dense(layers.Conv3D(2, 2, strides=2, padding="same")(volume), 3),
        dense(layers.Conv1DTranspose(2, 3, strides=2)(line), 2),
        dense(layers.Conv1DTranspose(2, 3, strides=2, padding="same")(line), 3),
        dense(layers.Conv2DTranspose(2, (3, 4), strides=(2, 3), output_padding=(1, 2))(image), 2),
        dense(layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1)(image), 3),
        dense(layers.Conv2DTranspose(2, 1, strides=3)(image), 2),
        dense(layers.Conv3DTranspose(2, 2, strides=(1, 2, 3))(volume), 2),
        dense(layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2)(image), 2),
        dense(layers.SeparableConv2D(3, 3, strides=2, padding="same")(image), 3),
        dense(layers.DepthwiseConv1D(3, strides=2)(line), 2),
        dense(layers.SeparableConv1D(3, 3, padding="same")(line), 3),
    ]
    return Model([line, image, volume], outputs, name="convolution_sizes")


@family()
def merges():
    a, b, c = Input((5, 4), name="a"), Input((5, 6), name="b"), Input((3, 4), name="c")
    one, wide = Input((1, 4), name="one"), Input((2, 5, 4), name="wide")
    outputs = [
        dense(layers.Concatenate()([a, b]), 2),
        dense(layers.Concatenate(axis=1)([a, c, one]), 3),
        dense(layers.Add()([a, one]), 4),
        dense(layers.Multiply()([one, a]), 5),
        dense(layers.Average()([a, wide]), 2),
        dense(layers.Subtract()([a, one]), 3),
        dense(layers.Dot(axes=(2, 2))([a, c]), 2),
        dense(layers.Dot(axes=1)([a, b]), 3),
        dense(layers.Maximum()([one, a]), 4),
        dense(layers.Minimum()([a, one]), 6),
    ]
    return Model([a, b, c, one, wide], outputs, name="merging")


@family()
def recurrent_shapes():
    steps = Input((9, 7), name="steps")
    sequences, state, carry = layers.LSTM(5, return_sequences=True, return_state=True)(steps)
    both = (
        layers.Bidirectional(layers.GRU(3, return_state=True))(steps) if since(3, 3) or not since(3) else []
    )
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode="mul")(steps)
    outputs = [
        dense(sequences, 2),
        dense(state, 3),
        dense(carry, 4),
        *(dense(y, 5) for y in both),
        dense(x, 2),
        dense(layers.TimeDistributed(layers.Dense(6))(steps), 3),
        dense(layers.RNN(layers.GRUCell(8))(steps), 2),
        dense(layers.MultiHeadAttention(2, 3, output_shape=(5,))(steps, steps), 2),
    ]
    return Model(steps, outputs, name="recurrent_sizes")


@family()
def images():
    """Layers of preprocessing that change sizes."""
    image, numbers = Input((11, 9, 3), name="image"), Input((4,), name="numbers")
    outputs = [
        dense(layers.Resizing(5, 7)(image), 2),
        dense(layers.CenterCrop(6, 4)(image), 3),
        dense(layers.Rescaling(2.0)(image), 4),
        dense(layers.Resizing(4, 6, crop_to_aspect_ratio=True)(image), 2),
        layers.Embedding(6, 3, name="bins")(layers.Discretization(bin_boundaries=[0.0, 0.5, 1.0])(numbers)),
    ]
    return Model([image, numbers], outputs, name="image_sizes")


@family()
def random_images():
    """Random layers: what they hold are seeds, which no file has."""
    x = image = Input((11, 9, 3), name="image")
    arguments = {"RandomFlip": (), "RandomTranslation": (0.1, 0.1)}
    for name in (
        "RandomFlip",
        "RandomRotation",
        "RandomZoom",
        "RandomTranslation",
        "RandomContrast",
        "RandomBrightness",
    ):
        x = getattr(layers, name)(*arguments.get(name, (0.1,)))(x)
    return Model(image, [dense(x, 4), dense(layers.RandomCrop(5, 6)(image), 5)], name="random_family")
