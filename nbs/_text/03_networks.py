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
# > Encoders and decoders, by name or your own.

# %%
#| default_exp networks

# %%
#| hide
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from pumap import plots

# %%
#| export
import contextlib
import math
import random
import threading

import keras
from keras import layers, ops

from pumap.core import random_generator, refuse_after_fork

# %% [markdown]
# Parametric UMAP embeds a row with a network, the *encoder*. A *decoder* maps the embedding back to rows. This notebook defines the networks of the
# paper. `build_encoder` and `build_decoder` make a network from its name, from a Keras model, or from a function.
#
# | name | shape of a row | layers of the encoder | data in the paper |
# |---|---|---|---|
# | `mlp` | any | 3 dense | moons, bison, retina |
# | `conv28` | (784,), (28, 28) or (28, 28, 1) | 2 convolutions, 2 dense | MNIST, Fashion-MNIST |
# | `conv32` | (3072,) or (32, 32, 3) | 3 convolutions, 1 dense | CIFAR10 |
# | `song` | (32, 31) or (32, 32), or with a last axis of 1 | 4 convolutions, an LSTM, 1 dense | birdsong |
# | `munit` | (n, n, channels) with n = 8, 16, 32, 64, ... | convolutions, 4 residual blocks | faces |
#
# Each encoder ends in a linear layer with one unit per dimension of the embedding. The picture shows the first four, for an embedding in two
# dimensions, drawn by `11_plots`. A bar is a layer, labeled with its output shape. Its height grows with the square root of the number of units.

# %%
from pumap.networks import build_encoder

ROW_SHAPES = {"mlp": (8, 8), "conv28": (28, 28), "conv32": (32, 32, 3), "song": (32, 31)}
with plots.use_style():
    fig = plots.Picture(figsize=(5.8, 3.6))
    ax = plots.inch_axes(fig)
    for i, (name, shape) in enumerate(ROW_SHAPES.items()):
        ax.text(0.05, 3.2 - 0.9 * i, name, va="center")
        plots.draw_network(ax, plots.network_shapes(build_encoder(name, shape, 2)), (0.8, 3.2 - 0.9 * i), step=0.66, height=0.55)
fig

# %% [markdown]
# ## Seeds
#
# If a Keras layer has no seed, it draws one from Python's global generator. `seeded_initializers` sets this generator while a network is built,
# and restores it afterwards. One seed then gives one network, also with layers of your own, and other random numbers do not change. The generator
# belongs to all threads, so a lock lets one thread at a time build.

# %%
#| export
_BUILDING = threading.RLock()  # Python's generator and Keras' settings belong to the process


@contextlib.contextmanager
def seeded_initializers(random_state=None):
    """Seed the initial weights of all Keras layers that are made in this context.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator
        Seed for layers without a seed of their own. `None` draws a fresh one.

    Yields
    ------
    None

    Examples
    --------
    >>> import keras
    >>> from pumap.networks import seeded_initializers
    >>> kernels = []
    >>> for _ in range(2):
    ...     with seeded_initializers(0):
    ...         model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    ...     kernels.append(model.get_weights()[0])
    >>> bool((kernels[0] == kernels[1]).all())
    True
    """
    with _BUILDING:
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
assert random.getstate() == state  # the global generator is as before

# %% [markdown]
# Threads that build at the same time get the same weights.

# %%
with ThreadPoolExecutor(2) as pool:
    for weights in pool.map(first_weights, [7] * 20):
        assert_array_equal(weights, first_weights(7))
assert random.getstate() == state

# %% [markdown]
# ## Keras' settings
#
# Keras has three settings for all layers of a process: the type of floats, the dtype policy (such as `mixed_float16`), and whether the channels
# of an image come first or last. The networks of this notebook are made for channels last, and for a policy that the caller chooses. Networks of
# your own follow Keras' settings.

# %%
#| export
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


@contextlib.contextmanager
def layer_defaults(dtype: str = "float32"):
    """Make layers that are created in this context independent of Keras' settings.

    Parameters
    ----------
    dtype : {"float32", "mixed_bfloat16", "mixed_float16"}
        Dtype policy of the layers. The mixed ones compute in half precision; weights are float32.

    Yields
    ------
    None
    """
    with _BUILDING:
        before = keras.config.floatx(), keras.config.dtype_policy(), keras.config.image_data_format()
        try:
            _configure("float32", dtype, "channels_last")
            yield
        finally:
            _configure(*before)


