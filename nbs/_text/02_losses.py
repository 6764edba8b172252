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
# # Losses
#
# > The UMAP cross entropy, and the losses of the baselines, as pure functions.

# %%
#| default_exp losses

# %%
#| hide
import keras
import matplotlib.pyplot as plt
import numpy as np
from numpy.testing import assert_allclose

from pumap.backend import training_step
from pumap.graph import find_ab

# %%
#| export
import math
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

# %% [markdown]
# This notebook defines the losses that train the embedding networks of this package. They are functions of tensors only: no network, no data set,
# no random numbers. They are written in `keras.ops`, so they run on TensorFlow, JAX and PyTorch.
#
# | loss | trains |
# |---|---|
# | `umap_cross_entropy`, `rolled_cross_entropy`, with the settings in `UMAPLoss` | parametric UMAP |
# | `reconstruction_loss` | decoders and autoencoders |
# | `vae_loss` | variational autoencoders |
# | `tsne_divergence` | parametric t-SNE |
# | `landmark_loss`, `distance_correlation` | optional terms of parametric UMAP: fixed positions, global distances |
#
# The UMAP loss comes first. Two points at distance $d$ in the embedding are neighbors with probability
# $$q(d) = \frac{1}{1 + a\,d^{2b}}.$$
# The cross entropy with the graph has two terms. The **attraction** $-\log q$ applies to edges and pulls their ends together. The **repulsion**
# $-\log(1 - q)$ applies to random pairs and pushes them apart. The function below computes both in NumPy, in double precision. It is the
# reference for the tests of the UMAP loss.

# %%
a, b = find_ab(min_dist=0.1, spread=1.0)
LINES = {
    "exact": dict(color="C0", lw=5, alpha=0.35),
    "paper": dict(color="C1"),
    "umap-learn-0.5.12": dict(color="C3"),
}


def reference_terms(d, form="exact"):
    "Attraction and repulsion at distances d, in double precision."
    odds = a * np.maximum(np.asarray(d, dtype="float64"), 1e-6) ** (2 * b)
    attraction, repulsion = np.log1p(odds), np.log1p(1 / odds)  # -log(q), -log(1 - q)
    if form == "paper":
        return np.minimum(attraction, -np.log(1e-4)), np.minimum(repulsion, -np.log(1e-4))
    if form == "umap-learn-0.5.12":
        return np.log1p(np.exp(attraction)), np.log1p(np.exp(-attraction))
    return attraction, repulsion


# %% [markdown]
# Three forms of these terms are in use: the exact one, the paper's, and umap-learn's. They differ for very close and very distant pairs.

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained", width_ratios=(2, 3))
d = np.linspace(0, 4, 200)
axes[0].plot(d, np.exp(-reference_terms(d)[0]), color="k")
axes[0].set(xlabel="distance d", ylabel="q(d)", ylim=(0, 1.05))
d = np.geomspace(1e-3, 1e3, 300)
for form, line in LINES.items():
    attraction, repulsion = reference_terms(d, form)
    axes[1].plot(d, attraction, **line, label=form)
    axes[1].plot(d, repulsion, "--", **line)
axes[1].set(xscale="log", xlabel="distance d", ylabel="loss", title="attraction (solid) and repulsion (dashed)")
axes[1].legend(frameon=False);

# %% [markdown]
# ## The log odds of a pair
#
# Both terms follow from one number, the log odds *against* being neighbors. Dividing $1-q$ by $q$ gives $a\,d^{2b}$:
# $$t = \log a + b \log d^2, \qquad -\log q = \mathrm{softplus}(t), \qquad -\log(1-q) = \mathrm{softplus}(-t).$$
# The softplus is accurate in both tails. Computing $1-q$ by subtraction would lose all digits for close pairs.
#
# Distances stay squared, because the square root has no gradient at zero. Distances below $10^{-6}$ count as $10^{-6}$, so coincident points have
# a finite loss and a gradient of zero.

# %%
#| export
_NEAREST = 1e-6  # smaller distances count as this one


def squared_distance(x, y):
    """Compute the squared Euclidean distance of each pair.

    Parameters
    ----------
    x, y : tensor, shape (n_pairs, n_components)
        The two points of each pair, of any float type.

    Returns
    -------
    tensor, float32, shape (n_pairs,)
    """
    return ops.sum(ops.square(ops.subtract(_float32(x), _float32(y))), axis=-1)


def _float32(x):
    "A tensor in float32; a network may compute in half or double precision."
    return ops.cast(ops.convert_to_tensor(x), "float32")


def log_odds(d2, a: float, b: float):
    r"""Compute the log odds against each pair being neighbors, :math:`\log((1 - q) / q) = \log a + b \log d^2`.

    Parameters
    ----------
    d2 : tensor of any shape
        Squared distances. Values below 1e-12 count as 1e-12.
    a, b : float
        Parameters of the similarity curve, from `graph.find_ab`.

    Returns
    -------
    tensor of the same shape
    """
    return math.log(a) + b * ops.log(ops.maximum(d2, _NEAREST**2))


