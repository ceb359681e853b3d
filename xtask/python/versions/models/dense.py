"""Dense layers, einsums and embeddings."""

from keras import Input, Model, layers

from offers import accepts, has
from registry import family


@family()
def dense():
    vector, steps, ids = (
        Input((6,), name="vector"),
        Input((9, 7), name="steps"),
        Input((11,), dtype="int32", name="ids"),
    )
    heads = Input((5, 4, 3), name="heads")
    outputs = [
        layers.Dense(4, name="plain")(vector),
        layers.Dense(5, use_bias=False, name="no_bias")(steps),
        layers.Dense(3, activation="relu", name="activated")(heads),
        layers.Embedding(13, 5, name="embedding")(ids),
        layers.Embedding(12, 2, mask_zero=True, name="masked")(ids),
        *einsums(vector, steps, heads),
    ]
    if has("ReversibleEmbedding"):
        tied = layers.ReversibleEmbedding(13, 5, name="tied")
        untied = layers.ReversibleEmbedding(14, 6, tie_weights=False, name="untied")
        outputs += [tied(tied(ids), reverse=True), untied(untied(ids), reverse=True)]
    return Model([vector, steps, ids, heads], outputs, name="dense_family")


def einsums(vector, steps, heads):
    """Bias axes at every place, sizes copied from the input, an ellipsis on either side."""

    def einsum(equation, shape, bias, name, source):
        return layers.EinsumDense(equation, output_shape=shape, bias_axes=bias, name=name)(source)

    return [
        einsum("abc,cde->abde", (None, 2, 3), "de", "split", steps),
        einsum("abc,cde->abde", (None, 2, 3), "d", "bias_inner", steps),
        einsum("abc,cde->abde", (None, 2, 3), "e", "bias_last", steps),
        einsum("abc,cd->abd", (None, 4), None, "no_bias_einsum", steps),
        einsum("abc,cd->abd", (9, 3), "b", "bias_middle", steps),
        einsum("abc,cd->abd", (9, 5), "bd", "bias_both", steps),
        einsum("abcd,cde->abe", (None, 8), "e", "merge", heads),
        einsum("abc,bde->acde", (7, 2, 4), "ce", "mix_steps", steps),
        einsum("...x,xy->...y", 3, "y", "ellipsis_vector", vector),
        einsum("...x,xy->...y", 5, "y", "ellipsis_steps", steps),
        einsum("ab...,bc->ac...", (6, 7), "c", "ellipsis_behind", steps),
    ]


@family()
def no_variables():
    """Classes that hold nothing but count as layers."""
    vector = Input((6,), name="vector")
    x = vector
    for name in (
        "Activation",
        "ReLU",
        "LeakyReLU",
        "ELU",
        "Softmax",
        "Dropout",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "ActivityRegularization",
        "Masking",
        "Identity",
        "UnitNormalization",
    ):
        if not has(name):
            continue
        required = {
            "Activation": ("tanh",),
            "Dropout": (0.2,),
            "GaussianNoise": (0.2,),
            "GaussianDropout": (0.2,),
            "AlphaDropout": (0.2,),
        }
        x = getattr(layers, name)(*required.get(name, ()))(x)
        x = layers.Dense(len(name) % 7 + 2)(x)
    outputs = [x]
    merged = layers.Dense(6, name="same_size")(vector)
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        outputs.append(layers.Dense(len(name))(getattr(layers, name)()([vector, merged])))
    outputs.append(layers.Dense(3)(layers.Concatenate()([vector, merged, x])))
    outputs.append(layers.Dense(2)(layers.Dot(axes=1)([vector, merged])))
    if accepts("Rescaling", "scale"):
        outputs.append(layers.Dense(5)(layers.Rescaling(0.5, offset=1.0)(vector)))
    return Model(vector, outputs, name="weightless")