def _configure(floatx, policy, data_format):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format(data_format)


# %%
keras.config.set_image_data_format("channels_first")
with layer_defaults("mixed_bfloat16"):
    layer = layers.Conv2D(1, 3)
assert layer.data_format == "channels_last" and layer.compute_dtype == "bfloat16" and layer.variable_dtype == "float32"
assert keras.config.image_data_format() == "channels_first" and keras.config.dtype_policy().name == "float32"
keras.config.set_image_data_format("channels_last")


# %% [markdown]
# ## Dense layers: `mlp`
#
# Three hidden layers of 100 units. The encoder flattens rows of any shape. The decoder mirrors it and ends in a sigmoid, so its values lie between
# 0 and 1.

# %%
#| export
def mlp_encoder(input_shape: tuple, n_components: int) -> keras.Model:
    """Build an encoder with three hidden layers of 100 units.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row.
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model
    """
    hidden = [layers.Dense(100, activation="relu") for _ in range(3)]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, layers.Dense(n_components, name="z")], name="mlp_encoder")


def mlp_decoder(output_shape: tuple, n_components: int) -> keras.Model:
    """Build the mirror image of `mlp_encoder`, with a sigmoid at the end.

    Parameters
    ----------
    output_shape : tuple of int
        Shape of one row.
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model
    """
    hidden = [layers.Dense(100, activation="relu") for _ in range(3)]
    values = [layers.Dense(math.prod(output_shape), activation="sigmoid"), layers.Reshape(output_shape)]
    return keras.Sequential([keras.Input((n_components,)), *hidden, *values], name="mlp_decoder")


# %%
assert mlp_encoder((50,), 2).count_params() == 50 * 100 + 100 + 2 * (100 * 100 + 100) + 100 * 2 + 2
assert mlp_decoder((5, 5), 2).output_shape == (None, 5, 5)


# %% [markdown]
# The other networks need rows of a certain shape. A row of another shape raises an error that lists the valid ones.

# %%
#| export
def _check_shape(shape, known, role, name, kind):
    if tuple(shape) not in known:
        raise ValueError(
            f"{role}={name!r} is for {kind} of shape {' or '.join(map(str, known))}, but a row has shape {tuple(shape)}: "
            "give rows of that shape, or use 'mlp', a Keras model or a function that builds one."
        )


# %% [markdown]
# ## Gray images: `conv28`
#
# Two strided convolutions and two dense layers of 512 units, for MNIST and Fashion-MNIST. The original code uses one or two dense layers, depending
# on the method. Here both data sets have two, as in the paper's text.

# %%
#| export
_GRAY_SHAPES = ((28, 28), (28, 28, 1), (784,))


def conv28_encoder(input_shape: tuple, n_components: int) -> keras.Model:
    """Build the paper's encoder for MNIST and Fashion-MNIST: two strided convolutions, two dense layers of 512 units.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (784,), (28, 28) or (28, 28, 1).
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    _check_shape(input_shape, _GRAY_SHAPES, "encoder", "conv28", "images")
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


# %%
#| export
def conv28_decoder(output_shape: tuple, n_components: int) -> keras.Model:
    """Build the mirror image of `conv28_encoder`, with transposed convolutions and a sigmoid at the end.

    Parameters
    ----------
    output_shape : tuple of int
        Shape of one row: (784,), (28, 28) or (28, 28, 1).
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    _check_shape(output_shape, _GRAY_SHAPES, "decoder", "conv28", "images")
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
# The encoder narrows to the embedding, and the decoder widens again.

# %%
encoder, decoder = conv28_encoder((28, 28, 1), 2), conv28_decoder((28, 28, 1), 2)
with plots.use_style():
    fig = plots.Picture(figsize=(7.8, 1.2))
    ax = plots.inch_axes(fig)
    shapes, widest = [plots.network_shapes(model) for model in (encoder, decoder)], 28 * 28 * 64
    bars = plots.draw_network(ax, shapes[0], (0.35, 0.7), 0.64, 0.9, widest, label_at=0.2)
    plots.draw_network(ax, shapes[1], (bars[-1][0], 0.7), 0.64, 0.9, widest, color="#A1301D", label_at=0.2, first_label=1)
fig

# %% [markdown]
# The original code has no encoder with exactly these layers. Its variational encoder has 2,436,356 weights: one dense layer of 512 units fewer than
# ours, and two more outputs.

