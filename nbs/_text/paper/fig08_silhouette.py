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
# # Figure 8 and Table 5: silhouette of the classes
#
# > How compact the classes are in an embedding, and how far apart.
#
# Let $a$ be the mean distance of a point to the others of its class, and $b$ its mean distance to the nearest other class. Its *silhouette* is $(b - a) / \max(a, b)$. It is near 1 in a compact, distant group, 0 on the border
# of two classes, and negative if another class is nearer. The score is the mean over all points. It uses all distances and the true labels. So it
# favors round groups: a class that forms a clean but winding band, or two groups, gets a low value.

# %%
import numpy as np
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.paper import scorecard as sc
from pumap.metrics import silhouette

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
save_to = ""  # folder for the picture and the table; "" draws without writing

# %% [markdown]
# ## Records
#
# The score is exact over all training rows, as in the paper: no sample of points or pairs.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig08", run, run_missing).having("silhouette")
print(found)

# %% [markdown]
# ## Table 5
#
# Mean over seeds; the paper's value is a single run. A † in `earlier` marks earlier settings: on images and songs, networks learned umap-learn's layout first (`02_experiments`). The paper gives no deviation between runs, and one group at another place changes all distances to it.

# %%
table = found.table("silhouette")
Markdown(figures.to_markdown(table.drop(columns="metric")))

# %% [markdown]
# The records of 2-D embeddings keep the first 10,000 points. Where those are all, the score is computed again, with all points moved and scaled by ten. It must be the same, since a
# silhouette has no unit.

# %%
figures.check_table(table, found)
assert table.ours.between(-1, 1).all()

again = 0
for record in found.records:
    points, y = ex.read_embedding(record, run) or ((), ())
    if len(points) == record["n_train"]:
        np.testing.assert_allclose(silhouette(10 * points - 3, y), record["metrics"]["silhouette"], atol=1e-4)
        again += 1
print(f"{again} of {len(found.records)} silhouettes computed again")

# %% [markdown]
# ## Figure 8
#
# A dot is ours, a ring is the paper's. Below the line at zero, points are on average nearer to another class than to their own.

# %%
fig = figures.metric_dots(table, found.titles, found.missing)
fig

# %% [markdown]
# The paper finds that in 2-D UMAP and P. UMAP tend to have tighter groups than t-SNE and P. t-SNE, and these tighter than PCA "in all cases but CIFAR10". (By its own Table 5 Retina is a second exception.) Figure 4
# shows why: t-SNE spreads a class until it meets the next, UMAP leaves gaps. In 64-D, P. t-SNE is near PCA or below it, and below each UMAP method. Here:

# %%
print(figures.metric_text(found, "silhouette"))
print(sc.claims_text(found.records, "C07", "C08"))

# %% [markdown]
# ## Write
#
# The figure as `fig08_silhouette.png` and `.pdf`, the table as `table05.csv` and `table05.md`.

# %%
figures.write(save_to, fig08_silhouette=fig, table05=table)
