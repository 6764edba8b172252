"""`export` writes an ONNX file that needs no Keras and gives what `transform` gives."""

import copy
import importlib.util
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from pumap import ParametricUMAP, backend
from pumap.networks import build_decoder, build_encoder

CONVERTER = backend._CONVERTERS[keras.backend.backend()][0]
missing = [name for name in ("onnx", "onnxruntime", CONVERTER) if not importlib.util.find_spec(name)]
needs_onnx = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}; pip install 'pumap[onnx]' (or onnx-jax, onnx-torch)")
X = load_digits().data[:120].astype("float32") / 16
BRIEF = dict(n_neighbors=5, n_training_epochs=0.02, random_state=0)


def run(file, rows):
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert given.name == "x" and not isinstance(given.shape[0], int)  # rows: any number
    return session.run(None, {"x": np.asarray(rows, "float32")})[0]


@pytest.fixture(scope="module")
def mlp():
    return ParametricUMAP(decoder="mlp", n_decoder_epochs=1, **BRIEF).fit(X)


@needs_onnx
@pytest.mark.backend
def test_encoder_and_decoder(mlp, tmp_path):
    "Nothing was called in between: a fitted estimator is enough. The folder is made."
    mlp.export(tmp_path / "new" / "encoder.onnx")
    mlp.export(tmp_path / "new" / "decoder.onnx", part="decoder")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["decoder.onnx", "encoder.onnx"]
    for n in (1, 7, 120):
        z = run(tmp_path / "new" / "encoder.onnx", X[:n])
        np.testing.assert_allclose(z, mlp.transform(X[:n]), atol=1e-5 * max(1, abs(mlp.embedding_).max()))
        np.testing.assert_allclose(run(tmp_path / "new" / "decoder.onnx", z), mlp.inverse_transform(z), atol=1e-5)


@needs_onnx
@pytest.mark.backend
def test_rows_have_the_fitted_shape(tmp_path):
    "With `dims` the network takes images, but the file takes the flat rows that `transform` takes."
    small = lambda shape, n: keras.Sequential([keras.Input(shape), keras.layers.Conv2D(2, 3, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(n)])
    model = ParametricUMAP(encoder=small, dims=(8, 8, 1), **BRIEF).fit(X)
    model.export(tmp_path / "encoder.onnx")
    np.testing.assert_allclose(run(tmp_path / "encoder.onnx", X), model.transform(X), atol=1e-5 * max(1, abs(model.embedding_).max()))


def residual():
    "A functional model with a skip connection, batch normalization, dropout and a smooth activation."
    inputs = keras.Input((64,))
    x = keras.layers.Dense(64, activation="gelu")(inputs)
    x = keras.layers.Add()([keras.layers.BatchNormalization()(x), inputs])
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dropout(0.5)(x)))


def normalized():
    "Layers that hold tensors, few and many numbers, and a recurrent one."
    few = keras.layers.Normalization(mean=np.arange(5.0), variance=np.ones(5))
    many = keras.layers.Normalization(mean=np.arange(300.0), variance=np.ones(300))
    return keras.Sequential([keras.Input((60, 5)), few, keras.layers.Flatten(), many, keras.layers.Reshape((60, 5)), keras.layers.LSTM(4), keras.layers.Dense(2)])


NETWORKS = {
    "conv28": lambda: build_encoder("conv28", (28, 28, 1), 2, 0),
    "conv28 decoder": lambda: build_decoder("conv28", (28, 28, 1), 2, 0),
    "conv32": lambda: build_encoder("conv32", (32, 32, 3), 2, 0),
    "conv32 decoder": lambda: build_decoder("conv32", (32, 32, 3), 2, 0),
    "residual": residual,
    "normalization": normalized,
}


@needs_onnx
@pytest.mark.backend
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_were_never_called(name, tmp_path):
    model = NETWORKS[name]()
    before = model.get_config()
    x = np.random.default_rng(1).random((5, *model.input_shape[1:]), dtype="float32")
    (tmp_path / "m.onnx").write_bytes(backend.to_onnx(model, x[:2]))
    assert model.get_config() == before
    np.testing.assert_allclose(run(tmp_path / "m.onnx", x), keras.ops.convert_to_numpy(model(x, training=False)), atol=1e-5)


SERVE = """
import sys, numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
np.save(sys.argv[3], session.run(None, {"x": np.load(sys.argv[2])})[0])
print(sorted({"tensorflow", "jax", "torch", "keras", "pumap", "sklearn"} & set(sys.modules)))
"""


@needs_onnx
def test_the_file_is_served_without_keras(mlp, tmp_path):
    mlp.export(tmp_path / "encoder.onnx")
    np.save(tmp_path / "rows.npy", X[:3])
    done = subprocess.run([sys.executable, "-c", SERVE, *(tmp_path / name for name in ("encoder.onnx", "rows.npy", "z.npy"))], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), mlp.transform(X[:3]), atol=1e-5 * max(1, abs(mlp.embedding_).max()))