# %%
assert encoder.count_params() == 2_436_356 + 513 * 512 - 513 * 2
assert decoder.output_shape == (None, 28, 28, 1)

# %% [markdown]
# ## Color images: `conv32`
#
# Three strided convolutions and one dense layer of 512 units, for CIFAR10.

# %%
#| export
_COLOR_SHAPES = ((32, 32, 3), (3072,))


def conv32_encoder(input_shape: tuple, n_components: int) -> keras.Model:
    """Build the paper's encoder for CIFAR10: three strided convolutions, a dense layer of 512 units.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (3072,) or (32, 32, 3).
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    _check_shape(input_shape, _COLOR_SHAPES, "encoder", "conv32", "color images")
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
def conv32_decoder(output_shape: tuple, n_components: int) -> keras.Model:
    """Build the mirror image of `conv32_encoder`, with transposed convolutions and a sigmoid at the end.

    Parameters
    ----------
    output_shape : tuple of int
        Shape of one row: (3072,) or (32, 32, 3).
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    _check_shape(output_shape, _COLOR_SHAPES, "decoder", "conv32", "color images")
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
# Both have as many weights as in the original code. Its variational encoder for two dimensions has four outputs, two means and two variances.

# %%
assert conv32_encoder((32, 32, 3), 4).count_params() == 685_636
assert conv32_decoder((3072,), 2).count_params() == 1_292_867
assert conv32_decoder((3072,), 2).output_shape == (None, 3072)

# %% [markdown]
# ## Spectrograms: `song`
#
# A spectrogram of a syllable has 32 frequencies (first axis) and 31 or 32 time steps (second axis). Strided convolutions reduce it to 2 frequencies
# and 8 time steps. A bidirectional LSTM then reads the time steps in order. With 31 time steps, a column of zeros is put in front, as in the paper,
# and the decoder removes it.
#
# Two details differ from the original code:
#
# | | original code | here |
# |---|---|---|
# | axis that the LSTM reads along | frequency | time, as in the paper's text |
# | output of the decoder | for some methods tanh, whose negative values the cross entropy clips | sigmoid |

# %%
#| export
_SONG_SHAPES = ((32, 31), (32, 32), (32, 31, 1), (32, 32, 1))  # (frequencies, time steps)


def song_encoder(input_shape: tuple, n_components: int) -> keras.Model:
    """Build the paper's encoder for song: four strided convolutions, a bidirectional LSTM along time, a linear layer of 512 units.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (32, 31), (32, 32), (32, 31, 1) or (32, 32, 1), frequencies by time steps.
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    _check_shape(input_shape, _SONG_SHAPES, "encoder", "song", "spectrograms")
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
def song_decoder(output_shape: tuple, n_components: int) -> keras.Model:
    """Build the mirror image of `song_encoder`: an LSTM along time, transposed convolutions, a sigmoid at the end.

    Parameters
    ----------
    output_shape : tuple of int
        Shape of one row: (32, 31), (32, 32), (32, 31, 1) or (32, 32, 1), frequencies by time steps.
    n_components : int
        Dimensions of the embedding.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    _check_shape(output_shape, _SONG_SHAPES, "decoder", "song", "spectrograms")
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
# Reconstructed rows have the shape of the data.

# %%
for shape in _SONG_SHAPES:
    assert song_decoder(shape, 2).output_shape == (None, *shape)

# %% [markdown]
# The LSTM reads along time: a change at the end of a spectrogram changes the last time step, and none of the first four.

# %%
encoder = song_encoder((32, 31), 2)
steps = keras.Model(encoder.inputs[0], encoder.get_layer("steps").output)
song = np.random.default_rng(0).random((1, 32, 31), dtype=np.float32)
other_end = song.copy()
other_end[:, :, -1] = 0
changed = ops.convert_to_numpy(ops.abs(steps(song) - steps(other_end))).max(axis=(0, 2))  # one number per step
assert changed[-1] > 1e-3 and (changed[:4] == 0).all()


# %% [markdown]
# ## Square images of any size: `munit`
#
# The paper's network for faces follows the autoencoder of MUNIT [(Huang et al. 2018)](https://arxiv.org/abs/1804.04732). The encoder has three parts:
#
# 1. a convolution of 7 x 7;
# 2. strided convolutions that halve the image until 4 x 4 pixels are left; each of the first two doubles the number of filters;
# 3. residual blocks, each of which adds the output of two convolutions to its input.
#
# The decoder mirrors this: residual blocks, then upsampling and a convolution of 5 x 5 until the image has its size.
#
# Two details differ from MUNIT. MUNIT separates content (a map) and style (a vector). An embedding is one vector, so the encoder ends in a linear
# layer, and the decoder starts with a dense layer. Normalization is left out, because it would remove the brightness and color of an image.

