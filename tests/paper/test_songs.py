"""Dynamic time warping: the distance of the textbook, along time, and a search that finds what all distances give."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pumap.graph import fuzzy_graph
from pumap.paper.songs import LANES, _dtw_coordinates, dtw_bound, dtw_cost, dtw_envelopes, dtw_lanes, dtw_metric, dtw_neighbors


def textbook(a, b, band):
    "The recursion over whole tables, with none of the shortcuts; a and b have shape (n_frames, n_bands)."
    n = len(a)
    table = np.full((n + 1, n + 1), np.inf)
    table[0, 0] = 0
    for i in range(n):
        for j in range(n):
            if abs(i - j) <= band:
                step = ((a[i].astype(float) - b[j]) ** 2).sum()
                table[i + 1, j + 1] = step + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return np.sqrt(table[n, n])


def pictures(n, shape, kind, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, *shape)).astype("f4")
    if kind == "smooth":
        X = np.cumsum(X, axis=2)
    if kind == "padded":  # rows of zeros at both ends, as short syllables have
        for row, m in zip(X, rng.integers(0, shape[1] // 2, n)):
            row[:, :m] = row[:, shape[1] - m :] = 0
    return X


@pytest.mark.parametrize("band", [None, 0, 2, 50])
@pytest.mark.parametrize("along", ["time", "frequency"])
def test_metric_is_the_textbooks(along, band):
    X = pictures(6, (5, 9), "smooth")
    metric = dtw_metric((5, 9), band, along)
    frames = X.transpose(0, 2, 1) if along == "time" else X
    for i, j in ((0, 1), (2, 3), (4, 4), (5, 0)):
        expected = textbook(frames[i], frames[j], 99 if band is None else band)
        assert_allclose(metric(X[i].ravel(), X[j].ravel()), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["noise", "smooth", "padded"])
@pytest.mark.parametrize("band", [None, 0, 3])
def test_search_finds_what_all_distances_give(kind, band):
    X = pictures(60, (4, 11), kind)
    frames = X.transpose(0, 2, 1)
    expected = np.array([[textbook(a, b, 99 if band is None else band) for b in frames] for a in frames])
    np.fill_diagonal(expected, -1)
    indices, distances = dtw_neighbors(X, 7, band=band)
    assert indices.dtype == np.int32 and distances.dtype == np.float32
    assert_array_equal(indices[:, 0], np.arange(60))
    assert_allclose(distances[:, 1:], np.sort(expected, axis=1)[:, 1:7], rtol=1e-5)
    assert_allclose(np.take_along_axis(expected, indices, 1)[:, 1:], distances[:, 1:], rtol=1e-5)  # the rows named are those
    flat = dtw_neighbors(X.reshape(60, -1), 7, (4, 11), band)
    assert_array_equal(flat[0], indices)
    assert_array_equal(dtw_neighbors(X[..., None], 7, band=band)[0], indices)


def test_copies():
    X = np.repeat(pictures(10, (4, 11), "smooth"), 3, axis=0)
    indices, distances = dtw_neighbors(X, 3)
    assert_array_equal(distances, 0)
    assert_array_equal(indices // 3, np.repeat(np.arange(10), 3)[:, None].repeat(3, axis=1))
    assert_array_equal(indices[:, 0], np.arange(30))


@pytest.mark.parametrize("band", [0, 1, 3, 8, 99])
def test_bound_is_below_the_distance_and_giving_up_is_right(band):
    frames = pictures(20, (3, 9), "smooth").transpose(0, 2, 1).copy()
    low, high = dtw_envelopes(frames, band)
    rest = np.zeros(10)
    for i, j in zip(range(20), np.random.default_rng(0).permutation(20)):
        bound = dtw_bound(frames[i], low[j], high[j], rest)
        value = dtw_cost(frames[i], frames[j], band, np.inf, np.zeros(10))
        assert bound <= value * (1 + 1e-6)
        assert dtw_cost(frames[i], frames[j], band, value * (1 + 1e-6), rest) == value
        assert dtw_cost(frames[i], frames[j], band, 0.9 * value, rest) == (np.inf if value else 0)


@pytest.mark.parametrize("shape", [(3, 9), (8, 9), (12, 9)])
@pytest.mark.parametrize("band", [0, 2, 99])
def test_rows_side_by_side_cost_what_they_cost_alone_and_fewer_coordinates_cost_less(shape, band):
    frames = pictures(LANES + 1, shape, "smooth").transpose(0, 2, 1).copy()
    Z, slack, room = _dtw_coordinates(frames)
    a, others = Z[0], Z[1:]
    b = np.ascontiguousarray(others.transpose(2, 1, 0)).reshape(Z.shape[2], -1)
    work = [np.empty(size * LANES, "f4") for size in (10, 10, 9)]
    costs = dtw_lanes(a, b, band, np.inf, np.zeros(10), *work).copy()
    assert_allclose(np.sqrt(costs), [textbook(a, z, band) for z in others], rtol=1e-5)
    whole = np.array([textbook(frames[0], row, band) for row in frames[1:]])
    assert (costs <= slack * (whole + room) ** 2).all()
    assert (costs < 0.9999 * whole**2).any() == (shape[0] > Z.shape[2])  # up to eight bands nothing is lost
    assert_array_equal(dtw_lanes(a, b, band, float(costs.max()), np.zeros(10), *work), costs)
    assert np.isinf(dtw_lanes(a, b, band, float(costs.max()), np.full(10, costs.max() + 1), *work)).all()  # the rest is too much


def test_umap_learn_and_pynndescent_take_the_metric():
    import umap
    from pynndescent import NNDescent

    X = pictures(60, (4, 11), "smooth").reshape(60, -1)
    metric = dtw_metric((4, 11), 3)
    exact, distances = dtw_neighbors(X, 5, (4, 11), 3)
    found, their_distances = NNDescent(X, metric=metric, n_neighbors=5, random_state=0).neighbor_graph
    assert np.mean(found == exact) > 0.95
    same = found == exact
    assert_allclose(their_distances[same], distances[same], rtol=1e-4, atol=1e-5)
    graph = umap.UMAP(n_neighbors=5, metric=metric, transform_mode="graph").fit(X).graph_
    assert graph.shape == (60, 60) and graph.nnz > 60


GOOD = pictures(30, (4, 11), "noise")


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: dtw_metric((4, 11), along="tme"), "along is 'tme'"),
        (lambda: dtw_metric((44,)), r"shape is \(44,\)"),
        (lambda: dtw_metric((4, 11), band=-1), "band is -1"),
        (lambda: dtw_metric((4, 11), band=1.5), "band is 1.5"),
        (lambda: dtw_metric((4, 12))(*GOOD.reshape(30, -1)[:2]), "as many values as a picture"),
        (lambda: fuzzy_graph(GOOD.reshape(30, -1), 5, metric=dtw_metric((4, 12))), "'dtw', .* as many values as a picture"),
        (lambda: dtw_neighbors(GOOD.reshape(30, -1), 5, (4, 12)), "44 values in a row, but a picture of shape"),
        (lambda: dtw_neighbors(GOOD.reshape(30, -1), 5), "shape is"),
        (lambda: dtw_neighbors(GOOD, 30), "needs at least 31"),
        (lambda: dtw_neighbors(np.where(GOOD > 2, np.nan, GOOD), 5), "X holds NaN"),
    ],
)
def test_what_does_not_fit(call, words):
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "\n" not in str(error.value)
