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
# > Each cell of the paper's grid becomes one record on disk; figures are drawn from records.

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
import platform
import re
import subprocess
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
# small files, so it answers at once.
#
# ## Unknown names
#
# Figures, profiles, data sets and methods have names. An unknown name raises an error that lists the known ones.

# %%
#| export
def unknown(kind: str, name: str, known) -> ValueError:
    """Make the error for a name that does not exist.

    Parameters
    ----------
    kind : str
        What the name stands for, such as "figure".
    name : str
        The unknown name.
    known : iterable of str
        The names that exist.

    Returns
    -------
    ValueError
        With the nearest name and the whole list.
    """
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"There is no {kind} {name!r}.{hint} The names are: {', '.join(known)}.")


# %%
print(unknown("profile", "labtop", ("smoke", "quick", "laptop", "paper")))
assert "Did you mean 'laptop'?" in str(unknown("profile", "labtop", ("quick", "laptop")))


# %% [markdown]
# ## Methods
#
# One table holds everything a method is called by and what it can do. Every other list of methods is a selection from it.
#
# About one man in twelve confuses red and green, so no two families differ in that alone. The colors start from those of Okabe and Ito. They were
# moved apart until every pair differs for every kind of color vision ([04_figures](04_figures.ipynb) checks it). The markers are for print without color.
# The six semi-supervised methods never share a picture with the ten embeddings, so they have a palette of their own.
#
# `minutes` is the limit for one run in the profile `paper`, for a cluster. It is an estimate, since that profile was never run to the end here.
# For embeddings it is about three times the longest time in the logs of the original notebooks (on a shared Quadro RTX 6000), at least ten minutes, and an hour for the measures.
# UMAP needs most of it for songs, whose neighbors are found by time warping. For few labels it is 1.5 times the time of 500 epochs without early stopping.

# %%
#| export
@dataclass(frozen=True)
class Method:
    """A method of the paper.

    Attributes
    ----------
    slug, label : str
        Name in files, and for readers.
    color, marker : str
        In every picture.
    family : str
        "umap", "tsne", "autoencoder", "linear" or "labels".
    minutes : int
        Limit for one run in the profile `paper`.
    trained : str
        What Keras trains: "network", "coordinates" or "".
    inverse : str
        What maps an embedding back to rows: "decoder", "own" or "".
    dimensions : tuple of int
        Numbers of components in the paper's tables.
    """

    slug: str
    label: str
    color: str
    marker: str
    family: str
    minutes: int
    trained: str = ""
    inverse: str = ""
    dimensions: tuple = (2, 64)

    parametric = property(lambda self: self.trained == "network", doc="Whether a network embeds the rows.")
    has_decoder = property(lambda self: self.inverse == "decoder", doc="Whether a network maps embeddings back to rows.")
    invertible = property(lambda self: bool(self.inverse), doc="Whether embeddings can be mapped back to rows.")


METHODS = {  # in the order of the paper's Figure 4
    m.slug: m
    for m in (
        Method("umap", "UMAP", "#0055AB", "o", "umap", 240, inverse="own"),
        Method("umap_tf", "UMAP (TF)", "#38CDF5", "s", "umap", 240, "coordinates", dimensions=(2,)),
        Method("pumap", "P. UMAP", "#D8621A", "D", "umap", 270, "network"),
        Method("umap_ae", "UMAP/AE", "#FFB40A", "^", "umap", 320, "network", "decoder"),
        Method("pumap_decoder", "P. UMAP + dec.", "#8A3405", "v", "umap", 690, "network", "decoder"),
        Method("ptsne", "P. t-SNE", "#A2CC72", "<", "tsne", 120, "network"),
        Method("tsne", "t-SNE", "#109C69", ">", "tsne", 120, dimensions=(2,)),
        Method("vae", "VAE", "#AD6EA3", "p", "autoencoder", 90, "network", "decoder"),
        Method("ae", "AE", "#64185B", "X", "autoencoder", 90, "network", "decoder"),
        Method("pca", "PCA", "#443529", "P", "linear", 70, inverse="own"),
    )
}
SSL_METHODS = {
    m.slug: m
    for m in (
        Method("baseline", "Baseline", "#3A2F00", "o", "labels", 900, "network"),
        Method("aug", "Augmented", "#F7A41D", "s", "labels", 900, "network"),
        Method("umap_euclidean", "UMAP, Euclidean", "#44D5FD", "D", "labels", 2880, "network"),
        Method("umap_learned", "UMAP, learned", "#B2C58F", "^", "labels", 2880, "network"),
        Method("aug_umap_euclidean", "Aug. + UMAP, Euclidean", "#3062EA", "v", "labels", 2880, "network"),
        Method("aug_umap_learned", "Aug. + UMAP, learned", "#8B1D70", "X", "labels", 2880, "network"),
    )
}
ALL_METHODS = METHODS | SSL_METHODS


# %%
#| export
def methods(**having) -> tuple:
    """Select methods of the projection grid.

    Parameters
    ----------
    **having
        Attributes of `Method` with the value that they must have.

    Returns
    -------
    tuple of str
        Slugs, in the order of the paper's Figure 4.
    """
    return tuple(m.slug for m in METHODS.values() if all(getattr(m, key) == value for key, value in having.items()))


# %%
assert methods(family="umap", parametric=True) == ("pumap", "umap_ae", "pumap_decoder")
assert methods(has_decoder=True) == ("umap_ae", "pumap_decoder", "vae", "ae") and methods(dimensions=(2,)) == ("umap_tf", "tsne")


# %% [markdown]
# ## A cell of the grid
#
# The paper compares methods over data sets, in 2 and in 64 dimensions. We add the seed, because one run says nothing about chance.
# These four values name a cell, and its name is the name of its file. A second grid has numbers of labels in place of dimensions.
# Its cells have the same methods (`SSLCell`, below), so the rest of the code need not ask of which grid a cell is.

# %%
#| export
def _check_cell(cell, datasets, known, kind="", **least):
    "Return a cell; ValueError if a name is unknown or a number is below its least value."
    for what, name, names in (("data set" + kind, cell.dataset, datasets), ((kind and "semi-supervised ") + "method", cell.method, known)):
        if name not in names:
            raise unknown(what, name, tuple(names))
    for key, smallest in least.items():
        value = getattr(cell, key)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise ValueError(f"{key} is {value!r}; give a whole number, {smallest} or more.")
    return cell


@dataclass(frozen=True)
class Cell:
    """One method on one data set in `n_components` dimensions, started from one seed.

    Attributes
    ----------
    dataset, method : str
        Names.
    n_components : int
        Dimensions of the embedding.
    seed : int
        Seed of the method.
    """

    dataset: str
    method: str
    n_components: int
    seed: int = 0
    notebook = "cell_embedding"

    @property
    def id(self) -> str:
        "Name of the cell and of its files."
        return f"{self.dataset}-{self.method}-{self.n_components}d-seed{self.seed}"

    def check(self) -> "Cell":
        "Return the cell; ValueError if the data set or the method does not exist, or a number makes no sense."
        from pumap.paper.datasets import names

        return _check_cell(self, names(), METHODS, n_components=1, seed=0)

    def settings(self, profile) -> dict:
        "Settings of the method in a profile: the protocol's, then the profile's. Later ones take precedence."
        merged = {}
        for slugs, datasets, settings in PROTOCOL + profile.settings:
            if self.method in slugs and (datasets is None or self.dataset in datasets):
                merged.update(settings)
        return merged

    def rows(self, profile) -> tuple:
        "Number of the first training rows and of the first test rows that the cell takes; None takes all."
        return profile.rows(self.dataset)

    def inputs(self, profile) -> dict:
        "What decides the numbers besides the settings; see `inputs_hash`."
        seeds = {"cluster_seeds": profile.cluster_seeds} if profile.cluster_seeds != CLUSTER_SEEDS else {}
        return {"protocol": PROTOCOL_VERSION, "rows": [*self.rows(profile), profile.n_clustered]} | seeds

    def limits(self) -> dict:
        "What a scheduler should allow: mem_mb, runtime (minutes), gpu (how many)."
        return {"mem_mb": 8_000, "runtime": METHODS[self.method].minutes, "gpu": int(bool(METHODS[self.method].trained))}

    def compute(self, run) -> dict:
        "Run the cell from the data to the record on disk, in this process; return the record."
        dataset = run.load(self.check())
        method, embedding_test, seconds = fit_cell(self, dataset, run.profile)
        reconstruction, seconds["inverse"] = reconstruct(self, method, dataset, embedding_test)
        metrics, seconds["metrics"] = measure(dataset, method.embedding_, embedding_test, reconstruction, **run.profile.clustering)
        record = make_record(run, self, dataset, metrics, seconds, method)
        return save_cell(run, self, record, dataset, method.embedding_, reconstruction)


# %%
assert Cell("digits", "pumap", 2).id == "digits-pumap-2d-seed0"
for wrong in (Cell("digit", "pumap", 2), Cell("digits", "umap2", 2), Cell("digits", "umap", 0), Cell("digits", "umap", "2")):
    try: wrong.check()
    except ValueError as error: print(error)
    else: assert False

# %% [markdown]
# A job that exceeds its limits is ended, so the limits are wide. The cells in `figures/laptop` took 0.8 to 3.8 GB with up to 50,000 rows. So a cell gets 8 GB, and a network with 13 layers and 1,024 dimensions 16 GB.
# UMAP, t-SNE and PCA have no network and get no GPU.

# %%
assert Cell("mnist", "pumap", 64).limits() == {"mem_mb": 8_000, "runtime": 270, "gpu": 1} and Cell("mnist", "tsne", 2).limits()["gpu"] == 0

# %% [markdown]
# ## What never changes: the protocol
#
# These are the settings of the paper's experiments, as its authors' code has them. They hold in every profile.
#
# - `min_dist` and the number of neighbors are umap-learn's defaults, the perplexity is openTSNE's.
# - The bison, a surface of many points, gets ten times as many neighbors and a perplexity of 500. t-SNE has 500 on the moons, too.
# - UMAP methods find the neighbors of a song by dynamic time warping.
# - All parametric methods have the same network on a data set: a convolutional one for images, one with an LSTM along time for songs, three layers of 100 units for everything else.
# - A decoder's values lie in [0, 1]. So methods with a decoder get moons, bison and retina scaled into it, all values by one factor, which does not change the graph. On the retina AE and VAE, which have no graph, scale each column.
# - The loss of the variational autoencoder is weighted as in the original, which is not the ELBO (`02_losses` has both).
# - Parametric t-SNE has a learning rate of 0.01, but 0.003 on songs: the original had three layers of 100 units there, and our LSTM does not train at 0.01. `benchmarks/gaps` tries the other choice for both.

