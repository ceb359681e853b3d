"""Small nets of every shape that people train: U-Net, audio, volumes, text, shared weights, DDP, half."""

from case import Case, channels_last, unchanged
import keras
from keras import layers
import torch
from torch import nn

from zoo import EPSILON, randomised

HEADER = 'schema = 1\nname = "case"\n'


def same_names(*names):
    """A schema for modules and layers of equal names."""
    return f'{HEADER}[[layer]]\ntorch = "{{x:{"|".join(names)}}}"\nkeras = "{{x}}"\n'


def seeded(build, seed):
    def module():
        torch.manual_seed(seed)
        return randomised(build(), seed)

    return module


def identity_pairs(*names):
    return {name: name for name in names}


class UNet(nn.Module):
    """Two levels; one transposed convolution that overlaps itself and one of a lopsided kernel."""

    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(3, 6, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(6)
        self.down2 = nn.Conv2d(6, 11, (5, 3), padding=(2, 1))
        self.bn2 = nn.BatchNorm2d(11)
        self.bottom = nn.Conv2d(11, 13, 3, padding=1)
        self.up2 = nn.ConvTranspose2d(13, 9, (2, 3), stride=(2, 3))
        self.join2 = nn.Conv2d(20, 10, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(10, 7, 4, stride=2, padding=1)
        self.join1 = nn.Conv2d(13, 5, 3, padding=1)
        self.head = nn.Conv2d(5, 2, 1)

    def forward(self, x):
        a = torch.relu(self.bn1(self.down1(x)))
        b = torch.relu(self.bn2(self.down2(nn.functional.max_pool2d(a, 2))))
        c = torch.relu(self.bottom(nn.functional.max_pool2d(b, (2, 3))))
        c = torch.relu(self.join2(torch.cat([self.up2(c), b], 1)))
        c = torch.relu(self.join1(torch.cat([self.up1(c), a], 1)))
        return self.head(c)


def unet():
    image = keras.Input((24, 36, 3))

    def conv(filters, kernel, name, activation="relu"):
        return layers.Conv2D(filters, kernel, padding="same", activation=activation, name=name)

    def norm(name):
        return layers.BatchNormalization(epsilon=EPSILON, name=name)

    a = layers.ReLU()(norm("bn1")(conv(6, 3, "down1", None)(image)))
    b = layers.ReLU()(norm("bn2")(conv(11, (5, 3), "down2", None)(layers.MaxPooling2D(2)(a))))
    c = conv(13, 3, "bottom")(layers.MaxPooling2D((2, 3))(b))
    c = layers.Conv2DTranspose(9, (2, 3), strides=(2, 3), name="up2")(c)
    c = conv(10, 3, "join2")(layers.Concatenate()([c, b]))
    c = layers.Conv2DTranspose(7, 4, strides=2, padding="same", name="up1")(c)
    c = conv(5, 3, "join1")(layers.Concatenate()([c, a]))
    return keras.Model(image, conv(2, 1, "head", None)(c), name="unet")


UNET = ("down1", "bn1", "down2", "bn2", "bottom", "up2", "join2", "up1", "join1", "head")


class Audio(nn.Module):
    """Strided convolutions over samples, one of them depthwise, then up again for a mask."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv1d(2, 10, 9, stride=4)
        self.bn = nn.BatchNorm1d(10)
        self.depthwise = nn.Conv1d(10, 30, 5, groups=10, bias=False)
        self.pointwise = nn.Conv1d(30, 12, 1)
        self.decoder = nn.ConvTranspose1d(12, 3, 7, stride=4)
        self.classifier = nn.Linear(3, 8)

    def forward(self, x):
        x = torch.relu(self.bn(self.encoder(x)))
        x = torch.relu(self.pointwise(self.depthwise(x)))
        return self.classifier(torch.tanh(self.decoder(x)).mean(-1))


def audio():
    return keras.Sequential(
        [
            keras.Input((181, 2)),
            layers.Conv1D(10, 9, strides=4, name="encoder"),
            layers.BatchNormalization(epsilon=EPSILON, name="bn"),
            layers.ReLU(),
            layers.DepthwiseConv1D(5, depth_multiplier=3, use_bias=False, name="depthwise"),
            layers.Conv1D(12, 1, activation="relu", name="pointwise"),
            layers.Conv1DTranspose(3, 7, strides=4, activation="tanh", name="decoder"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(8, name="classifier"),
        ]
    )


AUDIO = ("encoder", "bn", "depthwise", "pointwise", "decoder", "classifier")


class Volume(nn.Module):
    """Volumes up and down, flattened at 3×4×5."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv3d(2, 6, (3, 5, 7), padding=(1, 2, 3))
        self.bn = nn.BatchNorm3d(6)
        self.up = nn.ConvTranspose3d(6, 7, (2, 3, 4), stride=(2, 3, 4))
        self.conv2 = nn.Conv3d(7, 9, (4, 6, 8), stride=(4, 6, 8))
        self.fc = nn.Linear(9 * 3 * 4 * 5, 11)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv1(x)))
        x = torch.relu(self.conv2(self.up(x)))
        return self.fc(torch.flatten(x, 1))


