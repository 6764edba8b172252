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

import pandas as pd
import pytest
from conftest import ROOT, cells, name_of, source_notebooks

from pumap.paper.experiments import FIGURES
from pumap.paper.scorecard import records_of, scorecard_run

NOTEBOOKS = source_notebooks()
PAPER = [p for p in NOTEBOOKS if p.parent.name == "paper" and not re.match(r"\d\d_", p.name)]  # those that run, not those that export
LIBRARY = [p for p in NOTEBOOKS if p.parent.name == "nbs" and re.match(r"\d\d_", p.name)]
TOP_LEVEL = {
    "README.md", "settings.ini", "setup.py", "environment.yml", "docs", "LICENSE", "CITATION.cff", "CHANGELOG.md",
    "CONTRIBUTING.md", "Makefile", "nbs", "pumap", "figures", "tests", ".ci", ".githooks", ".github", ".gitattributes",
    ".gitignore", ".jupytext.toml", "pyproject.toml", "MANIFEST.in", ".binder", ".devcontainer",
}  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.~/$}>*-])/(?:root|work|Users|home)/[\w.]|(?<![\w./])/tmp/\w|[A-Z]:\\Users\\")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE, PICTURE = "https://github.com/pumap/pumap/blob/main/", "https://raw.githubusercontent.com/pumap/pumap/main/"
STATE = ROOT / "figures" / "laptop" / "state.ipynb"
WORDS = 900  # of README
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
def test_tutorials_and_benchmarks_take_parameters(path):
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


def test_the_readme_is_short():
    assert len(README.split()) <= WORDS, f"README has {len(README.split())} words, at most {WORDS} are wanted"


def test_links_of_the_readme_are_absolute_and_lead_somewhere():
    "PyPI shows the README, too, and knows no relative links."
    markdown, html = re.findall(r"(!?)\[[^\[\]]*\]\(([^)\s]+)", README), re.findall(r"\b(src|href)=\"([^\"]+)", README)
    links = [(sign == "!" or sign == "src", target) for sign, target in markdown + html]
    assert len(links) > 80 and not [target for _, target in links if not target.startswith("https://")]
    for is_picture, target in links:
        assert target.startswith(PICTURE) == (is_picture and "pumap/pumap/" in target), target
        path = re.match(r"https://(?:raw\.githubusercontent\.com/pumap/pumap|github\.com/pumap/pumap/(?:blob|tree))/main/([^#?]+)", target)
        assert not path or (ROOT / path[1]).exists(), f"README links to {target}, which is not there"


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem != "index"], ids=name_of)
def test_each_notebook_is_in_the_readme(path):
    assert f"]({PAGE}{name_of(path)})" in README


def test_each_figure_is_in_the_readme_with_its_notebook_copy_and_picture():
    lines = README.splitlines()
    for notebook in {figure.notebook for figure in FIGURES.values()}:
        targets = [f"{PAGE}nbs/paper/{notebook}.ipynb", f"{PAGE}figures/laptop/{notebook}.ipynb", f"{PAGE}figures/laptop/{notebook}.png"]
        (line,) = [line for line in lines if f"({targets[0]})" in line]
        assert re.findall(r"\]\((.*?)\)", line) == targets
        numbers = [f"Table {f.id[5:]}" if f.id.startswith("table") else str(int(f.id[3:])) for f in FIGURES.values() if f.notebook == notebook]
        assert line.startswith(f"| {', '.join(numbers)}: "), line


