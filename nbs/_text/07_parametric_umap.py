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
# > A scikit-learn estimator: build the graph, train the network, embed new rows in one forward pass.

# %%
#| default_exp parametric_umap

# %%
#| hide
import pickle
import tempfile

import matplotlib.pyplot as plt
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

# %%
#| export
import copy
import math
import numbers
from typing import NamedTuple

import keras
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from pumap.backend import to_onnx
from pumap.core import (
    Archive,
    StoredRows,
    check_graph,
    check_input,
    check_numbers,
    check_points,
    check_unit_range,
    explain_unknown_parameters,
    is_iterator,
    random_generator,
    read_archive,
    warn_of_stray_attributes,
    write_archive,
    write_atomic,
)
from pumap.fast_solver import fit_encoder_fast, make_stages
from pumap.graph import FuzzyUnion, check_distances, find_ab, fuzzy_graph, intersect_labels, intersect_targets, pruned_edges, search_progress
from pumap.losses import UMAPLoss, check_form, is_binary_crossentropy, named_loss
from pumap.networks import POLICIES, build_decoder, build_encoder
from pumap.training import (
    Decoding,
    Landmarks,
    ReconstructionCheck,
    Rows,
    StoppingRule,
    TrainingOptions,
    check_decoder,
    encode,
    encode_jacobian,
    fit_decoder,
    fit_encoder,
    fresh_optimizer,
)

# %% [markdown]
# The estimator combines a graph (`01_graph`), a loss (`02_losses`), networks (`03_networks`) and two training loops (`05_training`,
# `06_fast_solver`). It follows scikit-learn's rules: `__init__` only stores its arguments, `fit` checks and computes, fitted attributes end in `_`,
# and fitting again starts from scratch.
#
# ## Settings
#
# A parameter has the name of umap-learn's, if there is one. `None` stands for a default that depends on the solver or the data. The docstring of
# `ParametricUMAP`, below, describes each parameter. umap-learn has more of them, or calls them otherwise. Using one raises an error with a sentence
# from this table. (`12_umap_compat` has a class that takes them all.)

# %%
#| export
_SEARCH = "The neighbor search chooses its method itself; precomputed_knn takes the result of another search."
_DENSITY = "The loss has no density term; umap.UMAP(densmap=True) has one."
_ONE_PASS = "transform is one forward pass of the encoder: it searches no neighbors and draws nothing."
_FOREIGN = {  # parameters of umap-learn that have no counterpart of the same name
    "parametric_reconstruction": "Set decoder='mlp' (or another); it does not change the embedding unless autoencoder_loss=True.",
    "parametric_reconstruction_loss_fcn": "It is called reconstruction_loss here.",
    "landmark_loss_fn": "It is called landmark_loss here.",
    "keras_fit_kwargs": "Training is not Keras' fit: set n_training_epochs, batch_size, verbose and callbacks.",
    "loss_report_frequency": "history_ holds about a hundred values of the loss, however many epochs there are.",
    "init": "The solver chooses its own start: the encoder's initial weights, for networks with expensive layers a layout (solver_options).",
    "unique": "Remove duplicate rows first, with np.unique(X, axis=0, return_inverse=True).",
    "disconnection_distance": "All n_neighbors neighbors of a row count; leave far ones out of a precomputed_graph.",
    "low_memory": _SEARCH,
    "angular_rp_forest": _SEARCH,
    "force_approximation_algorithm": _SEARCH,
    "output_metric": "Distances in the embedding are Euclidean.",
    "output_metric_kwds": "Distances in the embedding are Euclidean.",
    "transform_seed": _ONE_PASS,
    "transform_queue_size": _ONE_PASS,
    "transform_mode": "fit always embeds; pumap.graph.fuzzy_graph builds a graph alone.",
    "tqdm_kwds": "verbose=True shows a progress bar; its look is fixed.",
    "target_n_neighbors": "A graph of targets has n_neighbors neighbors, like that of the rows.",
    "target_metric_kwds": "A metric of targets takes no arguments.",
    **dict.fromkeys(("densmap", "dens_lambda", "dens_frac", "dens_var_shift", "output_dens"), _DENSITY),
}


# %% [markdown]
# The defaults are umap-learn's. `__init__` stores what it is given.

# %%
#| export
class _Settings(BaseEstimator):
    _doc_link_module = "pumap"  # with a link, scikit-learn's HTML shows what each parameter means
    _doc_link_template = "https://github.com/pumap/pumap/blob/main/nbs/07_parametric_umap.ipynb"

    @explain_unknown_parameters(_FOREIGN)
    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 15,
        min_dist: float = 0.1,
        spread: float = 1.0,
        metric="euclidean",
        metric_kwds: dict | None = None,
        encoder="mlp",
        decoder=None,
        dims: tuple | None = None,
        solver: str = "fast",
        n_training_epochs: float | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        optimizer=None,
        callbacks=None,
        negative_sample_rate: int = 5,
        repulsion_strength: float = 1.0,
        loss: str = "paper",
        a: float | None = None,
        b: float | None = None,
        edge_sampling: str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        solver_options: dict | None = None,
        n_epochs: int | None = None,
        set_op_mix_ratio: float = 1.0,
        local_connectivity: float = 1.0,
        precomputed_knn=None,
        precomputed_graph=None,
        precomputed_distances=None,
        target_metric="categorical",
        target_weight: float = 0.5,
        landmark_loss="euclidean",
        landmark_loss_weight: float = 1.0,
        global_correlation_loss_weight: float = 0.0,
        autoencoder_loss: bool = False,
        n_decoder_epochs: float | None = None,
        reconstruction_loss="binary_crossentropy",
        parametric_reconstruction_loss_weight: float = 1.0,
        dtype: str = "float32",
        reconstruction_validation=None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state=None,
        verbose: bool = False,
    ):
        for name, value in locals().items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)


# %% [markdown]
# ## Checks
#
# `fit` checks all settings before it computes anything.

# %%
#| export
_INTEGERS = {"n_components": 1, "n_neighbors": 2, "negative_sample_rate": 1, "batch_size": 2, "n_epochs": 1, "n_iter_no_change": 1}
_POSITIVE = (
    "spread", "n_training_epochs", "n_decoder_epochs", "learning_rate", "repulsion_strength", "parametric_reconstruction_loss_weight", "a", "b",
    "landmark_loss_weight",
)  # fmt: skip
_OPTIONAL = ("batch_size", "n_epochs", "a", "b", "n_training_epochs", "n_decoder_epochs", "learning_rate", "edge_sampling")
_CHOICES = {"solver": ("fast", "paper"), "edge_sampling": ("paper", "weighted"), "dtype": POLICIES}
_RANGES = {"set_op_mix_ratio": 1, "local_connectivity": math.inf, "target_weight": 1, "global_correlation_loss_weight": math.inf}  # from 0 to these


