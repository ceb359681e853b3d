"""What a case is: a PyTorch module, the Keras model that mirrors it, and who corresponds to whom."""

import dataclasses
import fnmatch
import importlib.util
import os
import pathlib
from typing import Callable

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = REPOSITORY / "schemas"
TESTDATA = REPOSITORY / "testdata"


def channels_last(array):
    """NCHW to NHWC, for any number of spatial axes."""
    return array.transpose(0, *range(2, array.ndim), 1) if array.ndim > 2 else array


def unchanged(value):
    return value


def call(module, *inputs):
    """Runs the module as a user would."""
    return module(*inputs)


def nothing(tensors):
    return {}


def own_tensors(module):
    return module.state_dict()


def save_state_dict(module, path):
    import torch

    torch.save(module.state_dict(), path)


@dataclasses.dataclass(frozen=True)
class Case:
    """One real input."""

    name: str
    # Both sides, freshly built; `module` seeds its own values.
    module: Callable
    model: Callable
    # Random inputs for the module, from a numpy generator: a list of tuples of arrays.
    samples: Callable
    # Module prefix to layer path (or a function that tells it from the state_dict), and the prefixes that read
    # a flattened map: (channels, *space).
    pairs: dict | Callable
    # TOML text, a path, or the name of a bundled schema.
    schema: str | pathlib.Path
    feature_maps: dict = dataclasses.field(default_factory=dict)
    # The prefixes whose output becomes a map of that size.
    made_maps: dict = dataclasses.field(default_factory=dict)
    # What no layer of `pairs` has: from the tensors by key, of which it removes those that it reads, to arrays
    # by the path of the variable.
    loose: Callable = nothing
    # The tensors that the judges rearrange, by key. Where the state_dict has a weight only in parts, the weight as
    # PyTorch, or the library that made the parts, puts it together.
    tensors: Callable = own_tensors
    # By how many units in the last place of its largest value a variable may differ from that, by a glob of paths;
    # all others are equal bit for bit.
    computed: dict = dataclasses.field(default_factory=dict)
    # Key prefixes that no variable reads.
    ignored: tuple = ()
    # How many variables Keras stores twice.
    stored_twice: int = 0
    # The model's file is `.weights.h5` written by Keras instead of `to_json()`.
    template: bool = False
    checkpoint: str = "weights.pt"
    output: str = "out.weights.h5"
    save: Callable = save_state_dict
    run: Callable = call
    # To the Keras model's input and back from the module's output.
    to_keras: Callable = channels_last
    from_torch: Callable = channels_last
    # What weights cannot carry (an epsilon, an activation), set after the architecture was saved.
    adjust: Callable = unchanged
    tolerance: float = 1e-5
    # What the user grants the tool beside its schema: options of the command line.
    waivers: tuple = ()
    # Whether the older Kerases can build the model.
    old_keras: bool = True
    # Runs only when it is named: a larger relative of a case that always runs.
    by_name: bool = False
    # Expectations about what the tool says on stderr or stdout.
    notes: tuple = ()

    def ulps(self, path):
        """By how much the variable may differ."""
        return max((ulps for glob, ulps in self.computed.items() if fnmatch.fnmatch(path, glob)), default=0)

    def schema_is_text(self):
        return isinstance(self.schema, str) and "\n" in self.schema

    def schema_size(self):
        """How the report calls the schema, and how many lines it has."""
        if self.schema_is_text():
            return "the case's own", self.schema.count("\n")
        if isinstance(self.schema, str):
            path = SCHEMAS / f"{self.schema}.toml"
        else:
            path = pathlib.Path(self.schema)
        inside = path.is_relative_to(SCHEMAS)
        name = path.relative_to(SCHEMAS).with_suffix("").as_posix() if inside else "the case's own"
        return name, path.read_text().count("\n")


def from_testdata(name):
    """The cases of `testdata/<name>/make.py`."""
    path = TESTDATA / name / "make.py"
    spec = importlib.util.spec_from_file_location(f"testdata_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES
