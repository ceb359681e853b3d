"""What both models read, the same random values on both sides. Imports neither torch nor Keras."""

import numpy as np

BATCH = 2
TOKENS = 7
VOCABULARY = 37
SEED = 5


def torch_inputs(kind, size):
    """The arguments of the PyTorch model, as NumPy arrays by name; `size` is an image's."""
    random = np.random.default_rng(SEED)
    if kind == "image":
        return {"pixel_values": random.normal(size=(BATCH, 3, size, size))}
    # No token that a model might take for padding.
    arrays = {
        "input_ids": random.integers(3, VOCABULARY, (BATCH, TOKENS)),
        "attention_mask": np.ones((BATCH, TOKENS), "int64"),
    }
    if kind == "segments":
        arrays["token_type_ids"] = random.integers(0, 2, (BATCH, TOKENS))
    if kind == "seq2seq":
        arrays["decoder_input_ids"] = random.integers(3, VOCABULARY, (BATCH, TOKENS - 2))
        arrays["decoder_attention_mask"] = np.ones((BATCH, TOKENS - 2), "int64")
    return arrays


def keras_inputs(kind, arrays):
    """The same for the backbone."""
    if kind == "image":
        return arrays["pixel_values"].transpose(0, 2, 3, 1)
    if kind == "seq2seq":
        return {
            "encoder_token_ids": arrays["input_ids"],
            "encoder_padding_mask": arrays["attention_mask"],
            "decoder_token_ids": arrays["decoder_input_ids"],
            "decoder_padding_mask": arrays["decoder_attention_mask"],
        }
    read = {"token_ids": arrays["input_ids"], "padding_mask": arrays["attention_mask"]}
    if kind == "segments":
        read["segment_ids"] = arrays["token_type_ids"]
    return read
