# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: nbs///ipynb,nbs/_text///py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Networks
#
# > Encoders and decoders, by name or of the user's own.

# %%
#| default_exp networks

# %%
#| hide
import tempfile

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

# %%
#| export
import contextlib
import math
import random

import keras
from keras import layers, ops

from pumap.graph import random_generator


# %% [markdown]
# The encoder is the whole difference between UMAP and Parametric UMAP: a network that maps a row to its place in the embedding. The method does not
# care which network. This notebook has the ones of the paper, by name, and the door through which any other comes in.
#
# ## A seed that stays inside
#
# Keras gives every layer without a seed one from Python's global generator. For the time a network is built we set that generator,
# and put it back afterwards: a seed gives one network, also with layers we did not write, and nobody else's random numbers change.

# %%
#| export
@contextlib.contextmanager
def seeded_initializers(random_state=None):
    "Within this context, Keras layers without a seed draw theirs from `random_state`; Python's generator is then put back."
    before = random.getstate()
    random.seed(int(random_generator(random_state).integers(2**63)))
    try:
        yield
    finally:
        random.setstate(before)


# %%
def first_weights(random_state):
    with seeded_initializers(random_state):
        layer = layers.Dense(3)
    layer.build((None, 4))
    return layer.get_weights()[0]


random.seed(1)
state = random.getstate()
assert_array_equal(first_weights(7), first_weights(7))
assert (first_weights(7) != first_weights(8)).any()
assert random.getstate() == state


# %% [markdown]
# ## Networks of the paper
#
# **`mlp`**: three hidden layers of 100 units, for data without structure (moons, bison, retina). It takes rows of any shape and flattens them.

# %%
#| export
def mlp_encoder(
    input_shape: tuple,  # shape of one row
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "Flatten, three hidden layers of 100 units, linear output (paper, table of architectures)."
    hidden = [layers.Dense(100, activation="relu") for _ in range(3)]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, layers.Dense(n_components, name="z")], name="mlp_encoder")


def mlp_decoder(
    output_shape: tuple,  # shape of one row
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "The mirror image of `mlp_encoder`; a sigmoid gives values between 0 and 1."
    hidden = [layers.Dense(100, activation="relu") for _ in range(3)]
    values = [layers.Dense(math.prod(output_shape), activation="sigmoid"), layers.Reshape(output_shape)]
    return keras.Sequential([keras.Input((n_components,)), *hidden, *values], name="mlp_decoder")


# %%
assert mlp_encoder((50,), 2).count_params() == 50 * 100 + 100 + 2 * (100 * 100 + 100) + 100 * 2 + 2
assert mlp_decoder((5, 5), 2).output_shape == (None, 5, 5)


# %% [markdown]
# **`conv28`**: for MNIST and Fashion-MNIST, two strided convolutions and two dense layers of 512. (In the original, some methods had one dense layer on one data set and two on the other; here a
# data set has one network, as the paper says.) Rows may come as 784 values, as 28 x 28, or as 28 x 28 x 1.

# %%
#| export
def conv28_encoder(
    input_shape: tuple,  # shape of one row: (784,), (28, 28) or (28, 28, 1)
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "Two strided convolutions, two dense layers of 512, linear output (the paper's network for MNIST and Fashion-MNIST)."
    _check_shape(input_shape, GREY_28, "encoder", "conv28", "images")
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(64, 3, strides=2, activation="relu"),
            layers.Conv2D(128, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(512, activation="relu"),
            layers.Dense(n_components, name="z"),
        ],
        name="conv28_encoder",
    )


GREY_28 = ((28, 28), (28, 28, 1), (784,))


def _check_shape(shape, known, role, name, kind):
    if tuple(shape) not in known:
        raise ValueError(
            f"{role}={name!r} is for {kind} of shape {' or '.join(map(str, known))}, but a row has shape {tuple(shape)}: "
            "give rows of that shape, or use 'mlp', a Keras model or a function that builds one."
        )


# %%
#| export
def conv28_decoder(
    output_shape: tuple,  # shape of one row: (784,), (28, 28) or (28, 28, 1)
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "The mirror image of `conv28_encoder`, with transposed convolutions and a sigmoid."
    _check_shape(output_shape, GREY_28, "decoder", "conv28", "images")
    return keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.Dense(512, activation="relu"),
            layers.Dense(512, activation="relu"),
            layers.Dense(7 * 7 * 256, activation="relu"),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid"),
            layers.Reshape(output_shape),
        ],
        name="conv28_decoder",
    )


