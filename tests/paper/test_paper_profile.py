"""The `paper` profile needs a GPU, its code does not: every cell takes three steps, with the original's networks, on made-up rows.

The batches are the original's, too, but where a step of a thousand edges takes a core ten seconds: those cells take a hundred."""

import types

import numpy as np
import pytest

from pumap import baselines, training
from pumap.paper import datasets
from pumap.paper import experiments as ex

ROWS, FEW = 1100, 300  # more than a batch; enough for methods that take all rows at once
STEPS, SMALL_BATCH = 3, 100


@pytest.fixture(autouse=True)
def forget_networks():
    "Frees a cell's networks before the next: together they would take gigabytes."
    yield
    import keras

    keras.utils.clear_session(free_memory=True)


def different_cells():
    "One cell for each method, shape of a row and settings: of MNIST and Fashion-MNIST, which are alike here, the first."
    cells = {}
    for cell in ex.profile("paper").cells:
        alike = (cell.method, cell.n_components, datasets.describe(cell.dataset)["shape"], tuple(cell.settings(ex.profile("paper")).items()))
        cells.setdefault(repr(alike), cell)
    return list(cells.values())


@pytest.mark.parametrize("cell", different_cells(), ids=lambda cell: cell.id)
def test_a_few_steps_of_each_cell(cell, monkeypatch):
    for module in (training, baselines):
        monkeypatch.setattr(module, "steps_of_epochs", lambda n_training_epochs, steps_per_epoch: STEPS)
    shape = datasets.describe(cell.dataset)["shape"]
    n_rows = ROWS if ex.METHODS[cell.method].parametric else FEW
    X = np.random.default_rng(0).random((n_rows, *shape), dtype=np.float32)
    rows = types.SimpleNamespace(X_train=X, shape=shape)
    slow = cell.method in (ex.P_UMAP if cell.dataset == "cassins" else ex.WITH_DECODER) and len(shape) > 1
    model = ex.method_of(cell, rows, ex.profile("paper"), **({"batch_size": SMALL_BATCH} if slow else {})).fit(X)
    assert model.embedding_.shape == (n_rows, cell.n_components)
    z = model.transform(X[:10])
    assert z.shape == (10, cell.n_components) and np.isfinite(z).all()
    if ex.METHODS[cell.method].parametric:
        assert model.history_["step"] == list(range(1, STEPS + 1)) and np.isfinite(model.history_["loss"]).all()
        network = {"mnist": "conv28_encoder", "fmnist": "conv28_encoder", "cifar10": "conv32_encoder", "cassins": "song_encoder"}.get(cell.dataset, "mlp_encoder")
        assert model.encoder_.name == ("means" if cell.method == "vae" else network)
    if ex.METHODS[cell.method].has_decoder:
        assert model.inverse_transform(z).shape == (10, *shape)
