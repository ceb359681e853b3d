"""Comparing two files of Keras weights, dataset by dataset and bit for bit."""

import h5py


def datasets(path):
    """Every dataset of the file by name."""
    found = {}

    def visit(name, node):
        if isinstance(node, h5py.Dataset):
            found[name] = node[()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def same(got, want):
    return got.dtype == want.dtype and got.shape == want.shape and got.tobytes() == want.tobytes()


def unequal(got, want, through=None):
    """The names of datasets that differ, or that one has alone; `through` first rounds those of `got`."""
    if through:
        got = {name: value.astype(through).astype(value.dtype) for name, value in got.items()}
    names = got.keys() | want.keys()
    return sorted(n for n in names if n not in got or n not in want or not same(got[n], want[n]))
