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
# # Figure 1: overview
#
# > UMAP builds a graph of the rows; the embedding of the graph is optimized directly, or a network is trained to compute it.
#
# The paper explains the method with a drawing. Here every part of the drawing is computed: 100 rows, their graph, both optimizations on this graph,
# and the trained network.

# %%
import keras
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import FancyBboxPatch
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons
from sklearn.decomposition import PCA

from pumap import ParametricUMAP, plots
from pumap.paper import figures
from pumap.paper import experiments as ex
from pumap.baselines import centered, fit_embedding
from pumap.graph import find_ab, fuzzy_graph, nearest_neighbors, pruned_edges
from pumap.losses import UMAPLoss
from pumap.metrics import trustworthiness
from pumap.training import TrainingOptions

# %% [markdown]
# ## Parameters
#
# The figure is the same in all profiles. It takes a few seconds.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper: all the same
results_dir = ""  # not used: there are no records
data_dir = ""  # not used: scikit-learn makes the data
stand_ins = False  # not used
save_to = ""  # folder for the picture; "" draws without writing

# %%
size = ex.profile(profile)  # a name that does not exist ends the notebook here, with the list of those that do
N_ROWS, N_NEIGHBORS, NOISE, SEED = 100, 8, 0.09, 0

# %% [markdown]
# ## Rows and graph
#
# The data are two moons of 50 rows each, and 50 new rows for later. A row has two features, so the rows can be plotted directly. `along` is the
# position of a row on its moon, from 0 to 1. It is used for the colors only.

