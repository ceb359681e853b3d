"""A convolutional LSTM as most write it in PyTorch, which has none: one convolution of input and state."""

from case import Case
import keras
from keras import layers
import torch
from torch import nn

from modules.both_forms import HEADER, NOTHING_FLATTENED, both_forms, layer, seeded

CHANNELS, UNITS, STEPS, HEIGHT, WIDTH, KERNEL = 2, 3, 4, 6, 7, (3, 5)


class ConvLSTM(nn.Module):
    """The gates are i f o g; the state begins at zero, and the last one is the output."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS + UNITS, 4 * UNITS, KERNEL, padding="same")

    def forward(self, frames):
        state = memory = frames.new_zeros(len(frames), UNITS, *frames.shape[-2:])
        for frame in frames.unbind(1):
            i, f, o, g = self.conv(torch.cat([frame, state], 1)).chunk(4, 1)
            memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
            state = torch.sigmoid(o) * torch.tanh(memory)
        return state


class Forecast(nn.Module):
    """The next frame of a film."""

    def __init__(self):
        super().__init__()
        self.film = ConvLSTM()
        self.frame = nn.Conv2d(UNITS, CHANNELS, 1)

    def forward(self, frames):
        return self.frame(self.film(frames))


def forecast():
    frames = keras.Input((STEPS, HEIGHT, WIDTH, CHANNELS))
    x = layers.ConvLSTM2D(UNITS, KERNEL, padding="same", name="film")(frames)
    return keras.Model(frames, layers.Conv2D(CHANNELS, 1, name="frame")(x), name="forecast")


CASES = both_forms(
    Case(
        name="conv_lstm",
        module=seeded(Forecast, 100),
        model=forecast,
        samples=lambda random: [(random.normal(size=(2, STEPS, CHANNELS, HEIGHT, WIDTH)),)],
        pairs={"film": "film", "frame": "frame"},
        schema=HEADER
        + NOTHING_FLATTENED
        + layer("film", "film", "ConvLSTM2D")
        + layer("frame", "frame", "Conv2D"),
        to_keras=lambda frames: frames.transpose(0, 1, 3, 4, 2),
    )
)
