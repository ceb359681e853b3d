"""What a tensor can be: every dtype that torch can save, quantized, sparse, nested, negated, without data."""

import torch
from case import Reads, Refuses, case

PLAIN = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
)
FLOAT8 = (
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
    torch.float8_e8m0fnu,
)
COMPLEX = (torch.complex32, torch.bcomplex32, torch.complex64, torch.complex128)


def name(dtype):
    return str(dtype).removeprefix("torch.")


def both(make, tensors):
    """In a zip archive and in a legacy stream."""
    legacy = make.save(tensors, "legacy.pt", _use_new_zipfile_serialization=False)
    return [Reads(make.save(tensors), tensors), Reads(legacy, tensors)]


@case("zip, legacy")
def dtypes(make):
    tensors = {name(dtype): make.bits(3, 5, dtype=dtype) for dtype in PLAIN}
    tensors |= {f"{name(dtype)}_view": make.bits(4, 7, dtype=dtype).t()[1:, 1:3] for dtype in PLAIN}
    tensors["bool"] = make.integers(3, 5, low=0, high=2).bool()
    return both(make, tensors)


@case("zip, legacy")
def float8(make):
    """All 256 values of each, and views."""
    every = torch.arange(256).to(torch.uint8)
    tensors = {name(dtype): every.view(dtype).reshape(16, 16) for dtype in FLOAT8}
    tensors |= {f"{name(dtype)}_view": make.bits(5, 7, dtype=dtype).t()[2:] for dtype in FLOAT8}
    return both(make, tensors)


@case("zip, legacy")
def float4(make):
    return both(make, {"packed": make.bits(3, 10, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)})


@case("zip, legacy")
def complex_numbers(make):
    width = {torch.complex32: torch.int32, torch.bcomplex32: torch.int32}
    tensors = {}
    for dtype in COMPLEX:
        bits = (
            make.bits(5, 3, dtype=width[dtype]).view(dtype)
            if dtype in width
            else make.bits(5, 3, dtype=dtype)
        )
        tensors |= {name(dtype): bits, f"{name(dtype)}_view": bits.t()[1:]}
    return both(make, tensors)


@case("zip")
def odd_bools(make):
    """Bytes other than 0 and 1 are true."""
    raw = make.bits(4, 9, dtype=torch.uint8)
    raw[0, :3] = torch.tensor([0, 2, 255], dtype=torch.uint8)
    return Reads(make.save({"mask": raw.view(torch.bool)}), {"mask": raw != 0})


@case("zip")
def conjugated_and_negated(make):
    pairs = make.normal(4, 3, dtype=torch.complex64)
    wide = make.normal(2, 5, dtype=torch.complex128)
    tensors = {
        "conj": pairs.conj(),
        "conj_view": wide.t().conj()[1:4],
        "imag_of_conj": make.normal(3, 2, dtype=torch.complex64).conj().imag,
        "neg": torch._neg_view(make.normal(3, 4)),
        "neg_half": torch._neg_view(make.normal(6, dtype=torch.float16)),
        "neg_conj": torch._neg_view(wide.conj()),
    }
    return Reads(make.save(tensors), tensors)


def quantized(make):
    scales = make.normal(3, dtype=torch.float64).abs() / 7 + 0.01
    zeros = make.integers(3)
    return {
        "qint8": torch.quantize_per_tensor(make.normal(3, 5), 0.037, 3, torch.qint8),
        "quint8": torch.quantize_per_tensor(make.normal(4, 2), 0.021, 101, torch.quint8),
        "qint32": torch.quantize_per_tensor(make.normal(7), 1e-5, 0, torch.qint32),
        "view": torch.quantize_per_tensor(make.normal(3, 5), 0.05, -2, torch.qint8).t(),
        "channels": torch.quantize_per_channel(make.normal(3, 5, 2), scales, zeros, 0, torch.qint8),
        "inner_axis": torch.quantize_per_channel(make.normal(5, 3, 2), scales, zeros + 100, 1, torch.quint8),
        "float_parameters": torch.quantize_per_channel(
            make.normal(3, 4), scales.float(), make.normal(3), 0, torch.quint8
        ),
    }


@case("zip, legacy")
def quantized_values(make):
    return both(make, {"before": make.bits(2), **quantized(make)})


