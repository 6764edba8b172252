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
# # Moving from umap-learn
#
# > Each argument, method and attribute of umap-learn's ParametricUMAP, run in both libraries.
#
# Code that uses `umap.parametric_umap` of umap-learn 0.5.12 changes its import. The table shows what stays, what differs and what is refused.
# Threads are issues and pull requests of [lmcinnes/umap](https://github.com/lmcinnes/umap).

# %%
import contextlib
import importlib.util
import io
import pickle
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from IPython.display import display
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits

from pumap import umap_compat

if importlib.util.find_spec("tensorflow") is None or keras.backend.backend() != "tensorflow":
    raise ImportError("This page runs umap-learn's ParametricUMAP, too, which needs TensorFlow: pip install 'pumap[tensorflow]', and set KERAS_BACKEND=tensorflow.")
import tensorflow as tf

warnings.simplefilter("ignore")
from umap import parametric_umap as umap_learn

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
all_arguments = False  # run every argument in both, in two minutes; otherwise those that only one of them uses

# %% [markdown]
# ## The import
#
# All other lines of the old code stay.

# %%
from pumap.umap_compat import ParametricUMAP, load_ParametricUMAP

X, y = load_digits(return_X_y=True)
X, y = X[:150].astype("float32") / 16, y[:150]
embedder = ParametricUMAP(n_neighbors=10, n_epochs=20, random_state=0)
embedding = embedder.fit_transform(X)

# %% [markdown]
# New code is better served by `pumap.ParametricUMAP`. It has the arguments that have an effect, and follows scikit-learn's rules. `to_estimator` gives the
# one inside.

# %%
type(embedder.to_estimator())

# %% [markdown]
# ## How the results were found
#
# Each argument is changed alone, on 60 digits. It has no effect if embedding and graph stay the same, bit for bit. Both libraries train for a few steps only,
# without compiling them. An argument that counts only together with another is changed from fits with that other one.

# %%
RECONSTRUCTION, APPROXIMATE, DENSITY, TARGETS = {"parametric_reconstruction": True}, {"force_approximation_algorithm": True}, {"densmap": True}, {"target_metric": "euclidean"}
DISTANCES = np.linalg.norm(X[:60, None] - X[:60], axis=2)
NEAREST = np.argsort(DISTANCES, axis=1)[:, :8]
CHANGES = {
    "n_neighbors": 5, "n_components": 3, "metric": "cosine", "metric_kwds": {"p": 1}, "output_metric": "manhattan", "output_metric_kwds": {"p": 1}, "n_epochs": 8,
    "learning_rate": 0.1, "init": "random", "min_dist": 0.9, "spread": 3.0, "low_memory": False, "n_jobs": 1, "set_op_mix_ratio": 0.2, "local_connectivity": 3.0,
    "repulsion_strength": 50.0, "negative_sample_rate": 1, "transform_queue_size": 8.0, "a": 3.0, "b": 2.0, "random_state": 7, "angular_rp_forest": True,
    "target_n_neighbors": 3, "target_metric": "euclidean", "target_metric_kwds": {"p": 1}, "target_weight": 0.9, "transform_seed": 7, "transform_mode": "graph",
    "force_approximation_algorithm": True, "verbose": True, "tqdm_kwds": {"desc": "layout"}, "unique": True, "densmap": True, "dens_lambda": 9.0, "dens_frac": 0.9,
    "dens_var_shift": 0.9, "output_dens": True, "disconnection_distance": 2.0, "precomputed_knn": (NEAREST, 2 * np.take_along_axis(DISTANCES, NEAREST, 1), None),
    "batch_size": 30, "dims": (8, 8), "encoder": lambda: keras.Sequential([keras.Input((64,)), keras.layers.Dense(2, kernel_initializer="ones")]),
    "decoder": lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(64, kernel_initializer="ones")]), "parametric_reconstruction": True,
    "parametric_reconstruction_loss_fcn": keras.losses.MeanSquaredError(), "parametric_reconstruction_loss_weight": 9.0, "autoencoder_loss": True,
    "reconstruction_validation": X[:10], "global_correlation_loss_weight": 1.0, "landmark_loss_fn": lambda y, z: keras.ops.mean((y - z) ** 2),
    "landmark_loss_weight": 9.0, "keras_fit_kwargs": {"verbose": 1}, "loss_report_frequency": 2, "n_training_epochs": 2, "optimizer": keras.optimizers.SGD(0.1), "solver": "fast",
}  # fmt: skip
TOGETHER = {
    **dict.fromkeys(("decoder", "parametric_reconstruction_loss_fcn", "parametric_reconstruction_loss_weight", "autoencoder_loss", "reconstruction_validation"), RECONSTRUCTION),
    **dict.fromkeys(("low_memory", "angular_rp_forest"), APPROXIMATE), **dict.fromkeys(("dens_lambda", "dens_frac", "dens_var_shift", "output_dens"), DENSITY),
    "metric_kwds": {"metric": "minkowski"}, "a": {"b": 0.9}, "b": {"a": 1.5}, "target_n_neighbors": TARGETS, "target_weight": TARGETS, "target_metric_kwds": {"target_metric": "minkowski"},
}  # fmt: skip
assert set(CHANGES) == set(umap_compat.ARGUMENTS)


