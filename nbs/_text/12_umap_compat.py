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
# # The interface of umap-learn
#
# > A class with the arguments, methods and attributes of umap-learn's ParametricUMAP, on this package's estimator.

# %%
#| default_exp umap_compat

# %%
#| hide
import pickle
import tempfile

import matplotlib.pyplot as plt
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

# %%
#| export
import json
import numbers
import warnings
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from pumap import parametric_umap
from pumap.core import _split_settings, explain_unknown_parameters, random_generator, write_atomic
from pumap.graph import default_n_epochs

# %% [markdown]
# Code that was written for `umap.parametric_umap` of umap-learn 0.5.12 changes its import:
#
#     from pumap.umap_compat import ParametricUMAP, load_ParametricUMAP
#
# The rest of the code stays. For new code, `pumap.ParametricUMAP` is the better choice: it has fewer arguments, and follows scikit-learn's rules.
#
# The class below follows umap-learn's rules where they differ: a second `fit` trains the same networks on, `encoder` and `decoder` become the trained
# networks, and a Keras model that was given is trained in place. A first embedding, with the finished class:

# %%
X, y = load_digits(return_X_y=True)
X, y = X[:300].astype("float32") / 16, y[:300]

from pumap import umap_compat  # the finished module, to show its results before its code

embedder = umap_compat.ParametricUMAP(n_neighbors=10, n_epochs=20, random_state=0)
embedding = embedder.fit_transform(X)
fig, ax = plt.subplots(figsize=(4, 3), layout="constrained")
ax.scatter(*embedding.T, c=y, cmap="tab10", s=6)
ax.set_axis_off()


# %% [markdown]
# ## What is the same, renamed or refused
#
# Three tables list every argument, method and attribute. An argument whose `ours` is a name is passed on under this name. An argument with
# `refused` has no meaning for a network, or none in umap-learn either: another value than the default raises an error with this sentence.
# `theirs` is what umap-learn 0.5.12 does. The tutorial [moving_from_umap_learn](tutorials/moving_from_umap_learn.ipynb) runs both, and checks it.

# %%
#| export
class Entry(NamedTuple):
    """Describe an argument, method or attribute of umap-learn's class.

    Attributes
    ----------
    default : object
        Default of an argument in umap-learn 0.5.12.
    ours : str or None
        Its name in `pumap.ParametricUMAP`; `None` = it is translated, or refused.
    refused : str
        What to do instead; empty for what works.
    theirs : str
        Result in umap-learn 0.5.12: "works", "no effect", or the error.
    note : str
        How the result here differs; empty if it is the same.
    """

    default: object = None
    ours: str | None = None
    refused: str = ""
    theirs: str = "works"
    note: str = ""


def _refused(default, name, theirs="no effect"):
    return Entry(default, None, parametric_umap._FOREIGN[name], theirs)


_RATE = "umap-learn's ParametricUMAP has no use for it: set optimizer=keras.optimizers.Adam(1e-3), or another."
_RADII = "densMAP is defined for a layout, not for a network."
_AN_ARGUMENT = "works; an argument here, an attribute there"
_BATCHES = "works; at most as many edges as rows. None = chosen by the solver"
_EFFORT = "works; None = the solver's own, shorter training"

# %% [markdown]
# Arguments first. Three of them are attributes in umap-learn that are set after construction (`optimizer`, `loss_report_frequency`,
# `n_training_epochs`); here they may be given either way.

