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
# # Plots
#
# > Pictures of your own embeddings and networks, in one style.

# %%
#| default_exp plots

# %%
#| hide
import tempfile

from numpy.testing import assert_allclose

from pumap.networks import build_decoder, build_encoder, mlp_norm_encoder

# %%
#| export
import io
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy.linalg import orthogonal_procrustes

from pumap.core import write_atomic

try:
    import matplotlib as mpl
    import matplotlib.style
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage
except ImportError as error:
    raise ImportError(f"pumap.plots needs {error.name}, which is not installed: pip install 'pumap[plot]'.") from error

# %% [markdown]
# `plot_embedding` draws an embedding with its labels.

# %%
from sklearn.datasets import load_digits

from pumap import ParametricUMAP
from pumap.plots import plot_embedding

X, y = load_digits(return_X_y=True)
X, y = X[:500] / 16, y[:500]
z = ParametricUMAP(n_training_epochs=1, random_state=0).fit_transform(X)
plot_embedding(z, y)

# %% [markdown]
# This notebook builds these functions, and a few more:
#
# | task | functions |
# |---|---|
# | style, figures, files | `use_style`, `Picture`, `save_figure` |
# | embeddings | `plot_embedding`, `draw_projection`, `draw_names`, `point_colors`, `square_window`, `procrustes_align` |
# | networks | `network_shapes`, `draw_network`, `draw_arrow`, `inch_axes` |
#
# ## Style
#
# `use_style` is a context manager. It starts from matplotlib's defaults, not from the user's settings. A figure therefore looks the same in a
# notebook, in a script and on the command line. When the context ends, the user's settings are restored.

# %%
#| export
TEXT_WIDTH = 7.0  # inches: the two columns of a page
COLUMN_WIDTH = 3.4  # inches: one column
GRAY = "#6B6B6B"  # secondary text
FAINT = "#D9D9D9"  # frames and rules
_STYLE = {
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,  # text in a PDF can be searched and copied
    "svg.hashsalt": "pumap",
}


@contextmanager
def use_style():
    """Draw in the style of this project's figures within this context.

    Yields
    ------
    None

    Examples
    --------
    >>> import matplotlib as mpl
    >>> from pumap.plots import use_style
    >>> with use_style():
    ...     print(mpl.rcParams["font.size"])
    8.0
    """
    with mpl.style.context(["default", _STYLE]):
        yield


# %%
before = mpl.rcParams["font.size"]
with mpl.rc_context({"font.size": 30}), use_style():
    assert mpl.rcParams["font.size"] == 8
assert mpl.rcParams["font.size"] == before


# %% [markdown]
# `pyplot` keeps every figure open until it is closed. `Picture` is a figure without `pyplot` that a notebook can show.

# %%
#| export
class Picture(Figure):
    """Make a matplotlib figure that a notebook shows with any matplotlib backend.

    Takes the parameters of `matplotlib.figure.Figure`, such as `figsize` in inches. Make it within `use_style`.

    Examples
    --------
    >>> from pumap.plots import Picture, use_style
    >>> with use_style():
    ...     fig = Picture(figsize=(3, 2))
    ...     lines = fig.subplots().plot([0, 1, 2], [0, 1, 4])
    """

    def _repr_png_(self):
        width, height = (int(96 * inches) for inches in self.get_size_inches())
        return self._bytes("png", {"Software": None}, dpi=150), {"width": width, "height": height}

    def _bytes(self, form, metadata, **kwargs):
        buffer = io.BytesIO()
        with use_style():
            self.savefig(buffer, format=form, metadata=metadata, **kwargs)
        return buffer.getvalue()


# %%
with use_style():
    picture = Picture(figsize=(2, 1))
assert picture._repr_png_()[0].startswith(b"\x89PNG") and picture._repr_png_()[1] == {"width": 192, "height": 96}


# %% [markdown]
# ## Saving
#
# `save_figure` writes a PNG and a PDF. The files contain no date and no version, so the same figure gives the same bytes, and version control sees no
# change. Each file is written under a temporary name and then renamed, so an interrupted run leaves no partial file.

