"""What trainers and the well-known libraries write around the weights."""

import argparse
import collections
import dataclasses
import datetime
import enum
import logging
import pathlib
import random

import numpy as np
import torch
from case import Reads, Refuses, case, tensors_of
from torch import nn


def net():
    return nn.Sequential(
        collections.OrderedDict(conv=nn.Conv2d(3, 4, (5, 2)), norm=nn.BatchNorm2d(4), head=nn.Linear(7, 2))
    )


def step(module, optimizer, make):
    """One step, so that the optimizer has its state."""
    for parameter in module.parameters():
        parameter.grad = make.normal(*parameter.shape)
    optimizer.step()
    return optimizer.state_dict()


class Phase(enum.Enum):
    WARMUP = 1


@dataclasses.dataclass
class Settings:
    width: int = 3
    path: pathlib.PurePosixPath = pathlib.PurePosixPath("runs/1")


@case("zip, legacy")
def training_script(make):
    """Everything that scripts put beside the state_dict."""
    cases = []
    for key in ("state_dict", "model_state_dict", "model", "net", "network", "weights"):
        module = make.model(net())
        optimizer = torch.optim.AdamW(module.parameters(), 0.01)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
        value = {
            "epoch": 3,
            "arch": "net",
            "args": argparse.Namespace(
                lr=0.1, betas=(0.9, 0.99), out=pathlib.Path("a/b"), phase=Phase.WARMUP
            ),
            "settings": Settings(),
            key: module.state_dict(),
            "optimizer": step(module, optimizer, make),
            "scheduler": scheduler.state_dict(),
            "scaler": torch.amp.GradScaler("cpu").state_dict(),
            "best": np.float64(0.25),
            "history": {"loss": np.arange(4.0), "seen": {1, 2}, "log": collections.defaultdict(list, a=[1])},
            "rng": {
                "torch": torch.get_rng_state(),
                "numpy": np.random.get_state(),
                "python": random.getstate(),
            },
            "date": datetime.datetime(2026, 1, 2, 3, 4),
            "took": datetime.timedelta(seconds=7),
        }
        held = dict(value[key])
        cases.append(Reads(make.save(value, f"{key}.pt"), held, at=key))
        legacy = make.save(value, f"{key}.legacy.pt", _use_new_zipfile_serialization=False)
        cases.append(Reads(legacy, held, at=key))
        cases.append(Reads(make.save(value, f"{key}.p5.pt", pickle_protocol=5), held, at=key))
    return cases


@case("zip")
def optimizers_alone(make):
    """Optimizer states are no weights."""
    module = make.model(net())
    value = step(module, torch.optim.SGD(module.parameters(), 0.1, momentum=0.9), make)
    return Refuses(make.save({"optimizer": value, "epoch": 1}))


@case("zip")
def configured(make):
    """OmegaConf's objects point at their parents, in circles."""
    import omegaconf

    config = omegaconf.OmegaConf.create({"model": {"width": 3, "sizes": [1, 2, {"a": "${model.width}"}]}})
    tensors = {"weight": make.bits(3, 2), "bias": make.bits(3)}
    return Reads(make.save({"cfg": config, "state_dict": tensors}), tensors, at="state_dict")


@case("zip")
def adversarial_pair(make):
    """Two networks in one file are an ambiguity that only the user can end."""
    one, other = {"weight": make.bits(2, 3)}, {"weight": make.bits(5, 4), "bias": make.bits(5)}
    path = make.save({"netG": one, "netD": other, "step": 7})
    return [
        Refuses(path, names=("netG", "netD")),
        Reads(path, other, at="netD", arguments=("--key", "netD")),
        Reads(path, one, at="netG", arguments=("--key", "netG")),
    ]


@case("zip")
def names_like_those_of_training(make):
    """Upscalers and feature scalers are networks, and schedulers can be parts of a model."""
    one, other = {"weight": make.bits(2, 3)}, {"weight": make.bits(5, 4), "bias": make.bits(5)}
    pair = make.save({"discriminator": one, "upscaler": other}, "pair.pt")
    nested = {"scaler": one, "text_scheduler": other, "fc": {"weight": make.bits(3)}}
    flat = {f"{outer}.{key}": tensor for outer, part in nested.items() for key, tensor in part.items()}
    return [
        Refuses(pair, names=("discriminator", "upscaler")),
        Reads(pair, other, at="upscaler", arguments=("--key", "upscaler")),
        Reads(make.save({"epoch": 1, "feature_scaler": other}, "alone.pt"), other, at="feature_scaler"),
        Reads(make.save({"epoch": 1, "model": nested}, "nested.pt"), flat, at="model"),
    ]


