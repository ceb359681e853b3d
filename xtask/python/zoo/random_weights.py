"""Modules of torchvision with values as after training."""

import torch
import torchvision

EPSILON = 1e-5  # PyTorch's default; Keras's is 1e-3

CALMED = 2.0

NORMALIZATIONS = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.LayerNorm)


def randomised(module, seed):
    """As after training: no statistic, scale, shift or bias keeps its initial 0 or 1.

    Constant tensors hide what was exchanged.
    """
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
        if isinstance(part, NORMALIZATIONS):
            torch.nn.init.uniform_(part.weight, 0.8, 1.2, generator=generator)
            torch.nn.init.normal_(part.bias, 0, 0.1, generator=generator)
    for parameter in module.parameters():
        if parameter.numel() > 1 and parameter.min() == parameter.max():
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    return module.eval()


def settled(module, size, seed):
    """The same module with statistics near those of noise images of `size`.

    With others what a net computes fades from layer to layer, and its output is much the same for every image:
    a test of nothing. Exactly theirs would let the rounding errors of float32 grow beyond what a test can tell
    from a fault, so the variances are put higher.
    """
    normalizations = [
        part for part in module.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)
    ]
    generator = torch.Generator().manual_seed(seed)
    for part in normalizations:
        part.momentum = 1.0
        part.train()
    if normalizations:
        with torch.no_grad():
            module(torch.randn(4, 3, *size, generator=generator))
    for part in normalizations:
        part.running_var *= CALMED
    return module.eval()


def build(name, seed, **options):
    """The torchvision model of that name."""
    torch.manual_seed(seed)
    return randomised(torchvision.models.get_model(name, weights=None, **options), seed)