def test_the_readme_compares_with_what_was_measured():
    read = lambda name: pd.read_csv(ROOT / "figures" / "laptop" / f"{name}.csv")
    training, inference, embedding, small = map(read, ("benchmark_training_speed", "benchmark_inference", "fig11_embedding_speed", "benchmark_small_data"))
    training = training[(training.encoder == "mlp") & (training.effort == 0)].groupby("solver").median(numeric_only=True).loc[["umap-learn", "layout", "fast"]]
    many = inference[inference.n_rows == 10_000].set_index("model").median_ms / 10  # per 1,000 rows
    umap = 1000 * embedding.query("dataset == 'fmnist' and method == 'umap'").seconds_per_1000.item()
    digits = small[small.dataset == "digits"].set_index("method").loc[["umap-learn's ParametricUMAP", "umap", "pumap"]]
    two = lambda value: f"{value:.0f}" if value >= 10 else f"{value:.1f}"
    expected = {
        "train on 50,000 images": [f"{value:.0f} s" for value in training.seconds],
        "peak memory": [f"{value / 1024:.1f} GiB" for value in training.peak_memory_mb],
        "trustworthiness": [f"{value:.3f}" for value in training.trustworthiness],
        "embed new images, per 1,000": [f"{two(value)} ms" for value in (many["umap-learn ParametricUMAP"], umap, many["pumap"])],
        f"fit {digits.rows.iloc[0]:,.0f} digits": [f"{two(value)} s" for value in digits.seconds],
        "5-NN accuracy on new digits": [f"{value:.3f}" for value in digits["held-out 5-NN"]],
    }
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in README.splitlines() if line.startswith("| ")]
    assert {row[0]: row[1:] for row in rows if row[0] in expected} == expected


def test_published_tables_are_whole():
    "The paper's numbers, one file per table."
    folder = ROOT / "nbs/paper/published"
    for number in range(1, 9):
        assert (folder / f"table{number}.csv").read_text(encoding="utf-8").count("\n") > 2


# the state of the reproduction: its tables are computed, and the copy in figures/laptop must show what the records have


def scorecard():
    return json.loads((ROOT / "figures" / "laptop" / "scorecard.json").read_text(encoding="utf-8"))


def state():
    "All that a reader of the executed copy sees: prose, tables, printed lines."
    shown = []
    for cell in cells(STATE):
        shown += [cell["source"]] if cell["cell_type"] == "markdown" else []
        for output in cell.get("outputs", ()):
            assert output["output_type"] != "error"
            shown.append("".join(output["text"] if "text" in output else output["data"].get("text/markdown", "")))
    return "\n".join(shown)


def test_the_state_was_executed_as_it_is():
    ".venv/bin/pumap notebook nbs/paper/state.ipynb figures/laptop/state.ipynb"
    source, copy = ([(cell["cell_type"], cell["source"]) for cell in cells(path)] for path in (ROOT / "nbs" / "paper" / "state.ipynb", STATE))
    assert copy == source
    assert all(cell["outputs"] for cell in cells(STATE, "code") if re.search(r"^(?:show|print)\(", cell["source"], re.M))


def test_the_state_tells_the_numbers_of_the_scorecard():
    kept = {(cell["dataset"], cell["method"]): cell for cell in scorecard()["cells"] if cell["table"] == 2 and cell["dim"] == 2}
    labels = {"umap": "UMAP", "umap_tf": "UMAP (TF)", "pumap": "P. UMAP", "umap_ae": "UMAP/AE", "pumap_decoder": "P. UMAP + dec."}
    labels |= {"tsne": "t-SNE", "ptsne": "P. t-SNE", "ae": "AE", "vae": "VAE", "pca": "PCA"}
    for method, label in labels.items():
        told = re.search(rf"^\| {re.escape(label)} ((?:\| [-+.\d]+(?: †)? ){{6}})\|$", state(), re.M)[1].strip("| ").split(" | ")
        for dataset, (paper, ours, difference) in {"mnist": told[:3], "fmnist": told[3:]}.items():
            row = kept.get((dataset, method), {"paper": None, "ours": None, "difference": None, "earlier": False})
            assert ours.endswith(" †") == row["earlier"], f"{dataset}, {method}"
            for said, key, form in ((ours.removesuffix(" †"), "ours", ".4f"), (paper, "paper", ".4f"), (difference, "difference", "+.4f")):
                assert said == ("-" if row[key] is None else format(row[key], form)), f"{dataset}, {method}, {key}"


