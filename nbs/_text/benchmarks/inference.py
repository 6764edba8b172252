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
# # Inference
#
# > Time to embed many new rows, and a single one: pumap, umap-learn's ParametricUMAP with the same network, and PCA.
#
# There are two bars. The MLP should embed 10,000 rows within five times the time of scikit-learn's PCA, and one row within a millisecond.
# The arithmetic of one row takes microseconds; the rest is overhead of the call.
#
# Each call is warmed up first. Then it is timed repeatedly, until its result is a NumPy array. The table shows the median, and the time of the
# warm-up by itself.

# %%
import math
import os
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from IPython.display import Markdown
from sklearn.decomposition import PCA

from pumap.core import write_atomic
from pumap.paper import datasets, figures
from pumap.paper import experiments as ex
from pumap.baselines import make_method
from pumap.networks import build_decoder, build_encoder
from pumap.training import Rows, encode

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick, laptop, paper
results_dir = ""  # where the measurements are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # no data set of this notebook has a stand-in
save_to = ""  # folder for the table; "" writes nothing
dataset = ""  # "": digits for smoke and quick, else fmnist
n_new = 2_000  # new rows; with fewer test rows they are repeated; laptop: 10_000
repeats = 3  # timed calls with all rows; laptop: 10
single_repeats = 20  # timed calls with one row; laptop: 200

# %%
dataset = dataset or ("digits" if ex.profile(profile).name in ("smoke", "quick") else "fmnist")
results = ex.results_folder(results_dir, profile)
kept = Path(save_to or results) / "benchmark_inference.csv"
times = pd.read_csv(kept) if kept.is_file() else None
print("nothing measured yet, so it will be now" if times is None else f"read from {ex.portable(kept)}; delete the file to measure anew")


# %% [markdown]
# ## Models
#
# The speed of a network depends neither on its weights nor on the number of training rows. So it is trained for a few steps on 1,000 rows, and
# umap-learn's estimator gets the same network. The input is flat float32 rows.

# %%
def models(X):
    "Functions from rows to their embedding."
    from umap.parametric_umap import ParametricUMAP

    ours = make_method("pumap", n_training_epochs=0.01, random_state=0).fit(X)
    theirs = ParametricUMAP(encoder=ours.encoder_, dims=X.shape[1:])
    pca = make_method("pca", random_state=0).fit(X).pca_
    return {"pumap": ours.transform, "umap-learn ParametricUMAP": theirs.transform, "pca": pca.transform}


def measure():
    "One line for each model and number of rows."
    data = datasets.load(dataset, data_dir or None)
    X, X_new = (np.ascontiguousarray(rows.reshape(len(rows), -1), dtype=np.float32) for rows in (data.X_train[:1_000], data.X_test))
    many = np.resize(X_new, (n_new, X_new.shape[1]))
    embed, lines = models(X), []
    z = embed["pumap"](many)
    np.testing.assert_allclose(embed["umap-learn ParametricUMAP"](many), z, rtol=1e-3, atol=1e-4)  # the same network
    for rows, n in ((many, repeats), (many[:1], single_repeats)):
        for name, transform in embed.items():
            timing = ex.time_call(lambda: transform(rows), n, warmups=2)
            lines.append({
                **{"dataset": dataset, "features": rows.shape[1], "model": name, "n_rows": len(rows), "repeats": n, "cores": os.cpu_count(), "warmup_seconds": sum(timing.warmup)},
                **{"median_ms": 1e3 * timing.median, "lowest_ms": 1e3 * min(timing.seconds), "highest_ms": 1e3 * max(timing.seconds)},
            })  # fmt: skip
    return pd.DataFrame(lines)


