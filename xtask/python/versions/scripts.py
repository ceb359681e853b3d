"""The parts that judge within the process of their Keras: one model at a time, since these are large."""

import shutil

from outcome import Outcome


def applications(environment, options, work):
    arguments = ["--archives"] if options.archives else []
    return run(environment, "applications.py", options, work / "applications", arguments)


def kerashub(environment, options, work):
    return run(environment, "kerashub.py", options, work / "kerashub", [])


def run(environment, script, options, folder, arguments):
    """Every `FAILED` line of the script is a fault, the last line is its sum."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "log.txt"
    code = environment.run(script, options.ptw2k.resolve(), folder, *arguments, log=log)
    lines = log.read_text(encoding="utf-8").splitlines()
    faults = [line.removeprefix("FAILED ") for line in lines if line.startswith("FAILED ")]
    sums = [line for line in lines if line.startswith("Keras")]
    if not sums or (code != 0 and not faults):
        faults.append(f"{script} ended with {code}; see {log}")
    return Outcome(lines=sums, faults=faults)
