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
# # One cell of the projection grid
#
# > Fit one method on one data set, measure the embedding, and save the results as a record.
#
# Figures 4 to 9 and 13 of the paper and Tables 2 to 7 use one grid: data sets by methods by dimensions. This notebook computes one cell of the grid.
# `pumap run` executes it for each cell that a figure needs, with other parameters, and saves the executed copy in `figures/<profile>/cells`. You can
# also change a parameter and run it yourself.

# %%
import matplotlib.pyplot as plt
import numpy as np

from pumap.paper import experiments as ex
from pumap import plots

# %% [markdown]
# ## Parameters
#
# The defaults make a run of seconds. The profiles `laptop` and `paper` use all 50,000 rows of `mnist` and `fmnist`; `laptop` shortens the training.

# %% tags=["parameters"]
dataset = "digits"  # paper: moons, bison, mnist, fmnist, cifar10, cassins, retina
method = "pumap"  # umap, umap_tf, pumap, umap_ae, pumap_decoder, ptsne, tsne, vae, ae, pca
n_components = 2  # paper: 2 and 64
seed = 0  # paper: none, one run each
profile = "smoke"  # smoke, quick, laptop, paper
results_dir = ""  # where the record goes; "" is a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?

# %% [markdown]
# An unknown name raises an error that lists the valid ones.

# %%
cell = ex.Cell(dataset, method, n_components, seed).check()
run = ex.Run(ex.profile(profile), ex.results_folder(results_dir), data_dir, stand_ins)
print(f"{cell.id}, profile {run.profile.name}: {run.profile.title}")

# %% [markdown]
# ## Load the data
#
# The data have the paper's splits. The profile sets how many of the first rows of each part are used.

# %%
data = run.load(cell)
assert len(data.X_train) == len(data.y_train) and len(data.X_test) == len(data.y_test)
print(f"{data.title}: {len(data.X_train):,} rows to train, {len(data.X_test):,} to test, each of shape {data.shape}; from {data.source}")

# %% [markdown]
# ## Fit and transform
#
# Each method is fitted on the training set, without labels. Then it embeds the test set. The cost of this step differs most between methods: a
# network or a linear projection needs one forward pass, but UMAP and t-SNE must find the neighbors of each row and optimize its position.

# %%
print("settings:", ex.settings_used(cell, run.profile, len(data.X_train)))
fitted, embedding_test, seconds = ex.fit_cell(cell, data, run.profile)
embedding = fitted.embedding_
assert embedding.shape == (len(data.X_train), n_components) and embedding_test.shape == (len(data.X_test), n_components)
print(f"fit {seconds['fit']:.1f} s, transform {seconds['transform']:.2f} s")

# %% [markdown]
# ## Measure
#
# | metric | what it measures |
# |---|---|
# | trustworthiness | whether neighbors in the embedding are neighbors in the data |
# | kNN accuracy | accuracy on the embedded test set of a nearest-neighbor classifier, fitted on the embedded training set |
# | silhouette | separation of the true classes in the embedding |
# | clustering NMI | agreement between k-means clusters of the embedding and the classes |
# | reconstruction MSE | mean squared error of reconstructed test rows, for methods with an `inverse_transform` |
#
# "not here" marks a metric that does not apply to the method or the data set.

# %%
reconstruction, seconds["inverse"] = ex.reconstruct(cell, fitted, data, embedding_test)
metrics, seconds["metrics"] = ex.measure(data, embedding, embedding_test, reconstruction, **run.profile.clustering)
assert 0 <= metrics["trustworthiness"] <= 1
for name, value in metrics.items():
    print(f"{name:18} " + ("not here" if value is None else f"{value:.4f}"))

# %% [markdown]
# ## Plot the embedding
#
# The scatter plot shows the first two dimensions, colored by class. Dots are training rows and rings are test rows. A good embedding places the rings
# among dots of their color.

# %%
classes = np.unique(data.y_train)
first, second = 0, min(1, n_components - 1)
fig, ax = plt.subplots(figsize=(5, 4))
colors = plots.point_colors(data.y_train[:10_000], classes)
ax.scatter(embedding[:10_000, first], embedding[:10_000, second], s=4, linewidths=0, color=colors)
rings = plots.point_colors(data.y_test[:500], classes)
ax.scatter(embedding_test[:500, first], embedding_test[:500, second], s=16, facecolors="none", edgecolors=rings, linewidths=0.7)
ax.set(title=f"{data.title}, {method}, first 2 of {n_components} dimensions", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Save the record
#
# The record is written last, in one step. So an interrupted run leaves no record, and a finished run is not repeated.

# %%
record = ex.make_record(run, cell, data, metrics, seconds, fitted)
record = ex.save_cell(run, cell, record, data, embedding, reconstruction)
assert run.record(cell) == record
record
