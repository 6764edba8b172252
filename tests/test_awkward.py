"""What goes wrong around a fit: decoders that do not fit the loss, files that cannot be read, forks, threads, Keras' settings, Ctrl-C."""

import inspect
import json
import os
import pickle
import random
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from conftest import ROOT
from sklearn.base import clone
from sklearn.datasets import load_digits

from pumap import ParametricUMAP, SemiSupervisedClassifier
from pumap.baselines import PCA, Autoencoder, VariationalAutoencoder
from pumap.networks import build_encoder

QUICK = dict(n_neighbors=5, n_training_epochs=0.1, random_state=0)
D = load_digits().data[:150].astype("float32") / 16

pytestmark = pytest.mark.filterwarnings("ignore:Not saved")


def in_a_fresh_process(code, *arguments, **environment):
    "Run code in another process; its standard output, and its standard error."
    variables = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | environment
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, env=variables, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout, done.stderr


# Decoders and settings that cannot work


def ending_in(activation, **settings):
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(20, "relu"), keras.layers.Dense(64, activation=activation, **settings)])


@pytest.mark.backend
@pytest.mark.parametrize("method", [ParametricUMAP, Autoencoder, VariationalAutoencoder])
@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_binary_cross_entropy_needs_a_bounded_decoder(method, activation):
    with pytest.raises(ValueError, match="end it with a sigmoid, or use reconstruction_loss='mse'"):
        method(decoder=ending_in(activation)).fit(D)


@pytest.mark.backend
def test_a_fitting_decoder_reconstructs():
    for activation, loss in (("sigmoid", "binary_crossentropy"), (None, "mse")):
        model = ParametricUMAP(decoder=ending_in(activation), reconstruction_loss=loss, n_decoder_epochs=600, **QUICK).fit(D)
        assert np.mean((model.inverse_transform(model.embedding_) - D) ** 2) < 0.8 * D.var(axis=0).mean()


