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
# > From rows to a graph of membership strengths, and from the graph to batches of edges.

# %%
#| default_exp graph

# %%
#| hide
import matplotlib.pyplot as plt
import numba
import scipy.sparse
import umap.layouts
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, make_moons

# %%
#| export
import functools
import inspect
import math
import numbers
import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.metrics import pairwise_distances
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

# %% [markdown]
# UMAP has two steps. The first turns the data into a weighted graph of neighbours, the *fuzzy simplicial set*; the
# second places the vertices of that graph. Parametric UMAP leaves the first step as it is, so this notebook calls
# umap-learn's own functions for it. What is ours is the road from the graph to the optimiser, pruning and drawing edges,
# and, at the end, a distance for songs that lets time stretch.

# %%
X, y = load_digits(return_X_y=True)
X = X.astype("float32") / 16


# %% [markdown]
# ## Randomness
#
# Nothing in this package touches a global seed. Whatever draws takes a `random_state`, as scikit-learn spells it,
# and makes a generator of its own.

# %%
#| export
def random_generator(
    random_state=None,  # None, an int, a `numpy.random.RandomState` or a `numpy.random.Generator`
) -> np.random.Generator:
    "A NumPy generator from any of the usual ways to state a seed; a generator is returned as it is."
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None or isinstance(random_state, numbers.Integral):
        return np.random.default_rng(random_state)
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


# %%
assert random_generator(3).integers(10**6) == random_generator(3).integers(10**6)
assert random_generator(np.random.RandomState(3)).integers(10**6) != random_generator(3).integers(10**6)


# %% [markdown]
# ## Rows that can make a graph
#
# We ask for one row more than a neighbourhood has, so that every row has at least one that is not its neighbour; and rows that are all the same have no
# neighbourhoods at all. Both are better said here than found out from a strange picture.

# %%
#| export
def check_rows(
    X,  # rows, shape (n_rows, n_features); dense or CSR
    n_neighbors: int,  # neighbours of each row, itself included
) -> None:
    "Raise a `ValueError` if `X` has too few rows for `n_neighbors`, or only copies of one row."
    if isinstance(n_neighbors, bool) or not isinstance(n_neighbors, numbers.Integral) or n_neighbors < 2:
        raise ValueError(f"n_neighbors is {n_neighbors!r}; it must be a whole number of at least 2.")
    n = X.shape[0]
    if n < n_neighbors + 1:
        samples = "1 sample" if n == 1 else f"{n} samples"
        raise ValueError(
            f"Found {samples}, but n_neighbors={n_neighbors} needs at least {n_neighbors + 1}: give more rows or lower n_neighbors."
        )
    if _all_rows_equal(X):
        raise ValueError(f"All {n} rows are the same, so they have no neighbourhoods: check how the data were loaded.")


def _all_rows_equal(X) -> bool:
    if sparse.issparse(X):
        return (X.max(axis=0) != X.min(axis=0)).nnz == 0
    # Two rows settle it for nearly all data; the full comparison is for the data that are in trouble.
    return np.array_equal(X[0], X[-1]) and bool((X == X[0]).all())


# %%
for rows, word in ((X[:15], "at least 16"), (np.ones((50, 3)), "the same")):
    try:
        check_rows(rows, n_neighbors=15)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")

# %% [markdown]
# ## Neighbours
#
# Below 4,096 rows all distances are computed, so the neighbours are exact; above, pynndescent finds nearly all of them in
# a small part of the time. umap-learn draws the line at the same place. A metric is a name that umap-learn knows or a
# function of two rows, which numba compiles; where such a function also returns its gradient (umap-learn allows that), the distance
# is the first of the two.

# %%
#| export
EXACT_BELOW = 4096  # rows; umap-learn's own limit


def resolve_metric(
    metric,  # a name umap-learn or pynndescent knows, or a function (x, y, *keywords) -> distance
    sample,  # two rows, shape (2, n_features), to try a function on
    metric_kwds: dict,  # keyword arguments of the metric
):  # a name or a compiled function that returns a distance alone
    "Check a metric; compile a function, and reduce one that returns (distance, gradient) to the distance."
    if not callable(metric):
        if metric == "precomputed":
            raise ValueError("metric='precomputed' is not taken: give neighbours by precomputed_knn=(indices, distances), or a graph by precomputed_graph.")
        if metric not in known_metrics():
            raise ValueError(f"metric is {metric!r}; give a function of two rows or one of: {', '.join(known_metrics())}.")
        return metric
    if sparse.issparse(sample):
        raise ValueError("metric is a function and the data are sparse: give dense rows, or the name of a metric.")
    import numba

    try:
        function = metric if hasattr(metric, "py_func") else numba.njit(metric)
        value = function(*sample, *metric_kwds.values())
    except Exception as error:  # numba has many, and all mean the same here
        why = str(error).strip().removeprefix("Failed in nopython mode pipeline (step: nopython frontend)").strip() or type(error).__name__
        name = getattr(metric, "__name__", repr(metric))
        raise ValueError(f"metric {name!r}, compiled by numba, fails on two rows: {why.splitlines()[0]}") from error
    return numba.njit(lambda x, y, *keywords: function(x, y, *keywords)[0]) if isinstance(value, tuple) else function


def keywords_in_order(
    metric,  # a function (x, y, *keywords) -> distance, compiled or not
    metric_kwds: dict,  # by name, in any order
) -> dict:  # in the order of the function, since the search hands them on by position
    "The keyword arguments of a metric as its own signature orders them, up to the last that is given; a `ValueError` for a name that is none."
    parameters = list(inspect.signature(getattr(metric, "py_func", metric)).parameters.values())[2:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):  # then their order is all there is
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


def known_metrics() -> list:  # sorted
    "The names of metrics that can be used between rows of numbers."
    from pynndescent.distances import named_distances as approximate
    from umap.distances import DISCRETE_METRICS
    from umap.distances import named_distances as exact

    return sorted((set(exact) | set(approximate)) - set(DISCRETE_METRICS))


# %%
def power_mean(x, y, p=2.0, weight=1.0):
    return weight * (np.abs(x - y) ** p).sum() ** (1 / p)


