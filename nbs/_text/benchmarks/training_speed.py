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
# # Training speed
#
# > Time of each solver to the quality of umap-learn's ParametricUMAP, on one graph, with one encoder, on one machine.
#
# The main result is a ratio: the time of umap-learn's default run, divided by the time of the fast solver to the same cross entropy. All runs start
# from the same graph, and runs with the same seed from the same weights. Each run has its own process. The solvers take turns in each
# repetition, so that a slow phase of the machine affects all of them. Cross entropy, trustworthiness and neighbor accuracy are measured at the end, on
# the same rows and pairs.

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap import plots
from pumap.paper import figures

# %% [markdown]
# ## Parameters
#
# The defaults make five short runs on 300 digits, which say nothing about speed. `profile = "laptop"` takes hours on two cores; finished runs are
# reused.

# %% tags=["parameters"]
profile = "smoke"  # smoke or laptop
results_dir = ""  # where records are kept; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
encoders = ["mlp", "conv28"]  # the comparisons to make in the profile laptop; the second takes an hour by itself and is made once
repeats = 1  # interleaved repetitions; laptop: 3
save_to = ""  # folder for the picture and the tables; "" draws without writing

# %%
assert profile in ("smoke", "laptop"), f"profile is {profile!r}; it must be smoke or laptop."
assert set(encoders) <= {"mlp", "conv28"}, f"encoders is {encoders!r}; they can be mlp and conv28."
run = ex.open_run(profile, results_dir, data_dir)

# %% [markdown]
# ## Runs
#
# The data are 50,000 rows of Fashion-MNIST. There are two encoders: a multilayer perceptron and the paper's convolutional network. umap-learn trains
# the first to the end of its default run. It trains the second for half an hour, since the default run would take hours. The fast solver's learning
# rate falls to zero over a run, so each effort is a run of its own.

# %%
mlp = {"dataset": "fmnist", "encoder": "mlp", "n_train": 0}
conv = mlp | {"encoder": "conv28"}
if profile == "laptop":
    main = [mlp | {"solver": "umap-learn", "effort": 0.0}, mlp | {"solver": "layout", "effort": 0.0}]
    main += [mlp | {"solver": "fast", "effort": effort} for effort in (0.25, 0.5, 1.0, 0.0)]
    once = [conv | {"solver": "fast", "effort": effort, "stages": {"parallel": True}} for effort in (0.03, 0.06, 0.12)]  # as without a seed
    once += [conv | {"solver": "umap-learn", "effort": 0.0, "max_seconds": 1800.0}, mlp | {"solver": "paper", "effort": 0.0, "max_seconds": 60.0}]
    without = [mlp | {"solver": "fast", "effort": 0.5, "stages": stages} for stages in ({"n_coordinates": 0}, {"capped_until": 0.0}, {"layout_passes": 3})]
    without += [conv | {"solver": "fast", "effort": 0.06, "stages": {"parallel": True} | stages} for stages in ({"layout_passes": 0}, {"normalize": False}, {"layout_passes": 0, "normalize": False})]
    others = ["digits", "mnist", "worm_neurons", "cifar10_jpeg"]
    main, once, without = ([training for training in part if training["encoder"] in encoders] for part in (main, once, without))
else:
    small = {"dataset": "digits", "n_train": 300, "effort": 0.25}
    main = [small | {"solver": "fast"}, small | {"solver": "layout"}, small | {"solver": "umap-learn", "max_seconds": 2.0}]
    once, without, others = [], [], ["digits"]
trainings = [training | {"seed": seed} for seed in range(repeats) for training in main + (once if seed == 0 else [])]
reasons = {}
records = ex.training_records(trainings, run, reasons)
for reason in reasons.values():
    print("left out:", reason)
assert records, "No run could be made: see the reasons above."
table = pd.DataFrame([{key: r[key] for key in ("encoder", "solver", "effort", "seed", "seconds", "first", "peak_memory_mb")} | r["final"] for r in records])
table["repeats"] = table.groupby(["encoder", "solver", "effort"]).seed.transform("nunique")
medians = table.drop(columns="seed").groupby(["encoder", "solver", "effort"], as_index=False, sort=False).median()
Markdown(figures.to_markdown(medians))