# %%
#| export
def _munit_filters(shape, width, role):
    "Numbers of filters at the full size, at half of it, and so on down to 4 x 4."
    side = shape[0]
    if len(shape) != 3 or shape[1] != side or side < 8 or side & (side - 1):
        raise ValueError(
            f"{role}='munit' is for square images with 8, 16, 32, 64, 128 or more pixels to a side and a last axis of channels, "
            f"but a row has shape {tuple(shape)}: give rows of such a shape, or use 'mlp', a Keras model or a function that builds one."
        )
    return [width * min(2**i, 4) for i in range(side.bit_length() - 2)]


def _residual_blocks(x, n_blocks):
    "Add the output of two convolutions to a Keras tensor, `n_blocks` times."
    for _ in range(n_blocks):
        change = layers.Conv2D(x.shape[-1], 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, layers.Conv2D(x.shape[-1], 3, padding="same")(change)])
    return x


# %% [markdown]
# An image of 32 x 32 has four sizes: 32, 16, 8 and 4 pixels to a side. A residual block whose weights are zero changes nothing.

# %%
assert _munit_filters((32, 32, 3), 64, "encoder") == [64, 128, 256, 256]
assert _munit_filters((8, 8, 1), 10, "encoder") == [10, 20]

image = keras.Input((4, 4, 6))
blocks = keras.Model(image, _residual_blocks(image, 3))
for weight in blocks.weights:
    weight.assign(0 * weight)
assert_array_equal(ops.convert_to_numpy(blocks(np.ones((1, 4, 4, 6), "float32"))), np.ones((1, 4, 4, 6)))


# %%
#| export
def munit_encoder(input_shape: tuple, n_components: int, width: int = 64, n_blocks: int = 4) -> keras.Model:
    """Build an encoder for square images, after MUNIT: strided convolutions down to 4 x 4, then residual blocks.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (side, side, channels), with a side of 8, 16, 32, 64, 128, ... pixels.
    n_components : int
        Dimensions of the embedding.
    width : int, default=64
        Filters at the full size.
    n_blocks : int, default=4
        Residual blocks.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    filters = _munit_filters(input_shape, width, "encoder")
    image = keras.Input(input_shape)
    x = layers.Conv2D(filters[0], 7, padding="same", activation="relu")(image)
    for n in filters[1:]:
        x = layers.Conv2D(n, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(_residual_blocks(x, n_blocks))
    return keras.Model(image, layers.Dense(n_components, name="z")(x), name="munit_encoder")


# %%
#| export
def munit_decoder(output_shape: tuple, n_components: int, width: int = 64, n_blocks: int = 4) -> keras.Model:
    """Build the mirror image of `munit_encoder`: residual blocks at 4 x 4, then upsampling and convolutions, a sigmoid at the end.

    Parameters
    ----------
    output_shape : tuple of int
        Shape of one row: (side, side, channels), with a side of 8, 16, 32, 64, 128, ... pixels.
    n_components : int
        Dimensions of the embedding.
    width : int, default=64
        Filters at the full size.
    n_blocks : int, default=4
        Residual blocks.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    filters = _munit_filters(output_shape, width, "decoder")
    z = keras.Input((n_components,))
    x = layers.Reshape((4, 4, filters[-1]))(layers.Dense(4 * 4 * filters[-1], activation="relu")(z))
    x = _residual_blocks(x, n_blocks)
    for n in filters[-2::-1]:
        x = layers.Conv2D(n, 5, padding="same", activation="relu")(layers.UpSampling2D()(x))
    x = layers.Conv2D(output_shape[-1], 7, padding="same", activation="sigmoid")(x)
    return keras.Model(z, x, name="munit_decoder")


# %% [markdown]
# `encoder="munit"` has MUNIT's 64 filters and 4 residual blocks. A function can set other numbers, as shown below. The picture has one residual
# block.

# %%
with plots.use_style():
    fig = plots.Picture(figsize=(5.3, 1.1))
    shapes = plots.network_shapes(munit_encoder((32, 32, 3), 2, n_blocks=1))
    plots.draw_network(plots.inch_axes(fig), shapes, (0.35, 0.65), step=0.66)
