"""umap-learn's interface: its scenarios, its arguments, and what is refused."""

import inspect
import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from pumap.umap_compat import ARGUMENTS, ATTRIBUTES, METHODS, ParametricUMAP, load_ParametricUMAP

SHORT = dict(n_neighbors=8, n_epochs=4, random_state=0)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300].astype("float32") / 16, y[:300]


@pytest.fixture(scope="module")
def autoencoder(digits):
    X = digits[0]
    dense = lambda units, seed, **settings: keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed), **settings)
    decoder = keras.Sequential([keras.Input((2,)), dense(30, 0, activation="relu"), dense(64, 1)])
    encoder = keras.Sequential([keras.Input((64,)), dense(30, 2, activation="relu"), dense(2, 3)])
    start = encoder.get_weights()
    embedder = ParametricUMAP(
        encoder=encoder, decoder=decoder, parametric_reconstruction=True, reconstruction_validation=X[200:], autoencoder_loss=True,
        parametric_reconstruction_loss_fcn=keras.losses.MeanSquaredError(), **SHORT | dict(n_epochs=20),
    ).fit(X[:200])  # fmt: skip
    return embedder, encoder, decoder, start


def umap_learn_arguments():
    "Names and defaults of umap-learn's constructors; parsed, so that TensorFlow is not needed."
    import ast

    import umap

    folder = umap.__path__[0]
    found = {}
    for file, cls in (("umap_.py", "UMAP"), ("parametric_umap.py", "ParametricUMAP")):
        tree = ast.parse(open(f"{folder}/{file}", encoding="utf-8").read())
        node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls)
        init = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__").args
        found |= {arg.arg: ast.literal_eval(value) for arg, value in zip(init.args[-len(init.defaults) :], init.defaults)}
    return found


def test_every_argument_of_umap_learn_is_taken_with_its_default():
    theirs = umap_learn_arguments()
    ours = {name: p.default for name, p in inspect.signature(ParametricUMAP).parameters.items()}
    assert set(ours) == set(ARGUMENTS) and set(ours) - set(theirs) == {"optimizer", "loss_report_frequency", "n_training_epochs", "solver"}
    assert {name: ours[name] for name in theirs} == theirs == {name: ARGUMENTS[name].default for name in theirs}


def test_every_method_and_attribute_of_umap_learn_has_a_row():
    "Parsed, so that TensorFlow is not needed: methods, and what is assigned to self."
    import ast

    import umap

    found = {"load_ParametricUMAP", "get_params", "set_params"}
    for file, cls in (("umap_.py", "UMAP"), ("parametric_umap.py", "ParametricUMAP")):
        tree = ast.parse(open(f"{umap.__path__[0]}/{file}", encoding="utf-8").read())
        body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls)
        found |= {node.name for node in body.body if isinstance(node, ast.FunctionDef)}
        found |= {n.attr for n in ast.walk(body) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) and getattr(n.value, "id", "") == "self"}
    public = {name for name in found if not name.startswith("_")}
    assert public <= {*ARGUMENTS, *METHODS, *ATTRIBUTES}, sorted(public - {*ARGUMENTS, *METHODS, *ATTRIBUTES})
    assert not [name for name in METHODS if not hasattr(ParametricUMAP, name) and name != "load_ParametricUMAP"]


def test_no_row_says_that_something_differs_silently():
    "A difference is an error, or has a note."
    for table in (ARGUMENTS, METHODS, ATTRIBUTES):
        for name, entry in table.items():
            assert "silent" not in f"{entry.theirs} {entry.note} {entry.refused}", name
            assert entry.theirs == "works" or entry.refused or entry.note, f"{name}: what is here in place of {entry.theirs!r}?"


def test_a_decoder_that_is_given_is_trained_on_logits(digits):
    "As in umap-learn, whose own examples end in a linear layer."
    X = digits[0]
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(30, activation="relu"), keras.layers.Dense(64)])
    embedder = ParametricUMAP(parametric_reconstruction=True, decoder=decoder, **SHORT).fit(X)
    logits = embedder.inverse_transform(embedder.embedding_)
    assert logits.min() < 0
    assert ((1 / (1 + np.exp(-logits)) - X) ** 2).mean() < 0.9 * ((X.mean(axis=0) - X) ** 2).mean()


