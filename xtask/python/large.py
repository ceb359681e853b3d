"""A dataset of more than 4 GiB, and one behind it: offsets and sizes beyond 32 bits.

The checkpoint is sparse, its numbers stand where an offset of 31 or 32 bits would lose them; the architecture is
written by hand, since Keras would draw every number of it at random.
"""

import json
import shutil
import subprocess
import time

import h5py
import numpy as np

COLUMNS = 1024
ROWS = 5 * 2**30 // (4 * COLUMNS)
UNITS = 7
# Where numbers stand, in bytes of the table: both ends, and beside offsets of which 31 or 32 bits are zeros.
MARKS = (0, 2**31 - 4, 2**31, 2**32 - 4, 2**32, 2**32 + 4, ROWS * COLUMNS * 4 - 4)
SCHEMA = """schema = 1
[target]
flatten = []
[[layer]]
torch = "{layer:embed|head}"
keras = "{layer}"
"""
TIMEOUT_SECONDS = 600


def write_checkpoint(path):
    table = ROWS * COLUMNS * 4
    head = np.random.default_rng(3).normal(size=(UNITS, COLUMNS)).astype(np.float32)
    entries = {
        "embed.weight": {"dtype": "F32", "shape": [ROWS, COLUMNS], "data_offsets": [0, table]},
        "head.weight": {"dtype": "F32", "shape": [UNITS, COLUMNS], "data_offsets": [table, table + head.nbytes]},
    }
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        start = file.tell()
        for number, mark in enumerate(MARKS, start=1):
            file.seek(start + mark)
            file.write(np.float32(number).tobytes())
        file.write(head.tobytes())
    return np.memmap(path, np.float32, "r", start, (ROWS, COLUMNS)), head


def write_architecture(path):
    def layer(class_name, **config):
        return {"module": "keras.layers", "class_name": class_name, "config": config}

    layers = [
        layer("InputLayer", name="ids", batch_shape=[None, 13], dtype="int32"),
        layer("Embedding", name="embed", input_dim=ROWS, output_dim=COLUMNS),
        layer("Dense", name="head", units=UNITS, use_bias=False),
    ]
    config = {"name": "large", "layers": layers}
    path.write_text(json.dumps({"module": "keras", "class_name": "Sequential", "config": config}))


def judge(folder, binary):
    """A line about the conversion; raises when something is not as it must be."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checkpoint, architecture = folder / "large.safetensors", folder / "arch.json"
    schema, output = folder / "schema.toml", folder / "large.weights.h5"
    table, head = write_checkpoint(checkpoint)
    write_architecture(architecture)
    schema.write_text(SCHEMA)
    command = [str(binary), str(checkpoint), "--schema", str(schema), "--arch", str(architecture), "-o", str(output)]
    began = time.perf_counter()
    subprocess.run(command, check=True, timeout=TIMEOUT_SECONDS, capture_output=True)
    seconds = time.perf_counter() - began
    if shutil.which("h5dump"):
        subprocess.run(["h5dump", "-H", str(output)], check=True, stdout=subprocess.DEVNULL)
    with h5py.File(output, "r") as file:
        stored, kernel = file["layers/embedding/vars/0"], file["layers/dense/vars/0"][()]
        # The rows of the marks and those beside them; all others are zeros on both sides.
        marked = {mark // (4 * COLUMNS) + near for mark in MARKS for near in (-1, 0, 1)}
        for row in sorted(marked & set(range(ROWS))):
            if stored[row].tobytes() != table[row].tobytes():
                raise RuntimeError(f"row {row} differs")
    if kernel.tobytes() != np.ascontiguousarray(head.T).tobytes():
        raise RuntimeError("the kernel behind the table differs")
    size = output.stat().st_size
    shutil.rmtree(folder)
    return f"a dataset of {ROWS * COLUMNS * 4 / 2**30:.0f} GiB in a file of {size:,} bytes: equal, {seconds:.1f} s"


def report(folder, binary):
    """The line, and the faults."""
    try:
        return judge(folder, binary), []
    except (RuntimeError, subprocess.SubprocessError) as fault:
        return "a large dataset: FAILED", [f"a large dataset: {fault}"]