# %%
#| export
def save_figure(fig, path_without_suffix) -> tuple:
    """Save a figure as PNG (200 dpi) and PDF.

    Parameters
    ----------
    fig : Picture or matplotlib.figure.Figure
    path_without_suffix : str or Path
        `.png` and `.pdf` are added. Missing folders are created.

    Returns
    -------
    tuple of Path
        The PNG and the PDF.

    Examples
    --------
    >>> import tempfile
    >>> from pumap.plots import Picture, save_figure
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in save_figure(Picture(figsize=(1, 1)), f"{folder}/my_figure")]
    ['my_figure.png', 'my_figure.pdf']
    """
    without = {".png": {"Software": None}, ".pdf": {"Creator": None, "Producer": None, "CreationDate": None}}
    files = {Path(f"{path_without_suffix}{suffix}"): Picture._bytes(fig, suffix[1:], keys) for suffix, keys in without.items()}
    for path, content in files.items():
        write_atomic(path, content)
    return tuple(files)


# %%
def little_figure():
    with use_style():
        fig = Picture(figsize=(1, 1))
        fig.subplots().scatter([0, 1], [0, 1], rasterized=True)
    return fig


with tempfile.TemporaryDirectory() as folder:
    first = [path.read_bytes() for path in save_figure(little_figure(), Path(folder) / "new" / "figure_v1.0")]
    second = save_figure(little_figure(), Path(folder) / "new" / "figure_v1.0")
    assert [path.read_bytes() for path in second] == first
    assert sorted(path.name for path in Path(folder, "new").iterdir()) == ["figure_v1.0.pdf", "figure_v1.0.png"]

# %% [markdown]
# ## Colors
#
# Integers, strings and booleans are classes, with a color for each class. Other numbers are a quantity and get a continuous colormap.
#
# The first ten colors are enough for most data sets. Ten more follow. Each is as different as possible from those before it, also for color-blind
# readers. More than twenty classes get equally spaced hues (seaborn's `husl_palette`), which are hard to distinguish.

# %%
#| export
CLASS_COLORS = (
    "#1169A4", "#F06F15", "#12A669", "#D279FF", "#41D7F0", "#A1301D", "#C8CB6E", "#5821B6", "#774452", "#82949D",
    "#38134B", "#4B0000", "#F2BAA8", "#BA00F2", "#A8E000", "#250070", "#CD3800", "#E000BA", "#5D4B70", "#253882",
)  # fmt: skip


def class_colors(n_classes: int) -> list:
    """List a color for each class, as matplotlib takes them: the palette, or hues all around the circle for more classes than it has."""
    return list(CLASS_COLORS[:n_classes]) if n_classes <= len(CLASS_COLORS) else sns.husl_palette(n_classes)


def point_colors(y, classes=None) -> np.ndarray:
    """Compute a color for each point: one per class, or viridis for a quantity.

    Parameters
    ----------
    y : array-like, shape (n,)
        Labels or a quantity. Colors of a quantity span its 1st to 99th percentile.
    classes : array-like or None
        All classes of the data set, sorted, if `y` may lack some. `None` = those in `y`.

    Returns
    -------
    ndarray, float, shape (n, 4)
        RGBA.

    Examples
    --------
    >>> from pumap.plots import point_colors
    >>> point_colors(["cat", "dog", "cat"]).shape
    (3, 4)
    """
    y = np.asarray(y)
    if not is_class_label(y):
        low, high = np.percentile(y, [1, 99])
        return mpl.colormaps["viridis"]((y - low) / max(high - low, np.finfo("float64").tiny))
    classes = np.unique(y if classes is None else classes)
    return mpl.colors.to_rgba_array(class_colors(len(classes)))[np.searchsorted(classes, y)]


def is_class_label(y) -> bool:
    """Return whether an array holds classes (integers, also as floats; strings; booleans) rather than a quantity."""
    return y.dtype.kind != "f" or bool(np.all(y == np.floor(y)))


# %% [markdown]
# The twenty colors, and the colormap:

# %%
with use_style():
    fig = Picture(figsize=(5, 0.7))
    ax = fig.add_axes((0, 0, 1, 1))
    ax.scatter(range(20), [1] * 20, s=90, c=point_colors(range(20)), linewidths=0)
    ax.scatter(np.linspace(0, 19, 200), [0] * 200, s=60, c=point_colors(np.linspace(0, 1.5, 200)), linewidths=0, marker="s")
    ax.set(ylim=(-0.6, 1.6))
    ax.set_axis_off()
