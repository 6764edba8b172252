"""The same library on TensorFlow, JAX and PyTorch: a chosen part of the tests under each, and files that travel between them."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from sklearn.datasets import load_digits

OTHERS = [name for name in ("tensorflow", "jax", "torch") if name != os.environ["KERAS_BACKEND"]]
AWKWARD = ("test_awkward.py", "test_fast_solver.py", "test_export.py")
OTHER = sorted(path.name for path in (ROOT / "tests").glob("test_*.py") if path.name not in AWKWARD)
PARTS = {"awkward data, solver, export": AWKWARD, "all else": OTHER}  # of similar length, so that two workers share them
LEAST = 30  # tests of a part: fewer would mean that marks were lost


def needs(backend):
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed: pip install 'pumap[{backend}]'")


def run(backend, *command, cache=None, **options):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    # Most fits of the tests are short, so LLVM need not optimize their machine code: that saves a sixth of the time. XLA's own passes run as ever.
    environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
    if cache:  # JAX compiles each network anew in every fit: the same program is taken from disk
        environment |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=1500, **options)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("backend", OTHERS)
def test_a_chosen_part_under(backend, part, tmp_path):
    "Estimator, solvers, semi-supervised learning, baselines: the tests marked `backend`."
    needs(backend)
    files = [f"tests/{name}" for name in PARTS[part]]
    done = run(backend, "-m", "pytest", "-q", *files, "-m", "backend", "-p", "no:xdist", "-p", "no:cacheprovider", cache=tmp_path)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error|skipped)", done.stdout.splitlines()[-1])}
    assert done.returncode == 0 and set(counts) <= {"passed", "skipped"}, done.stdout[-6000:] + done.stderr[-2000:]
    assert counts["passed"] >= LEAST, counts


TRANSFORM = """
import sys, numpy as np
from pumap import ParametricUMAP
folder, backend = sys.argv[1:]
model = ParametricUMAP.load(f"{folder}/there.pumap")
X = np.load(f"{folder}/X.npy")
np.save(f"{folder}/z.npy", model.transform(X))
np.save(f"{folder}/x.npy", model.inverse_transform(model.transform(X)))
import keras
assert keras.backend.backend() == backend
again = ParametricUMAP(encoder=lambda shape, n: keras.Sequential([keras.Input(shape), keras.layers.Reshape((8, 8, 1)), keras.layers.Conv2D(3, 3, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(n)]), n_neighbors=5, n_training_epochs=0.02, random_state=0).fit(X)
again.save(f"{folder}/back.pumap")
np.save(f"{folder}/back.npy", again.embedding_)
"""


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.filterwarnings("ignore:Not saved")
def test_a_file_is_loaded_under(backend, tmp_path):
    "A model with a decoder, there; one with convolutions, back."
    needs(backend)
    from pumap import ParametricUMAP

    X = load_digits().data[:200].astype("float32") / 16
    model = ParametricUMAP(decoder="mlp", n_neighbors=5, n_training_epochs=0.1, n_decoder_epochs=1, random_state=0).fit(X)
    model.save(tmp_path / "there.pumap")
    np.save(tmp_path / "X.npy", X)
    done = run(backend, "-c", TRANSFORM, str(tmp_path), backend)
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), model.transform(X), atol=1e-5)
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), model.inverse_transform(model.transform(X)), atol=1e-5)
    back = ParametricUMAP.load(tmp_path / "back.pumap")
    np.testing.assert_allclose(back.transform(X), np.load(tmp_path / "back.npy"), atol=1e-4)


CHOICE = """
import importlib.util, os, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name in sys.argv[1].split(",") else find(name, *a)
import pumap
print(os.environ.get("KERAS_BACKEND"))
"""


@pytest.mark.parametrize("missing, configured, chosen", [("", "", "tensorflow"), ("tensorflow", "", "jax"), ("tensorflow,jax,torch", "", "None"), ("", "jax", "None"), ("jax", "jax", "tensorflow")])
def test_the_installed_backend_is_chosen(missing, configured, chosen, tmp_path):
    needs("jax")
    if configured:
        (tmp_path / "keras.json").write_text(f'{{"backend": "{configured}"}}')
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"} | {"KERAS_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", CHOICE, missing], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    assert done.stdout.split() == [chosen], done.stderr


def test_without_a_backend_the_error_says_what_to_install(tmp_path):
    code = CHOICE + "try:\n    pumap.ParametricUMAP\nexcept ImportError as error:\n    print(error)\n"
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"} | {"KERAS_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, "tensorflow,jax,torch"], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    assert "pip install 'pumap[tensorflow]'" in done.stdout, done.stderr
