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
# # pumap
#
# > Parametric UMAP: a library, and its paper as notebooks that run.

# %% [markdown]
# `pumap` is Parametric UMAP as a scikit-learn estimator: a neural network learns the embedding, so new rows need only one forward pass.
# On 50,000 images it trains 14 times as fast as umap-learn's `ParametricUMAP`, in a fifth of its memory; on small tables 2 to 7 times.
# It also reproduces the paper: each figure and table comes from a notebook that runs, and each table has the published numbers next to ours.
#
# ![Seven data sets, each embedded by ten methods](../figures/laptop/fig04_projections.png)
#
# *Figure 4 of the paper, reproduced on two cores. Rows are data sets, columns are methods. Training is shortened; three data sets are stand-ins.*
#
# | | umap-learn `ParametricUMAP` | umap-learn `UMAP` | `pumap` |
# |---|---|---|---|
# | train on 50,000 images | 534 s | 15 s | 37 s |
# | peak memory | 7.2 GiB | 1.2 GiB | 1.4 GiB |
# | trustworthiness | 0.973 | 0.977 | 0.975 |
# | embed new images, per 1,000 | 19 ms | 212 ms | 1.4 ms |
# | fit 1,347 digits | 37 s | 3.1 s | 5.2 s |
# | 5-NN accuracy on new digits | 0.911 | 0.976 | 0.938 |
# | saves to | a folder with a pickle | a pickle | one file without pickle or training data |
# | backend | TensorFlow | none | TensorFlow, JAX, PyTorch |
#
# Defaults under TensorFlow, two CPU cores. Seconds are medians, accuracies means over three seeds. The images are Fashion-MNIST; training starts from a given graph, umap-learn's layout from principal coordinates.
# Sources: [training_speed](benchmarks/training_speed.ipynb), [inference](benchmarks/inference.ipynb) (`UMAP`: [Figure 11](../figures/laptop/fig11_embedding_speed.ipynb)), [small_data](benchmarks/small_data.ipynb).
# All but the digits were measured [before the last change to the solver](../figures/laptop/state.ipynb).

# %% [markdown]
# ## Install
#
# ```sh
# pip install 'pumap[tensorflow]'    # or 'pumap[jax]', 'pumap[torch]'
# ```
#
# Until the first release, clone this repository and run `pip install '.[tensorflow]'` (or `'.[jax]'`, `'.[torch]'`).
# With several backends installed, `KERAS_BACKEND` selects one. A saved model loads under any of them.

# %% [markdown]
# ## Use

# %%
#| hide
import os
import tempfile

home, folder = os.getcwd(), tempfile.TemporaryDirectory()
os.chdir(folder.name)  # the model is saved here

# %%
from sklearn.datasets import load_digits
from pumap import ParametricUMAP

X, y = load_digits(return_X_y=True)
model = ParametricUMAP(n_neighbors=15, random_state=0)
z = model.fit_transform(X[:1500])
z_new = model.transform(X[1500:])  # new rows: one forward pass
model.save("digits.pumap")
again = ParametricUMAP.load("digits.pumap")

# %%
#| hide
from sklearn.neighbors import KNeighborsClassifier

os.chdir(home)
folder.cleanup()
assert z.shape == (1500, 2) and (again.transform(X[1500:]) == z_new).all()
assert KNeighborsClassifier(5).fit(z, y[:1500]).score(z_new, y[1500:]) > 0.8

# %% [markdown]
# [Choose parameters](../docs/start/parameters.md) compares values of `n_neighbors` and `min_dist`; the [FAQ](../docs/start/faq.md) covers saving, GPUs and large data.

# %% [markdown]
# ## Reproduce the paper
#
# In a clone, with Python 3.11, 3.12 or 3.13:
#
# ```sh
# make figures    # every figure and table, from scikit-learn's data -> figures/quick/, up to 20 minutes on two cores
# make test       # tests and every notebook
# ```
#
# Both install what they need into `.venv/` (3 GB). `make figures PROFILE=laptop` takes the paper's data, as far as they can be downloaded, and reuses finished runs.
# `.venv/bin/pumap run table3 --profile laptop --only-there` draws one table from the records here; without `--only-there` it runs what is missing. [05_cli](paper/05_cli.ipynb) has all commands, data sources, GPUs and clusters.
# [state](../figures/laptop/state.ipynb) shows where our numbers differ from the paper's, and why.

