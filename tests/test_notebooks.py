"""Every notebook runs from its first cell to its last at its default parameters, within its time.

Notebooks share the process that tests them. What a notebook leaves behind (settings of matplotlib, warnings, the environment, its
namespace) is put back."""

import importlib.util
import os
import sys

import pytest
from conftest import ROOT, name_of, source_notebooks

sys.path.append(str(ROOT / ".ci"))
from notebooks import NotebookFailed, run_notebook  # noqa: E402

SECONDS = 300  # several times what two free cores need: a limit for what hangs, not a measure of speed
BACKEND_FREE = ("nbs/02_losses", "nbs/04_backend", "nbs/05_training")  # run under each backend, too
CONVERTERS = {"tensorflow": "tf2onnx", "jax": "jax2onnx", "torch": "onnxscript"}
NEEDS = {"nbs/tutorials/serve_onnx.ipynb": ("onnx", "onnxruntime", CONVERTERS[os.environ["KERAS_BACKEND"]])}  # packages of an extra that nothing else uses
NOTEBOOKS = [
    pytest.param(path, id=name_of(path), marks=[pytest.mark.backend] if name_of(path).removesuffix(".ipynb") in BACKEND_FREE else [])
    for path in source_notebooks()
]


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    "One folder for the records of all notebooks of this process: Figures 4 to 9 and 13 ask for the same cells."
    return tmp_path_factory.mktemp("results")


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("path", NOTEBOOKS)
def test_notebook_runs(path, results):
    missing = [package for package in NEEDS.get(name_of(path), ()) if not importlib.util.find_spec(package)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'pumap[onnx]' (under JAX onnx-jax, under PyTorch onnx-torch)")
    from execnb.nbio import read_nb

    try:
        run_notebook(read_nb(path), path, results_dir=str(results))
    except NotebookFailed as error:
        pytest.fail(str(error), pytrace=False)
