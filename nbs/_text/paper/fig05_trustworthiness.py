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
# # Figure 5 and Table 2: trustworthiness
#
# > How far each method keeps neighbours neighbours, beside the paper's numbers.
#
# Take a point of the embedding and its five nearest points there. Were they near in the data, too? *Trustworthiness* asks this of each point, and counts how far down
# the list of the true neighbours the wrong ones stand. It is 1 if there are none, and about 0.5 if the points were scattered by chance.

# %%
import numpy as np
from IPython.display import Markdown

from pumap import datasets, plots
from pumap import experiments as ex

# %% [markdown]
# ## Parameters
#
# As they stand, the cells run within a minute and the numbers mean little. With `profile = "laptop"` the records of the
# repository are read, or made where they are out of date, and some of the paper's data sets are among them.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper (the original sizes)
results_dir = ""  # where the records are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the picture and the table; "" draws without writing

# %%
size = ex.profile(profile)  # a name that does not exist ends the notebook here, with the list of those that do
results = ex.results_folder(results_dir or (ex.figures_dir(profile) if profile != "smoke" else ""))
cells = ex.cells_for("fig05", profile)
assert cells and set(cells) == set(ex.cells_for("table2", profile))  # one notebook makes the figure and the table
print(f"profile {size.name}: {size.title}; {len(cells)} cells")

# %% [markdown]
# ## Records
#
# Each cell (one method, data set, number of dimensions and seed) is read from its record, or run. All are measured by the paper's protocol: five
# neighbours, Euclidean distance, the first 10,000 rows of the training data.

# %%
reasons = {}
records = ex.collect(cells, profile, results, data_dir, reasons=reasons, stand_ins=stand_ins)
print(f"{len(records)} of {len(cells)} cells are there")
for reason in dict.fromkeys(reasons.values()):
    print("left out:", reason)

# %% [markdown]
# ## Table 2
#
# Seeds become a mean and a standard deviation. The paper's value is of one run. `n_train` is ours: the paper has 50,000 rows of MNIST
# and Fashion-MNIST, so with fewer a difference is to be expected. P. UMAP is trained by the profile's solver and for as long as the profile says; only `paper` has the original's loop and effort. There is no t-SNE in 64 dimensions, here or in the paper: its usual
# fast form works in two.

# %%
paper = plots.published_table(2)
table = plots.comparison_table(records, "trustworthiness", paper)
Markdown(plots.to_markdown(table.drop(columns="metric")))

# %% [markdown]
# Every cell is in the table or has a reason, every value is better than chance, and every number of the paper stands in the
# row of its own data set, dimension and method.

# %%
asked = {(cell.dataset, cell.n_components, cell.method) for cell in cells if cell not in reasons}
assert set(zip(table.dataset, table.dim, table.method)) == asked
assert table.ours.gt(0.5).all() and table.ours.le(1).all()

lines = {(line["dataset"], int(line["dim"]), line["method"]): line["value"] for line in ex.published("table2")}
for row in table.itertuples():
    value = lines.get((row.dataset, row.dim, row.method), "")
    assert row.paper == float(value) if value else np.isnan(row.paper), f"{row.dataset}, {row.method}: {row.paper} for {value!r}"

# %% [markdown]
# PCA checks the metric. It draws nothing at random, so seeds agree. And with as many components as the data have columns it only
# turns them, so that every neighbour stays one.

# %%
pca = table[table.method == "pca"]
assert pca.sd.fillna(0).max() < 1e-3
columns = pca.dataset.map({"moons": 2, "digits": 64})  # digits: 8 x 8 pixels
assert pca.ours[pca.dim == columns].gt(0.9999).all()

# %% [markdown]
# ## Figure 5
#
# How to read it: a dot is ours, a ring the paper's, and a ring around its dot is agreement.

# %%
missing = {cell.dataset: reason for cell, reason in reasons.items() if cell.dataset not in set(table.dataset)}
titles = {dataset: datasets.describe(dataset, data_dir or None)["title"] for dataset in missing}
fig = plots.metric_dots(records, "trustworthiness", paper, missing=missing, titles=titles)
fig

# %% [markdown]
# The paper finds that in 2-D the UMAP methods are about equally
# trustworthy and t-SNE is slightly above them, and that in 64-D PCA is above UMAP. In this profile:

# %%
tolerance = ex.TOLERANCE["trustworthiness"]
both = table.dropna(subset=["paper"])
if both.empty:
    print("None of these data sets is in the paper's Table 2; the profiles laptop and paper have some that are.")
else:
    worst = both.loc[both.difference.abs().idxmax()]
    near = int(both.difference.abs().le(tolerance).sum())
    print(f"{near} of {len(both)} values are within {tolerance} of the paper's; the farthest is "
          f"{worst.dataset}, {plots.METHOD_LABELS[worst.method]}, {worst.dim}-D, with {worst.difference:+.4f}.")  # fmt: skip

# %%
for (dataset, dim), group in table.groupby(["dataset", "dim"], sort=False):
    ours = group.set_index("method").ours
    family = ours[ours.index.isin(ex.UMAP_FAMILY)]
    if len(family) > 1:
        others = "".join(f", {plots.METHOD_LABELS[m]} {ours[m]:.4f}" for m in ("tsne", "pca") if m in ours)
        print(f"{dataset}, {dim}-D: UMAP methods {family.min():.4f} to {family.max():.4f}{others}")

# %% [markdown]
# ## Write
#
# The figure as `fig05_trustworthiness.png` and `.pdf`, the table as `table02.csv` and `table02.md`.

# %%
if save_to:
    for path in (*plots.save_figure(fig, f"{save_to}/fig05_trustworthiness"), *plots.save_table(table, f"{save_to}/table02")):
        print(path)