# %%
if times is None:
    times = measure()
    if save_to:
        write_atomic(kept, times.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
Markdown(figures.to_markdown(times, digits=3))

# %%
assert len(times) == 6 and (times.lowest_ms > 0).all() and (times.lowest_ms <= times.median_ms).all()
assert not times.duplicated(["model", "n_rows"]).any()

# %% [markdown]
# ## Ratios
#
# The first bar is meant for rows of 784 values. In the `smoke` profile rows have 64, and PCA is faster.

# %%
told = times[times.n_rows > 1].set_index("model").median_ms, times[times.n_rows == 1].set_index("model").median_ms
many, one = told
ratio, theirs = many["pumap"] / many["pca"], "umap-learn ParametricUMAP"
print(f"{times.n_rows.max():,} rows of {times.features.iloc[0]} values: {many['pumap']:.3g} ms, {ratio:.2g} times PCA's {many['pca']:.3g} ms ({'at most' if ratio <= 5 else 'NOT within'} 5); {theirs} {many[theirs]:.3g} ms, {many[theirs] / many['pumap']:.2g} times ours")
print(f"one row, warm: {one['pumap']:.3g} ms ({'under' if one['pumap'] < 1 else 'NOT under'} 1 ms); PCA {one['pca']:.3g} ms; {theirs} {one[theirs]:.3g} ms, {one[theirs] / one['pumap']:.3g} times ours")


# %% [markdown]
# ## Convolutions
#
# On this CPU, the paper's convolutional networks embed about 120 times and reconstruct about 280 times more slowly than PCA (Figures 11 and 12). This section tests
# whether the code or the arithmetic takes the time. It counts the multiplications for one row. The product of two large matrices shows how many
# multiplications per second this machine can do. The last column is the ratio to PCA that a network would have at this speed.

# %%
def multiplications(model):
    "How many numbers a chain of layers multiplies for one row."
    count = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):  # each place of the input goes through the whole kernel
            count += math.prod(layer.input.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Conv2D):  # so does each place of the output
            count += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            count += math.prod(layer.kernel.shape)
    return count


assert multiplications(build_encoder("mlp", (784,), 2)) == 784 * 100 + 100 * 100 + 100 * 100 + 100 * 2
small = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 2, strides=2), keras.layers.Conv2DTranspose(5, 2, strides=2)])
assert multiplications(small) == 4 * (2 * 2 * 1 * 3) + 4 * (2 * 2 * 3 * 5)


# %%
def matrix_speed(size=2_000):
    "Multiplications in a second, in the product of two square matrices."
    square = np.random.default_rng(0).random((size, size), dtype=np.float32)
    return size**3 / min(ex.time_call(lambda: square @ square, repeats, warmups=2).seconds)


def measure_convolutions():
    "One line for each way, there and back; the network gets a fifth of the rows, which is enough."
    images = np.random.default_rng(0).random((n_new, 28, 28, 1), dtype=np.float32)
    flat, z, few = images.reshape(n_new, -1), np.zeros((n_new, 2), dtype=np.float32), slice(n_new // 5)
    pca, speed, lines = PCA(2, random_state=0).fit(flat[:1_000]), matrix_speed(), []
    for way, model, rows, straight in (
        ("there", build_encoder("conv28", images.shape[1:], 2), images[few], lambda: pca.transform(flat)),
        ("back", build_decoder("conv28", images.shape[1:], 2), z[few], lambda: pca.inverse_transform(z)),
    ):
        seconds = ex.time_call(lambda: encode(model, Rows(rows)), 5, warmups=1).median / len(rows)
        pcas, count = ex.time_call(straight, repeats, warmups=2).median / n_new, multiplications(model)
        lines.append({
            **{"way": way, "multiplications_of_a_row": count, "network_ms_per_1000": 1e6 * seconds, "pca_ms_per_1000": 1e6 * pcas, "times_pca": seconds / pcas},
            **{"share_of_matrix_speed": count / seconds / speed, "times_pca_at_matrix_speed": count / speed / pcas},
        })  # fmt: skip
    return pd.DataFrame(lines)


# %%
kept_too = kept.with_stem("benchmark_inference_convolutions")
convolutions = pd.read_csv(kept_too) if kept_too.is_file() else measure_convolutions()
if save_to:
    write_atomic(kept_too, convolutions.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
Markdown(figures.to_markdown(convolutions, digits=3))

# %%
assert (convolutions[["network_ms_per_1000", "pca_ms_per_1000"]] > 0).all(axis=None)
np.testing.assert_allclose(convolutions.times_pca * convolutions.share_of_matrix_speed, convolutions.times_pca_at_matrix_speed, rtol=1e-4)
