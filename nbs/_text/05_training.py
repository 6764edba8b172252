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
# # Training
#
# > Rows, loss history, early stopping, and the paper's training loop.

# %%
#| default_exp training

# %%
#| hide
import keras
import matplotlib.pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness

from pumap.graph import find_ab, fuzzy_graph, pruned_edges
from pumap.networks import build_decoder, build_encoder

# %%
#| export
import math
import time
import warnings
from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from scipy import sparse
from scipy.special import expit
from tqdm.auto import tqdm

from pumap.backend import jacobian, training_step, without_gradients
from pumap.core import random_generator, refuse_after_fork
from pumap.graph import Edges, edge_batches, paper_steps, weighted_batches
from pumap.losses import UMAPLoss, distance_correlation, landmark_loss, reconstruction_loss, rolled_cross_entropy, umap_cross_entropy

# %% [markdown]
# Parametric UMAP replaces UMAP's free coordinates by a network and keeps the loss. A training step takes a batch of edges, embeds both ends,
# computes the cross entropy, and takes a gradient step. This notebook defines the parts that all training loops share, and ends with the paper's
# loop. `06_fast_solver` builds the default solver from the same parts.
#
# The running example: 600 digits and their graph.

# %%
X, y = load_digits(return_X_y=True)
X = X[:600].astype("float32") / 16
edges = pruned_edges(fuzzy_graph(X))
loss = UMAPLoss(*find_ab())


# %% [markdown]
# ## Rows
#
# Data may be dense or sparse, of any dtype, images or tables. A network takes dense float32 rows of a fixed shape. Indexing `Rows` converts the
# rows of one batch, never the whole data set.

# %%
#| export
class Rows:
    """Present data as the float32 rows that a network takes.

    Parameters
    ----------
    X : ndarray or CSR matrix, shape (n_rows, ...)
        Data of any dtype; a memory-mapped array works as well.
    shape : tuple of int or None
        Shape of one row, as the network takes it. `None` = as in `X`.
    scale : float, default=1.0
        Factor on all values.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.training import Rows
    >>> rows = Rows(np.zeros((10, 64), "uint8"), (8, 8, 1))
    >>> len(rows), rows[[0, 3]].shape, rows[[0, 3]].dtype.name
    (10, (2, 8, 8, 1), 'float32')
    """

    def __init__(self, X, shape: tuple | None = None, scale: float = 1.0):
        self.X, self.scale = X, np.float32(scale)
        self.shape = tuple(X.shape[1:] if shape is None else shape)

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, which):
        """Take some rows: `which` is a slice or an array of indices of any shape, which the result keeps."""
        leading = () if isinstance(which, slice) else np.shape(which)
        rows = self.X[which if isinstance(which, slice) else np.ravel(which)]
        rows = rows.toarray() if sparse.issparse(rows) else rows
        rows = np.asarray(rows, dtype=np.float32).reshape(*(leading or (-1,)), *self.shape)
        return rows if self.scale == 1 else rows * self.scale

    @property
    def flat(self):
        """The same rows as vectors."""
        return Rows(self.X, (math.prod(self.shape),), self.scale)


# %%
rows = Rows(X)
assert Rows(X, (8, 8, 1))[[3, 5, 8]].shape == (3, 8, 8, 1)
assert_array_equal(Rows(sparse.csr_matrix(X))[:10], X[:10])
assert_array_equal(rows[[[0, 1], [2, 3]]][1], X[2:4])  # indices of two batches give two batches

# %% [markdown]
# ## Embedding rows
#
# The forward pass runs batch by batch, so that a million rows need the memory of one batch. Calling a Keras model takes milliseconds even for one
# row. A chain of dense layers is only a few matrix products, so NumPy computes them directly. The weights are read at each call, so they are
# always the current ones.

# %%
#| export
_ACTIVATIONS = {
    keras.activations.linear: lambda x: x,
    keras.activations.relu: lambda x: np.maximum(x, 0),
    keras.activations.tanh: np.tanh,
    keras.activations.sigmoid: expit,
}


def _dense_forward(model):
    "Make the forward pass of a chain of dense layers in NumPy; None for any other model."
    steps = []
    for layer in model.layers if isinstance(model, keras.Sequential) else [None]:
        if type(layer) in (keras.layers.Flatten, keras.layers.Reshape):
            shape = layer.output.shape[1:]
            steps.append(lambda x, shape=shape: x.reshape(len(x), *shape))
        elif type(layer) is keras.layers.Dense and layer.use_bias and layer.activation in _ACTIVATIONS:
            kernel, bias = layer.get_weights()
            activation = _ACTIVATIONS[layer.activation]
            steps.append(lambda x, kernel=kernel, bias=bias, activation=activation: activation(x @ kernel + bias))
        elif type(layer) is not keras.layers.InputLayer:
            return None

    def forward(x):
        if len(x) <= 256:  # float32 may round a row differently at another place in the batch; float64 avoids it, and is cheap for few rows
            x = x.astype(np.float64)
        for step in steps:
            x = step(x)
        return x.astype(np.float32)

    return forward


def _keras_forward(model):
    "Make the forward pass of any model, in Keras."
    refuse_after_fork()
    return without_gradients(lambda x: ops.convert_to_numpy(ops.cast(model(x, training=False), "float32")))


