"""What a model is: a function that builds it, and what cannot be asked of it."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Family:
    """One model, built anew at each call of `build`."""

    name: str
    build: Callable
    # Holds classes of its own: their variables are in no JSON, only in weight files.
    custom: bool = False
    # Runs on TensorFlow alone.
    tensorflow: bool = False
    # From which Keras on there is something to judge.
    first: tuple = (0,)
    # Its configuration is to be refused, in these words.
    refused: str = ""
    # From which Keras on its configuration tells what is saved; for an older one nothing is written from it.
    told_since: tuple = (0,)


FAMILIES = []


def family(**about):
    """Adds a function to the models, under its own name."""

    def register(build):
        FAMILIES.append(Family(build.__name__, build, **about))
        return build

    return register
