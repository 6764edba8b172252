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
# # Figure 18 and Table 8: few labels and the learned graph
#
# > The UMAP loss on a graph that the classifier itself defines, and the accuracies of all six methods.
#
# Neighbors in pixels do not always share a class. So here the graph is that of the classifier's last layer, computed again during training: rows that are similar *to the network* are neighbors. The paper argues that alone this only confirms the network's predictions. With augmentation
# there is something to learn: the two ends of an edge must stay together although both were changed.

# %%
from IPython.display import Markdown

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
save_to = ""  # folder for the picture and the table; "" draws without writing

# %% [markdown]
# ## Records
#
# Table 8 has all six methods, Figure 18 four of them.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("table8", run, run_missing)
print(found)

# %% [markdown]
# ## Table 8
#
# Mean and standard deviation over seeds; the paper's value is a single run. The paper omits 16 labels per class; those numbers are from the outputs of the authors' notebooks. `n_train` is our number of training rows. The paper has 50,000 (CIFAR10: 40,000), so its `full` is
# more labels than ours in the smaller profiles. Where `stand_in` names other data than the paper's, compare the methods with each other only.

# %%
table = found.accuracies[found.accuracies.ours.notna()]
Markdown(figures.to_markdown(table))

# %% [markdown]
# Every cell is in the table or has a reason, and every number of the paper is in its own row.

# %%
figures.check_ssl_table(table, found)
printed = {(line["dataset"], line["method"], line["n_labels"]): float(line["accuracy"]) for line in sc.published("table8")}
for row in table.itertuples():
    key = (row.dataset, row.method, str(row.n_labels))
    assert row.paper == printed[key] if key in printed else row.n_labels == 16 or row.dataset == "digits"

# %% [markdown]
# ## Figure 18
#
# Filled markers are ours, with one standard deviation where there are several seeds; rings are the paper's, one run each. Labels are per class.

# %%
shown = found.accuracies[found.accuracies.method.isin(ex.figure("fig18").ssl_methods)]
fig = figures.label_curves(shown, found.titles, found.missing)
fig

# %% [markdown]
# The paper finds that the learned graph helps little without augmentation, and with it on all three data sets. In this profile:

# %%
print("learned graph minus baseline:", sc.gain_text(sc.gains(found.records, "umap_learned", "baseline")))
print("augmentation with the learned graph minus without:", sc.gain_text(sc.gains(found.records, "aug_umap_learned", "aug")))
print(sc.claims_text(found.records, "C26", "C27"))

# %% [markdown]
# ## Write
#
# The figure as `fig18_ssl_learned.png` and `.pdf`, the table as `table08.csv` and `table08.md`.

# %%
figures.write(save_to, fig18_ssl_learned=fig, table08=table)