# %%
#| export
ARGUMENTS = {
    "n_neighbors": Entry(15, "n_neighbors"), "n_components": Entry(2, "n_components"), "metric": Entry("euclidean"),
    "metric_kwds": Entry(None, "metric_kwds"), "output_metric": _refused("euclidean", "output_metric"),
    "output_metric_kwds": _refused(None, "output_metric_kwds"), "n_epochs": Entry(None, "n_epochs", note=_EFFORT),
    "learning_rate": Entry(1.0, None, _RATE, "no effect"),
    "init": _refused("spectral", "init"), "min_dist": Entry(0.1, "min_dist"), "spread": Entry(1.0, "spread"),
    "low_memory": _refused(True, "low_memory"), "n_jobs": Entry(-1), "set_op_mix_ratio": Entry(1.0, "set_op_mix_ratio"),
    "local_connectivity": Entry(1.0, "local_connectivity"),
    "repulsion_strength": Entry(1.0, "repulsion_strength", theirs="no effect", note="works: the weight of the repulsion"),
    "negative_sample_rate": Entry(5, "negative_sample_rate"), "transform_queue_size": _refused(4.0, "transform_queue_size"),
    "a": Entry(None, "a"), "b": Entry(None, "b"), "random_state": Entry(None, "random_state"),
    "angular_rp_forest": _refused(False, "angular_rp_forest"), "target_n_neighbors": _refused(-1, "target_n_neighbors", "works"),
    "target_metric": Entry("categorical", "target_metric", note="works, except metrics of other discrete targets, such as 'ordinal' and 'count'"),
    "target_metric_kwds": _refused(None, "target_metric_kwds", "works"),
    "target_weight": Entry(0.5, "target_weight"), "transform_seed": _refused(42, "transform_seed"),
    "transform_mode": _refused("embedding", "transform_mode", "AttributeError after fit_transform: no embedding_"),
    "force_approximation_algorithm": _refused(False, "force_approximation_algorithm", "works"), "verbose": Entry(False),
    "tqdm_kwds": _refused(None, "tqdm_kwds"), "unique": _refused(False, "unique", "works"), "densmap": _refused(False, "densmap"),
    "dens_lambda": _refused(2.0, "dens_lambda"), "dens_frac": _refused(0.3, "dens_frac"), "dens_var_shift": _refused(0.1, "dens_var_shift"),
    "output_dens": _refused(False, "output_dens", "KeyError: 'rad_orig'"),
    "disconnection_distance": _refused(None, "disconnection_distance", "works"), "precomputed_knn": Entry((None, None, None)),
    # of umap-learn's ParametricUMAP
    "batch_size": Entry(None, "batch_size", note=_BATCHES), "dims": Entry(None, "dims"), "encoder": Entry(None), "decoder": Entry(None),
    "parametric_reconstruction": Entry(False, note="works; the default decoder returns rows, not logits"), "parametric_reconstruction_loss_fcn": Entry(None),
    "parametric_reconstruction_loss_weight": Entry(1.0, "parametric_reconstruction_loss_weight"), "autoencoder_loss": Entry(False, "autoencoder_loss"),
    "reconstruction_validation": Entry(None, "reconstruction_validation", note="works; val_loss is the reconstruction loss alone"),
    "global_correlation_loss_weight": Entry(0, "global_correlation_loss_weight"), "landmark_loss_fn": Entry(None),
    "landmark_loss_weight": Entry(1.0, "landmark_loss_weight"), "keras_fit_kwargs": Entry({}, note="callbacks, epochs and verbose work; others are refused"),
    # its attributes, and ours
    "optimizer": Entry(None, "optimizer", note=_AN_ARGUMENT), "loss_report_frequency": Entry(10, note=_AN_ARGUMENT), "n_training_epochs": Entry(1, note=_AN_ARGUMENT),
    "solver": Entry("fast", "solver", theirs="TypeError", note="the training loop; 'paper' follows the original code"),
}  # fmt: skip

# %% [markdown]
# The attributes that are not there have an answer, too.

# %%
#| export
_EDGES, _SEARCHED = "The edges are the entries of graph_.", "Use pumap.graph.nearest_neighbors for neighbors."
_CHOSEN = "It is an argument of add_landmarks; the rows that were chosen are in prev_epoch_idx."
ATTRIBUTES = {
    "embedding_": Entry(), "graph_": Entry(note="all edges; weak ones are left out in training"), "encoder": Entry(), "decoder": Entry(),
    "_history": Entry(note="'loss' is the UMAP loss; other terms are next to it, not in it"), "_a": Entry(), "_b": Entry(),
    "prev_epoch_X": Entry(), "prev_epoch_idx": Entry(), "n_features_in_": Entry(theirs="AttributeError", note="works"), "_raw_data": Entry(),
    "parametric_model": Entry(refused="There is no Keras model around the networks: use encoder and decoder."),
    "edge_weight": Entry(refused="The strengths of the edges are graph_.data."),
    "head": Entry(refused=_EDGES), "tail": Entry(refused=_EDGES),
    "knn_indices": Entry(refused=_SEARCHED), "knn_dists": Entry(refused=_SEARCHED), "graph_dists_": Entry(refused=_SEARCHED, theirs="None"),
    "knn_search_index": Entry(refused=_SEARCHED),
    "sample_pct": Entry(refused=_CHOSEN), "sample_mode": Entry(refused=_CHOSEN),
    "n_epochs_list": Entry(refused="n_epochs is one number.", theirs="None"), "embedding_list_": Entry(refused="n_epochs is one number.", theirs="AttributeError"),
    "rad_orig_": Entry(refused=_RADII, theirs="AttributeError"), "rad_emb_": Entry(refused=_RADII, theirs="AttributeError"),
    "window_vals": Entry(refused="It is None in umap-learn.", theirs="None"),
}  # fmt: skip

