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
# > The UMAP cross entropy as pure functions of pairs in the embedding.

# %%
#| default_exp losses

# %%
#| hide
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose

from pumap.graph import find_ab

# %%
#| export
import math

from keras import ops

# %% [markdown]
# Two points at distance $d$ in the embedding are neighbours with probability
# $$q(d) = \frac{1}{1 + a\,d^{2b}}.$$
# The loss compares $q$ with the membership strength of the pair in the graph. It has an attraction, $-\log q$, for pairs that are edges, and a repulsion,
# $-\log(1 - q)$, for pairs drawn at random.

# %%
a, b = find_ab(min_dist=0.1, spread=1.0)

# %% [markdown]
# ## One number per pair: the log odds
#
# Dividing $1-q$ by $q$ gives $a\,d^{2b}$, so the log odds *against* being neighbours are just
# $$t = \log a + b \log d^2, \qquad -\log q = \mathrm{softplus}(t), \qquad -\log(1-q) = \mathrm{softplus}(-t).$$
# The softplus is exact in both tails, where $1-q$ computed by subtraction would lose all its digits. Distances are taken squared:
# a root has no gradient at zero. Closer than a millionth counts as a millionth, so that coincident points have a finite loss and no gradient.

# %%
#| export
NEAREST = 1e-6  # distances below this count as this


def squared_distance(
    x,  # points, shape (n_pairs, n_components)
    y,  # their partners, shape (n_pairs, n_components)
):  # shape (n_pairs,)
    "Squared Euclidean distance of each pair."
    return ops.sum(ops.square(x - y), axis=-1)


def log_odds(
    d2,  # squared distances, shape (n_pairs,)
    a: float,  # curve parameters, from `graph.find_ab`
    b: float,
):  # shape (n_pairs,)
    "Log odds against each pair being neighbours, log((1 - q) / q)."
    return math.log(a) + b * ops.log(ops.maximum(d2, NEAREST**2))


# %%
d = np.array([0.5, 1.0, 2.0])
q = 1 / (1 + a * d ** (2 * b))
assert_allclose(log_odds(d**2, a, b), np.log((1 - q) / q), rtol=1e-6)


# %% [markdown]
# ## Three forms of one loss
#
# **Exact.** The formulas above, with nothing taken away.

# %%
#| export
def exact_terms(
    t,  # log odds, shape (n_pairs,)
):  # (attraction, repulsion), each of shape (n_pairs,)
    "-log q and -log(1 - q), exact in both tails."
    return ops.softplus(t), ops.softplus(-t)


# %%
attraction, repulsion = exact_terms(log_odds(d**2, a, b))
assert_allclose(attraction, -np.log(q), rtol=1e-6)
assert_allclose(repulsion, -np.log(1 - q), rtol=1e-6)

# %% [markdown]
# **Paper.** The original code clips $q$ and $1-q$ to at least $10^{-4}$ before the logarithm. That is the same as cutting each term off at
# $-\log 10^{-4} \approx 9.21$. Beyond the cut there is no gradient: points that nearly coincide no longer repel, and edges longer than about 130 no longer attract.

# %%
#| export
FLOOR = 1e-4  # the original's lower bound of q and of 1 - q


def paper_terms(
    t,  # log odds, shape (n_pairs,)
):  # (attraction, repulsion), each of shape (n_pairs,)
    "-log q and -log(1 - q) with q and 1 - q floored at 1e-4, as in the paper's code."
    attraction, repulsion = exact_terms(t)
    return ops.minimum(attraction, -math.log(FLOOR)), ops.minimum(repulsion, -math.log(FLOOR))


# %%
near_and_far = np.array([0.0, 1e-4, 1.0, 100.0, 1000.0])
q = 1 / (1 + a * near_and_far ** (2 * b))
attraction, repulsion = paper_terms(log_odds(near_and_far**2, a, b))
assert_allclose(attraction, -np.log(np.clip(q, 1e-4, 1)), rtol=1e-6, atol=1e-6)
assert_allclose(repulsion, -np.log(np.clip(1 - q, 1e-4, 1)), rtol=1e-6, atol=1e-6)


# %% [markdown]
# **umap-learn 0.5.12.** Its ParametricUMAP hands $\log q$ to a log-sigmoid, which expects a logit. The loss is then that of the
# similarity $q / (1 + q)$, which never exceeds one half. It is here for comparison, under the name of the version.

# %%
#| export
def umap_learn_terms(
    t,  # log odds, shape (n_pairs,)
):  # (attraction, repulsion), each of shape (n_pairs,)
    "The terms as umap-learn 0.5.12 computes them, with log q in the place of a logit."
    log_q = -ops.softplus(t)
    return ops.softplus(-log_q), ops.softplus(log_q)


