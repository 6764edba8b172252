"""The `pumap` command: its answers to programs, its errors in one line, and what it does after a kill, a failure, a full disk."""

import dataclasses
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, permissions_count, run_at

from pumap import import_quietly
from pumap.paper import cli, datasets
from pumap.paper import experiments as ex

RECORD = dict.fromkeys(ex.RECORD_KEYS) | {"metrics": {"trustworthiness": 0.5}}
COMMAND = [sys.executable, "-c", "from pumap.paper.cli import main; main()"]


@pytest.fixture
def pumap(capsys):
    "The command, in this process: exit code, standard output, standard error."

    def call(*arguments):
        handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGHUP)}
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        for name, handler in handlers.items():
            signal.signal(name, handler)
        return ended.value.code, *capsys.readouterr()

    return call


# answers


def test_list_for_programs(pumap, tmp_path):
    code, out, err = pumap("list", "--json", "--results", tmp_path)
    rows = json.loads(out)
    assert code == 0 and not err and [row["id"] for row in rows] == list(ex.FIGURES)
    for row in rows:
        assert set(row) >= {"id", "title", "notebook", "cells", "state"} and (ROOT / row["notebook"]).is_file()
        assert set(row["cells"]) == set(row["state"]) == set(ex.PROFILES)
        assert row["state"]["smoke"] == {"state": "not run", "done": 0, "earlier": 0, "total": len(row["cells"]["smoke"]), "drawn": False}


def test_report_for_programs(pumap, tmp_path):
    ex.Cell("digits", "pca", 2).compute(run_at(tmp_path))
    code, out, err = pumap("report", "--profile", "smoke", "--json", "--results", tmp_path)
    card = json.loads(out)
    assert code == 0 and not err and set(card) >= {"cells", "claims", "errata"}
    for row in card["cells"]:
        assert set(row) >= {"table", "dataset", "dim", "method", "metric", "paper", "ours", "n", "seeds", "within"}
    for claim in card["claims"]:
        assert set(claim) >= {"id", "text", "source", "holds", "evidence"}
    assert sum(row["ours"] is not None for row in card["cells"]) == len(ex.METRICS)
    assert json.loads((tmp_path / "scorecard.json").read_text()) == card
    assert "| 2 | digits | 2 | pca | trustworthiness |" in (tmp_path / "scorecard.md").read_text()


def test_report_for_people(pumap, tmp_path):
    code, out, _ = pumap("report", "--profile", "smoke", "--results", tmp_path)
    assert code == 0 and "30 claims not measured" in " ".join(out.split())


def test_data_for_programs(pumap, tmp_path):
    code, out, _ = pumap("data", "--json", "--data", tmp_path)
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0 and {"digits", "moons", "mnist", "fmnist"} <= set(rows)
    assert rows["digits"]["here"] is True and all({"title", "source", "sha256", "url", "license"} <= set(row) for row in rows.values())
    code, out, _ = pumap("data", "digits", "--json")
    assert code == 0 and [row["name"] for row in json.loads(out)] == ["digits"]


def test_data_fetches_what_is_named(pumap, monkeypatch):
    "And nothing else; what cannot be used is told, and ends with 1."
    here, told = set(), dict(datasets.describe("mnist"), here=False, problem=None)
    monkeypatch.setattr(datasets, "describe", lambda name, data: told | {"name": name, "here": name in here, "problem": "it is damaged" if name == "bison" else None})
    monkeypatch.setattr(datasets, "load", lambda name, data: here.add(name))
    code, _, err = pumap("data")
    assert (code, err, here) == (0, "", set())
    code, out, err = pumap("data", "mnist", "--json")
    assert (code, err, here) == (0, "", {"mnist"}) and json.loads(out)[0]["here"] is True
    code, out, err = pumap("data", "bison", "mnist")
    assert (code, err, here) == (1, "", {"mnist"}) and "it is damaged" in out