# %%
d = np.array([0.5, 1.0, 2.0])
q = 1 / (1 + a * d ** (2 * b))
assert_allclose(log_odds(d**2, a, b), np.log((1 - q) / q), rtol=1e-6)


# %% [markdown]
# ## Three forms of the terms
#
# **Exact.** The formulas above.

# %%
#| export
def exact_terms(t):
    """Compute -log(q) and -log(1 - q) without clipping.

    Parameters
    ----------
    t : tensor of any shape
        Log odds, from `log_odds`.

    Returns
    -------
    attraction, repulsion : tensors of the same shape
    """
    return ops.softplus(t), ops.softplus(-t)


# %%
assert_allclose(exact_terms(log_odds(d**2, a, b)), reference_terms(d), rtol=1e-6)

# %% [markdown]
# **Paper.** The original code clips $q$ and $1-q$ to at least $10^{-4}$ before the logarithm. This limits each term to
# $-\log 10^{-4} \approx 9.21$, and beyond the limit there is no gradient. With the default $a$ and $b$, that concerns repulsion at distances below
# about 0.0045 and attraction at distances above about 130. If *all* points come that close, training stalls; `05_training` warns of it.

# %%
#| export
FLOOR = 1e-4  # the original's lower bound of q and of 1 - q


def paper_terms(t):
    """Compute -log(q) and -log(1 - q) with q and 1 - q clipped to at least 1e-4, as in the paper's code.

    Parameters
    ----------
    t : tensor of any shape
        Log odds, from `log_odds`.

    Returns
    -------
    attraction, repulsion : tensors of the same shape
    """
    attraction, repulsion = exact_terms(t)
    return ops.minimum(attraction, -math.log(FLOOR)), ops.minimum(repulsion, -math.log(FLOOR))


# %%
near_and_far = np.array([0.0, 1e-4, 1.0, 100.0, 1000.0])
q = 1 / (1 + a * near_and_far ** (2 * b))
attraction, repulsion = paper_terms(log_odds(near_and_far**2, a, b))
assert_allclose(attraction, -np.log(np.clip(q, 1e-4, 1)), rtol=1e-6, atol=1e-6)
assert_allclose(repulsion, -np.log(np.clip(1 - q, 1e-4, 1)), rtol=1e-6, atol=1e-6)

# %%
limit = np.float32(-np.log(FLOOR))
_, repulsion = paper_terms(log_odds(np.square([0.0044, 0.0046]), a, b))
assert np.isclose(repulsion[0], limit) and repulsion[1] < limit
attraction, _ = paper_terms(log_odds(np.square([130.0, 135.0]), a, b))
assert attraction[0] < limit and np.isclose(attraction[1], limit)


# %% [markdown]
# **umap-learn 0.5.12.** Its `ParametricUMAP` passes $\log q$ to a log-sigmoid, which expects a logit. The result is the loss of the similarity
# $q / (1 + q)$, which never exceeds one half. This form is for comparison only, and is named after that version.

# %%
#| export
def umap_learn_terms(t):
    """Compute the terms of umap-learn 0.5.12, which uses log(q) as a logit.

    Parameters
    ----------
    t : tensor of any shape
        Log odds, from `log_odds`.

    Returns
    -------
    attraction, repulsion : tensors of the same shape
    """
    log_q = -ops.softplus(t)
    return ops.softplus(-log_q), ops.softplus(log_q)


# %% [markdown]
# For two coincident points, the exact form has no attraction and a large repulsion. In umap-learn's form, both terms are $\log 2$.

# %%
coincident = log_odds(np.zeros(1), a, b)
attraction, repulsion = np.ravel(exact_terms(coincident))
assert attraction < 1e-6 and repulsion > 20
assert_allclose(np.ravel(umap_learn_terms(coincident)), np.log(2), rtol=1e-5)

# %% [markdown]
# ## The settings of the loss
#
# The curve, the form, the weight of the repulsion and the number of negatives are kept in one object, `UMAPLoss`, which every solver takes.

# %%
#| export
_FORMS = {"paper": paper_terms, "exact": exact_terms, "umap-learn-0.5.12": umap_learn_terms}


def check_form(name: str):
    """Look up a form of the loss by name.

    Parameters
    ----------
    name : {"paper", "exact", "umap-learn-0.5.12"}

    Returns
    -------
    callable
        Function of log odds that returns attraction and repulsion.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    """
    if name not in _FORMS:
        raise ValueError(f"loss is {name!r}; it must be one of: {', '.join(_FORMS)}.")
    return _FORMS[name]


