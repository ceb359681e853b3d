"""Random graphs: which layers there are, and who reads whom, decided by a seed."""

import random

import keras
from keras import Input, Model, Sequential, layers

WIDTHS = (2, 3, 4, 5, 6)
STEPS = (5, 26)


class Graph:
    """A model in the making: tensors to read from, and what can be called again."""

    def __init__(self, seed, prefix="", depth=0):
        self.random = random.Random(seed)
        self.prefix, self.depth = prefix, depth
        self.tensors, self.shared, self.number = [], [], 0

    def name(self, kind):
        self.number += 1
        return f"{self.prefix}{kind}_{self.number}"

    def pick(self):
        """A tensor, a late one more often than an early one."""
        return max(self.random.choices(list(enumerate(self.tensors)), k=2), key=lambda pair: pair[0])[1]

    def step(self):
        kinds = [
            self.dense,
            self.dense,
            self.call_again,
            self.norm,
            self.merge,
            self.concatenate,
            self.operation,
            self.dropout,
            self.relu,
        ]
        if self.depth < 2:
            kinds += [self.sub_model, self.sub_sequential]
        self.tensors.append(self.random.choice(kinds)())

    def new(self, layer, x):
        """Calls a layer that may be called again on whatever has the same width."""
        self.shared.append((x.shape[-1], layer))
        return layer(x)

    def dense(self):
        return self.new(layers.Dense(self.random.choice(WIDTHS), name=self.name("dense")), self.pick())

    def norm(self):
        return self.new(layers.BatchNormalization(name=self.name("norm")), self.pick())

    def dropout(self):
        return layers.Dropout(0.1, name=self.name("dropout"))(self.pick())

    def relu(self):
        return layers.ReLU(name=self.name("relu"))(self.pick())

    def call_again(self):
        x = self.pick()
        fitting = [layer for width, layer in self.shared if width == x.shape[-1]]
        return self.random.choice(fitting)(x) if fitting else self.dense()

    def merge(self):
        x = self.pick()
        like = [y for y in self.tensors if y.shape[-1] == x.shape[-1]]
        return self.random.choice([layers.Add, layers.Multiply, layers.Maximum])(name=self.name("merge"))([
            x,
            self.random.choice(like),
        ])

    def concatenate(self):
        parts = [self.pick() for _ in range(self.random.choice((2, 2, 3)))]
        return layers.Concatenate(name=self.name("concatenate"))(parts)

    def operation(self):
        x = self.pick()
        like = [y for y in self.tensors if y.shape[-1] == x.shape[-1]]
        y = self.random.choice(like)
        return self.random.choice([
            lambda: x * 2.0 + y,
            lambda: keras.ops.relu(x),
            lambda: keras.ops.concatenate([y, x], axis=-1),
            lambda: keras.ops.add(y, x),
            lambda: x - 1.0,
            lambda: keras.ops.maximum(x, y),
        ])()

    def sub_model(self):
        x = self.pick()
        name = self.name("model")
        inner = Graph(self.random.random(), prefix=name + "_", depth=self.depth + 1)
        return self.new(inner.finish(name, [x.shape[-1]], least=1, single=True), x)

    def sub_sequential(self):
        x = self.pick()
        name = self.name("sequential")
        parts = [Input((x.shape[-1],), name=name + "_input")]
        for number in range(self.random.randint(1, 3)):
            parts.append(layers.Dense(self.random.choice(WIDTHS), name=f"{name}_dense_{number}"))
            if self.random.random() < 0.3:
                parts.append(layers.BatchNormalization(name=f"{name}_norm_{number}"))
        return self.new(Sequential(parts, name=name), x)

    def finish(self, name, widths, least, single=False):
        """The model, with inputs of these widths."""
        inputs = [Input((width,), name=self.name("input")) for width in widths]
        read = inputs if single or len(inputs) == 1 else inputs[: self.random.randint(1, len(inputs))]
        self.tensors = list(read)
        for _ in range(max(least, self.random.randint(*STEPS) // (1 + 2 * self.depth))):
            self.step()
        if single:
            return Model(inputs[0], self.tensors[-1], name=name)
        count = self.random.randint(1, min(4, len(self.tensors) - len(read)))
        chosen = self.random.sample(self.tensors[len(read) : -1], count - 1) + self.tensors[-1:]
        self.random.shuffle(chosen)
        self.random.shuffle(inputs)
        return Model(self.arranged(inputs, "i"), self.arranged(chosen, "o"), name=name)

    def arranged(self, tensors, letter):
        """One tensor, a list, or a dict whose keys are in no order."""
        kind = self.random.choice(("list", "dict", "one"))
        if kind == "one" and len(tensors) == 1:
            return tensors[0]
        if kind == "dict":
            keys = self.random.sample([f"{letter}{n}" for n in range(10)], len(tensors))
            return dict(zip(keys, tensors))
        return list(tensors)


def build(seed):
    graph = Graph(seed)
    widths = [graph.random.choice(WIDTHS) for _ in range(graph.random.randint(1, 4))]
    return graph.finish("root", widths, least=3)
