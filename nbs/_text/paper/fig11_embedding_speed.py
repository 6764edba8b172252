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
# > Seconds to embed a thousand new rows, for each method that can embed them.
#
# A network embeds new rows in one forward pass, and PCA in one matrix product. UMAP and t-SNE must find the neighbors of each row in the training
# set, and then optimize its position. The paper reports that they are several orders of magnitude slower.
#
# **Protocol**: All methods run on the same machine, one after the other. Each call is timed until its result is a NumPy array. The reported
# time is the median of several calls, divided by the number of rows in thousands. One warm-up call is reported separately. (The original included the
# warm-up call in its ten calls, and did not wait for the GPU.)

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
# The defaults run within a minute, on a few hundred rows. UMAP and t-SNE are slow, so they get fewer rows (`n_slow`) and fewer repeats
# (`slow_repeats`); the figure gives both numbers. Saved measurements are plotted unchanged, and the numbers of rows and repeats given here do not
# apply to them.

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
# All embeddings have two dimensions. The speed does not depend on the quality of a model, so no model is trained to the end:
#
# - The networks take a few steps on the first 2,000 rows. Their speed depends neither on the number of training rows nor on the weights.
# - UMAP lays out the graph of all training rows for 10 epochs, instead of 200 or more. Its `transform` has the default settings.
# - t-SNE finds the neighbors of all training rows, but uses UMAP's embedding as its map. Its speed depends on the size of the map. So the embedding
#   is scaled to the size of a t-SNE map of as many rows: about $\sqrt{n}$ per side, at most 100. openTSNE warns about so wide an initialization; it
#   does not matter here.
#
# UMAP and t-SNE get no seed, because umap-learn uses only one core with a seed.

# %%
def fitted_network(encoder, data):
    return make_method("pumap", encoder=encoder, n_training_epochs=0.01, random_state=0).fit(data.X_train[:2_000])


def fitted_tsne(data, embedding):
    from openTSNE import TSNE

    rows = data.X_train.reshape(len(data.X_train), -1)
    model = TSNE(perplexity=30, n_jobs=-1 if len(rows) > 10_000 else 1)  # with few rows, threads wait for each other more than they work
    return model.prepare_initial(rows, initialization=centered(embedding, min(100, len(rows) ** 0.5)).astype(float))


# %% [markdown]
# Networks are timed on the CPU, and on the GPU if TensorFlow has one. On the GPU the weights are copied first, and all rows are embedded in one call,
# as in the paper.

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
# Each data set has all four methods, without duplicates, and all times are positive.

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
# ## Claims
#
# The paper makes two claims about new rows. Parametric UMAP is several orders of magnitude faster than UMAP and t-SNE; the rule is at least 100
# times. It is only slightly slower than PCA; the rule is at most 10 times. The ratios compare medians per 1,000 rows, separately for each network.
# With few training rows, as in the profile `smoke`, UMAP and t-SNE search little and are fast.

# %%
print(sc.claims_text([], "C13", "C14", tables={"fig11_embedding_speed": lines}))

# %% [markdown]
# ## Save
#
# The figure is saved as `fig11_embedding_speed.png` and `.pdf`. The measurements were saved as `fig11_embedding_speed.csv` in the same folder. The
# next run of this notebook reads that file and only draws the figure. Delete it to re-measure.

# %%
figures.write(save_to, fig11_embedding_speed=fig)