# %%
#| export
class UMAPLoss(NamedTuple):
    """Hold the settings of the UMAP cross entropy.

    Attributes
    ----------
    a, b : float
        Parameters of the similarity curve :math:`q(d) = 1 / (1 + a d^{2b})`, from `graph.find_ab`.
    form : {"paper", "exact", "umap-learn-0.5.12"}, default="paper"
        How the terms are computed: `paper_terms`, `exact_terms` or `umap_learn_terms`.
    repulsion_strength : float, default=1.0
        Weight of the repulsion.
    negative_sample_rate : int, default=5
        Negative pairs per edge.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.losses import UMAPLoss
    >>> loss = UMAPLoss(1.577, 0.895)
    >>> attraction, repulsion = loss.terms(np.array([0.1, 10.0], "float32"))
    >>> bool(attraction[0] < attraction[1]), bool(repulsion[0] > repulsion[1])
    (True, True)
    """

    a: float
    b: float
    form: str = "paper"
    repulsion_strength: float = 1.0
    negative_sample_rate: int = 5

    def terms(self, d2):
        """Compute attraction and repulsion of pairs.

        Parameters
        ----------
        d2 : tensor of any shape
            Squared distances.

        Returns
        -------
        attraction, repulsion : tensors of the same shape
            -log(q), and `repulsion_strength` times -log(1 - q).
        """
        attraction, repulsion = check_form(self.form)(log_odds(d2, self.a, self.b))
        return attraction, self.repulsion_strength * repulsion

    @property
    def greatest_repulsion(self) -> float:
        """Value at which the repulsion is clipped and has no gradient; infinite for forms without a clip."""
        return -math.log(FLOOR) * self.repulsion_strength if self.form == "paper" else math.inf

    @property
    def uninformed(self) -> float:
        """The least mean loss if all pairs, neighbors or not, were at one distance."""
        d2 = np.logspace(-6, 6, 1000, dtype=np.float32)
        return float(np.min(ops.convert_to_numpy(self.mean(*self.terms(d2)))))

    def mean(self, attraction, repulsion):
        """Combine mean terms into the mean over an edge and its negatives."""
        return (attraction + self.negative_sample_rate * repulsion) / (1 + self.negative_sample_rate)


# %%
loss = UMAPLoss(a, b)
ones = np.ones(2, "float32")
assert_allclose(loss._replace(repulsion_strength=2.0).terms(ones)[1], 2 * loss.terms(ones)[1])
assert loss.mean(6.0, 0.0) == 1.0
assert loss.greatest_repulsion == -np.log(1e-4) and loss._replace(form="exact").greatest_repulsion == np.inf
assert_allclose(loss.uninformed, -(np.log(1 / 6) + 5 * np.log(5 / 6)) / 6, rtol=1e-4)  # one pair in six is an edge


# %% [markdown]
# ## The forces
#
# The gradient moves the points. The helper below computes it on any backend, with `training_step` of `04_backend`: one step of gradient descent
# with a learning rate of 1 moves a variable from zero to minus the gradient.

# %%
def gradient(function, x):
    "The gradient of the sum of a function's values."
    moved = keras.Variable(np.zeros_like(x))

    def total():
        value = ops.sum(function(moved + x))
        return value, (value,)

    training_step(total, [moved], keras.optimizers.SGD(1.0))()
    return -ops.convert_to_numpy(moved)


d = np.geomspace(1e-3, 100, 300).astype("float32")
fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained", sharey=True)
for form, line in LINES.items():
    for part, name in enumerate(("attraction", "repulsion")):
        force = np.abs(gradient(lambda x: UMAPLoss(a, b, form).terms(x**2)[part], d))
        axes[part].plot(d, np.where(force > 0, force, np.nan), **line, label=form)
        axes[part].set(xscale="log", yscale="log", xlabel="distance d", title=name, ylim=(1e-4, 1e4))
axes[0].set_ylabel("|gradient|")
axes[1].legend(frameon=False);

# %% [markdown]
# The paper's form has the exact gradient up to the clip, beyond which it is zero. In umap-learn's form, the repulsion of a pair goes to zero as
# the pair comes closer, while the exact repulsion grows without bound. Close pairs without an edge are hardly separated.

# %%
close = np.array([0.01, 0.1], "float32")
push = {form: -gradient(lambda x: UMAPLoss(a, b, form).terms(x**2)[1], close) for form in ("exact", "umap-learn-0.5.12")}
assert push["exact"][0] > push["exact"][1]
assert push["umap-learn-0.5.12"][0] < push["umap-learn-0.5.12"][1]


# %% [markdown]
# ## The loss of a batch
#
# A batch holds edges, embedded at both ends: their *heads* and *tails*. Each head attracts its own tail and repels `negative_sample_rate` tails of
# the batch, its *negatives*. The caller draws the negatives, as positions in the batch, so the loss is a pure function.

