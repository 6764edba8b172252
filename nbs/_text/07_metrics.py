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
# > How much of the data's structure survives in an embedding: arrays in, one number out.

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

# %% [markdown]
# A picture of an embedding can persuade without being right, so the paper puts numbers beside it. *Trustworthiness*
# asks whether points that are neighbours in the embedding were neighbours in the data. *kNN accuracy*, *silhouette* and *clustering*
# ask whether rows of one class lie together, *reconstruction* whether there is a way back. All are scikit-learn's; what is ours is that 60,000 rows fit in memory.
#
# We use the handwritten digits that come with scikit-learn, and three embeddings of them: the first two principal
# components, the data themselves, and the components with their rows shuffled, which keeps the shape and nothing else.

# %%
X, y = load_digits(return_X_y=True)
pca = PCA(2, random_state=0).fit_transform(X)
shuffled = np.random.default_rng(0).permutation(pca)


# %% [markdown]
# ## What goes in
#
# Images, sequences and tables are all the same to a metric: one row per sample, flattened. Whatever cannot be measured is
# named here, once, so that the error speaks of the caller's array and not of something deep in a library.

# %%
#| export
def _rows(
    a,  # array of any shape (n, ...), or a sparse matrix
    name: str,  # what to call it in an error
):  # shape (n, n_features); the same dtype
    "`a` with one flat row per sample, or a `ValueError` that says what is wrong with it."
    a = a.tocsr() if sparse.issparse(a) else np.asarray(a)
    if a.ndim == 0 or 0 in a.shape:
        raise ValueError(f"{name} has shape {a.shape}; it needs at least one row and one column.")
    if a.dtype.kind not in "buif":
        raise ValueError(f"{name} holds {a.dtype} values; a metric needs real numbers.")
    if not sparse.issparse(a):
        a = a.reshape(len(a), -1)
    finite = np.isfinite(a.data if sparse.issparse(a) else a)
    if not finite.all():
        bad = f"{np.count_nonzero(~finite)} NaN or infinite values"
        raise ValueError(f"{name} holds {bad}; remove those rows or find out where they come from.")
    return a


# %% [markdown]
# Labels need no order and may be numbers or strings, but there is one for each row.

# %%
#| export
def _labels(
    y,  # labels, shape (n,)
    name: str,  # what to call them in an error
    n: int,  # rows they belong to
    rows_name: str,  # what the rows are called
) -> np.ndarray:
    "`y` as an array, or a `ValueError` that says what is wrong with it."
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(f"{name} has shape {y.shape}, but {rows_name} has {n} rows; give one label per row, shape ({n},).")
    lost = not np.isfinite(y).all() if y.dtype.kind == "f" else any(value is None or str(value) in ("nan", "<NA>") for value in y.tolist())
    if lost:  # the word "nan" is what NumPy makes of NaN among words
        raise ValueError(f"{name} holds NaN, None or infinite values; leave out the rows that have no label.")
    return y


