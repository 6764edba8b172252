# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: nbs///ipynb,nbs/_text///py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Gaps
#
# > Cells whose numbers are far from the paper's, measured again with one setting changed.
#
# The profile `laptop` differs from the original experiments in three ways that could explain a gap:
#
# - training is shorter,
# - clusters are sought among 10,000 rows,
# - all parametric methods of a data set share one network, so a learning rate that suits one method may not suit another.
#
# Each trial is a cell of the grid with one change, run by the grid's own functions. The table shows it between the cell of the grid and the paper.
# A change explains a gap if the trial moves most of the way to the paper's number. Some settings of the grid differ from the original's on
# purpose. There the trial takes the original's setting and shows the cost of the difference.

# %%
import time

import pandas as pd
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap.paper import figures

# %% [markdown]
# ## Parameters
#
# A trial is a data set, a method, and a dictionary of changes:
#
# | change | meaning |
# |---|---|
# | a setting of the method | `None` is the solver's default (convolutions, LSTM: batches of 500 edges, learning rate 5e-4) |
# | `n_clustered` | number of rows that are clustered, 0 for all |
# | `n_components` | 64 for a trial in 64 dimensions; 2 if not given |
#
# When the trials in `figures/laptop` were measured, the grid used the solver's default on songs and CIFAR10. Now it uses batches of 125 edges and a
# learning rate of 2e-3 there.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper
results_dir = ""  # where the records and the trials are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the table; "" draws without writing
trials = []  # of [data set, method, changes]; [] takes the list of the profile, which is empty for paper

# %%
TRIALS = {
    "smoke": [["digits", "ae", {"n_training_epochs": 100}], ["digits", "ae", {"n_components": 64, "n_training_epochs": 100}], ["digits", "tsne", {"n_clustered": 200}]],
    "quick": [["digits", "ae", {"n_training_epochs": 400}], ["digits", "ae", {"n_components": 64, "n_training_epochs": 400}]],
    "laptop": [
        ["cassins", "ptsne", {"learning_rate": 0.01}],
        ["cassins", "ptsne", {"learning_rate": 0.01, "encoder": "mlp"}],
        ["cassins", "ptsne", {"learning_rate": 0.01, "encoder": "mlp", "n_training_epochs": 500}],
        ["cassins", "ptsne", {"n_training_epochs": 120}],
        ["cassins", "pumap", {"n_components": 64, "batch_size": None, "learning_rate": None}],
        ["cassins", "pumap_decoder", {"n_components": 64, "batch_size": None, "learning_rate": None}],
        ["cassins", "umap_ae", {"n_components": 64, "batch_size": None, "learning_rate": None}],
        ["cassins", "umap_ae", {"n_components": 64, "n_training_epochs": 0.3, "batch_size": None, "learning_rate": None}],
        ["cassins", "umap_ae", {"n_components": 64, "batch_size": None}],
        ["cifar10", "umap_ae", {"n_components": 64, "batch_size": None, "learning_rate": None}],
        ["cifar10", "umap_ae", {"n_components": 64, "batch_size": None}],
        ["retina", "umap_ae", {"n_components": 64, "n_training_epochs": 3}],
        ["retina", "umap_ae", {"n_components": 64, "unit_range": "columns"}],
        ["retina", "umap_ae", {"n_components": 64, "unit_range": "columns", "n_training_epochs": 3}],
        ["mnist", "ptsne", {"learning_rate": 0.003}],
        ["mnist", "ae", {"n_training_epochs": 20}],
        ["fmnist", "ae", {"n_training_epochs": 10}],
        ["fmnist", "ae", {"n_components": 64, "n_training_epochs": 10}],
        ["fmnist", "vae", {"n_components": 64, "n_training_epochs": 10}],
        ["mnist", "vae", {"weighting": "elbo"}],
        ["retina", "vae", {"weighting": "elbo"}],
        ["retina", "ae", {"unit_range": True}],
        ["mnist", "tsne", {"n_clustered": 0}],
        ["mnist", "umap_ae", {"n_components": 64, "encoder": "mlp", "n_training_epochs": 1.5, "n_decoder_epochs": 10}],
        ["mnist", "pumap_decoder", {"n_components": 64, "encoder": "mlp", "n_training_epochs": 1.5, "n_decoder_epochs": 10}],
        ["mnist", "ae", {"n_components": 64, "encoder": "mlp", "n_training_epochs": 10}],
    ],
}
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
trials = trials or TRIALS.get(profile, [])
kept = ex.measurements("benchmark_gaps", tuple(dict.fromkeys(trial[0] for trial in trials)), run, save_to)
print(f"{len(trials)} trials; {len(kept.lines or [])} are kept in {ex.portable(kept.path)}")


