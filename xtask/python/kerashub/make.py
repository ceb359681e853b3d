"""Makes the checkpoints: for every case a folder as on the hub, further forms, and what the model computes.

python make.py FOLDER [CASE]...
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import families
import inputs
import numpy as np
import safetensors.torch
import torch
import variants

SEED = 7
# What timm's models read here: odd before each of five strides of 2, where padding="same", which some
# backbones have, pads both sides alike, as PyTorch always does.
IMAGE_SIZE = 65


@torch.no_grad()
def randomised(model):
    """As after training: no parameter or statistic that is saved keeps the value that it began with."""
    generator = torch.Generator().manual_seed(SEED)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.ndim == 1 and name.endswith("weight"):
            tensor.uniform_(0.8, 1.2, generator=generator)
        elif tensor.ndim > 1:
            # By the number of products in a sum: values neither vanish nor grow with the depth. Three axes are
            # a stack of kernels.
            terms = tensor[0, 0].numel() if tensor.ndim == 3 else tensor[0].numel()
            tensor.normal_(0, terms**-0.5, generator=generator)
        else:
            tensor.normal_(0, 0.1, generator=generator)
    return model.eval()


def classic(folder, model):
    """The tensors of the folder, and those that are shared, which `.safetensors` leaves out."""
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    state = model.state_dict()
    owners = {}
    for key, value in state.items():
        owners.setdefault((value.data_ptr(), value.shape), []).append(key)
    for keys in owners.values():
        if len(keys) > 1:
            tensors |= {key: state[key] for key in keys}
    return tensors


def edit_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def hugging_face(case, folder):
    """Saves the model, its forms, and what it computes."""
    import transformers

    torch.manual_seed(SEED)
    build = getattr(transformers, case.torch)
    config = build.config_class(**case.config)
    # Written out, in place of kernels that ask for certain sizes.
    config._attn_implementation = config._experts_implementation = "eager"
    model = randomised(build(config))
    if case.schema == "roberta":
        # RoBERTa has no segments; its released checkpoints have zeros there.
        model.roberta.embeddings.token_type_embeddings.weight.data.zero_()
    model.save_pretrained(folder)
    if case.schema == "bart":
        # Configurations on the hub have it; what transformers 5 saves has the encoder's number alone.
        edit_config(folder, num_hidden_layers=config.encoder_layers)
    tensors = classic(folder, model)
    torch.save(tensors, folder / "pytorch_model.bin")
    for name in case.variants:
        torch.save(variants.VARIANTS[name](case, tensors, model), folder / f"{name}.bin")
    body = model.base_model.double()
    return lambda read: body(**read).last_hidden_state, case.config.get("image_size")


def timm(case, folder):
    """The same for a model of timm."""
    import timm as library

    torch.manual_seed(SEED)
    model = randomised(library.create_model(case.config["architecture"], pretrained=False))
    # VGG's first head has 400 MB, which nothing here reads: its key is what counts.
    tensors = {
        key: value[:3, :2].contiguous() if key.startswith("pre_logits.") and value.ndim > 1 else value
        for key, value in model.state_dict().items()
    }
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(case.config))

    model.double()
    return lambda read: model.forward_features(read["pixel_values"]).permute(0, 2, 3, 1), IMAGE_SIZE


def make(case, folder):
    folder.mkdir(parents=True, exist_ok=True)
    run, size = (hugging_face if case.torch else timm)(case, folder)
    read = inputs.torch_inputs(case.inputs, size)
    with torch.no_grad():
        # In float64: what differs then is no rounding.
        output = run({name: torch.from_numpy(array) for name, array in read.items()})
    np.savez(folder / "torch.npz", output=output.numpy(), **read)


def main():
    work = pathlib.Path(sys.argv[1])
    for case in families.chosen(sys.argv[2:]):
        make(case, work / case.name)


if __name__ == "__main__":
    main()
