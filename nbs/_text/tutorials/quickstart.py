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
# > Embed a table, look at it, embed new rows, and save the model.
#
# The data are scikit-learn's digits, or a file of your own.

# %%
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from pumap import ParametricUMAP
from pumap.plots import Picture, draw_names, draw_projection, save_figure, use_style

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
rows_file = ""  # a .npy file of numbers, shape (n_rows, n_columns) or (n_rows, height, width, channels); "" is digits
labels_file = ""  # a .npy file with a class for each row, to color the picture; "" is none (for digits, the digit)
n_rows = 1000  # rows to use, drawn at random; 0 is all
save_to = ""  # folder for the picture and the model; "" saves to a temporary one

# %% [markdown]
# ## Data
#
# Each row becomes a point. Distances between rows decide which are neighbors, so all columns should have one scale, such as pixels from 0 to 1. A
# fifth of the rows is the test set.

# %%
if rows_file:
    X = np.load(rows_file)
    y = np.load(labels_file) if labels_file else np.zeros(len(X), dtype=int)
else:
    X, y = load_digits(return_X_y=True)
    X = X / 16
assert len(X) == len(y), f"There are {len(X):,} rows and {len(y):,} labels."
order = np.random.default_rng(0).permutation(len(X))[: n_rows or None]
X_train, X_test = np.split(X[order], [len(order) * 4 // 5])
y_train, y_test = np.split(y[order], [len(order) * 4 // 5])
X_train.shape, X_test.shape

# %% [markdown]
# ## Fit
#
# `fit` finds the nearest neighbors of each row, builds a graph of them, and trains a network that places connected rows close together. `embedding_`
# has a point for each row. A `random_state` makes the result reproducible.

# %%
model = ParametricUMAP(random_state=0).fit(X_train)

# %% [markdown]
# `transform` embeds new rows in one forward pass. It needs no neighbor search.

# %%
z_test = model.transform(X_test)

# %% [markdown]
# The axes of an embedding have no unit, and it may be rotated. Each color is a class, and its name is at the median of its points.

# %%
classes = np.unique(y)
with use_style():
    fig = Picture(figsize=(6, 3.2))
    axes = fig.subplots(1, 2, sharex=True, sharey=True)
    for ax, title, z, labels in ((axes[0], "training set", model.embedding_, y_train), (axes[1], "test set", z_test, y_test)):
        draw_projection(ax, z, labels, classes)
        if 1 < len(classes) <= 30:
            draw_names(ax, z, labels)
        ax.set_title(title)
fig

# %% [markdown]
# Trustworthiness is 1 if neighbors in the embedding are neighbors in the data. With classes, the accuracy of the nearest neighbor is a second
# measure: how often the nearest training row in the embedding has the class of the test row.

# %%
print(f"trustworthiness {trustworthiness(X_train.reshape(len(X_train), -1), model.embedding_, n_neighbors=5):.3f}")
if len(classes) > 1:
    accuracy = KNeighborsClassifier(1).fit(model.embedding_, y_train).score(z_test, y_test)
    print(f"accuracy of the nearest neighbor, test set: {accuracy:.3f}")

# %%
if not rows_file and n_rows == 1000:
    assert accuracy > 0.8

# %% [markdown]
# ## Main parameters
#
# | parameter | default | what it does |
# |---|---|---|
# | `n_neighbors` | 15 | size of a neighborhood; small values show fine detail, large ones more of the global structure |
# | `min_dist` | 0.1 | distance in the embedding below which neighbors are not pulled together; 0 for clustering, larger to spread points out |
# | `n_components` | 2 | dimensions of the embedding: 2 for a picture, more as input of another model |
# | `metric` | `"euclidean"` | distance between rows: a name that umap-learn knows, such as `"cosine"`, or a numba function |
# | `n_training_epochs` | `None` | epochs over the edges, may be a fraction; `None` = 1.5 and at least 3,000 steps |
# | `solver` | `"fast"` | training loop; `"paper"` follows the original code step for step |
# | `early_stopping` | `False` | hold out rows, and stop when their loss no longer falls |
# | `encoder` | `"mlp"` | the network: a name, a Keras model or a function ([own_encoder](own_encoder.ipynb)) |
# | `decoder` | `None` | a second network, for `inverse_transform` |
# | `autoencoder_loss` | `False` | let the reconstruction loss of the decoder change the encoder, too |
# | `random_state` | `None` | one seed gives one embedding, on a CPU; `None` lets the neighbor search use all cores |
#
# `update(X_new)` is a method: it continues training of a fitted model on old and new rows together, and holds the old rows near their places.
#
# The next picture changes one parameter at a time, with a short training.

# %%
changes = [{}, {"n_neighbors": 5}, {"n_neighbors": 100}, {"min_dist": 0.0}, {"min_dist": 0.8}, {"metric": "cosine"}]
with use_style():
    fig = Picture(figsize=(6, 4.4), layout="constrained")
    for ax, change in zip(fig.subplots(2, 3).flat, changes):
        z = ParametricUMAP(n_training_epochs=1, random_state=0, **change).fit_transform(X_train)
        draw_projection(ax, z, y_train, classes)
        ax.set_title(", ".join(f"{name}={value}" for name, value in change.items()) or "defaults")
fig

# %% [markdown]
# More epochs take longer and lower the loss, up to a point. `history_` has the loss during training. Compare runs by the end of their losses, because
# the learning rate falls to zero over each run. Double `n_training_epochs` while that loss falls clearly.

# %%
runs = []
for n_epochs in (0.25, 1, 2):
    short = ParametricUMAP(n_training_epochs=n_epochs, random_state=0).fit(X_train)
    seconds, loss = short.history_["seconds"][-1], np.mean(short.history_["loss"][-10:])
    trust = trustworthiness(X_train.reshape(len(X_train), -1), short.embedding_)
    runs.append({"n_training_epochs": n_epochs, "seconds": seconds, "loss": loss, "trustworthiness": trust})
pd.DataFrame(runs).round(3)

# %% [markdown]
# ## Interactive map
#
# `to_html` writes the embedding to one HTML file. Hover over a point to see its row. With dense layers and gray images, or at most 60 columns, the
# page also runs the network: draw a digit, and see its point. [interactive_map](interactive_map.ipynb) has more examples.

# %%
with tempfile.TemporaryDirectory() as folder:
    page = Path(save_to or folder) / "map.html"
    model.to_html(page, X_train, labels=y_train, images=None if rows_file else (8, 8), title="Quickstart")
    print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# ## scikit-learn
#
# `ParametricUMAP` is a scikit-learn transformer. It works in pipelines, with `clone` and in grid searches, takes data frames and sparse matrices, and
# checks its input.

# %%
try:
    model.transform(X_test.reshape(len(X_test), -1)[:, :-1])
except ValueError as error:
    print(error)

# %% [markdown]
# ## Save the model
#
# One file has the settings, the networks and the embedding. `save` writes all of it or nothing. `load` works in any process, on any Keras backend.

# %%
with tempfile.TemporaryDirectory() as folder:
    file = Path(save_to or folder) / "model.pumap"
    model.save(file)
    loaded = ParametricUMAP.load(file)
    print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")
assert (loaded.transform(X_test) == z_test).all()

# %%
if save_to:
    save_figure(fig, Path(save_to) / "parameters")