# %%
#| export
PROTOCOL = (  # (methods, data sets or None for all, settings); of two that set the same, the later counts
    (methods(family="umap"), None, {"n_neighbors": 15, "min_dist": 0.1}),
    (methods(family="tsne"), None, {"perplexity": 30}),
    (methods(parametric=True), None, {"encoder": "mlp"}),
    (methods(parametric=True), ("mnist", "fmnist"), {"encoder": "conv28"}),
    (methods(parametric=True), ("cifar10", "cifar10_jpeg"), {"encoder": "conv32"}),
    (methods(parametric=True), ("cassins", "finches"), {"encoder": "song"}),
    (methods(family="umap"), ("cassins", "finches"), {"metric": "dtw"}),
    (("vae",), None, {"weighting": "paper"}),
    (methods(has_decoder=True), ("moons", "bison", "retina", "worm_neurons"), {"unit_range": True}),
    (methods(family="autoencoder"), ("retina", "worm_neurons"), {"unit_range": "columns"}),
    (methods(family="umap"), ("bison",), {"n_neighbors": 150}),
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
# Their `settings` have the form of the protocol's.
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
    earlier: tuple = ()  # settings that records may have until their cells are run again, in the same form; () = none

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
# As in the paper's tables, t-SNE runs in 2-D only: its fast gradient does not exist in 64 dimensions. UMAP (TF) has no column in
# those tables, and runs in 2-D, too.
#
# For UMAP methods `n_training_epochs` counts passes over the edges of the graph as the paper repeats them, about eight times each. So a fraction of a pass is already much training. For autoencoders and parametric t-SNE it counts passes over the rows. So does `n_decoder_epochs`, for a decoder that is trained after the embedding.
#
# Parametric UMAP is trained by its fast solver, in the profile `paper` by the original's loop. In `laptop` the solver chooses passes, steps and learning
# rate by its own rule, on every data set, and trains on the UMAP loss alone: it learns no layout first (`06_fast_solver`). In `quick` the batches are small.
#
# Earlier records of `laptop` had other settings. On images and songs the networks learned umap-learn's layout by regression for up to 80% of their effort
# (UMAP/AE: 50%). Then came 0.012 passes of the UMAP loss on images, and a few more on songs. On songs, and for UMAP/AE on CIFAR10, smaller steps at a
# higher rate were chosen after C11 and C19 had failed. Such a record stands in until its cell is run again. Tables mark it with †.

# %%
#| export
SCALE_SETTINGS = ("n_training_epochs", "n_decoder_epochs", "solver", "solver_options", "batch_size", "learning_rate")  # all that a profile may set of a method
P_UMAP, WITH_DECODER, IN_64 = methods(family="umap", parametric=True), methods(family="umap", has_decoder=True), methods(dimensions=(2, 64))
TOYS, IMAGES, PAPER_DATA = ("moons", "bison"), ("mnist", "fmnist", "cifar10"), ("mnist", "fmnist", "cifar10", "cassins", "retina")
WITH_LAYOUT = (*IMAGES, "cassins")  # data sets on which the solver would learn a layout first, since their networks are expensive
_SHORT = (
    (("umap_tf",), None, {"n_training_epochs": 100}), (("umap_tf",), IMAGES, {"n_training_epochs": 20}), (WITH_DECODER, WITH_LAYOUT, {"n_decoder_epochs": 3}),
    (("ptsne",), None, {"n_training_epochs": 100}), (("ptsne",), IMAGES, {"n_training_epochs": 15}), (("ptsne",), ("cassins",), {"n_training_epochs": 60}), (("ptsne",), ("moons",), {"n_training_epochs": 1000}),
    (("vae", "ae"), None, {"n_training_epochs": 30}), (("vae", "ae"), IMAGES, {"n_training_epochs": 5}), (("vae", "ae"), ("moons",), {"n_training_epochs": 500}), (("vae", "ae"), ("retina",), {"n_training_epochs": 300}),
)  # fmt: skip
LAPTOP_SETTINGS = (*_SHORT, (P_UMAP, WITH_LAYOUT, {"solver_options": {"layout_passes": 0}}))
_SMALL_STEPS = {"batch_size": 125, "learning_rate": 0.002}
EARLIER_SETTINGS = (
    *_SHORT,
    (P_UMAP, IMAGES, {"n_training_epochs": 0.06}),
    (("umap_ae",), ("cifar10",), _SMALL_STEPS),
    (P_UMAP, ("cassins",), {"n_training_epochs": 0.15} | _SMALL_STEPS),
)

# %%
#| export
PROFILES = {
    p.name: p
    for p in (
        Profile(
            "smoke", "hundreds of rows and a few steps, to see that everything works",
            blocks=(Block(("digits",), tuple(METHODS), (2,)), Block(("moons",), ("umap", "tsne", "pca"), (2,)), Block(("digits",), ("umap", "pumap", "pca"), (64,))),
            n_train=300, n_test=100, cluster_seeds=(0,),
            settings=((P_UMAP, None, {"n_training_epochs": 0.5}), (WITH_DECODER, None, {"n_decoder_epochs": 20}), (("umap_tf",), None, {"n_training_epochs": 1}), (("ptsne", "vae", "ae"), None, {"n_training_epochs": 20})),
        ),
        Profile(
            "quick", "the whole protocol on data that come with scikit-learn, in minutes",
            blocks=(Block(("digits", "moons"), tuple(METHODS), (2,)), Block(("digits",), IN_64, (64,)), Block(("digits",), ("umap", "pumap", "tsne"), (2,), (1, 2))),
            cluster_seeds=(0, 1),
            settings=((P_UMAP, None, {"n_training_epochs": 2, "batch_size": 125}), (WITH_DECODER, None, {"n_decoder_epochs": 80}), (("umap_tf",), None, {"n_training_epochs": 20}), (("ptsne",), None, {"n_training_epochs": 200}), (("vae", "ae"), None, {"n_training_epochs": 100})),
        ),
        Profile(
            "laptop", "real images, songs and cells on two cores: all rows, shortened training",
            blocks=(Block((*PAPER_DATA, *TOYS), tuple(METHODS), (2,)), Block(PAPER_DATA, IN_64, (64,)), Block(("mnist", "fmnist", "retina"), tuple(METHODS), (2,), (1, 2))),
            n_train_of={"bison": 10_000}, n_clustered=10_000,
            settings=LAPTOP_SETTINGS, earlier=EARLIER_SETTINGS,
        ),
        Profile(
            "paper", "the original sizes, networks and epochs, for a GPU",
            blocks=(Block((*PAPER_DATA, *TOYS), tuple(METHODS), (2,)), Block(PAPER_DATA, IN_64, (64,))),
            settings=((P_UMAP, None, {"solver": "paper", "n_training_epochs": 5}), (P_UMAP, ("moons",), {"n_training_epochs": 100}),
                      (("umap_tf",), None, {"n_training_epochs": 100}), (("ptsne",), None, {"n_training_epochs": 1000}),
                      (("vae",), None, {"n_training_epochs": 30}), (("ae",), None, {"n_training_epochs": 50}), (("vae", "ae"), ("moons",), {"n_training_epochs": 500})),
        ),
    )
}


# %%
#| export
def profile(name: str) -> Profile:
    """Return a profile by its name.

    Parameters
    ----------
    name : str
        "smoke", "quick", "laptop" or "paper".

    Returns
    -------
    Profile
        The profile; ValueError lists the names.
    """
    if name not in PROFILES:
        raise unknown("profile", name, tuple(PROFILES))
    return PROFILES[name]


# %% [markdown]
# With the `paper` profile these are the settings of the original experiments: for parametric UMAP 5 passes, except for the moons' 100.

# %%
original, laptop = profile("paper"), profile("laptop")
assert Cell("mnist", "pumap", 64).settings(original) == {"n_neighbors": 15, "min_dist": 0.1, "encoder": "conv28", "solver": "paper", "n_training_epochs": 5}
assert Cell("moons", "pumap", 2).settings(original) == {"n_neighbors": 15, "min_dist": 0.1, "encoder": "mlp", "solver": "paper", "n_training_epochs": 100}
assert Cell("mnist", "tsne", 2).settings(original) == {"perplexity": 30} and Cell("bison", "umap", 2).settings(laptop) == {"n_neighbors": 150, "min_dist": 0.1}
assert Cell("fmnist", "ae", 2).settings(original) == {"encoder": "conv28", "n_training_epochs": 50}
assert Cell("moons", "ae", 2).settings(original) == {"encoder": "mlp", "unit_range": True, "n_training_epochs": 500}
assert original.rows("mnist") == (None, None) and laptop.rows("bison") == (10_000, None)
assert {p.name: len(p.cells) for p in PROFILES.values()} == {"smoke": 16, "quick": 34, "laptop": 170, "paper": 110}

# %% [markdown]
# The protocol is the same in each profile. Only the length of the training, and the loop and steps that minimize the one loss, may differ.

# %%
assert {key for p in PROFILES.values() for _, _, settings in p.settings for key in settings} <= set(SCALE_SETTINGS)
for method in METHODS:
    kept = [{k: v for k, v in Cell("digits", method, 2).settings(p).items() if k not in SCALE_SETTINGS} for p in PROFILES.values()]
    assert all(settings == kept[0] for settings in kept)


# %% [markdown]
# ## Figures and tables
#
# Each is made by one notebook. Most show cells of a grid. Where `n_components` is `()`, the notebook computes what it shows itself: data sets, a classifier, training curves, speeds. A table is made by the notebook of the figure with the same numbers.
# The semi-supervised figures name the methods that they compare; their grid is described below.

# %%
#| export
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
    trains: bool = False  # the notebook trains networks itself

    def limits(self) -> dict:
        "What a scheduler should allow, as `Cell.limits`: an hour to draw, a day where networks are trained."
        return {"mem_mb": 16_000 if self.trains else 8_000, "runtime": 1440 if self.trains else 60, "gpu": int(self.trains)}


FIGURES = {
    f.id: f
    for f in (
        Figure("fig01", "From rows to a graph to an embedding, in two ways", "fig01_overview", ()),
        Figure("fig02", "The variants, their networks and gradients", "fig02_variants", ()),
        Figure("table1", "The data sets and their parts", "table01_datasets", ()),
        Figure("fig03", "Two moons with three labels per class", "fig03_moons_ssl", (), trains=True),
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
        Figure("fig10", "The UMAP loss against training time", "fig10_training_curves", (), trains=True),
        Figure("fig11", "Speed of embedding new rows", "fig11_embedding_speed", (), trains=True),
        Figure("fig12", "Speed of embedding and reconstruction", "fig12_reconstruction_speed", (), trains=True),
        Figure("fig13", "Error of the reconstructions", "fig13_reconstruction", methods=methods(invertible=True)),
        Figure("table7", "Error of the reconstructions, in numbers", "fig13_reconstruction", methods=methods(invertible=True)),
        Figure("fig14", "Attributes of faces, added and taken away", "fig14_latent_algebra", (), trains=True),
        Figure("fig15", "Few labels: the UMAP loss beside labels alone", "fig15_ssl_euclidean", ssl_methods=("baseline", "umap_euclidean"), with_umap=True),
        Figure("fig16", "Few labels: augmentation with and without the UMAP loss", "fig16_ssl_augmented", ssl_methods=("baseline", "aug", "aug_umap_euclidean")),
        Figure("fig17", "What the last layer of the classifier has learned", "fig17_last_layer", first_seed_only=True, ssl_methods=("baseline",), with_umap=True),
        Figure("fig18", "Few labels: the learned graph", "fig18_ssl_learned", ssl_methods=("baseline", "aug", "umap_learned", "aug_umap_learned")),
        Figure("table8", "Accuracy with few labels, in numbers", "fig18_ssl_learned", ssl_methods=tuple(SSL_METHODS)),
    )
}


# %%
#| export
def figure(name: str) -> Figure:
    """Return a figure or table by its name.

    Parameters
    ----------
    name : str
        "fig05", "fig5", "5", "table2" or "table02".

    Returns
    -------
    Figure
        The registered figure; ValueError lists the names.
    """
    match = re.fullmatch(r"(fig|figure|table|tab)?[ ._-]*0*(\d+)", str(name).strip().lower())
    if match:
        kind = "table{}" if (match[1] or "").startswith("tab") else "fig{:02d}"
        found = FIGURES.get(kind.format(int(match[2])))
        if found:
            return found
    raise unknown("figure", name, tuple(FIGURES))


# %%
#| export
def cells_for(figure_id: str, profile: Profile) -> tuple:
    """Return the cells that a figure needs, in the order of the profile's blocks.

    Parameters
    ----------
    figure_id : str
        As `figure` takes it.
    profile : Profile
        Whose cells.

    Returns
    -------
    tuple of Cell or SSLCell
        Empty if the notebook computes what it shows.
    """
    wanted, all_cells = figure(figure_id), profile.cells
    if wanted.ssl_methods:
        cells = [c for c in ssl_grid(profile).cells if c.method in wanted.ssl_methods]
        if wanted.with_umap:
            there = {c.dataset for c in cells}
            cells += [c for c in all_cells if c.dataset in there and (c.method, c.n_components, c.seed) == ("umap", 2, 0)]
    else:
        cells = [c for c in all_cells if wanted.n_components is None or c.n_components in wanted.n_components]
        cells = [c for c in cells if wanted.methods is None or c.method in wanted.methods]
    if wanted.first_seed_only:
        cells = [c for c in cells if c.seed == min(o.seed for o in cells if o.dataset == c.dataset)]
    return tuple(cells)


def cells_of_notebook(notebook: str, profile: Profile) -> tuple:
    """Return the cells of all figures and tables that one notebook makes.

    Parameters
    ----------
    notebook : str
        File stem in nbs/paper.
    profile : Profile
        Whose cells.

    Returns
    -------
    tuple of Cell or SSLCell
        Each once.
    """
    return tuple(dict.fromkeys(cell for f in FIGURES.values() if f.notebook == notebook for cell in cells_for(f.id, profile)))


# %%
assert figure("5") is figure("fig5") is figure("Fig. 05") is FIGURES["fig05"] and figure("table02").notebook == figure("fig05").notebook
assert {c.n_components for c in cells_for("fig04", profile("quick"))} == {2} and {c.seed for c in cells_for("fig04", profile("quick"))} == {0}
assert cells_for("fig03", original) == () and {c.method for c in cells_for("fig13", original)} == set(methods(invertible=True))
for picture, numbers in (("fig05", "table2"), ("fig06", "table3"), ("fig07", "table4"), ("fig08", "table5"), ("fig09", "table6"), ("fig13", "table7")):
    assert all(cells_for(picture, p) == cells_for(numbers, p) != () for p in PROFILES.values())
try: figure("fig55")
except ValueError as error: print(error)

# %% [markdown]
# ## Places
#
# Figures, records and notebooks live in the repository, next to the package. No path depends on the folder that a command is called from.

# %%
#| export
CLONE = "Run `pip install -e '.[paper]'` in a clone of https://github.com/pumap/pumap."


def root() -> Path:
    """Return the repository's folder.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    FileNotFoundError
        If the package is installed without its notebooks.
    """
    import pumap

    folder = Path(pumap.__file__).resolve().parents[1]
    if not (folder / "nbs" / "paper").is_dir():
        raise FileNotFoundError(f"The paper's notebooks are not installed with pumap, and {folder} is not a clone. {CLONE}")
    return folder


def figures_dir(profile_name: str) -> Path:
    """Return where the figures and records of a profile are kept.

    Parameters
    ----------
    profile_name : str
        Name of a profile.

    Returns
    -------
    Path
        figures/<profile>, which need not exist yet.
    """
    return root() / "figures" / profile(profile_name).name


def notebook_path(name: str) -> Path:
    """Return the source of a paper notebook.

    Parameters
    ----------
    name : str
        File stem, such as "fig04_projections".

    Returns
    -------
    Path
        Its place in nbs/paper.
    """
    return root() / "nbs" / "paper" / f"{name}.ipynb"


# %%
#| export
def results_folder(results_dir="", profile_name: str = "smoke") -> Path:
    """Return the folder that a notebook's `results_dir` parameter stands for.

    Parameters
    ----------
    results_dir : path
        "" or None stands for the folder of the profile; for smoke, for a temporary folder that is removed when Python ends.
    profile_name : str
        Name of a profile.

    Returns
    -------
    Path
        Absolute.
    """
    if results_dir or profile_name != "smoke":
        return Path(results_dir or figures_dir(profile_name)).expanduser().resolve()
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="pumap-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def portable(path) -> str:
    """Return a path as it may stand in an executed notebook.

    Parameters
    ----------
    path : path
        Any path.

    Returns
    -------
    str
        Relative to the repository if it lies inside it, since notebooks run there.
    """
    path = Path(path).resolve()
    return path.relative_to(root()).as_posix() if path.is_relative_to(root()) else str(path)


# %%
assert portable(figures_dir("quick")) == "figures/quick"
assert notebook_path("x") == figures_dir("quick").parents[1] / "nbs" / "paper" / "x.ipynb"

# %% [markdown]
# ## What a record depends on
#
# A record is valid as long as its inputs do not change: the cell, the numbers of rows, the settings. A hash of them is stored
# in the record. When the table of a profile is edited, only the cells that it changes run again.
# Where other data stand in for an original that cannot be passed on, that is part of the hash.

# %%
#| export
STAND_INS = {"cifar10": "cifar10_jpeg", "cassins": "finches", "retina": "worm_neurons", "celeba": "celeba_small"}  # used only when asked for


def inputs_hash(cell, profile: Profile, stand_ins: bool = False) -> str:
    """Hash everything that decides the numbers of a cell.

    Parameters
    ----------
    cell : Cell or SSLCell
        Which cell.
    profile : Profile
        Its sizes and settings.
    stand_ins : bool
        Whether stand-in data may be used.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    inputs = cell.inputs(profile) | {"cell": asdict(cell), "settings": cell.settings(profile)}
    if stand_ins and cell.dataset in STAND_INS:
        inputs["stand_in"] = STAND_INS[cell.dataset]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


# %%
cell, smoke = Cell("digits", "pumap", 2), profile("smoke")
assert inputs_hash(cell, smoke) == inputs_hash(Cell("digits", "pumap", 2), smoke)
assert inputs_hash(cell, smoke) != inputs_hash(cell, profile("quick")) != inputs_hash(Cell("digits", "pumap", 2, seed=1), profile("quick"))

# %% [markdown]
# ## Records
#
# A record is a small JSON file that holds the numbers and what they came from: profile, settings, rows, package versions, device, seconds, the source
# and checksum of the data. The points of a 2-D embedding (at most the first 10,000) are in a file next to it, for the pictures.
# Newer records also say by which commit, on which processor, with how many threads and in how many training steps they were made.

# %%
#| export
RECORD_KEYS = (
    "cell", "profile", "inputs", "settings", "n_train", "n_test", "metrics", "seconds",
    "peak_memory_mb", "data", "versions", "device", "embedding", "finished",
)
TRACE_KEYS = ("commit", "processor", "threads", "training")  # not in records made before 2026-11-28
METRICS = ("trustworthiness", "knn1_accuracy", "knn5_accuracy", "silhouette", "clustering_nmi", "reconstruction_mse")


class RecordDamaged(ValueError):
    "A record, or the file of arrays next to it, cannot be read."


def write_record(record: dict, path: Path, **arrays) -> dict:
    """Write the arrays of a record, then the record itself, so that a record on disk is complete.

    Parameters
    ----------
    record : dict
        With all of `RECORD_KEYS`.
    path : Path
        From `Run.path`.
    **arrays
        To be kept next to the record, such as `embedding` and `y`; None is left out.

    Returns
    -------
    dict
        The record, with the name of the file of arrays.
    """
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
def _checked(content, path):
    "Record in the content of a file; RecordDamaged if it, or the file of arrays next to it, cannot be read."
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
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:  # each can be the effect of a flipped bit
        raise RecordDamaged(f"The embedding of {path.name} cannot be read ({error}); set the record aside and run its cell again.") from error
    return record


def read_record(path: Path) -> dict:
    """Read and check a record.

    Parameters
    ----------
    path : Path
        From `Run.path`.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    FileNotFoundError
        If there is none.
    RecordDamaged
        If the record or its arrays cannot be read.
    """
    return _checked(Path(path).read_bytes(), Path(path))


def set_aside(path: Path, why: str) -> Path:
    """Rename a record and its file of arrays; nothing is deleted.

    Parameters
    ----------
    path : Path
        A record that is stale or damaged.
    why : str
        One word, which becomes part of the new name.

    Returns
    -------
    Path
        The new place.
    """
    path = Path(path)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    for file in (path.with_suffix(".npz"), path):
        if file.exists():
            target = file.with_name(f"{file.name}.{why}-{stamp}")
            os.replace(file, target)
    return target


# %% [markdown]
# ## Runs
#
# A *run* is a profile with its results and its data. Every step of the reproduction that reads or writes takes one.
#
# The file of a record is read once. `look` returns everything that one read tells: the record, a checksum, and the *state* of its cell.
# The state is `done`, `missing`, `earlier` (made with the earlier settings of the profile), `stale` (other inputs have changed) or `damaged`.
#
# `collect` returns the records of some cells. Missing, stale and damaged ones are run. A data set that cannot be had costs a figure one panel, not
# the whole: with a dictionary in `reasons`, the cell is left out and the reason noted there. Records with earlier settings are
# returned, too, and marked as such, until `pumap run --renew` sets them aside. A mean never mixes them with others: where one seed has today's settings, the seeds with earlier ones are left out.

# %%
#| export
NOT_RUN = "not run yet"  # the reason for a cell whose record is missing, stale or damaged, if none may be run
OTHER_SETTINGS = "earlier settings, while other seeds have today's"  # the reason for a record that would mix two settings in one mean


@dataclass(frozen=True)
class Kept:
    """What one read of a record's file found.

    Attributes
    ----------
    state : str
        "done", "missing", "earlier", "stale" or "damaged".
    record : dict or None
        None if it is missing or damaged. One with earlier settings has `earlier` = True.
    digest : str or None
        Checksum of the file; None if it is missing.
    """

    state: str
    record: dict | None = None
    digest: str | None = None


def _state_of(record, cell, profile, stand_ins) -> str:
    "Whether the inputs of a record are those of the profile, of its earlier settings, or neither; stand_ins are those that may be."
    sizes = {"done": profile} | ({"earlier": replace(profile, settings=profile.earlier)} if profile.earlier else {})
    return next((state for state, size in sizes.items() if record["inputs"] in [inputs_hash(cell, size, allowed) for allowed in stand_ins]), "stale")


# %%
#| export
@dataclass(frozen=True)
class Run:
    """A profile, its results and its data.

    Attributes
    ----------
    profile : Profile
        Which cells, of which size.
    results : Path
        Folder with records, pictures and executed notebooks.
    data : str
        Folder with data sets; "" searches PUMAP_DATA, the cache, the system and the internet.
    stand_ins : bool or None
        Whether other data of the same kind stand in for what cannot be passed on. None accepts records of either.
    """

    profile: Profile
    results: Path
    data: str = ""
    stand_ins: bool | None = False

    def path(self, cell) -> Path:
        "Place of the record of a cell, whether it exists or not."
        return Path(self.results) / "records" / f"{cell.id}.json"

    def actual(self, dataset: str) -> str:
        "Name of the data set that is used for this one."
        return STAND_INS.get(dataset, dataset) if self.stand_ins else dataset

    def load(self, cell):
        "Data set of a cell (`pumap.paper.datasets.Dataset`), with as many rows as the profile says."
        from pumap.paper.datasets import load, take

        n_train, n_test = cell.rows(self.profile)
        return take(load(self.actual(cell.dataset), self.data or None), n_train=n_train, n_test=n_test)

    def look(self, cell) -> Kept:
        "Read the record of a cell, once, and tell its state."
        path = self.path(cell)
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return Kept("missing")
        digest = hashlib.sha256(content).hexdigest()
        try:
            record = _checked(content, path)
        except RecordDamaged:
            return Kept("damaged", None, digest)
        state = _state_of(record, cell, self.profile, (True, False) if self.stand_ins is None else (self.stand_ins,))
        return Kept(state, record | ({"earlier": True} if state == "earlier" else {}), digest)

    def state(self, cell) -> str:
        "State of a cell: done, missing, earlier, stale or damaged."
        return self.look(cell).state

    def record(self, cell) -> dict:
        "Record of a cell, current or not; FileNotFoundError if there is none, RecordDamaged if it cannot be read."
        return read_record(self.path(cell))

    def collect(self, cells, run_missing: bool = True, reasons: dict | None = None) -> list:
        """Return the records of cells; damaged and stale ones are set aside and run again if their data can be had.

        Parameters
        ----------
        cells : iterable of Cell or SSLCell
            The cells wanted.
        run_missing : bool
            Whether to run what is missing, stale or damaged.
        reasons : dict, optional
            Filled with cell -> why it is missing; None raises the error instead.

        Returns
        -------
        list of dict
            Records in the order of `cells`, from `of_one_setting`.
        """
        records, absent, digests = [], {}, {}
        for cell in cells:
            kept = self.look(cell)
            try:
                if kept.state in ("done", "earlier"):
                    records.append(kept.record)
                elif not run_missing:
                    raise FileNotFoundError(NOT_RUN if reasons is not None else f"{cell.id} has not been run in profile {self.profile.name} (state: {kept.state}); run it with `pumap run`.")
                elif cell.dataset in absent:  # one search, or one failed download, per data set
                    raise absent[cell.dataset]
                else:
                    if kept.state != "missing":
                        self.load(cell)  # an error here leaves the record where it is, since it could not be made again
                        set_aside(self.path(cell), kept.state)
                    records.append(cell.compute(self))
                    continue  # its file has not been read
            except (FileNotFoundError, ValueError) as error:
                if reasons is None:
                    raise
                if run_missing and isinstance(error, FileNotFoundError):
                    absent[cell.dataset] = error
                reasons[cell] = str(error)
            digests[cell.id] = kept.digest
        note_what_was_read(digests)
        return of_one_setting(records, reasons)


# %%
#| export
def of_one_setting(records: list, reasons: dict | None = None) -> list:
    """Leave out records with earlier settings where another seed of the same method has today's.

    Parameters
    ----------
    records : list of dict
        From `Run.look`.
    reasons : dict, optional
        Filled with cell -> why it is left out.

    Returns
    -------
    list of dict
        The others, in the same order.
    """
    of_any_seed = lambda record: tuple(value for key, value in record["cell"].items() if key != "seed")
    today = {of_any_seed(record) for record in records if not record.get("earlier")}
    left_out = [record for record in records if record.get("earlier") and of_any_seed(record) in today]
    if reasons is not None:
        reasons.update({cell_of(record): OTHER_SETTINGS for record in left_out})
    return [record for record in records if record not in left_out]


# %% [markdown]
# `open_run` turns the parameters of a notebook into a run. Three readers know the names of the arrays that are kept.

# %%
#| export
def open_run(profile_name: str, results_dir="", data_dir="", stand_ins: bool = False) -> Run:
    """Return the run that the parameters of a notebook describe.

    Parameters
    ----------
    profile_name : str
        Name of a profile.
    results_dir : path
        As in `results_folder`.
    data_dir : path
        Folder with data sets, or "".
    stand_ins : bool
        Whether stand-in data may be used.

    Returns
    -------
    Run
        Nothing is read or written yet.
    """
    return Run(profile(profile_name), results_folder(results_dir, profile_name), str(data_dir or ""), stand_ins)


def read_arrays(record: dict, run: Run, *names: str) -> tuple | None:
    "Return arrays that are kept next to a record; None if one of these names is not there."
    import numpy as np

    if not record["embedding"]:
        return None
    with np.load(Path(run.results) / "records" / record["embedding"]) as arrays:
        return tuple(arrays[name] for name in names) if set(names) <= set(arrays) else None


def read_embedding(record: dict, run: Run):
    "Return the points of a 2-D embedding, float32 of shape (n, 2), and their labels, shape (n,); None if the record has none."
    return read_arrays(record, run, "embedding", "y")


def read_reconstructions(record: dict, run: Run):
    "Return a few test rows and what a method made of them, float16 arrays of the same shape; None if the record has none."
    return read_arrays(record, run, "shown", "reconstructed")


LAYER = ("embedding", "y", "predicted", "labeled")


def read_last_layer(record: dict, run: Run) -> dict | None:
    "Return the arrays of `last_layer`; None if the record has none."
    arrays = read_arrays(record, run, *LAYER)
    return dict(zip(LAYER, arrays)) if arrays else None


# %% [markdown]
# The executed copy of a figure's notebook is stamped with what it was made from, see below. So `collect` notes the checksums of what it read in a file,
# if the environment names one. `run_notebook` does, and need not read the records again.

# %%
#| export
READ_VARIABLE = "PUMAP_READ"


def note_what_was_read(digests: dict):
    "Add checksums by cell id to the file that the environment names, if it names one."
    place = os.environ.get(READ_VARIABLE)
    if place:
        Path(place).write_text(json.dumps(what_was_read(place) | digests))


def what_was_read(place) -> dict:
    "Return the checksums that a notebook noted in this file; empty if it noted none."
    try:
        return json.loads(Path(place).read_text())
    except FileNotFoundError:
        return {}


# %% [markdown]
# A record is written and read back. A damaged one is renamed, not deleted.

# %%
example = dict.fromkeys(RECORD_KEYS, None) | {"cell": asdict(cell), "inputs": inputs_hash(cell, smoke), "metrics": dict.fromkeys(METRICS, 0.5)}
with tempfile.TemporaryDirectory() as folder:
    run = Run(smoke, Path(folder))
    place = run.path(cell)
    assert run.state(cell) == "missing"
    written = write_record(example, place, embedding=np.eye(2), y=[0, 1])
    assert run.look(cell).record == written and run.state(cell) == "done"
    assert_allclose(read_embedding(run.record(cell), run)[0], np.eye(2))
    assert read_reconstructions(written, run) is None
    write_record(example | {"inputs": "other"}, place)
    assert run.state(cell) == "stale"
    place.write_text('{"cell": ')
    assert run.state(cell) == "damaged"
    print(set_aside(place, "damaged").name)
    assert run.state(cell) == "missing"


# %% [markdown]
# ## Running a cell
#
# The steps of every cell are the same: load the data, fit, embed the test rows, measure, write the record. Each step is a function, so
# that the notebook `paper/cell_embedding` can show them one by one.
#
# A perplexity of 500 needs 1,500 neighbors, and the moons have 1,000 rows. openTSNE then lowers it to a third of the rows. We do so first, so that
# the record holds the perplexity that was used.

# %%
#| export
def settings_used(cell, profile: Profile, n_train: int) -> dict:
    """Return the settings of a cell as its rows allow them.

    Parameters
    ----------
    cell : Cell or SSLCell
        Which cell.
    profile : Profile
        Its settings.
    n_train : int
        Rows to fit on; t-SNE needs more than three times the perplexity.

    Returns
    -------
    dict
        Keyword arguments of the method.
    """
    settings = cell.settings(profile)
    if "perplexity" in settings:
        settings["perplexity"] = min(settings["perplexity"], (n_train - 1) // 3)
    return settings


# %%
assert settings_used(Cell("moons", "tsne", 2), original, 1000) == {"perplexity": 333}
assert settings_used(Cell("mnist", "tsne", 2), original, 50_000) == {"perplexity": 30}


# %% [markdown]
# UMAP and t-SNE get no effort from the settings: as in the paper, umap-learn and openTSNE choose it. A dry run shows their choice.

# %%
#| export
def effort_by_itself(cell, n_train: int) -> dict:
    """Return the effort of a method whose library chooses it.

    Parameters
    ----------
    cell : Cell or SSLCell
        Which method.
    n_train : int
        Rows to fit on.

    Returns
    -------
    dict
        n_epochs or n_iter; empty for other methods.
    """
    if cell.method == "umap":
        return {"n_epochs": 500 if n_train <= 10_000 else 200}
    return {"n_iter": "250+500"} if cell.method == "tsne" else {}


# %%
assert effort_by_itself(Cell("moons", "umap", 2), 1000) == {"n_epochs": 500} and effort_by_itself(Cell("mnist", "pumap", 2), 50_000) == {}


# %%
#| export
def method_of(cell: Cell, dataset, profile: Profile, **changes):
    """Build the method of a cell with all its settings.

    Parameters
    ----------
    cell : Cell
        Method, dimensions and seed.
    dataset : Dataset
        From `Run.load`.
    profile : Profile
        Its settings.
    **changes
        Settings in place of these.

    Returns
    -------
    transformer
        Not fitted.
    """
    from pumap import import_quietly

    settings = settings_used(cell, profile, len(dataset.X_train)) | changes
    if settings.get("metric") == "dtw":
        settings["metric"] = import_quietly("pumap.paper.songs").dtw_metric(dataset.shape[:2])
    return import_quietly("pumap.baselines").make_method(cell.method, n_components=cell.n_components, random_state=cell.seed, **settings)


def fit_cell(cell: Cell, dataset, profile: Profile) -> tuple:
    """Fit the method of a cell on the training rows and embed the test rows.

    Parameters
    ----------
    cell : Cell
        Method, dimensions and seed.
    dataset : Dataset
        From `Run.load`; it may have no test rows.
    profile : Profile
        Its settings.

    Returns
    -------
    method : transformer
        Fitted.
    embedding_test : array of shape (n_test, n_components)
        Embedding of the test rows.
    seconds : dict
        Of fit and transform.
    """
    method = method_of(cell, dataset, profile)
    start = time.perf_counter()
    method.fit(dataset.X_train)
    fitted = time.perf_counter()
    embedding_test = method.transform(dataset.X_test) if len(dataset.X_test) else method.embedding_[:0]
    return method, embedding_test, {"fit": fitted - start, "transform": time.perf_counter() - fitted}


# %% [markdown]
# Methods with an `inverse_transform` reconstruct the test rows. umap-learn needs half a second for a row of MNIST, so it gets 100 rows, as in the paper. It has no inverse in many dimensions, nor for a metric without a gradient, such as dynamic time warping.

# %%
#| export
UMAP_RECONSTRUCTED = 100


def reconstruct(cell: Cell, method, dataset, embedding_test) -> tuple:
    """Map embedded test rows back to rows.

    Parameters
    ----------
    cell : Cell
        Which method.
    method : transformer
        From `fit_cell`.
    dataset : Dataset
        From `Run.load`.
    embedding_test : array of shape (n_test, n_components)
        Embedding of the test rows.

    Returns
    -------
    reconstruction : array of shape (n, ...) or None
        Of the first test rows; None if the method has no inverse.
    seconds : float
        Duration.
    """
    start = time.perf_counter()
    if not hasattr(method, "inverse_transform") or not len(dataset.X_test):
        return None, 0.0
    if cell.method == "umap" and (cell.n_components >= 8 or method.metric != "euclidean"):
        return None, 0.0
    points = embedding_test[:UMAP_RECONSTRUCTED] if cell.method == "umap" else embedding_test
    return method.inverse_transform(points), time.perf_counter() - start


# %% [markdown]
# The measures follow the paper. Trustworthiness uses 5 neighbors among the first 10,000 training rows. The nearest-neighbor classifier learns
# from the embedded training rows and is tested on embedded test rows. The silhouette is over all training rows, with the true labels. Clusters are sought in as many rows as the profile says.
# Reconstructions are compared with the test rows, in units of the range of the training data, which is 1 for images. A measure is None where classes, test rows or an inverse are missing.

# %%
#| export
TRUSTWORTHINESS_ROWS = 10_000


def measure(dataset, embedding, embedding_test, reconstruction=None, n_clustered: int | None = None, cluster_seeds: tuple = CLUSTER_SEEDS) -> tuple:
    """Measure one cell by the paper's protocol.

    Parameters
    ----------
    dataset : Dataset
        From `Run.load`.
    embedding : array of shape (n_train, n_components)
        Of the training rows.
    embedding_test : array of shape (n_test, n_components)
        Of the test rows.
    reconstruction : array of shape (n, ...), optional
        Of the first test rows.
    n_clustered : int, optional
        First training rows to cluster; None takes all.
    cluster_seeds : tuple of int
        Seeds of k-means.

    Returns
    -------
    metrics : dict
        Value or None for each of `METRICS`.
    seconds : float
        Duration.

    Raises
    ------
    ValueError
        If an embedding holds NaN or infinity.
    """
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


def has_classes(dataset) -> bool:
    """Return whether each row has one of several classes; the bison has a height instead.

    Parameters
    ----------
    dataset : Dataset
        From `Run.load`.

    Returns
    -------
    bool
        Whether labels are classes.
    """
    return dataset.y_train.ndim == 1 and dataset.y_train.dtype.kind in "iub"


# %% [markdown]
# A number can be checked later only if its circumstances are known. The following functions note them.

# %%
#| export
def versions() -> dict:
    """Return the versions of what decides the numbers.

    Returns
    -------
    dict
        By package name; None for what is not installed.
    """
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
    """Return the name of the GPU if the backend has one, else "cpu".

    Returns
    -------
    str
        Name of the device.
    """
    backend = sys.modules.get("pumap.backend")
    return list(backend.devices().values())[-1] if backend else "cpu"


def peak_memory_mb() -> float | None:
    """Return the peak memory of this process.

    Returns
    -------
    float or None
        In MiB; None where the system does not tell it (Windows).
    """
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


# %%
#| export
def commit() -> str | None:
    """Return the commit of the code.

    Returns
    -------
    str or None
        With "+changes" if the package was edited since; None outside a clone.
    """
    try:
        git = lambda *arguments: subprocess.run(["git", "-C", str(root()), *arguments], capture_output=True, text=True)
        head = git("rev-parse", "HEAD")
        changed = head.returncode == 0 and git("diff", "--quiet", "HEAD", "--", "pumap").returncode
    except OSError:  # no clone, or no git
        return None
    return head.stdout.strip() + "+changes" * bool(changed) if head.returncode == 0 else None


def processor() -> str:
    """Return the model of the processor.

    Returns
    -------
    str
        From the system; its architecture if the model is not known.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def n_threads() -> int:
    """Return how many threads numeric libraries use.

    Returns
    -------
    int
        OMP_NUM_THREADS, which Snakemake sets for each job, else the number of processors that this process may use.
    """
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return int(allowed) if allowed.isdigit() else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def training_of(model) -> dict | None:
    """Return the training steps of a fitted model.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    dict or None
        steps (of the last stage) and notes (what came before or was unusual); None if the model has no history.
    """
    history = getattr(model, "history_", None)
    return history and {"steps": int(history["step"][-1]) if len(history["step"]) else 0, "notes": list(map(str, history.get("notes", ())))}


# %%
assert versions()["python"].startswith("3.") and isinstance(device(), str) and processor() and n_threads() > 0
assert peak_memory_mb() is None or peak_memory_mb() > 10
assert commit() is None or re.fullmatch("[0-9a-f]{40}([+]changes)?", commit())
assert training_of(object()) is None


# %%
#| export
def make_record(run: Run, cell, dataset, metrics: dict, seconds: dict, model=None) -> dict:
    """Make the record of a cell that has been run.

    Parameters
    ----------
    run : Run
        Profile, and whether stand-in data were allowed.
    cell : Cell or SSLCell
        Which cell.
    dataset : Dataset
        From `Run.load`.
    metrics : dict
        From `measure`.
    seconds : dict
        Of each step.
    model : estimator, optional
        Fitted; its training steps are noted.

    Returns
    -------
    dict
        With all of `RECORD_KEYS` and `TRACE_KEYS`.
    """
    return {
        "cell": asdict(cell),
        "profile": run.profile.name,
        "inputs": inputs_hash(cell, run.profile, run.stand_ins),
        "settings": settings_used(cell, run.profile, len(dataset.X_train)),
        "n_train": len(dataset.X_train),
        "n_test": len(dataset.X_test),
        "metrics": metrics,
        "seconds": {key: round(value, 3) for key, value in seconds.items()},
        "peak_memory_mb": peak_memory_mb(),
        "data": {key: getattr(dataset, key) for key in ("title", "source", "sha256", "stand_in_for")},
        "versions": versions(),
        "device": device() if ALL_METHODS[cell.method].trained else "cpu",
        "embedding": None,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor": processor(),
        "threads": n_threads(),
        "training": training_of(model),
    }


# %%
#| export
N_SHOWN = 8  # test rows whose reconstruction is kept


def save_cell(run: Run, cell: Cell, record: dict, dataset, embedding, reconstruction=None) -> dict:
    """Write a record with the first rows of a 2-D embedding and the first reconstructions (no photographs of people).

    Parameters
    ----------
    run : Run
        Where to write.
    cell : Cell
        Which cell.
    record : dict
        From `make_record`.
    dataset : Dataset
        From `Run.load`.
    embedding : array of shape (n_train, n_components)
        Of the training rows.
    reconstruction : array, optional
        From `reconstruct`.

    Returns
    -------
    dict
        The record, with the name of its file of arrays.
    """
    arrays, first = {}, slice(TRUSTWORTHINESS_ROWS)
    if cell.n_components == 2:
        arrays = {"embedding": embedding[first].astype("float32"), "y": dataset.y_train[first]}
    if reconstruction is not None and cell.dataset not in ("celeba", STAND_INS["celeba"]):
        arrays |= {"shown": dataset.X_test[:N_SHOWN].astype("float16"), "reconstructed": reconstruction[:N_SHOWN].astype("float16")}
    return write_record(record, run.path(cell), **arrays)


# %% [markdown]
# The cheapest cell, run for real. The second `collect` reads its record.

# %%
with tempfile.TemporaryDirectory() as folder:
    run, cheap = Run(smoke, Path(folder)), Cell("digits", "pca", 2)
    (record,) = run.collect([cheap])
    assert set(record) == {*RECORD_KEYS, *TRACE_KEYS} and record["n_train"] == 300 and 0.6 < record["metrics"]["trustworthiness"] <= 1
    assert run.collect([cheap], run_missing=False) == [record]
    points, labels = read_embedding(record, run)
    assert points.shape == (300, 2) and labels.shape == (300,)
    reasons = {}
    assert run.collect([Cell("digits", "umap", 2)], False, reasons) == [] and list(reasons.values()) == [NOT_RUN]
record["metrics"]

# %% [markdown]
# PCA checks all measures at once. With as many components as the data have columns it only rotates the data. So the numbers of such a cell
# must be those of the data themselves. Moons and digits are small enough to check that each time.

# %%
#| export
N_COLUMNS = {"moons": 2, "digits": 64}  # digits: 8 x 8 pixels


def rotated_only(records: list, metric: str, run: Run) -> list:
    """Compare the cells in which PCA only rotates the data with the data themselves.

    Parameters
    ----------
    records : list of dict
        From `Run.collect`.
    metric : str
        One of `METRICS`.
    run : Run
        Where the data are.

    Returns
    -------
    list of (Cell, float, float)
        Cell, the value in its record, and the value without any embedding.
    """
    rows = []
    for cell, record in ((Cell(**record["cell"]), record) for record in records):
        if cell.method == "pca" and cell.n_components == N_COLUMNS.get(cell.dataset):
            dataset = run.load(cell)
            X, X_test = (part.reshape(len(part), -1) for part in (dataset.X_train, dataset.X_test))
            rows.append((cell, record["metrics"][metric], measure(dataset, X, X_test, dataset.X_test, **run.profile.clustering)[0][metric]))
    return rows


# %%
with tempfile.TemporaryDirectory() as folder:
    run = Run(smoke, Path(folder))
    pca = run.collect([Cell("moons", "pca", 2), Cell("digits", "pca", 2)])
    for metric in METRICS:
        ((cell, ours, data),) = rotated_only(pca, metric, run)  # two components of the digits' 64 are not all
        assert cell.dataset == "moons" and abs(ours - data) < 1e-3, f"{metric}: {ours} and {data}"


# %% [markdown]
# ## Running a notebook
#
# papermill runs a notebook with parameters, but ignores a misspelled parameter and uses the default. Here that is an error. The executed copy appears only
# when the whole notebook has run. It has no times and machine paths, so that it can be committed and read.
#
# Importing papermill takes 3.5 s instead of 0.8 s where `rfc3987-syntax` is installed: jsonschema from 4.25 on imports it, and it builds a grammar for addresses.
# Notebooks have none. Without `import_papermill` nothing breaks, but each job is 3 s slower.

# %%
#| export
class NotebookFailed(RuntimeError):
    "A cell of a notebook raised an error."


def import_papermill():
    "Return papermill; while it is imported, Python is told that rfc3987-syntax is not installed, which jsonschema allows for."
    absent = sys.modules.setdefault("rfc3987_syntax") is None
    try:
        import papermill
    finally:
        if absent:
            del sys.modules["rfc3987_syntax"]
    return papermill


def check_parameters(path: Path, parameters: dict):
    """Check that a notebook has these parameters.

    Parameters
    ----------
    path : Path
        A notebook with a cell tagged `parameters`.
    parameters : dict
        By name.

    Raises
    ------
    ValueError
        If the notebook lacks one of the names.
    """
    import logging

    papermill = import_papermill()
    logging.getLogger("papermill").setLevel(logging.ERROR)
    known = tuple(papermill.inspect_notebook(str(path)))
    for name in parameters:
        if name not in known:
            raise unknown(f"parameter in {Path(path).name} called", name, known)


def clean_copy(notebook):
    """Remove papermill's notes of times and paths, and TensorFlow's start-up messages.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; all other outputs are kept.

    Returns
    -------
    NotebookNode
        The same notebook.
    """
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_without_startup, cell.outputs) if output]
    return notebook


