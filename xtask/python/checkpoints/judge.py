"""Comparing what the reader says with what torch has, bit for bit."""

import hashlib
import json
import subprocess
import sys

import torch
from case import Refuses

# Reading any of these small files takes milliseconds; more means that something hangs.
TIMEOUT_SECONDS = 60
# `ptw2k`: the checkpoint cannot be read.
REFUSED = 3
# Names listed of a failure.
NAMES_SHOWN = 8


class Fault(Exception):
    """Something is not as it must be."""


def dense(tensor):
    """The values as a plain tensor, as torch itself computes them."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.resolve_conj().resolve_neg()
    if tensor.dtype is torch.bool:
        # Any byte but 0 is true; comparing is what makes it one byte of value 1.
        tensor = tensor.contiguous().view(torch.uint8) != 0
    # Not `contiguous()`, which leaves odd strides of axes of size one.
    return tensor.clone(memory_format=torch.contiguous_format)


def sha256(tensor):
    """The digest of the contiguous little-endian bytes of a plain tensor."""
    if sys.byteorder != "little":
        raise Fault("the judge runs on little-endian machines only")
    raw = tensor.reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0, dtype=torch.uint8)
    return hashlib.sha256(raw.numpy().tobytes()).hexdigest()


def described(tensor):
    """What `inspect --json --hash` has to say of a tensor."""
    tensor = dense(tensor)
    return str(tensor.dtype).removeprefix("torch."), list(tensor.shape), sha256(tensor)


def run(binary, expectation):
    """One process for one file; its exit code, stdout and stderr."""
    command = [binary, "inspect", "--json", "--hash", *expectation.arguments, expectation.path]
    command = [str(part) for part in command]
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Fault(f"more than {TIMEOUT_SECONDS} s: {' '.join(command)}") from None


def listed(names):
    names = [repr(name) for name in names]
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def refused(done, expectation):
    if done.returncode != REFUSED:
        raise Fault(f"exit code {done.returncode} instead of {REFUSED}: {done.stderr.strip()[-500:]}")
    absent = [name for name in expectation.names if name not in done.stderr]
    if absent:
        raise Fault(f"the refusal does not name {listed(absent)}: {done.stderr.strip()[-500:]}")


def equal(done, expectation):
    """The number of tensors, all of them equal."""
    if done.returncode != 0:
        raise Fault(f"exit code {done.returncode}: {done.stderr.strip()[-1000:]}")
    try:
        said = json.loads(done.stdout)
        under, tensors = ".".join(said["state_dict"]), said["tensors"]
    except (ValueError, LookupError, TypeError) as error:
        raise Fault(f"stdout is not the JSON that was asked for ({error!r}): {done.stdout[:300]!r}") from None
    rows = {}
    for row in tensors:
        name = f"{under}.{row['key']}" if under else row["key"]
        if name in rows:
            raise Fault(f"{name!r} comes twice")
        rows[name] = row

    def full(tensors):
        return {
            f"{expectation.at}.{key}" if expectation.at else key: tensor for key, tensor in tensors.items()
        }

    wanted, beside = full(expectation.tensors), full(expectation.beside)
    roles = full(expectation.roles)
    everything = wanted | beside
    absent = [name for name in everything if name not in rows]
    if absent:
        raise Fault(
            f"{len(absent)} of {len(everything)} tensors are missing: {listed(absent)}; found: {listed(rows)}"
        )
    constants = {
        name for name, row in rows.items() if expectation.constants and row.get("role") == "attribute"
    }
    more = [name for name in rows if name not in everything and name not in constants]
    if more:
        raise Fault(f"{len(more)} tensors too many: {listed(more)}")
    order = [name for name in rows if name in wanted]
    if expectation.ordered and order != list(wanted):
        first = next(name for name, other in zip(order, wanted, strict=True) if name != other)
        raise Fault(f"the order differs, first at {first!r}")

    differ = []
    for name, tensor in everything.items():
        row = rows[name]
        dtype, shape, digest = described(tensor)
        if row["dtype"] != dtype or row["shape"] != shape:
            differ.append(f"{name} is {row['dtype']} {row['shape']} instead of {dtype} {shape}")
        elif row.get("sha256") != digest:
            differ.append(f"{name} ({dtype} {shape}) has other bytes")
        elif name in roles and row.get("role") != roles[name]:
            differ.append(f"{name} is told to be a {row.get('role')} instead of a {roles[name]}")
    silent = [name for name in expectation.warns if name not in done.stderr]
    if silent:
        raise Fault(f"no warning names {listed(silent)}")
    if differ:
        raise Fault(f"{len(differ)} of {len(everything)} tensors differ: {listed(differ)}")
    return len(everything)


def judge(binary, expectation):
    """How many tensors are equal; `None` for a refusal that had to be."""
    done = run(binary, expectation)
    if isinstance(expectation, Refuses):
        return refused(done, expectation)
    return equal(done, expectation)
