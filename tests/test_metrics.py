"""Metrics: the numbers are scikit-learn's, 60,000 rows fit in memory, and bad input is told in one sentence."""

import os
import subprocess
import sys

import numpy as np
import pytest
import sklearn.manifold
import sklearn.metrics
from conftest import PEAK, ROOT, tells_its_peak
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from pumap.metrics import cluster_numbers, clustering_nmi, find_clusters, knn_accuracy, reconstruction_mse, silhouette, silhouettes, trustworthiness

GIB = 2**30


def _data(name):
    rng = np.random.default_rng(0)
    if name == "digits":  # many equal distances
        return load_digits(return_X_y=True)[0][:1000]
    normal = rng.normal(size=(300, 20))
    return {
        "normal": normal,
        "copies": np.repeat(normal, 3, axis=0),  # distances of zero
        "bytes": rng.integers(0, 256, size=(600, 12)).astype(np.uint8),
        "three values": rng.integers(0, 3, size=(600, 12)),
        "bool": rng.random((600, 12)) < 0.3,
        "blobs": make_blobs(600, 10, random_state=0)[0],
    }[name]


def _embedding(X, seed=0):
    rng = np.random.default_rng(seed)
    return X.astype(float) @ rng.normal(size=(X.shape[1], 2)) + 0.1 * rng.normal(size=(len(X), 2))


@pytest.mark.parametrize("max_memory", [2**29, 2**19], ids=["one-block", "many-blocks"])
@pytest.mark.parametrize("dtype", [None, np.float32])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("name", ["digits", "normal", "copies", "bytes", "three values", "bool", "blobs"])
def test_trustworthiness_is_scikit_learns(name, metric, dtype, max_memory):
    X = _data(name)
    if dtype is not None:
        X = X.astype(dtype)
    embedding = _embedding(X)
    # Rows that are equally far, by distances that are not whole numbers: the last bit decides who is first, and it may
    # differ between a block and the whole matrix.
    whole_numbers = name in ("digits", "bytes", "three values", "bool") and metric != "cosine"
    exact = max_memory == 2**29 or name in ("normal", "blobs") or whole_numbers
    for k in (1, 5):
        expected = sklearn.manifold.trustworthiness(X, embedding, n_neighbors=k, metric=metric)
        ours = trustworthiness(X, embedding, k, metric, max_memory)
        assert_allclose(ours, expected, rtol=0, atol=1e-9 if exact else 1e-4)


@pytest.mark.parametrize("metric", ["seuclidean", "mahalanobis", "chebyshev", "correlation"])
def test_metrics_that_look_at_all_rows(metric):
    X = np.abs(_data("normal"))
    embedding = _embedding(X)
    expected = sklearn.manifold.trustworthiness(X, embedding, metric=metric)
    assert_allclose(trustworthiness(X, embedding, metric=metric, max_memory=2**18), expected, rtol=0, atol=1e-9)


def test_precomputed_distances_are_left_as_they_were():
    X = _data("digits")
    embedding = _embedding(X)
    distances = sklearn.metrics.pairwise_distances(X)
    before = distances.copy()
    expected = sklearn.manifold.trustworthiness(distances, embedding, metric="precomputed")
    assert_allclose(trustworthiness(distances, embedding, metric="precomputed"), expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(distances, before)


def test_a_function_and_a_sparse_matrix():
    X = _data("normal")[:80]
    embedding = _embedding(X)
    assert trustworthiness(X, embedding, metric=lambda a, b: np.abs(a - b).sum()) == trustworthiness(X, embedding, metric="cityblock")
    assert trustworthiness(csr_array(X), embedding) == trustworthiness(X, embedding)


def test_distances_that_are_not_numbers_rank_last():
    X = _data("normal")
    X[:5] = 1.0  # the correlation distance of a constant row is NaN
    embedding = _embedding(X)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = sklearn.manifold.trustworthiness(X, embedding, metric="correlation")
        assert_allclose(trustworthiness(X, embedding, metric="correlation"), expected, rtol=0, atol=1e-9)


def test_many_rows_in_many_components():
    "Blocks, float32 and a 64-D embedding (found by brute force), at a size scikit-learn can still do."
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3000, 100)).astype(np.float32)
    embedding = PCA(64, random_state=0).fit_transform(X)
    expected = sklearn.manifold.trustworthiness(X, embedding, n_neighbors=5)
    assert_allclose(trustworthiness(X, embedding, max_memory=2**22), expected, rtol=0, atol=1e-9)