def test_run_hands_on_what_it_was_given(pumap, monkeypatch, tmp_path):
    handed = []
    monkeypatch.setattr(cli, "carry_out", lambda plan, jobs, extra, strict: handed.append((plan.run, plan.run_missing, jobs, extra)) or 0)
    monkeypatch.setattr(cli, "absent_data", lambda cells, run: {})
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    monkeypatch.delenv("PUMAP_DATA", raising=False)
    assert pumap("run", "fig04", "-p", "smoke", "--results", "r")[0] == 0
    assert pumap("run", "fig04", "-p", "smoke", "--results", "r", "--data", "data", "--stand-ins", "-j", "3", "--", "--quiet")[0] == 0
    monkeypatch.setenv("PUMAP_DATA", "data")
    assert pumap("run", "fig04", "-p", "smoke", "--results", "r")[0] == 0
    data = str(tmp_path / "data")
    assert handed == [
        (run_at(tmp_path / "r"), True, None, []),
        (run_at(tmp_path / "r", stand_ins=True, data=data), True, 3, ["--quiet"]),
        (run_at(tmp_path / "r", data=data), True, None, []),
    ]


def test_a_report_can_be_read_in_80_columns(pumap, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "figures" / "laptop" / "records", tmp_path / "records")
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = pumap("report", "--profile", "laptop", "--results", tmp_path)
    assert code == 0 and "…" not in out and max(map(len, out.splitlines())) <= 80
    assert "Table 8" in out and " cifar10* " in out and "* CIFAR10 as JPEG, stand-in for cifar10" in out


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "--json"], ["run", "--help"], ["run", "all", "--dry-run"], ["report", "-p", "laptop"]])
def test_answers_need_nothing_heavy(arguments, tmp_path):
    heavy = ("tensorflow", "keras", "umap", "openTSNE", "sklearn", "numba", "papermill", "snakemake", "pandas", "numpy")
    heavy = heavy[: -1 if "--dry-run" in arguments or "report" in arguments else None]  # sizes of data sets and rank correlations take numpy
    results = [] if "--help" in arguments else ["--results", str(tmp_path)]
    if "report" in arguments:
        shutil.copytree(ROOT / "figures" / "laptop" / "records", tmp_path / "records")
    code = f"""
import sys
from pumap.paper.cli import main
try: main({arguments + results!r})
except SystemExit as ended: assert not ended.code
print(sorted({{m.split('.')[0] for m in sys.modules}} & set({heavy!r})), file=sys.stderr)
"""
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # nor a home, nor a terminal that can show more than ASCII
    bare |= {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "SYSTEMROOT")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=bare)
    assert done.returncode == 0 and done.stdout and done.stderr == "[]\n"


@pytest.mark.parametrize("before", [True, False])
def test_no_garbage_is_sought_during_an_import_and_then_as_before(before, tmp_path, monkeypatch):
    (tmp_path / "asks.py").write_text("import gc\nduring = gc.isenabled()\n")
    (tmp_path / "fails.py").write_text("raise ImportError('no')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "asks", raising=False)
    collecting = gc.isenabled()
    (gc.enable if before else gc.disable)()
    try:
        assert import_quietly("asks").during is False and gc.isenabled() is before
        with pytest.raises(ImportError, match="no"):
            import_quietly("fails")
        assert gc.isenabled() is before
    finally:
        (gc.enable if collecting else gc.disable)()
        sys.modules.pop("asks", None)


def test_dry_run_touches_nothing_and_tells_sizes(pumap, tmp_path):
    results = tmp_path / "not" / "there"
    code, out, err = pumap("run", "fig04", "table2", "--profile", "paper", "--dry-run", "--results", results)
    assert code == 0 and not err and not any(tmp_path.iterdir())
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "n_training_epochs=5" in lines["mnist-pumap-64d-seed0"] and "encoder=conv28" in lines["mnist-pumap-64d-seed0"]
    assert "n_training_epochs=100" in lines["moons-pumap-2d-seed0"] and "perplexity=500" in lines["moons-tsne-2d-seed0"]
    assert "train=50000 test=10000" in lines["fmnist-umap-2d-seed0"] and "draw" in lines["fig05_trustworthiness"]
    assert "n_epochs=200" in lines["fmnist-umap-2d-seed0"] and "n_epochs=500" in lines["moons-umap-2d-seed0"] and "n_iter=250+500" in lines["mnist-tsne-2d-seed0"]
    efforts = ("n_epochs=", "n_iter=", "n_training_epochs=", "n_steps=")
    assert all("-pca-" in name or any(effort in line for effort in efforts) for name, line in lines.items() if "train=" in line)


def test_dry_run_tells_what_it_would_reuse(pumap, tmp_path):
    ex.Cell("digits", "pca", 2).compute(run_at(tmp_path))
    place = run_at(tmp_path).path(ex.Cell("digits", "umap", 2))
    place.write_text("{")
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = pumap("run", "fig04", "-p", "smoke", "-n", "--results", tmp_path)
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert code == 0 and lines["digits-pca-2d-seed0"][0] == "reuse" and "(damaged;" in lines["digits-umap-2d-seed0"]
    assert sorted(tmp_path.rglob("*")) == before and place.read_text() == "{"


def test_dry_run_draws_what_a_run_would_draw(pumap, tmp_path):
    "A drawn figure is left alone whatever others need, and drawn again if a record of its own is to be made again."
    cells = ex.cells_for("fig04", ex.profile("smoke"))
    for cell in cells:
        ex.write_record(RECORD | {"cell": dataclasses.asdict(cell), "inputs": ex.inputs_hash(cell, ex.profile("smoke"))}, run_at(tmp_path).path(cell))
    for name in ("fig04_projections", "table01_datasets"):
        copy = {"metadata": {"pumap": {"made_from": ex.made_from(name, run_at(tmp_path))}}}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(copy))

    def drawn(*figures):
        lines = [line.split() for line in pumap("run", *figures, "-p", "smoke", "-n", "--results", tmp_path)[1].splitlines()]
        return {line[0]: line[1] for line in lines if line[0].startswith(("fig", "table"))}

    assert drawn("fig04", "table1", "fig15") == {"fig04_projections": "reuse", "table01_datasets": "reuse", "fig15_ssl_euclidean": "draw"}
    run_at(tmp_path).path(cells[0]).write_text("{")
    assert drawn("fig04", "table1") == {"fig04_projections": "draw", "table01_datasets": "reuse"}