# %%
X, moon = make_moons(N_ROWS, shuffle=False, noise=NOISE, random_state=SEED)
new, new_moon = make_moons(N_ROWS // 2, noise=NOISE, random_state=SEED + 1)
X, new = X.astype("float32"), new.astype("float32")
along = np.tile(np.linspace(0, 1, N_ROWS // 2), 2)

# %% [markdown]
# Each row has directed edges to its nearest neighbors. UMAP combines the two directions of an edge into one weight, the strength of the edge in the
# fuzzy graph.

# %%
neighbors, distances = nearest_neighbors(X, N_NEIGHBORS, random_state=SEED)
graph = fuzzy_graph(X, N_NEIGHBORS, random_state=SEED)
edges = pruned_edges(graph)
print(f"{N_ROWS} rows, {graph.nnz // 2} edges of strength {graph.data.min():.2g} to {graph.data.max():.2g}")

# %%
# The graph is symmetric, each row is fully joined to its nearest one, and all edges lead to a neighbor in one of the two directions.
dense = graph.toarray()
assert (abs(dense - dense.T) < 1e-6).all() and (dense.diagonal() == 0).all() and dense.max() <= 1
np.testing.assert_allclose(dense[np.arange(N_ROWS), neighbors[:, 1]], 1, atol=1e-6)
looks_at = np.zeros_like(dense, dtype=bool)
looks_at[np.repeat(np.arange(N_ROWS), N_NEIGHBORS - 1), neighbors[:, 1:].ravel()] = True
assert ((dense > 0) <= (looks_at | looks_at.T)).all()

# %% [markdown]
# ## Optimizing the coordinates
#
# UMAP (TF) is the non-parametric method with the same loss and batches as the network. It optimizes the coordinates of the points directly, and every
# step is kept for the figure. The points start at the principal coordinates of the rows. umap-learn's usual start is a spectral layout. On so simple
# a graph the points would hardly move from it.

# %%
start = centered(PCA(2).fit_transform(X)).astype("float32")
steps = [start]
options = TrainingOptions(n_training_epochs=20, callback=lambda step, z: steps.append(keras.ops.convert_to_numpy(z)))
moved, _ = fit_embedding(start, edges, UMAPLoss(*find_ab()), options, SEED)
path = np.stack(steps)[(np.linspace(0, 1, 100) ** 2 * (len(steps) - 1)).astype(int)]  # (100, rows, 2): the first steps are the longest, and kept most closely
print(f"{len(steps) - 1:,} steps")

# %% [markdown]
# Each path starts at the initial coordinates and ends at the result. Every point moves.

# %%
assert (path[0] == start).all() and (path[-1] == moved).all() and (np.linalg.norm(moved - start, axis=1) > 0).all() and np.isfinite(path).all()

# %% [markdown]
# ## Training a network
#
# Parametric UMAP trains a network that maps a row to its coordinates. It has three hidden layers and uses the same graph.

# %%
network = ParametricUMAP(precomputed_graph=graph, encoder="mlp", random_state=SEED).fit(X)
shapes = plots.network_shapes(network.encoder_)
assert abs(network.graph_ - graph).max() == 0 and shapes == [(2,), (100,), (100,), (100,), (2,)]
print(f"{network.encoder_.count_params():,} weights place {N_ROWS} rows, and any others")


# %% [markdown]
# ## One loss
#
# Both methods minimize the UMAP cross entropy, with one attraction and five repulsions for each edge. With so few rows its expected value can be
# computed exactly: the weighted mean of the attraction over all edges, and the mean of the repulsion over all pairs.

# %%
def expected_loss(z):
    "Mean term of the loss over the whole graph, of an attraction and five repulsions."
    attraction, repulsion = (keras.ops.convert_to_numpy(terms) for terms in UMAPLoss(*find_ab(), "exact").terms(cdist(z, z).astype("float32") ** 2))
    pull, push = np.average(attraction, weights=dense), repulsion[~np.eye(len(z), dtype=bool)].mean()
    return (pull + 5 * push) / 6


places = {"the start of the points": start, "points moved": moved, "network trained": network.embedding_}
table = pd.DataFrame(
    [{"embedding": name, "loss": expected_loss(z), "trustworthiness": trustworthiness(X, z)} for name, z in places.items()]
)
Markdown(figures.to_markdown(table, digits=3))

# %%
before, by_points, by_network = table.loss
assert max(by_points, by_network) < before and table.trustworthiness[1:].min() > 0.9

# %% [markdown]
# Only the network can embed new rows. More than 90% of them are nearest to a training row of their own moon.

# %%
new_places = network.transform(new)
nearest = cdist(new_places, network.embedding_).argmin(axis=1)
print(f"{(moon[nearest] == new_moon).sum()} of {len(new)} new rows lie nearest to a row of their own moon")
assert (moon[nearest] == new_moon).mean() > 0.9

# %% [markdown]
# ## The figure
#
# A UMAP embedding can be rotated, reflected and scaled for display. The network's embedding is aligned with the other one by such a transformation,
# and the new rows are transformed in the same way.

# %%
turned = plots.procrustes_align(moved, network.embedding_)
turn = np.linalg.lstsq(np.c_[network.embedding_, np.ones(N_ROWS)], turned, rcond=None)[0]
new_turned = np.c_[new_places, np.ones(len(new))] @ turn
np.testing.assert_allclose(np.c_[network.embedding_, np.ones(N_ROWS)] @ turn, turned, atol=1e-3)

# %%
BLUES = LinearSegmentedColormap.from_list("blues", ["#9CCBF2", ex.METHODS["umap"].color, "#00224A"])
REDS = LinearSegmentedColormap.from_list("reds", ["#F7BE93", ex.METHODS["pumap"].color, "#5C1F00"])
COLORS = np.where((moon == 0)[:, None], BLUES(along), REDS(along))
SHOWN_ROW = 20  # whose neighbors are drawn in A
WIDE, SIDE, LOW = 1.46, 1.16, 0.98  # inches: the width of all panels, the height of C to F, and that of A and B


def panel(fig, left, bottom, points, title, tall=SIDE, below=False):
    "A panel with equal axes; title above or below."
    width, height = fig.get_size_inches()
    ax = fig.add_axes((left / width, bottom / height, WIDE / width, tall / height))
    xlim, ylim, _ = plots.square_window(points)
    ax.set(xticks=[], yticks=[], xlim=xlim, ylim=np.mean(ylim) + (np.array(ylim) - np.mean(ylim)) * tall / WIDE)
    ax.spines[:].set_color(plots.FAINT)
    letter, words = title.split("  ")
    at = {"y": -0.05 / tall, "va": "top"} if below else {"y": 1 + 0.05 / tall, "va": "bottom"}
    ax.text(0, s=letter, transform=ax.transAxes, fontweight="bold", **at)
    ax.text(0.1, s=words, transform=ax.transAxes, fontsize=7.5, **at)
    return ax


def draw_edges(ax, points, strongest=1.5):
    "The graph: the stronger an edge, the wider and darker its line."
    once = edges.head < edges.tail
    order = np.argsort(edges.weight[once])
    head, tail, weight = (values[once][order] for values in edges)
    lines = LineCollection(points[np.stack([head, tail], axis=1)], zorder=1, linewidths=0.25 + (strongest - 0.25) * weight)
    lines.set(color="#303030", alpha=0.12 + 0.68 * weight)
    ax.add_collection(lines)


def draw_points(ax, points, colors=COLORS, s=11):
    ax.scatter(*points.T, c=colors, s=s, edgecolors="white", linewidths=0.35, zorder=2)


# %%
def draw_rows(ax):
    "The rows, and the neighbors of one of them."
    for other in neighbors[SHOWN_ROW, 1:]:
        ax.plot(*X[[SHOWN_ROW, other]].T, color="#303030", lw=0.8, zorder=1)
    draw_points(ax, X)
    ax.scatter(*X[neighbors[SHOWN_ROW, 1:]].T, s=12, facecolors="none", edgecolors="black", linewidths=0.7, zorder=3)
    ax.scatter(*X[SHOWN_ROW], s=34, facecolors="none", edgecolors="black", linewidths=1, zorder=3)


def draw_graph(ax):
    "The graph at the places of the rows, with a key to its lines."
    draw_edges(ax, X)
    draw_points(ax, X)
    for i, strength in enumerate((0.1, 0.5, 1.0)):
        x = 0.24 + 0.3 * i
        ax.plot([x - 0.07, x + 0.05], [-0.1] * 2, transform=ax.transAxes, clip_on=False, color="#303030", lw=0.25 + 1.25 * strength, alpha=0.12 + 0.68 * strength)
        ax.text(x + 0.08, -0.1, f"{strength:g}", transform=ax.transAxes, va="center", fontsize=7, color=plots.GRAY)


def draw_paths(ax):
    "The way of each point from its start to its end."
    for i in range(N_ROWS):
        ax.plot(*path[:, i].T, color=COLORS[i], lw=0.5, alpha=0.6, zorder=1)
    ax.scatter(*start.T, s=4, c="white", edgecolors=COLORS, linewidths=0.5, zorder=2)
    draw_points(ax, path[-1], s=7)


def draw_embedding(ax, points, loss, below=False):
    "An embedding, with the edges of the graph, and the loss at the end of the title."
    ax.text(1, -0.045 if below else 1.045, f"loss {loss:.3f}", transform=ax.transAxes, ha="right", va="top" if below else "bottom", fontsize=7, color=plots.GRAY)
    draw_edges(ax, points, strongest=0.8)
    draw_points(ax, points)


# %%
def draw_frame(ax):
    "A panel for the network."
    middle = BOTTOM + SIDE / 2
    frame = FancyBboxPatch((COLUMNS[2], BOTTOM), WIDE, SIDE, boxstyle="square,pad=0", fc="none", ec=plots.FAINT, lw=0.6)
    ax.add_patch(frame)
    plots.draw_network(ax, shapes, (COLUMNS[2] + 0.17, middle + 0.05), step=0.28, height=0.75, color=ex.METHODS["pumap"].color)
    ax.text(COLUMNS[2], BOTTOM - 0.05, "E", fontweight="bold", va="top")
    ax.text(COLUMNS[2] + 0.146, BOTTOM - 0.05, "moving the weights", fontsize=7.5, va="top")
    for x, words, side in ((0.06, "row", "left"), (WIDE - 0.06, "place", "right")):
        ax.text(COLUMNS[2] + x, middle + 0.36, words, ha=side, fontsize=7, color=plots.GRAY)


def draw_arrow_key(ax):
    "What the arrows and the rings mean."
    left, top = COLUMNS[0], TOP + SIDE + 0.06
    gradient = {"color": ex.METHODS["pumap"].color, "linestyle": plots.DASHED}
    for height, words, look in ((top, "goes into", {}), (top - 0.17, "gradient: moves", gradient)):
        plots.draw_arrow(ax, [(left, height), (left + 0.34, height)], **look)
        ax.text(left + 0.44, height, words, va="center", fontsize=7)
    ax.scatter(COLUMNS[1] + 0.1, top, s=6, facecolors="white", edgecolors="black", linewidths=0.5)
    ax.text(COLUMNS[1] + 0.22, top, "a new row (in F)", va="center", fontsize=7)
    ax.scatter(COLUMNS[1] + 0.1, top - 0.17, s=6, facecolors="white", edgecolors=ex.METHODS["umap"].color, linewidths=0.5)
    ax.text(COLUMNS[1] + 0.22, top - 0.17, "start of a point (in C)", va="center", fontsize=7)


def draw_flow(ax):
    "What leads to what (solid), and where the gradient goes (dashed)."
    color, left, right = ex.METHODS["pumap"].color, COLUMNS[2] + 0.06, COLUMNS[3] + WIDE - 0.06
    box = FancyBboxPatch((left, MIDDLE - 0.11), right - left, 0.22, boxstyle="round,pad=0,rounding_size=0.06", fc="#FDF1E8", ec=color, lw=0.9)
    ax.add_patch(box)
    ax.text((left + right) / 2, MIDDLE, "one loss: UMAP cross entropy over the edges of B", ha="center", va="center", fontsize=7)
    between, above, below = MIDDLE, TOP + SIDE / 2, BOTTOM + SIDE / 2
    plots.draw_arrow(ax, [(COLUMNS[0] + WIDE + 0.03, between), (COLUMNS[1] - 0.03, between)])
    plots.draw_arrow(ax, [(COLUMNS[1] + WIDE + 0.03, between), (left - 0.02, between)])
    out = COLUMNS[0] + WIDE / 2
    for start_at, height, words in ((between + LOW / 2 + 0.2, above, "where the points start"), (between - LOW / 2 - 0.03, below, "rows, also new ones")):
        plots.draw_arrow(ax, [(out, start_at), (out, height), (COLUMNS[2] - 0.03, height)])
        ax.text(COLUMNS[1], height + 0.04, words, fontsize=7, color=plots.GRAY)
    for height in (above, below):
        plots.draw_arrow(ax, [(COLUMNS[2] + WIDE + 0.03, height), (COLUMNS[3] - 0.03, height)])
    up, down = (TOP - 0.03, MIDDLE + 0.13), (BOTTOM + SIDE + 0.03, MIDDLE - 0.13)
    for edge, loss in (up, down):
        at, back = COLUMNS[3] + WIDE / 2, COLUMNS[2] + WIDE / 2
        plots.draw_arrow(ax, [(at, edge), (at, loss)])
        plots.draw_arrow(ax, [(back, loss), (back, edge)], color, plots.DASHED)


# %% [markdown]
# All parts are placed by coordinates in inches.

# %%
COLUMNS, BOTTOM, STRIP = (0.08, 1.84, 3.72, 5.46), 0.24, 0.62  # inches: left sides, the lowest panel, and the strip for the loss
TOP, MIDDLE = BOTTOM + SIDE + STRIP, BOTTOM + SIDE + STRIP / 2
with plots.use_style():
    fig = plots.Picture(figsize=(plots.TEXT_WIDTH, TOP + SIDE + 0.26))
    flow = plots.inch_axes(fig)
    draw_rows(panel(fig, COLUMNS[0], MIDDLE - LOW / 2, X, "A  rows and neighbors", LOW))
    draw_graph(panel(fig, COLUMNS[1], MIDDLE - LOW / 2, X, "B  their fuzzy graph", LOW))
    draw_paths(panel(fig, COLUMNS[2], TOP, path.reshape(-1, 2), "C  moving the points"))
    draw_embedding(panel(fig, COLUMNS[3], TOP, moved, "D  UMAP (TF)"), moved, by_points)
    draw_frame(flow)
    draw_arrow_key(flow)
    last = panel(fig, COLUMNS[3], BOTTOM, np.concatenate([turned, new_turned]), "F  P. UMAP", below=True)
    draw_embedding(last, turned, by_network, below=True)
    last.scatter(*new_turned.T, s=6, facecolors="white", edgecolors="black", linewidths=0.5, zorder=3)
    draw_flow(flow)
fig

# %% [markdown]
# | panel | shows |
# |---|---|
# | A | the rows, and the nearest neighbors of one of them |
# | B | the graph; wider lines are stronger edges |
# | C | paths of the points under the gradient of the loss, from their start (rings) |
# | D | the result of C |
# | E | the network, drawn from its layers |
# | F | the network's embedding of the same rows and of new rows (black rings), which C and D cannot embed |
#
# Solid arrows show what is computed from what. Dashed arrows show the gradient of the one loss, which moves coordinates in C and weights in E.

# %%
# B, D and F have a line for each edge, C has a way for each point.
lines = [ax.collections[0] for ax in fig.axes if ax.collections and isinstance(ax.collections[0], LineCollection)]
assert [len(some.get_segments()) for some in lines] == 3 * [(edges.head < edges.tail).sum()]
ways = [line for ax in fig.axes for line in ax.lines if len(line.get_xdata()) == len(path)]
assert len(ways) == N_ROWS

# %% [markdown]
# ## Save
#
# The figure is saved as `fig01_overview.png` and `.pdf`.

# %%
figures.write(save_to, fig01_overview=fig)
