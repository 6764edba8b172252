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
# > The methods the paper compares with, all as the same kind of transformer.

# %%
#| default_exp baselines

# %%
#| hide
import matplotlib.pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness

# %%
#| export
import warnings

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from pumap.graph import check_rows, find_ab, keep_compiled, pruned_edges, random_generator
from pumap.networks import build_decoder, build_encoder
from pumap.parametric_umap import ParametricUMAP, check_numbers, check_unit_range
from pumap.training import encode, fit_autoencoder, fit_embedding, fit_tsne_encoder, fit_vae

# %% [markdown]
# Where there is a well-kept library, the method is the library's own: scikit-learn's PCA, umap-learn's UMAP, openTSNE's t-SNE. UMAP (TF) is the UMAP loss without a network; the others are Parametric UMAP's own networks with other losses. All of these are trained by the loops
# of `04_training`. This notebook has thin adapters, so that an experiment can treat all methods alike: `fit` leaves the embedding of the fitted rows in `embedding_`, `transform` embeds new rows, rows have any shape (but are dense), and `random_state` fixes
# what is random. (t-SNE repeats to the last digit on one thread only.) Where a method knows a way back, `inverse_transform` turns points of the embedding into rows.

# %%
X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8).astype("float32") / 16
X_train, X_new = X[:400], X[400:500]


# %% [markdown]
# ## The common face

# %%
#| export
class Baseline(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    "A transformer that flattens rows and leaves the work to `_fit_rows` and `_transform_rows`."

    def _flat(self, X, reset: bool):
        X = validate_data(self, X, reset=reset, allow_nd=True, dtype=np.float32)
        if reset:
            self._row_shape = X.shape[1:]
        elif X.shape[1:] != self._row_shape:
            raise ValueError(f"Rows have shape {X.shape[1:]}, but {type(self).__name__} was fitted on rows of shape {self._row_shape}.")
        return X.reshape(len(X), -1)

    def fit(self, X, y=None):
        "Fit on rows of shape (n_rows, ...); leaves `embedding_`, float32 of shape (n_rows, n_components). `ValueError` for NaN, infinity, or settings that cannot be."
        self.__dict__.pop("embedding_", None)  # a fit that fails leaves an estimator that is not fitted
        self.embedding_ = np.asarray(self._fit_rows(self._flat(X, reset=True)), dtype=np.float32)
        return self

    def fit_transform(self, X, y=None):
        "Fit, and return the embedding of the rows."
        return self.fit(X, y).embedding_

    def transform(self, X):
        "Embed new rows, shape (n_rows, ...), among the fitted ones: float32 of shape (n_rows, n_components). `ValueError` for NaN, infinity, or rows of another shape; `NotFittedError` before `fit`."
        check_is_fitted(self)
        return np.asarray(self._transform_rows(self._flat(X, reset=False)), dtype=np.float32)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedding_")

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]


# %%
#| export
class Invertible(Baseline):
    "A `Baseline` with a way back, which it leaves to `_decode_points`."

    def inverse_transform(self, X):
        "Turn points, shape (n_rows, n_components), into rows of the fitted shape, float32; a `ValueError` for points of another dimension."
        check_is_fitted(self)
        points = check_array(X, dtype=np.float32)
        width = self.embedding_.shape[1]
        if points.shape[1] != width:
            raise ValueError(f"Points have {points.shape[1]} coordinates, but the embedding has {width}.")
        return np.asarray(self._decode_points(points), dtype=np.float32).reshape(len(points), *self._row_shape)


# %% [markdown]
# ## PCA
#
# A linear map; the floor that every other method has to beat in two dimensions. Where data have fewer features than components (50 for 64, in the retina data), the
# paper appends columns of zeros; the embedding is then a rotation of the data, and so is ours.

