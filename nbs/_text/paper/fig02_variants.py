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
# # Figure 2: variants
#
# > Seven combinations of networks and losses, with arrows for measured gradients.
#
# UMAP, Parametric UMAP and related methods differ in what is trained, and in which weights each loss changes. This figure is drawn from the networks
# themselves. An arrow is drawn if, and only if, one training step changes those weights.

# %%
from typing import NamedTuple

import math

import keras
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.colors import to_rgba
from matplotlib.patches import FancyBboxPatch, Rectangle
from sklearn.decomposition import PCA

from pumap import plots
from pumap.paper import datasets, figures
from pumap.paper import experiments as ex
from pumap.backend import training_step
from pumap.baselines import embedding_step, make_method
from pumap.fast_solver import fast_steps
from pumap.graph import find_ab, fuzzy_graph, nearest_neighbors, pruned_edges, weighted_batches
from pumap.losses import UMAPLoss, reconstruction_loss
from pumap.networks import build_decoder, build_encoder
from pumap.semisupervised import SemiSupervisedClassifier, joint_network, joint_step, part
from pumap.training import Decoding, in_batch_negatives, paper_step

# %% [markdown]
# ## Parameters
#
# The figure is the same in all profiles. Nothing is trained; each kind of training step is taken once.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper: all the same
results_dir = ""  # not used: there are no records
data_dir = ""  # not used: the digits come with scikit-learn
stand_ins = False  # not used
save_to = ""  # folder for the picture; "" draws without writing

# %%
size = ex.profile(profile)  # a name that does not exist ends the notebook here, with the list of those that do
SEED, N_ROWS, N_EDGES, N_LABELED = 0, 300, 100, 40

# %% [markdown]
# ## A batch
#
# A batch of the UMAP loss is a number of edges, given by the rows at their ends (first all heads, then all tails). Each head has negatives. The
# classifiers also get labeled rows.

# %%
digits = datasets.load("digits")
X, y = digits.X_train[:N_ROWS].reshape(N_ROWS, -1), digits.y_train[:N_ROWS]
graph = fuzzy_graph(X, random_state=SEED)
umap_loss = UMAPLoss(*find_ab())
head, tail = next(weighted_batches(pruned_edges(graph), N_EDGES, SEED))
rng = np.random.default_rng(SEED)
negatives = in_batch_negatives(N_EDGES, 5, rng)
shifts = rng.integers(1, 2 * N_EDGES, (1, 10), dtype=np.int32)  # the fast loop's way to choose negatives
ends = X[np.concatenate([head, tail])]
targets = np.eye(10, dtype="float32")[y[:N_LABELED]]
assert (graph[head, tail] > 0).all() and set(y[:N_LABELED]) == set(range(10))


# %% [markdown]
# ## The variants
#
# A variant has *blocks* of weights, and a training step for each of its losses. The steps are those of `05_training`. Plain gradient descent with a
# learning rate of 1 replaces Adam, so the change of a weight in a step is its negative gradient.
#
# The training loops sum their weighted losses. The gradient of one loss is the difference between two steps. For the reconstruction it is the step
# with a weight of 1, minus the step with a weight of 0.

# %%
class Variant(NamedTuple):
    "Blocks of weights, and steps of training on them."

    title: str
    shapes: dict  # block -> shapes of its layers
    blocks: dict  # block -> its variables
    steps: dict  # loss -> (step, step to subtract or None); a step is a function without arguments that returns the terms of the loss


def descent():
    "Gradient descent that moves each weight by its gradient."
    return keras.optimizers.SGD(1.0)


def points():
    "The coordinates are the variables; there is no network."
    z = keras.Variable(rng.normal(scale=5, size=(N_ROWS, 2)).astype("float32"))
    step = embedding_step(z, descent(), umap_loss)
    return Variant("UMAP (TF): the points themselves", {"points": [(N_ROWS, 2)]}, {"points": [z]}, {"UMAP": (lambda: step(head, tail, negatives), None)})


