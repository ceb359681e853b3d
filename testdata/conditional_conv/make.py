"""ConditionalConv: two convolutions, one of which is used, as a condition says.

The Keras side twice: a functional model whose second input selects the branch, and a subclassed model
(its `call` branches), which has no JSON and goes through a template.
"""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "xtask" / "python"))

from case import Case  # noqa: E402 (sets the Keras backend)
import keras  # noqa: E402
import torch  # noqa: E402


class ConditionalConv(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.small = torch.nn.Conv2d(3, 7, 3, padding=1)
        self.large = torch.nn.Conv2d(3, 7, 5, padding=2)

    def forward(self, x, use_large):
        return self.large(x) if use_large else self.small(x)


def module():
    torch.manual_seed(3)
    return ConditionalConv()


def functional():
    image = keras.Input((None, None, 3), name="image")
    use_large = keras.Input((1, 1, 1), dtype="bool", name="use_large")
    small = keras.layers.Conv2D(7, 3, padding="same", name="small")(image)
    large = keras.layers.Conv2D(7, 5, padding="same", name="large")(image)
    output = keras.ops.where(use_large, large, small)
    return keras.Model([image, use_large], output, name="conditional_conv")


class ConditionalConvModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.small = keras.layers.Conv2D(7, 3, padding="same")
        self.large = keras.layers.Conv2D(7, 5, padding="same")

    def call(self, inputs):
        image, use_large = inputs
        return keras.ops.where(use_large, self.large(image), self.small(image))


def subclassed():
    model = ConditionalConvModel()
    model([keras.ops.zeros((1, 6, 6, 3)), keras.ops.zeros((1, 1, 1, 1), dtype="bool")])
    return model


def samples(random):
    image = random.normal(size=(2, 3, 9, 12))
    return [(image, False), (image, True)]


def to_keras(value):
    import numpy

    if isinstance(value, bool):
        return numpy.full((2, 1, 1, 1), value)
    return value.transpose(0, 2, 3, 1)


FUNCTIONAL = Case(
    name="conditional_conv",
    module=module,
    model=functional,
    samples=samples,
    to_keras=to_keras,
    pairs={"small": "small", "large": "large"},
    schema=FOLDER / "schema.toml",
)
SUBCLASSED = Case(
    name="conditional_conv_subclassed",
    module=module,
    model=subclassed,
    samples=samples,
    to_keras=to_keras,
    pairs={"small": "small", "large": "large"},
    schema=FOLDER / "subclassed.toml",
    template=True,
)
CASES = [FUNCTIONAL, SUBCLASSED]

if __name__ == "__main__":
    import fixtures

    fixtures.write(FOLDER, CASES)