# %% [markdown]
# `observed` is what a user can see of a fit: embedding, graph, history, a decoded point, and whether anything was printed. In umap-learn, three
# arguments of ours are attributes.

# %%
def observed(cls, arguments, name):
    given = {"n_neighbors": 8, "n_epochs": 4, "random_state": 0, "batch_size": 60, "a": 1.5, "b": 0.9} | arguments
    given = {key: value() if key in ("encoder", "decoder") else value for key, value in given.items()}
    if name in ("min_dist", "spread"):
        given |= {"a": None, "b": None}
    if name != "verbose" or cls is umap_learn.ParametricUMAP:  # Keras would print in any case
        given = {"keras_fit_kwargs": {"verbose": 0}} | given
    if cls is umap_compat.ParametricUMAP:
        given = {"solver": "paper"} | given
    attributes = {"loss_report_frequency": 1} | {key: given.pop(key) for key in ("loss_report_frequency", "n_training_epochs", "optimizer") if key in given}
    targets = np.column_stack([y, y**2 % 7])[:60].astype(float) if "target_metric" in given and cls is umap_learn.ParametricUMAP else y[:60]
    places = np.where(np.arange(60)[:, None] < 20, np.full((60, 2), 50.0), np.nan) if name.startswith("landmark") else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        model = cls(**given)
        for key, value in attributes.items():
            setattr(model, key, value)
        model.fit(X[:60], targets if name.startswith("target") else None, landmark_positions=places)
    decoded = model.inverse_transform(np.zeros((1, 2))) if model.decoder is not None else 0
    return [model.embedding_, model.graph_.toarray(), decoded, *map(np.asarray, model._history.values())], len(printed.getvalue()) > 0, list(model._history)


unchanged_fits = {}


