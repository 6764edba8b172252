"""The fast solver where its notebook does not go: long runs compiled by XLA, many dimensions, images, and what it refuses."""

import tracemalloc

import keras
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, make_moons
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from pumap import ParametricUMAP
from pumap.graph import Edges, fuzzy_graph, weighted_batches
from pumap.networks import build_decoder, build_encoder
from pumap.fast_solver import _XLA_STEPS, first_dense_layer, principal_coordinates, to_coordinates
from pumap.training import Rows, _dense_forward, encode, linear_decay_adam


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:500].astype("float32") / 16, y[:500]


@pytest.mark.backend
def test_the_default_is_the_fast_solver_and_repeats_under_xla(digits):
    X = digits[0][:200]
    once, twice = (ParametricUMAP(random_state=3).fit(X) for _ in range(2))
    assert once.solver == "fast" and once.history_["step"][-1] >= _XLA_STEPS
    np.testing.assert_array_equal(once.embedding_, twice.embedding_)
    assert trustworthiness(X, once.embedding_, n_neighbors=5) > 0.97
    assert once.history_["notes"] == []


def test_more_effort_does_not_make_it_worse(digits):
    losses = [ParametricUMAP(n_training_epochs=passes, random_state=0).fit(digits[0][:300]).history_["loss"][-1] for passes in (1, 4, 12)]
    assert losses[0] > losses[1] > 0.99 * losses[2] and losses[0] > losses[2]  # the last is near what the network can reach


def test_the_sampler_takes_sixteen_bytes_an_edge():
    "For a running sum, however often an edge is drawn; umap-learn repeats each edge as often as it visits it."
    rng = np.random.default_rng(0)
    edges = Edges(*(rng.integers(0, 1000, 300_000, dtype=np.int32) for _ in range(2)), rng.random(300_000, dtype=np.float32))
    tracemalloc.start()
    try:
        batches = weighted_batches(edges, 1000, random_state=0)
        for _ in range(20):
            next(batches)
        assert tracemalloc.get_traced_memory()[1] < 17 * 300_000
    finally:
        tracemalloc.stop()


@pytest.mark.backend
def test_the_learning_rate_falls_to_zero():
    optimizer = linear_decay_adam(2e-3, n_steps=100)
    weight = keras.Variable([1.0])
    rates = []
    for _ in range(100):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.ones(1)], [weight])
    np.testing.assert_allclose(rates, 2e-3 * (1 - np.arange(100) / 100), rtol=1e-3)


def test_repulsion_strength_drives_points_apart(digits):
    spread = [ParametricUMAP(repulsion_strength=strength, n_training_epochs=2, random_state=0).fit(digits[0][:200]).embedding_.std() for strength in (0.1, 10)]
    assert spread[1] > 2 * spread[0]


def test_64_dimensions(digits):
    X = digits[0][:200]
    model = ParametricUMAP(n_components=64, n_training_epochs=2, random_state=0).fit(X)
    assert model.embedding_.shape == (200, 64) and trustworthiness(X, model.embedding_, n_neighbors=5) > 0.95


@pytest.mark.backend
def test_images_start_from_a_layout_and_keep_their_first_layer():
    X = np.random.default_rng(0).random((60, 28, 28, 1), dtype=np.float32)
    model = ParametricUMAP(encoder="conv28", n_training_epochs=0.05, batch_size=20, random_state=0).fit(X)
    assert "no principal coordinates" in model.history_["notes"][0] and "layout" in model.history_["notes"][1]
    off = ParametricUMAP(encoder="conv28", n_training_epochs=0.05, batch_size=20, random_state=0, solver_options={"layout_passes": 0}).fit(X)
    assert len(off.history_["notes"]) == 1