def volume():
    cube = keras.Input((6, 8, 10, 2))
    x = layers.Conv3D(6, (3, 5, 7), padding="same", name="conv1")(cube)
    x = layers.ReLU()(layers.BatchNormalization(epsilon=EPSILON, name="bn")(x))
    x = layers.Conv3DTranspose(7, (2, 3, 4), strides=(2, 3, 4), name="up")(x)
    x = layers.Conv3D(9, (4, 6, 8), strides=(4, 6, 8), activation="relu", name="conv2")(x)
    return keras.Model(cube, layers.Dense(11, name="fc")(layers.Flatten()(x)), name="volume")


VOLUME = ("conv1", "bn", "up", "conv2", "fc")


class Text(nn.Module):
    """Tokens to classes."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(97, 24)
        self.norm = nn.LayerNorm(24)
        self.hidden = nn.Linear(24, 31)
        self.classifier = nn.Linear(31, 5)

    def forward(self, tokens):
        x = torch.relu(self.hidden(self.norm(self.embedding(tokens))))
        return self.classifier(x.mean(1))


def text(dtype="float32"):
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(97, 24, name="embedding", dtype=dtype)(tokens)
    x = layers.LayerNormalization(epsilon=EPSILON, name="norm", dtype=dtype)(x)
    x = layers.Dense(31, activation="relu", name="hidden", dtype=dtype)(x)
    x = layers.GlobalAveragePooling1D(dtype=dtype)(x)
    return keras.Model(tokens, layers.Dense(5, name="classifier", dtype=dtype)(x), name="text")


TEXT = ("embedding", "norm", "hidden", "classifier")


def tokens(random):
    return [(random.integers(0, 97, size=(3, 17)),)]


class Tied(nn.Module):
    """A language model whose output layer is its embedding, and which runs one layer twice."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(61, 18)
        self.first = nn.Linear(18, 18)
        self.second = self.first
        self.decoder = nn.Linear(18, 61, bias=False)
        self.decoder.weight = self.embedding.weight

    def forward(self, tokens):
        x = torch.tanh(self.first(self.embedding(tokens)))
        return self.decoder(torch.tanh(self.second(x)))


def tied():
    tokens = keras.Input((None,), dtype="int32")
    shared = layers.Dense(18, activation="tanh", name="first")
    x = shared(shared(layers.Embedding(61, 18, name="embedding")(tokens)))
    return keras.Model(tokens, layers.Dense(61, use_bias=False, name="decoder")(x), name="tied")


TIED_SCHEMA = (
    HEADER
    + """[source]
ignore = ["second.*"]           # the same layer under another name

[[layer]]
torch = "{x:embedding|first|decoder}"
keras = "{x}"
"""
)


