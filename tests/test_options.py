"""Options of the estimator beyond the plain fit: landmarks, updates, targets, warm start, callbacks, optimizers, losses, adopted encoders."""

import pickle

import keras
import numpy as np
import pytest
from keras import ops
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from pumap import ParametricUMAP
from pumap.graph import fuzzy_graph, intersect_targets

SHORT = dict(n_neighbors=8, n_training_epochs=0.5, batch_size=200, random_state=0)
HARDLY = SHORT | dict(n_training_epochs=0.01)  # for tests that look at the graph only


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300].astype("float32") / 16, y[:300]


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits
    return ParametricUMAP(**SHORT | dict(n_training_epochs=2.5)).fit(X[y != 9])


def moved(z, before):
    "Root mean square movement, as a share of the map's spread."
    return np.sqrt(((z - before) ** 2).sum(axis=1).mean() / before.var(axis=0).sum())


@pytest.mark.backend
@pytest.mark.parametrize("solver", ["fast", "paper"])
def test_landmarks_are_where_they_should_be(digits, solver):
    X, y = digits
    positions = np.full((300, 2), np.nan)
    positions[y == 0], positions[y == 1] = (30, 0), (-30, 0)
    epochs = {"fast": 2.5, "paper": 8}[solver]
    model = ParametricUMAP(**SHORT | dict(solver=solver, n_training_epochs=epochs, learning_rate=5e-3)).fit(X, landmark_positions=positions)
    for label, x in ((0, 30), (1, -30)):
        assert np.linalg.norm(np.median(model.embedding_[y == label], axis=0) - (x, 0)) < 3
    assert model.history_["landmark"][-1] < 0.2 * model.history_["landmark"][0]
    everywhere = ParametricUMAP(**SHORT | dict(solver=solver)).fit(X, landmark_positions=np.full((300, 2), np.nan))
    np.testing.assert_array_equal(everywhere.embedding_, ParametricUMAP(**SHORT | dict(solver=solver)).fit(X).embedding_)


def test_landmarks_of_a_wrong_form(digits):
    with pytest.raises(ValueError, match=r"shape \(5, 2\); it must be \(300, 2\)"):
        ParametricUMAP(**SHORT).fit(digits[0], landmark_positions=np.zeros((5, 2)))
    with pytest.raises(ValueError, match="infinite"):
        ParametricUMAP(**SHORT).fit(digits[0], landmark_positions=np.full((300, 2), np.inf))


@pytest.mark.backend
def test_an_update_keeps_old_rows_and_places_new_ones(fitted, digits):
    X, y = digits
    old, new = X[y != 9], X[y == 9]
    before, labels = fitted.embedding_, np.r_[y[y != 9], y[y == 9]]
    model = pickle.loads(pickle.dumps(fitted)).update(new, X_old=old)
    z = model.embedding_
    assert z.shape == (300, 2) and moved(z[: len(old)], before) < 0.1
    np.testing.assert_array_equal(model.transform(np.r_[old, new]), z)
    plain = clone(fitted).fit(np.r_[old, new])
    assert moved(plain.embedding_[: len(old)], before) > 0.3
    neighbors = KNeighborsClassifier(6).fit(z, labels).predict(z[len(old) :])  # itself and five others
    assert (neighbors == 9).mean() > 0.8
    again = model.update(new[:5])  # from memory
    assert again.embedding_.shape == (305, 2) and moved(again.embedding_[: len(old)], before) < 0.1


def test_an_update_needs_the_old_rows(fitted, digits, tmp_path):
    X = digits[0]
    fitted.save(tmp_path / "model.pumap")
    for other in (ParametricUMAP.load(tmp_path / "model.pumap"), pickle.loads(pickle.dumps(fitted))):
        assert not hasattr(other, "_rows")
        with pytest.raises(ValueError, match="no training rows: give them as X_old"):
            other.update(X)
    with pytest.raises(ValueError, match="64 features"):
        fitted.update(X[:, :5])
    assert hasattr(fitted, "embedding_")  # still fitted
    graph = ParametricUMAP(**SHORT, precomputed_graph=fuzzy_graph(X)).fit(X)
    with pytest.raises(ValueError, match="precomputed_graph holds for the rows of the first fit"):
        graph.update(X)


def test_an_update_with_labels(digits):
    X, y = digits
    model = ParametricUMAP(**HARDLY).fit(X[:200], y[:200])
    model.update(X[200:], y[200:])
    all_at_once = ParametricUMAP(**HARDLY).fit(X, y)
    assert abs(model.graph_ - all_at_once.graph_).max() < 1e-6
    unlabeled = ParametricUMAP(**HARDLY).fit(X[:200], y[:200]).update(X[200:])
    assert abs(unlabeled.graph_ - ParametricUMAP(**HARDLY).fit(X, np.r_[y[:200], np.full(100, -1)]).graph_).max() < 1e-6
    with pytest.raises(ValueError, match="new rows have no targets"):
        ParametricUMAP(target_metric="l2", **HARDLY).fit(X[:200], X[:200, 3] + np.arange(200)).update(X[200:])


