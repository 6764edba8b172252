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
# # Parametric UMAP
#
# > The estimator: a graph, a network, and scikit-learn's manners.

# %%
#| default_exp parametric_umap

# %%
#| hide
import pickle
import tempfile

import matplotlib.pyplot as plt
import pandas as pd
from nbdev.showdoc import show_doc
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

# %%
#| export
import contextlib
import copy
import json
import math
import numbers
import os
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from pumap.graph import find_ab, fuzzy_graph, intersect_labels, pruned_edges, random_generator
from pumap.losses import loss_form
from pumap.networks import build_decoder, build_encoder
from pumap.training import encode, fast_stages, fit_decoder, fit_encoder, fit_encoder_fast

# %% [markdown]
# The pieces are there: a graph (`01_graph`), a loss (`02_losses`), a network (`03_networks`) and two loops (`04_training`). The estimator puts them together and follows scikit-learn's rules to the
# letter: `__init__` only stores, `fit` checks and computes, what was learned ends in `_`, fitting again starts again.
#
# ## Checks
#
# Bad settings are told apart from bad data, before anything is computed.

# %%
#| export
WHOLE = {"n_components": 1, "n_neighbors": 2, "negative_sample_rate": 1, "batch_size": 2, "n_epochs": 1, "n_iter_no_change": 1}  # name -> least value
POSITIVE = ("spread", "n_training_epochs", "n_decoder_epochs", "learning_rate", "perplexity", "repulsion_strength", "parametric_reconstruction_loss_weight", "a", "b")
OPTIONAL = ("batch_size", "n_epochs", "a", "b", "n_training_epochs", "n_decoder_epochs", "learning_rate", "edge_sampling")  # None is a value
NAMES = {
    "solver": ("fast", "paper"),
    "edge_sampling": ("paper", "weighted"),
    "reconstruction_loss": ("binary_crossentropy", "mse"),
}


def check_numbers(
    settings: dict,  # parameters of an estimator
    optional: tuple = OPTIONAL,  # settings that may be None
    whole: dict = WHOLE,  # names of whole numbers -> least value
    positive: tuple = POSITIVE,  # names of positive numbers
) -> dict:  # those that are not None, or may not be
    "Raise a `ValueError` for the first number that cannot be."
    given = {name: value for name, value in settings.items() if not (name in optional and value is None)}
    for name in whole.keys() & given.keys():
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < whole[name]:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {whole[name]}.")
    for name in given.keys() & {*positive}:
        if isinstance(given[name], bool) or not isinstance(given[name], numbers.Real) or not 0 < given[name] < math.inf:
            raise ValueError(f"{name} is {given[name]!r}; it must be a positive number.")
    return given


def check_settings(
    settings: dict,  # parameters of a ParametricUMAP
) -> None:
    "Raise a `ValueError` for the first setting that cannot be."
    given = check_numbers(settings)
    for name, known in NAMES.items():
        if name in given and given[name] not in known:
            raise ValueError(f"{name} is {given[name]!r}; it must be one of: {', '.join(known)}.")
    loss_form(given["loss"])
    fast_stages(given["solver_options"])
    if not isinstance(given["min_dist"], numbers.Real):
        raise ValueError(f"min_dist is {given['min_dist']!r}; it must be a number between 0 and spread.")
    if ("a" in given) != ("b" in given):
        raise ValueError(f"a is {settings['a']} and b is {settings['b']}: give both, or neither.")
    for name in ("early_stopping", "solver_options"):
        if given[name] and given["solver"] != "fast":
            raise ValueError(f"{name} needs solver='fast'; solver is {given['solver']!r}.")
    for name, most in (("set_op_mix_ratio", 1), ("local_connectivity", math.inf)):
        if not isinstance(given[name], numbers.Real) or not 0 <= given[name] <= most:
            raise ValueError(f"{name} is {given[name]!r}; it must be a number from 0 to {most}.")
    if not isinstance(given["validation_fraction"], numbers.Real) or not 0 < given["validation_fraction"] < 1:
        raise ValueError(f"validation_fraction is {given['validation_fraction']!r}; it must be between 0 and 1.")


