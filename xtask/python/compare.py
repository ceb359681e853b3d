"""Comparing what was loaded with what was expected."""

import json

import h5py
import numpy as np


def exactly(path):
    return 0


def unequal(rows, values, ulps=exactly):
    """The paths in `rows` whose bytes differ from `values`, each with how many elements do.

    `ulps` tells, by path, how many units in the last place of the largest value are granted.
    """
    faults = []
    for path, variable, _ in rows:
        got, want = np.asarray(variable.value), values[path]
        if got.shape != want.shape or got.dtype != want.dtype:
            faults.append(f"{path}: {got.dtype}{got.shape} instead of {want.dtype}{want.shape}")
        elif ulps(path):
            apart = np.abs(np.float64(got) - np.float64(want)).max() / np.spacing(np.abs(want).max())
            if not apart <= ulps(path):
                faults.append(f"{path}: {apart:.1f} units in the last place apart, not {ulps(path)}")
        elif got.tobytes() != want.tobytes():
            # As unsigned integers: bits are compared, not numbers, and NaN equals itself.
            bits = [np.frombuffer(a.tobytes(), f"u{a.dtype.itemsize}") for a in (got, want)]
            faults.append(f"{path}: {np.not_equal(*bits).sum()} of {got.size} elements differ")
    return faults


def relative_difference(got, want):
    """The largest difference, relative to the largest expected magnitude."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape:
        raise ValueError(f"output shapes differ: Keras {got.shape}, PyTorch {want.shape}")
    if not np.isfinite(want).all() or np.abs(want).max() == 0:
        raise ValueError("the PyTorch output says nothing: it is zero or not finite")
    return float(np.abs(got - want).max() / np.abs(want).max())


def visit_hdf5(path):
    """Reads every object, attribute and dataset with the reference library; the number of datasets."""
    datasets = 0

    def visit(_, node):
        nonlocal datasets
        for name in node.attrs:
            node.attrs[name]
        if isinstance(node, h5py.Dataset):
            node[()]
            datasets += 1

    with h5py.File(path, "r") as file:
        for name in file.attrs:
            file.attrs[name]
        file.visititems(visit)
    return datasets


def store(path, rows):
    """Keeps expected values for another process: raw bytes and an index (npz knows no bfloat16)."""
    index, offset = [], 0
    with open(path, "wb") as file:
        for name, _, value in rows:
            index.append({"path": name, "shape": value.shape, "dtype": str(value.dtype), "offset": offset})
            offset += file.write(np.ascontiguousarray(value).tobytes())
    path.with_suffix(".json").write_text(json.dumps(index))


def restore(path):
    """What `store` kept, as `{path: array}`."""
    import ml_dtypes

    raw = np.memmap(path, np.uint8, "r")
    values = {}
    for row in json.loads(path.with_suffix(".json").read_text()):
        dtype = np.dtype(getattr(ml_dtypes, row["dtype"], row["dtype"]))
        count = int(np.prod(row["shape"]))
        flat = np.frombuffer(raw, dtype, count, row["offset"])
        values[row["path"]] = flat.reshape(row["shape"])
    return values
