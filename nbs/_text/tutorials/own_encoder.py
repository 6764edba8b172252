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
# > Give any Keras network as the encoder, and a second one as the decoder.
#
# `encoder=` takes a name (`"mlp"`, `"conv28"`, ...), a function that builds a Keras model, or a Keras model. `decoder=` takes the same three, and
# makes `inverse_transform` possible. This tutorial uses functions and a model, on images of digits.

# %%
import tempfile

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from pumap import ParametricUMAP
from pumap.plots import Picture, draw_projection, use_style

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
images_file = ""  # a .npy file of images with values from 0 to 1, shape (n_rows, height, width, channels); "" is digits
labels_file = ""  # a .npy file with a class for each image; "" is none (for digits, the digit)
n_training_epochs = 1  # epochs over the edges of each fit
save_to = ""  # folder for the fitted model; "" saves to a temporary one

# %% [markdown]
# ## Data
#
# A fifth of the images is the test set.

# %%
if images_file:
    X = np.load(images_file).astype("float32")
    y = np.load(labels_file) if labels_file else np.zeros(len(X), dtype=int)
else:
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 8, 8, 1).astype("float32")
assert X.ndim == 4, f"images_file has shape {X.shape}; images have shape (n_rows, height, width, channels)."
order = np.random.default_rng(0).permutation(len(X))
X_train, X_test = np.split(X[order], [len(X) * 4 // 5])
y_train, y_test = np.split(y[order], [len(X) * 4 // 5])
X_train.shape, X_test.shape


# %% [markdown]
# ## Encoder function
#
# The function gets the shape of a row and the number of components. It returns an untrained model. The last layer has no activation, because
# coordinates of an embedding are not bounded.
#
# A function works for data of any shape, and `random_state` seeds its weights.

# %%
def small_conv(shape, n_components):
    "Two convolutions and a dense layer, for images of any size."
    return keras.Sequential([
        keras.Input(shape),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(n_components),
    ])


# %% [markdown]
# ## Decoder function
#
# The decoder function gets the same two arguments. It returns a model from points of the embedding to rows. The sigmoid fits rows with values from 0
# to 1. For other values, leave the sigmoid out and set `reconstruction_loss="mse"`.

# %%
def small_decoder(shape, n_components):
    "Two hidden layers and a sigmoid, reshaped to a row."
    return keras.Sequential([
        keras.Input((n_components,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(int(np.prod(shape)), activation="sigmoid"),
        layers.Reshape(shape),
    ])


# %% [markdown]
# ## Fit
#
# The decoder is trained after the embedding and does not change it. With `autoencoder_loss=True`, both networks are trained together, and the
# reconstruction loss changes the encoder, too.

# %%
conv = ParametricUMAP(encoder=small_conv, decoder=small_decoder, n_training_epochs=n_training_epochs, random_state=0).fit(X_train)
conv.encoder_.count_params(), conv.decoder_.count_params()

# %% [markdown]
# ## Keras model
#
# A Keras model is copied with its weights. A pretrained model therefore starts from its weights, and your model is not changed. This one is a dense
# network on flattened images.

# %%
own = keras.Sequential([keras.Input(X.shape[1:]), layers.Flatten(), layers.Dense(128, activation="gelu"), layers.Dense(2)])
before = own.get_weights()
dense = ParametricUMAP(encoder=own, n_training_epochs=n_training_epochs, random_state=0).fit(X_train)
assert dense.encoder_ is not own
assert all((old == new).all() for old, new in zip(before, own.get_weights()))

# %% [markdown]
# ## Comparison
#
# The picture shows the test set, embedded by both encoders. Each color is a digit.

# %%
models = {"small_conv": conv, "dense": dense}
with use_style():
    fig = Picture(figsize=(6, 3.1))
    for ax, (name, model) in zip(fig.subplots(1, 2), models.items()):
        draw_projection(ax, model.transform(X_test), y_test, classes=np.unique(y))
        ax.set_title(f"{name}, test set")
fig

# %% [markdown]
# Accuracy of the nearest neighbor: how often the nearest training row in the embedding has the class of the test row.

# %%
accuracy = {name: KNeighborsClassifier(1).fit(m.embedding_, y_train).score(m.transform(X_test), y_test) for name, m in models.items()}
if not images_file and n_training_epochs == 1:
    assert min(accuracy.values()) > 0.75
{name: round(value, 3) for name, value in accuracy.items()}

# %% [markdown]
# ## Reconstruction
#
# `inverse_transform` decodes points of the embedding. The baseline is the mean training image.

# %%
decoded = conv.inverse_transform(conv.transform(X_test))
error, baseline = (np.mean((image - X_test) ** 2) for image in (decoded, X_train.mean(axis=0)))
print(f"mean squared error {error:.4f}, baseline {baseline:.4f}")
if not images_file and n_training_epochs == 1:
    assert error < 0.8 * baseline

# %% [markdown]
# Any point can be decoded, also one without a row. Below, the first and the last image are from the test set. The images between them are decoded
# from points on the line between their embeddings. Two components are few for an image: with `n_components=16`, reconstructions are sharper.

# %%
ends = conv.transform(X_test[:2])
path = conv.inverse_transform(np.linspace(*ends, 9))
with use_style():
    fig = Picture(figsize=(7, 0.8), layout="constrained")
    for ax, image in zip(fig.subplots(1, 11), (X_test[0], *path, X_test[1])):
        ax.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()
fig

# %% [markdown]
# ## Errors
#
# The shapes of the networks are checked before anything is computed.

# %%
wrong = {
    "wrong number of outputs": keras.Sequential([keras.Input(X.shape[1:]), layers.Flatten(), layers.Dense(3)]),
    "wrong shape of a row": keras.Sequential([keras.Input((7, 7, 1)), layers.Flatten(), layers.Dense(2)]),
    "unknown name": "resnet",
}
for what, encoder in wrong.items():
    try:
        ParametricUMAP(encoder=encoder).fit(X_train)
    except ValueError as error:
        print(f"{what}:\n    {error}\n")
    else:
        raise AssertionError(f"{what}: no error")

# %% [markdown]
# ## Save the model
#
# The networks are saved in the Keras format. The functions that built them are not saved and not needed by `load`. A layer class of your own must be
# registered with `keras.saving.register_keras_serializable`, and its module imported before `load`.

# %%
with tempfile.TemporaryDirectory() as folder:
    file = f"{save_to or folder}/digits.pumap"
    conv.save(file)
    loaded = ParametricUMAP.load(file)
assert (loaded.transform(X_test) == conv.transform(X_test)).all()
assert (loaded.inverse_transform(ends) == conv.inverse_transform(ends)).all()
