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
# # Many rows
#
# > Read rows from disk, build the graph once, fit on a sample, and embed all rows.
#
# Four costs grow with the number of rows: the rows themselves, the neighbor search, the graph, and the training. Each can be reduced separately. This
# tutorial uses a few thousand rows; the same code works for millions. [benchmarks/scaling](../benchmarks/scaling.ipynb) measures time and memory.

# %%
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.decomposition import IncrementalPCA
from sklearn.neighbors import KNeighborsClassifier

from pumap import ParametricUMAP
from pumap.graph import fuzzy_graph

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
rows_file = ""  # a .npy file of uint8 or float32, shape (n_rows, n_columns); "" makes one from digits
n_made = 4000  # rows to make, if there is no file
n_coordinates = 50  # principal components for the neighbor search
work_dir = ""  # folder for the graph and the embedding; "" is a temporary one

# %% [markdown]
# ## Memory-mapped rows
#
# `np.load(..., mmap_mode="r")` opens a file without reading it. `fit` reads each batch when it is needed.
#
# Save the file as `uint8` or `float32`. `fit` copies any other type (`float64`, `float16`) to `float32`, in memory. `uint8` takes a quarter of the
# space, without loss for pixels and for counts up to 255.
#
# The next cell writes such a file: digits enlarged to 32 x 32 pixels, with noise.

# %%
scratch = tempfile.TemporaryDirectory()
folder = Path(work_dir or scratch.name)
if rows_file:
    X, classes = np.load(rows_file, mmap_mode="r"), None
else:
    digits, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    which = rng.integers(len(digits), size=n_made)
    made = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype="uint8", shape=(n_made, 1024))
    for start in range(0, n_made, 1000):  # never all of them in memory
        part = slice(start, start + 1000)
        large = digits[which[part]].reshape(-1, 8, 8).repeat(4, axis=1).repeat(4, axis=2) * 12
        made[part] = (large + rng.integers(0, 40, large.shape)).reshape(-1, 1024)
    made.flush()
    X, classes = np.load(folder / "rows.npy", mmap_mode="r"), digit[which]
print(f"{X.shape[0]:,} rows of {X.shape[1]:,} values, {X.dtype}: {X.nbytes / 1e6:.1f} MB on disk, {4 * X.size / 1e6:.1f} MB as float32")
assert X.ndim == 2 and X.dtype in (np.uint8, np.float32), "rows_file must hold uint8 or float32 of shape (n_rows, n_columns); see above."

# %% [markdown]
# ## Graph
#
# The neighbor search needs all rows in memory as `float32`, and its time grows with the number of columns. Fifty principal components are enough for
# most data. `IncrementalPCA` computes them in parts.

# %%
pca = IncrementalPCA(min(n_coordinates, X.shape[1]))
for start in range(0, max(1, len(X) // 1000) * 1000, 1000):  # a short last part is left out: a part needs as many rows as components
    pca.partial_fit(X[start : start + 1000])
coordinates = np.concatenate([pca.transform(X[start : start + 1000]).astype("float32") for start in range(0, len(X), 1000)])
graph = fuzzy_graph(coordinates, random_state=0)
print(f"coordinates {coordinates.nbytes / 1e6:.1f} MB, graph {(graph.data.nbytes + graph.indices.nbytes + graph.indptr.nbytes) / 1e6:.1f} MB")

# %% [markdown]
# The graph depends on the rows, `n_neighbors` and `metric`. It does not depend on `min_dist`, the network or the training. Save it, and use it for
# every fit. Without a `random_state`, the search uses all cores.

# %%
sparse.save_npz(folder / "graph.npz", graph)
graph = sparse.load_npz(folder / "graph.npz")

# %% [markdown]
# ## Fit
#
# The fast solver trains a dense network on up to 200 principal components of the rows. Three things are therefore in memory:
#
# | in memory | size |
# |---|---|
# | graph | printed above |
# | sample of the rows, from which the components are computed | at most 20 million values (80 MB) |
# | components of all rows | at most 800 bytes a row |
#
# With `solver_options={"n_coordinates": 0}`, only the graph is in memory, and batches are read from the file. This is slower.

# %%
fits = {}
for effort, options in ((0.25, None), (1, None), (0.25, {"n_coordinates": 0})):
    key = effort, "default" if options is None else "n_coordinates=0"
    fits[key] = ParametricUMAP(precomputed_graph=graph, n_training_epochs=effort, solver_options=options, random_state=0).fit(X)
table = [{"n_training_epochs": effort, "solver_options": how, "seconds": m.history_["seconds"][-1], "loss": m.history_["loss"][-1]} for (effort, how), m in fits.items()]
pd.DataFrame(table).round(3)


# %% [markdown]
# An epoch over the edges of many rows has many steps, so more rows need fewer epochs. Start with a small `n_training_epochs`, and double it while the
# last loss still falls. `early_stopping=True` holds out rows, and stops when their loss no longer falls.
#
# ## Rows from other sources
#
# Rows can also be decoded when they are needed, such as images from files. With a precomputed graph or precomputed neighbors, `fit` takes an HDF5
# dataset, a map-style dataset of PyTorch, or any class with `__len__` and `__getitem__`.

# %%
class Images:
    """Scale rows when they are read."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i] / np.float32(255)


model = ParametricUMAP(precomputed_graph=graph, n_training_epochs=0.05, random_state=0).fit(Images())

# %% [markdown]
# `fit` does not take iterators, because training draws edges at random and needs random access to rows. Write the batches of an iterator to a
# memory-mapped file first, as above. `transform` reads each row once, so it does take iterators: generators, a `DataLoader`, a `tf.data.Dataset`, a
# Keras `PyDataset`.

# %%
batches = (X[start : start + 1000] / np.float32(255) for start in range(0, len(X), 1000))
assert model.transform(batches).shape == (len(X), 2)

# %% [markdown]
# ## Fit on a sample
#
# A network that is trained on enough rows generalizes to the others. A fit on a sample needs a smaller search, a smaller graph and less memory.
# Two epochs over half of the rows take about as many steps as one epoch over all of them. The embedding of all rows is then written to disk in parts.

# %%
sample = np.sort(np.random.default_rng(0).choice(len(X), len(X) // 2, replace=False))
small = ParametricUMAP(n_training_epochs=2, precomputed_graph=fuzzy_graph(coordinates[sample], random_state=0), random_state=0).fit(X[sample])
out = np.lib.format.open_memmap(folder / "embedding.npy", mode="w+", dtype="float32", shape=(len(X), 2))
for start in range(0, len(X), 1000):
    out[start : start + 1000] = small.transform(X[start : start + 1000])
out.flush()
assert np.isfinite(out).all()

# %% [markdown]
# The digits have classes, so accuracy shows whether half of the rows is enough. The test set is the rows outside of the sample, and a classifier
# predicts them from their five nearest neighbors in the sample. Compare the embedding that was fitted on the sample with the one fitted on all rows.
# The difference shrinks with a larger sample. It does not depend on the total number of rows.

# %%
if classes is not None:
    others = np.setdiff1d(np.arange(len(X)), sample)
    whole = fits[1, "default"]
    accuracy = {}
    for name, z in (("half of the rows", out), ("all rows", whole.embedding_)):
        accuracy[name] = KNeighborsClassifier(5).fit(z[sample], classes[sample]).score(z[others], classes[others])
        print(f"fitted on {name}: {accuracy[name]:.3f}")

# %%
if classes is not None and n_made == 4000:
    assert accuracy["half of the rows"] > accuracy["all rows"] - 0.15
del X, out
scratch.cleanup()
