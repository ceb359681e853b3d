"""Files in the forms that torch wrote before 1.6, which torch 2.15 reads in the same way: the legacy stream in
pickle protocols 1 to 4, and the tar file, by hand, since no torch writes it any more."""

import collections
import io
import pathlib
import pickle
import struct
import tarfile

import torch

FOLDER = pathlib.Path(__file__).resolve().parent


class Id:
    """A storage or tensor of the tar file, by its number."""

    def __init__(self, number):
        self.number = number


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.number if isinstance(value, Id) else None


def dumps(value):
    return pickle.dumps(value, 2)


def tar_members():
    storages = dumps(2)
    storages += dumps((11, "cpu", torch.FloatStorage)) + struct.pack("<q6f", 6, 0, 1, 2, 3, 4, 5)
    storages += dumps((12, "cuda:0", torch.LongStorage)) + struct.pack("<q2q", 2, -7, 8)
    storages += dumps([(13, 11, 2, 3)])
    tensors = dumps(3)
    for number, storage, kind, size, stride, offset in [
        (21, 11, torch.FloatTensor, (2, 3), (1, 2), 0),
        (22, 12, torch.LongTensor, (2,), (1,), 0),
        (23, 13, torch.FloatTensor, (2,), (2,), 0),
    ]:
        tensors += dumps((number, storage, kind)) + struct.pack("<ii", len(size), 0)
        tensors += struct.pack(f"<{2 * len(size) + 1}q", *size, *stride, offset)
    buffer = io.BytesIO()
    keys = {"w": Id("21"), "n": Id("22"), "view": Id("23"), "again": Id("21")}
    Pickler(buffer, 2).dump(collections.OrderedDict(keys))
    sizes = {"short": 2, "int": 4, "long": 8}
    sys_info = dumps({"protocol_version": 1000, "little_endian": True, "type_sizes": sizes})
    return {"sys_info": sys_info, "pickle": buffer.getvalue(), "tensors": tensors, "storages": storages}


def write_tar(path):
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
        for name, content in tar_members().items():
            # A fraction of a second, as the files that the writer added had one, makes an extended header.
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1480000000.25
            tar.addfile(member, io.BytesIO(content))


def main():
    tensors = {
        "w": torch.arange(15.0).reshape(5, 3).t(),
        "h": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "n": torch.tensor(-7),
        "e": torch.empty(0, 3),
    }
    for protocol in [1, 4]:
        path = FOLDER / f"legacy{protocol}.pt"
        torch.save(tensors, path, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
        read = torch.load(path, weights_only=False)
        assert all(torch.equal(read[key], tensor) for key, tensor in tensors.items())
    write_tar(FOLDER / "tar.pt")
    read = torch.load(FOLDER / "tar.pt", map_location="cpu", weights_only=False)
    expected = {"w": [[0, 2, 4], [1, 3, 5]], "n": [-7, 8], "view": [2, 4], "again": [[0, 2, 4], [1, 3, 5]]}
    assert {key: tensor.tolist() for key, tensor in read.items()} == expected


if __name__ == "__main__":
    main()
