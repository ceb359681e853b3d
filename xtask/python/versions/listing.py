"""What a Keras itself says of a model's variables: its own walk, and its own files."""

import collections
import dataclasses
import pathlib
import tempfile

import h5py
import keras
import numpy as np
from keras.src.saving import saving_lib

from offers import since

if since(3):
    from keras.src.legacy.saving import legacy_h5_format as legacy_format
else:
    from keras.src.saving.legacy import hdf5_format as legacy_format


# Layers that write a dataset under a name, and what they count as variables not at all.
LOOKUPS = ("IntegerLookup", "StringLookup")
NAMED = "/idf_weights"


@dataclasses.dataclass
class Row:
    """A variable, at one place of the file."""

    # Layer names and the variable's name, joined by `/`, without the root model's own name.
    path: str
    # The class of the layer that owns it.
    owner: str
    shape: list
    # What the layer asked for, and what the backend made of it.
    dtype: str
    stored: str
    trainable: bool
    # The dataset in `.weights.h5`.
    weights_h5: str
    # The same variable is at the place of an earlier row too.
    repeats: int | None = None
    # The datasets in the legacy format, below the group of weights: one per layer of the root.
    legacy: list = dataclasses.field(default_factory=list)
    # Whether Keras itself knows the shape: not of what a layer was adapted to.
    known: bool = True
    variable: object = dataclasses.field(default=None, repr=False)

    @property
    def place(self):
        return self.path, self.shape, self.dtype, self.weights_h5

    def described(self):
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "variable"
        }


def own_variables(saveable):
    """In the order in which the layer saves them."""
    if type(saveable).__name__ in LOOKUPS:
        return []
    if since(3):
        found = list(saveable._trainable_variables) + list(saveable._non_trainable_variables)
        return in_quantized_order(saveable, found)
    return [v for v in (*saveable._trainable_weights, *saveable._non_trainable_weights) if is_variable(v)]


def in_quantized_order(saveable, found):
    """Quantized layers save theirs in an order of their own, whatever was made first."""
    mode = getattr(saveable, "quantization_mode", None)
    names = getattr(saveable, "variable_serialization_spec", {}).get(mode) if mode else None
    if not names:
        return found
    named = (getattr(saveable, "_kernel" if name == "kernel" else name, None) for name in names)
    order = {id(variable): at for at, variable in enumerate(named) if variable is not None}
    return sorted(found, key=lambda variable: order.get(id(variable), len(order)))


def is_variable(variable):
    """The tables of lookup layers stand among the variables."""
    return hasattr(variable, "dtype")


def is_trainable(saveable, variable):
    return bool(variable.trainable) and bool(saveable.trainable)


def last_name(variable):
    """`kernel`, of `dense/kernel:0` too."""
    return variable.name.split("/")[-1].split(":")[0]


def value(variable):
    return np.asarray(keras.ops.convert_to_numpy(variable) if since(3) else variable.numpy())


def dtype_name(variable):
    dtype = variable.dtype
    return dtype if isinstance(dtype, str) else dtype.name


class Walk:
    """Stands in the place of Keras' function that visits every object."""

    def __init__(self):
        self.original = saving_lib._save_state
        self.names, self.rows, self.seen = {}, [], {}

    def __enter__(self):
        saving_lib._save_state = self.visit
        return self

    def __exit__(self, *_):
        saving_lib._save_state = self.original

    def visit(self, saveable, *arguments, **options):
        inner_path = options["inner_path"] if "inner_path" in options else arguments[2]
        if isinstance(saveable, keras.layers.Layer) and id(saveable) not in self.seen:
            self.seen[id(saveable)] = saveable
            self.add(saveable, inner_path.lstrip("/"))
        return self.original(saveable, *arguments, **options)

    def add(self, layer, inner_path):
        parts = inner_path.split("/") if inner_path else []
        prefixes = ["/".join(parts[:length]) for length in range(1, len(parts))]
        above = [self.names[prefix] for prefix in prefixes if prefix in self.names]
        if parts:
            self.names[inner_path] = layer.name
            above.append(layer.name)
        for number, variable in enumerate(own_variables(layer)):
            first = next((at for at, row in enumerate(self.rows) if row.variable is variable), None)
            self.rows.append(
                Row(
                    path="/".join([*above, last_name(variable)]),
                    owner=type(layer).__name__,
                    shape=list(value(variable).shape),
                    dtype=dtype_name(variable),
                    stored=value(variable).dtype.name,
                    trainable=is_trainable(layer, variable),
                    weights_h5="/".join([*parts, "vars", str(number)]),
                    repeats=first,
                    known=None not in tuple(variable.shape),
                    variable=variable,
                )
            )


def walk(model):
    """The rows in the order of Keras' own walk, each checked against the file that Keras writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "walk.weights.h5")
        with Walk() as visited:
            model.save_weights(path)
        rows = visited.rows
        check(rows, path)
    return unique(rows)


def unique(rows):
    """The rows, no two of which have one path."""
    counts = collections.Counter(row.path for row in rows if row.variable is not None)
    twice = sorted(path for path, count in counts.items() if count > 1)
    if twice:
        raise ValueError(f"paths that come twice: {twice[:5]}")
    return rows


class NoFile(saving_lib.H5IOStore):
    """Takes what a layer stores, and keeps nothing."""

    def __init__(self):
        """Opens no file."""

    def __bool__(self):
        return True

    def __del__(self):
        """There is nothing to close."""

    def make(self, path, *_, **__):
        return {}


def walk_only(model):
    """The rows of Keras' own walk, with no file to check them against."""
    with Walk() as visited:
        saving_lib._save_state(model, NoFile(), None, "", set())
    return unique(visited.rows)


def check(rows, path):
    """Every row is a dataset with its value; what else is stored is the optimizer's, or no variable."""
    stored = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                stored.__setitem__(name, np.asarray(item)) if isinstance(item, h5py.Dataset) else None
            )
        )
    for row in rows:
        there = stored.pop(row.weights_h5)
        if there.tobytes() != value(row.variable).tobytes():
            raise ValueError(f"{row.path} is not what Keras wrote to {row.weights_h5}")
    unknown = [
        name
        for name in stored
        if not name.startswith(("optimizer/", "metrics/")) and not name.endswith(NAMED)
    ]
    if unknown:
        raise ValueError(f"datasets without a variable: {unknown[:5]}")
    rows += [
        Row(
            path="",
            owner="",
            shape=list(stored[name].shape),
            dtype=stored[name].dtype.name,
            stored=stored[name].dtype.name,
            trainable=False,
            weights_h5=name,
            known=False,
        )
        for name in stored
        if name.endswith(NAMED)
    ]


def add_legacy(rows, model, weights):
    """Adds the legacy names; `weights` is the group that Keras wrote."""
    places = {id(row.variable): row for row in reversed(rows)}
    load = legacy_format.load_attributes_from_hdf5_group
    names = {layer.name: layer for layer in model.layers}
    for name in load(weights, "layer_names"):
        own = legacy_format._legacy_weights(names[name])
        stored = load(weights[name], "weight_names")
        for variable, stored_name in zip(own, stored, strict=True):
            row = places[id(variable)]
            if value(variable).tobytes() != np.asarray(weights[name][stored_name]).tobytes():
                raise ValueError(f"{row.path} is not what Keras wrote to {name}/{stored_name}")
            row.legacy.append(f"{name}/{stored_name}")
    top = list(load(weights["top_level_model_weights"], "weight_names"))
    if top:
        own = own_variables(model)
        for variable, stored_name in zip(own, top, strict=True):
            places[id(variable)].legacy.append(f"top_level_model_weights/{stored_name}")
