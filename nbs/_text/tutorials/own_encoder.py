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
# # An encoder of your own
#
# > Any Keras network can be the map from rows to the embedding; a second one leads back.
#
# The method does not care which network it trains. Three things go in as `encoder=`: a name (`"mlp"`, `"conv28"`, ...), a Keras model, or a function that builds one. Here are the second and the third, on images of digits; and a `decoder=`, which makes `inverse_transform` possible.

# %%
import tempfile

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from pumap import ParametricUMAP

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
images_file = ""  # a .npy file of images with values from 0 to 1, shape (n_rows, height, width, channels); "" is digits
labels_file = ""  # a .npy file with a class for each image; "" is none (for digits, the digit)
n_training_epochs = 2  # effort of each fit: passes over the edges
save_to = ""  # folder for the fitted model; "" keeps nothing

# %%
if images_file:
    X = np.load(images_file).astype("float32")
    y = np.load(labels_file) if labels_file else np.zeros(len(X), dtype=int)
else:
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 8, 8, 1).astype("float32")
assert X.ndim == 4, f"images_file has shape {X.shape}; images have shape (n_rows, height, width, channels)."
order = np.random.default_rng(0).permutation(len(X))
X, y, kept = X[order], y[order], len(X) * 4 // 5
X_old, X_new, y_old, y_new = X[:kept], X[kept:], y[:kept], y[kept:]
X_old.shape


# %% [markdown]
# ## A function
#
# It is given the shape of a row and the number of dimensions, and returns an untrained model from the one to the other. The last layer has no activation, for an embedding has no bounds. A function is the better way for two reasons: it fits data of any shape, and `random_state` seeds its weights.

# %%
def small_conv(shape, n_components):
    "Two convolutions, then a dense layer; for images of any size."
    return keras.Sequential([
        keras.Input(shape),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(n_components),
    ])


model = ParametricUMAP(encoder=small_conv, n_training_epochs=n_training_epochs, random_state=0).fit(X_old)
model.encoder_.count_params()

# %% [markdown]
# One seed, one embedding, also with layers that are not ours:

# %%
brief = dict(encoder=small_conv, n_training_epochs=0.05, random_state=0)
once, twice = (ParametricUMAP(**brief).fit_transform(X_old[:300]) for _ in range(2))
assert (once == twice).all()

# %% [markdown]
# ## A model
#
# A Keras model is copied with its weights, so one that has been trained on something else goes on from there, and the one you gave is left as it was. Here a dense network on flattened images; `keras.layers.Rescaling` in front lets it take whole numbers from 0 to 255.

# %%
own = keras.Sequential([keras.Input(X.shape[1:]), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(128, activation="gelu"), layers.Dense(128, activation="gelu"), layers.Dense(2)])
bytes_of = lambda rows: (255 * rows).astype("uint8")
before = [w.copy() for w in own.get_weights()]
dense = ParametricUMAP(encoder=own, n_training_epochs=n_training_epochs, random_state=0).fit(bytes_of(X_old))
assert all((a == b).all() for a, b in zip(before, own.get_weights()))  # yours is as it was
assert dense.encoder_ is not own

# %%
classes, colors = np.unique(y, return_inverse=True)
fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for ax, z, title in ((axes[0], model.transform(X_new), "small_conv, new rows"), (axes[1], dense.transform(bytes_of(X_new)), "dense, new rows")):
    ax.scatter(*z.T, c=colors[kept:], cmap="turbo", vmin=0, vmax=max(1, len(classes) - 1), s=4)
    for i in np.unique(colors[kept:]) if 1 < len(classes) <= 30 else ():
        ax.text(*np.median(z[colors[kept:] == i], axis=0), str(classes[i]), ha="center", va="center", fontsize=7, bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.7})
    ax.set_title(title, loc="left", fontsize=9)
    ax.set(xticks=[], yticks=[], aspect="equal")

# %% [markdown]
# A model that does not lead from a row to the embedding is refused before anything is computed:

# %%
wrong = {
    "an output of another width": keras.Sequential([keras.Input(X.shape[1:]), layers.Flatten(), layers.Dense(3)]),
    "rows of another shape": keras.Sequential([keras.Input((7, 7, 1)), layers.Flatten(), layers.Dense(2)]),
    "a name that is none": "resnet",
}
for what, encoder in wrong.items():
    try:
        ParametricUMAP(encoder=encoder).fit(X_old)
    except ValueError as error:
        print(f"{what}:\n    {error}\n")
    else:
        raise AssertionError(f"{what}: no error")


# %% [markdown]
# ## And back
#
# A `decoder`, a function of the same two arguments, the shape of a row and the number of dimensions, leads the other way. It learns when the embedding is done, which is the same as without it; with `autoencoder_loss=True` the two are trained jointly, and the embedding is another. Its last layer has values from 0 to 1, as the rows
# have; for rows of another range, leave the sigmoid out and set `reconstruction_loss="mse"`.

# %%
def small_decoder(shape, n_components):
    "Two dense layers and a sigmoid, in the shape of a row."
    return keras.Sequential([
        keras.Input((n_components,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(int(np.prod(shape)), activation="sigmoid"),
        layers.Reshape(shape),
    ])


both = ParametricUMAP(encoder=small_conv, decoder=small_decoder, n_training_epochs=n_training_epochs, random_state=0).fit(X_old)
back = both.inverse_transform(both.transform(X_new))
mean_image = X_old.mean(axis=0)
print(f"mean squared error {np.mean((back - X_new) ** 2):.4f}; of the mean image {np.mean((mean_image - X_new) ** 2):.4f}")

# %% [markdown]
# A walk from one new image to another, through points that no row has. Two dimensions are few to draw an image from; with `n_components=16` reconstructions are sharper.

# %%
ends = both.transform(X_new[:2])
walk = both.inverse_transform(np.linspace(*ends, 9))
fig, axes = plt.subplots(1, 11, figsize=(7, 0.9), layout="constrained")
for ax, image in zip(axes, (X_new[0], *walk, X_new[1])):
    ax.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()

# %%
if not images_file and n_training_epochs == 2:
    for fitted in (model, both):
        assert KNeighborsClassifier(1).fit(fitted.embedding_, y_old).score(fitted.transform(X_new), y_new) > 0.75
    assert np.mean((back - X_new) ** 2) < 0.8 * np.mean((mean_image - X_new) ** 2)

# %% [markdown]
# ## Keep it
#
# The network is kept in Keras' own format, so the file needs no code of yours as long as its layers are Keras' own. Layers of your own must be registered with `keras.saving.register_keras_serializable`, and their module imported before `load`. A function given as `encoder` is not kept; the network that it built is.

# %%
with tempfile.TemporaryDirectory() as folder:
    place = f"{save_to or folder}/digits.pumap"
    both.save(place)
    again = ParametricUMAP.load(place)
assert (again.transform(X_new) == both.transform(X_new)).all() and (again.inverse_transform(ends) == both.inverse_transform(ends)).all()
