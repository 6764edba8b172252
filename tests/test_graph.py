"""Neighbors and graphs: one meaning of each metric, awkward input, and what only fresh processes show."""

import os
import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import sparse
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.datasets import load_digits
from sklearn.exceptions import DataConversionWarning

from pumap import graph as graph_module
from pumap.core import check_graph, check_input, check_labels
from pumap.graph import check_knn, count_threads, fuzzy_graph, intersect_labels, known_metrics, nearest_neighbors
from pumap.metrics import knn_accuracy
from pumap.semisupervised import encode_labels

DIGITS = (load_digits().data[:300] / 16).astype("float32")


def fresh(code, **environment):
    "What a fresh process prints."
    environment = os.environ | {"KERAS_BACKEND": "jax"} | environment
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# Exact search


@pytest.mark.parametrize("shift", [0, 1e3])
def test_blocked_neighbors_are_those_of_float64(shift):
    "Also far from the origin, where products in float32 lose the distances, and in more than one block."
    X = (np.random.default_rng(0).normal(size=(700, 5)) + shift).astype("float32")
    D = cdist(X.astype(float), X.astype(float))
    expected = np.sort(D, axis=1)[:, :10]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_module, "_BLOCK", 100_000)
        indices, distances = nearest_neighbors(X, 10)
    np.testing.assert_allclose(distances, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(D, indices, axis=1), expected, rtol=1e-5, atol=1e-6)


def test_small_distances_between_large_rows():
    "Two far clusters of width 1e-3: float32 products have an error of 1e-1 there."
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(400, 3)) * 1e-3 + np.where(np.arange(400) % 2, 1.0, -1.0)[:, None] * 100).astype("float32")
    D = cdist(X.astype(float), X.astype(float))
    _, distances = nearest_neighbors(X, 8)
    np.testing.assert_allclose(distances, np.sort(D, axis=1)[:, :8], rtol=1e-4, atol=1e-7)


def test_a_row_is_its_own_first_neighbor_among_copies():
    X = np.repeat(np.random.default_rng(0).normal(size=(4, 3)), 50, axis=0).astype("float32")
    indices, distances = nearest_neighbors(X, 5)
    np.testing.assert_array_equal(indices[:, 0], np.arange(200))
    assert (distances == 0).all() and (indices // 50 == np.arange(200)[:, None] // 50).all()
    assert all(len(set(row)) == 5 for row in indices)
    assert indices[60].tolist() == [60, 50, 51, 52, 53]  # ties by row number


def test_a_seed_changes_nothing_below_the_limit():
    for a, b in zip(nearest_neighbors(DIGITS, 5, random_state=0), nearest_neighbors(DIGITS, 5)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "seuclidean", "hellinger", "manhattan", "correlation"])
def test_sparse_rows_have_the_neighbors_of_dense_rows(metric):
    X = DIGITS * (DIGITS > 0.5)
    dense, thin = (nearest_neighbors(rows, 6, metric)[1] for rows in (X, sparse.csr_matrix(X)))
    np.testing.assert_allclose(thin, dense, rtol=1e-4, atol=1e-5)


# Metrics

NEEDED = {"kantorovich": {"cost": 1 - np.eye(6)}, "wasserstein": {"cost": 1 - np.eye(6)}, "wminkowski": {"w": np.arange(1.0, 7)}, "weighted_minkowski": {"w": np.arange(1.0, 7)}}


def rows_for(metric, n=60):
    "Positive rows; for metrics of truth values with zeros, for `poincare` inside the unit ball, for `haversine` two angles."
    X = np.random.default_rng(0).random((n, 6)).astype("float32") + 0.01
    if metric == "ll_dirichlet":
        return np.ceil(X * 9)
    if metric == "haversine":
        return X[:, :2]
    return X * 0.3 if metric == "poincare" else X * (X > 0.4) + (np.arange(6) == 0) if metric in BOOLEAN else X


BOOLEAN = ("jaccard", "dice", "matching", "kulsinski", "rogerstanimoto", "russellrao", "sokalsneath", "sokalmichener", "yule", "hamming")