# %%
#| export
class PCA(Invertible):
    "Principal components, by scikit-learn; rows with fewer features than components get zeros appended."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        random_state=None,  # for scikit-learn's randomised solver, which it takes for large data
    ):
        self.n_components = n_components
        self.random_state = random_state

    def _padded(self, rows):
        return np.pad(rows, ((0, 0), (0, max(0, self.n_components - rows.shape[1]))))

    def _fit_rows(self, rows):
        from sklearn.decomposition import PCA

        self.pca_ = PCA(self.n_components, random_state=seed_of(self.random_state))
        return self.pca_.fit_transform(self._padded(rows))

    def _transform_rows(self, rows):
        return self.pca_.transform(self._padded(rows))

    def _decode_points(self, points):
        return self.pca_.inverse_transform(points)[:, : int(np.prod(self._row_shape))]


def seed_of(random_state):  # an int, or None
    "An integer seed for libraries that take nothing else."
    return None if random_state is None else int(random_generator(random_state).integers(2**31 - 1))


# %%
pca = PCA().fit(X_train)
assert_allclose(pca.transform(X_train), pca.embedding_, atol=1e-4)
wide = PCA(n_components=64).fit(X_train[:, :7])  # 56 features
distance = lambda rows: np.linalg.norm(rows[:200].reshape(200, -1) - rows[200:400].reshape(200, -1), axis=1)
assert_allclose(distance(wide.embedding_), distance(X_train[:, :7]), rtol=1e-3)  # a rotation keeps distances
assert_allclose(wide.inverse_transform(wide.embedding_), X_train[:, :7], atol=1e-5)  # and can be undone


# %% [markdown]
# ## UMAP
#
# umap-learn with its defaults. With a seed it runs on one thread, which is its own rule for repeatable results. Its way back moves among the fitted rows around a point; it looks for these
# in a triangulation of the embedding, which in many dimensions would not end, so it is refused there.

# %%
#| export
class UMAP(Invertible):
    "Non-parametric UMAP, by umap-learn."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        n_neighbors: int = 15,  # size of a neighbourhood, the row itself included
        min_dist: float = 0.1,  # distance in the embedding up to which points count as together
        metric="euclidean",  # a name umap-learn knows, or a numba function of two rows
        n_epochs: int | None = None,  # effort; None = umap-learn's choice, 500 up to 10,000 rows, else 200
        random_state=None,  # with one, umap-learn runs on one thread
    ):
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.min_dist = min_dist
        self.n_epochs = n_epochs
        self.random_state = random_state

    def _fit_rows(self, rows):
        self.umap_ = umap_model(self, rows, self.n_epochs)
        return self.umap_.embedding_

    def _transform_rows(self, rows):
        return self.umap_.transform(rows)

    def _decode_points(self, points):
        if self.n_components >= 8:  # where umap-learn itself begins to warn
            raise ValueError(f"umap-learn has no way back from {self.n_components} dimensions: use fewer than 8, or a method with a decoder.")
        return self.umap_.inverse_transform(points)


