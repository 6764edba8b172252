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
# # Figure 16: few labels, augmentation and the UMAP loss
#
# > Whether the UMAP loss still adds something where images are augmented.
#
# An augmentation moves, turns and recolors an image and keeps its label: out of four labeled images it makes many. It says which changes do not matter; the UMAP loss says which images belong together. Here the classifier has the one, or both: then both ends of each edge
# are augmented, too. (The original's augmentation of MNIST is applied to ten images out of eleven without the UMAP loss and to one out of eleven with it, by a slip; here it is the same with both.)

# %%
from pumap.paper import experiments as ex
from pumap import plots
from pumap.paper import figures
from pumap.paper import scorecard as sc

# %% [markdown]
# ## Parameters
#
# As they stand, a few hundred digits and a few steps show that everything works. With `profile = "laptop"` the records of the repository are read, or made where they are out of date.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper (the original sizes)
results_dir = ""  # where the records are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
run_missing = True  # run the cells that are not there; False draws from the records that are there
save_to = ""  # folder for the picture; "" draws without writing

# %% [markdown]
# ## Records

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig16", run, run_missing)
print(found)

# %%
figures.check_ssl_table(found.accuracies, found)

# %% [markdown]
# ## Figure 16
#
# Filled markers are ours, with one standard deviation where there are several seeds; rings are the paper's, one run each. Labels are per class.

# %%
fig = figures.label_curves(found.accuracies, found.titles, found.missing)
fig

# %% [markdown]
# The paper finds that on MNIST and Fashion-MNIST both together are better than augmentation alone, and on CIFAR10 worse. In this profile:

# %%
print("augmentation minus baseline:", sc.gain_text(sc.gains(found.records, "aug", "baseline")))
print("augmentation with the UMAP loss minus without:", sc.gain_text(sc.gains(found.records, "aug_umap_euclidean", "aug")))
print(sc.claims_text(found.records, "C24", "C25"))

# %% [markdown]
# ## Write
#
# The figure as `fig16_ssl_augmented.png` and `.pdf`. The numbers are in Table 8, which the notebook of Figure 18 makes.

# %%
figures.write(save_to, fig16_ssl_augmented=fig)
