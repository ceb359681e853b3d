"""Builds every model in the Keras of this process, saves it in every form: `make.py VERSION FOLDER [MODEL]...`.

A folder per model, with `expected.json`: the variables as Keras itself walks them, and the files. A model that
cannot be built is a fault, told in `fault.json`.
"""

import contextlib
import io
import json
import pathlib
import shutil
import sys
import traceback

import keras
import numpy as np

import forms
import listing
import offers
from kinds import FILES
from process import begin, brief, kind
from registry import FAMILIES

# Its import adds the models.
import models


def fill(model):
    """Distinct numbers everywhere, so that no place is mistaken for another."""
    seen = set()
    for at, variable in enumerate(v for v in model.variables if listing.is_variable(v)):
        dtype, shape = listing.dtype_name(variable), listing.value(variable).shape
        if id(variable) in seen or "seed" in variable.name or dtype in ("string", "uint32"):
            continue
        seen.add(id(variable))
        count = int(np.prod(shape, dtype=np.int64))
        numbers = (np.arange(count) % 251 / 256 + at % 97).reshape(shape)
        variable.assign(numbers.astype("int64") if "int" in dtype else numbers.astype("float32"))


def saved(form, model, path):
    """Writes one form: what `expected.json` says of it."""
    try:
        forms.save(form, model, path)
    except Exception as error:  # what this Keras cannot write is a cell of the table
        path.unlink(missing_ok=True)
        return {"cannot_save": brief(error), "kind": kind(error)}
    return {"file": path.name}


def built_from_json(about, rows, folder):
    """Adds the variables of the model that Keras builds from its JSON, where that is another one."""
    if "file" not in about:
        return
    keras.backend.clear_session()
    try:
        others = listing.walk_only(forms.load("json", folder / about["file"], None))
    except Exception as error:  # then there is no such model
        about["cannot_load"] = brief(error)
        return
    if [row.place for row in rows if row.variable is not None] != [row.place for row in others]:
        about["variables"] = [row.described() for row in others]


def legacy_names(rows, model, folder):
    import h5py

    for name, group in (("legacy", "/"), ("whole", "model_weights")):
        path = folder / FILES[name]
        if path.exists():
            with h5py.File(path) as file:
                listing.add_legacy(rows, model, file[group])
            return


def make(family, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    offers.ANSWERS.clear()
    keras.backend.clear_session()
    model = family.build()
    answers = dict(offers.ANSWERS)
    fill(model)
    # What is refused is stored in an order of its own.
    rows = [] if family.refused else listing.walk(model)
    about = {form: saved(form, model, folder / FILES[form]) for form in FILES if forms.known(form)}
    if not family.refused:
        legacy_names(rows, model, folder)
        built_from_json(about["json"], rows, folder)
    expected = {
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "model": family.name,
        "custom": family.custom,
        "refused": family.refused,
        "untold": family.told_since > offers.VERSION,
        "class": type(model).__name__,
        "layers": [layer.name for layer in model.layers],
        "offers": answers,
        "forms": about,
        "variables": [row.described() for row in rows],
    }
    (folder / "expected.json").write_text(
        json.dumps(expected, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    return expected


def main():
    version, folder, *only = sys.argv[1:]
    begin(version)
    keras.utils.set_random_seed(20)
    for family in FAMILIES:
        unfit = family.first > offers.VERSION or (family.tensorflow and not offers.tensorflow())
        if unfit or (only and family.name not in only):
            continue
        target = pathlib.Path(folder) / family.name
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                expected = make(family, target)
            lacks = [form for form, about in expected["forms"].items() if "cannot_save" in about]
            print(f"{family.name}: {len(expected['variables'])} variables, cannot save {lacks}", flush=True)
        except Exception as error:  # the other models are still made
            traceback.print_exc()
            (target / "fault.json").write_text(json.dumps(brief(error)))
            print(f"{family.name}: FAILED {brief(error)}", flush=True)


if __name__ == "__main__":
    main()
