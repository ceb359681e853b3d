"""The judges' own idea of where every number belongs: numpy transpositions written out by hand.

Nothing here reads a schema or a plan; that is the point.
"""

import layers_inside
import numpy as np

CONVOLUTIONS = {
    "Conv1D": (2, 1, 0),
    "Conv2D": (2, 3, 1, 0),
    "Conv3D": (2, 3, 4, 1, 0),
    # Keras keeps (space, out, in) for the transposed ones; PyTorch keeps (in, out, space).
    "Conv1DTranspose": (2, 1, 0),
    "Conv2DTranspose": (2, 3, 1, 0),
    "Conv3DTranspose": (2, 3, 4, 1, 0),
}


def to_numpy(tensor):
    """A tensor's values; bfloat16 becomes float32, which holds each exactly."""
    import torch

    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return tensor.numpy()


def to_channels_last(array, feature_map):
    """Reorders the first axis, which holds a map's features."""
    split = array.reshape(*feature_map, *array.shape[1:])
    return np.moveaxis(split, 0, len(feature_map) - 1).reshape(array.shape)


def variables(class_name, tensors, feature_map=None, made_map=None):
    """The variables of a Keras layer by name, from the tensors of the PyTorch module by name.

    `feature_map` is `(channels, *space)` of the map that was flattened before a Dense layer, `made_map` that
    of the map that its output, or a normalization's, becomes.
    """
    t = {name: to_numpy(tensor) for name, tensor in tensors.items()}
    t.pop("num_batches_tracked", None)
    if made_map:
        t = {name: to_channels_last(value, made_map) for name, value in t.items()}
    found = {}
    if class_name in CONVOLUTIONS:
        weight = t.pop("weight")
        if weight.ndim == 2:  # a Linear as a 1x1 convolution
            weight = weight.reshape(*weight.shape, *[1] * (len(CONVOLUTIONS[class_name]) - 2))
        found["kernel"] = weight.transpose(CONVOLUTIONS[class_name])
    elif class_name in ("DepthwiseConv1D", "DepthwiseConv2D"):
        weight = t.pop("weight")
        channels = feature_map[0] if feature_map else weight.shape[0]
        space = weight.shape[2:]
        split = weight.reshape(channels, weight.shape[0] // channels, *space)
        found["kernel"] = np.moveaxis(split, (0, 1), (-2, -1))
    elif class_name == "Dense":
        weight = t.pop("weight")
        if feature_map:
            units = weight.shape[0]
            channels_last = np.moveaxis(weight.reshape(units, *feature_map), 1, -1)
            found["kernel"] = channels_last.reshape(units, -1).T
        else:
            found["kernel"] = weight.T
    elif class_name == "Embedding":
        found["embeddings"] = t.pop("weight")
    elif class_name == "BatchNormalization":
        if "weight" in t:
            found["gamma"] = t.pop("weight")
        found["beta"] = t.pop("bias")
        found["moving_mean"] = t.pop("running_mean")
        found["moving_variance"] = t.pop("running_var")
    elif class_name in ("LayerNormalization", "GroupNormalization"):
        found["gamma"] = t.pop("weight")
        found["beta"] = t.pop("bias")
    else:
        raise ValueError(f"the judges know no layout for {class_name}")
    if "bias" in t:
        found["bias"] = t.pop("bias")
    if t:
        raise ValueError(f"{class_name}: no variable for {sorted(t)}")
    return found


def find_layer(model, path):
    """The layer at `path`: names, or attributes for a subclassed model, joined by `/`."""
    layer = model
    for part in path.split("/"):
        own = getattr(layer, part, None)
        layer = own if hasattr(own, "weights") else layer.get_layer(part)
    return layer


def find_variable(model, path):
    """The variable at `path`: a layer and a name, or the only one of a layer that left the name to Keras."""
    for variable in model.weights:
        if variable.path == path:
            return variable
    layer, _, name = path.rpartition("/")
    variables = find_layer(model, layer).weights
    named = [variable for variable in variables if variable.name == name]
    (variable,) = named or variables
    return variable


def expected(state_dict, model, case):
    """Every variable of `model` as `(path, variable, value)`.

    Fails when a variable has no value, or a tensor that is not `ignored` feeds none.
    """
    unread = {key: value for key, value in state_dict.items() if not key.startswith(tuple(case.ignored))}
    result = []
    for path, value in case.loose(unread).items():
        variable = find_variable(model, path)
        result.append((path, variable, np.array(value, str(variable.dtype), order="C")))
    in_layers = dict(unread)
    pairs = case.pairs(in_layers) if callable(case.pairs) else case.pairs
    for prefix, path in pairs.items():
        start = prefix + "."
        tensors = {
            key.removeprefix(start): value
            for key, value in in_layers.items()
            if key.startswith(start)
        }
        for name in tensors:
            unread.pop(start + name, None)
        layer = find_layer(model, path)
        if layers_inside.holds(layer):
            found = layers_inside.variables(layer, {name: to_numpy(t) for name, t in tensors.items()})
        else:
            maps = case.feature_maps.get(prefix), case.made_maps.get(prefix)
            values = variables(type(layer).__name__, tensors, *maps)
            found = [(variable, values.pop(variable.name)) for variable in layer.weights]
            if values:
                raise ValueError(f"{path} has no {sorted(values)}")
        for variable, value in found:
            name = variable.path if layers_inside.holds(layer) else f"{path}/{variable.name}"
            if tuple(variable.shape) != value.shape:
                raise ValueError(f"{name}: {tuple(variable.shape)} but {value.shape}")
            value = np.ascontiguousarray(value).astype(str(variable.dtype))
            result.append((name, variable, value))
    missing = {v.path for v in model.weights} - {v.path for _, v, _ in result}
    if missing or unread or len(result) != len(model.weights):
        raise ValueError(f"the case is incomplete: variables {sorted(missing)}, tensors {sorted(unread)}")
    return result