# %% [markdown]
# The number of weights can be checked against a published one: the original's variational encoder has 2,436,356, with one dense layer of
# 512 fewer than ours and a second output of two units more.

# %%
encoder = conv28_encoder((28, 28, 1), 2)
assert encoder.count_params() == 2_436_356 + 513 * 512 - 513 * 2
assert conv28_decoder((28, 28, 1), 2).output_shape == (None, 28, 28, 1)


# %% [markdown]
# **`conv32`**: for CIFAR10, three strided convolutions and one dense layer of 512. Rows may come as 3072 values or as 32 x 32 x 3.

# %%
#| export
def conv32_encoder(
    input_shape: tuple,  # shape of one row: (3072,) or (32, 32, 3)
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "Three strided convolutions, a dense layer of 512, linear output (the paper's network for CIFAR10)."
    _check_shape(input_shape, ((32, 32, 3), (3072,)), "encoder", "conv32", "colour images")
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Reshape((32, 32, 3)),
            *[layers.Conv2D(filters, 3, strides=2, activation="relu") for filters in (32, 64, 128)],
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(n_components, name="z"),
        ],
        name="conv32_encoder",
    )


# %%
#| export
def conv32_decoder(
    output_shape: tuple,  # shape of one row: (3072,) or (32, 32, 3)
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "The mirror image of `conv32_encoder`, with transposed convolutions and a sigmoid."
    _check_shape(output_shape, ((32, 32, 3), (3072,)), "decoder", "conv32", "colour images")
    return keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.Dense(512, activation="relu"),
            layers.Dense(4 * 4 * 128, activation="relu"),
            layers.Reshape((4, 4, 128)),
            *[layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu") for filters in (128, 64, 32)],
            layers.Conv2DTranspose(3, 3, padding="same", activation="sigmoid"),
            layers.Reshape(output_shape),
        ],
        name="conv32_decoder",
    )


# %% [markdown]
# Both have exactly as many weights as the original's pair, whose variational encoder in two dimensions ends in four units: two means and two variances.

# %%
assert conv32_encoder((32, 32, 3), 4).count_params() == 685_636
assert conv32_decoder((3072,), 2).count_params() == 1_292_867
assert conv32_decoder((3072,), 2).output_shape == (None, 3072)

# %% [markdown]
# **`song`**: for spectrograms of syllables, 32 frequencies by 31 or 32 moments. Strided convolutions reduce the frequencies to 2 and the moments to 8; a bidirectional LSTM then reads these 8 steps one after
# the other. A spectrogram of 31 moments gets a column of zeros in front, as in the paper, and the decoder takes it away again.
#
# Frequency is the first axis and time the second, so the axes change places before the LSTM. The original leaves this out: its LSTM walks along frequency, with each step
# half of the moments of one band. Ours runs along time, as the paper's text says. The decoder ends in a sigmoid (in the original, some end in a hyperbolic tangent, whose negative values a cross entropy has to cut off).

# %%
#| export
SONG_SHAPES = ((32, 31), (32, 32), (32, 31, 1), (32, 32, 1))  # (frequencies, moments)


def song_encoder(
    input_shape: tuple,  # shape of one row: (32, 31) or (32, 32), with or without a last axis of 1
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "Four strided convolutions, a bidirectional LSTM along time, a linear layer of 512, linear output (for song)."
    _check_shape(input_shape, SONG_SHAPES, "encoder", "song", "spectrograms")
    convolutions = [
        layer
        for filters, strides in ((32, (2, 2)), (64, (2, 2)), (128, (2, 1)), (128, (2, 1)))
        for layer in (layers.Conv2D(filters, 3, strides=strides, padding="same"), layers.LeakyReLU(negative_slope=0.2))
    ]
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Reshape((*input_shape[:2], 1)),
            layers.ZeroPadding2D(((0, 0), (32 - input_shape[1], 0))),
            *convolutions,  # (2, 8, 128): frequency, time, filters
            layers.Permute((2, 1, 3)),  # time first
            layers.Reshape((8, 2 * 128), name="steps"),
            layers.Bidirectional(layers.LSTM(100, activation="relu")),
            layers.Dense(512),
            layers.Dense(n_components, name="z"),
        ],
        name="song_encoder",
    )


