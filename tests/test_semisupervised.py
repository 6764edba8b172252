"""Checks that the notebook of the semi-supervised classifier cannot make: scikit-learn's own, other processes, bad labels, broken files."""

import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from pumap import semisupervised
from pumap.graph import Edges
from pumap.semisupervised import AUGMENTATIONS, SemiSupervisedClassifier, augmentation, encode_labels, joint_network, row_function

QUICK = dict(n_neighbors=5, n_steps=10, batch_size=50, random_state=0)

# scikit-learn's checks fit as few as ten rows: a small neighborhood and a short training keep them quick.
EXCEPTIONS = {
    "check_classifiers_classes": "it takes -1 for a class; here -1 marks a row without a label",
    "check_methods_sample_order_invariance": "it compares nine digits; in float32 a row's place in a batch moves the seventh on some processors (see below)",
}


def one_layer(shape, n_outputs):
    return keras.Sequential([keras.Input(shape), keras.layers.Dense(n_outputs)])


@parametrize_with_checks(
    [SemiSupervisedClassifier(n_neighbors=2, n_steps=30, batch_size=50, stop_on="never", random_state=0)],
    expected_failed_checks=lambda estimator: EXCEPTIONS,
)
def test_scikit_learn_conventions(estimator, check):
    if "check_estimator_sparse" in str(check):  # a fit for each of 15 sparse formats; the network gets dense batches of all
        estimator.set_params(encoder=one_layer)
    check(estimator)


def test_the_order_of_rows_does_not_matter():
    X, truth = make_moons(60, noise=0.1, random_state=0)
    model = SemiSupervisedClassifier(n_neighbors=2, n_steps=30, batch_size=50, stop_on="never", random_state=0).fit(X, truth)
    order = np.random.default_rng(0).permutation(60)
    for method in (model.transform, model.predict_proba):
        np.testing.assert_allclose(method(X[order]), method(X)[order], atol=1e-6)
    np.testing.assert_array_equal(model.predict(X[order]), model.predict(X)[order])


@pytest.fixture(scope="module")
def moons():
    X, truth = make_moons(200, noise=0.1, random_state=0)
    y = np.where(np.arange(200) < 20, truth, -1)
    return X.astype("float32"), y


@pytest.fixture(scope="module")
def fitted(moons):
    return SemiSupervisedClassifier(**QUICK).fit(*moons)


def test_a_fresh_process_predicts_alike(fitted, moons, tmp_path):
    fitted.save(tmp_path / "model.pumap")
    np.save(tmp_path / "X.npy", moons[0])
    script = (
        "import sys, numpy as np; from pumap.semisupervised import SemiSupervisedClassifier; folder = sys.argv[1];"
        "model = SemiSupervisedClassifier.load(folder + '/model.pumap'); X = np.load(folder + '/X.npy');"
        "np.savez(folder + '/out.npz', p=model.predict_proba(X), z=model.transform(X), y=model.predict(X))"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=600)
    out = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(out["p"], fitted.predict_proba(moons[0]))
    np.testing.assert_array_equal(out["z"], fitted.transform(moons[0]))
    np.testing.assert_array_equal(out["y"], fitted.predict(moons[0]))


@pytest.mark.backend
def test_words_survive_the_file(moons, tmp_path):
    X, y = moons
    words = np.array(["left", "right", -1], dtype=object)[y]
    model = SemiSupervisedClassifier(**QUICK).fit(X, words)
    assert list(model.classes_) == ["left", "right"]
    model.save(tmp_path / "model.pumap")
    loaded = SemiSupervisedClassifier.load(tmp_path / "model.pumap")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.get_params() == model.get_params() and not hasattr(loaded, "graph_")


@pytest.mark.parametrize("damage", ["cut", "text", "other zip"])
def test_a_damaged_file_raises(fitted, tmp_path, damage):
    path = tmp_path / "model.pumap"
    fitted.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "text":
        path.write_text("not an archive")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "hello")
    with pytest.raises(ValueError, match="damaged or was not written by SemiSupervisedClassifier"):
        SemiSupervisedClassifier.load(path)


def test_a_file_of_the_other_estimator_raises(moons, tmp_path):
    from pumap import ParametricUMAP

    ParametricUMAP(n_neighbors=5, n_training_epochs=0.05, random_state=0).fit(moons[0]).save(tmp_path / "model.pumap")
    with pytest.raises(ValueError, match="SemiSupervisedClassifier reads"):
        SemiSupervisedClassifier.load(tmp_path / "model.pumap")
    with pytest.raises(NotFittedError):
        SemiSupervisedClassifier().save(tmp_path / "other.pumap")


