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
# # Figure 14: algebra in the embedding
#
# > Add an attribute vector, such as "smiling", to the embedding of a face, decode it, and measure whether the attribute changes.
#
# The paper trains a convolutional autoencoder on faces twice:
#
# - UMAP/AE minimizes the UMAP loss and the reconstruction loss jointly.
# - P. UMAP + dec. minimizes the UMAP loss, and a decoder learns from the embedding without changing it.
#
# A linear regression of the embedding on forty annotated attributes gives a vector for each attribute. A vector is added to the embedding of a
# held-out face, and the decoder shows the result.
#
# The paper evaluates the images by eye. This notebook also measures them. A classifier is trained to predict the attributes of real images, and is
# applied to the decoded ones. Two questions are measured: does its prediction change in the direction of the vector, and is it still the same face?
#
# The photographs must not be redistributed. So this notebook shows decoded images only.

# %%
import io
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import pairwise_distances_argmin, roc_auc_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

from pumap import plots
from pumap.core import write_atomic
from pumap.paper import datasets, figures
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc
from pumap.baselines import make_method
from pumap.graph import fuzzy_graph, paper_steps, pruned_edges
from pumap.networks import munit_decoder, munit_encoder

# %% [markdown]
# ## Parameters
#
# The defaults use small networks and a few hundred digits, with attributes derived from the digit, because the faces are not available everywhere.
# Saved measurements and reconstructions of an earlier run are reused.

# %% tags=["parameters"]
profile = "smoke"  # smoke, quick (both digits), laptop (faces, small), paper (faces of 128 x 128)
results_dir = ""  # where the measurements are; "": figures/<profile> of the repository, for smoke a temporary folder
data_dir = ""  # a folder with the data; "" looks at PUMAP_DATA, the cache, the system, the internet
stand_ins = False  # may other data of the same kind stand in for what cannot be passed on?
save_to = ""  # folder for the picture and the measurements; "" draws without writing
n_train = 0  # training rows at most; 0: as the profile says
n_new = 0  # held-out rows to move; 0: as the profile says
n_steps = 0  # training steps of each network; 0: as the profile says

# %% [markdown]
# The paper does not report the number of dimensions, the length of training or the batch size. The values of the profile `paper` are our choice.

# %%
SIZES = {
    "smoke": {"dataset": "digits", "side": 8, "n_train": 400, "n_new": 50, "n_components": 16, "width": 8, "n_blocks": 1, "solver": "fast", "batch_size": 50, "n_steps": 200},
    "quick": {"dataset": "digits", "side": 8, "n_train": 1_197, "n_new": 200, "n_components": 16, "width": 16, "n_blocks": 2, "solver": "fast", "batch_size": 50, "n_steps": 500},
    "laptop": {"dataset": "celeba", "side": 32, "n_train": 8_000, "n_new": 200, "n_components": 64, "width": 16, "n_blocks": 2, "solver": "fast", "batch_size": 50, "n_steps": 1_500},
    "paper": {"dataset": "celeba", "side": 128, "n_train": 28_000, "n_new": 1_000, "n_components": 64, "width": 64, "n_blocks": 4, "solver": "paper", "batch_size": 50, "n_steps": 100_000},
}  # fmt: skip
size = dict(SIZES[ex.profile(profile).name])
size |= {name: given for name, given in {"n_train": n_train, "n_new": n_new, "n_steps": n_steps}.items() if given}
run = ex.open_run(profile, results_dir, data_dir, stand_ins)
kept = Path(save_to or run.results) / "fig14_latent_algebra.csv"
known = all(kept.with_suffix(suffix).is_file() for suffix in (".csv", ".json", ".npz"))
print(f"read from {ex.portable(kept)} and its .json and .npz; delete them to measure anew" if known else "nothing measured yet, so it will be now")

# %% [markdown]
# ## Images and attributes
#
# Faces have forty attributes, annotated by people. Digits get four synthetic attributes: even, with a loop, with a long straight line, or greater
# than four.