def test_what_has_no_effect_is_refused_by_name(digits):
    others = {"init": "random", "output_metric": "haversine", "low_memory": False, "densmap": True, "unique": True, "transform_mode": "graph"}
    refused = [name for name, entry in ARGUMENTS.items() if entry.refused]
    assert len(refused) == 20
    for name in refused:
        with pytest.raises(ValueError, match=f"^{name}=.* has no effect here"):
            ParametricUMAP(**{name: others.get(name, 7)}).fit(digits[0])
    for name in ("decoder", "reconstruction_validation", "autoencoder_loss"):
        with pytest.raises(ValueError, match=f"{name} has no effect with parametric_reconstruction=False"):
            ParametricUMAP(**{name: True}).fit(digits[0])
    with pytest.raises(ValueError, match="keras_fit_kwargs has 'shuffle'"):
        ParametricUMAP(keras_fit_kwargs={"shuffle": True}).fit(digits[0])
    for name in [name for name, entry in ATTRIBUTES.items() if entry.refused]:
        with pytest.raises(AttributeError, match=f"has no {name}"):
            getattr(ParametricUMAP(), name)
    with pytest.raises(TypeError, match="Did you mean 'n_neighbors'"):
        ParametricUMAP(n_neighbours=3)


@pytest.mark.backend
def test_a_custom_encoder_and_decoder_are_trained_in_place(autoencoder, digits):
    embedder, encoder, decoder, start = autoencoder
    X = digits[0]
    assert embedder.encoder is encoder and embedder.decoder is decoder
    assert abs(encoder.get_weights()[0] - start[0]).max() > 0
    np.testing.assert_allclose(keras.ops.convert_to_numpy(encoder(X)), embedder.transform(X), atol=1e-4)
    decoded = embedder.inverse_transform(embedder.transform(X))
    assert decoded.shape == X.shape and ((decoded - X) ** 2).mean() < ((X - X.mean(axis=0)) ** 2).mean()


@pytest.mark.backend
def test_validation_is_in_the_history(autoencoder, digits):
    embedder, rows = autoencoder[0], digits[0][200:]
    history = embedder._history
    assert len(history["loss"]) == 10 and np.isfinite(history["loss"]).all()
    error = ((embedder.inverse_transform(embedder.transform(rows)) - rows) ** 2).mean()
    np.testing.assert_allclose(history["val_loss"][-1], error, rtol=0.02)


def test_the_default_decoder_returns_rows(digits):
    X = digits[0]
    embedder = ParametricUMAP(parametric_reconstruction=True, dims=(8, 8), **SHORT).fit(X)
    decoded = embedder.inverse_transform(embedder.embedding_[:5])
    assert decoded.shape == (5, 64) and decoded.min() >= 0 and decoded.max() <= 1
    with pytest.raises(AttributeError, match="parametric_reconstruction=True"):
        ParametricUMAP(**SHORT).fit(X).inverse_transform(embedder.embedding_)


@pytest.mark.backend
def test_saving_loading_and_pickling(autoencoder, digits, tmp_path):
    embedder, X = autoencoder[0], digits[0]
    with pytest.warns(UserWarning, match="parametric_reconstruction_loss_fcn"):
        embedder.save(tmp_path / "model", verbose=False)
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["decoder.keras", "encoder.keras", "model.pumap", "umap_compat.json"]
    loaded, copied = load_ParametricUMAP(tmp_path / "model", verbose=False), pickle.loads(pickle.dumps(embedder))
    for other in (loaded, copied):
        np.testing.assert_array_equal(other.transform(X), embedder.transform(X))
        np.testing.assert_array_equal(other.inverse_transform(X[:5, :2]), embedder.inverse_transform(X[:5, :2]))
        assert other._history == embedder._history and other.n_epochs == 20
    loaded.set_params(parametric_reconstruction_loss_fcn="mse").fit(X[:200])  # goes on
    assert len(loaded._history["loss"]) == 20 and loaded.embedding_.shape == (200, 2)
    with pytest.raises(FileNotFoundError, match="not written by pumap"):
        load_ParametricUMAP(tmp_path)