# %%
def chain(title, losses, autoencoder_loss=False, solver="paper"):
    "An encoder, with a decoder behind it if there is a reconstruction."
    encoder = build_encoder("mlp", (64,), 2, random_state=SEED)
    decoder = build_decoder("mlp", (64,), 2, random_state=SEED) if "reconstruction" in losses else None

    def step(weight):
        "A step of a loop on the UMAP loss plus so much reconstruction."
        decoding = decoder and Decoding(decoder, weight=weight, joint=autoencoder_loss)
        if solver == "fast":
            taken = fast_steps(encoder, descent(), umap_loss, decoding)
            return lambda: taken(ends[None], ends[None, :N_EDGES], shifts, np.full(1, np.inf, np.float32))
        taken = paper_step(encoder, descent(), umap_loss, decoding)
        return lambda: taken(ends, negatives)

    models = {"encoder": encoder} | ({} if decoder is None else {"decoder": decoder})
    if losses == ("reconstruction",):  # as in `baselines.fit_autoencoder`
        def reconstruct(x):
            value = reconstruction_loss(x, decoder(encoder(x, training=True), training=True))
            return value, (value,)

        alone = training_step(reconstruct, list(models.values()), descent())
        steps = {"reconstruction": (lambda: alone(ends), None)}
    else:
        umap = step(0.0)
        steps = {"UMAP": (umap, None)} | ({} if decoder is None else {"reconstruction": (step(1.0), umap)})
    return Variant(title, {k: plots.network_shapes(m) for k, m in models.items()}, {k: m.trainable_variables for k, m in models.items()}, steps)


# %% [markdown]
# The two classifiers are those of `08_semisupervised`. In the first, which is the default, the classifier reads the embedding. The second is the
# paper's Y with two heads. The encoder consists of the layers that both outputs share.

# %%
def classifier(title, **network):
    "An encoder, and what comes behind it on the way to each of two outputs."
    model = joint_network("mlp_norm", (64,), 10, SemiSupervisedClassifier().n_components, random_state=SEED, **network)
    to_z, to_scores = (plots.kernel_layers(part(model, output).layers) for output in ("embedding", "scores"))
    layers = {
        "encoder": [layer for layer in to_z if layer in to_scores],
        "UMAP head": [layer for layer in to_z if layer not in to_scores],
        "classifier": [layer for layer in to_scores if layer not in to_z],
    }
    shapes = {name: [tuple(layer.output.shape[1:]) for layer in some] for name, some in layers.items() if some}
    shapes["encoder"] = [(64,), *shapes["encoder"]]
    blocks = {name: [v for layer in layers[name] for v in layer.trainable_variables] for name in shapes if name != "encoder"}
    in_heads = {id(v) for variables in blocks.values() for v in variables}
    blocks = {"encoder": [v for v in model.trainable_variables if id(v) not in in_heads]} | blocks  # with those of the normalization

    def step(weight, rows):
        taken = joint_step(model, descent(), umap_loss, weight)
        return lambda: taken(rows, targets, negatives)

    both = np.concatenate([X[:N_LABELED], ends])
    steps = {"UMAP": (step(2.0, both), step(1.0, both)), "classification": (step(0.0, X[:N_LABELED]), None)}
    return Variant(title, shapes, blocks, steps)


# %%
def joint(method):
    "Whether a registered method lets the reconstruction into the encoder."
    return make_method(method).autoencoder_loss


BOTH = ("UMAP", "reconstruction")
VARIANTS = {
    "umap_tf": points(),
    "pumap": chain("Parametric UMAP: an encoder", ("UMAP",)),
    "ae": chain("Autoencoder", ("reconstruction",)),
    "umap_ae": chain("UMAP/AE: two losses, jointly", BOTH, joint("umap_ae")),
    "pumap_decoder": chain("P. UMAP, decoder behind a stop-gradient", BOTH, joint("pumap_decoder")),
    "one_space": classifier("Semi-supervised, one space"),
    "y": classifier("Semi-supervised, a Y", n_shared=64, head_layers=(64,)),
}
for variant in VARIANTS.values():
    print(variant.title, {name: " ".join("×".join(map(str, shape)) for shape in shapes) for name, shapes in variant.shapes.items()})


