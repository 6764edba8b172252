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
# > How far each method keeps neighbors neighbors, beside the paper's numbers.
#
# Take a point of the embedding and its five nearest points there. Were they near in the data, too? *Trustworthiness* asks this of each point, and counts how far down
# the list of the true neighbors the wrong ones stand. It is 1 if there are none, and about 0.5 if the points were scattered by chance.

# %%
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap import plots
from pumap.paper import figures
from pumap.paper import scorecard as sc

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
run_missing = True  # run the cells that are not there; False draws from the records that are there
save_to = ""  # folder for the picture and the table; "" draws without writing

# %% [markdown]
# ## Records
#
# Each cell (one method, data set, number of dimensions and seed) is read from its record, or run. All are measured by the paper's protocol: five
# neighbors, Euclidean distance, the first 10,000 rows of the training data.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig05", run, run_missing)
print(found)

# %% [markdown]
# ## Table 2
#
# Seeds become a mean and a standard deviation. The paper's value is of one run. `n_train` is ours: the paper has 50,000 rows of MNIST
# and Fashion-MNIST, so with fewer a difference is to be expected. P. UMAP is trained by the profile's solver and for as long as the profile says; only `paper` has the original's loop and effort. There is no t-SNE in 64 dimensions, here or in the paper: its usual
# fast form works in two. Where `stand_in` names other data than the paper's, a difference says as much about the data as about the method.

# %%
table = found.table("trustworthiness")
Markdown(figures.to_markdown(table.drop(columns="metric")))

# %% [markdown]
# Every cell is in the table or has a reason, and every number of the paper stands in the row of its own data set, dimension and method. An embedding that is hardly better than chance is named: its training failed, or two dimensions are too few for what the method keeps.

# %%
figures.check_table(table, found)
assert table.ours.between(0, 1).all()
for row in table[table.ours < 0.6].itertuples():
    print(f"near chance: {row.dataset}, {ex.ALL_METHODS[row.method].label}, {row.dim}-D, {row.ours:.4f}")

# %% [markdown]
# PCA checks the metric. It draws nothing at random, so seeds agree. And with as many components as the data have columns it only
# turns them, so that every neighbor stays one.

# %%
pca = table[table.method == "pca"]
assert pca.sd.fillna(0).max() < 1e-3
assert pca.ours[pca.dim == pca.dataset.map(ex.N_COLUMNS)].gt(0.9999).all()

# %% [markdown]
# ## Figure 5
#
# How to read it: a dot is ours, a ring the paper's, and a ring around its dot is agreement.

# %%
fig = figures.metric_dots(table, found.titles, found.missing)
fig

# %% [markdown]
# The paper finds that in 2-D the UMAP methods are about equally
# trustworthy and t-SNE is slightly above them, and that in 64-D PCA, AE, VAE and P. t-SNE are above UMAP. In this profile:

# %%
print(figures.metric_text(found, "trustworthiness"))
print(sc.claims_text(found.records, "C01", "C02", "C03"))

# %% [markdown]
# ## Write
#
# The figure as `fig05_trustworthiness.png` and `.pdf`, the table as `table02.csv` and `table02.md`.

# %%
figures.write(save_to, fig05_trustworthiness=fig, table02=table)
