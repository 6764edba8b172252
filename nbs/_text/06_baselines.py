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

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from pumap.graph import check_rows, find_ab, pruned_edges, random_generator
from pumap.parametric_umap import ParametricUMAP
from pumap.training import fit_embedding

# %% [markdown]
# Each method is a well-kept library's own: scikit-learn's PCA, umap-learn's UMAP, openTSNE's t-SNE. What is here are thin adapters, so that an
# experiment can treat them alike: `fit` leaves the embedding of the fitted rows in `embedding_`, `transform` embeds new rows, rows have any shape (but are dense), and `random_state` fixes
# what is random. (t-SNE repeats to the last digit on one thread only.)

# %%
X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8).astype("float32") / 16
X_train, X_new = X[:600], X[600:700]


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
        "Fit on rows of shape (n_rows, ...); leaves `embedding_`, float32 of shape (n_rows, n_components)."
        self.__dict__.pop("embedding_", None)  # a fit that fails leaves an estimator that is not fitted
        self.embedding_ = np.asarray(self._fit_rows(self._flat(X, reset=True)), dtype=np.float32)
        return self

    def fit_transform(self, X, y=None):
        "Fit, and return the embedding of the rows."
        return self.fit(X, y).embedding_

    def transform(self, X):
        "Embed new rows, shape (n_rows, ...), among the fitted ones."
        check_is_fitted(self)
        return np.asarray(self._transform_rows(self._flat(X, reset=False)), dtype=np.float32)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedding_")

    @property
    def _n_features_out(self):
        return self.n_components


# %% [markdown]
# ## PCA
#
# A linear map; the floor that every other method has to beat in two dimensions. Where data have fewer features than components (50 for 64, in the retina data), the
# paper appends columns of zeros; the embedding is then a rotation of the data, and so is ours.

# %%
#| export
class PCA(Baseline):
    "Principal components, by scikit-learn; rows with fewer features than components get zeros appended."

    def __init__(self, n_components: int = 2, *, random_state=None):
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


def seed_of(random_state):  # an int, or None
    "An integer seed for libraries that take nothing else."
    return None if random_state is None else int(random_generator(random_state).integers(2**31 - 1))


# %%
pca = PCA().fit(X_train)
assert_allclose(pca.transform(X_train), pca.embedding_, atol=1e-4)
wide = PCA(n_components=64).fit(X_train[:, :7])  # 56 features
distance = lambda rows: np.linalg.norm(rows[:300].reshape(300, -1) - rows[300:600].reshape(300, -1), axis=1)
assert_allclose(distance(wide.embedding_), distance(X_train[:, :7]), rtol=1e-3)  # a rotation keeps distances


# %% [markdown]
# ## UMAP
#
# umap-learn with its defaults. With a seed it runs on one thread, which is its own rule for repeatable results.

# %%
#| export
class UMAP(Baseline):
    "Non-parametric UMAP, by umap-learn."

    def __init__(self, n_components: int = 2, *, n_neighbors: int = 15, min_dist: float = 0.1, n_epochs: int | None = None, random_state=None):
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.min_dist = min_dist
        self.n_epochs = n_epochs
        self.random_state = random_state

    def _fit_rows(self, rows):
        self.umap_ = umap_model(self, rows, self.n_epochs)
        return self.umap_.embedding_

    def _transform_rows(self, rows):
        return self.umap_.transform(rows)