# %% [markdown]
# These are medians over the repetitions. `effort` is in epochs, and 0 is the solver's default. `seconds` is the time from the graph to the trained
# network, `first` the time to the end of the first block of steps.
#
# ## The ratio
#
# The time to umap-learn's final cross entropy is interpolated between the efforts of the fast solver, on a logarithmic scale of seconds. If no
# effort reaches it, the table has the opposite: the time of umap-learn to the best cross entropy of the fast solver.

# %%
def seconds_to(quality, runs):
    "Seconds at which runs of growing effort reach a cross entropy; NaN if none does, the shortest run's seconds if all do."
    runs = runs.sort_values("seconds")
    best = np.minimum.accumulate(runs.cross_entropy.to_numpy())
    if best[-1] > quality:
        return np.nan
    if best[0] <= quality:
        return float(runs.seconds.iloc[0])
    return float(np.exp(np.interp(-quality, -best, np.log(runs.seconds))))


def first_at(quality, curve):
    "Seconds at which the curve of one run is first as low as a cross entropy; NaN if it never is."
    seconds, losses = np.array(curve)[:, :2].astype(float).T
    lowest = np.minimum.accumulate(losses)
    return float(np.exp(np.interp(-quality, -lowest, np.log(seconds)))) if lowest[-1] <= quality else np.nan


curves = {(r["encoder"], r["seed"]): r["curve"] for r in records if r["solver"] == "umap-learn"}
rows = []
for (encoder, seed), group in table.groupby(["encoder", "seed"]):
    theirs, ours = group[group.solver == "umap-learn"], group[group.solver == "fast"]
    for one in theirs.itertuples():
        ours_seconds, best = seconds_to(one.cross_entropy, ours), ours.loc[ours.cross_entropy.idxmin()]
        rows.append({"encoder": encoder, "seed": seed, "umap_learn_seconds": one.seconds, "its_cross_entropy": one.cross_entropy, "our_seconds": ours_seconds, "ratio": one.seconds / ours_seconds,
                     "our_best": best.cross_entropy, "seconds_of_it": best.seconds, "umap_learn_seconds_to_it": first_at(best.cross_entropy, curves[encoder, seed])})  # fmt: skip
ratios = pd.DataFrame(rows)
Markdown(figures.to_markdown(ratios))

# %%
for encoder, group in ratios.groupby("encoder"):
    if group.ratio.notna().all():
        print(f"{encoder}: the fast solver reaches umap-learn's cross entropy {group.ratio.median():.1f} times sooner (median of {len(group)})")
    else:
        print(f"{encoder}: no run of the fast solver reaches umap-learn's {group.its_cross_entropy.median():.3f}; its best, {group.our_best.median():.3f} after {group.seconds_of_it.median():.0f} s, "
              f"umap-learn has after {group.umap_learn_seconds_to_it.median():.0f} s: {(group.umap_learn_seconds_to_it / group.seconds_of_it).median():.1f} times as late")  # fmt: skip
default = medians[(medians.solver == "fast") & (medians.effort == 0)]
layout = medians[medians.solver == "layout"]
if len(default) and len(layout):
    near = seconds_to(1.03 * layout.cross_entropy.iloc[0], medians[(medians.solver == "fast") & (medians.encoder == "mlp")])
    print(f"within 3% of the non-parametric layout's cross entropy: {near:.1f} s, {near / layout.seconds.iloc[0]:.1f} times the layout's {layout.seconds.iloc[0]:.1f} s")

# %% [markdown]
# ## What each part gives
#
# Each line has the same effort, with one part of the fast solver changed. For the MLP, the changes are: no principal coordinates, no cap on the
# repulsion, and a start from a layout. For the convolutional network, they are: no start from a layout, no batch normalization, and neither.

# %%
parts = ex.training_records([training | {"seed": 0} for training in without], run, reasons)
whole = [r for r in records if r["solver"] == "fast" and r["seed"] == 0 and (r["encoder"], r["effort"]) in {(w["encoder"], w["effort"]) for w in parts}]
ablation = pd.DataFrame([{"encoder": r["encoder"], "effort": r["effort"], "changed": ", ".join(f"{k}={v}" for k, v in r["stages"].items() if k != "parallel") or "-", "seconds": r["seconds"]} | r["final"] for r in whole + parts])
Markdown(figures.to_markdown(ablation)) if len(ablation) else print("(in the profile laptop)")

