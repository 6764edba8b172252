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
# # Metrics
#
# > How much of the data's structure an embedding preserves: arrays in, one number out.

# %%
#| default_exp metrics

# %%
#| hide
import matplotlib.pyplot as plt
import sklearn.manifold
import sklearn.metrics
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA

# %%
#| export
import numbers
from functools import partial

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.metrics import normalized_mutual_info_score, pairwise_distances_chunked, silhouette_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from pumap.core import check_labels

# %% [markdown]
# A picture of an embedding can mislead, so the paper also compares methods by numbers. This notebook defines those metrics. Each takes arrays, from
# any method, and returns one number.
#
# | metric | question | best | chance |
# |---|---|---|---|
# | `trustworthiness` | Are neighbors in the embedding neighbors in the data? | 1 | 0.5 |
# | `knn_accuracy` | Do new rows land next to training rows of their class? | 1 | share of the largest class |
# | `silhouette` | Are classes separated? | 1 | just below 0 |
# | `clustering_nmi` | Does a clustering find the classes? | 1 | 0 |
# | `reconstruction_mse` | How far is a reconstruction from the data? | 0 | |
#
# The values are scikit-learn's. They are computed block by block, so that 60,000 rows need less than 2 GiB.
#
# The running example: 900 handwritten digits, and three embeddings of them. `pca` holds the first two principal components. `shuffled` holds the same
# points in random order, so they are unrelated to the rows. The third is the data themselves.

# %%
X, y = (part[:900] for part in load_digits(return_X_y=True))
pca = PCA(2, random_state=0).fit_transform(X)
shuffled = np.random.default_rng(0).permutation(pca)

# %% [markdown]
# The picture shows four metrics of `pca` with noise of growing size added to it. The standard deviation of its columns is about 13. As the noise
# grows, each metric falls to its chance level.

# %%
from pumap.metrics import clustering_nmi, knn_accuracy, silhouette, trustworthiness

noise = np.random.default_rng(1).normal(size=pca.shape)
amounts = np.array([0, 2, 4, 8, 16, 32, 64])
noisy = [pca + amount * noise for amount in amounts]
curves = {
    "trustworthiness": [trustworthiness(X, z) for z in noisy],
    "1-NN accuracy": [knn_accuracy(z[:600], y[:600], z[600:], y[600:]) for z in noisy],
    "silhouette": [silhouette(z, y) for z in noisy],
    "clustering NMI": [clustering_nmi(z, y, random_states=[0], n_init=1) for z in noisy],
}
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for label, values in curves.items():
    ax.plot(amounts, values, marker="o", label=label)
ax.set(xlabel="standard deviation of the noise", ylabel="metric", xscale="symlog", xticks=amounts, xticklabels=amounts)
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1));

# %%
for values in curves.values():
    assert values[-1] < values[0]
assert all(np.diff(curves["trustworthiness"]) < 0)


# %% [markdown]
# ## Input checks
#
# Images, sequences and tables are flattened to one row per sample. Invalid input raises an error that names the caller's array.

# %%
#| export
def _rows(a, name):
    "An array or sparse matrix of shape (n, ...) as flat rows of the same dtype; errors call it `name`."
    a = a.tocsr() if sparse.issparse(a) else np.asarray(a)
    if a.ndim == 0 or 0 in a.shape:
        raise ValueError(f"{name} has shape {a.shape}; it needs at least one row and one column.")
    if a.dtype.kind not in "buif":
        raise ValueError(f"{name} holds {a.dtype} values; metrics take real numbers.")
    if not sparse.issparse(a):
        a = a.reshape(len(a), -1)
    finite = np.isfinite(a.data if sparse.issparse(a) else a)
    if not finite.all():
        raise ValueError(f"{name} holds {np.count_nonzero(~finite)} NaN or infinite values; remove the rows that have them.")
    return a


# %% [markdown]
# Labels may be numbers or strings, one per row.

