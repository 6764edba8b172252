"""Parametric UMAP: a scikit-learn estimator on Keras, and its paper as notebooks that run.

`from pumap import ParametricUMAP` is all most users need. The classes are imported when they are first used, so that
`import pumap` and the `pumap` command start quickly.
"""

import contextlib
import gc
import importlib.util
import json
import os
import signal
import sys
import tempfile
import threading
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


def _check_whole() -> None:
    "Raise an `ImportError` if a backend is half imported; a second import of it would fail in some other way, or crash."
    for name in BACKENDS:
        if name not in sys.modules and any(module.startswith(f"{name}.") for module in sys.modules):
            raise ImportError(f"An earlier import of {name} was interrupted, and it cannot be imported twice: restart Python.")


# TensorFlow's C++ code prints these lines at every start, before its own log level counts, or where there is no GPU driver.
STARTUP_MESSAGES = (
    "All log messages before absl::InitializeLog()",
    "oneDNN custom operations are on",
    "This TensorFlow binary is optimized",
    "To enable the following instructions",
    "Unable to register cu",
    "computation placer already registered",
    "Could not find cuda drivers on your machine",
    "cuInit: UNKNOWN ERROR (303)",  # no driver is installed
    "cuInit: CUDA_ERROR_NO_DEVICE",  # a driver, but no GPU
)


_IMPORTING = threading.RLock()  # standard error and the garbage collector belong to the process


@contextlib.contextmanager
def _without_collection():
    "Switch off garbage collection: an import makes hardly any garbage, and the search takes long in TensorFlow's import."
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextlib.contextmanager
def _without_interrupts():
    "Let Ctrl-C wait until the end: TensorFlow does not survive a partial import."
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list = []
    signal.signal(signal.SIGINT, lambda *arguments: waiting.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if waiting:
            before(*waiting[0])


@contextlib.contextmanager
def _without_startup_messages():
    """Hide `STARTUP_MESSAGES`, and pass on everything else that is written to standard error.

    `TF_CPP_MIN_LOG_LEVEL=0` (or 1) in the environment keeps every message.
    """
    try:
        stderr = os.dup(2) if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") not in ("0", "1") else None
    except OSError:  # standard error is closed
        stderr = None
    if stderr is None:
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            said.seek(0)
            for line in said:
                if not any(message.encode() in line for message in STARTUP_MESSAGES):
                    os.write(2, line)


def import_quietly(module: str):
    """Import a module that imports a backend: at once, as a whole, and without TensorFlow's start-up messages.

    Parameters
    ----------
    module : str
        Full name.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If an earlier import of a backend was interrupted.
    """
    if module in sys.modules:
        return importlib.import_module(module)  # at once, unless another thread is importing it
    _check_whole()
    with _IMPORTING, _without_collection(), _without_interrupts(), _without_startup_messages():
        imported = importlib.import_module(module)
        if "tensorflow" in sys.modules:
            sys.modules["tensorflow"].config.list_physical_devices()  # looks for a GPU driver; the first fit would do it, with a message
        return imported


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'pumap' has no attribute {name!r}")
    _check_backend()
    value = getattr(import_quietly(_PUBLIC[name]), name)
    globals()[name] = value  # `__getattr__` is not called for it again
    return value


def __dir__():
    return sorted({*globals(), *_PUBLIC})


def main():
    "Run the `pumap` command; print one line if the packages it needs are not installed. The version needs none."
    if sys.argv[1:] == ["--version"]:
        print(__version__)
        return
    try:
        from pumap.paper.cli import main
    except ImportError as error:
        raise SystemExit(f"error: {error}") from None
    main()
