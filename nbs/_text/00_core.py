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
# # Core
#
# > Random generators, input checks, model files and atomic writes: what every other module builds on.

# %%
#| default_exp core

# %%
#| hide
import numpy as np
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator

# %%
#| export
import contextlib
import difflib
import functools
import inspect
import json
import math
import numbers
import os
import re
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np  # imported where it is used, so that `pumap report` starts without it


# %% [markdown]
# Nothing in this module is specific to UMAP. Its functions keep an estimator predictable: one seed gives one result, a wrong argument raises
# one clear error, and a file is either written completely or not at all.
#
# ## Random generators
#
# pumap never changes a global seed. Every function that draws random numbers takes `random_state`, as in scikit-learn, and makes a NumPy
# generator from it.

# %%
#| export
def random_generator(random_state=None) -> "np.random.Generator":
    """Make a NumPy generator from any of the usual kinds of seed.

    Parameters
    ----------
    random_state : None, int, numpy.random.RandomState or numpy.random.Generator
        `None` draws a fresh seed. A `RandomState` provides one drawn number as the seed. A `Generator` is returned as it is, so that a
        function continues its caller's stream.

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> from pumap.core import random_generator
    >>> bool(random_generator(0).integers(10) == random_generator(0).integers(10))
    True
    """
    import numpy as np

    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None or isinstance(random_state, numbers.Integral):
        return np.random.default_rng(random_state)
    from sklearn.utils import check_random_state

    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


# %% [markdown]
# The same integer gives the same numbers, and so do two `RandomState`s with the same seed. A generator is returned as it is.

# %%
assert random_generator(3).integers(10**6) == random_generator(3).integers(10**6)
assert random_generator(np.random.RandomState(3)).integers(10**6) == random_generator(np.random.RandomState(3)).integers(10**6)
stream = random_generator(3)
assert random_generator(stream) is stream


# %% [markdown]
# ## Checking numbers
#
# In scikit-learn, `__init__` only stores its arguments, and `fit` checks them. Most settings are numbers with a lower bound: integers with a
# minimum, or positive numbers. `check_numbers` checks both kinds.

# %%
#| export
def check_numbers(settings: dict, optional: tuple, integers: dict, positive: tuple) -> dict:
    """Check the numbers among an estimator's settings.

    Parameters
    ----------
    settings : dict
        Parameters of the estimator, by name.
    optional : tuple of str
        Settings that may be `None`.
    integers : dict
        Names of integers, with their minimum.
    positive : tuple of str
        Names of positive, finite numbers.

    Returns
    -------
    dict
        The settings without the optional ones that are `None`.

    Raises
    ------
    ValueError
        For a number out of range; the message gives its name and value.
    """
    given = {name: value for name, value in settings.items() if not (name in optional and value is None)}
    for name, value in given.items():
        if name in integers and (isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < integers[name]):
            raise ValueError(f"{name} is {value!r}; it must be an integer of at least {integers[name]}.")
        if name in positive and (isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < math.inf):
            raise ValueError(f"{name} is {value!r}; it must be a positive number.")
    return given


# %%
def error_of(call, *args, **kwargs) -> str:
    "The message of the ValueError that a call raises."
    try:
        call(*args, **kwargs)
    except ValueError as error:
        return str(error)
    raise AssertionError("no error was raised")


rules = dict(optional=("batch_size",), integers={"batch_size": 2, "n_neighbors": 2}, positive=("spread",))
assert check_numbers({"n_neighbors": 15, "batch_size": None, "spread": 1.0}, **rules) == {"n_neighbors": 15, "spread": 1.0}
assert error_of(check_numbers, {"n_neighbors": 1}, **rules) == "n_neighbors is 1; it must be an integer of at least 2."
assert "spread is True" in error_of(check_numbers, {"spread": True}, **rules)

# %% [markdown]
# A misspelled parameter is a common mistake, and so is a parameter of another library. Python's own error names only `__init__` and the unknown
# parameter. This decorator adds the class, and one sentence: what another library's parameter is called here, or the most similar name.

# %%
#| export
_Function = TypeVar("_Function", bound=Callable)


def explain_unknown_parameters(foreign: dict) -> Callable[[_Function], _Function]:
    """Make a decorator for `__init__` that explains unknown parameters.

    A class may have a dict `_elsewhere` with a sentence for each parameter of other packages that people look for.

    Parameters
    ----------
    foreign : dict of str to str
        Parameters of other libraries, each with one sentence: what to use here, or why there is none.

    Returns
    -------
    callable
        Decorator of an `__init__` with explicit parameters, whose signature stays as it is. For an unknown parameter, the `__init__` raises
        `TypeError` with the sentence in `foreign`, or with the most similar parameter.
    """

    def decorate(init):
        known = list(inspect.signature(init).parameters)[1:]

        @functools.wraps(init)
        def checked(self, *args, **kwargs):
            for name in kwargs:
                if name not in known:
                    advice = _advice(name, known, foreign) or f"It takes: {', '.join(known)}."
                    raise TypeError(f"{type(self).__name__} has no parameter {name!r}. {advice}")
            init(self, *args, **kwargs)

        checked.foreign = foreign
        return checked

    return decorate


