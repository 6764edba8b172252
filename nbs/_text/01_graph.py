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
# # Graph
#
# > Build UMAP's weighted graph of nearest neighbors, and draw batches of its edges for training.

# %%
#| default_exp graph

# %%
#| hide
import matplotlib.pyplot as plt
from matplotlib.collections import LineCollection
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from sklearn.datasets import load_digits, make_moons
from sklearn.neighbors import NearestNeighbors

# %%
#| export
import atexit
import contextlib
import contextvars
import functools
import importlib
import inspect
import numbers
import re
import shutil
import sys
import tempfile
import threading
import time
import types
import warnings
from typing import Callable, NamedTuple

import numpy as np
import scipy.sparse.linalg
from scipy import sparse
from scipy.stats import rankdata
from sklearn.metrics import pairwise_distances
from tqdm.auto import tqdm

from pumap.core import check_labels, check_numbers, random_generator


# %% [markdown]
# UMAP has two steps. The first turns the data into a weighted graph of nearest neighbors, the *fuzzy simplicial set*. The second embeds the
# vertices of that graph. Parametric UMAP changes only the second step, so this notebook uses umap-learn's own functions for the first. It then
# prepares the edges of the graph for training.
#
# | step | function |
# |---|---|
# | find the nearest neighbors of each row | `nearest_neighbors` |
# | turn distances into membership strengths | `fuzzy_graph` |
# | weaken edges between different labels | `intersect_labels` |
# | fit the similarity curve of the embedding | `find_ab` |
# | drop edges that are too weak to matter | `pruned_edges` |
# | draw batches of edges | `edge_batches` |
#
# ## The graph in two formulas
#
# Each row turns the distances to its neighbors into membership strengths between 0 and 1:
#
# $$w_{i \to j} = \exp\left(-\frac{d_{ij} - \rho_i}{\sigma_i}\right)$$
#
# - $\rho_i$ is the distance to the nearest neighbor, which therefore has strength 1.
# - $\sigma_i$ is a local scale. It makes the strengths of a row's neighbors add up to $\log_2$ of `n_neighbors`, in dense and sparse regions alike.
#
# The strengths of $i \to j$ and $j \to i$ may differ. The graph holds their fuzzy union, the same for both directions:
#
# $$w_{ij} = w_{i \to j} + w_{j \to i} - w_{i \to j}\, w_{j \to i}$$

# %%
def membership_strengths(d, n_neighbors):
    excess = d - d.min()
    sigma = brentq(lambda s: np.exp(-excess / s).sum() - np.log2(n_neighbors), 1e-6, 1e3)
    return np.exp(-excess / sigma)


moons, moon = make_moons(100, noise=0.05, random_state=0)
directed = np.zeros((100, 100))
for i, (d, neighbors) in enumerate(zip(*NearestNeighbors(n_neighbors=4).fit(moons).kneighbors())):
    directed[i, neighbors] = membership_strengths(d, n_neighbors=5)  # four others and the row itself
moon_graph = directed + directed.T - directed * directed.T

# %% [markdown]
# The picture shows this graph for two moons. The wider a line, the stronger the edge. No edge connects the two moons.

# %%
head, tail = np.nonzero(moon_graph)
strength = moon_graph[head, tail]
fig, ax = plt.subplots(figsize=(4, 2.5))
ax.add_collection(LineCollection(moons[np.stack([head, tail], axis=1)], linewidths=strength, colors="0.4", zorder=0))
ax.scatter(*moons.T, c=moon, cmap="coolwarm", s=12)
ax.set_axis_off()
assert (moon[head] == moon[tail]).all()

# %% [markdown]
# `fuzzy_graph`, below, builds the same graph for data of any size. The other examples use 600 handwritten digits.

# %%
X, y = load_digits(return_X_y=True)
X, y = X[:600].astype("float32") / 16, y[:600]


# %% [markdown]
# ## Check the rows
#
# Two inputs cannot give a useful graph: fewer rows than a neighborhood needs, and copies of a single row. `n_neighbors` counts the row itself, and at
# least one row must remain outside each neighborhood.

# %%
#| export
def check_rows(X, n_neighbors: int) -> None:
    """Check that rows can make a graph.

    Parameters
    ----------
    X : ndarray or CSR matrix, shape (n_rows, n_features)
    n_neighbors : int
        Size of a neighborhood, the row itself included.

    Raises
    ------
    ValueError
        If `n_neighbors` is not an integer of at least 2, there are fewer than `n_neighbors + 1` rows, or all rows are equal.
    """
    check_numbers({"n_neighbors": n_neighbors}, optional=(), integers={"n_neighbors": 2}, positive=())
    n = X.shape[0]
    if n < n_neighbors + 1:
        samples = "1 sample" if n == 1 else f"{n} samples"
        raise ValueError(
            f"Found {samples}, but n_neighbors={n_neighbors} needs at least {n_neighbors + 1}: give more rows or lower n_neighbors."
        )
    if _all_rows_equal(X):
        raise ValueError(f"All {n} rows are the same, so they have no neighborhoods: check how the data were loaded.")


def _all_rows_equal(X) -> bool:
    if sparse.issparse(X):
        return (X.max(axis=0) != X.min(axis=0)).nnz == 0
    return np.array_equal(X[0], X[-1]) and bool((X == X[0]).all())  # comparing two rows first is enough for nearly all data


# %%
for rows, words in ((X[:15], "at least 16"), (np.ones((50, 3)), "the same")):
    try:
        check_rows(rows, n_neighbors=15)
    except ValueError as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")

# %% [markdown]
# ## Use umap-learn's functions
#
# Importing any part of umap-learn also imports its `parametric_umap`, and with it TensorFlow, even for a user of JAX. `umap_functions` imports the
# rest without it. It is imported later, when somebody asks for it. An import that was interrupted leaves half of its modules behind, and the next
# attempt would fail. They are removed, so that the import can be repeated.

# %%
#| export
_NUMBA = threading.RLock()  # numba's default threads abort the process if two Python threads use them at once


@contextlib.contextmanager
def numba_threads(n_threads: int | None = None):
    """Run parallel numba code in one Python thread at a time.

    Parameters
    ----------
    n_threads : int or None, default=None
        Threads of numba meanwhile. `None` = as set.
    """
    import numba

    with _NUMBA:
        before = numba.get_num_threads()
        numba.set_num_threads(n_threads or before)
        try:
            yield
        finally:
            numba.set_num_threads(before)


@contextlib.contextmanager
def _repeatable_import():
    "Remove the modules that a failed import left without their package."
    before = set(sys.modules)
    try:
        yield
    except BaseException:
        for name in sorted(set(sys.modules) - before):
            if "." in name and name.rpartition(".")[0] not in sys.modules:
                sys.modules.pop(name, None)
        raise


@contextlib.contextmanager
def _without_parametric_umap():
    "Import `umap` without `umap.parametric_umap`; its names are then imported at their first use."
    name, lazy = "umap.parametric_umap", ("ParametricUMAP", "load_ParametricUMAP")
    if "umap" in sys.modules or name in sys.modules:
        yield
        return
    sys.modules[name] = None  # Python then raises an ImportError, which umap-learn expects
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)
            yield
    finally:
        sys.modules.pop(name, None)
    package = sys.modules["umap"]
    for attribute in lazy:
        vars(package).pop(attribute, None)  # a stand-in that raises an error

    def __getattr__(attribute):
        if attribute in lazy:
            return getattr(importlib.import_module(name), attribute)
        raise AttributeError(f"module 'umap' has no attribute {attribute!r}")

    package.__getattr__ = __getattr__


# %% [markdown]
# numba caches compiled functions on disk. Where no folder can be written, such as in a container that runs as another user, it raises an error
# on import. Then a temporary folder is used.

# %%
#| export
def umap_functions():
    """Import umap-learn and pynndescent, without TensorFlow, and let numba cache what they compile.

    Returns
    -------
    module
        `umap.umap_`.
    """
    with _NUMBA, _repeatable_import(), _without_parametric_umap():
        try:
            import umap.umap_
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            import numba

            for name in [name for name in sys.modules if name.split(".")[0] in ("umap", "pynndescent") and sys.modules[name]]:
                del sys.modules[name]
            numba.config.CACHE_DIR = tempfile.mkdtemp(prefix="numba-cache-")
            atexit.register(shutil.rmtree, numba.config.CACHE_DIR, ignore_errors=True)
            import umap.umap_
    names = ("umap.umap_", "umap.layouts", "umap.utils", *(f"pynndescent.{name}" for name in ("pynndescent_", "utils", "rp_trees", "hybrid_forest", "kernels")))
    keep_compiled(*(sys.modules[name] for name in names if name in sys.modules))
    return sys.modules["umap.umap_"]