class Generator(nn.Module):
    """Noise to an image, by features that become a map of 5×3."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(10, 8 * 5 * 3, bias=False)
        self.norm = nn.BatchNorm1d(8 * 5 * 3)
        self.up1 = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(6)
        self.up2 = nn.ConvTranspose2d(6, 3, 4, stride=2, padding=1)

    def forward(self, z):
        x = nn.functional.leaky_relu(self.norm(self.project(z)), 0.2).view(-1, 8, 5, 3)
        return torch.tanh(self.up2(torch.relu(self.bn1(self.up1(x)))))


def generator():
    def up(filters, name, activation=None):
        return layers.Conv2DTranspose(
            filters, 4, strides=2, padding="same", activation=activation, name=name
        )

    return keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(8 * 5 * 3, use_bias=False, name="project"),
            layers.BatchNormalization(epsilon=EPSILON, name="norm"),
            layers.LeakyReLU(0.2),
            layers.Reshape((5, 3, 8)),
            up(6, "up1"),
            layers.BatchNormalization(epsilon=EPSILON, name="bn1"),
            layers.ReLU(),
            up(3, "up2", "tanh"),
        ]
    )


GENERATOR = ("project", "norm", "up1", "bn1", "up2")


GENERATOR_TEMPLATE_SCHEMA = (
    HEADER
    + """[[layer]]
torch = "project"
keras = "project"
flatten = []
unflatten = [5, 3, 8]

[[layer]]
torch = "norm"
keras = "norm"
unflatten = [5, 3, 8]

[[layer]]
torch = "{x:up1|bn1|up2}"
keras = "{x}"
"""
)


class Autoencoder(nn.Module):
    """A map of 4×6 flattened, squeezed and made again; the decoder is a model of its own."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(2, 7, 3, padding=1)
        self.code = nn.Linear(7 * 4 * 6, 9)
        self.decode = nn.Linear(9, 7 * 4 * 6)
        self.decoder = nn.Conv2d(7, 2, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.encoder(x)).flatten(1)
        x = torch.relu(self.decode(torch.relu(self.code(x))))
        return self.decoder(x.unflatten(1, (7, 4, 6)))


def autoencoder():
    image = keras.Input((4, 6, 2))
    x = layers.Conv2D(7, 3, padding="same", activation="relu", name="encoder")(image)
    x = layers.Dense(9, activation="relu", name="code")(layers.Flatten()(x))
    x = layers.Dense(7 * 4 * 6, activation="relu", name="decode")(x)
    features = keras.Input((7 * 4 * 6,))
    decoder = layers.Conv2D(2, 3, padding="same", name="decoder")
    tail = keras.Model(features, decoder(layers.Reshape((4, 6, 7))(features)), name="tail")
    return keras.Model(image, tail(x), name="autoencoder")


AUTOENCODER = ("encoder", "code", "decode")


def save_distributed(module, path):
    """A training checkpoint as a script under DistributedDataParallel writes it."""
    import torch.distributed as distributed

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    wrapped = nn.parallel.DistributedDataParallel(module)
    optimizer = torch.optim.AdamW(wrapped.parameters())
    random = torch.Generator().manual_seed(0)
    wrapped(torch.randn(2, 2, 6, 8, 10, generator=random)).sum().backward()
    optimizer.step()
    training = {
        "epoch": 3,
        "model_state_dict": wrapped.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
    }
    torch.save(training, path)
    distributed.destroy_process_group()


def save_safetensors(module, path):
    import safetensors.torch

    safetensors.torch.save_file(module.state_dict(), path)


def half(dtype):
    """A net saved in half precision."""

    def module():
        return seeded(Text, 27)().to(dtype)

    return module


def run_in_float32(module, *inputs):
    """The stored numbers are those of `dtype`; both sides then compute in float32."""
    return module.float()(*inputs)


def text_case(name, **options):
    return Case(
        name=name,
        samples=tokens,
        pairs=identity_pairs(*TEXT),
        schema=same_names(*TEXT),
        to_keras=unchanged,
        **options,
    )


