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
# # Interactive map
#
# > One HTML file with the embedding, the rows, and the network itself, which runs in the browser.

# %%
#| default_exp interactive_map

# %%
#| hide
import warnings

from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import StandardScaler

# %%
#| export
import base64
import gzip
import html
import json
import math
import re
import warnings
from importlib.resources import files
from typing import NamedTuple

import keras
import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from pumap.plots import class_colors, inner_range, is_class_label  # without matplotlib, it says what to install

import matplotlib as mpl

# %% [markdown]
# `model.to_html("map.html", X)` writes a page that works without a server and loads nothing from other hosts. It shows the embedding, and each row
# under the pointer. With an encoder of dense layers, a reader can draw an image, or edit the columns of a row, and see where it lands. With a
# decoder, the page reconstructs the place under the pointer.
#
# This page has 500 handwritten digits. Draw one.

# %%
from IPython.display import HTML

from pumap import ParametricUMAP
from pumap.interactive_map import map_page

X, y = load_digits(return_X_y=True)
X, y = X / 16, y
model = ParametricUMAP(decoder="mlp", n_training_epochs=1, batch_size=256, n_decoder_epochs=1, random_state=0).fit(X[:1200])
page = map_page(model, X[:500], labels=y[:500], images=(8, 8), title="500 digits")


def framed(page, height=560):
    "A page within this notebook."
    return HTML(f'<iframe title="map" style="width: 100%; height: {height}px; border: 1px solid #ccc" srcdoc="{html.escape(page)}"></iframe>')


fig = framed(page)
fig

# %% [markdown]
# The page is one template, `interactive_map.html`, with the title and the data filled in. The template holds the JavaScript. This notebook prepares the
# data: arrays, networks, rows and labels.
#
# ## Limits
#
# A browser holds the whole page in memory, so its size is limited. The limits are constants of this module.

# %%
#| export
MOST_ROWS = 200_000
MOST_COLUMNS = 60  # of rows that are shown as numbers
MOST_CLASSES = 200
MOST_WEIGHTS = 2_000_000  # of a network that runs in the page
MOST_MEGABYTES = 50  # of images or columns, before compression
_TOLERANCE = 0.01  # of the spread: the largest difference between Keras and the page


# %% [markdown]
# ## Arrays
#
# An array travels as its bytes, compressed with gzip and written as base64. Browsers decompress gzip themselves.

# %%
#| export
def pack_array(array) -> str:
    """Pack the values of an array as text.

    Parameters
    ----------
    array : ndarray
        Its dtype and shape are not part of the text.

    Returns
    -------
    str
        Base64 of the gzip-compressed little-endian bytes.

    Examples
    --------
    >>> import base64, gzip
    >>> import numpy as np
    >>> from pumap.interactive_map import pack_array
    >>> text = pack_array(np.array([1.5, 2.0], dtype="float16"))
    >>> np.frombuffer(gzip.decompress(base64.b64decode(text)), "<f2").tolist()
    [1.5, 2.0]
    """
    array = np.ascontiguousarray(array)
    content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")  # without the time: the same data give the same page


# %% [markdown]
# ## Networks
#
# A network that the page can run is a chain of steps. A step is a dense layer, a scale and shift for each unit, or nothing, followed by an
# activation. Layers that only reshape do nothing, because the page works on flat rows.

# %%
#| export
_ACTIVATIONS = {  # name in the template, and the same function in NumPy
    keras.activations.linear: ("linear", lambda x: x),
    keras.activations.relu: ("relu", lambda x: np.maximum(x, 0)),
    keras.activations.elu: ("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    keras.activations.tanh: ("tanh", np.tanh),
    keras.activations.sigmoid: ("sigmoid", expit),
    keras.activations.softplus: ("softplus", lambda x: np.logaddexp(x, 0)),
    keras.activations.silu: ("silu", lambda x: x * expit(x)),
}
_SHAPING = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape, keras.layers.Dropout)  # dropout does nothing after training


class Step(NamedTuple):
    """Hold one step of a network.

    Attributes
    ----------
    kernel : ndarray, float64, shape (n_inputs, n_outputs), or None
    scale : ndarray, float64, shape (n_units,), or None
        Factor of each unit, where there is no kernel.
    bias : ndarray, float64, or None
        Added after the product.
    activation : callable
        A function of `keras.activations`.
    """

    kernel: np.ndarray | None = None
    scale: np.ndarray | None = None
    bias: np.ndarray | None = None
    activation: object = keras.activations.linear