def test_dry_run_names_what_stands_in(pumap, tmp_path):
    out = pumap("run", "fig04", "-p", "laptop", "-n", "--stand-ins", "--results", tmp_path)[1]
    line = next(line for line in out.splitlines() if "retina-umap-2d-seed0" in line)
    assert "data=worm_neurons train=3267 test=419" in line and "data=" not in next(line for line in out.splitlines() if "mnist-umap-2d-seed0" in line)


def test_what_a_notebook_left_out_is_told_and_not_taken_for_done(tmp_path, monkeypatch, capsys):
    "Figures that measure by themselves have no cells, so only their copies know."
    def drawn(*printed):
        copy = {"cells": [{"outputs": [{"output_type": "stream", "text": [*printed]}]}], "metadata": {"pumap": {"made_from": ex.made_from("fig14_latent_algebra", run_at(tmp_path))}}}
        (tmp_path / "fig14_latent_algebra.ipynb").write_text(json.dumps(copy))
        return ex.is_drawn("fig14_latent_algebra", run_at(tmp_path))

    run = run_at(tmp_path)
    plan = lambda: cli.make_plan([ex.figure("fig14")], run)
    monkeypatch.setattr(cli, "start_snakemake", lambda *_: drawn("left out: celeba: no faces here\n") or types.SimpleNamespace(returncode=0))
    monkeypatch.setattr(cli, "watch", lambda *_: ({}, []))
    for strict, code, word in ((False, 0, "warning"), (True, 1, "error")):
        assert cli.carry_out(plan(), 1, [], strict) == code
        assert f"{word}: fig14_latent_algebra: left out: celeba: no faces here" in capsys.readouterr().err
    assert drawn("all faces\n") and cli.carry_out(plan(), 1, [], True) == 0
    (tmp_path / "fig14_latent_algebra.csv").write_text("other measurements\n")
    assert not ex.is_drawn("fig14_latent_algebra", run_at(tmp_path))


def test_records_with_earlier_settings_are_drawn_and_marked_and_run_again(pumap, tmp_path, monkeypatch):
    smoke, cell = ex.profile("smoke"), ex.Cell("digits", "pca", 2)
    cell.compute(run_at(tmp_path))
    changed = dataclasses.replace(smoke, settings=((("pca",), None, {"random_state": None}),), earlier=smoke.settings)
    monkeypatch.setitem(ex.PROFILES, "smoke", changed)
    listed = json.loads(pumap("list", "--json", "--results", tmp_path)[1])
    state = next(row for row in listed if row["id"] == "fig05")["state"]["smoke"]
    assert (state["done"], state["earlier"]) == (0, 1) and "0+1/" in pumap("list", "--results", tmp_path)[1]
    plan = cli.make_plan(cli.figures_named(["fig05"]), ex.Run(changed, tmp_path))
    assert plan.states[cell] == "earlier" and cell not in plan.todo
    plan = dataclasses.replace(plan, renew=True)
    assert cell in plan.todo
    cli.prepare(plan)
    assert list((tmp_path / "records").glob("digits-pca-2d-seed0.json.earlier-*"))