CASES = [
    Case(
        name="unet",
        module=seeded(UNet, 20),
        model=unet,
        samples=lambda random: [(random.normal(size=(2, 3, 24, 36)),)],
        pairs=identity_pairs(*UNET),
        schema=same_names(*UNET),
    ),
    Case(
        name="unet_legacy_h5",
        module=seeded(UNet, 21),
        model=unet,
        samples=lambda random: [(random.normal(size=(2, 3, 24, 36)),)],
        pairs=identity_pairs(*UNET),
        schema=same_names(*UNET),
        output="out.h5",
    ),
    Case(
        name="unet_safetensors",
        module=seeded(UNet, 22),
        model=unet,
        samples=lambda random: [(random.normal(size=(2, 3, 24, 36)),)],
        pairs=identity_pairs(*UNET),
        schema=same_names(*UNET),
        checkpoint="model.safetensors",
        save=save_safetensors,
    ),
    Case(
        name="audio_1d",
        module=seeded(Audio, 23),
        model=audio,
        samples=lambda random: [(random.normal(size=(2, 2, 181)),)],
        pairs=identity_pairs(*AUDIO),
        schema=same_names(*AUDIO),
        feature_maps={"depthwise": (10,)},
    ),
    Case(
        name="volume_3d_ddp",
        module=seeded(Volume, 24),
        model=volume,
        samples=lambda random: [(random.normal(size=(2, 2, 6, 8, 10)),)],
        pairs=identity_pairs(*VOLUME),
        schema=same_names(*VOLUME),
        feature_maps={"fc": (9, 3, 4, 5)},
        save=save_distributed,
    ),
    Case(
        name="generator",
        module=seeded(Generator, 28),
        model=generator,
        samples=lambda random: [(random.normal(size=(4, 10)),)],
        pairs=identity_pairs(*GENERATOR),
        schema=same_names(*GENERATOR),
        made_maps={"project": (8, 5, 3), "norm": (8, 5, 3)},
        to_keras=unchanged,
        notes=("the slope of the leaky ReLU is 0.2",),
    ),
    Case(
        name="generator_template",
        module=seeded(Generator, 28),
        model=generator,
        template=True,
        samples=lambda random: [(random.normal(size=(4, 10)),)],
        pairs=identity_pairs(*GENERATOR),
        schema=GENERATOR_TEMPLATE_SCHEMA,
        made_maps={"project": (8, 5, 3), "norm": (8, 5, 3)},
        to_keras=unchanged,
    ),
    Case(
        name="autoencoder",
        module=seeded(Autoencoder, 29),
        model=autoencoder,
        samples=lambda random: [(random.normal(size=(3, 2, 4, 6)),)],
        pairs=identity_pairs(*AUTOENCODER) | {"decoder": "tail/decoder"},
        schema=same_names(*AUTOENCODER)
        + '[[layer]]\ntorch = "decoder"\nkeras = "tail/decoder"\n',
        feature_maps={"code": (7, 4, 6)},
        made_maps={"decode": (7, 4, 6)},
    ),
    text_case("text", module=seeded(Text, 25), model=text),
    Case(
        name="tied",
        module=seeded(Tied, 26),
        model=tied,
        samples=lambda random: [(random.integers(0, 61, size=(3, 13)),)],
        pairs=identity_pairs("embedding", "first", "decoder"),
        ignored=("second.",),
        schema=TIED_SCHEMA,
        to_keras=unchanged,
        from_torch=unchanged,
    ),
    text_case("text_float16", module=half(torch.float16), model=text, run=run_in_float32),
    text_case("text_bfloat16", module=half(torch.bfloat16), model=text, run=run_in_float32),
    # Models that themselves hold half precision: their arithmetic is coarser than 1e-5, their values are not.
    text_case(
        "text_float16_model",
        module=half(torch.float16),
        model=lambda: text("float16"),
        run=run_in_float32,
        tolerance=5e-3,
    ),
    text_case(
        "text_bfloat16_model",
        module=half(torch.bfloat16),
        model=lambda: text("bfloat16"),
        run=run_in_float32,
        tolerance=2e-2,
    ),
]