def network_steps(model) -> list:
    """List the steps of a network.

    Parameters
    ----------
    model : keras.Model
        A chain of layers; nested models are replaced by their layers.

    Returns
    -------
    list of Step

    Raises
    ------
    ValueError
        For a layer or an activation that the page does not have; the message names it.
    """
    steps = []
    for layer in model.layers:
        steps += network_steps(layer) if hasattr(layer, "layers") else _steps_of(layer)
    return steps


# %% [markdown]
# A dense layer on rows that are not flat acts on their last axis only, which the page does not do.

# %%
#| export
def _steps_of(layer) -> list:
    activation = getattr(layer, "activation", keras.activations.linear)
    if type(layer) is keras.layers.ReLU and not (layer.max_value or layer.negative_slope or layer.threshold):
        activation = keras.activations.relu
    elif type(layer) in _SHAPING and getattr(layer, "data_format", "channels_last") == "channels_last":
        return []
    elif type(layer) not in (keras.layers.Dense, keras.layers.BatchNormalization, keras.layers.Activation) or activation not in _ACTIVATIONS:
        known = ", ".join(name for name, _ in _ACTIVATIONS.values())
        raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}) is not a dense layer with one of the activations {known}")
    if layer.weights and len(layer.input.shape) > 2:
        raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}) acts on rows that are not flat")
    weights = [np.asarray(weight, dtype="float64") for weight in layer.get_weights()]
    if type(layer) is keras.layers.Dense:
        return [Step(weights[0], None, weights[1] if layer.use_bias else np.zeros(layer.units), activation)]
    if type(layer) is keras.layers.BatchNormalization:
        *trained, mean, variance = weights
        gamma = trained.pop(0) if layer.scale else 1.0
        scale = gamma / np.sqrt(variance + layer.epsilon)
        return [Step(None, scale, (trained[0] if layer.center else 0.0) - mean * scale)]
    return [Step(activation=activation)]


# %%
from pumap.networks import build_decoder, build_encoder, mlp_norm_encoder

assert [step.kernel.shape for step in network_steps(model.encoder_)] == [(64, 100), (100, 100), (100, 100), (100, 2)]
assert [_ACTIVATIONS[step.activation][0] for step in network_steps(model.decoder_)] == ["relu", "relu", "relu", "sigmoid"]
assert len(network_steps(build_encoder(mlp_norm_encoder, (8, 8), 2))) == 3 * 3 + 1
try:
    network_steps(build_encoder("conv28", (784,), 2))
except ValueError as error:
    print(error)


# %% [markdown]
# ### Half precision
#
# Weights travel as float16, which has three digits and numbers from about 6e-8 to 65,504. Columns in large units need weights outside of this range.
# Each column and each row of a matrix is therefore divided by its largest value first.

# %%
#| export
def halve(kernel) -> tuple:
    """Round a matrix to half precision, with one factor for each row and each column.

    Parameters
    ----------
    kernel : ndarray, shape (n_inputs, n_outputs)

    Returns
    -------
    halves : ndarray, float16, shape (n_inputs, n_outputs)
        Between -1 and 1.
    rows : ndarray, float32, shape (n_inputs,)
    columns : ndarray, float32, shape (n_outputs,)
        The matrix is about ``halves * rows[:, None] * columns``.
    """
    largest = lambda values, axis: np.where((found := np.abs(values).max(axis=axis)) > 0, found, 1).astype("float32")
    columns = largest(kernel, 0)
    rows = largest(kernel / columns, 1)
    return (kernel / columns / rows[:, None]).astype("float16"), rows, columns


# %%
kernel = np.random.default_rng(0).normal(size=(5, 3)) * [[1e-9], [1], [1e6], [1], [0]]
halves, rows, columns = halve(kernel)
assert_allclose(halves.astype("float64") * rows[:, None] * columns, kernel, rtol=2e-3)


# %% [markdown]
# The rounding of a weight is multiplied by its input. If the values of a column are large and nearly equal, the error would be larger than their
# differences. The page therefore subtracts a center from the inputs, and the first bias makes up for it in full precision. The center also holds the
# offset of the estimator (`00_core`).

