"""Whole modules as `torch.save(model)` writes them, and the wrappers that change names."""

import collections
import copy

import torch
from case import Reads, case, roles_of, tensors_of
from torch import nn


class Attention(nn.Module):
    """Parameters, buffers of both kinds, and None where a parameter could be."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(6, 5, bias=False)
        self.scale = nn.Parameter(torch.ones(5))
        self.register_parameter("absent", None)
        self.register_buffer("mask", torch.ones(3, 4))
        self.register_buffer("positions", torch.ones(7), persistent=False)
        self.note = {"heads": 2, "tensor": torch.ones(2)}

    def forward(self, x):
        return self.query(x) * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, (5, 2)), nn.BatchNorm2d(4), nn.ReLU())
        self.blocks = nn.ModuleList([Attention(), nn.GRU(5, 3, bidirectional=True)])
        self.heads = nn.ModuleDict({"a": nn.Linear(7, 2), "b_c": nn.Linear(7, 3)})
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(1, 3))])

    def forward(self, x):
        return self.heads["a"](x)


def split(module):
    """The state_dict, and the buffers that are not in it."""
    held = dict(module.state_dict())
    beside = {key: value for key, value in module.named_buffers(remove_duplicate=False) if key not in held}
    return tensors_of(held), beside


def module_reads(path, module, **options):
    tensors, beside = split(module)
    return Reads(path, tensors, beside=beside, roles=roles_of(module), **options)


@case("module")
def whole_module(make):
    module = make.model(Net())
    legacy = make.save(module, "legacy.pt", _use_new_zipfile_serialization=False)
    return [module_reads(make.save(module), module), module_reads(legacy, module)]


@case("module")
def whole_module_protocols(make):
    cases = []
    for protocol in (3, 4, 5):
        module = make.model(Net())
        cases.append(module_reads(make.save(module, f"p{protocol}.pt", pickle_protocol=protocol), module))
    return cases


@case("module")
def shared_modules(make):
    """A module under two names is there under both, as in its state_dict."""
    shared = Attention()
    module = nn.ModuleDict({"first": nn.Sequential(shared, nn.Linear(5, 6)), "second": shared})
    module["head"] = nn.Linear(6, 5, bias=False)
    module["head"].weight = shared.query.weight
    make.model(module)
    return module_reads(make.save(module), module)


@case("module")
def data_parallel(make):
    module = nn.DataParallel(make.model(Net()))
    tensors, beside = split(module.module)
    state_dict = make.save(module.state_dict(), "state_dict.pt")
    return [Reads(make.save(module), tensors, beside=beside), Reads(state_dict, tensors)]


@case("module")
def parametrized(make):
    """Reparametrized weights are read as they are stored."""
    from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

    module = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(3, 5)),
        parametrizations.spectral_norm(nn.Linear(4, 7)),
        parametrizations.orthogonal(nn.Linear(4, 6)),
        weight_norm(nn.Conv1d(2, 3, 5)),
        spectral_norm(nn.Conv2d(2, 3, 5)),
        prune.l1_unstructured(nn.Linear(5, 8), "weight", 0.4),
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(make.normal(*parameter.shape))
    return Reads(make.save(module.state_dict()), tensors_of(module.state_dict()))


@case("module")
def old_reparametrizations(make):
    """The old ones are hooks, so the whole module can be saved too."""
    from torch.nn.utils import prune, weight_norm

    # The hooks leave a computed tensor as an attribute, which has to be a leaf to be saved.
    module = nn.Sequential(
        nn.Linear(3, 5), prune.identity(nn.Linear(4, 6), "weight"), weight_norm(nn.Linear(2, 7))
    )
    make.model(module)
    for layer in (module[1], module[2]):
        layer.weight = layer.weight.detach()
    return module_reads(make.save(module), module)


@case("module")
def compiled(make):
    """`torch.compile` puts `_orig_mod.` before every name."""
    module = make.model(Net())
    wrapped = torch.compile(module)
    tensors, beside = split(module)
    cases = [Reads(make.save(wrapped.state_dict(), "state_dict.pt"), tensors)]
    both = nn.DataParallel(wrapped)
    cases.append(Reads(make.save({"state_dict": both.state_dict()}, "both.pt"), tensors, at="state_dict"))
    return [*cases, Reads(make.save(wrapped), tensors, beside=beside)]


@case("module")
def module_in_a_dict(make):
    """As ultralytics and many scripts save: the module is a value."""
    module = make.model(Net())
    value = {"epoch": 3, "model": module, "optimizer": None, "date": "2026-01-02"}
    return module_reads(make.save(value), module, at="model")


class Versioned(nn.Module):
    """Keeps more than tensors in its state_dict."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def get_extra_state(self):
        return {"version": 3, "names": ["a"]}

    def set_extra_state(self, state):
        pass


