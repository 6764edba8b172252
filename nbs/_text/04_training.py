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
# # Training
#
# > The loops: an encoder, or an embedding itself, fitted to the edges of a graph, and the loops of the methods it is compared with.

# %%
#| default_exp training

# %%
#| hide
import keras
import matplotlib.pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness

from pumap.graph import find_ab, fuzzy_graph, pruned_edges
from pumap.networks import build_decoder, build_encoder, mlp_norm_encoder

# %%
#| export
import math
import numbers
import time
import warnings
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from scipy import sparse
from scipy.special import expit
from sklearn.utils.extmath import randomized_svd
from tqdm.auto import tqdm

from pumap.graph import Edges, default_n_epochs, edge_batches, keep_compiled, paper_steps, random_generator, weighted_batches
from pumap.losses import (
    FLOOR,
    reconstruction_loss,
    rolled_cross_entropy,
    squared_distance,
    tsne_divergence,
    tsne_probabilities,
    umap_cross_entropy,
    vae_loss,
)

# %% [markdown]
# Everything that compiles or loops is in this notebook:
#
# - two loops that train an encoder on the edges of a graph: the *paper's* (`solver="paper"`), and the *fast* one (`solver="fast"`), which `ParametricUMAP` takes if not told otherwise;
# - UMAP's loss without a network;
# - the loops of the methods that the paper compares with: autoencoders, parametric t-SNE;
# - a classifier and an embedding at once, for rows of which few have a label.
#
# The paper's loop comes first, since the fast one is explained by what it does differently. It follows the original code step for step:
#
# 1. take a batch of edges, in the original's scheme of repeats (`graph.paper_batches`) or, if asked, drawn by their strength;
# 2. embed both ends;
# 3. each head repels `negative_sample_rate` tails *of the same batch*, in a random order;
# 4. differentiate the *sum* of all terms of the cross entropy (the *mean*, when a decoder takes part);
# 5. clip every element of the gradient to $\pm 4$, and take a step of Adam.

# %%
X, y = load_digits(return_X_y=True)
X = X[:600].astype("float32") / 16
edges = pruned_edges(fuzzy_graph(X))
a, b = find_ab()


# %% [markdown]
# ## Rows for a batch
#
# Data may be dense or sparse, of 8 bits or 64. Only the rows of a batch become what the network wants, dense float32 of the right shape.

# %%
#| export
def take_rows(
    X,  # rows, shape (n_rows, ...); dense of any dtype, or CSR
    which,  # indices of rows, or a slice
    input_shape: tuple,  # shape of one row, as the network wants it
) -> np.ndarray:  # float32, shape (n_taken, *input_shape)
    "Some rows of the data, as a network takes them."
    rows = X[which]
    rows = rows.toarray() if sparse.issparse(rows) else rows
    return np.asarray(rows, dtype=np.float32).reshape(-1, *input_shape)


# %%
assert take_rows(X, [3, 5, 8], (8, 8, 1)).shape == (3, 8, 8, 1)
assert_array_equal(take_rows(sparse.csr_matrix(X), slice(0, 10), (64,)), X[:10])
assert take_rows(np.zeros((4, 2), "uint8"), slice(None), (2,)).dtype == np.float32

# %% [markdown]
# ## Embedding rows
#
# The forward pass, in batches, so that a million rows need no more memory than one batch. Calling a Keras model costs milliseconds however few the rows are. A chain of plain dense layers is
# a few products of matrices, which numpy does at once; the weights are read anew at each call, so that they are always the model's own.

# %%
#| export
ACTIVATIONS = {  # Keras' function -> numpy's
    keras.activations.linear: lambda x: x,
    keras.activations.relu: lambda x: np.maximum(x, 0),
    keras.activations.tanh: np.tanh,
    keras.activations.sigmoid: expit,
}


def dense_forward(
    model,  # Keras model
):  # function float32 rows -> float32 rows, or None if the model is more than dense layers in a chain
    "The forward pass of plain dense layers, in numpy."
    steps = []
    for layer in model.layers if isinstance(model, keras.Sequential) else [None]:
        if type(layer) in (keras.layers.Flatten, keras.layers.Reshape):
            shape = layer.output.shape[1:]
            steps.append(lambda x, shape=shape: x.reshape(len(x), *shape))
        elif type(layer) is keras.layers.Dense and layer.use_bias and layer.activation in ACTIVATIONS:
            kernel, bias = (np.asarray(weight.value) for weight in (layer.kernel, layer.bias))
            activation = ACTIVATIONS[layer.activation]
            steps.append(lambda x, kernel=kernel, bias=bias, activation=activation: activation(x @ kernel + bias))
        elif type(layer) is not keras.layers.InputLayer:
            return None

    def forward(x):
        if len(x) <= 256:  # single precision rounds a row by its place in the batch; where double precision costs nothing, it does not
            x = x.astype(np.float64)
        for step in steps:
            x = step(x)
        return x.astype(np.float32)

    return forward


# %%
encoder = build_encoder("mlp", (8, 8), 2, random_state=0)
images = X[:10].reshape(-1, 8, 8)
assert_allclose(dense_forward(encoder)(images), encoder(images), atol=1e-5)
assert_array_equal(dense_forward(encoder)(images[::-1]), dense_forward(encoder)(images)[::-1])  # a row's place does not matter, to the last bit
assert dense_forward(build_encoder("conv28", (784,), 2)) is None
leaky = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2, activation=keras.layers.LeakyReLU())])
assert dense_forward(leaky) is None  # an activation that numpy does not have


