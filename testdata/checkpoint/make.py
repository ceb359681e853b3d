"""A state_dict with every way of naming a tensor that torch.save has, and what torch reads back."""

import collections
import hashlib
import json
import pathlib

import torch

FOLDER = pathlib.Path(__file__).resolve().parent


class Attributes(torch.nn.Module):
    """A parameter and a buffer, as a module's own state_dict keeps them."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(10.0).reshape(2, 5))
        self.running = torch.nn.Buffer(torch.arange(3.0))


def numbers(*shape, dtype=torch.float32):
    return (torch.arange(torch.Size(shape).numel()) * 7 % 251).to(dtype).reshape(shape)


def state_dict():
    entries = collections.OrderedDict()
    base = numbers(2, 3, 5, 7)
    entries["base"] = base
    entries["permuted"] = base.permute(3, 1, 0, 2)
    entries["sliced"] = base[1, 1:, ::2, 3]
    entries["scalar_of_base"] = base[1, 2, 3, 4]
    entries["expanded"] = numbers(3, 1).expand(3, 4)
    entries["expanded_scalar"] = torch.tensor(2.5).expand(2, 3)
    entries["overlapping"] = torch.as_strided(numbers(12), (4, 5), (2, 1), 1)
    entries["unfolded"] = numbers(13).unfold(0, 5, 3)
    entries["channels_last"] = numbers(2, 3, 4, 5).to(memory_format=torch.channels_last)
    entries["odd_stride"] = torch.as_strided(numbers(6), (1, 3), (99, 2), 1)
    entries["scalar"] = torch.tensor(-1.5, dtype=torch.float64)
    entries["empty"] = torch.empty(0, 3)
    entries["empty_slice"] = numbers(4)[4:]
    tied = numbers(3, 2)
    entries["tied"] = tied
    entries["tied_again"] = tied
    entries["tied_view"] = tied.view(3, 2)
    entries["tied_otherwise"] = tied.view(2, 3)
    for dtype in [
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
        torch.float16, torch.bfloat16, torch.float32, torch.float64,
        torch.uint16, torch.uint32, torch.uint64,
    ]:  # fmt: skip
        entries[str(dtype).removeprefix("torch.")] = numbers(2, 3, dtype=dtype).t()
    entries["uint16_sliced"] = numbers(9, dtype=torch.uint16)[2:8:3]
    entries["parameter"] = torch.nn.Parameter(numbers(2, 5))
    entries["frozen_parameter"] = torch.nn.Parameter(numbers(5, 2), requires_grad=False)
    with_state = torch.nn.Parameter(numbers(3, 5))
    with_state.partition_dim = 1
    entries["parameter_with_state"] = with_state
    with_attribute = numbers(5, 3)
    with_attribute.note = "kept by torch.save"
    entries["tensor_with_attribute"] = with_attribute
    entries["buffer"] = torch.nn.Buffer(numbers(7))
    entries["parameter_view"] = torch.nn.Parameter(base[0, :, 1:4, 2])
    attributes = Attributes()
    for key, value in attributes.named_parameters():
        entries[f"module.{key}"] = value
    for key, value in attributes.named_buffers():
        entries[f"module.{key}"] = value
    entries["typed_storage"] = torch.storage.TypedStorage([3, 1, 4, 1, 5], dtype=torch.int16)
    entries["untyped_storage"] = torch.UntypedStorage([2, 7, 1, 8])
    return entries


def expected(key, value):
    if isinstance(value, torch.UntypedStorage):
        value = torch.tensor(list(value), dtype=torch.uint8)
    elif isinstance(value, torch.storage.TypedStorage):
        value = torch.tensor(list(value), dtype=value.dtype)
    value = value.detach()
    values = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return {
        "name": key,
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.shape),
        "stride": list(value.stride()),
        "offset": value.storage_offset(),
        "sha256": hashlib.sha256(values).hexdigest(),
    }


def main():
    path = FOLDER / "views.pt"
    torch.save(state_dict(), path)
    read = torch.load(path, weights_only=False)
    lines = [json.dumps(expected(key, value)) for key, value in read.items()]
    (FOLDER / "expected.json").write_text("[\n " + ",\n ".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