@pytest.mark.parametrize(
    "labels, words",
    [
        ([-1] * 200, "No row has a label"),
        ([0] * 20 + [-1] * 180, "one class"),
        (np.arange(200) % 2 * 0.5, "continuous"),
        (np.where(np.arange(200) < 20, 0.0, np.nan), r"NaN; .*fillna\(-1\)"),
        ([0, 1] * 99, "198 labels for 200 rows"),
        ([0, 1] * 99 + [-2, 1], "-2"),
        (["a", "b"] * 99 + [None, "a"], "None"),
        (["a", "b"] * 99 + [float("nan"), "a"], "nan"),
        (np.array(["a", "b"] * 99 + [float("nan"), "a"]), "the string 'nan'"),
        (np.array(["a", 1] * 100, dtype=object), "not both"),
        (None, "y is None"),
        (np.zeros((200, 2), int), "1d"),
    ],
)
def test_bad_labels_raise(moons, labels, words):
    model = SemiSupervisedClassifier(**QUICK)
    with pytest.raises(ValueError, match=words):
        model.fit(moons[0], np.array(labels, dtype=object) if isinstance(labels, list) and None in labels else labels)
    with pytest.raises(NotFittedError):
        model.predict(moons[0])


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(graph="knn"), "'learned'"),
        (dict(graph=sparse.eye(7)), r"\(200, 200\)"),
        (dict(umap_weight=-1), "umap_weight"),
        (dict(n_steps=0), "n_steps"),
        (dict(stop_on="given"), "validation"),
        (dict(stop_on="always"), "never"),
        (dict(augment=3), "augment"),
        (dict(augment="rotate"), "mnist_stage2"),
        (dict(augment="mnist"), "dims"),
        (dict(label_smoothing=1.0), "label_smoothing"),
        (dict(augment=lambda rows: rows[:3]), r"shape \(3, 2\)"),
        (dict(encoder="transformer"), "transformer"),
        (dict(validation_fraction=1.5), "validation_fraction"),
        (dict(stop_on="labeled", validation_fraction=0.97), "keeps back 19 of 20"),
        (dict(head_layers=64), "head_layers is 64"),
        (dict(head_layers=(0,)), "head_layers"),
    ],
)
def test_bad_settings_raise(moons, settings, words):
    with pytest.raises(ValueError, match=words):
        SemiSupervisedClassifier(**QUICK | settings).fit(*moons)


def test_labels_of_pandas():
    numbers = pd.Series([0, -1, 1, 0], dtype="Int64")
    np.testing.assert_array_equal(encode_labels(numbers, 4)[0], [0, -1, 1, 0])
    with pytest.raises(ValueError, match="without a label"):
        encode_labels(numbers.replace(-1, pd.NA), 4)


def test_widths_of_numpys():
    assert joint_network("mlp", (2,), 2, np.int64(3), np.int64(8), (np.int64(4),)).output_shape == [(None, 3), (None, 2)]


def test_names_of_what_is_fitted(moons):
    changed = SemiSupervisedClassifier(**QUICK)
    with pytest.raises(NotFittedError):
        changed.get_feature_names_out()
    changed.fit(*moons).set_params(n_components=3)  # for the next fit
    assert len(changed.get_feature_names_out()) == 64


def test_validation_must_be_a_pair(moons):
    with pytest.raises(ValueError, match=r"\(X, y\)"):
        SemiSupervisedClassifier(**QUICK | dict(stop_on="given")).fit(*moons, validation=moons[0])


def test_a_failed_fit_leaves_nothing_fitted(moons):
    model = SemiSupervisedClassifier(**QUICK).fit(*moons)
    with pytest.raises(ValueError):
        model.fit(moons[0], [-1] * 200)
    with pytest.raises(NotFittedError):
        model.predict(moons[0])


@pytest.mark.backend
def test_the_best_weights_of_a_validation_are_used():
    X, y = load_digits(return_X_y=True)
    X = X[:300].astype("float32") / 16
    model = SemiSupervisedClassifier(**QUICK | dict(n_steps=60, n_rounds=12, patience=2)).fit(X, y[:300])
    kept = np.setdiff1d(np.arange(300), model.labeled_)
    accuracy = model.history_["validation_accuracy"]
    assert len(kept) == 60 and model.score(X[kept], y[kept]) == max(accuracy)
    assert len(accuracy) == 12 or max(accuracy[-2:]) < max(accuracy)  # ended early only after two rounds that were no better


