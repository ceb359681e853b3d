"""Faults that are put into what `ptw2k` prints and writes: each has to be noticed."""

import dataclasses
import json
import shlex
import shutil
import sys

import broken
import families
import judge
from environments import HERE
from expected import Expected
from outcome import Outcome

# A run without any.
NOTHING = "nothing"
# Has layers of one shape, and layers with several weights of one.
MODEL = "many_of_a_class"
QUANTIZED = "quantized_int8"
# The versions whose judges are judged: the oldest, the one with the most traps, the newest.
VERSIONS = ("2.15.0", "3.0.5", "3.15.1")


@dataclasses.dataclass(frozen=True)
class Injected:
    """`output` is what is spoilt; `listed` for the listing."""

    fault: str
    output: str
    model: str = MODEL
    # Whether `ptw2k verify` has to see it as well.
    verified: bool = False

    @property
    def form(self):
        """From which it is written: no other tells Keras 2 the modules that an archive names."""
        return "keras" if self.output == "keras" else "json"

    @property
    def title(self):
        return f"{self.fault} in {self.output}"


def faults():
    for each in broken.LISTINGS:
        yield Injected(each.__name__, "listed")
    yield Injected("refuses_all", "listed")
    yield Injected("refuses_nothing", "listed", QUANTIZED)
    yield Injected("crash", "listed")
    for kinds in (broken.HDF5, broken.FILES):
        for output, some in kinds.items():
            for each in some:
                yield Injected(each.__name__, output, verified=each not in broken.BESIDE_VALUES)


def launcher(binary, fault, log, folder):
    """A program that takes the arguments of `ptw2k`."""
    folder.mkdir(parents=True)
    path = folder / "ptw2k"
    command = shlex.join(map(str, (sys.executable, HERE / "broken.py", binary.resolve(), fault, log)))
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def judge_version(environment, options, work):
    """A fault for each that goes unnoticed, and for whatever is found where nothing was injected."""
    folder = work / "injected" / environment.version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    models = folder / "models"
    environment.must_run("make.py", models, MODEL, QUANTIZED, log=folder / "make.log")
    injected, cells, jobs, wrong = [Injected(NOTHING, "all"), *faults()], {}, [], []
    for number, each in enumerate(injected):
        if not (models / each.model).exists() or not fits(each, models):
            continue
        said, own = Expected.read(models / each.model), folder / str(number)
        log = own / "verify.log"
        binary = launcher(options.ptw2k, each.fault, log, own)
        judgement = judge.Judgement(binary, environment, said, own / "files")
        outputs = () if each.output == "listed" else (each.output,)
        judgement.judge((each.form,), judge.kinds.OUTPUTS if each.output == "all" else outputs)
        cells[each] = judgement.cells
        # No file is that of another fault, though it be equal.
        jobs += [(each, cell, job | {"digest": f"{number} {job['digest']}"}) for cell, job in judgement.jobs]
        wrong += [f"{each.title}: {problem}" for problem in problems(each, log)]
    verdicts = families.load(environment, [(cell, job) for _, cell, job in jobs], folder, "load")
    for each, cell, job in jobs:
        said = Expected.read(models / each.model)
        cells[each].append(judge.settled(cell, job, verdicts[families.identity(job)], said))
    noticed = {
        each.title: sorted({cell.reason for cell in some if cell.verdict == "FAILED"})
        for each, some in cells.items()
    }
    # By whom, for whoever doubts it.
    (folder / "noticed.json").write_text(json.dumps(noticed, indent=1, ensure_ascii=False), encoding="utf-8")
    return told(environment, cells, wrong)


def problems(each, log):
    """Whether it was injected, and whether `ptw2k verify` saw it."""
    said = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    if each.fault == NOTHING:
        return ["`ptw2k verify` fails"] if broken.SEEN in said else []
    found = [line for line in said if line.startswith(broken.MISHAP)][:1]
    if broken.SPOILT not in said and not found:
        found.append("is not injected")
    if each.verified and broken.SEEN not in said:
        found.append("`ptw2k verify` does not see it")
    return found


def fits(each, models):
    """Whether this Keras has the form, and can load it from such a source."""
    said = Expected.read(models / each.model)
    return each.output not in judge.kinds.FILES or said.file(each.output) is not None


def told(environment, cells, wrong):
    outcome = Outcome(faults=[f"Keras {environment.version}: {problem}" for problem in wrong])
    for each, some in cells.items():
        is_noticed = any(cell.verdict == "FAILED" for cell in some)
        if each.fault == NOTHING:
            outcome.faults += [
                f"Keras {environment.version}: without a fault, {cell.form} → {cell.output}: {cell.reason}"
                for cell in some
                if cell.verdict == "FAILED"
            ]
        elif not is_noticed:
            outcome.faults.append(f"Keras {environment.version}: {each.title} goes unnoticed: {some}")
    count = len(cells) - 1
    outcome.lines.append(
        f"Keras {environment.version}: {count} faults injected, {len(outcome.faults)} not noticed as they must be"
    )
    return outcome
