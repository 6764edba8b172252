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
# > Whether neighbors in an embedding are neighbors in the data, compared with the paper.
#
# Take a point of the embedding and its five nearest neighbors there. *Trustworthiness* penalizes those that are not among its nearest neighbors in the data, by their rank there.
# It is 1 if there are none, and about 0.5 for a random embedding.

# %%
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
save_to = ""  # folder for the picture and the table; "" draws without writing

# %% [markdown]
# ## Records
#
# A cell is one method, data set, number of dimensions and seed. Its record is read, or the cell is run. All follow the paper's protocol: five
# neighbors, Euclidean distance, the first 10,000 rows of the training set.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig05", run, run_missing)
print(found)

# %% [markdown]
# ## Table 2
#
# Mean and standard deviation over seeds; the paper's value is a single run. `n_train` is our number of training rows: the paper has 50,000 rows of MNIST
# and Fashion-MNIST, so fewer rows cause a difference. P. UMAP is trained with the solver and the length of the profile; only `paper` has the original's.
# There is no t-SNE in 64 dimensions, here or in the paper: its usual fast form works in two.
# Where `stand_in` names other data than the paper's, a difference reflects the data as much as the method.
# A † in `earlier` marks records with earlier settings of the profile (`02_experiments`): on images and songs, their networks learned umap-learn's layout first.

# %%
table = found.table("trustworthiness")
Markdown(figures.to_markdown(table.drop(columns="metric")))

# %% [markdown]
# Every cell is in the table or has a reason, and every number of the paper is in its own row. Embeddings hardly better than chance are listed: their training failed, or two dimensions are too few.

# %%
figures.check_table(table, found)
assert table.ours.between(0, 1).all()
for row in table[table.ours < 0.6].itertuples():
    print(f"near chance: {row.dataset}, {ex.ALL_METHODS[row.method].label}, {row.dim}-D, {row.ours:.4f}")

# %% [markdown]
# PCA checks the metric. It is deterministic, so its seeds agree. With as many components as the data have columns it only
# rotates them, so every neighbor stays one.

# %%
pca = table[table.method == "pca"]
assert pca.sd.fillna(0).max() < 1e-3
assert pca.ours[pca.dim == pca.dataset.map(ex.N_COLUMNS)].gt(0.9999).all()

# %% [markdown]
# ## Figure 5
#
# A dot is ours, a ring is the paper's. A ring around its dot is agreement.

# %%
fig = figures.metric_dots(table, found.titles, found.missing)
fig

# %% [markdown]
# The paper finds that in 2-D the UMAP methods are about equally
# trustworthy and t-SNE is slightly above them. In 64-D, PCA, AE, VAE and P. t-SNE are above UMAP. In this profile:

# %%
print(figures.metric_text(found, "trustworthiness"))
print(sc.claims_text(found.records, "C01", "C02", "C03"))

# %% [markdown]
# ## Write
#
# The figure as `fig05_trustworthiness.png` and `.pdf`, the table as `table02.csv` and `table02.md`.

# %%
figures.write(save_to, fig05_trustworthiness=fig, table02=table)
