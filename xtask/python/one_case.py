"""Judging one case: PyTorch writes, `ptw2k` converts, Keras loads, in a process that may judge many."""

import filecmp
import gc
import shutil
import subprocess
import time
import traceback
from typing import NamedTuple

import cases as all_cases
import compare
import keras
import layouts
import numpy as np
import torch

SEED = 20
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


def judge_named(name, work, binary):
    """The row of the case, or what is wrong: one of both is None."""
    (case,) = all_cases.select([name])
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return judge(case, folder, binary), None
    except Exception as fault:  # one broken case must not hide the others
        traceback.print_exc(limit=-2)
        return None, f"{name}: {fault}"
    finally:
        keras.utils.clear_session()
        gc.collect()
