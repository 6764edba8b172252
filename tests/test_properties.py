"""Random tables of any shape, type and scale: the estimator embeds them, or says what is wrong with them.

`PUMAP_EXAMPLES=6` runs six times as many cases."""

import os
import traceback
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.manifold import trustworthiness

from pumap import ParametricUMAP, parametric_umap

TIMES = int(os.environ.get("PUMAP_EXAMPLES", 1))
METRICS = ("euclidean", "euclidean", "manhattan", "chebyshev", "cosine", "correlation", "canberra", "braycurtis", "seuclidean", "minkowski", "hellinger", "jaccard", "hamming")
POSITIVE = ("hellinger",)  # metrics of rows without negative values
DTYPES = ("float64", "float64", "float32", "float32", "float16", "uint8", "int8", "int64", "bool")
ORDINARY = ("too large for dtype", "infinite: scale", "are infinite", "minimum of 2 is required", "rows are the same", "n_neighbors")  # of finite tables


def examples(n):
    "Settings of hypothesis: the same cases in every run, without a limit on the time of each, which depends on the machine."
    return settings(max_examples=n * TIMES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def filled(kind, shape, rng):
    "Numbers of one kind, of the order of 1."
    if kind == "blobs":
        return rng.normal(size=(4, shape[1]))[rng.integers(0, 4, shape[0])] + 0.1 * rng.normal(size=shape)
    if kind == "whole":
        return rng.integers(0, 5, shape).astype(float)
    if kind == "sparse":
        return rng.random(shape) * (rng.random(shape) < 0.2)
    return {"normal": rng.normal, "heavy": lambda size: rng.standard_t(1.5, size=size), "uniform": lambda size: rng.random(size)}[kind](size=shape)


@st.composite
def tables(draw, broken=True):
    "A table, and whether one of its values is missing or infinite."
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from((40, 1, 2, 3, 7, 20, 30, 50))), draw(st.sampled_from((1, 2, 3, 8, 30)))
    X = filled(draw(st.sampled_from(("blobs", "normal", "uniform", "heavy", "whole", "sparse"))), shape, rng)
    X *= 10.0 ** draw(st.sampled_from((0, 0, 0, -25, -6, 3, 6, 15)))
    X += draw(st.sampled_from((0, 0, 0, 100, 1.7e9))) * abs(X).max()
    for change in draw(st.lists(st.sampled_from(("copies", "one row", "outlier", "constant column", "large column")), max_size=2)):
        if change == "copies":
            X[len(X) // 2 :] = X[: len(X) - len(X) // 2]
        elif change == "one row":
            X[:] = X[0]
        elif change == "outlier":
            X[0] = -1e4 * abs(X).max()
        else:
            X[:, -1] = 1 if change == "constant column" else 1e3 * X[:, -1]
    dtype = draw(st.sampled_from(DTYPES))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = X.astype(dtype)
    if broken and X.dtype.kind == "f" and draw(st.sampled_from((False, False, False, True))):
        X[rng.integers(0, shape[0]), rng.integers(0, shape[1])] = draw(st.sampled_from((np.nan, np.inf, -np.inf)))
    return X, not np.isfinite(X).all()


CONTAINERS = {
    "array": np.ascontiguousarray, "Fortran": np.asfortranarray, "frame": pd.DataFrame, "list": np.ndarray.tolist, "read only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "sparse": lambda X: sparse.csr_matrix(X if X.dtype != np.float16 else X.astype("float32")), "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
}  # fmt: skip


def is_ours(error):
    "An error is raised on purpose: in pumap itself, or where scikit-learn checks input."
    place = traceback.extract_tb(error.__traceback__)[-1].filename.replace(os.sep, "/")
    return isinstance(error, (ValueError, TypeError)) and ("/pumap/" in place or "/sklearn/utils/" in place)


def embed(X, container, **options):
    "Fit the table, and check all that must hold of any table. Returns the fitted estimator, or the error's words."
    given_rows = CONTAINERS[container](X)
    before = given_rows.copy()
    model = ParametricUMAP(random_state=0, **options)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model.fit(given_rows)
        except Exception as error:
            assert is_ours(error), "".join(traceback.format_exception(error))
            model = str(error)
    if container == "sparse":
        assert (before != given_rows).nnz == 0 or not np.isfinite(before.data).all()
    else:
        np.testing.assert_array_equal(np.asarray(before), np.asarray(given_rows))
    if isinstance(model, str):
        return model
    assert model.embedding_.shape == (len(X), model.n_components) and np.isfinite(model.embedding_).all()
    graph = model.graph_
    assert np.isfinite(graph.data).all() and (graph.data > 0).all() and graph.data.max(initial=0) <= 1 and abs(graph - graph.T).max() < 1e-6
    return model


cases = given(tables(), st.sampled_from(sorted(CONTAINERS)), st.sampled_from(METRICS), st.sampled_from((2, 5, 15)), st.sampled_from((1, 2, 3)))


def check_case(table, container, metric, n_neighbors, n_components, **options):
    X, broken = table
    if metric in POSITIVE:
        with np.errstate(all="ignore"):
            X = abs(X)
    found = embed(X, container, metric=metric, n_neighbors=n_neighbors, n_components=n_components, **options)
    if broken:
        assert isinstance(found, str) and ("NaN" in found or "infinity" in found), found
    elif isinstance(found, str):
        event(found[:40])
        assert any(words in found for words in ORDINARY), found
    return X, found


@examples(450)
@cases
def test_any_table_until_training(table, container, metric, n_neighbors, n_components):
    "Checks, graph, networks, principal coordinates; the network is not trained."
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parametric_umap, "fit_encoder_fast", lambda *_: {})
        check_case(table, container, metric, n_neighbors, n_components)


@examples(50)
@cases
def test_any_table_with_training(table, container, metric, n_neighbors, n_components):
    "Training changes the scale of the first layer and folds it back; `transform` gives what `fit` gave, also row by row."
    X, model = check_case(table, container, metric, n_neighbors, n_components, n_training_epochs=0.05, batch_size=20 if len(table[0]) >= 20 else 2)
    if isinstance(model, str):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again, one = model.transform(X), model.transform(X[-1:])
    size = max(1, abs(model.embedding_).max())
    np.testing.assert_allclose(again, model.embedding_, atol=2e-3 * size)
    np.testing.assert_allclose(one[0], model.embedding_[-1], atol=2e-3 * size)


@examples(4)
@given(st.integers(0, 2**32 - 1), st.sampled_from((2, 5, 20)), st.sampled_from((1e-6, 1.0, 1e5)), st.sampled_from((0.0, 100.0)), st.sampled_from(("float32", "float64")), st.booleans())
def test_well_posed_tables_keep_their_neighbors(seed, n_columns, scale, shift, dtype, copies):
    "As in umap-learn's UMAP, which gets the rows without the shift and the scale, and trains longer."
    import umap

    rng = np.random.default_rng(seed)
    X = rng.normal(size=(5, n_columns))[rng.integers(0, 5, 150)] * 3 + rng.normal(size=(150, n_columns))
    if copies:
        X[120:] = X[:30]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = umap.UMAP(random_state=0).fit_transform(X)
        ours = ParametricUMAP(n_training_epochs=2, random_state=0).fit(((X + shift) * scale).astype(dtype)).embedding_
    assert trustworthiness(X, ours, n_neighbors=5) > trustworthiness(X, theirs, n_neighbors=5) - 0.03
