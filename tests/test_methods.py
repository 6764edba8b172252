"""The baseline methods: bad input, seeds, inverse transforms, and t-SNE's probabilities compared with a plain implementation."""

import pickle
import sys

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from pumap.baselines import METHODS, make_method
from pumap.losses import tsne_probabilities
from pumap.networks import build_decoder, build_encoder

X = load_digits().data[:150].reshape(-1, 8, 8).astype("float32") / 16
SHORT = {
    "pumap": dict(n_training_epochs=0.1),
    "umap_ae": dict(n_training_epochs=0.1, n_decoder_epochs=3),
    "pumap_decoder": dict(n_training_epochs=0.1, n_decoder_epochs=3),
    "ptsne": dict(n_training_epochs=3),
    "vae": dict(n_training_epochs=3),
    "ae": dict(n_training_epochs=3),
}
DECODING = ("umap_ae", "pumap_decoder", "vae", "ae")


def fitted(method, seed=0, rows=X, **settings):
    return make_method(method, random_state=seed, **{**SHORT.get(method, {}), **settings}).fit(rows)


# bad input


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad, word", [(np.nan, "NaN"), (np.inf, "infinity")])
def test_values_that_are_no_numbers(method, bad, word):
    rows = X.copy()
    rows[3, 2, 1] = bad
    with pytest.raises(ValueError, match=word):
        fitted(method, rows=rows)


@pytest.mark.parametrize("method", DECODING)
def test_a_sigmoid_cannot_reach_these(method):
    with pytest.raises(ValueError, match="between 0 and 1"):
        fitted(method, rows=16 * X)


@pytest.mark.parametrize("method", DECODING)
def test_scaling_into_the_unit_range(method):
    model = fitted(method, rows=16 * X - 3, unit_range=True)
    assert_array_equal(model.method_.embedding_, model.embedding_)
    rows = model.inverse_transform(model.embedding_)
    assert rows.shape == X.shape and rows.min() >= -3 and rows.max() <= 13 and rows.max() > 2
    assert_allclose(model.transform(16 * X - 3), model.embedding_, atol=1e-4)
    assert clone(model).get_params()["method__n_components"] == 2


@pytest.mark.parametrize("method", ("ptsne", "vae", "ae"))
@pytest.mark.parametrize(
    "setting", [dict(n_training_epochs=0), dict(n_training_epochs=None), dict(learning_rate=-1.0), dict(batch_size=1), dict(n_components=0), dict(batch_size=2.5)]
)
def test_settings_that_cannot_be(method, setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        fitted(method, **setting)


@pytest.mark.parametrize(
    "method, setting, word",
    [
        ("ptsne", dict(perplexity=50), "third of the rows"),
        ("ptsne", dict(perplexity=-1), "perplexity"),
        ("ptsne", dict(encoder="conv32"), "32, 32, 3"),
        ("ae", dict(encoder="song"), "32, 31"),
        ("ae", dict(reconstruction_loss="l1"), "mse"),
        ("vae", dict(weighting="beta"), "elbo"),
        ("vae", dict(encoder=lambda shape, n: keras.Sequential([layers.Flatten(), layers.Dense(n)])), "decoder"),
        ("umap_ae", dict(encoder=lambda shape, n: keras.Sequential([layers.Flatten(), layers.Dense(n)])), "decoder"),
        ("umap_ae", dict(perplexity=3), "does not take"),
    ],
)
def test_settings_of_a_method(method, setting, word):
    with pytest.raises(ValueError, match=word):
        fitted(method, **setting)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(ImportError, match=r"openTSNE: pip install 'pumap\[paper\]'"):
        fitted("tsne")


@pytest.mark.backend
def test_training_that_diverges_raises_an_error():
    with pytest.raises(ValueError, match="no longer a number"):
        fitted("ae", rows=1e30 * X, reconstruction_loss="mse")


# seeds and copies


@pytest.mark.parametrize("method", SHORT)
@pytest.mark.backend
def test_one_seed_one_embedding(method):
    first, same, other = (fitted(method, seed).embedding_ for seed in (0, 0, 1))
    assert_array_equal(first, same)
    assert abs(first - other).max() > 1e-3


@pytest.mark.parametrize("method", ("ptsne", "vae", "ae"))
def test_copies(method):
    model = fitted(method)
    assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))
    assert not hasattr(clone(model), "embedding_")


# inverse transforms


@pytest.mark.parametrize("solver", ["fast", "paper"])
@pytest.mark.parametrize("method, changes", [("pumap_decoder", False), ("umap_ae", True)])
def test_whether_a_decoder_changes_the_embedding(method, changes, solver):
    "Behind a stop-gradient the weight of the reconstruction does not change the encoder."
    once, heavier = (fitted(method, solver=solver, parametric_reconstruction_loss_weight=weight) for weight in (1.0, 20.0))
    assert (abs(once.embedding_ - heavier.embedding_).max() > 1e-3) == changes