assert list(keywords_in_order(power_mean, {"weight": 3, "p": 1}).values()) == [1, 3]
assert keywords_in_order(power_mean, {"weight": 3}) == {"p": 2.0, "weight": 3}
assert "euclidean" in known_metrics() and "poincare" in known_metrics() and "categorical" not in known_metrics()


# %% [markdown]
# Most of the time of a first small graph goes to numba, which compiles the functions of umap-learn and pynndescent for this process alone. numba can keep on disk what it has compiled; the packages leave that off for most functions, and we switch it on for those we call.
# The second process then starts at once.

# %%
#| export
def keep_compiled(
    *modules,  # modules with functions compiled by numba
) -> int:  # functions that were not kept before
    "Let numba keep on disk what it compiles of these modules from now on; where it has no folder for that, nothing changes."
    from numba.core.caching import NullCache
    from numba.core.errors import NumbaWarning
    from numba.core.registry import CPUDispatcher

    warnings.filterwarnings("ignore", "Cannot cache compiled function", NumbaWarning)  # some functions cannot be kept, which nobody asked for

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
assert keep_compiled(umap.layouts) == 0  # all are kept by now


# %%
#| export
def nearest_neighbors(
    X,  # rows, shape (n_rows, n_features), float32; dense or CSR
    n_neighbors: int = 15,  # neighbours of each row, itself included
    metric="euclidean",  # a name or a numba function, see `resolve_metric`
    metric_kwds: dict | None = None,  # keyword arguments of the metric
    random_state=None,  # for the approximate search
    n_jobs: int | None = None,  # threads; None = one if a random_state is given (which makes it repeatable), else all
    exact: bool | None = None,  # None = exact below 4,096 rows
):  # (indices int32, distances float32), both of shape (n_rows, n_neighbors), nearest first
    "The nearest neighbours of each row; exact, or found by pynndescent with umap-learn's settings."
    import pynndescent
    import umap.umap_

    keep_compiled(umap.umap_, pynndescent.pynndescent_, pynndescent.utils, pynndescent.rp_trees)
    check_rows(X, n_neighbors)
    kwds = keywords_in_order(metric, metric_kwds or {}) if callable(metric) else dict(metric_kwds or {})
    metric = resolve_metric(metric, X[:2], kwds)
    if exact is None:
        exact = X.shape[0] < EXACT_BELOW
    if n_jobs is None:
        n_jobs = -1 if random_state is None else 1
    rng = np.random.RandomState(random_generator(random_state).integers(2**31 - 1))
    if exact:
        X, metric = all_distances(X, metric, kwds), "precomputed"
    elif not callable(metric) and not sparse.issparse(X):
        metric = searchable_metric(metric)
    indices, distances, _ = umap.umap_.nearest_neighbors(X, n_neighbors, metric, kwds, False, rng, n_jobs=n_jobs)
    return indices.astype(np.int32), distances.astype(np.float32)


# %% [markdown]
# For the exact search, scikit-learn computes the distances where it knows the metric. Where it does not, or calls a distance undefined (the correlation with a
# constant row, say), umap-learn's own function decides. The approximate search wants a name pynndescent knows, or a function.

# %%
#| export
def all_distances(
    X,  # rows, shape (n_rows, n_features); dense or CSR
    metric,  # as `resolve_metric` returns it
    metric_kwds: dict,
):  # shape (n_rows, n_rows)
    "All distances: by scikit-learn where it knows the metric (vectorised), else by umap-learn."
    from umap.distances import pairwise_special_metric

    distances = None
    if not callable(metric):
        try:
            distances = pairwise_distances(X, metric=metric, **metric_kwds)
        except (ValueError, TypeError):
            pass  # not one of scikit-learn's
    if distances is None or np.isnan(distances).any():
        dense = X.toarray() if sparse.issparse(X) else X
        function = metric if callable(metric) else named_function(metric)
        try:
            distances = pairwise_special_metric(dense, metric=function, kwds=metric_kwds)
        except Exception as error:  # whatever numba says of a keyword that does not fit
            raise ValueError(f"metric {metric!r} with metric_kwds={metric_kwds} cannot be computed: {str(error).strip().splitlines()[0]}") from error
    if np.isnan(distances).any():
        raise ValueError(f"metric {metric!r} is not a number between some rows: choose another, or leave out rows it is not defined for.")
    return distances


def named_function(name: str):  # numba function of two rows
    "umap-learn's function for a name, or pynndescent's."
    from pynndescent.distances import named_distances as approximate
    from umap.distances import named_distances as exact

    return exact.get(name) or approximate[name]


def searchable_metric(name: str):  # a name or a numba function
    "What pynndescent can search with: a name of its own, or umap-learn's function."
    from pynndescent.distances import named_distances as approximate

    return name if name in approximate else named_function(name)


# %% [markdown]
# Each row is its own nearest neighbour, at distance zero. The approximate search agrees with the exact one on nearly every neighbour.

# %%
indices, distances = nearest_neighbors(X, n_neighbors=15)
assert_array_equal(indices[:, 0], np.arange(len(X)))
assert_allclose(distances[:, 0], 0, atol=1e-3)

approximate, _ = nearest_neighbors(X, n_neighbors=15, exact=False, random_state=0)
recall = np.mean([len(set(a) & set(b)) / 15 for a, b in zip(indices, approximate)])
assert recall > 0.98


# %% [markdown]
# A metric of one's own, with a keyword, gives what the same metric gives by its name.

# %%
@numba.njit
def my_minkowski(x, y, p):
    return np.sum(np.abs(x - y) ** p) ** (1 / p)


mine, _ = nearest_neighbors(X[:300], 5, metric=my_minkowski, metric_kwds={"p": 3})
named, _ = nearest_neighbors(X[:300], 5, metric="minkowski", metric_kwds={"p": 3})
assert (mine == named).mean() > 0.99


# %% [markdown]
# ## The fuzzy simplicial set
#
# Around each row, distances become membership strengths: 1 for the nearest neighbour, less for the others, on a scale of the row's own.
# The two directions of an edge are then joined by the fuzzy union. Neighbours that are already known go in as `precomputed_knn`.