# %%
coincident = log_odds(np.zeros(1), a, b)
assert_allclose(np.ravel(umap_learn_terms(coincident)), np.log(2), rtol=1e-5)  # both log 2, whatever the pair is
assert np.ravel(exact_terms(coincident))[0] < 1e-6 and np.ravel(exact_terms(coincident))[1] > 20  # exact: nothing to attract, much to repel


# %%
#| export
def loss_terms(
    d2,  # squared distances, shape (n_pairs,)
    a: float,
    b: float,
    loss: str = "paper",  # "paper", "exact" or "umap-learn-0.5.12"
):  # (attraction, repulsion), each of shape (n_pairs,)
    "Both terms of the UMAP cross entropy for each pair, in one of three forms."
    return loss_form(loss)(log_odds(d2, a, b))


def loss_form(name: str):  # function of log odds
    "The form of the cross entropy with this name; a `ValueError` lists the names."
    forms = {"paper": paper_terms, "exact": exact_terms, "umap-learn-0.5.12": umap_learn_terms}
    if name not in forms:
        raise ValueError(f"loss is {name!r}; it must be one of: {', '.join(forms)}.")
    return forms[name]


# %% [markdown]
# All three in one picture: attraction in solid lines, repulsion in dashed ones.

# %%
d = np.geomspace(1e-3, 100, 300).astype("float32")
fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for name, colour in (("exact", "C0"), ("paper", "C1"), ("umap-learn-0.5.12", "C3")):
    for part, style in zip(loss_terms(d**2, a, b, loss=name), ("-", "--")):
        axes[0].plot(d, part, style, color=colour, label=name if style == "-" else None)
    x = tf.Variable(d)
    with tf.GradientTape(persistent=True) as tape:
        parts = loss_terms(x**2, a, b, loss=name)
    for part, style in zip(parts, ("-", "--")):
        axes[1].plot(d, np.abs(tape.gradient(part, x)), style, color=colour)
axes[0].set(xscale="log", xlabel="distance", ylabel="loss", ylim=(0, 12))
axes[1].set(xscale="log", yscale="log", xlabel="distance", ylabel="|gradient|", ylim=(1e-4, 1e3))
axes[0].legend(frameon=False);

# %% [markdown]
# What the mistaken logit changes: edges that already coincide still cost $\log 2$, and close pairs that are no edges are
# hardly pushed apart, since the gradient of the repulsion goes to zero with the distance where that of the true loss grows without bound.

# %%
x = tf.Variable(np.array([0.01, 0.1], "float32"))
push = {}
for name in ("exact", "umap-learn-0.5.12"):
    with tf.GradientTape() as tape:
        repulsion = loss_terms(x**2, a, b, loss=name)[1]
    push[name] = -tape.gradient(repulsion, x).numpy()
assert push["exact"][0] > push["exact"][1]  # the nearer, the harder
assert push["umap-learn-0.5.12"][0] < push["umap-learn-0.5.12"][1]  # the nearer, the softer


# %% [markdown]
# ## The loss of a batch
#
# A batch of edges is embedded at both ends. Each head repels `negative_sample_rate` points besides its own tail; which ones is decided by `negatives`,
# positions in the batch that the caller draws, so that this stays a pure function. Repulsion counts `repulsion_strength` times.

# %%
#| export
def umap_cross_entropy(
    head,  # embedded heads of the edges, shape (n_edges, n_components)
    tail,  # embedded tails, shape (n_edges, n_components)
    negatives,  # positions of the tails that are paired with each head, int, shape (n_edges * negative_sample_rate,)
    a: float,
    b: float,
    loss: str = "paper",  # form, see `loss_terms`
    repulsion_strength: float = 1.0,
):  # (attraction of shape (n_edges,), repulsion of shape (n_edges * negative_sample_rate,))
    "The terms of the UMAP cross entropy of a batch of edges; head i repels the i-th group of `negatives`."
    rate = negatives.shape[0] // head.shape[0]
    repelled = ops.take(tail, negatives, axis=0)
    attraction, _ = loss_terms(squared_distance(head, tail), a, b, loss)
    _, repulsion = loss_terms(squared_distance(ops.repeat(head, rate, axis=0), repelled), a, b, loss)
    return attraction, repulsion_strength * repulsion


# %%
rng = np.random.default_rng(0)
head, tail = rng.normal(size=(2, 4, 2)).astype("float32")
negatives = rng.permutation(np.repeat(np.arange(4), 5))
attraction, repulsion = umap_cross_entropy(head, tail, negatives, a, b)
assert attraction.shape == (4,) and repulsion.shape == (20,)
twice = umap_cross_entropy(head, tail, negatives, a, b, repulsion_strength=2.0)
assert_allclose(twice[1], 2 * repulsion)
assert_allclose(twice[0], attraction)


# %% [markdown]
# The fast loop (`04_training`) repels more pairs with the same encodings: the whole batch, heads on top of tails, is compared with itself rolled by
# a few random shifts, so that every row repels one other row per shift, and tails do so as well as heads. No row ever meets itself.