@needs_onnx
def test_a_wrong_conversion_is_not_written(mlp, tmp_path, monkeypatch):
    "What the converter made is run before it is written; a file that was there stays."
    (tmp_path / "encoder.onnx").write_text("old")
    monkeypatch.setattr(backend, "_run_onnx", lambda content, rows: np.zeros((len(rows), 2), "float32"))
    with pytest.raises(ValueError, match=f"{CONVERTER}: the result differs from Keras"):
        mlp.export(tmp_path / "encoder.onnx")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


@needs_onnx
@pytest.mark.backend
def test_what_a_converter_lacks_is_an_error(mlp, tmp_path, monkeypatch):
    "It names each converter and its reason; under JAX and PyTorch also what to install, if TensorFlow is not there."

    def lacking(model):
        raise NotImplementedError("no such operation\nand a long trace")

    monkeypatch.setattr(backend, "_exported", lacking)
    monkeypatch.setattr(backend, "_installed", lambda *packages: packages != ("tensorflow", "tf2onnx"))
    with pytest.raises(ValueError, match=rf"cannot be converted to ONNX \({CONVERTER}: no such operation\)\.") as found:
        mlp.export(tmp_path / "encoder.onnx")
    assert ("pip install 'pumap[tensorflow,onnx]'" in str(found.value)) == (CONVERTER != "tf2onnx")
    assert not list(tmp_path.iterdir())


def beyond_other_converters():
    "Layers that jax2onnx 0.17 does not convert."
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 2)), layers.MaxPooling2D(), layers.UpSampling2D(interpolation="bilinear"), layers.Resizing(6, 4), layers.Reshape((6, 4, 2, 1)),
        layers.Conv3D(3, 2), layers.Reshape((5, 9)), layers.Bidirectional(layers.LSTM(2)), layers.Dense(2),
    ])  # fmt: skip


@pytest.mark.backend
@pytest.mark.skipif(not backend._installed("tensorflow", "tf2onnx", "onnx", "onnxruntime"), reason="needs pumap[tensorflow,onnx]")
def test_tensorflow_converts_what_others_lack(monkeypatch):
    "Under TensorFlow directly, under the other backends in a process of its own."
    model, x = beyond_other_converters(), np.random.default_rng(0).random((4, 8, 8, 2), dtype="float32")
    monkeypatch.setitem(backend._CONVERTERS, "jax", ("no_such_package", "onnx-jax"))  # jax2onnx may have learned them
    content = backend.to_onnx(model, x)
    np.testing.assert_allclose(backend._run_onnx(content, x), keras.ops.convert_to_numpy(model(x, training=False)), atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="is about the other backends")
@pytest.mark.skipif(not backend._installed("tensorflow", "tf2onnx", "onnx", "onnxruntime"), reason="needs pumap[tensorflow,onnx]")
def test_a_layer_of_ones_own_needs_a_name(monkeypatch):
    "The other process knows only layers that a Keras file describes: the error says which converter failed, and why."

    class Own(keras.layers.Layer):
        def call(self, x):
            return keras.ops.sort(x)

    monkeypatch.setitem(backend._CONVERTERS, keras.backend.backend(), ("no_such_package", "onnx"))
    with pytest.raises(ValueError, match="tf2onnx: .*Own"):
        backend.to_onnx(keras.Sequential([keras.Input((3,)), Own(), keras.layers.Dense(2)]), np.ones((2, 3)))


@needs_onnx
@pytest.mark.skipif(CONVERTER != "tf2onnx", reason="is about messages of tf2onnx")
def test_nothing_is_printed(mlp, tmp_path, capfd, recwarn):
    "GELU is one of the operations that tf2onnx complains of."
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="gelu"), keras.layers.Dense(2)])
    backend.to_onnx(model, np.ones((2, 8)))
    assert "nsupported" not in "".join(capfd.readouterr()) and not recwarn.list


def test_missing_packages_are_named(mlp, tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "_installed", lambda *packages: False)
    with pytest.raises(ImportError, match=rf"needs onnx, onnxruntime, {CONVERTER}: pip install 'pumap\[onnx"):
        mlp.export(tmp_path / "encoder.onnx")
    assert not list(tmp_path.iterdir())


def test_each_backend_has_an_extra():
    "And the extra has the package that is asked for."
    from test_house import settings

    for converter, extra in backend._CONVERTERS.values():
        packages = settings()[f"{extra}_requirements"]
        assert all(f"{name}>=" in packages for name in ("onnx", "onnxruntime", converter))


def test_errors(mlp, tmp_path):
    with pytest.raises(NotFittedError):
        ParametricUMAP().export(tmp_path / "encoder.onnx")
    with pytest.raises(ValueError, match="part is 'both'; it must be 'encoder' or 'decoder'"):
        mlp.export(tmp_path / "encoder.onnx", part="both")
    with pytest.raises(AttributeError, match="without a decoder"):
        alone = copy.copy(mlp)
        alone.decoder_ = None
        alone.export(tmp_path / "decoder.onnx", part="decoder")
    assert not list(tmp_path.iterdir())