@pytest.mark.backend
@pytest.mark.parametrize("solver", ["fast", "paper"])
def test_a_loss_that_diverged_is_told(solver):
    with pytest.warns(UserWarning, match="Training failed: the loss ended at 1.5.*Lower learning_rate"):
        model = ParametricUMAP(solver=solver, learning_rate=1.0, n_neighbors=5, n_training_epochs=0.5, random_state=0).fit(D)
    assert "Training failed" in model.history_["notes"][-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ParametricUMAP(solver=solver, n_neighbors=5, n_training_epochs=1, random_state=0).fit(D)


def test_a_reconstruction_that_diverged_is_told():
    with pytest.warns(UserWarning, match="Training failed"):
        Autoencoder(learning_rate=1.0, n_training_epochs=20, batch_size=50, random_state=0).fit(D)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        Autoencoder(n_training_epochs=20, batch_size=50, random_state=0).fit(D)


def test_a_reconstruction_loss_without_a_decoder():
    with pytest.raises(ValueError, match="autoencoder_loss is True, but there is no decoder"):
        ParametricUMAP(autoencoder_loss=True).fit(D)


class WithOwnAttributes(ParametricUMAP):
    def __init__(self):
        super().__init__(n_neighbors=5, n_training_epochs=0.02)
        self.color = "red"

    def get_params(self, deep=True):
        return {name: getattr(self, name) for name in ParametricUMAP._get_param_names()}

    def __sklearn_clone__(self):
        return WithOwnAttributes()


@pytest.mark.parametrize("make", [lambda: ParametricUMAP(**QUICK), lambda: SemiSupervisedClassifier(n_steps=2, n_neighbors=5)])
def test_attributes_that_are_no_settings_are_told(make):
    y = np.arange(len(D)) % 3
    model = make()
    model.n_neighbours, model.dropout = 3, 0.5
    with pytest.warns(UserWarning) as caught:
        model.fit(D, y)
    said = [str(w.message) for w in caught if "is not a parameter" in str(w.message)]
    assert len(said) == 2 and "'n_neighbours'" in said[0] and "Did you mean 'n_neighbors'?" in said[0] and "'dropout'" in said[1]
    assert "test_awkward" in caught[0].filename


def test_attributes_that_may_be_set_are_not_told():
    model = ParametricUMAP(**QUICK)
    model.set_params(n_training_epochs=0.02).set_output(transform="default")
    model.note_, model._note = 1, 2
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for same in (model, clone(model), pickle.loads(pickle.dumps(model)), WithOwnAttributes(), clone(WithOwnAttributes())):
            same.fit(D).fit(D)


def test_each_parameter_of_umap_learn_is_ours_or_explained():
    import umap
    from umap.parametric_umap import ParametricUMAP as Theirs

    theirs = {name for cls in (umap.UMAP, Theirs) for name in inspect.signature(cls.__init__).parameters} - {"self", "kwargs"}
    to_come = {"target_metric", "target_weight", "global_correlation_loss_weight", "parametric_reconstruction_loss_fcn", "landmark_loss_fn", "landmark_loss_weight"}
    ours = set(ParametricUMAP().get_params())
    for name in sorted(theirs - ours - to_come):
        with pytest.raises(TypeError, match=f"ParametricUMAP has no parameter '{name}'.") as error:
            ParametricUMAP(**{name: 1})
        assert "It takes:" not in str(error.value) and "Did you mean" not in str(error.value)
        model = ParametricUMAP()
        setattr(model, name, 1)
    assert not set(ParametricUMAP.__init__.foreign) & ours


# Shapes


@pytest.mark.backend
@pytest.mark.parametrize("dims", [(8, 8, 1), None])
@pytest.mark.parametrize("shape", [(64,), (8, 8, 1)])
def test_rows_may_be_flat_or_shaped(shape, dims):
    model = ParametricUMAP(decoder="mlp", dims=dims, n_decoder_epochs=0.1, **QUICK).fit(D.reshape(-1, *shape))
    z = model.transform(D)
    np.testing.assert_array_equal(z, model.embedding_)
    if dims or shape != (64,):
        np.testing.assert_array_equal(model.transform(D.reshape(-1, 8, 8, 1)), z)
        np.testing.assert_array_equal(model.transform(D.reshape(-1, 8, 8, 1).tolist()), z)
    assert model.inverse_transform(z).shape == (150, *shape)
    for wrong in ((8, 8), (4, 16, 1), (8, 8, 3)):
        with pytest.raises(ValueError, match=r"Rows have shape \(.*fitted on rows of shape"):
            model.transform(np.zeros((5, *wrong)))
    with pytest.raises(ValueError, match="expecting 64 features" if shape == (64,) else "Rows have shape"):
        model.transform(np.zeros((5, 63)))


def test_baselines_take_flat_rows_too():
    model = PCA().fit(D.reshape(-1, 8, 8))
    np.testing.assert_array_equal(model.transform(D), model.transform(D.reshape(-1, 8, 8)))
    for check in (model, ParametricUMAP(decoder="mlp", n_decoder_epochs=0.1, **QUICK).fit(D)):
        with pytest.raises(ValueError, match="Points have 3 coordinates, but the embedding has 2"):
            check.inverse_transform(np.zeros((4, 3)))


# Files


class Scaled(keras.layers.Layer):
    "A layer that is not registered."

    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable(package="test_awkward")
class Forgetful(keras.layers.Layer):
    "Its configuration lacks the factor."

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return super().get_config()


@pytest.mark.backend
@pytest.mark.parametrize(
    "layer, words",
    [
        (lambda: keras.layers.Lambda(lambda x: 2 * x, name="twice", output_shape=(64,)), "Layer 'twice' is a Lambda"),
        (lambda: Scaled(name="twice"), "Layer 'twice' is a Scaled: decorate its class with @keras.saving.register_keras_serializable"),
        (lambda: Forgetful(3.0), "what it computes has changed; write get_config"),
    ],
)
def test_what_cannot_be_loaded_is_not_saved(layer, words, tmp_path):
    network = lambda shape, n: keras.Sequential([keras.Input(shape), layer(), keras.layers.Dense(n)])
    model = ParametricUMAP(encoder=network, **QUICK).fit(D)
    path = tmp_path / "model.pumap"
    for content in (None, b"an older file"):
        if content:
            path.write_bytes(content)
        with pytest.raises(ValueError, match="model.pumap was not written: Keras 3.* cannot read encoder back") as error:
            model.save(path)
        assert words in str(error.value)
        assert [p.read_bytes() for p in tmp_path.iterdir()] == ([content] if content else [])


@pytest.mark.backend
def test_a_layer_that_is_registered_later_is_saved(tmp_path):
    class Late(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    model = ParametricUMAP(encoder=keras.Sequential([keras.Input((64,)), Late(), keras.layers.Dense(2)]), **QUICK).fit(D)
    with pytest.raises(ValueError, match=r"or call keras.saving.register_keras_serializable\(\)\(Late\), and save again"):
        model.save(tmp_path / "model.pumap")
    keras.saving.register_keras_serializable()(Late)
    model.save(tmp_path / "model.pumap")
    np.testing.assert_array_equal(ParametricUMAP.load(tmp_path / "model.pumap").transform(D), model.transform(D))
    del keras.saving.get_custom_objects()["Custom>Late"]
    with pytest.raises(ValueError, match=r"Keras 3.* cannot load the network .*Late"):
        ParametricUMAP.load(tmp_path / "model.pumap")


# Threads and processes


@pytest.mark.backend
def test_threads_with_one_seed_build_the_same_network():
    def weights(seed):
        return np.concatenate([w.ravel() for w in build_encoder("mlp", (8,), 2, random_state=seed).get_weights()])

    random.seed(3)
    state, alone = random.getstate(), weights(0)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            for together in pool.map(weights, [0, 0]):
                np.testing.assert_array_equal(together, alone)
    assert random.getstate() == state


FORKED = """
import os, sys, time, warnings, numpy as np
warnings.simplefilter("ignore")
import keras
from pumap import ParametricUMAP
X = np.random.default_rng(0).random((40, 64), dtype="f4")
quick = dict(n_neighbors=5, n_training_epochs=0.02, random_state=0)
mlp = ParametricUMAP(**quick).fit(X)
conv = ParametricUMAP(encoder=lambda shape, n: keras.Sequential([keras.Input(shape), keras.layers.Reshape((8, 8, 1)), keras.layers.Conv2D(3, 3), keras.layers.Flatten(), keras.layers.Dense(n)]), **quick).fit(X)
z = mlp.transform(X)
mlp.save(sys.argv[1])

def refused(call):
    began = time.time()
    try:
        call()
    except RuntimeError as error:
        return "spawn" in str(error) and time.time() - began < 5
    return False

child = os.fork()
if not child:
    try:
        ok = [refused(lambda: ParametricUMAP(**quick).fit(X)), refused(lambda: conv.transform(X)), refused(lambda: ParametricUMAP.load(sys.argv[1])),
              (mlp.transform(X) == z).all()]
        print(ok, flush=True)
    finally:
        os._exit(0)
for _ in range(600):
    if os.waitpid(child, os.WNOHANG)[0]:
        break
    time.sleep(0.1)
else:
    os.kill(child, 9)
    print("the child hangs")
"""
NEVER_USED = """
import os, warnings, numpy as np
warnings.simplefilter("ignore")
from pumap import ParametricUMAP
child = os.fork()
if not child:
    ParametricUMAP(n_neighbors=5, n_training_epochs=0.02).fit(np.random.default_rng(0).random((40, 64), dtype="f4"))
    print("fitted", flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.backend
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_is_told_to_spawn(tmp_path):
    assert in_a_fresh_process(FORKED, tmp_path / "model.pumap")[0].split("\n")[0] == "[True, True, True, np.True_]"
    assert in_a_fresh_process(NEVER_USED)[0] == "fitted\n"


# Keras' settings

SETTINGS = """
import sys, tempfile, warnings, json, numpy as np
warnings.simplefilter("ignore")
import keras
from pumap import ParametricUMAP
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
D = load_digits().data[:150].astype("f4") / 16
def own(shape, n):
    return keras.Sequential([keras.Input(shape), keras.layers.Dense(50, "relu"), keras.layers.Dense(n)])
quick = dict(n_neighbors=10, n_training_epochs=1, random_state=0)
dense = dict(decoder="mlp", n_decoder_epochs=30), dict(solver="paper"), dict(encoder=own, decoder="mlp", autoencoder_loss=True, n_decoder_epochs=1)
def tried(several):
    for settings in several:
        model = ParametricUMAP(**quick | settings).fit(D)
        with tempfile.TemporaryDirectory() as folder:
            model.save(folder + "/m")
            again = ParametricUMAP.load(folder + "/m")
        np.testing.assert_allclose(again.transform(D), model.embedding_, atol=1e-5)
        assert model.embedding_.dtype == np.float32
        formats = sorted({layer.data_format for layer in model.encoder_.layers if hasattr(layer, "data_format")})
        yield trustworthiness(D, model.embedding_, n_neighbors=5), model.encoder_.layers[-1].compute_dtype, formats
for setting, usual, several in (
    (lambda: keras.config.set_floatx("float64"), lambda: keras.config.set_floatx("float32"), dense),
    (lambda: keras.mixed_precision.set_global_policy("mixed_float16"), lambda: keras.mixed_precision.set_global_policy("float32"), dense),
    (lambda: keras.config.set_image_data_format("channels_first"), lambda: None, [dict(encoder="munit", dims=(8, 8, 1), n_training_epochs=0.05)]),
):
    setting()
    print(json.dumps(list(tried(several))))
    usual()
"""


@pytest.mark.backend
def test_settings_of_keras_change_own_networks_only():
    *dense, images = map(json.loads, in_a_fresh_process(SETTINGS)[0].splitlines())
    for ours, own in zip(dense, ("float64", "float16"), strict=True):
        assert [found[1:] for found in ours[:2]] == [["float32", ["channels_last"]]] * 2
        if keras.backend.backend() == "tensorflow":  # JAX has no float64 unless it is told
            assert ours[2][1] == own
        assert all(found > least for (found, *_), least in zip(ours, (0.97, 0.88, 0.9))), ours
    ((found, *rest),) = images
    assert rest == ["float32", ["channels_last"]] and found > 0.65


@pytest.mark.backend
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(dtype, tmp_path):
    from sklearn.manifold import trustworthiness

    model = ParametricUMAP(dtype=dtype, decoder="mlp", n_neighbors=10, n_training_epochs=1, n_decoder_epochs=1, random_state=0).fit(D)
    for network in (model.encoder_, model.decoder_):
        assert network.layers[-2].compute_dtype == dtype.removeprefix("mixed_") and network.layers[-2].variable_dtype == "float32"
    assert trustworthiness(D, model.embedding_, n_neighbors=5) > 0.97
    model.save(tmp_path / "model.pumap")
    np.testing.assert_array_equal(ParametricUMAP.load(tmp_path / "model.pumap").transform(D), model.transform(D))


def test_mixed_precision_of_what_has_its_own():
    with pytest.raises(ValueError, match="dtype is 'float16'; it must be one of"):
        ParametricUMAP(dtype="float16").fit(D)
    with pytest.raises(ValueError, match="only networks given by name"):
        ParametricUMAP(dtype="mixed_float16", encoder=keras.Sequential([keras.Input((64,)), keras.layers.Dense(2)])).fit(D)


# Imports

INTERRUPTED = """
import gc, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C
class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
try:
    from pumap import ParametricUMAP
except KeyboardInterrupt:
    print("interrupted")
assert gc.isenabled()
import numpy as np
from pumap import ParametricUMAP
ParametricUMAP(n_neighbors=5, n_training_epochs=0.02, random_state=0).fit(np.random.default_rng(0).random((40, 64), dtype="f4"))
print("fitted")
"""
PARTIAL = """
import sys, types
sys.modules["tensorflow.python"] = types.ModuleType("tensorflow.python")
try:
    from pumap import ParametricUMAP
except ImportError as error:
    print(error)
"""


@pytest.mark.backend
def test_an_interrupted_import_can_be_repeated():
    names = {"tensorflow": "tensorflow.python.data.ops.dataset_ops", "jax": "jax._src.core", "torch": "torch.nn"}
    assert in_a_fresh_process(INTERRUPTED, names[keras.backend.backend()])[0] == "interrupted\nfitted\n"


def test_a_partial_import_is_told():
    assert "An earlier import of tensorflow was interrupted" in in_a_fresh_process(PARTIAL)[0]


def test_the_first_fit_is_quiet_without_a_gpu_driver():
    code = "import sys, numpy as np; from pumap import ParametricUMAP; import os; os.write(2, b'mine\\n')\n"
    code += "ParametricUMAP(n_neighbors=5, n_training_epochs=0.02, random_state=0).fit(np.random.default_rng(0).random((40, 64), dtype='f4'))"
    assert in_a_fresh_process(code, KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="")[1] == "mine\n"


# Memory

GROWTH = """
import ctypes, gc, warnings, numpy as np
warnings.simplefilter("ignore")
from pumap import ParametricUMAP
X = np.random.default_rng(0).random((60, 5), dtype="f4")
def resident():
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)  # what the compiler has freed is not ours
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))) / 1024
def living():
    gc.collect()
    return sum(type(o).__name__ in ("FuncGraph", "ConcreteFunction", "AtomicFunction", "Variable", "Adam", "Sequential") for o in gc.get_objects())
sizes = []
for i in range(16):
    ParametricUMAP(n_neighbors=5, n_training_epochs=0.05, random_state=0).fit(X)
    gc.collect()
    if i in (5, 15):
        sizes += [living(), resident()]
print(sizes[2] - sizes[0], sizes[3] - sizes[1])
"""


@pytest.mark.backend
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the memory of a process is read from /proc, which only Linux has")
def test_fits_leave_nothing_behind():
    objects, mebibytes = map(float, in_a_fresh_process(GROWTH)[0].split())
    assert objects == 0 and mebibytes < 5, (objects, mebibytes)
