"""Makes Keras files that are broken on purpose, by real h5py and by changes to single bytes.

    python make.py        # h5py, numpy

`README.json` says of each file what is wrong with it, and whether it is to be read or refused.
"""

import io
import json
import pathlib
import struct
import zipfile
import zlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent
CASES = {}
DENSE = json.dumps(
    {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": "s",
            "layers": [
                {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 3], "name": "i"}},
                {
                    "module": "keras.layers",
                    "class_name": "Dense",
                    "config": {"name": "dense", "units": 2},
                    "build_config": {"input_shape": [None, 3]},
                },
            ],
        },
    }
)


def case(name, expect, about):
    """A file that is made by the function below it, from the path to write it to."""
    def add(make):
        path = HERE / name
        path.unlink(missing_ok=True)
        make(path)
        CASES[name] = {"expect": expect, "about": about}
        return make

    return add


def weights(file, kernel=None):
    file.create_group("vars")
    own = file.create_group("layers/dense/vars")
    own["0"] = np.arange(6, dtype="float32").reshape(3, 2) if kernel is None else kernel
    own["1"] = np.zeros(2, "float32")


def valid(**options):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        weights(file)
    return bytearray(buffer.getvalue())


for version in ("earliest", "v108", "v110", "latest"):

    @case(f"libver_{version}.weights.h5", "read", f"libver={version}: other superblocks, groups and layouts")
    def _(path, version=version):
        with h5py.File(path, "w", libver=(version, "latest")) as file:
            weights(file)


@case("dense_links.weights.h5", "read", "a group with its links in a fractal heap")
def _(path):
    with h5py.File(path, "w", libver="latest") as file:
        own = file.create_group("layers/many/vars")
        for n in range(40):
            own[str(n)] = np.full(n % 3 + 1, n, "float32")


@case("dense_attributes.h5", "read", "a legacy file with the attributes of a group in a fractal heap")
def _(path):
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["layer_names"] = np.array([b"dense"])
        group = file.create_group("dense")
        for n in range(20):
            group.attrs[f"other{n}"] = n
        group.attrs["weight_names"] = np.array([b"dense/kernel"])
        group["dense/kernel"] = np.zeros((3, 2), "float32")


@case("big_endian.weights.h5", "read", "big-endian data")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file, np.arange(6, dtype=">f4").reshape(3, 2))


@case("compressed.weights.h5", "read", "chunks, shuffled and deflated")
def _(path):
    with h5py.File(path, "w") as file:
        file.create_group("vars")
        own = file.create_group("layers/dense/vars")
        data = np.arange(6000, dtype="float32").reshape(60, 100)
        own.create_dataset("0", data=data, chunks=(7, 30), compression="gzip", shuffle=True)


@case("hard_links.weights.h5", "read", "one group under two names, as `_query_dense` and `query_dense`")
def _(path):
    with h5py.File(path, "w") as file:
        attention = file.create_group("layers/multi_head_attention")
        attention.create_group("vars")
        for n, name in enumerate(("query_dense", "key_dense", "value_dense", "output_dense")):
            attention.create_group(name + "/vars")["0"] = np.full((2, 3, n + 4), n, "float32")
            attention["_" + name] = attention[name]


@case("committed_type.weights.h5", "refuse", "a committed datatype among the variables")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/vars/2"] = np.dtype("float32")


@case("soft_link.weights.h5", "refuse", "a soft link")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/other"] = h5py.SoftLink("/layers/dense")


@case("external_link.weights.h5", "refuse", "an external link")
def _(path):
    with h5py.File(path, "w", libver="latest") as file:
        weights(file)
        file["layers/other"] = h5py.ExternalLink("/etc/passwd", "/x")


@case("external_storage.weights.h5", "refuse", "data in another file")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/vars"].create_dataset("2", (4,), "float32", external=[("/etc/passwd", 0, 16)])


@case("virtual.weights.h5", "refuse", "a virtual dataset")
def _(path):
    with h5py.File(path, "w", libver="latest") as file:
        weights(file)
        layout = h5py.VirtualLayout((4,), "float32")
        layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
        file["layers/dense/vars"].create_virtual_dataset("2", layout)


