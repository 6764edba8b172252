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
# # Single cells
#
# > Fit a map on a reference, place the cells of a query in it, transfer labels, and notice a cell type that the reference lacks.
#
# With scanpy, after `sc.pp.pca(reference)`, and with the same genes in the query:
#
# ```python
# model = ParametricUMAP().fit(reference.obsm["X_pca"])
# reference.obsm["X_pumap"] = model.embedding_
#
# components, mean = reference.varm["PCs"], np.asarray(reference.X.mean(axis=0)).ravel()  # sc.pp.pca subtracts the mean
# query.obsm["X_pumap"] = model.transform(query.X @ components - mean @ components)
# sc.pl.embedding(query, basis="pumap")
# ```
#
# The tutorial does each step without scanpy.

# %%
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from pumap import ParametricUMAP
from pumap.plots import Picture, draw_names, draw_projection, plot_embedding, square_window, use_style

try:
    import anndata
except ImportError:
    anndata = None
print(f"anndata {anndata.__version__}" if anndata else "anndata is not installed. A small class takes its place, and h5py reads .h5ad files.")

# %% [markdown]
# ## Parameters
#
# scanpy has 700 blood cells in its package. `sc.datasets.pbmc68k_reduced().write_h5ad("pbmc.h5ad")` makes a file of them, with the cell types in the
# column `bulk_labels`.

# %% tags=["parameters"]
h5ad_file = ""  # a .h5ad file with counts or logarithms in X, or with obsm["X_pca"]; "" is simulated counts
type_column = ""  # the column of obs with the cell types of the reference; "" is none (for simulated counts, the type)
batch_column = ""  # the column of obs with the batches; "" takes a random fifth of the cells as the query
query_batch = ""  # the value in batch_column of the query
save_to = ""  # folder for the model, the PCA and the coordinates; "" saves to a temporary one


# %% [markdown]
# ## Data
#
# The default counts are simulated, because no installed package has single cells, and because the true types of a simulation are known. The counts
# are negative binomial. The query is a second batch: each gene is measured with another efficiency. Its type F is not in the reference.

# %%
def simulate(types, n_cells, batch_effect, rng):
    "Simulate counts of 600 genes: pairs of types share a lineage, cells differ in depth."
    genes = np.random.default_rng(0)  # the same genes for each batch
    lineages = np.repeat(genes.normal(0, 0.5, (3, 600)), 2, axis=0)
    log_mean = genes.normal(-1, 1.2, 600) + lineages + genes.normal(0, 0.7, (6, 600)) * (genes.random((6, 600)) < 0.2)
    kind = rng.choice(types, n_cells)
    mean = np.exp(log_mean[kind] + rng.normal(0, batch_effect, 600)) * rng.lognormal(0, 0.4, (n_cells, 1))
    counts = rng.poisson(rng.gamma(2, mean / 2))  # negative binomial: Poisson, with a rate that varies
    return sparse.csr_matrix(counts, dtype=np.float32), np.array(list("ABCDEF"))[kind]


@dataclass
class Cells:
    "The fields of AnnData that are used here: a matrix, a table of the cells, and arrays with a row for each cell."

    X: object
    obs: pd.DataFrame
    obsm: dict

    def __getitem__(self, rows):
        return Cells(self.X[rows], self.obs.loc[rows].copy(), {key: value[rows] for key, value in self.obsm.items()})

    def copy(self):
        return self  # a selection is a copy already


# %% [markdown]
# Without anndata, this function reads what is needed of a `.h5ad` file.

# %%
def read_cells(path):
    "Read X, obs and the arrays of obsm."

    def read(node):
        if isinstance(node, h5py.Dataset):
            return node.asstr()[()] if h5py.check_string_dtype(node.dtype) else node[()]
        if "categories" in node:
            return pd.Categorical.from_codes(node["codes"][()], read(node["categories"]))
        if "indptr" in node:
            form = sparse.csc_matrix if node.attrs["encoding-type"] == "csc_matrix" else sparse.csr_matrix
            return form(tuple(node[key][()] for key in ("data", "indices", "indptr")), shape=node.attrs["shape"]).tocsr()
        return pd.array(read(node["values"])).astype(object) if "values" in node else None  # a column with missing values

    with h5py.File(path) as file:
        if not isinstance(file["obs"], h5py.Group):
            raise ValueError(f"{path} was written by anndata 0.6 or older: read it with anndata, and write it again.")
        obs = {key: read(file["obs"][key]) for key in file["obs"] if key != "__categories"}
        index = obs.pop(file["obs"].attrs["_index"])
        return Cells(read(file["X"]), pd.DataFrame(obs, index=index), {k: v[()] for k, v in file.get("obsm", {}).items() if isinstance(v, h5py.Dataset)})