# %% [markdown]
# umap-learn and pynndescent leave numba's cache off for most of their functions. `keep_compiled` switches it on.

# %%
#| export
def keep_compiled(*modules, with_distance: bool = False) -> int:
    """Let numba cache the compiled functions of modules on disk.

    Parameters
    ----------
    *modules : module
        Modules with functions that numba compiles.
    with_distance : bool, default=False
        Include functions that take a distance function `dist`. Only inside `cached_search`: elsewhere their cache never hits, and grows.

    Returns
    -------
    int
        Number of functions that were not cached before.

    Notes
    -----
    Without a folder that can be written, nothing changes.
    """
    from numba.core.caching import NullCache
    from numba.core.errors import NumbaWarning
    from numba.core.registry import CPUDispatcher

    warnings.filterwarnings("ignore", "Cannot cache compiled function", NumbaWarning)  # harmless: the function is compiled each time

    found = {id(f): f for module in modules for f in vars(module).values() if isinstance(f, CPUDispatcher) and isinstance(f._cache, NullCache)}
    kept = 0
    for function in found.values():
        if "dist" in inspect.signature(function.py_func).parameters and not with_distance:
            continue
        try:
            function.enable_caching()
            kept += 1
        except RuntimeError:  # no folder that can be written
            pass
    return kept


# %%
umap = sys.modules[umap_functions().__package__]
assert keep_compiled(umap.layouts) == 0  # all are cached by now

# %% [markdown]
# ## Metrics
#
# A metric is a name that umap-learn or pynndescent knows, or a function of two rows. A name means the same for all numbers of rows. In umap-learn it
# does not: below 4,096 rows scikit-learn computes the distances, above pynndescent does. They differ for these names.
#
# | metric | umap-learn below 4,096 rows | above | here |
# |---|---|---|---|
# | `seuclidean`, `standardised_euclidean` | variance of the columns | two ones, and then what is behind them in memory | variance of the columns |
# | `mahalanobis` | inverse covariance of the columns | a 2 x 2 identity, likewise | inverse covariance |
# | `symmetric_kl` | changes the rows it compares | on copies | on copies |
# | `russellrao` | equal rows have a positive distance | 0 for equal rows | 0 for equal rows |
# | `cosine`, `dot`, `direct_cosine` | the first only | a row of zeros and another row: differing values | the cosine distance; 1 from a row of zeros |
# | `true_angular` | - | one minus the angle: near rows are far | the angle divided by pi |
#
# Left out are the discrete metrics of umap-learn, which compare labels. So are `inner_product` (negative), `bit_hamming` and `bit_jaccard` (packed
# bits) and `sinkhorn` (reads beyond its cost matrix). `kantorovich` and `weighted_minkowski` need their keyword.

# %%
#| export
_RAISES = ("haversine", "kantorovich", "wasserstein")  # functions that raise errors, which a C function cannot: they are tried on two rows first
_LEFT_OUT = ("inner_product", "bit_hamming", "bit_jaccard", "sinkhorn")


def known_metrics() -> list:
    """List the names of the metrics for rows of numbers, sorted.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from pumap.graph import known_metrics
    >>> "cosine" in known_metrics()
    True
    """
    umap_functions()
    from pynndescent.distances import named_distances as approximate
    from umap.distances import DISCRETE_METRICS
    from umap.distances import named_distances as exact

    return sorted((set(exact) | set(approximate)) - set(DISCRETE_METRICS) - set(_LEFT_OUT))


def _named_function(name: str):
    "The function of two rows behind a name: pynndescent's if it has one, else umap-learn's."
    from pynndescent.distances import named_distances as approximate
    from umap.distances import named_distances as exact

    return approximate.get(name) or exact[name]


# %%
assert "euclidean" in known_metrics() and "poincare" in known_metrics() and "categorical" not in known_metrics()

# %% [markdown]
# The functions take keyword arguments by position, so `metric_kwds` is put into the order of the function's signature. scikit-learn's names for the
# parameters of named metrics are translated.

# %%
#| export
_KEYWORDS = {"seuclidean": {"V": "sigma"}, "standardised_euclidean": {"V": "sigma"}, "mahalanobis": {"VI": "vinv"}}
_NEEDED = {"kantorovich": "cost", "wasserstein": "cost", "wminkowski": "w", "weighted_minkowski": "w"}


def _keywords_in_order(metric, metric_kwds: dict) -> dict:
    "Sort keyword arguments by the metric's signature, up to the last one that is given; defaults fill the gaps."
    parameters = list(inspect.signature(getattr(metric, "py_func", metric)).parameters.values())[2:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):  # *args have no names, so the given order is kept
        return dict(metric_kwds)
    names = [p.name for p in parameters]
    wrong = [name for name in metric_kwds if name not in names]
    if wrong:
        raise ValueError(f"metric_kwds has {wrong[0]!r}, which the metric does not take; it takes: {', '.join(names) or 'none'}.")
    last = max((names.index(name) for name in metric_kwds), default=-1)
    lacking = [p.name for p in parameters[: last + 1] if p.name not in metric_kwds and p.default is p.empty]
    if lacking:
        raise ValueError(f"metric_kwds lacks {lacking[0]!r}, which the metric needs.")
    return {p.name: metric_kwds.get(p.name, p.default) for p in parameters[: last + 1]}


def _named_metric(name: str, metric_kwds: dict) -> tuple:
    "Check a name and its keyword arguments; return them as the function behind the name takes them."
    if name not in known_metrics():
        raise ValueError(f"metric is {name!r}; give a function of two rows or one of: {', '.join(known_metrics())}.")
    if name == "minkowski" and "w" in metric_kwds:
        name = "weighted_minkowski"
    translated = {_KEYWORDS.get(name, {}).get(key, key): value for key, value in metric_kwds.items()}
    if _NEEDED.get(name, "") not in ("", *translated):
        raise ValueError(f"metric {name!r} needs metric_kwds with {_NEEDED[name]!r}.")
    return name, _keywords_in_order(_named_function(name), translated)


# %%
def weighted_minkowski(x, y, p=2.0, weight=1.0):
    return weight * (np.abs(x - y) ** p).sum() ** (1 / p)


assert list(_keywords_in_order(weighted_minkowski, {"weight": 3, "p": 1}).values()) == [1, 3]
assert _keywords_in_order(weighted_minkowski, {"weight": 3}) == {"p": 2.0, "weight": 3}
try:
    _named_metric("minkowski", {"q": 3.0})
except ValueError as error:
    assert "it takes: p" in str(error)
else:
    raise AssertionError("no error")


# %% [markdown]
# A metric that is a function is compiled by numba. umap-learn also accepts functions that return a distance and its gradient; the graph needs
# only the distance. A first call with two rows shows what the function returns. It raises an error if numba cannot compile the function, or if the
# function changes its rows.

# %%
#| export
def _own_metric(metric, sample, metric_kwds: dict):
    "Compile a metric that is a function, with its keyword arguments: a function of two rows that returns only a distance."
    if sparse.issparse(sample):
        raise ValueError("metric is a function and the data are sparse: give dense rows, or the name of a metric.")
    import numba

    name = getattr(metric, "__name__", repr(metric))
    rows = np.array(sample)
    try:
        function = metric if hasattr(metric, "py_func") else numba.njit(metric)
        value = function(*rows, *metric_kwds.values())
    except Exception as error:  # numba raises many types for the same cause
        why = str(error).strip().removeprefix("Failed in nopython mode pipeline (step: nopython frontend)").strip() or type(error).__name__
        raise ValueError(f"metric {name!r}, compiled by numba, fails on two rows: {why.splitlines()[0]}") from error
    if not np.array_equal(rows, sample, equal_nan=True):
        raise ValueError(f"metric {name!r} changes the rows that it compares: let it work on copies, such as x = x.copy().")
    if isinstance(value, tuple):
        return numba.njit(lambda x, y: function(x, y, *keywords)[0]) if (keywords := tuple(metric_kwds.values())) else numba.njit(lambda x, y: function(x, y)[0])
    return _with_keywords(function, metric_kwds)


def _with_keywords(function, metric_kwds: dict):
    "A compiled function of two rows, its keyword arguments fixed."
    import numba

    keywords = tuple(np.asarray(value) if isinstance(value, list) else value for value in metric_kwds.values())
    return numba.njit(lambda x, y: function(x, y, *keywords)) if keywords else function


# %%
def manhattan_with_gradient(x, y):
    return np.abs(x - y).sum(), np.sign(x - y)


assert_allclose(_own_metric(manhattan_with_gradient, X[:2], {})(X[0], X[1]), np.abs(X[0] - X[1]).sum(), rtol=1e-6)