def _check_settings(settings: dict) -> None:
    "Raise a `ValueError` for a setting that is out of range."
    given = check_numbers(settings, _OPTIONAL, _INTEGERS, _POSITIVE)
    for name, known in _CHOICES.items():
        if name in given and given[name] not in known:
            raise ValueError(f"{name} is {given[name]!r}; it must be one of: {', '.join(known)}.")
    check_form(given["loss"])
    if isinstance(given["metric"], str) and given["metric"] == "precomputed":
        raise ValueError("metric is 'precomputed': leave it out, and give the distances as precomputed_distances and the features as X.")
    tables = [name for name in ("precomputed_knn", "precomputed_graph", "precomputed_distances") if given[name] is not None]
    if len(tables) > 1:
        raise ValueError(f"{tables[0]} and {tables[1]} are both given: give one of them.")
    make_stages(given["solver_options"])
    if not isinstance(given["min_dist"], numbers.Real):
        raise ValueError(f"min_dist is {given['min_dist']!r}; it must be a number between 0 and spread.")
    if ("a" in given) != ("b" in given):
        raise ValueError(f"a is {settings['a']} and b is {settings['b']}: give both, or neither.")
    if given["autoencoder_loss"] and given["decoder"] is None:
        raise ValueError("autoencoder_loss is True, but there is no decoder: set decoder='mlp' (or another).")
    if given["dtype"] != "float32" and not any(isinstance(given[role], str) for role in ("encoder", "decoder")):
        raise ValueError(f"dtype is {given['dtype']!r}, but only networks given by name take it: set it in your own network.")
    for name in ("early_stopping", "solver_options"):
        if given[name] and given["solver"] != "fast":
            raise ValueError(f"{name} needs solver='fast'; solver is {given['solver']!r}.")
    for name, most in _RANGES.items():
        if not isinstance(given[name], numbers.Real) or not 0 <= given[name] <= most:
            raise ValueError(f"{name} is {given[name]!r}; it must be a number from 0 to {most}.")
    if not isinstance(given["validation_fraction"], numbers.Real) or not 0 < given["validation_fraction"] < 1:
        raise ValueError(f"validation_fraction is {given['validation_fraction']!r}; it must be between 0 and 1.")
    _check_objects(given)


def _check_objects(given: dict) -> None:
    "Raise a `ValueError` for losses, optimizers and callbacks that are none."
    for name in ("reconstruction_loss", "landmark_loss"):
        if name != "landmark_loss" or given[name] != "euclidean":
            named_loss(given[name], name)
    fresh_optimizer(given["optimizer"])
    if given["optimizer"] is not None and "learning_rate" in given:
        raise ValueError(f"learning_rate is {given['learning_rate']}, but the optimizer has its own: give one of the two.")
    if not isinstance(given["callbacks"], (list, tuple, type(None))) or not all(isinstance(c, keras.callbacks.Callback) for c in given["callbacks"] or ()):
        raise ValueError(f"callbacks is {given['callbacks']!r}; it must be a list of Keras callbacks.")
    if not (isinstance(given["target_metric"], str) or callable(given["target_metric"])):
        raise ValueError(f"target_metric is {given['target_metric']!r}; it must be 'categorical', or a metric of continuous targets.")
    if given["reconstruction_validation"] is not None and given["decoder"] is None:
        raise ValueError("reconstruction_validation has no effect without a decoder: set decoder='mlp', or another network.")


# %% [markdown]
# ## The steps of `fit`
#
# The first step is the graph. It is given, or built from the rows. If there are labels or continuous targets, it is combined with them.

# %%
#| export
def build_graph(settings, X, y, rng: np.random.Generator) -> sparse.csr_matrix:
    """Build the graph of an estimator's rows.

    Parameters
    ----------
    settings : ParametricUMAP
    X : ndarray or CSR matrix
    y : array-like, shape (n_rows,), or None
        Classes, -1 = unknown; or targets, see `target_metric`.
    rng : numpy.random.Generator

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n_rows, n_rows)
        Membership strengths.
    """
    if settings.precomputed_graph is not None:
        graph = check_graph(settings.precomputed_graph, X.shape[0])
    elif settings.precomputed_distances is not None:
        distances = check_distances(settings.precomputed_distances, X.shape[0], "precomputed_distances")
        union = FuzzyUnion(settings.set_op_mix_ratio, settings.local_connectivity)
        graph = fuzzy_graph(distances, settings.n_neighbors, "precomputed", union=union)
    else:
        flat = X if sparse.issparse(X) else _flat(X)
        names = ("n_neighbors", "metric", "metric_kwds", "precomputed_knn", "n_jobs")
        with search_progress(getattr(settings, "verbose", False)):
            graph = fuzzy_graph(
                flat.astype(np.float32, copy=False),
                union=FuzzyUnion(settings.set_op_mix_ratio, settings.local_connectivity),
                random_state=None if settings.random_state is None else rng,
                **{name: getattr(settings, name) for name in names},
            )
    if y is None:
        return graph
    if isinstance(settings.target_metric, str) and settings.target_metric == "categorical":
        return intersect_labels(graph, y, far_dist=2.5 / (1 - settings.target_weight) if settings.target_weight < 1 else 1e12)
    return intersect_targets(graph, y, settings.n_neighbors, settings.target_metric, settings.target_weight, rng)


def _flat(X):
    "Rows as vectors; the number of each row for rows that are read by index, since their neighbors are given."
    return np.arange(len(X), dtype=np.float32)[:, None] if isinstance(X, StoredRows) else X.reshape(len(X), -1)


# %% [markdown]
# The next steps are the loss and the networks. The weights of the decoder come from a copy of the generator, so the embedding is the same with and
# without a decoder.

# %%
#| export
def build_loss(settings) -> UMAPLoss:
    """Build the loss of an estimator; a and b are as given, or fitted to `min_dist` and `spread`."""
    a, b = find_ab(settings.min_dist, settings.spread) if settings.a is None else (float(settings.a), float(settings.b))
    return UMAPLoss(a, b, settings.loss, settings.repulsion_strength, settings.negative_sample_rate)


