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
# > The UMAP cross entropy, and what the paper compares it with, as pure functions.

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

import numpy as np
from keras import ops

# %% [markdown]
# Two points at distance $d$ in the embedding are neighbours with probability
# $$q(d) = \frac{1}{1 + a\,d^{2b}}.$$
# The loss compares $q$ with the membership strength of the pair in the graph. It has an attraction, $-\log q$, for pairs that are edges, and a repulsion,
# $-\log(1 - q)$, for pairs drawn at random. The first part of this notebook is that loss; then come those of decoders, autoencoders and parametric t-SNE.

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
NEAREST = 1e-6  # smaller distances count as this one


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
# $-\log 10^{-4} \approx 9.21$. Beyond the cut there is no gradient. With the usual $a$ and $b$, points nearer than about 0.0045 no longer repel, and edges longer than about 130 no longer attract.
# Where *all* points lie that near, nothing drives them apart any more (`04_training` warns of that).

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
_, repulsion = paper_terms(log_odds(np.square([0.0044, 0.0046]), a, b))
assert repulsion[0] == -np.log(FLOOR) > repulsion[1]
attraction, _ = paper_terms(log_odds(np.square([130.0, 135.0]), a, b))
assert attraction[0] < -np.log(FLOOR) == attraction[1]


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


# %% [markdown]
# Each form is chosen by its name.

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
# That is how the paper's loop (`04_training`) does it. The fast loop there repels more pairs with the same encodings: the whole batch, heads on top of tails, is compared with itself rolled by
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


# %% [markdown]
# ## Variational autoencoder
#
# Its encoder gives each row not a point but a normal distribution over the embedding, by its mean and the logarithm of its variance. Drawn from these, a
# point is decoded. The loss is the reconstruction plus the divergence of the distribution from the standard normal one,
# $$\mathrm{KL} = -\tfrac12 \sum_j \left(1 + \log\sigma_j^2 - \mu_j^2 - \sigma_j^2\right),$$
# which keeps the embedding together around zero.

# %%
#| export
def kl_divergence(
    mean,  # means of the embedded rows, shape (n_rows, n_components)
    log_variance,  # logarithms of their variances, same shape
):  # shape (n_rows, n_components); the divergence of a row is the sum over its components
    "Divergence of each normal distribution from the standard normal one, component by component."
    return -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))


# %%
assert_allclose(kl_divergence(np.zeros((1, 2), "float32"), np.zeros((1, 2), "float32")), 0)
assert_allclose(kl_divergence(np.float32([[2]]), np.float32([[0]])), 2)  # half the squared distance of the means
narrow = kl_divergence(np.float32([[0]]), np.log(np.float32([[0.01]])))
assert_allclose(narrow, 0.5 * (0.01 - 1 - np.log(0.01)), rtol=1e-6)


# %% [markdown]
# How the two parts are weighed decides what is learned. The bound on the likelihood (ELBO) has the *sum* over the values of a row and the *sum* over the components; this is our default.
# The original multiplies the mean over the values by 784 on every data set, whatever its rows hold, and takes the *mean* over the
# components. So its divergence counts half as much in two dimensions and a 64th in 64; where a row has other than 784 values, the reconstruction has a wrong weight, too. This is `weighting="paper"`,
# for comparison with published numbers.

# %%
#| export
def vae_loss(
    x,  # rows, shape (n_rows, ...), values in [0, 1]
    x_decoded,  # what the decoder made of points drawn for them, same number of values
    mean,  # shape (n_rows, n_components)
    log_variance,  # shape (n_rows, n_components)
    weighting: str = "elbo",  # sums over values and components; or "paper": 784 times the mean, and the mean over components
):  # (reconstruction, divergence), two scalars, means over the rows; the loss is their sum
    "The two parts of a variational autoencoder's loss; a `ValueError` for an unknown weighting."
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
# ## Parametric t-SNE
#
# Where UMAP draws edges, t-SNE compares all pairs of rows at once: the probabilities $P$ that two rows are neighbours in the data with those, $Q$, of their points. In the parametric
# form (van der Maaten 2009) "all" means all rows of a fixed batch.
#
# The data's side is computed once. Around each row lies a normal distribution, as wide as makes its *perplexity*, the number of
# neighbours it effectively has, the one asked for: $p_{j|i} \propto \exp(-\beta_i d_{ij}^2)$ with an entropy of $\log(\mathrm{perplexity})$. Each $\beta_i$ is found by
# bisection. Then both directions of a pair are added, and all pairs scaled to a sum of one. Distances are taken some rows at a time, in double precision.