def test_each_metric_means_one_thing():
    "The distances of the exact search are those of the function that the approximate search uses, or both search the same rows."
    wrong = {}
    for metric in known_metrics():
        X = rows_for(metric)
        name, kwds = graph_module._named_metric(metric, NEEDED.get(metric, {}))
        indices, distances = nearest_neighbors(X, 8, metric, NEEDED.get(metric), exact=True)
        if graph_module._reduced(X, name, kwds):
            continue  # see the next test
        function = graph_module._with_keywords(graph_module._named_function(name), kwds)
        expected = [[0.0] + [function(X[i], X[j]) for j in row[1:]] for i, row in enumerate(indices[:9])]
        if not np.allclose(distances[:9], expected, atol=1e-5):
            wrong[metric] = np.abs(distances[:9] - expected).max()
    assert not wrong


@pytest.mark.parametrize(
    "metric, formula",
    [("seuclidean", "seuclidean"), ("mahalanobis", "mahalanobis"), ("cosine", "cosine"), ("correlation", "correlation"), ("sqeuclidean", "sqeuclidean"), ("euclidean", "euclidean")],
)
def test_reduced_metrics_are_scipys(metric, formula):
    X = DIGITS[:, 20:30] * np.arange(1, 11, dtype="float32")
    _, distances = nearest_neighbors(X, 8, metric)
    np.testing.assert_allclose(distances, np.sort(squareform(pdist(X.astype(float), formula)), axis=1)[:, :8], rtol=1e-3, atol=2e-4)