def build_networks(settings, rows: Rows, rng: np.random.Generator) -> tuple:
    """Build the networks of an estimator.

    Parameters
    ----------
    settings : ParametricUMAP
    rows : Rows
        Training rows; they give the shape of a row, and a decoder must be able to reach their values.
    rng : numpy.random.Generator
        Draws the initial weights.

    Returns
    -------
    tuple
        The encoder, and the decoder or `None`.
    """
    encoder = build_encoder(settings.encoder, rows.shape, settings.n_components, rng, settings.dtype)
    if settings.decoder is None:
        return encoder, None
    return encoder, _build_decoder(settings, rows, copy.deepcopy(rng))


def _build_decoder(settings, rows, rng):
    loss = "binary_crossentropy" if is_binary_crossentropy(settings.reconstruction_loss) else settings.reconstruction_loss
    check_unit_range(rows.X, loss, settings.decoder)
    decoder = build_decoder(settings.decoder, rows.shape, settings.n_components, rng, settings.dtype)
    if not getattr(settings.reconstruction_loss, "from_logits", False):  # logits may have any value
        check_decoder(decoder, loss)
    return decoder


# %% [markdown]
# With `warm_start`, and in `update`, training goes on from the fitted networks.

# %%
#| export
def fitted_networks(estimator, rows: Rows, rng: np.random.Generator) -> tuple:
    """Take the networks of a fitted estimator, to train them further.

    Parameters
    ----------
    estimator : ParametricUMAP
    rows : Rows
    rng : numpy.random.Generator
        Draws the weights of a decoder, if there was none.

    Returns
    -------
    tuple
        The encoder, and the decoder or `None`.

    Raises
    ------
    ValueError
        If `n_components` has changed.
    """
    encoder, width = estimator.encoder_, estimator.encoder_.output_shape[-1]
    if width != estimator.n_components:
        raise ValueError(f"n_components is {estimator.n_components}, but the fitted encoder has {width}: set warm_start=False to start from scratch.")
    if estimator.decoder is None:
        return encoder, None
    return encoder, estimator.decoder_ or _build_decoder(estimator, rows, copy.deepcopy(rng))


# %% [markdown]
# Training is last. The paper's solver trains the decoder together with the encoder. The fast solver does so only with `autoencoder_loss=True`; in
# any case, it then trains the decoder alone, on the finished embedding.

# %%
#| export
class Start(NamedTuple):
    """Hold what is known of the embedding before training.

    Attributes
    ----------
    warm : bool
        The networks are trained further, and do not start from scratch.
    positions : ndarray, float32, shape (n_rows, n_components), or None
        Positions of landmarks; NaN for other rows.
    """

    warm: bool = False
    positions: np.ndarray | None = None


def make_options(settings, n_rows: int, positions=None) -> TrainingOptions:
    """Collect the training options of an estimator.

    Parameters
    ----------
    settings : ParametricUMAP
    n_rows : int
    positions : ndarray or None
        Positions of landmarks.

    Returns
    -------
    TrainingOptions
    """
    size = settings.batch_size or (1000 if settings.solver == "paper" else None)
    return TrainingOptions(
        settings.n_training_epochs,
        size and min(n_rows, size),
        settings.learning_rate,
        settings.edge_sampling,
        StoppingRule(settings.validation_fraction, settings.n_iter_no_change) if settings.early_stopping else None,
        verbose=settings.verbose,
        landmarks=None if positions is None else Landmarks(positions, settings.landmark_loss_weight, settings.landmark_loss),
        correlation_weight=settings.global_correlation_loss_weight,
        optimizer=settings.optimizer,
        callbacks=tuple(settings.callbacks or ()),
    )


def _validation(settings, decoding, encoder) -> tuple:
    "The callback that measures the reconstruction of held-out rows, if there are any."
    if decoding is None or settings.reconstruction_validation is None:
        return ()
    rows = Rows(check_input(settings, settings.reconstruction_validation, reset=False), settings._input_shape)
    return (ReconstructionCheck(rows, encoder, decoding),)


# %% [markdown]
# A network that was given or fitted before starts from what it has learned: its first layer was made for rows that are not centered. A warm start
# needs no layout, and normalization would undo what its layers have learned.

# %%
#| export
def train(settings, rows: Rows, graph, loss: UMAPLoss, networks: tuple, rng: np.random.Generator, start: Start = Start()) -> dict:
    """Train the networks of an estimator on the edges of a graph.

    Parameters
    ----------
    settings : ParametricUMAP
    rows : Rows
    graph : scipy.sparse.csr_matrix
    loss : UMAPLoss
    networks : tuple
        Encoder, and decoder or `None`; trained in place.
    rng : numpy.random.Generator
    start : Start

    Returns
    -------
    dict
        History, see `training.fit_encoder`.
    """
    encoder, decoder = networks
    options, edges = make_options(settings, len(rows), start.positions), pruned_edges(graph, settings.n_epochs)
    decoding = decoder and Decoding(decoder, settings.reconstruction_loss, settings.parametric_reconstruction_loss_weight, settings.autoencoder_loss)
    joint = decoding if settings.solver == "paper" or settings.autoencoder_loss else None
    checks = _validation(settings, joint, encoder)
    options = options._replace(callbacks=options.callbacks + checks)
    if settings.solver == "paper":
        history = fit_encoder(rows, edges, encoder, loss, joint, options, rng)
    else:
        learned = {"fresh": False} if start.warm or isinstance(settings.encoder, keras.Model) else {}
        learned |= {"layout_passes": 0, "normalize": False} if start.warm else {}
        stages = make_stages({"parallel": settings.random_state is None} | learned | (settings.solver_options or {}))
        history = fit_encoder_fast(rows, edges, encoder, loss, joint, options, stages, rng)
    history |= {"validation": check.losses for check in checks}
    if any(network is not None and network.losses for network in networks):
        history["notes"].append("regularizers of the networks' layers do not count: the loss is that of UMAP, and of the reconstruction")
    return history


def finish_decoder(estimator, embedding, rows: Rows, rng: np.random.Generator) -> dict:
    """Train the decoder alone, on the finished embedding.

    Nothing is done without a decoder, and with `solver="paper"` unless `n_decoder_epochs` is set.

    Parameters
    ----------
    estimator : ParametricUMAP
        With trained networks.
    embedding : ndarray, shape (n_rows, n_components)
    rows : Rows
    rng : numpy.random.Generator

    Returns
    -------
    dict
        "decoder": its loss, and "validation", its loss on held-out rows; empty if nothing is done.
    """
    if estimator.decoder_ is None or estimator.solver == "paper" and estimator.n_decoder_epochs is None:
        return {}
    checks = _validation(estimator, Decoding(estimator.decoder_, estimator.reconstruction_loss), estimator.encoder_)
    options = TrainingOptions(estimator.n_decoder_epochs, verbose=estimator.verbose, callbacks=checks)
    history = fit_decoder(embedding, rows, estimator.decoder_, estimator.reconstruction_loss, options, rng)
    return {"decoder": history["reconstruction"]} | {"validation": check.losses for check in checks}


