"""SimpleConv: one convolution and ReLU, images of any size."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "xtask" / "python"))

from case import Case  # noqa: E402 (sets the Keras backend)
import keras  # noqa: E402
import torch  # noqa: E402


class SimpleConv(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 16, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x))


def module():
    torch.manual_seed(1)
    return SimpleConv()


def model():
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(16, 3, padding="same", name="conv"),
            keras.layers.ReLU(name="relu"),
        ],
        name="simple_conv",
    )


CASES = [
    Case(
        name="simple_conv",
        module=module,
        model=model,
        samples=lambda random: [(random.normal(size=(2, 3, 11, 13)),)],
        pairs={"conv": "conv"},
        schema=FOLDER / "schema.toml",
    )
]

if __name__ == "__main__":
    import fixtures

    fixtures.write(FOLDER, CASES)

