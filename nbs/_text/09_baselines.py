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
# # Baselines
#
# > The ten embedding methods that the paper compares, as scikit-learn transformers with one interface.

# %%
#| default_exp baselines

# %%
#| hide
import matplotlib.pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness

from pumap import baselines
from pumap.graph import fuzzy_graph

# %%
#| export
import warnings

import keras
import numpy as np
from keras import ops
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from pumap.backend import training_step
from pumap.core import check_numbers, check_points, check_unit_range, in_fitted_shape, random_generator, refuse_after_fork
from pumap.graph import Edges, cached_search, check_rows, edge_batches, find_ab, pruned_edges, umap_functions
from pumap.losses import UMAPLoss, reconstruction_loss, tsne_divergence, tsne_probabilities, umap_cross_entropy, vae_loss
from pumap.networks import build_decoder, build_encoder
from pumap.parametric_umap import ParametricUMAP
from pumap.training import (
    History,
    Rows,
    TrainingOptions,
    UMAPHistory,
    check_decoder,
    edge_steps,
    encode,
    in_batch_negatives,
    minimize,
    row_batches,
    row_steps,
    steps_of_epochs,
    total_loss,
)

# %% [markdown]
# A fair comparison needs the same rows and the same interface for every method. Here each method is an estimator with `fit`, `transform`,
# `embedding_` and `random_state`. `make_method` builds one by name:
#
# | name | what it minimizes | what it optimizes | computed by | `inverse_transform` |
# |---|---|---|---|---|
# | `umap` | UMAP loss | coordinates | umap-learn | numerical |
# | `umap_tf` | UMAP loss | coordinates | loop in this notebook | none |
# | `pumap` | UMAP loss | encoder | `07_parametric_umap` | none by default |
# | `umap_ae` | UMAP loss + reconstruction | encoder and decoder | `07_parametric_umap` | decoder |
# | `pumap_decoder` | UMAP loss, then reconstruction | encoder, then decoder | `07_parametric_umap` | decoder |
# | `ptsne` | t-SNE loss | encoder | loop in this notebook | none |
# | `tsne` | t-SNE loss | coordinates | openTSNE | none |
# | `vae` | reconstruction + divergence | encoder and decoder | loop in this notebook | decoder |
# | `ae` | reconstruction | encoder and decoder | loop in this notebook | decoder |
# | `pca` | squared error | linear map | scikit-learn | linear map |
#
# The picture comes first, made with the installed module. It shows 400 digits as dots, and 100 new digits with black rings, after short training.

# %%
X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8).astype("float32") / 16
X_train, X_new = X[:400], X[400:500]
SHORT = {
    "umap": dict(n_epochs=100),
    "umap_tf": dict(n_training_epochs=4),
    "pumap": dict(n_training_epochs=0.5, batch_size=128),
    "umap_ae": dict(n_training_epochs=0.5, batch_size=128, n_decoder_epochs=30),
    "pumap_decoder": dict(n_training_epochs=0.5, batch_size=128, n_decoder_epochs=30),
    "ptsne": dict(n_training_epochs=60, batch_size=200),
    "tsne": dict(n_iter=250, n_jobs=1),
    "vae": dict(n_training_epochs=40, batch_size=50),
    "ae": dict(n_training_epochs=30, batch_size=50),
    "pca": {},
}
models = {method: baselines.make_method(method, random_state=0, **settings).fit(X_train) for method, settings in SHORT.items()}

# %%
fig, axes = plt.subplots(2, 5, figsize=(11, 4.8), layout="constrained")
for ax, (method, model) in zip(axes.flat, models.items()):
    ax.scatter(*model.embedding_.T, c=y[:400], cmap="tab10", s=3)
    ax.scatter(*model.transform(X_new).T, c=y[400:500], cmap="tab10", s=9, edgecolor="k", linewidth=0.4)
    ax.set_title(method)
    ax.set_axis_off()

# %% [markdown]
# Methods with a neighbor loss (UMAP, t-SNE) keep neighbors together. PCA and the two autoencoders do not optimize neighborhoods, and their
# trustworthiness is lower.

# %%
trust = {method: trustworthiness(X_train.reshape(400, -1), model.embedding_) for method, model in models.items()}
without_neighbors = ("vae", "ae", "pca")
assert min(value for method, value in trust.items() if method not in without_neighbors) > 0.9 > max(trust[method] for method in without_neighbors)


# %% [markdown]
# ## The common interface
#
# `_Baseline` checks and flattens the rows. A method adds only `_fit_rows` and `_transform_rows`, which take a matrix. Rows may have any shape but
# must be dense. `transform` raises an error for rows of another shape than the fitted ones.

# %%
#| export
class _Baseline(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    "Base class of transformers: checks and flattens rows, and calls `_fit_rows` and `_transform_rows`."

    def _flat(self, X, reset: bool):
        X = validate_data(self, X if reset else in_fitted_shape(self, X), reset=reset, allow_nd=True, dtype=np.float32)
        if reset:
            self._row_shape = X.shape[1:]
        return X.reshape(len(X), -1)

    def fit(self, X, y=None):
        """Fit the method to rows.

        Parameters
        ----------
        X : array-like, shape (n_rows, ...)
            Dense rows, converted to float32.
        y : None
            Ignored. Present for scikit-learn's pipelines.

        Returns
        -------
        estimator
            The estimator itself, with the embedding of the rows in `embedding_`.

        Raises
        ------
        ValueError
            For NaN, infinity, or settings out of range.
        """
        self.__dict__.pop("embedding_", None)  # a fit that fails leaves an estimator that is not fitted
        self.embedding_ = np.asarray(self._fit_rows(self._flat(X, reset=True)), dtype=np.float32)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and return the embedding of the rows.

        Parameters
        ----------
        X : as in `fit`
        y : None
            Ignored.

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components)
        """
        return self.fit(X, y).embedding_

    def transform(self, X):
        """Embed new rows among the fitted ones.

        Parameters
        ----------
        X : array-like, shape (n_rows, ...)
            Rows of the fitted shape.

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components)

        Raises
        ------
        ValueError
            For NaN, infinity, or rows of another shape.
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return np.asarray(self._transform_rows(self._flat(X, reset=False)), dtype=np.float32)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedding_")

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]


# %% [markdown]
# Methods that can map points of the embedding back to rows add `inverse_transform`, which calls their `_decode_points`.