# %%
#| export
def _labels(y, name, n, rows_name):
    "Labels of n rows as an array; errors call the labels `name` and the rows `rows_name`. -1 is a class, such as the noise of a clustering."
    if np.shape(y)[:1] != (n,):
        raise ValueError(f"{name} has shape {np.shape(y)}, but {rows_name} has {n} rows; give one label per row, shape ({n},).")
    codes, classes = check_labels(y, n, name, unknown=False)
    return classes[codes]


def _check_count(value, name):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be an integer of at least 1.")


# %%
#| hide
def error_of(function, *args, **kwargs):
    "The message of the ValueError that the call raises."
    try:
        function(*args, **kwargs)
    except ValueError as error:
        return str(error)
    raise AssertionError("no error")


# %%
assert _rows(np.zeros((5, 8, 8, 1)), "X").shape == (5, 64)
assert error_of(_rows, [[0.0, np.nan]], "X").startswith("X holds 1 NaN")
assert error_of(_labels, [0, 1], "y", 3, "embedding").startswith("y has shape (2,), but embedding has 3 rows")


# %% [markdown]
# ## Trustworthiness
#
# Take the $k$ nearest neighbors $N_k(i)$ of row $i$ in the embedding. Each neighbor $j$ has a rank $r(i, j)$ among the neighbors of $i$ in the data,
# with 1 for the nearest. Ranks beyond $k$ are penalized in proportion to their excess:
#
# $$T(k) = 1 - \frac{2}{nk(2n - 3k - 1)} \sum_{i} \sum_{j \in N_k(i)} \max(0,\, r(i, j) - k)$$
#
# scikit-learn sorts the whole distance matrix to get the ranks, and holds several matrices of that size: about 100 GB for 60,000 rows. But only $k$
# ranks per row are needed, and a rank is a count: the number of rows that are nearer, plus one. So the code below takes the matrix in blocks and
# counts. It sorts a row only if there are ties, to break them as scikit-learn does.

# %%
#| export
def _excess_ranks(distances, start, neighbors):
    "For each row of a block of the distance matrix, from row `start` on: by how much the ranks of its `neighbors`, shape (n, k), exceed k, summed."
    k = neighbors.shape[1]
    excess = np.zeros(len(distances), dtype=np.int64)
    for i, row in enumerate(distances):
        near = neighbors[start + i]
        row = row.copy()  # with metric="precomputed" this is the caller's own array
        row[start + i] = np.inf  # a row is not its own neighbor
        at = row[near]
        candidates = row[row <= at.max()]
        nearer = np.array([np.count_nonzero(candidates < d) for d in at])
        if all(np.count_nonzero(candidates == d) == 1 for d in at):
            ranks = nearer + 1
        else:  # equal distances, or NaN
            ranks = np.empty(len(row), dtype=np.int64)
            ranks[np.argsort(row)] = np.arange(1, len(row) + 1)
            ranks = ranks[near]
        excess[i] = np.maximum(ranks - k, 0).sum()
    return excess


# %% [markdown]
# An example with $k = 1$ has four points on a line, at 0, 1, 3 and 7. In the worst possible embedding, the nearest neighbor of each point is the
# point farthest from it in the data. This neighbor has rank 3, an excess of 2.

# %%
line = np.array([[0.0], [1.0], [3.0], [7.0]])
farthest = np.array([[3], [3], [3], [0]])
assert (_excess_ranks(np.abs(line - line.T), 0, farthest) == 2).all()


