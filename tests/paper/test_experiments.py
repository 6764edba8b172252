"""Profiles, records, notebooks: what a killed run, a full disk or a wrong name may do to them."""

import ast
import dataclasses
import errno
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import ROOT, cells, name_of, run_at, source_notebooks

from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc

CELL = ex.Cell("digits", "pca", 2)
RECORD = dict.fromkeys(ex.RECORD_KEYS, None) | {
    "cell": dataclasses.asdict(CELL),
    "profile": "smoke",
    "inputs": ex.inputs_hash(CELL, ex.profile("smoke")),
    "metrics": dict.fromkeys(ex.METRICS, 0.5),
}


@pytest.fixture
def place(tmp_path):
    "Where the record of CELL is kept."
    return run_at(tmp_path).path(CELL)


# profiles and figures


def test_methods_are_those_of_the_baselines():
    from pumap.baselines import METHODS

    assert set(ex.METHODS) == set(METHODS)


def test_data_sets_of_the_profiles_exist():
    from pumap.paper.datasets import names

    assert {d for p in ex.PROFILES.values() for d in p.datasets} <= set(names())


def test_every_setting_is_taken_by_its_method():
    from pumap.baselines import make_method

    for profile in ex.PROFILES.values():
        for cell in profile.cells:
            make_method(cell.method, n_components=cell.n_components, random_state=cell.seed, **cell.settings(profile))


def test_the_paper_profile_has_the_original_settings():
    "Neighbors, perplexities, networks, epochs and sizes of the authors' code."
    size = ex.profile("paper")
    assert size.n_train is None and size.n_test is None and set(size.n_components) == {2, 64}
    for dataset, encoder, epochs in (("mnist", "conv28", 5), ("fmnist", "conv28", 5), ("cifar10", "conv32", 5), ("retina", "mlp", 5), ("moons", "mlp", 100)):
        pumap = ex.Cell(dataset, "pumap", 2).settings(ex.profile("paper"))
        assert pumap == {"n_neighbors": 15, "min_dist": 0.1, "encoder": encoder, "solver": "paper", "n_training_epochs": epochs}
        assert ex.Cell(dataset, "umap", 2).settings(ex.profile("paper")) == {"n_neighbors": 15, "min_dist": 0.1}
        assert ex.Cell(dataset, "umap_tf", 2).settings(ex.profile("paper"))["n_training_epochs"] == 100
        assert ex.Cell(dataset, "tsne", 2).settings(ex.profile("paper")) == {"perplexity": 500 if dataset == "moons" else 30}
    song, bison = (ex.Cell(dataset, "pumap", 2).settings(ex.profile("paper")) for dataset in ("cassins", "bison"))
    assert (song["metric"], song["encoder"], bison["n_neighbors"]) == ("dtw", "song", 150)
    assert ex.Cell("retina", "vae", 64).settings(ex.profile("paper")) == {"encoder": "mlp", "weighting": "paper", "unit_range": "columns", "n_training_epochs": 30}


def test_the_protocol_does_not_depend_on_the_profile():
    for dataset in ("digits", *ex.profile("paper").datasets):
        for method in ex.METHODS:
            found = [ex.Cell(dataset, method, 2).settings(ex.profile(name)) for name in ex.PROFILES]
            assert len({json.dumps({k: v for k, v in s.items() if k not in ex.SCALE_SETTINGS}) for s in found}) == 1


def test_profiles_have_the_names_of_the_command_line():
    assert tuple(ex.PROFILES) == ("smoke", "quick", "laptop", "paper")
    assert set(ex.profile("quick").datasets) == {"digits", "moons"}


@pytest.mark.parametrize("name", ["fig05", "fig5", "5", "05", "Fig. 5", "figure 5"])
def test_names_of_a_figure(name):
    assert ex.figure(name).id == "fig05"


@pytest.mark.parametrize("name", ["table2", "table02", "Table 2"])
def test_names_of_a_table(name):
    assert ex.figure(name).id == "table2"