# %% [markdown]
# `fit` calls these steps one after the other. The estimator is fitted when its last attribute, `embedding_`, is there.

# %%
#| export
def _fit_from(estimator, X, y, start: Start):
    "Fit an estimator, whose settings and rows have been checked, from scratch or from its fitted networks."
    rng, rows, loss = random_generator(estimator.random_state), Rows(X, estimator._input_shape), build_loss(estimator)
    networks = (fitted_networks if start.warm else build_networks)(estimator, rows, rng)
    graph = build_graph(estimator, X, y, rng)
    estimator.__dict__.pop("embedding_", None)
    estimator.a_, estimator.b_, estimator.graph_, estimator._rows = loss.a, loss.b, graph, (X, y)
    estimator.encoder_, estimator.decoder_ = networks
    estimator.history_ = train(estimator, rows, graph, loss, networks, rng, start)
    embedding = encode(estimator.encoder_, rows)
    estimator.history_ |= finish_decoder(estimator, embedding, rows, rng)
    estimator.embedding_ = embedding
    return estimator


# %% [markdown]
# Landmarks are rows with a given position. `update` makes landmarks of all old rows, and appends the new ones.

# %%
#| export
def check_landmarks(positions, n_rows: int, n_components: int) -> np.ndarray | None:
    """Check the positions of landmarks.

    Parameters
    ----------
    positions : array-like, shape (n_rows, n_components), or None
        NaN for rows that are not landmarks.
    n_rows : int
    n_components : int

    Returns
    -------
    ndarray, float32, or None
        `None` if no row is a landmark.

    Raises
    ------
    ValueError
        For another shape, or infinite values.
    """
    if positions is None:
        return None
    positions = np.asarray(positions, dtype=np.float32)
    if positions.shape != (n_rows, n_components):
        raise ValueError(f"landmark_positions has shape {positions.shape}; it must be ({n_rows}, {n_components}), with NaN for rows that are not landmarks.")
    if np.isinf(positions).any():
        raise ValueError("landmark_positions has infinite values; a row that is not a landmark has NaN.")
    return None if np.isnan(positions).any(axis=1).all() else positions


# %% [markdown]
# Old and new rows are joined for `update`, and their labels with them.

# %%
#| export
def _joined(old, new):
    "Old rows on top of new ones."
    if isinstance(old, StoredRows) or isinstance(new, StoredRows):
        raise ValueError("update needs arrays: give the rows that are read by their index as arrays, the old ones as X_old.")
    if sparse.issparse(old) or sparse.issparse(new):
        return sparse.vstack([sparse.csr_matrix(old), sparse.csr_matrix(new)], format="csr")
    return np.concatenate([old, new])


def _joined_labels(labels, sizes, target_metric):
    "Labels of old and new rows; rows without any are unlabeled. `labels` and `sizes` are pairs."
    if labels[0] is None and labels[1] is None:
        return None
    missing = [i for i in (0, 1) if labels[i] is None]
    if missing and not (isinstance(target_metric, str) and target_metric == "categorical"):
        raise ValueError(f"The {'old' if missing == [0] else 'new'} rows have no targets: with target_metric={target_metric!r} all rows need one.")
    return np.concatenate([np.full(n, -1, dtype=object) if y is None else np.asarray(y, dtype=object) for y, n in zip(labels, sizes)]).tolist()


def _old_and_new(estimator, X, y, X_old, y_old):
    "Old rows on top of new ones, their labels, and a start in which the old rows are landmarks."
    for name in ("precomputed_knn", "precomputed_graph", "precomputed_distances"):
        if getattr(estimator, name) is not None:
            raise ValueError(f"{name} holds for the rows of the first fit only: set it to None to update, or fit with warm_start=True.")
    if X_old is None and not hasattr(estimator, "_rows"):
        raise ValueError("A loaded, unpickled or copied ParametricUMAP has no training rows: give them as X_old, too.")
    old, y_old = estimator._rows if X_old is None else (check_input(estimator, X_old, reset=False), y_old)
    new = check_input(estimator, X, reset=False)
    positions = np.full((old.shape[0] + new.shape[0], estimator.encoder_.output_shape[-1]), np.nan, dtype=np.float32)
    positions[: old.shape[0]] = encode(estimator.encoder_, Rows(old, estimator._input_shape))
    labels = _joined_labels((y_old, y), (old.shape[0], new.shape[0]), estimator.target_metric)
    return _joined(old, new), labels, Start(True, positions)


# %% [markdown]
# For an export, the networks take and return rows of the fitted shape, also if `dims` gives them another one.

# %%
#| export
def _network_and_examples(estimator, part: str) -> tuple:
    "A network that takes or returns rows of the fitted shape, and a few inputs."
    if part == "encoder" and estimator._offset is not None:
        raise ValueError("Some features are too large for float32, which an ONNX file takes: subtract their medians from the rows, and fit again.")
    if part == "encoder":
        examples = np.random.default_rng(0).random((3, *estimator._row_shape))
        steps = [keras.layers.Reshape(estimator._input_shape), estimator.encoder_]
    elif part == "decoder" and _has_decoder(estimator):
        examples = estimator.embedding_[:3]
        steps = [estimator.decoder_, keras.layers.Reshape(estimator._row_shape)]
    else:
        raise ValueError(f"part is {part!r}; it must be 'encoder' or 'decoder'.")
    return keras.Sequential([keras.Input(examples.shape[1:]), *steps]), examples


# %% [markdown]
# ## The estimator
#
# A trained encoder can be adopted as it is. The estimator is then fitted without a graph and without training.