# %%
#| export
class _InvertibleBaseline(_Baseline):
    "A `_Baseline` with `inverse_transform`, which calls `_decode_points`."

    def inverse_transform(self, X):
        """Map points of the embedding back to rows.

        Parameters
        ----------
        X : array-like, shape (n_rows, n_components)
            Points of the embedding.

        Returns
        -------
        ndarray, float32, shape (n_rows, ...)
            Rows of the fitted shape.

        Raises
        ------
        ValueError
            For points with another number of coordinates than the embedding.
        """
        check_is_fitted(self)
        points = check_points(X, self.embedding_.shape[1])
        return np.asarray(self._decode_points(points), dtype=np.float32).reshape(len(points), *self._row_shape)


# %% [markdown]
# ## PCA
#
# PCA is a linear map, and the simplest baseline. If rows have fewer features than components (the retina data: 50 features, 64 components), the
# paper appends columns of zeros. The embedding is then a rotation of the data. This class does the same.

# %%
#| export
class PCA(_InvertibleBaseline):
    """Project rows onto their principal components, with scikit-learn.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding. If rows have fewer features, columns of zeros are appended.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the randomized solver, which scikit-learn chooses for large data.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the fitted rows.
    pca_ : sklearn.decomposition.PCA
        The fitted model of the flattened rows.

    References
    ----------
    .. [1] Pearson (1901). On lines and planes of closest fit to systems of points in space. Philosophical Magazine 2(11).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from pumap.baselines import PCA
    >>> images = load_digits().images / 16
    >>> model = PCA().fit(images[:100])
    >>> model.transform(images[100:110]).shape, model.inverse_transform(model.embedding_).shape
    ((10, 2), (100, 8, 8))
    """

    def __init__(self, n_components: int = 2, *, random_state=None):
        self.n_components = n_components
        self.random_state = random_state

    def _padded(self, rows):
        return np.pad(rows, ((0, 0), (0, max(0, self.n_components - rows.shape[1]))))

    def _fit_rows(self, rows):
        from sklearn.decomposition import PCA

        self.pca_ = PCA(self.n_components, random_state=_seed_of(self.random_state))
        return self.pca_.fit_transform(self._padded(rows))

    def _transform_rows(self, rows):
        return self.pca_.transform(self._padded(rows))

    def _decode_points(self, points):
        return self.pca_.inverse_transform(points)[:, : int(np.prod(self._row_shape))]


def _seed_of(random_state):
    "An integer seed, or None, for libraries that accept nothing else."
    return None if random_state is None else int(random_generator(random_state).integers(2**31 - 1))


# %% [markdown]
# `transform` of the fitted rows gives the embedding of `fit`.

# %%
pca = PCA().fit(X_train)
assert_allclose(pca.transform(X_train), pca.embedding_, atol=1e-4)

# %% [markdown]
# With 64 components for 56 features, the map is a rotation: it keeps distances and has an exact inverse.

# %%
wide = PCA(n_components=64).fit(X_train[:, :7])


def distances(rows):
    "Distances between row i and row 200 + i."
    return np.linalg.norm(rows[:200].reshape(200, -1) - rows[200:400].reshape(200, -1), axis=1)


assert_allclose(distances(wide.embedding_), distances(X_train[:, :7]), rtol=1e-3)
assert_allclose(wide.inverse_transform(wide.embedding_), X_train[:, :7], atol=1e-5)


# %% [markdown]
# ## UMAP
#
# This class is umap-learn with its defaults. With a seed, umap-learn runs on one thread, so that results can be repeated.
#
# Its `inverse_transform` interpolates between the fitted rows around a point. It finds them in a triangulation of the embedding, whose cost
# grows exponentially with the number of dimensions. From 8 dimensions on, where umap-learn starts to warn, this class raises an error.

