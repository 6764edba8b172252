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
# # On a GPU
#
# > Both solvers on MNIST with convolutions: seconds to a cross entropy, steps per second, memory.
#
# On a GPU the encodings are cheap, and the paper's loop becomes affordable. This notebook runs the fast solver and the paper's loop on the same
# graph and compares them with umap-learn's layout on the CPU of the same machine. It asks three questions:
#
# 1. How long does each solver take to the cross entropy of the layout?
# 2. How many steps per second does it take?
# 3. How much memory does it hold?
#
# Without a GPU it runs on the CPU, at small sizes, and measures the same things there. The machine may lack umap-learn; `.ci/carry` packs what is
# missing, and the text pair of this notebook runs as a plain script.

# %%
import json
import resource
import time
from pathlib import Path

import numpy as np

from pumap.backend import BACKEND, devices
from pumap.core import write_atomic
from pumap.fast_solver import Stages, fit_encoder_fast, graph_layout
from pumap.graph import find_ab, fuzzy_graph, pruned_edges
from pumap.losses import UMAPLoss
from pumap.networks import build_encoder
from pumap.paper.datasets import load, take
from pumap.training import Rows, TrainingOptions, encode, fit_encoder

# %% [markdown]
# ## Parameters
#
# As they stand: 300 digits, the MLP, a few seconds for each solver. On a GPU: `dataset="mnist", encoder="conv28", n_train=0, minutes=2.0`.

# %% tags=["parameters"]
dataset = "digits"  # mnist, fmnist
encoder = "mlp"  # conv28
n_train = 300  # rows; 0 takes all
minutes = 0.05  # for each solver, at most
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
save_to = ""  # folder for the record; "" writes nothing

# %%
device = list(devices().items())[-1]
print(f"{BACKEND} on {device[1]} ({device[0]})")
if device[0] == "cpu:0":
    print("There is no GPU here. On one, this notebook would measure both solvers on it, and the layout on the CPU next to it.")

# %% [markdown]
# ## Graph and layout
#
# Both run on the CPU. The layout's cross entropy is the mark for the solvers.

# %%
data = load(dataset, data_dir or None)
data = take(data, n_train=n_train) if n_train else data
X = data.X_train.reshape(len(data.X_train), -1).astype("float32")
start = time.perf_counter()
graph = fuzzy_graph(X)
seconds = {"graph": time.perf_counter() - start}
edges, loss = pruned_edges(graph), UMAPLoss(*find_ab())
rows = Rows(X, (28, 28, 1) if encoder == "conv28" else None)


def cross_entropy(z, n_pairs=100_000):
    "The UMAP cross entropy of an embedding: the mean over an attraction and five repulsions."
    rng, coo = np.random.default_rng(1), graph.tocoo()
    drawn = rng.choice(coo.nnz, n_pairs, p=coo.data / coo.data.sum())
    pairs = (coo.row[drawn], coo.col[drawn]), rng.integers(0, len(z), (2, n_pairs))
    odds = [loss.a * ((z[i] - z[j]) ** 2).sum(axis=1).astype(float) ** loss.b for i, j in pairs]
    return float(loss.mean(-np.log(np.maximum(1 / (1 + odds[0]), 1e-4)).mean(), -np.log(np.maximum(odds[1] / (1 + odds[1]), 1e-4)).mean()))


start = time.perf_counter()
layout = graph_layout(rows, edges, 2, loss, parallel=True)
seconds["layout"] = time.perf_counter() - start
mark = cross_entropy(layout)
print(f"layout: cross entropy {mark:.4f} in {seconds['layout']:.1f} s")


# %% [markdown]
# ## Solvers
#
# The clock stops while the cross entropy is measured, each time a quarter more time has passed. A solver ends when its time is up.

# %%
class TimeUp(Exception):
    pass


def timed(fit, **settings):
    "The curve of a solver: (seconds, cross entropy, step), and its steps per second after the first call."
    network, curve, clock = build_encoder(encoder, rows.shape, 2, random_state=0), [], {"out": 0.0, "next": 1.0}
    began = time.perf_counter()

    def look(step, update):
        now = time.perf_counter() - began - clock["out"]
        clock.setdefault("first", (step, now))
        clock["last"] = (step, now)
        if now >= clock["next"]:
            update()
            curve.append((now, cross_entropy(encode(network, rows)), step))
            clock["next"], clock["out"] = 1.25 * now, time.perf_counter() - began - now
        if now > 60 * minutes:
            raise TimeUp

    try:
        fit(rows, edges, network, loss, options=TrainingOptions(callback=look), random_state=0, **settings)
    except TimeUp:
        pass
    (first_step, first), (last_step, last) = clock["first"], clock["last"]
    rate = (last_step - first_step) / (last - first) if last > first else None
    reached = next((t for t, value, _ in curve if value <= mark), None)
    return {"curve": curve, "steps per second": rate, "first step": first, "steps": last_step, "seconds to the layout's loss": reached}


# %%
record = {"dataset": dataset, "rows": len(X), "encoder": encoder, "backend": BACKEND, "device": device[1], "layout": mark, "seconds": seconds}
record["fast, no layout"] = timed(fit_encoder_fast, stages=Stages(layout_passes=0))
record["fast, no layout, rows sent in batches"] = timed(fit_encoder_fast, stages=Stages(layout_passes=0, resident=False))
record["paper"] = timed(fit_encoder)
record["peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for name in ("fast, no layout", "fast, no layout, rows sent in batches", "paper"):
    line = record[name]
    rate, reached = line["steps per second"] or 0, line["seconds to the layout's loss"]
    print(f"{name}: {line['steps']} steps, {rate:.1f} a second, " + (f"the layout's loss after {reached:.1f} s" if reached else "above the layout's loss"))
assert record["paper"]["steps"] > 0 and record["fast, no layout"]["steps"] > 0

# %%
if save_to:
    write_atomic(Path(save_to) / f"benchmark_gpu_{dataset}_{encoder}.json", (json.dumps(record) + "\n").encode())
