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
# > One style for every picture, and tables that put the paper's numbers beside ours.

# %%
#| default_exp paper.figures

# %%
#| hide
import itertools
import tempfile
from types import SimpleNamespace

from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose
from sklearn.datasets import make_blobs, make_moons

from pumap.paper.experiments import Cell, SSLCell, profile
from pumap.plots import CLASS_COLORS

# %%
#| export
import textwrap
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pumap.core import write_atomic
from pumap.paper.datasets import describe
from pumap.paper.experiments import ALL_METHODS, METHODS, METRICS, NOT_RUN, OTHER_SETTINGS, Run, cell_of, cells_for, label_order, root, title_of
from pumap.paper.scorecard import RELATIVE_TOLERANCE, TOLERANCE, UMAP_FAMILY, measured_on, published, published_accuracies

try:
    import matplotlib as mpl
    import matplotlib.style
    import matplotlib.ticker
    import pandas as pd
    import seaborn as sns
    from matplotlib.lines import Line2D

    from pumap.plots import COLUMN_WIDTH, FAINT, GRAY, TEXT_WIDTH, Picture, draw_projection, point_colors, procrustes_align, save_figure, square_window, use_style
except ImportError as error:
    raise ImportError(f"pumap.paper.figures needs {error.name}, which is not installed: pip install 'pumap[paper]'.") from error

# %% [markdown]
# An experiment ends as a *record*: one method on one data set with one seed, as a dictionary of settings and numbers. This
# notebook turns records into pictures and tables. It computes no metric and trains nothing, so a figure can be
# drawn again in a second, and two figures of one experiment cannot disagree.
#
# ## One color for each method
#
# Every legend, column and table row has the methods in the order of the paper's Figure 4, with the label, color and marker of the table in `02_experiments`.
# Losses, where they are drawn apart, borrow three of these colors.

# %%
#| export
LOSS_COLORS = {"umap": METHODS["pumap"].color, "reconstruction": METHODS["ae"].color, "classification": METHODS["tsne"].color}

