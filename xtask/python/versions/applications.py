"""Every model of `keras.applications` in the Keras of this process, listed by `ptw2k` from each of its files.

    applications.py VERSION BINARY FOLDER [--archives] [MODEL]...

The weights are zeros, which are made at once and take no memory. With `--archives` the models are saved as
`.keras` and `.weights.h5` too, one at a time: several GB go through the folder.
"""

import inspect
import pathlib
import shutil
import sys
import time
import zipfile

import keras
import numpy as np
from keras.src.initializers import random_initializers

import expected
import listing
import product
from process import begin, brief


def zeros_everywhere():
    """Takes the random initializers' place."""

    def zeros(self, shape, dtype=None, **_):
        return keras.ops.convert_to_tensor(np.zeros(shape, dtype or "float32"))

    for _, member in inspect.getmembers(random_initializers, inspect.isclass):
        if member.__module__ == random_initializers.__name__ and "__call__" in vars(member):
            member.__call__ = zeros


def constructors(only):
    found = inspect.getmembers(keras.applications, inspect.isfunction)
    return [(name, build) for name, build in found if not only or name in only]


def judge(binary, name, build, folder, archives):
    """The number of variables, once all forms are listed as Keras walks them."""
    keras.backend.clear_session()
    model = build(weights=None)
    rows = [row.described() for row in listing.walk_only(model)]
    said = {"json": folder / f"{name}.json"}
    said["json"].write_text(model.to_json(), encoding="utf-8")
    if archives:
        said["keras"], said["weights"] = folder / f"{name}.keras", folder / f"{name}.weights.h5"
        model.save(said["keras"])
        with zipfile.ZipFile(said["keras"]) as archive, archive.open("model.weights.h5") as inner:
            with open(said["weights"], "wb") as file:
                shutil.copyfileobj(inner, file, 1 << 22)
    for form, path in said.items():
        expected.placed(product.inspect(binary, path), rows, form)
        path.unlink()
    return len(rows)


def main():
    version, binary, folder, *options = sys.argv[1:]
    archives = "--archives" in options
    only = [option for option in options if option != "--archives"]
    begin(version)
    zeros_everywhere()
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    models, variables, faults = constructors(only), 0, 0
    for name, build in models:
        began = time.perf_counter()
        try:
            count = judge(binary, name, build, folder, archives)
        except Exception as fault:  # the other models are still judged
            faults += 1
            print(f"FAILED {name}: {brief(fault)}", flush=True)
            continue
        variables += count
        print(
            f"  {name}: {count} variables, {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True
        )
    forms = "JSON, .keras, .weights.h5" if archives else "JSON"
    print(
        f"Keras {version}: {len(models)} applications ({forms}), {variables} variables, {faults} with differences"
    )
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