def test_images_are_flattened():
    X, y = load_digits(return_X_y=True)
    images, embedding = X.reshape(-1, 8, 8, 1), _embedding(X)
    assert trustworthiness(images, embedding) == trustworthiness(X, embedding)
    assert silhouette(images, y) == silhouette(X, y)
    assert knn_accuracy(images[:900], y[:900], images[900:], y[900:]) == knn_accuracy(X[:900], y[:900], X[900:], y[900:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_knn_accuracy_and_silhouette_are_scikit_learns(dtype):
    X, y = load_digits(return_X_y=True)
    embedding = _embedding(X).astype(dtype)
    names = np.array([f"digit {i}" for i in y])
    for k in (1, 5):
        expected = KNeighborsClassifier(k).fit(embedding[:900], y[:900]).score(embedding[900:], y[900:])
        assert knn_accuracy(embedding[:900], y[:900], embedding[900:], y[900:], k) == expected
        assert knn_accuracy(embedding[:900], names[:900], embedding[900:], names[900:], k) == expected
    expected = sklearn.metrics.silhouette_score(embedding, y)
    assert silhouette(embedding, y) == silhouette(embedding, names) == expected
    assert_allclose(silhouette(embedding, y, max_memory=2**19), expected, rtol=1e-5)


def test_a_row_alone_in_its_class_counts_as_zero():
    embedding, y = make_blobs(50, random_state=0)
    y[0] = 99
    assert silhouette(embedding, y) == sklearn.metrics.silhouette_score(embedding, y)


@pytest.mark.parametrize("max_memory", [2**29, 2**18], ids=["one-block", "many-blocks"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silhouettes_are_scikit_learns(dtype, max_memory):
    "Also with a row alone in its class, names for labels, and numbers that leave some out."
    embedding, y = make_blobs(500, centers=7, random_state=0)
    embedding = embedding.astype(dtype)
    alone = y.copy()
    alone[3] = 99
    labelings = [y, alone, y // 2, np.random.default_rng(0).integers(0, 20, 500) * 3, [f"group {i % 3}" for i in y]]
    expected = [sklearn.metrics.silhouette_score(embedding, labels) for labels in labelings]
    assert_allclose(silhouettes(embedding, labelings, max_memory), expected, rtol=1e-5 if dtype == np.float32 else 1e-9)
    copies = np.repeat(embedding[:5], 4, axis=0)  # clusters of zero width
    labels = np.repeat(np.arange(5), 4)
    assert_allclose(silhouettes(copies, [labels, labels // 2]), [sklearn.metrics.silhouette_score(copies, a) for a in (labels, labels // 2)])


def test_the_clustering_of_the_paper():
    "Step by step with scikit-learn: all k-means runs, the best silhouette, then the mutual information."
    from sklearn.cluster import KMeans

    X, y = load_digits(return_X_y=True)
    embedding = PCA(2, random_state=0).fit_transform(X)[:400]
    y = y[:400]
    runs = [KMeans(k, n_init=1, random_state=seed).fit(embedding).labels_ for k in range(5, 15) for seed in range(5)]
    best = runs[np.argmax([sklearn.metrics.silhouette_score(embedding, labels) for labels in runs])]
    expected = sklearn.metrics.normalized_mutual_info_score(y, best)
    assert clustering_nmi(embedding, y, n_init=1) == expected == clustering_nmi(embedding, y, n_classes=10, n_init=1, max_memory=2**18)
    labels, value = find_clusters(embedding, range(5, 15), n_init=1)
    np.testing.assert_array_equal(labels, best)
    assert_allclose(value, sklearn.metrics.silhouette_score(embedding, best), rtol=1e-9)
    assert_allclose(expected, sklearn.metrics.v_measure_score(y, best))


def test_numbers_of_clusters():
    assert [(k[0], k[-1]) for k in map(cluster_numbers, (2, 3, 10, 12, 20))] == [(2, 2), (2, 3), (5, 14), (6, 17), (10, 29)]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_reconstruction_is_scikit_learns(dtype):
    rng = np.random.default_rng(0)
    X, back = (255 * rng.random((2, 300, 6, 5, 3))).astype(dtype)
    expected = sklearn.metrics.mean_squared_error(X.reshape(300, -1).astype(float), back.reshape(300, -1).astype(float))
    for max_memory in (2**29, 2**14, 1):
        assert_allclose(reconstruction_mse(X, back, max_memory), expected, rtol=1e-9)


def test_nothing_of_scikit_learns_settings_is_changed():
    before = sklearn.get_config()
    X, y = load_digits(return_X_y=True)
    trustworthiness(X[:100], _embedding(X)[:100], max_memory=2**16)
    silhouette(X[:100], y[:100], max_memory=2**16)
    assert sklearn.get_config() == before


GOOD = np.random.default_rng(0).normal(size=(20, 3))
LABELS = np.arange(20) % 2
NAN = np.where(np.arange(60).reshape(20, 3) == 7, np.nan, GOOD)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: trustworthiness(NAN, GOOD), "X holds 1 NaN or infinite values"),
        (lambda: trustworthiness(csr_array(NAN), GOOD), "X holds 1 NaN"),
        (lambda: trustworthiness(GOOD, NAN), "embedding holds 1 NaN"),
        (lambda: trustworthiness(GOOD, np.where(np.isnan(NAN), np.inf, NAN)), "embedding holds 1 NaN or infinite"),
        (lambda: trustworthiness(GOOD, GOOD[:19]), "X has 20 rows, but embedding has 19"),
        (lambda: trustworthiness(GOOD, GOOD, n_neighbors=10), "n_neighbors is 10, but with 20 rows it must be less than 10"),
        (lambda: trustworthiness(GOOD, GOOD, n_neighbors=0), "n_neighbors is 0"),
        (lambda: trustworthiness(GOOD, GOOD, n_neighbors=2.5), "n_neighbors is 2.5"),
        (lambda: trustworthiness(GOOD, GOOD, max_memory=-1), "max_memory is -1"),
        (lambda: trustworthiness(GOOD[:0], GOOD[:0]), r"X has shape \(0, 3\)"),
        (lambda: trustworthiness(GOOD.astype(str), GOOD), "X holds <U32 values"),
        (lambda: trustworthiness(GOOD.astype(complex), GOOD), "X holds complex128 values"),
        (lambda: knn_accuracy(NAN, LABELS, GOOD, LABELS), "embedding_train holds 1 NaN"),
        (lambda: knn_accuracy(GOOD, LABELS, NAN, LABELS), "embedding_test holds 1 NaN"),
        (lambda: knn_accuracy(GOOD, LABELS[:5], GOOD, LABELS), r"y_train has shape \(5,\), but embedding_train has 20 rows"),
        (lambda: knn_accuracy(GOOD, LABELS, GOOD, LABELS[:5]), r"y_test has shape \(5,\)"),
        (lambda: knn_accuracy(GOOD, LABELS, GOOD[:, :2], LABELS), "embedding_train has 3 columns, but embedding_test has 2"),
        (lambda: knn_accuracy(GOOD, LABELS, GOOD, LABELS, n_neighbors=21), "n_neighbors is 21"),
        (lambda: knn_accuracy(GOOD, LABELS, GOOD, LABELS, n_neighbors=True), "n_neighbors is True"),
        (lambda: silhouette(NAN, LABELS), "embedding holds 1 NaN"),
        (lambda: silhouette(GOOD, LABELS[:5]), r"y has shape \(5,\), but embedding has 20 rows"),
        (lambda: silhouette(GOOD, np.c_[LABELS, LABELS]), r"y has shape \(20, 2\)"),
        (lambda: silhouette(GOOD, np.where(LABELS, np.nan, 1.0)), "y contains NaN"),
        (lambda: silhouette(GOOD, ["a", "b", np.nan, "a"] * 5), "y contains NaN"),
        (lambda: clustering_nmi(GOOD, np.array(["a", "b", None, "a"] * 5)), "y contains NaN; None"),
        (lambda: knn_accuracy(GOOD, np.array([0, None] * 10), GOOD, LABELS), "y_train contains NaN; None"),
        (lambda: silhouette(GOOD, np.zeros(20)), "y has 1 class in 20 rows"),
        (lambda: silhouette(GOOD, np.arange(20)), "y has 20 classes in 20 rows"),
        (lambda: silhouettes(NAN, [LABELS]), "embedding holds 1 NaN"),
        (lambda: silhouettes(GOOD, [LABELS, LABELS[:5]]), r"a labeling has shape \(5,\)"),
        (lambda: silhouettes(GOOD, [np.arange(20)]), "a labeling has 20 labels in 20 rows"),
        (lambda: silhouettes(GOOD, [LABELS], max_memory=0), "max_memory is 0"),
        (lambda: clustering_nmi(NAN, LABELS), "embedding holds 1 NaN"),
        (lambda: clustering_nmi(GOOD, LABELS[:5]), r"y has shape \(5,\)"),
        (lambda: clustering_nmi(GOOD, np.zeros(20)), "n_classes is 1"),
        (lambda: clustering_nmi(GOOD, LABELS, n_classes=40), "n_clusters is 20, but embedding has 20 rows"),
        (lambda: clustering_nmi(np.ones((20, 2)), LABELS), "20 rows, 1 of them distinct"),
        (lambda: clustering_nmi(GOOD, LABELS, random_states=()), "must not be empty"),
        (lambda: reconstruction_mse(NAN, GOOD), "X holds 1 NaN"),
        (lambda: reconstruction_mse(GOOD, NAN), "reconstruction holds 1 NaN"),
        (lambda: reconstruction_mse(GOOD, GOOD[:, :2]), r"X has shape \(20, 3\), but reconstruction has \(20, 2\)"),
        (lambda: reconstruction_mse(GOOD, GOOD, max_memory=0), "max_memory is 0"),
    ],
)
def test_bad_input_is_one_sentence(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


LARGE = {  # of 30,000 rows; with a coordinate of the embedding, or with features of the rows
    "trustworthiness": "trustworthiness(X, X[:, 0, :2])",
    "silhouette": "silhouette(X[:, 0, :2], np.arange(n) % 10)",
    "clustering": "clustering_nmi(X[:, 0, :2], np.arange(n) % 10, random_states=[0], n_init=1)",
    "reconstruction": "reconstruction_mse(X, X + 0.1)",
    "neighbors": "knn_accuracy(np.tile(X.reshape(n, 16), 4), np.arange(n) % 10, np.tile(X[:3000].reshape(3000, 16), 4), np.arange(3000) % 10, n_neighbors=5)",
}


@tells_its_peak
@pytest.mark.slow
def test_30000_rows_in_less_than_2_gib():
    """The peak of a fresh process, over its peak when the data were ready. One matrix of distances alone would be 6.7 GiB.

    Each metric has a fork of one process that has imported all, with a peak of its own."""
    code = f"""
import os
import numpy as np
from pumap.metrics import clustering_nmi, knn_accuracy, reconstruction_mse, silhouette, trustworthiness

n = 30_000
X = np.random.default_rng(0).random((n, 4, 4)) * [1, 1, 0.01, 0.01]
X[:, 1:] *= 0.01
for name, call in {LARGE!r}.items():
    child = os.fork()
    if not child:
        before = peak()
        print(name, eval(call), peak() - before, flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # quicker for so few columns, above all on a busy machine
    done = subprocess.run([sys.executable, "-c", PEAK + code], capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = {name: (float(value), int(growth)) for name, value, growth in map(str.split, done.stdout.splitlines())}
    assert set(found) == set(LARGE) and all(-1 <= value <= 1 for value, _ in found.values()), found
    for name, (_, growth) in found.items():  # less than one block would mean that nothing was measured
        assert (2**27 if "X[:, 0, :2]" in LARGE[name] else 0) < growth < 2 * GIB, found