# %% [markdown]
# ## Gradients
#
# Two properties are measured for each loss and block:
#
# - The loss *moves* the block if its gradient there is not zero.
# - The loss *depends on* the block if its value changes when the weights of the block change.
#
# If a loss depends on a block but does not move it, the gradient is cut.

# %%
def outcome(step, blocks):
    "(terms of the loss, what each block lost in the step); the weights are then put back."
    before = {name: [keras.ops.convert_to_numpy(v).copy() for v in variables] for name, variables in blocks.items()}
    terms = np.array([float(term) for term in step()])
    lost = {name: np.concatenate([(old - keras.ops.convert_to_numpy(v)).ravel() for old, v in zip(before[name], blocks[name])]) for name in blocks}
    for name, variables in blocks.items():
        for variable, old in zip(variables, before[name]):
            variable.assign(old)
    return terms, lost


def value(loss, step, blocks):
    "The value of a loss: attraction and repulsion come first among the terms, any other loss is the last."
    terms, _ = outcome(step, blocks)
    return terms[:2].sum() if loss == "UMAP" else terms[-1]


def shaken(variables):
    "Other weights in a block; the function returned puts the old ones back."
    before, noise = [keras.ops.convert_to_numpy(v).copy() for v in variables], np.random.default_rng(1)
    for variable, old in zip(variables, before):
        variable.assign(old + noise.normal(scale=0.1, size=old.shape))
    return lambda: [variable.assign(old) for variable, old in zip(variables, before)]


# %%
def measured(variant):
    "A line for each loss and block: the norm of the gradient, and the change of the loss when the block is shaken."
    lines = []
    for loss, (step, less) in variant.steps.items():
        gradient = outcome(step, variant.blocks)[1]
        if less is not None:
            gradient = {name: gradient[name] - rest for name, rest in outcome(less, variant.blocks)[1].items()}
        still = value(loss, step, variant.blocks)
        for name, variables in variant.blocks.items():
            put_back = shaken(variables)
            change = abs(value(loss, step, variant.blocks) - still)
            put_back()
            lines.append({"loss": loss, "block": name, "gradient": np.linalg.norm(gradient[name]), "change": change})
    return pd.DataFrame(lines)


ROUNDING = 1e-5  # smaller parts of the largest number of a variant count as none
table = pd.concat([measured(variant).assign(variant=slug) for slug, variant in VARIANTS.items()], ignore_index=True)
for column, verdict in (("gradient", "moves"), ("change", "depends")):
    table[verdict] = table[column] > ROUNDING * table.groupby(["variant", "loss"])[column].transform("max")
said = table.assign(**{verdict: table[verdict].map({True: "yes", False: "no"}) for verdict in ("moves", "depends")})
Markdown(figures.to_markdown(said[["variant", "loss", "block", "gradient", "moves", "change", "depends"]]))

# %% [markdown]
# The arrows of the figure are drawn from this table. The assertions state what each variant is meant to do: a loss moves every block that it depends
# on, with one exception.

# %%
moves = {slug: {loss: set(group.block[group.moves]) for loss, group in lines.groupby("loss")} for slug, lines in table.groupby("variant")}
depends = {slug: {loss: set(group.block[group.depends]) for loss, group in lines.groupby("loss")} for slug, lines in table.groupby("variant")}
assert moves == {
    "umap_tf": {"UMAP": {"points"}},
    "pumap": {"UMAP": {"encoder"}},
    "ae": {"reconstruction": {"encoder", "decoder"}},
    "umap_ae": {"UMAP": {"encoder"}, "reconstruction": {"encoder", "decoder"}},
    "pumap_decoder": {"UMAP": {"encoder"}, "reconstruction": {"decoder"}},
    "one_space": {"UMAP": {"encoder"}, "classification": {"encoder", "classifier"}},
    "y": {"UMAP": {"encoder", "UMAP head"}, "classification": {"encoder", "classifier"}},
}
cuts = {(slug, loss, block) for slug in moves for loss in moves[slug] for block in depends[slug][loss] - moves[slug][loss]}
assert cuts == {("pumap_decoder", "reconstruction", "encoder")}
assert all(moves[slug][loss] <= depends[slug][loss] for slug in moves for loss in moves[slug])