# %%
#| export
def check_graph(
    graph,  # sparse membership strengths
    n_rows: int,
    name: str = "precomputed_graph",  # of the setting, for errors
) -> sparse.csr_matrix:  # float32, shape (n_rows, n_rows)
    "Check a graph that was computed elsewhere; a `ValueError` says what does not fit."
    if not sparse.issparse(graph) or graph.shape != (n_rows, n_rows):
        raise ValueError(
            f"{name} is {type(graph).__name__} of shape {getattr(graph, 'shape', None)}; it must be sparse, of shape ({n_rows}, {n_rows})."
        )
    graph = sparse.csr_matrix(graph, dtype=np.float32, copy=True)  # the one that was given stays as it is
    graph.eliminate_zeros()
    if not (graph.nnz and np.isfinite(graph.data).all() and graph.data.min() > 0):
        raise ValueError(f"{name} must have membership strengths that are positive numbers, and at least one of them.")
    return graph


def check_unit_range(
    X,  # rows, dense or CSR
    reconstruction_loss: str = "binary_crossentropy",  # or "mse"
    decoder=None,  # as in `ParametricUMAP`
) -> None:
    "For values outside [0, 1]: raise a `ValueError` with binary cross entropy, which has no meaning there; else warn of a decoder with a sigmoid."
    low, high = X.min(), X.max()
    if low >= 0 and high <= 1:
        return
    if reconstruction_loss == "binary_crossentropy":
        raise ValueError(
            f"The decoder's binary cross entropy needs data between 0 and 1, but they go from {low:.4g} to {high:.4g}: "
            "scale them, or use reconstruction_loss='mse' with a decoder that can reach such values."
        )
    if isinstance(decoder, str):
        warnings.warn(
            f"decoder={decoder!r} ends in a sigmoid and reaches values from 0 to 1, but the data go from {low:.4g} to {high:.4g}: "
            "scale them, or give a Keras model without a sigmoid.",
            stacklevel=2,
        )


# %% [markdown]
# Rows are checked by scikit-learn, and keep their shape: images stay images. `dims` says how the networks see a row, if not as it is in `X`.

# %%
#| export
def check_input(
    estimator,  # ParametricUMAP; learns the shape of a row if `reset`
    X,  # rows, shape (n_rows, n_features) or (n_rows, ...); dense or CSR
    reset: bool,  # True in fit, False in transform
):  # rows, float32 or uint8
    "Rows as the graph and the networks can take them; a `ValueError` for rows of another shape than the fitted ones."
    X = validate_data(estimator, X, reset=reset, accept_sparse="csr", allow_nd=True, dtype=[np.float32, np.uint8])
    shape = tuple(int(n) for n in X.shape[1:])
    if reset:
        estimator._row_shape = shape
        estimator._input_shape = shape if estimator.dims is None else tuple(np.atleast_1d(estimator.dims).tolist())
        whole = all(isinstance(n, int) and n > 0 for n in estimator._input_shape)
        if not whole or math.prod(estimator._input_shape) != math.prod(shape):
            raise ValueError(f"dims is {estimator.dims!r}; for rows of shape {shape} it must be whole numbers whose product is {math.prod(shape)}.")
    elif shape != estimator._row_shape:
        raise ValueError(f"Rows have shape {shape}, but {type(estimator).__name__} was fitted on rows of shape {estimator._row_shape}.")
    return X


# %% [markdown]
# ## Settings
#
# All settings are arguments of `__init__`, which only stores them. Names are those of umap-learn wherever it has the same thing.
#
# `solver` chooses the loop: `"fast"`, or `"paper"`, step for step the original's. Effort (`n_training_epochs`), batch size, learning rate and the drawing of edges are left to the solver where they are `None`;
# where they are given, both take them in the same sense, but that the fast one lets the learning rate fall to zero. Early stopping and `solver_options` are for the fast one only.

# %%
#| export
class ParametricUMAPSettings(BaseEstimator):
    "The settings of `ParametricUMAP`, stored as they are given."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        n_neighbors: int = 15,  # size of a neighbourhood, the row itself included
        min_dist: float = 0.1,  # distance in the embedding up to which points count as together
        spread: float = 1.0,  # scale of distances in the embedding
        metric="euclidean",  # a name umap-learn knows, or a numba function of two rows
        metric_kwds: dict | None = None,  # keyword arguments of the metric
        encoder="mlp",  # "mlp", "conv28", "conv32", "song", "munit", a Keras model, or a function (shape of a row, n_components) -> model
        decoder=None,  # None, or as for `encoder`; makes `inverse_transform` possible
        dims: tuple | None = None,  # shape of a row as the networks see it; None = as in X
        solver: str = "fast",  # the training loop: "fast", or "paper", step for step the original's
        n_training_epochs: float | None = None,  # passes over the edges, each repeated by its strength; None = 5 (paper), or 1.5 (fast; more on small data, 0.25 for convolutions)
        batch_size: int | None = None,  # edges in a step; None = 1,000 (fast with convolutions: 500), and no more than rows
        learning_rate: float | None = None,  # of Adam; None = 5e-3, 2e-3 or 5e-4, see `training.fit_encoder_fast`, falling to zero (fast), or 1e-3 (paper)
        negative_sample_rate: int = 5,  # points that each head of an edge repels
        repulsion_strength: float = 1.0,  # weight of the repulsion
        loss: str = "paper",  # form of the cross entropy: "paper", "exact" or "umap-learn-0.5.12"
        a: float | None = None,  # of the similarity curve 1 / (1 + a d^(2 b)); None = from min_dist and spread
        b: float | None = None,  # goes with a
        edge_sampling: str | None = None,  # which edges a step takes: "weighted" by strength, or by the "paper"'s scheme; None = as the solver does
        early_stopping: bool = False,  # hold out rows, and stop when their loss no longer falls (fast)
        validation_fraction: float = 0.1,  # of the rows, held out for early stopping
        n_iter_no_change: int = 10,  # hundredths of the run without a lower held-out loss
        solver_options: dict | None = None,  # parts of the fast loop to switch off or change, see `training.FAST_STAGES`
        n_epochs: int | None = None,  # edges weaker than max / n_epochs are left out; None = 500 up to 10,000 rows, else 200
        set_op_mix_ratio: float = 1.0,  # 1 = fuzzy union of the two directions of an edge, 0 = intersection
        local_connectivity: float = 1.0,  # neighbours counted as fully connected
        precomputed_knn=None,  # (indices, distances), each of shape (n_rows, >= n_neighbors), each row first
        precomputed_graph=None,  # sparse membership strengths, shape (n_rows, n_rows)
        autoencoder_loss: bool = False,  # train the two jointly: let the decoder's loss change the encoder, too
        n_decoder_epochs: float | None = None,  # passes over the rows, at the end, for the decoder alone; None = 5 (fast; more on small data), or none at all (paper)
        reconstruction_loss: str = "binary_crossentropy",  # or "mse"
        parametric_reconstruction_loss_weight: float = 1.0,  # weight of the decoder's loss beside UMAP's
        n_jobs: int | None = None,  # threads of the neighbour search; None = one with a random_state, else all
        random_state=None,  # one seed, one embedding (on a CPU)
        verbose: bool = False,  # show a progress bar
    ):
        for name, value in locals().items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)


# %% [markdown]
# ## The steps of `fit`
#
# First the graph: given, or built from the rows, and joined with labels where there are some. Neighbours are searched on one thread when a seed is
# given, since the order in which threads finish would change the graph.

# %%
#| export
def build_graph(
    settings: ParametricUMAPSettings,
    X,  # rows, dense or CSR
    y,  # classes, shape (n_rows,), or None
    rng: np.random.Generator,
) -> sparse.csr_matrix:  # membership strengths, shape (n_rows, n_rows)
    "The graph that an estimator with these settings learns from."
    if settings.precomputed_graph is not None:
        graph = check_graph(settings.precomputed_graph, X.shape[0])
    else:
        flat = X if sparse.issparse(X) else X.reshape(len(X), -1)
        names = ("n_neighbors", "metric", "metric_kwds", "set_op_mix_ratio", "local_connectivity", "precomputed_knn")
        graph = fuzzy_graph(
            flat.astype(np.float32, copy=False),
            random_state=None if settings.random_state is None else rng,
            n_jobs=settings.n_jobs,
            **{name: getattr(settings, name) for name in names},
        )
    return graph if y is None else intersect_labels(graph, y)


def build_curve(
    settings: ParametricUMAPSettings,
) -> tuple[float, float]:  # (a, b)
    "The parameters of the similarity curve: as given, or from `min_dist` and `spread`."
    return find_ab(settings.min_dist, settings.spread) if settings.a is None else (float(settings.a), float(settings.b))


# %% [markdown]
# Then the networks, and the training, which is a matter of handing the settings on to the solver's loop; a setting that is `None` is not handed on.

# %%
#| export
def build_networks(
    settings: ParametricUMAPSettings,
    X,  # rows, to see whether a decoder can reach them
    input_shape: tuple,  # shape of a row as the networks see it
    rng: np.random.Generator,
) -> tuple:  # (encoder, decoder or None), untrained Keras models
    "The networks that an estimator with these settings trains."
    encoder = build_encoder(settings.encoder, input_shape, settings.n_components, rng)
    if settings.decoder is None:
        return encoder, None
    check_unit_range(X, settings.reconstruction_loss, settings.decoder)
    return encoder, build_decoder(settings.decoder, input_shape, settings.n_components, copy.deepcopy(rng))  # what is drawn later is drawn as without a decoder


def train(
    settings: ParametricUMAPSettings,
    X,  # rows, dense or CSR
    graph: sparse.csr_matrix,  # from `build_graph`
    networks: tuple,  # (encoder, decoder or None); their weights are changed in place
    input_shape: tuple,  # shape of a row as the networks see it
    rng: np.random.Generator,
) -> dict:  # the record of the loss, see `training.fit_encoder`
    "Train networks on the edges of a graph."
    encoder, decoder = networks
    names = ("n_training_epochs", "learning_rate", "edge_sampling")  # None = the solver's own
    chosen = {name: getattr(settings, name) for name in names if getattr(settings, name) is not None}
    chosen |= {name: getattr(settings, name) for name in ("negative_sample_rate", "loss", "repulsion_strength", "verbose")}
    size = settings.batch_size or (1000 if settings.solver == "paper" else None)
    if settings.solver == "paper":
        chosen["autoencoder_loss"] = settings.autoencoder_loss
    else:
        decoder = decoder if settings.autoencoder_loss else None  # its turn comes afterwards
        chosen["stages"] = {"parallel": settings.random_state is None} | ({"centred": False} if isinstance(settings.encoder, keras.Model) else {}) | (settings.solver_options or {})
        if settings.early_stopping:
            chosen["stopping"] = {name: getattr(settings, name) for name in ("validation_fraction", "n_iter_no_change")}
    history = {"fast": fit_encoder_fast, "paper": fit_encoder}[settings.solver](
        X,
        pruned_edges(graph, settings.n_epochs),
        encoder,
        *build_curve(settings),
        decoder,
        input_shape,
        batch_size=size and min(X.shape[0], size),
        random_state=rng,
        reconstruction=settings.reconstruction_loss,
        reconstruction_weight=settings.parametric_reconstruction_loss_weight,
        **chosen,
    )
    if any(network is not None and network.losses for network in networks):
        history["notes"].append("regularizers of the networks' layers do not count: the loss is that of UMAP, and of the reconstruction")
    return history


# %% [markdown]
# The fast solver leaves a decoder to the end; what it did jointly it finishes there.

# %%
#| export
def finish_decoder(
    estimator,  # ParametricUMAP with trained networks
    embedding,  # of the rows, shape (n_rows, n_components)
    X,  # rows, dense or CSR
    rng: np.random.Generator,
) -> dict:  # "decoder": means of its loss; empty if there is nothing to do
    "Train the decoder alone, if there is one and the settings say so."
    if estimator.decoder_ is None or estimator.solver == "paper" and estimator.n_decoder_epochs is None:
        return {}
    settings = {"reconstruction": estimator.reconstruction_loss, "random_state": rng, "verbose": estimator.verbose}
    return {"decoder": fit_decoder(embedding, X, estimator.decoder_, estimator.n_decoder_epochs, **settings)["reconstruction"]}


# %% [markdown]
# ## The estimator
#
# A fit is these steps one after the other. `transform` is one forward pass; `inverse_transform`, `save` and `load` are explained further down.

# %%
#| export
class ParametricUMAP(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ParametricUMAPSettings):
    """UMAP with a neural network in the place of the embedding (Sainburg, McInnes, Gentner 2021).

    `fit` builds the graph of fuzzy neighbours of the rows and trains `encoder` on its edges; `transform` embeds any rows in one forward pass.

    Rows may be arrays of shape (n_rows, n_features) or (n_rows, height, width, channels), lists, data frames or CSR matrices. Values are
    used as they are: scale them as the network likes them. Fitted attributes: `graph_` (membership strengths, CSR), `encoder_` and
    `decoder_` (Keras models), `embedding_` (n_rows, n_components), `history_` (means of the loss and its terms over spans of steps; `decoder`, likewise, from when it was trained alone; `notes` say what does not apply or went wrong), `a_`, `b_`."""

    def fit(self, X, y=None):
        "Learn from rows `X` and, if given, classes `y` (-1 = unknown); raises `ValueError` for data or settings that cannot be."
        self.__dict__.pop("embedding_", None)  # a fit that fails leaves an estimator that is not fitted
        check_settings(self.get_params(deep=False))
        X = check_input(self, X, reset=True)
        rng = random_generator(self.random_state)
        self.a_, self.b_ = build_curve(self)
        self.encoder_, self.decoder_ = build_networks(self, X, self._input_shape, rng)
        self.graph_ = build_graph(self, X, y, rng)
        self.history_ = train(self, X, self.graph_, (self.encoder_, self.decoder_), self._input_shape, rng)
        embedding = encode(self.encoder_, X, self._input_shape)
        self.history_ |= finish_decoder(self, embedding, X, rng)
        self.embedding_ = embedding
        return self

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedding_")

    def fit_transform(self, X, y=None):
        "Fit, and return the embedding of the rows, shape (n_rows, n_components), float32."
        return self.fit(X, y).embedding_

    def transform(self, X):
        "Embed rows, one or a million, in one forward pass: float32 of shape (n_rows, n_components)."
        check_is_fitted(self)
        return encode(self.encoder_, check_input(self, X, reset=False), self._input_shape)

    @available_if(lambda self: has_decoder(self))
    def inverse_transform(self, X):
        "Decode points of shape (n_rows, n_components) into rows of the fitted shape; only there when fitted with a decoder."
        return decode(self, X)

    def save(self, path) -> None:
        "Write the fitted estimator to one file, see `write_archive`."
        write_archive(self, path)

    @classmethod
    def load(cls, path):
        "Read an estimator that `save` wrote; raises `ValueError` if the file is damaged or something else."
        return read_archive(cls, path)

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]  # as fitted, whatever `n_components` is by now

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


# %% [markdown]
# ## A first embedding
#
# Handwritten digits, 8 x 8 pixels. The last 300 are kept back.

# %%
X, y = load_digits(return_X_y=True)
X = X.astype("float32") / 16
X_train, X_new, y_train, y_new = X[:1200], X[1200:1500], y[:1200], y[1200:1500]

model = ParametricUMAP(n_training_epochs=2, batch_size=256, random_state=0).fit(X_train)

fig, axes = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
for ax, z, labels, title in ((axes[0], model.embedding_, y_train, "fitted"), (axes[1], model.transform(X_new), y_new, "new rows")):
    ax.scatter(*z.T, c=labels, cmap="tab10", s=6)
    ax.set(title=title)
    ax.set_axis_off()

# %% [markdown]
# The new digits fall where their likes are, by one forward pass. Two numbers say so: how far the neighbours in the embedding can be trusted to be
# neighbours in the data, and how often the nearest fitted digit is the same digit.

# %%
assert trustworthiness(X_train, model.embedding_, n_neighbors=5) > 0.96
assert KNeighborsClassifier(1).fit(model.embedding_, y_train).score(model.transform(X_new), y_new) > 0.85
assert_array_equal(model.transform(X_train), model.embedding_)
assert model.embedding_.shape == (1200, 2) and model.embedding_.dtype == np.float32

# %% [markdown]
# ## Rows of every kind
#
# The same rows as images, lists, doubles, a sparse matrix or a data frame give the same embedding.

# %%
quick = dict(n_training_epochs=0.1, random_state=0)
rows = X_train[:200]
z = ParametricUMAP(**quick).fit_transform(rows)
for same in (rows.tolist(), rows.astype("float64"), sparse.csr_matrix(rows), rows.reshape(200, 8, 8, 1)):
    assert_allclose(ParametricUMAP(**quick).fit_transform(same), z, atol=1e-3)
grey = (rows * 16).astype("uint8")
assert_allclose(ParametricUMAP(**quick).fit_transform(grey), ParametricUMAP(**quick).fit_transform(grey.astype("float32")))

# %%
frame = pd.DataFrame(rows, columns=[f"pixel{i}" for i in range(64)], index=range(1000, 1200))
out = ParametricUMAP(**quick).set_output(transform="pandas").fit_transform(frame)
assert list(out.columns) == ["parametricumap0", "parametricumap1"] and list(out.index) == list(frame.index)

# %% [markdown]
# It fits into pipelines and can be cloned. One seed gives one embedding; fitting again starts again.

# %%
pipeline = make_pipeline(MinMaxScaler(), ParametricUMAP(**quick))
assert pipeline.fit_transform(rows).shape == (200, 2)
twin = clone(ParametricUMAP(n_neighbors=7, **quick))
assert twin.n_neighbors == 7
first = twin.fit_transform(rows)
assert_array_equal(twin.fit(rows).embedding_, first)

# %% [markdown]
# Known neighbours, or a whole graph, can be given, and so can labels, which draw rows of a class together.

# %%
from pumap.graph import nearest_neighbors

knn = nearest_neighbors(rows, 15)
assert_allclose(ParametricUMAP(precomputed_knn=knn, **quick).fit_transform(rows), z, atol=1e-3)
graph = fuzzy_graph(rows)
assert_allclose(ParametricUMAP(precomputed_graph=graph, **quick).fit_transform(rows), z, atol=1e-3)
supervised = ParametricUMAP(**quick).fit(rows, y_train[:200])


def share_between_classes(graph):
    coo = graph.tocoo()
    return coo.data[y_train[coo.row] != y_train[coo.col]].sum() / coo.data.sum()


assert share_between_classes(supervised.graph_) < share_between_classes(graph) / 5


# %% [markdown]
# ## A way back
#
# With a decoder, points of the embedding can be turned into rows. The embedding is the same as without one; with `autoencoder_loss=True` the two are trained jointly, and it is another.

# %%
#| export
def has_decoder(estimator) -> bool:
    "Whether a fitted estimator can go back; an `AttributeError` says what to do if not."
    check_is_fitted(estimator)
    if estimator.decoder_ is None:
        raise AttributeError("This ParametricUMAP was fitted without a decoder: set decoder='mlp' (or another) and fit again.")
    return True


def decode(
    estimator,  # ParametricUMAP, fitted with a decoder
    points,  # shape (n_rows, n_components)
) -> np.ndarray:  # rows of the fitted shape, float32
    "Put points of the embedding through the decoder."
    points = check_array(points, dtype=np.float32)
    width = estimator.embedding_.shape[1]
    if points.shape[1] != width:
        raise ValueError(f"Points have {points.shape[1]} coordinates, but the embedding has {width}.")
    return encode(estimator.decoder_, points, (width,)).reshape(len(points), *estimator._row_shape)


# %%
autoencoder = ParametricUMAP(decoder="mlp", n_training_epochs=2, batch_size=256, random_state=0).fit(X_train)
decoded = autoencoder.inverse_transform(autoencoder.transform(X_new))
fig, axes = plt.subplots(2, 8, figsize=(8, 2.2))
for column in range(8):
    for ax, image in zip(axes[:, column], (X_new[column], decoded[column])):
        ax.imshow(image.reshape(8, 8), cmap="gray_r")
        ax.set_axis_off()
assert ((decoded - X_new) ** 2).mean() < 0.8 * ((X_train.mean(axis=0) - X_new) ** 2).mean()
assert_array_equal(autoencoder.embedding_, model.embedding_)
assert not hasattr(model, "inverse_transform")


