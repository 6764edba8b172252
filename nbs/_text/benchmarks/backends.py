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
# # TensorFlow, JAX and PyTorch
#
# > The same fits on three backends: time to import, time to the first step, steps per second, memory, and the quality of the embedding.
#
# The library runs on any of the three. This notebook measures what the choice costs on one machine. Every fit runs in a fresh process, on the
# same rows and the same graph, one backend after the other in each round. A backend draws its own initial weights, so embeddings differ from
# one backend to the next as they do between seeds.

# %%
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy import sparse

from pumap.core import write_atomic
from pumap.graph import find_ab, fuzzy_graph
from pumap.metrics import trustworthiness
from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.paper.datasets import load, take

# %% [markdown]
# ## Parameters
#
# As they stand, one short fit per installed backend. `pythons` names an interpreter for each backend, so that each can be measured in an
# environment that has no other.

# %% tags=["parameters"]
datasets = ["digits"]  # for the table in figures/laptop: mnist, fmnist
n_train = 300  # rows; the table has 10,000
seeds = [0]  # the table has three
effort = 0.1  # epochs of the MLP; 0 leaves them to the solver, which takes at least 3,000 steps
conv_steps = 0  # steps of conv28, for images of 28 x 28; 0 leaves it out
pythons = {}  # backend -> interpreter; {} takes this one for all that are installed
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
save_to = ""  # folder for the tables; "" writes nothing

# %%
BACKENDS = [name for name in ("tensorflow", "jax", "torch") if (pythons.get(name) if pythons else importlib.util.find_spec(name))]
print(", ".join(BACKENDS), "on", os.cpu_count(), "cores;", ex.versions())

# %% [markdown]
# ## One fit
#
# The process imports the solver, trains, and reports. The clock of the first step includes compiling. Steps per second are counted after it.

# %%
FIT = """
import json, sys, time
start = time.perf_counter()
import numpy as np
from scipy import sparse
from pumap.fast_solver import Stages, fit_encoder_fast
from pumap.graph import find_ab, pruned_edges
from pumap.losses import UMAPLoss
from pumap.networks import build_encoder
from pumap.training import Rows, TrainingOptions, encode
imported = time.perf_counter() - start
job = json.loads(sys.argv[1])
X, edges = np.load(job["X"]), pruned_edges(sparse.load_npz(job["graph"]))
shape, times = tuple(job["shape"]), []
encoder = build_encoder(job["encoder"], shape, 2, random_state=job["seed"])
options = TrainingOptions(job["epochs"], job["batch_size"], callback=lambda step, update: times.append((step, time.perf_counter())))
start = time.perf_counter()
fit_encoder_fast(Rows(X, shape), edges, encoder, UMAPLoss(*find_ab()), options=options, stages=Stages(layout_passes=0), random_state=job["seed"])
done = time.perf_counter()
np.save(job["z"], encode(encoder, Rows(X, shape)))
(first_step, first), (last_step, last) = times[0], times[-1]
rate = (last_step - first_step) / (last - first) if last_step > first_step else None
status = open("/proc/self/status").read().split()  # getrusage would count the peak of the process that started this one
peak = int(status[status.index("VmHWM:") + 1]) / 1024
print(json.dumps({"import": imported, "first step": first - start, "steps": last_step, "steps per second": rate, "fit": done - start, "peak MiB": peak}))
"""


def run_fit(backend, job):
    "The measurements of a fit in a fresh process."
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ex.root()), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([pythons.get(backend, sys.executable), "-c", FIT, json.dumps(job)], capture_output=True, text=True, env=environment, cwd=ex.root())
    if done.returncode:
        raise RuntimeError(f"{backend} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


# %% [markdown]
# ## Quality
#
# Two numbers for each embedding, on the same pairs for all backends: trustworthiness with five neighbors, and the UMAP cross entropy (the mean
# over edges drawn by strength, and five times the mean over random pairs, divided by six).

# %%
def cross_entropy(z, graph, n_pairs=200_000):
    "The UMAP cross entropy of an embedding in the paper's form."
    rng, coo, (a, b) = np.random.default_rng(1), graph.tocoo(), find_ab()
    drawn = rng.choice(coo.nnz, n_pairs, p=coo.data / coo.data.sum())
    pairs = (coo.row[drawn], coo.col[drawn]), rng.integers(0, len(z), (2, 5 * n_pairs))
    odds = [a * ((z[i] - z[j]) ** 2).sum(axis=1).astype(float) ** b for i, j in pairs]
    attraction, repulsion = -np.log(np.maximum(1 / (1 + odds[0]), 1e-4)), -np.log(np.maximum(odds[1] / (1 + odds[1]), 1e-4))
    return (attraction.mean() + 5 * repulsion.mean()) / 6


# %%
lines, loaded = [], {name: take(load(name, data_dir or None), n_train=n_train) for name in datasets}  # missing data end the run before the first fit
with tempfile.TemporaryDirectory() as folder:
    for name, data in loaded.items():
        X = data.X_train.reshape(len(data.X_train), -1).astype("float32")
        graph = fuzzy_graph(X, random_state=0)
        job = {"X": f"{folder}/X.npy", "graph": f"{folder}/graph.npz", "z": f"{folder}/z.npy", "batch_size": None, "shape": X.shape[1:], "encoder": "mlp", "epochs": effort or None}
        np.save(job["X"], X), sparse.save_npz(job["graph"], graph)
        jobs = [job]
        if conv_steps and X.shape[1] == 784:
            from pumap.graph import paper_steps, pruned_edges

            jobs.append(job | {"encoder": "conv28", "shape": (28, 28, 1), "batch_size": 500, "epochs": conv_steps / paper_steps(pruned_edges(graph), 500)})
        for job in jobs:
            for seed in seeds if job["encoder"] == "mlp" else seeds[:1]:
                for backend in BACKENDS:
                    measured = run_fit(backend, job | {"seed": seed})
                    z = np.load(job["z"])
                    quality = {"trustworthiness": trustworthiness(X, z, 5), "cross entropy": cross_entropy(z, graph)}
                    lines.append({"dataset": name, "encoder": job["encoder"], "seed": seed, "backend": backend} | measured | quality)
runs = pd.DataFrame(lines)
assert np.isfinite(runs["cross entropy"]).all() and len(runs)

# %% [markdown]
# ## Time and memory
#
# Medians over seeds and data sets, and the same as multiples of the first backend.

# %%
columns = ["import", "first step", "steps per second", "fit", "peak MiB"]
medians = runs.groupby(["encoder", "backend"], sort=False)[columns].median()
ratios = medians / medians.groupby("encoder").transform("first")
table = medians.round(2).join(ratios.round(2).add_suffix(" (ratio)")).reset_index()
Markdown(figures.to_markdown(table))

# %% [markdown]
# ## Quality of the embeddings
#
# Means over seeds, for the MLP.

# %%
means = runs[runs.encoder == "mlp"].groupby(["dataset", "backend"], sort=False)[["trustworthiness", "cross entropy"]].mean().reset_index()
Markdown(figures.to_markdown(means, 4))

# %%
if save_to:
    for frame, name in ((runs, "benchmark_backends"), (table, "benchmark_backends_table"), (means, "benchmark_backends_quality")):
        write_atomic(Path(save_to) / f"{name}.csv", frame.to_csv(index=False).encode())
