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
# # A step with two losses
#
# > The time that the UMAP loss adds to a training step of a classifier, and its parts.
#
# A step of the plain classifier takes a batch of labeled rows. With the UMAP loss, both ends of a batch of edges go through the same network, too. There are
# also the loss itself, the augmentation of more rows, and the optimizer. This notebook measures each of them. The network, the batches and the data are
# those of the semi-supervised grid (`paper/02_experiments`), and the steps those of `semisupervised.fit_jointly`.
#
# Each repeat makes every call once, so that a slow phase of the machine affects all calls. The table shows medians over the repeats. Compiling happens
# in warm-up calls before.

# %%
import os

import keras
import numpy as np
import pandas as pd
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap import plots
from pumap.paper import figures
from pumap.backend import compiled, training_step
from pumap.core import random_generator
from pumap.graph import find_ab, fuzzy_graph, pruned_edges
from pumap.losses import UMAPLoss, umap_cross_entropy
from pumap.semisupervised import JointOptions, augmentation, augmented, cosine_decay_adam, joint_edges, joint_graph, joint_network, joint_step, part, row_function, smoothed
from pumap.training import Rows, encode, in_batch_negatives, row_batches, total_loss

# %% [markdown]
# ## Parameters
#
# The defaults take a few hundred digits and a small network, which say nothing about speed. `profile = "laptop"` has the network and the batches of the
# semi-supervised grid.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper: rows, network and batches of that semi-supervised grid
results_dir = ""  # where the measurements are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the tables and the picture; "" draws without writing
dataset = ""  # "" is the first of the grid: digits for smoke and quick, mnist for laptop and paper
n_labels = 0  # labeled rows per class; 0 is 4 for digits, else 64, so that a batch is full
repeats = 20  # timed calls of each kind

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
dataset = dataset or ex.ssl_grid(run.profile).datasets[0]
n_labels = n_labels or (4 if dataset == "digits" else 64)
METHODS = ("baseline", "aug", "umap_euclidean", "aug_umap_euclidean")
kept = ex.measurements("benchmark_ssl_step", (dataset,), run, save_to)
print(kept)


# %% [markdown]
# ## The whole step
#
# A step of `fit_jointly` chooses rows, gathers and augments them, computes both losses and their gradients, and updates the weights by Adam. The plain
# classifier has no edges and no UMAP head.

# %%
class Setting:
    "One method of the grid with its network and its batches, ready for steps."

    def __init__(self, method, data):
        self.cell = ex.SSLCell(dataset, method, n_labels)
        self.estimator, self.rng = ex.ssl_classifier(self.cell, run.profile), random_generator(0)
        e, self.rows, self.shape = self.estimator, Rows(data.X_train), data.X_train.shape[1:]
        labels = ex.choose_labels(data.y_train, n_labels)
        self.labeled, n_classes = np.flatnonzero(labels >= 0), len(np.unique(data.y_train))
        self.targets = smoothed(labels[self.labeled], n_classes, e.label_smoothing)
        self.network = joint_network(e.encoder, self.shape, n_classes, e.n_components, e.n_shared, tuple(e.head_layers), self.rng, e.weight_norm)
        self.labels = labels
        if not e.umap_weight:
            self.network = keras.Model(self.network.inputs[0], [part(self.network, "hidden").outputs[0], self.network.outputs[1]])
        self.augment = row_function(augmentation(e.augment, self.rng) if e.augment else None)
        self.loss = UMAPLoss(*find_ab(e.min_dist), e.loss, negative_sample_rate=e.negative_sample_rate)

    def batches(self, edges):
        "Endless batches: (indices of rows, targets, negatives)."
        e = self.estimator
        rows, ends = row_batches(len(self.labeled), e.labeled_batch_size, self.rng), joint_edges(edges, JointOptions(batch_size=e.batch_size, edge_sampling=e.edge_sampling), self.rng)
        for chosen, (head, tail) in zip(rows, ends):
            yield np.concatenate([self.labeled[chosen], head, tail]), self.targets[chosen], in_batch_negatives(len(head), e.negative_sample_rate, self.rng)


def whole_step(setting, edges):
    "A function that makes the next step of a training."
    e = setting.estimator
    step = joint_step(setting.network, cosine_decay_adam(e.learning_rate, 100_000), setting.loss, e.umap_weight)
    batches = setting.batches(edges)

    def call():
        which, targets, negatives = next(batches)
        return tuple(step(augmented(setting.augment, setting.rows[which]), targets, negatives))

    return call