# %%
#| export
class PageNetwork:
    """Compute what the page computes, and pack the network for it.

    Parameters
    ----------
    model : keras.Model
    inputs : ndarray, float64, shape (n_rows, n_inputs)
        Examples of its inputs; their mean becomes part of the center.
    offset : ndarray, float64, shape (n_inputs,), or None
        Subtracted from the inputs before the network takes them.
    shift : ndarray, float64, shape (n_outputs,), or None
        Added to the outputs.

    Raises
    ------
    ValueError
        If the page cannot run the network.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.interactive_map import PageNetwork
    >>> from pumap.networks import build_encoder
    >>> network = PageNetwork(build_encoder("mlp", (8, 8), 2), np.zeros((1, 64)))
    >>> network(np.ones((5, 64))).shape
    (5, 2)
    """

    def __init__(self, model, inputs, offset=None, shift=None):
        if (count := model.count_params()) > MOST_WEIGHTS:
            raise ValueError(f"the network has {count:,} weights; a page runs at most {MOST_WEIGHTS:,}")
        steps = network_steps(model)
        self.center = np.zeros(inputs.shape[1]) if offset is None else offset
        if steps[0].kernel is not None:
            mean = (inputs - self.center).mean(axis=0)
            self.center = self.center + mean
            steps[0] = steps[0]._replace(bias=steps[0].bias + mean @ steps[0].kernel)
        self.steps = [(step, None if step.kernel is None else halve(step.kernel)) for step in steps]
        self.shift = shift

    def __call__(self, rows):
        """Run the network with the rounded weights, as the page does.

        Parameters
        ----------
        rows : ndarray, shape (n_rows, n_inputs)

        Returns
        -------
        ndarray, float64, shape (n_rows, n_outputs)
        """
        x = rows - self.center
        for step, kernel in self.steps:
            if kernel is not None:
                halves, factors, columns = kernel
                x = x @ (halves.astype("float64") * factors[:, None] * columns) + step.bias
            elif step.scale is not None:
                x = x * step.scale + step.bias
            x = _ACTIVATIONS[step.activation][1](x)
        return x if self.shift is None else x + self.shift

    def check(self, rows, expected, spread) -> None:
        """Compare the outputs with those of Keras.

        Parameters
        ----------
        rows : ndarray, shape (n_rows, n_inputs)
        expected : ndarray, shape (n_rows, n_outputs)
            Outputs of Keras.
        spread : float or ndarray, shape (n_outputs,)
            Unit of the differences.

        Raises
        ------
        ValueError
            If an output differs by more than a hundredth of the spread.
        """
        error = float((np.abs(self(rows) - expected) / spread).max())
        if not error <= _TOLERANCE:
            raise ValueError(f"in half precision, or as a chain of layers, the network differs from Keras by {error:.1%} of the spread")

    def packed(self) -> dict:
        """Return the network as the template reads it."""
        steps = []
        for step, kernel in self.steps:
            arrays = dict(zip(("kernel", "rows", "columns"), kernel or ()))
            arrays |= {name: value.astype("float32") for name in ("scale", "bias") if (value := getattr(step, name)) is not None}
            steps.append({"activation": _ACTIVATIONS[step.activation][0]} | {name: pack_array(value) for name, value in arrays.items()})
        return {"center": pack_array(self.center), "shift": None if self.shift is None else pack_array(self.shift), "steps": steps}


# %% [markdown]
# The network of the page and the estimator agree:

# %%
network = PageNetwork(model.encoder_, X[:500])
spread = model.embedding_.std(axis=0).max()
error = np.abs(network(X[1200:]) - model.transform(X[1200:])).max() / spread
print(f"largest difference, as a share of the spread: {error:.1e}")
assert error < 0.002
network.check(X[1200:], model.transform(X[1200:]), spread)
normalized = build_encoder(mlp_norm_encoder, (8, 8), 2)
assert_allclose(PageNetwork(normalized, X)(X[:50]), normalized.predict(X[:50].reshape(-1, 8, 8), verbose=0), atol=2e-3)


# %% [markdown]
# ## Rows
#
# Rows that are images are shown as pixels, others as columns. Pixels are bytes: 0 stands for the smallest value of all images, 255 for the largest.

