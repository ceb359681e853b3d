"""A GAN: a generator of transposed convolutions, and a discriminator with spectral normalization in both styles."""

import functools

from case import Case
import keras
from keras import layers
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from zoo import EPSILON, randomised

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer

NOISE, IMAGE, TRAINED = 9, (20, 12), 3

# How spectral_norm is put on a module, and how PyTorch takes it off.
STYLES = {
    "spectral_norm": (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
    "parametrized": (
        parametrizations.spectral_norm,
        lambda part: parametrize.remove_parametrizations(part, "weight"),
    ),
}
# Sums are added in float64 and rounded once; torch's order depends on the machine.
SPECTRAL_ULPS = 4


def unnormalized(module):
    return module


class Generator(nn.Module):
    """DCGAN's: noise of one pixel becomes an image."""

    def __init__(self, normalize=unnormalized):
        super().__init__()
        self.main = nn.Sequential(
            normalize(nn.ConvTranspose2d(NOISE, 8, (5, 3), bias=False)),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            normalize(nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1, bias=False)),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            normalize(nn.ConvTranspose2d(6, 3, (4, 6), stride=2, padding=(1, 2))),
            nn.Tanh(),
        )

    def forward(self, noise):
        return self.main(noise)


def generator():
    def up(filters, kernel, name, **options):
        return layers.Conv2DTranspose(filters, kernel, padding="same", strides=2, name=name, **options)

    return keras.Sequential(
        [
            keras.Input((1, 1, NOISE)),
            layers.Conv2DTranspose(8, (5, 3), use_bias=False, name="main_0"),
            layers.BatchNormalization(epsilon=EPSILON, name="main_1"),
            layers.ReLU(),
            up(6, 4, "main_3", use_bias=False),
            layers.BatchNormalization(epsilon=EPSILON, name="main_4"),
            layers.ReLU(),
            up(3, (4, 6), "main_6", activation="tanh"),
        ]
    )


GENERATOR = {f"main.{k}": f"main_{k}" for k in (0, 1, 3, 4, 6)}
GENERATOR_SCHEMA = (
    HEADER
    + NOTHING_FLATTENED
    + layer("main.{k:0|3|6}", "main_{k}", "Conv2DTranspose")
    + layer("main.{k:1|4}", "main_{k}", "BatchNormalization")
)


class Discriminator(nn.Module):
    """An image to one number, by the sum of its features."""

    def __init__(self, normalize):
        super().__init__()
        self.conv1 = normalize(nn.Conv2d(3, 7, 4, stride=2, padding=1))
        self.conv2 = normalize(nn.Conv2d(7, 10, (3, 5), stride=(1, 2), bias=False))
        self.score = normalize(nn.Linear(10, 2))

    def forward(self, image):
        x = nn.functional.leaky_relu(self.conv1(image), 0.2)
        x = nn.functional.leaky_relu(self.conv2(x), 0.2)
        return self.score(x.mean((2, 3)))


def discriminator(wrapped):
    def part(one, name):
        if not wrapped:
            return one(name=name)
        # A template tells the class of a layer within by the name that Keras itself gives.
        inside = "dense" if name == "score" else "conv2d"
        return layers.SpectralNormalization(one(name=inside), name=name)

    image = keras.Input((*IMAGE, 3))
    conv1 = functools.partial(layers.Conv2D, 7, 4, strides=2)
    conv2 = functools.partial(layers.Conv2D, 10, (3, 5), strides=(1, 2), use_bias=False)
    x = part(conv1, "conv1")(layers.ZeroPadding2D(1)(image))
    x = part(conv2, "conv2")(layers.LeakyReLU(0.2)(x))
    x = layers.GlobalAveragePooling2D()(layers.LeakyReLU(0.2)(x))
    return keras.Model(image, part(functools.partial(layers.Dense, 2), "score")(x), name="discriminator")


DISCRIMINATOR = ("conv1", "conv2", "score")
WRAPPED_SCHEMA = HEADER + NOTHING_FLATTENED + layer("{x:conv1|conv2|score}", "{x}", "SpectralNormalization")
PLAIN_SCHEMA = (
    HEADER
    + NOTHING_FLATTENED
    + layer("{x:conv1|conv2}", "{x}", "Conv2D")
    + layer("score", "score", "Dense")
)


def trained(build, shape, seed):
    """As after training: the power iteration has taken some steps."""

    def module():
        torch.manual_seed(seed)
        built = randomised(build(), seed).train()
        with torch.no_grad():
            for _ in range(TRAINED):
                built(torch.randn(2, *shape))
        return built.eval()

    return module


def spectral_parts(module):
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    return {name: part for name, part in module.named_modules() if isinstance(part, kinds)}


def tensors(build, remove, wrapped):
    """The weights divided by their norms, as PyTorch leaves them, and the vectors if Keras has a place for them."""

    def plain(_):
        module = build()
        vectors = {}
        for name, part in spectral_parts(module).items():
            vector = part.weight_u if hasattr(part, "weight_u") else part.parametrizations.weight[0]._u
            vectors[f"{name}.vector_u"] = vector.clone()
            remove(part)
        return module.state_dict() | (vectors if wrapped else {})

    return plain


def spectral_case(name, style, wrapped, build, shape, **options):
    return Case(
        name=f"{name}_{style}",
        module=build,
        samples=lambda random: [(random.normal(size=(2, *shape)),)],
        tensors=tensors(build, STYLES[style][1], wrapped),
        **options,
    )


def cases():
    for seed, (style, (normalize, _)) in enumerate(STYLES.items(), 130):
        build = trained(functools.partial(Discriminator, normalize), (3, *IMAGE), seed)
        for wrapped in (False, True):
            yield from both_forms(
                spectral_case(
                    "discriminator_wrapped" if wrapped else "discriminator",
                    style,
                    wrapped,
                    build,
                    (3, *IMAGE),
                    model=functools.partial(discriminator, wrapped),
                    pairs={name: name for name in DISCRIMINATOR},
                    schema=WRAPPED_SCHEMA if wrapped else PLAIN_SCHEMA,
                    computed={"*/kernel": SPECTRAL_ULPS},
                    stored_twice=len(DISCRIMINATOR) if wrapped else 0,
                )
            )
        yield spectral_case(
            "generator",
            style,
            False,
            trained(functools.partial(Generator, normalize), (NOISE, 1, 1), seed + 10),
            (NOISE, 1, 1),
            model=generator,
            pairs=GENERATOR,
            schema="same-names",
            computed={"*/kernel": SPECTRAL_ULPS},
        )


CASES = [
    *both_forms(
        Case(
            name="generator_dcgan",
            module=trained(Generator, (NOISE, 1, 1), 129),
            model=generator,
            samples=lambda random: [(random.normal(size=(2, NOISE, 1, 1)),)],
            pairs=GENERATOR,
            schema=GENERATOR_SCHEMA,
        )
    ),
    *cases(),
]