# %%
#| export
def umap_cross_entropy(head, tail, negatives, loss: UMAPLoss):
    """Compute the UMAP cross entropy of a batch of edges, term by term.

    Parameters
    ----------
    head, tail : tensor, shape (n_edges, n_components)
        Embedded ends of the edges.
    negatives : int array, shape (n_edges * negative_sample_rate,)
        Positions of the tails that are repelled; head i repels the i-th group of `negative_sample_rate` of them.
    loss : UMAPLoss

    Returns
    -------
    attraction : tensor, shape (n_edges,)
    repulsion : tensor, shape (n_edges * negative_sample_rate,)
        Already weighted by `repulsion_strength`.
    """
    rate = negatives.shape[0] // head.shape[0]
    repelled = ops.take(tail, negatives, axis=0)
    attraction, _ = loss.terms(squared_distance(head, tail))
    _, repulsion = loss.terms(squared_distance(ops.repeat(head, rate, axis=0), repelled))
    return attraction, repulsion


# %%
rng = np.random.default_rng(0)
head, tail = rng.normal(size=(2, 4, 2)).astype("float32")
negatives = rng.permutation(np.repeat(np.arange(4), 5))
attraction, repulsion = umap_cross_entropy(head, tail, negatives, loss)
assert attraction.shape == (4,) and repulsion.shape == (20,)
assert_allclose(repulsion[7], loss.terms(squared_distance(head[1], tail[negatives[7]]))[1], rtol=1e-5)  # head 1 repels negatives 5 to 9
twice = umap_cross_entropy(head, tail, negatives, loss._replace(repulsion_strength=2.0))
assert_allclose(twice[0], attraction)
assert_allclose(twice[1], 2 * repulsion)


# %% [markdown]
# The paper's loop in `05_training` uses this function. The fast solver in `06_fast_solver` repels more pairs per forward pass. It puts the heads
# on top of the tails and compares this array with itself, rolled by a few random shifts. Every row, head or tail, then repels one other row per
# shift, and never itself.

# %%
#| export
def rolled_cross_entropy(z, shifts, loss: UMAPLoss):
    """Compute the UMAP cross entropy of a batch of edges, with negatives from rolling the batch.

    Parameters
    ----------
    z : tensor, shape (2 * n_edges, n_components)
        Embedded heads on top of their tails.
    shifts : int array, shape (n_shifts,)
        Each from 1 to 2 * n_edges - 1. Shift s pairs row i with row i - s, modulo the number of rows.
    loss : UMAPLoss

    Returns
    -------
    attraction : tensor, shape (n_edges,)
    repulsion : tensor, shape (n_shifts, 2 * n_edges)
        Already weighted by `repulsion_strength`.
    """
    head, tail = ops.split(z, 2)
    attraction, _ = loss.terms(squared_distance(head, tail))
    apart = ops.stack([squared_distance(z, ops.roll(z, shift, axis=0)) for shift in ops.unstack(ops.convert_to_tensor(shifts))])
    _, repulsion = loss.terms(apart)
    return attraction, repulsion


# %%
z = np.concatenate([head, tail])
attraction, repulsion = rolled_cross_entropy(z, np.array([1, 3]), loss)
assert_allclose(attraction, umap_cross_entropy(head, tail, negatives, loss)[0])
assert repulsion.shape == (2, 8)
assert_allclose(repulsion[1], loss.terms(squared_distance(z, np.roll(z, 3, axis=0)))[1])

# %% [markdown]
# ## Accuracy
#
# In single precision, all forms agree with the reference: from coincident points to a distance of 100, in 2, 3 and 64 dimensions.

# %%
for n_components in (2, 3, 64):
    direction = rng.normal(size=(1001, n_components))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    x = (direction * np.linspace(0, 100, 1001)[:, None]).astype("float32")
    distance = np.linalg.norm(x.astype("float64"), axis=1)
    for form in LINES:
        single = UMAPLoss(a, b, form).terms(squared_distance(x, np.zeros_like(x)))
        for part, reference in zip(single, reference_terms(distance, form)):
            assert_allclose(part, reference, rtol=1e-6, atol=1e-6)

# %% [markdown]
# Gradients stay finite for coincident points and duplicate rows, also in a compiled step. (umap-learn 0.5.12 returns NaN there when XLA is on.)

# %%
same = np.repeat([[0.3, -0.2]], 4, axis=0).astype("float32")
for form in LINES:
    for ends in ((same, same), (same, tail), (tail, same)):
        terms = lambda z: ops.concatenate(umap_cross_entropy(*ops.split(z, 2), np.arange(20) % 4, UMAPLoss(a, b, form)))
        assert np.isfinite(gradient(terms, np.concatenate(ends))).all()


# %% [markdown]
# ## Reconstruction
#
# A decoder is trained on the difference between the data and their reconstruction. For data in $[0, 1]$ the paper uses the binary cross entropy; for
# other data the mean squared error fits. Both are means over all values. Any other loss is given by the name that Keras has for it, or as a function.