@pytest.mark.parametrize("weight", [0.2, 0.5, 1.0])
@pytest.mark.filterwarnings("ignore")
def test_targets_count_as_in_umap_learn(digits, weight):
    "But for the weak edges that umap-learn drops from its graph."
    from umap import UMAP

    X, y = digits
    ink = X.sum(axis=1) + np.random.default_rng(0).random(300)
    settings = dict(n_neighbors=8, target_weight=weight)
    there = UMAP(target_metric="l2", n_epochs=1, init="random", random_state=0, **settings).fit(X, ink).graph_
    here = ParametricUMAP(target_metric="l2", **HARDLY | settings).fit(X, ink).graph_
    assert abs(there - here).max() < 1 / 450
    there = UMAP(n_epochs=1, init="random", random_state=0, **settings).fit(X, y).graph_
    assert abs(there - ParametricUMAP(**HARDLY | settings).fit(X, y).graph_).max() < 1 / 450


def test_targets_of_a_wrong_form(digits):
    for y in (np.full(300, np.nan), np.zeros(7), np.array(["a"] * 300)):
        with pytest.raises(ValueError, match="300 rows of finite numbers"):
            intersect_targets(fuzzy_graph(digits[0]), y)
    with pytest.raises(ValueError, match="target_weight"):
        ParametricUMAP(target_weight=1.5).fit(digits[0])


@pytest.mark.backend
@pytest.mark.parametrize("solver", ["fast", "paper"])
def test_a_warm_start_goes_on(digits, solver):
    X = digits[0]
    model = ParametricUMAP(warm_start=True, solver=solver, decoder="mlp", n_decoder_epochs=1, **SHORT).fit(X)
    encoder, first = model.encoder_, model.history_["loss"]
    model.fit(X)
    assert model.encoder_ is encoder and model.history_["loss"][0] < 0.7 * first[0]
    with pytest.raises(ValueError, match="n_components is 3, but the fitted encoder has 2"):
        model.set_params(n_components=3).fit(X)
    with pytest.raises(ValueError, match="64 features"):
        model.set_params(n_components=2).fit(X[:, :10])
    assert hasattr(model, "embedding_")  # still fitted
    cold = ParametricUMAP(solver=solver, **SHORT).fit(X)
    weights = cold.encoder_.get_weights()
    assert all((a == b).all() for a, b in zip(weights, cold.fit(X).encoder_.get_weights()))


@pytest.mark.backend
@pytest.mark.parametrize("solver", ["fast", "paper"])
def test_callbacks_are_called_for_each_span(digits, solver):
    X, calls = digits[0], []

    class Record(keras.callbacks.Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                calls.append(name)
            return super().__getattribute__(name)

        def on_epoch_end(self, epoch, logs=None):
            logs_of[epoch] = logs
            here[epoch] = ops.convert_to_numpy(self.model(X[:5]))
            self.model.stop_training = epoch == 3

    logs_of, here = {}, {}
    model = ParametricUMAP(callbacks=[Record()], solver=solver, **SHORT | dict(n_training_epochs=4)).fit(X)
    assert calls == ["on_train_begin"] + ["on_epoch_begin", "on_epoch_end"] * 4 + ["on_train_end"]
    assert len(model.history_["step"]) == 4 and "stopped" in model.history_["notes"][-1]
    assert [logs_of[i]["loss"] for i in range(4)] == model.history_["loss"] and set(logs_of[0]) == {"loss", "attraction", "repulsion"}
    np.testing.assert_allclose(here[3], model.transform(X[:5]), atol=1e-3)  # callbacks see the trained encoder
    assert not hasattr(model.encoder_, "optimizer")


def test_keras_own_callbacks_work(digits):
    X = digits[0]
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=2, min_delta=10.0, restore_best_weights=True)
    lower = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=10.0, factor=0.5)
    model = ParametricUMAP(callbacks=[stop, lower], optimizer=keras.optimizers.Adam(1e-3), **SHORT | dict(n_training_epochs=4)).fit(X)
    assert len(model.history_["loss"]) == 3  # the best is the first
    np.testing.assert_allclose(model.encoder_.get_weights()[0], stop.best_weights[0])
    np.testing.assert_array_equal(model.transform(X), model.embedding_)


@pytest.mark.backend
def test_an_optimizer_of_ones_own(digits):
    X = digits[0]
    given = keras.optimizers.SGD(0.0)
    still = ParametricUMAP(optimizer=given, solver="paper", **SHORT).fit(X)
    start = ParametricUMAP(solver="paper", **SHORT | dict(learning_rate=1e-12, n_training_epochs=1e-6)).fit(X)
    np.testing.assert_allclose(still.embedding_, start.embedding_, atol=1e-4)  # a rate of 0 trains nothing
    assert not given.built
    once, twice = (ParametricUMAP(optimizer=keras.optimizers.RMSprop(1e-3), **SHORT).fit(X) for _ in range(2))
    np.testing.assert_array_equal(once.fit(X).embedding_, twice.embedding_)
    assert clone(once).fit(X).embedding_.shape == (300, 2)
    for wrong, words in ((dict(optimizer="adamant"), "adamant"), (dict(optimizer="adam", learning_rate=0.1), "give one of the two")):
        with pytest.raises(ValueError, match=words):
            ParametricUMAP(**wrong).fit(X)


