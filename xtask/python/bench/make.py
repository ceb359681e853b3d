"""The benchmark's inputs: a checkpoint, an architecture and a schema in FOLDER.

    make.py mixed FOLDER DTYPE BYTES     linear layers, convolutions, normalizations: model.pt
    make.py plain FOLDER DTYPE BYTES     embeddings, which Keras holds as PyTorch does: model.pt
    make.py layers FOLDER COUNT          so many layers of few numbers, five tensors to each on average: model.pt
    make.py names FOLDER COUNT           so many small tensors: model.pt, model.safetensors; nothing else
    make.py sparse FOLDER BYTES          tables that are a hole in the file: model.safetensors
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

import architectures
from architectures import CONV, SQUARE, WIDE

SCHEMA = """schema = 1
name = "bench"

[[layer]]
torch = "{kind:%s}.{n}"
keras = "{kind}_{n}"
"""

# Numbers that every tensor is cut from, each at a place of its own: drawing them takes longer than writing them.
POOL = 97_000_003
# From the start of one tensor to that of the next. A prime, so that starts repeat late.
STEP = 7_368_787

# Elements of a square matrix, a wide one, and a convolution's kernel.
ELEMENTS = {"square": SQUARE[0] * SQUARE[1], "wide": WIDE[0] * WIDE[1], "conv": CONV[0] * CONV[1] * CONV[2] ** 2}

# Of an embedding.
ROWS, COLUMNS = 32_768, 512

# Of a layer of few numbers.
FEATURES, UNITS = 4, 2


class Pool:
    """Random numbers, cut into tensors."""

    def __init__(self, dtype):
        generator = torch.Generator().manual_seed(0)
        self.values = torch.randn(POOL, generator=generator).to(dtype)
        self.at = 0

    def take(self, *shape):
        count = torch.Size(shape).numel()
        self.at = (self.at + STEP) % (POOL - count)
        return self.values[self.at : self.at + count].clone().reshape(shape)


def counts_of(elements):
    """How many of each kind: a quarter square, half wide, and convolutions to fill up; 4, 3 and 28 in 2**28."""
    share = elements / 2**28
    square, wide = max(1, round(4 * share)), round(3 * share)
    rest = elements - square * ELEMENTS["square"] - wide * ELEMENTS["wide"]
    return {"square": square, "wide": wide, "conv": max(1, rest // ELEMENTS["conv"])}


def mixed(folder, dtype, size):
    """Linear layers, convolutions, and a normalization (four small vectors) for each of them."""
    pool = Pool(getattr(torch, dtype))
    counts = counts_of(size // pool.values.itemsize)
    state = {}
    for kind, (inputs, outputs) in (("square", SQUARE), ("wide", WIDE)):
        for n in range(counts[kind]):
            state[f"{kind}.{n}.weight"] = pool.take(outputs, inputs)
            state[f"{kind}.{n}.bias"] = pool.take(outputs)
    for n in range(counts["conv"]):
        inputs, outputs, window = CONV
        state[f"conv.{n}.weight"] = pool.take(outputs, inputs, window, window)
        state[f"conv.{n}.bias"] = pool.take(outputs)
    for n in range(sum(counts.values())):
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"norm.{n}.{name}"] = pool.take(SQUARE[0])
    torch.save(state, folder / "model.pt")
    (folder / "arch.json").write_text(architectures.mixed(counts, dtype))
    (folder / "schema.toml").write_text(SCHEMA % "square|wide|conv|norm")


def plain(folder, dtype, size):
    pool = Pool(getattr(torch, dtype))
    count = size // (ROWS * COLUMNS * pool.values.itemsize)
    state = {f"table.{n}.weight": pool.take(ROWS, COLUMNS) for n in range(count)}
    torch.save(state, folder / "model.pt")
    (folder / "arch.json").write_text(architectures.tables(count, ROWS, COLUMNS, dtype))
    (folder / "schema.toml").write_text(SCHEMA % "table")


def layers(folder, count):
    """A quarter linear (2 tensors), half batch normalizations (5), a quarter bidirectional LSTMs (8)."""
    pool = Pool(torch.float32)
    state, kinds = {}, []
    for n in range(count):
        kind = ("linear", "norm", "lstm", "norm")[n % 4]
        kinds.append(kind)
        module = {
            "linear": lambda: torch.nn.Linear(FEATURES, FEATURES),
            "norm": lambda: torch.nn.BatchNorm1d(FEATURES),
            "lstm": lambda: torch.nn.LSTM(FEATURES, UNITS, bidirectional=True),
        }[kind]()
        for name, tensor in module.state_dict().items():
            values = pool.take(*tensor.shape) if tensor.is_floating_point() else tensor
            state[f"{kind}.{n}.{name}"] = values
    torch.save(state, folder / "model.pt")
    (folder / "arch.json").write_text(architectures.chain(kinds, FEATURES, UNITS))
    (folder / "schema.toml").write_text(SCHEMA % "linear|norm|lstm")


def names(folder, count):
    state = {f"layers.{n // 10}.experts.{n % 10}.weight": torch.full((4, 3), float(n)) for n in range(count)}
    torch.save(state, folder / "model.pt")
    save_file(state, folder / "model.safetensors")


def sparse(folder, size):
    """As a header and a hole: no byte of the tables takes room on the disk."""
    step = ROWS * COLUMNS * 4
    count = size // step
    entries = {
        f"table.{n}.weight": {"dtype": "F32", "shape": [ROWS, COLUMNS], "data_offsets": [n * step, (n + 1) * step]}
        for n in range(count)
    }
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(file.tell() + count * step)
    (folder / "arch.json").write_text(architectures.tables(count, ROWS, COLUMNS, "float32"))
    (folder / "schema.toml").write_text(SCHEMA % "table")


def main():
    match sys.argv[1:]:
        case ["mixed" | "plain" as kind, folder, dtype, size]:
            {"mixed": mixed, "plain": plain}[kind](pathlib.Path(folder), dtype, int(size))
        case ["layers" | "names" | "sparse" as kind, folder, count]:
            {"layers": layers, "names": names, "sparse": sparse}[kind](pathlib.Path(folder), int(count))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
