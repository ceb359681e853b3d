"""Attention layers."""

from keras import Input, Model, layers

from offers import accepts, has, since
from registry import family


@family()
def attention():
    steps, other = Input((9, 8), name="steps"), Input((5, 8), name="other")
    outputs = [
        layers.Attention(use_scale=True, name="dot")([steps, other]),
        layers.Attention(name="dot_bare")([steps, other]),
        layers.Attention(score_mode="concat", name="concat")([steps, other]),
        layers.Attention(use_scale=True, score_mode="concat", name="concat_scale")([steps, other, other]),
        layers.AdditiveAttention(name="additive")([steps, other]),
        layers.AdditiveAttention(use_scale=False, name="additive_bare")([steps, other]),
        layers.Dense(3, name="behind")(layers.Attention(name="sized")([steps, other])),
    ]
    return Model([steps, other], outputs, name="attention_family")


@family()
def heads_of_attention():
    steps, other, grid = (
        Input((9, 8), name="steps"),
        Input((5, 8), name="other"),
        Input((3, 4, 8), name="grid"),
    )
    heads = layers.MultiHeadAttention
    outputs = [
        heads(2, 3, name="self")(steps, steps),
        heads(3, 2, value_dim=5, name="cross")(steps, other),
        heads(2, 5, use_bias=False, name="no_bias")(steps, other, key=other),
        heads(2, 3, output_shape=(7,), name="wide")(steps, other),
        heads(3, 2, output_shape=(4, 6), value_dim=1, name="out_two")(steps, other),
        heads(2, 3, attention_axes=(1, 2), name="axes")(grid, grid),
    ]
    inputs = [steps, other, grid]
    if since(3, 6) or not since(3):
        key, value = Input((5, 6), name="key"), Input((5, 7), name="value")
        outputs.append(heads(2, 3, value_dim=4, name="three_sizes")(steps, value, key))
        inputs += [key, value]
    if accepts("MultiHeadAttention", "use_gate"):
        outputs.append(heads(2, 3, value_dim=5, use_gate=True, name="gate")(steps, other))
        outputs.append(heads(2, 3, use_gate=True, use_bias=False, name="gate_no_bias")(steps, other))
    if has("GroupQueryAttention"):
        outputs.append(layers.GroupQueryAttention(3, 4, 2, name="grouped")(steps, other))
        outputs.append(
            layers.GroupQueryAttention(2, 6, 3, use_bias=False, name="grouped_no_bias")(steps, steps)
        )
    if accepts("GroupQueryAttention", "use_gate"):
        outputs.append(layers.GroupQueryAttention(3, 4, 2, use_gate=True, name="grouped_gate")(steps, other))
    return Model(inputs, outputs, name="heads")
