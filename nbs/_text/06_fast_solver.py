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
# # Fast solver
#
# > The default training loop: the same UMAP loss, minimized in a fraction of the time.

# %%
#| default_exp fast_solver

# %%
#| hide
import matplotlib.pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness

from pumap.graph import find_ab, fuzzy_graph, pruned_edges
from pumap.networks import build_decoder, build_encoder
from pumap.training import StoppingRule, encode, fit_encoder, held_out_loss

# %%
#| export
import contextlib
import math
import numbers
import warnings
from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from pumap.backend import devices, training_step
from pumap.core import random_generator
from pumap.graph import Edges, default_n_epochs, edge_batches, numba_threads, umap_functions
from pumap.losses import UMAPLoss, reconstruction_loss, rolled_cross_entropy, squared_distance
from pumap.training import (
    LEAST_STEPS,
    Decoding,
    EarlyStopping,
    History,
    Rows,
    SideTerms,
    TrainingOptions,
    UMAPHistory,
    edge_steps,
    fresh_optimizer,
    held_out_loss,
    hold_out,
    is_dense,
    linear_decay_adam,
    minimize,
    row_batches,
)

# %% [markdown]
# The paper's loop is slow for three reasons: large first layers, the overhead of calling each step from Python, and a constant learning rate. The
# fast solver changes five parts of it and keeps the loss. An *encoding* is the forward pass of one row through the encoder.
#
# | part | what it does | when |
# |---|---|---|
# | principal coordinates | trains the first layer on half-whitened principal coordinates of the rows | the encoder starts with a dense layer |
# | layout warm start | regresses the network onto umap-learn's layout first | encodings are expensive (anything but dense layers) |
# | rolled negatives | every row of a batch repels ten others | always |
# | learning rate | falls linearly to zero, many steps in one call | always |
# | capped repulsion | very close pairs do not repel for most of the run | always |
#
# An ablation on 600 digits comes first. The code of the parts follows, and the loop that uses them is at the end.

# %%
X, y = load_digits(return_X_y=True)
X = X[:600].astype("float32") / 16
rows = Rows(X)
edges = pruned_edges(fuzzy_graph(X))
loss = UMAPLoss(*find_ab())

# %% [markdown]
# Each fit takes the same 400 steps of 300 edges. The dots show the UMAP loss over 2,000 edges at the end. It is highest for the paper's loop. Without
# principal coordinates it is higher than with them. `benchmarks/training_speed` has an ablation on 50,000 images, with the seconds of each fit.

# %%
from pumap import fast_solver  # the finished module, to show its results before its code

ablation = {}
budget = TrainingOptions(n_training_epochs=400 / edge_steps(1, edges, 300), batch_size=300)
for name, stages in {
    "fast solver": fast_solver.Stages(),
    "no principal coordinates": fast_solver.Stages(n_coordinates=0),
    "no cap": fast_solver.Stages(capped_until=0),
    "paper's loop": None,
}.items():
    encoder = build_encoder("mlp", (64,), 2, random_state=0)
    if stages is None:
        fit_encoder(rows, edges, encoder, loss, options=budget, random_state=0)
    else:
        fast_solver.fit_encoder_fast(rows, edges, encoder, loss, options=budget, stages=stages, random_state=0)
    ablation[name] = held_out_loss(encoder, rows, edges, loss)
fig, ax = plt.subplots(figsize=(5, 1.8), layout="constrained")
ax.plot(list(ablation.values()), list(ablation), "o")
ax.set(xlabel="UMAP loss (lower is better)", xlim=(0, None))
ax.invert_yaxis();

# %%
print({name: round(value, 4) for name, value in ablation.items()})
assert ablation["fast solver"] < ablation["no principal coordinates"] < ablation["paper's loop"]


# %% [markdown]
# ## Principal coordinates
#
# The coordinates of a row are $x' = (x - m)\,V$, where $m$ is the mean row. The columns of $V$ are the principal axes, scaled by $\lambda^{-1/4}$,
# where $\lambda$ is the variance along an axis. This is half of a whitening: `whitening=0` keeps the variances, and 1 makes them equal. The axes are
# computed from a sample of the rows.
#
# Two kinds of data would leave all but one axis without a say. Rows that are far from all others are left out of the sample. If one axis has far more
# variance than the tenth, the whitening is increased until their ratio (of standard deviations) is 10.

# %%
#| export
class Coordinates(NamedTuple):
    """Hold a linear map to principal coordinates and back, x' = (x - mean) @ basis.

    Attributes
    ----------
    mean : ndarray, shape (n_features,)
    basis : ndarray, shape (n_features, n_coordinates)
    inverse : ndarray, shape (n_coordinates, n_features)
    """

    mean: np.ndarray
    basis: np.ndarray
    inverse: np.ndarray