# %%
#| export
def check_knn(
    precomputed_knn,  # (indices, distances) or umap-learn's (indices, distances, search index)
    n_rows: int,
    n_neighbors: int,
):  # (indices int32, distances float32), both of shape (n_rows, n_neighbors)
    "Check neighbours that were computed elsewhere; a `ValueError` says what does not fit."
    try:
        indices, distances = (np.asarray(part) for part in tuple(precomputed_knn)[:2])
    except (TypeError, ValueError):
        raise ValueError("precomputed_knn must be (indices, distances), two arrays of shape (n_rows, n_neighbors).") from None
    if indices.shape != distances.shape or indices.ndim != 2 or len(indices) != n_rows or indices.shape[1] < n_neighbors:
        raise ValueError(
            f"precomputed_knn has shapes {indices.shape} and {distances.shape}; "
            f"both must be ({n_rows}, at least n_neighbors={n_neighbors})."
        )
    if indices.dtype.kind not in "iu":
        raise ValueError(f"precomputed_knn begins with {indices.dtype} values, not with numbers of rows: give (indices, distances), in this order.")
    if indices.min() < 0 or indices.max() >= n_rows:
        raise ValueError(f"precomputed_knn names rows from {indices.min()} to {indices.max()}, but the rows are 0 to {n_rows - 1}.")
    if not (distances >= 0).all():
        raise ValueError("precomputed_knn has distances that are negative or not numbers: check how they were computed.")
    if (distances[:, 0] > 0).all():
        raise ValueError("precomputed_knn must begin with each row itself, at distance 0: put the row in front of its neighbours.")
    return indices[:, :n_neighbors].astype(np.int32), distances[:, :n_neighbors].astype(np.float32)


# %%
for wrong, n, words in (((indices, distances), 16, "at least n_neighbors=16"), ((distances, indices), 15, "in this order")):
    try:
        check_knn(wrong, n_rows=len(X), n_neighbors=n)
    except ValueError as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")


# %%
#| export
def fuzzy_graph(
    X,  # rows, shape (n_rows, n_features), float32; dense or CSR
    n_neighbors: int = 15,  # neighbours of each row, itself included
    metric="euclidean",  # a name or a numba function
    metric_kwds: dict | None = None,
    set_op_mix_ratio: float = 1.0,  # 1 = fuzzy union of the two directions, 0 = intersection
    local_connectivity: float = 1.0,  # neighbours counted as fully connected
    precomputed_knn=None,  # (indices, distances), each of shape (n_rows, >= n_neighbors)
    random_state=None,
    n_jobs: int | None = None,  # threads of the neighbour search, see `nearest_neighbors`
) -> sparse.csr_matrix:  # symmetric membership strengths in (0, 1], shape (n_rows, n_rows), float32
    """The graph of membership strengths (McInnes, Healy, Melville 2018, section 3.1), by umap-learn's own function.

    Raises `ValueError` for too few or identical rows, an unknown metric, or neighbours that do not fit."""
    import umap.umap_

    keep_compiled(umap.umap_)
    if precomputed_knn is None:
        knn = nearest_neighbors(X, n_neighbors, metric, metric_kwds, random_state, n_jobs)
    else:
        check_rows(X, n_neighbors)
        knn = check_knn(precomputed_knn, X.shape[0], n_neighbors)
    indices, distances = without_strangers(*knn, metric)
    graph, _, _ = umap.umap_.fuzzy_simplicial_set(
        X, n_neighbors, None, metric, knn_indices=indices, knn_dists=distances,
        set_op_mix_ratio=set_op_mix_ratio, local_connectivity=local_connectivity,
    )  # fmt: skip
    return sparse.csr_matrix(graph, dtype=np.float32)


def without_strangers(
    indices: np.ndarray,  # of neighbours, shape (n_rows, n_neighbors)
    distances: np.ndarray,  # to them, same shape
    metric,  # a name or a numba function
):  # the same two arrays, with -1 and infinity in place of neighbours that are none
    "Takes away neighbours at the greatest distance that a metric knows: they have nothing in common with the row."
    import umap.umap_

    greatest = umap.umap_.DISCONNECTION_DISTANCES.get(metric, np.inf) if isinstance(metric, str) else np.inf
    strangers = distances >= greatest
    if strangers[:, 1:].all():  # each row is its own first neighbour
        if greatest == np.inf:
            raise ValueError(f"All distances by the metric {metric!r} are infinite: the values are too large for 32 bits; scale them.")
        raise ValueError(f"No two rows have anything in common by the metric {metric!r}, so there is no graph; choose another metric.")
    return np.where(strangers, -1, indices), np.where(strangers, np.float32(np.inf), distances)


# %%
graph = fuzzy_graph(X, precomputed_knn=(indices, distances))
assert_allclose((graph - graph.T).data, 0, atol=1e-6)
assert 0 < graph.data.min() and graph.data.max() <= 1
assert (graph.max(axis=1).toarray() > 0.99).all()  # every row is fully tied to its nearest neighbour

# %% [markdown]
# It is the graph umap-learn itself would have built.

# %%
theirs = umap.UMAP(n_neighbors=15, transform_mode="graph").fit(X).graph_
assert abs(theirs - graph).max() < 1e-3

# %% [markdown]
# That also means: by a metric with a greatest distance, such as Jaccard's, rows without anything in common are not joined, however few neighbours are left.

# %%
groups = np.repeat(np.kron(np.eye(12), np.ones(4)), 6, axis=0)  # twelve groups of six rows, each with four features of its own
groups *= np.random.default_rng(0).random(groups.shape) < 0.8
groups = groups[groups.any(axis=1)].astype("float32")
of_group = groups.argmax(axis=1) // 4
joined = fuzzy_graph(groups, metric="jaccard").tocoo()
assert (of_group[joined.row] == of_group[joined.col]).all()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # umap-learn says so of rows that lost neighbours
    theirs = umap.UMAP(n_neighbors=15, metric="jaccard", transform_mode="graph").fit(groups).graph_
assert abs(theirs - joined.tocsr()).max() < 1e-3

# %% [markdown]
# Two moons as a graph: the wider a line, the stronger the membership. Few lines, and weak ones, lead from one moon to the other.

