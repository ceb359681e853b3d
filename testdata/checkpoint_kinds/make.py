"""A state_dict with every kind of tensor that is no plain view, and what torch makes of each."""

import collections
import hashlib
import json
import pathlib
import warnings

import torch
import torch.ao.nn.quantized.dynamic as quantized

FOLDER = pathlib.Path(__file__).resolve().parent
warnings.simplefilter("ignore")


def integers(dtype, *shape):
    storage = {torch.qint8: torch.int8, torch.quint8: torch.uint8, torch.qint32: torch.int32}[dtype]
    limits = torch.iinfo(storage)
    return torch.randint(limits.min, limits.max + 1, shape).to(storage)


def state_dict():
    torch.manual_seed(0)
    entries = collections.OrderedDict()
    for dtype, zero_point in [(torch.qint8, -5), (torch.quint8, 77), (torch.qint32, 123456789)]:
        name = str(dtype).removeprefix("torch.")
        q = torch._make_per_tensor_quantized_tensor(integers(dtype, 7, 11), 0.0123456789, zero_point)
        entries[f"{name}_tensor"] = q
        entries[f"{name}_transposed"] = q.t()
        for axis, size in enumerate((3, 5, 7)):
            scales = torch.rand(size, dtype=torch.float64) + 1e-3
            zeros = torch.randint(0, 100, (size,))
            q = torch._make_per_channel_quantized_tensor(integers(dtype, 3, 5, 7), scales, zeros, axis)
            entries[f"{name}_channels_{axis}"] = q
    for dtype in (torch.qint8, torch.quint8):
        scales, zeros = torch.rand(5), torch.rand(5) * 9
        q = torch._make_per_channel_quantized_tensor(integers(dtype, 3, 5), scales, zeros, 1)
        entries[f"{str(dtype).removeprefix('torch.')}_float_parameters"] = q
    for dtype in (
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
    ):  # fmt: skip
        name = str(dtype).removeprefix("torch.")
        indices = torch.randint(0, 3, (2, 40))
        values = (torch.randn(40) * 50).to(torch.int32 if not dtype.is_floating_point else dtype).to(dtype)
        entries[f"coo_{name}"] = torch.sparse_coo_tensor(indices, values, (3, 3))
    entries["coo_hybrid"] = torch.sparse_coo_tensor(torch.randint(0, 5, (1, 9)), torch.randn(9, 2, 3), (5, 2, 3))
    entries["coo_coalesced"] = entries["coo_float32"].coalesce()
    entries["coo_empty"] = torch.sparse_coo_tensor(size=(2, 3))
    entries["coo_scalar"] = torch.sparse_coo_tensor(torch.zeros(0, 3, dtype=torch.int64), torch.randn(3), ())
    dense = torch.randn(6, 10) * (torch.rand(6, 10) < 0.4)
    entries["csr"] = dense.to_sparse_csr()
    entries["csc"] = dense.to_sparse_csc()
    entries["bsr"] = dense.to_sparse_bsr((2, 5))
    entries["bsc"] = dense.to_sparse_bsc((3, 2))
    batched = dense.expand(2, 3, 6, 10).contiguous() * torch.arange(1, 7).reshape(2, 3, 1, 1)
    entries["csr_batches"] = batched.to_sparse_csr()
    entries["bsr_batches"] = batched.to_sparse_bsr((3, 5))
    entries["csr_int32"] = torch.sparse_csr_tensor(
        torch.tensor([0, 1, 3], dtype=torch.int32), torch.tensor([2, 0, 1], dtype=torch.int32), torch.randn(3), (2, 3)
    )
    entries["csr_dense_axis"] = torch.sparse_csr_tensor(
        torch.tensor([0, 1, 3]), torch.tensor([2, 0, 1]), torch.randn(3, 4), (2, 3, 4)
    )
    for dtype in (torch.complex32, torch.complex128):
        entries[str(dtype).removeprefix("torch.")] = torch.randn(2, 3, dtype=torch.complex64).to(dtype).t()
    z = torch.randn(2, 3, dtype=torch.complex64)
    entries["complex64"] = z
    entries["conj"] = z.conj()
    entries["conj_transposed"] = z.mH
    entries["conj_neg"] = torch._neg_view(z.conj())
    entries["conj_imag"] = z.clone().conj().imag
    for dtype in (torch.int8, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64):
        entries[f"neg_{str(dtype).removeprefix('torch.')}"] = torch._neg_view((torch.randn(2, 3) * 9).to(dtype).t())
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"):
        entries[name] = torch.arange(1.0, 7.0).reshape(2, 3).to(getattr(torch, name)).t()
    parts = [torch.randn(2, 3), torch.randn(4, 5)]
    entries["nested"] = torch.nested.nested_tensor(parts)
    torch.backends.quantized.engine = "fbgemm"
    for prefix, module in [("linear", quantized.Linear(3, 5)), ("cell", quantized.GRUCell(3, 5))]:
        for key, value in module.state_dict().items():
            entries[f"{prefix}.{key}"] = value
    wide = torch.randn(5, 3, dtype=torch.complex128)
    entries["wide"] = wide
    entries["wide_conj"] = wide.t().conj()[1:]
    entries["wide_neg"] = torch._neg_view(wide.t())
    entries["wide_conj_neg"] = torch._neg_view(wide.conj())
    values = torch.randn(40, dtype=torch.complex128)
    entries["coo_complex128"] = torch.sparse_coo_tensor(torch.randint(0, 3, (2, 40)), values, (3, 3))
    entries["csr_complex128"] = (torch.randn(6, 10, dtype=torch.complex128) * (torch.rand(6, 10) < 0.4)).to_sparse_csr()
    return entries


def flat(key, value):
    if isinstance(value, torch.ScriptObject):
        value = value.__getstate__()[0]
    if isinstance(value, (tuple, list)):
        for place, element in enumerate(value):
            yield from flat(f"{key}.{place}", element)
    elif isinstance(value, torch.Tensor) and value.is_nested:
        for place, element in enumerate(value.unbind()):
            yield f"{key}.{place}", element
    elif isinstance(value, torch.Tensor):
        yield key, value


def expected(key, value):
    value = value.detach()
    if value.is_quantized:
        value = value.dequantize()
    elif value.layout != torch.strided:
        value = value.to_dense()
    value = value.resolve_conj().resolve_neg().contiguous()
    values = value.reshape(-1).view(torch.uint8).numpy().tobytes()
    return {
        "name": key,
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.shape),
        "sha256": hashlib.sha256(values).hexdigest(),
    }


def main():
    path = FOLDER / "kinds.pt"
    torch.save(state_dict(), path)
    read = torch.load(path, weights_only=False)
    pairs = [pair for key, value in read.items() for pair in flat(key, value)]
    lines = [json.dumps(expected(key, value)) for key, value in pairs]
    (FOLDER / "expected.json").write_text("[\n " + ",\n ".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
