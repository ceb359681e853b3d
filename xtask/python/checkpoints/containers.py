"""The containers of `torch.save`: zip archives and legacy streams, with all options that change the bytes."""

import collections
import shutil
import zipfile

import torch
from case import Reads, case
from torch.utils.serialization import config

PROTOCOLS = (2, 3, 4, 5)


def some(make):
    """A small state_dict: several dtypes and ranks, a view, a scalar, an empty tensor, a tied pair."""
    weight = make.bits(3, 5, 2)
    return collections.OrderedDict(
        {
            "encoder.weight": weight,
            "encoder.bias": make.bits(7, dtype=torch.float64),
            "half": make.bits(2, 3, dtype=torch.float16),
            "brain": make.bits(5, dtype=torch.bfloat16),
            "steps": make.bits(dtype=torch.int64),
            "transposed": make.bits(4, 6).t(),
            "empty": torch.empty(0, 3),
            "tied.weight": weight,
            "mask": make.integers(11, low=0, high=2).bool(),
        }
    )


@case("zip")
def plain(make):
    tensors = some(make)
    return Reads(make.save(tensors), tensors)


@case("zip")
def zip_protocols(make):
    cases = []
    for protocol in PROTOCOLS:
        tensors = some(make)
        cases.append(Reads(make.save(tensors, f"p{protocol}.pt", pickle_protocol=protocol), tensors))
    return cases


@case("legacy")
def legacy_protocols(make):
    cases = []
    for protocol in PROTOCOLS:
        tensors = some(make)
        path = make.save(
            tensors, f"p{protocol}.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=False
        )
        cases.append(Reads(path, tensors))
    return cases


@case("zip")
def aligned(make):
    cases = []
    before = config.save.storage_alignment
    try:
        for alignment in (8, 4096):
            config.save.storage_alignment = alignment
            tensors = some(make)
            cases.append(Reads(make.save(tensors, f"a{alignment}.pt"), tensors))
    finally:
        config.save.storage_alignment = before
    return cases


@case("zip")
def without_checksums(make):
    tensors = some(make)
    torch.serialization.set_crc32_options(False)
    try:
        return Reads(make.save(tensors), tensors)
    finally:
        torch.serialization.set_crc32_options(True)


@case("zip")
def skipped_data(make):
    tensors = some(make)
    with torch.serialization.skip_data():
        path = make.save(tensors)
    return Reads(path, {key: torch.zeros_like(tensor) for key, tensor in tensors.items()})


@case("zip")
def renamed_files(make):
    """The archive's folder is named after the file that torch wrote, not after the file that is read."""
    tensors = some(make)
    cases = []
    for name in ("a.b.c", "checkpoint.pth.tar", "Gewichte für Übung.ckpt", "no_extension"):
        cases.append(Reads(make.save(tensors, name), tensors))
    other = make.folder / "model.safetensors.bin"
    shutil.copy(cases[0].path, other)
    return [*cases, Reads(other, tensors)]


@case("zip")
def packed_again(make):
    """Unpacked and packed by another program: no alignment, other order, deflated or not."""
    tensors = some(make)
    path = make.save(tensors)
    cases = []
    for name, method in (("stored.pt", zipfile.ZIP_STORED), ("deflated.pt", zipfile.ZIP_DEFLATED)):
        again = make.folder / name
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(again, "w", method) as target:
            for entry in reversed(source.namelist()):
                target.writestr(entry, source.read(entry))
        cases.append(Reads(again, tensors))
    return cases


@case("zip, legacy")
def many_keys(make):
    """More entries than one batch of the pickle, and than one byte of its memo."""
    tensors = {f"block.{i}.weight": make.bits(1 + i % 3, 2) for i in range(2503)}
    legacy = make.save(tensors, "legacy.pt", _use_new_zipfile_serialization=False)
    return [Reads(make.save(tensors), tensors), Reads(legacy, tensors)]


@case("zip, legacy")
def odd_names(make):
    """Keys are any text."""
    names = (
        "weight",
        "ü.ß",
        "模型.权重",
        "with space",
        "a/b",
        "..",
        "tab\t",
        "quote'\"",
        "0",
        "😀",
        "x" * 300,
    )
    tensors = {name: make.bits(2, at + 1) for at, name in enumerate(names)}
    legacy = make.save(tensors, "legacy.pt", _use_new_zipfile_serialization=False)
    p4 = make.save(tensors, "p4.pt", pickle_protocol=4)
    return [Reads(make.save(tensors), tensors), Reads(legacy, tensors), Reads(p4, tensors)]


@case("zip, legacy")
def views(make):
    """Everything that strides and offsets can say."""
    base = make.bits(7, 5, 3, 2)
    flat = make.bits(60)
    tensors = {
        "transposed": make.bits(5, 7).t(),
        "permuted": base.permute(2, 0, 3, 1),
        "channels_last": make.bits(2, 3, 5, 7).to(memory_format=torch.channels_last),
        "channels_last_3d": make.bits(2, 3, 4, 5, 7).to(memory_format=torch.channels_last_3d),
        "expanded": make.bits(3, 1, 5).expand(3, 4, 5),
        "all_one": make.bits(1).expand(6, 4),
        "slice": base[2:5, 1:, :, 1],
        "steps": flat[3::7],
        "small_of_large": make.bits(1000)[991:994],
        "overlapping": flat.as_strided((5, 4), (2, 3), 1),
        "unfolded": flat.unfold(0, 8, 5),
        "scalar": make.bits(dtype=torch.float64),
        "scalar_of_many": flat[17],
        "empty": torch.empty(2, 0, 3),
        "empty_at_the_end": flat[60:],
        "one_long_stride": torch.empty(100)[::99][:1].copy_(make.bits(1)),
        "double": make.bits(3, 4, dtype=torch.float64)[:, 1:].t(),
        "bytes": make.bits(9, 4, dtype=torch.uint8)[1:, 2],
    }
    legacy = make.save(tensors, "legacy.pt", _use_new_zipfile_serialization=False)
    return [Reads(make.save(tensors), tensors), Reads(legacy, tensors)]


@case("zip, legacy")
def large(make):
    """Storages of some megabytes, seen through strides."""
    weight = make.bits(701, 1103)
    image = make.bits(13, 64, 31, 29).to(memory_format=torch.channels_last)
    tensors = {"weight": weight, "transposed": weight.t(), "part": weight[100:600, 3:1000:7], "image": image}
    legacy = make.save(tensors, "legacy.pt", _use_new_zipfile_serialization=False)
    return [Reads(make.save(tensors), tensors), Reads(legacy, tensors)]


@case("zip, legacy")
def tied(make):
    """One storage under several names, whole and in parts."""
    weight = make.bits(11, 3)
    tensors = {
        "embed.weight": weight,
        "head.weight": weight,
        "rows": weight[4:9],
        "column": weight[:, 1],
        "parameter": torch.nn.Parameter(weight),
        "own": weight.clone(),
    }
    legacy = make.save(tensors, "legacy.pt", _use_new_zipfile_serialization=False)
    return [Reads(make.save(tensors), tensors), Reads(legacy, tensors)]


@case("zip")
def raw_storages(make):
    """Storages as values are tensors of one axis."""
    typed, untyped = make.bits(6, dtype=torch.float64), make.bits(10, dtype=torch.uint8)
    value = {"weight": make.bits(2, 3), "typed": typed.storage(), "untyped": untyped.untyped_storage()}
    return Reads(make.save(value), {"weight": value["weight"], "typed": typed, "untyped": untyped})
