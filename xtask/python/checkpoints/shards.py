"""safetensors files, and torch.distributed.checkpoint by one process and by two."""

import subprocess
import sys

import safetensors.torch
import torch
import values
from case import Reads, Refuses, case
from torch import nn


@case("safetensors")
def safetensors_dtypes(make):
    tensors = {values.name(dtype): make.bits(3, 5, dtype=dtype) for dtype in values.PLAIN + values.FLOAT8}
    tensors |= {
        "complex64": make.bits(2, 3, dtype=torch.complex64),
        "packed": make.bits(3, 10, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        "bool": make.integers(7, low=0, high=2).bool(),
        "scalar": make.bits(dtype=torch.float64),
        "empty": torch.empty(0, 3),
    }
    path = make.folder / "model.safetensors"
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt", "note": "ü"})
    return Reads(path, tensors, ordered=False)


@case("safetensors")
def safetensors_model(make):
    """`save_model` leaves tied names out."""
    module = make.model(nn.Sequential(nn.Linear(3, 5), nn.Linear(3, 5), nn.BatchNorm1d(5)))
    module[1].weight = module[0].weight
    path = make.folder / "model.safetensors"
    safetensors.torch.save_model(module, str(path))
    return Reads(path, safetensors.torch.load_file(path), ordered=False)


# Processes of the distributed case, and how long they may take: starting torch is what takes the time.
RANKS = 2
TIMEOUT_SECONDS = 180


def nested_state(make):
    """A model, its optimizer's state after a step, and values that are no tensors."""
    module = make.model(
        nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2, dtype=torch.bfloat16))
    )
    optimizer = torch.optim.Adam(module.parameters(), 0.1)
    for parameter in module.parameters():
        parameter.grad = make.normal(*parameter.shape, dtype=parameter.dtype)
    optimizer.step()
    return module, {"model": module.state_dict(), "optim": optimizer.state_dict(), "epoch": 3, "name": "ü"}


@case("dcp")
def dcp_alone(make):
    """One process, a nested dictionary."""
    import torch.distributed.checkpoint as dcp

    module, state = nested_state(make)
    cases = []
    for name, single in (("one_file", True), ("file_per_tensor", False)):
        folder = make.folder / name
        dcp.save(
            state, storage_writer=dcp.FileSystemWriter(folder, single_file_per_rank=single), no_dist=True
        )
        cases.append(Reads(folder, dict(module.state_dict()), at="model", ordered=False))
    return cases


@case("dcp")
def dcp_flat(make):
    """A state_dict as it is, with views and every dtype."""
    import torch.distributed.checkpoint as dcp

    tensors = {values.name(dtype): make.bits(3, 5, dtype=dtype) for dtype in values.PLAIN + values.FLOAT8}
    tensors |= {
        "layer.transposed": make.bits(4, 6).t(),
        "scalar": make.bits(),
        "slice": make.bits(50)[3:40:6],
    }
    folder = make.folder / "flat"
    dcp.save(tensors, checkpoint_id=folder, no_dist=True)
    return Reads(folder, tensors, ordered=False)


@case("dcp")
def dcp_to_torch(make):
    """The tool of torch that makes one file of a folder."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    module, state = nested_state(make)
    folder, path = make.folder / "folder", make.folder / "weights.pt"
    dcp.save(state, checkpoint_id=folder, no_dist=True)
    dcp_to_torch_save(folder, path)
    return Reads(path, dict(module.state_dict()), at="model")


@case("dcp")
def dcp_two_ranks(make):
    """Two processes, sharded unevenly along either axis, and replicated; in both of torch's file formats, and
    one process alone with `torch.save`, which has the whole of what is replicated.
    """
    tensors = {
        "rows": make.bits(5, 4),
        "columns": make.bits(3, 7),
        "deep.rows": make.bits(9, 2, 3, dtype=torch.bfloat16),
        "one_row": make.bits(1, 6),
        "replicated": make.bits(6),
        "plain": make.bits(2, 3, dtype=torch.int64),
    }
    make.save(tensors, "whole.pt")
    command = [sys.executable, "-W", "ignore", __file__, str(make.folder)]
    ranks = [
        subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True) for rank in range(RANKS)
    ]
    said = [rank.communicate(timeout=TIMEOUT_SECONDS)[1] for rank in ranks]
    if any(rank.returncode for rank in ranks):
        raise RuntimeError("\n".join(said)[-3000:])
    whole = {key: tensors[key] for key in ("replicated", "plain")}
    return [
        *(Reads(make.folder / form, tensors, ordered=False) for form in ("dcp", "safetensors")),
        Refuses(make.folder / "part.pt", names=("rows",)),
        Reads(make.folder / "replicated.pt", whole),
    ]


@case("dcp")
def dcp_safetensors_alone(make):
    import torch.distributed.checkpoint as dcp

    tensors = {"layer.weight": make.bits(3, 5), "layer.bias": make.bits(7, dtype=torch.float16)}
    folder = make.folder / "hf"
    writer = dcp.HuggingFaceStorageWriter(
        path=str(folder), fqn_to_index_mapping={"layer.weight": 1, "layer.bias": 2}
    )
    dcp.save(tensors, storage_writer=writer, no_dist=True)
    return Reads(folder, tensors, ordered=False)


def run_rank(folder, rank):
    """One of the processes of `dcp_two_ranks`."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=int(rank), world_size=RANKS)
    mesh = dist.init_device_mesh("cpu", (RANKS,))
    state = torch.load(f"{folder}/whole.pt")
    placements = {
        "rows": Shard(0),
        "columns": Shard(1),
        "deep.rows": Shard(0),
        "one_row": Shard(0),
        "replicated": Replicate(),
    }
    for key, placement in placements.items():
        state[key] = distribute_tensor(state[key], mesh, [placement])
    dcp.save(state, storage_writer=dcp.FileSystemWriter(f"{folder}/dcp"))
    writer = dcp.HuggingFaceStorageWriter(path=f"{folder}/safetensors", save_distributed=True)
    dcp.save(state, storage_writer=writer)
    if rank == "1":
        torch.save({key: state[key] for key in ("plain", "rows")}, f"{folder}/part.pt")
        torch.save({key: state[key] for key in ("replicated", "plain")}, f"{folder}/replicated.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    run_rank(*sys.argv[1:])
