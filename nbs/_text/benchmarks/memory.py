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
# # Memory
#
# > Peak memory of each solver, and what it depends on.
#
# umap-learn's ParametricUMAP copies each edge as often as it will use it in all epochs. pumap draws edges from the graph during training, so its memory does
# not grow with the number of epochs. Each run has its own process, whose peak memory the operating system reports.

# %%
import pandas as pd
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap.paper import figures

# %% tags=["parameters"]
profile = "smoke"  # smoke or laptop
results_dir = ""  # where records are kept; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
save_to = ""  # folder for the table; "" shows it without writing

# %%
assert profile in ("smoke", "laptop"), f"profile is {profile!r}; it must be smoke or laptop."
run = ex.open_run(profile, results_dir, data_dir)

# %% [markdown]
# There are two runs of the fast solver, with 0.5 and 1.5 epochs (its default), and a default run of umap-learn's ParametricUMAP. In the profile `laptop`, these
# runs are shared with `training_speed`.

# %%
if profile == "smoke":
    training = {"dataset": "digits", "n_train": 300}
    trainings = [training | {"solver": "fast", "effort": effort} for effort in (0.5, 1.5)]
else:
    training = {"dataset": "fmnist", "encoder": "mlp", "n_train": 0, "seed": 0}
    trainings = [training | {"solver": solver, "effort": effort} for solver, effort in (("fast", 0.5), ("fast", 0.0), ("umap-learn", 0.0))]
records = ex.training_records(trainings, run)
table = pd.DataFrame([{key: r[key] for key in ("dataset", "solver", "effort", "n_train", "peak_before_mb", "peak_memory_mb")} for r in records])
table["added_mb"] = table.peak_memory_mb - table.peak_before_mb
Markdown(figures.to_markdown(table, digits=2))

# %% [markdown]
# `peak_before_mb` is the peak of Python, packages, data and graph, before training starts. Three times as many epochs take no more memory:

# %%
little, much = table.peak_memory_mb[:2]
print(f"fast solver: {little:.0f} MiB with little effort, {much:.0f} MiB with three times as much")
assert much < 1.1 * little

# %%
if save_to:
    for made in figures.save_table(table, f"{save_to}/benchmark_memory"):
        print(made)
