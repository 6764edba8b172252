"""What the notebook of the estimator cannot check about itself: scikit-learn's own checks, other processes, broken files."""

import functools
import subprocess
import sys
import zipfile

import keras
import numba
import numpy as np
import pytest
from conftest import PEAK, ROOT, tells_its_peak
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import pairwise_distances
from sklearn.utils.estimator_checks import parametrize_with_checks

from pumap import ParametricUMAP, parametric_umap
from pumap.graph import fuzzy_graph, nearest_neighbors
from pumap.training import History

QUICK = dict(n_neighbors=5, n_training_epochs=0.1, random_state=0)

# scikit-learn's checks fit as few as ten rows: a small neighborhood, and hardly any training, keep them quick.
# No exceptions are needed. (The array API check runs only where SCIPY_ARRAY_API is set, and is skipped by scikit-learn itself.)
EXCEPTIONS = {}


def one_layer(shape, n_outputs):
    return keras.Sequential([keras.Input(shape), keras.layers.Dense(n_outputs)])


@pytest.mark.slow  # together
@parametrize_with_checks(
    [ParametricUMAP(n_neighbors=2, n_training_epochs=0.05, random_state=0)],
    expected_failed_checks=lambda estimator: EXCEPTIONS,
)
def test_scikit_learn_conventions(estimator, check):
    if "check_estimator_sparse" in str(check):  # a fit for each of 15 sparse formats; the network gets dense batches of all
        estimator.set_params(encoder=one_layer)
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:200].astype("float32") / 16, y[:200]


@pytest.fixture(scope="module")
def fitted(digits):
    return ParametricUMAP(**QUICK).fit(digits[0])


def test_a_fresh_process_transforms_alike(fitted, digits, tmp_path):
    fitted.save(tmp_path / "model.pumap")
    np.save(tmp_path / "X.npy", digits[0])
    script = (
        "import sys, numpy as np; from pumap import ParametricUMAP; folder = sys.argv[1];"
        "z = ParametricUMAP.load(folder + '/model.pumap').transform(np.load(folder + '/X.npy')); np.save(folder + '/z.npy', z)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=600)
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), fitted.transform(digits[0]))


def test_the_file_holds_neither_data_nor_graph(fitted, tmp_path):
    fitted.save(tmp_path / "model.pumap")
    with zipfile.ZipFile(tmp_path / "model.pumap") as archive:
        assert archive.namelist() == ["about.json", "embedding.npy", "encoder.keras"]
    assert [p.name for p in tmp_path.iterdir()] == ["model.pumap"]
    assert not hasattr(ParametricUMAP.load(tmp_path / "model.pumap"), "graph_")


@pytest.mark.parametrize("damage", ["cut", "text", "other zip"])
def test_a_damaged_file_is_told(fitted, tmp_path, damage):
    path = tmp_path / "model.pumap"
    fitted.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "text":
        path.write_text("not an archive")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "hello")
    with pytest.raises(ValueError, match="damaged or was not written"):
        ParametricUMAP.load(path)


def test_a_missing_file_and_an_unfitted_estimator(tmp_path):
    with pytest.raises(FileNotFoundError):
        ParametricUMAP.load(tmp_path / "nowhere")
    with pytest.raises(NotFittedError):
        ParametricUMAP().save(tmp_path / "model.pumap")
    assert not list(tmp_path.iterdir())


def test_a_place_where_no_file_can_be_is_told(fitted, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder: give the name of a file"):
        fitted.save(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere to write model.pumap into"):
        fitted.save(tmp_path / "nowhere" / "model.pumap")
    assert not list(tmp_path.iterdir())


@pytest.mark.backend
def test_objects_among_the_settings_are_named_when_saving(digits, tmp_path):
    def encoder(shape, n_components):
        return keras.Sequential([keras.Input(shape), keras.layers.Dense(n_components)])

    model = ParametricUMAP(encoder=encoder, **QUICK).fit(digits[0])
    with pytest.warns(UserWarning, match="encoder"):
        model.save(tmp_path / "model.pumap")
    loaded = ParametricUMAP.load(tmp_path / "model.pumap")
    np.testing.assert_array_equal(loaded.transform(digits[0]), model.transform(digits[0]))
    with pytest.raises(ValueError, match="not saved: function"):
        loaded.fit(digits[0])


@pytest.mark.backend
def test_a_failed_save_leaves_the_older_file(fitted, digits, tmp_path, monkeypatch):
    path = tmp_path / "model.pumap"
    fitted.save(path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        fitted.save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.backend
def test_a_model_of_the_users_is_not_trained(digits):
    own = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2)])
    before = own.get_weights()[0].copy()
    model = ParametricUMAP(encoder=own, **QUICK)
    first = model.fit_transform(digits[0])
    np.testing.assert_array_equal(own.get_weights()[0], before)
    np.testing.assert_array_equal(clone(model).fit_transform(digits[0]), first)