@pytest.mark.parametrize("name", ["table1", "Table 01", "tab 1"])
def test_table_1_is_no_figure_1(name):
    assert ex.figure(name).id == "table1" and ex.cells_for(name, ex.profile("paper")) == ()
    assert ex.figure("fig1").id == "fig01"


@pytest.mark.parametrize("name", ["", "fig99", "figure", "table9", "../fig04", None, "fig05x"])
def test_unknown_figures_list_the_names(name):
    with pytest.raises(ValueError, match="fig04, fig05, table2, fig06, table3"):
        ex.figure(name)


@pytest.mark.parametrize(
    "cell, word",
    [
        (ex.Cell("digitss", "pca", 2), "'digits'"),
        (ex.Cell("digits", "tsna", 2), "'tsne'"),
        (ex.Cell("digits", "pca", 0), "n_components"),
        (ex.Cell("digits", "pca", 2.0), "n_components"),
        (ex.Cell("digits", "pca", 2, -1), "seed"),
        (ex.Cell("digits", "pca", 2, True), "seed"),
    ],
)
def test_wrong_cells_say_what_is_wrong(cell, word, tmp_path):
    with pytest.raises(ValueError, match=word):
        cell.compute(run_at(tmp_path))
    assert not any(tmp_path.iterdir())


def test_every_notebook_of_a_figure_is_there():
    for figure in ex.FIGURES.values():
        assert ex.notebook_path(figure.notebook).is_file()


# records


def test_the_hash_follows_the_inputs_only():
    other = ex.Cell("digits", "pca", 2, seed=1)
    assert ex.inputs_hash(CELL, ex.profile("smoke")) == ex.inputs_hash(dataclasses.replace(CELL), ex.profile("smoke"))
    assert len({ex.inputs_hash(c, ex.profile(p)) for c in (CELL, other) for p in ("smoke", "quick")}) == 4
    code = "from pumap.paper import experiments as ex; print(ex.inputs_hash(ex.Cell('digits', 'pca', 2), ex.profile('smoke')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert told.stdout.strip() == ex.inputs_hash(CELL, ex.profile("smoke"))


def test_the_hash_follows_each_input(monkeypatch):
    "The version of the protocol, its settings, those of the profile, its rows; not the grid's other cells."
    cell = ex.Cell("mnist", "pumap", 2)
    size, hashes = ex.profile("laptop"), [ex.inputs_hash(cell, ex.profile("laptop"))]
    changes = {"n_train": 7, "n_test": 7, "n_clustered": 7, "cluster_seeds": (7,), "settings": ((("pumap",), None, {"n_training_epochs": 7}),), "n_train_of": {"mnist": 8}}
    for change in changes.items():
        monkeypatch.setitem(ex.PROFILES, "laptop", dataclasses.replace(size, **dict([change])))
        hashes.append(ex.inputs_hash(cell, ex.profile("laptop")))
    monkeypatch.setitem(ex.PROFILES, "laptop", dataclasses.replace(size, title="", blocks=(), n_train_of={"bison": 7}))
    assert ex.inputs_hash(cell, ex.profile("laptop")) == hashes[0]
    monkeypatch.setattr(ex, "PROTOCOL", (*ex.PROTOCOL, (("pumap",), ("mnist",), {"n_neighbors": 7})))
    hashes.append(ex.inputs_hash(cell, ex.profile("laptop")))
    monkeypatch.setattr(ex, "PROTOCOL_VERSION", ex.PROTOCOL_VERSION + 1)
    assert len({*hashes, ex.inputs_hash(cell, ex.profile("laptop"))}) == 9


