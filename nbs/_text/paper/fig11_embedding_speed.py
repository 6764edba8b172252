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
# # Figure 11: speed of embedding new rows
#
# > How many seconds a thousand new rows take, for each method that can place them.
#
# A network embeds new rows in one forward pass, and PCA in one multiplication. UMAP and t-SNE must find the neighbors of each row among the training rows, and then optimize its place. The paper finds several orders of magnitude between the two kinds.
#
# **Protocol**: the median of several calls after one warm-up call that is kept apart, each timed until its result is there as a numpy array, on the same machine one after the other, and divided by the number of rows in thousands. (The original counted the
# warm-up call among its ten, and did not wait for the GPU.)

# %%
import os

import keras

import pandas as pd
from matplotlib.lines import Line2D

from pumap import plots
from pumap.paper import figures
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc
from pumap.baselines import centered, make_method
from pumap.training import Rows, encode

# %% [markdown]
# ## Parameters
#
# As they stand, the cells run within a minute, on a few hundred rows. UMAP and t-SNE are slow, so they get fewer rows (`n_slow`) and fewer repeats (`slow_repeats`), and the
# figure says how many. Where measurements of an earlier run are kept, they are drawn as they are, whatever numbers of rows and repeats are given here.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper (the original sizes)
results_dir = ""  # where the measurements are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the picture and the measurements; "" draws without writing
n_train = 0  # training rows at most; 0: as the profile says
n_new = 0  # new rows for the fast methods; 0: as the profile says
n_slow = 0  # new rows for UMAP and t-SNE; 0: as the profile says
repeats = 10  # timed calls of the fast methods
slow_repeats = 0  # timed calls of UMAP and t-SNE; 0: as the profile says

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
wanted, n_train, n_new, n_slow = ex.speed_sizes(run, n_train, n_new, n_slow)
slow_repeats = slow_repeats or {"smoke": 2, "quick": 10, "laptop": 3, "paper": 10}[profile]
kept = ex.measurements("fig11_embedding_speed", wanted, run, save_to)
print(kept)


# %% [markdown]
# ## Models
#
# All embed in two dimensions. Speed does not depend on how good a model is, so none is trained to the end:
#
# * the networks take a few steps on the first 2,000 rows, since their speed depends neither on the number of training rows nor on the weights,
# * UMAP lays out the graph of all training rows for 10 epochs in place of 200 or more; how it places new rows is left at its defaults,
# * t-SNE finds the neighbors of all training rows, but its map is UMAP's, stretched to the size that a t-SNE map of as many rows has (about $\sqrt{n}$ to each side, and not above 100): the grid it computes on depends on the size. (openTSNE warns of so wide a start of training; there is no training here.)
#
# No seeds are set for the last two, since umap-learn would then use one core only.

# %%
def fitted_network(encoder, data):
    return make_method("pumap", encoder=encoder, n_training_epochs=0.01, random_state=0).fit(data.X_train[:2_000])


def fitted_tsne(data, embedding):
    from openTSNE import TSNE

    rows = data.X_train.reshape(len(data.X_train), -1)
    model = TSNE(perplexity=30, n_jobs=-1 if len(rows) > 10_000 else 1)  # with few rows, threads wait for each other more than they work
    return model.prepare_initial(rows, initialization=centered(embedding, min(100, len(rows) ** 0.5)).astype(float))


# %% [markdown]
# A network is timed on the CPU, and on the GPU too where TensorFlow has one. There its weights are copied to the GPU first, and all rows go through in one call, as in the paper.

# %%
def network_calls(model, rows, devices):
    "A call without arguments for each device: new rows through the network."
    def call(network, device):
        with keras.device(device):
            return encode(network, Rows(rows, model._input_shape), batch_size=1024 if "cpu" in device else len(rows))

    def call_on_gpu(network, device):
        with keras.device(device):
            return network(rows.reshape(-1, *model._input_shape), training=False)

    return {d: (lambda n=ex.placed(model.encoder_, d), d=d: (call if "cpu" in d else call_on_gpu)(n, d)) for d in devices}


# %% [markdown]
# ## Measure
#
# New rows are test rows: no method has seen them. What an earlier run measured is reused.

# %%
def measured(data, method, encoder, device, n_rows, timing):
    "One line of the table."
    return {
        **ex.speed_line(data, method, encoder, device),
        **{"n_rows": n_rows, "repeats": len(timing.seconds), "cores": os.cpu_count(), "warmup_seconds": sum(timing.warmup)},
        **{"median_seconds": timing.median, "seconds_per_1000": 1000 * timing.median / n_rows, "lowest": min(timing.seconds), "highest": max(timing.seconds)},
    }


