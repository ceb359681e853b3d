"""What is converted: tiny models of Hugging Face, with distinct sizes on every axis, and models of timm."""

import dataclasses

# Heads, the width of a head, both hidden widths, the vocabulary and the positions all differ.
TEXT = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 17,
}
DECODER = TEXT | {
    "hidden_size": 24,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 28,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
}
IMAGE = {
    "image_size": 16,
    "patch_size": 4,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A checkpoint, and the backbone that KerasHub makes of it."""

    name: str
    # `schemas/kerashub/<schema>.toml`
    schema: str
    # The class in `keras_hub.models`.
    backbone: str
    # The class in `transformers` with a head, and its configuration; None: timm's, named by `config`.
    torch: str | None
    config: dict
    # The prefix of the keys that belong to the backbone, in the model with a head.
    prefix: str = ""
    # What the models read: see `inputs.py`.
    inputs: str = "text"
    # The output that is compared, in Keras.
    output: str | None = None
    # Further forms of the checkpoint: see `variants.py`.
    variants: tuple = ()
    # Tensors without a use in some of the forms, which the schema does not leave out by itself.
    waived: tuple = ()
    # The difference that the output may have, relative to its largest value.
    tolerance: float = 1e-5
    # The type through which KerasHub's converter takes every value.
    rounded: str | None = None


def text(name, backbone, torch, prefix, config, **more):
    """A model that reads tokens."""
    return Case(name, more.pop("schema", name), backbone, torch, config, prefix, **more)


HUGGING_FACE = [
    # KerasHub's BERT approximates GELU.
    text(
        "bert",
        "BertBackbone",
        "BertForPreTraining",
        "bert.",
        TEXT | {"hidden_act": "gelu_pytorch_tanh", "type_vocab_size": 2},
        inputs="segments",
        output="sequence_output",
        variants=("base", "gamma", "buffers"),
    ),
    text(
        "roberta",
        "RobertaBackbone",
        "RobertaForMaskedLM",
        "roberta.",
        TEXT | {"type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5},
        variants=("base", "buffers"),
    ),
    text(
        "distilbert",
        "DistilBertBackbone",
        "DistilBertForMaskedLM",
        "distilbert.",
        {
            "vocab_size": 37,
            "dim": 12,
            "n_layers": 2,
            "n_heads": 3,
            "hidden_dim": 20,
            "max_position_embeddings": 17,
        },
        variants=("base",),
    ),
    text(
        "albert",
        "AlbertBackbone",
        "AlbertForPreTraining",
        "albert.",
        TEXT
        | {
            "embedding_size": 7,
            "num_hidden_layers": 4,
            "num_hidden_groups": 2,
            "inner_group_num": 3,
            "type_vocab_size": 2,
            "hidden_act": "gelu_pytorch_tanh",
        },
        inputs="segments",
        output="sequence_output",
        variants=("base", "buffers"),
    ),
    text(
        "gpt2",
        "GPT2Backbone",
        "GPT2LMHeadModel",
        "transformer.",
        {"vocab_size": 37, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 17},
        variants=("base", "buffers"),
    ),
    text("llama3", "Llama3Backbone", "LlamaForCausalLM", "model.", DECODER | {"rms_norm_eps": 1e-6}),
    text(
        "llama3-tied",
        "Llama3Backbone",
        "LlamaForCausalLM",
        "model.",
        DECODER | {"rms_norm_eps": 1e-6, "tie_word_embeddings": True},
        schema="llama3",
        variants=("base", "buffers"),
        waived=("lm_head.weight",),
    ),
    text(
        "mistral",
        "MistralBackbone",
        "MistralForCausalLM",
        "model.",
        DECODER | {"sliding_window": 9},
        variants=("buffers",),
        rounded="float16",
    ),
    text(
        "qwen2",
        "QwenBackbone",
        "Qwen2ForCausalLM",
        "model.",
        DECODER | {"use_sliding_window": False},
    ),
    text(
        "qwen2-tied",
        "QwenBackbone",
        "Qwen2ForCausalLM",
        "model.",
        DECODER | {"use_sliding_window": False, "tie_word_embeddings": True},
        schema="qwen2",
        variants=("base", "buffers"),
        waived=("lm_head.weight",),
    ),
    text(
        "gemma",
        "GemmaBackbone",
        "GemmaForCausalLM",
        "model.",
        DECODER | {"hidden_size": 18, "head_dim": 4, "tie_word_embeddings": True},
        variants=("base", "buffers"),
    ),
    text(
        "gemma2",
        "GemmaBackbone",
        "Gemma2ForCausalLM",
        "model.",
        DECODER
        | {
            "hidden_size": 18,
            "head_dim": 4,
            "query_pre_attn_scalar": 4,
            "sliding_window": 9,
            "tie_word_embeddings": True,
        },
        schema="gemma2",
        variants=("base", "buffers"),
    ),
    text(
        "mixtral",
        "MixtralBackbone",
        "MixtralForCausalLM",
        "model.",
        DECODER | {"num_local_experts": 5, "num_experts_per_tok": 2},
        variants=("renamed", "buffers"),
    ),
    text(
        "qwen_moe",
        "QwenMoeBackbone",
        "Qwen2MoeForCausalLM",
        "model.",
        DECODER
        | {
            "moe_intermediate_size": 11,
            "shared_expert_intermediate_size": 13,
            "num_experts": 5,
            "num_experts_per_tok": 2,
            "use_sliding_window": False,
        },
        variants=("renamed", "buffers"),
    ),
    text(
        "vit",
        "ViTBackbone",
        "ViTForImageClassification",
        "vit.",
        IMAGE,
        inputs="image",
        variants=("base", "renamed"),
    ),
    text(
        "deit",
        "DeiTBackbone",
        "DeiTForImageClassificationWithTeacher",
        "deit.",
        IMAGE,
        inputs="image",
        variants=("base", "renamed"),
    ),
    text(
        "swin",
        "SwinTransformerBackbone",
        "SwinForImageClassification",
        "swin.",
        {
            "image_size": 48,
            "patch_size": 4,
            "embed_dim": 12,
            "depths": [2, 2],
            "num_heads": [3, 4],
            "window_size": 3,
            "mlp_ratio": 3.0,
        },
        inputs="image",
        variants=("base", "buffers"),
    ),
    text(
        "bart",
        "BartBackbone",
        "BartForConditionalGeneration",
        "model.",
        {
            "vocab_size": 37,
            "d_model": 12,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 3,
            "decoder_attention_heads": 3,
            "encoder_ffn_dim": 20,
            "decoder_ffn_dim": 20,
            "max_position_embeddings": 17,
        },
        inputs="seq2seq",
        output="decoder_sequence_output",
        variants=("base",),
    ),
]


def timm(name, schema, backbone, **more):
    return Case(name, schema, backbone, None, {"architecture": name}, inputs="image", **more)


TIMM = [
    timm("resnet18", "resnet", "ResNetBackbone"),
    timm("resnet50", "resnet", "ResNetBackbone"),
    timm("resnetv2_50", "resnet", "ResNetBackbone"),
    timm("densenet121", "densenet", "DenseNetBackbone"),
    timm("vgg11", "vgg", "VGGBackbone"),
    timm("vgg16", "vgg", "VGGBackbone"),
    timm("efficientnet_b0", "efficientnet", "EfficientNetBackbone"),
    timm("efficientnet_lite0", "efficientnet", "EfficientNetBackbone"),
    timm("efficientnet_es", "efficientnet_v2", "EfficientNetBackbone"),
    timm("efficientnetv2_rw_t", "efficientnet_v2", "EfficientNetBackbone"),
    timm("mobilenetv3_small_050", "mobilenetv3", "MobileNetBackbone"),
    timm("mobilenetv3_large_100", "mobilenetv3", "MobileNetBackbone"),
]

CASES = HUGGING_FACE + TIMM


def chosen(names):
    """The cases of these names, or all of them."""
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}")
    return [case for case in CASES if not names or case.name in names]