def test_angles_and_ranks():
    X = rows_for("any")
    cosine = squareform(pdist(X.astype(float), "cosine"))
    np.testing.assert_allclose(nearest_neighbors(X, 8, "true_angular")[1], np.sort(np.arccos(np.clip(1 - cosine, -1, 1)) / np.pi, axis=1)[:, :8], atol=1e-3)
    ranks = pd.DataFrame(X).rank(axis=1).to_numpy()
    np.testing.assert_allclose(nearest_neighbors(X, 8, "spearmanr")[1], np.sort(squareform(pdist(ranks, "correlation")), axis=1)[:, :8], atol=1e-5)
    roots = np.sqrt(X / X.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(nearest_neighbors(X, 8, "hellinger")[1], np.sort(squareform(pdist(roots)) / np.sqrt(2), axis=1)[:, :8], atol=1e-5)


@pytest.mark.parametrize("metric", ["seuclidean", "mahalanobis", "symmetric_kl", "cosine", "russellrao", "chebyshev"])
def test_exact_and_approximate_search_agree(metric):
    X = rows_for(metric, 400)
    exact, approximate = (nearest_neighbors(X, 10, metric, exact=exact, random_state=0)[1] for exact in (True, False))
    assert np.isclose(exact, approximate, rtol=1e-3, atol=1e-5).mean() > 0.95


@pytest.mark.parametrize(
    "metric, kwds, words",
    [
        ("minkowski", {"q": 3.0}, "'q'.*it takes: p"),
        ("euclidean", {"p": 3.0}, "'p'.*it takes: none"),
        ("seuclidean", {"V": [1.0, 2.0]}, "give 64 numbers"),
        ("mahalanobis", {"VI": np.eye(3)}, r"\(64, 64\)"),
        ("haversine", {}, "'haversine'.*2 dimensional"),
        ("kantorovich", {}, "needs metric_kwds with 'cost'"),
        ("inner_product", {}, "inner_product"),
        ("hellinger", {}, "at least 0"),
    ],
)
def test_wrong_metrics(metric, kwds, words):
    X = DIGITS - (metric == "hellinger")
    with pytest.raises(ValueError, match=words):
        nearest_neighbors(X, 5, metric, kwds)


def writes_into_rows(x, y):
    x += 1
    return np.abs(x - y).sum()


def test_rows_are_not_changed():
    X = np.random.default_rng(0).random((50, 4)).astype("float32") + 0.1
    before = X.copy()
    for metric in known_metrics():
        if metric not in ("haversine", "poincare", "ll_dirichlet", *NEEDED):
            for exact in (True,) if metric != "symmetric_kl" else (True, False):
                nearest_neighbors(X, 5, metric, exact=exact)
            np.testing.assert_array_equal(X, before, err_msg=metric)
    with pytest.raises(ValueError, match="'writes_into_rows' changes the rows"):
        nearest_neighbors(X, 5, writes_into_rows)
    np.testing.assert_array_equal(X, before)


# Precomputed input


@pytest.mark.parametrize("form", ["reversed", "fortran", "frames"])
def test_neighbors_in_any_order_and_layout(form):
    indices, distances = nearest_neighbors(DIGITS, 10)
    expected = fuzzy_graph(DIGITS, 10, precomputed_knn=(indices, distances))
    change = {"reversed": lambda a: a[:, ::-1], "fortran": np.asfortranarray, "frames": lambda a: pd.DataFrame(a[:, ::-1]).astype(float)}[form]
    assert abs(fuzzy_graph(DIGITS, 10, precomputed_knn=(change(indices), change(distances))) - expected).max() == 0
    assert all(part.flags.c_contiguous for part in check_knn((change(indices), change(distances)), 300, 10))


def test_more_neighbors_than_needed_are_cut_after_sorting():
    indices, distances = nearest_neighbors(DIGITS, 20)
    for got, expected in zip(check_knn((indices[:, ::-1], distances[:, ::-1]), 300, 7), (indices[:, :7], distances[:, :7])):
        np.testing.assert_array_equal(got, expected)


def test_a_distance_matrix_is_no_graph():
    with pytest.raises(ValueError, match=r"at most 1\. .*metric='precomputed'"):
        check_graph(sparse.csr_matrix(squareform(pdist(DIGITS))), 300)


def test_one_direction_of_the_edges_is_completed():
    graph = fuzzy_graph(DIGITS, 5)
    assert abs(check_graph(sparse.triu(graph), 300) - graph).max() < 1e-6
    assert abs(check_graph(graph, 300) - graph).max() == 0
    directed = check_graph(sparse.csr_matrix([[0, 0.5], [0.5002, 0]]), 2).toarray()
    np.testing.assert_allclose(directed, [[0, 0.75], [0.75, 0]], atol=1e-3)


def test_the_graph_of_distances_is_that_of_the_rows():
    D = squareform(pdist(DIGITS.astype(float)))
    assert abs(fuzzy_graph(D, 10, "precomputed") - fuzzy_graph(DIGITS, 10)).max() < 1e-3


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda D: D[:, :9], "shape"),
        (lambda D: D + 1, "diagonal"),
        (lambda D: -D, "negative"),
        (lambda D: np.where(D > 3, np.nan, D), "NaN"),
        (lambda D: np.triu(D), "not symmetric"),
        (lambda D: sparse.csr_matrix(D), "sparse"),
    ],
)
def test_what_is_no_distance_matrix(change, words):
    with pytest.raises(ValueError, match=words):
        fuzzy_graph(change(squareform(pdist(DIGITS[:50]))), 5, "precomputed")


# Threads


def test_numbers_of_threads(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 4)
    assert [count_threads(n, seeded=True) for n in (None, 1, 3, 1000, -1, -2, -4, -9)] == [1, 1, 3, 4, 4, 3, 1, 1]
    assert count_threads(None, seeded=False) == 4
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="n_jobs is"):
            nearest_neighbors(DIGITS, 5, n_jobs=wrong)