# %%
#| export
def song_decoder(
    output_shape: tuple,  # shape of one row: (32, 31) or (32, 32), with or without a last axis of 1
    n_components: int,  # dimensions of the embedding
) -> keras.Model:
    "The mirror image of `song_encoder`: an LSTM along time, transposed convolutions, a sigmoid."
    _check_shape(output_shape, SONG_SHAPES, "decoder", "song", "spectrograms")
    convolutions = [
        layer
        for filters, strides in ((128, (2, 1)), (128, (2, 1)), (64, (2, 2)), (32, (2, 2)))
        for layer in (layers.Conv2DTranspose(filters, 3, strides=strides, padding="same"), layers.LeakyReLU(negative_slope=0.2))
    ]
    return keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.Dense(512),
            layers.RepeatVector(8),
            layers.Bidirectional(layers.LSTM(100, activation="relu", return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2 * 128, activation="relu")),
            layers.Reshape((8, 2, 128)),
            layers.Permute((2, 1, 3)),  # frequency first
            *convolutions,
            layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid"),
            layers.Cropping2D(((0, 0), (32 - output_shape[1], 0))),
            layers.Reshape(output_shape),
        ],
        name="song_decoder",
    )


# %% [markdown]
# Rows come back in their own shape. And the LSTM does run along time: a change in the last moment of a spectrogram reaches the last step, and not the first ones.

# %%
for shape in SONG_SHAPES:
    assert song_decoder(shape, 2).output_shape == (None, *shape)

encoder = song_encoder((32, 31), 2)
steps = keras.Model(encoder.inputs, encoder.get_layer("steps").output)
song = np.random.default_rng(0).random((1, 32, 31), dtype=np.float32)
other_end = song.copy()
other_end[:, :, -1] = 0
changed = abs(steps(song) - steps(other_end)).numpy().max(axis=(0, 2))  # one number per step
assert changed[-1] > 1e-3 and (changed[:4] == 0).all()


# %% [markdown]
# **`munit`**: for square images of any size, after the autoencoder of MUNIT (Huang et al. 2018), on which the paper based its network for faces. The encoder looks through a window of 7 x 7, halves the image by strided convolutions until 4 x 4 places
# are left, with twice as many filters after each of the first two, and goes through residual blocks, each of which adds something to its input. The decoder goes through residual blocks first, and
# then doubles the image again and again, each time with a convolution of 5 x 5 behind it.
#
# Two things are not MUNIT's. MUNIT keeps content and style of an image apart, in a map and a vector; an embedding is one vector, so a linear layer ends the encoder and begins the decoder. And there is no normalisation: that of an image's
# values would take away how bright it is and of what colour, and MUNIT leaves it out of its encoder of styles for that reason.

# %%
#| export
def munit_filters(
    shape: tuple,  # shape of one row: (side, side, channels)
    width: int,  # filters at the full size
    role: str,  # "encoder" or "decoder", for the error
) -> list:  # filters at the full size, at half of it, and so on down to 4 x 4
    "How many filters `munit` has at each size; a `ValueError` for rows that cannot be halved down to 4 x 4."
    side = shape[0]
    if len(shape) != 3 or shape[1] != side or side < 8 or side & (side - 1):
        raise ValueError(
            f"{role}='munit' is for square images with 8, 16, 32, 64, 128 or more pixels to a side and a last axis of channels, "
            f"but a row has shape {tuple(shape)}: give rows of such a shape, or use 'mlp', a Keras model or a function that builds one."
        )
    return [width * min(2**i, 4) for i in range(side.bit_length() - 2)]


def residual_blocks(
    x,  # Keras tensor (batch, height, width, filters)
    n_blocks: int,
):  # Keras tensor of the same shape
    "Blocks that add to their input what two convolutions make of it."
    for _ in range(n_blocks):
        change = layers.Conv2D(x.shape[-1], 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, layers.Conv2D(x.shape[-1], 3, padding="same")(change)])
    return x


