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
# # Table 1: the data sets
#
# > Number of training, validation and test rows of each data set, and an example of each.
#
# The paper's experiments use these eight data sets. CelebAMask-HQ is used for Figure 14 only.
#
# | data set | rows are |
# |---|---|
# | Moons | points in the plane, from a formula with noise |
# | Bison | points on the surface of an animal, in three dimensions |
# | MNIST, Fashion-MNIST, CIFAR10 | small images |
# | Cassin's vireo | spectrograms of syllables of birdsong |
# | Retina | gene expression of single cells |
# | CelebAMask-HQ | images of faces |

# %%
import pandas as pd
from IPython.display import Markdown

from pumap.paper import datasets, figures
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc

# %% [markdown]
# ## Parameters
#
# The smaller profiles use data sets that come with scikit-learn; `laptop` and `paper` use the paper's. Some of those were never published or must not
# be redistributed. With `stand_ins`, other data of the same kind replace them, under their own names.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick: digits and moons; laptop, paper: the data sets of the paper
results_dir = ""  # not used, because no record is needed; all figure notebooks have it
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the picture and the table; "" draws without writing

# %%
paper = pd.DataFrame(sc.published("table1")).set_index("dataset")
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
asked = list(paper.index if profile in ("laptop", "paper") else run.profile.datasets)
names = {name: run.actual(name) for name in asked}
print(f"profile {profile}: {', '.join(names.values())}")


# %% [markdown]
# ## Load the data
#
# The data sets are loaded one at a time, because the whole of CelebAMask-HQ takes 6 GB. Only the numbers of rows are kept, and some rows for the
# picture. If a license forbids redistribution, no row is kept, because this figure is published.

# %%
def looked_at(name):
    "Return title, shape and numbers of rows of a data set, and up to 3,000 training rows, or a sentence that says why none is shown."
    data = datasets.load(name, data_dir or None)
    told = {"data": ex.title_of(data.title, data.stand_in_for), "shape": "x".join(map(str, data.shape)), "n_train": len(data.y_train), "n_valid": len(data.y_valid), "n_test": len(data.y_test)}
    if "may not be passed on" in data.license:
        return told, "Photographs of people; the license forbids redistribution."
    return told, data.X_train[:: max(1, len(data.X_train) // 3000)].copy()


rows, examples, titles = {}, {}, {}
for dataset, name in names.items():
    try:
        rows[dataset], examples[dataset] = looked_at(name)
    except (datasets.DataNotFound, datasets.DataDamaged) as error:
        rows[dataset], examples[dataset] = {"data": "not here"}, str(error)
        print(f"left out: {name}: {error}")
    titles[dataset] = rows[dataset]["data"] if "shape" in rows[dataset] else datasets.describe(name, data_dir or None)["title"]

# %% [markdown]
# ## Table 1
#
# The columns `paper_...` have the numbers as printed, in thousands. `paper_dim` is the shape of a row in the paper. In `shape`, images have
# their channels last, and spectrograms have the column of zeros that was prepended for the paper's networks.

# %%
printed = paper.reindex(asked).rename(columns=lambda column: f"paper_{column}")
printed = printed.mask(printed == "")  # not given
table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=["data", "shape", "n_train", "n_valid", "n_test"])
table = table.astype({column: "Int64" for column in ("n_train", "n_valid", "n_test")})
table = printed.join(table).rename_axis("dataset").reset_index()
Markdown(figures.to_markdown(table))

# %% [markdown]
# For the paper's own data sets, each number equals the printed one after rounding. Retina is an exception: the paper exchanges its test and
# validation rows, and prints 4.81K for 4,481. For moons the paper prints "NA" for the test and validation rows; here both parts exist.

# %%
for row in table.dropna(subset="n_train").itertuples():
    if row.dataset in paper.index and names[row.dataset] == row.dataset:
        for part in ("train",) if row.dataset == "retina" else ("train", "valid", "test"):
            theirs, ours = getattr(row, f"paper_{part}"), getattr(row, f"n_{part}")
            assert pd.isna(theirs) or theirs == f"{ours / 1000:.4g}K", f"{row.dataset}, {part}: {theirs} and {ours}"

# %% [markdown]
# ## One example of each
#
# The title of each panel has the shape of a row and the number of training rows. A point is shown in color, among other points of its data set. A
# cell of the retina is a bar chart of its 50 principal components. In a spectrogram, time runs from left to right. It is flipped here, so high
# frequencies are at the top.

# %%
shown = dict(examples)
if "cassins" in shown and not isinstance(shown["cassins"], str):
    shown["cassins"] = shown["cassins"][:, ::-1]  # low frequencies come first in a spectrogram

captions = {dataset: titles[dataset] for dataset in shown}
for dataset in captions:
    if "shape" in rows[dataset]:
        captions[dataset] += f"\n{rows[dataset]['shape']}, {rows[dataset]['n_train']:,} rows"

fig = figures.example_grid(shown, captions)
fig

# %%
drawn = [ax for ax in fig.axes if ax.has_data()]
assert len(fig.axes) == len(asked) and len(drawn) == sum(not isinstance(example, str) for example in examples.values())

# %% [markdown]
# ## Save
#
# The figure is saved as `table01_datasets.png` and `.pdf`, the table as `table01.csv` and `table01.md`.

# %%
figures.write(save_to, table01_datasets=fig, table01=table)
