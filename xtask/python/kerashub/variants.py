"""The forms in which a checkpoint is met: each makes the tensors of another file of the classic ones."""

import torch


def base(case, tensors, model):
    """The model without a head: no prefix, and what the base class has beside (a pooler)."""
    own = {
        key.removeprefix(case.prefix): value for key, value in tensors.items() if key.startswith(case.prefix)
    }
    whole = type(model.base_model)(model.config).state_dict()
    poolers = {key: value for key, value in whole.items() if key.startswith("pooler.") and key not in own}
    return own | poolers


def gamma(_case, tensors, _model):
    """The names of checkpoints that were made with TensorFlow."""
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def renamed(key):
        for new, old in names.items():
            key = key.replace(new, old)
        return key

    return {renamed(key): value for key, value in tensors.items()}


def renamed(_case, _tensors, model):
    """The names and stacks of transformers 5 in memory, which `save_pretrained` turns back."""
    return model.state_dict()


POSITIONS = {"embeddings.word_embeddings.weight": {"embeddings.position_ids": torch.arange(17)[None]}}
ROTARY = {"self_attn.q_proj.weight": {"self_attn.rotary_emb.inv_freq": torch.ones(2)}}
# What older versions of transformers saved as buffers: suffix of a key to what stands beside that key.
BUFFERS = {
    "bert": POSITIONS,
    "roberta": POSITIONS,
    "albert": POSITIONS,
    "gpt2": {
        "attn.c_attn.weight": {
            "attn.bias": torch.ones(1, 1, 17, 17, dtype=torch.uint8),
            "attn.masked_bias": torch.tensor(-1e4),
        }
    },
    "swin": {
        "attention.self.query.weight": {
            "attention.self.relative_position_index": torch.zeros(9, 9, dtype=torch.int64)
        }
    },
} | dict.fromkeys(("llama3", "mistral", "qwen2", "gemma", "gemma2", "mixtral", "qwen_moe"), ROTARY)


def buffers(case, tensors, _model):
    """With the buffers that older versions of transformers saved."""
    beside = BUFFERS[case.schema]
    more = {
        key.removesuffix(suffix) + name: value
        for key in tensors
        for suffix, added in beside.items()
        if key.endswith(suffix)
        for name, value in added.items()
    }
    return tensors | more


VARIANTS = {"base": base, "gamma": gamma, "renamed": renamed, "buffers": buffers}
