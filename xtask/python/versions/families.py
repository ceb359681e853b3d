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
    verdicts = load(environment, jobs, folder, "load")
    again = {}
    if environment.version.startswith("3.") and environment.version != newest.version:
        again = load(
            newest,
            [
                (cell, job | {"weights_alone": True, "own": None})
                for cell, job in jobs
                if job["from"] is None and "fault" not in job
            ],
            folder,
            "newest",
        )
    for cell, job in jobs:
        settled = judge.settled(cell, verdicts[identity(job)], said[cell.model])
        outcome.cells.append(settled)
        fault = again.get(identity(job), {}).get("fault")
        if fault and settled.verdict == "equal":
            outcome.cells.append(
                dataclasses.replace(
                    cell, output=f"{cell.output} in {newest.version}", verdict="FAILED", reason=fault
                )
            )
    return outcome


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
