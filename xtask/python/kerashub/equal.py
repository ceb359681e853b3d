"""Comparing two files of Keras weights, dataset by dataset and bit for bit."""

import h5py


def datasets(path):
    """Every dataset of the file: type, shape and bytes by name."""
    found = {}

    def visit(name, node):
        if isinstance(node, h5py.Dataset):
            value = node[()]
            found[name] = (str(value.dtype), value.shape, value.tobytes())

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def unequal(got, want):
    """The names of datasets that differ between two files, and how many there are."""
    got, want = datasets(got), datasets(want)
    return sorted(name for name in got.keys() | want.keys() if got.get(name) != want.get(name)), len(want)
