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
# # Figure 13 and Table 7: reconstruction error
#
# > How much of a row can be reconstructed from its embedding.
#
# Some methods have an inverse. PCA multiplies its components back. UMAP fits a new row to the neighbors of a point in the embedding. Autoencoders have a second network, the *decoder*. So have two variants of parametric UMAP. In UMAP/AE
# encoder and decoder are trained on both losses together. In the other the decoder is behind a stop-gradient, so the embedding is UMAP's alone. The latter is the paper's "Parametric UMAP" in this figure, and `pumap_decoder` in the records.
#
# The measure is the *mean squared error* of test rows: embedded, reconstructed, and compared with the originals, over all of their values, in units of the range of the data. It penalizes blur little and wrong shapes much.

# %%
import numpy as np
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.paper import scorecard as sc

# %% [markdown]
# ## Parameters
#
# The defaults run a few hundred rows within a minute; the numbers then mean little. `profile = "laptop"` reads the records of the repository, and runs those that are out of date.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper (the original sizes)
results_dir = ""  # where the records are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
run_missing = True  # run the cells that are not there; False draws from the records that are there
save_to = ""  # folder for the pictures and the table; "" draws without writing

# %% [markdown]
# ## Records
#
# On the retina, or its stand-in, ours are not in the paper's unit. There each column is scaled to [0, 1] before the error is computed. Here all columns are scaled by one factor, which keeps the distances of the graph.
#
# UMAP's inverse needs a triangulation of the embedding, which is not feasible in 64 dimensions, so neither the paper nor we have a number there. It is slow, too. It is measured on the first 100 test rows (the original drew 100 at random), all other
# methods on all test rows. Our UMAP of songs finds neighbors by dynamic time warping and has no inverse; the paper's number is of a Euclidean one.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig13", run, run_missing).having("reconstruction_mse")
print(found)

# %% [markdown]
# ## Table 7
#
# Mean over seeds; the paper's value is a single run. A † in `earlier` marks earlier settings: on images and songs, networks learned umap-learn's layout first (`02_experiments`). (Two numbers of the paper's VAE are wrong; see the scorecard's errata.)

# %%
table = found.table("reconstruction_mse")
Markdown(figures.to_markdown(table.drop(columns="metric")))

# %% [markdown]
# No error is negative. PCA cannot get worse with more components. With as many components as columns it only rotates the data, and nothing is lost.

# %%
figures.check_table(table, found)
assert (table.ours >= 0).all()
pca = table[table.method == "pca"].pivot(index="dataset", columns="dim", values="ours")
assert {2, 64} - set(pca) or (pca[64] <= pca[2]).where(pca.notna().all(axis=1), True).all()
for row in table[table.method == "pca"].itertuples():
    if row.dim >= ex.N_COLUMNS.get(row.dataset, np.inf):
        print(f"{row.dataset}, {row.dim}-D: PCA loses {row.ours:.1e}")
        assert row.ours < 1e-8

# %% [markdown]
# ## Figure 13
#
# A dot is ours, a ring is the paper's. The axis is logarithmic: equal distances are equal ratios. PCA that only rotates the data has no dot.

# %%
fig = figures.metric_dots(table[table.ours > 1e-8], found.titles, found.missing)
fig

# %% [markdown]
# The paper finds that in 2-D parametric UMAP typically reconstructs better than UMAP, and UMAP better than PCA. Training the autoencoder together with UMAP helps slightly. In 64-D UMAP/AE is generally comparable to AE and VAE, and better than
# parametric UMAP with a separate decoder. (By its own Table 7, UMAP is above PCA on Cassin's vireo and CIFAR10, and UMAP/AE has more than twice the AE's error on Cassin's vireo and Retina.) Here:

# %%
print(figures.metric_text(found, "reconstruction_mse"))
print(sc.claims_text(found.records, "C17", "C18", "C19"))

# %% [markdown]
# ## Examples
#
# These are the first test rows of the first data set of images, with the reconstruction of each method. (Records hold no photographs of faces.)

# %%
shown, originals, records = {}, None, []
for record in found.records:
    cell, pair = ex.Cell(**record["cell"]), ex.read_reconstructions(record, run)
    first = not records or cell.dataset == records[0]["cell"]["dataset"] and cell.method not in shown.get(cell.n_components, ())
    if pair and pair[0].ndim == 4 and first:
        originals = pair[0] if originals is None else originals
        np.testing.assert_array_equal(originals, pair[0])  # the same rows for each method
        shown.setdefault(cell.n_components, {})[cell.method] = pair[1]
        records.append(record)
panel = figures.reconstruction_grid(originals, shown) if shown else None
panel

# %% [markdown]
# The pictures and the numbers are of the same run. So the error of the few rows shown should be of the size of the error of all.

# %%
for record in records:
    cell = ex.Cell(**record["cell"])
    few = np.mean((figures.fractions(shown[cell.n_components][cell.method]) - figures.fractions(originals)) ** 2)
    everyone = record["metrics"]["reconstruction_mse"]
    print(f"{cell.id}: {few:.4f} of those shown, {everyone:.4f} of all")
    assert everyone < 1e-4 or 0.2 < few / everyone < 5

# %% [markdown]
# ## Write
#
# The figure as `fig13_reconstruction.png` and `.pdf`, the examples as `fig13_reconstruction_examples.png` and `.pdf`, the table as `table07.csv` and `table07.md`.

# %%
figures.write(save_to, fig13_reconstruction=fig, fig13_reconstruction_examples=panel, table07=table)
