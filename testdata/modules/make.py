"""Whole modules, pickled by torch.save, and what their own state_dict() returns."""

import hashlib
import json
import pathlib
import warnings

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent


def numbers(*shape):
    return (torch.arange(torch.Size(shape).numel()) * 7 % 251).float().reshape(shape)


class Net(nn.Module):
    """Everything that a module keeps tensors in, and an attribute that its state_dict leaves out."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(numbers(2))
        self.conv = nn.Conv2d(3, 5, 2)
        self.norm = nn.BatchNorm2d(5)
        self.register_buffer("mask", numbers(4))
        self.register_buffer("positions", numbers(3), persistent=False)
        self.register_buffer("no_buffer", None)
        self.register_parameter("no_parameter", None)
        self.no_module = None
        self.head = nn.Sequential(nn.Linear(5, 7, bias=False), nn.ReLU())
        self.parts = nn.ParameterList([numbers(2, 3), numbers(3)])
        self.named = nn.ParameterDict({"query": numbers(1, 4)})
        self.attribute = numbers(9)
        self.again = self.head


class Traced(nn.Module):
    """For torch.fx, which pickles a module as a call."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 5)

    def forward(self, x):
        return self.second(self.first(x))


def fill(module):
    with torch.no_grad():
        for value in list(module.parameters()) + list(module.buffers()):
            value.copy_(numbers(*value.shape))
    return module


def digest(value):
    return hashlib.sha256(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()


def main():
    warnings.simplefilter("ignore")
    net = fill(Net())
    normed = nn.Sequential(nn.utils.weight_norm(nn.Conv1d(2, 3, 5)), nn.utils.spectral_norm(nn.Linear(3, 4)))
    cases = {
        "whole": (net, net, ""),
        "in_script": ({"epoch": 3, "runs": [{"model": net}]}, net, "runs.0.model"),
        "parallel": (nn.DataParallel(net), net, ""),
        "traced": (fill(torch.fx.symbolic_trace(Traced())), None, ""),
        "normed": (fill(normed), None, ""),
    }
    expected = {}
    for name, (saved, module, path) in cases.items():
        torch.save(saved, FOLDER / f"{name}.pt")
        state_dict = (module or saved).state_dict()
        expected[name] = {"path": path, "tensors": [[key, digest(value)] for key, value in state_dict.items()]}
    lines = [f'"{name}": {json.dumps(case)}' for name, case in expected.items()]
    (FOLDER / "expected.json").write_text("{\n " + ",\n ".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