fig

# %% [markdown]
# The decoder restores the shape of the image.

# %%
for side in (8, 16, 32, 64, 128):
    small = {"width": 2, "n_blocks": 1}
    encoder, decoder = munit_encoder((side, side, 3), 5, **small), munit_decoder((side, side, 3), 5, **small)
    assert tuple(decoder(encoder(np.zeros((1, side, side, 3), "float32"))).shape) == (1, side, side, 3)

# %% [markdown]
# An image that does not halve down to 4 x 4 raises an error.

# %%
for shape in ((28, 28, 1), (4, 4, 1), (16, 32, 3), (256,)):
    try:
        munit_encoder(shape, 2)
    except ValueError as error:
        assert str(shape) in str(error)
    else:
        raise AssertionError("no error")

# %% [markdown]
# ## A network by name, as a model, or from a function
#
# `build_encoder` and `build_decoder` accept three kinds of networks:
#
# | you give | you get |
# |---|---|
# | a name | a fresh network of this notebook |
# | a function of the row's shape and the number of components | the model that it returns |
# | a Keras model | a copy with the same weights; the model itself is never trained, so a second fit starts from the same weights |

# %%
#| export
_NETWORKS = {
    "encoder": {"mlp": mlp_encoder, "conv28": conv28_encoder, "conv32": conv32_encoder, "song": song_encoder, "munit": munit_encoder},
    "decoder": {"mlp": mlp_decoder, "conv28": conv28_decoder, "conv32": conv32_decoder, "song": song_decoder, "munit": munit_decoder},
}


# %%
#| export
def build_encoder(encoder, input_shape: tuple, n_components: int, random_state=None, dtype: str = "float32") -> keras.Model:
    """Build an encoder and check that it maps rows to embeddings.

    Parameters
    ----------
    encoder : {"mlp", "conv28", "conv32", "song", "munit"}, keras.Model or callable
        A model is copied with its weights. A function is called as `encoder(input_shape, n_components)` and returns a model.
    input_shape : tuple of int
        Shape of one row.
    n_components : int
        Dimensions of the embedding.
    random_state : None, int, RandomState or Generator
        Seed of the initial weights. `None` draws a fresh one.
    dtype : {"float32", "mixed_bfloat16", "mixed_float16"}
        Dtype policy of a network that is given by its name. Others have their own.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For an unknown name, rows that the named network does not take, or a model whose shapes do not fit.

    Examples
    --------
    >>> from pumap.networks import build_encoder
    >>> build_encoder("conv28", (28, 28), n_components=2, random_state=0).output_shape
    (None, 2)
    """
    return _build("encoder", encoder, input_shape, n_components, random_state, dtype)


# %%
#| export
def build_decoder(decoder, output_shape: tuple, n_components: int, random_state=None, dtype: str = "float32") -> keras.Model:
    """Build a decoder and check that it maps embeddings to rows.

    Parameters
    ----------
    decoder : {"mlp", "conv28", "conv32", "song", "munit"}, keras.Model or callable
        A model is copied with its weights. A function is called as `decoder(output_shape, n_components)` and returns a model.
    output_shape : tuple of int
        Shape of one row.
    n_components : int
        Dimensions of the embedding.
    random_state : None, int, RandomState or Generator
        Seed of the initial weights. `None` draws a fresh one.
    dtype : {"float32", "mixed_bfloat16", "mixed_float16"}
        Dtype policy of a network that is given by its name. Others have their own.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For an unknown name, rows that the named network does not make, or a model whose shapes do not fit.

    Examples
    --------
    >>> from pumap.networks import build_decoder
    >>> build_decoder("mlp", (28, 28), n_components=2, random_state=0).output_shape
    (None, 28, 28)
    """
    return _build("decoder", decoder, output_shape, n_components, random_state, dtype)


# %% [markdown]
# Both call one function: make the model, build it if necessary, and check its shapes.

# %%
#| export
def _build(role, network, row_shape, n_components, random_state, dtype):
    refuse_after_fork()
    row_shape, n_components = tuple(row_shape), int(n_components)  # Keras does not accept NumPy's integers
    shapes = (row_shape, (n_components,)) if role == "encoder" else ((n_components,), row_shape)
    with seeded_initializers(random_state), layer_defaults(dtype) if isinstance(network, str) else contextlib.nullcontext():
        model = _make(role, network, row_shape, n_components)
        if not model.built:
            model.build((None, *shapes[0]))
    _check_network(role, model, shapes)
    return model


