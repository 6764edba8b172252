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
# > Whether the UMAP loss still helps when images are augmented.
#
# An augmentation moves, rotates and recolors an image and keeps its label, so four labeled images become many. It defines which changes do not matter; the UMAP loss defines which images belong together. Here the classifier has the first, or both. With both, the two ends of each edge
# are augmented. (By a slip, the original augments ten MNIST images out of eleven without the UMAP loss and one out of eleven with it. Here it is the same with both.)

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
# The paper finds that both together are better than augmentation alone on MNIST and Fashion-MNIST, and worse on CIFAR10. In this profile:

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