def measure(data):
    "The lines of one data set."
    flat, lines = data.X_test.reshape(len(data.X_test), -1), []
    pca = make_method("pca", random_state=0).fit(data.X_train)
    lines.append(measured(data, "pca", "", "CPU", len(flat), ex.time_call(lambda: pca.pca_.transform(flat), repeats)))
    for encoder in ex.timed_encoders(data.name):
        for device, call in network_calls(fitted_network(encoder, data), data.X_test, ex.timed_devices()).items():
            lines.append(measured(data, "pumap", encoder, device, len(flat), ex.time_call(call, repeats)))
    few, umap = flat[:n_slow], ex.timed_umap(data)
    lines.append(measured(data, "umap", "", "CPU", len(few), ex.time_call(lambda: umap.umap_.transform(few), slow_repeats)))
    tsne = fitted_tsne(data, umap.embedding_)
    lines.append(measured(data, "tsne", "", "CPU", len(few), ex.time_call(lambda: tsne.transform(few), slow_repeats)))
    return lines


# %%
lines = ex.measured_lines(kept, ex.first_rows(kept.to_measure, n_train, n_new, run), measure, bool(save_to))
times = pd.DataFrame(lines)
times[["dataset", "n_train", "method", "encoder", "device", "n_rows", "repeats", "warmup_seconds", "seconds_per_1000"]]

# %% [markdown]
# Each data set has each method once, and every time is a time.

# %%
ex.check_times(lines, ("pca", "pumap", "umap", "tsne"), ("seconds_per_1000", "lowest"))
assert (times.lowest <= times.median_seconds).all() and (times.median_seconds <= times.highest).all()


# %% [markdown]
# ## Figure 11

# %%
def series_of(line):
    "Label and looks of a line of the table: color for the method, filled for the MLP, open for convolutions, larger on the GPU."
    label, color = ex.ALL_METHODS[line.method].label, ex.ALL_METHODS[line.method].color
    marker = ex.ALL_METHODS[line.method].marker
    if line.encoder:
        label += f" ({line.encoder}, {line.device})"
    looks = {"ls": "none", "marker": marker, "color": color, "ms": 8 if line.device == "GPU" else 5, "mew": 1.1}
    return label, looks | ({"mfc": "white"} if line.encoder.startswith("conv") else {})


def draw(times, value="seconds_per_1000"):
    names = list(times.dataset.unique())
    series = list(dict.fromkeys(series_of(line)[0] for line in times.itertuples()))
    with plots.use_style():
        fig = plots.Picture(figsize=(min(plots.TEXT_WIDTH, 2.9 + 1.45 * len(names)), 2.9), layout="constrained")
        ax, handles = fig.subplots(), {}
        for i in range(0, len(names), 2):
            ax.axvspan(i - 0.5, i + 0.5, color="#F4F4F4", lw=0, zorder=0)
        for line in times.itertuples():
            label, looks = series_of(line)
            x = names.index(line.dataset) + 0.84 * ((series.index(label) + 0.5) / len(series) - 0.5)
            scale = getattr(line, value) / line.median_seconds
            ax.plot([x, x], [line.lowest * scale, line.highest * scale], color=looks["color"], lw=1, zorder=2)
            ax.plot(x, getattr(line, value), zorder=3, **looks)
            handles[label] = Line2D([], [], label=label, **looks)
        ax.set(yscale="log", ylabel="Seconds for 1,000 new rows", xlim=(-0.5, len(names) - 0.5))
        ax.set_axisbelow(True)
        ax.grid(axis="y", color=plots.FAINT, lw=0.5)
        sizes = times.groupby("dataset")[["title", "n_train"]].first().loc[names]
        ax.set_xticks(range(len(names)), [f"{figures.wrap_title(t, 20)}\n{n:,} training rows" for t, n in sizes.itertuples(index=False)])
        ax.tick_params(axis="x", length=0)
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        fig.legend(handles=[handles[label] for label in series], loc="outside right upper", handletextpad=0.4, borderaxespad=0)
        fig.supxlabel(note(times), fontsize=6.5, color=plots.GRAY)
    return fig


def note(times):
    "How it was measured, in the figure itself."
    slow = times.method.isin(["umap", "tsne"])
    told = [f"{figures.runs_text(group.repeats)} of {figures.range_text(group.n_rows)} rows" for group in (times[~slow], times[slow])]
    return f"Median (line: lowest to highest) of {told[0]},\nUMAP and t-SNE of {told[1]}; warm-up apart; {times.cores.iloc[0]} CPU cores."


fig = draw(times)
fig

# %% [markdown]
# ## What it says
#
# The paper says of new rows that Parametric UMAP is several orders of magnitude faster than UMAP and t-SNE (we take: a hundred times at least), and only slightly slower
# than PCA (we take: ten times at most). A ratio is of medians per 1,000 rows, and is told for each network apart. With few training rows, as in the smoke profile, UMAP and t-SNE have little to search.

# %%
print(sc.claims_text([], "C13", "C14", tables={"fig11_embedding_speed": lines}))

# %% [markdown]
# ## Write
#
# The figure as `fig11_embedding_speed.png` and `.pdf`. The measurements were written as `fig11_embedding_speed.csv` beside them. The next run of this notebook reads that file and only draws: delete it to measure anew.

# %%
figures.write(save_to, fig11_embedding_speed=fig)