# %% [markdown]
# ## One file
#
# `save` writes a zip archive: the settings and the record of the loss as JSON, the networks in Keras' own format, the embedding as a NumPy array. The training data and the graph are not
# in it. It is written beside its destination and then renamed, so that a full disk or a kill leaves the older file as it was. A setting that is an object and not a value (a model, a function) is not written; the fitted networks
# are what `transform` needs. Such a setting is named in a warning and, after loading, in its own place.

# %%
#| export
def split_settings(
    settings: dict,
) -> tuple[dict, list]:  # (settings that JSON can hold or a note in their place, names of the others)
    "Keep what JSON can hold; a note stands in for the rest."
    kept, dropped = {}, []
    for name, value in settings.items():
        value = value.item() if isinstance(value, np.generic) else value
        try:
            json.dumps(value)
        except TypeError:
            dropped.append(name)
            value = f"not saved: {type(value).__name__} given as {name}"
        kept[name] = value
    return kept, dropped


# %%
kept, dropped = split_settings({"min_dist": np.float64(0.1), "encoder": len})
assert kept["min_dist"] == 0.1 and dropped == ["encoder"] and kept["encoder"].startswith("not saved")


# %%
#| export
@contextlib.contextmanager
def packed(
    path,  # of the file to write
):
    "A temporary folder; what is put into it becomes one zip archive at `path`, all or nothing."
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file in it, such as {path / 'model.pumap'}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} into: make it first.")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name) as folder:
        folder = Path(folder)
        yield folder
        with zipfile.ZipFile(folder / "archive", "w") as archive:
            for part in sorted(folder.glob("*.*")):
                archive.write(part, part.name)
        os.replace(folder / "archive", path)


@contextlib.contextmanager
def unpacked(
    path,  # of a file that `packed` wrote
    writer: str = "ParametricUMAP",  # for the error: the class whose `save` should have written it
):
    "A temporary folder with the parts of an archive; a `ValueError` if it is damaged or something else."
    try:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
            yield Path(folder)
    except (zipfile.BadZipFile, FileNotFoundError, KeyError, json.JSONDecodeError) as error:
        if not Path(path).exists():
            raise
        raise ValueError(f"{path} is damaged or was not written by {writer}.save: {error}") from error


# %% [markdown]
# What goes into an archive differs from class to class (`SemiSupervisedClassifier`, in `08_semisupervised`, writes one as well); how it is written and read does not.

# %%
#| export
class Archive(NamedTuple):
    "What is kept of an estimator besides its settings and a few numbers."

    format: str  # the first words of the file
    arrays: tuple  # names of NumPy arrays: the attribute "name_" is kept as name.npy
    networks: tuple  # names of Keras models: the attribute "name_" is kept as name.keras; all but the first may be None


FITTED = ("a_", "b_", "n_features_in_", "_row_shape", "_input_shape", "history_")
ARCHIVE = Archive("pumap ParametricUMAP 1", ("embedding",), ("encoder", "decoder"))


def write_archive(
    estimator: BaseEstimator,  # fitted
    path,  # of the file to write
    archive: Archive = ARCHIVE,  # what is kept
) -> None:
    "Write a fitted estimator to one file, all or nothing; the training data and the graph are not in it."
    check_is_fitted(estimator)
    settings, dropped = split_settings(estimator.get_params(deep=False))
    if dropped:
        warnings.warn(f"Not saved, since they are objects: {', '.join(dropped)}. What is fitted works; to fit again, set them after loading.", stacklevel=3)
    fitted = {name: getattr(estimator, name) for name in FITTED} | {"feature_names_in_": list(getattr(estimator, "feature_names_in_", []))}
    with packed(path) as folder:
        (folder / "about.json").write_text(json.dumps({"format": archive.format, "settings": settings, "fitted": fitted}))
        for name in archive.arrays:
            np.save(folder / f"{name}.npy", getattr(estimator, f"{name}_"))
        for name in archive.networks:
            if getattr(estimator, f"{name}_") is not None:
                getattr(estimator, f"{name}_").save(folder / f"{name}.keras")


