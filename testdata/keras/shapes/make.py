"""What every layer and operation makes, by what Keras itself says: one model per version, whose every tensor is
read by a PReLU, which has a variable of the tensor's whole shape (without the batch).

`python make.py`, once with each version; Keras 3 with the backend jax. The configuration is written without
`build_config`, shapes of tensors, initializers and the like: shapes are to be inferred from the rest.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

VERSION = keras.__version__
IS_OLD = VERSION.startswith("2.")
HERE = os.path.dirname(os.path.abspath(__file__))
if IS_OLD:
    import tensorflow as tf
else:
    from keras import ops

INPUTS = {
    "image": (11, 10, 6), "first": (6, 11, 10), "volume": (7, 6, 5, 4), "steps": (9, 6), "others": (7, 6), "vector": (6,),
    "frames": (4, 11, 10, 6), "ids": (9,), "one": (1,), "heads": (3, 5, 7), "line": (12, 6),
}
tensors = {name: keras.Input(shape, name=name, dtype="int32" if name in ("ids", "one") else "float32")
           for name, shape in INPUTS.items()}
outputs = []
missing = []


def tell(name, make):
    """The results of `make`, each read by a PReLU."""
    try:
        made = make(**{key: tensors[key] for key in make.__code__.co_varnames[:make.__code__.co_argcount]})
    except (AttributeError, TypeError, ValueError, NotImplementedError, KeyError, ImportError) as error:
        missing.append(f"{name}: {type(error).__name__} {str(error)[:70]}")
        return
    if made is None:
        return
    made = list(made) if isinstance(made, (list, tuple)) else [made]
    for at, tensor in enumerate(made):
        label = name + (f"_{at}" if len(made) > 1 else "")
        if len(tensor.shape) < 2 or any(size is None for size in list(tensor.shape)[1:]) or tensor.shape[0] is not None:
            missing.append(f"{label}: {tensor.shape}")
            continue
        if IS_OLD:
            tensor = tf.cast(tensor, "float32") if tensor.dtype != "float32" else tensor
        outputs.append(layers.PReLU(name="shape_of_" + label)(tensor))


L = layers
for padding in ("valid", "same"):
    for strides, dilation in ((1, 1), (2, 1), (1, 2)):
        s = f"{padding}_{strides}_{dilation}"
        settings = {"padding": padding, "strides": strides, "dilation_rate": dilation}
        tell("conv1d_" + s, lambda steps: L.Conv1D(4, 3, **settings)(steps))
        tell("conv2d_" + s, lambda image: L.Conv2D(4, (3, 2), **settings)(image))
        tell("conv3d_" + s, lambda volume: L.Conv3D(4, (3, 2, 2), **settings)(volume))
        tell("depthwise2d_" + s, lambda image: L.DepthwiseConv2D(3, depth_multiplier=2, **settings)(image))
        tell("depthwise1d_" + s, lambda steps: L.DepthwiseConv1D(3, depth_multiplier=2, **settings)(steps))
        tell("separable1d_" + s, lambda steps: L.SeparableConv1D(4, 3, **settings)(steps))
        tell("separable2d_" + s, lambda image: L.SeparableConv2D(4, 3, **settings)(image))
        tell("transpose1d_" + s, lambda steps: L.Conv1DTranspose(4, 3, **settings)(steps))
        tell("transpose2d_" + s, lambda image: L.Conv2DTranspose(4, (3, 2), **settings)(image))
        tell("transpose3d_" + s, lambda volume: L.Conv3DTranspose(4, (3, 2, 2), padding=padding, strides=strides)(volume))
        tell("lstm2d_" + s, lambda frames: L.ConvLSTM2D(4, 3, return_sequences=True, return_state=True, **settings)(frames))
    tell("padded_transpose_" + padding, lambda image: L.Conv2DTranspose(4, (3, 4), strides=(2, 3), padding=padding, output_padding=(1, 2))(image))
    for pool in ("Max", "Average"):
        tell(f"{pool}1d_{padding}", lambda steps: getattr(L, pool + "Pooling1D")(3, 2, padding=padding)(steps))
        tell(f"{pool}2d_{padding}", lambda image: getattr(L, pool + "Pooling2D")((3, 2), padding=padding)(image))
        tell(f"{pool}3d_{padding}", lambda volume: getattr(L, pool + "Pooling3D")(2, 3, padding=padding)(volume))
tell("causal", lambda steps: L.Conv1D(4, 3, padding="causal", dilation_rate=2)(steps))
tell("first_conv", lambda first: L.Conv2D(4, (3, 2), data_format="channels_first")(first) if not IS_OLD else None)
tell("first_pool", lambda first: L.AveragePooling2D(2, data_format="channels_first")(first) if not IS_OLD else None)
tell("first_flatten", lambda first: L.Flatten(data_format="channels_first")(first))
for pool in ("Max", "Average"):
    for keeps in (False, True):
        tell(f"global_{pool}1d_{keeps}", lambda steps: getattr(L, f"Global{pool}Pooling1D")(keepdims=keeps)(steps))
        tell(f"global_{pool}2d_{keeps}", lambda image: getattr(L, f"Global{pool}Pooling2D")(keepdims=keeps)(image))
        tell(f"global_{pool}3d_{keeps}", lambda volume: getattr(L, f"Global{pool}Pooling3D")(keepdims=keeps)(volume))
    tell(f"adaptive_{pool}1d", lambda steps: getattr(L, f"Adaptive{pool}Pooling1D")(4)(steps))
    tell(f"adaptive_{pool}2d", lambda image: getattr(L, f"Adaptive{pool}Pooling2D")((4, 3))(image))
tell("pad1", lambda steps: L.ZeroPadding1D((1, 2))(steps))
tell("pad2", lambda image: L.ZeroPadding2D(((1, 2), (3, 4)))(image))
tell("pad2_one", lambda image: L.ZeroPadding2D(2)(image))
tell("pad2_two", lambda image: L.ZeroPadding2D((1, 2))(image))
tell("pad3", lambda volume: L.ZeroPadding3D((1, 2, 3))(volume))
tell("crop1", lambda steps: L.Cropping1D((1, 2))(steps))
tell("crop2", lambda image: L.Cropping2D(((1, 2), (3, 0)))(image))
tell("crop3", lambda volume: L.Cropping3D(1)(volume))
tell("up1", lambda steps: L.UpSampling1D(3)(steps))
tell("up2", lambda image: L.UpSampling2D((3, 2))(image))
tell("up3", lambda volume: L.UpSampling3D(2)(volume))
tell("flatten", lambda image: L.Flatten()(image))
tell("reshape", lambda image: L.Reshape((5, -1, 3))(image))
tell("permute", lambda image: L.Permute((3, 1, 2))(image))
tell("repeat", lambda vector: L.RepeatVector(5)(vector))
tell("dense", lambda image: L.Dense(4)(image))
tell("einsum", lambda steps: L.EinsumDense("abc,cde->abde", (9, 2, 3))(steps))
tell("einsum_left", lambda image: L.EinsumDense("...x,xy->...y", 4)(image))
tell("embedding", lambda ids: L.Embedding(10, 4)(ids))
tell("embedding_one", lambda one: L.Embedding(10, 4)(one))
tell("reversible", lambda ids: L.ReversibleEmbedding(10, 4)(ids))
tell("reversed", lambda steps: L.ReversibleEmbedding(10, 6)(steps, reverse=True))
for sequences in (False, True):
    for state in (False, True):
        s = f"{sequences}_{state}"
        settings = {"return_sequences": sequences, "return_state": state}
        tell("lstm_" + s, lambda steps: L.LSTM(4, **settings)(steps))
        tell("gru_" + s, lambda steps: L.GRU(4, **settings)(steps))
        tell("simple_" + s, lambda steps: L.SimpleRNN(4, **settings)(steps))
        tell("rnn_" + s, lambda steps: L.RNN(L.GRUCell(5), **settings)(steps))
        tell("stacked_" + s, lambda steps: L.RNN([L.LSTMCell(4), L.GRUCell(5)], return_sequences=sequences)(steps))
        for mode in ("concat", "sum", None):
            tell(f"bi_{s}_{mode}", lambda steps: L.Bidirectional(L.LSTM(4, **settings), merge_mode=mode)(steps))
tell("lstm1d", lambda image: L.ConvLSTM1D(4, 3)(image))
tell("time", lambda frames: L.TimeDistributed(L.Conv2D(4, 3))(frames))
tell("time_flatten", lambda frames: L.TimeDistributed(L.Flatten())(frames))
tell("spectral", lambda image: L.SpectralNormalization(L.Conv2D(4, 3))(image))
for scores in (False, True):
    tell(f"mha_{scores}", lambda steps, others: L.MultiHeadAttention(2, 3)(others, others, return_attention_scores=scores))
    tell(f"gqa_{scores}", lambda steps, others: L.GroupQueryAttention(3, 4, 2)(steps, others, return_attention_scores=scores))
    tell(f"attention_{scores}", lambda steps, others: L.Attention()([steps, others], return_attention_scores=scores))
    tell(f"additive_{scores}", lambda steps, others: L.AdditiveAttention()([steps, others], return_attention_scores=scores))
tell("mha_out", lambda steps, others: L.MultiHeadAttention(2, 3, output_shape=(5, 4))(steps, others))
tell("concatenate", lambda steps, others: L.Concatenate(axis=1)([steps, others]))
tell("concatenate_last", lambda image: L.Concatenate()([image, image]))
tell("add", lambda image, vector: L.Add()([image, vector]))
tell("multiply", lambda image: L.Multiply()([image, L.GlobalAveragePooling2D(keepdims=True)(image)]))
tell("maximum", lambda steps: L.Maximum()([steps, steps]))
tell("dot", lambda steps, others: L.Dot(axes=2)([steps, others]))
tell("dot_vector", lambda vector: L.Dot(axes=1)([vector, vector]))
tell("dot_axes", lambda steps: L.Dot(axes=(1, 1))([steps, steps]))
tell("resizing", lambda image: L.Resizing(4, 5)(image))
tell("center_crop", lambda image: L.CenterCrop(4, 5)(image))
tell("random_crop", lambda image: L.RandomCrop(4, 5)(image))
tell("random_flip", lambda image: L.RandomFlip()(image))
tell("category", lambda ids: L.CategoryEncoding(8)(ids))
tell("category_one_hot", lambda ids: L.CategoryEncoding(8, output_mode="one_hot")(ids))
tell("category_one", lambda one: L.CategoryEncoding(8, output_mode="one_hot")(one))
tell("hashing", lambda ids: L.Hashing(7)(ids))
tell("hashing_multi", lambda ids: L.Hashing(7, output_mode="multi_hot")(ids))
tell("discretization", lambda vector: L.Discretization(bin_boundaries=[0.0, 1.0], output_mode="one_hot")(vector))
tell("lookup", lambda ids: L.IntegerLookup(vocabulary=[3, 5, 7], output_mode="multi_hot")(ids))
tell("stft", lambda line: L.STFTSpectrogram(frame_length=4, frame_step=2, fft_length=8)(line))
tell("stft_both", lambda line: L.STFTSpectrogram(mode="stft", frame_length=4, frame_step=2, fft_length=8, expand_dims=True)(line))
tell("mel", lambda vector: L.MelSpectrogram(fft_length=16, sequence_stride=2, num_mel_bins=5)(vector))
tell("locally1", lambda steps: L.LocallyConnected1D(4, 3, strides=2)(steps))
tell("locally2", lambda image: L.LocallyConnected2D(4, (3, 2))(image))
tell("thresholded", lambda image: L.ThresholdedReLU()(image))
tell("lambda", lambda image: L.Lambda(lambda t: t[:, 0], output_shape=(10, 6))(image))
tell("pipeline", lambda image: L.Pipeline([L.Resizing(5, 4), L.Rescaling(0.5)])(image))
inner_in = keras.Input((None, None, 6))
inner = keras.Model(inner_in, [L.Conv2D(4, 3)(inner_in), L.GlobalMaxPooling2D()(inner_in)], name="inner")
tell("inner", lambda image: inner(image))
tell("inner_again", lambda image: inner(L.Cropping2D(1)(image)))
chain = keras.Sequential([L.Conv2D(4, 3), L.Flatten(), L.Dense(5)], name="chain")
tell("chain", lambda image: chain(image))
tell("time_model", lambda frames: L.TimeDistributed(inner)(frames) if not IS_OLD else None)

if IS_OLD:
    tell("op_slice", lambda image: image[:, 1:-1, ::2])
    tell("op_ellipsis", lambda image: image[..., 0])
    tell("op_new_axis", lambda vector: vector[:, tf.newaxis])
    tell("op_add", lambda image, vector: image + 2.0 * image)
    tell("op_reversed", lambda image: 2.0 - image)
    tell("op_mixed", lambda steps, vector: steps * vector[:, None])
    tell("op_constant", lambda steps: tf.constant(np.ones((9, 6), "float32")) + steps)
    tell("op_reshape", lambda image: tf.reshape(image, (-1, 22, 30)))
    tell("op_reshape_shape", lambda image: tf.reshape(image, [tf.shape(image)[0], 110, 6]))
    tell("op_transpose", lambda image: tf.transpose(image, [0, 3, 1, 2]))
    tell("op_concat", lambda steps, others: tf.concat([steps, others], axis=1))
    tell("op_stack", lambda vector: tf.stack([vector, vector, vector], axis=1))
    tell("op_unstack", lambda heads: tf.unstack(heads, axis=1))
    tell("op_split", lambda image: tf.split(image, 3, axis=-1))
    tell("op_splits", lambda image: tf.split(image, [1, 5], axis=-1))
    for keeps in (False, True):
        for reduction in ("mean", "sum", "max", "min", "prod", "std", "variance", "logsumexp"):
            tell(f"op_{reduction}_{keeps}", lambda image: getattr(tf.math, "reduce_" + reduction)(image, axis=[1, 2], keepdims=keeps))
    tell("op_argmax", lambda image: tf.cast(tf.argmax(image, axis=-1), "float32"))
    tell("op_expand", lambda vector: tf.expand_dims(vector, -1))
    tell("op_squeeze", lambda image: tf.squeeze(image[:, :1], [1]))
    tell("op_matmul", lambda steps, others: tf.matmul(steps, others, transpose_b=True))
    # Not tf.einsum: the configuration does not tell what it reads.
    tell("op_tile", lambda steps: tf.tile(steps, [1, 2, 3]))
    tell("op_pad", lambda steps: tf.pad(steps, [[0, 0], [1, 2], [0, 3]]))
    tell("op_gather", lambda steps: tf.gather(steps, [0, 2, 4], axis=1))
    tell("op_one_hot", lambda ids: tf.one_hot(ids, 5))
    tell("op_resize", lambda image: tf.image.resize(image, (4, 5)))
    tell("op_depth", lambda image: tf.nn.depth_to_space(image[..., :4], 2))
    tell("op_space", lambda image: tf.nn.space_to_depth(image[:, :10], 2))
    tell("op_repeat", lambda steps: tf.repeat(steps, 2, axis=1))
    tell("op_clip", lambda steps: tf.clip_by_value(steps, 0.0, 1.0))
    tell("op_where", lambda steps: tf.where(steps > 0.0, steps, 0.0))
    tell("op_cumsum", lambda steps: tf.cumsum(steps, axis=1))
    tell("op_norm", lambda steps: tf.norm(steps, axis=-1))
    tell("op_l2", lambda steps: tf.math.l2_normalize(steps, axis=-1))
    tell("op_moments", lambda image: tf.nn.moments(image, [1, 2]))
    tell("op_top", lambda steps: tf.math.top_k(steps, 3)[0])
    tell("op_max_pool", lambda image: tf.nn.max_pool2d(image, 2, 2, "VALID"))
    tell("op_backend", lambda image: keras.backend.mean(image, axis=1))
    for name in ("relu", "relu6", "elu", "selu", "gelu", "silu", "softmax", "log_softmax", "softplus", "leaky_relu", "sigmoid", "tanh", "swish"):
        tell("op_" + name, lambda steps: getattr(tf.nn, name)(steps))
    for name in ("abs", "exp", "log", "sqrt", "rsqrt", "square", "sin", "cos", "sign", "round", "floor", "ceil", "negative", "erf", "reciprocal"):
        tell("op_math_" + name, lambda steps: getattr(tf.math, name)(steps))
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "pow", "squared_difference"):
        tell("op_pair_" + name, lambda steps: getattr(tf.math, name)(steps, steps))
else:
    tell("op_slice", lambda image: image[:, 1:-1, ::2])
    tell("op_ellipsis", lambda image: image[..., 0])
    tell("op_new_axis", lambda vector: vector[:, None])
    tell("op_add", lambda image: image + 2.0 * image)
    tell("op_mixed", lambda steps, vector: steps * vector[:, None])
    tell("op_constant", lambda steps: ops.add(steps, np.ones((9, 6), "float32")))
    tell("op_reshape", lambda image: ops.reshape(image, (-1, 22, 30)))
    tell("op_transpose", lambda image: ops.transpose(image, (0, 3, 1, 2)))
    tell("op_swap", lambda image: ops.swapaxes(image, 1, -1))
    tell("op_move", lambda image: ops.moveaxis(image, (1, 3), (3, 2)))
    tell("op_concatenate", lambda steps, others: ops.concatenate([steps, others], axis=1))
    tell("op_stack", lambda vector: ops.stack([vector, vector, vector], axis=1))
    tell("op_unstack", lambda heads: ops.unstack(heads, 3, axis=1))
    tell("op_split", lambda image: ops.split(image, 3, axis=-1))
    tell("op_splits", lambda image: ops.split(image, [1, 5], axis=-1))
    for keeps in (False, True):
        for reduction in ("mean", "sum", "max", "min", "prod", "std", "var", "median", "logsumexp"):
            tell(f"op_{reduction}_{keeps}", lambda image: getattr(ops, reduction)(image, axis=(1, 2), keepdims=keeps))
    tell("op_argmax", lambda image: ops.argmax(image, axis=-1))
    tell("op_expand", lambda vector: ops.expand_dims(vector, -1))
    tell("op_expands", lambda vector: ops.expand_dims(vector, (1, -1)))
    tell("op_squeeze", lambda image: ops.squeeze(image[:, :1], 1))
    tell("op_matmul", lambda steps: ops.matmul(steps, ops.transpose(steps, (0, 2, 1))))
    tell("op_einsum", lambda steps, others: ops.einsum("abc,adc->abd", steps, others))
    tell("op_tile", lambda steps: ops.tile(steps, (1, 2, 3)))
    tell("op_pad", lambda steps: ops.pad(steps, ((0, 0), (1, 2), (0, 3))))
    tell("op_take", lambda steps: ops.take(steps, [0, 2, 4], axis=1))
    tell("op_one_hot", lambda ids: ops.one_hot(ids, 5))
    tell("op_resize", lambda image: ops.image.resize(image, (4, 5)))
    tell("op_depth", lambda image: ops.nn.depth_to_space(image[..., :4], 2))
    tell("op_space", lambda image: ops.nn.space_to_depth(image[:, :10], 2))
    tell("op_repeat", lambda steps: ops.repeat(steps, 2, axis=1))
    tell("op_clip", lambda steps: ops.clip(steps, 0.0, 1.0))
    tell("op_where", lambda steps: ops.where(steps > 0.0, steps, 0.0))
    tell("op_cumsum", lambda steps: ops.cumsum(steps, axis=1))
    tell("op_norm", lambda steps: ops.norm(steps, axis=-1))
    tell("op_normalize", lambda steps: ops.normalize(steps))
    tell("op_moments", lambda image: ops.moments(image, (1, 2)))
    tell("op_top", lambda steps: ops.top_k(steps, 3))
    tell("op_max_pool", lambda image: ops.max_pool(image, 2, 2))
    tell("op_average_pool", lambda image: ops.average_pool(image, (3, 2), (2, 1), padding="same"))
    tell("op_broadcast", lambda steps: ops.broadcast_to(steps[:, :1], (1, 7, 6)))
    tell("op_flip", lambda steps: ops.flip(steps, 1))
    tell("op_tensordot", lambda steps: ops.tensordot(steps, np.ones((6, 4), "float32"), axes=1))
    tell("op_dot", lambda steps: ops.dot(steps, np.ones((6, 4), "float32")))
    tell("op_glu", lambda steps: ops.glu(steps))
    for name in ("relu", "relu6", "elu", "selu", "gelu", "silu", "softmax", "log_softmax", "softplus", "leaky_relu", "sigmoid", "tanh", "hard_silu", "hard_sigmoid", "log_sigmoid"):
        tell("op_" + name, lambda steps: getattr(ops, name)(steps))
    for name in ("absolute", "exp", "log", "sqrt", "rsqrt", "square", "sin", "cos", "sign", "round", "floor", "ceil", "negative", "erf", "reciprocal", "cast"):
        tell("op_math_" + name, lambda steps: getattr(ops, name)(steps, *(["float16"] if name == "cast" else [])))
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "logaddexp"):
        tell("op_pair_" + name, lambda steps: getattr(ops, name)(steps, steps))

DROPPED = ("build_config", "build_input_shape", "kernel_initializer", "bias_initializer", "recurrent_initializer", "kernel_regularizer",
           "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint", "recurrent_regularizer", "recurrent_constraint",
           "alpha_initializer", "alpha_regularizer", "alpha_constraint", "depthwise_initializer", "depthwise_regularizer",
           "depthwise_constraint", "pointwise_initializer", "pointwise_regularizer", "pointwise_constraint", "embeddings_initializer",
           "embeddings_regularizer", "embeddings_constraint", "unit_forget_bias", "dropout", "recurrent_dropout", "seed",
           "query_shape", "key_shape", "value_shape", "registered_name", "compile_config", "quantization_config", "sparse", "ragged",
           "optional", "go_backwards", "stateful", "unroll", "zero_output_for_mask", "activation", "recurrent_activation",
           "batch_input_shape_", "function_type", "implementation", "lora_rank", "lora_alpha")


def minimal(value):
    if isinstance(value, list):
        return [minimal(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__keras_tensor__":
        return {"class_name": "__keras_tensor__", "config": {"dtype": "float32", "shape": [], "keras_history": value["config"]["keras_history"]}}
    if value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if value.get("class_name") == "Lambda":
        value["config"]["function"] = "left out"
    return {key: minimal(item) for key, item in value.items() if key not in DROPPED}


model = keras.Model(list(tensors.values()), [output for output in outputs], name="shapes")
text = json.dumps({
    "model": minimal(json.loads(model.to_json())),
    "shapes": {v.path if hasattr(v, "path") else layer.name + "/alpha": list(map(int, v.shape))
               for layer in model.layers if isinstance(layer, layers.PReLU) for v in layer.weights},
}, separators=(",", ":"))
with open(os.path.join(HERE, VERSION + ".json"), "w") as file:
    file.write(text + "\n")
print(VERSION, len(outputs), "shapes", len(text), "bytes")
print("\n".join(missing), file=sys.stderr)