# %%
rng = np.random.default_rng(1)
if h5ad_file:
    adata = anndata.read_h5ad(h5ad_file) if anndata else read_cells(h5ad_file)
    is_query = (adata.obs[batch_column].astype(str) == query_batch).to_numpy() if batch_column else rng.random(len(adata.obs)) < 0.2
    assert 0 < is_query.sum() < len(is_query), f"query_batch is {query_batch!r}; {batch_column} has: {', '.join(map(str, adata.obs[batch_column].unique()))}."
else:
    (X_reference, known), (X_query, unknown) = simulate([0, 1, 2, 3, 4], 1000, 0, rng), simulate([0, 1, 2, 3, 4, 5], 400, 0.2, rng)
    is_query = np.arange(1400) >= 1000
    obs = pd.DataFrame({"type": [*known, *unknown], "batch": np.where(is_query, "query", "reference")}, index=[f"cell {i}" for i in range(1400)])
    X, type_column = sparse.vstack([X_reference, X_query], format="csr"), "type"
    adata = anndata.AnnData(X, obs) if anndata else Cells(X, obs, {})
reference, query = adata[~is_query].copy(), adata[is_query].copy()
types = {part: (cells.obs[type_column].astype(str) if type_column else pd.Series("cell", cells.obs.index)).to_numpy() for part, cells in (("reference", reference), ("query", query))}
pd.DataFrame({part: pd.Series(values).value_counts() for part, values in types.items()}).fillna(0).astype(int).T


# %% [markdown]
# ## Normalization and PCA
#
# Each cell is scaled to 10,000 counts, then log(1 + x) is taken, as by `sc.pp.normalize_total` and `sc.pp.log1p`. Genes and principal components are
# chosen on the reference alone. The query is projected on them.

# %%
def log_normalize(X):
    "Scale counts and take logarithms; a matrix that holds no counts is returned as it is."
    X = sparse.csr_matrix(X, dtype=np.float32)
    if (X.data < 0).any() or (X.data != np.round(X.data)).any():
        print("X holds no counts: it is taken as normalized.")
        return X
    return (sparse.diags_array(1e4 / np.maximum(np.asarray(X.sum(axis=1)).ravel(), 1)) @ X).log1p().tocsr().astype(np.float32)


if "X_pca" in adata.obsm:
    print('obsm["X_pca"] is in the file and is used. It must be from one PCA for reference and query.')
else:
    X, X_new = log_normalize(reference.X), log_normalize(query.X)
    variance = np.asarray(X.power(2).mean(axis=0)).ravel() - np.asarray(X.mean(axis=0)).ravel() ** 2
    genes = np.argsort(-variance)[:2000]  # those that vary most
    pca = PCA(min(30, len(genes) - 1, len(reference.obs) - 1), svd_solver="arpack", random_state=0).fit(X[:, genes])
    reference.obsm["X_pca"], query.obsm["X_pca"] = pca.transform(X[:, genes]), pca.transform(X_new[:, genes])

# %% [markdown]
# ## Fit on the reference, embed the query

# %%
model = ParametricUMAP(n_training_epochs=1, random_state=0).fit(reference.obsm["X_pca"])
reference.obsm["X_pumap"] = model.embedding_
query.obsm["X_pumap"] = model.transform(query.obsm["X_pca"])
plot_embedding(reference.obsm["X_pumap"], types["reference"], title="reference")

# %%
everything = np.unique(np.concatenate([*types.values()]))


def draw_both(z_reference, z_query):
    "Draw reference and query with the same axes and colors."
    with use_style():
        fig = Picture(figsize=(6, 3.2))
        for ax, (part, labels), z in zip(fig.subplots(1, 2, sharex=True, sharey=True), types.items(), (z_reference, z_query)):
            draw_projection(ax, z, labels, everything)
            if 1 < len(everything) <= 30:
                draw_names(ax, z, labels)
            ax.set_title(part)
        xlim, ylim, _ = square_window(np.concatenate([z_reference, z_query]))
        ax.set(xlim=xlim, ylim=ylim)
    return fig


draw_both(reference.obsm["X_pumap"], query.obsm["X_pumap"])


# %% [markdown]
# ## Transfer labels
#
# A query cell gets the type that is most frequent among its 15 nearest reference cells in the map. The vote is the share of that type. Accuracy
# counts only types that the reference has.

# %%
def transfer(space):
    "Predict types of the query from its nearest reference cells, and their votes."
    classifier = KNeighborsClassifier(15).fit(reference.obsm[space], types["reference"])
    vote = classifier.predict_proba(query.obsm[space])
    return classifier.classes_[vote.argmax(axis=1)], vote.max(axis=1)


query.obs["predicted"], query.obs["vote"] = transfer("X_pumap")
has_type = np.isin(types["query"], types["reference"])
accuracy = {space: float(np.mean(transfer(space)[0][has_type] == types["query"][has_type])) for space in ("X_pumap", "X_pca")}
if type_column:
    print("accuracy:", {space: round(value, 3) for space, value in accuracy.items()})
pd.crosstab(pd.Series(types["query"], name="true type"), pd.Series(query.obs["predicted"].to_numpy(), name="predicted"))

