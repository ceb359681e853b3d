"""A random checkpoint of the shape of Llama 3.2 1B in bfloat16, as on the hub.

    llama.py FOLDER LAYERS VOCABULARY     config.json, model.safetensors

The released model has 16 layers and 128,256 tokens: 1.24 billion parameters.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

from make import Pool

WIDTH, INTERMEDIATE, HEADS, KEY_HEADS = 2048, 8192, 32, 8
HEAD = WIDTH // HEADS

PROJECTIONS = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.k_proj": (KEY_HEADS * HEAD, WIDTH),
    "self_attn.v_proj": (KEY_HEADS * HEAD, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (INTERMEDIATE, WIDTH),
    "mlp.up_proj": (INTERMEDIATE, WIDTH),
    "mlp.down_proj": (WIDTH, INTERMEDIATE),
    "input_layernorm": (WIDTH,),
    "post_attention_layernorm": (WIDTH,),
}


def config(layers, vocabulary):
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
        "head_dim": HEAD,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "rope_theta": 500000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "hidden_act": "silu",
        "bos_token_id": 128000,
        "eos_token_id": 128001,
    }


def main():
    folder, layers, vocabulary = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    pool = Pool(torch.bfloat16)
    state = {
        "model.embed_tokens.weight": torch.cat([pool.take(vocabulary // 8, WIDTH) for _ in range(8)]),
        "model.norm.weight": pool.take(WIDTH),
    }
    for n in range(layers):
        state |= {f"model.layers.{n}.{name}.weight": pool.take(*shape) for name, shape in PROJECTIONS.items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(layers, vocabulary)))


if __name__ == "__main__":
    main()