@pytest.mark.backend
def test_expensive_networks_are_normalized_without_a_layout_too_but_not_when_warm():
    X = np.random.default_rng(0).random((60, 28, 28, 1), dtype=np.float32)
    settings = dict(encoder="conv28", n_training_epochs=0.05, batch_size=20, random_state=0)
    with_it, without = (ParametricUMAP(**settings, solver_options={"layout_passes": 0} | off).fit(X) for off in ({}, {"normalize": False}))
    assert not np.array_equal(with_it.embedding_, without.embedding_)
    assert len(with_it.encoder_.layers) == len(without.encoder_.layers)  # folded
    before = with_it.encoder_.get_weights()
    again = with_it.set_params(warm_start=True, learning_rate=1e-9).fit(X)
    np.testing.assert_allclose(again.encoder_.get_weights()[0], before[0], atol=1e-5)


@pytest.mark.backend
def test_rows_stored_on_the_device_give_the_same_network(digits):
    settings = dict(n_training_epochs=0.5, batch_size=100, random_state=0, decoder="mlp", autoencoder_loss=True)
    one, other = (ParametricUMAP(**settings, solver_options={"resident": on}).fit(digits[0][:300]) for on in (True, False))
    np.testing.assert_allclose(one.embedding_, other.embedding_, atol=1e-3)
    np.testing.assert_allclose(one.history_["reconstruction"], other.history_["reconstruction"], rtol=1e-4)


@pytest.mark.backend
def test_an_encoder_that_is_no_chain_is_trained_on_the_rows(digits):
    x = keras.Input((64,))
    own = keras.Model(x, keras.layers.Dense(2)(keras.layers.Concatenate()([x, keras.layers.Dense(8, activation="relu")(x)])))
    assert "keras.Sequential" in first_dense_layer(own)
    model = ParametricUMAP(encoder=own, n_training_epochs=0.1, random_state=0).fit(digits[0])
    assert "keras.Sequential" in model.history_["notes"][0]


@pytest.mark.parametrize("scale", [1.0, 0.1, 1 / 300])
@pytest.mark.parametrize("decoder", [None, "mlp"])
def test_an_embedding_that_starts_as_one_point_spreads(scale, decoder):
    """Rows close together start close together in the embedding, where a cap on the repulsion would leave them."""
    X, _ = make_moons(150, noise=0.05, random_state=0)
    X = ((X - X.min(axis=0)) / np.ptp(X, axis=0) * scale).astype("float32")
    jointly = dict(decoder=decoder, autoencoder_loss=decoder is not None, n_decoder_epochs=1)  # the decoder's own training comes after the embedding
    model = ParametricUMAP(**jointly, n_training_epochs=2.5, random_state=0, solver_options={"n_coordinates": 0}).fit(X)
    assert model.history_["loss"][-1] < 1  # all in one point: 7.7
    assert model.embedding_.std() > 1


@pytest.mark.parametrize("settings", [dict(solver="paper"), dict(decoder="mlp", reconstruction_loss="mse", solver="paper")])
def test_an_embedding_that_stays_one_point_is_told(settings):
    """Where all points nearly coincide, the paper's loss is cut off and has no gradient."""
    X, _ = make_moons(100, noise=0.05, random_state=0)
    settings = dict(n_training_epochs=2, random_state=0) | settings
    with pytest.warns(UserWarning, match="scale the data"):
        model = ParametricUMAP(**settings).fit((X / 300).astype("float32"))
    assert model.embedding_.std(axis=0).max() < 0.005 and "scale the data" in model.history_["notes"][-1]
    for scale, loss in ((1, "paper"), (1 / 300, "exact")):
        model = ParametricUMAP(**settings, loss=loss).fit((X * scale).astype("float32"))
        assert model.embedding_.std(axis=0).max() > 0.5 and not any("scale the data" in note for note in model.history_["notes"])


@pytest.mark.backend
def test_rows_held_out_end_a_run(digits):
    settings = dict(n_training_epochs=500, early_stopping=True, n_iter_no_change=2, random_state=0)
    model = ParametricUMAP(**settings).fit(digits[0][:200])
    assert "stopped early" in model.history_["notes"][-1]
    losses = model.history_["held_out"]
    assert 3 <= len(losses) < 100 and min(losses[-2:]) > min(losses[:-2]) - 1e-4  # two checks without a lower loss, and no third