@case("module")
def extra_state(make):
    """What a state_dict holds beside tensors is left out."""
    module = make.model(nn.Sequential(Versioned(), nn.Linear(2, 5)))
    return Reads(make.save(module.state_dict()), tensors_of(module.state_dict()), warns=("0._extra_state",))


@case("module")
def uninitialized(make):
    """Lazy modules that never saw an input have no values, which is said."""
    module = nn.Sequential(collections.OrderedDict(first=make.model(nn.Linear(3, 2)), lazy=nn.LazyLinear(5)))
    tensors = {key: value for key, value in module.state_dict().items() if key.startswith("first")}
    return Reads(make.save(module.state_dict()), tensors, warns=("lazy.weight", "lazy.bias"))


@case("module")
def averaged(make):
    """A moving average beside the weights: the weights unless asked; ultralytics means its `ema`."""
    module = make.model(Net()).half()
    ema = make.model(copy.deepcopy(module))
    tensors, average = dict(module.state_dict()), dict(ema.state_dict())
    both = make.save({"model": tensors, "model_ema": average, "epoch": 2}, "both.pt")
    yolo = {
        "epoch": 1,
        "best_fitness": None,
        "model": None,
        "ema": ema,
        "updates": 7,
        "train_args": {"lr": 0.1},
    }
    swa = torch.optim.swa_utils.AveragedModel(make.model(Attention()))
    # Its own counter stands beside the wrapped module's names.
    swa_tensors = {key.removeprefix("module."): value for key, value in swa.state_dict().items()}
    return [
        Reads(both, tensors, at="model"),
        Reads(both, average, at="model_ema", arguments=("--key", "model_ema")),
        Reads(both, average, at="model_ema", arguments=("--ema",)),
        module_reads(make.save(yolo, "yolo.pt"), ema, at="ema"),
        Reads(make.save(swa.state_dict(), "swa.pt"), swa_tensors),
    ]


@case("module")
def packed_modules(make):
    """Quantized modules keep weight and bias packed; their values are tuples."""
    import torch.ao.quantization as ao

    torch.backends.quantized.engine = (
        "fbgemm" if "fbgemm" in torch.backends.quantized.supported_engines else "qnnpack"
    )
    dynamic = ao.quantize_dynamic(
        make.model(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))), {nn.Linear}
    )
    static = nn.Sequential(ao.QuantStub(), nn.Conv2d(2, 3, 3), nn.ReLU(), ao.DeQuantStub())
    static.qconfig = ao.get_default_qconfig(torch.backends.quantized.engine)
    static = ao.prepare(make.model(static).eval())
    static(make.normal(1, 2, 5, 7))
    static = ao.convert(static)
    cases = []
    for name, module in (("dynamic.pt", dynamic), ("static.pt", static)):
        state_dict = module.state_dict()
        cases.append(Reads(make.save(state_dict, name), flat(state_dict)))
    return cases


def flat(state_dict):
    """A tuple of tensors is numbered by its items."""
    tensors = {}
    for key, value in state_dict.items():
        if isinstance(value, (tuple, list)):
            tensors |= {f"{key}.{i}": item for i, item in enumerate(value) if isinstance(item, torch.Tensor)}
        elif isinstance(value, torch.Tensor):
            tensors[key] = value
    return tensors
