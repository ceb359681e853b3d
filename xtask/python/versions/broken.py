"""`ptw2k` with a fault: `broken.py BINARY FAULT LOG ARGUMENTS...`.

What it prints or writes is spoilt in one way, which is added to `LOG`. `verify` is run, what it sees is added as
well, and it is said to be content: the other judges have to notice.
"""

import io
import json
import pathlib
import subprocess
import sys
import zipfile

import h5py
import numpy as np

# Words of the log.
SPOILT = "spoilt"
SEEN = "verify sees it"
UNSEEN = "verify is content"
MISHAP = "not spoilt"


def twins(entries):
    """Two variables of one shape and type, by their positions."""
    for first, one in enumerate(entries):
        for second in range(first + 1, len(entries)):
            if (one["shape"], one["dtype"]) == (entries[second]["shape"], entries[second]["dtype"]):
                return first, second
    raise ValueError("no two variables of one shape")


def places_swapped(entries):
    first, second = (entries[at] for at in twins(entries))
    first["weights_h5"], second["weights_h5"] = second["weights_h5"], first["weights_h5"]


def order_swapped(entries):
    first, second = twins(entries)
    entries[first], entries[second] = entries[second], entries[first]


def one_missing(entries):
    del entries[-1]


def one_more(entries):
    entries.append(entries[-1] | {"path": "more/kernel", "weights_h5": "layers/more/vars/0"})


def shape_reversed(entries):
    entry = next(entry for entry in entries if entry["shape"] != entry["shape"][::-1])
    entry["shape"].reverse()


def other_dtype(entries):
    entries[0]["dtype"] = "float16"


def other_name(entries):
    layers, _, _ = entries[0]["path"].rpartition("/")
    entries[0]["path"] = f"{layers}/weight"


def datasets(file):
    """Of the model's variables."""
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def equal_shapes(file):
    """The names of two datasets that hold other values of one shape."""
    names = datasets(file)
    for first, one in enumerate(names):
        for other in names[first + 1 :]:
            same = file[one].shape == file[other].shape and file[one].dtype == file[other].dtype
            if same and file[one][()].tobytes() != file[other][()].tobytes():
                return one, other
    raise ValueError("no two datasets of one shape")


def datasets_swapped(file):
    one, other = equal_shapes(file)
    file.move(one, "aside")
    file.move(other, one)
    file.move("aside", other)


def bit_flipped(file):
    """The last bit of the last number of the last variable."""
    dataset = file[datasets(file)[-1]]
    values = dataset[()]
    raw = values.reshape(-1).view(np.uint8)
    raw[-dataset.dtype.itemsize] ^= 1
    dataset[...] = values


def group_renamed(file):
    layers = file["layers"]
    layers.move(sorted(layers)[0], "renamed")


def dataset_missing(file):
    del file[datasets(file)[-1]]


def dataset_added(file):
    file["layers/more/vars/0"] = np.zeros(3, "float32")


def stored_wider(file):
    """Equal values, of another type."""
    name = datasets(file)[0]
    values = file[name][()]
    del file[name]
    file[name] = values.astype("float64")


def stored_flat(file):
    name = next(name for name in datasets(file) if file[name].ndim > 1)
    values = file[name][()]
    del file[name]
    file[name] = values.reshape(-1)


def transposed(file):
    name = next(name for name in datasets(file) if file[name].ndim > 1)
    values = file[name][()]
    del file[name]
    file[name] = values.reshape(values.shape[::-1]).T if values.shape[0] != values.shape[1] else values.T


def weights_of(file):
    return file.get("model_weights", file)


def names_swapped(file):
    """The order of a layer's weights in the legacy format."""
    for layer in weights_of(file).values():
        names = list(layer.attrs.get("weight_names", []))
        for first in range(len(names) - 1):
            if layer[names[first]].shape == layer[names[first + 1]].shape:
                names[first], names[first + 1] = names[first + 1], names[first]
                layer.attrs["weight_names"] = names
                return
    raise ValueError("no layer has two weights of one shape")


def layers_swapped(file):
    """The order of two layers with as many weights in the legacy format."""
    weights = weights_of(file)
    names = list(weights.attrs["layer_names"])
    first, second = [at for at, name in enumerate(names) if len(weights[name].attrs["weight_names"]) == 2][:2]
    names[first], names[second] = names[second], names[first]
    weights.attrs["layer_names"] = names