fig

# %%
assert len(np.unique(point_colors([0, 1, 1, 0]), axis=0)) == 2
assert len(np.unique(point_colors(np.arange(20)), axis=0)) == 20
assert len(np.unique(point_colors(np.arange(25)), axis=0)) == 25
assert (point_colors([7], classes=range(10)) == mpl.colors.to_rgba(CLASS_COLORS[7])).all()
assert len(np.unique(point_colors(z[:, 1]), axis=0)) > 100


# %% [markdown]
# ## Panels
#
# Both axes of a panel have the same scale, because stretching one of them would change the structure. They have no ticks, because they have no unit.
#
# A few outliers must not shrink all other points to a dot. `square_window` leaves out the outermost thousandth of the points if they would enlarge
# the window by half.

# %%
#| export
def inner_range(embedding) -> tuple:
    """Find the smallest and the largest coordinates of all points, or of all but a few outliers.

    Parameters
    ----------
    embedding : ndarray, shape (n, 2)

    Returns
    -------
    low, high : ndarray, shape (2,)
        Of the inner 99.8%, if the others would shrink these to two thirds of the picture or less.
    """
    low, high = embedding.min(axis=0), embedding.max(axis=0)
    inner_low, inner_high = np.percentile(embedding, [0.1, 99.9], axis=0)
    if (high - low).max() > 1.5 * (inner_high - inner_low).max() > 0:
        return inner_low, inner_high
    return low, high


def square_window(embedding) -> tuple:
    """Find the square that a panel shows: all points, or all but a few outliers.

    Parameters
    ----------
    embedding : ndarray, shape (n, 2)

    Returns
    -------
    xlim : tuple of float
    ylim : tuple of float
    n_outside : int
        Points outside of the square.
    """
    low, high = inner_range(embedding)
    half = 0.54 * float((high - low).max()) or 1.0  # 0.5 and a margin
    center = (low + high) / 2
    outside = int((np.abs(embedding - center) > half).any(axis=1).sum())
    return (center[0] - half, center[0] + half), (center[1] - half, center[1] + half), outside


# %%
cloud = np.random.default_rng(0).normal(size=(2000, 2))
(xmin, xmax), (ymin, ymax), outside = square_window(cloud)
assert outside == 0
assert_allclose(xmax - xmin, ymax - ymin)
(xmin, xmax), _, outside = square_window(np.vstack([cloud, [[500, 500]]]))
assert outside >= 1 and xmax < 10


# %% [markdown]
# `draw_projection` draws the points in random order, so that no class covers the others. The order is the same each time. Points are smaller if there
# are many: together they cover about a tenth of the panel.

# %%
#| export
def draw_projection(ax, embedding, y, classes=None) -> None:
    """Draw an embedding in two dimensions, colored by class or by a quantity, into a square panel without ticks.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    embedding : array-like, shape (n, 2)
    y : array-like, shape (n,)
        Labels or a quantity, see `point_colors`.
    classes : array-like or None
        All classes of the data set, if `y` may lack some. `None` = those in `y`.

    Raises
    ------
    ValueError
        For shapes that do not fit, and for NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.plots import Picture, draw_projection, use_style
    >>> embedding = np.random.default_rng(0).normal(size=(100, 2))
    >>> with use_style():
    ...     fig = Picture(figsize=(2, 2))
    ...     draw_projection(fig.subplots(), embedding, embedding[:, 0] > 0)
    """
    embedding, y = np.asarray(embedding, dtype="float64"), np.asarray(y)
    if embedding.ndim != 2 or embedding.shape[1] != 2 or embedding.shape[0] != len(y) or len(y) == 0:
        raise ValueError(f"Shapes are {embedding.shape} and {y.shape}: a panel needs an embedding (n, 2) and labels (n,).")
    for name, values in (("rows of the embedding", embedding), ("labels", y)):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"The {name} hold NaN or infinity: leave those rows out of both the embedding and the labels.")
    order = np.random.default_rng(0).permutation(len(y))
    inches = ax.get_position().width * ax.figure.get_figwidth()
    size = np.clip(0.09 * (72 * inches) ** 2 / len(y), 0.35, 9)  # points squared
    ax.scatter(*embedding[order].T, s=size, c=point_colors(y, classes)[order], linewidths=0, alpha=0.8, rasterized=True)
    xlim, ylim, outside = square_window(embedding)
    ax.set(xlim=xlim, ylim=ylim, xticks=[], yticks=[], box_aspect=1)
    if outside:
        behind = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.5}
        ax.text(0.97, 0.03, f"+{outside}", transform=ax.transAxes, ha="right", va="bottom", fontsize=6, color=GRAY, bbox=behind)


