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
# # Figure 12: speed of embedding and reconstruction
#
# > Seconds to embed and reconstruct a thousand new rows, with a decoder, PCA and UMAP.
#
# A decoder is a second network, which maps the embedding to rows. PCA reconstructs with one matrix product. UMAP has no such function: its
# `inverse_transform` finds training rows near each point, and then optimizes a row of the data for it.
#
# **Protocol**: Embedding and reconstruction are timed separately, until the result is a NumPy array. The reported time is the median of several
# calls, divided by the number of rows in thousands. One warm-up call is reported separately. The figure shows both parts and their sum. (The original
# did not wait for the GPU, so time of one part could count for the other. It showed the sum only.)

# %%
import os

import keras
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from pumap import plots
from pumap.paper import figures
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc
from pumap.baselines import make_method

# %% [markdown]
# ## Parameters
#
# The defaults run within a minute, on a few hundred rows. UMAP's `inverse_transform` gets few points (`n_inverse`). Its time is extrapolated to 1,000; the
# figure says so. Each call also has a fixed cost, which is 20 s or more on 50,000 rows. So few points overstate the time per point. Saved measurements are
# plotted unchanged, and the numbers of rows and repeats given here do not apply to them.
#
# The measurements in `figures/laptop` are of two points. Their times of UMAP are about 20 to 40 times too long: in the grid, 100 rows of MNIST take 42 to
# 56 s, which is 420 to 560 s for 1,000, not 10,758.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper (the original sizes)
results_dir = ""  # where the measurements are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the picture and the measurements; "" draws without writing
n_train = 0  # training rows at most; 0: as the profile says
n_new = 0  # new rows for the fast methods; 0: as the profile says
n_slow = 0  # new rows for UMAP to embed; 0: as the profile says
n_inverse = 0  # points for UMAP to lead back; 0: as the profile says
repeats = 10  # timed calls of the fast methods
slow_repeats = 0  # timed calls of UMAP; 0: as the profile says

# %%
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
wanted, n_train, n_new, n_slow = ex.speed_sizes(run, n_train, n_new, n_slow)
n_inverse = n_inverse or {"smoke": 5, "quick": 10, "laptop": 100, "paper": 10}[profile]
slow_repeats = slow_repeats or {"smoke": 2, "quick": 3, "laptop": 1, "paper": 10}[profile]
kept = ex.measurements("fig12_reconstruction_speed", wanted, run, save_to)
print(kept)


# %% [markdown]
# ## Models
#
# All embeddings have two dimensions. The speed does not depend on the quality of a model, so no model is trained to the end:
#
# - The networks are an encoder and the decoder that mirrors it. They take a few steps on the first 2,000 rows.
# - UMAP lays out the graph of all training rows for 10 epochs, instead of 200 or more. Its `transform` and `inverse_transform` have the default
#   settings.

# %%
def fitted_networks(network, data):
    settings = {"encoder": network, "decoder": network, "reconstruction_loss": "mse", "n_training_epochs": 0.01, "n_decoder_epochs": 0.1}
    return make_method("pumap", random_state=0, **settings).fit(data.X_train[:2_000])


# %% [markdown]
# Networks are timed on the CPU, in batches as in `transform`, and on the GPU if TensorFlow has one. On the GPU all rows are passed in one call.

# %%
def there_and_back(model, rows, device):
    "Two calls without arguments: rows through the encoder, and their embedding through the decoder."
    model.encoder_, model.decoder_ = (ex.placed(network, device) for network in (model.encoder_, model.decoder_))

    def on_device(function, argument):
        with keras.device(device):
            return function(argument)

    z = model.transform(rows)
    if "cpu" in device:
        return lambda: on_device(model.transform, rows), lambda: on_device(model.inverse_transform, z)
    return lambda: on_device(model.encoder_, rows.reshape(-1, *model._input_shape)), lambda: on_device(model.decoder_, z)


# %% [markdown]
# ## Measure
#
# New rows are test rows: no method has seen them. What an earlier run measured is reused.

# %%
def measured(data, method, encoder, device, sizes, timings):
    "One line of the table: sizes and timings are of embedding and of reconstruction."
    line = ex.speed_line(data, method, encoder, device) | {"cores": os.cpu_count()}
    for step, n_rows, timing in zip(("embed", "reconstruct"), sizes, timings):
        line |= {f"{step}_rows": n_rows, f"{step}_repeats": len(timing.seconds), f"{step}_warmup_seconds": sum(timing.warmup), f"{step}_per_1000": 1000 * timing.median / n_rows}
    return line | {"both_per_1000": line["embed_per_1000"] + line["reconstruct_per_1000"]}


def measure(data):
    "The lines of one data set."
    flat, lines = data.X_test.reshape(len(data.X_test), -1), []
    whole = (len(flat), len(flat))
    pca = make_method("pca", random_state=0).fit(data.X_train).pca_
    z = pca.transform(flat)
    calls = (lambda: pca.transform(flat), lambda: pca.inverse_transform(z))
    lines.append(measured(data, "pca", "", "CPU", whole, [ex.time_call(call, repeats) for call in calls]))
    for encoder in ex.timed_encoders(data.name):
        model = fitted_networks(encoder, data)
        for device in ex.timed_devices():
            calls = there_and_back(model, data.X_test, device)
            lines.append(measured(data, "pumap_decoder", encoder, device, whole, [ex.time_call(call, repeats) for call in calls]))
    umap, few = ex.timed_umap(data).umap_, flat[:n_slow]
    embedding = ex.time_call(lambda: umap.transform(few), slow_repeats)
    points = umap.transform(few[: max(n_inverse, 5)])[:n_inverse]
    back = ex.time_call(lambda: umap.inverse_transform(points), slow_repeats)
    lines.append(measured(data, "umap", "", "CPU", (len(few), len(points)), (embedding, back)))
    return lines


