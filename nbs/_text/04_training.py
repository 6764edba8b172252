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
# > The loops: an encoder, or an embedding itself, fitted to the edges of a graph.

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
from pumap.networks import build_decoder, build_encoder

# %%
#| export
import time

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from scipy import sparse
from tqdm.auto import tqdm

from pumap.graph import Edges, edge_batches, paper_steps, random_generator
from pumap.losses import reconstruction_loss, umap_cross_entropy

# %% [markdown]
# Everything that compiles or loops is in this notebook. The loops follow the original code of the paper step for step:
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
# The forward pass, in batches, so that a million rows need no more memory than one batch.

# %%
#| export
def encode(
    model,  # Keras model, encoder or decoder
    X,  # rows, shape (n_rows, ...); dense or CSR
    input_shape: tuple,  # shape of one row, as the network wants it
    batch_size: int = 1024,  # rows in one forward pass
) -> np.ndarray:  # float32, shape (n_rows, *output_shape)
    "Put all rows through a network, batch by batch."
    n_rows = X.shape[0]
    out = np.empty((n_rows, *model.output_shape[1:]), dtype=np.float32)
    for start in range(0, n_rows, batch_size):
        batch = slice(start, min(start + batch_size, n_rows))
        out[batch] = model(take_rows(X, batch, input_shape), training=False)
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
):  # the same function, compiled at its first call
    "Compile a function for the shapes of its first call."
    concrete = []

    def run(*arrays):
        tensors = [tf.convert_to_tensor(array) for array in arrays]
        if not concrete:
            concrete.append(tf.function(function, autograph=False).get_concrete_function(*tensors))
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

    def __init__(self, n_steps: int, n_attraction: int, n_repulsion: int, with_decoder: bool = False, verbose: bool = False):
        self.history = {name: [] for name in ("step", "seconds", "loss", "attraction", "repulsion")}
        if with_decoder:
            self.history["reconstruction"] = []
        self.share = n_attraction / (n_attraction + n_repulsion)
        self.span, self.n_steps, self.waiting, self.began = max(1, n_steps // 100), n_steps, [], None
        self.bar = tqdm(total=n_steps, disable=not verbose, desc="fit", unit="step")

    def add(self, step: int, terms) -> None:
        "Take the terms of one step; every `span` steps they are averaged and kept."
        self.began = time.perf_counter() if self.began is None else self.began
        self.waiting.append(terms)
        if len(self.waiting) == self.span or step == self.n_steps:
            self._keep(step)
        self.bar.update(1)

    def _keep(self, step):
        attraction, repulsion, decoded = np.mean([[float(t) for t in terms] for terms in self.waiting], axis=0)
        loss = self.share * attraction + (1 - self.share) * repulsion
        if not np.isfinite(loss + decoded):
            self.bar.close()
            raise ValueError(f"The loss is no longer a number at step {step}: scale the data, or lower the learning rate.")
        kept = dict(step=step, seconds=time.perf_counter() - self.began, loss=loss, attraction=attraction, repulsion=repulsion, reconstruction=decoded)
        for name, values in self.history.items():
            values.append(kept[name] if name == "step" else float(kept[name]))
        self.waiting = []
        self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

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
# ## Fitting an encoder
#
# `n_training_epochs` counts passes over the repeated edges, 5 in the paper (100 for moons). It may be a fraction: half a pass is 0.5.

# %%
#| export
def n_steps_for(
    n_training_epochs: float,  # passes over the repeated edges; fractions are allowed
    edges: Edges,
    batch_size: int,
) -> int:
    "Steps in so many passes, at least one."
    if not 0 < n_training_epochs < np.inf:
        raise ValueError(f"n_training_epochs is {n_training_epochs}; it must be positive (a fraction of a pass is allowed).")
    return max(1, round(n_training_epochs * paper_steps(edges, batch_size)))


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
    **step_settings,  # loss, repulsion_strength, autoencoder_loss, ...: see `encoder_step`
) -> dict:  # lists "step", "seconds", "loss", "attraction", "repulsion" (and "reconstruction")
    "The paper's loop: train an encoder on batches of edges with negatives from the same batch."
    rng_edges, rng_negatives = random_generator(random_state).spawn(2)
    input_shape = X.shape[1:] if input_shape is None else input_shape
    step = encoder_step(encoder, paper_optimizer(learning_rate), a, b, decoder=decoder, **step_settings)
    n_steps = n_steps_for(n_training_epochs, edges, batch_size)
    recorder = Recorder(n_steps, 1, negative_sample_rate, decoder is not None, verbose)
    for i, (head, tail) in zip(range(1, n_steps + 1), edge_batches(edges, batch_size, rng_edges, edge_sampling)):
        negatives = in_batch_negatives(len(head), negative_sample_rate, rng_negatives)
        recorder.add(i, step(take_rows(X, np.concatenate([head, tail]), input_shape), negatives))
    return recorder.close()


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
# ## Fitting an embedding
#
# The same loss without a network: the coordinates themselves are the variables. The paper calls it UMAP (TF); it tells apart what the network does and what the change of
# optimiser does. It starts from umap-learn's spectral layout, takes as many edges in a batch as there are rows (60,000 at most), and uses Adadelta with a learning rate of 50.

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
    return z.numpy(), recorder.close()


def embedding_step(z, optimizer, a, b, loss, repulsion_strength):
    "A compiled step on the coordinates `z`, shape (n_rows, n_components)."
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