@case("zip")
def quantized_kept(make):
    """`--quantized keep`: the integers, and beside them scale and zero point, of channels their axis too."""
    value = {key: tensor for key, tensor in quantized(make).items() if key != "float_parameters"}
    tensors = {}
    for key, tensor in value.items():
        tensors[key] = tensor.int_repr()
        if tensor.qscheme() is torch.per_tensor_affine:
            tensors[f"{key}.scale"] = torch.tensor(tensor.q_scale(), dtype=torch.float64)
            tensors[f"{key}.zero_point"] = torch.tensor(tensor.q_zero_point())
        else:
            tensors[f"{key}.scale"] = tensor.q_per_channel_scales()
            tensors[f"{key}.zero_point"] = tensor.q_per_channel_zero_points()
            tensors[f"{key}.axis"] = torch.tensor(tensor.q_per_channel_axis())
    return Reads(make.save(value), tensors, arguments=("--quantized", "keep"))


@case("zip")
def quantized_packed(make):
    """Four bits a value: refused by name."""
    scales, zeros = torch.full((2,), 0.1), torch.zeros(2)
    packed = torch.quantize_per_channel(make.normal(2, 4), scales, zeros, 0, torch.quint4x2)
    return Refuses(make.save({"packed": packed}), names=("packed",))


@case("zip")
def sparse(make):
    """`to_dense()` is what is meant; duplicates of a coordinate list add up."""
    at = torch.stack([make.integers(40, low=0, high=5), make.integers(40, low=0, high=3)])
    values = make.normal(40, 2)
    dense = make.normal(6, 8) * make.integers(6, 8, low=0, high=2)
    batches = dense.expand(3, 6, 8).contiguous()
    tensors = {
        "coo": torch.sparse_coo_tensor(at, make.normal(40), (5, 3)),
        "coo_coalesced": dense.to_sparse(),
        "coo_hybrid": torch.sparse_coo_tensor(at, values, (5, 3, 2)),
        "coo_empty": torch.sparse_coo_tensor(torch.empty(2, 0).long(), torch.empty(0), (3, 4)),
        "coo_integers": torch.sparse_coo_tensor(at, make.integers(40), (5, 3)),
        "coo_half": dense.half().to_sparse(),
        "csr": dense.to_sparse_csr(),
        "csr_int32": torch.sparse_csr_tensor(
            torch.tensor([0, 1, 1, 3], dtype=torch.int32),
            torch.tensor([4, 0, 2], dtype=torch.int32),
            make.normal(3),
            (3, 5),
        ),
        "csr_batches": batches.to_sparse_csr(),
        "csc": dense.to_sparse_csc(),
        "bsr": dense.to_sparse_bsr((3, 2)),
        "bsc": dense.to_sparse_bsc((2, 4)),
    }
    return Reads(make.save(tensors), tensors)


@case("zip")
def nested(make):
    """A list of tensors of different sizes is numbered like a list."""
    parts = [make.bits(3, 2), make.bits(5, 2), make.bits(1, 2)]
    value = {"nested": torch.nested.nested_tensor(parts), "weight": make.bits(4)}
    tensors = {f"nested.{i}": part for i, part in enumerate(parts)}
    return Reads(make.save(value), {**tensors, "weight": value["weight"]})


@case("zip")
def nested_jagged(make):
    """The other layout of nested tensors keeps its parts in a subclass: refused by name."""
    jagged = torch.nested.nested_tensor([make.bits(3, 2), make.bits(5, 2)], layout=torch.jagged)
    return Refuses(make.save({"weight": make.bits(4), "jagged": jagged}), names=("jagged",))


@case("zip")
def opaque_bits(make):
    """A dtype that says nothing of its values."""
    return Refuses(make.save({"raw": make.bits(4, dtype=torch.uint8).view(torch.bits8)}), names=("raw",))


@case("zip")
def meta(make):
    """A tensor without data is refused, the others cannot be taken for the whole."""
    value = {"there": make.bits(2), "gone.weight": torch.empty(2, 3, device="meta")}
    return Refuses(make.save(value), names=("gone.weight",))


@case("zip")
def tensors_with_attributes(make):
    """Attributes and types around a tensor do not change its values."""
    weight = make.bits(3, 4)
    weight.note = "kept"
    parameter = torch.nn.Parameter(make.bits(2, 5))
    parameter.tags = {"decay": False}
    tensors = {
        "tensor": weight,
        "parameter": parameter,
        "buffer": torch.nn.Buffer(make.bits(3)),
        "plain": make.bits(1),
    }
    return Reads(make.save(tensors), tensors)