def umap_model(settings, rows, n_epochs):
    "umap-learn's estimator, fitted to rows of shape (n_rows, n_features)."
    import umap

    keep_compiled(umap.layouts, umap.umap_, umap.utils)
    check_rows(rows, settings.n_neighbors)  # umap-learn would lower n_neighbors and warn
    model = umap.UMAP(
        n_neighbors=settings.n_neighbors,
        n_components=settings.n_components,
        min_dist=settings.min_dist,
        metric=settings.metric,
        n_epochs=n_epochs,
        random_state=seed_of(settings.random_state),
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # said for each seeded fit, and wanted
        warnings.filterwarnings("ignore", message="custom distance metric")  # it has no way back, which `inverse_transform` says when asked
        return model.fit(rows)


# %% [markdown]
# ## UMAP (TF)
#
# The paper's control: the UMAP loss of Parametric UMAP, optimised over the coordinates themselves. The graph and the spectral start are umap-learn's; `training.fit_embedding` does the rest, by the paper's loop.
# (umap-learn gives both axes of its start the same extent, where the original scaled them by one factor.)
# The original could not embed new rows with it. Here umap-learn's own `transform` places them among the fitted points.

# %%
#| export
class UMAPEmbedding(Baseline):
    "UMAP without a network but with Parametric UMAP's loss and sampling: `umap_tf`."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        n_neighbors: int = 15,  # size of a neighbourhood, the row itself included
        min_dist: float = 0.1,  # distance in the embedding up to which points count as together
        metric="euclidean",  # a name umap-learn knows, or a numba function of two rows
        n_training_epochs: float = 100,  # passes over the edges, each repeated by its strength
        random_state=None,  # with one, umap-learn runs on one thread
    ):
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.min_dist = min_dist
        self.n_training_epochs = n_training_epochs
        self.random_state = random_state

    def _fit_rows(self, rows):
        self.umap_ = umap_model(self, rows, n_epochs=0)  # the graph and a start, nothing optimised
        self.umap_.n_epochs = None  # umap-learn's own choice when it places new rows
        a, b = find_ab(self.min_dist)
        edges = pruned_edges(self.umap_.graph_)
        start = centred(self.umap_.embedding_)
        self.umap_.embedding_, self.history_ = fit_embedding(
            start, edges, a, b, n_training_epochs=self.n_training_epochs, random_state=self.random_state
        )
        return self.umap_.embedding_

    def _transform_rows(self, rows):
        return self.umap_.transform(rows)


def centred(
    embedding: np.ndarray,  # shape (n_rows, n_components), not all rows alike
    extent: float = 10.0,
) -> np.ndarray:  # the same shape
    "Centre points and scale them so that the farthest coordinate is `extent`."
    embedding = embedding - embedding.mean(axis=0)
    return embedding * (extent / np.abs(embedding).max())


# %% [markdown]
# ## t-SNE
#
# openTSNE with its defaults: perplexity 30, a PCA start, early exaggeration. New rows start at the median of their neighbours and go on from there among the fitted rows, which stay; again with its defaults.
#
# Its own `transform` is not called, for two reasons. It first moves the map so that the middle of its box is at zero, and so new rows would lie beside the `embedding_` that we keep. And where forces are computed on a grid (above 10,000 rows), version 1.0.4
# resets the gains of the descent of all rows *inside* the grid's disc in place of those outside, so that new rows stay near where they start. When the paper was made, the first call did without that (it came with pull request 154, in January 2021). The two calls that make up `transform` leave the map in place, and forces computed
# by a tree need no grid.

# %%
#| export
class TSNE(Baseline):
    "t-SNE, by openTSNE."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        perplexity: float = 30.0,  # neighbours that a row effectively has, less than a third of the rows
        n_iter: int = 500,  # steps, after 250 of early exaggeration
        n_jobs: int = -1,  # threads; -1 = all
        random_state=None,  # repeats to the last digit with n_jobs=1
    ):
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
                f"perplexity={self.perplexity} looks at {3 * self.perplexity:.0f} neighbours, but there are {len(rows)} rows: lower it to below a third."
            )
        self.tsne_ = openTSNE.TSNE(
            self.n_components, perplexity=self.perplexity, n_iter=self.n_iter, n_jobs=self.n_jobs, random_state=seed_of(self.random_state)
        ).fit(rows)
        return self.tsne_

    def _transform_rows(self, rows):
        start = self.tsne_.prepare_partial(rows, perplexity=5, initialization="median", k=25)
        return start.optimize(n_iter=250, learning_rate=0.1, exaggeration=1.5, momentum=0.8, max_grad_norm=0.25, max_step_norm=None, negative_gradient_method="bh")


# %% [markdown]
# The map keeps its place, and a fitted row that comes again as a new one lands near itself.

# %%
tsne = TSNE(n_jobs=1, n_iter=250, random_state=0).fit(X_train)
again = tsne.transform(X_train)
assert_array_equal(np.asarray(tsne.tsne_, dtype=np.float32), tsne.embedding_)
assert np.median(np.linalg.norm(again - tsne.embedding_, axis=1)) < 0.05 * np.ptp(tsne.embedding_, axis=0).max()