# %%
#| export
class Images(NamedTuple):
    """Hold images for the page.

    Attributes
    ----------
    pixels : ndarray, uint8, shape (n_rows, height, width, channels)
    low : float
        Value of a pixel of 0.
    high : float
        Value of a pixel of 255.
    are_rows : bool
        Whether the images are the rows that the network takes.
    """

    pixels: np.ndarray
    low: float
    high: float
    are_rows: bool

    def packed(self) -> dict:
        """Return the images as the template reads them."""
        return {"shape": list(self.pixels.shape[1:]), "pixels": pack_array(self.pixels), "low": self.low, "high": self.high, "rows": self.are_rows}


def _check_size(name, n_bytes, advice):
    if n_bytes > MOST_MEGABYTES * 1e6:
        raise ValueError(f"The {name} take {n_bytes / 1e6:,.0f} MB; a page holds {MOST_MEGABYTES} MB: {advice}.")


def make_images(values, are_rows: bool) -> Images:
    """Make images of numbers.

    Parameters
    ----------
    values : ndarray, shape (n_rows, height, width) or (n_rows, height, width, channels)
    are_rows : bool

    Returns
    -------
    Images

    Raises
    ------
    ValueError
        For another shape, more or fewer channels than 1 or 3, NaN, or too many pixels.
    """
    if values.ndim == 3:
        values = values[..., None]
    if values.ndim != 4 or values.shape[-1] not in (1, 3) or values.dtype.kind not in "buif":
        raise ValueError(f"images has shape {values.shape} and dtype {values.dtype}; it must be numbers of shape (n_rows, height, width), or with 1 or 3 channels.")
    _check_size("images", values.size, "give fewer rows, or smaller images such as images[:, ::2, ::2]")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("images holds NaN or infinity.")
    pixels = np.round((values.astype("float32") - low) * (255 / ((high - low) or 1)))
    return Images(pixels.astype("uint8"), low, high, are_rows)


# %% [markdown]
# The argument `images` is an array with an image for each row, or the shape of images that the rows themselves are. An array that holds the rows
# in another shape counts as the latter.

# %%
#| export
def find_images(estimator, X, images) -> Images | None:
    """Find the images of rows.

    Parameters
    ----------
    estimator : ParametricUMAP
    X : ndarray or CSR matrix
        Rows.
    images : ndarray, tuple of int or None
        As in `map_page`.

    Returns
    -------
    Images or None
        `None` if there are none.

    Raises
    ------
    ValueError
        For images of another shape.
    """
    shape, n_features = tuple(estimator._row_shape), math.prod(estimator._row_shape)
    if images is None and not (len(shape) in (2, 3) and (*shape, 1)[2] in (1, 3)):
        return None
    if images is None or np.ndim(images) == 1:
        shape = shape if images is None else tuple(images)
        if not all(isinstance(size, (int, np.integer)) for size in shape) or math.prod(shape) != n_features:
            raise ValueError(f"images is {images}, but a row has {n_features} values: give the shape of its image, or an array with an image for each row.")
        _check_size("images", X.shape[0] * n_features, "give fewer rows")
        return make_images(_dense(X).reshape(-1, *shape), are_rows=True)
    images = np.asarray(images)
    if images.ndim < 3 or len(images) != X.shape[0]:
        raise ValueError(f"images has shape {images.shape}; for {X.shape[0]:,} rows it must be ({X.shape[0]}, height, width), or with 1 or 3 channels.")
    same = math.prod(images.shape[1:]) == n_features and np.array_equal(images.reshape(len(images), -1), _dense(X).reshape(len(images), -1))
    return make_images(images, are_rows=bool(same))


def _dense(X):
    return X.toarray() if sparse.issparse(X) else X


# %%
found = find_images(model, X[:10], (8, 8))
assert found.pixels.shape == (10, 8, 8, 1) and found.pixels.max() == 255 and (found.low, found.high, found.are_rows) == (0.0, 1.0, True)
assert find_images(model, X[:10], X[:10].reshape(-1, 8, 8)).are_rows and not find_images(model, X[:10], 1 - X[:10].reshape(-1, 8, 8)).are_rows
assert find_images(model, X[:10], None) is None


# %% [markdown]
# Columns are stored without the offset of the estimator, as float32. The page adds it again in double precision.