def test_a_second_fit_goes_on(digits):
    X = digits[0]
    embedder = ParametricUMAP(**SHORT).fit(X)
    network, before = embedder.encoder, embedder.encoder.get_weights()[0].copy()
    first = embedder._history["loss"]
    embedder.fit(X)
    assert embedder.encoder is network and abs(network.get_weights()[0] - before).max() > 0
    assert embedder._history["loss"][:10] == first and len(embedder._history["loss"]) == 20
    assert embedder._history["loss"][10] < first[0]


def test_clones_are_not_fitted(digits, autoencoder):
    embedder = ParametricUMAP(**SHORT)
    assert clone(embedder).get_params() == embedder.get_params()
    twin = clone(embedder.fit(digits[0]))
    assert twin.encoder is None and twin.n_neighbors == 8
    with pytest.raises(NotFittedError):
        twin.transform(digits[0])
    assert clone(autoencoder[0]).encoder.count_params() == autoencoder[1].count_params()


def test_callbacks_epochs_optimizer(digits):
    class Stop(keras.callbacks.Callback):
        epochs = []

        def on_epoch_end(self, epoch, logs=None):
            self.epochs.append((epoch, logs["loss"]))
            self.model.stop_training = epoch == 2

    stop = Stop()
    embedder = ParametricUMAP(optimizer=keras.optimizers.SGD(0.01), keras_fit_kwargs={"callbacks": [stop], "epochs": 5, "verbose": 0}, **SHORT).fit(digits[0])
    assert [epoch for epoch, _ in stop.epochs] == [0, 1, 2] and embedder._history["loss"] == [loss for _, loss in stop.epochs]
    assert embedder.set_params(keras_fit_kwargs={}, loss_report_frequency=4, n_training_epochs=2).fit(digits[0]) is embedder
    assert len(embedder._history["loss"]) == 3 + 8


def test_precomputed_distances_and_neighbors(digits):
    X = digits[0]
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    there = ParametricUMAP(metric="precomputed", **SHORT).fit(X, precomputed_distances=distances)
    plain = ParametricUMAP(**SHORT).fit(X)
    assert abs(there.graph_ - plain.graph_).max() < 1e-3 and distances[0, 0] == 0
    order = np.argsort(distances, axis=1, kind="stable")[:, :8]
    given = ParametricUMAP(precomputed_knn=(order, np.take_along_axis(distances, order, 1), None), **SHORT).fit(X)
    assert abs(given.graph_ - plain.graph_).max() < 1e-3
    with pytest.raises(ValueError, match="precomputed_distances="):
        ParametricUMAP(metric="precomputed").fit(X)


def test_global_correlation_and_no_nan(digits):
    X = np.concatenate([digits[0][:200], digits[0][:50]])  # duplicates
    embedder = ParametricUMAP(global_correlation_loss_weight=1.0, **SHORT).fit(X)
    assert embedder._history["correlation"][-1] > embedder._history["correlation"][0]
    assert np.isfinite(embedder.embedding_).all() and np.isfinite(embedder._history["loss"]).all()


def test_landmark_retraining(digits):
    "Digits without 9s, then with them: the landmarks stay where they were, which they do not without."
    X, y = digits
    old, rest = X[y != 9], X
    embedder = ParametricUMAP(**SHORT | dict(n_epochs=20)).fit(old)
    before, plain = embedder.transform(old), pickle.loads(pickle.dumps(embedder))
    embedder.add_landmarks(old, sample_mode="predetermined", idx=list(range(0, len(old), 4)), landmark_loss_weight=1.0)
    embedder.fit(rest)
    assert embedder.embedding_.shape == (len(rest) + len(embedder.prev_epoch_X), 2)
    moved = lambda e: np.sqrt(((e.transform(old) - before)[::4] ** 2).sum(axis=1).mean() / before.var(axis=0).sum())
    assert moved(embedder) < 0.1 < 2 * moved(plain.fit(rest))
    embedder.remove_landmarks()
    assert embedder.fit(rest).embedding_.shape == (len(rest), 2)
    with pytest.raises(ValueError, match="less than one row"):
        embedder.add_landmarks(old, sample_pct=1e-4)
