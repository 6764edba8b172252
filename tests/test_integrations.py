"""The estimator within other packages: scikit-learn's tools, clustering, single cells, umap-learn's plots, topics.

scikit-learn comes with the library. The other packages are not among the development requirements: their tests run where they are installed,
`pip install scanpy hdbscan bertopic 'umap-learn[plot]'`."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from pumap import ParametricUMAP

digits = load_digits(n_class=4)
X, y = digits.data[:240].astype("float32") / 16, digits.target[:240]
BRIEF = dict(n_neighbors=8, n_training_epochs=4, random_state=0)


@pytest.fixture(scope="module")
def model():
    return ParametricUMAP(**BRIEF).fit(X)


def test_grid_search():
    "Parameters of the map are chosen by the accuracy of a classifier behind it; the best pipeline is refitted and classifies new rows."
    pipeline = make_pipeline(MinMaxScaler(), ParametricUMAP(**BRIEF | {"n_training_epochs": 1}), KNeighborsClassifier(5))
    grid = {"parametricumap__n_neighbors": [3, 10], "kneighborsclassifier__n_neighbors": [1, 5]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X[:160], y[:160])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all() and search.best_score_ > 0.6
    assert search.score(X[160:], y[160:]) > 0.6
    assert search.best_estimator_[1].n_neighbors == search.best_params_["parametricumap__n_neighbors"]


class CountsFits(ParametricUMAP):
    fits: list = []

    def fit(self, X, y=None):  # without landmark_positions, as a subclass from before they came
        self.fits.append(len(X))
        return super().fit(X, y)


def test_a_cached_pipeline_fits_the_map_once(tmp_path):
    "The second pipeline differs only behind the map, so the fitted map comes from the cache. It gives the same embedding."
    pipeline = lambda k: Pipeline([("map", CountsFits(**BRIEF | {"n_training_epochs": 1})), ("classify", KNeighborsClassifier(k))], memory=str(tmp_path))
    first, second = pipeline(1).fit(X, y), pipeline(5).fit(X, y)
    assert CountsFits.fits == [240]
    np.testing.assert_array_equal(first[0].transform(X), second[0].transform(X))
    assert second.score(X, y) > 0.9
    pipeline(5).fit(X[:200], y[:200])
    assert CountsFits.fits == [240, 200]  # other rows


def test_density_clusters_of_the_map_are_the_classes(model):
    assert adjusted_rand_score(y, HDBSCAN(min_cluster_size=15, copy=True).fit_predict(model.embedding_)) > 0.7


def test_hdbscan(model):
    "The contributed package, with a prediction for new rows."
    hdbscan = pytest.importorskip("hdbscan", reason="pip install hdbscan")
    clusters = hdbscan.HDBSCAN(min_cluster_size=15, prediction_data=True).fit(model.embedding_)
    assert adjusted_rand_score(y, clusters.labels_) > 0.7
    labels, _ = hdbscan.approximate_predict(clusters, model.transform(X[:20]))
    assert (labels == clusters.labels_[:20]).mean() > 0.8


def test_anndata(tmp_path, model):
    "Counts are sparse; the embedding goes into `obsm` and through a file."
    anndata = pytest.importorskip("anndata", reason="pip install anndata")
    from scipy import sparse

    cells = anndata.AnnData(sparse.csr_matrix(X))
    cells.obsm["X_pumap"] = ParametricUMAP(**BRIEF).fit_transform(cells.X)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    again = anndata.read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(again.obsm["X_pumap"], cells.obsm["X_pumap"])
    np.testing.assert_allclose(again.obsm["X_pumap"], model.embedding_, atol=1e-2)


def test_scanpy(model):
    "Cells are placed on scanpy's own neighbor graph; its picture finds the embedding by name."
    scanpy = pytest.importorskip("scanpy", reason="pip install scanpy")
    cells = scanpy.AnnData(X.copy(), obs={"class": y.astype(str)})
    scanpy.pp.neighbors(cells, n_neighbors=8, use_rep="X")
    given = ParametricUMAP(precomputed_graph=cells.obsp["connectivities"], **BRIEF)
    cells.obsm["X_pumap"] = given.fit_transform(cells.X)
    assert adjusted_rand_score(y, HDBSCAN(min_cluster_size=15, copy=True).fit_predict(cells.obsm["X_pumap"])) > 0.7
    scanpy.pl.embedding(cells, basis="pumap", color="class", show=False)
    plt.close("all")


def test_plots_of_umap_learn(model):
    "They read `embedding_`, `graph_` and parameters of the estimator."
    for package in ("datashader", "bokeh", "holoviews", "colorcet"):
        pytest.importorskip(package, reason="pip install 'umap-learn[plot]'")
    import umap.plot

    ax = umap.plot.points(model, labels=y)
    np.testing.assert_allclose(np.sort(ax.collections[0].get_offsets(), axis=0), np.sort(model.embedding_, axis=0), rtol=1e-5)
    umap.plot.connectivity(model, show_points=True)
    umap.plot.interactive(model, labels=y)
    umap.plot.nearest_neighbour_distribution(model)
    plt.close("all")


def test_bertopic():
    "Documents with embeddings that are given: the map replaces UMAP, and places new documents."
    bertopic = pytest.importorskip("bertopic", reason="pip install bertopic")
    names = ["zero null nought", "one single unit", "two pair double", "three triple trio"]
    documents = [names[label] for label in y]
    topics = bertopic.BERTopic(umap_model=ParametricUMAP(n_components=5, **BRIEF), hdbscan_model=HDBSCAN(min_cluster_size=15, copy=True), embedding_model=None)
    found, _ = topics.fit_transform(documents, embeddings=X)
    assert adjusted_rand_score(y, found) > 0.7
    assert topics.umap_model.transform(X[:3]).shape == (3, 5)
