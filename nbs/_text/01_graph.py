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
import umap.layouts
from matplotlib.collections import LineCollection
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from sklearn.datasets import load_digits, make_moons
from sklearn.neighbors import NearestNeighbors

# %%
#| export
import inspect
import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.metrics import pairwise_distances
from sklearn.utils.multiclass import type_of_target

from pumap.core import check_numbers, random_generator


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
# ## Metrics
#
# A metric is a name that umap-learn or pynndescent knows, or a function of two rows. The discrete metrics of umap-learn compare labels, not rows,
# and are left out.

# %%
#| export
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
    from pynndescent.distances import named_distances as approximate
    from umap.distances import DISCRETE_METRICS
    from umap.distances import named_distances as exact

    return sorted((set(exact) | set(approximate)) - set(DISCRETE_METRICS))


# %%
assert "euclidean" in known_metrics() and "poincare" in known_metrics() and "categorical" not in known_metrics()


# %% [markdown]
# A metric that is a function is compiled by numba. umap-learn also accepts functions that return a distance and its gradient; the graph needs
# only the distance. A first call with two rows shows what the function returns, and raises an error if numba cannot compile it.

# %%
#| export
def _resolve_metric(metric, sample, metric_kwds: dict):
    "Check a metric by calling it with two rows: a known name, or a compiled function that returns only a distance."
    if not callable(metric):
        if metric == "precomputed":
            raise ValueError(
                "metric='precomputed' is not supported: give neighbors as precomputed_knn=(indices, distances), or a graph as precomputed_graph."
            )
        if metric not in known_metrics():
            raise ValueError(f"metric is {metric!r}; give a function of two rows or one of: {', '.join(known_metrics())}.")
        return metric
    if sparse.issparse(sample):
        raise ValueError("metric is a function and the data are sparse: give dense rows, or the name of a metric.")
    import numba

    try:
        function = metric if hasattr(metric, "py_func") else numba.njit(metric)
        value = function(*sample, *metric_kwds.values())
    except Exception as error:  # numba raises many types for the same cause
        why = str(error).strip().removeprefix("Failed in nopython mode pipeline (step: nopython frontend)").strip() or type(error).__name__
        name = getattr(metric, "__name__", repr(metric))
        raise ValueError(f"metric {name!r}, compiled by numba, fails on two rows: {why.splitlines()[0]}") from error
    return numba.njit(lambda x, y, *keywords: function(x, y, *keywords)[0]) if isinstance(value, tuple) else function


# %%
def manhattan_with_gradient(x, y):
    return np.abs(x - y).sum(), np.sign(x - y)


assert_allclose(_resolve_metric(manhattan_with_gradient, X[:2], {})(X[0], X[1]), np.abs(X[0] - X[1]).sum(), rtol=1e-6)


# %% [markdown]
# The search passes keyword arguments by position, so `metric_kwds` is put into the order of the function's signature.

# %%
#| export
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


# %%
def weighted_minkowski(x, y, p=2.0, weight=1.0):
    return weight * (np.abs(x - y) ** p).sum() ** (1 / p)


assert list(_keywords_in_order(weighted_minkowski, {"weight": 3, "p": 1}).values()) == [1, 3]
assert _keywords_in_order(weighted_minkowski, {"weight": 3}) == {"p": 2.0, "weight": 3}


# %% [markdown]
# ## Cache compiled functions
#
# For a small data set, most of the time of the first graph is numba's compile time. numba can cache compiled functions on disk, but umap-learn and
# pynndescent leave this off for most of their functions. `keep_compiled` switches it on, so the next process starts faster.

