"""What a case is: a function that has torch write a checkpoint, and says what must be read from it."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable

import torch


@dataclasses.dataclass(frozen=True)
class Reads:
    """The tensors that the reader has to find."""

    path: pathlib.Path
    # Key to tensor, in the order of the file, without wrappers' prefixes (`module.`, `_orig_mod.`).
    tensors: dict
    # The keys that lead to the state_dict, joined by dots.
    at: str = ""
    arguments: tuple = ()
    # Tensors that the file holds beside the module's state_dict: non-persistent buffers, constants.
    beside: dict = dataclasses.field(default_factory=dict)
    # Whether the form keeps the module's order.
    ordered: bool = True
    # What warnings have to name: entries that are left out.
    warns: tuple = ()
    # Key to role, where the file tells it: "parameter", "buffer", "non_persistent_buffer".
    roles: dict = dataclasses.field(default_factory=dict)
    # Whether the file may hold constants of the program, which have no name in the module.
    constants: bool = False


@dataclasses.dataclass(frozen=True)
class Refuses:
    """The file has to be refused with exit code 3."""

    path: pathlib.Path
    arguments: tuple = ()
    # What the message has to name.
    names: tuple = ()


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    form: str
    # From a `Maker` to the expectation, or a list of them.
    write: Callable


CASES = []


def case(form):
    """Adds a function to the cases, under its own name."""

    def register(write):
        CASES.append(Case(write.__name__, form, write))
        return write

    return register


class Maker:
    """Gives a case its folder and its random contents, which depend on the seed and the case's name alone."""

    def __init__(self, folder, seed, name):
        self.folder = folder
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        self.random = torch.Generator().manual_seed(int.from_bytes(digest[:6], "little"))
        torch.manual_seed(self.random.initial_seed())

    def bits(self, *shape, dtype=torch.float32):
        """Any bit pattern, so NaNs with payloads, infinities and subnormal numbers too."""
        width = torch.empty((), dtype=dtype).element_size()
        flat = torch.randint(
            0, 256, (torch.Size(shape).numel() * width,), dtype=torch.uint8, generator=self.random
        )
        return flat.view(dtype).reshape(shape) if shape else flat.view(dtype)[0]

    def normal(self, *shape, dtype=torch.float32):
        """Numbers that can be computed with, none of them zero: torch negates a complex zero to one or the
        other zero, by the machine and the place in the tensor.
        """
        if dtype.is_complex:
            parts = torch.randn((*shape, 2), generator=self.random, dtype=torch.float64)
            return torch.view_as_complex(parts).to(dtype)
        return torch.randn(shape, generator=self.random, dtype=torch.float64).to(dtype)

    def integers(self, *shape, low=-9, high=10, dtype=torch.int64):
        return torch.randint(low, high, shape, generator=self.random).to(dtype)

    def model(self, module):
        """The module with values that no initialisation gives: no zeros, no ones, nothing alike."""
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                if tensor.is_floating_point() and not tensor.is_meta:
                    tensor.copy_(self.normal(*tensor.shape, dtype=tensor.dtype).abs() + 0.1)
        return module

    def save(self, value, name="weights.pt", **options):
        """The path of `value` as `torch.save` writes it."""
        path = self.folder / name
        torch.save(value, path, **options)
        return path


def tensors_of(state_dict):
    """The tensors among the values."""
    return {key: value for key, value in state_dict.items() if isinstance(value, torch.Tensor)}


def roles_of(module):
    """What each tensor of the module is to it."""
    held = module.state_dict()
    roles = {key: "parameter" for key, _ in module.named_parameters(remove_duplicate=False)}
    for key, _ in module.named_buffers(remove_duplicate=False):
        roles[key] = "buffer" if key in held else "non_persistent_buffer"
    return roles