# %%
two_moons, side = make_moons(100, noise=0.05, random_state=0)
edges = fuzzy_graph(two_moons.astype("float32"), n_neighbors=5).tocoo()
fig, ax = plt.subplots(figsize=(4, 2.5))
for i, j, w in zip(edges.row, edges.col, edges.data):
    ax.plot(*two_moons[[i, j]].T, color="0.4", lw=w, zorder=0)
ax.scatter(*two_moons.T, c=side, cmap="coolwarm", s=12)
ax.set_axis_off()
assert not any(side[i] != side[j] and w > 0.9 for i, j, w in zip(edges.row, edges.col, edges.data))


# %% [markdown]
# ### Labels
#
# Where some labels are known, umap-learn weakens edges between different labels, and a little those to rows whose label
# is unknown (`-1`). The same function does it here.

# %%
#| export
def intersect_labels(
    graph: sparse.csr_matrix,  # membership strengths, shape (n_rows, n_rows)
    y,  # classes, shape (n_rows,): whole numbers or words; -1 (beside words also "-1") = unknown
    far_dist: float = 5.0,  # distance between different labels; umap-learn's value at target_weight=0.5
) -> sparse.csr_matrix:  # membership strengths, shape (n_rows, n_rows), float32
    "Weaken the edges between rows with different labels, by umap-learn's own function."
    from umap.umap_ import discrete_metric_simplicial_set_intersection

    labels = check_labels(y, graph.shape[0])
    joined = discrete_metric_simplicial_set_intersection(graph.copy(), labels, far_dist=far_dist)
    return sparse.csr_matrix(joined, dtype=np.float32)


def check_labels(y, n_rows: int) -> np.ndarray:  # int64, shape (n_rows,)
    "Labels as whole numbers; a `ValueError` for a wrong length or values that are no classes."
    y = np.asarray(y)
    if y.shape != (n_rows,):
        raise ValueError(f"y has shape {y.shape}; {n_rows} rows need labels of shape ({n_rows},), with -1 for unknown.")
    if y.dtype.kind not in "iub" and any(value is None or str(value) in ("nan", "NaT", "<NA>") for value in y.tolist()):  # "nan": what NumPy makes of NaN among words
        raise ValueError("Input y contains NaN or None; a row whose class is unknown has -1.")
    y = y if y.dtype.kind in "iufb" else y.astype(str)
    if type_of_target(y, input_name="y", raise_unknown=True) not in ("binary", "multiclass"):
        raise ValueError("y holds continuous values; labels must be classes (whole numbers or words, with -1 for unknown).")
    return y.astype(np.int64) if y.dtype.kind in "iufb" else np.where(y == "-1", -1, np.unique(y, return_inverse=True)[1])


# %%
def across(graph):  # share of all membership strength that lies between different digits
    coo = graph.tocoo()
    return coo.data[y[coo.row] != y[coo.col]].sum() / coo.data.sum()


assert across(intersect_labels(graph, y)) < across(graph) / 10
unknown = np.full(len(y), -1)
assert_allclose(across(intersect_labels(graph, unknown)), across(graph), rtol=0.25)  # no label, little change
some = np.where(y < 5, y, -1)
assert (intersect_labels(graph, some) != intersect_labels(graph, [f"digit {c}" if c >= 0 else -1 for c in some])).nnz == 0  # words do as well


# %% [markdown]
# ## The curve in the embedding
#
# Two numbers, $a$ and $b$, shape the similarity $q = 1 / (1 + a\,d^{2b})$ of two points at distance $d$ in the embedding. umap-learn fits
# them so that $q$ stays near 1 up to `min_dist` and then falls on the scale of `spread`.

# %%
#| export
def find_ab(
    min_dist: float = 0.1,  # distance at which similarity begins to fall
    spread: float = 1.0,  # scale on which it falls
) -> tuple[float, float]:  # (a, b)
    "The parameters of the similarity curve, by umap-learn's `find_ab_params`; a `ValueError` if `min_dist > spread`."
    from umap.umap_ import find_ab_params

    if not (np.isfinite(spread) and spread > 0):
        raise ValueError(f"spread is {spread}; it must be a positive number.")
    if not 0 <= min_dist <= spread:
        raise ValueError(f"min_dist is {min_dist}; it must lie between 0 and spread={spread}.")
    a, b = find_ab_params(spread, min_dist)
    return float(a), float(b)


# %%
assert_allclose(find_ab(), (1.577, 0.895), atol=1e-3)  # the values all experiments of the paper use


# %% [markdown]
# ## Edges
#
# ### Pruning
#
# umap-learn visits an edge of strength $w$ in $n_{epochs} \cdot w / w_{max}$ of its epochs, so an edge below $w_{max}/n_{epochs}$ is never visited.
# The paper's code drops the same edges, and so do we.

# %%
#| export
class Edges(NamedTuple):
    "The edges of a graph, both directions, as three arrays of shape (n_edges,)."

    head: np.ndarray  # row at one end, int32
    tail: np.ndarray  # row at the other end, int32
    weight: np.ndarray  # membership strength, float32


def default_n_epochs(n_rows: int) -> int:
    "umap-learn's number of epochs: 500 up to 10,000 rows, 200 above."
    return 500 if n_rows <= 10_000 else 200


def pruned_edges(
    graph: sparse.spmatrix,  # membership strengths, shape (n_rows, n_rows)
    n_epochs: int | None = None,  # None = `default_n_epochs`
) -> Edges:
    "The edges of at least `max / n_epochs`; weaker ones would never be visited in that many epochs."
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
# ### Drawing edges by strength
#
# A step of training takes a batch of edges. The UMAP loss asks for each edge in proportion to its strength (`edge_sampling="weighted"`, as the fast solver of `04_training` draws them); the
# paper's code takes them by a scheme of its own (`edge_sampling="paper"`), which comes next. umap-learn's ParametricUMAP draws by strength too, and for that writes out every edge as often as it will
# be visited, some 1,200 times per row of data and 64 bytes each time: 80 GB for a million rows. One running sum of the strengths does the same for 8 bytes an
# edge: a uniform number falls into an edge's share of the sum with just the right probability.

