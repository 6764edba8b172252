"""What the figures notebook cannot check about itself: other processes, full disks, sizes, and the figures' notebooks from records."""

import os
import subprocess
import sys

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from conftest import ROOT, run_at

from pumap import plots
from pumap.metrics import silhouette
from pumap.paper import datasets, figures
from pumap.paper import experiments as ex


def made_up_record(dataset, method, dim, seed=0, metric="trustworthiness", value=0.9, n_train=300):
    return {
        "cell": {"dataset": dataset, "method": method, "n_components": dim, "seed": seed},
        "n_train": n_train,
        "metrics": {metric: value},
        "data": {"title": dataset.upper(), "stand_in_for": None},
    }


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600
    )


# Import


@pytest.mark.parametrize("package", ["matplotlib", "seaborn", "pandas"])
def test_missing_package_is_named_with_the_command(package):
    done = run_python(f"import sys; sys.modules['{package}'] = None; import pumap.paper.figures")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert package in last and "pip install 'pumap[paper]'" in last


# Files

DRAW = """
import hashlib, sys
import numpy as np
sys.path[:0] = ["tests", "tests/paper"]
from pathlib import Path
from pumap import plots
from pumap.paper import figures
from test_figures import made_up_record
folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
panels = {"digits": {m: (rng.normal(size=(500, 2)), rng.integers(0, 10, 500)) for m in ("umap", "pca")}, "b": {"umap": "no data"}}
records = [made_up_record("mnist", m, d, s, value=0.9 + 0.01 * s) for m in ("umap", "pca") for d in (2, 64) for s in (0, 1)]
files = plots.save_figure(figures.projection_grid(panels), folder / "grid")
files += plots.save_figure(figures.metric_dots(figures.comparison_table(records, "trustworthiness", figures.published_table(2))), folder / "dots")
files += figures.save_table(figures.comparison_table(records, "trustworthiness", figures.published_table(2)), folder / "table")
print([hashlib.sha256(f.read_bytes()).hexdigest() for f in files])
"""


def test_same_bytes_in_another_process_whatever_the_users_settings(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nfigure.facecolor: black\naxes.prop_cycle: cycler(color=['r'])\n")
    plain, other = (
        run_python(DRAW.replace("sys.argv[1]", repr(str(tmp_path / name))), PYTHONHASHSEED=seed, **environment)
        for name, seed, environment in (("a", "0", {}), ("b", "1", {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "MPLBACKEND": "svg"}))
    )
    assert plain.stdout.count("'") == 2 * 6, plain.stderr
    assert plain.stdout == other.stdout


def test_ten_thousand_points_make_a_small_pdf(tmp_path):
    rng = np.random.default_rng(0)
    panel = (rng.normal(size=(10_000, 2)), rng.integers(0, 10, 10_000))
    figure = figures.projection_grid({"mnist": dict.fromkeys(ex.METHODS, panel)})
    png, pdf = plots.save_figure(figure, tmp_path / "figure")
    assert pdf.stat().st_size < 2**20 and png.stat().st_size < 2**20


def test_drawing_changes_no_settings():
    before = dict(mpl.rcParams)
    figures.projection_grid({"a": {"pca": (np.eye(2), [0, 1])}})
    figures.metric_dots(figures.comparison_table([made_up_record("mnist", "pca", 2)], "trustworthiness"))
    assert dict(mpl.rcParams) == before


# Tables


@pytest.mark.parametrize("number", range(2, 8))
def test_every_published_value_is_matched_with_its_own_cell(number):
    published = figures.published_table(number)
    printed = published.dropna(subset=["value"])
    metric = printed.metric.iloc[0]
    records = [made_up_record(r.dataset, r.method, r.dim, metric=metric, value=r.value) for r in printed.itertuples()]
    table = figures.comparison_table(records[::-1], metric, published)
    assert len(table) == len(printed) and (table.difference == 0).all()


@pytest.mark.parametrize("number", [0, 9, True, "2", 2.5, None])
def test_a_table_the_paper_does_not_have(number):
    with pytest.raises(ValueError, match="1 to 8"):
        figures.published_table(number)


def test_records_of_two_profiles_are_not_averaged():
    records = [made_up_record("mnist", "pca", 2, 0, n_train=300), made_up_record("mnist", "pca", 2, 1, n_train=50_000)]
    with pytest.raises(ValueError, match="different numbers of rows"):
        figures.comparison_table(records, "trustworthiness")


def test_a_dataset_with_a_title_over_many_lines_keeps_inside_the_figure():
    figure = figures.projection_grid({"a": {"pca": "no data"}}, titles={"a": "A song of a bird with a very long name (in place of another)\n10 points"})
    figure.draw_without_rendering()
    label = figure.axes[0].yaxis.label.get_window_extent()
    assert label.x0 >= 0


# The figures' notebooks, from records of our own making: nothing is trained


def run_cells(name, **parameters):
    "Run the code cells of a paper notebook here, with other parameters; returns its variables."
    notebook = nbformat.read(ROOT / "nbs" / "paper" / f"{name}.ipynb", as_version=4)
    variables = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, name, "exec"), variables)
            if "parameters" in cell.metadata.get("tags", []):
                assert set(parameters) <= set(variables)
                variables.update(parameters)
    return variables


