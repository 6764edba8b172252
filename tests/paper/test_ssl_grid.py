"""The semi-supervised grid: its sizes, its cells, its records, and what becomes of them. The `paper` profile needs a GPU, its code does not: each method takes a step with the original's network."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, run_at

from pumap import import_quietly
from pumap.paper import cli, datasets, figures
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc

CELL = ex.SSLCell("cifar10", "umap_euclidean", 4)


def record_of(cell, accuracy=0.5, profile="laptop", stand_ins=False, **more):
    "A record with as much in it as figures and scorecard need."
    data = {"title": cell.dataset.upper(), "source": "", "sha256": "", "stand_in_for": cell.dataset if stand_ins else None}
    record = dict.fromkeys(ex.RECORD_KEYS, None) | {"cell": dataclasses.asdict(cell), "profile": profile, "inputs": ex.inputs_hash(cell, ex.profile(profile), stand_ins)}
    return record | {"metrics": {"accuracy": accuracy}, "n_train": 10_000, "n_test": 5_000, "data": data, "seconds": {"fit": 1.0}, "versions": {}, "device": "cpu"} | more


def keep(folder, cell, accuracy=0.5, profile="laptop", **more):
    return ex.write_record(record_of(cell, accuracy, profile, **more), run_at(folder, profile).path(cell))


# sizes


def test_a_dry_run_tells_the_original_sizes(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "fig15", "table8", "--profile", "paper", "--dry-run", "--results", str(tmp_path / "none")])
    out = capsys.readouterr().out
    assert not ended.value.code and not any(tmp_path.iterdir())
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "111 of 111 cells to run" in out and "draw" in lines["fig15_ssl_euclidean"] and "draw" in lines["fig18_ssl_learned"]
    for dataset, train, steps, augment in (("mnist", 50_000, 195_000, "mnist"), ("fmnist", 50_000, 195_000, "fmnist"), ("cifar10", 40_000, 156_000, "cifar10")):
        line = lines[f"{dataset}-aug_umap_learned-labels1024-seed0"]
        for words in (
            f"train={train} test=10000", f"n_steps={steps}", f"augment={augment}", "encoder=cnn13", "n_shared=256", "head_layers=[256, 256]", "n_components=1024",
            "min_dist=0.001", "n_neighbors=15", "batch_size=128", "labeled_batch_size=128", "label_smoothing=0.2", "stop_on=given", "graph=learned",
        ):  # fmt: skip
            assert words in line
        assert "umap_weight=0" in lines[f"{dataset}-baseline-labelsfull-seed0"] and "graph" not in lines[f"{dataset}-baseline-labelsfull-seed0"]


def test_snakemake_sees_every_cell(tmp_path):
    "Also where the path of Python has a space."
    (tmp_path / "a place").symlink_to(Path(sys.executable).parents[1], target_is_directory=True)
    python = str(tmp_path / "a place" / Path(sys.executable).parent.name / Path(sys.executable).name)
    plan = cli.make_plan(cli.figures_named(["fig17", "table8"]), run_at(tmp_path, "paper"))
    command = cli.snakemake_command(cli.write_plan(plan), 1, 1, ["--dry-run", "--printshellcmds"])
    done = subprocess.run([python, *command[1:]], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0 and f"'{python}' -c " in done.stdout + done.stderr
    pixels = [c for c in ex.cells_for("fig17", ex.profile("paper")) if isinstance(c, ex.Cell)]
    counts = {words[0]: int(words[1]) for words in map(str.split, (done.stdout + done.stderr).splitlines()) if len(words) == 2 and words[1].isdigit() and words[0] != "jobid:"}
    assert counts == {"all": 1, "job": 108 + len(pixels) + 2, "total": 108 + len(pixels) + 3} and pixels


def test_the_protocol_does_not_depend_on_the_profile():
    for method in ex.SSL_METHODS:
        found = [ex.SSLCell("mnist", method, 4).settings(ex.profile(name)) for name in ex.PROFILES]
        for key in (*ex.SSL_PROTOCOL, "umap_weight", "graph", "augment"):
            assert len({settings.get(key) for settings in found}) == 1, key


def test_the_figures_compare_what_the_paper_compares():
    methods = {name: {c.method for c in ex.cells_for(name, ex.profile("laptop")) if isinstance(c, ex.SSLCell)} for name in ("fig15", "fig16", "fig17", "fig18", "table8")}
    assert methods == {
        "fig15": {"baseline", "umap_euclidean"}, "fig16": {"baseline", "aug", "aug_umap_euclidean"}, "fig17": {"baseline"},
        "fig18": {"baseline", "aug", "umap_learned", "aug_umap_learned"}, "table8": set(ex.SSL_METHODS),
    }  # fmt: skip
    assert {c.seed for c in ex.cells_for("fig17", ex.profile("laptop"))} == {0}
    pictures = [[c for c in ex.cells_for(name, ex.profile("laptop")) if isinstance(c, ex.Cell)] for name in ("fig15", "fig17")]
    assert pictures == 2 * [[ex.Cell(name, "umap", 2) for name in ("mnist", "fmnist", "cifar10")]]
    fewest = [c for c in ex.cells_for("table8", ex.profile("laptop")) if c.n_labels == 4]
    assert {c.dataset for c in fewest} == {"mnist", "fmnist", "cifar10"} and {c.seed for c in fewest} == {0, 1, 2}


# a step of each method


def made_up(shape, n=40):
    draw = np.random.default_rng(0)
    parts = {part: draw.random((n, *shape), dtype=np.float32) for part in ("train", "valid", "test")}
    return SimpleNamespace(**{f"X_{part}": X for part, X in parts.items()}, **{f"y_{part}": np.arange(n) % 10 for part in parts})


@pytest.fixture
def few_steps(monkeypatch):
    "The paper's networks and settings, for one step on a few rows."
    grid = ex.SSL_GRIDS["paper"]
    short = {"n_steps": 1, "n_label_steps": 1, "n_rounds": 1, "batch_size": 4, "labeled_batch_size": 4}
    monkeypatch.setitem(ex.SSL_GRIDS, "paper", dataclasses.replace(grid, settings=grid.settings | short, of_dataset={}))
    monkeypatch.setitem(ex.SSL_PROTOCOL, "n_neighbors", 5)


@pytest.mark.parametrize("dataset, method", [("mnist", method) for method in ex.SSL_METHODS] + [("fmnist", "aug"), ("cifar10", "aug_umap_learned")])
def test_a_step_of_each_method_of_the_paper_profile(few_steps, dataset, method):
    data = made_up(datasets.describe(dataset)["shape"])
    classifier, y, accuracy, seconds = ex.fit_ssl_cell(ex.SSLCell(dataset, method, 2), data, ex.profile("paper"))
    assert (y >= 0).sum() == 20 and 0 <= accuracy <= 1 and seconds["fit"] > 0
    assert classifier.history_["step"] == [1] and (classifier.graph_ is None) == ("umap" not in method)
    network = classifier.network_
    assert [output.shape[1] for output in network.outputs] == [1024, 10]
    if method == "baseline":  # the number that the original's notebooks print
        scores = import_quietly("pumap.semisupervised").part(network, "scores")
        assert sum(np.prod(weight.shape) for weight in scores.trainable_weights) == 3_388_308
    assert len(classifier.history_["validation_accuracy"]) == 1  # on the validation split, as in the original
    assert np.isfinite(classifier.transform(data.X_test)).all() and classifier.transform(data.X_test).shape == (40, 1024)
    assert (classifier.augment is None) == ("aug" not in method)


def test_half_size_sees_the_mean_of_four_pixels():
    build = ex.ssl_encoder("cnn13", width=1 / 32, half_size=True)
    network = build((28, 28, 1), 8)
    x = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)
    small = x.reshape(3, 14, 2, 14, 2, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(network(x), network.layers[-1](small), atol=1e-5)
    assert network.output_shape == (None, 8) and ex.ssl_encoder("mlp_norm") == "mlp_norm"


# cells and records


@pytest.mark.parametrize("n_labels", [0, -1, 2.0, "4", True, None, "all"])
def test_numbers_of_labels_that_cannot_be(n_labels):
    with pytest.raises(ValueError, match="n_labels"):
        ex.SSLCell("digits", "aug", n_labels).check()


def test_a_class_with_too_few_rows_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="31 labels per class cannot be had"):
        ex.SSLCell("digits", "baseline", 31).compute(run_at(tmp_path))
    assert not any(tmp_path.iterdir())


def test_the_hash_follows_the_grid_of_the_cell(monkeypatch):
    other = ex.Cell("digits", "pca", 2)
    before, before_other = ex.inputs_hash(CELL, ex.profile("laptop")), ex.inputs_hash(other, ex.profile("laptop"))
    assert len({ex.inputs_hash(dataclasses.replace(CELL, **change), ex.profile("laptop")) for change in ({"n_labels": 64}, {"method": "baseline"}, {"seed": 1}, {})}) == 4
    assert ex.inputs_hash(CELL, ex.profile("laptop"), stand_ins=True) != before
    grid = ex.SSL_GRIDS["laptop"]
    monkeypatch.setitem(ex.SSL_GRIDS, "laptop", dataclasses.replace(grid, settings=grid.settings | {"n_steps": 7}))
    assert ex.inputs_hash(CELL, ex.profile("laptop")) != before and ex.inputs_hash(other, ex.profile("laptop")) == before_other
    monkeypatch.setattr(ex, "SSL_VERSION", 99)
    assert ex.inputs_hash(other, ex.profile("laptop")) == before_other


def test_records_are_kept_and_broken_ones_told(tmp_path):
    path = run_at(tmp_path, "laptop").path(CELL)
    ex.write_record(record_of(CELL), path, embedding=np.zeros((5, 2)), y=np.zeros(5), predicted=np.arange(5), labeled=np.zeros(5, bool))
    assert run_at(tmp_path, "laptop").state(CELL) == "done"
    assert ex.read_last_layer(ex.read_record(path), run_at(tmp_path))["predicted"].tolist() == [0, 1, 2, 3, 4]
    ex.write_record(record_of(CELL, metrics={}), path)
    assert run_at(tmp_path, "laptop").state(CELL) == "damaged"
    ex.write_record(record_of(CELL, inputs="other"), path)
    assert run_at(tmp_path, "laptop").state(CELL) == "stale"


def test_data_that_cannot_be_had_leave_a_reason(tmp_path, monkeypatch):
    def load(name, *args, **kwargs):
        raise datasets.DataNotFound(f"{name} cannot be had here")

    keep(tmp_path, ex.SSLCell("mnist", "baseline", 4))
    monkeypatch.setattr(datasets, "load", load)
    found = figures.gather("fig15", run_at(tmp_path, "laptop"))
    assert len(found.records) == 1 and len(found.reasons) == len(found.cells) - 1
    assert found.missing == {"fmnist": "fmnist cannot be had here", "cifar10": "cifar10 cannot be had here"}


# scorecard


def test_table_8_is_filled_from_records(tmp_path):
    for seed, accuracy in enumerate((0.7, 0.8, 0.9)):
        keep(tmp_path, ex.SSLCell("mnist", "baseline", 4, seed), accuracy)
    keep(tmp_path, CELL, 0.3, stand_ins=True)
    card = sc.scorecard(sc.scorecard_run("laptop", tmp_path))
    rows = {(row["dataset"], row["method"], row["labels"]): row for row in card["cells"] if row["table"] == 8}
    row = rows["mnist", "baseline", "4"]
    assert (row["paper"], row["seeds"], row["n"], row["metric"]) == (0.8143, 3, 10_000, "accuracy")
    np.testing.assert_allclose([row["ours"], row["sd"]], [0.8, 0.1])
    assert rows["cifar10", "umap_euclidean", "4"]["source"] == "CIFAR10, stand-in for cifar10" and rows["mnist", "aug", "full"]["ours"] is None
    assert len(rows) == 90 and card["conditions"]["cells"][0]["cell"] == "mnist-baseline-labels4-seed0"
    (sixteen,) = [row for row in sc.table_rows(8, [record_of(ex.SSLCell("fmnist", "aug_umap_learned", 16))], "paper") if row["labels"] == "16"]
    assert sixteen["paper"] == 0.8263 and sixteen["ours"] == 0.5
    assert "| 8 | mnist | 4 labels | baseline | accuracy | 0.8143 | 0.8000 | 0.1000 |" in sc.scorecard_markdown(card)


@pytest.mark.parametrize(
    "name, dataset, method, reference, n, gain, holds",
    [
        ("C23", "cifar10", "umap_euclidean", "baseline", 4, -0.1, True),
        ("C23", "cifar10", "umap_euclidean", "baseline", 4, 0.1, False),
        ("C23", "mnist", "umap_euclidean", "baseline", 4, -0.1, None),
        ("C24", "fmnist", "aug_umap_euclidean", "aug", 4, 0.1, True),
        ("C24", "fmnist", "aug_umap_euclidean", "aug", 4, -0.1, False),
        ("C25", "cifar10", "aug_umap_euclidean", "aug", 64, -0.1, True),
        ("C25", "cifar10", "aug_umap_euclidean", "aug", 64, 0.1, False),
        ("C27", "mnist", "aug_umap_learned", "aug", 64, 0.1, True),
        ("C27", "mnist", "aug_umap_learned", "aug", 64, -0.1, False),
        ("C27", "mnist", "aug_umap_learned", "baseline", 64, 0.1, None),
    ],
)
def test_claims_follow_the_difference(name, dataset, method, reference, n, gain, holds):
    records = [record_of(ex.SSLCell(dataset, m, n, seed), a + 0.01 * seed) for m, a in ((reference, 0.5), (method, 0.5 + gain)) for seed in (0, 1)]
    claim = {c["id"]: c for c in sc.judged_claims(records)}[name]
    assert claim["holds"] is holds
    assert holds is None or f"labels per class {n}: {gain:+.4f} ± 0.0000 (2 seeds)" in claim["evidence"]


@pytest.mark.parametrize("plain, augmented, holds", [(0.01, 0.1, True), (0.08, 0.1, False), (-0.05, 0.1, True), (0.01, -0.1, False)])
def test_the_learned_graph_alone_is_measured_by_what_augmentation_adds(plain, augmented, holds):
    accuracy = {"baseline": 0.5, "umap_learned": 0.5 + plain, "aug": 0.6, "aug_umap_learned": 0.6 + augmented}
    records = [record_of(ex.SSLCell("mnist", method, 4), value) for method, value in accuracy.items()]
    verdict = lambda some: {claim["id"]: claim["holds"] for claim in sc.judged_claims(some)}["C26"]
    assert verdict(records) is holds and verdict(records[:3]) is None


def test_a_cell_with_changes_leaves_no_record(tmp_path):
    parameters = {"results_dir": str(tmp_path / "results"), "method": "baseline", "changes": {"n_steps": 7}}
    ex.run_notebook(ex.notebook_path("cell_ssl"), tmp_path / "copy.ipynb", parameters)
    printed = (tmp_path / "copy.ipynb").read_text()
    assert "'n_steps': 7" in printed and "7 steps" in printed
    assert not list((tmp_path / "results").rglob("*.json"))