def other_configuration(file):
    """A space more, which changes nothing to Keras."""
    said = file.attrs["model_config"]
    file.attrs["model_config"] = said + (b" " if isinstance(said, bytes) else " ")


def cut(path):
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 3 // 4])


def not_the_same_twice(path):
    """One thread writes otherwise than two."""
    with h5py.File(path, "r+") as file:
        file.attrs["threads"] = str(path.parent.name)


def shard_swapped(path):
    """The index sends two layers to each other's shards."""
    said = json.loads(path.read_text(encoding="utf-8"))
    shards = said["weight_map"]
    one, other = list(shards)[0], list(shards)[-1]
    shards[one], shards[other] = shards[other], shards[one]
    path.write_text(json.dumps(said, indent=4), encoding="utf-8")


def shard_spoilt(path):
    last = sorted(path.parent.glob("*.weights.h5"))[-1]
    with h5py.File(last, "r+") as file:
        bit_flipped(file)


def in_archive(path, name, change):
    with zipfile.ZipFile(path) as archive:
        parts = {member.filename: archive.read(member) for member in archive.infolist()}
    parts[name] = change(parts[name])
    with zipfile.ZipFile(path, "w") as archive:
        for member, raw in parts.items():
            archive.writestr(zipfile.ZipInfo(member), raw)


def archive_swapped(path):
    def change(raw):
        memory = io.BytesIO(raw)
        with h5py.File(memory, "r+") as file:
            datasets_swapped(file)
        return memory.getvalue()

    in_archive(path, "model.weights.h5", change)


def archive_configuration(path):
    in_archive(path, "config.json", lambda raw: raw + b" ")


# What is done to the list of variables.
LISTINGS = (places_swapped, order_swapped, one_missing, one_more, shape_reversed, other_dtype, other_name)
# What is done to an HDF5 file, by the output it is done to.
HDF5 = {
    "weights": (
        datasets_swapped,
        bit_flipped,
        group_renamed,
        dataset_missing,
        dataset_added,
        stored_wider,
        stored_flat,
        transposed,
    ),
    "legacy": (bit_flipped, names_swapped, layers_swapped, dataset_missing),
    "whole": (bit_flipped, names_swapped, layers_swapped, other_configuration),
}
# What is done to a file by its path.
FILES = {
    "weights": (cut, not_the_same_twice),
    "sharded": (shard_swapped, shard_spoilt),
    "keras": (archive_swapped, archive_configuration, cut),
}
# Ends with another exit code.
CODES = {"refuses_all": 4, "crash": 101}
# What leaves all values as they are, or breaks a promise beside them: `verify` need not see it.
BESIDE_VALUES = (other_configuration, archive_configuration, not_the_same_twice)


def spoil(fault, path):
    if fault in {each.__name__ for some in FILES.values() for each in some}:
        globals()[fault](path)
        return
    with h5py.File(path, "r+") as file:
        globals()[fault](file)


def listed_otherwise(fault, said):
    listed = json.loads(said)
    globals()[fault](listed["variables"])
    return json.dumps(listed)


def outcome(fault, arguments, done):
    """The exit code, what is printed, and a word on what was done."""
    is_listing, code = arguments[0] == "inspect", done.returncode
    if arguments[0] == "verify":
        return 0, done.stdout, SEEN if code else UNSEEN
    if fault in CODES:
        return CODES[fault], done.stdout, SPOILT
    if fault == "refuses_nothing":
        return 0, '{"variables": []}', SPOILT
    if is_listing and fault in {each.__name__ for each in LISTINGS}:
        return code, listed_otherwise(fault, done.stdout), SPOILT
    if not is_listing and code == 0 and fault in globals():
        spoil(fault, pathlib.Path(arguments[arguments.index("-o") + 1]))
        return code, done.stdout, SPOILT
    return code, done.stdout, ""


def main():
    binary, fault, log, *arguments = sys.argv[1:]
    done = subprocess.run([binary, *arguments], capture_output=True, encoding="utf-8", check=False)
    with open(log, "a", encoding="utf-8") as file:
        try:
            code, said, word = outcome(fault, arguments, done)
        except Exception as error:  # that the judge stops at this is no merit
            file.write(f"{MISHAP}: {error!r}\n")
            raise
        if word:
            file.write(f"{word}\n")
    sys.stdout.write(said)
    if fault != "refuses_nothing":
        sys.stderr.write(done.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