# %%
#| export
def named_loss(loss, setting: str):
    """Look up a loss that is given by name or as a function.

    Parameters
    ----------
    loss : str or callable
        A name that Keras knows, such as "mae", or a function (true, predicted) -> loss.
    setting : str
        Name of the setting, for the error.

    Returns
    -------
    callable
        Function (true, predicted) of the loss, a scalar or one value per row.

    Raises
    ------
    ValueError
        For an unknown name, or another type.
    """
    if isinstance(loss, type) or not isinstance(loss, str) and not callable(loss):
        raise ValueError(f"{setting} is {loss!r}; it must be the name of a loss, or a function (true, predicted) -> loss.")
    try:
        return keras.losses.get(loss)
    except ValueError:
        raise ValueError(f"{setting} is {loss!r}; Keras knows no such loss: use 'binary_crossentropy', 'mse', another of its names, or a function.") from None


def reconstruction_loss(x, x_decoded, loss: str = "binary_crossentropy"):
    """Compute the mean reconstruction loss over all values.

    Parameters
    ----------
    x : tensor, shape (n_rows, ...)
        Rows; values in [0, 1] for the binary cross entropy.
    x_decoded : tensor
        Their reconstructions, with as many values in the same order.
    loss : str or callable, default="binary_crossentropy"
        Name of a Keras loss, or a function. It gets the rows in the shape of their reconstructions, and returns a scalar or one value per row.

    Returns
    -------
    tensor, scalar

    Raises
    ------
    ValueError
        If the name of the loss is unknown.
    """
    if loss not in ("binary_crossentropy", "mse"):
        return ops.mean(named_loss(loss, "reconstruction_loss")(ops.reshape(_float32(x), x_decoded.shape), _float32(x_decoded)))
    x, x_decoded = ops.reshape(_float32(x), (-1,)), ops.reshape(_float32(x_decoded), (-1,))
    if loss == "mse":
        return ops.mean(ops.square(x - x_decoded))
    return ops.mean(ops.binary_crossentropy(x, x_decoded))


# %%
assert_allclose(reconstruction_loss(np.ones(3, "float32"), np.ones(3, "float32")), 0, atol=1e-6)
assert_allclose(reconstruction_loss(np.array([1.0], "float32"), np.array([0.5], "float32")), np.log(2), rtol=1e-5)
assert_allclose(reconstruction_loss(np.zeros(4, "float32"), np.full(4, 0.5, "float32"), "mse"), 0.25)
rows, decoded = np.zeros((3, 4), "float32"), np.full((3, 4), 0.5, "float32")
assert_allclose(reconstruction_loss(rows, decoded, "mae"), 0.5)
assert_allclose(reconstruction_loss(rows, decoded, lambda x, x_decoded: ops.max(ops.abs(x - x_decoded), axis=1)), 0.5)
assert_allclose(reconstruction_loss(rows, decoded, keras.losses.BinaryCrossentropy(from_logits=True)), np.log1p(np.exp(0.5)), rtol=1e-5)
try:
    reconstruction_loss(rows, decoded, "l1")
except ValueError as error:
    assert "'mse'" in str(error)
else:
    raise AssertionError("no error")


# %% [markdown]
# The cross entropy needs data in $[0, 1]$, under whichever name it is given.

# %%
#| export
def is_binary_crossentropy(loss) -> bool:
    """Return whether a reconstruction loss is the binary cross entropy, by one of its names or as an object."""
    loss = named_loss(loss, "reconstruction_loss")
    return loss is keras.losses.binary_crossentropy or isinstance(loss, keras.losses.BinaryCrossentropy)


# %%
assert all(map(is_binary_crossentropy, ("binary_crossentropy", "bce", "BinaryCrossentropy", keras.losses.BinaryCrossentropy(from_logits=True))))
assert not any(map(is_binary_crossentropy, ("mse", "poisson", lambda x, x_decoded: x)))


# %% [markdown]
# ## Two optional terms
#
# **Landmarks** are rows whose position in the embedding is given, for example by an older embedding. The loss is the mean distance from these
# positions. It grows linearly, so one row that cannot reach its place does not dominate. Rows of a batch without a position do not count.

