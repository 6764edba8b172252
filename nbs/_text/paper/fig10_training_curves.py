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
# # Figure 10: training curves
#
# > UMAP loss over time, for each solver.
#
# The figure shows how much longer a network takes to train than the non-parametric layout. The unit of the loss is the paper's: the mean over an edge and
# its five negatives. The figure differs from the paper's in three ways:
#
# - The paper's networks for images are convolutional. Here most are multilayer perceptrons, which two cores can train within the minutes that a run may take.
# - The paper plots the mean of the loss since the first step, which falls more slowly than the loss itself. Here each point is the current loss,
#   measured on the same pairs for every run.
# - The paper leaves out the time before the first step. Here the clock starts with the finished graph.

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown

from pumap import plots
from pumap.paper import datasets, figures
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc

# %% [markdown]
# ## Parameters
#
# The defaults make two short runs on a few hundred digits. In the profile `laptop` a run may take a minute. Saved records are reused.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper
results_dir = ""  # where records are kept; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the picture and the table; "" draws without writing

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)

# %% [markdown]
# ## Runs
#
# | solver | what it trains |
# |---|---|
# | `layout` | umap-learn's non-parametric layout; one point, because it does not report its loss during training |
# | `umap_tf` | UMAP (TF): coordinates, with the paper's loop |
# | `paper` | P. UMAP with the paper's loop |
# | `fast` | P. UMAP with the fast solver |
# | `umap-learn` | umap-learn's ParametricUMAP |
#
# The network is the multilayer perceptron, so the comparison is between solvers. With `stand_ins`, worm neurons replace the paper's retina data.
#
# In the profile `laptop`, the fast solver also trains the paper's convolutional network on Fashion-MNIST. It learns umap-learn's layout by regression
# first, so its curve begins late. The run is that of `benchmarks/training_speed`.
#
# In the profile `laptop` a run ends after a minute. On 50,000 rows, umap-learn's ParametricUMAP needs most of it before its first step, so its curve
# is incomplete. `benchmarks/training_speed` has a complete one.

# %%
SOLVERS = figures.SOLVER_LABELS
if profile == "smoke":
    names, solvers, most = ["digits"], ["layout", "fast"], 2.0
elif profile == "quick":
    names, solvers, most = ["digits"], list(SOLVERS), 10.0
else:
    names, solvers, most = ["mnist", "fmnist", run.actual("retina")], list(SOLVERS), 60.0 if profile == "laptop" else 0.0
n_train = 300 if profile == "smoke" else 0
effort = {"fast": 0.0, "layout": 0.0, "umap_tf": 100.0, "paper": 5.0, "umap-learn": 0.0} if profile != "smoke" else dict.fromkeys(SOLVERS, 0.25)
trainings = [{"dataset": name, "encoder": "mlp", "solver": solver, "effort": effort[solver], "max_seconds": most, "n_train": n_train, "seed": 0} for name in names for solver in solvers]
if profile == "laptop":
    trainings.append({"dataset": "fmnist", "encoder": "conv28", "solver": "fast", "effort": 0.12, "n_train": 0, "seed": 0, "stages": {"parallel": True}})
reasons = {}
records = ex.training_records(trainings, run, reasons)
for reason in reasons.values():
    print("left out:", reason)
assert records, "No run could be made: see the reasons above."

# %% [markdown]
# ## The figure
#
# The vertical axis ends at 2.5 times the lowest final loss. Most curves start above it. A ring is the paper's UMAP (umap-learn): the seconds between two lines of a log, and
# the mean loss over an epoch, from the authors' notebooks. Its machine and its neighbors were others.

# %%
TERMS = 6  # of the loss of an edge: itself and five negatives
PAPERS = {"mnist": (43, 0.09648), "fmnist": (30, 0.09037)}  # UMAP (umap-learn): seconds, loss


def looks(r):
    "Label and line of a run."
    label, look = SOLVERS[r["solver"]], figures.SOLVER_LOOKS[r["solver"]]
    return (label, look) if r["encoder"] == "mlp" else (f"{label}, {r['encoder']} after a layout", look | {"ls": "-.", "lw": 1.0})


def draw(records):
    shown = list(dict.fromkeys(r["dataset"] for r in records))
    with plots.use_style():
        fig = plots.Picture(figsize=(min(plots.TEXT_WIDTH, 1.2 + 2.2 * len(shown)), 2.8), layout="constrained")
        axes, handles = fig.subplots(1, len(shown), squeeze=False)[0], {}
        for ax, name in zip(axes, shown):
            for r in (r for r in records if r["dataset"] == name):
                points = [(seconds, value / TERMS) for seconds, value, _ in r["curve"]]  # of the layout only the end is known
                label, look = looks(r)
                (handles[label],) = ax.plot(*zip(*points), label=label, **look)
            if name in PAPERS:
                label, look = f"{SOLVERS['layout']} in the paper", figures.SOLVER_LOOKS["layout"] | {"marker": "o", "ms": 6, "mfc": "none"}
                (handles[label],) = ax.plot(*PAPERS[name], label=label, **look)
            about, lowest = datasets.describe(name, data_dir or None), min(r["curve"][-1][1] for r in records if r["dataset"] == name) / TERMS
            ax.set(xscale="log", xlabel="Seconds from the graph", ylim=(0.85 * lowest, 2.5 * lowest))
            ax.set_title(figures.wrap_title(ex.title_of(about["title"], about["stand_in_for"]), 30), loc="left")
            ax.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("UMAP cross entropy")
        fig.legend(handles=list(handles.values()), loc="outside upper center", ncols=min(3, 1 + len(shown)), borderaxespad=0)
    return fig


fig = draw(records)
fig


# %% [markdown]
# ## Time to the layout's loss
#
# Claim C12 of the paper says that the non-parametric algorithm reaches a lower loss sooner, and that P. UMAP reaches a similar one within ten times
# its time. The table has the seconds until the loss of a run is within 3% of the layout's, if it gets there. The loss of the convolutional network is
# first measured after its regression, so its seconds are an upper bound.

# %%
def seconds_within(r, quality):
    "Seconds until the loss of a run is at most `quality`; NaN if it never is."
    return next((seconds for seconds, loss, _ in r["curve"] if loss <= quality), np.nan)


layout = {r["dataset"]: r for r in records if r["solver"] == "layout"}
table = pd.DataFrame([
    {"dataset": r["dataset"], "encoder": r["encoder"], "solver": r["solver"], "seconds": r["seconds"], "cross_entropy": r["final"]["cross_entropy"] / TERMS, "trustworthiness": r["final"]["trustworthiness"],
     "seconds_to_layout": seconds_within(r, 1.03 * layout[r["dataset"]]["curve"][-1][1]), "layout_seconds": layout[r["dataset"]]["curve"][-1][0]}
    for r in records if r["dataset"] in layout
])  # fmt: skip
table["ratio"] = table.seconds_to_layout / table.layout_seconds
assert (table[table.solver == "layout"].ratio == 1).all()
lines = table.astype(object).where(table.notna(), None).to_dict("records")
print(sc.claims_text([], "C12", tables={"fig10_training_curves": lines}))
Markdown(figures.to_markdown(table))

# %% [markdown]
# ## Save

# %%
figures.write(save_to, fig10_training_curves=fig)
figures.write(save_to, fig10_training_curves=table)
