"""Every model; importing a file adds its own."""

from . import (
    attention,
    convolutions,
    custom,
    dense,
    graphs,
    normalisations,
    preprocessing,
    quantized,
    recurrent,
    shapes,
    training,
)

__all__ = [
    "attention",
    "convolutions",
    "custom",
    "dense",
    "graphs",
    "normalisations",
    "preprocessing",
    "quantized",
    "recurrent",
    "shapes",
    "training",
]
