"""A zoo of checkpoints, and the usual way to convert it by hand.

    zoo_bench.py make FOLDER SCALE     runs/KIND-SIZE/N.pt, archs/KIND-SIZE.json, zoo.toml; 6 of them broken
    zoo_bench.py convert FOLDER OUT    all of them with torch, numpy and h5py, in one process
"""

import json
import pathlib
import sys

import h5py
import torch

# Bytes of a checkpoint, and how many there are of that size for each of the five architectures.
SIZES = [
    (10_000, 6),
    (30_000, 6),
    (100_000, 6),
    (300_000, 6),
    (1_000_000, 6),
    (2_000_000, 6),
    (4_000_000, 6),
    (8_000_000, 5),
    (20_000_000, 5),
    (40_000_000, 4),
    (100_000_000, 3),
    (200_000_000, 1),
]
KINDS = ["mlp", "conv", "embed", "mixer", "wide"]

MANIFEST = """[defaults]
schema = "same-names"

[[job]]
checkpoint = "runs/*-*/*.pt"
arch = "archs/{1}-{2}.json"
output = "keras/{1}-{2}-{3}.weights.h5"
"""


def shapes(kind, size):
    """The layers of a model of about that size: name, kind, and the numbers that its shape is made of."""
    floats = size // 4
    if kind == "mlp":
        width = max(4, int((floats / 4) ** 0.5))
        return [(f"fc{n}", "dense", width, width) for n in range(4)]
    if kind == "conv":
        width = max(2, int((floats / 6 / 9) ** 0.5))
        layers = []
        for n in range(6):
            layers += [(f"conv{n}", "conv", width, width), (f"bn{n}", "batch", width, None)]
        return layers
    if kind == "embed":
        width = max(4, int((floats / 40) ** 0.5))
        return [("tokens", "embedding", 39 * width, width), ("head", "dense", width, width)]
    if kind == "mixer":
        width = max(4, int((floats / 16) ** 0.5))
        layers = []
        for n in range(2):
            layers += [(f"norm{n}", "layer", width, None)]
            layers += [(f"up{n}", "dense", width, 4 * width), (f"down{n}", "dense", 4 * width, width)]
        return layers
    height = max(4, int((floats / 3) ** 0.5))
    return [("proj", "dense", height, 3 * height)]


def state_dict(layers, generator):
    values = lambda *shape: torch.rand(*shape, generator=generator) * 2 - 1
    state = {}
    for name, kind, a, b in layers:
        if kind == "dense":
            state |= {f"{name}.weight": values(b, a), f"{name}.bias": values(b)}
        elif kind == "conv":
            state |= {f"{name}.weight": values(b, a, 3, 3), f"{name}.bias": values(b)}
        elif kind == "embedding":
            state |= {f"{name}.weight": values(a, b)}
        else:
            state |= {f"{name}.weight": values(a), f"{name}.bias": values(a)}
        if kind == "batch":
            state |= {f"{name}.running_mean": values(a), f"{name}.running_var": values(a) + 1}
            state |= {f"{name}.num_batches_tracked": torch.tensor(7)}
    return state


def architecture(layers):
    """The same layers in Keras, each on an input of its own."""
    import case as _  # sets the Keras backend before keras is imported
    import keras

    inputs, outputs = [], []
    for name, kind, a, b in layers:
        if kind == "dense":
            layer, shape = keras.layers.Dense(b, name=name), (a,)
        elif kind == "conv":
            layer, shape = keras.layers.Conv2D(b, 3, padding="same", name=name), (None, None, a)
        elif kind == "embedding":
            layer, shape = keras.layers.Embedding(a, b, name=name), (None,)
        elif kind == "batch":
            layer, shape = keras.layers.BatchNormalization(epsilon=1e-5, name=name), (a,)
        else:
            layer, shape = keras.layers.LayerNormalization(epsilon=1e-5, name=name), (a,)
        inputs.append(keras.Input(shape))
        outputs.append(layer(inputs[-1]))
    return keras.Model(inputs, outputs).to_json()


def make(folder, scale):
    generator = torch.Generator().manual_seed(0)
    (folder / "archs").mkdir()
    for kind in KINDS:
        for size, count in SIZES:
            layers = shapes(kind, int(size * scale) if size > 1_000_000 else size)
            name = f"{kind}-{size}"
            (folder / f"archs/{name}.json").write_text(architecture(layers))
            (folder / f"runs/{name}").mkdir(parents=True)
            for n in range(count):
                torch.save(state_dict(layers, generator), folder / f"runs/{name}/{n}.pt")
    break_some(folder)
    (folder / "zoo.toml").write_text(MANIFEST)


def break_some(folder):
    """Six that are broken, each in its own way, of different sizes and architectures."""
    path = lambda name: folder / f"runs/{name}.pt"
    cut = path("mlp-4000000/0")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    path("conv-10000/1").write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>")
    path("embed-300000/2").write_bytes(b"")
    state = torch.load(path("mixer-100000/3"), weights_only=True)
    del state["up1.weight"]
    torch.save(state, path("mixer-100000/3"))
    state["else.weight"] = torch.zeros(3, 5)
    torch.save(state, path("mixer-100000/4"))
    torch.save(state_dict(shapes("wide", 77_000), torch.Generator().manual_seed(1)), path("wide-30000/5"))


def convert(folder, output):
    """A loop by somebody who knows the file format."""
    for checkpoint in sorted(folder.glob("runs/*/*.pt")):
        try:
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        except Exception:  # what is broken is passed over
            continue
        config = json.loads((folder / f"archs/{checkpoint.parent.name}.json").read_text())
        classes = {layer["config"]["name"]: layer["class_name"] for layer in config["config"]["layers"]}
        with h5py.File(output / f"{checkpoint.parent.name}-{checkpoint.stem}.weights.h5", "w") as file:
            for name, kind in classes.items():
                if kind == "InputLayer" or f"{name}.weight" not in state:
                    continue
                weight = state[f"{name}.weight"].numpy()
                weight = {"Dense": lambda: weight.T, "Conv2D": lambda: weight.transpose(2, 3, 1, 0)}.get(
                    kind, lambda: weight
                )()
                rest = [state.get(f"{name}.{key}") for key in ("bias", "running_mean", "running_var")]
                values = [weight] + [value.numpy() for value in rest if value is not None]
                group = file.create_group(f"layers/{name}/vars")
                for at, value in enumerate(values):
                    group.create_dataset(str(at), data=value)


def main():
    command, folder, last = sys.argv[1:]
    folder = pathlib.Path(folder)
    if command == "make":
        make(folder, float(last))
    else:
        output = pathlib.Path(last)
        output.mkdir(exist_ok=True)
        convert(folder, output)


main()