# %%
#| export
def encode(model, rows: Rows, batch_size: int = 1024) -> np.ndarray:
    """Compute the output of a network for all rows, batch by batch.

    Parameters
    ----------
    model : keras.Model
        Encoder or decoder.
    rows : Rows
    batch_size : int
        Rows in one forward pass; fewer if they are very wide.

    Returns
    -------
    ndarray, float32, shape (n_rows, ...)
    """
    batch_size = max(1, min(batch_size, 16_000_000 // math.prod(rows.shape)))
    forward = _dense_forward(model) or _keras_forward(model)
    out = np.empty((len(rows), *model.output_shape[1:]), dtype=np.float32)
    for start in range(0, len(rows), batch_size):
        batch = slice(start, min(start + batch_size, len(rows)))
        out[batch] = forward(rows[batch])
    return out


# %% [markdown]
# NumPy and Keras agree, and the place of a row in the batch does not matter. Networks with a convolution, or with another activation, use Keras.

# %%
encoder = build_encoder("mlp", (8, 8), 2, random_state=0)
images = X[:10].reshape(-1, 8, 8)
assert_allclose(_dense_forward(encoder)(images), ops.convert_to_numpy(encoder(images)), atol=1e-5)
assert_array_equal(_dense_forward(encoder)(images[::-1]), _dense_forward(encoder)(images)[::-1])
assert _dense_forward(build_encoder("conv28", (784,), 2)) is None
assert _dense_forward(keras.Sequential([keras.Input((64,)), keras.layers.Dense(2, activation=keras.layers.LeakyReLU())])) is None
assert_allclose(encode(encoder, Rows(X, (8, 8)), batch_size=100), encode(encoder, Rows(X, (8, 8))), atol=1e-6)


# %% [markdown]
# The derivative of the embedding by the features is computed batch by batch, too. The features of a row are flattened.

# %%
#| export
def encode_jacobian(model, rows: Rows, batch_size: int = 256) -> np.ndarray:
    """Differentiate the output of a network by its input for all rows, batch by batch.

    Parameters
    ----------
    model : keras.Model
        From rows to vectors.
    rows : Rows
    batch_size : int
        Rows in one pass; fewer if they are very wide.

    Returns
    -------
    ndarray, float32, shape (n_rows, n_outputs, n_features)
    """
    n_outputs, n_features = model.output_shape[-1], math.prod(rows.shape)
    batch_size = max(1, min(batch_size, 16_000_000 // (n_outputs * n_features)))
    out = np.empty((len(rows), n_outputs, n_features), dtype=np.float32)
    for start in range(0, len(rows), batch_size):
        batch = slice(start, min(start + batch_size, len(rows)))
        out[batch] = jacobian(model, rows[batch]).reshape(-1, n_outputs, n_features)
    return out


# %% [markdown]
# The derivative predicts how a small change of the rows moves their points. A ReLU network is linear in pieces, so the prediction is exact, up to
# rounding, but for rows that step into another piece.

# %%
slope = encode_jacobian(encoder, Rows(X, (8, 8)), batch_size=250)
assert slope.shape == (600, 2, 64)
step = np.float32(1e-3) * np.random.default_rng(0).normal(size=X.shape).astype("float32")
moved = encode(encoder, Rows(X + step, (8, 8))) - encode(encoder, Rows(X, (8, 8)))
assert np.isclose(np.einsum("nkf,nf->nk", slope, step), moved, atol=2e-5).mean() > 0.8


# %% [markdown]
# ## Batches
#
# Losses on single rows, such as that of an autoencoder, take all rows in a new random order in each epoch. The rows left at the end of an epoch
# start the first batch of the next. All batches then have one size, and the step is compiled once.

# %%
#| export
def row_batches(n_rows: int, batch_size: int, rng: np.random.Generator):
    """Draw batches of row indices without end.

    Parameters
    ----------
    n_rows : int
    batch_size : int
        Rows in a batch; all of them if there are fewer.
    rng : numpy.random.Generator

    Yields
    ------
    ndarray of int, shape (min(batch_size, n_rows),)
    """
    size, order = min(batch_size, n_rows), np.empty(0, dtype=np.int64)
    while True:
        if len(order) < size:
            order = np.concatenate([order, rng.permutation(n_rows)])
        yield order[:size]
        order = order[size:]


# %%
batches = row_batches(50, 20, np.random.default_rng(0))
assert_array_equal(np.bincount(np.concatenate([next(batches) for _ in range(5)])), np.full(50, 2))  # two epochs


# %% [markdown]
# The UMAP loss needs edges and *negatives*, pairs without an edge. The paper takes them from the batch itself: every tail appears
# `negative_sample_rate` times, in random order. Sometimes a head is paired with its own tail or another neighbor; in a large batch this is rare.

# %%
#| export
def in_batch_negatives(batch_size: int, negative_sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Draw which tail each head repels: all tails equally often, shuffled.

    Parameters
    ----------
    batch_size : int
        Edges in the batch.
    negative_sample_rate : int
        Tails that each head repels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, int32, shape (batch_size * negative_sample_rate,)
        Positions in the batch.
    """
    return rng.permutation(np.repeat(np.arange(batch_size, dtype=np.int32), negative_sample_rate))


# %%
negatives = in_batch_negatives(100, 5, np.random.default_rng(0))
assert_array_equal(np.bincount(negatives), np.full(100, 5))


# %% [markdown]
# ## Options
#
# `TrainingOptions` holds the options of a training run. `None` stands for the solver's own default.

# %%
#| export
class StoppingRule(NamedTuple):
    """Hold the settings of early stopping.

    Attributes
    ----------
    validation_fraction : float
        Share of the rows that is held out.
    n_iter_no_change : int
        Hundredths of the run without a lower held-out loss after which training stops.
    """

    validation_fraction: float = 0.1
    n_iter_no_change: int = 10


# %% [markdown]
# Landmarks are rows whose position is given. `TrainingOptions` collects all that changes a run.

# %%
#| export
class Landmarks(NamedTuple):
    """Hold the positions that some rows should have in the embedding.

    Attributes
    ----------
    positions : ndarray, float32, shape (n_rows, n_components)
        NaN for rows that are not landmarks.
    weight : float
        Weight of the landmark loss relative to the mean UMAP loss.
    loss : str or callable
        See `losses.landmark_loss`.
    """

    positions: np.ndarray
    weight: float = 1.0
    loss: object = "euclidean"


class TrainingOptions(NamedTuple):
    """Hold the options of a training run.

    Attributes
    ----------
    n_training_epochs : float or None
        Epochs; may be a fraction.
    batch_size : int or None
        Edges (or rows) in a batch.
    learning_rate : float or None
    edge_sampling : {"paper", "weighted"} or None
        See `graph.edge_batches`.
    early_stopping : StoppingRule or None
        `None` trains to the end.
    callback : callable or None
        Called as `callback(step, update)` after each step (or block of steps). `update()` brings the weights of the encoder up to date.
    verbose : bool
        Show a progress bar.
    landmarks : Landmarks or None
    correlation_weight : float
        Weight of the correlation of distances, see `losses.distance_correlation`, relative to the mean UMAP loss.
    optimizer : str, keras.optimizers.Optimizer or None
        See `fresh_optimizer`. `None` = the solver's own.
    callbacks : tuple of keras.callbacks.Callback
        See `History.watch`.
    """

    n_training_epochs: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    edge_sampling: str | None = None
    early_stopping: StoppingRule | None = None
    callback: object = None
    verbose: bool = False
    landmarks: Landmarks | None = None
    correlation_weight: float = 0.0
    optimizer: object = None
    callbacks: tuple = ()

    def or_else(self, **defaults):
        """Fill in defaults for the options that are `None`."""
        return self._replace(**{name: value for name, value in defaults.items() if getattr(self, name) is None})


# %% [markdown]
# A decoder is trained together with the encoder, jointly or behind a stop-gradient.

# %%
#| export
class Decoding(NamedTuple):
    """Hold a decoder that is trained together with the encoder.

    Attributes
    ----------
    model : keras.Model
    loss : str or callable
        See `losses.reconstruction_loss`.
    weight : float
        Weight of the reconstruction loss relative to the UMAP loss.
    joint : bool
        Let the reconstruction loss change the encoder; `False` puts the decoder behind a stop-gradient.
    """

    model: object
    loss: object = "binary_crossentropy"
    weight: float = 1.0
    joint: bool = True


# %%
assert TrainingOptions(batch_size=50).or_else(batch_size=1000, learning_rate=0.1)[1:3] == (50, 0.1)


# %% [markdown]
# An epoch of the UMAP loss is one pass over the edges, each repeated as often as the paper visits it (`graph.paper_repeats`). The paper trains for
# 5 epochs (100 for moons).

# %%
#| export
def steps_of_epochs(n_training_epochs: float, steps_per_epoch: float) -> int:
    """Count the steps in a number of epochs, at least one.

    Parameters
    ----------
    n_training_epochs : float
    steps_per_epoch : float

    Raises
    ------
    ValueError
        Unless `n_training_epochs` is positive and finite.
    """
    if not 0 < n_training_epochs < np.inf:
        raise ValueError(f"n_training_epochs is {n_training_epochs}; it must be positive (a fraction of an epoch is allowed).")
    return max(1, round(n_training_epochs * steps_per_epoch))


def edge_steps(n_training_epochs: float, edges: Edges, batch_size: int) -> int:
    """Count the steps in a number of epochs over the repeated edges.

    Parameters
    ----------
    n_training_epochs : float
    edges : Edges
    batch_size : int
        Edges in a batch.
    """
    return steps_of_epochs(n_training_epochs, paper_steps(edges, batch_size))


def row_steps(n_training_epochs: float, n_rows: int, batch_size: int) -> int:
    """Count the steps in a number of epochs over the rows.

    Parameters
    ----------
    n_training_epochs : float
    n_rows : int
    batch_size : int
        Rows in a batch; all of them if there are fewer.
    """
    return steps_of_epochs(n_training_epochs, n_rows / min(batch_size, n_rows))


# %%
assert steps_of_epochs(0.5, 7) == 4 and steps_of_epochs(1e-6, 7) == 1
assert row_steps(2, 10, 4) == 5 and row_steps(1e-6, 10, 4) == 1
for wrong in (0, -1, np.inf, np.nan):
    try:
        steps_of_epochs(wrong, 7)
    except ValueError as error:
        assert str(wrong) in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# ## History
#
# The loss is recorded term by term, as means over about a hundred spans of the run, with the time since the first step. A loss that is NaN or
# infinite raises an error.

# %%
#| export
class History:
    """Record the terms of a loss.

    Parameters
    ----------
    n_steps : int
        Steps in the whole run.
    terms : tuple of str
        Names of the terms.
    total : callable
        The loss as a function of the means of the terms.
    verbose : bool
        Show a progress bar.
    title : str
        Label of the progress bar.

    Attributes
    ----------
    values : dict of str to list
        "step", "seconds", "loss" and each term, one value per span of steps.
    is_over : bool
        Whether a callback asked to stop.
    """

    def __init__(self, n_steps: int, terms: tuple, total=sum, verbose: bool = False, title: str = "fit"):
        self.n_steps, self.terms, self.total, self.is_over, self._watch = n_steps, terms, total, False, None
        self.values = {name: [] for name in ("step", "seconds", "loss", *terms)}
        self._span, self._waiting, self._began = max(1, n_steps // 100), [], None
        self._bar = tqdm(total=n_steps, disable=not verbose, desc=title, unit="step")

    def add(self, step: int, terms, n_steps: int = 1) -> None:
        """Add the mean terms of some steps.

        Parameters
        ----------
        step : int
            The last of these steps, counted from 1.
        terms : tensor, shape (n_terms,)
        n_steps : int
            How many steps they are the means of.
        """
        self._began = time.perf_counter() if self._began is None else self._began
        self._waiting.append(terms)
        if len(self._waiting) * n_steps >= self._span or step == self.n_steps:
            self._keep(step)
        self._bar.update(n_steps)

    def _keep(self, step):
        means = np.mean([ops.convert_to_numpy(terms) for terms in self._waiting], axis=0, dtype=np.float64)
        if not np.isfinite(means).all():
            self._bar.close()
            raise ValueError(f"The loss is no longer a number at step {step}: scale the data, or lower the learning rate.")
        kept = {"step": step, "seconds": time.perf_counter() - self._began, "loss": float(self.total(means))}
        for name, value in (kept | dict(zip(self.terms, means.tolist()))).items():
            self.values[name].append(value)
        self._waiting = []
        self._bar.set_postfix(loss=f"{kept['loss']:.4f}", refresh=False)
        if self._watch:
            self.is_over = self._watch.end_span({name: values[-1] for name, values in self.values.items() if name not in ("step", "seconds")})

    def watch(self, callbacks, model, optimizer, update=lambda: None) -> None:
        """Call Keras callbacks from now on: at the start, once per span of steps as for an epoch, and at the end.

        Parameters
        ----------
        callbacks : iterable of keras.callbacks.Callback
            `model.stop_training = True` stops the run after a span. There are no calls for single batches.
        model : keras.Model
            The callbacks' model; its `optimizer` is set meanwhile.
        optimizer : keras.optimizers.Optimizer
        update : callable
            Function that brings the weights of the model up to date, called before the callbacks of a span.
        """
        if callbacks:
            self._watch = _Watch(tuple(callbacks), model, optimizer, update)
            self._watch.begin(-(-self.n_steps // self._span))

    def close(self) -> dict:
        """Close the progress bar, end the callbacks, and return `values`."""
        self._bar.close()
        if self._watch:
            self._watch.end()
        return self.values


# %% [markdown]
# Keras callbacks are called by a helper, which takes a span of steps for an epoch.

# %%
#| export
class _Watch:
    "Keras callbacks of a model, with spans of steps for epochs."

    def __init__(self, callbacks, model, optimizer, update):
        self.callbacks, self.model, self.optimizer, self.update, self.n_spans = callbacks, model, optimizer, update, 0

    def call(self, name, *args):
        for callback in self.callbacks:
            getattr(callback, name)(*args)

    def begin(self, n_epochs):
        self.before, self.logs = getattr(self.model, "optimizer", None), {}
        self.model.optimizer, self.model.stop_training = self.optimizer, False
        self.call("set_params", {"epochs": n_epochs, "steps": None, "verbose": 0})
        self.call("set_model", self.model)
        self.call("on_train_begin", {})
        self.call("on_epoch_begin", 0, {})

    def end_span(self, logs):
        self.update()
        self.logs, self.n_spans = logs, self.n_spans + 1
        self.call("on_epoch_end", self.n_spans - 1, dict(logs))
        if not self.model.stop_training:
            self.call("on_epoch_begin", self.n_spans, {})
        return bool(self.model.stop_training)

    def end(self):
        self.call("on_train_end", dict(self.logs))
        if self.before is None:
            del self.model.optimizer  # it would be saved with the model
        else:
            self.model.optimizer = self.before


# %%
history = History(n_steps=400, terms=("reconstruction", "divergence"))
for i in range(1, 401):
    history.add(i, np.array([i, 1.0]))
assert len(history.values["step"]) == 100 and history.values["step"][-1] == 400
assert history.values["reconstruction"][0] == np.mean([1, 2, 3, 4]) and history.values["loss"][0] == np.mean([1, 2, 3, 4]) + 1
try:
    History(1, ("loss",)).add(1, np.array([np.nan]))
except ValueError as error:
    assert "no longer a number at step 1" in str(error)
else:
    raise AssertionError("no error")


# %% [markdown]
# A learning rate that is too high throws points far apart. The paper's form of the loss has no gradient there, so the loss stays high but finite.
# A loss that ends above a given value causes a warning.

# %%
#| export
def warn_of_divergence(losses: list, most: float) -> list:
    """Warn if a loss ended too high.

    Parameters
    ----------
    losses : list of float
        Losses over the run; fewer than 10 tell nothing.
    most : float
        Largest mean of the last tenth for which there is no warning.

    Returns
    -------
    list of str
        The warning, or nothing.
    """
    last = float(np.mean(losses[-max(1, len(losses) // 10) :]))
    if len(losses) < 10 or last <= most:
        return []
    message = f"Training failed: the loss ended at {last:.3g}, and more than {most:.3g} means that nothing was learned. Lower learning_rate, or train longer."
    warnings.warn(message)
    return [message]


# %%
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert warn_of_divergence([2.0] * 90 + [0.4] * 10, most=0.9) == []
    assert warn_of_divergence([2.0] * 100, most=0.9) == [str(caught[0].message)]

# %% [markdown]
# Training can also collapse without an error. The paper's form of the loss clips the repulsion of very close pairs, and a clipped repulsion has no
# gradient. Points start that close if the rows have tiny values. They then stay together, and their mean repulsion is the clip value.
# `UMAPHistory` checks this once, after a tenth of the run, and warns. At the end it warns of a loss that is more than twice `loss.uninformed`,
# the loss of an embedding in which all pairs are equally far apart.

# %%
#| export
ONE_POINT = "All points of the embedding lie so near each other that loss='paper' has no repulsion: scale the data to values around 1, or use loss='exact'."


class UMAPHistory(History):
    """Record the terms of the UMAP loss, and warn of a collapsed embedding and of a loss that diverged.

    Parameters
    ----------
    n_steps : int
    loss : UMAPLoss
    with_decoder : bool
        Record the reconstruction loss, too.
    verbose : bool
    more : tuple of str
        Names of further terms, which come before the reconstruction loss.

    Attributes
    ----------
    notes : list of str
        Warnings of this run.
    """

    def __init__(self, n_steps: int, loss: UMAPLoss, with_decoder: bool = False, verbose: bool = False, more: tuple = ()):
        terms = ("attraction", "repulsion", *more) + (("reconstruction",) if with_decoder else ())
        super().__init__(n_steps, terms, lambda means: loss.mean(*means[:2]), verbose)
        self.notes, self._greatest, self._most = [], loss.greatest_repulsion, 2 * loss.uninformed

    def _keep(self, step):
        before = self.values["step"][-1] if self.values["step"] else 0
        super()._keep(step)
        if before < self.n_steps / 10 <= step and self.values["repulsion"][-1] > 0.999 * self._greatest:
            self.notes.append(ONE_POINT)
            warnings.warn(ONE_POINT)

    def close(self) -> dict:
        """Close the progress bar, warn of a loss that diverged, and return `values`."""
        values = super().close()
        if not self.notes:
            self.notes += warn_of_divergence(values["loss"], self._most)
        return values


# %%
history = UMAPHistory(20, loss._replace(repulsion_strength=2.0))
history.add(1, np.array([0.0, 2 * 9.21034, 0.0]))
assert history.notes == []
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    history.add(2, np.array([0.0, 2 * 9.21034, 0.0]))  # a tenth of the run
assert history.notes == [str(caught[0].message)]
assert history.values["loss"][0] == 5 / 6 * 2 * 9.21034


# %% [markdown]
# Keras callbacks take a span of steps for an epoch. This one stops the run when the loss is low enough.

# %%
class StopBelow(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs["loss"] < 3


history, model = History(1000, ("loss",)), keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
history.watch([StopBelow()], model, keras.optimizers.SGD(0.1))
for i in range(1, 1001):
    history.add(i, np.array([1000 / i]))
    if history.is_over:
        break
history.close()
assert i == 340 and not hasattr(model, "optimizer")  # a span is 10 steps


# %% [markdown]
# ## Minimizing a loss
#
# The losses of autoencoders, decoders and parametric t-SNE are minimized by the same loop. A loss is a function of the arrays of a batch that
# returns its terms.

# %%
#| export
def minimize(terms, models: list, optimizer, batches, history: History) -> dict:
    """Minimize the sum of some terms, one gradient step per batch.

    Parameters
    ----------
    terms : callable
        Function of the arrays of a batch that returns a tuple of scalars.
    models : list of keras.Model
        Trained in place.
    optimizer : keras.optimizers.Optimizer
    batches : iterable of tuples of arrays
        All of the same shapes.
    history : History
        Its `n_steps` is the number of steps.

    Returns
    -------
    dict
        The values of the history.
    """

    def summed(*arrays):
        parts = terms(*arrays)
        return sum(parts), parts

    step = training_step(summed, models, optimizer)
    for i, arrays in zip(range(1, history.n_steps + 1), batches):
        history.add(i, step(*arrays))
        if history.is_over:
            break
    values = history.close()
    warn_of_divergence(values["loss"], 1.1 * values["loss"][0])
    return values


# %% [markdown]
# Decoders and the fast solver are trained with a learning rate that falls linearly to zero.

# %%
#| export
def linear_decay_adam(learning_rate: float, n_steps: int):
    """Make an Adam optimizer whose learning rate falls linearly to zero, with beta_2 = 0.99.

    Returns
    -------
    keras.optimizers.Adam
        Gradients are clipped to 4 in each element.
    """
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, n_steps, 0.0)
    return keras.optimizers.Adam(schedule, beta_2=0.99, clipvalue=4.0)


# %% [markdown]
# An optimizer of one's own is copied from its configuration, so that each fit starts with a fresh one.

# %%
#| export
def fresh_optimizer(optimizer):
    """Make a new optimizer from a name or from another one.

    Parameters
    ----------
    optimizer : str, keras.optimizers.Optimizer or None
        A name that Keras knows, such as "rmsprop", or an optimizer whose configuration is copied.

    Returns
    -------
    keras.optimizers.Optimizer or None

    Raises
    ------
    ValueError
        For an unknown name, or another type.
    """
    if optimizer is None:
        return None
    try:
        known = keras.optimizers.get(optimizer)
        return type(known).from_config(known.get_config())
    except (ValueError, TypeError):
        raise ValueError(f"optimizer is {optimizer!r}; it must be None, the name of a Keras optimizer, or one such as keras.optimizers.Adam(1e-3).") from None


# %%
assert isinstance(fresh_optimizer("sgd"), keras.optimizers.SGD) and fresh_optimizer(None) is None
given = keras.optimizers.Adam(1e-2, clipvalue=2.0)
assert fresh_optimizer(given) is not given and fresh_optimizer(given).clipvalue == 2.0
try:
    fresh_optimizer("adamant")
except ValueError as error:
    assert "'adamant'" in str(error)
else:
    raise AssertionError("no error")

# %% [markdown]
# As an example, an encoder learns given coordinates: the values of two pixels.

# %%
encoder = build_encoder("mlp", (64,), 2, random_state=0)
squares = lambda x, target: (ops.mean(ops.square(encoder(x, training=True) - target)),)
batches = ((X[which], X[which, 2:4]) for which in row_batches(len(X), 100, np.random.default_rng(0)))
values = minimize(squares, [encoder], linear_decay_adam(1e-2, 200), batches, History(200, ("squares",)))
assert values["loss"][-1] < values["loss"][0] / 10

# %% [markdown]
# ### Fitting a decoder
#
# A decoder behind a stop-gradient does not change the embedding. It can therefore be trained after the encoder, on the finished embedding.

# %%
#| export
LEAST_STEPS = 3_000


def fit_decoder(embedding, rows: Rows, decoder, loss="binary_crossentropy", options=TrainingOptions(), random_state=None) -> dict:
    """Train a decoder on a finished embedding.

    Parameters
    ----------
    embedding : ndarray, shape (n_rows, n_components)
    rows : Rows
        What the decoder reconstructs.
    decoder : keras.Model
        Trained in place.
    loss : str or callable
        See `losses.reconstruction_loss`.
    options : TrainingOptions
        Defaults: 5 epochs and at least 3,000 steps (1,000 if not all layers are dense); 100 rows in a batch; a learning rate of 2e-3.
        The model of `callbacks` is the decoder.
    random_state : None, int or Generator

    Returns
    -------
    dict
        History: "step", "seconds", "loss", "reconstruction".
    """
    dense = is_dense(decoder)
    n_least = 0 if options.n_training_epochs is not None else LEAST_STEPS if dense else 1000
    options = options.or_else(n_training_epochs=5, batch_size=100, learning_rate=2e-3)
    n_steps = max(n_least, row_steps(options.n_training_epochs, len(rows), options.batch_size))
    targets = Rows(rows.X, decoder.output_shape[1:])
    batches = row_batches(len(rows), options.batch_size, random_generator(random_state))
    optimizer = fresh_optimizer(options.optimizer) or linear_decay_adam(options.learning_rate, n_steps)
    history = History(n_steps, ("reconstruction",), verbose=options.verbose)
    history.watch(options.callbacks, decoder, optimizer)
    return minimize(
        lambda z, x: (reconstruction_loss(x, decoder(z, training=True), loss),),
        [decoder],
        optimizer,
        ((embedding[which], targets[which]) for which in batches),
        history,
    )


# %% [markdown]
# Binary cross entropy needs reconstructions between 0 and 1. Points far out show whether a decoder can leave this range.

# %%
#| export
def check_decoder(decoder, loss: str = "binary_crossentropy") -> None:
    """Check that the values of a decoder are probabilities, where the loss needs them.

    Parameters
    ----------
    decoder : keras.Model
    loss : {"binary_crossentropy", "mse"}

    Raises
    ------
    ValueError
        For binary cross entropy and a decoder that does not end in a sigmoid, or something like it.
    """
    if loss != "binary_crossentropy":
        return
    points = np.random.default_rng(0).normal(scale=100, size=(64, *decoder.input_shape[1:]))  # far out, where a linear layer shows
    decoded = encode(decoder, Rows(points))
    if decoded.min() < 0 or decoded.max() > 1:
        raise ValueError(
            "The decoder is not bounded by 0 and 1, as binary cross entropy needs it: end it with a sigmoid, or use reconstruction_loss='mse'."
        )


def is_dense(model) -> bool:
    """Return whether a network has only dense layers, and layers that reshape or activate."""
    kinds = (keras.layers.Dense, keras.layers.Flatten, keras.layers.Reshape, keras.layers.InputLayer, keras.layers.Activation, keras.layers.ReLU)
    return all(isinstance(layer, kinds) for layer in model.layers)


# %%
check_decoder(build_decoder("mlp", (8, 8), 2))
linear = keras.Sequential([keras.Input((2,)), keras.layers.Dense(64)])
check_decoder(linear, "mse")
try:
    check_decoder(linear)
except ValueError as error:
    assert "end it with a sigmoid, or use reconstruction_loss='mse'" in str(error)
else:
    raise AssertionError("no error")

# %%
from sklearn.decomposition import PCA

leading = PCA(2, random_state=0).fit_transform(X).astype("float32")
decoder = build_decoder("mlp", (64,), 2, random_state=0)
values = fit_decoder(leading, rows, decoder, options=TrainingOptions(n_training_epochs=50), random_state=0)
error = ((encode(decoder, Rows(leading)) - X) ** 2).mean()
assert error < ((X - X.mean(axis=0)) ** 2).mean() and values["loss"][-1] < values["loss"][0]


# %% [markdown]
# ## Early stopping
#
# Some rows are held out, with all their edges. The UMAP loss over these edges is measured in each hundredth of the run. Training stops when this
# loss has not fallen for `n_iter_no_change` hundredths, and the weights with the lowest loss are restored.

# %%
#| export
def hold_out(edges: Edges, n_rows: int, fraction: float, random_state=None) -> tuple[Edges, Edges]:
    """Split edges by a random sample of rows that are held out.

    Parameters
    ----------
    edges : Edges
    n_rows : int
    fraction : float
        Share of the rows to hold out.
    random_state : None, int or Generator

    Returns
    -------
    training, held : Edges
        Edges between the other rows, and edges with an end at a held-out row.

    Raises
    ------
    ValueError
        If one side has no edges.
    """
    held = np.zeros(n_rows, dtype=bool)
    held[random_generator(random_state).choice(n_rows, max(1, round(fraction * n_rows)), replace=False)] = True
    touched = held[edges.head] | held[edges.tail]
    if touched.all() or not touched.any():
        raise ValueError(f"validation_fraction={fraction} leaves no edges on one side of the split: choose another, or train without early_stopping.")
    return Edges(*(part[~touched] for part in edges)), Edges(*(part[touched] for part in edges))


def held_out_loss(encoder, rows: Rows, held: Edges, loss: UMAPLoss, n_edges: int = 2000) -> float:
    """Compute the UMAP cross entropy over held-out edges.

    Parameters
    ----------
    encoder : keras.Model
    rows : Rows
    held : Edges
        From `hold_out`. A sample is drawn by strength, the same at each call.
    loss : UMAPLoss
    n_edges : int
        Size of the sample.

    Returns
    -------
    float
        Mean over an edge and its negatives, as in `UMAPLoss.mean`.
    """
    head, tail = next(weighted_batches(held, n_edges, random_state=0))
    z = encode(encoder, Rows(rows[np.concatenate([head, tail])]))
    shifts = np.arange(1, 2 * loss.negative_sample_rate + 1) * (n_edges // (loss.negative_sample_rate + 1))
    shifts += shifts == n_edges  # this shift would pair each head with its own tail
    attraction, repulsion = rolled_cross_entropy(ops.convert_to_tensor(z), shifts, loss)
    return float(loss.mean(ops.mean(attraction), ops.mean(repulsion)))


# %%
rest, held = hold_out(edges, len(X), 0.1, random_state=0)
assert len(rest.head) + len(held.head) == len(edges.head)
held_rows = np.setdiff1d(np.arange(600), rest.head)
assert len(held_rows) >= 60 and np.isin([held.head, held.tail], held_rows).any(axis=0).all()
untrained = build_encoder("mlp", (64,), 2, random_state=0)
assert held_out_loss(untrained, rows, held, loss) == held_out_loss(untrained, rows, held, loss) > 0


# %%
#| export
class EarlyStopping:
    """Measure a loss, keep the weights with its lowest value, and decide when to stop.

    Parameters
    ----------
    measure : callable
        Function without arguments that returns the loss.
    models : list of keras.Model
        Models whose weights are kept.
    patience : int
        Checks without a lower loss after which to stop.
    tolerance : float
        A loss must be lower by this to count as lower.

    Attributes
    ----------
    losses : list of float
        One for each check.
    """

    def __init__(self, measure, models: list, patience: int = 10, tolerance: float = 1e-4):
        self.measure, self.models, self.patience, self.tolerance = measure, models, patience, tolerance
        self.losses, self._best, self._since, self._weights = [], math.inf, 0, None

    def is_over(self) -> bool:
        """Measure the loss; return whether it has not fallen for `patience` checks."""
        loss = self.measure()
        self.losses.append(loss)
        self._since = 0 if loss < self._best - self.tolerance else self._since + 1
        if loss <= self._best:
            self._best, self._weights = loss, [model.get_weights() for model in self.models]
        return self._since >= self.patience

    def restore(self) -> None:
        """Put back the weights of the lowest loss."""
        for model, weights in zip(self.models, self._weights or []):
            model.set_weights(weights)


# %%
losses = iter([3.0, 2.0, 2.5, 2.6])
small = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
stopping = EarlyStopping(lambda: next(losses), [small], patience=2)
over = []
for i in range(4):
    small.set_weights([np.full((1, 1), i), np.zeros(1)])
    over.append(stopping.is_over())
stopping.restore()
assert over == [False, False, False, True] and small.get_weights()[0] == 1  # the weights of loss 2.0


# %% [markdown]
# ## Landmarks and global distances
#
# `SideTerms` adds the optional terms of `02_losses` to a step of any solver. It draws what they need of a batch, in NumPy: positions of landmarks,
# and distances between rows. Distances are those of the rows themselves, whatever coordinates the network is trained in.

# %%
#| export
class SideTerms:
    """Compute the terms that are added to the UMAP loss: of landmarks, and of the correlation of distances.

    Parameters
    ----------
    options : TrainingOptions
        Its `landmarks` and `correlation_weight`.
    rows : Rows

    Attributes
    ----------
    names : tuple of str
        "landmark" and "correlation", as far as there are any.
    """

    def __init__(self, options: TrainingOptions = TrainingOptions(), rows: Rows | None = None):
        self.landmarks, self.weight, self.rows = options.landmarks, options.correlation_weight, rows and rows.flat
        self.names = ("landmark",) * (self.landmarks is not None) + ("correlation",) * (self.weight > 0)

    def arrays(self, which) -> list:
        """Draw what the terms need of a batch.

        Parameters
        ----------
        which : ndarray of int, shape (..., 2 * n_edges)
            Heads on top of tails.

        Returns
        -------
        list of ndarray, float32
            One array for each term.
        """
        found = [self.landmarks.positions[which]] if self.landmarks else []
        if self.weight:
            x = self.rows[which[..., : which.shape[-1] // 2]]
            found.append(np.linalg.norm(x - np.roll(x, 1, axis=-2), axis=-1))
        return found

    def terms(self, z, arrays) -> tuple:
        """Compute the weighted sum of the terms, and each of them.

        Parameters
        ----------
        z : tensor, shape (2 * n_edges, n_components)
            Embedded heads on top of tails.
        arrays : sequence of tensors
            From `arrays`.

        Returns
        -------
        total : tensor, scalar
            Weight times the landmark loss, plus weight times 1 minus the correlation.
        terms : list of tensors, scalar
            Landmark loss, correlation.
        """
        parts, total = [], 0.0
        if self.landmarks:
            parts.append(landmark_loss(arrays[0], z, self.landmarks.loss))
            total += self.landmarks.weight * parts[0]
        if self.weight:
            parts.append(distance_correlation(arrays[-1], z[: z.shape[0] // 2]))
            total += self.weight * (1 - parts[-1])
        return total, parts


# %%
which, z = np.array([3, 1, 4, 1, 5, 9]), np.random.default_rng(0).normal(size=(6, 2)).astype("float32")
positions = np.where(np.arange(600)[:, None] == 1, np.float32(0), np.float32(np.nan)).repeat(2, axis=1)  # row 1 should be at the origin
side = SideTerms(TrainingOptions(landmarks=Landmarks(positions, weight=2.0), correlation_weight=0.5), rows)
total, (away, r) = side.terms(z, side.arrays(which))
assert side.names == ("landmark", "correlation") and SideTerms().names == () == tuple(SideTerms().arrays(which))
assert_allclose(away, np.linalg.norm(z[[1, 3]], axis=1).mean(), atol=1e-3)
assert_allclose(total, 2 * away + 0.5 * (1 - r), rtol=1e-5)


# %% [markdown]
# A reconstruction loss on held-out rows shows whether a decoder generalizes. It is measured by a callback, once per span of steps.

# %%
#| export
class ReconstructionCheck(keras.callbacks.Callback):
    """Measure the reconstruction loss on held-out rows after each span of steps.

    Parameters
    ----------
    rows : Rows
        Held-out rows, as the encoder takes them.
    encoder : keras.Model
    decoding : Decoding

    Attributes
    ----------
    losses : list of float
        One for each span.
    """

    def __init__(self, rows: Rows, encoder, decoding: Decoding):
        super().__init__()
        self.rows, self.encoder, self.decoding, self.losses = rows, encoder, decoding, []

    def on_epoch_end(self, epoch, logs=None):
        """Measure the loss."""
        decoder = self.decoding.model
        decoded = encode(decoder, Rows(encode(self.encoder, self.rows)))
        targets = Rows(self.rows.X, decoder.output_shape[1:])[:]
        self.losses.append(float(reconstruction_loss(ops.convert_to_tensor(targets), ops.convert_to_tensor(decoded), self.decoding.loss)))


# %%
decoder = build_decoder("mlp", (64,), 2, random_state=0)
check = ReconstructionCheck(Rows(X[500:]), untrained, Decoding(decoder, "mse"))
values = fit_decoder(encode(untrained, Rows(X[:500])), Rows(X[:500]), decoder, "mse", TrainingOptions(10, callbacks=(check,)), random_state=0)
assert len(check.losses) == len(values["loss"]) and check.losses[-1] < check.losses[0]


# %% [markdown]
# ## The paper's loop
#
# The original code, step for step:
#
# 1. take a batch of edges, in the original's scheme of repeats (`graph.paper_batches`) or by their strength;
# 2. embed both ends;
# 3. let each head repel `negative_sample_rate` tails of the same batch;
# 4. differentiate the *sum* of all terms (the *mean*, if there is a decoder);
# 5. clip every element of the gradient to $\pm 4$, and take a step of Adam.

# %%
#| export
def total_loss(attraction, repulsion, reduction: str):
    """Reduce the terms of the cross entropy to a scalar.

    Parameters
    ----------
    attraction : tensor, shape (n_edges,)
    repulsion : tensor, shape (n_edges * negative_sample_rate,)
    reduction : {"sum", "mean"}
        The original code uses the sum for an encoder alone, and the mean if there is a decoder.
    """
    total = ops.sum(attraction) + ops.sum(repulsion)
    return total if reduction == "sum" else total / (attraction.shape[0] + repulsion.shape[0])


def paper_step(encoder, optimizer, loss: UMAPLoss, decoding: Decoding | None = None, side: SideTerms = SideTerms()):
    """Compile the paper's training step.

    Parameters
    ----------
    encoder : keras.Model
    optimizer : keras.optimizers.Optimizer
    loss : UMAPLoss
    decoding : Decoding or None
    side : SideTerms

    Returns
    -------
    callable
        Function of a batch (heads on top of tails, negatives, and the arrays of `side`) that returns the mean attraction, repulsion, terms of
        `side`, and reconstruction loss.
    """

    def terms(x, negatives, *arrays):
        z = encoder(x, training=True)
        head, tail = ops.split(z, 2)
        attraction, repulsion = umap_cross_entropy(head, tail, negatives, loss)
        total = total_loss(attraction, repulsion, "mean" if decoding or side.names else "sum")
        added, parts = side.terms(z, arrays)
        total, decoded = total + added if parts else total, ops.zeros((), "float32")
        if decoding:
            z = z if decoding.joint else ops.stop_gradient(z)
            decoded = reconstruction_loss(x, decoding.model(z, training=True), decoding.loss)
            total = total + decoding.weight * decoded
        return total, (ops.mean(attraction), ops.mean(repulsion), *parts, decoded)

    return training_step(terms, [encoder, *([decoding.model] if decoding else [])], optimizer)


def paper_adam(learning_rate: float = 1e-3):
    """Make the paper's optimizer: Adam with every element of a gradient clipped to 4."""
    return keras.optimizers.Adam(learning_rate, clipvalue=4.0)


# %% [markdown]
# The next cell compares this step with the original's. The loss is written as in the original code: two calls of the encoder, a plain distance,
# clipped probabilities, targets of one and zero. After one step from the same weights, all weights agree. The optimizer is plain gradient
# descent: the first step of Adam depends only on the sign of a gradient, so rounding errors near zero would matter.

# %%
def original_terms(encoder, a, b):
    def terms(x_to, x_from, negatives):
        to, from_ = encoder(x_to), encoder(x_from)
        pairs = [to - from_, ops.repeat(to, 5, axis=0) - ops.take(from_, negatives, axis=0)]
        distance = ops.concatenate([ops.sqrt(ops.sum(ops.square(pair), axis=1)) for pair in pairs])
        q = 1 / (1 + a * distance ** (2 * b))
        p = ops.concatenate([ops.ones(x_to.shape[:1]), ops.zeros(negatives.shape)])
        total = -ops.sum(p * ops.log(ops.clip(q, 1e-4, 1)) + (1 - p) * ops.log(ops.clip(1 - q, 1e-4, 1)))
        return total, (total,)

    return terms


by_hand, by_step = (build_encoder("mlp", (64,), 2, random_state=0) for _ in range(2))
start = by_hand.get_weights()
training_step(original_terms(by_hand, loss.a, loss.b), [by_hand], keras.optimizers.SGD(0.1, clipvalue=4.0))(X[:100], X[100:200], negatives)
paper_step(by_step, keras.optimizers.SGD(0.1, clipvalue=4.0), loss)(X[:200], negatives)
largest = 0
for before, one, other in zip(start, by_hand.get_weights(), by_step.get_weights()):
    assert_allclose(one - before, other - before, atol=2e-3)  # the plain formulas round 1 - q in single precision
    largest = max(largest, abs(one - before).max())
assert largest > 0.3  # some gradients were near the clip of 4
assert paper_adam().clipvalue == 4.0


# %% [markdown]
# The loop calls this step for each batch of edges.

# %%
#| export
def fit_encoder(
    rows: Rows,
    edges: Edges,
    encoder,
    loss: UMAPLoss,
    decoding: Decoding | None = None,
    options: TrainingOptions = TrainingOptions(),
    random_state=None,
) -> dict:
    """Train an encoder by the paper's loop.

    Parameters
    ----------
    rows : Rows
    edges : Edges
        From `graph.pruned_edges`.
    encoder : keras.Model
        Trained in place.
    loss : UMAPLoss
    decoding : Decoding or None
        A decoder to train at the same time, in place.
    options : TrainingOptions
        Defaults: 5 epochs, 1,000 edges in a batch, a learning rate of 1e-3, edges in the paper's scheme. There is no early stopping.
    random_state : None, int or Generator

    Returns
    -------
    dict
        History: "step", "seconds", "loss", "attraction", "repulsion" (and "reconstruction"), and "notes".

    Notes
    -----
    Sainburg, McInnes, Gentner (2021), Parametric UMAP embeddings for representation and semisupervised learning, and its code.
    """
    rng_edges, rng_negatives = random_generator(random_state).spawn(2)
    options = options.or_else(n_training_epochs=5, batch_size=1000, learning_rate=1e-3, edge_sampling="paper")
    n_steps = edge_steps(options.n_training_epochs, edges, options.batch_size)
    optimizer, side = fresh_optimizer(options.optimizer) or paper_adam(options.learning_rate), SideTerms(options, rows)
    step = paper_step(encoder, optimizer, loss, decoding, side)
    history = UMAPHistory(n_steps, loss, decoding is not None, options.verbose, side.names)
    history.watch(options.callbacks, encoder, optimizer)
    batches = edge_batches(edges, options.batch_size, rng_edges, options.edge_sampling)
    for i, (head, tail) in zip(range(1, n_steps + 1), batches):
        negatives = in_batch_negatives(len(head), loss.negative_sample_rate, rng_negatives)
        which = np.concatenate([head, tail])
        history.add(i, step(rows[which], negatives, *side.arrays(which)))
        if options.callback:
            options.callback(i, lambda: None)
        if history.is_over:
            history.notes.append(f"stopped by a callback, after {i} of {n_steps} steps")
            break
    return history.close() | {"notes": history.notes}


# %% [markdown]
# One epoch on the digits: the terms of the loss (left), and the embedding colored by digit (right).

# %%
short = TrainingOptions(n_training_epochs=1, batch_size=300)


def fit_digits(loss=loss, options=short, random_state=0):
    encoder = build_encoder("mlp", (64,), 2, random_state=random_state)
    return encoder, fit_encoder(rows, edges, encoder, loss, options=options, random_state=random_state)


encoder, history = fit_digits()
embedding = encode(encoder, rows)
fig, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
for name in ("attraction", "repulsion"):
    axes[0].plot(history["step"], history[name], label=name)
axes[0].set(xlabel="step", ylabel="mean term of the loss", yscale="log")
axes[0].legend(frameon=False)
axes[1].scatter(*embedding.T, c=y[:600], cmap="tab10", s=5)
axes[1].set_axis_off()

# %%
assert history["loss"][-1] < history["loss"][0] / 2
assert trustworthiness(X, embedding) > 0.9

# %% [markdown]
# The same seed gives the same embedding, bit for bit. Another seed gives another embedding.

# %%
assert_array_equal(encode(fit_digits()[0], rows), embedding)
assert abs(encode(fit_digits(random_state=1)[0], rows) - embedding).max() > 0.1

# %% [markdown]
# Training also works with edges drawn by their strength.

# %%
by_strength = encode(fit_digits(options=short._replace(edge_sampling="weighted", n_training_epochs=2))[0], rows)
assert trustworthiness(X, by_strength) > 0.93

# %% [markdown]
# With a larger repulsion strength, points lie farther apart.

# %%
apart = encode(fit_digits(loss=loss._replace(repulsion_strength=5.0))[0], rows)
mean_distance = lambda z: np.linalg.norm(z[:300] - z[300:], axis=1).mean()
assert mean_distance(apart) > mean_distance(embedding)

# %% [markdown]
# With a decoder, rows can be reconstructed from the embedding. Behind the stop-gradient (`joint=False`) the encoder learns from the UMAP loss alone.

# %%
encoder, decoder = build_encoder("mlp", (64,), 2, random_state=0), build_decoder("mlp", (64,), 2, random_state=0)
history = fit_encoder(rows, edges, encoder, loss, Decoding(decoder, joint=False), short, random_state=0)
reconstructed = encode(decoder, Rows(encode(encoder, rows)))
assert ((reconstructed - X) ** 2).mean() < ((X.mean(axis=0) - X) ** 2).mean()  # better than the mean image
assert history["reconstruction"][-1] < history["reconstruction"][0]