# %% [markdown]
# ### Metrics that reduce to the Euclidean distance
#
# The cosine distance of two rows is half the squared Euclidean distance of the same rows scaled to length 1. Other metrics reduce to the Euclidean
# distance in the same way: change the rows, search, and convert the distances. This gives one definition for all searches, and the fastest one.

# %%
#| export
def _on_sphere(X):
    "Rows scaled to length 1. A row of zeros gets a coordinate of its own, at the cosine distance 1 from all others."
    lengths = sparse.linalg.norm(X, axis=1) if sparse.issparse(X) else np.linalg.norm(X.astype(np.float64), axis=1)
    zero = lengths == 0
    scale = 1 / np.where(zero, 1, lengths)
    X = sparse.csr_matrix(X.multiply(scale[:, None])) if sparse.issparse(X) else X * scale[:, None]
    if zero.any():
        extra = zero[:, None].astype(np.float32)
        X = sparse.hstack([X, extra]).tocsr() if sparse.issparse(X) else np.hstack([X, extra])
    return X


def _centered_rows(X):
    X = X.astype(np.float64)
    centered = X - X.mean(axis=1, keepdims=True)
    return np.where(abs(centered).max(axis=1, keepdims=True) > 1e-12 * abs(X).max(axis=1, keepdims=True), centered, 0)


def _roots(X):
    if X.min() < 0:
        raise ValueError(f"metric 'hellinger' needs values of at least 0; the least is {X.min():.4g}.")
    return _on_sphere(np.sqrt(X))


def _standardized(X, sigma=None):
    if sigma is None:
        squares = X.multiply(X).mean(axis=0) if sparse.issparse(X) else np.square(X, dtype=np.float64).mean(axis=0)
        mean = X.mean(axis=0) if sparse.issparse(X) else X.mean(axis=0, dtype=np.float64)
        sigma = np.asarray(squares - np.square(mean)).ravel() * X.shape[0] / (X.shape[0] - 1) if sparse.issparse(X) else X.var(axis=0, ddof=1, dtype=np.float64)
    sigma = np.asarray(sigma, dtype=np.float64).ravel()
    if sigma.shape != (X.shape[1],) or not (sigma >= 0).all():
        raise ValueError(f"The variances of 'seuclidean' have shape {sigma.shape}; give {X.shape[1]} numbers of at least 0.")
    scale = 1 / np.sqrt(np.where(sigma > 0, sigma, 1))  # a constant column does not count
    return X @ sparse.diags(scale) if sparse.issparse(X) else X * scale


def _whitened(X, vinv=None):
    X = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    if vinv is None:
        vinv = np.linalg.pinv(np.atleast_2d(np.cov(X.T)), hermitian=True)
    vinv = np.asarray(vinv, dtype=np.float64)
    if vinv.shape != (X.shape[1],) * 2:
        raise ValueError(f"The inverse covariance of 'mahalanobis' has shape {vinv.shape}; give ({X.shape[1]}, {X.shape[1]}).")
    values, vectors = np.linalg.eigh(vinv)
    if values[0] < -1e-6 * values[-1]:
        raise ValueError("The inverse covariance of 'mahalanobis' must be positive semi-definite.")
    return X @ (vectors * np.sqrt(np.maximum(values, 0)))


# %% [markdown]
# The table names what is done to the rows and to the distances.

# %%
#| export
class _Reduction(NamedTuple):
    rows: Callable
    distances: Callable
    keeps_sparse: bool = True


_HALF_SQUARE = lambda d: np.square(d) / 2
_SAME = lambda value: value
_REDUCTIONS = {
    **dict.fromkeys(("euclidean", "l2"), _Reduction(_SAME, _SAME)),
    "sqeuclidean": _Reduction(_SAME, np.square),
    **dict.fromkeys(("seuclidean", "standardised_euclidean"), _Reduction(_standardized, _SAME)),
    "mahalanobis": _Reduction(_whitened, _SAME, False),
    **dict.fromkeys(("cosine", "direct_cosine", "dot"), _Reduction(_on_sphere, _HALF_SQUARE)),
    "correlation": _Reduction(lambda X: _on_sphere(_centered_rows(X)), _HALF_SQUARE, False),
    "spearmanr": _Reduction(lambda X: _on_sphere(_centered_rows(rankdata(X, axis=1))), _HALF_SQUARE, False),
    "true_angular": _Reduction(_on_sphere, lambda d: 2 / np.pi * np.arcsin(np.minimum(d / 2, 1))),
    "hellinger": _Reduction(_roots, lambda d: d / np.sqrt(2)),
}


def _reduced(X, name: str, metric_kwds: dict):
    "Rows whose Euclidean distances give those of a metric, and the function from one to the other; None if there are none."
    reduction = _REDUCTIONS.get(name)
    if reduction is None or sparse.issparse(X) and not reduction.keeps_sparse and X.shape[0] >= EXACT_BELOW:
        return None
    X = X if reduction.keeps_sparse or not sparse.issparse(X) else X.toarray()
    rows = reduction.rows(X, *metric_kwds.values())
    return (sparse.csr_matrix(rows, dtype=np.float32) if sparse.issparse(rows) else np.ascontiguousarray(rows, dtype=np.float32)), reduction.distances


# %%
rows, to_cosine = _reduced(X, "cosine", {})
assert_allclose(to_cosine(pairwise_distances(rows[:9])), pairwise_distances(X[:9], metric="cosine"), atol=1e-6)

# %% [markdown]
# A search of a million rows takes half a minute or more. Inside `search_progress`, it shows what it does: exact searches a bar of rows, the
# approximate one a line, and both the seconds at the end.

# %%
#| export
_SHOWN = contextvars.ContextVar("search_progress", default=False)


@contextlib.contextmanager
def search_progress(shown: bool = True):
    """Show what neighbor searches do, and how long they take.

    Parameters
    ----------
    shown : bool, default=True
        `False` shows nothing.
    """
    before = _SHOWN.set(bool(shown))
    try:
        yield
    finally:
        _SHOWN.reset(before)


@contextlib.contextmanager
def _announced(n_neighbors: int, n_rows: int, exact: bool):
    "Print what a search looks for, and its seconds; an approximate search has no bar, so it says so at its beginning."
    what, began = f"{n_neighbors} nearest neighbors of {n_rows:,} rows, {'exact' if exact else 'approximate'}", time.perf_counter()
    if _SHOWN.get() and not exact:
        print(what, end="", flush=True)
    yield
    if _SHOWN.get():
        print(f"{what if exact else ''}: {time.perf_counter() - began:.1f} s", flush=True)


def _with_bar(blocks, n_rows: int):
    "The same slices of rows, with a progress bar."
    with tqdm(total=n_rows, disable=not _SHOWN.get(), desc="neighbors", unit="row") as bar:
        for rows in blocks:
            yield rows
            bar.update(rows.stop - rows.start)


# %% [markdown]
# ## Nearest neighbors
#
# ### Exact search
#
# The squared distances of a block of rows to all rows come from one matrix product. Only a block at a time is in memory. Of each row of the block the
# smallest distances are kept. Row numbers break ties: the bits of a positive float sort like the float, so a distance and a column number make one
# sortable integer.

# %%
#| export
_BLOCK = 2**22  # distances in memory at a time: 16 MB, or 32 MB with their columns


