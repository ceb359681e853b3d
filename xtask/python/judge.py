"""Judges the binary: real PyTorch writes, `ptw2k` converts, real Keras loads, and everything is compared.

    judge.py --ptw2k BINARY --work FOLDER [--old-keras VERSION=FOLDER]... [CASE]...

Prints a table and exits with 1 when a case fails.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import subprocess
import sys

# Computes layer by layer; JAX would first compile every layer for every shape, most of a large model's time.
os.environ.setdefault("KERAS_BACKEND", "numpy")
# A process for each core judges its own cases.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cases as all_cases
import keras
import large
import one_case
import wrong_schemas

# What is judged beside the cases, by its name among theirs: each gives a text and faults.
OTHERS = {"wrong_schemas": wrong_schemas.table, "large": large.report}


def judge_old_keras(version, site_packages, names, work):
    """The same files in an older Keras, in a process of its own: `{case: fault}`."""
    script = pathlib.Path(__file__).with_name("old_keras.py")
    environment = os.environ | {"PYTHONPATH": str(site_packages), "KERAS_BACKEND": "numpy"}
    command = [sys.executable, str(script), version, str(work), *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    faults = {name: "not reached" for name in names}
    for line in done.stdout.splitlines():
        name, separator, fault = line.partition("\t")
        if separator and name in faults:
            faults[name] = fault
    if done.returncode != 0:
        print(done.stderr[-3000:], file=sys.stderr)
    return faults


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptw2k", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--old-keras", action="append", default=[], metavar="VERSION=FOLDER")
    parser.add_argument("case", nargs="*")
    return parser.parse_args()


def in_parallel(options, cases, others):
    """Rows by the case's name, the texts of what is judged beside them, and all faults."""
    rows, texts, faults = {}, [], []
    # Not forked: threads of torch and of Keras do not survive that.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        beside = [pool.submit(OTHERS[name], options.work / name, options.ptw2k) for name in others]
        running = [
            (case, pool.submit(one_case.judge_named, case.name, options.work, options.ptw2k))
            for case in cases
        ]
        for case, task in running:
            row, fault = task.result()
            print(f"  {case.name}", file=sys.stderr, flush=True)
            if fault:
                faults.append(fault)
            else:
                rows[case.name] = row
        for task in beside:
            text, more = task.result()
            texts.append(text)
            faults += more
    return rows, texts, faults


def in_old_kerases(options, names):
    """The versions that load each case's file, and the faults of those that do not."""
    loaded, faults = {name: [keras.__version__] for name in names}, []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = []
        for option in options.old_keras:
            version, site_packages = option.split("=", 1)
            running.append(
                (version, pool.submit(judge_old_keras, version, site_packages, names, options.work))
            )
        for version, task in running:
            for name, fault in task.result().items():
                if fault:
                    faults.append(f"{name}, Keras {version}: {fault}")
                else:
                    loaded[name].append(version)
    return loaded, faults


def table(cases, rows, loaded):
    """A line for each case."""
    width = max((len(case.name) for case in cases), default=0)
    yield (
        f"{'case':{width}} {'schema':34} {'lines':>5} {'tensors':>7} {'variables':>9} {'equal':>6} "
        f"{'outputs differ by':>17} {'seconds':>8}  loaded by Keras"
    )
    for case in cases:
        row = rows.get(case.name)
        if row is None:
            yield f"{case.name:{width}} {'FAILED':>34}"
            continue
        name, lines = case.schema_size()
        versions = ", ".join(loaded.get(case.name, [keras.__version__]))
        yield (
            f"{case.name:{width}} {name:34} {lines:5} {row.tensors:7} {row.variables:9} {row.variables:6} "
            f"{row.difference:17.1e} {row.seconds:8.2f}  {versions}"
        )


def main():
    options = parse()
    named = [name for name in options.case if name not in OTHERS]
    cases = all_cases.select(named) if named or not options.case else []
    others = [name for name in OTHERS if name in options.case or not options.case]
    rows, texts, faults = in_parallel(options, cases, others)

    loadable = [case for case in cases if case.old_keras and case.output.endswith(".weights.h5")]
    loaded, more = in_old_kerases(options, [case.name for case in loadable if case.name in rows])
    faults += more
    print("\n".join(table(cases, rows, loaded)))
    for text in texts:
        print(f"\n{text}")
    for fault in faults:
        print(f"\nFAILED {fault}")
    print(f"\n{len(cases)} cases, {len(faults)} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