def test_what_is_kept_back_is_not_in_the_graph():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300].astype("float32") / 16, y[:300]
    shared = dict(QUICK, stop_on="labeled", labels_in_graph=True)
    model = SemiSupervisedClassifier(**shared).fit(X, y)
    kept = np.setdiff1d(np.arange(300), model.labeled_)
    other = y.copy()
    other[kept] = np.roll(y[kept], 1)
    again = SemiSupervisedClassifier(**QUICK, labels_in_graph=True, stop_on="never").fit(X, np.where(np.isin(np.arange(300), kept), -1, other))
    assert abs(model.graph_ - again.graph_).max() < 1e-6


def test_no_setting_is_forgotten(moons, monkeypatch):
    "Each setting changes an argument of the training loop: the labels, the edges, the network, the loss or the options. Nothing is trained."
    X, calls = moons[0], []
    y = np.where(np.arange(200) < 60, moons[1][0] + np.arange(200) % 2, -1)  # thirty labels of each of two classes
    y -= y[y >= 0].min() * (y >= 0)

    def loop(rows, labeled, edges, model, loss, options, validation, random_state):
        drawn = (len(edges.weight), edges.weight.sum(dtype=float)) if isinstance(edges, Edges) else callable(edges)
        network = [output.shape for output in model.outputs], model.count_params(), sorted({type(layer).__name__ for layer in model.layers})
        targets = labeled.targets.sum(axis=0).tolist(), labeled.targets.max()
        calls.append((len(labeled.indices), targets, drawn, network, loss, rows.shape, validation and validation.patience, options))
        return {}

    def call(validation=None, **settings):
        calls.clear()
        SemiSupervisedClassifier(**{"n_neighbors": 5, "random_state": 0} | settings).fit(X, y, validation)
        return repr(calls)

    monkeypatch.setattr(semisupervised, "fit_jointly", loop)
    learned = dict(graph="learned")
    changes = {  # setting -> (a value, what else must be set for it to count)
        "encoder": ("mlp", {}), "n_components": (3, {}), "n_shared": (8, {}), "head_layers": ((5,), {}), "weight_norm": (True, {"n_shared": 8}), "dims": ((1, 2), {}),
        "umap_weight": (2.0, {}), "graph": ("learned", {}), "labels_in_graph": (True, {}), "augment": (np.negative, {}), "n_neighbors": (7, {}), "metric": ("manhattan", {}),
        "metric_kwds": ({"p": 3}, {"metric": "minkowski"}), "min_dist": (0.5, {}), "spread": (2.0, {}), "n_steps": (7, {}), "n_label_steps": (3, learned), "n_rounds": (3, {}),
        "batch_size": (50, {}), "labeled_batch_size": (5, {}), "label_smoothing": (0.2, {}), "learning_rate": (0.1, {}), "negative_sample_rate": (3, {}),
        "repulsion_strength": (2.0, {}), "edge_sampling": ("weighted", {}), "loss": ("exact", {}), "n_epochs": (2, {}), "stop_on": ("never", {}),
        "validation_fraction": (0.4, {}), "patience": (3, {}), "verbose": (True, {}),
    }  # fmt: skip
    assert set(changes) == set(SemiSupervisedClassifier().get_params()) - {"n_jobs", "random_state"}
    without = {}
    for name, (value, rest) in changes.items():
        if repr(rest) not in without:
            without[repr(rest)] = call(**rest)
        assert call(**rest, **{name: value}) != without[repr(rest)], f"{name} has no effect"


def test_the_learned_graph_is_rebuilt_from_what_was_learned(moons, monkeypatch):
    "Once before the first round and after each round but the last, each time among rows that have moved."
    among, real = [], semisupervised.joint_graph
    monkeypatch.setattr(semisupervised, "joint_graph", lambda settings, rows, *rest: (among.append(np.array(rows)), real(settings, rows, *rest))[1])
    model = SemiSupervisedClassifier(**QUICK, graph="learned", n_rounds=3, stop_on="never").fit(*moons)
    assert len(among) == 3 and all(rows.shape == (200, 64) for rows in among)
    assert all(abs(later - earlier).max() > 1e-3 for earlier, later in zip(among, among[1:]))
    assert model.graph_.shape == (200, 200)