# %% [markdown]
# ## Parametric UMAP with a decoder
#
# Two of the paper's variants are settings of `ParametricUMAP`. In `umap_ae` the encoder learns from both losses, that of UMAP and that of the reconstruction; in `pumap_decoder` the gradient of the reconstruction stops at
# the embedding, which is then that of UMAP alone. If not said otherwise, the decoder is the mirror image of the encoder, by the same name, and the solver is the fast one, as in `ParametricUMAP`.

# %%
#| export
def decoder_for(
    encoder,  # a name, a Keras model or a function
    decoder=None,  # the same, or None for the mirror image of a named encoder
):  # what `networks.build_decoder` takes
    "The decoder that goes with an encoder; a `ValueError` if that cannot be told."
    if decoder is None and not isinstance(encoder, str):
        raise ValueError(f"encoder is {type(encoder).__name__}, not a name, so its mirror image is not known: give a decoder, too.")
    return encoder if decoder is None else decoder


def umap_ae(
    n_components: int = 2,
    *,
    encoder="mlp",  # as in `ParametricUMAP`
    decoder=None,  # as in `ParametricUMAP`; None = the mirror image of the encoder
    **settings,  # of `ParametricUMAP`
) -> ParametricUMAP:
    "UMAP/AE: Parametric UMAP whose encoder learns from the reconstruction as well; values must lie in [0, 1]."
    return ParametricUMAP(n_components, encoder=encoder, decoder=decoder_for(encoder, decoder), autoencoder_loss=True, **settings)


def pumap_decoder(
    n_components: int = 2,
    *,
    encoder="mlp",  # as in `ParametricUMAP`
    decoder=None,  # as in `ParametricUMAP`; None = the mirror image of the encoder
    **settings,  # of `ParametricUMAP`
) -> ParametricUMAP:
    "Parametric UMAP with a decoder that reads the embedding without changing it; values must lie in [0, 1]."
    return ParametricUMAP(n_components, encoder=encoder, decoder=decoder_for(encoder, decoder), autoencoder_loss=False, **settings)


# %% [markdown]
# ## Autoencoder
#
# The same networks with no loss but the reconstruction.

# %%
#| export
class TwoNetworks(Invertible):
    "What the two autoencoders share: `encoder_` leads to the embedding, `decoder_` back."

    def _transform_rows(self, rows):
        return encode(self.encoder_, rows, self._row_shape)

    def _decode_points(self, points):
        return encode(self.decoder_, points, points.shape[1:])


# %%
#| export
class Autoencoder(TwoNetworks):
    "An encoder and a decoder that learn to give rows back: `ae`. Values must lie in [0, 1], unless `reconstruction_loss` is \"mse\"."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        encoder="mlp",  # a name, a Keras model, or a function (shape of a row, n_components) -> model
        decoder=None,  # the same; None = the mirror image of a named encoder
        n_training_epochs: float = 50,  # passes over the rows
        batch_size: int = 256,  # rows in a step
        learning_rate: float = 1e-3,  # of Adam
        reconstruction_loss: str = "binary_crossentropy",  # or "mse"
        random_state=None,  # one seed, one embedding (on a CPU)
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
        check_numbers(self.get_params(deep=False), optional=())
        rng, shape, decoder = random_generator(self.random_state), self._row_shape, decoder_for(self.encoder, self.decoder)
        check_unit_range(rows, self.reconstruction_loss, decoder)
        self.encoder_ = build_encoder(self.encoder, shape, self.n_components, rng)
        self.decoder_ = build_decoder(decoder, shape, self.n_components, rng)
        settings = {name: getattr(self, name) for name in ("n_training_epochs", "batch_size", "learning_rate")}
        self.history_ = fit_autoencoder(rows, self.encoder_, self.decoder_, shape, reconstruction=self.reconstruction_loss, random_state=rng, **settings)
        return self._transform_rows(rows)


# %% [markdown]
# ## Variational autoencoder
#
# Here the encoder is built with twice the outputs, for means and variances. After training, only the means are kept: they are the embedding. The names of the two weightings are explained in `02_losses`.

