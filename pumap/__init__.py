"""Parametric UMAP: a scikit-learn estimator on Keras, and its paper as notebooks that run.

`from pumap import ParametricUMAP` is all most users need. The classes are imported when they are first used, so that
`import pumap` and the `pumap` command start quickly.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pumap.parametric_umap import ParametricUMAP as ParametricUMAP
    from pumap.semisupervised import SemiSupervisedClassifier as SemiSupervisedClassifier

__version__ = "0.1.0"

_PUBLIC = {  # name -> the module it is in
    "ParametricUMAP": "pumap.parametric_umap",
    "SemiSupervisedClassifier": "pumap.semisupervised",
}

__all__ = ["__version__", "ParametricUMAP", "SemiSupervisedClassifier"]

BACKENDS = ("tensorflow", "jax", "torch")


def choose_backend() -> str | None:
    """Choose Keras' backend where the user has not: the first of TensorFlow, JAX and PyTorch that is installed.

    `KERAS_BACKEND`, an imported Keras and a backend in Keras' own configuration that is installed all count as a choice.

    Returns
    -------
    str or None
        What `KERAS_BACKEND` was set to; `None` if it was left alone.
    """
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
        return None
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    try:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        configured = json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, RuntimeError, ValueError, AttributeError):
        configured = None
    if not installed or configured in installed:
        return None
    os.environ["KERAS_BACKEND"] = installed[0]
    return installed[0]


choose_backend()  # before anything imports Keras, which reads the variable once


def _check_backend() -> None:
    "Raise an `ImportError` that says what to install if there is no backend at all."
    if "keras" not in sys.modules and not any(importlib.util.find_spec(name) for name in BACKENDS):
        raise ImportError("pumap needs one of TensorFlow, JAX and PyTorch: pip install 'pumap[tensorflow]' (or [jax], or [torch]).")


# What TensorFlow's C++ side says at every start, before its own log level counts.
STARTUP_MESSAGES = (
    "All log messages before absl::InitializeLog()",
    "oneDNN custom operations are on",
    "This TensorFlow binary is optimized",
    "To enable the following instructions",
    "Unable to register cu",
    "computation placer already registered",
    "Could not find cuda drivers on your machine",
)


def import_uncollected(module: str):
    "Imports a module while no garbage is sought: an import hardly makes any, and in TensorFlow's the search takes long."
    import gc
    from importlib import import_module

    collecting = gc.isenabled()
    gc.disable()
    try:
        return import_module(module)
    finally:
        if collecting:
            gc.enable()


def import_quietly(module: str):
    """Imports a module without TensorFlow's start-up messages; all else that is said on standard error is passed on.

    `TF_CPP_MIN_LOG_LEVEL=0` (or 1) in the environment keeps every message."""
    import tempfile

    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if level in ("0", "1") or "tensorflow" in sys.modules:
        return import_uncollected(module)
    try:
        stderr = os.dup(2)
    except OSError:  # standard error is closed
        return import_uncollected(module)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            return import_uncollected(module)
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            said.seek(0)
            for line in said:
                if not any(message.encode() in line for message in STARTUP_MESSAGES):
                    os.write(2, line)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'pumap' has no attribute {name!r}")
    _check_backend()
    value = getattr(import_quietly(_PUBLIC[name]), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__():
    return sorted({*globals(), *_PUBLIC})


def main():
    "The `pumap` command; one line if the packages it needs are not there. The version needs none."
    if sys.argv[1:] == ["--version"]:
        print(__version__)
        return
    try:
        from pumap.paper.cli import main
    except ImportError as error:
        raise SystemExit(f"error: {error}") from None
    main()