# %% [markdown]
# With the stop-gradient, the reconstruction's gradient in the encoder is exactly zero. So the encoder is trained as in Parametric UMAP without a
# decoder.

# %%
at = table.set_index(["variant", "loss", "block"]).gradient
print(f"gradient of the reconstruction in the encoder: joint {at['umap_ae', 'reconstruction', 'encoder']:.3g}, behind the stop-gradient {at['pumap_decoder', 'reconstruction', 'encoder']:.3g}")
assert at["pumap_decoder", "reconstruction", "encoder"] == 0 < at["umap_ae", "reconstruction", "encoder"]

# %% [markdown]
# The steps above are those of `solver="paper"`. The default solver, `"fast"`, has its own steps, and they move the same weights. A decoder behind a
# stop-gradient is not part of them: it is trained after the encoder.

# %%
for slug, losses in (("pumap", ("UMAP",)), ("umap_ae", BOTH)):
    lines = measured(chain("", losses, solver="fast"))
    fast = {loss: set(group.block[group.gradient > ROUNDING * group.gradient.max()]) for loss, group in lines.groupby("loss")}
    assert fast == moves[slug], f"{slug}: the fast loop moves {fast}"

# %% [markdown]
# ## The figure
#
# Each panel shows the network below, and the losses at the top or at the right. The shared parts come first.

# %%
LOSS_LOOKS = {
    "UMAP": {"color": figures.LOSS_COLORS["umap"], "linestyle": plots.DASHED, "linewidth": 1.1},
    "reconstruction": {"color": figures.LOSS_COLORS["reconstruction"], "linestyle": (0, (1.2, 1.0)), "linewidth": 1.3},
    "classification": {"color": figures.LOSS_COLORS["classification"], "linestyle": (0, (5, 1.2, 1.2, 1.2)), "linewidth": 1.1},
}
SEEN_IN = {"UMAP": "edges", "reconstruction": "rows", "classification": "labels"}
FIRST, STEP, TALL = 0.58, 0.235, 0.62  # inches from the left: the first bar, from bar to bar; and a bar of 100 units
MIDDLE, UPPER, TITLE, LOWER, TIP = 0.84, 1.42, 1.65, 0.12, 0.34  # inches from the bottom of a panel: network, losses, title, lower lane, heads of its arrows
FLOORS = (0.26, 0.0, 0.0, 0.0)  # of the panels of each line: the first has nothing in the lower lane
Z = FIRST + 4 * STEP  # where encoders end


def draw_box(ax, x, y, loss, lines=1):
    "A loss, as a box around this place, in one line or two; returns half its width."
    words = f"{loss},{' ' if lines == 1 else chr(10)}on {SEEN_IN[loss]}"
    half, tall = 0.08 + 0.0253 * max(map(len, words.splitlines())), 0.2 if lines == 1 else 0.31
    color = LOSS_LOOKS[loss]["color"]
    ax.add_patch(FancyBboxPatch((x - half, y - tall / 2), 2 * half, tall, boxstyle="round,pad=0,rounding_size=0.05", fc="white", ec=color, lw=1, zorder=4))
    ax.text(x, y, words, ha="center", va="center", fontsize=7, color=color, linespacing=1.1, zorder=5)
    return half


def draw_row(ax, x, y):
    "A row of the data, as an image, and the arrow that leads from it."
    ax.imshow(X[0].reshape(8, 8), cmap="gray_r", extent=(x + 0.06, x + 0.36, y - 0.15, y + 0.15), aspect="auto", interpolation="nearest", zorder=2)
    ax.add_patch(Rectangle((x + 0.06, y - 0.15), 0.3, 0.3, fc="none", ec=plots.GRAY, lw=0.5, zorder=3))
    plots.draw_arrow(ax, [(x + 0.38, y), (x + FIRST - 0.05, y)])


def draw_z(ax, bar, y):
    "The embedding, in black: a bar of `draw_network`."
    ax.add_patch(Rectangle((bar[0] - 0.03, y - bar[1]), 0.06, 2 * bar[1], fc="black", lw=0, zorder=3))