def test_half_a_grid_can_be_drawn(pumap, tmp_path):
    "No cell is run, what is missing is named, and nothing that is stale is set aside."
    there, stale = ex.Cell("digits", "pca", 2), ex.Cell("moons", "pca", 2)
    for cell in (there, stale):
        cell.compute(run_at(tmp_path))
    place = run_at(tmp_path).path(stale)
    place.write_text(place.read_text().replace(ex.inputs_hash(stale, ex.profile("smoke")), "0" * 16))
    before = sorted((tmp_path / "records").iterdir())
    code, out, _ = pumap("run", "fig05", "-p", "smoke", "--only-there", "--results", tmp_path)
    n = len(ex.cells_of_notebook("fig05_trustworthiness", ex.profile("smoke")))
    assert code == 0 and f"{n - 1} of {n} cells are not there, and are left out" in out
    assert sorted((tmp_path / "records").iterdir()) == before
    copy = (tmp_path / "fig05_trustworthiness.ipynb").read_text()
    assert "left out, not run yet: digits-umap-2d-seed0, " in copy and "moons-pca-2d-seed0" in copy and (tmp_path / "fig05_trustworthiness.png").exists()
    out = pumap("run", "fig05", "-p", "smoke", "-n", "--results", tmp_path)[1]
    assert f"{n - 1} of {n} cells to run" in out


