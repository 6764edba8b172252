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
# > Train one classifier on a few labels and, depending on the method, on the graph of all rows; save its test accuracy as a record.
#
# Figures 15 to 18 of the paper and Table 8 use one grid: data sets by methods by numbers of labels. This notebook computes one cell of the grid.
# `pumap run` executes it for each cell that a figure needs, with other parameters, and saves the executed copy in `figures/<profile>/cells`. You can
# also change a parameter and run it yourself.

# %%
import numpy as np

from pumap.paper import experiments as ex
from pumap import plots
from pumap.paper import figures

# %% [markdown]
# ## Parameters
#
# The defaults make a run of seconds, with a few hundred digits and a few steps. `n_labels` is the number of labels *per class*, as in the paper's
# experiments. The paper's figures do not say that it is per class.

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
# ## Load the data and choose the labels
#
# The graph uses all training rows. Only the chosen rows keep their labels.

# %%
data = run.load(cell)
settings = cell.settings(run.profile) | changes
y = ex.choose_labels(data.y_train, n_labels, seed, settings["labels"])
print(f"{data.title}: {len(data.X_train):,} rows to train, {(y >= 0).sum():,} of them with a label; {len(data.X_test):,} to test; from {data.source}")

# %% [markdown]
# ## Fit
#
# The classifier minimizes the classification loss. All methods except `baseline` and `aug` add the UMAP loss on the edges of all training rows. If a
# validation set is used, the weights of the round with the best validation accuracy are tested.

# %%
print("settings:", settings)
classifier, labels, accuracy, seconds = ex.fit_ssl_cell(cell, data, run.profile, **changes)
assert np.array_equal(labels, y)
print(f"fit {seconds['fit']:.1f} s; {classifier.history_['step'][-1]} steps; accuracy on the test rows {accuracy:.4f}")

# %% [markdown]
# ## Plot the losses
#
# The plot shows the losses during training; `baseline` and `aug` have no UMAP loss. The gray line is the lowest possible classification loss, which
# label smoothing keeps above zero.

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
# ## Save the record
#
# The record is written last, in one step. So an interrupted run leaves no record, and a finished run is not repeated. The method `baseline` also
# saves its last layer for Figure 17. A run with `changes` saves nothing.

# %%
record = ex.make_record(run, cell, data, {"accuracy": accuracy}, seconds, classifier)
if not changes:
    record = ex.save_ssl_cell(run, cell, record, classifier, data, y)
    assert run.record(cell) == record
record["metrics"] if changes else record
