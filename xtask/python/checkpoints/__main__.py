"""Real torch writes checkpoints of every kind, `ptw2k inspect` reads them, every bit is compared.

    python checkpoints --work FOLDER [--ptw2k BINARY] [--seed N] [CASE]...

Contents are random: the seed is printed, and the same seed writes the same values. Without a binary the files
are written and nothing is judged. Prints a table and exits with 1 when a case fails.
"""

import os

# Before torch and transformers are imported.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import pathlib
import secrets
import shutil
import sys
import time
import traceback
import warnings

import torch
from case import CASES, Maker

# Their import adds the cases.
import containers
import modules
import scripts
import shards
import trainers
import values

import judge

# Tells that a folder is ours, to be written over.
MARKER = "made_by_xtask_checkpoints"
FAMILIES = (containers, values, modules, trainers, shards, scripts)


def select(only):
    """The cases named in `only`; all of them when it is empty."""
    unknown = set(only) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no case {sorted(unknown)}; there are {[case.name for case in CASES]}")
    return [case for case in CASES if not only or case.name in only]


def prepare(work):
    """A folder that is new, empty, or of an earlier run: nothing else is ever removed."""
    work.mkdir(parents=True, exist_ok=True)
    if any(work.iterdir()) and not (work / MARKER).exists():
        raise SystemExit(f"{work} holds files that no earlier run made: name another folder")
    (work / MARKER).touch()


def run(case, options):
    """The rows of the report: tensors, equal ones, seconds of the reader; or a fault."""
    folder = options.work / case.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    expectations = case.write(Maker(folder, options.seed, case.name))
    expectations = expectations if isinstance(expectations, list) else [expectations]
    tensors, refusals, faults, seconds = 0, 0, [], 0.0
    for expectation in expectations:
        if options.ptw2k is None:
            tensors += len(getattr(expectation, "tensors", ())) + len(getattr(expectation, "beside", ()))
            for tensor in getattr(expectation, "tensors", {}).values():
                judge.described(tensor)
            continue
        started = time.perf_counter()
        try:
            equal = judge.judge(options.ptw2k, expectation)
        except judge.Fault as fault:
            arguments = "".join(f" {argument}" for argument in expectation.arguments)
            faults.append(f"{case.name}: {expectation.path.relative_to(options.work)}{arguments}: {fault}")
        else:
            tensors, refusals = tensors + (equal or 0), refusals + (equal is None)
        seconds += time.perf_counter() - started
    return tensors, refusals, faults, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptw2k", type=pathlib.Path, help="the reader; without it nothing is judged")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    options.work = options.work.resolve()
    prepare(options.work)

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, seed {options.seed}", file=sys.stderr, flush=True)
    rows, faults = [], []
    for case in select(options.case):
        started = time.perf_counter()
        try:
            tensors, refusals, found, seconds = run(case, options)
        except Exception as fault:  # one broken case must not hide the others
            traceback.print_exc(limit=-3)
            tensors, refusals, found, seconds = 0, 0, [f"{case.name}: cannot be judged: {fault}"], 0.0
        faults.extend(found)
        writing = time.perf_counter() - started - seconds
        rows.append((case, tensors, refusals, bool(found), writing, seconds))

    word = {
        (False, False): "equal",
        (False, True): "FAILED",
        (True, False): "written",
        (True, True): "FAILED",
    }
    print(f"{'case':32} {'form':14} {'tensors':>7} {'refused':>7} {'verdict':8} {'written':>8} {'read':>7}")
    for case, tensors, refusals, failed, writing, seconds in rows:
        verdict = word[options.ptw2k is None, failed]
        counts = f"{tensors:7} {refusals:7}"
        print(f"{case.name:32} {case.form:14} {counts} {verdict:8} {writing:6.2f} s {seconds:5.2f} s")
    for fault in faults:
        print(f"\nFAILED {fault}")
    if faults:
        print(f"\nthe same contents again: --seed {options.seed}")
    print(f"\n{len(rows)} cases, {sum(row[1] for row in rows)} tensors, {len(faults)} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