# %%
lines = ex.measured_lines(kept, ex.first_rows(kept.to_measure, n_train, n_new, run), measure, bool(save_to))
times = pd.DataFrame(lines)
times[["dataset", "n_train", "method", "encoder", "device", "embed_rows", "reconstruct_rows", "embed_per_1000", "reconstruct_per_1000", "both_per_1000"]]

# %% [markdown]
# Each data set has all three methods, without duplicates, and all times are positive.

# %%
steps = ("embed_per_1000", "reconstruct_per_1000", "both_per_1000")
ex.check_times(lines, ("pca", "pumap_decoder", "umap"), steps)
np.testing.assert_allclose(times.embed_per_1000 + times.reconstruct_per_1000, times.both_per_1000, rtol=1e-4)


# %% [markdown]
# ## Figure 12

# %%
def label_of(line):
    "The name of a series."
    words = ex.ALL_METHODS[line.method].label.replace(" +", "\n+")
    return words + (f"\n{line.encoder}\n{line.device}" if line.encoder else "")


SIGNS = {"embed_per_1000": "<", "reconstruct_per_1000": ">", "both_per_1000": "o"}
WORDS = {"embed_per_1000": "embedding", "reconstruct_per_1000": "reconstruction", "both_per_1000": "both"}


def draw(times):
    names = list(times.dataset.unique())
    with plots.use_style():
        fig = plots.Picture(figsize=(min(plots.TEXT_WIDTH, 1.4 + 2.0 * len(names)), 3.2), layout="constrained")
        axes = fig.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for ax, name in zip(axes, names):
            group = times[times.dataset == name]
            for x, line in enumerate(group.itertuples()):
                values, color = [getattr(line, step) for step in steps], ex.ALL_METHODS[line.method].color
                ax.plot([x, x], [min(values), max(values)], color=color, lw=0.8, zorder=2)
                for step, value, aside in zip(steps, values, (-0.18, 0.18, 0)):  # side by side, since the sum often lies on one of its parts
                    both = step == "both_per_1000"
                    ax.plot(x + aside, value, SIGNS[step], color=color, ms=6 if both else 4.5, mew=1, mfc=color if both else "white", zorder=4 - both)
            ax.set(yscale="log", xlim=(-0.5, len(group) - 0.5))
            ax.set_xticks(range(len(group)), [label_of(line) for line in group.itertuples()], fontsize=6.5)
            ax.set_title(f"{figures.wrap_title(group.title.iloc[0], 24)}\n{group.n_train.iloc[0]:,} training rows", loc="left")
            ax.grid(axis="y", color=plots.FAINT, lw=0.5)
            ax.set_axisbelow(True)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("Seconds for 1,000 new rows")
        looks = {"ls": "none", "color": plots.GRAY}
        handles = [Line2D([], [], label=WORDS[s], marker=SIGNS[s], mfc=plots.GRAY if s == "both_per_1000" else "white", ms=5, **looks) for s in steps]
        fig.legend(handles=handles, loc="outside upper center", ncols=3, handletextpad=0.4, borderaxespad=0)
        fig.supxlabel(note(times), fontsize=6.5, color=plots.GRAY)
    return fig


def note(times):
    "How it was measured, in the figure itself."
    slow = times.method == "umap"
    umap = times[slow]
    fast = f"{figures.runs_text(times[~slow].embed_repeats)} of {figures.range_text(times[~slow].embed_rows)} rows"
    told = f"UMAP: {figures.runs_text(umap.embed_repeats)}, {figures.range_text(umap.embed_rows)} rows embedded, {figures.range_text(umap.reconstruct_rows)} points led back, extrapolated"
    return f"Median of {fast}.\n{told}.\nWarm-up apart; {times.cores.iloc[0]} CPU cores."


fig = draw(times)
fig

# %% [markdown]
# ## Claims
#
# The paper makes two claims. Reconstruction is orders of magnitude faster than UMAP's; the rule is at least 100 times. It is within an order of
# magnitude of PCA's. The ratios compare medians per 1,000 rows, separately for each network. They are computed for reconstruction alone, and for
# embedding and reconstruction together, as in the paper.

# %%
print(sc.claims_text([], "C15", "C16", tables={"fig12_reconstruction_speed": lines}))
print("Embedding and reconstruction together, as in the paper's figure:")
for others, limit in (({"umap": "UMAP"}, {"least": 100}), ({"pca": "PCA"}, {"most": 10})):
    holds, evidence = sc.claim_of_speed(lines, "pumap_decoder", others, "both_per_1000", **limit)
    print(f"  {'holds' if holds else 'does not hold'} here: {evidence}")

# %% [markdown]
# ## Save
#
# The figure is saved as `fig12_reconstruction_speed.png` and `.pdf`. The measurements were saved as `fig12_reconstruction_speed.csv` in the same
# folder. The next run of this notebook reads that file and only draws the figure. Delete it to re-measure.

# %%
figures.write(save_to, fig12_reconstruction_speed=fig)
