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
# # Figure 6 and Table 3: accuracy of the nearest neighbor
#
# > How often the nearest point of an embedding has the class of a held-out row.
#
# A nearest-neighbor classifier needs no training: a new row is embedded and gets the class of the nearest training row. Its *accuracy* is the share of test rows with the right class. The embeddings do not use
# the classes. So the accuracy measures whether rows of one class are together, and whether new rows land among them. The captions of the paper's figures say
# "error"; its numbers are accuracies, as here.

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.spatial import cKDTree

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
save_to = ""  # folder for the picture and the table; "" draws without writing

# %% [markdown]
# ## Records
#
# The classifier learns from all embedded training rows and is tested on all embedded test rows. Test rows are embedded by the method's `transform`: a network or PCA computes their place. UMAP and t-SNE search
# it among the training rows, which stay fixed. For UMAP the original embedded the training rows a second time by `transform` and let the classifier learn from those; here it learns from the embedding
# itself.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig06", run, run_missing).having("knn1_accuracy")
print(found)

# %% [markdown]
# ## Table 3
#
# Mean over seeds; the paper's value is a single run. A † in `earlier` marks earlier settings: on images and songs, networks learned umap-learn's layout first (`02_experiments`). The larger profiles have the paper's 10,000 test rows of MNIST and Fashion-MNIST, so chance alone moves an accuracy near 0.7 by about 0.005.

# %%
table = found.table("knn1_accuracy")
Markdown(figures.to_markdown(table.drop(columns="metric")))

# %% [markdown]
# An accuracy is a count: times the number of test rows it must be a whole number. Where PCA only rotates
# the data, the nearest neighbor stays the nearest. So the accuracy is that of the data without any embedding.

# %%
figures.check_table(table, found)
counts = np.array([record["metrics"]["knn1_accuracy"] * record["n_test"] for record in found.records])
np.testing.assert_allclose(counts, counts.round(), atol=1e-6)

for cell, ours, of_the_data in ex.rotated_only(found.records, "knn1_accuracy", run):
    print(f"{cell.id}: {ours:.4f}; the data themselves: {of_the_data:.4f}")
    assert abs(ours - of_the_data) < 0.005  # rounding may turn a tie

# %% [markdown]
# ## Figure 6
#
# A dot is ours, a ring is the paper's. A low dot in two dimensions means that classes overlap.

# %%
fig = figures.metric_dots(table, found.titles, found.missing)
fig

# %% [markdown]
# The paper finds in 2-D that the UMAP and t-SNE variants are about equally good, and much better than PCA, AE and VAE. In 64-D all are
# alike, with UMAP slightly below the others on Fashion-MNIST and CIFAR10. (By its own Table 3 not slightly: 0.22 against 0.37 on CIFAR10.) On the whole the accuracy follows the trustworthiness of Figure 5. Here:

# %%
print(figures.metric_text(found, "knn1_accuracy"))
print(sc.claims_text(found.records, "C04", "C05", "C06"))

# %% [markdown]
# ## Does the accuracy follow the trustworthiness?
#
# A rank correlation says little where values are nearly equal, and one outlier can decide it. The table shows our correlation, its range when any one method is left out, and the correlation of the paper's numbers on the same methods.

# %%
measures = ("trustworthiness", "knn1_accuracy", "knn5_accuracy")
ours = {metric: sc.means_of(found.records, metric) for metric in measures}
theirs = {metric: figures.published_means(number) for number, metric in enumerate(measures, 2)}


def correlation(trust, accuracy, methods):
    "Spearman's correlation of two dictionaries by method, in words."
    value = sc.spearman([trust[m] for m in methods], [accuracy[m] for m in methods])
    return "all alike" if value is None else f"{value:+.2f}"


lines = []
for dataset, trust in ours["trustworthiness"].items():
    for k, metric in zip((1, 5), measures[1:]):
        accuracy, methods = ours[metric][dataset], list(trust)
        without = sorted({correlation(trust, accuracy, [m for m in methods if m != one]) for one in methods} - {"all alike"}, key=float)
        same = [m for m in methods if m in theirs[metric].get(dataset, ())]
        paper_says = correlation(theirs["trustworthiness"][dataset], theirs[metric][dataset], same) if same else "-"
        lines.append({"dataset": dataset, "k": k, "ours": correlation(trust, accuracy, methods), "without one": " to ".join([*without[:1], *without[1:][-1:]]), "the paper": paper_says})
Markdown(figures.to_markdown(pd.DataFrame(lines)))

# %% [markdown]
# Trustworthiness is measured on training rows, accuracy on test rows. A method may embed test rows worse. The records keep the first 10,000 training points. Each gets the class of its nearest neighbor among the others. The table shows the share that is right, minus the accuracy of the test rows (mean over
# seeds). A network or PCA treats both kinds of rows alike, so its gap should be small unless it overfits. UMAP and t-SNE must search a place for a new row (`09_baselines`).

# %%
gaps = []
for record in found.records:
    points, y = ex.read_embedding(record, run) or ((), ())
    if len(points):
        nearest = cKDTree(points).query(points, k=2)[1]
        others = np.where(nearest[:, 0] == np.arange(len(points)), nearest[:, 1], nearest[:, 0])  # of equal points either may come first
        gaps.append({**record["cell"], "gap": np.mean(y[others] == y) - record["metrics"]["knn1_accuracy"]})
wide = pd.DataFrame(gaps).pivot_table(index="dataset", columns="method", values="gap", sort=False)
Markdown(figures.to_markdown(wide[figures.in_order(wide)].rename(columns={m: ex.METHODS[m].label for m in wide}).reset_index(), digits=3))

# %% [markdown]
# ## Write
#
# The figure as `fig06_knn1.png` and `.pdf`, the table as `table03.csv` and `table03.md`.

# %%
figures.write(save_to, fig06_knn1=fig, table03=table)