def _blocks(n_rows: int):
    "Slices of rows, such that a block of distances to all rows is small."
    size = max(1, _BLOCK // n_rows)
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def _smallest(distances, rows: slice, k: int) -> tuple:
    "Columns of the k smallest values of each row, and these values. The row itself is first, whatever its distance."
    keys = np.ascontiguousarray(np.maximum(distances, 0) + 0.0, dtype=np.float32).view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(distances.shape[1], dtype=np.uint64)
    own = np.arange(rows.start, rows.stop)
    keys[np.arange(len(own)), own] = 0
    keys = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1)
    columns, values = (keys & np.uint64(2**32 - 1)).astype(np.int32), (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
    columns[:, 0], values[:, 0] = own, 0
    return columns, values


# %% [markdown]
# In float32 the product loses small distances between large numbers. The rows are therefore centered, a few more candidates than needed are taken, and
# their distances are computed from differences. Where the candidates may still not contain all neighbors, the block is repeated in float64.

# %%
#| export
def _euclidean_neighbors(X, k: int) -> tuple:
    "Exact neighbors by the Euclidean distance, by matrix products."
    if not sparse.issparse(X):
        X = X - X.mean(axis=0, dtype=np.float64).astype(X.dtype)
    n, wide = X.shape[0], min(X.shape[0], k + 8)
    squares = np.asarray(X.multiply(X).sum(axis=1)).ravel() if sparse.issparse(X) else np.einsum("ij,ij->i", X, X, dtype=np.float64)
    indices, distances = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    for rows in _with_bar(_blocks(n), n):
        near, bound = _smallest(_squared_distances(X, squares, rows, np.float32), rows, wide)
        found, d = _nearest_of(X, rows, near, k)
        tolerance = 4e-6 * (squares[rows] + d[:, -1] ** 2)
        if wide < n and (d[:, -1].astype(np.float64) ** 2 + tolerance > bound[:, -1]).any():
            near, _ = _smallest(_squared_distances(X, squares, rows, np.float64), rows, wide)
            found, d = _nearest_of(X, rows, near, k)
        indices[rows], distances[rows] = found, d
    return indices, distances


def _squared_distances(X, squares, rows: slice, dtype):
    "Squared distances of a block of rows to all rows; with products in a dtype."
    A = X[rows].astype(dtype)
    products = (A @ X.T).toarray() if sparse.issparse(X) else A @ X.T.astype(dtype, copy=False)
    products *= -2
    products += squares.astype(dtype)
    products += squares[rows, None].astype(dtype)
    return products


def _nearest_of(X, rows: slice, near, k: int) -> tuple:
    "The k nearest of some candidates, by distances from differences; the first candidate is the row itself."
    A, d = X[rows], np.zeros(near.shape, np.float32)
    for j in range(1, near.shape[1]):
        difference = X[near[:, j]] - A
        square = difference.multiply(difference).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", difference, difference)
        d[:, j] = np.sqrt(np.asarray(square, dtype=np.float64).ravel())
    order = np.lexsort((near[:, 1:], d[:, 1:]), axis=1)[:, : k - 1] + 1
    order = np.hstack([np.zeros((len(order), 1), order.dtype), order])
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(d, order, axis=1)


# %% [markdown]
# numba makes a type of its own for each distance function, so a function that takes one is compiled again for each. The type of a C function is its
# signature: what takes it is compiled once for all distances, and found on disk by the next process.

# %%
#| export
def _distance(x, y):  # compiled with `function` among its globals
    return function(x, y)  # noqa: F821


def _c_function(distance):
    "A distance as a C function of two float32 rows. It is cached if it is pynndescent's or umap-learn's."
    import numba
    import pynndescent

    module = distance.py_func.__module__
    source = types.FunctionType(_distance.__code__, {"__name__": __name__, "function": distance}, distance.__name__)
    source.__qualname__ = re.sub(r"\W", "_", f"{module}_{distance.__name__}_{pynndescent.__version__}")  # names the file of the cache
    named = module in ("pynndescent.distances", "umap.distances")
    signature = "float32(float32[::1], float32[::1])"
    try:
        return numba.cfunc(signature, cache=named)(source)
    except RuntimeError:  # no folder that can be written
        return numba.cfunc(signature)(source)


# %% [markdown]
# For other metrics scikit-learn computes the block where it means the same by the name. All others are computed pair by pair by the function that the
# approximate search uses.

# %%
#| export
_SCIKIT_LEARN = {
    **{name: "manhattan" for name in ("manhattan", "l1", "taxicab")},
    **{name: "chebyshev" for name in ("chebyshev", "linfinity", "linfty", "linf")},
    **{name: name for name in ("minkowski", "canberra", "braycurtis", "hamming", "jaccard", "dice")},
}
_BOOLEAN = ("jaccard", "dice")


def _pairwise_neighbors(X, k: int, name: str, metric_kwds: dict, function) -> tuple:
    "Exact neighbors by any metric."
    if sparse.issparse(X) and _SCIKIT_LEARN.get(name) != "manhattan":
        X = X.toarray()
    theirs, distance, parts = X != 0 if name in _BOOLEAN else X, None, []
    for rows in _with_bar(_blocks(X.shape[0]), X.shape[0]):
        block = None
        if name in _SCIKIT_LEARN:
            block = pairwise_distances(theirs[rows], theirs, metric=_SCIKIT_LEARN[name], **metric_kwds)
        if block is None or np.isnan(block).any():  # scipy divides zero by zero
            distance = distance or _c_function(function)
            X = np.ascontiguousarray(X, dtype=np.float32)
            block = _pairs()(X[rows], X, distance)
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = 0
        if np.isnan(block).any():
            raise ValueError(f"metric {name!r} is not a number between some rows: choose another, or leave out rows it is not defined for.")
        parts.append(_smallest(block, rows, k))
    return tuple(np.concatenate(part) for part in zip(*parts))


@functools.cache
def _pairs():
    "The compiled function that computes the distances between two sets of rows."
    import numba

    def pairs(A, X, distance):
        distances = np.empty((len(A), len(X)), np.float32)
        for i in numba.prange(len(A)):
            for j in range(len(X)):
                distances[i, j] = distance(A[i], X[j])
        return distances

    try:
        return numba.njit(parallel=True, cache=True)(pairs)
    except RuntimeError:  # no folder that can be written
        return numba.njit(parallel=True)(pairs)


# %% [markdown]
# ### Approximate search
#
# pynndescent compiles for half a minute, in each process. Five of its functions take the distance as an argument. The type of a numba function contains
# the function itself, which is a new object in each process, so a cache on disk never hits, and grows. Two functions around them ask numba for its
# threads by an address in memory, and cannot be cached at all. Inside `cached_search` the distance is a C function, and the two run as plain Python.
# Then the next process finds everything on disk, for all metrics.

# %%
#| export
@contextlib.contextmanager
def cached_search():
    """Let pynndescent find its compiled functions on disk.

    Meanwhile, no other thread can search.
    """
    import pynndescent.pynndescent_ as module

    names = ("nn_descent", "nn_descent_internal")
    if not all(hasattr(getattr(module, name, None), "py_func") for name in names):  # another version of pynndescent, or inside another cached_search
        with _NUMBA:
            yield
        return
    signature = inspect.signature(module.nn_descent.py_func)

    def nn_descent(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        given.arguments["dist"] = _c_function(given.arguments["dist"])
        return originals["nn_descent"].py_func(*given.args, **given.kwargs)

    with _NUMBA:
        keep_compiled(module, sys.modules["pynndescent.utils"], with_distance=True)
        originals = {name: getattr(module, name) for name in names}
        module.nn_descent, module.nn_descent_internal = nn_descent, originals["nn_descent_internal"].py_func
        try:
            yield
        finally:
            for name in names:
                setattr(module, name, originals[name])


# %% [markdown]
# `n_jobs` has joblib's meaning.

# %%
#| export
def count_threads(n_jobs: int | None, seeded: bool) -> int:
    """Count the threads that `n_jobs` stands for.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib: -1 = all, -2 = all but one. `None` = one if seeded, else all.
    seeded : bool

    Returns
    -------
    int
        From 1 to the number of numba's threads.

    Raises
    ------
    ValueError
        If `n_jobs` is 0 or not an integer.
    """
    import numba

    most = numba.config.NUMBA_NUM_THREADS
    if n_jobs is None:
        return 1 if seeded else most
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise ValueError(f"n_jobs is {n_jobs!r}; give a number of threads, or -1 for all.")
    return int(min(most, max(1, n_jobs if n_jobs > 0 else most + 1 + n_jobs)))


# %%
assert count_threads(-1, seeded=True) == count_threads(1000, seeded=True) == count_threads(None, seeded=False)
assert count_threads(None, seeded=True) == count_threads(-1000, seeded=True) == 1

# %% [markdown]
# ### Search
#
# The search is exact for fewer than 4,096 rows, as in umap-learn. For more rows, the approximate search takes a small part of the time once it is
# compiled (CPU seconds, 15 neighbors, clustered rows, one thread). Only the first search on a machine, which compiles for 28 seconds, would be faster
# by matrix products, up to some 25,000 rows.
#
# | rows x columns | exact | approximate | recall |
# |---|---|---|---|
# | 5,000 x 40 | 0.55 | 0.11 | 1.0000 |
# | 20,000 x 40 | 6.65 | 0.48 | 0.9992 |
# | 5,000 x 784 | 1.00 | 0.28 | 1.0000 |
# | 20,000 x 784 | 12.38 | 1.75 | 0.9937 |

# %%
#| export
EXACT_BELOW = 4096  # rows; umap-learn's own limit


def nearest_neighbors(
    X,
    n_neighbors: int = 15,
    metric="euclidean",
    metric_kwds: dict | None = None,
    random_state=None,
    n_jobs: int | None = None,
    exact: bool | None = None,
) -> tuple:
    """Find the nearest neighbors of each row.

    Parameters
    ----------
    X : ndarray or CSR matrix, float32, shape (n_rows, n_features)
        Rows; with metric="precomputed", distances of shape (n_rows, n_rows). They are not changed.
    n_neighbors : int, default=15
        Size of a neighborhood, the row itself included.
    metric : str or callable, default="euclidean"
        One of `known_metrics`, "precomputed", or a function `metric(x, y, **metric_kwds)` that numba can compile.
    metric_kwds : dict or None, default=None
        Keyword arguments of the metric. `None` = none.
    random_state : None, int or Generator, default=None
        Seed of the approximate search.
    n_jobs : int or None, default=None
        Threads of numba, as in joblib: -1 = all, -2 = all but one. `None` = one thread if `random_state` is given, which makes the approximate
        search repeatable, else all.
    exact : bool or None, default=None
        Compute all distances. `None` = exact below `EXACT_BELOW` rows.

    Returns
    -------
    indices : ndarray, int32, shape (n_rows, n_neighbors)
        Neighbors, nearest first; the first is the row itself.
    distances : ndarray, float32, shape (n_rows, n_neighbors)

    Raises
    ------
    ValueError
        For rows that fail `check_rows`; for a metric that is unknown, cannot be compiled, changes its rows, or is undefined between some rows; for
        keyword arguments that the metric does not take; for `n_jobs` of 0.

    Notes
    -----
    The approximate search is pynndescent's, with umap-learn's settings. The first search on a machine compiles for half a minute; numba keeps the
    result on disk.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.graph import nearest_neighbors
    >>> X = np.array([[0], [1], [3], [7]], dtype="float32")
    >>> indices, distances = nearest_neighbors(X, n_neighbors=2)
    >>> indices.tolist()
    [[0, 1], [1, 0], [2, 1], [3, 2]]
    >>> distances[:, 1].tolist()
    [1.0, 1.0, 2.0, 4.0]
    """
    umap_functions()
    n_threads = count_threads(n_jobs, seeded=random_state is not None)
    rng = np.random.RandomState(random_generator(random_state).integers(2**31 - 1))
    if isinstance(metric, str) and metric == "precomputed":
        distances = check_distances(X)
        check_rows(distances, n_neighbors)
        return _smallest_of_all(distances, n_neighbors)
    check_rows(X, n_neighbors)
    if callable(metric):
        name, function = getattr(metric, "__name__", "a function"), _own_metric(metric, X[:2], _keywords_in_order(metric, metric_kwds or {}))
        reduced, X = None, np.ascontiguousarray(X).copy()  # a function of a user's may still write into its rows
    else:
        name, metric_kwds = _named_metric(metric, dict(metric_kwds or {}))
        reduced = _reduced(X, name, metric_kwds)
        function = None if reduced else _with_keywords(_named_function(name), metric_kwds)
        if name in _RAISES and not sparse.issparse(X):
            function = _own_metric(function, X[:2], {})
    if exact is None:
        exact = X.shape[0] < EXACT_BELOW
    with numba_threads(n_threads), _announced(n_neighbors, X.shape[0], exact):
        if reduced:
            rows, convert = reduced
            unit = _power_of_two(abs(rows).max())
            rows = rows if unit == 1 else rows / unit
            indices, distances = _euclidean_neighbors(rows, n_neighbors) if exact else _search(rows, n_neighbors, "euclidean", rng, n_threads)
            return indices, convert(distances * unit).astype(np.float32)
        if exact:
            return _pairwise_neighbors(X, n_neighbors, "" if callable(metric) else name, metric_kwds, function)
        by_name = not callable(metric) and (sparse.issparse(X) or not metric_kwds) and name in _searchable()
        return _search(X, n_neighbors, name if by_name else function, rng, n_threads)


# %% [markdown]
# Squares of values around 1e-25 or 1e25 are not numbers of float32. Such rows are divided by a power of two, which is exact.

# %%
#| export
def _power_of_two(size) -> np.float32:
    "The power of two next to a size far from 1; 1 for other sizes."
    return np.float32(1 if not size or 1e-9 < size < 1e9 else 2.0 ** round(np.log2(float(size))))


# %%
assert _power_of_two(0.001) == _power_of_two(0) == 1 and _power_of_two(2.0**40) == 2.0**40


# %% [markdown]
# pynndescent's neighbors get the row itself in front. It may lack there if the row has copies.

# %%
#| export
def _search(X, n_neighbors: int, metric, rng, n_threads: int) -> tuple:
    "Approximate neighbors, by pynndescent with umap-learn's settings."
    with cached_search():
        indices, distances, _ = umap_functions().nearest_neighbors(X, n_neighbors, metric, {}, False, rng, n_jobs=n_threads)
    return _self_first(indices.astype(np.int32), distances.astype(np.float32))


def _searchable():
    from pynndescent.distances import named_distances

    return named_distances


def _self_first(indices, distances) -> tuple:
    "Put each row in front of its neighbors, at distance 0, and sort the others; if it is not among them, the last one is dropped."
    own = indices == np.arange(len(indices))[:, None]
    own[~own.any(axis=1), -1] = True
    order = np.argsort(np.where(own, -np.inf, distances), axis=1, kind="stable")
    indices, distances = (np.ascontiguousarray(np.take_along_axis(part, order, axis=1)) for part in (indices, distances))
    indices[:, 0], distances[:, 0] = np.arange(len(indices)), 0
    return indices, distances


# %% [markdown]
# Each row is its own nearest neighbor, at distance zero.

# %%
indices, distances = nearest_neighbors(X, n_neighbors=15)
assert_array_equal(indices[:, 0], np.arange(len(X)))
assert_allclose(distances, NearestNeighbors(n_neighbors=15).fit(X).kneighbors(X)[0], atol=1e-6)

# %% [markdown]
# A function gives the same neighbors as a named metric with the same formula. Both get the keyword argument `p`.

# %%
own, _ = nearest_neighbors(X[:100], 5, metric=weighted_minkowski, metric_kwds={"p": 3})
named, _ = nearest_neighbors(X[:100], 5, metric="minkowski", metric_kwds={"p": 3})
assert (own == named).mean() > 0.99

# %% [markdown]
# The approximate search agrees with the exact search on nearly all neighbors, here for 300 rows.

# %%
exact, _ = nearest_neighbors(X[:300], 5)
approximate, _ = nearest_neighbors(X[:300], 5, exact=False, random_state=0)
recall = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact, approximate)])
assert recall > 0.98