# %% [markdown]
# A number in the corner counts the points outside of the window (left). `y` may also be a quantity (right).

# %%
with use_style():
    fig = Picture(figsize=(4.2, 2))
    axes = fig.subplots(1, 2)
    draw_projection(axes[0], np.vstack([cloud, [[500, 500]]]), np.zeros(2001))
    draw_projection(axes[1], cloud, cloud.sum(axis=1))
assert [text.get_text() for ax in axes for text in ax.texts] == [f"+{outside}"]
fig

# %%
infinite = np.full(len(z), np.inf)
for embedding, labels, word in ((z, y[:-1], "Shapes"), (z[:, :1], y, "Shapes"), (z, infinite, "labels"), (z * [np.nan, 1], y, "embedding")):
    try:
        draw_projection(axes[0], embedding, labels)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# `plot_embedding` makes a whole figure of your own embedding. It writes the names of the classes at their median points, or adds a color bar for a
# quantity. With images, it draws those of some rows, far enough from each other to be seen.

# %%
#| export
def draw_names(ax, embedding, y) -> None:
    """Write the name of each class at the median of its points.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    embedding : ndarray, shape (n, 2)
    y : ndarray, shape (n,)
        Classes.
    """
    for name in np.unique(y):
        place = np.median(embedding[y == name], axis=0)
        ax.text(*place, str(name), ha="center", va="center", fontsize=7, bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.7})


def _draw_images(ax, embedding, images, least=0.06):
    "Images of rows that are at least this share of the panel apart, in random order."
    chosen, (low, high) = [], ax.get_xlim()
    points = ax.get_position().width * ax.figure.get_figwidth() * 72
    for i in np.random.default_rng(0).permutation(len(embedding))[:2000]:
        if all(abs(embedding[i] - embedding[j]).max() > least * (high - low) for j in chosen):
            chosen.append(i)
            picture = OffsetImage(images[i], zoom=0.9 * least * points / max(images[i].shape[:2]), cmap="gray_r")
            ax.add_artist(AnnotationBbox(picture, embedding[i], frameon=False, pad=0))


def plot_embedding(embedding, labels=None, images=None, title: str = "", width: float = COLUMN_WIDTH) -> Picture:
    """Draw a figure of an embedding in two dimensions.

    Parameters
    ----------
    embedding : array-like, shape (n, 2)
    labels : array-like, shape (n,), or None
        Classes, whose names are written if there are at most 30, or a quantity, which gets a color bar. See `point_colors`.
    images : ndarray, shape (n, height, width) or (n, height, width, channels), or None
        Pictures of some rows are drawn in place of names.
    title : str
    width : float
        Of the panel, in inches.

    Returns
    -------
    Picture
        A matplotlib figure; `save_figure` writes it.

    Raises
    ------
    ValueError
        For shapes that do not fit, and for NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.plots import plot_embedding
    >>> embedding = np.random.default_rng(0).normal(size=(100, 2))
    >>> len(plot_embedding(embedding, labels=embedding[:, 0]).axes)  # the panel and its color bar
    2
    """
    embedding, y = np.asarray(embedding, dtype="float64"), np.zeros(len(embedding), int) if labels is None else np.asarray(labels)
    if images is not None and len(images) != len(embedding):
        raise ValueError(f"There are {len(images)} images for {len(embedding)} rows: give one for each row.")
    is_quantity = not is_class_label(y)
    with use_style():
        fig = Picture(figsize=(width * (1.15 if is_quantity else 1), width + 0.25 * bool(title)))
        ax = fig.add_axes((0.01, 0.01, 0.85 if is_quantity else 0.98, 0.98 * width / fig.get_figheight()))
        draw_projection(ax, embedding, y)
        ax.set_title(title, loc="left")
        if images is not None:
            _draw_images(ax, embedding, np.asarray(images))
        elif 1 < len(np.unique(y)) <= 30 and not is_quantity:
            draw_names(ax, embedding, y)
        if is_quantity:
            colors = mpl.cm.ScalarMappable(mpl.colors.Normalize(*np.percentile(y, [1, 99])), "viridis")
            fig.colorbar(colors, cax=fig.add_axes((0.88, 0.05, 0.02, 0.5)))
    return fig


