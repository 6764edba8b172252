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
# # Experiments
#
# > One cell of the paper's grid becomes one record on disk, and a figure is a question put to records.

# %%
#| default_exp paper.experiments

# %%
#| hide
import tempfile

import numpy as np
from numpy.testing import assert_allclose

# %%
#| export
import csv
import difflib
import hashlib
import json
import os
import re
import sys
import time
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from io import BytesIO
from itertools import product
from pathlib import Path


# %% [markdown]
# Everything heavy (TensorFlow, umap-learn, scikit-learn, papermill) is imported inside the function that needs it. `pumap list` only reads
# small files, and so it answers at once.
#
# ## Unknown names
#
# Figures, profiles, data sets and methods are all called by name. A typing error gets one sentence that says which names there are.

# %%
#| export
def unknown(
    kind: str,  # what the name stands for, such as "figure"
    name: str,  # what was asked for
    known,  # the names there are
) -> ValueError:  # to be raised by the caller
    "The error for a name that does not exist: it gives the nearest name and the whole list."
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"There is no {kind} {name!r}.{hint} The names are: {', '.join(known)}.")


# %%
print(unknown("profile", "labtop", ("smoke", "quick", "laptop", "paper")))
assert "Did you mean 'laptop'?" in str(unknown("profile", "labtop", ("quick", "laptop")))

# %% [markdown]
# ## A cell of the grid
#
# The paper compares methods over data sets, in 2 and in 64 dimensions. We add the seed, because one run says nothing about chance.
# These four values name a cell, and its name is the name of its file.

# %%
#| export
METHODS = ("umap", "umap_tf", "pumap", "umap_ae", "pumap_decoder", "ptsne", "tsne", "vae", "ae", "pca")


@dataclass(frozen=True)
class Cell:
    "One method on one data set, embedded in `n_components` dimensions, started from one seed."

    dataset: str
    method: str
    n_components: int
    seed: int = 0
    kind = "embedding"  # the semi-supervised grid has cells of its own, see below

    @property
    def id(self) -> str:
        "The cell's name, used for its files."
        return f"{self.dataset}-{self.method}-{self.n_components}d-seed{self.seed}"