# %%
#| export
class VariationalAutoencoder(TwoNetworks):
    "An autoencoder whose embedding is kept near a normal distribution: `vae`. Values must lie in [0, 1]."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        encoder="mlp",  # a name, or a model or function as in `Autoencoder`, with 2 * n_components outputs
        decoder=None,  # as in `Autoencoder`
        n_training_epochs: float = 30,  # passes over the rows
        batch_size: int = 128,  # rows in a step
        learning_rate: float = 1e-3,  # of Adam
        weighting: str = "elbo",  # of reconstruction and divergence; "paper" = as in the original code
        random_state=None,  # one seed, one embedding (on a CPU)
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
        check_numbers(self.get_params(deep=False), optional=())
        check_unit_range(rows)
        rng, shape = random_generator(self.random_state), self._row_shape
        distributions = build_encoder(self.encoder, shape, 2 * self.n_components, rng)
        self.decoder_ = build_decoder(decoder_for(self.encoder, self.decoder), shape, self.n_components, rng)
        settings = {name: getattr(self, name) for name in ("n_training_epochs", "batch_size", "learning_rate", "weighting")}
        self.history_ = fit_vae(rows, distributions, self.decoder_, shape, random_state=rng, **settings)
        self.encoder_ = keras.Model(distributions.inputs[0], distributions.outputs[0][:, : self.n_components], name="means")
        return self._transform_rows(rows)


# %% [markdown]
# ## Parametric t-SNE
#
# The same encoder with the loss of t-SNE (van der Maaten 2009). It has no decoder, so there is no way back.

# %%
#| export
class ParametricTSNE(Baseline):
    "t-SNE with a neural network, trained on fixed batches: `ptsne`."

    def __init__(
        self,
        n_components: int = 2,  # dimensions of the embedding
        *,
        encoder="mlp",  # a name, a Keras model, or a function (shape of a row, n_components) -> model
        perplexity: float = 30.0,  # neighbours that a row effectively has in its batch
        n_training_epochs: float = 1000,  # passes over the batches
        batch_size: int = 5000,  # rows that are compared with each other; memory grows with its square
        learning_rate: float = 1e-2,  # of Adam
        random_state=None,  # one seed, one embedding (on a CPU)
    ):
        self.n_components = n_components
        self.encoder = encoder
        self.perplexity = perplexity
        self.n_training_epochs = n_training_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit_rows(self, rows):
        check_numbers(self.get_params(deep=False), optional=())
        rng = random_generator(self.random_state)
        self.encoder_ = build_encoder(self.encoder, self._row_shape, self.n_components, rng)
        settings = {name: getattr(self, name) for name in ("perplexity", "n_training_epochs", "batch_size", "learning_rate")}
        self.history_ = fit_tsne_encoder(rows, self.encoder_, self._row_shape, random_state=rng, **settings)
        return self._transform_rows(rows)

    def _transform_rows(self, rows):
        return encode(self.encoder_, rows, self._row_shape)


# %% [markdown]
# ## Data outside 0 and 1
#
# A decoder that ends in a sigmoid cannot reach values outside of 0 and 1, and methods with one refuse such data. The paper maps moons and bison into this range with one factor and one shift for all
# features, which changes distances by that factor only, and so leaves graphs as they were. The retina is different: its columns are principal components, the first of which is so much wider than the others that one factor for all leaves these no room. There the original's autoencoders have a factor
# for each column (and so has its UMAP/AE, whose graph is then another one). `UnitRange` does either around any method. It takes factors and shifts from the fitted rows, where the original took them from each split anew.