# %% [markdown]
# ### Precomputed distances
#
# With `metric="precomputed"` the rows are distances, as in scikit-learn.

# %%
#| export
def check_distances(distances, n_rows: int | None = None, name: str = "X") -> np.ndarray:
    """Check a matrix of distances.

    Parameters
    ----------
    distances : array-like, shape (n_rows, n_rows)
        Dense, symmetric, with zeros on the diagonal. It is not changed.
    n_rows : int or None, default=None
        Rows that there must be. `None` = any number.
    name : str, default="X"
        Name of the argument, for the error.

    Returns
    -------
    ndarray, float32, shape (n_rows, n_rows)

    Raises
    ------
    ValueError
        For another shape, a sparse matrix, or values that are no distances.
    """
    if sparse.issparse(distances):
        raise ValueError(f"{name} is sparse; precomputed distances must be dense. For neighbors, give precomputed_knn.")
    distances = np.asarray(distances, dtype=np.float32)
    n = len(distances) if n_rows is None and distances.ndim else n_rows
    if distances.shape != (n, n):
        raise ValueError(
            f"{name} has shape {distances.shape}; precomputed distances have shape ({n}, {n}). To train on rows, give precomputed_knn or precomputed_graph."
        )
    if not (np.isfinite(distances).all() and (distances >= 0).all()):
        raise ValueError(f"{name} has values that are negative, infinite or NaN; precomputed distances are numbers of at least 0.")
    scale = distances.max()
    if np.diagonal(distances).max() > 1e-5 * scale:
        raise ValueError(f"{name} has {np.diagonal(distances).max():.4g} on its diagonal; the distance of a row to itself is 0.")
    if any(abs(distances[rows] - distances[:, rows].T).max() > 1e-4 * scale for rows in _blocks(n)):
        raise ValueError(f"{name} is not symmetric: the distance from one row to another must not depend on the direction.")
    return distances


def _smallest_of_all(distances, k: int) -> tuple:
    parts = [_smallest(distances[rows], rows, k) for rows in _blocks(len(distances))]
    return tuple(np.concatenate(part) for part in zip(*parts))


# %%
from_distances, _ = nearest_neighbors(pairwise_distances(X), 15, metric="precomputed")
assert (from_distances == indices).mean() > 0.999


# %% [markdown]
# ### Precomputed neighbors
#
# Neighbors from another search can be passed as `precomputed_knn`, in any order and memory layout, also as data frames. Each row must be among its own
# neighbors. umap-learn's three-part tuples work as well; the third part, a search index, is not used.