# %%
plot_embedding(z, y, title="Digits")

# %%
plot_embedding(z, X.sum(axis=1), title="Ink")

# %%
by_image = plot_embedding(z, y, images=X.reshape(-1, 8, 8))
assert len(by_image.axes[0].artists) > 15  # one for each place
assert len(plot_embedding(z).axes) == 1 and not plot_embedding(z).axes[0].texts
assert [text.get_text() for text in plot_embedding(z, y).axes[0].texts][:10] == [str(i) for i in range(10)]
by_image


# %% [markdown]
# ## Aligning two embeddings
#
# Two runs of UMAP or t-SNE may differ by a rotation, a reflection, a shift and a scale, which have no meaning. Procrustes analysis removes these
# differences before two embeddings are compared by eye. It centers both embeddings, $A$ and $B$. From the singular value decomposition of
# $B^\top A$, it finds the orthogonal matrix $R$ and the scale $s$ that minimize $\lVert s\,B R - A\rVert$.

# %%
#| export
def procrustes_align(reference, embedding) -> np.ndarray:
    """Align an embedding to a reference by rotation, reflection, one scale and a shift.

    Parameters
    ----------
    reference : array-like, shape (n, d)
        Stays as it is.
    embedding : array-like, shape (n, d)
        Another embedding of the same rows, in the same order.

    Returns
    -------
    ndarray, float64, shape (n, d)
        The aligned embedding: the least-squares fit to `reference`.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, or all rows of one embedding are at the same point.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.plots import procrustes_align
    >>> reference = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> turned = 3 * reference @ [[0, 1], [-1, 0]] + 5
    >>> bool(np.allclose(procrustes_align(reference, turned), reference))
    True
    """
    A, B = np.asarray(reference, dtype="float64"), np.asarray(embedding, dtype="float64")
    if A.ndim != 2 or A.shape != B.shape or A.size == 0:
        raise ValueError(f"Shapes are {A.shape} and {B.shape}: give two embeddings of the same rows, both of shape (n, d).")
    for name, values in (("reference", A), ("embedding", B)):
        if not np.isfinite(values).all():
            raise ValueError(f"The {name} holds NaN or infinity: leave those rows out of both embeddings.")
    center, A, B = A.mean(axis=0), A - A.mean(axis=0), B - B.mean(axis=0)
    for name, values in (("reference", A), ("embedding", B)):
        if np.ptp(values, axis=0).max() == 0:
            raise ValueError(f"All {len(values)} rows of the {name} are at one point: alignment needs rows at different points.")
    rotation, singular_values = orthogonal_procrustes(B, A)
    return B @ rotation * (singular_values / np.sum(B**2)) + center


# %% [markdown]
# Two seeds give two embeddings of the digits 0, 1 and 2. After alignment the clusters are in nearly the same places.

# %%
few = y < 3
reference, other = (ParametricUMAP(n_training_epochs=2, random_state=seed).fit_transform(X[few]) for seed in (0, 2))
aligned = procrustes_align(reference, other)
with use_style():
    fig = Picture(figsize=(6, 2.2))
    for ax, title, points in zip(fig.subplots(1, 3), ("seed 0", "seed 2", "seed 2, aligned"), (reference, other, aligned)):
        draw_projection(ax, points, y[few])
        ax.set_title(title)
fig

# %%
centered = other - other.mean(axis=0) + reference.mean(axis=0)
assert np.sum((aligned - reference) ** 2) < np.sum((centered - reference) ** 2)