# %%
#| export
class UnitRange(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    "Any method, on rows whose least value becomes 0 and whose greatest becomes 1; `inverse_transform` undoes this. Fitted attributes are those of `method_`."

    def __init__(self, method, columns: bool = False):
        "With `columns`, each column of the rows is scaled by itself; new rows may then lie outside, and are cut off at 0 and 1."
        self.method = method
        self.columns = columns

    def _scaled(self, X):
        scaled = (check_array(X, allow_nd=True, dtype=np.float32) - self.low_) / (self.high_ - self.low_)
        return np.clip(scaled, 0, 1) if self.columns else scaled

    def fit(self, X, y=None):
        "Fit the method on the scaled rows, shape (n_rows, ...)."
        self.__dict__.pop("method_", None)
        X = check_array(X, allow_nd=True, dtype=np.float32)
        self.low_, self.high_ = (X.min(axis=0), X.max(axis=0)) if self.columns else (float(X.min()), float(X.max()))
        if np.all(self.low_ == self.high_):
            raise ValueError(f"All values are {np.min(self.low_):.4g}: there is nothing to scale." if not self.columns else "All rows are the same: there is nothing to scale.")
        if self.columns:
            self.high_ = np.where(self.high_ > self.low_, self.high_, self.low_ + 1)  # a column of one value becomes zeros
        scaled = np.clip(self._scaled(X), 0, 1)  # rounding may lead past 1
        self.method_ = clone(self.method).fit(scaled, y)
        return self

    def fit_transform(self, X, y=None):
        "Fit, and return the embedding of the rows."
        return self.fit(X, y).embedding_

    def transform(self, X):
        "Embed new rows, shape (n_rows, ...), scaled as the fitted ones were."
        check_is_fitted(self)
        return self.method_.transform(self._scaled(X))

    @available_if(lambda self: hasattr(self.method_, "inverse_transform"))
    def inverse_transform(self, X):
        "Turn points, shape (n_rows, n_components), into rows on the scale of the fitted ones."
        return self.method_.inverse_transform(X) * (self.high_ - self.low_) + self.low_

    def __getattr__(self, name):
        if name.startswith("_") or not name.endswith("_") or "method_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}, or is not fitted.")
        return getattr(self.__dict__["method_"], name)

    @property
    def _n_features_out(self):
        return self.method_.embedding_.shape[1]


# %%
shifted = UnitRange(PCA()).fit(10 * X_train - 5)
assert_allclose(shifted.embedding_, pca.embedding_, atol=1e-4)  # X_train goes from 0 to 1
assert_allclose(shifted.inverse_transform(shifted.embedding_), 10 * pca.inverse_transform(pca.embedding_) - 5, atol=1e-3)
assert not hasattr(UnitRange(TSNE(n_jobs=1, n_iter=10)).fit(X_train), "inverse_transform")

uneven = X_train.reshape(len(X_train), -1) * np.logspace(0, 3, 64, dtype="float32")
each = UnitRange(PCA(n_components=64), columns=True).fit(uneven)
assert_allclose(each.inverse_transform(each.embedding_) / np.logspace(0, 3, 64), uneven / np.logspace(0, 3, 64), atol=1e-4)
assert each.method_.embedding_.std(axis=0)[:30].min() > 0.1  # each column counts

# %% [markdown]
# ## By name
#
# Ten methods, under the short names that records and tables use. A setting that a method does not have is an error, not a shrug.

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


def make_method(
    method: str,  # one of METHODS
    n_components: int = 2,
    random_state=None,
    unit_range: bool | str = False,  # scale all values into [0, 1], or with "columns" each column, see `UnitRange`
    **settings,  # of the method: n_neighbors, perplexity, encoder, ...
):  # an estimator with fit, transform, embedding_
    "The method with this name; a `ValueError` for an unknown name or a setting it does not have."
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of: {', '.join(METHODS)}.")
    try:
        made = METHODS[method](n_components=n_components, random_state=random_state, **settings)
    except TypeError as error:
        known = ", ".join(sorted(METHODS[method]().get_params()))
        raise ValueError(f"{method} does not take all of {', '.join(settings)}; its settings are: {known}.") from error
    if unit_range not in (True, False, "columns"):
        raise ValueError(f"unit_range is {unit_range!r}; it must be True, False or 'columns'.")
    return UnitRange(made, columns=unit_range == "columns") if unit_range else made


