"""Loads converted files in the Keras of this process: `load.py VERSION JOBS VERDICTS`.

`JOBS` is a list of `{"id", "model", "kind", "file", "from", "checkpoint", "keys", "offers", "own"}`: the family,
the kind of output, the JSON to build from instead of the family's own program, for each dataset the tensor that
holds its value, and Keras' own files, which are asked for where ours is not read. `VERDICTS` becomes
`{id: {"fault", "kinds", "own"}}`, an empty fault for files whose every variable is equal bit for bit; `own` is a
list of `[fault, kinds]`, of those of Keras' own files that are not read back either. The kinds tell whether both fail
in the same way.
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
import make
import offers
import tensors
from expected import Expected
from process import begin, brief, kind
from registry import FAMILIES

# Its import adds the models.
import models

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


class Wrong(Exception):
    """What was loaded is not what was saved; `kinds` are the variables, or what else is wrong."""

    def __init__(self, message, kinds):
        super().__init__(message)
        self.kinds = kinds


def kinds(error):
    """What went wrong, of which two errors may have the same."""
    return error.kinds if isinstance(error, Wrong) else [kind(error)]


def said_of(error):
    return str(error) if isinstance(error, Wrong) else brief(error)


def compare(rows, keys, wanted):
    """Raises unless all is equal bit for bit."""
    rows = [row for row in rows if row.known or row.weights_h5 in keys]
    # A legacy template has a variable once that a layer holds under two names.
    known = {id(row.variable) for row in rows if row.weights_h5 in keys}
    rows = [row for row in rows if row.weights_h5 in keys or id(row.variable) not in known]
    places = {row.weights_h5 for row in rows}
    if places != set(keys):
        raise Wrong(f"other variables: {sorted(places ^ set(keys))[:5]}", ["other variables"])
    wrong, variables = [], [row for row in rows if row.variable is not None]
    for row in variables:
        want = wanted[keys[row.weights_h5]]
        got = listing.value(row.variable)
        if got.shape != want.shape or got.tobytes() != want.astype(got.dtype).tobytes():
            wrong.append(row.path)
    if wrong:
        raise Wrong(f"{len(wrong)} of {len(variables)} variables differ, first {wrong[0]}", wrong)


def judge(job, built_before, checkpoints):
    """Raises when the file is not what it has to be; a fault that was found before is only passed on."""
    if "fault" in job:
        raise Wrong(job["fault"], [])
    rows = loaded(job, built_before)
    if job["checkpoint"] not in checkpoints:
        checkpoints.clear()
        checkpoints[job["checkpoint"]] = tensors.read(job["checkpoint"])
    compare(rows, job["keys"], checkpoints[job["checkpoint"]])


def judge_own(job, form, path):
    """Raises when Keras does not get back from its own file what it wrote."""
    path = pathlib.Path(path)
    wanted = Expected.read(path.parent).rows(form)
    keras.backend.clear_session()
    offers.ANSWERS.clear()
    offers.ANSWERS.update(job["offers"])
    family = next(family for family in FAMILIES if family.name == job["model"])
    weights_alone = "legacy" if job.get("weights_alone") and form in forms.WITH_WEIGHTS else form
    rows = listing.walk_only(forms.load(weights_alone, path, family.build))
    described = [(row.path, row.shape, row.weights_h5) for row in rows]
    if described != [(row["path"], row["shape"], row["weights_h5"]) for row in wanted if row["path"]]:
        raise Wrong("Keras builds another model from its own file", ["other variables"])
    if not forms.holds_values(form):
        return
    keras.backend.clear_session()
    original = family.build()
    make.fill(original)
    values = {row.path: listing.value(row.variable).tobytes() for row in listing.walk_only(original)}
    both = [row for row in rows if row.path in values]
    wrong = [row.path for row in both if values[row.path] != listing.value(row.variable).tobytes()]
    if wrong:
        raise Wrong(f"{len(wrong)} values of its own file are not restored, first {wrong[0]}", wrong)


def fault(function, *arguments):
    """What it raises, and of which kind; nothing when all is well."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            function(*arguments)
        except Exception as error:  # a cell of the table; the other files are still loaded
            return said_of(error), kinds(error)
    return "", []


def main():
    version, jobs, verdicts = sys.argv[1:]
    begin(version)
    built_before, checkpoints, said = {}, {}, {}
    for job in json.loads(pathlib.Path(jobs).read_text(encoding="utf-8")):
        reason, ours = fault(judge, job, built_before, checkpoints)
        own = [fault(judge_own, job, form, path) for form, path in job["own"]] if reason else []
        said[job["id"]] = {"fault": reason, "kinds": ours, "own": [each for each in own if each[0]]}
        if reason:
            built_before.clear()
    pathlib.Path(verdicts).write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
