"""Run notebooks in this process, one after the other: TensorFlow is imported and umap-learn compiled once. Tests and site share this."""

import os
import sys
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parent.parent


class NotebookFailed(Exception):
    "A cell raised an error; the message is the name of the notebook and the traceback."


@contextmanager
def lent_process():
    "Put back what a notebook changes of its process."
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


def with_parameters(notebook, **values):
    "The notebook with a cell behind its parameters, as papermill has it."
    at = next((i for i, cell in enumerate(notebook.cells) if "parameters" in cell.get("metadata", {}).get("tags", ())), None)
    if at is not None and all(f"\n{name} = " in f"\n{notebook.cells[at].source}" for name in values):
        from execnb.nbio import mk_cell

        notebook.cells.insert(at + 1, mk_cell("\n".join(f"{name} = {value!r}" for name, value in values.items())))
    return notebook


def run_notebook(notebook, path, **values):
    """Run a notebook in the folder of `path`, with parameters, and return it with its outputs.

    Raises
    ------
    NotebookFailed
        If a cell raises an error.
    """
    from execnb.shell import CaptureShell

    with lent_process():
        sys.path.insert(0, str(ROOT))
        os.chdir(path.parent)
        shell = CaptureShell(path)
        try:
            shell.run_all(with_parameters(notebook, **values), exc_stop=True)
        except Exception as error:
            raise NotebookFailed(f"{path.relative_to(ROOT).as_posix()} failed:\n{shell.prettytb(fname=path)[-6000:]}") from error
    return notebook