@case("user_block.weights.h5", "refuse", "a user block in front")
def _(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        weights(file)


@case("cycle.weights.h5", "refuse", "a group that is below itself")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/again"] = file["layers"]


@case("doubling.weights.h5", "read", "each of 60 groups twice in the one above: 2^60 paths")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        group = file.create_group("layers/deep")
        for _ in range(60):
            below = group.create_group("a")
            group["b"] = below
            group = below


@case("deep.weights.h5", "refuse", "150 groups in one another")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file.create_group("/".join(["a"] * 150))


@case("huge_shape.weights.h5", "refuse", "a dataset of 2^60 elements, of which none is stored")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/vars"].create_dataset("2", (2**40, 2**20), "float32", chunks=(1024, 1024))


@case("unwritten.weights.h5", "read", "a dataset that was never written: zeros")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/vars"].create_dataset("2", (5, 7), "float32")


@case("deflate_bomb.weights.h5", "refuse", "256 MiB of zeros, deflated")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        bomb = file["layers/dense/vars"].create_dataset(
            "2", (2**26,), "float32", chunks=(2**22,), compression="gzip"
        )
        chunk = zlib.compress(bytes(2**24), 9)
        for n in range(16):
            bomb.id.write_direct_chunk((n * 2**22,), chunk)


@case("chunk_bomb.weights.h5", "refuse", "100 datasets of one element, each in a chunk of 32 MiB")
def _(path):
    with h5py.File(path, "w") as file:
        file.create_group("vars")
        own = file.create_group("layers/dense/vars")
        chunk = zlib.compress(bytes(2**25), 9)
        for n in range(100):
            data = own.create_dataset(str(n), (1,), "float32", maxshape=(None,), chunks=(2**23,), compression="gzip")
            if n == 0:
                data.id.write_direct_chunk((0,), chunk)


@case("unknown_filter.weights.h5", "refuse", "a filter that nobody has")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4,))
        plist.set_filter(32123, h5py.h5z.FLAG_OPTIONAL, ())
        h5py.h5d.create(
            file["layers/dense/vars"].id, b"2", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), dcpl=plist
        )
        file["layers/dense/vars/2"].id.write_direct_chunk((0,), bytes(16))


@case("strings.weights.h5", "refuse", "a dataset of strings")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/vars"]["2"] = ["a", "b"]


@case("gap.weights.h5", "refuse", "variable 1 of a layer is missing")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/vars"]["3"] = np.zeros(2, "float32")


@case("named.weights.h5", "refuse", "a variable with a name instead of a number")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/vars"]["position"] = np.zeros(2, "float32")


@case("stray.weights.h5", "refuse", "a dataset beside the variables")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        file["layers/dense/0"] = np.zeros(2, "float32")


def patched(path, old, new, count=1, **options):
    data = valid(**options)
    at = data.find(old)
    assert at >= 0, old
    for _ in range(count):
        data[at : at + len(new)] = new
    path.write_bytes(data)