# %%
if not h5ad_file:
    assert accuracy["X_pumap"] > 0.9 and has_type.sum() < len(has_type)

# %% [markdown]
# ## A type that the reference lacks
#
# The map has no place for type F. Its cells are placed among the others and get their label, and the vote does not show it.
#
# What does show it is the neighborhood of a query cell among all cells. If its type is in the reference, many of its 15 nearest cells are reference
# cells. If not, most are query cells.
#
# This needs one PCA of all cells. The PCA of the reference also fits noise of the reference. On it, query cells are near each other, whatever their
# type.

# %%
n_reference = len(reference.obs)
if "X_pca" in adata.obsm:
    pooled = np.concatenate([reference.obsm["X_pca"], query.obsm["X_pca"]])
else:
    both = sparse.vstack([X[:, genes], X_new[:, genes]])
    pooled = PCA(pca.n_components_, svd_solver="arpack", random_state=0).fit_transform(both)
around = NearestNeighbors(n_neighbors=16).fit(pooled).kneighbors(pooled[n_reference:], return_distance=False)[:, 1:]
query.obs["query_share"] = (around >= n_reference).mean(axis=1)
print(f"The share would be {1 - n_reference / len(pooled):.2f} without a difference between reference and query.")
by_type = query.obs[["vote", "query_share"]].groupby(types["query"]).mean()
by_type.assign(cells=pd.Series(types["query"]).value_counts()).round(2)

# %%
plot_embedding(query.obsm["X_pumap"], query.obs["query_share"], title="query: share of query cells among the 15 nearest")

# %%
if not h5ad_file:
    assert by_type.loc["F", "vote"] > 0.8
    assert by_type.loc["F", "query_share"] > by_type.drop("F")["query_share"].max() + 0.2

# %% [markdown]
# ## Save and load
#
# The model is one file. A new query also needs the genes, their means and the components of the PCA.

# %%
with tempfile.TemporaryDirectory() as folder:
    place = Path(save_to or folder)
    model.save(place / "reference.pumap")
    loaded = ParametricUMAP.load(place / "reference.pumap")
    if "X_pca" not in adata.obsm:
        np.savez(place / "pca.npz", genes=genes, mean=pca.mean_, components=pca.components_)
        kept = dict(np.load(place / "pca.npz"))
        projected = (X_new[:, kept["genes"]].toarray() - kept["mean"]) @ kept["components"].T
        assert np.allclose(projected, query.obsm["X_pca"], atol=1e-3)
    coordinates = pd.DataFrame(query.obsm["X_pumap"], query.obs.index, ["X_pumap1", "X_pumap2"]).join(query.obs)
    coordinates.to_csv(place / "query.csv")
    if anndata:
        query.write_h5ad(place / "query.h5ad")
assert (loaded.transform(query.obsm["X_pca"]) == query.obsm["X_pumap"]).all()
coordinates.head(3)

# %% [markdown]
# ## Add the query to the map
#
# A projection on the components of the reference hides type F, so `update` with these coordinates would not separate it. The PCA of all cells does
# not hide it. `landmark_positions` holds the reference near its places, and NaN leaves the query free.

# %%
positions = np.full((len(pooled), 2), np.nan)
positions[:n_reference] = reference.obsm["X_pumap"]
extended = ParametricUMAP(n_training_epochs=1, random_state=0).fit(pooled, landmark_positions=positions)
z_reference, z_query = np.split(extended.embedding_, [n_reference])
moved = np.linalg.norm(z_reference - reference.obsm["X_pumap"], axis=1)
print(f"median movement of the reference {np.median(moved):.3f}, standard deviation of the map {reference.obsm['X_pumap'].std():.1f}")
draw_both(z_reference, z_query)

# %% [markdown]
# The reference stays, and type F has a place of its own: nearly all neighbors of an F in the query are F now.

# %%
if not h5ad_file:

    def purity(z):
        "Share of type F among the 15 nearest query cells of a cell of type F."
        near = NearestNeighbors(n_neighbors=16).fit(z).kneighbors(z[~has_type], return_distance=False)[:, 1:]
        return np.mean(types["query"][near] == "F")

    print(f"before {purity(query.obsm['X_pumap']):.2f}, after {purity(z_query):.2f}")
    assert purity(z_query) > purity(query.obsm["X_pumap"]) + 0.1
    assert np.median(moved) < 0.1 * reference.obsm["X_pumap"].std()

# %% [markdown]
# ## Limits
#
# - The map does not correct batches. With a `batch_effect` of 0.5 in place of 0.2, the share is 0.88 or more for every type, and shows nothing.
#   Correct `X_pca` first, for example with Harmony, or give the latent space of scVI in its place.
# - Distances between clusters mean little, as in any UMAP. Test a difference of types on the counts.
# - A type with fewer query cells than the 15 neighbors cannot fill a neighborhood. Take fewer neighbors for rare types.