@pytest.mark.parametrize("settings", [{}, dict(early_stopping=True), dict(encoder="conv28")])
def test_a_decoder_of_the_fast_solver_leaves_the_embedding_as_it_is(settings):
    rows = X if "encoder" not in settings else np.random.default_rng(0).random((60, 28, 28, 1), dtype=np.float32)
    alone, both = (fitted(method, rows=rows, batch_size=20, **settings) for method in ("pumap", "pumap_decoder"))
    assert_array_equal(alone.embedding_, both.embedding_)
    assert "reconstruction" not in both.history_ and both.history_["decoder"][-1] < both.history_["decoder"][0]


def test_a_decoder_trains_for_the_given_epochs():
    errors = []
    for n_decoder_epochs in (1, 100):
        for method in ("umap_ae", "pumap_decoder"):
            model = fitted(method, n_decoder_epochs=n_decoder_epochs)
            errors.append(((model.inverse_transform(model.embedding_) - X) ** 2).mean())
    assert max(errors[2:]) < 0.9 * min(errors[:2])
    assert "decoder" not in fitted("pumap_decoder", solver="paper", n_decoder_epochs=None).history_
    assert len(fitted("pumap_decoder", solver="paper", n_decoder_epochs=2).history_["decoder"]) == 3  # steps of 100 of the 150 rows


def test_the_embedding_of_the_vae_is_its_means():
    "Means of clusters far apart are far apart; logarithms of variances are not."
    rows = np.repeat([np.zeros(64), np.ones(64)], 50, axis=0).astype("float32")
    z = fitted("vae", rows=rows, n_training_epochs=300).embedding_
    assert np.linalg.norm(z[0] - z[-1]) > 2


def test_inverse_transform_of_umap():
    model = fitted("umap", n_epochs=50)
    rows = model.inverse_transform(model.embedding_[:5])
    assert rows.shape == (5, 8, 8) and rows.dtype == np.float32
    assert ((rows - X[:5]) ** 2).mean() < ((X.mean(axis=0) - X[:5]) ** 2).mean()


def test_umap_has_no_inverse_transform_from_many_dimensions():
    model = fitted("umap", n_components=8, n_epochs=10)
    with pytest.raises(ValueError, match="fewer than 8"):
        model.inverse_transform(model.embedding_[:5])


@pytest.mark.parametrize("name, shape", [("conv32", (32, 32, 3)), ("song", (32, 31)), ("song", (32, 32, 1))])
@pytest.mark.backend
def test_networks_survive_their_file(name, shape, tmp_path):
    for model in (build_encoder(name, shape, 2, 0), build_decoder(name, shape, 2, 0)):
        model.save(tmp_path / "model.keras")
        x = np.random.default_rng(0).random((3, *model.input_shape[1:]), dtype=np.float32)
        again, once = (keras.ops.convert_to_numpy(network(x)) for network in (keras.saving.load_model(tmp_path / "model.keras"), model))
        assert_allclose(again, once, atol=1e-6)


def test_an_autoencoder_of_song():
    rows = np.random.default_rng(0).random((40, 32, 31), dtype=np.float32)
    model = fitted("ae", rows=rows, encoder="song", n_training_epochs=1)
    assert model.decoder_.name == "song_decoder"
    assert model.inverse_transform(model.embedding_).shape == rows.shape


# t-SNE's probabilities


def plain_probabilities(rows, perplexity):
    "Row by row, pair by pair, in double precision."
    rows = rows.reshape(len(rows), -1).astype("float64")
    P = np.zeros((len(rows), len(rows)))
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        d2 = np.square(rows[others] - rows[i]).sum(axis=1)
        low, high = 1e-10, 1e10
        for _ in range(200):
            beta = np.sqrt(low * high)
            p = np.exp(-beta * (d2 - d2.min()))
            p /= p.sum()
            entropy = -(p[p > 0] * np.log(p[p > 0])).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
        P[i, others] = p
    return (P + P.T) / (P + P.T).sum()


@pytest.mark.parametrize("perplexity", (5, 30))
@pytest.mark.parametrize("scale, shift", [(1, 0), (1000, 0), (0.001, 0), (1, 50)])
def test_probabilities_are_those_of_the_plain_formulas(perplexity, scale, shift):
    rows = scale * X[:120].astype("float64") + shift
    assert_allclose(tsne_probabilities(rows, perplexity, chunk=50), plain_probabilities(rows, perplexity), rtol=2e-4, atol=1e-10)


def test_probabilities_of_many_equal_rows():
    rows = np.concatenate([np.zeros((80, 3)), np.random.default_rng(0).normal(size=(40, 3))])
    P = tsne_probabilities(rows, perplexity=10)
    assert np.isfinite(P).all() and abs(P.sum() - 1) < 1e-5 and (P.diagonal() == 0).all()
