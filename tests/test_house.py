"""The house is in order: notebooks have their form, files their place, and nothing of one machine is in them."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from conftest import ROOT, cells, name_of, source_notebooks

from pumap.paper.experiments import FIGURES

NOTEBOOKS = source_notebooks()
PAPER = [p for p in NOTEBOOKS if p.parent.name == "paper" and not re.match(r"\d\d_", p.name)]  # those that run, not those that export
LIBRARY = [p for p in NOTEBOOKS if p.parent.name == "nbs" and re.match(r"\d\d_", p.name)]
TOP_LEVEL = {
    "README.md", "settings.ini", "setup.py", "environment.yml", "docs", "LICENSE", "CITATION.cff", "CHANGELOG.md",
    "CONTRIBUTING.md", "Makefile", "nbs", "pumap", "figures", "tests", ".ci", ".githooks", ".github", ".gitattributes",
    ".gitignore", ".jupytext.toml", "pyproject.toml", "MANIFEST.in", ".binder", ".devcontainer",
}  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.~/$}>*-])/(?:root|work|Users|home)/[\w.]|(?<![\w./])/tmp/\w|[A-Z]:\\Users\\")
SCREEN, LIMIT, RUN = 40, 60, 80  # lines of an exported cell: what to aim at, what is too much; lines of exported code without prose between


def kept_files():
    "Files that git tracks or would track; without git, those not in a folder that .gitignore names."
    git = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    ) if (ROOT / ".git").exists() else None  # fmt: skip
    if git and git.returncode == 0:
        return sorted(p for p in {ROOT / name for name in git.stdout.split("\0") if name} if p.is_file())
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if re.fullmatch(r"[\w.]+/?", line)}
    ignored |= {"quick", "smoke", "cells", ".git", "pumap.egg-info"}
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in ignored]  # .venv is large: do not look into it
        found += [Path(folder) / name for name in files]
    return sorted(found)


def settings():
    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return parser["DEFAULT"]


def is_exported(cell):
    return re.match(r"#\|\s*exporti?\b", cell["source"]) is not None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_opening(path):
    "The first cell says what the notebook is, in a title and one sentence."
    first = cells(path)[0]
    assert first["cell_type"] == "markdown"
    assert re.match(r"# \S.*\n\n> \S", first["source"]), f"{name_of(path)} opens with {first['source'][:80]!r}"


@pytest.mark.parametrize("path", PAPER, ids=name_of)
def test_parameters_cell(path):
    "papermill sets parameters below the one cell with this tag; without it, they are silently overwritten."
    tagged = [cell for cell in cells(path) if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert tagged[0]["cell_type"] == "code"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_exported_cells_fit_a_screen(path):
    long = [(code_lines(c["source"]), c["source"].splitlines()[1]) for c in cells(path, "code") if is_exported(c)]
    assert not [cell for cell in long if cell[0] > LIMIT], f"aim at {SCREEN} lines: {[c for c in long if c[0] > LIMIT]}"


def code_lines(source):
    "Lines of a cell, docstrings apart: they are prose."
    lines, docstrings = source.splitlines(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return sum(bool(line.strip()) and i not in docstrings for i, line in enumerate(lines, 1))


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_prose_comes_between_exported_code(path):
    run, longest = 0, 0
    for cell in cells(path):
        if cell["cell_type"] == "markdown":
            run = 0
        elif is_exported(cell):
            run += code_lines(cell["source"])
            longest = max(longest, run)
    assert longest <= RUN, f"{longest} lines of exported code without prose"


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_a_picture_comes_early(path):
    "Within the first screens: among the first cells one draws (not where there is nothing to draw)."
    if path.stem[:2] in ("00", "04", "05", "07"):
        return
    code = cells(path, "code")
    assert any(re.search(r"plt\.subplots|Picture\(|draw_|\.imshow|fig\b", cell["source"]) for cell in code[:12] if not is_exported(cell)), name_of(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_nothing_is_switched_off(path):
    assert not re.search(r"#\|\s*eval:\s*false|skip_exec:\s*true", path.read_text(encoding="utf-8"))


def test_paper_notebooks_export_nothing():
    assert not [name_of(p) for p in PAPER for cell in cells(p, "code") if is_exported(cell)]


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.parent.name in ("tutorials", "benchmarks")], ids=name_of)
def test_tutorials_and_benchmarks_are_listed_and_take_parameters(path):
    assert f"]({name_of(path)})" in (ROOT / "README.md").read_text(encoding="utf-8")
    tagged = [cell for cell in cells(path, "code") if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1 and not [cell for cell in cells(path, "code") if is_exported(cell)]


def test_top_level():
    "All that must be there is, and nothing else is kept."
    kept = {p.relative_to(ROOT).parts[0] for p in kept_files()}
    missing = {name for name in TOP_LEVEL - {"figures"} if not (ROOT / name).exists()}
    assert not missing, f"missing: {sorted(missing)}"
    assert not kept - TOP_LEVEL, f"not in the plan of the house: {sorted(kept - TOP_LEVEL)}"


def test_no_paths_of_one_machine():
    found = []
    for path in kept_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}: {line.strip()[:120]}" for line in text.splitlines() if MACHINE_PATH.search(line)]
    assert not [line for line in found if not line.startswith("tests/test_house.py")], "\n".join(found[:20])


def test_no_large_files():
    "Records and figures are small; data stay outside."
    limit = lambda path: 1 if path.suffix in (".npz", ".json") else 5
    large = [f"{name_of(p)}: {p.stat().st_size / 2**20:.1f} MiB" for p in kept_files() if p.stat().st_size > limit(p) * 2**20]
    assert not large, large


def test_one_version():
    version = settings()["version"]
    init = re.search(r'__version__ = "(.+?)"', (ROOT / "pumap/__init__.py").read_text(encoding="utf-8"))[1]
    cited = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)[1]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert init == version == cited.strip('"')
    assert f"## [{version}]" in changes or "## [Unreleased]" in changes


def test_one_license():
    assert settings()["license"] == "bsd3"
    assert (ROOT / "LICENSE").read_text().startswith("BSD 3-Clause License")
    assert "license: BSD-3-Clause" in (ROOT / "CITATION.cff").read_text()


def test_hooks_and_ci_can_be_run():
    for name in (".ci/run", ".ci/sync", ".githooks/pre-commit", ".githooks/post-merge"):
        assert os.access(ROOT / name, os.X_OK), f"{name} is not executable"
    assert ".ci/run" in (ROOT / ".github/workflows/test.yml").read_text()
    assert "make --no-print-directory test" in (ROOT / ".ci/run").read_text()


def test_ci_ends_with_the_count_and_the_exit_code_of_the_tests(tmp_path):
    (tmp_path / "make").write_text("#!/bin/sh\necho $*\necho '== 1 failed, 7 passed in 2.50s =='\necho 'make: *** Error' >&2\nexit $STATUS\n")
    (tmp_path / "make").chmod(0o755)
    for status, last in ((0, "make: *** Error"), (2, "== 1 failed, 7 passed in 2.50s ==")):
        environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "STATUS": str(status)}
        done = subprocess.run(["bash", ROOT / ".ci/run"], capture_output=True, text=True, env=environment)
        assert done.returncode == status and done.stdout.splitlines()[-1] == last and "--no-print-directory test" in done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_runs_one_command_where_all_is_set_up(tmp_path):
    "In a folder with a space, and without a home; what is not set up is set up first, in .venv."
    folder = tmp_path / "a folder"
    (folder / ".venv").mkdir(parents=True)
    for name in ("Makefile", "settings.ini", "setup.py"):
        shutil.copy(ROOT / name, folder)
    bare = {"PATH": os.environ["PATH"]}
    plan = lambda *arguments: subprocess.run(["make", "-n", *arguments], cwd=folder, env=bare, capture_output=True, text=True, check=True).stdout
    assert "pip install" in plan("figures") and "pumap run all --profile quick --jobs 2" in plan("figures")
    (folder / ".venv" / "bin").mkdir()
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / ".venv" / ".made").write_text(f"{folder}\n")
    for name in (".dev", ".paper", ".tensorflow"):
        (folder / ".venv" / name).touch()
    assert plan("figures", "PROFILE=laptop", "JOBS=4").split() == ".venv/bin/pumap run all --profile laptop --jobs 4".split()
    assert plan("test", "ARGS=-k layers").split() == ".venv/bin/python -m pytest -q tests -n 2 --dist worksteal -k layers".split()
    assert "pip install" in plan("test", "BACKEND=jax")
    assert plan("test", "WORKERS=4").split() == ".venv/bin/python -m pytest -q tests -n 4 --dist worksteal".split()


def test_each_figure_is_in_the_readme_with_its_notebook_and_command():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for figure in FIGURES.values():
        assert [line for line in lines if f"(nbs/paper/{figure.notebook}.ipynb)" in line and re.search(rf"`pumap run [^`]*\b{figure.id}\b", line)], figure.id


def test_published_tables_are_whole():
    "The paper's numbers, one file per table."
    folder = ROOT / "nbs/paper/published"
    for number in range(1, 9):
        assert (folder / f"table{number}.csv").read_text(encoding="utf-8").count("\n") > 2


def test_the_readme_tells_the_numbers_of_the_scorecard():
    card = json.loads((ROOT / "figures" / "laptop" / "scorecard.json").read_text(encoding="utf-8"))
    kept = {(cell["dataset"], cell["method"]): cell for cell in card["cells"] if cell["table"] == 2 and cell["dim"] == 2}
    labels = {"umap": "UMAP", "umap_tf": "UMAP (TF)", "pumap": "P. UMAP", "umap_ae": "UMAP/AE", "pumap_decoder": "P. UMAP + dec."}
    labels |= {"tsne": "t-SNE", "ptsne": "P. t-SNE", "ae": "AE", "vae": "VAE", "pca": "PCA"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for method, label in labels.items():
        told = re.search(rf"^\| {re.escape(label)} \|(.*)\|$", readme, re.M)[1].split("|")
        for dataset, (paper, ours) in {"mnist": told[:2], "fmnist": told[3:5]}.items():
            row = kept.get((dataset, method), {"paper": None, "ours": None})
            for said, key in ((ours, "ours"), (paper, "paper")):
                assert said.strip() == (f"{float(row[key]):.4f}" if row[key] else "-"), f"{dataset}, {method}, {key}"


def test_the_readme_names_the_claims_that_do_not_hold():
    claims = json.loads((ROOT / "figures" / "laptop" / "scorecard.json").read_text(encoding="utf-8"))["claims"]
    ids = {holds: [claim["id"] for claim in claims if claim["holds"] is holds] for holds in (True, False, None)}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Of the scorecard's {len(claims)} claims {len(ids[True])} hold, {len(ids[False])} do not, and {len(ids[None])} wait" in readme
    assert sorted(re.findall(r"C\d\d", " ".join(re.findall(r"^\| (C\d.*?): ", readme, re.M)))) == ids[False]


def test_the_readme_tells_the_skill_and_the_changed_rules():
    card = json.loads((ROOT / "figures" / "laptop" / "scorecard.json").read_text(encoding="utf-8"))
    readme, total = (ROOT / "README.md").read_text(encoding="utf-8"), card["skill"]["overall"]
    assert f"The paper has {total['numbers']} numbers" in readme
    for name, end in (("within tolerance", ""), ("within the scaled tolerance", "_scaled")):
        told = re.search(rf"^\| {name}[^|]*\|(.*)\|$", readme, re.M)[1].split("|")
        assert [float(value) for value in told] == [round(total[key + end]) for key in ("within", "shuffled", "median")], name
    assert re.search(rf"^\| skill \| \{total['skill']:+.2f} ", readme, re.M) and re.search(rf"^\| mean rank correlation over {total['columns']} columns \| \{total['spearman']:+.2f} ", readme, re.M)
    assert re.search(rf"^\| columns with p <= 0.05 \| {total['significant']} ", readme, re.M)
    told = re.findall(r"^\| (C\d\d) \| [^|]* \| (yes|no) \| (yes|no) \|$", readme, re.M)
    assert told == [(c["id"], *("yes" if c[key] else "no" for key in ("held_before", "holds"))) for c in card["changed"]]


def test_the_readme_tells_the_commands_of_the_pictures():
    "A picture in figures/laptop that was drawn with stand-ins is not to be had without them."
    commands = re.findall(r"\(nbs/paper/(\w+)\.ipynb\)[^|]* \| `pumap run [\w ]+ --profile laptop( --stand-ins)?`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {notebook for notebook, _ in commands} == {p.stem for p in PAPER if p.stem.startswith(("fig", "table"))}
    for notebook, option in commands:
        copy = ROOT / "figures" / "laptop" / f"{notebook}.ipynb"
        assert option or not copy.exists() or '"stand_ins = True' not in copy.read_text(encoding="utf-8"), notebook


@pytest.mark.parametrize("path", sorted((ROOT / "pumap").rglob("[!_]*.py")), ids=name_of)
def test_no_name_is_defined_twice(path):
    names = [node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"{path.name} defines {sorted(twice)} more than once: the later one silently replaces the earlier"


def test_no_test_is_named_by_bytes(request):
    "Bytes may hold the time; then two processes find tests of different names, and pytest-xdist runs none of them."
    assert not [item.nodeid for item in request.session.items if re.search(r"\\x[0-9a-f]{2}|\\[ntr0]|0x[0-9a-f]{6}", item.nodeid)]