# %%
assert munit_filters((32, 32, 3), 64, "encoder") == [64, 128, 256, 256]  # at 32, 16, 8 and 4 pixels to a side
assert munit_filters((8, 8, 1), 10, "encoder") == [10, 20]
image = keras.Input((4, 4, 6))
blocks = keras.Model(image, residual_blocks(image, 3))
for weight in blocks.weights:
    weight.assign(0 * weight)
assert_array_equal(blocks(np.ones((1, 4, 4, 6), "float32")), np.ones((1, 4, 4, 6)))  # with nothing to add, a block changes nothing


# %%
#| export
def munit_encoder(
    input_shape: tuple,  # shape of one row: (side, side, channels)
    n_components: int,  # dimensions of the embedding
    width: int = 64,  # filters at the full size
    n_blocks: int = 4,  # residual blocks
) -> keras.Model:
    "Strided convolutions down to 4 x 4, residual blocks, linear output (after MUNIT, for the paper's faces)."
    filters = munit_filters(input_shape, width, "encoder")
    image = keras.Input(input_shape)
    x = layers.Conv2D(filters[0], 7, padding="same", activation="relu")(image)
    for n in filters[1:]:
        x = layers.Conv2D(n, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(residual_blocks(x, n_blocks))
    return keras.Model(image, layers.Dense(n_components, name="z")(x), name="munit_encoder")


def munit_decoder(
    output_shape: tuple,  # shape of one row: (side, side, channels)
    n_components: int,  # dimensions of the embedding
    width: int = 64,  # filters at the full size
    n_blocks: int = 4,  # residual blocks
) -> keras.Model:
    "Residual blocks at 4 x 4, then doubling and convolution up to the full size, and a sigmoid (after MUNIT)."
    filters = munit_filters(output_shape, width, "decoder")
    z = keras.Input((n_components,))
    x = layers.Reshape((4, 4, filters[-1]))(layers.Dense(4 * 4 * filters[-1], activation="relu")(z))
    x = residual_blocks(x, n_blocks)
    for n in filters[-2::-1]:
        x = layers.Conv2D(n, 5, padding="same", activation="relu")(layers.UpSampling2D()(x))
    x = layers.Conv2D(output_shape[-1], 7, padding="same", activation="sigmoid")(x)
    return keras.Model(z, x, name="munit_decoder")


# %% [markdown]
# The size of the image and the number of filters are the network's only sizes. By its name it has MUNIT's 64 filters; a function of one's own gives another number.

# %%
for side in (8, 16, 32, 64, 128):
    there, back = munit_encoder((side, side, 3), 5, width=2, n_blocks=1), munit_decoder((side, side, 3), 5, width=2, n_blocks=1)
    assert back(there(np.zeros((1, side, side, 3), "float32"))).shape == (1, side, side, 3)
for shape in ((28, 28, 1), (4, 4, 1), (16, 32, 3), (256,)):
    try:
        munit_encoder(shape, 2)
    except ValueError as error:
        assert str(shape) in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# ## By name, ready made, or by a function
#
# `build_encoder` takes whatever the user has: a name, a Keras model, or a function of the row's shape and the number of
# components. A ready-made model is copied with its weights, never trained itself, so that fitting twice starts twice from the same place.

# %%
#| export
def build_encoder(
    encoder,  # "mlp", "conv28", "conv32", "song", "munit", a Keras model, or a function (input_shape, n_components) -> model
    input_shape: tuple,  # shape of one row
    n_components: int,  # dimensions of the embedding
    random_state=None,  # seeds the initial weights
) -> keras.Model:
    "A fresh encoder; a `ValueError` if it does not lead from a row's shape to `n_components`."
    names = {"mlp": mlp_encoder, "conv28": conv28_encoder, "conv32": conv32_encoder, "song": song_encoder, "munit": munit_encoder}
    return _build("encoder", encoder, names, tuple(input_shape), n_components, (tuple(input_shape), (n_components,)), random_state)


def build_decoder(
    decoder,  # "mlp", "conv28", "conv32", "song", "munit", a Keras model, or a function (output_shape, n_components) -> model
    output_shape: tuple,  # shape of one row
    n_components: int,  # dimensions of the embedding
    random_state=None,  # seeds the initial weights
) -> keras.Model:
    "A fresh decoder; a `ValueError` if it does not lead from `n_components` to a row's shape."
    names = {"mlp": mlp_decoder, "conv28": conv28_decoder, "conv32": conv32_decoder, "song": song_decoder, "munit": munit_decoder}
    return _build("decoder", decoder, names, tuple(output_shape), n_components, ((n_components,), tuple(output_shape)), random_state)


# %%
#| export
def copy_of(
    model,  # Keras model, built
):  # Keras model with weights of its own
    "A model that computes the same."
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in layers_within(copy):
        if hasattr(layer, "finalize_state"):  # an adapted layer computes with constants that it makes of its weights here
            layer.finalize_state()
    return copy


def layers_within(
    model,  # Keras model
):  # of Keras layers
    "The layers of a model, and of the models among them."
    for layer in model.layers:
        yield layer
        yield from layers_within(layer) if isinstance(layer, keras.Model) else ()


def _build(role, spec, names, row_shape, n_components, shapes, random_state):
    "Make the network that `spec` asks for, and check that it maps `shapes[0]` to `shapes[1]`."
    n_components = int(n_components)  # Keras refuses NumPy's whole numbers
    with seeded_initializers(random_state):
        if isinstance(spec, keras.Model):
            model = copy_of(spec)
        elif isinstance(spec, str) and spec in names:
            model = names[spec](row_shape, n_components)
        elif callable(spec):
            model = spec(row_shape, n_components)
        else:
            raise ValueError(
                f"{role} is {spec!r}; it must be one of {', '.join(names)}, a Keras model, or a function (shape of a row, n_components) -> model."
            )
        if isinstance(model, keras.Model) and not model.built:
            model.build((None, *shapes[0]))
    if not isinstance(model, keras.Model):
        raise ValueError(f"The {role} function returned {type(model).__name__}; it must return a Keras model.")
    if not all(hasattr(model, side) for side in ("input_shape", "output_shape")):
        raise ValueError(f"The {role} does not tell its shapes: build it with keras.Sequential or keras.Model(inputs, outputs).")
    for side, expected, found in (("input", shapes[0], model.input_shape), ("output", shapes[1], model.output_shape)):
        if not isinstance(found, tuple) or len(found[1:]) != len(expected) or any(f not in (None, e) for f, e in zip(found[1:], expected)):
            raise ValueError(f"The {role}'s {side} has shape {found}; it must be (None, {', '.join(map(str, expected))}).")
    return model


# %%
own = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(2)])
copy = build_encoder(own, (8, 8), 2)
assert copy is not own
assert_array_equal(copy.get_weights()[0], own.get_weights()[0])

