"""An MNIST-style classifier whose feature map is 5×7 where it is flattened."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "xtask" / "python"))

from case import Case  # noqa: E402 (sets the Keras backend)
import keras  # noqa: E402
import torch  # noqa: E402


class Classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(6, 11, (3, 5), padding=(1, 2))
        self.pool = torch.nn.MaxPool2d(2)
        self.fc1 = torch.nn.Linear(11 * 5 * 7, 23)
        self.fc2 = torch.nn.Linear(23, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = self.pool(torch.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        return self.fc2(torch.relu(self.fc1(x)))


def module():
    torch.manual_seed(4)
    return Classifier()


def model():
    return keras.Sequential(
        [
            keras.Input((10, 14, 1)),
            keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv1"),
            keras.layers.Conv2D(11, (3, 5), padding="same", activation="relu", name="conv2"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(23, activation="relu", name="fc1"),
            keras.layers.Dense(10, name="fc2"),
        ],
        name="classifier",
    )


CASES = [
    Case(
        name="mnist",
        module=module,
        model=model,
        samples=lambda random: [(random.normal(size=(3, 1, 10, 14)),)],
        pairs={name: name for name in ("conv1", "conv2", "fc1", "fc2")},
        feature_maps={"fc1": (11, 5, 7)},
        schema=FOLDER / "schema.toml",
    )
]

if __name__ == "__main__":
    import fixtures

    fixtures.write(FOLDER, CASES)

