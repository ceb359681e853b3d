"""Tries schemas with one mistake each: which the tool refuses, and which it carries out as they say.

Called by `judge.py`. What a schema says may be possible and still not be what the module computes; then the outputs
of both models show it, and nothing else does.
"""

import re
import subprocess

import compare
import keras
from mistakes import MISTAKES
import numpy as np
import torch
from zoo import randomised

SEED = 30
TOLERANCE = 1e-5
# What a mistake does to the outputs, at least; less would be no mistake.
VISIBLE = 1e-3
TIMEOUT_SECONDS = 60
# How the list of one kind of faults begins.
KIND = re.compile(r"^(\w+): .*\(\d+\)$", re.MULTILINE)


def attempt(mistake, text, module, model, folder, binary):
    """What the tool says of a schema: the kinds of its faults, and by how much the outputs differ."""
    checkpoint, schema, output = (folder / name for name in ("weights.pt", "schema.toml", "out.weights.h5"))
    schema.write_text("schema = 1\n" + text + mistake.rest)
    torch.save(module.state_dict(), checkpoint)
    architecture = folder / ("template.weights.h5" if mistake.template else "arch.json")
    if mistake.template:
        model.save_weights(architecture)
    else:
        architecture.write_text(model.to_json())
    sides = ["--schema", str(schema), "--arch", str(architecture)]

    def run(*arguments):
        command = [str(part) for part in (binary, *arguments, *sides)]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)

    done = run(checkpoint, "-o", output)
    if done.returncode not in (0, 6):
        raise RuntimeError(f"{mistake.name}: exit code {done.returncode}\n{done.stderr}")
    if done.returncode == 6:
        return tuple(dict.fromkeys(KIND.findall(done.stderr))), None
    if run("verify", checkpoint, output).returncode != 0:
        raise RuntimeError(f"{mistake.name}: verify finds other values than the plan's")
    model.load_weights(output)
    return (), outputs_differ_by(mistake.net, module, model)


def outputs_differ_by(net, module, model):
    x = np.random.default_rng(SEED).normal(size=net.shape).astype(np.float32)
    with torch.no_grad():
        want = net.from_torch(net.run(module, torch.from_numpy(x)).numpy())
    return compare.relative_difference(model(net.to_keras(x), training=False), want)


def judge(mistake, folder, binary):
    """The faults and the difference; raises when the right schema fails, or the wrong one does not do as expected."""
    torch.manual_seed(SEED)
    module = randomised(mistake.net.module(), SEED)
    keras.utils.set_random_seed(SEED)
    model = mistake.net.model()
    refused, difference = attempt(mistake, mistake.right, module, model, folder, binary)
    if refused or not difference <= TOLERANCE:
        raise RuntimeError(f"{mistake.name}: the right schema is {refused}, outputs differ by {difference}")
    refused, difference = attempt(mistake, mistake.wrong, module, model, folder, binary)
    if refused != mistake.refused:
        raise RuntimeError(f"{mistake.name}, sizes {mistake.sizes}: {refused} instead of {mistake.refused}")
    if not refused and difference <= VISIBLE:
        raise RuntimeError(f"{mistake.name}: outputs differ by {difference} only")
    return refused, difference


def table(work, binary):
    """A text that says what becomes of each mistake, and the faults of this judge."""
    faults, caught, lines = [], 0, []
    work.mkdir(parents=True, exist_ok=True)
    width = max(len(mistake.name) for mistake in MISTAKES)
    lines.append(f"{'one mistake in a schema':{width}} {'sizes':13} {'ptw2k':30} outputs differ by")
    for mistake in MISTAKES:
        try:
            refused, difference = judge(mistake, work, binary)
        except Exception as fault:  # the others are still tried
            faults.append(f"wrong schema: {fault}")
            lines.append(f"{mistake.name:{width}} {mistake.sizes:13} FAILED")
            continue
        caught += bool(refused)
        said = f"refuses: {', '.join(refused)}" if refused else "carries it out; verify agrees"
        apart = "" if refused else f"{difference:.1e}" if np.isfinite(difference) else "no number"
        lines.append(f"{mistake.name:{width}} {mistake.sizes:13} {said:30} {apart}")
        keras.utils.clear_session()
    lines.append(f"\n{len(MISTAKES)} wrong schemas, {caught} refused, {len(faults)} not as expected")
    return "\n".join(lines), faults
