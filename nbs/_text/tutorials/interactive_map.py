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
# # A map you can touch
#
# > One HTML file: draw a digit, or edit a row, and see where the network puts it.
#
# `to_html` writes an embedding as a page that works in any browser, without a server and without a network connection. The trained encoder and
# decoder are part of the page.

# %%
import html
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML
from sklearn.datasets import load_digits, load_wine

from pumap import ParametricUMAP

# %% [markdown]
# ## Parameters
#
# This command, in a clone, writes `figures/laptop/map_mnist.html`:
#
# ```sh
# pumap notebook nbs/tutorials/interactive_map.ipynb executed.ipynb \
#     --parameters '{"data": "mnist", "n_rows": 10000, "save_to": "figures/laptop/map_mnist.html"}'
# ```

# %% tags=["parameters"]
data = "digits"  # "digits", "mnist", or a .npy file of rows, shape (n_rows, n_columns), (n_rows, height, width) or (n_rows, height, width, 1)
labels_file = ""  # for rows of your own: a .npy file with a class or a number for each row; "" is none
n_rows = 1000  # rows on the map, drawn at random; 0 is all
save_to = ""  # HTML file of the map; "" keeps nothing

# %% [markdown]
# ## Images
#
# Pixels are scaled to values between 0 and 1, which the decoder needs.

# %%
images, title = None, Path(data).stem
if data == "digits":
    X, y = load_digits(return_X_y=True)
    X, images, title = X / 16, (8, 8), "Digits"
elif data == "mnist":
    from pumap.paper import datasets

    mnist = datasets.load("mnist")
    X, y, images, title = mnist.X_train, mnist.y_train, (28, 28), "MNIST"
else:
    X = np.load(data)
    X, y = (X - X.min()) / (X.max() - X.min()), np.load(labels_file) if labels_file else None
chosen = np.random.default_rng(0).permutation(len(X))[: n_rows or None]
X, y = X[chosen], None if y is None else y[chosen]
X.shape

# %% [markdown]
# The default encoder and `decoder="mlp"` consist of dense layers, so both can run in the page.

# %%
model = ParametricUMAP(decoder="mlp", random_state=0).fit(X)

# %% [markdown]
# `labels` has one class per row. `images` is the shape of the image that a row holds, or an array of other images, `(n_rows, height, width)` or
# `(n_rows, height, width, 3)`. Rows that already have the shape of an image do not need it. `text` has one line per row. The page needs the extra `plot`.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(save_to or Path(folder) / "map.html")
    model.to_html(path, X, labels=y, images=images, title=title)
    page = path.read_text(encoding="utf-8")
print(f"{len(page) / 1e6:.1f} MB")


# %% [markdown]
# A double click on the file opens the page. A notebook shows it in a frame:

# %%
def framed(page, height=560):
    return HTML(f'<iframe title="map" style="width: 100%; height: {height}px; border: 1px solid #ccc" srcdoc="{html.escape(page)}"></iframe>')


framed(page)

# %% [markdown]
# Things to try:
#
# - Draw a digit in the black square. The pink point shows where the encoder puts it, and the decoder shows what it makes of this point.
# - Move the pointer over the map. The decoder reconstructs the place under it, also between the clusters.
# - Click a point. Its image becomes the drawing, and can be changed.
# - Click a class in the legend to hide it, or search for a label. Enter goes to the next match.
#
# ## A table
#
# Rows of at most 60 columns are shown as numbers, with the names of a data frame. Each column has a slider. Here a row is a wine, and its columns are
# scaled to values between 0 and 1.

# %%
wine = load_wine(as_frame=True)
table = (wine.data - wine.data.min()) / (wine.data.max() - wine.data.min())
wines = ParametricUMAP(decoder="mlp", n_training_epochs=20, random_state=0).fit(table)
with tempfile.TemporaryDirectory() as folder:
    wines.to_html(f"{folder}/wines.html", table, labels=wine.data["alcohol"], text=[f"wine {i}, {wine.target_names[k]}" for i, k in enumerate(wine.target)], title="Wines")
    wine_page = Path(f"{folder}/wines.html").read_text(encoding="utf-8")
framed(wine_page)

# %% [markdown]
# Labels that are not whole numbers are a quantity, and get a color bar. `text` is shown for each row and is searched.
#
# ## What a page holds
#
# | | limit | beyond it |
# |---|---|---|
# | rows | 200,000 | give a sample |
# | images or columns | 50 MB, before compression | fewer rows or smaller images |
# | columns that are shown | 60 | `images=` or `text=` show something else |
# | classes | 200 | `text=`, which is searched |
# | weights of a network in the page | 2 million | the page has no network, and a warning says so |
#
# Dense layers, batch normalization, dropout and the usual activations run in the page. With other layers, such as convolutions, the page is written
# without the network, and the warning names the layer. Weights are rounded to half precision. Before a page is written, its network is compared with Keras.

# %%
assert '"encoder":{"center"' in page and '"decoder":{"center"' in wine_page
