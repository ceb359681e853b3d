"""Random graphs in the Keras of this process: `make_graphs.py VERSION FILE SEED COUNT`.

A line of JSON per graph: its seed, `to_json()`, and the variables as Keras walks them.
"""

import json
import sys

import keras

import listing
import random_graphs
from process import begin, brief


def main():
    version, path, seed, count = sys.argv[1:]
    begin(version)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(int(count)):
            keras.backend.clear_session()
            about = {"seed": int(seed) + number}
            try:
                model = random_graphs.build(about["seed"])
                about |= {
                    "json": model.to_json(),
                    "layers": len(model.layers),
                    "variables": [row.described() for row in listing.walk(model)],
                }
            except Exception as error:  # told by the driver
                about["fault"] = brief(error)
            file.write(json.dumps(about) + "\n")


if __name__ == "__main__":
    main()