# %% [markdown]
# The methods, and the function `load_ParametricUMAP`. They follow below.

# %%
#| export
_NOT_SAVED = "NotImplementedError: UMAPModel has no get_config"
METHODS = {
    "fit": Entry(note="works; sparse rows as well"), "fit_transform": Entry(), "transform": Entry(note="works; rows may be flat with dims"),
    "inverse_transform": Entry(note="works with a decoder; without one an AttributeError says to set parametric_reconstruction=True"),
    "add_landmarks": Entry(), "remove_landmarks": Entry(), "update": Entry(note="works; old rows stay near their places"),
    "save": Entry(theirs=_NOT_SAVED, note="works; the folder holds no training data"),
    "load_ParametricUMAP": Entry(theirs="nothing to load", note="works for folders that save wrote here"),
    "to_ONNX": Entry(theirs="NameError without torchvision; else a ReLU too many", note="works, for any encoder"),
    "get_params": Entry(theirs="lacks n_neighbors and the others of UMAP", note="all arguments"),
    "set_params": Entry(theirs="ValueError for n_neighbors", note="works"), "get_feature_names_out": Entry(),
}


# %% [markdown]
# Arguments that have an effect only together with others are checked as well.

# %%
#| export
def _is_default(value, default):
    if isinstance(default, tuple):
        return value is None or all(part is None for part in value)
    return value is default or type(value) in (str, bool, int, float, dict, type(None)) and value == default


def check_arguments(arguments: dict) -> None:
    """Raise an error for arguments that have no effect, or cannot work.

    Parameters
    ----------
    arguments : dict
        By the names of `ARGUMENTS`.

    Raises
    ------
    ValueError
        The message names the argument and what to do.
    """
    for name, entry in ARGUMENTS.items():
        if entry.refused and not _is_default(arguments[name], entry.default):
            raise ValueError(f"{name}={arguments[name]!r} has no effect here. {entry.refused}")
    if not arguments["parametric_reconstruction"]:
        for name in ("decoder", "parametric_reconstruction_loss_fcn", "autoencoder_loss", "reconstruction_validation"):
            if not _is_default(arguments[name], ARGUMENTS[name].default):
                raise ValueError(f"{name} has no effect with parametric_reconstruction=False: set it to True.")
    unknown = set(arguments["keras_fit_kwargs"]) - {"callbacks", "epochs", "verbose"}
    if unknown:
        raise ValueError(f"keras_fit_kwargs has {sorted(unknown)[0]!r}; only callbacks, epochs and verbose have a meaning here.")
    for name in ("loss_report_frequency", "n_training_epochs"):
        if not isinstance(arguments[name], numbers.Integral) or arguments[name] < 1:
            raise ValueError(f"{name} is {arguments[name]!r}; it must be an integer of at least 1.")


# %%
defaults = {name: entry.default for name, entry in ARGUMENTS.items()}
check_arguments(defaults)
for change, words in (({"densmap": True}, "density"), ({"learning_rate": 0.5}, "set optimizer="), ({"autoencoder_loss": True}, "set it to True")):
    try:
        check_arguments(defaults | change)
    except ValueError as error:
        assert next(iter(change)) in str(error) and words in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# ## Epochs
#
# umap-learn visits an edge of strength $w$ in $n_\mathrm{epochs} \cdot w$ of its steps, `n_training_epochs` times over, and reports the loss
# `loss_report_frequency` times in each pass. An epoch of this package visits it $25\,w$ times. If any of `n_epochs`, `n_training_epochs` and the
# `epochs` of `keras_fit_kwargs` is set, training visits edges as often as umap-learn. With the defaults, the solver takes its own, much shorter time.
#
# Callbacks are called as often as umap-learn calls them. This callback collects the hundredths of a run into these epochs.