# %%
#| hide
# How dichromats and trichromats see a linear RGB color: matrices of Machado, Oliveira and Fernandes (2009), severity 1.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def lab(colors, vision):
    "CIELAB coordinates of colors as a kind of vision sees them, shape (n, 3)."
    rgb = np.array([to_rgb(c) for c in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.transpose(VISION[vision]), 0, 1) @ XYZ.T / [0.95047, 1, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def smallest_difference(colors, vision):
    "CIELAB distance of the two colors that are hardest to tell apart."
    seen = lab(colors, vision)
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


# %%
# In CIELAB units a difference of 2 can just be seen side by side, 10 at a glance. Ours stay above 22;
# matplotlib's standard ten colors, seen without red receptors, fall below 5.
palettes = [[m.color for m in ALL_METHODS.values() if (m.family == "labels") is few] for few in (False, True)]
for vision in VISION:
    assert all(smallest_difference(colors, vision) > 22 for colors in palettes)
assert smallest_difference(mpl.color_sequences["tab10"], "protanopia") < 5
assert [len(colors) for colors in palettes] == [10, 6]
for vision in VISION:
    assert smallest_difference(CLASS_COLORS[:10], vision) > 22 and smallest_difference(CLASS_COLORS[:12], vision) > 22
    assert smallest_difference(CLASS_COLORS, vision) > 16


# %%
#| export
def in_order(methods) -> list:
    """Sort method slugs as the paper does.

    Parameters
    ----------
    methods : iterable of str
        Slugs, in any order, repeats allowed.

    Returns
    -------
    list of str
        Each slug once; ValueError for an unknown one.
    """
    methods = set(methods)
    if unknown := sorted(methods - set(ALL_METHODS)):
        raise ValueError(f"No such method: {', '.join(map(str, unknown))}; choose from {', '.join(ALL_METHODS)}.")
    return [m for m in ALL_METHODS if m in methods]


# %%
assert in_order(["pca", "tsne", "umap", "pca"]) == ["umap", "tsne", "pca"]


# %%
#| export
def wrap(
    text: str,
    width: int,  # letters in a line
) -> str:
    "Break lines that are too long; lines already there are kept."
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def wrap_title(
    title: str,  # of a data set, as `record_title` gives it
    width: int,  # letters in a line
) -> str:
    "A title that is too long for one line: what is in brackets begins a new one."
    return wrap("\n".join(line if len(line) <= width else line.replace(" (", "\n(") for line in title.splitlines()), width)


def draw_reason(
    ax,  # a matplotlib Axes
    reason: str,  # why there is no picture
) -> None:
    "Fill a panel with the reason why it is empty."
    inches = ax.get_position().width * ax.figure.get_figwidth()
    text = wrap(textwrap.shorten(reason, 150, placeholder=" ..."), max(12, int(inches * 15)))
    ax.set_facecolor("#F5F5F5")
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=6, color=GRAY)


# %% [markdown]
# The grid of Figure 4 has a row for each data set and a column for each method. A panel that cannot be drawn keeps its
# place and says why: a gap in a figure is a result too. Panels do not get narrower than an inch. So a grid with many methods is wider than a page: it has larger letters, since it will be printed smaller.

# %%
#| export
def projection_grid(
    panels: dict,  # panels[data set][method] = (embedding, y), or a sentence that says why there is none
    titles: dict | None = None,  # title of each data set; None: its name
) -> Picture:
    """A row for each data set, a column for each method, in the paper's order.

    Raises `ValueError` if there are no panels, a method is unknown, or an embedding is not of shape (n, 2)."""
    methods = in_order(m for row in panels.values() for m in row)
    if not methods:
        raise ValueError("There are no panels to draw: give panels[data set][method] = (embedding, y).")
    titles = [wrap_title((titles or {}).get(dataset, dataset), 18) for dataset in panels]
    points = 8 if len(methods) < 7 else 10
    letter = 0.63 * points / 72  # inches, as all below
    left = 0.1 + letter * max(len(line) for title in titles for line in title.splitlines())
    side = np.clip((TEXT_WIDTH - left) / len(methods), 1.0, 1.34)
    labels = [label if letter * len(label) < side else label.replace(" +", "\n+") for label in (ALL_METHODS[m].label for m in methods)]
    top = 0.14 + points / 60 * (1 + max(label.count("\n") for label in labels))
    width, height = left + 0.02 + side * len(methods), top + 0.02 + side * len(panels)
    with use_style():
        fig = Picture(figsize=(width, height))
        box = {"left": left / width, "right": 1 - 0.02 / width, "bottom": 0.02 / height, "top": 1 - top / height}
        axes = fig.subplots(len(panels), len(methods), squeeze=False, gridspec_kw={**box, "wspace": 0.05, "hspace": 0.05})
        for row, dataset, title in zip(axes, panels, titles):
            _draw_row(row, dataset, panels[dataset], methods)
            row[0].set_ylabel(title, rotation=0, ha="right", va="center", labelpad=4, fontsize=points, linespacing=1.1)
        for ax, method, label in zip(axes[0], methods, labels):
            ax.set_title(label, pad=6, fontsize=points, linespacing=1.0)
            ax.plot([0, 1], [1.03, 1.03], color=ALL_METHODS[method].color, lw=2, transform=ax.transAxes, clip_on=False)
    return fig


def _draw_row(axes, dataset, panels, methods):
    labels = [panel[1] for panel in panels.values() if not isinstance(panel, str)]
    classes = np.unique(np.concatenate(labels)) if labels else None
    for ax, method in zip(axes, methods):
        ax.set(xticks=[], yticks=[], box_aspect=1)
        ax.spines[:].set_color(FAINT)
        panel = panels.get(method, "not in this run")
        try:
            draw_reason(ax, panel) if isinstance(panel, str) else draw_projection(ax, *panel, classes=classes)
        except ValueError as error:
            raise ValueError(f"{dataset}, {ALL_METHODS[method].label}: {error}") from error


# %% [markdown]
# Here with made-up embeddings: ten blobs; the moons, one pair of them turned; the same, aligned, and colored by height; and a data set that is not here.

# %%
moons, moon = make_moons(500, noise=0.05, random_state=0)
turn = np.radians(40)
moved = moons @ [[np.cos(turn), np.sin(turn)], [np.sin(turn), -np.cos(turn)]]


def made_up_panels(n=600):
    X, y = make_blobs(n, centers=10, cluster_std=0.5, random_state=0)
    wiggle = np.random.default_rng(1)
    return {
        "blobs": {m: (X + wiggle.normal(scale=0.3 * i, size=X.shape), y) for i, m in enumerate(("umap", "pumap", "tsne", "pca"))},
        "moons": {"umap": (moons, moon), "umap_tf": (moved, moon)},
        "height": {"umap": (moons, moons[:, 1]), "umap_tf": (procrustes_align(moons, moved), moons[:, 1]), "pca": (3 * moons, moons[:, 1])},
        "elsewhere": {m: "Data not found: put them into PUMAP_DATA." for m in ("umap", "umap_tf", "pumap", "tsne", "pca")},
    }


fig = projection_grid(made_up_panels(), titles={"blobs": "Ten blobs\n600 points", "elsewhere": "Data from elsewhere"})
fig

# %%
assert [ax.get_title() for ax in fig.axes[:5]] == ["UMAP", "UMAP (TF)", "P. UMAP", "t-SNE", "PCA"]
assert len(fig.axes) == 4 * 5
assert all(ax.get_box_aspect() == 1 for ax in fig.axes)  # a square box, and ...
assert_allclose(np.ptp(fig.axes[6].get_xlim()), np.ptp(fig.axes[6].get_ylim()))  # ... a square window
words = " ".join(text.get_text() for ax in fig.axes for text in ax.texts).replace("\n", " ")
assert words.count("Data not found") == 5 and words.count("not in this run") == 6

for panels, word in (({}, "no panels"), ({"a": {"lda": ""}}, "lda"), ({"a": {"pca": (np.ones((3, 3)), [0, 1, 2])}}, "(3, 3)")):
    try:
        projection_grid(panels)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# ## The paper's numbers beside ours
#
# The paper's tables stand in the repository as plain files, one row for each number, as printed. They belong to the notebooks of the
# paper and not to the library, so they are there only where the repository is. `scorecard.published` reads the same files as text; here they come as data frames. Methods have the names of our records
# (`scorecard.measured_on` says where these are not the paper's).

# %%
#| export
def published_table(n: int) -> pd.DataFrame:
    """Read one table of the paper.

    Parameters
    ----------
    n : int
        1 to 8.

    Returns
    -------
    DataFrame
        For tables 2 to 7: dataset, dim, method, metric, value; NaN where the paper prints a dash.
    """
    if isinstance(n, bool) or n not in range(1, 9):
        raise ValueError(f"The paper has no table {n!r}: its tables are 1 to 8.")
    table = pd.read_csv(root() / "nbs" / "paper" / "published" / f"table{n}.csv")
    return table.assign(method=[*map(measured_on, table.metric, table.method)]) if "metric" in table else table


# %%
#| export
def published_means(n: int, dim: int = 2) -> dict:
    """Read one table of the paper in one number of dimensions.

    Parameters
    ----------
    n : int
        2 to 7.
    dim : int
        Number of components.

    Returns
    -------
    dict
        Data set -> method -> value, as `scorecard.means_of`.
    """
    rows = published_table(n).query("dim == @dim").dropna(subset="value")
    return {dataset: group.set_index("method").value.to_dict() for dataset, group in rows.groupby("dataset", sort=False)}


# %%
table2 = published_table(2)
assert list(table2.columns) == ["dataset", "dim", "method", "metric", "value"] and not table2.duplicated(["dataset", "dim", "method"]).any()
assert table2[(table2.method == "tsne") & (table2.dim == 64)].value.isna().all()  # the paper has no t-SNE in 64 dimensions
assert table2.value.dropna().between(0.5, 1).all()
assert table2.set_index(["dataset", "dim", "method"]).loc[("mnist", 2, "umap"), "value"] == published_means(2)["mnist"]["umap"] == 0.9601
assert "tsne" in published_means(2)["mnist"] and "tsne" not in published_means(2, 64)["mnist"]
assert "pumap" in set(table2.method) and {"pumap", "pumap_decoder"} & set(published_table(7).method) == {"pumap_decoder"}


# %%
def made_up_records(dims=(2,), seeds=3, datasets=("digits", "mnist"), methods=("umap", "pumap", "tsne", "pca")):
    "Records to show what becomes of records."
    draw = np.random.default_rng(0)
    level = {"umap": 0.96, "pumap": 0.955, "tsne": 0.985, "pca": 0.8}
    return [
        {
            "cell": {"dataset": dataset, "method": method, "n_components": dim, "seed": seed},
            "n_train": 1000,
            "metrics": {"trustworthiness": min(1.0, level.get(method, 0.9) + 0.004 * draw.normal()), "silhouette": None},
            "data": {"title": dataset.title(), "stand_in_for": None},
        }
        for dataset in datasets
        for dim in dims
        for method in methods
        for seed in range(seeds)
    ]


# %%
#| export
def record_title(record: dict) -> str:
    "Return the title of a record's data set; a stand-in says for what it stands."
    return title_of(record["data"]["title"], record["data"].get("stand_in_for"))


def titles_of(records: list) -> dict:
    "Return the title of each data set of these records."
    return {record["cell"]["dataset"]: record_title(record) for record in reversed(records)}


def stand_in_of(record: dict) -> str | None:
    "Return the title of a record's data if they stand in for others, else None."
    return record["data"]["title"] if record["data"].get("stand_in_for") else None


def records_frame(
    records,  # records of `pumap.paper.experiments`
) -> pd.DataFrame:  # dataset, dim, method, seed, n_train, title, stand_in, earlier, and a column for each metric
    "One row for each record, in the order given. A data set that stands in for another says so in its title, and its own name is `stand_in`. Earlier settings have a †."
    rows, columns = [], ["dataset", "dim", "method", "seed", "n_train", "title", "stand_in", "earlier"]
    for record in records:
        cell = record["cell"]
        row = {"dataset": cell["dataset"], "dim": cell["n_components"], "method": cell["method"], "seed": cell["seed"]}
        row |= {"n_train": record["n_train"], "title": record_title(record), "stand_in": stand_in_of(record), "earlier": "†" if record.get("earlier") else ""}
        rows.append({**row, **record["metrics"]})
    frame = pd.DataFrame(rows, columns=None if rows else columns)
    repeated = frame[frame.duplicated(["dataset", "dim", "method", "seed"])]
    if len(repeated):
        raise ValueError(f"Two records say they are {_cell_words(repeated.iloc[0])}: give the records of one profile only.")
    return frame


def _cell_words(row):
    return f"{row.dataset}, {row.method}, {row.dim}-D, seed {row.seed}"


# %%
assert records_frame(made_up_records()).shape == (2 * 4 * 3, 10)
stand_in = made_up_records(datasets=["finches"], methods=["pca"], seeds=1)
stand_in[0]["data"]["stand_in_for"] = "cassins"
assert records_frame(stand_in).title[0] == "Finches (in place of Cassin's vireo)" and records_frame(stand_in).stand_in[0] == "Finches"


# %% [markdown]
# The seeds of a cell become a mean and a standard deviation. The paper has one run for each number, and we have other sizes
# in some profiles, so the number of training rows stands beside each value: a difference is to be read with it. Where other data stand in for those of the paper, the row says which, and its difference says as much about the data as about the method.

# %%
#| export
def comparison_table(
    records,  # records of `pumap.paper.experiments`, all of one profile
    metric: str,  # a key of their `metrics`, such as "trustworthiness"
    published=None,  # the paper's table, as `published_table` gives it; None: no values of the paper
) -> pd.DataFrame:  # dataset, stand_in, dim, method, metric, paper, ours, sd, n_seeds, n_train, earlier, difference (ours - paper)
    """Our mean over seeds beside the paper's value, one row for each data set, dimension and method.

    `sd` is the sample standard deviation, NaN for one seed; `paper` is NaN where the paper has no value; `stand_in` is the title of data that stand in for `dataset`, else None.
    `earlier` is "†" where the records have earlier settings of the profile, else "".
    Raises `ValueError` if no record has the metric, or records of one cell differ in their number of rows."""
    frame = records_frame(records)
    if metric not in frame or frame[metric].isna().all():
        known = sorted(set(frame.columns) - {"dataset", "dim", "method", "seed", "n_train", "title", "stand_in", "earlier"})
        raise ValueError(f"No record has a value of {metric!r}; metrics in these records: {', '.join(known) or 'none'}.")
    order = {m: i for i, m in enumerate(in_order(frame.method))}
    place = {d: i for i, d in enumerate(frame.dataset.unique())}
    rows = []
    for key, cell in frame.dropna(subset=metric).groupby(["dataset", "dim", "method"]):
        if cell.n_train.nunique() > 1:
            raise ValueError(f"Seeds of {_cell_words(cell.iloc[0])} were trained on different numbers of rows: give one profile's records.")
        paper, ours = _published_value(published, metric, *key), cell[metric].astype(float)
        numbers = (paper, ours.mean(), ours.std(ddof=1), len(cell), int(cell.n_train.iloc[0]), cell.earlier.max(), ours.mean() - paper)
        dataset, dim, method = key
        rows.append((dataset, cell.stand_in.iloc[0], dim, method, metric, *numbers))
    rows.sort(key=lambda row: (place[row[0]], row[2], order[row[3]]))
    return pd.DataFrame(
        rows, columns=["dataset", "stand_in", "dim", "method", "metric", "paper", "ours", "sd", "n_seeds", "n_train", "earlier", "difference"]
    )


def _published_value(published, metric, dataset, dim, method):
    if published is None:
        return np.nan
    p = published
    values = p[(p.dataset == dataset) & (p.dim == dim) & (p.method == method) & (p.metric == metric)]["value"]
    if len(values) > 1:
        raise ValueError(f"The published table has {len(values)} values of {metric} for {dataset}, {method}, {dim}-D: keep one.")
    return float(values.iloc[0]) if len(values) else np.nan


# %%
# Values are matched by data set, dimension, method and metric, never by position; digits are not in the paper.
table = comparison_table(made_up_records(), "trustworthiness", table2)
assert list(table.method) == ["umap", "pumap", "tsne", "pca"] * 2
assert table[table.dataset == "digits"].paper.isna().all()
umap_mnist = table[(table.dataset == "mnist") & (table.method == "umap")].iloc[0]
assert umap_mnist.paper == 0.9601 and umap_mnist.n_seeds == 3
assert_allclose(umap_mnist.difference, umap_mnist.ours - 0.9601)
shuffled = comparison_table(made_up_records(), "trustworthiness", table2.sample(frac=1, random_state=0))
pd.testing.assert_frame_equal(table, shuffled)

for wrong, metric, word in (
    (made_up_records(), "truth", "No record has a value of 'truth'; metrics in these records: silhouette, trustworthiness"),
    (made_up_records() * 2, "trustworthiness", "Two records say they are digits, umap, 2-D, seed 0"),
    ([], "trustworthiness", "none"),
):
    try:
        comparison_table(wrong, metric)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# For reading, the table is written in Markdown with four digits, as in the paper, and a sign where the sign is the message. Of a small error four digits would leave one or none: of ours two are kept. For computing there is
# a CSV file beside it.

# %%
#| export
def number_text(
    value: float,
    digits: int = 4,  # after the point
) -> str:
    "A number with so many digits, or with two that are not zero, if it is small."
    return f"{value:.2g}" if 0 < abs(value) < 10 ** (1 - digits) else f"{value:.{digits}f}"


def to_markdown(
    table: pd.DataFrame,
    digits: int = 4,  # after the point, for numbers that are not whole
) -> str:
    "A Markdown table: numbers to the right, a dash for a missing value, a sign before each `difference`."
    numeric = [pd.api.types.is_numeric_dtype(table[c]) for c in table]
    lines = [list(map(str, table.columns)), ["---:" if number else "---" for number in numeric]]
    lines += [[_cell_text(value, name, digits) for name, value in zip(table, row)] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell_text(value, name, digits):
    if pd.isna(value):
        return "-"
    if isinstance(value, (float, np.floating)):
        return f"{value:+.{digits}f}" if name == "difference" else number_text(value, digits) if name == "ours" else f"{value:.{digits}f}"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}" if name.startswith("n_") else str(value)
    return str(value).replace("|", "\\|")


def save_table(
    table: pd.DataFrame,
    path_without_suffix,  # "figures/quick/table02": `.csv` and `.md` are added
    digits: int = 4,  # of the Markdown, as for `to_markdown`
) -> tuple:  # the two paths
    "Write a table as CSV (six digits) and as Markdown, each whole or not at all."
    csv = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    contents = {".csv": csv, ".md": to_markdown(table, digits)}
    files = {Path(f"{path_without_suffix}{suffix}"): text.encode() for suffix, text in contents.items()}
    for path, content in files.items():
        write_atomic(path, content)
    return tuple(files)


# %%
print(to_markdown(table))

lines = to_markdown(table).splitlines()
assert lines[0].startswith("| dataset | stand_in | dim | method |") and len(lines) == 2 + len(table)
assert "| 0.9601 |" in lines[6] and "| 1,000 |" in lines[6] and lines[2].endswith(" - |")
assert to_markdown(pd.DataFrame({"a": ["x|y"]})).splitlines()[2] == "| x\\|y |"
assert to_markdown(pd.DataFrame({"paper": [0.0003], "ours": [0.000244]})).splitlines()[2] == "| 0.0003 | 0.00024 |"
assert [number_text(value) for value in (0.9777, 0.0012, 0.00012, 0.0, -0.5)] == ["0.9777", "0.0012", "0.00012", "0.0000", "-0.5000"]

with tempfile.TemporaryDirectory() as folder:
    csv, markdown = save_table(table, Path(folder) / "table02")
    back = pd.read_csv(csv)
    assert markdown.read_text() == to_markdown(table)
assert_allclose(back.ours, table.ours, atol=1e-6)


# %% [markdown]
# Each notebook that makes such a table should be sure of two things before it shows it: that no cell of the figure was lost on the way, and that every number of the paper stands in the row of its own data
# set, dimension and method. The second is looked up in the file once more, line by line, without pandas.

# %%
#| export
def check_table(table: pd.DataFrame, found) -> None:
    """Check that each cell is in the table or has a reason, and that each number of the paper is in its row.

    Parameters
    ----------
    table : DataFrame
        From `comparison_table`.
    found : Found
        Cells, and the reasons for those left out.

    Raises
    ------
    ValueError
        If a cell or a number is not where it belongs.
    """
    name = f"table{table_of(table.metric.iloc[0])}"
    asked = {(cell.dataset, cell.n_components, cell.method) for cell in found.cells if cell not in found.reasons}
    if wrong := asked ^ set(zip(table.dataset, table.dim, table.method)):
        raise ValueError(f"Cells and rows of the table differ by {', '.join('-'.join(map(str, key)) for key in sorted(wrong))}.")
    printed = {(line["dataset"], int(line["dim"]), measured_on(line["metric"], line["method"])): line["value"] for line in published(name)}
    for row in table.itertuples():
        value = float(printed.get((row.dataset, row.dim, row.method)) or "nan")
        if not (row.paper == value or np.isnan(row.paper) and np.isnan(value)):
            raise ValueError(f"{row.dataset}, {row.method}, {row.dim}-D has {row.paper} as the paper's value; {name} has {value}.")


# %%
#| export
def table_of(metric: str) -> int:
    "Return the number of the paper's table that has a metric."
    return 2 + METRICS.index(metric)


# %%
four = [Cell(d, m, 2, s) for d in ("digits", "mnist") for m in ("umap", "pumap", "tsne", "pca") for s in range(3)]
found = SimpleNamespace(cells=(*four, Cell("bison", "pca", 2)), reasons={Cell("bison", "pca", 2): "not here"})
check_table(table, found)
for wrong, word in ((table[1:], "digits-2-umap"), (table.assign(paper=table.paper.shift()), "mnist, umap, 2-D has nan")):
    try:
        check_table(wrong, found)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")


# %% [markdown]
# Two texts go with each figure: how near ours is to the paper's, and where the UMAP methods stand among the others. Values of data that stand in for the paper's are not held against the paper's.

# %%
#| export
def agreement_text(
    table: pd.DataFrame,  # from `comparison_table`
    tolerance: float,  # a difference that counts as none
    relative: bool = False,  # whether it is a share of the paper's value
) -> str:
    "How many values are near the paper's, and which is the farthest."
    both = table.dropna(subset=["paper"])
    standing_in = int(both.stand_in.notna().sum())
    both = both[both.stand_in.isna()]
    if both.empty:
        return "None of these data sets is in the paper's table; the profiles laptop and paper have some that are."
    worst = both.loc[both.difference.abs().idxmax()]
    near = int(both.difference.abs().le(tolerance * both.paper if relative else tolerance).sum())
    farthest = f"the farthest is {worst.dataset}, {ALL_METHODS[worst.method].label}, {worst.dim}-D, with {worst.difference:+.4f}."
    return f"{near} of {len(both)} values are within {f'{tolerance:.0%}' if relative else tolerance} of the paper's; {farthest}" + (f" {standing_in} more are of data that stand in for the paper's, and are not counted." if standing_in else "")


def families_text(
    table: pd.DataFrame,  # from `comparison_table`
) -> str:  # a line for each data set and dimension that has two UMAP methods
    "The range of the UMAP methods, and the value of each method that is not one of them."
    lines = []
    for (dataset, dim), group in table.groupby(["dataset", "dim"], sort=False):
        ours = group.set_index("method").ours
        family = ours[ours.index.isin(UMAP_FAMILY)]
        if len(family) > 1:
            others = "".join(f", {ALL_METHODS[m].label} {number_text(value)}" for m, value in ours.items() if m not in UMAP_FAMILY)
            instead = group.stand_in.iloc[0]
            name = f"{dataset} ({instead})" if isinstance(instead, str) else dataset
            lines.append(f"{name}, {dim}-D: UMAP methods {number_text(family.min())} to {number_text(family.max())}{others}")
    return "\n".join(lines)


# %%
print(agreement_text(table, 0.05), families_text(table), sep="\n")
assert agreement_text(table, 0.05).startswith("3 of 4 values are within 0.05") and "mnist, PCA, 2-D, with +0.0" in agreement_text(table, 0.05)
assert "within 5% of the paper's" in agreement_text(table, 0.05, relative=True)
assert "None of these" in agreement_text(table[table.dataset == "digits"], 0.05)
elsewhere = table.assign(stand_in=table.stand_in.mask((table.dataset == "mnist") & (table.method == "pca"), "Digits"))  # the farthest does not count then
assert agreement_text(elsewhere, 0.05).startswith("3 of 3 values") and agreement_text(elsewhere, 0.05).endswith("1 more are of data that stand in for the paper's, and are not counted.")
assert families_text(table.assign(stand_in="Digits")).splitlines()[1].startswith("mnist (Digits), 2-D")
assert families_text(table).splitlines()[1].startswith("mnist, 2-D: UMAP methods 0.95") and ", t-SNE 0.98" in families_text(table)

# %% [markdown]
# ## Numbers as dots
#
# The paper draws its metrics as bars. A bar's length is read from zero, and from zero a difference of 0.01 cannot be seen; a dot
# is read by its position, so its axis may begin where the values do. A filled marker is our mean, with a bar with ends, of one standard deviation over
# seeds; a ring of the same color is the paper's value, and a dotted line joins the two. An error has no upper end and differs from data set to data set by powers of ten: its axis is logarithmic, so that
# equal distances are equal ratios.

# %%
#| export
METRIC_LABELS = {
    "trustworthiness": "Trustworthiness",
    "knn1_accuracy": "1-NN accuracy",
    "knn5_accuracy": "5-NN accuracy",
    "silhouette": "Silhouette score",
    "clustering_nmi": "Normalized\nmutual information",
    "reconstruction_mse": "Mean squared error",
}


def axis_limits(
    values,  # all values on the axis, NaN allowed
) -> tuple:  # (low, high)
    "Limits that use the axis: from 0 if the values come near it, and beyond the values by what a marker needs."
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.08 * (high - low) or 0.05 * max(abs(high), 0.1)
    bottom = 0.0 if 0.08 * high <= low < 0.3 * high else low - pad
    return bottom, high + 0.08 * (high - bottom)


LOG_METRICS = ("reconstruction_mse",)


def log_limits(
    values,  # all values on the axis, above 0 where they are to be seen; NaN allowed
) -> tuple:  # (low, high)
    "Limits of a logarithmic axis: at each end 8% more than the values need, a fifth of the value at least; and a factor of three in all."
    values = np.asarray(values, dtype="float64")
    low, high = np.nanmin(values[values > 0]), np.nanmax(values)
    room = max(1.2, (high / low) ** 0.08, np.sqrt(3 * low / high))
    return float(low / room), float(high * room)


# %%
low, high = axis_limits([0.95, 0.99, np.nan])
assert 0.94 < low < 0.95 and 0.99 < high < 1.0
assert axis_limits([0.1, 0.9])[0] == 0 > axis_limits([0.0, 0.9])[0]
assert axis_limits([-0.2, 0.5])[0] < -0.2
assert axis_limits([0.5, 0.5])[0] < 0.5 < axis_limits([0.5, 0.5])[1]
assert_allclose(log_limits([0.1, 0.02, np.nan, -1]), (0.02 / 1.2, 0.12))
assert_allclose(np.log10(log_limits([0.1, 0.001])), (-3.16, -0.84))
assert_allclose(np.divide(*log_limits([0.02, 0.021])), 1 / 3)

# %%
#| export
OURS = {"ls": "none", "ms": 4.5, "mew": 0}
PAPER = {"ls": "none", "marker": "o", "ms": 7.5, "mew": 0.9, "mfc": "none"}
BESIDE_DOTS = 1.75  # inches for the legend, and for the axis with its label


def dot_legend(
    table: pd.DataFrame,  # from `comparison_table`
    methods: list,  # slugs, in order
) -> list:  # handles
    "What the colors, the dots and the rings of `metric_dots` stand for."
    handles = [
        Line2D([], [], label=ALL_METHODS[m].label, marker=ALL_METHODS[m].marker, color=ALL_METHODS[m].color, **OURS) for m in methods
    ]
    least, most = table.n_seeds.min(), table.n_seeds.max()
    ours = f"ours: mean, bar ± sd\nof {'up to ' if least < most else ''}{most} seeds" if most > 1 else "ours, one run"
    handles += [Line2D([], [], ls="none", label=""), Line2D([], [], label=ours, marker="o", color=GRAY, **OURS)]
    return handles + ([Line2D([], [], label="the paper", color=GRAY, **PAPER)] if table.paper.notna().any() else [])


# %%
#| export
def draw_dots(
    ax,  # a matplotlib Axes
    table: pd.DataFrame,  # rows of `comparison_table` for one number of components
    datasets: list,  # groups, from left to right
    methods: list,  # places within a group, from left to right
    missing: dict,  # data set -> why it has no numbers
    log: bool = False,  # a logarithmic axis
) -> None:
    "Draw the dots of one panel: every method keeps its place in the group, also where it has no value."
    step = 0.84 / len(methods)
    for i, dataset in enumerate(datasets):
        band = "#F4F4F4" if i % 2 == 0 else "white"
        ax.axvspan(i - 0.5, i + 0.5, color=band, lw=0, zorder=0)
        if not (table.dataset == dataset).any():
            inches = (ax.figure.get_figwidth() - BESIDE_DOTS) / len(datasets)
            reason = wrap(textwrap.shorten(missing.get(dataset, "not in this run"), 120, placeholder=" ..."), int(inches * 14))
            look = {"ha": "center", "va": "center", "fontsize": 6, "color": GRAY, "bbox": {"fc": band, "ec": "none", "pad": 2}}
            ax.text(i, 0.5, reason, transform=ax.get_xaxis_transform(), zorder=1, **look)
    ax.set_axisbelow(True)
    ax.grid(axis="y", color=FAINT, lw=0.5)
    if (table.ours.min() < 0) or (table.paper.min() < 0):  # a measure with a sign: show where it changes
        ax.axhline(0, color=GRAY, lw=0.7, zorder=1)
    for row in table.itertuples():
        x = datasets.index(row.dataset) + (methods.index(row.method) - (len(methods) - 1) / 2) * step
        color = ALL_METHODS[row.method].color
        ax.plot([x, x], [row.ours, row.paper], color=color, lw=0.8, ls=":", zorder=2)
        ax.plot(x, row.paper, color=color, zorder=3, **PAPER)
        if row.sd > 0:
            ax.errorbar(x, row.ours, row.sd, fmt="none", ecolor=color, color=color, elinewidth=0.9, capsize=2, capthick=0.9, zorder=4)
        ax.plot(x, row.ours, color=color, marker=ALL_METHODS[row.method].marker, zorder=4, **OURS)
    sd = table.sd.fillna(0)
    values = [*(table.ours - sd), *(table.ours + sd), *table.paper]
    ax.set(xlim=(-0.5, len(datasets) - 0.5), yscale="log" if log else "linear", ylim=log_limits(values) if log else axis_limits(values))
    if log:
        ax.yaxis.set(major_locator=mpl.ticker.LogLocator(subs=(1, 2, 5)), minor_locator=mpl.ticker.NullLocator(), major_formatter="{x:g}")
    ax.tick_params(axis="x", length=0)


# %%
#| export
def metric_dots(table: pd.DataFrame, titles: dict | None = None, missing: dict | None = None) -> Picture:
    """Draw a group of dots for each data set, a color for each method, a panel for each number of components.

    Parameters
    ----------
    table : DataFrame
        From `comparison_table`.
    titles : dict, optional
        Title of each data set; by default its name.
    missing : dict, optional
        Data set -> why it has no numbers, written in its place.

    Returns
    -------
    Picture
        Markers are rings where a value is the paper's.
    """
    metric, missing = table.metric.iloc[0], missing or {}
    titles = {d: describe(d)["title"] for d in missing} | (titles or {})
    datasets, methods = list(dict.fromkeys([*table.dataset, *missing])), in_order(table.method)
    dims = sorted(table.dim.unique())
    width = BESIDE_DOTS + len(datasets) * max(0.14 * len(methods), 1.0 * bool(missing))
    width = np.clip(width, COLUMN_WIDTH, TEXT_WIDTH)
    with use_style():
        fig = Picture(figsize=(width, 0.45 + 1.75 * len(dims)), layout="constrained")
        axes = fig.subplots(len(dims), 1, sharex=True, squeeze=False)[:, 0]
        for ax, dim in zip(axes, dims):
            elsewhere = {d: "here in other dimensions only" for d in table.dataset}
            draw_dots(ax, table[table.dim == dim], datasets, methods, elsewhere | missing, log=metric in LOG_METRICS)
            ax.set_ylabel(METRIC_LABELS.get(metric, metric))
            ax.set_title(f"{dim} dimensions", loc="left", fontweight="bold")
            sns.despine(ax=ax, bottom=True)
        letters = max(12, int(14 * (width - BESIDE_DOTS) / len(datasets)))
        axes[-1].set_xticks(range(len(datasets)), [wrap_title(titles.get(d, d), letters) for d in datasets])
        fig.legend(handles=dot_legend(table, methods), loc="outside right upper", handletextpad=0.4, borderaxespad=0)
    return fig


# %%
some = made_up_records()
fig = metric_dots(comparison_table(some, "trustworthiness", table2), titles_of(some))
fig

# %%
# The axis does not begin at zero, only MNIST has rings, and the colors are those of the methods.
ax = fig.axes[0]
assert ax.get_ylim()[0] > 0.5
assert [tick.get_text() for tick in ax.get_xticklabels()] == ["Digits", "Mnist"]
open_markers = [line for line in ax.lines if line.get_markerfacecolor() == "none" and np.isfinite(line.get_ydata()).all()]
assert len(open_markers) == 4 and all(line.get_xdata()[0] > 0.5 for line in open_markers)
assert {line.get_color() for line in ax.lines} == {ALL_METHODS[m].color for m in ("umap", "pumap", "tsne", "pca")}
assert any("3 seeds" in text.get_text() for text in fig.legends[0].get_texts())

# %% [markdown]
# A marker at exactly 1, which an accuracy may well reach, is shown whole.

# %%
perfect = [{**record, "metrics": {"knn1_accuracy": 1.0 - 0.2 * i}} for i, record in enumerate(made_up_records(seeds=1, datasets=("digits",)))]
fig = metric_dots(comparison_table(perfect, "knn1_accuracy"))
fig.draw_without_rendering()
ax = fig.axes[0]
radius = (PAPER["ms"] + PAPER["mew"]) / 2 / 72 * fig.dpi
for value, above in ((1.0, ax.bbox.y1), (0.4, ax.bbox.y0)):
    assert abs(above - ax.transData.transform((0, value))[1]) > radius
assert ax.get_ylim()[1] > 1.0

# %% [markdown]
# With 2 and 64 dimensions there are two panels. Each has an axis of its own, as values in 64 dimensions crowd near 1. What
# was not run says so; without values of the paper there is no word of them in the legend.

# %%
two = made_up_records(seeds=1, datasets=("digits", "moons")) + made_up_records(dims=(64,), seeds=1, datasets=("digits",))
fig = metric_dots(comparison_table(two, "trustworthiness"), titles_of(two), {"bison": "Data not found: put them into PUMAP_DATA."})
assert [tick.get_text() for tick in fig.axes[-1].get_xticklabels()] == ["Digits", "Moons", "Bison"]
assert [ax.get_title(loc="left") for ax in fig.axes] == ["2 dimensions", "64 dimensions"]
assert not any("paper" in text.get_text() for text in fig.legends[0].get_texts())
assert [text.get_text().split()[0] for text in fig.axes[1].texts] == ["here", "Data"]
fig

# %% [markdown]
# A silhouette may be negative. A line then marks the zero, which is not an end of the axis but a change of meaning.

# %%
signed = [{**record, "metrics": {"silhouette": 0.5 - 0.3 * i}} for i, record in enumerate(made_up_records(seeds=1, datasets=("digits",)))]
fig = metric_dots(comparison_table(signed, "silhouette"))
zero = [line for line in fig.axes[0].lines if list(line.get_ydata()) == [0, 0]]
assert len(zero) == 1 and fig.axes[0].get_ylim()[0] < -0.4

# %% [markdown]
# Errors of two data sets, one with a tenth of the other's.

# %%
errors = [{**record, "metrics": {"reconstruction_mse": 0.05 / 10 ** (i // 4) / (1 + i % 4)}} for i, record in enumerate(made_up_records(seeds=1))]
fig = metric_dots(comparison_table(errors, "reconstruction_mse", published_table(7)))
assert fig.axes[0].get_yscale() == "log" and 0.0005 < fig.axes[0].get_ylim()[0] < 0.00125
fig


# %% [markdown]
# ## Examples
#
# One row of a data set, as it is: an image in gray or in color, two or three coordinates as a point among the others, a longer vector as bars. Three coordinates are seen from the side on which they spread most, the widest from left to right.

# %%
#| export
def draw_example(
    ax,  # a matplotlib Axes
    rows,  # rows of the data: images (n, height, width, 1 or 3) or vectors (n, n_columns); the first is shown
) -> None:
    "Draw the first row: as an image, as a point among the other rows (up to three columns), or as bars."
    rows = np.asarray(rows)
    if rows.ndim == 4 and rows.shape[-1] in (1, 3):
        ax.imshow(rows[0, ..., 0] if rows.shape[-1] == 1 else rows[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    elif rows.ndim == 2 and rows.shape[1] > 3:
        ax.bar(range(rows.shape[1]), rows[0], width=1, color=GRAY)
        ax.axhline(0, color=FAINT, lw=0.6)
    elif rows.ndim == 2 and rows.shape[1] > 1:
        widest = np.argsort(-rows.std(axis=0), kind="stable")[:2]
        ax.scatter(*rows[1:, widest].T, s=1.5, color="#B0B0B0", linewidths=0, rasterized=True)
        ax.plot(*rows[0, widest], marker="o", ms=5, color=ALL_METHODS["pumap"].color, ls="none")
        xlim, ylim, _ = square_window(rows[:, widest])
        ax.set(xlim=xlim, ylim=ylim)
    else:
        raise ValueError(f"Rows of shape {rows.shape[1:]} cannot be drawn: give images (n, height, width, 1 or 3) or vectors of two columns or more.")
    ax.set(xticks=[], yticks=[])


def example_grid(
    examples: dict,  # examples[data set] = rows, as `draw_example` takes them, or a sentence that says why there are none
    titles: dict | None = None,  # title of each data set; None: its name
    columns: int = 4,  # panels side by side
) -> Picture:
    "A panel for each data set, with one row of it; ValueError if there are none."
    if not examples:
        raise ValueError("There are no examples to draw: give examples[data set] = rows.")
    titles = [wrap_title((titles or {}).get(dataset, dataset), 26) for dataset in examples]
    columns = min(columns, len(examples))
    lines = -(-len(examples) // columns)
    side, gap, above = 1.6, 0.1, 0.1 + 0.14 * max(title.count("\n") + 1 for title in titles)  # inches
    width, height = gap + columns * (side + gap), gap + lines * (side + above)
    box = {"left": gap / width, "right": 1 - gap / width, "bottom": gap / height, "top": 1 - above / height}
    with use_style():
        fig = Picture(figsize=(width, height))
        axes = list(fig.subplots(lines, columns, squeeze=False, gridspec_kw={**box, "wspace": gap / side, "hspace": above / side}).flat)
        for ax, title, rows in zip(axes, titles, examples.values()):
            ax.set(xticks=[], yticks=[], box_aspect=1)
            ax.spines[:].set_color(FAINT)
            draw_reason(ax, rows) if isinstance(rows, str) else draw_example(ax, rows)
            ax.set_title(title)
        for ax in axes[len(examples) :]:
            ax.remove()
    return fig


# %%
draw = np.random.default_rng(0)
kinds = {"gray": draw.random((1, 8, 8, 1)), "color": draw.random((1, 8, 8, 3)), "long": draw.normal(size=(1, 50)), "points": moons, "solid": moons @ draw.normal(size=(2, 3))}
fig = example_grid({**kinds, "faces": "Photographs, which may not be passed on."}, {"points": "Moons", "gray": "A name that takes two lines\n8x8, one row"})
fig.draw_without_rendering()
assert fig.axes[0].title.get_window_extent().y1 <= fig.bbox.y1  # three lines of title have room above the panel
assert len(fig.axes) == 6 and [len(ax.images) for ax in fig.axes] == [1, 1, 0, 0, 0, 0] and fig.axes[3].get_title() == "Moons"
assert len(fig.axes[2].patches) == 50 and "passed on" in fig.axes[5].texts[0].get_text().replace("\n", " ")
for wrong, word in (({"a": np.zeros((3, 1))}, "cannot be drawn"), ({"a": np.zeros((1, 4, 4, 2))}, "(4, 4, 2)"), ({}, "no examples")):
    try:
        example_grid(wrong)
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")
fig


# %% [markdown]
# ## Reconstructions
#
# What comes back from an embedding, image by image: the first line has the rows as they are, each line below what a method makes of their places. Records keep a few such rows, as whole numbers of 0 to 255 or as
# fractions.

# %%
#| export
def fractions(
    images,  # from 0 to 255 if uint8, else from 0 to 1
) -> np.ndarray:  # from 0 to 1, the same shape
    "Images as numbers from 0 to 1; what leaves the range is cut off."
    images = np.asarray(images)
    return images / 255.0 if images.dtype == np.uint8 else np.clip(images.astype("float64"), 0, 1)


def strip(
    images,  # shape (n, height, width, 1 or 3), as `fractions` takes them
) -> np.ndarray:  # one image, from 0 to 1: height, n * (width + 1) - 1, and 3 if in color
    "Images side by side, with a white line between them."
    padded = np.pad(fractions(images), [(0, 0), (0, 0), (0, 1), (0, 0)], constant_values=1.0)
    row = np.concatenate(list(padded), axis=1)[:, :-1]
    return row[..., 0] if row.shape[-1] == 1 else row


def reconstruction_grid(
    originals,  # the rows, shape (n, height, width, 1 or 3), as `fractions` takes them
    shown: dict,  # shown[number of components][method] = what came back, of the same shape
) -> Picture:
    "A line for each method, below one with the rows themselves; a block for each number of components. ValueError if a shape differs."
    methods = in_order(m for block in shown.values() for m in block)
    wrong = [f"{ALL_METHODS[m].label}, {dim}-D" for dim, block in shown.items() for m, images in block.items() if np.shape(images) != np.shape(originals)]
    if wrong or not methods or np.ndim(originals) != 4:
        raise ValueError(f"Give images (n, height, width, 1 or 3) and reconstructions of the same shape; wrong here: {', '.join(wrong) or 'there are none'}.")
    one = strip(originals)
    left, gap, above = 1.0, 0.12, 0.22  # inches
    across = min((TEXT_WIDTH - left - gap * len(shown)) / len(shown), 0.42 * len(originals))
    tall, space = across * one.shape[0] / one.shape[1], 0.04
    width, height = left + (across + gap) * len(shown), above + (tall + space) * (1 + len(methods))
    box = {"left": left / width, "right": 1 - gap / width, "bottom": space / height, "top": 1 - above / height}
    with use_style():
        fig = Picture(figsize=(width, height))
        axes = fig.subplots(1 + len(methods), len(shown), squeeze=False, gridspec_kw={**box, "wspace": gap / across, "hspace": space / tall})
        for column, dim in zip(axes.T, sorted(shown)):
            column[0].set_title(f"{dim} dimensions", loc="left", fontweight="bold")
            for ax, method in zip(column, ["", *methods]):
                images = one if not method else strip(shown[dim][method]) if method in shown[dim] else np.ones_like(one)
                ax.imshow(images, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
                if method and method not in shown[dim]:
                    ax.text(0.5, 0.5, "nothing to show", transform=ax.transAxes, ha="center", va="center", fontsize=7, color=GRAY)
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
        for ax, method in zip(axes[:, 0], ["", *methods]):
            ax.set_ylabel(ALL_METHODS[method].label if method else "Data", rotation=0, ha="right", va="center", labelpad=4)
    return fig


# %% [markdown]
# Made-up images, and two "methods": one blurs, the other adds noise. One of them was run in 64 dimensions, too.

# %%
bars = np.zeros((8, 12, 12, 1))
for i, image in enumerate(bars):
    image[:, i + 2] = image[i + 1] = 1
blurred, noisy = (bars + np.roll(bars, 1, axis=2)) / 2, np.clip(bars + 0.2 * draw.normal(size=bars.shape), 0, 1)
fig = reconstruction_grid(bars, {2: {"umap_ae": blurred, "pca": (255 * noisy).astype("uint8")}, 64: {"pca": bars}})
assert [ax.get_ylabel() for ax in fig.axes[::2]] == ["Data", "UMAP/AE", "PCA"] and [ax.get_title(loc="left") for ax in fig.axes[:2]] == ["2 dimensions", "64 dimensions"]
assert [text.get_text() for ax in fig.axes for text in ax.texts] == ["nothing to show"]
assert strip(bars).shape == (12, 8 * 13 - 1) and strip(np.zeros((2, 4, 4, 3))).shape == (4, 9, 3)
assert_allclose(strip((255 * bars).astype("uint8")), strip(bars))
assert (strip(bars)[:, 12] == 1).all() and strip(3 * bars).max() == 1
for wrong in ({2: {"pca": bars[:4]}}, {2: {}}):
    try:
        reconstruction_grid(bars, wrong)
    except ValueError as error:
        assert "of the same shape" in str(error)
    else:
        raise AssertionError("no error")
fig


# %% [markdown]
# ## Few labels
#
# Figures 15, 16 and 18 show one thing: accuracy on the test rows against the number of labels per class, for some of the six semi-supervised methods. So they share a table and a drawing. Records of this grid have numbers of labels in place of dimensions.

# %%
def made_up_ssl_records(methods=("baseline", "umap_euclidean"), counts=(4, 64, "full"), datasets=("mnist",)):
    "Records of the semi-supervised grid: three seeds at the fewest labels, one at the others."
    level, draw = {4: 0.8, 64: 0.95, "full": 0.97}, np.random.default_rng(0)
    return [
        {
            "cell": {"dataset": dataset, "method": method, "n_labels": n, "seed": seed},
            "n_train": 10_000,
            "metrics": {"accuracy": level[n] + 0.02 * ("umap" in method) + 0.01 * draw.normal()},
            "data": {"title": dataset.upper(), "stand_in_for": None},
        }
        for dataset in datasets
        for method in methods
        for n in counts
        for seed in (range(3) if n == 4 else (0,))
    ]


# %%
#| export
def ssl_table(
    records,  # of the semi-supervised grid, all of one profile
    published=(),  # the paper's numbers, as `scorecard.published_accuracies` gives them
) -> pd.DataFrame:  # dataset, stand_in, method, n_labels, paper, ours, sd, n_seeds, n_train, difference (ours - paper)
    """Mean accuracy over seeds beside the paper's value, one row for each data set, method and number of labels per class.

    Numbers of labels that only the paper has are there, too, for the data sets and methods of the records; `ours` is then NaN. Raises `ValueError` without records."""
    ours, stand_ins = {}, {}
    for record in records:
        cell = record["cell"]
        stand_ins[cell["dataset"]] = stand_in_of(record)
        ours.setdefault((cell["dataset"], cell["method"], cell["n_labels"]), []).append((record["metrics"]["accuracy"], record["n_train"]))
    if not ours:
        raise ValueError("There is no record of the semi-supervised grid: run its cells first.")
    paper = {(line["dataset"], line["method"], line["n_labels"]): line["accuracy"] for line in published}
    pairs = {key[:2] for key in ours}
    datasets, methods = list(dict.fromkeys(key[0] for key in ours)), in_order(key[1] for key in ours)
    keys = sorted({*ours, *(key for key in paper if key[:2] in pairs)}, key=lambda k: (datasets.index(k[0]), methods.index(k[1]), label_order(k[2])))
    rows = []
    for key in keys:
        values = pd.Series([value for value, _ in ours.get(key, ())], dtype=float)
        n_train = ours[key][0][1] if key in ours else np.nan
        numbers = (values.mean(), values.std(ddof=1), len(values), n_train, values.mean() - paper.get(key, np.nan))
        rows.append((key[0], stand_ins[key[0]], *key[1:], paper.get(key, np.nan), *numbers))
    table = pd.DataFrame(rows, columns=["dataset", "stand_in", "method", "n_labels", "paper", "ours", "sd", "n_seeds", "n_train", "difference"])
    return table.astype({"n_train": "Int64"})


# %%
#| export
def check_ssl_table(table: pd.DataFrame, found) -> None:
    """Check that each cell of the semi-supervised grid is in the table or has a reason, with an accuracy from 0 to 1.

    Parameters
    ----------
    table : DataFrame
        From `ssl_table`.
    found : Found
        Cells, and the reasons for those left out.

    Raises
    ------
    ValueError
        If a cell is missing or an accuracy is impossible.
    """
    asked = {(cell.dataset, cell.method, cell.n_labels) for cell in found.cells if cell not in found.reasons}
    measured = table[table.ours.notna()]
    if wrong := asked ^ set(zip(measured.dataset, measured.method, measured.n_labels)):
        raise ValueError(f"Cells and rows of the table differ by {', '.join('-'.join(map(str, key)) for key in sorted(wrong, key=str))}.")
    if not measured.ours.between(0, 1).all():
        raise ValueError("An accuracy is not between 0 and 1.")


# %%
few = ssl_table(made_up_ssl_records(), published_accuracies())
asked = SimpleNamespace(cells=tuple(cell_of(record) for record in made_up_ssl_records()), reasons={})
check_ssl_table(few, asked)
for wrong in (few.assign(ours=few.ours + 1), few[few.n_labels != 4]):
    try: check_ssl_table(wrong, asked)
    except ValueError as error: print(error)
    else: assert False
assert list(few[few.ours.notna()].n_labels) == [4, 64, "full"] * 2 and list(few.n_labels[:6]) == [4, 16, 64, 256, 1024, "full"]
assert list(few[few.n_labels == 4].n_seeds) == [3, 3] and few.sd.notna().sum() == 2
assert few[(few.method == "baseline") & (few.n_labels == 4)].paper.item() == 0.8143
assert few[(few.method == "baseline") & (few.n_labels == 16)].paper.item() == 0.9548  # not in Table 8
print(to_markdown(few[few.ours.notna()]))

# %% [markdown]
# The axis of labels is logarithmic. `full` is no number on it, so it stands apart, behind a break. Filled markers and lines are ours, with one standard deviation over seeds; rings and dotted lines are the paper's.
# Figure 15 has a picture of the data in each panel, their UMAP; it goes into the lower right corner, which the curves leave free.

# %%
#| export
FULL_GAP = 1.3  # from the last number of labels to `full`, in steps of a factor of four


def label_places(
    counts,  # numbers of labels per class, "full" among them or not
) -> dict:  # each -> its place on the axis
    "Where the numbers of labels stand: a factor of four is a step, `full` comes behind a gap."
    places = {n: np.log(n) / np.log(4) for n in counts if n != "full"}
    last = max(places.values(), default=0.0)
    return places | ({"full": last + FULL_GAP} if "full" in counts else {})


def draw_label_curves(
    ax,  # a matplotlib Axes
    table: pd.DataFrame,  # rows of `ssl_table` for one data set
    places: dict,  # from `label_places`
) -> None:
    "Draw the curves of one panel, a color for each method."
    methods = in_order(table.method)
    for i, method in enumerate(methods):
        rows, color = table[table.method == method], ALL_METHODS[method].color
        aside = 0.05 * (i - (len(methods) - 1) / 2)  # so that bars of one place can be told apart
        for full in (False, True):
            part = rows[(rows.n_labels == "full") == full]
            x = np.array([places[n] + aside for n in part.n_labels])
            ax.plot(x, part.paper, color=color, zorder=2, **(PAPER | {"ls": ":", "lw": 0.8, "ms": 5}))
            there = part.ours.notna().to_numpy()
            marker = OURS | {"ls": "-", "marker": ALL_METHODS[method].marker}
            ax.errorbar(x[there], part.ours[there], part.sd[there].fillna(0), color=color, elinewidth=1, zorder=3 + i, **marker)
    sd = table.sd.fillna(0)
    ax.set(ylim=axis_limits([*(table.ours - sd), *(table.ours + sd), *table.paper]))
    ax.set_xticks(list(places.values()), [str(n) for n in places], fontsize=6.5)  # at 7.5 points 256 and 1024 meet
    ax.grid(axis="y", color=FAINT, lw=0.5)
    if "full" in places and len(places) > 1:
        middle = places["full"] - FULL_GAP / 2
        ax.plot([middle - 0.08, middle + 0.08], [0, 0], marker=[(-0.5, -1), (0.5, 1)], color="k", ls="none", ms=6, mew=0.6, transform=ax.get_xaxis_transform(), clip_on=False)


# %%
#| export
def draw_inset(
    ax,  # a matplotlib Axes with curves that rise to the right
    embedding,  # shape (n, 2)
    y,  # classes, shape (n,)
) -> None:
    "A small projection without a frame in the lower right corner of a panel."
    corner = ax.inset_axes([0.62, 0.02, 0.38, 0.38], zorder=1.8)  # before the grid, behind the curves
    corner.set(xticks=[], yticks=[], box_aspect=1, anchor="SE")
    corner.patch.set_visible(False)
    corner.spines[:].set_visible(False)
    draw_projection(corner, embedding, y)


# %%
#| export
def label_curves(table: pd.DataFrame, titles: dict | None = None, missing: dict | None = None, insets: dict | None = None) -> Picture:
    """Draw a panel for each data set: accuracy against labels per class, a curve for each method.

    Parameters
    ----------
    table : DataFrame
        From `ssl_table`.
    titles : dict, optional
        Title of each data set; by default its name.
    missing : dict, optional
        Data set -> why it has no curves, written in its place.
    insets : dict, optional
        Data set -> (embedding (n, 2), classes (n,)), drawn small in a corner of its panel.

    Returns
    -------
    Picture
        Markers are rings where a value is the paper's.
    """
    missing, rows_of = missing or {}, table.dropna(subset="n_train").groupby("dataset", sort=False).n_train.last()
    titles = {d: f"{(titles or {}).get(d, d)}\n{n:,} rows" for d, n in rows_of.items()}
    datasets = [*titles, *(d for d in missing if d not in titles)]
    width = min(TEXT_WIDTH, 1.9 + 1.9 * len(datasets))
    with use_style():
        fig = Picture(figsize=(width, 2.3), layout="constrained")
        axes = fig.subplots(1, len(datasets), squeeze=False)[0]
        for ax, dataset in zip(axes, datasets):
            ax.set_title(wrap_title(titles.get(dataset) or describe(dataset)["title"], 28), loc="left")
            sns.despine(ax=ax)
            if dataset not in titles:
                ax.set(xticks=[], yticks=[])
                draw_reason(ax, missing[dataset])
                continue
            rows = table[table.dataset == dataset]
            draw_label_curves(ax, rows, label_places(sorted(set(rows.n_labels), key=label_order)))
            ax.set_xlabel("labels per class")
            if picture := (insets or {}).get(dataset):
                draw_inset(ax, *picture)
        axes[0].set_ylabel("accuracy, test rows")
        fig.legend(handles=dot_legend(table[table.ours.notna()], in_order(table.method)), loc="outside right upper", handletextpad=0.4, borderaxespad=0)
    return fig


# %%
some = made_up_ssl_records(("baseline", "aug", "umap_learned", "aug_umap_learned"), datasets=("mnist", "cifar10"))
fig = label_curves(ssl_table(some, published_accuracies()), titles_of(some), {"fmnist": "Data not found: put them into PUMAP_DATA."})
fig

# %%
ax = fig.axes[0]
assert [tick.get_text() for tick in ax.get_xticklabels()] == ["4", "16", "64", "256", "1024", "full"]
assert np.ptp(np.diff(ax.get_xticks())[:4]) < 1e-9 < np.diff(ax.get_xticks())[-1] - 1  # even steps, and a gap
assert "Data not" in fig.axes[2].texts[0].get_text() and [a.get_title(loc="left").split("\n")[0] for a in fig.axes] == ["MNIST", "CIFAR10", "Fashion-MNIST"]
assert "the paper" in [text.get_text() for text in fig.legends[0].get_texts()]
assert set(label_places([4, 64])) == {4, 64} and label_places(["full"]) == {"full": FULL_GAP}
cloud, cluster = make_blobs(500, centers=4, random_state=0)
fig = label_curves(ssl_table(made_up_ssl_records()), insets={"mnist": (cloud, cluster), "fmnist": (cloud, cluster)})  # the second has no curves, so no panel
(corner,) = fig.axes[0].child_axes
assert len(fig.axes) == 1 and len(corner.collections[0].get_offsets()) == 500
try:
    ssl_table([])
except ValueError as error:
    print(error)
else:
    raise AssertionError("no error")


# %% [markdown]
# Figure 17 shows what a classifier's last layer reads, as a 2-D UMAP for each number of labels: once in the colors of the true classes, once in those of the predicted ones. What was labeled lies on top. The first column is the UMAP of the data themselves, and all others are laid over it.

# %%
#| export
def draw_labeled(
    ax,  # a matplotlib Axes
    embedding,  # shape (n, 2)
    y,  # classes that give the colors, shape (n,)
    labeled,  # which points had a label, bool, shape (n,)
    classes,  # all classes
) -> None:
    "A panel of points with the labeled ones on top; where a quarter or more had a label they are not marked."
    draw_projection(ax, embedding, y, classes)
    if np.mean(labeled) < 0.25:
        size = np.clip(600 / np.sum(labeled), 2, 14)  # points squared: many of them must not hide the rest
        ax.scatter(*embedding[labeled].T, s=size, color=point_colors(y, classes)[labeled], edgecolors="k", linewidths=0.13 * size**0.5, rasterized=True)


# %%
#| export
def last_layer_grid(
    panels: dict,  # panels[data set][labels per class] = arrays of `experiments.last_layer`, or a sentence; under "pixels" (embedding, y) of the data's own UMAP, or a sentence
    titles: dict | None = None,  # title of each data set; None: its name
) -> Picture:
    "Two rows for each data set, true and predicted classes; a column for the data and for each number of labels. ValueError if there are no panels."
    counts = sorted({n for row in panels.values() for n in row if n != "pixels"}, key=label_order)
    if not counts:
        raise ValueError("There are no panels to draw: give panels[data set][labels per class] = arrays.")
    names = {dataset: wrap_title((titles or {}).get(dataset, dataset), 22) for dataset in panels}
    left = 0.22 + 0.14 * max(name.count("\n") + 2 for name in names.values())  # inches, as all below
    side, top = min(1.3, (TEXT_WIDTH - left) / (len(counts) + 1)), 0.25
    width, height = left + 0.02 + side * (len(counts) + 1), top + 0.02 + 2 * side * len(panels)
    with use_style():
        fig = Picture(figsize=(width, height))
        box = {"left": left / width, "right": 1 - 0.02 / width, "bottom": 0.02 / height, "top": 1 - top / height}
        axes = fig.subplots(2 * len(panels), len(counts) + 1, squeeze=False, gridspec_kw={**box, "wspace": 0.05, "hspace": 0.05})
        for i, (dataset, row) in enumerate(panels.items()):
            _draw_last_layers(axes[2 * i : 2 * i + 2], row, counts)
            for ax, word in zip(axes[2 * i : 2 * i + 2, 0], ("true", "predicted")):
                ax.set_ylabel(f"{names[dataset]}\n{word}", linespacing=1.1)
        for ax, word in zip(axes[0], ["pixels", *("all labels" if n == "full" else f"{n} per class" for n in counts)]):
            ax.set_title(word)
    return fig


def _draw_last_layers(axes, row, counts):
    pixels = row.get("pixels", "not in this run")
    found = [arrays for arrays in row.values() if isinstance(arrays, dict)]
    classes = np.unique(np.concatenate([arrays["y"] for arrays in found])) if found else None
    for column, n in enumerate(["pixels", *counts]):
        panel = row.get(n, "not in this run")
        for ax, key in zip(axes[:, column], ("y", "predicted")):
            ax.set(xticks=[], yticks=[], box_aspect=1)
            ax.spines[:].set_color(FAINT)
            if n == "pixels" and key == "predicted":
                ax.spines[:].set_visible(False)
            elif isinstance(panel, str):
                draw_reason(ax, panel)
            elif n == "pixels":
                draw_projection(ax, *panel, classes=classes)
            else:
                same = not isinstance(pixels, str) and len(pixels[0]) == len(panel["embedding"])
                points = procrustes_align(pixels[0], panel["embedding"]) if same else panel["embedding"]
                draw_labeled(ax, points, panel[key], panel["labeled"], classes)


# %%
def made_up_layer(n_labeled):
    X, y = make_blobs(300, centers=3, cluster_std=0.8, random_state=0)
    wrong = np.random.default_rng(0).random(300) < 0.2
    return {"embedding": X[:, ::-1], "y": y, "predicted": np.where(wrong, (y + 1) % 3, y), "labeled": np.arange(300) < n_labeled}


blobs, blob = make_blobs(300, centers=3, cluster_std=0.8, random_state=0)
layers = {"blobs": {"pixels": (blobs, blob), 4: made_up_layer(12), "full": made_up_layer(300)}, "elsewhere": {4: "Data not found."}}
fig = last_layer_grid(layers, {"blobs": "Three blobs", "elsewhere": "Something from afar (in place of others)"})
fig

# %%
fig.draw_without_rendering()
assert all(ax.yaxis.label.get_window_extent().x0 >= 0 for ax in fig.axes)
assert len(fig.axes) == 4 * 3 and [ax.get_title() for ax in fig.axes[:3]] == ["pixels", "4 per class", "all labels"]
points = [[len(c.get_offsets()) for c in ax.collections] for ax in fig.axes[:6]]
assert points == [[300], [300, 12], [300], [], [300, 12], [300]]  # labeled points on top, but not where all are labeled
assert_allclose(np.sort(fig.axes[1].collections[0].get_offsets(), axis=0), np.sort(blobs, axis=0), atol=1e-6)  # mirrored, and laid over the data
assert "Data not" in fig.axes[7].texts[0].get_text() and "not in this" in fig.axes[6].texts[0].get_text().replace("\n", " ")


# %% [markdown]
# ## What a figure is drawn from
#
# The notebooks of Figures 4 to 9, 13 and 15 to 18 begin in the same way: which cells does the figure need in this profile, which records are there, what is left out and why?
# `gather` reads each record once. Its result computes each table once, and gives it to the check, the picture and the text.

# %%
#| export
@dataclass(frozen=True)
class Found:
    """Cells of a figure, and what there is of each.

    Attributes
    ----------
    run : Run
        Where the records are.
    cells : tuple of Cell or SSLCell
        All cells of the figure.
    records : list of dict
        Of the cells that are done, in their order.
    reasons : dict
        Cell -> why it is not there.
    """

    run: Run
    cells: tuple
    records: list
    reasons: dict
    _tables: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    titles = property(lambda self: titles_of(self.records), doc="Title of each data set.")

    @property
    def missing(self) -> dict:
        "Data sets of which nothing is there, each with the reason."
        there = {record["cell"]["dataset"] for record in self.records}
        return {cell.dataset: reason for cell, reason in self.reasons.items() if cell.dataset not in there}

    def having(self, metric: str) -> "Found":
        "The same without the records in which a measure is None: not every cell has classes, test rows or an inverse."
        records = [record for record in self.records if record["metrics"][metric] is not None]
        without = set(map(cell_of, self.records)) - set(map(cell_of, records))
        return replace(self, records=records, cells=tuple(cell for cell in self.cells if cell not in without))

    def of(self, grid: type) -> "Found":
        "The cells and records of one grid, `Cell` or `SSLCell`."
        return replace(self, cells=tuple(c for c in self.cells if isinstance(c, grid)), records=[r for r in self.records if isinstance(cell_of(r), grid)])

    def table(self, metric: str) -> pd.DataFrame:
        "Our means next to the paper's values of a metric, from `comparison_table`; computed once."
        if metric not in self._tables:
            self._tables[metric] = comparison_table(self.records, metric, published_table(table_of(metric)))
        return self._tables[metric]

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        "Accuracies with few labels next to the paper's, from `ssl_table`."
        return ssl_table(self.records, published_accuracies())

    def __str__(self):
        lines = [f"profile {self.run.profile.name}: {self.run.profile.title}; {len(self.records)} of {len(self.cells)} cells are there"]
        lines += [f"left out: {reason}" for reason in dict.fromkeys(self.reasons.values()) if reason not in (NOT_RUN, OTHER_SETTINGS)]
        named = {f"left out, {why}": [cell.id for cell, reason in self.reasons.items() if reason == why] for why in (NOT_RUN, OTHER_SETTINGS)}
        named["† earlier settings of the profile"] = [cell_of(record).id for record in self.records if record.get("earlier")]
        return "\n".join(lines + [f"{what}: {', '.join(ids)}" for what, ids in named.items() if ids])


# %%
#| export
def gather(figure_id: str, run: Run, run_missing: bool = True) -> Found:
    """Read the records of a figure's cells.

    Parameters
    ----------
    figure_id : str
        As `pumap.paper.experiments.figure` takes it.
    run : Run
        Where the records are.
    run_missing : bool
        Whether to run the cells that are not done.

    Returns
    -------
    Found
        Print it to tell what is there.
    """
    reasons = {}
    cells = cells_for(figure_id, run.profile)
    return Found(run, cells, run.collect(cells, run_missing, reasons), reasons)


def metric_text(found: Found, metric: str) -> str:
    """Summarize a table: how near it is to the paper's, and where the UMAP methods stand.

    Parameters
    ----------
    found : Found
        From `gather`.
    metric : str
        One of `METRICS`.

    Returns
    -------
    str
        From `agreement_text` and `families_text`.
    """
    relative = metric in RELATIVE_TOLERANCE
    return f"{agreement_text(found.table(metric), (RELATIVE_TOLERANCE if relative else TOLERANCE)[metric], relative)}\n{families_text(found.table(metric))}"


# %%
there, other = made_up_records(seeds=1, datasets=("digits",), methods=("pca",)), Cell("bison", "umap", 2)
found = Found(Run(profile("smoke"), Path()), (cell_of(there[0]), other), there, {other: "Bison is not here."})
assert found.missing == {"bison": "Bison is not here."} and found.titles == {"digits": "Digits"}
assert found.having("trustworthiness") == found and found.having("silhouette").records == [] and found.having("silhouette").cells == (other,)
assert found.table("trustworthiness") is found.table("trustworthiness") and found.of(SSLCell).cells == ()
print(found)
assert "1 of 2 cells are there\nleft out: Bison is not here." in str(found)
assert str(replace(found, reasons={other: NOT_RUN})).endswith(f"left out, not run yet: {other.id}")
assert str(replace(found, records=[there[0] | {"earlier": True}])).endswith(f"† earlier settings of the profile: {cell_of(there[0]).id}")


# %% [markdown]
# The notebooks end in the same way, too: pictures and tables are written, if a folder is given.

# %%
#| export
def write(save_to: str, **made) -> None:
    """Write pictures (`.png`, `.pdf`) and tables (`.csv`, `.md`), and print their paths.

    Parameters
    ----------
    save_to : str
        Folder; "" writes nothing.
    **made
        File stem -> Picture or DataFrame; None is left out.
    """
    for name, thing in made.items():
        if save_to and thing is not None:
            save = save_figure if isinstance(thing, Picture) else save_table
            print(*save(thing, f"{save_to}/{name}"), sep="\n")


# %%
with tempfile.TemporaryDirectory() as folder:
    write(folder, table02=found.table("trustworthiness"), nothing=None)
    assert sorted(path.name for path in Path(folder).iterdir()) == ["table02.csv", "table02.md"]
    write("", table02=table)


# %% [markdown]
# ## Numbers in a sentence
#
# The notebooks that measure speed tell below the figure how they measured it.

# %%
#| export
def range_text(
    values,  # whole numbers
) -> str:
    "A number, or the range of several."
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def runs_text(
    repeats,  # how often it was timed, for each measurement; all the same in one figure
) -> str:
    "How often something was timed."
    repeats = range_text(repeats)
    return f"{repeats} run{'' if repeats == '1' else 's'}"


# %%
assert range_text([1000, 1000]) == "1,000" and range_text([5, 1000]) == "5 to 1,000"
assert runs_text([1]) == "1 run" and runs_text([3, 3]) == "3 runs"

# %% [markdown]
# ## Ways to train
#
# Figure 10 and the benchmarks compare solvers. Those that train the same method share its color, and differ in their lines. umap-learn's layout does not tell its loss on the way, so it is one point.

# %%
#| export
SOLVER_LABELS = {
    "layout": "UMAP (umap-learn)",
    "umap_tf": "UMAP (TF)",
    "fast": "P. UMAP, fast",
    "paper": "P. UMAP, paper's loop",
    "umap-learn": "P. UMAP (umap-learn)",
}
SOLVER_LOOKS = {
    "layout": {"color": ALL_METHODS["umap"].color, "marker": "*", "ms": 9, "ls": "none"},
    "umap_tf": {"color": ALL_METHODS["umap_tf"].color, "ls": "-"},
    "fast": {"color": ALL_METHODS["pumap"].color, "ls": "-", "lw": 1.6},
    "paper": {"color": ALL_METHODS["pumap"].color, "ls": "--"},
    "umap-learn": {"color": ALL_METHODS["pumap"].color, "ls": ":", "lw": 1.6},
}

# %%
assert list(SOLVER_LABELS) == list(SOLVER_LOOKS)
looks = [(look["color"], look.get("marker"), look["ls"]) for look in SOLVER_LOOKS.values()]
assert len(set(looks)) == len(looks) and {color for color, *_ in looks} <= set({m.color for m in METHODS.values()})