# %%
#| export
class UMAP(_InvertibleBaseline):
    """Embed rows with non-parametric UMAP, by umap-learn.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    n_neighbors : int, default=15
        Size of a neighborhood, the row itself included.
    min_dist : float, default=0.1
        Distance in the embedding below which neighbors are not pulled together any more.
    metric : str or callable, default="euclidean"
        A name that umap-learn knows, or a numba function of two rows.
    n_epochs : int or None, default=None
        Epochs of the optimization. `None` = umap-learn's default, 500 up to 10,000 rows, else 200.
    random_state : int, RandomState, Generator or None, default=None
        Seed. With one, umap-learn runs on one thread.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the fitted rows.
    umap_ : umap.UMAP
        The fitted model of the flattened rows.

    References
    ----------
    .. [1] McInnes, Healy, Melville (2018). UMAP: Uniform manifold approximation and projection for dimension reduction. arXiv:1802.03426.
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 15,
        min_dist: float = 0.1,
        metric="euclidean",
        n_epochs: int | None = None,
        random_state=None,
    ):
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.min_dist = min_dist
        self.n_epochs = n_epochs
        self.random_state = random_state

    def _fit_rows(self, rows):
        self.umap_ = _umap_model(self, rows, self.n_epochs)
        return self.umap_.embedding_

    def _transform_rows(self, rows):
        return self.umap_.transform(rows)

    def _decode_points(self, points):
        if self.n_components >= 8:  # where umap-learn itself begins to warn
            raise ValueError(
                f"umap-learn cannot invert an embedding with n_components={self.n_components}: use fewer than 8, or a method with a decoder."
            )
        return self.umap_.inverse_transform(points)


def _umap_model(settings, rows, n_epochs):
    "umap-learn's estimator, fitted to rows of shape (n_rows, n_features)."
    refuse_after_fork()  # numba's threads do not survive either
    check_rows(rows, settings.n_neighbors)  # umap-learn would lower n_neighbors and warn
    model = umap_functions().UMAP(
        n_neighbors=settings.n_neighbors,
        n_components=settings.n_components,
        min_dist=settings.min_dist,
        metric=settings.metric,
        n_epochs=n_epochs,
        random_state=_seed_of(settings.random_state),
    )
    with cached_search(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # every seeded fit warns; one thread is intended
        warnings.filterwarnings("ignore", message="custom distance metric")  # it has no inverse; `inverse_transform` raises that error itself
        return model.fit(rows)


# %% [markdown]
# ## UMAP (TF)
#
# This is the paper's control: the loss and the sampling of Parametric UMAP, without a network. The coordinates themselves are optimized. The graph
# and the spectral initialization come from umap-learn. `fit_embedding` optimizes the coordinates with the settings of the paper's code.

# %%
#| export
def embedding_step(z, optimizer, loss: UMAPLoss):
    """Compile a step on the coordinates themselves.

    Parameters
    ----------
    z : keras.Variable, shape (n_rows, n_components)
        Coordinates, changed in place.
    optimizer : keras.optimizers.Optimizer
    loss : UMAPLoss

    Returns
    -------
    callable
        Function of heads, tails and negatives (indices) that returns the mean attraction and repulsion.
    """

    def terms(head, tail, negatives):
        ends = (ops.take(z, which, axis=0) for which in (head, tail))
        attraction, repulsion = umap_cross_entropy(*ends, negatives, loss)
        return total_loss(attraction, repulsion, "sum"), (ops.mean(attraction), ops.mean(repulsion))

    return training_step(terms, [z], optimizer)


def fit_embedding(start, edges: Edges, loss: UMAPLoss, options: TrainingOptions = TrainingOptions(), random_state=None) -> tuple:
    """Optimize the UMAP loss over the coordinates themselves.

    Parameters
    ----------
    start : ndarray, shape (n_rows, n_components)
        Initial coordinates.
    edges : Edges
        From `graph.pruned_edges`.
    loss : UMAPLoss
    options : TrainingOptions
        Defaults: 100 epochs, as many edges in a batch as there are rows (60,000 at most), a learning rate of 50. The callback gets the
        step and the variable with the coordinates.
    random_state : None, int or Generator

    Returns
    -------
    ndarray, float32, shape (n_rows, n_components)
        The embedding.
    dict
        History: "step", "seconds", "loss", "attraction", "repulsion".
    """
    rng_edges, rng_negatives = random_generator(random_state).spawn(2)
    options = options.or_else(n_training_epochs=100, batch_size=min(len(start), 60_000), learning_rate=50.0)
    n_steps = edge_steps(options.n_training_epochs, edges, options.batch_size)
    z = keras.Variable(np.asarray(start, dtype=np.float32))
    step = embedding_step(z, keras.optimizers.Adadelta(options.learning_rate, clipvalue=4.0), loss)
    history = UMAPHistory(n_steps, loss, verbose=options.verbose)
    for i, (head, tail) in zip(range(1, n_steps + 1), edge_batches(edges, options.batch_size, rng_edges)):
        history.add(i, step(head, tail, in_batch_negatives(len(head), loss.negative_sample_rate, rng_negatives)))
        if options.callback:
            options.callback(i, z)
    return ops.convert_to_numpy(z), history.close()


# %% [markdown]
# From random initial points, 15 epochs on 600 digits form the clusters. The same seed gives the same embedding, bit for bit.

# %%
rows = Rows(X[:600], (64,))
edges, loss = pruned_edges(fuzzy_graph(rows[:])), UMAPLoss(*find_ab())
start = np.random.default_rng(0).normal(scale=5, size=(600, 2))
z, again = (fit_embedding(start, edges, loss, TrainingOptions(15, 2000), random_state=0)[0] for _ in range(2))
assert trustworthiness(rows[:], z) > 0.93 > trustworthiness(rows[:], start)
assert_array_equal(z, again)

fig, axes = plt.subplots(1, 2, figsize=(6, 2.8), layout="constrained")
for ax, points, title in ((axes[0], start, "start"), (axes[1], z, "after 15 epochs")):
    ax.scatter(*points.T, c=y[:600], cmap="tab10", s=4)
    ax.set_title(title)
    ax.set_axis_off()


# %% [markdown]
# The estimator adds the graph and the initialization. Two details differ from the original code. umap-learn scales both axes of the spectral
# initialization to the same extent, while the original scaled them by one factor. The original could not embed new rows; here umap-learn's
# `transform` embeds them among the fitted points.

# %%
#| export
class UMAPEmbedding(_Baseline):
    """Optimize the loss of Parametric UMAP over the coordinates, without a network: `umap_tf`.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    n_neighbors : int, default=15
        Size of a neighborhood, the row itself included.
    min_dist : float, default=0.1
        Distance in the embedding below which neighbors are not pulled together any more.
    metric : str or callable, default="euclidean"
        A name that umap-learn knows, or a numba function of two rows.
    n_training_epochs : float, default=100
        Epochs over the edges, each repeated by its strength; may be a fraction.
    random_state : int, RandomState, Generator or None, default=None
        Seed. With one, umap-learn runs on one thread.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the fitted rows.
    umap_ : umap.UMAP
        Model with the graph of the flattened rows; embeds new rows.
    history_ : dict
        Lists "step", "seconds", "loss", "attraction", "repulsion", means over spans of steps.

    References
    ----------
    .. [1] Sainburg, McInnes, Gentner (2021). Parametric UMAP embeddings for representation and semisupervised learning. Neural
       Computation 33(11).
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 15,
        min_dist: float = 0.1,
        metric="euclidean",
        n_training_epochs: float = 100,
        random_state=None,
    ):
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.min_dist = min_dist
        self.n_training_epochs = n_training_epochs
        self.random_state = random_state

    def _fit_rows(self, rows):
        self.umap_ = _umap_model(self, rows, n_epochs=0)  # the graph and the initialization only
        self.umap_.n_epochs = None  # umap-learn's own choice when it places new rows
        edges, loss = pruned_edges(self.umap_.graph_), UMAPLoss(*find_ab(self.min_dist))
        options = TrainingOptions(self.n_training_epochs)
        self.umap_.embedding_, self.history_ = fit_embedding(centered(self.umap_.embedding_), edges, loss, options, self.random_state)
        return self.umap_.embedding_

    def _transform_rows(self, rows):
        return self.umap_.transform(rows)


def centered(embedding: np.ndarray, extent: float = 10.0) -> np.ndarray:
    """Center points, and scale them by one factor.

    Parameters
    ----------
    embedding : ndarray, shape (n_rows, n_components)
        Points that are not all the same.
    extent : float, default=10.0
        Largest absolute coordinate of the result.

    Returns
    -------
    ndarray, shape (n_rows, n_components)

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.baselines import centered
    >>> centered(np.array([[0.0, 1.0], [2.0, 2.0]])).tolist()
    [[-10.0, -5.0], [10.0, 5.0]]
    """
    embedding = embedding - embedding.mean(axis=0)
    return embedding * (extent / np.abs(embedding).max())


# %% [markdown]
# ## t-SNE
#
# This class is openTSNE with its defaults: perplexity 30, a PCA initialization, early exaggeration. New rows start at the median of their neighbors
# and are optimized among the fitted rows, which stay fixed. These settings are openTSNE's defaults, too.
#
# openTSNE's own `transform` is not used, for two reasons:
#
# - It centers the stored embedding first, so new rows would no longer match `embedding_`.
# - Above 10,000 rows it computes forces on a grid. Version 1.0.4 then sets the gains of the wrong rows to zero: those *inside* the grid. New rows
#   therefore stay close to their start.
#
# This class calls the two steps of `transform`, `prepare_partial` and `optimize`. They do not move the stored embedding, and with
# `negative_gradient_method="bh"` forces are computed by a tree, which needs no grid.

