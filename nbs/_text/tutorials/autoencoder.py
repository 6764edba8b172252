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
# # Autoencoder and interpolation
#
# > Train an encoder and a decoder together, decode every place of the map, and move from one image to another.
#
# An autoencoder alone does not keep neighbors together, and UMAP alone does not decode its points. `autoencoder_loss=True` trains both networks on
# the sum of the UMAP loss and the reconstruction loss.

# %%
import tempfile

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from pumap import ParametricUMAP
from pumap.plots import Picture, draw_projection, plot_embedding, square_window, use_style

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
images_file = ""  # a .npy file of images, shape (n_rows, height, width) or (n_rows, height, width, 3); "" is digits
labels_file = ""  # a .npy file with a class for each image, to color the map; "" is none (for digits, the digit)
n_rows = 1000  # images to use, drawn at random; 0 is all
n_training_epochs = 1  # epochs over the edges of each fit
compared = [(2, 0), (2, 100), (16, 0), (16, 10)]  # components, and weight of the reconstruction loss, of more fits to compare
save_to = ""  # folder for the fitted model; "" saves to a temporary one

# %% [markdown]
# ## Data
#
# The decoder ends in a sigmoid, so pixels are scaled to values from 0 to 1. A fifth of the images is the test set.

# %%
if images_file:
    images = np.load(images_file).astype("float32")
    y = np.load(labels_file) if labels_file else np.zeros(len(images), dtype=int)
else:
    images, y = load_digits().images, load_digits().target