def principal_coordinates(rows: Rows, n_coordinates: int = 200, whitening: float = 0.5, random_state=None, n_sample: int = 20_000) -> Coordinates:
    """Find the leading principal axes of the rows, scaled to a mean variance of 1.

    Parameters
    ----------
    rows : Rows
    n_coordinates : int
        Number of axes, at most.
    whitening : float
        0 keeps the variance of the axes, 1 makes them equal. Above 0, more is used if the largest axes are far larger than the others.
    random_state : None, int or Generator
        Seed of the sample.
    n_sample : int
        Rows in the sample, at most; fewer if rows are very wide.

    Returns
    -------
    Coordinates, float32
    """
    rows = rows.flat
    n_features = rows.shape[0]
    n_sample = min(len(rows), n_sample, max(2 * n_coordinates, 20_000_000 // n_features))
    sample = rows[np.sort(random_generator(random_state).choice(len(rows), n_sample, replace=False))]
    mean, centered, unit = _without_outliers(sample)
    variance, axes = _principal_axes(centered, n_coordinates, random_state)
    scale = variance ** (-_enough_whitening(variance, whitening) / 2)
    scale /= np.sqrt(np.mean(variance * scale**2))
    return Coordinates(*(part.astype(np.float32) for part in (mean, axes * (scale / unit), (axes * (unit / scale)).T)))


# %% [markdown]
# The mean and the axes come from rows that are not outliers, and the whitening from the ratio of the axes.

# %%
#| export
def _without_outliers(sample, most=10.0):
    "Mean row, deviations from it divided by their largest value, and this value; without rows that are `most` times as far as the median row."
    for _ in range(5):
        mean = sample.mean(axis=0, dtype=np.float64)
        centered = sample - mean.astype(np.float32)
        unit = float(abs(centered).max())
        centered /= np.float32(unit)
        d2 = np.square(centered).sum(axis=1)
        near = d2 <= most**2 * np.median(d2)
        if near.all() or not np.ptp(sample[near], axis=0).any():  # if the near rows are equal, only the far ones differ
            break
        sample = sample[near]
    return mean, centered, unit


def _principal_axes(centered, n_axes, random_state):
    "Variances and axes (as columns), largest first; approximate above 2,000 features."
    n_rows, n_features = centered.shape
    if n_features <= 2_000:
        centered = centered.astype(np.float64)
        variance, axes = np.linalg.eigh(centered.T @ centered / n_rows)
        variance, axes, least = variance[::-1], axes[:, ::-1], 1e-14
    else:
        seed = int(random_generator(random_state).integers(2**31 - 1))
        _, singular, vectors = randomized_svd(centered, min(n_axes, n_rows - 1), random_state=seed)
        variance, axes, least = singular.astype(np.float64) ** 2 / n_rows, vectors.T, 1e-10
    usable = variance[variance > least * variance[0]]
    kept = min(n_axes, int((usable > 1e-6 * _tenth(usable)).sum()))
    return variance[:kept], axes[:, :kept]


def _tenth(variance):
    "The tenth largest variance, or the last one: a measure that one or two large axes do not change."
    return variance[min(9, len(variance) - 1)]


def _enough_whitening(variance, whitening, most=10.0):
    "The whitening after which the first axis has at most `most` times the standard deviation of the tenth."
    ratio = math.sqrt(variance[0] / _tenth(variance))
    return max(whitening, 1 - math.log(most) / math.log(ratio)) if whitening and ratio > most else whitening


# %%
#| export
def to_coordinates(rows: Rows, coordinates: Coordinates) -> np.ndarray:
    """Compute the principal coordinates of all rows, block by block.

    Returns
    -------
    ndarray, float32, shape (n_rows, n_coordinates)
    """
    rows, out = rows.flat, np.empty((len(rows), coordinates.basis.shape[1]), dtype=np.float32)
    for block in _row_blocks(rows):
        out[block] = (rows[block] - coordinates.mean) @ coordinates.basis
    return out


def _row_blocks(rows, n_values=4_000_000):
    "Slices of rows that are small when made dense: at most 16 MB."
    size = max(1, min(4096, n_values // rows.shape[0]))
    return [slice(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]


# %% [markdown]
# A column of large numbers, such as incomes, has most of the variance. The other columns keep a tenth of its standard deviation.

# %%
uneven = np.random.default_rng(0).normal(size=(300, 2)) * [50_000, 10]
assert_allclose(to_coordinates(Rows(uneven), principal_coordinates(Rows(uneven))).std(axis=0).round(1), [1.4, 0.1])


# %% [markdown]
# If rows are wide and sparse, the axes of a sample may miss features that only a few rows have. These rows would all have nearly the same coordinates,
# so `_n_lost` counts them. `_pull_in` moves outliers nearer for the training: their gradients would drown those of all other rows.

# %%
#| export
def _n_lost(rows, inside, coordinates, least=0.01, most=10.0):
    "Count the rows that keep less than `least` of their squared distance from the mean; outliers may."
    rows, unit = rows.flat, abs(coordinates.inverse).max()
    whole, kept = np.empty(len(rows)), np.empty(len(rows))
    for block in _row_blocks(rows):
        whole[block] = np.square((rows[block] - coordinates.mean) / unit).sum(axis=1)
        kept[block] = np.square(inside[block] @ (coordinates.inverse / unit)).sum(axis=1)
    return int(((kept < least * whole) & (whole <= most**2 * np.median(whole))).sum())


def _pull_in(inside, most=10.0):
    "Move rows that are more than `most` times as far from the origin as the median row to this distance, in place; return their indices."
    length = np.linalg.norm(inside, axis=1)
    limit = most * np.median(length)
    far = np.flatnonzero(length > limit) if limit else []
    inside[far] *= (limit / length[far])[:, None]
    return far


# %%
coordinates = principal_coordinates(rows, random_state=0)
inside = to_coordinates(rows, coordinates)
assert_allclose(inside.mean(axis=0), 0, atol=1e-3)
assert_allclose(inside.var(axis=0).mean(), 1, rtol=1e-3)
assert_allclose(inside @ coordinates.inverse + coordinates.mean, X, atol=1e-3)  # 64 features: nothing is lost
assert not _n_lost(rows, inside, coordinates) and not len(_pull_in(inside))

wrong = X.copy()
wrong[7] = -9999
assert_allclose(principal_coordinates(Rows(wrong), random_state=0).mean, np.delete(X, 7, axis=0).mean(axis=0), atol=1e-5)
far = to_coordinates(Rows(wrong), coordinates)
assert _pull_in(far).tolist() == [7] and abs(far[7]).max() < 100


# %% [markdown]
# The inner encoder takes these coordinates. It has a first layer of its own and shares all other layers with the encoder. `fold` writes the trained
# first layer back into the encoder, exactly.
#
# An encoder that was given as a model starts as the same function. Random weights are for centered values around 1, so a fresh encoder starts as if
# its rows were so: the shift by their mean is left out, and the kernel is scaled until the standard deviation of the first layer's output (before its
# activation) is between 0.2 and 2. Rows with other units or another origin therefore train as well.

# %%
#| export
def first_dense_layer(encoder):
    """Find the plain dense layer that an encoder starts with, after nothing but flattening.

    Parameters
    ----------
    encoder : keras.Model

    Returns
    -------
    tuple or str
        The layer and the layers after it; or a string, the reason why there is no such layer.
    """
    if not isinstance(encoder, keras.Sequential):
        return "the encoder is not a keras.Sequential"
    shaping = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)
    at = next((i for i, layer in enumerate(encoder.layers) if not isinstance(layer, shaping)), None)
    layer = None if at is None else encoder.layers[at]
    if type(layer) is not keras.layers.Dense or len(layer.input.shape) != 2:
        return "the encoder does not begin with a dense layer on flat rows"
    if not (layer.use_bias and layer.trainable) or layer.kernel_regularizer or layer.kernel_constraint:
        return "the encoder's first layer has no bias, is frozen, or has a regularizer or constraint"
    return layer, encoder.layers[at + 1 :]


def encoder_inside(layer, behind: list, coordinates: Coordinates, inside=None):
    """Build the inner encoder, which takes principal coordinates.

    Parameters
    ----------
    layer : keras.layers.Dense
        First dense layer of the encoder.
    behind : list of keras.Layer
        The layers after it, which both encoders share.
    coordinates : Coordinates
    inside : ndarray, shape (n_rows, n_coordinates), or None
        Coordinates of rows, if the layer is random and may be scaled to suit them. `None` keeps the function of the encoder.

    Returns
    -------
    keras.Model
        The inner encoder.
    callable
        `fold()`, which writes its first layer back into `layer`.
    """
    inner = keras.layers.Dense(layer.units, activation=layer.activation, kernel_initializer="zeros", dtype=layer.dtype_policy)  # draws nothing
    model = keras.Sequential([keras.Input((len(coordinates.inverse),)), inner, *behind])
    kernel, bias = (weight.astype(np.float64) for weight in layer.get_weights())
    if inside is None:
        bias = bias + coordinates.mean @ kernel
    kernel = coordinates.inverse @ kernel
    if inside is not None:
        spread = (inside[:1_000] @ kernel).std()
        kernel *= np.clip(spread, 0.2, 2) / spread
    inner.set_weights([kernel, bias])

    def fold():
        kernel, bias = (weight.astype(np.float64) for weight in inner.get_weights())
        kernel = coordinates.basis @ kernel
        layer.set_weights([kernel, bias - coordinates.mean @ kernel])

    return model, fold


# %%
encoder = build_encoder("mlp", (64,), 2, random_state=0)
before = encode(encoder, rows)
inner, fold = encoder_inside(*first_dense_layer(encoder), coordinates)
assert_allclose(encode(inner, Rows(inside)), before, atol=1e-4)  # the same function at the start
inner.layers[0].set_weights([w + 0.1 for w in inner.layers[0].get_weights()])
fold()
assert_allclose(encode(encoder, rows), encode(inner, Rows(inside)), atol=1e-3)  # and after folding
assert "dense layer" in first_dense_layer(build_encoder("conv28", (784,), 2))

# %% [markdown]
# A fresh encoder starts the same for rows in other units and with another origin.

# %%
other = Rows(1_000 * X + 5_000)
there = principal_coordinates(other, random_state=0)
starts = [
    encoder_inside(*first_dense_layer(build_encoder("mlp", (64,), 2, random_state=0)), c, to_coordinates(r, c))[0].layers[0].get_weights()[0].std()
    for r, c in ((rows, coordinates), (other, there))
]
assert 0.1 < starts[0] / starts[1] < 1


# %% [markdown]
# Other encoders take the rows themselves. If their values are far from 1, such as bytes or counts, the rows are divided by their typical size, and the
# kernel of the first layer is divided by it at the end. Both are exact, for dense layers and convolutions.

# %%
#| export
def _typical_size(rows, n_sample=1_000):
    "Root mean square of the values in the median row, or in all rows if that is empty. An outlier does not change it."
    sample = rows.flat[np.linspace(0, len(rows) - 1, min(len(rows), n_sample)).astype(int)].astype(np.float64)
    squares = np.square(sample).mean(axis=1)
    return float(np.sqrt(np.median(squares) or squares.mean()))


def _with_first_layer(encoder, fresh, size):
    "The same network with a first layer for rows divided by `size`, and `fold()`; `None` if the first layer does not allow it."
    layers = [layer for layer in getattr(encoder, "layers", []) if not isinstance(layer, keras.layers.InputLayer)] if isinstance(encoder, keras.Sequential) else []
    at = next((i for i, layer in enumerate(layers) if layer.weights), None)
    layer = None if at is None else layers[at]
    shaping = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.ZeroPadding2D)
    if type(layer) not in (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D) or not all(isinstance(before, shaping) for before in layers[:at]):
        return None
    if not layer.trainable or layer.kernel_regularizer or layer.kernel_constraint:
        return None
    inner = type(layer).from_config(layer.get_config() | {"kernel_initializer": "zeros"})  # draws nothing
    model = keras.Sequential([keras.Input(encoder.input_shape[1:]), *layers[:at], inner, *layers[at + 1 :]])
    kernel, *bias = layer.get_weights()
    inner.set_weights([kernel if fresh else kernel * size, *bias])

    def fold():
        kernel, *bias = inner.get_weights()
        layer.set_weights([kernel / size, *bias])

    return model, fold


@contextlib.contextmanager
def in_unit_scale(rows: Rows, encoder, stages, notes: list):
    """Replace rows far from 1 by rows around 1, and the encoder by one for such rows; fold its first layer back at the end.

    Parameters
    ----------
    rows : Rows
    encoder : keras.Model
    stages : Stages
    notes : list of str
        A note is added if the first layer does not allow it.

    Yields
    ------
    Rows, keras.Model, callable
        The rows and network to train, and a function that brings the encoder up to date.

    Warns
    -----
    UserWarning
        If the values are far from 1 and the first layer does not allow it.
    """
    size = _typical_size(rows)
    if 0.03 <= size <= 3 or not size:
        yield rows, encoder, lambda: None
        return
    scaled = _with_first_layer(encoder, stages.fresh, size)
    if scaled is None:
        notes.append(f"The rows have values around {size:.2g}, which trains badly with this encoder: scale them to values around 1.")
        warnings.warn(notes[-1])
        yield rows, encoder, lambda: None
        return
    model, fold = scaled
    yield Rows(rows.X, rows.shape, 1 / size), model, fold
    fold()


# %%
bytes_ = Rows(np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), dtype="uint8"))
encoder = build_encoder("conv28", (28, 28, 1), 2, random_state=0)
with in_unit_scale(bytes_, encoder, fast_solver.Stages(), []) as (scaled, network, _):
    assert_allclose(_typical_size(scaled), 1, rtol=0.01)
    inner = encode(network, scaled)
assert_allclose(encode(encoder, bytes_), inner, atol=1e-4)  # folded
assert_allclose(_typical_size(Rows(wrong)), _typical_size(rows), rtol=0.01)  # one row of -9999


# %% [markdown]
# For the solver, this part is a context manager. It yields rows, a network and `fold`, and calls `fold` at the end. If principal coordinates cannot
# be used, it yields the rows in unit scale, and adds a note with the reason.

# %%
#| export
@contextlib.contextmanager
def in_principal_coordinates(rows: Rows, encoder, stages, rng, notes: list):
    """Replace rows and encoder by principal coordinates and the inner encoder; fold the first layer back at the end.

    Parameters
    ----------
    rows : Rows
    encoder : keras.Model
    stages : Stages
    rng : numpy.random.Generator
    notes : list of str
        Notes are added about outliers, or if principal coordinates cannot be used.

    Yields
    ------
    Rows, keras.Model, callable
        The rows and network to train, and a function that brings the encoder up to date.
    """
    first = first_dense_layer(encoder) if stages.n_coordinates else ""
    if not isinstance(first, str):
        coordinates = principal_coordinates(rows, stages.n_coordinates, random_state=rng)
        inside = to_coordinates(rows, coordinates)
        n_lost = _n_lost(rows, inside, coordinates)
        if n_lost <= len(inside) / 1_000:
            far = _pull_in(inside)
            if len(far):
                notes.append(f"outliers: {len(far):,}, the first is row {far[0]}; they are over 10 times as far from the mean as the median row, and train nearer to it")
            inner, fold = encoder_inside(*first, coordinates, inside if stages.fresh else None)
            yield Rows(inside), inner, fold
            return fold()
        first = f"{n_lost:,} rows are nearly orthogonal to the {coordinates.basis.shape[1]} principal axes of a sample"
    if stages.n_coordinates:
        notes.append(f"no principal coordinates: {first}")
    with in_unit_scale(rows, encoder, stages, notes) as inside:
        yield inside


# %% [markdown]
# ## Layout warm start
#
# umap-learn embeds the graph without a network, in seconds: this is the *layout*. If encodings are expensive, the network first learns the layout by
# regression. This takes far fewer encodings than the UMAP loss, because every row has a target, and no negatives are needed. The UMAP loss then
# refines the result.

# %%
#| export
def graph_layout(rows: Rows, edges: Edges, n_components: int, loss: UMAPLoss, random_state=None, parallel: bool = False) -> np.ndarray:
    """Compute umap-learn's layout of a graph, started from the leading principal coordinates.

    Parameters
    ----------
    rows : Rows
        Their principal coordinates are the start of the layout.
    edges : Edges
    n_components : int
    loss : UMAPLoss
    random_state : None, int or Generator
    parallel : bool
        Use all cores; the result then differs from run to run.

    Returns
    -------
    ndarray, float32, shape (n_rows, n_components)
    """
    rng, n_rows = random_generator(random_state), len(rows)
    start = rng.normal(scale=1e-2, size=(n_rows, n_components)).astype(np.float32)
    leading = to_coordinates(rows, principal_coordinates(rows, n_components, 0.0, rng))
    _pull_in(leading)  # one outlier would put all others on one point
    start[:, : leading.shape[1]] += 10 * leading / abs(leading).max()
    graph = sparse.coo_matrix((edges.weight, (edges.head, edges.tail)), shape=(n_rows, n_rows))
    seed = np.random.RandomState(rng.integers(2**31 - 1))
    with numba_threads():
        layout, _ = umap_functions().simplicial_set_embedding(
            None, graph, n_components, 1.0, loss.a, loss.b, loss.repulsion_strength, loss.negative_sample_rate, default_n_epochs(n_rows), start,
            seed, "euclidean", {}, densmap=False, densmap_kwds={}, output_dens=False, parallel=parallel,
        )  # fmt: skip
    return np.asarray(layout, dtype=np.float32)


# %% [markdown]
# Convolutions learn several times faster with batch normalization in front of each activation. After training, a normalization is a fixed linear
# map. It is folded into the layer before it, so the user's network keeps its architecture. It helps the regression
# (`benchmarks/training_speed`); training on the UMAP loss alone uses it, too.

# %%
#| export
def _takes_normalization(layer) -> bool:
    "Whether a layer is dense or convolutional, has an activation, and is trainable without regularizers or constraints."
    if type(layer) not in (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D) or layer.activation is keras.activations.linear:
        return False
    bound = layer.kernel_regularizer or layer.bias_regularizer or layer.kernel_constraint or layer.bias_constraint
    return layer.use_bias and layer.trainable and not bound and getattr(layer, "data_format", None) != "channels_first"


def normalized(encoder):
    """Build the same network with batch normalization in front of its activations.

    Parameters
    ----------
    encoder : keras.Model

    Returns
    -------
    tuple or None
        The network and `fold()`, which writes its weights into `encoder`; `None` if no layer can take a normalization.
    """
    layers, pairs = [], []
    for layer in encoder.layers if isinstance(encoder, keras.Sequential) else []:
        if _takes_normalization(layer):
            plain = type(layer).from_config(layer.get_config() | {"activation": None, "kernel_initializer": "zeros"})  # draws nothing
            pairs.append((layer, plain, keras.layers.BatchNormalization(momentum=0.9, dtype=layer.dtype_policy)))
            layers += [*pairs[-1][1:], keras.layers.Activation(layer.activation, dtype=layer.dtype_policy)]
        elif not isinstance(layer, keras.layers.InputLayer):
            layers.append(layer)
    if not pairs:
        return None
    model = keras.Sequential([keras.Input(encoder.input_shape[1:]), *layers])
    for layer, plain, _ in pairs:
        plain.set_weights(layer.get_weights())

    def fold():
        for layer, plain, norm in pairs:
            (kernel, bias), (gamma, beta, mean, variance) = plain.get_weights(), norm.get_weights()
            scale = gamma / np.sqrt(variance + norm.epsilon)
            layer.set_weights([kernel * scale, (bias - mean) * scale + beta])

    return model, fold


@contextlib.contextmanager
def with_normalization(encoder, notes: list):
    """Replace an encoder by the same network with batch normalization; fold it into the encoder at the end.

    Parameters
    ----------
    encoder : keras.Model
    notes : list of str
        A note is added if no layer can take a normalization.

    Yields
    ------
    keras.Model, callable
        The network to train, and a function that brings the encoder up to date.
    """
    inner = normalized(encoder)
    if inner is None:
        notes.append("no normalization: the encoder is not a keras.Sequential with dense or convolutional layers")
        yield encoder, lambda: None
        return
    yield inner
    inner[1]()


# %%
images = Rows(np.random.default_rng(0).random((64, 28, 28, 1), dtype=np.float32))
encoder = build_encoder("conv28", (28, 28, 1), 2, random_state=0)
with with_normalization(encoder, []) as (network, _):
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([w + 0.3 for w in layer.get_weights()])
    inner = encode(network, images)
assert_allclose(encode(encoder, images), inner, atol=1e-4)  # folded

# %% [markdown]
# The loss of the regression is $\sqrt{1 + d^2} - 1$ for a row at distance $d$ from its target. It grows linearly for large distances, so a few rows
# far from their target do not dominate.

# %%
#| export
_ROWS_IN_STEP = 500


def regress(network, rows: Rows, targets, n_steps: int, which=None, random_state=None, verbose: bool = False) -> dict:
    """Train a network to put each row at its target.

    Parameters
    ----------
    network : keras.Model
        Trained in place.
    rows : Rows
    targets : ndarray, shape (n_rows, n_components)
    n_steps : int
        Steps of up to 500 rows.
    which : ndarray of int or None
        Rows that have a target; `None` = all.
    random_state : None, int or Generator
    verbose : bool
        Show a progress bar.

    Returns
    -------
    dict
        History: "step", "seconds", "loss", "distance".
    """
    which = np.arange(len(targets)) if which is None else which
    batches = (which[chosen] for chosen in row_batches(len(which), _ROWS_IN_STEP, random_generator(random_state)))
    return minimize(
        lambda x, target: (ops.mean(ops.sqrt(1 + squared_distance(network(x, training=True), target))) - 1,),
        [network],
        linear_decay_adam(2e-3, n_steps),
        ((rows[batch], targets[batch]) for batch in batches),
        History(n_steps, ("distance",), verbose=verbose, title="layout"),
    )


def _placed(edges):
    "Indices of the rows that have an edge, and therefore a target in the layout."
    return np.unique(np.concatenate([edges.head, edges.tail]))


# %%
layout = graph_layout(rows, edges, 2, loss, random_state=0)
assert trustworthiness(X, layout) > 0.95
assert_array_equal(layout, graph_layout(rows, edges, 2, loss, random_state=0))
follower = build_encoder("mlp", (64,), 2, random_state=0)
assert regress(follower, rows, layout, 1000, random_state=0)["loss"][-1] < 0.3
assert trustworthiness(X, encode(follower, rows)) > 0.94

# %% [markdown]
# ## Capped repulsion
#
# Pairs that nearly coincide have huge gradients, which make training unstable while the learning rate is high. Above the cap, the repulsion is
# constant and has no gradient. If more than half of all pairs are above the cap, nothing is capped: this happens at the start or after a collapse,
# and only the full repulsion drives the points apart. There is no cap in the last tenth of the run.

# %%
#| export
_CAP = -math.log(0.02)


def capped(repulsion, cap):
    """Clip repulsions at `cap`, unless more than half of them lie above it."""
    above = ops.mean(ops.cast(repulsion > cap, repulsion.dtype))
    return ops.where(above > 0.5, repulsion, ops.minimum(repulsion, cap))


# %%
assert_array_equal(capped(np.array([1.0, 2.0, 3.0, 9.0], "float32"), 4.0), [1, 2, 3, 4])
assert_array_equal(capped(np.array([5.0, 6.0, 7.0, 1.0], "float32"), 4.0), [5, 6, 7, 1])


# %% [markdown]
# ## A block of steps
#
# A step embeds heads and tails in one call, computes attraction and rolled repulsion, and adds them with the weights of the loss. A decoder
# reconstructs the heads; its loss is added to the *mean* of the UMAP terms. So are the losses of landmarks and global distances.

# %%
#| export
def fast_steps(
    encoder, optimizer, loss: UMAPLoss, decoding: Decoding | None = None, jit_compile: bool | None = None, side: SideTerms = SideTerms(), stored: tuple = ()
):
    """Compile a block of training steps.

    Parameters
    ----------
    encoder : keras.Model
    optimizer : keras.optimizers.Optimizer
    loss : UMAPLoss
    decoding : Decoding or None
        A decoder that is trained jointly.
    jit_compile : bool or None
        See `backend.training_step`.
    side : SideTerms
        Landmarks and global distances.
    stored : tuple of ndarray
        From `stored_on_device`. If it is not empty, the function takes indices (n_steps, 2 * n_edges) in place of rows and targets.

    Returns
    -------
    callable
        Function of the rows (n_steps, 2 * n_edges, ...), heads on top of tails; the decoder's targets, which are the heads
        (n_steps, n_edges, ...); the shifts (n_steps, n_shifts); the cap (n_steps,); and the arrays of `side`. It returns the mean attraction,
        repulsion, terms of `side`, and reconstruction loss.
    """

    def terms(x, heads, shifts, cap, *arrays):
        z = encoder(x, training=True)
        attraction, repulsion = rolled_cross_entropy(z, shifts, loss)
        means = ops.mean(attraction), ops.mean(repulsion)
        total = means[0] + loss.negative_sample_rate * ops.mean(capped(repulsion, loss.repulsion_strength * cap))
        (added, parts), decoded = side.terms(z, arrays), ops.zeros((), "float32")
        if parts or decoding:
            total = total / (1 + loss.negative_sample_rate)
        if parts:
            total = total + added
        if decoding:
            decoded = reconstruction_loss(heads, decoding.model(z[: heads.shape[0]], training=True), decoding.loss)
            total = total + decoding.weight * decoded
        return total, (*means, *parts, decoded)

    def gathered(rows, targets, which, *arrays):
        return terms(ops.take(rows, which, axis=0), ops.take(targets, which[: which.shape[0] // 2], axis=0), *arrays)

    models = [encoder, *([decoding.model] if decoding else [])]
    return training_step(gathered if stored else terms, models, optimizer, 3 + len(side.names), jit_compile, stored)


# %% [markdown]
# On a GPU, all rows are stored in its memory if they fit, and a step gathers its batch there. Otherwise each batch would travel to the GPU.

# %%
#| export
_MOST_STORED = 2**31  # bytes


def stored_on_device(rows: Rows, targets: Rows | None, resident: bool | None = None) -> tuple:
    """Return the arrays that a step can gather its batch from.

    Parameters
    ----------
    rows : Rows
        What the network takes.
    targets : Rows or None
        What the decoder reconstructs; `None` = no decoder.
    resident : bool or None
        Whether to store them. `None` = on a GPU, up to 2 GiB.

    Returns
    -------
    tuple
        All rows and targets, float32; empty if batches are to be sent instead.
    """
    n_bytes = 4 * sum(len(part) * math.prod(part.shape) for part in (rows, targets) if part is not None)
    if not (resident if resident is not None else len(devices()) > 1 and n_bytes <= _MOST_STORED):
        return ()
    return rows[:], np.empty((len(rows), 0), np.float32) if targets is None else targets[:]


def _batch(which, rows, targets, stored) -> tuple:
    "What a block of steps gets of its batches: indices into the stored rows, or rows and the decoder's targets."
    if stored:
        return (which.astype(np.int32),)
    x = rows[which]
    return x, x[:, :0] if targets is None else targets[which[:, : which.shape[1] // 2]]


# %%
assert stored_on_device(rows, None, False) == () and [part.shape for part in stored_on_device(rows, None, True)] == [(600, 64), (600, 0)]


# %% [markdown]
# ## Stages and effort
#
# `Stages` lists the parts that can be switched off or changed. `ParametricUMAP` takes changes to it as `solver_options`.

# %%
#| export
class Stages(NamedTuple):
    """Hold the parts of the fast solver that can be switched off or changed.

    Attributes
    ----------
    n_coordinates : int
        Principal coordinates for the first layer; 0 trains it on the rows themselves.
    fresh : bool
        The encoder's weights are random: its first layer is scaled to suit the rows.
    layout_passes : float or None
        Epochs over the rows, at most, in which to learn umap-learn's layout. `None` = 30 where encodings are expensive, else 0.
    normalize : bool
        With a layout, or where encodings are expensive, train with batch normalization, folded away afterwards.
    parallel : bool
        Let the layout use all cores; the result then differs from run to run.
    capped_until : float
        Share of the run in which the repulsion is capped; 0 = never.
    resident : bool or None
        Store all rows on the device. `None` = on a GPU, up to 2 GiB.
    """

    n_coordinates: int = 200
    fresh: bool = True
    layout_passes: float | None = None
    normalize: bool = True
    parallel: bool = False
    capped_until: float = 0.9
    resident: bool | None = None


def make_stages(changes: dict | None) -> Stages:
    """Make the stages of a fit from changes to the defaults.

    Parameters
    ----------
    changes : dict or None
        By the names of `Stages`.

    Raises
    ------
    ValueError
        For an unknown name, or a value out of range.
    """
    wrong = [name for name in changes or {} if name not in Stages._fields]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not a stage of the fast solver; there are: {', '.join(Stages._fields)}.")
    stages = Stages(**(changes or {}))
    for name, (kind, most) in {"n_coordinates": (numbers.Integral, math.inf), "layout_passes": (numbers.Real, math.inf), "capped_until": (numbers.Real, 1)}.items():
        value, optional = getattr(stages, name), Stages._field_defaults[name] is None
        if not (optional and value is None or isinstance(value, kind) and 0 <= value <= most):
            what = ("None, or " if optional else "") + ("an integer" if kind is numbers.Integral else "a number")
            raise ValueError(f"{name} is {value!r}; as a stage of the fast solver it must be {what} {'of at least 0' if most > 1 else 'from 0 to 1'}.")
    return stages


# %%
assert make_stages({"parallel": True}).parallel and make_stages(None) == Stages()
for wrong, words in (({"speed": 2}, "'speed' is not a stage"), ({"n_coordinates": -1}, "an integer of at least 0"), ({"capped_until": 2}, "from 0 to 1")):
    try:
        make_stages(wrong)
    except ValueError as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")

# %% [markdown]
# The effort of a fit is counted in encodings: two for an edge, one for a row of the regression. A batch has a sixth as many edges as there are rows, but
# at least 200 and at most 1,000 (500 if encodings are expensive): few rows need many small steps
# (`benchmarks/small_data` has the comparison that this rule was chosen by). The default is 1.5 epochs
# (0.25 if encodings are expensive), and at least 3,000 steps. With a layout, the regression takes up to 80% of the effort, or up to 50% if a decoder is trained jointly.

# %%
#| export
_MOST_PASSES = 30  # epochs over the rows to learn the layout; more would overfit it


def shared_effort(n_steps: int, batch_size: int, n_rows: int, layout_passes: float, most: float = 0.8) -> tuple[int, int]:
    """Divide the effort between the layout and the UMAP loss.

    Parameters
    ----------
    n_steps : int
        Steps of `batch_size` edges in all.
    batch_size : int
    n_rows : int
        Rows that have a target in the layout.
    layout_passes : float
        Epochs over these rows, at most.
    most : float
        Share of the effort that may go into the layout.

    Returns
    -------
    layout_steps, umap_steps : int
    """
    encodings = min(layout_passes * n_rows, most * n_steps * 2 * batch_size)
    return round(encodings / min(_ROWS_IN_STEP, n_rows)), max(1, round(n_steps - encodings / (2 * batch_size)))


def _steps_in_blocks(n_steps, batch_size, row_bytes):
    "Steps in one call (about a hundredth of all, and at most 16 MB of rows), and the number of calls."
    block = max(1, min(50, n_steps // 100, 2**24 // (2 * batch_size * row_bytes)))
    return block, max(1, round(n_steps / block))


# %% [markdown]
# A thousand steps of 500 edges are a million encodings. The layout takes 800,000 of them: 1,600 steps of 500 rows.

# %%
assert shared_effort(1000, 500, 50_000, 30) == (1600, 200)
assert shared_effort(1000, 500, 1000, 30) == (60, 970)  # at most 30 epochs over 1,000 rows
assert shared_effort(1000, 500, 50_000, 0) == (0, 1000)
assert _steps_in_blocks(3000, 500, row_bytes=4 * 50) == (30, 100)
assert _steps_in_blocks(50, 500, row_bytes=4 * 50) == (1, 50)


# %% [markdown]
# `_make_plan` sets the options that are `None`.

# %%
#| export
class _Plan(NamedTuple):
    batch_size: int
    learning_rate: float
    layout_steps: int
    umap_steps: int


def _make_plan(encoder, edges, n_rows, options, stages, with_decoder) -> _Plan:
    cheap = is_dense(encoder)
    batch_size = options.batch_size or min(n_rows, int(np.clip(n_rows / 6, 200, 1000 if cheap else 500)))
    if options.n_training_epochs is None:
        n_steps = max(LEAST_STEPS, edge_steps(1.5 if cheap else 0.25, edges, batch_size))
    else:
        n_steps = edge_steps(options.n_training_epochs, edges, batch_size)
    passes = stages.layout_passes if stages.layout_passes is not None else 0 if cheap else _MOST_PASSES
    layout_steps, umap_steps = shared_effort(n_steps, batch_size, len(_placed(edges)), passes, 0.5 if with_decoder else 0.8)
    learning_rate = options.learning_rate or (5e-3 if cheap else 5e-4 if layout_steps or stages.normalize else 2e-3)
    return _Plan(batch_size, learning_rate, layout_steps, umap_steps)


# %%
plan = _make_plan(build_encoder("mlp", (64,), 2), edges, 600, TrainingOptions(), Stages(), with_decoder=False)
assert plan == (200, 5e-3, 0, 3000)  # dense layers: no layout
plan = _make_plan(build_encoder("conv28", (784,), 2), edges, 600, TrainingOptions(batch_size=100), Stages(), with_decoder=False)
assert plan.layout_steps == 36 and plan.umap_steps == 2910 and plan.learning_rate == 5e-4
plan = _make_plan(build_encoder("conv28", (784,), 2), edges, 600, TrainingOptions(), Stages(layout_passes=0), with_decoder=False)
assert plan == (200, 5e-4, 0, 3000)

# %% [markdown]
# ## The loop
#
# The loop enters principal coordinates first. Then come normalization (with a layout, or where encodings are expensive) and the regression onto the
# layout, if there is one. The blocks of steps run to the end of the plan,
# or until the held-out loss no longer falls. When the `with` block ends, all trained weights are folded back into the encoder.

# %%
#| export
_XLA_STEPS = 500  # compiling by XLA takes longer than it saves in shorter runs


def fit_encoder_fast(
    rows: Rows,
    edges: Edges,
    encoder,
    loss: UMAPLoss,
    decoding: Decoding | None = None,
    options: TrainingOptions = TrainingOptions(),
    stages: Stages = Stages(),
    random_state=None,
) -> dict:
    """Train an encoder on the UMAP loss, fast.

    Parameters
    ----------
    rows : Rows
    edges : Edges
        From `graph.pruned_edges`.
    encoder : keras.Model
        Trained in place.
    loss : UMAPLoss
    decoding : Decoding or None
        A decoder that is trained jointly, in place.
    options : TrainingOptions
        Defaults for dense layers: 1.5 epochs, a learning rate of 5e-3. Defaults for other networks: 0.25 epochs, and 5e-4, or
        2e-3 with neither a layout nor normalization. Both take at least 3,000 steps. A batch has a sixth as many edges as there are rows, between 200 and 1,000 (500 for
        networks with other layers than dense ones). Edges are drawn by their strength.
    stages : Stages
    random_state : None, int or Generator

    Returns
    -------
    dict
        History: "step", "seconds", "loss", "attraction", "repulsion", as they apply "landmark", "correlation", "reconstruction" and "held_out",
        and "notes".
    """
    rng_edges, rng_negatives, rng_start, rng_held = random_generator(random_state).spawn(4)
    rule, notes, targets, n_shifts = options.early_stopping, [], rows, 2 * loss.negative_sample_rate
    if rule:
        edges, held = hold_out(edges, len(rows), rule.validation_fraction, rng_held)
    plan = _make_plan(encoder, edges, len(rows), options, stages, decoding is not None)
    models, side = [decoding.model] if decoding else [], SideTerms(options, rows)
    with contextlib.ExitStack() as parts:
        rows, network, fold = parts.enter_context(in_principal_coordinates(rows, encoder, stages, rng_start, notes))
        folds = [fold]
        wanted = targets if decoding else None
        stored = stored_on_device(rows, wanted, stages.resident)
        width = 1 if stored else math.prod(rows.shape) + (math.prod(targets.shape) // 2 if decoding or side.weight else 0)
        block, n_blocks = _steps_in_blocks(plan.umap_steps, plan.batch_size, 4 * width)
        if stages.normalize and (plan.layout_steps or not is_dense(encoder)):
            network, fold = parts.enter_context(with_normalization(network, notes))
            folds.insert(0, fold)
        if plan.layout_steps:
            layout = graph_layout(rows, edges, encoder.output_shape[-1], loss, rng_start, stages.parallel)
            regress(network, rows, layout, plan.layout_steps, _placed(edges), rng_start, options.verbose)
            notes.append(f"{plan.layout_steps} steps of regression onto a layout came first")
        n_steps = block * n_blocks
        use_xla = n_steps >= _XLA_STEPS and all(is_dense(model) for model in [network, *models])
        optimizer = fresh_optimizer(options.optimizer) or linear_decay_adam(plan.learning_rate, n_steps)
        steps = fast_steps(network, optimizer, loss, decoding, True if use_xla else None, side, stored)
        history, update = UMAPHistory(n_steps, loss, decoding is not None, options.verbose, side.names), lambda: [fold() for fold in folds]
        history.watch(options.callbacks, encoder, optimizer, update)
        stopping = EarlyStopping(lambda: held_out_loss(network, rows, held, loss), [network, *models], rule.n_iter_no_change) if rule else None
        batches = edge_batches(edges, plan.batch_size, rng_edges, options.edge_sampling or "weighted")
        for i in range(1, n_blocks + 1):
            which = np.stack([np.concatenate(next(batches)) for _ in range(block)])
            shifts = rng_negatives.integers(1, which.shape[1], (block, n_shifts), dtype=np.int32)
            cap = np.full(block, _CAP if i <= stages.capped_until * n_blocks else np.inf, np.float32)
            history.add(i * block, steps(*_batch(which, rows, wanted, stored), shifts, cap, *side.arrays(which)), block)
            if options.callback:
                options.callback(i * block, update)
            if history.is_over or stopping and i % max(1, n_blocks // 100) == 0 and stopping.is_over():
                break
        if stopping:
            stopping.restore()
    values = history.close()  # callbacks end after the last fold, so that they may change the encoder
    if stopping:
        values["held_out"] = stopping.losses
    notes += history.notes
    if values["step"][-1] < n_steps:
        notes.append(f"stopped early, after {values['step'][-1]} of {n_steps} steps")
    return values | {"notes": notes}


# %% [markdown]
# With the same number of edges, the fast solver reaches a lower loss than the paper's loop. The curves show the training loss of both.

# %%
def fit_digits_fast(options=TrainingOptions(n_training_epochs=2, batch_size=300), random_state=0, **settings):
    encoder = build_encoder("mlp", (64,), 2, random_state=random_state)
    return encoder, fit_encoder_fast(rows, edges, encoder, loss, options=options, random_state=random_state, **settings)


slow = build_encoder("mlp", (64,), 2, random_state=0)
slow_history = fit_encoder(rows, edges, slow, loss, options=TrainingOptions(n_training_epochs=2, batch_size=300), random_state=0)
fast, history = fit_digits_fast()
fig, ax = plt.subplots(figsize=(4, 2.6), layout="constrained")
for name, values in (("paper's loop", slow_history), ("fast solver", history)):
    ax.plot(values["step"], values["loss"], label=name)
ax.set(xlabel="step", ylabel="loss", yscale="log")
ax.legend(frameon=False);

# %%
assert trustworthiness(X, encode(fast, rows)) > 0.95
assert held_out_loss(fast, rows, edges, loss) < held_out_loss(slow, rows, edges, loss)

# %% [markdown]
# The same seed gives the same embedding, bit for bit.

# %%
again, _ = fit_digits_fast()
assert_array_equal(encode(again, rows), encode(fast, rows))

# %% [markdown]
# So do rows that are stored on the device.

# %%
on_device, _ = fit_digits_fast(stages=Stages(resident=True))
assert_allclose(encode(on_device, rows), encode(fast, rows), atol=1e-3)

# %% [markdown]
# The notes of the history record a layout and early stopping.

# %%
brief = TrainingOptions(0.1, 300)
_, history = fit_digits_fast(brief, stages=Stages(layout_passes=5))
assert history["notes"] == ["6 steps of regression onto a layout came first"]
assert fit_digits_fast(brief, stages=Stages(n_coordinates=0))[1]["notes"] == []
_, history = fit_digits_fast(TrainingOptions(20, 300, early_stopping=StoppingRule(0.1, 2)))
assert "stopped early" in history["notes"][-1] and len(history["held_out"]) > 2

# %% [markdown]
# A decoder that is trained jointly reconstructs the rows, not their principal coordinates.

# %%
encoder, decoder = build_encoder("mlp", (64,), 2, random_state=0), build_decoder("mlp", (64,), 2, random_state=0)
history = fit_encoder_fast(rows, edges, encoder, loss, Decoding(decoder), TrainingOptions(2, 300), random_state=0)
reconstructed = encode(decoder, Rows(encode(encoder, rows)))
assert ((reconstructed - X) ** 2).mean() < ((X.mean(axis=0) - X) ** 2).mean()
assert history["reconstruction"][-1] < history["reconstruction"][0]