# %%
#| export
class TSNE(_Baseline):
    """Embed rows with t-SNE, by openTSNE.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    perplexity : float, default=30.0
        Effective number of neighbors of a row, less than a third of the rows.
    n_iter : int, default=500
        Steps, after 250 steps of early exaggeration.
    n_jobs : int, default=-1
        Threads; -1 = all.
    random_state : int, RandomState, Generator or None, default=None
        Seed. Results are bit-identical only with ``n_jobs=1``.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the fitted rows.
    tsne_ : openTSNE.TSNEEmbedding
        The fitted model of the flattened rows.

    References
    ----------
    .. [1] van der Maaten, Hinton (2008). Visualizing data using t-SNE. Journal of Machine Learning Research 9.
    .. [2] Poličar, Stražar, Zupan (2024). openTSNE: A modular Python library for t-SNE dimensionality reduction and embedding. Journal of
       Statistical Software 109(3).
    """

    def __init__(self, n_components: int = 2, *, perplexity: float = 30.0, n_iter: int = 500, n_jobs: int = -1, random_state=None):
        self.n_components = n_components
        self.perplexity = perplexity
        self.n_iter = n_iter
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit_rows(self, rows):
        try:
            import openTSNE
        except ImportError as error:
            raise ImportError("t-SNE needs openTSNE: pip install 'pumap[paper]'.") from error
        if not 3 * self.perplexity < len(rows):
            raise ValueError(
                f"perplexity is {self.perplexity} and needs {3 * self.perplexity:.0f} neighbors, but there are {len(rows)} rows: "
                "use less than a third of the rows."
            )
        self.tsne_ = openTSNE.TSNE(
            self.n_components, perplexity=self.perplexity, n_iter=self.n_iter, n_jobs=self.n_jobs, random_state=_seed_of(self.random_state)
        ).fit(rows)
        return self.tsne_

    def _transform_rows(self, rows):
        start = self.tsne_.prepare_partial(rows, perplexity=5, initialization="median", k=25)
        return start.optimize(
            n_iter=250,
            learning_rate=0.1,
            exaggeration=1.5,
            momentum=0.8,
            max_grad_norm=0.25,
            max_step_norm=None,
            negative_gradient_method="bh",
        )


# %% [markdown]
# `transform` does not change the stored embedding. A fitted row that is embedded again lies near its first position.

# %%
tsne = TSNE(n_jobs=1, n_iter=250, random_state=0).fit(X_train)
again = tsne.transform(X_train)
assert_array_equal(np.asarray(tsne.tsne_, dtype=np.float32), tsne.embedding_)
assert np.median(np.linalg.norm(again - tsne.embedding_, axis=1)) < 0.05 * np.ptp(tsne.embedding_, axis=0).max()


# %% [markdown]
# ## Parametric UMAP with a decoder
#
# Two of the paper's methods are settings of `ParametricUMAP`:
#
# | method | loss of the encoder | loss of the decoder |
# |---|---|---|
# | `umap_ae` | UMAP loss and reconstruction | reconstruction |
# | `pumap_decoder` | UMAP loss | reconstruction, behind a stop-gradient |
#
# By default the decoder has the name of the encoder, and mirrors its layers. The default solver is the fast one, as in `ParametricUMAP`.

# %%
#| export
def _decoder_for(encoder, decoder):
    "Return `decoder`, or the name of `encoder` if `decoder` is None."
    if decoder is None and not isinstance(encoder, str):
        raise ValueError(f"encoder is a {type(encoder).__name__}, not a name, so its mirror image is unknown: set decoder, too.")
    return encoder if decoder is None else decoder


def umap_ae(n_components: int = 2, *, encoder="mlp", decoder=None, **settings) -> ParametricUMAP:
    """Build UMAP/AE: Parametric UMAP whose encoder is also trained on the reconstruction loss.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    encoder : str, keras.Model or callable, default="mlp"
        See `ParametricUMAP`.
    decoder : str, keras.Model, callable or None, default=None
        See `ParametricUMAP`. `None` = the mirror image of the encoder, which must then be a name.
    **settings
        Other parameters of `ParametricUMAP`.

    Returns
    -------
    ParametricUMAP
        Not fitted. The rows must lie in [0, 1].

    Raises
    ------
    ValueError
        If there is no decoder and the encoder is not a name.

    References
    ----------
    .. [1] Sainburg, McInnes, Gentner (2021). Parametric UMAP embeddings for representation and semisupervised learning. Neural
       Computation 33(11).
    """
    return ParametricUMAP(n_components, encoder=encoder, decoder=_decoder_for(encoder, decoder), autoencoder_loss=True, **settings)


def pumap_decoder(n_components: int = 2, *, encoder="mlp", decoder=None, **settings) -> ParametricUMAP:
    """Build Parametric UMAP with a decoder that does not change the embedding.

    Parameters
    ----------
    n_components, encoder, decoder, **settings
        As for `umap_ae`.

    Returns
    -------
    ParametricUMAP
        Not fitted. The rows must lie in [0, 1].

    Raises
    ------
    ValueError
        If there is no decoder and the encoder is not a name.

    References
    ----------
    .. [1] Sainburg, McInnes, Gentner (2021). Parametric UMAP embeddings for representation and semisupervised learning. Neural
       Computation 33(11).
    """
    return ParametricUMAP(n_components, encoder=encoder, decoder=_decoder_for(encoder, decoder), autoencoder_loss=False, **settings)


# %% [markdown]
# ## Autoencoder
#
# The two networks are those of UMAP/AE, trained on the reconstruction only. The plain and the variational autoencoder share a base class.

# %%
#| export
class _TwoNetworks(_InvertibleBaseline):
    "A baseline with an `encoder_` and a `decoder_`."

    def _transform_rows(self, rows):
        return encode(self.encoder_, Rows(rows, self._row_shape))

    def _decode_points(self, points):
        return encode(self.decoder_, Rows(points))


def _check_network_settings(estimator):
    integers = {"n_components": 1, "batch_size": 2}
    check_numbers(estimator.get_params(deep=False), (), integers, ("n_training_epochs", "learning_rate", "perplexity"))


# %% [markdown]
# Training is by Adam, on batches of rows.

