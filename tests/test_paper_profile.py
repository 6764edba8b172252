"""The `paper` profile needs a GPU, its code does not: every cell takes a step or so, with the original's networks and batch sizes, on made-up rows."""

import types

import numpy as np
import pytest

from pumap import datasets
from pumap import experiments as ex

ROWS, FEW = 1100, 300  # more than a batch; enough for methods that take all rows at once


@pytest.fixture(autouse=True)
def forget_networks():
    "Frees a cell's networks before the next: together they would take gigabytes."
    yield
    import keras

    keras.utils.clear_session(free_memory=True)


@pytest.mark.parametrize("cell", ex.profile("paper").cells, ids=lambda cell: cell.id)
def test_a_step_of_each_cell(cell):
    shape = datasets.describe(cell.dataset)["shape"]
    n_rows = ROWS if cell.method in ex.PARAMETRIC else FEW
    X = np.random.default_rng(0).random((n_rows, *shape), dtype=np.float32)
    rows = types.SimpleNamespace(X_train=X, shape=shape)
    one_step = {"n_training_epochs": 1e-6} if "n_training_epochs" in ex.settings_for(cell, "paper") else {}
    model = ex.method_of(cell, rows, "paper", **one_step).fit(X)
    assert model.embedding_.shape == (n_rows, cell.n_components)
    z = model.transform(X[:10])
    assert z.shape == (10, cell.n_components) and np.isfinite(z).all()
    if cell.method in ex.PARAMETRIC:
        assert model.history_["step"] == [1]
        network = {"mnist": "conv28_encoder", "fmnist": "conv28_encoder", "cifar10": "conv32_encoder", "cassins": "song_encoder"}.get(cell.dataset, "mlp_encoder")
        assert model.encoder_.name == ("means" if cell.method == "vae" else network)
    if cell.method in ex.DECODING:
        assert model.inverse_transform(z).shape == (10, *shape)
