"""The Keras side of the benchmark's inputs, as the text of `model.to_json()`.

Written by hand: Keras would draw every number of the models at random, and takes minutes for thousands of layers.
"""

import json

# inputs, outputs, and a convolution's window
SQUARE, WIDE, CONV = (4096, 4096), (4096, 11008), (512, 512, 3)


def layer(class_name, **config):
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}


def model(module, class_name, **config):
    return json.dumps({"module": module, "class_name": class_name, "config": config, "registered_name": class_name})


def functional(layers, dtype):
    """Layers with an input each: pairs of an input's shape (without the batch) and a layer."""
    nodes, inputs, outputs = [], [], []
    for shape, made in layers:
        name = made["config"]["name"]
        made["config"] |= {"trainable": True, "dtype": dtype}
        ids = made["class_name"] == "Embedding"
        source, shape = f"input_{name}", [None, *shape]
        kind = "int32" if ids else dtype
        feed = layer("InputLayer", batch_shape=shape, dtype=kind, sparse=False, name=source)
        nodes.append(feed | {"name": source, "inbound_nodes": []})
        tensor = {
            "class_name": "__keras_tensor__",
            "config": {"shape": shape, "dtype": kind, "keras_history": [source, 0, 0]},
        }
        nodes.append(made | {"name": name, "inbound_nodes": [{"args": [tensor], "kwargs": {}}]})
        inputs.append([source, 0, 0])
        outputs.append([name, 0, 0])
    ends = {"input_layers": inputs, "output_layers": outputs}
    return model("keras.src.models.functional", "Functional", name="bench", trainable=True, layers=nodes, **ends)


def mixed(counts, dtype):
    layers = []
    for kind, (inputs, units) in (("square", SQUARE), ("wide", WIDE)):
        layers += [((inputs,), layer("Dense", name=f"{kind}_{n}", units=units)) for n in range(counts[kind])]
    inputs, filters, window = CONV
    for n in range(counts["conv"]):
        made = layer("Conv2D", name=f"conv_{n}", filters=filters, kernel_size=[window, window], padding="same")
        layers.append(((None, None, inputs), made))
    for n in range(sum(counts.values())):
        layers.append(((SQUARE[0],), layer("BatchNormalization", name=f"norm_{n}", epsilon=1e-5, momentum=0.9)))
    return functional(layers, dtype)


def tables(count, rows, columns, dtype):
    make = lambda n: layer("Embedding", name=f"table_{n}", input_dim=rows, output_dim=columns)
    return functional([((None,), make(n)) for n in range(count)], dtype)


def chain(kinds, features, units):
    """Layers one behind the other, all of as many features."""
    layers = [layer("InputLayer", name="input", batch_shape=[None, None, features], dtype="float32")]
    for n, kind in enumerate(kinds):
        name = f"{kind}_{n}"
        match kind:
            case "linear":
                layers.append(layer("Dense", name=name, units=features))
            case "norm":
                layers.append(layer("BatchNormalization", name=name, epsilon=1e-5, momentum=0.9))
            case "lstm":
                inner = layer("LSTM", name=f"inner_{n}", units=units, return_sequences=True)
                layers.append(layer("Bidirectional", name=name, layer=inner, merge_mode="concat"))
    return model("keras", "Sequential", name="bench", layers=layers)