@pytest.mark.backend
def test_augmentation_and_a_users_network(moons):
    def noise(rows):
        return rows + 0.01

    own = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(16)])
    before = own.get_weights()[0].copy()
    model = SemiSupervisedClassifier(encoder=own, n_components=16, augment=noise, **QUICK).fit(*moons)
    assert model.transform(moons[0]).shape == (200, 16)
    np.testing.assert_array_equal(own.get_weights()[0], before)


def test_global_seeds_neither_matter_nor_change(moons):
    import random

    np.random.seed(1), random.seed(1), keras.utils.set_random_seed(1)
    one = SemiSupervisedClassifier(**QUICK).fit(*moons).predict_proba(moons[0])
    state = np.random.get_state()[1].tolist(), random.getstate()
    np.random.seed(1), random.seed(1)
    assert state == (np.random.get_state()[1].tolist(), random.getstate())
    keras.utils.set_random_seed(2)
    np.testing.assert_array_equal(SemiSupervisedClassifier(**QUICK).fit(*moons).predict_proba(moons[0]), one)


PAPER_Y = dict(encoder="cnn13", n_shared=256, head_layers=(256, 256), n_components=1024, weight_norm=True)


def test_the_papers_configuration_takes_steps_and_survives_the_file(tmp_path):
    X, y = load_digits(return_X_y=True)
    X = np.kron(X[:40].reshape(-1, 8, 8, 1) / 16, np.ones((1, 2, 2, 1))).astype("float32")  # 16 x 16: the original's network, small images
    y = np.where(np.arange(40) < 20, y[:40], -1)
    shared = PAPER_Y | dict(graph="learned", labels_in_graph=True, label_smoothing=0.2, augment="mnist", n_neighbors=5)
    model = SemiSupervisedClassifier(**shared, n_steps=3, n_label_steps=1, n_rounds=2, batch_size=6, labeled_batch_size=6, random_state=0).fit(X, y)
    assert model.transform(X[:5]).shape == (5, 1024)
    assert np.isfinite(model.history_["umap"]).all() and min(model.history_["classification"]) > 0.866  # what label smoothing leaves at best
    model.save(tmp_path / "model.pumap")
    loaded = SemiSupervisedClassifier.load(tmp_path / "model.pumap")
    np.testing.assert_array_equal(loaded.predict_proba(X[:5]), model.predict_proba(X[:5]))
    assert loaded.get_params() == model.get_params()


def test_the_file_is_as_it_was_and_older_ones_load(fitted, moons, tmp_path):
    path, older = tmp_path / "model.pumap", tmp_path / "older.pumap"
    fitted.save(path)
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(older, "w") as old:
        assert sorted(new.namelist()) == ["about.json", "classes.npy", "labeled.npy", "network.keras"]
        about = json.loads(new.read("about.json"))
        assert about["format"] == "pumap SemiSupervisedClassifier 1"
        assert sorted(about["fitted"]) == sorted(["a_", "b_", "n_features_in_", "_row_shape", "_input_shape", "_offset", "history_", "feature_names_in_"])
        about["fitted"].pop("_offset")  # came later, too
        for name in ("weight_norm", "label_smoothing"):  # settings that came later
            about["settings"].pop(name)
        old.writestr("about.json", json.dumps(about))
        for name in ("classes.npy", "labeled.npy", "network.keras"):
            old.writestr(name, new.read(name))
    np.testing.assert_array_equal(SemiSupervisedClassifier.load(older).predict_proba(moons[0]), fitted.predict_proba(moons[0]))


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.backend
def test_a_compiled_augmentation_draws_what_the_layer_draws(name):
    images = np.random.default_rng(0).random((6, 12, 12, 3), dtype=np.float32)
    layer, function = augmentation(name, random_state=3), row_function(augmentation(name, random_state=3))
    for _ in range(2):
        np.testing.assert_allclose(function(images), layer(images, training=True), atol=1e-5)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_survives_keras(name):
    layer = augmentation(name, random_state=3)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    images = np.random.default_rng(0).random((30, 12, 12, 3), dtype=np.float32)
    np.testing.assert_array_equal(layer(images), copy(images))
    assert (np.asarray(layer(images)) != np.asarray(augmentation(name, random_state=3)(images))).any()  # the next draw is another one


def test_values_out_of_range_raise():
    X, y = load_digits(return_X_y=True)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        SemiSupervisedClassifier(augment="fmnist", dims=(8, 8, 1), **QUICK).fit(X[:100], y[:100])
    with pytest.raises(ValueError, match="three channels"):
        SemiSupervisedClassifier(augment="cifar10", dims=(8, 8, 1), **QUICK).fit(X[:100] / 16, y[:100])