@pytest.mark.backend
@pytest.mark.xfail(keras.backend.backend() == "torch", reason="Keras' dropout draws from PyTorch's global generator", strict=True)
def test_batch_normalization_and_dropout_in_a_users_model(digits):
    def encoder(shape, n_components):
        layers = keras.layers
        return keras.Sequential([keras.Input(shape), layers.Dense(16), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(n_components)])

    once, twice = (ParametricUMAP(encoder=encoder, **QUICK).fit(digits[0]) for _ in range(2))
    np.testing.assert_array_equal(once.embedding_, twice.embedding_)
    np.testing.assert_allclose(once.transform(digits[0][:1]), once.embedding_[:1], atol=1e-3)  # whatever else is in the batch


@pytest.mark.backend
def test_global_seeds_neither_matter_nor_change(digits):
    import random

    np.random.seed(1), random.seed(1), keras.utils.set_random_seed(1)
    one = ParametricUMAP(**QUICK).fit_transform(digits[0])
    state = np.random.get_state()[1].tolist(), random.getstate()
    np.random.seed(1), random.seed(1)
    assert state == (np.random.get_state()[1].tolist(), random.getstate())
    keras.utils.set_random_seed(2)
    np.testing.assert_array_equal(ParametricUMAP(**QUICK).fit_transform(digits[0]), one)


@numba.njit
def manhattan(x, y):
    return np.abs(x - y).sum()


def test_a_metric_of_the_users(digits):
    own = ParametricUMAP(metric=manhattan, **QUICK).fit(digits[0]).graph_
    named = ParametricUMAP(metric="manhattan", **QUICK).fit(digits[0]).graph_
    assert abs(own - named).max() < 1e-3


@pytest.mark.parametrize(
    "metric, words",
    [(lambda x, y: abs(x - y).sum(), "'<lambda>'.*No implementation of.* abs"), (lambda x: 1.0, "too many arguments"), (functools.partial(manhattan), "partial.*fails on two rows")],
    ids=["abs", "one argument", "partial"],
)
def test_a_metric_that_numba_cannot_compile_is_told_with_the_reason(digits, metric, words):
    with pytest.raises(ValueError, match=words):
        ParametricUMAP(metric=metric, **QUICK).fit(digits[0])


@pytest.mark.filterwarnings("ignore:overflow")
def test_distances_that_overflow_are_told(digits):
    indices, distances = nearest_neighbors(digits[0], 5)
    distances[:, 1:] = np.inf
    with pytest.raises(ValueError, match="'euclidean' are infinite.*scale"):
        fuzzy_graph(digits[0], 5, precomputed_knn=(indices, distances))


@pytest.mark.parametrize("metric", ["cosine", "correlation", "canberra", "jaccard", "hellinger"])
def test_metrics_by_name_build_the_graph_of_umap_learn(digits, metric):
    import umap

    X = digits[0] > 0.5 if metric == "jaccard" else digits[0]
    X = X.astype("float32")
    theirs = umap.UMAP(n_neighbors=5, metric=metric, transform_mode="graph").fit(X).graph_
    assert abs(fuzzy_graph(X, 5, metric) - theirs).mean() < 1e-3