# %% [markdown]
# ## Its parts
#
# Each part is timed by itself, on a batch of the same size: gathering rows, augmentation, forward pass in training mode, UMAP loss with its gradient for a
# given embedding, and Adam for given gradients. The rest of a step is mostly the backward pass through the network.

# %%
def parts_of(setting, edges):
    "Functions that do one part of a step each, by name."
    e, optimizer = setting.estimator, cosine_decay_adam(setting.estimator.learning_rate, 100_000)
    which, targets, negatives = next(setting.batches(edges))
    x, variables = setting.rows[which], setting.network.trainable_variables
    optimizer.build(variables)
    forward = compiled(lambda rows: setting.network(rows, training=True), [setting.network])
    update = compiled(lambda *gradients: (optimizer.apply(list(gradients), variables), optimizer.iterations + 0)[1])
    zeros = [np.zeros(v.shape, "float32") for v in variables]
    calls = {
        "gather rows": lambda: setting.rows[which],
        "forward": lambda: tuple(forward(x)),
        "optimizer": lambda: update(*zeros),
    }
    if setting.augment is not None:
        calls["augment"] = lambda: augmented(setting.augment, x)
    if e.umap_weight:
        calls["UMAP loss"] = umap_loss_call(setting, forward(x)[0][len(targets) :], negatives)
    return calls, len(which)


def umap_loss_call(setting, z, negatives):
    "The UMAP loss of places `z`, shape (2 * n_edges, n_components), and its gradient."
    places = keras.Variable(keras.ops.convert_to_numpy(z))

    def loss(shuffled):
        total = total_loss(*umap_cross_entropy(*keras.ops.split(places, 2), shuffled, setting.loss), "mean")
        return total, (total,)

    function = training_step(loss, [places], keras.optimizers.SGD(1e-12))  # a step so small that the places stay
    return lambda: function(negatives)


# %% [markdown]
# ## Measure
#
# The graph is built before the first step, and its time is reported, too. With the learned graph, each round builds a new one: last hidden layer
# of all rows, neighbors, fuzzy graph.

# %%
def measure():
    "One line for each call that is timed."
    data = run.load(ex.SSLCell(dataset, METHODS[0], n_labels))
    flat = data.X_train.reshape(len(data.X_train), -1)
    fuzzy_graph(flat[:300])  # numba compiles now, and not while the clock runs
    settings = {method: Setting(method, data) for method in METHODS}
    y = settings["umap_euclidean"]

    def edges_of(rows):
        return pruned_edges(joint_graph(y.estimator, rows, y.labels, y.rng), y.estimator.n_epochs)

    edges, calls, sizes = edges_of(data.X_train), {}, {}
    for method, setting in settings.items():
        own = edges if setting.estimator.umap_weight else None
        parts, sizes[method] = parts_of(setting, own)
        calls |= {(method, "whole step"): whole_step(setting, own)} | {(method, name): call for name, call in parts.items()}
    timings = interleaved(calls, repeats)
    hidden = part(y.network, "hidden")
    graphs = {("umap_euclidean", "graph"): lambda: edges_of(data.X_train).head, ("umap_learned", "graph"): lambda: edges_of(encode(hidden, y.rows)).head}
    timings |= interleaved(graphs, 3)
    return [line_of(data, *key, len(y.rows) if key in graphs else sizes[key[0]], seconds) for key, seconds in timings.items()]


def interleaved(calls, repeats):
    "Seconds of each call, one after the other and again from the start; two warm-up calls are not counted."
    for call in calls.values():
        ex.time_call(call, 1, warmups=1)
    rounds = [{key: ex.time_call(call, 1, warmups=0).median for key, call in calls.items()} for _ in range(repeats)]
    return {key: [seconds[key] for seconds in rounds] for key in calls}


def line_of(data, method, name, n_rows, seconds):
    "A line of the table that is kept."
    what = {"dataset": dataset, "title": ex.title_of(data.title, data.stand_in_for), "n_train": len(data.X_train), "method": method, "part": name, "n_rows": n_rows, "repeats": len(seconds), "cores": os.cpu_count()}
    return what | {"median_ms": 1e3 * float(np.median(seconds)), "lowest_ms": 1e3 * min(seconds), "highest_ms": 1e3 * max(seconds)}


# %%
lines = kept.lines
if lines is None:
    lines = measure()
    if save_to:
        ex.write_measurements(lines, kept.path)