# %%
#| export
def trustworthiness(X, embedding, n_neighbors: int = 5, metric="euclidean", max_memory: int = 2**29) -> float:
    """Measure whether neighbors in the embedding are neighbors in the data.

    The value is that of `sklearn.manifold.trustworthiness`, in memory that grows with n instead of n squared.

    Parameters
    ----------
    X : array or sparse matrix, shape (n, ...)
        Data; rows are flattened.
    embedding : array, shape (n, n_components)
        The same rows, embedded. Distances between them are Euclidean.
    n_neighbors : int, default=5
        Neighbors per row, fewer than n / 2.
    metric : str or callable, default="euclidean"
        Distance between rows of `X`: a name that scikit-learn knows, or a function of two rows. With "precomputed", `X` holds distances.
    max_memory : int, default=2**29
        Bytes for blocks of distances.

    Returns
    -------
    float
        From 0 to 1; higher is better, and 0.5 is chance.

    Raises
    ------
    ValueError
        If the arrays do not fit together, or hold NaN or infinity.

    References
    ----------
    Venna and Kaski (2001), Neighborhood preservation in nonlinear projection methods: an experimental study.
    """
    X, embedding = _rows(X, "X"), _rows(embedding, "embedding")
    n = X.shape[0]
    if embedding.shape[0] != n:
        raise ValueError(f"X has {n} rows, but embedding has {embedding.shape[0]}; give the same rows to both.")
    _check_count(n_neighbors, "n_neighbors")
    if n_neighbors >= n / 2:
        raise ValueError(f"n_neighbors is {n_neighbors}, but with {n} rows it must be less than {n / 2:g}.")
    if X.dtype not in (bool, np.float32, np.float64):
        X = X.astype(np.float64)  # as scikit-learn does, but once, not in every block
    neighbors = NearestNeighbors(n_neighbors=n_neighbors).fit(embedding).kneighbors(return_distance=False)
    reduce = partial(_excess_ranks, neighbors=neighbors)
    with config_context(assume_finite=True):  # checked above
        blocks = pairwise_distances_chunked(X, reduce_func=reduce, metric=metric, working_memory=_block_mib(max_memory))
        excess = sum(int(block.sum()) for block in blocks)
    return 1.0 - excess * 2.0 / (n * n_neighbors * (2.0 * n - 3.0 * n_neighbors - 1.0))


def _block_mib(max_memory):
    "Size of a block of distances in MiB: computing one takes about twice its own size."
    if not max_memory > 0:
        raise ValueError(f"max_memory is {max_memory!r}; it must be a positive number of bytes.")
    return max_memory / 2 / 2**20


# %% [markdown]
# A scaled copy is a perfect embedding. A random one gets about 0.5, so the useful part of the scale is its upper half.

# %%
assert trustworthiness(pca, 10 * pca) == 1.0
assert_allclose(trustworthiness(X, shuffled), 0.5, atol=0.02)
assert 0.75 < trustworthiness(X, pca) < 0.9

# %% [markdown]
# The value is scikit-learn's, in blocks of any size, also with the many equal distances of digits. The exceptions are ties between distances that
# are rounded. Rounding breaks such a tie, and a block may round differently from the whole matrix. Data that fit in one block, about 5,000 rows at
# the default `max_memory`, are not affected.

# %%
for metric in ("euclidean", "manhattan", "cosine"):
    reference = sklearn.manifold.trustworthiness(X, pca, metric=metric)
    assert_allclose(trustworthiness(X, pca, metric=metric), reference, rtol=0, atol=1e-9)
    if metric != "cosine":  # its distances are rounded; the others come from integers
        assert_allclose(trustworthiness(X, pca, metric=metric, max_memory=2**20), reference, rtol=0, atol=1e-9)

# %%
#| hide
assert trustworthiness(X.reshape(-1, 8, 8, 1), pca) == trustworthiness(X, pca)
assert trustworthiness(csr_array(X), pca) == trustworthiness(X, pca)
assert "less than" in error_of(trustworthiness, X[:10], pca[:10], n_neighbors=5)
assert "same rows" in error_of(trustworthiness, X, pca[:-1])
assert "max_memory" in error_of(trustworthiness, X, pca, max_memory=0)


# %% [markdown]
# ## kNN accuracy
#
# Embed the training set and the test set, and predict the label of each test row from its nearest training rows in the embedding. A method whose
# `transform` puts new rows in the wrong place scores low.

