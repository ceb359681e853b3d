"""Weights that bitsandbytes quantized, as its state_dicts hold them, and what it makes of them again.

bitsandbytes (0.50.2 made the files) is none of the pinned packages: without it they stay as they are.
"""

import importlib.util
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

FOLDER = pathlib.Path(__file__).resolve().parent
# Layer: the type of its four-bit numbers, whether their maxima are quantized too, dtype, block, shape.
FOUR_BIT = {
    "nf4": ("nf4", False, "float32", 64, (6, 64)),
    "fp4": ("fp4", False, "float16", 64, (5, 64)),
    "nested": ("nf4", True, "bfloat16", 64, (129, 128)),
    "uneven": ("nf4", False, "bfloat16", 128, (7, 33)),
}


def main():
    import bitsandbytes.functional as functional
    import keras
    import torch

    torch.manual_seed(7)
    state_dict, expected = {}, {}
    for name, (kind, nested, dtype, block, shape) in FOUR_BIT.items():
        weight = torch.randn(*shape).to(getattr(torch, dtype))
        packed, state = functional.quantize_4bit(
            weight, blocksize=block, compress_statistics=nested, quant_type=kind
        )
        state_dict[f"{name}.weight"] = packed
        for key, value in state.as_dict(packed=True).items():
            state_dict[f"{name}.weight.{key}"] = value
        expected[f"{name}/kernel"] = functional.dequantize_4bit(packed, state).float().T.contiguous()
    rows, statistics, _ = functional.int8_vectorwise_quant(torch.randn(6, 11).half())
    state_dict["int8.weight"], state_dict["int8.SCB"] = rows, statistics
    state_dict["int8.weight_format"] = torch.tensor(0, dtype=torch.uint8)
    expected["int8/kernel"] = functional.int8_vectorwise_dequant(rows, statistics).float().T.contiguous()

    inputs, outputs = [], []
    for path, value in expected.items():
        inputs.append(keras.Input((value.shape[0],)))
        layer = keras.layers.Dense(value.shape[1], use_bias=False, name=path.split("/")[0])
        outputs.append(layer(inputs[-1]))
    (FOLDER / "arch.json").write_text(keras.Model(inputs, outputs).to_json())
    torch.save(state_dict, FOLDER / "weights.pt")
    torch.save(expected, FOLDER / "expected.pt")


if __name__ == "__main__" and importlib.util.find_spec("bitsandbytes"):
    main()