adapted = layers.Normalization()
adapted.adapt(np.random.default_rng(0).normal(100, 5, size=(500, 4)))
scaled = keras.Sequential([keras.Input((4,)), adapted, layers.Dense(2)])
assert_allclose(build_encoder(scaled, (4,), 2)(np.full((1, 4), 100.0)), scaled(np.full((1, 4), 100.0)))  # what a layer has adapted to goes along

by_function = build_encoder(lambda shape, n: keras.Sequential([layers.Flatten(), layers.Dense(n)]), (8, 8), 3)
assert by_function.output_shape == (None, 3) and by_function.input_shape == (None, 8, 8)
narrow = build_encoder(lambda shape, n: munit_encoder(shape, n, width=8), (8, 8, 1), 2)
assert narrow.count_params() < build_encoder("munit", (8, 8, 1), 2).count_params() / 50  # an eighth of the filters, some sixtieth of the weights

# %% [markdown]
# A network that does not fit is refused before any training.

# %%
for encoder, word in ((own, "output"), ("conv28", "(28, 28)"), ("conv32", "(32, 32, 3)"), ("song", "(32, 31)"), ("munit", "square"), ("transformer", "mlp"), (lambda shape, n: None, "NoneType")):
    try:
        build_encoder(encoder, (8, 8), n_components=5)
    except ValueError as error:
        assert word in str(error), error
    else:
        raise AssertionError("no error")

# %% [markdown]
# One seed, one network; with a different seed, another.

# %%
one, same, other = (build_encoder("mlp", (8, 8), 2, random_state=seed) for seed in (0, 0, 1))
for a, b in zip(one.get_weights(), same.get_weights()):
    assert_array_equal(a, b)
assert (one.get_weights()[0] != other.get_weights()[0]).any()