def _without_startup(output):
    "Output of a cell without TensorFlow's start-up messages, which are about the machine; None if nothing is left of it."
    from pumap import STARTUP_MESSAGES

    if output.get("name") != "stderr":
        return output
    about_machine = (*STARTUP_MESSAGES, "failed call to cuInit")  # the last comes later; on a terminal it should be seen
    lines = output.text.splitlines(keepends=True)
    output.text = "".join(line for line in lines if not any(message in line for message in about_machine))
    return output if output.text else None


# %% [markdown]
# The executed copy also tells whether the figure is up to date: it carries a hash of its source and of the records it was made from. (File times would not do: a fresh clone has all files at once.)

# %%
#| export
def made_from(notebook: str, run: Run, digests: dict | None = None) -> str:
    """Hash the source of a figure's notebook and what it reads: the records of its cells, or what it measured itself.

    Parameters
    ----------
    notebook : str
        File stem in nbs/paper.
    run : Run
        Where the records are.
    digests : dict, optional
        Known checksums of records by cell id; the others are read.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    digests, cells = digests or {}, cells_of_notebook(notebook, run.profile)
    digest = lambda place: hashlib.sha256(place.read_bytes()).hexdigest() if place.exists() else None
    text = ["".join(cell["source"]) for cell in json.loads(notebook_path(notebook).read_text(encoding="utf-8"))["cells"]]
    found = [digests[cell.id] if cell.id in digests else digest(run.path(cell)) for cell in cells]
    own = sorted(p for p in Path(run.results).glob(f"{notebook.split('_')[0]}_*") if p.suffix in (".csv", ".json", ".npz"))
    return hashlib.sha256(json.dumps([text, found or list(map(digest, own))]).encode()).hexdigest()[:16]


def left_out(path: Path) -> list:
    """Return what a notebook had to leave out: the lines that it began with `left out:`.

    Parameters
    ----------
    path : Path
        An executed notebook.

    Returns
    -------
    list of str
        What, and why.
    """
    cells = json.loads(Path(path).read_text(encoding="utf-8")).get("cells", ())
    printed = ["".join(output.get("text", ())) for cell in cells for output in cell.get("outputs", ())]
    return [line.removeprefix("left out: ") for text in printed for line in text.splitlines() if line.startswith("left out: ")]


def is_drawn(notebook: str, run: Run, digests: dict | None = None) -> bool:
    """Return whether the executed copy of a figure's notebook was made from the present source and records.

    Parameters
    ----------
    notebook : str
        File stem in nbs/paper.
    run : Run
        Where the copy and the records are.
    digests : dict, optional
        As in `made_from`.

    Returns
    -------
    bool
        False if there is no copy.
    """
    path = Path(run.results) / f"{notebook}.ipynb"
    try:
        copy = json.loads(path.read_text(encoding="utf-8"))
        same = copy["metadata"]["pumap"]["made_from"] == made_from(notebook, run, digests)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return False
    return same and (bool(cells_of_notebook(notebook, run.profile)) or not left_out(path))  # the plan of `pumap run` knows the missing cells


def signed(copy, path: Path, parameters: dict, digests: dict | None = None):
    """Note in the copy of a figure's notebook what it was made from.

    Parameters
    ----------
    copy : NotebookNode
        Executed.
    path : Path
        Its source.
    parameters : dict
        What it was run with.
    digests : dict, optional
        Checksums of the records that it read.

    Returns
    -------
    NotebookNode
        The same notebook.
    """
    name = parameters.get("profile")
    if name in PROFILES and Path(path).stem in {f.notebook for f in FIGURES.values()}:
        results = root() / parameters["results_dir"] if parameters.get("results_dir") else figures_dir(name)
        copy.metadata["pumap"] = {"made_from": made_from(Path(path).stem, Run(profile(name), results), digests)}
    return copy


# %% [markdown]
# A kernel that is asked to shut down needs seconds to unload TensorFlow, and sometimes reports an interruption as an error. So it is killed after its
# last cell. Its temporary files are in a folder that is deleted with it.

# %%
#| export
@contextmanager
def kernel_environment():
    """Set the environment that a kernel inherits.

    It has a temporary folder of its own, a file to note what was read, and no matplotlib backend, so that pictures are shown in the copy.

    Yields
    ------
    str
        The file to note what was read.
    """
    import tempfile
    from unittest.mock import patch

    with tempfile.TemporaryDirectory(prefix="pumap-", ignore_cleanup_errors=True) as folder:
        read = str(Path(folder) / "read.json")
        with patch.dict(os.environ, {"TMPDIR": folder, READ_VARIABLE: read}):
            os.environ.pop("MPLBACKEND", None)
            yield read


# %%
#| export
def run_notebook(path: Path, output: Path, parameters: dict) -> Path:
    """Run a notebook in a fresh kernel, in the repository's folder, and keep the executed copy.

    Parameters
    ----------
    path : Path
        The source notebook.
    output : Path
        Where the executed copy goes.
    parameters : dict
        papermill parameters, checked against the notebook's own.

    Returns
    -------
    Path
        The executed copy.

    Raises
    ------
    ValueError
        For an unknown parameter.
    NotebookFailed
        With one line, if a cell fails; the copy up to that cell is kept as `<output>.failed.ipynb`.
    """
    papermill = import_papermill()
    import nbformat

    from pumap.core import write_atomic

    check_parameters(path, parameters)
    output = Path(output).resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_name(f".{output.stem}.{os.getpid()}.tmp.ipynb")
    # Each kernel warns that it uses TCP, as local kernels do. Outputs of cells and errors are not affected by this log level.
    kernel = {"extra_arguments": ["--log-level=CRITICAL"], "shutdown_kernel": "immediate"}
    try:
        with kernel_environment() as read:
            papermill.execute_notebook(str(path), str(draft), parameters, cwd=str(root()), progress_bar=False, **kernel)
            digests = what_was_read(read)
        copy = signed(clean_copy(nbformat.read(draft, as_version=4)), path, parameters, digests)
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
# The second half of the paper (section 3.4) asks how much the UMAP loss of all rows helps a classifier with few labels. It compares six methods:
#
# | method | trained on |
# |---|---|
# | `baseline` | the labels alone |
# | `aug` | augmented images |
# | `umap_euclidean`, `aug_umap_euclidean` | also the UMAP loss on edges of the Euclidean graph of the pixels |
# | `umap_learned`, `aug_umap_learned` | also the UMAP loss on edges of a graph that the network learns (`08_semisupervised`) |
#
# A cell is one method on one data set with a number of labels *per class*, and a seed. The seed decides which rows have labels, and the network.

# %%
#| export
AUGMENTATIONS = {"digits": "mnist", "mnist": "mnist", "fmnist": "fmnist", "cifar10": "cifar10"}  # by data set: names of `semisupervised.augmentation`


@dataclass(frozen=True)
class SSLCell:
    """One semi-supervised method on one data set with `n_labels` labeled rows per class, started from one seed.

    It has the methods of `Cell`.

    Attributes
    ----------
    dataset, method : str
        Names.
    n_labels : int or "full"
        Per class; "full": every training row has its label.
    seed : int
        Chooses the labeled rows and the network.
    """

    dataset: str
    method: str
    n_labels: int | str
    seed: int = 0
    notebook = "cell_ssl"

    @property
    def id(self) -> str:
        "Name of the cell and of its files."
        return f"{self.dataset}-{self.method}-labels{self.n_labels}-seed{self.seed}"

    def check(self) -> "SSLCell":
        "Return the cell; ValueError if the data set or the method does not exist, or a number makes no sense."
        _check_cell(self, AUGMENTATIONS, SSL_METHODS, " of the semi-supervised grid")
        if self.n_labels != "full" and (not isinstance(self.n_labels, int) or isinstance(self.n_labels, bool) or self.n_labels < 1):
            raise ValueError(f"n_labels is {self.n_labels!r}; give a whole number of labels per class, 1 or more, or 'full'.")
        return _check_cell(self, AUGMENTATIONS, SSL_METHODS, seed=0)

    def settings(self, profile: Profile) -> dict:
        "Settings of the classifier: the protocol's, the method's, then the profile's. Later ones take precedence."
        size = ssl_grid(profile)
        settings = SSL_PROTOCOL | ssl_method(self) | size.settings | size.of_dataset.get(self.dataset, {})
        if not settings["umap_weight"]:  # no graph, no second stage
            unused = ("n_neighbors", "min_dist", "labels_in_graph", "n_label_steps", "batch_size")
            settings = {key: value for key, value in settings.items() if key not in unused} | size.labels_alone
        return settings

    def rows(self, profile: Profile) -> tuple:
        "Number of the first training rows and of the first test rows that the cell takes; None takes all."
        return ssl_grid(profile).rows

    def inputs(self, profile: Profile) -> dict:
        "What decides the numbers besides the settings; see `inputs_hash`."
        return {"protocol": SSL_VERSION, "rows": [*self.rows(profile)]}

    def limits(self) -> dict:
        "What a scheduler should allow, as `Cell.limits`."
        return {"mem_mb": 16_000, "runtime": SSL_METHODS[self.method].minutes, "gpu": 1}

    def compute(self, run: Run) -> dict:
        "Run the cell from the data to the record on disk, in this process; return the record."
        dataset = run.load(self.check())
        classifier, y, accuracy, seconds = fit_ssl_cell(self, dataset, run.profile)
        record = make_record(run, self, dataset, {"accuracy": accuracy}, seconds, classifier)
        return save_ssl_cell(run, self, record, classifier, dataset, y)


# %%
#| export
def cell_of(record: dict) -> Cell | SSLCell:
    """Return the cell that a record is of.

    Parameters
    ----------
    record : dict
        Of either grid.

    Returns
    -------
    Cell or SSLCell
        By its keys.
    """
    return (SSLCell if "n_labels" in record["cell"] else Cell)(**record["cell"])


def ssl_count(n_labels) -> int | str:
    "Return labels per class as a cell has them; n_labels is a number, its text, or \"full\"."
    return n_labels if n_labels == "full" else int(n_labels)


def label_order(n_labels: int | str) -> float:
    "Return a key to sort numbers of labels by; \"full\" comes last."
    return float("inf") if n_labels == "full" else n_labels


# %%
assert SSLCell("mnist", "aug", 4).id == "mnist-aug-labels4-seed0"
for wrong in (SSLCell("digit", "aug", 4), SSLCell("digits", "umap", 4), SSLCell("digits", "aug", 0), SSLCell("digits", "aug", "all"), SSLCell("digits", "aug", 4, -1)):
    try: wrong.check()
    except ValueError as error: print(error)
    else: assert False

# %% [markdown]
# After a change of a profile's settings, its old records have the state `earlier`. They are taken where no other seed is done.

# %%
cell, smoke = Cell("digits", "pumap", 2), profile("smoke")
changed = replace(smoke, settings=((P_UMAP, None, {"n_training_epochs": 1}),), earlier=smoke.settings)
with tempfile.TemporaryDirectory() as folder:
    run = Run(changed, Path(folder))
    write_record(example, run.path(cell))
    assert run.state(cell) == "earlier" and [record["earlier"] for record in run.collect([cell], run_missing=False)] == [True]
    other, reasons = replace(cell, seed=1), {}
    write_record(example | {"cell": asdict(other), "inputs": inputs_hash(other, changed)}, run.path(other))
    assert [record["cell"]["seed"] for record in run.collect([cell, other], run_missing=False, reasons=reasons)] == [1] and reasons == {cell: OTHER_SETTINGS}

# %% [markdown]
# These settings hold in every profile: the loss and its weight, the graph, `min_dist`, the label smoothing. As in the original, known labels enter the graph: edges between rows with different labels are cut (the paper does not say so). One thing is ours: the
# seed draws the labeled rows of a class at random. `labels="first"` takes the first rows of each class, as the original does.

# %%
#| export
SSL_PROTOCOL = {"n_neighbors": 15, "min_dist": 0.001, "label_smoothing": 0.2, "labels_in_graph": True, "labels": "random"}


def ssl_method(cell: SSLCell) -> dict:
    """Return the settings that distinguish the six methods.

    Parameters
    ----------
    cell : SSLCell
        Method and data set.

    Returns
    -------
    dict
        Settings of the classifier.
    """
    settings = {"umap_weight": 1.0, "graph": "learned" if cell.method.endswith("learned") else "euclidean"} if "umap" in cell.method else {"umap_weight": 0}
    return settings | ({"augment": AUGMENTATIONS[cell.dataset]} if cell.method.startswith("aug") else {})


# %% [markdown]
# A profile sets which cells, how many rows, how wide the network, how long the training, and on which rows it stops. The `paper` profile has the original's numbers:
#
# | setting | value |
# |---|---|
# | network | `cnn13`, 256 features shared by two heads of 256 and 256 units, 1,024 dimensions |
# | batches | 128 labeled images and 128 edges |
# | length | at most 500 epochs of 390 steps (CIFAR10: 312) |
# | early stopping | every ten epochs on the 10,000 labeled validation images; after 100 epochs without a better accuracy |
#
# The original trains the classifier first, and continues with both losses from its best weights. Here both are one training that begins with `n_label_steps` on the labels alone.
# Three things of that profile differ from the original:
#
# - Its learning rate is constant, 0.0001 for the classifier on MNIST and Fashion-MNIST and 0.001 elsewhere. Ours starts at 0.001 and falls to zero.
# - Its second stage may take 500 times ten epochs, and ends when ten of these have gained less than 0.0025. Ours has 500 epochs for both.
# - It reports the accuracy at the end; ours goes back to the best weights.
#
# The other profiles train briefly. In a brief training the two heads diverge (`08_semisupervised` measures it), so there the classifier reads the UMAP space itself, of fewer dimensions. The `laptop` profile has `cnn13` with an eighth of the filters, and shrinks images
# to half their size in the network's first layer. The graph and the augmentations are those of the full images.

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
def ssl_grid(profile: Profile) -> SSLGrid:
    """Return the semi-supervised grid of a profile.

    Parameters
    ----------
    profile : Profile
        Which profile.

    Returns
    -------
    SSLGrid
        Its cells, sizes and settings.
    """
    return SSL_GRIDS[profile.name]


# %%
settings = SSLCell("cifar10", "aug_umap_learned", 4).settings(original)
assert settings["encoder"] == "cnn13" and settings["graph"] == "learned" and settings["augment"] == "cifar10" and settings["n_steps"] == 156_000
assert (settings["n_shared"], settings["head_layers"], settings["n_components"], settings["batch_size"]) == (256, [256, 256], 1024, 128)
assert "graph" not in SSLCell("mnist", "baseline", 4).settings(original)
assert SSLCell("mnist", "aug", 4).rows(original) == (None, None) != SSLCell("mnist", "aug", 4).rows(laptop)
assert len(ssl_grid(original).cells) == 3 * 6 * 6 and len(ssl_grid(laptop).cells) == 3 * 6 * 5
assert {c.method for c in cells_for("fig16", original)} == {"baseline", "aug", "aug_umap_euclidean"}
assert cells_for("table8", laptop) == ssl_grid(laptop).cells
assert SSLCell("mnist", "aug", 4).limits()["runtime"] < SSLCell("mnist", "aug_umap_learned", 4).limits()["runtime"]


# %% [markdown]
# ### The steps of a cell
#
# Choose the labels, fit, test. `choose_labels` returns the label of `n_labels` rows per class and -1 for all others.

# %%
#| export
def choose_labels(y, n_labels: int | str, seed: int = 0, labels: str = "random"):
    """Choose the labels that a classifier gets to see.

    Parameters
    ----------
    y : array of shape (n,)
        Classes.
    n_labels : int or "full"
        Per class.
    seed : int
        Of the choice.
    labels : str
        "random", or "first" rows of each class, as in the original.

    Returns
    -------
    array of shape (n,)
        Labels with -1 where there is none; ValueError if a class has too few rows.
    """
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
def ssl_encoder(encoder: str, width: float = 1.0, half_size: bool = False):
    """Return the network of a cell.

    Parameters
    ----------
    encoder : str
        "cnn13", or a name that SemiSupervisedClassifier knows.
    width : float
        Factor on the number of filters of cnn13.
    half_size : bool
        Whether to average each 2 x 2 pixels first.

    Returns
    -------
    str or callable
        What SemiSupervisedClassifier takes as `encoder`.
    """
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


def ssl_classifier(cell: SSLCell, profile: Profile, **changes):
    """Build the classifier of a cell.

    Parameters
    ----------
    cell : SSLCell
        Which method.
    profile : Profile
        Its settings.
    **changes
        Settings in place of these.

    Returns
    -------
    SemiSupervisedClassifier
        Not fitted.
    """
    from pumap import import_quietly

    settings = cell.settings(profile) | changes
    settings.pop("labels")  # see `choose_labels`
    settings["encoder"] = ssl_encoder(settings["encoder"], settings.pop("width", 1.0), settings.pop("half_size", False))
    return import_quietly("pumap.semisupervised").SemiSupervisedClassifier(random_state=cell.seed, **settings)


# %%
#| export
def fit_ssl_cell(cell: SSLCell, dataset, profile: Profile, **changes) -> tuple:
    """Choose labels, fit the classifier of a cell, and test it on the test rows.

    Parameters
    ----------
    cell : SSLCell
        Method, labels and seed.
    dataset : Dataset
        From `Run.load`.
    profile : Profile
        Its settings.
    **changes
        Settings of the classifier in place of these.

    Returns
    -------
    classifier : SemiSupervisedClassifier
        Fitted.
    y : array of shape (n_train,)
        The labels it saw, with -1 elsewhere.
    accuracy : float
        On the test rows.
    seconds : dict
        Of fit and predict.
    """
    import numpy as np

    y = choose_labels(dataset.y_train, cell.n_labels, cell.seed, cell.settings(profile)["labels"])
    classifier = ssl_classifier(cell, profile, **changes)
    validation = (dataset.X_valid, dataset.y_valid) if classifier.stop_on == "given" else None
    start = time.perf_counter()
    classifier.fit(dataset.X_train, y, validation=validation)
    fitted = time.perf_counter()
    if not np.isfinite(classifier.history_["classification"][-1]):
        raise ValueError("The training ended in NaN or infinity; try another seed, or a smaller learning rate.")
    accuracy = float(np.mean(classifier.predict(dataset.X_test) == dataset.y_test))
    return classifier, y, accuracy, {"fit": fitted - start, "predict": time.perf_counter() - fitted}


# %% [markdown]
# Figure 17 shows the classifier that had labels alone: what its last layer reads, as a 2-D UMAP, with the true and the predicted classes. These arrays are kept next to the record, for the first 10,000 rows.

# %%
#| export
def last_layer(classifier, dataset, y, seed: int = 0) -> dict:
    """Embed what the last layer of a classifier reads by UMAP with default settings.

    Parameters
    ----------
    classifier : SemiSupervisedClassifier
        Fitted.
    dataset : Dataset
        From `Run.load`.
    y : array of shape (n_train,)
        Labels it saw, -1 elsewhere.
    seed : int
        Of UMAP.

    Returns
    -------
    dict
        embedding (n, 2), y, predicted and labeled, of the first n training rows.
    """
    from pumap import import_quietly

    part, training = import_quietly("pumap.semisupervised").part, import_quietly("pumap.training")
    X = dataset.X_train[:TRUSTWORTHINESS_ROWS]
    hidden = training.encode(part(classifier.network_, "hidden"), training.Rows(X))
    umap = import_quietly("pumap.baselines").make_method("umap", random_state=seed, n_neighbors=15, min_dist=0.1).fit(hidden)
    first = slice(len(X))
    return {"embedding": umap.embedding_.astype("float32"), "y": dataset.y_train[first], "predicted": classifier.predict(X), "labeled": y[first] >= 0}


# %%
#| export
def save_ssl_cell(run: Run, cell: SSLCell, record: dict, classifier, dataset, y) -> dict:
    """Write a record; the last layer of the baseline goes with it.

    Parameters
    ----------
    run : Run
        Where to write.
    cell : SSLCell
        Which cell.
    record : dict
        From `make_record`.
    classifier : SemiSupervisedClassifier
        Fitted.
    dataset : Dataset
        From `Run.load`.
    y : array of shape (n_train,)
        Labels that the classifier saw.

    Returns
    -------
    dict
        The record, with the name of its file of arrays.
    """
    arrays = last_layer(classifier, dataset, y, cell.seed) if cell.method == "baseline" else {}
    return write_record(record, run.path(cell), **arrays)


# %% [markdown]
# Two cells, run for real. Records and states are those of the other grid.

# %%
with tempfile.TemporaryDirectory() as folder:
    run = Run(smoke, Path(folder))
    two = [SSLCell("digits", method, 4) for method in ("baseline", "umap_euclidean")]
    records = run.collect(two)
    assert run.collect(two, run_missing=False) == records
    arrays = read_last_layer(records[0], run)
    assert arrays["embedding"].shape == (300, 2) and arrays["labeled"].sum() == 40 and arrays["predicted"].shape == arrays["y"].shape
    assert read_last_layer(records[1], run) is None
    assert all(0.3 < record["metrics"]["accuracy"] <= 1 and record["training"]["steps"] > 0 for record in records)
[record["metrics"] for record in records]


# %% [markdown]
# ## Training runs
#
# Figure 10 and the benchmarks of training speed and memory need trainings that share nothing but the graph. Each runs in a process of its own, so that its memory can be measured. It is the notebook `paper/cell_training`. Its record is named after its parameters,
# and finished trainings are reused.

# %%
#| export
def training_name(training: dict) -> str:
    """Return the name of a training: its parameters, without those that are places.

    Parameters
    ----------
    training : dict
        Parameters of paper/cell_training.

    Returns
    -------
    str
        File stem of its record.
    """
    parts = [f"{key}={value}" for key, value in sorted(training.items()) if key not in ("name", "results_dir", "data_dir")]
    return re.sub(r"[^a-zA-Z0-9=_.+-]", "", "+".join(parts).replace("_", ""))


def _read_json(path):
    "Content of a JSON file; None if it is missing or damaged."
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def training_records(trainings: list, run: Run, reasons: dict | None = None) -> list:
    """Return the records of trainings; missing ones are run, one after the other.

    Parameters
    ----------
    trainings : list of dict
        Parameters of paper/cell_training.
    run : Run
        Where graphs, records and data are.
    reasons : dict, optional
        Filled with name -> why it could not be run; None raises the error instead.

    Returns
    -------
    list of dict
        Records in the order of `trainings`.
    """
    records = []
    for training in trainings:
        name = training_name(training)
        place = Path(run.results) / "training" / f"{name}.json"
        record = _read_json(place)
        try:
            if record is None:
                copy = place.parent / "cells" / f"{name}.ipynb"
                run_notebook(notebook_path("cell_training"), copy, training | {"name": name, "results_dir": portable(run.results), "data_dir": run.data})
                record = json.loads(place.read_text())
            records.append(record)
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
# Figures 11 and 12 and the benchmarks time a call. The first call of a function compiles or builds an index. So warm-up calls come first, and their
# seconds are kept apart. A GPU returns before it is done, so the result is converted to numpy before the clock is read. The median is reported, since it ignores a single disturbed run.

# %%
#| export
@dataclass(frozen=True)
class Timing:
    """Seconds of repeated calls.

    Attributes
    ----------
    seconds : tuple of float
        Of each repeat.
    warmup : tuple of float
        Of each call before them.
    """

    seconds: tuple
    warmup: tuple

    @property
    def median(self) -> float:
        "Median of the repeats, without the warm-up."
        import statistics

        return statistics.median(self.seconds)


def time_call(call, repeats: int = 10, warmups: int = 1) -> Timing:
    """Time a call several times, each until its result is there as numpy.

    Parameters
    ----------
    call : callable
        Without arguments; returns an array or tensor, or a tuple of them.
    repeats : int
        Timed calls.
    warmups : int
        Calls before them.

    Returns
    -------
    Timing
        Seconds of all calls.
    """
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
assert cells_for("fig11", original) == ()  # speeds are not cells of the grid


# %% [markdown]
# ## Measurements that are kept
#
# Seconds depend on the machine and its other work, so they are not measured again each time a figure is drawn. The notebook keeps its measurements as a CSV file next to its figure, and reads that file
# the next time. Delete the file to re-measure.

# %%
#| export
@dataclass(frozen=True)
class Measurements:
    """A table that an earlier run of a notebook kept, or the place for it.

    Attributes
    ----------
    path : Path
        The CSV file.
    wanted : tuple of str
        Data sets that it should cover.
    lines : list of dict or None
        One per measurement; None: nothing is kept.
    """

    path: Path
    wanted: tuple
    lines: list | None

    @property
    def to_measure(self) -> tuple:
        "Data sets to measure now: those that the table lacks."
        there = {line.get("dataset") for line in self.lines or ()}
        return tuple(name for name in self.wanted if name not in there)

    def __str__(self):
        if self.lines is None:
            return "nothing measured yet, so it will be now"
        return f"read from {portable(self.path)}; delete the file to measure anew" + (f"\nnot in that file, so measured now: {', '.join(self.to_measure)}" if self.to_measure else "")


def write_measurements(lines: list, path: Path):
    """Write a table of measurements in one step, numbers with six digits.

    Parameters
    ----------
    lines : list of dict
        All with the same keys.
    path : Path
        The CSV file.
    """
    from io import StringIO

    from pumap.core import write_atomic

    buffer = StringIO()
    table = csv.DictWriter(buffer, lines[0] if lines else (), lineterminator="\n")
    table.writeheader()
    table.writerows({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in line.items()} for line in lines)
    write_atomic(path, buffer.getvalue().encode())


# %%
#| export
def read_measurements(path: Path) -> list | None:
    """Read a table of measurements.

    Parameters
    ----------
    path : Path
        The CSV file.

    Returns
    -------
    list of dict or None
        Whole numbers, other numbers, and text; None if there is no such file; ValueError if it is damaged.
    """
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


def measurements(name: str, wanted: tuple, run: Run, save_to="") -> Measurements:
    """Return the measurements of a notebook, if an earlier run kept them.

    Parameters
    ----------
    name : str
        File stem of the table, such as "fig11_embedding_speed".
    wanted : tuple of str
        Data sets that it should cover.
    run : Run
        Where it is looked for if it is not written.
    save_to : path
        Where it will be written; "": nowhere.

    Returns
    -------
    Measurements
        Print it to tell what is there.
    """
    path = Path(save_to or run.results) / f"{name}.csv"
    return Measurements(path, tuple(wanted), read_measurements(path))


# %%
with tempfile.TemporaryDirectory() as folder:
    nothing = measurements("speed", ("digits", "moons"), Run(smoke, Path(folder)))
    assert nothing.lines is None and nothing.to_measure == ("digits", "moons")
    write_measurements([{"dataset": "digits", "encoder": "", "n_rows": 1000, "seconds": 1 / 3}], nothing.path)
    assert nothing.path.read_text() == "dataset,encoder,n_rows,seconds\ndigits,,1000,0.333333\n"
    there = measurements("speed", ("digits", "moons"), Run(smoke, Path(folder)))
    assert there.lines == [{"dataset": "digits", "encoder": "", "n_rows": 1000, "seconds": 0.333333}] and there.to_measure == ("moons",)
    assert str(there).endswith("not in that file, so measured now: moons")
    there.path.write_text("a,b\n1\n")
    try: read_measurements(there.path)
    except ValueError as error: assert "delete the file" in str(error)
    else: assert False

# %% [markdown]
# Figures 11 and 12 time the same kinds of model on the same rows. New rows are test rows, which no method has seen. Speed does not depend on the quality of a model, so none is trained to the end.

# %%
#| export
SPEED_SIZES = {  # data sets; training rows, new rows, and new rows for slow methods at most
    "smoke": (("digits",), 300, 200, 30),
    "quick": (("digits",), 1_197, 300, 300),
    "laptop": (("mnist", "fmnist", "retina"), 50_000, 10_000, 1_000),
    "paper": (("mnist", "fmnist", "retina"), 50_000, 10_000, 10_000),
}


def speed_sizes(run: Run, n_train: int = 0, n_new: int = 0, n_slow: int = 0) -> tuple:
    """Return which data sets are timed, and on how many rows.

    Parameters
    ----------
    run : Run
        Profile, and whether stand-in data are used.
    n_train, n_new, n_slow : int
        Training rows, new rows, and new rows for slow methods; 0: as the profile says.

    Returns
    -------
    tuple
        Names of the data sets, and the three numbers.
    """
    names, *sizes = SPEED_SIZES[run.profile.name]
    return tuple(map(run.actual, names)), *(given or size for given, size in zip((n_train, n_new, n_slow), sizes))


# %%
#| export
def title_of(title: str, stand_in_for: str | None) -> str:
    """Return the name of a data set, and what it stands in for.

    Parameters
    ----------
    title : str
        Name for readers.
    stand_in_for : str or None
        Slug of the data set that it replaces.

    Returns
    -------
    str
        One line.
    """
    from pumap.paper.datasets import DATASETS

    replaced = DATASETS[stand_in_for].title if stand_in_for in DATASETS else stand_in_for
    return title + (f" (in place of {replaced})" if replaced else "")


def first_rows(names: tuple, n_train: int, n_test: int, run: Run) -> dict:
    """Load the first rows of some data sets, as many as are asked for and exist; print which are left out.

    Parameters
    ----------
    names : tuple of str
        Data sets.
    n_train, n_test : int
        Rows at most.
    run : Run
        Where the data are.

    Returns
    -------
    dict
        Name -> `pumap.paper.datasets.Dataset`.
    """
    from pumap.paper.datasets import load, take

    loaded = {}
    for name in names:
        try:
            data = load(name, run.data or None)
            loaded[name] = take(data, n_train=min(n_train, len(data.X_train)), n_test=min(n_test, len(data.X_test)))
        except (FileNotFoundError, ValueError) as error:
            print(f"left out: {name}: {error}")
    return loaded


def measured_lines(kept: Measurements, loaded: dict, measure, save: bool) -> list:
    """Return the lines that are kept and those of the data sets that they lack.

    Parameters
    ----------
    kept : Measurements
        From `measurements`.
    loaded : dict
        From `first_rows`: the data sets to measure now.
    measure : callable
        Takes a data set, returns its lines.
    save : bool
        Whether to keep the new lines.

    Returns
    -------
    list of dict
        At least one line.
    """
    print(*loaded.values(), sep="\n", end="\n" * bool(loaded))
    lines = (kept.lines or []) + [line for data in loaded.values() for line in measure(data)]
    assert lines, "Nothing could be measured: see the reasons above."
    if save and loaded:
        write_measurements(lines, kept.path)
    return lines


def check_times(lines: list, methods: tuple, columns: tuple):
    """Check that each data set has each method once for each network and device, with times above 0.

    Parameters
    ----------
    lines : list of dict
        From `measured_lines`.
    methods : tuple of str
        Slugs that each data set must have.
    columns : tuple of str
        Columns with seconds.
    """
    keys = [tuple(line[key] for key in ("dataset", "method", "encoder", "device")) for line in lines]
    assert len(set(keys)) == len(keys), "a line is repeated"
    assert all({method for name, method, *_ in keys if name == dataset} == set(methods) for dataset, *_ in keys), f"not each data set has {methods}"
    assert all(line[column] > 0 for line in lines for column in columns), "a time is not above 0"


def speed_line(data, method: str, encoder: str, device: str) -> dict:
    """Return the first columns of a line in the tables of Figures 11 and 12: what was timed.

    Parameters
    ----------
    data : Dataset
        From `first_rows`.
    method : str
        Slug.
    encoder : str
        Name of its network, "" if it has none.
    device : str
        "cpu:0" or "gpu:0".

    Returns
    -------
    dict
        By column.
    """
    return {"dataset": data.name, "title": title_of(data.title, data.stand_in_for), "n_train": len(data.X_train), "method": method, "encoder": encoder, "device": device[:3].upper()}


# %% [markdown]
# The networks are the MLP and, where the protocol has another one for the data set, that one too. They are timed on the CPU, and on the GPU if TensorFlow has one: a copy of the network then has its weights there.
# UMAP lays out the graph of all training rows for 10 epochs in place of 200 or more; how it places new rows is left at its defaults. No seed is set for it, since umap-learn would then use one core only.

# %%
#| export
def timed_encoders(dataset: str) -> tuple:
    "Return the names of the networks that are timed on a data set."
    return tuple(dict.fromkeys(("mlp", Cell(dataset, "pumap", 2).settings(profile("paper"))["encoder"])))


def timed_devices() -> tuple:
    "Return Keras' names of the devices on which networks are timed: the CPU, and the first GPU if there is one."
    from pumap import import_quietly

    return tuple(name for name in import_quietly("pumap.backend").devices() if name in ("cpu:0", "gpu:0"))


def placed(network, device: str):
    "Return a copy of a Keras model with its weights on a device."
    import keras

    with keras.device(device):
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
    return copy


def timed_umap(data):
    "Return UMAP fitted on all training rows, laid out for 10 epochs only."
    from pumap import import_quietly

    model = import_quietly("pumap.baselines").make_method("umap", n_epochs=10).fit(data.X_train)
    model.umap_.n_epochs = None  # so that new rows get as many epochs as they do by default
    return model


# %%
assert speed_sizes(Run(laptop, Path(), stand_ins=True), n_slow=5) == (("mnist", "fmnist", "worm_neurons"), 50_000, 10_000, 5)
assert timed_encoders("digits") == ("mlp",) and timed_encoders("mnist") == ("mlp", "conv28")
few = first_rows(("digits", "nowhere"), 100, 10**6, Run(smoke, Path()))
assert list(few) == ["digits"] and len(few["digits"].X_train) == 100 and len(few["digits"].X_test) > 100
assert speed_line(few["digits"], "pumap", "mlp", "gpu:0")["device"] == "GPU" and title_of("Worm neurons", "retina") == "Worm neurons (in place of Retina)"
