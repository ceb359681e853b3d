"""Every family of layers in one version: make, list, convert, load."""

import dataclasses
import json
import shutil

import judge
from expected import Expected
from outcome import Outcome

# What only TensorFlow can build, and what it stores otherwise than NumPy.
ON_TENSORFLOW = ("lookups", "tf_idf", "adapted_bins", "dtypes")


def on_tensorflow(environment):
    return dataclasses.replace(environment, backend="tensorflow")


def judge_version(environment, newest, options, work):
    """Verdicts on every model; `newest` opens the files once more."""
    title = environment.title
    folder = work / "families" / title.replace(" ", "-")
    only = options.model or (ON_TENSORFLOW if title != environment.version else ())
    models, files = folder / "models", folder / "files"
    if not (options.made and models.exists()):
        shutil.rmtree(models, ignore_errors=True)
        models.mkdir(parents=True)
        environment.must_run("make.py", models, *only, log=folder / "make.log")
    shutil.rmtree(files, ignore_errors=True)
    outcome, jobs, said = Outcome(), [], {}
    for model in sorted(models.iterdir()):
        if only and model.name not in only:
            continue
        if (model / "fault.json").exists():
            reason = json.loads((model / "fault.json").read_text(encoding="utf-8"))
            outcome.faults.append(f"{model.name} cannot be built in Keras {title}: {reason}")
            continue
        said[model.name] = Expected.read(model)
        judgement = judge.Judgement(options.ptw2k, environment, said[model.name], files / model.name)
        judgement.judge()
        outcome.cells += judgement.cells
        jobs += judgement.jobs
    if not only:
        outcome.faults += uncovered(environment, models, folder)
    verdicts = load(environment, jobs, folder, "load")
    again = {}
    if environment.version.startswith("3.") and environment.version != newest.version:
        again = load(
            newest,
            [
                (cell, job | {"weights_alone": True, "own": own_file(said[cell.model], cell.output)})
                for cell, job in jobs
                if job["from"] is None and "fault" not in job
            ],
            folder,
            "newest",
        )
    for cell, job in jobs:
        verdict = judge.settled(cell, job, verdicts[identity(job)], said[cell.model])
        outcome.cells.append(verdict)
        if verdict.verdict == "equal" and identity(job) in again:
            place = dataclasses.replace(cell, output=f"{cell.output} in {newest.version}")
            in_newest = judge.settled(place, job, again[identity(job)], said[cell.model])
            if in_newest.verdict != "equal":
                outcome.cells.append(in_newest)
    return outcome


def own_file(said, form):
    """The older Keras' own file, which the newest may be unable to read."""
    return [(form, str(said.file(form)))] if said.file(form) else []


def uncovered(environment, models, folder):
    """The layers with variables that no model has."""
    log = folder / "coverage.log"
    environment.must_run("coverage.py", models, log=log)
    lines = log.read_text(encoding="utf-8").splitlines()
    return [f"Keras {environment.title}: {line}" for line in lines if line.startswith("UNCOVERED ")]


def identity(job):
    """Equal files of one model need not be loaded twice."""
    return f"{job['model']} {job['kind']} {job['from'] is not None} {job['digest']}"


def load(environment, jobs, folder, name):
    """What that Keras says of each file."""
    once = {identity(job): job | {"id": identity(job)} for _, job in jobs}
    listed, verdicts = folder / f"{name}.jobs.json", folder / f"{name}.verdicts.json"
    listed.write_text(json.dumps(list(once.values()), ensure_ascii=False), encoding="utf-8")
    environment.must_run("load.py", listed, verdicts, log=folder / f"{name}.log")
    return json.loads(verdicts.read_text(encoding="utf-8"))