def _advice(name, known, foreign):
    "What to write in place of an unknown name; empty if there is nothing similar."
    close = difflib.get_close_matches(name, known, 1)
    return foreign.get(name) or (f"Did you mean {close[0]!r}?" if close else "")


# %%
class Example(BaseEstimator):
    @explain_unknown_parameters({"k": "Neighbors are counted by n_neighbors."})
    def __init__(self, n_neighbors=15):
        self.n_neighbors = n_neighbors


for wrong, advice in (("n_neighbours", "Did you mean 'n_neighbors'?"), ("k", "Neighbors are counted by n_neighbors."), ("xyz", "It takes: n_neighbors.")):
    try:
        Example(**{wrong: 3})
    except TypeError as error:
        assert str(error) == f"Example has no parameter {wrong!r}. {advice}"
    else:
        raise AssertionError("no error")


# %% [markdown]
# `model.n_neighbours = 3` is the same mistake, but Python accepts it. `fit` warns of such attributes. Attributes that begin or end with an
# underscore are not settings. A subclass with its own `__init__` may set what it likes.

# %%
#| export
def warn_of_stray_attributes(estimator) -> None:
    """Warn of attributes that somebody set on an estimator although they are no parameters.

    Parameters
    ----------
    estimator : estimator
        Nothing is checked unless its `__init__` is decorated by `explain_unknown_parameters`.

    Warns
    -----
    UserWarning
        For each such attribute; it has no effect.
    """
    init = type(estimator).__init__
    if not hasattr(init, "foreign"):
        return
    known = list(inspect.signature(init).parameters)[1:]
    for name in vars(estimator):
        if not (name in known or name.startswith("_") or name.endswith("_") or hasattr(type(estimator), name)):
            advice = _advice(name, known, init.foreign)
            warnings.warn(f"{name!r} is not a parameter of {type(estimator).__name__}, so setting it has no effect. {advice}".strip(), stacklevel=3)


# %%
stray = Example()
stray.n_neighbours = 3
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warn_of_stray_attributes(stray)
    warn_of_stray_attributes(Example(n_neighbors=3))
assert [str(w.message) for w in caught] == [
    "'n_neighbours' is not a parameter of Example, so setting it has no effect. Did you mean 'n_neighbors'?"
]


# %% [markdown]
# ## Forked processes
#
# TensorFlow, JAX and OpenMP start threads. A process that is forked afterwards has their locks but not their threads, so it hangs or dies. What
# is about to use a framework therefore calls `refuse_after_fork`. The first call in a process notes which process it is. A forked child inherits
# the note and finds another process in it.

# %%
#| export
@functools.cache
def _first_process() -> int:
    "The process that used a framework first, this one or one that it was forked from."
    return os.getpid()


def refuse_after_fork() -> None:
    """Refuse to go on in a process that was forked after the first call.

    Raises
    ------
    RuntimeError
        If this process was forked.
    """
    if _first_process() != os.getpid():
        raise RuntimeError(
            "This process was forked after pumap had used Keras, whose threads do not survive a fork: "
            "start processes with multiprocessing.get_context('spawn')."
        )


# %%
assert refuse_after_fork() is None and refuse_after_fork() is None

# %% [markdown]
# ## Checking rows
#
# scikit-learn validates the rows; images keep their shape. `dims` is the shape of a row as the network takes it, with as many values as the row
# has. `fit` stores the shape of a row. `transform` also takes flat rows and rows of the shape `dims`, and raises an error for any other shape.

# %% [markdown]
# Graph and networks compute in float32, with seven digits. Times in seconds since 1970 need ten. Such columns are moved by an offset near their median
# before float64 is cast, which leaves distances as they are. `transform` moves new rows by the same offset.

# %%
#| export
_MOVABLE = ("euclidean", "l2", "sqeuclidean", "manhattan", "l1", "taxicab", "chebyshev", "linfinity", "linfty", "linf", "minkowski", "wminkowski",
            "weighted_minkowski", "seuclidean", "standardised_euclidean", "mahalanobis", "precomputed")  # fmt: skip