# %%
#| export
def _adopt(estimator, X) -> None:
    "Make an estimator fitted whose `encoder`, and `decoder` if any, are trained Keras models."
    encoder, decoder = estimator.encoder, estimator.decoder
    if not isinstance(encoder, keras.Model) or not isinstance(decoder, (keras.Model, type(None))):
        raise ValueError(f"encoder is {encoder!r} and decoder is {decoder!r}; they must be trained Keras models, and the decoder may be None.")
    shape = tuple(getattr(encoder, "input_shape", (None, None))[1:])
    if X is None and None in shape:
        raise ValueError(f"The encoder takes rows of shape {shape}: give some rows as X, so that their shape is known.")
    if X is None:
        estimator._row_shape = estimator._input_shape = shape
        estimator.n_features_in_, estimator._offset = shape[0], None
    else:
        X = check_input(estimator, X, reset=True)
        estimator._rows = X, None
    estimator.encoder_ = build_encoder(encoder, estimator._input_shape, estimator.n_components, 0)
    estimator.decoder_ = decoder and build_decoder(decoder, estimator._input_shape, estimator.n_components, 0)
    loss = build_loss(estimator)
    estimator.a_, estimator.b_ = loss.a, loss.b
    estimator.history_ = {name: [] for name in ("step", "seconds", "loss", "attraction", "repulsion")} | {"notes": ["the encoder was adopted, not trained"]}
    estimator.embedding_ = np.empty((0, estimator.n_components), np.float32) if X is None else encode(estimator.encoder_, Rows(X, estimator._input_shape))


# %% [markdown]
# `inverse_transform` exists only for an estimator that was fitted with a decoder.

# %%
#| export
_ARCHIVE = Archive("pumap ParametricUMAP 1", ("embedding",), ("encoder", "decoder"))


def _transformed(estimator, batches):
    "Embed batch after batch."
    batches = map(batches.__getitem__, range(batches.num_batches)) if hasattr(batches, "num_batches") else batches  # a Keras PyDataset
    rows = (batch[0] if isinstance(batch, (tuple, list)) and np.ndim(batch[0]) > 1 else batch for batch in batches)
    parts = [encode(estimator.encoder_, Rows(check_input(estimator, part, reset=False), estimator._input_shape)) for part in rows]
    return np.concatenate([np.empty((0, estimator.embedding_.shape[1]), np.float32), *parts])


def _has_decoder(estimator) -> bool:
    check_is_fitted(estimator)
    if estimator.decoder_ is None:
        raise AttributeError("This ParametricUMAP was fitted without a decoder: set decoder='mlp' (or another) and fit again.")
    return True


# %% [markdown]
# `fit` checks settings and rows, and runs these steps. `transform` is one forward pass. `inverse_transform` decodes points of the embedding.