# %%
#| export
def check_knn(precomputed_knn, n_rows: int, n_neighbors: int) -> tuple:
    """Check neighbors that were computed elsewhere, and sort them.

    Parameters
    ----------
    precomputed_knn : tuple of array-like
        (indices, distances), both of shape (n_rows, at least n_neighbors), or umap-learn's (indices, distances, search index).
    n_rows : int
    n_neighbors : int
        Neighbors to keep, the row itself included.

    Returns
    -------
    indices : ndarray, int32, shape (n_rows, n_neighbors)
        The nearest first; a row that is among its own neighbors at distance 0 comes before its copies.
    distances : ndarray, float32, shape (n_rows, n_neighbors)

    Raises
    ------
    ValueError
        If shapes, types, indices or distances do not fit.
    """
    try:
        indices, distances = (np.asarray(part) for part in tuple(precomputed_knn)[:2])
    except (TypeError, ValueError):
        raise ValueError("precomputed_knn must be (indices, distances), two arrays of shape (n_rows, n_neighbors).") from None
    if indices.shape != distances.shape or indices.ndim != 2 or len(indices) != n_rows or indices.shape[1] < n_neighbors:
        raise ValueError(
            f"precomputed_knn has shapes {indices.shape} and {distances.shape}; both must be ({n_rows}, at least n_neighbors={n_neighbors})."
        )
    whole = indices.dtype.kind in "iu" or indices.dtype.kind == "f" and distances.dtype.kind == "f" and (indices == np.round(indices)).all()
    if not whole:  # a file of numbers is read as floats
        raise ValueError(f"precomputed_knn begins with {indices.dtype} values, not with numbers of rows: give (indices, distances), in this order.")
    if indices.min() < 0 or indices.max() >= n_rows:
        raise ValueError(f"precomputed_knn has indices from {indices.min()} to {indices.max()}; give numbers of rows, 0 to {n_rows - 1}.")
    distances = distances.astype(np.float32)
    if not (distances >= 0).all():
        raise ValueError("precomputed_knn has distances that are negative or NaN: check how they were computed.")
    if (distances.min(axis=1) > 0).all():
        raise ValueError("precomputed_knn must begin with each row itself, at distance 0: put the row in front of its neighbors.")
    other = indices != np.arange(n_rows)[:, None]
    order = np.lexsort((indices, other, distances), axis=1)[:, :n_neighbors]  # equal distances: the row itself, then by number
    return tuple(np.ascontiguousarray(np.take_along_axis(part, order, axis=1), dtype) for part, dtype in ((indices, np.int32), (distances, np.float32)))


# %%
for wrong, n, words in (((indices, distances), 16, "at least n_neighbors=16"), ((distances, indices), 15, "in this order")):
    try:
        check_knn(wrong, n_rows=len(X), n_neighbors=n)
    except ValueError as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")

# %% [markdown]
# The order does not matter.

# %%
for given, sorted_again in zip((indices, distances), check_knn((indices[:, ::-1], distances[:, ::-1]), len(X), 15)):
    assert_array_equal(given, sorted_again)


# %% [markdown]
# ## The fuzzy graph
#
# umap-learn computes the membership strengths and their union. It has two more settings. `set_op_mix_ratio` mixes the union with the
# intersection $w_{i \to j}\, w_{j \to i}$. `local_connectivity` lets more than one neighbor have strength 1.

# %%
#| export
class FuzzyUnion(NamedTuple):
    """Hold how the two directions of an edge are combined.

    Attributes
    ----------
    set_op_mix_ratio : float
        1 = fuzzy union, 0 = intersection.
    local_connectivity : float
        Number of nearest neighbors with membership strength 1.
    """

    set_op_mix_ratio: float = 1.0
    local_connectivity: float = 1.0


def fuzzy_graph(
    X,
    n_neighbors: int = 15,
    metric="euclidean",
    metric_kwds: dict | None = None,
    precomputed_knn=None,
    union: FuzzyUnion = FuzzyUnion(),
    random_state=None,
    n_jobs: int | None = None,
) -> sparse.csr_matrix:
    """Build UMAP's graph of membership strengths, by umap-learn's own function.

    Parameters
    ----------
    X : ndarray or CSR matrix, float32, shape (n_rows, n_features)
        Rows; with metric="precomputed", distances of shape (n_rows, n_rows).
    n_neighbors : int, default=15
        Size of a neighborhood, the row itself included.
    metric : str or callable, default="euclidean"
        As in `nearest_neighbors`.
    metric_kwds : dict or None, default=None
        Keyword arguments of the metric. `None` = none.
    precomputed_knn : tuple of ndarray or None, default=None
        (indices, distances), each of shape (n_rows, at least n_neighbors), the row itself among its neighbors. `None` = search.
    union : FuzzyUnion
        How the two directions of an edge are combined.
    random_state : None, int or Generator, default=None
        Seed of the approximate search.
    n_jobs : int or None, default=None
        Threads of the approximate search, as in `nearest_neighbors`.

    Returns
    -------
    scipy.sparse.csr_matrix, float32, shape (n_rows, n_rows)
        Membership strengths in (0, 1], symmetric.

    Raises
    ------
    ValueError
        If the rows, the metric or the precomputed neighbors are not valid, or no two rows are at a finite distance.

    Notes
    -----
    With the distance rho_i of row i to its nearest neighbor and its local scale sigma_i::

        w_ij = exp(-max(0, d_ij - rho_i) / sigma_i),  sum over j of w_ij = log2(n_neighbors)
        union: w_ij + w_ji - w_ij * w_ji

    References
    ----------
    L. McInnes, J. Healy, J. Melville, "UMAP: Uniform manifold approximation and projection for dimension reduction", 2018, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.graph import fuzzy_graph
    >>> X = np.array([[0], [1], [3], [7]], dtype="float32")
    >>> fuzzy_graph(X, n_neighbors=2).toarray().tolist()
    [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]
    """
    if precomputed_knn is None:
        knn = nearest_neighbors(X, n_neighbors, metric, metric_kwds, random_state, n_jobs)
    else:
        check_rows(X, n_neighbors)
        knn = check_knn(precomputed_knn, X.shape[0], n_neighbors)
    indices, distances = _disconnect(*knn, metric)
    with numba_threads():
        graph, _, _ = umap_functions().fuzzy_simplicial_set(
            X, n_neighbors, None, metric, knn_indices=indices, knn_dists=_within_reach(distances),
            set_op_mix_ratio=union.set_op_mix_ratio, local_connectivity=union.local_connectivity,
        )  # fmt: skip
    return sparse.csr_matrix(graph, dtype=np.float32)


# %% [markdown]
# Some metrics have a greatest distance: Jaccard's is 1, between rows that share no feature. As in umap-learn, such rows are not connected,
# even if this leaves a row with fewer neighbors.

# %%
#| export
def _disconnect(indices: np.ndarray, distances: np.ndarray, metric):
    "Replace neighbors at the greatest distance of a metric by index -1 and distance infinity."
    greatest = umap_functions().DISCONNECTION_DISTANCES.get(metric, np.inf) if isinstance(metric, str) else np.inf
    disconnected = distances >= greatest * (1 - 1e-6)  # up to rounding
    if disconnected[:, 1:].all():  # each row is its own first neighbor
        if greatest == np.inf:
            raise ValueError(f"All distances under the metric {metric!r} are infinite: the values are too large for float32; scale the rows.")
        raise ValueError(f"All distances under the metric {metric!r} have its greatest value, so the graph has no edges: choose another metric.")
    return np.where(disconnected, -1, indices), np.where(disconnected, np.float32(np.inf), distances)


# %% [markdown]
# umap-learn's search for the local scale begins at 1 and takes 64 steps. It cannot get to distances around 1e-25, so such distances are multiplied by
# a power of two. Strengths do not depend on the unit of the distances.

# %%
#| export
def _within_reach(distances: np.ndarray) -> np.ndarray:
    "Distances, in another unit if their mean is far from 1."
    unit = _power_of_two(distances[np.isfinite(distances)].mean(dtype=np.float64))
    return distances if unit == 1 else distances / unit


# %%
points = np.random.default_rng(0).random((100, 3), dtype=np.float32)
for unit in (1e-25, 1e25):
    assert abs(fuzzy_graph(points * np.float32(unit), 5) - fuzzy_graph(points, 5)).max() < 1e-4

# %% [markdown]
# For the two moons, the result is the graph of the first picture, and umap-learn's.

# %%
moon_rows = moons.astype("float32")
assert abs(fuzzy_graph(moon_rows, n_neighbors=5) - moon_graph).max() < 1e-3
theirs = umap.UMAP(n_neighbors=5, transform_mode="graph").fit(moon_rows).graph_
assert abs(theirs - moon_graph).max() < 1e-3

