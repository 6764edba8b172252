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
# > Rows that stay on disk, a graph that is made once and kept, and a model that learns from a part of the rows and embeds all of them.
#
# Four things grow with the number of rows: the rows themselves, the neighbor search, the graph, and the training. Each can be kept small by itself. What is shown here on some thousand rows is meant for millions; how seconds and bytes grow is measured in [benchmarks/scaling](../benchmarks/scaling.ipynb).

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
n_coordinates = 50  # principal coordinates in which neighbors are searched
work_dir = ""  # folder for the graph and the embedding; "" is a temporary one

# %% [markdown]
# ## Rows that stay where they are
#
# `np.load(..., mmap_mode="r")` opens a file without reading it; a batch is read when it is needed. Two types are taken as they are, `uint8` and `float32`; of any other (`float64`, `float16`) `fit` makes a copy as `float32`, all of it, in memory. So write one of the two: `uint8` has a quarter of the bytes, and pixels and counts up to 255 lose nothing.
#
# Here the file is made: digits enlarged to 32 x 32 pixels, each with some noise.

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
# ## A graph, once
#
# The neighbor search wants all rows as `float32` at once, and more columns make it slower, hardly better. Fifty principal coordinates are enough for most data; they are found and computed part by part.

# %%
pca = IncrementalPCA(min(n_coordinates, X.shape[1]))
for start in range(0, max(1, len(X) // 1000) * 1000, 1000):  # a short rest is left out: a part must have more rows than coordinates
    pca.partial_fit(X[start : start + 1000])
coordinates = np.concatenate([pca.transform(X[start : start + 1000]).astype("float32") for start in range(0, len(X), 1000)])
graph = fuzzy_graph(coordinates, random_state=0)
print(f"coordinates {coordinates.nbytes / 1e6:.1f} MB, graph {(graph.data.nbytes + graph.indices.nbytes + graph.indptr.nbytes) / 1e6:.1f} MB")

# %% [markdown]
# Without a `random_state` the search uses all cores. The graph depends on the rows, `n_neighbors` and `metric` alone; not on `min_dist`, on the network or on the training. So it is kept, and goes into every fit that follows.

# %%
sparse.save_npz(folder / "graph.npz", graph)
graph = sparse.load_npz(folder / "graph.npz")

# %% [markdown]
# ## Fit
#
# The network sees the rows as they are, a batch at a time. Beside the file there are three things in memory, all of known size: the graph; a sample of the rows, at most 20 million values (80 MB), from which the fast solver finds up to 200 principal coordinates; and these coordinates of all rows, 800 bytes a row, on which
# it trains a dense network. Where even they are too many, `solver_options={"n_coordinates": 0}` leaves both out, and batches are read from the file; it is slower.

# %%
fits = {}
for effort, options in ((0.25, None), (1, None), (0.25, {"n_coordinates": 0})):
    key = effort, "as it is" if options is None else "n_coordinates=0"
    fits[key] = ParametricUMAP(precomputed_graph=graph, n_training_epochs=effort, solver_options=options, random_state=0).fit(X)
table = [{"n_training_epochs": effort, "solver_options": how, "seconds": m.history_["seconds"][-1], "loss": m.history_["loss"][-1]} for (effort, how), m in fits.items()]
pd.DataFrame(table).round(3)


# %% [markdown]
# Effort is counted in passes over the edges, and a pass over many rows has many steps. So more rows need fewer passes. Try a small `n_training_epochs` first where rows are many, and double it while the loss at the end still falls. With `early_stopping=True` a fit watches rows that are held out, and ends when they no longer gain.
#
# ## Rows that are no array
#
# Rows may also be decoded when they are needed, such as images from files. With a graph, or precomputed neighbors, `fit` takes an HDF5 dataset, a map-style
# dataset of PyTorch, or any class with `__len__` and `__getitem__`:

# %%
class Images:
    """Rows that are scaled when they are read."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i] / np.float32(255)


model = ParametricUMAP(precomputed_graph=graph, n_training_epochs=0.05, random_state=0).fit(Images())

# %% [markdown]
# Training draws edges at random, so it needs any row at any time. An iterator cannot give that: write its batches to a memory-mapped file first, as above.
# `transform` needs each row once, and takes iterators: generators, a `DataLoader`, a `tf.data.Dataset`, a Keras `PyDataset`.

# %%
batches = (X[start : start + 1000] / np.float32(255) for start in range(0, len(X), 1000))
assert model.transform(batches).shape == (len(X), 2)

# %% [markdown]
# ## Learn from a part, embed all
#
# A network that has learned from enough rows is right about the others. So the graph, too, can be that of a sample: search, graph and coordinates shrink with it. Half of the edges, passed over twice, are as many steps as before. The embedding of all rows is then written to disk part by part.

# %%
sample = np.sort(np.random.default_rng(0).choice(len(X), len(X) // 2, replace=False))
small = ParametricUMAP(n_training_epochs=2, precomputed_graph=fuzzy_graph(coordinates[sample], random_state=0), random_state=0).fit(X[sample])
out = np.lib.format.open_memmap(folder / "embedding.npy", mode="w+", dtype="float32", shape=(len(X), 2))
for start in range(0, len(X), 1000):
    out[start : start + 1000] = small.transform(X[start : start + 1000])
out.flush()
assert np.isfinite(out).all()

# %% [markdown]
# Is half of the rows enough? For digits one can ask the five nearest neighbors, among the sample, of rows that the sample does not have: in the embedding learned from the sample, and in that learned from all rows, these among them. The difference is what the sample costs. It shrinks as the sample grows, not as the whole does.

# %%
if classes is not None:
    others = np.setdiff1d(np.arange(len(X)), sample)
    whole = fits[1, "as it is"]
    accuracy = {}
    for name, z in (("half of the rows", out), ("all rows", whole.embedding_)):
        accuracy[name] = KNeighborsClassifier(5).fit(z[sample], classes[sample]).score(z[others], classes[others])
        print(f"learned from {name}: {accuracy[name]:.3f}")

# %%
if classes is not None and n_made == 4000:
    assert accuracy["half of the rows"] > accuracy["all rows"] - 0.15
del X, out
scratch.cleanup()
