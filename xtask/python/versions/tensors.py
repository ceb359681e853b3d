"""New values as a safetensors file, written and read without a library: every Keras has to read it."""

import json
import pathlib
import struct

import ml_dtypes
import numpy as np

NAMES = {
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float64": "F64",
    "int32": "I32",
    "int64": "I64",
    "int8": "I8",
    "uint8": "U8",
}
DTYPES = {
    tag: np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name) for name, tag in NAMES.items()
}


def dtype(name):
    """NumPy's type of that name; whole numbers of other sizes are not among the values."""
    return DTYPES[NAMES[name]]


def random_values(place, shape, dtype):
    """Values for that place, the same in every run, exact in float32: a backend may keep float64 so."""
    random = np.random.default_rng(list(place.encode()))
    if "int" in dtype:
        return random.integers(1, 100, shape).astype(dtype)
    return random.normal(size=shape).astype("float32").astype(DTYPES[NAMES[dtype]])


def write(path, tensors):
    """`tensors`: name to array."""
    header, offset = {}, 0
    for name, array in tensors.items():
        tag = next(tag for tag, dtype in DTYPES.items() if dtype == array.dtype)
        header[name] = {
            "dtype": tag,
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(array.tobytes())


def read(path):
    raw = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, about in json.loads(raw[8 : 8 + length]).items():
        begin, end = about["data_offsets"]
        part = raw[8 + length + begin : 8 + length + end]
        tensors[name] = np.frombuffer(part, DTYPES[about["dtype"]]).reshape(about["shape"])
    return tensors