# %%
#| export
def tsne_conditionals(
    d2,  # squared distances from some rows to all of a batch, float64, shape (n_some, n_rows); infinite from a row to itself
    perplexity: float,  # neighbours that a row effectively has
    tolerance: float = 1e-5,  # of the entropy
    n_iter: int = 50,  # bisections at most
) -> np.ndarray:  # shape (n_some, n_rows), each row sums to one
    "How likely each row picks each other one as its neighbour, at the given perplexity."
    d2 = d2 - d2.min(axis=1, keepdims=True)  # the nearest at 0: no sum is ever 0
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


# %%
line = np.square(np.arange(100.0)[:, None] - np.arange(100.0))
np.fill_diagonal(line, np.inf)
p = tsne_conditionals(line, perplexity=10)
entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1)
assert_allclose(np.exp(entropy), 10, rtol=1e-4)
assert_allclose(p.sum(axis=1), 1)
assert (p.diagonal() == 0).all()


# %%
#| export
def tsne_probabilities(
    X,  # rows of a batch, shape (n_rows, n_features)
    perplexity: float = 30.0,  # neighbours that a row effectively has; fewer than a third of the rows
    chunk: int = 256,  # rows whose distances are held at a time
) -> np.ndarray:  # float32, shape (n_rows, n_rows): symmetric, zero on the diagonal, sum one
    "The probabilities P of t-SNE: how likely two rows are neighbours in the data."
    n_rows = len(X)
    if not 1 <= perplexity < n_rows / 3:
        raise ValueError(f"perplexity={perplexity} does not suit a batch of {n_rows} rows: it must lie between 1 and a third of the rows.")
    X = np.asarray(X, dtype=np.float64).reshape(n_rows, -1)
    squares = np.square(X).sum(axis=1)
    P = np.empty((n_rows, n_rows), dtype=np.float32)
    for start in range(0, n_rows, chunk):
        some = np.arange(start, min(start + chunk, n_rows))
        d2 = np.maximum(squares[some, None] + squares - 2 * X[some] @ X.T, 0)
        d2[np.arange(len(some)), some] = np.inf
        P[some] = tsne_conditionals(d2, perplexity)
    P += P.T
    return P / P.sum(dtype=np.float64).astype(np.float32)


# %%
rows = rng.normal(size=(60, 5))
P = tsne_probabilities(rows, perplexity=8, chunk=7)
assert_allclose(P, P.T)
assert_allclose(P.sum(), 1, rtol=1e-5)
assert_allclose(P, tsne_probabilities(rows + 100, perplexity=8), rtol=1e-4, atol=1e-9)  # only distances count


# %% [markdown]
# On the side of the embedding, neighbours follow a Student t distribution with $\alpha$ degrees of freedom,
# $$Q_{ij} \propto \left(1 + d_{ij}^2/\alpha\right)^{-(\alpha+1)/2}.$$
# The more dimensions, the less room has to be made for the points that are moderately far, hence $\alpha = d - 1$; in one and two dimensions it is 1. The loss is $\sum P \log(P/Q)$, taken with the logarithm of $Q$,
# which needs no lower bound.

# %%
#| export
def tsne_divergence(
    P,  # from `tsne_probabilities`, shape (n_rows, n_rows)
    z,  # embedded rows of the same batch, shape (n_rows, n_components)
    alpha: float,  # degrees of freedom, the number of components less one, at least 1
):  # a scalar
    "Kullback-Leibler divergence of the embedding's neighbours from those of the data."
    squares = ops.sum(ops.square(z), axis=-1)
    d2 = ops.maximum(squares[:, None] + squares[None, :] - 2 * ops.matmul(z, ops.transpose(z)), 0)
    log_q = -(alpha + 1) / 2 * ops.log1p(d2 / alpha)
    log_total = ops.logsumexp(log_q - 1e9 * ops.eye(z.shape[0]))  # a point is not its own neighbour
    entropy = ops.sum(P * ops.log(ops.maximum(P, 1e-37)))
    return entropy - ops.sum(P * log_q) + log_total


# %%
z = rng.normal(size=(60, 2)).astype("float32")
d2 = np.square(z[:, None].astype("float64") - z).sum(axis=2)
for alpha in (1, 63):
    Q = (1 + d2 / alpha) ** (-(alpha + 1) / 2)
    np.fill_diagonal(Q, 0)
    Q /= Q.sum()
    pairs = P > 0
    assert_allclose(tsne_divergence(P, z, alpha), (P[pairs] * np.log(P[pairs] / Q[pairs])).sum(), rtol=1e-5)