def result(cls, name):
    "What a changed argument does: works, no effect, or the error."
    base, own_fit = TOGETHER.get(name, {}), name.startswith(("target", "landmark")) or name in ("min_dist", "spread", "verbose")
    key = cls, str(base), name if own_fit else ""
    try:
        changed = observed(cls, base | {name: CHANGES[name]}, name)
        plain = unchanged_fits[key] = unchanged_fits.get(key) or observed(cls, base, name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    same = changed[1:] == plain[1:] and len(changed[0]) == len(plain[0]) and all(np.array_equal(one, other) for one, other in zip(changed[0], plain[0]))
    return "no effect" if same else "works"


# %% [markdown]
# umap-learn's result is compared with the table in `pumap.umap_compat`. With the seed fixed, `n_jobs` must change nothing, and `dims` only reshapes rows for a
# network that flattens them again.

# %%
entries = umap_compat.ARGUMENTS
unchanged = {"n_jobs", "dims"}
unused = [name for name, entry in entries.items() if entry.theirs == "no effect" and TOGETHER.get(name) is not APPROXIMATE]  # the approximate search compiles for half a minute
run = list(entries) if all_arguments else [*unused, "output_dens"]
found = {}
tf.config.run_functions_eagerly(True)  # a fit of few steps takes less time than compiling them
for name in run:
    theirs = result(umap_learn.ParametricUMAP, name)
    ours = result(umap_compat.ParametricUMAP, name) if all_arguments or entries[name].refused == "" else ""
    found[name] = theirs, ours
wrong = {}
for name, (theirs, ours) in found.items():
    expected = "no effect" if name in unchanged else entries[name].theirs
    if not theirs.startswith(expected.split(" after")[0]) or name not in unchanged and ours and not entries[name].refused and ours != "works":
        wrong[name] = theirs, ours
assert not wrong, wrong
for name, entry in entries.items():
    if entry.refused:
        try:
            umap_compat.check_arguments({key: other.default for key, other in entries.items()} | {name: CHANGES[name]})
        except ValueError as error:
            assert entry.refused in str(error)
        else:
            raise AssertionError(name)
print(f"{len(found)} of {len(entries)} arguments were run")

# %% [markdown]
# ## The table
#
# "Works" means: with the effect that umap-learn documents. What is refused raises an error with the sentence in the table.

# %%
THREADS = {
    "metric": 689, "n_epochs": 1036, "n_training_epochs": 1122, "loss_report_frequency": 521, "random_state": 1080, "batch_size": 925,
    "parametric_reconstruction_loss_fcn": 618, "_history": 174, "_raw_data": 1118, "fit": 947, "save": 867, "load_ParametricUMAP": 1134, "to_ONNX": 1187, "add_landmarks": 1153,
}  # fmt: skip


def here(name, entry):
    "What happens in pumap."
    if entry.refused:
        return f"refused: {entry.refused}"
    renamed = f"works, as {entry.ours} in pumap.ParametricUMAP" if entry.ours and entry.ours != name else "works"
    return entry.note or renamed


tables = {"argument": umap_compat.ARGUMENTS, "method": umap_compat.METHODS, "attribute": umap_compat.ATTRIBUTES}
rows = [(kind, name, entry.theirs, here(name, entry), f"#{THREADS[name]}" if name in THREADS else "") for kind, table in tables.items() for name, entry in table.items()]
table = pd.DataFrame(rows, columns=["kind", "name", "umap-learn 0.5.12", "pumap", "thread"])
assert not table.map(lambda text: "silently" in text).any(axis=None)
with pd.option_context("display.max_rows", None, "display.max_colwidth", None):
    display(table)

# %% [markdown]
# `check_arguments` and attributes that are not there raise these sentences:

# %%
for wrong_use in (lambda: ParametricUMAP(densmap=True).fit(X), lambda: embedder.knn_dists):
    try:
        wrong_use()
    except (ValueError, AttributeError) as error:
        print(error)


# %% [markdown]
# ## Problems that people report
#
# Each row is run in both libraries. Numbers are differences between embeddings.

# %%
def attempt(call):
    try:
        return str(call())
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:70]}"


def same_seed(cls):
    "Two models are made, and then fitted: umap-learn seeds the process when a model is made."
    first, second = cls(**short, random_state=0), cls(**short, random_state=0)
    return round(float(abs(first.fit_transform(X[:80]) - second.fit_transform(X[:80])).max()), 3)


def saved(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder, verbose=False)
        return "saved"


short = {"n_neighbors": 8, "n_epochs": 10, "batch_size": 50, "keras_fit_kwargs": {"verbose": 0}}
fitted = {cls: cls(**short).fit(X[:80]) for cls in (umap_learn.ParametricUMAP, ParametricUMAP)}
problems = {
    "save(folder)": ("#867", lambda cls: saved(fitted[cls])),
    "pickle.dumps": ("#1134", lambda cls: pickle.dumps(fitted[cls]) and "pickled"),
    "sparse rows": ("#947", lambda cls: cls(**short).fit(sparse.csr_matrix(X[:80])).embedding_.shape),
    "clone(n_neighbors=8)": ("", lambda cls: f"n_neighbors={clone(cls(**short)).n_neighbors}"),
    "set_params(n_neighbors=9)": ("", lambda cls: cls().set_params(n_neighbors=9).n_neighbors),
    "transform before fit": ("", lambda cls: cls().transform(X)),
    "transform, too few columns": ("", lambda cls: fitted[cls].transform(X[:, :10])),
    "dims=(8, 8), transform flat rows": ("", lambda cls: cls(**short, dims=(8, 8)).fit(X[:80]).transform(X).shape),
    "one seed, two models": ("#1080", same_seed),
}
answers = [(what, *(attempt(lambda: run_it(cls)) for cls in fitted), thread) for what, (thread, run_it) in problems.items()]
problem_table = pd.DataFrame(answers, columns=["", "umap-learn 0.5.12", "pumap", "thread"])
with pd.option_context("display.max_colwidth", None):
    display(problem_table)
