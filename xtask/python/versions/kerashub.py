"""Small backbones of KerasHub: `ptw2k` lists their templates as Keras walks them, and writes what they load.

kerashub.py VERSION BINARY FOLDER [BACKBONE]...
"""

import pathlib
import shutil
import sys
import time

import keras
import keras_hub
import numpy as np

import expected
import judge
import listing
import load
import make
import product
import tensors
import written
from process import begin, brief

TEXT = {"vocabulary_size": 23, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
GROUPED = {
    "vocabulary_size": 23,
    "num_layers": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
}
IMAGE = {"image_shape": (32, 32, 3), "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 12}
BACKBONES = {
    "AlbertBackbone": TEXT | {"embedding_dim": 6, "num_groups": 1, "num_inner_repetitions": 2},
    "BartBackbone": TEXT,
    "BertBackbone": TEXT,
    "DebertaV3Backbone": TEXT | {"bucket_size": 4},
    "DeiTBackbone": IMAGE | {"intermediate_dim": 20},
    "DistilBertBackbone": TEXT,
    "ElectraBackbone": {"vocab_size": 23, "embedding_dim": 6}
    | {key: TEXT[key] for key in TEXT if key != "vocabulary_size"},
    "GPT2Backbone": TEXT,
    "GemmaBackbone": GROUPED | {"head_dim": 6},
    "Llama3Backbone": GROUPED,
    "MistralBackbone": GROUPED,
    "MixtralBackbone": GROUPED | {"num_experts": 3},
    "Qwen2Backbone": GROUPED,
    "ResNetBackbone": {
        "input_conv_filters": [4],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 80],
        "stackwise_num_blocks": [2, 1],
        "stackwise_num_strides": [1, 2],
        "block_type": "bottleneck_block",
        "image_shape": (32, 32, 3),
    },
    "RobertaBackbone": TEXT,
    "SwinTransformerBackbone": {
        "image_shape": (32, 32, 3),
        "embed_dim": 6,
        "depths": (2, 2),
        "num_heads": (1, 2),
        "window_size": 4,
        "patch_size": 2,
    },
    "T5Backbone": TEXT | {"key_value_dim": 3, "tie_embedding_weights": False},
    "ViTBackbone": IMAGE | {"mlp_dim": 20},
    "WhisperBackbone": TEXT
    | {"num_mels": 5, "max_encoder_sequence_length": 16, "max_decoder_sequence_length": 12},
}
OUTPUTS = ("weights", "sharded")


def judged(binary, version, name, folder):
    """The number of variables, each listed at its place, and equal after loading."""
    keras.backend.clear_session()
    model = getattr(keras_hub.models, name)(**BACKBONES[name])
    make.fill(model)
    rows = listing.walk(model)
    template = folder / "template.weights.h5"
    model.save_weights(template)
    pairs = expected.placed(product.inspect(binary, template), [row.described() for row in rows], "weights")
    checkpoint, schema, keys = judge.prepare(pairs, folder / "new")
    wanted = tensors.read(checkpoint)
    for output_kind in OUTPUTS:
        sources = checkpoint, template, schema
        output = written.write(
            binary, version, output_kind, sources, written.shard_size(pairs), folder / output_kind, set()
        )
        for row in rows:
            row.variable.assign(np.full(row.shape, load.UNTOUCHED, row.stored))
        model.load_weights(output)
        load.compare(rows, keys, wanted)
    return len(rows)


def main():
    version, binary, folder, *only = sys.argv[1:]
    begin(version)
    names, faults, variables = only or list(BACKBONES), 0, 0
    for name in names:
        began = time.perf_counter()
        target = pathlib.Path(folder) / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            count = judged(binary, version, name, target)
        except Exception as fault:  # the other models are still judged
            faults += 1
            print(f"FAILED {name}: {brief(fault)}", flush=True)
            continue
        shutil.rmtree(target)
        variables += count
        print(
            f"  {name}: {count} variables, {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True
        )
    print(
        f"KerasHub {keras_hub.__version__}, Keras {version}: {len(names)} backbones, {variables} variables, "
        f"{faults} with differences"
    )
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