# %%
#| export
def weighted_batches(
    edges: Edges,
    batch_size: int,  # edges in a batch
    random_state=None,
):  # endless iterator over (head, tail), int32 arrays of shape (batch_size,)
    "Batches of edges drawn, with replacement, in proportion to their membership strength."
    rng = random_generator(random_state)
    sums = np.cumsum(edges.weight, dtype=np.float64)
    while True:
        drawn = np.searchsorted(sums, rng.random(batch_size) * sums[-1], side="right")
        yield edges.head[drawn], edges.tail[drawn]


# %%
draw = weighted_batches(edges, 200_000, random_state=0)
head, tail = next(draw)
counts = scipy.sparse.coo_matrix((np.ones(len(head)), (head, tail)), shape=graph.shape).tocsr()
expected = 200_000 * edges.weight / edges.weight.sum()
observed = np.asarray(counts[edges.head, edges.tail]).ravel()
chi_square = ((observed - expected) ** 2 / expected).sum() / (len(expected) - 1)
assert 0.95 < chi_square < 1.05  # as random as it should be, neither more nor less

# %%
again, _ = next(weighted_batches(edges, 200_000, random_state=0))
assert_array_equal(head, again)  # the seed decides


# %% [markdown]
# ### Drawing edges as the paper did
#
# The original code repeats every edge `floor(clip(25 w / max, 1, 25))` times in an epoch, shuffles, and cuts the list into batches, dropping the remainder.
# Weak edges are so visited more often than their strength says: an edge of $w = 0.01$ once, one of $w = 1$ only 25 times. The list here holds the *numbers* of the
# edges, four bytes each, and is shuffled anew each epoch (the original shuffled while its input pipeline was traced, so probably once).
#
# One such epoch is the *pass* in which all of this package counts its training (`n_training_epochs`), whichever way edges are drawn.

# %%
#| export
def paper_repeats(
    weight: np.ndarray,  # membership strengths, shape (n_edges,)
) -> np.ndarray:  # int64, shape (n_edges,)
    "How often the original code visits each edge in one epoch: 1 to 25 times."
    return np.floor(np.clip(25 * weight.astype(np.float64) / weight.max(), 1, 25)).astype(np.int64)


def paper_batches(
    edges: Edges,
    batch_size: int,  # edges in a batch
    random_state=None,
):  # endless iterator over (head, tail), int32 arrays of shape (batch_size,)
    "Batches in the original's scheme: epoch after epoch of repeated, shuffled edges."
    rng = random_generator(random_state)
    repeated = np.repeat(np.arange(len(edges.weight), dtype=np.int32), paper_repeats(edges.weight))
    batch_size = min(batch_size, len(repeated))
    while True:
        rng.shuffle(repeated)
        for start in range(0, len(repeated) - batch_size + 1, batch_size):
            drawn = repeated[start : start + batch_size]
            yield edges.head[drawn], edges.tail[drawn]


def edge_batches(
    edges: Edges,
    batch_size: int,  # edges in a batch
    random_state=None,
    edge_sampling: str = "paper",  # "paper": the original's scheme; "weighted": in proportion to membership strength
):  # endless iterator over (head, tail), int32 arrays of shape (batch_size,)
    "Batches of edges by one of the two schemes; a `ValueError` lists their names."
    schemes = {"paper": paper_batches, "weighted": weighted_batches}
    if edge_sampling not in schemes:
        raise ValueError(f"edge_sampling is {edge_sampling!r}; it must be one of: {', '.join(schemes)}.")
    return schemes[edge_sampling](edges, batch_size, random_state)