@tells_its_peak
@pytest.mark.slow
def test_large_sparse_data_are_never_made_dense():
    """The peak of a fresh process, over its peak after the same rows without the columns of zeros. As a dense array they would be 0.93 GiB.

    Neighbors are searched among the narrow rows only: pynndescent takes sparse rows as they are, and half a minute to compile."""
    code = """
import keras
import numpy as np
from scipy import sparse
from pumap import ParametricUMAP

def encoder(shape, n_components):
    return keras.Sequential([keras.Input(shape), keras.layers.Dense(n_components)])

def fit(X):
    return ParametricUMAP(encoder=encoder, precomputed_graph=graph, n_training_epochs=0.01, batch_size=64, random_state=0).fit_transform(X)

narrow = sparse.random(5000, 1000, density=0.02, format="csr", dtype=np.float32, random_state=np.random.default_rng(0))
wide = sparse.csr_matrix((narrow.data, 50 * narrow.indices, narrow.indptr), shape=(5000, 50_000))
graph = (narrow[:, :5] @ narrow[:, :5].T).minimum(1)
fit(narrow)
before = peak()
assert fit(wide).shape == (5000, 2)
print(peak() - before)
"""
    out = subprocess.run([sys.executable, "-c", PEAK + code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert 0 < int(out) < 2**29  # some hundred rows, which the axes are found from, are dense, and so are batches


@pytest.mark.backend
def test_one_row_and_many(fitted, digits):
    one = fitted.transform(digits[0][:1])
    np.testing.assert_allclose(one, fitted.embedding_[:1], atol=1e-4)
    many = np.tile(digits[0], (100, 1))
    np.testing.assert_allclose(fitted.transform(many)[-200:], fitted.embedding_, atol=1e-4)


@pytest.mark.parametrize(
    "settings, word",
    [
        (dict(n_components=0), "n_components"),
        (dict(n_neighbors=1), "n_neighbors"),
        (dict(min_dist=2.0), "min_dist"),
        (dict(spread=0), "spread"),
        (dict(metric="far"), "metric"),
        (dict(metric="precomputed"), "precomputed_distances"),
        (dict(loss="wrong"), "loss"),
        (dict(solver="magic"), "solver"),
        (dict(n_training_epochs=0), "n_training_epochs"),
        (dict(batch_size=1), "batch_size"),
        (dict(learning_rate=-1), "learning_rate"),
        (dict(a=1.0), "give both"),
        (dict(set_op_mix_ratio=2), "set_op_mix_ratio"),
        (dict(local_connectivity="one"), "local_connectivity"),
        (dict(validation_fraction="half"), "validation_fraction"),
        (dict(dims=(7, 9)), "dims"),
        (dict(dims=(8, 8, None)), "product is 64"),
        (dict(dims=(-8, -8)), "product is 64"),
        (dict(encoder="resnet"), "encoder"),
        (dict(encoder="conv28"), "(28, 28)"),
        (dict(decoder="resnet"), "decoder"),
        (dict(precomputed_knn=(np.zeros((3, 3), int), np.zeros((3, 3)))), "precomputed_knn"),
        (dict(precomputed_knn=(np.tile(np.arange(0.0, 5), (200, 1)), np.zeros((200, 5), int))), "in this order"),  # as scikit-learn's kneighbors has them
        (dict(precomputed_graph=sparse.eye(3)), "precomputed_graph"),
    ],
)
def test_settings_that_cannot_be(digits, settings, word):
    with pytest.raises(ValueError, match=word):
        ParametricUMAP(**{**QUICK, **settings}).fit(digits[0])


def test_no_setting_is_forgotten(digits, monkeypatch):
    "Each setting changes what the training loop is given: the edges, the networks or its own settings. Nothing is trained."
    X, calls = digits[0], []

    def loop(rows, edges, encoder, loss, decoding, options, *stages):
        *stages, _ = stages  # the generator comes last
        networks = [model and (model.input_shape, model.output_shape, model.count_params(), model.layers[0].dtype_policy.name) for model in (encoder, decoding and decoding.model)]
        calls.append(repr((len(edges.weight), edges.weight.sum(dtype=float), loss, networks, rows.shape, decoding and decoding[1:], options, stages)))
        return {}

    def call(y=None, landmark_positions=None, **settings):
        ParametricUMAP(**settings).fit(X, y, landmark_positions)
        return calls.pop()

    def decoder_loop(embedding, rows, decoder, loss, options, random_state):
        calls[-1] += repr((decoder.input_shape, loss, options))
        return {"reconstruction": []}

    for name in ("fit_encoder_fast", "fit_encoder"):
        monkeypatch.setattr(parametric_umap, name, loop)
    monkeypatch.setattr(parametric_umap, "fit_decoder", decoder_loop)
    manhattan_knn = nearest_neighbors(X, 15, "manhattan")
    decoder, stopping = dict(decoder="mlp"), dict(early_stopping=True)
    landmarks, targets = dict(landmark_positions=np.zeros((200, 2))), dict(y=digits[1])
    changes = {  # setting -> (a value, what else must be set for it to count)
        "n_components": (3, {}), "n_neighbors": (7, {}), "min_dist": (0.5, {}), "spread": (2.0, {}), "metric": ("manhattan", {}),
        "metric_kwds": ({"p": 3}, {"metric": "minkowski"}), "encoder": (lambda shape, n: keras.Sequential([keras.Input(shape), keras.layers.Dense(n)]), {}),
        "decoder": ("mlp", {}), "dims": ((8, 8), {}), "solver": ("paper", {}), "n_training_epochs": (0.3, {}), "batch_size": (50, {}), "learning_rate": (0.1, {}),
        "negative_sample_rate": (3, {}), "repulsion_strength": (2.0, {}), "loss": ("exact", {}), "a": (1.0, {"b": 0.895}), "b": (1.0, {"a": 1.577}),
        "edge_sampling": ("paper", {}), "early_stopping": (True, {}), "validation_fraction": (0.3, stopping), "n_iter_no_change": (3, stopping),
        "solver_options": ({"layout_passes": 3}, {}), "n_epochs": (2, {}), "set_op_mix_ratio": (0.5, {}), "local_connectivity": (3.0, {}),
        "precomputed_knn": (manhattan_knn, {}), "precomputed_graph": (fuzzy_graph(X, 5), {}), "precomputed_distances": (pairwise_distances(X, metric="manhattan"), {}), "autoencoder_loss": (True, decoder),
        "n_decoder_epochs": (3, decoder), "reconstruction_loss": ("mse", decoder), "parametric_reconstruction_loss_weight": (2.0, decoder | dict(autoencoder_loss=True)), "dtype": ("mixed_bfloat16", {}), "random_state": (0, {}), "verbose": (True, {}),
        "optimizer": ("sgd", {}), "callbacks": ([keras.callbacks.Callback()], {}), "landmark_loss": ("mse", landmarks), "landmark_loss_weight": (2.0, landmarks),
        "target_metric": ("l2", targets), "target_weight": (0.8, targets), "global_correlation_loss_weight": (1.0, {}),
        "reconstruction_validation": (X[:5], decoder),
    }  # fmt: skip
    assert set(changes) == set(ParametricUMAP().get_params()) - {"n_jobs", "warm_start"}  # which count for the time, and for another fit
    without = {}
    for name, (value, rest) in changes.items():
        if repr(rest) not in without:
            without[repr(rest)] = call(**rest if name not in ("a", "b") else {})
        assert call(**rest, **{name: value}) != without[repr(rest)], f"{name} counts for nothing"


@pytest.mark.parametrize("missing", [-1, "-1"])
def test_words_may_have_unknown_classes(digits, missing):
    X, y = digits
    some = np.where(y < 5, y, -1)
    words = [f"digit {c}" if c >= 0 else missing for c in some]
    as_numbers, as_words = (ParametricUMAP(**QUICK).fit(X, labels).graph_ for labels in (some, words))
    assert (as_numbers != as_words).nnz == 0


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("as_array", [False, True])
def test_labels_that_are_missing(digits, missing, as_array):
    X, y = digits
    for labels in ([f"digit {c}" if c < 5 else missing for c in y], [float(c) if c < 5 else missing for c in y]):
        with pytest.raises(ValueError, match="without a label has -1"):
            ParametricUMAP(**QUICK).fit(X, np.array(labels) if as_array else labels)


def test_a_width_of_numpys_and_one_that_changes_after_the_fit(digits):
    fitted = ParametricUMAP(np.int64(2), decoder="mlp", **QUICK)
    with pytest.raises(NotFittedError):
        fitted.get_feature_names_out()
    fitted.fit(digits[0])
    fitted.set_params(n_components=3)  # for the next fit; what is fitted has two
    assert len(fitted.get_feature_names_out()) == 2
    assert fitted.inverse_transform(fitted.embedding_[:5]).shape == (5, 64)


def test_a_decoder_that_cannot_reach_the_rows_is_told(digits):
    with pytest.warns(UserWarning, match="ends in a sigmoid"):
        ParametricUMAP(decoder="mlp", reconstruction_loss="mse", **QUICK).fit(16 * digits[0])


def test_a_loss_that_explodes_is_told():
    history = History(1, ("attraction", "repulsion"))
    with pytest.raises(ValueError, match="no longer a number at step 1"):
        history.add(1, np.array([float("nan"), 0.0]))


def test_distances_may_be_given(digits):
    "They make the graph; the encoder takes the features."
    X = digits[0][:120]
    given = ParametricUMAP(precomputed_distances=pairwise_distances(X, metric="manhattan"), n_training_epochs=0.01, random_state=0).fit(X)
    searched = ParametricUMAP(metric="manhattan", n_training_epochs=0.01, random_state=0).fit(X)
    assert abs(given.graph_ - searched.graph_).max() < 1e-5 and given.transform(X[:3]).shape == (3, 2)
    for settings, words in (
        (dict(metric="precomputed"), "precomputed_distances"),
        (dict(precomputed_distances=np.zeros((3, 3))), "has shape"),
        (dict(precomputed_distances=np.zeros((120, 120)), precomputed_graph=given.graph_), "both given"),
    ):
        with pytest.raises(ValueError, match=words):
            ParametricUMAP(**settings).fit(X)