# %% [markdown]
# The graph of the digits is symmetric, and every row is fully connected to its nearest neighbor.

# %%
graph = fuzzy_graph(X, precomputed_knn=(indices, distances))
assert_allclose((graph - graph.T).data, 0, atol=1e-6)
assert 0 < graph.data.min() and graph.data.max() <= 1
assert (graph.max(axis=1).toarray() > 0.99).all()

# %% [markdown]
# With the Jaccard metric, no edge connects rows without a common feature. The graph is umap-learn's again. The example has twelve groups of rows;
# each group has four features of its own.

# %%
groups = np.repeat(np.kron(np.eye(12), np.ones(4)), 6, axis=0)
groups *= np.random.default_rng(0).random(groups.shape) < 0.8
groups = groups[groups.any(axis=1)].astype("float32")
of_group = groups.argmax(axis=1) // 4
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # umap-learn warns about rows with fewer neighbors, scikit-learn about the conversion to bool
    joined = fuzzy_graph(groups, metric="jaccard").tocoo()
    theirs = umap.UMAP(n_neighbors=15, metric="jaccard", transform_mode="graph").fit(groups).graph_
assert (of_group[joined.row] == of_group[joined.col]).all()
assert abs(theirs - joined.tocsr()).max() < 1e-3


# %% [markdown]
# ## Labels
#
# If labels are known, umap-learn multiplies the strength of an edge between different labels by $e^{-5}$. An edge of an unlabeled row is
# multiplied by $e^{-1}$. Then each row is rescaled, so that its strongest edge is near 1 again. An unlabeled row has the label `-1`.

# %%
#| export
def intersect_labels(graph: sparse.csr_matrix, y, far_dist: float = 5.0) -> sparse.csr_matrix:
    """Weaken the edges between rows with different labels, by umap-learn's own function.

    Parameters
    ----------
    graph : scipy.sparse.csr_matrix, shape (n_rows, n_rows)
        Membership strengths.
    y : array-like, shape (n_rows,)
        Classes, as `core.check_labels` takes them; -1 = unknown.
    far_dist : float, default=5.0
        Distance between different labels: their edges are multiplied by exp(-far_dist). The default is umap-learn's at target_weight=0.5.

    Returns
    -------
    scipy.sparse.csr_matrix, float32, shape (n_rows, n_rows)
        Membership strengths.

    Raises
    ------
    ValueError
        If `y` has the wrong length, missing values, or values that are not classes.
    """
    labels, _ = check_labels(y, graph.shape[0])
    with numba_threads():
        joined = umap_functions().discrete_metric_simplicial_set_intersection(graph.copy(), labels, far_dist=far_dist)
    return sparse.csr_matrix(joined, dtype=np.float32)


# %% [markdown]
# With all labels, the share of membership strength between different digits falls to less than a tenth. Without any, it hardly changes.

# %%
def across(graph):
    coo = graph.tocoo()
    return coo.data[y[coo.row] != y[coo.col]].sum() / coo.data.sum()


unknown = np.full(len(y), -1)
assert across(intersect_labels(graph, y)) < across(graph) / 10
assert_allclose(across(intersect_labels(graph, unknown)), across(graph), rtol=0.25)

# %% [markdown]
# Strings work as well as numbers.

# %%
some = np.where(y < 5, y, -1)
strings = [f"digit {c}" if c >= 0 else -1 for c in some]
assert (intersect_labels(graph, some) != intersect_labels(graph, strings)).nnz == 0


# %% [markdown]
# Continuous targets, such as an age or a price, have a graph of their own: rows are neighbors if their targets are close. It is intersected with the
# graph of the rows. `target_weight=0` leaves nearly everything to the rows, and 1 to the targets.

# %%
#| export
def intersect_targets(graph: sparse.csr_matrix, y, n_neighbors: int = 15, metric="euclidean", target_weight: float = 0.5, random_state=None) -> sparse.csr_matrix:
    """Intersect a graph of rows with the graph of their targets, by umap-learn's own functions.

    Parameters
    ----------
    graph : scipy.sparse.csr_matrix, shape (n_rows, n_rows)
        Membership strengths.
    y : array-like, shape (n_rows,) or (n_rows, n_targets)
        Numbers.
    n_neighbors : int, default=15
        Size of a neighborhood among the targets.
    metric : str or callable, default="euclidean"
        Metric of the targets.
    target_weight : float, default=0.5
        Weight of the targets, from 0 to 1.
    random_state : None, int or Generator

    Returns
    -------
    scipy.sparse.csr_matrix, float32, shape (n_rows, n_rows)
        Membership strengths.

    Raises
    ------
    ValueError
        If `y` has the wrong length or values that are not finite numbers.
    """
    from umap.umap_ import fuzzy_simplicial_set, general_simplicial_set_intersection, reset_local_connectivity

    y = np.asarray(y)
    if y.ndim not in (1, 2) or len(y) != graph.shape[0] or y.dtype.kind not in "iufb" or not np.isfinite(y).all():
        raise ValueError(f"y has shape {y.shape} and type {y.dtype}; with target_metric={metric!r} it must be {graph.shape[0]} rows of finite numbers.")
    y = y.reshape(len(y), -1).astype(np.float32)
    indices, distances = nearest_neighbors(y, n_neighbors, metric, random_state=random_state)
    targets, _, _ = fuzzy_simplicial_set(y, n_neighbors, None, metric, knn_indices=indices, knn_dists=distances, apply_set_operations=False)
    joined = reset_local_connectivity(general_simplicial_set_intersection(graph, targets, target_weight))
    return sparse.csr_matrix(joined, dtype=np.float32)


# %% [markdown]
# In this example the target is the amount of ink of a digit. After the intersection, neighbors have more similar targets.

# %%
ink = X.sum(axis=1) + np.random.default_rng(0).random(600)  # without ties


def difference(graph):
    "Mean difference of the targets over the edges, by their strength."
    coo = graph.tocoo()
    return np.average(abs(ink[coo.row] - ink[coo.col]), weights=coo.data)


differences = [difference(intersect_targets(graph, ink, target_weight=weight)) for weight in (0.1, 0.3, 0.5)]
assert difference(graph) > differences[0] > differences[1] > differences[2]


# %% [markdown]
# ## The similarity curve
#
# In the embedding, two points at distance $d$ have the similarity $q(d) = 1 / (1 + a\,d^{2b})$. umap-learn fits $a$ and $b$ so that $q$ stays near
# 1 up to `min_dist` and then falls on the scale of `spread`.

# %%
#| export
def find_ab(min_dist: float = 0.1, spread: float = 1.0) -> tuple[float, float]:
    """Fit the parameters of the similarity curve, by umap-learn's `find_ab_params`.

    Parameters
    ----------
    min_dist : float, default=0.1
        Distance at which similarity begins to fall.
    spread : float, default=1.0
        Scale on which it falls.

    Returns
    -------
    a, b : float

    Raises
    ------
    ValueError
        Unless `spread` is positive and `min_dist` is between 0 and `spread`.

    Notes
    -----
    The target of the fit is 1 below `min_dist` and exp(-(d - min_dist) / spread) above.

    Examples
    --------
    >>> from pumap.graph import find_ab
    >>> a, b = find_ab()
    >>> print(f"{a:.3f} {b:.3f}")
    1.577 0.895
    """
    if not (np.isfinite(spread) and spread > 0):
        raise ValueError(f"spread is {spread}; it must be a positive number.")
    if not 0 <= min_dist <= spread:
        raise ValueError(f"min_dist is {min_dist}; it must lie between 0 and spread={spread}.")
    a, b = umap_functions().find_ab_params(spread, min_dist)
    return float(a), float(b)


# %% [markdown]
# All experiments of the paper use the default values.

# %%
assert_allclose(find_ab(), (1.577, 0.895), atol=1e-3)


# %% [markdown]
# ## Prune the edges
#
# umap-learn visits an edge of strength $w$ in $n_\text{epochs} \cdot w / w_\text{max}$ of its epochs. Edges below $w_\text{max} / n_\text{epochs}$
# are never visited. The paper's code drops them, and this module does the same.

# %%
#| export
class Edges(NamedTuple):
    """Hold the edges of a graph; each edge appears in both directions.

    Attributes
    ----------
    head : ndarray, int32, shape (n_edges,)
        Row at one end.
    tail : ndarray, int32, shape (n_edges,)
        Row at the other end.
    weight : ndarray, float32, shape (n_edges,)
        Membership strength.
    """

    head: np.ndarray
    tail: np.ndarray
    weight: np.ndarray


def default_n_epochs(n_rows: int) -> int:
    """Return umap-learn's number of epochs: 500 up to 10,000 rows, 200 above."""
    return 500 if n_rows <= 10_000 else 200


