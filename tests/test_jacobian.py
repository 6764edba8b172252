"""`jacobian` is the derivative of `transform`, for every encoder, on every backend."""

import keras
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from pumap import ParametricUMAP
from pumap.backend import jacobian
from pumap.networks import build_encoder
from pumap.training import Rows, encode_jacobian

X = load_digits().data[:120].astype("float32") / 16
BRIEF = dict(n_neighbors=5, n_training_epochs=0.02, random_state=0)


def forward_in_float64(model, x):
    "A multilayer perceptron with ReLU, by hand."
    dense = [layer.get_weights() for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for kernel, bias in dense[:-1]:
        x = np.maximum(x @ kernel.astype("f8") + bias, 0)
    return x @ dense[-1][0].astype("f8") + dense[-1][1]


def central_differences(function, x, step):
    "Derivatives of the outputs by the features of each row, shape (n_rows, n_outputs, n_features)."
    moves = step * np.eye(x.shape[1])
    return np.stack([(function(x + move) - function(x - move)) / (2 * step) for move in moves], axis=-1)


@pytest.fixture(scope="module")
def mlp():
    return ParametricUMAP(n_components=3, **BRIEF).fit(X)


@pytest.mark.backend
def test_it_agrees_with_central_differences(mlp):
    found = mlp.jacobian(X[:20])
    assert found.shape == (20, 3, 64) and found.dtype == np.float32
    expected = central_differences(lambda x: forward_in_float64(mlp.encoder_, x), X[:20].astype("f8"), 1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


@pytest.mark.backend
@pytest.mark.parametrize("name", ["conv28", "residual"])
def test_networks_that_are_not_a_chain_of_dense_layers(name):
    "A step along the gradient moves the output by its squared norm; smooth activations, so that float32 differences are good enough."
    if name == "conv28":
        model = build_encoder("conv28", (28, 28, 1), 2, random_state=0)
        for layer in model.layers:
            if getattr(layer, "activation", None) is keras.activations.relu:
                layer.activation = keras.activations.softplus
    else:
        inputs = keras.Input((12,))
        x = keras.layers.Dense(12, activation="tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=0))(inputs)
        x = keras.layers.BatchNormalization()(keras.layers.Add()([x, inputs]))
        model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed=1))(keras.layers.Dropout(0.5)(x)))
    x = np.random.default_rng(0).random((4, *model.input_shape[1:]), dtype="float32")
    found = jacobian(model, x)
    assert found.shape == (4, 2, *x.shape[1:])
    out = lambda x: keras.ops.convert_to_numpy(model(x, training=False))
    for k in range(2):
        squared = (found[:, k] ** 2).reshape(4, -1).sum(axis=1)
        step = (found[:, k].reshape(4, -1) * (0.1 / squared)[:, None]).reshape(x.shape)
        np.testing.assert_allclose((out(x + step) - out(x - step))[:, k], 0.2, rtol=2e-2)


@pytest.mark.backend
def test_a_fitted_convolution_takes_flat_rows():
    "Flat rows with `dims`: features are flat, and each row has its own derivative whatever the batch."
    small = lambda shape, n: keras.Sequential([keras.Input(shape), keras.layers.Conv2D(2, 3, activation="tanh"), keras.layers.Flatten(), keras.layers.Dense(n)])
    model = ParametricUMAP(encoder=small, dims=(8, 8, 1), **BRIEF).fit(X)
    found = model.jacobian(X[:7])
    assert found.shape == (7, 2, 64)
    rows = Rows(X[:7], (8, 8, 1))
    np.testing.assert_allclose(encode_jacobian(model.encoder_, rows, batch_size=2), found, atol=1e-5 * abs(found).max())
    expected = central_differences(model.transform, X[:7], 1e-2)
    np.testing.assert_allclose(found, expected, atol=2e-2 * abs(expected).max())


def test_sparse_rows_bytes_and_one_row(mlp):
    expected = mlp.jacobian(X[:5])
    np.testing.assert_array_equal(mlp.jacobian(sparse.csr_matrix(X[:5])), expected)
    np.testing.assert_allclose(mlp.jacobian(X[2:3]), expected[2:3], atol=1e-5)
    whole = np.rint(X[:5]).astype("uint8")
    np.testing.assert_array_equal(mlp.jacobian(whole), mlp.jacobian(whole.astype("float32")))


def test_it_changes_nothing(mlp):
    "Neither the network nor the rows."
    rows, before = X[:5].copy(), mlp.transform(X[:5])
    mlp.jacobian(rows)
    np.testing.assert_array_equal(rows, X[:5])
    np.testing.assert_array_equal(mlp.transform(X[:5]), before)


@pytest.mark.backend
def test_a_feature_that_the_network_ignores_has_derivative_zero():
    constant = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    np.testing.assert_array_equal(jacobian(constant, np.ones((4, 3), "float32")), np.zeros((4, 2, 3)))


def test_errors(mlp):
    with pytest.raises(NotFittedError):
        ParametricUMAP().jacobian(X)
    with pytest.raises(ValueError, match="63 features"):
        mlp.jacobian(X[:, 1:])
    with pytest.raises(ValueError, match="NaN"):
        mlp.jacobian(np.where(X > 0.9, np.nan, X))