times = pd.DataFrame(lines)
Markdown(figures.to_markdown(times, digits=2))

# %%
assert (times.lowest_ms > 0).all() and (times.lowest_ms <= times.median_ms).all() and not times.duplicated(["method", "part"]).any()
assert set(times[times.part == "whole step"].method) == set(METHODS)

# %% [markdown]
# ## The ratio
#
# The table has the median time of a step with the UMAP loss, relative to the plain classifier, with and without augmentation. It also has the number of rows
# that go through the network.

# %%
medians = times.pivot(index="part", columns="method", values="median_ms")
whole = times[times.part == "whole step"].set_index("method")
for plain, both in (("baseline", "umap_euclidean"), ("aug", "aug_umap_euclidean")):
    slower, more = whole.median_ms[both] / whole.median_ms[plain], whole.n_rows[both] / whole.n_rows[plain]
    print(f"{ex.ALL_METHODS[both].label}: {whole.median_ms[both]:.3g} ms a step, {slower:.2f} times the {whole.median_ms[plain]:.3g} ms of {ex.ALL_METHODS[plain].label}, with {more:.1f} times the rows")
size = ex.ssl_grid(run.profile).settings
for method in ("umap_euclidean", "umap_learned"):
    seconds = medians.loc["graph", method] / 1e3
    steps = size["n_steps"] // (1 if method == "umap_euclidean" else size["n_rounds"])
    often = f"for {steps:,} steps: {1e3 * seconds / steps:.2g} ms a step"
    print(f"{ex.ALL_METHODS[method].label}: {seconds:.2f} s for a graph, {often}")

# %% [markdown]
# ## Where the time goes
#
# The table has milliseconds of each part, and the rest of the step. A rest below zero means that the differences are smaller than the noise. "Edge ends" is
# the additional time for the rows of the edges: gathering, forward pass and backward pass.

# %%
PARTS = ("gather rows", "augment", "forward", "UMAP loss", "optimizer")
split = medians.reindex(PARTS)[list(METHODS)].fillna(0)
split.loc["way back, and the rest"] = medians.loc["whole step", list(METHODS)] - split.sum()
split.loc["whole step"] = medians.loc["whole step", list(METHODS)]
Markdown(figures.to_markdown(split.reset_index(), digits=2))

# %%
network = split.loc[["gather rows", "forward", "way back, and the rest"]].sum()
for plain, both in (("baseline", "umap_euclidean"), ("aug", "aug_umap_euclidean")):
    more = split.loc["whole step", both] - split.loc["whole step", plain]
    if more <= 0:
        print(f"{ex.ALL_METHODS[both].label}: no more than {ex.ALL_METHODS[plain].label}, as far as this machine can tell")
        continue
    told = {"edge ends through the network": network[both] - network[plain]} | {name: split.loc[name, both] - split.loc[name, plain] for name in ("augment", "UMAP loss", "optimizer")}
    print(f"{ex.ALL_METHODS[both].label}: {more:.3g} ms more than {ex.ALL_METHODS[plain].label}: " + ", ".join(f"{name} {value:.3g} ({value / more:.0%})" for name, value in told.items() if value))

# %% [markdown]
# ## The picture

# %%
GRAYS = dict(zip((*PARTS, "way back, and the rest"), ("0.85", "#C8CB6E", "#1169A4", "#A1301D", "0.55", "#82B6D9")))
with plots.use_style():
    fig = plots.Picture(figsize=(plots.TEXT_WIDTH, 1.9), layout="constrained")
    ax = fig.subplots()
    left = np.zeros(len(METHODS))
    for name, color in GRAYS.items():
        width = split.loc[name].clip(lower=0).to_numpy()
        ax.barh(range(len(METHODS)), width, left=left, color=color, label=name)
        left += width
    ax.set_yticks(range(len(METHODS)), [f"{ex.ALL_METHODS[m].label}\n{whole.n_rows[m]} rows" for m in METHODS])
    ax.set(xlabel="milliseconds a step, median", ylim=(len(METHODS) - 0.5, -0.5))
    ax.spines[["top", "right"]].set_visible(False)
    fig.legend(loc="outside right upper")
fig

# %%
if save_to:
    for made in (*plots.save_figure(fig, f"{save_to}/benchmark_ssl_step"), *figures.save_table(split.reset_index(), f"{save_to}/benchmark_ssl_step_parts")):
        print(made)
