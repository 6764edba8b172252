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
# # One training run
#
# > Train one solver on one graph; record the UMAP loss over time, and the peak memory.
#
# Figure 10 of the paper and the benchmarks compare solvers that minimize one loss on one graph. This notebook is one run, in its own process, so runs
# share only the graph. The clock starts with the graph and ends with the trained network. It stops while the loss is evaluated.

# %%
import io
import json
import time
import zipfile
import zlib
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import sparse

from pumap.core import write_atomic
from pumap.paper import experiments as ex

# %% [markdown]
# ## Parameters
#
# | solver | what it is |
# |---|---|
# | `fast` | the default of `pumap.ParametricUMAP` |
# | `paper` | the original training loop |
# | `umap-learn` | umap-learn's ParametricUMAP with its defaults |
# | `layout` | umap-learn's non-parametric layout |
# | `umap_tf` | the loss, minimized over the coordinates themselves, without a network |
#
# `effort` is the number of epochs over the edges, repeated as in the paper. 0 means the solver's default. `umap-learn` and `layout` ignore it.

# %% tags=["parameters"]
dataset = "digits"  # paper: mnist, fmnist, retina
encoder = "mlp"  # or conv28
solver = "fast"  # fast, paper, umap-learn, layout, umap_tf
n_components = 2
effort = 0.25  # passes over the repeated edges; 0: the solver's own
max_seconds = 0.0  # stop after so long; 0: go to the end
stages = {}  # changes to the fast solver's stages: n_coordinates, layout_passes, normalize, capped_until
batch_size = 0  # edges in a step; 0: the solver's own
n_train = 500  # first rows of the training split; 0: all
seed = 0
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
results_dir = ""  # where graphs are kept and the record goes; "" is a temporary folder
name = "example"  # of the record

# %%
assert solver in ("fast", "paper", "umap-learn", "layout", "umap_tf"), f"solver is {solver!r}; it must be fast, paper, umap-learn, layout or umap_tf."
results = ex.results_folder(results_dir)

# %% [markdown]
# ## Data and graph
#
# The graph of a data set is built once and cached, so all runs start from the same graph. An unreadable file is rebuilt.

# %%
from pumap.paper.datasets import load, take
from pumap.baselines import fit_embedding
from pumap.fast_solver import fit_encoder_fast, graph_layout, make_stages
from pumap.graph import find_ab, fuzzy_graph, pruned_edges
from pumap.losses import UMAPLoss
from pumap.networks import build_encoder
from pumap.training import Rows, TrainingOptions, encode, fit_encoder

data = take(load(dataset, data_dir or None), n_train=n_train or None)
X, X_test = (np.ascontiguousarray(rows.reshape(len(rows), -1), dtype=np.float32) for rows in (data.X_train, data.X_test))
kept = results / "graphs" / f"{dataset}-{len(X)}.npz"
try:
    graph = sparse.load_npz(kept)
except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):  # not there, or broken
    graph, buffer = fuzzy_graph(X, random_state=0), io.BytesIO()
    sparse.save_npz(buffer, graph)
    write_atomic(kept, buffer.getvalue())
edges, loss = pruned_edges(graph), UMAPLoss(*find_ab())
print(f"{len(X)} rows, {len(edges.head)} edges")


# %% [markdown]
# ## The loss
#
# All solvers are compared by the UMAP cross entropy in the paper's form (`02_losses`). It is the mean of $-\log q$ over edges, plus five times the
# mean of $-\log(1-q)$ over random pairs. Edges are drawn with probability proportional to their weight. Both probabilities are at least $10^{-4}$.
# Edges and pairs are drawn once, with a fixed seed, so they are the same for every run.
#
# | value | edges | pairs |
# |---|---|---|
# | points of the curve | 40,000 | 200,000 |
# | final value | 200,000 | 1,000,000 |

# %%
def fixed_pairs(n_edges, n_rows, n_pairs):
    "Edges drawn by strength, and random pairs of `n_rows` random rows."
    rng = np.random.default_rng(12345)
    sums = np.cumsum(graph.tocoo().data, dtype=float)
    drawn = np.searchsorted(sums, rng.random(n_edges) * sums[-1], side="right")
    coo = graph.tocoo()
    some = rng.permutation(len(X))[:n_rows]
    return np.stack([coo.row[drawn], coo.col[drawn]]), some[rng.integers(0, len(some), (2, n_pairs))]


def cross_entropy(z, linked, random):
    "The UMAP cross entropy of an embedding over given pairs; z is a function of row numbers."
    odds = [loss.a * ((z(i) - z(j)) ** 2).sum(axis=1).astype(float) ** loss.b for i, j in (linked, random)]
    attraction = -np.log(np.maximum(1 / (1 + odds[0]), 1e-4)).mean()
    repulsion = -np.log(np.maximum(odds[1] / (1 + odds[1]), 1e-4)).mean()
    return attraction + 5 * repulsion


few = fixed_pairs(40_000, 10_000, 200_000)
rows_of_few = np.unique(np.concatenate([part.ravel() for part in few]))


def quick_look(embed):
    "Cross entropy on the few pairs; embed maps row numbers to coordinates."
    z = embed(rows_of_few)
    return cross_entropy(lambda i: z[np.searchsorted(rows_of_few, i)], *few)


# %% [markdown]
# ## The clock
#
# The clock stops while the loss is evaluated. The first evaluation is due after half a second. Each later one is due when the elapsed time is 1.25
# times that of the last one.

