"""Layers that read text, categories and sound."""

import numpy as np
from keras import Input, Model, layers

from offers import accepts, has
from registry import family


@family()
def spectrograms():
    """A layer whose kernels are variables, where this Keras has it."""
    wave, outputs = Input((400, 1), name="wave"), []
    outputs.append(layers.Conv1D(3, 5, name="conv")(wave))
    if has("STFTSpectrogram"):
        spectrogram = layers.STFTSpectrogram
        outputs.append(spectrogram(frame_length=32, frame_step=16, fft_length=64, name="both")(wave))
        outputs.append(
            spectrogram(mode="real", frame_length=30, frame_step=16, fft_length=32, name="real")(wave)
        )
        outputs.append(
            spectrogram(mode="imag", frame_length=28, frame_step=16, fft_length=32, name="imag")(wave)
        )
        outputs.append(
            spectrogram(
                mode="angle", frame_length=26, frame_step=16, fft_length=32, trainable=False, name="angle"
            )(wave)
        )
        x = spectrogram(
            mode="magnitude", frame_length=24, frame_step=12, fft_length=32, expand_dims=True, name="grown"
        )(wave)
        outputs.append(layers.Conv2D(2, 3, name="of_grown")(x))
    return Model(wave, outputs, name="sound")


@family()
def categories():
    """Whole numbers to vectors, without a vocabulary."""
    ids, outputs = Input((4,), dtype="int32", name="ids"), []
    outputs.append(layers.Embedding(8, 3, name="table")(ids))
    for mode in ("multi_hot", "one_hot", "count"):
        source = Input((1,), dtype="int32", name=f"of_{mode}") if mode == "one_hot" else ids
        x = layers.CategoryEncoding(num_tokens=9, output_mode=mode, name=mode)(source)
        outputs.append(layers.Dense(len(mode), name=f"dense_{mode}")(x))
        if source is not ids:
            one = source
    return Model([ids, one], outputs, name="categorical")


@family(tensorflow=True)
def lookups():
    """Vocabularies in the configuration, and adapted ones, which `.keras` keeps as assets."""
    words, numbers, text = (
        Input((4,), dtype="string", name="words"),
        Input((3,), dtype="int64", name="numbers"),
        Input((1,), dtype="string", name="text"),
    )
    given = layers.StringLookup(vocabulary=["a", "b", "größe"], name="given")
    adapted = layers.IntegerLookup(name="adapted")
    adapted.adapt(np.array([[3, 7, 9], [7, 7, 1]]))
    vectors = layers.TextVectorization(max_tokens=12, output_sequence_length=5, name="vectors")
    vectors.adapt(np.array(["one two three", "two three"]))
    outputs = [
        layers.Embedding(5, 2, name="of_words")(given(words)),
        layers.Embedding(6, 3, name="of_numbers")(adapted(numbers)),
        layers.Embedding(12, 4, name="of_text")(vectors(text)),
    ]
    if accepts("HashedCrossing", "num_bins"):
        crossed = layers.HashedCrossing(num_bins=7, name="crossed")((words[:, :1], text))
        outputs.append(layers.Embedding(7, 2, name="of_crossed")(crossed))
    outputs.append(layers.Embedding(9, 2, name="of_hashes")(layers.Hashing(num_bins=9, name="hashes")(words)))
    return Model([words, numbers, text], outputs, name="lookup_family")


@family(tensorflow=True)
def tf_idf():
    """A lookup whose weights are a dataset with a name instead of a number."""
    words = Input((4,), dtype="string", name="words")
    weighted = layers.StringLookup(output_mode="tf_idf", name="weighted")
    weighted.adapt(np.array([["a", "b"], ["a", "c"]]))
    return Model(words, layers.Dense(3, name="of_idf")(weighted(words)), name="weighted_words")


@family(tensorflow=True)
def adapted_bins():
    """Keras 2 keeps the summary that the boundaries come from as a variable, Keras 3 the boundaries in JSON."""
    scores = Input((3,), name="scores")
    bins = layers.Discretization(num_bins=4, name="bins")
    bins.adapt(np.linspace(0, 1, 60).reshape(20, 3).astype("float32"))
    return Model(scores, layers.Embedding(4, 5, name="of_bins")(bins(scores)), name="binned")