# %%
#| export
def _columns(estimator, X, names) -> dict | None:
    "The columns of rows as the template reads them; None if there are too many to show."
    n_features = math.prod(estimator._row_shape)
    if n_features > MOST_COLUMNS:
        return None
    rows, offset = _dense(X).reshape(-1, n_features).astype("float64"), _offset(estimator)
    _check_size("columns", 4 * rows.size, "give fewer rows")
    numbers = {"low": rows.min(axis=0), "high": rows.max(axis=0), "start": np.median(rows, axis=0), "offset": np.zeros(n_features) if offset is None else offset}
    values = (rows - numbers["offset"]).astype("float32")
    return {"names": names or [f"x{i}" for i in range(n_features)], "values": pack_array(values)} | {key: value.tolist() for key, value in numbers.items()}


def _offset(estimator):
    "The offset of the estimator as a flat array, or None."
    return None if estimator._offset is None else np.asarray(estimator._offset, dtype="float64").ravel()


# %% [markdown]
# ## Labels
#
# Labels are classes or a quantity, by the rule of `11_plots` and in its colors. Whole numbers of more values than a legend holds are a quantity, too.

# %%
#| export
def _labels(labels, n_rows) -> dict:
    "Labels as the template reads them: classes, a quantity, or neither."
    if labels is None:
        return {}
    y = np.asarray(labels)
    if y.shape != (n_rows,):
        raise ValueError(f"labels has shape {y.shape}; for {n_rows:,} rows it must be ({n_rows},).")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("labels holds NaN or infinity: leave those rows out.")
    if y.dtype.kind not in "buif":
        y = np.asarray([str(label) for label in y])
    classes, codes = np.unique(y, return_inverse=True)
    if not is_class_label(y) or y.dtype.kind in "uif" and len(classes) > MOST_CLASSES:
        low, high = np.percentile(y, [1, 99]).tolist()
        colors = [mpl.colors.to_hex(color) for color in mpl.colormaps["viridis"](np.linspace(0, 1, 9))]
        return {"quantity": {"values": pack_array(y.astype("float32")), "low": low, "high": high, "colors": colors}}
    if len(classes) > MOST_CLASSES:
        raise ValueError(f"labels holds {len(classes):,} classes; a legend has at most {MOST_CLASSES}: give them as text instead, which is searched.")
    names = [str(int(name)) if y.dtype.kind == "f" else str(name) for name in classes]
    colors = [mpl.colors.to_hex(color) for color in class_colors(len(classes))]
    return {"classes": {"names": names, "codes": pack_array(codes.astype("uint16")), "colors": colors}}


# %%
assert _labels(y, len(y))["classes"]["names"] == list("0123456789") == _labels(y.astype(float), len(y))["classes"]["names"]
assert _labels(["b", "a", None], 3)["classes"]["names"] == ["None", "a", "b"]
assert _labels(np.arange(50), 50)["classes"]["colors"][1] != _labels(np.arange(50), 50)["classes"]["colors"][2]
assert_allclose(_labels(X[:, 20] + 0.01, len(X))["quantity"]["high"], 1.01)
assert_allclose([_labels(np.arange(1001), 1001)["quantity"][end] for end in ("low", "high")], [10, 990])  # 1% at each end


# %% [markdown]
# ## The page
#
# A network runs in the page if its rows can be drawn (gray images) or edited (columns), and if it agrees with Keras. Otherwise the page is written
# without it, and a warning says why.

# %%
#| export
def _networks(estimator, X, points, images) -> dict:
    "Encoder and decoder as the template reads them, each None where it cannot run; warns with the reasons."
    rows, offset, points = _dense(X[:1000]), _offset(estimator), points[:1000].astype("float64")
    rows = np.asarray(rows, dtype="float64").reshape(len(points), -1)
    ranges = images.high - images.low if images is not None and images.are_rows else np.ptp(rows, axis=0)
    found, missing = {"encoder": None, "decoder": None}, []
    for name in found:
        model = getattr(estimator, f"{name}_")
        if model is None:
            continue
        try:
            if name == "encoder":
                if images is not None and images.are_rows and images.pixels.shape[-1] > 1:
                    raise ValueError("color images cannot be drawn")
                network = PageNetwork(model, rows, offset=offset)
                network.check(rows, points, points.std(axis=0).max() or 1)
            else:
                network = PageNetwork(model, points, shift=offset)
                expected = np.asarray(estimator.inverse_transform(points)).reshape(len(points), -1)
                network.check(points, expected, np.maximum(np.where(ranges > 0, ranges, 1), np.ptp(expected, axis=0)))
            found[name] = network.packed()
        except ValueError as error:
            missing.append(f"{name}: {error}")
    if missing:
        warnings.warn(f"The page has no live network. {'; '.join(missing)}. network=False leaves the networks out without a warning.", stacklevel=4)
    return found


