"""What the cases of torchvision's classifiers share."""

import functools

from case import SCHEMAS, Case, unchanged

from zoo.random_weights import build, settled

IMAGENET_CLASSES = 1000

# Small, and not square: a map that is transposed has other sizes.
SMALL = (64, 96)
FULL = (224, 224)


def named_as_modules(state_dict):
    """For a mirror whose layers have the modules' paths as names, with `_` for each dot."""
    modules = dict.fromkeys(key.rpartition(".")[0] for key in state_dict)
    return {module: module.replace(".", "_") for module in modules if module}


def image_net(name, seed, model, schema, size=SMALL, module=None, variant=None, **options):
    """The case of the torchvision model `name` on images of `size`: (height, width)."""
    make = module or functools.partial(build, variant or name)
    return Case(
        name=name,
        module=lambda: settled(make(seed), size, seed),
        model=model,
        samples=lambda random: [(random.normal(size=(1, 3, *size)),)],
        schema=SCHEMAS / "torchvision" / f"{schema}.toml",
        **({"pairs": named_as_modules, "adjust": unchanged} | options),
    )
