"""Recurrent layers, their cells, and the wrappers around them."""

from keras import Input, Model, Sequential, layers

from offers import since
from registry import family


@family()
def recurrent():
    steps = Input((9, 7), name="steps")
    outputs = [
        layers.LSTM(5, name="lstm")(steps),
        layers.LSTM(4, use_bias=False, return_sequences=True, name="lstm_no_bias")(steps),
        *as_list(layers.LSTM(6, return_state=True, unit_forget_bias=False, name="lstm_state")(steps)),
        layers.GRU(5, name="gru")(steps),
        layers.GRU(4, reset_after=False, name="gru_before")(steps),
        layers.GRU(3, use_bias=False, go_backwards=True, dropout=0.1, name="gru_no_bias")(steps),
        layers.SimpleRNN(5, name="simple")(steps),
        layers.SimpleRNN(4, use_bias=False, recurrent_dropout=0.1, name="simple_no_bias")(steps),
        layers.RNN(layers.LSTMCell(4, name="cell"), return_sequences=True, name="rnn")(steps),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(5), layers.LSTMCell(4, use_bias=False)], name="stack")(
            steps
        ),
        layers.RNN(
            layers.StackedRNNCells([layers.SimpleRNNCell(3), layers.GRUCell(6, reset_after=False)]),
            name="stacked_cells",
        )(steps),
    ]
    stateful = Input(batch_shape=(2, 9, 7), name="stateful_steps")
    outputs.append(layers.LSTM(3, stateful=True, name="stateful")(stateful))
    return Model([steps, stateful], outputs, name="recurrent_family")


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


@family()
def bidirectional():
    steps = Input((9, 7), name="steps")
    outputs = []
    for merge in ("concat", "sum", "mul", "ave"):
        x = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=merge, name=f"bi_{merge}")(
            steps
        )
        outputs.append(layers.Dense(len(merge) + 1, name=f"after_{merge}")(x))
    outputs += layers.Bidirectional(layers.LSTM(4, name="inner"), merge_mode=None, name="bi_none")(steps)
    cells = layers.Bidirectional(
        layers.RNN(layers.SimpleRNNCell(5, name="simple_cell"), name="rnn"), name="bi_cells"
    )
    outputs.append(cells(steps))
    return Model(steps, outputs, name="bidirectional_family")


@family()
def two_directions():
    """Each direction a layer of its own: of another class, and of the same with other switches."""
    steps = Input((9, 7), name="steps")
    options = {"return_sequences": True}
    classes = layers.Bidirectional(
        layers.LSTM(4, name="ahead", **options),
        backward_layer=layers.GRU(4, go_backwards=True, name="behind", **options),
        name="classes",
    )
    switches = layers.Bidirectional(
        layers.GRU(5, name="with_bias", **options),
        backward_layer=layers.GRU(5, go_backwards=True, use_bias=False, name="without", **options),
        name="switches",
    )
    return Model(steps, [layers.Dense(2, name="after")(classes(steps)), switches(steps)], name="directions")


@family()
def time_distributed():
    steps, frames = Input((9, 7), name="steps"), Input((4, 9, 8, 3), name="frames")
    inner = Sequential(
        [Input((9, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.Flatten(), layers.Dense(5, name="head")],
        name="per_frame",
    )
    x = Input((7,), name="inner_input")
    graph = Model(x, layers.Dense(2, name="inner_b")(layers.Dense(6, name="inner_a")(x)), name="per_step")
    outputs = [
        layers.TimeDistributed(layers.Dense(4, name="each"), name="td")(steps),
        layers.TimeDistributed(layers.Conv2D(4, (3, 2)), name="td_conv")(frames),
        layers.TimeDistributed(layers.BatchNormalization(name="norm"), name="td_norm")(steps),
        layers.LSTM(3, name="after")(layers.TimeDistributed(layers.Flatten(), name="td_flat")(frames)),
    ]
    if since(3, 5) or not since(3):
        outputs.append(layers.TimeDistributed(inner, name="td_sequential")(frames))
        outputs.append(layers.TimeDistributed(graph, name="td_functional")(steps))
    return Model([steps, frames], outputs, name="time_distributed_family")


@family()
def conv_lstm():
    line, image, volume = (
        Input((4, 9, 3), name="line"),
        Input((4, 9, 8, 3), name="image"),
        Input((3, 6, 5, 7, 2), name="volume"),
    )
    outputs = [
        layers.ConvLSTM1D(4, 3, name="one")(line),
        layers.ConvLSTM1D(5, 2, return_sequences=True, use_bias=False, name="one_sequences")(line),
        layers.ConvLSTM2D(4, (3, 2), name="two")(image),
        layers.ConvLSTM2D(
            2, (2, 3), padding="same", use_bias=False, return_sequences=True, name="two_no_bias"
        )(image),
        layers.ConvLSTM3D(3, (3, 2, 1), name="three")(volume),
    ]
    two = layers.Bidirectional(layers.ConvLSTM2D(5, 2, name="conv_cell"), name="both_ways")(image)
    return Model([line, image, volume], [*outputs, two], name="conv_lstm_family")
