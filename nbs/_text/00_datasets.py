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
# > Named data sets with fixed splits, found on this machine or fetched once, and checked to the last byte.

# %%
#| default_exp datasets

# %%
#| hide
import time

import matplotlib.pyplot as plt
from numpy.testing import assert_array_equal

# %%
#| export
import gzip
import hashlib
import math
import os
import sys
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np


# %% [markdown]
# Every experiment begins with `load(name)`. What comes back is the same on every machine: the same rows in the same order, in
# the same three parts. Where the files lie is a matter of the machine, so `load` looks in four places and
# tells in `source` which one it was.
#
# ## What a data set is
#
# Training rows to fit on, test rows to score on, validation rows to choose by. Images are `float32` from 0 to 1
# with shape (rows, height, width, channels), points are as they were drawn; labels are whole numbers that index `label_names`.

# %%
#| export
@dataclass(frozen=True, eq=False)
class Dataset:
    "Rows and labels in three parts, and where they come from."

    name: str  # short name, as `load` takes it
    title: str  # name for people
    X_train: np.ndarray  # float32, shape (n_train, ...)
    y_train: np.ndarray  # int64, shape (n_train,)
    X_valid: np.ndarray
    y_valid: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    label_names: tuple  # label i is called label_names[i]
    source: str  # where the files were found, in words or as a URL
    sha256: str  # of the data before they were split; see `load`
    citation: str
    licence: str
    stand_in_for: str | None = None  # name of the data set that this one replaces, if it does

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
# All that is known of a data set without having it: one `Entry` each. `digits` and `moons` are made by scikit-learn, so they are
# always at hand; the others are files. A new data set of files is a new entry here.

# %%
#| export
@dataclass(frozen=True)
class Entry:
    "What is known of a data set before it is here."

    title: str
    rows: tuple  # training, validation and test rows
    shape: tuple  # of one row
    label_names: tuple
    citation: str
    licence: str
    url: str  # page about it, or the first address of its files
    files: tuple = ()  # (name, sha256 of the decompressed content) of each file; none if scikit-learn makes the data
    sha256: str = ""  # of the decompressed content of all files, one after the other
    folders: tuple = ()  # what its folder may be called
    mirrors: tuple = ()  # addresses of its files, without the name
    package: str = ""  # system package that holds it
    package_folder: str = ""  # where that package puts it


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
    licence="CC BY 4.0",
    url="https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_digits.html",
)

MOONS = Entry(
    title="Moons",
    rows=(1000, 1000, 1000),
    shape=(2,),
    label_names=("upper", "lower"),
    citation="Pedregosa, F. et al. (2011). Scikit-learn: Machine Learning in Python. JMLR 12, 2825-2830.",
    licence="none needed: drawn at random",
    url="https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_moons.html",
)

# %% [markdown]
# The checksums are of the *decompressed* files: a gzip header holds a file name and a time, so equal data come in different
# `.gz` files. All checksums of `mnist` are published ones; those of `fmnist` are of files whose `.gz` has the published MD5.

