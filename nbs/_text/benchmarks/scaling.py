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
# # Scaling
#
# > Seconds and bytes per row, from two thousand rows to a million.
#
# This notebook measures how time and memory grow with the number of rows. The rows are drawn from a mixture of Gaussians in 50 dimensions. Each size has its
# own process, so that its peak memory can be measured.

# %%
import json
import subprocess
import sys

import numpy as np
import pandas as pd
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap import plots
from pumap.core import write_atomic
from pumap.paper import figures

# %% tags=["parameters"]
sizes = [500, 1000]  # laptop: [2000, 10000, 70000, 300000, 1000000]
effort = 0.01  # passes over the edges; the time of a pass is what is measured
results_dir = ""  # where records are kept; "" is a temporary folder
save_to = ""  # folder for the picture and the table; "" draws without writing

# %%
assert all(isinstance(n, int) and n > 100 for n in sizes), "sizes are numbers of rows above 100."
results = ex.results_folder(results_dir)

# %% [markdown]
# ## One size
#
# The steps are: neighbors, fuzzy graph, the fast solver for a fraction of an epoch, and the embedding of all rows.

# %%
ONE_SIZE = """
import json, sys, time
import numpy as np
n, effort = int(sys.argv[1]), float(sys.argv[2])
from pumap.paper.experiments import peak_memory_mb
from pumap.graph import find_ab, fuzzy_graph, pruned_edges
from pumap.networks import build_encoder
from pumap.fast_solver import fit_encoder_fast
from pumap.losses import UMAPLoss
from pumap.training import Rows, TrainingOptions, encode
import umap.umap_, pynndescent

rng = np.random.default_rng(0)
centers = rng.normal(scale=4, size=(50, 50)).astype("float32")
X = np.empty((n, 50), "float32")
for i in range(0, n, 100_000):
    part = X[i : i + 100_000]
    part[:] = centers[rng.integers(50, size=len(part))] + rng.standard_normal(part.shape, dtype="float32")
fuzzy_graph(X[:5000])  # numba compiles now, and not while the clock runs
out = {"n": n, "before_mb": peak_memory_mb()}
start = time.perf_counter()
graph = fuzzy_graph(X)
out |= {"graph_seconds": time.perf_counter() - start, "graph_mb": peak_memory_mb(), "nnz": graph.nnz}
edges = pruned_edges(graph)
encoder = build_encoder("mlp", (50,), 2, random_state=0)
start = time.perf_counter()
history = fit_encoder_fast(Rows(X), edges, encoder, UMAPLoss(*find_ab()), options=TrainingOptions(effort), random_state=0)
out |= {"fit_seconds": time.perf_counter() - start, "steps": history["step"][-1], "fit_mb": peak_memory_mb()}
start = time.perf_counter()
z = encode(encoder, Rows(X))
out |= {"embed_seconds": time.perf_counter() - start, "peak_mb": peak_memory_mb()}
print(json.dumps(out))
"""


def measure(n):
    "The record of one size; measured if it is not there."
    place = results / "training" / f"scaling-{n}-{effort:g}.json"
    if not place.exists():
        done = subprocess.run([sys.executable, "-c", ONE_SIZE, str(n), str(effort)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"n={n} failed: {done.stderr.strip().splitlines()[-1]}")
        write_atomic(place, done.stdout.strip().splitlines()[-1].encode())
    return json.loads(place.read_text())


table = pd.DataFrame([measure(n) for n in sizes])
table["bytes_per_row"] = (table.peak_mb - table.before_mb) * 2**20 / table.n
table["ms_per_step"] = 1000 * table.fit_seconds / table.steps
Markdown(figures.to_markdown(table, digits=2))

# %% [markdown]
# ## The exponent
#
# The exponent is the slope in a log-log plot: 1 means proportional to the number of rows.

# %%
large = table[table.n >= 10_000] if (table.n >= 10_000).sum() > 1 else table
exponents = {name: np.polyfit(np.log(large.n), np.log(large[name]), 1)[0] for name in ("graph_seconds", "embed_seconds")}
for name, value in exponents.items():
    print(f"{name}: n to the power {value:.2f}")

# %%
with plots.use_style():
    fig = plots.Picture(figsize=(plots.TEXT_WIDTH, 2.6), layout="constrained")
    seconds, memory = fig.subplots(1, 2)
    for part, marker, color in zip(("graph", "fit", "embed"), "so^", (plots.GRAY, ex.METHODS["pumap"].color, ex.METHODS["pumap"].color)):
        seconds.plot(table.n, table[f"{part}_seconds"], marker=marker, ms=4, color=color, label=part)
    seconds.set(xscale="log", yscale="log", xlabel="Rows", ylabel="Seconds", title=f"{effort:g} passes over the edges")
    memory.plot(table.n, table.peak_mb, marker="o", ms=4, color=ex.METHODS["pumap"].color, label="peak")
    memory.plot(table.n, table.before_mb, marker="s", ms=4, ls="--", color=plots.GRAY, label="before the graph: Python, packages, data")
    memory.set(xscale="log", xlabel="Rows", ylabel="MiB")
    for ax in (seconds, memory):
        ax.legend()
        ax.spines[["top", "right"]].set_visible(False)
assert table.peak_mb.gt(0).all()
fig

# %%
if save_to:
    for made in (*plots.save_figure(fig, f"{save_to}/benchmark_scaling"), *figures.save_table(table, f"{save_to}/benchmark_scaling")):
        print(made)