def test_the_state_names_the_claims_that_do_not_hold_and_their_causes():
    claims = scorecard()["claims"]
    ids = {holds: [claim["id"] for claim in claims if claim["holds"] is holds] for holds in (True, False, None)}
    assert f"Of the scorecard's {len(claims)} claims {len(ids[True])} hold, {len(ids[False])} do not, and {len(ids[None])} wait" in state()
    judged = [claim["in_paper"] for claim in claims if claim["in_paper"] is not None]
    assert f"the rules find that {sum(judged)} of {len(judged)} claims hold there" in state()
    part = re.search(r"### Claims that do not hold, and why\n(.*?)\n### ", state(), re.S)[1]
    told = re.findall(r"^\| (C\d\d) \| [^|]+ \| (yes|no|-) \| ([^|]+) \|$", part, re.M)
    answers = {True: "yes", False: "no", None: "-"}
    assert [(claim, said) for claim, said, _ in told] == [(c["id"], answers[c["in_paper"]]) for c in claims if c["holds"] is False]
    assert all(len(cause.split()) > 4 for _, _, cause in told) and re.findall(r"\"(C\d\d)\": \"", causes()) == ids[False]
    evidence = {c["id"]: c["evidence"] for c in claims}
    assert all(f"| {evidence[claim]} |" in part for claim in ids[False])


def causes():
    "The causes as typed: none is left of a claim that holds by now."
    (source,) = [cell["source"] for cell in cells(STATE, "code") if cell["source"].startswith("CAUSES")]
    return source


def test_the_state_lists_the_numbers_outside_the_tolerance():
    outside = [cell for cell in scorecard()["cells"] if cell["within"] is False]
    told = re.findall(r"^\| ([2-7]) \| [^|]+ \| [^|]+ \| (2|64) \| [^|]+ \| [-.\d]+ \| [-.\d]+ \| ([-+.\d]+) \| [-.\d%]+ \| [^|]+ \|$", state(), re.M)
    assert told == [(str(c["table"]), str(c["dim"]), f"{c['difference']:+.4f}") for c in outside]
    assert f"{len(outside)} numbers are outside the tolerance" in state()


def test_the_state_tells_the_skill_and_the_changed_rules():
    card, text = scorecard(), state()
    total = card["skill"]["overall"]
    assert f"The paper has {total['numbers']} numbers" in text
    for name, end in (("within tolerance", ""), ("within the scaled tolerance", "_scaled")):
        told = re.search(rf"^\| {name}[^|]*\|(.*)\|$", text, re.M)[1].split("|")
        assert [float(value) for value in told] == [round(total[key + end]) for key in ("within", "shuffled", "median")], name
    assert re.search(rf"^\| skill \| \{total['skill']:+.2f} ", text, re.M) and re.search(rf"^\| mean rank correlation over {total['columns']} columns \| \{total['spearman']:+.2f} ", text, re.M)
    assert re.search(rf"^\| columns with p <= 0.05 \| {total['significant']} ", text, re.M)
    told = re.findall(r"^\| (C\d\d) \| [^|]* \| (yes|no) \| (yes|no) \|$", text, re.M)
    assert told == [(c["id"], *("yes" if c[key] else "no" for key in ("held_before", "holds"))) for c in card["changed"]]
    assert len(told) == 6 and "Six rules were changed after their verdicts were known" in text


def test_the_state_counts_the_records_older_than_the_code():
    "Of each record that counts, by its own date."
    records = records_of(scorecard_run("laptop"))
    of_pumap = [r for r in records if r["cell"]["method"] in ("pumap", "umap_ae", "pumap_decoder")]
    told = re.findall(r"^\| [^|]+ \| (20\d\d-\d\d-\d\d) \| (\d+) \| (\d+) \|$", state(), re.M)
    for (day, before, total), datasets in zip(told, (None, ("moons", "retina")), strict=True):
        concerned = [r["finished"][:10] for r in of_pumap if not datasets or r["cell"]["dataset"] in datasets]
        assert (int(before), int(total)) == (sum(finished < day for finished in concerned), len(concerned))


def test_the_state_tells_the_commands_of_the_pictures():
    "A picture in figures/laptop that was drawn with stand-ins is not to be had without them."
    commands = re.findall(r"\((\w+)\.ipynb\)[^|]* \| `pumap run ([\w ]+) --profile laptop( --stand-ins)?`", state())
    assert {notebook for notebook, _, _ in commands} == {p.stem for p in PAPER if p.stem.startswith(("fig", "table"))}
    for notebook, names, option in commands:
        assert names.split() == [figure.id for figure in FIGURES.values() if figure.notebook == notebook]
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