# %% [markdown]
# A copy that is rotated by 40 degrees, reflected, enlarged and shifted is aligned exactly. With noise, it is aligned up to the noise.

# %%
turn = np.radians(40)
reflection = np.array([[np.cos(turn), np.sin(turn)], [np.sin(turn), -np.cos(turn)]])
moved = 30 * cloud @ reflection + [5, -100]
assert_allclose(procrustes_align(cloud, moved), cloud, atol=1e-12)
noise = np.random.default_rng(0).normal(scale=0.01, size=cloud.shape)
assert_allclose(procrustes_align(cloud, moved + 30 * noise), cloud, atol=0.06)

# %% [markdown]
# Shapes that differ, a single point and NaN raise errors.

# %%
WRONG = ((cloud, cloud[:-1], "Shapes"), (cloud, np.full_like(cloud, 3.0), "at one point"), (cloud * [np.nan, 1], cloud, "NaN"))
for reference, embedding, word in WRONG:
    try:
        procrustes_align(reference, embedding)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# ## Networks
#
# A diagram is drawn from the network itself, so the two always agree. Each layer with a kernel is a bar. Layers that only reshape, pool, normalize
# or activate are left out. The layers of nested models are included.

# %%
#| export
def kernel_layers(layers: list) -> list:
    """List the layers with a kernel, that is, a weight with two or more axes.

    Parameters
    ----------
    layers : list of keras.Layer
        Such as `model.layers`; nested models are replaced by their layers.

    Returns
    -------
    list of keras.Layer
        In the same order.
    """
    found = []
    for layer in layers:
        if hasattr(layer, "layers"):
            found += kernel_layers(layer.layers)
        elif any(len(weight.shape) > 1 for weight in layer.weights):
            found.append(layer)
    return found


def network_shapes(model) -> list:
    """List the shape of a row, and of the output of each layer with a kernel.

    Parameters
    ----------
    model : keras.Model
        With one input.

    Returns
    -------
    list of tuple of int

    Examples
    --------
    >>> from pumap.networks import build_encoder
    >>> from pumap.plots import network_shapes
    >>> network_shapes(build_encoder("mlp", (8, 8), n_components=2))
    [(8, 8), (100,), (100,), (100,), (2,)]
    """
    return [tuple(model.input_shape[1:]), *(tuple(layer.output.shape[1:]) for layer in kernel_layers(model.layers))]


# %%
encoder, decoder = build_encoder("mlp", (8, 8), 2), build_decoder("mlp", (8, 8), 2)
assert network_shapes(encoder) == [(8, 8), (100,), (100,), (100,), (2,)]
assert network_shapes(decoder) == [(2,), (100,), (100,), (100,), (64,)]
assert network_shapes(build_encoder(mlp_norm_encoder, (8, 8), 2)) == network_shapes(encoder)
assert network_shapes(build_encoder("conv28", (784,), 2)) == [(784,), (13, 13, 64), (6, 6, 128), (512,), (512,), (2,)]


# %% [markdown]
# Diagrams are laid out in inches, the unit of figure sizes. `inch_axes` makes axes for this.

# %%
#| export
def inch_axes(fig):
    """Add axes over the whole figure, without a frame, in inches from the lower left corner.

    Parameters
    ----------
    fig : Picture or matplotlib.figure.Figure

    Returns
    -------
    matplotlib.axes.Axes
    """
    width, height = fig.get_size_inches()
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    return ax


# %% [markdown]
# The height of a bar grows with the square root of the number of units, so that 2 and 100 units fit into one picture.