def _make(role, network, row_shape, n_components):
    if isinstance(network, keras.Model):
        return _copy_of(network)
    known = _NETWORKS[role]
    function = known.get(network) if isinstance(network, str) else network
    if not callable(function):
        raise ValueError(
            f"{role} is {network!r}; it must be one of {', '.join(known)}, a Keras model, or a function (shape of a row, n_components) -> model."
        )
    model = function(row_shape, n_components)
    if not isinstance(model, keras.Model):
        raise ValueError(f"The {role} function returned {type(model).__name__}; it must return a Keras model.")
    return model


def _check_network(role, model, shapes):
    if not all(hasattr(model, side) for side in ("input_shape", "output_shape")):
        raise ValueError(f"The {role} has no input_shape or no output_shape: build it with keras.Sequential or keras.Model(inputs, outputs).")
    for side, expected, found in (("input", shapes[0], model.input_shape), ("output", shapes[1], model.output_shape)):
        if not isinstance(found, tuple) or len(found[1:]) != len(expected) or any(f not in (None, e) for f, e in zip(found[1:], expected)):
            raise ValueError(
                f"The {role}'s {side} has shape {found}; it must be (None, {', '.join(map(str, expected))}): "
                "change the network, the shape of the rows or n_components."
            )


# %% [markdown]
# Copying the weights of a model is not enough. An adapted layer, such as `Normalization`, computes with constants that it derives from its
# weights. The copy must derive them again.

# %%
#| export
def _copy_of(model):
    "Copy a model and its weights."
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in _layers_within(copy):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return copy


def _layers_within(model):
    "Yield the layers of a model, and those of nested models."
    for layer in model.layers:
        yield layer
        yield from _layers_within(layer) if isinstance(layer, keras.Model) else ()


# %%
own = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(2)])
copy = build_encoder(own, (8, 8), 2)
assert copy is not own
assert_array_equal(copy.get_weights()[0], own.get_weights()[0])

adapted = layers.Normalization()
adapted.adapt(np.random.default_rng(0).normal(100, 5, size=(500, 4)))
scaled = keras.Sequential([keras.Input((4,)), adapted, layers.Dense(2)])
outputs = [ops.convert_to_numpy(model(np.full((1, 4), 100.0))) for model in (scaled, build_encoder(scaled, (4,), 2))]
assert_allclose(outputs[1], outputs[0])

# %% [markdown]
# A function can build anything, for instance a named network with other sizes. With an eighth of the filters, `munit` has about a sixtieth of the
# weights.

# %%
by_function = build_encoder(lambda shape, n: keras.Sequential([layers.Flatten(), layers.Dense(n)]), (8, 8), 3)
assert by_function.output_shape == (None, 3) and by_function.input_shape == (None, 8, 8)

narrow = build_encoder(lambda shape, n: munit_encoder(shape, n, width=8), (8, 8, 1), 2)
assert narrow.count_params() < build_encoder("munit", (8, 8, 1), 2).count_params() / 50

# %% [markdown]
# One seed gives one network.

# %%
one, same, other = (build_encoder("mlp", (8, 8), 2, random_state=seed) for seed in (0, 0, 1))
for a, b in zip(one.get_weights(), same.get_weights()):
    assert_array_equal(a, b)
assert (one.get_weights()[0] != other.get_weights()[0]).any()

# %% [markdown]
# A network that does not fit raises an error before any training.

# %%
WRONG = {"conv28": "(28, 28)", "conv32": "(32, 32, 3)", "song": "(32, 31)", "munit": "square", "transformer": "mlp"}
for encoder, word in ((own, "output"), *WRONG.items(), (None, "mlp"), (lambda shape, n: None, "NoneType")):
    try:
        build_encoder(encoder, (8, 8), n_components=5)
    except ValueError as error:
        assert word in str(error), error
    else:
        raise AssertionError("no error")


# %% [markdown]
# ## Batch normalization: `mlp_norm`
#
# `mlp` with batch normalization after each hidden layer, for semi-supervised classifiers (`08_semisupervised`). A classifier must separate classes
# that lie close together in the data. A plain network starts as a smooth map, so this takes long. `08_semisupervised` shows what the
# normalization gains.
#
# The remaining networks have names in `08_semisupervised` only. `build_encoder` takes their functions.