@pytest.mark.backend
def test_decoder_losses_by_name_and_function(digits):
    X = digits[0]
    mean = lambda x, decoded: ops.mean(ops.square(x - decoded), axis=-1)
    settings = dict(decoder="mlp", autoencoder_loss=True, n_decoder_epochs=1, **SHORT)
    by_name, by_function, mse = (ParametricUMAP(reconstruction_loss=loss, **settings).fit(X) for loss in ("mean_squared_error", mean, "mse"))
    for other in (by_name, by_function):
        np.testing.assert_allclose(other.history_["reconstruction"][0], mse.history_["reconstruction"][0], rtol=1e-3)
        np.testing.assert_allclose(other.inverse_transform(X[:5, :2]), mse.inverse_transform(X[:5, :2]), atol=0.05)
    for name in ("bce", "BinaryCrossentropy", "binary_crossentropy"):
        with pytest.raises(ValueError, match="between 0 and 1"):
            ParametricUMAP(reconstruction_loss=name, decoder="mlp", **SHORT).fit(16 * X)
    with pytest.raises(ValueError, match="Keras knows no such loss"):
        ParametricUMAP(reconstruction_loss="l1", decoder="mlp", **SHORT).fit(X)


@pytest.mark.backend
def test_reconstruction_of_held_out_rows_is_recorded(digits):
    X = digits[0]
    for solver, joint in (("fast", False), ("fast", True), ("paper", False)):
        settings = dict(decoder="mlp", solver=solver, autoencoder_loss=joint, n_decoder_epochs=None if solver == "paper" else 5, **SHORT)
        model = ParametricUMAP(reconstruction_validation=X[200:], **settings | dict(n_training_epochs=2)).fit(X[:200])
        assert model.history_["validation"][-1] < model.history_["validation"][0], (solver, joint)


@pytest.mark.backend
@pytest.mark.parametrize("solver", ["fast", "paper"])
def test_global_distances_are_kept(solver):
    "Six blobs at unequal distances: how far apart they lie in the map is arbitrary, but not with this loss."
    rng = np.random.default_rng(1)
    centers = rng.normal(size=(6, 5)) * np.exp(rng.normal(size=(6, 1)))
    y = np.repeat(np.arange(6), 40)
    X = (centers[y] + 0.05 * rng.normal(size=(240, 5))).astype("float32")

    epochs = {"fast": 3, "paper": 5}[solver]

    def correlation(weight):
        model = ParametricUMAP(global_correlation_loss_weight=weight, **SHORT | dict(solver=solver, n_training_epochs=epochs)).fit(X)
        middle = np.array([model.embedding_[y == i].mean(axis=0) for i in range(6)])
        return np.corrcoef(pdist(centers), pdist(middle))[0, 1]

    assert correlation(1.0) > 0.98 and correlation(0.0) < 0.9


@pytest.mark.backend
def test_a_trained_encoder_is_adopted(digits, tmp_path):
    X = digits[0]
    encoder = keras.Sequential([keras.Input((64,)), keras.layers.Dense(20, activation="gelu"), keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(64)])
    model = ParametricUMAP.from_encoder(encoder, X, decoder, n_neighbors=8, random_state=0)
    np.testing.assert_allclose(model.embedding_, ops.convert_to_numpy(encoder(X)), atol=1e-5)
    np.testing.assert_allclose(model.inverse_transform(model.embedding_), ops.convert_to_numpy(decoder(model.embedding_)), atol=1e-4)
    assert model.n_components == 3 and "adopted" in model.history_["notes"][0]
    with pytest.warns(UserWarning, match="encoder"):
        model.save(tmp_path / "model.pumap")
    np.testing.assert_array_equal(ParametricUMAP.load(tmp_path / "model.pumap").transform(X), model.transform(X))
    empty = ParametricUMAP.from_encoder(encoder)
    assert empty.embedding_.shape == (0, 3) and list(empty.get_feature_names_out()) == [f"parametricumap{i}" for i in range(3)]
    np.testing.assert_array_equal(empty.transform(X), model.transform(X))
    assert empty.set_params(n_training_epochs=0.1).update(X[:20], X_old=X[20:]).embedding_.shape == (300, 3)
    for wrong in ("mlp", None):
        with pytest.raises(ValueError, match="trained Keras models"):
            ParametricUMAP.from_encoder(wrong)


@pytest.mark.parametrize("name", ["densmap", "init", "parametric_reconstruction", "landmark_loss_fn", "keras_fit_kwargs"])
def test_umap_learns_parameters_are_answered(name):
    from pumap.parametric_umap import _FOREIGN

    with pytest.raises(TypeError, match=f"^ParametricUMAP has no parameter '{name}'. ") as caught:
        ParametricUMAP(**{name: 1})
    assert str(caught.value).endswith(_FOREIGN[name])
