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
# > How many rows each data set has for training, validation and testing, and what a row looks like.
#
# All experiments of the paper use these eight data sets. Moons are drawn from a formula, Bison is the surface of an animal in three dimensions, MNIST, Fashion-MNIST and CIFAR10 are small pictures, Cassin's vireo is birdsong cut into syllables,
# Retina is the activity of genes in single cells, and CelebAMask-HQ is faces. The last is for Figure 14 only.

# %%
import pandas as pd
from IPython.display import Markdown

from pumap.paper import datasets, figures
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc

# %% [markdown]
# ## Parameters
#
# The smaller profiles show the data sets that come with scikit-learn; `laptop` and `paper` those of the paper. Some of them cannot be passed on, or were never published. With `stand_ins` other data of
# the same kind take their place, under their own names.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick: digits and moons; laptop, paper: the data sets of the paper
results_dir = ""  # not used, since no record is needed; each notebook of a figure has it
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
# ## Loading
#
# One data set after the other: what is kept of each is its numbers of rows and, for the picture, a few rows. The whole of CelebAMask-HQ would fill 6 GB. Where a license says that copies may not be passed on, no
# row is kept at all: this figure will be passed on.

# %%
def looked_at(name):
    "A data set's numbers of rows, shape and title, and up to 3,000 training rows or a sentence in their place."
    data = datasets.load(name, data_dir or None)
    told = {"data": ex.title_of(data.title, data.stand_in_for), "shape": "x".join(map(str, data.shape)), "n_train": len(data.y_train), "n_valid": len(data.y_valid), "n_test": len(data.y_test)}
    if "may not be passed on" in data.license:
        return told, "Photographs of people, which may not be passed on, so none is shown."
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
# The paper's numbers are in thousands, as printed, and its dimensions those of a row. In our shapes a picture has its channels at the end, and a spectrogram the column of zeros that the paper's networks had in front.

# %%
printed = paper.reindex(asked).rename(columns=lambda column: f"paper_{column}")
printed = printed.mask(printed == "")  # not given
table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=["data", "shape", "n_train", "n_valid", "n_test"])
table = table.astype({column: "Int64" for column in ("n_train", "n_valid", "n_test")})
table = printed.join(table).rename_axis("dataset").reset_index()
Markdown(figures.to_markdown(table))

# %% [markdown]
# Where it is the paper's own data set, each number is the paper's when rounded as there. Retina is the exception: the paper has exchanged two of its numbers and mistyped one of them (4.81K for 4,481 rows). Our
# moons also have parts for validation and testing, for which the paper prints "NA".

# %%
for row in table.dropna(subset="n_train").itertuples():
    if row.dataset in paper.index and names[row.dataset] == row.dataset:
        for part in ("train",) if row.dataset == "retina" else ("train", "valid", "test"):
            theirs, ours = getattr(row, f"paper_{part}"), getattr(row, f"n_{part}")
            assert pd.isna(theirs) or theirs == f"{ours / 1000:.4g}K", f"{row.dataset}, {part}: {theirs} and {ours}"

# %% [markdown]
# ## One row of each
#
# Below the name stand the shape of a row and the number of training rows. Points of the plane or of space are shown among the others. A cell of the retina is 50 numbers, its principal components: the bars. A syllable of song is a picture with time from left to right; it is
# turned upside down here, so that high tones are above.

# %%
shown = dict(examples)
if "cassins" in shown and not isinstance(shown["cassins"], str):
    shown["cassins"] = shown["cassins"][:, ::-1]  # a spectrogram begins with the low tones

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
# ## Write
#
# The figure as `table01_datasets.png` and `.pdf`, the table as `table01.csv` and `table01.md`.

# %%
figures.write(save_to, table01_datasets=fig, table01=table)