def test_a_record_comes_back(place, tmp_path):
    points = np.random.default_rng(0).normal(size=(30, 2)).astype("float32")
    written = ex.write_record(RECORD, place, embedding=points, y=np.arange(30))
    assert ex.read_record(place) == written and written["embedding"] == "digits-pca-2d-seed0.npz"
    embedding, y = ex.read_embedding(written, run_at(tmp_path))
    np.testing.assert_array_equal(embedding, points)
    np.testing.assert_array_equal(y, np.arange(30))
    assert run_at(tmp_path).state(CELL) == "done"


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"3", b"{}", b'{"metrics": 3}', b"\xff\xfe", b'{"metrics": {}}'])
def test_damaged_records_are_told(place, tmp_path, content):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    with pytest.raises(ex.RecordDamaged, match=place.name):
        ex.read_record(place)
    assert run_at(tmp_path).state(CELL) == "damaged"


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_damaged_embeddings_are_told(place, tmp_path, harm):
    ex.write_record(RECORD, place, embedding=np.random.default_rng(0).normal(size=(99, 2)), y=np.zeros(99))
    points = place.with_suffix(".npz")
    content = bytearray(points.read_bytes())
    if harm == "remove":
        points.unlink()
    else:
        content[len(content) // 2] ^= 255
        points.write_bytes(content[: len(content) // 2] if harm == "truncate" else content)
    with pytest.raises(ex.RecordDamaged):
        ex.read_record(place)
    assert run_at(tmp_path).state(CELL) == "damaged"


@pytest.mark.parametrize("bit", range(40))
def test_any_flipped_bit_is_told_or_changes_nothing(place, tmp_path, bit):
    "Wherever it is: in a header, in the packed numbers, in the directory of the archive."
    points = np.random.default_rng(0).normal(size=(99, 2)).astype("float32")
    ex.write_record(RECORD, place, embedding=points, y=np.zeros(99))
    content = bytearray(place.with_suffix(".npz").read_bytes())
    content[np.random.default_rng(bit).integers(len(content))] ^= 1 << bit % 8
    place.with_suffix(".npz").write_bytes(content)
    try:
        np.testing.assert_array_equal(ex.read_embedding(ex.read_record(place), run_at(tmp_path))[0], points)
    except ex.RecordDamaged:
        pass


def test_a_run_accepts_records_of_its_kind_of_data(tmp_path):
    "None accepts either, as the scorecard does; a data set without a stand-in is the same for all."
    song, digits = ex.Cell("cassins", "pca", 2), CELL
    for cell, stand_ins in ((song, True), (digits, False)):
        inputs = ex.inputs_hash(cell, ex.profile("smoke"), stand_ins)
        ex.write_record(RECORD | {"cell": dataclasses.asdict(cell), "inputs": inputs}, run_at(tmp_path).path(cell))
    found = {stand_ins: [run_at(tmp_path, stand_ins=stand_ins).state(cell) for cell in (song, digits)] for stand_ins in (False, True, None)}
    assert found == {False: ["stale", "done"], True: ["done", "done"], None: ["done", "done"]}


def test_a_record_can_be_traced(tmp_path, monkeypatch):
    "Commit, processor, threads and training steps; a record of before, without them, is as good."
    monkeypatch.setattr(ex, "commit", lambda: None)  # outside a clone
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run, cell = run_at(tmp_path), ex.Cell("digits", "ae", 2)
    record = cell.compute(run)
    assert record["commit"] is None and record["threads"] == 3 and record["processor"] == ex.processor() != ""
    assert record["training"] == {"steps": 20 * 300 // 256, "notes": []}  # 20 passes over 300 rows in batches of 256
    assert CELL.compute(run)["training"] is None
    old = {key: value for key, value in record.items() if key not in ex.TRACE_KEYS}
    ex.write_record(old, run.path(cell))
    assert run.state(cell) == "done" and run.collect([cell]) == [old | {"embedding": None}]


def test_the_steps_of_each_stage_are_noted():
    history = {"step": [100, 1480], "notes": ["1480 steps of regression onto a layout came first"]}
    assert ex.training_of(types.SimpleNamespace(history_=history)) == {"steps": 1480, "notes": history["notes"]}
    assert ex.training_of(types.SimpleNamespace(history_={"step": []})) == {"steps": 0, "notes": []}


def test_the_commit_is_that_of_the_clone(tmp_path, monkeypatch):
    "An edited package is told; without a repository, and without git, there is none."
    git = lambda *arguments: subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True, capture_output=True, text=True).stdout.strip()
    monkeypatch.setattr(ex, "root", lambda: tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert ex.commit() is None
    (tmp_path / "pumap").mkdir()
    (tmp_path / "pumap" / "a.py").write_text("a = 1\n")
    git("init"), git("add", "."), git("commit", "-m", "a")
    head = git("rev-parse", "HEAD")
    assert ex.commit() == head
    (tmp_path / "pumap" / "a.py").write_text("a = 2\n")
    assert ex.commit() == head + "+changes"
    monkeypatch.setenv("PATH", "")
    assert ex.commit() is None


def test_setting_aside_deletes_nothing(place, tmp_path):
    ex.write_record(RECORD | {"inputs": "old"}, place, embedding=np.eye(2), y=[0, 1])
    assert run_at(tmp_path).state(CELL) == "stale"
    before = sorted(f.read_bytes() for f in place.parent.iterdir())
    kept = ex.set_aside(place, "stale")
    assert "stale" in kept.name and sorted(f.read_bytes() for f in place.parent.iterdir()) == before
    assert run_at(tmp_path).state(CELL) == "missing"


def test_collect_runs_what_is_stale_and_reuses_the_rest(tmp_path):
    (first,) = run_at(tmp_path).collect([CELL])
    path = run_at(tmp_path).path(CELL)
    made = path.stat().st_mtime_ns
    assert run_at(tmp_path).collect([CELL]) == [first] and path.stat().st_mtime_ns == made
    path.write_text(json.dumps(first | {"inputs": "old"}))
    (again,) = run_at(tmp_path).collect([CELL])
    assert again["inputs"] == first["inputs"] and again["metrics"] == first["metrics"]
    assert [f.name for f in path.parent.glob("*.json.stale-*")]


def test_collect_tells_why_data_are_missing(tmp_path, monkeypatch):
    from pumap.paper import datasets

    def absent(name, *_, **__):
        searched.append(name)
        raise datasets.DataNotFound(f"{name} cannot be had")

    searched, reasons = [], {}
    monkeypatch.setattr(datasets, "load", absent)
    cells = [ex.Cell("mnist", "pca", 2), ex.Cell("mnist", "umap", 2)]
    assert run_at(tmp_path).collect(cells, reasons=reasons) == [] and searched == ["mnist"]
    assert set(reasons) == set(cells) and set(reasons.values()) == {"mnist cannot be had"}
    with pytest.raises(datasets.DataNotFound):
        run_at(tmp_path).collect(cells)


@pytest.mark.parametrize("content", ['{"metrics": 3}', json.dumps(RECORD | {"inputs": "old"})])
def test_a_record_stays_where_its_data_cannot_be_had(place, tmp_path, monkeypatch, content):
    "Damaged or stale, it is more than nothing: it is set aside only if its cell can run again."
    from pumap.paper import datasets

    def absent(name, *_, **__):
        raise datasets.DataNotFound(f"{name} cannot be had")

    monkeypatch.setattr(datasets, "load", absent)
    place.parent.mkdir()
    place.write_text(content)
    reasons = {}
    assert run_at(tmp_path).collect([CELL], reasons=reasons) == [] and reasons == {CELL: "digits cannot be had"}
    assert place.read_text() == content and list(place.parent.iterdir()) == [place]


def test_the_numbers_are_those_of_the_papers_protocol(monkeypatch):
    "By hand, with scikit-learn: five neighbors for trustworthiness, classifiers fitted on training rows, errors as if the values went from 0 to 1."
    from sklearn import manifold, neighbors
    from sklearn import metrics as sk

    from pumap import metrics

    rng = np.random.default_rng(0)
    X, X_test = 100 * rng.random((60, 3, 2)), 100 * rng.random((40, 3, 2))
    z, z_test, back = X[:, 0] + 20 * rng.random((60, 2)), X_test[:, 0] + 20 * rng.random((40, 2)), X_test[:30] + rng.random((30, 3, 2))
    y, y_test = (part[:, 0, 0].astype(int) // 34 for part in (X, X_test))
    data = types.SimpleNamespace(X_train=X, y_train=y, X_test=X_test, y_test=y_test)
    monkeypatch.setattr(ex, "TRUSTWORTHINESS_ROWS", 50)
    found, _ = ex.measure(data, z, z_test, back, n_clustered=40)
    accuracy = [neighbors.KNeighborsClassifier(k).fit(z, y).score(z_test, y_test) for k in (1, 5)]
    error = sk.mean_squared_error(X_test[:30].ravel(), back.ravel()) / (X.max() - X.min()) ** 2
    expected = [manifold.trustworthiness(X[:50].reshape(50, -1), z[:50], n_neighbors=5), *accuracy, sk.silhouette_score(z, y), error]
    np.testing.assert_allclose([found[name] for name in ex.METRICS if name != "clustering_nmi"], expected)
    assert found["clustering_nmi"] == metrics.clustering_nmi(z[:40], y[:40])
    found, _ = ex.measure(data, z, z_test, back, cluster_seeds=(3, 4))
    assert found["clustering_nmi"] == metrics.clustering_nmi(z, y, random_states=(3, 4))


@pytest.mark.parametrize("stand_ins, name", [(False, "cifar10"), (True, "cifar10_jpeg")])
def test_a_stand_in_is_taken_only_when_asked_for(stand_ins, name, monkeypatch):
    from pumap.paper import datasets

    asked = []
    monkeypatch.setattr(datasets, "load", lambda *arguments: asked.append(arguments) or datasets.Dataset(name, *[()] * 13))
    run_at(Path(), "laptop", stand_ins=stand_ins, data="folder").load(ex.Cell("cifar10", "pca", 2))
    assert asked == [(name, "folder")]


def test_photographs_of_people_are_not_kept(tmp_path):
    rows = np.zeros((5, 4, 4, 3))
    data = types.SimpleNamespace(X_test=rows, y_train=np.zeros(5))
    for dataset, kept in (("celeba", False), ("celeba_small", False), ("cifar10", True)):
        cell = ex.Cell(dataset, "ae", 2)
        record = ex.save_cell(run_at(tmp_path), cell, RECORD | {"cell": dataclasses.asdict(cell)}, data, np.zeros((5, 2)), rows)
        assert (ex.read_reconstructions(record, run_at(tmp_path)) is not None) == kept and ex.read_embedding(record, run_at(tmp_path)) is not None


def test_a_figure_is_drawn_anew_when_a_record_or_its_notebook_is_another(tmp_path, monkeypatch):
    "What counts is what the files hold, and not their times: a fresh clone has all of them at once."
    import nbformat

    source, copy = tmp_path / "nbs" / "fig04_projections.ipynb", tmp_path / "fig04_projections.ipynb"
    source.parent.mkdir()
    monkeypatch.setattr(ex, "notebook_path", lambda name: source)
    record = run_at(tmp_path).path(CELL)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    parameters = {"profile": "smoke", "results_dir": str(tmp_path)}
    drawn = lambda: ex.is_drawn("fig04_projections", run_at(tmp_path))

    def draw():
        nbformat.write(ex.signed(nbformat.read(source, as_version=4), source, parameters), copy)

    nbformat.write(notebook, source)
    ex.write_record(RECORD, record)
    assert not drawn()  # there is no copy
    nbformat.write(notebook, copy)
    assert not drawn()  # one that does not tell what it was made from
    draw()
    for path in (copy, record, source):
        os.utime(path, (10**9,) * 2)
    assert drawn()
    ex.write_record(RECORD | {"metrics": {"trustworthiness": 0.5}}, record)
    assert not drawn()
    draw()
    notebook.cells[0].source = "1 + 2"
    nbformat.write(notebook, source)
    assert not drawn()


def test_nan_embeddings_are_refused():
    data = types.SimpleNamespace(X_train=np.zeros((9, 2)), y_train=np.zeros(9, int), X_test=np.zeros((3, 2)), y_test=np.zeros(3))
    with pytest.raises(ValueError, match="NaN"):
        ex.measure(data, np.full((9, 2), np.nan), np.zeros((3, 2)))


# the disk


def test_a_full_disk_leaves_what_is_there(place, monkeypatch):
    ex.write_record(RECORD, place, embedding=np.eye(2), y=[0, 1])
    before = {f.name: f.read_bytes() for f in place.parent.iterdir()}

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ex.os, "fsync", full)
    with pytest.raises(OSError, match="No space left.*make room") as caught:
        ex.write_record(RECORD | {"profile": "other"}, place, embedding=np.zeros((5, 2)), y=np.zeros(5))
    assert caught.value.errno == errno.ENOSPC and place.with_suffix(".npz").name in str(caught.value)
    assert {f.name: f.read_bytes() for f in place.parent.iterdir()} == before


def test_a_killed_write_leaves_what_is_there(place):
    "A process that ends between writing and renaming."
    ex.write_record(RECORD, place)
    before = place.read_bytes()
    code = "import os, sys; from pumap import core; core.os.replace = lambda *_: os._exit(9); core.write_atomic(sys.argv[1], b'half')"
    assert subprocess.run([sys.executable, "-c", code, str(place)], cwd=ROOT).returncode == 9
    assert place.read_bytes() == before and ex.read_record(place)


def test_a_record_without_a_key_is_not_written(place):
    with pytest.raises(ValueError, match="lacks device"):
        ex.write_record({k: v for k, v in RECORD.items() if k != "device"}, place)
    assert not place.exists()


def test_nan_in_a_record_is_an_error_and_not_a_broken_file(place):
    with pytest.raises(ValueError):
        ex.write_record(RECORD | {"seconds": {"fit": float("nan")}}, place)
    assert not place.exists()


# notebooks


def notebook(path, *sources):
    "A notebook with a parameter `n` and these cells."
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    book.cells = [nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]}), *map(nbformat.v4.new_code_cell, sources)]
    nbformat.write(book, path)
    return path


def test_unknown_parameters_are_an_error(tmp_path):
    source = ex.notebook_path("cell_embedding")
    with pytest.raises(ValueError, match="dataset"):
        ex.run_notebook(source, tmp_path / "out.ipynb", {"datset": "digits"})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("path", [path for path in source_notebooks() if path.parent != ROOT / "nbs" and not path.stem[:2].isdigit()], ids=name_of)
def test_papermill_knows_the_parameters(path):
    "It reads line by line: an equals sign in a comment, or a value over two lines, would hide one."
    (cell,) = [cell for cell in cells(path, "code") if "parameters" in cell["metadata"].get("tags", [])]
    names = {node.targets[0].id for node in ast.parse(cell["source"]).body if isinstance(node, ast.Assign)}
    ex.check_parameters(path, dict.fromkeys(names))
    with pytest.raises(ValueError, match="nothing_of_the_kind"):
        ex.check_parameters(path, {"nothing_of_the_kind": 1})


def test_an_executed_copy_appears_when_all_has_run(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MPLBACKEND", "agg")
    source = notebook(tmp_path / "a.ipynb", "import os; print(n, os.getcwd(), os.environ.get('MPLBACKEND', ''))")
    ex.run_notebook(source, tmp_path / "out" / "a.ipynb", {"n": 5})
    assert capfd.readouterr() == ("", "")  # the kernel has nothing to say
    text = nbformat.read(tmp_path / "out" / "a.ipynb", as_version=4).cells[-1].outputs[0].text.split()
    assert text[:2] == ["5", str(ROOT)] and text[2:] != ["agg"]
    assert "papermill" not in json.loads((tmp_path / "out" / "a.ipynb").read_text())["metadata"]
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["a.ipynb"] and os.environ["MPLBACKEND"] == "agg"


def test_what_a_notebook_leaves_in_the_temporary_folder_goes_with_its_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    source = notebook(tmp_path / "a.ipynb", "import tempfile; folder = tempfile.mkdtemp(); print(folder)")
    copy = nbformat.read(ex.run_notebook(source, tmp_path / "b.ipynb", {}), as_version=4)
    left = Path(copy.cells[-1].outputs[0].text.strip())
    assert left.name.startswith("tmp") and not left.exists() and not left.parent.exists()
    assert os.environ["TMPDIR"] == str(tmp_path)


def test_papermill_comes_without_the_slow_checker_of_addresses():
    "Others may still import it, and where it is loaded already it stays."
    code = """
import sys
from pumap.paper.experiments import import_papermill
import_papermill()
assert "jsonschema" in sys.modules and "rfc3987_syntax" not in sys.modules
sys.modules["rfc3987_syntax"] = loaded = object()
import_papermill()
assert sys.modules["rfc3987_syntax"] is loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_executed_copy_is_spared_what_tensorflow_says_at_every_start(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "import tensorflow", "import sys; print('of our own', file=sys.stderr)")
    copy = nbformat.read(ex.run_notebook(source, tmp_path / "b.ipynb", {}), as_version=4)
    assert [output.text for cell in copy.cells for output in cell.outputs] == ["of our own\n"]


def test_a_failing_notebook_says_why_in_one_line(tmp_path, capsys):
    source, output = notebook(tmp_path / "a.ipynb", "raise ValueError('too\\nmany')"), tmp_path / "b.ipynb"
    output.write_text("earlier")
    with pytest.raises(ex.NotebookFailed, match="^a.ipynb failed: ValueError: too$"):
        ex.run_notebook(source, output, {"n": 2})
    assert output.read_text() == "earlier" and (tmp_path / "b.failed.ipynb").exists()


# scorecard


def test_the_scorecard_has_every_number_of_the_paper(tmp_path):
    card = sc.scorecard(sc.scorecard_run("smoke", tmp_path))
    for number in range(2, 9):
        lines = [line for line in sc.published(f"table{number}")]
        assert len([row for row in card["cells"] if row["table"] == number]) == len(lines) > 0
    assert [claim["id"] for claim in card["claims"]] == [f"C{n:02}" for n in range(1, 32) if n != 28]  # C28 was dropped
    assert all(claim["holds"] is None for claim in card["claims"]) and all(row["within"] is None for row in card["cells"])


@pytest.mark.parametrize("number, paper, near, far", [(3, 0.9317, 0.8818, 0.8816), (4, 0.9544, 0.9045, 0.9043)])
def test_neighbor_accuracy_is_within_five_hundredths(number, paper, near, far):
    for ours, within in ((near, True), (far, False)):
        measured = RECORD | {"metrics": dict.fromkeys(ex.METRICS, ours), "n_train": 7, "data": {"title": "MNIST", "stand_in_for": None}}
        rows = sc.table_rows(number, [measured | {"cell": dataclasses.asdict(ex.Cell("mnist", "umap", 2))}], "laptop")
        (row,) = [r for r in rows if (r["dataset"], r["dim"], r["method"]) == ("mnist", 2, "umap")]
        assert row["paper"] == paper and row["within"] is within


@pytest.mark.parametrize("number, paper, near, far", [(5, 0.5186, 0.4687, 0.4685), (6, 0.8375, 0.8874, 0.8876), (7, 0.0393, 0.0432, 0.0433)])
def test_other_scores_have_five_hundredths_and_errors_a_tenth(number, paper, near, far):
    for ours, within in ((near, True), (far, False)):
        measured = RECORD | {"metrics": dict.fromkeys(ex.METRICS, ours), "n_train": 7, "data": {"title": "MNIST", "stand_in_for": None}}
        rows = sc.table_rows(number, [measured | {"cell": dataclasses.asdict(ex.Cell("mnist", "umap", 2))}], "laptop")
        (row,) = [r for r in rows if (r["dataset"], r["dim"], r["method"]) == ("mnist", 2, "umap")]
        assert row["paper"] == paper and row["within"] is within


@pytest.mark.parametrize("ours, within", [(0.9601, True), (0.9405, True), (0.94, False), (0.981, False)])
def test_within_is_a_difference_of_two_hundredths(ours, within):
    measured = RECORD | {"metrics": dict.fromkeys(ex.METRICS, ours), "n_train": 7, "data": {"title": "MNIST", "stand_in_for": None}}
    records = [measured | {"cell": dataclasses.asdict(ex.Cell("mnist", "umap", 2, seed))} for seed in (0, 1)]
    rows = sc.table_rows(2, records, "laptop")
    (row,) = [r for r in rows if (r["dataset"], r["dim"], r["method"]) == ("mnist", 2, "umap")]
    assert row["paper"] == 0.9601 and row["within"] is within and (row["n"], row["seeds"]) == (7, 2)
