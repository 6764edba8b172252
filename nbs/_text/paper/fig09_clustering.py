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
# # Figure 9 and Table 6: clusters and labels
#
# > Whether clusters that k-means finds in an embedding are the classes.
#
# The silhouette of Figure 8 uses the classes. Here *k-means* searches for groups without them: it divides the embedding into $k$ clusters, for each $k$ from half to one and a half times the number of classes, with five seeds each (one in the `smoke` profile). The clustering with the
# best silhouette of its own is kept. Only then is it compared with the labels. The *normalized mutual information* (NMI) of clusters and labels is 1 if each determines the other, and 0 if they are independent.
# (The largest $k$ is one less than one and a half times, as in the original's code.)

# %%
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.paper import scorecard as sc
from pumap.metrics import cluster_numbers

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
# Clusters are sought among the training rows: all of them as in the paper, but the first 10,000 in profile `laptop`. The bison has no classes, so it is left out.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig09", run, run_missing).having("clustering_nmi")
print(found)
print(f"ten classes: k from {cluster_numbers(10)[0]} to {cluster_numbers(10)[-1]}")

# %% [markdown]
# ## Table 6
#
# Mean over seeds; the paper's value is a single run. A † in `earlier` marks earlier settings: on images and songs, networks learned umap-learn's layout first (`02_experiments`). Small differences of the silhouette decide which $k$ wins, and another $k$ gives another NMI. So a value may jump between runs.

# %%
table = found.table("clustering_nmi")
Markdown(figures.to_markdown(table.drop(columns="metric")))

# %% [markdown]
# An NMI lies between 0 and 1. Where PCA only rotates the data, k-means should find much the same clusters as in the data themselves.

# %%
figures.check_table(table, found)
assert table.ours.between(0, 1).all() and table.paper.dropna().between(0, 1).all()

for cell, ours, of_the_data in ex.rotated_only(found.records, "clustering_nmi", run):
    print(f"{cell.id}: {ours:.4f}; the data themselves: {of_the_data:.4f}")
    assert abs(ours - of_the_data) < 0.05  # rounding may lead k-means elsewhere

# %% [markdown]
# ## Figure 9
#
# A dot is ours, a ring is the paper's.

# %%
fig = figures.metric_dots(table, found.titles, found.missing)
fig

# %% [markdown]
# The paper finds that the NMI "corresponds closely to the silhouette score". In 2-D, UMAP and t-SNE are alike and well above PCA on most data sets. In 64-D each UMAP approach is above parametric t-SNE. Here:

# %%
print(figures.metric_text(found, "clustering_nmi"))
print(sc.claims_text(found.records, "C09", "C10", "C11"))


# %% [markdown]
# ## Within a data set
#
# The correlation over all pairs of data set and method mostly reflects the data sets: on some every method finds the classes, on others none does. By the paper's own numbers it is 0.90 in 2-D and 0.86 in 64-D. Within
# single data sets it is lower, and in 64-D there is none on CIFAR10 and Retina. The next cell prints it for our numbers and for the paper's, where there are four methods or more.

# %%
def measured(metric, dim):
    "Our means: data set -> method -> value."
    return sc.means_of(found.records, metric, dim)


def printed(metric, dim):
    "The paper's numbers, in the same form."
    return figures.published_means({"clustering_nmi": 6, "silhouette": 5}[metric], dim)


correlations = {}
for whose, values in {"ours": measured, "the paper": printed}.items():
    for dim in (2, 64):
        nmi, silhouette = values("clustering_nmi", dim), values("silhouette", dim)
        for dataset in nmi:
            methods = [m for m in nmi[dataset] if m in silhouette.get(dataset, ())]
            if len(methods) > 3:
                correlations[whose, dataset, dim] = sc.spearman([nmi[dataset][m] for m in methods], [silhouette[dataset][m] for m in methods])
for (whose, dataset, dim), value in correlations.items():
    print(f"{whose}, {dataset}, {dim}-D: {value:+.2f}" if value is not None else f"{whose}, {dataset}, {dim}-D: all alike")
assert correlations["the paper", "mnist", 2] > 0.8 and correlations["the paper", "cifar10", 64] < 0 > correlations["the paper", "retina", 64]

# %% [markdown]
# ## Write
#
# The figure as `fig09_clustering.png` and `.pdf`, the table as `table06.csv` and `table06.md`.

# %%
figures.write(save_to, fig09_clustering=fig, table06=table)
