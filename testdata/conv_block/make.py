"""ConvBlock: convolution, batch normalization with trained statistics, ReLU, max pooling."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "xtask" / "python"))

from case import Case  # noqa: E402 (sets the Keras backend)
import keras  # noqa: E402
import torch  # noqa: E402


class ConvBlock(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 10, (3, 5), padding=(1, 2))
        self.bn = torch.nn.BatchNorm2d(10)
        self.pool = torch.nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(torch.relu(self.bn(self.conv(x))))


def module():
    """A block that has seen a few batches, so that its running statistics are its own."""
    torch.manual_seed(2)
    block = ConvBlock()
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (block(torch.randn(4, 3, 8, 12) * 2 + 1) - 0.5).square().mean().backward()
        optimizer.step()
    return block.eval()


def model():
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(10, (3, 5), padding="same", name="conv"),
            keras.layers.BatchNormalization(epsilon=1e-5, name="bn"),
            keras.layers.ReLU(name="relu"),
            keras.layers.MaxPooling2D(2, name="pool"),
        ],
        name="conv_block",
    )


CASES = [
    Case(
        name="conv_block",
        module=module,
        model=model,
        samples=lambda random: [(random.normal(size=(2, 3, 10, 14)),)],
        pairs={"conv": "conv", "bn": "bn"},
        schema=FOLDER / "schema.toml",
    )
]

if __name__ == "__main__":
    import fixtures

    fixtures.write(FOLDER, CASES)