# %%
#| export
def check_cell(
    cell: Cell,  # any cell, for example one made from papermill parameters
) -> Cell:  # the same cell
    "Raises ValueError if the data set or the method does not exist, or a number makes no sense."
    from pumap.paper.datasets import names

    if cell.dataset not in names():
        raise unknown("data set", cell.dataset, names())
    if cell.method not in METHODS:
        raise unknown("method", cell.method, METHODS)
    for key, least in (("n_components", 1), ("seed", 0)):
        value = getattr(cell, key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{key} is {value!r}; give a whole number, {least} or more.")
    return cell


# %%
assert Cell("digits", "pumap", 2).id == "digits-pumap-2d-seed0"
for wrong in (Cell("digit", "pumap", 2), Cell("digits", "umap2", 2), Cell("digits", "umap", 0), Cell("digits", "umap", "2")):
    try: check_cell(wrong)
    except ValueError as error: print(error)
    else: assert False

# %% [markdown]
# ## What never changes: the protocol
#
# The settings of the paper's experiments, as its authors' code has them. `min_dist` and the number of neighbors are umap-learn's defaults, t-SNE's are openTSNE's; the bison, a surface of many points,
# is seen with ten times as many neighbors and a perplexity of 500, which t-SNE has on the moons, too. The UMAP methods find the neighbors of a song by dynamic time warping. All parametric methods have the same network on a data set: a convolutional one for images, one with an LSTM
# along time for song, three layers of 100 units for everything else. A decoder's values lie in [0, 1]: so methods with a decoder see moons, bison and retina scaled into it, all values by the same factor, which leaves the graph as it is;
# on the retina AE and VAE, which have no graph, have a factor for each column. The variational autoencoder's loss is weighed as in the original, which is not the ELBO (`02_losses` has both). Parametric t-SNE learns at a rate of 0.01, but on songs: the original took three layers of 100 units there, and our LSTM does not bear that rate. `benchmarks/gaps` tries the other choice for both.
# All these hold in every profile.

# %%
#| export
UMAP_METHODS = ("umap", "umap_tf", "pumap", "umap_ae", "pumap_decoder")
PARAMETRIC = ("pumap", "umap_ae", "pumap_decoder", "ptsne", "vae", "ae")
DECODING = ("umap_ae", "pumap_decoder", "vae", "ae")
PROTOCOL = (  # (methods, data sets or None for all, settings); of two that set the same, the later counts
    (UMAP_METHODS, None, {"n_neighbors": 15, "min_dist": 0.1}),
    (("tsne", "ptsne"), None, {"perplexity": 30}),
    (PARAMETRIC, None, {"encoder": "mlp"}),
    (PARAMETRIC, ("mnist", "fmnist"), {"encoder": "conv28"}),
    (PARAMETRIC, ("cifar10", "cifar10_jpeg"), {"encoder": "conv32"}),
    (PARAMETRIC, ("cassins", "finches"), {"encoder": "song"}),
    (UMAP_METHODS, ("cassins", "finches"), {"metric": "dtw"}),
    (("vae",), None, {"weighting": "paper"}),
    (DECODING, ("moons", "bison", "retina", "worm_neurons"), {"unit_range": True}),
    (("vae", "ae"), ("retina", "worm_neurons"), {"unit_range": "columns"}),
    (UMAP_METHODS, ("bison",), {"n_neighbors": 150}),
    (("tsne",), ("moons", "bison"), {"perplexity": 500}),
    (("ptsne",), ("bison",), {"perplexity": 500}),
    (("ptsne",), ("cassins", "finches"), {"learning_rate": 0.003}),
)
PROTOCOL_VERSION = 2  # raised when a change of our code changes the numbers: records made before are then stale
SSL_VERSION = 1  # the same for the semi-supervised grid
CLUSTER_SEEDS = (0, 1, 2, 3, 4)  # of k-means, each with each number of clusters


# %% [markdown]
# ## What may change: the profile
#
# A profile sets sizes: blocks of the grid, rows, training time, solver, batch size, learning rate, and restarts of k-means. It never changes the loss,
# the graph or the networks. (The semi-supervised grid is an exception: its small profiles have a smaller network.) One table holds the four profiles.
# Their `settings` are written as those of the protocol.
#
# | profile | data | for |
# |---|---|---|
# | `smoke` | hundreds of rows, a few steps | tests; the default of each paper notebook |
# | `quick` | digits and moons, nothing to download | a first look, within 20 minutes on two cores |
# | `laptop` | MNIST, Fashion-MNIST, CIFAR10, songs, cells: all rows (bison, few labels: 10,000), shortened training | two cores and a night |
# | `paper` | the original sizes, networks and epochs | a GPU |

# %%
#| export
@dataclass(frozen=True)
class Block:
    "A block of the grid: each combination of its entries is one cell."

    datasets: tuple
    methods: tuple
    n_components: tuple
    seeds: tuple = (0,)

    def cells(self) -> tuple:
        "The cells of this block, data set by data set."
        return tuple(Cell(d, m, n, s) for d, n, m, s in product(self.datasets, self.n_components, self.methods, self.seeds))


# %%
#| export
@dataclass(frozen=True)
class Profile:
    "One size of the whole reproduction."

    name: str
    title: str
    blocks: tuple
    n_train: int | None = None  # first rows of the training split; None takes all
    n_test: int | None = None  # first rows of the test split; None takes all
    n_train_of: dict = field(default_factory=dict)  # the same for a data set that has another number
    n_clustered: int | None = None  # first training rows whose embedding is clustered; None takes all
    cluster_seeds: tuple = CLUSTER_SEEDS  # of k-means
    settings: tuple = ()  # as in PROTOCOL: (methods, data sets or None for all, settings)

    def _of_blocks(self, key):
        return tuple(dict.fromkeys(value for block in self.blocks for value in getattr(block, key)))

    datasets = property(lambda self: self._of_blocks("datasets"), doc="Names of the data sets, in order.")
    methods = property(lambda self: self._of_blocks("methods"), doc="Slugs of the methods, in order.")
    n_components = property(lambda self: tuple(sorted(self._of_blocks("n_components"))), doc="Dimensions, ascending.")
    seeds = property(lambda self: tuple(sorted(self._of_blocks("seeds"))), doc="Seeds, ascending.")

    def rows(self, dataset: str) -> tuple:
        "How many training and test rows of a data set are taken at most; None takes all."
        return self.n_train_of.get(dataset, self.n_train), self.n_test

    @property
    def clustering(self) -> dict:
        "How embeddings are clustered, as keywords of `measure`."
        return {"n_clustered": self.n_clustered, "cluster_seeds": self.cluster_seeds}

    @property
    def cells(self) -> tuple:
        "Every cell of every block, each once."
        return tuple(dict.fromkeys(cell for block in self.blocks for cell in block.cells()))


# %% [markdown]
# As in the paper's tables, t-SNE runs in 2-D only: its fast gradient does not exist in 64 dimensions. UMAP (TF), which has no column in
# those tables, runs in 2-D too. `n_training_epochs` counts passes over the edges of the graph as the paper repeats them (about eight times each),
# so a fraction of a pass is already a good deal of training; for autoencoders and parametric t-SNE it counts passes over the rows, as `n_decoder_epochs` does for a decoder that is trained when the embedding is done. Parametric UMAP, with a decoder or without, is trained by its fast solver, but for the `paper` profile, which takes the original's loop. Where no effort is given, it is the solver's own. So few passes are few steps for an LSTM, or for a decoder that knows nothing yet: so parametric UMAP on songs, and UMAP/AE on CIFAR10, take more of them, smaller and at a higher rate, where `benchmarks/gaps` tried it. In `quick` its steps are small, too.

# %%
#| export
SCALE_SETTINGS = ("n_training_epochs", "n_decoder_epochs", "solver", "batch_size", "learning_rate")  # all that a profile may set of a method
IN_64 = ("umap", *PARAMETRIC, "pca")
PUMAPS, WITH_DECODER = ("pumap", "umap_ae", "pumap_decoder"), ("umap_ae", "pumap_decoder")
TOYS, IMAGES, PAPER_DATA = ("moons", "bison"), ("mnist", "fmnist", "cifar10"), ("mnist", "fmnist", "cifar10", "cassins", "retina")
SMALL_STEPS = {"batch_size": 125, "learning_rate": 0.002}  # with convolutions or an LSTM the solver would take 500 and 0.0005
LAPTOP_SETTINGS = (
    (("umap_tf",), None, {"n_training_epochs": 100}), (("umap_tf",), IMAGES, {"n_training_epochs": 20}),
    (PUMAPS, IMAGES, {"n_training_epochs": 0.06}), (PUMAPS, ("cassins",), {"n_training_epochs": 0.15}), (WITH_DECODER, (*IMAGES, "cassins"), {"n_decoder_epochs": 3}),
    (("umap_ae",), ("cifar10",), SMALL_STEPS), (PUMAPS, ("cassins",), SMALL_STEPS),
    (("ptsne",), None, {"n_training_epochs": 100}), (("ptsne",), IMAGES, {"n_training_epochs": 15}), (("ptsne",), ("cassins",), {"n_training_epochs": 60}), (("ptsne",), ("moons",), {"n_training_epochs": 1000}),
    (("vae", "ae"), None, {"n_training_epochs": 30}), (("vae", "ae"), IMAGES, {"n_training_epochs": 5}), (("vae", "ae"), ("moons",), {"n_training_epochs": 500}), (("vae", "ae"), ("retina",), {"n_training_epochs": 300}),
)  # fmt: skip

# %%
#| export
PROFILES = {
    p.name: p
    for p in (
        Profile(
            "smoke", "hundreds of rows and a few steps, to see that everything works",
            blocks=(Block(("digits",), METHODS, (2,)), Block(("moons",), ("umap", "tsne", "pca"), (2,)), Block(("digits",), ("umap", "pumap", "pca"), (64,))),
            n_train=300, n_test=100, cluster_seeds=(0,),
            settings=((PUMAPS, None, {"n_training_epochs": 0.5}), (WITH_DECODER, None, {"n_decoder_epochs": 20}), (("umap_tf",), None, {"n_training_epochs": 1}), (("ptsne", "vae", "ae"), None, {"n_training_epochs": 20})),
        ),
        Profile(
            "quick", "the whole protocol on data that come with scikit-learn, in minutes",
            blocks=(Block(("digits", "moons"), METHODS, (2,)), Block(("digits",), IN_64, (64,)), Block(("digits",), ("umap", "pumap", "tsne"), (2,), (1, 2))),
            cluster_seeds=(0, 1),
            settings=((PUMAPS, None, {"n_training_epochs": 2, "batch_size": 125}), (WITH_DECODER, None, {"n_decoder_epochs": 80}), (("umap_tf",), None, {"n_training_epochs": 20}), (("ptsne",), None, {"n_training_epochs": 200}), (("vae", "ae"), None, {"n_training_epochs": 100})),
        ),
        Profile(
            "laptop", "real images, songs and cells on two cores: all rows, shortened training",
            blocks=(Block((*PAPER_DATA, *TOYS), METHODS, (2,)), Block(PAPER_DATA, IN_64, (64,)), Block(("mnist", "fmnist", "retina"), METHODS, (2,), (1, 2))),
            n_train_of={"bison": 10_000}, n_clustered=10_000,
            settings=LAPTOP_SETTINGS,
        ),
        Profile(
            "paper", "the original sizes, networks and epochs, for a GPU",
            blocks=(Block((*PAPER_DATA, *TOYS), METHODS, (2,)), Block(PAPER_DATA, IN_64, (64,))),
            settings=((PUMAPS, None, {"solver": "paper", "n_training_epochs": 5}), (PUMAPS, ("moons",), {"n_training_epochs": 100}),
                      (("umap_tf",), None, {"n_training_epochs": 100}), (("ptsne",), None, {"n_training_epochs": 1000}),
                      (("vae",), None, {"n_training_epochs": 30}), (("ae",), None, {"n_training_epochs": 50}), (("vae", "ae"), ("moons",), {"n_training_epochs": 500})),
        ),
    )
}


# %%
#| export
def profile(
    name: str,  # "smoke", "quick", "laptop" or "paper"
) -> Profile:  # what that name stands for
    "The profile of this name; ValueError lists the names."
    if name not in PROFILES:
        raise unknown("profile", name, tuple(PROFILES))
    return PROFILES[name]


# %%
#| export
def settings_for(
    cell: Cell,  # which method on which data set
    profile_name: str,  # how much of it
) -> dict:  # the keyword arguments of `make_method`
    "The settings of one cell: the protocol's, then the profile's; of two that set the same, the later counts."
    if cell.kind == "ssl":
        return ssl_settings(cell, profile_name)
    merged = {}
    for methods, datasets, settings in PROTOCOL + profile(profile_name).settings:
        if cell.method in methods and (datasets is None or cell.dataset in datasets):
            merged.update(settings)
    return merged


def rows_of(
    cell: Cell,  # of either grid
    profile_name: str,  # how much of it
) -> tuple:  # (n_train, n_test); None takes all
    "How many of the first rows of the training and of the test split a cell takes."
    return ssl_grid(profile_name).rows if cell.kind == "ssl" else profile(profile_name).rows(cell.dataset)


# %% [markdown]
# With the `paper` profile these are the settings of the original experiments: for parametric UMAP 5 passes, except for the moons' 100.

# %%
assert settings_for(Cell("mnist", "pumap", 64), "paper") == {"n_neighbors": 15, "min_dist": 0.1, "encoder": "conv28", "solver": "paper", "n_training_epochs": 5}
assert settings_for(Cell("moons", "pumap", 2), "paper") == {"n_neighbors": 15, "min_dist": 0.1, "encoder": "mlp", "solver": "paper", "n_training_epochs": 100}
assert settings_for(Cell("mnist", "tsne", 2), "paper") == {"perplexity": 30} and settings_for(Cell("bison", "umap", 2), "laptop") == {"n_neighbors": 150, "min_dist": 0.1}
assert settings_for(Cell("fmnist", "ae", 2), "paper") == {"encoder": "conv28", "n_training_epochs": 50}
assert settings_for(Cell("moons", "ae", 2), "paper") == {"encoder": "mlp", "unit_range": True, "n_training_epochs": 500}
assert profile("paper").rows("mnist") == (None, None) and profile("laptop").rows("bison") == (10_000, None)
assert {p.name: len(p.cells) for p in PROFILES.values()} == {"smoke": 16, "quick": 34, "laptop": 170, "paper": 110}

# %% [markdown]
# The protocol is the same in each profile. Only how long the training is, and by which loop and steps the one loss is minimized, may differ:

# %%
assert {key for p in PROFILES.values() for _, _, settings in p.settings for key in settings} <= set(SCALE_SETTINGS)
for method in METHODS:
    kept = [{k: v for k, v in settings_for(Cell("digits", method, 2), p).items() if k not in SCALE_SETTINGS} for p in PROFILES]
    assert all(settings == kept[0] for settings in kept)

# %% [markdown]
# ## Figures and tables
#
# Each is made by one notebook. Most show cells of a grid; where `n_components` is `()`, what is shown is no cell, and the notebook computes it itself: the data sets, a classifier, training curves, speeds. A table is made where the figure of the same numbers is drawn.
# The semi-supervised figures name the methods that they compare; their grid is told further down.

# %%
#| export
SSL_METHODS = ("baseline", "aug", "umap_euclidean", "umap_learned", "aug_umap_euclidean", "aug_umap_learned")  # see "The semi-supervised grid"


@dataclass(frozen=True)
class Figure:
    "A figure or table of the paper, and the notebook that makes it."

    id: str
    title: str
    notebook: str  # file stem in nbs/paper
    n_components: tuple | None = None  # only the cells in these dimensions; None takes all, () none: the notebook computes what it shows
    first_seed_only: bool = False  # a picture shows one run, a number the mean of several
    methods: tuple | None = None  # only the cells of these methods; None takes all
    ssl_methods: tuple = ()  # a figure of the semi-supervised grid: the methods that it compares
    with_umap: bool = False  # beside them the 2-D UMAP of the same data sets, where the profile has it


INVERTIBLE = ("umap", "umap_ae", "pumap_decoder", "vae", "ae", "pca")  # methods with a way back from the embedding
FIGURES = {
    f.id: f
    for f in (
        Figure("fig01", "From rows to a graph to an embedding, in two ways", "fig01_overview", ()),
        Figure("fig02", "The variants, their networks and gradients", "fig02_variants", ()),
        Figure("table1", "The data sets and their parts", "table01_datasets", ()),
        Figure("fig03", "Two moons with three labels per class", "fig03_moons_ssl", ()),
        Figure("fig04", "Projections of each data set by each method", "fig04_projections", (2,), True),
        Figure("fig05", "Trustworthiness of the projections", "fig05_trustworthiness"),
        Figure("table2", "Trustworthiness, in numbers", "fig05_trustworthiness"),
        Figure("fig06", "Accuracy of the nearest neighbor", "fig06_knn1"),
        Figure("table3", "Accuracy of the nearest neighbor, in numbers", "fig06_knn1"),
        Figure("fig07", "Accuracy of five neighbors", "fig07_knn5"),
        Figure("table4", "Accuracy of five neighbors, in numbers", "fig07_knn5"),
        Figure("fig08", "Silhouette of the classes", "fig08_silhouette"),
        Figure("table5", "Silhouette of the classes, in numbers", "fig08_silhouette"),
        Figure("fig09", "Clusters and labels", "fig09_clustering"),
        Figure("table6", "Clusters and labels, in numbers", "fig09_clustering"),
        Figure("fig10", "The UMAP loss against training time", "fig10_training_curves", ()),
        Figure("fig11", "Speed of embedding new rows", "fig11_embedding_speed", ()),
        Figure("fig12", "Speed of embedding and reconstruction", "fig12_reconstruction_speed", ()),
        Figure("fig13", "Error of the reconstructions", "fig13_reconstruction", methods=INVERTIBLE),
        Figure("table7", "Error of the reconstructions, in numbers", "fig13_reconstruction", methods=INVERTIBLE),
        Figure("fig14", "Attributes of faces, added and taken away", "fig14_latent_algebra", ()),
        Figure("fig15", "Few labels: the UMAP loss beside labels alone", "fig15_ssl_euclidean", ssl_methods=("baseline", "umap_euclidean"), with_umap=True),
        Figure("fig16", "Few labels: augmentation with and without the UMAP loss", "fig16_ssl_augmented", ssl_methods=("baseline", "aug", "aug_umap_euclidean")),
        Figure("fig17", "What the last layer of the classifier has learned", "fig17_last_layer", first_seed_only=True, ssl_methods=("baseline",), with_umap=True),
        Figure("fig18", "Few labels: the learned graph", "fig18_ssl_learned", ssl_methods=("baseline", "aug", "umap_learned", "aug_umap_learned")),
        Figure("table8", "Accuracy with few labels, in numbers", "fig18_ssl_learned", ssl_methods=SSL_METHODS),
    )
}


# %%
#| export
def figure(
    name: str,  # "fig05", "fig5", "5", "table2" or "table02"
) -> Figure:  # the registered figure
    "The figure or table of this name; ValueError lists the names."
    match = re.fullmatch(r"(fig|figure|table|tab)?[ ._-]*0*(\d+)", str(name).strip().lower())
    if match:
        kind = "table{}" if (match[1] or "").startswith("tab") else "fig{:02d}"
        found = FIGURES.get(kind.format(int(match[2])))
        if found:
            return found
    raise unknown("figure", name, tuple(FIGURES))


# %%
#| export
def cells_for(
    figure_id: str,  # as `figure` takes it
    profile_name: str,  # which profile
) -> tuple:  # of Cell
    "The cells that a figure needs, in the order of the profile's blocks."
    wanted, all_cells = figure(figure_id), profile(profile_name).cells
    if wanted.ssl_methods:
        cells = [c for c in ssl_grid(profile_name).cells if c.method in wanted.ssl_methods]
        if wanted.with_umap:
            there = {c.dataset for c in cells}
            cells += [c for c in all_cells if c.dataset in there and (c.method, c.n_components, c.seed) == ("umap", 2, 0)]
    else:
        cells = [c for c in all_cells if wanted.n_components is None or c.n_components in wanted.n_components]
        cells = [c for c in cells if wanted.methods is None or c.method in wanted.methods]
    if wanted.first_seed_only:
        cells = [c for c in cells if c.seed == min(o.seed for o in cells if o.dataset == c.dataset)]
    return tuple(cells)


# %%
assert figure("5") is figure("fig5") is figure("Fig. 05") is FIGURES["fig05"] and figure("table02").notebook == figure("fig05").notebook
assert {c.n_components for c in cells_for("fig04", "quick")} == {2} and {c.seed for c in cells_for("fig04", "quick")} == {0}
assert cells_for("fig03", "paper") == () and {c.method for c in cells_for("fig13", "paper")} == set(INVERTIBLE) < {c.method for c in cells_for("fig09", "paper")}
for picture, numbers in (("fig05", "table2"), ("fig06", "table3"), ("fig07", "table4"), ("fig08", "table5"), ("fig09", "table6"), ("fig13", "table7")):
    assert all(cells_for(picture, p) == cells_for(numbers, p) != () for p in PROFILES)
try: figure("fig55")
except ValueError as error: print(error)

# %% [markdown]
# ## Places
#
# Figures, records and notebooks live in the repository, beside the package. No path depends on the folder that a command happens to be called from.

# %%
#| export
CLONE = "Run `pip install -e '.[paper]'` in a clone of https://github.com/pumap/pumap."


def root() -> Path:
    "The repository's folder; FileNotFoundError if the package is installed without its notebooks."
    import pumap

    folder = Path(pumap.__file__).resolve().parents[1]
    if not (folder / "nbs" / "paper").is_dir():
        raise FileNotFoundError(f"The paper's notebooks are not installed with pumap, and {folder} is not a clone. {CLONE}")
    return folder


def figures_dir(
    profile_name: str,  # which profile
) -> Path:  # figures/<profile>, which need not exist yet
    "Where the figures and records of a profile are kept."
    return root() / "figures" / profile(profile_name).name


def results_place(
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
) -> Path:
    "The folder given, or that of the profile."
    return Path(results_dir) if results_dir else figures_dir(profile_name)


def notebook_path(
    name: str,  # file stem, such as "fig04_projections"
) -> Path:  # its place in nbs/paper
    "The source of a paper notebook."
    return root() / "nbs" / "paper" / f"{name}.ipynb"


def results_folder(
    results_dir,  # a path, "" or None for the folder of the profile
    profile_name: str = "smoke",  # which profile; for smoke, and without a name, a temporary folder
) -> Path:  # an absolute folder
    "The folder that a notebook's `results_dir` parameter stands for; a temporary one is removed when Python ends."
    if results_dir or profile_name != "smoke":
        return Path(results_dir or figures_dir(profile_name)).expanduser().resolve()
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="pumap-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


# %%
#| export
def portable(
    path,  # any path
) -> str:  # relative to the repository where it lies inside it
    "A path as it may stand in an executed notebook: notebooks run in the repository's folder, so a relative one will do."
    path = Path(path).resolve()
    return path.relative_to(root()).as_posix() if path.is_relative_to(root()) else str(path)


# %%
assert portable(figures_dir("quick")) == "figures/quick"
assert notebook_path("x") == figures_dir("quick").parents[1] / "nbs" / "paper" / "x.ipynb"

# %% [markdown]
# ## What a record depends on
#
# A record is worth keeping as long as what went into it did not change: the cell, the numbers of rows, the settings. A hash of these is written
# into the record. When the profile's table is edited, the hash differs and the cell is run again, and only that cell. Where an original data set cannot be passed on and
# another may stand in for it, that goes into the hash, too.

# %%
#| export
STAND_INS = {"cifar10": "cifar10_jpeg", "cassins": "finches", "retina": "worm_neurons", "celeba": "celeba_small"}  # used only when asked for


def inputs_hash(
    cell: Cell,  # which cell
    profile_name: str,  # which profile
    stand_ins: bool = False,  # may stand-in data be used?
) -> str:  # 16 hexadecimal digits
    "A short hash of everything that decides a cell's numbers."
    size = profile(profile_name)
    inputs = {
        "protocol": {"embedding": PROTOCOL_VERSION, "ssl": SSL_VERSION}[cell.kind],
        "cell": asdict(cell),
        "rows": [*rows_of(cell, profile_name), *([size.n_clustered] if cell.kind == "embedding" else [])],
        "settings": settings_for(cell, profile_name),
    }
    if cell.kind == "embedding" and size.cluster_seeds != CLUSTER_SEEDS:
        inputs["cluster_seeds"] = size.cluster_seeds
    if stand_ins and cell.dataset in STAND_INS:
        inputs["stand_in"] = STAND_INS[cell.dataset]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


# %%
cell = Cell("digits", "pumap", 2)
assert inputs_hash(cell, "smoke") == inputs_hash(Cell("digits", "pumap", 2), "smoke")
assert inputs_hash(cell, "smoke") != inputs_hash(cell, "quick") != inputs_hash(Cell("digits", "pumap", 2, seed=1), "quick")

# %% [markdown]
# ## Records
#
# A record is a small JSON file that holds the numbers and what they came from: profile, settings, rows, package versions, device, seconds, the source
# and checksum of the data. The points of a 2-D embedding (at most the first 10,000) lie beside it for the pictures.

# %%
#| export
RECORD_KEYS = (
    "cell", "profile", "inputs", "settings", "n_train", "n_test", "metrics", "seconds",
    "peak_memory_mb", "data", "versions", "device", "embedding", "finished",
)
METRICS = ("trustworthiness", "knn1_accuracy", "knn5_accuracy", "silhouette", "clustering_nmi", "reconstruction_mse")


class RecordDamaged(ValueError):
    "A record, or the embedding beside it, cannot be read."


def record_path(
    cell: Cell,  # which cell
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
) -> Path:  # its place, whether it is there or not
    "Where the record of a cell is kept."
    return results_place(profile_name, results_dir) / "records" / f"{cell.id}.json"


# %%
#| export
def write_record(
    record: dict,  # with all of RECORD_KEYS
    path: Path,  # from `record_path`
    **arrays,  # to lie beside the record, such as `embedding`, shape (n, 2), and `y`, the labels of these points; None is left out
) -> dict:  # the record, with the name of the file of arrays
    "Writes the arrays, then the record: a record that is there has all that belongs to it."
    import numpy as np

    from pumap.core import write_atomic

    arrays = {name: np.asarray(value) for name, value in arrays.items() if value is not None}
    record = dict(record, embedding=f"{Path(path).stem}.npz" if arrays else None)
    missing = [key for key in RECORD_KEYS if key not in record]
    if missing:
        raise ValueError(f"The record lacks {', '.join(missing)}; a record has all of RECORD_KEYS.")
    content = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
    if arrays:
        buffer = BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomic(Path(path).with_suffix(".npz"), buffer.getvalue())
    write_atomic(path, content)
    return record


# %%
#| export
def read_record(
    path: Path,  # from `record_path`
) -> dict:  # the record
    "Reads and checks a record. FileNotFoundError if there is none, RecordDamaged if it or its embedding is broken."
    path = Path(path)
    content = path.read_bytes()
    try:
        record = json.loads(content)
        lacking = [key for key in RECORD_KEYS if key not in record or (key == "metrics" and not record[key])]
        if lacking:
            raise RecordDamaged(f"{path.name} lacks {', '.join(lacking)}; set the file aside and run its cell again.")
        if record["embedding"]:
            with zipfile.ZipFile(path.with_name(record["embedding"])) as points:
                if points.testzip() is not None:
                    raise zipfile.BadZipFile("a checksum is wrong")
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise RecordDamaged(f"{path.name} is not a record ({type(error).__name__}: {error}); set the file aside and run its cell again.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:  # a bit that was flipped shows itself in each of these ways
        raise RecordDamaged(f"The embedding of {path.name} cannot be read ({error}); set the record aside and run its cell again.") from error
    return record


# %%
#| export
def read_arrays(
    record: dict,  # from `read_record` or `collect`
    results_dir,  # the folder that the record was read from
    *names: str,  # such as "embedding"
):  # the arrays of these names, a tuple; None if one is not there
    "Arrays that lie beside a record."
    import numpy as np

    if not record["embedding"]:
        return None
    with np.load(Path(results_dir) / "records" / record["embedding"]) as arrays:
        return tuple(arrays[name] for name in names) if set(names) <= set(arrays) else None


def read_embedding(record: dict, results_dir):
    "The points of a 2-D embedding, float32 of shape (n, 2), with their labels, shape (n,); None if the record has none."
    return read_arrays(record, results_dir, "embedding", "y")


def read_reconstructions(record: dict, results_dir):
    "A few test rows and what a method made of them, two arrays of the same shape, float16; None if the record has none."
    return read_arrays(record, results_dir, "shown", "reconstructed")


# %% [markdown]
# The state of a cell is what a run has to know: `done`, `missing`, `stale` (its inputs have changed) or `damaged`.

# %%
#| export
def cell_state(
    cell: Cell,  # which cell
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
    stand_ins: bool = False,  # may stand-in data be used?
) -> str:  # "done", "missing", "stale" or "damaged"
    "Whether the record of a cell is there, readable, and made from today's inputs."
    try:
        record = read_record(record_path(cell, profile_name, results_dir))
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except RecordDamaged:
        return "damaged"
    return "done" if record["inputs"] == inputs_hash(cell, profile_name, stand_ins) else "stale"


def set_aside(
    path: Path,  # a record that is stale or damaged
    why: str,  # one word, which becomes part of the new name
) -> Path:  # the new place
    "Renames a record, and the embedding beside it; nothing is deleted."
    path = Path(path)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    for file in (path.with_suffix(".npz"), path):
        if file.exists():
            target = file.with_name(f"{file.name}.{why}-{stamp}")
            os.replace(file, target)
    return target


# %% [markdown]
# A record goes to the disk and comes back. A broken one is told from a missing one, and is renamed rather than thrown away.

# %%
example = dict.fromkeys(RECORD_KEYS, None) | {"cell": asdict(cell), "inputs": inputs_hash(cell, "smoke"), "metrics": dict.fromkeys(METRICS, 0.5)}
with tempfile.TemporaryDirectory() as folder:
    place = record_path(cell, "smoke", folder)
    assert cell_state(cell, "smoke", folder) == "missing"
    written = write_record(example, place, embedding=np.eye(2), y=[0, 1])
    assert cell_state(cell, "smoke", folder) == "done"
    assert_allclose(read_embedding(read_record(place), folder)[0], np.eye(2))
    assert read_reconstructions(written, folder) is None
    write_record(example | {"inputs": "other"}, place)
    assert cell_state(cell, "smoke", folder) == "stale"
    place.write_text('{"cell": ')
    assert cell_state(cell, "smoke", folder) == "damaged"
    print(set_aside(place, "damaged").name)
    assert cell_state(cell, "smoke", folder) == "missing"


# %% [markdown]
# ## Running a cell
#
# The steps of every cell are the same: load the data, fit, embed rows that were never seen, measure, write down. Each step is a function, so
# that the notebook `paper/cell_embedding` can walk through them one by one.

# %%
#| export
def load_data(
    cell: Cell,  # which data set
    profile_name: str,  # how many rows
    data_dir=None,  # folder with the data; None or "" looks at PUMAP_DATA, the cache, the system, the internet
    stand_ins: bool = False,  # take stand-in data where the original cannot be passed on
):  # pumap.paper.datasets.Dataset
    "The data set of a cell, with as many rows as the profile says."
    from pumap.paper.datasets import load, take

    n_train, n_test = rows_of(cell, profile_name)
    name = STAND_INS.get(cell.dataset, cell.dataset) if stand_ins else cell.dataset
    return take(load(name, data_dir or None), n_train=n_train, n_test=n_test)


# %% [markdown]
# A perplexity of 500 asks for 1,500 neighbors, and the moons have 1,000 rows. openTSNE then lowers it to a third of the rows; ours does so before, so that
# the record tells the perplexity that was used.

# %%
#| export
def settings_used(
    cell: Cell,  # which cell
    profile_name: str,  # which profile
    n_train: int,  # rows to fit on
) -> dict:  # the keyword arguments of `make_method`
    "The settings of a cell as the rows allow them: t-SNE needs more rows than three times the perplexity."
    settings = settings_for(cell, profile_name)
    if "perplexity" in settings:
        settings["perplexity"] = min(settings["perplexity"], (n_train - 1) // 3)
    return settings


# %%
assert settings_used(Cell("moons", "tsne", 2), "paper", 1000) == {"perplexity": 333}
assert settings_used(Cell("mnist", "tsne", 2), "paper", 50_000) == {"perplexity": 30}


# %% [markdown]
# UMAP and t-SNE get no effort from the settings: the paper took what umap-learn and openTSNE do by themselves, and so do we. Whoever asks what a run will do is told all the same.

# %%
#| export
def effort_by_itself(
    cell: Cell,  # which method
    n_train: int,  # rows to fit on
) -> dict:  # n_epochs or n_iter; empty for other methods
    "The effort of a method whose library chooses it."
    if cell.method == "umap":
        return {"n_epochs": 500 if n_train <= 10_000 else 200}
    return {"n_iter": "250+500"} if cell.method == "tsne" else {}


# %%
assert effort_by_itself(Cell("moons", "umap", 2), 1000) == {"n_epochs": 500} and effort_by_itself(Cell("mnist", "pumap", 2), 50_000) == {}


# %%
#| export
def method_of(
    cell: Cell,  # which method, dimension and seed
    dataset,  # from `load_data`
    profile_name: str,  # which settings
    **changes,  # settings in place of these
):  # a transformer, not fitted
    "The method of a cell with all its settings."
    from pumap import import_quietly

    settings = settings_used(cell, profile_name, len(dataset.X_train)) | changes
    if settings.get("metric") == "dtw":
        settings["metric"] = import_quietly("pumap.paper.songs").dtw_metric(dataset.shape[:2])
    return import_quietly("pumap.baselines").make_method(cell.method, n_components=cell.n_components, random_state=cell.seed, **settings)


def fit_cell(
    cell: Cell,  # which method, dimension and seed
    dataset,  # from `load_data`
    profile_name: str,  # which settings
):  # (fitted transformer, embedding of the test rows (n_test, n_components), seconds of both)
    "Fits the method of a cell on the training rows and embeds the test rows, if there are any; both are timed."
    method = method_of(cell, dataset, profile_name)
    start = time.perf_counter()
    method.fit(dataset.X_train)
    fitted = time.perf_counter()
    embedding_test = method.transform(dataset.X_test) if len(dataset.X_test) else method.embedding_[:0]
    seconds = {"fit": fitted - start, "transform": time.perf_counter() - fitted}
    return method, embedding_test, seconds


# %% [markdown]
# Where a method has a way back, the test rows go it. umap-learn's takes seconds for a row, and so it gets a hundred rows only, as in the paper; it has none in many dimensions, nor for a metric without a gradient, such as dynamic time warping.

# %%
#| export
UMAP_RECONSTRUCTED = 100


def reconstruct(
    cell: Cell,  # which method
    method,  # fitted, from `fit_cell`
    dataset,  # from `load_data`
    embedding_test,  # of the test rows, shape (n_test, n_components)
):  # (the first test rows as they came back, shape (n, ...), or None if there is no way back; seconds)
    "What a method makes of embedded test rows."
    start = time.perf_counter()
    if not hasattr(method, "inverse_transform") or not len(dataset.X_test):
        return None, 0.0
    if cell.method == "umap" and (cell.n_components >= 8 or method.metric != "euclidean"):
        return None, 0.0
    points = embedding_test[:UMAP_RECONSTRUCTED] if cell.method == "umap" else embedding_test
    return method.inverse_transform(points), time.perf_counter() - start


# %% [markdown]
# The measures follow the paper. Trustworthiness looks at 5 neighbors among the first 10,000 training rows. The nearest-neighbor classifier learns
# from the embedded training rows and is tested on embedded test rows. The silhouette is over all training rows, with the true labels; clusters are sought in as many as the profile says.
# Reconstructions are judged on the test rows, in units of the range of the training data, which for images is 1. A measure that needs classes, test rows or a way back is None where there are none.

# %%
#| export
TRUSTWORTHINESS_ROWS = 10_000


def measure(
    dataset,  # from `load_data`
    embedding,  # of the training rows, shape (n_train, n_components)
    embedding_test,  # of the test rows, shape (n_test, n_components)
    reconstruction=None,  # of the first test rows, shape (n, ...); None if there is no way back
    n_clustered: int | None = None,  # first training rows to cluster; None takes all
    cluster_seeds: tuple = CLUSTER_SEEDS,  # of k-means
):  # (metrics by name, seconds)
    "The numbers of one cell, by the paper's protocol; ValueError if an embedding holds NaN or infinity."
    import numpy as np

    from pumap import metrics

    start = time.perf_counter()
    if not all(np.isfinite(part).all() for part in (embedding, embedding_test, reconstruction) if part is not None):
        raise ValueError("The embedding or the reconstruction holds NaN or infinity; try another seed, or a smaller learning rate.")
    first, y = slice(TRUSTWORTHINESS_ROWS), dataset.y_train
    X = dataset.X_train[first].reshape(len(dataset.X_train[first]), -1)
    found = dict.fromkeys(METRICS) | {"trustworthiness": metrics.trustworthiness(X, embedding[first], n_neighbors=5)}
    if has_classes(dataset):
        found["silhouette"] = metrics.silhouette(embedding, y)
        found["clustering_nmi"] = metrics.clustering_nmi(embedding[:n_clustered], y[:n_clustered], random_states=cluster_seeds)
        for k in (1, 5) if len(embedding_test) else ():
            found[f"knn{k}_accuracy"] = metrics.knn_accuracy(embedding, y, embedding_test, dataset.y_test, n_neighbors=k)
    if reconstruction is not None:
        unit = float(dataset.X_train.max()) - float(dataset.X_train.min())
        found["reconstruction_mse"] = metrics.reconstruction_mse(dataset.X_test[: len(reconstruction)], reconstruction) / unit**2
    return {name: None if value is None else float(value) for name, value in found.items()}, time.perf_counter() - start


def has_classes(
    dataset,  # from `load_data`
) -> bool:
    "Whether each row has one of several classes; the bison has a height in place of one."
    return dataset.y_train.ndim == 1 and dataset.y_train.dtype.kind in "iub"


# %% [markdown]
# A number without its circumstances cannot be checked later. These three functions note them.

# %%
#| export
def versions() -> dict:
    "Versions of what decides the numbers, by package name; None for what is not installed."
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("pumap", "tensorflow", "jax", "torch", "keras", "umap-learn", "openTSNE", "scikit-learn", "numpy"):
        for distribution in (name, f"{name}-cpu"):
            try:
                found[name] = version(distribution)
                break
            except PackageNotFoundError:
                found.setdefault(name, None)
    from pumap import __version__

    return found | {"pumap": __version__}


def device() -> str:
    "The name of the GPU if the backend has one, else \"cpu\"."
    backend = sys.modules.get("pumap.backend")
    return list(backend.devices().values())[-1] if backend else "cpu"


def peak_memory_mb() -> float | None:
    "The most memory this process has ever held, in MiB; None where the system does not tell (Windows)."
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


# %%
assert versions()["python"].startswith("3.") and isinstance(device(), str)
assert peak_memory_mb() is None or peak_memory_mb() > 10


# %%
#| export
def make_record(
    cell: Cell,  # which cell
    profile_name: str,  # which profile
    dataset,  # from `load_data`
    metrics: dict,  # from `measure`
    seconds: dict,  # of fit, transform, inverse, metrics
    stand_ins: bool = False,  # were stand-in data allowed?
) -> dict:  # with all of RECORD_KEYS
    "The record of a cell that has been run."
    uses_backend = cell.kind == "ssl" or cell.method in ("umap_tf", *PARAMETRIC)
    return {
        "cell": asdict(cell),
        "profile": profile_name,
        "inputs": inputs_hash(cell, profile_name, stand_ins),
        "settings": settings_used(cell, profile_name, len(dataset.X_train)),
        "n_train": len(dataset.X_train),
        "n_test": len(dataset.X_test),
        "metrics": metrics,
        "seconds": {key: round(value, 3) for key, value in seconds.items()},
        "peak_memory_mb": peak_memory_mb(),
        "data": {key: getattr(dataset, key) for key in ("title", "source", "sha256", "stand_in_for")},
        "versions": versions(),
        "device": device() if uses_backend else "cpu",
        "embedding": None,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


# %%
#| export
N_SHOWN = 8  # test rows whose reconstruction is kept


def save_cell(
    cell: Cell,  # which cell
    record: dict,  # from `make_record`
    dataset,  # from `load_data`
    embedding,  # of the training rows, shape (n_train, n_components)
    reconstruction=None,  # from `reconstruct`
    results_dir=None,  # None stands for figures/<profile>
) -> dict:  # the record, with the name of the file beside it
    "Writes a record, and beside it the first 10,000 rows of a 2-D embedding and the first reconstructions (no photographs of people)."
    arrays, first = {}, slice(TRUSTWORTHINESS_ROWS)
    if cell.n_components == 2:
        arrays = {"embedding": embedding[first].astype("float32"), "y": dataset.y_train[first]}
    if reconstruction is not None and cell.dataset not in ("celeba", STAND_INS["celeba"]):
        arrays |= {"shown": dataset.X_test[:N_SHOWN].astype("float16"), "reconstructed": reconstruction[:N_SHOWN].astype("float16")}
    return write_record(record, record_path(cell, record["profile"], results_dir), **arrays)


# %%
#| export
def run_cell(
    cell: Cell,  # which cell
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
    data_dir=None,  # as in `load_data`
    stand_ins: bool = False,  # as in `load_data`
) -> dict:  # the record
    "Runs one cell of either grid from the data to the record on disk, in this process."
    if cell.kind == "ssl":
        return run_ssl_cell(cell, profile_name, results_dir, data_dir, stand_ins)
    check_cell(cell)
    dataset = load_data(cell, profile_name, data_dir, stand_ins)
    method, embedding_test, seconds = fit_cell(cell, dataset, profile_name)
    reconstruction, seconds["inverse"] = reconstruct(cell, method, dataset, embedding_test)
    metrics, seconds["metrics"] = measure(dataset, method.embedding_, embedding_test, reconstruction, **profile(profile_name).clustering)
    record = make_record(cell, profile_name, dataset, metrics, seconds, stand_ins)
    return save_cell(cell, record, dataset, method.embedding_, reconstruction, results_dir)


# %% [markdown]
# `collect` gives the records of some cells: those with a record are read, those without are run. A data set that cannot be had costs a figure one panel, not
# the whole: with a dictionary in `reasons`, the cell is left out and the reason noted there.

# %%
#| export
NOT_RUN = "not run yet"  # the reason for a cell whose record is missing, stale or damaged, if none may be run


def collect(
    cells,  # the cells wanted
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
    data_dir=None,  # as in `load_data`
    run_missing: bool = True,  # run what is not there (or stale); otherwise it counts as not to be had
    reasons: dict | None = None,  # filled with cell -> why it is missing; None raises the error instead
    stand_ins: bool = False,  # as in `load_data`
) -> list:  # of records, in the order of `cells`
    "The records of these cells. Damaged and stale records are set aside and run again, if their data can be had."
    records, absent = [], {}
    for cell in cells:
        path = record_path(cell, profile_name, results_dir)
        state = cell_state(cell, profile_name, results_dir, stand_ins)
        try:
            if state == "done":
                records.append(read_record(path))
            elif not run_missing:
                raise FileNotFoundError(NOT_RUN if reasons is not None else f"{cell.id} has not been run in profile {profile_name} (state: {state}); run it with `pumap run`.")
            elif cell.dataset in absent:  # one search, or one download that fails, per data set
                raise absent[cell.dataset]
            else:
                if state != "missing":
                    load_data(cell, profile_name, data_dir, stand_ins)  # an error here leaves the record where it is: it could not be made again
                    set_aside(path, state)
                records.append(run_cell(cell, profile_name, results_dir, data_dir, stand_ins))
        except (FileNotFoundError, ValueError) as error:
            if reasons is None:
                raise
            if run_missing and isinstance(error, FileNotFoundError):
                absent[cell.dataset] = error
            reasons[cell] = str(error)
    return records


# %% [markdown]
# The cheapest cell, run for real. The second `collect` reads it from the disk.

# %%
with tempfile.TemporaryDirectory() as folder:
    cheap = Cell("digits", "pca", 2)
    (record,) = collect([cheap], "smoke", folder)
    assert set(record) == set(RECORD_KEYS) and record["n_train"] == 300 and 0.6 < record["metrics"]["trustworthiness"] <= 1
    assert collect([cheap], "smoke", folder, run_missing=False) == [record]
    points, labels = read_embedding(record, folder)
    assert points.shape == (300, 2) and labels.shape == (300,)
    reasons = {}
    assert collect([Cell("digits", "umap", 2)], "smoke", folder, run_missing=False, reasons=reasons) == [] and list(reasons.values()) == [NOT_RUN]
record["metrics"]


# %% [markdown]
# The notebooks of Figures 4 to 9, 13 and 15 to 18 begin in the same way: which cells does the figure need in this profile, where are the records, what is left out and why? `gather` answers
# all of it.

# %%
#| export
@dataclass(frozen=True)
class Gathered:
    "What a figure is drawn from: its cells, and what there is of each."

    profile: Profile
    results: Path  # the folder that holds the records
    cells: tuple  # all cells of the figure
    records: list  # of the cells that are there, in their order
    reasons: dict  # cell -> why it is not there

    @property
    def missing(self) -> dict:
        "Data sets of which nothing is there, each with the reason."
        there = {record["cell"]["dataset"] for record in self.records}
        return {cell.dataset: reason for cell, reason in self.reasons.items() if cell.dataset not in there}

    def having(self, metric: str) -> "Gathered":
        "The same without the records in which a measure is None: not every cell has classes, test rows or a way back."
        records = [record for record in self.records if record["metrics"][metric] is not None]
        without = {Cell(**record["cell"]) for record in self.records} - {Cell(**record["cell"]) for record in records}
        return replace(self, records=records, cells=tuple(cell for cell in self.cells if cell not in without))

    def __str__(self):
        lines = [f"profile {self.profile.name}: {self.profile.title}; {len(self.records)} of {len(self.cells)} cells are there"]
        waiting = [cell.id for cell, reason in self.reasons.items() if reason == NOT_RUN]
        lines += [f"left out: {reason}" for reason in dict.fromkeys(self.reasons.values()) if reason != NOT_RUN]
        return "\n".join(lines + [f"left out, {NOT_RUN}: {', '.join(waiting)}"] * bool(waiting))


def gather(
    figure_id: str,  # as `figure` takes it
    profile_name: str,  # which profile
    results_dir="",  # where the records are; "" stands for figures/<profile>, for smoke a temporary folder
    data_dir="",  # as in `load_data`
    stand_ins: bool = False,  # as in `load_data`
    run_missing: bool = True,  # as in `collect`
) -> Gathered:  # print it to tell what is there
    "The cells of a figure with their records; what is missing is run if so asked, and what cannot be had is told."
    size, reasons = profile(profile_name), {}
    results = results_folder(results_dir, profile_name)
    cells = cells_for(figure_id, profile_name)
    records = collect(cells, profile_name, results, data_dir, run_missing, reasons, stand_ins)
    return Gathered(size, results, cells, records, reasons)


# %%
other = Cell("bison", "umap", 2)
found = Gathered(profile("smoke"), Path(), (cheap, other), [record], {other: "Bison is not here."})
assert found.missing == {"bison": "Bison is not here."}
assert found.having("silhouette") == found and found.having("reconstruction_mse").records == [record]
heights = record | {"cell": asdict(other), "metrics": record["metrics"] | {"silhouette": None}}
assert replace(found, records=[record, heights], reasons={}).having("silhouette").cells == (cheap,)
print(found)
assert "1 of 2 cells are there\nleft out: Bison is not here." in str(found)
assert str(replace(found, reasons={other: NOT_RUN})).endswith(f"left out, not run yet: {other.id}")

# %% [markdown]
# PCA gives a check of all measures at once. With as many components as the data have columns it leaves nothing out: it only turns the data. So the numbers of such a cell
# must be those of the data themselves. Moons and digits are small enough to see that each time.

# %%
#| export
N_COLUMNS = {"moons": 2, "digits": 64}  # digits: 8 x 8 pixels


def turned_only(
    records: list,  # from `collect`
    metric: str,  # one of METRICS
    data_dir="",  # as in `load_data`
) -> list:  # of (cell, the value in its record, the value of the data without any embedding)
    "The cells in which PCA only turned the data, with what is measured there and on the data themselves."
    rows = []
    for record in records:
        cell = Cell(**record["cell"])
        if cell.method == "pca" and cell.n_components == N_COLUMNS.get(cell.dataset):
            dataset = load_data(cell, record["profile"], data_dir)
            X, X_test = (part.reshape(len(part), -1) for part in (dataset.X_train, dataset.X_test))
            of_data, _ = measure(dataset, X, X_test, dataset.X_test, **profile(record["profile"]).clustering)
            rows.append((cell, record["metrics"][metric], of_data[metric]))
    return rows


# %%
with tempfile.TemporaryDirectory() as folder:
    pca = collect([Cell("moons", "pca", 2), Cell("digits", "pca", 2)], "smoke", folder)
    for metric in METRICS:
        ((cell, ours, data),) = turned_only(pca, metric)  # two components of the digits' 64 are not all
        assert cell.dataset == "moons" and abs(ours - data) < 1e-3, f"{metric}: {ours} and {data}"


# %% [markdown]
# ## Running a notebook
#
# papermill runs a notebook with parameters, but takes a misspelt parameter in silence and uses the default. Here that is an error. The executed copy appears only
# when the whole notebook has run, without times and machine paths, so that it can be committed and read.

# %%
#| export
class NotebookFailed(RuntimeError):
    "A cell of a notebook raised an error."


def import_papermill():  # the module
    "papermill, without the seconds that a checker of addresses takes to start, which jsonschema can do without and notebooks have no use for."
    unless_there = sys.modules.setdefault("rfc3987_syntax")  # None: the import of it fails
    try:
        import papermill
    finally:
        if unless_there is None:
            del sys.modules["rfc3987_syntax"]
    return papermill


def check_parameters(
    path: Path,  # a notebook with a cell tagged `parameters`
    parameters: dict,  # by name
):
    "Raises ValueError if the notebook does not know one of the names."
    import logging

    papermill = import_papermill()
    logging.getLogger("papermill").setLevel(logging.ERROR)
    known = tuple(papermill.inspect_notebook(str(path)))
    for name in parameters:
        if name not in known:
            raise unknown(f"parameter in {Path(path).name} called", name, known)


def clean_copy(
    notebook,  # an executed notebook, as nbformat reads it
):  # the same notebook
    "Takes away papermill's notes of times and paths, and what TensorFlow says at every start; keeps all other outputs."
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(without_startup, cell.outputs) if output]
    return notebook


def without_startup(
    output,  # of a cell, as nbformat reads it
):  # the same output; None if nothing is left of it
    "An output without TensorFlow's start-up messages, which are the same each time, and about the machine."
    from pumap import STARTUP_MESSAGES

    if output.get("name") != "stderr":
        return output
    about_machine = (*STARTUP_MESSAGES, "failed call to cuInit")  # the last comes later, and who runs something should hear it
    lines = output.text.splitlines(keepends=True)
    output.text = "".join(line for line in lines if not any(message in line for message in about_machine))
    return output if output.text else None


# %% [markdown]
# The executed copy of a figure's notebook also tells whether the figure is up to date: it carries a hash of its source and of the records it was made from. (The times of the files would not do: a fresh clone has all of them at once.)

# %%
#| export
def cells_of_notebook(
    notebook: str,  # file stem in nbs/paper
    profile_name: str,  # which profile
) -> tuple:  # of Cell
    "The cells of all figures and tables that one notebook makes."
    return tuple(dict.fromkeys(cell for f in FIGURES.values() if f.notebook == notebook for cell in cells_for(f.id, profile_name)))


def made_from(
    notebook: str,  # file stem in nbs/paper
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
) -> str:  # 16 hexadecimal digits
    "A hash of the source of a figure's notebook and of what it reads, as it is now: the records of its cells, or what it measured itself."
    text = ["".join(cell["source"]) for cell in json.loads(notebook_path(notebook).read_text(encoding="utf-8"))["cells"]]
    places = [record_path(cell, profile_name, results_dir) for cell in cells_of_notebook(notebook, profile_name)]
    places = places or sorted(p for p in results_place(profile_name, results_dir).glob(f"{notebook.split('_')[0]}_*") if p.suffix in (".csv", ".json", ".npz"))
    records = [hashlib.sha256(place.read_bytes()).hexdigest() if place.exists() else None for place in places]
    return hashlib.sha256(json.dumps([text, records]).encode()).hexdigest()[:16]


def left_out(
    path: Path,  # an executed notebook
) -> list:  # of str: what, and why
    "What a notebook that was run had to leave out, in its own words: the lines that it began with `left out:`."
    cells = json.loads(Path(path).read_text(encoding="utf-8")).get("cells", ())
    printed = ["".join(output.get("text", ())) for cell in cells for output in cell.get("outputs", ())]
    return [line.removeprefix("left out: ") for text in printed for line in text.splitlines() if line.startswith("left out: ")]


def is_drawn(
    notebook: str,  # file stem in nbs/paper
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
) -> bool:
    "Whether the executed copy of a figure's notebook is there, made from the source and the records that are there now."
    path = results_place(profile_name, results_dir) / f"{notebook}.ipynb"
    try:
        copy = json.loads(path.read_text(encoding="utf-8"))
        same = copy["metadata"]["pumap"]["made_from"] == made_from(notebook, profile_name, results_dir)
    except (FileNotFoundError, ValueError, KeyError):
        return False
    return same and (bool(cells_of_notebook(notebook, profile_name)) or not left_out(path))  # of a cell that is missing the plan of `pumap run` knows


def signed(
    copy,  # an executed notebook, as nbformat reads it
    path: Path,  # its source
    parameters: dict,  # what it was run with
):  # the same notebook
    "Notes in the copy of a figure's notebook what it was made from."
    profile_name = parameters.get("profile")
    if profile_name in PROFILES and Path(path).stem in {f.notebook for f in FIGURES.values()}:
        results = root() / parameters["results_dir"] if parameters.get("results_dir") else None
        copy.metadata["pumap"] = {"made_from": made_from(Path(path).stem, profile_name, results)}
    return copy


# %% [markdown]
# A kernel that is asked to shut down needs seconds to unload TensorFlow, and sometimes reports an interruption as an error. So it is killed once its
# last cell has run. Its temporary files are in a folder that is deleted with it.

# %%
#| export
@contextmanager
def kernel_environment():
    "The environment that a kernel inherits: with a temporary folder of its own, and without a matplotlib backend, so that pictures are shown in the copy."
    import tempfile
    from unittest.mock import patch

    with tempfile.TemporaryDirectory(prefix="pumap-", ignore_cleanup_errors=True) as folder, patch.dict(os.environ, TMPDIR=folder):
        os.environ.pop("MPLBACKEND", None)
        yield


# %%
#| export
def run_notebook(
    path: Path,  # the source notebook
    output: Path,  # where the executed copy goes
    parameters: dict,  # papermill parameters, checked against the notebook's own
) -> Path:  # the executed copy
    """Runs a notebook in a fresh kernel, in the repository's folder, and keeps the executed copy.

    Raises ValueError for an unknown parameter and NotebookFailed, with one line, when a cell fails; the
    copy up to that cell is then kept as `<output>.failed.ipynb`."""
    papermill = import_papermill()
    import nbformat

    from pumap.core import write_atomic

    check_parameters(path, parameters)
    output = Path(output).resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_name(f".{output.stem}.{os.getpid()}.tmp.ipynb")
    # Each kernel warns that it talks over TCP, as kernels on one machine do. What a cell has to say, and its errors, come another way.
    kernel = {"extra_arguments": ["--log-level=CRITICAL"], "shutdown_kernel": "immediate"}
    try:
        with kernel_environment():
            papermill.execute_notebook(str(path), str(draft), parameters, cwd=str(root()), progress_bar=False, **kernel)
        copy = signed(clean_copy(nbformat.read(draft, as_version=4)), path, parameters)
        write_atomic(output, nbformat.writes(copy).encode())
    except papermill.PapermillExecutionError as error:
        os.replace(draft, output.with_suffix(".failed.ipynb"))
        print("\n".join(error.traceback), file=sys.stderr)
        message = (str(error.evalue).strip() or "no message").splitlines()[0]
        raise NotebookFailed(f"{Path(path).name} failed: {error.ename}: {message}") from None
    finally:
        draft.unlink(missing_ok=True)
    return output


# %% [markdown]
# ## The semi-supervised grid
#
# The second half of the paper (section 3.4) asks what the UMAP loss of all rows is worth to a classifier that has few labels. Six methods answer: a classifier on the labels alone (`baseline`), the same on augmented images (`aug`), and either with the UMAP loss
# on edges of the Euclidean graph of the pixels, or of a graph that the network learns (`08_semisupervised`). A cell is one method on one data set with so many labels *per class*, and a seed. The seed decides which rows have labels, and the network.

# %%
#| export
AUGMENTATIONS = {"digits": "mnist", "mnist": "mnist", "fmnist": "fmnist", "cifar10": "cifar10"}  # by data set: names of `semisupervised.augmentation`


@dataclass(frozen=True)
class SSLCell:
    "One semi-supervised method on one data set with `n_labels` labeled rows per class, started from one seed."

    dataset: str
    method: str
    n_labels: int | str  # per class; "full": every training row has its label
    seed: int = 0
    kind = "ssl"

    @property
    def id(self) -> str:
        "The cell's name, used for its files."
        return f"{self.dataset}-{self.method}-labels{self.n_labels}-seed{self.seed}"


def cell_of(
    record: dict,  # of either grid
) -> Cell | SSLCell:
    "The cell that a record is of."
    return (SSLCell if "n_labels" in record["cell"] else Cell)(**record["cell"])


def ssl_count(
    n_labels,  # a number, its text, or "full"
) -> int | str:
    "Labels per class as a cell has them."
    return n_labels if n_labels == "full" else int(n_labels)


def label_order(
    n_labels: int | str,  # labels per class
) -> float:
    "A key to sort numbers of labels by; `full` comes last."
    return float("inf") if n_labels == "full" else n_labels


def check_ssl_cell(
    cell: SSLCell,  # any cell, for example one made from papermill parameters
) -> SSLCell:  # the same cell
    "Raises ValueError if the data set or the method does not exist, or a number makes no sense."
    if cell.dataset not in AUGMENTATIONS:
        raise unknown("data set of the semi-supervised grid", cell.dataset, tuple(AUGMENTATIONS))
    if cell.method not in SSL_METHODS:
        raise unknown("semi-supervised method", cell.method, SSL_METHODS)
    if cell.n_labels != "full" and (not isinstance(cell.n_labels, int) or isinstance(cell.n_labels, bool) or cell.n_labels < 1):
        raise ValueError(f"n_labels is {cell.n_labels!r}; give a whole number of labels per class, 1 or more, or 'full'.")
    check_cell(Cell(cell.dataset, "pca", 1, cell.seed))  # the seed, as in the other grid
    return cell


# %%
assert SSLCell("mnist", "aug", 4).id == "mnist-aug-labels4-seed0"
for wrong in (SSLCell("digit", "aug", 4), SSLCell("digits", "umap", 4), SSLCell("digits", "aug", 0), SSLCell("digits", "aug", "all"), SSLCell("digits", "aug", 4, -1)):
    try: check_ssl_cell(wrong)
    except ValueError as error: print(error)
    else: assert False

# %% [markdown]
# What holds in every profile: the loss and its weight, the graph, `min_dist`, the label smoothing. As in the original, known labels enter the graph: edges between rows with different labels are cut (the paper does not say so). One thing is ours: the
# labeled rows of a class are drawn at random by the seed. The original takes the first of each class, with `labels="first"` ours does so, too.

# %%
#| export
SSL_PROTOCOL = {"n_neighbors": 15, "min_dist": 0.001, "label_smoothing": 0.2, "labels_in_graph": True, "labels": "random"}


def ssl_method(
    cell: SSLCell,  # which method
) -> dict:  # settings
    "What tells the six methods apart."
    settings = {"umap_weight": 1.0, "graph": "learned" if cell.method.endswith("learned") else "euclidean"} if "umap" in cell.method else {"umap_weight": 0}
    return settings | ({"augment": AUGMENTATIONS[cell.dataset]} if cell.method.startswith("aug") else {})


# %% [markdown]
# And what a profile sets: which cells, how many rows, how wide the network, how long the training, and which rows it stops on. The `paper` profile has the original's numbers: the network `cnn13`, 256 features that two heads of 256 and 256 units share, 1,024 dimensions, batches
# of 128 labeled images and 128 edges, at most 500 epochs of 390 steps (312 for CIFAR10), looked at every ten epochs on the 10,000 labeled validation images, and ended after a hundred epochs without a better accuracy. The original trains the classifier first
# and then goes on with both losses from its best weights; here both are one training that begins with `n_label_steps` on the labels alone.
#
# Three things of that profile are not the original's. Its learning rate is constant, 0.0001 for the classifier on MNIST and Fashion-MNIST and 0.001 elsewhere; ours is 0.001 at its highest throughout, and falls to zero. Its second stage may take 500 times ten epochs, and ends when ten of these have gained less than 0.0025;
# ours has 500 epochs for both. And it reports the accuracy after the last of them, where ours goes back to the best weights.
#
# The other profiles train briefly. In a brief training the two heads of such a Y go their own ways (`08_semisupervised` measures it), so there the classifier reads the UMAP space itself, of fewer dimensions. The `laptop` profile has `cnn13` with an eighth of the filters, and shrinks images
# to half their size in the network's first layer: the graph and the augmentations are those of the full images.

# %%
#| export
@dataclass(frozen=True)
class SSLGrid:
    "How much of the semi-supervised grid a profile has, and how large its cells are."

    datasets: tuple
    seeds: dict  # labels per class -> seeds
    n_train: int | None  # first rows of the training split; None takes all
    n_test: int | None
    settings: dict  # of every cell
    of_dataset: dict = field(default_factory=dict)  # data set -> settings of its cells
    labels_alone: dict = field(default_factory=dict)  # settings of the methods without the UMAP loss
    rows = property(lambda self: (self.n_train, self.n_test), doc="How many training and test rows are taken; None takes all.")

    @property
    def cells(self) -> tuple:
        "Every cell, data set by data set."
        return tuple(SSLCell(d, m, n, s) for d in self.datasets for n, seeds in self.seeds.items() for m in SSL_METHODS for s in seeds)


SSL_GRIDS = {
    "smoke": SSLGrid(
        ("digits",), {4: (0,), "full": (0,)}, 300, 100,
        {"encoder": "mlp_norm", "n_components": 16, "n_steps": 30, "n_label_steps": 10, "n_rounds": 2, "batch_size": 64, "learning_rate": 0.01},
    ),
    "quick": SSLGrid(
        ("digits",), {4: (0,), "full": (0,)}, None, None,
        {"encoder": "mlp_norm", "n_components": 64, "n_steps": 400, "n_label_steps": 100, "n_rounds": 5, "batch_size": 250, "learning_rate": 0.01},
    ),
    "laptop": SSLGrid(
        ("mnist", "fmnist", "cifar10"), {4: (0, 1, 2), 64: (0,), "full": (0,)}, 10_000, 5_000,
        {"encoder": "cnn13", "width": 0.125, "half_size": True, "n_components": 64, "n_steps": 1000, "n_label_steps": 500,
         "n_rounds": 5, "batch_size": 128, "labeled_batch_size": 64, "learning_rate": 0.005},
        labels_alone={"n_steps": 1500},
    ),
    "paper": SSLGrid(
        ("mnist", "fmnist", "cifar10"), {n: (0,) for n in (4, 16, 64, 256, 1024, "full")}, None, None,
        {"encoder": "cnn13", "n_shared": 256, "head_layers": [256, 256], "weight_norm": True, "n_components": 1024, "n_steps": 500 * 390, "n_label_steps": 100 * 390,
         "n_rounds": 50, "patience": 10, "stop_on": "given", "batch_size": 128, "labeled_batch_size": 128, "learning_rate": 0.001},
        of_dataset={"cifar10": {"n_steps": 500 * 312, "n_label_steps": 100 * 312}},
    ),
}  # fmt: skip


# %%
#| export
def ssl_grid(
    profile_name: str,  # which profile
) -> SSLGrid:
    "The semi-supervised grid of a profile; ValueError lists the names of the profiles."
    return SSL_GRIDS[profile(profile_name).name]


def ssl_settings(
    cell: SSLCell,  # which method on which data set
    profile_name: str,  # how much of it
) -> dict:  # for `ssl_classifier`
    "The settings of one cell: the protocol's, the method's, then the profile's, the more particular last."
    size = ssl_grid(profile_name)
    settings = SSL_PROTOCOL | ssl_method(cell) | size.settings | size.of_dataset.get(cell.dataset, {})
    if not settings["umap_weight"]:  # no graph, no second stage
        unused = ("n_neighbors", "min_dist", "labels_in_graph", "n_label_steps", "batch_size")
        settings = {key: value for key, value in settings.items() if key not in unused} | size.labels_alone
    return settings


# %%
settings = ssl_settings(SSLCell("cifar10", "aug_umap_learned", 4), "paper")
assert settings["encoder"] == "cnn13" and settings["graph"] == "learned" and settings["augment"] == "cifar10" and settings["n_steps"] == 156_000
assert (settings["n_shared"], settings["head_layers"], settings["n_components"], settings["batch_size"]) == (256, [256, 256], 1024, 128)
assert "graph" not in ssl_settings(SSLCell("mnist", "baseline", 4), "paper")
assert rows_of(SSLCell("mnist", "aug", 4), "paper") == (None, None) != rows_of(SSLCell("mnist", "aug", 4), "laptop")
assert len(ssl_grid("paper").cells) == 3 * 6 * 6 and len(ssl_grid("laptop").cells) == 3 * 6 * 5
assert {c.method for c in cells_for("fig16", "paper")} == {"baseline", "aug", "aug_umap_euclidean"}
assert cells_for("table8", "laptop") == ssl_grid("laptop").cells


# %% [markdown]
# ### The steps of a cell
#
# Choose the labels, fit, test. `choose_labels` gives each of `n_labels` rows per class its label and all others -1.

# %%
#| export
def choose_labels(
    y,  # classes, shape (n,)
    n_labels: int | str,  # per class, or "full"
    seed: int = 0,
    labels: str = "random",  # which rows of a class; "first": the first ones, as in the original
):  # labels with -1 where there is none, shape (n,)
    "The labels that a classifier gets to see; ValueError if a class has too few rows."
    import numpy as np

    y = np.asarray(y)
    if n_labels == "full":
        return y.copy()
    rng, chosen = np.random.default_rng(seed), np.full(len(y), -1)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        if len(rows) < n_labels:
            raise ValueError(f"Class {label} has {len(rows)} training rows, so {n_labels} labels per class cannot be had; take more rows or fewer labels.")
        chosen[rows[:n_labels] if labels == "first" else rng.choice(rows, n_labels, replace=False)] = label
    return chosen


# %%
classes = np.arange(60) % 3
assert (choose_labels(classes, 4, labels="first") >= 0).nonzero()[0].tolist() == list(range(12))
some, others = choose_labels(classes, 4, seed=0), choose_labels(classes, 4, seed=1)
assert np.bincount(some[some >= 0]).tolist() == [4, 4, 4] and (some != others).any() and (some[some >= 0] == classes[some >= 0]).all()
assert (choose_labels(classes, "full") == classes).all()
try: choose_labels(classes, 21)
except ValueError as error: print(error)
else: assert False


# %%
#| export
def ssl_encoder(
    encoder: str,  # "cnn13", or a name that SemiSupervisedClassifier knows
    width: float = 1.0,  # factor on the number of filters of cnn13
    half_size: bool = False,  # average each 2 x 2 pixels first
):  # what SemiSupervisedClassifier takes as `encoder`
    "The network of a cell."
    if encoder != "cnn13":
        return encoder
    from pumap import import_quietly

    cnn13_encoder = import_quietly("pumap.networks").cnn13_encoder

    def build(input_shape, n_components):
        from keras import Input, Sequential, layers

        if not half_size:
            return cnn13_encoder(input_shape, n_components, width)
        halved = layers.AveragePooling2D(2)
        small = halved.compute_output_shape((None, *input_shape))[1:]
        return Sequential([Input(input_shape), halved, cnn13_encoder(small, n_components, width)])

    return build


def ssl_classifier(
    cell: SSLCell,  # which method
    profile_name: str,  # which settings
    **changes,  # settings in place of these
):  # SemiSupervisedClassifier, not fitted
    "The classifier of a cell."
    from pumap import import_quietly

    settings = ssl_settings(cell, profile_name) | changes
    settings.pop("labels")  # see `choose_labels`
    settings["encoder"] = ssl_encoder(settings["encoder"], settings.pop("width", 1.0), settings.pop("half_size", False))
    return import_quietly("pumap.semisupervised").SemiSupervisedClassifier(random_state=cell.seed, **settings)


# %%
#| export
def fit_ssl_cell(
    cell: SSLCell,  # which method, labels and seed
    dataset,  # from `load_data`
    profile_name: str,  # which settings
    **changes,  # settings of the classifier in place of these
):  # (fitted classifier, the labels it saw with -1 elsewhere (n_train,), accuracy on the test rows, seconds)
    "Chooses labels, fits the classifier of a cell, and tests it on the test rows; both are timed."
    import numpy as np

    y = choose_labels(dataset.y_train, cell.n_labels, cell.seed, ssl_settings(cell, profile_name)["labels"])
    classifier = ssl_classifier(cell, profile_name, **changes)
    validation = (dataset.X_valid, dataset.y_valid) if classifier.stop_on == "given" else None
    start = time.perf_counter()
    classifier.fit(dataset.X_train, y, validation=validation)
    fitted = time.perf_counter()
    if not np.isfinite(classifier.history_["classification"][-1]):
        raise ValueError("The training ended in NaN or infinity; try another seed, or a smaller learning rate.")
    accuracy = float(np.mean(classifier.predict(dataset.X_test) == dataset.y_test))
    return classifier, y, accuracy, {"fit": fitted - start, "predict": time.perf_counter() - fitted}


# %% [markdown]
# Figure 17 looks into the classifier that had labels alone: at what its last layer reads, as a 2-D UMAP, with the true and the predicted classes. These few arrays are kept beside the record, for the first 10,000 rows.

# %%
#| export
def last_layer(
    classifier,  # fitted SemiSupervisedClassifier
    dataset,  # from `load_data`
    y,  # labels it saw, -1 elsewhere, shape (n_train,)
    seed: int = 0,
) -> dict:  # embedding (n, 2), y, predicted, labeled, each of n rows: the first of the training split
    "UMAP, with its default settings, of what the classifier's last layer reads."
    from pumap import import_quietly

    part, training = import_quietly("pumap.semisupervised").part, import_quietly("pumap.training")
    X = dataset.X_train[:TRUSTWORTHINESS_ROWS]
    hidden = training.encode(part(classifier.network_, "hidden"), training.Rows(X))
    umap = import_quietly("pumap.baselines").make_method("umap", random_state=seed, n_neighbors=15, min_dist=0.1).fit(hidden)
    first = slice(len(X))
    return {"embedding": umap.embedding_.astype("float32"), "y": dataset.y_train[first], "predicted": classifier.predict(X), "labeled": y[first] >= 0}


def read_last_layer(
    record: dict,  # of a baseline
    results_dir,  # the folder that the record was read from
) -> dict | None:  # as `last_layer`; None if the record has none
    "What lies beside the record of a baseline."
    names = ("embedding", "y", "predicted", "labeled")
    arrays = read_arrays(record, results_dir, *names)
    return dict(zip(names, arrays)) if arrays else None


# %%
#| export
def save_ssl_cell(
    cell: SSLCell,  # which cell
    record: dict,  # from `make_record`
    classifier,  # fitted
    dataset,  # from `load_data`
    y,  # labels that the classifier saw, shape (n_train,)
    results_dir=None,  # None stands for figures/<profile>
) -> dict:  # the record, with the name of the file beside it
    "Writes a record; the baseline's last layer goes with it."
    arrays = last_layer(classifier, dataset, y, cell.seed) if cell.method == "baseline" else {}
    return write_record(record, record_path(cell, record["profile"], results_dir), **arrays)


# %%
#| export
def run_ssl_cell(
    cell: SSLCell,  # which cell
    profile_name: str,  # which profile
    results_dir=None,  # None stands for figures/<profile>
    data_dir=None,  # as in `load_data`
    stand_ins: bool = False,  # as in `load_data`
) -> dict:  # the record
    "Runs one semi-supervised cell from the data to the record on disk, in this process."
    check_ssl_cell(cell)
    dataset = load_data(cell, profile_name, data_dir, stand_ins)
    classifier, y, accuracy, seconds = fit_ssl_cell(cell, dataset, profile_name)
    record = make_record(cell, profile_name, dataset, {"accuracy": accuracy}, seconds, stand_ins)
    return save_ssl_cell(cell, record, classifier, dataset, y, results_dir)


# %% [markdown]
# Two cells, run for real: `collect`, the records and their states are those of the other grid.

# %%
with tempfile.TemporaryDirectory() as folder:
    two = [SSLCell("digits", method, 4) for method in ("baseline", "umap_euclidean")]
    records = collect(two, "smoke", folder)
    assert collect(two, "smoke", folder, run_missing=False) == records
    arrays = read_last_layer(records[0], folder)
    assert arrays["embedding"].shape == (300, 2) and arrays["labeled"].sum() == 40 and arrays["predicted"].shape == arrays["y"].shape
    assert read_last_layer(records[1], folder) is None
    assert all(0.3 < record["metrics"]["accuracy"] <= 1 for record in records)
[record["metrics"] for record in records]

# %% [markdown]
# ## What a job may take
#
# The scheduler of a cluster wants to know, before a job begins, how long it may take, how much memory it may have, and whether it needs a GPU. A job that goes beyond its limits is ended. So these are wide, and no predictions.
#
# The minutes are those of the `paper` profile, and estimates: nothing of it was run to the end here. For a method of the projection grid they are about three times the longest time in the logs of the original's notebooks (on a Quadro RTX 6000 that other jobs used,
# too), ten minutes at least, and an hour for the measures. UMAP's are mostly for the search by time warping on songs. For few labels they are half as much again as 500 of the original's epochs take when it never stops early: up to 70 s each with the labels alone, up to 219 s with the
# UMAP loss. Smaller profiles keep these limits and end long before them.
#
# Memory is in MB. Measured are 0.8 to 3.8 GB for the cells kept in `figures/laptop`, of up to 50,000 rows. So a cell gets 8 GB, and 16 GB where a network has 13 layers and 1,024 dimensions: estimates again.

# %%
#| export
FIT_MINUTES = {"umap": 180, "umap_tf": 180, "pumap": 210, "umap_ae": 260, "pumap_decoder": 630, "tsne": 60, "ptsne": 60, "vae": 30, "ae": 30, "pca": 10}
TRAINED_FIGURES = ("fig03_moons_ssl", "fig10_training_curves", "fig11_embedding_speed", "fig12_reconstruction_speed", "fig14_latent_algebra")  # they train networks themselves


def cell_limits(
    cell: Cell | SSLCell,  # of either grid
) -> dict:  # mem_mb, runtime (minutes), gpu (how many)
    "What a scheduler should allow a cell."
    if cell.kind == "ssl":
        return {"mem_mb": 16_000, "runtime": 2880 if "umap" in cell.method else 900, "gpu": 1}
    return {"mem_mb": 8_000, "runtime": 60 + FIT_MINUTES[cell.method], "gpu": int(cell.method in ("umap_tf", *PARAMETRIC))}


def figure_limits(
    notebook: str,  # file stem in nbs/paper
) -> dict:  # as `cell_limits`
    "What a scheduler should allow a figure: an hour to draw, a day where networks are trained for it."
    trains = notebook in TRAINED_FIGURES
    return {"mem_mb": 16_000 if trains else 8_000, "runtime": 1440 if trains else 60, "gpu": int(trains)}


# %% [markdown]
# UMAP, t-SNE and PCA have no network and get no GPU. Each record that is kept stays below the limit on memory, and each figure with a limit of its own exists.

# %%
assert cell_limits(Cell("mnist", "pumap", 64)) == {"mem_mb": 8_000, "runtime": 270, "gpu": 1} and cell_limits(Cell("mnist", "tsne", 2))["gpu"] == 0
assert cell_limits(SSLCell("mnist", "aug", 4))["runtime"] < cell_limits(SSLCell("mnist", "aug_umap_learned", 4))["runtime"]
assert set(FIT_MINUTES) == set(METHODS) and set(TRAINED_FIGURES) < {f.notebook for f in FIGURES.values()}
for path in (figures_dir("laptop") / "records").glob("*.json"):
    record = read_record(path)
    assert record["peak_memory_mb"] * 1.048576 < cell_limits(cell_of(record))["mem_mb"], path.name


# %% [markdown]
# ## Training runs
#
# Figure 10 and the benchmarks of training speed and memory need runs that share nothing but the graph, each in a process of its own so that its memory can be told. Such a run is the notebook `paper/cell_training`; its record, named after its parameters, is kept, and a run
# that is there is not run again.

# %%
#| export
def training_name(
    run: dict,  # parameters of paper/cell_training
) -> str:
    "A run's name: its parameters, without those that say where things are."
    parts = [f"{key}={value}" for key, value in sorted(run.items()) if key not in ("name", "results_dir", "data_dir")]
    return re.sub(r"[^a-zA-Z0-9=_.+-]", "", "+".join(parts).replace("_", ""))


def is_json(
    path: Path,  # a file, or none
) -> bool:
    "Whether the file is there and whole."
    try:
        json.loads(Path(path).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True


def training_runs(
    runs: list,  # of dict: parameters of paper/cell_training
    results_dir,  # the folder that keeps graphs and records
    data_dir="",  # a folder with the data
    reasons: dict | None = None,  # filled with name -> why it could not be run; None raises the error instead
) -> list:  # of records, in the order of `runs`
    "The records of these runs; those that are not there are run, one after the other."
    records = []
    for run in runs:
        name = training_name(run)
        place = Path(results_dir) / "training" / f"{name}.json"
        try:
            if not is_json(place):
                copy = place.parent / "cells" / f"{name}.ipynb"
                run_notebook(notebook_path("cell_training"), copy, run | {"name": name, "results_dir": portable(results_dir), "data_dir": str(data_dir)})
            records.append(json.loads(place.read_text()))
        except NotebookFailed as error:
            if reasons is None:
                raise
            reasons[name] = f"{place.name}: {error}"
    return records


# %%
assert training_name({"solver": "fast", "effort": 0.25, "stages": {"n_coordinates": 0}}) == "effort=0.25+solver=fast+stages=ncoordinates0"


# %% [markdown]
# ## The clock
#
# Figures 11 and 12 and the benchmarks time a call. The first call of a function is not like the others: it compiles, or builds an index. So warm-up calls come first, and their
# seconds are kept apart. A GPU returns before it is done. So the result is converted to numpy before the clock is read. The median is what counts: it does not mind one run during which the machine did something else.

# %%
#| export
@dataclass(frozen=True)
class Timing:
    "Seconds that a call took, each time that it was made."

    seconds: tuple  # of each repeat
    warmup: tuple  # of each call before them

    @property
    def median(self) -> float:
        "Median of the repeats, without the warm-up."
        import statistics

        return statistics.median(self.seconds)


def time_call(
    call,  # function without arguments; returns an array or tensor, or a tuple of them
    repeats: int = 10,  # timed calls
    warmups: int = 1,  # calls before them
) -> Timing:
    "Time a call again and again, each time until its result is there as numpy."
    import numpy as np

    if repeats < 1 or warmups < 0:
        raise ValueError(f"repeats is {repeats!r} and warmups {warmups!r}; give at least one repeat and no less than 0 warm-up calls.")

    def once(_):
        start = time.perf_counter()
        result = call()
        for part in result if isinstance(result, tuple) else (result,):
            np.asarray(part)
        return time.perf_counter() - start

    warmup = tuple(map(once, range(warmups)))
    return Timing(tuple(map(once, range(repeats))), warmup)


# %%
class Late:
    "A result that is not there until it is asked for, as on a GPU."
    def __array__(self, dtype=None, copy=None):
        time.sleep(0.02)
        return np.zeros(2)


late = time_call(Late, repeats=3)
assert len(late.seconds) == 3 and min(late.seconds) >= 0.02  # it was waited for
waits = iter([0.2, 0, 0.05, 0])
timing = time_call(lambda: time.sleep(next(waits)), repeats=3)
assert timing.warmup[0] >= 0.2 > max(timing.seconds) and timing.median < 0.05  # neither the first call nor the odd one out counts
assert cells_for("fig11", "paper") == ()  # speeds are not cells of the grid


# %% [markdown]
# ## Measurements that are kept
#
# Seconds belong to a machine and to what else it does, so they are not measured again each time a figure is drawn. The notebook that measured them keeps them as a CSV file beside its figure, and reads that file
# the next time. Who wants to measure anew deletes it.

# %%
#| export
@dataclass(frozen=True)
class Measurements:
    "A table that an earlier run of a notebook kept, or the place for it."

    path: Path  # the CSV file
    wanted: tuple  # names of the data sets that it should be about
    lines: list | None  # of dict, one for each measurement; None: nothing is kept

    @property
    def to_measure(self) -> tuple:
        "Names of the data sets to measure now: those that the table does not have."
        there = {line.get("dataset") for line in self.lines or ()}
        return tuple(name for name in self.wanted if name not in there)

    def __str__(self):
        if self.lines is None:
            return "nothing measured yet, so it will be now"
        return f"read from {portable(self.path)}; delete the file to measure anew" + (f"\nnot in that file, so measured now: {', '.join(self.to_measure)}" if self.to_measure else "")


def write_measurements(
    lines: list,  # of dict, all with the same keys
    path: Path,  # the CSV file
):
    "Writes a table of measurements in one step; numbers with six digits."
    from io import StringIO

    from pumap.core import write_atomic

    buffer = StringIO()
    table = csv.DictWriter(buffer, lines[0] if lines else (), lineterminator="\n")
    table.writeheader()
    table.writerows({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in line.items()} for line in lines)
    write_atomic(path, buffer.getvalue().encode())


# %%
#| export
def read_measurements(
    path: Path,  # the CSV file
) -> list | None:  # of dict: whole numbers, other numbers, and text; None if there is no such file
    "The lines of a table of measurements; ValueError if it is damaged."
    def value(text):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        return text

    if not Path(path).is_file():
        return None
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    if any(None in line or None in line.values() for line in lines):
        raise ValueError(f"{path} has lines with more or fewer values than its first; delete the file to measure anew.")
    return [{key: value(text) for key, text in line.items()} for line in lines]


def measurements(
    name: str,  # file stem of the table, such as "fig11_embedding_speed"
    wanted: tuple,  # names of the data sets that it should be about
    profile_name: str,  # which profile
    results_dir="",  # where it is; "" stands for figures/<profile>, for smoke a temporary folder
    save_to="",  # where it will be written; "": it is not, and is looked for in `results_dir`
) -> Measurements:  # print it to tell what is there
    "The measurements of a notebook, if an earlier run kept them."
    folder = save_to or results_folder(results_dir, profile_name)
    path = Path(folder) / f"{name}.csv"
    return Measurements(path, tuple(wanted), read_measurements(path))


# %%
with tempfile.TemporaryDirectory() as folder:
    nothing = measurements("speed", ("digits", "moons"), "smoke", save_to=folder)
    assert nothing.lines is None and nothing.to_measure == ("digits", "moons")
    write_measurements([{"dataset": "digits", "encoder": "", "n_rows": 1000, "seconds": 1 / 3}], nothing.path)
    assert nothing.path.read_text() == "dataset,encoder,n_rows,seconds\ndigits,,1000,0.333333\n"
    there = measurements("speed", ("digits", "moons"), "smoke", save_to=folder)
    assert there.lines == [{"dataset": "digits", "encoder": "", "n_rows": 1000, "seconds": 0.333333}] and there.to_measure == ("moons",)
    assert str(there).endswith("not in that file, so measured now: moons")
    there.path.write_text("a,b\n1\n")
    try: read_measurements(there.path)
    except ValueError as error: assert "delete the file" in str(error)
    else: assert False


# %% [markdown]
# Figures 11 and 12 time the same kinds of model on the same rows. New rows are test rows, which no method has seen. Speed does not depend on how good a model is, so none is trained to the end.

# %%
#| export
def title_of(
    title: str,  # name for people
    stand_in_for: str | None,  # slug of the data set that it replaces, if it does
) -> str:
    "The name of a data set, and what it stands in for."
    from pumap.paper.datasets import DATASETS

    replaced = DATASETS[stand_in_for].title if stand_in_for in DATASETS else stand_in_for
    return title + (f" (in place of {replaced})" if replaced else "")


def first_rows(
    names: tuple,  # of data sets
    n_train: int,  # training rows at most
    n_test: int,  # test rows at most
    data_dir="",  # as in `load_data`
    reasons: dict | None = None,  # filled with name -> why it is left out; None raises the error instead
) -> dict:  # name -> pumap.paper.datasets.Dataset
    "The first rows of some data sets, as many as are asked for and are there."
    from pumap.paper.datasets import load, take

    loaded = {}
    for name in names:
        try:
            data = load(name, data_dir or None)
            loaded[name] = take(data, n_train=min(n_train, len(data.X_train)), n_test=min(n_test, len(data.X_test)))
        except (FileNotFoundError, ValueError) as error:
            if reasons is None:
                raise
            reasons[name] = str(error)
    return loaded


def speed_line(
    data,  # from `first_rows`
    method: str,  # slug of the method
    encoder: str,  # name of its network, "" if it has none
    device: str,  # "cpu:0" or "gpu:0"
) -> dict:  # the first columns of a line
    "What was timed: the beginning of a line in the tables of Figures 11 and 12."
    return {"dataset": data.name, "title": title_of(data.title, data.stand_in_for), "n_train": len(data.X_train), "method": method, "encoder": encoder, "device": device[:3].upper()}


# %% [markdown]
# The networks are the MLP and, where the protocol has another one for the data set, that one too. They are timed on the CPU, and on the GPU as well where TensorFlow has one: a copy of the network then has its weights there.
# UMAP lays out the graph of all training rows for 10 epochs in place of 200 or more; how it places new rows is left at its defaults. No seed is set for it, since umap-learn would then use one core only.

# %%
#| export
def timed_encoders(
    dataset: str,  # name of a data set
) -> tuple:  # names of networks
    "The networks that are timed on a data set."
    return tuple(dict.fromkeys(("mlp", settings_for(Cell(dataset, "pumap", 2), "paper")["encoder"])))


def timed_devices() -> tuple:
    "Keras' names of the devices on which networks are timed: the CPU, and the first GPU if there is one."
    from pumap import import_quietly

    return tuple(name for name in import_quietly("pumap.backend").devices() if name in ("cpu:0", "gpu:0"))


def placed(
    network,  # a Keras model
    device: str,  # from `timed_devices`
):  # a Keras model
    "A copy of a network with its weights on a device."
    import keras

    with keras.device(device):
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
    return copy


def timed_umap(
    data,  # from `first_rows`
):  # a fitted transformer of `pumap.baselines`
    "UMAP on all training rows, laid out for 10 epochs only."
    from pumap import import_quietly

    model = import_quietly("pumap.baselines").make_method("umap", n_epochs=10).fit(data.X_train)
    model.umap_.n_epochs = None  # so that new rows get as many epochs as they do by default
    return model


# %%
assert timed_encoders("digits") == ("mlp",) and timed_encoders("mnist") == ("mlp", "conv28")
reasons = {}
few = first_rows(("digits", "nowhere"), 100, 10**6, reasons=reasons)
assert list(few) == ["digits"] and len(few["digits"].X_train) == 100 and len(few["digits"].X_test) > 100
print(reasons["nowhere"])
assert speed_line(few["digits"], "pumap", "mlp", "gpu:0")["device"] == "GPU" and title_of("Worm neurons", "retina") == "Worm neurons (in place of Retina)"