# %%
#| export
def knn_accuracy(embedding_train, y_train, embedding_test, y_test, n_neighbors: int = 1) -> float:
    """Measure the accuracy of a k-nearest-neighbors classifier in the embedding.

    The classifier is `sklearn.neighbors.KNeighborsClassifier`, fitted on the training set.

    Parameters
    ----------
    embedding_train : array, shape (n_train, n_components)
    y_train : array, shape (n_train,)
        Labels.
    embedding_test : array, shape (n_test, n_components)
        New rows in the same embedding.
    y_test : array, shape (n_test,)
        Their true labels.
    n_neighbors : int, default=1
        Training rows that vote.

    Returns
    -------
    float
        Share of test rows that get their true label.

    Raises
    ------
    ValueError
        If the arrays do not fit together, or hold NaN or infinity.
    """
    embedding_train = _rows(embedding_train, "embedding_train")
    embedding_test = _rows(embedding_test, "embedding_test")
    (n, d), d_test = embedding_train.shape, embedding_test.shape[1]
    if d_test != d:
        raise ValueError(f"embedding_train has {d} columns, but embedding_test has {d_test}; both must come from one embedding.")
    y_train = _labels(y_train, "y_train", n, "embedding_train")
    y_test = _labels(y_test, "y_test", embedding_test.shape[0], "embedding_test")
    _check_count(n_neighbors, "n_neighbors")
    if n_neighbors > n:
        raise ValueError(f"n_neighbors is {n_neighbors}, but embedding_train has only {n} rows; use fewer neighbors.")
    classifier = KNeighborsClassifier(n_neighbors=n_neighbors).fit(embedding_train, y_train)
    return float(classifier.score(embedding_test, y_test))


# %% [markdown]
# Every row is its own nearest neighbor, so a training set scores 1 on itself. Guessing among ten classes scores about 0.1.

# %%
assert knn_accuracy(pca, y, pca, y) == 1.0
assert knn_accuracy(X[:600], y[:600], X[600:], y[600:]) > 0.9
assert knn_accuracy(shuffled[:600], y[:600], shuffled[600:], y[600:]) < 0.2

# %%
#| hide
assert "y_test has shape (300,)" in error_of(knn_accuracy, pca, y, pca, y[600:])
assert "columns" in error_of(knn_accuracy, pca, y, X, y)
assert "only 5 rows" in error_of(knn_accuracy, pca[:5], y[:5], pca, y, n_neighbors=6)


# %% [markdown]
# ## Silhouette
#
# For each row, $a$ is the mean distance to the other rows of its class. The mean distance to the rows of the nearest other class is $b$. The
# silhouette is the mean of $(b - a) / \max(a, b)$, from -1 to 1. A row alone in its class counts as 0.

# %%
#| export
def silhouette(embedding, y, max_memory: int = 2**29) -> float:
    """Measure how well classes are separated in an embedding.

    The value is that of `sklearn.metrics.silhouette_score` over all rows.

    Parameters
    ----------
    embedding : array, shape (n, n_components)
    y : array, shape (n,)
        Labels, with at least two classes and fewer classes than rows.
    max_memory : int, default=2**29
        Bytes for blocks of distances.

    Returns
    -------
    float
        From -1 to 1; higher is better.

    Raises
    ------
    ValueError
        If the arrays do not fit together or hold NaN or infinity, or if the number of classes is out of range.

    References
    ----------
    Rousseeuw (1987), Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.
    """
    embedding = _rows(embedding, "embedding")
    n = embedding.shape[0]
    y = _labels(y, "y", n, "embedding")
    n_classes = len(np.unique(y))
    if not 2 <= n_classes < n:
        raise ValueError(
            f"y has {n_classes} {'class' if n_classes == 1 else 'classes'} in {n} rows; "
            "the silhouette needs at least 2 classes, one of them with more than one row."
        )
    with config_context(working_memory=_block_mib(max_memory)):
        return float(silhouette_score(embedding, y))


# %% [markdown]
# Two tight groups far apart come close to 1. Random labels give about 0.

# %%
blobs, groups = make_blobs(n_samples=200, centers=[[0, 0], [100, 0]], random_state=0)
assert silhouette(blobs, groups) > 0.97
assert abs(silhouette(shuffled, y)) < 0.1
assert silhouette(pca, y) == sklearn.metrics.silhouette_score(pca, y)