# %%
OF_DIGITS = {"Even": "02468", "Loop": "0689", "Straight_line": "147", "Above_four": "56789"}


def attributes_of(data):
    "Names of the attributes, and the tables of zeros and ones for training and test rows."
    if data.y_train.ndim == 2:
        return data.label_names, data.y_train, data.y_test
    table = np.array([[digit in those for those in OF_DIGITS.values()] for digit in data.label_names], dtype=int)
    return tuple(OF_DIGITS), table[data.y_train], table[data.y_test]


def smaller(images, side):
    "Means over squares of pixels, so that images have `side` pixels to each side."
    n, height, _, channels = images.shape
    if height == side:
        return images  # a copy of all faces at full size would take 6 GB
    return images.reshape(n, side, height // side, side, height // side, channels).mean(axis=(2, 4))


assert smaller(np.arange(16.0).reshape(1, 4, 4, 1), 2).ravel().tolist() == [2.5, 4.5, 10.5, 12.5]

# %% [markdown]
# An attribute is left out if fewer than ten training rows have it, or if fewer than ten lack it.

# %%
data, reason = None, ""
if not known:
    name = run.actual(size["dataset"])
    try:
        data = datasets.load(name, data_dir or None)
    except (datasets.DataNotFound, datasets.DataDamaged) as error:
        reason = str(error)
        print("left out:", reason)
if data:
    print(data)
    data = datasets.take(data, n_train=min(size["n_train"], len(data.X_train)))
    X_train, X_test = (smaller(images, size["side"]) for images in (data.X_train, data.X_test))
    names, train_table, test_table = attributes_of(data)
    common = np.minimum(train_table.sum(axis=0), (1 - train_table).sum(axis=0)) >= 10
    names, train_table, test_table = tuple(np.array(names)[common]), train_table[:, common], test_table[:, common]
    print(f"{len(names)} attributes; left out: {common.size - common.sum()}")


# %% [markdown]
# ## Two networks
#
# Both methods use the same architecture, after MUNIT's (`03_networks`), the same graph and the same training rows.

# %%
def train_networks(rows):
    "The two fitted estimators, and the seconds each took."
    graph = fuzzy_graph(rows.reshape(len(rows), -1), random_state=0)
    shape = {"width": size["width"], "n_blocks": size["n_blocks"]}
    settings = {name: size[name] for name in ("n_components", "solver", "batch_size")}
    settings |= {"encoder": partial(munit_encoder, **shape), "decoder": partial(munit_decoder, **shape), "precomputed_graph": graph, "random_state": 0}
    settings["n_training_epochs"] = size["n_steps"] / paper_steps(pruned_edges(graph), size["batch_size"])
    if size["solver"] == "fast":  # the decoder, when its turn comes, sees as many rows as the steps have ends of edges
        settings["n_decoder_epochs"] = 2 * size["batch_size"] * size["n_steps"] / len(rows)
    fitted = {}
    for method in ("umap_ae", "pumap_decoder"):
        start = time.perf_counter()
        fitted[method] = make_method(method, **settings).fit(rows), time.perf_counter() - start
    return fitted


# %% [markdown]
# ## Attribute vectors
#
# The vectors come from an ordinary least-squares regression of the embedding on the attributes, $z \approx b_0 + \sum_k a_k b_k$. Here $a_k$ is 1 for
# a row that has attribute $k$ and 0 otherwise. The vector $b_k$ is the expected change of the embedding if a row gets attribute $k$ and keeps all
# others.

# %%
def attribute_vectors(z, table):
    "Vectors of shape (n_attributes, n_components), and the part of the embedding's variance that they explain."
    fit = LinearRegression().fit(table, z)
    return fit.coef_.T, 1 - np.square(z - fit.predict(table)).sum() / np.square(z - z.mean(axis=0)).sum()


rng = np.random.default_rng(0)
made_up, truth = rng.integers(0, 2, (50, 3)), rng.normal(size=(3, 5))
vectors, explained = attribute_vectors(7 + made_up @ truth, made_up)
np.testing.assert_allclose(vectors, truth, atol=1e-9)
np.testing.assert_allclose(explained, 1)


# %% [markdown]
# The control uses the same regression with shuffled annotations, so each row has the attributes of another row. Its vectors are scaled to the lengths
# of the true ones. It shows the effect of an arbitrary vector of the same length.

# %%
def shuffled_vectors(z, table, vectors, random_state):
    "Vectors of attributes that belong to other rows, each as long as the true one."
    others, _ = attribute_vectors(z, np.random.default_rng(random_state).permutation(table))
    return others * (np.linalg.norm(vectors, axis=1) / np.linalg.norm(others, axis=1))[:, None]


# %% [markdown]
# ## The attribute classifier
#
# The attribute classifier is one logistic regression for each attribute. It is fitted on 150 principal components of the real
# training images; for digits, on half as many components as pixels. It is tested on real images that neither it nor the networks have seen.
#
# For rare attributes, always predicting "no" is nearly always right. So the accuracy is compared with that of the majority class. The area under the
# ROC curve is reported too: the probability that an image with the attribute gets a higher score than one without it.

# %%
def train_classifier(rows, table):
    "A classifier of flat images, one answer for each attribute."
    components = PCA(min(150, rows.shape[1] // 2), whiten=True, random_state=0)
    return make_pipeline(components, MultiOutputClassifier(LogisticRegression(C=0.01, max_iter=500))).fit(rows, table)


def answers(classifier, images, which=slice(None)):
    "Probabilities that images have the attributes, or some of them, shape (n_images, n_attributes)."
    rows = classifier[:-1].transform(images.reshape(len(images), -1))
    return np.stack([one.predict_proba(rows)[:, 1] for one in classifier[-1].estimators_[which]], axis=1)


def classifier_quality(classifier, images, table):
    "For each attribute: how often the classifier is right about real images."
    said = answers(classifier, images)
    right, share = ((said > 0.5) == table).mean(axis=0), table.mean(axis=0)
    area = [float(roc_auc_score(table[:, k], said[:, k])) if 0 < share[k] < 1 else None for k in range(len(names))]
    return [{"attribute": str(n), "share": float(s), "accuracy": float(r), "commoner": float(max(s, 1 - s)), "roc_auc": a} for n, s, r, a in zip(names, share, right, area)]


# %% [markdown]
# ## Moving the embedding
#
# Each held-out row is moved by a vector times a *strength*: 1 adds the attribute and -1 removes it. For each attribute and strength, three things are
# measured on the reconstructions of the moved rows:
#
# - the classifier's mean probability of the attribute, and the share of positive predictions,
# - the mean squared distance to the reconstructions that were not moved,
# - the share whose own unmoved reconstruction is the nearest one among those of all held-out rows. This share is called "identity kept".

# %%
STRENGTHS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)


def moved_by(model, classifier, z, vectors, kind, strengths):
    "A line for each attribute and strength."
    flat = lambda points: model.inverse_transform(points).reshape(len(points), -1)
    unmoved, lines = flat(z), []
    for k, name in enumerate(names):
        for strength in strengths:
            moved = flat(z + np.float32(strength) * vectors[k]) if strength else unmoved
            said = answers(classifier, moved, slice(k, k + 1))[:, 0]
            line = {"vectors": kind, "attribute": name, "strength": strength, "probability": said.mean(), "yes": (said > 0.5).mean()}
            nearest = pairwise_distances_argmin(moved, unmoved)
            lines.append(line | {"squared_distance": np.square(moved - unmoved).mean(), "own_nearest": (nearest == np.arange(len(z))).mean()})
    return lines


# %% [markdown]
# The figure shows the reconstructions of ten held-out rows. For the first of them, a few attributes are added and removed. The images are stored as
# bytes.

# %%
SHOWN = ("Smiling", "Male", "Young", "Eyeglasses", "Blond_Hair", "Bangs", "Pale_Skin", "Heavy_Makeup")


def pictures_of(model, z, vectors):
    "Unmoved reconstructions of shape (1, 10, side, side, channels) and moved ones (n_shown, n_strengths, side, side, channels)."
    chosen = [k for k, name in enumerate(names) if name in SHOWN] or list(range(len(names)))[:8]
    points = z[0] + np.float32([-2, -1, 0, 1, 2])[None, :, None] * vectors[chosen][:, None]
    moved = model.inverse_transform(points.reshape(-1, z.shape[1])).reshape(len(chosen), 5, *X_train.shape[1:])
    unmoved = model.inverse_transform(z[:10])[None]
    as_bytes = lambda images: np.round(255 * images).astype(np.uint8)
    return as_bytes(unmoved), as_bytes(moved), [str(names[k]) for k in chosen]


# %% [markdown]
# ## Measure

# %%
def measure():
    "The moves as a table, the settings and qualities, and the reconstructions to show."
    flat = X_train.reshape(len(X_train), -1)
    classifier, lines, pictures = train_classifier(flat, train_table), [], {}
    X_new = X_test[: size["n_new"]]
    about = {"data": data.name, "title": data.title, "stand_in_for": data.stand_in_for, "sha256": data.sha256, **size}
    about |= {"n_train": len(X_train), "n_new": len(X_new), "classifier": classifier_quality(classifier, X_test, test_table), "networks": {}, "versions": ex.versions()}
    for method, (model, seconds) in train_networks(X_train).items():
        z_train, z = model.embedding_, model.transform(X_new)
        vectors, explained = attribute_vectors(z_train, train_table)
        vectors, others = (v.astype(np.float32) for v in (vectors, shuffled_vectors(z_train, train_table, vectors, random_state=0)))
        own = moved_by(model, classifier, z, vectors, "annotated", STRENGTHS) + moved_by(model, classifier, z, others, "shuffled", (-1.0, 0.0, 1.0))
        about_line = {"dataset": data.name, "title": ex.title_of(data.title, data.stand_in_for), "method": method}
        lines += [about_line | line for line in own]
        decoded = model.inverse_transform(z)
        agreement = (answers(classifier, decoded) > 0.5) == test_table[: len(X_new)]
        about["networks"][method] = {"seconds": seconds, "mse": float(np.square(decoded - X_new).mean()), "mse_of_mean": float(np.square(X_train.mean(axis=0) - X_new).mean()),
                                     "explained": float(explained), "classifier_accuracy": float(agreement.mean())}  # fmt: skip
        *pictures[method], about["shown"] = pictures_of(model, z, vectors)
    return pd.DataFrame(lines), about, {f"{m}_{part}": images for m, both in pictures.items() for part, images in zip(("unmoved", "moved"), both)}


# %%
moves, about, pictures = None, None, None
if known:
    moves, about = pd.read_csv(kept), json.loads(kept.with_suffix(".json").read_text())
    with np.load(kept.with_suffix(".npz"), allow_pickle=False) as arrays:
        pictures = dict(arrays)
elif data:
    moves, about, pictures = measure()
    if save_to:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **pictures)
        write_atomic(kept.with_suffix(".npz"), buffer.getvalue())
        write_atomic(kept.with_suffix(".json"), (json.dumps(about, indent=1) + "\n").encode())
        write_atomic(kept, moves.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())

# %% [markdown]
# ## Quality of the classifier and the networks
#
# The classifier is tested on real images that it has not seen. For each network the cell prints
#
# - the mean squared error of reconstructed held-out rows, and that of the mean training image,
# - the share of the embedding's variance that the attributes explain,
# - the accuracy of the classifier on unmoved reconstructions of held-out rows.
#
# An attribute that the reconstruction does not preserve cannot be changed by moving the embedding.

# %%
if moves is not None:
    quality = pd.DataFrame(about["classifier"])
    print(f"{about['title']}, {about['n_train']:,} training rows of {about['side']} x {about['side']} pixels, {about['n_components']}-D, {about['n_steps']:,} steps; {about['n_new']:,} held-out rows moved")
    print(f"classifier: accuracy {quality.accuracy.mean():.3f} (majority class: {quality.commoner.mean():.3f}), area under the ROC curve {quality.roc_auc.mean():.3f}")
    for method, line in about["networks"].items():
        print(f"{ex.ALL_METHODS[method].label}: squared error {line['mse']:.4f} (mean image: {line['mse_of_mean']:.4f}), attributes explain {line['explained']:.1%} of the variance, the classifier's accuracy {line['classifier_accuracy']:.3f}")


# %% [markdown]
# ## Does the prediction follow the vector?
#
# `change_table` has the change of the mean probability for each attribute, when its vector is added and when it is subtracted. The prediction
# *follows* if the first change is positive and the second is negative. If the probability changes linearly, a random direction follows for half of
# the attributes. The shuffled annotations show how often it does.
#
# The *accuracy of the target* is the share of moved reconstructions with the intended prediction: yes after the attribute was added, no after it was
# removed. Without a move it is one half for every attribute, because both directions are counted.

# %%
def change_table(moves, strength=1.0):
    "Change of the mean probability, a line for each method, kind of vectors and attribute; columns: taken, added, follows."
    wide = moves.pivot_table(index=["method", "vectors", "attribute"], columns="strength", values="probability")
    changes = pd.DataFrame({"taken": wide[-strength] - wide[0.0], "added": wide[strength] - wide[0.0]})
    return changes.assign(follows=(changes.added > 0) & (changes.taken < 0)).reset_index()


def strength_table(moves):
    "Means over attributes and both directions, a line for each method, kind of vectors and strength."
    right = np.where(moves.strength > 0, moves.yes, np.where(moves.strength < 0, 1 - moves.yes, 0.5))
    about_moves = moves.assign(target_accuracy=right, size=moves.strength.abs())
    columns = ["target_accuracy", "own_nearest", "squared_distance"]
    return about_moves.groupby(["method", "vectors", "size"])[columns].mean().reset_index().rename(columns={"size": "strength"})


# %%
made_up = pd.DataFrame([
    {"method": "m", "vectors": "v", "attribute": a, "strength": s, "probability": 0.5 + s * p, "yes": 0.5 + s * p, "own_nearest": 1 - abs(s), "squared_distance": s * s}
    for a, p in (("follows", 0.2), ("goes back", -0.1)) for s in (-1.0, 0.0, 1.0)
])  # fmt: skip
assert change_table(made_up).set_index("attribute").follows.to_dict() == {"follows": True, "goes back": False}
np.testing.assert_allclose(strength_table(made_up)[["target_accuracy", "own_nearest"]], [[0.5, 1], [0.55, 0]])

# %%
if moves is not None:
    changes, strengths = change_table(moves), strength_table(moves)
    still = moves[moves.strength == 0]
    assert (still.squared_distance == 0).all() and (still.own_nearest == 1).all()  # what is not moved is where it was
    assert not moves.duplicated(["method", "vectors", "attribute", "strength"]).any()
Markdown("not measured" if moves is None else figures.to_markdown(strengths, digits=3))


# %% [markdown]
# ## Figure 14

# %%
def montage(tiles):
    "Tiles of shape (rows, columns, side, side, channels) in one image, with white lines between."
    gap = max(1, tiles.shape[2] // 16)
    padded = np.pad(tiles, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    image = padded.transpose(0, 2, 1, 3, 4).reshape(padded.shape[0] * padded.shape[2], -1, tiles.shape[-1])
    return image[:-gap, :-gap], padded.shape[2]


def draw_tiles(ax, tiles, rows=(), columns=()):
    "A montage with the names of its rows on the left and of its columns on top."
    image, step = montage(tiles)
    ax.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    middle = (tiles.shape[2] - 1) / 2
    ax.set_yticks([middle + step * i for i in range(len(rows))], rows)
    ax.set_xticks([middle + step * i for i in range(len(columns))], columns)
    ax.tick_params(length=0, labeltop=True, labelbottom=False, pad=2)
    ax.spines[:].set_visible(False)


def looks(method, **more):
    "Circles for both: triangles, which these two methods have elsewhere, would seem to point up or down here."
    return {"color": ex.ALL_METHODS[method].color, "marker": "o", "ms": 3.5, "mew": 0.9} | more


def words(name):
    return str(name).replace("_", " ")


# %%
def draw_changes(ax, changes):
    "Each attribute with its two changes: filled where its vector was added, open where it was taken away."
    own = changes[changes.vectors == "annotated"].set_index(["method", "attribute"])
    order = (own.added - own.taken).groupby("attribute").mean().sort_values(ascending=False).index
    methods = figures.in_order(changes.method)
    for i in range(1, len(order), 2):
        ax.axvspan(i - 0.5, i + 0.5, color="#F4F4F4", lw=0, zorder=0)
    for j, method in enumerate(methods):
        for i, attribute in enumerate(order):
            x, line = i + 0.36 * (j - 0.5), own.loc[(method, attribute)]
            ax.plot([x, x], [line.taken, line.added], color=ex.ALL_METHODS[method].color, lw=0.8)
            ax.plot(x, line.taken, **looks(method, mfc="white"))
            ax.plot(x, line.added, **looks(method))
    ax.axhline(0, color=plots.GRAY, lw=0.6)
    ax.set(xlim=(-0.5, len(order) - 0.5), ylabel="Change of probability")
    ax.set_xticks(range(len(order)), map(words, order), rotation=90, fontsize=6.5)
    ax.tick_params(axis="x", length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def draw_strengths(ax, strengths, column, label):
    "One measure against the strength, for both networks; a cross is the control."
    for method in figures.in_order(strengths.method):
        line = strengths[(strengths.method == method) & (strengths.vectors == "annotated")]
        control = strengths[(strengths.method == method) & (strengths.vectors == "shuffled") & (strengths.strength == 1)]
        ax.plot(line.strength, line[column], **looks(method))
        ax.plot(control.strength, control[column], **looks(method, marker="x", ls="none", ms=5))
    ax.set(xticks=[0, 0.5, 1, 2], xticklabels=["0", ".5", "1", "2"], title=label)
    ax.grid(axis="y", color=plots.FAINT, lw=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


# %%
def draw():
    "The whole figure; places are in inches from the top left."
    rows = len(about["shown"])
    middle = max(0.42 * rows, 3.1)
    width, height = plots.TEXT_WIDTH, 6.05 + middle
    with plots.use_style():
        fig = plots.Picture(figsize=(width, height))
        place = lambda x, y, w, h: fig.add_axes([x / width, 1 - (y + h) / height, w / width, h / height])
        title = lambda x, y, text: fig.text(x / width, 1 - y / height, text, va="bottom", fontweight="bold")
        methods = figures.in_order(about["networks"])
        labels = [ex.ALL_METHODS[m].label.replace(" +", "\n+") for m in methods]
        title(0.05, 0.25, f"A  {ex.title_of(about['title'], about['stand_in_for'])}, here {about['side']} x {about['side']}: held-out rows, reconstructed")
        draw_tiles(place(0.95, 0.35, 6.0, 1.2), np.concatenate([pictures[f"{m}_unmoved"] for m in methods]), labels)
        title(0.05, 1.95, "B  The first of them, attributes taken away (−), added (+)")
        for x, method, shown in zip((0.95, 3.2), methods, (map(words, about["shown"]), ())):
            ax = place(x, 2.4, 2.1, 0.42 * rows)
            draw_tiles(ax, pictures[f"{method}_moved"], list(shown), ("−2", "−1", "0", "+1", "+2"))
            ax.set_title(ex.ALL_METHODS[method].label)
        title(5.45, 1.95, "C  All attributes")
        ax = place(5.75, 2.4, 1.2, 1.2)
        ax.axhline(0.5, color=plots.GRAY, lw=0.8, ls="--")
        draw_strengths(ax, strengths, "target_accuracy", "Accuracy of the target\n(dashed: no effect)")
        ax = place(5.75, 4.1, 1.2, 1.2)
        draw_strengths(ax, strengths, "own_nearest", "Identity kept")
        ax.set_xlabel("Strength")
        title(0.05, 2.9 + middle, "D  What the classifier answers, per attribute, at strength 1")
        draw_changes(place(0.95, 3.2 + middle, 6.0, 1.6), changes)
        handles = [Line2D([], [], label=ex.ALL_METHODS[m].label, **looks(m, lw=2, marker="")) for m in methods]
        plain = {"color": plots.GRAY, "ls": "none", "ms": 4}
        handles += [Line2D([], [], label="added", marker="o", **plain), Line2D([], [], label="taken away", marker="o", mfc="white", **plain), Line2D([], [], label="shuffled annotations (C)", marker="x", **plain)]
        fig.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.95 / width, 1 - (3.18 + middle) / height), ncols=5, borderaxespad=0, handletextpad=0.3, columnspacing=1.2)
        fig.text(0.05 / width, 0.06 / height, note(), fontsize=6, color=plots.GRAY, va="bottom")
    return fig


# %%
def note():
    "What is seen, in the figure itself."
    shown = "Only what decoders made is shown: the photographs may not be passed on.\n" if about["dataset"] == "celeba" else ""
    return f"{shown}{about['n_train']:,} training rows of {about['side']} x {about['side']} pixels; {about['n_new']:,} held-out rows moved; {about['n_components']}-D. C: means over {len(about['classifier'])} attributes."


def draw_why_not():
    "In place of the figure: why there is none."
    with plots.use_style():
        fig = plots.Picture(figsize=(plots.COLUMN_WIDTH, 1.2))
        ax = fig.subplots()
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color(plots.FAINT)
        figures.draw_reason(ax, reason)
    return fig


fig = draw_why_not() if moves is None else draw()
fig

# %% [markdown]
# ## Claims
#
# Claim C20 of the paper says that features of faces are linear in the embedding, with the UMAP loss alone and with the autoencoder's loss. The
# direction of a change is weak evidence, so the rule requires an effect size in both directions.

# %%
if moves is not None:
    print(sc.claims_text([], "C20", tables={"fig14_latent_algebra": moves.to_dict("records")}))
    for method in figures.in_order(about["networks"]):
        own = changes[(changes.method == method) & (changes.vectors == "annotated")]
        assert own.follows.sum() == sum(added > 0 > taken for added, taken in sc.attribute_changes(moves.to_dict("records"), method))
        mine = strengths[(strengths.method == method) & (strengths.strength == 1)].set_index("vectors").loc["annotated"]
        print(f"{ex.ALL_METHODS[method].label}: at strength 1 the accuracy of the target is {mine.target_accuracy:.1%}, and {mine.own_nearest:.1%} keep their identity")

# %% [markdown]
# ## Save
#
# | file | content |
# |---|---|
# | `fig14_latent_algebra.png`, `.pdf` | the figure |
# | `fig14_latent_algebra.csv` | the measurements |
# | `fig14_latent_algebra.json` | settings, quality of the classifier and the networks, versions |
# | `fig14_latent_algebra.npz` | the decoded images of the figure; no photographs |
#
# The next run of this notebook reads the last three files and only draws the figure. Delete them to re-measure.

# %%
figures.write(save_to, fig14_latent_algebra=fig)