# %%
#| export
def fit_autoencoder(rows: Rows, encoder, decoder, loss: str, options: TrainingOptions, random_state=None) -> dict:
    """Train an encoder and a decoder to reconstruct rows.

    Parameters
    ----------
    rows : Rows
    encoder, decoder : keras.Model
        Trained in place.
    loss : {"binary_crossentropy", "mse"}
        Reconstruction loss; the first needs values in [0, 1].
    options : TrainingOptions
        Defaults are the paper's: 50 epochs, 256 rows in a batch, a learning rate of 1e-3.
    random_state : None, int or Generator

    Returns
    -------
    dict
        History: "step", "seconds", "loss", "reconstruction".
    """
    options = options.or_else(n_training_epochs=50, batch_size=256, learning_rate=1e-3)
    n_steps = row_steps(options.n_training_epochs, len(rows), options.batch_size)
    return minimize(
        lambda x: (reconstruction_loss(x, decoder(encoder(x, training=True), training=True), loss),),
        [encoder, decoder],
        keras.optimizers.Adam(options.learning_rate),
        ((rows[which],) for which in row_batches(len(rows), options.batch_size, random_generator(random_state))),
        History(n_steps, ("reconstruction",), verbose=options.verbose),
    )


# %% [markdown]
# With two components, the reconstruction error is well below that of the mean image. The same seed gives the same embedding.

# %%
def networks(n_outputs=2):
    "A fresh encoder and decoder for digits."
    return build_encoder("mlp", (64,), n_outputs, random_state=0), build_decoder("mlp", (64,), 2, random_state=0)


def plain_autoencoder():
    encoder, decoder = networks()
    fit_autoencoder(rows, encoder, decoder, "binary_crossentropy", TrainingOptions(40, 100), random_state=0)
    return encoder, decoder


encoder, decoder = plain_autoencoder()
z_plain = encode(encoder, rows)
decoded = encode(decoder, Rows(z_plain))
assert ((decoded - rows[:]) ** 2).mean() < 0.8 * ((rows[:].mean(axis=0) - rows[:]) ** 2).mean()
assert_array_equal(encode(plain_autoencoder()[0], rows), z_plain)


# %% [markdown]
# The estimator builds the networks, trains them and encodes the rows.

# %%
#| export
class Autoencoder(_TwoNetworks):
    """Train an encoder and a decoder to reconstruct rows: `ae`.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    encoder : str, keras.Model or callable, default="mlp"
        A name of `networks.build_encoder`; a Keras model, which is copied; or a function (shape of a row, n_components) -> model.
    decoder : str, keras.Model, callable or None, default=None
        A name of `networks.build_decoder`, a Keras model, or a function. `None` = the mirror image of the encoder, which must then be a name.
    n_training_epochs : float, default=50
        Epochs over the rows; may be a fraction.
    batch_size : int, default=256
        Rows in a batch.
    learning_rate : float, default=1e-3
        Learning rate of Adam.
    reconstruction_loss : {"binary_crossentropy", "mse"}, default="binary_crossentropy"
        Loss of the reconstruction; the first needs data in [0, 1].
    random_state : int, RandomState, Generator or None, default=None
        One seed gives one embedding, on a CPU. `None` = a different one each time.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the fitted rows.
    encoder_ : keras.Model
        The trained encoder.
    decoder_ : keras.Model
        The trained decoder.
    history_ : dict
        Lists "step", "seconds", "loss", "reconstruction", means over spans of steps.

    References
    ----------
    .. [1] Hinton, Salakhutdinov (2006). Reducing the dimensionality of data with neural networks. Science 313(5786).
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        encoder="mlp",
        decoder=None,
        n_training_epochs: float = 50,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        reconstruction_loss: str = "binary_crossentropy",
        random_state=None,
    ):
        self.n_components = n_components
        self.encoder = encoder
        self.decoder = decoder
        self.n_training_epochs = n_training_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.reconstruction_loss = reconstruction_loss
        self.random_state = random_state

    def _fit_rows(self, rows):
        _check_network_settings(self)
        rng, shape, decoder = random_generator(self.random_state), self._row_shape, _decoder_for(self.encoder, self.decoder)
        check_unit_range(rows, self.reconstruction_loss, decoder)
        self.encoder_ = build_encoder(self.encoder, shape, self.n_components, rng)
        self.decoder_ = build_decoder(decoder, shape, self.n_components, rng)
        check_decoder(self.decoder_, self.reconstruction_loss)
        options = TrainingOptions(self.n_training_epochs, self.batch_size, self.learning_rate)
        self.history_ = fit_autoencoder(Rows(rows, shape), self.encoder_, self.decoder_, self.reconstruction_loss, options, rng)
        return self._transform_rows(rows)


# %% [markdown]
# ## Variational autoencoder
#
# The encoder has twice as many outputs: for each row, the means and the log variances of a normal distribution. The decoder reconstructs the row from
# a point drawn from it. The divergence from the standard normal distribution is added to the loss; `02_losses` explains its two weightings.

# %%
#| export
def fit_vae(rows: Rows, encoder, decoder, weighting: str, options: TrainingOptions, random_state=None) -> dict:
    """Train an encoder of normal distributions and a decoder.

    Parameters
    ----------
    rows : Rows
        Values in [0, 1].
    encoder : keras.Model
        2 * n_components outputs: means, then logarithms of variances. Trained in place.
    decoder : keras.Model
        Trained in place.
    weighting : {"elbo", "paper"}
        Weights of the two terms, see `losses.vae_loss`.
    options : TrainingOptions
        Defaults are the paper's: 30 epochs, 128 rows in a batch, a learning rate of 1e-3.
    random_state : None, int or Generator

    Returns
    -------
    dict
        History: "step", "seconds", "loss", "reconstruction", "divergence".

    Notes
    -----
    A point is drawn as z = mean + exp(log_variance / 2) * noise, with standard normal noise (Kingma, Welling 2014, section 2.4).
    """
    rng_rows, rng_noise = random_generator(random_state).spawn(2)
    options = options.or_else(n_training_epochs=30, batch_size=128, learning_rate=1e-3)
    n_steps, n_components = row_steps(options.n_training_epochs, len(rows), options.batch_size), encoder.output_shape[-1] // 2

    def terms(x, noise):
        mean, log_variance = ops.split(encoder(x, training=True), 2, axis=-1)
        z = mean + ops.exp(log_variance / 2) * noise
        return vae_loss(x, decoder(z, training=True), mean, log_variance, weighting)

    batches = (
        (rows[which], rng_noise.standard_normal((len(which), n_components), dtype=np.float32))
        for which in row_batches(len(rows), options.batch_size, rng_rows)
    )
    history = History(n_steps, ("reconstruction", "divergence"), verbose=options.verbose)
    return minimize(terms, [encoder, decoder], keras.optimizers.Adam(options.learning_rate), batches, history)


# %% [markdown]
# The loss is the sum of its two terms. The divergence keeps the means about as wide as a normal distribution, while a plain autoencoder may place
# points anywhere. The picture shows both embeddings on the same axes.

# %%
distributions, decoder = networks(n_outputs=4)
history = fit_vae(rows, distributions, decoder, "elbo", TrainingOptions(40, 100), random_state=0)
means = encode(distributions, rows)[:, :2]
assert_allclose(history["loss"], np.add(history["reconstruction"], history["divergence"]), rtol=1e-5)
assert history["loss"][-1] < history["loss"][0]
assert means.std() < 1.5 < z_plain.std()

fig, axes = plt.subplots(1, 2, figsize=(6, 3), sharex=True, sharey=True, layout="constrained")
for ax, points, title in ((axes[0], z_plain, "autoencoder"), (axes[1], means, "variational")):
    ax.scatter(*points.T, c=y[:600], cmap="tab10", s=4)
    ax.set_title(title)


# %% [markdown]
# The embedding is the means. After training, the estimator's encoder returns only these.

# %%
#| export
class VariationalAutoencoder(_TwoNetworks):
    """Train an autoencoder whose embedding stays close to a normal distribution: `vae`.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    encoder : str, keras.Model or callable, default="mlp"
        A name of `networks.build_encoder`; a Keras model, which is copied; or a function (shape of a row, 2 * n_components) -> model. The
        network has 2 * n_components outputs: means, then log variances.
    decoder : str, keras.Model, callable or None, default=None
        A name of `networks.build_decoder`, a Keras model, or a function. `None` = the mirror image of the encoder, which must then be a name.
    n_training_epochs : float, default=30
        Epochs over the rows; may be a fraction.
    batch_size : int, default=128
        Rows in a batch.
    learning_rate : float, default=1e-3
        Learning rate of Adam.
    weighting : {"elbo", "paper"}, default="elbo"
        Weights of reconstruction and divergence: the evidence lower bound, or as in the paper's code (see `losses.vae_loss`).
    random_state : int, RandomState, Generator or None, default=None
        One seed gives one embedding, on a CPU. `None` = a different one each time.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the fitted rows, the means of their distributions.
    encoder_ : keras.Model
        The trained encoder, which returns the means.
    decoder_ : keras.Model
        The trained decoder.
    history_ : dict
        Lists "step", "seconds", "loss", "reconstruction", "divergence", means over spans of steps.

    References
    ----------
    .. [1] Kingma, Welling (2014). Auto-encoding variational Bayes. ICLR. arXiv:1312.6114.
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        encoder="mlp",
        decoder=None,
        n_training_epochs: float = 30,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weighting: str = "elbo",
        random_state=None,
    ):
        self.n_components = n_components
        self.encoder = encoder
        self.decoder = decoder
        self.n_training_epochs = n_training_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weighting = weighting
        self.random_state = random_state

    def _fit_rows(self, rows):
        _check_network_settings(self)
        check_unit_range(rows)
        rng, shape = random_generator(self.random_state), self._row_shape
        distributions = build_encoder(self.encoder, shape, 2 * self.n_components, rng)
        self.decoder_ = build_decoder(_decoder_for(self.encoder, self.decoder), shape, self.n_components, rng)
        check_decoder(self.decoder_)
        options = TrainingOptions(self.n_training_epochs, self.batch_size, self.learning_rate)
        self.history_ = fit_vae(Rows(rows, shape), distributions, self.decoder_, self.weighting, options, rng)
        self.encoder_ = keras.Model(distributions.inputs[0], distributions.outputs[0][:, : self.n_components], name="means")
        return self._transform_rows(rows)


