"""What the cases share: a schema's head, and the two forms in which an architecture comes."""

import dataclasses

import torch
from zoo import randomised

HEADER = 'schema = 1\nname = "case"\n'
# What a template, which has no graph, must be told; it is also true of the graph.
NOTHING_FLATTENED = "[target]\nflatten = []\nunflatten = []\n"


def seeded(build, seed):
    """A function that builds the same module each time, with values as after training."""

    def module():
        torch.manual_seed(seed)
        return randomised(build(), seed)

    return module


def both_forms(case):
    """The case with the architecture as `to_json()`, and as a template of weights."""
    return [case, dataclasses.replace(case, name=f"{case.name}_template", template=True)]


def layer(torch_name, keras_name, class_name=None):
    """The text of a `[[layer]]` rule."""
    rule = f'[[layer]]\ntorch = "{torch_name}"\nkeras = "{keras_name}"\n'
    return rule + (f'class = "{class_name}"\n' if class_name else "")