# %% [markdown]
# ## Networks for few labels
#
# **`mlp_norm`**: `mlp` with batch normalisation behind each hidden layer. A semi-supervised classifier (`08_semisupervised`) must tear apart in the embedding what
# lies close together in the data, and a plain network is slow at that: it begins as a smooth map. With normalised layers the same effort goes several times as far. Only the classifier knows it by its name; `build_encoder` takes the function.

# %%
#| export
def mlp_norm_encoder(
    input_shape: tuple,  # shape of one row
    n_components: int,  # dimensions of the output
) -> keras.Model:
    "Flatten, three hidden layers of 100 units with batch normalisation, linear output."
    hidden = []
    for _ in range(3):
        hidden += [layers.Dense(100, use_bias=False), layers.BatchNormalization(), layers.Activation("relu")]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, layers.Dense(n_components, name="z")], name="mlp_norm_encoder")


# %%
assert build_encoder(mlp_norm_encoder, (5, 5), 64).output_shape == (None, 64)
trained = sum(math.prod(weight.shape) for weight in mlp_norm_encoder((50,), 2).trainable_weights)
assert trained == 50 * 100 + 2 * 100 * 100 + 3 * 200 + 100 * 2 + 2  # two numbers of the normalisation in place of a bias


# %% [markdown]
# **`cnn13`**: the paper's network for semi-supervised images. Its layers are weight-normalised (Salimans and Kingma 2016): a kernel is $g\,v / \lVert v \rVert$, with one $\lVert v \rVert$ and one
# length $g$ for each output, and both are learned. Keras has no such layer. Ours starts with $g = \lVert v \rVert$, so at first it is an ordinary layer.

# %%
#| export
@keras.saving.register_keras_serializable(package="pumap")
class WeightNormDense(keras.Layer):
    "A dense layer whose kernel is a learned direction times a learned length, one for each output (Salimans and Kingma 2016)."

    window = ()  # axes of the kernel before those of inputs and outputs

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        shape = (*self.window, input_shape[-1], self.units)
        self.direction = self.add_weight(shape=shape, initializer="glorot_uniform", name="direction")
        self.length = self.add_weight(shape=(self.units,), initializer=lambda *_, **__: kernel_lengths(self.direction), name="length")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    @property
    def kernel(self):
        "The kernel that the layer computes with, shape (*window, n_inputs, units)."
        return self.direction * (self.length / kernel_lengths(self.direction))

    def call(self, x):
        return ops.matmul(x, self.kernel) + self.bias

    def get_config(self):
        return super().get_config() | {"units": self.units}


def kernel_lengths(
    kernel,  # shape (..., n_inputs, n_outputs)
):  # shape (n_outputs,)
    "The Euclidean length of what leads to each output."
    return ops.sqrt(ops.sum(ops.square(kernel), axis=tuple(range(len(kernel.shape) - 1))))


# %%
#| export
@keras.saving.register_keras_serializable(package="pumap")
class WeightNormConv2D(WeightNormDense):
    "A convolution with stride 1 whose kernel is a learned direction times a learned length, one for each filter."

    def __init__(self, units: int, kernel_size: int, padding: str = "valid", **kwargs):
        super().__init__(units, **kwargs)
        self.window, self.padding = (kernel_size, kernel_size), padding

    def call(self, x):
        return ops.conv(x, self.kernel, padding=self.padding, data_format="channels_last") + self.bias

    def get_config(self):
        return super().get_config() | {"kernel_size": self.window[0], "padding": self.padding}


# %% [markdown]
# By hand: the direction (3, 4) has length 5, so with $g = 10$ the kernel is (6, 8), whatever the direction's own length. And a fresh layer computes what an ordinary one does.

# %%
layer = WeightNormDense(1)
layer.build((None, 2))
for direction in ([[3.0], [4.0]], [[0.3], [0.4]]):
    layer.set_weights([np.array(direction), np.array([10.0]), np.array([1.0])])
    assert_allclose(layer(np.ones((1, 2))), [[6 + 8 + 1]], rtol=1e-6)

normed, plain = WeightNormConv2D(5, 3, padding="same"), layers.Conv2D(5, 3, padding="same")
x = np.random.default_rng(0).random((2, 6, 6, 4), dtype=np.float32)
normed(x), plain(x)  # builds them
plain.set_weights([normed.direction, normed.bias])
assert_allclose(normed(x), plain(x), atol=1e-5)