# %% [markdown]
# ## Parametric t-SNE
#
# Parametric t-SNE trains the same encoder with the loss of t-SNE. It has no decoder, so it has no `inverse_transform`.
#
# The loss compares all pairs of a batch. The rows are therefore divided into fixed batches once, in random order, and the last batch is filled up
# from the first. The original code takes rows in file order and drops those after the last full batch.

# %%
#| export
def _fixed_batches(n_rows, batch_size, rng):
    "Divide all rows into batches of one size; the last is filled up from the first."
    batch_size = min(batch_size, n_rows)
    n_batches = -(-n_rows // batch_size)
    order = np.resize(rng.permutation(n_rows), n_batches * batch_size)
    return list(order.reshape(n_batches, batch_size))


# %%
batches = _fixed_batches(10, 4, np.random.default_rng(0))
assert [len(set(batch)) for batch in batches] == [4, 4, 4] and set(np.concatenate(batches)) == set(range(10))


# %% [markdown]
# The probabilities $P$ of a batch are computed once and kept. A batch of 5,000 rows takes 100 MB.

# %%
#| export
def fit_tsne_encoder(rows: Rows, encoder, perplexity: float, options: TrainingOptions, random_state=None) -> dict:
    """Train an encoder on the loss of t-SNE, over fixed batches.

    Parameters
    ----------
    rows : Rows
    encoder : keras.Model
        Trained in place.
    perplexity : float
        Effective number of neighbors of a row in its batch.
    options : TrainingOptions
        Defaults: 1,000 epochs over the batches, 5,000 rows in a batch, a learning rate of 1e-2.
    random_state : None, int or Generator

    Returns
    -------
    dict
        History: "step", "seconds", "loss", "divergence".

    Notes
    -----
    The loss of a batch is the divergence of the probabilities Q in the embedding from P in the data, see van der Maaten (2009), section 3. Q is
    Student's t with max(n_components - 1, 1) degrees of freedom.
    """
    options = options.or_else(n_training_epochs=1000, batch_size=5000, learning_rate=1e-2)
    batches = _fixed_batches(len(rows), options.batch_size, random_generator(random_state))
    n_steps, alpha = steps_of_epochs(options.n_training_epochs, len(batches)), max(encoder.output_shape[-1] - 1, 1)

    def endless():
        probabilities = {}
        while True:
            for i, which in enumerate(batches):
                x = rows[which]
                if i not in probabilities:
                    probabilities[i] = ops.convert_to_tensor(tsne_probabilities(x, perplexity))
                yield x, probabilities[i]

    return minimize(
        lambda x, P: (tsne_divergence(P, encoder(x, training=True), alpha),),
        [encoder],
        keras.optimizers.Adam(options.learning_rate),
        endless(),
        History(n_steps, ("divergence",), verbose=options.verbose),
    )


# %% [markdown]
# On 600 digits, 60 epochs over two batches halve the loss and keep neighbors together.

# %%
encoder, _ = networks()
history = fit_tsne_encoder(rows, encoder, 30.0, TrainingOptions(60, 300), random_state=0)
assert history["loss"][-1] < history["loss"][0] / 2
assert trustworthiness(rows[:], encode(encoder, rows)) > 0.93


# %% [markdown]
# The estimator needs no graph and no decoder, only the encoder and this loop.

# %%
#| export
class ParametricTSNE(_Baseline):
    """Train an encoder on the loss of t-SNE, over fixed batches: `ptsne`.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the embedding.
    encoder : str, keras.Model or callable, default="mlp"
        A name of `networks.build_encoder`; a Keras model, which is copied; or a function (shape of a row, n_components) -> model.
    perplexity : float, default=30.0
        Effective number of neighbors of a row in its batch.
    n_training_epochs : float, default=1000
        Epochs over the batches; may be a fraction.
    batch_size : int, default=5000
        Rows that are compared with each other. Memory grows with its square.
    learning_rate : float, default=1e-2
        Learning rate of Adam.
    random_state : int, RandomState, Generator or None, default=None
        One seed gives one embedding, on a CPU. `None` = a different one each time.

    Attributes
    ----------
    embedding_ : ndarray, float32, shape (n_rows, n_components)
        Embedding of the fitted rows.
    encoder_ : keras.Model
        The trained encoder.
    history_ : dict
        Lists "step", "seconds", "loss", "divergence", means over spans of steps.

    References
    ----------
    .. [1] van der Maaten (2009). Learning a parametric embedding by preserving local structure. AISTATS.
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        encoder="mlp",
        perplexity: float = 30.0,
        n_training_epochs: float = 1000,
        batch_size: int = 5000,
        learning_rate: float = 1e-2,
        random_state=None,
    ):
        self.n_components = n_components
        self.encoder = encoder
        self.perplexity = perplexity
        self.n_training_epochs = n_training_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit_rows(self, rows):
        _check_network_settings(self)
        rng = random_generator(self.random_state)
        self.encoder_ = build_encoder(self.encoder, self._row_shape, self.n_components, rng)
        options = TrainingOptions(self.n_training_epochs, self.batch_size, self.learning_rate)
        self.history_ = fit_tsne_encoder(Rows(rows, self._row_shape), self.encoder_, self.perplexity, options, rng)
        return self._transform_rows(rows)

    def _transform_rows(self, rows):
        return encode(self.encoder_, Rows(rows, self._row_shape))


# %% [markdown]
# ## Data outside 0 and 1
#
# A decoder that ends in a sigmoid reaches only values from 0 to 1. `UnitRange` wraps any method and scales its data into this range, in one of two
# ways:
#
# | setting | scales | used for |
# |---|---|---|
# | `columns=False` | all values by one factor and one shift | moons, bison |
# | `columns=True` | each column by its own | retina |
#
# One factor multiplies all distances alike, so the graph stays the same. The columns of the retina data are principal components. The variance of the
# first is so large that one factor would leave no range for the others. The paper's autoencoders therefore scale each column. Its UMAP/AE does, too,
# and so trains on a different graph than UMAP.
#
# Factors and shifts come from the fitted rows. The original code computed them again for each split.

# %%
#| export
class UnitRange(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Run any method on rows that are scaled into [0, 1].

    `inverse_transform` undoes the scaling. Fitted attributes of the method, such as `embedding_`, can be read from this estimator.

    Parameters
    ----------
    method : estimator
        The method; it is cloned.
    columns : bool, default=False
        Scale each column of the rows separately. New values outside the fitted range are then clipped.

    Attributes
    ----------
    method_ : estimator
        The fitted method.
    low_, high_ : float, or ndarray with the shape of a row
        Values that become 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pumap.baselines import PCA, UnitRange
    >>> X = np.random.default_rng(0).normal(size=(50, 5))
    >>> model = UnitRange(PCA()).fit(X)
    >>> model.embedding_.shape, model.inverse_transform(model.embedding_).shape
    ((50, 2), (50, 5))
    """

    def __init__(self, method, columns: bool = False):
        self.method = method
        self.columns = columns

    def _scaled(self, X):
        scaled = (check_array(X, allow_nd=True, dtype=np.float32) - self.low_) / (self.high_ - self.low_)
        return np.clip(scaled, 0, 1) if self.columns else scaled

    def fit(self, X, y=None):
        """Fit the scaling and the method.

        Parameters
        ----------
        X : array-like, shape (n_rows, ...)
            Dense rows.
        y : array-like or None
            Passed to the method.

        Returns
        -------
        UnitRange
            The estimator itself.

        Raises
        ------
        ValueError
            If all rows (with `columns=True`) or all values are equal.
        """
        self.__dict__.pop("method_", None)
        X = check_array(X, allow_nd=True, dtype=np.float32)
        self.low_, self.high_ = (X.min(axis=0), X.max(axis=0)) if self.columns else (float(X.min()), float(X.max()))
        if np.all(self.low_ == self.high_):
            what = "rows are the same" if self.columns else f"values are {self.low_:.4g}"
            raise ValueError(f"All {what}: there is nothing to scale.")
        if self.columns:
            self.high_ = np.where(self.high_ > self.low_, self.high_, self.low_ + 1)  # a column of one value becomes zeros
        scaled = np.clip(self._scaled(X), 0, 1)  # rounding may give values above 1
        self.method_ = clone(self.method).fit(scaled, y)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and return the embedding of the rows.

        Parameters
        ----------
        X : as in `fit`
        y : as in `fit`

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components)
        """
        return self.fit(X, y).embedding_

    def transform(self, X):
        """Embed new rows, scaled like the fitted ones.

        Parameters
        ----------
        X : array-like, shape (n_rows, ...)
            Rows of the fitted shape.

        Returns
        -------
        ndarray, float32, shape (n_rows, n_components)
        """
        check_is_fitted(self)
        return self.method_.transform(self._scaled(X))

    @available_if(lambda self: hasattr(self.method_, "inverse_transform"))
    def inverse_transform(self, X):
        """Map points of the embedding back to rows.

        Parameters
        ----------
        X : array-like, shape (n_rows, n_components)
            Points of the embedding.

        Returns
        -------
        ndarray, shape (n_rows, ...)
            Rows on the original scale.
        """
        return self.method_.inverse_transform(X) * (self.high_ - self.low_) + self.low_

    def __getattr__(self, name):
        if name.startswith("_") or not name.endswith("_") or "method_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}, or is not fitted.")
        return getattr(self.__dict__["method_"], name)

    @property
    def _n_features_out(self):
        return self.method_.embedding_.shape[1]


# %% [markdown]
# Shifted and scaled rows give the same embedding, and their reconstructions are shifted and scaled in the same way. A method without
# `inverse_transform` has none when wrapped.

# %%
shifted = UnitRange(PCA()).fit(10 * X_train - 5)
assert_allclose(shifted.embedding_, pca.embedding_, atol=1e-4)  # X_train goes from 0 to 1
assert_allclose(shifted.inverse_transform(shifted.embedding_), 10 * pca.inverse_transform(pca.embedding_) - 5, atol=1e-3)
assert not hasattr(UnitRange(TSNE(n_jobs=1, n_iter=10)).fit(X_train[:100]), "inverse_transform")

# %% [markdown]
# With `columns=True` every column contributes, even if their scales differ by a factor of 1,000.

# %%
widths = np.logspace(0, 3, 64, dtype="float32")
uneven = X_train.reshape(400, -1) * widths
each = UnitRange(PCA(n_components=64), columns=True).fit(uneven)
assert_allclose(each.inverse_transform(each.embedding_) / widths, uneven / widths, atol=1e-4)
assert each.method_.embedding_.std(axis=0)[:30].min() > 0.1

# %% [markdown]
# ## By name
#
# `METHODS` maps the names of methods in runs, tables and figures to classes. `make_method` raises an error for a setting that the method does not
# have.

# %%
#| export
METHODS = {  # in the order of the paper's Figure 4
    "umap": UMAP,
    "umap_tf": UMAPEmbedding,
    "pumap": ParametricUMAP,
    "umap_ae": umap_ae,
    "pumap_decoder": pumap_decoder,
    "ptsne": ParametricTSNE,
    "tsne": TSNE,
    "vae": VariationalAutoencoder,
    "ae": Autoencoder,
    "pca": PCA,
}


def make_method(method: str, n_components: int = 2, random_state=None, unit_range: bool | str = False, **settings):
    """Build a method by name.

    Parameters
    ----------
    method : str
        A key of `METHODS`.
    n_components : int, default=2
        Dimensions of the embedding.
    random_state : int, RandomState, Generator or None, default=None
        Seed.
    unit_range : {False, True, "columns"}, default=False
        Scale all values into [0, 1], or each column separately, see `UnitRange`.
    **settings
        Parameters of the method, such as `n_neighbors`, `perplexity` or `encoder`.

    Returns
    -------
    estimator
        Not fitted; has `fit`, `transform` and, once fitted, `embedding_`.

    Raises
    ------
    ValueError
        For an unknown name, or a setting that the method does not have.

    Examples
    --------
    >>> from pumap.baselines import make_method
    >>> make_method("tsne", perplexity=10)
    TSNE(perplexity=10)
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of: {', '.join(METHODS)}.")
    try:
        made = METHODS[method](n_components=n_components, random_state=random_state, **settings)
    except TypeError as error:
        known = METHODS[method]().get_params()
        unknown = [name for name in settings if name not in known] or settings
        raise ValueError(f"{method} does not take {', '.join(unknown)}; its settings are: {', '.join(sorted(known))}.") from error
    if unit_range not in (True, False, "columns"):
        raise ValueError(f"unit_range is {unit_range!r}; it must be True, False or 'columns'.")
    return UnitRange(made, columns=unit_range == "columns") if unit_range else made


