"""Trains a small network on pictures that it makes up, and saves what the rest of the pipeline needs.

    python train.py --seed 1 --run run

writes `run/checkpoint.pt`, and `run/held_out.npz`: pictures that the network never saw, with their classes
and what the trained network says of them.
"""

import argparse
import pathlib

import numpy
import torch
from torch import nn

CHANNELS, HEIGHT, WIDTH, CLASSES = 2, 12, 10, 5
TRAINING, HELD_OUT = 1600, 400


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, 6, 3, padding="same")
        self.norm1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 7, (3, 5), padding="same")
        self.hidden = nn.Linear(7 * (HEIGHT // 2) * (WIDTH // 2), 23)
        self.logits = nn.Linear(23, CLASSES)

    def forward(self, x):
        x = torch.relu(self.norm1(self.conv1(x)))
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.logits(torch.relu(self.hidden(x.flatten(1))))


def pictures(generator):
    """Noise with the pattern of a class in it, faint enough that not every one can be told."""
    patterns = torch.randn(CLASSES, CHANNELS, HEIGHT, WIDTH, generator=generator)
    classes = torch.randint(CLASSES, (TRAINING + HELD_OUT,), generator=generator)
    noise = torch.randn(len(classes), CHANNELS, HEIGHT, WIDTH, generator=generator)
    return noise + 0.3 * patterns[classes], classes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", type=pathlib.Path, default=pathlib.Path("run"))
    options = parser.parse_args()
    options.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)

    x, y = pictures(torch.Generator().manual_seed(options.seed))
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-3)
    for _ in range(4):
        for at in torch.randperm(TRAINING).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[at]), y[at]).backward()
            optimizer.step()

    network.eval()
    with torch.no_grad():
        logits = network(x[TRAINING:])
    accuracy = (logits.argmax(1) == y[TRAINING:]).float().mean().item()
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state, "optimizer": optimizer.state_dict()}, options.run / "checkpoint.pt")
    numpy.savez(
        options.run / "held_out.npz", x=x[TRAINING:].numpy(), y=y[TRAINING:].numpy(), logits=logits.numpy()
    )
    print(f"trained: {accuracy:.2%} of {HELD_OUT} held-out pictures are told")


if __name__ == "__main__":
    main()