# %%
#| export
MNIST = Entry(
    title="MNIST",
    rows=(50_000, 10_000, 10_000),
    shape=(28, 28, 1),
    label_names=DIGIT_NAMES,
    citation="LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based learning applied to document recognition. Proceedings of the IEEE 86 (11), 2278-2324.",
    licence="CC BY-SA 3.0",
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
    licence="MIT",
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

# %%
#| export
DATASETS = {"digits": DIGITS, "moons": MOONS, "mnist": MNIST, "fmnist": FMNIST}


def names() -> tuple:
    "The names that `load` knows."
    return tuple(DATASETS)


def _entry(name) -> Entry:
    try:
        return DATASETS[name]
    except (KeyError, TypeError):
        raise ValueError(f"There is no data set {name!r}; the names are {', '.join(DATASETS)}.") from None


# %%
assert all(len(sha256) == 64 for entry in DATASETS.values() for _, sha256 in entry.files)
for name, entry in DATASETS.items():
    print(f"{name:8}{entry.title:15}{' + '.join(f'{n:,}' for n in entry.rows):24}{entry.shape}")


# %% [markdown]
# ## From scikit-learn
#
# `digits` holds 1,797 images of 8 x 8 pixels in 17 grey levels. A fixed split, with the ten digits in equal shares, leaves 300 for
# validation and 300 for the test. scikit-learn is imported where it is used, so that asking for names stays quick.

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
# `moons` is two half circles with noise, a thousand points to a part. The paper draws the parts with seeds 0, 1 and 2.

# %%
#| export
def _moons():
    from sklearn.datasets import make_moons

    parts = {part: make_moons(n_samples=1000, noise=0.1, random_state=seed) for seed, part in enumerate(("train", "test", "valid"))}
    return (*parts["train"], *parts["valid"], *parts["test"])


# %%
#| export
def _made(name: str, arrays) -> Dataset:
    "A data set that scikit-learn makes; its checksum is over the arrays, in the order of `Dataset`."
    arrays = [np.ascontiguousarray(a, dtype=np.int64 if i % 2 else np.float32) for i, a in enumerate(arrays)]
    digest = hashlib.sha256()
    for a in arrays:
        digest.update(a)
    entry = DATASETS[name]
    return Dataset(
        name, entry.title, *arrays, entry.label_names, "scikit-learn", digest.hexdigest(), entry.citation, entry.licence
    )


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
# Data that cannot be had and data that are not what they should be are two different troubles, so they have two names. Each says in
# one sentence which file it is about and what to do.

# %%
#| export
class DataNotFound(FileNotFoundError):
    "A data set is not on this machine and cannot be fetched."


class DataDamaged(ValueError):
    "A file is there, but its content is not what was published."


# %% [markdown]
# ## idx files
#
# MNIST and Fashion-MNIST come as *idx* files, one for images and one for labels. Such a file is a header and then the bare numbers; the
# header is two zero bytes, one byte for the type, one for the number of axes, and four bytes for the length of each axis.

# %%
#| export
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(
    source,  # a path, or the content as bytes; gzipped or not
) -> np.ndarray:  # read-only; shape and type as the header says
    """
    Read an idx file. Raises `DataDamaged` if it is not one, ends early, or goes on after its end.

    Format: http://yann.lecun.com/exdb/mnist/
    """
    if isinstance(source, bytes):
        name, content = "The content", _decompressed(source, "The content")
    else:
        name, content = str(source), _content(Path(source))
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or not 1 <= content[3] <= 16:
        raise DataDamaged(f"{name} is not an idx file: it begins with the bytes {content[:4].hex(' ') or '(none)'}; get it again.")
    dtype, ndim = np.dtype(IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DataDamaged(f"{name} ends within its header, after {len(content)} of {start} bytes; get it again.")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, offset=4))
    size = start + math.prod(shape) * dtype.itemsize
    if len(content) != size:
        raise DataDamaged(f"{name} holds {len(content):,} bytes, but its header, shape {shape}, asks for {size:,}; get it again.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


# %% [markdown]
# Whether a file is gzipped is seen in its first two bytes, not in its name: some servers and some browsers unpack what they pass on.

# %%
#| export
def _decompressed(raw: bytes, name: str) -> bytes:
    "`raw` itself, or what was gzipped in it."
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise DataDamaged(f"{name} ends in the middle of its gzip stream, after {len(raw):,} bytes; get it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataDamaged(f"{name} cannot be decompressed ({error}); get it again.") from None


def _content(path: Path) -> bytes:
    "The decompressed content of a file."
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataNotFound(f"{path} cannot be read ({error.strerror or error}); check that it is there and its permissions.") from None
    return _decompressed(raw, str(path))


# %% [markdown]
# Here is a file of two images of 2 x 3 pixels, made by hand, and three ways to spoil it.

# %%
tiny = bytes([0, 0, 8, 3]) + bytes([0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(12))
assert_array_equal(read_idx(tiny), np.arange(12).reshape(2, 2, 3))
assert_array_equal(read_idx(gzip.compress(tiny)), read_idx(tiny))

# %%
for spoilt, words in (
    (tiny[:-1], "asks for 28"),
    (tiny + b"!", "asks for 28"),
    (b"<html>", "is not an idx file"),
    (gzip.compress(tiny)[:-9], "gzip"),
):
    try:
        read_idx(spoilt)
    except DataDamaged as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# A file can be well formed and yet be another file, so before a known file is read its checksum is compared.

# %%
#| export
def _checked(
    path: Path,  # file to read
    sha256: str,  # of its decompressed content
) -> np.ndarray:
    "Read an idx file whose content is known."
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataDamaged(
            f"{path} is not the published file: the sha256 of its content begins with {found[:12]}, not {sha256[:12]}; "
            "delete it, or put the right file in its place."
        )
    return read_idx(content)


# %% [markdown]
# ## Where files are looked for
#
# In this order, and the first place that has all files of a data set wins:
#
# 1. the folder given, as `data_dir` or in the environment variable `PUMAP_DATA`: in it a folder `mnist` or `fmnist` (or torchvision's
#    `MNIST/raw`, `FashionMNIST/raw`), with the files as they were published or unpacked;
# 2. the user cache, where fetched files are kept; the environment variable `PUMAP_CACHE` names another folder;
# 3. a system package, if there is one (`apt install dataset-fashion-mnist`);
# 4. the internet.
#
# A file that is there but damaged is an error. To go on quietly to the next place would hide that the folder has a problem.

# %%
#| export
def cache_dir() -> Path:
    "Folder where fetched files are kept: `$PUMAP_CACHE`, or pooch's choice for this system."
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
    "The folder that the caller or `PUMAP_DATA` names, if any; a name without a folder is an error."
    folder = data_dir or os.environ.get("PUMAP_DATA")
    if not folder:
        return None
    path = Path(folder).expanduser()
    if not path.is_dir():
        origin = "given as data_dir" if data_dir else "named by PUMAP_DATA"
        raise DataNotFound(f"The folder {path}, {origin}, does not exist; correct the name, or leave it out.")
    return path


# %%
#| export
def _files_in(
    folder: Path,  # where to look
    entry: Entry,  # for what
) -> tuple | None:  # the paths, in the order of `entry.files`, or None if one is missing
    "The files of a data set in one folder, gzipped or not."
    paths = []
    for file, _ in entry.files:
        found = [path for path in (folder / f"{file}.gz", folder / file) if os.path.isfile(path)]
        if not found:
            return None
        paths.append(found[0])
    return tuple(paths)


def find(
    name: str,  # a data set that comes in files
    data_dir=None,  # folder to look in first; None takes `PUMAP_DATA`
) -> tuple | None:  # (source in words, paths), or None if it is not on this machine
    "Look for the files of a data set on this machine; nothing is fetched and nothing is read."
    entry = _entry(name)
    given = _given_folder(data_dir)
    places = [("folder given", given / folder) for folder in entry.folders] if given else []
    try:
        places.append(("user cache", cache_dir() / name))
    except ImportError:
        pass  # without pooch nothing was ever put in a cache
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
# ## Fetching
#
# A file is fetched into a temporary folder, checked, and only then moved to its place in one step. So whatever happens on the way, a cut
# connection, a wrong file, a full disk, the cache never holds half a file. The mirrors are tried in order.

# %%
#| export
def fetch(
    file: str,  # name of the file, without .gz
    sha256: str,  # of its decompressed content
    folder: Path,  # where to put it
    mirrors,  # addresses to try in order, without the name
    advice: str = "try again later",  # what the reader of an error can do
) -> tuple:  # (path, mirror that it came from)
    "Fetch `file`.gz, check it, and put it in `folder`; raises `DataNotFound` or `DataDamaged`, and then leaves nothing behind."
    folder, troubles, damaged = Path(folder), [], False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
            part = Path(temporary) / f"{file}.gz"
            for mirror in mirrors:
                url = mirror.rstrip("/") + f"/{file}.gz"
                trouble = _download(url, part)
                if trouble is None:
                    trouble = _difference(part, sha256)
                    if trouble is None:
                        os.replace(part, folder / part.name)
                        return folder / part.name, mirror
                    damaged = True
                troubles.append(f"{url}: {trouble}")
    except OSError as error:
        raise DataNotFound(
            f"{file}.gz cannot be kept in {folder} ({error.strerror or error}); "
            f"set PUMAP_CACHE to a folder that can be written, or {advice}."
        ) from error
    error = DataDamaged if damaged else DataNotFound
    raise error(f"{file}.gz could not be fetched ({'; '.join(troubles)}); {advice}.")


# %% [markdown]
# pooch does the transfer. What a library says of a failed connection is often long; one clause is enough.

# %%
#| export
def _download(
    url: str,  # what to fetch
    path: Path,  # where to write it
) -> str | None:  # what went wrong, if anything
    "Fetch one file; trouble with the network is returned, trouble with the disk is raised."
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


def _difference(path: Path, sha256: str) -> str | None:
    "What is wrong with a file that was just fetched, if anything."
    try:
        _checked(path, sha256)
    except DataDamaged:
        return "what it sent is not the published file"
    return None


# %% [markdown]
# At an address where nobody listens, the error names the file, the address and the way out, and the folder stays empty.

# %%
with tempfile.TemporaryDirectory() as folder:
    try:
        fetch("t10k-labels-idx1-ubyte", "0" * 64, folder, ["http://127.0.0.1:9/mnist"], "put it there by hand")
    except DataNotFound as error:
        assert "http://127.0.0.1:9/mnist/t10k-labels-idx1-ubyte.gz: " in str(error)
        assert str(error).endswith("put it there by hand.")
    assert not list(Path(folder).iterdir())


# %%
#| export
def _fetch_all(
    name: str,  # a data set that comes in files
) -> tuple:  # (source, paths)
    "Fetch the files of a data set that the cache does not have yet."
    entry, folder = DATASETS[name], cache_dir() / name
    advice = f"put its {len(entry.files)} files in a folder {entry.folders[0]!r} and set PUMAP_DATA to the folder that holds it"
    if entry.package:
        advice += f", or install the system package {entry.package}"
    paths, source = [], entry.mirrors[0]
    for file, sha256 in entry.files:
        path = folder / f"{file}.gz"
        if not os.path.isfile(path):
            path, source = fetch(file, sha256, folder, entry.mirrors, advice)
        paths.append(path)
    return source, tuple(paths)


# %% [markdown]
# ## Reading MNIST and Fashion-MNIST
#
# The files hold 60,000 training and 10,000 test images; the paper takes the last 10,000 of the former for validation. The bytes become
# `float32` once, for all 60,000 together, and the two parts are views of that one array.

# %%
#| export
def _of_files(
    name: str,
    source: str,  # where the files were found
    paths: tuple,  # in the order of the entry's files
) -> Dataset:
    "Read, check and split the four files of a data set that is like MNIST."
    entry = DATASETS[name]
    X, y, X_test, y_test = (_checked(path, sha256) for path, (_, sha256) in zip(paths, entry.files))
    X, X_test = (np.divide(a[..., None], np.float32(255), dtype=np.float32) for a in (X, X_test))
    y, y_test = y.astype(np.int64), y_test.astype(np.int64)
    n = entry.rows[0]
    return Dataset(
        *(name, entry.title, X[:n], y[:n], X[n:], y[n:], X_test, y_test, entry.label_names),
        *(source, entry.sha256, entry.citation, entry.licence),
    )


# %% [markdown]
# ## load
#
# One call for all of them. With `download=False` nothing is fetched, which is what tests want.

# %%
#| export
def load(
    name: str,  # one of `names()`
    data_dir=None,  # folder to look in first; None takes the environment variable `PUMAP_DATA`
    download: bool = True,  # fetch what is not on this machine
) -> Dataset:
    """
    Load a data set, split as in the paper.

    Its `sha256` is over the decompressed files, one after the other (`zcat` and `sha256sum` give the same); for data
    that scikit-learn makes, over the arrays. Raises `ValueError` for an unknown name, `DataNotFound` if the files cannot
    be had, `DataDamaged` if one of them is not the published one.
    """
    entry = _entry(name)
    if not entry.files:
        return _made(name, {"digits": _digits, "moons": _moons}[name]())
    found = find(name, data_dir)
    if found is None:
        if not download:
            raise DataNotFound(
                f"{entry.title} is not on this machine; load it with download=True, "
                f"or put its files in a folder {entry.folders[0]!r} and set PUMAP_DATA to the folder that holds it."
            )
        found = _fetch_all(name)
    return _of_files(name, *found)


# %%
try:
    load("mnits")
except ValueError as error:
    assert str(error) == "There is no data set 'mnits'; the names are digits, moons, mnist, fmnist."

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
# MNIST takes about a second, checksums included. A machine without it skips the next cell's body.

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
# Smaller experiments use the first rows of each part. Asking for more rows than there are is an error: a table that says 10,000 should
# not hold 1,197.

# %%
#| export
def take(
    dataset: Dataset,
    n_train: int | None = None,  # rows to keep; None keeps all
    n_valid: int | None = None,
    n_test: int | None = None,
) -> Dataset:
    "The first rows of each part of a data set, as views."
    changes = {}
    for part, n in (("train", n_train), ("valid", n_valid), ("test", n_test)):
        if n is None:
            continue
        X, y = getattr(dataset, f"X_{part}"), getattr(dataset, f"y_{part}")
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= len(y):
            raise ValueError(f"n_{part} is {n!r}; {dataset.name} has {len(y):,} such rows, so give a whole number from 1 to {len(y)}.")
        changes |= {f"X_{part}": X[:n], f"y_{part}": y[:n]}
    return replace(dataset, **changes)


# %%
few = take(digits, n_train=100, n_test=50)
assert (len(few.X_train), len(few.X_valid), len(few.y_test)) == (100, 300, 50)
assert_array_equal(few.X_train, digits.X_train[:100])


# %% [markdown]
# ## describe
#
# What the command line shows: where a data set is and whether it is sound, without fetching it.

# %%
#| export
def describe(
    name: str,  # one of `names()`
    data_dir=None,  # as for `load`
) -> dict:
    """
    What is known of a data set, and whether it is here; nothing is fetched, and a problem is told, not raised.

    Keys: name, title, rows (of each part), shape, source, here, path (of its folder), sha256, url, citation, licence, problem.
    """
    entry = _entry(name)
    told = {
        **{"name": name, "title": entry.title, "rows": dict(zip(("train", "valid", "test"), entry.rows)), "shape": entry.shape},
        **{"source": None, "here": False, "path": None, "sha256": entry.sha256},
        **{"url": entry.url, "citation": entry.citation, "licence": entry.licence, "problem": None},
    }
    if not entry.files:
        dataset = load(name)
        return told | {"source": dataset.source, "here": True, "sha256": dataset.sha256}
    try:
        found = find(name, data_dir)
        if found:
            told |= {"source": found[0], "path": str(found[1][0].parent)}
            for path, (_, sha256) in zip(found[1], entry.files):
                _checked(path, sha256)
            told["here"] = True
    except (DataNotFound, DataDamaged) as error:
        told["problem"] = str(error)
    return told


# %%
for name in names():
    told = describe(name)
    print(f"{name:8}{'here' if told['here'] else 'not here':10}{told['source'] or told['url']}")
assert describe("digits")["here"] and describe("digits")["rows"]["train"] == 1197