# %% [markdown]
# ## One check for all
#
# Whatever the method: shapes and types are right, new rows can be embedded, a seed repeats, another row shape is refused. A way back leads to rows of the fitted shape that
# are nearer to the true ones than the mean row is. (umap-learn compiles its way back for some ten seconds at the first call; it is checked in the tests.)

# %%
def refused(call):
    try:
        call()
    except ValueError:
        return True
    return False


def check_method(method, **settings):
    model = make_method(method, random_state=0, **settings).fit(X_train)
    assert model.embedding_.shape == (400, 2) and model.embedding_.dtype == np.float32
    z_new = model.transform(X_new)
    assert z_new.shape == (100, 2) and z_new.dtype == np.float32 and np.isfinite(z_new).all()
    assert_allclose(make_method(method, random_state=0, **settings).fit_transform(X_train), model.embedding_, atol=1e-4)
    assert list(model.get_feature_names_out()) == [f"{type(model).__name__.lower()}{i}" for i in (0, 1)]
    assert refused(lambda: model.transform(X_new.reshape(100, 64)))
    if hasattr(model, "inverse_transform") and method != "umap":
        check_way_back(model)
    return model


def check_way_back(model):
    some = slice(0, 10)
    rows = model.inverse_transform(model.embedding_[some])
    assert rows.shape == (10, 8, 8) and rows.dtype == np.float32 and np.isfinite(rows).all()
    assert ((rows - X_train[some]) ** 2).mean() < ((X_train.mean(axis=0) - X_train[some]) ** 2).mean()
    assert refused(lambda: model.inverse_transform(np.zeros((10, 3))))


quick = {
    "umap": dict(n_epochs=100),
    "umap_tf": dict(n_training_epochs=10),
    "pumap": dict(n_training_epochs=1, batch_size=128),
    "umap_ae": dict(n_training_epochs=1, batch_size=128, n_decoder_epochs=30),
    "pumap_decoder": dict(n_training_epochs=1, batch_size=128, n_decoder_epochs=30),
    "ptsne": dict(n_training_epochs=60, batch_size=200),
    "tsne": dict(n_iter=250, n_jobs=1),
    "vae": dict(n_training_epochs=40, batch_size=50),
    "ae": dict(n_training_epochs=30, batch_size=50),
    "pca": {},
}
models = {method: check_method(method, **quick[method]) for method in METHODS}
assert {method for method in METHODS if hasattr(models[method], "inverse_transform")} == {"umap", "umap_ae", "pumap_decoder", "vae", "ae", "pca"}

# %% [markdown]
# Fitted digits as dots, new ones ringed:

# %%
fig, axes = plt.subplots(2, 5, figsize=(11, 4.8), layout="constrained")
for ax, (method, model) in zip(axes.flat, models.items()):
    ax.scatter(*model.embedding_.T, c=y[:400], cmap="tab10", s=3)
    ax.scatter(*model.transform(X_new).T, c=y[400:500], cmap="tab10", s=9, edgecolor="k", linewidth=0.4)
    ax.set_title(method)
    ax.set_axis_off()

# %% [markdown]
# Every method with a loss for neighbours keeps neighbours together. PCA does not, as two linear dimensions are too few for that; nor do the autoencoders,
# which are not asked to.

# %%
trust = {method: trustworthiness(X_train.reshape(400, -1), model.embedding_) for method, model in models.items()}
no_neighbours = ("vae", "ae", "pca")
assert min(value for method, value in trust.items() if method not in no_neighbours) > 0.9 > max(trust[method] for method in no_neighbours)

# %% [markdown]
# An unknown method, a setting that a method does not have, and a perplexity too large for the rows: each error says what would do.

# %%
for call, word in ((lambda: make_method("isomap"), "umap_tf"), (lambda: make_method("pca", perplexity=3), "settings are"), (lambda: TSNE().fit(X_train[:50]), "perplexity")):
    try:
        call()
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")