# %%
#| export
def effort(arguments: dict, n_rows: int) -> float | None:
    """Translate the numbers of epochs into those of `pumap.ParametricUMAP`.

    Parameters
    ----------
    arguments : dict
        By the names of `ARGUMENTS`.
    n_rows : int

    Returns
    -------
    float or None
        `None` = the solver's default.
    """
    n_epochs, passes = arguments["n_epochs"], reports(arguments) / arguments["loss_report_frequency"]
    return None if n_epochs is None and passes == 1 else (n_epochs or default_n_epochs(n_rows)) * passes / 25


def reports(arguments: dict) -> int:
    """Return how often the loss is reported in one fit."""
    return arguments["keras_fit_kwargs"].get("epochs", arguments["loss_report_frequency"] * arguments["n_training_epochs"])


class _Reports(keras.callbacks.Callback):
    "Collects spans of a run into epochs, and passes them on to callbacks."

    def __init__(self, n_epochs, callbacks=()):
        super().__init__()
        self.n_epochs, self.callbacks, self.history, self._waiting, self._n_spans = n_epochs, callbacks, [], [], 0

    def _call(self, name, *args):
        for callback in self.callbacks:
            getattr(callback, name)(*args)

    def on_train_begin(self, logs=None):
        self._call("set_params", self.params | {"epochs": self.n_epochs})
        self._call("set_model", self.model)
        self._call("on_train_begin", logs)
        self._call("on_epoch_begin", 0, {})

    def on_epoch_end(self, epoch, logs=None):
        self._waiting.append(logs)
        self._n_spans += 1
        if self._n_spans / self.params["epochs"] >= (len(self.history) + 1) / self.n_epochs:
            self._report()

    def _report(self):
        self.history.append({name: float(np.mean([logs[name] for logs in self._waiting])) for name in self._waiting[0]})
        self._waiting = []
        self._call("on_epoch_end", len(self.history) - 1, dict(self.history[-1]))
        if len(self.history) < self.n_epochs and not self.model.stop_training:
            self._call("on_epoch_begin", len(self.history), {})

    def on_train_end(self, logs=None):
        if self._waiting and len(self.history) < self.n_epochs:
            self._report()
        self._call("on_train_end", logs)


# %%
assert effort(defaults, 1000) is None and effort(defaults | {"n_epochs": 50}, 1000) == 2 and effort(defaults | {"n_training_epochs": 2}, 1000) == 40
watch = _Reports(4)
model = keras.Sequential()
model.stop_training = False
watch.set_model(model)
watch.set_params({"epochs": 100})
watch.on_train_begin()
for i in range(100):
    watch.on_epoch_end(i, {"loss": float(i)})
watch.on_train_end()
assert [report["loss"] for report in watch.history] == [12, 37, 62, 87]


# %% [markdown]
# ## Decoders
#
# Without a function of its own, umap-learn trains the decoder on the cross entropy of logits, and its default decoder returns logits. Here the
# default decoder ends in a sigmoid: the loss is the same, and `inverse_transform` returns rows. A decoder that is given is trained on its logits, as
# in umap-learn, unless it ends in a sigmoid.

# %%
#| export
def _ends_in_sigmoid(decoder):
    return next((layer.activation is keras.activations.sigmoid for layer in reversed(decoder.layers) if hasattr(layer, "activation")), False)


def _reconstruction_loss(arguments):
    "The loss of the decoder, for `pumap.ParametricUMAP`."
    given, decoder = arguments["parametric_reconstruction_loss_fcn"], arguments["decoder"]
    if given is not None:
        return given
    return "binary_crossentropy" if decoder is None or _ends_in_sigmoid(decoder) else keras.losses.BinaryCrossentropy(from_logits=True)


def _given_neighbors(arguments, distances) -> dict:
    "Settings for neighbors or distances that are given."
    if arguments["metric"] != "precomputed":
        if distances is not None:
            raise ValueError(f"precomputed_distances has no effect with metric={arguments['metric']!r}: set metric='precomputed'.")
        knn = arguments["precomputed_knn"]
        return {"precomputed_knn": None if _is_default(knn, (None, None, None)) else (knn[0], knn[1]), "precomputed_distances": None}
    if distances is None:
        raise ValueError("metric='precomputed' needs the distances, as fit(X, precomputed_distances=...).")
    return {"precomputed_knn": None, "precomputed_distances": distances}


# %% [markdown]
# ## The class
#
# The constructor has all arguments. Those of umap-learn are in its order, so that positional arguments keep their meaning.

