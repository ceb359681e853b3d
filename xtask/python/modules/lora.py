"""PEFT's adapters, merged on the way: a small transformer with adapted embeddings, projections and convolution."""


from case import Case, save_state_dict, unchanged
import keras
from keras import layers
import torch
from torch import nn
from zoo import EPSILON, randomised

from modules.attention import WIDTH, Grouped
from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer

TOKENS, HIDDEN, CLASSES, RANK, ALPHA = 41, 22, 6, 3, 7
# Sums are added in float64 and rounded once; torch's order depends on the machine.
LORA_ULPS = 4

ADAPTED = ["embedding", "conv", "q_proj", "v_proj", "up", "down"]


class Language(nn.Module):
    """One block behind a convolution over the tokens."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.attn = Grouped()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, HIDDEN)
        self.down = nn.Linear(HIDDEN, WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens):
        x = self.conv(self.embedding(tokens).transpose(1, 2)).transpose(1, 2)
        x = self.norm(x + self.attn(x))
        return self.head(x + self.down(torch.relu(self.up(x))))


def language():
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(TOKENS, WIDTH, name="embedding")(tokens)
    x = layers.Conv1D(WIDTH, 3, padding="same", name="conv")(x)
    heads = layers.GroupQueryAttention(Grouped.size, Grouped.heads, Grouped.groups, name="attn")
    x = layers.LayerNormalization(epsilon=EPSILON, name="norm")(layers.Add()([x, heads(x, x)]))
    y = layers.Dense(HIDDEN, activation="relu", name="up")(x)
    x = layers.Add()([x, layers.Dense(WIDTH, use_bias=False, name="down")(y)])
    return keras.Model(tokens, layers.Dense(CLASSES, name="head")(x), name="language")


LANGUAGE = ("embedding", "conv", "attn", "norm", "up", "down", "head")


def adapted(seed, **options):
    """As PEFT leaves it: under another name, each adapted weight in three parts, and the head trained as a whole."""

    def module():
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(seed)
        config = LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules=ADAPTED, init_lora_weights=False, **options
        )
        return randomised(get_peft_model(randomised(Language(), seed), config), seed)

    return module


def merged(build):
    """What PEFT itself merges."""
    return lambda _: build().merge_and_unload().state_dict()


def save_with_config(module, path):
    """The state_dict, and beside it what PEFT keeps of its adapters."""
    save_state_dict(module, path)
    module.peft_config["default"].save_pretrained(path.parent)


def schema(said):
    return (
        f'{HEADER}[source]\nprefix = "base_model.model."\n{said}'
        + NOTHING_FLATTENED
        + layer("embedding", "embedding", "Embedding")
        + layer("conv", "conv", "Conv1D")
        + layer("attn", "attn", "GroupedQueryAttention")
        + layer("norm", "norm", "LayerNormalization")
        + layer("{x:up|down}", "{x}", "Dense")
    )


def lora_case(name, seed, schema, read=False, **options):
    build = adapted(seed, **options)
    beside = {"save": save_with_config, "notes": READ} if read else {}
    return Case(
        name=name,
        module=build,
        model=language,
        samples=lambda random: [(random.integers(0, TOKENS, size=(3, 8)),)],
        tensors=merged(build),
        pairs={name: name for name in LANGUAGE},
        schema=schema,
        computed={
            "embedding/embeddings": LORA_ULPS,
            "*/[qv]*/kernel": LORA_ULPS,
            "conv/kernel": LORA_ULPS,
            "up/kernel": LORA_ULPS,
            "down/kernel": LORA_ULPS,
        },
        to_keras=unchanged,
        from_torch=unchanged,
        **beside,
    )


# What the plan says of alphas that were read: those of two weights are their own, and the rank of a third.
READ = tuple(
    f"alpha {alpha} over the root of its rank {rank}, as adapter_config.json beside the checkpoint says"
    for alpha, rank in [(ALPHA, RANK), (5, RANK), (4, RANK), (ALPHA, 2)]
)
HEAD = layer("head", "head", "Dense")
SAVED_HEAD = layer("head.modules_to_save.default", "head", "Dense")

CASES = [
    *both_forms(lora_case("lora", 140, schema(f"lora = {{ alpha = {ALPHA} }}\n") + HEAD)),
    *both_forms(
        lora_case(
            "lora_rslora",
            141,
            schema(f'lora = {{ alpha = {ALPHA}, rslora = true }}\nignore = "head.original_module.*"\n') + SAVED_HEAD,
            use_rslora=True,
            modules_to_save=["head"],
        )
    ),
    *both_forms(
        lora_case(
            "lora_read",
            142,
            schema("") + HEAD,
            read=True,
            use_rslora=True,
            alpha_pattern={"up": 5, "attn.q_proj": 4},
            rank_pattern={"^down": 2},
        )
    ),
]
