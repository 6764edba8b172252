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
# # One cell of the semi-supervised grid
#
# > A classifier learns from some labels and, with the UMAP loss, from all rows; its test accuracy becomes one record.
#
# Figures 15 to 18 of the paper, and Table 8, are made from a grid: data sets by methods by numbers of labels. This notebook is one
# cell of that grid. `pumap run` runs it once for each cell a figure needs, and keeps the executed copy in
# `figures/<profile>/cells`. You can change a parameter and run it yourself.

# %%
import numpy as np

from pumap.paper import experiments as ex
from pumap import plots
from pumap.paper import figures

# %% [markdown]
# ## Parameters
#
# The defaults run for seconds: a few hundred digits and a few steps. The number of labels is *per class*, as in the paper, whose figures do not say so.

# %% tags=["parameters"]
dataset = "digits"  # paper: mnist, fmnist, cifar10
method = "umap_euclidean"  # baseline, aug, umap_euclidean, umap_learned, aug_umap_euclidean, aug_umap_learned
n_labels = 4  # per class; paper: 4, 16, 64, 256, 1024 and "full"
seed = 0  # of the choice of labels and of the network; paper: none, one run each
profile = "smoke"  # smoke, quick, laptop, paper
results_dir = ""  # where the record goes; "" is a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
changes = {}  # settings in place of the profile's, such as width or n_steps; a run with changes leaves no record

# %%
cell = ex.SSLCell(dataset, method, n_labels, seed).check()
run = ex.Run(ex.profile(profile), ex.results_folder(results_dir), data_dir, stand_ins)
print(f"{cell.id}, profile {run.profile.name}: {run.profile.title}")

# %% [markdown]
# ## Load the data, choose the labels
#
# All training rows are used for the graph; only some keep their label.

# %%
data = run.load(cell)
settings = cell.settings(run.profile) | changes
y = ex.choose_labels(data.y_train, n_labels, seed, settings["labels"])
print(f"{data.title}: {len(data.X_train):,} rows to train, {(y >= 0).sum():,} of them with a label; {len(data.X_test):,} to test; from {data.source}")

# %% [markdown]
# ## Fit
#
# The classifier, with the UMAP loss on the edges of all rows if the method has it. If there is a validation set, the weights of the best round are tested.

# %%
print("settings:", settings)
classifier, labels, accuracy, seconds = ex.fit_ssl_cell(cell, data, run.profile, **changes)
assert np.array_equal(labels, y)
print(f"fit {seconds['fit']:.1f} s; {classifier.history_['step'][-1]} steps; accuracy on the test rows {accuracy:.4f}")

# %% [markdown]
# ## Look
#
# The two losses during training. Label smoothing gives the classification loss a lowest possible value (gray). Without the UMAP loss there is one curve.

# %%
history = classifier.history_
smoothed = np.full(len(classifier.classes_), settings["label_smoothing"] / len(classifier.classes_))
smoothed[0] += 1 - settings["label_smoothing"]
floor = -np.sum(smoothed * np.log(smoothed))
with plots.use_style():
    fig = plots.Picture(figsize=(plots.COLUMN_WIDTH, 2), layout="constrained")
    ax = fig.subplots()
    ax.axhline(floor, color=plots.FAINT, lw=1)
    ax.plot(history["step"], history["classification"], color=figures.LOSS_COLORS["classification"], label="classification")
    if classifier.umap_weight:
        ax.plot(history["step"], history["umap"], color=figures.LOSS_COLORS["umap"], label="UMAP")
    ax.set(xlabel="step", ylabel="loss", ylim=(0, None))
    ax.legend()
fig

# %% [markdown]
# ## Write
#
# The record is written last, in one step. A run that is killed before leaves no record; a finished run is reused. The baseline's last layer is kept for Figure 17. A run with `changes` is not part of the grid and leaves no record.

# %%
record = ex.make_record(run, cell, data, {"accuracy": accuracy}, seconds, classifier)
if not changes:
    record = ex.save_ssl_cell(run, cell, record, classifier, data, y)
    assert run.record(cell) == record
record["metrics"] if changes else record