# %% [markdown]
# Nine convolutions in three groups, then one linear layer; with the three weight-normalised layers of a classifier's head these are the thirteen. Behind each convolution comes batch normalisation and a leaky ReLU, behind the first two
# groups pooling and dropout. The last maps are averaged: in the paper by windows of 3 x 3 for maps of 5 x 5 (images of 28 x 28), and as a whole for maps of 6 x 6 (32 x 32). Here every map but that of 5 x 5 is averaged as a whole, so that
# images of any size from 12 x 12 on can be taken. `width` scales the number of filters: **`cnn13_narrow`** has a quarter of them, and about a sixteenth of the work.

# %%
#| export
def cnn13_encoder(
    input_shape: tuple,  # shape of one row: (height, width) or (height, width, channels), at least 12 x 12
    n_components: int,  # dimensions of the output
    width: float = 1.0,  # factor on the number of filters
) -> keras.Model:
    "Nine weight-normalised convolutions with batch normalisation, dropout, linear output (the paper's network for semi-supervised images)."
    if len(input_shape) not in (2, 3) or min(input_shape[:2]) < 12:
        raise ValueError(
            f"cnn13 is for images of at least 12 x 12, but a row has shape {tuple(input_shape)}: give rows of shape (height, width, channels), or use 'mlp_norm'."
        )
    filters = lambda n: max(1, round(n * width))
    stack = [keras.Input(input_shape), layers.Reshape((*input_shape[:2], input_shape[2] if len(input_shape) == 3 else 1))]
    for n in (128, 256):
        for _ in range(3):
            stack += _normed_convolution(filters(n), 3, "same")
        stack += [layers.MaxPooling2D(2), layers.Dropout(0.5)]
    for n, kernel_size in ((512, 3), (256, 1), (128, 1)):
        stack += _normed_convolution(filters(n), kernel_size, "valid")
    window = tuple(3 if side // 4 - 2 == 5 else side // 4 - 2 for side in input_shape[:2])
    stack += [layers.AveragePooling2D(window, strides=2), layers.Flatten(), layers.Dense(n_components, name="z")]
    return keras.Sequential(stack, name="cnn13_encoder")


def _normed_convolution(filters, kernel_size, padding):
    return [WeightNormConv2D(filters, kernel_size, padding), layers.BatchNormalization(), layers.LeakyReLU(negative_slope=0.1)]


def cnn13_narrow_encoder(
    input_shape: tuple,  # shape of one row, as for `cnn13_encoder`
    n_components: int,  # dimensions of the output
) -> keras.Model:
    "`cnn13_encoder` with a quarter of the filters, for small machines."
    return cnn13_encoder(input_shape, n_components, width=0.25)


# %% [markdown]
# The original's classifier for MNIST has 3,388,308 weights that are trained. Ours has as many, once the head is added: two weight-normalised layers of 256 and one of 10.

# %%
def n_trained(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


head = 2 * (256 * 256 + 2 * 256) + 256 * 10 + 2 * 10
cnn13 = build_encoder(cnn13_encoder, (28, 28, 1), 256, random_state=0)
assert n_trained(cnn13) + head == 3_388_308
assert cnn13.layers[-2].output.shape == (None, 512)  # 2 x 2 x 128
assert cnn13_encoder((32, 32, 3), 256, width=1 / 64).layers[-2].output.shape == (None, 2)
for shape in ((28, 28), (12, 12, 1), (14, 14, 1), (16, 16, 3), (40, 20, 3)):
    assert cnn13_narrow_encoder(shape, 64).output_shape == (None, 64)

# %% [markdown]
# Saved and loaded, it is the same network; an image that is too small is refused.

# %%
narrow = build_encoder(cnn13_narrow_encoder, (14, 14, 1), 8, random_state=0)
images = np.random.default_rng(0).random((3, 14, 14, 1), dtype=np.float32)
with tempfile.TemporaryDirectory() as folder:
    narrow.save(f"{folder}/cnn13.keras")
    loaded = keras.saving.load_model(f"{folder}/cnn13.keras")
assert_array_equal(loaded(images), narrow(images))
try:
    build_encoder(cnn13_encoder, (8, 8, 1), 2)
except ValueError as error:
    assert "12 x 12" in str(error)
else:
    raise AssertionError("no error")