def write_made_up_records(folder, figure, without=()):
    rng = np.random.default_rng(0)
    y = np.arange(300) % 10
    shapes = {}
    for cell in ex.cells_for(figure, ex.profile("smoke")):
        if cell.dataset in without:
            continue
        shape = shapes.setdefault(cell.dataset, rng.normal(size=(300, 2)))
        turned = shape @ np.linalg.qr(rng.normal(size=(2, 2)))[0] + 0.1 * rng.normal(size=shape.shape)
        metrics = dict.fromkeys(ex.METRICS, 0.95)
        if cell.method == "pca" and cell.n_components == ex.N_COLUMNS[cell.dataset]:  # as if it had only turned the data
            dataset = run_at(folder).load(cell)
            rows = (part.reshape(len(part), -1) for part in (dataset.X_train, dataset.X_test))
            metrics = ex.measure(dataset, *rows, **ex.profile("smoke").clustering)[0]
        if cell.n_components == 2:
            metrics["silhouette"] = silhouette(turned, y)
        record = {
            **dict.fromkeys(ex.RECORD_KEYS),
            **made_up_record(cell.dataset, cell.method, cell.n_components, cell.seed),
            "profile": "smoke",
            "inputs": ex.inputs_hash(cell, ex.profile("smoke")),
            "metrics": metrics,
            "n_test": 100,
        }
        ex.write_record(record, run_at(folder).path(cell), **({"embedding": turned, "y": y} if cell.n_components == 2 else {}))


DRAWN = {  # notebook -> figure, table
    "fig04_projections": ("fig04", None),
    "fig05_trustworthiness": ("fig05", "table02"),
    "fig06_knn1": ("fig06", "table03"),
    "fig07_knn5": ("fig07", "table04"),
    "fig08_silhouette": ("fig08", "table05"),
    "fig09_clustering": ("fig09", "table06"),
    "fig13_reconstruction": ("fig13", "table07"),
}


@pytest.mark.parametrize(
    "name, figure, files",
    [
        (name, figure, [f"{name}.pdf", f"{name}.png", *([f"{table}.csv", f"{table}.md"] if table else [])])
        for name, (figure, table) in DRAWN.items()
    ],
)
def test_notebook_draws_from_records_and_writes_the_same_bytes_twice(name, figure, files, tmp_path):
    write_made_up_records(tmp_path / "results", figure)
    for folder in ("one", "two"):
        run_cells(name, results_dir=str(tmp_path / "results"), save_to=str(tmp_path / folder))
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("name, figure", [(name, figure) for name, (figure, _) in DRAWN.items()])
def test_data_that_cannot_be_had_leave_their_reason_in_the_figure(name, figure, tmp_path, monkeypatch):
    def no_data(cell, run):
        raise FileNotFoundError(f"{cell.dataset} is not here: get it elsewhere.")

    monkeypatch.setattr(ex.Cell, "compute", no_data)
    write_made_up_records(tmp_path, figure, without=["moons"])
    variables = run_cells(name, results_dir=str(tmp_path))
    texts = [" ".join(text.get_text().split()) for ax in variables["fig"].axes for text in ax.texts]
    assert any("moons is not here: get it elsewhere." in text for text in texts)


@pytest.mark.parametrize("name", [*DRAWN, "table01_datasets"])
def test_unknown_profile_ends_the_notebook_with_the_names(name):
    with pytest.raises(ValueError, match="laptop"):
        run_cells(name, profile="huge")