# %%
#| export
def mlp_norm_encoder(input_shape: tuple, n_components: int) -> keras.Model:
    """Build an encoder with three hidden layers of 100 units, each with batch normalization.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row.
    n_components : int
        Dimensions of the output.

    Returns
    -------
    keras.Model
    """
    hidden = []
    for _ in range(3):
        hidden += [layers.Dense(100, use_bias=False), layers.BatchNormalization(), layers.Activation("relu")]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, layers.Dense(n_components, name="z")], name="mlp_norm_encoder")


# %% [markdown]
# Batch normalization has a scale and a shift for each unit, in place of the bias of the dense layer.

# %%
def n_trained(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


assert build_encoder(mlp_norm_encoder, (5, 5), 64).output_shape == (None, 64)
assert n_trained(mlp_norm_encoder((50,), 2)) == 50 * 100 + 2 * 100 * 100 + 3 * 200 + 100 * 2 + 2


# %% [markdown]
# ## Weight normalization
#
# The paper's network for semi-supervised images has weight-normalized layers
# [(Salimans and Kingma 2016)](https://arxiv.org/abs/1602.07868). For each output, the kernel is
#
# $$w = g\,\frac{v}{\lVert v \rVert}$$
#
# with a learned direction $v$ and a learned length $g$. Keras has no such layer. Ours starts with $g = \lVert v \rVert$, so a fresh layer computes
# the same as an ordinary one.

# %%
#| export
@keras.saving.register_keras_serializable(package="pumap")
class WeightNormDense(keras.Layer):
    """Compute a dense layer whose kernel is a learned direction times a learned length.

    Parameters
    ----------
    units : int
        Number of outputs.
    **kwargs
        Arguments of `keras.Layer`.

    Attributes
    ----------
    direction : keras.Variable, shape (n_inputs, units)
    length : keras.Variable, shape (units,)
        Starts as the Euclidean lengths of `direction`.
    bias : keras.Variable, shape (units,)

    References
    ----------
    .. [1] Salimans, Kingma (2016). Weight normalization: a simple reparameterization to accelerate training of deep neural networks. NeurIPS.
    """

    window = ()  # axes of the kernel before those of inputs and outputs

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        shape = (*self.window, input_shape[-1], self.units)
        self.direction = self.add_weight(shape=shape, initializer="glorot_uniform", name="direction")
        self.length = self.add_weight(shape=(self.units,), initializer=lambda *_, **__: _kernel_lengths(self.direction), name="length")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    @property
    def kernel(self):
        """Kernel that the layer computes with, of the shape of `direction`."""
        return self.direction * (self.length / _kernel_lengths(self.direction))

    def call(self, x):
        return ops.matmul(x, self.kernel) + self.bias

    def get_config(self):
        return super().get_config() | {"units": self.units}


def _kernel_lengths(kernel):
    "The Euclidean length of the weights that lead to each output."
    return ops.sqrt(ops.sum(ops.square(kernel), axis=tuple(range(len(kernel.shape) - 1))))


# %% [markdown]
# By hand: the direction (3, 4) has length 5, so with $g = 10$ the kernel is (6, 8). The length of the direction itself does not matter.

# %%
layer = WeightNormDense(1)
layer.build((None, 2))
for direction in ([[3.0], [4.0]], [[0.3], [0.4]]):
    layer.set_weights([np.array(direction), np.array([10.0]), np.array([1.0])])
    assert_allclose(ops.convert_to_numpy(layer(np.ones((1, 2)))), [[6 + 8 + 1]], rtol=1e-6)


# %% [markdown]
# The convolution has one direction and one length for each filter.

# %%
#| export
@keras.saving.register_keras_serializable(package="pumap")
class WeightNormConv2D(WeightNormDense):
    """Compute a convolution with stride 1 whose kernel is a learned direction times a learned length.

    Parameters
    ----------
    units : int
        Number of filters.
    kernel_size : int
        Side of the square window.
    padding : {"valid", "same"}, default="valid"
    **kwargs
        Arguments of `keras.Layer`.

    Attributes
    ----------
    direction : keras.Variable, shape (kernel_size, kernel_size, n_channels, units)
    length : keras.Variable, shape (units,)
        Starts as the Euclidean lengths of `direction`.
    bias : keras.Variable, shape (units,)
    """

    def __init__(self, units: int, kernel_size: int, padding: str = "valid", **kwargs):
        super().__init__(units, **kwargs)
        self.window, self.padding = (kernel_size, kernel_size), padding

    def call(self, x):
        return ops.conv(x, self.kernel, padding=self.padding, data_format="channels_last") + self.bias

    def get_config(self):
        return super().get_config() | {"kernel_size": self.window[0], "padding": self.padding}


# %%
normed, plain = WeightNormConv2D(5, 3, padding="same"), layers.Conv2D(5, 3, padding="same")
x = np.random.default_rng(0).random((2, 6, 6, 4), dtype=np.float32)
normed(x), plain(x)  # builds them
plain.set_weights([ops.convert_to_numpy(weight) for weight in (normed.direction, normed.bias)])
assert_allclose(ops.convert_to_numpy(normed(x)), ops.convert_to_numpy(plain(x)), atol=1e-5)


# %% [markdown]
# ## Semi-supervised images: `cnn13`
#
# Nine convolutions in three groups, then one linear layer. With the three layers of a classifier's head, these are the thirteen layers of the name.
#
# - Each convolution is followed by batch normalization and a leaky ReLU.
# - Each of the first two groups ends in pooling and dropout.
# - At the end each map is averaged. The paper averages maps of 5 x 5 (from images of 28 x 28) in windows of 3 x 3. It averages maps of 6 x 6 (from
#   32 x 32) as a whole. Here a side of 5 has a window of 3, and any other side is averaged as a whole. Images of any size from 12 x 12 are valid.
#
# `width` scales the number of filters. `cnn13_narrow` has a quarter of them and needs about a sixteenth of the computation.

# %%
#| export
def cnn13_encoder(input_shape: tuple, n_components: int, width: float = 1.0) -> keras.Model:
    """Build the paper's encoder for semi-supervised images: nine weight-normalized convolutions and a linear layer.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (height, width) or (height, width, channels), at least 12 x 12.
    n_components : int
        Dimensions of the output.
    width : float, default=1.0
        Factor on the number of filters.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows that are smaller, or not images.
    """
    if len(input_shape) not in (2, 3) or min(input_shape[:2]) < 12:
        raise ValueError(
            f"cnn13 is for images of at least 12 x 12, but a row has shape {tuple(input_shape)}: "
            "give rows of shape (height, width, channels), or use 'mlp_norm'."
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


# %%
#| export
def cnn13_narrow_encoder(input_shape: tuple, n_components: int) -> keras.Model:
    """Build `cnn13_encoder` with a quarter of the filters.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (height, width) or (height, width, channels), at least 12 x 12.
    n_components : int
        Dimensions of the output.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        For rows that are smaller, or not images.
    """
    return cnn13_encoder(input_shape, n_components, width=0.25)


# %%
cnn13 = build_encoder(cnn13_encoder, (28, 28, 1), 256, random_state=0)
with plots.use_style():
    fig = plots.Picture(figsize=(7.4, 1.1))
    plots.draw_network(plots.inch_axes(fig), plots.network_shapes(cnn13), (0.35, 0.65), step=0.67)
fig

# %% [markdown]
# The original's classifier for MNIST has 3,388,308 trained weights. Ours has as many, with a head of two weight-normalized layers of 256 units and
# one of 10.

# %%
head = 2 * (256 * 256 + 2 * 256) + 256 * 10 + 2 * 10
assert n_trained(cnn13) + head == 3_388_308
assert cnn13.layers[-2].output.shape == (None, 512)  # 2 x 2 x 128
assert cnn13_encoder((32, 32, 3), 256, width=1 / 64).layers[-2].output.shape == (None, 2)
for shape in ((28, 28), (12, 12, 1), (14, 14, 1), (16, 16, 3), (40, 20, 3)):
    assert cnn13_narrow_encoder(shape, 64).output_shape == (None, 64)

# %% [markdown]
# A saved network can be loaded.

# %%
narrow = build_encoder(cnn13_narrow_encoder, (14, 14, 1), 8, random_state=0)
images = np.random.default_rng(0).random((3, 14, 14, 1), dtype=np.float32)
with tempfile.TemporaryDirectory() as folder:
    narrow.save(f"{folder}/cnn13.keras")
    loaded = keras.saving.load_model(f"{folder}/cnn13.keras")
assert_array_equal(ops.convert_to_numpy(loaded(images)), ops.convert_to_numpy(narrow(images)))

# %% [markdown]
# An image that is too small raises an error.

# %%
try:
    build_encoder(cnn13_encoder, (8, 8, 1), 2)
except ValueError as error:
    assert "12 x 12" in str(error)
else:
    raise AssertionError("no error")