# %%
assert set(METHODS) == set(SHORT) and {type(make_method(method)).__name__ for method in ("pumap", "umap_ae", "pumap_decoder")} == {"ParametricUMAP"}


# %% [markdown]
# ## One check for all methods
#
# Every class of this notebook is fitted again, with the seed of the picture at the top. The embedding must be the same. (After a change of the code
# above, run `.ci/sync` first: the picture uses the installed module.) The three variants of `ParametricUMAP` are not fitted again; their settings
# must be those of the picture. New rows can be embedded, and rows of another shape raise an error.

# %%
def error_of(call) -> str:
    "The message of the ValueError that a call raises."
    try:
        call()
    except ValueError as error:
        return str(error)
    raise AssertionError("no error was raised")


def check_method(method):
    model, drawn = make_method(method, random_state=0, **SHORT[method]), models[method]
    if isinstance(model, ParametricUMAP):
        assert model.get_params() == drawn.get_params()
        model = drawn
    else:
        assert_allclose(model.fit_transform(X_train), drawn.embedding_, atol=1e-4)
    assert model.embedding_.shape == (400, 2) and model.embedding_.dtype == np.float32
    z_new = model.transform(X_new)
    assert z_new.shape == (100, 2) and z_new.dtype == np.float32 and np.isfinite(z_new).all()
    assert list(model.get_feature_names_out()) == [f"{type(model).__name__.lower()}{i}" for i in (0, 1)]
    assert "Rows have shape (63,)" in error_of(lambda: model.transform(X_new.reshape(100, 64)[:, :63]))
    assert "Rows have shape (8, 7)" in error_of(lambda: model.transform(X_new[:, :, :7]))
    return model


