"""What `ptw2k` has written, judged without Keras."""

import collections
import hashlib
import io
import math
import shutil
import subprocess
import zipfile

import h5py

import product
import tensors

# Bytes of a shard, where no layer of a model has a variable.
LEAST_SHARD = 1
# What is in files of Keras beside the model's variables.
BESIDE = ("optimizer/", "metrics/", "optimizer_weights/")


class Wrong(Exception):
    """A file is not what it has to be."""


def written_files(output):
    """The output's files: shards stand beside their index."""
    if not output.name.endswith(".weights.json"):
        return [output]
    stem = output.name.removesuffix(".weights.json")
    return [output, *sorted(output.parent.glob(f"{stem}_*.weights.h5"))]


def check_hdf5(path):
    """Every object, by h5py and by the tool of the HDF5 library."""
    if not h5py.is_hdf5(path):
        return
    with h5py.File(path) as file:
        file.visititems(lambda name, item: item[()] if isinstance(item, h5py.Dataset) else dict(item.attrs))
    if shutil.which("h5dump"):
        subprocess.run(["h5dump", "-H", str(path)], check=True, stdout=subprocess.DEVNULL)


def shard_size(pairs):
    """The bytes of the greatest layer, which is in one shard, and whether there have to be several then."""
    layers = collections.Counter()
    for row, _ in pairs:
        size = tensors.dtype(row["dtype"]).itemsize
        layers[row["weights_h5"].rpartition("/")[0]] += size * math.prod(row["shape"])
    greatest = max([LEAST_SHARD, *layers.values()])
    return greatest, layers.total() > greatest


def digest(output):
    total = hashlib.sha256()
    for file in written_files(output):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def write(binary, version, output_kind, sources, shard, folder, checked):
    """One output: converted, verified, read by h5py and h5dump, and the same from one thread.

    `checked` are the digests of files that were read so, from another form of the same model.
    """
    shard, has_several = shard
    output = folder / product.OUTPUTS[output_kind]
    folder.mkdir(parents=True)
    product.convert(binary, sources, output_kind, output, version, shard)
    product.verify(binary, sources, output, version)
    files = written_files(output)
    # The index, and two shards at least.
    if output_kind == "sharded" and has_several and len(files) < 3:
        raise product.Crashed(f"one shard for --max-shard-size {shard}B")
    if digest(output) in checked:
        return output
    alone = folder / "alone" / output.name
    alone.parent.mkdir()
    product.convert(binary, sources, output_kind, alone, version, shard, threads=1)
    if digest(alone) != digest(output):
        raise product.Crashed("one thread writes other files than many")
    for file in files:
        check_hdf5(file)
    shutil.rmtree(alone.parent)
    checked.add(digest(output))
    return output


def hdf5_files(path):
    """The weights of a file of Keras, in one HDF5 file or in several."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return [io.BytesIO(archive.read("model.weights.h5"))]
    return [file for file in written_files(path) if h5py.is_hdf5(file)]


def datasets(path):
    """Name to shape, type and bytes, of the variables."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith(BESIDE):
            found[name] = item.shape, item.dtype, item[()]

    for file in hdf5_files(path):
        with h5py.File(file) as opened:
            opened.visititems(visit)
    return found


def same_datasets(ours, own):
    """Each of Keras' own file, with its shape and type, and no other; what HDF5 has no type for may have one."""
    ours, own = ({name: each[:2] for name, each in datasets(path).items()} for path in (ours, own))
    wrong = sorted(name for name in ours.keys() | own.keys() if not is_same(ours.get(name), own.get(name)))
    if wrong:
        first = wrong[0]
        raise Wrong(f"{len(wrong)} other datasets, first {first}: {ours.get(first)}, Keras' {own.get(first)}")


def is_same(ours, own):
    if ours is None or own is None:
        return False
    (shape, dtype), (own_shape, own_dtype) = ours, own
    return shape == own_shape and (dtype == own_dtype or own_dtype.kind == "V")


def carried_over(places, ours, own):
    """What no checkpoint has is as Keras itself wrote it."""
    if not places:
        return
    ours, own = datasets(ours), datasets(own)
    for place in places:
        if place not in ours or ours[place][2].tobytes() != own[place][2].tobytes():
            raise Wrong(f"{place} is not carried over")


def configuration(path):
    """The bytes that describe the model."""
    if path.is_dir():
        return (path / "config.json").read_bytes()
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return archive.read("config.json")
    if path.suffix == ".json":
        return path.read_bytes()
    with h5py.File(path) as file:
        said = file.attrs["model_config"]
    return said if isinstance(said, bytes) else said.encode()


def same_configuration(ours, source):
    if configuration(ours) != configuration(source):
        raise Wrong("another configuration than the source's")
