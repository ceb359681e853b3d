"""Programs with weights in them: TorchScript and torch.export."""

import torch
from case import Reads, Refuses, case, roles_of
from torch import nn


class Convolutions(nn.Module):
    """Parameters, buffers of both kinds, an attribute and submodules."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 5)
        self.norm = nn.BatchNorm1d(4)
        self.layers = nn.ModuleList([nn.Linear(7, 6), nn.Linear(6, 2, bias=False)])
        self.register_buffer("positions", torch.ones(2), persistent=False)
        self.register_buffer("steps", torch.ones(3, dtype=torch.float64))

    def forward(self, x):
        x = self.norm(self.conv(x)) + 0.5
        for layer in self.layers:
            x = layer(x)
        return x + self.positions + self.steps.sum()


def module(make):
    return make.model(Convolutions()).eval()


def program_reads(path, net):
    """Programs keep an order of their own, and do not always tell which buffers are persistent."""
    held = dict(net.state_dict())
    beside = {key: value for key, value in net.named_buffers() if key not in held}
    roles = {key: role for key, role in roles_of(net).items() if key in held}
    return Reads(path, held, beside=beside, ordered=False, roles=roles, constants=True)


@case("torchscript")
def scripted(make):
    net, path = module(make), make.folder / "scripted.pt"
    torch.jit.save(torch.jit.script(net), str(path), _extra_files={"notes.txt": "ü"})
    return program_reads(path, net)


@case("torchscript")
def traced(make):
    net, path = module(make), make.folder / "traced.pt"
    torch.jit.save(torch.jit.trace(net, make.normal(2, 3, 11)), str(path))
    return program_reads(path, net)


@case("torchscript")
def scripted_half(make):
    net, path = module(make).half(), make.folder / "half.pt"
    torch.jit.save(torch.jit.script(net), str(path))
    return program_reads(path, net)


@case("torchscript")
def frozen(make):
    """Freezing leaves constants without names."""
    path = make.folder / "frozen.pt"
    torch.jit.save(torch.jit.freeze(torch.jit.script(module(make))), str(path))
    return Refuses(path)


@case("torchscript")
def scripted_quantized(make):
    """Packed weights are objects of classes in C++, whose tensors are read under their places in the state."""
    net = make.model(nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3, bias=False)))
    net = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
    path = make.folder / "quantized.pt"
    torch.jit.save(torch.jit.script(net), str(path))
    tensors = {}
    for place in (0, 2):
        weight, bias = net[place]._packed_params._weight_bias()
        for index, tensor in enumerate((weight, bias)):
            if tensor is not None:
                tensors[f"{place}._packed_params._packed_params.{index}"] = tensor
    return Reads(path, tensors, ordered=False, constants=True)


@case("export")
def exported(make):
    net, path = module(make), make.folder / "program.pt2"
    torch.export.save(torch.export.export(net, (make.normal(2, 3, 11),)), path)
    return program_reads(path, net)


@case("export")
def exported_tied(make):
    """Names that share a tensor, dtypes, a view and a constant."""

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(11, 6)
            self.head = nn.Linear(6, 11, bias=False)
            self.head.weight = self.embed.weight
            self.turned = nn.Parameter(make.normal(4, 6).t())
            self.register_buffer("brain", torch.ones(3, dtype=torch.bfloat16))
            self.register_buffer("mask", torch.tensor([True, False, True, True]))

        def forward(self, x):
            return self.head(self.embed(x)).sum() + (self.turned * self.mask).sum() + self.brain.float().sum()

    net, path = make.model(Tied()), make.folder / "tied.pt2"
    torch.export.save(torch.export.export(net, (make.integers(3, low=0, high=11),)), path)
    return program_reads(path, net)