# %%
#| export
class _Arguments(BaseEstimator):
    @explain_unknown_parameters({})
    def __init__(
        self, batch_size=None, dims=None, encoder=None, decoder=None, parametric_reconstruction=False, parametric_reconstruction_loss_fcn=None,
        parametric_reconstruction_loss_weight=1.0, autoencoder_loss=False, reconstruction_validation=None, global_correlation_loss_weight=0,
        landmark_loss_fn=None, landmark_loss_weight=1.0, keras_fit_kwargs={}, n_neighbors=15, n_components=2, metric="euclidean", metric_kwds=None,
        output_metric="euclidean", output_metric_kwds=None, n_epochs=None, learning_rate=1.0, init="spectral", min_dist=0.1, spread=1.0,
        low_memory=True, n_jobs=-1, set_op_mix_ratio=1.0, local_connectivity=1.0, repulsion_strength=1.0, negative_sample_rate=5,
        transform_queue_size=4.0, a=None, b=None, random_state=None, angular_rp_forest=False, target_n_neighbors=-1, target_metric="categorical",
        target_metric_kwds=None, target_weight=0.5, transform_seed=42, transform_mode="embedding", force_approximation_algorithm=False,
        verbose=False, tqdm_kwds=None, unique=False, densmap=False, dens_lambda=2.0, dens_frac=0.3, dens_var_shift=0.1, output_dens=False,
        disconnection_distance=None, precomputed_knn=(None, None, None), optimizer=None, loss_report_frequency=10, n_training_epochs=1, solver="fast",
    ):  # fmt: skip
        for name, value in locals().items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def __getattr__(self, name):
        if name in ATTRIBUTES and ATTRIBUTES[name].refused:
            raise AttributeError(f"{type(self).__name__} has no {name}. {ATTRIBUTES[name].refused}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_clone__(self):
        "A clone is not fitted: it has the networks that were given, not those that `fit` made."
        given = self.get_params(deep=False) | self.__dict__.get("_given", {})
        return type(self)(**{name: parametric_umap.copy.deepcopy(value) for name, value in given.items()})


# %% [markdown]
# `fit` makes an estimator of this package at the first call, and changes its settings at the next. A Keras model that was given is trained in place.

# %%
#| export
def _settings(arguments, n_rows, neighbors, reports_to) -> dict:
    "Settings of `pumap.ParametricUMAP` for these arguments."
    settings = {entry.ours: arguments[name] for name, entry in ARGUMENTS.items() if entry.ours}
    return settings | {
        "metric": "euclidean" if arguments["metric"] == "precomputed" else arguments["metric"],
        "n_jobs": None if arguments["n_jobs"] == -1 else arguments["n_jobs"],
        "verbose": bool(arguments["keras_fit_kwargs"].get("verbose", arguments["verbose"])),
        **neighbors,
        "encoder": arguments["encoder"] or "mlp",
        "decoder": (arguments["decoder"] or "mlp") if arguments["parametric_reconstruction"] else None,
        "reconstruction_loss": _reconstruction_loss(arguments),
        "landmark_loss": arguments["landmark_loss_fn"] or "euclidean",
        "n_training_epochs": effort(arguments, n_rows),
        "callbacks": [reports_to],
        "warm_start": True,
    }


def _take_over(given, trained):
    "The trained network, as the very model that was given."
    if given is None or given is trained or trained is None:
        return trained
    given.set_weights(trained.get_weights())
    return given


class _Fitting(_Arguments):
    prev_epoch_X = None  # until there are landmarks

    def fit(self, X, y=None, precomputed_distances=None, landmark_positions=None):
        """Fit the graph and the networks; a further `fit` trains the same networks on.

        Parameters
        ----------
        X : array-like, shape (n_rows, n_features)
        y : array-like, shape (n_rows,), or None
        precomputed_distances : array-like, shape (n_rows, n_rows), or None
            For `metric="precomputed"`.
        landmark_positions : array-like, shape (n_rows, n_components), or None
            NaN for rows that are not landmarks.

        Returns
        -------
        ParametricUMAP
            The estimator itself. After `add_landmarks`, `embedding_` holds the landmarks behind the rows of `X`.
        """
        arguments = self.get_params(deep=False)
        check_arguments(arguments)
        if landmark_positions is None and self.__dict__.get("prev_epoch_X") is not None:
            landmarks = self.transform(self.prev_epoch_X)
            landmark_positions = np.concatenate([np.full((len(X), self.n_components), np.nan), landmarks])
            X = np.concatenate([X, self.prev_epoch_X])
        watch = _Reports(reports(arguments), tuple(arguments["keras_fit_kwargs"].get("callbacks") or ()))
        settings = _settings(arguments, np.shape(X)[0], _given_neighbors(arguments, precomputed_distances), watch)
        if not hasattr(self, "_model"):
            self._given = {name: arguments[name] for name in ("encoder", "decoder")}
            self._model = parametric_umap.ParametricUMAP()
        model = self._model.set_params(**settings).fit(X, y, landmark_positions)
        self._finish(model, watch)
        return self

    def _finish(self, model, watch):
        objects = {name: None for name in ("callbacks", "precomputed_knn", "precomputed_distances", "reconstruction_validation")}  # of this fit; a saved file has none
        model.set_params(encoder="mlp", decoder=model.decoder_ and "mlp", **objects)
        model.encoder_ = self.encoder = _take_over(self.encoder, model.encoder_)
        model.decoder_ = self.decoder = _take_over(self.decoder, model.decoder_)
        self.n_features_in_, self._a, self._b = model.n_features_in_, model.a_, model.b_
        new = {name: [report[name] for report in watch.history] for name in watch.history[0]}
        new |= {"val_loss": model.history_["validation"]} if "validation" in model.history_ else {}
        before = self.__dict__.get("_history", {})
        self._history = {name: before.get(name, []) + values for name, values in new.items()}

    def fit_transform(self, X, y=None, precomputed_distances=None, landmark_positions=None):
        """Fit, and return the embedding; see `fit`."""
        return self.fit(X, y, precomputed_distances, landmark_positions).embedding_


# %% [markdown]
# Landmarks are rows whose present positions the next `fit` keeps. `update` does the same for all rows of the last fit, with new rows behind them.

# %%
#| export
class _Landmarks(_Fitting):
    def add_landmarks(self, X, sample_pct=0.01, sample_mode="uniform", landmark_loss_weight=0.01, idx=None, reset_optimizer=True):
        """Choose rows whose present positions the next fit keeps; they join the rows of that fit.

        Parameters
        ----------
        X : array-like, shape (n_rows, n_features)
            Old rows.
        sample_pct : float, default=0.01
            Share of the rows to choose.
        sample_mode : {"uniform", "predetermined"}, default="uniform"
            Draw rows, or take those of `idx`.
        landmark_loss_weight : float, default=0.01
        idx : array-like of int or None
            Rows to choose, with "predetermined".
        reset_optimizer : bool, default=True
            Each fit starts with a fresh optimizer; `False` is refused.
        """
        check_is_fitted(self)
        if not reset_optimizer:
            raise ValueError("reset_optimizer=False has no effect here: each fit starts with a fresh optimizer.")
        if sample_mode not in ("uniform", "predetermined") or (sample_mode == "predetermined") != (idx is not None):
            raise ValueError(f"sample_mode is {sample_mode!r} and idx is {'given' if idx is not None else None}; use 'uniform', or 'predetermined' with idx.")
        X = np.asarray(X)
        if idx is None:
            idx = np.sort(random_generator(self.random_state).choice(len(X), int(len(X) * sample_pct), replace=False))
        if len(idx) == 0:
            raise ValueError(f"sample_pct={sample_pct} of {len(X)} rows is less than one row: choose a larger share.")
        self.landmark_loss_weight, self.prev_epoch_idx, self.prev_epoch_X = landmark_loss_weight, list(idx), X[idx]

    def remove_landmarks(self):
        """Forget the landmarks."""
        self.prev_epoch_X = None

    def update(self, X):
        """Fit on the rows of the last fit and new ones, with the old ones held near their places; see `pumap.ParametricUMAP.update`."""
        check_is_fitted(self)
        watch = _Reports(reports(self.get_params(deep=False)))
        self._finish(self._model.set_params(callbacks=[watch], landmark_loss_weight=self.landmark_loss_weight).update(X), watch)
        return self


# %% [markdown]
# The rest of the class reads the estimator inside. Files hold no training data, with and without `exclude_raw_data`.

# %%
#| export
class ParametricUMAP(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Landmarks):
    """Embed rows with a neural network, with the interface of umap-learn's ParametricUMAP.

    Every argument, method and attribute of `umap.parametric_umap.ParametricUMAP` (umap-learn 0.5.12) has its name and meaning, or is refused
    with a sentence of advice: see `ARGUMENTS` and `ATTRIBUTES`. A further `fit` trains the same networks on.

    Parameters
    ----------
    batch_size, dims, encoder, decoder : optional
        As in umap-learn. A Keras model is trained in place.
    parametric_reconstruction, parametric_reconstruction_loss_fcn, parametric_reconstruction_loss_weight : optional
        Train a decoder; its loss, by default the binary cross entropy; and its weight.
    autoencoder_loss, reconstruction_validation : optional
        Let the reconstruction loss change the encoder; rows whose reconstruction loss is in `_history["val_loss"]`.
    global_correlation_loss_weight : float, default=0
        Weight of the correlation of distances.
    landmark_loss_fn, landmark_loss_weight : optional
        Loss of landmarks, by default their distance, and its weight.
    keras_fit_kwargs : dict, default={}
        "callbacks", "epochs" (in place of `loss_report_frequency * n_training_epochs`) and "verbose".
    n_neighbors, n_components, metric, metric_kwds, output_metric, output_metric_kwds, n_epochs, learning_rate, init, min_dist, spread : optional
        As in umap-learn; `output_metric`, `learning_rate` and `init` are refused.
    low_memory, n_jobs, set_op_mix_ratio, local_connectivity, repulsion_strength, negative_sample_rate, transform_queue_size, a, b : optional
        As in umap-learn; `low_memory` and `transform_queue_size` are refused. `repulsion_strength` counts, other than in umap-learn.
    random_state, angular_rp_forest, target_n_neighbors, target_metric, target_metric_kwds, target_weight, transform_seed, transform_mode : optional
        As in umap-learn; only `random_state`, `target_metric` and `target_weight` are not refused.
    force_approximation_algorithm, verbose, tqdm_kwds, unique, densmap, dens_lambda, dens_frac, dens_var_shift, output_dens : optional
        Refused, apart from `verbose`.
    disconnection_distance, precomputed_knn : optional
        The first is refused.
    optimizer, loss_report_frequency, n_training_epochs : optional
        Attributes in umap-learn: the Keras optimizer (`None` = that of the solver), reports of the loss in a pass, and passes.
    solver : {"fast", "paper"}, default="fast"
        Training loop, see `pumap.ParametricUMAP`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from pumap.umap_compat import ParametricUMAP
    >>> embedder = ParametricUMAP(n_epochs=2, random_state=0)
    >>> embedder.fit_transform(load_digits().data[:200] / 16).shape
    (200, 2)
    """

    def transform(self, X, batch_size=None):
        """Embed rows in one forward pass.

        Parameters
        ----------
        X : array-like, shape (n_rows, n_features)
        batch_size : int or None
            Rows in a forward pass.

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components)
        """
        check_is_fitted(self)
        return self._model.transform(X) if batch_size is None else np.concatenate([self._model.transform(X[i : i + batch_size]) for i in range(0, len(X), batch_size)])

    def inverse_transform(self, X):
        """Decode points of the embedding; needs `parametric_reconstruction=True`.

        Parameters
        ----------
        X : array-like, shape (n_rows, n_components)

        Returns
        -------
        ndarray, float32
        """
        check_is_fitted(self)
        if self.decoder is None:
            raise AttributeError("inverse_transform needs a decoder: set parametric_reconstruction=True and fit again.")
        return self._model.inverse_transform(X)

    def __sklearn_is_fitted__(self):
        return "_model" in self.__dict__ and self._model.__sklearn_is_fitted__()

    @property
    def embedding_(self):
        """Embedding of the rows of the last fit."""
        return self._model.embedding_

    @property
    def graph_(self):
        """Membership strengths of the rows of the last fit."""
        return self._model.graph_

    @property
    def _raw_data(self):
        return self._model._rows[0]

    @property
    def _n_features_out(self):
        return self._model._n_features_out

    def to_estimator(self):
        """Return the fitted `pumap.ParametricUMAP` inside, which shares its networks with this one."""
        check_is_fitted(self)
        return self._model

    def to_ONNX(self, save_location):
        """Export the encoder to an ONNX file, see `pumap.ParametricUMAP.export`.

        Parameters
        ----------
        save_location : path-like
            Name of the file.
        """
        self.to_estimator().export(save_location)

    def save(self, save_location, verbose=True, exclude_raw_data=False):
        """Save to a folder: the model, and its networks in Keras' format.

        Parameters
        ----------
        save_location : path-like
            Folder; made if it is missing.
        verbose : bool, default=True
            Print what was written.
        exclude_raw_data : bool, default=False
            Training data are never saved.
        """
        check_is_fitted(self)
        folder = Path(save_location)
        folder.mkdir(parents=True, exist_ok=True)
        _write(self, folder)
        for name, network in {"encoder": self.encoder, "decoder": self.decoder}.items():
            if network is not None:
                network.save(folder / f"{name}.keras")
        if verbose:
            print(f"Saved to {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


# %%
#| export
_ABOUT, _MODEL = "umap_compat.json", "model.pumap"


def _write(embedder, folder):
    "Write the estimator inside, the arguments, and the history."
    given = embedder.__dict__.get("_given", {})
    arguments = {name: value for name, value in embedder.get_params(deep=False).items() if name not in ("encoder", "decoder", "reconstruction_validation")}
    kept, dropped = _split_settings(arguments)
    dropped += ["landmarks"] if embedder.__dict__.get("prev_epoch_X") is not None else []
    if dropped:
        warnings.warn(f"Not saved, since they are objects or data: {', '.join(dropped)}. To fit again, set them after loading.", stacklevel=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same objects, by the estimator's names
        embedder._model.save(folder / _MODEL)
    about = {"arguments": kept, "history": embedder._history, "given": [name for name in given if given[name] is not None]}
    write_atomic(folder / _ABOUT, json.dumps(about).encode())


def load_ParametricUMAP(save_location, verbose=True):
    """Load what `ParametricUMAP.save` wrote.

    Parameters
    ----------
    save_location : path-like
        The folder.
    verbose : bool, default=True
        Print what was loaded.

    Returns
    -------
    ParametricUMAP
        Fitted, without training data and graph. A further `fit` trains its networks on.

    Raises
    ------
    FileNotFoundError
        If the folder has no such model; those of umap-learn's own `save` cannot be read.
    """
    folder = Path(save_location)
    if not (folder / _ABOUT).exists():
        raise FileNotFoundError(f"{folder} has no {_ABOUT}: it was not written by pumap. A model of umap-learn must be fitted again, or adopted by ParametricUMAP.from_encoder.")
    about = json.loads((folder / _ABOUT).read_text())
    embedder = ParametricUMAP(**{name: tuple(value) if isinstance(value, list) else value for name, value in about["arguments"].items()})
    model = embedder._model = parametric_umap.ParametricUMAP.load(folder / _MODEL)
    embedder.encoder, embedder.decoder = model.encoder_, model.decoder_
    embedder._given = {name: getattr(embedder, name) if name in about["given"] else None for name in ("encoder", "decoder")}
    embedder._history, embedder.n_features_in_, embedder._a, embedder._b = about["history"], model.n_features_in_, model.a_, model.b_
    if verbose:
        print(f"Loaded {folder / _MODEL}")
    return embedder


# %% [markdown]
# ## An example
#
# Train on the digits 0 to 8, keep a third of them as landmarks, and train on with the 9s.

# %%
old, new = X[y != 9], X[y == 9]
embedder = ParametricUMAP(n_neighbors=10, n_epochs=10, random_state=0).fit(old)
before = embedder.transform(old)
embedder.add_landmarks(old, sample_pct=0.3, landmark_loss_weight=1.0)
embedder.fit(np.concatenate([new, old]))
moved = np.linalg.norm(embedder.transform(old) - before, axis=1)
assert np.median(moved) < 0.1 * before.std() and len(embedder._history["loss"]) == 20

# %% [markdown]
# It can be saved, pickled and cloned.

# %%
with tempfile.TemporaryDirectory() as folder:
    embedder.remove_landmarks()
    embedder.save(folder)
    loaded = load_ParametricUMAP(folder)
for other in (loaded, pickle.loads(pickle.dumps(embedder))):
    assert_array_equal(other.transform(X), embedder.transform(X))
twin = clone(embedder)
assert twin.encoder is None and twin.n_neighbors == 10 and not hasattr(twin, "embedding_")

# %% [markdown]
# What has no meaning here is refused.

# %%
for wrong, words in (({"densmap": True}, "density"), ({"init": "random"}, "initial weights"), ({"transform_seed": 0}, "one forward pass")):
    try:
        ParametricUMAP(**wrong).fit(X)
    except ValueError as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")
try:
    embedder.parametric_model
except AttributeError as error:
    print(error)