def test_a_record_is_read_once_in_the_command_and_once_in_the_notebook(pumap, tmp_path, monkeypatch):
    "The plan knows the states and checksums; the kernel notes the checksums that the executed copy is stamped with."
    cells = ex.cells_for("fig05", ex.profile("smoke"))
    metrics = dict.fromkeys(ex.METRICS, 1.0)
    about = {"n_train": 300, "n_test": 100, "data": {"title": "A", "stand_in_for": None}}
    for cell in cells:
        ex.write_record(RECORD | about | {"cell": dataclasses.asdict(cell), "metrics": metrics, "inputs": ex.inputs_hash(cell, ex.profile("smoke"))}, run_at(tmp_path).path(cell))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(COUNT_READS.format(folder=str(tmp_path)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path / "site"), str(ROOT), os.environ.get("PYTHONPATH")))))
    done = subprocess.run([*COMMAND, "run", "fig05", "-p", "smoke", "--results", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reads = (tmp_path / "reads").read_text().split()
    assert sorted(reads) == sorted(2 * [f"{cell.id}.json" for cell in cells])
    assert ex.is_drawn("fig05_trustworthiness", run_at(tmp_path))
    run_at(tmp_path).path(cells[0]).write_text("{}")
    assert not ex.is_drawn("fig05_trustworthiness", run_at(tmp_path))


COUNT_READS = """
import os, sys
def note(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)) and "/records/" in os.fsdecode(arguments[0]) and os.fsdecode(arguments[0]).endswith(".json"):
        with open("{folder}/reads", "a") as file:
            file.write(os.path.basename(os.fsdecode(arguments[0])) + " ")
sys.addaudithook(note)
"""


def test_the_plan_is_written_once_and_holds_what_is_to_do(tmp_path):
    "One job for each cell and figure, with what it makes and needs; a second plan holds what is left."
    cells = ex.cells_for("fig04", ex.profile("smoke"))
    run = run_at(tmp_path)
    for cell in cells[1:]:
        ex.write_record(RECORD | {"cell": dataclasses.asdict(cell), "inputs": ex.inputs_hash(cell, run.profile)}, run.path(cell))
    plan = cli.make_plan([ex.figure("fig04"), ex.figure("table1")], run)
    assert plan.todo == [cells[0]] and plan.draw == ["fig04_projections", "table01_datasets"]
    written = json.loads(cli.write_plan(plan, threads=2).read_text())
    jobs = {job["name"]: job for job in written["jobs"]}
    assert set(jobs) == {cells[0].id, *plan.draw} and written["threads"] == 2
    assert jobs[cells[0].id]["parameters"] == {"profile": "smoke", "results_dir": ex.portable(tmp_path), "stand_ins": False, **dataclasses.asdict(cells[0])}
    assert jobs["fig04_projections"]["needs"] == [jobs[cells[0].id]["makes"]] and jobs["table01_datasets"]["needs"] == []
    assert jobs["fig04_projections"]["limits"] == ex.figure("fig04").limits() and jobs[cells[0].id]["limits"] == cells[0].limits()
    without = dataclasses.replace(plan, without={cells[0].dataset: "not here"})
    assert without.todo == [] and without.draw == plan.draw and [job["needs"] for job in without.jobs()] == [[], []]


def test_snakemakes_own_dry_run_shows_its_jobs_and_runs_none(pumap, tmp_path):
    "Damaged records stay where they are, and no data are looked for."
    cell = ex.Cell("digits", "pca", 2)
    place = run_at(tmp_path).path(cell)
    place.parent.mkdir()
    place.write_text("{")
    code, out, err = pumap("run", "fig04", "-p", "smoke", "--results", tmp_path, "--", "--dry-run")
    assert code == 0 and not err and "makes=records/digits-pca-2d-seed0.json" in out and "makes=fig04_projections.ipynb" in out
    assert place.read_text() == "{" and list(place.parent.iterdir()) == [place]


# errors


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["run", "fig99"], 1, ["fig99", "fig04", "fig05", "table2", "fig08", "table5"]),
        (["run", "fig04", "-p", "labtop"], 1, ["labtop", "'laptop'", "smoke"]),
        (["report", "-p", "labtop"], 1, ["labtop", "smoke"]),
        (["data", "minst"], 1, ["minst", "'mnist'", "digits"]),
        (["data", "finch"], 1, ["finch", "'finches'", "worm_neurons"]),
        (["data", "--data", "/no/such/folder"], 1, ["/no/such/folder", "--data"]),
        (["run", "fig04", "--data", "/no/such/folder"], 1, ["/no/such/folder", "--data"]),
        (["run"], 2, ["FIGURE"]),
        (["run", "fig04", "--jobs", "0"], 2, ["jobs"]),
        (["run", "fig04", "--dryrun"], 2, ["--dryrun"]),
        (["rum"], 2, ["rum"]),
        (["notebook", "nbs/paper/cell_embedding.ipynb", "x.ipynb", "--parameters", "{"], 1, ["--parameters", "JSON object", "'{'"]),
        (["notebook", "nbs/paper/cell_embedding.ipynb", "x.ipynb", "--parameters", "[1]"], 1, ["--parameters", "JSON object", "'[1]'"]),
    ],
)
def test_errors_are_one_line(pumap, arguments, code, words, tmp_path):
    told, out, err = pumap(*arguments)
    assert told == code and not out and err.startswith("error: ") and err.count("\n") == 1
    assert all(word in err for word in words), err