# %% [markdown]
# `draw_lane` draws the gradient of a loss. An arrow leads into each block that the loss moves. A double bar marks a block that the loss depends on
# but does not move.

# %%
def draw_lane(ax, slug, loss, start, places, across, tip):
    "The gradient of a loss: from `start` along a line at height `across`, with a head at each block that it moves, at `places`."
    x0, y0 = start
    for block in sorted(moves[slug][loss], key=places.get):
        way = [(x0, y0), (x0, across), (places[block], across), (places[block], tip[block])]
        plots.draw_arrow(ax, way if y0 != across else way[1:], **LOSS_LOOKS[loss])
    for block in depends[slug][loss] - moves[slug][loss]:
        nearest, looks = min(places[other] for other in moves[slug][loss]), LOSS_LOOKS[loss]
        end = (places[block] + nearest) / 2
        ax.plot([nearest, end], [across] * 2, color=looks["color"], ls=looks["linestyle"], lw=looks["linewidth"], zorder=3)
        for shift in (0.0, 0.045):
            ax.plot([end - shift] * 2, [across - 0.075, across + 0.075], color="black", lw=1.6, zorder=4)
        ax.text(end - 0.1, across, "stop-gradient", ha="right", va="center", fontsize=7)


# %%
def draw_chain(ax, slug, x, bottom):
    "Blocks one behind the other: the encoder, and a decoder or a classifier."
    variant, y, top = VARIANTS[slug], bottom + MIDDLE, bottom + UPPER
    bars = plots.draw_network(ax, variant.shapes["encoder"], (x + FIRST, y), STEP, TALL, 100)
    tip = {"encoder": bottom + TIP}
    draw_row(ax, x, y)
    ax.text(x + FIRST - 0.1, y + TALL / 2 + 0.03, "encoder", fontsize=7)
    places, z = {"encoder": x + FIRST + 2 * STEP}, bars[-1]
    for name in [name for name in variant.shapes if name != "encoder"]:
        shapes = variant.shapes[name]
        shapes = shapes if name == "decoder" else [variant.shapes["encoder"][-1], *shapes]
        bars = plots.draw_network(ax, shapes, (z[0], y), STEP, TALL, 100, label_at=y - TALL / 2 - 0.03, first_label=1)
        ax.text(z[0] + 0.12, y + TALL / 2 + 0.03, name, fontsize=7)
        places[name], tip[name] = (z[0] + bars[-1][0]) / 2 + (0.0 if name == "decoder" else STEP / 2), bottom + TIP
    draw_z(ax, z, y)
    for loss in variant.steps:
        if loss == "UMAP":
            draw_box(ax, z[0], top, loss)
            plots.draw_arrow(ax, [(z[0], y + z[1] + 0.02), (z[0], top - 0.11)])
            over = {"encoder": x + FIRST + 2.5 * STEP}
            draw_lane(ax, slug, loss, (over["encoder"], top - 0.1), over, top - 0.1, {"encoder": y + TALL / 2 + 0.01})
        else:
            right = x + 2.74
            half, end = draw_box(ax, right, top, loss), x + Z + 4 * STEP
            way = [(end, y)] if bars[-1][0] < end - 0.1 else []
            plots.draw_arrow(ax, [(bars[-1][0] + 0.04, y) if way else (end, y + bars[-1][1] + 0.02), *way, (end, top - 0.11)])
            draw_lane(ax, slug, loss, (right + half - 0.12, top - 0.1), places, bottom + LOWER, tip)