# %%
#| export
def keep_compiled(*modules) -> int:
    """Let numba cache the compiled functions of modules on disk.

    Parameters
    ----------
    *modules : module
        Modules with functions that numba compiles.

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
        try:
            function.enable_caching()
            kept += 1
        except RuntimeError:  # no folder that can be written
            pass
    return kept


# %%
keep_compiled(umap.layouts)
assert keep_compiled(umap.layouts) == 0  # all are cached by now

# %% [markdown]
# ## Nearest neighbors
#
# As in umap-learn, the search is exact for fewer than 4,096 rows. For more rows, pynndescent's approximate search finds nearly all neighbors in a
# small part of the time.

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
    n_neighbors : int, default=15
        Size of a neighborhood, the row itself included.
    metric : str or callable, default="euclidean"
        One of `known_metrics`, or a function `metric(x, y, **metric_kwds)` that numba can compile.
    metric_kwds : dict or None, default=None
        Keyword arguments of the metric. `None` = none.
    random_state : None, int or Generator, default=None
        Seed of the approximate search.
    n_jobs : int or None, default=None
        Threads of the approximate search, -1 = all. `None` = one thread if `random_state` is given, which makes the result repeatable, else all.
    exact : bool or None, default=None
        Compute all distances. `None` = exact below `EXACT_BELOW` rows.

    Returns
    -------
    indices : ndarray, int32, shape (n_rows, n_neighbors)
        Neighbors, nearest first; the first is the row itself (or a copy of it).
    distances : ndarray, float32, shape (n_rows, n_neighbors)

    Raises
    ------
    ValueError
        For rows that fail `check_rows`; for a metric that is unknown, cannot be compiled, or is undefined between some rows; for keyword
        arguments that the metric does not take.

    Notes
    -----
    The approximate search is pynndescent's, with umap-learn's settings. numba cannot cache the functions that take a metric as an argument, so each
    process compiles the approximate search again. This takes about ten seconds.

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
    import pynndescent
    import umap.umap_

    keep_compiled(umap.umap_, pynndescent.pynndescent_, pynndescent.utils, pynndescent.rp_trees)
    check_rows(X, n_neighbors)
    kwds = _keywords_in_order(metric, metric_kwds or {}) if callable(metric) else dict(metric_kwds or {})
    metric = _resolve_metric(metric, X[:2], kwds)
    if exact is None:
        exact = X.shape[0] < EXACT_BELOW
    if n_jobs is None:
        n_jobs = -1 if random_state is None else 1
    rng = np.random.RandomState(random_generator(random_state).integers(2**31 - 1))
    if exact:
        X, metric = _all_distances(X, metric, kwds), "precomputed"
    elif not callable(metric) and not sparse.issparse(X):
        metric = _searchable_metric(metric)
    indices, distances, _ = umap.umap_.nearest_neighbors(X, n_neighbors, metric, kwds, False, rng, n_jobs=n_jobs)
    return indices.astype(np.int32), distances.astype(np.float32)


# %% [markdown]
# For the exact search, scikit-learn computes the distances if it knows the metric. If it does not, or returns NaN (the correlation with a
# constant row, for example), umap-learn's own function is used. For the approximate search, pynndescent takes its own names, or a function.

# %%
#| export
def _all_distances(X, metric, metric_kwds: dict):
    "All distances, shape (n_rows, n_rows): by scikit-learn if it knows the metric (vectorized), else by umap-learn."
    from umap.distances import pairwise_special_metric

    distances = None
    if not callable(metric):
        try:
            distances = pairwise_distances(X, metric=metric, **metric_kwds)
        except (ValueError, TypeError):
            pass  # not one of scikit-learn's
    if distances is None or np.isnan(distances).any():
        dense = X.toarray() if sparse.issparse(X) else X
        function = metric if callable(metric) else _named_function(metric)
        try:
            distances = pairwise_special_metric(dense, metric=function, kwds=metric_kwds)
        except Exception as error:  # numba's, if a keyword argument does not fit
            raise ValueError(f"metric {metric!r} with metric_kwds={metric_kwds} cannot be computed: {str(error).strip().splitlines()[0]}") from error
    if np.isnan(distances).any():
        raise ValueError(f"metric {metric!r} is not a number between some rows: choose another, or leave out rows it is not defined for.")
    return distances


def _named_function(name: str):
    "The function of two rows behind a name: umap-learn's if it has one, else pynndescent's."
    from pynndescent.distances import named_distances as approximate
    from umap.distances import named_distances as exact

    return exact.get(name) or approximate[name]


def _searchable_metric(name: str):
    "A metric for pynndescent: one of its own names, or umap-learn's function."
    from pynndescent.distances import named_distances as approximate

    return name if name in approximate else _named_function(name)


# %% [markdown]
# Each row is its own nearest neighbor, at distance zero.

# %%
indices, distances = nearest_neighbors(X, n_neighbors=15)
assert_array_equal(indices[:, 0], np.arange(len(X)))
assert_allclose(distances[:, 0], 0, atol=1e-3)

# %% [markdown]
# A function gives the same neighbors as a named metric with the same formula. Both get the keyword argument `p`.

# %%
own, _ = nearest_neighbors(X[:100], 5, metric=weighted_minkowski, metric_kwds={"p": 3})
named, _ = nearest_neighbors(X[:100], 5, metric="minkowski", metric_kwds={"p": 3})
assert (own == named).mean() > 0.99

# %% [markdown]
# The approximate search agrees with the exact search on nearly all neighbors, here for 300 rows. Most of this cell's time is compile time.

# %%
exact, _ = nearest_neighbors(X[:300], 5)
approximate, _ = nearest_neighbors(X[:300], 5, exact=False, random_state=0)
recall = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact, approximate)])
assert recall > 0.98


# %% [markdown]
# ### Precomputed neighbors
#
# Neighbors from another search can be passed as `precomputed_knn`. Each row must come first among its own neighbors. umap-learn's three-part tuples
# work as well; the third part, a search index, is not used.

# %%
#| export
def check_knn(precomputed_knn, n_rows: int, n_neighbors: int) -> tuple:
    """Check neighbors that were computed elsewhere.

    Parameters
    ----------
    precomputed_knn : tuple of ndarray
        (indices, distances), both of shape (n_rows, at least n_neighbors), or umap-learn's (indices, distances, search index).
    n_rows : int
    n_neighbors : int
        Neighbors to keep, the row itself included.

    Returns
    -------
    indices : ndarray, int32, shape (n_rows, n_neighbors)
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
    if indices.dtype.kind not in "iu":
        raise ValueError(f"precomputed_knn begins with {indices.dtype} values, not with numbers of rows: give (indices, distances), in this order.")
    if indices.min() < 0 or indices.max() >= n_rows:
        raise ValueError(f"precomputed_knn has indices from {indices.min()} to {indices.max()}; give numbers of rows, 0 to {n_rows - 1}.")
    if not (distances >= 0).all():
        raise ValueError("precomputed_knn has distances that are negative or NaN: check how they were computed.")
    if (distances[:, 0] > 0).all():
        raise ValueError("precomputed_knn must begin with each row itself, at distance 0: put the row in front of its neighbors.")
    return indices[:, :n_neighbors].astype(np.int32), distances[:, :n_neighbors].astype(np.float32)