# %% [markdown]
# ## Read on
#
# - **Site**: [pumap.github.io/pumap](https://pumap.github.io/pumap).
# - **Tutorials**, without downloads or on your own files, also [on Binder](https://mybinder.org/v2/gh/pumap/pumap/main?labpath=nbs%2Ftutorials%2Fquickstart.ipynb):
# [quickstart](tutorials/quickstart.ipynb), [moving from umap-learn](tutorials/moving_from_umap_learn.ipynb), [own encoder and decoder](tutorials/own_encoder.ipynb), [big data](tutorials/big_data.ipynb), [few labels](tutorials/semi_supervised.ipynb), [feature importance](tutorials/feature_importance.ipynb), [autoencoder](tutorials/autoencoder.ipynb), [single cells](tutorials/single_cells.ipynb), [text](tutorials/text.ipynb), [ONNX](tutorials/serve_onnx.ipynb), [interactive map](tutorials/interactive_map.ipynb).
# - **Library**, one notebook per module, in reading order: [core](00_core.ipynb), [graph](01_graph.ipynb), [losses](02_losses.ipynb), [networks](03_networks.ipynb), [backend](04_backend.ipynb), [training](05_training.ipynb), [fast solver](06_fast_solver.ipynb), [estimator](07_parametric_umap.ipynb),
# [semi-supervised](08_semisupervised.ipynb), [baselines](09_baselines.ipynb), [metrics](10_metrics.ipynb), [plots](11_plots.ipynb), [umap-learn's interface](12_umap_compat.ipynb), [interactive map](13_interactive_map.ipynb).
# - **Paper**: [state](paper/state.ipynb), [songs](paper/00_songs.ipynb), [data sets](paper/01_datasets.ipynb), [experiments and profiles](paper/02_experiments.ipynb), [scorecard](paper/03_scorecard.ipynb), [figures](paper/04_figures.ipynb), [command line](paper/05_cli.ipynb);
# cells of the grid: [embedding](paper/cell_embedding.ipynb), [few labels](paper/cell_ssl.ipynb), [training](paper/cell_training.ipynb).
# - **Benchmarks**: [training speed](benchmarks/training_speed.ipynb), [inference](benchmarks/inference.ipynb), [memory](benchmarks/memory.ipynb), [scaling](benchmarks/scaling.ipynb), [small data](benchmarks/small_data.ipynb),
# [backends](benchmarks/backends.ipynb), [GPU](benchmarks/gpu.ipynb), [dynamic time warping](benchmarks/dtw.ipynb), [few-label step](benchmarks/ssl_step.ipynb), [gaps to the paper](benchmarks/gaps.ipynb).

