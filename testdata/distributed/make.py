"""Checkpoints that torch.distributed.checkpoint writes, by one process and by several, and what torch reads."""

import hashlib
import json
import os
import pathlib
import shutil
import socket

import torch
import torch.distributed.checkpoint as dcp
from torch import distributed
from torch.distributed.checkpoint import FileSystemWriter, HuggingFaceStorageWriter
from torch.distributed.checkpoint.filesystem import SerializationFormat
from torch.distributed.checkpoint.state_dict import get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

FOLDER = pathlib.Path(__file__).resolve().parent


def numbers(*shape, dtype=torch.float32):
    return (torch.arange(torch.Size(shape).numel()) * 7 % 251).to(dtype).reshape(shape)


def expect(name, path, tensors):
    """Writes what is expected of the folder `name`, whose state_dict is at `path`."""
    entries = []
    for key, tensor in tensors.items():
        data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        digest = hashlib.sha256(data).hexdigest()
        entries.append([key, str(tensor.dtype).removeprefix("torch."), list(tensor.shape), digest])
    text = json.dumps({"path": path, "tensors": entries}, indent=1) + "\n"
    (FOLDER / f"{name}.json").write_text(text)


FULL = {
    "row": numbers(5, 4),
    "column": numbers(3, 4, dtype=torch.bfloat16),
    "replicated": numbers(3, 5),
    "one_row": numbers(1, 7),
    "int64": numbers(7, dtype=torch.int64),
    "inner": numbers(2, 3, 5, 7, dtype=torch.float64),
    "bool": numbers(6, 3) > 100,
}
PLACES = {
    "row": [Shard(0)],
    "column": [Shard(1)],
    "replicated": [Replicate()],
    "one_row": [Shard(0)],
    "int64": [Shard(0)],
    "inner": [Shard(2)],
    "bool": [Shard(1)],
}
PLAIN = {"plain": numbers(2), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}
GRID = {"both": numbers(5, 7), "hybrid": numbers(7, 3), "twice": numbers(9, 2)}
GRID_PLACES = {
    "both": [Shard(0), Shard(1)],
    "hybrid": [Replicate(), Shard(0)],
    "twice": [Shard(0), Shard(0)],
}


def module():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 7, bias=False)]
    return torch.nn.Sequential(*layers)


def start(rank, ranks, port):
    os.chdir(FOLDER)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=ranks)


def two_ranks(rank, port):
    start(rank, 2, port)
    mesh = init_device_mesh("cpu", (2,))
    sharded = {key: distribute_tensor(tensor, mesh, PLACES[key]) for key, tensor in FULL.items()}
    state = {"state": {"row": {"exp_avg": sharded["row"]}}, "param_groups": [{"lr": 0.1}]}
    dcp.save({"model": sharded | PLAIN, "optim": state, "step": 3}, checkpoint_id="two_ranks")
    dcp.save(sharded, storage_writer=HuggingFaceStorageWriter("safetensors", save_distributed=True))
    floats = {key: tensor for key, tensor in sharded.items() if tensor.is_floating_point()}
    writer = HuggingFaceStorageWriter("consolidated", save_distributed=True, enable_consolidation=True)
    dcp.save(floats, storage_writer=writer)
    writer = FileSystemWriter("safetensors_items", serialization_format=SerializationFormat.SAFETENSORS)
    dcp.save({"row": sharded["row"], "plain": PLAIN["plain"]}, storage_writer=writer)
    model = module()
    fully_shard(model, mesh=mesh)
    dcp.save({"app": {"model": get_model_state_dict(model)}}, checkpoint_id="fsdp2")
    distributed.destroy_process_group()


def four_ranks(rank, port):
    start(rank, 4, port)
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("one", "two"))
    sharded = {key: distribute_tensor(tensor, mesh, GRID_PLACES[key]) for key, tensor in GRID.items()}
    dcp.async_save(sharded, checkpoint_id="four_ranks").result()
    distributed.destroy_process_group()


def one_process():
    model = module()
    optimizer = torch.optim.Adam(model.parameters())
    model(numbers(2, 5)).sum().backward()
    optimizer.step()
    views = {"view": numbers(3, 5).t(), "expanded": torch.tensor([1.0, 2.0]).expand(3, 2)}
    weights = dict(model.state_dict()) | views
    root = {"model": weights | {"version": 7}, "optimizer": optimizer.state_dict(), "epoch": 3}
    dcp.save(root, checkpoint_id="one_process", no_dist=True)
    expect("one_process", "model", weights)
    flat = {"a.weight": numbers(2, 3), "b.weight": numbers(3, 5, dtype=torch.float16)}
    dcp.save(flat, checkpoint_id="flat", no_dist=True)
    expect("flat", "", flat)


def spawn(function, ranks):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(function, (port,), nprocs=ranks)


def main():
    # The metadata keeps the path that was given: a name is the same on every machine.
    os.chdir(FOLDER)
    for old in FOLDER.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    one_process()
    spawn(two_ranks, 2)
    spawn(four_ranks, 4)
    expect("two_ranks", "model", FULL | PLAIN)
    expect("safetensors", "", FULL)
    expect("consolidated", "", {key: tensor for key, tensor in FULL.items() if tensor.is_floating_point()})
    expect("safetensors_items", "", {"row": FULL["row"], "plain": PLAIN["plain"]})
    expect("fsdp2", "app.model", module().state_dict())
    expect("four_ranks", "", GRID)


if __name__ == "__main__":
    main()