def pruned_edges(graph: sparse.spmatrix, n_epochs: int | None = None) -> Edges:
    """List the edges of a graph, without those too weak to be visited.

    Parameters
    ----------
    graph : scipy.sparse matrix, shape (n_rows, n_rows)
        Membership strengths.
    n_epochs : int or None, default=None
        Edges below max / n_epochs are dropped. `None` = `default_n_epochs`.

    Returns
    -------
    Edges

    Raises
    ------
    ValueError
        If the graph has no edges, or `n_epochs` is below 1.

    Examples
    --------
    >>> from scipy import sparse
    >>> from pumap.graph import pruned_edges
    >>> graph = sparse.csr_matrix([[0, 1.0, 0.001], [1.0, 0, 0.5], [0.001, 0.5, 0]])
    >>> pruned_edges(graph, n_epochs=500).weight.tolist()
    [1.0, 1.0, 0.5, 0.5]
    """
    coo = graph.tocoo()
    n_epochs = default_n_epochs(graph.shape[0]) if n_epochs is None else n_epochs
    if not n_epochs >= 1:
        raise ValueError(f"n_epochs is {n_epochs}; it must be at least 1.")
    if coo.nnz == 0:
        raise ValueError("The graph has no edges: check the membership strengths, or scale the rows if their distances are too large for float32.")
    keep = coo.data >= coo.data.max() / n_epochs
    return Edges(coo.row[keep].astype(np.int32), coo.col[keep].astype(np.int32), coo.data[keep].astype(np.float32))


# %%
edges = pruned_edges(graph)
assert len(edges.head) < graph.nnz
assert edges.weight.min() >= graph.data.max() / 500


# %% [markdown]
# ## Draw edges in proportion to their strength
#
# A training step takes a batch of edges. The UMAP loss weights each edge by its strength, so edges are drawn in proportion to it. This scheme is
# `edge_sampling="weighted"`, the default of `06_fast_solver`.
#
# umap-learn's ParametricUMAP also draws by strength, but it first writes out each edge as often as it will be visited. A running sum of the
# strengths gives the same probabilities: a uniform random number falls into an edge's part of the sum in proportion to the edge's strength.
#
# | method | memory | a million rows |
# |---|---|---|
# | umap-learn's list of visits | 64 bytes a visit, about 1,200 visits a row | 80 GB |
# | running sum | 8 bytes an edge, about 18 edges a row | 0.14 GB |

# %%
#| export
def weighted_batches(edges: Edges, batch_size: int, random_state=None):
    """Draw batches of edges without end, with replacement, in proportion to membership strength.

    Parameters
    ----------
    edges : Edges
    batch_size : int
        Edges in a batch.
    random_state : None, int or Generator, default=None

    Yields
    ------
    head, tail : ndarray, int32, shape (batch_size,)
    """
    rng = random_generator(random_state)
    sums = np.cumsum(edges.weight, dtype=np.float64)
    while True:
        drawn = np.searchsorted(sums, rng.random(batch_size) * sums[-1], side="right")
        yield edges.head[drawn], edges.tail[drawn]


# %% [markdown]
# A chi-square statistic compares 200,000 drawn edges with their strengths. Per degree of freedom it is 1 if the draws are independent and follow
# the strengths.

# %%
def visits(head, tail):
    counts = sparse.coo_matrix((np.ones(len(head)), (head, tail)), shape=graph.shape).tocsr()
    return lambda edges: np.asarray(counts[edges.head, edges.tail]).ravel()


head, tail = next(weighted_batches(edges, 200_000, random_state=0))
observed, expected = visits(head, tail)(edges), 200_000 * edges.weight / edges.weight.sum()
chi_square = ((observed - expected) ** 2 / expected).sum() / (len(expected) - 1)
assert 0.95 < chi_square < 1.05

# %% [markdown]
# The same seed draws the same edges.

# %%
again, _ = next(weighted_batches(edges, 200_000, random_state=0))
assert_array_equal(head, again)


# %% [markdown]
# ## Draw edges as the paper does
#
# The original code repeats each edge `floor(clip(25 w / max, 1, 25))` times in an epoch. It shuffles this list, cuts it into batches, and drops
# the remainder. This scheme is `edge_sampling="paper"`. It visits weak edges more often than in proportion to their strength.
#
# There are two differences from the original. The list holds the *indices* of the edges, four bytes each. It is also shuffled in each epoch; the
# original shuffled while TensorFlow traced its input pipeline, so probably only once.
#
# One such epoch is the unit of `n_training_epochs` throughout this package, in both schemes.

# %%
#| export
def paper_repeats(weight: np.ndarray) -> np.ndarray:
    """Compute how often the original code visits each edge in one epoch.

    Parameters
    ----------
    weight : ndarray, shape (n_edges,)
        Membership strengths.

    Returns
    -------
    ndarray, int64, shape (n_edges,)
        Repeats, from 1 to 25.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.graph import paper_repeats
    >>> paper_repeats(np.array([0.001, 0.05, 0.5, 1.0])).tolist()
    [1, 1, 12, 25]
    """
    return np.floor(np.clip(25 * weight.astype(np.float64) / weight.max(), 1, 25)).astype(np.int64)


def paper_batches(edges: Edges, batch_size: int, random_state=None):
    """Draw batches of edges without end, epoch after epoch of repeated, shuffled edges.

    Parameters
    ----------
    edges : Edges
    batch_size : int
        Edges in a batch; at most one epoch.
    random_state : None, int or Generator, default=None

    Yields
    ------
    head, tail : ndarray, int32, shape (batch_size,)
    """
    rng = random_generator(random_state)
    repeated = np.repeat(np.arange(len(edges.weight), dtype=np.int32), paper_repeats(edges.weight))
    batch_size = min(batch_size, len(repeated))
    while True:
        rng.shuffle(repeated)
        for start in range(0, len(repeated) - batch_size + 1, batch_size):
            drawn = repeated[start : start + batch_size]
            yield edges.head[drawn], edges.tail[drawn]


def paper_steps(edges: Edges, batch_size: int) -> int:
    """Count the batches in one epoch of repeated edges, at least one."""
    return max(1, int(paper_repeats(edges.weight).sum()) // batch_size)


# %% [markdown]
# In one epoch, each edge appears exactly as often as it is repeated. With a batch size of 1 no remainder is dropped.

# %%
few = Edges(*(part[:50] for part in edges))
batches = paper_batches(few, 1, random_state=0)
head, tail = np.array([next(batches) for _ in range(paper_steps(few, 1))]).reshape(-1, 2).T
assert_array_equal(visits(head, tail)(few), paper_repeats(few.weight))


# %% [markdown]
# `edge_batches` offers both schemes by name. The training loops call it.

# %%
#| export
def edge_batches(edges: Edges, batch_size: int, random_state=None, edge_sampling: str = "paper"):
    """Draw batches of edges without end, by one of two schemes.

    Parameters
    ----------
    edges : Edges
    batch_size : int
        Edges in a batch.
    random_state : None, int or Generator, default=None
    edge_sampling : {"paper", "weighted"}, default="paper"
        `paper_batches` or `weighted_batches`.

    Returns
    -------
    iterator of (head, tail)
        Two int32 arrays of shape (batch_size,).

    Raises
    ------
    ValueError
        If `edge_sampling` is neither of the two.
    """
    schemes = {"paper": paper_batches, "weighted": weighted_batches}
    if edge_sampling not in schemes:
        raise ValueError(f"edge_sampling is {edge_sampling!r}; it must be one of: {', '.join(schemes)}.")
    return schemes[edge_sampling](edges, batch_size, random_state)


# %%
for edge_sampling, batches in (("paper", paper_batches), ("weighted", weighted_batches)):
    assert_array_equal(next(edge_batches(edges, 100, 0, edge_sampling)), next(batches(edges, 100, 0)))

# %% [markdown]
# ## Compare the two schemes
#
# The picture shows the share of all visits that an edge gets. The dashed line is proportional to the strength, as in the UMAP loss. The paper's
# repeats give the weakest edges a larger share.

# %%
strength = np.sort(edges.weight)
repeats = paper_repeats(strength)
fig, ax = plt.subplots(figsize=(4, 2.5))
ax.plot(strength, strength / strength.sum(), "k--", label="weighted")
ax.plot(strength, repeats / repeats.sum(), label="paper")
ax.set(xscale="log", yscale="log", xlabel="membership strength", ylabel="share of visits")
ax.legend(title="edge_sampling", frameon=False)
weakest = strength < 0.04
assert repeats[weakest].sum() / repeats.sum() > strength[weakest].sum() / strength.sum()

# %%
#| hide
plt.close("all")
