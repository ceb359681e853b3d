"""`ptw2k` as a user calls it: the one place that knows its command line."""

import json
import subprocess

# Any of these small files takes milliseconds; more means that something hangs.
TIMEOUT_SECONDS = 60
# Exit codes that say "no", as opposed to a crash: usage, architecture, schema, plan, output.
REFUSALS = (2, 4, 5, 6, 7)
# What it is asked to write. An `.h5` is a whole model where `WHOLE` is said.
OUTPUTS = {
    "weights": "out.weights.h5",
    "sharded": "out.weights.json",
    "legacy": "out.h5",
    "whole": "whole.h5",
    "keras": "out.keras",
}
# Characters of what it says that are kept: the end.
LONGEST_REASON = 800
# How it says that a configuration does not tell the variables.
INSTEAD = "here are the weights that the file holds"
WHOLE = ("--save", "model")
WEIGHTS = ("--save", "weights")


class Refused(Exception):
    """It said no, with the reason."""


class Untold(Refused):
    """It refused the configuration, and listed the weights that the file holds instead."""

    def __init__(self, reason, entries):
        super().__init__(reason)
        self.entries = entries


class Crashed(Exception):
    """It ended as it must never end."""


def run(binary, *arguments):
    """Its standard output, and what it said beside it."""
    command = [str(part) for part in (binary, *arguments)]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Crashed(f"more than {TIMEOUT_SECONDS} s: {' '.join(command)}") from None
    said = " ".join((done.stderr or done.stdout).split())[-LONGEST_REASON:]
    if done.returncode in REFUSALS:
        raise Refused(f"exit code {done.returncode}: {said}")
    if done.returncode != 0:
        raise Crashed(f"exit code {done.returncode}: {said}")
    return done.stdout, said


def inspect(binary, path):
    """What it says of a file: a list of dicts, one per variable."""
    printed, warning = run(binary, "inspect", "--json", path)
    said = json.loads(printed)
    if "variables" not in said:
        raise Refused(f"the file is taken for something else: {list(said)}")
    if INSTEAD in warning:
        raise Untold(warning, said["variables"])
    return said["variables"]


def convert(binary, sources, output_kind, output, version, shard, threads=None):
    """`sources`: checkpoint, architecture, schema. `shard` is the most bytes of one."""
    checkpoint, architecture, schema = sources
    arguments = [checkpoint, "--schema", schema, "--arch", architecture, "--keras", version, "-o", output]
    if output_kind == "sharded":
        arguments += ["--max-shard-size", f"{shard}B"]
    if output_kind in ("whole", "legacy"):
        arguments += WHOLE if output_kind == "whole" else WEIGHTS
    if threads:
        arguments += ["--threads", threads]
    run(binary, *arguments)


def verify(binary, sources, output, version):
    checkpoint, architecture, schema = sources
    options = ["--schema", schema, "--arch", architecture, "--keras", version]
    run(binary, "verify", checkpoint, output, *options)
