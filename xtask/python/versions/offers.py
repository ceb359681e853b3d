"""What the Keras of this process offers, so that one text builds the models of every version.

Answers are kept, and can be given in advance: a newer Keras then builds the very model of an older one.
"""

import inspect

import keras
from keras import layers

VERSION = tuple(int(part) for part in keras.__version__.split(".")[:3])
# Every question that was asked, with its answer; answers of another version when they were given in advance.
ANSWERS = {}


def answer(question, look):
    if question not in ANSWERS:
        ANSWERS[question] = bool(look())
    return ANSWERS[question]


def has(layer):
    """Whether there is a layer class of that name."""
    return answer(layer, lambda: hasattr(layers, layer))


def accepts(layer, argument):
    """Whether the layer's constructor names that argument."""

    def look():
        return argument in inspect.signature(getattr(layers, layer).__init__).parameters

    return has(layer) and answer(f"{layer}({argument}=)", look)


def since(*version):
    """Whether this is that Keras or a newer one."""
    return answer("since " + ".".join(map(str, version)), lambda: version <= VERSION)


def tensorflow():
    """Whether TensorFlow is there, without which the lookup layers do not work."""
    return keras.backend.backend() == "tensorflow"
