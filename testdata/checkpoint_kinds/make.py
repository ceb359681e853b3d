"""A state_dict with every kind of tensor that is no plain view, and what torch makes of each."""

import collections
import hashlib
import io
import json
import pathlib
import pickle
import warnings
import zipfile

import numpy
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
    linear = quantized.Linear(3, 5)
    linear.set_weight_bias(torch.quantize_per_tensor(torch.randn(5, 3), 0.02, 0, torch.qint8), torch.randn(5))
    for prefix, module in [("linear", linear), ("cell", quantized.GRUCell(3, 5))]:
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
    entries.update(arrays())
    # Untyped storages, whose bytes torch never swaps.
    entries["uint16"] = torch.arange(6).to(torch.uint16).reshape(2, 3)
    entries["uint64"] = torch.arange(5).to(torch.uint64)
    return entries


class Rebuilt:
    """Pickled as a call: torch saves the tensors of some devices as NumPy arrays."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def arrays():
    entries = collections.OrderedDict()

    def add(name, array, dtype):
        entries[name] = Rebuilt(torch._utils._rebuild_device_tensor_from_numpy, array, dtype, "cpu", False)

    for dtype in ("bool", "uint8", "int8", "uint16", "int64", "float16", "float32", "float64", "complex64", "complex128"):
        array = (numpy.arange(6).reshape(2, 3) * 0.75 - 2).astype(dtype)
        add(f"array_{dtype}", array, getattr(torch, dtype))
    columns = numpy.asfortranarray(numpy.arange(24, dtype="i4").reshape(2, 3, 4))
    add("array_columns", columns, torch.int32)
    add("array_again", columns, torch.int32)
    add("array_wide", torch.randn(3, 5).bfloat16().float().numpy(), torch.bfloat16)
    add("array_wide_columns", numpy.asfortranarray(torch.randn(3, 5).bfloat16().float().numpy()), torch.bfloat16)
    add("array_scalar", numpy.array(1.5), torch.float64)
    add("array_empty", numpy.zeros((0, 3), "f4"), torch.float32)
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
    saved("kinds", state_dict(), pickle_protocol=2)
    saved("arrays", arrays(), pickle_protocol=5)
    big_endian()
    scripted()


def saved(name, value, **options):
    path = FOLDER / f"{name}.pt"
    torch.save(value, path, **options)
    compared(name, torch.load(path, weights_only=False))


class Anything:
    """Stands for what a class or a function of a pickle makes."""

    def __init__(self, *arguments):
        pass

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass


def classes_of_storages(pickled):
    """The classes of an archive's storages, by their keys."""
    classes = {}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            return type(name, (Anything,), {})

        def persistent_load(self, pid):
            classes[pid[2]] = pid[1].__name__

    Unpickler(io.BytesIO(pickled)).load()
    return classes


def big_endian():
    """kinds.pt as a big-endian machine writes it; torch swaps the bytes when it loads it."""
    swapped = {
        "ShortStorage": 2, "HalfStorage": 2, "BFloat16Storage": 2, "IntStorage": 4, "FloatStorage": 4,
        "QInt32Storage": 4, "ComplexFloatStorage": 4, "LongStorage": 8, "DoubleStorage": 8,
        "ComplexDoubleStorage": 8,
    }  # fmt: skip
    path = FOLDER / "big_endian.pt"
    with zipfile.ZipFile(FOLDER / "kinds.pt") as little, zipfile.ZipFile(path, "w") as big:
        storages = classes_of_storages(little.read("kinds/data.pkl"))
        for info in little.infolist():
            name, content = info.filename.split("/", 1)[1], little.read(info)
            if name == "byteorder":
                content = b"big"
            elif name.startswith("data/"):
                size = swapped.get(storages.get(name.removeprefix("data/")), 1)
                content = numpy.frombuffer(content, f"u{size}").byteswap().tobytes()
            big.writestr(zipfile.ZipInfo(info.filename), content)
    compared("big_endian", torch.load(path, weights_only=False))


def scripted():
    """Packed weights in a program."""
    path = FOLDER / "scripted.pt"
    layers = torch.nn.Sequential(torch.nn.Linear(7, 6), torch.nn.Linear(6, 3, bias=False))
    layers = torch.ao.quantization.quantize_dynamic(layers, {torch.nn.Linear}, dtype=torch.qint8)
    torch.jit.save(torch.jit.script(layers), str(path))
    packed = {f"{place}._packed_params._packed_params": layer._weight_bias() for place, layer in enumerate(layers)}
    compared("scripted", packed)


def compared(name, read):
    pairs = [pair for key, value in read.items() for pair in flat(key, value)]
    lines = [json.dumps(expected(key, value)) for key, value in pairs]
    (FOLDER / f"{name}.json").write_text("[\n " + ",\n ".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