# %%
#| export
class ParametricUMAP(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Settings):
    r"""Embed rows with a neural network that is trained on the UMAP loss.

    `fit` builds the fuzzy graph of the rows and trains an encoder on its edges. `transform` embeds any rows in one forward pass.
    The loss of a pair at distance :math:`d` in the embedding, with :math:`q = 1 / (1 + a d^{2b})`, is :math:`-\log q` for an edge
    and :math:`-\log(1 - q)` for a negative pair [1]_.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    n_neighbors : int, default=15
        Size of a neighborhood, the row itself included. Larger values show more of the global structure.
    min_dist : float, default=0.1
        Distance in the embedding below which neighbors are not pulled together any more. Between 0 and `spread`.
    spread : float, default=1.0
        Scale of the distances in the embedding.
    metric : str or callable, default="euclidean"
        A name that umap-learn knows, or a numba function of two rows.
    metric_kwds : dict or None, default=None
        Keyword arguments of the metric.
    encoder : str, keras.Model or callable, default="mlp"
        "mlp", "conv28", "conv32", "song" or "munit"; a Keras model, which is copied; or a function (shape of a row, n_components) -> model.
    decoder : str, keras.Model, callable or None, default=None
        As for `encoder`; a function gets the same arguments and returns a model from embeddings to rows. With a decoder, the estimator has
        `inverse_transform`. `None` = no decoder.
    dims : tuple of int or None, default=None
        Shape of a row as the networks take it, such as (28, 28, 1). `None` = as in `X`.
    solver : {"fast", "paper"}, default="fast"
        Training loop: "paper" follows the original code step for step.
    n_training_epochs : float or None, default=None
        Epochs over the edges, each repeated by its strength; may be a fraction. `None` = 5 ("paper"), or 1.5 and at least 3,000 steps
        ("fast"; 0.25 for convolutions).
    batch_size : int or None, default=None
        Edges in a batch, no more than rows. `None` = 1,000 ("paper"), or a sixth of the rows, between 200 and 1,000 ("fast"; 500 for
        convolutions).
    learning_rate : float or None, default=None
        Learning rate of Adam. `None` = 1e-3 ("paper"), or 5e-3 falling to zero ("fast"; 5e-4 with convolutions or other expensive layers).
    optimizer : str, keras.optimizers.Optimizer or None, default=None
        Optimizer of the encoder, with its own learning rate; each fit takes a fresh copy. `None` = Adam with `learning_rate`.
    callbacks : list of keras.callbacks.Callback or None, default=None
        Called at the start, at the end, and after each hundredth of the run as after an epoch. `self.model.stop_training = True` stops training.
    negative_sample_rate : int, default=5
        Negative pairs for each edge.
    repulsion_strength : float, default=1.0
        Weight of the repulsion.
    loss : {"paper", "exact", "umap-learn-0.5.12"}, default="paper"
        Form of the cross entropy: clipped as in the paper's code, exact, or as umap-learn computes it.
    a : float or None, default=None
        Parameter of the similarity curve. `None` = fitted to `min_dist` and `spread`. Give `a` and `b`, or neither.
    b : float or None, default=None
        Parameter of the similarity curve; goes with `a`.
    edge_sampling : {"weighted", "paper"} or None, default=None
        Draw edges by their strength, or in the paper's scheme of repeats. `None` = "weighted" for the fast solver, else "paper".
    early_stopping : bool, default=False
        Hold out rows, and stop when their loss no longer falls. For the fast solver.
    validation_fraction : float, default=0.1
        Share of the rows that is held out for early stopping.
    n_iter_no_change : int, default=10
        Hundredths of the run without a lower held-out loss after which training stops.
    solver_options : dict or None, default=None
        Changes to `fast_solver.Stages`, such as ``{"layout_passes": 0}``.
    n_epochs : int or None, default=None
        Edges weaker than max / n_epochs are left out, as in umap-learn. `None` = 500 up to 10,000 rows, else 200.
    set_op_mix_ratio : float, default=1.0
        1 = fuzzy union of the two directions of an edge, 0 = intersection.
    local_connectivity : float, default=1.0
        Neighbors that count as fully connected.
    precomputed_knn : tuple of ndarray or None, default=None
        Indices and distances, each of shape (n_rows, >= n_neighbors), each row first among its neighbors. `None` = search.
    precomputed_graph : sparse matrix or None, default=None
        Membership strengths of shape (n_rows, n_rows), in place of a search.
    precomputed_distances : ndarray or None, default=None
        Distances of shape (n_rows, n_rows), in place of a metric. The encoder takes `X` all the same.
    target_metric : str or callable, default="categorical"
        "categorical" if `y` holds classes; a metric such as "euclidean" if it holds continuous targets.
    target_weight : float, default=0.5
        Weight of `y` in the graph, from 0 (the rows count) to 1 (`y` counts).
    landmark_loss : str or callable, default="euclidean"
        Loss of landmarks: their distance from the given positions, the name of a Keras loss, or a function (true, predicted) -> loss.
    landmark_loss_weight : float, default=1.0
        Weight of the landmark loss relative to the UMAP loss. With 0.1, landmarks may move a little, and new rows find a better place.
    global_correlation_loss_weight : float, default=0.0
        Weight of 1 - r, where r is the correlation of distances between random rows in the data and in the embedding.
    autoencoder_loss : bool, default=False
        Let the reconstruction loss change the encoder, too.
    n_decoder_epochs : float or None, default=None
        Epochs over the rows for the decoder alone, on the finished embedding. `None` = 5 and at least 3,000 steps ("fast"; 1,000 for
        convolutions), or none ("paper").
    reconstruction_loss : str or callable, default="binary_crossentropy"
        Loss of the decoder: the name of a Keras loss such as "mse", or a function (rows, reconstructions) -> loss. The default needs data in
        [0, 1].
    parametric_reconstruction_loss_weight : float, default=1.0
        Weight of the reconstruction loss relative to the UMAP loss.
    dtype : {"float32", "mixed_bfloat16", "mixed_float16"}, default="float32"
        Keras dtype policy of networks that are given by name; the mixed ones compute in half precision. Other networks have their own.
    reconstruction_validation : array-like or None, default=None
        Rows whose reconstruction loss is recorded while the decoder is trained; they are not trained on.
    warm_start : bool, default=False
        `True` = a further `fit` trains the fitted networks on, instead of new ones.
    n_jobs : int or None, default=None
        Threads of the neighbor search. `None` = one with a `random_state`, else all.
    random_state : int, RandomState, Generator or None, default=None
        One seed gives one embedding, on a CPU. `None` = a different one each time.
    verbose : bool, default=False
        Show progress bars, and what the neighbor search does and how long it takes.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the training rows.
    encoder_ : keras.Model
        The trained encoder.
    decoder_ : keras.Model or None
        The trained decoder.
    graph_ : scipy.sparse.csr_matrix, shape (n_rows, n_rows)
        Membership strengths. Not saved.
    history_ : dict
        Lists "step", "seconds", "loss", "attraction", "repulsion" (also "landmark", "correlation", "reconstruction", "decoder", "validation" and
        "held_out" where they apply), means over spans of steps, and "notes".
    a_ : float
        Parameter of the similarity curve.
    b_ : float
        Parameter of the similarity curve.
    n_features_in_ : int
        Features of a row.

    See Also
    --------
    pumap.semisupervised.SemiSupervisedClassifier : classify with few labels and the UMAP loss.

    References
    ----------
    .. [1] Sainburg, McInnes, Gentner (2021). Parametric UMAP embeddings for representation and semisupervised learning. Neural
       Computation 33(11).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from pumap import ParametricUMAP
    >>> X = load_digits().data / 16
    >>> model = ParametricUMAP(n_training_epochs=0.1, random_state=0).fit(X[:500])
    >>> model.embedding_.shape, model.transform(X[500:510]).shape
    ((500, 2), (10, 2))
    """

    def fit(self, X, y=None, landmark_positions=None):
        """Fit the graph and the network.

        Parameters
        ----------
        X : array-like, data frame or CSR matrix, shape (n_rows, n_features) or (n_rows, height, width, channels)
            Rows. Values are used as they are: scale them. With `precomputed_knn` or `precomputed_graph`, also an object whose rows are read by
            their index: an HDF5 dataset, a map-style dataset of PyTorch, or a class with `__len__` and `__getitem__`.
        y : array-like, shape (n_rows,), or None
            Classes; -1 = unknown. Edges between rows of different classes are weakened. Continuous targets need `target_metric`.
        landmark_positions : array-like, shape (n_rows, n_components), or None
            Where rows should lie in the embedding; NaN for rows that may lie anywhere.

        Returns
        -------
        ParametricUMAP
            The estimator itself. It keeps a reference to `X` and `y` for `update`; they are neither copied nor saved.

        Raises
        ------
        ValueError
            For settings or data that are not valid, such as an iterator.
        """
        warm = self.warm_start and self.__sklearn_is_fitted__()
        if not warm:
            self.__dict__.pop("embedding_", None)  # a fit that fails leaves an estimator that is not fitted
        warn_of_stray_attributes(self)
        _check_settings(self.get_params(deep=False))
        X = check_input(self, X, reset=not warm)
        return _fit_from(self, X, y, Start(warm, check_landmarks(landmark_positions, X.shape[0], self.n_components)))

    def update(self, X, y=None, X_old=None, y_old=None):
        """Fit on old and new rows together, with the old rows held near their places.

        Training goes on from the fitted networks, on the graph of all rows. Each old row is a landmark at its present position, with the
        settings `landmark_loss` and `landmark_loss_weight`.

        Parameters
        ----------
        X : as in `fit`
            New rows.
        y : as in `fit`
            Classes or targets of the new rows. `None` = unknown classes, if the old rows have some.
        X_old : as in `fit`
            Old rows. `None` = those of the last fit or update in this process.
        y_old : as in `fit`
            Classes or targets of the old rows; goes with `X_old`.

        Returns
        -------
        ParametricUMAP
            The estimator itself. `embedding_` holds the old rows first.

        Raises
        ------
        ValueError
            If there are no old rows, or for settings or data that are not valid.
        """
        check_is_fitted(self)
        _check_settings(self.get_params(deep=False))
        return _fit_from(self, *_old_and_new(self, X, y, X_old, y_old))

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "_rows"}  # training data are neither pickled nor saved

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedding_")

    def fit_transform(self, X, y=None, landmark_positions=None):
        """Fit, and return the embedding of the rows.

        Parameters
        ----------
        X : as in `fit`
        y : as in `fit`
        landmark_positions : as in `fit`

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components)
        """
        positions = {} if landmark_positions is None else {"landmark_positions": landmark_positions}  # a subclass may not take them
        return self.fit(X, y, **positions).embedding_

    def transform(self, X):
        """Embed rows in one forward pass.

        Parameters
        ----------
        X : array-like, data frame or CSR matrix
            Rows of the fitted shape, flat, or of the shape `dims`; one or a million. Also rows that are read by their index, as in `fit`, or an
            iterator of batches; of a batch that is a tuple, the first part is taken.

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components)

        Raises
        ------
        ValueError
            For rows of another shape, NaN or infinity.
        """
        check_is_fitted(self)
        if is_iterator(X):
            return _transformed(self, X)
        return encode(self.encoder_, Rows(check_input(self, X, reset=False), self._input_shape))

    @available_if(_has_decoder)
    def inverse_transform(self, X):
        """Decode points of the embedding into rows.

        Parameters
        ----------
        X : array-like, shape (n_rows, n_components)

        Returns
        -------
        ndarray, float32
            Rows of the fitted shape; float64 if some features are too large for float32.

        Raises
        ------
        AttributeError
            If the estimator was fitted without a decoder.
        ValueError
            For points with another number of coordinates than the embedding.
        """
        points = check_points(X, self.embedding_.shape[1])
        rows = encode(self.decoder_, Rows(points)).reshape(len(points), *self._row_shape)
        return rows if self._offset is None else rows + np.reshape(self._offset, self._row_shape)

    def jacobian(self, X):
        """Differentiate the embedding by the features of each row.

        Parameters
        ----------
        X : array-like, data frame or CSR matrix
            Rows of the fitted shape. The result is dense, so give a sample of a large data set.

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components, n_features)
            Change of each coordinate per unit of each feature. The features of an image are flattened as by `row.ravel()`.

        Raises
        ------
        ValueError
            For rows of another shape, NaN or infinity.
        """
        check_is_fitted(self)
        return encode_jacobian(self.encoder_, Rows(check_input(self, X, reset=False), self._input_shape))

    def export(self, path, part: str = "encoder") -> None:
        """Export a network to an ONNX file, which runs without Keras.

        Parameters
        ----------
        path : path-like
            Written all or nothing; missing folders are created.
        part : {"encoder", "decoder"}, default="encoder"
            The encoder takes float32 rows of the fitted shape and returns what `transform` returns. The decoder takes points and returns what
            `inverse_transform` returns. Both take any number of rows.

        Raises
        ------
        ImportError
            If a package is missing; the message says which extra to install.
        AttributeError
            If the estimator was fitted without a decoder.
        ValueError
            If the network cannot be converted, its ONNX graph differs from Keras on a few inputs, or the rows do not fit into float32.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self)
        write_atomic(path, to_onnx(*_network_and_examples(self, part)))

    def to_html(self, path, X, labels=None, images=None, text=None, title: str = "Map", network: bool = True) -> None:
        """Write an interactive map of rows to one HTML file, which needs no server and loads nothing from other hosts.

        The page shows each row under the pointer, filters by the legend and searches. With an encoder of dense layers, the reader draws an image
        or edits the columns of a row, and sees where it lands. With such a decoder, the page reconstructs the place under the pointer.

        Parameters
        ----------
        path : path-like
            Written all or nothing; missing folders are created.
        X : array-like, data frame or CSR matrix, shape (n_rows, ...)
            At most 200,000 rows, as for `transform`. Columns of a data frame keep their names.
        labels : array-like, shape (n_rows,), or None
            Classes, or a quantity.
        images : ndarray, tuple of int or None
            An image for each row, shape (n_rows, height, width) or with 1 or 3 channels. A tuple is the shape of images that the rows themselves
            are. `None` = the rows, if they have the shape of an image.
        text : sequence of str or None
            A text for each row, shown and searched.
        title : str
        network : bool
            Whether encoder and decoder run in the page, if they can. They need dense layers, at most 2 million weights, and rows that are gray
            images or have at most 60 columns. Weights are rounded to half precision.

        Raises
        ------
        ValueError
            For an embedding that is not in two dimensions, arguments of another length than `X`, images of another shape, or too much data.
        OSError
            If the file cannot be written.
        ImportError
            Without matplotlib and seaborn, the extra `plot`.

        Warns
        -----
        UserWarning
            If a network cannot run in the page; the message names the layer. The page is written without it.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn.datasets import load_digits
        >>> from pumap import ParametricUMAP
        >>> digits = load_digits()
        >>> X = digits.data[:500] / 16
        >>> model = ParametricUMAP(n_training_epochs=0.1, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.to_html(f"{folder}/map.html", X, labels=digits.target[:500], images=(8, 8))
        ...     Path(f"{folder}/map.html").read_text()[:15]
        '<!DOCTYPE html>'
        """
        from pumap.interactive_map import map_page

        write_atomic(path, map_page(self, X, labels, images, text, title, network).encode())

    def save(self, path) -> None:
        """Save the fitted estimator to one file, all or nothing.

        Parameters
        ----------
        path : path-like
            Training data and graph are not saved. Settings that are objects are named in a warning.
        """
        write_archive(self, path, _ARCHIVE)

    @classmethod
    def load(cls, path):
        """Load an estimator that `save` wrote, on any backend.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        ParametricUMAP
            Fitted, without `graph_`.

        Raises
        ------
        ValueError
            If the file is damaged or was not written by `save`.
        """
        return read_archive(cls, path, _ARCHIVE)

    @classmethod
    def from_encoder(cls, encoder, X=None, decoder=None, **params):
        """Make a fitted estimator of a trained Keras encoder, without training it.

        Parameters
        ----------
        encoder : keras.Model
            Copied with its weights.
        X : as in `fit`
            Rows to embed, for `embedding_` and `update`. `None` = none; `embedding_` is then empty.
        decoder : keras.Model or None
            A trained decoder for `inverse_transform`.
        **params
            Parameters of the estimator, for `update` and `warm_start`.

        Returns
        -------
        ParametricUMAP
            Fitted, without `graph_`.

        Raises
        ------
        ValueError
            If the networks do not fit the rows or each other.
        """
        width = getattr(encoder, "output_shape", (None, 2))[-1]
        estimator = cls(**{"n_components": width} | params, encoder=encoder, decoder=decoder)
        _adopt(estimator, X)
        return estimator

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]  # as fitted; `n_components` may have changed since

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


# %% [markdown]
# ## A first embedding
#
# The rows are handwritten digits of 8 x 8 pixels. The model is trained on 1,200 of them, and 300 are held out.

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
# The held-out digits fall among training digits of the same class. Two metrics confirm it: the trustworthiness of the embedding, and the accuracy of
# the nearest neighbor for held-out digits (`10_metrics`).

# %%
assert trustworthiness(X_train, model.embedding_, n_neighbors=5) > 0.96
assert KNeighborsClassifier(1).fit(model.embedding_, y_train).score(model.transform(X_new), y_new) > 0.85
assert_array_equal(model.transform(X_train), model.embedding_)
assert model.embedding_.shape == (1200, 2) and model.embedding_.dtype == np.float32

# %% [markdown]
# ## Rows of every kind
#
# The same rows as lists, doubles, a sparse matrix, images or bytes give the same embedding.

# %%
quick = dict(n_training_epochs=0.1, random_state=0)
rows = X_train[:200]
z = ParametricUMAP(**quick).fit_transform(rows)
for same in (rows.tolist(), rows.astype("float64"), sparse.csr_matrix(rows), rows.reshape(200, 8, 8, 1)):
    assert_allclose(ParametricUMAP(**quick).fit_transform(same), z, atol=1e-3)
gray = (rows * 16).astype("uint8")
assert_allclose(ParametricUMAP(**quick).fit_transform(gray), ParametricUMAP(**quick).fit_transform(gray.astype("float32")))

# %% [markdown]
# With a data frame, `set_output` returns a data frame with the same index.

# %%
frame = pd.DataFrame(rows, columns=[f"pixel{i}" for i in range(64)], index=range(1000, 1200))
out = ParametricUMAP(**quick).set_output(transform="pandas").fit_transform(frame)
assert list(out.columns) == ["parametricumap0", "parametricumap1"] and list(out.index) == list(frame.index)

# %% [markdown]
# The estimator works in pipelines and can be cloned. Fitting again with the same seed gives the same embedding.

# %%
pipeline = make_pipeline(MinMaxScaler(), ParametricUMAP(**quick))
assert pipeline.fit_transform(rows).shape == (200, 2)
twin = clone(ParametricUMAP(n_neighbors=7, **quick))
assert twin.n_neighbors == 7
first = twin.fit_transform(rows)
assert_array_equal(twin.fit(rows).embedding_, first)

# %% [markdown]
# Precomputed neighbors or a precomputed graph replace the neighbor search.

# %%
from pumap.graph import nearest_neighbors

knn = nearest_neighbors(rows, 15)
assert_allclose(ParametricUMAP(precomputed_knn=knn, **quick).fit_transform(rows), z, atol=1e-3)
graph = fuzzy_graph(rows)
assert_allclose(ParametricUMAP(precomputed_graph=graph, **quick).fit_transform(rows), z, atol=1e-3)


# %% [markdown]
# With either of them, rows need not be in memory. Any object that gives a row by its index will do, here one that decodes bytes. New rows may come
# in batches.

# %%
class Decoded:
    def __len__(self):
        return len(gray)

    def __getitem__(self, i):
        return gray[i] / np.float32(16)


stored = ParametricUMAP(precomputed_graph=graph, **quick).fit(Decoded())
assert_array_equal(stored.embedding_, ParametricUMAP(precomputed_graph=graph, **quick).fit_transform(gray / np.float32(16)))
assert_allclose(stored.transform(rows[i : i + 64] for i in range(0, 200, 64)), stored.transform(rows), atol=1e-5)

# %% [markdown]
# Labels weaken the edges between classes.

# %%
supervised = ParametricUMAP(**quick).fit(rows, y_train[:200])


def share_between_classes(graph):
    coo = graph.tocoo()
    return coo.data[y_train[coo.row] != y_train[coo.col]].sum() / coo.data.sum()


assert share_between_classes(supervised.graph_) < share_between_classes(graph) / 5

# %% [markdown]
# ## Reconstruction
#
# With a decoder, `inverse_transform` reconstructs rows from points of the embedding. The embedding is the same as without a decoder. It differs
# with `autoencoder_loss=True`, which trains both networks jointly.

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
# ## Saving
#
# `save` writes one file: settings and history as JSON, networks in Keras' own format, the embedding as a NumPy array. Training data and graph are
# not saved. `00_core` defines the format.

# %%
with tempfile.TemporaryDirectory() as folder:
    autoencoder.save(f"{folder}/digits.pumap")
    loaded = ParametricUMAP.load(f"{folder}/digits.pumap")
assert_array_equal(loaded.transform(X_new), autoencoder.transform(X_new))
assert_array_equal(loaded.inverse_transform(X_new[:5, :2]), autoencoder.inverse_transform(X_new[:5, :2]))
assert loaded.get_params() == autoencoder.get_params() and loaded.history_ == autoencoder.history_

# %% [markdown]
# A pickled estimator keeps everything, including the graph.

# %%
unpickled = pickle.loads(pickle.dumps(model))
assert_array_equal(unpickled.transform(X_new), model.transform(X_new))
assert (unpickled.graph_ != model.graph_).nnz == 0

# %% [markdown]
# ## Which features drive the embedding
#
# `jacobian` returns the derivative of each coordinate by each feature. To first order, it predicts how a small change of a row moves its point.

# %%
slope = model.jacobian(X_new)
assert slope.shape == (300, 2, 64)
length = np.linalg.norm(slope[:, 0], axis=1)
changed = X_new + 1e-3 * slope[:, 0] / length[:, None]  # the change that moves each point farthest to the right
moved = model.transform(changed) - model.transform(X_new)
assert np.isclose(moved[:, 0], 1e-3 * length, rtol=0.05).mean() > 0.8

fig, ax = plt.subplots(figsize=(2.5, 2.5))
ax.imshow(np.abs(slope).mean(axis=(0, 1)).reshape(8, 8), cmap="magma")
ax.set_title("influence of each pixel", fontsize=9)
ax.set_axis_off()


# %% [markdown]
# ## Errors
#
# Each error message is short and names the setting or the values that are wrong.

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
assert "y has 7 labels" in message(lambda: ParametricUMAP().fit(rows, np.arange(7)))
assert "output" in message(lambda: ParametricUMAP(n_components=3, encoder=model.encoder_).fit(rows))
assert "solver" in message(lambda: ParametricUMAP(solver="magic").fit(rows))
assert "not fitted" in message(lambda: ParametricUMAP().transform(rows))
assert "64 features" in message(lambda: model.transform(rows[:, :10]))
assert "between 0 and 1" in message(lambda: ParametricUMAP(decoder="mlp").fit(rows * 16))
assert "product is 64" in message(lambda: ParametricUMAP(dims=(8, 8, None)).fit(rows))
assert "there is no decoder" in message(lambda: ParametricUMAP(autoencoder_loss=True).fit(rows))

# %% [markdown]
# The error for a misspelled parameter suggests the right one. For a parameter of umap-learn that does not exist here, it says what to do.

# %%
for wrong in ("n_neighbours", "densmap"):
    try:
        ParametricUMAP(**{wrong: 3})
    except TypeError as error:
        print(error)
