"""KerasHub's own way from a checkpoint of the hub to Keras's weights.

    kerashub_weights.py template FOLDER OUT.weights.h5     of the freshly built backbone
    kerashub_weights.py convert FOLDER OUT.weights.h5

Runs in the environment with KerasHub. Prints the seconds that it takes without the imports.
"""

import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import keras_hub


def main():
    what, folder, output = sys.argv[1:]
    began = time.perf_counter()
    build = keras_hub.models.Llama3Backbone.from_preset
    build(folder, load_weights=what == "convert", dtype="bfloat16").save_weights(output)
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