def float32_offset(X):
    """Find an offset for columns that float32 cannot resolve.

    Parameters
    ----------
    X : ndarray, float64, shape (n_rows, ...)

    Returns
    -------
    ndarray, float64, shape (...), or None
        Zero but for columns whose values are more than 10,000 times larger than they differ. `None` = there are none.
    """
    import numpy as np

    some = X[:: max(1, len(X) // 1000)]
    low, offset, high = np.percentile(some, (10, 50, 90), axis=0)
    differ = np.where(high > low, high - low, some.max(axis=0) - some.min(axis=0))
    fine = (differ == 0) | (abs(offset) <= 1e4 * differ)
    return None if fine.all() else np.where(fine, 0, offset)


# %%
times = 1.7e9 + 2.0 * np.arange(300)
offset = float32_offset(np.stack([times, times / 1e9 - 1.7], axis=1))
assert len(np.unique(times.astype("float32"))) == 6 and len(np.unique((times - offset[0]).astype("float32"))) == 300 and offset[1] == 0


# %% [markdown]
# ## Rows that are read when they are needed
#
# Rows may be too many for the memory, or be decoded from files. Training needs any row at any time, so they must be found by their index. `StoredRows`
# reads the rows of one batch from such an object: an HDF5 dataset, a map-style dataset of PyTorch, or a class with `__len__` and `__getitem__`. (A
# memory-mapped array is an ordinary array, and needs none of it.) HDF5 wants indices that increase, each of them once.

# %%
#| export
class StoredRows:
    """Read rows by their index from an object that does not hold them in memory.

    Parameters
    ----------
    source : object
        With `shape` (n_rows, ...), it takes a slice, or an array of increasing indices. Without, it has `__len__`, takes one index, and gives one
        row, or a tuple whose first part is the row.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        float32: rows are converted as they are read.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.core import StoredRows
    >>> class Squares:
    ...     def __len__(self):
    ...         return 100
    ...     def __getitem__(self, i):
    ...         return np.array([i, i**2])
    >>> StoredRows(Squares())[[3, 1, 3]].tolist()
    [[3.0, 9.0], [1.0, 1.0], [3.0, 9.0]]
    """

    def __init__(self, source):
        import numpy as np

        self.source, self.dtype, self.shape = source, np.dtype("float32"), ()
        self._at_once = len(getattr(source, "shape", ())) > 1
        self.shape = tuple(source.shape) if self._at_once else (len(source), *self._one(0).shape)
        self.ndim = len(self.shape)

    def __len__(self):
        return self.shape[0]

    def _one(self, i):
        import numpy as np

        row = self.source[int(i)]
        row = np.asarray(row[0] if isinstance(row, (tuple, list)) else row)
        if row.dtype.kind not in "buif" or self.shape and row.shape != self.shape[1:]:
            raise ValueError(f"Row {i} of X has dtype {row.dtype} and shape {row.shape}; rows must be numbers, all of one shape.")
        return row

    def __getitem__(self, which):
        """Read the rows of a slice or of an array of indices; a `ValueError` if they have NaN or infinity."""
        import numpy as np

        which = np.arange(len(self))[which] if isinstance(which, slice) else np.asarray(which)
        unique, inverse = np.unique(which, return_inverse=True)
        found = self.source[unique] if self._at_once else np.stack([self._one(i) for i in unique])
        with np.errstate(over="ignore"):
            found = np.asarray(found).astype(np.float32)
        if not np.isfinite(found).all():
            raise ValueError(f"Input X contains NaN, infinity or a value too large for float32, between rows {unique[0]} and {unique[-1]}.")
        return found[inverse]

    def _blocks(self):
        return (self[start : start + 1000] for start in range(0, len(self), 1000))

    def min(self):
        """Return the smallest value; reads all rows, block by block."""
        return min(block.min() for block in self._blocks())

    def max(self):
        """Return the largest value; reads all rows, block by block."""
        return max(block.max() for block in self._blocks())


# %% [markdown]
# An iterator gives each row once, in its own order. It is enough for `transform`, but not for `fit`.

# %%
#| export
def is_stored(X) -> bool:
    """Return whether rows are to be read by their index: an HDF5 dataset, or an object with `__len__` and `__getitem__` that is no array or list."""
    from scipy import sparse

    if type(X).__module__.split(".")[0] == "h5py":
        return True
    known = isinstance(X, (list, tuple, dict, str, bytes)) or hasattr(X, "__array__") or sparse.issparse(X)
    return not known and hasattr(X, "__len__") and hasattr(X, "__getitem__") and not hasattr(X, "num_batches")  # that is a Keras PyDataset of batches


def is_iterator(X) -> bool:
    """Return whether rows come in batches: a generator, a PyTorch DataLoader, a TensorFlow Dataset or a Keras PyDataset."""
    if hasattr(X, "num_batches"):
        return True
    return hasattr(X, "__iter__") and not hasattr(X, "__getitem__") and not hasattr(X, "__array__") and not hasattr(X, "toarray")


def check_stored(estimator, X, reset: bool):
    """Check rows that are read when they are needed, as `check_input` checks arrays.

    Parameters
    ----------
    estimator : estimator with a `dims` parameter
    X : object
        See `is_stored`.
    reset : bool
        `True` in `fit`, `False` afterwards.

    Returns
    -------
    StoredRows
        NaN and infinity are found when a row is read.

    Raises
    ------
    ValueError
        If a fit has neither neighbors nor a graph, or rows have another shape than the fitted ones.
    """
    if reset and getattr(estimator, "precomputed_graph", None) is None and getattr(estimator, "precomputed_knn", None) is None:
        raise ValueError(f"X is a {type(X).__name__}, whose rows are read one batch at a time, so neighbors cannot be searched: give precomputed_knn or precomputed_graph, or np.asarray of the rows.")
    if not len(X):
        raise ValueError(f"X is an empty {type(X).__name__}; a minimum of 2 rows is required to fit, and 1 to transform.")
    rows = StoredRows(X)
    if rows.ndim < 2:
        raise ValueError(f"X is a {type(X).__name__} of shape {rows.shape}; each row must be an array of numbers.")
    if reset:
        estimator.n_features_in_ = rows.shape[1]
        estimator.__dict__.pop("feature_names_in_", None)
    elif rows.shape[1:] not in (tuple(estimator._row_shape), tuple(estimator._input_shape)):
        raise ValueError(f"Rows have shape {rows.shape[1:]}, but {type(estimator).__name__} was fitted on rows of shape {tuple(estimator._row_shape)}.")
    elif getattr(estimator, "_offset", None) is not None:
        raise ValueError("The estimator was fitted on float64 rows with an offset: give arrays to transform.")
    return rows


# %% [markdown]
# `check_input` puts this together.

# %%
#| export
def in_fitted_shape(estimator, X, *others: tuple):
    """Give rows the shape that they had in `fit`.

    Parameters
    ----------
    estimator : fitted estimator
        Its `_row_shape` is the shape of a row.
    X : array-like or CSR matrix, shape (n_rows, ...)
    *others : tuple of int
        Other shapes of a row that are accepted; flat rows always are.

    Returns
    -------
    array-like or CSR matrix
        `X` itself if it has the fitted shape already, or is a table of another width, which scikit-learn refuses.

    Raises
    ------
    ValueError
        For rows of another shape.
    """
    import numpy as np

    fitted = tuple(estimator._row_shape)
    shape = tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)[1:]
    if shape in ((math.prod(fitted),), *others) and shape != fitted:
        return (X.toarray() if hasattr(X, "toarray") else np.asarray(X)).reshape(-1, *fitted)
    if shape != fitted and max(len(shape), len(fitted)) > 1:
        raise ValueError(f"Rows have shape {shape}, but {type(estimator).__name__} was fitted on rows of shape {fitted}.")
    return X


# %% [markdown]
# In `fit`, `check_input` stores the shapes and the offset. Afterwards it applies them.

# %%
#| export
def check_input(estimator, X, reset: bool):
    """Check rows and give them a dtype that the graph and the networks accept.

    Parameters
    ----------
    estimator : estimator with a `dims` parameter
        Its `_row_shape`, `_input_shape` and `_offset` are set if `reset`.
    X : array-like or CSR matrix, shape (n_rows, n_features) or (n_rows, ...), or rows that are read by their index
        It is not changed. See `is_stored`.
    reset : bool
        `True` in `fit`, `False` afterwards.

    Returns
    -------
    ndarray or CSR matrix, float32 or uint8; or StoredRows

    Raises
    ------
    ValueError
        For NaN, infinity, `dims` that do not fit, rows of another shape than the fitted ones, or an iterator.

    Warns
    -----
    UserWarning
        If float32 cannot tell rows apart, and the metric does not allow to move them.
    """
    import numpy as np
    from scipy import sparse
    from sklearn.utils.validation import validate_data

    if is_iterator(X):
        raise ValueError(
            f"X is a {type(X).__name__}, which gives rows in one order, and training needs any of them at any time: write them to a file with "
            "np.lib.format.open_memmap, or give an object with __len__ and __getitem__."
        )
    stored = is_stored(X)
    if stored:
        X = check_stored(estimator, X, reset)
    elif not reset:
        X = in_fitted_shape(estimator, X, estimator._input_shape)
    X = X if stored else validate_data(estimator, X, reset=reset, accept_sparse="csr", allow_nd=True, dtype=[np.float64, np.float32, np.uint8])
    shape = tuple(int(n) for n in X.shape[1:])
    if reset:
        estimator._row_shape = shape
        estimator._input_shape = shape if estimator.dims is None else tuple(np.atleast_1d(estimator.dims).tolist())
        positive = all(isinstance(n, int) and n > 0 for n in estimator._input_shape)
        if not positive or math.prod(estimator._input_shape) != math.prod(shape):
            raise ValueError(f"dims is {estimator.dims!r}; for rows of shape {shape} it must be positive integers whose product is {math.prod(shape)}.")
        estimator._offset = None if stored else _offset_of(X, getattr(estimator, "metric", "euclidean"))
    if getattr(estimator, "_offset", None) is not None:
        X = X - np.reshape(estimator._offset, shape)
    if X.dtype != np.float64:
        return X
    with np.errstate(over="ignore"):
        X = X.astype(np.float32)
    if not np.isfinite(X.data if sparse.issparse(X) else X).all():
        raise ValueError("Input X contains infinity or a value too large for dtype('float32'): scale the rows.")
    return X


def _offset_of(X, metric):
    "The offset of float64 rows as nested lists, for JSON; None = none, or the metric depends on it."
    import numpy as np
    from scipy import sparse

    offset = None if sparse.issparse(X) or X.dtype != np.float64 else float32_offset(X)
    if offset is not None and metric not in _MOVABLE:
        warnings.warn(f"float32 cannot tell rows apart in {np.count_nonzero(offset)} features, whose values are large and nearly equal: subtract their means.", stacklevel=4)
        return None
    return None if offset is None else offset.tolist()


# %%
class Rowwise(BaseEstimator):
    "An estimator that only stores `dims`."

    def __init__(self, dims=None):
        self.dims = dims


estimator = Rowwise(dims=(2, 3))
assert check_input(estimator, np.ones((4, 6)), reset=True).dtype == np.float32 and estimator._input_shape == (2, 3)
assert "expecting 6 features" in error_of(check_input, estimator, np.ones((4, 5)), reset=False)  # scikit-learn's own words
assert check_input(estimator, np.ones((4, 2, 3)), reset=False).shape == (4, 6)
assert "fitted on rows of shape (6,)" in error_of(check_input, estimator, np.ones((4, 6, 1)), reset=False)
assert "product is 6" in error_of(check_input, Rowwise(dims=(2, 2)), np.ones((4, 6)), reset=True)


# %% [markdown]
# The output of a sigmoid lies between 0 and 1, and binary cross entropy is defined for such values only. For other data, a decoder that ends
# in a sigmoid causes a warning, and binary cross entropy raises an error.

# %%
#| export
def check_unit_range(X, reconstruction_loss: str = "binary_crossentropy", decoder=None) -> None:
    """Check that a decoder can reach the values of the rows.

    Parameters
    ----------
    X : ndarray or CSR matrix
        Rows to reconstruct.
    reconstruction_loss : {"binary_crossentropy", "mse"}
    decoder : str, keras.Model, callable or None
        A decoder given by its name ends in a sigmoid.

    Raises
    ------
    ValueError
        For binary cross entropy and values outside [0, 1].

    Warns
    -----
    UserWarning
        For "mse", values outside [0, 1] and a decoder given by its name.
    """
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


# %%
assert check_unit_range(np.array([[0.0, 1.0]])) is None
assert "0 to 255" in error_of(check_unit_range, np.array([[0, 255]]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    check_unit_range(np.array([[-1.0, 1.0]]), "mse", decoder="mlp")
assert "ends in a sigmoid" in str(caught[0].message)


# %% [markdown]
# `inverse_transform` takes points of the embedding.

# %%
#| export
def check_points(X, n_components: int):
    """Check points of an embedding.

    Parameters
    ----------
    X : array-like, shape (n_points, n_components)
    n_components : int

    Returns
    -------
    ndarray, float32

    Raises
    ------
    ValueError
        For NaN, infinity, or points with another number of coordinates.
    """
    import numpy as np
    from sklearn.utils.validation import check_array

    points = check_array(X, dtype=np.float32)
    if points.shape[1] != n_components:
        raise ValueError(f"Points have {points.shape[1]} coordinates, but the embedding has {n_components}.")
    return points


# %%
assert check_points([[0, 1]], 2).dtype == np.float32
assert "3 coordinates, but the embedding has 2" in error_of(check_points, np.ones((4, 3)), 2)


# %% [markdown]
# ## Checking labels
#
# Everything in pumap that takes labels takes the same ones: integers, booleans, whole floats or strings. A row without a label has -1. Among strings it
# may also be `"-1"`, because `np.array(["cat", "dog", -1])` turns it into a string.

# %%
#| export
def check_labels(y, n_rows: int, name: str = "y", unknown: bool = True) -> tuple:
    """Number the classes of labels.

    Parameters
    ----------
    y : array-like, shape (n_rows,)
        Integers from 0 on, booleans, whole floats or strings; -1 (among strings also "-1") = no label.
    n_rows : int
    name : str, default="y"
        Name of the labels, for the errors.
    unknown : bool, default=True
        If `False`, -1 is a class like the others.

    Returns
    -------
    codes : ndarray, int64, shape (n_rows,)
        Numbers of classes, from 0; -1 = no label.
    classes : ndarray, shape (n_classes,)
        Labels of the classes, sorted.

    Raises
    ------
    ValueError
        For another number of labels, missing values, or values that are not classes.

    Warns
    -----
    sklearn.exceptions.DataConversionWarning
        For a column of shape (n_rows, 1).

    Examples
    --------
    >>> from pumap.core import check_labels
    >>> codes, classes = check_labels(["dog", -1, "cat", "dog"], 4)
    >>> codes.tolist(), classes.tolist()
    ([1, -1, 0, 1], ['cat', 'dog'])
    """
    import numpy as np
    from sklearn.utils.validation import column_or_1d

    if isinstance(y, (list, tuple)) and any(isinstance(value, str) for value in y):
        y = np.array(y, dtype=object)  # NumPy would turn NaN and None into strings
    y = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)  # scikit-learn would turn pandas' integers into floats
    if y.ndim not in (1, 2) or y.ndim == 2 and y.shape[1] != 1:
        raise ValueError(f"{name} has shape {y.shape}; it must be 1d, one label per row.")
    y = column_or_1d(y, warn=True)
    if len(y) != n_rows:
        raise ValueError(f"{name} has {len(y)} labels for {n_rows} rows; give each row one{', -1 if it is not known' if unknown else ''}.")
    values = y.tolist() if y.dtype.kind != "M" else [str(value) for value in y]
    if any(value is None or value != value or str(value) in ("nan", "NaT", "<NA>") for value in values):  # among strings NaN is "nan"
        advice = "A row without a label has -1: with pandas, y.fillna(-1)." if unknown else "Remove the rows without a label."
        raise ValueError(f"Input {name} contains NaN; None and the string 'nan' count as NaN, too. {advice}")
    known = [not (unknown and _is_unlabeled(value)) for value in values]
    _check_classes([value for value, is_known in zip(values, known) if is_known], y.dtype, name, unknown)
    classes, numbers_of = np.unique(np.array([value for value, is_known in zip(values, known) if is_known]), return_inverse=True)
    codes = np.full(n_rows, -1)
    codes[known] = numbers_of
    return codes, classes


def _is_unlabeled(value) -> bool:
    return value == "-1" if isinstance(value, str) else isinstance(value, numbers.Real) and not isinstance(value, bool) and value == -1


# %% [markdown]
# Labels are all strings, or all whole numbers from 0 on.

# %%
#| export
def _check_classes(labels: list, dtype, name: str, unknown: bool) -> None:
    "Raise a `ValueError` for labels that are not classes of one kind."
    if dtype.kind == "M" or not all(isinstance(value, (str, numbers.Real)) for value in labels):
        odd = next((value for value in labels if not isinstance(value, (str, numbers.Real))), labels[0])
        raise ValueError(f"Unknown label type: {name} holds {odd!r} ({dtype}); give integers or strings, for instance {name}.astype(str).")
    strings = [isinstance(value, str) for value in labels]
    if any(strings) and not all(strings):
        odd = next(value for value, is_string in zip(labels, strings) if not is_string)
        raise ValueError(f"Unknown label type: {name} holds {odd!r} among strings; give integers or strings, not both.")
    if any(strings):
        return
    for value in labels:
        if value != value // 1 or abs(value) == math.inf:
            raise ValueError(f"Unknown label type: {name} holds {value!r}, a continuous value; labels must be classes: integers or strings.")
        if value < -1 or unknown and value < 0:
            raise ValueError(f"{name} holds the label {value!r}; give integers from 0 on, and -1 for rows without a label.")


# %%
for labels in (["cat", "dog", -1], [3.0, 7.0, -1.0], np.array([3, 7, -1]), np.array(["3", "7", "-1"])):
    assert check_labels(labels, 3)[0].tolist() == [0, 1, -1]
assert check_labels([0, -1, 0], 3, unknown=False)[0].tolist() == [1, 0, 1]
for wrong, words in (([0.5, 1.0], "continuous"), ([0, -2], "label -2"), ([0, None], "None"), (["a", 1], "not both"), ([0], "1 labels for 2 rows")):
    assert words in error_of(check_labels, wrong, 2)


# %% [markdown]
# ## Checking graphs
#
# A graph may be given in place of a neighbor search: a sparse matrix with a membership strength for each edge (see `01_graph`). UMAP's graphs are
# symmetric. Strengths in one direction are combined as UMAP does, by the fuzzy union; this also completes a graph that lists each edge once.

# %%
#| export
def check_graph(graph, n_rows: int, name: str = "precomputed_graph"):
    """Check a graph of membership strengths that was computed elsewhere.

    Parameters
    ----------
    graph : sparse matrix, shape (n_rows, n_rows)
        Membership strengths in (0, 1]; it is not changed.
    n_rows : int
    name : str
        Name of the setting, for the error.

    Returns
    -------
    scipy.sparse.csr_matrix, float32
        A copy without explicit zeros. A graph that is not symmetric is replaced by its fuzzy union w_ij + w_ji - w_ij * w_ji.

    Raises
    ------
    ValueError
        For another type or shape, no edges, or values outside (0, 1].
    """
    import numpy as np
    from scipy import sparse

    if not sparse.issparse(graph) or graph.shape != (n_rows, n_rows):
        raise ValueError(
            f"{name} is {type(graph).__name__} of shape {getattr(graph, 'shape', None)}; it must be sparse, of shape ({n_rows}, {n_rows})."
        )
    graph = sparse.csr_matrix(graph, dtype=np.float32, copy=True)
    graph.eliminate_zeros()
    if not (graph.nnz and np.isfinite(graph.data).all() and graph.data.min() > 0):
        raise ValueError(f"{name} must have membership strengths that are positive numbers, and at least one of them.")
    if graph.data.max() > 1 + 1e-5:
        raise ValueError(
            f"{name} has strengths up to {graph.data.max():.4g}; they must be at most 1. Scale them; if they are distances, make the graph with "
            "fuzzy_graph(distances, metric='precomputed')."
        )
    if abs(graph - graph.T).max() > 1e-4:
        graph = sparse.csr_matrix(graph + graph.T - graph.multiply(graph.T), dtype=np.float32)
    return graph


# %%
assert check_graph(sparse.eye(3), 3).nnz == 3
assert "of shape (4, 4)" in error_of(check_graph, sparse.eye(3), 4)
assert "positive numbers" in error_of(check_graph, -sparse.eye(3), 3)
assert "distances" in error_of(check_graph, 2 * sparse.eye(3), 3)


# %% [markdown]
# ## Atomic writes
#
# A run may be killed, or a disk may be full. A file is therefore written under a temporary name and renamed at the end. Readers see the old
# content or the new content, never a part of it.

# %%
#| export
def write_atomic(path, content: bytes) -> None:
    """Write a file in one step.

    Parameters
    ----------
    path : path-like
        Missing folders are created.
    content : bytes

    Raises
    ------
    OSError
        If the file cannot be written; the message names it. An existing file stays as it is.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the draft may not exist
            draft.unlink()
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"{reason}, so {path.name} could not be written (files already there are untouched); make room or choose another folder", str(path)) from error


# %%
with tempfile.TemporaryDirectory() as folder:
    write_atomic(Path(folder) / "new" / "file.txt", b"first")
    write_atomic(Path(folder) / "new" / "file.txt", b"second")
    assert [p.read_bytes() for p in Path(folder).rglob("*.txt")] == [b"second"]


# %% [markdown]
# ## One file per model
#
# A fitted estimator is saved as one zip archive: settings and history as JSON, arrays as `.npy`, networks in Keras' own format. Loading it
# runs no code from the file. Training data and graph are not saved. The networks do not depend on the backend, so a file written under
# TensorFlow loads under JAX or PyTorch.
#
# The archive is built in a temporary folder in the same directory and renamed at the end, so it is also complete or absent. Before that, each
# network is read back: Keras writes a `Lambda` or an unregistered layer, and fails only when it reads one.

# %%
#| export
@contextlib.contextmanager
def _packed(path):
    "Yield a folder, and pack its files into one zip archive at `path`, all or nothing."
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
def _unpacked(path, writer: str):
    "Yield a folder with the files of an archive; a `ValueError` if it is damaged or was not written by `writer.save`."
    try:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
            yield Path(folder)
    except (zipfile.BadZipFile, FileNotFoundError, KeyError, json.JSONDecodeError) as error:
        if not Path(path).exists():
            raise
        raise ValueError(f"{path} is damaged or was not written by {writer}.save: {error}") from error


# %% [markdown]
# Some settings cannot be written as JSON, such as a Keras model or a custom metric. They are replaced by a note. The fitted model does not
# need them; to fit again, set them after loading.

# %%
#| export
def _split_settings(settings: dict) -> tuple[dict, list]:
    "Split settings: a dict with a note in place of those that JSON cannot hold, and the names of the latter."
    import numpy as np

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
kept, dropped = _split_settings({"min_dist": np.float64(0.1), "encoder": np.sin})
assert kept == {"min_dist": 0.1, "encoder": "not saved: ufunc given as encoder"} and dropped == ["encoder"]


# %% [markdown]
# The other contents depend on the class. `Archive` lists its arrays and networks.

# %%
#| export
class Archive(NamedTuple):
    """List what is saved of an estimator besides its settings.

    Attributes
    ----------
    format : str
        First words of the file: "pumap", the class and a version.
    arrays : tuple of str
        Names of NumPy arrays; the attribute `name_` is saved as name.npy.
    networks : tuple of str
        Names of Keras models; the attribute `name_` is saved as name.keras. All but the first may be `None`.
    """

    format: str
    arrays: tuple
    networks: tuple


_FITTED = ("a_", "b_", "n_features_in_", "_row_shape", "_input_shape", "_offset", "history_")


def write_archive(estimator, path, archive: Archive) -> None:
    """Save a fitted estimator to one file, all or nothing.

    Parameters
    ----------
    estimator : fitted estimator
    path : path-like
    archive : Archive

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    ValueError
        If Keras cannot load a network that it wrote. An existing file stays as it is.
    OSError
        If the file cannot be written. An existing file stays as it is.

    Warns
    -----
    UserWarning
        If there are settings that JSON cannot hold; the message names them.
    """
    import numpy as np
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    settings, dropped = _split_settings(estimator.get_params(deep=False))
    if dropped:
        warnings.warn(f"Not saved, since they are objects: {', '.join(dropped)}. What is fitted works; to fit again, set them after loading.", stacklevel=3)
    fitted = {name: getattr(estimator, name) for name in _FITTED} | {"feature_names_in_": list(getattr(estimator, "feature_names_in_", []))}
    with _packed(path) as folder:
        (folder / "about.json").write_text(json.dumps({"format": archive.format, "settings": settings, "fitted": fitted}))
        for name in archive.arrays:
            np.save(folder / f"{name}.npy", getattr(estimator, f"{name}_"))
        for name in archive.networks:
            if getattr(estimator, f"{name}_") is not None:
                _write_network(getattr(estimator, f"{name}_"), folder / f"{name}.keras", path)


# %% [markdown]
# `read_archive` makes a new estimator from the settings, and gives it what was fitted.

# %%
#| export
def read_archive(cls, path, archive: Archive):
    """Load an estimator that `write_archive` saved.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    path : path-like
    archive : Archive

    Returns
    -------
    estimator
        Fitted, but without its graph.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is damaged, of another format, or holds a network that Keras cannot load here.
    """
    import numpy as np

    writer = archive.format.split()[1]
    with _unpacked(path, writer) as folder:
        about = json.loads((folder / "about.json").read_text())
        if about["format"] != archive.format:
            raise ValueError(f"{path} has the format {about['format']!r}; {writer} reads {archive.format!r}.")
        parts = {f"{name}_": np.load(folder / f"{name}.npy") for name in archive.arrays}
        parts |= {f"{name}_": _read_network(folder / f"{name}.keras", path) for name in archive.networks}
        if parts[f"{archive.networks[0]}_"] is None:
            raise KeyError(f"{archive.networks[0]}.keras")
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in about["settings"].items()}  # JSON has lists only
    estimator = cls(**settings)
    names = about["fitted"].pop("feature_names_in_")
    if names:
        parts["feature_names_in_"] = np.array(names, dtype=object)
    for name, value in ({"_offset": None} | about["fitted"] | parts).items():  # older files have no offset
        setattr(estimator, name, tuple(value) if name.endswith("_shape") else value)
    return estimator


# %% [markdown]
# A network is read back before the archive counts as written. The error names the layer that Keras cannot find again.

# %%
#| export
def _write_network(network, file: Path, path) -> None:
    "Save a network for an archive, and check that what is read back is the same."
    import keras

    try:
        network.save(file)
        if not _compute_the_same(network, _read_network(file, path)):
            raise ValueError("what it computes has changed; write get_config for its own layers.")
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{Path(path).name} was not written: Keras {keras.__version__} cannot read {file.stem} back. {_blame(network, error)}") from error


def _compute_the_same(network, other) -> bool:
    "Whether two networks have the same output for one random row; True if the shape of a row is open."
    import keras
    import numpy as np

    shape = network.input_shape[1:]
    if None in shape:
        return True
    row = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    ours, theirs = (keras.tree.map_structure(keras.ops.convert_to_numpy, keras.tree.flatten(net(row))) for net in (network, other))
    return all(np.allclose(mine, its, rtol=1e-3, atol=1e-6, equal_nan=True) for mine, its in zip(ours, theirs))


def _blame(network, error) -> str:
    "Name the layer that Keras cannot find again, and say what to do; or give the reason of an error."
    import keras

    register = "keras.saving.register_keras_serializable()"
    for layer in network._flatten_layers():
        kind = type(layer)
        if isinstance(layer, keras.layers.Lambda):
            return f"Layer {layer.name!r} is a Lambda: write a keras.Layer with @{register} in its place."
        if not kind.__module__.startswith("keras.") and keras.saving.get_registered_name(kind) == kind.__name__:
            return f"Layer {layer.name!r} is a {kind.__name__}: decorate its class with @{register}, or call {register}({kind.__name__}), and save again."
    return f"The reason: {str(error).strip().splitlines()[0]}"


def _read_network(file: Path, path):
    "Load a network of an archive; None if the archive has no such file."
    import keras

    if not file.exists():
        return None
    refuse_after_fork()
    try:
        return keras.saving.load_model(file, compile=False)
    except (TypeError, ValueError) as error:
        missing = re.search(r"Could not locate \w+ '(.+?)'", str(error))
        reason = missing[0] if missing else str(error).strip().splitlines()[0]
        raise ValueError(
            f"Keras {keras.__version__} cannot load the network in {path}: {reason}. Import the module that defines and registers its own layers first."
        ) from error


# %% [markdown]
# The example packs one array; `07_parametric_umap` saves a real model. A file of another kind raises an error.

# %%
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "model.pumap"
    with _packed(file) as parts:
        np.save(parts / "embedding.npy", np.eye(2))
    assert [p.name for p in Path(folder).iterdir()] == ["model.pumap"]
    with _unpacked(file, "ParametricUMAP") as parts:
        assert_array_equal(np.load(parts / "embedding.npy"), np.eye(2))
    file.write_text("not an archive")
    assert "damaged or was not written by" in error_of(read_archive, Rowwise, file, Archive("pumap Rowwise 1", (), ("encoder",)))