@case("name_without_text.weights.h5", "refuse", "the attribute `name` refers to a text that is not there")
def _(path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        weights(file)
        file["layers/dense/vars"].attrs["name"] = "dense"
    data = bytearray(buffer.getvalue())
    at = data.find(b"GCOL")
    reference = struct.pack("<IQI", 5, at, 1)
    place = data.find(reference)
    assert place > 0
    data[place : place + 16] = struct.pack("<IQI", 5, at, 77)
    path.write_bytes(data)


@case("name_elsewhere.weights.h5", "refuse", "the attribute `name` refers to a place outside the file")
def _(path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        weights(file)
        file["layers/dense/vars"].attrs["name"] = "dense"
    data = bytearray(buffer.getvalue())
    at = data.find(b"GCOL")
    place = data.find(struct.pack("<IQI", 5, at, 1))
    data[place : place + 16] = struct.pack("<IQI", 5, 2**50, 1)
    path.write_bytes(data)


@case("many_long_names.h5", "refuse", "4,000 names that are one text of 256 KiB")
def _(path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs.create("layer_names", np.array(["x" * 2**18], dtype=object), dtype=h5py.string_dtype())
        file.attrs.create("layer_namez", np.array(["y"] * 4000, dtype=object), dtype=h5py.string_dtype())
    data = bytearray(buffer.getvalue())
    start = data.find(struct.pack("<I", 2**18), 0)
    found = -1
    while start >= 0:
        address, index = struct.unpack_from("<QI", data, start + 4)
        if index == 1 and data[address : address + 4] == b"GCOL":
            found = start
            break
        start = data.find(struct.pack("<I", 2**18), start + 1)
    reference = bytes(data[found : found + 16])
    start = data.find(struct.pack("<I", 1))
    run = 0
    # Every reference of the other list becomes one to the long text, and the list takes the name.
    at = 0
    while at + 16 <= len(data):
        length, address, index = struct.unpack_from("<IQI", data, at)
        if length == 1 and 0 < index <= 4000 and data[address : address + 4] == b"GCOL":
            data[at : at + 16] = reference
            run += 1
            at += 16
        else:
            at += 4
    assert run == 4000, run
    data = data.replace(b"layer_names\x00", b"kayer_names\x00").replace(b"layer_namez\x00", b"layer_names\x00")
    path.write_bytes(data)


@case("snod_twice.weights.h5", "refuse", "an index of a group that names its only part 1,000 times over")
def _(path):
    with h5py.File(path, "w") as file:
        weights(file)
        group = file.create_group("layers/many")
        for n in range(40):
            group.create_group(f"g{n:03}")
    data = bytearray(path.read_bytes())
    at = data.rfind(b"TREE\x00\x00")
    best = None
    at = 0
    while (at := data.find(b"TREE\x00\x00", at)) >= 0:
        entries = struct.unpack_from("<H", data, at + 6)[0]
        if entries > 1:
            best = at
        at += 1
    first = struct.unpack_from("<Q", data, best + 24 + 8)[0]
    entries = struct.unpack_from("<H", data, best + 6)[0]
    for n in range(entries):
        struct.pack_into("<Q", data, best + 24 + 16 * n + 8, first)
    path.write_bytes(data)


@case("tree_cycle.weights.h5", "refuse", "a B-tree whose node is its own child")
def _(path):
    data = valid()
    at = data.find(b"TREE\x00")
    data[at + 5] = 1
    struct.pack_into("<Q", data, at + 24 + 8, at)
    path.write_bytes(data)


@case("lost_layout.weights.h5", "refuse", "a dataset whose header lost its layout")
def _(path):
    data = valid()
    # Message 8 (layout), 24 bytes, version 3, class 1 (contiguous).
    at = data.find(struct.pack("<HH", 8, 24))
    struct.pack_into("<H", data, at, 0)
    path.write_bytes(data)


@case("no_layers.weights.h5", "refuse", "an HDF5 file with groups and no variables")
def _(path):
    with h5py.File(path, "w") as file:
        file.create_group("layers/dense/vars")


@case("legacy_unlisted.h5", "refuse", "a legacy file with a dataset that no list names")
def _(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"dense"])
        group = file.create_group("dense")
        group.attrs["weight_names"] = np.array([b"dense/kernel"])
        group["dense/kernel"] = np.zeros((3, 2), "float32")
        group["dense/bias"] = np.zeros(2, "float32")


@case("legacy_twice.h5", "refuse", "a legacy file that lists a dataset twice")
def _(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"dense"])
        group = file.create_group("dense")
        group.attrs["weight_names"] = np.array([b"dense/kernel", b"dense/kernel"])
        group["dense/kernel"] = np.zeros((3, 2), "float32")


@case("legacy_no_group.h5", "refuse", "a legacy file that lists a layer which is not there")
def _(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"dense", b"gone"])
        group = file.create_group("dense")
        group.attrs["weight_names"] = np.array([b"dense/kernel"])
        group["dense/kernel"] = np.zeros((3, 2), "float32")


@case("legacy_numbers.h5", "refuse", "a legacy file whose list of layers is of numbers")
def _(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.arange(3)


@case("legacy_not_utf8.h5", "refuse", "a legacy file with a layer's name that is not UTF-8")
def _(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"d\xff\xfe"])


def archive(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members:
            # A fixed date, so that the file is the same each time.
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = method
            file.writestr(info, data)


GOOD = [("metadata.json", "{}"), ("config.json", DENSE), ("model.weights.h5", bytes(valid()))]


@case("good.keras", "read", "an archive as it should be")
def _(path):
    archive(path, GOOD)


@case("deflated.keras", "read", "deflated members")
def _(path):
    archive(path, GOOD, zipfile.ZIP_DEFLATED)


@case("streamed.keras", "read", "members with data descriptors")
def _(path):
    class Unseekable(io.RawIOBase):
        def __init__(self, file):
            self.file = file

        def writable(self):
            return True

        def write(self, data):
            return self.file.write(data)

        def seekable(self):
            return False

        def flush(self):
            pass

    with open(path, "wb") as file:
        archive(Unseekable(file), GOOD)


@case("zip64.keras", "read", "zip64 headers")
def _(path):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in GOOD:
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            with file.open(info, "w", force_zip64=True) as member:
                member.write(data.encode() if isinstance(data, str) else data)


@case("bomb.keras", "refuse", "weights of 300 MB, deflated to 300 kB")
def _(path):
    zeros = bytes(valid()) + bytes(300_000_000)
    archive(path, [GOOD[1], ("model.weights.h5", zeros)], zipfile.ZIP_DEFLATED)


@case("config_bomb.keras", "refuse", "a configuration of 100 MB, deflated")
def _(path):
    archive(path, [("config.json", "[" + " " * 100_000_000), GOOD[2]], zipfile.ZIP_DEFLATED)


@case("encrypted.keras", "refuse", "the flag of encryption")
def _(path):
    archive(path, GOOD)
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 8] |= 1
        at += 1
    at = 0
    while (at := data.find(b"PK\x03\x04", at)) >= 0:
        data[at + 6] |= 1
        at += 1
    path.write_bytes(data)