def umap_model(settings, rows, n_epochs):
    "umap-learn's estimator, fitted to rows of shape (n_rows, n_features)."
    import umap

    check_rows(rows, settings.n_neighbors)  # umap-learn would lower n_neighbors and warn
    model = umap.UMAP(
        n_neighbors=settings.n_neighbors,
        n_components=settings.n_components,
        min_dist=settings.min_dist,
        n_epochs=n_epochs,
        random_state=seed_of(settings.random_state),
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # said for each seeded fit, and wanted
        return model.fit(rows)


# %% [markdown]
# ## UMAP (TF)
#
# The paper's control: the UMAP loss of Parametric UMAP, optimised over the coordinates themselves. The graph and the spectral start are umap-learn's; `training.fit_embedding` does the rest.
# (umap-learn gives both axes of its start the same extent, where the original scaled them by one factor.)
# The original could not embed new rows with it. Here umap-learn's own `transform` places them among the fitted points.

# %%
#| export
class UMAPEmbedding(Baseline):
    "UMAP without a network but with Parametric UMAP's loss and sampling: `umap_tf`."

    def __init__(self, n_components: int = 2, *, n_neighbors: int = 15, min_dist: float = 0.1, n_training_epochs: float = 100, random_state=None):
        self.n_components = n_components
        self.n_neighbors = n_neighbors
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


def centred(embedding: np.ndarray, extent: float = 10.0) -> np.ndarray:
    "Centre points and scale them so that the farthest coordinate is `extent`."
    embedding = embedding - embedding.mean(axis=0)
    return embedding * (extent / np.abs(embedding).max())


# %% [markdown]
# ## t-SNE
#
# openTSNE with its defaults: perplexity 30, a PCA start, early exaggeration. New rows are placed by its own `transform`.

# %%
#| export
class TSNE(Baseline):
    "t-SNE, by openTSNE."

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
                f"perplexity={self.perplexity} looks at {3 * self.perplexity:.0f} neighbours, but there are {len(rows)} rows: lower it to below a third."
            )
        self.tsne_ = openTSNE.TSNE(
            self.n_components, perplexity=self.perplexity, n_iter=self.n_iter, n_jobs=self.n_jobs, random_state=seed_of(self.random_state)
        ).fit(rows)
        return self.tsne_

    def _transform_rows(self, rows):
        return self.tsne_.transform(rows)


# %% [markdown]
# ## By name
#
# The slugs are the ones of records and tables. What a method does not take is an error, not a shrug.

# %%
#| export
METHODS = {"umap": UMAP, "umap_tf": UMAPEmbedding, "pumap": ParametricUMAP, "tsne": TSNE, "pca": PCA}


def make_method(
    method: str,  # one of METHODS
    n_components: int = 2,
    random_state=None,
    **settings,  # of the method: n_neighbors, perplexity, encoder, ...
):  # an estimator with fit, transform, embedding_
    "The method with this name; a `ValueError` for an unknown name or a setting it does not have."
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of: {', '.join(METHODS)}.")
    try:
        return METHODS[method](n_components=n_components, random_state=random_state, **settings)
    except TypeError as error:
        known = ", ".join(sorted(METHODS[method]().get_params()))
        raise ValueError(f"{method} does not take all of {', '.join(settings)}; its settings are: {known}.") from error


# %% [markdown]
# ## One check for all
#
# Whatever the method: shapes and types are right, new rows can be embedded, a seed repeats, another row shape is refused.

# %%
def check_method(method, **settings):
    model = make_method(method, random_state=0, **settings).fit(X_train)
    assert model.embedding_.shape == (600, 2) and model.embedding_.dtype == np.float32
    z_new = model.transform(X_new)
    assert z_new.shape == (100, 2) and z_new.dtype == np.float32 and np.isfinite(z_new).all()
    assert_allclose(make_method(method, random_state=0, **settings).fit_transform(X_train), model.embedding_, atol=1e-4)
    assert list(model.get_feature_names_out()) == [f"{type(model).__name__.lower()}{i}" for i in (0, 1)]
    try:
        model.transform(X_new.reshape(100, 64))
    except ValueError:
        return model
    raise AssertionError("rows of another shape were taken")


quick = {
    "umap": dict(n_epochs=100),
    "umap_tf": dict(n_training_epochs=20),
    "pumap": dict(n_training_epochs=1, batch_size=128),
    "tsne": dict(n_iter=250, n_jobs=1),
    "pca": {},
}
models = {method: check_method(method, **quick[method]) for method in METHODS}

# %%
fig, axes = plt.subplots(1, len(models), figsize=(11, 2.4), layout="constrained")
for ax, (method, model) in zip(axes, models.items()):
    ax.scatter(*model.embedding_.T, c=y[:600], cmap="tab10", s=3)
    ax.scatter(*model.transform(X_new).T, c=y[600:700], cmap="tab10", s=9, edgecolor="k", linewidth=0.4)
    ax.set_title(method)
    ax.set_axis_off()

# %% [markdown]
# Fitted digits as dots, new ones ringed. Every method but PCA keeps neighbours together; two linear dimensions are too few for that.

# %%
trust = {method: trustworthiness(X_train.reshape(600, -1), model.embedding_) for method, model in models.items()}
assert min(value for method, value in trust.items() if method != "pca") > 0.9 > trust["pca"]

# %%
for call, word in ((lambda: make_method("isomap"), "umap_tf"), (lambda: make_method("pca", perplexity=3), "settings are"), (lambda: TSNE().fit(X_train[:50]), "perplexity")):
    try:
        call()
    except ValueError as error:
        assert word in str(error)
    else:
        raise AssertionError("no error")
