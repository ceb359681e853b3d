"""Judges the binary: real PyTorch writes, `ptw2k` converts, real Keras loads, and everything is compared.

    judge.py --ptw2k BINARY --work FOLDER [--old-keras VERSION=FOLDER]... [CASE]...

Prints a table and exits with 1 when a case fails.
"""

import argparse
import filecmp
import gc
import os
import pathlib
import shutil
import subprocess
import sys
import time
import traceback
from typing import NamedTuple

# Computes layer by layer; JAX would first compile every layer for every shape, most of a large model's time.
os.environ.setdefault("KERAS_BACKEND", "numpy")

import cases as all_cases
import compare
import keras
import layouts
import numpy as np
import torch
import wrong_schemas

SEED = 20
# The name of the last table, among those of cases.
WRONG_SCHEMAS = "wrong_schemas"
# A conversion of any case takes seconds; more means that something hangs.
TIMEOUT_SECONDS = 300


class Row(NamedTuple):
    """What the report says of a case that holds."""

    tensors: int
    # Of which all are equal.
    variables: int
    difference: float
    seconds: float


def run_tool(binary, *arguments):
    """Runs the binary; its output, or an exception that quotes it."""
    command = [str(part) for part in (binary, *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-3000:]
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(command)}\n{said}")
    return done.stdout + done.stderr


def prepare(case, folder):
    """Both sides' files in `folder`; the module as it was saved and the tool's arguments."""
    module = case.module().eval()
    case.save(module, folder / case.checkpoint)
    keras.utils.set_random_seed(SEED)
    model = case.model()
    if case.template:
        architecture = folder / "template.weights.h5"
        model.save_weights(architecture)
    else:
        architecture = folder / "arch.json"
        architecture.write_text(model.to_json())
    schema = case.schema
    if case.schema_is_text():
        schema = folder / "schema.toml"
        schema.write_text(case.schema)
    return module, model, ["--schema", schema, "--arch", architecture, *case.waivers]


def judge(case, folder, binary):
    """The row of the report; raises on the first thing that is not as it must be."""
    module, model, sides = prepare(case, folder)
    checkpoint, output = folder / case.checkpoint, folder / case.output
    rows = layouts.expected(case.tensors(module), model, case)
    compare.store(folder / "expected.bin", rows)

    started = time.perf_counter()
    run_tool(binary, checkpoint, *sides, "-o", output)
    seconds = time.perf_counter() - started
    run_tool(binary, "verify", checkpoint, output, *sides)
    alone = folder / f"one_thread.{case.output}"
    run_tool(binary, checkpoint, *sides, "-o", alone, "--threads", "1")
    if not filecmp.cmp(output, alone, shallow=False):
        raise RuntimeError("one thread writes other bytes than many")
    alone.unlink()
    if case.notes:
        said = run_tool(binary, "plan", checkpoint, *sides)
        for note in case.notes:
            if note not in said:
                raise RuntimeError(f"the plan does not mention {note!r}")

    datasets = compare.visit_hdf5(output)
    if datasets != len(rows) + case.stored_twice:
        raise RuntimeError(f"{datasets} datasets for {len(rows)} variables")
    if shutil.which("h5dump"):
        subprocess.run(["h5dump", "-H", str(output)], check=True, stdout=subprocess.DEVNULL)

    model.load_weights(output)
    values = {path: value for path, _, value in rows}
    faults = compare.unequal(rows, values, case.ulps)
    if faults:
        raise RuntimeError(f"{len(faults)} of {len(rows)} variables differ\n" + "\n".join(faults[:20]))
    if case.output.endswith(".weights.h5"):
        resaved = folder / "resaved.weights.h5"
        model.save_weights(resaved)
        run_tool(binary, "diff", output, resaved)
        resaved.unlink()
    return Row(len(module.state_dict()), len(rows), outputs_differ_by(case, module, model), seconds)


def outputs_differ_by(case, module, model):
    """Runs both sides on the same random input."""
    model = case.adjust(model)
    worst = 0.0
    for sample in case.samples(np.random.default_rng(SEED)):
        sample = [x.astype(np.float32) if getattr(x, "dtype", None) == np.float64 else x for x in sample]
        tensors = [torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in sample]
        with torch.no_grad():
            want = case.from_torch(case.run(module, *tensors).numpy())
        given = [case.to_keras(x) for x in sample]
        got = model(given[0] if len(given) == 1 else given, training=False)
        worst = max(worst, compare.relative_difference(got, want))
    if not worst <= case.tolerance:
        raise RuntimeError(f"outputs differ by {worst:.1e}, which is more than {case.tolerance:.0e}")
    return worst


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptw2k", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--old-keras", action="append", default=[], metavar="VERSION=FOLDER")
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()

    named = [name for name in options.case if name != WRONG_SCHEMAS]
    cases = all_cases.select(named) if named or not options.case else []
    rows, faults = {}, []
    for case in cases:
        folder = options.work / case.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"  {case.name}", file=sys.stderr, flush=True)
        try:
            rows[case.name] = judge(case, folder, options.ptw2k)
        except Exception as fault:  # one broken case must not hide the others
            traceback.print_exc(limit=-2)
            faults.append(f"{case.name}: {fault}")
        keras.utils.clear_session()
        gc.collect()

    versions = {}
    for option in options.old_keras:
        version, site_packages = option.split("=", 1)
        loadable = [case for case in cases if case.old_keras and case.output.endswith(".weights.h5")]
        names = [case.name for case in loadable if case.name in rows]
        for name, fault in judge_old_keras(version, site_packages, names, options.work).items():
            if fault:
                faults.append(f"{name}, Keras {version}: {fault}")
            else:
                versions.setdefault(name, []).append(version)

    width = max((len(case.name) for case in cases), default=0)
    print(
        f"{'case':{width}} {'schema':34} {'lines':>5} {'tensors':>7} {'variables':>9} {'equal':>6} "
        f"{'outputs differ by':>17} {'seconds':>8}  loaded by Keras"
    )
    for case in cases:
        if case.name in rows:
            row = rows[case.name]
            name, lines = case.schema_size()
            loaded = ", ".join([keras.__version__, *versions.get(case.name, [])])
            print(
                f"{case.name:{width}} {name:34} {lines:5} {row.tensors:7} {row.variables:9} {row.variables:6} "
                f"{row.difference:17.1e} {row.seconds:8.2f}  {loaded}"
            )
        else:
            print(f"{case.name:{width}} {'FAILED':>34}")
    if not options.case or WRONG_SCHEMAS in options.case:
        print()
        faults += wrong_schemas.table(options.work / WRONG_SCHEMAS, options.ptw2k)
    for fault in faults:
        print(f"\nFAILED {fault}")
    print(f"\n{len(cases)} cases, {len(faults)} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