@pytest.mark.parametrize(
    "settings, word",
    [
        (dict(solver_options={"warm": 1}), "not a stage"),
        (dict(solver_options={"n_coordinates": 0.5}), "an integer of at least 0"),
        (dict(solver_options={"layout_passes": "many"}), "None, or a number of at least 0"),
        (dict(solver_options={"capped_until": float("nan")}), "a number from 0 to 1"),
        (dict(solver="paper", solver_options={"n_coordinates": 0}), "solver_options needs"),
        (dict(solver="paper", early_stopping=True), "early_stopping needs"),
        (dict(early_stopping=True, validation_fraction=1.5), "validation_fraction"),
        (dict(n_iter_no_change=0), "n_iter_no_change"),
    ],
)
def test_settings_that_cannot_be(digits, settings, word):
    with pytest.raises(ValueError, match=word):
        ParametricUMAP(**settings).fit(digits[0])


def test_wide_rows_find_their_axes_by_random_projection():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 5)) @ rng.normal(size=(5, 2500))).astype("float32")
    coordinates = principal_coordinates(Rows(X), n_coordinates=20, random_state=0)
    assert coordinates.basis.shape == (2500, 5)  # no axis along which nothing varies
    np.testing.assert_allclose(to_coordinates(Rows(X), coordinates) @ coordinates.inverse + coordinates.mean, X, atol=1e-2)


def relu(x):
    "Called like Keras' own, but another function."
    return -x


