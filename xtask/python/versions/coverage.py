"""Whether every layer with variables of the Keras of this process is in a model: `coverage.py VERSION MODELS`.

Prints a line for each that is not, and how many are.
"""

import inspect
import json
import pathlib
import sys

import keras

from process import begin

# Classes without a model, each with the reason.
EXCUSED = {
    "AbstractRNNCell": "a base class of cells that a user writes",
    "DepthwiseConv": "a base class",
    "DenseFeatures": "reads feature columns of TensorFlow, and is in no configuration of Keras 3",
    "FlaxLayer": "its variables are a program's, as a custom layer's: they come from a template",
    "JaxLayer": "its variables are a program's, as a custom layer's: they come from a template",
    "Layer": "the base class",
    "TFSMLayer": "its variables are those of a SavedModel",
    "TorchModuleWrapper": "its variables are those of a module of PyTorch",
    "Wrapper": "a base class",
    "IntegerLookup": "needs TensorFlow: in the models on that backend",
    "StringLookup": "needs TensorFlow: in the models on that backend",
    "TextVectorization": "needs TensorFlow: in the models on that backend",
}


def makes_variables(layer):
    """Whether the class says so itself, or holds layers that may."""
    own = [each for each in layer.__mro__ if each.__module__.startswith("keras") and each is not keras.layers.Layer]
    own = [each for each in own if issubclass(each, keras.layers.Layer)]
    holds = any(each.__name__ == "Wrapper" for each in own) or layer.__name__ == "StackedRNNCells"
    return holds or any("add_weight(" in inspect.getsource(each) for each in own)


def of_keras():
    """The names of the classes with variables; a class has one, whatever its aliases are."""
    found = [member for _, member in inspect.getmembers(keras.layers, inspect.isclass)]
    found = [member for member in found if issubclass(member, keras.layers.Layer)]
    return {member.__name__ for member in found if makes_variables(member)}


def of_config(value):
    """Every class that a configuration names."""
    if isinstance(value, dict):
        name = value.get("class_name")
        here = {name} if isinstance(name, str) else set()
        return here.union(*map(of_config, value.values()))
    return set().union(*map(of_config, value)) if isinstance(value, list) else set()


def of_models(folder):
    seen = set()
    for path in pathlib.Path(folder).glob("*/expected.json"):
        seen |= {row["owner"] for row in json.loads(path.read_text(encoding="utf-8"))["variables"]}
        config = path.parent / "model.json"
        if config.exists():
            seen |= of_config(json.loads(config.read_text(encoding="utf-8")))
    return seen


def main():
    version, folder = sys.argv[1:]
    begin(version)
    there, seen = of_keras(), of_models(folder)
    for name in sorted(there - seen - EXCUSED.keys()):
        print(f"UNCOVERED {name} has variables, and is in no model")
    if not there & seen:
        raise SystemExit("no class was found")
    print(f"{len(there & seen)} classes with variables in models, excused {sorted(there & EXCUSED.keys() - seen)}")


if __name__ == "__main__":
    main()