by_name = problem_table.set_index("")
tf.config.run_functions_eagerly(False)
assert by_name.loc["save(folder)", "pumap"] == "saved" and by_name.loc["one seed, two models", "pumap"] == "0.0"

# %% [markdown]
# Some problems need more time, memory or a GPU than this page has:
#
# | problem in umap-learn | thread | in pumap |
# |---|---|---|
# | rows above 0.5 GB stop with "unknown shape" | #1148 | no such limit ([big_data](big_data.ipynb)) |
# | the repeated edges of a million rows fill the memory | #925 | edges are drawn as they are needed ([memory](../benchmarks/memory.ipynb)) |
# | training is slow, also on a GPU | #869 | the default solver needs fewer steps ([training_speed](../benchmarks/training_speed.ipynb)) |
# | the loss is NaN on a GPU | #1200 | distances have a gradient at zero (`02_losses`) |
#
# ## Save and load
#
# `save` writes a folder, as in umap-learn. It holds no training data. A folder of umap-learn's own `save` cannot be read: fit again, or adopt its `encoder.keras` with
# `pumap.ParametricUMAP.from_encoder`.

# %%
with tempfile.TemporaryDirectory() as folder:
    embedder.save(folder)
    loaded = load_ParametricUMAP(folder, verbose=False)
assert (loaded.transform(X) == embedder.transform(X)).all()

# %% [markdown]
# `pumap.ParametricUMAP` writes one file instead.

# %%
with tempfile.TemporaryDirectory() as folder:
    embedder.to_estimator().save(Path(folder) / "digits.pumap")

# %% [markdown]
# ## New rows
#
# `transform` is one forward pass, also for a single row or for sparse rows. With `parametric_reconstruction=True`, `inverse_transform` returns rows: the default decoder ends in a sigmoid,
# while umap-learn's returns logits.

# %%
decoding = ParametricUMAP(parametric_reconstruction=True, n_neighbors=10, n_epochs=10, solver="paper", random_state=0).fit(X)
reconstructed = decoding.inverse_transform(decoding.transform(X[:1]))
assert reconstructed.min() >= 0 and reconstructed.max() <= 1

# %% [markdown]
# ## Landmarks
#
# Rows chosen by `add_landmarks` stay near their places in the next `fit`. `update` does it for all rows of the last fit.

# %%
before = embedder.transform(X)
embedder.add_landmarks(X, sample_pct=0.3, landmark_loss_weight=1.0)
embedder.fit(X)
moved = np.linalg.norm(embedder.transform(X) - before, axis=1)
print(f"median movement {np.median(moved):.2f}, spread of the embedding {before.std():.1f}")

# %% [markdown]
# ## Arguments that are refused
#
# Remove the argument: in most cases umap-learn had no use for it either. For the others, the sentence says what replaces it:
#
# | umap-learn | here |
# |---|---|
# | `learning_rate=0.5` | `optimizer=keras.optimizers.Adam(1e-3)` |
# | `unique=True` | `np.unique(X, axis=0, return_inverse=True)` before `fit` |
# | `disconnection_distance=2.0` | `pumap.ParametricUMAP(precomputed_graph=graph)`, with a graph that lacks far neighbors |
# | `force_approximation_algorithm=True` | `precomputed_knn=nearest_neighbors(X, exact=False)`, from `pumap.graph` |
# | `target_n_neighbors=3` | none: a graph of targets has `n_neighbors` neighbors |
# | `densmap=True` | `umap.UMAP(densmap=True)`, which is not parametric |