def test_without_its_packages_the_command_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from pumap import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and "pip install -e '.[paper]'` in a clone of" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(pumap, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments in (["report"], ["run", "fig04"]):
        code, out, err = pumap(*arguments, "-p", "smoke", "--results", tmp_path / "file" / "x")
        assert code == 1 and err.startswith("error: ") and err.count("\n") == 1 and "choose another folder" in err


def test_arguments_after_two_dashes_go_to_snakemake(tmp_path):
    command = cli.snakemake_command(tmp_path / "run.json", 3, 2, ["--quiet", "--latency-wait", "20"])
    assert command[-3:] == ["--quiet", "--latency-wait", "20"] and command[command.index("--cores") + 1] == "6"


@pytest.fixture
def read_only(tmp_path):
    "A results folder with one record, in which nothing can be written."
    ex.Cell("digits", "pca", 2).compute(run_at(tmp_path))
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with permissions_count():
        yield tmp_path
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_read_only_results_folder_can_be_looked_at_and_says_what_to_do_instead(pumap, read_only):
    before = sorted(read_only.rglob("*"))
    code, out, err = pumap("list", "--json", "--results", read_only)
    (figure,) = [row for row in json.loads(out) if row["id"] == "fig04"]
    assert code == 0 and not err and figure["state"]["smoke"]["done"] == 1
    code, out, err = pumap("run", "fig04", "-p", "smoke", "--dry-run", "--results", read_only)
    assert code == 0 and not err and "digits-pca-2d-seed0" in out
    for arguments in (["run", "fig04"], ["report"]):
        code, out, err = pumap(*arguments, "-p", "smoke", "--results", read_only)
        assert code == 1 and err.startswith("error: ") and err.count("\n") == 1 and str(read_only) in err and "choose another folder" in err, err
    assert sorted(read_only.rglob("*")) == before


def test_stand_ins_that_cannot_be_had_either_are_named(monkeypatch, tmp_path):
    "The original's name says what is left out, the stand-in's name what was looked for; what has no stand-in is itself."
    for variable in ("PUMAP_DATA", "PUMAP_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path))
    cells = [ex.Cell(name, "pca", 2) for name in ("cassins", "celeba", "digits")]
    with_them, without = (cli.absent_data(cells, run_at(tmp_path, stand_ins=stand_ins)) for stand_ins in (True, False))
    assert set(with_them) == set(without) == {"cassins", "celeba"}
    for name in with_them:
        original, stand_in = (datasets.DATASETS[n].title for n in (name, ex.STAND_INS[name]))
        assert stand_in in with_them[name] and original in without[name] and stand_in not in without[name]


def test_songs_that_do_not_fit_are_left_out_before_anything_runs(tmp_path):
    "A file of one's own has no checksum: that it is there says nothing, so it is read."
    (tmp_path / "cassins").mkdir()
    (tmp_path / "cassins" / "cassins.npz").write_bytes(b"PK" + bytes(100))
    absent = cli.absent_data([ex.Cell(name, "pca", 2) for name in ("cassins", "digits")], run_at(tmp_path, data=str(tmp_path)))
    assert set(absent) == {"cassins"} and "cannot be read" in absent["cassins"]


def test_a_record_of_a_stand_in_is_none_of_the_original(tmp_path):
    cell = ex.Cell("cassins", "pca", 2)
    ex.write_record(RECORD | {"inputs": ex.inputs_hash(cell, ex.profile("laptop"), stand_ins=True)}, run_at(tmp_path, "laptop").path(cell))
    assert run_at(tmp_path, "laptop", stand_ins=True).state(cell) == "done"
    assert run_at(tmp_path, "laptop", stand_ins=False).state(cell) == "stale"
    assert cli.states_of(run_at(tmp_path, "laptop", stand_ins=None))["fig05"]["done"] == 1  # the list counts it all the same


def test_a_record_that_cannot_be_made_again_is_not_set_aside(tmp_path, capsys):
    "Without its data a stale record stays; with them it makes room."
    song, digits = ex.Cell("cassins", "pca", 2), ex.Cell("digits", "pca", 2)
    for cell in (song, digits):
        ex.write_record(RECORD | {"inputs": "old"}, run_at(tmp_path).path(cell))
    cli.prepare(cli.Plan(run_at(tmp_path), (), dict.fromkeys((song, digits), "stale"), (), without={"cassins": "not here"}))
    assert run_at(tmp_path).path(song).exists() and not run_at(tmp_path).path(digits).exists()
    assert capsys.readouterr().err.startswith("digits-pca-2d-seed0: the record was made from other inputs")


# runs: the real command, Snakefile and notebooks, with methods that cost nothing

FAKE_BASELINES = '''
import os, time
from sklearn.decomposition import PCA
METHODS = ("umap", "umap_tf", "pumap", "tsne", "pca")
class Fake:
    def __init__(self, method, n_components):
        self.method, self.n_components = method, n_components
    def fit(self, X, y=None):
        if os.environ.get("FAKE_FAILS") == self.method:
            raise RuntimeError("the method broke down")
        time.sleep(float(os.environ.get("FAKE_SECONDS", 0)) * (self.method == "pca"))
        self.pca = PCA(self.n_components).fit(X.reshape(len(X), -1))
        self.embedding_ = self.transform(X)
        return self
    def transform(self, X):
        return self.pca.transform(X.reshape(len(X), -1)).astype("float32")
def make_method(method, n_components=2, random_state=None, **settings):
    return Fake(method, n_components)
'''
FEW_CELLS = """
_SMALL = (Block(("digits",), ("umap", "tsne", "pca"), (2,)),)
PROFILES["smoke"] = Profile("smoke", "three cells", _SMALL + MORE, n_train=60, n_test=20)
"""


class House:
    "A copy of the repository in which a cell costs nothing."

    def __init__(self, folder, more="()"):
        self.folder, self.results = folder, folder / "figures" / "smoke"
        for name in ("pumap", "nbs"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_text"))
        (folder / "pumap" / "baselines.py").write_text(FAKE_BASELINES)
        with open(folder / "pumap" / "paper" / "experiments.py", "a") as module:
            module.write(FEW_CELLS.replace("MORE", more))
        cell = folder / "nbs" / "paper" / "cell_embedding.ipynb"
        source = json.loads(cell.read_text())
        source["cells"] = [c for c in source["cells"] if "plt." not in "".join(c["source"])]
        cell.write_text(json.dumps(source).replace("import matplotlib.pyplot as plt\\n", ""))
        for name in {figure.notebook for figure in ex.FIGURES.values()}:
            source = json.loads((folder / "nbs" / "paper" / f"{name}.ipynb").read_text())
            keep = [cell for cell in source["cells"] if "parameters" in cell["metadata"].get("tags", [])]
            last = {"cell_type": "code", "id": "last", "metadata": {}, "outputs": [], "execution_count": None, "source": LAST_CELL}
            (folder / "nbs" / "paper" / f"{name}.ipynb").write_text(json.dumps(source | {"cells": keep + [last]}))

    def start(self, *arguments, **environment):
        path = os.pathsep.join(filter(None, (str(self.folder), os.environ.get("PYTHONPATH"))))
        environment = {k: v for k, v in os.environ.items() if k != "PUMAP_DATA"} | environment | {"PYTHONPATH": path}
        return subprocess.Popen(
            [*COMMAND, *arguments], cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background job ignores it, and so would its children
        )  # fmt: skip

    def run(self, *arguments, **environment):
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def records(self):
        "Each record's text, which holds seconds and so changes when its cell runs again. (Snakemake touches the file when the job behind it ends.)"
        return {path.stem: path.read_text() for path in self.results.glob("records/*.json")}

    def processes(self):
        "Whatever still runs in this house."
        import psutil

        found = []
        for process in psutil.process_iter():
            try:
                if str(self.folder) in " ".join(process.cmdline()) or process.cwd() == str(self.folder):
                    found.append(process)
            except psutil.Error:
                pass
        return found

    def wait(self, condition, seconds=300):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.1)


LAST_CELL = """from pathlib import Path
from pumap.paper import experiments as ex
reasons = {}
run = ex.open_run(profile, results_dir, data_dir)
records = run.collect(ex.cells_for("fig04", run.profile), reasons=reasons)
Path(save_to, "fig04.txt").write_text(f"{len(records)} {sorted(set(c.dataset for c in reasons))}")"""
ALL = {"digits-umap-2d-seed0", "digits-tsne-2d-seed0", "digits-pca-2d-seed0"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return House(tmp_path_factory.mktemp("a house"))  # with a space


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["the command", "its process group"])
def test_killed_in_mid_run_and_started_again(tmp_path, whom):
    house = House(tmp_path)
    process = house.start("run", "fig04", "-p", "smoke", FAKE_SECONDS="600")
    house.wait(lambda: set(house.records()) == ALL - {"digits-pca-2d-seed0"})
    code, _, err = house.run("run", "fig04", "-p", "smoke")
    assert code == 1 and err.count("\n") == 1 and "Another `pumap run`" in err
    before = house.records()
    (os.kill if whom == "the command" else os.killpg)(process.pid, signal.SIGKILL)
    process.communicate()
    house.wait(lambda: not house.processes())
    code, out, err = house.run("run", "fig04", "-p", "smoke")
    assert code == 0 and not err, err
    after = house.records()
    assert set(after) == ALL and all(after[name] == before[name] for name in before)
    assert "[2/2]" in out and (house.results / "fig04.txt").read_text() == "3 []"
    assert not [path for path in house.results.rglob(".*.tmp*") if path.is_file()]
    executed = (house.results / "fig04_projections.ipynb").read_text()
    assert str(house.folder) not in executed and "figures/smoke" in executed
    code, out, err = house.run("run", "fig04", "-p", "smoke")
    assert code == 0 and "all there already" in out and house.records() == after


@pytest.mark.slow
def test_damaged_stale_and_failing_cells(house):
    assert house.run("run", "fig04", "-p", "smoke")[0] == 0
    umap, tsne, pca = (house.results / "records" / f"digits-{name}-2d-seed0.json" for name in ("umap", "tsne", "pca"))
    umap.write_text(umap.read_text()[:100])
    tsne.write_text(json.dumps(json.loads(tsne.read_text()) | {"inputs": "old"}))
    kept = pca.stat().st_mtime_ns
    code, out, err = house.run("run", "fig04", "-p", "smoke", FAKE_FAILS="umap")
    lines = err.splitlines()
    assert code == 1 and pca.stat().st_mtime_ns == kept
    assert any("digits-umap-2d-seed0: the record cannot be read; kept as" in line for line in lines)
    assert any("digits-tsne-2d-seed0: the record was made from other inputs; kept as" in line for line in lines)
    assert any(line.startswith("error: digits-umap-2d-seed0: ") and "the method broke down" in line and ".log" in line for line in lines)
    assert not umap.exists() and json.loads(tsne.read_text())["inputs"] != "old"
    assert list(umap.parent.glob("*umap*.json.damaged-*")) and list(tsne.parent.glob("*tsne*.json.stale-*"))
    code, out, err = house.run("run", "fig04", "-p", "smoke")
    assert code == 0 and not err and umap.exists()


@pytest.mark.slow
def test_an_interruption_is_one_line(house):
    shutil.rmtree(house.results, ignore_errors=True)
    process = house.start("run", "fig04", "-p", "smoke", FAKE_SECONDS="600")
    house.wait(lambda: (house.results / "cells" / "digits-pca-2d-seed0.log").exists())
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130 and err.startswith("interrupted: ") and err.count("\n") == 1
    house.wait(lambda: not house.processes(), 60)


@pytest.mark.slow
def test_data_that_cannot_be_had(tmp_path):
    "One warning and the rest is drawn; with --strict an error before anything runs."
    house = House(tmp_path / "house", more='(Block(("mnist",), ("pca",), (2,)),)')
    module = house.folder / "pumap" / "paper" / "datasets.py"
    module.write_text(module.read_text() + ABSENT)
    code, _, err = house.run("run", "fig04", "-p", "smoke", "--strict")
    assert code == 1 and err == "error: mnist is left out: mnist cannot be had here\n" and not house.records()
    code, out, err = house.run("run", "fig04", "-p", "smoke")
    assert code == 0 and err == "warning: mnist is left out: mnist cannot be had here\n" and set(house.records()) == ALL
    assert (house.results / "fig04.txt").read_text() == "3 ['mnist']"


@pytest.mark.slow
def test_a_data_set_that_was_taken_out_of_the_folder(tmp_path):
    "While its record is there nobody asks for the data; where there is none the rest is drawn."
    rng, place = np.random.default_rng(0), tmp_path / "data" / "cassins" / "cassins.npz"
    place.parent.mkdir(parents=True)
    np.savez(place, spectrograms=rng.random((3000, 32, 31), dtype=np.float32), labels=rng.integers(0, 25, 3000))
    house = House(tmp_path / "house", more='(Block(("cassins",), ("pca",), (2,)),)')
    command, song = ["run", "fig04", "-p", "smoke", "--data", str(tmp_path / "data")], "cassins-pca-2d-seed0"
    code, _, err = house.run(*command)
    assert code == 0 and not err and set(house.records()) == ALL | {song} and (house.results / "fig04.txt").read_text() == "4 []", err
    place.unlink()
    code, out, err = house.run(*command)
    assert code == 0 and not err and "all there already" in out
    shutil.rmtree(house.results)
    code, _, err = house.run(*command, "--strict")
    assert code == 1 and err.startswith("error: cassins is left out: ") and err.count("\n") == 1 and not house.records()
    code, _, err = house.run(*command)
    assert code == 0 and err.startswith("warning: cassins is left out: ") and err.count("\n") == 1 and "is not on this machine" in err
    assert set(house.records()) == ALL and (house.results / "fig04.txt").read_text() == "3 ['cassins']"


ABSENT = '''
_load, _describe = load, describe
def load(name, *args, **kwargs):
    if name == "mnist":
        raise DataNotFound("mnist cannot be had here")
    return _load(name, *args, **kwargs)
def describe(name, *args, **kwargs):
    return _describe(name, *args, **kwargs) | ({"here": False, "problem": None} if name == "mnist" else {})
'''


def test_a_full_disk_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "snakemake.log").write_text("")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cli.shutil, "disk_usage", lambda _: usage._replace(free=0))
    cli.tell_failures(["digits-umap-2d-seed0"], {}, tmp_path, 1)
    assert "is full; make room" in capsys.readouterr().err.splitlines()[0]
