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
# # Figure 15: few labels and the UMAP loss
#
# > What the UMAP loss of all rows adds to a classifier with few labels.
#
# Two classifiers have the same network and the same labels. One is trained on the labels alone. The other also minimizes the UMAP loss on the edges of the neighbor graph, so it learns from all rows, labeled or not. The graph is Euclidean, between pixels. Edges
# between rows with different known labels are cut, as in the original.

# %%
from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.paper import scorecard as sc

# %% [markdown]
# ## Parameters
#
# The defaults run a few hundred digits for a few steps. `profile = "laptop"` reads the records of the repository, and runs those that are out of date.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper (the original sizes)
results_dir = ""  # where the records are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
run_missing = True  # run the cells that are not there; False draws from the records that are there
save_to = ""  # folder for the picture; "" draws without writing

# %% [markdown]
# ## Records
#
# A cell is one method on one data set, with a number of labels per class and a seed that chooses the labeled rows. `cell_ssl` is one such cell. The UMAP of the pixels is a cell of the other grid, where the profile has it.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig15", run, run_missing)
print(found)

# %%
curves = found.of(ex.SSLCell)
pictures = {record["cell"]["dataset"]: ex.read_embedding(record, run) for record in found.of(ex.Cell).records}
figures.check_ssl_table(curves.accuracies, curves)

# %% [markdown]
# ## Figure 15
#
# Labels are counted *per class* (the paper's axis says "training examples"). Filled markers are ours, with one standard deviation where there are several seeds; rings are the paper's, one run each. The paper has the full network and up to 50,000 rows. So compare the
# distance between the two curves with the paper's, not their heights. In the corner of a panel is the 2-D UMAP of the pixels, in the colors of the true classes. A graph helps as far as neighbors share a class.

# %%
fig = figures.label_curves(curves.accuracies, curves.titles, curves.missing, pictures)
fig

# %% [markdown]
# The paper finds that the UMAP loss helps on MNIST and Fashion-MNIST, most with few labels. On CIFAR10 it harms: neighbors in pixels often have different classes. In this profile:

# %%
print("with the UMAP loss minus without:", sc.gain_text(sc.gains(curves.records, "umap_euclidean", "baseline")))
print(sc.claims_text(curves.records, "C22", "C23"))

# %% [markdown]
# ## Write
#
# The figure as `fig15_ssl_euclidean.png` and `.pdf`. The numbers are in Table 8, which the notebook of Figure 18 makes.

# %%
figures.write(save_to, fig15_ssl_euclidean=fig)