def paper_steps(
    edges: Edges,
    batch_size: int,
) -> int:
    "Batches in one epoch of the original's scheme; the length of a pass in the other scheme, too."
    return max(1, int(paper_repeats(edges.weight).sum()) // batch_size)


# %%
assert_array_equal(paper_repeats(np.array([0.001, 0.05, 0.5, 1.0], "float32")), [1, 1, 12, 25])

# %% [markdown]
# Over one epoch, each edge comes just as often as its number of repeats says (with a batch size of 1 nothing is dropped).

# %%
few = Edges(edges.head[:50], edges.tail[:50], edges.weight[:50])
stream = paper_batches(few, 1, random_state=0)
seen = [next(stream) for _ in range(paper_steps(few, 1))]
visits = scipy.sparse.coo_matrix((np.ones(len(seen)), np.array([(h[0], t[0]) for h, t in seen]).T), shape=graph.shape).tocsr()
assert_array_equal(np.asarray(visits[few.head, few.tail]).ravel(), paper_repeats(few.weight))

# %% [markdown]
# ### What the two schemes do to an edge
#
# The share of visits that edges of a given strength get. By strength (the dashed line) is what the UMAP loss asks for.

# %%
strength = np.sort(edges.weight)
fig, ax = plt.subplots(figsize=(4, 2.5))
ax.plot(strength, strength / strength.sum(), "k--", label="by strength")
repeats = paper_repeats(strength)
ax.plot(strength, repeats / repeats.sum(), label="the paper's repeats")
ax.set(xscale="log", yscale="log", xlabel="membership strength", ylabel="share of visits")
ax.legend(frameon=False)
weakest = strength < 0.04
assert repeats[weakest].sum() / repeats.sum() > strength[weakest].sum() / strength.sum()

# %%
#| hide
plt.close("all")


# %% [markdown]
# ## Dynamic time warping
#
# Two birds that sing one syllable, one of them more slowly, make pictures that Euclidean distance calls different. *Dynamic time warping* first stretches both so that they fit best: with frames $a_i$ and $b_j$, the columns of
# two spectrograms, it is the least cost of a path from the first pair of frames to the last, going forward one step in either picture or in both,
#
# $$D(i, j) = \|a_i - b_j\|^2 + \min\{D(i-1, j-1),\ D(i-1, j),\ D(i, j-1)\}$$
#
# and the distance is the root of the last $D$. A *band* keeps $|i - j|$ small, which forbids wild stretching and saves time (Sakoe and Chiba, 1978). The function can give up early: once every way on costs more than a limit,
# it returns infinity.

# %%
#| export
def dtw_cost(
    a: np.ndarray,  # frames in order of time, shape (n_frames, n_bands)
    b: np.ndarray,  # the same number of frames
    band: int,  # largest |i - j|
    limit: float,  # a cost above this is of no interest
    rest: np.ndarray,  # at least what frames i and later of `a` will cost, shape (n_frames + 1,)
) -> float:  # the squared distance, or infinity if it is above the limit
    "Dynamic time warping by the recursion, row by row; plain Python here, compiled where it is used."
    n, n_bands = a.shape
    above, row = np.full(n + 1, np.inf), np.full(n + 1, np.inf)
    above[0] = 0.0
    for i in range(n):
        row[:] = np.inf
        lowest = np.inf
        for j in range(max(0, i - band), min(n, i + band + 1)):
            step = 0.0
            for f in range(n_bands):
                step += (a[i, f] - b[j, f]) ** 2
            row[j + 1] = step + min(above[j], above[j + 1], row[j])
            lowest = min(lowest, row[j + 1])
        if lowest + rest[i + 1] > limit:
            return np.inf
        above, row = row, above
    return above[n] if above[n] <= limit else np.inf


# %% [markdown]
# A song and the same song delayed by a frame: the path runs beside the diagonal, and only the ends cost something. With a band of 0 it must stay on it, and the cost is the squared Euclidean distance.

# %%
song = np.array([[0.0], [0.0], [5.0], [1.0], [0.0], [0.0]])
late = np.roll(song, 1, axis=0)
assert dtw_cost(song, late, 5, np.inf, np.zeros(7)) == 0
assert dtw_cost(song, late, 0, np.inf, np.zeros(7)) == ((song - late) ** 2).sum()
assert dtw_cost(song, late, 0, 1.0, np.zeros(7)) == np.inf


# %% [markdown]
# ### As a metric
#
# Rows are flattened pictures, frequency by time, so the frames are the *columns*. (The original code reshaped rows so too, but took the rows of the picture for its frames and warped along frequency; `along="frequency"` does that, for who
# needs it. Its distance was another one, too: a mean over the path.)

# %%
#| export
def _dtw_frames(
    shape: tuple,  # of a picture: (n_bands, n_moments)
    band: int | None,  # largest shift, in frames; None allows any
    along: str,  # "time" or "frequency"
) -> tuple:  # (number of frames, band)
    "Check the arguments of a warping; a `ValueError` says what does not fit."
    if along not in ("time", "frequency"):
        raise ValueError(f"along is {along!r}; it must be 'time' or 'frequency'.")
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be that of a picture, (n_bands, n_moments).")
    n = shape[1] if along == "time" else shape[0]
    if band is not None and (isinstance(band, bool) or not isinstance(band, numbers.Integral) or band < 0):
        raise ValueError(f"band is {band!r}; it must be None or a whole number of at least 0.")
    return n, n if band is None else min(int(band), n)


@functools.cache
def _compiled_dtw():
    "The recursion, compiled once."
    import numba

    return numba.njit(dtw_cost, fastmath={"reassoc", "contract"})  # sums in any order: several terms at once


def dtw_metric(
    shape: tuple,  # of a picture before it was flattened: (n_bands, n_moments)
    band: int | None = None,  # largest shift, in frames; None allows any
    along: str = "time",  # "frequency" takes rows for frames, as the original code did
):  # numba function of two rows
    "A compiled metric between flattened pictures, for umap-learn, pynndescent and `fuzzy_graph` alike; `ValueError` for a shape, band or direction that cannot be, and for a row that has not as many values as a picture."
    n, width = _dtw_frames(shape, band, along)
    return _dtw_metric(int(shape[0]), int(shape[1]), n, width, along == "time")


@functools.cache
def _dtw_metric(n_bands, n_moments, n, width, by_columns):
    "One metric for one kind of picture, so that it is compiled once."
    import numba

    cost = _compiled_dtw()

    @numba.njit
    def dtw(x, y):
        if x.size != n_bands * n_moments or y.size != n_bands * n_moments:
            raise ValueError("dtw_metric: a row has not as many values as a picture of the shape that was given; give the shape of your pictures.")
        a = np.ascontiguousarray(x).reshape(n_bands, n_moments)
        b = np.ascontiguousarray(y).reshape(n_bands, n_moments)
        if by_columns:
            a, b = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
        return np.sqrt(cost(a, b, width, np.inf, np.zeros(n + 1)))

    return dtw


# %% [markdown]
# Made-up songs: a tone that rises or falls, sung early or late, fast or slow.

# %%
def made_up_songs(n, n_bands=12, n_moments=20, random_state=0):
    "Pictures of tones, shape (n, n_bands * n_moments), and which of three songs each is."
    rng = random_generator(random_state)
    kind, shift, speed = rng.integers(0, 3, n), rng.uniform(-0.15, 0.15, n), rng.uniform(0.7, 1.4, n)
    moments = np.clip((np.linspace(-0.5, 0.5, n_moments) - shift[:, None]) * speed[:, None] + 0.5, 0, 1)
    pitch = np.array([moments, 1 - moments, 2 * np.abs(moments - 0.5)])[kind, np.arange(n)] * (n_bands - 1)
    pictures = np.exp(-((np.arange(n_bands)[:, None] - pitch[:, None, :]) ** 2))
    return (pictures + 0.1 * rng.random(pictures.shape)).reshape(n, -1).astype("float32"), kind


songs, kind = made_up_songs(300)
warped, rigid = dtw_metric((12, 20)), dtw_metric((12, 20), band=0)
assert_allclose(rigid(songs[0], songs[1]), np.linalg.norm(songs[0] - songs[1]), rtol=1e-5)
assert warped(songs[0], songs[0]) == 0 and warped(songs[0], songs[1]) <= dtw_metric((12, 20), band=3)(songs[0], songs[1]) <= rigid(songs[0], songs[1])
assert_allclose(warped(songs[0], songs[1]), warped(songs[1], songs[0]), rtol=1e-6)

# %% [markdown]
# It warps along time: a picture and its later twin are close, a picture and its higher twin are not. Along frequency it is the other way round.

# %%
spot = np.zeros((12, 20), "float32")
spot[3:6, 8:10] = 1
later, higher = np.roll(spot, 4, axis=1), np.roll(spot, 4, axis=0)
along_frequency = dtw_metric((12, 20), along="frequency")
assert warped(spot.ravel(), later.ravel()) == 0 < warped(spot.ravel(), higher.ravel())
assert along_frequency(spot.ravel(), higher.ravel()) == 0 < along_frequency(spot.ravel(), later.ravel())


# %% [markdown]
# ### Neighbours without all the distances
#
# To find the nearest songs, few distances must be known exactly. None of these shortcuts changes the result:
#
# - *An upper bound*. The diagonal is a path like others, so warping costs at most the squared Euclidean distance. Rows are tried in the order of that distance, the likeliest first, and what costs more than the Euclidean distance of the last neighbour wanted is of no interest
#   from the start.
# - *A lower bound* (Keogh and Ratanamahatana, 2005). Within the band, frame $a_i$ can only meet a few frames of $b$. What it lies above the highest or below the lowest of them, it must pay. The same holds with $a$ and $b$ exchanged. A row is skipped when one of the two bounds is above the cost of the last
#   neighbour so far. Without a band, a frame can meet any other, and the bound is weak.
# - *Early abandoning*: the recursion stops when what it has and what the bound says of the rest is too much (Rakthanmanon et al., 2012).
# - *Fewer coordinates*. In their first eight principal directions frames are at most as far apart as they are, and so warping costs at most as much there: another lower bound, and a close one. The two above are computed in these directions too. What passes all of them is computed in full.
# - *Several rows at once*. The recursion waits for its own last result at each step, and so does a processor that works on one pair of rows. For the bound in eight directions eight rows go side by side, in single precision. All terms are positive, so the relative error of a sum is at most the number of roundings on a path times
#   that of one; the limit gives way by that, and by what the rounded coordinates may do.
#
# What all this is worth on real songs, [benchmarks/dtw](benchmarks/dtw.ipynb) measures.

# %%
#| export
def dtw_envelopes(
    frames: np.ndarray,  # shape (n_rows, n_frames, n_bands)
    band: int,
) -> tuple:  # (lowest, highest) within the band around each frame, shapes as `frames`
    "What a frame of another row can meet."
    n = frames.shape[1]
    if band >= n - 1:
        return tuple(np.repeat(f(frames, axis=1, keepdims=True), n, axis=1) for f in (np.min, np.max))
    low, high = frames.copy(), frames.copy()
    for s in range(1, band + 1):
        for here, there in ((slice(s, None), slice(None, -s)), (slice(None, -s), slice(s, None))):
            np.minimum(low[:, here], frames[:, there], out=low[:, here])
            np.maximum(high[:, here], frames[:, there], out=high[:, here])
    return low, high


def dtw_bound(
    a: np.ndarray,  # frames, shape (n_frames, n_bands)
    low: np.ndarray,  # envelope of the other row, the same shape
    high: np.ndarray,
    rest: np.ndarray,  # filled with the bound of frames i and later, shape (n_frames + 1,)
) -> float:  # at most the squared distance
    "Lower bound on `dtw_cost`; compiled where it is used."
    rest[len(a)] = 0.0
    for i in range(len(a) - 1, -1, -1):
        step = 0.0
        for f in range(a.shape[1]):
            outside = max(a[i, f] - high[i, f], low[i, f] - a[i, f], np.float32(0))
            step += outside * outside
        rest[i] = rest[i + 1] + step
    return rest[0]


# %%
#| export
LANES = 8  # rows side by side


def dtw_lanes(
    a: np.ndarray,  # frames, float32, shape (n_frames, n_bands); n_bands is a multiple of 4
    b: np.ndarray,  # of eight rows: in each band moment by moment, row by row; float32, shape (n_bands, n_frames * LANES)
    band: int,
    limit: float,  # costs above this are of no interest
    rest: np.ndarray,  # at least what frames i and later of `a` will cost with any of the rows, shape (n_frames + 1,)
    above: np.ndarray,  # work space, float32, shape ((n_frames + 1) * LANES,)
    row: np.ndarray,  # the same
    step: np.ndarray,  # work space, float32, shape (n_frames * LANES,)
):  # the squared distances, shape (LANES,); all infinite if none of them is within the limit
    "`dtw_cost` for several rows at once in single precision; compiled where it is used."
    n, n_bands = a.shape
    above[:] = np.inf
    above[:LANES] = 0
    for i in range(n):
        first, last = max(0, i - band) * LANES, min(n, i + band + 1) * LANES
        cells = step[first:last]
        cells[:] = 0
        for f in range(0, n_bands, 4):  # four bands in one go: the sum is fetched and put back less often
            a0, a1, a2, a3 = a[i, f], a[i, f + 1], a[i, f + 2], a[i, f + 3]
            b0, b1, b2, b3 = b[f, first:last], b[f + 1, first:last], b[f + 2, first:last], b[f + 3, first:last]
            for t in range(cells.size):
                cells[t] += (a0 - b0[t]) ** 2 + (a1 - b1[t]) ** 2 + (a2 - b2[t]) ** 2 + (a3 - b3[t]) ** 2
        row[:] = np.inf
        before, now, lowest = above[first : last + LANES], row[first : last + LANES], np.float32(np.inf)
        for t in range(cells.size):
            now[t + LANES] = cells[t] + min(before[t], min(before[t + LANES], now[t]))
        for t in range(now.size):
            lowest = now[t] if now[t] < lowest else lowest
        if lowest + rest[i + 1] > limit:
            row[:] = np.inf
            return row[:LANES]
        above, row = row, above
    return above[n * LANES :]


# %%
#| export
def _dtw_coordinates(
    frames: np.ndarray,  # shape (n_rows, n_frames, n_bands), float32
    n_coordinates: int = 8,  # to keep, a multiple of 4
) -> tuple:  # (coordinates (n_rows, n_frames, n_coordinates) float32, factor and distance by which a bound may be too large)
    "Frames in their first principal directions, and what rounding may do to costs that are computed from these."
    n_rows, n_frames, n_bands = frames.shape
    flat = frames.reshape(-1, n_bands).astype(np.float64)
    directions = np.linalg.eigh(np.cov(flat, rowvar=False).reshape(n_bands, n_bands))[1][:, ::-1][:, :n_coordinates]
    Z = (flat @ directions).astype(np.float32).reshape(n_rows, n_frames, -1)
    Z = np.ascontiguousarray(np.pad(Z, ((0, 0), (0, 0), (0, n_coordinates - Z.shape[2]))))
    slack = 1 + (n_coordinates + 2 * n_frames + 8) * 2.0**-23  # roundings on the way through a sum of positive terms
    room = math.sqrt(2 * n_frames * n_coordinates) * 2.0**-23 * np.sqrt((flat**2).sum(axis=1).max())  # roundings of the coordinates
    return Z, slack, room


def _dtw_insert(indices, squares, j, value):
    "Put row j among the neighbours so far, if it is nearer than the last; place 0 is the row itself."
    p = len(squares) - 1
    if value >= squares[p]:
        return
    while p > 1 and squares[p - 1] > value:
        squares[p], indices[p] = squares[p - 1], indices[p - 1]
        p -= 1
    squares[p], indices[p] = value, j


# %%
#| export
@functools.cache
def _compiled_search():
    "The search over all rows, in parallel."
    import numba

    fast = {"reassoc", "contract"}
    cost, bound, lanes, insert = _compiled_dtw(), numba.njit(dtw_bound, fastmath=fast), numba.njit(dtw_lanes, fastmath=fast), numba.njit(_dtw_insert)

    @numba.njit(parallel=True)
    def search(X, Z, low, high, band, slack, room, indices, squares):
        n, n_frames, n_coordinates = Z.shape
        k, cells = indices.shape[1], n_frames * LANES
        for i in numba.prange(n):
            above, row, step = np.empty(cells + LANES, np.float32), np.empty(cells + LANES, np.float32), np.empty(cells, np.float32)
            b, which, filled = np.zeros((n_coordinates, cells), np.float32), np.zeros(LANES, np.int32), 0
            rest, least = np.zeros(n_frames + 1), np.full(n_frames + 1, np.inf)
            near = np.array([bound(Z[i], Z[j], Z[j], rest) for j in range(n)])
            near[i] = -1  # itself comes first, whatever else is at distance 0
            order = np.argsort(near)
            reach = max([bound(X[i], X[j], X[j], rest) for j in order[:k]])
            indices[i, 0], squares[i, 0], squares[i, 1:] = i, 0.0, np.inf
            for q in range(1, n):
                j, limit = order[q], slack * (np.sqrt(min(squares[i, k - 1], reach)) + room) ** 2
                if bound(Z[j], low[i], high[i], rest) <= limit and bound(Z[i], low[j], high[j], rest) <= limit:
                    least, which[filled] = np.minimum(least, rest), j
                    for t in range(n_frames):
                        for f in range(n_coordinates):
                            b[f, t * LANES + filled] = Z[j, t, f]
                    filled += 1
                if filled == LANES or (filled and q == n - 1):
                    values = lanes(Z[i], b, band, limit, least, above, row, step)
                    for p in range(filled):
                        if values[p] <= limit:
                            rest[:] = 0
                            insert(indices[i], squares[i], which[p], cost(X[i], X[which[p]], band, limit, rest))
                    filled, least = 0, np.full(n_frames + 1, np.inf)

    return search


# %%
#| export
def dtw_neighbors(
    X: np.ndarray,  # flattened pictures, shape (n_rows, n_bands * n_moments), or (n_rows, n_bands, n_moments[, 1])
    n_neighbors: int = 15,  # neighbours of each row, itself included
    shape: tuple | None = None,  # (n_bands, n_moments); needed if the pictures are flattened
    band: int | None = None,  # largest shift, in frames; None allows any
    along: str = "time",  # as for `dtw_metric`
):  # (indices int32, distances float32), both of shape (n_rows, n_neighbors), nearest first
    """The exact nearest neighbours by dynamic time warping, as `precomputed_knn` wants them; numba's threads share the rows.

    Raises `ValueError` for a shape, band or direction that cannot be, for NaN or infinity, and for fewer rows than neighbours ask for."""
    X = np.asarray(X, dtype=np.float32)
    shape = X.shape[1:3] if shape is None else shape
    _, width = _dtw_frames(shape, band, along)
    if X[0].size != math.prod(shape):
        raise ValueError(f"X has {X[0].size} values in a row, but a picture of shape {tuple(shape)} has {math.prod(shape)}.")
    frames = X.reshape(len(X), *shape)
    check_rows(frames.reshape(len(X), -1), n_neighbors)
    if not np.isfinite(frames).all():
        raise ValueError("X holds NaN or infinite values; remove those rows or find out where they come from.")
    frames = frames.transpose(0, 2, 1) if along == "time" else frames
    indices, squares = np.zeros((len(X), n_neighbors), np.int32), np.zeros((len(X), n_neighbors))
    frames = np.ascontiguousarray(frames)
    Z, slack, room = _dtw_coordinates(frames)
    _compiled_search()(frames, Z, *dtw_envelopes(Z, width), width, slack, room, indices, squares)
    return indices, np.sqrt(squares).astype(np.float32)


# %% [markdown]
# The same neighbours as by the distances of all pairs.

# %%
few = songs[:80]
for band in (3, None):
    metric = dtw_metric((12, 20), band)
    plain = np.array([[metric(a, b) for b in few] for a in few])
    np.fill_diagonal(plain, -1)  # itself first
    indices, distances = dtw_neighbors(few, 6, (12, 20), band)
    assert_array_equal(indices, np.argsort(plain, axis=1)[:, :6])
    assert_allclose(distances[:, 1:], np.sort(plain, axis=1)[:, 1:6], rtol=1e-5)

# %% [markdown]
# The graph takes the neighbours that were found; or `metric=metric` lets any search compute them.

# %%
song_graph = fuzzy_graph(songs, n_neighbors=6, precomputed_knn=dtw_neighbors(songs, 6, (12, 20))).tocoo()
assert np.average(kind[song_graph.row] == kind[song_graph.col], weights=song_graph.data) > 0.95