# %%
#| export
def landmark_loss(positions, z, loss="euclidean"):
    """Compute the mean loss of the landmarks among the rows of a batch.

    Parameters
    ----------
    positions : tensor, shape (n_rows, n_components)
        Where rows should be; NaN for rows that are not landmarks.
    z : tensor, shape (n_rows, n_components)
        Where they are.
    loss : str or callable, default="euclidean"
        "euclidean" is the distance; otherwise the name of a Keras loss, or a function (true, predicted), which returns a scalar or one value
        per row, and zero for rows in their place.

    Returns
    -------
    tensor, scalar
        Zero without landmarks.
    """
    positions, z = ops.convert_to_tensor(positions), ops.convert_to_tensor(z)
    known = ops.logical_not(ops.any(ops.isnan(positions), axis=-1, keepdims=True))
    share = ops.maximum(ops.mean(ops.cast(known, z.dtype)), 1 / z.shape[0])
    true, predicted = (ops.where(known, x, ops.zeros_like(z)) for x in (positions, z))  # the other rows are in their place
    if loss == "euclidean":
        values = _distance(true, predicted)
    else:
        values = named_loss(loss, "landmark_loss")(true, predicted)
    return ops.mean(values) / share


def _distance(x, y, nearest=1e-3):
    "Euclidean distance of each pair, whose gradient vanishes below about `nearest`."
    return ops.sqrt(squared_distance(x, y) + nearest**2) - nearest


# %%
positions = np.array([[0, 0], [np.nan, np.nan], [1, 1], [np.nan, np.nan]], "float32")
z = np.array([[3, 4], [7, 7], [1, 1], [8, 8]], "float32")
assert_allclose(landmark_loss(positions, z), 2.5, atol=1e-3)  # distances 5 and 0
assert_allclose(landmark_loss(positions, z, "mse"), 25 / 4)
assert_allclose(landmark_loss(positions, z, lambda true, predicted: ops.mean(ops.square(true - predicted))), 25 / 4)  # a scalar
assert landmark_loss(np.full_like(z, np.nan), z) == 0
assert np.isfinite(gradient(lambda moved: landmark_loss(positions, moved), z)).all()


# %% [markdown]
# **Global distances.** UMAP keeps neighborhoods; how far apart clusters lie is mostly arbitrary. The correlation of distances in the data with
# distances in the embedding, over random pairs of rows, measures how well large distances are kept. As a term of the loss it is $1 - r$.

# %%
#| export
def distance_correlation(distances, z):
    """Compute the Pearson correlation of given distances with those in the embedding, over the pairs of each row and the one before it.

    Parameters
    ----------
    distances : tensor, shape (n_rows,)
        Distance in the data of each row from the one before it; of the first from the last.
    z : tensor, shape (n_rows, n_components)
        The same rows, embedded.

    Returns
    -------
    tensor, scalar
        From -1 to 1.
    """
    z = ops.convert_to_tensor(z)
    x, y = ops.convert_to_tensor(distances), _distance(z, ops.roll(z, 1, axis=0))
    x, y = x - ops.mean(x), y - ops.mean(y)
    return ops.sum(x * y) / ops.sqrt(ops.maximum(ops.sum(x * x) * ops.sum(y * y), 1e-20))


# %%
z = rng.normal(size=(50, 2)).astype("float32")
data = np.c_[z, 3 * rng.normal(size=50)].astype("float32")
apart = [np.linalg.norm(x - np.roll(x, 1, axis=0), axis=1) for x in (data, z)]
assert_allclose(distance_correlation(apart[0], z), np.corrcoef(apart)[0, 1], rtol=1e-3)
assert_allclose(distance_correlation(5 * apart[1], z), 1, atol=1e-3)
assert distance_correlation(apart[0], np.zeros_like(z)) == 0  # all points in one place


# %% [markdown]
# ## Variational autoencoder
#
# The encoder of a variational autoencoder (VAE) maps each row to a normal distribution over the embedding. Its outputs are the mean $\mu$ and the
# log variance $\log \sigma^2$. The decoder reconstructs the row from a point drawn from this distribution. The loss has two parts: the reconstruction
# loss, and the Kullback-Leibler divergence from the standard normal distribution. The divergence keeps the embedding around zero:
# $$\mathrm{KL} = -\tfrac12 \sum_j \left(1 + \log\sigma_j^2 - \mu_j^2 - \sigma_j^2\right).$$

# %%
#| export
def kl_divergence(mean, log_variance):
    """Compute the divergence of normal distributions from the standard normal one, component by component.

    Parameters
    ----------
    mean, log_variance : tensor, shape (n_rows, n_components)

    Returns
    -------
    tensor, shape (n_rows, n_components)
        The divergence of a row is the sum over its components.
    """
    mean, log_variance = _float32(mean), _float32(log_variance)
    return -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))


# %%
assert_allclose(kl_divergence(np.zeros((1, 2), "float32"), np.zeros((1, 2), "float32")), 0)
assert_allclose(kl_divergence(np.float32([[2]]), np.float32([[0]])), 2)  # half the squared distance of the means
narrow = kl_divergence(np.float32([[0]]), np.log(np.float32([[0.01]])))
assert_allclose(narrow, 0.5 * (0.01 - 1 - np.log(0.01)), rtol=1e-6)