# %%
#| export
def read_archive(
    cls,  # class of the estimator
    path,  # of a file that `write_archive` wrote
    archive: Archive = ARCHIVE,  # what was kept
):  # a fitted estimator, without `graph_`
    "Read a fitted estimator; raises `ValueError` if the file is damaged or something else."
    writer = archive.format.split()[1]
    with unpacked(path, writer) as folder:
        about = json.loads((folder / "about.json").read_text())
        if about["format"] != archive.format:
            raise ValueError(f"{path} has the format {about['format']!r}; {writer} reads {archive.format!r}.")
        parts = {f"{name}_": np.load(folder / f"{name}.npy") for name in archive.arrays}
        parts |= {f"{name}_": read_network(folder / f"{name}.keras", path) for name in archive.networks}
        if parts[f"{archive.networks[0]}_"] is None:
            raise KeyError(f"{archive.networks[0]}.keras")
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in about["settings"].items()}  # JSON has lists only
    estimator = cls(**settings)
    names = about["fitted"].pop("feature_names_in_")
    if names:
        parts["feature_names_in_"] = np.array(names, dtype=object)
    for name, value in (about["fitted"] | parts).items():
        setattr(estimator, name, tuple(value) if name.endswith("_shape") else value)
    return estimator


def read_network(
    file: Path,  # of a Keras model
    path,  # of the archive that it was in, for errors
):  # Keras model, or None if there is no such file
    "A network out of an archive; a `ValueError` if Keras cannot read it here."
    if not file.exists():
        return None
    try:
        return keras.saving.load_model(file, compile=False)
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"Keras cannot load the network in {path}; register its own layers with keras.saving first: {reason}") from error


# %%
with tempfile.TemporaryDirectory() as folder:
    autoencoder.save(f"{folder}/digits.pumap")
    loaded = ParametricUMAP.load(f"{folder}/digits.pumap")
assert_array_equal(loaded.transform(X_new), autoencoder.transform(X_new))
assert_array_equal(loaded.inverse_transform(X_new[:5, :2]), autoencoder.inverse_transform(X_new[:5, :2]))
assert loaded.get_params() == autoencoder.get_params() and loaded.history_ == autoencoder.history_

# %% [markdown]
# Pickling works as well, and keeps everything.

# %%
unpickled = pickle.loads(pickle.dumps(model))
assert_array_equal(unpickled.transform(X_new), model.transform(X_new))
assert (unpickled.graph_ != model.graph_).nnz == 0


# %% [markdown]
# ## What goes wrong, and what is said
#
# Each mistake gets one sentence with the values that are wrong.

# %%
def message(call):
    try:
        call()
    except (ValueError, AttributeError) as error:
        return str(error)
    raise AssertionError("no error")


rows = X_train[:50]
assert "NaN" in message(lambda: ParametricUMAP().fit(np.where(rows > 0.9, np.nan, rows)))
assert "infinity" in message(lambda: ParametricUMAP().fit(np.where(rows > 0.9, np.inf, rows)))
assert "at least 16" in message(lambda: ParametricUMAP().fit(rows[:10]))
assert "1 sample" in message(lambda: ParametricUMAP().fit(rows[:1]))
assert "0 sample" in message(lambda: ParametricUMAP().fit(rows[:0]))
assert "are the same" in message(lambda: ParametricUMAP().fit(np.ones((50, 3))))
assert "string" in message(lambda: ParametricUMAP().fit([["a", "b"]] * 50))
assert "min_dist" in message(lambda: ParametricUMAP(min_dist=2.0).fit(rows))
assert "y has shape (7,)" in message(lambda: ParametricUMAP().fit(rows, np.arange(7)))
assert "output" in message(lambda: ParametricUMAP(n_components=3, encoder=model.encoder_).fit(rows))
assert "solver" in message(lambda: ParametricUMAP(solver="magic").fit(rows))
assert "not fitted" in message(lambda: ParametricUMAP().transform(rows))
assert "64 features" in message(lambda: model.transform(rows[:, :10]))
assert "between 0 and 1" in message(lambda: ParametricUMAP(decoder="mlp").fit(rows * 16))
assert "product is 64" in message(lambda: ParametricUMAP(dims=(8, 8, None)).fit(rows))

# %% [markdown]
# ## For reference

# %%
show_doc(ParametricUMAP.fit)

# %%
show_doc(ParametricUMAP.transform)
