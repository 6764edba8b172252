"""Every notebook runs from its first cell to its last at its default parameters, within its time.

Notebooks share the process that tests them, so that TensorFlow is imported and umap-learn compiled once. What a notebook leaves behind
(settings of matplotlib, warnings, the environment, its namespace) is put back."""

import importlib.util
import os
import sys
import warnings
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import pytest
from conftest import ROOT, name_of, source_notebooks

SECONDS = 300  # several times what two free cores need: a limit for what hangs, not a measure of speed
BACKEND_FREE = ("nbs/02_losses", "nbs/04_backend", "nbs/05_training")  # run under each backend, too
CONVERTERS = {"tensorflow": "tf2onnx", "jax": "jax2onnx", "torch": "onnxscript"}
NEEDS = {"nbs/tutorials/serve_onnx.ipynb": ("onnx", "onnxruntime", CONVERTERS[os.environ["KERAS_BACKEND"]])}  # packages of an extra that nothing else uses
NOTEBOOKS = [
    pytest.param(path, id=name_of(path), marks=[pytest.mark.backend] if name_of(path).removesuffix(".ipynb") in BACKEND_FREE else [])
    for path in source_notebooks()
]


@contextmanager
def lent_process():
    "Puts back what a notebook changes of its process."
    import keras
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    main, folder, path = sys.modules["__main__"], os.getcwd(), list(sys.path)
    with ExitStack() as kept:
        kept.enter_context(patch.dict(os.environ))
        kept.enter_context(mpl.rc_context())
        kept.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            plt.close("all")
            sys.modules["__main__"], sys.path[:] = main, path
            os.chdir(folder)
            keras.utils.clear_session(free_memory=True)


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    "One folder for the records of all notebooks of this process: Figures 4 to 9 and 13 ask for the same cells."
    return tmp_path_factory.mktemp("results")


def with_parameters(notebook, **values):
    "The notebook with a cell behind its parameters, as papermill has it."
    at = next((i for i, cell in enumerate(notebook.cells) if "parameters" in cell.get("metadata", {}).get("tags", ())), None)
    if at is not None and all(f"\n{name} = " in notebook.cells[at].source for name in values):
        from execnb.nbio import mk_cell

        notebook.cells.insert(at + 1, mk_cell("\n".join(f"{name} = {value!r}" for name, value in values.items())))
    return notebook


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("path", NOTEBOOKS)
def test_notebook_runs(path, results):
    missing = [package for package in NEEDS.get(name_of(path), ()) if not importlib.util.find_spec(package)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'pumap[onnx]' (under JAX onnx-jax, under PyTorch onnx-torch)")
    from execnb.nbio import read_nb
    from execnb.shell import CaptureShell

    with lent_process():
        sys.path.insert(0, str(ROOT))
        os.chdir(path.parent)
        shell = CaptureShell(path)
        try:
            shell.run_all(with_parameters(read_nb(path), results_dir=str(results)), exc_stop=True)
        except Exception:
            pytest.fail(f"{name_of(path)} failed:\n{shell.prettytb(fname=path)[-6000:]}", pytrace=False)