def _check_whole(value, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1.")


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
# Take the $k$ nearest neighbours of row $i$ in the embedding. Each of them, $j$, has a rank $r(i, j)$ among the neighbours of
# $i$ in the data: 1 for the nearest. A rank beyond $k$ is an intruder, and costs the more the farther it came:
#
# $$T(k) = 1 - \frac{2}{nk(2n - 3k - 1)} \sum_{i} \sum_{j \in N_k(i)} \max(0,\, r(i, j) - k)$$
#
# scikit-learn sorts the whole distance matrix to get the ranks, and holds several matrices of its size: 60,000 rows
# would need about 100 GB. But only $k$ ranks per row are asked for, and a rank is a count: the rows that are
# nearer, plus one. So we go through the matrix in blocks, and sort only where a count cannot tell: where two rows are
# equally far, the sort decides which comes first, and we let it decide as scikit-learn's does.

# %%
#| export
def _excess_ranks(
    distances: np.ndarray,  # a block of rows of the distance matrix of the data
    start: int,  # which row of the matrix is the first of the block
    neighbours: np.ndarray,  # of all rows: their neighbours in the embedding, shape (n, k)
) -> np.ndarray:  # for each row of the block, shape (n_block,)
    "How far the ranks of each row's neighbours lie beyond k, summed."
    k = neighbours.shape[1]
    excess = np.zeros(len(distances), dtype=np.int64)
    for i, row in enumerate(distances):
        near = neighbours[start + i]
        row = row.copy()  # with metric="precomputed" this is the caller's own array
        row[start + i] = np.inf  # a row is no neighbour of its own
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
# Four points on a line, at 0, 1, 3 and 7. Suppose that in an embedding the nearest neighbour of each is the point farthest away
# from it in the data: those have rank 3, which is 2 more than the 1 allowed.

# %%
line = np.array([[0.0], [1.0], [3.0], [7.0]])
farthest = np.array([[3], [3], [3], [0]])
assert (_excess_ranks(np.abs(line - line.T), 0, farthest) == 2).all()


# %%
#| export
def trustworthiness(
    X,  # the data, shape (n, ...); flattened; may be sparse
    embedding,  # the same rows embedded, shape (n, n_components)
    n_neighbors: int = 5,  # neighbours of each row to look at, fewer than n / 2
    metric="euclidean",  # distance between rows of the data: any that scikit-learn knows, or a function of two rows
    max_memory: int = 2**29,  # bytes for blocks of distances
) -> float:  # from 0 to 1, higher is better
    """
    Whether neighbours in the embedding are neighbours in the data (Venna and Kaski, 2001).

    The number is scikit-learn's, `sklearn.manifold.trustworthiness`, in memory that grows with n, not with n squared.
    Distances in the embedding are Euclidean. Raises `ValueError` for input that cannot be measured.
    """
    X, embedding = _rows(X, "X"), _rows(embedding, "embedding")
    n = X.shape[0]
    if embedding.shape[0] != n:
        raise ValueError(f"X has {n} rows, but embedding has {embedding.shape[0]}; give the same rows to both.")
    _check_whole(n_neighbors, "n_neighbors")
    if n_neighbors >= n / 2:
        raise ValueError(f"n_neighbors is {n_neighbors}, but with {n} rows it must be less than {n / 2:g}.")
    if X.dtype not in (bool, np.float32, np.float64):
        X = X.astype(np.float64)  # as scikit-learn does, but once, not in every block
    neighbours = NearestNeighbors(n_neighbors=n_neighbors).fit(embedding).kneighbors(return_distance=False)
    with config_context(assume_finite=True):  # checked above
        blocks = pairwise_distances_chunked(
            X,
            reduce_func=partial(_excess_ranks, neighbours=neighbours),
            metric=metric,
            working_memory=_block_mib(max_memory),
        )
        excess = sum(int(block.sum()) for block in blocks)
    return 1.0 - excess * 2.0 / (n * n_neighbors * (2.0 * n - 3.0 * n_neighbors - 1.0))


def _block_mib(max_memory) -> float:
    "Size of a block of distances, in MiB: making one takes about twice its own size."
    if not max_memory > 0:
        raise ValueError(f"max_memory is {max_memory!r}; it must be a positive number of bytes.")
    return max_memory / 2 / 2**20


# %% [markdown]
# A larger copy is a perfect embedding. An embedding that knows nothing gets about one half, so the useful part of the
# scale is its upper half.

# %%
assert trustworthiness(pca, 10 * pca) == 1.0
assert_allclose(trustworthiness(X, shuffled), 0.5, atol=0.02)
assert 0.8 < trustworthiness(X, pca) < 0.9

# %% [markdown]
# It is scikit-learn's number, also with the many equal distances of digits, and in blocks of any size. (One reservation:
# where rows are equally far and their distances are not exact in floating point, the last bit decides who comes first, and it
# may differ between a block and the whole matrix. Data that fit in one block, about 5,000 rows, have no such doubt.)

# %%
for metric in ("euclidean", "manhattan", "cosine"):
    reference = sklearn.manifold.trustworthiness(X, pca, metric=metric)
    assert_allclose(trustworthiness(X, pca, metric=metric), reference, rtol=0, atol=1e-9)
    if metric != "cosine":  # whole numbers
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
# Embed the training rows and rows that were never seen, and let each new row take the label of its nearest training row (or
# the majority of a few). This also measures `transform`: a method that puts new rows in the wrong place fails here.

# %%
#| export
def knn_accuracy(
    embedding_train,  # shape (n_train, n_components)
    y_train,  # labels, shape (n_train,)
    embedding_test,  # new rows in the same embedding, shape (n_test, n_components)
    y_test,  # their true labels, shape (n_test,)
    n_neighbors: int = 1,  # training rows that vote
) -> float:  # share of new rows that get their true label
    """Accuracy of scikit-learn's `KNeighborsClassifier` from one part of an embedding to another.

    Raises `ValueError` for shapes that do not fit, and for NaN or infinity."""
    embedding_train = _rows(embedding_train, "embedding_train")
    embedding_test = _rows(embedding_test, "embedding_test")
    n, d = embedding_train.shape
    if embedding_test.shape[1] != d:
        raise ValueError(
            f"embedding_train has {d} columns, but embedding_test has {embedding_test.shape[1]}; both must come from one embedding."
        )
    y_train = _labels(y_train, "y_train", n, "embedding_train")
    y_test = _labels(y_test, "y_test", embedding_test.shape[0], "embedding_test")
    _check_whole(n_neighbors, "n_neighbors")
    if n_neighbors > n:
        raise ValueError(f"n_neighbors is {n_neighbors}, but embedding_train has only {n} rows.")
    classifier = KNeighborsClassifier(n_neighbors=n_neighbors).fit(embedding_train, y_train)
    return float(classifier.score(embedding_test, y_test))


# %% [markdown]
# Every row is its own nearest neighbour, so a training set scores 1 on itself. Among ten classes, guessing scores 0.1.

# %%
assert knn_accuracy(pca, y, pca, y) == 1.0
assert knn_accuracy(X[:1200], y[:1200], X[1200:], y[1200:]) > 0.95
assert knn_accuracy(shuffled[:1200], y[:1200], shuffled[1200:], y[1200:]) < 0.2

# %%
#| hide
assert "y_test has shape (597,)" in error_of(knn_accuracy, pca, y, pca, y[1200:])
assert "columns" in error_of(knn_accuracy, pca, y, X, y)
assert "only 5 rows" in error_of(knn_accuracy, pca[:5], y[:5], pca, y, n_neighbors=6)


# %% [markdown]
# ## Silhouette
#
# For each row, $a$ is the mean distance to the rest of its class and $b$ the mean distance to the nearest other class;
# the silhouette is the mean of $(b - a) / \max(a, b)$, from -1 to 1. A row that is alone in its class counts as 0.
# scikit-learn goes through the distances in blocks already, so we only say how large they may be.

# %%
#| export
def silhouette(
    embedding,  # shape (n, n_components)
    y,  # labels, shape (n,): at least two classes, and fewer classes than rows
    max_memory: int = 2**29,  # bytes for blocks of distances
) -> float:  # from -1 to 1, higher is better
    """How well classes are separated in an embedding (Rousseeuw, 1987): `sklearn.metrics.silhouette_score` over all rows.

    Raises `ValueError` for shapes that do not fit, and for NaN or infinity, and for fewer than two classes."""
    embedding = _rows(embedding, "embedding")
    n = embedding.shape[0]
    y = _labels(y, "y", n, "embedding")
    n_classes = len(np.unique(y))
    if not 2 <= n_classes < n:
        raise ValueError(
            f"y has {n_classes} {'class' if n_classes == 1 else 'classes'} in {n} rows; "
            "the silhouette needs at least 2 classes, and one of them with more than one row."
        )
    with config_context(working_memory=_block_mib(max_memory)):
        return float(silhouette_score(embedding, y))


# %% [markdown]
# Two tight groups far apart come close to 1, one cloud with labels dealt at random comes to about 0.

# %%
blobs, groups = make_blobs(n_samples=200, centers=[[0, 0], [100, 0]], random_state=0)
assert silhouette(blobs, groups) > 0.97
assert abs(silhouette(shuffled, y)) < 0.1
assert silhouette(pca, y) == sklearn.metrics.silhouette_score(pca, y)

# %%
#| hide
assert_allclose(silhouette(pca, y, max_memory=2**20), silhouette(pca, y), rtol=1e-12)
assert error_of(silhouette, pca, np.zeros(len(pca), int)).startswith("y has 1 class in 1797 rows")
assert error_of(silhouette, pca, np.arange(len(pca))).startswith("y has 1797 classes")


# %% [markdown]
# ## Clustering
#
# If classes lie together in an embedding, then a method that knows no labels should find them. The paper lets k-means try for every number of clusters
# $k$ from half as many as there are classes to one and a half times as many, five times each, and keeps the clustering with the highest silhouette, so the labels take no part in the choice. Only then is it
# compared with them, by the *normalized mutual information*: 1 if each tells the other, 0 if neither tells anything. (The paper says "from 1/2 to 1.5 times"; its code leaves the upper end out, and so do we: ten classes give 5 to 14 clusters.)

# %%
#| export
def cluster_numbers(
    n_classes: int,  # classes that there are, at least 2
) -> range:  # of k
    "The numbers of clusters that are tried: from n - n // 2 to n + n // 2 - 1, and 2 at least."
    _check_whole(n_classes, "n_classes")
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}; with fewer than 2 classes there is nothing to find.")
    return range(max(2, n_classes - n_classes // 2), max(3, n_classes + n_classes // 2))


# %%
assert list(cluster_numbers(10)) == list(range(5, 15)) and list(cluster_numbers(12)) == list(range(6, 18)) and list(cluster_numbers(2)) == [2]


# %% [markdown]
# That makes 50 silhouettes of one embedding, each of which asks for all its distances. For 50,000 rows that would take most of an hour. So we compute a block of distances once for all clusterings: its product with a table of
# zeros and ones, a column for each cluster, is the sum of distances from each row to each cluster.

# %%
#| export
def _row_silhouettes(
    distances: np.ndarray,  # a block of rows of the distance matrix, shape (n_block, n)
    start: int,  # which row of the matrix is the first of the block
    columns: np.ndarray,  # the column of each row in each labeling, shape (m, n)
    members: np.ndarray,  # 1 where a row is in a cluster, shape (n, n_columns)
) -> np.ndarray:  # of each row in each labeling, shape (n_block, m)
    "Silhouettes of a block of rows; the columns of one labeling stand together."
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
def silhouettes(
    embedding,  # shape (n, n_components)
    labelings,  # labels of the same rows in several ways, shape (m, n): each with at least two, and fewer than rows
    max_memory: int = 2**29,  # bytes for blocks of distances
) -> np.ndarray:  # float64, shape (m,)
    "What `silhouette` gives for each labeling, from one computation of the distances (or a few, if there are very many clusters)."
    embedding = _rows(embedding, "embedding")
    n = embedding.shape[0]
    labelings = [np.unique(_labels(y, "a labeling", n, "embedding"), return_inverse=True)[1] for y in labelings]
    for y in labelings:
        if not 1 <= y.max() < n - 1:
            raise ValueError(f"a labeling has {y.max() + 1} labels in {n} rows; the silhouette needs at least 2, and one of them with more than one row.")
    # The table of members takes 8 bytes for each row and cluster: no more of them at a time than a quarter of the memory holds.
    groups = np.cumsum([8 * n * (y.max() + 1) for y in labelings]) // max(max_memory // 4, 1)
    values = np.empty(len(labelings))
    for group in np.unique(groups):
        mine = np.flatnonzero(groups == group)
        columns = np.stack([labelings[i] for i in mine])
        columns[1:] += np.cumsum(columns.max(axis=1) + 1)[:-1, None]
        members = np.zeros((n, columns.max() + 1), embedding.dtype if embedding.dtype == np.float32 else np.float64)
        members[np.arange(n), columns] = 1
        blocks = pairwise_distances_chunked(
            embedding,
            reduce_func=partial(_row_silhouettes, columns=columns, members=members),
            working_memory=_block_mib(max_memory),
        )
        values[mine] = sum(block.sum(axis=0) for block in blocks) / n
    return values


# %%
tried = [y, y // 2, np.random.default_rng(0).permutation(y)]
assert_allclose(silhouettes(pca, tried), [sklearn.metrics.silhouette_score(pca, labels) for labels in tried], rtol=1e-9)


# %%
#| export
def find_clusters(
    embedding,  # shape (n, n_components)
    n_clusters,  # numbers of clusters to try, each at least 2 and less than n
    random_states=(0, 1, 2, 3, 4),  # seeds, each used with each number of clusters
    n_init: int = 10,  # starts of k-means, of which the best is taken
    max_memory: int = 2**29,  # bytes for blocks of distances
) -> tuple:  # (labels int32 of shape (n,), their silhouette)
    """The best of several k-means clusterings, by their silhouette over all rows; the first of equals.

    Raises `ValueError` for NaN or infinity, and where there are fewer distinct rows than clusters."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    embedding = _rows(embedding, "embedding")
    n_distinct, n_clusters, random_states = len(np.unique(embedding, axis=0)), list(n_clusters), list(random_states)
    if not n_clusters or not random_states:
        raise ValueError("n_clusters and random_states must not be empty.")
    for k in n_clusters:
        _check_whole(k, "n_clusters")
        if not 2 <= k <= min(n_distinct, len(embedding) - 1):
            raise ValueError(f"n_clusters is {k}, but embedding has {len(embedding)} rows, {n_distinct} of them distinct; it must be from 2 to {min(n_distinct, len(embedding) - 1)}.")
    with threadpool_limits(1 if len(embedding) < 5_000 else None):  # with few rows, threads wait for each other more than they work
        labelings = [KMeans(k, n_init=n_init, random_state=seed).fit(embedding).labels_ for k in n_clusters for seed in random_states]
    values = silhouettes(embedding, labelings, max_memory)
    return labelings[values.argmax()], float(values.max())


def clustering_nmi(
    embedding,  # shape (n, n_components)
    y,  # true labels, shape (n,)
    n_classes: int | None = None,  # None counts the labels in `y`
    random_states=(0, 1, 2, 3, 4),
    n_init: int = 10,
    max_memory: int = 2**29,
) -> float:  # from 0 to 1, higher is better
    """Normalized mutual information of true labels and the best k-means clustering, by the paper's protocol: see `cluster_numbers` and `find_clusters`.

    Raises `ValueError` for shapes that do not fit, for fewer than two classes, and as `find_clusters` does."""
    embedding = _rows(embedding, "embedding")
    y = _labels(y, "y", len(embedding), "embedding")
    numbers_tried = cluster_numbers(len(np.unique(y)) if n_classes is None else n_classes)
    labels, _ = find_clusters(embedding, numbers_tried, random_states, n_init, max_memory)
    return float(normalized_mutual_info_score(y, labels))


# %% [markdown]
# Five groups of points, well apart: the right number of clusters is found among 3 to 6, and each cluster is a group. Shuffled rows have clusters, too, but these say nothing about the labels.

# %%
blobs, groups = make_blobs(n_samples=300, centers=[[0, 0], [9, 0], [0, 9], [9, 9], [30, 30]], random_state=0)
assert len(np.unique(find_clusters(blobs, cluster_numbers(5), [0], n_init=3)[0])) == 5
assert_allclose(clustering_nmi(blobs, groups, random_states=[0], n_init=3), 1)
assert clustering_nmi(shuffled, y, random_states=[0], n_init=1) < 0.05 < 0.4 < clustering_nmi(pca, y, random_states=[0], n_init=1)

# %%
#| hide
assert "at least 2, and one" in error_of(silhouettes, pca, [np.zeros(len(pca), int)])
assert "1 of them distinct" in error_of(clustering_nmi, np.ones((50, 2)), np.arange(50) % 5)
assert "fewer than 2 classes" in error_of(clustering_nmi, pca, np.zeros(len(pca), int))


# %% [markdown]
# ## Reconstruction
#
# Methods with a way back from the embedding are also judged by what comes back: the mean squared difference from the rows that went in, over all of their values.

# %%
#| export
def reconstruction_mse(
    X,  # the rows, shape (n, ...)
    reconstruction,  # what came back, the same shape
    max_memory: int = 2**29,  # bytes for the differences of a block of rows
) -> float:  # 0 is perfect
    """Mean squared error over all values, as `sklearn.metrics.mean_squared_error` has it, but summed in float64 and block by block.

    Raises `ValueError` for shapes that do not fit, and for NaN or infinity."""
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


# %%
mean_row = np.broadcast_to(X.mean(axis=0), X.shape)
assert reconstruction_mse(X, X) == 0
assert_allclose(reconstruction_mse(X, mean_row), X.var(axis=0).mean())
assert_allclose(reconstruction_mse(X, mean_row, max_memory=2**16), sklearn.metrics.mean_squared_error(X, mean_row), rtol=1e-12)

# %%
#| hide
assert "same rows" in error_of(reconstruction_mse, X, X[:-1])
assert reconstruction_mse(X.astype("uint8").reshape(-1, 8, 8, 1), np.zeros((len(X), 8, 8, 1))) == (X**2).mean()

# %% [markdown]
# ## All together
#
# Noise of growing size, added to the principal components, wears each metric down in its own way: trustworthiness has its floor at
# one half, the others at what chance gives.

# %%
noise = np.random.default_rng(1).normal(size=pca.shape)
amounts = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])  # standard deviations of the noise; the data's is about 13
noisy = [pca + amount * noise for amount in amounts]
curves = {
    "trustworthiness": [trustworthiness(X, e) for e in noisy],
    "1-NN accuracy": [knn_accuracy(e[:1200], y[:1200], e[1200:], y[1200:]) for e in noisy],
    "silhouette": [silhouette(e, y) for e in noisy],
    "clustering NMI": [clustering_nmi(e, y, random_states=[0], n_init=1) for e in noisy],
}
fig, ax = plt.subplots(figsize=(5, 3))
for label, values in curves.items():
    ax.plot(amounts, values, marker="o", label=label)
ax.set(xlabel="noise added to the embedding", ylabel="metric", xscale="symlog")
ax.legend();

# %%
#| hide
plt.close(fig)
assert all(np.diff(curves["trustworthiness"]) < 0)
