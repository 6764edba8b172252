"""What all tests share. The environment is settled here, before anything imports Keras or matplotlib."""

import ctypes
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: one that takes them all makes the others wait
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, str(share))
bin_folder = str(Path(sys.executable).parent)  # so that `pumap`, `nbdev_test`, ... of this Python are found first
if bin_folder not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = bin_folder + os.pathsep + os.environ.get("PATH", "")

ROOT = Path(__file__).resolve().parent.parent
PEAK = """
from pathlib import Path

def peak():
    "The most memory this process has held, in bytes."
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""  # for the code of a fresh process
tells_its_peak = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory of a process is read from /proc, which only Linux has")
FIRST, LAST = ("test_backends", "test_notebooks"), ("test_house", "test_layers", "test_sync", "test_docs")
QUICK = ("test_house", "test_layers", "test_docs", "test_metrics", "test_estimator", "test_scorecard")  # modules of `-m quick`, less their slow tests


def source_notebooks():
    "Paths of all notebooks under nbs/, without the text pairs' folder."
    return [p for p in sorted((ROOT / "nbs").rglob("*.ipynb")) if not {"_text", ".ipynb_checkpoints"} & set(p.parts)]


def cells(path, kind=None):
    "The cells of a notebook as dicts with `source` as one string; kind: 'code' or 'markdown'."
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in found:
        cell["source"] = "".join(cell["source"])
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def name_of(path):
    "A test's id: the path below the repository's root."
    return path.relative_to(ROOT).as_posix()


@contextmanager
def permissions_count():
    "Root may write everywhere; meanwhile it may not. (To be another user would not do: who else can read a clone in root's home?)"
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    libc, override = ctypes.CDLL(None), 1 << 1  # CAP_DAC_OVERRIDE
    if not hasattr(libc, "capset"):
        pytest.skip("root may write everywhere on this system: run the tests as another user")
    version, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the higher bits
    assert libc.capget(version, sets) == 0
    before = sets[0]
    sets[0] = before & ~override
    assert libc.capset(version, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(version, sets) == 0


def pytest_configure(config):
    for line in (
        "quick: what `make test ARGS='-m quick'` runs before a commit (set by conftest.py)",
        "slow: takes more than some seconds",
        "backend: runs under each backend, see test_backends.py",
    ):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items):
    "Long tests come first, so that no worker is left with one at the end. Quick ones get their mark."
    places = {**{name: -1 for name in FIRST}, **{name: 1 for name in LAST}}
    items.sort(key=lambda item: places.get(item.module.__name__, 0))
    for item in items:
        if item.module.__name__ in QUICK and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.quick)


def pytest_make_parametrize_id(val):
    "A test's id tells how many bytes it is given, not which: gzip's hold the second they were made in, and workers must agree on ids."
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def root():
    "The repository's folder."
    return ROOT


def run_at(folder, profile="smoke", *more, **others):
    "A run of the paper's half, with its results in this folder."
    from pumap.paper import experiments as ex

    others |= {"stand_ins": more[0]} if more else {}
    return ex.Run(ex.profile(profile), folder, **others)
