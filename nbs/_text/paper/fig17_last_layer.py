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
# # Figure 17: the last layer
#
# > A 2-D UMAP of the classifier's last hidden layer, with few labels and with all.
#
# The classifier without the UMAP loss (`baseline`) is trained on a number of labels per class. What its last layer reads, some dozens to hundreds of numbers per row, is embedded by UMAP. The paper concludes that such a graph largely agrees with the network's
# predictions, right or wrong: groups follow the predicted classes rather than the true ones. That would explain why a graph of this layer helps little without augmentation (Figure 18).

# %%
import numpy as np

from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.metrics import silhouette

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
# The points are kept next to the records of the baseline, for the first 10,000 training rows. The UMAP of the pixels is a cell of the other grid, where the profile has it.

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
found = figures.gather("fig17", run, run_missing)
print(found)

# %%
panels = {}
for cell, reason in found.reasons.items():
    panels.setdefault(cell.dataset, {})[getattr(cell, "n_labels", "pixels")] = reason
for record in found.of(ex.SSLCell).records:
    panels.setdefault(record["cell"]["dataset"], {})[record["cell"]["n_labels"]] = ex.read_last_layer(record, run)
for record in found.of(ex.Cell).records:
    panels.setdefault(record["cell"]["dataset"], {})["pixels"] = ex.read_embedding(record, run)

# %% [markdown]
# The UMAP of the pixels may have more rows than the classifier; the first rows of both are the same. So it is cut to them, and the labels must agree.

# %%
for row in panels.values():
    layers = [arrays for arrays in row.values() if isinstance(arrays, dict)]
    if layers and isinstance(row.get("pixels"), tuple):
        points, y = (values[: len(layers[0]["y"])] for values in row["pixels"])
        row["pixels"] = (points, y)
        assert all(np.array_equal(arrays["y"], y) for arrays in layers)

# %% [markdown]
# ## Figure 17
#
# Upper row: true classes; lower row: predicted classes. Points with a black edge had a label; where a quarter or more had one, none is marked. Each panel is rotated, mirrored and scaled to match the UMAP of the pixels as well as possible.

# %%
fig = figures.last_layer_grid(panels, found.titles)
fig

# %% [markdown]
# The same in numbers: the share of these training rows that is predicted correctly, and the silhouette (first 3,000 points) of the *predicted* and of the true classes.

# %%
for dataset, row in panels.items():
    for n, arrays in row.items():
        if isinstance(arrays, dict):
            right = np.mean(arrays["y"] == arrays["predicted"])
            points, *classes = (arrays[key][:3000] for key in ("embedding", "predicted", "y"))
            apart = [silhouette(points, y) if np.ptp(y) else np.nan for y in classes]
            count = "all labels" if n == "full" else f"{n} labels per class"
            print(f"{dataset}, {count}: {right:.3f} right; silhouette of the predicted classes {apart[0]:.2f}, of the true ones {apart[1]:.2f}")

# %% [markdown]
# If the paper is right, the first silhouette is higher where labels are few, and both are alike where all rows have one.
#
# ## Write
#
# The figure as `fig17_last_layer.png` and `.pdf`.

# %%
figures.write(save_to, fig17_last_layer=fig)
