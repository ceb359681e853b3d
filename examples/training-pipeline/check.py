"""Loads the converted weights into Keras, and compares it with the network that was trained.

    python check.py --architecture --run run    writes run/arch.json
    python check.py --run run                   loads run/network.weights.h5
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy

# What two libraries may differ by that add in another order, where the largest logits are about 10.
TOLERANCE = 1e-5


def network():
    """The network as one would write it in Keras: channels last."""
    x = picture = keras.Input((12, 10, 2))
    x = keras.layers.Conv2D(6, 3, padding="same", name="conv1")(x)
    x = keras.layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name="norm1")(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(7, (3, 5), padding="same", activation="relu", name="conv2")(x)
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(23, activation="relu", name="hidden")(x)
    return keras.Model(picture, keras.layers.Dense(5, name="logits")(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", action="store_true", help="write the architecture, check nothing")
    parser.add_argument("--run", type=pathlib.Path, default=pathlib.Path("run"))
    options = parser.parse_args()
    model = network()
    if options.architecture:
        options.run.mkdir(parents=True, exist_ok=True)
        (options.run / "arch.json").write_text(model.to_json())
        return

    model.load_weights(options.run / "network.weights.h5")
    held_out = numpy.load(options.run / "held_out.npz")
    logits = model.predict(held_out["x"].transpose(0, 2, 3, 1), verbose=0)

    def told(logits):
        return (logits.argmax(1) == held_out["y"]).mean()

    difference = numpy.abs(logits - held_out["logits"]).max()
    print(
        f"checked: PyTorch tells {told(held_out['logits']):.2%}, Keras {told(logits):.2%}; "
        f"logits of up to {numpy.abs(logits).max():.2f} differ by {difference:.1e} at most"
    )
    if told(logits) != told(held_out["logits"]) or not difference <= TOLERANCE:
        sys.exit("error: the networks are not the same")


if __name__ == "__main__":
    main()