# %% [markdown]
# The page opens with a view that leaves out a few outliers.

# %%
#| export
def _window(points) -> list:
    "Left, right, bottom and top of the first view."
    low, high = inner_range(points)
    margin = 0.04 * float((high - low).max()) or 1.0
    return [float(low[0]) - margin, float(high[0]) + margin, float(low[1]) - margin, float(high[1]) + margin]


def _embedded(estimator, X) -> np.ndarray:
    "The points of the map, after checks."
    check_is_fitted(estimator)
    width = estimator.encoder_.output_shape[-1]
    if width != 2:
        raise ValueError(f"The embedding has {width} dimensions; a map has 2: fit with n_components=2.")
    if X.shape[0] > MOST_ROWS:
        raise ValueError(f"X has {X.shape[0]:,} rows; a page holds at most {MOST_ROWS:,}: give a sample of them.")
    points = np.asarray(estimator.transform(X), dtype="float32")
    if not np.isfinite(points).all():
        raise ValueError("The embedding holds NaN or infinity: the training diverged.")
    return points


# %% [markdown]
# All data become one JSON object in a `<script>` element. Its `<` are escaped, so no label can close the element. The page writes labels as text,
# never as markup. A content security policy forbids the browser to load anything.

# %%
#| export
def map_page(estimator, X, labels=None, images=None, text=None, title: str = "Map", network: bool = True) -> str:
    """Make a page with the map of rows.

    Parameters
    ----------
    estimator : ParametricUMAP
        Fitted, with two components.
    X : array-like, data frame or CSR matrix, shape (n_rows, ...)
        At most 200,000 rows, as for `transform`. Columns of a data frame keep their names.
    labels : array-like, shape (n_rows,), or None
        Classes, or a quantity.
    images : ndarray, tuple of int or None
        An image for each row, shape (n_rows, height, width) or with 1 or 3 channels. A tuple is the shape of images that the rows themselves
        are. `None` = the rows, if they have the shape of an image.
    text : sequence of str or None
        A text for each row, shown and searched.
    title : str
    network : bool
        Whether encoder and decoder run in the page, if they can. They need dense layers, at most 2 million weights, and rows that are gray images
        or have at most 60 columns.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ValueError
        For an embedding that is not in two dimensions, arguments of another length than `X`, images of another shape, or too much data.

    Warns
    -----
    UserWarning
        If a network cannot run in the page; the message names the layer.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap import ParametricUMAP
    >>> from pumap.interactive_map import map_page
    >>> X = np.random.default_rng(0).random((50, 3))
    >>> model = ParametricUMAP(n_training_epochs=0.1, random_state=0).fit(X)
    >>> "<title>Three columns</title>" in map_page(model, X, title="Three columns")
    True
    """
    names = [str(name) for name in X.columns] if hasattr(X, "columns") else [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    rows = X.tocsr() if sparse.issparse(X) else np.asarray(X)
    points = _embedded(estimator, X if hasattr(X, "columns") else rows)
    if text is not None and len(text) != len(points):
        raise ValueError(f"text has {len(text):,} entries; for {len(points):,} rows it must have {len(points):,}.")
    found = find_images(estimator, rows, images)
    are_rows = found is not None and found.are_rows
    columns = None if are_rows else _columns(estimator, rows, names)
    data = {"rows": len(points), "points": pack_array(points), "window": _window(points)}
    data |= _labels(labels, len(points)) | {"text": None if text is None else [str(entry) for entry in text]}
    data |= {"images": found and found.packed(), "columns": columns, "encoder": None, "decoder": None}
    if network and (are_rows or columns):
        data |= _networks(estimator, rows, points, found)
    elif network:
        many = f"rows of {math.prod(estimator._row_shape):,} values can neither be drawn nor edited (at most {MOST_COLUMNS} columns, or images=(height, width))"
        warnings.warn(f"The page has no live network: {many}. network=False leaves it out without a warning.", stacklevel=3)
    content = {"TITLE": html.escape(title), "DATA": json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")}
    template = files("pumap").joinpath("interactive_map.html").read_text(encoding="utf-8")
    return re.sub("__(TITLE|DATA)__", lambda match: content[match[1]], template)


# %% [markdown]
# The wines have 13 columns in different units, which are scaled before the fit. Move a slider, or click a wine first.

# %%
wine = load_wine(as_frame=True)
scaled = StandardScaler().set_output(transform="pandas").fit_transform(wine.data)
wines = ParametricUMAP(n_training_epochs=2, decoder="mlp", reconstruction_loss="mse", n_decoder_epochs=20, random_state=0)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the decoder ends in a sigmoid, and the columns go beyond 0 and 1
    wines.fit(scaled)
wine_page = map_page(wines, scaled, labels=wine.target_names[wine.target], title="178 wines")
framed(wine_page)


# %% [markdown]
# ## Reading a page
#
# What the browser unpacks can be unpacked in Python, too. The points are those of `transform`.

# %%
def data_of(page):
    return json.loads(re.search('<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def unpacked(text, dtype):
    return np.frombuffer(gzip.decompress(base64.b64decode(text)), dtype)


data = data_of(page)
assert_array_equal(unpacked(data["points"], "<f4").reshape(-1, 2), model.transform(X[:500]))
assert data["images"]["shape"] == [8, 8, 1] and data["columns"] is None and len(data["encoder"]["steps"]) == len(data["decoder"]["steps"]) == 4
assert data_of(wine_page)["columns"]["names"] == list(wine.data.columns)
quantity = data_of(map_page(model, X[:20], labels=X[:20, 20], text=["a"] * 20, images=(8, 8), network=False))
assert "quantity" in quantity and quantity["encoder"] is None and quantity["text"] == ["a"] * 20
assert map_page(model, X[:20], images=(8, 8)) == map_page(model, X[:20], images=(8, 8))
print(f"{len(page) / 1e6:.2f} MB")

# %% [markdown]
# Markup in labels, texts, column names and titles stays text.

# %%
evil = "</script><img src=x onerror=alert(1)>"
hostile = map_page(model, X[:20], labels=[evil] * 20, text=[evil] * 20, images=(8, 8), title=evil)
assert hostile.count("</script>") == page.count("</script>") and "<img" not in hostile
assert data_of(hostile)["classes"]["names"] == [evil]


# %% [markdown]
# ## Errors
#
# Each error names the value and says what to do. A network that the page cannot run causes a warning, and the page is written without it.

# %%
def message(*arguments, **options):
    try:
        map_page(*arguments, **options)
    except ValueError as error:
        return str(error)
    raise AssertionError("no error")


quick = dict(n_training_epochs=0.1, random_state=0)
spatial = ParametricUMAP(3, **quick).fit(X[:100])
assert "3 dimensions" in message(spatial, X[:100])
assert "(20,)" in message(model, X[:20], labels=y[:19])
assert "NaN" in message(model, X[:20], labels=np.full(20, np.nan))
assert "text" in message(model, X[:20], text=["a"])
assert "64 values" in message(model, X[:20], images=(8, 9))
assert "20 rows" in message(model, X[:20], images=X[:19].reshape(-1, 8, 8))
assert "1 or 3 channels" in message(model, X[:20], images=np.zeros((20, 8, 8, 2)))
assert "sample" in message(model, np.zeros((200_001, 64), "uint8"))
assert "classes" in message(model, X[:300], labels=[f"row {i}" for i in range(300)], images=(8, 8))
assert "MB" in message(model, X[:1000], images=np.broadcast_to(np.uint8(0), (1000, 300, 300)))

# %%
deep = ParametricUMAP(encoder=lambda shape, n: build_encoder("conv28", shape, n), **quick).fit(np.tile(X[:100], (1, 13))[:, :784])
for arguments, options in (((deep, np.tile(X[:20], (1, 13))[:, :784]), {"images": (28, 28)}), ((model, X[:20]), {})):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert data_of(map_page(*arguments, **options))["encoder"] is None
    print(*(warning.message for warning in caught))
    assert len(caught) == 1