assert images.ndim == 3 or images.shape[3:] in ((1,), (3,)), f"images_file has shape {images.shape}; it must be (n_rows, height, width), or with 1 or 3 channels."
assert len(images) == len(y), f"There are {len(images):,} images and {len(y):,} labels."
shape = images.shape[1:3] + images.shape[3:] * (images.shape[3:] == (3,))
X = ((images - images.min()) / (images.max() - images.min())).reshape(len(images), -1).astype("float32")
order = np.random.default_rng(0).permutation(len(X))[: n_rows or None]
X_train, X_test = np.split(X[order], [len(order) * 4 // 5])
y_train, y_test = np.split(y[order], [len(order) * 4 // 5])
X_train.shape, X_test.shape

# %% [markdown]
# ## Fit

# %%
settings = dict(decoder="mlp", n_training_epochs=n_training_epochs, n_decoder_epochs=20, random_state=0)
model = ParametricUMAP(autoencoder_loss=True, **settings).fit(X_train)  # parametric_reconstruction_loss_weight is 1
plot_embedding(model.embedding_, y_train, images=X_train.reshape(-1, *shape))

# %% [markdown]
# Training has two parts. First, both networks are trained on both losses. Then the decoder alone is trained on the finished embedding, for
# `n_decoder_epochs` over the images.
#
# ## A grid of decoded points
#
# `inverse_transform` decodes any point, also one without an image. The next cell decodes a grid over the map.

# %%
(left, right), (bottom, top), _ = square_window(model.embedding_)
window = (left, right, bottom, top)


def grid(n, margin=0.0):
    "Centers of n x n cells over the window, the top row first; `margin` is in units of the window."
    steps = (np.arange(n) + 0.5) / n * (1 + 2 * margin) - margin
    return np.stack(np.meshgrid(left + steps * (right - left), top - steps * (top - bottom)), axis=-1).reshape(-1, 2)


def montage(images, n):
    "One image of n x n images, a fifth of an image apart."
    height, width = (size + size // 5 for size in shape[:2])
    page = np.zeros((n, n, height, width, *shape[2:])) + (len(shape) == 3)  # the color of paper: 0 in gray_r, 1 in RGB
    page[:, :, : shape[0], : shape[1]] = images.reshape(n, n, *shape)
    return page.swapaxes(1, 2).reshape(n * height, n * width, *shape[2:])


with use_style():
    fig = Picture(figsize=(6, 3.1), layout="constrained")
    axes = fig.subplots(1, 2)
    draw_projection(axes[0], model.embedding_, y_train)
    axes[1].imshow(montage(model.inverse_transform(grid(12)), 12), cmap="gray_r", vmin=0, vmax=1, extent=window)
    axes[1].set(xticks=[], yticks=[])
    for ax, title in zip(axes, ("training set", "decoded grid")):
        ax.set_title(title)
fig

# %% [markdown]
# Each digit fills the region of its cluster, and neighbors in the grid are similar. Between clusters, one image changes into another.
#
# ## Reconstruction of held-out images
#
# The encoder embeds an image of the test set as two numbers, and the decoder makes an image of them. Above are the images, below the
# reconstructions. An image that lands in the wrong cluster becomes an image of that cluster.

# %%
decoded = model.inverse_transform(model.transform(X_test))
with use_style():
    fig = Picture(figsize=(6, 1.1), layout="constrained")
    for pair, axes in zip(zip(X_test, decoded), fig.subplots(2, 12).T):
        for ax, image in zip(axes, pair):
            ax.imshow(image.reshape(shape), cmap="gray_r", vmin=0, vmax=1)
            ax.set_axis_off()
fig


# %% [markdown]
# There are two baselines for the mean squared error: the mean training image, and PCA, which also has two numbers per image. A nonlinear decoder
# should be better than both.

# %%
def error(reconstructed):
    "Mean squared error of the test set."
    return float(np.mean((reconstructed - X_test) ** 2))


pca = PCA(2).fit(X_train)
errors = {"mean image": error(X_train.mean(axis=0)), "PCA, 2 components": error(pca.inverse_transform(pca.transform(X_test))), "decoder": error(decoded)}
if not images_file and (n_rows, n_training_epochs) == (1000, 1):
    assert errors["decoder"] < 0.8 * errors["PCA, 2 components"]
pd.Series(errors, name="mean squared error").round(4).to_frame()


# %% [markdown]
# ## Weight of the reconstruction loss
#
# `parametric_reconstruction_loss_weight` is the weight of the reconstruction loss relative to the UMAP loss. With `autoencoder_loss=False`, it is
# zero for the encoder: the decoder does not change the embedding. Alone, the decoder needs more epochs, here the default.
#
# The next cell compares weights, with 2 and with 16 components.

# %%
def fit(n_components, weight):
    "Fit with this weight of the reconstruction loss."
    change = {"autoencoder_loss": True, "parametric_reconstruction_loss_weight": weight} if weight else {"n_decoder_epochs": None}
    return ParametricUMAP(n_components, **settings | change).fit(X_train)


models = dict(sorted([((2, 1), model), *((pair, fit(*pair)) for pair in compared)]))
rows = [(error(m.inverse_transform(m.transform(X_test))), trustworthiness(X_train, m.embedding_, n_neighbors=5)) for m in models.values()]
index = pd.MultiIndex.from_tuples(models, names=["components", "weight"])
table = pd.DataFrame(rows, index, ["reconstruction error, test set", "trustworthiness, training set"])
table.round(4)

# %%
with use_style():
    fig = Picture(figsize=(7, 2.5), layout="constrained")
    flat = {weight: m for (n_components, weight), m in models.items() if n_components == 2}
    for ax, (weight, m) in zip(fig.subplots(1, len(flat), squeeze=False)[0], flat.items()):
        draw_projection(ax, m.embedding_, y_train)
        ax.set_title(f"2 components, weight {weight}")
fig

# %% [markdown]
# With 2 components, the weight hardly changes the error on the digits: two numbers leave no room for details. A large weight disturbs the
# map. With 16 components there is room, and the reconstruction loss uses it: the error is less than half of that with weight 0.
#
# So for a picture, keep the weight at 1 or below. For images, or as input of another model, take more components and a larger weight.

# %%
if not images_file and (n_rows, n_training_epochs) == (1000, 1) and len(models) == 5:
    reconstruction, trust = table["reconstruction error, test set"], table["trustworthiness, training set"]
    assert trust[2, 100] < trust[2, 1]
    assert abs(reconstruction[2, 0] - reconstruction[2, 1]) < 0.2 * reconstruction[2, 0]
    assert reconstruction[16, 10] < 0.7 * reconstruction[16, 0] < 0.7 * reconstruction[2, 0]

# %% [markdown]
# ## Interpolation
#
# A line between two images can be drawn in pixels, which mixes them, or in the embedding, whose points are then decoded. The ends are images of the
# test set that are reconstructed well and have different labels.

# %%
best = np.argsort(np.mean((decoded - X_test) ** 2, axis=1))
start, end = best[0], next((i for i in best if y_test[i] != y_test[best[0]]), best[-1])
t = np.linspace(0, 1, 9)[:, None]
mixed = (1 - t) * X_test[start] + t * X_test[end]
path = (1 - t) * model.transform(X_test[[start]]) + t * model.transform(X_test[[end]])
moved = model.inverse_transform(path)
with use_style():
    fig = Picture(figsize=(7, 2.2), layout="constrained")
    places = fig.subplot_mosaic([["map", *(f"pixels {i}" for i in range(9))], ["map", *(f"embedding {i}" for i in range(9))]], width_ratios=[3.2, *9 * [1]])
    draw_projection(places["map"], model.embedding_, y_train)
    places["map"].plot(*path.T, "o-", color="black", markersize=2.5, linewidth=0.8)
    for line, images_of_line in (("pixels", mixed), ("embedding", moved)):
        for i, image in enumerate(images_of_line):
            places[f"{line} {i}"].imshow(image.reshape(shape), cmap="gray_r", vmin=0, vmax=1)
            places[f"{line} {i}"].set_axis_off()
        places[f"{line} 4"].set_title(f"line in {'pixels' if line == 'pixels' else 'the embedding'}")
fig

# %% [markdown]
# The mixture in the middle shows both images at once, like no image of the data. The decoded points show one shape at a time. Two measures confirm
# it for the middles of many lines:
#
# - the distance to the nearest training image, which is small if the middle looks like an image of the data;
# - the share of the most frequent label among the 10 nearest training images, which is 1 if the middle shows one class.
#
# Reconstructions are smoother than images, and smooth images have smaller distances. The line in pixels is therefore drawn between reconstructions,
# too.

# %%
nearest = KNeighborsClassifier(n_neighbors=10).fit(X_train, y_train)
rng = np.random.default_rng(0)
first, second = rng.integers(len(X_test), size=(2, 300))
kept = (y_test[first] != y_test[second]) | ((y == y[0]).all() & (first != second))
first, second = first[kept], second[kept]
z_test = model.transform(X_test)
middles = {
    "the test images": X_test,
    "their reconstructions": decoded,
    "middles in pixels": (X_test[first] + X_test[second]) / 2,
    "middles in pixels, of reconstructions": (decoded[first] + decoded[second]) / 2,
    "middles in the embedding": model.inverse_transform((z_test[first] + z_test[second]) / 2),
}
likeness = pd.DataFrame({
    name: {
        "distance to the nearest image": np.mean(nearest.kneighbors(rows, 1)[0]),
        "share of one label": np.mean(nearest.predict_proba(rows).max(axis=1)),
    }
    for name, rows in middles.items()
}).T
likeness.round(2)

# %%
if not images_file and (n_rows, n_training_epochs) == (1000, 1):
    pixels, embedded = likeness.loc["middles in pixels, of reconstructions"], likeness.loc["middles in the embedding"]
    assert embedded.iloc[0] < pixels.iloc[0] and embedded.iloc[1] > pixels.iloc[1]

# %% [markdown]
# The middles in the embedding are not as good as reconstructions. What lies between two clusters in the map decides which images the line passes: it
# may cross a third class or a gap.
#
# ## Outside the cloud of points
#
# The decoder returns an image for every point, also for those far from all images. It has no training data there, and nothing in the image says so.
# The round trip says it: encode the decoded image again. Within the cloud, it returns to its point. Far outside, it does not.

# %%
points = grid(60, margin=0.5)
round_trip = np.linalg.norm(model.transform(model.inverse_transform(points)) - points, axis=1)
from_rows = NearestNeighbors(n_neighbors=1).fit(model.embedding_).kneighbors(points)[0][:, 0]
with use_style():
    fig = Picture(figsize=(6, 3.1), layout="constrained")
    axes = fig.subplots(1, 2)
    wide = (left - (right - left) / 2, right + (right - left) / 2, bottom - (top - bottom) / 2, top + (top - bottom) / 2)
    shown = axes[0].imshow(round_trip.reshape(60, 60), extent=wide, cmap="viridis", vmin=0, vmax=np.percentile(round_trip, 95))
    axes[0].scatter(*model.embedding_.T, s=0.5, color="white", linewidths=0)
    axes[1].imshow(montage(model.inverse_transform(grid(12, margin=0.5)), 12), cmap="gray_r", vmin=0, vmax=1, extent=wide)
    for ax, title in zip(axes, ("distance of the round trip", "decoded grid")):
        ax.set(xticks=[], yticks=[], title=title)
    fig.colorbar(shown, ax=axes[0], shrink=0.8)
fig

# %% [markdown]
# White points are the training set. Far outside, the image hardly changes any more, and becomes a shape that no row has.

# %%
in_window = (points[:, 0] > left) & (points[:, 0] < right) & (points[:, 1] > bottom) & (points[:, 1] < top)
near = from_rows < np.median(NearestNeighbors(n_neighbors=10).fit(model.embedding_).kneighbors()[0][:, -1])
trips = {name: np.median(round_trip[part]) for name, part in (("near the training set", near), ("in gaps", in_window & ~near), ("outside", ~in_window)) if part.any()}
if not images_file and (n_rows, n_training_epochs) == (1000, 1):
    assert trips["outside"] > 3 * trips["in gaps"]
pd.Series(trips, name="median distance of the round trip").round(2).to_frame()

# %% [markdown]
# So the round trip finds points far outside, and it needs no training rows: it also works for a loaded model. It hardly finds gaps, where one image
# changes into another. For those, measure the distance to the nearest point of `embedding_`.
#
# ## Save the model

# %%
with tempfile.TemporaryDirectory() as folder:
    file = f"{save_to or folder}/autoencoder.pumap"
    model.save(file)
    loaded = ParametricUMAP.load(file)
assert (loaded.inverse_transform(path) == moved).all()

# %% [markdown]
# ## Limits
#
# - The images are means over what the encoder cannot distinguish, so they are smooth. More components with a larger weight make them sharper.
# - The decoder is deterministic. It is no generative model: it has no distribution from which to draw.
# - For values that are not from 0 to 1, set `reconstruction_loss="mse"`, and give a decoder without a sigmoid ([own_encoder](own_encoder.ipynb)).
# - [interactive_map](interactive_map.ipynb) writes a page that decodes the place under the pointer.
