"""Every notebook runs from its first cell to its last at its default parameters, in a process of its own, within its time."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, name_of, source_notebooks

LIMITS = {  # seconds, several times what two free cores need: a limit for what hangs, not a measure of speed
    "nbs": 180,
    "nbs/paper": 300,
    "nbs/tutorials": 300,
    "nbs/benchmarks": 300,
}
LIMITS_OF_ONE = {}  # a notebook's path: a limit of its own


def limit(path):
    "Seconds, and more of them on a machine that is busy with other work."
    busy = max(1, os.getloadavg()[0] / (os.cpu_count() or 1)) if hasattr(os, "getloadavg") else 1
    return round(busy * LIMITS_OF_ONE.get(name_of(path), LIMITS[name_of(path.parent)]))


@pytest.mark.parametrize("path", source_notebooks(), ids=name_of)
def test_notebook_runs(path):
    tool = Path(sys.executable).parent / "nbdev_test"
    command = [str(tool) if tool.exists() else shutil.which("nbdev_test") or "nbdev_test"]
    command += ["--path", name_of(path), "--n_workers", "0", "--do_print"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    seconds = limit(path)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        pytest.fail(f"{name_of(path)} was not done after {seconds} s. It said:\n{output[-3000:]}", pytrace=False)
    if process.returncode != 0 or "Success." not in output:
        pytest.fail(f"{name_of(path)} failed:\n{output[-6000:]}", pytrace=False)