@case("zip")
def tensors_beside_dictionaries(make):
    """A root with tensors of its own is the whole, or either is meant; what scripts record is neither."""
    root = {
        "encoder": {"weight": make.bits(2, 3)},
        "cls_token": make.bits(1, 1, 7),
        "head": {"weight": make.bits(5, 2)},
    }
    flat = {
        "encoder.weight": root["encoder"]["weight"],
        "cls_token": root["cls_token"],
        "head.weight": root["head"]["weight"],
    }
    weights = {"weight": make.bits(2, 3), "bias": make.bits(2)}
    script = {
        "epoch": torch.tensor(3),
        "model": weights,
        "best_acc": torch.tensor(0.5),
        "loss": torch.tensor(0.25),
        "rng_state": torch.get_rng_state(),
        "class_weights": torch.ones(10),
    }
    both = make.save({"model": weights, "queue": make.bits(4, 3), "epoch": 1}, "both.pt")
    return [
        Reads(make.save(root, "root.pt"), flat),
        Reads(make.save(script, "script.pt"), weights, at="model"),
        Refuses(both, names=("model",)),
        Reads(both, weights, at="model", arguments=("--key", "model")),
    ]


@case("zip")
def averages(make):
    """Only ultralytics' own files are read by its convention; one object under two names is no average alone."""
    one, other = {"weight": make.bits(2, 3)}, {"weight": make.bits(2, 3)}
    plain = make.save({"model": one, "ema": other, "updates": 5}, "plain.pt")
    shared = make.save({"ema": one, "model": one}, "shared.pt")
    return [
        Reads(plain, one, at="model"),
        Reads(plain, other, at="ema", arguments=("--ema",)),
        Reads(shared, one, at="model"),
        Reads(shared, one, at="ema", arguments=("--ema",)),
    ]


@case("zip")
def basicsr(make):
    tensors, average = {"conv.weight": make.bits(2, 3, 5, 7)}, {"conv.weight": make.bits(2, 3, 5, 7)}
    path = make.save({"params": tensors, "params_ema": average})
    return [
        Reads(path, tensors, at="params"),
        Reads(path, average, at="params_ema", arguments=("--key", "params_ema")),
        Reads(make.save({"params_ema": average}, "ema.pth"), average, at="params_ema"),
    ]


@case("zip")
def timm_style(make):
    module = make.model(net())
    tensors, average = dict(module.state_dict()), dict(make.model(net()).state_dict())
    value = {
        "epoch": 4,
        "arch": "resnet18",
        "state_dict": tensors,
        "optimizer": step(module, torch.optim.RMSprop(module.parameters(), 0.1, momentum=0.9), make),
        "version": 2,
        "args": argparse.Namespace(model="resnet18"),
        "amp_scaler": {"scale": 65536.0},
        "state_dict_ema": average,
        "metric": 71.25,
    }
    path = make.save(value, "model_best.pth.tar")
    return [
        Reads(path, dict(value["state_dict"]), at="state_dict"),
        Reads(path, average, at="state_dict_ema", arguments=("--key", "state_dict_ema")),
    ]


@case("zip")
def deepspeed_style(make):
    """Stages up to 2 hold the weights; stage 3 holds placeholders, whose values lie in other files."""
    module = make.model(net())
    shapes = [collections.OrderedDict((key, value.shape) for key, value in module.named_parameters())]
    value = {
        "module": {key: tensor.half() for key, tensor in module.state_dict().items()},
        "buffer_names": [key for key, _ in module.named_buffers()],
        "optimizer": None,
        "param_shapes": shapes,
        "dp_world_size": 2,
        "mp_world_size": 1,
        "ds_config": {"zero_optimization": {"stage": 2}},
        "ds_version": "0.18.0",
    }
    stage2 = make.save(value, "mp_rank_00_model_states.pt")
    tensors = dict(value["module"])
    value["module"] = {
        key: torch.empty(0, dtype=torch.float16) if key in shapes[0] else tensor
        for key, tensor in tensors.items()
    }
    value["ds_config"] = {"zero_optimization": {"stage": 3}}
    stage3 = make.save(value, "zero_pp_rank_0_mp_rank_00_model_states.pt")
    return [Reads(stage2, tensors, at="module"), Refuses(stage3)]