# %%
def draw_points(ax, slug, x, bottom):
    "No network: rows give a graph, the graph and the points give the loss."
    y, top, loss = bottom + MIDDLE, bottom + UPPER, "UMAP"
    draw_row(ax, x + 0.1, y)
    some = nearest_neighbors(X, 15, random_state=SEED)[0][0]
    flat = PCA(2).fit_transform(X[some])
    flat = (flat - flat.min(axis=0)) / np.ptp(flat, axis=0) * [0.56, 0.56] + [x + 0.78, y - 0.28]
    strength = graph[some][:, some].toarray()
    for i, j in zip(*np.nonzero(np.triu(strength))):
        ax.plot(*flat[[i, j]].T, color="#303030", lw=0.2 + strength[i, j], alpha=0.2 + 0.6 * strength[i, j], zorder=1)
    ax.scatter(*flat.T, s=7, color=plots.GRAY, linewidths=0, zorder=2)
    ax.text(x + 1.06, y - 0.34, "graph of the rows", ha="center", va="top", fontsize=7, color=plots.GRAY)
    half, where = draw_box(ax, x + 1.98, top, loss), x + 2.1
    plots.draw_arrow(ax, [(x + 1.06, y + 0.31), (x + 1.06, top), (x + 1.98 - half - 0.02, top)])
    for i, row in enumerate(keras.ops.convert_to_numpy(VARIANTS[slug].blocks["points"][0])[:8]):  # the table of coordinates, as grays
        for j, coordinate in enumerate(row):
            gray = f"{np.clip(0.75 + 0.02 * coordinate, 0.5, 0.95):.3f}"
            ax.add_patch(Rectangle((where - 0.16 + 0.16 * j, y - 0.31 + 0.0775 * i), 0.16, 0.0775, fc=gray, ec="white", lw=0.5))
    shape = "×".join(map(str, VARIANTS[slug].shapes["points"][0]))
    ax.text(where, y - 0.34, shape, ha="center", va="top", fontsize=7, color=plots.GRAY)
    ax.text(where + 0.2, y, "places of\nall rows", va="center", fontsize=7)
    plots.draw_arrow(ax, [(where + 0.08, y + 0.33), (where + 0.08, top - 0.11)])
    draw_lane(ax, slug, loss, (where - 0.08, top - 0.1), {"points": where - 0.08}, top - 0.1, {"points": y + 0.32})


def draw_y(ax, slug, x, bottom):
    "An encoder and two heads."
    shapes, y, top = VARIANTS[slug].shapes, bottom + MIDDLE, bottom + UPPER
    stem = plots.draw_network(ax, shapes["encoder"], (x + FIRST, y), STEP, TALL, 100)
    draw_row(ax, x, y)
    ax.text(x + FIRST - 0.1, y + TALL / 2 + 0.03, "encoder", fontsize=7)
    left, apart, middle = Z + 0.36, 0.26, {}
    for name, side in (("UMAP head", 1), ("classifier", -1)):
        bars = plots.draw_network(ax, shapes[name], (x + left, y + side * apart), STEP, 0.36, 100)
        middle[name] = (bars[0][0] + bars[-1][0]) / 2
        plots.draw_arrow(ax, [(stem[-1][0] + 0.04, y + 0.05 * side), (x + left - 0.04, y + side * apart)])
        if name == "UMAP head":
            draw_z(ax, bars[-1], y + apart)
    end, right = x + left + STEP, x + 2.9
    half = {"UMAP": draw_box(ax, right, top, "UMAP"), "classification": draw_box(ax, x + 2.8, y - apart, "classification", lines=2)}
    plots.draw_arrow(ax, [(end + 0.04, y + apart), (right, y + apart), (right, top - 0.11)])
    plots.draw_arrow(ax, [(end + 0.04, y - apart), (x + 2.8 - half["classification"] - 0.01, y - apart)])
    over = {"encoder": x + FIRST + 2.5 * STEP, "UMAP head": middle["UMAP head"]}
    ax.text(x + left + STEP + 0.08, y + apart + 0.06, "UMAP head", fontsize=7)
    ax.text(x + left + STEP + 0.08, y - 0.08, "classifier", fontsize=7)
    draw_lane(ax, slug, "UMAP", (right - half["UMAP"], top), over, top, {"encoder": y + TALL / 2 + 0.01, "UMAP head": y + apart + 0.155})
    under = {"encoder": x + FIRST + 2 * STEP, "classifier": middle["classifier"]}
    draw_lane(ax, slug, "classification", (x + 2.8, y - apart - 0.16), under, bottom + LOWER, dict.fromkeys(under, bottom + TIP - 0.05))