# %%
#| export
def draw_network(ax, shapes: list, start: tuple, step: float = 0.25, height: float = 0.7, widest=None, color=GRAY, **labels) -> list:
    """Draw a network: a bar for each layer, a lighter area between them, and the shapes below.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        In inches, see `inch_axes`.
    shapes : list of tuple of int
        Shape of each layer, see `network_shapes`.
    start : tuple of float
        Center of the first bar, (x, y).
    step : float
        Distance between bars.
    height : float
        Height of a bar of `widest` units.
    widest : int or None
        `None` = units of the widest of these layers.
    color : matplotlib color
    **labels
        `label_at` : float, height of the labels; by default just below the network. `first_label` : int, bars before this one have no label; 0 by
        default.

    Returns
    -------
    list of tuple of float
        Center and half the height of each bar.

    Raises
    ------
    ValueError
        If there are no layers, or one without a fixed size.
    """
    if not shapes or any(size is None for shape in shapes for size in shape):
        raise ValueError(f"The layers have the shapes {shapes}: give at least one shape, and build the model for rows of a fixed size (no None).")
    units = np.array([np.prod(shape) for shape in shapes])
    left, middle = start
    places = left + step * np.arange(len(units))
    halves = np.maximum(0.5 * height * np.sqrt(units / (widest or units.max())), 0.03)
    ax.fill_between(places, middle - halves, middle + halves, color=color, alpha=0.22, lw=0, zorder=1)
    for x, half in zip(places, halves):
        ax.fill_between([x - 0.03, x + 0.03], middle - half, middle + half, color=color, lw=0, zorder=2)
    _label_bars(ax, shapes, places, middle - halves.max() - 0.03, **labels)
    return list(zip(places, halves))


def _label_bars(ax, shapes, places, below, label_at=None, first_label=0):
    for x, shape in list(zip(places, shapes))[first_label:]:
        ax.text(x, below if label_at is None else label_at, "×".join(map(str, shape)), ha="center", va="top", fontsize=7, color=GRAY)


# %% [markdown]
# A solid arrow shows the flow of data, a dashed one that of gradients.

# %%
#| export
DASHED = (0, (3, 1.8))  # matplotlib line style


def draw_arrow(ax, points, color="black", linestyle="-", linewidth: float = 0.9) -> None:
    """Draw an arrow along a line with corners.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    points : array-like, shape (n >= 2, 2)
        Corners of the line; the head is at the last.
    color : matplotlib color
    linestyle : matplotlib line style
        `DASHED` for gradients.
    linewidth : float
        In points.

    Raises
    ------
    ValueError
        For fewer than two points, or points that are not (x, y).
    """
    points = np.asarray(points, dtype="float64")
    if points.ndim != 2 or len(points) < 2 or points.shape[1] != 2:
        raise ValueError(f"points has shape {points.shape}: an arrow needs at least two points (x, y).")
    ax.plot(*points.T, color=color, ls=linestyle, lw=linewidth, solid_capstyle="butt", dash_capstyle="butt", zorder=3)
    head = {"arrowstyle": "-|>", "lw": 0, "fc": color, "ec": color, "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", points[-1], points[-2], arrowprops=head, zorder=3)


# %% [markdown]
# The picture shows an encoder, its decoder, and the gradient of a loss.

# %%
with use_style():
    fig = Picture(figsize=(3.0, 1.1))
    ax = inch_axes(fig)
    encoder_bars = draw_network(ax, network_shapes(encoder), (0.4, 0.6), widest=100)
    decoder_bars = draw_network(ax, network_shapes(decoder), (encoder_bars[-1][0], 0.6), widest=100, color="#A1301D", first_label=1)
    draw_arrow(ax, [(2.45, 0.6), (2.8, 0.6)])
    draw_arrow(ax, [(2.8, 0.66), (2.8, 1.05), (0.9, 1.05), (0.9, 0.97)], "#1169A4", DASHED)
fig

# %% [markdown]
# `first_label=1` avoids a second label on the bar that both networks share. Layers with equally many units have bars of the same height in both networks.

# %%
assert [text.get_text() for text in ax.texts if text.get_text()] == ["8×8", "100", "100", "100", "2", "100", "100", "100", "64"]
assert encoder_bars[1][1] == 0.35 > encoder_bars[0][1] > encoder_bars[-1][1] and decoder_bars[-1][1] == encoder_bars[0][1]

# %% [markdown]
# A network without layers or without a fixed size, and an arrow with one point, raise errors.

# %%
for draw, arguments, word in (
    (draw_network, ([], 0, 0), "shapes"),
    (draw_network, ([(2,), (None, 4)], 0, 0), "shapes"),
    (draw_arrow, ([(0, 0)],), "two points"),
):
    try:
        draw(ax, *arguments)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")
