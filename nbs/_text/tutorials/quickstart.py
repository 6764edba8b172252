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
# # Quickstart
#
# > From a table to a picture, to a model that embeds new rows, to one file.
#
# Everything here runs on digits that come with scikit-learn, or on a file of your own.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from pumap import ParametricUMAP

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
rows_file = ""  # a .npy file of numbers, shape (n_rows, n_columns) or (n_rows, height, width, channels); "" is digits
labels_file = ""  # a .npy file with a class for each row, to color the picture; "" is none (for digits, the digit)
n_rows = 1000  # rows to look at, drawn at random; 0 is all
save_to = ""  # folder for the picture and the model; "" keeps nothing

# %% [markdown]
# ## Data
#
# One row, one point. The numbers should be on one scale, such as pixels from 0 to 1, or columns of like spread: distances between rows decide what is near. Some rows are kept apart, and come in later as new ones.

# %%
if rows_file:
    X = np.load(rows_file)
    y = np.load(labels_file) if labels_file else np.zeros(len(X), dtype=int)
else:
    X, y = load_digits(return_X_y=True)
    X = X / 16
assert len(X) == len(y), f"There are {len(X):,} rows and {len(y):,} labels."
order = np.random.default_rng(0).permutation(len(X))[: n_rows or None]
kept = len(order) * 4 // 5
X_old, X_new, y_old, y_new = X[order[:kept]], X[order[kept:]], y[order[:kept]], y[order[kept:]]
X_old.shape, X_new.shape

# %% [markdown]
# ## Fit, and look
#
# `fit` looks for the neighbors of each row, makes of them a graph, and trains a network so that joined rows come to lie together. `embedding_` has the places of the rows. With a `random_state` the same rows give the same picture.

# %%
model = ParametricUMAP(random_state=0).fit(X_old)
classes, colors = np.unique(y, return_inverse=True)


def draw(ax, z, color, title):
    "Points without axes: they have no unit, and may be turned. A class has its name in its middle, since not everybody sees every color."
    ax.scatter(*z[:, :2].T, c=color, cmap="turbo", vmin=0, vmax=max(1, len(classes) - 1), s=4)
    for i in np.unique(color) if 1 < len(classes) <= 30 else ():
        ax.text(*np.median(z[color == i, :2], axis=0), str(classes[i]), ha="center", va="center", fontsize=7, bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.7})
    ax.set_title(title, loc="left", fontsize=9)
    ax.set(xticks=[], yticks=[], aspect="equal")


fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), sharex=True, sharey=True, layout="constrained")
draw(axes[0], model.embedding_, colors[order[:kept]], "fitted")
draw(axes[1], model.transform(X_new), colors[order[kept:]], "new rows")

# %% [markdown]
# New rows take one pass through the network, so they need no neighbors and hardly any time. How good is it? Trustworthiness (1 is best) asks whether neighbors in the picture are neighbors in the data. With classes one can also ask how often the nearest fitted point is of the same class as the new one.

# %%
z_new = model.transform(X_new)
print(f"trustworthiness {trustworthiness(X_old.reshape(kept, -1), model.embedding_, n_neighbors=5):.3f}")
if len(np.unique(y)) > 1:
    nearest = KNeighborsClassifier(1).fit(model.embedding_, y_old)
    print(f"new rows beside their like: {nearest.score(z_new, y_new):.3f}")

# %%
if not rows_file and n_rows == 1000:
    assert nearest.score(z_new, y_new) > 0.8

# %% [markdown]
# ## What the main parameters do
#
# | parameter | default | what it does |
# |---|---|---|
# | `n_neighbors` | 15 | small: fine detail, many islands; large: the whole before the detail |
# | `min_dist` | 0.1 | how tightly neighbors may be packed; 0 for clustering, larger to spread points out |
# | `n_components` | 2 | dimensions; 2 to look at, more to go on computing with |
# | `metric` | `"euclidean"` | what near means: any name that umap-learn knows, such as `"cosine"` |
# | `n_training_epochs` | `None` | effort: passes over the edges; `None` takes more of them on small data |
# | `encoder` | `"mlp"` | the network ([own_encoder](own_encoder.ipynb)) |
# | `random_state` | `None` | one seed, one embedding; without one, the neighbor search uses all cores |
#
# The same rows, one parameter changed at a time, with a shorter training:

# %%
changes = [{}, {"n_neighbors": 5}, {"n_neighbors": 100}, {"min_dist": 0.0}, {"min_dist": 0.8}, {"metric": "cosine"}]
fig, axes = plt.subplots(2, 3, figsize=(7, 4.8), layout="constrained")
for ax, change in zip(axes.flat, changes):
    z = ParametricUMAP(n_training_epochs=1, random_state=0, **change).fit_transform(X_old)
    draw(ax, z, colors[order[:kept]], ", ".join(f"{name}={value}" for name, value in change.items()) or "defaults")

# %% [markdown]
# Effort is time for quality. `history_` has the loss as it fell; where it is still falling at the end, more effort pays. (The learning rate falls to zero over each run, so a short run is not the beginning of a long one.)

# %%
efforts = []
for effort in (0.25, 1, 2):
    short = ParametricUMAP(n_training_epochs=effort, random_state=0).fit(X_old)
    efforts.append({"n_training_epochs": effort, "seconds": short.history_["seconds"][-1], "loss": short.history_["loss"][-1], "trustworthiness": trustworthiness(X_old.reshape(kept, -1), short.embedding_)})
pd.DataFrame(efforts).round(3)

# %% [markdown]
# ## A map you can touch
#
# `to_html` writes the embedding to one HTML file. Hover over a point to see its row. With dense layers and gray images, or at most 60 columns, the
# page also runs the network: draw a digit, and see where it lands. [interactive_map](interactive_map.ipynb) says more.

# %%
with tempfile.TemporaryDirectory() as folder:
    page = Path(save_to or folder) / "map.html"
    model.to_html(page, X_old, labels=y_old, images=None if rows_file else (8, 8), title="Quickstart")
    print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# ## In scikit-learn
#
# It is a transformer like others: it goes into pipelines, is cloned and searched over, takes data frames and sparse matrices, and tells what is wrong with its input.

# %%
try:
    model.transform(X_new.reshape(len(X_new), -1)[:, :-1])
except ValueError as error:
    print(error)

# %% [markdown]
# ## Keep it
#
# One file has the settings, the network and the embedding. It is written whole or not at all, and read by any later process.

# %%
with tempfile.TemporaryDirectory() as folder:
    place = Path(save_to or folder) / "model.pumap"
    model.save(place)
    again = ParametricUMAP.load(place)
    print(f"{place.name}: {place.stat().st_size / 1e6:.1f} MB")
assert (again.transform(X_new) == z_new).all()

# %%
if save_to:
    fig.savefig(Path(save_to) / "parameters.png", dpi=150)
