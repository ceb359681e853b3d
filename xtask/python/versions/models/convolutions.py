"""Convolutions of every rank, with every switch."""

from keras import Input, Model, layers

from offers import has
from registry import family


@family()
def convolutions():
    line, image, volume = (
        Input((13, 6), name="line"),
        Input((11, 9, 6), name="image"),
        Input((7, 6, 8, 4), name="volume"),
    )
    first_line, first_image = Input((6, 13), name="first_line"), Input((6, 11, 9), name="first_image")
    first_volume = Input((4, 7, 6, 8), name="first_volume")
    first = {"data_format": "channels_first"}
    outputs = [
        layers.Conv1D(4, 3, name="c1")(line),
        layers.Conv1D(8, 3, groups=2, use_bias=False, padding="causal", name="c1_groups")(line),
        layers.Conv1D(5, 2, dilation_rate=3, padding="same", name="c1_dilated")(line),
        layers.Conv2D(4, (3, 2), name="c2")(image),
        layers.Conv2D(9, (2, 3), groups=3, strides=2, name="c2_groups")(image),
        layers.Conv2D(5, (3, 2), dilation_rate=(2, 1), use_bias=False, name="c2_dilated")(image),
        layers.Conv3D(5, (3, 2, 1), name="c3")(volume),
        layers.Conv3D(6, (1, 2, 3), groups=2, use_bias=False, name="c3_groups")(volume),
        layers.Conv1DTranspose(4, 3, name="t1")(line),
        layers.Conv1DTranspose(5, 2, strides=2, padding="same", use_bias=False, name="t1_strided")(line),
        layers.Conv2DTranspose(5, (3, 2), name="t2")(image),
        layers.Conv2DTranspose(7, (2, 3), strides=(2, 3), padding="same", use_bias=False, name="t2_strided")(
            image
        ),
        layers.Conv3DTranspose(3, (3, 2, 1), name="t3")(volume),
        layers.Conv3DTranspose(5, 2, strides=2, use_bias=False, name="t3_strided")(volume),
        layers.DepthwiseConv1D(3, depth_multiplier=2, name="d1")(line),
        layers.DepthwiseConv1D(2, use_bias=False, name="d1_no_bias")(line),
        layers.DepthwiseConv2D((3, 2), depth_multiplier=2, name="d2")(image),
        layers.DepthwiseConv2D((2, 3), strides=2, use_bias=False, name="d2_no_bias")(image),
        layers.SeparableConv1D(5, 3, depth_multiplier=2, name="s1")(line),
        layers.SeparableConv1D(4, 2, use_bias=False, name="s1_no_bias")(line),
        layers.SeparableConv2D(5, (3, 2), depth_multiplier=3, name="s2")(image),
        layers.SeparableConv2D(4, (2, 3), use_bias=False, name="s2_no_bias")(image),
    ]
    firsts = [
        layers.Conv1D(4, 3, name="first_c1", **first)(first_line),
        layers.Conv2D(4, (3, 2), groups=2, name="first_c2", **first)(first_image),
        layers.Conv3D(5, (3, 2, 1), name="first_c3", **first)(first_volume),
        layers.Conv2DTranspose(5, (3, 2), strides=2, name="first_t2", **first)(first_image),
        layers.Conv3DTranspose(3, (3, 2, 1), name="first_t3", **first)(first_volume),
        layers.DepthwiseConv2D((3, 2), depth_multiplier=2, name="first_d2", **first)(first_image),
        layers.SeparableConv2D(5, (3, 2), name="first_s2", **first)(first_image),
    ]
    if has("LocallyConnected1D"):
        firsts += locally_connected(line, image)
    inputs = [line, image, volume, first_line, first_image, first_volume]
    return Model(inputs, outputs + firsts, name="convolution_family")


def locally_connected(line, image):
    """Kernels that are not shared between places, in each of the ways in which they are stored."""
    outputs = []
    for way in (1, 2, 3):
        options = {"implementation": way, "padding": "same" if way == 2 else "valid"}
        outputs += [
            layers.LocallyConnected1D(2, 3, strides=2 if way == 1 else 1, name=f"l1_{way}", **options)(line),
            layers.LocallyConnected2D(3, (3, 2), use_bias=way == 2, name=f"l2_{way}", **options)(image),
        ]
    return outputs