# %% [markdown]
# ## Figures
#
# Executed copies and pictures are of the profile `laptop`: shortened training, and [stand-ins](paper/05_cli.ipynb) for CIFAR10, songs, retina and faces.
#
# | figure | source | laptop | |
# |---|---|---|---|
# | 1: overview | [notebook](paper/fig01_overview.ipynb) | [executed](../figures/laptop/fig01_overview.ipynb) | [picture](../figures/laptop/fig01_overview.png) |
# | 2: variants and their gradients | [notebook](paper/fig02_variants.ipynb) | [executed](../figures/laptop/fig02_variants.ipynb) | [picture](../figures/laptop/fig02_variants.png) |
# | Table 1: data sets | [notebook](paper/table01_datasets.ipynb) | [executed](../figures/laptop/table01_datasets.ipynb) | [picture](../figures/laptop/table01_datasets.png) |
# | 3: moons, three labels per class | [notebook](paper/fig03_moons_ssl.ipynb) | [executed](../figures/laptop/fig03_moons_ssl.ipynb) | [picture](../figures/laptop/fig03_moons_ssl.png) |
# | 4: projections | [notebook](paper/fig04_projections.ipynb) | [executed](../figures/laptop/fig04_projections.ipynb) | [picture](../figures/laptop/fig04_projections.png) |
# | 5, Table 2: trustworthiness | [notebook](paper/fig05_trustworthiness.ipynb) | [executed](../figures/laptop/fig05_trustworthiness.ipynb) | [picture](../figures/laptop/fig05_trustworthiness.png) |
# | 6, Table 3: 1-NN accuracy | [notebook](paper/fig06_knn1.ipynb) | [executed](../figures/laptop/fig06_knn1.ipynb) | [picture](../figures/laptop/fig06_knn1.png) |
# | 7, Table 4: 5-NN accuracy | [notebook](paper/fig07_knn5.ipynb) | [executed](../figures/laptop/fig07_knn5.ipynb) | [picture](../figures/laptop/fig07_knn5.png) |
# | 8, Table 5: silhouette | [notebook](paper/fig08_silhouette.ipynb) | [executed](../figures/laptop/fig08_silhouette.ipynb) | [picture](../figures/laptop/fig08_silhouette.png) |
# | 9, Table 6: clustering | [notebook](paper/fig09_clustering.ipynb) | [executed](../figures/laptop/fig09_clustering.ipynb) | [picture](../figures/laptop/fig09_clustering.png) |
# | 10: training curves | [notebook](paper/fig10_training_curves.ipynb) | [executed](../figures/laptop/fig10_training_curves.ipynb) | [picture](../figures/laptop/fig10_training_curves.png) |
# | 11: embedding speed | [notebook](paper/fig11_embedding_speed.ipynb) | [executed](../figures/laptop/fig11_embedding_speed.ipynb) | [picture](../figures/laptop/fig11_embedding_speed.png) |
# | 12: reconstruction speed | [notebook](paper/fig12_reconstruction_speed.ipynb) | [executed](../figures/laptop/fig12_reconstruction_speed.ipynb) | [picture](../figures/laptop/fig12_reconstruction_speed.png) |
# | 13, Table 7: reconstruction error | [notebook](paper/fig13_reconstruction.ipynb) | [executed](../figures/laptop/fig13_reconstruction.ipynb) | [picture](../figures/laptop/fig13_reconstruction.png) |
# | 14: attributes of faces | [notebook](paper/fig14_latent_algebra.ipynb) | [executed](../figures/laptop/fig14_latent_algebra.ipynb) | [picture](../figures/laptop/fig14_latent_algebra.png) |
# | 15: few labels, UMAP loss | [notebook](paper/fig15_ssl_euclidean.ipynb) | [executed](../figures/laptop/fig15_ssl_euclidean.ipynb) | [picture](../figures/laptop/fig15_ssl_euclidean.png) |
# | 16: few labels, augmentation | [notebook](paper/fig16_ssl_augmented.ipynb) | [executed](../figures/laptop/fig16_ssl_augmented.ipynb) | [picture](../figures/laptop/fig16_ssl_augmented.png) |
# | 17: last layer | [notebook](paper/fig17_last_layer.ipynb) | [executed](../figures/laptop/fig17_last_layer.ipynb) | [picture](../figures/laptop/fig17_last_layer.png) |
# | 18, Table 8: few labels, learned graph | [notebook](paper/fig18_ssl_learned.ipynb) | [executed](../figures/laptop/fig18_ssl_learned.ipynb) | [picture](../figures/laptop/fig18_ssl_learned.png) |

# %% [markdown]
# ## Cite
#
# T. Sainburg, L. McInnes, T. Q. Gentner (2021). *Parametric UMAP embeddings for representation and semisupervised learning.* Neural Computation 33(11), 2881-2907. [doi:10.1162/neco_a_01434](https://doi.org/10.1162/neco_a_01434)
#
# [CITATION.cff](../CITATION.cff), [CONTRIBUTING](../CONTRIBUTING.md), [CHANGELOG](../CHANGELOG.md). License: BSD-3-Clause.
