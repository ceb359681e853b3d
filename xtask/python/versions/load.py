"""Loads converted files in the Keras of this process: `load.py VERSION JOBS VERDICTS`.

`JOBS` is a list of `{"id", "model", "kind", "file", "from", "checkpoint", "keys", "offers"}`: the family, the kind of
output, the JSON to build from instead of the family's own program, and for each dataset the tensor that holds its
value. `VERDICTS` becomes `{id: fault}`, an empty fault for files whose every variable is equal bit for bit.
"""

import contextlib
import io
import json
import pathlib
import sys

import keras
import numpy as np

import forms
import listing
import models  # noqa: F401: adds to FAMILIES
import offers
import tensors
from process import begin, brief
from registry import FAMILIES

# A value that no tensor has: what it is left at was not loaded.
UNTOUCHED = 119


def built(job, built_before):
    """The model to load into; the same one for the files of one family."""
    key = job["model"], job["from"]
    if key not in built_before:
        built_before.clear()
        keras.backend.clear_session()
        offers.ANSWERS.clear()
        offers.ANSWERS.update(job["offers"])
        if job["from"]:
            model = forms.load("json", job["from"], None)
        else:
            model = next(family for family in FAMILIES if family.name == job["model"]).build()
        built_before[key] = model, listing.walk_only(model)
    model, rows = built_before[key]
    for row in rows:
        if row.variable is not None:
            row.variable.assign(np.full(row.shape, UNTOUCHED, row.stored))
    return model, rows


def loaded(job, built_before):
    """The rows of the model with the file's values."""
    if job["kind"] in ("keras", "whole") and not job.get("weights_alone"):
        model = keras.models.load_model(job["file"], compile=False)
        return listing.walk_only(model)
    model, rows = built(job, built_before)
    model.load_weights(job["file"])
    return rows


def differing(rows, keys, wanted):
    """What is not equal bit for bit; empty when all is."""
    places = {row.weights_h5 for row in rows}
    if places != set(keys):
        return f"other variables: {sorted(places ^ set(keys))[:5]}"
    wrong, variables = [], [row for row in rows if row.variable is not None]
    for row in variables:
        want = wanted[keys[row.weights_h5]]
        got = listing.value(row.variable)
        if got.shape != want.shape or got.tobytes() != want.astype(got.dtype).tobytes():
            wrong.append(row.path)
    return f"{len(wrong)} of {len(variables)} variables differ, first {wrong[0]}" if wrong else ""


def judge(job, built_before, checkpoints):
    rows = loaded(job, built_before)
    if job["checkpoint"] not in checkpoints:
        checkpoints.clear()
        checkpoints[job["checkpoint"]] = tensors.read(job["checkpoint"])
    return differing(rows, job["keys"], checkpoints[job["checkpoint"]])


def main():
    version, jobs, verdicts = sys.argv[1:]
    begin(version)
    built_before, checkpoints, faults = {}, {}, {}
    for job in json.loads(pathlib.Path(jobs).read_text(encoding="utf-8")):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                faults[job["id"]] = judge(job, built_before, checkpoints)
        except Exception as error:  # a cell of the table; the other files are still loaded
            faults[job["id"]] = brief(error)
    pathlib.Path(verdicts).write_text(json.dumps(faults, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
