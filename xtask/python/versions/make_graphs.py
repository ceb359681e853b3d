"""Random graphs in the Keras of this process: `make_graphs.py VERSION FILE SEED COUNT`.

A line of JSON per graph: its seed, `to_json()`, and the variables as Keras walks them.
"""

import json
import sys
import warnings

import absl.logging
import keras

import listing
import make
import random_graphs


def main():
    version, path, seed, count = sys.argv[1:]
    if keras.__version__ != version:
        raise SystemExit(f"this is Keras {keras.__version__}, not {version}")
    warnings.simplefilter("ignore")
    absl.logging.set_verbosity(absl.logging.ERROR)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(int(count)):
            keras.backend.clear_session()
            about = {"seed": int(seed) + number}
            try:
                model = random_graphs.build(about["seed"])
                about |= {"json": model.to_json(), "layers": len(model.layers),
                          "variables": [row.described() for row in listing.walk(model)]}
            except Exception as error:  # told by the driver
                about["fault"] = make.brief(error)
            file.write(json.dumps(about) + "\n")


if __name__ == "__main__":
    main()