# %%
#| export
def encode(
    model,  # Keras model, encoder or decoder
    X,  # rows, shape (n_rows, ...); dense or CSR
    input_shape: tuple,  # shape of one row, as the network wants it
    batch_size: int = 1024,  # rows in one forward pass; fewer if they are very wide
) -> np.ndarray:  # float32, shape (n_rows, *output_shape)
    "Put all rows through a network, batch by batch."
    n_rows, batch_size = X.shape[0], max(1, min(batch_size, 16_000_000 // math.prod(input_shape)))
    forward = dense_forward(model) or (lambda x: model(x, training=False))
    out = np.empty((n_rows, *model.output_shape[1:]), dtype=np.float32)
    for start in range(0, n_rows, batch_size):
        batch = slice(start, min(start + batch_size, n_rows))
        out[batch] = forward(take_rows(X, batch, input_shape))
    return out


# %%
encoder = build_encoder("mlp", (64,), 2, random_state=0)
assert_allclose(encode(encoder, X, (64,), batch_size=100), encode(encoder, X, (64,)), atol=1e-6)


# %% [markdown]
# ## One step
#
# The negatives of a batch: every tail appears `negative_sample_rate` times, in random order. A head can so meet its own tail or a true
# neighbour; in a large batch that is rare.

# %%
#| export
def in_batch_negatives(
    batch_size: int,
    negative_sample_rate: int,
    rng: np.random.Generator,
) -> np.ndarray:  # positions in the batch, int32, shape (batch_size * negative_sample_rate,)
    "Which tail each head repels: all tails equally often, shuffled."
    return rng.permutation(np.repeat(np.arange(batch_size, dtype=np.int32), negative_sample_rate))


def total_loss(
    attraction,  # shape (n_edges,)
    repulsion,  # shape (n_edges * negative_sample_rate,)
    reduction: str,  # "sum", as the original does it for an encoder alone, or "mean", as it does beside a decoder
):  # a scalar
    "Sum or mean over all terms of the cross entropy."
    total = ops.sum(attraction) + ops.sum(repulsion)
    return total if reduction == "sum" else total / (attraction.shape[0] + repulsion.shape[0])


# %%
negatives = in_batch_negatives(100, 5, np.random.default_rng(0))
assert_array_equal(np.bincount(negatives), np.full(100, 5))
assert total_loss(np.ones(100), np.ones(500), "sum") == 600 and total_loss(np.ones(100), np.ones(500), "mean") == 1


# %% [markdown]
# A step is compiled when it is first called. All batches of a fit have one shape, so there is one trace per fit; asking for it outright keeps
# TensorFlow from counting many small fits in one process as one function traced too often, and warning about it.

# %%
#| export
def compiled(
    function,  # of arrays whose shapes and types never change
    jit_compile: bool | None = None,  # by XLA
):  # the same function, compiled at its first call
    "Compile a function for the shapes of its first call."
    concrete = []

    def run(*arrays):
        tensors = [tf.convert_to_tensor(array) for array in arrays]
        if not concrete:
            concrete.append(tf.function(function, autograph=False, jit_compile=jit_compile).get_concrete_function(*tensors))
        return concrete[0](*tensors)

    return run


# %%
traces = []
plus_one = compiled(lambda x: traces.append("traced") or x + 1)
assert plus_one(np.float32(1)) == 2 and plus_one(np.float32(2)) == 3
assert traces == ["traced"]


# %% [markdown]
# The step itself. With a decoder, the reconstruction of both ends is added; unless `autoencoder_loss` is set, its gradient stops
# at the embedding, so that the decoder learns to read the embedding without changing it.

# %%
#| export
def encoder_step(
    encoder,  # Keras model
    optimizer,  # Keras optimizer
    a: float,
    b: float,
    loss: str = "paper",  # form of the cross entropy, see `losses.loss_terms`
    repulsion_strength: float = 1.0,
    decoder=None,  # Keras model that leads back to the rows
    autoencoder_loss: bool = False,  # let the reconstruction change the encoder, too
    reconstruction: str = "binary_crossentropy",  # loss of the decoder, or "mse"
    reconstruction_weight: float = 1.0,
):  # compiled function (heads on top of tails, negatives) -> (attraction, repulsion, reconstruction), three means
    "A compiled training step on one batch of edges."
    models = [encoder] if decoder is None else [encoder, decoder]
    variables = [v for model in models for v in model.trainable_variables]
    optimizer.build(variables)

    def step(x, negatives):
        with tf.GradientTape() as tape:
            z = encoder(x, training=True)
            head, tail = ops.split(z, 2)
            attraction, repulsion = umap_cross_entropy(head, tail, negatives, a, b, loss, repulsion_strength)
            total = total_loss(attraction, repulsion, "sum" if decoder is None else "mean")
            decoded = ops.zeros(())
            if decoder is not None:
                z = z if autoencoder_loss else ops.stop_gradient(z)
                decoded = reconstruction_loss(x, decoder(z, training=True), reconstruction)
                total += reconstruction_weight * decoded
        optimizer.apply(tape.gradient(total, variables), variables)
        return ops.mean(attraction), ops.mean(repulsion), decoded

    return compiled(step)


def paper_optimizer(learning_rate: float = 1e-3):
    "Adam with every element of a gradient clipped to +-4, as in the original code."
    return keras.optimizers.Adam(learning_rate, clipvalue=4.0)


# %% [markdown]
# Is that the original's step? Here it is once more, written out as the original code has it: two calls of the encoder, a plain distance, clipped
# probabilities, an unreduced vector of terms. After one step from the same weights, all weights agree. (The comparison takes plain gradient descent: the first
# step of Adam keeps only the sign of a gradient, and would turn a rounding error near zero into a difference.)

# %%
def one_step_written_out(encoder, optimizer, x_to, x_from, negatives, a, b):
    with tf.GradientTape() as tape:
        to, from_ = encoder(x_to), encoder(x_from)
        repelled = tf.gather(from_, negatives)
        distance = tf.concat([tf.norm(to - from_, axis=1), tf.norm(tf.repeat(to, 5, axis=0) - repelled, axis=1)], 0)
        q = 1 / (1 + a * distance ** (2 * b))
        p = tf.concat([tf.ones(len(x_to)), tf.zeros(5 * len(x_to))], 0)
        terms = -p * tf.math.log(tf.clip_by_value(q, 1e-4, 1)) - (1 - p) * tf.math.log(tf.clip_by_value(1 - q, 1e-4, 1))
    gradients = tape.gradient(terms, encoder.trainable_variables)
    optimizer.apply([tf.clip_by_value(g, -4, 4) for g in gradients], encoder.trainable_variables)


x_to, x_from = X[:100], X[100:200]
by_hand = build_encoder("mlp", (64,), 2, random_state=0)
one_step_written_out(by_hand, keras.optimizers.SGD(0.1), x_to, x_from, negatives, a, b)
by_step = build_encoder("mlp", (64,), 2, random_state=0)
start = by_step.get_weights()
encoder_step(by_step, keras.optimizers.SGD(0.1, clipvalue=4.0), a, b)(np.concatenate([x_to, x_from]), negatives)
steps = [(one - before, other - before) for before, one, other in zip(start, by_hand.get_weights(), by_step.get_weights())]
for one, other in steps:
    assert_allclose(one, other, atol=2e-3)  # the plain formulas round 1 - q in single precision
assert max(abs(one).max() for one, _ in steps) > 0.3  # gradients up to the clip of 4 were there to agree on
assert paper_optimizer().clipvalue == 4.0


# %% [markdown]
# ## A record of the run
#
# The loss is kept term by term, as means over spans of steps (about a hundred spans in a run), with the time since the first step. A loss
# that is no longer a number ends the run with an error that says so.

# %%
#| export
class Recorder:
    "Collects the terms of the loss; `history` maps names to lists with one mean per span of steps."

    def __init__(
        self,
        n_steps: int,  # in the whole run
        n_attraction: int,  # the loss is the mean over so many attractions
        n_repulsion: int,  # and so many repulsions
        with_decoder: bool = False,  # keep the reconstruction, too
        verbose: bool = False,  # show a progress bar
        cut: float = math.inf,  # of the repulsion, from `repulsion_cut`
    ):
        self.history = {name: [] for name in ("step", "seconds", "loss", "attraction", "repulsion")}
        if with_decoder:
            self.history["reconstruction"] = []
        self.cut, self.notes = cut, []
        self.share = n_attraction / (n_attraction + n_repulsion)
        self.span, self.n_steps, self.waiting, self.began = max(1, n_steps // 100), n_steps, [], None
        self.bar = tqdm(total=n_steps, disable=not verbose, desc="fit", unit="step")

    def add(self, step: int, terms, n_steps: int = 1) -> None:
        "Take the mean terms of the `n_steps` steps up to this one; every `span` steps they are averaged and kept."
        self.began = time.perf_counter() if self.began is None else self.began
        self.waiting.append(terms)
        if len(self.waiting) * n_steps >= self.span or step == self.n_steps:
            self._keep(step)
        self.bar.update(n_steps)

    def _named(self, means) -> dict:
        "The loss, and the terms of which these are the means."
        attraction, repulsion, decoded = means
        loss = self.share * attraction + (1 - self.share) * repulsion
        return {"loss": loss, "attraction": attraction, "repulsion": repulsion, "reconstruction": decoded}

    def _keep(self, step):
        means = np.mean([[float(t) for t in terms] for terms in self.waiting], axis=0)
        if not np.isfinite(means).all():
            self.bar.close()
            raise ValueError(f"The loss is no longer a number at step {step}: scale the data, or lower the learning rate.")
        kept = {"step": step, "seconds": time.perf_counter() - self.began} | self._named(means)
        if self.cut < math.inf:
            self._tell_one_point(kept)
        for name, values in self.history.items():
            values.append(kept[name] if name == "step" else float(kept[name]))
        self.waiting = []
        self.bar.set_postfix(loss=f"{kept['loss']:.4f}", refresh=False)

    def _tell_one_point(self, kept):
        "Warn, once a tenth of the run is over, if all repulsions are cut off."
        before = self.history["step"][-1] if self.history["step"] else 0
        if before < self.n_steps / 10 <= kept["step"] and kept["repulsion"] > 0.999 * self.cut:
            self.notes.append(ONE_POINT)
            warnings.warn(ONE_POINT)

    def close(self) -> dict:
        self.bar.close()
        return self.history


# %%
recorder = Recorder(n_steps=400, n_attraction=1, n_repulsion=5)
for step in range(1, 401):
    recorder.add(step, (0.6, 0.0, 0.0))
history = recorder.close()
assert len(history["step"]) == 100 and history["step"][-1] == 400
assert_allclose(history["loss"], 0.1)  # the mean over one attraction and five repulsions

# %% [markdown]
# Another kind of run comes to nothing and looks sound: the paper's form of the loss is cut off where points nearly coincide (`02_losses`), and there it has no gradient. Where all points begin that near each other, as they do when the values of the
# rows are very small, nothing repels, and they stay in one point. Their mean repulsion then is the cut itself, still after a tenth of the run, and a warning says so.

# %%
#| export
ONE_POINT = "All points of the embedding lie so near each other that loss='paper' has no repulsion: scale the data to values around 1, or use loss='exact'."


def repulsion_cut(
    loss: str = "paper",  # form of the cross entropy, see `losses.loss_terms`
    repulsion_strength: float = 1.0,
    **others,  # settings of a step that do not matter here
) -> float:  # infinity for a form without a cut
    "Where a repulsion is cut off and has no gradient any more."
    return -math.log(FLOOR) * repulsion_strength if loss == "paper" else math.inf


# %%
recorder = Recorder(n_steps=20, n_attraction=1, n_repulsion=5, cut=repulsion_cut("paper", repulsion_strength=2.0))
recorder.add(1, (0.0, 2 * 9.21034, 0.0))
assert recorder.notes == []
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    recorder.add(2, (0.0, 2 * 9.21034, 0.0))  # a tenth of the run
assert recorder.notes == [str(caught[0].message)] and repulsion_cut("exact") == math.inf


# %% [markdown]
# ## Fitting an encoder: the paper's loop
#
# `n_training_epochs` counts passes over the repeated edges (`graph.paper_repeats`), 5 in the paper (100 for moons). It may be a fraction: half a pass is 0.5.

# %%
#| export
def steps_of_passes(
    n_training_epochs: float,  # passes; fractions are allowed
    steps_per_pass: float,
) -> int:
    "Steps in so many passes, at least one; ValueError unless `n_training_epochs` is positive and finite."
    if not 0 < n_training_epochs < np.inf:
        raise ValueError(f"n_training_epochs is {n_training_epochs}; it must be positive (a fraction of a pass is allowed).")
    return max(1, round(n_training_epochs * steps_per_pass))


def n_steps_for(
    n_training_epochs: float,  # passes over the repeated edges; fractions are allowed
    edges: Edges,
    batch_size: int,
) -> int:
    "Steps in so many passes over the repeated edges, at least one."
    return steps_of_passes(n_training_epochs, paper_steps(edges, batch_size))


# %%
assert steps_of_passes(0.5, 7) == 4 and steps_of_passes(1e-6, 7) == 1
for wrong in (0, -1, np.inf, np.nan):
    try: steps_of_passes(wrong, 7)
    except ValueError as error: assert str(wrong) in str(error)
    else: assert False


# %%
#| export
def fit_encoder(
    X,  # rows, shape (n_rows, ...); dense or CSR
    edges: Edges,  # from `graph.pruned_edges`
    encoder,  # Keras model; its weights are changed in place
    a: float,
    b: float,
    decoder=None,  # Keras model; its weights are changed in place
    input_shape: tuple | None = None,  # shape of one row as the encoder wants it; None = as in X
    n_training_epochs: float = 5,
    batch_size: int = 1000,  # edges in a batch
    learning_rate: float = 1e-3,
    negative_sample_rate: int = 5,
    edge_sampling: str = "paper",  # or "weighted", see `graph.edge_batches`
    random_state=None,
    verbose: bool = False,  # show a progress bar
    callback=None,  # called after each step with the number of steps done, and a function that brings the encoder up to date
    **step_settings,  # loss, repulsion_strength, autoencoder_loss, ...: see `encoder_step`
) -> dict:  # lists "step", "seconds", "loss", "attraction", "repulsion" (and "reconstruction"), and "notes" (strings)
    "The paper's loop: train an encoder on batches of edges with negatives from the same batch."
    rng_edges, rng_negatives = random_generator(random_state).spawn(2)
    input_shape = X.shape[1:] if input_shape is None else input_shape
    step = encoder_step(encoder, paper_optimizer(learning_rate), a, b, decoder=decoder, **step_settings)
    n_steps = n_steps_for(n_training_epochs, edges, batch_size)
    recorder = Recorder(n_steps, 1, negative_sample_rate, decoder is not None, verbose, repulsion_cut(**step_settings))
    for i, (head, tail) in zip(range(1, n_steps + 1), edge_batches(edges, batch_size, rng_edges, edge_sampling)):
        negatives = in_batch_negatives(len(head), negative_sample_rate, rng_negatives)
        recorder.add(i, step(take_rows(X, np.concatenate([head, tail]), input_shape), negatives))
        if callback:
            callback(i, lambda: None)
    return recorder.close() | {"notes": recorder.notes}


# %%
def fit_digits(random_state=0, **settings):
    encoder = build_encoder("mlp", (64,), 2, random_state=random_state)
    history = fit_encoder(X, edges, encoder, a, b, n_training_epochs=2, batch_size=300, random_state=random_state, **settings)
    return encoder, history


encoder, history = fit_digits()
assert history["loss"][-1] < history["loss"][0] / 2
assert trustworthiness(X, encode(encoder, X, (64,))) > 0.93

# %%
fig, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
for name in ("attraction", "repulsion"):
    axes[0].plot(history["step"], history[name], label=name)
axes[0].set(xlabel="step", ylabel="mean term of the loss", yscale="log")
axes[0].legend(frameon=False)
axes[1].scatter(*encode(encoder, X, (64,)).T, c=y[:600], cmap="tab10", s=5)
axes[1].set_axis_off()

# %% [markdown]
# One seed gives one embedding, to the last bit, also twice in one process.

# %%
again, _ = fit_digits()
assert_array_equal(encode(encoder, X, (64,)), encode(again, X, (64,)))
other, _ = fit_digits(random_state=1)
assert abs(encode(encoder, X, (64,)) - encode(other, X, (64,))).max() > 0.1

# %% [markdown]
# Edges drawn by their strength train as well.

# %%
by_strength, _ = fit_digits(edge_sampling="weighted")
assert trustworthiness(X, encode(by_strength, X, (64,))) > 0.93


# %% [markdown]
# The repulsion strength counts: with more of it, points lie further apart.

# %%
def mean_distance(encoder):
    z = encode(encoder, X, (64,))
    return np.linalg.norm(z[:300] - z[300:], axis=1).mean()


stronger, _ = fit_digits(repulsion_strength=5.0)
assert mean_distance(stronger) > mean_distance(encoder)

# %% [markdown]
# With a decoder, the embedding can be read back. Behind the stop-gradient the encoder learns from the UMAP loss alone.

# %%
decoder = build_decoder("mlp", (64,), 2, random_state=0)
with_decoder = build_encoder("mlp", (64,), 2, random_state=0)
history = fit_encoder(X, edges, with_decoder, a, b, decoder=decoder, n_training_epochs=2, batch_size=300, random_state=0)
read_back = encode(decoder, encode(with_decoder, X, (64,)), (2,))
assert ((read_back - X) ** 2).mean() < ((X.mean(axis=0) - X) ** 2).mean()  # better than the mean image
assert history["reconstruction"][-1] < history["reconstruction"][0]


# %% [markdown]
# ## Fitting an encoder: the fast loop
#
# `solver="fast"`, the default of `ParametricUMAP`, minimises the same loss and reaches a given value of it in a small part of the time. It draws edges by their strength, and has five parts, of which the first, second and last can be switched off:
#
# 1. **Principal coordinates.** Where an encoder begins with a plain dense layer, that layer is trained in the leading, half-whitened principal coordinates of the rows: fewer operations, and a
#    far better conditioned problem. Afterwards it is folded back, exactly, into a dense layer on the rows themselves.
# 2. **A layout to start from.** Where an encoding is dear (convolutions, or whatever else is not dense layers), the network first learns to reproduce umap-learn's own layout of the graph, and most of the effort goes there. Batch normalisation helps to train such a network; it is folded away afterwards.
# 3. **Rolled negatives.** Every row of a batch, head or tail, repels twice as many others as a head does in the paper's loop (`losses.rolled_cross_entropy`).
# 4. **A falling learning rate**, from five times the paper's down to zero (where an encoding is dear, from half the paper's after a layout, from twice without one), and many steps in one compiled call.
# 5. **A capped repulsion.** Pairs that nearly coincide have huge gradients, which shake the network while its steps are large. For most of the run they wait ($1-q$ counts as at least 0.02), unless more than half of all pairs are such; for the last tenth the loss is the real one throughout.
#
# The sections that follow take them in this order, with the negatives left to `02_losses` and the cap before the steps that use it. Then come rows held out for early stopping, the plan that divides the effort, and the loop itself.
# What some of the parts give is measured in `benchmarks/training_speed`.
#
# ### Principal coordinates
#
# $x' = (x - m)\,V$, with the columns of $V$ along the principal axes and scaled by $\lambda^{-1/4}$, so that strong and weak axes come closer together (`whitening` 0 leaves them, 1 makes them equal).
# A sample of the rows is enough to find the axes.

# %%
#| export
class Coordinates(NamedTuple):
    "A linear map to principal coordinates and back: x' = (x - mean) @ basis."

    mean: np.ndarray  # of the rows, shape (n_features,)
    basis: np.ndarray  # shape (n_features, n_coordinates)
    inverse: np.ndarray  # shape (n_coordinates, n_features)


def principal_coordinates(
    X,  # rows, shape (n_rows, ...); dense or CSR
    n_coordinates: int = 200,  # at most this many axes
    whitening: float = 0.5,  # 0 = axes keep their variance, 1 = all have the same
    random_state=None,  # draws the sample
    n_sample: int = 20_000,  # rows that the axes are found from, at most; fewer if rows are very wide
) -> Coordinates:  # float32
    "The leading principal axes of the rows, half whitened, scaled to a mean variance of 1."
    n_features = math.prod(X.shape[1:])
    n_sample = min(X.shape[0], n_sample, max(2 * n_coordinates, 20_000_000 // n_features))
    which = np.sort(random_generator(random_state).choice(X.shape[0], n_sample, replace=False))
    rows = take_rows(X, which, (n_features,))
    mean = rows.mean(axis=0, dtype=np.float64)
    variance, axes = principal_axes(rows - mean.astype(np.float32), n_coordinates, random_state)
    scale = variance ** (-whitening / 2)
    scale /= np.sqrt(np.mean(variance * scale**2))
    return Coordinates(*(part.astype(np.float32) for part in (mean, axes * scale, (axes / scale).T)))


def principal_axes(
    centred: np.ndarray,  # rows less their mean, float32, shape (n_rows, n_features)
    n_axes: int,  # at most
    random_state=None,  # for the approximation that more than 2,000 features need
) -> tuple:  # (variances float64 (n_axes,), axes as columns (n_features, n_axes)), strongest first
    "The principal axes along which rows vary."
    n_rows, n_features = centred.shape
    if n_features <= 2_000:
        variance, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64) / n_rows)
        variance, axes = variance[::-1], axes[:, ::-1]
    else:
        seed = int(random_generator(random_state).integers(2**31 - 1))
        _, singular, rows = randomized_svd(centred, min(n_axes, n_rows - 1), random_state=seed)
        variance, axes = singular.astype(np.float64) ** 2 / n_rows, rows.T
    kept = min(n_axes, int((variance > 1e-6 * variance[0]).sum()))
    return variance[:kept], axes[:, :kept]


# %%
#| export
def to_coordinates(
    X,  # rows, shape (n_rows, ...); dense or CSR
    coordinates: Coordinates,
) -> np.ndarray:  # float32, shape (n_rows, n_coordinates)
    "Principal coordinates of all rows."
    out, mean = np.empty((X.shape[0], coordinates.basis.shape[1]), dtype=np.float32), coordinates.mean
    for batch in row_blocks(len(out), len(mean)):
        out[batch] = (take_rows(X, batch, mean.shape) - mean) @ coordinates.basis
    return out


def row_blocks(
    n_rows: int,
    n_features: int,
    values: int = 4_000_000,  # in a block, at most: 16 MB of float32
):  # of slices
    "Blocks of rows that are small when made dense."
    size = max(1, min(4096, values // n_features))
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


# %% [markdown]
# Two things may be wrong with rows for such coordinates. Few axes from a sample of wide rows may miss features that few rows have, and would then put these rows on one point. And the mean may be far from zero, which matters for the first layer, below.

# %%
#| export
def rows_lost(
    X,  # rows, shape (n_rows, ...); dense or CSR
    inside: np.ndarray,  # their `to_coordinates`
    coordinates: Coordinates,
    least: float = 0.01,  # share of its squared distance from the mean that a row must keep
) -> int:
    "How many rows the coordinates hardly know: theirs are features that the sample did not have, or that no axis goes along."
    lost, mean = 0, coordinates.mean
    for batch in row_blocks(len(inside), len(mean)):
        whole = ((take_rows(X, batch, mean.shape) - mean) ** 2).sum(axis=1)
        lost += int((((inside[batch] @ coordinates.inverse) ** 2).sum(axis=1) < least * whole).sum())
    return lost


def is_far(
    coordinates: Coordinates,
    inside: np.ndarray,  # rows in these coordinates
    most: float = 10.0,  # images of bright things on black have 0.7 to 1.3
) -> bool:
    "Whether the mean of the rows is far from zero: its square beside the variance of the rows."
    variance = (inside.var(axis=0) * (coordinates.inverse**2).sum(axis=1)).sum()
    return bool((coordinates.mean.astype(np.float64) ** 2).sum() > most * variance)


# %%
coordinates = principal_coordinates(X, random_state=0)
inside = to_coordinates(X, coordinates)
assert_allclose(inside.mean(axis=0), 0, atol=1e-3)
assert_allclose(inside.var(axis=0).mean(), 1, rtol=1e-3)
assert_allclose(inside @ coordinates.inverse + coordinates.mean, X, atol=1e-3)  # 64 features: nothing is lost
assert not rows_lost(X, inside, coordinates) and not is_far(coordinates, inside)
assert is_far(coordinates._replace(mean=coordinates.mean + 2), inside)


# %% [markdown]
# The encoder's first dense layer on these coordinates, with the encoder's other layers behind it. It starts where the encoder starts (as far as the coordinates reach), and `fold` writes what was learned back.
#
# An encoder that has learned nothing yet had better start from rows less their mean. Random weights turn a mean far from zero into the same large number for all rows, in some units far above zero and in others far below: the first are then linear and the second dead. So where the mean
# is far off, a new encoder's first layer is taken as one that was made for such rows (`centred`), and its own bias comes to hold the mean only when it is folded back.

# %%
#| export
def first_dense_layer(
    encoder,  # Keras model
):  # (the layer, the layers behind it), or a string that says why there is none
    "The plain dense layer an encoder begins with, behind nothing but flattening."
    if not isinstance(encoder, keras.Sequential):
        return "the encoder is not a keras.Sequential"
    shaping = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)
    at = next((i for i, layer in enumerate(encoder.layers) if not isinstance(layer, shaping)), None)
    layer = None if at is None else encoder.layers[at]
    if type(layer) is not keras.layers.Dense or len(layer.input.shape) != 2:
        return "the encoder does not begin with a dense layer on flat rows"
    if not (layer.use_bias and layer.trainable) or layer.kernel_regularizer or layer.kernel_constraint:
        return "the encoder's first layer has no bias, is frozen, or has a regularizer or constraint"
    return layer, encoder.layers[at + 1 :]


def encoder_inside(
    layer,  # first dense layer of an encoder
    behind: list,  # its other layers, which both encoders share
    coordinates: Coordinates,
    centred: bool = False,  # does `layer` expect rows less their mean?
):  # (Keras model on principal coordinates, function that folds its first layer back into `layer`)
    "The same encoder on principal coordinates."
    inner = keras.layers.Dense(layer.units, activation=layer.activation, kernel_initializer="zeros")  # draws nothing
    model = keras.Sequential([keras.Input((len(coordinates.inverse),)), inner, *behind])
    kernel, bias = (weight.astype(np.float64) for weight in layer.get_weights())
    inner.set_weights([coordinates.inverse @ kernel, bias if centred else bias + coordinates.mean @ kernel])

    def fold():
        kernel, bias = (weight.astype(np.float64) for weight in inner.get_weights())
        kernel = coordinates.basis @ kernel
        layer.set_weights([kernel, bias - coordinates.mean @ kernel])

    return model, fold


# %%
encoder = build_encoder("mlp", (64,), 2, random_state=0)
before = encode(encoder, X, (64,))
inner, fold = encoder_inside(*first_dense_layer(encoder), coordinates)
assert_allclose(encode(inner, inside, (len(coordinates.inverse),)), before, atol=1e-4)
fold()
assert_allclose(encode(encoder, X, (64,)), before, atol=1e-4)  # there and back
assert "dense layer" in first_dense_layer(build_encoder("conv28", (784,), 2))

far = coordinates._replace(mean=coordinates.mean + 100)  # the same rows, all values 100 higher
inner, fold = encoder_inside(*first_dense_layer(encoder), far, centred=True)
assert np.abs(encode(inner, inside, (len(far.inverse),))).max() < 10
fold()
assert_allclose(encode(encoder, X + 100, (64,)), encode(inner, inside, (len(far.inverse),)), atol=1e-2)


# %% [markdown]
# ### A layout to start from
#
# umap-learn lays out the graph without a network, in seconds. Learning to reproduce it is plain regression: each row comes with its place, and one encoding teaches as much as many edges do. (The loss is the
# pseudo-Huber loss, which grows with the distance and not with its square: some rows no network can place, and they should not decide where the others go.) Rows without an edge have no place, and are left out.

# %%
#| export
def graph_layout(
    X,  # rows, for the start; dense or CSR
    edges: Edges,
    n_components: int,
    a: float,
    b: float,
    negative_sample_rate: int = 5,
    repulsion_strength: float = 1.0,
    random_state=None,
    parallel: bool = False,  # faster, but no two runs are the same
) -> np.ndarray:  # float32, shape (n_rows, n_components)
    "umap-learn's layout of a graph, started from the leading principal coordinates."
    import umap.umap_

    keep_compiled(umap.layouts, umap.umap_)
    rng = random_generator(random_state)
    n_rows = X.shape[0]
    start = rng.normal(scale=1e-2, size=(n_rows, n_components)).astype(np.float32)
    leading = to_coordinates(X, principal_coordinates(X, n_components, 0.0, rng))
    start[:, : leading.shape[1]] += 10 * leading / abs(leading).max()
    graph = sparse.coo_matrix((edges.weight, (edges.head, edges.tail)), shape=(n_rows, n_rows))
    seed = np.random.RandomState(rng.integers(2**31 - 1))
    layout, _ = umap.umap_.simplicial_set_embedding(
        None, graph, n_components, 1.0, a, b, repulsion_strength, negative_sample_rate, default_n_epochs(n_rows), start,
        seed, "euclidean", {}, densmap=False, densmap_kwds={}, output_dens=False, parallel=parallel,
    )  # fmt: skip
    return np.asarray(layout, dtype=np.float32)


# %% [markdown]
# Rows come in batches of one size, pass after pass. The loops of autoencoders and of the classifier, below, take them from here as well.

# %%
#| export
def row_batches(
    n_rows: int,
    batch_size: int,  # rows in a batch; all of them if there are fewer
    rng: np.random.Generator,
):  # endless iterator over row numbers, shape (min(batch_size, n_rows),)
    "All rows in random order, again and again. What is left at the end of a pass goes into the first batch of the next, so that all batches have one size."
    size, order = min(batch_size, n_rows), np.empty(0, dtype=np.int64)
    while True:
        if len(order) < size:
            order = np.concatenate([order, rng.permutation(n_rows)])
        yield order[:size]
        order = order[size:]


# %%
batches = row_batches(50, 20, np.random.default_rng(0))
assert_array_equal(np.bincount(np.concatenate([next(batches) for _ in range(5)])), np.full(50, 2))  # each row equally often


# %% [markdown]
# **Normalised while it learns.** Convolutions learn several times faster with batch normalisation in front of each activation. Once training is over, that is a fixed scale and shift of each unit, and a layer with a kernel and a bias can take both
# into its own weights: $\gamma\,(Wx + b - m)/s + \beta$ is $(\gamma W/s)\,x + \gamma\,(b - m)/s + \beta$. So the encoder is the one that was asked for, before and after.

# %%
#| export
def takes_normalisation(layer) -> bool:
    "Whether a layer is dense or convolutional, with an activation, and free to take any weights."
    if type(layer) not in (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D) or layer.activation is keras.activations.linear:
        return False
    bound = layer.kernel_regularizer or layer.bias_regularizer or layer.kernel_constraint or layer.bias_constraint
    return layer.use_bias and layer.trainable and not bound and getattr(layer, "data_format", None) != "channels_first"


def normalised(
    encoder,  # keras.Sequential
):  # (Keras model with normalisation, function that folds it into `encoder`), or None where no layer takes it
    "The network with batch normalisation in front of its activations; layers that take none are shared."
    layers, pairs = [], []
    for layer in encoder.layers if isinstance(encoder, keras.Sequential) else []:
        if takes_normalisation(layer):
            plain = type(layer).from_config(layer.get_config() | {"activation": None, "kernel_initializer": "zeros"})  # draws nothing
            pairs.append((layer, plain, keras.layers.BatchNormalization(momentum=0.9)))
            layers += [*pairs[-1][1:], keras.layers.Activation(layer.activation)]
        elif not isinstance(layer, keras.layers.InputLayer):
            layers.append(layer)
    if not pairs:
        return None
    model = keras.Sequential([keras.Input(encoder.input_shape[1:]), *layers])
    for layer, plain, _ in pairs:
        plain.set_weights(layer.get_weights())

    def fold():
        for layer, plain, norm in pairs:
            (kernel, bias), (gamma, beta, mean, variance) = plain.get_weights(), norm.get_weights()
            scale = gamma / np.sqrt(variance + norm.epsilon)
            layer.set_weights([kernel * scale, (bias - mean) * scale + beta])

    return model, fold


# %%
images = np.random.default_rng(0).random((64, 28, 28, 1), dtype=np.float32)
encoder = build_encoder("conv28", (28, 28, 1), 2, random_state=0)
model, fold = normalised(encoder)
for _ in range(30):
    model(images, training=True)  # collects means and variances
expected = encode(model, images, (28, 28, 1))
assert abs(encode(encoder, images, (28, 28, 1)) - expected).max() > 0.1
fold()
assert_allclose(encode(encoder, images, (28, 28, 1)), expected, atol=1e-4)
assert normalised(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])) is None  # nothing but an output


# %% [markdown]
# Now the regression. Its learning rate falls to zero, and so does that of the loop behind it.

# %%
#| export
def regress(
    network,  # Keras model; its weights are changed in place
    X,  # rows, shape (n_rows, ...); dense or CSR
    targets,  # where each row should go, shape (n_rows, n_components)
    input_shape: tuple,  # shape of one row, as the network wants it
    n_steps: int,
    batch_size: int = 500,  # rows in a step
    learning_rate: float = 2e-3,
    rows=None,  # indices of the rows that have a target; None = all
    random_state=None,
    verbose: bool = False,  # show a progress bar
) -> float:  # mean loss of the last tenth of the steps
    "Train a network to put each row at its target, passing over the rows in random order."
    rows = np.arange(len(targets)) if rows is None else np.asarray(rows)
    rng, optimizer = random_generator(random_state), fast_optimizer(learning_rate, n_steps)
    variables = network.trainable_variables
    optimizer.build(variables)

    def step(x, target):
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.sqrt(1 + squared_distance(network(x, training=True), target))) - 1
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    step, losses = compiled(step), []
    for _, chosen in zip(tqdm(range(n_steps), disable=not verbose, desc="layout", unit="step"), row_batches(len(rows), batch_size, rng)):
        which = rows[chosen]
        losses.append(float(step(take_rows(X, which, input_shape), targets[which])))
    return float(np.mean(losses[-max(1, n_steps // 10) :]))


def fast_optimizer(learning_rate: float, n_steps: int):
    "Adam with a learning rate that falls to zero in a straight line, and a short memory for the size of gradients."
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, n_steps, 0.0)
    return keras.optimizers.Adam(schedule, beta_2=0.99, clipvalue=4.0)


# %%
layout = graph_layout(X, edges, 2, a, b, random_state=0)
assert trustworthiness(X, layout) > 0.95
encoder = build_encoder("mlp", (64,), 2, random_state=0)
plain_loss = regress(encoder, X, layout, (64,), n_steps=300, random_state=0)
assert plain_loss < 1 and trustworthiness(X, encode(encoder, X, (64,))) > 0.9
encoder = build_encoder("mlp", (64,), 2, random_state=0)
model, fold = normalised(encoder)
normalised_loss = regress(model, X, layout, (64,), n_steps=300, random_state=0)
fold()
print(f"loss of 300 steps: {plain_loss:.2f}, with normalisation {normalised_loss:.2f}")
assert normalised_loss < plain_loss and trustworthiness(X, encode(encoder, X, (64,))) > 0.95


# %% [markdown]
# ### A capped repulsion
#
# A repulsion that is cut off has no gradient, so its pair waits. Where an embedding begins as one point, all would wait for ever; so the cap counts only while it concerns no more than half of the pairs.

# %%
#| export
def capped(
    repulsion,  # any shape
    cap: float,  # the most that one counts
):  # same shape
    "Repulsions cut off at `cap`, unless half of them lie above it: then all pairs nearly coincide, and only the full repulsion drives them apart."
    above = ops.mean(ops.cast(repulsion > cap, repulsion.dtype))
    return ops.where(above > 0.5, repulsion, ops.minimum(repulsion, cap))


# %%
assert_array_equal(capped(np.array([1.0, 2.0, 3.0, 9.0], "float32"), 4.0), [1, 2, 3, 4])
assert_array_equal(capped(np.array([1.0, 7.0, 8.0, 9.0], "float32"), 4.0), [1, 7, 8, 9])


# %% [markdown]
# ### Many steps in one call
#
# A step of the fast loop is so short that calling it from Python would take as long again. The compiled function takes the rows of a block of steps and works through them. Networks
# of dense layers are compiled by XLA, which nearly halves their time (convolutions on a CPU are slower with it), unless there are so few steps that compiling would take longer than they do.
#
# A decoder that is trained jointly reads the head of each edge and not its tail: every row is a head sooner or later, a decoder of convolutions takes several times as long as their encoder, and the two ends look much alike.

# %%
#| export
def fast_steps(
    encoder,  # Keras model
    optimizer,  # Keras optimizer
    a: float,
    b: float,
    negative_sample_rate: int = 5,  # weight of the mean repulsion
    loss: str = "paper",  # this and what follows, up to the last: as for `encoder_step`
    repulsion_strength: float = 1.0,
    decoder=None,  # Keras model that is trained jointly
    reconstruction: str = "binary_crossentropy",
    reconstruction_weight: float = 1.0,
    jit_compile: bool | None = None,  # by XLA
):  # compiled function (rows (n_steps, 2 n_edges, ...), heads as a decoder has to give them back (n_steps, n_edges, ...), shifts (n_steps, n_shifts), cap) -> (attraction, repulsion, reconstruction), three means
    "A block of training steps; each has its own batch of edges, heads on top of tails, and its own shifts. Repulsions are `capped`."
    models = [encoder] if decoder is None else [encoder, decoder]
    variables = [v for model in models for v in model.trainable_variables]
    optimizer.build(variables)

    def step(x, heads, shifts, cap):
        with tf.GradientTape() as tape:
            z = encoder(x, training=True)
            attraction, repulsion = rolled_cross_entropy(z, shifts, a, b, loss, repulsion_strength)
            terms = [ops.mean(attraction), ops.mean(repulsion)]
            total = terms[0] + negative_sample_rate * ops.mean(capped(repulsion, repulsion_strength * cap))
            decoded = ops.zeros(())
            if decoder is not None:
                decoded = reconstruction_loss(heads, decoder(z[: heads.shape[0]], training=True), reconstruction)
                total = total / (1 + negative_sample_rate) + reconstruction_weight * decoded
        optimizer.apply(tape.gradient(total, variables), variables)
        return ops.stack([*terms, decoded])

    def block(x, heads, shifts, cap):
        n = x.shape[0]
        body = lambda i, sums: (i + 1, sums + step(x[i], heads[i], shifts[i], cap))
        _, sums = tf.while_loop(lambda i, _: i < n, body, (0, tf.zeros(3)), parallel_iterations=1)
        return tf.unstack(sums / n)

    return compiled(block, jit_compile)


def is_dense(model) -> bool:
    "Whether a network has dense layers only, and layers that shape or activate."
    kinds = (keras.layers.Dense, keras.layers.Flatten, keras.layers.Reshape, keras.layers.InputLayer, keras.layers.Activation, keras.layers.ReLU)
    return all(isinstance(layer, kinds) for layer in model.layers)


# %% [markdown]
# Two steps in a block do what two blocks of one step do.

# %%
rows, shifts = np.random.default_rng(0).random((2, 200, 64), dtype="float32"), np.array([[1, 5], [2, 7]], "int32")
together, apart = (build_encoder("mlp", (64,), 2, random_state=0) for _ in range(2))
no_cap = np.float32(np.inf)
fast_steps(together, fast_optimizer(1e-2, 10), a, b)(rows, rows[:, :100], shifts, no_cap)
one_by_one = fast_steps(apart, fast_optimizer(1e-2, 10), a, b)
for i in range(2):
    one_by_one(rows[[i]], rows[[i], :100], shifts[[i]], no_cap)
assert_allclose(together.get_weights()[0], apart.get_weights()[0], atol=1e-5)


# %% [markdown]
# ### Rows held out
#
# Early stopping needs a loss that training does not see. Some rows are held out, with all their edges; the loss over these edges, and over random pairs of the rows at their ends, tells when there is no more to be learned.

# %%
#| export
def hold_out(
    edges: Edges,
    n_rows: int,
    fraction: float,  # of the rows
    random_state=None,
) -> tuple[Edges, Edges]:  # (edges between the other rows, edges at held-out rows)
    "Split edges by a random sample of rows that are held out."
    held = np.zeros(n_rows, dtype=bool)
    held[random_generator(random_state).choice(n_rows, max(1, round(fraction * n_rows)), replace=False)] = True
    touched = held[edges.head] | held[edges.tail]
    if touched.all() or not touched.any():
        raise ValueError(f"validation_fraction={fraction} leaves no edges on one side of the split: choose another, or train without early_stopping.")
    return Edges(*(part[~touched] for part in edges)), Edges(*(part[touched] for part in edges))


def held_out_loss(
    encoder,  # Keras model
    X,  # rows, shape (n_rows, ...); dense or CSR
    held: Edges,  # from `hold_out`
    input_shape: tuple,
    a: float,
    b: float,
    negative_sample_rate: int,
    loss: str,
    repulsion_strength: float = 1.0,
    n_edges: int = 2000,  # drawn by strength, the same each time
) -> float:  # mean over an attraction and its repulsions
    "The UMAP cross entropy over edges that training does not see."
    head, tail = next(weighted_batches(held, n_edges, random_state=0))
    z = encode(encoder, X[np.concatenate([head, tail])], input_shape)
    shifts = np.arange(1, 2 * negative_sample_rate + 1) * (n_edges // (negative_sample_rate + 1))
    attraction, repulsion = rolled_cross_entropy(z, shifts, a, b, loss, repulsion_strength)
    return float((ops.mean(attraction) + negative_sample_rate * ops.mean(repulsion)) / (1 + negative_sample_rate))


# %%
#| export
class HeldOut:
    "Follows the held-out loss: keeps the weights where it was lowest, and says when it has stopped falling."

    def __init__(
        self,
        loss,  # function without arguments
        models: list,  # Keras models whose weights are kept
        n_iter_no_change: int = 10,  # checks without a lower loss
        tol: float = 1e-4,  # a loss must be lower by this to count as lower
    ):
        self.loss, self.models, self.patience, self.tol = loss, models, n_iter_no_change, tol
        self.history, self.best, self.since, self.weights = [], math.inf, 0, None

    def is_over(self) -> bool:
        "Check once more; True when the loss has not fallen for `n_iter_no_change` checks."
        loss = self.loss()
        self.history.append(loss)
        self.since = 0 if loss < self.best - self.tol else self.since + 1
        if loss <= self.best:
            self.best, self.weights = loss, [model.get_weights() for model in self.models]
        return self.since >= self.patience

    def restore(self) -> None:
        "Put the best weights back."
        for model, weights in zip(self.models, self.weights or []):
            model.set_weights(weights)


# %%
rest, held = hold_out(edges, len(X), 0.1, random_state=0)
assert len(rest.head) + len(held.head) == len(edges.head)
losses = iter([3.0, 2.0, 2.5, 2.4])
judge = HeldOut(lambda: next(losses), [encoder], n_iter_no_change=2)
assert [judge.is_over() for _ in range(4)] == [False, False, False, True] and judge.best == 2.0

# %% [markdown]
# ### The stages and the plan
#
# What can be switched off or changed is in one table. (`ParametricUMAP` takes changes to it as `solver_options`.) What does not apply to an encoder or to data is left out, and `history["notes"]` says so.

# %%
#| export
MOST_PASSES = 30  # over the rows, to learn the layout: more would learn it by heart
FAST_STAGES = {  # the parts of the fast loop that can be switched off or changed
    "n_coordinates": 200,  # principal coordinates for the first layer; 0 = train it on the rows themselves
    "centred": None,  # with them, take the first layer as made for rows less their mean; None = if that `is_far` off, False for an encoder that has learned something
    "layout_passes": None,  # passes over the rows, at most, in which to learn umap-learn's layout; None = `MOST_PASSES` where an encoding is dear, else 0
    "normalise": True,  # where a layout is learned, train with batch normalisation, folded away afterwards
    "parallel": False,  # let the layout use all cores, at the price of repeatability
    "capped_until": 0.9,  # part of the run in which the repulsion is capped; 0 = never
}


def fast_stages(
    changes: dict | None,  # by the names of `FAST_STAGES`
) -> dict:
    "All stages, with changes; a `ValueError` for a name that is none, or a value that cannot be."
    wrong = [name for name in changes or {} if name not in FAST_STAGES]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not a stage of the fast solver; there are: {', '.join(FAST_STAGES)}.")
    stages = FAST_STAGES | (changes or {})
    for name, (kind, most) in {"n_coordinates": (numbers.Integral, math.inf), "layout_passes": (numbers.Real, math.inf), "capped_until": (numbers.Real, 1)}.items():
        value, optional = stages[name], FAST_STAGES[name] is None
        if not (optional and value is None or isinstance(value, kind) and 0 <= value <= most):
            what = ("None, or " if optional else "") + ("a whole number" if kind is numbers.Integral else "a number")
            raise ValueError(f"{name} is {value!r}; as a stage of the fast solver it must be {what} {'of at least 0' if most > 1 else 'from 0 to 1'}.")
    return stages


# %%
assert fast_stages({"parallel": True})["parallel"] and not fast_stages(None)["parallel"]
for wrong, words in (({"paralel": True}, "n_coordinates, centred"), ({"n_coordinates": -1}, "at least 0"), ({"capped_until": 2}, "from 0 to 1")):
    try:
        fast_stages(wrong)
    except ValueError as error:
        assert words in str(error)
    else:
        raise AssertionError("no error")

# %% [markdown]
# The plan says how many steps there are, how many of them for the layout, and how many in one call.
#
# Effort has one meaning in both loops: `n_training_epochs` passes over the edges as the paper repeats them. If none is given it is one and a half passes here, and on small data as many as make 3,000 steps. Where an encoding is dear it is a quarter of a pass, in batches half as large.

# %%
#| export
LEAST_STEPS = 3_000  # of a fit whose effort is left to the solver


def fast_steps_of(
    edges: Edges,
    batch_size: int,
    n_training_epochs: float | None,  # None = `own_passes`, and at least `LEAST_STEPS` steps
    own_passes: float = 1.5,
) -> int:
    "How many steps an effort is."
    if n_training_epochs is None:
        return max(LEAST_STEPS, n_steps_for(own_passes, edges, batch_size))
    return n_steps_for(n_training_epochs, edges, batch_size)


# %%
assert fast_steps_of(edges, 300, 2) == n_steps_for(2, edges, 300) and fast_steps_of(edges, 300, None) == LEAST_STEPS

# %% [markdown]
# An edge is two encodings, a row of the regression is one; the effort pays for both. A decoder that is trained jointly learns beside the UMAP loss only, which then keeps half of the effort, else a fifth.

# %%
#| export
ROWS_OF_REGRESSION = 500  # in a step


def shared_effort(
    n_steps: int,  # in all
    batch_size: int,  # edges in a step
    n_rows: int,  # that have a place in the layout
    layout_passes: float | None,  # as in `FAST_STAGES`
    dear: bool,  # whether an encoding is
    most: float = 0.8,  # of the effort that goes into the layout; less where a decoder waits for its turn
) -> tuple[int, int]:  # (steps of regression, steps on the UMAP loss)
    "Divide the effort between the layout and the UMAP loss."
    if layout_passes is None:
        layout_passes = MOST_PASSES if dear else 0
    encodings = min(layout_passes * n_rows, most * n_steps * 2 * batch_size)
    return round(encodings / min(ROWS_OF_REGRESSION, n_rows)), max(1, round(n_steps - encodings / (2 * batch_size)))


# %% [markdown]
# Of a thousand steps of 500 edges, a million encodings, 800,000 go into the layout, and at most 30 passes over the rows.

# %%
assert shared_effort(1000, 500, 50_000, None, dear=True) == (1600, 200)
assert shared_effort(1000, 500, 10_000, None, dear=True) == (600, 700)
assert shared_effort(1000, 500, 50_000, None, dear=True, most=0.5) == (1000, 500)
assert shared_effort(1000, 500, 50_000, None, dear=False) == (0, 1000)
assert shared_effort(1000, 500, 50_000, 3, dear=False) == (300, 850)

# %%
#| export
BLOCK_BYTES = 2**24  # rows of one block of steps


def in_blocks(
    n_steps: int,
    batch_size: int,
    row_bytes: int,  # of one row as float32
) -> tuple[int, int]:  # (steps in a block, blocks)
    "How many steps in one call: about a hundredth of all, and not too many rows."
    block = max(1, min(50, n_steps // 100, BLOCK_BYTES // (2 * batch_size * row_bytes)))
    return block, max(1, round(n_steps / block))


# %%
assert in_blocks(3000, 500, row_bytes=4 * 50) == (30, 100)
assert in_blocks(3000, 500, row_bytes=4 * 3072) == (1, 3000)  # 12 MB of rows in a step


# %% [markdown]
# ### What comes before the loop
#
# What it leaves is what the loop trains on: rows, perhaps in principal coordinates, and an encoder for these.

# %%
#| export
def coordinates_too(
    X,  # rows, shape (n_rows, ...); dense or CSR
    encoder,  # Keras model
    input_shape: tuple,  # shape of one row as the encoder wants it
    n_coordinates: int,  # 0 = none
    centred: bool | None,  # as in `FAST_STAGES`
    rng: np.random.Generator,  # draws the sample
):  # (rows, encoder, shape of a row, fold, list of notes)
    "Rows in principal coordinates and the encoder on them; both as they were where that cannot be, or would lose rows."
    first = first_dense_layer(encoder)
    if n_coordinates and not isinstance(first, str):
        coordinates = principal_coordinates(X, n_coordinates, random_state=rng)
        inside = to_coordinates(X, coordinates)
        lost = rows_lost(X, inside, coordinates)
        if lost <= len(inside) / 1_000:  # one row in a thousand may well be odd
            inner, fold = encoder_inside(*first, coordinates, is_far(coordinates, inside) if centred is None else centred)
            return inside, inner, coordinates.inverse.shape[:1], fold, []
        first = f"the {coordinates.basis.shape[1]} axes of a sample miss {lost:,} rows nearly altogether"
    return X, encoder, input_shape, lambda: None, [f"no principal coordinates: {first}"] if n_coordinates else []


# %%
#| export
def fast_start(
    X,  # rows, shape (n_rows, ...); dense or CSR
    edges: Edges,
    encoder,  # Keras model
    a: float,
    b: float,
    input_shape: tuple,  # shape of one row as the encoder wants it
    n_coordinates: int = 200,  # 0 = train the first layer on the rows themselves
    centred: bool | None = None,  # as in `FAST_STAGES`
    layout_steps: int = 0,  # of regression onto umap-learn's layout
    normalise: bool = True,  # then train with batch normalisation, folded away afterwards
    random_state=None,
    verbose: bool = False,  # show a progress bar
    **layout_settings,  # negative_sample_rate, repulsion_strength, parallel
):  # (rows, encoder, shape of a row, fold, notes): what to train on, and what to call afterwards
    "The stages before the UMAP loss: principal coordinates, normalisation, and a layout to start from."
    rng = random_generator(random_state)
    X, encoder, input_shape, fold, notes = coordinates_too(X, encoder, input_shape, n_coordinates, centred, rng)
    if layout_steps and normalise:
        encoder, fold, note = normalised_too(encoder, fold)
        notes += note
    if layout_steps:
        layout = graph_layout(X, edges, encoder.output_shape[-1], a, b, random_state=rng, **layout_settings)
        placed = rows_with_edges(edges)
        regress(encoder, X, layout, input_shape, layout_steps, min(ROWS_OF_REGRESSION, len(placed)), rows=placed, random_state=rng, verbose=verbose)
        notes.append(f"{layout_steps} steps of regression onto a layout came first")
    return X, encoder, input_shape, fold, notes


def normalised_too(
    encoder,  # Keras model
    fold,  # what folds `encoder` into another
):  # (encoder, fold, list of notes)
    "Normalise an encoder if that can be, and fold twice."
    inner = normalised(encoder)
    if inner is None:
        return encoder, fold, ["no normalisation: the encoder is not a keras.Sequential with dense or convolutional layers"]

    def both():
        inner[1]()
        fold()

    return inner[0], both, []


def rows_with_edges(edges: Edges) -> np.ndarray:  # sorted indices
    "The rows that have an edge."
    return np.unique(np.concatenate([edges.head, edges.tail]))


# %% [markdown]
# ### The loop
#
# Block after block of steps, with a look at the held-out rows after each hundredth of the run if there are any.

# %%
#| export
def fast_block(
    X,  # rows, as the encoder takes them
    stream,  # iterator over (head, tail)
    input_shape: tuple,  # shape of one row
    n_steps: int,  # in the block
    n_shifts: int,  # in a step, see `losses.rolled_cross_entropy`
    rng: np.random.Generator,
    targets: tuple | None = None,  # (rows, shape of one) that a decoder has to give back, if there is one
):  # (rows float32 (n_steps, 2 n_edges, *input_shape), heads (n_steps, n_edges, ...) of the targets, shifts int32 (n_steps, n_shifts))
    "What a block of steps needs."
    which = np.stack([np.concatenate(next(stream)) for _ in range(n_steps)])
    taken = lambda rows, which, shape: take_rows(rows, which.ravel(), shape).reshape(*which.shape, *shape)
    rows, heads = taken(X, which, input_shape), which[:, : which.shape[1] // 2]
    heads = taken(targets[0], heads, targets[1]) if targets else rows[:, :0]
    return rows, heads, rng.integers(1, which.shape[1], (n_steps, n_shifts), dtype=np.int32)


# %%
#| export
CAP = -math.log(0.02)  # of the repulsion
JIT_STEPS = 500  # from here on compiling by XLA pays


def fast_blocks(
    X,  # rows, as the encoder takes them
    encoder,  # Keras model
    a: float,
    b: float,
    input_shape: tuple,  # shape of one row
    plan: tuple,  # (steps in a block, blocks), from `in_blocks`
    stream,  # iterator over (head, tail)
    learning_rate: float,
    negative_sample_rate: int,
    judge: HeldOut | None = None,
    capped_until: float = 0.9,  # part of the run in which the repulsion is capped
    random_state=None,
    verbose: bool = False,
    callback=None,  # called after each block with the number of steps done
    targets: tuple | None = None,  # of a decoder, see `fast_block`
    **step_settings,  # decoder, loss, repulsion_strength, ...: see `fast_steps`
) -> dict:  # as from `fit_encoder`
    "The loop itself: block after block, until the plan is done or the held-out loss no longer falls."
    block, n_blocks = plan
    rng = random_generator(random_state)
    n_steps, decoder = block * n_blocks, step_settings.get("decoder")
    jit_compile = True if n_steps >= JIT_STEPS and is_dense(encoder) and (decoder is None or is_dense(decoder)) else None
    optimizer = fast_optimizer(learning_rate, n_steps)
    steps = fast_steps(encoder, optimizer, a, b, negative_sample_rate, jit_compile=jit_compile, **step_settings)
    recorder = Recorder(n_steps, 1, negative_sample_rate, decoder is not None, verbose, repulsion_cut(**step_settings))
    for i in range(1, n_blocks + 1):
        cap = np.float32(CAP if i <= capped_until * n_blocks else np.inf)
        terms = steps(*fast_block(X, stream, input_shape, block, 2 * negative_sample_rate, rng, targets), cap)
        recorder.add(i * block, terms, block)
        if callback:
            callback(i * block)
        if judge and i % max(1, n_blocks // 100) == 0 and judge.is_over():
            break
    history = recorder.close() | {"notes": recorder.notes}
    if judge:
        judge.restore()
        history["held_out"] = judge.history
    return history


# %% [markdown]
# And all of it in one function, which takes what `fit_encoder` takes.

# %%
#| export
def fit_encoder_fast(
    X,  # rows, shape (n_rows, ...); dense or CSR
    edges: Edges,  # from `graph.pruned_edges`
    encoder,  # Keras model; its weights are changed in place
    a: float,
    b: float,
    decoder=None,  # Keras model that is trained jointly, so that its loss changes the encoder, too; changed in place
    input_shape: tuple | None = None,  # shape of one row as the encoder wants it; None = as in X
    n_training_epochs: float | None = None,  # passes over the repeated edges, see `fast_steps_of`
    batch_size: int | None = None,  # edges in a batch; None = 1,000 for dense layers, else 500, and no more than rows
    learning_rate: float | None = None,  # at the start, of the UMAP loss; None = 5e-3 for dense layers, else 5e-4 after a layout, 2e-3 without
    negative_sample_rate: int = 5,
    edge_sampling: str = "weighted",  # or "paper", see `graph.edge_batches`
    stages: dict | None = None,  # changes to `FAST_STAGES`
    stopping: dict | None = None,  # validation_fraction, n_iter_no_change; None = no early stopping
    random_state=None,
    verbose: bool = False,  # show a progress bar
    callback=None,  # called after each block of steps with the number of steps done, and a function that brings the encoder up to date
    **step_settings,  # loss, repulsion_strength, reconstruction, ...: see `fast_steps`
) -> dict:  # as from `fit_encoder`, with "held_out" (losses) if there is early stopping
    "Train an encoder on the UMAP loss, fast: the stages of `fast_start`, then `fast_blocks`."
    rng_edges, rng_negatives, rng_start, rng_held = random_generator(random_state).spawn(4)
    input_shape = X.shape[1:] if input_shape is None else input_shape
    stages = fast_stages(stages)
    capped_until, layout_passes, judge = stages.pop("capped_until"), stages.pop("layout_passes"), None
    if stopping:
        edges, held = hold_out(edges, X.shape[0], stopping["validation_fraction"], rng_held)
    cheap = is_dense(encoder)
    batch_size = min(X.shape[0], 1000 if cheap else 500) if batch_size is None else batch_size
    n_steps = fast_steps_of(edges, batch_size, n_training_epochs, 1.5 if cheap else 0.25)
    layout_steps, n_steps = shared_effort(n_steps, batch_size, len(rows_with_edges(edges)), layout_passes, not cheap, 0.8 if decoder is None else 0.5)
    learning_rate = learning_rate or (5e-3 if cheap else 5e-4 if layout_steps else 2e-3)  # what was learned should not be shaken
    stages |= {"layout_steps": layout_steps, "verbose": verbose, "repulsion_strength": step_settings.get("repulsion_strength", 1.0)}
    rows, network, shape, fold, notes = fast_start(
        X, edges, encoder, a, b, input_shape, random_state=rng_start, negative_sample_rate=negative_sample_rate, **stages
    )
    if stopping:
        form = step_settings.get("loss", "paper"), stages["repulsion_strength"]
        loss = lambda: held_out_loss(network, rows, held, shape, a, b, negative_sample_rate, *form)
        judge = HeldOut(loss, [network] if decoder is None else [network, decoder], stopping["n_iter_no_change"])
    settings, width = step_settings, math.prod(shape)
    if decoder is not None:
        settings, width = settings | {"decoder": decoder, "targets": (X, input_shape)}, width + math.prod(input_shape) // 2
    plan = in_blocks(n_steps, batch_size, 4 * width)
    stream = edge_batches(edges, batch_size, rng_edges, edge_sampling)
    if callback:
        settings = settings | {"callback": lambda step: callback(step, fold)}
    history = fast_blocks(
        rows, network, a, b, shape, plan, stream, learning_rate, negative_sample_rate, judge, capped_until, rng_negatives, verbose, **settings
    )  # fmt: skip
    notes += history["notes"]
    if history["step"][-1] < math.prod(plan):
        notes.append(f"stopped early, after {history['step'][-1]} of {math.prod(plan)} steps")
    fold()
    return history | {"notes": notes}


# %%
def fit_digits_fast(random_state=0, **settings):
    encoder = build_encoder("mlp", (64,), 2, random_state=random_state)
    history = fit_encoder_fast(X, edges, encoder, a, b, batch_size=300, random_state=random_state, **({"n_training_epochs": 2} | settings))
    return encoder, history


fast, history = fit_digits_fast()
assert trustworthiness(X, encode(fast, X, (64,))) > 0.95 and history["notes"] == []

# %% [markdown]
# The same number of edges does more here than in the paper's loop. Both curves show the UMAP loss that each loop records as it goes.

# %%
_, slow_history = fit_digits()
fig, ax = plt.subplots(figsize=(4, 2.8), layout="constrained")
for name, record in (("paper", slow_history), ("fast", history)):
    ax.plot(record["step"], record["loss"], label=f'solver="{name}"')
ax.set(xlabel="step", ylabel="loss", yscale="log")
ax.legend(frameon=False)
assert history["loss"][-1] < slow_history["loss"][-1]

# %% [markdown]
# One seed, one embedding, here as well. A part that is switched off is missing, one that is switched on leaves a note, and held-out rows stop a run that has nothing more to learn.

# %%
again, _ = fit_digits_fast()
assert_array_equal(encode(fast, X, (64,)), encode(again, X, (64,)))
plain, history = fit_digits_fast(stages={"n_coordinates": 0})
assert trustworthiness(X, encode(plain, X, (64,))) > 0.93
started, history = fit_digits_fast(stages={"layout_passes": 30}, n_training_epochs=0.5)
assert trustworthiness(X, encode(started, X, (64,))) > 0.93 and "onto a layout" in history["notes"][0]
stopped, history = fit_digits_fast(stopping={"validation_fraction": 0.1, "n_iter_no_change": 2}, n_training_epochs=20)
assert "stopped early" in history["notes"][-1] and len(history["held_out"]) < 100

# %% [markdown]
# A decoder that is trained jointly has to give the rows back, not their coordinates.

# %%
decoder = build_decoder("mlp", (64,), 2, random_state=0)
jointly, history = fit_digits_fast(decoder=decoder)
assert history["reconstruction"][-1] < history["reconstruction"][0]
assert trustworthiness(X, encode(jointly, X, (64,))) > 0.94


# %% [markdown]
# ## Fitting an embedding
#
# The same loss without a network: the coordinates themselves are the variables. The paper calls it UMAP (TF); it tells apart what the network does and what the change of
# optimiser does. The loop is the paper's, and this method has no other. It starts from umap-learn's spectral layout, takes as many edges in a batch as there are rows (60,000 at most), and uses Adadelta with a learning rate of 50.

# %%
#| export
def fit_embedding(
    embedding,  # where the points start, shape (n_rows, n_components)
    edges: Edges,  # from `graph.pruned_edges`
    a: float,
    b: float,
    n_training_epochs: float = 100,  # passes over the repeated edges
    batch_size: int | None = None,  # edges in a batch; None = the number of rows, 60,000 at most
    learning_rate: float = 50.0,
    negative_sample_rate: int = 5,
    loss: str = "paper",  # form of the cross entropy, see `losses.loss_terms`
    repulsion_strength: float = 1.0,
    random_state=None,
    verbose: bool = False,  # show a progress bar
    callback=None,  # called after each step with the number of steps done and the coordinates, a tf.Variable
) -> tuple[np.ndarray, dict]:  # (embedding float32 of shape (n_rows, n_components), history as in `fit_encoder`)
    "Optimise the UMAP loss over the coordinates themselves, as the original did for UMAP (TF)."
    rng_edges, rng_negatives = random_generator(random_state).spawn(2)
    batch_size = min(len(embedding), 60_000) if batch_size is None else batch_size
    n_steps = n_steps_for(n_training_epochs, edges, batch_size)
    z = tf.Variable(np.asarray(embedding, dtype=np.float32))
    step = embedding_step(z, keras.optimizers.Adadelta(learning_rate), a, b, loss, repulsion_strength)
    recorder = Recorder(n_steps, 1, negative_sample_rate, verbose=verbose)
    for i, (head, tail) in zip(range(1, n_steps + 1), edge_batches(edges, batch_size, rng_edges)):
        recorder.add(i, step(head, tail, in_batch_negatives(len(head), negative_sample_rate, rng_negatives)))
        if callback:
            callback(i, z)
    return z.numpy(), recorder.close()


def embedding_step(
    z: tf.Variable,  # the coordinates, shape (n_rows, n_components)
    optimizer,  # Keras optimizer
    a: float,
    b: float,
    loss: str,
    repulsion_strength: float,
):  # compiled function (head, tail, negatives) -> (attraction, repulsion, 0), means
    "A compiled step on the coordinates themselves."
    optimizer.build([z])

    def step(head, tail, negatives):
        with tf.GradientTape() as tape:
            attraction, repulsion = umap_cross_entropy(tf.gather(z, head), tf.gather(z, tail), negatives, a, b, loss, repulsion_strength)
            total = total_loss(attraction, repulsion, "sum")
        gradient = tf.convert_to_tensor(tape.gradient(total, z))
        optimizer.apply([ops.clip(gradient, -4.0, 4.0)], [z])
        return ops.mean(attraction), ops.mean(repulsion), ops.zeros(())

    return compiled(step)


# %%
start = np.random.default_rng(0).normal(scale=5, size=(len(X), 2))
z, history = fit_embedding(start, edges, a, b, n_training_epochs=15, random_state=0)
assert trustworthiness(X, z) > 0.93 > trustworthiness(X, start)
again, _ = fit_embedding(start, edges, a, b, n_training_epochs=15, random_state=0)
assert_array_equal(z, again)


# %% [markdown]
# ## Fitting an autoencoder
#
# The paper compares its networks with the same networks under other losses. These loops take batches of rows (`row_batches`) in place of edges, and
# count their effort in passes over the rows, which may be fractions.

# %%
#| export
def n_row_steps(
    n_rows: int,
    batch_size: int,  # rows in a batch
    n_training_epochs: float,  # passes over the rows; may be a fraction
) -> int:
    "Steps in so many passes over the rows, at least one."
    return steps_of_passes(n_training_epochs, n_rows / min(batch_size, n_rows))


# %%
assert n_row_steps(10, 4, 2) == 5 and n_row_steps(10, 4, 1e-6) == 1 and n_row_steps(10, 100, 3) == 3


# %% [markdown]
# The record of such a run has the same spans and the same times, with the terms of its own loss.

# %%
#| export
class TermRecorder(Recorder):
    "A `Recorder` for other losses: the loss is the sum of the terms, and each term has a name."

    def __init__(self, n_steps: int, terms: tuple = (), verbose: bool = False):
        super().__init__(n_steps, 1, 1, verbose=verbose)
        self.terms = terms
        self.history = {name: [] for name in ("step", "seconds", "loss", *terms)}

    def _named(self, means) -> dict:
        return dict(zip(self.terms, means)) | {"loss": means.sum()}


# %%
recorder = TermRecorder(n_steps=2, terms=("reconstruction", "divergence"))
recorder.add(1, (3.0, 1.0))
recorder.add(2, (2.0, 1.0))
history = recorder.close()
assert history["loss"] == [4, 3] and history["divergence"] == [1, 1] and history["step"] == [1, 2]


# %% [markdown]
# An autoencoder learns to give its rows back through the few numbers of the embedding, and nothing else. In the paper: Adam, cross entropy, 50 passes, batches of 256.

# %%
#| export
def fit_autoencoder(
    X,  # rows, shape (n_rows, ...); dense or CSR
    encoder,  # Keras model; its weights are changed in place
    decoder,  # Keras model; its weights are changed in place
    input_shape: tuple | None = None,  # shape of one row as the encoder wants it; None = as in X
    n_training_epochs: float = 50,  # passes over the rows
    batch_size: int = 256,  # rows in a step
    learning_rate: float = 1e-3,
    reconstruction: str = "binary_crossentropy",  # or "mse"
    random_state=None,
    verbose: bool = False,  # show a progress bar
) -> dict:  # lists "step", "seconds", "loss", "reconstruction"
    "Train an encoder and a decoder to give rows back."
    input_shape = X.shape[1:] if input_shape is None else input_shape
    n_steps = n_row_steps(X.shape[0], batch_size, n_training_epochs)
    batches = row_batches(X.shape[0], batch_size, random_generator(random_state))

    def loss(x):
        return (reconstruction_loss(x, decoder(encoder(x, training=True), training=True), reconstruction),)

    step = loss_step(loss, [encoder, decoder], keras.optimizers.Adam(learning_rate))
    recorder = TermRecorder(n_steps, ("reconstruction",), verbose)
    for i, batch in zip(range(1, n_steps + 1), batches):
        recorder.add(i, step(take_rows(X, batch, input_shape)))
    return recorder.close()


def loss_step(
    loss,  # function of the arrays of a batch -> tuple of scalars, whose sum is the loss
    models: list,  # Keras models to be trained
    optimizer,  # Keras optimizer
):  # compiled function of the arrays of a batch -> the same scalars
    "A compiled training step on any loss."
    variables = [v for model in models for v in model.trainable_variables]
    optimizer.build(variables)

    def step(*arrays):
        with tf.GradientTape() as tape:
            terms = loss(*arrays)
            total = sum(terms)
        optimizer.apply(tape.gradient(total, variables), variables)
        return terms

    return compiled(step)


# %%
def networks(n_outputs=2):
    return build_encoder("mlp", (64,), n_outputs, random_state=0), build_decoder("mlp", (64,), 2, random_state=0)


encoder, decoder = networks()
history = fit_autoencoder(X, encoder, decoder, n_training_epochs=40, batch_size=100, random_state=0)
read_back = encode(decoder, encode(encoder, X, (64,)), (2,))
assert ((read_back - X) ** 2).mean() < 0.8 * ((X.mean(axis=0) - X) ** 2).mean()
again, decoder = networks()
fit_autoencoder(X, again, decoder, n_training_epochs=40, batch_size=100, random_state=0)
assert_array_equal(encode(encoder, X, (64,)), encode(again, X, (64,)))  # one seed, one embedding


# %% [markdown]
# ## Fitting a decoder
#
# A decoder whose gradient stops at the embedding has no say in it. So it need not run beside the encoder: once that is trained, reading the embedding back is a regression, on a target that no longer
# moves, with one decoding for a row in place of two for an edge. The paper's loop trains both at once; the fast one does it this way, and what it did jointly it finishes in the same way.

# %%
#| export
def fit_decoder(
    embedding,  # what the decoder reads, shape (n_rows, n_components)
    X,  # rows that it has to give back, shape (n_rows, ...); dense or CSR
    decoder,  # Keras model; its weights are changed in place
    n_training_epochs: float | None = None,  # passes over the rows; None = 5, and at least `LEAST_STEPS` steps, or 1,000 if not all layers are dense
    batch_size: int = 100,  # rows in a step
    learning_rate: float = 2e-3,  # of Adam; falls to zero in a straight line
    reconstruction: str = "binary_crossentropy",  # or "mse"
    random_state=None,
    verbose: bool = False,  # show a progress bar
) -> dict:  # lists "step", "seconds", "loss", "reconstruction"
    "Train a decoder on an embedding that is done."
    n_steps = n_row_steps(X.shape[0], batch_size, 5 if n_training_epochs is None else n_training_epochs)
    if n_training_epochs is None:
        n_steps = max(n_steps, LEAST_STEPS if is_dense(decoder) else 1000)
    batches = row_batches(X.shape[0], batch_size, random_generator(random_state))

    def loss(z, x):
        return (reconstruction_loss(x, decoder(z, training=True), reconstruction),)

    step = loss_step(loss, [decoder], fast_optimizer(learning_rate, n_steps))
    recorder = TermRecorder(n_steps, ("reconstruction",), verbose)
    for i, batch in zip(range(1, n_steps + 1), batches):
        recorder.add(i, step(embedding[batch], take_rows(X, batch, decoder.output_shape[1:])))
    return recorder.close()


# %% [markdown]
# The embedding of the digits from above, read back.

# %%
z, decoder = encode(fast, X, (64,)), build_decoder("mlp", (64,), 2, random_state=0)
history = fit_decoder(z, X, decoder, n_training_epochs=40, batch_size=100, random_state=0)
read_back = encode(decoder, z, (2,))
assert history["loss"][-1] < history["loss"][0] and ((read_back - X) ** 2).mean() < 0.8 * ((X.mean(axis=0) - X) ** 2).mean()


# %% [markdown]
# ## Fitting a variational autoencoder
#
# The encoder has two outputs for each component, first all the means, then all the logarithms of variances. The embedding of a row is its mean. In the paper: Adam, 30 passes, batches of 128.

# %%
#| export
def fit_vae(
    X,  # rows with values in [0, 1], shape (n_rows, ...); dense or CSR
    encoder,  # Keras model with 2 * n_components outputs: means, then logarithms of variances; changed in place
    decoder,  # Keras model with n_components inputs; changed in place
    input_shape: tuple | None = None,  # shape of one row as the encoder wants it; None = as in X
    n_training_epochs: float = 30,  # passes over the rows
    batch_size: int = 128,  # rows in a step
    learning_rate: float = 1e-3,
    weighting: str = "elbo",  # of the two parts of the loss, or "paper": see `losses.vae_loss`
    random_state=None,
    verbose: bool = False,  # show a progress bar
) -> dict:  # lists "step", "seconds", "loss", "reconstruction", "divergence"
    "Train an encoder of distributions and a decoder."
    rng_rows, rng_noise = random_generator(random_state).spawn(2)
    input_shape = X.shape[1:] if input_shape is None else input_shape
    n_steps = n_row_steps(X.shape[0], batch_size, n_training_epochs)
    batches = row_batches(X.shape[0], batch_size, rng_rows)

    def loss(x, noise):
        mean, log_variance = ops.split(encoder(x, training=True), 2, axis=-1)
        z = mean + ops.exp(log_variance / 2) * noise
        return vae_loss(x, decoder(z, training=True), mean, log_variance, weighting)

    step = loss_step(loss, [encoder, decoder], keras.optimizers.Adam(learning_rate))
    recorder = TermRecorder(n_steps, ("reconstruction", "divergence"), verbose)
    for i, batch in zip(range(1, n_steps + 1), batches):
        noise = rng_noise.standard_normal((len(batch), encoder.output_shape[-1] // 2), dtype=np.float32)
        recorder.add(i, step(take_rows(X, batch, input_shape), noise))
    return recorder.close()


# %% [markdown]
# The divergence holds the means together: they spread about as wide as a normal distribution, where a plain autoencoder may go anywhere.

# %%
variational, decoder = networks(n_outputs=4)
history = fit_vae(X, variational, decoder, n_training_epochs=40, batch_size=100, random_state=0)
assert_allclose(history["loss"], np.add(history["reconstruction"], history["divergence"]))
assert history["loss"][-1] < history["loss"][0]
assert encode(variational, X, (64,))[:, :2].std() < 1.5 < encode(encoder, X, (64,)).std()
again, decoder = networks(n_outputs=4)
assert fit_vae(X, again, decoder, n_training_epochs=40, batch_size=100, random_state=0)["loss"] == history["loss"]


# %% [markdown]
# ## Fitting parametric t-SNE
#
# The rows are dealt into fixed batches once, in random order. The last batch is filled from the beginning of that order, so that every row
# takes part. (The original takes rows in the order of the file and leaves those after the last full batch out: of 30,327 cells, 327.) The probabilities $P$ of a batch are computed when it is first met and then kept: 5,000 rows take 100 MB.
# In the paper: perplexity 30, batches of 5,000, 1,000 passes, Adam with a learning rate of 0.01.

# %%
#| export
def fixed_batches(
    n_rows: int,
    batch_size: int,
    rng: np.random.Generator,
) -> list:  # of int arrays of one length, the smaller of batch_size and n_rows
    "Deal all rows into batches of one size; the last is filled up from the first."
    batch_size = min(batch_size, n_rows)
    n_batches = -(-n_rows // batch_size)
    order = np.resize(rng.permutation(n_rows), n_batches * batch_size)
    return list(order.reshape(n_batches, batch_size))


# %%
batches = fixed_batches(10, 4, np.random.default_rng(0))
assert [len(set(batch)) for batch in batches] == [4, 4, 4] and set(np.concatenate(batches)) == set(range(10))


# %%
#| export
def fit_tsne_encoder(
    X,  # rows, shape (n_rows, ...); dense or CSR
    encoder,  # Keras model; its weights are changed in place
    input_shape: tuple | None = None,  # shape of one row as the encoder wants it; None = as in X
    perplexity: float = 30.0,  # neighbours that a row effectively has
    n_training_epochs: float = 1000,  # passes over the batches; may be a fraction
    batch_size: int = 5000,  # rows that are compared with each other
    learning_rate: float = 1e-2,
    random_state=None,
    verbose: bool = False,  # show a progress bar
) -> dict:  # lists "step", "seconds", "loss", "divergence"
    "Train an encoder on t-SNE's loss, batch by fixed batch (van der Maaten 2009)."
    input_shape = X.shape[1:] if input_shape is None else input_shape
    batches = fixed_batches(X.shape[0], batch_size, random_generator(random_state))
    alpha = max(encoder.output_shape[-1] - 1, 1)

    def loss(x, P):
        return (tsne_divergence(P, encoder(x, training=True), alpha),)

    step = loss_step(loss, [encoder], keras.optimizers.Adam(learning_rate))
    n_steps = steps_of_passes(n_training_epochs, len(batches))
    recorder, probabilities = TermRecorder(n_steps, ("divergence",), verbose), {}
    for i in range(n_steps):
        which = i % len(batches)
        x = take_rows(X, batches[which], input_shape)
        if which not in probabilities:
            probabilities[which] = tf.convert_to_tensor(tsne_probabilities(x, perplexity))
        recorder.add(i + 1, step(x, probabilities[which]))
    return recorder.close()


# %%
tsne_encoder, _ = networks()
history = fit_tsne_encoder(X, tsne_encoder, n_training_epochs=60, batch_size=300, random_state=0)
assert history["loss"][-1] < history["loss"][0] / 2
assert trustworthiness(X, encode(tsne_encoder, X, (64,))) > 0.93
again, _ = networks()
assert fit_tsne_encoder(X, again, n_training_epochs=60, batch_size=300, random_state=0)["loss"] == history["loss"]

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
for ax, (title, model) in zip(axes, {"autoencoder": encoder, "variational": variational, "parametric t-SNE": tsne_encoder}.items()):
    ax.scatter(*encode(model, X, (64,))[:, :2].T, c=y[:600], cmap="tab10", s=5)
    ax.set_title(title)
    ax.set_axis_off()


# %% [markdown]
# ## A classifier and an embedding at once
#
# Where few rows have labels, one network can learn from two losses: the classification loss of the labelled rows and the UMAP loss of the edges of all rows. The network has
# two outputs, a place in the embedding and a score for each class. A step puts labelled rows, heads and tails through it *in one call*, so that batch normalisation sees one batch (the original code made three calls). The
# loss is the mean classification loss plus `umap_weight` times the mean term of the UMAP cross entropy.

# %%
#| export
def joint_step(
    model,  # Keras model: rows -> [embedding, scores of the classes before the softmax]
    optimizer,  # Keras optimizer
    a: float,
    b: float,
    umap_weight: float = 1.0,  # 0 leaves the embedding out: the step then takes labelled rows alone
    loss: str = "paper",  # form of the cross entropy, see `losses.loss_terms`
    repulsion_strength: float = 1.0,
):  # compiled function (labelled rows on top of heads on top of tails, classes as rows of 0 and 1, negatives) -> (attraction, repulsion, classification), three means
    "A compiled training step on labelled rows and a batch of edges."
    variables = model.trainable_variables
    optimizer.build(variables)

    def step(x, targets, negatives):
        n_labelled = targets.shape[0]
        with tf.GradientTape() as tape:
            z, scores = model(x, training=True)
            total = classification = ops.mean(ops.categorical_crossentropy(targets, scores[:n_labelled], from_logits=True))
            attraction = repulsion = ops.zeros((1,))
            if umap_weight:
                head, tail = ops.split(z[n_labelled:], 2)
                attraction, repulsion = umap_cross_entropy(head, tail, negatives, a, b, loss, repulsion_strength)
                total += umap_weight * total_loss(attraction, repulsion, "mean")
        sources = [variable.value for variable in variables]  # TensorFlow makes zeros only for its own variables
        gradients = tape.gradient(total, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        optimizer.apply(gradients, variables)
        return ops.mean(attraction), ops.mean(repulsion), classification

    return compiled(step)


def decaying_optimizer(
    learning_rate: float,  # the highest, reached after a twentieth of the steps
    n_steps: int,
):
    "Adam with a learning rate that rises shortly and then falls to zero along a cosine."
    rising = n_steps // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 50, max(1, n_steps - rising), warmup_target=learning_rate, warmup_steps=rising
    )
    return keras.optimizers.Adam(schedule, beta_2=0.99)


# %% [markdown]
# **The best weights are the ones used.** Between rounds of training, the accuracy on labelled rows that were kept back is measured (of two equal ones the later counts, since it has seen more of the graph). After `patience`
# rounds without a better or equal one the training ends. Either way the weights of the best round are put back.

# %%
#| export
class Validation(HeldOut):
    "Held-out rows of a classifier: the loss is the share of them that it gets wrong."

    def __init__(self, model, X, y, input_shape: tuple, patience: int):
        "`model` as in `joint_step`; rows `X` with classes `y` as numbers from 0; `patience` in rounds."
        classifier = keras.Model(model.inputs[0], model.outputs[1])
        wrong = lambda: float((encode(classifier, X, input_shape).argmax(axis=1) != y).mean())
        super().__init__(wrong, [model], patience, tol=-1e-9)  # an equal loss counts as a lower one
        self.steps = []

    def stop_after(self, step: int) -> bool:
        "Measure, and say whether to stop."
        self.steps.append(step)
        return self.is_over()

    def record(self) -> dict:  # lists "step", "accuracy"
        "What was measured."
        return {"step": self.steps, "accuracy": [1 - loss for loss in self.history]}


# %% [markdown]
# An augmentation is a function of rows, or a Keras layer or model. Run operation by operation, the layers for images take longer than a step of a small network; compiled, a small part of it.
# A function is taken as it is: it may do what cannot be compiled.

# %%
#| export
def row_function(
    augment,  # None, a function of rows, or a Keras layer or model
):  # None, or a function of rows, all batches of the same shape
    "An augmentation as a function; a Keras layer or model augments (`training=True`) and is compiled."
    if not isinstance(augment, keras.Layer):
        return augment
    return compiled(lambda rows: augment(rows, training=True))


# %%
assert row_function(None) is None and row_function(np.fliplr) is np.fliplr
noisy = row_function(keras.layers.GaussianNoise(1.0, seed=0))
assert (np.asarray(noisy(np.zeros((5, 2), "float32"))) != np.asarray(noisy(np.zeros((5, 2), "float32")))).all()  # each call draws anew


# %% [markdown]
# It must leave the shape of the rows as it is.

# %%
#| export
def augmented(
    augment,  # from `row_function`
    rows: np.ndarray,  # float32, shape (n_rows, ...)
) -> np.ndarray:  # float32, same shape
    "Rows after augmentation; a `ValueError` if they come back in another shape."
    if augment is None:
        return rows
    changed = np.asarray(augment(rows), dtype=np.float32)
    if changed.shape != rows.shape:
        raise ValueError(f"augment made rows of shape {changed.shape} from rows of shape {rows.shape}; both must be the same.")
    return changed


# %%
assert_array_equal(augmented(lambda rows: 1 - rows, np.zeros((2, 3))), np.ones((2, 3)))


# %% [markdown]
# The loop goes in rounds. After each, the labelled rows that were kept back can end it, and the graph can be built anew from what the network has learned. Without a graph it trains on the labels alone.

# %%
#| export
def joint_edges(
    edges: Edges | None,
    batch_size: int,  # edges in a batch
    rng: np.random.Generator,
    edge_sampling: str,  # see `graph.edge_batches`
):  # endless iterator over (head, tail)
    "Batches of edges, or endless empty ones if there are no edges."
    if edges is None:
        return iter(lambda: (np.zeros(0, np.int32),) * 2, None)
    return edge_batches(edges, batch_size, rng, edge_sampling)


# %%
#| export
def fit_jointly(
    X,  # rows, shape (n_rows, ...); dense or CSR
    labelled: np.ndarray,  # indices of the labelled rows
    targets: np.ndarray,  # their classes as rows of 0 and 1, float32, shape (n_labelled, n_classes)
    edges: Edges | None,  # from `graph.pruned_edges`; None = labels alone
    model,  # Keras model, see `joint_step`; its weights are changed in place
    a: float,
    b: float,
    input_shape: tuple,  # shape of one row as the model wants it
    n_steps: int = 1000,
    n_rounds: int = 20,  # the training is cut into so many rounds, see `validation` and `rebuild`
    batch_size: int = 500,  # edges in a step
    labelled_batch_size: int = 128,  # labelled rows in a step; all if there are fewer
    learning_rate: float = 1e-2,
    negative_sample_rate: int = 5,
    edge_sampling: str = "paper",  # or "weighted", see `graph.edge_batches`
    augment=None,  # see `row_function`; for labelled rows and both ends of edges
    validation: Validation | None = None,  # asked after each round
    rebuild=None,  # function without arguments -> Edges, called after each round
    random_state=None,
    verbose: bool = False,  # show a progress bar
    **step_settings,  # umap_weight, loss, repulsion_strength: see `joint_step`
) -> dict:  # lists "step", "seconds", "attraction", "repulsion", "umap", "classification"
    "Train a network with two outputs on labelled rows and on the edges of all rows."
    rng_rows, rng_edges, rng_negatives = random_generator(random_state).spawn(3)
    step_settings |= {} if edges is not None else {"umap_weight": 0}
    step = joint_step(model, decaying_optimizer(learning_rate, n_steps), a, b, **step_settings)
    recorder = Recorder(n_steps, 1, negative_sample_rate, True, verbose)
    rows, ends = row_batches(len(labelled), labelled_batch_size, rng_rows), joint_edges(edges, batch_size, rng_edges, edge_sampling)
    augment = row_function(augment)
    last_of_round = set(np.linspace(0, n_steps, min(n_rounds, n_steps) + 1).round().astype(int)[1:].tolist())
    for i in range(1, n_steps + 1):
        chosen, (head, tail) = next(rows), next(ends)
        x = augmented(augment, take_rows(X, np.concatenate([labelled[chosen], head, tail]), input_shape))
        recorder.add(i, step(x, targets[chosen], in_batch_negatives(len(head), negative_sample_rate, rng_negatives)))
        if i in last_of_round and validation is not None and validation.stop_after(i):
            break
        if i in last_of_round and rebuild is not None and i < n_steps:
            ends = joint_edges(rebuild(), batch_size, rng_edges, edge_sampling)
    if validation is not None:
        validation.restore()
    history = recorder.close()
    history["umap"], history["classification"] = history.pop("loss"), history.pop("reconstruction")
    return history


# %% [markdown]
# Digits again, with four labels per class. The same network, on the labels alone and on labels and edges.

# %%
def accuracy_of(edges, n_steps=300, **settings):
    encoder = build_encoder(mlp_norm_encoder, (64,), 64, random_state=0)
    model = keras.Model(encoder.inputs[0], [encoder.outputs[0], keras.layers.Dense(10)(encoder.outputs[0])])
    rng = np.random.default_rng(0)
    labelled = np.concatenate([rng.choice(np.flatnonzero(y[:600] == digit), 4, replace=False) for digit in range(10)])
    targets = np.eye(10, dtype="float32")[y[labelled]]
    history = fit_jointly(X, labelled, targets, edges, model, *find_ab(0.001), (64,), n_steps, batch_size=200, random_state=0, **settings)
    scores = encode(keras.Model(model.inputs[0], model.outputs[1]), X, (64,))
    return (scores.argmax(axis=1) == y[:600]).mean(), history


alone, _ = accuracy_of(None)
joint, history = accuracy_of(edges)
print(f"accuracy on all rows: labels alone {alone:.2f}, with edges {joint:.2f}")
assert joint > alone + 0.05
assert history["classification"][-1] < 0.1 and history["umap"][-1] < history["umap"][0] / 2