def test_a_record_that_is_not_of_its_points_ends_the_silhouettes_notebook(tmp_path):
    write_made_up_records(tmp_path, "fig08")
    path = run_at(tmp_path).path(ex.Cell("digits", "umap", 2))
    record = ex.read_record(path)
    points, y = ex.read_embedding(record, run_at(tmp_path))
    ex.write_record({**record, "metrics": {**record["metrics"], "silhouette": 0.9}}, path, embedding=points, y=y)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        run_cells("fig08_silhouette", results_dir=str(tmp_path))


@pytest.mark.parametrize("name, metric", [("fig06_knn1", "knn1_accuracy"), ("fig07_knn5", "knn5_accuracy")])
def test_an_accuracy_that_is_no_count_ends_the_notebook(name, metric, tmp_path):
    write_made_up_records(tmp_path, "fig06")
    path = run_at(tmp_path).path(ex.Cell("digits", "umap", 64))
    record = ex.read_record(path)
    ex.write_record({**record, "metrics": {**record["metrics"], metric: 0.955}}, path)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        run_cells(name, results_dir=str(tmp_path))


@pytest.mark.parametrize("value, told", [(1.0, True), (0.1, False)])
def test_reconstructions_are_drawn_and_must_be_of_their_record(value, told, tmp_path):
    write_made_up_records(tmp_path, "fig13")
    path = run_at(tmp_path).path(ex.Cell("digits", "umap", 2))
    rows = np.zeros((8, 8, 8, 1), dtype="float16")
    ex.write_record(ex.read_record(path), path, shown=rows, reconstructed=rows + np.float16(value))  # the record says 0.95
    if not told:
        with pytest.raises(AssertionError):
            run_cells("fig13_reconstruction", results_dir=str(tmp_path))
        return
    run_cells("fig13_reconstruction", results_dir=str(tmp_path), save_to=str(tmp_path / "out"))
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"fig13_reconstruction.png", "fig13_reconstruction_examples.png"}


# Table 1: which data sets are here differs from machine to machine


def made_up_data(name, license="free", stand_in_for=None):
    "A data set of the published size in all but the rows' length; zeros take no memory."
    entry = datasets.DATASETS[name]
    shape = entry.shape if len(entry.shape) == 1 else (1, 1, entry.shape[-1])
    parts = [part for n in entry.rows for part in (np.zeros((n, *shape), np.float32), np.zeros(n, np.int64))]
    return datasets.Dataset(name, entry.title, *parts, (), "nowhere", "", "", license, stand_in_for)


def test_the_table_of_data_sets_with_one_of_each_kind(tmp_path, monkeypatch):
    asked, faces = [], "copies may not be passed on"

    def load(name, data_dir=None):
        asked.append(name)
        if name == "worm_neurons":
            raise datasets.DataNotFound("Worm neurons are not on this machine.")
        return made_up_data(name, *{"celeba_small": (faces, "celeba"), "finches": ("free", "cassins")}.get(name, ()))

    monkeypatch.setattr(datasets, "load", load)
    variables = run_cells("table01_datasets", profile="laptop", stand_ins=True, save_to=str(tmp_path))
    assert asked == ["moons", "bison", "finches", "mnist", "fmnist", "cifar10_jpeg", "worm_neurons", "celeba_small"]
    table = variables["table"].set_index("dataset")
    assert table.loc["mnist", ["paper_train", "n_train", "n_valid", "n_test"]].tolist() == ["50K", 50_000, 10_000, 10_000]
    assert "in place of Cassin's vireo" in table.loc["cassins", "data"] and table.loc["retina", "data"] == "not here"
    panels = {ax.get_title().replace("\n", " "): " ".join(t.get_text() for t in ax.texts).replace("\n", " ") for ax in variables["fig"].axes}
    assert len(panels) == 8 and "Worm neurons are not on this machine." in panels["Worm neurons"]
    (hidden,) = (ax for ax in variables["fig"].axes if "in place of CelebAMask" in ax.get_title().replace("\n", " "))
    assert not hidden.has_data() and "license forbids redistribution" in hidden.texts[0].get_text().replace("\n", " ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table01.csv", "table01.md", "table01_datasets.pdf", "table01_datasets.png"]


def test_a_data_set_of_another_size_than_the_papers_ends_the_table(monkeypatch):
    data = made_up_data("moons")
    monkeypatch.setattr(datasets, "load", lambda name, data_dir=None: datasets.take(data, n_train=900) if name == "moons" else data)
    with pytest.raises(AssertionError, match="moons, train: 1K and 900"):
        run_cells("table01_datasets")