checked = {method: check_method(method) for method in METHODS}


# %% [markdown]
# Six methods have an `inverse_transform`. It returns rows of the fitted shape that are closer to the true rows than the mean image is. umap-learn's
# version compiles for about ten seconds at its first call, so `tests/test_methods.py` checks it.

# %%
def check_inverse(model):
    true = X_train[:10]
    rows = model.inverse_transform(model.embedding_[:10])
    assert rows.shape == (10, 8, 8) and rows.dtype == np.float32 and np.isfinite(rows).all()
    assert ((rows - true) ** 2).mean() < ((X_train.mean(axis=0) - true) ** 2).mean()
    assert "3 coordinates" in error_of(lambda: model.inverse_transform(np.zeros((10, 3))))


invertible = {method for method, model in checked.items() if hasattr(model, "inverse_transform")}
assert invertible == {"umap", "umap_ae", "pumap_decoder", "vae", "ae", "pca"}
for method in invertible - {"umap"}:
    check_inverse(checked[method])

# %% [markdown]
# ## Errors
#
# Each error lists what is valid: for an unknown method, for a setting that the method does not have, and for a perplexity too large for the rows.

# %%
assert "umap_tf" in error_of(lambda: make_method("isomap"))
assert "does not take perplexity; its settings are: n_components" in error_of(lambda: make_method("pca", perplexity=3))
assert "less than a third of the rows" in error_of(lambda: TSNE().fit(X_train[:50]))
