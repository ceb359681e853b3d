"""Every family of layers in every version: make, list, convert, load."""

import concurrent.futures
import json
import os
import shutil
import sys
import time

import judge
import table
from expected import Expected


def run(options):
    """The number of faults."""
    work = options.work.resolve() / "families"
    work.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(judge_version, environment, options, work) for environment in options.keras]
        cells, faults = [], []
        for environment, done in zip(options.keras, runs):
            try:
                found, lost = done.result()
                cells += found
                faults += lost
            except Exception as error:  # the other versions are still told
                faults.append(f"Keras {environment.version}: {error}")
    text, failed = table.report(cells, faults)
    print(text)
    (options.work / "keras-versions.md").write_text(text, encoding="utf-8")
    return failed


def judge_version(environment, options, work):
    """All cells of a version, and what could not be judged."""
    version, began = environment.version, time.perf_counter()
    models, made_files = work / version / "models", work / version / "files"
    if not (options.made and models.exists()):
        shutil.rmtree(models, ignore_errors=True)
        models.mkdir(parents=True)
        environment.run("make.py", version, models, *options.model, log=work / version / "make.log")
    progress(f"Keras {version}: models made", began)
    faults, cells, jobs, said = [], [], [], {}
    shutil.rmtree(made_files, ignore_errors=True)
    for folder in sorted(models.iterdir()):
        if options.model and folder.name not in options.model:
            continue
        if (folder / "fault.json").exists():
            reason = json.loads((folder / "fault.json").read_text(encoding="utf-8"))
            faults.append(f"Keras {version}, {folder.name}: cannot be built: {reason}")
            continue
        said[folder.name] = Expected.read(folder)
        found, wanted = judge.judge(options.ptw2k, version, said[folder.name], made_files / folder.name)
        cells += found
        jobs += wanted
    progress(f"Keras {version}: files written", began)
    verdicts = load(environment, jobs, work / version, "load")
    strict = {}
    if options.strict and version.startswith("3.") and version != options.strict.version:
        alone = [(cell, job | {"weights_alone": True}) for cell, job in jobs if job["from"] is None]
        strict = load(options.strict, alone, work / version, "strict")
    for cell, job in jobs:
        cells.append(judge.settled(cell, verdicts[identity(job)], said[cell.model]))
        if strict.get(identity(job)) and cells[-1].verdict == "equal":
            cells.append(judge.strictly(cell, options.strict.version, strict[identity(job)]))
    progress(f"Keras {version}: files loaded", began)
    return cells, faults


def identity(job):
    """Equal files of one model need not be loaded twice."""
    return f"{job['model']} {job['kind']} {job['from'] is not None} {job['digest']}"


def load(environment, jobs, folder, name):
    """What that Keras says of each file."""
    once = {identity(job): job | {"id": identity(job)} for _, job in jobs}
    listed, verdicts = folder / f"{name}.jobs.json", folder / f"{name}.verdicts.json"
    listed.write_text(json.dumps(list(once.values()), ensure_ascii=False), encoding="utf-8")
    environment.run("load.py", environment.version, listed, verdicts, log=folder / f"{name}.log")
    return json.loads(verdicts.read_text(encoding="utf-8"))


def progress(text, began):
    print(f"  {text} after {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
