"""Every notebook runs from its first cell to its last at its default parameters, within its time.

Notebooks share the process that tests them. What a notebook leaves behind (settings of matplotlib, warnings, the environment, its
namespace) is put back."""

import importlib.util
import os
import sys

import h5py
import numpy as np
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


def write_h5ad(path):
    "Counts as CSR, a column of classes and one with missing values, as anndata writes them."
    rng = np.random.default_rng(0)
    kind = np.arange(90) % 3
    counts = rng.poisson(1 + 5 * (np.arange(40) % 3 == kind[:, None]))
    rows, columns = counts.nonzero()
    with h5py.File(path, "w") as file:
        matrix, obs = file.create_group("X"), file.create_group("obs")
        matrix.attrs.update({"encoding-type": "csr_matrix", "shape": counts.shape})
        matrix["data"], matrix["indices"] = counts[rows, columns].astype("float32"), columns
        matrix["indptr"] = np.searchsorted(rows, np.arange(91))
        obs.attrs["_index"] = "barcode"
        obs["barcode"] = [f"cell {i}" for i in range(90)]
        obs["kind/codes"], obs["kind/categories"] = kind.astype("int8"), ["round", "flat", "long"]
        obs["dead/values"], obs["dead/mask"] = kind == 0, kind == 1


def write_csv(path):
    words = {"fruit": "apple pear plum cherry", "tools": "hammer saw drill file", "birds": "crow wren robin finch"}
    rng = np.random.default_rng(0)
    lines = [f"{label},{' '.join(rng.choice(text.split(), 3))} number{i % 7}" for i in range(30) for label, text in words.items()]
    path.write_text("\n".join(["label,text", *lines]), encoding="utf-8")


def write_images(path):
    np.save(path, np.random.default_rng(0).integers(0, 255, (60, 6, 5, 3), dtype="uint8"))


OWN = {  # tutorial: how its file is written, its parameters, what its outputs must say
    "single_cells": (write_h5ad, {"h5ad_file": "cells.h5ad", "type_column": "kind"}, ("round", "'X_pumap': 1.0")),
    "text": (write_csv, {"text_file": "documents.csv"}, ("fruit: ", "hammer")),
    "autoencoder": (write_images, {"images_file": "images.npy", "n_training_epochs": 0.1, "compared": [(2, 0)]}, ("(48, 90)",)),
}


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("name", OWN)
def test_tutorial_takes_a_file_by_its_parameters(name, tmp_path):
    from execnb.nbio import read_nb

    write, values, expected = OWN[name]
    key = next(iter(values))
    write(tmp_path / values[key])
    path = ROOT / "nbs" / "tutorials" / f"{name}.ipynb"
    notebook = run_notebook(read_nb(path), path, **values | {key: str(tmp_path / values[key])})
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = "\n".join("".join(output.get("text", "") or output.get("data", {}).get("text/plain", "")) for output in outputs)
    assert all(words in shown for words in expected), shown
