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
# # Figure 4: projections
#
# > Each data set embedded in two dimensions by each method, side by side.
#
# This is the figure to begin with: it shows what the methods do before any number does. A row is a data set, a column a method, a
# point one row of the training data (of the first 10,000), colored by its class. No method has seen the classes. The bison has no classes: there the color is the third coordinate of a point, from dark to light as it grows. As in the paper, UMAP looks at 150 neighbors of
# each of its points, and both t-SNEs have a perplexity of 500.

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist

from pumap import plots
from pumap.paper import datasets, figures
from pumap.paper import experiments as ex

# %% [markdown]
# ## Parameters
#
# The cells of the figure are run once, by this notebook or by `pumap run fig04`, and kept as records. The profile says how large they are. As it
# stands, `smoke` runs them all within a minute, which is enough to see that everything works, not to compare methods.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper (the original sizes)
results_dir = ""  # where the records are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
run_missing = True  # run the cells that are not there; False draws from the records that are there
save_to = ""  # folder for the pictures; "" draws without writing

# %% [markdown]
# ## Records
#
# A cell is one method on one data set with one seed. Those on disk are read, the others are run. If data cannot be had, the cell is left out and
# its panel will say why.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig04", run, run_missing)
cells, records, reasons = found.cells, found.records, found.reasons
assert cells and all(cell.n_components == 2 for cell in cells)
print(found)

# %% [markdown]
# ## Panels
#
# A panel for each cell: its points with their classes, or the reason why there are none.

# %%
panels, names = {cell.dataset: {} for cell in cells}, {}
for record in records:
    names[record["cell"]["dataset"]] = figures.record_title(record)
    panels[record["cell"]["dataset"]][record["cell"]["method"]] = ex.read_embedding(record, run)
for cell, reason in reasons.items():
    panels[cell.dataset][cell.method] = reason
    names.setdefault(cell.dataset, datasets.describe(cell.dataset, data_dir or None)["title"])

assert all(panels[cell.dataset][cell.method] is not None for cell in cells)  # each cell has a panel, or a reason

# %% [markdown]
# An embedding may be turned, reflected or scaled without becoming another one. As in the paper, each is laid over the UMAP embedding of its data set by
# such a transformation (Procrustes), so that what still looks different is different. What then remains of the squared distances between the two, as a part
# of the whole, is the *disparity*: 0 for the same shape, near 1 for unrelated ones.

# %%
aligned, disparity = {}, {}
for dataset, row in panels.items():
    aligned[dataset] = dict(row)
    for method in figures.in_order(row):
        if isinstance(row[method], str) or isinstance(row.get("umap", ""), str):
            continue
        (reference, _), (embedding, y) = row["umap"], row[method]
        turned = plots.procrustes_align(reference, embedding)
        aligned[dataset][method] = turned, y
        rest = np.sum((turned - reference) ** 2) / np.sum((reference - reference.mean(axis=0)) ** 2)
        disparity.setdefault(dataset, {})[ex.ALL_METHODS[method].label] = rest

# %% [markdown]
# SciPy computes the same disparity in another way. And the alignment has changed no shape: all distances within an embedding have grown or shrunk by one factor.

# %%
for dataset, row in disparity.items():
    (reference, _) = panels[dataset]["umap"]
    for method in aligned[dataset]:
        if ex.ALL_METHODS[method].label in row:
            before, after = panels[dataset][method][0], aligned[dataset][method][0]
            np.testing.assert_allclose(row[ex.ALL_METHODS[method].label], procrustes(reference, before)[2], atol=1e-4)
            apart = pdist(before[:50].astype("float64"))
            factor = pdist(after[:50])[apart > 0] / apart[apart > 0]  # two rows may have one place
            np.testing.assert_allclose(factor, np.median(factor), rtol=1e-3)

# %%
Markdown(figures.to_markdown(pd.DataFrame(disparity).T.rename(index=names).rename_axis("disparity to UMAP").reset_index(), digits=3))

# %% [markdown]
# ## The figure
#
# The title of a row is its data set, with the number of points that are drawn.

# %%
titles = {}
for dataset, row in panels.items():
    points = {len(panel[0]) for panel in row.values() if not isinstance(panel, str)}
    titles[dataset] = names[dataset] + (f"\n{points.pop():,} points" if len(points) == 1 else "")

fig = figures.projection_grid(aligned, titles)
fig

# %% [markdown]
# The first three columns minimize one loss: UMAP and UMAP (TF) by moving the points, P. UMAP by training a network that places
# them. Trained long enough, they show the same groups, P. UMAP with softer borders, since a network of that size cannot place each
# point freely. Panels of records with earlier settings (the list with † above) are no evidence for this: on images and songs, their networks learned
# umap-learn's layout first. UMAP/AE adds the error of a decoder to that loss, and gives up some of the gaps for it; behind the stop-gradient of "P. UMAP + dec." the decoder may change nothing, so its picture is P. UMAP's but for effort and chance. A number such as +7 in a corner counts the points outside the panel. t-SNE spreads the points more evenly over the
# plane, and P. t-SNE does so with a network. AE and VAE know of no neighbors: they keep what a decoder needs, often as rays from a middle, on which classes overlap. PCA is linear: its groups overlap where two directions cannot
# tell them apart. Distances between groups mean little in all but PCA.

# %%
assert len(fig.axes) == len(panels) * len(figures.in_order(cell.method for cell in cells))
drawn = sum(bool(ax.collections) for ax in fig.axes)
assert drawn == len(records), f"{drawn} panels are drawn for {len(records)} records"

# %% [markdown]
# ## Write
#
# `fig04_projections.png` and `.pdf`, the same bytes for the same records.

# %%
figures.write(save_to, fig04_projections=fig)