# %%
#| export
def rolled_cross_entropy(
    z,  # embedded heads on top of their tails, shape (2 * n_edges, n_components)
    shifts,  # int, shape (n_shifts,), each from 1 to 2 * n_edges - 1
    a: float,
    b: float,
    loss: str = "paper",  # form, see `loss_terms`
    repulsion_strength: float = 1.0,
):  # (attraction of shape (n_edges,), repulsion of shape (n_shifts, 2 * n_edges))
    "The terms of the UMAP cross entropy of a batch of edges; each row repels the rows that lie `shifts` places further."
    head, tail = ops.split(z, 2)
    attraction, _ = loss_terms(squared_distance(head, tail), a, b, loss)
    apart = ops.stack([squared_distance(z, ops.roll(z, shift, axis=0)) for shift in ops.unstack(shifts)])
    _, repulsion = loss_terms(apart, a, b, loss)
    return attraction, repulsion_strength * repulsion


# %%
z = np.concatenate([head, tail])
attraction, repulsion = rolled_cross_entropy(z, np.array([1, 3]), a, b)
assert_allclose(attraction, umap_cross_entropy(head, tail, negatives, a, b)[0])
assert_allclose(repulsion[1], loss_terms(squared_distance(z, np.roll(z, 3, axis=0)), a, b)[1])


# %% [markdown]
# ## Exactness
#
# From coincident points to a distance of 100, in 2, 3 and 64 dimensions, single precision agrees with the textbook formulas in double precision.

# %%
def in_double_precision(x, y, loss):
    d = np.maximum(np.linalg.norm(x.astype("float64") - y, axis=1), 1e-6)
    log_q, log_not_q = -np.log1p(a * d ** (2 * b)), -np.log1p(1 / (a * d ** (2 * b)))
    if loss == "paper":
        return np.minimum(-log_q, -np.log(1e-4)), np.minimum(-log_not_q, -np.log(1e-4))
    if loss == "exact":
        return -log_q, -log_not_q
    return np.log1p(np.exp(-log_q)), np.log1p(np.exp(log_q))


for n_components in (2, 3, 64):
    direction = rng.normal(size=(1001, n_components))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    x = (direction * np.linspace(0, 100, 1001)[:, None]).astype("float32")
    for loss in ("paper", "exact", "umap-learn-0.5.12"):
        ours = loss_terms(squared_distance(x, np.zeros_like(x)), a, b, loss)
        for our_part, true_part in zip(ours, in_double_precision(x, np.zeros_like(x), loss)):
            assert_allclose(our_part, true_part, rtol=1e-6, atol=1e-6)

# %% [markdown]
# Gradients stay finite with coincident points and duplicate rows, compiled by XLA or not. (umap-learn 0.5.12 returns NaN here when XLA is on.)

# %%
for jit_compile in (False, True):
    for loss in ("paper", "exact", "umap-learn-0.5.12"):

        @tf.function(jit_compile=jit_compile)
        def gradients(head, tail):
            with tf.GradientTape() as tape:
                tape.watch([head, tail])
                total = sum(ops.sum(part) for part in umap_cross_entropy(head, tail, np.arange(20) % 4, a, b, loss))
            return tape.gradient(total, [head, tail])

        same = tf.constant(np.repeat([[0.3, -0.2]], 4, axis=0), "float32")
        for gradient in gradients(same, same) + gradients(same, tf.constant(tail)):
            assert np.isfinite(gradient).all()


# %% [markdown]
# ## Reconstruction
#
# A decoder adds how badly the data are given back. For data between 0 and 1 the paper uses binary cross entropy, the mean over all values; for other data the mean squared error fits.

# %%
#| export
def reconstruction_loss(
    x,  # rows, shape (n_rows, ...)
    x_decoded,  # what the decoder made of them, same number of values
    loss: str = "binary_crossentropy",  # or "mse"
):  # a scalar
    "Mean loss of the reconstruction over all values; `x` must lie in [0, 1] for binary cross entropy."
    if loss not in ("binary_crossentropy", "mse"):
        raise ValueError(f"reconstruction loss is {loss!r}; it must be 'binary_crossentropy' or 'mse'.")
    x, x_decoded = ops.reshape(x, (-1,)), ops.reshape(x_decoded, (-1,))
    if loss == "mse":
        return ops.mean(ops.square(x - x_decoded))
    return ops.mean(ops.binary_crossentropy(x, x_decoded))


# %%
assert_allclose(reconstruction_loss(np.ones(3, "float32"), np.ones(3, "float32")), 0, atol=1e-6)
assert_allclose(reconstruction_loss(np.array([1.0], "float32"), np.array([0.5], "float32")), np.log(2), rtol=1e-5)
assert_allclose(reconstruction_loss(np.zeros(4, "float32"), np.full(4, 0.5, "float32"), "mse"), 0.25)