# %%
#| hide
assert_allclose(silhouette(pca, y, max_memory=2**20), silhouette(pca, y), rtol=1e-12)
assert error_of(silhouette, pca, np.zeros(len(pca), int)).startswith("y has 1 class in 900 rows")
assert error_of(silhouette, pca, np.arange(len(pca))).startswith("y has 900 classes")


# %% [markdown]
# ## Clustering
#
# If the classes are separated in an embedding, a clustering without labels should find them. The paper's protocol has three steps:
#
# 1. run k-means for every number of clusters $k$ from half to one and a half times the number of classes, five times each;
# 2. keep the clustering with the highest silhouette, which uses no labels;
# 3. compare it with the labels by the *normalized mutual information*: 1 if each determines the other, 0 if they are independent.
#
# The paper says "from 1/2 to 1.5 times"; its code leaves out the upper end, as `cluster_numbers` does.

# %%
#| export
def cluster_numbers(n_classes: int) -> range:
    """List the numbers of clusters to try for a number of classes n: from n - n // 2 to n + n // 2 - 1, and at least 2.

    Parameters
    ----------
    n_classes : int
        At least 2.

    Returns
    -------
    range

    Raises
    ------
    ValueError
        If there are fewer than 2 classes.

    Examples
    --------
    >>> from pumap.metrics import cluster_numbers
    >>> list(cluster_numbers(10))
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    """
    _check_count(n_classes, "n_classes")
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}; clustering needs at least 2 classes.")
    return range(max(2, n_classes - n_classes // 2), max(3, n_classes + n_classes // 2))


# %%
assert list(cluster_numbers(10)) == list(range(5, 15)) and list(cluster_numbers(12)) == list(range(6, 18)) and list(cluster_numbers(2)) == [2]


# %% [markdown]
# Ten classes make 50 clusterings. The silhouette of each needs all distances, and they are the same for all 50. So each block of distances is
# computed once. Its product with a table of zeros and ones, one column per cluster, gives the sum of distances from each row to each cluster.

# %%
#| export
def _row_silhouettes(distances, start, columns, members):
    """Silhouettes of a block of rows in m labelings, shape (n_block, m).

    `distances` has shape (n_block, n), from row `start` on. `columns`, shape (m, n), has the column of each row in each labeling. `members`, shape
    (n, n_columns), is 1 where a row is in a cluster; the columns of one labeling are adjacent.
    """
    sums, counts = distances @ members, members.sum(axis=0)
    values = np.empty((len(distances), len(columns)))
    rows = np.arange(len(distances))
    for j, labels in enumerate(columns):
        first, last = labels.min(), labels.max()
        own = labels[start : start + len(distances)]
        a = sums[rows, own] / np.maximum(counts[own] - 1, 1)
        means = sums[:, first : last + 1] / counts[first : last + 1]
        means[rows, own - first] = np.inf
        b = means.min(axis=1)
        larger = np.maximum(a, b)
        values[:, j] = np.where((counts[own] > 1) & (larger > 0), (b - a) / np.where(larger > 0, larger, 1), 0)
    return values


# %%
#| export
def silhouettes(embedding, labelings, max_memory: int = 2**29) -> np.ndarray:
    """Compute the `silhouette` of several labelings of one embedding.

    Distances are computed once for all labelings, or a few times if there are very many clusters.

    Parameters
    ----------
    embedding : array, shape (n, n_components)
    labelings : sequence of m arrays, shape (n,)
        Each with at least two labels, and fewer labels than rows.
    max_memory : int, default=2**29
        Bytes for blocks of distances.

    Returns
    -------
    ndarray, float64, shape (m,)

    Raises
    ------
    ValueError
        As `silhouette` does.
    """
    embedding = _rows(embedding, "embedding")
    n = embedding.shape[0]
    labelings = [np.unique(_labels(y, "a labeling", n, "embedding"), return_inverse=True)[1] for y in labelings]
    for y in labelings:
        if not 1 <= y.max() < n - 1:
            raise ValueError(f"a labeling has {y.max() + 1} labels in {n} rows; the silhouette needs at least 2, one of them with more than one row.")
    # The table of members takes 8 bytes per row and cluster; one table takes at most a quarter of the memory.
    groups = np.cumsum([8 * n * (y.max() + 1) for y in labelings]) // max(max_memory // 4, 1)
    values = np.empty(len(labelings))
    for group in np.unique(groups):
        mine = np.flatnonzero(groups == group)
        columns = np.stack([labelings[i] for i in mine])
        columns[1:] += np.cumsum(columns.max(axis=1) + 1)[:-1, None]
        members = np.zeros((n, columns.max() + 1), embedding.dtype if embedding.dtype == np.float32 else np.float64)
        members[np.arange(n), columns] = 1
        reduce = partial(_row_silhouettes, columns=columns, members=members)
        blocks = pairwise_distances_chunked(embedding, reduce_func=reduce, working_memory=_block_mib(max_memory))
        values[mine] = sum(block.sum(axis=0) for block in blocks) / n
    return values


# %%
tried = [y, y // 2, np.random.default_rng(0).permutation(y)]
assert_allclose(silhouettes(pca, tried), [sklearn.metrics.silhouette_score(pca, labels) for labels in tried], rtol=1e-9)


# %% [markdown]
# With `silhouettes`, the search for the best clustering is a short function.

# %%
#| export
def find_clusters(embedding, n_clusters, random_states=(0, 1, 2, 3, 4), n_init: int = 10, max_memory: int = 2**29) -> tuple:
    """Find the k-means clustering with the highest silhouette.

    Parameters
    ----------
    embedding : array, shape (n, n_components)
    n_clusters : iterable of int
        Numbers of clusters to try, each at least 2 and less than n.
    random_states : iterable of int, default=(0, 1, 2, 3, 4)
        Seeds; each is used with each number of clusters.
    n_init : int, default=10
        k-means restarts per clustering.
    max_memory : int, default=2**29
        Bytes for blocks of distances.

    Returns
    -------
    labels : ndarray, int32, shape (n,)
        The first of equally good clusterings.
    silhouette : float

    Raises
    ------
    ValueError
        If the embedding holds NaN or infinity, or has fewer distinct rows than clusters.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    embedding = _rows(embedding, "embedding")
    n, n_distinct, n_clusters, random_states = len(embedding), len(np.unique(embedding, axis=0)), list(n_clusters), list(random_states)
    if not n_clusters or not random_states:
        raise ValueError(f"n_clusters is {n_clusters} and random_states is {random_states}; they must not be empty.")
    most = min(n_distinct, n - 1)
    for k in n_clusters:
        _check_count(k, "n_clusters")
        if not 2 <= k <= most:
            raise ValueError(f"n_clusters is {k}, but embedding has {n} rows, {n_distinct} of them distinct; it must be from 2 to {most}.")
    with threadpool_limits(1 if n < 5_000 else None):  # with few rows, threads cost more than they save
        labelings = [KMeans(k, n_init=n_init, random_state=seed).fit(embedding).labels_ for k in n_clusters for seed in random_states]
    values = silhouettes(embedding, labelings, max_memory)
    return labelings[values.argmax()], float(values.max())


# %% [markdown]
# The metric compares the best clustering with the labels.

# %%
#| export
def clustering_nmi(embedding, y, n_classes: int | None = None, random_states=(0, 1, 2, 3, 4), n_init: int = 10, max_memory: int = 2**29) -> float:
    """Measure the normalized mutual information of true labels and the best k-means clustering.

    Parameters
    ----------
    embedding : array, shape (n, n_components)
    y : array, shape (n,)
        True labels.
    n_classes : int or None, default=None
        Number of classes, which sets the numbers of clusters to try (`cluster_numbers`). `None` counts the labels in `y`.
    random_states : iterable of int, default=(0, 1, 2, 3, 4)
        Seeds of k-means, see `find_clusters`.
    n_init : int, default=10
        k-means restarts per clustering.
    max_memory : int, default=2**29
        Bytes for blocks of distances.

    Returns
    -------
    float
        From 0 to 1; higher is better.

    Raises
    ------
    ValueError
        If the arrays do not fit together, if there are fewer than two classes, or as `find_clusters` does.

    Notes
    -----
    The protocol is that of Sainburg, McInnes, Gentner (2021), Parametric UMAP embeddings for representation and semisupervised learning.
    """
    embedding = _rows(embedding, "embedding")
    y = _labels(y, "y", len(embedding), "embedding")
    numbers_tried = cluster_numbers(len(np.unique(y)) if n_classes is None else n_classes)
    labels, _ = find_clusters(embedding, numbers_tried, random_states, n_init, max_memory)
    return float(normalized_mutual_info_score(y, labels))


# %% [markdown]
# For five separate groups, 3 to 6 clusters are tried. The choice is 5, and each cluster is a group. Shuffled points form clusters too, but these are
# unrelated to the labels.

# %%
blobs, groups = make_blobs(n_samples=300, centers=[[0, 0], [9, 0], [0, 9], [9, 9], [30, 30]], random_state=0)
assert len(np.unique(find_clusters(blobs, cluster_numbers(5), [0], n_init=3)[0])) == 5
assert_allclose(clustering_nmi(blobs, groups, random_states=[0], n_init=3), 1)
assert clustering_nmi(shuffled, y, random_states=[0], n_init=1) < 0.05 < 0.4 < clustering_nmi(pca, y, random_states=[0], n_init=1)

# %%
#| hide
assert "at least 2, one" in error_of(silhouettes, pca, [np.zeros(len(pca), int)])
assert "1 of them distinct" in error_of(clustering_nmi, np.ones((50, 2)), np.arange(50) % 5)
assert "at least 2 classes" in error_of(clustering_nmi, pca, np.zeros(len(pca), int))


# %% [markdown]
# ## Reconstruction
#
# Methods with an `inverse_transform` reconstruct rows from their embedding. The metric is the mean squared error over all values.

# %%
#| export
def reconstruction_mse(X, reconstruction, max_memory: int = 2**29) -> float:
    """Measure the mean squared error of a reconstruction.

    The value is that of `sklearn.metrics.mean_squared_error`, summed in float64 and block by block.

    Parameters
    ----------
    X : array, shape (n, ...)
        Rows.
    reconstruction : array of the same shape
    max_memory : int, default=2**29
        Bytes for blocks of differences.

    Returns
    -------
    float
        0 is perfect.

    Raises
    ------
    ValueError
        If the shapes differ, or the arrays hold NaN or infinity.

    Examples
    --------
    >>> from pumap.metrics import reconstruction_mse
    >>> reconstruction_mse([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.0], [2.0, 1.0]])
    1.0
    """
    X, reconstruction = np.asarray(X), np.asarray(reconstruction)
    if X.shape != reconstruction.shape:
        raise ValueError(f"X has shape {X.shape}, but reconstruction has {reconstruction.shape}; give the same rows to both.")
    _block_mib(max_memory)
    X, reconstruction = _rows(X, "X"), _rows(reconstruction, "reconstruction")
    step = max(1, int(max_memory // (16 * X.shape[1])))  # two float64 arrays of a block
    total = 0.0
    for start in range(0, len(X), step):
        difference = np.subtract(X[start : start + step], reconstruction[start : start + step], dtype=np.float64).ravel()
        total += difference @ difference
    return float(total / X.size)


# %% [markdown]
# Reconstructing every row by the mean row gives the mean variance of the columns. A method should do better than that.

# %%
mean_row = np.broadcast_to(X.mean(axis=0), X.shape)
assert reconstruction_mse(X, X) == 0
assert_allclose(reconstruction_mse(X, mean_row), X.var(axis=0).mean())
assert_allclose(reconstruction_mse(X, mean_row, max_memory=2**16), sklearn.metrics.mean_squared_error(X, mean_row), rtol=1e-12)

# %%
#| hide
assert "same rows" in error_of(reconstruction_mse, X, X[:-1])
assert reconstruction_mse(X.astype("uint8").reshape(-1, 8, 8, 1), np.zeros((len(X), 8, 8, 1))) == (X**2).mean()