# %% [markdown]
# There are two choices for the relative weight of the two parts:
#
# | weighting | reconstruction | divergence |
# |---|---|---|
# | `"elbo"` (default): the evidence lower bound | *sum* over the values of a row | *sum* over the components |
# | `"paper"`: the original code | 784 times the *mean* over the values | *mean* over the components |
#
# The paper's divergence therefore weighs half as much in 2 dimensions and 1/64 in 64. Its reconstruction term is the likelihood only for rows of 784
# values. Use `"paper"` to compare with published numbers.

# %%
#| export
def vae_loss(x, x_decoded, mean, log_variance, weighting: str = "elbo"):
    """Compute the two parts of a variational autoencoder's loss; their sum is the loss.

    Parameters
    ----------
    x : tensor, shape (n_rows, ...)
        Rows, with values in [0, 1].
    x_decoded : tensor
        Reconstructions from one drawn point per row, with as many values in the same order.
    mean, log_variance : tensor, shape (n_rows, n_components)
        Output of the encoder.
    weighting : {"elbo", "paper"}, default="elbo"
        `"elbo"` sums over values and over components. `"paper"` takes 784 times the mean over values, and the mean over components.

    Returns
    -------
    reconstruction, divergence : tensors, scalar
        Means over the rows.

    Raises
    ------
    ValueError
        If the weighting is unknown.
    """
    if weighting not in ("elbo", "paper"):
        raise ValueError(f"weighting is {weighting!r}; it must be 'elbo' or 'paper'.")
    n_values = 784 if weighting == "paper" else math.prod(x.shape[1:])
    divergence = kl_divergence(mean, log_variance)
    divergence = ops.mean(divergence) if weighting == "paper" else ops.mean(ops.sum(divergence, axis=-1))
    return n_values * reconstruction_loss(x, x_decoded), divergence


# %%
x, half = np.ones((3, 5), "float32"), np.full((3, 5), 0.5, "float32")
mean, log_variance = np.full((3, 2), 2, "float32"), np.zeros((3, 2), "float32")
assert_allclose(vae_loss(x, half, mean, log_variance), (5 * np.log(2), 4), rtol=1e-5)
assert_allclose(vae_loss(x, half, mean, log_variance, "paper"), (784 * np.log(2), 2), rtol=1e-5)


# %% [markdown]
# ## Parametric t-SNE: the data
#
# t-SNE compares all pairs of rows at once. It computes probabilities $P$ that two rows are neighbors in the data, and probabilities $Q$ that their
# points are neighbors in the embedding. Parametric t-SNE (van der Maaten 2009) takes all pairs of a fixed batch, so $P$ is computed once.
#
# Row $i$ picks row $j$ as its neighbor with probability $p_{j|i} \propto \exp(-\beta_i d_{ij}^2)$. Bisection finds the $\beta_i$ at which the entropy
# of these probabilities is $\log(\mathrm{perplexity})$. The perplexity is thus the effective number of neighbors of a row.

# %%
#| export
def _tsne_conditionals(d2, perplexity, tolerance=1e-5, n_iter=50):
    "Conditional probabilities from squared distances, float64, shape (n_some, n_rows), infinite from a row to itself; each row sums to 1."
    d2 = d2 - d2.min(axis=1, keepdims=True)  # the nearest is at 0, so the sum below is at least 1
    finite = np.where(np.isfinite(d2), d2, 0.0)
    low, high = np.zeros(len(d2)), np.full(len(d2), np.inf)
    mean = finite.sum(axis=1) / (d2.shape[1] - 1)
    beta = 1 / np.where(mean > 0, mean, 1.0)
    for _ in range(n_iter):
        p = np.exp(-beta[:, None] * d2)
        total = p.sum(axis=1)
        excess = np.log(total) + beta * (p * finite).sum(axis=1) / total - np.log(perplexity)  # of the entropy
        if (abs(excess) < tolerance).all():
            break
        low, high = np.where(excess > 0, beta, low), np.where(excess > 0, high, beta)
        moved = np.where(np.isinf(high), 2 * beta, (low + np.where(np.isinf(high), 0.0, high)) / 2)
        beta = np.where(abs(excess) < tolerance, beta, moved)
    p = np.exp(-beta[:, None] * d2)
    return p / p.sum(axis=1, keepdims=True)


# %% [markdown]
# An example: 100 equally spaced points on a line. The picture shows the probabilities with which the middle one picks its neighbors; it never picks
# itself.

# %%
line = np.square(np.arange(100.0)[:, None] - np.arange(100.0))
np.fill_diagonal(line, np.inf)
fig, ax = plt.subplots(figsize=(5, 2.5), layout="constrained")
for perplexity in (5, 10, 30):
    ax.plot(np.arange(100) - 50, _tsne_conditionals(line, perplexity)[50], label=f"perplexity {perplexity}")
ax.set(xlabel="position relative to the row", ylabel="probability")
ax.legend(frameon=False);