@case("two_weights.keras", "refuse", "two members of one name")
def _(path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = io.BytesIO()
        with h5py.File(other, "w") as file:
            weights(file, np.full((3, 2), 9, "float32"))
        archive(path, [*GOOD, ("model.weights.h5", other.getvalue())])


@case("overlap.keras", "refuse", "a member's header says another name than the directory")
def _(path):
    archive(path, GOOD)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"model.weights.h5", b"m0del.weights.h5", 1))


@case("npz.keras", "refuse", "model.weights.npz, which Keras writes where h5py is missing")
def _(path):
    archive(path, [GOOD[1], ("model.weights.npz", b"PK\x05\x06" + bytes(18))])


@case("cut.keras", "refuse", "the end is missing")
def _(path):
    archive(path, GOOD)
    path.write_bytes(path.read_bytes()[:-100])


@case("wrong_size.keras", "refuse", "a stored member that is longer than the archive")
def _(path):
    archive(path, GOOD)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<II", data, at + 20, 2**31, 2**31)
    path.write_bytes(data)


@case("legacy_inside.keras", "refuse", "legacy weights in an archive")
def _(path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = np.array([b"dense"])
        group = file.create_group("dense")
        group.attrs["weight_names"] = np.array([b"dense/kernel"])
        group["dense/kernel"] = np.zeros((3, 2), "float32")
    archive(path, [GOOD[1], ("model.weights.h5", buffer.getvalue())])


def shard(name):
    with h5py.File(HERE / name, "w") as file:
        weights(file)


shard("part_00000.weights.h5")
with h5py.File(HERE / "part_00001.weights.h5", "w") as file:
    file.create_group("layers/dense_1/vars")["0"] = np.ones((2, 5), "float32")


def index(path, weight_map, total=None):
    metadata = {} if total is None else {"metadata": {"total_size": total}}
    path.write_text(json.dumps({**metadata, "weight_map": weight_map}))


FIRST, SECOND = "part_00000.weights.h5", "part_00001.weights.h5"
BOTH = {"/layers/dense/vars": [FIRST], "/layers/dense_1/vars": SECOND}


@case("part.weights.json", "read", "an index with a string and a list")
def _(path):
    index(path, BOTH, 72.0)


@case("plain_keys.weights.json", "read", "keys without `/` and `/vars`, and no total")
def _(path):
    index(path, {"layers/dense": FIRST, "layers/dense_1": SECOND})


@case("part_total.weights.json", "refuse", "another total")
def _(path):
    index(path, BOTH, 73.0)


@case("parent.weights.json", "refuse", "a shard in the folder above")
def _(path):
    index(path, {**BOTH, "/x/vars": "../part_00000.weights.h5"})


@case("absolute.weights.json", "refuse", "a shard by an absolute path")
def _(path):
    index(path, {**BOTH, "/x/vars": "/etc/passwd"})


@case("missing_shard.weights.json", "refuse", "a shard that is not there")
def _(path):
    index(path, {**BOTH, "/x/vars": "part_00002.weights.h5"})


@case("lacking_shard.weights.json", "refuse", "a group that the shard does not hold")
def _(path):
    index(path, {**BOTH, "/layers/dense_2/vars": SECOND})


@case("unlisted.weights.json", "refuse", "a shard with a group that the index does not name")
def _(path):
    index(path, {"/layers/dense/vars": [FIRST, SECOND]})


@case("itself.weights.json", "refuse", "an index that names itself")
def _(path):
    index(path, {"/layers/dense/vars": "itself.weights.json"})


@case("same_group.weights.json", "refuse", "a group twice, with and without `/`")
def _(path):
    index(path, {"/layers/dense/vars": FIRST, "layers/dense": FIRST})


@case("no_map.weights.json", "refuse", "a map that is a list")
def _(path):
    index(path, [])


@case("numbers.weights.json", "refuse", "shards that are numbers")
def _(path):
    index(path, {"/layers/dense/vars": [1]})


rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(case)}" for name, case in sorted(CASES.items()))
(HERE / "README.json").write_text("{\n" + rows + "\n}\n")