# %% [markdown]
# ## Data it was not tuned on
#
# These data sets were not used to choose the defaults. The fast solver runs with its default effort, and the paper's loop for the same time. A data set
# that is not available is left out, and the reason is printed.

# %%
pairs, reasons = [], {}
for name in others:
    training = {"dataset": name, "encoder": "mlp", "seed": 0} | ({"n_train": 300, "effort": 0.25} if profile == "smoke" else {"n_train": 0, "effort": 0.0})
    for fast in ex.training_records([training | {"solver": "fast"}], run, reasons):
        as_long = training | {"solver": "paper", "effort": 100.0, "max_seconds": round(fast["seconds"], 1)}
        both = [fast, *ex.training_records([as_long], run, reasons)]
        pairs += [{"dataset": name, "solver": r["solver"], "seconds": r["seconds"]} | r["final"] for r in both]
for reason in reasons.values():
    print("left out:", reason)
elsewhere = pd.DataFrame(pairs)
Markdown(figures.to_markdown(elsewhere))

# %% [markdown]
# ## The picture
#
# Lines show the loss during one run, on a sample of the edges. Markers show the loss at the end, on a million pairs, and so they are not exactly on the
# lines. The fast solver has one marker for each effort, and a gray one for each changed part.

# %%
ENDS = {"paper": "s", "umap-learn": "v"}  # signs of the ends; the other solvers have theirs from `plots`
WITHOUT = {
    "n_coordinates=0": "no principal coordinates", "capped_until=0.0": "no cap on the repulsion", "normalize=False": "no batch normalization",
    "layout_passes=3": "a layout to start from", "layout_passes=0": "no layout to start from", "layout_passes=0, normalize=False": "neither layout nor batch normalization",
}  # fmt: skip


def draw_ends(ax, encoder):
    "The runs of one encoder, and where each ended."
    for r in (r for r in records if r["encoder"] == encoder and r["seed"] == 0):
        if r["solver"] in ("umap-learn", "paper") and r["curve"]:
            ax.plot(*np.array(r["curve"])[:, :2].T, **figures.SOLVER_LOOKS[r["solver"]])
    for solver, group in medians[medians.encoder == encoder].groupby("solver"):
        ends = group.sort_values("seconds")
        ax.plot(ends.seconds, ends.cross_entropy, **({"marker": ENDS.get(solver, "o"), "ms": 5} | figures.SOLVER_LOOKS[solver]), label=figures.SOLVER_LABELS[solver])
    changed = ablation[(ablation.encoder == encoder) & (ablation.changed != "-")] if len(ablation) else ablation
    for marker, part in zip("x+12", changed.itertuples()):
        ax.plot(part.seconds, part.cross_entropy, marker=marker, ls="none", ms=6, color=plots.GRAY, label=WITHOUT.get(part.changed, part.changed))
    lowest = medians[medians.encoder == encoder].cross_entropy.min()
    ax.set(xscale="log", xlabel="Seconds from the graph", ylabel="UMAP cross entropy, paper's form", ylim=(0.98 * lowest, 1.5 * lowest))
    ax.set_title(encoder, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)


shown = list(dict.fromkeys(r["encoder"] for r in records))
with plots.use_style():
    fig = plots.Picture(figsize=(plots.COLUMN_WIDTH * len(shown) + 0.2, 3.8), layout="constrained")
    for ax, encoder in zip(fig.subplots(1, len(shown), squeeze=False)[0], shown):
        draw_ends(ax, encoder)
assert np.isfinite(table.cross_entropy).all()
fig

# %%
if save_to:
    for made in (*plots.save_figure(fig, f"{save_to}/benchmark_training_speed"), *figures.save_table(table, f"{save_to}/benchmark_training_speed"), *figures.save_table(ratios, f"{save_to}/benchmark_training_ratios"),
                 *figures.save_table(ablation, f"{save_to}/benchmark_training_parts"), *figures.save_table(elsewhere, f"{save_to}/benchmark_training_elsewhere")):  # fmt: skip
        print(made)
