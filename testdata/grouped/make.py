"""Convolutions with groups, and what torch computes with them: the kernels of convolutions without groups.

No kernel is put together from a weight here: torch shows it by what it makes of single ones.
"""

import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import weight_norm  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(6, 9, 4, groups=3)
        self.conv2 = nn.Conv2d(4, 6, (3, 5), groups=2, bias=False)
        self.conv3 = nn.Conv3d(4, 10, (2, 3, 1), groups=2)
        self.up1 = nn.ConvTranspose1d(6, 9, 4, stride=2, groups=3)
        self.up2 = nn.ConvTranspose2d(4, 6, (3, 5), stride=2, groups=2)
        self.up3 = nn.ConvTranspose3d(4, 10, (2, 3, 1), groups=2, bias=False)
        self.normed = weight_norm(nn.ConvTranspose1d(6, 4, 5, groups=2))


def dense(part):
    """The axes of the module's weight, but for all channels."""
    space = part.kernel_size
    rank = len(space)
    if isinstance(part, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        # A single one in one of the input's channels makes that row of the kernel.
        ones = torch.eye(part.in_channels).reshape(part.in_channels, part.in_channels, *[1] * rank)
        run = getattr(nn.functional, f"conv_transpose{rank}d")
        return run(ones, part.weight, groups=part.groups)
    # What an output depends on, and how much.
    run = getattr(nn.functional, f"conv{rank}d")

    def outputs(x):
        return run(x[None], part.weight, groups=part.groups).flatten()

    return torch.autograd.functional.jacobian(outputs, torch.zeros(part.in_channels, *space))


def main():
    torch.manual_seed(6)
    net = Net()
    nn.init.uniform_(net.normed.weight_g, 0.5, 1.5)
    torch.save(net.state_dict(), FOLDER / "weights.pt")
    net.normed(torch.ones(1, 6, 5))

    layers = keras.layers
    pairs = [
        (layers.Conv1D(9, 4, name="conv1"), (7, 6)),
        (layers.Conv2D(6, (3, 5), use_bias=False, name="conv2"), (7, 8, 4)),
        (layers.Conv3D(10, (2, 3, 1), name="conv3"), (4, 5, 3, 4)),
        (layers.Conv1DTranspose(9, 4, strides=2, name="up1"), (7, 6)),
        (layers.Conv2DTranspose(6, (3, 5), strides=2, name="up2"), (7, 8, 4)),
        (layers.Conv3DTranspose(10, (2, 3, 1), use_bias=False, name="up3"), (4, 5, 3, 4)),
        (layers.Conv1DTranspose(4, 5, name="normed"), (7, 6)),
    ]
    inputs = [keras.Input(shape) for _, shape in pairs]
    model = keras.Model(inputs, [layer(x) for (layer, _), x in zip(pairs, inputs)])
    (FOLDER / "arch.json").write_text(model.to_json())

    expected = {}
    for layer, _ in pairs:
        part = getattr(net, layer.name)
        with torch.no_grad():
            kernel = dense(part).numpy()
        # (out, in, …) becomes (…, in, out), and (in, out, …) of the transposed ones (…, out, in), by one permutation.
        values = {"kernel": kernel.transpose(*range(2, kernel.ndim), 1, 0)}
        if part.bias is not None:
            values["bias"] = part.bias.detach().numpy()
        for variable in layer.weights:
            value = values[variable.name]
            assert value.shape == tuple(variable.shape), (layer.name, value.shape, variable.shape)
            expected[f"{layer.name}/{variable.name}"] = torch.from_numpy(numpy.ascontiguousarray(value))
    torch.save(expected, FOLDER / "expected.pt")


if __name__ == "__main__":
    main()
