"""What the plots notebook cannot check about itself: other processes, full disks, and what is in the files."""

import errno
import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from conftest import ROOT

from pumap import plots


def run_python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600)


def points(seed=0):
    "A picture of random points in ten classes."
    rng = np.random.default_rng(seed)
    with plots.use_style():
        fig = plots.Picture(figsize=(2, 2))
        plots.draw_projection(fig.add_subplot(), rng.normal(size=(300, 2)), rng.integers(0, 10, 300))
    return fig


@pytest.mark.parametrize("package", ["matplotlib", "seaborn"])
def test_missing_package_is_named_with_the_command(package):
    done = run_python(f"import sys; sys.modules['{package}'] = None; import pumap.plots")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert package in last and "pip install 'pumap[plot]'" in last


DRAW = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, "tests")
from pumap import plots
from test_plots import points
print([hashlib.sha256(f.read_bytes()).hexdigest() for f in plots.save_figure(points(), Path(FOLDER) / "points")])
"""


def test_same_bytes_in_another_process_whatever_the_users_settings(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nfigure.facecolor: black\naxes.prop_cycle: cycler(color=['r'])\n")
    plain, other = (
        run_python(DRAW.replace("FOLDER", repr(str(tmp_path / name))), PYTHONHASHSEED=seed, **environment)
        for name, seed, environment in (("a", "0", {}), ("b", "1", {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "MPLBACKEND": "svg"}))
    )
    assert plain.stdout.count("'") == 2 * 2, plain.stderr
    assert plain.stdout == other.stdout


def test_no_date_and_no_version_in_the_files(tmp_path):
    png, pdf = plots.save_figure(points(), tmp_path / "figure")
    for content in (png.read_bytes(), pdf.read_bytes()):
        assert b"atplotlib" not in content and b"CreationDate" not in content


def test_full_disk_leaves_the_old_picture(tmp_path, monkeypatch):
    png, pdf = plots.save_figure(points(), tmp_path / "figure")
    before = png.read_bytes()

    def no_space(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError):
        plots.save_figure(points(1), tmp_path / "figure")
    assert png.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["figure.pdf", "figure.png"]


def test_drawing_changes_no_settings():
    before = dict(mpl.rcParams)
    points()
    assert dict(mpl.rcParams) == before