@pytest.mark.backend
def test_numpy_and_keras_agree_on_every_chain(digits):
    for model in (build_encoder("mlp", (8, 8), 2, 0), build_decoder("mlp", (8, 8), 2, 0)):
        x = np.random.default_rng(0).random((300, *model.input_shape[1:]), dtype=np.float32)
        np.testing.assert_allclose(_dense_forward(model)(x), keras.ops.convert_to_numpy(model(x)), atol=1e-5)
    for activation in (keras.layers.LeakyReLU(), relu):
        own = keras.Sequential([keras.Input((64,)), keras.layers.Dense(4, activation=activation), keras.layers.Dense(2)])
        np.testing.assert_allclose(encode(own, Rows(digits[0])), keras.ops.convert_to_numpy(own(digits[0])), atol=1e-5)
    normed = keras.Sequential([keras.Input((64,)), keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    assert _dense_forward(normed) is None and encode(normed, Rows(digits[0])).shape == (500, 2)


DIGITS = load_digits().data[:300].astype("float32") / 16


def with_outlier(X):
    X = X.copy()
    X[0] = -9999
    return X


AWKWARD = {
    "16 bits": DIGITS * 65535,
    "large": DIGITS * 1e6,
    "small": DIGITS * 1e-6,
    "tiny": DIGITS * 1e-25,
    "huge": DIGITS * 1e15,
    "far from zero": DIGITS + 100,
    "one outlier": with_outlier(DIGITS),
    "one large column": np.c_[DIGITS, np.random.default_rng(0).normal(scale=1_000, size=300)].astype("float32"),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", AWKWARD)
def test_units_and_outliers_do_not_matter(name):
    "The fit of all these has at least the trustworthiness of plain digits, 0.98, less noise. One epoch is enough; two of them run at the default length."
    X = AWKWARD[name]
    model = ParametricUMAP(n_training_epochs=None if name in ("large", "one outlier") else 1, random_state=0).fit(X)
    scaled = X.astype("float64") / abs(X).max()
    assert trustworthiness(scaled, model.embedding_, n_neighbors=5) > 0.97
    np.testing.assert_allclose(model.transform(X), model.embedding_, rtol=1e-3, atol=1e-3 * model.embedding_.std())


def test_rows_that_are_equal_but_for_a_few():
    "Without the few there would be no axes."
    X = np.zeros((23, 2), "float32")
    X[3], X[7] = (-89, 1), (5, 0)
    model = ParametricUMAP(n_neighbors=2, n_training_epochs=0.1, random_state=0).fit(X)
    assert np.isfinite(model.embedding_).all() and len(np.unique(model.embedding_, axis=0)) == 3


def test_incomes_and_ages():
    "A metric that standardizes sees both columns, and so does the network."
    rng = np.random.default_rng(0)
    X = np.c_[rng.lognormal(10, 1, 300), rng.uniform(20, 80, 300), rng.poisson(2, 300)].astype("float32")
    model = ParametricUMAP(metric="seuclidean", random_state=0).fit(X)
    assert trustworthiness(X / X.std(axis=0), model.embedding_, n_neighbors=5) > 0.95
    assert "outliers: 3, the first is row 219" in model.history_["notes"][0]


def test_images_of_bytes_train_like_images_of_fractions():
    "Held-out accuracy, as a mean of two seeds: one has a deviation of 0.01."
    X, y = load_digits(return_X_y=True)
    kept = {}
    for name, rows in (("bytes", np.round(X / 16 * 255).astype("uint8")), ("fractions", (X / 16).astype("float32"))):
        fits = [ParametricUMAP(random_state=seed).fit(rows[:1000]) for seed in (0, 1)]
        kept[name] = np.mean([KNeighborsClassifier(5).fit(model.embedding_, y[:1000]).score(model.transform(rows[1000:]), y[1000:]) for model in fits])
    assert abs(kept["bytes"] - kept["fractions"]) < 0.03 and kept["bytes"] > 0.86, kept


def test_a_model_of_ones_own_starts_where_it_is():
    "What it has learned counts, so its first layer is taken as it is, also where the rows have a mean far from zero."
    X = (load_digits().data[:200] / 16 + 3).astype("float32")
    own = keras.Sequential([keras.Input((64,)), keras.layers.Dense(20, activation="relu"), keras.layers.Dense(2)])
    before = own.predict(X, verbose=0)
    hardly = ParametricUMAP(encoder=own, n_training_epochs=0.001, learning_rate=1e-9, random_state=0).fit(X)
    np.testing.assert_allclose(hardly.embedding_, before, atol=1e-2)


def test_rows_that_the_axes_miss_are_not_put_on_one_point():
    "Few axes from a sample of wide rows do not reach features that few rows have: then the rows themselves are used, and a note says so."
    topic = np.repeat(np.arange(300), 4)
    X = sparse.csr_matrix((np.ones(len(topic) * 5), (np.repeat(np.arange(len(topic)), 5), (topic[:, None] * 5 + np.arange(5)).ravel())), shape=(len(topic), 1500))
    model = ParametricUMAP(n_training_epochs=0.5, n_neighbors=4, random_state=0, solver_options={"n_coordinates": 20}).fit(X)
    assert any("orthogonal" in note for note in model.history_["notes"])
    assert len(np.unique(model.embedding_.round(3), axis=0)) > 250


def test_a_graph_that_was_given_stays_as_it_is():
    X = load_digits().data[:100] / 16
    graph = fuzzy_graph(X.astype("float32"))
    graph.data[::7] = 0
    kept = graph.copy()
    ParametricUMAP(precomputed_graph=graph, n_training_epochs=0.01, random_state=0).fit(X)
    assert graph.nnz == kept.nnz and (graph.data == kept.data).all()


@pytest.mark.parametrize("solver", ["fast", "paper"])
def test_regularizers_that_do_not_count_are_noted(solver):
    X = load_digits().data[:60] / 16
    small = lambda shape, n: keras.Sequential([keras.Input(shape), keras.layers.Dense(n, kernel_regularizer="l2")])
    assert any("regularizers" in note for note in ParametricUMAP(encoder=small, solver=solver, n_training_epochs=0.01, random_state=0).fit(X).history_["notes"])