# %% [markdown]
# ## A trial
#
# A trial has the data, seed and metrics of its cell. Each finished trial is saved, so an interrupted run continues.

# %%
def attempt(cell, **changes):
    "The metrics of a cell with something changed."
    n_clustered = changes.pop("n_clustered", run.profile.n_clustered) or None
    data = run.load(cell)
    method = ex.method_of(cell, data, run.profile, **changes).fit(data.X_train)
    z = method.transform(data.X_test)
    reconstruction, _ = ex.reconstruct(cell, method, data, z)
    return ex.measure(data, method.embedding_, z, reconstruction, **run.profile.clustering | {"n_clustered": n_clustered})[0]


# %%
lines, cells = kept.lines or [], []
for dataset, method, changes in trials:
    changes = dict(changes)
    cell = ex.Cell(dataset, method, changes.pop("n_components", 2)).check()
    cells.append(cell)
    trial = {"dataset": dataset, "method": method, "dim": cell.n_components, "what": ", ".join(f"{name}={value}" for name, value in changes.items())}
    if not any(trial.items() <= line.items() for line in lines):
        start = time.perf_counter()
        metrics = attempt(cell, **changes)
        lines.append(trial | {name: "" if value is None else value for name, value in metrics.items()} | {"minutes": (time.perf_counter() - start) / 60})
        if save_to:
            ex.write_measurements(lines, kept.path)

# %% [markdown]
# ## Grid, trial, paper
#
# The minutes depend on the machine and on its load, so those of two lines cannot be compared.

# %%
paper = {(metric, dim): figures.published_means(n, dim) for n, metric in enumerate(ex.METRICS, start=2) for dim in (2, 64)}
cells = list(dict.fromkeys(cells))
shown = []
for record in run.collect(cells):
    cell = {"dataset": record["cell"]["dataset"], "method": record["cell"]["method"], "dim": record["cell"]["n_components"]}
    of_paper = {metric: paper[metric, cell["dim"]].get(cell["dataset"], {}).get(cell["method"]) for metric in ex.METRICS}
    seconds = record["seconds"]["fit"] + record["seconds"]["metrics"]
    shown.append(cell | {"what": "grid"} | record["metrics"] | {"minutes": seconds / 60})
    shown += [line for line in lines if cell.items() <= line.items()]
    shown.append(cell | {"what": "paper"} | of_paper)
table = pd.DataFrame(shown)
table[list(ex.METRICS)] = table[list(ex.METRICS)].apply(pd.to_numeric)  # what was not measured, or not published, is NaN
DIGITS = 5  # the errors of single cells are that small
Markdown(figures.to_markdown(table, DIGITS))

# %%
assert len(table) == len(lines) + 2 * len(cells) and not table.duplicated(["dataset", "method", "dim", "what"]).any()

# %% [markdown]
# For each number that is more than 0.02 away from the paper's, the share of the gap that a trial closes: 1 is all of it, 0 is none.

# %%
rows = {key: group.set_index("what") for key, group in table.groupby(["dataset", "method", "dim"], sort=False)}
for (dataset, method, dim), group in rows.items():
    for metric in ex.METRICS:
        grid, wanted = group.loc["grid", metric], group.loc["paper", metric]
        if abs(wanted - grid) > 0.02:  # no for NaN
            for what in group.index.drop(["grid", "paper"]):
                there = group.loc[what, metric]
                print(f"{dataset} {method} {dim}-D {metric}: grid {grid:.3f}, {what} {there:.3f}, paper {wanted:.3f}: {(there - grid) / (wanted - grid):+.2f} of the way")

# %%
if save_to:
    for made in figures.save_table(table.drop(columns="minutes"), f"{save_to}/benchmark_gaps_shown", digits=DIGITS):
        print(made)