@case("zip")
def fsdp_flat(make):
    """One rank's flattened parameters have no names any more."""
    value = {
        "_fsdp_wrapped_module._flat_param": make.bits(101),
        "layer._fsdp_wrapped_module._flat_param": make.bits(37),
    }
    whole = {"_fsdp_wrapped_module.layer._fsdp_wrapped_module.weight": make.bits(3, 5)}
    checkpointed = {"layer._checkpoint_wrapped_module.weight": make.bits(3, 5), "head.bias": make.bits(2)}
    return [
        Refuses(make.save(value)),
        Reads(make.save(whole, "whole.pt"), {"layer.weight": whole.popitem()[1]}),
        Reads(
            make.save(checkpointed, "checkpointed.pt"),
            {
                "layer.weight": checkpointed["layer._checkpoint_wrapped_module.weight"],
                "head.bias": checkpointed["head.bias"],
            },
        ),
    ]


@case("lightning")
def lightning(make):
    """A real fit of one step on the CPU."""
    import pytorch_lightning

    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)

    class Lit(pytorch_lightning.LightningModule):
        def __init__(self, width, path):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))
            self.metric = nn.CrossEntropyLoss(weight=torch.ones(2))

        def training_step(self, batch, _):
            return self.metric(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.parameters())
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

    module = Lit(5, pathlib.Path("runs"))
    make.model(module.net)
    data = torch.utils.data.TensorDataset(make.normal(8, 3), make.integers(8, low=0, high=2))
    trainer = pytorch_lightning.Trainer(
        max_steps=1,
        accelerator="cpu",
        logger=False,
        default_root_dir=make.folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=4))
    path, alone = make.folder / "last.ckpt", make.folder / "weights_only.ckpt"
    trainer.save_checkpoint(path)
    trainer.save_checkpoint(alone, weights_only=True)
    tensors = dict(module.state_dict())
    return [Reads(path, tensors, at="state_dict"), Reads(alone, tensors, at="state_dict")]


def tiny_llama(make):
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = transformers.LlamaConfig(
        vocab_size=37,
        hidden_size=24,
        intermediate_size=44,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    return make.model(transformers.LlamaForCausalLM(config))


@case("transformers")
def transformers_saved(make):
    """Whole and in shards, with an index; opened as a folder and as an index."""
    import safetensors.torch

    model = tiny_llama(make)
    whole, parts = make.folder / "whole", make.folder / "parts"
    model.save_pretrained(whole)
    model.save_pretrained(parts, max_shard_size="20KB")
    index = parts / "model.safetensors.index.json"
    assert len(list(parts.glob("*.safetensors"))) > 2
    tensors = dict(model.state_dict())
    one = safetensors.torch.load_file(whole / "model.safetensors")
    return [
        Reads(whole / "model.safetensors", one, ordered=False),
        Reads(parts, tensors, ordered=False),
        Reads(index, tensors, ordered=False),
    ]


@case("transformers")
def transformers_bin(make):
    """The `.bin` shards that transformers wrote up to version 4: an index beside files of `torch.save`."""
    import json

    from huggingface_hub import split_torch_state_dict_into_shards

    tensors = dict(tiny_llama(make).half().state_dict())
    plan = split_torch_state_dict_into_shards(
        tensors, filename_pattern="pytorch_model{suffix}.bin", max_shard_size=12_000
    )
    for name, keys in plan.filename_to_tensors.items():
        make.save({key: tensors[key] for key in keys}, name)
    index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
    assert len(plan.filename_to_tensors) > 2
    path = make.folder / "pytorch_model.bin.index.json"
    path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    return [Reads(make.folder, tensors, ordered=False), Reads(path, tensors, ordered=False)]


@case("peft")
def peft_adapter(make):
    """An adapter alone, the wrapped model, and the merged one."""
    import peft
    import safetensors.torch

    config = peft.LoraConfig(r=3, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = make.model(peft.get_peft_model(tiny_llama(make), config))
    model.save_pretrained(make.folder / "adapter")
    adapter = make.folder / "adapter" / "adapter_model.safetensors"
    # Copies: merging changes the weights in place.
    wrapped = {key: tensor.clone() for key, tensor in tensors_of(model.state_dict()).items()}
    path = make.save(model.state_dict(), "wrapped.pt")
    merged = model.merge_and_unload()
    return [
        Reads(adapter, safetensors.torch.load_file(adapter), ordered=False),
        Reads(path, wrapped),
        Reads(make.save(merged.state_dict(), "merged.pt"), dict(merged.state_dict())),
    ]
