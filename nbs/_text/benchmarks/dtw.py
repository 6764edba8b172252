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
# # Dynamic time warping
#
# > Exact neighbors among songs: the search with bounds, compared with the recursion for every pair.
#
# The paper needed most of an hour on 32 threads for the graph of 24,984 syllables. `dtw_neighbors` skips pairs that a lower bound rules out
# ([paper/00_songs](../paper/00_songs.ipynb) explains it). This notebook measures the gain on songs and compares the neighbors. Both functions are
# compiled and use the same number of threads; the table compares their CPU seconds.

# %%
from itertools import product
from time import process_time

import numba
import numpy as np
import pandas as pd
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.paper.datasets import load
from pumap.paper.songs import dtw_neighbors

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
dataset = "digits"  # laptop: finches; digits are small pictures that need no file
sizes = [100, 200]  # numbers of first training rows; laptop: [500, 1000, 2000]
bands = [None, 2]  # largest shifts in frames, None allows any; laptop: [None, 5]
repeats = 1  # laptop: 3
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
save_to = ""  # folder for the table; "" draws without writing

# %%
data = load(dataset, data_dir or None)
assert data.X_train.ndim == 4 and all(20 <= n <= len(data.X_train) for n in sizes), f"sizes are numbers of pictures, from 20 to {len(data.X_train)}."
pictures = data.X_train[: max(sizes), :, int(data.shape == (32, 32, 1)) :, 0]  # of songs without the empty column in front
frames = np.ascontiguousarray(pictures.transpose(0, 2, 1))
print(f"{data.title}: pictures of {pictures.shape[1]} bands and {pictures.shape[2]} moments")


# %% [markdown]
# ## The recursion for every pair
#
# This is the textbook recursion, once for each pair, without any bound.

# %%
@numba.njit(parallel=True)
def all_distances(frames, band):
    "Distances of all pairs of rows, shape (n, n)."
    n, m, n_bands = frames.shape
    out = np.zeros((n, n))
    for p in numba.prange(n):
        table = np.full((m + 1, m + 1), np.inf)
        table[0, 0] = 0.0
        for q in range(p):
            for i in range(m):
                for j in range(max(0, i - band), min(m, i + band + 1)):
                    step = 0.0
                    for f in range(n_bands):
                        step += (frames[p, i, f] - frames[q, j, f]) ** 2
                    table[i + 1, j + 1] = step + min(table[i, j], table[i, j + 1], table[i + 1, j])
            out[p, q] = out[q, p] = np.sqrt(table[m, m])
    return out


# %% [markdown]
# ## Side by side
#
# The distances must agree in each row. So must the neighbors, except where two rows are equally far away.

# %%
N_NEIGHBORS = 15
all_distances(frames[:2], 2), dtw_neighbors(pictures[:20], N_NEIGHBORS)  # compiles


def side_by_side(n, band):
    "Processor seconds of both on the first rows; an `AssertionError` if they do not find the same."
    start = process_time()
    plain = all_distances(frames[:n], frames.shape[1] if band is None else band)
    middle = process_time()
    indices, distances = dtw_neighbors(pictures[:n], N_NEIGHBORS, band=band)
    searched = process_time() - middle
    np.fill_diagonal(plain, -1)  # itself first
    nearest = np.sort(plain, axis=1)[:, 1:N_NEIGHBORS]
    np.testing.assert_allclose(distances[:, 1:], nearest, rtol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(plain, indices, axis=1)[:, 1:], nearest, rtol=1e-4)
    return {"plain_seconds": middle - start, "search_seconds": searched, "ratio": (middle - start) / max(searched, 1e-9)}


# %%
table = pd.DataFrame(
    [
        {"dataset": dataset, "n_rows": n, "band": "any" if band is None else band, "repeat": repeat} | side_by_side(n, band)
        for n, band, repeat in product(sizes, bands, range(repeats))
    ]
)
Markdown(figures.to_markdown(table, digits=3))

# %% [markdown]
# These are medians over the repeats. With more rows, the neighbors are nearer, and a bound rules out more pairs.

# %%
for (n, band), ratios in table.groupby(["n_rows", "band"], sort=False).ratio:
    print(f"{n} rows, band {band}: the search takes {ratios.median():.1f} times less ({ratios.min():.1f} to {ratios.max():.1f})")

# %%
if save_to:
    for made in figures.save_table(table, f"{save_to}/benchmark_dtw"):
        print(made)