def test_two_threads_at_once():
    code = """
import threading, numpy as np
from pumap.graph import fuzzy_graph
X = np.random.default_rng(0).normal(size=(2, 500, 5)).astype("float32")
graphs = {}
def build(i):
    for _ in range(20):
        graphs[i] = fuzzy_graph(X[i], 10)
threads = [threading.Thread(target=build, args=(i,)) for i in range(2)]
[t.start() for t in threads]; [t.join() for t in threads]
print(*(abs(graphs[i] - fuzzy_graph(X[i], 10)).max() for i in range(2)))
"""
    assert fresh(code, NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2").split() == ["0.0", "0.0"]


# Imports and caches


def test_umap_comes_without_tensorflow():
    code = """
import sys
from pumap.graph import find_ab
find_ab()
print("tensorflow" in sys.modules, "umap.parametric_umap" in sys.modules, sys.modules.get("keras") is None)
import importlib.util, umap
if importlib.util.find_spec("tensorflow"):
    from umap.parametric_umap import ParametricUMAP
    print(umap.ParametricUMAP is ParametricUMAP, umap.load_ParametricUMAP.__name__)
else:
    print("True load_ParametricUMAP")
print(hasattr(umap, "nothing"))
"""
    assert fresh(code).split() == "False False True True load_ParametricUMAP False".split()


@pytest.mark.parametrize("module", ["umap.utils", "umap.umap_", "pynndescent.utils"])
def test_an_interrupted_import_can_be_repeated(module):
    code = f"""
import sys, builtins
from pumap.graph import fuzzy_graph
import numpy as np
class Once:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt
sys.meta_path.insert(0, Once())
X = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
try:
    fuzzy_graph(X, 5)
except KeyboardInterrupt:
    print("interrupted", fuzzy_graph(X, 5).nnz > 0)
"""
    assert fresh(code).split() == ["interrupted", "True"]


def test_without_a_folder_for_a_cache():
    "As in a container that runs as a user without a home: none of numba's places can be written."
    code = """
import os, numba.core.caching as caching
ensure = caching._CacheLocator.ensure_cache_path
def only_temporary(self):
    if "numba-cache-" not in self.get_cache_path():
        raise OSError("read-only")
    ensure(self)
for locator in caching.CacheImpl._locator_classes:
    locator.ensure_cache_path = only_temporary
import numpy as np
from pumap.graph import fuzzy_graph
print(fuzzy_graph(np.random.default_rng(0).normal(size=(50, 3)).astype("float32"), 5).nnz > 0)
import numba
print(numba.config.CACHE_DIR)
"""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"} | {"KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    worked, folder = done.stdout.split()
    assert worked == "True" and "numba-cache-" in folder and not os.path.exists(folder)


@pytest.mark.slow
def test_the_third_process_compiles_nothing(tmp_path):
    code = """
import os, sys, numpy as np
from numba.core import event
class Count(event.Listener):
    n = 0
    def on_start(self, e): self.n += 1
    def on_end(self, e): pass
from pumap.graph import fuzzy_graph, nearest_neighbors, umap_functions
umap_functions()  # umap-learn compiles two small functions when it is imported
count = Count(); event.register("numba:compile", count)
X = np.random.default_rng(0).random((300, 5)).astype("float32")
nearest_neighbors(X, 10, exact=False, random_state=0)
fuzzy_graph(X, 10)
folder = os.environ["NUMBA_CACHE_DIR"]
print(count.n, sum(len(files) for _, _, files in os.walk(folder)), sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(folder) for f in files))
"""
    first, second, third = (tuple(map(int, fresh(code, NUMBA_CACHE_DIR=str(tmp_path)).split())) for _ in range(3))
    assert first[0] > 20 and third[0] == 0
    assert third[1:] == second[1:]


# float64 and labels


class Rowwise:
    dims = None

    def __init__(self, metric="euclidean"):
        self.metric = metric


TIMES = np.c_[1.7e9 + np.arange(300) * 2.0, np.sin(np.arange(300) / 10)]


def test_large_values_are_moved_before_they_are_cast():
    from sklearn.base import BaseEstimator

    class Estimator(Rowwise, BaseEstimator):
        pass

    estimator, before = Estimator(), TIMES.copy()
    X = check_input(estimator, TIMES, reset=True)
    np.testing.assert_allclose(cdist(X, X), cdist(TIMES, TIMES), atol=1e-3)
    np.testing.assert_array_equal(check_input(estimator, TIMES[:9], reset=False), X[:9])
    np.testing.assert_array_equal(TIMES, before)
    assert check_input(estimator, DIGITS.astype(float), reset=True).tolist() == DIGITS.tolist() and estimator._offset is None
    with pytest.warns(UserWarning, match="float32 cannot tell rows apart in 1 features"):
        check_input(Estimator("cosine"), TIMES, reset=True)


def test_a_fit_on_times(tmp_path):
    from sklearn.manifold import trustworthiness

    from pumap import ParametricUMAP

    model = ParametricUMAP(n_training_epochs=0.5, random_state=0).fit(TIMES)
    assert trustworthiness(TIMES, model.embedding_, n_neighbors=5) > 0.95
    np.testing.assert_allclose(model.transform(TIMES), model.embedding_, atol=1e-4)
    model.save(tmp_path / "model.pumap")
    np.testing.assert_allclose(ParametricUMAP.load(tmp_path / "model.pumap").transform(TIMES[:9]), model.embedding_[:9], atol=1e-4)
    linear = keras.Sequential([keras.Input((2,)), keras.layers.Dense(50, activation="relu"), keras.layers.Dense(2)])
    decoded = ParametricUMAP(decoder=linear, reconstruction_loss="mse", n_training_epochs=0.5, random_state=0).fit(TIMES)
    assert abs(decoded.inverse_transform(decoded.embedding_)[:, 0] - TIMES[:, 0]).max() < 600  # and not 1.7e9


EMBEDDING = np.random.default_rng(0).normal(size=(6, 2))
CHECKERS = {
    "graph": lambda y: intersect_labels(sparse.csr_matrix(np.ones((6, 6), "float32") - np.eye(6, dtype="float32")), y),
    "classifier": lambda y: encode_labels(y, 6),
    "metrics": lambda y: knn_accuracy(EMBEDDING, y, EMBEDDING, y),
}


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize(
    "y, words",
    [
        (np.arange("2020-01-01", "2020-01-07", dtype="M8[D]"), "Unknown label type"),
        (pd.Series(pd.date_range("2020", periods=6)), "Unknown label type"),
        ([0, 1, -2, 0, 1, 1], "the label -2"),
        ([0, 0.5, 1, 0, 1, 1], "continuous"),
        ([0, 1, None, 0, 1, 1], "None"),
        (["a", "b", np.nan, "a", "b", "b"], "NaN"),
        (["a", "b", 3, "a", "b", "b"], "not both"),
    ],
)
def test_what_is_no_label_is_none_anywhere(checker, y, words):
    with pytest.raises(ValueError, match=words):
        CHECKERS[checker](y)


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("y", [np.array([0.0, 1, 0, 1, 1, 0]), np.array([[0], [1], [0], [1], [1], [0]]), np.array([True, False] * 3), list("ababba")])
def test_labels_that_are_taken_everywhere(checker, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)
        CHECKERS[checker](y)


def test_codes_of_labels():
    for y in ([3.0, -1.0, 7.0], [3, -1, 7], ["3", "-1", "7"], pd.Series([3, -1, 7], dtype="Int64"), np.array([[3], [-1], [7]])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataConversionWarning)
            codes, classes = check_labels(y, 3)
        assert codes.tolist() == [0, -1, 1] and [str(c).removesuffix(".0") for c in classes] == ["3", "7"]


@pytest.mark.parametrize("metric, exact", [("euclidean", True), ("euclidean", False), ("manhattan", True)])
def test_a_search_shows_its_progress_if_asked(metric, exact, capsys):
    X = np.random.default_rng(0).random((1500, 4), dtype=np.float32)
    nearest_neighbors(X, 5, metric, exact=exact, random_state=0)
    assert capsys.readouterr() == ("", "")
    with graph_module.search_progress():
        nearest_neighbors(X, 5, metric, exact=exact, random_state=0)
    shown = capsys.readouterr()
    assert re.fullmatch(rf"5 nearest neighbors of 1,500 rows, {'exact' if exact else 'approximate'}: \d+\.\d s\n", shown.out)
    assert ("1500/1500" in shown.err) == exact
    with graph_module.search_progress(False):
        nearest_neighbors(X, 5, metric, exact=exact, random_state=0)
    assert capsys.readouterr() == ("", "")


def test_verbose_reaches_the_search(capsys):
    from pumap import ParametricUMAP

    X = np.random.default_rng(0).random((60, 4), dtype=np.float32)
    for verbose in (True, False):
        ParametricUMAP(n_training_epochs=0.1, random_state=0, verbose=verbose).fit(X)
        shown = capsys.readouterr()
        assert ("15 nearest neighbors of 60 rows, exact" in shown.out, "neighbors" in shown.err) == (verbose, verbose)
        assert verbose or shown == ("", "")