# %%
for wrong, n, words in (((indices, distances), 16, "at least n_neighbors=16"), ((distances, indices), 15, "in this order")):
    try:
        check_knn(wrong, n_rows=len(X), n_neighbors=n)
    except ValueError as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")


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
    n_neighbors : int, default=15
        Size of a neighborhood, the row itself included.
    metric : str or callable, default="euclidean"
        As in `nearest_neighbors`.
    metric_kwds : dict or None, default=None
        Keyword arguments of the metric. `None` = none.
    precomputed_knn : tuple of ndarray or None, default=None
        (indices, distances), each of shape (n_rows, at least n_neighbors), the row itself first. `None` = search for neighbors.
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
    import umap.umap_

    keep_compiled(umap.umap_)
    if precomputed_knn is None:
        knn = nearest_neighbors(X, n_neighbors, metric, metric_kwds, random_state, n_jobs)
    else:
        check_rows(X, n_neighbors)
        knn = check_knn(precomputed_knn, X.shape[0], n_neighbors)
    indices, distances = _disconnect(*knn, metric)
    graph, _, _ = umap.umap_.fuzzy_simplicial_set(
        X, n_neighbors, None, metric, knn_indices=indices, knn_dists=distances,
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
    import umap.umap_

    greatest = umap.umap_.DISCONNECTION_DISTANCES.get(metric, np.inf) if isinstance(metric, str) else np.inf
    disconnected = distances >= greatest
    if disconnected[:, 1:].all():  # each row is its own first neighbor
        if greatest == np.inf:
            raise ValueError(f"All distances under the metric {metric!r} are infinite: the values are too large for float32; scale the rows.")
        raise ValueError(f"All distances under the metric {metric!r} have its greatest value, so the graph has no edges: choose another metric.")
    return np.where(disconnected, -1, indices), np.where(disconnected, np.float32(np.inf), distances)


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
        Classes, as `check_labels` takes them; -1 = unknown.
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
    from umap.umap_ import discrete_metric_simplicial_set_intersection

    labels = check_labels(y, graph.shape[0])
    joined = discrete_metric_simplicial_set_intersection(graph.copy(), labels, far_dist=far_dist)
    return sparse.csr_matrix(joined, dtype=np.float32)


def check_labels(y, n_rows: int) -> np.ndarray:
    """Turn labels into integers.

    Parameters
    ----------
    y : array-like, shape (n_rows,)
        Classes: integers or strings; -1 (among strings also "-1") = unknown.
    n_rows : int

    Returns
    -------
    ndarray, int64, shape (n_rows,)
        Numbers stay as they are; strings become 0, 1, ... in sorted order.

    Raises
    ------
    ValueError
        If `y` has the wrong length, missing values, or values that are not classes.

    Examples
    --------
    >>> from pumap.graph import check_labels
    >>> check_labels(["cat", "dog", "cat"], 3).tolist()
    [0, 1, 0]
    """
    y = np.asarray(y)
    if y.shape != (n_rows,):
        raise ValueError(f"y has shape {y.shape}; {n_rows} rows need labels of shape ({n_rows},), with -1 for unknown.")
    if y.dtype.kind not in "iub" and any(value is None or str(value) in ("nan", "NaT", "<NA>") for value in y.tolist()):  # among strings NaN is "nan"
        raise ValueError("Input y contains NaN or None; a row whose class is unknown has -1.")
    y = y if y.dtype.kind in "iufb" else y.astype(str)
    if type_of_target(y, input_name="y", raise_unknown=True) not in ("binary", "multiclass"):
        raise ValueError("y holds continuous values; labels must be classes (integers or strings, with -1 for unknown).")
    return y.astype(np.int64) if y.dtype.kind in "iufb" else np.where(y == "-1", -1, np.unique(y, return_inverse=True)[1])


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
    from umap.umap_ import find_ab_params

    if not (np.isfinite(spread) and spread > 0):
        raise ValueError(f"spread is {spread}; it must be a positive number.")
    if not 0 <= min_dist <= spread:
        raise ValueError(f"min_dist is {min_dist}; it must lie between 0 and spread={spread}.")
    a, b = find_ab_params(spread, min_dist)
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
