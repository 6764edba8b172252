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
# > One method embeds one data set; its numbers and its picture become one record.
#
# Figures 4 to 9 and 13 of the paper, and Tables 2 to 7, are made from a grid: data sets by methods by dimensions. This notebook is one
# cell of that grid. `pumap run` runs it once for each cell a figure needs, and keeps the executed copy in
# `figures/<profile>/cells`. You can change a parameter and run it yourself.

# %%
import matplotlib.pyplot as plt
import numpy as np

from pumap.paper import experiments as ex
from pumap import plots

# %% [markdown]
# ## Parameters
#
# The defaults run for seconds. The paper has 50,000 rows of `mnist` and `fmnist`. So have the profiles `laptop`, with shortened training, and `paper`.

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
# An unknown name raises an error that lists the known ones.

# %%
cell = ex.Cell(dataset, method, n_components, seed).check()
run = ex.Run(ex.profile(profile), ex.results_folder(results_dir), data_dir, stand_ins)
print(f"{cell.id}, profile {run.profile.name}: {run.profile.title}")

# %% [markdown]
# ## Load
#
# The data come in the paper's splits. The profile takes the first rows of each.

# %%
data = run.load(cell)
assert len(data.X_train) == len(data.y_train) and len(data.X_test) == len(data.y_test)
print(f"{data.title}: {len(data.X_train):,} rows to train, {len(data.X_test):,} to test, each of shape {data.shape}; from {data.source}")

# %% [markdown]
# ## Fit and transform
#
# Each method is fitted on the training rows, without their labels. Then it embeds the held-out test rows.
# A network or a projection needs one pass for that; UMAP and t-SNE must search a place for each row.

# %%
print("settings:", ex.settings_used(cell, run.profile, len(data.X_train)))
fitted, embedding_test, seconds = ex.fit_cell(cell, data, run.profile)
embedding = fitted.embedding_
assert embedding.shape == (len(data.X_train), n_components) and embedding_test.shape == (len(data.X_test), n_components)
print(f"fit {seconds['fit']:.1f} s, transform {seconds['transform']:.2f} s")

# %% [markdown]
# ## Measure
#
# | measure | question |
# |---|---|
# | trustworthiness | Are neighbors in the embedding neighbors in the data? |
# | kNN accuracy | Does a neighbor classifier, trained on embedded training rows, predict the classes of embedded test rows? |
# | silhouette | How well are the true classes separated? |
# | clustering NMI | Do clusters of the embedding agree with the classes? |
# | reconstruction MSE | How far are reconstructed test rows from the originals, for methods with an inverse? |

# %%
reconstruction, seconds["inverse"] = ex.reconstruct(cell, fitted, data, embedding_test)
metrics, seconds["metrics"] = ex.measure(data, embedding, embedding_test, reconstruction, **run.profile.clustering)
assert 0 <= metrics["trustworthiness"] <= 1
for name, value in metrics.items():
    print(f"{name:18} " + ("not here" if value is None else f"{value:.4f}"))

# %% [markdown]
# ## Look
#
# The first two dimensions, colored by class: training rows as small dots, test rows as rings. Rings on dots of their color are new rows
# in the right place.

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
# ## Write
#
# The record is written last, in one step. A run that is killed before leaves no record; a finished run is reused.

# %%
record = ex.make_record(run, cell, data, metrics, seconds, fitted)
record = ex.save_cell(run, cell, record, data, embedding, reconstruction)
assert run.record(cell) == record
record
