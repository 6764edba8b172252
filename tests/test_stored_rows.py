"""Rows that are not in memory: read by their index in fit, by their index or in batches in transform."""

import keras
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits

from pumap import ParametricUMAP
from pumap.graph import fuzzy_graph, nearest_neighbors

QUICK = dict(n_training_epochs=0.1, random_state=0)


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[:200].astype("float32") / 16


class Counting:
    "Array-like that counts what is read of it, and cannot become an array as a whole."

    def __init__(self, X):
        self.X, self.shape, self.dtype, self.largest, self.reads = X, X.shape, X.dtype, 0, 0

    def __len__(self):
        return len(self.X)

    def __getitem__(self, which):
        assert isinstance(which, np.ndarray) and (np.diff(which) > 0).all(), "indices increase, as HDF5 needs them"
        self.largest, self.reads = max(self.largest, len(which)), self.reads + 1
        return self.X[which]

    def __iter__(self):
        raise AssertionError("rows are read by their index")


class Dataset:
    "A map-style dataset, as PyTorch has them: a row and its label."

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        if i >= len(self.X):
            raise IndexError(i)
        return self.X[i], 7


def test_rows_are_read_by_index_and_never_as_a_whole(digits):
    knn = nearest_neighbors(digits, 15)
    source = Counting(digits)
    options = dict(precomputed_knn=knn, solver_options={"n_coordinates": 0}, batch_size=25, **QUICK)
    model = ParametricUMAP(**options).fit(source)
    np.testing.assert_array_equal(model.embedding_, ParametricUMAP(**options).fit_transform(digits))
    assert source.reads > 10 and model.n_features_in_ == 64
    np.testing.assert_array_equal(model.transform(Counting(digits)), model.transform(digits))


def test_coordinates_and_datasets(digits):
    graph = fuzzy_graph(digits)
    plain = ParametricUMAP(precomputed_graph=graph, **QUICK).fit(digits)
    for source in (Counting(digits), Dataset(digits)):
        np.testing.assert_array_equal(ParametricUMAP(precomputed_graph=graph, **QUICK).fit(source).embedding_, plain.embedding_)
    decoded = ParametricUMAP(precomputed_graph=graph, decoder="mlp", n_decoder_epochs=1, **QUICK).fit(Dataset(digits))
    assert decoded.inverse_transform(decoded.embedding_).shape == digits.shape


def test_hdf5(digits, tmp_path):
    h5py = pytest.importorskip("h5py")
    graph = fuzzy_graph(digits)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        rows = file.create_dataset("rows", data=(digits * 16).astype("uint8"))
        stored = ParametricUMAP(precomputed_graph=graph, **QUICK).fit(rows).embedding_
    np.testing.assert_allclose(stored, ParametricUMAP(precomputed_graph=graph, **QUICK).fit((digits * 16).astype("uint8")).embedding_, atol=1e-3)


def test_transform_takes_batches(digits):
    model = ParametricUMAP(**QUICK).fit(digits)
    batches = [digits[:120], digits[120:]]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return batches[i], np.zeros(len(batches[i]))

    for given in (iter(batches), ((batch, None) for batch in batches), Batches()):
        np.testing.assert_allclose(model.transform(given), model.transform(digits), atol=1e-5)
    assert model.transform(iter([])).shape == (0, 2)


def test_errors_say_what_to_do(digits):
    with pytest.raises(ValueError, match=r"X is a generator, .*open_memmap"):
        ParametricUMAP(precomputed_graph=fuzzy_graph(digits)).fit(row for row in digits)
    with pytest.raises(ValueError, match="X is a Dataset, .* give precomputed_knn or precomputed_graph"):
        ParametricUMAP().fit(Dataset(digits))
    wrong = digits.copy()
    wrong[150, 3] = np.nan
    for rows, words in (([], "X is an empty Dataset"), ([digits[0], digits[1][:5]], r"Row 1 of X has .* shape \(5,\)"), (["a", "b"], "Row 0 of X has dtype <U1"), ([1.0, 2.0], "each row must be an array")):
        with pytest.raises(ValueError, match=words):
            ParametricUMAP(precomputed_graph=sparse.csr_matrix([[0, 1.0], [1.0, 0]]), **QUICK).fit(Dataset(rows))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        ParametricUMAP(precomputed_graph=fuzzy_graph(digits), **QUICK).fit(Dataset(wrong))
    model = ParametricUMAP(precomputed_graph=fuzzy_graph(digits), **QUICK).fit(Dataset(digits))
    with pytest.raises(ValueError, match="update needs arrays"):
        model.set_params(precomputed_graph=None).update(digits[:20])
    with pytest.raises(ValueError, match=r"shape \(10,\).*fitted on rows of shape \(64,\)"):
        model.transform(Dataset(digits[:, :10]))


def test_datasets_of_tensorflow(digits):
    tf = pytest.importorskip("tensorflow")
    model = ParametricUMAP(precomputed_graph=fuzzy_graph(digits), **QUICK).fit(digits)
    rows = tf.data.Dataset.from_tensor_slices(digits)
    pairs = tf.data.Dataset.from_tensor_slices((digits, np.zeros(len(digits))))
    for given in (rows.batch(64), pairs.batch(150), rows.batch(32).prefetch(2)):
        np.testing.assert_allclose(model.transform(given), model.embedding_, atol=1e-5)
    with pytest.raises(ValueError, match=r"X is a \w*Dataset, .*open_memmap"):
        ParametricUMAP(precomputed_graph=fuzzy_graph(digits)).fit(rows.batch(64))


def test_datasets_of_pytorch(digits):
    data = pytest.importorskip("torch.utils.data")
    import torch

    graph, pairs = fuzzy_graph(digits), data.TensorDataset(torch.from_numpy(digits), torch.zeros(len(digits)))
    model = ParametricUMAP(precomputed_graph=graph, **QUICK).fit(pairs)
    np.testing.assert_array_equal(model.embedding_, ParametricUMAP(precomputed_graph=graph, **QUICK).fit(digits).embedding_)
    part = data.Subset(pairs, range(50))
    np.testing.assert_allclose(model.transform(part), model.embedding_[:50], atol=1e-5)
    for given in (data.DataLoader(pairs, batch_size=64), data.DataLoader(part, batch_size=7, num_workers=0)):
        np.testing.assert_allclose(model.transform(given), model.embedding_[: len(given.dataset)], atol=1e-5)
    with pytest.raises(ValueError, match="X is a DataLoader, .*open_memmap"):
        ParametricUMAP(precomputed_graph=graph).fit(data.DataLoader(pairs, batch_size=64))