# %%
def draw_key(ax, x, bottom):
    "What the signs mean."
    x, lines = x + 0.1, [1.5 - 0.2 * i + bottom for i in range(7)]
    plots.draw_network(ax, [(64,), (100,)], (x + 0.12, lines[0]), 0.2, 0.2, 100, first_label=2)
    ax.text(x + 0.55, lines[0], "a layer; the number is that of its units", va="center", fontsize=7)
    draw_z(ax, (x + 0.22, 0.07), lines[1])
    ax.text(x + 0.55, lines[1], "the embedding", va="center", fontsize=7)
    plots.draw_arrow(ax, [(x + 0.06, lines[2]), (x + 0.42, lines[2])])
    ax.text(x + 0.55, lines[2], "goes into", va="center", fontsize=7)
    for line, (loss, looks) in zip(lines[3:], LOSS_LOOKS.items()):
        plots.draw_arrow(ax, [(x + 0.42, line), (x + 0.02, line)], **looks)
        ax.text(x + 0.55, line, f"gradient of the {loss} loss, into what it moves", va="center", fontsize=7)
    for shift in (0.0, 0.045):
        ax.plot([x + 0.22 + shift] * 2, lines[6] + np.array([-0.075, 0.075]), color="black", lw=1.6)
    ax.text(x + 0.55, lines[6], "cut: the gradient behind it is 0", va="center", fontsize=7)


def draw_variants():
    "All panels and the key."
    width, tall = plots.TEXT_WIDTH, TITLE + 0.19
    bottoms = 4 * tall - sum(FLOORS) - np.cumsum([tall - floor for floor in FLOORS]) + 0.02  # of the lines of panels
    with plots.use_style():
        fig = plots.Picture(figsize=(width, bottoms[0] + tall - FLOORS[0]))
        ax = plots.inch_axes(fig)
        drawn = {"umap_tf": draw_points, "y": draw_y}
        for i, (slug, variant) in enumerate(VARIANTS.items()):
            x, bottom = 0.03 + (i % 2) * (width / 2), bottoms[i // 2] - FLOORS[i // 2]
            drawn.get(slug, draw_chain)(ax, slug, x, bottom)
            ax.text(x, bottom + TITLE, "ABCDEFG"[i], fontweight="bold")
            ax.text(x + 0.15, bottom + TITLE, variant.title, fontsize=7.5)
            count = sum(math.prod(v.shape) for variables in variant.blocks.values() for v in variables)
            ax.text(x + 3.36, bottom + TITLE, f"{count:,} {'coordinates' if slug == 'umap_tf' else 'weights'}", fontsize=7, color=plots.GRAY, ha="right")
        draw_key(ax, 0.03 + width / 2, bottoms[3])
        for bottom in bottoms[:-1]:
            ax.plot([0.03, width - 0.03], [bottom] * 2, color=plots.FAINT, lw=0.5)
    return fig


fig = draw_variants()
fig

# %% [markdown]
# | panel | variant |
# |---|---|
# | A | no network: the loss moves the coordinates of each row |
# | B | an encoder: D without the decoder |
# | C | encoder and decoder: D without the UMAP loss |
# | D | both losses, jointly |
# | E | the networks of D; the reconstruction's gradient stops at the embedding, so only the decoder learns from it |
# | F | semi-supervised; the classifier reads the embedding |
# | G | semi-supervised, with two heads; the classifier does not read the embedding |
#
# Rows pass through the networks along the solid lines. The other lines lead from each loss to the weights that it moves. F and G use the same edges
# and labels.

# %%
# In the picture are as many colored heads as there are moved blocks, three more in the key, and one cut.
texts = fig.axes[0].texts
heads = [text.arrow_patch.get_facecolor() for text in texts if getattr(text, "arrow_patch", None)]
for loss, looks in LOSS_LOOKS.items():
    n_moved = sum(len(losses.get(loss, ())) for losses in moves.values())
    assert heads.count(to_rgba(looks["color"])) == n_moved + 1 > 1
words = [text.get_text() for text in texts]
assert words.count("stop-gradient") == len(cuts) and sum(word.endswith(" weights") for word in words) == len(VARIANTS) - 1

# %% [markdown]
# ## Save
#
# The figure is saved as `fig02_variants.png` and `.pdf`.

# %%
figures.write(save_to, fig02_variants=fig)