# %%
p = _tsne_conditionals(line, perplexity=10)
entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1)
assert_allclose(np.exp(entropy), 10, rtol=1e-4)
assert_allclose(p.sum(axis=1), 1)
assert (p.diagonal() == 0).all()


# %% [markdown]
# $P$ adds both directions of a pair, and is scaled to a sum of 1. Distances are computed in double precision, a chunk of rows at a time.

# %%
#| export
def tsne_probabilities(X, perplexity: float = 30.0, chunk: int = 256) -> np.ndarray:
    """Compute the probabilities P of t-SNE, that two rows are neighbors in the data.

    Parameters
    ----------
    X : array, shape (n_rows, ...)
        Rows of a batch.
    perplexity : float, default=30.0
        Effective number of neighbors of a row; at least 1 and less than a third of the rows.
    chunk : int, default=256
        Number of rows whose distances are in memory at a time.

    Returns
    -------
    ndarray, float32, shape (n_rows, n_rows)
        Symmetric, with a zero diagonal and a sum of 1.

    Raises
    ------
    ValueError
        If the perplexity does not suit the number of rows.

    References
    ----------
    van der Maaten and Hinton (2008), Visualizing data using t-SNE, section 2.
    """
    n_rows = len(X)
    if not 1 <= perplexity < n_rows / 3:
        raise ValueError(f"perplexity is {perplexity}; for a batch of {n_rows} rows it must be at least 1 and less than a third of the rows.")
    X = np.asarray(X, dtype=np.float64).reshape(n_rows, -1)
    squares = np.square(X).sum(axis=1)
    P = np.empty((n_rows, n_rows), dtype=np.float32)
    for start in range(0, n_rows, chunk):
        some = np.arange(start, min(start + chunk, n_rows))
        d2 = np.maximum(squares[some, None] + squares - 2 * X[some] @ X.T, 0)
        d2[np.arange(len(some)), some] = np.inf
        P[some] = _tsne_conditionals(d2, perplexity)
    P += P.T
    return P / P.sum(dtype=np.float64).astype(np.float32)


# %%
rows = rng.normal(size=(60, 5))
P = tsne_probabilities(rows, perplexity=8, chunk=7)
assert_allclose(P, P.T)
assert_allclose(P.sum(), 1, rtol=1e-5)
assert_allclose(P, tsne_probabilities(rows + 100, perplexity=8), rtol=1e-4, atol=1e-9)  # only distances count


# %% [markdown]
# ## Parametric t-SNE: the embedding
#
# In the embedding, neighbors follow a Student t distribution with $\alpha$ degrees of freedom,
# $$Q_{ij} \propto \left(1 + d_{ij}^2/\alpha\right)^{-(\alpha+1)/2}.$$
#
# Its heavy tails make room for moderately distant points. More dimensions have more room, so $\alpha = \max(1, n_\mathrm{components} - 1)$.
#
# The loss is the Kullback-Leibler divergence $\sum P \log(P/Q)$. It is computed from $\log Q$, so $Q$ needs no lower bound.

# %%
#| export
def tsne_divergence(P, z, alpha: float):
    """Compute the Kullback-Leibler divergence of the neighbors in the embedding from those in the data.

    Parameters
    ----------
    P : tensor, shape (n_rows, n_rows)
        From `tsne_probabilities`.
    z : tensor, shape (n_rows, n_components)
        The same rows, embedded.
    alpha : float
        Degrees of freedom; van der Maaten (2009) uses `n_components - 1`, at least 1.

    Returns
    -------
    tensor, scalar

    References
    ----------
    van der Maaten (2009), Learning a parametric embedding by preserving local structure.
    """
    P, z = _float32(P), _float32(z)
    squares = ops.sum(ops.square(z), axis=-1)
    d2 = ops.maximum(squares[:, None] + squares[None, :] - 2 * ops.matmul(z, ops.transpose(z)), 0)
    log_q = -(alpha + 1) / 2 * ops.log1p(d2 / alpha)
    log_total = ops.logsumexp(log_q - 1e9 * ops.eye(z.shape[0], dtype="float32"))  # a point is not its own neighbor
    entropy = ops.sum(P * ops.log(ops.maximum(P, 1e-37)))
    return entropy - ops.sum(P * log_q) + log_total


# %% [markdown]
# The result agrees with the formula written out in double precision.

# %%
z = rng.normal(size=(60, 2)).astype("float32")
d2 = np.square(z[:, None].astype("float64") - z).sum(axis=2)
for alpha in (1, 63):
    Q = (1 + d2 / alpha) ** (-(alpha + 1) / 2)
    np.fill_diagonal(Q, 0)
    Q /= Q.sum()
    pairs = P > 0
    assert_allclose(tsne_divergence(P, z, alpha), (P[pairs] * np.log(P[pairs] / Q[pairs])).sum(), rtol=1e-5)
