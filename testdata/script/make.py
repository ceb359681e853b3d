"""Archives of torch.jit.save and torch.export.save with every kind of tensor, and what torch reads back."""

import hashlib
import json
import pathlib
import zipfile

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent


def numbers(*shape, dtype=torch.float32):
    return (torch.arange(torch.Size(shape).numel()) * 7 % 251).to(dtype).reshape(shape)


class Inner(nn.Module):
    """Two instances of one class with other sizes, so that its name is mangled."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("shift", numbers(size) + size)
        self.weight = nn.Parameter(numbers(size, 2))
        self.register_buffer("steps", numbers(size + 1), persistent=False)

    def forward(self, x):
        return x @ self.weight.t() + self.shift


class Module(nn.Module):
    """Every kind of attribute that may hold a tensor."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Inner(2), Inner(2)])
        self.named = nn.ModuleDict({"b": nn.BatchNorm1d(2), "a": Inner(2)})
        self.pair = nn.ParameterList([nn.Parameter(numbers(2)), nn.Parameter(numbers(3))])
        self.first = nn.Linear(2, 3)
        self.second = self.first
        self.embedding = nn.Embedding(7, 3)
        self.out = nn.Linear(3, 7, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("transposed", numbers(2, 3).t())
        self.register_buffer("absent", None)
        self.register_buffer("mask", torch.tensor([True, False, True]), persistent=False)
        self.constant = numbers(5)
        self.both = [numbers(2), numbers(3)]
        self.table = {"x": numbers(2), "y": numbers(4)}
        self.mixed = (numbers(1), 3)
        self.number = 3
        self.text = "text"
        self.flags = [True, False]
        self.scalar = nn.Parameter(torch.tensor(2.5))
        self.sliced = nn.Parameter(numbers(5, 6)[1:3, ::2])
        self.halves = nn.Parameter(numbers(3, dtype=torch.float16))
        self.brains = nn.Parameter(numbers(4, dtype=torch.bfloat16))
        self.conv = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        x = self.second(self.first(x)[:, :2] + self.named["b"](self.named["a"](x)))
        x = self.out(x) + self.embedding(torch.tensor([1])) @ self.out.weight.t()
        x = x + self.constant.sum() + self.both[0].sum() + self.table["x"].sum() + self.mixed[0]
        x = x + self.scalar + self.sliced.sum() + self.halves.sum() + self.brains.sum()
        return x + self.conv.weight.sum() + self.transposed.sum() + self.mask.sum()


class Shares(nn.Module):
    """Views of one storage as buffers, and weights that are tied."""

    def __init__(self):
        super().__init__()
        base = numbers(10)
        self.register_buffer("low", base[2:5])
        self.register_buffer("high", base[4:9:2])
        self.embedding = nn.Embedding(7, 3)
        self.out = nn.Linear(3, 7, bias=False)
        self.out.weight = self.embedding.weight
        self.conv = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("steps", numbers(4, dtype=torch.int64), persistent=False)
        self.register_buffer("empty", torch.empty(0, 3))
        self.register_buffer("expanded", numbers(3, 1).expand(3, 4))
        self.register_buffer("small", numbers(3, dtype=torch.float8_e4m3fn))
        self.register_buffer("counts", numbers(3, dtype=torch.uint16))
        self.halves = nn.Parameter(numbers(3, dtype=torch.float16))
        self.scalar = nn.Parameter(torch.tensor(2.5, dtype=torch.bfloat16))
        self.constant = numbers(5)

    def forward(self, x):
        y = self.out(self.norm(self.embedding(x))) + self.low.sum() + self.high.sum() + self.steps.sum()
        y = y + self.halves.sum() + self.scalar + self.constant.sum() + self.conv.weight.sum()
        return y + self.expanded.sum() + torch.tensor([1.0, 2.0]).sum()


def entry(name, value, role):
    value = value.detach()
    values = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return {
        "name": name,
        "role": role,
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.shape),
        "sha256": hashlib.sha256(values).hexdigest(),
    }


def scripted(path):
    module = torch.jit.load(path)
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    return [
        entry(name, value, "parameter" if name in parameters else "buffer")
        for name, value in module.state_dict().items()
    ]


def exported(path):
    program = torch.export.load(path)
    aside = set(program.graph_signature.non_persistent_buffers)
    entries = [
        entry(name, value, "parameter" if isinstance(value, nn.Parameter) else "buffer")
        for name, value in program.state_dict.items()
    ]
    return entries + [
        entry(name, value, "non-persistent buffer" if name in aside else "attribute or constant")
        for name, value in program.constants.items()
    ]


def without_places(value):
    """A program without the places in source files that its nodes come from."""
    if isinstance(value, dict):
        return {key: "" if key == "stack_trace" else without_places(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_places(item) for item in value]
    return value


def strip(path):
    """Takes out the records that name files of the machine; the others stay as torch wrote them."""
    with zipfile.ZipFile(path) as archive:
        records = [(record, archive.read(record)) for record in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for record, content in records:
            if record.filename.endswith(".debug_pkl"):
                continue
            if "/models/" in record.filename:
                content = json.dumps(without_places(json.loads(content))).encode()
            name = zipfile.ZipInfo(record.filename, (1980, 1, 1, 0, 0, 0))
            archive.writestr(name, content, record.compress_type)


def main():
    torch.manual_seed(0)
    module, shares = Module().eval(), Shares().eval()
    tokens = torch.tensor([1, 2])
    torch.jit.script(module).save(str(FOLDER / "scripted.pt"), _extra_files={"data.pkl": "no pickle"})
    torch.jit.trace(shares, tokens).save(str(FOLDER / "traced.pt"))
    torch.jit.script(module)._save_for_lite_interpreter(str(FOLDER / "mobile.ptl"))
    torch.jit.freeze(torch.jit.script(Inner(3).eval())).save(str(FOLDER / "frozen.pt"))
    torch.jit.script(nn.LSTM(3, 2)).save(str(FOLDER / "lstm.pt"))
    torch.export.save(torch.export.export(shares, (tokens,)), FOLDER / "exported.pt2")
    for path in [*FOLDER.glob("*.pt"), *FOLDER.glob("*.pt2"), *FOLDER.glob("*.ptl")]:
        strip(path)
    expected = {name: scripted(FOLDER / name) for name in ["scripted.pt", "traced.pt", "mobile.ptl", "lstm.pt"]}
    expected["exported.pt2"] = exported(FOLDER / "exported.pt2")
    files = []
    for name, entries in expected.items():
        lines = ",\n  ".join(json.dumps(item) for item in entries)
        files.append(f'"{name}": [\n  {lines}\n ]')
    (FOLDER / "expected.json").write_text("{\n " + ",\n ".join(files) + "\n}\n")


if __name__ == "__main__":
    main()