# %%
class TimeUp(Exception):
    pass


class Clock:
    def __init__(self):
        self.began, self.out, self.next, self.curve, self.first = time.perf_counter(), 0.0, 0.5, [], None

    def __call__(self, step, embed):
        now = time.perf_counter()
        seconds, self.embed = now - self.began - self.out, embed
        self.first = seconds if self.first is None else self.first
        if seconds >= self.next:
            self.curve.append((round(seconds, 3), round(float(quick_look(embed)), 5), int(step)))
            self.next = 1.25 * seconds
            self.out += time.perf_counter() - now
        if max_seconds and seconds > max_seconds:
            raise TimeUp

    def stop(self):
        return time.perf_counter() - self.began - self.out


# %% [markdown]
# ## The solvers
#
# Each kind of solver has one function. It returns the seconds, the clock with its curve, a function from row numbers to coordinates, and the network
# or `None`. The seed fixes the initial weights of a network.

# %%
shape = (28, 28, 1) if encoder == "conv28" else (X.shape[1],)


def of_network(network):
    return lambda which: encode(network, Rows(X[which], shape))


def run_ours(fit, **settings):
    network = build_encoder(encoder, shape, n_components, random_state=seed)
    size = min(len(X), batch_size or 1000) if batch_size or fit is fit_encoder else None
    clock = Clock()
    try:
        look = lambda step, update: clock(step, lambda which: (update(), of_network(network)(which))[1])  # `update` writes what was learned into the network
        options = TrainingOptions(effort or None, size, callback=look)
        fit(Rows(X, shape), edges, network, loss, options=options, random_state=seed, **settings)
    except TimeUp:
        pass
    return clock.stop(), clock, clock.embed, network


def run_umap_learn():
    from umap.parametric_umap import ParametricUMAP

    network = build_encoder(encoder, shape, n_components, random_state=seed)

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            try:
                clock(int(self.model.optimizer.iterations), of_network(network))
            except TimeUp:
                self.model.stop_training = True

    model = ParametricUMAP(encoder=network, dims=shape, n_components=n_components, keras_fit_kwargs={"callbacks": [Look()], "verbose": 0})
    model.graph_, model._a, model._b = graph.copy(), loss.a, loss.b
    clock = Clock()
    model._fit_embed_data(X, None, "spectral", np.random.RandomState(seed))
    return clock.stop(), clock, of_network(network), network


def run_without_network():
    clock = Clock()
    if solver == "layout":
        z = graph_layout(Rows(X), edges, n_components, loss, random_state=seed, parallel=True)
        return clock.stop(), clock, lambda which: z[which], None
    start = np.random.default_rng(seed).normal(size=(len(X), n_components))
    look = lambda step, z: clock(step, lambda which: keras.ops.convert_to_numpy(z)[which])
    try:
        fit_embedding(start, edges, loss, TrainingOptions(effort or None, callback=look), seed)
    except TimeUp:
        pass
    return clock.stop(), clock, clock.embed, None


# %%
runs = {
    "fast": lambda: run_ours(fit_encoder_fast, stages=make_stages(stages)),
    "paper": lambda: run_ours(fit_encoder),
    "umap-learn": run_umap_learn,
    "layout": run_without_network,
    "umap_tf": run_without_network,
}
before = ex.peak_memory_mb()
seconds, clock, embed, network = runs[solver]()
peak = ex.peak_memory_mb()
clock.curve.append((round(seconds, 3), round(float(quick_look(embed)), 5), None))  # the end, by the measure of the curve
print(f"{seconds:.1f} s; peak memory {peak} MiB, {before} before")

# %% [markdown]
# ## Final metrics
#
# The final metrics are the cross entropy on the larger sample and the trustworthiness among 3,000 training rows. With a network, the accuracy of five
# nearest neighbors on the test set is added.

# %%
from pumap.metrics import knn_accuracy, trustworthiness

z = np.concatenate([embed(np.arange(i, min(i + 10_000, len(X)))) for i in range(0, len(X), 10_000)])
some = np.random.default_rng(1).permutation(len(X))[:3_000]
final = {"cross_entropy": cross_entropy(lambda i: z[i], *fixed_pairs(200_000, len(X), 1_000_000)), "trustworthiness": trustworthiness(X[some], z[some], 5)}
if network is not None:
    final["knn5_accuracy"] = knn_accuracy(z, data.y_train, encode(network, Rows(X_test, shape)), data.y_test, 5)
final = {key: round(float(value), 5) for key, value in final.items()}
assert np.isfinite(list(final.values())).all()
final

# %%
record = {
    "name": name, "dataset": dataset, "encoder": encoder, "solver": solver, "n_components": n_components, "effort": effort, "max_seconds": max_seconds, "stages": stages, "batch_size": batch_size,
    "n_train": len(X), "seed": seed, "seconds": round(seconds, 2), "first": clock.first and round(clock.first, 2), "peak_memory_mb": peak, "peak_before_mb": before,
    "curve": clock.curve, "final": final, "versions": ex.versions(), "device": ex.device(), "source": data.source,
}  # fmt: skip
write_atomic(results / "training" / f"{name}.json", (json.dumps(record) + "\n").encode())

# %%
fig, ax = plt.subplots(figsize=(4, 2.6))
if clock.curve:
    ax.plot(*np.array(clock.curve)[:, :2].T, "o-")
ax.axhline(final["cross_entropy"], color="0.6", lw=1)
ax.set(xscale="log", xlabel="seconds", ylabel="cross entropy");
